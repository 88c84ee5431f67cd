//! A worker: connections, the MSRP sessions bound on them, the rooms whose home it is, and a branch of every room that has members
//! here. The MSRP switch of RFC 7701 is the workers together.
//!
//! This file is the face towards the shell and the life of a connection; `letters` is what the mail means, `sessions` what is bound
//! on the connections, `pacing` who is read; `switch` is what a session does with a frame, `home` what a room does with a command,
//! `branch` and `outlet` are the way out.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use msrp::parse::{Limits, Parser};
use rand_core::Rng;
use room::{Effect, SeatId};

use crate::arena::Arena;
use crate::branch::{Branches, Outbound};
use crate::home::Homes;
use crate::ids::{ConnectionId, Handle, Place, RoomId, SessionId, StreamId, WorkerId};
use crate::mail::{Cause, Letter, Mail, Receipt};
use crate::outlet::Outlets;
use crate::session::Session;
use crate::settings::Settings;
use crate::switch::{Dialing, Frame};
use crate::timers::{Timer, Timers};

mod letters;
mod pacing;
mod sessions;

use pacing::Hold;

/// A connection that has named no session is closed after this.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a connection that is to be closed may take for its last octets.
const FAREWELL: Duration = Duration::from_secs(5);
/// Requests for sessions that do not exist, after which a connection is closed (threat T1).
pub(crate) const MISSES: u8 = 10;
/// Posts of one connection whose verdict is awaited, at which it is read no further.
pub(crate) const OUTSTANDING: usize = 256;

/// Octets of one connection that other workers have yet to send, at which it is read no further.
const WINDOW: usize = 256 * 1024;

/// How long a head may take from its first octet to its last.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// What a worker is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// Octets have come on a connection, in order.
    Received {
        /// The connection.
        connection: ConnectionId,
        /// What came.
        octets: &'a [u8],
    },
    /// A connection that [`Output::Connect`] asked for is there, its TLS handshake done.
    Connected {
        /// The connection.
        connection: ConnectionId,
        /// Our end.
        local: SocketAddr,
    },
    /// The peer has closed a connection, or it has failed; or it could not be made.
    Closed {
        /// The connection.
        connection: ConnectionId,
    },
    /// A connection that took less than all takes octets again.
    Writable {
        /// The connection.
        connection: ConnectionId,
    },
    /// A letter from another owner.
    Mail(Mail),
}

/// What a worker wants done.
#[derive(Debug)]
pub enum Output {
    /// Send a letter.
    Mail {
        /// To whom.
        to: Place,
        /// The letter.
        mail: Mail,
    },
    /// Make a connection; [`Input::Connected`] or [`Input::Closed`] tells how it went.
    Connect {
        /// The id it shall have.
        connection: ConnectionId,
        /// Where to.
        remote: SocketAddr,
        /// Whether with TLS.
        secure: bool,
        /// The name that the peer's certificate must show; `None`: the address.
        server_name: Option<Box<str>>,
    },
    /// Close a connection: what it was to be sent is out, or given up. Its id is dead.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Hand a connection to another worker. Its id is dead here.
    Move {
        /// The connection.
        connection: ConnectionId,
        /// Where the room of its session lives.
        to: WorkerId,
        /// What the other worker needs to go on.
        moving: Moving,
    },
    /// A connection for which [`Worker::reads`] was false is to be read again.
    Resume {
        /// The connection.
        connection: ConnectionId,
    },
}

/// What is known of a connection when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Whether TLS protects it.
    pub secure: bool,
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

/// A connection between two workers.
#[derive(Debug)]
pub struct Moving {
    wire: Wire,
    rest: Vec<u8>,
}

impl Moving {
    /// Roughly how many octets it holds.
    pub fn octets(&self) -> usize {
        self.rest.len()
    }
}

