//! The notifier: who is in a room, told to those who ask (RFC 6665, RFC 4575, RFC 6502).
//!
//! A SUBSCRIBE is answered at once, and so is its NOTIFY. Changes wait for their round: a room tells of them when
//! `roster_interval` has gone by since the last time, to all its subscribers together, so that a document is rendered once for
//! all who know the same. One NOTIFY of a subscription is under way at a time; whoever is slow is told the rest in a later
//! round.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use conference_info::document::{self, Rendering};
use room::Address;
use sip::event::{EventHeader, Reason, SubscriptionState};
use sip::{Answer, ClientId, DialogId, Method, Request, Source, TransactionId, Within};

use super::admission::{Call, Caller};
use super::media::Unfit;
use super::rooms::room_name;
use super::roster::{Roster, plain_full, plain_partial};
use super::subscriptions::{Form, Subscription, SubscriptionId, Subscriptions, TooMany};
use super::{Signalling, join};
use crate::ids::RoomId;

/// The event package.
pub(super) const PACKAGE: &str = "conference";
/// The package of what a REFER brings about, which a REFER alone subscribes to.
const REFER: &str = "refer";
/// How long a subscription lasts where nothing is said (RFC 4575 §3.3), and at most.
const LIFETIME: u32 = 3600;
/// The least time, in seconds, for which one is taken: 423 below.
const LEAST: u32 = 60;
/// After how many seconds a NOTIFY without an answer is given up (RFC 3261 §17.1.2.2, timer F).
const NO_ANSWER: u32 = 32;
/// How often in a row a subscriber may refuse a NOTIFY by a code that does not end its subscription.
const MAX_REFUSALS: u8 = 5;
/// When those are told for whom there was no room in the last round.
const NEXT_SLICE: Duration = Duration::from_millis(100);

/// What is told, and to whom.
#[derive(Default)]
pub(super) struct Notifier {
    pub(super) subscriptions: Subscriptions,
    pub(super) rosters: BTreeMap<RoomId, Told>,
    pub(super) rounds: BTreeSet<(Instant, RoomId)>,
}

/// A room whose roster is told.
pub(super) struct Told {
    pub(super) roster: Roster,
    pub(super) interval: Duration,
    /// From so many users on, what changed is told instead of everything.
    pub(super) full_below: usize,
    /// Whether it is told over TLS alone.
    pub(super) over_tls_only: bool,
    /// When changes were told last.
    pub(super) last: Option<Instant>,
    pub(super) next: Option<Instant>,
    /// Of how many changes a round told that was cut short.
    pub(super) unfinished: Option<u64>,
    /// The last full documents, plain or not, and how many changes they take in.
    pub(super) full: BTreeMap<bool, (u64, Rendering)>,
}

/// A request that wants a subscription.
struct Wish {
    event: EventHeader,
    seconds: u32,
    form: Option<Form>,
    has_accept: bool,
}

/// Who may have one.
struct Subscriber {
    room: RoomId,
    account: Address,
    own: Option<String>,
}

impl Wish {
    /// What a SUBSCRIBE wants, as far as this notifier has it.
    fn of(request: &Request) -> Result<Self, Box<Answer>> {
        const NO_SUCH: u16 = 489;
        let no_such = || Box::new(Answer::new(NO_SUCH).header("Allow-Events", PACKAGE));
        let event = request.header("Event").ok_or_else(no_such)?;
        let event = EventHeader::parse(event).map_err(|_| Box::new(Answer::new(400).reason("Malformed Event")))?;
        if event.package != PACKAGE {
            return Err(no_such());
        }
        if !request.body.is_empty() {
            // There is no filter but the default (RFC 4575 §3.2).
            return Err(Box::new(Answer::new(415).header("Accept", "")));
        }
        let seconds = match request.header("Expires").map(|value| value.trim().parse::<u64>()) {
            None => LIFETIME,
            Some(Ok(seconds @ 1..)) if seconds < u64::from(LEAST) => {
                return Err(Box::new(Answer::new(423).header("Min-Expires", LEAST.to_string())));
            }
            Some(Ok(seconds)) => u32::try_from(seconds).unwrap_or(u32::MAX).min(LIFETIME),
            Some(Err(_)) => return Err(Box::new(Answer::new(400).reason("Malformed Expires"))),
        };
        let form = Form::accepted(request.headers("Accept"));
        Ok(Self { event, seconds, form, has_accept: request.header("Accept").is_some() })
    }
}

