//! What a room is told.

use crate::{Address, AskId, MediaTypes, Policy};

/// One session of a participant. Whoever commands the room chooses it and never uses it for another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeatId(pub u64);

/// Who takes a seat. Its addresses have been proved to be theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The address under which the room lists the user and others reach it.
    pub identity: Address,
    /// Who the user is by its credential, where that is not to be seen: `identity` was then made for this seat. It is never
    /// shown. What a user may have once, or keeps, goes by it: seats, nicknames, the room it created.
    pub account: Option<Address>,
    /// Other addresses of the same user (RFC 7701 §5.2): they may stand in From, and private messages to them arrive.
    /// The first 16 count.
    pub aliases: Vec<Address>,
    /// The name for people, if any.
    pub display_name: Option<String>,
    /// What the session can do.
    pub capabilities: Capabilities,
}

/// What a session declared that it can do (RFC 7701 §8; RFC 4975 §8.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// It takes private messages.
    pub private_messages: bool,
    /// It knows what a chat room is: it declares the attribute, whatever the features.
    pub aware: bool,
    /// The media types that it takes inside the wrapper.
    pub types: MediaTypes,
}

/// What happens to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Somebody wants a seat. Answered by [`Seated`](crate::Effect::Seated) or [`Refused`](crate::Effect::Refused).
    Join {
        /// The seat.
        seat: SeatId,
        /// Who takes it.
        guest: Guest,
    },
    /// Somebody wants a seat in the place of another of theirs (RFC 3891): when it enters, that one is dismissed, and its nickname
    /// goes over. Answered like [`Join`](Self::Join), and the same where the other seat is not of the same account.
    Replace {
        /// The seat.
        seat: SeatId,
        /// Who takes it.
        guest: Guest,
        /// The one that it is to replace.
        old: SeatId,
    },
    /// The session's media are there, for the first time or again: from now on it is a member, listed and reached.
    Enter {
        /// The seat.
        seat: SeatId,
    },
    /// The media of a member are gone, while its seat is kept for some time: it stays listed and has its nickname, but
    /// messages do not reach it. It enters again, or leaves.
    Suspend {
        /// The seat.
        seat: SeatId,
    },
    /// The session declares other capabilities than before.
    Update {
        /// The seat.
        seat: SeatId,
        /// What it can do now.
        capabilities: Capabilities,
    },
    /// The session is not heard any more, or is heard again. It stays a member otherwise.
    Mute {
        /// The seat.
        seat: SeatId,
        /// Whether it is silenced.
        muted: bool,
    },
    /// The session is over, by whatever cause.
    Leave {
        /// The seat.
        seat: SeatId,
    },
    /// The session wants a nickname (RFC 7701 §7). Answered by [`Nickname`](crate::Effect::Nickname): at once or, where
    /// the registry of the domain has to be asked, later, unless the session leaves before.
    Nickname {
        /// The seat.
        seat: SeatId,
        /// What the answer is to carry, so that the wish is found again.
        token: u64,
        /// The nickname as it was asked for; nothing or an empty text gives up the one it has (§7.3).
        name: Option<&'a str>,
    },
    /// The session sends a message (RFC 7701 §6). Answered by [`Deliver`](crate::Effect::Deliver) or
    /// [`Reject`](crate::Effect::Reject).
    Post {
        /// The seat.
        seat: SeatId,
        /// What the answer is to carry, so that the message is found again.
        token: u64,
        /// The URIs of the wrapper's From headers, as they stand there.
        from: &'a [&'a str],
        /// The URIs of the wrapper's To headers, as they stand there.
        to: &'a [&'a str],
        /// The type of the wrapped content.
        content_type: &'a str,
    },
    /// The registry of the domain has answered a [`Registration`](crate::Registration). An answer that comes too late
    /// is passed over.
    NicknameAnswer {
        /// Which question.
        ask: AskId,
        /// Whether the session may have the nickname.
        granted: bool,
    },
    /// The room is deleted: everybody is dismissed and nobody gets in any more.
    Close,
    /// The policy changes. Seats and nicknames that the new one would not grant are kept, and a nickname that was
    /// granted in the room alone is not made known to the domain.
    SetPolicy(Box<Policy>),
}
