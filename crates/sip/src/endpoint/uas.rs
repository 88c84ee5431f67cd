//! The server side: requests of peers, in the order of RFC 3261 §8.2, and their answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::api::{Answer, DialogId, Event, Refused, TransactionId};
use super::session::Accepted;
use super::within::{Answered, cseq_of};
use crate::dialog::Stage;
use crate::message::{Method, Request, Response};
use crate::parse::Malformed;
use crate::timer::Timer;
use crate::token::Token;
use crate::transaction::key::{self, Envelope, Reply};
use crate::transaction::server::{Next, ServerTransaction};
use crate::transport::Source;
use crate::typed::{self, Disposition, MediaType, Uri};

impl Endpoint {
    /// Octets that are no sound message. A request gets to know it; an ACK and a response never do (§17.1.1.3).
    pub(super) fn refuse_malformed(&mut self, source: Source, malformed: Malformed) {
        let Some(mut request) = malformed.request else { return };
        if request.method == Method::ACK {
            return;
        }
        let reply = Envelope::open(&mut request, source).reply;
        let answer = Answer::new(malformed.code).reason(malformed.reason);
        self.answer_stateless(&request, &reply, answer);
    }

    pub(super) fn receive_request(&mut self, now: Instant, source: Source, mut request: Request) {
        let envelope = Envelope::open(&mut request, source);
        let (reply, key) = (envelope.reply, envelope.key(request.method.as_str()));
        let known = self.servers.find(&key);
        if request.method == Method::ACK {
            return self.receive_ack(now, known, request);
        }
        if let Some(id) = known {
            return self.receive_again(id);
        }
        if request.method == Method::CANCEL {
            return self.receive_cancel(now, &envelope, request);
        }
        if let Some(answer) = self.refusal(&request) {
            return self.answer_stateless(&request, &reply, answer);
        }
        let arrival = Arrival { key: key.into(), reply, request: Arc::new(request) };
        match typed::tag(arrival.request.header("To").unwrap_or_default()) {
            Some(_) => self.receive_within(now, arrival),
            None => self.receive_outside(now, arrival),
        }
    }

    /// §8.2.1 to §8.2.3: what is refused whatever its purpose. Max-Forwards is for proxies: at its target a request may
    /// come with 0.
    fn refusal(&self, request: &Request) -> Option<Answer> {
        if !self.config.allow.contains(&request.method) {
            return Some(Answer::new(405));
        }
        let scheme = Uri::parse(&request.uri).map_or_else(|_| String::new(), |uri| uri.scheme().to_ascii_lowercase());
        if !self.config.schemes.contains(&scheme) {
            return Some(Answer::new(416));
        }
        let is_unknown = |tag: &&str| !self.config.supported.iter().any(|known| known.eq_ignore_ascii_case(tag));
        let required = request.headers.list("Require").filter(|tag| !tag.is_empty());
        let unknown: Vec<&str> = required.filter(is_unknown).collect();
        if !unknown.is_empty() {
            return Some(Answer::new(420).header("Unsupported", unknown.join(", ")));
        }
        self.refusal_of_body(request).or_else(|| self.refusal_of_interval(request))
    }

    /// §8.2.3. What the sender marks as optional is let through (RFC 5621 §8.1).
    fn refusal_of_body(&self, request: &Request) -> Option<Answer> {
        let disposition = request.header("Content-Disposition").map(Disposition::parse);
        if request.body.is_empty() || matches!(disposition, Some(Ok(disposition)) if !disposition.is_required()) {
            return None;
        }
        let mut encodings = request.headers.list("Content-Encoding");
        if encodings.any(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")) {
            return Some(Answer::new(415).header("Accept-Encoding", "identity"));
        }
        let essence = request.header("Content-Type").and_then(|value| MediaType::parse(value).ok());
        let essence = essence.map(|media_type| media_type.essence).unwrap_or_default();
        let accepted = self.accepted.iter().any(|range| range.takes_in(&essence));
        (!accepted).then(|| Answer::new(415))
    }

