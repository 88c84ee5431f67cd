//! What comes in: requests to be answered, and answers (RFC 4975 §7.3).

use std::time::Instant;

use super::{Connection, State, Subject};
use crate::encode::{self, ident};
use crate::frame::{ByteRange, FailureReport, Flag, Head, Method, Start};
use crate::parse;
use crate::report::{is_answered, response_to_path, wants_success};
use crate::session::{Event, Reason, Record, SessionId};
use crate::uri::Path;

/// The request that is coming in.
#[derive(Debug)]
pub(super) enum Incoming {
    /// None, or one of which nothing more matters.
    Nothing,
    /// A SEND that can be taken so far.
    Send {
        session: SessionId,
        request: Request,
        into: Into,
    },
    /// Any request that gets this code at its end.
    Refused {
        request: Request,
        code: u16,
    },
    Report {
        session: SessionId,
        report: Report,
    },
}

/// Where the octets of a SEND go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Into {
    /// To the message's others.
    Message,
    /// Nowhere: it has none, or they came before.
    Nothing,
}

/// What an answer needs.
#[derive(Debug)]
pub(super) struct Request {
    kind: Kind,
    transaction: String,
    /// One's own URI, as the peer wrote it.
    to_path: String,
    from_path: String,
    message_id: Option<String>,
    failure_report: FailureReport,
    wants_success: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Send,
    Report,
    Other,
}

/// A REPORT whose body may still come; the parser bounds it.
#[derive(Debug)]
pub(super) struct Report {
    message_id: String,
    code: u16,
    byte_range: Option<ByteRange>,
    content_type: Option<String>,
    octets: Vec<u8>,
}

impl Request {
    fn of(head: &Head<'_>, method: Method<'_>) -> Request {
        Request {
            kind: Kind::of(method),
            transaction: head.transaction.to_owned(),
            to_path: head.to_path.to_owned(),
            from_path: head.from_path.to_owned(),
            message_id: head.message_id.map(str::to_owned),
            failure_report: head.failure_report,
            wants_success: wants_success(head),
        }
    }
}

impl Kind {
    fn of(method: Method<'_>) -> Kind {
        match method {
            Method::Send => Kind::Send,
            Method::Report => Kind::Report,
            Method::Nickname | Method::Auth | Method::Other(_) => Kind::Other,
        }
    }

    /// Any method of the kind: the rules for answers make no finer difference.
    fn method(self) -> Method<'static> {
        match self {
            Kind::Send => Method::Send,
            Kind::Report => Method::Report,
            Kind::Other => Method::Nickname,
        }
    }
}

impl Connection {
    pub(super) fn read(&mut self, now: Instant, octets: &[u8]) {
        let mut kept = std::mem::take(&mut self.unread);
        if kept.is_empty() {
            let used = self.read_all(now, octets);
            self.unread = octets.get(used..).unwrap_or(&[]).to_vec();
        } else {
            kept.extend_from_slice(octets);
            let used = self.read_all(now, &kept);
            kept.drain(..used);
            self.unread = if kept.is_empty() { Vec::new() } else { kept };
        }
    }

    /// Gives how many octets are used up.
    fn read_all(&mut self, now: Instant, octets: &[u8]) -> usize {
        let mut used = 0;
        while self.state == State::Open {
            match self.parser.next(octets.get(used..).unwrap_or(&[])) {
                Ok((n, event)) => {
                    used += n;
                    let Some(event) = event else { return used };
                    self.take(now, event);
                }
                Err(fatal) => self.shut(Reason::Protocol(fatal)),
            }
        }
        octets.len()
    }

    fn take(&mut self, now: Instant, event: parse::Event<'_>) {
        match event {
            parse::Event::Head(head) => {
                self.incoming = match head.start {
                    Start::Response { code, .. } => {
                        self.answered(now, head.transaction, code);
                        Incoming::Nothing
                    }
                    Start::Request(method) => self.begin(now, method, &head),
                };
            }
            parse::Event::Body(octets) => self.body(octets),
            parse::Event::End(flag) => self.end_request(flag),
            parse::Event::Malformed { code, transaction, method, to_path, from_path, failure_report } => {
                if let (Some(method), Some(to_path), Some(from_path)) = (method, to_path, from_path)
                    && is_answered(method, failure_report, code)
                {
                    let mut out = Vec::new();
                    let back = response_to_path(method, from_path);
                    encode::response(&mut out, transaction, code, back, to_path);
                    self.outlet.urgent(out, None);
                }
            }
        }
    }