impl Notifier {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let round = self.rounds.first().map(|(at, _)| *at);
        round.into_iter().chain(self.subscriptions.next_expiry()).min()
    }

    fn is_told_over_tls_only(&self, room: RoomId) -> bool {
        self.rosters.get(&room).is_some_and(|told| told.over_tls_only)
    }

    /// How many subscriptions there are.
    pub(super) fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// Sees to it that what changed in a room is told, as soon as it may be.
    pub(super) fn plan(&mut self, now: Instant, room: RoomId) {
        let Some(told) = self.rosters.get_mut(&room) else { return };
        if !self.subscriptions.has_any(room) {
            told.roster.forget_gone(u64::MAX);
            let number = told.roster.number();
            return told.roster.trim(number);
        }
        if told.next.is_none() {
            let at = told.last.map_or(now, |last| (last + told.interval).max(now));
            told.next = Some(at);
            self.rounds.insert((at, room));
        }
    }

    /// Where somebody is still shown as gone for the sake of a subscriber that was slow to be told, that is looked at again.
    fn plan_for_gone(&mut self, now: Instant, room: RoomId) {
        if self.rosters.get(&room).is_some_and(|told| told.roster.has_gone()) {
            self.plan(now, room);
        }
    }

    fn plan_at(&mut self, at: Instant, room: RoomId) {
        let Some(told) = self.rosters.get_mut(&room) else { return };
        if let Some(before) = told.next.replace(at) {
            self.rounds.remove(&(before, room));
        }
        self.rounds.insert((at, room));
    }

    /// A room tells of its changes at another pace.
    pub(super) fn repace(&mut self, now: Instant, room: RoomId, interval: Duration, full_below: usize) {
        let Some(told) = self.rosters.get_mut(&room) else { return };
        (told.interval, told.full_below) = (interval, full_below);
        if let (Some(next), Some(last)) = (told.next, told.last) {
            self.plan_at(next.min((last + interval).max(now)), room);
        }
    }

    /// The full document of a room in a form, and what it takes in. It is rendered once, whoever asks for it, while nothing changes.
    fn full(&mut self, room: RoomId, form: Form) -> Option<(Rendering, u64)> {
        let Told { roster, full, .. } = self.rosters.get_mut(&room)?;
        let (number, is_plain) = (roster.number(), form == Form::Plain);
        if let Some((_, rendering)) = full.get(&is_plain).filter(|(known, _)| *known == number) {
            return Some((rendering.clone(), number));
        }
        let rendering =
            if is_plain { plain_full(roster.conference()) } else { document::xcon_full(roster.conference()) };
        full.insert(is_plain, (number, rendering.clone()));
        Some((rendering, number))
    }

    /// Whether subscribers of a form are always told everything.
    fn tells_in_full(&self, room: RoomId, form: Form) -> bool {
        match form {
            Form::Plain => self.rosters.get(&room).is_some_and(|told| told.roster.len() < told.full_below),
            Form::Xcon => true,
            Form::Patches => false,
        }
    }

    /// What subscribers of one form are told who know so many changes.
    fn news(&mut self, room: RoomId, form: Form, knows: Option<u64>) -> Option<Rendering> {
        let told = self.rosters.get(&room)?;
        let changes = knows.and_then(|knows| told.roster.since(knows));
        let Some(changes) = changes else { return self.full(room, form).map(|(rendering, _)| rendering) };
        if changes.is_empty() {
            return None;
        }
        Some(match form {
            Form::Plain => plain_partial(told.roster.conference(), &changes),
            Form::Xcon | Form::Patches => document::xcon_diff(told.roster.conference(), &changes),
        })
    }
}

