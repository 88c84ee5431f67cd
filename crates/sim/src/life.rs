//! Random life in rooms: people come and go, talk, whisper, take nicknames, stall and break off, as one seed says. What was done
//! and what was heard stands in a [`Log`]; what must be true of it is [`Log::check`]'s to say.
//!
//! Life goes in rounds. In a round anything may happen at any time; at its end everybody takes what waits for them, and time
//! enough passes for everything to arrive. So it is known who must have heard what: those who were there all the round.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use client::Event;
use rand_core::Rng;

use crate::rng;
use crate::stage::settings;
use crate::world::{Network, Person, World, name};

/// The rooms there are.
pub const ROOMS: [&str; 2] = ["sip:north@chat.example.com", "sip:south@chat.example.com"];
/// The nicknames that people think of; two of them are one (RFC 8266).
const NICKNAMES: [&str; 4] = ["Ana", "ana", "Ben", "Eva"];
/// From so many octets on a text is long enough to come in pieces.
const LONG: usize = 50_000;

/// What one seed makes people do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The seed of everything.
    pub seed: u64,
    /// How many people there are.
    pub people: usize,
    /// How many rounds.
    pub rounds: usize,
    /// How many things are done in a round.
    pub deeds: usize,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    /// Who said it.
    pub by: Person,
    /// In which room.
    pub room: usize,
    /// To whom alone, if not to all.
    pub to: Option<Person>,
    /// In which round.
    pub round: usize,
    /// Whether the room has answered 200.
    pub delivered: bool,
}

/// What was done and heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// By its number, which stands in its text.
    pub said: Vec<Utterance>,
    /// What each person heard: numbers, in order.
    pub heard: BTreeMap<Person, Vec<usize>>,
    /// Who was in which room all through a round, and took what came.
    pub attended: BTreeSet<(usize, Person, usize)>,
    /// Nicknames held at the same time by two people of a room.
    pub shared_nicknames: Vec<String>,
    /// Pictures of who is there, with nicknames, that were wrong, and whose.
    pub wrong_rosters: Vec<String>,
    /// How many pictures were looked at.
    pub rosters: usize,
    /// Sessions, rooms and messages under way that were left when everybody had gone.
    pub left_over: usize,
    /// How many times each thing was done: a check that checks nothing is seen by it.
    pub deeds: BTreeMap<&'static str, usize>,
}

impl Log {
    /// How many times somebody must have heard something: how much [`Log::check`] can find missing.
    #[must_use]
    pub fn obligations(&self) -> usize {
        self.said.iter().filter(|utterance| utterance.delivered).map(|utterance| self.audience(utterance).count()).sum()
    }

    /// Whether all is as it must be.
    ///
    /// # Errors
    /// What is not, in words.
    pub fn check(&self) -> Result<(), String> {
        for (person, heard) in &self.heard {
            self.check_ear(*person, heard)?;
        }
        for (number, utterance) in self.said.iter().enumerate().filter(|(_, utterance)| utterance.delivered) {
            let missed = self.audience(utterance).find(|person| !self.has_heard(*person, number));
            if let Some(person) = missed {
                return Err(format!("p{person} was there and has not heard number {number}: {utterance:?}"));
            }
        }
        if let Some(nickname) = self.shared_nicknames.first() {
            return Err(format!("two people were called {nickname}"));
        }
        if let Some(wrong) = self.wrong_rosters.first() {
            return Err(format!("{wrong} is a wrong picture"));
        }
        if self.left_over > 0 {
            return Err(format!("{} things were left when everybody had gone", self.left_over));
        }
        Ok(())
    }

    /// Each number once, those of one speaker in order, and none that was not for this person.
    fn check_ear(&self, person: Person, heard: &[usize]) -> Result<(), String> {
        let mut last: BTreeMap<Person, usize> = BTreeMap::new();
        for number in heard {
            let utterance = self.said.get(*number).ok_or(format!("p{person} has heard what nobody said: {number}"))?;
            if utterance.by == person {
                return Err(format!("p{person} has heard itself: {number}"));
            }
            if utterance.to.is_some_and(|to| to != person) {
                return Err(format!("p{person} has heard what was for p{:?} alone: {number}", utterance.to));
            }
            if last.insert(utterance.by, *number).is_some_and(|before| before >= *number) {
                return Err(format!("p{person} has heard number {number} twice or too late"));
            }
        }
        Ok(())
    }

    /// Who must have heard something.
    fn audience(&self, utterance: &Utterance) -> impl Iterator<Item = Person> {
        let Utterance { by, room, to, round, .. } = *utterance;
        let there = self.attended.iter().filter(move |(at, _, in_room)| *at == round && *in_room == room);
        there.map(|(_, person, _)| *person).filter(move |person| *person != by && to.is_none_or(|to| to == *person))
    }

