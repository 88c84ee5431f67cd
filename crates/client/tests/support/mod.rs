//! An agent, the server it talks to as the test writes it, and a clock that the test moves.
#![allow(dead_code, unreachable_pub, reason = "test support, of which each file uses a part")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use client::{Agent, Config, Event, Input, Join, MediaId, Output, WallClock};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sim::script::{Captures, wire};
use sip::{ConnectionId, Destination, Transport};

pub const ROOM: &str = "sip:lobby@chat.example.com";
pub const ALICE: &str = "sip:alice@example.com";
const SIP: ConnectionId = ConnectionId(0);

pub struct Bench {
    pub agent: Agent,
    pub now: Instant,
    pub captures: Captures,
    /// What the agent told its user and the test did not look at yet.
    pub events: VecDeque<Event>,
    /// Where the agent wanted a media connection: host, port, whether secure.
    pub connects: VecDeque<(String, u16, bool)>,
    /// Whether the agent closed its media connection.
    pub media_closed: bool,
    sip: VecDeque<String>,
    media: String,
    connection: Option<MediaId>,
}

impl Bench {
    /// An agent with a TCP connection to its server, on 2009-03-02 at 18:02:31 UTC.
    pub fn new() -> Self {
        Self::at(1_236_016_951)
    }

    /// The same at another time, in seconds since 1970.
    pub fn at(unix_seconds: u64) -> Self {
        Self::with(unix_seconds, Config::default())
    }

    #[allow(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
    fn with(unix_seconds: u64, config: Config) -> Self {
        let now = Instant::now();
        let wall_clock = Some(WallClock { at: now, unix_seconds });
        let config = Config { user_agent: "tertulia".to_owned(), wall_clock, ..config };
        let mut seed = 0;
        let random: client::Generators = Box::new(move || {
            seed += 1;
            Box::new(ChaCha12Rng::seed_from_u64(seed))
        });
        let mut bench = Self {
            agent: Agent::new(config, random),
            now,
            captures: Captures::default(),
            events: VecDeque::new(),
            connects: VecDeque::new(),
            media_closed: false,
            sip: VecDeque::new(),
            media: String::new(),
            connection: None,
        };
        let (local, remote) = (address("192.0.2.101:40000"), address("192.0.2.1:5060"));
        let opened = sip::Input::Opened { connection: SIP, transport: Transport::Tcp, local, remote };
        bench.input(Input::Sip(opened));
        bench
    }

    /// One that is in the room already.
    pub fn joined() -> Self {
        Self::joined_at(1_236_016_951)
    }

    /// The same at another time.
    pub fn joined_at(unix_seconds: u64) -> Self {
        Self::at(unix_seconds).enters(&alice())
    }

    /// One that is in the room and has asked for the roster. Its media session is kept alive by nothing.
    pub fn asking() -> Self {
        let config = Config { keep_alive: None, ..Config::default() };
        Self::with(1_236_016_951, config).enters(&Join { roster: true, ..alice() })
    }

    fn enters(mut self, join: &Join) -> Self {
        self.join(join);
        self.is_called();
        self.accepts("nickname private-messages");
        self.binds();
        assert!(matches!(self.event(), Event::Joined(_)));
        self
    }

    pub fn join(&mut self, join: &Join) {
        assert_eq!(self.agent.join(self.now, join.clone()), Ok(()));
        self.drain();
    }

    /// The server gets the INVITE, whose rows are known as `{via}`, `{from}`, `{call}` and `{cseq}` from here on, and the
    /// path as `{own}`.
    pub fn is_called(&mut self) -> String {
        let invite = self.next_sip();
        assert!(invite.starts_with("INVITE sip:lobby@chat.example.com SIP/2.0\r\n"), "{invite}");
        let row = |name: &str| invite.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        self.captures = Captures::default();
        let ids = [row("Via: "), row("From: "), row("Call-ID: "), row("CSeq: "), row("a=path:")].join("\r\n");
        self.captures.expect(&(ids + "\r\n"), "{via}\n{from}\n{call}\n{cseq} INVITE\n{own}\n");
        invite
    }