/// The way of a SUBSCRIBE.
impl Signalling {
    /// One outside of a dialog, from somebody known.
    pub(super) fn subscribe(&mut self, now: Instant, call: &Call, caller: &Caller) -> Result<(), Unfit> {
        const NOT_FOUND: Unfit = Unfit { code: 404, reason: "" };
        let name = room_name(&self.settings, &call.request.uri).ok_or(NOT_FOUND)?;
        let entry = self.rooms.get(&name).ok_or(NOT_FOUND)?;
        // Nobody else learns whether somebody is in the room (decision D49), or of a hidden one whether there is it.
        let stranger = if entry.standing.hidden { NOT_FOUND } else { Unfit { code: 403, reason: "" } };
        let seated = self.subscriber(entry.id, &caller.identity);
        let rules = entry.is_ruled_by(caller) && entry.admits(caller);
        let ruler = || Subscriber { room: entry.id, account: caller.identity.clone(), own: None };
        let subscriber = seated.or_else(|| rules.then(ruler)).ok_or(stranger)?;
        let wish = match Wish::of(&call.request) {
            Ok(wish) => wish,
            Err(answer) => {
                self.respond(now, call.transaction, *answer);
                return Ok(());
            }
        };
        self.may_be_told(entry.id, &call.source)?;
        let contact = join::contact(&self.settings, &call.request.uri, &call.source, &name);
        self.grant(now, call.transaction, wish, subscriber, contact)
    }

    /// Somebody who may see the roster of a room because they have a seat.
    fn subscriber(&self, room: RoomId, identity: &Address) -> Option<Subscriber> {
        let seat = self.seats_of(room, identity).find(|seat| !seat.is_being_called())?;
        Some(Subscriber { room, account: seat.user.identity.clone(), own: seat.own_mark() })
    }

    /// One in a dialog: that of a seat, or that of a subscription.
    pub(super) fn subscribe_within(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Request,
        (dialog, source): (DialogId, Source),
    ) {
        let event = request.header("Event").and_then(|event| EventHeader::parse(event).ok());
        if let Some(event) = event.filter(|event| event.package == REFER) {
            return self.renew_report(now, transaction, request, (dialog, &event));
        }
        let wish = match Wish::of(request) {
            Ok(wish) => wish,
            Err(answer) => return self.respond(now, transaction, *answer),
        };
        let known = self.notifier.subscriptions.find(dialog, &wish.event);
        let room = known.and_then(|id| self.notifier.subscriptions.get(id)).map(|known| known.room);
        let done = match (known.zip(room), self.subscriber_within(dialog), self.contact_in(dialog)) {
            (Some((id, room)), ..) => self.may_be_told(room, &source).map(|()| self.renew(now, transaction, wish, id)),
            (None, Some(subscriber), Some(contact)) => self
                .may_be_told(subscriber.room, &source)
                .and_then(|()| self.grant(now, transaction, wish, subscriber, contact)),
            _ => Err(Unfit { code: 481, reason: "" }),
        };
        if let Err(unfit) = done {
            self.refuse(now, transaction, unfit);
        }
    }

    /// Whether a dialog is that of a seat or a subscription of somebody's.
    pub(super) fn owns_dialog(&self, dialog: DialogId, caller: &Caller) -> bool {
        let seat = self.dialogs.get(&dialog).and_then(|id| self.seats.get(id));
        let mut theirs = self.notifier.subscriptions.of_dialog(dialog).into_iter();
        seat.is_some_and(|seat| seat.user.is_same(caller))
            || theirs.any(|id| {
                let subscription = self.notifier.subscriptions.get(id);
                subscription.is_some_and(|subscription| subscription.subscriber == caller.identity)
            })
    }

