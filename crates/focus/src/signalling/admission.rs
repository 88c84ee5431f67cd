//! Who calls (RFC 7701 §5.2): by the From of the request where everybody is believed, else by digest (RFC 7616, 8760).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use room::{Address, SeatId};
use sip::auth::{Algorithm, Authorization, Verdict, find_authorization};
use sip::locate::{Answer as Found, Query};
use sip::typed::NameAddr;
use sip::{DialogId, Request, Source, TransactionId};

use super::seat::Ending;
use super::{Account, Answer, Output, Phase, Question, QuestionId, Signalling};
use crate::mail::Cause;
use crate::pace::{Pace, Rate};
use crate::settings::Auth;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// From how many addresses calls are counted at a time. At the bound calls from others get 503.
const MAX_SOURCES: usize = 100_000;
/// How many questions may be open. At the bound a caller gets 503.
const MAX_QUESTIONS: usize = 10_000;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An INVITE wants a seat.
    Join,
    /// A REGISTER says where its sender is reached.
    Register,
    /// A SUBSCRIBE wants to be told who is there.
    Subscribe,
    /// An OPTIONS asks what an INVITE would get (RFC 3261 §11.2).
    Options,
    /// A REFER wants something of a room (RFC 3515).
    Refer,
    /// A request within a dialog comes from elsewhere than those before.
    Within(DialogId),
}

/// A request whose sender is being made sure of.
pub(super) struct Call {
    pub(super) purpose: Purpose,
    pub(super) transaction: TransactionId,
    pub(super) request: Arc<Request>,
    pub(super) source: Source,
}

/// What hangs on an answer.
pub(super) enum Matter {
    /// Whether somebody gets in.
    Call(Call),
    /// Whom the room is to call.
    Callee(SeatId),
    /// Where the media of a seat are to be fetched.
    Media { seat: SeatId, port: u16 },
    /// Where a request of our own goes.
    Way(sip::QueryId),
}

/// Who calls, made sure of.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) identity: Address,
    pub(super) aliases: Vec<Address>,
    pub(super) display_name: Option<String>,
}

impl Caller {
    /// Their addresses, the one by which the room knows them first.
    pub(super) fn known_as(&self) -> Vec<Address> {
        std::iter::once(&self.identity).chain(&self.aliases).cloned().collect()
    }

    /// Whether an address is one of theirs.
    pub(super) fn is_known_as(&self, address: &Address) -> bool {
        self.identity == *address || self.aliases.contains(address)
    }

    /// Whether both are the same user.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

/// How fast each address calls.
#[derive(Default)]
pub(super) struct Sources {
    paces: BTreeMap<IpAddr, Pace>,
}

impl Sources {
    /// When something more that comes of a call from there may be done: at once within the rate, else in its turn.
    pub(super) fn turn(&mut self, now: Instant, source: IpAddr, rate: Option<Rate>) -> Instant {
        let pace = rate.and_then(|rate| Some((rate, self.paces.get_mut(&source)?)));
        pace.and_then(|(rate, pace)| pace.take(now, rate)).unwrap_or(now)
    }

    /// Whether another call from there is within the rate.
    pub(super) fn admit(&mut self, now: Instant, source: IpAddr, rate: Option<Rate>) -> bool {
        let Some(rate) = rate else { return true };
        if self.paces.len() >= MAX_SOURCES {
            self.paces.retain(|_, pace| !pace.is_even(now));
        }
        if self.paces.len() >= MAX_SOURCES && !self.paces.contains_key(&source) {
            return false;
        }
        self.paces.entry(source).or_default().try_take(now, rate)
    }
}

/// The questions that are open.
#[derive(Default)]
pub(super) struct Questions {
    asked: u64,
    open: BTreeMap<QuestionId, (Instant, Matter)>,
    deadlines: BTreeSet<(Instant, QuestionId)>,
}

impl Questions {
    /// The matter itself comes back at the bound.
    fn ask(&mut self, now: Instant, matter: Matter) -> Result<QuestionId, Matter> {
        if self.open.len() >= MAX_QUESTIONS {
            return Err(matter);
        }
        self.asked += 1;
        let (id, deadline) = (QuestionId(self.asked), now + PATIENCE);
        self.open.insert(id, (deadline, matter));
        self.deadlines.insert((deadline, id));
        Ok(id)
    }

    fn take(&mut self, id: QuestionId) -> Option<Matter> {
        let (deadline, matter) = self.open.remove(&id)?;
        self.deadlines.remove(&(deadline, id));
        Some(matter)
    }

