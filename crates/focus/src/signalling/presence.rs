//! What happens in rooms, as the notifier tells it: rooms come and go, and so do people.

use std::collections::BTreeMap;
use std::time::Instant;

use conference_info::document;
use conference_info::model::{DisconnectionMethod, JoiningMethod, date_time};
use room::{Address, Change, SeatId};
use sip::event::Reason;

use super::Signalling;
use super::admission::Caller;
use super::notify::{Told, ending};
use super::roster::{Departure, Joining, Roster};
use super::seat::{Ending, Seat};
use super::subscriptions::{Form, SubscriptionId};
use crate::ids::RoomId;
use crate::mail::Cause;
use crate::settings::RoomPolicy;

impl Signalling {
    /// There is a new room.
    pub(super) fn roster_opened(&mut self, name: &str) {
        let Some(entry) = self.rooms.get(name) else { return };
        let domain = &self.settings.domain;
        let roster = Roster::new(&format!("sip:{name}@{domain}"), domain, name, entry.subject.as_deref());
        let told = Told {
            roster,
            interval: entry.policy.roster_interval,
            full_below: entry.policy.roster_full_below,
            over_tls_only: entry.policy.roster_over_tls_only,
            last: None,
            next: None,
            unfinished: None,
            full: BTreeMap::new(),
        };
        self.notifier.rosters.insert(entry.id, told);
    }

    /// A room is no more (RFC 4575 §3.3).
    pub(super) fn roster_closed(&mut self, now: Instant, room: RoomId) {
        let Some(told) = self.notifier.rosters.remove(&room) else { return };
        if let Some(at) = told.next {
            self.notifier.rounds.remove(&(at, room));
        }
        let gone = document::deleted(&told.roster.conference().entity);
        for id in self.notifier.subscriptions.of_room(room).collect::<Vec<_>>() {
            let is_plain = self.notifier.subscriptions.get(id).is_some_and(|it| it.form == Form::Plain);
            self.notify(now, id, ending(Reason::NoResource), is_plain.then_some(&gone));
        }
    }

    /// The home of a room tells who is there.
    pub(super) fn roster_changed(&mut self, now: Instant, room: RoomId, change: Change) {
        let when = date_time(self.settings.epoch.unix_at(now).as_secs());
        let endpoint = match change {
            Change::UserJoined { .. } | Change::SeatJoined { .. } => self.endpoint_name(),
            _ => String::new(),
        };
        let joining = |seat: &SeatId| match self.seats.get(seat) {
            Some(seat) => seat.joining(when.clone()),
            None => {
                Joining { method: JoiningMethod::DialedIn, when: when.clone(), by: None, speaks: true, is_muted: false }
            }
        };
        let departure = || Departure { method: DisconnectionMethod::Departed, when: when.clone(), reason: None };
        let speaks = |seat: &SeatId| self.seats.get(seat).is_none_or(Seat::speaks);
        let roles = if let Change::UserJoined { seat, .. } = &change { self.roles_of(*seat) } else { Vec::new() };
        let Some(told) = self.notifier.rosters.get_mut(&room) else { return };
        let roster = &mut told.roster;
        match change {
            Change::UserJoined { identity, seat, display_name } => {
                roster.joined(&identity, seat, endpoint, joining(&seat), true);
                roster.named(&identity, display_name);
                roster.has_roles(&identity, roles);
            }
            Change::SeatJoined { identity, seat } => roster.joined(&identity, seat, endpoint, joining(&seat), false),
            Change::SeatSuspended { seat, .. } => roster.reached(seat, false, speaks(&seat)),
            Change::SeatResumed { seat, .. } => roster.reached(seat, true, speaks(&seat)),
            Change::SeatLeft { seat, .. } => roster.left(seat, departure(), false),
            Change::UserLeft { seat, .. } => roster.left(seat, departure(), true),
            Change::DisplayNameChanged { identity, display_name } => roster.named(&identity, display_name),
            Change::NicknameChanged { identity, nickname } => roster.nicknamed(&identity, nickname),
        }
        self.notifier.plan(now, room);
    }

    /// What somebody is in a room, for people to read (RFC 4575 §5.6.3). Rights do not rest on it, and who is private has none.
    fn roles_of(&self, id: SeatId) -> Vec<String> {
        let seat = self.seats.get(&id).filter(|seat| !seat.is_private);
        let entry = seat.and_then(|seat| Some((seat, self.rooms.get(&seat.name)?)));
        let roles = entry.map(|(seat, entry)| entry.roles_of(&seat.user)).unwrap_or_default();
        let roles = if roles.is_empty() { vec!["participant"] } else { roles };
        roles.into_iter().map(str::to_owned).collect()
    }

    /// Who has which say in a room has changed: so is what people are shown as.
    pub(super) fn shown_roles(&mut self, now: Instant, name: &str) {
        let Some(room) = self.rooms.get(name).map(|entry| entry.id) else { return };
        for id in self.seats_in(name, |seat| !seat.is_private) {
            let (roles, identity) = (self.roles_of(id), self.seats.get(&id).map(|seat| seat.identity.clone()));
            if let (Some(told), Some(identity)) = (self.notifier.rosters.get_mut(&room), identity) {
                told.roster.has_roles(&identity, roles);
            }
        }
        self.notifier.plan(now, room);
    }