    fn subscriber_within(&self, dialog: DialogId) -> Option<Subscriber> {
        if let Some(seat) = self.dialogs.get(&dialog).and_then(|id| self.seats.get(id)) {
            return Some(Subscriber { room: seat.room, account: seat.user.identity.clone(), own: seat.own_mark() });
        }
        let of_dialog = self.notifier.subscriptions.of_dialog(dialog);
        let mut known = of_dialog.into_iter().filter_map(|id| self.notifier.subscriptions.get(id));
        let known = known.find(|known| !known.is_over)?;
        Some(Subscriber { room: known.room, account: known.subscriber.clone(), own: known.own.clone() })
    }

    fn contact_in(&self, dialog: DialogId) -> Option<String> {
        self.contact_of(dialog).or_else(|| self.endpoint.dialog(dialog).map(|dialog| dialog.contact().to_owned()))
    }

    /// Whether the roster of a room may go where a SUBSCRIBE came from (RFC 4575 §8.1).
    fn may_be_told(&self, room: RoomId, source: &Source) -> Result<(), Unfit> {
        let in_clear = !source.transport.is_secure();
        if in_clear && self.notifier.is_told_over_tls_only(room) {
            return Err(Unfit { code: 403, reason: "The Roster Is Told Over TLS Only" });
        }
        Ok(())
    }

    /// A subscription is made, or one that is over at once (RFC 6665 §4.4.3).
    fn grant(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        wish: Wish,
        subscriber: Subscriber,
        contact: String,
    ) -> Result<(), Unfit> {
        let Subscriber { room, account, own } = subscriber;
        let form = wish.form.ok_or(Unfit { code: 406, reason: "" })?;
        self.notifier.subscriptions.may_add(room, &account).map_err(|too_many| match too_many {
            TooMany::OfUser => Unfit { code: 403, reason: "Too Many Subscriptions" },
            TooMany::AtAll => Unfit { code: 503, reason: "" },
        })?;
        let answer = Answer::new(200).contact(contact).header("Expires", wish.seconds.to_string());
        let dialog = self.endpoint.accept(now, transaction, answer).map_err(|_| Unfit { code: 503, reason: "" })?;
        let until = now + Duration::from_secs(wish.seconds.into());
        let id = self.notifier.subscriptions.add(Subscription {
            room,
            dialog,
            event: wish.event,
            subscriber: account,
            own,
            form,
            until,
            version: 0,
            told: 0,
            is_lost: false,
            under_way: None,
            refusals: 0,
            outdated: 0,
            is_over: false,
        });
        self.tell_all(now, id);
        Ok(())
    }

    /// One that is there is to last longer, or no longer.
    fn renew(&mut self, now: Instant, transaction: TransactionId, wish: Wish, id: SubscriptionId) {
        if wish.form.is_none() {
            return self.respond(now, transaction, Answer::new(406));
        }
        if !self.notifier.subscriptions.may_renew(id) {
            let answer = Answer::new(503).header("Retry-After", NO_ANSWER.to_string());
            return self.respond(now, transaction, answer);
        }
        let until = now + Duration::from_secs(wish.seconds.into());
        self.notifier.subscriptions.renew(id, until, wish.form.filter(|_| wish.has_accept));
        let contact = self.notifier.subscriptions.get(id).and_then(|it| self.contact_in(it.dialog));
        let answer = Answer::new(200).header("Expires", wish.seconds.to_string());
        let answer = contact.into_iter().fold(answer, Answer::contact);
        self.respond(now, transaction, answer);
        self.tell_all(now, id);
    }
}

