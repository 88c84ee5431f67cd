//! The part of a room's audience that has its sessions on one worker: turns "everyone but one" into connections.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Write as _;

use memchr::memmem;
use msrp::encode::ident;
use msrp::frame::Flag;
use rand_core::Rng;
use room::{Address, Audience, Epoch, SeatId};

use crate::arena::Arena;
use crate::ids::{Handle, RoomId, SessionId, StreamId};
use crate::outlet::{Content, Outlets, Parcel, Stem};
use crate::session::Session;

/// Octets of a chunk from which on it must be interruptible (RFC 4975 §7.1.1).
pub(crate) const INTERRUPTIBLE: usize = 2048;
/// Of so many messages it is remembered of which type they were, for those who answer 415. Of older ones it is not known.
const RECENT: usize = 256;
/// The longest type, in octets, that is remembered.
const MAX_TYPE: usize = 128;

/// What the room has let pass: a whole message, or the first octets of one.
pub(crate) struct Outbound<'a> {
    pub(crate) stream: StreamId,
    pub(crate) origin: SessionId,
    pub(crate) audience: &'a Audience,
    /// The type of the content inside the CPIM wrapper.
    pub(crate) content_type: &'a str,
    pub(crate) octets: &'a [u8],
    /// `$` when this is all of it, nothing while more is to come.
    pub(crate) end: Option<Flag>,
    /// The size that the sender announced, if it did.
    pub(crate) announced: Option<u64>,
}

/// The members of one room on this worker.
#[derive(Default)]
pub(crate) struct Branch {
    members: Vec<Member>,
    /// The largest message, in octets, that goes to a congested connection (RFC 7701 §4.1).
    congested_max: u64,
    users: BTreeMap<Address, Vec<Handle>>,
}

struct Member {
    seat: SeatId,
    epoch: Epoch,
    session: Handle,
    connection: Handle,
    /// Takes any type and any size: its session need not be asked.
    anything: bool,
}

/// A message on its way to the members that had its beginning.
struct Stream {
    recipients: Vec<Handle>,
    origin: SessionId,
    message_id: String,
    stem: Stem,
    offset: u64,
    /// The last octets, in which a stem might begin.
    tail: Vec<u8>,
}

/// The branches of a worker, and the messages on their way through them.
#[derive(Default)]
pub(crate) struct Branches {
    branches: HashMap<RoomId, Branch>,
    streams: HashMap<StreamId, Stream>,
    /// The types of the last messages, by the stem of their transaction ids.
    recent: VecDeque<(Stem, String)>,
}

impl Branches {
    /// A session has become a member's: from now on it is reached.
    pub(crate) fn enter(&mut self, handle: Handle, session: &mut Session, epoch: Epoch) {
        let branch = self.branches.entry(session.room).or_default();
        branch.congested_max = session.congested_max;
        session.member = branch.members.len();
        branch.members.push(Member {
            seat: session.seat,
            epoch,
            session: handle,
            connection: session.connection.0,
            anything: session.takes_anything(),
        });
        branch.users.entry(session.identity.clone()).or_default().push(handle);
    }

    /// A session is no longer a member's. Costs the same in a large room as in a small one.
    pub(crate) fn leave(&mut self, handle: Handle, sessions: &mut Arena<Session>) {
        let Some(session) = sessions.get(handle) else { return };
        let (room, index) = (session.room, session.member);
        let Some(branch) = self.branches.get_mut(&room) else { return };
        if branch.members.get(index).is_none_or(|member| member.session != handle) {
            return;
        }
        if let Some(own) = branch.users.get_mut(&session.identity) {
            own.retain(|other| *other != handle);
            if own.is_empty() {
                branch.users.remove(&session.identity);
            }
        }
        branch.members.swap_remove(index);
        if let Some(moved) = branch.members.get(index).map(|member| member.session)
            && let Some(moved) = sessions.get_mut(moved)
        {
            moved.member = index;
        }
        if branch.members.is_empty() {
            self.branches.remove(&room);
        }
    }