    /// The server takes the call into a room with these chat tokens.
    pub fn accepts(&mut self, chatroom: &str) {
        self.responds("200 OK", &format!("{CONTACT}Content-Type: application/sdp\n"), &answer(chatroom));
        self.expect_sip(ACK);
    }

    /// The agent's media connection opens, and the server answers the bind.
    pub fn binds(&mut self) {
        self.opens();
        self.asks_to_bind();
        self.answers_media("bind", "200 OK");
    }

    pub fn asks_to_bind(&mut self) {
        self.expect_media(
            "
            MSRP {bind} SEND
            To-Path: msrp://chat.example.com:2855/s3cr3t;tcp
            From-Path: {own}
            Message-ID: {id}
            -------{bind}$
            ",
        );
    }

    pub fn opens(&mut self) {
        let connection = self.connection.expect("a media connection is wanted");
        self.input(Input::MediaOpened { connection });
    }

    /// The server answers the INVITE.
    pub fn responds(&mut self, status: &str, rows: &str, body: &str) {
        let to = if status.starts_with("100") { "" } else { ";tag=room" };
        let text = format!(
            "SIP/2.0 {status}\nVia: {{via}}\nFrom: {{from}}\nTo: <{ROOM}>{to}\nCall-ID: {{call}}\n\
             CSeq: {{cseq}} INVITE\n{rows}Content-Length: *\n\n{body}"
        );
        self.sip(&text);
    }

    /// These names stand for nothing any more.
    pub fn forget(&mut self, names: &[&str]) {
        self.captures.forget(names);
    }

    /// The server gets a BYE and answers it.
    pub fn is_hung_up(&mut self) {
        self.expect_sip(BYE);
        self.sip(
            "
            SIP/2.0 200 OK
            Via: {bye}
            From: {from}
            To: <sip:lobby@chat.example.com>;tag=room
            Call-ID: {call}
            CSeq: {bye_cseq} BYE
            Content-Length: 0

            ",
        );
    }

    /// The server sends a request of this method in the dialog.
    pub fn requests(&mut self, cseq: u32, method: &str, rows: &str, body: &str) {
        self.sip(&format!(
            "{method} sip:alice@192.0.2.101:40000;transport=tcp SIP/2.0\n\
             Via: SIP/2.0/TCP chat.example.com;branch=z9hG4bK{method}{cseq}\nMax-Forwards: 70\n\
             From: <{ROOM}>;tag=room\nTo: {{from}}\nCall-ID: {{call}}\nCSeq: {cseq} {method}\n\
             {rows}Content-Length: *\n\n{body}"
        ));
    }

    /// The server sends this.
    pub fn sip(&mut self, text: &str) {
        // Where the body is empty, the end of the head is no margin.
        let text = if text.ends_with("\n\n") { format!("{text}\n") } else { text.to_owned() };
        let octets = wire(&self.captures.fill(&text)).into_bytes();
        self.sip_octets(octets);
    }

    pub fn sip_octets(&mut self, octets: Vec<u8>) {
        self.input(Input::Sip(sip::Input::Received { connection: SIP, octets }));
    }

    /// Whether the agent has sent nothing more by SIP.
    pub fn is_sip_silent(&self) -> bool {
        self.sip.is_empty()
    }

    /// The server sends this on the media connection.
    pub fn media(&mut self, text: &str) {
        let octets = wire(&self.captures.fill(text));
        self.media_octets(octets.as_bytes());
    }

    pub fn media_octets(&mut self, octets: &[u8]) {
        let connection = self.connection.expect("a media connection is wanted");
        self.input(Input::MediaReceived { connection, octets });
    }

    /// The server answers the request whose transaction is known by that name.
    pub fn answers_media(&mut self, transaction: &str, status: &str) {
        self.media(&format!(
            "MSRP {{{transaction}}} {status}\nTo-Path: {{own}}\n\
             From-Path: msrp://chat.example.com:2855/s3cr3t;tcp\n-------{{{transaction}}}$\n"
        ));
    }

