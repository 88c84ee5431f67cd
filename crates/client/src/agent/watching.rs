//! The subscription to the roster of the room, in the dialog that one has with it (RFC 6665, RFC 4575, RFC 6502).

use std::time::{Duration, Instant};

use sip::event::EventHeader;
use sip::{Answer, ClientId, Failure, Method, Request, Response, TransactionId, Within};

use super::{Agent, State};
use crate::api::Event;
use crate::roster::{Missed, Picture, Roster, RosterEvent};

const PACKAGE: &str = "conference";
/// Patches best, else everything each time, else what knows no nicknames.
const ACCEPT: &str = "application/xcon-conference-info+xml, application/xcon-conference-info-diff+xml, \
                      application/conference-info+xml;q=0.5";
/// How long a subscription is to last, in seconds (RFC 4575 §3.3).
const LIFETIME: u64 = 3600;
/// How long before its end it is refreshed, at most.
const MARGIN: Duration = Duration::from_secs(90);
/// How long after the answer to a SUBSCRIBE its NOTIFY may come (RFC 6665 §4.1.2.4, timer N).
const TIMER_N: Duration = Duration::from_secs(32);
/// Two SUBSCRIBEs are so far apart, whatever the other side says.
const LEAST: Duration = Duration::from_secs(10);
/// How often that is doubled at most. By then it is more than a day, and no subscription lasts longer.
const MAX_DOUBLINGS: u32 = 14;
/// After how long it is tried again where the other side has a difficulty and does not say for how long.
const LATER: Duration = Duration::from_secs(60);

/// The subscription of a seat.
#[derive(Default)]
pub(crate) struct Watch {
    picture: Picture,
    /// The SUBSCRIBE that waits for its answer.
    asked: Option<ClientId>,
    /// When the last one was sent.
    asked_at: Option<Instant>,
    /// Whether a NOTIFY came since.
    is_told: bool,
    /// Whether what came since was not understood: the next SUBSCRIBE is to mend that.
    is_astray: bool,
    /// How many SUBSCRIBEs before have been to mend it, and did not.
    in_vain: u32,
    /// How long the subscription lasts that was granted last.
    lifetime: Duration,
    /// When the next SUBSCRIBE goes out.
    due: Option<Instant>,
}

/// What a NOTIFY says of its subscription.
enum Standing {
    Lasts(Option<Duration>),
    /// It is over, and is made anew after so long; without a time, never.
    Over(Option<Duration>),
}

impl Watch {
    /// Another SUBSCRIBE goes out after that time.
    fn again(&mut self, now: Instant, after: Duration) {
        let least = self.asked_at.map_or(now, |at| at + LEAST);
        self.due = Some((now + after).max(least));
    }

    /// Something was missed: a refresh brings everything (RFC 4575 §4.6). Where refreshes do not help, since the other side says
    /// what nobody understands, each waits twice as long as the one before, up to that which is due anyway.
    fn missed(&mut self, now: Instant) {
        self.is_astray = true;
        let wait = LEAST * 2_u32.saturating_pow(self.in_vain.min(MAX_DOUBLINGS));
        let mending = self.asked_at.map_or(now, |at| now.max(at + wait));
        self.due = Some(self.due.map_or(mending, |due| due.min(mending)));
    }

    /// What came was understood.
    fn understood(&mut self) {
        (self.is_astray, self.in_vain) = (false, 0);
    }

    /// It lasts so long from now on.
    fn lasts(&mut self, now: Instant, time: Duration) {
        self.lifetime = time;
        self.again(now, time - MARGIN.min(time / 2));
    }
}

impl Agent {
    /// Who is in the room; `None` where one did not ask, or is not told (yet).
    #[must_use]
    pub fn roster(&self) -> Option<&Roster> {
        match &self.state {
            State::Seated(seat) => seat.watch.as_ref()?.picture.roster(),
            State::Idle | State::Calling(_) => None,
        }
    }

    /// Asks for the roster, for the first time or to go on being told.
    pub(super) fn watch(&mut self, now: Instant) {
        let State::Seated(seat) = &mut self.state else { return };
        let Some(watch) = seat.watch.as_mut().filter(|watch| watch.asked.is_none()) else { return };
        let subscribe = Within::new(Method::SUBSCRIBE)
            .header("Event", PACKAGE)
            .header("Accept", ACCEPT)
            .header("Expires", LIFETIME.to_string());
        match self.endpoint.request_within(now, seat.dialog, subscribe) {
            Ok(client) => {
                (watch.asked, watch.asked_at, watch.is_told, watch.due) = (Some(client), Some(now), false, None);
                watch.in_vain = if std::mem::take(&mut watch.is_astray) { watch.in_vain.saturating_add(1) } else { 0 };
                watch.picture.awaits_all();
            }
            Err(_) => watch.again(now, LATER),
        }
    }