    fn receive_again(&mut self, id: TransactionId) {
        let Some(transaction) = self.servers.get(id) else { return };
        if let Some(response) = transaction.repeated() {
            self.wire.reply(&transaction.reply, response.to_vec());
        }
    }

    /// An ACK is for the refusal that it matches, else for a dialog; else it is nothing (§17.2.1, §13.3.1.4).
    fn receive_ack(&mut self, now: Instant, known: Option<TransactionId>, request: Request) {
        let refused = known.filter(|id| self.servers.get(*id).is_some_and(|transaction| !transaction.is_accepted()));
        let Some(id) = refused else { return self.receive_dialog_ack(now, request) };
        let next = self.servers.change(id, |transaction| transaction.acknowledged(id, &mut clock!(self, now)));
        self.follow_server(now, id, next.unwrap_or(Next::Stay));
    }

    /// §9.2. The CANCEL gets an answer of its own, with the To tag of what it cancels.
    fn receive_cancel(&mut self, now: Instant, envelope: &Envelope, request: Request) {
        let reply = envelope.reply;
        let mut methods = std::iter::once(&Method::INVITE).chain(&self.config.allow);
        let found = methods.find_map(|method| self.servers.find(&envelope.key(method.as_str())));
        let Some((target, to_tag)) = found.and_then(|id| Some((id, self.servers.get(id)?.to_tag))) else {
            return self.answer_stateless(&request, &reply, Answer::new(481));
        };
        let key = envelope.key(request.method.as_str());
        let arrival = Arrival { key: key.into(), reply, request: Arc::new(request) };
        let Some(id) = self.open_server(now, arrival, Some(to_tag), None) else { return };
        self.finish(now, id, Answer::new(200));
        self.take_back(now, target);
    }

    /// An INVITE without a final answer is cancelled or expired.
    pub(super) fn take_back(&mut self, now: Instant, id: TransactionId) {
        let pending = self.servers.get(id).and_then(ServerTransaction::open);
        if pending.is_some_and(|request| request.method == Method::INVITE) {
            self.finish(now, id, Answer::new(487));
            self.wire.event(Event::Cancelled { transaction: id });
        }
    }

    fn receive_outside(&mut self, now: Instant, arrival: Arrival) {
        let request = arrival.request.clone();
        if self.servers.has_merged(&key::of_merged(&request)) {
            return self.answer_stateless(&request, &arrival.reply, Answer::new(482).reason("Request Merged"));
        }
        if request.method == Method::BYE {
            return self.answer_stateless(&request, &arrival.reply, Answer::new(481));
        }
        if request.method == Method::INVITE && self.dialogs.is_full() {
            return self.answer_overload(&request, &arrival.reply);
        }
        let source = arrival.reply.source;
        if let Some(transaction) = self.open_server(now, arrival, None, None) {
            self.wire.event(Event::Request { transaction, request, source, dialog: None });
        }
    }

    /// A new server transaction. `None`: there are too many, and the peer got to know.
    pub(super) fn open_server(
        &mut self,
        now: Instant,
        arrival: Arrival,
        to_tag: Option<Token>,
        dialog: Option<DialogId>,
    ) -> Option<TransactionId> {
        if self.servers.is_full() {
            self.answer_overload(&arrival.request, &arrival.reply);
            return None;
        }
        let Arrival { key, reply, request } = arrival;
        let outside = dialog.is_none() && to_tag.is_none();
        let merged = if outside { key::of_merged(&request).into() } else { Arc::from("") };
        let to_tag = to_tag.unwrap_or_else(|| Token::random(&mut *self.random));
        let due = now + ServerTransaction::trying_after(&request, &clock!(self, now));
        let expires = expires_of(&request).map(|after| now + after);
        let mut transaction = ServerTransaction::new(key, merged, reply, to_tag, request);
        transaction.dialog = dialog;
        let id = self.servers.insert(transaction)?;
        let timer = self.timers.set(due, Timer::Trying(id));
        let expires = expires.map(|at| self.timers.set(at, Timer::Expired(id)));
        self.servers.change(id, |transaction| transaction.start(timer, expires));
        Some(id)
    }

