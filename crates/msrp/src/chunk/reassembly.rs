//! An endpoint's side of chunking: whole messages from chunks in any order (RFC 4975 §7.3.1).

use std::collections::BTreeMap;
use std::time::Instant;

use crate::frame::{Flag, Head};
use crate::ident::Ident;

/// Gathers the messages of one session. Memory grows with the octets that came, never with those that were declared. A
/// message of which no chunk comes any more stays until [`Reassembly::forget_since`].
///
/// Bounded: 413 is given to a message beyond the number that may be open, to octets beyond the size of one message or of all
/// together, and to a message in more than [`Reassembly::MAX_PIECES`].
#[derive(Debug, Clone)]
pub struct Reassembly {
    bounds: Bounds,
    open: Vec<Message>,
    /// The message of the present chunk and the offset of its next octet.
    present: Option<(Ident, u64)>,
}

/// What a [`Reassembly`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Messages at a time.
    pub messages: usize,
    /// Octets of one message.
    pub message_octets: u64,
    /// Octets of all messages together.
    pub octets: u64,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// Its Message-ID.
    pub message_id: String,
    /// The Content-Type of its first chunk to come.
    pub content_type: String,
    /// The content.
    pub octets: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Message {
    id: Ident,
    content_type: String,
    pieces: Pieces,
    /// Known once the last chunk has come.
    size: Option<u64>,
    touched: Instant,
}

/// Octets by their offsets. Pieces do not overlap; one may begin where another ends.
#[derive(Debug, Clone, Default)]
struct Pieces {
    pieces: BTreeMap<u64, Vec<u8>>,
    octets: u64,
}

impl Reassembly {
    /// How many pieces a message may be in: gaps between them, mostly.
    pub const MAX_PIECES: usize = 64;

    /// One without messages.
    pub fn new(bounds: Bounds) -> Reassembly {
        Reassembly { bounds, open: Vec::new(), present: None }
    }

    /// The head of a SEND has come: with a body, or without one if its message [`Reassembly::is_open`].
    ///
    /// # Errors
    /// 400 without a Message-ID; 413 where the message is or may become too large, or too many are open.
    pub fn begin(&mut self, now: Instant, head: &Head<'_>) -> Result<(), u16> {
        self.present = None;
        let id = head.message_id.and_then(|id| Ident::new(id.as_bytes())).ok_or(400_u16)?;
        let offset = head.byte_range.map_or(0, |range| range.start.saturating_sub(1));
        let total = head.byte_range.and_then(|range| range.total).unwrap_or(0);
        if offset > self.bounds.message_octets || total > self.bounds.message_octets {
            self.drop_message(id);
            return Err(413);
        }
        let full = self.open.len() >= self.bounds.messages;
        match self.open.iter_mut().find(|message| message.id == id) {
            Some(message) => message.touched = now,
            None if full => return Err(413),
            None => {
                let content_type = head.content_type.unwrap_or("").to_owned();
                self.open.push(Message { id, content_type, pieces: Pieces::default(), size: None, touched: now });
            }
        }
        self.present = Some((id, offset));
        Ok(())
    }

    /// Octets of the present chunk. Of octets that come twice the later ones count.
    ///
    /// # Errors
    /// 413 beyond the bounds: the message is dropped. 400 outside of a chunk.
    pub fn octets(&mut self, octets: &[u8]) -> Result<(), u16> {
        let (id, offset) = self.present.ok_or(400_u16)?;
        let end = offset.checked_add(octets.len() as u64).filter(|end| *end <= self.bounds.message_octets);
        let held: u64 = self.open.iter().map(|message| message.pieces.octets).sum();
        let message = self.open.iter_mut().find(|message| message.id == id).ok_or(400_u16)?;
        if let Some(end) = end.filter(|_| held.saturating_add(octets.len() as u64) <= self.bounds.octets) {
            message.pieces.put(offset, octets);
            if message.pieces.pieces.len() <= Reassembly::MAX_PIECES {
                self.present = Some((id, end));
                return Ok(());
            }
        }
        self.drop_message(id);
        Err(413)
    }