    pub fn sip_breaks(&mut self) {
        self.input(Input::Sip(sip::Input::Closed { connection: SIP }));
    }

    pub fn media_breaks(&mut self) {
        let connection = self.connection.expect("a media connection is wanted");
        self.input(Input::MediaClosed { connection });
    }

    /// The next message of SIP that the agent sent.
    pub fn next_sip(&mut self) -> String {
        self.sip.pop_front().expect("the agent sends something")
    }

    pub fn expect_sip(&mut self, pattern: &str) {
        let sent = self.next_sip();
        self.captures.expect(&sent, pattern);
    }

    /// All that the agent sent on the media connection since it was looked at last.
    pub fn expect_media(&mut self, pattern: &str) {
        let sent = self.sent_media();
        self.captures.expect(&sent, pattern);
    }

    pub fn event(&mut self) -> Event {
        self.events.pop_front().expect("the agent tells something")
    }

    pub fn sent_media(&mut self) -> String {
        std::mem::take(&mut self.media)
    }

    /// The agent sent and told nothing more.
    pub fn expect_silence(&self) {
        assert_eq!((&self.sip, self.media.as_str(), &self.events), (&VecDeque::new(), "", &VecDeque::new()));
    }

    /// The time passes, timer by timer.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.agent.poll_timeout().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.agent.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    pub fn input(&mut self, input: Input<'_>) {
        self.agent.handle_input(self.now, input);
        self.drain();
    }

    /// Does what the agent wants done.
    pub fn drain(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::SipTransmit { octets, .. } => self.sip.push_back(text(octets)),
                Output::SipConnect { .. } | Output::SipClose { .. } => panic!("{output:?}"),
                Output::MediaConnect { connection, host, port, secure, .. } => {
                    self.connection = Some(connection);
                    self.connects.push_back((host, port, secure));
                }
                Output::MediaTransmit { connection, octets } => {
                    let length = octets.len();
                    self.media.push_str(&text(octets));
                    self.agent.handle_input(self.now, Input::MediaTransmitted { connection, octets: length });
                }
                Output::MediaClose { .. } => self.media_closed = true,
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }
}

pub const CONTACT: &str = "Contact: <sip:lobby@chat.example.com;transport=tcp>;isfocus\n";

pub const ACK: &str = "
    ACK sip:lobby@chat.example.com;transport=tcp SIP/2.0
    Via: {ack}
    Max-Forwards: 70
    From: {from}
    To: <sip:lobby@chat.example.com>;tag=room
    Call-ID: {call}
    CSeq: {cseq} ACK
    Content-Length: 0

    ";

pub const BYE: &str = "
    BYE sip:lobby@chat.example.com;transport=tcp SIP/2.0
    Via: {bye}
    Max-Forwards: 70
    From: {from}
    To: <sip:lobby@chat.example.com>;tag=room
    Call-ID: {call}
    CSeq: {bye_cseq} BYE
    User-Agent: tertulia
    Content-Length: 0

    ";

pub fn alice() -> Join {
    Join::new(ROOM, ALICE, Destination::Connection(SIP), Transport::Tcp, address("192.0.2.101:40000"))
}

/// The answer of a room with these chat tokens.
pub fn answer(chatroom: &str) -> String {
    format!(
        "v=0\no=- 7 1 IN IP4 chat.example.com\ns=-\nc=IN IP4 chat.example.com\nt=0 0\nm=message 2855 TCP/MSRP *\n\
         a=accept-types:message/cpim\na=accept-wrapped-types:*\na=path:msrp://chat.example.com:2855/s3cr3t;tcp\n\
         a=setup:passive\na=chatroom:{chatroom}\n"
    )
}

fn text(octets: Vec<u8>) -> String {
    String::from_utf8(octets).expect("text")
}

fn address(text: &str) -> std::net::SocketAddr {
    text.parse().expect("an address")
}
