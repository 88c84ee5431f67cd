//! What goes out, and in which order: first what is urgent, then the messages of the sessions in turns.

use std::collections::VecDeque;

use super::{Connection, Subject, cost};
use crate::encode::{Send, end_chunk};
use crate::frame::{FailureReport, Flag};
use crate::session::{Completes, Event, Record, SMALLEST_CHUNK, Sending, SessionId};

/// What waits to go out, and how much has gone.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    /// Whole frames with, where an answer is awaited, their transaction ids.
    urgent: VecDeque<(Vec<u8>, Option<String>)>,
    urgent_octets: usize,
    /// The sessions that have messages to send; the first is next.
    ring: VecDeque<SessionId>,
    writing: Option<Writing>,
    /// Octets of messages that wait or are being written.
    queued: usize,
    room_wanted: bool,
    handed: u64,
    sent: u64,
}

/// How many messages of a session are sent in turns; others wait until one of them is through.
const MAX_UNDER_WAY: usize = 4;

/// The chunk being written.
#[derive(Debug)]
struct Writing {
    session: SessionId,
    sending: Sending,
    transaction: String,
    /// The message was given up: the chunk is to be ended.
    aborted: bool,
}

impl Outlet {
    pub(super) fn urgent(&mut self, octets: Vec<u8>, transaction: Option<String>) {
        self.urgent_octets += octets.len();
        self.urgent.push_back((octets, transaction));
    }

    pub(super) fn urgent_octets(&self) -> usize {
        self.urgent_octets
    }

    pub(super) fn drop_urgent(&mut self) {
        self.urgent.clear();
        self.urgent_octets = 0;
    }

    /// A session has messages to send.
    pub(super) fn has_something(&mut self, session: SessionId) {
        if !self.ring.contains(&session) {
            self.ring.push_back(session);
        }
    }

    /// A session is to be next.
    fn goes_on(&mut self, session: SessionId) {
        self.ring.retain(|id| *id != session);
        self.ring.push_front(session);
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    pub(super) fn add_queued(&mut self, octets: usize) {
        self.queued = self.queued.saturating_add(octets);
    }

    pub(super) fn remove_queued(&mut self, octets: usize) {
        self.queued = self.queued.saturating_sub(octets);
    }

    pub(super) fn wants_room(&mut self) {
        self.room_wanted = true;
    }

    /// Whether it is to be told that there is room again, below half of the bound.
    pub(super) fn room_again(&mut self, bound: usize) -> bool {
        let again = self.room_wanted && self.queued <= bound / 2;
        self.room_wanted &= !again;
        again
    }

    /// Gives the present chunk up if it is of that session, and of that message where one is named.
    pub(super) fn abort(&mut self, session: SessionId, message_id: Option<&str>) {
        if let Some(writing) = &mut self.writing
            && writing.session == session
            && message_id.is_none_or(|id| id == writing.sending.message_id)
        {
            writing.aborted = true;
        }
    }

    /// Octets have left. Gives how many have in all.
    pub(super) fn transmitted(&mut self, octets: usize) -> u64 {
        self.sent = self.handed.min(self.sent.saturating_add(octets as u64));
        self.sent
    }

    fn in_flight(&self) -> usize {
        usize::try_from(self.handed - self.sent).unwrap_or(usize::MAX)
    }
}

impl Connection {
    /// The next octets to hand out.
    pub(super) fn fill(&mut self) -> Option<Vec<u8>> {
        let room = self.settings.window.saturating_sub(self.outlet.in_flight());
        let mut out = Vec::new();
        let closing = self.state != super::State::Open;
        while (closing || out.len() < room) && self.write_some(&mut out) {}
        self.outlet.handed += out.len() as u64;
        (!out.is_empty()).then_some(out)
    }

    /// Writes a frame or a part of one. False if there is nothing to write.
    fn write_some(&mut self, out: &mut Vec<u8>) -> bool {
        if let Some(writing) = self.outlet.writing.take() {
            self.go_on(writing, out);
            return true;
        }
        if let Some((octets, transaction)) = self.outlet.urgent.pop_front() {
            self.outlet.urgent_octets -= octets.len();
            out.extend_from_slice(&octets);
            if let Some(transaction) = transaction {
                self.transactions.written(&transaction, self.place(out));
            }
            return true;
        }
        self.begin_chunk(out)
    }

    /// Where in the stream the end of `out` is.
    fn place(&self, out: &[u8]) -> u64 {
        self.outlet.handed + out.len() as u64
    }