    /// The chunk's end-line has come. Gives the message once its last chunk and all octets before have come.
    pub fn end(&mut self, flag: Flag) -> Option<Gathered> {
        let (id, end) = self.present.take()?;
        let at = self.open.iter().position(|message| message.id == id)?;
        let message = self.open.get_mut(at)?;
        match flag {
            Flag::Abort => {
                self.open.remove(at);
                return None;
            }
            Flag::Last => message.size = Some(end),
            Flag::More => {}
        }
        let size = message.size.filter(|size| message.pieces.reach() >= *size)?;
        let message = self.open.remove(at);
        let octets = message.pieces.joined(size);
        Some(Gathered { message_id: id.as_str().to_owned(), content_type: message.content_type, octets })
    }

    /// Whether a message of that Message-ID is under way.
    pub fn is_open(&self, message_id: &str) -> bool {
        self.open.iter().any(|message| message.id.as_bytes() == message_id.as_bytes())
    }

    /// When the last chunk began of the message that has waited longest.
    pub fn oldest(&self) -> Option<Instant> {
        self.open.iter().map(|message| message.touched).min()
    }

    /// Forgets the messages whose last chunk began at or before `then`, but for that of the present chunk.
    pub fn forget_since(&mut self, then: Instant) {
        let present = self.present.map(|(id, _)| id);
        self.open.retain(|message| message.touched > then || present == Some(message.id));
    }

    fn drop_message(&mut self, id: Ident) {
        self.present = None;
        self.open.retain(|message| message.id != id);
    }
}

impl Pieces {
    fn put(&mut self, mut offset: u64, mut octets: &[u8]) {
        while !octets.is_empty() {
            let (now, later) = octets.split_at(self.put_some(offset, octets).clamp(1, octets.len()));
            offset += now.len() as u64;
            octets = later;
        }
        self.join();
    }

    /// Puts the octets that fall into one piece or into one gap, and says how many they are.
    fn put_some(&mut self, offset: u64, octets: &[u8]) -> usize {
        let gap = self.pieces.range(offset..).next().map_or(u64::MAX, |(next, _)| next - offset);
        let before =
            self.pieces.range_mut(..=offset).next_back().map(|(start, piece)| ((offset - start) as usize, piece));
        let (known, new) = match before {
            Some((at, piece)) if at < piece.len() => {
                let n = octets.len().min(piece.len() - at);
                if let (Some(place), Some(octets)) = (piece.get_mut(at..at + n), octets.get(..n)) {
                    place.copy_from_slice(octets);
                }
                (n, 0)
            }
            before => {
                let n = octets.len().min(usize::try_from(gap).unwrap_or(usize::MAX));
                let octets = octets.get(..n).unwrap_or(&[]);
                match before {
                    Some((at, piece)) if at == piece.len() => piece.extend_from_slice(octets),
                    _ => drop(self.pieces.insert(offset, octets.to_vec())),
                }
                (0, n)
            }
        };
        self.octets += new as u64;
        known + new
    }

    /// Joins pieces that touch, where the later one is not the longer: so the work stays within the octets times their
    /// logarithm, in whatever order they come.
    fn join(&mut self) {
        let Some(mut at) = self.pieces.first_key_value().map(|(start, _)| *start) else { return };
        while let Some((next, later)) = self.pieces.range(at + 1..).next().map(|(start, piece)| (*start, piece.len())) {
            let length = self.pieces.get(&at).map_or(0, Vec::len);
            if at + length as u64 == next && later <= length {
                let later = self.pieces.remove(&next).unwrap_or_default();
                self.pieces.entry(at).or_default().extend_from_slice(&later);
            } else {
                at = next;
            }
        }
    }

    /// How many octets there are from the beginning to the first gap.
    fn reach(&self) -> u64 {
        let whole = |reach: u64, (start, piece): (&u64, &Vec<u8>)| {
            if *start == reach { Ok(reach + piece.len() as u64) } else { Err(reach) }
        };
        self.pieces.iter().try_fold(0, whole).unwrap_or_else(|reach| reach)
    }

    /// The first octets; the caller has seen that they [`Pieces::reach`] so far.
    fn joined(self, size: u64) -> Vec<u8> {
        let mut pieces = self.pieces.into_values();
        let mut octets = pieces.next().unwrap_or_default();
        for piece in pieces {
            octets.extend_from_slice(&piece);
        }
        octets.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        octets
    }
}
