//! What comes back to requests of our own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::Endpoint;
use super::api::{Cause, ClientId, DialogId, Event, Failure, Refused};
use super::uac::{Acknowledged, Attempt, Cancel, Purpose, address};
use super::within::cseq_of;
use crate::auth::Asker;
use crate::dialog::{Dialog, Peer, Stage, is_of_session, refreshes_target};
use crate::message::{Body, Headers, Method, Request, Response};
use crate::token::Token;
use crate::transaction::client::Heard;
use crate::transport::{Hop, Source, Transport};
use crate::typed::{self, Uri};

/// How often one request is sent anew because of challenges.
const MAX_CHALLENGES: u8 = 4;
/// How many early dialogs one INVITE may make.
const MAX_EARLY: usize = 16;
/// The address of a peer that vanished.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Endpoint {
    pub(super) fn receive_response(&mut self, now: Instant, response: Response) {
        let Some(id) = self.clients.find(&response) else { return };
        let Some(transaction) = self.clients.get_mut(id) else { return };
        let heard = transaction.heard(id, &response, &mut clock!(self, now));
        let (owner, hop, over) = (transaction.owner, transaction.hop, transaction.is_over());
        if !transaction.is_open() {
            self.release_connection(id, hop);
        }
        if over {
            self.end_client(now, id);
        }
        match heard {
            Heard::Nothing => {}
            Heard::AckAgain(ack) => self.wire.transmit(hop, ack),
            Heard::Provisional => owner.into_iter().for_each(|owner| self.heard_provisional(now, owner, &response)),
            Heard::Accepted => owner.into_iter().for_each(|owner| self.heard_accepted(now, owner, &response)),
            Heard::Final { ack } => {
                ack.into_iter().for_each(|ack| self.wire.transmit(hop, ack));
                owner.into_iter().for_each(|owner| self.heard_final(now, owner, &response));
            }
        }
    }

    fn heard_provisional(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some(attempt) = self.attempts.get(id) else { return };
        if !attempt.is_invite() {
            return;
        }
        if matches!(attempt.cancel, Cancel::Wanted) {
            self.send_cancel(now, id);
        }
        if response.code > 100 {
            self.open_called(id, response);
            self.wire.event(Event::Provisional { client: id, response: Arc::new(response.clone()) });
        }
    }

    /// The early dialog that a 101–199 with a tag and a Contact makes (§12.1), so that requests of the peer find it.
    fn open_called(&mut self, id: ClientId, response: &Response) {
        let Some(attempt) = self.attempts.get(id).filter(|attempt| attempt.dialog.is_none()) else { return };
        let tag = response.header("To").and_then(typed::tag);
        let is_full = attempt.early.len() >= MAX_EARLY || self.dialogs.is_full();
        if tag.is_none()
            || response.header("Contact").is_none()
            || is_full
            || self.early_of(attempt, response).is_some()
        {
            return;
        }
        let mut dialog = Dialog::calling(&attempt.request, response, attempt.local_tag, self.peer_of(attempt));
        dialog.invite.outgoing = Some(id);
        let opened = self.dialogs.insert(dialog);
        if let Some(attempt) = self.attempts.get_mut(id) {
            attempt.early.extend(opened);
        }
    }

    /// The early dialog of an INVITE of ours that this response belongs to.
    fn early_of(&self, attempt: &Attempt, response: &Response) -> Option<DialogId> {
        let tag = response.header("To").and_then(typed::tag).unwrap_or_default();
        let same_tag =
            |id: &&DialogId| self.dialogs.get(**id).is_some_and(|dialog| dialog.remote_tag().eq_ignore_ascii_case(tag));
        attempt.early.iter().find(same_tag).copied()
    }

    fn heard_final(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some(attempt) = self.attempts.get(id) else { return };
        let subscribes = attempt.subscribes();
        if attempt.is_invite() && (200..300).contains(&response.code) {
            return self.heard_accepted(now, id, response);
        }
        if self.meet_challenge(now, id, response) {
            return;
        }
        if response.code == 422 && self.meet_interval(now, id, response) {
            return;
        }
        if subscribes && (200..300).contains(&response.code) && self.heard_subscribed(now, id, response) {
            return;
        }
        // RFC 3263 §4.3: that server is overloaded, another may not be.
        if response.code == 503 && self.try_elsewhere(now, id) {
            return;
        }
        let Some(attempt) = self.take_attempt(now, id) else { return };
        let code = response.code;
        match attempt.purpose {
            Purpose::Quiet => {}
            Purpose::Bye(dialog) => self.hung_up(now, dialog, Some(code)),
            Purpose::User | Purpose::Refresh => {
                if attempt.purpose == Purpose::User {
                    self.wire.event(Event::Answered { client: id, response: Arc::new(response.clone()) });
                }
                if let Some(dialog) = attempt.dialog {
                    self.judge_within(now, dialog, &attempt, response);
                }
            }
        }
    }

    /// What an answer within a dialog means for it (§12.2.1.2, RFC 5057 §5.1).
    fn judge_within(&mut self, now: Instant, id: DialogId, attempt: &Attempt, response: &Response) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        let method = attempt.method();
        let of_session = is_of_session(method);
        match response.code {
            200..300 => {
                if refreshes_target(method) {
                    dialog.refresh_target(&response.headers);
                }
                self.agreed_by_peer(now, id, method, response);
            }
            491 if of_session && attempt.purpose == Purpose::User => self.wait_after_glare(now, id),
            408 | 481 if of_session && dialog.stage == Stage::Confirmed => self.abandon(now, id, Cause::PeerGone),
            404 | 410 | 416 | 482..=485 | 502 | 604 if dialog.stage == Stage::Confirmed => {
                self.abandon(now, id, Cause::PeerGone);
            }
            _ => {}
        }
    }

    /// Answers challenges by a new transaction (§22.2, §22.3). `false` when none can be met.
    fn meet_challenge(&mut self, now: Instant, id: ClientId, response: &Response) -> bool {
        let Some(asker) = Asker::of(response.code) else { return false };
        let Some(attempt) = self.attempts.get_mut(id).filter(|attempt| !attempt.is_cancelled()) else { return false };
        attempt.keyring.take_up(asker, response.headers(asker.asks())) && self.send_anew(now, id, |_| {})
    }

    /// Sends a request anew with other rows, in a transaction and with a CSeq number of its own (§8.1.3.5). `false`: that
    /// was done often enough, or its connection is gone.
    pub(super) fn send_anew(&mut self, now: Instant, id: ClientId, change: impl FnOnce(&mut Headers)) -> bool {
        let Some(attempt) = self.attempts.get_mut(id).filter(|attempt| attempt.challenges < MAX_CHALLENGES) else {
            return false;
        };
        let hop = attempt.way.path().map(|path| path.hop);
        if matches!(hop, Some(Hop::Connection(connection)) if !self.wire.is_open(connection)) {
            return false;
        }
        attempt.challenges += 1;
        let number = match attempt.dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            Some(dialog) => dialog.next_cseq(),
            None => cseq_of(&attempt.request).saturating_add(1),
        };
        let request = Arc::make_mut(&mut attempt.request);
        let cseq = format!("{number} {}", request.method);
        request.headers.set("CSeq", cseq);
        change(&mut request.headers);
        if attempt.keyring.is_asked() {
            let cnonce = Token::random(&mut *self.random);
            attempt.keyring.write(request.method.as_str(), &request.uri, cnonce.as_str(), &mut request.headers);
        }
        self.send(now, id);
        true
    }

    /// A 2xx to an INVITE: each peer that accepts gets its ACK each time; all but the first are hung up (§13.2.2.4).
    fn heard_accepted(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some(attempt) = self.attempts.get(id) else { return };
        let to = response.header("To").unwrap_or_default();
        let within = attempt.dialog.is_some();
        if let Some(known) = attempt.acknowledged.iter().find(|known| within || known.to == to) {
            let ack = known.ack.clone();
            return ack.into_iter().for_each(|(hop, ack)| self.wire.transmit(hop, ack));
        }
        if attempt.acknowledged.len() >= MAX_EARLY {
            return;
        }
        let (first, taken_back) = (!attempt.is_accepted(), attempt.is_cancelled() && !within);
        let unanswered = first && !taken_back && attempt.request.body.is_empty() && !response.body.is_empty();
        let Some(dialog) = self.dialog_of(id, response) else {
            return self.fail_attempt(now, id, Failure::Transport);
        };
        let ack = if unanswered { None } else { self.ack(id, dialog, None) };
        if let Some((hop, ack)) = ack.clone() {
            self.wire.transmit(hop, ack);
        }
        if let Some(attempt) = self.attempts.get_mut(id) {
            attempt.acknowledged.push(Acknowledged { to: to.to_owned(), ack });
        }
        if !first || taken_back {
            self.abandon_quietly(now, dialog);
        }
        if first {
            self.settle_accepted(now, id, dialog, response, unanswered);
            self.wire.event(match taken_back {
                false => Event::Accepted { client: id, dialog, response: Arc::new(response.clone()) },
                true => Event::Failed { client: id, failure: Failure::Cancelled },
            });
        }
    }

    /// The dialog that a 2xx belongs to: the one its INVITE was sent in, an early one, or a new one.
    fn dialog_of(&mut self, id: ClientId, response: &Response) -> Option<DialogId> {
        let attempt = self.attempts.get(id)?;
        if let Some(dialog) = attempt.dialog {
            self.dialogs.get_mut(dialog)?.refresh_target(&response.headers);
            return Some(dialog);
        }
        let (early, credentials) = (self.early_of(attempt, response), attempt.keyring.credentials());
        let dialog = match early {
            Some(early) => early,
            None => {
                let peer = self.peer_of(attempt);
                self.dialogs.insert(Dialog::calling(&attempt.request, response, attempt.local_tag, peer))?
            }
        };
        self.attempts.get_mut(id)?.early.retain(|early| *early != dialog);
        let confirmed = self.dialogs.get_mut(dialog)?;
        confirmed.confirm(response);
        confirmed.credentials = credentials;
        confirmed.invite.outgoing = None;
        Some(dialog)
    }

    fn peer_of(&self, attempt: &Attempt) -> Peer {
        let path = attempt.way.path();
        let (connection, remote) = match path.map(|path| path.hop) {
            Some(Hop::Connection(id)) => (Some(id), self.wire.remote(id)),
            Some(Hop::Datagram { remote, .. }) => (None, Some(remote)),
            None => (None, None),
        };
        let uri = Uri::parse(&attempt.request.uri).ok();
        let target = uri.as_ref().and_then(Uri::ip);
        Peer {
            transport: path.map_or(Transport::Udp, |path| path.transport),
            local: path.and_then(|path| path.local),
            remote: remote.unwrap_or(NOWHERE),
            connection,
            server_name: connection.and_then(|id| self.wire.server_name(id)).map(Box::from),
            is_translated: target != remote.map(|remote| remote.ip()),
        }
    }

    /// The ACK to the 2xx of an INVITE (§13.2.2.4), and where it goes.
    fn ack(&mut self, id: ClientId, dialog: DialogId, answer: Option<Body>) -> Option<(Hop, Vec<u8>)> {
        let path = self.dialog_path(dialog).ok()?;
        let branch = Token::random(&mut *self.random);
        let (attempt, dialog) = (self.attempts.get(id)?, self.dialogs.get(dialog)?);
        let mut ack = dialog.request(Method::ACK, cseq_of(&attempt.request));
        for name in ["Authorization", "Proxy-Authorization"] {
            ack.headers.copy_from(&attempt.request.headers, name);
        }
        if let Some(answer) = answer {
            ack.headers.push("Content-Type", answer.content_type);
            ack.body = answer.octets;
        }
        Some((path.hop, address(&mut Arc::new(ack), &self.wire.sent_by(&path), &path, &branch)))
    }

    /// The ACK that waited for the answer goes out.
    pub(super) fn acknowledge_offer(&mut self, id: DialogId, answer: Option<Body>) -> Result<(), Refused> {
        let dialog = self.dialogs.get_mut(id).ok_or(Refused::NoDialog)?;
        let client = dialog.invite.unanswered.take().ok_or(Refused::NoDialog)?;
        let ack = self.ack(client, id, answer);
        if let Some((hop, ack)) = ack.clone() {
            self.wire.transmit(hop, ack);
        }
        let attempt = self.attempts.get_mut(client).and_then(|attempt| attempt.acknowledged.first_mut());
        attempt.into_iter().for_each(|first| first.ack = ack.clone());
        Ok(())
    }

    /// The first 2xx came: the INVITE is settled, for the user and for its dialog.
    fn settle_accepted(&mut self, now: Instant, id: ClientId, dialog: DialogId, response: &Response, unanswered: bool) {
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        if let Cancel::Sent(timer) = std::mem::replace(&mut attempt.cancel, Cancel::No) {
            self.timers.stop(timer);
        }
        if let Some(dialog) = self.dialogs.get_mut(dialog) {
            dialog.clients.retain(|pending| *pending != id);
            dialog.invite.outgoing = None;
            dialog.invite.unanswered = unanswered.then_some(id);
        }
        self.agreed_by_peer(now, dialog, &Method::INVITE, response);
    }

    /// A SUBSCRIBE or REFER was accepted (RFC 6665 §4.1.2, RFC 3515 §2.4.4). `false`: without a dialog (RFC 4488).
    fn heard_subscribed(&mut self, now: Instant, id: ClientId, response: &Response) -> bool {
        let has_tag = response.header("To").and_then(typed::tag).is_some();
        let is_without = response.header("Refer-Sub").is_some_and(|value| value.eq_ignore_ascii_case("false"));
        if !has_tag || is_without {
            return false;
        }
        let Some(dialog) = self.dialog_of(id, response) else { return false };
        if let Some(dialog) = self.dialogs.get_mut(dialog) {
            (dialog.stage, dialog.holds) = (Stage::Held, 1);
        }
        self.take_attempt(now, id);
        self.wire.event(Event::Accepted { client: id, dialog, response: Arc::new(response.clone()) });
        true
    }

    /// A NOTIFY that comes before the answer to its SUBSCRIBE or REFER makes the dialog (RFC 6665 §4.4.1).
    pub(super) fn open_notified(&mut self, request: &Request, source: &Source) -> Option<DialogId> {
        let tag = Token::read(typed::tag(request.header("To")?)?).filter(|_| request.method == Method::NOTIFY)?;
        let id = *self.subscribing.get(&tag)?;
        let attempt = self.attempts.get(id).filter(|attempt| attempt.early.len() < MAX_EARLY)?;
        let subscribe = &attempt.request;
        if subscribe.header("Call-ID") != request.header("Call-ID") {
            return None;
        }
        let mut dialog = Dialog::called(request, tag, source);
        (dialog.is_caller, dialog.stage, dialog.holds) = (true, Stage::Held, 1);
        (dialog.local_cseq, dialog.remote_cseq) = (cseq_of(subscribe), None);
        dialog.contact = subscribe.header("Contact").unwrap_or_default().into();
        dialog.credentials = attempt.keyring.credentials();
        let dialog = self.dialogs.insert(dialog)?;
        self.attempts.get_mut(id)?.early.push(dialog);
        Some(dialog)
    }
}
