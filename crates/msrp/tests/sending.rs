//! How an endpoint cuts, interleaves and gives up what it sends (RFC 4975 §7.1.1).

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod support;

use msrp::chunk::Bounds;
use msrp::connection::{Connection, Output, Settings};
use msrp::frame::{FailureReport, Flag, Head, Start};
use msrp::parse::{Event as Read, Limits, Parser};
use msrp::session::{Event, Message, Role, SendError, Terms};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use support::{ALICE, ROOM, Talk, beginning, seconds, terms, text};

/// A frame in short.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    transaction: String,
    what: String,
    message_id: String,
    range: String,
    body: Vec<u8>,
    flag: Flag,
}

/// The frames in these octets, which must end with one.
fn frames(octets: &[u8]) -> Vec<Frame> {
    let mut parser = Parser::new(Limits::default());
    let mut frames: Vec<Frame> = Vec::new();
    let mut at = 0;
    while let (n, Some(event)) = parser.next(&octets[at..]).unwrap() {
        at += n;
        match event {
            Read::Head(head) => frames.push(frame(&head)),
            Read::Body(body) => frames.last_mut().unwrap().body.extend_from_slice(body),
            Read::End(flag) => frames.last_mut().unwrap().flag = flag,
            Read::Malformed { .. } => panic!("malformed"),
        }
    }
    assert_eq!(at, octets.len());
    frames
}

fn frame(head: &Head<'_>) -> Frame {
    Frame {
        transaction: head.transaction.to_owned(),
        what: match head.start {
            Start::Request(method) => method.as_str().to_owned(),
            Start::Response { code, .. } => code.to_string(),
        },
        message_id: head.message_id.unwrap_or("").to_owned(),
        range: head.byte_range.map(|range| range.to_string()).unwrap_or_default(),
        body: Vec::new(),
        flag: Flag::Last,
    }
}

fn ranges(frames: &[Frame]) -> Vec<(&str, char)> {
    frames.iter().map(|frame| (frame.range.as_str(), char::from(frame.flag.as_byte()))).collect()
}

fn octets(n: usize) -> Message {
    Message::new("application/octet-stream", (0..n).map(|i| b'a' + (i % 23) as u8).collect())
}

fn window(window: usize) -> Settings {
    Settings { window, ..Settings::default() }
}

/// An empty SEND of the peer's: something that wants an answer.
const PING: &str = "MSRP p1ng SEND\nTo-Path: msrp://alice.example.com:7654/jshA7weztas;tcp\n\
                    From-Path: msrp://chat.example.com:12763/kjhd37s2s20w2a;tcp\nMessage-ID: p1ng\n-------p1ng$";

// CONFORMANCE 4975-051, 4975-058, 4975-059, 4975-060, 4975-061, 4975-063, 4975-065
#[test]
fn with_nothing_else_waiting_a_message_goes_out_whole() {
    for (size, range) in
        [(0, "1-0/0"), (1, "1-1/1"), (2048, "1-2048/2048"), (2049, "1-*/2049"), (3_000_000, "1-*/3000000")]
    {
        let (mut talk, session) = Talk::bound(Settings::default());
        talk.connection.send(session, octets(size)).unwrap();
        let sent = frames(&talk.transmitted());
        assert_eq!(ranges(&sent), [(range, '$')]);
        assert_eq!(sent[0].body, octets(size).octets);
    }
}

// CONFORMANCE 4975-004, 4975-062, 4975-064, 4975-067, 4975-068, 4975-069
#[test]
fn an_answer_interrupts_a_large_message_and_waits_for_2048_octets_at_most() {
    let (mut talk, session) = Talk::bound(window(1000));
    talk.connection.send(session, octets(10_000)).unwrap();
    let mut sent = talk.output().unwrap();
    talk.gets(PING);
    assert_eq!(talk.output(), None, "the window is full");
    talk.connection.handle_transmitted(talk.now, sent.len());
    sent.extend(talk.transmitted());
    let sent = frames(&sent);
    assert_eq!(ranges(&sent), [("1-*/10000", '+'), ("", '$'), ("2049-*/10000", '$')]);
    assert_eq!((sent[1].what.as_str(), sent[1].transaction.as_str()), ("200", "p1ng"));
    assert_eq!([&sent[0].body[..], &sent[2].body].concat(), octets(10_000).octets);
    assert_eq!(sent[0].message_id, sent[2].message_id);
    assert_ne!(sent[0].transaction, sent[2].transaction);
}

