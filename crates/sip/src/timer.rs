//! The timers of the endpoint's machines and the one queue they stand in.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::endpoint::ClientId;
use crate::endpoint::DialogId;
use crate::endpoint::TransactionId;
use crate::transaction::client::ClientTransactionId;
use crate::transport::ConnectionId;

/// The timers, each with its name in RFC 3261 Table 4, RFC 6026 or the section that asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// RFC 3261 §17.2.1: 200 ms until the 100 to an INVITE that has no answer yet. RFC 4320 §4.1: the time that timer E
    /// takes to reach T2, until the 100 to another request.
    Trying(TransactionId),
    /// RFC 3261 §13.3.1.1: a minute passed, the last 101–199 is sent again so that no proxy gives up.
    Alive(TransactionId),
    /// RFC 3261 §13.3.1: the time that the INVITE's Expires gave is over.
    Expired(TransactionId),
    /// RFC 4320 §4.2: the peer's timer F ran out, no answer may be sent any more.
    Late(TransactionId),
    /// Timer G, §17.2.1: the refusal of an INVITE is sent again.
    G(TransactionId),
    /// Timer H, §17.2.1: no ACK came for the refusal of an INVITE.
    H(TransactionId),
    /// Timer I, §17.2.1: repeated ACKs are no longer awaited.
    I(TransactionId),
    /// Timer J, §17.2.2: a repeated request is no longer awaited.
    J(TransactionId),
    /// Timer L, RFC 6026 §7.1: a repeated INVITE that was accepted is no longer awaited.
    L(TransactionId),
    /// Timer A, §17.1.1.2: the INVITE is sent again.
    A(ClientTransactionId),
    /// Timer B, §17.1.1.2: the INVITE got no answer.
    B(ClientTransactionId),
    /// Timer D, §17.1.1.2: repeated refusals are no longer awaited.
    D(ClientTransactionId),
    /// Timer E, §17.1.2.2: the request is sent again.
    E(ClientTransactionId),
    /// Timer F, §17.1.2.2: the request got no final answer.
    F(ClientTransactionId),
    /// Timer K, §17.1.2.2: repeated answers are no longer awaited.
    K(ClientTransactionId),
    /// Timer M, RFC 6026 §7.2: further 2xx to the INVITE are no longer awaited.
    M(ClientTransactionId),
    /// §13.3.1.4: the 2xx to an INVITE is sent again until its ACK comes.
    Accepted(DialogId),
    /// §13.3.1.4: 64·T1 without an ACK to the 2xx.
    NoAck(DialogId),
    /// §14.1: after a 491 the INVITE or UPDATE may be tried again.
    Glare(DialogId),
    /// §9.1: 64·T1 without a final answer after the CANCEL.
    Cancelled(ClientId),
    /// 64·T1 without finding out where the request goes.
    Unlocated(ClientId),
    /// RFC 4028 §7.2: half the session interval is over, we refresh.
    Refresh(DialogId),
    /// RFC 4028 §10: nobody refreshed the session.
    Unrefreshed(DialogId),
    /// A message on a stream did not come to its end in time.
    Message(ConnectionId),
}

/// A timer that was set, to stop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey(Instant, u64);

/// All timers that are set, by time; those of one instant in the order they were set.
#[derive(Default)]
pub(crate) struct TimerQueue {
    set: BTreeMap<TimerKey, Timer>,
    count: u64,
}

impl TimerQueue {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) -> TimerKey {
        self.count = self.count.wrapping_add(1);
        let key = TimerKey(at, self.count);
        self.set.insert(key, timer);
        key
    }

    pub(crate) fn stop(&mut self, key: TimerKey) {
        self.set.remove(&key);
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.set.first_key_value().map(|(key, _)| key.0)
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.set.pop_first().map(|(_, timer)| timer)
    }
}
