//! A chat room: who is in it, by which nickname, what its policy allows and to whom a message goes.
//!
//! A [`Room`] is a value without sockets, threads or a clock. It is told what happens as a [`Command`] and says what
//! follows from it as [`Effect`]s, always the same for the same commands. It carries out the part of RFC 7701 that no
//! protocol is needed for: §4.1 (policy), §6.1 and §6.2 (who gets what), §7 (nicknames, by RFC 8266).
//!
//! Where nicknames are to be unique in a whole domain, a [`NicknameRegistry`] decides for all its rooms. It is a value of
//! its own with an owner of its own: what a room has to say to it are [`Registration`]s, which somebody carries there.
//!
//! What this crate deliberately lacks: any knowledge of SIP, MSRP or CPIM, and their codes. It does not see the
//! content of messages, it does not list the recipients of a message to all (it names an [`Audience`], which those turn
//! into sessions who own them), and it does not authenticate: an [`Address`] in a [`Guest`] is taken to be proved.

mod address;
mod command;
mod effect;
mod media_types;
mod nickname;
mod policy;
mod registry;
mod reserved;
mod room;
mod roster;
mod routing;

pub use address::{Address, AddressError, MAX_ADDRESS, Scheme};
pub use command::{Capabilities, Command, Guest, SeatId};
pub use effect::{Audience, Change, Dismissal, Effect, Epoch, Refusal, Sequence};
pub use media_types::{MediaTypeError, MediaTypes};
pub use nickname::{MAX_NICKNAME, Nickname, NicknameError};
pub use policy::{Confusables, DeleteWhen, NicknameScope, Policy};
pub use registry::{AskId, NicknameRegistry, Registration};
pub use room::{MAX_SEATS, Room};
pub use roster::{MAX_SEATS_OF_USER, SeatView, UserView};
