//! An endpoint's sessions (RFC 4975 §5): what they are opened with and what becomes of them. They live in a
//! [`crate::connection::Connection`].

mod sending;

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use crate::chunk::{Bounds, Reassembly};
use crate::frame::{ByteRange, FailureReport};
use crate::ident::Ident;
use crate::uri::{Path, Uri};

pub(crate) use sending::{Completes, Record, SMALLEST_CHUNK, Sending};

/// Names a session of one connection; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(crate) u32);

/// Who connects, and so binds the session to the connection (RFC 4975 §5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// This side: it sends a SEND without a body at once, and content once that is answered.
    Active,
    /// The peer: nothing is sent to it before its first request.
    Passive,
}

/// What signalling has agreed on for a session.
#[derive(Debug, Clone)]
pub struct Terms {
    /// One's own URI, the last of the path in one's own SDP.
    pub own: Uri,
    /// Where requests go: one's own relays, if there are any, and the path of the peer's SDP.
    pub peer: Path,
    /// Who binds.
    pub role: Role,
    /// The media types taken at the top level, as in `accept-types`; others get 415. Parameters and case do not count.
    pub accept_types: Vec<String>,
    /// The largest chunk that the peer or a relay is known to take, in octets of content; None leaves messages whole unless
    /// something else waits.
    pub max_chunk: Option<usize>,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// With its parameters. It must be a header value.
    pub content_type: String,
    /// The content.
    pub octets: Vec<u8>,
    /// That of an earlier attempt in a session that failed (RFC 4975 §5.4); None makes a new one.
    pub message_id: Option<String>,
    /// Whether the receiver is to say that it has the message.
    pub success_report: bool,
    /// What is to be heard of failures.
    pub failure_report: FailureReport,
}

impl Message {
    /// One whose failures are told, as is the default, and whose arrival is not.
    pub fn new(content_type: &str, octets: Vec<u8>) -> Message {
        Message {
            content_type: content_type.to_owned(),
            octets,
            message_id: None,
            success_report: false,
            failure_report: FailureReport::Yes,
        }
    }
}

/// Why something is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no such session, or it has ended.
    #[error("no such session")]
    NoSession,
    /// Too much waits already; [`Event::Room`] tells when to try again.
    #[error("too much waits to be sent")]
    Full,
    /// The Content-Type or the Message-ID cannot stand in a header.
    #[error("malformed content type or Message-ID")]
    Malformed,
}

/// What happens in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The session is bound to the connection: what waits is sent.
    Bound {
        /// Which one.
        session: SessionId,
    },
    /// A whole message came.
    Message {
        /// Where.
        session: SessionId,
        /// Its Message-ID.
        message_id: String,
        /// With its parameters.
        content_type: String,
        /// The content.
        octets: Vec<u8>,
        /// A message of that Message-ID came before: not to be shown as if it were new (RFC 4975 §5.4).
        repeated: bool,
    },
    /// All chunks of a message sent with [`FailureReport::Yes`] were answered with 200: the next hop has it.
    Accepted {
        /// Where.
        session: SessionId,
        /// The message.
        message_id: String,
    },
    /// Success REPORTs cover the whole message: the receiver has it.
    Delivered {
        /// Where.
        session: SessionId,
        /// The message.
        message_id: String,
    },
    /// The message has failed, wholly or in part, and nothing more of it is sent. Told once.
    Failed {
        /// Where.
        session: SessionId,
        /// The message.
        message_id: String,
        /// That of the response or of the REPORT; 408 where no answer came in time.
        code: u16,
    },
    /// A REPORT came, on whatever message. What it means for one of ours is told apart from this.
    Report {
        /// Where.
        session: SessionId,
        /// The message reported on.
        message_id: String,
        /// 200 or the code of the failure.
        code: u16,
        /// The octets reported on.
        byte_range: Option<ByteRange>,
        /// The type and the octets of its body, as those of RFC 7701 §6.2 have.
        content: Option<(String, Vec<u8>)>,
    },
    /// The answer to a NICKNAME request (RFC 7701 §7); 408 where none came.
    Nickname {
        /// Where.
        session: SessionId,
        /// What was asked for; empty to give it up.
        nickname: String,
        /// 200 if it was granted.
        code: u16,
    },
    /// [`SendError::Full`] was said, and there is room again.
    Room,
    /// The session has ended other than by [`crate::connection::Connection::close`].
    Closed {
        /// Which one.
        session: SessionId,
        /// Why.
        reason: Reason,
        /// The Message-IDs of what was sent or waited, and of which it is not known whether it arrived.
        unconfirmed: Vec<String>,
    },
}

