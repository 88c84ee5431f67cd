//! Whatever comes, and whatever the user does: no request is met with silence, no answer goes to an ACK or a response,
//! what is held stays within its bounds, and the same history gives the same octets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sip::{
    Answer, ClientId, Config, ConnectionId, Destination, DialogId, Endpoint, Event, Input, Limits, Method, Outgoing,
    Output, TransactionId, Transport, Within,
};

const METHODS: [&str; 10] =
    ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE", "SUBSCRIBE", "NOTIFY", "FOO", "REFER"];

/// Something that happens to an endpoint.
#[derive(Debug, Clone)]
enum Happening {
    /// A request of the peer: method, CSeq number, branch, Call-ID, tag of a dialog, further rows.
    Request {
        method: usize,
        cseq: u32,
        branch: u8,
        call: u8,
        in_dialog: Option<u8>,
        rows: u8,
        stream: bool,
    },
    /// An answer to one of the requests sent so far: the newest, the one before, …
    Response {
        back: u8,
        code: u16,
        tag: u8,
        stream: bool,
    },
    /// Something sent before comes back with an octet changed.
    Garbled {
        back: u8,
        at: u16,
        to: u8,
        stream: bool,
    },
    Pass(u32),
    Close,
    Open,
    Respond {
        back: u8,
        code: u16,
    },
    Accept {
        back: u8,
    },
    Bye {
        back: u8,
    },
    Within {
        back: u8,
        method: usize,
    },
    Invite {
        stream: bool,
    },
    Cancel {
        back: u8,
    },
    Hold {
        back: u8,
    },
    Release {
        back: u8,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    let back = 0u8..4;
    let code = prop_oneof![
        Just(100u16),
        Just(180),
        Just(200),
        Just(202),
        Just(302),
        Just(401),
        Just(481),
        Just(486),
        Just(491)
    ];
    let request = (0..METHODS.len(), 1u32..6, 0u8..4, 0u8..3, prop::option::of(0u8..3), 0u8..8, any::<bool>());
    prop_oneof![
        6 => request.prop_map(|(method, cseq, branch, call, in_dialog, rows, stream)| Happening::Request {
            method, cseq, branch, call, in_dialog, rows, stream
        }),
        3 => (back.clone(), code.clone(), 0u8..3, any::<bool>())
            .prop_map(|(back, code, tag, stream)| Happening::Response { back, code, tag, stream }),
        1 => (back.clone(), any::<u16>(), any::<u8>(), any::<bool>())
            .prop_map(|(back, at, to, stream)| Happening::Garbled { back, at, to, stream }),
        2 => (0u32..70_000).prop_map(Happening::Pass),
        1 => Just(Happening::Close),
        1 => Just(Happening::Open),
        2 => (back.clone(), code).prop_map(|(back, code)| Happening::Respond { back, code }),
        3 => back.clone().prop_map(|back| Happening::Accept { back }),
        1 => back.clone().prop_map(|back| Happening::Bye { back }),
        2 => (back.clone(), 0..METHODS.len()).prop_map(|(back, method)| Happening::Within { back, method }),
        1 => any::<bool>().prop_map(|stream| Happening::Invite { stream }),
        1 => back.clone().prop_map(|back| Happening::Cancel { back }),
        1 => back.clone().prop_map(|back| Happening::Hold { back }),
        1 => back.prop_map(|back| Happening::Release { back }),
    ]
}

struct Player {
    endpoint: Endpoint,
    now: Instant,
    connection: u64,
    transactions: Vec<TransactionId>,
    dialogs: Vec<DialogId>,
    clients: Vec<ClientId>,
    /// Requests that the endpoint sent.
    requests: Vec<sip::Request>,
    /// Tags that it gave itself.
    tags: Vec<String>,
    received: Vec<Vec<u8>>,
    outputs: Vec<Output>,
}

fn newest<T: Clone>(all: &[T], back: u8) -> Option<T> {
    all.iter().rev().nth(usize::from(back)).cloned()
}

fn limits() -> Limits {
    Limits { server_transactions: 6, client_transactions: 4, dialogs: 4, connections: 3, ..Limits::default() }
}

impl Player {
    fn new(began: Instant) -> Self {
        let mut config = Config { limits: limits(), judge_foreign_bye: true, ..Config::default() };
        config.allow.extend([Method::UPDATE, Method::SUBSCRIBE, Method::NOTIFY, Method::REFER]);
        Self {
            endpoint: Endpoint::new(config, Box::new(ChaCha12Rng::seed_from_u64(3))),
            now: began,
            connection: 0,
            transactions: Vec::new(),
            dialogs: Vec::new(),
            clients: Vec::new(),
            requests: Vec::new(),
            tags: Vec::new(),
            received: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// The outputs that this brings.
    fn happen(&mut self, happening: &Happening) -> Vec<Output> {
        let now = self.now;
        match happening.clone() {
            Happening::Request { stream, .. } => {
                let octets = self.request(happening);
                self.receive(octets, stream);
            }
            Happening::Response { back, code, tag, stream } => {
                if let Some(request) = newest(&self.requests, back) {
                    let mut response = sip::Response::to(&request, code, Some(&format!("t{tag}")));
                    response.headers.push("Contact", "<sip:peer@192.0.2.1>");
                    response.headers.push("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", stale=true");
                    self.receive(response.encode(), stream);
                }
            }
            Happening::Garbled { back, at, to, stream } => {
                if let Some(mut octets) = newest(&self.received, back) {
                    let at = usize::from(at) % octets.len().max(1);
                    octets.get_mut(at).into_iter().for_each(|octet| *octet = to);
                    self.receive(octets, stream);
                }
            }
            Happening::Pass(milliseconds) => self.pass(Duration::from_millis(milliseconds.into())),
            Happening::Close => {
                let connection = ConnectionId(self.connection);
                self.endpoint.handle_input(now, Input::Closed { connection });
            }
            Happening::Open => {
                self.connection += 1;
                let (connection, local, remote) = (ConnectionId(self.connection), here(), there());
                self.endpoint.handle_input(now, Input::Opened { connection, transport: Transport::Tcp, local, remote });
            }
            by_user => self.by_user(by_user),
        }
        self.drain()
    }

    fn by_user(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Respond { back, code } => {
                let answer = Answer::new(code).contact("<sip:us@198.51.100.1>");
                let transaction = newest(&self.transactions, back);
                let _ = transaction.map(|id| self.endpoint.respond(now, id, answer.clone()));
            }
            Happening::Accept { back } => {
                let answer = Answer::new(200).contact("<sip:us@198.51.100.1>");
                if let Some(id) = newest(&self.transactions, back) {
                    self.dialogs.extend(self.endpoint.accept(now, id, answer));
                }
            }
            Happening::Bye { back } => {
                let _ = newest(&self.dialogs, back).map(|id| self.endpoint.bye(now, id, None));
            }
            Happening::Within { back, method } => {
                let (Some(id), Some(method)) = (newest(&self.dialogs, back), Method::new(METHODS[method])) else {
                    return;
                };
                self.clients.extend(self.endpoint.request_within(now, id, Within::new(method)));
            }
            Happening::Invite { stream } => {
                let transport = if stream { Transport::Tcp } else { Transport::Udp };
                let destination = Destination::address(transport, there());
                let outgoing =
                    Outgoing::new(Method::INVITE, "sip:peer@192.0.2.1", "<sip:us@a>", "<sip:peer@a>", destination)
                        .contact("<sip:us@198.51.100.1>")
                        .credentials(sip::auth::Credentials::new("us", "secret"));
                self.clients.extend(self.endpoint.invite(now, outgoing));
            }
            Happening::Cancel { back } => {
                let _ = newest(&self.clients, back).map(|id| self.endpoint.cancel(now, id));
            }
            Happening::Hold { back } => {
                let _ = newest(&self.dialogs, back).map(|id| self.endpoint.hold(id));
            }
            Happening::Release { back } => {
                let _ = newest(&self.dialogs, back).map(|id| self.endpoint.release(now, id));
            }
            _ => {}
        }
    }

    fn request(&self, happening: &Happening) -> Vec<u8> {
        let Happening::Request { method, cseq, branch, call, in_dialog, rows, .. } = happening else {
            return Vec::new();
        };
        let method = METHODS[*method];
        let tag =
            in_dialog.and_then(|back| newest(&self.tags, back)).map_or(String::new(), |tag| format!(";tag={tag}"));
        let branch = if *branch == 0 { String::new() } else { format!(";branch=z9hG4bK{branch}") };
        let mut more = String::new();
        for (bit, row) in [(1, "Require: foo\r\n"), (2, "Expires: 3\r\n"), (4, "Record-Route: <sip:192.0.2.9>\r\n")] {
            if rows & bit != 0 {
                more.push_str(row);
            }
        }
        format!(
            "{method} sip:us@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1{branch}\r\nFrom: <sip:peer@a>;tag=t1\r\n\
             To: <sip:us@a>{tag}\r\nCall-ID: c{call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:peer@192.0.2.1>\r\n\
             {more}Content-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    fn receive(&mut self, octets: Vec<u8>, stream: bool) {
        self.received.push(octets.clone());
        let input = match stream {
            true => Input::Received { connection: ConnectionId(self.connection), octets },
            false => Input::Datagram { local: here(), remote: there(), octets },
        };
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

    fn drain(&mut self) -> Vec<Output> {
        let outputs: Vec<Output> = std::iter::from_fn(|| self.endpoint.poll_output()).collect();
        for output in &outputs {
            match output {
                Output::Event(Event::Request { transaction, .. }) => self.transactions.push(*transaction),
                Output::Event(Event::Accepted { dialog, .. }) => self.dialogs.push(*dialog),
                Output::Transmit { octets, .. } => match sip::parse(octets) {
                    Ok(sip::Message::Request(request)) => self.requests.push(request),
                    Ok(sip::Message::Response(response)) => {
                        let tag = response.header("To").and_then(sip::typed::tag);
                        self.tags.extend(tag.map(str::to_owned));
                    }
                    Err(_) => {}
                },
                _ => {}
            }
        }
        self.outputs.extend(outputs.iter().cloned());
        outputs
    }
}

fn here() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 5060))
}

fn there() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 5060))
}

