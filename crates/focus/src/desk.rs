//! What the operator may say to the rooms of a node, and what is answered: plain values, which come by whatever way.
//!
//! A room is named by the user part of its URI. Who keeps what must last does so before the command is given here: a room
//! forgets with the node.

use std::collections::BTreeSet;
use std::fmt;

use room::{Address, DeleteWhen};

use crate::settings::RoomPolicy;

/// A command, in its answer. Whoever gives the command chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeskId(pub u64);

/// What the operator wants. Each is answered by one [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Which rooms there are. Answered by [`Answer::Rooms`].
    List,
    /// Everything about a room. Answered by [`Answer::Room`].
    Show {
        /// The room.
        room: String,
    },
    /// There is to be a room.
    Create {
        /// Its name: the user part of its URI.
        room: String,
        /// How it is.
        charter: Box<Charter>,
    },
    /// A room is to end. Everybody in it gets a BYE.
    Delete {
        /// The room.
        room: String,
        /// What they are told.
        reason: Option<String>,
    },
    /// A room is to be otherwise from now on.
    Set {
        /// The room.
        room: String,
        /// What changes.
        change: Change,
    },
    /// A user has to go, from all sessions, and may come again.
    Kick {
        /// The room.
        room: String,
        /// The user, by any of its addresses.
        user: Address,
        /// What it is told.
        reason: Option<String>,
    },
    /// Who is known in a room by an address: of a private participant the account. Answered by [`Answer::Whose`].
    Whose {
        /// The room.
        room: String,
        /// The address.
        user: Address,
    },
    /// A user has to go and does not get in any more.
    Ban {
        /// The room.
        room: String,
        /// The user, by any of its addresses.
        user: Address,
    },
    /// It gets in again.
    Unban {
        /// The room.
        room: String,
        /// The address that was banned.
        user: Address,
    },
    /// A user is not heard any more.
    Mute {
        /// The room.
        room: String,
        /// The user, by any of its addresses.
        user: Address,
    },
    /// It is heard again.
    Unmute {
        /// The room.
        room: String,
        /// The address that was muted.
        user: Address,
    },
    /// Who comes is asked for a password from now on, or not any more.
    Password {
        /// The room.
        room: String,
        /// What proves it; nothing: none is asked for.
        password: Option<Ha1s>,
    },
    /// A user has a say in a room, or has it no more.
    Moderator {
        /// The room.
        room: String,
        /// The user.
        user: Address,
        /// Whether it has.
        is: bool,
    },
    /// A user is on the list of members, which is made with the first, or is on it no more.
    Member {
        /// The room.
        room: String,
        /// The user.
        user: Address,
        /// Whether it is.
        is: bool,
    },
    /// There is no list of members any more: everybody gets in.
    Open {
        /// The room.
        room: String,
    },
    /// A room is shown to those in it alone, or to everybody.
    Hidden {
        /// The room.
        room: String,
        /// Whether it is hidden.
        hidden: bool,
    },
}

/// What changes by [`Command::Set`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// What the room is about.
    Subject(Option<String>),
    /// What rules it, whole. Who is there keeps what it has by the policy before: its seat, its nickname, its media.
    Policy(Box<RoomPolicy>),
    /// The room is the operator's from now on, whoever has made it ([`Charter::is_permanent`]).
    Permanent,
}

/// What is to be known of a room beside its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charter {
    /// What it is about.
    pub subject: Option<String>,
    /// What rules it.
    pub policy: RoomPolicy,
    /// Who made it, where that was a user.
    pub creator: Option<Address>,
    /// Who is what in it.
    pub standing: Standing,
    /// Whether it is the operator's: who has a say in it may have everybody go, and it stays. What users have made, and the operator
    /// has not taken over by [`Change::Permanent`], they end.
    pub is_permanent: bool,
}

/// Who is what in a room, whether present or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Who has a say.
    pub moderators: BTreeSet<Address>,
    /// Who gets in, beside the moderators; without a list everybody does.
    pub members: Option<BTreeSet<Address>>,
    /// Who does not get in.
    pub banned: BTreeSet<Address>,
    /// Who is not heard.
    pub muted: BTreeSet<Address>,
    /// Whether the room is shown to nobody who is not in it.
    pub hidden: bool,
    /// What proves that somebody knows the room's password.
    pub password: Option<Ha1s>,
}

/// What proves knowledge of a room's password: H(user:realm:password), RFC 7616 §3.4.2, in lower-case hexadecimal. The realm is
/// the room's URI and the user its name, so that one password is everybody's.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1s {
    /// By SHA-256.
    pub sha256: Option<String>,
    /// By MD5.
    pub md5: Option<String>,
}

impl fmt::Debug for Ha1s {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Who has an HA1 gets in with it.
        f.debug_struct("Ha1s").finish_non_exhaustive()
    }
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All rooms, in the order of their names.
    Rooms(Vec<Summary>),
    /// One room.
    Room(Box<View>),
    /// Whose address it is: the account's, or the address itself.
    Whose(Address),
    /// It is so now.
    Done {
        /// How many sessions were ended by it.
        ended: usize,
    },
    /// Nothing has changed.
    Refused(Refusal),
}

/// A room in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its name: the user part of its URI.
    pub room: String,
    /// What it is about.
    pub subject: Option<String>,
    /// When it ends.
    pub delete_when: DeleteWhen,
    /// Whether it is shown to nobody who is not in it.
    pub hidden: bool,
    /// How many users have a seat in it, or are about to take one; who is being called has none.
    pub users: usize,
    /// How many seats they have.
    pub sessions: usize,
}

/// A room, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its name: the user part of its URI.
    pub room: String,
    /// How it is.
    pub charter: Charter,
    /// Who has a seat in it, or is about to take one, in the order of their addresses; who is being called has none.
    pub people: Vec<Person>,
}

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The address by which the room knows them.
    pub address: Address,
    /// How many seats they have.
    pub sessions: usize,
}

/// Why nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no room of that name.
    #[error("there is no such room")]
    NoSuchRoom,
    /// There is a room of that name already.
    #[error("there is a room of that name already")]
    RoomExists,
    /// No URI can have that name.
    #[error("no room can have that name")]
    Unnameable,
    /// Nobody of that address has a seat, or stands on the list in question.
    #[error("nobody of that address is there")]
    NoSuchUser,
    /// There are as many rooms as there may be.
    #[error("there are too many rooms")]
    TooMany,
    /// The node is about to end.
    #[error("the server is ending")]
    Ending,
}
