//! What changed since a subscriber was last told.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What changed between what a subscriber knows and how the conference is now. It holds names, not values: those are taken
/// from the conference when a document is rendered. It costs what changed, and adds up: who came and went again has not
/// changed anything.
///
/// The order of the calls is that of the changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub(crate) description: bool,
    pub(crate) host: bool,
    pub(crate) state: bool,
    pub(crate) users: BTreeMap<String, Change>,
}

/// What became of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Changed,
    /// Nothing but the nickname.
    Nickname {
        /// Whether the subscriber knows one.
        had_one: bool,
    },
    Removed,
}

impl Changes {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The users about whom there is something to tell, in a fixed order.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(String::as_str)
    }

    /// The conference's description is another one.
    pub fn description_changed(&mut self) {
        self.description = true;
    }

    /// The conference's host is another one.
    pub fn host_changed(&mut self) {
        self.host = true;
    }

    /// The conference's state, its number of users for one, is another one. Not implied by what users do.
    pub fn state_changed(&mut self) {
        self.state = true;
    }

    /// A user is new.
    pub fn user_added(&mut self, entity: &str) {
        self.user(entity, Change::Added);
    }

    /// Something about a user is different, its endpoints included.
    pub fn user_changed(&mut self, entity: &str) {
        self.user(entity, Change::Changed);
    }

    /// A user's nickname is different and nothing else: what [`user_changed`](Self::user_changed) would say too, but at
    /// greater length. `before` is the nickname that it had.
    pub fn nickname_changed(&mut self, entity: &str, before: Option<&str>) {
        self.user(entity, Change::Nickname { had_one: before.is_some() });
    }

    /// A user is not there any more.
    pub fn user_removed(&mut self, entity: &str) {
        self.user(entity, Change::Removed);
    }

    /// Adds what changed after this. Costs what `later` holds.
    pub fn merge(&mut self, later: &Changes) {
        self.description |= later.description;
        self.host |= later.host;
        self.state |= later.state;
        for (entity, change) in &later.users {
            self.user(entity, *change);
        }
    }

    fn user(&mut self, entity: &str, later: Change) {
        match self.users.entry(entity.to_owned()) {
            Entry::Vacant(vacant) => {
                vacant.insert(later);
            }
            Entry::Occupied(mut occupied) => match occupied.get().then(later) {
                Some(change) => {
                    occupied.insert(change);
                }
                None => {
                    occupied.remove();
                }
            },
        }
    }
}

impl Change {
    /// Both, one after the other; `None` where nothing is left to tell.
    fn then(self, later: Change) -> Option<Change> {
        use Change::{Added, Changed, Nickname, Removed};
        match (self, later) {
            (Added, Removed) => None,
            (Added, _) => Some(Added),
            (_, Removed) => Some(Removed),
            (Nickname { had_one }, Nickname { .. }) => Some(Nickname { had_one }),
            // Who left and came back is known to the subscriber, as somebody else maybe.
            (Removed | Changed | Nickname { .. }, _) => Some(Changed),
        }
    }
}
