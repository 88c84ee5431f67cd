//! The INVITE usage of a dialog: one INVITE at a time in each direction, and the 2xx that is sent until its ACK comes.

use std::time::Duration;

use crate::endpoint::{ClientId, DialogId, TransactionId};
use crate::timer::{Timer, TimerKey};
use crate::transaction::Clock;
use crate::transaction::key::Reply;

/// What is under way about the session.
#[derive(Debug, Default)]
pub(crate) struct Invite {
    /// An INVITE of the peer without a final answer.
    pub(crate) incoming: Option<TransactionId>,
    /// An INVITE of ours without a final answer.
    pub(crate) outgoing: Option<ClientId>,
    /// An INVITE of ours that was accepted with an offer, to which the ACK has to wait for the answer.
    pub(crate) unanswered: Option<ClientId>,
    /// Runs after a 491 (RFC 3261 §14.1).
    pub(crate) glare: Option<TimerKey>,
    /// A 2xx of ours that awaits its ACK.
    unacknowledged: Option<Box<Unacknowledged>>,
}

/// A 2xx that is sent until its ACK comes (RFC 3261 §13.3.1.4), over every transport.
#[derive(Debug)]
struct Unacknowledged {
    cseq: u32,
    reply: Reply,
    response: Vec<u8>,
    interval: Duration,
    again: TimerKey,
    give_up: TimerKey,
    /// The user hung up meanwhile; the BYE waits (§15).
    hang_up: Option<HangUp>,
}

/// A wish to end the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HangUp {
    /// The value of Reason.
    pub(crate) reason: Option<String>,
}

impl Invite {
    /// A 2xx went out for the first time.
    pub(crate) fn accepted(&mut self, id: DialogId, cseq: u32, reply: Reply, response: Vec<u8>, clock: &mut Clock<'_>) {
        self.stop(clock);
        let interval = clock.values.t1;
        let again = clock.timers.set(clock.now + interval, Timer::Accepted(id));
        let give_up = clock.timers.set(clock.now + clock.values.timeout(), Timer::NoAck(id));
        let waiting = Unacknowledged { cseq, reply, response, interval, again, give_up, hang_up: None };
        self.unacknowledged = Some(Box::new(waiting));
    }

    /// Whether an INVITE of ours has to wait (RFC 3261 §14.1).
    pub(crate) fn is_busy(&self) -> bool {
        self.incoming.is_some() || self.is_calling() || self.awaits_ack()
    }

    /// Whether an INVITE of ours has no final answer, or its 2xx no ACK.
    pub(crate) fn is_calling(&self) -> bool {
        self.outgoing.is_some() || self.unanswered.is_some()
    }

    pub(crate) fn awaits_ack(&self) -> bool {
        self.unacknowledged.is_some()
    }

    /// The 2xx is due again.
    pub(crate) fn resend(&mut self, id: DialogId, clock: &mut Clock<'_>) -> Option<(Reply, Vec<u8>)> {
        let waiting = self.unacknowledged.as_mut()?;
        waiting.interval = waiting.interval.saturating_mul(2).min(clock.values.t2);
        waiting.again = clock.timers.set(clock.now + waiting.interval, Timer::Accepted(id));
        Some((waiting.reply, waiting.response.clone()))
    }

    /// Whether the ACK to the INVITE with that number is awaited.
    pub(crate) fn awaits_ack_to(&self, cseq: u32) -> bool {
        self.unacknowledged.as_ref().is_some_and(|waiting| waiting.cseq == cseq)
    }

    /// The BYE shall go out as soon as the ACK came. `false`: none is awaited.
    pub(crate) fn hang_up_later(&mut self, hang_up: HangUp) -> bool {
        let Some(waiting) = &mut self.unacknowledged else { return false };
        waiting.hang_up = Some(hang_up);
        true
    }

    pub(crate) fn stop_glare(&mut self, clock: &mut Clock<'_>) {
        self.glare.take().into_iter().for_each(|key| clock.timers.stop(key));
    }

    /// The ACK came, or is awaited no longer. Whether the user hung up meanwhile.
    pub(crate) fn stop(&mut self, clock: &mut Clock<'_>) -> Option<HangUp> {
        let waiting = self.unacknowledged.take()?;
        clock.timers.stop(waiting.again);
        clock.timers.stop(waiting.give_up);
        waiting.hang_up
    }
}