/// NOTIFY.
impl Signalling {
    /// Answers a SUBSCRIBE with everything.
    fn tell_all(&mut self, now: Instant, id: SubscriptionId) {
        let Some(subscription) = self.notifier.subscriptions.get(id) else { return };
        let (room, form, until) = (subscription.room, subscription.form, subscription.until);
        let full = self.notifier.full(room, form);
        let state = if until <= now { ending(Reason::Timeout) } else { active(now, until) };
        self.notify(now, id, state, full.as_ref().map(|(rendering, _)| rendering));
        if let (Some(subscription), Some((_, number))) = (self.notifier.subscriptions.get_mut(id), full) {
            subscription.told = number;
            subscription.is_lost = false;
        }
        self.notifier.plan_for_gone(now, room);
    }

    /// Sends a NOTIFY. Where it cannot be sent the subscription is gone; where it would go in clear, and may not, that is all it
    /// says.
    pub(super) fn notify(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        state: SubscriptionState,
        news: Option<&Rendering>,
    ) {
        let Some(subscription) = self.notifier.subscriptions.get(id) else { return };
        let is_barred = self.notifier.is_told_over_tls_only(subscription.room)
            && !self.endpoint.is_reached_over_tls(subscription.dialog);
        let (state, news) = match is_barred {
            true if state.is_terminated() => (state, None),
            true => (ending(Reason::Rejected), None),
            false => (state, news),
        };
        let Some(subscription) = self.notifier.subscriptions.get_mut(id) else { return };
        let notify = Within::new(Method::NOTIFY)
            .header("Event", subscription.event.to_string())
            .header("Subscription-State", state.to_string());
        let (notify, octets) = match news {
            Some(rendering) => {
                subscription.version = subscription.version.wrapping_add(1);
                let octets = rendering.document_for(subscription.version, subscription.own.as_deref());
                let count = octets.len();
                (notify.body(rendering.content_type(), octets), count)
            }
            None => (notify, 0),
        };
        let dialog = subscription.dialog;
        if state.is_terminated() {
            let room = subscription.room;
            self.notifier.subscriptions.end(id);
            self.notifier.plan_for_gone(now, room);
        }
        match self.endpoint.request_within(now, dialog, notify) {
            Ok(client) => {
                let connection = self.connection_of(dialog);
                self.notifier.subscriptions.sent(id, client, octets, connection);
            }
            Err(_) => self.unsubscribed(now, id),
        }
    }

    fn connection_of(&self, dialog: DialogId) -> Option<sip::ConnectionId> {
        self.endpoint.dialog(dialog).and_then(sip::Dialog::connection)
    }

    /// A NOTIFY was answered, or not. Whether it was one.
    pub(super) fn notified(&mut self, now: Instant, client: ClientId, code: Option<u16>) -> bool {
        let (is_one, id) = self.notifier.subscriptions.answered(client);
        let Some(id) = id else { return is_one };
        let Some(subscription) = self.notifier.subscriptions.get_mut(id) else { return true };
        let room = subscription.room;
        match code {
            // The subscriber is not there any more (RFC 6665 §4.2.2).
            None | Some(404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604) => self.unsubscribed(now, id),
            Some(_) if subscription.is_over => self.unsubscribed(now, id),
            Some(200..300) => subscription.refusals = 0,
            Some(_) if subscription.refusals >= MAX_REFUSALS => self.unsubscribed(now, id),
            Some(_) => {
                subscription.refusals += 1;
                subscription.is_lost = true;
            }
        }
        if self.is_behind(id) {
            self.notifier.plan(now, room);
        }
        self.notifier.plan_for_gone(now, room);
        true
    }

    fn is_behind(&self, id: SubscriptionId) -> bool {
        let Some(subscription) = self.notifier.subscriptions.get(id).filter(|it| !it.is_over) else { return false };
        let told = self.notifier.rosters.get(&subscription.room);
        told.is_some_and(|told| subscription.is_lost || subscription.told < told.roster.number())
    }

    /// A subscription is gone.
    fn unsubscribed(&mut self, now: Instant, id: SubscriptionId) {
        if let Some(subscription) = self.notifier.subscriptions.remove(id) {
            let _ = self.endpoint.release(now, subscription.dialog);
            self.notifier.plan(now, subscription.room);
        }
    }

