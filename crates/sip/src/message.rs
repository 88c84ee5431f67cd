//! Messages as raw rows: what was written stays as it was written, typed values are for decisions.

use std::borrow::Cow;
use std::fmt;

use crate::typed;

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

/// One header field row: name and value as written (line folding undone, RFC 3261 §7.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    name: Cow<'static, str>,
    value: String,
}

impl Row {
    /// The name as written, perhaps in compact form.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value as written, without the white space around it.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether the row is of that header field: case-blind, compact forms (RFC 3261 §7.3.3) equal to long ones.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        long_form(&self.name).eq_ignore_ascii_case(long_form(name))
    }
}

/// Header field rows, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<Row>);

impl Headers {
    /// All rows in order.
    pub fn rows(&self) -> std::slice::Iter<'_, Row> {
        self.0.iter()
    }

    /// The value of the first row of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|row| row.is(name)).map(Row::value)
    }

    /// The values of all rows of that name, in order, each as written.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |row| row.is(name)).map(Row::value)
    }

    /// The elements of a comma-separated header field, over all its rows, in order.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.all(name).flat_map(typed::split_list)
    }

    /// How many rows of that name there are.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.all(name).count()
    }

    /// Appends a row. What could end the row early (CR, LF, NUL) becomes a space, so that no value can start a
    /// header field of its own; a name that is no token is left out altogether.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let name = name.into();
        if typed::is_token(&name) {
            self.0.push(Row { name, value: one_line(value.into()) });
        }
    }

    /// Takes out every row of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|row| !row.is(name));
    }

    pub(crate) fn push_read(&mut self, name: &str, value: String) {
        let name = well_known_name(name).map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed);
        self.0.push(Row { name, value });
    }

    pub(crate) fn last_value_mut(&mut self) -> Option<&mut String> {
        self.0.last_mut().map(|row| &mut row.value)
    }

    pub(crate) fn first_value_mut(&mut self, name: &str) -> Option<&mut String> {
        self.0.iter_mut().find(|row| row.is(name)).map(|row| &mut row.value)
    }

    pub(crate) fn copy_from(&mut self, other: &Headers, name: &str) {
        self.0.extend(other.0.iter().filter(|row| row.is(name)).cloned());
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for row in &self.0 {
            out.extend_from_slice(row.name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(row.value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// A request. From [`crate::parse`] it always has one readable From, To, Call-ID and CSeq and at least one Via.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The Request-URI as written.
    pub uri: String,
    /// The rows. Content-Length is written by [`Request::encode`] and need not be among them.
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

    /// The octets on the wire, Content-Length written from the body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.body.len());
        for part in [self.method.as_str(), " ", &self.uri, " SIP/2.0\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        finish(out, &self.headers, &self.body)
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 699.
    pub code: u16,
    /// The reason phrase.
    pub reason: String,
    /// The rows. Content-Length is written by [`Response::encode`] and need not be among them.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The response to `request` (RFC 3261 §8.2.6.2): Via, From, To, Call-ID and CSeq copied as they were written, and
    /// `to_tag` added to a To without one. Record-Route is copied into what may make a dialog (§12.1.1).
    #[must_use]
    pub fn to(request: &Request, code: u16, to_tag: Option<&str>) -> Self {
        let mut headers = Headers(Vec::with_capacity(12));
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            headers.copy_from(&request.headers, name);
        }
        if let (Some(tag), Some(to)) = (to_tag, headers.first_value_mut("To")) {
            if typed::tag(to).is_none() {
                to.push_str(";tag=");
                to.push_str(tag);
            }
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
        let mut out = Vec::with_capacity(512 + self.body.len());
        out.extend_from_slice(format!("SIP/2.0 {:03} ", self.code).as_bytes());
        out.extend_from_slice(self.reason.as_bytes());
        out.extend_from_slice(b"\r\n");
        finish(out, &self.headers, &self.body)
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

fn finish(mut out: Vec<u8>, headers: &Headers, body: &[u8]) -> Vec<u8> {
    headers.encode(&mut out);
    if headers.get("Content-Length").is_none() {
        out.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

pub(crate) fn one_line(value: String) -> String {
    if value.bytes().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
        return value.replace(['\r', '\n', '\0'], " ");
    }
    value
}

/// The reason phrase of RFC 3261 §21 and the IANA registry; empty for codes without one.
#[must_use]
pub fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => "",
    }
}

/// The long form of a compact name (RFC 3261 §7.3.3 and the IANA registry), or the name itself.
fn long_form(name: &str) -> &str {
    let [letter] = name.as_bytes() else { return name };
    match letter.to_ascii_lowercase() {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => name,
    }
}

/// The names that are common enough not to be allocated, exactly as usually written.
fn well_known_name(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 19] = [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Max-Forwards",
        "Content-Type",
        "Content-Length",
        "Record-Route",
        "Route",
        "User-Agent",
        "Server",
        "Allow",
        "Supported",
        "Require",
        "Accept",
        "Authorization",
        "Expires",
    ];
    NAMES.into_iter().find(|known| *known == name)
}
