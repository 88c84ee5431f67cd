//! A room against a naive one: random life, and after each step both must agree on what was answered, who is listed and
//! whom a message would reach.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use common::{Stage, address};
use proptest::prelude::*;
use room::{
    Address, Audience, Capabilities, Change, Command, Confusables, Effect, Epoch, Guest, MediaTypes, Nickname, Policy,
    Refusal, Room, SeatId,
};

const USERS: [&str; 4] = ["sip:a@d", "sip:b@d", "sip:c@d", "tel:+1"];
/// Addresses in From and To: each user's in two forms, an alias of the second user, the room, and nonsense.
const URIS: [&str; 12] = [
    "sip:a@d",
    "sip:%61@D;transport=tcp",
    "sip:b@d",
    "sips:b@d",
    "im:b@d",
    "sip:c@d",
    "tel:+1",
    "tel:+1-",
    "sip:lobby@chat.example.com",
    "sip:lobby@192.0.2.1:99",
    "sip:z@d",
    "nonsense",
];
const NAMES: [&str; 10] = ["", "al", "Al", " AL ", "a1", "bo", "b\u{43e}", "admin", "b@d", "\u{202e}"];
const TYPES: [&str; 3] = ["text/plain", "image/png;x=y", "nonsense"];
const PATTERNS: [&str; 3] = ["*", "text/*", "image/png"];

#[derive(Clone, Debug)]
enum Step {
    Join { user: usize, named: bool, capabilities: (bool, usize) },
    Enter(usize),
    Suspend(usize),
    Update(usize, (bool, usize)),
    Leave(usize),
    Nickname(usize, usize),
    Post { seat: usize, from: Vec<usize>, to: Vec<usize>, content_type: usize },
    Wait(u64),
    Policy { flags: [bool; 4], types: usize, quarantine: u64 },
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    // A seat by its place among those that were ever taken: now and then one that is free again, or that never was.
    let seat = 0..12_usize;
    let capabilities = || (prop::bool::weighted(0.7), 0..PATTERNS.len());
    let uris =
        || prop_oneof![8 => prop::collection::vec(0..URIS.len(), 1), 1 => prop::collection::vec(0..URIS.len(), 0..3)];
    prop_oneof![
        4 => (0..USERS.len(), any::<bool>(), capabilities())
            .prop_map(|(user, named, capabilities)| Step::Join { user, named, capabilities }),
        5 => seat.clone().prop_map(Step::Enter),
        1 => seat.clone().prop_map(Step::Suspend),
        1 => (seat.clone(), capabilities()).prop_map(|(seat, capabilities)| Step::Update(seat, capabilities)),
        2 => seat.clone().prop_map(Step::Leave),
        6 => (seat.clone(), 0..NAMES.len()).prop_map(|(seat, name)| Step::Nickname(seat, name)),
        8 => (seat, uris(), uris(), 0..TYPES.len())
            .prop_map(|(seat, from, to, content_type)| Step::Post { seat, from, to, content_type }),
        1 => (0..8_u64).prop_map(Step::Wait),
        1 => (prop::array::uniform4(prop::bool::weighted(0.7)), 0..PATTERNS.len(), 0..10_u64)
            .prop_map(|(flags, types, quarantine)| Step::Policy { flags, types, quarantine }),
        1 => prop::bool::weighted(0.05).prop_map(|close| if close { Step::Close } else { Step::Wait(0) }),
    ]
}

/// A session as the naive room has it.
#[derive(Clone, Debug)]
struct Sitter {
    id: SeatId,
    user: Address,
    aliases: Vec<Address>,
    display_name: Option<String>,
    private: bool,
    pattern: &'static str,
    epoch: Option<u64>,
    away: bool,
    nickname: Option<(u64, Nickname)>,
}

impl Sitter {
    fn is_heard(&self) -> bool {
        self.epoch.is_some() && !self.away
    }