    /// What a member accepts has changed.
    pub(crate) fn update(&mut self, session: &Session) {
        if let Some(branch) = self.branches.get_mut(&session.room)
            && let Some(member) = branch.members.get_mut(session.member)
        {
            member.anything = session.takes_anything();
        }
    }

    /// Queues a message, or its first octets, to those of its audience that are here and take it.
    pub(crate) fn deliver(
        &mut self,
        room: RoomId,
        message: &Outbound<'_>,
        sessions: &Arena<Session>,
        outlets: &mut Outlets,
        rng: &mut dyn Rng,
    ) {
        let Some(branch) = self.branches.get(&room) else { return };
        if message.end == Some(Flag::Last) {
            let stem = stem_not_in(message.octets, rng);
            let parcel = whole_parcel(stem, message.octets, Some(message.origin), outlets, rng);
            remember(&mut self.recent, stem, message.content_type);
            // Only what is for all may be left out (RFC 7701 §6.4).
            let for_all = matches!(message.audience, Audience::Everyone { .. });
            let large = for_all && message.octets.len() as u64 > branch.congested_max;
            branch.recipients(message, sessions, |connection, session| {
                outlets.push_message(connection, session, parcel, large);
            });
            return;
        }
        let mut recipients = Vec::new();
        let large = message.announced.is_none_or(|size| size > branch.congested_max);
        branch.recipients(message, sessions, |connection, session| {
            if large && outlets.is_congested(connection) {
                outlets.left_out(session);
            } else {
                recipients.push(session);
            }
        });
        if recipients.is_empty() {
            return;
        }
        let stem = stem_not_in(message.octets, rng);
        remember(&mut self.recent, stem, message.content_type);
        let stream = Stream {
            recipients,
            origin: message.origin,
            message_id: ident(rng, 16),
            stem,
            offset: 0,
            tail: Vec::new(),
        };
        self.streams.insert(message.stream, stream);
        self.pass(message.stream, message.octets, None, sessions, outlets, rng);
    }

