//! Digest authentication: RFC 3261 §22 with the algorithms and the order of RFC 8760, RFC 7616's computation, qop `auth`.
//!
//! [`Authenticator`] is the side that asks, [`Credentials`] and [`answer`] the side that is asked. MD5 is there because
//! peers have nothing better; SHA-256 stands first in every set of challenges and is taken first from one.

mod challenge;
mod credentials;
mod digest;

pub use challenge::{Authenticator, Authorization, Verdict, parse_authorization};
pub use credentials::{Answered, Credentials, answer};
pub use digest::{Algorithm, ha1};
