//! Where the users of the domain are reached (RFC 3261 §10, RFC 3327).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use room::Address;
use sip::typed::{NameAddr, Uri};
use sip::{Answer, Request, Source};

use super::Signalling;
use super::admission::{Call, Caller};
use super::media::Unfit;

/// The least time, in seconds, for which a binding is taken: 423 below.
const MIN_EXPIRES: u32 = 60;
/// The most time, in seconds: what asks for more, or for none in particular, gets this.
const MAX_EXPIRES: u32 = 3600;
/// How many bindings a user may have. Beyond, 403.
const MAX_BINDINGS: usize = 10;
/// How many users may have bindings. Beyond, 503.
const MAX_USERS: usize = 100_000;

/// One place at which a user is reached.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    /// The Contact's URI.
    pub(super) uri: Uri,
    /// The route to it, as Path rows have it.
    pub(super) path: Vec<String>,
    /// Where the REGISTER came from.
    pub(super) flow: Source,
    call_id: String,
    cseq: u32,
    until: Instant,
}

/// The bindings of all users.
#[derive(Default)]
pub(super) struct Registrar {
    users: BTreeMap<Address, Vec<Binding>>,
    expiries: BTreeSet<(Instant, Address)>,
}

/// What a REGISTER asks for.
enum Wish {
    /// To be told the bindings.
    Query,
    /// To have none any more.
    Nothing,
    /// Bindings to be made or renewed, with their times, or removed.
    Bindings(Vec<(Uri, Option<Duration>)>),
}

const fn unfit(code: u16, reason: &'static str) -> Unfit {
    Unfit { code, reason }
}

impl Wish {
    /// Reads the Contacts of a REGISTER (RFC 3261 §10.3 steps 6 and 7).
    fn of(request: &Request) -> Result<Self, Unfit> {
        let default = request.header("Expires").and_then(|value| value.trim().parse::<u32>().ok());
        let contacts: Vec<&str> = request.headers.list("Contact").collect();
        match contacts.as_slice() {
            [] => return Ok(Self::Query),
            ["*"] if default == Some(0) => return Ok(Self::Nothing),
            several if several.contains(&"*") => return Err(unfit(400, "A Star With Others Or Without Expires 0")),
            several if several.len() > MAX_BINDINGS => return Err(unfit(403, "Too Many Contacts")),
            _ => {}
        }
        let bindings = contacts.iter().map(|contact| {
            let contact = NameAddr::parse(contact).map_err(|_| unfit(400, "Malformed Contact"))?;
            let own = contact.param("expires").and_then(|value| value.parse::<u32>().ok());
            let lifetime = match own.or(default).unwrap_or(MAX_EXPIRES) {
                0 => None,
                seconds if seconds < MIN_EXPIRES => return Err(unfit(423, "")),
                seconds => Some(Duration::from_secs(seconds.min(MAX_EXPIRES).into())),
            };
            if contact.uri.is_sip() { Ok((contact.uri, lifetime)) } else { Err(unfit(400, "Not A SIP Contact")) }
        });
        bindings.collect::<Result<_, _>>().map(Self::Bindings)
    }
}

impl Registrar {
    /// Carries out a wish, all of it or nothing.
    fn carry_out(&mut self, now: Instant, user: &Address, wish: Wish, call: &Call) -> Result<(), Unfit> {
        let request = &call.request;
        let call_id = request.header("Call-ID").unwrap_or_default();
        let cseq = request.header("CSeq").and_then(|value| sip::typed::CSeq::parse(value).ok()).map_or(0, |c| c.number);
        let mut bindings = self.users.get(user).cloned().unwrap_or_default();
        // A request that was overtaken by a later one changes nothing (§10.3 step 7).
        let old = |binding: &Binding| binding.call_id == call_id && binding.cseq >= cseq;
        match wish {
            Wish::Query => return Ok(()),
            Wish::Nothing if bindings.iter().any(old) => return Err(unfit(500, "An Older Request")),
            Wish::Nothing => bindings.clear(),
            Wish::Bindings(wishes) => {
                for (uri, lifetime) in wishes {
                    let known = bindings.iter().position(|binding| binding.uri.equivalent(&uri));
                    if known.and_then(|at| bindings.get(at)).is_some_and(old) {
                        return Err(unfit(500, "An Older Request"));
                    }
                    if let Some(at) = known {
                        bindings.remove(at);
                    }
                    if let Some(lifetime) = lifetime {
                        bindings.push(Binding {
                            uri,
                            path: request.headers.list("Path").map(str::to_owned).collect(),
                            flow: call.source,
                            call_id: call_id.to_owned(),
                            cseq,
                            until: now + lifetime,
                        });
                    }
                }
            }
        }
        if bindings.len() > MAX_BINDINGS {
            return Err(unfit(403, "Too Many Contacts"));
        }
        if !self.users.contains_key(user) && self.users.len() >= MAX_USERS && !bindings.is_empty() {
            return Err(unfit(503, ""));
        }
        self.set(user, bindings);
        Ok(())
    }

