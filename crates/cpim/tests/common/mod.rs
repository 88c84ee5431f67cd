//! What the tests of this crate share.

#![allow(dead_code, reason = "each file of tests uses its part")]

use cpim::{Error, Head, parse_head};

/// A text with the line ends that RFC 3862 wants.
pub(crate) fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// The head of octets that hold a whole one.
pub(crate) fn whole(octets: &[u8]) -> Head<'_> {
    parse_head(octets).expect("the head is well-formed").expect("the head is complete")
}

/// The error that octets are.
pub(crate) fn error(octets: &[u8]) -> Error {
    parse_head(octets).expect_err("the head is refused")
}

/// The URIs of addresses, in their order.
pub(crate) fn uris<'a>(addresses: &[cpim::Address<'a>]) -> Vec<&'a str> {
    addresses.iter().map(|address| address.uri).collect()
}
