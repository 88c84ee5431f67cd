//! MSRP URIs and paths of them (RFC 4975 §6).

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// The longest URI that is read, in octets.
pub const MAX_URI: usize = 2048;
/// The most URIs that a path may hold.
pub const MAX_HOPS: usize = 64;

/// Why a text is no MSRP URI or no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Longer than [`MAX_URI`].
    #[error("the URI is too long")]
    TooLong,
    /// Neither `msrp` nor `msrps`.
    #[error("the scheme is neither msrp nor msrps")]
    Scheme,
    /// No host, or one that cannot be.
    #[error("the host is missing or malformed")]
    Host,
    /// The port is no number below 65536.
    #[error("the port is malformed")]
    Port,
    /// An empty session-id or an octet that cannot stand in one.
    #[error("the session-id is malformed")]
    SessionId,
    /// No transport parameter, or a malformed one.
    #[error("the transport parameter is missing or malformed")]
    Transport,
    /// A malformed parameter behind the transport.
    #[error("a parameter is malformed")]
    Parameter,
    /// A path of no URI, or of more than [`MAX_HOPS`].
    #[error("a path holds one to {MAX_HOPS} URIs")]
    Hops,
}

/// An MSRP URI: `msrp://host:port/session-id;tcp`. It keeps its own text.
///
/// There is no `Eq`: two URIs are the same by the rules of [`Uri::matches`] (RFC 4975 §6.1), not by their text.
#[derive(Clone)]
pub struct Uri {
    text: Box<str>,
    secure: bool,
    host: Span,
    port: Option<u16>,
    session_id: Option<Span>,
    transport: Span,
}

/// A part of the text; a URI is no longer than [`MAX_URI`] octets.
#[derive(Clone, Copy)]
struct Span {
    start: u16,
    end: u16,
}

impl Uri {
    /// Reads one URI. The transport parameter must be there (RFC 4975 §9), its name may be any token.
    ///
    /// # Errors
    /// Names the part that is malformed.
    pub fn parse(text: &str) -> Result<Uri, UriError> {
        if text.len() > MAX_URI {
            return Err(UriError::TooLong);
        }
        let (secure, rest_at) = scheme(text).ok_or(UriError::Scheme)?;
        let rest = &text[rest_at..];
        let authority_end = rest.find(['/', ';', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(authority_end);
        let (host, port) = authority_parts(authority)?;
        let tail_at = rest_at + authority_end;

        let params_at = tail.find(';').ok_or(UriError::Transport)?;
        let session_id = match tail[..params_at].strip_prefix('/') {
            Some(id) if !id.is_empty() && id.bytes().all(is_session_octet) => Some(tail_at + 1..tail_at + params_at),
            None if params_at == 0 => None,
            _ => return Err(UriError::SessionId),
        };
        let transport_at = tail_at + params_at + 1;
        let transport = parameters(&text[transport_at..])?;
        Ok(Uri {
            text: text.into(),
            secure,
            host: Span::of(host.start + rest_at..host.end + rest_at),
            port,
            session_id: session_id.map(Span::of),
            transport: Span::of(transport_at..transport_at + transport),
        })
    }

    /// A URI over TCP for `host` (a name, an IPv4 or an IPv6 address, the latter with or without brackets).
    ///
    /// Characters that cannot stand in a host or a session-id are left out, so that no argument can break a header line.
    pub fn new(secure: bool, host: &str, port: u16, session_id: &str) -> Uri {
        let scheme = if secure { "msrps" } else { "msrp" };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let six = bare.parse::<Ipv6Addr>().is_ok();
        let host: String = bare.chars().filter(|c| is_host_octet(*c) || (six && *c == ':')).take(255).collect();
        let session_id: String =
            session_id.chars().filter(|c| u8::try_from(*c).is_ok_and(is_session_octet)).take(255).collect();
        let (open, close) = if six { ("[", "]") } else { ("", "") };

        let mut text = format!("{scheme}://{open}");
        let host_at = text.len();
        text.push_str(&host);
        let host = host_at..text.len();
        text.push_str(&format!("{close}:{port}"));
        let session_id = (!session_id.is_empty()).then(|| {
            text.push('/');
            let at = text.len();
            text.push_str(&session_id);
            at..text.len()
        });
        text.push_str(";tcp");
        let transport = text.len() - 3..text.len();
        Uri {
            secure,
            host: Span::of(host),
            port: Some(port),
            session_id: session_id.map(Span::of),
            transport: Span::of(transport),
            text: text.into(),
        }
    }

    /// The URI as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the scheme is `msrps`: TLS is underneath.
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// The host as written; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.part(self.host)
    }

    /// The port, where there is one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The session-id, where there is one.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.map(|span| self.part(span))
    }

