//! The rooms whose home a worker is: commands in, effects out to the branches, the sessions and signalling.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use msrp::frame::Flag;
use room::{Audience, Command, Dismissal, Effect, Epoch, Refusal, Room, SeatId};

use crate::branch::Outbound;
use crate::ids::{Place, RoomId, SessionId, StreamId, WorkerId};
use crate::mail::{Cause, Delivery, Letter, Post, Receipt, Reply, Verdict, Wanted};
use crate::settings::RoomPolicy;
use crate::switch;
use crate::timers::Timer;
use crate::worker::Worker;

mod seating;
mod unaware;

use seating::Seat;
pub(crate) use seating::{Claimant, Unclaimed, home_of};

/// The rooms at home on a worker.
#[derive(Default)]
pub(crate) struct Homes {
    rooms: HashMap<RoomId, Residence>,
    sessions: HashMap<Box<str>, (RoomId, SeatId)>,
    tickets: HashMap<u64, Ticket>,
    issued: u64,
}

impl Homes {
    /// How many messages are on their way through the rooms.
    pub(crate) fn streams(&self) -> usize {
        self.rooms.values().map(|residence| residence.streams.len()).sum()
    }
}

/// Octets of a session that some workers have yet to send.
struct Ticket {
    origin: SessionId,
    octets: usize,
    workers: usize,
}

struct Residence {
    room: Room,
    /// For when a timer of the room is set.
    due: Option<Instant>,
    /// What it is about.
    subject: Option<Box<str>>,
    /// Of which the room itself has its part.
    policy: RoomPolicy,
    seats: BTreeMap<SeatId, Seat>,
    streams: HashMap<StreamId, Stream>,
    /// How many members each worker has.
    members: Vec<u32>,
}

/// A message on its way to those who had its beginning.
struct Stream {
    seat: SeatId,
    origin: SessionId,
    /// The other workers that have it: they hear of its end even when nobody who listens is left there.
    away: Vec<WorkerId>,
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

/// What the answers to one command say to whoever gave it.
#[derive(Default)]
pub(crate) struct Answers {
    verdict: Option<Verdict>,
    entered: Option<Epoch>,
    /// Other workers have yet to send what was posted.
    ticketed: bool,
    refused: Option<Refusal>,
}

impl Worker {
    /// A room comes into being.
    pub(crate) fn open_room(&mut self, id: RoomId, room: Room, subject: Option<Box<str>>, policy: RoomPolicy) {
        let residence = Residence {
            room,
            due: None,
            subject,
            policy,
            seats: BTreeMap::new(),
            streams: HashMap::new(),
            members: vec![0; usize::from(self.settings.workers)],
        };
        self.homes.rooms.insert(id, residence);
    }

    /// Another policy rules a room. Sessions that are there keep what they were told of the old one.
    pub(crate) fn set_policy(&mut self, now: Instant, id: RoomId, policy: RoomPolicy) {
        self.command(now, id, Command::SetPolicy(Box::new(policy.room.clone())), None);
        if let Some(residence) = self.homes.rooms.get_mut(&id) {
            residence.policy = policy;
        }
    }

    /// A room is about something else.
    pub(crate) fn set_subject(&mut self, id: RoomId, subject: Option<Box<str>>) {
        if let Some(residence) = self.homes.rooms.get_mut(&id) {
            residence.subject = subject;
        }
    }

    /// A participant is not heard any more, or is again.
    pub(crate) fn mute(&mut self, now: Instant, id: RoomId, seat: SeatId, muted: bool) {
        self.command(now, id, Command::Mute { seat, muted }, None);
    }