    fn takes(&self, content_type: &str) -> bool {
        fits(self.pattern, content_type)
    }
}

fn fits(pattern: &str, content_type: &str) -> bool {
    content_type.contains('/') && (pattern == "*" || content_type.starts_with(pattern.trim_end_matches('*')))
}

/// The naive room: lists that are searched from end to end, and every rule in one place.
struct Model {
    policy: Policy,
    pattern: &'static str,
    sitters: Vec<Sitter>,
    kept: Vec<(Nickname, Address, Instant)>,
    epoch: u64,
    grants: u64,
    accepted: u64,
    closed: bool,
}

/// What the room is to answer, apart from changes of its list.
#[derive(Debug, PartialEq)]
enum Answer {
    Nothing,
    Seated(Result<(), Refusal>),
    Entered(u64),
    Left {
        empty: bool,
    },
    Nickname(Result<Option<String>, Refusal>),
    /// The place in the order, and the sessions that are reached.
    Posted(Result<(u64, BTreeSet<SeatId>), Refusal>),
    Dismissed(Vec<SeatId>),
}

impl Model {
    fn find(&mut self, id: SeatId) -> Option<&mut Sitter> {
        self.sitters.iter_mut().find(|sitter| sitter.id == id)
    }

    fn join(&mut self, id: SeatId, guest: &Guest, pattern: &'static str) -> Answer {
        if self.closed {
            return Answer::Seated(Err(Refusal::Closed));
        }
        if !self.policy.simultaneous_access && self.sitters.iter().any(|sitter| sitter.user == guest.identity) {
            return Answer::Seated(Err(Refusal::AlreadyPresent));
        }
        self.sitters.push(Sitter {
            id,
            user: guest.identity.clone(),
            aliases: guest.aliases.clone(),
            display_name: guest.display_name.clone(),
            private: guest.capabilities.private_messages,
            pattern,
            epoch: None,
            away: false,
            nickname: None,
        });
        Answer::Seated(Ok(()))
    }

    fn enter(&mut self, id: SeatId) -> Answer {
        let (closed, epoch) = (self.closed, self.epoch + 1);
        match self.find(id) {
            Some(sitter) if !sitter.is_heard() && !closed => {
                (sitter.epoch, sitter.away) = (Some(epoch), false);
                self.epoch = epoch;
                Answer::Entered(epoch)
            }
            _ => Answer::Nothing,
        }
    }

    fn leave(&mut self, now: Instant, id: SeatId) -> Answer {
        let Some(place) = self.sitters.iter().position(|sitter| sitter.id == id) else { return Answer::Nothing };
        let sitter = self.sitters.remove(place);
        self.give_up(now, &sitter);
        Answer::Left { empty: self.sitters.is_empty() }
    }

    /// The nickname that a session had is kept, unless another session of the user has it.
    fn give_up(&mut self, now: Instant, sitter: &Sitter) {
        let Some((_, nickname)) = &sitter.nickname else { return };
        let in_use = |other: &Sitter| other.nickname.as_ref().is_some_and(|(_, other)| other.is_same(nickname));
        if !self.sitters.iter().any(in_use) {
            self.kept.push((nickname.clone(), sitter.user.clone(), now + self.policy.nickname_quarantine));
        }
    }

    fn nickname(&mut self, now: Instant, id: SeatId, name: &str) -> Answer {
        self.kept.retain(|(.., until)| *until > now);
        Answer::Nickname(self.grant(now, id, name))
    }

