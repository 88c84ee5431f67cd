//! What an endpoint is told once.

use std::time::Duration;

use crate::locate::Supported;
use crate::message::Method;
use crate::transport::Transport;
use crate::typed::Uri;

/// The base values of RFC 3261 §17's timers (Table 4), from which all timers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerValues {
    /// The round-trip estimate, 500 ms.
    pub t1: Duration,
    /// The longest interval between retransmissions of a non-INVITE request and of INVITE responses, 4 s.
    pub t2: Duration,
    /// How long a message stays in the network, 5 s.
    pub t4: Duration,
}

impl Default for TimerValues {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl TimerValues {
    /// 64·T1: timers B, F, H, J (unreliable), L and M, and the wait for the ACK of a 2xx.
    pub(crate) fn timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }
}

/// How much an endpoint keeps at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Server transactions. At the bound a request that would make a new one gets a stateless 503 with Retry-After.
    pub server_transactions: usize,
    /// Octets that all server transactions hold: requests without an answer, and answers that may have to be sent again.
    /// At the bound the same 503.
    pub server_octets: usize,
    /// Requests of our own under way. At the bound a new one is refused ([`crate::Refused::Full`]).
    pub client_transactions: usize,
    /// Dialogs. At the bound an INVITE that would make a new one gets 503 with Retry-After.
    pub dialogs: usize,
    /// Connections. At the bound a new one is closed.
    pub connections: usize,
    /// Octets of a message head. A stream that exceeds it gets 400 and is closed.
    pub head: usize,
    /// Octets of a body. A request that exceeds it gets 413, and a stream is closed.
    pub body: usize,
    /// How long a message on a stream may take from its first octet to its last, 30 s. After that the stream is closed.
    pub message_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            server_transactions: 100_000,
            server_octets: 256 * 1024 * 1024,
            client_transactions: 100_000,
            dialogs: 100_000,
            connections: 100_000,
            head: 64 * 1024,
            body: 256 * 1024,
            message_time: Duration::from_secs(30),
        }
    }
}

/// How long a session lasts without a sign that it is still wanted (RFC 4028), in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimers {
    /// What is asked for and at most agreed to.
    pub interval: u32,
    /// The least that is agreed to, 90 or more; who asks for less gets 422.
    pub min: u32,
}

impl Default for SessionTimers {
    fn default() -> Self {
        Self { interval: 1800, min: 90 }
    }
}

/// What an endpoint is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The timers' base values.
    pub timers: TimerValues,
    /// The bounds.
    pub limits: Limits,
    /// `host:port` for the Via of our own requests, for each transport; without an entry the local address of the
    /// connection or socket stands there.
    pub sent_by: Vec<(Transport, String)>,
    /// The value of Server and User-Agent; empty: neither is written.
    pub agent: String,
    /// The methods that are answered; others get 405. Also the value of Allow. CANCEL and ACK are always taken.
    pub allow: Vec<Method>,
    /// The option tags understood: the value of Supported, and what a Require may name (else 420).
    pub supported: Vec<String>,
    /// The value of Accept: media types of bodies.
    pub accept: Vec<String>,
    /// Further rows for what carries Allow, `Allow-Events` for example.
    pub capabilities: Vec<(String, String)>,
    /// The URI schemes a Request-URI may have, lower case; others get 416.
    pub schemes: Vec<String>,
    /// Whether a BYE that comes from elsewhere than the dialog's requests so far (another connection, another address)
    /// is for the user to judge, as an [`crate::Event::Request`]: challenged, refused, or answered by a 2xx, which ends the
    /// dialog. Otherwise whoever knows the tags can end it.
    pub judge_foreign_bye: bool,
    /// The transports that requests of ours may take and the networks they may go to where their way has to be found: by
    /// [`crate::Destination::Located`], or by the URI of a peer that cannot be reached where it was seen.
    pub outbound: Supported,
    /// The first hop of requests outside of dialogs whose destination is [`crate::Destination::Located`] and which have no
    /// route of their own (RFC 3261 §8.1.2). It may be in any network.
    pub outbound_proxy: Option<Uri>,
    /// Session timers; `None`: none is asked for, and `timer` is no extension that is understood.
    pub session_timers: Option<SessionTimers>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timers: TimerValues::default(),
            limits: Limits::default(),
            sent_by: Vec::new(),
            agent: String::new(),
            allow: vec![Method::INVITE, Method::ACK, Method::CANCEL, Method::BYE, Method::OPTIONS],
            supported: Vec::new(),
            accept: vec!["application/sdp".to_owned()],
            capabilities: Vec::new(),
            schemes: vec!["sip".to_owned(), "sips".to_owned()],
            judge_foreign_bye: false,
            outbound: Supported::default(),
            outbound_proxy: None,
            session_timers: None,
        }
    }
}
