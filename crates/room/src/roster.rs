//! Who is in the room: users, and the sessions by which they are.

use std::collections::BTreeMap;

use crate::nickname::Nickname;
use crate::routing::Remembered;
use crate::{Address, Capabilities, Epoch, Guest, SeatId};

/// How many seats one user may have at a time.
pub const MAX_SEATS_OF_USER: usize = 32;

/// How many of a guest's aliases count.
const MAX_ALIASES: usize = 16;

/// A listed user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView<'a> {
    /// The address under which it is listed.
    pub identity: &'a Address,
    /// The name for people: that of the first of its sessions that has one.
    pub display_name: Option<&'a str>,
    /// The nickname that was granted last among its sessions.
    pub nickname: Option<&'a str>,
    /// Its sessions that are members, in the order in which they took their seats.
    pub seats: Vec<SeatView<'a>>,
}

/// A session of a listed user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatView<'a> {
    /// The seat.
    pub seat: SeatId,
    /// Since when it is a member.
    pub epoch: Epoch,
    /// Its nickname.
    pub nickname: Option<&'a str>,
    /// What it can do.
    pub capabilities: &'a Capabilities,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) identity: Address,
    pub(crate) aliases: Vec<Address>,
    pub(crate) display_name: Option<String>,
    pub(crate) capabilities: Capabilities,
    /// Its first epoch as a member; none before it enters.
    pub(crate) epoch: Option<Epoch>,
    pub(crate) nickname: Option<Granted>,
    pub(crate) remembered: Remembered,
}

/// A nickname in use by a session.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) nickname: Nickname,
    /// Grows with each grant of the room.
    pub(crate) order: u64,
}

impl Seat {
    fn new(guest: Guest) -> Self {
        let Guest { identity, mut aliases, display_name, capabilities } = guest;
        aliases.truncate(MAX_ALIASES);
        Self {
            identity,
            aliases,
            display_name,
            capabilities,
            epoch: None,
            nickname: None,
            remembered: Remembered::default(),
        }
    }

    /// Whether the address is the user's own.
    pub(crate) fn is_known_as(&self, address: &Address) -> bool {
        self.identity == *address || self.aliases.contains(address)
    }
}

/// All seats, found by seat, by user and by alias. The lists of seats are in the order in which they were taken.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    seats: BTreeMap<SeatId, Seat>,
    users: BTreeMap<Address, Vec<SeatId>>,
    aliases: BTreeMap<Address, Vec<SeatId>>,
}

impl Roster {
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(crate) fn seat(&self, seat: SeatId) -> Option<&Seat> {
        self.seats.get(&seat)
    }

    pub(crate) fn seat_mut(&mut self, seat: SeatId) -> Option<&mut Seat> {
        self.seats.get_mut(&seat)
    }

    /// All seats in the order of their ids.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SeatId> {
        self.seats.keys().copied()
    }

    /// The seats of a user, members or not.
    pub(crate) fn seats_of(&self, identity: &Address) -> &[SeatId] {
        self.users.get(identity).map(Vec::as_slice).unwrap_or_default()
    }

    /// The sessions of a user that are members.
    pub(crate) fn members_of(&self, identity: &Address) -> impl Iterator<Item = (SeatId, &Seat)> {
        let seats = self.seats_of(identity).iter();
        seats.filter_map(|&id| Some((id, self.seats.get(&id)?))).filter(|(_, seat)| seat.epoch.is_some())
    }

    /// The user of an address: the one who is listed under it or, where nobody is, the first who has it as an alias.
    /// Only members count.
    pub(crate) fn resolve(&self, address: &Address) -> Option<&Address> {
        let of = |index: &'_ BTreeMap<Address, Vec<SeatId>>| -> Option<SeatId> {
            let seats = index.get(address)?.iter().copied();
            seats.into_iter().find(|id| self.seats.get(id).is_some_and(|seat| seat.epoch.is_some()))
        };
        let seat = of(&self.users).or_else(|| of(&self.aliases))?;
        self.seats.get(&seat).map(|seat| &seat.identity)
    }

    pub(crate) fn add(&mut self, id: SeatId, guest: Guest) {
        let seat = Seat::new(guest);
        self.users.entry(seat.identity.clone()).or_default().push(id);
        for alias in &seat.aliases {
            let seats = self.aliases.entry(alias.clone()).or_default();
            if !seats.contains(&id) {
                seats.push(id);
            }
        }
        self.seats.insert(id, seat);
    }

    pub(crate) fn remove(&mut self, id: SeatId) -> Option<Seat> {
        let seat = self.seats.remove(&id)?;
        strike(&mut self.users, &seat.identity, id);
        for alias in &seat.aliases {
            strike(&mut self.aliases, alias, id);
        }
        Some(seat)
    }

    /// The nickname by which a user is shown.
    pub(crate) fn nickname_of(&self, identity: &Address) -> Option<&str> {
        let granted = self.members_of(identity).filter_map(|(_, seat)| seat.nickname.as_ref());
        granted.max_by_key(|granted| granted.order).map(|granted| granted.nickname.shown())
    }

    /// The listed users in the order of their addresses.
    pub(crate) fn users(&self) -> impl Iterator<Item = UserView<'_>> {
        self.users.keys().filter_map(|identity| self.view(identity))
    }

    fn view<'a>(&'a self, identity: &'a Address) -> Option<UserView<'a>> {
        let seats: Vec<_> = self.members_of(identity).filter_map(|(id, seat)| seat_view(id, seat)).collect();
        let display_name = self.members_of(identity).find_map(|(_, seat)| seat.display_name.as_deref());
        let nickname = self.nickname_of(identity);
        (!seats.is_empty()).then_some(UserView { identity, display_name, nickname, seats })
    }
}

fn seat_view(id: SeatId, seat: &Seat) -> Option<SeatView<'_>> {
    let nickname = seat.nickname.as_ref().map(|granted| granted.nickname.shown());
    Some(SeatView { seat: id, epoch: seat.epoch?, nickname, capabilities: &seat.capabilities })
}

/// Takes a seat out of an index, and the entry with its last seat.
fn strike(index: &mut BTreeMap<Address, Vec<SeatId>>, address: &Address, id: SeatId) {
    if let Some(seats) = index.get_mut(address) {
        seats.retain(|&seat| seat != id);
        if seats.is_empty() {
            index.remove(address);
        }
    }
}
