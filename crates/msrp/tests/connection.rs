//! An endpoint's connection, told as dialogues: what goes out, what comes in, what the user hears.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod support;

use msrp::chunk::Bounds;
use msrp::connection::Settings;
use msrp::frame::{ByteRange, FailureReport};
use msrp::session::{Event, Message, Reason, Role, SendError, Terms};
use msrp::uri::Uri;
use support::{ALICE, ROOM, Talk, seconds, terms, text};

/// A frame from the room with these lines behind the paths.
fn from_room(transaction: &str, what: &str, rest: &str) -> String {
    format!("MSRP {transaction} {what}\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\n{rest}")
}

fn response(transaction: &str, code: &str) -> String {
    from_room(transaction, code, &format!("-------{transaction}$"))
}

// CONFORMANCE 4975-054, 4975-056
#[test]
fn an_answer_is_due_30_seconds_after_the_last_octet_has_left() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let message_id = talk.connection.send(session, text("hello")).unwrap();
    let octets = talk.output().unwrap();
    assert_eq!(talk.deadline(), None, "it has not left");
    talk.passes(seconds(100));
    talk.connection.handle_transmitted(talk.now, octets.len() - 1);
    assert_eq!(talk.deadline(), None, "an octet is missing");
    talk.connection.handle_transmitted(talk.now, 1);
    assert_eq!(talk.deadline(), Some(seconds(30)));
    talk.passes(seconds(30));
    assert_eq!(talk.events(), [Event::Failed { session, message_id, code: 408 }]);
    assert_eq!(talk.deadline(), None);
}

// CONFORMANCE 4975-055, 4975-085, 4975-086
#[test]
fn partial_waits_for_nothing_and_minds_errors() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let partial = Message { failure_report: FailureReport::Partial, ..text("hello") };
    let message_id = talk.connection.send(session, partial).unwrap();
    let octets = talk.transmitted();
    assert!(String::from_utf8_lossy(&octets).contains("\r\nFailure-Report: partial\r\n"));
    assert_eq!(talk.deadline(), None);
    let transaction = String::from_utf8_lossy(&octets)[5..].split(' ').next().unwrap().to_owned();
    talk.gets(&response(&transaction, "413 Too large"));
    assert_eq!(talk.events(), [Event::Failed { session, message_id, code: 413 }]);
}

#[test]
fn without_failure_reports_no_answer_means_anything() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let quiet = Message { failure_report: FailureReport::No, ..text("hello") };
    talk.connection.send(session, quiet).unwrap();
    // Kamailio's relay answers all the same.
    talk.answers(413);
    assert_eq!(talk.events(), []);
    assert_eq!(talk.connection.close(session), Vec::<String>::new());
}

// CONFORMANCE 4975-075, 4975-079, 4975-081, 4975-091, 4975-092, 4975-094, 4975-098
#[test]
fn a_message_that_comes_is_answered_and_reported_on() {
    let (mut talk, session) = Talk::bound(Settings::default());
    talk.gets(
        "MSRP 3490visdm SEND
         To-Path: msrp://alice.example.com:7654/jshA7weztas;tcp
         From-Path: msrp://relay.example.com:2855/r1;tcp msrp://chat.example.com:12763/kjhd37s2s20w2a;tcp
         Success-Report: yes
         Message-ID: 99s9s2
         Byte-Range: 1-5/5
         Content-Type: text/plain

         hello
         -------3490visdm$",
    );
    talk.sends(
        "MSRP 3490visdm 200 OK
         To-Path: msrp://relay.example.com:2855/r1;tcp
         From-Path: msrp://alice.example.com:7654/jshA7weztas;tcp
         -------3490visdm$
         MSRP {report} REPORT
         To-Path: msrp://relay.example.com:2855/r1;tcp msrp://chat.example.com:12763/kjhd37s2s20w2a;tcp
         From-Path: msrp://alice.example.com:7654/jshA7weztas;tcp
         Message-ID: 99s9s2
         Byte-Range: 1-5/5
         Status: 000 200 OK
         -------{report}$",
    );
    let message = Event::Message {
        session,
        message_id: "99s9s2".to_owned(),
        content_type: "text/plain".to_owned(),
        octets: b"hello".to_vec(),
        repeated: false,
    };
    assert_eq!(talk.events(), [message]);
}