    /// Subscriptions end that nobody has renewed, and rooms tell of their changes.
    pub(super) fn notifier_due(&mut self, now: Instant) {
        while let Some(id) = self.notifier.subscriptions.overdue(now) {
            self.notify(now, id, ending(Reason::Timeout), None);
        }
        while let Some((at, room)) = self.notifier.rounds.first().copied().filter(|(at, _)| *at <= now) {
            self.notifier.rounds.remove(&(at, room));
            if let Some(told) = self.notifier.rosters.get_mut(&room) {
                told.next = None;
            }
            self.round(now, room);
        }
    }

    /// A room tells of its changes.
    fn round(&mut self, now: Instant, room: RoomId) {
        let Some(told) = self.notifier.rosters.get_mut(&room) else { return };
        let number = told.roster.number();
        // Those that a round has reached before it was cut short have their turn in the next one.
        let due = told.unfinished.take().unwrap_or(number);
        let mut groups: BTreeMap<(Form, Option<u64>), Vec<SubscriptionId>> = BTreeMap::new();
        for id in self.notifier.subscriptions.of_room(room) {
            let Some(subscription) = self.notifier.subscriptions.get(id) else { continue };
            let has_turn = subscription.is_lost || subscription.told < due;
            if subscription.under_way.is_none() && has_turn && self.is_behind(id) {
                let in_full = subscription.is_lost || self.notifier.tells_in_full(room, subscription.form);
                let knows = (!in_full).then_some(subscription.told);
                groups.entry((subscription.form, knows)).or_default().push(id);
            }
        }
        let (mut is_cut_short, mut has_told) = (false, false);
        for ((form, knows), members) in groups {
            let news = self.notifier.news(room, form, knows);
            for id in members {
                let dialog = self.notifier.subscriptions.get(id).map(|subscription| subscription.dialog);
                let connection = dialog.and_then(|dialog| self.connection_of(dialog));
                if !self.notifier.subscriptions.may_send_on(connection) {
                    is_cut_short = true;
                    continue;
                }
                let Some(subscription) = self.notifier.subscriptions.get_mut(id) else { continue };
                (subscription.told, subscription.is_lost) = (number, false);
                if let Some(news) = &news {
                    let state = active(now, subscription.until);
                    has_told = true;
                    self.notify(now, id, state, Some(news));
                }
            }
        }
        if is_cut_short {
            if let Some(told) = self.notifier.rosters.get_mut(&room) {
                told.unfinished = Some(due);
                told.last = if has_told { Some(now) } else { told.last };
            }
            return self.notifier.plan_at(now + NEXT_SLICE, room);
        }
        self.round_over(now, room, has_told);
    }

    /// Everybody has been told who can be: whom all know as gone vanishes, which is told in the next round.
    fn round_over(&mut self, now: Instant, room: RoomId, has_told: bool) {
        let subscriptions = &self.notifier.subscriptions;
        let told = subscriptions.of_room(room).filter_map(|id| subscriptions.get(id));
        let told_by_all = told.filter(|it| !it.is_lost).map(|it| it.told).min();
        let Some(of_room) = self.notifier.rosters.get_mut(&room) else { return };
        if has_told {
            of_room.last = Some(now);
        }
        let number = of_room.roster.number();
        of_room.roster.trim(told_by_all.unwrap_or(number));
        of_room.roster.forget_gone(told_by_all.unwrap_or(u64::MAX));
        if of_room.roster.number() > number {
            self.notifier.plan(now, room);
        }
    }
}

fn active(now: Instant, until: Instant) -> SubscriptionState {
    SubscriptionState::Active { expires: until.saturating_duration_since(now) }
}

pub(super) fn ending(reason: Reason) -> SubscriptionState {
    SubscriptionState::terminated(reason)
}