    /// A SUBSCRIBE was answered, or was not. Whether it was one.
    pub(super) fn watched(&mut self, now: Instant, client: ClientId, answer: Result<&Response, Failure>) -> bool {
        let State::Seated(seat) = &mut self.state else { return false };
        let Some(watch) = seat.watch.as_mut().filter(|watch| watch.asked == Some(client)) else { return false };
        watch.asked = None;
        let seconds = |name| answer.ok().and_then(|it| it.header(name)).and_then(leading_seconds);
        match answer.map(|response| response.code) {
            Ok(200..300) => {
                watch.lasts(now, seconds("Expires").unwrap_or(Duration::from_secs(LIFETIME)));
                if !watch.is_told {
                    watch.due = Some(now + TIMER_N);
                }
            }
            // The notifier has lost it (RFC 6665 §4.1.2.2).
            Ok(481) => watch.again(now, Duration::ZERO),
            Ok(408 | 480 | 491 | 500 | 503 | 504) | Err(_) => {
                watch.again(now, seconds("Retry-After").unwrap_or(LATER));
            }
            // There is no roster here, or not for us. The room is as good without.
            Ok(_) => self.unwatch(),
        }
        true
    }

    /// A NOTIFY came.
    pub(super) fn told(&mut self, now: Instant, transaction: TransactionId, request: &Request) {
        let answer = self.take_news(now, request);
        let _ = self.endpoint.respond(now, transaction, answer);
    }

    fn take_news(&mut self, now: Instant, request: &Request) -> Answer {
        let State::Seated(seat) = &mut self.state else { return Answer::new(481) };
        let is_ours = request.header("Event").map(EventHeader::parse) == Some(Ok(EventHeader::new(PACKAGE)));
        let Some(watch) = seat.watch.as_mut().filter(|_| is_ours) else { return Answer::new(481) };
        let Some(standing) = request.header("Subscription-State").and_then(Standing::read) else {
            return Answer::new(400).reason("Malformed Subscription-State");
        };
        watch.is_told = true;
        let mut news = Ok(Vec::new());
        if let Some(content_type) = request.header("Content-Type").filter(|_| !request.body.is_empty()) {
            let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            news = watch.picture.take(&content_type, &request.body, &seat.room.identity);
            if news.is_ok() {
                watch.understood();
            }
        }
        self.stands(now, standing);
        match news {
            Ok(events) => events.into_iter().for_each(|event| self.tell(Event::Roster(event))),
            Err(Missed) => self.missed(now),
        }
        Answer::new(200)
    }

    fn missed(&mut self, now: Instant) {
        if let State::Seated(seat) = &mut self.state
            && let Some(watch) = seat.watch.as_mut().filter(|watch| watch.asked.is_none())
        {
            watch.missed(now);
        }
    }

    fn stands(&mut self, now: Instant, standing: Standing) {
        let State::Seated(seat) = &mut self.state else { return };
        let Some(watch) = &mut seat.watch else { return };
        match standing {
            Standing::Lasts(time) if watch.asked.is_none() => {
                watch.lasts(now, time.unwrap_or(watch.lifetime));
            }
            // The answer to the SUBSCRIBE will say how long.
            Standing::Lasts(_) => {}
            Standing::Over(Some(after)) if watch.asked.is_none() => watch.again(now, after),
            // A SUBSCRIBE that is under way may have crossed it, and makes it anew.
            Standing::Over(Some(_)) => {}
            Standing::Over(None) => self.unwatch(),
        }
    }

    /// Nothing is told any more.
    fn unwatch(&mut self) {
        let State::Seated(seat) = &mut self.state else { return };
        if seat.watch.take().is_some_and(|mut watch| watch.picture.forget()) {
            self.tell(Event::Roster(RosterEvent::Unknown));
        }
    }

    /// When the next SUBSCRIBE goes out.
    pub(super) fn watch_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Seated(seat) => seat.watch.as_ref()?.due,
            State::Idle | State::Calling(_) => None,
        }
    }

    pub(super) fn check_watch(&mut self, now: Instant) {
        if self.watch_timeout().is_some_and(|due| due <= now) {
            self.watch(now);
        }
    }
}

impl Standing {
    /// Reads a Subscription-State (RFC 6665 §4.1.3). `None` where it has no state in it.
    fn read(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let state = parts.next().filter(|state| !state.is_empty())?;
        let mut params = parts.filter_map(|part| part.split_once('=')).map(|(name, value)| (name.trim(), value.trim()));
        let find = |name: &str| params.clone().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, it)| it);
        if !state.eq_ignore_ascii_case("terminated") {
            return Some(Self::Lasts(find("expires").and_then(leading_seconds)));
        }
        let after = find("retry-after").and_then(leading_seconds);
        let reason =
            params.find(|(name, _)| name.eq_ignore_ascii_case("reason")).map(|(_, it)| it.to_ascii_lowercase());
        Some(Self::Over(match reason.as_deref() {
            Some("deactivated" | "timeout") => Some(Duration::ZERO),
            Some("rejected" | "noresource" | "invariant") => None,
            Some("probation" | "giveup") => Some(after.unwrap_or(LATER)),
            _ => Some(after.unwrap_or_default()),
        }))
    }
}

/// The seconds with which a value begins. So many as nobody lives are a day.
fn leading_seconds(value: &str) -> Option<Duration> {
    const DAY: u64 = 86_400;
    let digits = value.trim().split(|c: char| !c.is_ascii_digit()).next()?;
    let seconds = if digits.len() > 9 { DAY } else { digits.parse().ok()? };
    Some(Duration::from_secs(seconds.min(DAY)))
}
