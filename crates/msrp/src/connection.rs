//! An endpoint's connection: octets and time in, octets, events and deadlines out.
//!
//! One connection carries one or more sessions (RFC 4975 §5.4). Received messages are gathered until they are whole; what is
//! sent goes out in as few chunks as possible, cut only where something else waits (§7.1.1).
//!
//! The shell calls [`Connection::handle_input`] with what it reads, drains [`Connection::poll_output`] after every call,
//! writes what is to be transmitted and says with [`Connection::handle_transmitted`] when it has left. Only so many octets are
//! handed out ahead of that: what is urgent never waits behind more.

mod inbound;
mod outbound;
mod transactions;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rand_core::Rng;

use crate::chunk::Bounds;
use crate::encode::{self, ident};
use crate::frame::{FailureReport, Flag};
use crate::parse::{Limits, Parser};
use crate::session::{Binding, Event, Message, Reason, Role, SendError, Sending, Session, SessionId, Terms};
use crate::uri::{Path, Uri};
use inbound::Incoming;
use outbound::Outlet;
use transactions::{Subject, Transactions};

/// How a connection behaves. All numbers are bounds of what it holds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of the octets that come.
    pub limits: Limits,
    /// Of the messages that come in chunks, a session.
    pub gathered: Bounds,
    /// How long a message waits for its next chunk.
    pub chunk_timer: Duration,
    /// Octets handed out before they are known to have left.
    pub window: usize,
    /// Octets of messages that wait to be sent; a message that alone is larger is taken when nothing waits.
    pub queued: usize,
    /// Octets of answers and REPORTs that wait. A peer that takes none loses the connection.
    pub urgent: usize,
    /// Octets that a message may send while others wait, not below 2048.
    pub turn: usize,
    /// Requests whose answer is awaited; beyond, no chunk is begun.
    pub transactions: usize,
    /// How long an answer may take after the request has left (RFC 4975 §7.1.1: 30 s).
    pub response_timeout: Duration,
    /// How long the peer may take to bind a session.
    pub bind_timeout: Duration,
    /// How often an empty SEND goes out in a session, unless content has since the last time; None for never. One that is not
    /// answered when the next is due ends the session, even if it never left.
    pub keep_alive: Option<Duration>,
    /// How many requests may name a session that is not there, before the connection is closed.
    pub misses: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            limits: Limits::default(),
            gathered: Bounds { messages: 16, message_octets: 100 << 20, octets: 200 << 20 },
            chunk_timer: Duration::from_secs(540),
            window: 32 * 1024,
            queued: 16 << 20,
            urgent: 256 * 1024,
            turn: 16 * 1024,
            transactions: 1024,
            response_timeout: Duration::from_secs(30),
            bind_timeout: Duration::from_secs(30),
            keep_alive: None,
            misses: 20,
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write these octets, and say so with [`Connection::handle_transmitted`].
    Transmit(Vec<u8>),
    /// Tell the user.
    Event(Event),
    /// Write what was handed out, then close. Nothing comes after it.
    Close,
}

/// The sans-IO endpoint of one connection.
pub struct Connection {
    settings: Settings,
    random: Box<dyn Rng + Send>,
    parser: Parser,
    /// The beginning of what cannot be read before more comes.
    unread: Vec<u8>,
    incoming: Incoming,
    sessions: BTreeMap<SessionId, Session>,
    next_session: u32,
    /// Sessions that are bound on other connections.
    elsewhere: Vec<Uri>,
    misses: u32,
    transactions: Transactions,
    outlet: Outlet,
    events: VecDeque<Event>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// What is urgent is still sent.
    Closing,
    Closed,
}

impl Connection {
    /// A connection that is open, without sessions.
    pub fn new(settings: Settings, random: Box<dyn Rng + Send>) -> Connection {
        Connection {
            parser: Parser::new(settings.limits),
            unread: Vec::new(),
            incoming: Incoming::Nothing,
            sessions: BTreeMap::new(),
            next_session: 0,
            elsewhere: Vec::new(),
            misses: 0,
            transactions: Transactions::default(),
            outlet: Outlet::default(),
            events: VecDeque::new(),
            state: State::Open,
            settings,
            random,
        }
    }

    /// A session on this connection. An active one is bound at once by a SEND without a body. Where the connection is gone
    /// [`Event::Closed`] follows.
    pub fn open(&mut self, now: Instant, terms: Terms) -> SessionId {
        let id = SessionId(self.next_session);
        self.next_session = self.next_session.wrapping_add(1);
        let role = terms.role;
        let binding = Binding::Awaited { until: now + self.settings.bind_timeout };
        self.sessions.insert(id, Session::new(terms, binding, self.settings.gathered));
        if self.state != State::Open {
            self.end(id, Reason::Disconnected);
        } else if role == Role::Active {
            self.send_empty(id, Subject::Bind(id));
        }
        id
    }