    fn grant(&mut self, now: Instant, id: SeatId, name: &str) -> Result<Option<String>, Refusal> {
        let Some(sitter) = self.find(id).filter(|sitter| sitter.is_heard()).cloned() else {
            return Err(Refusal::NotAMember);
        };
        if self.closed {
            return Err(Refusal::Closed);
        }
        if !self.policy.nicknames {
            return Err(Refusal::NicknamesOff);
        }
        let refuse = self.policy.nickname_confusables == Confusables::Refuse;
        let nickname = match name {
            "" => None,
            "\u{202e}" => return Err(Refusal::NicknameMalformed),
            "admin" => return Err(Refusal::NicknameReserved),
            "b@d" if sitter.user != address("sip:b@d") => return Err(Refusal::NicknameReserved),
            name => Some(Nickname::new(name).expect("a nickname")),
        };
        if let Some(nickname) = &nickname {
            let clashes = |other: &Nickname| other.is_same(nickname) || refuse && other.looks_like(nickname);
            let of_sitters =
                self.sitters.iter().filter_map(|other| other.nickname.as_ref().map(|(_, name)| (name, &other.user)));
            let mut all = of_sitters.chain(self.kept.iter().map(|(name, user, _)| (name, user)));
            if all.any(|(other, user)| *user != sitter.user && clashes(other)) {
                return Err(Refusal::NicknameTaken);
            }
            // Whoever has it again no longer has it kept.
            self.kept.retain(|(other, ..)| !other.is_same(nickname));
        }
        self.grants += 1;
        let grants = self.grants;
        let granted = nickname.clone().map(|nickname| (grants, nickname));
        let old = std::mem::replace(&mut self.find(id).expect("it is there").nickname, granted);
        self.give_up(now, &Sitter { nickname: old, ..sitter });
        Ok(nickname.map(|nickname| nickname.shown().to_owned()))
    }

    fn post(&mut self, id: SeatId, from: &[&str], to: &[&str], content_type: &str) -> Answer {
        let reached = self.reach(id, from, to, content_type);
        Answer::Posted(reached.map(|seats| {
            self.accepted += 1;
            (self.accepted, seats)
        }))
    }

    fn reach(
        &mut self,
        id: SeatId,
        from: &[&str],
        to: &[&str],
        content_type: &str,
    ) -> Result<BTreeSet<SeatId>, Refusal> {
        let sender = self.find(id).filter(|sitter| sitter.is_heard()).cloned().ok_or(Refusal::NotAMember)?;
        if self.closed {
            return Err(Refusal::Closed);
        }
        let &[from] = from else { return Err(if from.is_empty() { Refusal::NoFrom } else { Refusal::NotASender }) };
        let own = |address: &Address| sender.user == *address || sender.aliases.contains(address);
        if !Address::parse(from).is_ok_and(|from| own(&from)) {
            return Err(Refusal::NotASender);
        }
        let &[to] = to else { return Err(if to.is_empty() { Refusal::NoTo } else { Refusal::SeveralRecipients }) };
        let heard = self.sitters.iter().filter(|sitter| sitter.is_heard() && sitter.id != id);
        if to.starts_with("sip:lobby@") {
            let allowed = fits(self.pattern, content_type);
            return if allowed { Ok(heard.map(|sitter| sitter.id).collect()) } else { Err(Refusal::TypeNotInPolicy) };
        }
        if !self.policy.private_messages {
            return Err(Refusal::PrivateForbidden);
        }
        let to = Address::parse(to).map_err(|_| Refusal::NoSuchRecipient)?;
        let mut members = self.sitters.iter().filter(|sitter| sitter.epoch.is_some());
        let mut listed = members.clone().filter(|sitter| sitter.user == to);
        let known = listed.next().or_else(|| members.find(|sitter| sitter.aliases.contains(&to)));
        let user = &known.ok_or(Refusal::NoSuchRecipient)?.user;
        let others: Vec<_> = heard.filter(|sitter| sitter.user == *user).collect();
        let able: Vec<_> = others.iter().filter(|sitter| sitter.private).collect();
        let willing: BTreeSet<_> =
            able.iter().filter(|sitter| sitter.takes(content_type)).map(|sitter| sitter.id).collect();
        match () {
            () if others.is_empty() && *user != sender.user => Err(Refusal::NoSuchRecipient),
            () if !others.is_empty() && able.is_empty() => Err(Refusal::PrivateUnsupported),
            () if !others.is_empty() && willing.is_empty() => Err(Refusal::TypeNotAccepted),
            () if !fits(self.pattern, content_type) => Err(Refusal::TypeNotInPolicy),
            () => Ok(willing),
        }
    }

