//! What SUBSCRIBE and NOTIFY say of a subscription (RFC 6665): Event and Subscription-State.

use std::fmt;
use std::time::Duration;

use crate::typed::{Params, Unreadable, is_token};

/// An Event header field (RFC 6665 §8.2.1). Two name the same subscription of a dialog when they are equal: both parts
/// are compared octet by octet, and other parameters do not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventHeader {
    /// The event package, with its templates: `conference`, `refer`, `presence.winfo`.
    pub package: String,
    /// The `id` parameter; what came of a REFER is named by the CSeq number of the REFER (RFC 3515 §2.4.6).
    pub id: Option<String>,
}

impl EventHeader {
    /// A package without an id.
    #[must_use]
    pub fn new(package: impl Into<String>) -> Self {
        Self { package: package.into(), id: None }
    }

    /// With this id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Reads a value.
    ///
    /// # Errors
    /// When it does not begin with tokens joined by dots, a parameter is broken, or `id` stands twice or is no token.
    pub fn parse(value: &str) -> Result<Self, Unreadable> {
        const WHAT: Unreadable = Unreadable("Event");
        let (package, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let package = package.trim();
        if !is_token(package) || package.split('.').any(str::is_empty) {
            return Err(WHAT);
        }
        let mut id = None;
        for param in Params(params) {
            let (name, value) = param?;
            if name.eq_ignore_ascii_case("id") {
                let value = value.filter(|value| is_token(value) && id.is_none()).ok_or(WHAT)?;
                id = Some(value.to_owned());
            }
        }
        Ok(Self { package: package.to_owned(), id })
    }
}

impl fmt::Display for EventHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        match &self.id {
            Some(id) => write!(f, ";id={id}"),
            None => Ok(()),
        }
    }
}

/// A Subscription-State header field (RFC 6665 §4.1.3), to be written into a NOTIFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// It is accepted. For how long it still lasts, in whole seconds.
    Active {
        /// The time left.
        expires: Duration,
    },
    /// It is not yet decided.
    Pending {
        /// The time left.
        expires: Duration,
    },
    /// It is over.
    Terminated {
        /// Why.
        reason: Reason,
        /// When it is worth trying again, for the reasons that speak of it.
        retry_after: Option<Duration>,
    },
}

impl SubscriptionState {
    /// The end, for a reason that says all.
    #[must_use]
    pub fn terminated(reason: Reason) -> Self {
        Self::Terminated { reason, retry_after: None }
    }

    /// Whether no NOTIFY follows.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        matches!(self, Self::Terminated { .. })
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active { expires } => write!(f, "active;expires={}", expires.as_secs()),
            Self::Pending { expires } => write!(f, "pending;expires={}", expires.as_secs()),
            Self::Terminated { reason, retry_after } => {
                write!(f, "terminated;reason={}", reason.token())?;
                match retry_after {
                    Some(after) => write!(f, ";retry-after={}", after.as_secs()),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Why a subscription is over (RFC 6665 §4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It should be made anew at once.
    Deactivated,
    /// It may be made anew later.
    Probation,
    /// The subscriber may not.
    Rejected,
    /// Nobody refreshed it.
    Timeout,
    /// It was not decided in time.
    GiveUp,
    /// What was subscribed to is no more.
    NoResource,
    /// It is as it will be for ever.
    Invariant,
}

impl Reason {
    /// The token on the wire.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Probation => "probation",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::GiveUp => "giveup",
            Self::NoResource => "noresource",
            Self::Invariant => "invariant",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_package_and_perhaps_an_id() {
        let read = |value: &str| EventHeader::parse(value);
        assert_eq!(read("conference"), Ok(EventHeader::new("conference")));
        assert_eq!(read(" refer ; id=93809824"), Ok(EventHeader::new("refer").with_id("93809824")));
        assert_eq!(read("presence.winfo;call-id=\"a;id=b\";ID=7"), Ok(EventHeader::new("presence.winfo").with_id("7")));
        assert_ne!(read("Conference"), read("conference"), "§8.2.1: octet by octet");
        for broken in ["", ";id=1", "a..b", ".a", "a b", "refer;id", "refer;id=", "refer;id=\"1\"", "refer;id=1;id=2"] {
            assert!(read(broken).is_err(), "{broken}");
        }
        for written in ["conference", "refer;id=2"] {
            assert_eq!(read(written).unwrap().to_string(), written);
        }
    }

    #[test]
    fn a_state_says_how_long_or_why() {
        let expires = Duration::from_millis(59_900);
        assert_eq!(SubscriptionState::Active { expires }.to_string(), "active;expires=59");
        assert_eq!(SubscriptionState::Pending { expires }.to_string(), "pending;expires=59");
        let over = SubscriptionState::terminated(Reason::NoResource);
        assert_eq!(over.to_string(), "terminated;reason=noresource");
        assert!(over.is_terminated() && !SubscriptionState::Active { expires }.is_terminated());
        let retry_after = Some(Duration::from_secs(300));
        let later = SubscriptionState::Terminated { reason: Reason::Probation, retry_after };
        assert_eq!(later.to_string(), "terminated;reason=probation;retry-after=300");
    }
}
