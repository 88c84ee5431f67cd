//! The side that is asked.

use std::fmt;

use super::challenge::digest_params;
use super::digest::{Algorithm, Proof, ha1};
use crate::typed::quote;

/// A user name and its password. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: String,
    realm: Option<String>,
}

impl Credentials {
    /// Credentials for any realm that asks; narrow them with [`Credentials::for_realm`] where the peer is not known.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into(), realm: None }
    }

    /// Only for this realm: a challenge of any other is not answered.
    #[must_use]
    pub fn for_realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// The answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The value of Authorization or Proxy-Authorization.
    pub value: String,
    /// Whether the challenge said `stale=true`: the password was right before.
    pub stale: bool,
}

/// Answers the strongest challenge of one realm among the values of WWW-Authenticate or Proxy-Authenticate (RFC 8760
/// §2.4: the topmost known, except that SHA-256 goes before MD5). `cnonce` is random. `None` when no challenge can be
/// met: another scheme, realm, algorithm or qop. A challenge without qop comes from a server older than RFC 8760 and is
/// answered in its way, without qop (RFC 2617 §3.2.2).
#[must_use]
pub fn answer<'a>(
    credentials: &Credentials,
    challenges: impl IntoIterator<Item = &'a str>,
    method: &str,
    uri: &str,
    cnonce: &str,
) -> Option<Answered> {
    let challenges = challenges.into_iter().filter_map(Challenge::read);
    let wanted = |challenge: &Challenge| credentials.realm.as_ref().is_none_or(|realm| *realm == challenge.realm);
    let challenge = challenges.filter(wanted).min_by_key(|challenge| challenge.algorithm)?;
    let algorithm = challenge.algorithm;
    let nc = "00000001";
    let proof = Proof { algorithm, nonce: &challenge.nonce, nc, cnonce, method, uri };
    let secret = ha1(algorithm, &credentials.username, &challenge.realm, &credentials.password);
    let mut value = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, algorithm={}",
        quote(&credentials.username),
        quote(&challenge.realm),
        quote(&challenge.nonce),
        quote(uri),
        algorithm.as_str()
    );
    if challenge.qop {
        let response = proof.response(&secret);
        value.push_str(&format!(", response=\"{response}\", qop=auth, nc={nc}, cnonce={}", quote(cnonce)));
    } else {
        value.push_str(&format!(", response=\"{}\"", proof.response_without_qop(&secret)));
    }
    if let Some(opaque) = &challenge.opaque {
        value.push_str(&format!(", opaque={}", quote(opaque)));
    }
    Some(Answered { value, stale: challenge.stale })
}

struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    qop: bool,
    stale: bool,
}

impl Challenge {
    fn read(value: &str) -> Option<Self> {
        let params = digest_params(value).ok()?;
        let get =
            |name: &str| params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let qop = match get("qop") {
            None => false,
            Some(offers) if offers.split(',').any(|offer| offer.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return None,
        };
        Some(Self {
            realm: get("realm")?.clone(),
            nonce: get("nonce")?.clone(),
            opaque: get("opaque").cloned(),
            algorithm: get("algorithm").map_or(Some(Algorithm::Md5), |token| Algorithm::from_token(token))?,
            qop,
            stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}
