//! Two endpoints and a network that loses, repeats and delays, or connections that break: whatever happens, each call
//! ends once on both sides, and nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sip::{
    Answer, ClientId, Config, ConnectionId, Counts, Destination, DialogId, Endpoint, Event, Hop, Input, Method,
    Outgoing, Output, TransactionId, Transport, Within,
};

/// What one call is to be.
#[derive(Debug, Clone)]
struct Call {
    at: u64,
    /// When and how the called side answers, in milliseconds after the INVITE.
    answer_after: u64,
    code: u16,
    ringing: bool,
    cancel_after: Option<u64>,
    /// When each side hangs up after it learnt of the dialog; the caller always does.
    caller_bye_after: u64,
    called_bye_after: Option<u64>,
    re_invite_after: Option<u64>,
}

#[derive(Debug, Clone)]
struct World {
    seed: u64,
    /// In a hundred datagrams.
    lost: u32,
    repeated: u32,
    delay: u64,
    reliable: bool,
    /// When the connection breaks.
    breaks_at: Option<u64>,
    calls: Vec<Call>,
}

fn call() -> impl Strategy<Value = Call> {
    let code = prop_oneof![3 => Just(200u16), 1 => Just(486), 1 => Just(603)];
    let times = (0u64..20_000, 0u64..8_000, 0u64..30_000);
    let choices = (
        any::<bool>(),
        prop::option::weighted(0.3, 0u64..9_000),
        prop::option::weighted(0.4, 0u64..30_000),
        prop::option::weighted(0.3, 0u64..20_000),
    );
    (times, code, choices).prop_map(|((at, answer_after, caller_bye_after), code, choices)| {
        let (ringing, cancel_after, called_bye_after, re_invite_after) = choices;
        Call { at, answer_after, code, ringing, cancel_after, caller_bye_after, called_bye_after, re_invite_after }
    })
}

fn world() -> impl Strategy<Value = World> {
    let network = (any::<u64>(), 0u32..45, 0u32..30, 1u64..400);
    let stream = (prop::bool::weighted(0.3), prop::option::of(0u64..60_000));
    (network, stream, prop::collection::vec(call(), 1..5)).prop_map(|((seed, lost, repeated, delay), stream, calls)| {
        let (reliable, breaks_at) = stream;
        World { seed, lost, repeated, delay, reliable, breaks_at, calls }
    })
}

/// What happens at a time.
enum Happening {
    Datagram { to: usize, octets: Vec<u8> },
    Octets { to: usize, connection: ConnectionId, octets: Vec<u8> },
    Break,
    Invite(usize),
    Cancel(ClientId),
    Ring(TransactionId),
    Answer(TransactionId, u16),
    Bye(usize, DialogId),
    ReInvite(usize, DialogId),
}

#[derive(Default)]
struct Side {
    /// Of requests of its own: the ends they have had.
    ends: BTreeMap<ClientId, Vec<String>>,
    dialogs: BTreeMap<DialogId, u32>,
    invited: BTreeSet<String>,
}

struct Simulation {
    world: World,
    now: Instant,
    began: Instant,
    random: ChaCha12Rng,
    queue: BTreeMap<(Instant, u64), Happening>,
    queued: u64,
    endpoints: [Endpoint; 2],
    sides: [Side; 2],
    calls: BTreeMap<ClientId, usize>,
    /// The connections that are open, by their ids at the caller.
    connections: BTreeSet<ConnectionId>,
}

const CALLER: usize = 0;
const CALLED: usize = 1;

fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, side as u8 + 1], 5060))
}

fn at_caller(connection: ConnectionId) -> ConnectionId {
    ConnectionId(connection.0 | ConnectionId::FIRST_REQUESTED)
}

fn at_called(connection: ConnectionId) -> ConnectionId {
    ConnectionId(connection.0 & !ConnectionId::FIRST_REQUESTED)
}

impl Simulation {
    #[allow(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
    fn new(world: World) -> Self {
        let began = Instant::now();
        let endpoint = |side: usize| {
            let sent_by = vec![(Transport::Udp, address(side).to_string())];
            let seed = world.seed.wrapping_add(side as u64);
            Endpoint::new(Config { sent_by, ..Config::default() }, Box::new(ChaCha12Rng::seed_from_u64(seed)))
        };
        let mut simulation = Self {
            endpoints: [endpoint(CALLER), endpoint(CALLED)],
            random: ChaCha12Rng::seed_from_u64(world.seed),
            now: began,
            began,
            queue: BTreeMap::new(),
            queued: 0,
            sides: [Side::default(), Side::default()],
            calls: BTreeMap::new(),
            connections: BTreeSet::new(),
            world,
        };
        for call in 0..simulation.world.calls.len() {
            simulation.after(simulation.world.calls[call].at, Happening::Invite(call));
        }
        if let Some(at) = simulation.world.breaks_at.filter(|_| simulation.world.reliable) {
            simulation.after(at, Happening::Break);
        }
        simulation
    }