    /// A session is not heard any more, or is again.
    pub(super) fn shown_muted(&mut self, now: Instant, room: RoomId, id: SeatId, is_muted: bool) {
        let speaks = self.seats.get(&id).is_none_or(Seat::speaks);
        if let Some(told) = self.notifier.rosters.get_mut(&room) {
            told.roster.muted(id, is_muted, speaks);
            self.notifier.plan(now, room);
        }
    }

    /// The two sides have agreed anew on the media of a session.
    pub(super) fn shown_agreed(&mut self, now: Instant, id: SeatId) {
        let Some((room, speaks)) = self.seats.get(&id).map(|seat| (seat.room, seat.speaks())) else { return };
        if self.notifier.rosters.get_mut(&room).is_some_and(|told| told.roster.directed(id, speaks)) {
            self.notifier.plan(now, room);
        }
    }

    /// A room is about something else.
    pub(super) fn shown_described(&mut self, now: Instant, room: RoomId, name: &str, subject: Option<&str>) {
        if let Some(told) = self.notifier.rosters.get_mut(&room) {
            told.roster.described(name, subject);
            self.notifier.plan(now, room);
        }
    }

    /// A room tells of its changes at another pace, or to others.
    pub(super) fn repaced(&mut self, now: Instant, room: RoomId, policy: &RoomPolicy) {
        self.notifier.repace(now, room, policy.roster_interval, policy.roster_full_below);
        if let Some(told) = self.notifier.rosters.get_mut(&room) {
            told.over_tls_only = policy.roster_over_tls_only;
        }
    }

    /// A name for an endpoint, drawn by lot: it tells nothing of the device (a UUID, RFC 4122 §4.4).
    fn endpoint_name(&mut self) -> String {
        let mut octets = [0; 16];
        self.endpoint.chance().fill_bytes(&mut octets);
        let number = u128::from_be_bytes(octets) & !(0xf000_u128 << 64) & !(0xc000_u128 << 48)
            | 0x4000_u128 << 64
            | 0x8000_u128 << 48;
        let hex = format!("{number:032x}");
        let parts: Vec<&str> =
            [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().filter_map(|part| hex.get(part)).collect();
        format!("urn:uuid:{}", parts.join("-"))
    }

    /// A seat ends: how that is shown, and whether its user may go on to see the roster (decision D50).
    pub(super) fn seat_given_up(
        &mut self,
        now: Instant,
        (room, name): (RoomId, &str),
        (id, user): (SeatId, &Caller),
        ending_by: Option<Ending>,
    ) {
        let when = date_time(self.settings.epoch.unix_at(now).as_secs());
        if let Some(told) = self.notifier.rosters.get_mut(&room) {
            told.roster.departs(id, departure(ending_by, when));
        }
        let account = &user.identity;
        let is_there = self.seats_of(room, account).any(|seat| !seat.is_being_called());
        if is_there || self.rooms.get(name).is_some_and(|entry| entry.is_ruled_by(user)) {
            return;
        }
        for id in self.notifier.subscriptions.of_user(room, account) {
            if self.notifier.subscriptions.get(id).is_some_and(|subscription| !subscription.is_over) {
                self.notify(now, id, ending(Reason::NoResource), None);
            }
        }
    }

    /// Whoever watches a room without a seat in it has to show again that they may: they subscribe anew at once, or not.
    pub(super) fn ask_watchers_again(&mut self, now: Instant, room: RoomId) {
        let subscriptions = &self.notifier.subscriptions;
        let has_seat = |subscriber: &Address| self.seats_of(room, subscriber).next().is_some();
        let is_seatless = |id: &SubscriptionId| subscriptions.get(*id).is_some_and(|it| !has_seat(&it.subscriber));
        for id in subscriptions.of_room(room).filter(is_seatless).collect::<Vec<_>>() {
            self.notify(now, id, ending(Reason::Deactivated), None);
        }
    }

    /// The node ends: whoever still has a subscription makes it anew where they find a focus (RFC 6665 §4.1.3).
    pub(super) fn end_subscriptions(&mut self, now: Instant) {
        let rooms: Vec<RoomId> = self.notifier.rosters.keys().copied().collect();
        let subscriptions = &self.notifier.subscriptions;
        let open: Vec<SubscriptionId> = rooms.into_iter().flat_map(|room| subscriptions.of_room(room)).collect();
        for id in open {
            self.notify(now, id, ending(Reason::Deactivated), None);
        }
    }
}

/// How the end of a seat is shown (RFC 4575 §5.7.6).
fn departure(ending: Option<Ending>, when: String) -> Departure {
    let method = match &ending {
        // The user is still there, by another user agent.
        None | Some(Ending::Switch(Cause::Replaced)) => DisconnectionMethod::Departed,
        Some(Ending::Switch(Cause::NotBound | Cause::ConnectionLost | Cause::TooSlow) | Ending::NoAnswer) => {
            DisconnectionMethod::Failed
        }
        Some(
            Ending::Switch(Cause::RoomClosed | Cause::CreatorLeft)
            | Ending::Removed
            | Ending::Unneeded
            | Ending::NotInPrivate
            | Ending::SentAway(_)
            | Ending::ShutDown,
        ) => DisconnectionMethod::Booted,
    };
    Departure { method, when, reason: ending.map(|ending| ending.reason().to_owned()) }
}