#[allow(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
fn beginning() -> Instant {
    Instant::now()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_breaks_and_nothing_grows(happenings in prop::collection::vec(happening(), 1..120)) {
        let began = beginning();
        let (mut player, mut twin) = (Player::new(began), Player::new(began));
        for happening in &happenings {
            player.happen(happening);
            twin.happen(happening);
            let (counts, limits) = (player.endpoint.counts(), limits());
            prop_assert!(counts.server_transactions <= limits.server_transactions);
            // BYEs that the endpoint sends by itself come on top, one a dialog.
            prop_assert!(counts.dialogs <= limits.dialogs && counts.connections <= limits.connections);
        }
        prop_assert_eq!(&player.outputs, &twin.outputs);
        // In the end only what the user has to end remains.
        for _ in 0..10 {
            player.happen(&Happening::Pass(64_000));
            for id in player.dialogs.clone() {
                while player.endpoint.release(player.now, id).is_ok() {}
                let _ = player.endpoint.bye(player.now, id, None);
            }
            for id in player.clients.clone() {
                let _ = player.endpoint.cancel(player.now, id);
            }
            for id in player.transactions.clone() {
                let _ = player.endpoint.respond(player.now, id, Answer::new(480));
            }
            player.drain();
        }
        player.happen(&Happening::Pass(64_000));
        let counts = player.endpoint.counts();
        prop_assert_eq!((counts.server_transactions, counts.client_transactions, counts.dialogs), (0, 0, 0));
    }

    #[test]
    fn octets_of_any_kind_break_nothing(
        pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20)
    ) {
        let mut player = Player::new(beginning());
        player.happen(&Happening::Open);
        for (stream, octets) in pieces {
            player.receive(octets, stream);
            let outputs = player.drain();
            let silent = outputs.iter().all(|output| !matches!(output, Output::Event(_)));
            prop_assert!(silent);
        }
    }
}

