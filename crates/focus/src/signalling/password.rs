//! Rooms that have a password: who may enter is asked for it, by digest in a realm of the room's own (RFC 7616, RFC 8760).
//!
//! The realm is the room's URI and the user its name, so that one password is everybody's. Where people log in as well, they do so
//! first, by credentials for the server's realm beside these (RFC 3261 §22.3); who is banned or no member is not asked at all.
//! Nobody is excepted, not the creator nor a moderator: being somebody is one thing, knowing something another. Who is in stays in
//! when the password changes.
//!
//! To guess costs a request each time, of which a source has the rate of its joins, as with accounts. A wrong password, another
//! user's name and what cannot be read get the same answer as a request that says nothing.

use std::time::Instant;

use room::Address;
use sip::Answer;
use sip::auth::{Algorithm, Authenticator, Verdict, find_authorization};

use super::admission::{Call, Caller};
use super::{NONCE, Signalling};
use crate::desk::Ha1s;
use crate::settings::Auth;

impl Signalling {
    /// Whether a caller may go on to a room: it has no password, or the caller has shown it. Otherwise the request is answered.
    /// Who may not enter for other reasons goes on as well, and hears of these.
    pub(super) fn knows_password(&mut self, now: Instant, call: &Call, caller: &Caller, name: &str) -> bool {
        let md5 = self.takes_md5();
        let Some(entry) = self.rooms.get_mut(name).filter(|entry| entry.admits(caller)) else { return true };
        let Some(password) = &entry.standing.password else { return true };
        let algorithms = offered(password, md5);
        if algorithms.is_empty() {
            // It was set where MD5 was taken: nobody can prove to know it.
            self.respond(now, call.transaction, Answer::new(403));
            return false;
        }
        let door = entry.door.get_or_insert_with(|| {
            // A key of its own: what was said to the door before, if there was one, is not good again at this one.
            let mut key = [0; 32];
            self.endpoint.chance().fill_bytes(&mut key);
            Box::new(Authenticator::new(realm(name, &self.settings.domain), key, NONCE, algorithms))
        });
        let (request, unix) = (&call.request, self.settings.epoch.unix_at(now).as_secs());
        let said = find_authorization(request.headers("Authorization"), door.realm());
        let verdict = said.map_or(Verdict::Wrong, |said| {
            let ha1 = match said.algorithm {
                Some(Algorithm::Sha256) => password.sha256.as_deref(),
                Some(Algorithm::Md5) => password.md5.as_deref(),
                None => None,
            };
            let ha1 = ha1.filter(|_| said.username == name);
            door.verify(unix, request.method.as_str(), &request.uri, &said, ha1)
        });
        let challenges = match verdict {
            Verdict::Ok => return true,
            Verdict::Stale => door.challenge_stale(unix),
            Verdict::Wrong => door.challenge(unix),
        };
        self.unauthorized(now, call.transaction, challenges);
        false
    }

    /// Where everybody is believed, all that is on this machine may ask; so may clients that know nothing better.
    fn takes_md5(&self) -> bool {
        match self.settings.auth {
            Auth::Open => true,
            Auth::Digest { md5, .. } => md5,
        }
    }
}

/// What the challenges of a room name.
fn offered(password: &Ha1s, md5: bool) -> Vec<Algorithm> {
    let sha256 = password.sha256.is_some().then_some(Algorithm::Sha256);
    let md5 = (md5 && password.md5.is_some()).then_some(Algorithm::Md5);
    sha256.into_iter().chain(md5).collect()
}

/// The URI of a room, in the one form in which its password was hashed.
fn realm(name: &str, domain: &str) -> String {
    let uri = format!("sip:{name}@{domain}");
    Address::parse(&uri).map_or(uri, |address| address.as_str().to_owned())
}
