//! The client machines: INVITE (RFC 3261 §17.1.1 with RFC 6026 §7.2) and all others (§17.1.2).

use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::ClientId;
use crate::message::{Method, Request, Response};
use crate::timer::{Timer, TimerKey};
use crate::token::Token;
use crate::transport::Hop;

use super::Clock;

pub(crate) type ClientTransactionId = crate::slots::Id<ClientTransaction>;

/// One sending of a request of ours and what came back.
#[derive(Debug)]
pub(crate) struct ClientTransaction {
    /// The branch.
    pub(crate) branch: Token,
    /// The request, its Via in it.
    pub(crate) request: Arc<Request>,
    /// Where it goes.
    pub(crate) hop: Hop,
    /// Who wants to know.
    pub(crate) owner: Option<ClientId>,
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// INVITE, Calling.
    Calling { interval: Duration, again: Option<TimerKey>, timeout: TimerKey },
    /// INVITE, Proceeding.
    Ringing,
    /// INVITE, Completed: refused; the ACK is sent again for each repetition.
    Refused { ack: Vec<u8>, over: TimerKey },
    /// INVITE, Accepted (RFC 6026): further 2xx are for the dialogs.
    Accepted { over: TimerKey },
    /// Not INVITE, Trying and Proceeding.
    Trying { interval: Duration, again: Option<TimerKey>, timeout: TimerKey },
    /// Not INVITE, Completed: repetitions of the answer are absorbed.
    Answered { over: TimerKey },
    /// Terminated.
    Over,
}

/// What a response is to the one who sent the request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A repetition, absorbed.
    Nothing,
    /// A repeated refusal of an INVITE: this ACK goes out again.
    AckAgain(Vec<u8>),
    /// A provisional response.
    Provisional,
    /// The final response; `ack` is what goes out for it where an INVITE was refused.
    Final { ack: Option<Vec<u8>> },
    /// A 2xx to an INVITE that was accepted already.
    Accepted,
}

impl ClientTransaction {
    pub(crate) fn new(branch: Token, request: Arc<Request>, hop: Hop, owner: Option<ClientId>) -> Self {
        let reliable = matches!(hop, Hop::Connection(_));
        Self { branch, request, hop, owner, reliable, state: State::Over }
    }

    pub(crate) fn is_invite(&self) -> bool {
        self.request.method == Method::INVITE
    }

    pub(crate) fn is_cancel(&self) -> bool {
        self.request.method == Method::CANCEL
    }

