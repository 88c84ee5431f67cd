//! What MSRP says in SDP (RFC 4975 §8, RFC 6135, RFC 7701 §8).
