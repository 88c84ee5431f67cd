//! Typed values of header fields, for decisions.
//!
//! The one place that knows `sip-uri`. The other values are read here directly: borrowed where a transaction needs them
//! for every message, owned where a user keeps them.

use std::fmt;
use std::net::IpAddr;

use sip_uri::UriParse as _;

/// A value that breaks its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unreadable {0}")]
pub struct Unreadable(pub &'static str);

/// A URI: its text as written and its meaning (RFC 3261 §19.1, RFC 3966; other schemes opaque).
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    text: String,
    meaning: sip_uri::Uri,
}

impl Uri {
    /// Reads a URI. A `sip:` or `sips:` URI must keep the grammar of RFC 3261 §25.1.
    ///
    /// # Errors
    /// When the text is no URI, or a SIP URI without a host.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        const WHAT: Unreadable = Unreadable("URI");
        let (scheme, rest) = text.split_once(':').ok_or(WHAT)?;
        let fits = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'<' | b'>' | b'"');
        if !is_scheme(scheme) || rest.is_empty() || !text.bytes().all(fits) {
            return Err(WHAT);
        }
        let is_sip = scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips");
        let meaning =
            if is_sip { sip_uri::Uri::parse_strict(text) } else { sip_uri::Uri::parse(text) }.map_err(|_| WHAT)?;
        if is_sip && meaning.as_sip().is_none_or(|sip| sip.host().is_none()) {
            return Err(WHAT);
        }
        Ok(Self { text: text.to_owned(), meaning })
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme as written; compare it case-blind.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.text.split(':').next().unwrap_or_default()
    }

    /// Whether the scheme is `sip` or `sips`.
    #[must_use]
    pub fn is_sip(&self) -> bool {
        self.meaning.as_sip().is_some()
    }

    /// Whether the scheme is `sips`.
    #[must_use]
    pub fn is_sips(&self) -> bool {
        self.scheme().eq_ignore_ascii_case("sips")
    }

    /// The user part of a SIP URI in canonical form (needless escapes undone), or the number of a tel URI.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match &self.meaning {
            sip_uri::Uri::Sip(sip) => sip.user(),
            sip_uri::Uri::Tel(tel) => tel.number(),
            _ => None,
        }
    }

    /// The host of a SIP URI: lower case, an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        self.meaning.as_sip()?.host().map(|host| host.bare().to_string())
    }

    /// The host of a SIP URI when it is an address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.meaning.as_sip()?.host()?.ip()
    }

    /// The port as written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.meaning.as_sip()?.port()
    }

    /// The value of a parameter of a SIP URI, the empty text for one without a value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.meaning.as_sip()?.param(name).map(Option::unwrap_or_default)
    }

    /// Whether a SIP URI has a header part (`?…`).
    #[must_use]
    pub fn has_headers(&self) -> bool {
        self.meaning.as_sip().is_some_and(|sip| !sip.headers().is_empty())
    }

    /// Whether both name the same address of record: user and host, and the port as written; `sip` and `sips` alike,
    /// parameters and headers left aside (RFC 3261 §10.3 step 5). Other schemes: equal in meaning.
    #[must_use]
    pub fn same_address(&self, other: &Uri) -> bool {
        match (&self.meaning, &other.meaning) {
            (sip_uri::Uri::Sip(a), sip_uri::Uri::Sip(b)) => {
                a.user() == b.user()
                    && a.user_params() == b.user_params()
                    && a.host() == b.host()
                    && a.port() == b.port()
            }
            (a, b) => sip_uri::UriEquivalence::equivalent(a, b),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.text)
    }
}

/// A From, To, Contact, Route, … value (RFC 3261 §20.10): display name, URI, header parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, quoting undone.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// The header parameters in order, names as written, quoting of values undone.
    pub params: Vec<(String, Option<String>)>,
}

impl NameAddr {
    /// Reads one value, with angle brackets or without.
    ///
    /// # Errors
    /// On broken quoting or brackets, on a URI that [`Uri::parse`] refuses, and on `?` or `,` in a URI that stands
    /// without the brackets it then needs (RFC 3261 §20).
    pub fn parse(value: &str) -> Result<Self, Unreadable> {
        let parts = AddrParts::read(value)?;
        let mut params = Vec::new();
        for param in Params(parts.params) {
            let (name, value) = param?;
            params.push((name.to_owned(), value.map(unquote)));
        }
        let display = parts.display.trim();
        Ok(Self { display: (!display.is_empty()).then(|| unquote(display)), uri: Uri::parse(parts.uri)?, params })
    }

