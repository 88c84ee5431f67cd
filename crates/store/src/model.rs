//! What is kept, as values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use room::Address;

/// What is said of the policy of a room, by key: those of `[rooms.defaults]`, in the notation of the configuration. What is not
/// there is as the defaults have it. Keys that nobody knows are kept.
pub type Overrides = BTreeMap<String, serde_json::Value>;

/// A room that lasts, and what is to be known of it while nobody is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRoom {
    /// Its address.
    pub uri: Address,
    /// What it is about.
    pub subject: Option<String>,
    /// How it differs from the defaults.
    pub policy: Overrides,
    /// Who made it, where that was a user.
    pub creator: Option<Address>,
    /// Whether it is the operator's, made or taken over, and not one that users have made and may end.
    pub is_permanent: bool,
    /// Who has a say in it.
    pub moderators: BTreeSet<Address>,
    /// Who gets in; without a list everybody does.
    pub members: Option<BTreeSet<Address>>,
    /// Whether it is shown to nobody who is not in it.
    pub hidden: bool,
    /// What proves that somebody knows its password.
    pub password: Option<Ha1>,
    /// Who does not get in.
    pub bans: BTreeSet<Address>,
    /// Who is not heard.
    pub mutes: BTreeSet<Address>,
}

impl StoredRoom {
    /// A room of the operator's of which nothing is said but its address.
    pub fn new(uri: Address) -> Self {
        Self {
            uri,
            subject: None,
            policy: Overrides::new(),
            creator: None,
            is_permanent: true,
            moderators: BTreeSet::new(),
            members: None,
            hidden: false,
            password: None,
            bans: BTreeSet::new(),
            mutes: BTreeSet::new(),
        }
    }
}

/// Somebody who can log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredUser {
    /// The address under which the user is known.
    pub uri: Address,
    /// What proves the user.
    pub password: Ha1,
    /// The user's other addresses, in the order in which they were given.
    pub aliases: Vec<Address>,
}

/// What proves knowledge of a password to one realm: H(user:realm:password), RFC 7616 §3.4.2, in lower-case hexadecimal.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ha1 {
    /// By SHA-256, 64 digits.
    pub sha256: Option<String>,
    /// By MD5, 32 digits.
    pub md5: Option<String>,
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Who has an HA1 can log in with it: none gets into a log.
        f.debug_struct("Ha1").finish_non_exhaustive()
    }
}
