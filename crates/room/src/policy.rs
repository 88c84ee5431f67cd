//! What a room allows.

use std::time::Duration;

use crate::MediaTypes;

/// The attributes of RFC 7701 §4.1 that a room acts on, and those that the room only keeps for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Members may have nicknames.
    pub nicknames: bool,
    /// Members may write to one another in private.
    pub private_messages: bool,
    /// A user may be in the room with several sessions.
    pub simultaneous_access: bool,
    /// Media only by TLS. The room itself does not look at it.
    pub force_tls: bool,
    /// When the room ends.
    pub delete_when: DeleteWhen,
    /// The media types that may be sent to the room.
    pub wrapped_types: MediaTypes,
    /// Within what a nickname is one user's alone.
    pub nickname_scope: NicknameScope,
    /// What becomes of a nickname that looks like another user's, or like a reserved one.
    pub nickname_confusables: Confusables,
    /// How long a nickname stays kept for its user once no session of that user has it any more.
    pub nickname_quarantine: Duration,
    /// Nicknames that nobody may have, beside the names of the room itself. They are compared as nicknames are; what
    /// cannot be one is passed over.
    pub reserved_nicknames: Vec<String>,
}

impl Default for Policy {
    /// Everything is allowed; the room ends when the last session leaves; nicknames are unique in the room and kept for
    /// five minutes. Reserved are the words by which somebody could pass for the server or for those who have a say.
    fn default() -> Self {
        Self {
            nicknames: true,
            private_messages: true,
            simultaneous_access: true,
            force_tls: false,
            delete_when: DeleteWhen::Empty,
            wrapped_types: MediaTypes::any(),
            nickname_scope: NicknameScope::Room,
            nickname_confusables: Confusables::Allow,
            nickname_quarantine: Duration::from_secs(5 * 60),
            reserved_nicknames: ["admin", "administrator", "moderator", "server", "system"].map(str::to_owned).to_vec(),
        }
    }
}

/// Within what a nickname is one user's alone (RFC 7701 §4.1, §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NicknameScope {
    /// In the room.
    Room,
    /// In the room, and in all rooms of the domain that have this scope: their
    /// [`NicknameRegistry`](crate::NicknameRegistry) is asked.
    Domain,
}

/// What becomes of a nickname that looks like another (RFC 7701 §7.1, RFC 8266 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Confusables {
    /// It is granted: the rules of RFC 8266 alone say what is the same.
    Allow,
    /// It is refused where it has the skeleton (Unicode TR 39 §4) of another user's or of a reserved one.
    Refuse,
}

impl DeleteWhen {
    /// Whether a room is over when nobody has a seat in it any more. Who keeps rooms by name decides by this too.
    #[must_use]
    pub fn ends_when_empty(self) -> bool {
        self != Self::Never
    }
}

/// When a room ends (RFC 7701 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeleteWhen {
    /// When nobody has a seat any more.
    Empty,
    /// When its creator leaves: everybody else is dismissed. Without a known creator it ends when nobody has a seat any more.
    CreatorLeaves,
    /// Never by itself.
    Never,
}
