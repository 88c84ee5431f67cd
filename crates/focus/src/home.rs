//! The rooms whose home a worker is: commands in, effects out to the branches, the sessions and signalling.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use msrp::encode::ident;
use msrp::frame::Flag;
use rand_core::Rng;
use room::{Audience, Command, Dismissal, Effect, Epoch, Refusal, Room, SeatId};

use crate::branch::Outbound;
use crate::ids::{ConnectionId, Place, RoomId, SessionId, StreamId, WorkerId};
use crate::mail::{Cause, Delivery, Facts, Join, Letter, Post, Receipt, Reply, Verdict, Wanted};
use crate::settings::RoomPolicy;
use crate::switch;
use crate::timers::Timer;
use crate::worker::Worker;

/// How long a seat waits for somebody to bind its session (decision D46).
const BIND_WITHIN: Duration = Duration::from_secs(30);
/// Characters of a session-id: 20 of 62, 119 random bits less those that name its home (RFC 4975 §14.1 asks for 80).
const SESSION_ID: usize = 20;

/// The rooms at home on a worker.
#[derive(Default)]
pub(crate) struct Homes {
    rooms: HashMap<RoomId, Residence>,
    sessions: HashMap<Box<str>, (RoomId, SeatId)>,
    tickets: HashMap<u64, Ticket>,
    issued: u64,
}

/// Octets of a session that some workers have yet to send.
struct Ticket {
    origin: SessionId,
    octets: usize,
    workers: usize,
}

struct Residence {
    room: Room,
    /// Of which the room itself has its part.
    policy: RoomPolicy,
    seats: BTreeMap<SeatId, Seat>,
    streams: HashMap<StreamId, Stream>,
    /// How many members each worker has.
    members: Vec<u32>,
}

/// A seat: its session waits to be bound, or lives on a worker.
struct Seat {
    session: Box<str>,
    state: SeatState,
}

enum SeatState {
    Awaited(Box<Facts>),
    Bound(WorkerId),
}

struct Stream {
    seat: SeatId,
    origin: SessionId,
}

/// A message that a command posts, as far as its effects need it.
#[derive(Clone, Copy)]
pub(crate) struct Posting<'a> {
    pub(crate) room: RoomId,
    pub(crate) seat: SeatId,
    pub(crate) origin: SessionId,
    pub(crate) stream: StreamId,
    pub(crate) from: &'a [&'a str],
    pub(crate) to: &'a [&'a str],
    pub(crate) content_type: &'a str,
    pub(crate) octets: &'a [u8],
    pub(crate) end: Option<Flag>,
    pub(crate) announced: Option<u64>,
}

/// The worker that is home to a session: what its id comes to, so that any worker can tell.
pub(crate) fn home_of(session: &str, workers: u8) -> WorkerId {
    // FNV-1a: all that is asked is that every worker comes out, and the same everywhere.
    let hash = session.bytes().fold(0x811c_9dc5_u32, |hash, octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193));
    WorkerId(((hash >> 8) % u32::from(workers.max(1))) as u8)
}

fn session_id(home: WorkerId, workers: u8, rng: &mut dyn Rng) -> Box<str> {
    loop {
        let id = ident(rng, SESSION_ID);
        if home_of(&id, workers) == home {
            return id.into();
        }
    }
}

/// What the answers to one command say to whoever gave it.
#[derive(Default)]
pub(crate) struct Answers {
    verdict: Option<Verdict>,
    nickname: Option<u16>,
    entered: Option<Epoch>,
    /// Other workers have yet to send what was posted.
    ticketed: bool,
    refused: Option<Refusal>,
}

impl Worker {
    /// A room comes into being.
    pub(crate) fn open_room(&mut self, id: RoomId, room: Room, policy: RoomPolicy) {
        let residence = Residence {
            room,
            policy,
            seats: BTreeMap::new(),
            streams: HashMap::new(),
            members: vec![0; usize::from(self.settings.workers)],
        };
        self.homes.rooms.insert(id, residence);
    }

