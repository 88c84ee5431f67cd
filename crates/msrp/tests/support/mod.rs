//! A connection under test, with what goes in and comes out as text. `{a}` in it stands for an ident that is not known
//! beforehand, the same wherever `{a}` stands.

#![allow(dead_code, unreachable_pub, reason = "not every test needs everything")]
#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use msrp::connection::{Connection, Output, Settings};
use msrp::session::{Event, Message, Role, SessionId, Terms};
use msrp::uri::{Path, Uri};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub const ALICE: &str = "msrp://alice.example.com:7654/jshA7weztas;tcp";
pub const ROOM: &str = "msrp://chat.example.com:12763/kjhd37s2s20w2a;tcp";

/// A place in time to count from.
#[allow(clippy::disallowed_methods, reason = "there is no other way to get an Instant")]
pub fn beginning() -> Instant {
    Instant::now()
}

pub fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub fn terms(own: &str, peer: &str, role: Role) -> Terms {
    Terms {
        own: Uri::parse(own).unwrap(),
        peer: Path::parse(peer).unwrap(),
        role,
        accept_types: vec!["*".to_owned()],
        max_chunk: None,
    }
}

pub fn text(octets: &str) -> Message {
    Message::new("text/plain", octets.as_bytes().to_vec())
}

/// The lines of a frame: trimmed, with CR LF behind each.
pub fn lines(text: &str) -> String {
    text.trim().lines().map(|line| line.trim().to_owned() + "\r\n").collect()
}

pub struct Talk {
    pub now: Instant,
    pub connection: Connection,
    pub events: Vec<Event>,
    pub closed: bool,
    names: BTreeMap<String, String>,
}

impl Talk {
    pub fn new(settings: Settings) -> Talk {
        let connection = Connection::new(settings, Box::new(ChaCha8Rng::seed_from_u64(7)));
        Talk { now: beginning(), connection, events: Vec::new(), closed: false, names: BTreeMap::new() }
    }

    /// Alice's connection, with her session in the room bound.
    pub fn bound(settings: Settings) -> (Talk, SessionId) {
        let mut talk = Talk::new(settings);
        let session = talk.connection.open(talk.now, terms(ALICE, ROOM, Role::Active));
        talk.answers(200);
        assert_eq!(std::mem::take(&mut talk.events), [Event::Bound { session }]);
        (talk, session)
    }

    /// All that is to be transmitted; it has left at once.
    pub fn transmitted(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(octets) = self.output() {
            self.connection.handle_transmitted(self.now, octets.len());
            all.extend(octets);
        }
        all
    }

    /// The next octets to be transmitted, which have not left yet.
    pub fn output(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.connection.poll_output()? {
                Output::Transmit(octets) => return Some(octets),
                Output::Event(event) => self.events.push(event),
                Output::Close => self.closed = true,
            }
        }
    }

    /// What is transmitted now is this, and nothing else.
    #[track_caller]
    pub fn sends(&mut self, expected: &str) {
        let octets = self.transmitted();
        self.is(&octets, &lines(expected));
    }

    #[track_caller]
    pub fn sends_nothing(&mut self) {
        self.sends("");
    }

    #[track_caller]
    pub fn is(&mut self, octets: &[u8], expected: &str) {
        let actual = String::from_utf8_lossy(octets).into_owned();
        let mut rest = actual.as_str();
        let mut parts = expected.split('{');
        let mut fits = take(&mut rest, parts.next().unwrap());
        for part in parts {
            let (name, literal) = part.split_once('}').unwrap();
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".-+%=".contains(c))).unwrap_or(rest.len());
            // Behind seven hyphens comes the flag, which could be a part of the ident.
            let end = if rest[..end].ends_with('+') && literal.starts_with('+') { end - 1 } else { end };
            let known = self.names.entry(name.to_owned()).or_insert_with(|| rest[..end].to_owned()).clone();
            fits &= take(&mut rest, &known) && take(&mut rest, literal);
        }
        assert!(fits && rest.is_empty(), "\nsent:\n{actual}\nexpected, with {:?}:\n{expected}", self.names);
    }

    /// These octets come from the peer.
    pub fn gets(&mut self, text: &str) {
        let octets = self.filled(&lines(text));
        self.gets_octets(octets.as_bytes());
    }

    pub fn gets_octets(&mut self, octets: &[u8]) {
        self.connection.handle_input(self.now, octets);
    }

    /// The text with the idents that are known in their places.
    pub fn filled(&self, text: &str) -> String {
        let fill = |text: String, (name, value): (&String, &String)| text.replace(&format!("{{{name}}}"), value);
        self.names.iter().fold(text.to_owned(), fill)
    }

    /// The peer answers every request that it gets now.
    pub fn answers(&mut self, code: u16) {
        let octets = self.transmitted();
        let text = String::from_utf8_lossy(&octets).into_owned();
        for request in
            text.split("MSRP ").filter(|frame| frame.contains(" SEND\r\n") || frame.contains(" NICKNAME\r\n"))
        {
            let transaction = request.split(' ').next().unwrap();
            self.gets(&format!(
                "MSRP {transaction} {code} comment\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\n-------{transaction}$"
            ));
        }
        self.collect();
    }

    /// What has happened since the last time.
    pub fn events(&mut self) -> Vec<Event> {
        self.collect();
        std::mem::take(&mut self.events)
    }

    fn collect(&mut self) {
        let octets = self.transmitted();
        assert!(octets.is_empty(), "nobody looked at {}", String::from_utf8_lossy(&octets));
    }

    pub fn passes(&mut self, time: Duration) {
        self.now += time;
        self.connection.handle_timeout(self.now);
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.connection.poll_timeout().map(|at| at - self.now)
    }
}

fn take(rest: &mut &str, prefix: &str) -> bool {
    match rest.strip_prefix(prefix) {
        Some(tail) => {
            *rest = tail;
            true
        }
        None => false,
    }
}
