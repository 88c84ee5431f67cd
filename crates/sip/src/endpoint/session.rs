//! The INVITE usage of dialogs: the 2xx until its ACK, and how sessions end (RFC 3261 §13.3.1.4, §15).

use std::time::Instant;

use super::Endpoint;
use super::api::{Answer, Cause, DialogId, Event, Failure, Refused, TransactionId};
use super::uac::{Attempt, Purpose};
use crate::dialog::{Stage, is_of_session};
use crate::message::{Method, Request};
use crate::timer::Timer;
use crate::transaction::key::Reply;
use crate::transaction::server::ServerTransaction;
use crate::usage::invite::HangUp;

/// A 2xx to an INVITE that just went out.
pub(super) struct Accepted {
    pub(super) transaction: TransactionId,
    pub(super) cseq: u32,
    pub(super) reply: Reply,
    pub(super) response: Vec<u8>,
}

/// A session that just ended, as it was before.
pub(super) struct EndedSession {
    pub(super) stage: Stage,
    pub(super) incoming: Option<TransactionId>,
}

impl Endpoint {
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
        dialog.refresh(request, &accepted.reply.source);
        dialog.servers.retain(|pending| *pending != accepted.transaction);
        dialog.invite.incoming = None;
        dialog.invite.accepted(id, accepted.cseq, accepted.reply, accepted.response, &mut clock!(self, now));
    }

    /// Timer `Accepted`.
    pub(super) fn resend_accepted(&mut self, now: Instant, id: DialogId) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        if let Some((reply, response)) = dialog.invite.resend(id, &mut clock!(self, now)) {
            self.wire.reply(&reply, response);
        }
    }

    /// Timer `NoAck`: the dialog stands, its session does not.
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
        // A BYE before the ACK would be a BYE to nothing.
        let _ = self.acknowledge_offer(id, None);
        let Some(dialog) = self.dialogs.get_mut(id) else { return Err(Refused::NoDialog) };
        let hang_up = HangUp { reason: reason.map(str::to_owned) };
        let waits = dialog.invite.hang_up_later(hang_up.clone());
        self.refuse_pending(now, id);
        if !waits {
            self.send_bye(now, id, hang_up);
        }
        Ok(())
    }

    pub(super) fn send_bye(&mut self, now: Instant, id: DialogId, hang_up: HangUp) {
        let sent = self.bye_attempt(id, hang_up, Purpose::Bye(id)).and_then(|attempt| self.launch(now, attempt));
        if sent.is_err() {
            self.hung_up(now, id, None);
        }
    }

    /// The BYE has its answer, or will get none.
    pub(super) fn hung_up(&mut self, now: Instant, id: DialogId, code: Option<u16>) {
        if self.dialogs.get(id).is_some_and(|dialog| dialog.stage == Stage::Ending) {
            self.end_session(now, id);
            self.wire.event(Event::Ended { dialog: id, cause: Cause::HungUp(code) });
        }
    }

    /// The session is over at once; a BYE goes out that nobody waits for.
    pub(super) fn abandon(&mut self, now: Instant, id: DialogId, cause: Cause) {
        self.abandon_quietly(now, id);
        self.wire.event(Event::Ended { dialog: id, cause });
    }

    /// The same for a dialog that the user never knew. Where the BYE cannot go out there is nobody to tell.
    pub(super) fn abandon_quietly(&mut self, now: Instant, id: DialogId) {
        let attempt = self.bye_attempt(id, HangUp { reason: None }, Purpose::Quiet);
        self.end_session(now, id);
        let _ = attempt.and_then(|attempt| self.launch(now, attempt));
    }

    fn bye_attempt(&mut self, id: DialogId, hang_up: HangUp, purpose: Purpose) -> Result<Attempt, Refused> {
        let way = self.dialog_way(id)?;
        let dialog = self.dialogs.get_mut(id).ok_or(Refused::NoDialog)?;
        let number = dialog.next_cseq();
        let mut request = dialog.request(Method::BYE, number);
        if let Some(reason) = hang_up.reason {
            request.headers.push("Reason", reason);
        }
        let within = matches!(purpose, Purpose::Bye(_)).then_some(id);
        self.presets.describe_request(&request.method, &mut request.headers);
        Ok(Attempt::new(purpose, request, way, dialog.tag(), within, dialog.credentials.clone()))
    }

    /// Ends the session and settles what was under way in it (§15.1.2). The dialog goes too, unless it is held.
    pub(super) fn end_session(&mut self, now: Instant, id: DialogId) -> Option<EndedSession> {
        let dialog = self.dialogs.get_mut(id)?;
        let ended = EndedSession { stage: dialog.stage, incoming: dialog.invite.incoming };
        dialog.invite.stop(&mut clock!(self, now));
        dialog.invite.stop_glare(&mut clock!(self, now));
        dialog.timer.take().into_iter().for_each(|timer| self.timers.stop(timer.next));
        let is_held = dialog.holds > 0;
        dialog.stage = Stage::Held;
        self.refuse_pending(now, id);
        self.fail_pending(now, id, is_held);
        if !is_held && let Some(dialog) = self.dialogs.remove(id) {
            for pending in dialog.servers {
                self.finish(now, pending, Answer::new(487));
            }
        }
        Some(ended)
    }

    /// The peer's requests of the session without an answer get their 487.
    fn refuse_pending(&mut self, now: Instant, id: DialogId) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        let open = |id: &TransactionId| self.servers.get(*id).and_then(ServerTransaction::open);
        let of_session = |id: &TransactionId| open(id).is_some_and(|request| is_of_session(&request.method));
        let (refused, kept) = std::mem::take(&mut dialog.servers).into_iter().partition::<Vec<_>, _>(of_session);
        dialog.servers = kept;
        dialog.invite.incoming = None;
        for pending in refused {
            self.finish(now, pending, Answer::new(487));
        }
    }

    /// Our own requests in the dialog end without an answer; in one that is held, those of the session.
    fn fail_pending(&mut self, now: Instant, id: DialogId, is_held: bool) {
        let Some(dialog) = self.dialogs.get(id) else { return };
        for pending in dialog.clients.clone() {
            let of_session = self.attempts.get(pending).is_some_and(|attempt| is_of_session(attempt.method()));
            if of_session || !is_held {
                self.fail_attempt(now, pending, Failure::DialogOver);
            }
        }
    }

    /// A usage more keeps the dialog.
    pub(super) fn hold_dialog(&mut self, id: DialogId) -> Result<(), Refused> {
        let dialog = self.dialogs.get_mut(id).ok_or(Refused::NoDialog)?;
        dialog.holds = dialog.holds.checked_add(1).ok_or(Refused::Full)?;
        Ok(())
    }

    /// A usage less; with the last one the dialog goes, unless it has a session.
    pub(super) fn release_dialog(&mut self, now: Instant, id: DialogId) -> Result<(), Refused> {
        let dialog = self.dialogs.get_mut(id).filter(|dialog| dialog.holds > 0).ok_or(Refused::NoDialog)?;
        dialog.holds -= 1;
        if dialog.holds == 0 && dialog.stage == Stage::Held {
            self.end_session(now, id);
        }
        Ok(())
    }

    /// A 491 came: when the INVITE or UPDATE may be tried again, so that both sides do not collide again (§14.1).
    pub(super) fn wait_after_glare(&mut self, now: Instant, id: DialogId) {
        let (caller, callee) = (2100 + 10 * self.random_below(191), 10 * self.random_below(201));
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        let wait = std::time::Duration::from_millis(u64::from(if dialog.is_caller { caller } else { callee }));
        dialog.invite.stop_glare(&mut clock!(self, now));
        dialog.invite.glare = Some(self.timers.set(now + wait, Timer::Glare(id)));
    }

    /// Timer `Glare`.
    pub(super) fn glare_is_over(&mut self, id: DialogId) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        dialog.invite.glare = None;
        if dialog.stage == Stage::Confirmed {
            self.wire.event(Event::MayRetry { dialog: id });
        }
    }
}