    /// A room ends.
    pub(crate) fn close_room(&mut self, now: Instant, id: RoomId) {
        self.command(now, id, Command::Close, None);
        let Some(residence) = self.homes.rooms.remove(&id) else { return };
        for (seat, state) in residence.seats {
            self.unseat(now, seat, &state);
        }
    }

    /// Somebody admitted takes a seat, or is told why not.
    pub(crate) fn join(&mut self, now: Instant, join: Join) {
        let Join { room, seat, guest, media } = join;
        let (identity, capabilities) = (guest.identity.clone(), guest.capabilities.clone());
        let answers = self.command(now, room, Command::Join { seat, guest }, None);
        if let Some(refusal) = answers.refused {
            return self.post(Place::Signalling, Letter::Declined { seat, refusal });
        }
        let session = session_id(self.id, self.settings.workers, &mut *self.rng);
        let Some(residence) = self.homes.rooms.get_mut(&room) else { return };
        let facts = Facts {
            room,
            home: self.id,
            seat,
            own_path: switch::own_path(&self.settings.media, media.secure, &session).into(),
            session: session.clone(),
            peer: media,
            identity,
            private_messages: capabilities.private_messages,
            types: capabilities.types,
            chunk_timer: residence.policy.chunk_timer,
            room_address: residence.room.address().clone(),
            congested_max: residence.policy.congested_max,
        };
        residence.seats.insert(seat, Seat { session: session.clone(), state: SeatState::Awaited(Box::new(facts)) });
        self.homes.sessions.insert(session.clone(), (room, seat));
        self.timers.set(now + BIND_WITHIN, Timer::Bind(room, seat));
        self.post(Place::Signalling, Letter::Joined { seat, session });
    }

    /// Nobody has bound the session in time.
    pub(crate) fn bind_expired(&mut self, now: Instant, room: RoomId, seat: SeatId) {
        let awaited =
            self.homes.rooms.get(&room).and_then(|r| r.seats.get(&seat)).is_some_and(|seat| seat.is_awaited());
        if awaited {
            self.dismiss(now, room, seat, Cause::NotBound);
        }
    }

    /// The seat's connection is gone.
    pub(crate) fn lost(&mut self, now: Instant, room: RoomId, seat: SeatId, cause: Cause) {
        self.dismiss(now, room, seat, cause);
    }

    fn dismiss(&mut self, now: Instant, room: RoomId, seat: SeatId, cause: Cause) {
        if self.homes.rooms.get(&room).is_some_and(|residence| residence.seats.contains_key(&seat)) {
            self.leave(now, room, seat);
            self.post(Place::Signalling, Letter::Dismiss { seat, cause });
        }
    }

    /// A seat is given up: its session ends wherever it lives, and its messages on their way end with `#`.
    pub(crate) fn leave(&mut self, now: Instant, room: RoomId, seat: SeatId) {
        self.command(now, room, Command::Leave { seat }, None);
        let Some(residence) = self.homes.rooms.get_mut(&room) else { return };
        let mut cut: Vec<StreamId> =
            residence.streams.iter().filter(|(_, stream)| stream.seat == seat).map(|(id, _)| *id).collect();
        cut.sort_unstable();
        let gone = residence.seats.remove(&seat);
        for stream in cut {
            self.pass_on(now, room, stream, &[], Some(Flag::Abort));
        }
        if let Some(gone) = gone {
            if let (SeatState::Bound(worker), Some(residence)) = (&gone.state, self.homes.rooms.get_mut(&room))
                && let Some(count) = residence.members.get_mut(usize::from(worker.0))
            {
                *count = count.saturating_sub(1);
            }
            self.unseat(now, seat, &gone);
        }
    }

    fn unseat(&mut self, now: Instant, seat: SeatId, gone: &Seat) {
        self.homes.sessions.remove(&gone.session);
        match gone.state {
            SeatState::Bound(worker) if worker == self.id => self.end_session(now, seat),
            SeatState::Bound(worker) => self.post(Place::Worker(worker), Letter::Unseat { seat }),
            SeatState::Awaited(_) => {}
        }
    }

