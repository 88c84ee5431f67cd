//! The last stage of a delivery: what waits for each connection, rendered at the flush.
//!
//! Fan-out queues to a connection only the index of a parcel that all recipients share. At the flush each connection's parcels
//! are rendered one behind the other into one scratch buffer and handed to the shell for one send; only what the socket does not
//! take is copied into the connection's own queue. A blocked connection is rendered straight into that queue.
//!
//! The queue is bounded by [`LIMIT`], and passes marks on the way there (RFC 7701 §6.4), each told by a [`Notice`]: from
//! [`HOLD_STREAMS_AT`] the senders of long messages are to be held back, from [`HOLD_AT`] those of short ones too; from
//! [`CONGESTED_AT`] large messages are left out. At the bound a message on its way is ended with `#` and a whole one is left
//! out. Responses may go [`RESERVE`] beyond; a peer that lets so many wait has lost its connection.

use std::collections::VecDeque;
use std::ops::Range;

use msrp::frame::Flag;

use self::pen::{Open, Pen, Written};
use crate::arena::Arena;
use crate::ids::{Handle, SessionId, StreamId};
use crate::session::Session;

/// Octets that may wait for one connection, beyond what one flush rendered.
pub(crate) const LIMIT: usize = 1024 * 1024;
/// Octets beyond [`LIMIT`] for what must not be left out.
const RESERVE: usize = 64 * 1024;
/// Octets that are rendered for one send while the socket takes them.
const SLICE: usize = 256 * 1024;
/// Octets waiting for one connection from which on it is congested: 80 %.
const CONGESTED_AT: usize = LIMIT / 5 * 4;
/// Octets waiting for one connection from which on all senders are held back that fill it.
const HOLD_AT: usize = LIMIT / 2;
/// Octets waiting from which on those are held back whose messages come in pieces: they can wait in the middle.
const HOLD_STREAMS_AT: usize = 64 * 1024;
/// Octets waiting at which all is well again.
const RELEASE_AT: usize = 16 * 1024;
/// The buffers of a batch keep their capacity up to this size.
const KEEP: usize = 2 * 1024 * 1024;

const NONE: u32 = u32::MAX;

mod pen;

/// The random part that the transaction ids of one fan-out share: 12 characters of 62, 71 bits (RFC 4975 §7.1 asks for 64). Behind
/// it stands what tells the session on its connection and, from the second chunk of a message on, its offset: 32 characters at
/// the most.
pub(crate) type Stem = [u8; 12];

/// What several connections, or one, are to be sent.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// Whose message it is, to be paced when it cannot be sent.
    pub(crate) origin: Option<SessionId>,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// A whole message: from its Message-ID to the end of its body, and where the two are in it.
    Message { stem: Stem, shared: Range<usize>, message_id: Range<usize>, body: Range<usize> },
    /// Some octets of a message on its way, of which so many came before.
    Piece { stream: StreamId, stem: Stem, message_id: Range<usize>, offset: u64, body: Range<usize>, end: Option<Flag> },
    /// A frame that already has its addresses.
    Frame { octets: Range<usize> },
}

/// Something that the owner of the outlets has to act upon.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// This connection is slow: hold the origin of what fills it.
    Hold { connection: Handle, origin: SessionId },
    /// It has caught up: hold nobody for it.
    Drained { connection: Handle },
    /// It is so slow that large messages are left out from now on.
    Congested { connection: Handle },
    /// It is not congested any more.
    Recovered { connection: Handle },
    /// A message was left out that this session should have had.
    LeftOut { session: Handle },
    /// A message on its way did not fit: this recipient's copy was ended with `#`.
    Cut { stream: StreamId, session: Handle },
    /// Not even a response fitted: the connection is lost.
    Overflow { connection: Handle },
    /// What was to be sent before the connection is closed has been sent.
    Finished { connection: Handle },
}

#[derive(Clone, Copy)]
struct Link {
    parcel: u32,
    session: Handle,
    next: u32,
}

