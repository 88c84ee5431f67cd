//! Rates: how often somebody may do something, on the average and at once.

use std::time::{Duration, Instant};

/// So many in so much time. As many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least one.
    pub count: u32,
    /// In how much time.
    pub per: Duration,
}

/// How far somebody is ahead of a rate: the generic cell rate algorithm, one instant of memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// When all that was done would be done, at the rate.
    even: Option<Instant>,
}

impl Pace {
    /// Something is done. If that is more than the rate allows: until when to wait with the next.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate) -> Option<Instant> {
        let even = self.even.map_or(now, |even| even.max(now)) + rate.per / rate.count.max(1);
        self.even = Some(even);
        even.checked_sub(rate.per).filter(|until| *until > now)
    }

    /// The same for something that is not done if it is too much.
    pub(crate) fn try_take(&mut self, now: Instant, rate: Rate) -> bool {
        let mut pace = *self;
        let fits = pace.take(now, rate).is_none();
        if fits {
            *self = pace;
        }
        fits
    }

    /// Whether it is as if nothing had been done.
    pub(crate) fn is_even(&self, now: Instant) -> bool {
        self.even.is_none_or(|even| even <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { count: 10, per: Duration::from_secs(1) };

    #[test]
    #[allow(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
    fn as_many_as_the_rate_has_come_at_once_and_then_one_by_one() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert!((0..10).all(|_| pace.take(start, RATE).is_none()));
        assert_eq!(pace.take(start, RATE), Some(start + Duration::from_millis(100)));
        let later = start + Duration::from_millis(200);
        assert!(pace.try_take(later, RATE) && !pace.try_take(later, RATE));
        assert!(!pace.is_even(later) && pace.is_even(start + Duration::from_secs(2)));
    }
}
