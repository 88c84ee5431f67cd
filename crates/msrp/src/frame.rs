//! What stands in the head of an MSRP frame (RFC 4975 §7.1, §9), borrowed from the octets it was read from.

use std::fmt;

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method<'a> {
    /// RFC 4975 §7.1.1
    Send,
    /// RFC 4975 §7.1.2: never answered.
    Report,
    /// RFC 7701 §7
    Nickname,
    /// RFC 4976 §5
    Auth,
    /// Any other method, to be answered with 501.
    Other(&'a str),
}

impl<'a> Method<'a> {
    /// Methods are case-sensitive.
    pub fn of(text: &'a str) -> Method<'a> {
        match text {
            "SEND" => Method::Send,
            "REPORT" => Method::Report,
            "NICKNAME" => Method::Nickname,
            "AUTH" => Method::Auth,
            other => Method::Other(other),
        }
    }

    /// As it stands on the wire.
    pub fn as_str(&self) -> &'a str {
        match self {
            Method::Send => "SEND",
            Method::Report => "REPORT",
            Method::Nickname => "NICKNAME",
            Method::Auth => "AUTH",
            Method::Other(other) => other,
        }
    }
}

/// The continuation flag of an end-line (RFC 4975 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `$`: the last chunk.
    Last,
    /// `+`: more will come.
    More,
    /// `#`: the message is given up.
    Abort,
}

impl Flag {
    /// The octet on the wire.
    pub fn as_byte(self) -> u8 {
        match self {
            Flag::Last => b'$',
            Flag::More => b'+',
            Flag::Abort => b'#',
        }
    }

    /// The flag of an octet.
    pub fn of(octet: u8) -> Option<Flag> {
        match octet {
            b'$' => Some(Flag::Last),
            b'+' => Some(Flag::More),
            b'#' => Some(Flag::Abort),
            _ => None,
        }
    }
}

/// `Byte-Range: start-end/total` (RFC 4975 §7.1.1), in octets, counted from 1. `1-0/0` is the empty content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The place of the chunk's first octet in the message, from 1.
    pub start: u64,
    /// The place of its last octet; None is `*`: not known or subject to interruption.
    pub end: Option<u64>,
    /// The size of the message; None is `*`.
    pub total: Option<u64>,
}

/// A Byte-Range that cannot be; it gets 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a Byte-Range that cannot be")]
pub struct ByteRangeError;

impl ByteRange {
    /// No place or size is larger than this.
    pub const MAX: u64 = 1 << 63;

    /// Reads a header value.
    ///
    /// # Errors
    /// What is not of the form, starts at 0, ends more than one octet before its start, or lies beyond [`ByteRange::MAX`].
    /// A range that contradicts its total or its chunk's real size is no error: the octets that come count.
    pub fn parse(text: &str) -> Result<ByteRange, ByteRangeError> {
        let (start, rest) = text.split_once('-').ok_or(ByteRangeError)?;
        let (end, total) = rest.split_once('/').ok_or(ByteRangeError)?;
        let start = number(start)?;
        let end = number_or_star(end)?;
        let total = number_or_star(total)?;
        if start == 0 || end.is_some_and(|end| end + 1 < start) {
            return Err(ByteRangeError);
        }
        Ok(ByteRange { start, end, total })
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.start)?;
        for (value, after) in [(self.end, "/"), (self.total, "")] {
            match value {
                Some(value) => write!(f, "{value}{after}")?,
                None => write!(f, "*{after}")?,
            }
        }
        Ok(())
    }
}

fn number_or_star(text: &str) -> Result<Option<u64>, ByteRangeError> {
    if text == "*" { Ok(None) } else { number(text).map(Some) }
}

fn number(text: &str) -> Result<u64, ByteRangeError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ByteRangeError);
    }
    text.parse().ok().filter(|n| *n <= ByteRange::MAX).ok_or(ByteRangeError)
}

/// What the sender wants to hear of a failure (RFC 4975 §7.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailureReport {
    /// Every response, and failure REPORTs: what a request without the header asks for.
    #[default]
    Yes,
    /// Only responses that are no 200, and failure REPORTs.
    Partial,
    /// Nothing, not even a response.
    No,
}

/// The Status header of a REPORT (RFC 4975 §7.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    /// 0 is RFC 4975's own: the code is that of the equal response.
    pub namespace: u16,
    /// Three digits.
    pub code: u16,
    /// For people.
    pub comment: Option<&'a str>,
}

/// The start line behind the transaction id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<'a> {
    /// A request.
    Request(Method<'a>),
    /// A response to the request of the same transaction id.
    Response {
        /// Three digits.
        code: u16,
        /// For people; many peers leave it out.
        comment: Option<&'a str>,
    },
}

/// A well-formed head: the start line and the headers that this crate knows. Others are ignored (RFC 4975 §12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// The transaction id, 4 to 32 octets.
    pub transaction: &'a str,
    /// Request or response.
    pub start: Start<'a>,
    /// The text of To-Path, not yet read as URIs; never empty.
    pub to_path: &'a str,
    /// The text of From-Path, not yet read as URIs; never empty.
    pub from_path: &'a str,
    /// An ident of 4 to 32 octets.
    pub message_id: Option<&'a str>,
    /// Where the chunk stands in its message, as far as its sender said.
    pub byte_range: Option<ByteRange>,
    /// Whether a success REPORT is wanted; false without the header.
    pub success_report: bool,
    /// What is wanted of failures; `Yes` without the header.
    pub failure_report: FailureReport,
    /// Whether Success-Report or Failure-Report stands there at all: a NICKNAME must have neither (RFC 7701 §7.1).
    pub has_report_headers: bool,
    /// Of a REPORT.
    pub status: Option<Status<'a>>,
    /// The value of Use-Nickname as it came, for [`crate::encode::unquote_nickname`].
    pub use_nickname: Option<&'a [u8]>,
    /// The type of the body, with its parameters.
    pub content_type: Option<&'a str>,
    /// Whether a body follows, which may be empty.
    pub has_body: bool,
}