#[derive(Default)]
struct Outlet {
    /// Which connection this is the outlet of; a parcel for an earlier one of the slot is dropped.
    generation: u32,
    first: u32,
    last: u32,
    dirty: bool,
    blocked: bool,
    /// Senders are held back for it.
    holding: bool,
    congested: bool,
    /// Nobody is held back for it before it has caught up.
    weary: bool,
    closing: bool,
    open: Option<Box<Open>>,
    queue: Vec<u8>,
    sent: usize,
}

impl Outlet {
    fn waiting(&self) -> usize {
        self.queue.len() - self.sent
    }
}

/// The outlets of a worker's connections and the batch they share.
#[derive(Default)]
pub(crate) struct Outlets {
    outlets: Vec<Outlet>,
    arena: Vec<u8>,
    parcels: Vec<Parcel>,
    links: Vec<Link>,
    dirty: VecDeque<u32>,
    scratch: Vec<u8>,
    sending: Option<(u32, bool)>,
    /// Whose messages were rendered for the present connection, and whether in pieces.
    origins: Vec<(SessionId, bool)>,
    /// Copies that were ended in this batch: nothing of them goes out any more.
    cut: Vec<(StreamId, Handle)>,
    notices: VecDeque<Notice>,
}

impl Outlets {
    /// A connection has come.
    pub(crate) fn open(&mut self, connection: Handle) {
        let slot = connection.slot as usize;
        if self.outlets.len() <= slot {
            self.outlets.resize_with(slot + 1, Outlet::default);
        }
        self.outlets[slot] = Outlet { generation: connection.generation, first: NONE, last: NONE, ..Outlet::default() };
    }

    /// A connection is gone, and with it all that waits for it.
    pub(crate) fn close(&mut self, connection: Handle) {
        if let Some(outlet) = self.outlet(connection) {
            let generation = outlet.generation.wrapping_add(1);
            *outlet = Outlet { generation, first: NONE, last: NONE, ..Outlet::default() };
        }
    }

    /// Says when everything is out, by [`Notice::Finished`].
    pub(crate) fn finish(&mut self, connection: Handle) {
        let Some(outlet) = self.outlet(connection) else { return };
        outlet.closing = true;
        if outlet.first == NONE && outlet.waiting() == 0 {
            self.notices.push_back(Notice::Finished { connection });
        }
    }

    /// Those who filled this connection have waited long enough for it: it holds nobody back before it has caught up.
    pub(crate) fn weary(&mut self, connection: Handle) {
        if let Some(outlet) = self.outlet(connection) {
            outlet.weary = outlet.holding;
        }
    }

    pub(crate) fn is_weary(&self, connection: Handle) -> bool {
        self.outlets.get(connection.slot as usize).is_some_and(|outlet| outlet.weary)
    }

    /// The stream whose chunk stands open towards this connection, and for which session.
    pub(crate) fn open_chunk(&self, connection: Handle) -> Option<(StreamId, Handle)> {
        let outlet = self.outlets.get(connection.slot as usize).filter(|o| o.generation == connection.generation)?;
        outlet.open.as_ref().map(|open| (open.stream, open.session))
    }

    /// Where the shared octets of the batch are written: append, then name the range.
    pub(crate) fn arena(&mut self) -> &mut Vec<u8> {
        &mut self.arena
    }

    /// How many octets this batch has gathered.
    pub(crate) fn batch_octets(&self) -> usize {
        self.arena.len()
    }

    /// Adds a parcel to the batch, to be queued to connections by its number.
    pub(crate) fn parcel(&mut self, parcel: Parcel) -> u32 {
        self.parcels.push(parcel);
        (self.parcels.len() - 1) as u32
    }

