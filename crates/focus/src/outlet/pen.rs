//! The octets of a parcel for one connection.

use std::io::Write as _;
use std::ops::Range;

use msrp::frame::Flag;

use super::{Content, RESERVE, Stem};
use crate::branch::INTERRUPTIBLE;
use crate::ids::{Handle, StreamId};
use crate::session::Session;

const END_LINE: &[u8] = b"\r\n-------";

/// A chunk that has been begun and not ended.
pub(super) struct Open {
    pub(super) stream: StreamId,
    pub(super) session: Handle,
    stem: Stem,
    suffix: Box<[u8]>,
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
    /// Writes a parcel, for which there is so much room.
    pub(super) fn write(
        &mut self,
        content: &Content,
        handle: Handle,
        session: Option<&Session>,
        room: usize,
    ) -> Written {
        let live = session.filter(|session| !session.ended);
        match content {
            Content::Frame { octets } if octets.len() > room + RESERVE => return Written::Overflow,
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
                let Some(session) = live else { return Written::Whole };
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

    /// A whole message in chunks that are as long as a relay takes them.
    fn in_chunks(&mut self, stem: &Stem, session: &Session, id: &Range<usize>, body: &Range<usize>, limit: usize) {
        let total = body.len();
        let mut at = 0;
        while at < total {
            let end = total.min(at + limit);
            self.begin(stem, session);
            // RFC 4975 §7.1.1: a long chunk must be ready to be interrupted.
            let last = if end - at > INTERRUPTIBLE { "*".to_owned() } else { end.to_string() };
            self.head(id, format_args!("{}-{last}/{total}", at + 1));
            self.out.extend_from_slice(&self.arena[body.start + at..body.start + end]);
            self.end(stem, session.suffix(), if end == total { Flag::Last } else { Flag::More });
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
                self.begin(&stem, session);
                self.head(&message_id, format_args!("{}-*/*", offset.saturating_add(1)));
                let suffix = session.suffix().into();
                *self.open = Some(Box::new(Open { stream, session: handle, stem, suffix, written: 0 }));
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
        if let Some(flag) = end {
            self.end(&stem, session.suffix(), flag);
            *self.open = None;
        }
    }

    fn begin(&mut self, stem: &Stem, session: &Session) {
        self.out.extend_from_slice(b"MSRP ");
        self.out.extend_from_slice(stem);
        self.out.extend_from_slice(session.opening());
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
            self.end(&open.stem, &open.suffix, Flag::More);
        }
    }
}
