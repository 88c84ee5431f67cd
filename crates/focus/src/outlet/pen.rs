//! The octets of a parcel for one connection.

use std::io::Write as _;
use std::ops::Range;

use msrp::frame::Flag;

use super::{Content, LIMIT, RESERVE, Stem};
use crate::branch::INTERRUPTIBLE;
use crate::ids::{Handle, StreamId};
use crate::session::{Session, base36};

const END_LINE: &[u8] = b"\r\n-------";

/// A chunk that has been begun and not ended.
pub(super) struct Open {
    pub(super) stream: StreamId,
    pub(super) session: Handle,
    stem: Stem,
    /// What stands behind the stem in its transaction id.
    tail: Box<[u8]>,
    /// Octets of its body so far.
    written: usize,
}

/// What became of a parcel.
pub(super) enum Written {
    Whole,
    /// It did not fit: the message on its way was ended with `#`.
    Cut(StreamId),
    /// It did not fit: the message was left out.
    LeftOut,
    /// It did not fit, and must not be left out.
    Overflow,
}

/// Writes parcels for one connection.
pub(super) struct Pen<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) arena: &'a [u8],
    pub(super) open: &'a mut Option<Box<Open>>,
}

/// Some octets of a message on its way.
struct Piece {
    stream: StreamId,
    stem: Stem,
    message_id: Range<usize>,
    offset: u64,
    body: Range<usize>,
}