// CONFORMANCE 4975-082, 4975-083, 4975-084, 4975-085, 4975-089, 4975-097
#[test]
fn answers_and_reports_follow_the_two_headers() {
    for (success, failure, answer, report) in [
        ("", "", true, false),
        ("no", "yes", true, false),
        ("yes", "yes", true, true),
        ("yes", "partial", false, true),
        ("yes", "no", false, true),
        ("", "partial", false, false),
        ("no", "no", false, false),
    ] {
        let (mut talk, _) = Talk::bound(Settings::default());
        let header = |name: &str, value: &str| match value {
            "" => String::new(),
            value => format!("{name}: {value}\n"),
        };
        let headers = header("Success-Report", success) + &header("Failure-Report", failure);
        let frame = |message| format!("Message-ID: {message}\n{headers}Content-Type: a/b\n\nx\n-------t1d0$");
        talk.gets(&from_room("t1d0", "SEND", &frame("g00d")));
        let sent = String::from_utf8(talk.transmitted()).unwrap();
        assert_eq!(sent.contains("MSRP t1d0 200 OK"), answer, "{success} {failure}");
        assert_eq!(sent.contains(" REPORT\r\n"), report, "{success} {failure}");
        assert_eq!(talk.events().len(), 1);

        // The same for a session that is not there.
        talk.gets(&from_room("t1d0", "SEND", &frame("b4d0")).replace("jshA7weztas", "other"));
        let sent = String::from_utf8(talk.transmitted()).unwrap();
        assert_eq!(sent.contains("MSRP t1d0 481"), failure != "no", "{success} {failure}");
        assert!(!sent.contains(" REPORT\r\n"));
        assert_eq!(talk.events(), []);
    }
}

// CONFORMANCE 4975-018, 4975-019, 4975-038, 4975-096, 4975-098
#[test]
fn who_asks_for_a_session_that_is_not_here_gets_481_or_506() {
    let (mut talk, _) = Talk::bound(Settings::default());
    talk.connection.is_elsewhere(Uri::parse("msrp://alice.example.com:7654/bus1;tcp").unwrap());
    for (to_path, code) in [
        ("msrp://alice.example.com:7654/JSHA7WEZTAS;tcp", "481 Session Does Not Exist"),
        ("msrp://alice.example.com:7654;tcp", "481 Session Does Not Exist"),
        ("msrps://alice.example.com:7654/jshA7weztas;tcp", "481 Session Does Not Exist"),
        ("msrp://alice.example.com:7655/jshA7weztas;tcp", "481 Session Does Not Exist"),
        ("msrp://a:1/relay;tcp msrp://alice.example.com:7654/jshA7weztas;tcp", "481 Session Does Not Exist"),
        ("nonsense", "481 Session Does Not Exist"),
        ("msrp://ALICE.example.com:7654/bus1;TCP", "506 Session Already In Use"),
        ("MSRP://u@ALICE%2Eexample.com:7654/jshA7weztas;TCP", "200 OK"),
    ] {
        talk.gets(&format!("MSRP t1d0 SEND\nTo-Path: {to_path}\nFrom-Path: {ROOM}\nMessage-ID: m3ss\n-------t1d0$"));
        talk.sends(&format!("MSRP t1d0 {code}\nTo-Path: {ROOM}\nFrom-Path: {to_path}\n-------t1d0$"));
    }
    talk.connection.is_not_elsewhere(&Uri::parse("msrp://alice.example.com:7654/bus1;tcp").unwrap());
    talk.gets(&from_room("t1d0", "SEND", "Message-ID: m3ss\n-------t1d0$").replace("jshA7weztas", "bus1"));
    assert!(String::from_utf8(talk.transmitted()).unwrap().starts_with("MSRP t1d0 481"));
}

