//! Chance that is the same for the same seed.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// The chance of one owner. Different `stream`s of one seed have nothing to do with one another.
#[must_use]
pub fn seeded(seed: u64, stream: u64) -> Box<dyn Rng + Send> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    Box::new(rng)
}

/// Chances for any number of owners, in order.
pub fn streams(seed: u64) -> impl FnMut() -> Box<dyn Rng + Send> {
    let mut stream = 0;
    move || {
        stream += 1;
        seeded(seed, stream)
    }
}
