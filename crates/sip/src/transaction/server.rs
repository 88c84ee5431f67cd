//! The server machines: INVITE (RFC 3261 §17.2.1 with RFC 6026 §7.1) and all others (§17.2.2 with RFC 4320).

use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::{DialogId, TransactionId};
use crate::message::{Method, Request};
use crate::timer::{Timer, TimerKey};
use crate::token::Token;

use super::Clock;
use super::key::Reply;

/// How often an INVITE without a final answer shows that it is alive.
const MINUTE: Duration = Duration::from_secs(60);

/// A request of a peer and what was answered.
#[derive(Debug)]
pub struct ServerTransaction {
    /// What it is found by.
    pub(crate) key: Arc<str>,
    /// What a second copy of it is found by; empty within a dialog.
    pub(crate) merged: Arc<str>,
    /// Where responses go.
    pub(crate) reply: Reply,
    /// The tag that responses add to To.
    pub(crate) to_tag: Token,
    /// The dialog it is in or has made.
    pub(crate) dialog: Option<DialogId>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Trying and Proceeding: no final answer yet. The last provisional response is sent again when the request comes again.
    Open { request: Arc<Request>, last: Option<Vec<u8>>, timer: Option<TimerKey>, expires: Option<TimerKey> },
    /// INVITE, Completed: refused, the ACK is awaited.
    Refused { response: Vec<u8>, interval: Duration, again: Option<TimerKey>, give_up: TimerKey },
    /// INVITE, Confirmed: the ACK came, its repetitions are absorbed.
    Confirmed { over: TimerKey },
    /// INVITE, Accepted (RFC 6026): repeated INVITEs are absorbed; the 2xx is the dialog's business.
    Accepted { over: TimerKey },
    /// Not INVITE, Completed: the request came through; its repetitions get the response again.
    Answered { response: Vec<u8>, over: TimerKey },
    /// Terminated.
    Over,
}

/// What a machine asks its table for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing.
    Stay,
    /// Send these octets.
    Send(Vec<u8>),
    /// The transaction is over.
    Remove,
}

impl ServerTransaction {
    pub(crate) fn new(key: Arc<str>, merged: Arc<str>, reply: Reply, to_tag: Token, request: Arc<Request>) -> Self {
        let state = State::Open { request, last: None, timer: None, expires: None };
        Self { key, merged, reply, to_tag, dialog: None, state }
    }

    /// These timers wait for an answer.
    pub(crate) fn start(&mut self, trying: TimerKey, expired: Option<TimerKey>) {
        if let State::Open { timer, expires, .. } = &mut self.state {
            (*timer, *expires) = (Some(trying), expired);
        }
    }

    /// The octets it holds, about.
    pub(crate) fn weight(&self) -> usize {
        let kept = match &self.state {
            State::Open { request, last, .. } => request.weight() + last.as_ref().map_or(0, Vec::len),
            State::Refused { response, .. } | State::Answered { response, .. } => response.len(),
            State::Confirmed { .. } | State::Accepted { .. } | State::Over => 0,
        };
        kept + self.key.len() + self.merged.len()
    }

    /// How long a new transaction waits: until a 100 is due.
    pub(crate) fn trying_after(request: &Request, clock: &Clock<'_>) -> Duration {
        if request.method == Method::INVITE {
            return Duration::from_millis(200);
        }
        // RFC 4320 §4.1: T1 + 2·T1 + 4·T1 … until the interval is T2.
        let (mut after, mut interval) = (Duration::ZERO, clock.values.t1.max(Duration::from_millis(1)));
        while interval < clock.values.t2 {
            after += interval;
            interval *= 2;
        }
        after
    }

    /// The request, while it has no final answer.
    pub(crate) fn open(&self) -> Option<&Arc<Request>> {
        match &self.state {
            State::Open { request, .. } => Some(request),
            _ => None,
        }
    }

