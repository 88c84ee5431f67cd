//! Messages out of a byte stream, told from outside.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use proptest::prelude::*;
use sip::{Frame, Framer, Message};

const HEAD_LIMIT: usize = 2_000;
const BODY_LIMIT: usize = 1_000;

/// What a stream that is fed in these pieces brings, each frame in one word or two.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut framer = Framer::new(HEAD_LIMIT, BODY_LIMIT);
    let mut told = Vec::new();
    for piece in pieces {
        framer.feed(piece);
        while let Some(frame) = framer.next() {
            told.push(tell(&frame));
        }
    }
    told
}

fn tell(frame: &Frame) -> String {
    match frame {
        Frame::Ping => "ping".to_owned(),
        Frame::Pong => "pong".to_owned(),
        Frame::Message(Message::Request(request)) => {
            format!("{} {}", request.method, String::from_utf8_lossy(&request.body)).trim_end().to_owned()
        }
        Frame::Message(Message::Response(response)) => format!("{}", response.code),
        Frame::Malformed { malformed, close } => {
            let readable = malformed.request.as_ref().map_or("nothing", |request| request.method.as_str());
            let then = if *close { "close" } else { "go on" };
            format!("{} {}, {readable} readable, {then}", malformed.code, malformed.reason)
        }
    }
}

/// A MESSAGE request with these rows at its end, and what follows the head.
fn message(rows: &str, rest: &str) -> String {
    format!(
        "MESSAGE sip:lobby@chat.example.com SIP/2.0\r\n\
         Via: SIP/2.0/TCP client.example.com:5060;branch=z9hG4bK74bf9\r\n\
         Max-Forwards: 70\r\n\
         From: Alice <sip:alice@example.com>;tag=9fxced76sl\r\n\
         To: <sip:lobby@chat.example.com>\r\n\
         Call-ID: 3848276298220188511@client.example.com\r\n\
         CSeq: 1 MESSAGE\r\n\
         Content-Type: text/plain\r\n\
         {rows}\r\n{rest}"
    )
}

fn options() -> String {
    "OPTIONS sip:chat.example.com SIP/2.0\r\n\
     Via: SIP/2.0/TCP client.example.com:5060;branch=z9hG4bKother\r\n\
     Max-Forwards: 70\r\n\
     From: Alice <sip:alice@example.com>;tag=9fxced76sl\r\n\
     To: <sip:chat.example.com>\r\n\
     Call-ID: other@client.example.com\r\n\
     CSeq: 7 OPTIONS\r\n\
     l: 0\r\n\r\n"
        .to_owned()
}

// CONFORMANCE 3261-18.3-1, 3261-20.14-1. THREATS T9, T34, CVE-2026-45103, CVE-2026-58268.
#[test]
fn content_length_is_read_in_every_spelling_and_ends_the_stream_where_it_is_in_doubt() {
    let lost = |reason: &str| vec![format!("400 {reason}, MESSAGE readable, close")];
    let sound = || vec!["MESSAGE hello".to_owned(), "OPTIONS".to_owned()];
    let table: [(&str, Vec<String>); 20] = [
        ("Content-Length: 5\r\n", sound()),
        ("content-LENGTH:5\r\n", sound()),
        ("l: 5\r\n", sound()),
        ("L \t : \t 5 \t\r\n", sound()),
        ("Content-Length: 0000000000000000000005\r\n", sound()),
        ("Content-Length:\r\n\t5\r\n", sound()),
        ("Content-Length: 5\r\n \r\n", sound()),
        ("Content-Length: 5\r\n 6\r\n", lost("Unreadable Content-Length")),
        ("Content-Length: 5 6\r\n", lost("Unreadable Content-Length")),
        ("Content-Length: 5, 5\r\n", lost("Unreadable Content-Length")),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", lost("Repeated Content-Length")),
        ("Content-Length: 5\r\nl: 6\r\n", lost("Repeated Content-Length")),
        ("Content-Length: -1\r\n", lost("Unreadable Content-Length")),
        ("Content-Length: +5\r\n", lost("Unreadable Content-Length")),
        ("Content-Length: 0x5\r\n", lost("Unreadable Content-Length")),
        ("Content-Length: 4294967301\r\n", lost("Unreadable Content-Length")),
        ("Content-Length: 18446744073709551616\r\n", lost("Unreadable Content-Length")),
        ("Content-Length: \u{665}\r\n", lost("Unreadable Content-Length")),
        ("Content-Length:\r\n", lost("Unreadable Content-Length")),
        ("", lost("Missing Content-Length")),
    ];
    for (rows, expected) in table {
        let stream = message(rows, "hello") + &options();
        assert_eq!(frames([stream.as_bytes()]), expected, "{rows:?}");
    }
}