    /// A connection of `worker` names a session that should wait here. Its facts, and the epoch from which its user is a member;
    /// or 481, or 506 when it is bound already (RFC 4975 §5.4).
    pub(crate) fn claim(
        &mut self,
        now: Instant,
        session: &str,
        path: &str,
        secure: bool,
        worker: WorkerId,
    ) -> Result<(Box<Facts>, Epoch), u16> {
        let &(room, seat) = self.homes.sessions.get(session).ok_or(481_u16)?;
        let residence = self.homes.rooms.get_mut(&room).ok_or(481_u16)?;
        let state = &mut residence.seats.get_mut(&seat).ok_or(481_u16)?.state;
        match state {
            SeatState::Bound(_) => return Err(506),
            SeatState::Awaited(facts) if facts.peer.secure != secure || !switch::same_uri(&facts.own_path, path) => {
                return Err(481);
            }
            SeatState::Awaited(_) => {}
        }
        let SeatState::Awaited(facts) = std::mem::replace(state, SeatState::Bound(worker)) else { return Err(481) };
        if let Some(count) = residence.members.get_mut(usize::from(worker.0)) {
            *count += 1;
        }
        let answers = self.command(now, room, Command::Enter { seat }, None);
        answers.entered.map(|epoch| (facts, epoch)).ok_or(481)
    }

    /// A claim of another worker's connection.
    pub(crate) fn claim_by_mail(
        &mut self,
        now: Instant,
        (worker, connection): (WorkerId, ConnectionId),
        session: Box<str>,
        path: &str,
        secure: bool,
    ) {
        let letter = match self.claim(now, &session, path, secure, worker) {
            Ok((facts, epoch)) => Letter::Claimed { connection, facts, epoch },
            Err(code) => Letter::Unclaimed { connection, session, code },
        };
        self.post(Place::Worker(worker), letter);
    }

    /// A participant's capabilities have changed (RFC 7701 §8).
    pub(crate) fn update(&mut self, now: Instant, room: RoomId, seat: SeatId, capabilities: room::Capabilities) {
        self.command(now, room, Command::Update { seat, capabilities: capabilities.clone() }, None);
        let Some(residence) = self.homes.rooms.get_mut(&room) else { return };
        match residence.seats.get_mut(&seat).map(|seat| &mut seat.state) {
            Some(SeatState::Awaited(facts)) => {
                facts.private_messages = capabilities.private_messages;
                facts.types = capabilities.types;
            }
            Some(SeatState::Bound(worker)) if *worker == self.id => self.update_session(seat, capabilities),
            Some(SeatState::Bound(worker)) => {
                let place = Place::Worker(*worker);
                self.post(place, Letter::Updated { seat, capabilities });
            }
            None => {}
        }
    }

    /// A participant says something: the room decides, and what it lets pass goes to the branches at once.
    pub(crate) fn say(&mut self, now: Instant, posting: &Posting<'_>) -> Verdict {
        self.say_ticketed(now, posting).0
    }

    /// The same, and whether other workers have yet to send it.
    fn say_ticketed(&mut self, now: Instant, posting: &Posting<'_>) -> (Verdict, bool) {
        let &Posting { seat, from, to, content_type, stream, .. } = posting;
        let command = Command::Post { seat, token: stream.number, from, to, content_type };
        let answers = self.command(now, posting.room, command, Some(posting));
        (answers.verdict.unwrap_or(Verdict::Refused(Refusal::NotAMember)), answers.ticketed)
    }

    /// The same, for a session on another worker.
    pub(crate) fn say_by_mail(&mut self, now: Instant, post: &Post) {
        let from: Vec<&str> = post.from.iter().map(String::as_str).collect();
        let to: Vec<&str> = post.to.iter().map(String::as_str).collect();
        let posting = Posting {
            room: post.room,
            seat: post.seat,
            origin: post.origin,
            stream: post.stream,
            from: &from,
            to: &to,
            content_type: &post.content_type,
            octets: &post.octets,
            end: post.end,
            announced: post.announced,
        };
        let (verdict, ticketed) = self.say_ticketed(now, &posting);
        let letter = Letter::Verdict { seat: post.seat, stream: post.stream, verdict };
        self.post(Place::Worker(post.origin.worker), letter);
        if !ticketed {
            self.settled(post.origin, post.octets.len());
        }
    }