    /// Whether an INVITE was accepted: an ACK that matches is then for the dialog (RFC 6026 §7.1).
    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self.state, State::Accepted { .. })
    }

    /// The request came again: what to send again.
    pub(crate) fn repeated(&self) -> Option<&[u8]> {
        match &self.state {
            State::Open { last, .. } => last.as_deref(),
            State::Refused { response, .. } | State::Answered { response, .. } => Some(response),
            State::Confirmed { .. } | State::Accepted { .. } | State::Over => None,
        }
    }

    /// A provisional response goes out.
    pub(crate) fn provisional(&mut self, response: Vec<u8>) {
        if let State::Open { last, .. } = &mut self.state {
            *last = Some(response);
        }
    }

    /// Whether anything was answered.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.state, State::Open { last: None, .. })
    }

    /// A 2xx to an INVITE goes out.
    pub(crate) fn accepted(&mut self, id: TransactionId, clock: &mut Clock<'_>) {
        self.stop(clock);
        let over = clock.timers.set(clock.now + clock.values.timeout(), Timer::L(id));
        self.state = State::Accepted { over };
    }

    /// A refusal of an INVITE goes out.
    pub(crate) fn refused(&mut self, id: TransactionId, response: Vec<u8>, clock: &mut Clock<'_>) -> Next {
        self.stop(clock);
        let interval = clock.values.t1;
        let unreliable = !self.reply.source.transport.is_reliable();
        let again = unreliable.then(|| clock.timers.set(clock.now + interval, Timer::G(id)));
        let give_up = clock.timers.set(clock.now + clock.values.timeout(), Timer::H(id));
        self.state = State::Refused { response, interval, again, give_up };
        Next::Stay
    }

    /// The final response to another request goes out.
    pub(crate) fn answered(&mut self, id: TransactionId, response: Vec<u8>, clock: &mut Clock<'_>) -> Next {
        self.stop(clock);
        if self.reply.source.transport.is_reliable() {
            return Next::Remove;
        }
        let over = clock.timers.set(clock.now + clock.values.timeout(), Timer::J(id));
        self.state = State::Answered { response, over };
        Next::Stay
    }

    /// The ACK to a refusal came.
    pub(crate) fn acknowledged(&mut self, id: TransactionId, clock: &mut Clock<'_>) -> Next {
        if !matches!(self.state, State::Refused { .. }) {
            return Next::Stay;
        }
        self.stop(clock);
        if self.reply.source.transport.is_reliable() {
            return Next::Remove;
        }
        let over = clock.timers.set(clock.now + clock.values.t4, Timer::I(id));
        self.state = State::Confirmed { over };
        Next::Stay
    }

    /// Timer G: the refusal is sent again.
    pub(crate) fn resend(&mut self, id: TransactionId, clock: &mut Clock<'_>) -> Next {
        let State::Refused { response, interval, again, .. } = &mut self.state else { return Next::Stay };
        *interval = interval.saturating_mul(2).min(clock.values.t2);
        *again = Some(clock.timers.set(clock.now + *interval, Timer::G(id)));
        Next::Send(response.clone())
    }

    /// The time for a 100 came: what is waited for next. An INVITE is kept alive (RFC 3261 §13.3.1.1), another request is
    /// left at last (RFC 4320 §4.2).
    pub(crate) fn tried(&mut self, id: TransactionId, clock: &mut Clock<'_>) {
        let State::Open { request, timer, .. } = &mut self.state else { return };
        *timer = Some(if request.method == Method::INVITE {
            clock.timers.set(clock.now + MINUTE, Timer::Alive(id))
        } else {
            let spent = Self::trying_after(request, clock);
            clock.timers.set(clock.now + clock.values.timeout().saturating_sub(spent), Timer::Late(id))
        });
    }

    /// A minute passed: the last provisional response.
    pub(crate) fn keep_alive(&mut self, id: TransactionId, clock: &mut Clock<'_>) -> Next {
        let State::Open { timer, last, .. } = &mut self.state else { return Next::Stay };
        *timer = Some(clock.timers.set(clock.now + MINUTE, Timer::Alive(id)));
        match last {
            Some(response) if !response.starts_with(b"SIP/2.0 100 ") => Next::Send(response.clone()),
            _ => Next::Stay,
        }
    }

    /// Stops what runs; the transaction is over.
    pub(crate) fn end(&mut self, clock: &mut Clock<'_>) {
        self.stop(clock);
    }

    fn stop(&mut self, clock: &mut Clock<'_>) {
        let timers = &mut *clock.timers;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Open { timer, expires, .. } => {
                timer.into_iter().chain(expires).for_each(|key| timers.stop(key));
            }
            State::Refused { again, give_up, .. } => {
                timers.stop(give_up);
                again.into_iter().for_each(|key| timers.stop(key));
            }
            State::Confirmed { over } | State::Accepted { over } | State::Answered { over, .. } => timers.stop(over),
            State::Over => {}
        }
    }
}
