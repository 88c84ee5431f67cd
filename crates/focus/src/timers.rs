//! The timers of a worker. What a timer was set for may be gone or renewed when it fires: whoever fires it looks again, so nothing
//! is ever cancelled.

use std::collections::BTreeSet;
use std::time::Instant;

use room::SeatId;

use crate::ids::{ConnectionId, Handle, RoomId, SessionId, WorkerId};

/// What a worker waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A seat whose MSRP session nobody has bound: 30 s after the answer (decision D46).
    Bind(RoomId, SeatId),
    /// A seat whose media are gone: the policy's `grace`, 30 s (decision D52).
    Grace(RoomId, SeatId),
    /// A room has something to do: a nickname that was kept becomes free, or the domain has not answered in time.
    Room(RoomId),
    /// A connection that has not yet named a session: 30 s after it was opened (RFC 4976 §6.1 gives the figure).
    Silence(ConnectionId),
    /// A head of which a part has come: 30 s from its first octet.
    Head(ConnectionId),
    /// The chunk reception timer of RFC 7701 §6.1, one for a session: the policy's `chunk_timer`, 540 s.
    Chunk(SessionId),
    /// A session of a connection held back for a slow connection of a worker: 2 s.
    Hold(ConnectionId, WorkerId, Handle, Handle),
    /// A connection whose participant has sent more than its rate.
    Pace(ConnectionId),
    /// A congested connection: 180 s.
    Goodbye(ConnectionId),
    /// A connection that is to be closed once its last octets are out: 5 s.
    Farewell(ConnectionId),
}

/// Timers in the order of their instants.
#[derive(Default)]
pub(crate) struct Timers {
    set: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.set.insert((at, timer));
    }

    /// The next timer that is due, taken out.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Timer> {
        let first = *self.set.first().filter(|(at, _)| *at <= now)?;
        self.set.remove(&first);
        Some(first.1)
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.set.first().map(|(at, _)| *at)
    }
}
