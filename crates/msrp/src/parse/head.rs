//! A whole head to its fields, in one pass over its lines.

use crate::frame::{ByteRange, FailureReport, Head, Method, Start, Status};
use crate::ident::is_ident;

use super::{Event, START};

/// What has been read so far; `fault` is set at the first thing that cannot be, and reading goes on, so that the answer to a
/// malformed request still knows its paths and whether one is wanted.
#[derive(Default)]
struct Fields<'a> {
    fault: bool,
    to_path: Option<&'a str>,
    from_path: Option<&'a str>,
    message_id: Option<&'a str>,
    byte_range: Option<ByteRange>,
    success_report: Option<bool>,
    failure_report: Option<FailureReport>,
    status: Option<Status<'a>>,
    use_nickname: Option<&'a [u8]>,
    content_type: Option<&'a str>,
}

/// Reads a head: a start line with a valid transaction id, the headers and, before a body, the blank line.
pub(super) fn read(head: &[u8], has_body: bool) -> Event<'_> {
    let mut fields = Fields::default();
    let mut lines = Lines { rest: head };
    let (first, whole) = lines.next().unwrap_or((&[], false));
    let (transaction, start) = start_line(first);
    fields.fault |= !whole || start.is_none();

    for (nth, (line, whole)) in lines.enumerate() {
        if line.is_empty() {
            fields.fault |= !whole;
            break;
        }
        fields.fault |= !whole;
        fields.header(nth, line);
    }
    fields.finish(transaction, start, first, has_body)
}

/// The lines without their ends, and whether that end was CR LF.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], bool);

    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr::memchr(b'\n', self.rest)?;
        let line = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 1..)?;
        Some(match line.strip_suffix(b"\r") {
            Some(line) => (line, true),
            None => (line, false),
        })
    }
}

/// The transaction id, and the rest of the start line where that can be.
fn start_line(line: &[u8]) -> (&str, Option<Start<'_>>) {
    let rest = line.get(START.len()..).unwrap_or(&[]);
    let space = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
    let transaction = text(rest.get(..space).unwrap_or(&[])).unwrap_or("");
    let what = rest.get(space + 1..).unwrap_or(&[]);
    let start = if begins_as_code(what) { response(what) } else { request(what) };
    (transaction, start)
}

fn begins_as_code(what: &[u8]) -> bool {
    what.first().is_some_and(u8::is_ascii_digit)
}

fn request(what: &[u8]) -> Option<Start<'_>> {
    let method = text(what).filter(|m| !m.is_empty() && m.bytes().all(|b| b.is_ascii_uppercase()))?;
    Some(Start::Request(Method::of(method)))
}

/// The comment may be missing, and the space before it.
fn response(what: &[u8]) -> Option<Start<'_>> {
    let (code, comment) = code_and_comment(what)?;
    Some(Start::Response { code, comment })
}

fn code_and_comment(what: &[u8]) -> Option<(u16, Option<&str>)> {
    let code = three_digits(what.get(..3)?)?;
    let comment = match what.get(3..)? {
        [] => None,
        [b' ', comment @ ..] => text(comment).filter(|c| !c.is_empty()),
        _ => return None,
    };
    Some((code, comment))
}

fn three_digits(digits: &[u8]) -> Option<u16> {
    match digits {
        [a, b, c] if digits.iter().all(u8::is_ascii_digit) => {
            let digit = |b: &u8| u16::from(b - b'0');
            Some(digit(a) * 100 + digit(b) * 10 + digit(c))
        }
        _ => None,
    }
}

impl<'a> Fields<'a> {
    /// `nth` counts from 0: To-Path must be the first header and From-Path the second (RFC 4975 §9).
    fn header(&mut self, nth: usize, line: &'a [u8]) {
        let colon = memchr::memchr(b':', line).unwrap_or(0);
        let name = line.get(..colon).unwrap_or(&[]);
        let value = trim(line.get(colon + 1..).unwrap_or(&[]));
        let known = Name::of(name);
        self.fault |= match nth {
            0 => known != Some(Name::ToPath),
            1 => known != Some(Name::FromPath),
            _ => matches!(known, Some(Name::ToPath | Name::FromPath)),
        };
        // A nickname with control characters gets a code of its own (RFC 7701 §7.1).
        self.fault |= known != Some(Name::UseNickname) && has_control(line);
        match known {
            Some(known) => self.fault |= !self.take(known, value),
            None => self.fault |= !is_header_name(name),
        }
    }

    /// Whether the value could be taken: it is well-formed and the first of its name.
    fn take(&mut self, name: Name, value: &'a [u8]) -> bool {
        match name {
            Name::ToPath => set(&mut self.to_path, path(value)),
            Name::FromPath => set(&mut self.from_path, path(value)),
            Name::MessageId => set(&mut self.message_id, text(value).filter(|id| is_ident(id.as_bytes()))),
            Name::ByteRange => set(&mut self.byte_range, text(value).and_then(|v| ByteRange::parse(v).ok())),
            Name::SuccessReport => set(&mut self.success_report, yes_or_no(value)),
            Name::FailureReport => set(&mut self.failure_report, failure_report(value)),
            Name::Status => set(&mut self.status, status(value)),
            Name::UseNickname => set(&mut self.use_nickname, Some(value)),
            Name::ContentType => set(&mut self.content_type, text(value).filter(|v| v.contains('/'))),
        }
    }

