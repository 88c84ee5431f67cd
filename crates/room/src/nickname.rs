//! Nicknames, RFC 7701 §7 and RFC 8266: which texts can be one, when two are the same, and who has which.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use precis_profiles::precis_core::Error as PrecisError;
use precis_profiles::precis_core::profile::{Profile, Rules};

use crate::{Address, SeatId};

/// The longest nickname in octets of UTF-8, before the rules of RFC 8266 and after them (RFC 7701 §7.1).
pub const MAX_NICKNAME: usize = 1023;

/// How often the rules are applied again to a text that they still change (RFC 8266 §2.1).
const MORE_ROUNDS: usize = 3;

/// A nickname: as it is shown, and as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nickname {
    shown: String,
    key: String,
}

/// The text can be no nickname.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NicknameError {
    /// It is longer than [`MAX_NICKNAME`] octets, before the rules of RFC 8266 or after them.
    #[error("the nickname is too long")]
    TooLong,
    /// RFC 8266 does not allow it: a character outside FreeformClass, nothing but spaces, or no stable form.
    #[error("the nickname has characters that it cannot have, or none")]
    NotAllowed,
}

impl Nickname {
    /// Prepares and enforces a nickname (RFC 8266 §2.2, §2.3), and prepares it for comparison (§2.4).
    ///
    /// # Errors
    ///
    /// See [`NicknameError`].
    pub fn new(text: &str) -> Result<Self, NicknameError> {
        if text.len() > MAX_NICKNAME {
            return Err(NicknameError::TooLong);
        }
        let profile = precis_profiles::Nickname::new();
        let shown = stable(text, |text| {
            let text = profile.additional_mapping_rule(profile.prepare(text)?)?;
            profile.normalization_rule(text)
        })?;
        if shown.len() > MAX_NICKNAME {
            return Err(NicknameError::TooLong);
        }
        let key = stable(text, |text| {
            let text = profile.additional_mapping_rule(profile.prepare(text)?)?;
            profile.normalization_rule(lower_case(&text))
        })?;
        Ok(Self { shown, key })
    }

    /// The nickname as it is shown.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether two nicknames are one (RFC 8266 §2.4).
    pub fn is_same(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// Applies rules until they change nothing any more (RFC 8266 §2.1). An empty text is none at any time (§2.3).
fn stable<F>(text: &str, rules: F) -> Result<String, NicknameError>
where
    F: for<'a> Fn(&'a str) -> Result<Cow<'a, str>, PrecisError>,
{
    let apply = |text: &str| rules(text).map(Cow::into_owned).map_err(|_| NicknameError::NotAllowed);
    let mut last = apply(text)?;
    for _ in 0..MORE_ROUNDS {
        let next = apply(&last)?;
        if next == last {
            return Ok(last);
        }
        last = next;
    }
    Err(NicknameError::NotAllowed)
}

/// Unicode's toLowerCase, character by character: so a sigma at the end of a word is like any other (RFC 8266 §3). The
/// profile crate's own rule begins at the first upper-case letter and misses a title-case one before it.
fn lower_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The nicknames of a room: each is one user's.
#[derive(Debug, Default)]
pub(crate) struct Nicknames {
    /// By the nickname's form for comparison.
    holders: BTreeMap<String, Holder>,
    /// When kept nicknames become free, soonest first.
    kept: BTreeSet<(Instant, String)>,
}

/// Whose a nickname is.
#[derive(Debug)]
struct Holder {
    identity: Address,
    hold: Hold,
}

/// By what right.
#[derive(Debug)]
enum Hold {
    /// These sessions use it. There is one at least.
    InUse(BTreeSet<SeatId>),
    /// No session uses it any more; until then nobody else gets it.
    Kept(Instant),
}

/// How many nicknames are kept for users who do not use them. Beyond that the one that would be free soonest is freed:
/// a user who changes nicknames without end then shortens the time of all, but no memory grows.
const MAX_KEPT: usize = 16_384;

/// Another user has the nickname.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken;

impl Nicknames {
    /// Gives a nickname to a session. The session holds no other: the caller releases the old one afterwards (§7.2).
    pub(crate) fn take(&mut self, seat: SeatId, identity: &Address, nickname: &Nickname) -> Result<(), Taken> {
        match self.holders.get_mut(&nickname.key) {
            Some(holder) if holder.identity != *identity => return Err(Taken),
            Some(Holder { hold: Hold::InUse(seats), .. }) => {
                seats.insert(seat);
            }
            Some(Holder { hold: hold @ Hold::Kept(_), .. }) => {
                if let Hold::Kept(until) = std::mem::replace(hold, Hold::InUse(BTreeSet::from([seat]))) {
                    self.kept.remove(&(until, nickname.key.clone()));
                }
            }
            None => {
                let holder = Holder { identity: identity.clone(), hold: Hold::InUse(BTreeSet::from([seat])) };
                self.holders.insert(nickname.key.clone(), holder);
            }
        }
        Ok(())
    }

    /// A session gives its nickname up. The last of its user's sessions to do so begins the time for which it is kept.
    pub(crate) fn release(&mut self, now: Instant, quarantine: Duration, seat: SeatId, nickname: &Nickname) {
        let Some(holder) = self.holders.get_mut(&nickname.key) else { return };
        let Hold::InUse(seats) = &mut holder.hold else { return };
        seats.remove(&seat);
        if !seats.is_empty() {
            return;
        }
        match now.checked_add(quarantine) {
            Some(until) if !quarantine.is_zero() => {
                holder.hold = Hold::Kept(until);
                self.kept.insert((until, nickname.key.clone()));
                if self.kept.len() > MAX_KEPT {
                    self.free_first();
                }
            }
            _ => {
                self.holders.remove(&nickname.key);
            }
        }
    }

    /// Frees the nicknames whose time is over.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while self.poll_timeout().is_some_and(|until| until <= now) {
            self.free_first();
        }
    }

    /// When the next kept nickname becomes free.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.kept.first().map(|(until, _)| *until)
    }

    fn free_first(&mut self) {
        if let Some((_, key)) = self.kept.pop_first() {
            self.holders.remove(&key);
        }
    }
}