    /// A matter whose answer did not come in time.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Matter> {
        let &(deadline, id) = self.deadlines.first()?;
        if deadline <= now { self.take(id) } else { None }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// A caller has hung up.
    pub(super) fn forget(&mut self, transaction: TransactionId) {
        let is_it = |matter: &Matter| matches!(matter, Matter::Call(call) if call.transaction == transaction);
        let found = self.open.iter().find(|(_, (_, matter))| is_it(matter));
        if let Some(id) = found.map(|(id, _)| *id) {
            self.take(id);
        }
    }
}

impl Signalling {
    /// Somebody calls. Nothing is asked of the world before a caller has shown credentials.
    pub(super) fn called(&mut self, now: Instant, call: Call) {
        let transaction = call.transaction;
        if self.phase != Phase::Open {
            return self.refuse_for_now(now, transaction);
        }
        if !self.sources.admit(now, call.source.remote.ip(), self.settings.join_rate) {
            return self.refuse_for_now(now, transaction);
        }
        if let Some(asserted) = self.asserted(&call) {
            return self.ask_account(now, call, asserted.address.user().to_owned());
        }
        match (&self.settings.auth, self.authorization(&call.request)) {
            (Auth::Open, _) => match From::of(&call.request) {
                Some(from) => self.ask_account(now, call, from.address.user().to_owned()),
                None => self.respond(now, transaction, sip::Answer::new(403)),
            },
            (Auth::Digest { .. }, Some(authorization)) => self.ask_account(now, call, authorization.username),
            (Auth::Digest { .. }, None) => self.challenge(now, transaction, false),
        }
    }

    fn ask_account(&mut self, now: Instant, call: Call, user: String) {
        self.ask(now, Matter::Call(call), Question::Account { user });
    }

    pub(super) fn ask(&mut self, now: Instant, matter: Matter, question: Question) {
        match self.questions.ask(now, matter) {
            Ok(id) => self.outputs.push_back(Output::Ask { id, question }),
            Err(matter) => self.unanswered(now, matter),
        }
    }

    /// A request of our own has to find its way.
    pub(super) fn seek(&mut self, now: Instant, id: sip::QueryId, query: Query) {
        let question = match query {
            Query::Services(domain) => Question::Services { domain },
            Query::Servers(name) => Question::Servers { name },
            Query::Addresses(host) => Question::Addresses { host },
        };
        self.ask(now, Matter::Way(id), question);
    }

    fn sought(&mut self, now: Instant, id: sip::QueryId, answer: Found) {
        self.endpoint.handle_input(now, sip::Input::Answer { id, answer });
    }

    /// The world does not say.
    pub(super) fn unanswered(&mut self, now: Instant, matter: Matter) {
        match matter {
            Matter::Call(call) => self.refuse_for_now(now, call.transaction),
            Matter::Callee(seat) => self.give_up_call(now, seat, 503),
            Matter::Media { seat, .. } => self.hang_up(now, seat, Ending::Switch(Cause::NotBound)),
            Matter::Way(id) => self.sought(now, id, Found::Addresses(Vec::new())),
        }
    }

    /// The world has answered.
    pub(super) fn answered(&mut self, now: Instant, id: QuestionId, answer: Answer) {
        match (self.questions.take(id), answer) {
            (Some(Matter::Call(call)), Answer::Account(account)) => self.known(now, call, account),
            (Some(Matter::Callee(seat)), Answer::Account(account)) => self.callee_known(now, seat, account.as_ref()),
            (Some(Matter::Media { seat, port }), Answer::Addresses(addresses)) => {
                self.dial(now, seat, &addresses, port);
            }
            (Some(Matter::Way(id)), Answer::Addresses(addresses)) => self.sought(now, id, Found::Addresses(addresses)),
            (Some(Matter::Way(id)), Answer::Services(services)) => self.sought(now, id, Found::Services(services)),
            (Some(Matter::Way(id)), Answer::Servers(servers)) => self.sought(now, id, Found::Servers(servers)),
            (Some(matter), _) => self.unanswered(now, matter),
            (None, _) => {}
        }
    }

    /// The world has said who has that name.
    fn known(&mut self, now: Instant, call: Call, account: Option<Account>) {
        if let Some(asserted) = self.asserted(&call) {
            let account = account.filter(|account| self.is_of(account, &asserted.address));
            return self.admitted(now, &call, asserted.into_caller(account));
        }
        let Some(from) = From::of(&call.request) else {
            return self.respond(now, call.transaction, sip::Answer::new(403));
        };
        let account = match self.settings.auth {
            Auth::Open => account.filter(|account| self.is_of(account, &from.address)),
            Auth::Digest { .. } => match self.verify(now, &call.request, account) {
                Ok(account) if is_nameless(&from.address) || self.is_of(&account, &from.address) => Some(account),
                Ok(_) => return self.respond(now, call.transaction, sip::Answer::new(403)),
                Err(Unproven { stale }) => return self.challenge(now, call.transaction, stale),
            },
        };
        self.admitted(now, &call, from.into_caller(account));
    }