    /// Ends a session, as after a BYE: its requests get 481 from now on. Gives the Message-IDs of what was not confirmed.
    /// The connection stays; it SHOULD NOT be closed while it has sessions (RFC 4975 §5.4).
    pub fn close(&mut self, session: SessionId) -> Vec<String> {
        self.remove(session).unwrap_or_default()
    }

    /// A later offer or answer has given the peer another path (RFC 4975 §8.4): what is sent from now on goes there. False if
    /// there is no such session.
    pub fn set_peer(&mut self, session: SessionId, peer: Path) -> bool {
        let open = self.sessions.get_mut(&session);
        open.map(|open| open.terms.peer = peer).is_some()
    }

    /// A session is bound on another connection: requests for it get 506 here (RFC 4975 §5.4).
    pub fn is_elsewhere(&mut self, own: Uri) {
        self.elsewhere.push(own);
    }

    /// No longer so.
    pub fn is_not_elsewhere(&mut self, own: &Uri) {
        self.elsewhere.retain(|uri| !uri.matches(own));
    }

    /// Sends a message, once the session is bound. Gives its Message-ID.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(&mut self, session: SessionId, message: Message) -> Result<String, SendError> {
        let open = self.sessions.get_mut(&session).ok_or(SendError::NoSession)?;
        let waits = self.outlet.queued();
        if waits > 0 && waits.saturating_add(cost(&message)) > self.settings.queued {
            self.outlet.wants_room();
            return Err(SendError::Full);
        }
        let message_id = match &message.message_id {
            Some(id) if crate::ident::is_ident(id.as_bytes()) => id.clone(),
            Some(_) => return Err(SendError::Malformed),
            None => ident(&mut *self.random, 16),
        };
        if !message.content_type.contains('/') || message.content_type.chars().any(char::is_control) {
            return Err(SendError::Malformed);
        }
        let stem = stem_not_in(&message.octets, &mut *self.random);
        self.outlet.add_queued(cost(&message));
        open.queue.push_back(Sending::new(message_id.clone(), message, stem));
        if open.is_bound() {
            self.outlet.has_something(session);
        }
        Ok(message_id)
    }

    /// Asks for a nickname (RFC 7701 §7.1), or gives the present one up with an empty one (§7.3). [`Event::Nickname`] tells
    /// how it went. Ask once the session is bound.
    ///
    /// # Errors
    /// [`SendError::NoSession`] also where the session is not bound yet, [`SendError::Full`] where too many requests await
    /// their answers.
    pub fn set_nickname(&mut self, session: SessionId, nickname: &str) -> Result<(), SendError> {
        let open = self.sessions.get(&session).filter(|open| open.is_bound()).ok_or(SendError::NoSession)?;
        if self.transactions.awaited() >= self.settings.transactions {
            return Err(SendError::Full);
        }
        let transaction = ident(&mut *self.random, 16);
        let mut octets = Vec::new();
        let (to_path, from_path) = (open.terms.peer.as_str(), open.terms.own.as_str());
        encode::nickname(&mut octets, &transaction, to_path, from_path, nickname);
        self.transactions.begin(&transaction, Subject::Nickname(session, nickname.to_owned()), true);
        self.outlet.urgent(octets, Some(transaction));
        Ok(())
    }

    /// Takes octets as they come from the peer. Drain [`Connection::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Instant, octets: &[u8]) {
        self.read(now, octets);
        self.check_urgent();
    }

    /// So many octets of what was handed out have left, or were given to the operating system.
    pub fn handle_transmitted(&mut self, now: Instant, octets: usize) {
        let sent = self.outlet.transmitted(octets);
        self.transactions.start_timers(sent, now + self.settings.response_timeout);
    }

    /// The connection is gone, and all its sessions with it.
    pub fn handle_closed(&mut self, _now: Instant) {
        self.end_all(Reason::Disconnected);
        self.state = State::Closed;
    }

    /// Runs the timers that are due. Drain [`Connection::poll_output`] afterwards.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(subject) = self.transactions.expired(now) {
            self.no_answer(subject);
        }
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.session_timers(now, id);
        }
    }

    /// The next thing to do; None when there is nothing more for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(event) = self.events.pop_front() {
            return Some(Output::Event(event));
        }
        if self.state == State::Closed {
            return None;
        }
        if let Some(octets) = self.fill() {
            return Some(Output::Transmit(octets));
        }
        if self.outlet.room_again(self.settings.queued) {
            return Some(Output::Event(Event::Room));
        }
        if self.state == State::Closing {
            self.state = State::Closed;
            return Some(Output::Close);
        }
        None
    }

    /// When [`Connection::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.sessions.values().filter_map(|session| {
            let chunks = session.reassembly.oldest().map(|began| began + self.settings.chunk_timer);
            let binding = match session.binding {
                Binding::Awaited { until } => Some(until),
                Binding::Bound { keep_alive } => keep_alive,
            };
            chunks.into_iter().chain(binding).min()
        });
        sessions.chain(self.transactions.next_expiry()).min()
    }

    /// The sessions in the order of their opening.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.keys().copied()
    }

    fn session_timers(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Some(then) = now.checked_sub(self.settings.chunk_timer) {
            session.reassembly.forget_since(then);
        }
        match session.binding {
            Binding::Awaited { until } if until <= now => self.end(id, Reason::NotBound),
            Binding::Bound { keep_alive: Some(at) } if at <= now => {
                session.binding = Binding::Bound { keep_alive: self.settings.keep_alive.map(|every| now + every) };
                let has_sent = std::mem::take(&mut session.has_sent);
                if session.awaits_keep_alive {
                    self.end(id, Reason::Silent);
                } else if !has_sent {
                    session.awaits_keep_alive = true;
                    self.send_empty(id, Subject::KeepAlive(id));
                }
            }
            _ => {}
        }
    }

    fn no_answer(&mut self, subject: Subject) {
        match subject {
            Subject::Bind(session) => self.end(session, Reason::NotBound),
            Subject::KeepAlive(session) => self.end(session, Reason::Silent),
            Subject::Nickname(session, nickname) => {
                self.events.push_back(Event::Nickname { session, nickname, code: 408 });
            }
            Subject::Chunk(session, message_id) => self.fail(session, &message_id, 408),
        }
    }

    /// A SEND without a body: it binds, or shows that one is there.
    fn send_empty(&mut self, session: SessionId, subject: Subject) {
        let Some(open) = self.sessions.get(&session) else { return };
        let (transaction, message_id) = (ident(&mut *self.random, 16), ident(&mut *self.random, 16));
        let mut octets = Vec::new();
        let send = encode::Send {
            transaction: &transaction,
            to_path: open.terms.peer.as_str(),
            from_path: open.terms.own.as_str(),
            message_id: &message_id,
            success_report: false,
            failure_report: FailureReport::Yes,
            byte_range: None,
            content: None,
            flag: Flag::Last,
        };
        send.encode(&mut octets);
        self.transactions.begin(&transaction, subject, true);
        self.outlet.urgent(octets, Some(transaction));
    }

    /// The session is bound: what waits may go.
    fn bound(&mut self, now: Instant, session: SessionId) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        if open.is_bound() {
            return;
        }
        open.binding = Binding::Bound { keep_alive: self.settings.keep_alive.map(|every| now + every) };
        let waits = !open.queue.is_empty();
        self.events.push_back(Event::Bound { session });
        if waits {
            self.outlet.has_something(session);
        }
    }

    /// Gives a message up, and says so once.
    fn fail(&mut self, session: SessionId, message_id: &str, code: u16) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        let Some(at) = open.records.iter().position(|record| record.message_id == message_id) else { return };
        open.records.remove(at);
        if let Some(at) = open.queue.iter().position(|sending| sending.message_id == message_id) {
            let left = open.queue.remove(at).map_or(0, |sending| cost(&sending.message));
            self.outlet.remove_queued(left);
        }
        self.outlet.abort(session, Some(message_id));
        self.events.push_back(Event::Failed { session, message_id: message_id.to_owned(), code });
    }

    fn end(&mut self, session: SessionId, reason: Reason) {
        if let Some(unconfirmed) = self.remove(session) {
            self.events.push_back(Event::Closed { session, reason, unconfirmed });
        }
    }

    fn end_all(&mut self, reason: Reason) {
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        ids.into_iter().for_each(|id| self.end(id, reason));
    }

    /// Ends all sessions and, once what is urgent has gone, the connection.
    fn shut(&mut self, reason: Reason) {
        self.end_all(reason);
        if self.state == State::Open {
            self.state = State::Closing;
        }
    }

    fn remove(&mut self, session: SessionId) -> Option<Vec<String>> {
        let open = self.sessions.remove(&session)?;
        let waits = open.queue.iter().map(|sending| cost(&sending.message)).sum();
        self.outlet.remove_queued(waits);
        self.outlet.abort(session, None);
        self.transactions.forget_session(session);
        Some(open.unconfirmed())
    }

    /// A peer that asks and takes no answers must not fill the memory.
    fn check_urgent(&mut self) {
        if self.outlet.urgent_octets() > self.settings.urgent {
            self.outlet.drop_urgent();
            self.shut(Reason::Abuse);
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("sessions", &self.sessions.len()).field("state", &self.state).finish()
    }
}

/// What a message counts while it waits: its octets, and something for what comes with them.
fn cost(message: &Message) -> usize {
    message.octets.len().saturating_add(512)
}

/// What all transaction ids of a message begin with, 71 random bits that look like no end-line in its content (RFC 4975
/// §7.1).
fn stem_not_in(content: &[u8], random: &mut dyn Rng) -> String {
    loop {
        let stem = ident(random, 12);
        if !encode::clashes(&stem, content) {
            return stem;
        }
    }
}
