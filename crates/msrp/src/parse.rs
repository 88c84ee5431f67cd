//! Octets to frames, as they come (RFC 4975 §7.1, §9). Nothing is copied and nothing is allocated: events borrow from the
//! octets handed in. The time is linear in the octets, however they are split.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::frame::{FailureReport, Flag, Head, Method};
use crate::ident::Ident;

mod head;

/// What the parser takes; beyond it the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a start line with its line end.
    pub start_line: usize,
    /// Octets of a start line and its headers. The caller's buffer must hold as many.
    pub head_octets: usize,
    /// How many headers a frame may have.
    pub headers: usize,
    /// Octets of the body of anything but a SEND (RFC 4975 §7.1).
    pub non_send_body: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { start_line: 1024, head_octets: 16 * 1024, headers: 100, non_send_body: 10_240 }
    }
}

/// What was read. It borrows from the input alone, so that the head, the body and the end of one frame can be held together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A frame begins. [`Event::End`] always follows, [`Event::Body`] before it where there is content.
    Head(Head<'a>),
    /// Some of the body; all the rest of it where the end-line is in the input too. Never empty.
    Body(&'a [u8]),
    /// The frame's end-line.
    End(Flag),
    /// A head that cannot be understood, though where its frame ends is known. The rest of that frame is skipped in silence,
    /// its end included. Answer with `code` if that is permitted: never a response or a REPORT, nor a request with
    /// `Failure-Report: no`, nor where the paths are missing.
    Malformed {
        /// The code of the response, 400.
        code: u16,
        /// The transaction id.
        transaction: &'a str,
        /// None for a response.
        method: Option<Method<'a>>,
        /// To-Path, where it could be read.
        to_path: Option<&'a str>,
        /// From-Path, where it could be read.
        from_path: Option<&'a str>,
        /// As far as it could be read.
        failure_report: FailureReport,
    },
}

/// The framing is lost or a limit passed: nothing can be said about the octets to come, the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// A frame does not begin with `MSRP`.
    #[error("not an MSRP frame")]
    NotMsrp,
    /// The transaction id is none, or the start line does not end in CR LF.
    #[error("a malformed start line")]
    StartLine,
    /// Among the headers stands a line of seven hyphens that is not the frame's own end-line.
    #[error("the end-line of another frame")]
    EndLine,
    /// Beyond [`Limits::start_line`].
    #[error("the start line is too long")]
    StartLineTooLong,
    /// Beyond [`Limits::head_octets`].
    #[error("the head is too long")]
    HeadTooLong,
    /// Beyond [`Limits::headers`].
    #[error("too many headers")]
    TooManyHeaders,
    /// Beyond [`Limits::non_send_body`].
    #[error("a body too long for its method")]
    BodyTooLong,
}

/// The parser of one direction of one connection.
#[derive(Debug, Clone)]
pub struct Parser {
    limits: Limits,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// In a start line and headers, which stay in front of the input until they are whole.
    Head(Scan),
    /// In a body.
    Body(Body),
    /// Before an end-line that is known to be there, `octets` long.
    Closing { flag: Flag, octets: usize, skip: bool },
}

/// How far the search for the end of a head has come.
#[derive(Debug, Clone, Copy, Default)]
struct Scan {
    /// Where the first line begins that is not whole; 0 is the start line.
    line: usize,
    /// Up to where no line end is.
    at: usize,
    headers: usize,
}

#[derive(Debug, Clone, Copy)]
struct Body {
    /// Of the end-line.
    transaction: Ident,
    /// Nothing was consumed yet: an end-line may follow the blank line at once.
    fresh: bool,
    /// The body of a malformed frame: not told of.
    skip: bool,
    /// Octets that may still come.
    left: u64,
}

/// Where a head ends: its octets, and the end-line that follows in the place of a body.
struct HeadEnd {
    octets: usize,
    transaction: Ident,
    closing: Option<(Flag, usize)>,
}

#[allow(clippy::large_enum_variant, reason = "it is returned and taken apart, never kept")]
enum Step<'a> {
    Event(usize, Event<'a>),
    /// Octets were used up without an event, there may be more to read.
    Go(usize),
    Wait(usize),
}

impl Parser {
    /// A parser before its first frame.
    pub fn new(limits: Limits) -> Parser {
        Parser { limits, state: State::Head(Scan::default()) }
    }

