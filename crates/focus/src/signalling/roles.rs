//! Who may what in a room (RFC 7701 §5.3, RFC 4579 §5.11): participants, and its creator and moderators, who may more.

use std::time::Instant;

use room::{Address, SeatId};

use super::Signalling;
use super::admission::Caller;
use super::media::Unfit;
use super::rooms::{Entry, Rulers};
use super::seat::{Ending, Stage};
use crate::mail::{Cause, Letter};
use crate::settings::Invitations;

const FORBIDDEN: Unfit = Unfit { code: 403, reason: "" };

impl Rulers {
    /// Whether somebody may remove others and end the room. Rights go by address, never by name.
    pub(super) fn include(&self, user: &Caller) -> bool {
        self.creator.iter().chain(&self.moderators).any(|ruler| user.is_known_as(ruler))
    }
}

impl Signalling {
    /// Whether somebody may have a room call others. `joins`: they are about to be a participant.
    pub(super) fn may_invite(&self, entry: &Entry, user: &Caller, joins: bool) -> Result<(), Unfit> {
        let may = match entry.policy.invitations {
            Invitations::Participants => joins || entry.rulers.include(user) || self.is_in(entry, user),
            Invitations::Moderators => entry.rulers.include(user),
            Invitations::Nobody => false,
        };
        if may { Ok(()) } else { Err(FORBIDDEN) }
    }

    /// The seats that somebody may have removed from a room: oneself may always be, others by those who have a say in it.
    pub(super) fn removable(&self, entry: &Entry, user: &Caller, who: &Address) -> Result<Vec<SeatId>, Unfit> {
        let rules = entry.rulers.include(user);
        if !rules && !user.is_known_as(who) {
            return Err(FORBIDDEN);
        }
        let seats = self.seats_of(entry, |known, _| known.is_known_as(who));
        if seats.is_empty() { Err(Unfit { code: 404, reason: "Not In The Room" }) } else { Ok(seats) }
    }

    /// Whether somebody is in a room by that address, or is being called to it.
    pub(super) fn is_there(&self, entry: &Entry, who: &Address) -> bool {
        !self.seats_of(entry, |known, _| known.is_known_as(who)).is_empty()
    }

    /// Whether somebody has a seat in a room.
    pub(super) fn is_in(&self, entry: &Entry, user: &Caller) -> bool {
        !self.seats_of(entry, |known, seated| seated && known.is_same(user)).is_empty()
    }

    /// The seats of people in a room, and of those whom it calls, which is told by the second argument: whether they are seated.
    fn seats_of(&self, entry: &Entry, is_it: impl Fn(&Caller, bool) -> bool) -> Vec<SeatId> {
        let found = entry.seats.iter().filter(|id| {
            self.seats.get(id).is_some_and(|seat| match seat.stage {
                Stage::Joining { .. } => false,
                Stage::Calling => is_it(&seat.user, false),
                Stage::Seated { .. } => is_it(&seat.user, true),
            })
        });
        found.copied().collect()
    }

    /// Everybody has to go (RFC 7701 §5.3). A room of the configuration is still there afterwards, and empty.
    pub(super) fn delete_room(&mut self, now: Instant, name: &str) {
        let Some(entry) = self.rooms.get(name) else { return };
        let (seats, permanent): (Vec<SeatId>, bool) = (entry.seats.iter().copied().collect(), entry.rulers.permanent);
        for seat in seats {
            self.hang_up(now, seat, Ending::Switch(Cause::RoomClosed));
        }
        if permanent {
            return;
        }
        // With its last seat it may have gone already.
        if let Some(entry) = self.rooms.remove(name) {
            self.post(entry.home, Letter::Close { room: entry.id });
        }
    }
}
