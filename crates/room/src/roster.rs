//! Who is in the room: users, and the sessions by which they are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::nickname::Nickname;
use crate::routing::Remembered;
use crate::{Address, AskId, Capabilities, Epoch, Guest, SeatId};

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
    /// Since when it is reached, or was before it was suspended.
    pub epoch: Epoch,
    /// It is not reached for the time being.
    pub suspended: bool,
    /// Its nickname.
    pub nickname: Option<&'a str>,
    /// What it can do.
    pub capabilities: &'a Capabilities,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) identity: Address,
    /// Who the user is, shown or not.
    pub(crate) account: Address,
    pub(crate) aliases: Vec<Address>,
    pub(crate) display_name: Option<String>,
    pub(crate) capabilities: Capabilities,
    pub(crate) presence: Presence,
    /// It is not heard.
    pub(crate) muted: bool,
    pub(crate) nickname: Option<Granted>,
    /// A nickname about which the registry of the domain has been asked, and the wishes that wait behind it.
    pub(crate) pending: Option<Box<Pending>>,
    pub(crate) remembered: Remembered,
    /// The seat that ends when this one enters.
    pub(crate) replaces: Option<SeatId>,
    /// Grows with each seat that is taken.
    order: u64,
}

/// How far a session is in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It has a seat and is to enter.
    Awaited,
    /// It is a member.
    Present(Epoch),
    /// It is a member that is not reached.
    Suspended(Epoch),
}

/// A nickname in use by a session.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) nickname: Nickname,
    /// Grows with each grant of the room.
    pub(crate) order: u64,
    /// The registry of the domain has granted it too.
    pub(crate) in_domain: bool,
}

/// Where the answer to a wish for a nickname goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) seat: SeatId,
    pub(crate) token: u64,
}

/// A nickname that is held in the room while the registry of the domain is asked.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) ask: AskId,
    pub(crate) wish: Wish,
    pub(crate) nickname: Nickname,
    /// What the session wished for since.
    pub(crate) waiting: VecDeque<(Wish, Option<Nickname>)>,
}

impl Seat {
    fn new(guest: Guest, order: u64) -> Self {
        let Guest { identity, account, mut aliases, display_name, capabilities } = guest;
        aliases.truncate(MAX_ALIASES);
        Self {
            account: account.unwrap_or_else(|| identity.clone()),
            identity,
            aliases,
            display_name,
            capabilities,
            presence: Presence::Awaited,
            muted: false,
            nickname: None,
            pending: None,
            remembered: Remembered::default(),
            replaces: None,
            order,
        }
    }

    /// Whether it is listed.
    pub(crate) fn is_member(&self) -> bool {
        self.presence != Presence::Awaited
    }

    /// Whether it is reached, and heard.
    pub(crate) fn is_present(&self) -> bool {
        matches!(self.presence, Presence::Present(_))
    }

    /// Whether the nickname in force is this one, in whatever form.
    pub(crate) fn has_nickname(&self, nickname: &Nickname) -> bool {
        self.nickname.as_ref().is_some_and(|granted| granted.nickname.is_same(nickname))
    }

    /// Whether the address is the user's own.
    pub(crate) fn is_known_as(&self, address: &Address) -> bool {
        self.identity == *address || self.aliases.contains(address)
    }
}

/// All seats, found by seat, by user and by alias. The seats of a user are in the order in which they were taken.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    seats: BTreeMap<SeatId, Seat>,
    users: BTreeMap<Address, Vec<SeatId>>,
    /// How many seats each account has.
    accounts: BTreeMap<Address, usize>,
    /// In the order in which the seats were taken. Many users may have an alias in common.
    aliases: BTreeSet<(Address, u64, SeatId)>,
    taken: u64,
}

