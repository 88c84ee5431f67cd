//! What subscribers make of the roster is the roster: those who get everything each time, those who merge what changed, and
//! those who patch (RFC 4575 §4.6, RFC 6502 §5.2), whatever happens in the room and to the NOTIFYs on their way.
//!
//! Who is there is known from what was done, not from what the focus says. `ROSTER_LIVES` in the environment is how many lives
//! are lived instead of the usual number.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command as Process;
use std::time::Duration;

use conference_info::model::{EndpointStatus, MediaStatus, User};
use conference_info::{CONFERENCE_INFO, XCON_CONFERENCE_INFO};
use focus::desk::{Change, Command};
use rand_core::Rng;
use room::Address;
use sim::people::{Asks, Caller, Chat, Person, Reply, Watcher};
use sim::rng;

/// Those who are told of all the others: what they ask for, and whether they hide who they are.
const WATCHERS: [(&str, Asks); 6] = [
    ("w0", Asks::Nothing),
    ("w1", Asks::Plain),
    ("w2", Asks::Xcon),
    ("w3", Asks::Patches),
    ("hush8", Asks::Patches),
    ("hush9", Asks::Plain),
];
const OTHERS: [&str; 6] = ["p0", "p1", "p2", "p3", "hush0", "hush1"];
const NICKNAMES: [&str; 6] = ["Ana", "Ben & Co", "Ça va", "<Dee>", "\"Eva\"", "ana"];
/// What nobody is to learn from a roster: who hides, devices, addresses.
const SECRETS: [&str; 4] = ["hush", "example.net", "192.0.2.", "10.3."];

/// A session, as who has it knows it.
struct Session {
    person: Person,
    name: &'static str,
    /// By which user it is shown.
    entity: String,
    display_name: Option<String>,
    nickname: Option<(u64, String)>,
    is_reached: bool,
    speaks: bool,
}

impl Session {
    fn is_private(&self) -> bool {
        self.name.starts_with("hush")
    }
}

