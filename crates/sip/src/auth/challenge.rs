//! The side that asks: challenges without state, and their verification.

use std::collections::BTreeMap;
use std::fmt;

use super::digest::{Algorithm, Proof, hex, hmac, same};
use crate::typed::{Unreadable, is_param_value, is_token, quote, split_list, unquote};

/// How many nonces the replay memory holds. At the bound the oldest is forgotten, and what still uses it or one that is
/// older gets [`Verdict::Stale`]: nothing can be replayed, and a client with the right password just tries again.
const REMEMBERED: usize = 16_384;
/// How many parameters a challenge or credentials may have; RFC 7616 knows a dozen.
const MAX_PARAMS: usize = 32;

/// Asks for credentials and verifies them. A nonce proves by a MAC when it was made, so nothing is kept for a
/// challenge; only nonces that proved right are remembered, with the highest count seen.
///
/// Nodes that share a key take each other's nonces, but each remembers only the counts it saw itself: what was used on one
/// node can, within the lifetime, be used once more on another, with the same method and URI. Keep the lifetime short.
#[derive(Clone)]
pub struct Authenticator {
    realm: String,
    key: [u8; 32],
    lifetime: u64,
    algorithms: Vec<Algorithm>,
    made: u64,
    counts: BTreeMap<(u64, u64), u32>,
    forgotten_before: (u64, u64),
}

/// What became of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They prove the secret.
    Ok,
    /// They prove the secret, but the nonce is too old or was used with this count: challenge with `stale=true`.
    Stale,
    /// They prove nothing.
    Wrong,
}

/// What an Authorization or Proxy-Authorization header field says. Shown without the proof.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The user name, as it went into the digest.
    pub username: String,
    /// The realm.
    pub realm: String,
    /// The algorithm; `None`: one that is unknown here.
    pub algorithm: Option<Algorithm>,
    /// The digest URI: the Request-URI as the client wrote it.
    pub uri: String,
    nonce: String,
    response: String,
    cnonce: String,
    nc: String,
    qop: String,
}

/// Reads the value of an Authorization or Proxy-Authorization header field with the scheme Digest.
///
/// # Errors
/// When the scheme is another, the grammar is broken, a parameter stands twice, or a necessary one is missing; when both
/// `username` and `username*` stand there (RFC 7616 §3.4), and when the user name is hashed, which is never offered here.
pub fn parse_authorization(value: &str) -> Result<Authorization, Unreadable> {
    const WHAT: Unreadable = Unreadable("Authorization");
    let params = digest_params(value)?;
    let get = |name: &str| params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let need = |name: &str| get(name).cloned().ok_or(WHAT);
    let algorithm = get("algorithm").map_or(Some(Algorithm::Md5), |token| Algorithm::from_token(token));
    let username = match (get("username"), get("username*")) {
        (Some(name), None) => name.clone(),
        (None, Some(extended)) => extended_value(extended).ok_or(WHAT)?,
        _ => return Err(WHAT),
    };
    if get("userhash").is_some_and(|hashed| hashed.eq_ignore_ascii_case("true")) {
        return Err(WHAT);
    }
    Ok(Authorization {
        username,
        realm: need("realm")?,
        algorithm,
        uri: need("uri")?,
        nonce: need("nonce")?,
        response: need("response")?.to_ascii_lowercase(),
        cnonce: get("cnonce").cloned().unwrap_or_default(),
        nc: get("nc").cloned().unwrap_or_default(),
        qop: get("qop").cloned().unwrap_or_default(),
    })
}

/// The credentials for one realm among the values of Authorization or Proxy-Authorization: a request through several
/// proxies carries some for each (RFC 3261 §22.3). What cannot be read is passed over.
#[must_use]
pub fn find_authorization<'a>(values: impl IntoIterator<Item = &'a str>, realm: &str) -> Option<Authorization> {
    let mut readable = values.into_iter().filter_map(|value| parse_authorization(value).ok());
    readable.find(|authorization| authorization.realm == realm)
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Authorization");
        shown.field("username", &self.username).field("realm", &self.realm).field("uri", &self.uri);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("realm", &self.realm).finish_non_exhaustive()
    }
}