    /// More of a message that the room has let pass.
    /// Whether other workers have yet to send it.
    pub(crate) fn pass_on(
        &mut self,
        now: Instant,
        room: RoomId,
        stream: StreamId,
        octets: &[u8],
        end: Option<Flag>,
    ) -> bool {
        let Some(residence) = self.homes.rooms.get_mut(&room) else { return false };
        let Some(origin) = residence.streams.get(&stream).map(|stream| stream.origin) else { return false };
        if end.is_some() {
            residence.streams.remove(&stream);
        }
        let away = away(&residence.members, self.id);
        if !away.is_empty() {
            let receipt = self.ticket(origin, octets.len(), away.len());
            let octets: Arc<[u8]> = octets.into();
            for worker in &away {
                let octets = octets.clone();
                self.post(Place::Worker(*worker), Letter::Passed { stream, octets, end, receipt });
            }
        }
        self.pass_here(now, stream, octets, end);
        !away.is_empty()
    }

    /// The same, for a session on another worker.
    pub(crate) fn pass_by_mail(
        &mut self,
        now: Instant,
        room: RoomId,
        (stream, origin): (StreamId, SessionId),
        octets: &[u8],
        end: Option<Flag>,
    ) {
        if !self.pass_on(now, room, stream, octets, end) {
            self.settled(origin, octets.len());
        }
    }

    /// Some octets of a session go to other workers: what is under way is counted.
    fn ticket(&mut self, origin: SessionId, octets: usize, workers: usize) -> Receipt {
        self.homes.issued += 1;
        let ticket = self.homes.issued;
        self.homes.tickets.insert(ticket, Ticket { origin, octets, workers });
        if origin.worker == self.id {
            self.charge(origin.handle, octets);
        }
        Receipt { home: self.id, ticket }
    }

    /// A worker has sent what came with these receipts.
    pub(crate) fn settle(&mut self, tickets: Vec<u64>) {
        for number in tickets {
            let Some(ticket) = self.homes.tickets.get_mut(&number) else { continue };
            ticket.workers = ticket.workers.saturating_sub(1);
            if ticket.workers == 0 {
                let (origin, octets) = (ticket.origin, ticket.octets);
                self.homes.tickets.remove(&number);
                self.settled(origin, octets);
            }
        }
    }

    /// Octets of a session have reached everybody.
    fn settled(&mut self, origin: SessionId, octets: usize) {
        if origin.worker == self.id {
            self.discharge(origin.handle, octets);
        } else {
            self.post(Place::Worker(origin.worker), Letter::Settled { origin, octets });
        }
    }

    /// A participant wants a nickname: 200, or the code of RFC 7701 §7.1 that says why not.
    pub(crate) fn name(&mut self, now: Instant, room: RoomId, seat: SeatId, wanted: &Wanted) -> u16 {
        let name = match wanted {
            Wanted::Name(name) => Some(name.as_str()),
            Wanted::Malformed => {
                let allowed = self.homes.rooms.get(&room).is_some_and(|residence| residence.room.policy().nicknames);
                return if allowed { 424 } else { 403 };
            }
        };
        self.command(now, room, Command::Nickname { seat, name }, None).nickname.unwrap_or(403)
    }

    /// The same, for a session on another worker.
    pub(crate) fn name_by_mail(
        &mut self,
        now: Instant,
        worker: WorkerId,
        ids: (RoomId, SeatId),
        reply: Reply,
        wanted: &Wanted,
    ) {
        let (room, seat) = ids;
        let code = self.name(now, room, seat, wanted);
        self.post(Place::Worker(worker), Letter::Named { seat, reply, code });
    }

    /// Gives a command to a room and carries out what comes of it.
    fn command(&mut self, now: Instant, id: RoomId, command: Command<'_>, posting: Option<&Posting<'_>>) -> Answers {
        let mut answers = Answers::default();
        let Some(residence) = self.homes.rooms.get_mut(&id) else {
            answers.refused = Some(Refusal::Closed);
            return answers;
        };
        residence.room.handle_input(now, command);
        let mut effects = std::mem::take(&mut self.effects);
        effects.extend(std::iter::from_fn(|| residence.room.poll_output()));
        for effect in effects.drain(..) {
            self.carry_out(now, id, effect, posting, &mut answers);
        }
        self.effects = effects;
        answers
    }

