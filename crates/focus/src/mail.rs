//! What the owners of a node tell each other: the only channel between them.
//!
//! Letters between two owners arrive in the order in which they were sent; nothing else is promised, and nothing else is needed.
//! A mailbox holds what its owner has not yet read: a worker that finds one too full stops reading from its sockets, never from its
//! own mail, so that no two owners can wait for each other.

use std::net::SocketAddr;
use std::sync::Arc;

use msrp::frame::Flag;
use room::{Address, Audience, Capabilities, Epoch, Guest, MediaTypes, Refusal, SeatId};

use crate::ids::{ConnectionId, Handle, RoomId, SessionId, StreamId, WorkerId};
use crate::settings::RoomPolicy;

/// A letter from one owner to another.
#[derive(Debug)]
pub struct Mail(pub(crate) Letter);

impl Mail {
    /// Roughly how many octets it holds.
    pub fn octets(&self) -> usize {
        size_of::<Self>()
            + match &self.0 {
                Letter::Post(post) => {
                    let uris = post.from.iter().chain(&post.to).map(String::len);
                    post.octets.len() + post.content_type.len() + uris.sum::<usize>()
                }
                Letter::Nickname { reply, .. } | Letter::Named { reply, .. } => reply.to_path.len(),
                Letter::Claim { path, session, .. } => path.len() + session.len(),
                Letter::Tell { text, .. } => text.len(),
                Letter::Pass { octets, .. } => octets.len(),
                Letter::Passed { octets, .. } => octets.len(),
                Letter::Deliver(delivery) => delivery.octets.len(),
                _ => 0,
            }
    }
}

#[derive(Debug)]
pub(crate) enum Letter {
    // Signalling to the home of a room.
    /// A room comes into being.
    Open {
        room: RoomId,
        address: Address,
        hosts: Arc<[String]>,
        subject: Option<Box<str>>,
        creator: Option<Address>,
        policy: Box<RoomPolicy>,
    },
    /// It ends; who is still in it is dismissed.
    Close { room: RoomId },
    /// Another policy rules it.
    Policy { room: RoomId, policy: Box<RoomPolicy> },
    /// Somebody has been admitted and wants a seat.
    Join(Box<Join>),
    /// A session description has come in somebody's dialog. Answered by `Agreed`.
    Reoffer { room: RoomId, seat: SeatId, number: u64, media: Peer, capabilities: Capabilities },
    /// What the registry of the domain has answered to a room.
    Registered { room: RoomId, ask: room::AskId, granted: bool },
    /// The media of a seat are to be fetched: its participant waits to be connected to (RFC 6135).
    /// The addresses are tried in turn (RFC 4975 §6.2).
    Dial { room: RoomId, seat: SeatId, remotes: Vec<SocketAddr>, server_name: Option<Box<str>> },
    /// A participant is not heard any more, or is again.
    Mute { room: RoomId, seat: SeatId, muted: bool },
    /// The room is about something else.
    Subject { room: RoomId, subject: Option<Box<str>> },
    /// A dialog is over.
    Leave { room: RoomId, seat: SeatId },

    // The home to signalling.
    /// The seat is taken; this is the session-id for the answer's path.
    Joined { seat: SeatId, session: Box<str> },
    /// The session-id for the answer to a later offer: the one there is, or a new one.
    Agreed { seat: SeatId, number: u64, session: Box<str> },
    /// A room asks the registry of the domain, or tells it something.
    Register { room: RoomId, home: WorkerId, registration: room::Registration },
    /// The list of who is there is another.
    Roster { room: RoomId, change: Box<room::Change> },
    /// It is not.
    Declined { seat: SeatId, refusal: Refusal },
    /// A seat has ended on this side: its dialog shall end too.
    Dismiss { seat: SeatId, cause: Cause },

    // A worker to the home.
    /// A connection has named a session that waits at its home.
    Claim { worker: WorkerId, connection: ConnectionId, session: Box<str>, path: Box<str>, secure: bool },
    /// The connection of a seat's session is gone.
    Lost { room: RoomId, seat: SeatId, session: Box<str>, cause: Cause },
    /// A participant says something.
    Post(Box<Post>),
    /// More of it.
    Pass { room: RoomId, stream: StreamId, origin: SessionId, octets: Vec<u8>, end: Option<Flag> },
    /// A participant wants a nickname.
    Nickname { room: RoomId, seat: SeatId, worker: WorkerId, reply: Reply, wanted: Wanted },