impl Pen<'_> {
    /// Writes a parcel behind so many octets that wait already.
    pub(super) fn write(
        &mut self,
        content: &Content,
        handle: Handle,
        session: Option<&Session>,
        queued: usize,
    ) -> Written {
        let room = LIMIT.saturating_sub(queued);
        let live = session.filter(|session| !session.ended);
        match content {
            Content::Frame { octets } if queued.saturating_add(octets.len()) > LIMIT + RESERVE => {
                return Written::Overflow;
            }
            Content::Frame { octets } => {
                self.interrupt();
                self.out.extend_from_slice(&self.arena[octets.clone()]);
            }
            Content::Message { shared, .. } if shared.len() > room => {
                return if live.is_some() { Written::LeftOut } else { Written::Whole };
            }
            Content::Message { stem, shared, message_id, body } => {
                let Some(session) = live else { return Written::Whole };
                self.interrupt();
                match session.chunk_limit {
                    Some(limit) if body.len() > limit => self.in_chunks(stem, session, message_id, body, limit),
                    _ => {
                        self.begin(stem, session);
                        self.out.extend_from_slice(&self.arena[shared.clone()]);
                        self.end(stem, session.suffix(), Flag::Last);
                    }
                }
            }
            Content::Piece { stream, stem, message_id, offset, body, end } => {
                let Some(session) = live else {
                    self.end_of_ended(*stream, handle, *end);
                    return Written::Whole;
                };
                let fits = body.len() <= room;
                let piece = Piece {
                    stream: *stream,
                    stem: *stem,
                    message_id: message_id.clone(),
                    offset: *offset,
                    body: if fits { body.clone() } else { body.start..body.start },
                };
                self.piece(piece, handle, session, if fits { *end } else { Some(Flag::Abort) });
                if !fits {
                    return Written::Cut(*stream);
                }
            }
        }
        Written::Whole
    }

    /// The chunk that stands open for a session that has ended is ended too.
    fn end_of_ended(&mut self, stream: StreamId, handle: Handle, end: Option<Flag>) {
        let theirs = self.open.take_if(|open| open.stream == stream && open.session == handle && end.is_some());
        if let (Some(open), Some(flag)) = (theirs, end) {
            self.end(&open.stem, &open.tail, flag);
        }
    }

    /// A whole message in chunks that are as long as a relay takes them.
    fn in_chunks(&mut self, stem: &Stem, session: &Session, id: &Range<usize>, body: &Range<usize>, limit: usize) {
        let total = body.len();
        let mut at = 0;
        while at < total {
            let end = total.min(at + limit);
            let tail = self.begin_chunk(stem, session, at as u64);
            // RFC 4975 §7.1.1: a long chunk must be ready to be interrupted.
            let last = if end - at > INTERRUPTIBLE { "*".to_owned() } else { end.to_string() };
            self.head(id, format_args!("{}-{last}/{total}", at + 1));
            self.out.extend_from_slice(&self.arena[body.start + at..body.start + end]);
            self.end(stem, &tail, if end == total { Flag::Last } else { Flag::More });
            at = end;
        }
    }

    /// Some octets of a message on its way: into the chunk that stands open, if it is the message's own.
    fn piece(&mut self, piece: Piece, handle: Handle, session: &Session, end: Option<Flag>) {
        let Piece { stream, stem, message_id, mut offset, mut body } = piece;
        let limit = session.chunk_limit.unwrap_or(usize::MAX);
        let continues = |open: &Open| open.stream == stream && open.stem == stem && open.session == handle;
        loop {
            if !self.open.as_deref().is_some_and(continues) {
                self.interrupt();
                let tail = self.begin_chunk(&stem, session, offset);
                self.head(&message_id, format_args!("{}-*/*", offset.saturating_add(1)));
                *self.open = Some(Box::new(Open { stream, session: handle, stem, tail, written: 0 }));
            }
            let Some(open) = self.open.as_deref_mut() else { return };
            let part = body.start..body.end.min(body.start.saturating_add(limit - open.written));
            open.written += part.len();
            self.out.extend_from_slice(&self.arena[part.clone()]);
            offset = offset.saturating_add(part.len() as u64);
            body.start = part.end;
            if body.is_empty() {
                break;
            }
            self.interrupt();
        }
        if let (Some(flag), Some(open)) = (end, self.open.take_if(|_| end.is_some())) {
            self.end(&stem, &open.tail, flag);
        }
    }

    /// Writes the start line and the addresses of a message's first chunk.
    fn begin(&mut self, stem: &Stem, session: &Session) {
        self.out.extend_from_slice(b"MSRP ");
        self.out.extend_from_slice(stem);
        self.out.extend_from_slice(session.opening());
    }

    /// Writes the start line and the addresses of the chunk at this offset. No two chunks to a session have one transaction id; gives
    /// what stands in it behind the stem.
    fn begin_chunk(&mut self, stem: &Stem, session: &Session, offset: u64) -> Box<[u8]> {
        if offset == 0 {
            self.begin(stem, session);
            return session.suffix().into();
        }
        self.out.extend_from_slice(b"MSRP ");
        self.out.extend_from_slice(stem);
        let tail = [session.suffix(), b"X", &base36(offset)].concat();
        self.out.extend_from_slice(&tail);
        self.out.extend_from_slice(session.opening().get(session.suffix().len()..).unwrap_or_default());
        tail.into()
    }

    /// From Message-ID to the blank line.
    fn head(&mut self, message_id: &Range<usize>, range: std::fmt::Arguments<'_>) {
        self.out.extend_from_slice(b"Message-ID: ");
        self.out.extend_from_slice(&self.arena[message_id.clone()]);
        // Writing to a Vec does not fail.
        let _ = write!(
            self.out,
            "\r\nFailure-Report: partial\r\nByte-Range: {range}\r\nContent-Type: message/cpim\r\n\r\n"
        );
    }

    fn end(&mut self, stem: &Stem, suffix: &[u8], flag: Flag) {
        self.out.extend_from_slice(END_LINE);
        self.out.extend_from_slice(stem);
        self.out.extend_from_slice(suffix);
        self.out.extend_from_slice(&[flag.as_byte(), b'\r', b'\n']);
    }

    /// Ends the chunk that stands open, because something else waits (RFC 4975 §5.1).
    fn interrupt(&mut self) {
        if let Some(open) = self.open.take() {
            self.end(&open.stem, &open.tail, Flag::More);
        }
    }
}
