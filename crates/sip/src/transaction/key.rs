//! What a request is recognised by, and where its answers go.

use std::net::SocketAddr;

use crate::message::Request;
use crate::transport::{Source, Transport};
use crate::typed::{self, CSeq, Via};

use super::COOKIE;

/// What the top Via of a request says: where its answers go, and what makes it one with its repetitions.
pub(crate) struct Envelope {
    pub(crate) reply: Reply,
    stem: String,
}

impl Envelope {
    /// Reads the top Via, and completes it with `received` and `rport` (RFC 3261 §18.2.1, RFC 3581 §4).
    pub(crate) fn open(request: &mut Request, source: Source) -> Self {
        let mut address = source.remote;
        let row = request.header("Via").unwrap_or_default();
        let top = typed::split_list(row).next().unwrap_or_default();
        let Ok(via) = Via::parse(top) else {
            let stem = stem_of_rfc_2543(request, top);
            return Self { reply: Reply { source, address }, stem };
        };
        if !(source.transport == Transport::Udp && via.rport) {
            let port = via.port.unwrap_or(source.transport.default_port());
            address.set_port(if port == 0 { source.remote.port() } else { port });
        }
        let stem = match via.branch.filter(|branch| has_cookie(branch)) {
            Some(branch) => [branch, "\n", &via.host.to_ascii_lowercase(), &port_text(via.port)].concat(),
            None => stem_of_rfc_2543(request, top),
        };
        let stamped = stamp(top, &via, source.remote);
        if stamped != top {
            let others = row.trim_start().get(top.len()..).unwrap_or_default();
            request.headers.set("Via", stamped + others);
        }
        Self { reply: Reply { source, address }, stem }
    }

    /// The text that is the same for a request of that method and its repetitions (RFC 3261 §17.2.3). A CANCEL means the
    /// request that differs from it in nothing but the method (§9.1).
    pub(crate) fn key(&self, method: &str) -> String {
        // An ACK has the key of the INVITE whose refusal it confirms.
        let method = if method == "ACK" { "INVITE" } else { method };
        [method, "\n", &self.stem].concat()
    }
}

fn port_text(port: Option<u16>) -> String {
    port.map_or(String::new(), |port| format!(":{port}"))
}

/// A branch that is nothing but the cookie is not unique.
fn has_cookie(branch: &str) -> bool {
    branch.len() > COOKIE.len() && branch.get(..COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
}

/// Without a unique branch: Request-URI, From tag, Call-ID, CSeq and the top Via. The To tag is left aside, so that an ACK
/// finds its INVITE; within one dialog the CSeq numbers differ anyway.
fn stem_of_rfc_2543(request: &Request, top: &str) -> String {
    let header = |name| request.header(name).unwrap_or_default();
    let tag = typed::tag(header("From")).unwrap_or_default();
    let number = CSeq::parse(header("CSeq")).map_or(0, |cseq| cseq.number);
    format!("{top}\n{}\n{tag}\n{}\n{number}", request.uri, header("Call-ID"))
}

/// The text by which a request is known that came here a second time on another way (RFC 3261 §8.2.2.2).
pub(crate) fn of_merged(request: &Request) -> String {
    let header = |name| request.header(name).unwrap_or_default();
    let tag = typed::tag(header("From")).unwrap_or_default();
    format!("{}\n{tag}\n{}", header("Call-ID"), header("CSeq"))
}

/// Where the responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Where the request came from.
    pub(crate) source: Source,
    /// Where a datagram goes, or a new connection when the request's own is gone: always the address that the request
    /// came from, at the port that its Via asks for. `maddr` is not followed: it would let anybody aim answers at others.
    pub(crate) address: SocketAddr,
}

/// The Via value with `received` where sent-by does not name the sender's address or `rport` was asked for, and `rport`
/// filled in. What the sender wrote into these parameters itself goes.
fn stamp(value: &str, via: &Via<'_>, remote: SocketAddr) -> String {
    let host = via.host.trim_start_matches('[').trim_end_matches(']');
    let is_sender = host.parse() == Ok(remote.ip());
    let (sent_by, params) = value.split_at(value.find(';').unwrap_or(value.len()));
    let mut stamped = sent_by.trim_end().to_owned();
    for (name, value) in typed::Params(params).flatten() {
        if name.eq_ignore_ascii_case("received") {
            continue;
        }
        stamped.push(';');
        stamped.push_str(name);
        if name.eq_ignore_ascii_case("rport") {
            stamped.push_str(&format!("={}", remote.port()));
        } else if let Some(value) = value {
            stamped.push('=');
            stamped.push_str(value);
        }
    }
    if via.rport || !is_sender {
        stamped.push_str(&format!(";received={}", remote.ip()));
    }
    stamped
}
