//! An endpoint as a state machine. The input is commands, one letter each with what belongs to it, apart by an octet 30:
//!
//! ```text
//! d…  a datagram          s…  octets of a stream    p486  the peer answers our newest request
//! t9  that many seconds   n486  answer the newest request    a  accept it    b  hang up the newest dialog
//! i  send an INVITE       u…  send a request in the newest dialog    c  cancel it    h l  hold it, release it
//! o x  a connection opens, closes
//! ```
//!
//! `{tag}` in what comes is the tag that the endpoint gave itself last. Bounds hold; in the end, after the user let go of
//! everything, nothing is left; and the same commands bring the same octets.

#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sip::{
    Answer, Config, ConnectionId, Destination, Endpoint, Event, Input, Limits, Message, Method, Outgoing, Output,
    Request, Response, SessionTimers, Transport, Within, typed,
};

const CONTACT: &str = "<sip:us@198.51.100.1>";

fuzz_target!(|octets: &[u8]| {
    let began = Instant::now();
    let (mut player, mut twin) = (Player::new(began), Player::new(began));
    for command in octets.split(|octet| *octet == 30).take(200) {
        player.take(command);
        twin.take(command);
    }
    assert_eq!(player.outputs, twin.outputs);
    player.let_go();
});

struct Player {
    endpoint: Endpoint,
    now: Instant,
    connection: u64,
    transactions: Vec<sip::TransactionId>,
    dialogs: Vec<sip::DialogId>,
    clients: Vec<sip::ClientId>,
    request: Option<Request>,
    tag: String,
    outputs: Vec<Output>,
}

fn limits() -> Limits {
    let limits =
        Limits { server_transactions: 8, client_transactions: 4, dialogs: 4, connections: 3, ..Limits::default() };
    Limits { head: 3_000, body: 1_000, server_octets: 20_000, ..limits }
}

impl Player {
    fn new(now: Instant) -> Self {
        let session_timers = Some(SessionTimers { interval: 200, min: 90 });
        let mut config = Config { limits: limits(), judge_foreign_bye: true, session_timers, ..Config::default() };
        config.allow.extend([Method::UPDATE, Method::SUBSCRIBE, Method::NOTIFY, Method::REFER, Method::INFO]);
        let endpoint = Endpoint::new(config, Box::new(ChaCha12Rng::seed_from_u64(3)));
        let (transactions, dialogs, clients, outputs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (request, tag) = (None, String::new());
        Self { endpoint, now, connection: 0, transactions, dialogs, clients, request, tag, outputs }
    }

    fn take(&mut self, command: &[u8]) {
        let Some((letter, rest)) = command.split_first() else { return };
        let connection = ConnectionId(self.connection);
        match letter {
            b'd' => {
                let octets = self.filled(rest);
                self.input(Input::Datagram { local: here(), remote: there(), octets });
            }
            b's' => {
                let octets = self.filled(rest);
                self.input(Input::Received { connection, octets });
            }
            b'p' => self.peer_answers(number(rest) as u16),
            b't' => self.pass(Duration::from_secs(number(rest).min(10_000))),
            b'o' => {
                self.connection += 1;
                let (connection, local, remote) = (ConnectionId(self.connection), here(), there());
                self.input(Input::Opened { connection, transport: Transport::Tcp, local, remote });
            }
            b'x' => self.input(Input::Closed { connection }),
            _ => self.user(*letter, rest),
        }
        self.drain();
        let (counts, limits) = (self.endpoint.counts(), limits());
        assert!(counts.server_transactions <= limits.server_transactions);
        assert!(counts.dialogs <= limits.dialogs && counts.connections <= limits.connections);
    }

    fn user(&mut self, letter: u8, rest: &[u8]) {
        let now = self.now;
        let (transaction, dialog) = (self.transactions.last().copied(), self.dialogs.last().copied());
        match (letter, transaction, dialog) {
            (b'n', Some(id), _) => {
                let _ = self.endpoint.respond(now, id, Answer::new(number(rest) as u16).contact(CONTACT));
            }
            (b'a', Some(id), _) => {
                self.dialogs.extend(self.endpoint.accept(now, id, Answer::new(200).contact(CONTACT)))
            }
            (b'b', _, Some(id)) => drop(self.endpoint.bye(now, id, None).is_ok()),
            (b'h', _, Some(id)) => drop(self.endpoint.hold(id).is_ok()),
            (b'l', _, Some(id)) => drop(self.endpoint.release(now, id).is_ok()),
            (b'u', _, Some(id)) => {
                if let Some(method) = std::str::from_utf8(rest).ok().and_then(Method::new) {
                    self.clients.extend(self.endpoint.request_within(now, id, Within::new(method)));
                }
            }
            (b'i', ..) => {
                let destination = Destination::address(Transport::Udp, there());
                let outgoing =
                    Outgoing::new(Method::INVITE, "sip:peer@192.0.2.1", "<sip:us@a>", "<sip:peer@a>", destination);
                let credentials = sip::auth::Credentials::new("us", "secret");
                self.clients.extend(self.endpoint.invite(now, outgoing.contact(CONTACT).credentials(credentials)));
            }
            (b'c', ..) => {
                let _ = self.clients.last().map(|id| self.endpoint.cancel(now, *id));
            }
            _ => {}
        }
    }

    fn filled(&self, octets: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(octets) {
            Ok(text) => text.replace("{tag}", &self.tag).into_bytes(),
            Err(_) => octets.to_vec(),
        }
    }

    fn peer_answers(&mut self, code: u16) {
        let Some(request) = &self.request else { return };
        let mut response = Response::to(request, code.clamp(100, 699), Some("peer"));
        response.headers.push("Contact", "<sip:peer@192.0.2.1>");
        response.headers.push("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", stale=true");
        let octets = response.encode();
        self.input(Input::Datagram { local: here(), remote: there(), octets });
    }

    fn input(&mut self, input: Input) {
        self.endpoint.handle_input(self.now, input);
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.endpoint.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.endpoint.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match &output {
                Output::Event(Event::Request { transaction, .. }) => self.transactions.push(*transaction),
                Output::Event(Event::Accepted { dialog, .. }) => self.dialogs.push(*dialog),
                Output::Transmit { octets, .. } => match sip::parse(octets) {
                    Ok(Message::Request(request)) => self.request = Some(request),
                    Ok(Message::Response(response)) => {
                        let tag = response.header("To").and_then(typed::tag);
                        self.tag = tag.unwrap_or_default().to_owned();
                    }
                    Err(_) => {}
                },
                _ => {}
            }
            self.outputs.push(output);
        }
    }

    fn let_go(&mut self) {
        for _ in 0..10 {
            self.pass(Duration::from_secs(64));
            for id in self.dialogs.clone() {
                while self.endpoint.release(self.now, id).is_ok() {}
                let _ = self.endpoint.bye(self.now, id, None);
            }
            for id in self.clients.clone() {
                let _ = self.endpoint.cancel(self.now, id);
            }
            for id in self.transactions.clone() {
                let _ = self.endpoint.respond(self.now, id, Answer::new(480));
            }
            self.drain();
        }
        self.pass(Duration::from_secs(64));
        let counts = self.endpoint.counts();
        assert_eq!((counts.server_transactions, counts.client_transactions, counts.dialogs), (0, 0, 0));
    }
}

fn number(octets: &[u8]) -> u64 {
    std::str::from_utf8(octets).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn here() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 5060))
}

fn there() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 5060))
}
