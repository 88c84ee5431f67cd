//! What a session does with a frame.

use std::time::Instant;

use msrp::uri::Uri;
use room::{Refusal, SeatId};

use crate::ids::{ConnectionId, SessionId, StreamId};
use crate::mail::{Reply, Verdict};
use crate::settings::Media;
use crate::worker::Worker;

#[derive(Default)]
pub(crate) struct Passage;
pub(crate) struct Asked;
pub(crate) enum Frame {
    None,
}

pub(crate) fn own_path(media: &Media, secure: bool, session: &str) -> String {
    let place = if secure { &media.tls } else { &media.tcp };
    place.as_ref().map(|(host, port)| Uri::new(secure, host, *port, session).to_string()).unwrap_or_default()
}

pub(crate) fn same_uri(a: &str, b: &str) -> bool {
    a == b
}

pub(crate) fn code(_refusal: Refusal) -> u16 {
    403
}

impl Worker {
    pub(crate) fn received(&mut self, _now: Instant, _id: ConnectionId, _octets: &[u8]) {}
    pub(crate) fn chunk_timer_expired(&mut self, _now: Instant, _session: SessionId) {}
    pub(crate) fn judged(&mut self, _now: Instant, _seat: SeatId, _stream: StreamId, _verdict: Verdict) {}
    pub(crate) fn named(&mut self, _seat: SeatId, _reply: &Reply, _code: u16) {}
}
