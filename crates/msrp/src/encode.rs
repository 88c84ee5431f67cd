//! Frames to octets (RFC 4975 §7, RFC 7701 §7.1). Everything is appended to a `Vec<u8>`.
//!
//! Header names have the case of the RFCs and one space after the colon; To-Path and From-Path come first, Content-Type last:
//! peers in use insist on it. Arguments go out as they are: they must be field values (a parsed frame's are).

use std::fmt::Display;
use std::io::Write;

use crate::frame::{ByteRange, FailureReport, Flag};

/// The longest nickname, in octets without quotes and escapes (RFC 7701 §7.1).
pub const MAX_NICKNAME: usize = 1023;

/// The comment of a response code; for codes that no RFC here defines, that of their class.
pub fn comment(code: u16) -> &'static str {
    match code {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        413 => "Message Too Large",
        415 => "Unsupported Media Type",
        423 => "Interval Out Of Bounds",
        424 => "Malformed Nickname",
        425 => "Nickname Reserved Or Already In Use",
        428 => "Private Messages Not Supported",
        481 => "Session Does Not Exist",
        501 => "Unknown Method",
        506 => "Session Already In Use",
        201..=299 => "Success",
        _ => "Failure",
    }
}

/// A response (RFC 4975 §7.2), always with a comment, as there are peers that take one without for a request.
/// `to_path` is that of [`crate::report::response_to_path`].
pub fn response(out: &mut Vec<u8>, transaction: &str, code: u16, to_path: &str, from_path: &str) {
    start(out, transaction, format_args!("{code:03} {}", comment(code)), to_path, from_path);
    end_line(out, transaction, Flag::Last);
}

/// A SEND request: one chunk (RFC 4975 §7.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Send<'a> {
    /// The transaction id. Its end-line must not occur in the content, see [`clashes`].
    pub transaction: &'a str,
    /// The peer's path.
    pub to_path: &'a str,
    /// One's own URI.
    pub from_path: &'a str,
    /// The same for all chunks of a message.
    pub message_id: &'a str,
    /// Whether a success REPORT is wanted.
    pub success_report: bool,
    /// What is wanted of failures; left out for `Yes`.
    pub failure_report: FailureReport,
    /// Where the chunk stands in its message.
    pub byte_range: Option<ByteRange>,
    /// The content's type and octets; None is a request without a body.
    pub content: Option<(&'a str, &'a [u8])>,
    /// Whether more chunks come.
    pub flag: Flag,
}

impl Send<'_> {
    /// Appends the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_head(out);
        if let Some((_, octets)) = self.content {
            out.extend_from_slice(octets);
        }
        self.end(out, self.flag);
    }

    /// Appends all that comes before the octets of the content, which follow as they come, and then [`Send::end`].
    pub fn encode_head(&self, out: &mut Vec<u8>) {
        start(out, self.transaction, "SEND", self.to_path, self.from_path);
        header(out, "Message-ID", self.message_id);
        if self.success_report {
            header(out, "Success-Report", "yes");
        }
        match self.failure_report {
            FailureReport::Yes => {}
            FailureReport::Partial => header(out, "Failure-Report", "partial"),
            FailureReport::No => header(out, "Failure-Report", "no"),
        }
        if let Some(range) = self.byte_range {
            header(out, "Byte-Range", range);
        }
        if let Some((content_type, _)) = self.content {
            content_type_line(out, content_type);
        }
    }

    /// Appends what comes behind the octets of the content, with a flag that may not have been known before.
    pub fn end(&self, out: &mut Vec<u8>, flag: Flag) {
        end_chunk(out, self.transaction, self.content.is_some(), flag);
    }
}

/// A REPORT request (RFC 4975 §7.1.2); its namespace is 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    /// A transaction id of its own.
    pub transaction: &'a str,
    /// The whole From-Path of the request reported on.
    pub to_path: &'a str,
    /// One's own URI.
    pub from_path: &'a str,
    /// The Message-ID reported on.
    pub message_id: &'a str,
    /// The octets reported on.
    pub byte_range: Option<ByteRange>,
    /// 200, or the code of the failure.
    pub status_code: u16,
    /// Content of at most 10 240 octets, as RFC 7701 §6.2 asks for private messages.
    pub content: Option<(&'a str, &'a [u8])>,
}

impl Report<'_> {
    /// Appends the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        start(out, self.transaction, "REPORT", self.to_path, self.from_path);
        header(out, "Message-ID", self.message_id);
        if let Some(range) = self.byte_range {
            header(out, "Byte-Range", range);
        }
        header(out, "Status", format_args!("000 {:03} {}", self.status_code, comment(self.status_code)));
        content(out, self.content);
        end_line(out, self.transaction, Flag::Last);
    }
}

