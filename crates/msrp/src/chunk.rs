//! Chunks and the messages they make up (RFC 4975 §5.1, §7.3.1).

use std::collections::VecDeque;

use crate::frame::{Flag, Head};
use crate::ident::Ident;

mod reassembly;

pub use reassembly::{Bounds, Gathered, Reassembly};

/// The receiving side's memory of the messages under way in one session, for who passes octets on as they come: the chunks
/// of a message must come in order and without gaps. `T` is the caller's state of each message.
///
/// Bounded: at the given number of open messages a further one gets 413. As many refusals are remembered; beyond, the
/// oldest is forgotten, and a later chunk of that message gets 400 as any unknown one does.
#[derive(Debug, Clone)]
pub struct Inflow<T> {
    max_open: usize,
    max_message: u64,
    /// In the order of their beginnings.
    open: Vec<Open<T>>,
    refused: VecDeque<(Ident, u16)>,
    next_slot: u32,
}

#[derive(Debug, Clone)]
struct Open<T> {
    slot: Slot,
    id: Ident,
    received: u64,
    total: Option<u64>,
    state: T,
}

/// Names an open message; not used again soon after it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

/// A chunk begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The message.
    pub slot: Slot,
    /// How many octets of the message came before this chunk.
    pub offset: u64,
    /// Whether this is the first chunk.
    pub first: bool,
    /// The size that the sender declared; it may be a lie.
    pub total: Option<u64>,
}

/// What the end of a chunk means for its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More chunks come.
    More {
        /// Octets so far.
        received: u64,
    },
    /// That was the last one.
    Complete {
        /// Octets of the whole message: those that came, whatever was declared.
        size: u64,
    },
    /// The sender gave the message up, or the slot names no open message.
    Aborted,
}

impl<T: Default> Inflow<T> {
    /// At most `max_open` messages at a time, each of at most `max_message` octets.
    pub fn new(max_open: usize, max_message: u64) -> Inflow<T> {
        Inflow { max_open, max_message, open: Vec::new(), refused: VecDeque::new(), next_slot: 0 }
    }

    /// The head of a SEND has come: a chunk begins. A SEND without a body belongs here too if its message
    /// [`Inflow::is_open`]: it may end or abort it.
    ///
    /// # Errors
    /// The code to answer: 400 without a Message-ID, for a later chunk without Byte-Range, for a gap, an overlap or the
    /// continuation of an unknown message; the remembered code for one that was refused; 413 where the declared size is too
    /// large or too many messages are open. An open message stays open.
    pub fn begin(&mut self, head: &Head<'_>) -> Result<Arrival, u16> {
        let id = head.message_id.and_then(|id| Ident::new(id.as_bytes())).ok_or(400_u16)?;
        let start = head.byte_range.map(|range| range.start);
        let total = head.byte_range.and_then(|range| range.total);
        if let Some(open) = self.open.iter_mut().find(|open| open.id == id) {
            if start.and_then(|start| start.checked_sub(1)) != Some(open.received) {
                return Err(400);
            }
            open.total = open.total.or(total);
            return Ok(Arrival { slot: open.slot, offset: open.received, first: false, total: open.total });
        }
        if start.unwrap_or(1) != 1 {
            return Err(self.refusal(&id).unwrap_or(400));
        }
        self.refused.retain(|(refused, _)| *refused != id);
        if total.is_some_and(|total| total > self.max_message) {
            self.remember(id, 413);
            return Err(413);
        }
        if self.open.len() >= self.max_open {
            self.remember(id, 413);
            return Err(413);
        }
        let slot = Slot(self.next_slot);
        self.next_slot = self.next_slot.wrapping_add(1);
        self.open.push(Open { slot, id, received: 0, total, state: T::default() });
        Ok(Arrival { slot, offset: 0, first: true, total })
    }

    /// `n` octets of the present chunk have come. Gives the offset of the first of them in the message, from 0.
    ///
    /// # Errors
    /// 413 beyond the size that is allowed (the message stays open: refuse it), 400 where the slot names no open message.
    pub fn octets(&mut self, slot: Slot, n: usize) -> Result<u64, u16> {
        let max = self.max_message;
        let open = self.find(slot).ok_or(400_u16)?;
        let offset = open.received;
        let received = offset.checked_add(n as u64).filter(|received| *received <= max).ok_or(413_u16)?;
        open.received = received;
        Ok(offset)
    }

    /// The chunk's end-line has come. `Last` and `Abort` end the message: the slot is gone.
    pub fn end(&mut self, slot: Slot, flag: Flag) -> Progress {
        let Some(at) = self.open.iter().position(|open| open.slot == slot) else { return Progress::Aborted };
        let received = self.open.get(at).map_or(0, |open| open.received);
        match flag {
            Flag::More => return Progress::More { received },
            Flag::Last | Flag::Abort => drop(self.open.remove(at)),
        }
        if flag == Flag::Last { Progress::Complete { size: received } } else { Progress::Aborted }
    }

    /// The message is refused: it is forgotten but for the code, which its later chunks get.
    pub fn refuse(&mut self, slot: Slot, code: u16) {
        if let Some(at) = self.open.iter().position(|open| open.slot == slot) {
            let open = self.open.remove(at);
            self.remember(open.id, code);
        }
    }

    /// The message is forgotten, as on a timer's expiry; its later chunks get 400.
    pub fn forget(&mut self, slot: Slot) {
        self.open.retain(|open| open.slot != slot);
    }

    /// The caller's state of an open message.
    pub fn state(&mut self, slot: Slot) -> Option<&mut T> {
        self.find(slot).map(|open| &mut open.state)
    }

    /// Whether a message of that Message-ID is under way.
    pub fn is_open(&self, message_id: &str) -> bool {
        self.open.iter().any(|open| open.id.as_bytes() == message_id.as_bytes())
    }

    /// The Message-ID of an open message.
    pub fn message_id(&self, slot: Slot) -> Option<&str> {
        self.open.iter().find(|open| open.slot == slot).map(|open| open.id.as_str())
    }

    /// The open messages in the order of their beginnings.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.open.iter().map(|open| open.slot)
    }

    fn find(&mut self, slot: Slot) -> Option<&mut Open<T>> {
        self.open.iter_mut().find(|open| open.slot == slot)
    }

    fn refusal(&self, id: &Ident) -> Option<u16> {
        self.refused.iter().find(|(refused, _)| refused == id).map(|(_, code)| *code)
    }

    fn remember(&mut self, id: Ident, code: u16) {
        while self.refused.len() >= self.max_open.max(1) {
            self.refused.pop_front();
        }
        self.refused.push_back((id, code));
    }
}
