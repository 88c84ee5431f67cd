//! What a room says.

use crate::{Address, Registration, SeatId};

/// Counts the entries into a room. Who entered in an epoch gets the messages of that epoch and of later ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// The place of a message in the order of its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence {
    /// The epoch in which the message was accepted.
    pub epoch: Epoch,
    /// Counts the accepted messages of the room over all epochs, from 1.
    pub number: u64,
}

/// What follows from a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The seat is taken. It is no member before it enters.
    Seated {
        /// The seat.
        seat: SeatId,
    },
    /// The seat is not given.
    Refused {
        /// The seat asked for.
        seat: SeatId,
        /// Why.
        refusal: Refusal,
    },
    /// The session is a member from now on.
    Entered {
        /// The seat.
        seat: SeatId,
        /// Its first epoch.
        epoch: Epoch,
    },
    /// The seat is free and its nickname released.
    Left {
        /// The seat.
        seat: SeatId,
    },
    /// A message is accepted and goes to the audience.
    Deliver {
        /// Who sent it.
        seat: SeatId,
        /// The token of the command.
        token: u64,
        /// Its place in the room's order.
        sequence: Sequence,
        /// Who gets it.
        audience: Audience,
    },
    /// A message is refused; nobody gets it.
    Reject {
        /// Who sent it.
        seat: SeatId,
        /// The token of the command.
        token: u64,
        /// Why.
        refusal: Refusal,
    },
    /// The answer to a wish for a nickname.
    Nickname {
        /// Whose wish it was.
        seat: SeatId,
        /// The token of the command.
        token: u64,
        /// The nickname in force as it is to be shown (`None` after a removal), or why nothing has changed.
        outcome: Result<Option<String>, Refusal>,
    },
    /// This is for the registry of the domain in which nicknames are unique.
    Register(Registration),
    /// The session is to be ended; [`Command::Leave`](crate::Command::Leave) is expected after it.
    Dismiss {
        /// The seat.
        seat: SeatId,
        /// Why.
        reason: Dismissal,
    },
    /// The list of the members is another.
    Roster(Change),
    /// Nobody has a seat any more. [`Room::is_over`](crate::Room::is_over) says whether this is the room's end.
    Empty,
}

/// Who gets a message. Types and capabilities of a single session are weighed by those who own the sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// All members but one session; other sessions of the sender are among them.
    Everyone {
        /// The session that sent the message.
        except: SeatId,
        /// Members whose epoch is not above this one.
        since: Epoch,
    },
    /// The members that are sessions of one user, take private messages and accept the type. They may be none, where
    /// somebody writes to themselves.
    User {
        /// The user.
        identity: Address,
        /// The session that sent the message.
        except: SeatId,
        /// Members whose epoch is not above this one.
        since: Epoch,
    },
}

/// A difference in what the room's list of members shows. Whoever has not entered yet is not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A user is listed that was not before, with one session.
    UserJoined {
        /// The user.
        identity: Address,
        /// The session.
        seat: SeatId,
        /// The name for people.
        display_name: Option<String>,
    },
    /// One more session of a listed user has entered.
    SeatJoined {
        /// The user.
        identity: Address,
        /// The session.
        seat: SeatId,
    },
    /// A session of a user has left that is still listed with others.
    SeatLeft {
        /// The user.
        identity: Address,
        /// The session.
        seat: SeatId,
    },
    /// The last session of a user has left: it is listed no more.
    UserLeft {
        /// The user.
        identity: Address,
        /// The session.
        seat: SeatId,
    },
    /// A session is listed, but not reached for the time being.
    SeatSuspended {
        /// The user.
        identity: Address,
        /// The session.
        seat: SeatId,
    },
    /// It is reached again.
    SeatResumed {
        /// The user.
        identity: Address,
        /// The session.
        seat: SeatId,
    },
    /// A listed user is shown by another name for people: by that of the first of its sessions that has one.
    DisplayNameChanged {
        /// The user.
        identity: Address,
        /// The name now shown.
        display_name: Option<String>,
    },
    /// A listed user is shown by another nickname: by the one that was granted last among its sessions.
    NicknameChanged {
        /// The user.
        identity: Address,
        /// The nickname now shown.
        nickname: Option<String>,
    },
}

/// Why a session is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dismissal {
    /// The room is deleted (RFC 7701 §5.3).
    RoomDeleted,
    /// The room ends with its creator, who has left (RFC 7701 §4.1).
    CreatorLeft,
    /// Another session of the user has come in its place (RFC 3891).
    Replaced,
}

/// Why a wish is refused. Which code a protocol has for it is the protocol's matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The room is closed.
    #[error("the room is closed")]
    Closed,
    /// The seat is taken already.
    #[error("the seat is taken")]
    SeatTaken,
    /// The user is in the room already, and the policy allows one session a user.
    #[error("the user is in the room already")]
    AlreadyPresent,
    /// The room, or the user, has as many seats as it may have.
    #[error("no seat is left")]
    Full,
    /// The session is no member (yet, or any more), or is suspended.
    #[error("not a member of the room")]
    NotAMember,
    /// The message has no From.
    #[error("the message names no sender")]
    NoFrom,
    /// From is not an address of the sender, or there are several.
    #[error("From is not the sender's")]
    NotASender,
    /// The session is muted.
    #[error("not allowed to speak")]
    Muted,
    /// The message has no To.
    #[error("the message names no recipient")]
    NoTo,
    /// The message has several To.
    #[error("the message has several recipients")]
    SeveralRecipients,
    /// To is neither the room nor a member, or it is no address.
    #[error("there is no such recipient")]
    NoSuchRecipient,
    /// The policy forbids private messages.
    #[error("the room does not allow private messages")]
    PrivateForbidden,
    /// No session of the recipient takes private messages.
    #[error("the recipient does not take private messages")]
    PrivateUnsupported,
    /// No session of the recipient that takes private messages accepts the type.
    #[error("the recipient does not accept the type")]
    TypeNotAccepted,
    /// The policy does not allow the type.
    #[error("the room does not allow the type")]
    TypeNotInPolicy,
    /// The policy forbids nicknames.
    #[error("the room does not allow nicknames")]
    NicknamesOff,
    /// The text cannot be a nickname.
    #[error("the nickname is malformed")]
    NicknameMalformed,
    /// Another user has the nickname or, where the policy minds, one that looks like it; or it is kept for that user
    /// for a while after leaving.
    #[error("the nickname is taken")]
    NicknameTaken,
    /// The policy reserves the nickname, or it is what the room or somebody else is called by their address.
    #[error("the nickname is reserved")]
    NicknameReserved,
    /// The registry of the domain has not answered in time.
    #[error("whether the nickname is free is not known")]
    NicknameUndecided,
    /// The session has too many wishes for nicknames that are not answered yet.
    #[error("too many nicknames are wished for at a time")]
    NicknameBusy,
}
