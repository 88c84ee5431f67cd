//! The conference information documents: who is in a conference, as RFC 4575 and RFC 6501 write it, what changed, and
//! the picture that a subscriber puts together.
//!
//! - [`model`]: a conference as plain data.
//! - [`Changes`]: what changed since a subscriber was last told. It adds up, and costs what changed.
//! - [`document`]: full and partial documents (RFC 4575), full ones and patches (RFC 6501, 6502, 5261). A
//!   [`Rendering`](document::Rendering) is made once for all subscribers, who differ in the version and in which user they are.
//! - [`read`]: reads all of these from octets that somebody else wrote.
//! - [`view`]: merges them as a subscriber does (RFC 4575 §4.6, RFC 6502 §5.2).
//!
//! What this crate deliberately lacks: subscriptions, pacing and version counters (their owner hands in each number);
//! who may see what (the owner makes a [`Conference`] for each kind of subscriber); any comparison of URIs beyond that
//! of octets (§4.5); sidebars, cascaded foci, floors, media controls, and the other policies of RFC 6501; validation against a
//! schema; patches beyond those that change what is modelled here.
//!
//! **Keys.** What must be unique among its siblings (users, endpoints, media, URIs, labels; §4.5) is the key of a map.
//!
//! **Characters.** Any text can be written: what XML 1.0 cannot hold (most control characters, U+FFFE, U+FFFF) becomes
//! U+FFFD. In URIs what no URI can hold is written with percent signs. So two keys that differ in such characters alone
//! become one, and the last of them counts; who hands in URIs need not think of it.

mod changes;
pub mod document;
pub mod model;
pub mod read;
pub mod view;
mod write;

pub use changes::Changes;
pub use model::Conference;

/// The media type of RFC 4575's documents, full and partial.
pub const CONFERENCE_INFO: &str = "application/conference-info+xml";
/// The media type of RFC 6502's full documents.
pub const XCON_CONFERENCE_INFO: &str = "application/xcon-conference-info+xml";
/// The media type of RFC 6502's patches.
pub const XCON_CONFERENCE_INFO_DIFF: &str = "application/xcon-conference-info-diff+xml";

/// The namespaces.
mod namespace {
    /// RFC 4575 §4.2.
    pub(crate) const INFO: &str = "urn:ietf:params:xml:ns:conference-info";
    /// RFC 6501 §9.2, of the patches too (RFC 6502 §5.3).
    pub(crate) const XCON: &str = "urn:ietf:params:xml:ns:xcon-conference-info";
    /// Of the attribute `own`.
    pub(crate) const OWN: &str = "urn:tertulia:conference-info";
}