#[test]
fn no_torture_message_is_met_with_silence() {
    for folder in ["rfc4475", "rfc5118"] {
        for (name, octets) in messages(folder) {
            let mut player = Player::new(beginning());
            player.receive(octets.clone(), false);
            let outputs = player.drain();
            let answers = outputs.iter().filter(|output| matches!(output, Output::Transmit { .. })).count();
            let events = outputs.len() - answers;
            let wants_answer = match sip::parse(&octets) {
                Ok(sip::Message::Request(request)) => request.method != Method::ACK,
                Ok(sip::Message::Response(_)) => false,
                Err(malformed) => malformed.request.is_some_and(|request| request.method != Method::ACK),
            };
            assert_eq!(answers + events, usize::from(wants_answer), "{name}: {outputs:?}");
        }
    }
}

fn messages(folder: &str) -> Vec<(String, Vec<u8>)> {
    use std::io::Read as _;
    let folder = format!("{}/tests/torture/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut messages = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the messages are there") {
        let path = entry.expect("it can be listed").path();
        let mut octets = Vec::new();
        #[allow(clippy::disallowed_methods, reason = "a test may read a file")]
        let mut file = std::fs::File::open(&path).expect("it can be opened");
        file.read_to_end(&mut octets).expect("it can be read");
        if path.extension().is_some_and(|extension| extension == "dat") {
            messages.push((path.display().to_string(), octets));
        }
    }
    messages
}
