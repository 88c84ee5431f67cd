//! Who has which nickname, in a room or in a whole domain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{Address, Confusables, Nickname, SeatId};

/// How many nicknames are kept for one user who does not use them. Beyond that the one that would be free soonest is
/// freed: whoever changes nicknames without end shortens nobody's time but their own.
const MAX_KEPT_OF_USER: usize = 16;
/// How many nicknames are kept for all users together. Beyond that the one that would be free soonest is freed.
const MAX_KEPT: usize = 65_536;
/// For how long a nickname is kept at most: for ever, as far as a process is concerned.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Names a question to the registry of a domain. A room never uses one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What a room whose nicknames are unique in the domain ([`NicknameScope::Domain`](crate::NicknameScope::Domain)) has
/// for the registry of that domain. The registry must get what one room says in the order in which it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// May a session have this nickname? Answered by [`Command::NicknameAnswer`](crate::Command::NicknameAnswer).
    Reserve {
        /// What the answer is to carry.
        ask: AskId,
        /// The session.
        seat: SeatId,
        /// The user whose it is to be, by its account.
        account: Address,
        /// The nickname.
        nickname: Nickname,
        /// Whether it may look like one of another user's.
        confusables: Confusables,
    },
    /// A session gives a nickname up, or has no use for the answer any more. Where it has none, nothing is to be done.
    Release {
        /// The session.
        seat: SeatId,
        /// The nickname.
        nickname: Nickname,
        /// How long it stays kept for its user, once no session of that user has it.
        keep: Duration,
    },
}

/// The nicknames of a room, or of all rooms of a domain: each is one user's, however many of its sessions use it.
///
/// A room has one of its own. Where nicknames are unique in a domain, somebody owns a second one for all rooms of that
/// domain, to which the rooms' [`Registration`]s go; the [`SeatId`]s of all these rooms must then differ.
#[derive(Debug, Default)]
pub struct NicknameRegistry {
    /// By the nickname's form for comparison.
    holders: BTreeMap<Arc<str>, Holder>,
    /// Looks with the nicknames that have them, and how many holds there are of each.
    looks: BTreeMap<(Arc<str>, Arc<str>), usize>,
    /// When kept nicknames become free, soonest first.
    kept: BTreeSet<(Instant, Arc<str>)>,
    /// The same for each user.
    kept_of: BTreeMap<Address, BTreeSet<(Instant, Arc<str>)>>,
}

/// Whose a nickname is.
#[derive(Debug)]
struct Holder {
    account: Address,
    hold: Hold,
}

/// By what right.
#[derive(Debug)]
enum Hold {
    /// These sessions use it, each in a form with its own look. There is one at least.
    InUse(BTreeMap<SeatId, Arc<str>>),
    /// No session uses it any more; until then nobody else gets it.
    Kept { until: Instant, look: Arc<str> },
}

/// Another user has the nickname, or one that looks like it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken;

impl NicknameRegistry {
    /// Carries out what a room has to say. A question gets its answer: whether the nickname is granted.
    pub fn handle_input(&mut self, now: Instant, registration: &Registration) -> Option<(AskId, bool)> {
        match registration {
            Registration::Reserve { ask, seat, account, nickname, confusables } => {
                Some((*ask, self.reserve(now, *seat, account, nickname, *confusables).is_ok()))
            }
            Registration::Release { seat, nickname, keep } => {
                self.release(now, *seat, nickname, *keep);
                None
            }
        }
    }