/// A worker.
pub struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) settings: Arc<Settings>,
    pub(crate) rng: Box<dyn Rng + Send>,
    pub(crate) connections: Arena<Connection>,
    pub(crate) sessions: Arena<Session>,
    /// The sessions bound here, by session-id.
    pub(crate) bound: HashMap<Box<str>, Handle>,
    seats: HashMap<SeatId, Handle>,
    pub(crate) homes: Homes,
    pub(crate) branches: Branches,
    pub(crate) outlets: Outlets,
    pub(crate) timers: Timers,
    pub(crate) streams: u64,
    outputs: VecDeque<Output>,
    /// Kept for its capacity.
    pub(crate) effects: Vec<Effect>,
    /// Sessions that have ended while the batch may still name them.
    ended: Vec<Handle>,
    /// For what has come by mail and is not yet out.
    receipts: Vec<Receipt>,
    /// Who is held back for whom: slow connection, origin.
    holds: BTreeSet<(Handle, SessionId)>,
}

/// An MSRP connection.
pub(crate) struct Connection {
    pub(crate) wire: Wire,
    pub(crate) parser: Parser,
    /// Nothing has been asked on it yet.
    pub(crate) first: bool,
    /// Octets that are not yet a frame's.
    pub(crate) rest: Vec<u8>,
    /// Since when a head has begun that is not whole yet.
    pub(crate) head_since: Option<Instant>,
    pub(crate) head_timer_runs: bool,
    pub(crate) frame: Frame,
    pub(crate) sessions: Vec<Handle>,
    pub(crate) misses: u8,
    pub(crate) claim: ClaimState,
    /// Posts whose verdict is awaited.
    pub(crate) outstanding: usize,
    /// Octets that other workers have yet to send.
    unsettled: usize,
    holds: u32,
    /// For which slow connection of which worker which of its sessions is held back.
    held_by: BTreeMap<(WorkerId, Handle, Handle), Hold>,
    /// Until when it is not read, as its participant has sent too much.
    paced_until: Option<Instant>,
    /// Since when it has been congested itself.
    congested_since: Option<Instant>,
    /// Whose media it is to fetch.
    pub(crate) dialing: Option<Dialing>,
    paused: bool,
    pub(crate) closing: bool,
}

/// Whether the home of a session has been asked for it.
#[derive(Debug, Default)]
pub(crate) enum ClaimState {
    #[default]
    None,
    /// It has: nothing more is read before its answer.
    Asked,
    /// It refused this session-id, with this code.
    Refused(Box<str>, u16),
}

impl Connection {
    fn reads(&self) -> bool {
        self.holds == 0
            && self.paced_until.is_none()
            && self.outstanding < OUTSTANDING
            && self.unsettled < WINDOW
            && !self.closing
            && !matches!(self.claim, ClaimState::Asked)
    }

    /// Whether the octets of this connection are understood now.
    pub(crate) fn listens(&self) -> bool {
        !self.closing && !matches!(self.claim, ClaimState::Asked)
    }
}

impl Worker {
    /// A worker without rooms or connections. `rng` is all its chance.
    pub fn new(id: WorkerId, settings: Arc<Settings>, rng: Box<dyn Rng + Send>) -> Self {
        Self {
            id,
            settings,
            rng,
            connections: Arena::default(),
            sessions: Arena::default(),
            bound: HashMap::new(),
            seats: HashMap::new(),
            homes: Homes::default(),
            branches: Branches::default(),
            outlets: Outlets::default(),
            timers: Timers::default(),
            streams: 0,
            outputs: VecDeque::new(),
            effects: Vec::new(),
            ended: Vec::new(),
            receipts: Vec::new(),
            holds: BTreeSet::new(),
        }
    }

    /// A connection has come in, its TLS handshake done.
    pub fn open(&mut self, now: Instant, wire: Wire) -> ConnectionId {
        let handle = self.connections.insert_with(|_| Connection {
            wire,
            parser: Parser::new(Limits::default()),
            first: true,
            rest: Vec::new(),
            head_since: None,
            head_timer_runs: false,
            frame: Frame::Idle,
            sessions: Vec::new(),
            misses: 0,
            claim: ClaimState::None,
            outstanding: 0,
            unsettled: 0,
            holds: 0,
            held_by: BTreeMap::new(),
            paced_until: None,
            congested_since: None,
            dialing: None,
            paused: false,
            closing: false,
        });
        self.outlets.open(handle);
        self.timers.set(now + SILENCE, Timer::Silence(ConnectionId(handle)));
        ConnectionId(handle)
    }

