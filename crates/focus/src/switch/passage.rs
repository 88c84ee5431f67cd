//! The way of a message from the first octet of its sender to the verdict of its room (RFC 7701 §6.1, RFC 4975 §7.3).
//!
//! Distribution starts as soon as the wrapper's headers are complete; only a message that is announced as short is gathered
//! first, so that it goes out in one chunk. Where the room lives on another worker its verdict comes by mail: what follows of
//! the message goes after it meanwhile, and the responses wait.

use std::time::Instant;

use msrp::chunk::{Progress, Slot};
use msrp::frame::{Flag, Head, Method};
use room::SeatId;

use super::answer::Success;
use super::{Frame, Report, Worker, code};
use crate::home::Posting;
use crate::ids::{Handle, Place, RoomId, SessionId, StreamId, WorkerId};
use crate::mail::{Letter, Post, Reply, Verdict};
use crate::timers::Timer;

/// A message that is announced to have no more octets is gathered before it goes to the room.
const GATHER: u64 = 16 * 1024;
/// Octets of the longest formal name that is repeated in a REPORT.
const LONGEST_NAME: usize = 2 * 1024;

/// Octets that a session's messages may have before their headers are complete.
const MAX_HELD: usize = 256 * 1024;

/// A chunk that is being read.
#[derive(Debug)]
pub(crate) struct Chunk {
    session: Handle,
    slot: Slot,
    reply: Reply,
    /// The message is refused, and its sender knows.
    failed: bool,
}

/// A message under way, as its session remembers it.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    stage: Stage,
    announced: Option<u64>,
    wish: Option<Wish>,
    /// When its last octets came.
    heard: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    /// Its room has not heard of it.
    Gathering(Vec<u8>),
    /// What comes of it goes on at once.
    Passing {
        stream: StreamId,
        /// Whether it is for one user; nothing before the room's verdict.
        private: Option<bool>,
    },
}

impl Default for Stage {
    fn default() -> Self {
        Self::Gathering(Vec::new())
    }
}

/// A success REPORT that is wanted, and the addresses for it should the message be private.
#[derive(Debug)]
struct Wish {
    report: Report,
    from: String,
    to: String,
}

/// A message whose verdict is on its way by mail.
#[derive(Debug)]
pub(crate) struct Asked {
    slot: Slot,
    /// Chunks that have ended meanwhile.
    replies: Vec<Reply>,
    /// The size of the message, if it is complete, and the REPORT that it wants.
    complete: Option<(u64, Option<Wish>)>,
}

impl Asked {
    /// What it counts towards the bound of its connection.
    pub(crate) fn weight(&self) -> usize {
        1 + self.replies.len()
    }
}

impl Passage {
    fn is_gathered(&self, octets: usize) -> bool {
        self.announced.is_some_and(|total| total <= GATHER) && octets as u64 <= GATHER
    }

    /// Octets that are kept because the room cannot be told of them yet.
    fn held(&self) -> usize {
        match &self.stage {
            Stage::Gathering(held) => held.len(),
            Stage::Passing { .. } => 0,
        }
    }

    fn awaited(&self) -> Option<StreamId> {
        match self.stage {
            Stage::Passing { stream, private: None } => Some(stream),
            _ => None,
        }
    }

    fn stream(&self) -> Option<StreamId> {
        match self.stage {
            Stage::Passing { stream, .. } => Some(stream),
            Stage::Gathering(_) => None,
        }
    }
}

impl Worker {
    /// A SEND begins.
    pub(crate) fn begin_send(&mut self, now: Instant, handle: Handle, head: &Head<'_>) -> Result<Frame, u16> {
        let (rate, shared) = (self.settings.message_rate, self.is_shared(handle));
        let session = self.session(handle).ok_or(481_u16)?;
        let reply = Reply::to(head, Method::Send);
        let report =
            || Report { message_id: head.message_id.unwrap_or_default().into(), to_path: head.from_path.into() };
        let wants_report = msrp::report::wants_success(head);
        if !head.has_body && !head.message_id.is_some_and(|id| session.inflow.is_open(id)) {
            return Ok(Frame::Probe { session: handle, reply, report: wants_report.then(report) });
        }
        let arrival = session.inflow.begin(head)?;
        if arrival.first {
            let too_fast = shared && rate.is_some_and(|rate| !session.pace.try_take(now, rate));
            let pace = rate.filter(|_| !shared).and_then(|rate| session.pace.take(now, rate));
            let unheard = !session.speaks && arrival.total != Some(0);
            if unheard || session.refusing > 0 || too_fast {
                session.inflow.refuse(arrival.slot, 403);
                return Err(403);
            }
            if !head.content_type.is_some_and(is_cpim) {
                session.inflow.refuse(arrival.slot, 415);
                return Err(415);
            }
            if let Some(passage) = session.inflow.state(arrival.slot) {
                passage.announced = arrival.total;
                passage.heard = Some(now);
                passage.wish = wants_report.then(|| Wish { report: report(), from: String::new(), to: String::new() });
            }
            let id = session.connection;
            if !session.chunk_timer_runs {
                session.chunk_timer_runs = true;
                let at = now + session.chunk_timer;
                self.timers.set(at, Timer::Chunk(SessionId { worker: self.id, handle }));
            }
            if let Some(until) = pace {
                self.pause_until(id, until);
            }
        }
        Ok(Frame::Chunk(Chunk { session: handle, slot: arrival.slot, reply, failed: false }))
    }

