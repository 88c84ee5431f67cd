//! Which rooms there are, where each lives, and which URIs mean it (RFC 7701 §5.1, RFC 4579 §4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use room::{Address, Scheme, SeatId};

use super::Signalling;
use crate::ids::{RoomId, WorkerId};
use crate::mail::Letter;
use crate::settings::{Create, RoomPolicy, Settings};

/// How many rooms there may be. At the bound nobody makes a new one: 503.
const MAX_ROOMS: usize = 100_000;

/// The rooms of a node, by the user part of their URI.
#[derive(Default)]
pub(super) struct Directory {
    rooms: BTreeMap<String, Entry>,
    opened: u64,
}

/// A room as signalling knows it.
pub(super) struct Entry {
    pub(super) id: RoomId,
    pub(super) home: WorkerId,
    pub(super) subject: Option<Arc<str>>,
    pub(super) policy: Arc<RoomPolicy>,
    pub(super) rulers: Rulers,
    /// The seats that are taken or about to be, those of people who are being called too.
    pub(super) seats: BTreeSet<SeatId>,
}

/// Who has a say in a room beyond that of a participant (RFC 4579 §5.11, RFC 7701 §5.3).
#[derive(Default)]
pub(super) struct Rulers {
    pub(super) creator: Option<Address>,
    pub(super) moderators: Vec<Address>,
    /// Whether it is a room of the configuration, which is always there.
    pub(super) permanent: bool,
}

/// A room that is to be.
struct Opening<'a> {
    name: &'a str,
    subject: Option<String>,
    policy: RoomPolicy,
    rulers: Rulers,
}

/// Why a URI comes to no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// There is none of that name, and the caller may not make it: 404.
    Unknown,
    /// There are too many: 503.
    Full,
}

impl Directory {
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.rooms.get(name)
    }

    /// Puts a room into the directory. Its home is what its name comes to.
    fn add(&mut self, opening: Opening<'_>, workers: u8) -> (RoomId, WorkerId) {
        let Opening { name, subject, policy, rulers } = opening;
        self.opened += 1;
        let (id, home) = (RoomId(self.opened), crate::home::home_of(name, workers));
        let subject = subject.map(Into::into);
        let entry = Entry { id, home, subject, policy: Arc::new(policy), rulers, seats: BTreeSet::new() };
        self.rooms.insert(name.to_owned(), entry);
        (id, home)
    }

    pub(super) fn seat_taken(&mut self, name: &str, seat: SeatId) {
        if let Some(entry) = self.rooms.get_mut(name) {
            entry.seats.insert(seat);
        }
    }

    /// A seat is free again. Gives the room if it ends with it (RFC 7701 §4.1). A seat of a former room of that name is none
    /// of its own.
    fn seat_freed(&mut self, name: &str, seat: SeatId) -> Option<Entry> {
        let entry = self.rooms.get_mut(name)?;
        let over =
            entry.seats.remove(&seat) && entry.seats.is_empty() && entry.policy.room.delete_when.ends_when_empty();
        if over { self.rooms.remove(name) } else { None }
    }

    /// Takes a room out, whoever is in it.
    pub(super) fn remove(&mut self, name: &str) -> Option<Entry> {
        self.rooms.remove(name)
    }
}

/// The name of the room that a Request-URI means, if it is one of this server at all.
pub(super) fn room_name(settings: &Settings, uri: &str) -> Option<String> {
    let address = Address::parse(uri).ok()?;
    let ours = address.scheme() == Scheme::Sip && settings.is_ours(address.host_without_port());
    (ours && !address.user().is_empty()).then(|| address.user().to_owned())
}

impl Signalling {
    pub(super) fn open_permanent_rooms(&mut self) {
        let settings = self.settings.clone();
        for definition in &settings.rooms.permanent {
            let moderators = definition.moderators.clone();
            self.open_room(Opening {
                name: &definition.name,
                subject: definition.subject.clone(),
                policy: definition.policy.clone(),
                rulers: Rulers { creator: None, moderators, permanent: true },
            });
        }
    }

    /// Sees to it that there is a room of that name, made by who calls it where there is none (decision D41).
    pub(super) fn find_or_open(&mut self, name: &str, caller: &Address) -> Result<(), NoRoom> {
        if self.rooms.get(name).is_some() {
            return Ok(());
        }
        if self.settings.rooms.create == Create::Nobody {
            return Err(NoRoom::Unknown);
        }
        self.open_for(name, caller, self.settings.rooms.defaults.clone())
    }

    /// Makes a room that somebody has called for.
    pub(super) fn open_for(&mut self, name: &str, caller: &Address, policy: RoomPolicy) -> Result<(), NoRoom> {
        if self.rooms.len() >= MAX_ROOMS {
            return Err(NoRoom::Full);
        }
        let rulers = Rulers { creator: Some(caller.clone()), ..Rulers::default() };
        self.open_room(Opening { name, subject: None, policy, rulers }).ok_or(NoRoom::Unknown)
    }

    fn open_room(&mut self, opening: Opening<'_>) -> Option<()> {
        let settings = self.settings.clone();
        let address = Address::parse(&format!("sip:{}@{}", opening.name, settings.domain)).ok()?;
        let (creator, policy) = (opening.rulers.creator.clone(), Box::new(opening.policy.clone()));
        let (room, home) = self.rooms.add(opening, settings.workers);
        let hosts = settings.hosts.clone().into();
        self.post(home, Letter::Open { room, address, hosts, creator, policy });
        Some(())
    }

    /// A seat less; the last one may be the end of the room.
    pub(super) fn free_seat(&mut self, name: &str, seat: SeatId) {
        if let Some(over) = self.rooms.seat_freed(name, seat) {
            self.post(over.home, Letter::Close { room: over.id });
        }
    }
}
