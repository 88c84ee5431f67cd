//! A node and people who talk, on a network that delays, cuts, splits and loses as one seed says.
//!
//! Everything that happens is written down: two runs of one seed are the same, to the octet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::{Agent, Config, Event, Input, Join, MediaId, Output, Roster};
use focus::node::{LinkId, Output as NodeOutput};
use focus::settings::Settings;
use focus::signalling::{self, Account, Answer, Question};
use focus::worker::Wire;
use focus::{Node, Place};
use rand_core::Rng;

use crate::rng;

/// What the network does to those who use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The shortest way.
    pub latency: Duration,
    /// How much longer it may take, each time anew. Datagrams overtake one another by it; streams do not.
    pub jitter: Duration,
    /// How many datagrams of a thousand are lost.
    pub loss: u32,
    /// Whether a stream is cut into pieces anywhere.
    pub splits: bool,
}

impl Default for Network {
    /// A clean one, as on one machine.
    fn default() -> Self {
        Self { latency: Duration::from_micros(50), jitter: Duration::ZERO, loss: 0, splits: false }
    }
}

/// Somebody, by their place in the list of people.
pub type Person = usize;

/// Something on its way, or due.
#[derive(Debug)]
enum Happening {
    ToNode { from: Person, octets: Vec<u8> },
    ToPerson { to: Person, octets: Vec<u8> },
    Connected { person: Person, media: MediaId },
    ToLink { stream: usize, octets: Vec<u8> },
    FromLink { stream: usize, octets: Vec<u8> },
    LinkClosed { stream: usize },
    MediaClosed { stream: usize },
}

struct Actor {
    agent: Agent,
    address: SocketAddr,
    events: Vec<Event>,
}

/// A media connection, both ends of it.
struct Stream {
    person: Person,
    media: MediaId,
    link: LinkId,
    /// When the last octets of either way arrive: those behind them come no sooner.
    up: Instant,
    down: Instant,
    /// The node takes no more for now; what has come waits.
    waiting: VecDeque<u8>,
    /// The person takes no more octets.
    stalled: bool,
    closed: bool,
}

/// The world of one seed.
pub struct World {
    /// The node.
    pub node: Node,
    /// The time.
    pub now: Instant,
    /// Who can log in.
    pub accounts: BTreeMap<String, Account>,
    /// The network.
    pub network: Network,
    /// Whether people ask who is there when they join.
    pub rosters: bool,
    /// All that was sent and all that happened to people, in order.
    pub trace: Vec<String>,
    start: Instant,
    chance: Box<dyn Rng + Send>,
    people: Vec<Actor>,
    streams: Vec<Stream>,
    by_link: BTreeMap<LinkId, usize>,
    to_come: BTreeMap<(Instant, u64), Happening>,
    scheduled: u64,
}

impl World {
    /// A node of these settings, and so many people who are in no room yet.
    #[must_use]
    pub fn new(settings: Settings, people: usize, seed: u64) -> Self {
        let now = settings.epoch.instant;
        let node = Node::new(&Arc::new(settings), rng::streams(seed));
        let person = |nth: usize| {
            let mut streams = rng::streams(seed ^ ((nth as u64 + 1) << 32));
            Actor {
                agent: Agent::new(Config::default(), Box::new(move || streams())),
                address: ([10, 0, (nth >> 8) as u8, nth as u8], 5060).into(),
                events: Vec::new(),
            }
        };
        let mut world = Self {
            node,
            now,
            accounts: BTreeMap::new(),
            network: Network::default(),
            rosters: false,
            trace: Vec::new(),
            start: now,
            chance: rng::seeded(seed, 0),
            people: (0..people).map(person).collect(),
            streams: Vec::new(),
            by_link: BTreeMap::new(),
            to_come: BTreeMap::new(),
            scheduled: 0,
        };
        world.settle();
        world
    }

