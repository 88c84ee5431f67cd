//! What a session does with a frame (RFC 7701 §6, §7; RFC 4975 §7.3).
//!
//! This file finds the session of a frame and knows its requests; `passage` is the way of a message from its first chunk to
//! the room's verdict, `answer` what goes back to the sender.

use std::time::Instant;

use msrp::frame::{Flag, Head, Method, Start};
use msrp::parse::Event;
use msrp::uri::{Uri, session_id_of};

use crate::home::{Claimant, Unclaimed, home_of};
use crate::ids::{ConnectionId, Handle, Place};
use crate::mail::{Letter, Reply, Wanted};
use crate::settings::Media;
use crate::worker::{ClaimState, MISSES, Worker};

mod answer;
mod dial;
mod objection;
mod passage;

pub(crate) use answer::code;
pub(crate) use dial::Dialing;
pub(crate) use passage::{Asked, Chunk, Passage};

/// The frame that is being read on a connection.
#[derive(Debug, Default)]
pub(crate) enum Frame {
    /// None, or one of which nothing is wanted.
    #[default]
    Idle,
    /// A SEND without a body: it binds a session or keeps it alive (RFC 4975 §5.4). Answered with 200, and with a REPORT where
    /// one is asked for.
    Probe { session: Handle, reply: Reply, report: Option<Report> },
    /// A chunk of a message.
    Chunk(Chunk),
    /// A wish for a nickname.
    Nickname { session: Handle, reply: Reply, wanted: Wanted },
}

/// Where the success REPORT of a message goes (RFC 4975 §7.1.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) message_id: Box<str>,
    /// The whole From-Path of the request.
    pub(crate) to_path: Box<str>,
}

/// What the To-Path of a request comes to.
enum Found {
    /// A session of this connection.
    Session(Handle),
    /// None, or not for this connection: 481 or 506.
    Refused(u16),
    /// Its home is asked, or the connection has gone there.
    Elsewhere,
}

/// The URI that an answer's path names for a session.
pub(crate) fn own_path(media: &Media, secure: bool, session: &str) -> String {
    let place = if secure { &media.tls } else { &media.tcp };
    place.as_ref().map(|(host, port)| Uri::new(secure, host, *port, session).to_string()).unwrap_or_default()
}

/// Whether two texts are one URI (RFC 4975 §6.1).
pub(crate) fn same_uri(a: &str, b: &str) -> bool {
    a == b || matches!((Uri::parse(a), Uri::parse(b)), (Ok(a), Ok(b)) if a.matches(&b))
}

impl Worker {
    /// Octets have come on a connection.
    pub(crate) fn received(&mut self, now: Instant, id: ConnectionId, octets: &[u8]) {
        self.read(now, id, octets);
        self.watch_head(now, id);
    }