#[test]
fn what_is_not_above_2048_octets_is_not_interrupted() {
    let (mut talk, session) = Talk::bound(window(1));
    talk.connection.send(session, octets(2048)).unwrap();
    talk.connection.send(session, octets(10)).unwrap();
    let first = talk.output().unwrap();
    assert_eq!(ranges(&frames(&first)), [("1-2048/2048", '$')], "the window is passed rather than a chunk cut");
}

// CONFORMANCE 4975-070
#[test]
fn messages_take_turns_and_small_ones_overtake() {
    let settings = Settings { turn: 4096, window: 1 << 20, ..Settings::default() };
    let (mut talk, session) = Talk::bound(settings);
    let large = talk.connection.send(session, octets(10_000)).unwrap();
    let small = talk.connection.send(session, text("one")).unwrap();
    let last = talk.connection.send(session, text("two")).unwrap();
    let sent = frames(&talk.transmitted());
    let order: Vec<(&str, char)> =
        sent.iter().map(|frame| (frame.message_id.as_str(), char::from(frame.flag.as_byte()))).collect();
    assert_eq!(order, [(&*large, '+'), (&*small, '$'), (&*last, '$'), (&*large, '$')]);
    assert_eq!(sent[0].body.len(), 4096);
}

// CONFORMANCE 4975-070
#[test]
fn a_session_with_much_to_say_leaves_the_others_their_turns() {
    let settings = Settings { turn: 4096, window: 1 << 20, ..Settings::default() };
    let (mut talk, busy) = Talk::bound(settings);
    let quiet = talk.connection.open(talk.now, terms("msrp://alice.example.com:7654/other;tcp", ROOM, Role::Active));
    talk.answers(200);
    for _ in 0..20 {
        talk.connection.send(busy, octets(100_000)).unwrap();
    }
    let small = talk.connection.send(quiet, text("hello")).unwrap();
    let sent = frames(&talk.transmitted());
    let at = sent.iter().position(|frame| frame.message_id == small).unwrap();
    assert_eq!(at, 1, "after one turn of the other session");
}

#[test]
fn no_more_than_four_messages_of_a_session_are_under_way() {
    let settings = Settings { turn: 2048, window: 1 << 20, ..Settings::default() };
    let (mut talk, session) = Talk::bound(settings);
    for _ in 0..30 {
        talk.connection.send(session, octets(9000)).unwrap();
    }
    let mut open: Vec<String> = Vec::new();
    for frame in frames(&talk.transmitted()) {
        if !open.contains(&frame.message_id) {
            open.push(frame.message_id.clone());
        }
        assert!(open.len() <= 4);
        if frame.flag == Flag::Last {
            open.retain(|id| *id != frame.message_id);
        }
    }
    assert!(open.is_empty());
}

// CONFORMANCE 4975-067; INTEROP: Kamailio's relay passes frames of about 8 kB
#[test]
fn kamailio_gets_no_chunk_that_is_larger_than_it_takes() {
    for (max_chunk, expected) in [
        (8000, vec![("1-*/20000", '+'), ("8001-*/20000", '+'), ("16001-*/20000", '$')]),
        (2000, (0..10).map(|n| [("", '+'), ("", '$')][n / 9]).collect()),
    ] {
        let mut talk = Talk::new(Settings::default());
        let terms = Terms { max_chunk: Some(max_chunk), ..terms(ALICE, ROOM, Role::Active) };
        let session = talk.connection.open(talk.now, terms);
        talk.answers(200);
        let message_id = talk.connection.send(session, octets(20_000)).unwrap();
        let octets = talk.transmitted();
        let sent = frames(&octets);
        assert!(sent.iter().all(|frame| frame.body.len() <= max_chunk));
        let flags: Vec<char> = sent.iter().map(|frame| char::from(frame.flag.as_byte())).collect();
        assert_eq!(flags, expected.iter().map(|(_, flag)| *flag).collect::<Vec<_>>());
        if max_chunk == 8000 {
            assert_eq!(ranges(&sent), expected);
        } else {
            assert_eq!(sent[1].range, "2001-4000/20000", "small enough not to be interrupted");
        }
        // It is accepted once all of them are.
        talk.events();
        for (nth, frame) in sent.iter().enumerate() {
            assert_eq!(talk.events(), [], "{nth}");
            let t = &frame.transaction;
            talk.gets(&format!("MSRP {t} 200\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\n-------{t}$"));
        }
        assert_eq!(talk.events(), [Event::Accepted { session, message_id }]);
    }
}