    fn begin(&mut self, now: Instant, method: Method<'_>, head: &Head<'_>) -> Incoming {
        let session = match self.locate(head.to_path) {
            Ok(session) => session,
            Err(code) => return self.refuse(Request::of(head, method), code),
        };
        self.bound_by_peer(now, session);
        match method {
            Method::Send => self.begin_send(now, session, head),
            Method::Report => begin_report(session, head),
            // An endpoint grants no nicknames and relays nothing.
            Method::Nickname | Method::Auth | Method::Other(_) => {
                Incoming::Refused { request: Request::of(head, method), code: 501 }
            }
        }
    }

    /// The session that a To-Path names: at an endpoint it has one URI (RFC 4975 §7.3).
    fn locate(&mut self, to_path: &str) -> Result<SessionId, u16> {
        if let Some((id, _)) = self.sessions.iter().find(|(_, session)| session.is_called(to_path, None)) {
            return Ok(*id);
        }
        let path = Path::parse(to_path).ok().filter(|path| path.len() == 1);
        let uri = path.as_ref().map(Path::first);
        if let Some((id, _)) = self.sessions.iter().find(|(_, session)| session.is_called(to_path, uri)) {
            return Ok(*id);
        }
        let elsewhere = uri.is_some_and(|uri| self.elsewhere.iter().any(|other| other.matches(uri)));
        Err(if elsewhere { 506 } else { 481 })
    }

    fn refuse(&mut self, request: Request, code: u16) -> Incoming {
        self.misses += 1;
        Incoming::Refused { request, code }
    }

    /// The first request binds a session that waits for it.
    fn bound_by_peer(&mut self, now: Instant, session: SessionId) {
        let waits = |session: &crate::session::Session| session.terms.role == crate::session::Role::Passive;
        if self.sessions.get(&session).is_some_and(waits) {
            self.bound(now, session);
        }
    }

    fn begin_send(&mut self, now: Instant, id: SessionId, head: &Head<'_>) -> Incoming {
        let request = Request::of(head, Method::Send);
        let Some(session) = self.sessions.get_mut(&id) else { return Incoming::Nothing };
        let message_id = head.message_id.unwrap_or("");
        let continues = session.reassembly.is_open(message_id);
        if !(head.has_body || continues) || session.is_late(message_id, head.byte_range) {
            return Incoming::Send { session: id, request, into: Into::Nothing };
        }
        let begun = match head.content_type {
            Some(content_type) if !session.accepts(content_type) => Err(415),
            _ => session.reassembly.begin(now, head),
        };
        match begun {
            Ok(()) => Incoming::Send { session: id, request, into: Into::Message },
            Err(code) => self.answer_early(&request, code),
        }
    }

    /// An error is told at once, while the rest of the chunk may be long in coming.
    fn answer_early(&mut self, request: &Request, code: u16) -> Incoming {
        self.answer(request, code);
        Incoming::Nothing
    }

    fn body(&mut self, octets: &[u8]) {
        let code = match &mut self.incoming {
            Incoming::Report { report, .. } => {
                report.octets.extend_from_slice(octets);
                return;
            }
            Incoming::Send { session, into: Into::Message, .. } => {
                let Some(session) = self.sessions.get_mut(session) else { return };
                match session.reassembly.octets(octets) {
                    Ok(()) => return,
                    Err(code) => code,
                }
            }
            Incoming::Send { .. } | Incoming::Refused { .. } | Incoming::Nothing => return,
        };
        if let Incoming::Send { request, .. } = std::mem::replace(&mut self.incoming, Incoming::Nothing) {
            self.answer(&request, code);
        }
    }

    fn end_request(&mut self, flag: Flag) {
        match std::mem::replace(&mut self.incoming, Incoming::Nothing) {
            Incoming::Nothing => {}
            Incoming::Send { session, request, into } => self.end_send(session, &request, into, flag),
            Incoming::Report { session, report } => self.end_report(session, report),
            Incoming::Refused { request, code } => {
                // Only a SEND may be cut into chunks (RFC 4975 §5.1).
                let cut = request.kind == Kind::Other && flag != Flag::Last && code == 501;
                self.answer(&request, if cut { 400 } else { code });
                if self.misses > self.settings.misses {
                    self.shut(Reason::Abuse);
                }
            }
        }
    }

