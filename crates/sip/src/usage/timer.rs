//! Session timers (RFC 4028): what is agreed on in a request and its 2xx.

use std::time::Duration;

use crate::endpoint::SessionTimers;
use crate::message::{Headers, Request};
use crate::timer::TimerKey;
use crate::typed::{self, Params};

/// The least interval there is, in seconds (§4).
const LEAST: u32 = 90;

/// Who refreshes, as seen from a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresher {
    /// Who sent it.
    Uac,
    /// Who answers it.
    Uas,
}

/// A Session-Expires value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionExpires {
    pub(crate) seconds: u32,
    pub(crate) refresher: Option<Refresher>,
}

/// The timer of a session.
#[derive(Debug)]
pub(crate) struct SessionTimer {
    /// In seconds.
    pub(crate) interval: u32,
    /// Whether the refreshes are ours.
    pub(crate) is_ours: bool,
    pub(crate) next: TimerKey,
}

impl SessionExpires {
    pub(crate) fn read(headers: &Headers) -> Option<Self> {
        let value = headers.get("Session-Expires")?;
        let (seconds, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let refresher = Params(params).flatten().find(|(name, _)| name.eq_ignore_ascii_case("refresher"));
        let refresher = match refresher.and_then(|(_, value)| value) {
            Some(value) if value.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(value) if value.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(Self { seconds: typed::digits(seconds.trim())?, refresher })
    }

    pub(crate) fn value(&self) -> String {
        match self.refresher {
            Some(Refresher::Uac) => format!("{};refresher=uac", self.seconds),
            Some(Refresher::Uas) => format!("{};refresher=uas", self.seconds),
            None => self.seconds.to_string(),
        }
    }
}

/// The value of Min-SE.
pub(crate) fn min_se(headers: &Headers) -> u32 {
    headers.get("Min-SE").and_then(|value| typed::digits(value.split(';').next()?.trim())).unwrap_or(0).max(LEAST)
}

pub(crate) fn is_supported(headers: &Headers) -> bool {
    headers.list("Supported").any(|tag| tag.eq_ignore_ascii_case("timer"))
}

/// Whether an Allow names UPDATE; `None` without an Allow.
pub(crate) fn allows_update(headers: &Headers) -> Option<bool> {
    headers.get("Allow")?;
    Some(headers.list("Allow").any(|method| method == "UPDATE"))
}

/// Whether a request asks for less than the least that is taken (§9): only who understands a 422 gets one.
pub(crate) fn is_too_small(config: &SessionTimers, request: &Request) -> bool {
    let asked = SessionExpires::read(&request.headers).filter(|_| is_supported(&request.headers));
    asked.is_some_and(|asked| asked.seconds < config.min.max(LEAST))
}

/// What a 2xx to this request says (§9, Table 2). Where nobody asks for a timer and the peer knows none, it is ours alone,
/// and only of use when the peer can be refreshed without an offer.
pub(crate) fn answer(config: &SessionTimers, request: &Request, allows_update: bool) -> Option<SessionExpires> {
    let asked = SessionExpires::read(&request.headers);
    let supported = is_supported(&request.headers);
    if asked.is_none() && !supported && !allows_update {
        return None;
    }
    let least = min_se(&request.headers);
    let wanted = config.interval.max(config.min).max(least);
    let seconds = asked.map_or(wanted, |asked| asked.seconds.min(wanted).max(least.min(asked.seconds)).max(LEAST));
    let refresher = match asked.and_then(|asked| asked.refresher) {
        _ if !supported => Refresher::Uas,
        Some(refresher) => refresher,
        None => Refresher::Uac,
    };
    Some(SessionExpires { seconds, refresher: Some(refresher) })
}

/// When a refresh is due (§7.2).
pub(crate) fn refresh_after(interval: u32) -> Duration {
    Duration::from_secs(interval.into()) / 2
}

/// When the session is given up that was not refreshed (§10).
pub(crate) fn over_after(interval: u32) -> Duration {
    Duration::from_secs((interval - (interval / 3).min(32)).into())
}