struct Life {
    chat: Chat,
    chance: Box<dyn Rng + Send>,
    interval: Duration,
    sessions: Vec<Session>,
    watchers: Vec<Watcher>,
    muted: BTreeSet<&'static str>,
    subject: Option<String>,
    grants: u64,
    deeds: BTreeMap<&'static str, usize>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let intervals = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5)];
        let interval = intervals[(seed / 3 % 3) as usize];
        let full_below = [0, 9, 1000][(seed % 3) as usize];
        let chat = Chat::in_room(|policy| (policy.roster_interval, policy.roster_full_below) = (interval, full_below));
        let mut life = Self {
            chat,
            chance: rng::seeded(seed, u64::MAX),
            interval,
            sessions: Vec::new(),
            watchers: Vec::new(),
            muted: BTreeSet::new(),
            subject: None,
            grants: 0,
            deeds: BTreeMap::new(),
        };
        for (name, asks) in WATCHERS {
            let person = life.join(name);
            let mut watcher = Watcher::new(person, asks, interval);
            watcher.subscribe(&mut life.chat, asks, 600, Reply::Takes);
            life.watchers.push(watcher);
        }
        life
    }

    fn roll(&mut self, to: usize) -> usize {
        (self.chance.next_u64() % to as u64) as usize
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.roll(many) == 0
    }

    fn count(&mut self, deed: &'static str) {
        *self.deeds.entry(deed).or_default() += 1;
    }

    /// Something that happens.
    fn deed(&mut self) {
        self.listen();
        match self.roll(100) {
            0..16 => {
                if self.sessions.len() < 14 {
                    let name = OTHERS[self.roll(OTHERS.len())];
                    self.join(name);
                }
            }
            16..24 => self.leave(),
            24..48 => self.nick(),
            48..54 => self.cut(),
            54..60 => self.resume(),
            60..65 => self.offer(),
            65..71 => self.mute(),
            71..75 => self.describe(),
            75..83 => self.refresh(),
            83..84 => self.kick(),
            84..95 => {
                let time = self.roll(2_000);
                self.pass(Duration::from_millis(time as u64));
            }
            _ => {
                let time = self.roll(25_000);
                self.pass(Duration::from_millis(time as u64));
            }
        }
    }

    fn join(&mut self, name: &'static str) -> Person {
        let private = name.starts_with("hush");
        let mut caller = Caller::new(name);
        let display_name = self.one_in(2).then(|| format!("{name} the {}", self.roll(3)));
        let speaks = !self.one_in(5);
        if private {
            caller = caller.with_header("Privacy: id");
        }
        if let Some(display_name) = &display_name {
            caller = caller.called(display_name);
        }
        if !speaks {
            caller = caller.with("recvonly", "");
        }
        let person = self.chat.join(&caller);
        let known = self.chat.answer(person).header("Chat-Identity").map(str::to_owned);
        assert_eq!(known.is_some(), private);
        let entity = known.map_or_else(|| caller.uri.clone(), |known| known.trim_matches(['<', '>']).to_owned());
        let (nickname, is_reached) = (None, true);
        self.sessions.push(Session { person, name, entity, display_name, nickname, is_reached, speaks });
        self.count("join");
        person
    }

    /// Some session that is reached, or is not, and of a watcher or not.
    fn some(&mut self, choose: impl Fn(&Session) -> bool) -> Option<usize> {
        let fit: Vec<usize> = (0..self.sessions.len()).filter(|nth| choose(&self.sessions[*nth])).collect();
        (!fit.is_empty()).then(|| fit[self.roll(fit.len())])
    }

    /// Somebody goes. A watcher comes back, and asks anew.
    fn leave(&mut self) {
        let spare_watchers = !self.one_in(8);
        let is_watcher = |session: &Session| WATCHERS.iter().any(|(name, _)| *name == session.name);
        let Some(nth) = self.some(|session| !(spare_watchers && is_watcher(session))) else { return };
        let person = self.sessions[nth].person;
        self.chat.leave(person);
        self.sessions.remove(nth);
        self.count("leave");
        if let Some(nth) = self.watchers.iter().position(|watcher| watcher.person == person) {
            self.watchers[nth].take(&mut self.chat, |_| Reply::Takes);
            assert!(self.watchers[nth].until().is_none(), "who leaves is told nothing more");
            self.watch_anew(nth);
        }
    }

    /// A watcher who had to go is there again.
    fn watch_anew(&mut self, nth: usize) {
        let (name, asks) = WATCHERS[nth];
        let person = self.join(name);
        let told = std::mem::take(&mut self.watchers[nth].told);
        self.watchers[nth] = Watcher::new(person, asks, self.interval);
        self.watchers[nth].told = told;
        self.watchers[nth].subscribe(&mut self.chat, asks, 600, Reply::Takes);
        self.count("watch anew");
    }

    fn nick(&mut self) {
        let Some(nth) = self.some(|session| session.is_reached) else { return };
        let nickname = if self.one_in(4) { "" } else { NICKNAMES[self.roll(NICKNAMES.len())] };
        if self.chat.nick(self.sessions[nth].person, nickname) == 200 {
            self.grants += 1;
            let granted = (!nickname.is_empty()).then(|| (self.grants, nickname.to_owned()));
            self.sessions[nth].nickname = granted;
            self.count("nick");
        }
    }

    fn cut(&mut self) {
        let Some(nth) = self.some(|session| session.is_reached) else { return };
        let link = self.chat.link(self.sessions[nth].person);
        self.chat.stage.cut(link);
        self.sessions[nth].is_reached = false;
        self.count("cut");
    }

    fn resume(&mut self) {
        let Some(nth) = self.some(|session| !session.is_reached) else { return };
        self.offer_of(nth);
        self.chat.bind(self.sessions[nth].person);
        self.sessions[nth].is_reached = true;
        self.count("resume");
    }

    /// Somebody says in a later offer whether they send.
    fn offer(&mut self) {
        let Some(nth) = self.some(|session| session.is_reached) else { return };
        self.offer_of(nth);
        self.count("offer");
    }

    fn offer_of(&mut self, nth: usize) {
        let speaks = !self.one_in(3);
        let caller = Caller::new(self.sessions[nth].name);
        let caller = if speaks { caller } else { caller.with("recvonly", "") };
        let answer = self.chat.offer_again(self.sessions[nth].person, caller);
        assert_eq!(answer.code(), 200, "{answer:?}");
        self.sessions[nth].speaks = speaks;
    }

    fn mute(&mut self) {
        let names: Vec<&str> = OTHERS.into_iter().chain(WATCHERS.map(|(name, _)| name)).collect();
        let name = names[self.roll(names.len())];
        let (room, user) = ("lobby".to_owned(), address(name));
        let is_muted = self.muted.contains(name);
        let command = if is_muted { Command::Unmute { room, user } } else { Command::Mute { room, user } };
        self.chat.stage.order(command);
        if !self.muted.remove(name) {
            self.muted.insert(name);
        }
        self.count("mute");
    }

    fn describe(&mut self) {
        let subject = (!self.one_in(3)).then(|| format!("Tea & cake {}", self.roll(9)));
        let change = Change::Subject(subject.clone());
        self.chat.stage.order(Command::Set { room: "lobby".to_owned(), change });
        self.subject = subject;
        self.count("describe");
    }

    fn kick(&mut self) {
        let name = OTHERS[self.roll(OTHERS.len())];
        let user = address(name);
        self.chat.stage.order(Command::Kick { room: "lobby".to_owned(), user, reason: None });
        self.listen();
        assert!(self.sessions.iter().all(|session| session.name != name), "{name} had to go");
        self.count("kick");
    }

    fn refresh(&mut self) {
        let nth = self.roll(self.watchers.len());
        let asks =
            if self.one_in(3) { [Asks::Plain, Asks::Xcon, Asks::Patches][self.roll(3)] } else { WATCHERS[nth].1 };
        let seconds = [60, 90, 600][self.roll(3)];
        let reply = self.reply();
        self.watchers[nth].subscribe(&mut self.chat, asks, seconds, reply);
        self.count("refresh");
    }

    fn reply(&mut self) -> Reply {
        match self.roll(20) {
            0..2 => Reply::TakesLate(Duration::from_millis(self.roll(20_000) as u64)),
            2 => Reply::Refuses,
            3 => Reply::Loses,
            _ => Reply::Takes,
        }
    }

    /// Time passes, and each NOTIFY is taken, or not, when it comes.
    fn pass(&mut self, time: Duration) {
        let end = self.chat.stage.now + time;
        while self.chat.stage.now < end {
            let now = self.chat.stage.now;
            let due = self.watchers.iter().filter_map(Watcher::due);
            let next = due.chain(self.chat.stage.node.poll_timeout()).min().unwrap_or(end);
            self.chat.stage.pass(next.clamp(now, end) - now);
            self.listen_with(true);
        }
    }

    fn listen(&mut self) {
        self.chat.stage.pass(Duration::ZERO);
        self.listen_with(true);
    }

    /// Watchers take what has come; who got a BYE is gone.
    fn listen_with(&mut self, faults: bool) {
        // Who answers may be told more at once, and so may others.
        let mut turns_without_news = 0;
        while turns_without_news < 2 {
            let told = self.told();
            (0..self.watchers.len()).for_each(|nth| self.take(nth, faults));
            self.chat.stage.pass(Duration::ZERO);
            turns_without_news = if told == self.told() { turns_without_news + 1 } else { 0 };
        }
        let watchers: Vec<Person> = self.watchers.iter().map(|watcher| watcher.person).collect();
        for nth in (0..self.sessions.len()).rev() {
            let person = self.sessions[nth].person;
            if !watchers.contains(&person) && self.chat.dismissed(person).is_some() {
                self.sessions.remove(nth);
            }
        }
    }

    /// A watcher takes what has come, the first of it in whatever way.
    fn take(&mut self, nth: usize, faults: bool) {
        let mut fault = if faults { self.reply() } else { Reply::Takes };
        let reply = |_: &_| std::mem::replace(&mut fault, Reply::Takes);
        if self.watchers[nth].take(&mut self.chat, reply) {
            let person = self.watchers[nth].person;
            self.sessions.retain(|session| session.person != person);
            self.watch_anew(nth);
        }
    }

    /// How many NOTIFYs have come so far.
    fn told(&self) -> usize {
        self.watchers.iter().map(|watcher| watcher.told.len()).sum()
    }

    /// Everything has been told that was to be told; then every picture is right.
    fn rest(&mut self) {
        loop {
            let late = self.watchers.iter().filter_map(Watcher::due).min();
            let told = self.told();
            let now = self.chat.stage.now;
            let next = now + self.interval + Duration::from_millis(1);
            self.calm(late.unwrap_or(next).max(next) - now);
            for nth in 0..self.watchers.len() {
                if !self.watchers[nth].is_told() {
                    let asks = self.watchers[nth].asks;
                    self.watchers[nth].subscribe(&mut self.chat, asks, 600, Reply::Takes);
                }
            }
            if late.is_none() && told == self.told() {
                break;
            }
        }
        for nth in 0..self.watchers.len() {
            self.compare(nth);
        }
        self.count("rest");
    }

    /// Time passes without faults.
    fn calm(&mut self, time: Duration) {
        let end = self.chat.stage.now + time;
        while self.chat.stage.now < end {
            let now = self.chat.stage.now;
            let next = self.chat.stage.node.poll_timeout().unwrap_or(end);
            self.chat.stage.pass(next.clamp(now, end) - now);
            self.listen_with(false);
        }
    }

    fn compare(&mut self, nth: usize) {
        let truth = self.watchers[nth].fetch(&mut self.chat);
        let watcher = &self.watchers[nth];
        let (asks, told) = (watcher.asks, watcher.conference().unwrap());
        assert_eq!(told, &truth, "{:?} has another picture than who asks now", WATCHERS[nth]);
        assert_eq!(told.description.subject, self.subject);
        let mut by_user: BTreeMap<&str, Vec<&Session>> = BTreeMap::new();
        for session in &self.sessions {
            by_user.entry(session.entity.as_str()).or_default().push(session);
        }
        assert!(told.users.keys().eq(by_user.keys()), "{:?} {:?}", told.users.keys(), by_user.keys());
        assert_eq!(told.state.user_count, Some(by_user.len() as u32));
        for (entity, sessions) in by_user {
            let user = &told.users[entity];
            self.compare_user(entity, user, &sessions, asks);
            let is_own = sessions.iter().any(|session| session.person == watcher.person && session.is_private());
            assert_eq!(user.own, is_own, "{entity} for {:?}", WATCHERS[nth]);
        }
    }

    fn compare_user(&self, entity: &str, user: &User, sessions: &[&Session], asks: Asks) {
        let granted = sessions.iter().filter_map(|session| session.nickname.as_ref()).max();
        let nickname = granted.map(|(_, nickname)| nickname.clone());
        assert_eq!(user.nickname, nickname, "the nickname of {entity}");
        let display_name = sessions.iter().find_map(|session| session.display_name.clone());
        match (&nickname, user.display_text.as_deref()) {
            (Some(nickname), text) if asks.is_plain() => assert_eq!(text, Some(nickname.as_str())),
            (_, text) if sessions[0].is_private() => assert!(text.unwrap().starts_with("Anonymous"), "{text:?}"),
            (_, text) => assert_eq!(text, display_name.as_deref(), "the name of {entity}"),
        }
        assert_eq!(user.roles, ["participant"]);
        let shown = user.endpoints.values().map(|endpoint| {
            let media = endpoint.media.values().next().and_then(|media| media.status);
            (endpoint.status, media)
        });
        let known = sessions.iter().map(|session| {
            let is_muted = self.muted.contains(session.name);
            let status = if is_muted { EndpointStatus::MutedViaFocus } else { EndpointStatus::Connected };
            let media = match (session.is_reached, session.speaks && !is_muted) {
                (false, _) => MediaStatus::Inactive,
                (true, false) => MediaStatus::ReceiveOnly,
                (true, true) => MediaStatus::SendReceive,
            };
            (Some(status), Some(media))
        });
        let sorted = |mut states: Vec<_>| {
            states.sort();
            states
        };
        assert_eq!(sorted(shown.collect()), sorted(known.collect()), "the sessions of {entity}");
    }

    /// Nobody who hides, and no device, is found in any document.
    fn nothing_leaks(&self) {
        let told = self.watchers.iter().flat_map(|watcher| &watcher.told);
        for told in told {
            for secret in SECRETS {
                assert!(!told.body.contains(secret), "{secret} in\n{}", told.body);
            }
        }
    }
}