    /// A room ends.
    pub(crate) fn close_room(&mut self, now: Instant, id: RoomId) {
        self.command(now, id, Command::Close, None);
        let Some(residence) = self.homes.rooms.remove(&id) else { return };
        self.end_residence(now, residence);
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
        let Some(Stream { origin, away, .. }) = residence.streams.get(&stream) else { return false };
        let (origin, away) = (*origin, away.clone());
        if end.is_some() {
            residence.streams.remove(&stream);
        }
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

    /// A participant of a session on `worker` wants a nickname (RFC 7701 §7.1). The room answers at once or, where the whole
    /// domain is asked, later.
    pub(crate) fn name(
        &mut self,
        now: Instant,
        (room, id): (RoomId, SeatId),
        worker: WorkerId,
        reply: Reply,
        wanted: &Wanted,
    ) {
        let Some(residence) = self.homes.rooms.get_mut(&room) else { return };
        let allowed = residence.room.policy().nicknames;
        match (wanted, residence.seats.get_mut(&id)) {
            (Wanted::Name(name), Some(seat)) => {
                let token = seat.wish(worker, reply);
                self.command(now, room, Command::Nickname { seat: id, token, name: Some(name) }, None);
            }
            (Wanted::Malformed, _) => self.named_by(worker, id, reply, if allowed { 424 } else { 403 }),
            (Wanted::Name(_), None) => self.named_by(worker, id, reply, 481),
        }
    }

    fn named_by(&mut self, worker: WorkerId, seat: SeatId, reply: Reply, code: u16) {
        if worker == self.id {
            self.named(seat, &reply, code);
        } else {
            self.post(Place::Worker(worker), Letter::Named { seat, reply, code });
        }
    }

    /// The domain has said whether a nickname is free.
    pub(crate) fn registered(&mut self, now: Instant, room: RoomId, ask: room::AskId, granted: bool) {
        self.command(now, room, Command::NicknameAnswer { ask, granted }, None);
    }

    /// Gives a command to a room and carries out what comes of it.
    fn command(&mut self, now: Instant, id: RoomId, command: Command<'_>, posting: Option<&Posting<'_>>) -> Answers {
        let mut answers = Answers::default();
        let Some(residence) = self.homes.rooms.get_mut(&id) else {
            answers.refused = Some(Refusal::Closed);
            return answers;
        };
        residence.room.handle_input(now, command);
        self.drain(now, id, posting, &mut answers);
        answers
    }

    /// A room has something to do of itself.
    pub(crate) fn room_due(&mut self, now: Instant, id: RoomId) {
        let Some(residence) = self.homes.rooms.get_mut(&id) else { return };
        residence.due = None;
        residence.room.handle_timeout(now);
        self.drain(now, id, None, &mut Answers::default());
    }

    /// Carries out what a room says, and notes when it has something to do.
    fn drain(&mut self, now: Instant, id: RoomId, posting: Option<&Posting<'_>>, answers: &mut Answers) {
        let Some(residence) = self.homes.rooms.get_mut(&id) else { return };
        let mut effects = std::mem::take(&mut self.effects);
        effects.extend(std::iter::from_fn(|| residence.room.poll_output()));
        if let Some(at) = residence.room.poll_timeout().filter(|at| residence.due.is_none_or(|due| *at < due)) {
            residence.due = Some(at);
            self.timers.set(at, Timer::Room(id));
        }
        for effect in effects.drain(..) {
            self.carry_out(now, id, effect, posting, answers);
        }
        self.effects = effects;
    }

    fn carry_out(
        &mut self,
        now: Instant,
        room: RoomId,
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
                    answers.ticketed = self.fan_out(now, room, posting, audience);
                }
            }
            Effect::Reject { refusal, .. } => answers.verdict = Some(Verdict::Refused(refusal)),
            Effect::Nickname { seat: id, token, outcome } => {
                let wish = self.seat_mut(room, id).and_then(|seat| seat.wishes.remove(&token));
                if let Some((worker, reply)) = wish {
                    self.named_by(worker, id, reply, outcome.map_or_else(switch::code, |_| 200));
                }
            }
            Effect::Dismiss { seat, reason } => {
                let cause = match reason {
                    Dismissal::CreatorLeft => Cause::CreatorLeft,
                    Dismissal::Replaced => Cause::Replaced,
                    Dismissal::RoomDeleted => Cause::RoomClosed,
                };
                self.dismiss(now, room, seat, cause);
            }
            Effect::Roster(change) => {
                self.tell_unaware(room, &change);
                self.post(Place::Signalling, Letter::Roster { room, change: Box::new(change) });
            }
            // Signalling knows who has a seat.
            Effect::Seated { .. } | Effect::Left { .. } | Effect::Empty => {}
            Effect::Register(registration) => {
                self.post(Place::Signalling, Letter::Register { room, home: self.id, registration });
            }
        }
    }

    /// One step of the tree of delivery: from the room to each worker that has members.
    /// Whether there are such.
    fn fan_out(&mut self, now: Instant, id: RoomId, posting: &Posting<'_>, audience: Audience) -> bool {
        let Some(residence) = self.homes.rooms.get_mut(&id) else { return false };
        let away = away(&residence.members, self.id);
        if posting.end != Some(Flag::Last) {
            let stream = Stream { seat: posting.seat, origin: posting.origin, away: away.clone() };
            residence.streams.insert(posting.stream, stream);
        }
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

/// The other workers that have members.
fn away(members: &[u32], here: WorkerId) -> Vec<WorkerId> {
    let counted = (0..=u8::MAX).map(WorkerId).zip(members);
    counted.filter(|(worker, count)| *worker != here && **count > 0).map(|(worker, _)| worker).collect()
}