    /// A connection has come from another worker.
    pub fn arrive(&mut self, now: Instant, moving: Moving) -> ConnectionId {
        let connection = self.open(now, moving.wire);
        if let Some(arrived) = self.connections.get_mut(connection.0) {
            arrived.first = false;
        }
        self.received(now, connection, &moving.rest);
        self.after(now);
        connection
    }

    /// Whether a connection is to be read from. If not, [`Output::Resume`] says when.
    pub fn reads(&mut self, connection: ConnectionId) -> bool {
        let Some(connection) = self.connections.get_mut(connection.0) else { return false };
        let reads = connection.reads();
        connection.paused |= !reads;
        reads
    }

    /// Something has happened.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Received { connection, octets } => self.received(now, connection, octets),
            Input::Connected { connection, local } => self.connected(connection, local),
            Input::Closed { connection } => self.closed(now, connection, Cause::ConnectionLost),
            Input::Writable { connection } => self.outlets.writable(connection.0),
            Input::Mail(mail) => self.read_mail(now, mail),
        }
        self.after(now);
    }

    /// When [`Worker::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Fires the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.due(now) {
            match timer {
                Timer::Bind(room, seat) => self.bind_expired(now, room, seat),
                Timer::Grace(room, seat) => self.grace_expired(now, room, seat),
                Timer::Room(room) => self.room_due(now, room),
                Timer::Silence(connection) => self.silence_expired(now, connection),
                Timer::Head(connection) => self.head_expired(now, connection),
                Timer::Chunk(session) => self.chunk_timer_expired(now, session),
                Timer::Hold(connection, by, slow, origin) => self.patience_ended(now, connection, (by, slow), origin),
                Timer::Pace(connection) => self.pace_kept(now, connection),
                Timer::Goodbye(connection) => self.goodbye(now, connection),
                Timer::Farewell(connection) => self.drop_connection(now, connection, Cause::ConnectionLost),
            }
        }
        self.after(now);
    }

    /// What is to be done. Drain it after each input, and after [`Worker::handle_flushed`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether something waits to be transmitted.
    pub fn is_dirty(&self) -> bool {
        self.outlets.is_dirty()
    }

    /// How many octets wait to be rendered for their recipients.
    pub fn batch_octets(&self) -> usize {
        self.outlets.batch_octets()
    }

    /// The next connection that has something to send: try one write of these octets, then say by
    /// [`Worker::handle_transmitted`] how many were taken.
    pub fn poll_transmit(&mut self) -> Option<(ConnectionId, &[u8])> {
        match self.outlets.poll_transmit(&self.sessions) {
            Some(connection) => Some((ConnectionId(connection), self.outlets.transmission())),
            None => {
                for session in self.ended.drain(..) {
                    self.sessions.remove(session);
                }
                None
            }
        }
    }

    /// The flush is over: [`Worker::poll_transmit`] has said `None`. Whether that brings anything more to do or to send.
    pub fn handle_flushed(&mut self, now: Instant) -> bool {
        self.send_receipts();
        self.after(now);
        !self.outputs.is_empty() || self.outlets.is_dirty()
    }

    /// How many of the octets of the last [`Worker::poll_transmit`] were taken: 0 where the socket would block. With fewer than
    /// all the connection is not named again before [`Input::Writable`].
    pub fn handle_transmitted(&mut self, now: Instant, _connection: ConnectionId, taken: usize) {
        self.outlets.transmitted(taken);
        self.after(now);
    }

    /// Connections, sessions bound, and messages on their way: for telemetry and tests.
    pub fn census(&self) -> [usize; 3] {
        let streams = self.branches.streams().max(self.homes.streams());
        [self.connections.len(), self.bound.len(), streams]
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Sends a letter to another owner.
    pub(crate) fn post(&mut self, to: Place, letter: Letter) {
        self.outputs.push_back(Output::Mail { to, mail: Mail(letter) });
    }

    /// Gives a connection to the worker where the room of its first session lives; `rest` is what came, from that request on.
    pub(crate) fn depart(&mut self, connection: ConnectionId, to: WorkerId, rest: Vec<u8>) {
        let Some(gone) = self.connections.remove(connection.0) else { return };
        self.outlets.close(connection.0);
        let moving = Moving { wire: gone.wire, rest };
        self.outputs.push_back(Output::Move { connection, to, moving });
    }

    /// Reads no more from a connection and closes it when what waits for it is out.
    pub(crate) fn farewell(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        connection.closing = true;
        connection.rest = Vec::new();
        self.timers.set(now + FAREWELL, Timer::Farewell(id));
        self.outlets.finish(id.0);
    }

    /// A connection failed, and with it all its sessions (RFC 4975 §5.4).
    fn closed(&mut self, now: Instant, id: ConnectionId, cause: Cause) {
        let Some(connection) = self.connections.remove(id.0) else { return };
        self.outlets.close(id.0);
        self.let_go(id.0);
        if let Some(dialing) = connection.dialing {
            self.undialed(now, dialing);
        }
        for handle in connection.sessions {
            self.remove_session(handle);
            let Some(session) = self.sessions.get(handle) else { continue };
            let (home, room, seat) = (session.home, session.room, session.seat);
            let session = session.id.clone();
            if home == self.id {
                self.lost(now, (room, seat), &session, cause);
            } else {
                self.post(Place::Worker(home), Letter::Lost { room, seat, session, cause });
            }
        }
    }

    fn drop_connection(&mut self, now: Instant, id: ConnectionId, cause: Cause) {
        if self.connections.get(id.0).is_some() {
            self.closed(now, id, cause);
            self.outputs.push_back(Output::Close { connection: id });
        }
    }

    /// A head that has begun is to be whole in time, or its connection is closed: one octet now and then keeps none (threat T5). The
    /// time in which the node itself does not read is not the peer's.
    pub(crate) fn watch_head(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        let has_begun = connection.parser.is_in_head() && !connection.rest.is_empty() && connection.reads();
        if !has_begun {
            connection.head_since = None;
        } else if connection.head_since.is_none() {
            connection.head_since = Some(now);
            if !std::mem::replace(&mut connection.head_timer_runs, true) {
                self.timers.set(now + HEAD_WITHIN, Timer::Head(id));
            }
        }
    }

    fn head_expired(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        connection.head_timer_runs = false;
        let Some(since) = connection.head_since else { return };
        if since + HEAD_WITHIN <= now && connection.reads() {
            return self.drop_connection(now, id, Cause::ConnectionLost);
        }
        connection.head_timer_runs = true;
        self.timers.set((since + HEAD_WITHIN).max(now + HEAD_WITHIN / 8), Timer::Head(id));
    }

    fn silence_expired(&mut self, now: Instant, id: ConnectionId) {
        if self.connections.get(id.0).is_some_and(|connection| connection.sessions.is_empty()) {
            self.drop_connection(now, id, Cause::NotBound);
        }
    }

    pub(crate) fn claim_answered(&mut self, now: Instant, id: ConnectionId, state: ClaimState) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        connection.claim = state;
        self.received(now, id, &[]);
        self.resume(id);
    }

    pub(crate) fn deliver_here(&mut self, _now: Instant, room: RoomId, message: &Outbound<'_>) {
        self.branches.deliver(room, message, &self.sessions, &mut self.outlets, &mut *self.rng);
    }

    pub(crate) fn pass_here(&mut self, _now: Instant, stream: StreamId, octets: &[u8], end: Option<msrp::frame::Flag>) {
        self.branches.pass(stream, octets, end, &self.sessions, &mut self.outlets, &mut *self.rng);
    }

    /// Has a connection read again that the shell was told not to read.
    pub(crate) fn resume(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        if connection.paused && connection.reads() {
            connection.paused = false;
            self.outputs.push_back(Output::Resume { connection: id });
        }
    }
}