    /// Queues a parcel to a connection, in the name of one of its sessions. No allocation once the batch has its size.
    #[inline]
    pub(crate) fn push(&mut self, connection: Handle, session: Handle, parcel: u32) {
        let Some(outlet) = self.outlets.get_mut(connection.slot as usize) else { return };
        if outlet.generation != connection.generation {
            return;
        }
        let link = self.links.len() as u32;
        self.links.push(Link { parcel, session, next: NONE });
        if outlet.last == NONE {
            outlet.first = link;
        } else {
            self.links[outlet.last as usize].next = link;
        }
        outlet.last = link;
        if !outlet.dirty {
            outlet.dirty = true;
            self.dirty.push_back(connection.slot);
        }
    }

    /// Queues a message to a connection, unless it is a `large` one and the connection is congested.
    #[inline]
    pub(crate) fn push_message(&mut self, connection: Handle, session: Handle, parcel: u32, large: bool) {
        if large && self.is_congested(connection) {
            self.left_out(session);
        } else {
            self.push(connection, session, parcel);
        }
    }

    /// A message was not queued to a session because its connection is congested.
    pub(crate) fn left_out(&mut self, session: Handle) {
        self.notices.push_back(Notice::LeftOut { session });
    }

    pub(crate) fn is_congested(&self, connection: Handle) -> bool {
        self.outlets.get(connection.slot as usize).is_some_and(|outlet| outlet.congested)
    }

