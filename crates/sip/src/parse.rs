//! Octets to messages (RFC 3261 §7): strict, so that no two readers can read the same octets differently.

use crate::message::{Headers, Message, Method, Request, Response};
use crate::transaction::COOKIE;
use crate::typed::{self, CSeq, NameAddr, Uri, Via};

/// The most values a message may have of each header field that goes through proxies or makes a route.
const MAX_HOPS: usize = 70;
/// The most header field rows a message may have.
const MAX_ROWS: usize = 512;

/// Octets that are no sound message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    /// The status code that tells a peer so: 400, 413, 501, 505, 513.
    pub code: u16,
    /// What is wrong, in words fit for a reason phrase.
    pub reason: &'static str,
    /// What could be read of a request, for the answer; `None` for a response, or where nothing was like a request.
    pub request: Option<Box<Request>>,
}

/// What is wrong with a message: the status code and the reason phrase for it.
pub(crate) type Fault = (u16, &'static str);

pub(crate) const HEAD_TOO_LONG: Fault = (513, "Message Head Too Long");
pub(crate) const BODY_TOO_LONG: Fault = (413, "Request Entity Too Large");
const UNREADABLE_START: Fault = (400, "Unreadable Start Line");

/// Reads one whole message, as a datagram or a WebSocket message carries it. Octets beyond Content-Length are
/// discarded, and without Content-Length the body reaches to the end (RFC 3261 §18.3). Empty lines before the start line
/// are skipped.
///
/// # Errors
/// [`Malformed`] when the grammar or a rule about mandatory header fields is broken.
pub fn parse(octets: &[u8]) -> Result<Message, Malformed> {
    parse_within(octets, usize::MAX, usize::MAX)
}

/// The same, with the most octets that a head and a body may have.
pub(crate) fn parse_within(octets: &[u8], head_limit: usize, body_limit: usize) -> Result<Message, Malformed> {
    let octets = skip_empty_lines(octets);
    let found = find_head_end(octets, &mut 0);
    let (end, body) = found.unwrap_or((octets.len(), octets.len()));
    let (head, rest) = octets.split_at_checked(body).unwrap_or_default();
    let mut head = Head::read(head);
    if end > head_limit {
        head.overrule(HEAD_TOO_LONG);
    } else if found.is_none() {
        head.fault((400, "Head Without End"));
    }
    let mut body = match head.content_length() {
        Ok(Some(length)) => rest.get(..length).unwrap_or_else(|| {
            head.fault((400, "Body Shorter Than Content-Length"));
            &[]
        }),
        Ok(None) => rest,
        Err(fault) => {
            head.fault(fault);
            &[]
        }
    };
    if body.len() > body_limit {
        head.overrule(BODY_TOO_LONG);
        body = &[];
    }
    head.into_message(body.to_vec())
}

/// The octets without the empty lines at their start.
pub(crate) fn skip_empty_lines(mut octets: &[u8]) -> &[u8] {
    while let Some(rest) = octets.strip_prefix(b"\r\n") {
        octets = rest;
    }
    octets
}

/// Where a head ends, with its last line's end, and where the body begins, behind the empty line. `None` when that did
/// not come yet; `scanned` octets then need no second look. A line feed alone ends a line here too: [`Head::read`]
/// refuses such a head, but what asked for an answer can be read.
pub(crate) fn find_head_end(octets: &[u8], scanned: &mut usize) -> Option<(usize, usize)> {
    while let Some(at) = octets.get(*scanned..).and_then(|rest| memchr::memchr(b'\n', rest)) {
        let end = *scanned + at + 1;
        match octets.get(end..).unwrap_or_default() {
            [b'\n', ..] => return Some((end, end + 1)),
            [b'\r', b'\n', ..] => return Some((end, end + 2)),
            [] | [b'\r'] => {
                *scanned = end - 1;
                return None;
            }
            _ => *scanned = end,
        }
    }
    *scanned = octets.len();
    None
}

/// Reads header field rows, each with its line end or the last one without, and nothing else.
///
/// # Errors
/// On the first that is broken.
pub(crate) fn read_rows(octets: &[u8]) -> Result<Headers, Fault> {
    let mut head = Head::empty();
    head.rows(octets);
    head.fault.map_or(Ok(head.headers), Err)
}

/// A head: everything before the empty line, and the first fault met in it.
#[derive(Debug)]
pub(crate) struct Head {
    start: Start,
    headers: Headers,
    fault: Option<Fault>,
    uncertain: bool,
}

#[derive(Debug)]
enum Start {
    Request {
        method: Method,
        uri: String,
    },
    Response {
        code: u16,
        reason: String,
    },
    /// Nothing, or what begins like a response and is none.
    Unreadable,
    /// What could have been meant as a request.
    Garbled,
}

impl Head {
    /// Reads a head, up to and with the empty line that ends it. Never fails: what is wrong is kept as the fault.
    pub(crate) fn read(octets: &[u8]) -> Self {
        let mut head = Self::empty();
        let line_end = memchr::memchr(b'\n', octets).map_or(octets.len(), |end| end + 1);
        if let Some((start, rows)) = octets.split_at_checked(line_end) {
            let start = head.line_without_end(start);
            head.start_line(start);
            head.rows(rows);
        }
        head
    }

    fn empty() -> Self {
        Self { start: Start::Unreadable, headers: Headers::default(), fault: None, uncertain: false }
    }

    fn rows(&mut self, mut rest: &[u8]) {
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let (line, more) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = more;
            let line = self.line_without_end(line);
            if line.is_empty() {
                return;
            }
            if !self.row(line) {
                self.uncertain = true;
                return;
            }
        }
    }

    /// Notes what is wrong, unless something was before.
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// Notes what is wrong, whatever was before.
    pub(crate) fn overrule(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// Whether all lines were read, and no other reader could see their ends elsewhere.
    pub(crate) fn lines_are_certain(&self) -> bool {
        !self.uncertain
    }

    fn line_without_end<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        if let Some(line) = line.strip_suffix(b"\r\n") {
            return line;
        }
        self.uncertain = true;
        let Some(line) = line.strip_suffix(b"\n") else { return line };
        self.fault((400, "Line Feed Without Carriage Return"));
        line
    }

    /// The Content-Length, if there is one.
    ///
    /// # Errors
    /// When it stands there twice or is no number.
    pub(crate) fn content_length(&self) -> Result<Option<usize>, Fault> {
        let mut rows = self.headers.all("Content-Length");
        let Some(value) = rows.next() else { return Ok(None) };
        if rows.next().is_some() {
            return Err((400, "Repeated Content-Length"));
        }
        let length = typed::digits(value).and_then(|length| usize::try_from(length).ok());
        length.map(Some).ok_or((400, "Unreadable Content-Length"))
    }

    /// The message of this head and that body, all rules checked.
    pub(crate) fn into_message(mut self, body: Vec<u8>) -> Result<Message, Malformed> {
        if let Err(fault) = self.check() {
            self.fault(fault);
        }
        if !body.is_empty() && self.headers.get("Content-Type").is_none() {
            self.fault((400, "Missing Content-Type"));
        }
        let Self { start, headers, fault, .. } = self;
        let request = match start {
            Start::Request { method, uri } => Request { method, uri, headers, body },
            Start::Response { code, reason } => {
                return match fault {
                    None => Ok(Message::Response(Response { code, reason, headers, body })),
                    Some((code, reason)) => Err(Malformed { code, reason, request: None }),
                };
            }
            // The method that the answer repeats is the one of CSeq.
            Start::Garbled => {
                let cseq = headers.get("CSeq").and_then(|value| CSeq::parse(value).ok());
                let method = cseq.and_then(|cseq| Method::new(cseq.method));
                let request = method.map(|method| Box::new(Request { method, uri: String::new(), headers, body }));
                let (code, reason) = fault.unwrap_or(UNREADABLE_START);
                return Err(Malformed { code, reason, request });
            }
            Start::Unreadable => {
                let (code, reason) = fault.unwrap_or(UNREADABLE_START);
                return Err(Malformed { code, reason, request: None });
            }
        };
        match fault {
            None => Ok(Message::Request(request)),
            Some((code, reason)) => Err(Malformed { code, reason, request: Some(Box::new(request)) }),
        }
    }

    fn start_line(&mut self, line: &[u8]) {
        // A URI keeps no U+FFFD, so octets that are not UTF-8 pass only in a reason phrase.
        let line = String::from_utf8_lossy(line);
        if !line.bytes().all(|octet| octet == b'\t' || !octet.is_ascii_control()) {
            self.uncertain = true;
            self.fault((400, "Control Character In Start Line"));
        }
        if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/")) {
            self.status_line(&line);
        } else {
            self.request_line(&line);
        }
    }

    fn status_line(&mut self, line: &str) {
        let mut parts = line.splitn(3, ' ');
        let (version, code) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let code = (code.len() == 3).then(|| typed::digits(code)).flatten().and_then(|code| u16::try_from(code).ok());
        if let (true, Some(code @ 100..=699)) = (version.eq_ignore_ascii_case("SIP/2.0"), code) {
            self.start = Start::Response { code, reason: parts.next().unwrap_or_default().to_owned() };
        }
    }

    fn request_line(&mut self, line: &str) {
        self.start = Start::Garbled;
        let Some((method, rest)) = line.split_once([' ', '\t']) else { return };
        let Some(method) = Method::new(method) else { return };
        let (uri, version) = rest.trim().rsplit_once([' ', '\t']).unwrap_or((rest, ""));
        let exact = line.split(' ').eq([method.as_str(), uri, version]);
        self.start = Start::Request { method, uri: uri.to_owned() };
        if !is_version(version) || !exact {
            self.fault((400, "Bad Request Line"));
        } else if !version.eq_ignore_ascii_case("SIP/2.0") {
            self.fault((505, "Version Not Supported"));
        }
    }

    /// Takes one line; `false` when nothing more should be read.
    fn row(&mut self, line: &[u8]) -> bool {
        if !is_text(line) {
            self.uncertain = true;
            self.fault((400, "Control Character In Header Field"));
            return true;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            self.folded(line.trim_ascii());
            return true;
        }
        let colon = memchr::memchr(b':', line).and_then(|at| line.split_at_checked(at));
        let name = colon.and_then(|(name, _)| std::str::from_utf8(name.trim_ascii_end()).ok());
        match (name.filter(|name| typed::is_token(name)), colon) {
            (Some(name), Some((_, value))) => {
                self.headers.push_read(name, value.get(1..).unwrap_or_default().trim_ascii());
            }
            _ => self.fault((400, "Bad Header Field Name")),
        }
        let fits = self.headers.rows().len() < MAX_ROWS;
        if !fits {
            self.fault((400, "Too Many Header Fields"));
        }
        fits
    }

    fn folded(&mut self, more: &[u8]) {
        match self.headers.last_mut() {
            Some(row) if row.value().is_empty() => row.extend(more),
            Some(row) if !more.is_empty() => {
                row.extend(b" ");
                row.extend(more);
            }
            Some(_) => {}
            None => {
                self.uncertain = true;
                self.fault((400, "Folding Without Header Field"));
            }
        }
    }

    fn check(&self) -> Result<(), Fault> {
        match &self.start {
            Start::Request { method, uri } => {
                self.check_mandatory()?;
                self.check_cseq(Some(method))?;
                self.check_max_forwards()?;
                self.check_hops()?;
                check_request_uri(uri)
            }
            Start::Response { .. } => {
                self.check_mandatory()?;
                self.check_cseq(None)
            }
            Start::Unreadable | Start::Garbled => Err(UNREADABLE_START),
        }
    }

    /// RFC 3261 §8.1.1: what every message has. A missing From tag is RFC 2543's and borne with.
    fn check_mandatory(&self) -> Result<(), Fault> {
        self.check_via()?;
        let from = self.single("From", "Missing From", "Repeated From")?;
        NameAddr::parse(from).map_err(|_| (400, "Unreadable From"))?;
        let to = self.single("To", "Missing To", "Repeated To")?;
        NameAddr::parse(to).map_err(|_| (400, "Unreadable To"))?;
        let call_id = self.single("Call-ID", "Missing Call-ID", "Repeated Call-ID")?;
        if call_id.is_empty() || !call_id.bytes().all(|octet| octet.is_ascii_graphic() && octet != b',') {
            return Err((400, "Unreadable Call-ID"));
        }
        if self.headers.count("Content-Type") > 1 {
            return Err((400, "Repeated Content-Type"));
        }
        Ok(())
    }

    fn check_via(&self) -> Result<(), Fault> {
        let mut count = 0;
        for value in self.headers.list("Via") {
            let via = Via::parse(value).map_err(|_| (400, "Unreadable Via"))?;
            if count == 0 && via.branch == Some(COOKIE) {
                return Err((400, "Via Branch Without Identifier"));
            }
            count += 1;
            if count > MAX_HOPS {
                return Err((400, "Too Many Via"));
            }
        }
        if count == 0 { Err((400, "Missing Via")) } else { Ok(()) }
    }

    fn check_cseq(&self, method: Option<&Method>) -> Result<(), Fault> {
        let value = self.single("CSeq", "Missing CSeq", "Repeated CSeq")?;
        let cseq = CSeq::parse(value).map_err(|_| (400, "Unreadable CSeq"))?;
        match method {
            Some(method) if method.as_str() == cseq.method => Ok(()),
            // RFC 4475 §3.1.2.18: what a method unknown here may want of its CSeq is unknown too.
            Some(method) if !method.is_well_known() => Err((501, "Not Implemented")),
            Some(_) => Err((400, "CSeq Of Another Method")),
            None => Ok(()),
        }
    }

    fn check_max_forwards(&self) -> Result<(), Fault> {
        let mut rows = self.headers.all("Max-Forwards");
        let Some(value) = rows.next() else { return Ok(()) };
        match typed::digits(value) {
            Some(0..=255) if rows.next().is_none() => Ok(()),
            _ => Err((400, "Unreadable Max-Forwards")),
        }
    }

    /// What a dialog or an answer will be made of.
    fn check_hops(&self) -> Result<(), Fault> {
        let sound = |name| {
            let mut values = self.headers.list(name).take(MAX_HOPS + 1);
            let readable = |value| value == "*" && name == "Contact" || NameAddr::parse(value).is_ok();
            values.by_ref().take(MAX_HOPS).all(readable) && values.next().is_none()
        };
        match ["Contact", "Route", "Record-Route"].map(sound) {
            [false, ..] => Err((400, "Unreadable Contact")),
            [_, false, _] => Err((400, "Unreadable Route")),
            [_, _, false] => Err((400, "Unreadable Record-Route")),
            _ => Ok(()),
        }
    }

    fn single(&self, name: &str, missing: &'static str, repeated: &'static str) -> Result<&str, Fault> {
        let mut rows = self.headers.rows().filter(|row| row.is(name));
        let row = rows.next().ok_or((400, missing))?;
        if rows.next().is_some() { Err((400, repeated)) } else { Ok(row.value()) }
    }
}