/// Why a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nobody bound the session in time.
    NotBound,
    /// The peer answered the bind, or later 481 or 506: it knows no such session, or has it on another connection.
    Refused(u16),
    /// A keep-alive was not answered.
    Silent,
    /// The peer reported that octets did not arrive (RFC 4975 §7.3.2).
    NotReceived,
    /// The connection is gone.
    Disconnected,
    /// What came is no MSRP, or exceeds a limit.
    Protocol(crate::parse::Fatal),
    /// The peer takes no answers, or asks too often for sessions that are not there.
    Abuse,
}

/// How a session stands to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    /// One side is to bind it until then.
    Awaited {
        until: Instant,
    },
    Bound {
        keep_alive: Option<Instant>,
    },
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) terms: Terms,
    pub(crate) binding: Binding,
    pub(crate) reassembly: Reassembly,
    /// What waits to be sent, the present message of this session first; one being written now is not here.
    pub(crate) queue: VecDeque<Sending>,
    /// Of the messages of which something is still to be heard, in their order.
    pub(crate) records: VecDeque<Record>,
    /// Content was sent since the last keep-alive was due.
    pub(crate) has_sent: bool,
    pub(crate) awaits_keep_alive: bool,
    /// Of the last whole messages, and the order in which they came.
    seen: BTreeSet<Ident>,
    seen_order: VecDeque<Ident>,
}

/// How many whole messages are remembered, for telling repeated ones.
const MAX_SEEN: usize = 256;
/// How many sent messages are remembered, but for those whose answers are still due.
const MAX_RECORDS: usize = 1024;

impl Session {
    pub(crate) fn new(terms: Terms, binding: Binding, bounds: Bounds) -> Session {
        Session {
            terms,
            binding,
            reassembly: Reassembly::new(bounds),
            queue: VecDeque::new(),
            records: VecDeque::new(),
            has_sent: false,
            awaits_keep_alive: false,
            seen: BTreeSet::new(),
            seen_order: VecDeque::new(),
        }
    }

    pub(crate) fn is_bound(&self) -> bool {
        matches!(self.binding, Binding::Bound { .. })
    }

    /// Whether this URI is the session's; the text is compared first, as it is mostly the same.
    pub(crate) fn is_called(&self, text: &str, uri: Option<&Uri>) -> bool {
        self.terms.own.as_str() == text || uri.is_some_and(|uri| self.terms.own.matches(uri))
    }

    /// RFC 4975 §8.6
    pub(crate) fn accepts(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        self.terms.accept_types.iter().any(|entry| match entry.split_once('/') {
            None => entry == "*",
            Some((family, "*")) => essence.split_once('/').is_some_and(|(own, _)| own.eq_ignore_ascii_case(family)),
            Some(_) => entry.eq_ignore_ascii_case(essence),
        })
    }

    /// Whether a whole message of that Message-ID came before; it has now.
    pub(crate) fn repeats(&mut self, message_id: &str) -> bool {
        let Some(id) = Ident::new(message_id.as_bytes()) else { return false };
        let repeated = !self.seen.insert(id);
        if !repeated {
            self.seen_order.push_back(id);
        }
        if self.seen_order.len() > MAX_SEEN
            && let Some(oldest) = self.seen_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        repeated
    }

    /// Whether a chunk of this message is one that comes late: the message was whole without it.
    pub(crate) fn is_late(&self, message_id: &str, range: Option<ByteRange>) -> bool {
        range.is_some_and(|range| range.start > 1)
            && !self.reassembly.is_open(message_id)
            && Ident::new(message_id.as_bytes()).is_some_and(|id| self.seen.contains(&id))
    }

    /// Remembers a message of which something is to be heard. Beyond [`MAX_RECORDS`] the oldest is forgotten of those that
    /// may never be heard of.
    pub(crate) fn record(&mut self, record: Record) {
        if self.records.len() >= MAX_RECORDS
            && let Some(at) = self.records.iter().position(|record| !record.is_bounded())
        {
            self.records.remove(at);
        }
        self.records.push_back(record);
    }

    pub(crate) fn record_of(&mut self, message_id: &str) -> Option<&mut Record> {
        self.records.iter_mut().find(|record| record.message_id == message_id)
    }

    /// All of a message is written.
    pub(crate) fn written(&mut self, message_id: &str) {
        let Some(record) = self.record_of(message_id) else { return };
        record.is_written();
        if record.is_done() {
            self.records.retain(|record| record.message_id != message_id);
        }
    }

    /// The Message-IDs of what was sent or waits and was not confirmed.
    pub(crate) fn unconfirmed(&self) -> Vec<String> {
        let sent = self.records.iter().filter(|record| !record.is_confirmed()).map(|record| &record.message_id);
        let waits = self.queue.iter().filter(|sending| !sending.has_begun()).map(|sending| &sending.message_id);
        sent.chain(waits).cloned().collect()
    }
}
