//! A peer, a wire and a clock for dialogues with an endpoint. What the endpoint gives becomes one line each:
//!
//! ```text
//! R: 200 INVITE          the endpoint sends a response (to what)
//! R: BYE                 the endpoint sends a request
//! event Request INVITE   the user is told
//! connect TCP 192.0.2.1:5060
//! close 1
//! ```
//!
//! Each line may be written with the time before it, in seconds since the bench began: `0.5 R: 200 INVITE`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test support, of which each file uses a part")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sip::{
    Answer, ClientId, Config, ConnectionId, Destination, DialogId, Endpoint, Event, Hop, Input, Message, Method,
    Outgoing, Output, QueryId, Request, Response, TransactionId, Transport, typed,
};

pub const LOCAL: &str = "198.51.100.1:5060";
pub const ALICE: &str = "192.0.2.1:5060";
pub const CONTACT: &str = "<sip:room@198.51.100.1>;isfocus";

/// An address.
pub fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub struct Bench {
    pub endpoint: Endpoint,
    pub now: Instant,
    began: Instant,
    lines: Vec<(Duration, String)>,
    /// All that went out, newest last.
    pub sent: Vec<(Hop, Message)>,
    /// What the user was told and did not look at yet.
    pub events: VecDeque<Event>,
    pub connects: Vec<(ConnectionId, Transport, SocketAddr)>,
    /// The newest question to the DNS.
    pub asked: Option<QueryId>,
    /// How the peer is reached.
    pub peer: Peer,
}

/// How a peer sends.
#[derive(Clone, Copy)]
pub enum Peer {
    Datagram(SocketAddr),
    Stream(ConnectionId),
}

