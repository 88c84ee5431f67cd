//! What somebody hears: frames, and the messages that their chunks make up. Every frame is held against the rules that hold
//! for whatever a switch sends.

use std::collections::BTreeMap;
use std::fmt;

/// A frame as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The transaction id.
    pub transaction: String,
    /// A method, or a code with its comment.
    pub start: String,
    /// The headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body, where there is one.
    pub body: Option<Vec<u8>>,
    /// The flag of the end-line.
    pub flag: char,
}

/// A message that has come whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its Message-ID.
    pub id: String,
    /// Its octets.
    pub octets: Vec<u8>,
    /// How many chunks it came in.
    pub chunks: usize,
}

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is there.
    Whole(Message),
    /// It was given up with `#` after these octets.
    Aborted(Message),
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.transaction, self.start)?;
        self.headers.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))?;
        write!(f, "{}{}", beginning(self.body.as_deref().unwrap_or_default()), self.flag)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets in {} chunks: {}", self.octets.len(), self.chunks, beginning(&self.octets))
    }
}

/// So much of a text as a failure has to show.
fn beginning(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(&octets[..octets.len().min(400)]).into_owned();
    if octets.len() > 400 { text + "..." } else { text }
}

impl Frame {
    /// Reads a frame that is whole.
    ///
    /// # Panics
    /// When it is not as RFC 4975 §9 and the peers in use want it: To-Path and From-Path first, Content-Type last, one space
    /// after each colon, a comment after each code.
    #[must_use]
    pub fn read(octets: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(octets).into_owned();
        Self::try_read(octets).unwrap_or_else(|| panic!("a frame that cannot be:\n{shown}"))
    }

    fn try_read(octets: &[u8]) -> Option<Self> {
        let (first, mut rest) = line(octets)?;
        let (transaction, start) = first.strip_prefix("MSRP ")?.split_once(' ')?;
        let end = format!("-------{transaction}");
        let mut headers = Vec::new();
        let body = loop {
            let (text, after) = line(rest)?;
            if text.starts_with(&end) {
                break None;
            }
            rest = after;
            if text.is_empty() {
                let length = rest.len().checked_sub(end.len() + 5)?;
                break Some(rest.get(..length)?.to_vec());
            }
            let (name, value) = text.split_once(": ")?;
            headers.push((name.to_owned(), value.to_owned()));
        };
        let tail = octets.strip_suffix(b"\r\n")?;
        let (flag, before) = tail.split_last()?;
        let is_end = before.ends_with(format!("\r\n{end}").as_bytes());
        let frame =
            Self { transaction: transaction.to_owned(), start: start.to_owned(), headers, body, flag: *flag as char };
        (is_end && frame.is_sound()).then_some(frame)
    }

    fn is_sound(&self) -> bool {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let idle = |text: &str| text.trim() != text || text.is_empty();
        let is_ident = (4..=32).contains(&self.transaction.len());
        names.get(..2) == Some(&["To-Path", "From-Path"])
            && (1..names.len()).all(|at| !names[..at].contains(&names[at]))
            && !self.headers.iter().any(|(name, value)| idle(name) || idle(value))
            && names.iter().position(|name| *name == "Content-Type").is_none_or(|at| at + 1 == names.len())
            && self.body.is_some() == names.contains(&"Content-Type")
            && is_ident
            && "$+#".contains(self.flag)
            && (self.flag == '$' || self.start == "SEND")
            && (self.code().is_none() || (self.start.len() > 4 && self.body.is_none()))
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The code of a response.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        self.start.split(' ').next()?.parse().ok()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body.as_deref().unwrap_or_default()).into_owned()
    }
}

/// The first line without its end, and what follows.
fn line(octets: &[u8]) -> Option<(&str, &[u8])> {
    let end = octets.windows(2).position(|two| two == b"\r\n")?;
    Some((std::str::from_utf8(&octets[..end]).ok()?, &octets[end + 2..]))
}

impl Message {
    /// The value of a header of the wrapper, as it stands there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.octets).into_owned();
        let (head, _) = text.split_once("\r\n\r\n")?;
        head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
    }

    /// The content behind the headers of the wrapper and its own.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let blank =
            |from: usize| self.octets[from..].windows(4).position(|four| four == b"\r\n\r\n").map(|at| from + at + 4);
        blank(0).and_then(blank).map(|at| self.octets[at..].to_vec()).unwrap_or_default()
    }

    /// The content as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.content()).into_owned()
    }
}

/// The messages that are on their way to somebody.
#[derive(Default)]
pub(super) struct Ear {
    open: BTreeMap<String, Partial>,
}

struct Partial {
    octets: Vec<u8>,
    chunks: usize,
    /// The report headers, which must be the same in all chunks (RFC 4975 §7.1.1).
    reports: [Option<String>; 2],
}

impl Ear {
    /// A chunk has come; the message, if it has ended with it.
    ///
    /// # Panics
    /// When the chunk does not go on where the message was, or is otherwise not what RFC 4975 §7.1.1 wants.
    pub(super) fn hear(&mut self, frame: &Frame) -> Option<Outcome> {
        let id = frame.header("Message-ID").unwrap_or_else(|| panic!("a chunk without a Message-ID: {frame:?}"));
        let reports = ["Success-Report", "Failure-Report"].map(|name| frame.header(name).map(str::to_owned));
        let fresh = || Partial { octets: Vec::new(), chunks: 0, reports: reports.clone() };
        let open = self.open.entry(id.to_owned()).or_insert_with(fresh);
        assert_eq!(open.reports, reports, "the chunks of a message ask for different reports");
        assert_eq!(
            frame.header("Content-Type"),
            Some("message/cpim"),
            "RFC 7701 §5.2: nothing but message/cpim is sent"
        );
        let body = frame.body.as_deref().unwrap_or_default();
        check_range(frame, open.octets.len(), body.len());
        open.octets.extend_from_slice(body);
        open.chunks += 1;
        if frame.flag == '+' {
            return None;
        }
        let Partial { octets, chunks, .. } = self.open.remove(id)?;
        let message = Message { id: id.to_owned(), octets, chunks };
        Some(if frame.flag == '$' { Outcome::Whole(message) } else { Outcome::Aborted(message) })
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_waiting(&self) -> bool {
        !self.open.is_empty()
    }
}

/// The Byte-Range of a chunk that goes on after `before` octets (RFC 4975 §7.1.1).
fn check_range(frame: &Frame, before: usize, length: usize) {
    let range = frame.header("Byte-Range").unwrap_or_else(|| panic!("a chunk without a Byte-Range: {frame:?}"));
    let (start, rest) = range.split_once('-').unwrap_or_default();
    let (end, total) = rest.split_once('/').unwrap_or_default();
    assert_eq!(start, (before + 1).to_string(), "{range} after {before} octets");
    assert!(end == "*" || end == (before + length).to_string(), "{range} for {length} octets");
    assert!(end == "*" || length <= 2048, "a chunk of {length} octets must be ready to be interrupted: {range}");
    let is_whole = before + length;
    assert!(total == "*" || frame.flag != '$' || total == is_whole.to_string(), "{range} for {is_whole} octets");
}
