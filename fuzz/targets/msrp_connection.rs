//! A whole connection with two sessions, against a peer that does what the input says. What the connection sends must be
//! frames, whatever comes.
//!
//! The input is lines of a script. `<` brings the octets behind it, with `|` for CR LF; `!` answers what was asked, with the
//! code behind it; `.` lets so many octets leave; `>` sends a message of so many octets; `n` asks for a nickname; `t` lets so
//! many seconds pass; `x` closes a session; `o` opens one.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use msrp::chunk::Bounds;
use msrp::connection::{Connection, Output, Settings};
use msrp::frame::{Method, Start};
use msrp::parse::{Event as Read, Limits, Parser};
use msrp::session::{Message, Role, SessionId, Terms};
use msrp::uri::{Path, Uri};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

struct Play {
    connection: Connection,
    now: Instant,
    sessions: Vec<SessionId>,
    /// What was sent and not read yet.
    sent: Vec<u8>,
    leaving: usize,
    parser: Parser,
    asked: Vec<String>,
}

fuzz_target!(|script: &[u8]| {
    let mut play = Play::new();
    play.open(Role::Active);
    play.open(Role::Passive);
    for line in script.split(|b| *b == b'\n').take(200) {
        let Some((what, rest)) = line.split_first() else { continue };
        play.step(*what, rest);
        play.drain();
    }
    play.now += Duration::from_secs(3600);
    play.connection.handle_timeout(play.now);
    play.connection.handle_closed(play.now);
    while let Some(output) = play.connection.poll_output() {
        assert!(matches!(output, Output::Event(_)));
    }
    assert_eq!(play.connection.poll_timeout(), None);
    assert_eq!(play.connection.sessions().count(), 0);
});

impl Play {
    fn new() -> Play {
        let settings = Settings {
            gathered: Bounds { messages: 3, message_octets: 200, octets: 400 },
            window: 500,
            turn: 2048,
            queued: 10_000,
            urgent: 4_000,
            transactions: 6,
            keep_alive: Some(Duration::from_secs(100)),
            ..Settings::default()
        };
        Play {
            connection: Connection::new(settings, Box::new(ChaCha8Rng::seed_from_u64(1))),
            now: Instant::now(),
            sessions: Vec::new(),
            sent: Vec::new(),
            leaving: 0,
            parser: Parser::new(Limits::default()),
            asked: Vec::new(),
        }
    }

    fn open(&mut self, role: Role) {
        let own = Uri::new(false, "a", 1, &format!("s{}", self.sessions.len()));
        let peer = Path::parse("msrp://b:2/p;tcp").expect("a path");
        let accept_types = ["a/b", "text/*"].map(str::to_owned).to_vec();
        let terms = Terms { own, peer, role, accept_types, max_chunk: None };
        self.sessions.push(self.connection.open(self.now, terms));
    }

    fn step(&mut self, what: u8, rest: &[u8]) {
        let number = rest.iter().take(4).fold(0usize, |n, b| n * 10 + usize::from(b.wrapping_sub(b'0') % 10));
        let session = self.sessions[number % self.sessions.len()];
        match what {
            b'<' => {
                let octets: Vec<u8> = rest
                    .iter()
                    .flat_map(|b| if *b == b'|' { b"\r\n" } else { std::slice::from_ref(b) })
                    .copied()
                    .collect();
                self.connection.handle_input(self.now, &octets);
            }
            b'!' => {
                for id in std::mem::take(&mut self.asked) {
                    let answer = format!(
                        "MSRP {id} {number:03}\r\nTo-Path: msrp://a:1/s0;tcp\r\nFrom-Path: msrp://b:2/p;tcp\r\n-------{id}$\r\n"
                    );
                    self.connection.handle_input(self.now, answer.as_bytes());
                }
            }
            b'.' => {
                let octets = number.min(self.leaving);
                self.leaving -= octets;
                self.connection.handle_transmitted(self.now, octets);
            }
            b'>' => {
                let message =
                    Message { success_report: number % 2 == 0, ..Message::new("text/plain", vec![b'x'; number]) };
                let _ = self.connection.send(session, message);
            }
            b'n' => drop(self.connection.set_nickname(session, "nick")),
            b't' => {
                self.now += Duration::from_secs(number as u64);
                self.connection.handle_timeout(self.now);
            }
            b'x' => drop(self.connection.close(session)),
            b'o' if self.sessions.len() < 5 => self.open(if number % 2 == 0 { Role::Active } else { Role::Passive }),
            _ => {}
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.connection.poll_output() {
            if let Output::Transmit(octets) = output {
                self.leaving += octets.len();
                self.sent.extend(octets);
            }
        }
        let mut used = 0;
        while let (n, Some(event)) = self.parser.next(&self.sent[used..]).expect("what is sent is MSRP") {
            used += n;
            match event {
                Read::Head(head) => {
                    if matches!(head.start, Start::Request(Method::Send | Method::Nickname)) {
                        self.asked.push(head.transaction.to_owned());
                    }
                }
                Read::Body(_) | Read::End(_) => {}
                Read::Malformed { .. } => panic!("what is sent is well-formed"),
            }
        }
        self.sent.drain(..used);
    }
}