impl Bench {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: Config) -> Self {
        Self::seeded(config, 1)
    }

    #[allow(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
    pub fn seeded(config: Config, seed: u64) -> Self {
        let began = Instant::now();
        Self {
            endpoint: Endpoint::new(config, Box::new(ChaCha12Rng::seed_from_u64(seed))),
            now: began,
            began,
            lines: Vec::new(),
            sent: Vec::new(),
            events: VecDeque::new(),
            connects: Vec::new(),
            asked: None,
            peer: Peer::Datagram(at(ALICE)),
        }
    }

    /// A peer on a TCP connection.
    pub fn tcp() -> Self {
        let mut bench = Self::new();
        bench.open(1, Transport::Tcp);
        bench.peer = Peer::Stream(ConnectionId(1));
        bench
    }

    pub fn open(&mut self, id: u64, transport: Transport) {
        let (connection, local, remote) = (ConnectionId(id), at(LOCAL), at("192.0.2.1:40000"));
        self.input(Input::Opened { connection, transport, local, remote });
    }

    pub fn input(&mut self, input: Input) {
        self.endpoint.handle_input(self.now, input);
        self.drain();
    }

    /// The DNS answers the newest question.
    pub fn dns(&mut self, answer: sip::locate::Answer) {
        let id = self.asked.expect("the DNS was asked");
        self.input(Input::Answer { id, answer });
    }

    /// The newest connection that was asked for is there.
    pub fn connected(&mut self) {
        let (connection, transport, remote) = *self.connects.last().expect("a connection was asked for");
        self.input(Input::Opened { connection, transport, local: at(LOCAL), remote });
        self.peer = Peer::Stream(connection);
    }

    /// The newest connection that was asked for is not to be had, or is gone.
    pub fn disconnected(&mut self) {
        let connection = self.connects.last().expect("a connection was asked for").0;
        self.input(Input::Closed { connection });
    }

    /// The peer sends this: a message in lines, Content-Length written here.
    pub fn a(&mut self, message: impl Into<String>) {
        let octets = wire(message);
        self.octets(octets);
    }

    pub fn octets(&mut self, octets: Vec<u8>) {
        match self.peer {
            Peer::Datagram(remote) => self.input(Input::Datagram { local: at(LOCAL), remote, octets }),
            Peer::Stream(connection) => self.input(Input::Received { connection, octets }),
        }
    }

    /// The peer answers the newest request of the endpoint with that method.
    pub fn a_answers(&mut self, method: &str, code: u16, rows: &[(&str, &str)]) {
        self.a_answers_as("peer", method, code, rows);
    }

    /// The same with this To tag.
    pub fn a_answers_as(&mut self, tag: &str, method: &str, code: u16, rows: &[(&str, &str)]) {
        let mut response = Response::to(&self.last_request(method), code, (code > 100).then_some(tag));
        for (name, value) in rows {
            response.headers.push((*name).to_owned(), *value);
        }
        self.octets(response.encode());
    }

    pub fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            let line = match output {
                Output::Transmit { hop, octets } => self.note_transmit(hop, &octets),
                Output::Connect { connection, transport, remote, .. } => {
                    self.connects.push((connection, transport, remote));
                    format!("connect {} {remote}", transport.via_token())
                }
                Output::Close { connection } => format!("close {}", connection.0),
                Output::Ask { id, query } => {
                    self.asked = Some(id);
                    format!("ask {query:?}")
                }
                Output::Event(event) => {
                    let line = format!("event {}", describe(&event));
                    self.events.push_back(event);
                    line
                }
            };
            self.lines.push((self.now - self.began, line));
        }
    }

    fn note_transmit(&mut self, hop: Hop, octets: &[u8]) -> String {
        if octets == b"\r\n" {
            return "R: pong".to_owned();
        }
        let message = sip::parse(octets).expect("the endpoint sends sound messages");
        let line = match &message {
            Message::Request(request) => format!("R: {}", request.method),
            Message::Response(response) => format!("R: {} {}", response.code, cseq_method(response)),
        };
        self.sent.push((hop, message));
        line
    }

    /// Lets time pass and runs every timer at its time.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.endpoint.poll_timeout().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    pub fn pass_ms(&mut self, milliseconds: u64) {
        self.pass(Duration::from_millis(milliseconds));
    }

    /// The lines since the last look are these.
    #[track_caller]
    pub fn expect(&mut self, expected: &str) {
        let lines = std::mem::take(&mut self.lines);
        let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let timed = expected.iter().any(|line| line.starts_with(|first: char| first.is_ascii_digit()));
        let got: Vec<String> =
            lines.into_iter().map(|(at, line)| if timed { format!("{} {line}", seconds(at)) } else { line }).collect();
        assert_eq!(got.join("\n"), expected.join("\n"));
    }

    /// Nothing came since the last look.
    #[track_caller]
    pub fn expect_silence(&mut self) {
        self.expect("");
    }

    /// The newest thing sent.
    pub fn last(&self) -> &Message {
        &self.sent.last().expect("something was sent").1
    }

    pub fn last_hop(&self) -> Hop {
        self.sent.last().expect("something was sent").0
    }

    pub fn last_response(&self) -> Response {
        let responses = self.sent.iter().rev().filter_map(|(_, message)| match message {
            Message::Response(response) => Some(response.clone()),
            Message::Request(_) => None,
        });
        responses.into_iter().next().expect("a response was sent")
    }

    pub fn last_request(&self, method: &str) -> Request {
        let requests = self.sent.iter().rev().filter_map(|(_, message)| match message {
            Message::Request(request) if request.method.as_str() == method => Some(request.clone()),
            _ => None,
        });
        requests.into_iter().next().expect("such a request was sent")
    }

    /// The tag that the endpoint has given itself.
    pub fn tag(&self) -> String {
        typed::tag(self.last_response().header("To").unwrap()).expect("the response has a To tag").to_owned()
    }

    /// The transaction of the newest request that the user was told of.
    pub fn transaction(&self) -> TransactionId {
        let newest = self.events.iter().rev().find_map(|event| match event {
            Event::Request { transaction, .. } => Some(*transaction),
            _ => None,
        });
        newest.expect("a request came")
    }

    pub fn respond(&mut self, answer: Answer) {
        let transaction = self.transaction();
        self.endpoint.respond(self.now, transaction, answer).unwrap();
        self.drain();
    }

    pub fn accept(&mut self) -> DialogId {
        self.accept_with(Answer::new(200).contact(CONTACT))
    }

    pub fn accept_with(&mut self, answer: Answer) -> DialogId {
        let transaction = self.transaction();
        let dialog = self.endpoint.accept(self.now, transaction, answer).unwrap();
        self.drain();
        dialog
    }

    pub fn bye(&mut self, dialog: DialogId) {
        self.endpoint.bye(self.now, dialog, None).unwrap();
        self.drain();
    }

    pub fn invite(&mut self, outgoing: Outgoing) -> ClientId {
        let client = self.endpoint.invite(self.now, outgoing).unwrap();
        self.drain();
        client
    }

    pub fn request(&mut self, outgoing: Outgoing) -> ClientId {
        let client = self.endpoint.request(self.now, outgoing).unwrap();
        self.drain();
        client
    }

    /// The peer's INVITE, accepted and acknowledged.
    pub fn seated(&mut self) -> DialogId {
        self.a(request("INVITE", 1));
        let dialog = self.accept();
        let tag = self.tag();
        self.a(request("ACK", 1).tagged(&tag));
        self.lines.clear();
        dialog
    }

    /// An INVITE of the endpoint, accepted by the peer.
    pub fn called(&mut self) -> DialogId {
        self.invite(outgoing(Method::INVITE).contact(CONTACT));
        self.a_answers("INVITE", 200, &[("Contact", "<sip:alice@192.0.2.1>")]);
        self.lines.clear();
        match self.events.back() {
            Some(Event::Accepted { dialog, .. }) => *dialog,
            other => panic!("not accepted: {other:?}"),
        }
    }

    pub fn tcp_hop(&self) -> Hop {
        Hop::Connection(ConnectionId(1))
    }
}