    /// Frees the nicknames whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((until, key)) = self.kept.first().filter(|(until, _)| *until <= now).cloned() {
            self.free(until, &key);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.kept.first().map(|(until, _)| *until)
    }

    /// Gives a nickname to a session, beside one that it may have: the caller releases that afterwards (RFC 7701 §7.2).
    pub(crate) fn reserve(
        &mut self,
        now: Instant,
        seat: SeatId,
        account: &Address,
        nickname: &Nickname,
        confusables: Confusables,
    ) -> Result<(), Taken> {
        self.handle_timeout(now);
        let is_others = self.holders.get(nickname.key()).is_some_and(|holder| holder.account != *account);
        if is_others || confusables == Confusables::Refuse && self.resembles(account, nickname) {
            return Err(Taken);
        }
        self.put(seat, account, nickname);
        Ok(())
    }

    /// Notes that a session of the user, to whom the nickname belongs or who may have it, uses it in this form.
    pub(crate) fn put(&mut self, seat: SeatId, account: &Address, nickname: &Nickname) {
        let (key, look) = (nickname.key(), nickname.look());
        if let Some(&Holder { hold: Hold::Kept { until, .. }, .. }) = self.holders.get(key) {
            self.free(until, key);
        }
        let fresh = || Holder { account: account.clone(), hold: Hold::InUse(BTreeMap::new()) };
        let holder = self.holders.entry(key.clone()).or_insert_with(fresh);
        if let Hold::InUse(seats) = &mut holder.hold {
            let before = seats.insert(seat, look.clone());
            *self.looks.entry((look.clone(), key.clone())).or_default() += 1;
            if let Some(before) = before {
                self.strike_look(&before, key);
            }
        }
    }

    /// A session gives its nickname up. The last of its user's sessions to do so begins the time for which it is kept.
    pub(crate) fn release(&mut self, now: Instant, seat: SeatId, nickname: &Nickname, keep: Duration) {
        let key = nickname.key();
        let Some(holder) = self.holders.get_mut(key) else { return };
        let Hold::InUse(seats) = &mut holder.hold else { return };
        let Some(look) = seats.remove(&seat) else { return };
        if seats.is_empty() && !keep.is_zero() {
            let until = now.checked_add(keep.min(FOREVER)).unwrap_or(now);
            let account = holder.account.clone();
            holder.hold = Hold::Kept { until, look };
            self.keep(until, key, account);
            return;
        }
        if seats.is_empty() {
            self.holders.remove(key);
        }
        self.strike_look(&look, key);
    }

    /// Whether a nickname of another user looks like this one.
    fn resembles(&self, account: &Address, nickname: &Nickname) -> bool {
        let first = (nickname.look().clone(), Arc::from(""));
        let alike = self.looks.range(first..).map(|((look, key), _)| (look, key));
        let mut alike = alike.take_while(|(look, _)| *look == nickname.look());
        alike.any(|(_, key)| self.holders.get(key).is_some_and(|holder| holder.account != *account))
    }

    /// Notes when a kept nickname becomes free, and frees others where too many are kept.
    fn keep(&mut self, until: Instant, key: &Arc<str>, account: Address) {
        self.kept.insert((until, key.clone()));
        let own = self.kept_of.entry(account).or_default();
        own.insert((until, key.clone()));
        let first = if own.len() > MAX_KEPT_OF_USER { own.first() } else { None };
        let first = first.or(if self.kept.len() > MAX_KEPT { self.kept.first() } else { None });
        if let Some((until, key)) = first.cloned() {
            self.free(until, &key);
        }
    }

    /// Frees a kept nickname.
    fn free(&mut self, until: Instant, key: &Arc<str>) {
        let entry = (until, key.clone());
        self.kept.remove(&entry);
        let Some(Holder { account, hold }) = self.holders.remove(key) else { return };
        if let Some(own) = self.kept_of.get_mut(&account) {
            own.remove(&entry);
            if own.is_empty() {
                self.kept_of.remove(&account);
            }
        }
        if let Hold::Kept { look, .. } = hold {
            self.strike_look(&look, key);
        }
    }

    /// One hold less has this look.
    fn strike_look(&mut self, look: &Arc<str>, key: &Arc<str>) {
        let entry = (look.clone(), key.clone());
        if let Some(count) = self.looks.get_mut(&entry) {
            *count -= 1;
            if *count == 0 {
                self.looks.remove(&entry);
            }
        }
    }
}
