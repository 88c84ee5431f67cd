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
    /// How long a nickname stays kept for its user once no session of that user has it any more.
    pub nickname_quarantine: Duration,
    /// Nicknames that nobody may have. They are compared as nicknames are; what cannot be one is passed over.
    pub reserved_nicknames: Vec<String>,
}

impl Default for Policy {
    /// Everything is allowed; the room ends when the last session leaves; nicknames are kept for five minutes.
    fn default() -> Self {
        Self {
            nicknames: true,
            private_messages: true,
            simultaneous_access: true,
            force_tls: false,
            delete_when: DeleteWhen::Empty,
            wrapped_types: MediaTypes::any(),
            nickname_quarantine: Duration::from_secs(5 * 60),
            reserved_nicknames: Vec::new(),
        }
    }
}

/// When a room ends (RFC 7701 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeleteWhen {
    /// When nobody has a seat any more.
    Empty,
    /// When its creator leaves: everybody else is dismissed. Without a known creator it does not end by itself.
    CreatorLeaves,
    /// Never by itself.
    Never,
}