    /// What is listed: the users with the names by which they are shown, and their sessions with whether they are away.
    fn listed(&self) -> Listed {
        let mut listed = Listed::new();
        for sitter in self.sitters.iter().filter(|sitter| sitter.epoch.is_some()) {
            let entry = listed.entry(sitter.user.clone()).or_default();
            entry.0 = entry.0.take().or_else(|| sitter.display_name.clone());
            entry.2.insert(sitter.id, sitter.away);
        }
        for (user, entry) in &mut listed {
            let own = self.sitters.iter().filter(|sitter| sitter.user == *user && sitter.epoch.is_some());
            let last = own.filter_map(|sitter| sitter.nickname.as_ref()).max_by_key(|(grant, _)| *grant);
            entry.1 = last.map(|(_, nickname)| nickname.shown().to_owned());
        }
        listed
    }
}

type Listed = BTreeMap<Address, (Option<String>, Option<String>, BTreeMap<SeatId, bool>)>;

/// What the room itself lists.
fn listed(room: &Room) -> Listed {
    let entry = |user: room::UserView<'_>| {
        let seats = user.seats.iter().map(|seat| (seat.seat, seat.suspended)).collect();
        (user.identity.clone(), (user.display_name.map(str::to_owned), user.nickname.map(str::to_owned), seats))
    };
    room.users().map(entry).collect()
}

/// Does to a list what a change says.
fn follow(list: &mut Listed, change: Change) {
    match change {
        Change::UserJoined { identity, seat, display_name } => {
            let before = list.insert(identity, (display_name, None, BTreeMap::from([(seat, false)])));
            assert!(before.is_none());
        }
        Change::SeatJoined { identity, seat } => {
            assert_eq!(list.get_mut(&identity).expect("listed").2.insert(seat, false), None);
        }
        Change::SeatLeft { identity, seat } => {
            let seats = &mut list.get_mut(&identity).expect("listed").2;
            assert!(seats.remove(&seat).is_some() && !seats.is_empty());
        }
        Change::UserLeft { identity, seat } => {
            let (.., seats) = list.remove(&identity).expect("listed");
            assert_eq!(Vec::from_iter(seats.into_keys()), [seat]);
        }
        Change::SeatSuspended { identity, seat } => {
            assert_eq!(list.get_mut(&identity).expect("listed").2.insert(seat, true), Some(false));
        }
        Change::SeatResumed { identity, seat } => {
            assert_eq!(list.get_mut(&identity).expect("listed").2.insert(seat, false), Some(true));
        }
        Change::DisplayNameChanged { identity, display_name } => {
            let shown = &mut list.get_mut(&identity).expect("listed").0;
            assert_ne!(*shown, display_name);
            *shown = display_name;
        }
        Change::NicknameChanged { identity, nickname } => {
            let shown = &mut list.get_mut(&identity).expect("listed").1;
            assert_ne!(*shown, nickname);
            *shown = nickname;
        }
    }
}

/// The sessions that a branch would reach: those whose members' epochs and capabilities fit the audience.
fn reached(room: &Room, audience: &Audience, content_type: &str) -> BTreeSet<SeatId> {
    let mut seats = BTreeSet::new();
    for user in room.users() {
        for seat in user.seats.iter().filter(|seat| !seat.suspended) {
            let is_in = match audience {
                Audience::Everyone { except, since } => seat.seat != *except && seat.epoch <= *since,
                Audience::User { identity, except, since } => {
                    let takes = seat.capabilities.private_messages && seat.capabilities.types.accepts(content_type);
                    user.identity == identity && seat.seat != *except && seat.epoch <= *since && takes
                }
            };
            if is_in {
                seats.insert(seat.seat);
            }
        }
    }
    seats
}

