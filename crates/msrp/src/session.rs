//! An endpoint's side of one session (RFC 4975 §5).
