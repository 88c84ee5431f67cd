//! RFC 7701: what makes a chat room of SIP and MSRP.
//!
//! The conference focus ([`signalling`]) answers INVITEs, the MSRP switch ([`worker`]) relays what is said. Both are values
//! that are handed time, randomness and octets, and that hand back what should be done; the shell around them owns the sockets.
//! [`node`] puts one focus and its workers together for those who want the whole thing as one value.
//!
//! ```text
//! room (order) ─▶ each worker with members: its branch ─▶ each session's outlet ─▶ socket
//! ```
//!
//! What this crate deliberately lacks: sockets, threads, clocks, randomness of its own, and locks. The only way from one owner
//! to another is [`mail`].

mod arena;
mod branch;
pub mod desk;
mod home;
pub mod ids;
pub mod mail;
pub mod node;
mod outlet;
mod pace;
mod session;
pub mod settings;
pub mod signalling;
mod switch;
mod timers;
pub mod worker;

pub use ids::{ConnectionId, Place, WorkerId};
pub use mail::Mail;
pub use node::Node;
pub use pace::Rate;
pub use settings::Settings;
pub use signalling::Signalling;
pub use worker::Worker;
// What stands on this face and is theirs: nobody above needs to import them.
pub use {room, sip};