struct Both {
    stage: Stage,
    model: Model,
    /// The room's list as rebuilt from its changes.
    rebuilt: Listed,
    taken: u64,
}

impl Both {
    fn new(policy: Policy) -> Self {
        let model = Model {
            policy: policy.clone(),
            pattern: "*",
            sitters: Vec::new(),
            kept: Vec::new(),
            epoch: 0,
            grants: 0,
            accepted: 0,
            closed: false,
        };
        Self { stage: Stage::new(policy), model, rebuilt: Listed::new(), taken: 0 }
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let (expected, content_type) = self.give(step);
        let effects = self.stage.effects();
        let answer = self.read(&effects, content_type);
        prop_assert_eq!(answer, expected);
        for effect in effects {
            if let Effect::Roster(change) = effect {
                follow(&mut self.rebuilt, change);
            }
        }
        let shown = listed(&self.stage.room);
        prop_assert_eq!(&shown, &self.model.listed());
        prop_assert_eq!(&shown, &self.rebuilt);
        prop_assert_eq!(self.stage.room.seats(), self.model.sitters.len());
        self.unique()
    }

    /// Gives a step to both, and what the naive one says.
    fn give(&mut self, step: &Step) -> (Answer, &'static str) {
        let now = self.stage.now;
        let seat = |place: usize| SeatId(place as u64);
        let expected = match step {
            Step::Join { user, named, capabilities } => {
                let id = SeatId(self.taken);
                self.taken += 1;
                let guest = guest(*user, *named, *capabilities, id);
                let expected = self.model.join(id, &guest, PATTERNS[capabilities.1]);
                self.stage.give(Command::Join { seat: id, guest });
                expected
            }
            Step::Enter(place) => {
                self.stage.give(Command::Enter { seat: seat(*place) });
                self.model.enter(seat(*place))
            }
            Step::Suspend(place) => {
                self.stage.give(Command::Suspend { seat: seat(*place) });
                if let Some(sitter) = self.model.find(seat(*place)) {
                    sitter.away |= sitter.epoch.is_some();
                }
                Answer::Nothing
            }
            Step::Update(place, capabilities) => {
                self.stage.give(Command::Update { seat: seat(*place), capabilities: declared(*capabilities) });
                if let Some(sitter) = self.model.find(seat(*place)) {
                    (sitter.private, sitter.pattern) = (capabilities.0, PATTERNS[capabilities.1]);
                }
                Answer::Nothing
            }
            Step::Leave(place) => {
                self.stage.give(Command::Leave { seat: seat(*place) });
                self.model.leave(now, seat(*place))
            }
            Step::Nickname(place, name) => {
                self.stage.give(Command::Nickname { seat: seat(*place), token: 7, name: Some(NAMES[*name]) });
                self.model.nickname(now, seat(*place), NAMES[*name])
            }
            Step::Post { seat: place, from, to, content_type } => {
                let uris = |list: &[usize]| -> Vec<&str> { list.iter().map(|uri| URIS[*uri]).collect() };
                let (from, to, seat) = (uris(from), uris(to), seat(*place));
                let content_type = TYPES[*content_type];
                self.stage.give(Command::Post { seat, token: 7, from: &from, to: &to, content_type });
                return (self.model.post(seat, &from, &to, content_type), content_type);
            }
            Step::Wait(seconds) => {
                self.stage.wait(*seconds);
                Answer::Nothing
            }
            Step::Policy { flags, types, quarantine } => {
                self.set_policy(*flags, *types, *quarantine);
                Answer::Nothing
            }
            Step::Close => {
                self.stage.give(Command::Close);
                let was_closed = std::mem::replace(&mut self.model.closed, true);
                let mut seats: Vec<_> = self.model.sitters.iter().map(|sitter| sitter.id).collect();
                seats.sort_unstable();
                match seats.is_empty() {
                    _ if was_closed => Answer::Nothing,
                    true => Answer::Left { empty: true },
                    false => Answer::Dismissed(seats),
                }
            }
        };
        (expected, "")
    }