    pub(super) fn respond_to(&mut self, now: Instant, id: TransactionId, answer: Answer) -> Result<(), Refused> {
        let transaction = self.servers.get(id).ok_or(Refused::NoTransaction)?;
        let request = transaction.open().ok_or(Refused::NoTransaction)?.clone();
        let invite = request.method == Method::INVITE;
        match answer.code {
            101..200 if invite => self.provisional(id, &request, answer),
            200..300 if invite => return Err(Refused::Unfit("code: an INVITE is accepted by `accept`")),
            // RFC 4320 §4.2.
            408 if !invite => return Err(Refused::Unfit("code: 408 is for an INVITE only")),
            200..700 => self.finish(now, id, answer),
            _ => return Err(Refused::Unfit("code")),
        }
        Ok(())
    }

    /// A 101–199 to an INVITE makes an early dialog (§12.1.1).
    fn provisional(&mut self, id: TransactionId, request: &Request, answer: Answer) {
        let contact = answer.contact.clone();
        let Some(transaction) = self.servers.get(id) else { return };
        let (reply, dialog) = (transaction.reply, transaction.dialog);
        let response = self.presets.respond(request, &transaction.to_tag, answer).encode();
        self.servers.change(id, |transaction| transaction.provisional(response.clone()));
        self.wire.reply(&reply, response);
        if let (None, Some(contact)) = (dialog, contact) {
            self.open_dialog(id, request, &contact);
        }
    }

    /// Any final answer but the 2xx to an INVITE.
    pub(super) fn finish(&mut self, now: Instant, id: TransactionId, mut answer: Answer) {
        let Some(transaction) = self.servers.get(id) else { return };
        let Some(request) = transaction.open().cloned() else { return };
        let (reply, dialog, code) = (transaction.reply, transaction.dialog, answer.code);
        let agreed = dialog.and_then(|_| self.agree(&request, &mut answer));
        let response = self.presets.respond(&request, &transaction.to_tag, answer).encode();
        self.wire.reply(&reply, response.clone());
        let next = if dialog.is_none() && leaves_nothing(&request.method, code) {
            Next::Remove
        } else {
            let mut clock = clock!(self, now);
            let invite = request.method == Method::INVITE;
            let next = self.servers.change(id, |transaction| match invite {
                true => transaction.refused(id, response, &mut clock),
                false => transaction.answered(id, response, &mut clock),
            });
            next.unwrap_or(Next::Stay)
        };
        self.follow_server(now, id, next);
        if let Some(dialog) = dialog {
            if (200..300).contains(&code) {
                self.agreed_by_us(now, dialog, &request, agreed);
            }
            let source = reply.source;
            self.answered_within(now, dialog, Answered { transaction: id, request, source, code });
        }
    }