// THREATS T34.
#[test]
fn lines_whose_ends_are_in_doubt_end_the_stream() {
    let table = [
        ("Subject: a\nContent-Length: 0\r\n", "400 Line Feed Without Carriage Return, MESSAGE readable, close"),
        ("Subject: a\rb\r\nContent-Length: 0\r\n", "400 Control Character In Header Field, MESSAGE readable, close"),
        ("Content-Length\u{1}: 5\r\nl: 0\r\n", "400 Control Character In Header Field, MESSAGE readable, close"),
        ("Subject: a\0\r\nContent-Length: 0\r\n", "400 Control Character In Header Field, MESSAGE readable, close"),
        ("Content-Length: 0\r\n\nBYE", "400 Line Feed Without Carriage Return, MESSAGE readable, close"),
    ];
    for (rows, expected) in table {
        let stream = message(rows, "hello") + &options();
        assert_eq!(frames([stream.as_bytes()]), [expected], "{rows:?}");
    }
    let bare = message("Content-Length: 0\r\n", "").replace('\r', "") + &options();
    assert_eq!(frames([bare.as_bytes()]), ["400 Line Feed Without Carriage Return, MESSAGE readable, close"]);
}

// CONFORMANCE 3261-18.3-3.
#[test]
fn what_is_wrong_within_certain_borders_costs_only_its_message() {
    let table = [
        ("CSeq: 2 MESSAGE\r\nContent-Length: 5\r\n", "400 Repeated CSeq, MESSAGE readable, go on"),
        ("Not a header field\r\nContent-Length: 5\r\n", "400 Bad Header Field Name, MESSAGE readable, go on"),
        ("Max-Forwards: x\r\nContent-Length: 5\r\n", "400 Unreadable Max-Forwards, MESSAGE readable, go on"),
    ];
    for (rows, expected) in table {
        let stream = message(rows, "hello") + &options();
        assert_eq!(frames([stream.as_bytes()]), [expected, "OPTIONS"], "{rows:?}");
    }
    let unknown = message("Content-Length: 5\r\n", "hello").replacen("MESSAGE sip:", "???", 1) + &options();
    assert_eq!(frames([unknown.as_bytes()]), ["400 Unreadable Start Line, MESSAGE readable, go on", "OPTIONS"]);
}

// THREATS T9.
#[test]
fn a_message_that_is_too_long_is_refused_before_it_is_there() {
    let body = message("Content-Length: 1001\r\n", "");
    assert_eq!(frames([body.as_bytes()]), ["413 Request Entity Too Large, MESSAGE readable, close"]);
    let largest = message("Content-Length: 1000\r\n", &"x".repeat(1_000));
    assert_eq!(frames([largest.as_bytes()]), [format!("MESSAGE {}", "x".repeat(1_000))]);

    let subject = |length: usize| format!("Subject: {}\r\nContent-Length: 0\r\n", "s".repeat(length));
    let empty = message(&subject(0), "").len() - 2;
    let longest = message(&subject(HEAD_LIMIT - empty), "") + &options();
    assert_eq!(frames([longest.as_bytes()]), ["MESSAGE", "OPTIONS"]);
    let longer = message(&subject(HEAD_LIMIT - empty + 1), "") + &options();
    assert_eq!(frames([longer.as_bytes()]), ["513 Message Head Too Long, MESSAGE readable, close"]);
    let endless = message(&subject(1 << 20), "");
    assert_eq!(frames([endless.as_bytes()]), ["513 Message Head Too Long, MESSAGE readable, close"]);
    let garbage = [0xff; 5_000];
    assert_eq!(frames([&garbage[..]]), ["513 Message Head Too Long, nothing readable, close"]);
}