fn address(name: &str) -> Address {
    Address::parse(&format!("sip:{name}@chat.example.com")).unwrap()
}

/// Lives so many deeds and rests.
fn live(seed: u64, deeds: usize, rests: usize) -> Life {
    println!("seed {seed}");
    let mut life = Life::new(seed);
    for _ in 0..rests {
        for _ in 0..deeds {
            life.deed();
        }
        life.rest();
    }
    life.nothing_leaks();
    life
}

// CONFORMANCE 4575-020 4575-022 4575-023 6502-010
#[test]
fn every_subscriber_has_the_same_picture_of_the_room() {
    let lives = std::env::var("ROSTER_LIVES").ok().and_then(|lives| lives.parse().ok()).unwrap_or(48);
    let mut deeds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut documents: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for seed in 0..lives {
        let life = live(seed, 20, 3);
        for (deed, times) in &life.deeds {
            *deeds.entry(deed).or_default() += times;
        }
        let told = life.watchers.iter().flat_map(|watcher| &watcher.told).step_by(17);
        for told in told {
            if let Some(content_type) = told.content_type {
                documents.entry(content_type).or_default().push(told.body.clone());
            }
        }
    }
    // Lives in which little happens would prove little.
    println!("{deeds:?}");
    assert!(deeds.len() == 12 && deeds.values().all(|times| *times > 10), "{deeds:?}");
    assert_eq!(documents.len(), 3);
    for (content_type, documents) in documents {
        assert!(documents.len() > 50, "{content_type}");
        assert_valid(content_type, &documents);
    }
}