/// By what a user is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) display_name: Option<String>,
    pub(crate) nickname: Option<String>,
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

    /// How many seats an account has.
    pub(crate) fn seats_of_account(&self, account: &Address) -> usize {
        self.accounts.get(account).copied().unwrap_or_default()
    }

    /// The seats of a user, members or not.
    fn seats_of(&self, identity: &Address) -> &[SeatId] {
        self.users.get(identity).map(Vec::as_slice).unwrap_or_default()
    }

    /// The sessions of a user that are members.
    pub(crate) fn members_of(&self, identity: &Address) -> impl Iterator<Item = (SeatId, &Seat)> {
        let seats = self.seats_of(identity).iter();
        seats.filter_map(|&id| Some((id, self.seats.get(&id)?))).filter(|(_, seat)| seat.is_member())
    }

    /// The user of an address: the one who is listed under it or, where nobody is, the first who has it as an alias.
    pub(crate) fn resolve(&self, address: &Address) -> Option<&Address> {
        if let Some((_, seat)) = self.members_of(address).next() {
            return Some(&seat.identity);
        }
        let of_alias = self.aliases.range((address.clone(), 0, SeatId(0))..);
        let of_alias = of_alias.take_while(|(alias, ..)| alias == address).filter_map(|(.., id)| self.seats.get(id));
        of_alias.filter(|seat| seat.is_member()).map(|seat| &seat.identity).next()
    }

    pub(crate) fn add(&mut self, id: SeatId, guest: Guest) {
        self.taken = self.taken.saturating_add(1);
        let seat = Seat::new(guest, self.taken);
        self.users.entry(seat.identity.clone()).or_default().push(id);
        *self.accounts.entry(seat.account.clone()).or_default() += 1;
        self.aliases.extend(seat.aliases.iter().map(|alias| (alias.clone(), seat.order, id)));
        self.seats.insert(id, seat);
    }

    pub(crate) fn remove(&mut self, id: SeatId) -> Option<Seat> {
        let seat = self.seats.remove(&id)?;
        if let Some(own) = self.users.get_mut(&seat.identity) {
            own.retain(|&other| other != id);
            if own.is_empty() {
                self.users.remove(&seat.identity);
            }
        }
        if let Some(count) = self.accounts.get_mut(&seat.account) {
            *count -= 1;
            if *count == 0 {
                self.accounts.remove(&seat.account);
            }
        }
        for alias in &seat.aliases {
            self.aliases.remove(&(alias.clone(), seat.order, id));
        }
        Some(seat)
    }

    /// By what a user is shown: the nickname that was granted last, the name of the first session that has one.
    pub(crate) fn shown(&self, identity: &Address) -> Shown {
        Shown {
            display_name: self.display_name_of(identity).map(str::to_owned),
            nickname: self.nickname_of(identity).map(str::to_owned),
        }
    }

    fn display_name_of(&self, identity: &Address) -> Option<&str> {
        self.members_of(identity).find_map(|(_, seat)| seat.display_name.as_deref())
    }

    fn nickname_of(&self, identity: &Address) -> Option<&str> {
        let granted = self.members_of(identity).filter_map(|(_, seat)| seat.nickname.as_ref());
        granted.max_by_key(|granted| granted.order).map(|granted| granted.nickname.shown())
    }

    /// The listed users in the order of their addresses.
    pub(crate) fn users(&self) -> impl Iterator<Item = UserView<'_>> {
        self.users.keys().filter_map(|identity| self.view(identity))
    }

    fn view<'a>(&'a self, identity: &'a Address) -> Option<UserView<'a>> {
        let seats: Vec<_> = self.members_of(identity).filter_map(|(id, seat)| seat_view(id, seat)).collect();
        let (display_name, nickname) = (self.display_name_of(identity), self.nickname_of(identity));
        (!seats.is_empty()).then_some(UserView { identity, display_name, nickname, seats })
    }
}

fn seat_view(id: SeatId, seat: &Seat) -> Option<SeatView<'_>> {
    let (epoch, suspended) = match seat.presence {
        Presence::Awaited => return None,
        Presence::Present(epoch) => (epoch, false),
        Presence::Suspended(epoch) => (epoch, true),
    };
    let nickname = seat.nickname.as_ref().map(|granted| granted.nickname.shown());
    Some(SeatView { seat: id, epoch, suspended, nickname, capabilities: &seat.capabilities })
}