    /// The next chunk of the session whose turn it is, with its first octets.
    fn begin_chunk(&mut self, out: &mut Vec<u8>) -> bool {
        if self.transactions.awaited() >= self.settings.transactions {
            return false;
        }
        let Some(id) = self.outlet.ring.pop_front() else { return false };
        let Some(session) = self.sessions.get_mut(&id) else { return true };
        let Some(mut sending) = session.queue.pop_front() else { return true };
        if !sending.has_begun() {
            session.record(Record::new(&sending.message_id, &sending.message));
        }
        let (transaction, byte_range) = sending.begin_chunk(session.terms.max_chunk);
        if let Some(record) = session.record_of(&sending.message_id) {
            record.chunk_begins();
        }
        session.has_sent = true;
        let send = Send {
            transaction: &transaction,
            to_path: session.terms.peer.as_str(),
            from_path: session.terms.own.as_str(),
            message_id: &sending.message_id,
            success_report: sending.message.success_report,
            failure_report: sending.message.failure_report,
            byte_range: Some(byte_range),
            content: Some((&sending.message.content_type, &[])),
            flag: Flag::Last,
        };
        send.encode_head(out);
        let failure_report = sending.message.failure_report;
        if failure_report != FailureReport::No {
            let subject = Subject::Chunk(id, sending.message_id.clone());
            self.transactions.begin(&transaction, subject, failure_report == FailureReport::Yes);
        }
        self.go_on(Writing { session: id, sending, transaction, aborted: false }, out);
        true
    }

    /// Writes the next octets of a chunk, or ends it.
    fn go_on(&mut self, mut writing: Writing, out: &mut Vec<u8>) {
        if writing.aborted {
            self.end_chunk(writing, Flag::Abort, out);
        } else if self.is_to_be_interrupted(&writing) {
            self.end_chunk(writing, Flag::More, out);
        } else {
            writing.sending.write(out, SMALLEST_CHUNK);
            match writing.sending.end_of_chunk() {
                Some(flag) => self.end_chunk(writing, flag, out),
                None => self.outlet.writing = Some(writing),
            }
        }
    }

    /// What is urgent waits for 2048 octets at most, other messages for their turn (RFC 4975 §7.1.1).
    fn is_to_be_interrupted(&self, writing: &Writing) -> bool {
        let may_be = writing.sending.written_of_chunk() >= SMALLEST_CHUNK;
        let others_wait = || {
            let own = self.sessions.get(&writing.session);
            !self.outlet.ring.is_empty() || own.is_some_and(|session| !session.queue.is_empty())
        };
        may_be && (!self.outlet.urgent.is_empty() || (self.turn_is_over(&writing.sending) && others_wait()))
    }

    fn turn_is_over(&self, sending: &Sending) -> bool {
        sending.written_of_turn() >= self.settings.turn.max(SMALLEST_CHUNK)
    }

    fn end_chunk(&mut self, writing: Writing, flag: Flag, out: &mut Vec<u8>) {
        let Writing { session: id, sending, transaction, .. } = writing;
        end_chunk(out, &transaction, true, flag);
        self.transactions.written(&transaction, self.place(out));
        if flag == Flag::More {
            return self.put_back(id, sending);
        }
        self.outlet.remove_queued(cost(&sending.message));
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if flag == Flag::Last {
            session.written(&sending.message_id);
        }
        if !session.queue.is_empty() {
            self.outlet.has_something(id);
        }
    }

    /// A message goes on later: at once, or when its session and, in it, some other messages have had their turns. So few
    /// are under way at a time, as the receiver must hold them all.
    fn put_back(&mut self, id: SessionId, mut sending: Sending) {
        let over = self.turn_is_over(&sending);
        let Some(session) = self.sessions.get_mut(&id) else {
            return self.outlet.remove_queued(cost(&sending.message));
        };
        if over {
            sending.end_turn();
            let at = session.queue.len().min(MAX_UNDER_WAY - 1);
            session.queue.insert(at, sending);
            self.outlet.has_something(id);
        } else {
            session.queue.push_front(sending);
            self.outlet.goes_on(id);
        }
    }

    /// A chunk of a message was answered with 200, or a success REPORT came.
    pub(super) fn progress(&mut self, session: SessionId, message_id: &str, of: impl FnOnce(&mut Record) -> Completes) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        let Some(record) = open.record_of(message_id) else { return };
        let completes = of(record);
        if record.is_done() {
            open.records.retain(|record| record.message_id != message_id);
        }
        let message_id = message_id.to_owned();
        match completes {
            Completes::Nothing => {}
            Completes::Accepted => self.events.push_back(Event::Accepted { session, message_id }),
            Completes::Delivered => self.events.push_back(Event::Delivered { session, message_id }),
        }
    }
}
