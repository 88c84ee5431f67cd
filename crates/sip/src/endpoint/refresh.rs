//! Session timers (RFC 4028), both roles.

use std::time::Instant;

use super::Endpoint;
use super::api::{Answer, Cause, ClientId, DialogId, Event};
use super::uac::{Attempt, Purpose};
use crate::dialog::Stage;
use crate::message::{Headers, Method, Request, Response};
use crate::timer::Timer;
use crate::usage::timer::{self, Refresher, SessionExpires, SessionTimer};

impl Endpoint {
    /// What asks for too short an interval (§9).
    pub(super) fn refusal_of_interval(&self, request: &Request) -> Option<Answer> {
        let config = self.config.session_timers.as_ref().filter(|_| carries_timer(&request.method))?;
        let too_small = timer::is_too_small(config, request);
        too_small.then(|| Answer::new(422).header("Min-SE", config.min.max(90).to_string()))
    }

    /// Writes into a 2xx what is agreed, and gives it back (§9).
    pub(super) fn agree(&self, request: &Request, answer: &mut Answer) -> Option<SessionExpires> {
        let config = self.config.session_timers.as_ref()?;
        if !carries_timer(&request.method) || !(200..300).contains(&answer.code) {
            return None;
        }
        let allows_update = timer::allows_update(&request.headers).unwrap_or(false);
        let agreed = timer::answer(config, request, allows_update)?;
        answer.headers.push(("Session-Expires".to_owned(), agreed.value()));
        if agreed.refresher == Some(Refresher::Uac) {
            answer.headers.push(("Require".to_owned(), "timer".to_owned()));
        }
        Some(agreed)
    }

    /// Writes into a request of ours what we ask for (§7.1, §7.4).
    pub(super) fn ask_for_timer(&self, dialog: Option<DialogId>, method: &Method, headers: &mut Headers) {
        let Some(config) = self.config.session_timers.as_ref().filter(|_| carries_timer(method)) else { return };
        let dialog = dialog.and_then(|dialog| self.dialogs.get(dialog));
        let running = dialog.and_then(|dialog| dialog.timer.as_ref());
        let least = config.min.max(dialog.map_or(0, |dialog| dialog.min_se));
        let seconds = running.map_or(config.interval, |running| running.interval).max(least);
        let refresher = running.map(|running| if running.is_ours { Refresher::Uac } else { Refresher::Uas });
        headers.set("Session-Expires", SessionExpires { seconds, refresher }.value());
        if least > 90 {
            headers.set("Min-SE", least.to_string());
        }
    }

    /// The 2xx to a request of ours that carried a timer came (§7.2). Where it says nothing, the timer is ours alone.
    pub(super) fn agreed_by_peer(&mut self, now: Instant, id: DialogId, method: &Method, response: &Response) {
        if self.config.session_timers.is_none() || !carries_timer(method) {
            return;
        }
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        dialog.allows_update = timer::allows_update(&response.headers).unwrap_or(dialog.allows_update);
        let agreed = SessionExpires::read(&response.headers);
        let is_ours = agreed.is_some_and(|agreed| agreed.refresher != Some(Refresher::Uas));
        self.run_session_timer(now, id, agreed, is_ours);
    }

    /// A 2xx of ours to a request that carried a timer went out.
    pub(super) fn agreed_by_us(
        &mut self,
        now: Instant,
        id: DialogId,
        request: &Request,
        agreed: Option<SessionExpires>,
    ) {
        if self.config.session_timers.is_none() || !carries_timer(&request.method) {
            return;
        }
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        dialog.allows_update = timer::allows_update(&request.headers).unwrap_or(dialog.allows_update);
        if request.header("Min-SE").is_some() {
            dialog.min_se = dialog.min_se.max(timer::min_se(&request.headers));
        }
        let is_ours = agreed.is_some_and(|agreed| agreed.refresher == Some(Refresher::Uas));
        self.run_session_timer(now, id, agreed, is_ours);
    }

    fn run_session_timer(&mut self, now: Instant, id: DialogId, agreed: Option<SessionExpires>, is_ours: bool) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        if let Some(running) = dialog.timer.take() {
            self.timers.stop(running.next);
        }
        let Some(SessionExpires { seconds: interval, .. }) = agreed.filter(|agreed| agreed.seconds > 0) else { return };
        let next = match is_ours {
            true => self.timers.set(now + timer::refresh_after(interval), Timer::Refresh(id)),
            false => self.timers.set(now + timer::over_after(interval), Timer::Unrefreshed(id)),
        };
        dialog.timer = Some(Box::new(SessionTimer { interval, is_ours, next }));
    }

    /// Timer `Refresh`: by UPDATE where the peer takes one, else the user has to offer anew. Half the interval is left.
    pub(super) fn refresh_session(&mut self, now: Instant, id: DialogId) {
        let Some(dialog) = self.dialogs.get_mut(id).filter(|dialog| dialog.stage == Stage::Confirmed) else { return };
        let Some(running) = &mut dialog.timer else { return };
        let left = timer::over_after(running.interval).saturating_sub(timer::refresh_after(running.interval));
        running.next = self.timers.set(now + left, Timer::Unrefreshed(id));
        if !dialog.allows_update {
            return self.wire.event(Event::RefreshDue { dialog: id });
        }
        // Where it cannot go out, the timer that was just set has its say.
        let _ = self.update_attempt(id).map(|attempt| self.launch(now, attempt));
    }

    fn update_attempt(&mut self, id: DialogId) -> Option<Attempt> {
        let way = self.dialog_way(id).ok()?;
        let dialog = self.dialogs.get_mut(id)?;
        let number = dialog.next_cseq();
        let mut request = dialog.request(Method::UPDATE, number);
        request.headers.push("Contact", &*dialog.contact);
        let (tag, credentials) = (dialog.tag(), dialog.credentials.clone());
        self.ask_for_timer(Some(id), &Method::UPDATE, &mut request.headers);
        self.presets.describe_request(&request.method, &mut request.headers);
        Some(Attempt::new(Purpose::Refresh, request, way, tag, Some(id), credentials))
    }

    /// Timer `Unrefreshed` (§10).
    pub(super) fn give_up_session(&mut self, now: Instant, id: DialogId) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        dialog.timer = None;
        if dialog.stage == Stage::Confirmed {
            self.abandon(now, id, Cause::Unrefreshed);
        }
    }

    /// A 422: once more with the interval that is asked for (§7.3). `false` where that makes no sense.
    pub(super) fn meet_interval(&mut self, now: Instant, id: ClientId, response: &Response) -> bool {
        let least = timer::min_se(&response.headers);
        let Some(attempt) = self.attempts.get_mut(id) else { return false };
        let asked = SessionExpires::read(&attempt.request.headers).filter(|_| !attempt.is_cancelled());
        let Some(asked) = asked.filter(|asked| asked.seconds < least) else { return false };
        if let Some(dialog) = attempt.dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            dialog.min_se = dialog.min_se.max(least);
        }
        let again = SessionExpires { seconds: least, ..asked }.value();
        self.send_anew(now, id, |headers| {
            headers.set("Session-Expires", again);
            headers.set("Min-SE", least.to_string());
        })
    }
}

fn carries_timer(method: &Method) -> bool {
    *method == Method::INVITE || *method == Method::UPDATE
}
