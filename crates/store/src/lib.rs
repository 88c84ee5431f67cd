//! What a chat-room server must find again after it has ended, however it ended: rooms that last, and users.
//!
//! A [`Store`] is a handle on a database, SQLite in a file of the server's own. What it keeps are plain values, [`StoredRoom`] and
//! [`StoredUser`], read and written whole. Each write is one transaction, and one that has returned is on the disk: after a
//! crash there is what was written last, or what was there before, never a mixture.
//!
//! What this crate deliberately lacks: any rule about what a room may be or who may change it, and the meaning of a policy
//! key, so that it keeps those of later versions too; passwords, of which it has only the digest's HA1; and the rooms that end
//! by themselves, which nobody misses.

mod error;
mod model;
mod read;
mod schema;
mod store;

pub use error::Error;
pub use model::{Ha1, Overrides, StoredRoom, StoredUser};
pub use schema::SCHEMA;
pub use store::Store;