/// A NICKNAME request (RFC 7701 §7.1); the empty nickname gives the present one up (§7.3).
pub fn nickname(out: &mut Vec<u8>, transaction: &str, to_path: &str, from_path: &str, nickname: &str) {
    start(out, transaction, "NICKNAME", to_path, from_path);
    header(out, "Use-Nickname", quote(nickname));
    end_line(out, transaction, Flag::Last);
}

/// Whether the content holds what a reader may take for the end-line of that transaction; then another id is needed
/// (RFC 4975 §7.1).
pub fn clashes(transaction: &str, content: &[u8]) -> bool {
    let finder = memchr::memmem::Finder::new(transaction);
    finder.find_iter(content).any(|at| content.get(..at).is_some_and(|before| before.ends_with(b"-------")))
}

/// The quoted-string of RFC 4975 §9 that stands for `text`. Control characters, which it cannot hold, are left out.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars().filter(|c| !c.is_ascii_control() || *c == '\t') {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A Use-Nickname value that is no nickname: 424 (RFC 7701 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NicknameSyntax {
    /// No UTF-8.
    #[error("not UTF-8")]
    Encoding,
    /// A quote that is not closed, or not escaped.
    #[error("an open or unescaped quote")]
    Quote,
    /// A backslash before anything but a backslash or a quote.
    #[error("an unknown escape")]
    Escape,
    /// A control character.
    #[error("a control character")]
    Control,
    /// More than [`MAX_NICKNAME`] octets.
    #[error("longer than {MAX_NICKNAME} octets")]
    TooLong,
}

/// The nickname of a Use-Nickname value: a quoted-string with `\\` and `\"` as its only escapes. Clients in use leave the
/// quotes away: the value is then read as if it had them. The empty string removes the nickname.
///
/// # Errors
/// See [`NicknameSyntax`]: answer 424.
pub fn unquote_nickname(raw: &[u8]) -> Result<String, NicknameSyntax> {
    let text = str::from_utf8(raw).map_err(|_| NicknameSyntax::Encoding)?;
    let inner = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').ok_or(NicknameSyntax::Quote)?,
        None => text,
    };
    let mut out = String::with_capacity(inner.len().min(MAX_NICKNAME));
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | '"')) => out.push(c),
                // What was taken for the closing quote was an escaped one.
                None => return Err(NicknameSyntax::Quote),
                Some(_) => return Err(NicknameSyntax::Escape),
            },
            '"' => return Err(NicknameSyntax::Quote),
            c if c.is_ascii_control() && c != '\t' => return Err(NicknameSyntax::Control),
            c => out.push(c),
        }
        if out.len() > MAX_NICKNAME {
            return Err(NicknameSyntax::TooLong);
        }
    }
    Ok(out)
}

/// A random text of `len` characters of `[A-Za-z0-9]`, 5.95 bits each: 11 make the 64 bits of a transaction id (RFC 4975
/// §7.1), 14 the 80 bits of a session-id (§14.1). Transaction and Message-IDs have 4 to 32.
pub fn ident(rng: &mut dyn rand_core::Rng, len: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut letter = || {
        // By multiplication instead of rejection: it always ends, and its bias is below 2^-26.
        let nth = (u64::from(rng.next_u32()) * ALPHABET.len() as u64) >> 32;
        ALPHABET.get(nth as usize).copied().map_or('0', char::from)
    };
    (0..len).map(|_| letter()).collect()
}

fn start(out: &mut Vec<u8>, transaction: &str, what: impl Display, to_path: &str, from_path: &str) {
    put(out, format_args!("MSRP {transaction} {what}\r\n"));
    header(out, "To-Path", to_path);
    header(out, "From-Path", from_path);
}

fn header(out: &mut Vec<u8>, name: &str, value: impl Display) {
    put(out, format_args!("{name}: {value}\r\n"));
}

fn content(out: &mut Vec<u8>, content: Option<(&str, &[u8])>) {
    if let Some((content_type, octets)) = content {
        content_type_line(out, content_type);
        out.extend_from_slice(octets);
        out.extend_from_slice(b"\r\n");
    }
}

/// Content-Type is the last header: a blank line follows.
fn content_type_line(out: &mut Vec<u8>, content_type: &str) {
    put(out, format_args!("Content-Type: {content_type}\r\n\r\n"));
}

pub(crate) fn end_chunk(out: &mut Vec<u8>, transaction: &str, has_content: bool, flag: Flag) {
    if has_content {
        out.extend_from_slice(b"\r\n");
    }
    end_line(out, transaction, flag);
}

fn end_line(out: &mut Vec<u8>, transaction: &str, flag: Flag) {
    put(out, format_args!("-------{transaction}{}\r\n", char::from(flag.as_byte())));
}

/// Writing to a `Vec` does not fail.
fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