    /// Queues a frame that `write` renders with its addresses.
    pub(crate) fn push_frame(&mut self, connection: Handle, session: Handle, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.arena.len();
        write(&mut self.arena);
        let octets = start..self.arena.len();
        let parcel = self.parcel(Parcel { origin: None, content: Content::Frame { octets } });
        self.push(connection, session, parcel);
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub(crate) fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// The socket of a blocked connection takes octets again.
    pub(crate) fn writable(&mut self, connection: Handle) {
        let Some(outlet) = self.outlet(connection) else { return };
        outlet.blocked = false;
        if !outlet.dirty {
            outlet.dirty = true;
            self.dirty.push_back(connection.slot);
        }
    }

    /// The next connection that has something to send, and what. `None`: all is sent or waits for sockets, the batch is over.
    pub(crate) fn poll_transmit(&mut self, sessions: &Arena<Session>) -> Option<Handle> {
        while let Some(slot) = self.dirty.pop_front() {
            let direct = self.render(slot, sessions);
            let outlet = &self.outlets[slot as usize];
            let connection = Handle { slot, generation: outlet.generation };
            let octets = if direct { self.scratch.len() } else { outlet.waiting() };
            if outlet.blocked || octets == 0 {
                self.settle(connection);
                continue;
            }
            self.sending = Some((slot, direct));
            return Some(connection);
        }
        self.end_batch();
        None
    }

    /// The octets of the connection that [`Outlets::poll_transmit`] named.
    pub(crate) fn transmission(&self) -> &[u8] {
        match self.sending {
            Some((_, true)) => &self.scratch,
            Some((slot, false)) => {
                let outlet = &self.outlets[slot as usize];
                &outlet.queue[outlet.sent..]
            }
            None => &[],
        }
    }

    /// How many of those octets the socket took. Fewer than all block the connection until [`Outlets::writable`].
    pub(crate) fn transmitted(&mut self, taken: usize) {
        let Some((slot, direct)) = self.sending.take() else { return };
        let outlet = &mut self.outlets[slot as usize];
        if direct {
            if taken < self.scratch.len() {
                outlet.blocked = true;
                outlet.queue.extend_from_slice(&self.scratch[taken..]);
            }
        } else {
            outlet.sent += taken;
            outlet.blocked = outlet.waiting() > 0;
            compact(outlet);
        }
        let connection = Handle { slot, generation: outlet.generation };
        self.settle(connection);
    }

    fn outlet(&mut self, connection: Handle) -> Option<&mut Outlet> {
        self.outlets.get_mut(connection.slot as usize).filter(|outlet| outlet.generation == connection.generation)
    }

    /// Renders what is queued to a connection: into the scratch buffer when nothing older waits (true), else behind that.
    fn render(&mut self, slot: u32, sessions: &Arena<Session>) -> bool {
        let outlet = &mut self.outlets[slot as usize];
        let direct = outlet.queue.is_empty() && !outlet.blocked;
        let mut out = if direct { std::mem::take(&mut self.scratch) } else { std::mem::take(&mut outlet.queue) };
        if direct {
            out.clear();
        }
        let (mut link, last, sent) = (outlet.first, outlet.last, outlet.sent);
        (outlet.first, outlet.last, outlet.dirty) = (NONE, NONE, false);
        self.origins.clear();
        let connection = Handle { slot, generation: outlet.generation };
        while link != NONE {
            if direct && out.len() >= SLICE {
                // The rest after this is sent: only what the socket refuses counts as waiting.
                (outlet.first, outlet.last, outlet.dirty) = (link, last, true);
                self.dirty.push_front(slot);
                break;
            }
            let Link { parcel, session, next } = self.links[link as usize];
            link = next;
            let parcel = &self.parcels[parcel as usize];
            if let Content::Piece { stream, .. } = parcel.content
                && self.cut.contains(&(stream, session))
            {
                continue;
            }
            let queued = if direct { out.len() } else { out.len() - sent };
            let mut pen = Pen { out: &mut out, arena: &self.arena, open: &mut outlet.open };
            match pen.write(&parcel.content, session, sessions.get(session), queued) {
                Written::Whole => {}
                Written::Cut(stream) => {
                    self.cut.push((stream, session));
                    self.notices.push_back(Notice::Cut { stream, session });
                }
                Written::LeftOut => self.notices.push_back(Notice::LeftOut { session }),
                Written::Overflow => {
                    self.notices.push_back(Notice::Overflow { connection });
                    break;
                }
            }
            let origin = parcel.origin.map(|origin| (origin, matches!(parcel.content, Content::Piece { .. })));
            if let Some(origin) = origin
                && self.origins.last() != Some(&origin)
            {
                self.origins.push(origin);
            }
        }
        if direct {
            self.scratch = out
        } else {
            outlet.queue = out
        }
        direct
    }

    /// Draws the consequences of how much waits now.
    fn settle(&mut self, connection: Handle) {
        let Some(outlet) = self.outlets.get_mut(connection.slot as usize) else { return };
        let waiting = outlet.waiting();
        if waiting >= HOLD_STREAMS_AT {
            outlet.holding = true;
            let held = self.origins.drain(..).filter(|(_, stream)| *stream || waiting >= HOLD_AT);
            self.notices.extend(held.map(|(origin, _)| Notice::Hold { connection, origin }));
        } else if outlet.holding && waiting <= RELEASE_AT {
            (outlet.holding, outlet.weary) = (false, false);
            self.notices.push_back(Notice::Drained { connection });
        }
        if waiting >= CONGESTED_AT && !outlet.congested {
            outlet.congested = true;
            self.notices.push_back(Notice::Congested { connection });
        } else if outlet.congested && waiting <= RELEASE_AT {
            outlet.congested = false;
            self.notices.push_back(Notice::Recovered { connection });
        }
        if outlet.closing && waiting == 0 && outlet.first == NONE {
            self.notices.push_back(Notice::Finished { connection });
        }
        self.origins.clear();
    }

    fn end_batch(&mut self) {
        self.cut.clear();
        self.parcels.clear();
        self.links.clear();
        for buffer in [&mut self.arena, &mut self.scratch] {
            buffer.clear();
            if buffer.capacity() > KEEP {
                *buffer = Vec::new();
            }
        }
    }
}

/// Gives back what has been sent: all of it at once when nothing is left, so that an idle connection holds no buffer.
fn compact(outlet: &mut Outlet) {
    if outlet.sent == outlet.queue.len() {
        outlet.queue = Vec::new();
        outlet.sent = 0;
    } else if outlet.sent > outlet.queue.len() / 2 {
        outlet.queue.drain(..outlet.sent);
        outlet.sent = 0;
    }
}
