//! Who has a seat where.

use std::collections::{BTreeMap, BTreeSet};

use room::{Address, SeatId};

use super::Signalling;
use super::seat::Seat;
use crate::ids::RoomId;

/// The seats of people, by room and address: the one by which others know them, and that of their account.
#[derive(Default)]
pub(super) struct People {
    seats: BTreeMap<(RoomId, Address), BTreeSet<SeatId>>,
}

impl People {
    pub(super) fn sit_down(&mut self, id: SeatId, seat: &Seat) {
        for address in [&seat.identity, &seat.user.identity] {
            self.seats.entry((seat.room, address.clone())).or_default().insert(id);
        }
    }

    pub(super) fn stand_up(&mut self, id: SeatId, seat: &Seat) {
        for address in [&seat.identity, &seat.user.identity] {
            let key = (seat.room, address.clone());
            if let Some(seats) = self.seats.get_mut(&key) {
                seats.remove(&id);
                if seats.is_empty() {
                    self.seats.remove(&key);
                }
            }
        }
    }
}

impl Signalling {
    /// The seats of somebody in a room, under whichever of their addresses.
    pub(super) fn seats_of(&self, room: RoomId, address: &Address) -> impl Iterator<Item = &Seat> {
        let seats = self.people.seats.get(&(room, address.clone())).into_iter().flatten();
        seats.filter_map(|id| self.seats.get(id))
    }
}