    /// The transport as written, mostly `tcp`.
    pub fn transport(&self) -> &str {
        self.part(self.transport)
    }

    /// Whether both name the same session, by RFC 4975 §6.1: scheme and transport case-blind, hosts case-blind or by the
    /// value of the address, percent-encoded unreserved characters decoded, ports exactly (none differs from any),
    /// session-ids case-sensitive. Userinfo and further parameters do not count.
    pub fn matches(&self, other: &Uri) -> bool {
        self.secure == other.secure
            && self.port == other.port
            && self.session_id() == other.session_id()
            && self.transport().eq_ignore_ascii_case(other.transport())
            && same_host(self.host(), other.host())
    }

    fn part(&self, span: Span) -> &str {
        self.text.get(usize::from(span.start)..usize::from(span.end)).unwrap_or("")
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({})", self.text)
    }
}

/// One or more URIs separated by a space, as in To-Path, From-Path and the SDP attribute `path`: the first is the next
/// hop, the last the endpoint (RFC 4975 §7.1, §8.2).
#[derive(Debug, Clone)]
pub struct Path {
    first: Uri,
    rest: Vec<Uri>,
    /// The whole text, kept only where there are several.
    joined: Option<Box<str>>,
}

impl Path {
    /// Reads a path; several spaces between two URIs are taken for one.
    ///
    /// # Errors
    /// That of the first malformed URI, or [`UriError::Hops`].
    pub fn parse(text: &str) -> Result<Path, UriError> {
        let mut uris = text.split(' ').filter(|part| !part.is_empty());
        let first = Uri::parse(uris.next().ok_or(UriError::Hops)?)?;
        let mut rest = Vec::new();
        for uri in uris {
            if rest.len() + 1 >= MAX_HOPS {
                return Err(UriError::Hops);
            }
            rest.push(Uri::parse(uri)?);
        }
        let joined = (!rest.is_empty()).then(|| {
            let texts: Vec<&str> = std::iter::once(&first).chain(&rest).map(Uri::as_str).collect();
            texts.join(" ").into()
        });
        Ok(Path { first, rest, joined })
    }

    /// The next hop: where to connect.
    pub fn first(&self) -> &Uri {
        &self.first
    }

    /// The endpoint.
    pub fn last(&self) -> &Uri {
        self.rest.last().unwrap_or(&self.first)
    }

    /// How many URIs there are, at least one.
    #[allow(clippy::len_without_is_empty, reason = "a path is never empty")]
    pub fn len(&self) -> usize {
        self.rest.len() + 1
    }

    /// The URIs in order.
    pub fn iter(&self) -> impl Iterator<Item = &Uri> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// The text of a header or an attribute: the URIs with one space between them.
    pub fn as_str(&self) -> &str {
        self.joined.as_deref().unwrap_or(self.first.as_str())
    }
}