    fn read(&mut self, now: Instant, id: ConnectionId, octets: &[u8]) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        if connection.rest.is_empty() {
            let used = self.understand(now, id, octets);
            if let Some(connection) = self.connections.get_mut(id.0) {
                connection.rest.extend_from_slice(octets.get(used..).unwrap_or_default());
            }
            return;
        }
        let mut rest = std::mem::take(&mut connection.rest);
        rest.extend_from_slice(octets);
        let used = self.understand(now, id, &rest);
        if let Some(connection) = self.connections.get_mut(id.0)
            && used < rest.len()
        {
            rest.drain(..used);
            connection.rest = rest;
        }
    }

    /// Reads frames off the front of the input; gives how many octets are done with.
    fn understand(&mut self, now: Instant, id: ConnectionId, input: &[u8]) -> usize {
        let mut used = 0;
        loop {
            let Some(connection) = self.connections.get_mut(id.0).filter(|c| c.listens()) else { return used };
            let before = connection.parser.clone();
            let rest = input.get(used..).unwrap_or_default();
            let Ok((octets, event)) = connection.parser.next(rest) else {
                self.farewell(now, id);
                return input.len();
            };
            match event {
                None => return used + octets,
                Some(Event::Head(head)) => {
                    connection.head_since = None;
                    if !self.begin(now, id, &head, input.get(used..)) {
                        if let Some(connection) = self.connections.get_mut(id.0) {
                            connection.parser = before;
                        }
                        return used;
                    }
                    used += octets;
                }
                Some(Event::Body(body)) => {
                    used += octets;
                    let end = self.end_at_once(id, input.get(used..).unwrap_or_default());
                    used += end.map_or(0, |(octets, _)| octets);
                    self.body(now, id, body, end.map(|(_, flag)| flag));
                }
                Some(Event::End(flag)) => {
                    used += octets;
                    self.end(now, id, flag);
                }
                Some(event @ Event::Malformed { .. }) => {
                    connection.head_since = None;
                    used += octets;
                    self.malformed(now, id, &event);
                }
            }
        }
    }

    /// The end-line behind a body, where it has come with it: so a message that comes whole goes out whole.
    fn end_at_once(&mut self, id: ConnectionId, input: &[u8]) -> Option<(usize, Flag)> {
        let parser = &mut self.connections.get_mut(id.0)?.parser;
        let before = parser.clone();
        match parser.next(input) {
            Ok((octets, Some(Event::End(flag)))) => Some((octets, flag)),
            _ => {
                *parser = before;
                None
            }
        }
    }

    /// A frame begins. False: its connection waits for another worker's word, or has gone; the head is to be read again.
    fn begin(&mut self, now: Instant, id: ConnectionId, head: &Head<'_>, input: Option<&[u8]>) -> bool {
        let Start::Request(method) = head.start else {
            self.dial_answered(now, id, head);
            self.objected(now, id, head);
            return true;
        };
        let own = head.to_path.split(' ').next().unwrap_or_default();
        let found = if own.len() == head.to_path.len() { self.find(now, id, own, input) } else { Found::Refused(481) };
        let session = match found {
            Found::Session(session) => session,
            Found::Refused(code) => {
                self.missed(id);
                self.refuse(id, head, method, code);
                self.set_frame(id, Frame::Idle);
                return true;
            }
            Found::Elsewhere => return false,
        };
        let frame = match method {
            Method::Send => self.begin_send(now, session, head),
            Method::Nickname => begin_nickname(session, head),
            Method::Report => {
                self.objected(now, id, head);
                Ok(Frame::Idle)
            }
            Method::Auth | Method::Other(_) => Err(501),
        };
        if let Err(code) = frame {
            self.refuse(id, head, method, code);
        }
        self.set_frame(id, frame.unwrap_or_default());
        true
    }

    /// Answers a request with an error as soon as its head is there (RFC 4975 §7.2), where that is wanted: what else comes of
    /// it is passed over.
    fn refuse(&mut self, id: ConnectionId, head: &Head<'_>, method: Method<'_>, code: u16) {
        if msrp::report::is_answered(method, head.failure_report, code) {
            let own = head.to_path.split(' ').next().unwrap_or_default();
            self.answer(id, &Reply::to(head, method), code, own);
        }
    }

    fn set_frame(&mut self, id: ConnectionId, frame: Frame) {
        if let Some(connection) = self.connections.get_mut(id.0) {
            connection.first = false;
            connection.frame = frame;
        }
    }

    /// The session that a request names by our URI. One that waits at its home is claimed (RFC 4975 §5.4): at once if the home
    /// is here; else the connection goes there if this is its first request, or asks for the session by mail.
    fn find(&mut self, now: Instant, id: ConnectionId, own: &str, input: Option<&[u8]>) -> Found {
        let Some(name) = session_id_of(own) else { return Found::Refused(481) };
        if let Some(&handle) = self.bound.get(name) {
            return match self.session(handle) {
                Some(session) if session.connection != id => Found::Refused(506),
                Some(session) if same_uri(&session.own_path, own) => Found::Session(handle),
                _ => Found::Refused(481),
            };
        }
        let Some(connection) = self.connections.get_mut(id.0) else { return Found::Elsewhere };
        if let ClaimState::Refused(refused, code) = &connection.claim
            && **refused == *name
        {
            let code = *code;
            connection.claim = ClaimState::None;
            return Found::Refused(code);
        }
        let (first, secure) = (connection.first, connection.wire.secure);
        let home = home_of(name, self.settings.workers);
        if home == self.id {
            return match self.claim(now, name, own, secure, home) {
                Ok((facts, epoch)) => match self.seat_session(id, *facts, epoch) {
                    Some(handle) => Found::Session(handle),
                    None => Found::Elsewhere,
                },
                Err(Unclaimed::Refused(code)) => Found::Refused(code),
                // A connection that serves others already does not wait for one.
                Err(Unclaimed::NotYet) if self.connections.get(id.0).is_some_and(|c| !c.sessions.is_empty()) => {
                    Found::Refused(481)
                }
                Err(Unclaimed::NotYet) => {
                    let (session, path) = (name.into(), own.into());
                    if !self.put_off(Claimant { worker: home, connection: id, session, path, secure }) {
                        return Found::Refused(506);
                    }
                    if let Some(connection) = self.connections.get_mut(id.0) {
                        connection.claim = ClaimState::Asked;
                    }
                    Found::Elsewhere
                }
            };
        }
        if first {
            self.depart(id, home, input.unwrap_or_default().to_vec());
        } else {
            connection.claim = ClaimState::Asked;
            let (session, path) = (name.into(), own.into());
            let letter = Letter::Claim { worker: self.id, connection: id, session, path, secure };
            self.post(Place::Worker(home), letter);
        }
        Found::Elsewhere
    }

    /// A request for a session that is not there, or one that cannot be read: a peer that goes on so before it has a session is cut
    /// off (RFC 4975 §14.1). One that has may be late for another that has ended (§5.4).
    fn missed(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id.0).filter(|connection| connection.sessions.is_empty()) {
            connection.misses = connection.misses.saturating_add(1);
        }
    }

    fn body(&mut self, now: Instant, id: ConnectionId, octets: &[u8], end: Option<Flag>) {
        if let Some(chunk) = self.take_chunk(id) {
            let chunk = self.chunk_octets(now, chunk, octets, end);
            if end.is_none() {
                return self.set_frame(id, Frame::Chunk(chunk));
            }
            return self.chunk_end(now, chunk, end);
        }
        if let Some(flag) = end {
            self.end(now, id, flag);
        }
    }

    fn take_chunk(&mut self, id: ConnectionId) -> Option<Chunk> {
        let frame = &mut self.connections.get_mut(id.0)?.frame;
        match std::mem::take(frame) {
            Frame::Chunk(chunk) => Some(chunk),
            other => {
                *frame = other;
                None
            }
        }
    }

    /// The end-line of a frame has come.
    fn end(&mut self, now: Instant, id: ConnectionId, flag: Flag) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        match std::mem::take(&mut connection.frame) {
            Frame::Idle => {}
            Frame::Probe { session, reply, report } => self.probed(session, &reply, report.as_ref()),
            Frame::Chunk(chunk) => {
                let chunk = self.chunk_octets(now, chunk, &[], Some(flag));
                self.chunk_end(now, chunk, Some(flag));
            }
            // Only a SEND comes in chunks (RFC 4975 §5.1).
            Frame::Nickname { session, reply, .. } if flag != Flag::Last => self.answer_session(session, &reply, 400),
            Frame::Nickname { session, reply, wanted } => self.nickname(now, session, reply, wanted),
        }
        self.cut_off(now, id);
    }

    /// Closes a connection that has missed too often.
    fn cut_off(&mut self, now: Instant, id: ConnectionId) {
        if self.connections.get(id.0).is_some_and(|connection| connection.misses >= MISSES) {
            self.farewell(now, id);
        }
    }

    /// A head that cannot be read, in a frame that can: 400, if that may be said at all.
    fn malformed(&mut self, now: Instant, id: ConnectionId, event: &Event<'_>) {
        self.missed(id);
        self.answer_malformed(id, event);
        self.cut_off(now, id);
    }

    fn answer_malformed(&mut self, id: ConnectionId, event: &Event<'_>) {
        if let Some(connection) = self.connections.get_mut(id.0) {
            connection.first = false;
        }
        let Event::Malformed { code, transaction, method, to_path, from_path, failure_report } = event else { return };
        let (Some(method), Some(to_path), Some(from_path)) = (*method, to_path, from_path) else { return };
        if !msrp::report::is_answered(method, *failure_report, *code) {
            return;
        }
        let reply = Reply {
            transaction: (*transaction).into(),
            to_path: msrp::report::response_to_path(method, from_path).into(),
            wanted: *failure_report,
        };
        let own = to_path.split(' ').next().unwrap_or_default();
        self.answer(id, &reply, *code, own);
    }

    /// A wish for a nickname goes to the room (RFC 7701 §7.1).
    fn nickname(&mut self, now: Instant, handle: Handle, reply: Reply, wanted: Wanted) {
        let rate = self.settings.message_rate;
        let Some(session) = self.session(handle) else { return };
        let (home, room, seat, id) = (session.home, session.room, session.seat, session.connection);
        let pace = rate.and_then(|rate| session.pace.take(now, rate));
        if let Some(until) = pace
            && !self.is_shared(handle)
        {
            self.pause_until(id, until);
        }
        if home == self.id {
            self.name(now, (room, seat), home, reply, &wanted);
        } else {
            let letter = Letter::Nickname { room, seat, worker: self.id, reply, wanted };
            self.post(Place::Worker(home), letter);
        }
    }
}

fn begin_nickname(session: Handle, head: &Head<'_>) -> Result<Frame, u16> {
    // RFC 7701 §7.1: it has a Use-Nickname and no report headers.
    let Some(value) = head.use_nickname.filter(|_| !head.has_report_headers) else {
        return Err(400);
    };
    let wanted = msrp::encode::unquote_nickname(value).map_or(Wanted::Malformed, Wanted::Name);
    Ok(Frame::Nickname { session, reply: Reply::to(head, Method::Nickname), wanted })
}

impl Reply {
    /// Where the response to a request goes.
    pub(crate) fn to(head: &Head<'_>, method: Method<'_>) -> Self {
        Self {
            transaction: head.transaction.into(),
            to_path: msrp::report::response_to_path(method, head.from_path).into(),
            wanted: head.failure_report,
        }
    }
}