    /// Somebody calls a room under the name `sip:pN@chat.example.com`.
    pub fn join(&mut self, person: Person, room: &str) {
        let destination = sip::Destination::address(sip::Transport::Udp, node_sip());
        let local = self.people[person].address;
        let join = Join::new(room, name(person), destination, sip::Transport::Udp, local);
        let join = Join { roster: self.rosters, ..join };
        self.with(person, |agent, now| agent.join(now, join).expect("who is in no room can call"));
    }

    /// Lets somebody do something; whatever follows from it happens in its time.
    pub fn with<T>(&mut self, person: Person, act: impl FnOnce(&mut Agent, Instant) -> T) -> T {
        let result = act(&mut self.people[person].agent, self.now);
        self.settle();
        result
    }

    /// What has happened to somebody since this was asked last.
    pub fn events(&mut self, person: Person) -> Vec<Event> {
        std::mem::take(&mut self.people[person].events)
    }

    /// Who is in somebody's room, as far as they know.
    #[must_use]
    pub fn roster(&self, person: Person) -> Option<&Roster> {
        self.people[person].agent.roster()
    }

    /// Somebody takes no more octets of media, or takes them again.
    pub fn stall(&mut self, person: Person, stalled: bool) {
        let links: Vec<LinkId> = self.streams_of(person).map(|stream| stream.link).collect();
        for stream in self.streams.iter_mut().filter(|stream| stream.person == person) {
            stream.stalled = stalled;
        }
        if !stalled {
            for link in links {
                self.node.writable(self.now, link);
            }
        }
        self.settle();
    }

    /// The media connections of somebody break, for both sides.
    pub fn cut(&mut self, person: Person) {
        let nths: Vec<usize> = (0..self.streams.len()).filter(|nth| self.streams[*nth].person == person).collect();
        for nth in nths {
            if !std::mem::replace(&mut self.streams[nth].closed, true) {
                let link = self.streams[nth].link;
                self.node.closed(self.now, link);
                let media = self.streams[nth].media;
                let input = Input::MediaClosed { connection: media };
                self.people[person].agent.handle_input(self.now, input);
            }
        }
        self.settle();
    }

