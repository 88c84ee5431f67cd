//! A chat-room user agent without sockets, threads or a clock: what RFC 7701 asks of a participant.
//!
//! [`Agent`] is one user in one room. It calls the room (SIP), opens and binds the media session (MSRP), wraps what is
//! said in Message/CPIM and unwraps what comes. Octets and the time come in as arguments, octets and [`Event`]s go out.
//! It serves a terminal, a load generator and the tests of a server alike.
//!
//! Who wants to ([`Join::roster`]) is told who is in the room, and what becomes different ([`RosterEvent`]).
//!
//! Deliberately not here: sockets, DNS and TLS (who runs the agent connects where it says), a connection of several rooms, a room without Message/CPIM.

mod agent;
mod api;
mod description;
mod media;
mod roster;
mod seat;
mod wrapper;

pub use agent::{Agent, Generators};
pub use api::{
    Config, Event, Input, Join, JoinFailure, Leaving, MediaId, MessageId, NicknameFailure, Output, Recipient, Refused,
    Room, Said, WallClock, room_realm,
};
pub use roster::{Member, Roster, RosterEvent};
// What stands on this face and is theirs: nobody above needs to import it.
pub use conference_info::model::DisconnectionMethod;
pub use sip;
