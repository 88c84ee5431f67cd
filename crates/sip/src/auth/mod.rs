//! Digest authentication: RFC 3261 §22 with the algorithms and the order of RFC 8760, RFC 7616's computation, qop `auth`.
//!
//! [`Authenticator`] is the side that asks, [`Credentials`] and [`answer`] the side that is asked. MD5 is there because
//! peers have nothing better; SHA-256 stands first in every set of challenges and is taken first from one.
//!
//! Deliberately not here: qop `auth-int`, the `-sess` algorithms, SHA-512-256, hashed user names, Authentication-Info.
//! None is offered; a challenge that asks for nothing else cannot be met.

mod challenge;
mod credentials;
mod digest;
mod keyring;

pub use challenge::{Authenticator, Authorization, Verdict, find_authorization, parse_authorization};
pub use credentials::{Answered, Credentials, answer, challenged_realm};
pub use digest::{Algorithm, ha1};
pub(crate) use keyring::{Asker, Keyring};
