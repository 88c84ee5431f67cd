//! Messages and keep-alives out of a byte stream (RFC 3261 §18.3, §7.5; RFC 5626 §3.5.1), however it is cut.
//!
//! A stream has no other borders than Content-Length, so where that is in doubt the stream is over: a missing one
//! (RFC 3261 §20.14 demands it; taking an absent one for zero would let a body be read as a message), a repeated one even
//! if equal, no number, and lines whose ends two readers could see in different places. Everything else that is wrong in
//! a message costs only that message.

use crate::message::Message;
use crate::parse::{BODY_TOO_LONG, HEAD_TOO_LONG, Head, Malformed, find_head_end, parse_within};

/// Cuts a byte stream into messages. It holds at most one unfinished message (bounded by the limits, never allocated
/// ahead) and what was fed since [`Framer::next`] last gave `None`.
#[derive(Debug)]
pub struct Framer {
    head_limit: usize,
    body_limit: usize,
    buffer: Vec<u8>,
    start: usize,
    state: State,
    pongs_awaited: u32,
}

/// What a stream brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A sound message.
    Message(Message),
    /// An empty line twice between messages: to be answered with one (RFC 5626 §4.4.1).
    Ping,
    /// The answer to a ping of our own ([`Framer::await_pong`]).
    Pong,
    /// Something that is no sound message.
    Malformed {
        /// What is wrong, and the request as far as it could be read.
        malformed: Malformed,
        /// Where the message ends is unknown, or it is too long to wait for: the connection is to be closed after the
        /// answer, and nothing more comes from it.
        close: bool,
    },
}

impl Frame {
    /// What one read brings that is one message: a datagram, or a WebSocket message (RFC 7118 §5.3, with the ping of its
    /// §6). Empty lines in a datagram read as a ping too; answer those of connections only (RFC 5626 §4.4.1). The limits
    /// are those of [`Framer::new`].
    #[must_use]
    pub fn of_one_message(octets: &[u8], head_limit: usize, body_limit: usize) -> Self {
        match parse_within(octets, head_limit, body_limit) {
            _ if octets == b"\r\n\r\n" => Self::Ping,
            Ok(message) => Self::Message(message),
            Err(malformed) => Self::Malformed { malformed, close: false },
        }
    }
}

#[derive(Debug)]
enum State {
    /// Between messages.
    Between,
    /// In a head, of which so many octets hold no end.
    Head { scanned: usize },
    /// After a head, before the last octet of a body of that length.
    Body { head: Head, length: usize },
    /// Over.
    Lost,
}

impl Framer {
    /// A stream of which nothing came yet. The limits are in octets: of a head (with its last line's end, without the
    /// empty line behind it), and of a body.
    #[must_use]
    pub fn new(head_limit: usize, body_limit: usize) -> Self {
        Self { head_limit, body_limit, buffer: Vec::new(), start: 0, state: State::Between, pongs_awaited: 0 }
    }

    /// Takes what came. Drain [`Framer::next`] afterwards.
    pub fn feed(&mut self, octets: &[u8]) {
        if matches!(self.state, State::Lost) {
            return;
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// Says that a ping of our own went out: one empty line between messages is then a [`Frame::Pong`].
    pub fn await_pong(&mut self) {
        self.pongs_awaited = self.pongs_awaited.saturating_add(1);
    }

    /// Whether a message has begun that is not complete: what a deadline for slow senders asks.
    #[must_use]
    pub fn is_within_message(&self) -> bool {
        matches!(self.state, State::Head { .. } | State::Body { .. })
    }

    /// The next thing that is complete; `None` when more octets are needed, or the stream is over.
    // Not an iterator: after `None` there may be more.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            let step = match std::mem::replace(&mut self.state, State::Lost) {
                State::Between => self.between(),
                State::Head { scanned } => self.head(scanned),
                State::Body { head, length } => self.body(head, length),
                State::Lost => Step::Wait(State::Lost),
            };
            match step {
                Step::On(state) => self.state = state,
                Step::Give(frame, state) => {
                    self.state = state;
                    return Some(frame);
                }
                Step::Wait(state) => {
                    self.state = state;
                    self.release();
                    return None;
                }
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn between(&mut self) -> Step {
        match self.rest() {
            [b'\r', b'\n', ..] if self.pongs_awaited > 0 => {
                self.pongs_awaited -= 1;
                self.start += 2;
                Step::Give(Frame::Pong, State::Between)
            }
            [b'\r', b'\n', b'\r', b'\n', ..] => {
                self.start += 4;
                Step::Give(Frame::Ping, State::Between)
            }
            [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => Step::Wait(State::Between),
            [b'\r', b'\n', ..] => {
                self.start += 2;
                Step::On(State::Between)
            }
            _ => Step::On(State::Head { scanned: 0 }),
        }
    }

    fn head(&mut self, mut scanned: usize) -> Step {
        let rest = self.rest();
        match find_head_end(rest, &mut scanned) {
            Some((end, _)) if end > self.head_limit => self.head_too_long(),
            Some((_, body)) => {
                let head = Head::read(rest.get(..body).unwrap_or_default());
                self.start += body;
                self.judge_head(head)
            }
            // The empty line takes two octets more.
            None if rest.len() >= self.head_limit.saturating_add(2) => self.head_too_long(),
            None => Step::Wait(State::Head { scanned }),
        }
    }

    fn head_too_long(&self) -> Step {
        let within = self.rest().get(..self.head_limit).unwrap_or_default();
        let lines = memchr::memrchr(b'\n', within).map_or(0, |end| end + 1);
        let mut head = Head::read(within.get(..lines).unwrap_or_default());
        head.overrule(HEAD_TOO_LONG);
        Step::give_up(head)
    }

    fn judge_head(&self, mut head: Head) -> Step {
        match head.content_length() {
            Ok(Some(_)) if !head.lines_are_certain() => Step::give_up(head),
            Ok(Some(length)) if length > self.body_limit => {
                head.overrule(BODY_TOO_LONG);
                Step::give_up(head)
            }
            Ok(Some(length)) => Step::On(State::Body { head, length }),
            Ok(None) => {
                head.fault((400, "Missing Content-Length"));
                Step::give_up(head)
            }
            Err(fault) => {
                head.fault(fault);
                Step::give_up(head)
            }
        }
    }

    fn body(&mut self, head: Head, length: usize) -> Step {
        let Some(body) = self.rest().get(..length).map(<[u8]>::to_vec) else {
            return Step::Wait(State::Body { head, length });
        };
        self.start += length;
        let frame = match head.into_message(body) {
            Ok(message) => Frame::Message(message),
            Err(malformed) => Frame::Malformed { malformed, close: false },
        };
        Step::Give(frame, State::Between)
    }

    /// An idle stream holds no memory.
    fn release(&mut self) {
        if self.start >= self.buffer.len() || matches!(self.state, State::Lost) {
            self.buffer = Vec::new();
            self.start = 0;
        }
    }
}

enum Step {
    On(State),
    Give(Frame, State),
    Wait(State),
}

impl Step {
    /// The end of the stream, for the first fault of this head.
    fn give_up(mut head: Head) -> Self {
        head.fault((400, "Bad Request"));
        match head.into_message(Vec::new()) {
            Err(malformed) => Self::Give(Frame::Malformed { malformed, close: true }, State::Lost),
            Ok(_) => Self::Wait(State::Lost),
        }
    }
}