    fn has_heard(&self, person: Person, number: usize) -> bool {
        self.heard.get(&person).is_some_and(|heard| heard.contains(&number))
    }
}

/// Somebody's state, as they know it themselves.
#[derive(Clone, Default)]
struct Own {
    /// Joined, or about to be.
    room: Option<usize>,
    joined: bool,
    /// Left, broke off or stalled in this round.
    wavered: bool,
    stalled: bool,
    nickname: Option<String>,
    /// Whether the room may think otherwise of the nickname.
    is_unsure: bool,
}

/// Lives a life and says what came of it.
#[must_use]
pub fn live(plan: Plan) -> Log {
    let mut life = Life::new(plan);
    for round in 0..plan.rounds {
        life.round(round);
    }
    life.end();
    life.log
}

struct Life {
    plan: Plan,
    world: World,
    chance: Box<dyn Rng + Send>,
    selves: Vec<Own>,
    log: Log,
    /// The agent's own name of what was said, to know what was delivered.
    sent: BTreeMap<(Person, u64), usize>,
    messages: BTreeMap<Person, u64>,
}

impl Life {
    fn new(plan: Plan) -> Self {
        let mut settings = settings(Instant::now());
        settings.rooms.defaults.grace = Duration::from_secs(5);
        settings.rooms.defaults.room.nickname_quarantine = Duration::from_secs(10);
        let mut world = World::new(settings, plan.people, plan.seed);
        let mut chance = rng::seeded(plan.seed, u64::MAX);
        let roll = |chance: &mut Box<dyn Rng + Send>, to: u64| chance.next_u64() % to;
        // Not in all: to tell who is there takes longer than all the talk.
        world.rosters = (plan.seed / 2).is_multiple_of(4);
        world.network = Network {
            latency: Duration::from_micros(1 + roll(&mut chance, 20_000)),
            jitter: Duration::from_micros(roll(&mut chance, 50_000)),
            loss: [0, 0, 50, 200][roll(&mut chance, 4) as usize],
            splits: roll(&mut chance, 2) == 1,
        };
        Self {
            selves: vec![Own::default(); plan.people],
            plan,
            world,
            chance,
            log: Log::default(),
            sent: BTreeMap::new(),
            messages: BTreeMap::new(),
        }
    }

    fn roll(&mut self, to: usize) -> usize {
        (self.chance.next_u64() % to as u64) as usize
    }

    fn round(&mut self, round: usize) {
        for own in &mut self.selves {
            own.wavered = !own.joined;
        }
        for _ in 0..self.plan.deeds {
            let person = self.roll(self.plan.people);
            self.deed(round, person);
            let pause = Duration::from_micros(self.roll(300_000) as u64);
            self.world.pass(pause);
            self.listen();
        }
        for person in 0..self.plan.people {
            self.stall(person, false);
        }
        self.world.pass(Duration::from_secs(90));
        self.listen();
        for (person, own) in self.selves.iter().enumerate() {
            if let (Some(room), true, false) = (own.room, own.joined, own.wavered) {
                self.log.attended.insert((round, person, room));
            }
        }
        self.compare_rosters();
    }

    /// Everybody who was not away knows who is there. Where a fifth of all gets lost, a NOTIFY may come too late for that.
    fn compare_rosters(&mut self) {
        if !self.world.rosters || self.world.network.loss > 50 {
            return;
        }
        for (person, own) in self.selves.iter().enumerate().filter(|(_, own)| own.joined && !own.wavered) {
            let Some(roster) = self.world.roster(person) else {
                self.log.wrong_rosters.push(format!("p{person}: none"));
                continue;
            };
            let known = roster.people.iter().map(|(uri, member)| (uri.clone(), member.nickname.clone()));
            let there = self.selves.iter().enumerate().filter(|(_, other)| other.joined && other.room == own.room);
            let there = there.map(|(other, own)| (name(other), own));
            let is_right = roster.people.len() == there.clone().count()
                && there.zip(known).all(|((uri, other), (known, nickname))| {
                    uri == known && (other.is_unsure || other.nickname == nickname)
                });
            self.log.rosters += 1;
            if !is_right {
                self.log.wrong_rosters.push(format!("p{person}: {roster:?}"));
            }
        }
    }

