//! Seats at the home of a room: given, bound to a session, kept for a while when the media are gone, given up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use msrp::encode::ident;
use msrp::frame::Flag;
use rand_core::Rng;
use room::{Address, Capabilities, Command, Epoch, SeatId};

use super::Residence;
use crate::ids::{ConnectionId, Place, RoomId, StreamId, WorkerId};
use crate::mail::{Cause, Facts, Join, Letter, Peer, Reply};
use crate::switch;
use crate::timers::Timer;
use crate::worker::{ClaimState, Worker};

/// How long a seat waits for somebody to bind its session (decision D46).
const BIND_WITHIN: Duration = Duration::from_secs(30);
/// Characters of a session-id: 20 of 62, 119 random bits less those that name its home (RFC 4975 §14.1 asks for 80).
const SESSION_ID: usize = 20;

/// How many connections may wait for one session whose peer is not known. One is enough; the rest are guesses.
const MAX_CLAIMANTS: usize = 4;

/// A seat and the session that belongs to it.
pub(super) struct Seat {
    pub(super) session: Box<str>,
    state: State,
    peer: Peer,
    identity: Address,
    capabilities: Capabilities,
    /// Connections that have named the session before its peer was known: they wait for it.
    claimants: Vec<Claimant>,
    /// Wishes for a nickname that the room has not answered: a few, for it refuses more than that at once.
    pub(super) wishes: BTreeMap<u64, (WorkerId, Reply)>,
    wished: u64,
    /// Whether they were told where they are.
    pub(super) greeted: bool,
}

impl Seat {
    /// Whether the user agent knows what a chat room is.
    pub(super) fn is_aware(&self) -> bool {
        self.capabilities.aware
    }

    /// Whether it is another user's than this one's.
    pub(super) fn is_other_than(&self, identity: &Address) -> bool {
        self.identity != *identity
    }

    /// Where its session lives.
    pub(super) fn worker(&self) -> Option<WorkerId> {
        if let State::Bound(worker) = self.state { Some(worker) } else { None }
    }

    /// Notes where the answer to a wish for a nickname goes, and by what it is found.
    pub(super) fn wish(&mut self, worker: WorkerId, reply: Reply) -> u64 {
        self.wished += 1;
        self.wishes.insert(self.wished, (worker, reply));
        self.wished
    }
}

/// A connection that names a session.
pub(crate) struct Claimant {
    pub(crate) worker: WorkerId,
    pub(crate) connection: ConnectionId,
    pub(crate) session: Box<str>,
    pub(crate) path: Box<str>,
    pub(crate) secure: bool,
}

/// What becomes of a claim that is not granted at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unclaimed {
    /// It is refused with this code.
    Refused(u16),
    /// The peer's path is not known yet: the answer to the room's offer has not come.
    NotYet,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The session waits to be bound, since this instant.
    Awaited(Instant),
    /// It lives on a worker.
    Bound(WorkerId),
    /// Its media are gone, since this instant: the seat waits for a new session (decision D52).
    Suspended(Instant),
}

