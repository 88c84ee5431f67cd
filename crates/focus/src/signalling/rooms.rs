//! Which rooms there are, where each lives, and which URIs mean it (RFC 7701 §5.1, RFC 4579 §4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use room::{Address, DeleteWhen, Scheme, SeatId};
use sip::auth::Authenticator;

use super::admission::is_nameless;
use super::{Output, Signalling};
use crate::desk::Standing;
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
    /// Who made it by calling it, or had it made.
    pub(super) creator: Option<Address>,
    pub(super) standing: Standing,
    /// Asks for the password in the standing; made when it is first asked for, and forgotten with it.
    pub(super) door: Option<Box<Authenticator>>,
    /// Whether it is always there: a room of the configuration, or of the operator's, made or taken over. One of a user's is not,
    /// though by its policy it may last as long; who has a say in it ends it.
    pub(super) is_permanent: bool,
    /// The seats that are taken or about to be, those of people who are being called too.
    pub(super) seats: BTreeSet<SeatId>,
}

/// A room that is to be.
pub(super) struct Opening<'a> {
    pub(super) name: &'a str,
    pub(super) subject: Option<String>,
    pub(super) policy: RoomPolicy,
    pub(super) creator: Option<Address>,
    pub(super) standing: Standing,
    pub(super) is_permanent: bool,
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

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.rooms.get_mut(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.rooms.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    pub(super) fn is_full(&self) -> bool {
        self.rooms.len() >= MAX_ROOMS
    }

    /// Puts a room into the directory. Its home is what its name comes to.
    fn add(&mut self, opening: Opening<'_>, workers: u8) -> (RoomId, WorkerId) {
        let Opening { name, subject, policy, creator, standing, is_permanent } = opening;
        self.opened += 1;
        let (id, home) = (RoomId(self.opened), crate::home::home_of(name, workers));
        let (subject, policy, seats) = (subject.map(Into::into), Arc::new(policy), BTreeSet::new());
        let entry = Entry { id, home, subject, policy, creator, standing, is_permanent, door: None, seats };
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
            self.open_room(Opening {
                name: &definition.name,
                subject: definition.subject.clone(),
                policy: definition.policy.clone(),
                creator: None,
                standing: definition.standing.clone(),
                is_permanent: true,
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
        if self.rooms.is_full() {
            return Err(NoRoom::Full);
        }
        let lasts = policy.room.delete_when == DeleteWhen::Never;
        // Who has not said who they are has no say in it later.
        let creator = Some(caller).filter(|caller| !is_nameless(caller)).cloned();
        let standing = Standing::default();
        let opening = Opening { name, subject: None, policy, creator, standing, is_permanent: false };
        self.open_room(opening).ok_or(NoRoom::Unknown)?;
        if lasts {
            self.outputs.push_back(Output::Lasting { room: name.to_owned() });
        }
        Ok(())
    }

    pub(super) fn open_room(&mut self, opening: Opening<'_>) -> Option<()> {
        let settings = self.settings.clone();
        let name = opening.name;
        let address = Address::parse(&format!("sip:{name}@{}", settings.domain)).ok()?;
        let (creator, policy) = (opening.creator.clone(), Box::new(opening.policy.clone()));
        let subject = opening.subject.as_deref().map(Into::into);
        let (room, home) = self.rooms.add(opening, settings.workers);
        self.roster_opened(name);
        let hosts = settings.hosts.clone().into();
        self.post(home, Letter::Open { room, address, hosts, subject, creator, policy });
        Some(())
    }

    /// A seat less; the last one may be the end of the room.
    pub(super) fn free_seat(&mut self, now: Instant, name: &str, seat: SeatId) {
        if let Some(over) = self.rooms.seat_freed(name, seat) {
            self.roster_closed(now, over.id);
            self.post(over.home, Letter::Close { room: over.id });
        }
    }
}