    fn streams_of(&self, person: Person) -> impl Iterator<Item = &Stream> {
        self.streams.iter().filter(move |stream| stream.person == person && !stream.closed)
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// The next thing that happens before `end`, if there is one.
    fn step(&mut self, end: Instant) -> bool {
        let happening = self.to_come.first_key_value().map(|((at, _), _)| *at);
        let node = self.node.poll_timeout();
        let people = self.people.iter().filter_map(|actor| actor.agent.poll_timeout()).min();
        let Some(next) = [happening, node, people].into_iter().flatten().min().filter(|next| *next <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        if node.is_some_and(|at| at <= self.now) {
            self.node.handle_timeout(self.now);
        }
        for actor in &mut self.people {
            if actor.agent.poll_timeout().is_some_and(|at| at <= self.now) {
                actor.agent.handle_timeout(self.now);
            }
        }
        if happening.is_some_and(|at| at <= self.now)
            && let Some((_, happening)) = self.to_come.pop_first()
        {
            self.happen(happening);
        }
        self.settle();
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToNode { from, octets } => {
                let remote = self.people[from].address;
                let input = sip::Input::Datagram { local: node_sip(), remote, octets };
                self.node.handle_signalling(self.now, signalling::Input::Sip(input));
            }
            Happening::ToPerson { to, octets } => {
                let local = self.people[to].address;
                let input = sip::Input::Datagram { local, remote: node_sip(), octets };
                self.people[to].agent.handle_input(self.now, Input::Sip(input));
            }
            Happening::Connected { person, media } => self.connected(person, media),
            Happening::ToLink { stream, octets } => {
                self.streams[stream].waiting.extend(octets);
                self.feed(stream);
            }
            Happening::FromLink { stream, octets } => {
                let Stream { person, media, closed, .. } = self.streams[stream];
                if !closed {
                    let input = Input::MediaReceived { connection: media, octets: &octets };
                    self.people[person].agent.handle_input(self.now, input);
                }
            }
            Happening::LinkClosed { stream } => {
                if !std::mem::replace(&mut self.streams[stream].closed, true) {
                    let link = self.streams[stream].link;
                    self.node.closed(self.now, link);
                }
            }
            Happening::MediaClosed { stream } => {
                let Stream { person, media, .. } = self.streams[stream];
                self.people[person].agent.handle_input(self.now, Input::MediaClosed { connection: media });
            }
        }
    }

    fn connected(&mut self, person: Person, media: MediaId) {
        let remote = self.people[person].address;
        let wire = Wire { secure: false, local: ([192, 0, 2, 1], 2855).into(), remote };
        let link = self.node.open(self.now, wire);
        self.by_link.insert(link, self.streams.len());
        self.streams.push(Stream {
            person,
            media,
            link,
            up: self.now,
            down: self.now,
            waiting: VecDeque::new(),
            stalled: false,
            closed: false,
        });
        self.people[person].agent.handle_input(self.now, Input::MediaOpened { connection: media });
    }

    /// Gives the node what waits for it on a connection, as long as it reads.
    fn feed(&mut self, nth: usize) {
        while !self.streams[nth].closed && !self.streams[nth].waiting.is_empty() {
            let link = self.streams[nth].link;
            if !self.node.reads(link) {
                return;
            }
            let length = self.piece(self.streams[nth].waiting.len());
            let octets: Vec<u8> = self.streams[nth].waiting.drain(..length).collect();
            self.node.received(self.now, link, &octets);
            self.gather();
        }
    }

    /// How many of these octets come in one piece.
    fn piece(&mut self, octets: usize) -> usize {
        if self.network.splits && octets > 1 { 1 + self.chance.next_u32() as usize % octets } else { octets }
    }

    /// Lets everything happen that happens now: letters in an order that the seed chooses, then what the owners have to say.
    fn settle(&mut self) {
        loop {
            let places: Vec<Place> = self.node.with_mail().collect();
            if let Some(place) = self.choose(&places) {
                self.node.step(self.now, place);
                continue;
            }
            if !self.gather() {
                return;
            }
        }
    }

    fn choose(&mut self, places: &[Place]) -> Option<Place> {
        match places {
            [] => None,
            [one] => Some(*one),
            several => several.get(self.chance.next_u32() as usize % several.len()).copied(),
        }
    }

    fn gather(&mut self) -> bool {
        let mut any = false;
        while let Some((link, octets)) = self.node.poll_transmit(self.now) {
            any = true;
            self.transmitted(link, octets);
        }
        while let Some(output) = self.node.poll_output() {
            any = true;
            self.of_node(output);
        }
        for person in 0..self.people.len() {
            while let Some(output) = self.people[person].agent.poll_output() {
                any = true;
                self.of_person(person, output);
            }
        }
        any
    }

    fn transmitted(&mut self, link: LinkId, octets: Vec<u8>) {
        let nth = self.by_link[&link];
        let taken = if self.streams[nth].stalled || self.streams[nth].closed { 0 } else { octets.len() };
        self.node.handle_transmitted(self.now, link, taken);
        if taken > 0 {
            let person = self.streams[nth].person;
            self.write(&format!("node > p{person}"), &octets);
            self.stream(nth, octets, false);
        }
    }

    fn of_node(&mut self, output: NodeOutput) {
        match output {
            NodeOutput::Signalling(signalling::Output::Transmit { hop, octets }) => {
                let sip::Hop::Datagram { remote, .. } = hop else { return };
                let Some(to) = self.people.iter().position(|actor| actor.address == remote) else { return };
                self.write(&format!("node > p{to}"), &octets);
                self.datagram(Happening::ToPerson { to, octets });
            }
            NodeOutput::Signalling(signalling::Output::Ask { id, question: Question::Account { user } }) => {
                let answer = Answer::Account(self.accounts.get(&user).cloned());
                self.node.handle_signalling(self.now, signalling::Input::Answer { id, answer });
            }
            // People take datagrams alone.
            NodeOutput::Signalling(signalling::Output::Connect { connection, .. }) => {
                let refused = signalling::Input::Sip(sip::Input::Closed { connection });
                self.node.handle_signalling(self.now, refused);
            }
            NodeOutput::Signalling(_) | NodeOutput::Connect { .. } => {}
            NodeOutput::Close { link } => {
                let nth = self.by_link[&link];
                self.streams[nth].closed = true;
                let at = self.streams[nth].down.max(self.now + self.network.latency);
                self.schedule(at, Happening::MediaClosed { stream: nth });
            }
            NodeOutput::Resume { link } => {
                let nth = self.by_link[&link];
                self.feed(nth);
            }
        }
    }

    fn of_person(&mut self, person: Person, output: Output) {
        match output {
            Output::SipTransmit { octets, .. } => {
                self.write(&format!("p{person} > node"), &octets);
                self.datagram(Happening::ToNode { from: person, octets });
            }
            Output::MediaConnect { connection, .. } => {
                let at = self.now + self.network.latency * 2;
                self.schedule(at, Happening::Connected { person, media: connection });
            }
            Output::MediaTransmit { connection, octets } => {
                let sent = Input::MediaTransmitted { connection, octets: octets.len() };
                self.people[person].agent.handle_input(self.now, sent);
                self.write(&format!("p{person} > node"), &octets);
                if let Some(nth) = self.stream_of(person, connection) {
                    self.stream(nth, octets, true);
                }
            }
            Output::MediaClose { connection } => {
                if let Some(nth) = self.stream_of(person, connection) {
                    let at = self.streams[nth].up.max(self.now + self.network.latency);
                    self.schedule(at, Happening::LinkClosed { stream: nth });
                }
            }
            Output::SipConnect { .. } | Output::SipClose { .. } => {}
            Output::Event(event) => {
                self.write(&format!("p{person}: {event:?}"), b"");
                self.people[person].events.push(event);
            }
        }
    }

    fn stream_of(&self, person: Person, media: MediaId) -> Option<usize> {
        self.streams.iter().position(|stream| stream.person == person && stream.media == media && !stream.closed)
    }

    fn delay(&mut self) -> Duration {
        let jitter = self.network.jitter.as_nanos() as u64;
        let extra = if jitter == 0 { 0 } else { self.chance.next_u64() % jitter };
        self.network.latency + Duration::from_nanos(extra)
    }

    fn datagram(&mut self, happening: Happening) {
        let delay = self.delay();
        if self.chance.next_u32() % 1000 >= self.network.loss {
            self.schedule(self.now + delay, happening);
        }
    }

    /// Octets on a media connection, in pieces, none before those that were sent before it.
    fn stream(&mut self, nth: usize, mut octets: Vec<u8>, up: bool) {
        while !octets.is_empty() {
            let length = self.piece(octets.len());
            let rest = octets.split_off(length);
            let at = self.now + self.delay();
            let last = if up { &mut self.streams[nth].up } else { &mut self.streams[nth].down };
            let at = at.max(*last);
            *last = at;
            let piece = std::mem::replace(&mut octets, rest);
            self.schedule(
                at,
                if up {
                    Happening::ToLink { stream: nth, octets: piece }
                } else {
                    Happening::FromLink { stream: nth, octets: piece }
                },
            );
        }
    }

    fn schedule(&mut self, at: Instant, happening: Happening) {
        self.scheduled += 1;
        self.to_come.insert((at, self.scheduled), happening);
    }

    fn write(&mut self, what: &str, octets: &[u8]) {
        let at = self.now.saturating_duration_since(self.start);
        self.trace.push(format!("{at:?} {what} {}", octets.escape_ascii()));
    }

    /// Who is heard of in events of others, for checks.
    pub fn names(&self) -> BTreeSet<String> {
        (0..self.people.len()).map(name).collect()
    }
}

/// The URI of somebody.
#[must_use]
pub fn name(person: Person) -> String {
    format!("sip:p{person}@chat.example.com")
}

fn node_sip() -> SocketAddr {
    ([192, 0, 2, 1], 5060).into()
}
