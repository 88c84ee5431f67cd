//! How an endpoint's sessions begin and end.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod support;

use msrp::connection::Settings;
use msrp::session::{Event, Message, Reason, Role, SendError};
use support::{ALICE, ROOM, Talk, seconds, terms, text};

fn passive() -> (Talk, msrp::session::SessionId) {
    let mut talk = Talk::new(Settings::default());
    let session = talk.connection.open(talk.now, terms(ALICE, ROOM, Role::Passive));
    (talk, session)
}

fn keep_alive(every: u64) -> Settings {
    Settings { keep_alive: Some(seconds(every)), ..Settings::default() }
}

/// A frame from the room with these lines behind the paths.
fn from_room(transaction: &str, what: &str, rest: &str) -> String {
    format!("MSRP {transaction} {what}\nTo-Path: {ALICE}\nFrom-Path: {ROOM}\n{rest}")
}

fn response(transaction: &str, code: &str) -> String {
    from_room(transaction, code, &format!("-------{transaction}$"))
}

// CONFORMANCE 4975-010, 4975-042, 4975-046
#[test]
fn an_active_session_is_bound_by_an_empty_send_and_holds_content_until_it_is_answered() {
    let mut talk = Talk::new(Settings::default());
    let session = talk.connection.open(talk.now, terms(ALICE, ROOM, Role::Active));
    let message_id = talk.connection.send(session, text("hello")).unwrap();
    talk.sends(&format!(
        "MSRP {{bind}} SEND
         To-Path: {ROOM}
         From-Path: {ALICE}
         Message-ID: {{id}}
         -------{{bind}}$"
    ));
    talk.gets(&response("{bind}", "200 OK"));
    talk.sends(&format!(
        "MSRP {{first}} SEND
         To-Path: {ROOM}
         From-Path: {ALICE}
         Message-ID: {message_id}
         Byte-Range: 1-5/5
         Content-Type: text/plain

         hello
         -------{{first}}$"
    ));
    talk.gets(&response("{first}", "200 OK"));
    assert_eq!(talk.events(), [Event::Bound { session }, Event::Accepted { session, message_id }]);
    assert_eq!(talk.deadline(), None);
}

// CONFORMANCE 4975-015, 4975-016
#[test]
fn a_passive_session_sends_nothing_before_the_first_request() {
    let (mut talk, session) = passive();
    talk.connection.send(session, text("hello")).unwrap();
    talk.sends_nothing();
    talk.gets(&from_room("b1nd", "SEND", "Message-ID: m3ss\n-------b1nd$"));
    talk.sends(&format!(
        "MSRP b1nd 200 OK
         To-Path: {ROOM}
         From-Path: {ALICE}
         -------b1nd$
         MSRP {{t}} SEND
         To-Path: {ROOM}
         From-Path: {ALICE}
         Message-ID: {{m}}
         Byte-Range: 1-5/5
         Content-Type: text/plain

         hello
         -------{{t}}$"
    ));
    assert_eq!(talk.events(), [Event::Bound { session }]);
}

#[test]
fn a_session_that_nobody_binds_ends_after_30_seconds() {
    let (mut talk, session) = passive();
    let waits = talk.connection.send(session, text("hello")).unwrap();
    assert_eq!(talk.deadline(), Some(seconds(30)));
    talk.passes(seconds(29));
    assert_eq!(talk.events(), []);
    talk.passes(seconds(1));
    let closed = Event::Closed { session, reason: Reason::NotBound, unconfirmed: vec![waits] };
    assert_eq!(talk.events(), [closed]);

    let mut talk = Talk::new(Settings::default());
    let session = talk.connection.open(talk.now, terms(ALICE, ROOM, Role::Active));
    talk.transmitted();
    talk.passes(seconds(30));
    assert_eq!(talk.events(), [Event::Closed { session, reason: Reason::NotBound, unconfirmed: vec![] }]);
}

// CONFORMANCE 4975-018, 4975-145, 4975-147
#[test]
fn a_bind_that_is_refused_ends_the_session() {
    for code in [481, 506, 403, 400] {
        let mut talk = Talk::new(Settings::default());
        let session = talk.connection.open(talk.now, terms(ALICE, ROOM, Role::Active));
        talk.answers(code);
        assert_eq!(talk.events(), [Event::Closed { session, reason: Reason::Refused(code), unconfirmed: vec![] }]);
    }
}

// THREATS T1
#[test]
fn t1_who_guesses_at_sessions_loses_the_connection() {
    let (mut talk, session) = Talk::bound(Settings { misses: 20, ..Settings::default() });
    for guess in 0..21 {
        assert!(!talk.closed);
        let frame = from_room("t1d0", "SEND", "Message-ID: m3ss\n-------t1d0$");
        talk.gets(&frame.replace("jshA7weztas", &format!("guess{guess}")));
        let sent = talk.transmitted();
        assert!(sent.starts_with(b"MSRP t1d0 481"));
    }
    assert_eq!(talk.events(), [Event::Closed { session, reason: Reason::Abuse, unconfirmed: vec![] }]);
    assert!(talk.closed);
}