impl Authenticator {
    /// An authenticator for `realm`. `key` is secret and random; nonces of another key are stale, so a cluster shares
    /// one. `lifetime` is in seconds. `algorithms` are offered in order of strength, whatever their order here.
    #[must_use]
    pub fn new(realm: impl Into<String>, key: [u8; 32], lifetime: u64, mut algorithms: Vec<Algorithm>) -> Self {
        algorithms.sort();
        algorithms.dedup();
        let counts = BTreeMap::new();
        Self { realm: realm.into(), key, lifetime, algorithms, made: 0, counts, forgotten_before: (0, 0) }
    }

    /// The same, for one of several nodes that share a key: different numbers keep their nonces apart.
    #[must_use]
    pub fn of_node(mut self, node: u16) -> Self {
        self.made = u64::from(node) << 48;
        self
    }

    /// The same, with all nonces stale that were made before: what was done with them before a restart is not known.
    #[must_use]
    pub fn started_at(mut self, unix_time: u64) -> Self {
        self.forgotten_before = (unix_time, 0);
        self
    }

    /// The realm.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The values of WWW-Authenticate (one row each), strongest first (RFC 8760 §2.3). `unix_time` is in seconds.
    pub fn challenge(&mut self, unix_time: u64) -> Vec<String> {
        self.challenges(unix_time, false)
    }

    /// The same with `stale=true`, after [`Verdict::Stale`]: the client tries again without asking its user.
    pub fn challenge_stale(&mut self, unix_time: u64) -> Vec<String> {
        self.challenges(unix_time, true)
    }

    /// Judges credentials for a request with this method and Request-URI. `ha1` is the stored hash for the algorithm the
    /// credentials name ([`Authorization::algorithm`]), in hexadecimal; `None` for an unknown user, who causes the same
    /// work and gets the same answer as a wrong password.
    ///
    /// [`Authorization::uri`] must name the address of `request_uri`. Where proxies rewrite Request-URIs, a user that
    /// found the former to be its own too hands it in as `request_uri` (RFC 8760 §2.6 item 6).
    pub fn verify(
        &mut self,
        unix_time: u64,
        method: &str,
        request_uri: &str,
        authorization: &Authorization,
        ha1: Option<&str>,
    ) -> Verdict {
        let offered = authorization.algorithm.filter(|algorithm| self.algorithms.contains(algorithm));
        let algorithm = offered.unwrap_or(Algorithm::Sha256);
        let proof = Proof {
            algorithm,
            nonce: &authorization.nonce,
            nc: &authorization.nc,
            cnonce: &authorization.cnonce,
            method,
            uri: &authorization.uri,
        };
        let nobody = "0".repeat(algorithm.digits());
        let expected = proof.response(&ha1.unwrap_or(&nobody).to_ascii_lowercase());
        let proven = same(expected.as_bytes(), authorization.response.as_bytes());
        let fits = offered.is_some()
            && authorization.realm == self.realm
            && authorization.qop.eq_ignore_ascii_case("auth")
            && !authorization.cnonce.is_empty()
            && same_uri(&authorization.uri, request_uri);
        let nonce = self.read_nonce(&authorization.nonce);
        match (nonce_count(&authorization.nc), nonce) {
            (Some(count), Some(nonce)) if proven && fits && ha1.is_some() => self.judge_count(unix_time, nonce, count),
            (Some(_), None) if proven && fits && ha1.is_some() => Verdict::Stale,
            _ => Verdict::Wrong,
        }
    }

    fn challenges(&mut self, unix_time: u64, stale: bool) -> Vec<String> {
        self.made = self.made.wrapping_add(1);
        let (realm, nonce) = (quote(&self.realm), self.nonce(unix_time, self.made));
        let stale = if stale { ", stale=true" } else { "" };
        self.algorithms
            .iter()
            .map(|algorithm| {
                let algorithm = algorithm.as_str();
                format!("Digest realm={realm}, nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}")
            })
            .collect()
    }

