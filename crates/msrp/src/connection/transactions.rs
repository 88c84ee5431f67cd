//! Requests of one's own whose answers are awaited (RFC 4975 §7.1.1).

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::ident::Ident;
use crate::session::SessionId;

/// What a request was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Bind(SessionId),
    KeepAlive(SessionId),
    Nickname(SessionId, String),
    /// A chunk of the message of that Message-ID.
    Chunk(SessionId, String),
}

impl Subject {
    pub(super) fn session(&self) -> SessionId {
        match self {
            Subject::Bind(id) | Subject::KeepAlive(id) | Subject::Nickname(id, _) | Subject::Chunk(id, _) => *id,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// With whether an answer must come.
    open: BTreeMap<Ident, (Subject, bool)>,
    /// Timed requests that were handed out, with the place in the stream where each ends.
    leaving: VecDeque<(u64, Ident)>,
    /// Those that have left, and when each expires: all wait equally long, so they are in order.
    due: VecDeque<(Instant, Ident)>,
    /// Requests of which only an error is answered, in order: they never expire, so the oldest are forgotten.
    untimed: VecDeque<Ident>,
}

const MAX_UNTIMED: usize = 256;

impl Transactions {
    /// A request is about to be written; `timed` if an answer must come.
    pub(super) fn begin(&mut self, transaction: &str, subject: Subject, timed: bool) {
        let Some(id) = Ident::new(transaction.as_bytes()) else { return };
        if !timed {
            if self.untimed.len() >= MAX_UNTIMED
                && let Some(oldest) = self.untimed.pop_front()
            {
                self.open.remove(&oldest);
            }
            self.untimed.push_back(id);
        }
        self.open.insert(id, (subject, timed));
    }

    /// How many answers must come.
    pub(super) fn awaited(&self) -> usize {
        self.open.len().saturating_sub(self.untimed.len())
    }

    /// The request is written up to its end, which has this place in the stream.
    pub(super) fn written(&mut self, transaction: &str, end: u64) {
        let Some(id) = Ident::new(transaction.as_bytes()) else { return };
        if self.open.get(&id).is_some_and(|(_, timed)| *timed) {
            self.leaving.push_back((end, id));
        }
    }

    /// The stream has left up to `sent`: the answers to the requests in it are due at `until`.
    pub(super) fn start_timers(&mut self, sent: u64, until: Instant) {
        while let Some((_, id)) = pop_if(&mut self.leaving, |(end, _)| *end <= sent) {
            if self.open.contains_key(&id) {
                self.due.push_back((until, id));
            }
        }
    }

    /// An answer has come.
    pub(super) fn answered(&mut self, transaction: &str) -> Option<Subject> {
        let id = Ident::new(transaction.as_bytes())?;
        let (subject, timed) = self.open.remove(&id)?;
        if !timed {
            self.untimed.retain(|untimed| *untimed != id);
        }
        self.drop_settled();
        Some(subject)
    }

    /// The next request whose answer has not come in time.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Subject> {
        loop {
            let (_, id) = pop_if(&mut self.due, |(until, _)| *until <= now)?;
            if let Some((subject, _)) = self.open.remove(&id) {
                self.drop_settled();
                return Some(subject);
            }
        }
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.due.front().map(|(until, _)| *until)
    }

    /// The session is gone: no answer in it means anything any more.
    pub(super) fn forget_session(&mut self, session: SessionId) {
        self.open.retain(|_, (subject, _)| subject.session() != session);
        self.untimed.retain(|id| self.open.contains_key(id));
        self.drop_settled();
    }

    /// So that an answered request neither wakes anybody nor stays in memory.
    fn drop_settled(&mut self) {
        while pop_if(&mut self.due, |(_, id)| !self.open.contains_key(id)).is_some() {}
    }
}

fn pop_if<T>(queue: &mut VecDeque<T>, fits: impl Fn(&T) -> bool) -> Option<T> {
    if fits(queue.front()?) { queue.pop_front() } else { None }
}