// CONFORMANCE 4975-143, 4975-109
#[test]
fn after_413_the_chunk_under_way_is_given_up_and_nothing_more_is_sent_of_it() {
    let (mut talk, session) = Talk::bound(window(4096));
    let message_id = talk.connection.send(session, octets(100_000)).unwrap();
    let mut sent = talk.output().unwrap();
    let transaction = String::from_utf8_lossy(&sent)[5..].split(' ').next().unwrap().to_owned();
    talk.gets(&format!("MSRP {transaction} 413\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\n-------{transaction}$"));
    let next = talk.connection.send(session, text("next")).unwrap();
    talk.connection.handle_transmitted(talk.now, sent.len());
    sent.extend(talk.transmitted());
    let sent = frames(&sent);
    assert_eq!(ranges(&sent), [("1-*/100000", '#'), ("1-4/4", '$')]);
    assert_eq!(sent[1].message_id, next);
    assert_eq!(talk.events(), [Event::Failed { session, message_id, code: 413 }]);
}

#[test]
fn the_end_of_a_session_in_the_middle_of_a_chunk_leaves_the_others_whole() {
    let (mut talk, session) = Talk::bound(window(4096));
    let other = talk.connection.open(talk.now, terms("msrp://alice.example.com:7654/other;tcp", ROOM, Role::Active));
    talk.answers(200);
    let first = talk.connection.send(session, octets(100_000)).unwrap();
    let second = talk.connection.send(session, text("waits")).unwrap();
    let mut sent = talk.output().unwrap();
    assert_eq!(talk.connection.close(session), [first, second]);
    let third = talk.connection.send(other, text("third")).unwrap();
    talk.connection.handle_transmitted(talk.now, sent.len());
    sent.extend(talk.transmitted());
    let sent = frames(&sent);
    assert_eq!(ranges(&sent), [("1-*/100000", '#'), ("1-5/5", '$')]);
    assert_eq!(sent[1].message_id, third);
}

// CONFORMANCE 4975-049, THREATS T8
#[test]
fn no_transaction_id_is_taken_that_the_content_ends() {
    // The generator of this connection will first think of the same stem that another with its seed has used.
    let (mut first, session) = Talk::bound(Settings::default());
    first.connection.send(session, text("x")).unwrap();
    let guessed = frames(&first.transmitted())[0].transaction.clone();

    let (mut second, session) = Talk::bound(Settings::default());
    let content = format!("before\r\n-------{guessed}$\r\nMSRP evil SEND\r\n-------{guessed}+\r\nafter");
    second.connection.send(session, text(&content)).unwrap();
    let sent = frames(&second.transmitted());
    assert_eq!(sent.len(), 1);
    assert_ne!(sent[0].transaction, guessed);
    assert_eq!(sent[0].body, content.as_bytes());
}

