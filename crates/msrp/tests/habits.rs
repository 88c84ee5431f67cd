//! What peers in use do (INTEROP), each after the stack that does it.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod support;

use msrp::connection::{Output, Settings};
use msrp::frame::FailureReport;
use msrp::session::{Event, Message, Role};
use support::{ALICE, ROOM, Talk, terms, text};

/// One that waits for the peer to bind.
fn passive() -> Talk {
    let mut talk = Talk::new(Settings::default());
    talk.connection.open(talk.now, terms(ALICE, ROOM, Role::Passive));
    talk
}

/// The content of the only message that came.
fn content(talk: &mut Talk) -> Vec<u8> {
    talk.transmitted();
    let events = talk.events();
    match &events[..] {
        [Event::Bound { .. }, Event::Message { octets, .. }] | [Event::Message { octets, .. }] => octets.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn blink_binds_with_an_empty_send_and_keeps_alive_with_a_header_of_its_own() {
    let mut talk = passive();
    for headers in ["Message-ID: b1nd\n", "Message-ID: b1nd\nKeep-Alive: yes\n"] {
        talk.gets(&format!("MSRP b1nd SEND\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\n{headers}-------b1nd$"));
        talk.sends(&format!("MSRP b1nd 200 OK\nTo-Path: {ROOM}\nFrom-Path: {ALICE}\n-------b1nd$"));
    }
    assert_eq!(talk.events().len(), 1);
}

#[test]
fn blink_gets_no_content_type_on_a_bind_or_a_keep_alive() {
    let mut talk = Talk::new(Settings::default());
    talk.connection.open(talk.now, terms(ALICE, ROOM, Role::Active));
    assert!(!String::from_utf8(talk.transmitted()).unwrap().contains("Content-Type"));
}

// CONFORMANCE 4975-101
#[test]
fn blink_counts_characters_in_byte_ranges() {
    let mut talk = passive();
    let umlauts = "ü".repeat(100);
    talk.gets(&format!(
        "MSRP c0ff SEND\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\nMessage-ID: umlauts\nByte-Range: 1-100/100\n\
         Failure-Report: yes\nSuccess-Report: yes\nContent-Type: text/plain\n\n{umlauts}\n-------c0ff$"
    ));
    let sent = String::from_utf8(talk.transmitted()).unwrap();
    assert!(sent.contains("\r\nStatus: 000 200 OK\r\n"), "it shows `delivered` only then");
    assert!(sent.contains("\r\nByte-Range: 1-200/200\r\n"), "the octets that came");
    assert_eq!(content(&mut talk), umlauts.as_bytes());
}

#[test]
fn blink_gets_a_message_in_one_chunk() {
    let (mut talk, session) = Talk::bound(Settings { window: 500, ..Settings::default() });
    talk.connection.send(session, text(&"x".repeat(20_000))).unwrap();
    talk.connection.send(session, text("y")).unwrap();
    let sent = String::from_utf8(talk.transmitted()).unwrap();
    // Nothing urgent came in between, but another message waits: the turn is over only after 16 384 octets.
    assert_eq!(sent.matches(" SEND\r\n").count(), 3);
    let (mut talk, session) = Talk::bound(Settings { window: 500, ..Settings::default() });
    talk.connection.send(session, text(&"x".repeat(16_000))).unwrap();
    talk.connection.send(session, text("y")).unwrap();
    assert_eq!(String::from_utf8(talk.transmitted()).unwrap().matches(" SEND\r\n").count(), 2);
}

#[test]
fn kamailio_leaves_comments_out_adds_a_message_id_and_answers_what_wants_no_answer() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let message_id = talk.connection.send(session, text("x")).unwrap();
    let sent = String::from_utf8(talk.transmitted()).unwrap();
    let t = sent[5..].split(' ').next().unwrap();
    for _ in 0..2 {
        talk.gets(&format!("MSRP {t} 200\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\nMessage-ID: {message_id}\n-------{t}$"));
    }
    assert_eq!(talk.events(), [Event::Accepted { session, message_id }]);
    talk.gets(&format!("MSRP n0ne 481 x\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\n-------n0ne$"));
    assert_eq!(talk.events(), [], "an answer to nothing");
}

#[test]
fn kamailio_loses_its_way_without_one_space_behind_a_colon() {
    let (mut talk, session) = Talk::bound(Settings::default());
    talk.connection.send(session, Message { success_report: true, ..text("x") }).unwrap();
    talk.connection.set_nickname(session, "x").unwrap();
    talk.gets(&format!(
        "MSRP t1d0 SEND\nTo-Path:{ALICE}\nFrom-Path:\t {ROOM} \nMessage-ID:m3ss\nSuccess-Report:yes\nContent-Type:a/b\n\nx\n-------t1d0$"
    ));
    let sent = String::from_utf8(talk.transmitted()).unwrap();
    assert_eq!(sent.matches("MSRP ").count(), 4, "two requests, an answer and a report");
    for frame in sent.split("MSRP ").skip(1) {
        let (head, _) = frame.split_once("\r\n-------").unwrap();
        let mut headers = head.split("\r\n\r\n").next().unwrap().split("\r\n").skip(1);
        assert!(headers.next().unwrap().starts_with("To-Path: msrp"));
        assert!(headers.next().unwrap().starts_with("From-Path: msrp"));
        let known = ["Message-ID", "Success-Report", "Byte-Range", "Status", "Content-Type", "Use-Nickname"];
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            assert!(known.contains(&name) && !value.starts_with(' '), "{header}");
        }
    }
}

