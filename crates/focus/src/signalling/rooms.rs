//! Which rooms there are, where each lives, and which URIs mean it (RFC 7701 §5.1, RFC 4579 §4).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use room::{Address, DeleteWhen, Scheme};
use sip::auth::Authenticator;

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
    pub(super) creator: Option<Address>,
    pub(super) standing: Standing,
    /// Asks for the password in the standing; made when it is first asked for, and forgotten with it.
    pub(super) door: Option<Box<Authenticator>>,
    seats: usize,
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

    pub(super) fn remove(&mut self, name: &str) -> Option<Entry> {
        self.rooms.remove(name)
    }

    pub(super) fn is_full(&self) -> bool {
        self.rooms.len() >= MAX_ROOMS
    }

    /// Puts a room into the directory. Its home is what its name comes to.
    fn add(
        &mut self,
        name: &str,
        subject: Option<String>,
        policy: RoomPolicy,
        creator: Option<Address>,
        workers: u8,
    ) -> (RoomId, WorkerId) {
        self.opened += 1;
        let (id, home) = (RoomId(self.opened), crate::home::home_of(name, workers));
        let (subject, policy) = (subject.map(Into::into), Arc::new(policy));
        let entry = Entry { id, home, subject, policy, creator, standing: Standing::default(), door: None, seats: 0 };
        self.rooms.insert(name.to_owned(), entry);
        (id, home)
    }

    pub(super) fn seat_taken(&mut self, name: &str) {
        if let Some(entry) = self.rooms.get_mut(name) {
            entry.seats += 1;
        }
    }

    /// A seat is free again. Gives the room if it ends with it (RFC 7701 §4.1).
    fn seat_freed(&mut self, name: &str) -> Option<Entry> {
        let entry = self.rooms.get_mut(name)?;
        entry.seats = entry.seats.saturating_sub(1);
        let over = entry.seats == 0 && entry.policy.room.delete_when != DeleteWhen::Never;
        if over { self.rooms.remove(name) } else { None }
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
            self.open_room(&definition.name, definition.subject.clone(), definition.policy.clone(), None);
            if let Some(entry) = self.rooms.get_mut(&definition.name) {
                entry.standing = definition.standing.clone();
            }
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
        if self.rooms.is_full() {
            return Err(NoRoom::Full);
        }
        let policy = self.settings.rooms.defaults.clone();
        let lasts = policy.room.delete_when == DeleteWhen::Never;
        self.open_room(name, None, policy, Some(caller.clone())).ok_or(NoRoom::Unknown)?;
        if lasts {
            self.outputs.push_back(Output::Lasting { room: name.to_owned(), creator: caller.clone() });
        }
        Ok(())
    }

    pub(super) fn open_room(
        &mut self,
        name: &str,
        subject: Option<String>,
        policy: RoomPolicy,
        creator: Option<Address>,
    ) -> Option<()> {
        let settings = self.settings.clone();
        let address = Address::parse(&format!("sip:{name}@{}", settings.domain)).ok()?;
        let about = subject.as_deref().map(Into::into);
        let (room, home) = self.rooms.add(name, subject, policy.clone(), creator.clone(), settings.workers);
        self.roster_opened(name);
        let hosts = settings.hosts.clone().into();
        self.post(home, Letter::Open { room, address, hosts, subject: about, creator, policy: Box::new(policy) });
        Some(())
    }

    /// Counts a seat less; the last one may be the end of the room.
    pub(super) fn free_seat(&mut self, now: Instant, name: &str) {
        if let Some(over) = self.rooms.seat_freed(name) {
            self.roster_closed(now, over.id);
            self.post(over.home, Letter::Close { room: over.id });
        }
    }
}