    /// Octets of a chunk, with its end where it has come with them.
    pub(crate) fn chunk_octets(&mut self, now: Instant, mut chunk: Chunk, octets: &[u8], end: Option<Flag>) -> Chunk {
        if !chunk.failed
            && let Err(code) = self.advance(now, &chunk, octets, end)
        {
            self.give_up(now, chunk.session, chunk.slot);
            if let Some(session) = self.session(chunk.session) {
                session.inflow.refuse(chunk.slot, code);
            }
            chunk.failed = true;
            self.answer_send(chunk.session, &chunk.reply, code);
        }
        chunk
    }

    fn advance(&mut self, now: Instant, chunk: &Chunk, octets: &[u8], end: Option<Flag>) -> Result<(), u16> {
        let session = self.session(chunk.session).ok_or(481_u16)?;
        session.inflow.octets(chunk.slot, octets.len())?;
        let (home, room) = (session.home, session.room);
        let refusing = session.refusing > 0;
        let passage = session.inflow.state(chunk.slot).ok_or(400_u16)?;
        if refusing && passage.stream().is_some() {
            return Err(413);
        }
        passage.heard = Some(now);
        let mut held = match &mut passage.stage {
            Stage::Passing { stream, .. } => {
                let stream = *stream;
                self.forward(now, chunk.session, (home, room), stream, octets, end.filter(|flag| *flag != Flag::More));
                return Ok(());
            }
            Stage::Gathering(held) => std::mem::take(held),
        };
        if held.is_empty() && end == Some(Flag::Last) {
            // The usual message: all of it is here.
            return self.tell_room(now, chunk, octets, end).map(|_| ());
        }
        let (before, waited) = (held.len(), passage.is_gathered(held.len()));
        held.extend_from_slice(octets);
        let waits = end.is_none() && passage.is_gathered(held.len());
        // The headers can be complete only where a blank line has come, or was waited over.
        let complete = end == Some(Flag::Last) || waited || may_end_headers(&held, before);
        let told = complete && !waits && end != Some(Flag::Abort) && self.tell_room(now, chunk, &held, end)?;
        if end == Some(Flag::Abort) || told { Ok(()) } else { self.hold_back(chunk, held) }
    }

    /// Keeps octets of a message that its room cannot be told of yet, within the bound of its session: 413 beyond.
    fn hold_back(&mut self, chunk: &Chunk, held: Vec<u8>) -> Result<(), u16> {
        let session = self.session(chunk.session).ok_or(481_u16)?;
        let slots: Vec<Slot> = session.inflow.slots().collect();
        let others = slots.into_iter().map(|slot| session.inflow.state(slot).map_or(0, |passage| passage.held()));
        let total = others.sum::<usize>().saturating_add(held.len());
        if let Some(passage) = session.inflow.state(chunk.slot) {
            passage.stage = Stage::Gathering(held);
        }
        if total > MAX_HELD { Err(413) } else { Ok(()) }
    }

    /// Tells the room of a message, if its headers are complete (true).
    fn tell_room(&mut self, now: Instant, chunk: &Chunk, octets: &[u8], end: Option<Flag>) -> Result<bool, u16> {
        let last = end == Some(Flag::Last);
        if last && octets.is_empty() {
            // A message without content says nothing: it is a keep-alive that has a Content-Type.
            return Ok(true);
        }
        match cpim::parse_head(octets) {
            Ok(Some(head)) => self.post_message(now, chunk, &head, octets, end.filter(|_| last)).map(|()| true),
            Ok(None) if !last => Ok(false),
            _ => Err(400),
        }
    }

