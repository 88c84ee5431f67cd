//! Requests of the peer within dialogs (RFC 3261 §12.2.2), and the ends of dialogs.

use std::sync::Arc;
use std::time::Instant;

use super::Endpoint;
use super::api::{Answer, Cause, DialogId, Event, Failure, Refused, TransactionId};
use super::uac::{Attempt, Purpose};
use super::uas::{Accepted, Arrival};
use super::wire::Path;
use crate::dialog::{Dialog, Stage};
use crate::message::{Method, Request};
use crate::transport::{Destination, Transport};
use crate::typed::{self, CSeq};
use crate::usage::invite::HangUp;

impl Endpoint {
    pub(super) fn receive_within(&mut self, now: Instant, arrival: Arrival) {
        let request = arrival.request.clone();
        let Some(id) = self.find_dialog(&request) else {
            return self.answer_stateless(&request, &arrival.reply, Answer::new(481));
        };
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        let number = cseq_of(&request);
        if dialog.remote_cseq.is_some_and(|last| number <= last) {
            return self.answer_stateless(&request, &arrival.reply, Answer::new(500).reason("CSeq Out Of Order"));
        }
        if dialog.stage == Stage::Ending && request.method != Method::BYE {
            return self.answer_stateless(&request, &arrival.reply, Answer::new(481));
        }
        let to_tag = dialog.tag();
        let (source, refusal) = (arrival.reply.source, self.refusal_within(id, &request));
        let Some(transaction) = self.open_server(now, arrival, Some(to_tag), Some(id)) else { return };
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        dialog.remote_cseq = Some(number);
        dialog.servers.push(transaction);
        if let Some(answer) = refusal {
            return self.finish(now, transaction, answer);
        }
        if request.method == Method::BYE {
            return self.receive_bye(now, id, transaction, request);
        }
        if request.method == Method::INVITE {
            dialog.invite.incoming = Some(transaction);
        }
        self.wire.event(Event::Request { transaction, request, source, dialog: Some(id) });
    }

    /// §14.2: one INVITE at a time. A 2xx that awaits its ACK counts too: the session it made is not settled yet.
    fn refusal_within(&mut self, id: DialogId, request: &Request) -> Option<Answer> {
        if request.method != Method::INVITE {
            return None;
        }
        let invite = &self.dialogs.get(id)?.invite;
        if invite.incoming.is_some() {
            let seconds = self.random_below(11);
            return Some(Answer::new(500).header("Retry-After", seconds.to_string()));
        }
        (invite.outgoing.is_some() || invite.awaits_ack()).then(|| Answer::new(491))
    }

    /// §15.1.2. A BYE within an early dialog takes back the INVITE too.
    fn receive_bye(&mut self, now: Instant, id: DialogId, transaction: TransactionId, request: Arc<Request>) {
        self.finish(now, transaction, Answer::new(200));
        let Some(dialog) = self.end_dialog(now, id) else { return };
        match (dialog.stage, dialog.invite.incoming) {
            (Stage::Early, Some(transaction)) => self.wire.event(Event::Cancelled { transaction }),
            (Stage::Early, None) => {}
            _ => self.wire.event(Event::Ended { dialog: id, cause: Cause::Bye(request) }),
        }
    }

    pub(super) fn receive_dialog_ack(&mut self, now: Instant, request: Request) {
        let Some(id) = self.find_dialog(&request) else { return };
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        if !dialog.invite.awaits_ack_to(cseq_of(&request)) {
            return;
        }
        match dialog.invite.stop(&mut clock!(self, now)) {
            Some(hang_up) => self.send_bye(now, id, hang_up),
            None => self.wire.event(Event::Acknowledged { dialog: id, request: Arc::new(request) }),
        }
    }

    fn find_dialog(&self, request: &Request) -> Option<DialogId> {
        let header = |name| request.header(name).unwrap_or_default();
        let (to, from) = (typed::tag(header("To"))?, typed::tag(header("From")).unwrap_or_default());
        self.dialogs.find(header("Call-ID"), to, from)
    }

