//! Transactions (RFC 3261 §17, RFC 6026): what makes one message of its copies.

pub(crate) mod client;
pub(crate) mod key;
pub(crate) mod server;

use std::time::Instant;

use crate::endpoint::TimerValues;
use crate::timer::TimerQueue;

/// The start of every branch that is unique by itself (RFC 3261 §8.1.1.7).
pub(crate) const COOKIE: &str = "z9hG4bK";

/// What a machine needs beside its own state.
pub(crate) struct Clock<'a> {
    pub(crate) now: Instant,
    pub(crate) values: TimerValues,
    pub(crate) timers: &'a mut TimerQueue,
}