// CONFORMANCE 4975-042, 4975-050
#[test]
fn transaction_ids_and_message_ids_never_repeat() {
    let (mut talk, session) = Talk::bound(Settings { turn: 2048, transactions: 10_000, ..Settings::default() });
    for n in 0..2000 {
        talk.connection.send(session, octets(n)).unwrap();
    }
    let sent = frames(&talk.transmitted());
    let mut transactions: Vec<&str> = sent.iter().map(|frame| frame.transaction.as_str()).collect();
    assert!(transactions.iter().all(|id| (13..=32).contains(&id.len())));
    transactions.sort_unstable();
    transactions.dedup();
    assert_eq!(transactions.len(), sent.len());
    let mut messages: Vec<&str> = sent.iter().map(|frame| frame.message_id.as_str()).collect();
    messages.sort_unstable();
    messages.dedup();
    assert_eq!(messages.len(), 2000);
}

#[test]
fn what_waits_is_bounded_and_the_user_hears_when_there_is_room() {
    let (mut talk, session) = Talk::bound(Settings { queued: 10_000, window: 1, ..Settings::default() });
    talk.connection.send(session, octets(50_000)).unwrap();
    assert_eq!(talk.connection.send(session, octets(0)), Err(SendError::Full), "though the first was too large, too");
    assert_eq!(talk.connection.send(session, octets(9000)), Err(SendError::Full));
    let some = talk.output().unwrap();
    assert!(talk.output().is_none() && talk.events.is_empty());
    talk.connection.handle_transmitted(talk.now, some.len());
    talk.transmitted();
    assert_eq!(talk.events(), [Event::Room]);
    assert!(talk.connection.send(session, octets(9000)).is_ok());
    talk.transmitted();
    assert_eq!(talk.events(), [], "told once");
}

#[test]
fn only_so_many_requests_await_an_answer() {
    let (mut talk, session) = Talk::bound(Settings { transactions: 3, ..Settings::default() });
    for _ in 0..5 {
        talk.connection.send(session, text("x")).unwrap();
    }
    let sent = frames(&talk.transmitted());
    assert_eq!(sent.len(), 3);
    assert_eq!(talk.connection.set_nickname(session, "x"), Err(SendError::Full));
    let t = &sent[0].transaction;
    talk.gets(&format!("MSRP {t} 200\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\n-------{t}$"));
    assert_eq!(frames(&talk.transmitted()).len(), 1);
    talk.passes(seconds(30));
    assert_eq!(frames(&talk.transmitted()).len(), 1);
    assert_eq!(talk.events().len(), 1 + 3, "one accepted, three without an answer");
}

#[test]
fn a_peer_that_asks_and_takes_no_answers_loses_the_connection() {
    let (mut talk, session) = Talk::bound(Settings { urgent: 1000, window: 100, ..Settings::default() });
    for _ in 0..20 {
        talk.gets(PING);
    }
    let reason = msrp::session::Reason::Abuse;
    assert_eq!(talk.events(), [Event::Closed { session, reason, unconfirmed: vec![] }]);
    assert!(talk.closed);
}

/// Two endpoints and the octets between them.
struct Pair {
    sides: [Connection; 2],
    wires: [Vec<u8>; 2],
    heard: [Vec<Event>; 2],
    now: std::time::Instant,
}

impl Pair {
    fn new(settings: &Settings, seed: u64) -> Pair {
        let side = |n| Connection::new(settings.clone(), Box::new(ChaCha8Rng::seed_from_u64(seed + n)));
        Pair { sides: [side(0), side(1)], wires: [vec![], vec![]], heard: [vec![], vec![]], now: beginning() }
    }

    /// One side hands out what it can; what it hands out has left at once.
    fn poll(&mut self, side: usize) {
        while let Some(output) = self.sides[side].poll_output() {
            match output {
                Output::Transmit(octets) => {
                    self.sides[side].handle_transmitted(self.now, octets.len());
                    self.wires[side].extend(octets);
                }
                Output::Event(event) => self.heard[side].push(event),
                Output::Close => panic!("closed: {:?}", self.heard[side]),
            }
        }
    }

