//! A message on its way out, and what is heard of it.

use crate::frame::{ByteRange, FailureReport, Flag};
use crate::session::Message;

/// Below this no chunk is cut (RFC 4975 §7.1.1).
pub(crate) const SMALLEST_CHUNK: usize = 2048;

/// A message and how far it has been written.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) message_id: String,
    pub(crate) message: Message,
    /// What the transaction ids of all its chunks begin with; behind seven hyphens it is nowhere in the content.
    stem: String,
    chunks: u32,
    offset: usize,
    /// Where the present chunk began, and where it is to end if nothing interrupts it.
    chunk: (usize, usize),
    /// Where its present turn began.
    turn: usize,
}

impl Sending {
    pub(crate) fn new(message_id: String, message: Message, stem: String) -> Sending {
        Sending { message_id, message, stem, chunks: 0, offset: 0, chunk: (0, 0), turn: 0 }
    }

    /// Whether a chunk of it was begun, and so a [`Record`] made.
    pub(crate) fn has_begun(&self) -> bool {
        self.chunks > 0
    }

    /// Octets that were not written yet.
    pub(crate) fn left(&self) -> usize {
        self.message.octets.len().saturating_sub(self.offset)
    }

    /// Begins the next chunk: its transaction id and its Byte-Range. What may be interrupted has a `*` for its end.
    pub(crate) fn begin_chunk(&mut self, max_chunk: Option<usize>) -> (String, ByteRange) {
        let transaction = format!("{}{:x}", self.stem, self.chunks);
        self.chunks = self.chunks.wrapping_add(1);
        let length = self.left().min(max_chunk.unwrap_or(usize::MAX).max(1));
        self.chunk = (self.offset, self.offset + length);
        let total = self.message.octets.len() as u64;
        let end = (length <= SMALLEST_CHUNK).then_some(self.chunk.1 as u64);
        (transaction, ByteRange { start: self.chunk.0 as u64 + 1, end, total: Some(total) })
    }

    /// Writes some octets of the present chunk, at most `room` where it may be interrupted.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, room: usize) {
        let end = if self.is_interruptible() { self.chunk.1.min(self.offset + room) } else { self.chunk.1 };
        out.extend_from_slice(self.message.octets.get(self.offset..end).unwrap_or(&[]));
        self.offset = end;
    }

    fn is_interruptible(&self) -> bool {
        self.chunk.1 - self.chunk.0 > SMALLEST_CHUNK
    }

    /// The octets of the present chunk that are written.
    pub(crate) fn written_of_chunk(&self) -> usize {
        self.offset - self.chunk.0
    }

    /// The octets written since its turn began.
    pub(crate) fn written_of_turn(&self) -> usize {
        self.offset - self.turn
    }

    /// It is another's turn.
    pub(crate) fn end_turn(&mut self) {
        self.turn = self.offset;
    }

    /// The flag to end the present chunk with if all of it is written.
    pub(crate) fn end_of_chunk(&self) -> Option<Flag> {
        (self.offset == self.chunk.1).then(|| if self.left() == 0 { Flag::Last } else { Flag::More })
    }
}

/// What is known of a message of which something is still to be heard.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) message_id: String,
    size: u64,
    /// Chunks that were sent and not answered.
    unanswered: u32,
    is_sent: bool,
    /// Whether the answers are waited for: [`FailureReport::Yes`].
    awaits_answers: bool,
    /// Whether errors are told though answers are not waited for: [`FailureReport::Partial`].
    minds_errors: bool,
    /// What success REPORTs cover; None where none were asked for, or all have come.
    covered: Option<Covered>,
}

/// What an answer or a REPORT completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completes {
    Nothing,
    Accepted,
    Delivered,
}

impl Record {
    pub(crate) fn new(message_id: &str, message: &Message) -> Record {
        Record {
            message_id: message_id.to_owned(),
            size: message.octets.len() as u64,
            unanswered: 0,
            is_sent: false,
            awaits_answers: message.failure_report == FailureReport::Yes,
            minds_errors: message.failure_report == FailureReport::Partial,
            covered: message.success_report.then(Covered::default),
        }
    }

    pub(crate) fn chunk_begins(&mut self) {
        self.unanswered += 1;
    }

    /// The last chunk is written.
    pub(crate) fn is_written(&mut self) {
        self.is_sent = true;
    }

    /// A chunk was answered with 200.
    pub(crate) fn answered(&mut self) -> Completes {
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.awaits_answers && self.is_sent && self.unanswered == 0 {
            self.awaits_answers = false;
            return Completes::Accepted;
        }
        Completes::Nothing
    }

    /// A success REPORT came; without a range it is about all of the message.
    pub(crate) fn reported(&mut self, range: Option<ByteRange>) -> Completes {
        let Some(covered) = &mut self.covered else { return Completes::Nothing };
        let (start, end) = range.map_or((1, self.size), |range| (range.start, range.end.unwrap_or(self.size)));
        covered.add(start, end.min(self.size));
        if covered.is_whole(self.size) {
            self.covered = None;
            return Completes::Delivered;
        }
        Completes::Nothing
    }

    /// Nothing more will be heard of it.
    pub(crate) fn is_done(&self) -> bool {
        self.is_confirmed() && !self.minds_errors
    }

    /// All that was to be heard of its arrival has been heard.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.is_sent && !self.awaits_answers && self.covered.is_none()
    }

    /// Its answers come in bounded time, so it need not be forgotten before.
    pub(crate) fn is_bounded(&self) -> bool {
        !self.is_sent || self.awaits_answers
    }
}

/// Ranges of octets counted from 1, ends included; in order, with gaps between them.
#[derive(Debug, Default)]
struct Covered {
    ranges: Vec<(u64, u64)>,
}

/// More gaps than this are not remembered: the message then never counts as delivered.
const MAX_RANGES: usize = 64;

impl Covered {
    fn add(&mut self, mut start: u64, mut end: u64) {
        if end.saturating_add(1) < start {
            return;
        }
        // Also the empty range `1-0`, of a message without octets.
        self.ranges.retain(|range| {
            let apart = range.0 > end.saturating_add(1) || start > range.1.saturating_add(1);
            if !apart {
                start = start.min(range.0);
                end = end.max(range.1);
            }
            apart
        });
        if self.ranges.len() < MAX_RANGES {
            let at = self.ranges.partition_point(|range| range.0 < start);
            self.ranges.insert(at, (start, end));
        }
    }

    fn is_whole(&self, size: u64) -> bool {
        self.ranges.first().is_some_and(|(start, end)| *start <= 1 && *end >= size)
    }
}