#[test]
fn nothing_is_read_from_a_stream_that_is_over() {
    let mut framer = Framer::new(HEAD_LIMIT, BODY_LIMIT);
    framer.feed(message("", "").as_bytes());
    assert!(matches!(framer.next(), Some(Frame::Malformed { close: true, .. })));
    framer.feed(options().as_bytes());
    assert_eq!(framer.next(), None);
}

#[test]
fn a_message_that_has_begun_is_seen() {
    let mut framer = Framer::new(HEAD_LIMIT, BODY_LIMIT);
    let mut seen = |octets: &str| {
        framer.feed(octets.as_bytes());
        while framer.next().is_some() {}
        framer.is_within_message()
    };
    assert!(!seen("\r\n\r\n\r"));
    assert!(seen("\nM"));
    assert!(seen(&message("l: 5\r\n", "hell")[1..]));
    assert!(!seen("o"));
}

// CONFORMANCE 5626-4.4.1-1, 3261-7.5-1.
#[test]
fn two_empty_lines_between_messages_are_a_ping_and_one_is_nothing() {
    let stream = format!("\r\n\r\n{0}\r\n{0}\r\n\r\n\r\n{0}\r\n\r", options());
    assert_eq!(frames([stream.as_bytes()]), ["ping", "OPTIONS", "OPTIONS", "ping", "OPTIONS"]);
    assert_eq!(frames(["\r\n", "\r\n", "\r", "\n\r", "\n"].map(str::as_bytes)), ["ping", "ping"]);
}

// CONFORMANCE 5626-4.4.1-2.
#[test]
fn one_empty_line_answers_a_ping_of_our_own() {
    let mut framer = Framer::new(HEAD_LIMIT, BODY_LIMIT);
    framer.await_pong();
    framer.feed(b"\r\n\r\n\r\n");
    assert_eq!([framer.next(), framer.next(), framer.next()], [Some(Frame::Pong), Some(Frame::Ping), None]);
}

fn streams() -> [String; 4] {
    [
        format!("\r\n\r\n{}{}\r\n{}", message("l: 5\r\n", "hello"), options(), message("l: 0\r\n", "")),
        message("Max-Forwards: x\r\nl: 12\r\n", "\r\n\r\nhello\r\n\r") + &options(),
        message("l: 5\r\nSubject: a\n\n", "hello") + &options(),
        message(&format!("Subject: {}\r\nl: 5\r\n", "s".repeat(2_000)), "hello") + &options(),
    ]
}

// CONFORMANCE 3261-18.3-1.
#[test]
fn a_stream_cut_at_any_octet_brings_the_same() {
    for stream in streams() {
        let whole = frames([stream.as_bytes()]);
        assert_eq!(frames(stream.as_bytes().chunks(1)), whole);
        for at in 0..stream.len() {
            let (a, b) = stream.as_bytes().split_at(at);
            assert_eq!(frames([a, b]), whole, "cut at {at}");
        }
    }
}

proptest! {
    #[test]
    fn a_stream_cut_anywhere_brings_the_same(
        octets in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'l'), Just(b':'), any::<u8>()], 0..300),
        which in 0..4_usize, at in 0..1_000_usize, size in 1..50_usize,
    ) {
        let mut stream = streams()[which].clone().into_bytes();
        let at = at.min(stream.len());
        stream.splice(at..at, octets);
        prop_assert_eq!(frames(stream.chunks(size)), frames([&stream[..]]));
    }
}