/// An endpoint that knows more methods than the default.
pub fn config() -> Config {
    let mut config = Config { sent_by: vec![(Transport::Udp, LOCAL.to_owned())], ..Config::default() };
    config.allow.extend([Method::UPDATE, Method::INFO, Method::MESSAGE, Method::SUBSCRIBE, Method::REFER]);
    config
}

/// A request of the endpoint to alice.
pub fn outgoing(method: Method) -> Outgoing {
    let destination = Destination::address(Transport::Udp, at(ALICE));
    Outgoing::new(method, "sip:alice@192.0.2.1", "<sip:room@example.com>", "<sip:alice@example.com>", destination)
}

/// A request of alice, as text in lines.
#[derive(Clone)]
pub struct Draft {
    start: String,
    rows: Vec<(String, String)>,
    body: String,
}

/// A request of alice to the room; its branch follows from method and number.
pub fn request(method: &str, cseq: u32) -> Draft {
    let branch = if method == "ACK" { format!("INVITE{cseq}-ack") } else { format!("{method}{cseq}") };
    let rows = [
        ("Via", format!("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch}")),
        ("Max-Forwards", "70".to_owned()),
        ("From", "<sip:alice@example.com>;tag=a1".to_owned()),
        ("To", "<sip:room@example.com>".to_owned()),
        ("Call-ID", "call1".to_owned()),
        ("CSeq", format!("{cseq} {method}")),
        ("Contact", "<sip:alice@192.0.2.1>".to_owned()),
    ];
    let rows = rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Draft { start: format!("{method} sip:room@example.com SIP/2.0"), rows, body: String::new() }
}

impl Draft {
    pub fn uri(mut self, uri: &str) -> Self {
        let method = self.start.split(' ').next().unwrap_or_default();
        self.start = format!("{method} {uri} SIP/2.0");
        self
    }

    /// With this row in place of those of that name.
    pub fn row(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.rows.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.rows.retain(|(known, _)| known != name);
        self
    }

    pub fn tagged(self, tag: &str) -> Self {
        self.row("To", &format!("<sip:room@example.com>;tag={tag}"))
    }

    pub fn branch(self, branch: &str) -> Self {
        self.row("Via", &format!("SIP/2.0/UDP 192.0.2.1:5060;branch={branch}"))
    }

    pub fn body(mut self, content_type: &str, body: &str) -> Self {
        self = self.row("Content-Type", content_type);
        self.body = body.to_owned();
        self
    }
}

impl From<Draft> for String {
    fn from(draft: Draft) -> String {
        let rows: Vec<String> = draft.rows.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        format!("{}\n{}\n\n{}", draft.start, rows.join("\n"), draft.body)
    }
}

/// The octets of a message in lines.
fn wire(message: impl Into<String>) -> Vec<u8> {
    let message = message.into();
    let (head, body) = message.split_once("\n\n").unwrap_or((&message, ""));
    let head: Vec<&str> = head.lines().map(str::trim).collect();
    format!("{}\r\nContent-Length: {}\r\n\r\n{body}", head.join("\r\n"), body.len()).into_bytes()
}

fn cseq_method(response: &Response) -> String {
    typed::CSeq::parse(response.header("CSeq").unwrap_or_default()).map_or("?", |cseq| cseq.method).to_owned()
}

fn describe(event: &Event) -> String {
    match event {
        Event::Request { request, dialog, .. } => {
            format!("Request {}{}", request.method, if dialog.is_some() { " in dialog" } else { "" })
        }
        Event::Cancelled { .. } => "Cancelled".to_owned(),
        Event::Acknowledged { .. } => "Acknowledged".to_owned(),
        Event::Ended { cause, .. } => match cause {
            sip::Cause::Bye(_) => "Ended Bye".to_owned(),
            cause => format!("Ended {cause:?}"),
        },
        Event::MayRetry { .. } => "MayRetry".to_owned(),
        Event::RefreshDue { .. } => "RefreshDue".to_owned(),
        Event::Provisional { response, .. } => format!("Provisional {}", response.code),
        Event::Accepted { response, .. } => format!("Accepted {}", response.code),
        Event::Answered { response, .. } => format!("Answered {}", response.code),
        Event::Failed { failure, .. } => format!("Failed {failure:?}"),
    }
}

fn seconds(at: Duration) -> String {
    let text = format!("{:.3}", at.as_secs_f64());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
