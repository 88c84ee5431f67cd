//! The side that is asked.

use std::fmt;

use super::challenge::digest_params;
use super::digest::{Algorithm, Proof, ha1};
use crate::typed::quote;

/// A user name and its password, and the realms that they are for. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: String,
    realms: Realms,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Realms {
    Any,
    AnyBut(String),
    Only(String),
}

impl Credentials {
    /// Credentials for any realm that asks; narrow them with [`Credentials::for_realm`] where the peer is not known.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into(), realms: Realms::Any }
    }

    /// Only for this realm: a challenge of any other is not answered.
    #[must_use]
    pub fn for_realm(mut self, realm: impl Into<String>) -> Self {
        self.realms = Realms::Only(realm.into());
        self
    }

    /// For any realm but this one, which is known to have others. Those for one realm stay so.
    #[must_use]
    pub fn but_realm(mut self, realm: impl Into<String>) -> Self {
        if self.realms == Realms::Any {
            self.realms = Realms::AnyBut(realm.into());
        }
        self
    }

    /// Whether a challenge of that realm may be answered with them.
    pub(super) fn are_for(&self, realm: &str) -> bool {
        match &self.realms {
            Realms::Any => true,
            Realms::AnyBut(other) => other != realm,
            Realms::Only(own) => own == realm,
        }
    }

    /// Whether they are for one realm alone.
    pub(super) fn are_narrow(&self) -> bool {
        matches!(self.realms, Realms::Only(_))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("realms", &self.realms)
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
    let challenge = challenges.filter(|challenge| credentials.are_for(&challenge.realm)).min_by_key(Challenge::rank)?;
    Some(Answered { value: challenge.answer(credentials, 1, method, uri, cnonce), stale: challenge.stale })
}

/// The realm of a challenge: of a value of WWW-Authenticate or Proxy-Authenticate. `None` for one that nobody here meets.
#[must_use]
pub fn challenged_realm(value: &str) -> Option<String> {
    Challenge::read(value).map(|challenge| challenge.realm)
}

/// A challenge that can be met.
#[derive(Debug, Clone)]
pub(super) struct Challenge {
    pub(super) realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    qop: bool,
    /// Whether the credentials before were right, but their nonce is not any more.
    pub(super) stale: bool,
}

impl Challenge {
    pub(super) fn read(value: &str) -> Option<Self> {
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

    /// The lower, the better.
    pub(super) fn rank(&self) -> Algorithm {
        self.algorithm
    }

    /// What Authorization says to it. `count`: how many requests with its nonce there are, this one among them.
    pub(super) fn answer(
        &self,
        credentials: &Credentials,
        count: u32,
        method: &str,
        uri: &str,
        cnonce: &str,
    ) -> String {
        let (algorithm, nc) = (self.algorithm, &*format!("{count:08x}"));
        let proof = Proof { algorithm, nonce: &self.nonce, nc, cnonce, method, uri };
        let secret = ha1(algorithm, &credentials.username, &self.realm, &credentials.password);
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, algorithm={}",
            quote(&credentials.username),
            quote(&self.realm),
            quote(&self.nonce),
            quote(uri),
            algorithm.as_str()
        );
        if self.qop {
            let response = proof.response(&secret);
            value.push_str(&format!(", response=\"{response}\", qop=auth, nc={nc}, cnonce={}", quote(cnonce)));
        } else {
            value.push_str(&format!(", response=\"{}\"", proof.response_without_qop(&secret)));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque={}", quote(opaque)));
        }
        value
    }
}
