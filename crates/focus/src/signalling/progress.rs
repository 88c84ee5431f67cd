//! What comes of a REFER, told to who sent it (RFC 3515 §2.4.4): NOTIFYs with a status line, until the last one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sip::event::{EventHeader, Reason, SubscriptionState};
use sip::{Answer, ClientId, DialogId, Method, Request, TransactionId, Within, reason_phrase};

use super::{News, Output, Signalling};

/// How long a report goes on at the most: as long as anything that it tells of, with the answers to it.
const LASTS: Duration = Duration::from_secs(180);
/// How many NOTIFYs tell of something that is not the end.
const MAX_STEPS: u8 = 5;

/// A report. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReportId(u64);

/// All reports that have not ended.
#[derive(Default)]
pub(super) struct Reports {
    opened: u64,
    open: BTreeMap<ReportId, Report>,
    by_notify: BTreeMap<ClientId, ReportId>,
    /// Those that are nobody's subscription but told to who runs the node, with whom they are about.
    of_owner: BTreeMap<ReportId, String>,
}

struct Report {
    dialog: DialogId,
    event: EventHeader,
    began: Instant,
    /// What was told last, and how often something was.
    told: u16,
    steps: u8,
    /// One NOTIFY at a time: the next one waits for the answer to the last.
    under_way: bool,
    next: Option<u16>,
    /// Whether its subscriber wants no more of it.
    given_up: bool,
    /// Whether it has been told that nothing more is.
    is_over: bool,
}

impl Signalling {
    /// Begins a report in a dialog, which is held for it. `cseq` is the number of the REFER.
    pub(super) fn open_report(&mut self, now: Instant, dialog: DialogId, cseq: u32) -> ReportId {
        self.reports.opened += 1;
        let id = ReportId(self.reports.opened);
        let event = EventHeader::new("refer").with_id(cseq.to_string());
        let report = Report {
            dialog,
            event,
            began: now,
            told: 0,
            steps: 0,
            under_way: false,
            next: None,
            given_up: false,
            is_over: false,
        };
        self.reports.open.insert(id, report);
        self.tell_progress(now, id, 100);
        id
    }

    /// A SUBSCRIBE for a report: it is told again, or for the last time (RFC 6665 §4.2.1, RFC 3515 §2.4.4). Nobody makes one so.
    pub(super) fn renew_report(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Request,
        (dialog, event): (DialogId, &EventHeader),
    ) {
        let is_it = |report: &Report| {
            report.dialog == dialog
                && !report.given_up
                && event.id.as_ref().is_none_or(|id| report.event.id.as_ref() == Some(id))
        };
        let found = self.reports.open.iter_mut().find(|(_, report)| is_it(report));
        let Some((id, report)) = found else { return self.respond(now, transaction, Answer::new(481)) };
        let left = LASTS.saturating_sub(now.saturating_duration_since(report.began)).as_secs();
        let wanted = request.header("Expires").map(|value| value.trim().parse::<u64>());
        let Ok(wanted) = wanted.transpose() else {
            return self.respond(now, transaction, Answer::new(400).reason("Malformed Expires"));
        };
        let granted = wanted.unwrap_or(left).min(left);
        report.given_up = granted == 0;
        let (id, told) = (*id, report.told);
        let contact = self.endpoint.dialog(dialog).map(|dialog| dialog.contact().to_owned());
        let answer = Answer::new(200).header("Expires", granted.to_string());
        self.respond(now, transaction, contact.into_iter().fold(answer, Answer::contact));
        self.tell(now, id, told);
    }

    /// Begins a report on a call to this URI whose outcome alone is told, to who runs the node.
    pub(super) fn open_news(&mut self, uri: String) -> ReportId {
        self.reports.opened += 1;
        let id = ReportId(self.reports.opened);
        self.reports.of_owner.insert(id, uri);
        id
    }

    /// Something has happened that is not the end.
    pub(super) fn tell_progress(&mut self, now: Instant, id: ReportId, code: u16) {
        let Some(report) = self.reports.open.get_mut(&id) else { return };
        if code >= 200 || report.told == code || report.next == Some(code) || report.steps >= MAX_STEPS {
            return;
        }
        report.steps += 1;
        self.tell(now, id, code);
    }

    /// That is the end.
    pub(super) fn tell_outcome(&mut self, now: Instant, id: Option<ReportId>, code: u16) {
        let Some(id) = id else { return };
        match self.reports.of_owner.remove(&id) {
            Some(uri) => self.outputs.push_back(Output::News(News::Called { uri, code })),
            None => self.tell(now, id, code.max(200)),
        }
    }

    fn tell(&mut self, now: Instant, id: ReportId, code: u16) {
        let Some(report) = self.reports.open.get_mut(&id) else { return };
        if report.under_way {
            // What was not told yet is overtaken; the end never is.
            report.next = Some(report.next.filter(|next| *next >= 200).unwrap_or(code));
            return;
        }
        report.told = code;
        let expires = LASTS.saturating_sub(now.saturating_duration_since(report.began));
        let state = match code {
            _ if report.given_up => SubscriptionState::terminated(Reason::Timeout),
            0..200 => SubscriptionState::Active { expires },
            _ => SubscriptionState::terminated(Reason::NoResource),
        };
        report.is_over = state.is_terminated();
        let notify = Within::new(Method::NOTIFY)
            .header("Event", report.event.to_string())
            .header("Subscription-State", state.to_string())
            // Nothing of the answer but its code: the rest is between the room and who was called.
            .body("message/sipfrag;version=2.0", format!("SIP/2.0 {code} {}\r\n", reason_phrase(code)));
        match self.endpoint.request_within(now, report.dialog, notify) {
            Ok(client) => {
                report.under_way = true;
                self.reports.by_notify.insert(client, id);
            }
            Err(_) => self.close_report(now, id),
        }
    }

    /// A NOTIFY has its answer, or will get none. One that was not taken is the last (RFC 6665 §4.2.2).
    pub(super) fn reported(&mut self, now: Instant, client: ClientId, taken: bool) {
        let Some(id) = self.reports.by_notify.remove(&client) else { return };
        let Some(report) = self.reports.open.get_mut(&id) else { return };
        report.under_way = false;
        match report.next.take() {
            _ if !taken || report.is_over => self.close_report(now, id),
            Some(code) => self.tell(now, id, code),
            None => {}
        }
    }

    fn close_report(&mut self, now: Instant, id: ReportId) {
        if let Some(report) = self.reports.open.remove(&id) {
            // A dialog that is gone is held no more.
            let _ = self.endpoint.release(now, report.dialog);
        }
    }
}