    /// Time and a number that keeps two nonces of one second apart, and the MAC over both and the realm.
    fn nonce(&self, unix_time: u64, number: u64) -> String {
        let stamp = format!("{unix_time:016x}{number:016x}");
        let mac = hmac(&self.key, format!("{stamp}:{}", self.realm).as_bytes());
        format!("{stamp}{}", hex(mac.get(..16).unwrap_or_default()))
    }

    /// When the nonce was made and its number, if it is one of ours.
    fn read_nonce(&self, nonce: &str) -> Option<(u64, u64)> {
        let time = u64::from_str_radix(nonce.get(..16)?, 16).ok()?;
        let number = u64::from_str_radix(nonce.get(16..32)?, 16).ok()?;
        same(self.nonce(time, number).as_bytes(), nonce.as_bytes()).then_some((time, number))
    }

    /// Each count of a nonce is good once, and only upwards (RFC 7616 §5.5).
    fn judge_count(&mut self, unix_time: u64, nonce: (u64, u64), count: u32) -> Verdict {
        let oldest = unix_time.saturating_sub(self.lifetime);
        self.counts = self.counts.split_off(&(oldest, 0));
        let newest = unix_time.saturating_add(self.lifetime);
        let fresh = (oldest..=newest).contains(&nonce.0) && nonce >= self.forgotten_before;
        if !fresh || self.counts.get(&nonce).is_some_and(|last| count <= *last) || count == 0 {
            return Verdict::Stale;
        }
        self.counts.insert(nonce, count);
        if self.counts.len() > REMEMBERED
            && let Some((forgotten, _)) = self.counts.pop_first()
        {
            let before = (forgotten.0, forgotten.1.saturating_add(1));
            self.forgotten_before = self.forgotten_before.max(before);
        }
        Verdict::Ok
    }
}

/// The parameters of a Digest challenge or credentials, quoting undone.
pub(super) fn digest_params(value: &str) -> Result<Vec<(String, String)>, Unreadable> {
    const WHAT: Unreadable = Unreadable("Digest parameters");
    let (scheme, rest) = value.trim().split_once([' ', '\t']).ok_or(WHAT)?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return Err(WHAT);
    }
    let mut params: Vec<(String, String)> = Vec::new();
    for element in split_list(rest).filter(|element| !element.is_empty()) {
        let (name, value) = element.split_once('=').ok_or(WHAT)?;
        let (name, value) = (name.trim(), value.trim());
        let repeated = params.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !is_token(name) || !is_param_value(value) || repeated || params.len() == MAX_PARAMS {
            return Err(WHAT);
        }
        params.push((name.to_owned(), unquote(value)));
    }
    Ok(params)
}

/// Eight hexadecimal digits (RFC 7616 §3.4).
fn nonce_count(text: &str) -> Option<u32> {
    let sound = text.len() == 8 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    sound.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// `UTF-8'language'text` with escapes (RFC 5987 §3.2).
fn extended_value(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, text) = rest.split_once('\'').filter(|_| charset.eq_ignore_ascii_case("UTF-8"))?;
    let mut pieces = text.split('%');
    let mut octets = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (escape, rest) = piece.split_at_checked(2)?;
        let hexadecimal = escape.bytes().all(|octet| octet.is_ascii_hexdigit());
        octets.push(hexadecimal.then(|| u8::from_str_radix(escape, 16).ok()).flatten()?);
        octets.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(octets).ok()
}

/// The digest URI names the Request-URI; proxies may have changed how the latter is written (RFC 3261 §22.4 item 5).
fn same_uri(digest: &str, request: &str) -> bool {
    use crate::typed::Uri;
    if digest == request {
        return true;
    }
    matches!((Uri::parse(digest), Uri::parse(request)), (Ok(a), Ok(b)) if a.same_address(&b))
}