    fn finish(self, transaction: &'a str, start: Option<Start<'a>>, first: &'a [u8], has_body: bool) -> Event<'a> {
        let is_request = matches!(start, Some(Start::Request(_)));
        let body_is_typed = !is_request || has_body == self.content_type.is_some();
        let failure_report = self.failure_report.unwrap_or_default();
        if let (false, true, Some(start), Some(to_path), Some(from_path)) =
            (self.fault, body_is_typed, start, self.to_path, self.from_path)
        {
            return Event::Head(Head {
                transaction,
                start,
                to_path,
                from_path,
                message_id: self.message_id,
                byte_range: self.byte_range,
                success_report: self.success_report.unwrap_or(false),
                failure_report,
                has_report_headers: self.success_report.is_some() || self.failure_report.is_some(),
                status: self.status,
                use_nickname: self.use_nickname,
                content_type: self.content_type,
                has_body,
            });
        }
        Event::Malformed {
            code: 400,
            transaction,
            method: method_of_malformed(start, first),
            to_path: self.to_path,
            from_path: self.from_path,
            failure_report,
        }
    }
}

/// Which method a malformed frame has, even one that is none; None for what looks like a response.
fn method_of_malformed<'a>(start: Option<Start<'a>>, first: &'a [u8]) -> Option<Method<'a>> {
    match start {
        Some(Start::Request(method)) => Some(method),
        Some(Start::Response { .. }) => None,
        None => {
            let what = first.splitn(3, |b| *b == b' ').nth(2).unwrap_or(&[]);
            (!begins_as_code(what)).then(|| Method::Other(text(what).unwrap_or("")))
        }
    }
}

/// The headers that are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    ToPath,
    FromPath,
    MessageId,
    ByteRange,
    SuccessReport,
    FailureReport,
    Status,
    UseNickname,
    ContentType,
}

impl Name {
    /// Names are case-blind: they are quoted strings in the ABNF of RFC 4975 §9.
    fn of(name: &[u8]) -> Option<Name> {
        let (text, known): (&[u8], Name) = match (name.len(), name.first()?.to_ascii_lowercase()) {
            (7, _) => (b"To-Path", Name::ToPath),
            (9, _) => (b"From-Path", Name::FromPath),
            (10, b'm') => (b"Message-ID", Name::MessageId),
            (10, _) => (b"Byte-Range", Name::ByteRange),
            (14, b's') => (b"Success-Report", Name::SuccessReport),
            (14, _) => (b"Failure-Report", Name::FailureReport),
            (6, _) => (b"Status", Name::Status),
            (12, b'u') => (b"Use-Nickname", Name::UseNickname),
            (12, _) => (b"Content-Type", Name::ContentType),
            _ => return None,
        };
        name.eq_ignore_ascii_case(text).then_some(known)
    }
}

/// Any space after the colon, or none (and any at the end).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// False when there is no value, or there was one before.
fn set<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    let first = field.is_none();
    if first {
        *field = value;
    }
    first && field.is_some()
}

fn text(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok()
}

/// Enough of a URI to be echoed in a response; who needs its parts reads it as a [`crate::uri::Path`].
fn path(value: &[u8]) -> Option<&str> {
    let octets = value.iter().fold(!value.is_empty(), |good, b| good & (0x20..0x7f).contains(b));
    text(value).filter(|_| octets)
}

fn yes_or_no(value: &[u8]) -> Option<bool> {
    if value.eq_ignore_ascii_case(b"yes") { Some(true) } else { value.eq_ignore_ascii_case(b"no").then_some(false) }
}

fn failure_report(value: &[u8]) -> Option<FailureReport> {
    match yes_or_no(value) {
        Some(true) => Some(FailureReport::Yes),
        Some(false) => Some(FailureReport::No),
        None => value.eq_ignore_ascii_case(b"partial").then_some(FailureReport::Partial),
    }
}

/// `Status: 000 200 OK`
fn status(value: &[u8]) -> Option<Status<'_>> {
    let namespace = three_digits(value.get(..3)?)?;
    let (code, comment) = code_and_comment(value.get(3..)?.strip_prefix(b" ")?)?;
    Some(Status { namespace, code, comment })
}

/// Without a shortcut out of the loop, so that it is done many octets at a time.
fn has_control(line: &[u8]) -> bool {
    line.iter().fold(false, |found, b| found | ((*b < 0x20) & (*b != b'\t')) | (*b == 0x7f))
}

/// `hname = ALPHA *token`. A folded line, one without a colon and a space before the colon all fail here.
fn is_header_name(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|b| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(b))
}
