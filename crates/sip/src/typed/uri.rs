//! URIs. The one place that knows `sip-uri`.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use sip_uri::{Component, ParseWarning, UriParse as _, WarningCode};

use super::Unreadable;

/// A URI: its text as written and its meaning (RFC 3261 §19.1, RFC 3966; other schemes opaque).
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    text: String,
    meaning: sip_uri::Uri,
    user: Option<String>,
}

impl Uri {
    /// Reads a URI. A `sip:` or `sips:` URI must keep the grammar of RFC 3261 §25.1, but for the colon too many before an
    /// embedded IPv4 address that this grammar asks for (RFC 5118 §4.10).
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
        if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
            let meaning = sip_uri::Uri::parse(text).map_err(|_| WHAT)?;
            let user = meaning.as_tel().and_then(|tel| tel.number()).map(str::to_owned);
            return Ok(Self { text: text.to_owned(), meaning, user });
        }
        let parsed = sip_uri::Uri::parse_with_warnings(&without_third_colon(text)).map_err(|_| WHAT)?;
        let sound = parsed.warnings.iter().all(is_no_breach);
        let has_host = parsed.value.as_sip().is_some_and(|sip| sip.host().is_some());
        let user = rest.split_once('@').map(|(user, _)| canonical_user(user));
        (sound && has_host).then(|| Self { text: text.to_owned(), meaning: parsed.value, user }).ok_or(WHAT)
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

    /// The user part of a SIP URI, all of it up to a password, in canonical form (needless escapes undone, the others
    /// in upper case); or the number of a tel URI as written.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
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
                self.user == other.user && a.host() == b.host() && a.port() == b.port()
            }
            (a, b) => sip_uri::UriEquivalence::equivalent(a, b),
        }
    }

    /// Whether both are equivalent by RFC 3261 §19.1.4, RFC 3966 §4 or RFC 8141 §3: for SIP URIs scheme, user, password,
    /// host, port, parameters and headers.
    #[must_use]
    pub fn equivalent(&self, other: &Uri) -> bool {
        (!self.is_sip() || self.user == other.user)
            && sip_uri::UriEquivalence::equivalent(&self.meaning, &other.meaning)
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

/// An IPv6 address, also with the third colon of RFC 5118 §4.10.
pub(super) fn ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok().or_else(|| text.contains('.').then(|| text.replacen(":::", "::", 1))?.parse().ok())
}

/// What `sip-uri` warns of although RFC 3261's grammar has it: `?`, `;` and `=` in any order within a user part.
fn is_no_breach(warning: &ParseWarning) -> bool {
    use WarningCode::{EmptyName, EmptySegment, EmptyUser, HeaderShapedUser};
    match warning.component {
        Component::User => matches!(warning.code, EmptyUser | HeaderShapedUser),
        Component::UserParam => matches!(warning.code, EmptyName | EmptySegment),
        _ => false,
    }
}

fn without_third_colon(text: &str) -> Cow<'_, str> {
    let bracketed = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    match bracketed {
        Some((inner, _)) if inner.contains(":::") && inner.contains('.') => text.replacen(":::", "::", 1).into(),
        _ => text.into(),
    }
}

/// The user part of a user-info: escapes of what needs none undone, the others in upper case (RFC 3261 §19.1.4).
fn canonical_user(user_info: &str) -> String {
    let user = user_info.split(':').next().unwrap_or_default();
    let mut pieces = user.split('%');
    let mut canonical = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (escape, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        match u8::from_str_radix(escape, 16) {
            Ok(octet) if octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet) => {
                canonical.push(char::from(octet));
            }
            _ => {
                canonical.push('%');
                canonical.push_str(&escape.to_ascii_uppercase());
            }
        }
        canonical.push_str(rest);
    }
    canonical
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.'))
}