    /// Whether the parser is between two frames: the end of the connection cuts none, if no octets are left over.
    pub fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Head(Scan { at: 0, .. }))
    }

    /// Whether a head is being read, or the next one awaited: octets that were left unused are part of it.
    pub fn is_in_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// Reads on. Gives how many octets are used up at the front of `input`, and an event. Without an event all that can be
    /// read has been: call again with more octets, those not used up in front of them. Call until there is no event.
    ///
    /// What stays unused is a part of a head, at most [`Limits::head_octets`], or what may be a part of an end-line.
    ///
    /// # Errors
    /// The connection is to be closed; the parser is of no more use.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<Event<'a>>), Fatal> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or(&[]);
            let step = match self.state {
                State::Head(scan) => self.head(scan, rest)?,
                State::Body(body) => self.body(body, rest)?,
                State::Closing { flag, octets, skip } => self.closing(flag, octets, skip, rest),
            };
            match step {
                Step::Event(octets, event) => return Ok((used + octets, Some(event))),
                Step::Go(octets) => used += octets,
                Step::Wait(octets) => return Ok((used + octets, None)),
            }
        }
    }

    fn head<'a>(&mut self, mut scan: Scan, input: &'a [u8]) -> Result<Step<'a>, Fatal> {
        let end = scan.find_end(input, &self.limits)?;
        self.state = State::Head(scan);
        let Some(end) = end else { return Ok(Step::Wait(0)) };
        let text = input.get(..end.octets).unwrap_or(&[]);
        let event = head::read(text, end.closing.is_none());
        let skip = matches!(event, Event::Malformed { .. });
        self.state = match end.closing {
            Some((flag, octets)) => State::Closing { flag, octets, skip },
            None => State::Body(Body {
                transaction: end.transaction,
                fresh: true,
                skip,
                left: if skip { u64::MAX } else { self.body_limit(&event) },
            }),
        };
        Ok(Step::Event(end.octets, event))
    }

    fn body_limit(&self, event: &Event<'_>) -> u64 {
        match event {
            Event::Head(Head { start: crate::frame::Start::Request(Method::Send), .. }) => u64::MAX,
            _ => self.limits.non_send_body,
        }
    }

    fn body<'a>(&mut self, mut body: Body, input: &'a [u8]) -> Result<Step<'a>, Fatal> {
        let found = if body.fresh { body.end_at_once(input) } else { None };
        let (octets, closing) = match found.unwrap_or_else(|| body.find_end(input)) {
            Found::End { at, flag, octets } => (at, Some((flag, octets))),
            Found::Perhaps { at } => (at, None),
        };
        if body.fresh && octets == 0 && closing.is_none() {
            return Ok(Step::Wait(0));
        }
        body.left = body.left.checked_sub(octets as u64).ok_or(Fatal::BodyTooLong)?;
        body.fresh = false;
        let skip = body.skip;
        self.state = match closing {
            Some((flag, octets)) => State::Closing { flag, octets, skip },
            None => State::Body(body),
        };
        Ok(match input.get(..octets) {
            Some(content) if !skip && !content.is_empty() => Step::Event(octets, Event::Body(content)),
            _ if closing.is_some() => Step::Go(octets),
            _ => Step::Wait(octets),
        })
    }

    fn closing<'a>(&mut self, flag: Flag, octets: usize, skip: bool, input: &'a [u8]) -> Step<'a> {
        if input.len() < octets {
            return Step::Wait(0);
        }
        self.state = State::Head(Scan::default());
        if skip { Step::Go(octets) } else { Step::Event(octets, Event::End(flag)) }
    }
}

const START: &[u8] = b"MSRP ";
const HYPHENS: &[u8] = b"-------";
/// What comes before the transaction id in the end-line of a frame with a body.
const BREAK: &[u8] = b"\r\n-------";

impl Scan {
    /// Looks for the end of the head, from where it was left.
    fn find_end(&mut self, input: &[u8], limits: &Limits) -> Result<Option<HeadEnd>, Fatal> {
        let begun = input.len().min(START.len());
        if self.line == 0 && input.get(..begun) != START.get(..begun) {
            return Err(Fatal::NotMsrp);
        }
        while let Some(found) = input.get(self.at..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let after = self.at + found + 1;
            self.check_length(after, limits)?;
            let line = input.get(self.line..after).unwrap_or(&[]);
            if self.line == 0 {
                check_start_line(line)?;
            } else {
                if let Some(end) = self.ends_head(line, input)? {
                    return Ok(Some(end));
                }
                self.headers += 1;
                if self.headers > limits.headers {
                    return Err(Fatal::TooManyHeaders);
                }
            }
            self.line = after;
            self.at = after;
        }
        self.at = input.len().max(self.at);
        // The line end that is still to come lies beyond what is here.
        self.check_length(self.at.saturating_add(1), limits)?;
        Ok(None)
    }

