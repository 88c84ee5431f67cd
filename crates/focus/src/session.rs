//! An MSRP session: what a worker knows of a participant whose media are here.

use std::collections::HashMap;
use std::time::Duration;

use msrp::chunk::Inflow;
use room::{Address, Capabilities, MediaTypes, SeatId};

use crate::branch::Outbound;
use crate::ids::{ConnectionId, RoomId, StreamId, WorkerId};
use crate::mail::{Facts, Peer};
use crate::pace::Pace;
use crate::switch::{Asked, Passage};

/// Messages of one session that may be under way at once.
const OPEN_MESSAGES: usize = 64;
/// Relays in use take frames of some 8 kB: a body and the addresses of several hops.
const RELAYED_CHUNK: usize = 7 * 1024;
/// Types that are remembered as refused. Whoever refuses more gets the others all the same.
const MAX_REFUSED: usize = 16;

/// An MSRP session bound on one of this worker's connections.
pub(crate) struct Session {
    pub(crate) room: RoomId,
    pub(crate) home: WorkerId,
    pub(crate) seat: SeatId,
    pub(crate) connection: ConnectionId,
    pub(crate) id: Box<str>,
    pub(crate) own_path: Box<str>,
    /// What follows the stem in every frame to this session: its suffix, the method, To-Path and From-Path.
    opening: Box<[u8]>,
    suffix: u8,
    pub(crate) identity: Address,
    pub(crate) private_messages: bool,
    types: MediaTypes,
    anything: bool,
    /// What it has answered 415 to, whatever it had said before.
    refused: Vec<Box<str>>,
    pub(crate) max_size: Option<u64>,
    /// Whether the peer sends messages at all (RFC 4975 §8.9).
    pub(crate) speaks: bool,
    /// The longest chunk, in octets, that the relays before the peer take; nothing without relays.
    pub(crate) chunk_limit: Option<usize>,
    /// The room's URI, in whose name the switch itself speaks.
    pub(crate) room_address: Address,
    /// The largest message, in octets, that goes to a congested connection.
    pub(crate) congested_max: u64,
    /// How fast it sends.
    pub(crate) pace: Pace,
    /// It has been told that messages are left out.
    pub(crate) told: bool,
    /// Slow connections for which its messages are refused, as it shares its own with others.
    pub(crate) refusing: u32,
    pub(crate) chunk_timer: Duration,
    pub(crate) chunk_timer_runs: bool,
    pub(crate) inflow: Inflow<Passage>,
    /// Messages that have ended before their verdict came, or wait for it.
    pub(crate) asked: HashMap<StreamId, Asked>,
    /// Where this session stands in its branch.
    pub(crate) member: usize,
    /// Octets of it that other workers have yet to send.
    pub(crate) unsettled: usize,
    pub(crate) ended: bool,
}

impl Session {
    pub(crate) fn new(facts: Facts, connection: ConnectionId, slot: u32, max_message: u64) -> Self {
        let suffix = base36(slot.into());
        let mut opening = suffix.clone();
        opening.extend_from_slice(b" SEND\r\nTo-Path: ");
        opening.extend_from_slice(facts.peer.path.as_bytes());
        opening.extend_from_slice(b"\r\nFrom-Path: ");
        opening.extend_from_slice(facts.own_path.as_bytes());
        opening.extend_from_slice(b"\r\n");
        Self {
            room: facts.room,
            home: facts.home,
            seat: facts.seat,
            connection,
            id: facts.session,
            own_path: facts.own_path,
            opening: opening.into(),
            suffix: suffix.len() as u8,
            identity: facts.identity,
            private_messages: facts.private_messages,
            anything: facts.peer.max_size.is_none() && facts.types.accepts_anything(),
            types: facts.types,
            refused: Vec::new(),
            max_size: facts.peer.max_size,
            speaks: facts.peer.speaks,
            chunk_limit: facts.peer.path.contains(' ').then_some(RELAYED_CHUNK),
            room_address: facts.room_address,
            congested_max: facts.congested_max,
            pace: Pace::default(),
            told: false,
            refusing: 0,
            chunk_timer: facts.chunk_timer,
            chunk_timer_runs: false,
            inflow: Inflow::new(OPEN_MESSAGES, max_message),
            asked: HashMap::new(),
            member: usize::MAX,
            unsettled: 0,
            ended: false,
        }
    }

    pub(crate) fn opening(&self) -> &[u8] {
        &self.opening
    }

    /// The part of its transaction ids that tells this session from others on the same connection.
    pub(crate) fn suffix(&self) -> &[u8] {
        self.opening.get(..usize::from(self.suffix)).unwrap_or_default()
    }

    /// What its peer accepts and does is another. Its path is the same.
    pub(crate) fn update(&mut self, media: &Peer, capabilities: Capabilities) {
        (self.max_size, self.speaks) = (media.max_size, media.speaks);
        self.private_messages = capabilities.private_messages;
        self.anything = self.max_size.is_none() && capabilities.types.accepts_anything();
        self.types = capabilities.types;
    }

    /// Whether the peer accepts a type.
    pub(crate) fn accepts(&self, content_type: &str) -> bool {
        self.types.accepts(content_type)
    }

    pub(crate) fn takes_anything(&self) -> bool {
        self.anything && self.refused.is_empty()
    }

    /// The peer has answered 415: it gets nothing more of that type (RFC 4975 §10.6).
    pub(crate) fn refuse(&mut self, content_type: &str) {
        if self.refused.len() < MAX_REFUSED && !self.has_refused(content_type) {
            self.refused.push(essence(content_type).into());
        }
    }

    fn has_refused(&self, content_type: &str) -> bool {
        self.refused.iter().any(|refused| refused.eq_ignore_ascii_case(essence(content_type)))
    }

    /// Whether the peer accepts the type and the size of a message (RFC 7701 §6.1, RFC 4975 §8.6).
    pub(crate) fn takes(&self, message: &Outbound<'_>) -> bool {
        let size = if message.end.is_some() { Some(message.octets.len() as u64) } else { message.announced };
        let fits = self.max_size.is_none_or(|max| size.is_none_or(|size| size <= max));
        fits && self.types.accepts(message.content_type) && !self.has_refused(message.content_type)
    }
}

/// A media type without its parameters.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// A number in digits and small letters.
pub(crate) fn base36(mut number: u64) -> Vec<u8> {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            digits.reverse();
            return digits;
        }
    }
}