    fn post_message(
        &mut self,
        now: Instant,
        chunk: &Chunk,
        head: &cpim::Head<'_>,
        octets: &[u8],
        end: Option<Flag>,
    ) -> Result<(), u16> {
        self.streams += 1;
        let stream = StreamId { origin: self.id, number: self.streams };
        let here = self.id;
        let session = self.session(chunk.session).ok_or(481_u16)?;
        let (home, room, seat) = (session.home, session.room, session.seat);
        let passage = session.inflow.state(chunk.slot).ok_or(400_u16)?;
        passage.stage = Stage::Passing { stream, private: None };
        if let Some(wish) = &mut passage.wish {
            wish.from = head.from.first().map(as_written).unwrap_or_default();
            wish.to = head.to.first().map(as_written).unwrap_or_default();
        }
        let announced = passage.announced;
        let from: Vec<&str> = head.from.iter().map(|party| party.uri).collect();
        let to: Vec<&str> = head.to.iter().map(|party| party.uri).collect();
        let origin = SessionId { worker: here, handle: chunk.session };
        let content_type = head.media_type();
        if home == here {
            let (from, to) = (from.as_slice(), to.as_slice());
            let posting = Posting { room, seat, origin, stream, from, to, content_type, octets, end, announced };
            return match self.say(now, &posting) {
                Verdict::Passed { private } => {
                    self.passed(chunk.session, chunk.slot, private);
                    Ok(())
                }
                Verdict::Refused(refusal) => {
                    self.hold_back(chunk, Vec::new())?;
                    Err(code(refusal))
                }
            };
        }
        session.asked.insert(stream, Asked { slot: chunk.slot, replies: Vec::new(), complete: None });
        let id = session.connection;
        if let Some(connection) = self.connections.get_mut(id.0) {
            connection.outstanding += 1;
        }
        self.charge(chunk.session, octets.len());
        let owned = |uris: Vec<&str>| uris.into_iter().map(str::to_owned).collect();
        let post = Post {
            room,
            seat,
            origin,
            stream,
            from: owned(from),
            to: owned(to),
            content_type: content_type.to_owned(),
            octets: octets.to_vec(),
            end,
            announced,
        };
        self.post(Place::Worker(home), Letter::Post(Box::new(post)));
        Ok(())
    }

    fn passed(&mut self, handle: Handle, slot: Slot, private: bool) {
        if let Some(session) = self.session(handle)
            && let Some(passage) = session.inflow.state(slot)
            && let Stage::Passing { private: known, .. } = &mut passage.stage
        {
            *known = Some(private);
        }
    }

    /// Sends further octets of a message after its first ones.
    fn forward(
        &mut self,
        now: Instant,
        handle: Handle,
        (home, room): (WorkerId, RoomId),
        stream: StreamId,
        octets: &[u8],
        end: Option<Flag>,
    ) {
        if octets.is_empty() && end.is_none() {
            return;
        }
        if home == self.id {
            self.pass_on(now, room, stream, octets, end);
        } else {
            self.charge(handle, octets.len());
            let origin = SessionId { worker: self.id, handle };
            self.post(Place::Worker(home), Letter::Pass { room, stream, origin, octets: octets.to_vec(), end });
        }
    }

    /// Ends with `#` what has been distributed of a message.
    fn give_up(&mut self, now: Instant, handle: Handle, slot: Slot) {
        let Some(session) = self.session(handle) else { return };
        let place = (session.home, session.room);
        if let Some(stream) = session.inflow.state(slot).and_then(|passage| passage.stream()) {
            self.forward(now, handle, place, stream, &[], Some(Flag::Abort));
        }
    }

    /// The end-line of a chunk has come, and its octets have gone their way.
    pub(crate) fn chunk_end(&mut self, _now: Instant, chunk: Chunk, end: Option<Flag>) {
        let Chunk { session: handle, slot, reply, failed } = chunk;
        let (Some(session), Some(flag)) = (self.session(handle), end) else { return };
        if failed {
            return;
        }
        let awaited = session.inflow.state(slot).and_then(|passage| passage.awaited());
        let passage = if flag == Flag::Last { session.inflow.state(slot).map(std::mem::take) } else { None };
        let complete = match session.inflow.end(slot, flag) {
            Progress::Complete { size } => Some(size),
            Progress::More { .. } | Progress::Aborted => None,
        };
        if let Some(asked) = awaited.and_then(|stream| session.asked.get_mut(&stream)) {
            asked.replies.push(reply);
            asked.complete = complete.map(|size| (size, passage.and_then(|passage| passage.wish)));
            let id = session.connection;
            if let Some(connection) = self.connections.get_mut(id.0) {
                connection.outstanding += 1;
            }
            return;
        }
        self.answer_send(handle, &reply, 200);
        if let (Some(size), Some(passage)) = (complete, passage) {
            let private = matches!(passage.stage, Stage::Passing { private: Some(true), .. });
            self.report_success(handle, size, passage.wish.as_ref(), private);
        }
    }