// CONFORMANCE 4975-100, 4975-103, 4975-104
#[test]
fn chunks_come_in_any_order_and_of_two_messages() {
    let (mut talk, session) = Talk::bound(Settings::default());
    for (id, range, octets, flag) in [
        ("m3ssA", "1-3/9", "abc", '+'),
        ("m3ssB", "1-2/*", "12", '+'),
        ("m3ssA", "7-9/9", "ghi", '$'),
        ("m3ssB", "3-4/4", "34", '$'),
        ("m3ssA", "4-6/9", "def", '+'),
    ] {
        let rest = format!("Message-ID: {id}\nByte-Range: {range}\nContent-Type: a/b\n\n{octets}\n-------t1d0{flag}");
        talk.gets(&from_room("t1d0", "SEND", &rest));
        assert!(talk.transmitted().starts_with(b"MSRP t1d0 200 OK"));
    }
    let message = |id: &str, octets: &str| Event::Message {
        session,
        message_id: id.to_owned(),
        content_type: "a/b".to_owned(),
        octets: octets.as_bytes().to_vec(),
        repeated: false,
    };
    assert_eq!(talk.events(), [message("m3ssB", "1234"), message("m3ssA", "abcdefghi")]);
}

// CONFORMANCE 4975-023, 4975-024, 4975-025
#[test]
fn a_message_that_comes_again_is_told_as_repeated_and_still_reported_on() {
    let (mut talk, _) = Talk::bound(Settings::default());
    let rest = "Message-ID: m3ss\nSuccess-Report: yes\nContent-Type: a/b\n\nx\n-------t1d0$";
    for expected in [false, true, true] {
        talk.gets(&from_room("t1d0", "SEND", rest));
        assert!(String::from_utf8(talk.transmitted()).unwrap().contains(" REPORT\r\n"));
        let events = talk.events();
        assert!(matches!(&events[..], [Event::Message { repeated, .. }] if *repeated == expected), "{events:?}");
    }
}

#[test]
fn only_the_last_messages_are_remembered() {
    let (mut talk, _) = Talk::bound(Settings::default());
    let mut comes = |n: usize| {
        let rest = format!("Message-ID: m{n:04}\nContent-Type: a/b\n\nx\n-------t1d0$");
        talk.gets(&from_room("t1d0", "SEND", &rest));
        talk.transmitted();
        matches!(&talk.events()[..], [Event::Message { repeated: true, .. }])
    };
    assert!((0..257).all(|n| !comes(n)));
    assert!(comes(1) && comes(256));
    assert!(!comes(0), "257 messages ago");
}

#[test]
fn a_chunk_that_comes_after_its_message_was_whole_opens_no_new_one() {
    let gathered = Bounds { messages: 1, message_octets: 100, octets: 100 };
    let (mut talk, _) = Talk::bound(Settings { gathered, ..Settings::default() });
    for (id, range, flag) in
        [("m3ss", "1-1/2", '+'), ("m3ss", "2-2/2", '$'), ("m3ss", "2-2/2", '+'), ("n3xt", "1-1/1", '$')]
    {
        let rest = format!("Message-ID: {id}\nByte-Range: {range}\nContent-Type: a/b\n\nx\n-------t1d0{flag}");
        talk.gets(&from_room("t1d0", "SEND", &rest));
        assert!(talk.transmitted().starts_with(b"MSRP t1d0 200"), "{id} {range}");
    }
    assert_eq!(talk.events().len(), 2);
}

