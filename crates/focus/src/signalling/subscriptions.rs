//! The subscriptions to the rosters of rooms, as data (RFC 6665, RFC 4575).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use conference_info::{CONFERENCE_INFO, XCON_CONFERENCE_INFO, XCON_CONFERENCE_INFO_DIFF};
use room::Address;
use sip::typed::MediaType;
use sip::{ClientId, ConnectionId, DialogId};

use crate::ids::RoomId;

/// How many subscriptions there may be. Beyond, 503.
const MAX_SUBSCRIPTIONS: usize = 100_000;
/// How many a user may have in a room. Beyond, 403.
const MAX_OF_USER: usize = 32;
/// How many NOTIFYs of one may wait for their answers: refreshes are told at once. Beyond, a refresh gets 503.
const MAX_PENDING: usize = 4;
/// How many octets of documents may be under way, unanswered. Beyond, changes wait and new subscribers get 503.
const MAX_UNDER_WAY: usize = 64 * 1024 * 1024;

/// How many of them may be on one connection, which its other users share: well below what the shell lets wait there.
const MAX_ON_CONNECTION: usize = 256 * 1024;

/// A subscription. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SubscriptionId(u64);

/// The documents that a subscriber takes (decision D18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Those of RFC 4575, full and partial.
    Plain,
    /// Those of RFC 6501, always full.
    Xcon,
    /// The same, with patches in between (RFC 6502).
    Patches,
}

impl Form {
    /// The best one of those that the values of Accept allow; without any, that of RFC 4575 (§3.4). `None`: 406.
    pub(super) fn accepted<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let values = values.flat_map(sip::typed::split_list);
        let ranges: Vec<MediaType> = values.filter_map(|value| MediaType::parse(value).ok()).collect();
        if ranges.is_empty() {
            return Some(Self::Plain);
        }
        let wanted = |essence: &str| {
            let matching = ranges.iter().filter(|range| range.takes_in(essence));
            matching.max_by_key(|range| precision(range)).map(quality).filter(|quality| *quality > 0)
        };
        let plain = wanted(CONFERENCE_INFO);
        // Who takes anything has not said that it knows of RFC 6502.
        let is_named = ranges.iter().any(|range| range.is(XCON_CONFERENCE_INFO));
        let xcon = wanted(XCON_CONFERENCE_INFO).filter(|_| is_named);
        match (plain, xcon) {
            (Some(plain), Some(xcon)) if plain > xcon => Some(Self::Plain),
            (_, Some(_)) if wanted(XCON_CONFERENCE_INFO_DIFF).is_some() => Some(Self::Patches),
            (_, Some(_)) => Some(Self::Xcon),
            (Some(_), None) => Some(Self::Plain),
            (None, None) => None,
        }
    }
}

/// The most precise range that takes a type in is the one that counts (RFC 3261 §20.1).
fn precision(range: &MediaType) -> usize {
    2 - range.essence.matches('*').count().min(2)
}

/// The `q` of a range, in thousandths.
fn quality(range: &MediaType) -> u16 {
    let number = range.param("q").and_then(|value| value.parse::<f32>().ok()).unwrap_or(1.0);
    (number.clamp(0.0, 1.0) * 1000.0) as u16
}

/// One subscription.
pub(super) struct Subscription {
    pub(super) room: RoomId,
    pub(super) dialog: DialogId,
    /// The `id` of its Event.
    pub(super) event: sip::event::EventHeader,
    /// Who has it, by the account.
    pub(super) subscriber: Address,
    /// The user that is to be marked as the reader's own, of those in the documents.
    pub(super) own: Option<String>,
    pub(super) form: Form,
    pub(super) until: Instant,
    /// Of the last document.
    pub(super) version: u32,
    /// How many changes of the roster the subscriber knows.
    pub(super) told: u64,
    /// Whether nothing but a full document helps it.
    pub(super) is_lost: bool,
    /// The last NOTIFY, while it has no answer.
    pub(super) under_way: Option<ClientId>,
    /// Those before it that have none: what becomes of them is of no interest any more.
    pub(super) outdated: usize,
    /// How many NOTIFYs in a row were refused by codes that do not end it.
    pub(super) refusals: u8,
    /// Whether that NOTIFY is the last one.
    pub(super) is_over: bool,
}

