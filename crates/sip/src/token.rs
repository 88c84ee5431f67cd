//! Tags, branches and Call-IDs from the randomness handed in, and hashing that a peer cannot foresee.

use std::hash::{BuildHasher, DefaultHasher, Hasher as _};

use rand_core::Rng;
use sha2::{Digest as _, Sha256};

use crate::transaction::COOKIE;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A token of 20 letters and digits, 100 bits; the same in either letter case. Ours are made here, and what a peer
/// sends can only be compared to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token([u8; 20]);

impl Token {
    pub(crate) fn random(random: &mut dyn Rng) -> Self {
        let mut octets = [0; 20];
        random.fill_bytes(&mut octets);
        Self(octets.map(letter))
    }

    /// The token a peer gives back; `None` when it has not the form of ours.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut octets: [u8; 20] = text.as_bytes().try_into().ok()?;
        octets.make_ascii_lowercase();
        octets.is_ascii().then_some(Self(octets))
    }

    /// The token in a branch of ours.
    pub(crate) fn of_branch(branch: &str) -> Option<Self> {
        Self::read(branch.strip_prefix(COOKIE)?)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn letter(octet: u8) -> u8 {
    ALPHABET.get(usize::from(octet & 31)).copied().unwrap_or(b'a')
}

/// A secret of this endpoint, drawn once.
#[derive(Clone)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    pub(crate) fn new(random: &mut dyn Rng) -> Self {
        let mut octets = [0; 32];
        random.fill_bytes(&mut octets);
        Self(octets)
    }

    /// The token that belongs to these texts: the tag of a stateless response must be the same each time (RFC 3261
    /// §8.2.7).
    pub(crate) fn token<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Token {
        let mut digest = Sha256::new_with_prefix(self.0);
        for text in texts {
            digest.update(text.len().to_be_bytes());
            digest.update(text);
        }
        let mut octets = [0; 20];
        octets.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = letter(from));
        Token(octets)
    }
}

/// Hashers with a secret before everything: a peer that picks branches cannot make them collide.
#[derive(Clone)]
pub(crate) struct Seeded([u8; 16]);

impl Seeded {
    pub(crate) fn new(random: &mut dyn Rng) -> Self {
        let mut octets = [0; 16];
        random.fill_bytes(&mut octets);
        Self(octets)
    }
}

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.0);
        hasher
    }
}