    fn after(&mut self, milliseconds: u64, happening: Happening) {
        self.queued += 1;
        self.queue.insert((self.now + Duration::from_millis(milliseconds), self.queued), happening);
    }

    fn chance(&mut self, in_a_hundred: u32) -> bool {
        self.random.next_u32() % 100 < in_a_hundred
    }

    fn run(&mut self) {
        let end = self.began + Duration::from_secs(400);
        loop {
            let happening = self.queue.first_key_value().map(|(key, _)| key.0);
            let timers = self.endpoints.iter().filter_map(Endpoint::poll_timeout);
            let Some(next) = timers.chain(happening).min().filter(|next| *next <= end) else { return };
            self.now = self.now.max(next);
            for side in [CALLER, CALLED] {
                self.endpoints[side].handle_timeout(self.now);
                self.drain(side);
            }
            while self.queue.first_key_value().is_some_and(|(key, _)| key.0 <= self.now) {
                if let Some((_, happening)) = self.queue.pop_first() {
                    self.happen(happening);
                }
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Datagram { to, octets } => {
                let (local, remote) = (address(to), address(1 - to));
                self.input(to, Input::Datagram { local, remote, octets });
            }
            Happening::Octets { to, connection, octets } => self.input(to, Input::Received { connection, octets }),
            Happening::Break => {
                for connection in std::mem::take(&mut self.connections) {
                    self.input(CALLER, Input::Closed { connection });
                    self.input(CALLED, Input::Closed { connection: at_called(connection) });
                }
            }
            Happening::Invite(call) => self.invite(call),
            Happening::Cancel(client) => {
                let _ = self.endpoints[CALLER].cancel(now, client);
            }
            Happening::Ring(transaction) => {
                let answer = Answer::new(180).contact("<sip:called@192.0.2.2>");
                let _ = self.endpoints[CALLED].respond(now, transaction, answer);
            }
            Happening::Answer(transaction, 200) => {
                let answer = Answer::new(200).contact("<sip:called@192.0.2.2>");
                if let Ok(dialog) = self.endpoints[CALLED].accept(now, transaction, answer) {
                    self.joined(CALLED, dialog);
                }
            }
            Happening::Answer(transaction, code) => {
                let _ = self.endpoints[CALLED].respond(now, transaction, Answer::new(code));
            }
            Happening::Bye(side, dialog) => {
                let _ = self.endpoints[side].bye(now, dialog, None);
            }
            Happening::ReInvite(side, dialog) => {
                if let Ok(client) = self.endpoints[side].request_within(now, dialog, Within::new(Method::INVITE)) {
                    self.sides[side].ends.insert(client, Vec::new());
                }
            }
        }
        self.drain(CALLER);
        self.drain(CALLED);
    }

    fn input(&mut self, side: usize, input: Input) {
        self.endpoints[side].handle_input(self.now, input);
    }

    fn invite(&mut self, call: usize) {
        let transport = if self.world.reliable { Transport::Tcp } else { Transport::Udp };
        let destination = Destination::address(transport, address(CALLED));
        let (from, to) = (format!("<sip:caller{call}@192.0.2.1>"), "<sip:called@192.0.2.2>");
        let mut outgoing = Outgoing::new(Method::INVITE, "sip:called@192.0.2.2", from, to, destination);
        outgoing.contact = Some("<sip:caller@192.0.2.1>".to_owned());
        outgoing.call_id = Some(call.to_string());
        let client = self.endpoints[CALLER].invite(self.now, outgoing).expect("there is room");
        self.sides[CALLER].ends.insert(client, Vec::new());
        self.calls.insert(client, call);
        if let Some(after) = self.world.calls[call].cancel_after {
            self.after(after, Happening::Cancel(client));
        }
    }

    fn joined(&mut self, side: usize, dialog: DialogId) {
        if self.sides[side].dialogs.insert(dialog, 0).is_some() {
            return;
        }
        let call = self.endpoints[side].dialog(dialog).and_then(|dialog| dialog.call_id().parse::<usize>().ok());
        let call = self.world.calls[call.expect("the Call-ID is the call's number")].clone();
        let bye_after = if side == CALLER { Some(call.caller_bye_after) } else { call.called_bye_after };
        if let Some(after) = bye_after {
            self.after(after, Happening::Bye(side, dialog));
        }
        if let Some(after) = call.re_invite_after {
            self.after(after, Happening::ReInvite(side, dialog));
        }
    }

    fn drain(&mut self, side: usize) {
        while let Some(output) = self.endpoints[side].poll_output() {
            match output {
                Output::Transmit { hop: Hop::Datagram { .. }, octets } => self.datagram(1 - side, octets),
                Output::Transmit { hop: Hop::Connection(connection), octets } => {
                    let other = if side == CALLER { at_called(connection) } else { at_caller(connection) };
                    if self.connections.contains(&at_caller(connection)) {
                        // A stream keeps the order.
                        let delay = self.world.delay;
                        self.after(delay, Happening::Octets { to: 1 - side, connection: other, octets });
                    }
                }
                Output::Connect { connection, transport, .. } if side == CALLER => {
                    let (local, remote) = (address(CALLER), address(CALLED));
                    self.input(CALLER, Input::Opened { connection, transport, local, remote });
                    let accepted = at_called(connection);
                    self.input(CALLED, Input::Opened { connection: accepted, transport, local: remote, remote: local });
                    self.connections.insert(connection);
                }
                // The caller does not listen.
                Output::Connect { connection, .. } => self.input(side, Input::Closed { connection }),
                Output::Close { .. } => panic!("nobody sends what closes a connection"),
                Output::Ask { .. } => panic!("nobody here has a name"),
                Output::Event(event) => self.event(side, event),
            }
        }
    }

    fn datagram(&mut self, to: usize, octets: Vec<u8>) {
        let copies = if self.chance(self.world.repeated) { 2 } else { 1 };
        for _ in 0..copies {
            if !self.chance(self.world.lost) {
                let delay = u64::from(self.random.next_u32()) % self.world.delay;
                self.after(delay, Happening::Datagram { to, octets: octets.clone() });
            }
        }
    }

    fn event(&mut self, side: usize, event: Event) {
        match event {
            Event::Request { transaction, request, dialog: None, .. } => {
                let call_id = request.header("Call-ID").unwrap_or_default().to_owned();
                assert!(self.sides[side].invited.insert(call_id.clone()), "one INVITE is one request");
                let call = self.world.calls[call_id.parse::<usize>().expect("a number")].clone();
                if call.ringing {
                    self.after(call.answer_after / 2, Happening::Ring(transaction));
                }
                self.after(call.answer_after, Happening::Answer(transaction, call.code));
            }
            Event::Request { transaction, request, dialog: Some(_), .. } => {
                assert_eq!(request.method, Method::INVITE);
                let answer = Answer::new(200).contact("<sip:anybody@192.0.2.3>");
                self.endpoints[side].accept(self.now, transaction, answer).expect("it is fresh");
            }
            Event::Accepted { client, dialog, .. } => {
                self.end(side, client, "accepted");
                self.joined(side, dialog);
            }
            Event::Answered { client, response } => self.end(side, client, &response.code.to_string()),
            Event::Failed { client, failure } => self.end(side, client, &format!("{failure:?}")),
            Event::Ended { dialog, .. } => *self.sides[side].dialogs.get_mut(&dialog).expect("it was there") += 1,
            _ => {}
        }
    }

    fn end(&mut self, side: usize, client: ClientId, how: &str) {
        self.sides[side].ends.get_mut(&client).expect("it is one of ours").push(how.to_owned());
    }

    fn check(&self) {
        for side in [CALLER, CALLED] {
            for ends in self.sides[side].ends.values() {
                assert_eq!(ends.len(), 1, "a request has one end: {ends:?}");
            }
            // A BYE on a connection that breaks is lost, and only the next request shows it.
            let all_end = side == CALLER || !self.world.reliable || self.world.breaks_at.is_none();
            for ended in self.sides[side].dialogs.values() {
                assert!(*ended == 1 || (*ended == 0 && !all_end), "a dialog ends once, not {ended} times");
            }
            let counts = Counts { connections: 0, ..self.endpoints[side].counts() };
            let dialogs = if all_end { 0 } else { counts.dialogs };
            assert_eq!(counts, Counts { dialogs, ..Counts::default() }, "nothing is left");
            assert_eq!(self.endpoints[side].poll_timeout(), None);
        }
        for (client, call) in &self.calls {
            let end = &self.sides[CALLER].ends[client][0];
            let code = self.world.calls[*call].code;
            let refused = code.to_string();
            let cancelled = self.world.calls[*call].cancel_after.is_some();
            match end.as_str() {
                "accepted" => assert_eq!(code, 200),
                "Timeout" | "Transport" => {}
                "487" | "Cancelled" => assert!(cancelled),
                other => assert_eq!(other, refused),
            }
        }
        if self.world.lost == 0 && (!self.world.reliable || self.world.breaks_at.is_none()) {
            self.check_without_loss();
        }
    }

    /// On a good network nothing times out, and who is not cancelled gets the answer that was given.
    fn check_without_loss(&self) {
        for (client, call) in &self.calls {
            let (end, call) = (&self.sides[CALLER].ends[client][0], &self.world.calls[*call]);
            let expected = if call.code == 200 { "accepted".to_owned() } else { call.code.to_string() };
            if call.cancel_after.is_none() {
                assert_eq!(*end, expected);
            }
        }
        assert_eq!(self.sides[CALLED].invited.len(), self.world.calls.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_once_and_nothing_is_left(world in world()) {
        let mut simulation = Simulation::new(world);
        simulation.run();
        simulation.check();
    }

    #[test]
    fn on_a_good_network_every_call_is_what_it_should_be(world in world()) {
        let mut simulation = Simulation::new(World { lost: 0, breaks_at: None, ..world });
        simulation.run();
        simulation.check();
    }
}
