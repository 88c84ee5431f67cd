//! The computation (RFC 7616 §3.4) and what both sides share.

use md5::Md5;
use sha2::{Digest as _, Sha256};

/// A digest algorithm. The order is the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256 (RFC 8760).
    Sha256,
    /// MD5, for peers that know nothing else.
    Md5,
}

impl Algorithm {
    /// The token in header fields.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// The algorithm of that token, case-blind; `None` for one unknown here (`-sess` variants included).
    #[must_use]
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Sha256, Self::Md5].into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(token))
    }

    /// How many hexadecimal digits a digest has.
    pub(super) fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Md5 => 32,
        }
    }

    /// The digest of the parts put together with colons, in lower-case hexadecimal.
    pub(super) fn of(self, parts: &[&str]) -> String {
        match self {
            Self::Sha256 => hex(&digest_of(Sha256::new(), parts)),
            Self::Md5 => hex(&digest_of(Md5::new(), parts)),
        }
    }
}

/// H(user:realm:password) in hexadecimal: what is stored instead of a password.
#[must_use]
pub fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> String {
    algorithm.of(&[user, realm, password])
}

/// What a request is proven with, besides the secret.
pub(super) struct Proof<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) nonce: &'a str,
    pub(super) nc: &'a str,
    pub(super) cnonce: &'a str,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
}

impl Proof<'_> {
    /// The response value for qop=auth (RFC 7616 §3.4.1).
    pub(super) fn response(&self, ha1: &str) -> String {
        let ha2 = self.algorithm.of(&[self.method, self.uri]);
        self.algorithm.of(&[ha1, self.nonce, self.nc, self.cnonce, "auth", &ha2])
    }

    /// The response value for a challenge without qop (RFC 2617), as some peers still ask.
    pub(super) fn response_without_qop(&self, ha1: &str) -> String {
        let ha2 = self.algorithm.of(&[self.method, self.uri]);
        self.algorithm.of(&[ha1, self.nonce, &ha2])
    }
}

/// Compares in time that does not depend on where the two differ.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    let mut difference = u8::from(a.len() != b.len());
    for (x, y) in a.iter().zip(b) {
        difference |= x ^ y;
    }
    std::hint::black_box(difference) == 0
}

pub(super) fn hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}

/// HMAC-SHA-256 (RFC 2104) with a key of 32 octets.
pub(super) fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(octet, key)| *octet ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

fn digest_of<D: sha2::Digest>(mut digest: D, parts: &[&str]) -> Vec<u8> {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            digest.update(b":");
        }
        digest.update(part.as_bytes());
    }
    digest.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_gives_rfc_4231_case_2_padded() {
        // RFC 4231 §4.3 has the key "Jefe"; zero octets behind a short key do not change an HMAC.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex(&hmac(&key, b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn responses_are_those_of_rfc_7616_section_3_9_1() {
        let proof = |algorithm| Proof {
            algorithm,
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            nc: "00000001",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            method: "GET",
            uri: "/dir/index.html",
        };
        let ha1 = |algorithm| ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
        assert_eq!(proof(Algorithm::Md5).response(&ha1(Algorithm::Md5)), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            proof(Algorithm::Sha256).response(&ha1(Algorithm::Sha256)),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }
}
