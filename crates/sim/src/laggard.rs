//! What must come of messages for somebody who is slow (RFC 7701 §6.4), in the plainest words: a reference for the switch.
//!
//! It knows sizes only: how many octets wait, and what that means for the next message.

/// Octets that may wait for one connection.
const LIMIT: usize = 1024 * 1024;
/// Four fifths of it: congestion begins.
const CONGESTED: usize = LIMIT / 5 * 4;
/// Congestion is over.
const CLEAR: usize = 16 * 1024;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is queued.
    Queued,
    /// It is left out, and its recipient has been told of such before.
    LeftOut,
    /// It is left out, and a notice tells its recipient so.
    Noticed,
}

/// One recipient whose socket takes nothing, or only some octets, for a while.
#[derive(Clone, Debug, Default)]
pub struct Laggard {
    waiting: usize,
    congested: bool,
    told: bool,
}

impl Laggard {
    /// A message of so many octets, of which `large` are as many as still go to the congested; it is `frame` octets long on the wire,
    /// without its start line and addresses `shared`.
    pub fn message(&mut self, octets: usize, large: usize, frame: usize, shared: usize) -> Fate {
        let fits = self.waiting + shared <= LIMIT;
        if (self.congested && octets > large) || !fits {
            return if std::mem::replace(&mut self.told, true) { Fate::LeftOut } else { Fate::Noticed };
        }
        self.queue(frame);
        Fate::Queued
    }

    /// Something is queued whatever waits.
    pub fn queue(&mut self, frame: usize) {
        self.waiting += frame;
        self.congested |= self.waiting >= CONGESTED;
    }

    /// Its socket takes so many octets.
    pub fn takes(&mut self, octets: usize) {
        self.waiting = self.waiting.saturating_sub(octets);
        if self.waiting <= CLEAR {
            (self.congested, self.told) = (false, false);
        }
    }

    /// How many octets wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}
