//! The usages a dialog can have (RFC 5057).
