//! An endpoint's side of chunking: whole messages from chunks in any order (RFC 4975 §7.3.1).

use std::collections::BTreeMap;

use crate::frame::{Flag, Head};
use crate::ident::Ident;

/// Gathers the messages of one session. Memory grows with the octets that came, never with those that were declared.
///
/// Bounded: a message beyond the number that may be open gets 413, as do octets beyond the size of a message, and pieces
/// beyond [`Reassembly::MAX_PIECES`] that do not touch.
#[derive(Debug, Clone)]
pub struct Reassembly {
    max_open: usize,
    max_message: u64,
    open: Vec<Message>,
    /// The message of the present chunk and the offset of its next octet.
    present: Option<(Ident, u64)>,
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
    /// By offset; they neither overlap nor touch.
    pieces: BTreeMap<u64, Vec<u8>>,
    /// Known once the last chunk has come.
    size: Option<u64>,
}

impl Reassembly {
    /// How many pieces with gaps between them a message may be in.
    pub const MAX_PIECES: usize = 64;

    /// At most `max_open` messages at a time, each of at most `max_message` octets.
    pub fn new(max_open: usize, max_message: u64) -> Reassembly {
        Reassembly { max_open, max_message, open: Vec::new(), present: None }
    }

    /// The head of a SEND with a body has come.
    ///
    /// # Errors
    /// 400 without a Message-ID; 413 where the message is or may become too large, or too many are open.
    pub fn begin(&mut self, head: &Head<'_>) -> Result<(), u16> {
        self.present = None;
        let id = head.message_id.and_then(|id| Ident::new(id.as_bytes())).ok_or(400_u16)?;
        let offset = head.byte_range.map_or(0, |range| range.start.saturating_sub(1));
        let total = head.byte_range.and_then(|range| range.total).unwrap_or(0);
        if offset > self.max_message || total > self.max_message {
            return Err(413);
        }
        if !self.open.iter().any(|message| message.id == id) {
            if self.open.len() >= self.max_open {
                return Err(413);
            }
            let content_type = head.content_type.unwrap_or("").to_owned();
            self.open.push(Message { id, content_type, pieces: BTreeMap::new(), size: None });
        }
        self.present = Some((id, offset));
        Ok(())
    }

    /// Octets of the present chunk.
    ///
    /// # Errors
    /// 413 beyond the bounds: the message is dropped. 400 outside of a chunk.
    pub fn octets(&mut self, octets: &[u8]) -> Result<(), u16> {
        let (id, offset) = self.present.ok_or(400_u16)?;
        let end = offset.checked_add(octets.len() as u64).filter(|end| *end <= self.max_message);
        let message = self.open.iter_mut().find(|message| message.id == id).ok_or(400_u16)?;
        let fits = end.is_some() && message.insert(offset, octets) <= Reassembly::MAX_PIECES;
        let Some(end) = end.filter(|_| fits) else {
            self.drop_message(id);
            return Err(413);
        };
        self.present = Some((id, end));
        Ok(())
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
        if !message.is_whole() {
            return None;
        }
        let message = self.open.remove(at);
        let size = message.size.unwrap_or(0) as usize;
        let mut octets = message.pieces.into_values().next().unwrap_or_default();
        octets.truncate(size);
        Some(Gathered { message_id: id.as_str().to_owned(), content_type: message.content_type, octets })
    }

    fn drop_message(&mut self, id: Ident) {
        self.present = None;
        self.open.retain(|message| message.id != id);
    }
}

impl Message {
    /// Puts octets in their place; of octets that came twice the last count. Gives the number of pieces.
    fn insert(&mut self, offset: u64, octets: &[u8]) -> usize {
        let Some(end) = offset.checked_add(octets.len() as u64) else { return usize::MAX };
        if octets.is_empty() {
            return self.pieces.len();
        }
        match self.pieces.range_mut(..=offset).next_back() {
            Some((start, piece)) if offset - start <= piece.len() as u64 => {
                overwrite(piece, (offset - start) as usize, octets);
            }
            _ => {
                self.pieces.insert(offset, octets.to_vec());
            }
        }
        self.join(offset, end);
        self.pieces.len()
    }

    /// Joins the piece that holds `offset` with those that begin before or at `end`, whose octets up to `end` are older.
    fn join(&mut self, offset: u64, end: u64) {
        while let Some(next) = self.pieces.range(offset + 1..=end).next().map(|(start, _)| *start) {
            let Some(later) = self.pieces.remove(&next) else { return };
            let rest = later.get((end - next) as usize..).unwrap_or(&[]);
            if let Some((start, piece)) = self.pieces.range_mut(..=offset).next_back() {
                let reach = start + piece.len() as u64;
                let new = rest.get(reach.saturating_sub(end) as usize..).unwrap_or(&[]);
                piece.extend_from_slice(new);
            }
        }
    }

    fn is_whole(&self) -> bool {
        match (self.size, self.pieces.first_key_value()) {
            (Some(0), _) => true,
            (Some(size), Some((0, piece))) => piece.len() as u64 >= size,
            _ => false,
        }
    }
}

fn overwrite(piece: &mut Vec<u8>, at: usize, octets: &[u8]) {
    let within = octets.len().min(piece.len().saturating_sub(at));
    let (over, beyond) = octets.split_at(within);
    if let Some(place) = piece.get_mut(at..at + within) {
        place.copy_from_slice(over);
    }
    piece.extend_from_slice(beyond);
}