    /// The value of a parameter, the empty text for one without a value; names are case-blind.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_deref().unwrap_or_default())
    }

    /// The dialog tag of a From or To.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.param("tag").filter(|tag| !tag.is_empty())
    }
}

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
    /// When it is not a number below 2^31 and a token.
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
    /// On anything but `SIP/2.0/transport host[:port];params`.
    pub fn parse(value: &'a str) -> Result<Self, Unreadable> {
        const WHAT: Unreadable = Unreadable("Via");
        let (protocol, rest) = split_protocol(value).ok_or(WHAT)?;
        let (sent_by, params) = match rest.find(';') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = split_host_port(sent_by.trim()).ok_or(WHAT)?;
        let mut via = Self { transport: protocol, host, port, branch: None, rport: false };
        for param in Params(params) {
            let (name, value) = param.map_err(|_| WHAT)?;
            if name.eq_ignore_ascii_case("branch") {
                via.branch = value;
            } else if name.eq_ignore_ascii_case("rport") {
                via.rport = true;
            }
        }
        Ok(via)
    }
}

/// The tag parameter of a From or To value, as written.
#[must_use]
pub fn tag(value: &str) -> Option<&str> {
    let parts = AddrParts::read(value).ok()?;
    Params(parts.params).flatten().find(|(name, _)| name.eq_ignore_ascii_case("tag"))?.1.filter(|tag| !tag.is_empty())
}

/// The text of the URI in a From, To, Contact, Route, … value.
///
/// # Errors
/// On broken quoting or brackets.
pub fn uri_text(value: &str) -> Result<&str, Unreadable> {
    AddrParts::read(value).map(|parts| parts.uri)
}

/// Splits a comma-separated value outside of quotes and angle brackets; elements come without the space around them.
pub fn split_list(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let (element, more) = match outside_quotes(text, b',') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = more;
        Some(element.trim())
    })
}

/// Parameters: each `;name[=value]`, values as written.
#[derive(Debug, Clone, Copy)]
pub struct Params<'a>(pub &'a str);

impl<'a> Iterator for Params<'a> {
    type Item = Result<(&'a str, Option<&'a str>), Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0.trim_start();
        if text.is_empty() {
            return None;
        }
        self.0 = "";
        let Some(text) = text.strip_prefix(';') else { return Some(Err(Unreadable("parameter"))) };
        let (param, rest) = text.split_at(outside_quotes(text, b';').unwrap_or(text.len()));
        let (name, value) = match param.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (param.trim(), None),
        };
        let sound = is_token(name) && value.is_none_or(is_param_value);
        if sound {
            self.0 = rest;
        }
        Some(sound.then_some((name, value)).ok_or(Unreadable("parameter")))
    }
}

/// Whether the text is a token (RFC 3261 §25.1).
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&octet))
}

/// A quoted-string without its quotes and escapes; other text as it is.
#[must_use]
pub fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

/// Text as a quoted-string.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(if character.is_control() { ' ' } else { character });
    }
    quoted.push('"');
    quoted
}

/// Digits only, within `u32`.
pub(crate) fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

struct AddrParts<'a> {
    display: &'a str,
    uri: &'a str,
    params: &'a str,
}

impl<'a> AddrParts<'a> {
    fn read(value: &'a str) -> Result<Self, Unreadable> {
        const WHAT: Unreadable = Unreadable("address");
        let value = value.trim();
        let open = if value.starts_with('"') {
            let end = closing_quote(value).ok_or(WHAT)?;
            let open = value[end..].find('<').ok_or(WHAT)? + end;
            value[end..open].trim().is_empty().then_some(open).ok_or(WHAT)?
        } else {
            match value.find('<') {
                Some(open) if !value[..open].contains('"') => open,
                Some(_) => return Err(WHAT),
                None => return Self::without_brackets(value),
            }
        };
        let close = value[open..].find('>').ok_or(WHAT)? + open;
        Ok(Self { display: &value[..open], uri: &value[open + 1..close], params: &value[close + 1..] })
    }

    fn without_brackets(value: &'a str) -> Result<Self, Unreadable> {
        let (uri, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        if uri.contains(['?', ',', '"', '>']) {
            return Err(Unreadable("address"));
        }
        Ok(Self { display: "", uri: uri.trim(), params })
    }
}

/// The index just after the quote that closes the one at the start.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// The first `wanted` that stands neither in quotes nor in angle brackets.
fn outside_quotes(text: &str, wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (index, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !bracketed => quoted = !quoted,
            _ if quoted => {}
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            _ if octet == wanted && !bracketed => return Some(index),
            _ => {}
        }
    }
    None
}

fn is_param_value(value: &str) -> bool {
    if value.starts_with('"') {
        return closing_quote(value) == Some(value.len());
    }
    !value.is_empty() && !value.bytes().any(|octet| matches!(octet, b' ' | b'\t' | b'"' | b',' | b'<' | b'>' | b';'))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.'))
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
    let after = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, port) = text.split_at(after);
    let host = host.trim_end();
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'[' | b']' | b':');
    if host.is_empty() || !host.bytes().all(fits) {
        return None;
    }
    match port.trim_start().strip_prefix(':') {
        Some(port) => Some((host, Some(u16::try_from(digits(port.trim())?).ok()?))),
        None if port.trim().is_empty() => Some((host, None)),
        None => None,
    }
}