impl From<Uri> for Path {
    fn from(first: Uri) -> Path {
        Path { first, rest: Vec::new(), joined: None }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The session-id of the first URI in `uri_text`, by a scan that checks nothing else: for looking a session up on every
/// frame. None where there is no session-id or no MSRP scheme.
pub fn session_id_of(uri_text: &str) -> Option<&str> {
    let (_, at) = scheme(uri_text)?;
    let rest = uri_text.get(at..)?;
    let slash = rest.bytes().position(|b| matches!(b, b'/' | b';' | b' '))?;
    if rest.as_bytes().get(slash) != Some(&b'/') {
        return None;
    }
    let id = rest.get(slash + 1..)?;
    let end = id.bytes().position(|b| matches!(b, b';' | b' ')).unwrap_or(id.len());
    id.get(..end).filter(|id| !id.is_empty())
}

/// Whether the scheme is the secure one, and where the authority begins.
fn scheme(text: &str) -> Option<(bool, usize)> {
    let octets = text.as_bytes();
    let starts = |prefix: &[u8]| octets.get(..prefix.len()).is_some_and(|s| s.eq_ignore_ascii_case(prefix));
    if starts(b"msrp://") {
        Some((false, 7))
    } else if starts(b"msrps://") {
        Some((true, 8))
    } else {
        None
    }
}

/// The host's place in the authority, and the port.
fn authority_parts(authority: &str) -> Result<(Range<usize>, Option<u16>), UriError> {
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    if !authority.bytes().take(host_at).all(|b| b.is_ascii_graphic()) {
        return Err(UriError::Host);
    }
    let rest = &authority[host_at..];
    let (host, after) = if let Some(literal) = rest.strip_prefix('[') {
        let end = literal.find(']').ok_or(UriError::Host)?;
        literal[..end].parse::<Ipv6Addr>().map_err(|_| UriError::Host)?;
        (host_at + 1..host_at + 1 + end, &literal[end + 1..])
    } else {
        let end = rest.find(':').unwrap_or(rest.len());
        if end == 0 || !rest[..end].chars().all(is_host_octet) {
            return Err(UriError::Host);
        }
        (host_at..host_at + end, &rest[end..])
    };
    Ok((host, port(after)?))
}

/// `[":" port]`
fn port(text: &str) -> Result<Option<u16>, UriError> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix(':').ok_or(UriError::Port)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    digits.parse().map(Some).map_err(|_| UriError::Port)
}

/// Checks `transport *( ";" URI-parameter )` and gives the length of the transport.
fn parameters(text: &str) -> Result<usize, UriError> {
    let mut params = text.split(';');
    let transport = params.next().unwrap_or("");
    if transport.is_empty() || !transport.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(UriError::Transport);
    }
    let graphic = |b: u8| b.is_ascii_graphic();
    if !params.all(|param| !param.is_empty() && param.bytes().all(graphic)) {
        return Err(UriError::Parameter);
    }
    Ok(transport.len())
}

/// What RFC 3986 lets stand in a registered name, percent-encoding included.
fn is_host_octet(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,=%".contains(c)
}

/// RFC 4975 §9 allows unreserved, `+`, `=` and `/`; what else peers put there and cannot end it is let through.
fn is_session_octet(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~+=/!$&'()*,:@%".contains(&b)
}

fn same_host(a: &str, b: &str) -> bool {
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    let (a, b) = (decoded(a), decoded(b));
    if let (Ok(a), Ok(b)) = (a.parse::<Ipv6Addr>(), b.parse::<Ipv6Addr>()) {
        return a == b;
    }
    if let (Ok(a), Ok(b)) = (a.parse::<Ipv4Addr>(), b.parse::<Ipv4Addr>()) {
        return a == b;
    }
    a.eq_ignore_ascii_case(&b)
}

/// The host with percent-encoded unreserved characters decoded; other escapes stay as they are.
fn decoded(host: &str) -> Cow<'_, str> {
    if !host.contains('%') {
        return Cow::Borrowed(host);
    }
    let mut out = String::with_capacity(host.len());
    let mut rest = host;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let value = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()).map(char::from);
        match value {
            Some(c) if c.is_ascii_alphanumeric() || "-._~".contains(c) => {
                out.push(c);
                rest = &rest[at + 3..];
            }
            _ => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

impl Span {
    /// The range lies in a text of at most [`MAX_URI`] octets, so nothing is lost.
    fn of(range: Range<usize>) -> Span {
        Span { start: range.start as u16, end: range.end as u16 }
    }
}
