//! What a request is recognised by, and where its answers go.

use std::net::SocketAddr;

use crate::message::{Method, Request};
use crate::transport::{Source, Transport};
use crate::typed::{self, CSeq, Via};

use super::COOKIE;

/// The text that is the same for a request and its repetitions, and for the INVITE and the ACK to its refusal (RFC 3261
/// §17.2.3).
pub(crate) fn of(request: &Request) -> String {
    let method = if request.method == Method::ACK { Method::INVITE.as_str() } else { request.method.as_str() };
    of_method(request, method)
}

/// The key of the request of that method that a CANCEL means: all but the method is the same (RFC 3261 §9.1).
pub(crate) fn of_method(request: &Request, method: &str) -> String {
    let top = request.headers.list("Via").next().unwrap_or_default();
    match Via::parse(top) {
        Ok(Via { branch: Some(branch), host, port, .. }) if has_cookie(branch) => {
            let port = port.map_or(String::new(), |port| port.to_string());
            format!("{branch}\n{}:{port}\n{method}", host.to_ascii_lowercase())
        }
        _ => of_rfc_2543(request, top, method),
    }
}

/// A branch that is nothing but the cookie is not unique.
fn has_cookie(branch: &str) -> bool {
    branch.len() > COOKIE.len() && branch.get(..COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
}

/// Without a unique branch: Request-URI, From tag, Call-ID, CSeq and the top Via. The To tag is left aside, so that an ACK
/// finds its INVITE; within one dialog the CSeq numbers differ anyway.
fn of_rfc_2543(request: &Request, top: &str, method: &str) -> String {
    let header = |name| request.header(name).unwrap_or_default();
    let tag = typed::tag(header("From")).unwrap_or_default();
    let number = CSeq::parse(header("CSeq")).map_or(0, |cseq| cseq.number);
    format!("{top}\n{method}\n{}\n{tag}\n{}\n{number}", request.uri, header("Call-ID"))
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

impl Reply {
    /// Reads the way back out of the top Via, and completes that with `received` and `rport`.
    pub(crate) fn prepare(request: &mut Request, source: Source) -> Self {
        let mut address = source.remote;
        if let Some(row) = request.headers.first_mut("Via") {
            let first = typed::split_list(row.value()).next().unwrap_or_default();
            if let Ok(via) = Via::parse(first) {
                if !(source.transport == Transport::Udp && via.rport) {
                    address.set_port(via.port.unwrap_or(source.transport.default_port()));
                }
                let others = row.value().trim_start().get(first.len()..).unwrap_or_default();
                let stamped = stamp(first, &via, source.remote) + others;
                row.set_value(stamped);
            }
        }
        Self { source, address }
    }
}

/// The Via value with `received` where sent-by does not name the sender's address or `rport` was asked for, and `rport`
/// filled in. What the sender wrote into these parameters itself goes.
fn stamp(value: &str, via: &Via<'_>, remote: SocketAddr) -> String {
    let host = via.host.trim_start_matches('[').trim_end_matches(']');
    let is_sender = host.parse() == Ok(remote.ip());
    let (mut stamped, params) = match value.find(';') {
        Some(at) => (value[..at].trim_end().to_owned(), &value[at..]),
        None => (value.to_owned(), ""),
    };
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