    /// Queues further octets of a message to those who had the first ones (RFC 7701 §6.1).
    pub(crate) fn pass(
        &mut self,
        id: StreamId,
        octets: &[u8],
        end: Option<Flag>,
        sessions: &Arena<Session>,
        outlets: &mut Outlets,
        rng: &mut dyn Rng,
    ) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.watch(octets, rng);
        let parcel = stream.piece(id, octets, end, outlets);
        let past = stream.offset;
        stream.recipients.retain(|handle| sessions.get(*handle).is_some_and(|session| !session.ended));
        let fits = |handle: &Handle| {
            sessions.get(*handle).is_some_and(|session| session.max_size.is_none_or(|max| past <= max))
        };
        let (recipients, oversized): (Vec<Handle>, Vec<Handle>) =
            std::mem::take(&mut stream.recipients).into_iter().partition(fits);
        stream.recipients = recipients;
        let abort = (!oversized.is_empty()).then(|| stream.piece(id, &[], Some(Flag::Abort), outlets));
        let parcels = stream.recipients.iter().map(|handle| (handle, parcel));
        for (handle, parcel) in parcels.chain(oversized.iter().zip(abort.into_iter().cycle())) {
            if let Some(session) = sessions.get(*handle) {
                outlets.push(session.connection.0, *handle, parcel);
            }
        }
        if end.is_some() {
            self.streams.remove(&id);
        }
    }

    /// Ends one recipient's copy with `#`: it gets no more of this message.
    pub(crate) fn cut(&mut self, id: StreamId, handle: Handle, sessions: &Arena<Session>, outlets: &mut Outlets) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let before = stream.recipients.len();
        stream.recipients.retain(|other| *other != handle);
        if stream.recipients.len() < before
            && let Some(session) = sessions.get(handle)
        {
            let parcel = stream.piece(id, &[], Some(Flag::Abort), outlets);
            outlets.push(session.connection.0, handle, parcel);
        }
    }

    /// Ends with `#` every copy that is on its way to one of these sessions; which those are that had one.
    pub(crate) fn cut_all(&mut self, of: &[Handle], sessions: &Arena<Session>, outlets: &mut Outlets) -> Vec<Handle> {
        let under_way = self.streams.iter().flat_map(|(id, stream)| {
            let theirs = stream.recipients.iter().filter(|handle| of.contains(handle));
            theirs.map(|handle| (*id, *handle))
        });
        let mut under_way: Vec<(StreamId, Handle)> = under_way.collect();
        under_way.sort_unstable();
        for (id, handle) in &under_way {
            self.cut(*id, *handle, sessions, outlets);
        }
        under_way.into_iter().map(|(_, handle)| handle).collect()
    }

    /// A message for one session alone, from the room itself.
    pub(crate) fn tell(
        &mut self,
        handle: Handle,
        octets: &[u8],
        sessions: &Arena<Session>,
        outlets: &mut Outlets,
        rng: &mut dyn Rng,
    ) {
        let Some(session) = sessions.get(handle) else { return };
        let stem = stem_not_in(octets, rng);
        let parcel = whole_parcel(stem, octets, None, outlets, rng);
        outlets.push(session.connection.0, handle, parcel);
    }

    /// The message on its way to a session of which it has got a chunk by this transaction id. Looks at all messages on their
    /// way, but only at those octets in which they differ.
    pub(crate) fn stream_of_chunk(
        &self,
        handle: Handle,
        transaction: &str,
        sessions: &Arena<Session>,
    ) -> Option<StreamId> {
        let (stem, tail) = transaction.as_bytes().split_at_checked(size_of::<Stem>())?;
        tail.strip_prefix(sessions.get(handle)?.suffix()).filter(|rest| matches!(rest, [] | [b'X', ..]))?;
        self.find(handle, |stream| stream.stem == stem)
    }

    /// The type of a message that a session has got, or a chunk of it, by this transaction id; if that is not too long ago.
    pub(crate) fn type_of(&self, transaction: &str, session: &Session) -> Option<&str> {
        let (stem, tail) = transaction.as_bytes().split_at_checked(size_of::<Stem>())?;
        tail.strip_prefix(session.suffix()).filter(|rest| matches!(rest, [] | [b'X', ..]))?;
        self.recent.iter().find(|(known, _)| known == stem).map(|(_, content_type)| content_type.as_str())
    }

    /// The message on its way to a session with this Message-ID.
    pub(crate) fn stream_of_message(&self, handle: Handle, message_id: &str) -> Option<StreamId> {
        self.find(handle, |stream| stream.message_id == message_id)
    }

    fn find(&self, handle: Handle, is_it: impl Fn(&Stream) -> bool) -> Option<StreamId> {
        let found = self.streams.iter().find(|(_, stream)| is_it(stream) && stream.recipients.contains(&handle));
        found.map(|(id, _)| *id)
    }

    /// A copy that was ended because it did not fit: nothing is sent any more.
    pub(crate) fn forget(&mut self, id: StreamId, handle: Handle) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.recipients.retain(|other| *other != handle);
        }
    }

    /// How many messages are on their way.
    pub(crate) fn streams(&self) -> usize {
        self.streams.len()
    }
}