// THREATS 1cda0298
#[test]
fn kamailio_1cda0298_ipv6_addresses_stand_in_paths() {
    let mut talk = Talk::new(Settings::default());
    let (own, peer) = ("msrp://[::1]:2855/s3ss;tcp", "msrp://[2001:db8::7]:9/y;tcp");
    let session = talk.connection.open(talk.now, terms(own, peer, Role::Passive));
    talk.gets(&format!(
        "MSRP b1nd SEND\nTo-Path: msrp://[0:0::1]:2855/s3ss;tcp\nFrom-Path: {peer}\nMessage-ID: b1nd\n-------b1nd$"
    ));
    talk.sends(&format!("MSRP b1nd 200 OK\nTo-Path: {peer}\nFrom-Path: msrp://[0:0::1]:2855/s3ss;tcp\n-------b1nd$"));
    assert_eq!(talk.events(), [Event::Bound { session }]);
}

#[test]
fn freeswitch_gets_its_first_send_in_one_piece() {
    let mut talk = Talk::new(Settings { window: 10, ..Settings::default() });
    talk.connection.open(talk.now, terms(ALICE, ROOM, Role::Active));
    let Some(Output::Transmit(octets)) = talk.connection.poll_output() else { panic!("nothing to send") };
    assert!(octets.starts_with(b"MSRP ") && octets.ends_with(b"$\r\n"));
}

#[test]
fn freeswitch_reuses_the_transaction_id_of_a_send_for_its_report() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let message_id = talk.connection.send(session, Message { success_report: true, ..text("x") }).unwrap();
    let sent = String::from_utf8(talk.transmitted()).unwrap();
    let t = sent[5..].split(' ').next().unwrap();
    let paths = format!("To-Path: {ALICE}\nFrom-Path: {ROOM}\n");
    talk.gets(&format!(
        "MSRP {t} REPORT\n{paths}Message-ID: {message_id}\nByte-Range: 1-1/1\nStatus: 000 200 OK\n-------{t}$"
    ));
    talk.gets(&format!("MSRP {t} 200 OK\n{paths}-------{t}$"));
    let events = talk.events();
    assert!(
        matches!(&events[..], [Event::Report { .. }, Event::Delivered { .. }, Event::Accepted { .. }]),
        "{events:?}"
    );
}

