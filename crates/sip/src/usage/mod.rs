//! The usages a dialog can have (RFC 5057).

pub(crate) mod invite;
pub(crate) mod timer;