    fn check_length(&self, octets: usize, limits: &Limits) -> Result<(), Fatal> {
        if self.line == 0 && octets > limits.start_line {
            return Err(Fatal::StartLineTooLong);
        }
        if octets > limits.head_octets {
            return Err(Fatal::HeadTooLong);
        }
        Ok(())
    }

    /// Whether this whole line ends the head: the blank line before a body, or the end-line in place of one.
    fn ends_head(&self, line: &[u8], input: &[u8]) -> Result<Option<HeadEnd>, Fatal> {
        if !matches!(line.first(), Some(b'\r' | b'\n' | b'-')) {
            return Ok(None);
        }
        let transaction = transaction(input).ok_or(Fatal::StartLine)?;
        if line == b"\r\n" || line == b"\n" {
            return Ok(Some(HeadEnd { octets: self.line + line.len(), transaction, closing: None }));
        }
        let Some(rest) = line.strip_prefix(HYPHENS) else { return Ok(None) };
        match rest.strip_prefix(transaction.as_bytes()) {
            Some([flag, b'\r', b'\n']) => {
                let flag = Flag::of(*flag).ok_or(Fatal::EndLine)?;
                Ok(Some(HeadEnd { octets: self.line, transaction, closing: Some((flag, line.len())) }))
            }
            _ => Err(Fatal::EndLine),
        }
    }
}

/// Only CR LF may end a start line, and its transaction id must be one: else nothing after it could be trusted.
fn check_start_line(line: &[u8]) -> Result<(), Fatal> {
    let whole = line.ends_with(b"\r\n");
    transaction(line).filter(|_| whole).map(|_| ()).ok_or(Fatal::StartLine)
}

/// The transaction id of a frame whose start line is whole.
fn transaction(input: &[u8]) -> Option<Ident> {
    let rest = input.strip_prefix(START)?;
    let end = rest.iter().take(crate::ident::MAX + 1).position(|b| *b == b' ')?;
    Ident::new(rest.get(..end)?)
}

enum Found {
    /// The end-line, `octets` long, begins at `at`.
    End { at: usize, flag: Flag, octets: usize },
    /// There is none before `at`; what follows may become one.
    Perhaps { at: usize },
}

/// How octets compare with an end-line.
enum Match {
    Full(Flag),
    SoFar,
    No,
}

impl Body {
    /// An end-line right behind the blank line: the line end before it is that of the blank line. Peers write an empty body so,
    /// and no content may begin so (RFC 4975 §7.1).
    fn end_at_once(&self, input: &[u8]) -> Option<Found> {
        match self.compare(HYPHENS, input) {
            Match::Full(flag) => Some(Found::End { at: 0, flag, octets: self.end_line(HYPHENS) }),
            Match::SoFar => Some(Found::Perhaps { at: 0 }),
            Match::No => None,
        }
    }

    /// The first end-line. Every octet is looked at a bounded number of times: a place that looks like an end-line is compared
    /// with at most its length.
    fn find_end(&self, input: &[u8]) -> Found {
        static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(BREAK));
        let mut from = 0;
        while let Some(found) = input.get(from..).and_then(|rest| FINDER.find(rest)) {
            let at = from + found;
            match self.compare(BREAK, input.get(at..).unwrap_or(&[])) {
                Match::Full(flag) => return Found::End { at, flag, octets: self.end_line(BREAK) },
                Match::SoFar => return Found::Perhaps { at },
                Match::No => from = at + BREAK.len(),
            }
        }
        let tail = (1..BREAK.len()).rev().find(|n| input.ends_with(BREAK.get(..*n).unwrap_or(&[])));
        Found::Perhaps { at: input.len() - tail.unwrap_or(0) }
    }

    fn end_line(&self, before: &[u8]) -> usize {
        before.len() + self.transaction.as_bytes().len() + 3
    }

    /// Compares with `before`, the transaction id, a flag and CR LF.
    fn compare(&self, before: &[u8], input: &[u8]) -> Match {
        let mut rest = input;
        for part in [before, self.transaction.as_bytes()] {
            let n = rest.len().min(part.len());
            if rest.get(..n) != part.get(..n) {
                return Match::No;
            }
            if n < part.len() {
                return Match::SoFar;
            }
            rest = rest.get(n..).unwrap_or(&[]);
        }
        let Some((flag, rest)) = rest.split_first() else { return Match::SoFar };
        match (Flag::of(*flag), rest) {
            (Some(flag), [b'\r', b'\n', ..]) => Match::Full(flag),
            (Some(_), [] | [b'\r']) => Match::SoFar,
            _ => Match::No,
        }
    }
}