    /// Who calls by the word of a peer that is trusted with it (RFC 3325 §9.2): of a SIP and a telephone URI the former is the
    /// one by which a room knows its people.
    fn asserted(&self, call: &Call) -> Option<From> {
        let peer = call.source.remote.ip();
        if !self.settings.trusted_peers.iter().any(|network| network.contains(peer)) {
            return None;
        }
        let values = call.request.headers.list("P-Asserted-Identity");
        let mut all: Vec<From> = values.filter_map(|value| From::read(NameAddr::parse(value).ok()?)).collect();
        let sip = all.iter().position(|from| from.address.scheme() == room::Scheme::Sip).unwrap_or_default();
        (sip < all.len()).then(|| all.swap_remove(sip))
    }

    /// The credentials of a request for our realm.
    fn authorization(&self, request: &Request) -> Option<Authorization> {
        find_authorization(request.headers("Authorization"), self.authenticator.as_ref()?.realm())
    }

    /// The account that the credentials of a request prove.
    fn verify(&mut self, now: Instant, request: &Request, account: Option<Account>) -> Result<Account, Unproven> {
        const WRONG: Unproven = Unproven { stale: false };
        let authorization = self.authorization(request).ok_or(WRONG)?;
        let unix = self.settings.epoch.unix_at(now).as_secs();
        let authenticator = self.authenticator.as_mut().ok_or(WRONG)?;
        let ha1 = account.as_ref().and_then(|account| match authorization.algorithm? {
            Algorithm::Sha256 => account.sha256.as_deref(),
            Algorithm::Md5 => account.md5.as_deref(),
        });
        match authenticator.verify(unix, request.method.as_str(), &request.uri, &authorization, ha1) {
            Verdict::Ok => account.ok_or(WRONG),
            Verdict::Stale => Err(Unproven { stale: true }),
            Verdict::Wrong => Err(WRONG),
        }
    }

    fn challenge(&mut self, now: Instant, transaction: TransactionId, stale: bool) {
        let unix = self.settings.epoch.unix_at(now).as_secs();
        let Some(authenticator) = &mut self.authenticator else { return };
        let values = if stale { authenticator.challenge_stale(unix) } else { authenticator.challenge(unix) };
        self.unauthorized(now, transaction, values);
    }

    /// 401 with these challenges.
    pub(super) fn unauthorized(&mut self, now: Instant, transaction: TransactionId, challenges: Vec<String>) {
        let unauthorized = sip::Answer::new(401);
        let row = |answer: sip::Answer, value| answer.header("WWW-Authenticate", value);
        self.respond(now, transaction, challenges.into_iter().fold(unauthorized, row));
    }

    /// Whether an address is one of an account's, at whichever of our names.
    fn is_of(&self, account: &Account, address: &Address) -> bool {
        let ours = self.settings.is_ours(address.host_without_port());
        let at_home = if ours { address.with_host(&self.settings.domain).ok() } else { None };
        let mut known = addresses(account);
        known.any(|known| known == *address || Some(&known) == at_home.as_ref())
    }
}

/// Credentials that prove nothing; or nothing any more.
struct Unproven {
    stale: bool,
}

/// Octets of a name for people. It stands in every roster: what is beyond is cut.
const MAX_NAME: usize = 256;

fn short(name: &str) -> String {
    let fits = (0..=MAX_NAME.min(name.len())).rev().find(|at| name.is_char_boundary(*at));
    name.get(..fits.unwrap_or_default()).unwrap_or_default().to_owned()
}

/// What the From of a request says.
struct From {
    address: Address,
    display_name: Option<String>,
}

impl From {
    /// Nothing where From is no address that people have in a room.
    fn of(request: &Request) -> Option<Self> {
        Self::read(request.from().ok()?)
    }

    fn read(from: NameAddr) -> Option<Self> {
        let display_name = from.display.map(|name| short(&name));
        Some(Self { address: Address::parse(from.uri.as_str()).ok()?, display_name })
    }

    /// The caller: known by the account's address where there is one, and by what stands in From as well.
    fn into_caller(self, account: Option<Account>) -> Caller {
        let Self { address, display_name } = self;
        let mut known = account.iter().flat_map(addresses);
        let identity = known.next().unwrap_or_else(|| address.clone());
        let mut aliases: Vec<Address> = known.collect();
        if address != identity && !is_nameless(&address) && !aliases.contains(&address) {
            aliases.insert(0, address);
        }
        Caller { identity, aliases, display_name }
    }
}

/// Whether an address says that its owner's is withheld (RFC 3323 §4.1.1.3).
pub(super) fn is_nameless(address: &Address) -> bool {
    address.host_without_port().rsplit('.').next().is_some_and(|label| label.eq_ignore_ascii_case("invalid"))
}

/// The addresses of an account, the one by which it is known first.
pub(super) fn addresses(account: &Account) -> impl Iterator<Item = Address> {
    std::iter::once(&account.uri).chain(&account.aliases).filter_map(|uri| Address::parse(uri).ok())
}
