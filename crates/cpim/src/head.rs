//! The headers of a message: where they end and what they say.

use std::borrow::Cow;

use memchr::memchr;

use crate::escape::unescape;
use crate::metadata::Metadata;
use crate::{Error, content, metadata};

/// The most octets the headers of a message and of its content may have together, 64 KiB. §2.2 wants no limit on
/// lines; without one on the whole a sender could occupy any amount of memory before it is known to whom it writes.
pub const MAX_HEAD: usize = 64 * 1024;

/// The headers of a message and of its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// The `From` headers in their order (§4.1). One is usual; none or several are for the reader to judge.
    pub from: Vec<Address<'a>>,
    /// The `To` headers in their order (§4.2).
    pub to: Vec<Address<'a>>,
    /// The `cc` headers in their order (§4.3).
    pub cc: Vec<Address<'a>>,
    /// The value of `DateTime` (§4.4), unchecked.
    pub date_time: Option<&'a str>,
    /// The names that `Require` lists (§4.7), with their prefixes, in their order.
    pub require: Vec<&'a str>,
    /// The value of the content's `Content-Type` with its parameters. It may hold the line breaks of a folded header
    /// (RFC 5322 §2.2.3); [`media_type`](Self::media_type) never does.
    pub content_type: &'a str,
    /// How many octets stand before the content.
    pub content_at: usize,
}

impl<'a> Head<'a> {
    /// The media type of the content, in the sender's case: what stands before parameters, spaces and line breaks.
    /// Where spaces stand within it, as in no message that was ever seen, it is cut short and is no type.
    pub fn media_type(&self) -> &'a str {
        self.content_type.trim().split(|c: char| c == ';' || c.is_whitespace()).next().unwrap_or_default()
    }
}

/// The value of an address header: `[Formal-name] "<" URI ">"` (§4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address<'a> {
    /// The formal name as it stands there, with its quotes and escapes. [`display_name`](Self::display_name) reads it.
    pub name: Option<&'a str>,
    /// The URI as it stands there. It is not checked: it may be empty or nonsense.
    pub uri: &'a str,
}

impl<'a> Address<'a> {
    /// The formal name as a person reads it: without quotes and escapes (§2.3.1).
    pub fn display_name(&self) -> Option<Cow<'a, str>> {
        let name = self.name?;
        let inner = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Some(unescape(inner.unwrap_or(name)))
    }
}

/// Reads the headers at the beginning of `octets`.
///
/// `Ok(None)` asks for more octets; it is never said of [`MAX_HEAD`] octets or more. More octets never change an answer
/// that is not `Ok(None)`, and octets without a line feed never change that one. Nothing is copied; the work grows with
/// the length of the headers.
///
/// # Errors
///
/// See [`Error`]. A head without `From` or `To` is none: who needs them looks at the lists.
pub fn parse_head(octets: &[u8]) -> Result<Option<Head<'_>>, Error> {
    let window = octets.get(..MAX_HEAD).unwrap_or(octets);
    match read(window)? {
        Some(head) => Ok(Some(head)),
        None if octets.len() >= MAX_HEAD => Err(Error::TooLong),
        None => Ok(None),
    }
}

/// Reads both blocks of headers, or only the one of which RFC 7701's examples consist.
fn read(octets: &[u8]) -> Result<Option<Head<'_>>, Error> {
    let mut lines = Lines { rest: octets };
    let Some(metadata) = metadata::read(&mut lines)? else { return Ok(None) };
    let content_type = match metadata.content_type {
        Some(content_type) => content_type,
        None => match content::read(&mut lines)? {
            Some(content_type) => content_type,
            None => return Ok(None),
        },
    };
    if content_type.trim().is_empty() {
        return Err(Error::NoContentType);
    }
    let Metadata { from, to, cc, date_time, require, .. } = metadata;
    let content_at = octets.len() - lines.rest.len();
    Ok(Some(Head { from, to, cc, date_time, require, content_type, content_at }))
}

/// The lines not yet read.
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The octets up to the next LF, without it; `None` where no line is complete.
    pub(crate) fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'\n', self.rest)?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        Some(line)
    }

    /// The octets not yet read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// The text of a line; control characters (§2.2) are refused, save those that `allowed` lets pass.
pub(crate) fn text(line: &[u8], allowed: impl Fn(u8) -> bool) -> Result<&str, Error> {
    let is_control = |octet: u8| (octet < b' ' || octet == 0x7f) && !allowed(octet);
    // All octets are looked at, since that is done for many at a time.
    if line.iter().fold(false, |found, &octet| found | is_control(octet)) {
        return Err(Error::Control);
    }
    std::str::from_utf8(line).map_err(|_| Error::NotUtf8)
}