    // The home to a worker.
    /// The session is the claimant's, with what it needs to know.
    Claimed { connection: ConnectionId, facts: Box<Facts>, epoch: Epoch },
    /// It is not: 481 or 506.
    Unclaimed { connection: ConnectionId, session: Box<str>, code: u16 },
    /// The session of a seat ends.
    Unseat { seat: SeatId },
    /// The room says something to a participant.
    Tell { seat: SeatId, text: Box<str> },
    /// The capabilities of a seat's session have changed.
    Updated { seat: SeatId, media: Peer, capabilities: Capabilities },
    /// What the room made of a message.
    Verdict { seat: SeatId, stream: StreamId, verdict: Verdict },
    /// So many octets of a session have reached everybody: no more than a window of them is ever under way.
    Settled { origin: SessionId, octets: usize },
    /// What the room made of a nickname.
    Named { seat: SeatId, reply: Reply, code: u16 },
    /// A message for the members on this worker.
    Deliver(Arc<Delivery>),
    /// More of it.
    Passed { stream: StreamId, octets: Arc<[u8]>, end: Option<Flag>, receipt: Receipt },

    // A worker to the home.
    /// What came with these receipts is out, or waits for its sockets.
    Settle { tickets: Vec<u64> },

    // Worker to worker: pacing.
    /// Read no more from the origin of what fills this connection.
    Hold { origin: SessionId, by: WorkerId, connection: Handle },
    /// It has caught up.
    Release { origin: SessionId, by: WorkerId, connection: Handle },
    /// The origin has waited long enough.
    Weary { connection: Handle },
}

/// Who is to be told, when what came with it is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) home: WorkerId,
    pub(crate) ticket: u64,
}

/// Somebody admitted to a room.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) room: RoomId,
    pub(crate) seat: SeatId,
    pub(crate) guest: Guest,
    pub(crate) media: Peer,
    /// The seat of the same user that ends when this one is bound (RFC 3891).
    pub(crate) replaces: Option<SeatId>,
}

/// The media side of a participant, from its session description.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its path, as the To-Path of all that is sent to it.
    pub(crate) path: Box<str>,
    pub(crate) secure: bool,
    pub(crate) max_size: Option<u64>,
    /// Whether it sends messages at all (RFC 4975 §8.9).
    pub(crate) speaks: bool,
}

/// What a worker must know of a session that is bound on one of its connections.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) room: RoomId,
    pub(crate) home: WorkerId,
    pub(crate) seat: SeatId,
    pub(crate) session: Box<str>,
    /// The URI that the answer's path had.
    pub(crate) own_path: Box<str>,
    pub(crate) peer: Peer,
    pub(crate) identity: Address,
    pub(crate) private_messages: bool,
    pub(crate) types: MediaTypes,
    pub(crate) chunk_timer: std::time::Duration,
    pub(crate) room_address: Address,
    pub(crate) congested_max: u64,
}

/// A message, or its first octets, from the worker of its session to the home of its room.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) room: RoomId,
    pub(crate) seat: SeatId,
    pub(crate) origin: SessionId,
    pub(crate) stream: StreamId,
    pub(crate) from: Vec<String>,
    pub(crate) to: Vec<String>,
    pub(crate) content_type: String,
    pub(crate) octets: Vec<u8>,
    pub(crate) end: Option<Flag>,
    pub(crate) announced: Option<u64>,
}

/// A message, or its first octets, from the home of a room to a branch.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) room: RoomId,
    pub(crate) stream: StreamId,
    pub(crate) origin: SessionId,
    pub(crate) audience: Audience,
    pub(crate) content_type: String,
    pub(crate) octets: Vec<u8>,
    pub(crate) end: Option<Flag>,
    pub(crate) announced: Option<u64>,
    pub(crate) receipt: Receipt,
}

/// What a room makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed { private: bool },
    Refused(Refusal),
}

/// The nickname that somebody wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The header was read: the nickname, or nothing to give up the present one.
    Name(String),
    /// The header's value was not a quoted string: 424, where nicknames are allowed at all.
    Malformed,
}

/// Where the response to a request goes (RFC 4975 §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) transaction: Box<str>,
    pub(crate) to_path: Box<str>,
    pub(crate) wanted: msrp::frame::FailureReport,
}

/// Why a seat ended on the side of the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nobody bound the session in time.
    NotBound,
    /// Its connection is gone.
    ConnectionLost,
    /// Its connection has been too slow for too long.
    TooSlow,
    /// The room is closed.
    RoomClosed,
    /// The room ended with its creator.
    CreatorLeft,
    /// Another seat of the user has taken its place.
    Replaced,
}