    fn carry_out(
        &mut self,
        now: Instant,
        id: RoomId,
        effect: Effect,
        posting: Option<&Posting<'_>>,
        answers: &mut Answers,
    ) {
        match effect {
            Effect::Refused { refusal, .. } => answers.refused = Some(refusal),
            Effect::Entered { epoch, .. } => answers.entered = Some(epoch),
            Effect::Deliver { audience, .. } => {
                let private = matches!(audience, Audience::User { .. });
                answers.verdict = Some(Verdict::Passed { private });
                if let Some(posting) = posting {
                    answers.ticketed = self.fan_out(now, id, posting, audience);
                }
            }
            Effect::Reject { refusal, .. } => answers.verdict = Some(Verdict::Refused(refusal)),
            Effect::Nickname { outcome, .. } => {
                answers.nickname = Some(outcome.map_or_else(switch::code, |_| 200));
            }
            Effect::Dismiss { seat, reason } => {
                let cause = match reason {
                    Dismissal::CreatorLeft => Cause::CreatorLeft,
                    _ => Cause::RoomClosed,
                };
                self.dismiss(now, id, seat, cause);
            }
            // Signalling knows who has a seat, and the notifier is not there yet to tell of the rest.
            Effect::Seated { .. } | Effect::Left { .. } | Effect::Roster(_) | Effect::Empty => {}
            // No room has nicknames that are unique in the domain: nobody owns their registry yet.
            Effect::Register(_) => {}
        }
    }

    /// One step of the tree of delivery: from the room to each worker that has members.
    /// Whether there are such.
    fn fan_out(&mut self, now: Instant, id: RoomId, posting: &Posting<'_>, audience: Audience) -> bool {
        let Some(residence) = self.homes.rooms.get_mut(&id) else { return false };
        if posting.end != Some(Flag::Last) {
            residence.streams.insert(posting.stream, Stream { seat: posting.seat, origin: posting.origin });
        }
        let away = away(&residence.members, self.id);
        if !away.is_empty() {
            let receipt = self.ticket(posting.origin, posting.octets.len(), away.len());
            let delivery = Arc::new(Delivery {
                room: id,
                stream: posting.stream,
                origin: posting.origin,
                audience: audience.clone(),
                content_type: posting.content_type.to_owned(),
                octets: posting.octets.to_vec(),
                end: posting.end,
                announced: posting.announced,
                receipt,
            });
            for worker in &away {
                self.post(Place::Worker(*worker), Letter::Deliver(delivery.clone()));
            }
        }
        let outbound = Outbound {
            stream: posting.stream,
            origin: posting.origin,
            audience: &audience,
            content_type: posting.content_type,
            octets: posting.octets,
            end: posting.end,
            announced: posting.announced,
        };
        self.deliver_here(now, id, &outbound);
        !away.is_empty()
    }
}

impl Seat {
    fn is_awaited(&self) -> bool {
        matches!(self.state, SeatState::Awaited(_))
    }
}

/// The other workers that have members.
fn away(members: &[u32], here: WorkerId) -> Vec<WorkerId> {
    let counted = (0..=u8::MAX).map(WorkerId).zip(members);
    counted.filter(|(worker, count)| *worker != here && **count > 0).map(|(worker, _)| worker).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::{Infallible, TryRng};

    struct Counting(u64);

    impl TryRng for Counting {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(self.try_next_u64()? as u32)
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Ok(self.0.rotate_left(29))
        }
        fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
            dst.fill_with(|| self.0.rotate_left(7) as u8);
            Ok(())
        }
    }

    #[test]
    fn a_session_id_names_its_home_and_nothing_else() {
        let mut rng = Counting(1);
        for home in (0..3).map(WorkerId) {
            let ids: Vec<_> = (0..50).map(|_| session_id(home, 3, &mut rng)).collect();
            assert!(ids.iter().all(|id| home_of(id, 3) == home && id.len() == SESSION_ID));
            assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