    /// Whether the final response is still awaited.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Ringing | State::Trying { .. })
    }

    /// Whether a provisional response came: only then a CANCEL may go out (RFC 3261 §9.1).
    pub(crate) fn is_ringing(&self) -> bool {
        matches!(self.state, State::Ringing)
    }

    /// Whether any response came. For another request than INVITE that is not kept: a provisional one says little there.
    pub(crate) fn has_heard(&self) -> bool {
        !matches!(self.state, State::Calling { .. } | State::Trying { .. })
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The request went out for the first time.
    pub(crate) fn start(&mut self, id: ClientTransactionId, clock: &mut Clock<'_>) {
        let (interval, end) = (clock.values.t1, clock.now + clock.values.timeout());
        let (a_or_e, b_or_f) =
            if self.is_invite() { (Timer::A(id), Timer::B(id)) } else { (Timer::E(id), Timer::F(id)) };
        let again = (!self.reliable).then(|| clock.timers.set(clock.now + interval, a_or_e));
        let timeout = clock.timers.set(end, b_or_f);
        self.state = if self.is_invite() {
            State::Calling { interval, again, timeout }
        } else {
            State::Trying { interval, again, timeout }
        };
    }

    /// Timer A or E: the octets to send again.
    pub(crate) fn resend(&mut self, id: ClientTransactionId, clock: &mut Clock<'_>) -> Option<Vec<u8>> {
        match &mut self.state {
            State::Calling { interval, again, .. } => {
                *interval = interval.saturating_mul(2);
                *again = Some(clock.timers.set(clock.now + *interval, Timer::A(id)));
            }
            State::Trying { interval, again, .. } => {
                *interval = interval.saturating_mul(2).min(clock.values.t2);
                *again = Some(clock.timers.set(clock.now + *interval, Timer::E(id)));
            }
            _ => return None,
        }
        Some(self.request.encode())
    }

    /// A response came.
    pub(crate) fn heard(&mut self, id: ClientTransactionId, response: &Response, clock: &mut Clock<'_>) -> Heard {
        match &self.state {
            State::Calling { .. } | State::Ringing => self.heard_by_invite(id, response, clock),
            State::Trying { .. } => self.heard_by_other(id, response, clock),
            State::Refused { ack, .. } if response.code >= 300 => Heard::AckAgain(ack.clone()),
            State::Accepted { .. } if (200..300).contains(&response.code) => Heard::Accepted,
            _ => Heard::Nothing,
        }
    }

    /// Ends it: whatever still comes is a stranger's.
    pub(crate) fn end(&mut self, clock: &mut Clock<'_>) {
        let timers = &mut *clock.timers;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Calling { again, timeout, .. } | State::Trying { again, timeout, .. } => {
                timers.stop(timeout);
                again.into_iter().for_each(|key| timers.stop(key));
            }
            State::Refused { over, .. } | State::Accepted { over } | State::Answered { over } => timers.stop(over),
            State::Ringing | State::Over => {}
        }
    }

    fn heard_by_invite(&mut self, id: ClientTransactionId, response: &Response, clock: &mut Clock<'_>) -> Heard {
        self.end(clock);
        match response.code {
            ..200 => {
                self.state = State::Ringing;
                Heard::Provisional
            }
            200..300 => {
                let over = clock.timers.set(clock.now + clock.values.timeout(), Timer::M(id));
                self.state = State::Accepted { over };
                Heard::Final { ack: None }
            }
            _ => {
                let ack = ack_to_refusal(&self.request, response).encode();
                if !self.reliable {
                    // Timer D: at least 32 s, however short T1 is.
                    let over = clock.timers.set(clock.now + Duration::from_secs(32), Timer::D(id));
                    self.state = State::Refused { ack: ack.clone(), over };
                }
                Heard::Final { ack: Some(ack) }
            }
        }
    }

    fn heard_by_other(&mut self, id: ClientTransactionId, response: &Response, clock: &mut Clock<'_>) -> Heard {
        if response.code >= 200 {
            self.end(clock);
            if !self.reliable {
                self.state = State::Answered { over: clock.timers.set(clock.now + clock.values.t4, Timer::K(id)) };
            }
            return Heard::Final { ack: None };
        }
        if let State::Trying { interval, .. } = &mut self.state {
            // Proceeding: timer E goes on at T2 (§17.1.2.2); the interval is doubled when it fires, and bounded by T2.
            *interval = clock.values.t2;
        }
        Heard::Provisional
    }
}

/// The ACK to a refusal (RFC 3261 §17.1.1.3): of the same transaction, so with the INVITE's branch.
fn ack_to_refusal(invite: &Request, response: &Response) -> Request {
    let mut ack = hop_by_hop(invite, Method::ACK);
    ack.headers.remove("To");
    ack.headers.push("To", response.header("To").unwrap_or_default());
    ack
}

/// The CANCEL of an INVITE (RFC 3261 §9.1).
pub(crate) fn cancel_of(invite: &Request) -> Request {
    hop_by_hop(invite, Method::CANCEL)
}

/// A request that goes the way of an INVITE, hop by hop, and is known by the same branch.
fn hop_by_hop(invite: &Request, method: Method) -> Request {
    let mut request = Request::new(method, invite.uri.clone());
    for name in ["Via", "Route", "Max-Forwards", "From", "To", "Call-ID"] {
        request.headers.copy_from(&invite.headers, name);
    }
    let number = invite.header("CSeq").and_then(|value| value.split(' ').next()).unwrap_or_default();
    let cseq = format!("{number} {}", request.method);
    request.headers.push("CSeq", cseq);
    request
}