#[test]
fn what_is_no_msrp_closes_the_connection() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let lost = talk.connection.send(session, text("hello")).unwrap();
    talk.transmitted();
    talk.gets("GET / HTTP/1.1");
    let reason = Reason::Protocol(msrp::parse::Fatal::NotMsrp);
    assert_eq!(talk.events(), [Event::Closed { session, reason, unconfirmed: vec![lost] }]);
    assert!(talk.closed);
    assert_eq!(talk.connection.send(session, text("x")), Err(SendError::NoSession));
    talk.gets(&from_room("t1d0", "SEND", "Message-ID: m3ss\n-------t1d0$"));
    talk.sends_nothing();
}

// CONFORMANCE 4975-020
#[test]
fn with_the_connection_all_its_sessions_fail() {
    let (mut talk, first) = Talk::bound(Settings::default());
    let other = "msrp://alice.example.com:7654/other;tcp";
    let second = talk.connection.open(talk.now, terms(other, ROOM, Role::Active));
    talk.answers(200);
    assert_eq!(talk.events(), [Event::Bound { session: second }]);
    talk.connection.handle_closed(talk.now);
    let closed = |session| Event::Closed { session, reason: Reason::Disconnected, unconfirmed: vec![] };
    assert_eq!(talk.events(), [closed(first), closed(second)]);
    assert_eq!(talk.connection.poll_timeout(), None);
}

#[test]
fn a_session_that_was_closed_answers_481() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let sent = talk.connection.send(session, text("sent")).unwrap();
    talk.transmitted();
    assert_eq!(talk.connection.close(session), [sent]);
    talk.gets(&from_room("t1d0", "SEND", "Message-ID: m3ss\n-------t1d0$"));
    talk.sends(&format!("MSRP t1d0 481 Session Does Not Exist\nTo-Path: {ROOM}\nFrom-Path: {ALICE}\n-------t1d0$"));
    assert_eq!(talk.events(), []);
    assert_eq!(talk.connection.set_nickname(session, "x"), Err(SendError::NoSession));
}

// CONFORMANCE 4975-053
#[test]
fn a_success_report_that_never_came_is_told_with_the_end() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let message_id = talk.connection.send(session, Message { success_report: true, ..text("x") }).unwrap();
    talk.answers(200);
    talk.connection.handle_closed(talk.now);
    let closed = Event::Closed { session, reason: Reason::Disconnected, unconfirmed: vec![message_id] };
    assert_eq!(talk.events().last(), Some(&closed));
}

#[test]
fn a_keep_alive_that_is_not_answered_ends_the_session() {
    let (mut talk, session) = Talk::bound(keep_alive(60));
    assert_eq!(talk.deadline(), Some(seconds(60)));
    talk.passes(seconds(60));
    talk.sends(&format!("MSRP {{k1}} SEND\nTo-Path: {ROOM}\nFrom-Path: {ALICE}\nMessage-ID: {{m1}}\n-------{{k1}}$"));
    talk.gets(&response("{k1}", "200 OK"));
    // Content shows as well that somebody is there.
    talk.connection.send(session, text("x")).unwrap();
    talk.answers(200);
    talk.passes(seconds(60));
    assert_eq!(talk.events().len(), 1);
    talk.passes(seconds(60));
    assert!(talk.transmitted().starts_with(b"MSRP "));
    talk.passes(seconds(30));
    assert_eq!(talk.events(), [Event::Closed { session, reason: Reason::Silent, unconfirmed: vec![] }]);
}

#[test]
fn a_keep_alive_that_cannot_even_leave_ends_the_session() {
    let (mut talk, session) = Talk::bound(keep_alive(60));
    talk.passes(seconds(60));
    assert!(talk.output().is_some(), "it never leaves");
    talk.passes(seconds(60));
    assert_eq!(talk.events(), [Event::Closed { session, reason: Reason::Silent, unconfirmed: vec![] }]);
}

#[test]
fn what_comes_while_its_session_is_closed_gets_481() {
    let (mut talk, session) = Talk::bound(Settings::default());
    talk.gets(&from_room("t1d0", "SEND", "Message-ID: m3ss\nContent-Type: a/b\n\nhalf\n"));
    talk.connection.close(session);
    talk.gets("of it\n-------t1d0$");
    assert!(talk.transmitted().starts_with(b"MSRP t1d0 481"));
    assert_eq!(talk.events(), []);
}

// CONFORMANCE 4975-027, 4975-122
#[test]
fn the_peer_may_have_another_path_after_a_later_offer() {
    let (mut talk, session) = Talk::bound(Settings::default());
    let path = "msrp://r.example.com:1/r;tcp msrp://chat.example.com:12763/n3w;tcp";
    assert!(talk.connection.set_peer(session, msrp::uri::Path::parse(path).unwrap()));
    talk.connection.send(session, text("x")).unwrap();
    assert!(String::from_utf8(talk.transmitted()).unwrap().contains(&format!("\r\nTo-Path: {path}\r\n")));
}

#[test]
fn a_session_on_a_connection_that_is_gone_ends_at_once() {
    let mut talk = Talk::new(Settings::default());
    talk.connection.handle_closed(talk.now);
    let session = talk.connection.open(talk.now, terms(ALICE, ROOM, Role::Active));
    assert_eq!(talk.events(), [Event::Closed { session, reason: Reason::Disconnected, unconfirmed: vec![] }]);
}