// CONFORMANCE 4975-105
#[test]
fn a_type_that_is_not_accepted_gets_415() {
    let mut talk = Talk::new(Settings::default());
    let accept_types = ["message/cpim", "Text/*"].map(str::to_owned).to_vec();
    talk.connection.open(talk.now, Terms { accept_types, ..terms(ALICE, ROOM, Role::Passive) });
    for (content_type, code) in
        [("Message/CPIM", 200), ("text/html;charset=utf-8", 200), ("image/png", 415), ("texts/plain", 415)]
    {
        let rest = format!("Message-ID: m3ss\nContent-Type: {content_type}\n\nx\n-------t1d0$");
        talk.gets(&from_room("t1d0", "SEND", &rest));
        let sent = String::from_utf8(talk.transmitted()).unwrap();
        assert!(sent.starts_with(&format!("MSRP t1d0 {code}")), "{content_type}: {sent}");
    }
}

// CONFORMANCE 4975-143
#[test]
fn a_message_that_is_too_large_gets_413_while_it_still_comes() {
    let gathered = Bounds { messages: 4, message_octets: 10, octets: 20 };
    let (mut talk, _) = Talk::bound(Settings { gathered, ..Settings::default() });
    talk.gets(&from_room("t1d0", "SEND", "Message-ID: m3ss\nByte-Range: 1-*/*\nContent-Type: a/b\n\n12345678901\n"));
    assert!(talk.transmitted().starts_with(b"MSRP t1d0 413"));
    talk.gets("the rest of it\n-------t1d0$");
    talk.sends_nothing();
    talk.gets(&from_room("t2d0", "SEND", "Message-ID: m3st\nByte-Range: 1-*/11\nContent-Type: a/b\n\n1\n-------t2d0+"));
    assert!(talk.transmitted().starts_with(b"MSRP t2d0 413"), "by what it says of itself");
    assert_eq!(talk.events(), []);
}

// CONFORMANCE 4975-148, 4975-149, 4975-146, 4975-005
#[test]
fn other_methods_get_501_and_reports_get_nothing() {
    let (mut talk, _) = Talk::bound(Settings::default());
    for (frame, answer) in [
        ("FOO\n-------t1d0$", Some("501 Unknown Method")),
        ("AUTH\nX-Unknown: x\n-------t1d0$", Some("501 Unknown Method")),
        ("NICKNAME\nUse-Nickname: \"x\"\n-------t1d0$", Some("501 Unknown Method")),
        ("NICKNAME\nUse-Nickname: \"x\"\n-------t1d0+", Some("400 Bad Request")),
        ("FOO\nFailure-Report: no\n-------t1d0$", Some("501 Unknown Method")),
        // CONFORMANCE 4975-074, 4975-076, 4975-077, 4975-057
        ("REPORT\nMessage-ID: n0ne\nStatus: 000 200 OK\n-------t1d0$", None),
        ("REPORT\nMessage-ID: n0ne\n-------t1d0$", None),
        ("REPORT\nStatus: 000 200 OK\n-------t1d0$", None),
        ("REPORT\nMessage-ID: n0ne\nStatus: nonsense\n-------t1d0$", None),
    ] {
        let (method, rest) = frame.split_once('\n').unwrap();
        talk.gets(&from_room("t1d0", method, rest));
        match answer {
            Some(answer) => {
                talk.sends(&format!("MSRP t1d0 {answer}\nTo-Path: {ROOM}\nFrom-Path: {ALICE}\n-------t1d0$"))
            }
            None => talk.sends_nothing(),
        }
        // And to a session that is not there.
        talk.gets(&from_room("t1d0", method, rest).replace("jshA7weztas", "other"));
        let sent = talk.transmitted();
        assert_eq!(sent.is_empty(), answer.is_none(), "{frame}");
        talk.connection.handle_timeout(talk.now);
    }
}