    fn set(&mut self, user: &Address, bindings: Vec<Binding>) {
        for binding in self.users.remove(user).into_iter().flatten() {
            self.expiries.remove(&(binding.until, user.clone()));
        }
        self.expiries.extend(bindings.iter().map(|binding| (binding.until, user.clone())));
        if !bindings.is_empty() {
            self.users.insert(user.clone(), bindings);
        }
    }

    /// Forgets what has run out.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, user)) = self.expiries.first().filter(|(until, _)| *until <= now).cloned() {
            let mut bindings = self.users.get(&user).cloned().unwrap_or_default();
            bindings.retain(|binding| binding.until > now);
            self.set(&user, bindings);
        }
    }

    /// Whether a user has said where it is reached.
    pub(super) fn is_known(&self, user: &Address) -> bool {
        self.users.contains_key(user)
    }

    /// Where a user is reached now.
    pub(super) fn bindings(&self, now: Instant, user: &Address) -> impl Iterator<Item = &Binding> {
        self.users.get(user).into_iter().flatten().filter(move |binding| binding.until > now)
    }

    /// When [`Registrar::handle_timeout`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.expiries.first().map(|(until, _)| *until)
    }

    /// The bindings of a user as a 200 lists them (§10.3 step 8).
    fn answer(&self, now: Instant, user: &Address) -> Answer {
        let bindings = self.users.get(user).into_iter().flatten();
        let mut answer = Answer::new(200).header("Supported", "path");
        let mut paths = Vec::new();
        for binding in bindings {
            let seconds = binding.until.saturating_duration_since(now).as_secs();
            answer = answer.header("Contact", format!("<{}>;expires={seconds}", binding.uri));
            paths = binding.path.clone();
        }
        paths.into_iter().fold(answer, |answer, path| answer.header("Path", path))
    }
}

impl Signalling {
    /// A REGISTER of a caller who is known.
    pub(super) fn register(&mut self, now: Instant, call: &Call, caller: &Caller) -> Result<(), Unfit> {
        self.registrar.handle_timeout(now);
        let of_domain = call.request.request_uri().is_ok_and(|uri| {
            uri.user().is_none_or(str::is_empty) && uri.host().is_some_and(|host| self.settings.is_ours(&host))
        });
        if !of_domain {
            return Err(unfit(404, ""));
        }
        let user = self.own_address(&call.request, caller)?;
        let wish = Wish::of(&call.request)?;
        self.registrar.carry_out(now, &user, wish, call)?;
        let answer = self.registrar.answer(now, &user);
        self.respond(now, call.transaction, answer);
        Ok(())
    }

    /// The address of record, which must be the caller's own and one of this domain (§10.3 steps 4 and 5).
    fn own_address(&self, request: &Request, caller: &Caller) -> Result<Address, Unfit> {
        const NOT_ONES_OWN: Unfit = unfit(403, "");
        let to = request.to().map_err(|_| unfit(400, ""))?;
        let address = Address::parse(to.uri.as_str()).map_err(|_| unfit(404, ""))?;
        if !self.settings.is_ours(address.host_without_port()) {
            return Err(unfit(404, ""));
        }
        let at_home = address.with_host(&self.settings.domain).map_err(|_| unfit(404, ""))?;
        let mut own = std::iter::once(&caller.identity).chain(&caller.aliases);
        let theirs = own.any(|own| *own == address || *own == at_home);
        theirs.then(|| caller.identity.with_host(&self.settings.domain).unwrap_or(at_home)).ok_or(NOT_ONES_OWN)
    }
}

/// The header field that a 423 must have.
pub(super) fn min_expires() -> String {
    MIN_EXPIRES.to_string()
}