    /// Some of the octets that one side has sent come to the other. False if there were none.
    fn pass(&mut self, from: usize, n: usize) -> bool {
        let some: Vec<u8> = self.wires[from].drain(..n.min(self.wires[from].len())).collect();
        self.sides[1 - from].handle_input(self.now, &some);
        !some.is_empty()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is sent either way, in however few or many octets at a time: each message comes once, whole; those that go
    /// out in one piece come in order; and all are accepted and delivered.
    #[test]
    fn everything_arrives_once_and_whole(
        seed in any::<u64>(),
        turn in 2048usize..6000,
        window in 1usize..10_000,
        max_chunk in prop::option::of(500usize..5000),
        messages in prop::collection::vec((0usize..2, 0usize..12_000, any::<bool>()), 1..20),
        steps in prop::collection::vec((0usize..2, 1usize..5000), 1..200),
    ) {
        let gathered = Bounds { messages: 5, message_octets: 20_000, octets: 100_000 };
        let settings = Settings { turn, window, gathered, ..Settings::default() };
        let mut pair = Pair::new(&settings, seed);
        let alice = Terms { max_chunk, ..terms(ALICE, ROOM, Role::Active) };
        let sessions = [pair.sides[0].open(pair.now, alice), pair.sides[1].open(pair.now, terms(ROOM, ALICE, Role::Passive))];
        let mut sent: [Vec<(String, Vec<u8>)>; 2] = [vec![], vec![]];
        let mut reported: [Vec<String>; 2] = [vec![], vec![]];
        let mut steps = steps.into_iter().cycle();
        let mut left = messages.into_iter();
        let mut idle = 0;
        while idle < 4 {
            if let Some((side, size, success_report)) = left.next() {
                let message = Message { success_report, failure_report: FailureReport::Yes, ..octets(size) };
                let id = pair.sides[side].send(sessions[side], message).unwrap();
                if success_report {
                    reported[side].push(id.clone());
                }
                sent[side].push((id, octets(size).octets));
            }
            let (side, n) = steps.next().unwrap();
            let moved = [side, 1 - side].map(|side| {
                pair.poll(side);
                pair.pass(side, n)
            });
            idle = if moved.contains(&true) { 0 } else { idle + 1 };
        }
        for side in 0..2 {
            let heard = &pair.heard[1 - side];
            let mut came: Vec<(String, Vec<u8>)> = heard.iter().filter_map(|event| match event {
                Event::Message { message_id, octets, repeated: false, .. } => Some((message_id.clone(), octets.clone())),
                _ => None,
            }).collect();
            let whole = |(_, octets): &&(String, Vec<u8>)| octets.len() <= 500;
            prop_assert_eq!(came.iter().filter(whole).collect::<Vec<_>>(), sent[side].iter().filter(whole).collect::<Vec<_>>());
            came.sort();
            let mut expected = sent[side].clone();
            expected.sort();
            prop_assert_eq!(came.len(), expected.len());
            prop_assert_eq!(came, expected);

            let accepted = pair.heard[side].iter().filter(|event| matches!(event, Event::Accepted { .. })).count();
            prop_assert_eq!(accepted, sent[side].len());
            for id in &reported[side] {
                let told = |event: &&Event| matches!(event, Event::Delivered { message_id, .. } if message_id == id);
                prop_assert_eq!(pair.heard[side].iter().filter(told).count(), 1);
            }
            prop_assert!(pair.sides[side].close(sessions[side]).is_empty());
            prop_assert_eq!(pair.sides[side].poll_timeout(), None);
        }
    }

    /// Any octets at all: the connection answers, or closes, and holds no more than its bounds.
    #[test]
    fn any_octets_are_survived(
        inputs in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "MSRP [a-z0-9]{3,5} (SEND|REPORT|NICKNAME|200|FOO)\r\n".prop_map(String::into_bytes),
            Just(format!("To-Path: {ALICE}\r\nFrom-Path: {ROOM}\r\n").into_bytes()),
            "(Message-ID|Byte-Range|Status|Content-Type): [0-9a-z*/-]{1,9}\r\n".prop_map(String::into_bytes),
            "\r\n|\r\n-------[a-z0-9]{3,5}[$+#]\r\n".prop_map(String::into_bytes),
        ], 0..30),
    ) {
        let (mut talk, _) = Talk::bound(Settings::default());
        for input in inputs {
            talk.gets_octets(&input);
            talk.transmitted();
        }
    }
}