/// A URI of a scheme that is not known here may look like anything: the answer to it is 416, not 400.
fn check_request_uri(uri: &str) -> Result<(), Fault> {
    let parsed = Uri::parse(uri).map_err(|_| (400, "Unreadable Request-URI"))?;
    if parsed.has_headers() { Err((400, "Header Fields In Request-URI")) } else { Ok(()) }
}

/// No control characters but the tab, and what a quoted-string holds behind a backslash (RFC 3261 §25.1, quoted-pair).
fn is_text(line: &[u8]) -> bool {
    // Almost no line has any, and this is quick to see.
    if !line.iter().any(u8::is_ascii_control) {
        return true;
    }
    let (mut quoted, mut escaped) = (false, false);
    line.iter().all(|octet| {
        let sound = *octet == b'\t' || !octet.is_ascii_control() || escaped && !matches!(octet, b'\r' | b'\n');
        let plain = !std::mem::take(&mut escaped);
        match octet {
            b'"' if plain => quoted = !quoted,
            b'\\' if plain => escaped = quoted,
            _ => {}
        }
        sound
    })
}

fn is_version(text: &str) -> bool {
    let number = text.get(..4).filter(|name| name.eq_ignore_ascii_case("SIP/")).and(text.get(4..));
    number.and_then(|number| number.split_once('.')).is_some_and(|(major, minor)| {
        [major, minor].iter().all(|part| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit()))
    })
}