    pub(super) fn open_early_dialog(&mut self, transaction: TransactionId, request: &Request, contact: String) {
        let id = self.open_dialog(transaction, request);
        if let Some(dialog) = id.and_then(|id| self.dialogs.get_mut(id)) {
            dialog.contact = contact.into();
        }
    }

    /// The dialog that an INVITE of the peer makes, still early.
    pub(super) fn open_dialog(&mut self, id: TransactionId, request: &Request) -> Option<DialogId> {
        let transaction = self.servers.get_mut(id)?;
        let mut dialog = Dialog::called(request, transaction.to_tag, &transaction.reply.source);
        dialog.invite.incoming = Some(id);
        dialog.servers.push(id);
        let dialog = self.dialogs.insert(dialog)?;
        transaction.dialog = Some(dialog);
        Some(dialog)
    }

    /// A 2xx to an INVITE went out: it is sent until its ACK comes.
    pub(super) fn confirm_dialog(
        &mut self,
        now: Instant,
        id: DialogId,
        request: &Request,
        contact: &str,
        accepted: Accepted,
    ) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        dialog.stage = Stage::Confirmed;
        dialog.contact = contact.into();
        dialog.refresh_target(&request.headers);
        dialog.servers.retain(|pending| *pending != accepted.transaction);
        dialog.invite.incoming = None;
        dialog.invite.accepted(id, accepted.cseq, accepted.reply, accepted.response, &mut clock!(self, now));
    }

    /// A request within a dialog, or the one that made it, has its final answer, which is no 2xx to an INVITE.
    pub(super) fn answered_within(&mut self, id: DialogId, transaction: TransactionId, request: &Request, code: u16) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        dialog.servers.retain(|pending| *pending != transaction);
        if (200..300).contains(&code) && refreshes_target(&request.method) {
            dialog.refresh_target(&request.headers);
        }
        if dialog.invite.incoming == Some(transaction) {
            dialog.invite.incoming = None;
            if dialog.stage == Stage::Early {
                self.dialogs.remove(id);
            }
        }
    }

    /// Timer `Accepted`.
    pub(super) fn resend_accepted(&mut self, now: Instant, id: DialogId) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        if let Some((reply, response)) = dialog.invite.resend(id, &mut clock!(self, now)) {
            self.wire.reply(&reply, response);
        }
    }

    /// Timer `NoAck`: the dialog stands, its session does not (§13.3.1.4).
    pub(super) fn give_up_ack(&mut self, now: Instant, id: DialogId) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        match dialog.invite.stop(&mut clock!(self, now)) {
            Some(hang_up) => self.send_bye(now, id, hang_up),
            None => self.abandon(now, id, Cause::NoAck),
        }
    }

    pub(super) fn hang_up(&mut self, now: Instant, id: DialogId, reason: Option<&str>) -> Result<(), Refused> {
        let dialog = self.dialogs.get_mut(id).filter(|dialog| dialog.stage == Stage::Confirmed);
        let dialog = dialog.ok_or(Refused::NoDialog)?;
        dialog.stage = Stage::Ending;
        let hang_up = HangUp { reason: reason.map(str::to_owned) };
        let waits = dialog.invite.hang_up_later(hang_up.clone());
        for pending in std::mem::take(&mut dialog.servers) {
            self.finish(now, pending, Answer::new(487));
        }
        if !waits {
            self.send_bye(now, id, hang_up);
        }
        Ok(())
    }

    fn send_bye(&mut self, now: Instant, id: DialogId, hang_up: HangUp) {
        let Some(attempt) = self.bye_attempt(id, hang_up, Purpose::Bye(id)) else { return };
        if self.launch(now, attempt).is_err() {
            self.end_dialog(now, id);
            self.wire.event(Event::Ended { dialog: id, cause: Cause::HungUp(None) });
        }
    }

    /// The dialog is over at once; a BYE goes out that nobody waits for.
    pub(super) fn abandon(&mut self, now: Instant, id: DialogId, cause: Cause) {
        self.abandon_quietly(now, id);
        self.wire.event(Event::Ended { dialog: id, cause });
    }

    /// The same for a dialog that the user never knew.
    pub(super) fn abandon_quietly(&mut self, now: Instant, id: DialogId) {
        let hang_up = HangUp { reason: None };
        let attempt = self.bye_attempt(id, hang_up, Purpose::Quiet);
        self.end_dialog(now, id);
        if let Some(attempt) = attempt {
            // Where it cannot go out there is nobody to tell.
            let _ = self.launch(now, attempt);
        }
    }

    fn bye_attempt(&mut self, id: DialogId, hang_up: HangUp, purpose: Purpose) -> Option<Attempt> {
        let path = self.dialog_path(id).ok();
        let dialog = self.dialogs.get_mut(id)?;
        let number = dialog.next_cseq();
        let mut request = dialog.request(Method::BYE, number);
        if let Some(reason) = hang_up.reason {
            request.headers.push("Reason", reason);
        }
        let within = matches!(purpose, Purpose::Bye(_)).then_some(id);
        self.presets.describe_request(&request.method, &mut request.headers);
        Some(Attempt::new(purpose, request, path?, dialog.tag(), within, dialog.credentials.clone()))
    }

    /// Takes the dialog away and settles what was under way in it (§15.1.2).
    pub(super) fn end_dialog(&mut self, now: Instant, id: DialogId) -> Option<Dialog> {
        let mut dialog = self.dialogs.remove(id)?;
        dialog.invite.stop(&mut clock!(self, now));
        for pending in std::mem::take(&mut dialog.servers) {
            self.finish(now, pending, Answer::new(487));
        }
        for pending in std::mem::take(&mut dialog.clients) {
            self.fail_attempt(now, pending, Failure::DialogOver);
        }
        Some(dialog)
    }

    /// The way to the peer. The connection it was last seen on, while it lasts; else the address that the next URI names;
    /// else the address it was seen at: behind a translator, and for names, which nobody resolves here.
    pub(super) fn dialog_path(&mut self, id: DialogId) -> Result<Path, Refused> {
        let dialog = self.dialogs.get(id).ok_or(Refused::NoDialog)?;
        let peer = &dialog.peer;
        if let Some(path) = peer.connection.and_then(|connection| self.wire.existing(connection)) {
            return Ok(path);
        }
        let next = dialog.next_hop().filter(|_| !dialog.is_translated());
        let named = next.as_ref().and_then(|uri| {
            let transport = match uri.param("transport") {
                Some(token) => Transport::from_token(token)?,
                None if uri.is_sips() && !peer.transport.is_secure() => Transport::Tls,
                None => peer.transport,
            };
            let port = uri.port().unwrap_or(transport.default_port());
            Some((transport, (uri.ip()?, port).into()))
        });
        let (transport, remote) = named.unwrap_or((peer.transport, peer.remote));
        if transport == Transport::Udp {
            return Ok(Path::datagram(peer.local.filter(|_| peer.transport == Transport::Udp), remote));
        }
        let server_name = peer.server_name.as_deref().map(str::to_owned);
        self.wire.path(&Destination::Address { transport, remote, server_name })
    }
}

/// The requests whose Contact is the peer's new remote target (RFC 3261 §12.2, RFC 3311 §5.1, RFC 6665 §4.4.1, RFC 3515).
pub(super) fn refreshes_target(method: &Method) -> bool {
    [Method::INVITE, Method::UPDATE, Method::SUBSCRIBE, Method::NOTIFY, Method::REFER].contains(method)
}

pub(super) fn cseq_of(request: &Request) -> u32 {
    CSeq::parse(request.header("CSeq").unwrap_or_default()).map_or(0, |cseq| cseq.number)
}