    fn end_send(&mut self, id: SessionId, request: &Request, into: Into, flag: Flag) {
        // It may have been closed while the request came.
        let here = self.sessions.contains_key(&id);
        self.answer(request, if here { 200 } else { 481 });
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if into == Into::Nothing {
            if flag == Flag::Last {
                self.report_success(id, request, 0);
            }
            return;
        }
        let Some(gathered) = session.reassembly.end(flag) else { return };
        let repeated = session.repeats(&gathered.message_id);
        let size = gathered.octets.len() as u64;
        self.events.push_back(Event::Message {
            session: id,
            message_id: gathered.message_id,
            content_type: gathered.content_type,
            octets: gathered.octets,
            repeated,
        });
        self.report_success(id, request, size);
    }

    /// One REPORT on the whole of a message, if it is wanted (RFC 4975 §7.1.3).
    fn report_success(&mut self, id: SessionId, request: &Request, size: u64) {
        let (Some(session), Some(message_id), true) =
            (self.sessions.get(&id), request.message_id.as_deref(), request.wants_success)
        else {
            return;
        };
        let transaction = ident(&mut *self.random, 16);
        let report = encode::Report {
            transaction: &transaction,
            to_path: &request.from_path,
            from_path: session.terms.own.as_str(),
            message_id,
            byte_range: Some(ByteRange { start: 1, end: Some(size), total: Some(size) }),
            status_code: 200,
            content: None,
        };
        let mut out = Vec::new();
        report.encode(&mut out);
        self.outlet.urgent(out, None);
    }

    fn answer(&mut self, request: &Request, code: u16) {
        let method = request.kind.method();
        if is_answered(method, request.failure_report, code) {
            let mut out = Vec::new();
            let back = response_to_path(method, &request.from_path);
            encode::response(&mut out, &request.transaction, code, back, &request.to_path);
            self.outlet.urgent(out, None);
        }
    }

    /// A response to a request of ours; one that fits none is ignored, as there are peers that answer what wants no answer.
    fn answered(&mut self, now: Instant, transaction: &str, code: u16) {
        let Some(subject) = self.transactions.answered(transaction) else { return };
        let session = subject.session();
        let good = (200..300).contains(&code);
        match subject {
            Subject::Bind(_) if good => self.bound(now, session),
            Subject::Bind(_) => self.end(session, Reason::Refused(code)),
            Subject::KeepAlive(_) => {
                if let Some(open) = self.sessions.get_mut(&session) {
                    open.awaits_keep_alive = false;
                }
            }
            Subject::Nickname(_, nickname) => self.events.push_back(Event::Nickname { session, nickname, code }),
            Subject::Chunk(_, message_id) if good => self.progress(session, &message_id, Record::answered),
            Subject::Chunk(_, message_id) => self.fail(session, &message_id, code),
        }
        self.end_if_refused(session, code);
    }

    /// RFC 4975 §10.8, §10.10
    fn end_if_refused(&mut self, session: SessionId, code: u16) {
        if matches!(code, 481 | 506) {
            self.end(session, Reason::Refused(code));
        }
    }

    fn end_report(&mut self, session: SessionId, report: Report) {
        let Report { message_id, code, byte_range, content_type, octets } = report;
        self.events.push_back(Event::Report {
            session,
            message_id: message_id.clone(),
            code,
            byte_range,
            content: content_type.map(|content_type| (content_type, octets)),
        });
        if (200..300).contains(&code) {
            return self.progress(session, &message_id, |record| record.reported(byte_range));
        }
        let known = self.sessions.get_mut(&session).is_some_and(|open| open.record_of(&message_id).is_some());
        if known {
            self.fail(session, &message_id, code);
            self.end_if_refused(session, code);
            // Octets that did not arrive are a failure of the session, not of the message (RFC 4975 §7.3.2).
            if code == 408 && byte_range.is_some() {
                self.end(session, Reason::NotReceived);
            }
        }
    }
}

/// One without a Message-ID or a Status, or with a Status of another namespace, says nothing to us, and is never answered.
fn begin_report(session: SessionId, head: &Head<'_>) -> Incoming {
    match (head.message_id, head.status) {
        (Some(message_id), Some(status)) if status.namespace == 0 => Incoming::Report {
            session,
            report: Report {
                message_id: message_id.to_owned(),
                code: status.code,
                byte_range: head.byte_range,
                content_type: head.content_type.map(str::to_owned),
                octets: Vec::new(),
            },
        },
        _ => Incoming::Nothing,
    }
}
