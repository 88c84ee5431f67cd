//! Transactions (RFC 3261 §17, RFC 6026): what makes one message of its copies.

pub(crate) mod client;
pub(crate) mod server;

/// The start of every branch that is unique by itself (RFC 3261 §8.1.1.7).
pub(crate) const COOKIE: &str = "z9hG4bK";