// CONFORMANCE 4975-141
#[test]
fn a_malformed_request_gets_400_and_the_connection_stays() {
    let (mut talk, _) = Talk::bound(Settings::default());
    talk.gets(&from_room("t1d0", "SEND", "Message-ID: m3ss\nByte-Range: 0-1/1\nContent-Type: a/b\n\nx\n-------t1d0$"));
    talk.sends(&format!("MSRP t1d0 400 Bad Request\nTo-Path: {ROOM}\nFrom-Path: {ALICE}\n-------t1d0$"));
    // A chunk without Message-ID is well-formed, but belongs nowhere.
    talk.gets(&from_room("t1d0", "SEND", "Content-Type: a/b\n\nx\n-------t1d0$"));
    talk.sends(&format!("MSRP t1d0 400 Bad Request\nTo-Path: {ROOM}\nFrom-Path: {ALICE}\n-------t1d0$"));
    talk.gets(&from_room("t1d0", "SEND", "Failure-Report: no\nByte-Range: 0-1/1\n-------t1d0$"));
    talk.gets(&from_room("t1d0", "REPORT", "Byte-Range: 0-1/1\n-------t1d0$"));
    talk.gets(&from_room("t1d0", "200 OK", "Byte-Range: 0-1/1\n-------t1d0$"));
    talk.sends_nothing();
    assert_eq!(talk.events(), []);
}

// CONFORMANCE 7701-116, 7701-095, 7701-093
#[test]
fn the_nickname_flow_of_rfc_7701() {
    let (mut talk, session) = Talk::bound(Settings::default());
    for (nickname, quoted, answer) in [
        ("Alice the great", "\"Alice the great\"", "425 Nickname reserved or already in use"),
        ("Alice \"in\" Wonder\\land", "\"Alice \\\"in\\\" Wonder\\\\land\"", "200 OK"),
        ("", "\"\"", "200"),
    ] {
        let name = &answer[..3].replace("200", if nickname.is_empty() { "gone" } else { "kept" });
        talk.connection.set_nickname(session, nickname).unwrap();
        talk.sends(&format!(
            "MSRP {{{name}}} NICKNAME\nTo-Path: {ROOM}\nFrom-Path: {ALICE}\nUse-Nickname: {quoted}\n-------{{{name}}}$"
        ));
        talk.gets(&response(&format!("{{{name}}}"), answer));
        let code = answer[..3].parse().unwrap();
        assert_eq!(talk.events(), [Event::Nickname { session, nickname: nickname.to_owned(), code }]);
    }
    talk.connection.set_nickname(session, "x").unwrap();
    talk.transmitted();
    talk.passes(seconds(30));
    assert_eq!(talk.events(), [Event::Nickname { session, nickname: "x".to_owned(), code: 408 }]);
}

// CONFORMANCE 4975-071, 4975-079, 4975-080
#[test]
fn a_message_is_delivered_once_reports_cover_it() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let wanted = Message { success_report: true, ..text("0123456789") };
    let message_id = talk.connection.send(session, wanted).unwrap();
    talk.answers(200);
    assert_eq!(talk.events(), [Event::Accepted { session, message_id: message_id.clone() }]);
    let mut report = |range: &str, status: &str| {
        let header = format!("Message-ID: {message_id}\nByte-Range: {range}\nStatus: {status}\n-------t1d0$");
        talk.gets(&from_room("t1d0", "REPORT", &header));
        talk.sends_nothing();
        talk.events()
    };
    assert_eq!(report("7-9/10", "001 200").len(), 0, "of another namespace: CONFORMANCE 4975-108");
    assert_eq!(report("7-9/10", "000 200 OK").len(), 1);
    assert_eq!(report("1-4/10", "000 200").len(), 1);
    assert_eq!(report("4-6/10", "000 200 OK").len(), 1);
    let last = report("10-10/10", "000 200 OK");
    assert_eq!(last[1..], [Event::Delivered { session, message_id: message_id.clone() }]);
    assert_eq!(report("1-10/10", "000 200 OK").len(), 1, "only once");
    assert!(talk.connection.close(session).is_empty());
}

