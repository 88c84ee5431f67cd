//! What one request is proven with, through all its attempts: the credentials, and the challenges taken up with them.

use std::sync::Arc;

use super::credentials::{Challenge, Credentials};
use crate::message::Headers;

/// Who asks. Each has header fields of its own (RFC 3261 §22.2, §22.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The server, by 401.
    Server,
    /// A proxy, by 407.
    Proxy,
}

impl Asker {
    /// Who asks by that code.
    pub(crate) fn of(code: u16) -> Option<Self> {
        match code {
            401 => Some(Self::Server),
            407 => Some(Self::Proxy),
            _ => None,
        }
    }

    /// Where its challenges stand.
    pub(crate) fn asks(self) -> &'static str {
        match self {
            Self::Server => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    fn gives(self) -> &'static str {
        match self {
            Self::Server => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

/// The credentials of a request, and what was asked of it so far.
#[derive(Debug)]
pub(crate) struct Keyring {
    credentials: Arc<[Credentials]>,
    taken_up: Vec<TakenUp>,
}

/// A challenge, one for each realm of an asker, and what it is met with.
#[derive(Debug)]
struct TakenUp {
    asker: Asker,
    challenge: Challenge,
    credentials: Credentials,
    /// How many requests have carried its nonce.
    count: u32,
}

impl Keyring {
    pub(crate) fn new(credentials: Arc<[Credentials]>) -> Self {
        Self { credentials, taken_up: Vec::new() }
    }

    /// For other requests of the same dialog.
    pub(crate) fn credentials(&self) -> Arc<[Credentials]> {
        self.credentials.clone()
    }

    /// Takes up the strongest challenge of each realm, but a second one of a realm only where it says that the first has grown
    /// stale. `false`: there is none such that can be met.
    pub(crate) fn take_up<'a>(&mut self, asker: Asker, values: impl IntoIterator<Item = &'a str>) -> bool {
        let challenges = values.into_iter().filter_map(Challenge::read);
        let mut challenges: Vec<_> = challenges.filter(|challenge| self.has_for(&challenge.realm)).collect();
        // Stable: of two that are alike the upper one stays before the other.
        challenges.sort_by_key(Challenge::rank);
        let mut any = false;
        for challenge in challenges {
            let is_same = |known: &&mut TakenUp| known.asker == asker && known.challenge.realm == challenge.realm;
            match self.taken_up.iter_mut().find(is_same) {
                // One that no request has carried yet is the stronger one of the same answer.
                Some(known) if challenge.stale && known.count > 0 => {
                    (known.challenge, known.count, any) = (challenge, 0, true);
                }
                Some(_) => {}
                None => {
                    if let Some(credentials) = self.choose(asker, &challenge.realm).cloned() {
                        self.taken_up.push(TakenUp { asker, challenge, credentials, count: 0 });
                        any = true;
                    }
                }
            }
        }
        any
    }

    fn has_for(&self, realm: &str) -> bool {
        self.credentials.iter().any(|credentials| credentials.are_for(realm))
    }

    /// What a realm is answered with: credentials for it alone, else those for any. The latter serve one realm of the server and
    /// one of proxies: whoever asks in the name of a further realm has nothing to ask.
    fn choose(&self, asker: Asker, realm: &str) -> Option<&Credentials> {
        let fitting = || self.credentials.iter().filter(|credentials| credentials.are_for(realm));
        let is_spent = self.taken_up.iter().any(|known| known.asker == asker && !known.credentials.are_narrow());
        let any = fitting().find(|credentials| !credentials.are_narrow()).filter(|_| !is_spent);
        fitting().find(|credentials| credentials.are_narrow()).or(any)
    }

    /// Whether a request has to say anything.
    pub(crate) fn is_asked(&self) -> bool {
        !self.taken_up.is_empty()
    }

    /// Writes what a request says to all challenges so far. Each nonce is counted on (RFC 7616 §3.4).
    pub(crate) fn write(&mut self, method: &str, uri: &str, cnonce: &str, headers: &mut Headers) {
        for known in &self.taken_up {
            headers.remove(known.asker.gives());
        }
        for TakenUp { asker, challenge, credentials, count } in &mut self.taken_up {
            *count = count.saturating_add(1);
            headers.push(asker.gives(), challenge.answer(credentials, *count, method, uri, cnonce));
        }
    }
}
