//! The Message/CPIM format, RFC 3862: the wrapper that says from whom and to whom a message is.
//!
//! [`parse_head`] reads the headers of a message while it still arrives and says where its content begins; it borrows
//! from the octets and copies nothing, so that a transfer agent hands on exactly what came (§2.2). [`Message`] writes
//! a new one. [`unescape`] and [`quote`] are the escape mechanism of §2.3.
//!
//! What this crate deliberately lacks: it does not touch the content (decoding of `Content-Transfer-Encoding`,
//! multiparts and signatures belong to who shows it), does not compare URIs and does not check `DateTime`.
//!
//! Where it reads more than the RFC allows, because peers in use write it: an address without angle brackets, any or no
//! space after a header's colon, content headers that end in a bare LF, and the form without a block of content headers
//! of its own that the examples of RFC 7701 §9 have (where `Content-Type` stands among the message headers, these are
//! all the headers there are). Where it reads less: what two readers could take for two different senders is an error
//! ([`Error::Ambiguous`], [`Error::BareLineFeed`]).

mod content;
mod encode;
mod error;
mod escape;
mod head;
mod metadata;

pub use encode::{Message, Party};
pub use error::Error;
pub use escape::{escape, quote, unescape};
pub use head::{Address, Head, MAX_HEAD, parse_head};