    fn set_policy(&mut self, flags: [bool; 4], types: usize, quarantine: u64) {
        let [nicknames, private_messages, simultaneous_access, allow] = flags;
        let policy = Policy {
            nicknames,
            private_messages,
            simultaneous_access,
            nickname_confusables: if allow { Confusables::Allow } else { Confusables::Refuse },
            nickname_quarantine: Duration::from_secs(quarantine),
            wrapped_types: MediaTypes::parse([PATTERNS[types]]).expect("a pattern"),
            ..Policy::default()
        };
        self.model.policy = policy.clone();
        self.model.pattern = PATTERNS[types];
        self.stage.give(Command::SetPolicy(Box::new(policy)));
    }

    /// What the room has answered.
    fn read(&self, effects: &[Effect], content_type: &str) -> Answer {
        let mut answer = Answer::Nothing;
        for effect in effects {
            answer = match effect {
                Effect::Seated { .. } => Answer::Seated(Ok(())),
                Effect::Refused { refusal, .. } => Answer::Seated(Err(*refusal)),
                Effect::Entered { epoch: Epoch(epoch), .. } => Answer::Entered(*epoch),
                Effect::Left { .. } => Answer::Left { empty: false },
                Effect::Empty => Answer::Left { empty: true },
                Effect::Nickname { outcome, .. } => Answer::Nickname(outcome.clone()),
                Effect::Reject { refusal, .. } => Answer::Posted(Err(*refusal)),
                Effect::Deliver { sequence, audience, .. } => {
                    Answer::Posted(Ok((sequence.number, reached(&self.stage.room, audience, content_type))))
                }
                Effect::Dismiss { seat, .. } => match answer {
                    Answer::Dismissed(mut seats) => {
                        seats.push(*seat);
                        Answer::Dismissed(seats)
                    }
                    _ => Answer::Dismissed(vec![*seat]),
                },
                Effect::Roster(_) => answer,
                Effect::Register(_) => panic!("nobody is asked"),
            };
        }
        answer
    }

    /// A nickname is one user's.
    fn unique(&self) -> Result<(), TestCaseError> {
        let mut holders: Vec<(Nickname, Address)> = Vec::new();
        for user in self.stage.room.users() {
            for name in user.seats.iter().filter_map(|seat| seat.nickname) {
                let nickname = Nickname::new(name).expect("a nickname");
                let clash = holders.iter().any(|(other, holder)| other.is_same(&nickname) && holder != user.identity);
                prop_assert!(!clash, "{}", name);
                holders.push((nickname, user.identity.clone()));
            }
        }
        Ok(())
    }
}

fn declared((private_messages, types): (bool, usize)) -> Capabilities {
    let types = MediaTypes::parse([PATTERNS[types]]).expect("a pattern");
    Capabilities { private_messages, aware: true, types }
}

fn guest(user: usize, named: bool, capabilities: (bool, usize), id: SeatId) -> Guest {
    Guest {
        identity: address(USERS[user]),
        account: None,
        aliases: if user == 1 { vec![address("im:b@d")] } else { Vec::new() },
        display_name: named.then(|| format!("Name {}", id.0)),
        capabilities: declared(capabilities),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // CONFORMANCE 7701-004, 7701-040, 7701-049, 7701-082
    #[test]
    fn a_room_does_what_a_naive_one_would(steps in prop::collection::vec(step(), 1..150)) {
        let policy = Policy { nickname_quarantine: Duration::from_secs(5), ..Policy::default() };
        let mut both = Both::new(policy);
        for step in &steps {
            both.take(step)?;
        }
    }
}