    fn deed(&mut self, round: usize, person: Person) {
        let Some(room) = self.selves[person].room else { return self.join(person) };
        if !self.selves[person].joined {
            return;
        }
        match self.roll(100) {
            0..45 => self.say(round, person, room, None),
            45..65 => {
                let to = self.roll(self.plan.people);
                self.say(round, person, room, Some(to).filter(|to| *to != person));
            }
            65..85 => self.nick(person),
            85..89 => self.leave(person),
            89..92 => self.cut(person),
            92..97 => {
                let stalled = !self.selves[person].stalled;
                self.stall(person, stalled);
            }
            _ => {}
        }
    }

    fn count(&mut self, deed: &'static str) {
        *self.log.deeds.entry(deed).or_default() += 1;
    }

    fn join(&mut self, person: Person) {
        let room = self.roll(ROOMS.len());
        self.world.join(person, ROOMS[room]);
        self.selves[person] = Own { room: Some(room), wavered: true, ..Own::default() };
        self.count("join");
    }

    fn say(&mut self, round: usize, by: Person, room: usize, to: Option<Person>) {
        let number = self.log.said.len();
        let length = if self.roll(20) == 0 { LONG + self.roll(LONG) } else { self.roll(200) };
        let text = format!("number {number} {}", "x".repeat(length));
        let result = self.world.with(by, |agent, now| match to {
            Some(to) => agent.whisper(now, &name(to), &text),
            None => agent.say(now, &text),
        });
        if let Ok(id) = result {
            self.sent.insert((by, id.0), number);
            self.messages.insert(by, id.0);
            self.log.said.push(Utterance { by, room, to, round, delivered: false });
            self.count(if to.is_some() { "whisper" } else { "say" });
        }
    }

    fn nick(&mut self, person: Person) {
        let nickname = NICKNAMES[self.roll(NICKNAMES.len())];
        let wish = if self.roll(4) == 0 { None } else { Some(nickname) };
        if self.world.with(person, |agent, now| agent.nick(now, wish)).is_ok() {
            self.count("nick");
        }
    }

    fn leave(&mut self, person: Person) {
        let _ = self.world.with(person, |agent, now| agent.leave(now));
        self.selves[person].joined = false;
        self.selves[person].wavered = true;
        self.selves[person].nickname = None;
        self.count("leave");
    }

    fn cut(&mut self, person: Person) {
        self.selves[person].wavered = true;
        self.world.cut(person);
        self.count("cut");
    }

    fn stall(&mut self, person: Person, stalled: bool) {
        if self.selves[person].stalled != stalled {
            self.selves[person].stalled = stalled;
            self.selves[person].wavered = true;
            self.world.stall(person, stalled);
            self.count("stall");
        }
    }

    /// What has happened to people meanwhile.
    fn listen(&mut self) {
        for person in 0..self.plan.people {
            for event in self.world.events(person) {
                self.hear(person, event);
            }
        }
        self.compare_nicknames();
    }

    fn hear(&mut self, person: Person, event: Event) {
        let own = &mut self.selves[person];
        match event {
            Event::Joined(_) => own.joined = true,
            Event::NotJoined(_) | Event::Left(_) => *own = Own { wavered: true, ..Own::default() },
            Event::Said(said) => {
                let text = String::from_utf8_lossy(&said.octets).into_owned();
                let number = text.strip_prefix("number ").and_then(|rest| rest.split(' ').next()?.parse().ok());
                if let Some(number) = number {
                    self.log.heard.entry(person).or_default().push(number);
                }
            }
            Event::Delivered { message } => {
                if let Some(number) = self.sent.get(&(person, message.0)) {
                    self.log.said[*number].delivered = true;
                }
            }
            Event::Nickname { nickname, outcome: Ok(()) } => (own.nickname, own.is_unsure) = (nickname, false),
            // Perhaps it was granted, or given up: nobody knows.
            Event::Nickname { outcome: Err(client::NicknameFailure::NoAnswer), .. } => {
                (own.nickname, own.is_unsure) = (None, true);
            }
            Event::Interrupted => own.wavered = true,
            _ => {}
        }
    }

    fn compare_nicknames(&mut self) {
        let mut holders: BTreeSet<(usize, String)> = BTreeSet::new();
        for own in self.selves.iter().filter(|own| own.joined) {
            if let (Some(room), Some(nickname)) = (own.room, &own.nickname)
                && !holders.insert((room, nickname.to_lowercase()))
            {
                self.log.shared_nicknames.push(nickname.clone());
            }
        }
    }

    /// Everybody goes, and nothing is left of them.
    fn end(&mut self) {
        for person in 0..self.plan.people {
            let _ = self.world.with(person, |agent, now| agent.leave(now));
        }
        self.world.pass(Duration::from_secs(300));
        self.listen();
        let workers: usize = self.world.node.census().into_iter().flatten().sum();
        let signalling: usize = self.world.node.signalling().census().into_iter().sum();
        self.log.left_over = workers + signalling;
    }
}
