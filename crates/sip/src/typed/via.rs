//! Via and CSeq: borrowed, since every message needs them.

use super::uri::ipv6;
use super::{Params, Unreadable, digits, is_token};

/// A CSeq value (RFC 3261 §20.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Below 2^31.
    pub number: u32,
    /// The method.
    pub method: &'a str,
}

impl<'a> CSeq<'a> {
    /// Reads the value.
    ///
    /// # Errors
    /// When it is not a number below 2^31 (RFC 3261 §8.1.1.5) and a token.
    pub fn parse(value: &'a str) -> Result<Self, Unreadable> {
        const WHAT: Unreadable = Unreadable("CSeq");
        let (number, method) = value.split_once([' ', '\t']).ok_or(WHAT)?;
        let method = method.trim();
        let number = digits(number).filter(|number| *number < 1 << 31).ok_or(WHAT)?;
        is_token(method).then_some(Self { number, method }).ok_or(WHAT)
    }
}

/// One Via value (RFC 3261 §20.42, RFC 3581).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    /// The transport token as written.
    pub transport: &'a str,
    /// The host of sent-by as written, an IPv6 address in brackets.
    pub host: &'a str,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// The branch, when there is one.
    pub branch: Option<&'a str>,
    /// Whether `rport` stands there, with a value or without.
    pub rport: bool,
}

impl<'a> Via<'a> {
    /// Reads one Via value.
    ///
    /// # Errors
    /// On anything but `SIP/2.0/transport host[:port];params`, and on a branch or `rport` that stands twice.
    pub fn parse(value: &'a str) -> Result<Self, Unreadable> {
        const WHAT: Unreadable = Unreadable("Via");
        let (transport, rest) = split_protocol(value).ok_or(WHAT)?;
        let (sent_by, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let (host, port) = split_host_port(sent_by.trim()).ok_or(WHAT)?;
        let mut via = Self { transport, host, port, branch: None, rport: false };
        for param in Params(params) {
            let (name, value) = param.map_err(|_| WHAT)?;
            let repeated = if name.eq_ignore_ascii_case("branch") {
                via.branch.replace(value.ok_or(WHAT)?).is_some()
            } else {
                name.eq_ignore_ascii_case("rport") && std::mem::replace(&mut via.rport, true)
            };
            if repeated {
                return Err(WHAT);
            }
        }
        Ok(via)
    }
}

/// Takes `SIP / 2.0 / transport` off the front: the transport and what follows.
fn split_protocol(value: &str) -> Option<(&str, &str)> {
    let (name, rest) = value.split_once('/')?;
    let (version, rest) = rest.split_once('/')?;
    let rest = rest.trim_start();
    let (transport, rest) = rest.split_once([' ', '\t'])?;
    let sound = name.trim().eq_ignore_ascii_case("SIP") && version.trim() == "2.0" && is_token(transport);
    sound.then_some((transport, rest))
}

fn split_host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, port) = text.split_at_checked(end)?;
    let host = host.trim_end();
    let port = match port.trim_start().strip_prefix(':') {
        Some(port) => Some(u16::try_from(digits(port.trim())?).ok()?),
        None if port.trim().is_empty() => None,
        None => return None,
    };
    is_host(host).then_some((host, port))
}

/// Underscores are in no host name's grammar but in many host names.
fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => ipv6(address).is_some(),
        None => {
            let fits = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
            !text.is_empty() && text.bytes().all(fits)
        }
    }
}