impl Branch {
    fn recipients(&self, message: &Outbound<'_>, sessions: &Arena<Session>, mut found: impl FnMut(Handle, Handle)) {
        match message.audience {
            Audience::Everyone { except, since } => {
                for member in &self.members {
                    if member.seat != *except
                        && member.epoch <= *since
                        && (member.anything || sessions.get(member.session).is_some_and(|s| s.takes(message)))
                    {
                        found(member.connection, member.session);
                    }
                }
            }
            Audience::User { identity, except, since } => {
                for handle in self.users.get(identity).into_iter().flatten() {
                    let Some(session) = sessions.get(*handle) else { continue };
                    let Some(member) = self.members.get(session.member) else { continue };
                    if member.seat != *except
                        && member.epoch <= *since
                        && session.private_messages
                        && session.takes(message)
                    {
                        found(member.connection, *handle);
                    }
                }
            }
        }
    }
}

impl Stream {
    /// Sees to it that the stem does not stand in the octets, nor across the seam to those before them: it would end the chunk.
    /// A hit changes the stem, which ends the chunk before these octets and begins another.
    fn watch(&mut self, octets: &[u8], rng: &mut dyn Rng) {
        let keep = self.stem.len() - 1;
        let seam = octets.len().min(keep);
        self.tail.extend_from_slice(&octets[..seam]);
        if memmem::find(&self.tail, &self.stem).is_some() || memmem::find(octets, &self.stem).is_some() {
            self.stem = stem_not_in(octets, rng);
        }
        if octets.len() >= keep {
            self.tail.clear();
            self.tail.extend_from_slice(&octets[octets.len() - keep..]);
        } else if self.tail.len() > keep {
            self.tail.drain(..self.tail.len() - keep);
        }
    }

    fn piece(&mut self, id: StreamId, octets: &[u8], end: Option<Flag>, outlets: &mut Outlets) -> u32 {
        let arena = outlets.arena();
        let start = arena.len();
        arena.extend_from_slice(self.message_id.as_bytes());
        let message_id = start..arena.len();
        arena.extend_from_slice(octets);
        let body = message_id.end..arena.len();
        let offset = self.offset;
        self.offset = offset.saturating_add(octets.len() as u64);
        let content = Content::Piece { stream: id, stem: self.stem, message_id, offset, body, end };
        outlets.parcel(Parcel { origin: Some(self.origin), content })
    }
}

/// Keeps in mind of which type a message was.
fn remember(recent: &mut VecDeque<(Stem, String)>, stem: Stem, content_type: &str) {
    if content_type.len() > MAX_TYPE {
        return;
    }
    // What falls out lends its memory.
    let oldest = if recent.len() < RECENT { None } else { recent.pop_front() };
    let mut text = oldest.map(|(_, text)| text).unwrap_or_default();
    text.clear();
    text.push_str(content_type);
    recent.push_back((stem, text));
}

/// The part of a whole message that all its copies share.
fn whole_parcel(stem: Stem, octets: &[u8], origin: Option<SessionId>, outlets: &mut Outlets, rng: &mut dyn Rng) -> u32 {
    let arena = outlets.arena();
    let start = arena.len();
    arena.extend_from_slice(b"Message-ID: ");
    arena.extend_from_slice(ident(rng, 16).as_bytes());
    let message_id = start + 12..arena.len();
    let size = octets.len();
    // Above that, it must be possible to interrupt it (RFC 4975 §7.1.1).
    let end = if size > INTERRUPTIBLE { "*".to_owned() } else { size.to_string() };
    // Writing to a Vec does not fail.
    let _ = write!(
        arena,
        "\r\nFailure-Report: partial\r\nByte-Range: 1-{end}/{size}\r\nContent-Type: message/cpim\r\n\r\n"
    );
    let body_at = arena.len();
    arena.extend_from_slice(octets);
    let (shared, body) = (start..arena.len(), body_at..arena.len());
    outlets.parcel(Parcel { origin, content: Content::Message { stem, shared, message_id, body } })
}

fn stem_not_in(octets: &[u8], rng: &mut dyn Rng) -> Stem {
    loop {
        let mut stem = Stem::default();
        stem.copy_from_slice(ident(rng, size_of::<Stem>()).as_bytes());
        if memmem::find(octets, &stem).is_none() {
            return stem;
        }
    }
}