    /// Nothing more is awaited.
    pub(super) fn end_server(&mut self, now: Instant, id: TransactionId) {
        let Some(mut transaction) = self.servers.remove(id) else { return };
        transaction.end(&mut clock!(self, now));
        if let Some(dialog) = transaction.dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            dialog.servers.retain(|pending| *pending != id);
        }
    }

    pub(super) fn follow_server(&mut self, now: Instant, id: TransactionId, next: Next) {
        match next {
            Next::Stay => {}
            Next::Send(octets) => {
                if let Some(transaction) = self.servers.get(id) {
                    self.wire.reply(&transaction.reply, octets);
                }
            }
            Next::Remove => self.end_server(now, id),
        }
    }

    /// Timer `Trying`: a 100, unless something was said (§17.2.1, RFC 4320 §4.1). It has no To tag.
    pub(super) fn say_trying(&mut self, now: Instant, id: TransactionId) {
        self.servers.change(id, |transaction| transaction.tried(id, &mut clock!(self, now)));
        let Some(transaction) = self.servers.get(id).filter(|transaction| transaction.is_silent()) else { return };
        let (Some(request), reply) = (transaction.open(), transaction.reply) else { return };
        let response = Response::to(request, 100, None).encode();
        self.servers.change(id, |transaction| transaction.provisional(response.clone()));
        self.wire.reply(&reply, response);
    }

    /// Timers `G` and `Alive`.
    pub(super) fn resend_server(&mut self, now: Instant, id: TransactionId, timer: Timer) {
        let mut clock = clock!(self, now);
        let next = self.servers.change(id, |transaction| match timer {
            Timer::G(_) => transaction.resend(id, &mut clock),
            _ => transaction.keep_alive(id, &mut clock),
        });
        self.follow_server(now, id, next.unwrap_or(Next::Stay));
    }

    /// An answer that leaves no state; asked again, it is the same (§8.2.7).
    pub(super) fn answer_stateless(&mut self, request: &Request, reply: &Reply, answer: Answer) {
        let texts = ["Via", "From", "Call-ID", "CSeq"].map(|name| request.header(name).unwrap_or_default());
        let tag = self.secret.token(texts);
        let response = self.presets.respond(request, &tag, answer).encode();
        self.wire.reply(reply, response);
    }

    pub(super) fn answer_overload(&mut self, request: &Request, reply: &Reply) {
        let seconds = self.random_below(10) + 5;
        self.answer_stateless(request, reply, Answer::new(503).header("Retry-After", seconds.to_string()));
    }

    /// Accepts what begins a usage.
    pub(super) fn accept_usage(
        &mut self,
        now: Instant,
        id: TransactionId,
        answer: Answer,
    ) -> Result<DialogId, Refused> {
        let transaction = self.servers.get(id).ok_or(Refused::NoTransaction)?;
        let request = transaction.open().ok_or(Refused::NoTransaction)?.clone();
        if !(200..300).contains(&answer.code) {
            return Err(Refused::Unfit("code"));
        }
        let contact = answer.contact.clone().ok_or(Refused::Unfit("Contact: there is none"))?;
        typed::NameAddr::parse(&contact).map_err(|_| Refused::Unfit("Contact"))?;
        let invite = request.method == Method::INVITE;
        if !invite && ![Method::SUBSCRIBE, Method::REFER].contains(&request.method) {
            return Err(Refused::Unfit("method: it begins no usage"));
        }
        let dialog = match transaction.dialog {
            Some(dialog) => dialog,
            None => self.open_dialog(id, &request, &contact).ok_or(Refused::Full)?,
        };
        if invite {
            self.accept_invite(now, id, dialog, &contact, answer);
        } else {
            self.hold_dialog(dialog)?;
            if let Some(dialog) = self.dialogs.get_mut(dialog).filter(|dialog| dialog.is_new()) {
                dialog.stage = Stage::Held;
            }
            self.finish(now, id, answer);
        }
        Ok(dialog)
    }

    fn accept_invite(&mut self, now: Instant, id: TransactionId, dialog: DialogId, contact: &str, mut answer: Answer) {
        let Some(transaction) = self.servers.get(id) else { return };
        let Some(request) = transaction.open().cloned() else { return };
        let reply = transaction.reply;
        let agreed = self.agree(&request, &mut answer);
        let response = self.presets.respond(&request, &transaction.to_tag, answer).encode();
        self.servers.change(id, |transaction| transaction.accepted(id, &mut clock!(self, now)));
        self.wire.reply(&reply, response.clone());
        let accepted = Accepted { transaction: id, cseq: cseq_of(&request), reply, response };
        self.confirm_dialog(now, dialog, &request, contact, accepted);
        self.agreed_by_us(now, dialog, &request, agreed);
    }
}

/// A request that is about to get its transaction.
pub(super) struct Arrival {
    pub(super) key: Arc<str>,
    pub(super) reply: Reply,
    pub(super) request: Arc<Request>,
}

/// What is answered without state (§8.2.7, §26.3.2.4): who has proven nothing leaves nothing, and asked again, these give the
/// same answer. The ACK to such a refusal of an INVITE is a stray one.
fn leaves_nothing(method: &Method, code: u16) -> bool {
    *method == Method::OPTIONS || matches!(code, 401 | 405 | 407 | 501)
}

/// How long an INVITE stands (§13.3.1, §20.19).
fn expires_of(request: &Request) -> Option<Duration> {
    let value = request.header("Expires").filter(|_| request.method == Method::INVITE)?;
    typed::digits(value).map(|seconds| Duration::from_secs(seconds.into()))
}