// CONFORMANCE 4975-108, 4975-110, 4975-142
#[test]
fn a_failure_that_is_reported_late_counts_as_one_that_is_answered() {
    for (status, range, code, reason) in [
        ("000 413 Too large", "1-5/5", 413, None),
        ("000 481", "1-5/5", 481, Some(Reason::Refused(481))),
        ("000 408", "1-5/5", 408, Some(Reason::NotReceived)),
    ] {
        let (mut talk, session) = Talk::bound(Settings::default());
        let message_id = talk.connection.send(session, text("hello")).unwrap();
        talk.transmitted();
        let report = format!("Message-ID: {message_id}\nByte-Range: {range}\nStatus: {status}\n-------t1d0$");
        talk.gets(&from_room("t1d0", "REPORT", &report));
        let byte_range = ByteRange::parse(range).ok();
        let mut expected = vec![
            Event::Report { session, message_id: message_id.clone(), code, byte_range, content: None },
            Event::Failed { session, message_id, code },
        ];
        expected.extend(reason.map(|reason| Event::Closed { session, reason, unconfirmed: vec![] }));
        assert_eq!(talk.events(), expected);
    }
}

#[test]
fn a_report_with_a_body_comes_whole() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let rest = "Message-ID: m3ss\nStatus: 000 404 Not found\nContent-Type: message/cpim\n\nTo: <sip:a@b>\n-------t1d0$";
    talk.gets(&from_room("t1d0", "REPORT", rest));
    let content = Some(("message/cpim".to_owned(), b"To: <sip:a@b>".to_vec()));
    let message_id = "m3ss".to_owned();
    assert_eq!(talk.events(), [Event::Report { session, message_id, code: 404, byte_range: None, content }]);
}

#[test]
fn an_unfinished_message_is_forgotten_after_the_chunk_timer() {
    let gathered = Bounds { messages: 1, message_octets: 100, octets: 100 };
    let settings = Settings { gathered, chunk_timer: seconds(540), ..Settings::default() };
    let (mut talk, _) = Talk::bound(settings);
    let chunk =
        |id: &str, flag| format!("Message-ID: {id}\nByte-Range: 1-1/2\nContent-Type: a/b\n\nx\n-------t1d0{flag}");
    talk.gets(&from_room("t1d0", "SEND", &chunk("m3ss1", '+')));
    assert!(talk.transmitted().starts_with(b"MSRP t1d0 200"));
    talk.gets(&from_room("t1d0", "SEND", &chunk("m3ss2", '$')));
    assert!(talk.transmitted().starts_with(b"MSRP t1d0 413"), "one is open already");
    assert_eq!(talk.deadline(), Some(seconds(540)));
    talk.passes(seconds(540));
    talk.gets(&from_room("t1d0", "SEND", &chunk("m3ss2", '$')));
    assert!(talk.transmitted().starts_with(b"MSRP t1d0 200"));
}

// CONFORMANCE 4975-022, 4975-063
#[test]
fn malformed_messages_are_not_sent() {
    let (mut talk, session) = Talk::bound(Settings::default());
    for message in [
        Message::new("text", vec![]),
        Message::new("text/plain\r\nTo-Path: x", vec![]),
        Message { message_id: Some("a b".to_owned()), ..text("") },
        Message { message_id: Some("abc".to_owned()), ..text("") },
    ] {
        assert_eq!(talk.connection.send(session, message), Err(SendError::Malformed));
    }
    let again = Message { message_id: Some("0ld-1d".to_owned()), ..text("") };
    assert_eq!(talk.connection.send(session, again), Ok("0ld-1d".to_owned()));
    talk.sends(&format!(
        "MSRP {{t}} SEND\nTo-Path: {ROOM}\nFrom-Path: {ALICE}\nMessage-ID: 0ld-1d\nByte-Range: 1-0/0\nContent-Type: text/plain\n\n\n-------{{t}}$"
    ));
}