#[test]
fn a_thousand_changes_later_the_picture_is_still_right() {
    let life = live(1_000_000, 100, 10);
    println!("{:?}", life.deeds);
}

/// What xmllint, which knows the schemas, has to say of documents.
fn assert_valid(content_type: &str, documents: &[String]) {
    let (option, schema) = match content_type {
        CONFERENCE_INFO => ("--schema", "conference-info.xsd"),
        XCON_CONFERENCE_INFO => ("--relaxng", "xcon-conference-info.rng"),
        _ => ("--schema", "xcon-conference-info-diff.xsd"),
    };
    let schema: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../conference-info/tests/schemas", schema].iter().collect();
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("rosters-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let mut xmllint = Process::new("xmllint");
    xmllint.args(["--nonet", "--noout", option]).arg(schema);
    for (number, document) in documents.iter().enumerate() {
        let path = directory.join(format!("{number}.xml"));
        std::fs::write(&path, document).unwrap();
        xmllint.arg(path);
    }
    let output = xmllint.output().unwrap_or_else(|error| panic!("xmllint (Debian: libxml2-utils): {error}"));
    std::fs::remove_dir_all(directory).unwrap();
    assert!(output.status.success(), "{content_type}: {}", String::from_utf8_lossy(&output.stderr));
}
