//! A SIP user agent core without sockets, threads or a clock.
//!
//! [`Endpoint`] is both sides of a user agent (RFC 3261): it takes octets and the time, and gives octets, timers and
//! [`Event`]s. Messages, framing, transactions (RFC 3261 §17, RFC 6026, RFC 4320), dialogs with their INVITE usage and what
//! other usages need of them (§12–15, RFC 3311, RFC 5057, RFC 6665), session timers (RFC 4028), digest authentication
//! (RFC 7616, RFC 8760).
//!
//! Where requests go is found by [`locate`] (RFC 3263).
//!
//! Deliberately not here: sockets, DNS itself, SDP, forking proxies, registrars, reliable provisional
//! responses (RFC 3262), RFC 2543's transaction matching beyond what absorbs its retransmissions.

pub mod auth;
mod dialog;
mod endpoint;
pub mod event;
mod framing;
pub mod locate;
mod message;
pub mod multipart;
mod network;
mod parse;
mod slots;
mod timer;
mod token;
mod transaction;
mod transport;
pub mod typed;
mod usage;

pub use dialog::Dialog;
pub use endpoint::{
    Answer, Cause, ClientId, Config, Counts, DialogId, Endpoint, Event, Failure, Input, Limits, Outgoing, Output,
    QueryId, Refused, SessionTimers, TimerValues, TransactionId, Within,
};
pub use framing::{Frame, Framer};
pub use message::{Body, Headers, Message, Method, Request, Response, Row, reason_phrase};
pub use network::Network;
pub use parse::{Malformed, parse};
pub use slots::Id;
pub use transport::{ConnectionId, Destination, Hop, Source, Transport};