/// All subscriptions.
#[derive(Default)]
pub(super) struct Subscriptions {
    all: BTreeMap<SubscriptionId, Subscription>,
    in_dialogs: BTreeMap<DialogId, BTreeSet<SubscriptionId>>,
    /// Those that can still be told something.
    in_rooms: BTreeMap<RoomId, BTreeSet<SubscriptionId>>,
    /// Those of each user, those among them that are over and whose last NOTIFY has no answer.
    of_users: BTreeMap<(RoomId, Address), BTreeSet<SubscriptionId>>,
    expiries: BTreeSet<(Instant, SubscriptionId)>,
    /// Those without an answer, the octets of their documents, and the connections that these are on.
    notifies: BTreeMap<ClientId, (SubscriptionId, usize, Option<ConnectionId>)>,
    octets: usize,
    /// Octets without an answer on each connection: a proxy has one for many.
    on_connections: BTreeMap<ConnectionId, usize>,
    made: u64,
}

/// Why there is no further subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooMany {
    /// Of this user: 403.
    OfUser,
    /// At all: 503.
    AtAll,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.all.get(&id)
    }

    /// The one of a dialog with that Event, if it is not over.
    pub(super) fn find(&self, dialog: DialogId, event: &sip::event::EventHeader) -> Option<SubscriptionId> {
        let mut of_dialog = self.in_dialogs.get(&dialog)?.iter().copied();
        of_dialog.find(|id| self.all.get(id).is_some_and(|it| it.event == *event && !it.is_over))
    }

    pub(super) fn of_dialog(&self, dialog: DialogId) -> Vec<SubscriptionId> {
        self.in_dialogs.get(&dialog).into_iter().flatten().copied().collect()
    }

    /// Those of a room that can still be told something, in a fixed order.
    pub(super) fn of_room(&self, room: RoomId) -> impl Iterator<Item = SubscriptionId> {
        self.in_rooms.get(&room).into_iter().flatten().copied()
    }

    pub(super) fn has_any(&self, room: RoomId) -> bool {
        self.in_rooms.contains_key(&room)
    }

    /// Whether another one fits.
    pub(super) fn may_add(&self, room: RoomId, subscriber: &Address) -> Result<(), TooMany> {
        let own = self.of_users.get(&(room, subscriber.clone())).map_or(0, BTreeSet::len);
        if own >= MAX_OF_USER {
            Err(TooMany::OfUser)
        } else if self.all.len() >= MAX_SUBSCRIPTIONS || !self.may_send() {
            Err(TooMany::AtAll)
        } else {
            Ok(())
        }
    }

    /// Those of a user in a room.
    pub(super) fn of_user(&self, room: RoomId, subscriber: &Address) -> Vec<SubscriptionId> {
        self.of_users.get(&(room, subscriber.clone())).into_iter().flatten().copied().collect()
    }

    /// Whether another document may set out.
    pub(super) fn may_send(&self) -> bool {
        self.octets < MAX_UNDER_WAY
    }

    /// The same for a document on this connection. One is always taken that nothing waits before.
    pub(super) fn may_send_on(&self, connection: Option<ConnectionId>) -> bool {
        let waiting = connection.and_then(|connection| self.on_connections.get(&connection)).copied();
        self.may_send() && waiting.is_none_or(|waiting| waiting < MAX_ON_CONNECTION)
    }

    pub(super) fn add(&mut self, subscription: Subscription) -> SubscriptionId {
        self.made += 1;
        let id = SubscriptionId(self.made);
        self.in_dialogs.entry(subscription.dialog).or_default().insert(id);
        self.in_rooms.entry(subscription.room).or_default().insert(id);
        self.of_users.entry((subscription.room, subscription.subscriber.clone())).or_default().insert(id);
        self.expiries.insert((subscription.until, id));
        self.all.insert(id, subscription);
        id
    }

    /// It lasts until then.
    pub(super) fn renew(&mut self, id: SubscriptionId, until: Instant, form: Option<Form>) {
        let Some(subscription) = self.all.get_mut(&id) else { return };
        self.expiries.remove(&(subscription.until, id));
        subscription.until = until;
        subscription.form = form.unwrap_or(subscription.form);
        self.expiries.insert((until, id));
    }

    /// One that has run out.
    pub(super) fn overdue(&self, now: Instant) -> Option<SubscriptionId> {
        self.expiries.first().filter(|(until, _)| *until <= now).map(|(_, id)| *id)
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first().map(|(until, _)| *until)
    }

    /// Whether one that is there may be told everything, although it has not answered yet.
    pub(super) fn may_renew(&self, id: SubscriptionId) -> bool {
        self.may_send() && self.all.get(&id).is_some_and(|it| it.outdated + 1 < MAX_PENDING)
    }

    /// A NOTIFY has set out, with a document of so many octets.
    pub(super) fn sent(
        &mut self,
        id: SubscriptionId,
        client: ClientId,
        octets: usize,
        connection: Option<ConnectionId>,
    ) {
        let Some(subscription) = self.all.get_mut(&id) else { return };
        // A second one may only follow where a SUBSCRIBE wants an answer at once, or the end.
        if subscription.under_way.replace(client).is_some() {
            subscription.outdated += 1;
        }
        self.notifies.insert(client, (id, octets, connection));
        self.octets += octets;
        if let Some(connection) = connection {
            *self.on_connections.entry(connection).or_default() += octets;
        }
    }

    pub(super) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.all.get_mut(&id)
    }

    /// A NOTIFY has its answer, or will have none. Whether it was one, and whose last one it was.
    pub(super) fn answered(&mut self, client: ClientId) -> (bool, Option<SubscriptionId>) {
        let Some((id, octets, connection)) = self.notifies.remove(&client) else { return (false, None) };
        self.octets = self.octets.saturating_sub(octets);
        if let Some(connection) = connection
            && let Some(waiting) = self.on_connections.get_mut(&connection)
        {
            *waiting = waiting.saturating_sub(octets);
            if *waiting == 0 {
                self.on_connections.remove(&connection);
            }
        }
        let Some(subscription) = self.all.get_mut(&id) else { return (true, None) };
        if subscription.under_way.take_if(|last| *last == client).is_some() {
            return (true, Some(id));
        }
        subscription.outdated = subscription.outdated.saturating_sub(1);
        (true, None)
    }

    /// Nothing more is told: what is left is the answer to the last NOTIFY.
    pub(super) fn end(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.all.get_mut(&id) else { return };
        if std::mem::replace(&mut subscription.is_over, true) {
            return;
        }
        let room = subscription.room;
        self.expiries.remove(&(subscription.until, id));
        if let Some(of_room) = self.in_rooms.get_mut(&room) {
            of_room.remove(&id);
            if of_room.is_empty() {
                self.in_rooms.remove(&room);
            }
        }
    }

    /// It is gone, and its dialog has a usage less.
    pub(super) fn remove(&mut self, id: SubscriptionId) -> Option<Subscription> {
        self.end(id);
        let subscription = self.all.remove(&id)?;
        let user = (subscription.room, subscription.subscriber.clone());
        if let Some(own) = self.of_users.get_mut(&user) {
            own.remove(&id);
            if own.is_empty() {
                self.of_users.remove(&user);
            }
        }
        if let Some(of_dialog) = self.in_dialogs.get_mut(&subscription.dialog) {
            of_dialog.remove(&id);
            if of_dialog.is_empty() {
                self.in_dialogs.remove(&subscription.dialog);
            }
        }
        Some(subscription)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CONFORMANCE 4575-006 6502-001 6502-004
    #[test]
    fn the_form_is_the_best_that_accept_allows() {
        let cases: &[(&[&str], Option<Form>)] = &[
            (&[], Some(Form::Plain)),
            (&["application/conference-info+xml"], Some(Form::Plain)),
            (&["Application/Conference-Info+XML"], Some(Form::Plain)),
            (&["application/xcon-conference-info+xml"], Some(Form::Xcon)),
            (&["application/xcon-conference-info+xml, application/xcon-conference-info-diff+xml"], Some(Form::Patches)),
            (&["application/xcon-conference-info-diff+xml"], None),
            (&["application/conference-info+xml", "application/xcon-conference-info+xml"], Some(Form::Xcon)),
            (&["application/conference-info+xml, application/xcon-conference-info+xml;q=0.5"], Some(Form::Plain)),
            (&["*/*"], Some(Form::Plain)),
            (&["application/*"], Some(Form::Plain)),
            (&["application/sdp, */*;q=0.1"], Some(Form::Plain)),
            (&["application/conference-info+xml;q=0"], None),
            (&["text/plain"], None),
            (&["text/plain", "application/pidf+xml"], None),
        ];
        for (values, form) in cases {
            assert_eq!(Form::accepted(values.iter().copied()), *form, "{values:?}");
        }
        let many = vec!["application/conference-info+xml"; 40];
        assert_eq!(Form::accepted(many.into_iter()), Some(Form::Plain));
    }
}
