//! Tags, branches and Call-IDs from the randomness handed in.

use rand_core::Rng;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A token of 20 letters and digits: 100 random bits, the same in either letter case.
pub(crate) fn token(random: &mut dyn Rng) -> String {
    let mut octets = [0; 20];
    random.fill_bytes(&mut octets);
    octets.iter().filter_map(|octet| ALPHABET.get(usize::from(octet & 31)).copied().map(char::from)).collect()
}

/// A branch with the magic cookie (RFC 3261 §8.1.1.7).
pub(crate) fn branch(random: &mut dyn Rng) -> String {
    format!("{}{}", crate::transaction::COOKIE, token(random))
}
