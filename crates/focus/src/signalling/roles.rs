//! Who may what in a room (RFC 7701 §5.3, RFC 4579 §5.11): participants, and its creator and moderators, who may more.

use std::time::Instant;

use room::{Address, DeleteWhen, SeatId};

use super::admission::Caller;
use super::media::Unfit;
use super::rooms::Entry;
use super::seat::{Ending, Seat, Stage};
use super::{Output, Signalling};
use crate::mail::{Cause, Letter};
use crate::settings::Invitations;

const FORBIDDEN: Unfit = Unfit { code: 403, reason: "" };

impl Entry {
    /// What a user is beyond a participant.
    pub(super) fn roles_of(&self, user: &Caller) -> Vec<&'static str> {
        let creator = self.creator.iter().any(|creator| user.is_known_as(creator)).then_some("creator");
        let moderator = self.standing.moderators.iter().any(|it| user.is_known_as(it)).then_some("moderator");
        creator.into_iter().chain(moderator).collect()
    }

    /// Whether somebody may remove others and end the room. Rights go by address, never by name.
    pub(super) fn is_ruled_by(&self, user: &Caller) -> bool {
        self.creator.iter().chain(&self.standing.moderators).any(|ruler| user.is_known_as(ruler))
    }
}

impl Signalling {
    /// Whether somebody may have a room call others. `joins`: they are about to be a participant.
    pub(super) fn may_invite(&self, entry: &Entry, user: &Caller, joins: bool) -> Result<(), Unfit> {
        let may = match entry.policy.invitations {
            Invitations::Participants => joins || entry.is_ruled_by(user) || self.is_in(entry, user),
            Invitations::Moderators => entry.is_ruled_by(user),
            Invitations::Nobody => false,
        };
        if may { Ok(()) } else { Err(FORBIDDEN) }
    }

    /// The seats that somebody may have removed from a room: oneself may always be, others by those who have a say in it.
    pub(super) fn removable(&self, entry: &Entry, user: &Caller, who: &Address) -> Result<Vec<SeatId>, Unfit> {
        let rules = entry.is_ruled_by(user);
        if !rules && !user.is_known_as(who) {
            return Err(FORBIDDEN);
        }
        let seats =
            self.seats_where(entry, |seat| seat.answers_to(who) || seat.user.is_same(user) && user.is_known_as(who));
        if seats.is_empty() { Err(Unfit { code: 404, reason: "Not In The Room" }) } else { Ok(seats) }
    }

    /// Whether somebody is in a room by that address, or is being called to it.
    pub(super) fn is_there(&self, entry: &Entry, who: &Address) -> bool {
        !self.seats_where(entry, |seat| seat.answers_to(who)).is_empty()
    }

    /// Whether there is a room of that name, as far as a user may know: a hidden one is none for who may not enter it.
    pub(super) fn is_room_to(&self, name: &str, user: &Caller) -> bool {
        self.rooms.get(name).is_some_and(|entry| !entry.standing.hidden || entry.admits(user))
    }

    /// Whether somebody has a seat in a room.
    pub(super) fn is_in(&self, entry: &Entry, user: &Caller) -> bool {
        let is_seated = |seat: &Seat| matches!(seat.stage, Stage::Seated { .. });
        !self.seats_where(entry, |seat| is_seated(seat) && seat.user.is_same(user)).is_empty()
    }

    /// The seats of people in a room, and of those whom it calls. Who is about to join has none yet.
    fn seats_where(&self, entry: &Entry, is_it: impl Fn(&Seat) -> bool) -> Vec<SeatId> {
        let there = |id: &&SeatId| {
            self.seats.get(id).is_some_and(|seat| !matches!(seat.stage, Stage::Joining { .. }) && is_it(seat))
        };
        entry.seats.iter().filter(there).copied().collect()
    }

    /// Everybody has to go (RFC 7701 §5.3). A room of the operator's is still there afterwards, and empty.
    pub(super) fn delete_room(&mut self, now: Instant, name: &str) {
        let Some(entry) = self.rooms.get(name) else { return };
        let (seats, permanent): (Vec<SeatId>, bool) = (entry.seats.iter().copied().collect(), entry.is_permanent);
        for seat in seats {
            self.hang_up(now, seat, Ending::Switch(Cause::RoomClosed));
        }
        if permanent {
            return;
        }
        // With its last seat it may have gone already.
        if let Some(entry) = self.rooms.remove(name) {
            self.roster_closed(now, entry.id);
            if entry.policy.room.delete_when == DeleteWhen::Never {
                self.outputs.push_back(Output::Gone { room: name.to_owned() });
            }
            self.post(entry.home, Letter::Close { room: entry.id });
        }
    }
}