// INTEROP: an explicit range end must fit the data, chunks without a body are not understood
#[test]
fn freeswitch_gets_range_ends_that_fit_and_no_chunk_without_a_body() {
    let (mut talk, session) = Talk::bound(Settings { turn: 2048, ..Settings::default() });
    for n in [0, 1, 2047, 2048, 2049, 9000, 3] {
        talk.connection.send(session, text(&"x".repeat(n))).unwrap();
    }
    let sent = String::from_utf8(talk.transmitted()).unwrap();
    for frame in sent.split("MSRP ").skip(1) {
        let (head, rest) = frame.split_once("\r\n\r\n").unwrap();
        let body = rest.split("\r\n-------").next().unwrap();
        let range = head.lines().find_map(|line| line.strip_prefix("Byte-Range: ")).unwrap();
        let (start, rest) = range.split_once('-').unwrap();
        let (end, _) = rest.split_once('/').unwrap();
        if end != "*" {
            assert_eq!(end.parse::<usize>().unwrap() + 1 - start.parse::<usize>().unwrap(), body.len(), "{range}");
        }
        assert!(head.contains("Content-Type") && (body.len() >= 2048 || frame.ends_with("$\r\n")));
    }
}

#[test]
fn java_stacks_bind_with_an_empty_range_and_write_content_type_in_their_own_way() {
    let mut talk = passive();
    talk.gets(&format!(
        "MSRP b1nd SEND\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\nMessage-ID: b1nd\nByte-Range: 1-0/0\n-------b1nd$"
    ));
    assert!(talk.transmitted().starts_with(b"MSRP b1nd 200 OK\r\n"));
    talk.gets(&format!(
        "MSRP j4va SEND\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\nMessage-ID: j4va\nByte-Range: 1-*/5\nContent-type: text/plain\n\nhello\n-------j4va$"
    ));
    assert_eq!(content(&mut talk), b"hello");
}

#[test]
fn java_ff0d1b6_transaction_ids_that_look_like_codes_and_methods_are_ids() {
    let mut talk = passive();
    for id in ["2000", "SEND", "200.", "MSRP", "REPORT", "0000"] {
        talk.gets(&format!("MSRP {id} SEND\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\nMessage-ID: {id}\n-------{id}$"));
        assert!(talk.transmitted().starts_with(format!("MSRP {id} 200 OK\r\n").as_bytes()));
    }
}

// THREATS 85bc216
#[test]
fn java_85bc216_chunks_may_share_a_transaction_id() {
    let mut talk = passive();
    for (range, octets, flag) in [("1-*/6", "abc", '+'), ("4-*/6", "def", '$')] {
        talk.gets(&format!(
            "MSRP s4me SEND\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\nMessage-ID: m3ss\nByte-Range: {range}\nContent-Type: a/b\n\n{octets}\n-------s4me{flag}"
        ));
    }
    assert_eq!(content(&mut talk), b"abcdef");
}

#[test]
fn browsers_ask_for_a_report_on_their_empty_send() {
    let mut talk = passive();
    talk.gets(&format!(
        "MSRP b1nd SEND\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\nSuccess-Report: yes\nMessage-ID: b1nd\n-------b1nd$"
    ));
    talk.sends(&format!(
        "MSRP b1nd 200 OK
         To-Path: {ROOM}
         From-Path: {ALICE}
         -------b1nd$
         MSRP {{r}} REPORT
         To-Path: {ROOM}
         From-Path: {ALICE}
         Message-ID: b1nd
         Byte-Range: 1-0/0
         Status: 000 200 OK
         -------{{r}}$"
    ));
}

// CONFORMANCE 4975-052
#[test]
fn all_chunks_of_a_message_ask_for_the_same_reports() {
    let (mut talk, session) = Talk::bound(Settings { turn: 2048, ..Settings::default() });
    let message = Message { success_report: true, failure_report: FailureReport::Partial, ..text(&"x".repeat(9000)) };
    talk.connection.send(session, message).unwrap();
    talk.connection.send(session, text("y")).unwrap();
    let sent = String::from_utf8(talk.transmitted()).unwrap();
    let chunks: Vec<&str> = sent.split("MSRP ").filter(|frame| frame.contains("/9000\r\n")).collect();
    assert!(chunks.len() > 1);
    assert!(chunks.iter().all(|chunk| chunk.contains("\r\nSuccess-Report: yes\r\nFailure-Report: partial\r\n")));
}