    fn report_success(&mut self, handle: Handle, size: u64, wish: Option<&Wish>, private: bool) {
        let Some(Wish { report, from, to }) = wish else { return };
        self.report(handle, &Success { report, size, private: private.then_some((from, to)) });
    }

    /// The room's verdict on a message that went there by mail.
    pub(crate) fn judged(&mut self, _now: Instant, seat: SeatId, stream: StreamId, verdict: Verdict) {
        let Some(handle) = self.session_of_seat(seat) else { return };
        let Some(session) = self.session(handle) else { return };
        let id = session.connection;
        let Some(asked) = session.asked.remove(&stream) else { return };
        if let Some(connection) = self.connections.get_mut(id.0) {
            connection.outstanding = connection.outstanding.saturating_sub(asked.weight());
        }
        match verdict {
            Verdict::Passed { private } => {
                self.passed(handle, asked.slot, private);
                for reply in &asked.replies {
                    self.answer_send(handle, reply, 200);
                }
                if let Some((size, wish)) = &asked.complete {
                    self.report_success(handle, *size, wish.as_ref(), private);
                }
            }
            Verdict::Refused(refusal) => self.refused_late(handle, &asked, code(refusal)),
        }
        self.resume(id);
    }

    /// Nobody has had anything of the message: the chunks that wait are answered, the one that still comes, and those to come.
    fn refused_late(&mut self, handle: Handle, asked: &Asked, code: u16) {
        for reply in &asked.replies {
            self.answer_send(handle, reply, code);
        }
        let Some(session) = self.session(handle) else { return };
        session.inflow.refuse(asked.slot, code);
        let id = session.connection;
        if let Some(connection) = self.connections.get_mut(id.0)
            && let Frame::Chunk(chunk) = &mut connection.frame
            && chunk.session == handle
            && chunk.slot == asked.slot
            && !std::mem::replace(&mut chunk.failed, true)
        {
            let reply = chunk.reply.clone();
            self.answer_send(handle, &reply, code);
        }
    }

    /// The chunk reception timer (RFC 7701 §6.1): what has not gone on for so long is taken for aborted.
    pub(crate) fn chunk_timer_expired(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.session(id.handle) else { return };
        let patience = session.chunk_timer;
        let slots: Vec<Slot> = session.inflow.slots().collect();
        let mut next = None;
        for slot in slots {
            let Some(session) = self.session(id.handle) else { return };
            let heard = session.inflow.state(slot).and_then(|passage| passage.heard).unwrap_or(now);
            if heard + patience > now {
                next = next.min(Some(heard)).or(Some(heard));
                continue;
            }
            self.give_up(now, id.handle, slot);
            if let Some(session) = self.session(id.handle) {
                session.inflow.forget(slot);
            }
        }
        if let Some(session) = self.session(id.handle) {
            session.chunk_timer_runs = next.is_some();
        }
        if let Some(heard) = next {
            self.timers.set(heard + patience, Timer::Chunk(id));
        }
    }
}

/// Whether a blank line ends behind the first `before` octets, or the headers are as long as they may be.
fn may_end_headers(held: &[u8], before: usize) -> bool {
    let fresh = held.get(before.saturating_sub(2)..).unwrap_or_default();
    let blank = |line: &[u8]| memchr::memmem::find(fresh, line).is_some();
    held.len() >= cpim::MAX_HEAD || blank(b"\n\r\n") || blank(b"\n\n")
}

/// `message/cpim`, whatever its case and parameters.
fn is_cpim(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("message/cpim"))
}

/// An address of the wrapper as its header has it, but for a name that a REPORT has no place for (RFC 4975 §7.1).
fn as_written(party: &cpim::Address<'_>) -> String {
    match party.name.filter(|name| name.len() <= LONGEST_NAME) {
        Some(name) => format!("{name} <{}>", party.uri),
        None => format!("<{}>", party.uri),
    }
}