/// The worker that is home to a session, or to a room: what its name comes to, so that any worker can tell.
pub(crate) fn home_of(name: &str, workers: u8) -> WorkerId {
    // FNV-1a: all that is asked is that every worker comes out, and the same everywhere.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193));
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

impl Worker {
    /// Somebody admitted takes a seat, or is told why not.
    pub(crate) fn join(&mut self, now: Instant, join: Join) {
        let Join { room, seat: id, guest, media, replaces } = join;
        let (identity, capabilities) = (guest.identity.clone(), guest.capabilities.clone());
        let command = match replaces {
            Some(old) => Command::Replace { seat: id, guest, old },
            None => Command::Join { seat: id, guest },
        };
        let answers = self.command(now, room, command, None);
        if let Some(refusal) = answers.refused {
            return self.post(Place::Signalling, Letter::Declined { seat: id, refusal });
        }
        let Some(residence) = self.homes.rooms.get_mut(&room) else { return };
        let seat = Seat {
            session: "".into(),
            state: State::Suspended(now),
            peer: media,
            identity,
            capabilities,
            claimants: Vec::new(),
            wishes: BTreeMap::new(),
            wished: 0,
            greeted: false,
        };
        residence.seats.insert(id, seat);
        if let Some(session) = self.await_session(now, room, id) {
            self.post(Place::Signalling, Letter::Joined { seat: id, session });
        }
    }

    /// Gives a seat a new session, which waits to be bound; its session-id.
    fn await_session(&mut self, now: Instant, room: RoomId, id: SeatId) -> Option<Box<str>> {
        let session = session_id(self.id, self.settings.workers, &mut *self.rng);
        let seat = self.seat_mut(room, id)?;
        (seat.session, seat.state) = (session.clone(), State::Awaited(now));
        self.homes.sessions.insert(session.clone(), (room, id));
        self.timers.set(now + BIND_WITHIN, Timer::Bind(room, id));
        Some(session)
    }

    pub(super) fn seat_mut(&mut self, room: RoomId, id: SeatId) -> Option<&mut Seat> {
        self.homes.rooms.get_mut(&room)?.seats.get_mut(&id)
    }

    /// Nobody has bound the session in time. Before the peer is known nobody can: its time begins then, and until then signalling
    /// waits for it.
    pub(crate) fn bind_expired(&mut self, now: Instant, room: RoomId, id: SeatId) {
        let state = self.seat_mut(room, id).filter(|seat| !seat.peer.path.is_empty()).map(|seat| seat.state);
        if matches!(state, Some(State::Awaited(since)) if since + BIND_WITHIN <= now) {
            self.dismiss(now, room, id, Cause::NotBound);
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
    ) -> Result<(Box<Facts>, Epoch), Unclaimed> {
        const NONE: Unclaimed = Unclaimed::Refused(481);
        let &(room, id) = self.homes.sessions.get(session).ok_or(NONE)?;
        let facts = self.facts(room, id).ok_or(NONE)?;
        let seat = self.seat_mut(room, id).ok_or(NONE)?;
        match seat.state {
            State::Bound(_) => return Err(Unclaimed::Refused(506)),
            State::Awaited(_) if facts.peer.secure == secure && switch::same_uri(&facts.own_path, path) => {}
            State::Awaited(_) | State::Suspended(_) => return Err(NONE),
        }
        if facts.peer.path.is_empty() {
            return Err(Unclaimed::NotYet);
        }
        seat.state = State::Bound(worker);
        if let Some(count) = self.members(room, worker) {
            *count += 1;
        }
        let answers = self.command(now, room, Command::Enter { seat: id }, None);
        let epoch = answers.entered.ok_or(NONE)?;
        if worker == self.id {
            self.greet(room, id);
        }
        Ok((facts, epoch))
    }

    /// What a worker must know of the session of a seat.
    fn facts(&self, room: RoomId, id: SeatId) -> Option<Box<Facts>> {
        let residence = self.homes.rooms.get(&room)?;
        let Seat { session, peer, identity, capabilities, .. } = residence.seats.get(&id)?;
        Some(Box::new(Facts {
            room,
            home: self.id,
            seat: id,
            session: session.clone(),
            own_path: switch::own_path(&self.settings.media, peer.secure, session).into(),
            peer: peer.clone(),
            identity: identity.clone(),
            private_messages: capabilities.private_messages,
            types: capabilities.types.clone(),
            chunk_timer: residence.policy.chunk_timer,
            room_address: residence.room.address().clone(),
            congested_max: residence.policy.congested_max,
        }))
    }

    /// The same, if the session waits to be bound.
    pub(crate) fn awaited_facts(&mut self, room: RoomId, id: SeatId) -> Option<Box<Facts>> {
        let awaited = matches!(self.seat_mut(room, id)?.state, State::Awaited(_));
        if awaited { self.facts(room, id) } else { None }
    }

    fn members(&mut self, room: RoomId, worker: WorkerId) -> Option<&mut u32> {
        self.homes.rooms.get_mut(&room)?.members.get_mut(usize::from(worker.0))
    }

    /// A claim of another worker's connection.
    pub(crate) fn claim_by_mail(&mut self, now: Instant, claimant: Claimant) {
        let Claimant { worker, connection, session, path, secure } = &claimant;
        let connection = *connection;
        let letter = match self.claim(now, session, path, *secure, *worker) {
            Ok((facts, epoch)) => {
                let (room, seat) = (facts.room, facts.seat);
                self.post(Place::Worker(claimant.worker), Letter::Claimed { connection, facts, epoch });
                return self.greet(room, seat);
            }
            Err(Unclaimed::Refused(code)) => Letter::Unclaimed { connection, session: session.clone(), code },
            Err(Unclaimed::NotYet) => {
                let (worker, session) = (*worker, session.clone());
                if !self.put_off(claimant) {
                    self.post(Place::Worker(worker), Letter::Unclaimed { connection, session, code: 506 });
                }
                return;
            }
        };
        self.post(Place::Worker(claimant.worker), letter);
    }

    /// Lets a connection wait for what is to be known of the session that it names, unless too many do.
    pub(crate) fn put_off(&mut self, claimant: Claimant) -> bool {
        let Some(&(room, id)) = self.homes.sessions.get(&claimant.session) else { return false };
        let Some(seat) = self.seat_mut(room, id) else { return false };
        let fits = seat.claimants.len() < MAX_CLAIMANTS;
        if fits {
            seat.claimants.push(claimant);
        }
        fits
    }

    /// The session that they wait for is not to be.
    fn disappoint(&mut self, claimants: Vec<Claimant>) {
        for Claimant { worker, connection, session, .. } in claimants {
            self.post(Place::Worker(worker), Letter::Unclaimed { connection, session, code: 481 });
        }
    }

    /// The peer of a session is known: who has waited for that is heard.
    fn heed_claimants(&mut self, now: Instant, room: RoomId, id: SeatId) {
        let waiting = self.seat_mut(room, id).map(|seat| std::mem::take(&mut seat.claimants)).unwrap_or_default();
        for claimant in waiting {
            if claimant.worker == self.id {
                self.claim_answered(now, claimant.connection, ClaimState::None);
            } else {
                self.claim_by_mail(now, claimant);
            }
        }
    }

    /// A session description in the dialog of a seat (RFC 7701 §8, RFC 4975 §5.4): other capabilities, or another path, or the
    /// same one whose media are gone. The session stays where it can; else there is a new one, to be bound.
    pub(crate) fn reoffer(
        &mut self,
        now: Instant,
        (room, id): (RoomId, SeatId),
        number: u64,
        peer: Peer,
        capabilities: Capabilities,
    ) {
        let update = Command::Update { seat: id, capabilities: capabilities.clone() };
        self.command(now, room, update, None);
        let Some(seat) = self.seat_mut(room, id) else { return };
        let moves = seat.peer.path != peer.path || seat.peer.secure != peer.secure;
        let was_unknown = seat.peer.path.is_empty();
        (seat.peer, seat.capabilities) = (peer.clone(), capabilities.clone());
        let session = match seat.state {
            State::Awaited(_) => {
                let session = seat.session.clone();
                if was_unknown {
                    seat.state = State::Awaited(now);
                    self.timers.set(now + BIND_WITHIN, Timer::Bind(room, id));
                }
                Some(session)
            }
            State::Bound(worker) if !moves => {
                let session = seat.session.clone();
                self.tell_session(worker, id, peer, capabilities);
                Some(session)
            }
            State::Bound(_) => {
                self.suspend(now, room, id);
                self.await_session(now, room, id)
            }
            State::Suspended(_) => self.await_session(now, room, id),
        };
        if let Some(session) = session {
            self.post(Place::Signalling, Letter::Agreed { seat: id, number, session });
        }
        self.heed_claimants(now, room, id);
    }

    fn tell_session(&mut self, worker: WorkerId, seat: SeatId, media: Peer, capabilities: Capabilities) {
        if worker == self.id {
            self.update_session(seat, &media, capabilities);
        } else {
            self.post(Place::Worker(worker), Letter::Updated { seat, media, capabilities });
        }
    }

    /// The connection of a seat's session is gone: the seat is kept for a while (decision D52), or not.
    pub(crate) fn lost(&mut self, now: Instant, (room, id): (RoomId, SeatId), session: &str, cause: Cause) {
        if self.seat_mut(room, id).is_none_or(|seat| *seat.session != *session) {
            // It has another session by now.
            return;
        }
        let Some(residence) = self.homes.rooms.get(&room) else { return };
        let (grace, closed) = (residence.policy.grace, residence.room.is_closed());
        if closed || grace.is_zero() || cause != Cause::ConnectionLost {
            return self.dismiss(now, room, id, cause);
        }
        if self.seat_mut(room, id).is_some_and(|seat| matches!(seat.state, State::Bound(_))) {
            self.suspend(now, room, id);
            self.timers.set(now + grace, Timer::Grace(room, id));
        }
    }

    /// The media of a seat have not come back.
    pub(crate) fn grace_expired(&mut self, now: Instant, room: RoomId, id: SeatId) {
        let Some(grace) = self.homes.rooms.get(&room).map(|residence| residence.policy.grace) else { return };
        let state = self.seat_mut(room, id).map(|seat| seat.state);
        if matches!(state, Some(State::Suspended(since)) if since + grace <= now) {
            self.dismiss(now, room, id, Cause::ConnectionLost);
        }
    }

    /// The session of a seat ends, and not the seat.
    fn suspend(&mut self, now: Instant, room: RoomId, id: SeatId) {
        self.command(now, room, Command::Suspend { seat: id }, None);
        self.cut_streams(now, room, id);
        self.end_seat_session(now, room, id);
    }

    fn dismiss_seat(&mut self, now: Instant, room: RoomId, id: SeatId) {
        self.command(now, room, Command::Leave { seat: id }, None);
        self.cut_streams(now, room, id);
        self.end_seat_session(now, room, id);
        let gone = self.homes.rooms.get_mut(&room).and_then(|residence| residence.seats.remove(&id));
        self.disappoint(gone.map(|seat| seat.claimants).unwrap_or_default());
    }

    /// A seat is given up, and signalling is to end its dialog.
    pub(crate) fn dismiss(&mut self, now: Instant, room: RoomId, id: SeatId, cause: Cause) {
        if self.seat_mut(room, id).is_some() {
            // First, so that it is known why when the room says that the seat is free.
            self.post(Place::Signalling, Letter::Dismiss { seat: id, cause });
            self.dismiss_seat(now, room, id);
        }
    }

    /// A seat is given up: its session ends wherever it lives, and its messages on their way end with `#`.
    pub(crate) fn leave(&mut self, now: Instant, room: RoomId, id: SeatId) {
        self.dismiss_seat(now, room, id);
    }

    fn cut_streams(&mut self, now: Instant, room: RoomId, id: SeatId) {
        let Some(residence) = self.homes.rooms.get(&room) else { return };
        let theirs = residence.streams.iter().filter(|(_, stream)| stream.seat == id).map(|(stream, _)| *stream);
        let mut cut: Vec<StreamId> = theirs.collect();
        cut.sort_unstable();
        for stream in cut {
            self.pass_on(now, room, stream, &[], Some(Flag::Abort));
        }
    }

    /// The session of a seat is no more: requests for it get 481.
    fn end_seat_session(&mut self, now: Instant, room: RoomId, id: SeatId) {
        let Some(seat) = self.seat_mut(room, id) else { return };
        let session = seat.session.clone();
        let state = std::mem::replace(&mut seat.state, State::Suspended(now));
        self.homes.sessions.remove(&session);
        let State::Bound(worker) = state else { return };
        if let Some(count) = self.members(room, worker) {
            *count = count.saturating_sub(1);
        }
        if worker == self.id {
            self.end_session(now, id);
        } else {
            self.post(Place::Worker(worker), Letter::Unseat { seat: id });
        }
    }

    /// The seats of a room that has ended.
    pub(super) fn end_residence(&mut self, now: Instant, residence: Residence) {
        for (id, seat) in residence.seats {
            self.homes.sessions.remove(&seat.session);
            self.disappoint(seat.claimants);
            match seat.state {
                State::Bound(worker) if worker == self.id => self.end_session(now, id),
                State::Bound(worker) => self.post(Place::Worker(worker), Letter::Unseat { seat: id }),
                State::Awaited(_) | State::Suspended(_) => {}
            }
        }
    }
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
