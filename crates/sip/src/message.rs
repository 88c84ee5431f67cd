//! Messages as raw rows: what was written stays as it was written, typed values are for decisions.

mod headers;
mod names;

use std::borrow::Cow;
use std::fmt;

use crate::typed;

pub use headers::{Headers, Row};
pub use names::reason_phrase;
pub(crate) use names::same_name;

/// A method. Any token is one (RFC 3261 §7.1); compared case-sensitively.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(Cow<'static, str>);

macro_rules! methods {
    ($($name:ident $rfc:literal),* $(,)?) => {
        impl Method {
            $(#[doc = concat!(stringify!($name), ", ", $rfc, ".")]
            pub const $name: Method = Method(Cow::Borrowed(stringify!($name)));)*

            fn well_known(token: &str) -> Option<Method> {
                match token {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

methods! {
    INVITE "RFC 3261 §13", ACK "RFC 3261 §17.1.1.3", BYE "RFC 3261 §15", CANCEL "RFC 3261 §9", OPTIONS "RFC 3261 §11",
    REGISTER "RFC 3261 §10", INFO "RFC 6086", PRACK "RFC 3262", UPDATE "RFC 3311", SUBSCRIBE "RFC 6665",
    NOTIFY "RFC 6665", REFER "RFC 3515", MESSAGE "RFC 3428", PUBLISH "RFC 3903",
}

impl Method {
    /// The method of that name; `None` when it is not a token.
    #[must_use]
    pub fn new(token: &str) -> Option<Self> {
        Self::well_known(token).or_else(|| typed::is_token(token).then(|| Self(Cow::Owned(token.to_owned()))))
    }

    /// The token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of the constants here.
    #[must_use]
    pub fn is_well_known(&self) -> bool {
        Self::well_known(&self.0).is_some()
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request. From [`crate::parse`] it always has one readable From, To, Call-ID and CSeq and at least one Via.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The Request-URI as written.
    pub uri: String,
    /// The rows. [`Request::encode`] writes a Content-Length of its own, whatever stands here.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without rows or body.
    #[must_use]
    pub fn new(method: Method, uri: impl Into<String>) -> Self {
        Self { method, uri: uri.into(), headers: Headers::default(), body: Vec::new() }
    }

    /// The value of the first row of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The values of all rows of that name, in order.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.headers.all(name)
    }

    /// The From header field.
    ///
    /// # Errors
    /// When there is none that can be read; never for a request that was parsed.
    pub fn from(&self) -> Result<typed::NameAddr, typed::Unreadable> {
        typed::NameAddr::parse(self.header("From").unwrap_or_default())
    }

    /// The To header field.
    ///
    /// # Errors
    /// When there is none that can be read; never for a request that was parsed.
    pub fn to(&self) -> Result<typed::NameAddr, typed::Unreadable> {
        typed::NameAddr::parse(self.header("To").unwrap_or_default())
    }

    /// The Request-URI, typed.
    ///
    /// # Errors
    /// When it is no URI.
    pub fn request_uri(&self) -> Result<typed::Uri, typed::Unreadable> {
        typed::Uri::parse(&self.uri)
    }

    /// How many octets it holds, about.
    pub(crate) fn weight(&self) -> usize {
        let rows: usize = self.headers.rows().map(|row| row.name().len() + row.value().len() + 4).sum();
        self.uri.len() + rows + self.body.len()
    }

    /// The octets on the wire, Content-Length written from the body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode([self.method.as_str(), " ", &self.uri, " SIP/2.0"], &self.headers, &self.body)
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 699.
    pub code: u16,
    /// The reason phrase.
    pub reason: String,
    /// The rows. [`Response::encode`] writes a Content-Length of its own, whatever stands here.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The response to `request` (RFC 3261 §8.2.6.2): Via, From, To, Call-ID and CSeq copied as they were written, and
    /// `to_tag` added to a To without one. Record-Route is copied into what may make a dialog (§12.1.1), Timestamp into a
    /// 100 (§8.2.6.1).
    #[must_use]
    pub fn to(request: &Request, code: u16, to_tag: Option<&str>) -> Self {
        let mut headers = Headers::with_capacity(12);
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            headers.copy_from(&request.headers, name);
        }
        if let (Some(tag), Some(to)) = (to_tag, headers.first_mut("To"))
            && typed::tag(to.value()).is_none()
        {
            to.extend(b";tag=");
            to.extend(tag.as_bytes());
        }
        if code == 100 {
            headers.copy_from(&request.headers, "Timestamp");
        }
        if (101..300).contains(&code) {
            headers.copy_from(&request.headers, "Record-Route");
        }
        Self { code, reason: reason_phrase(code).to_owned(), headers, body: Vec::new() }
    }

    /// The value of the first row of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The values of all rows of that name, in order.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.headers.all(name)
    }

    /// The octets on the wire, Content-Length written from the body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(["SIP/2.0 ", &format!("{:03}", self.code), " ", &self.reason], &self.headers, &self.body)
    }
}

/// A message of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// The octets on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.encode(),
            Self::Response(response) => response.encode(),
        }
    }
}

/// A body and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The value of Content-Type.
    pub content_type: String,
    /// The octets.
    pub octets: Vec<u8>,
}

fn encode(start: [&str; 4], headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + body.len());
    // Nothing in a start line can end it early.
    let start = start.iter().flat_map(|part| part.bytes());
    out.extend(start.map(|octet| if matches!(octet, b'\r' | b'\n' | 0) { b' ' } else { octet }));
    out.extend_from_slice(b"\r\n");
    headers.encode_without("Content-Length", &mut out);
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
    out
}
