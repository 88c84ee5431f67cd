//! Requests that are no INVITE, and what is refused whatever it is: RFC 3261 §8.2, §17.2.2, §17.1.2, RFC 4320.

mod support;

use sip::{Answer, Config, Limits, Method, Refused};
use support::{Bench, Draft, config, outgoing, request};

// CONFORMANCE 3261-11.2-1.
#[test]
fn options_is_answered_with_what_is_supported() {
    let mut config = config();
    config.agent = "tertulia".to_owned();
    config.supported = vec!["timer".to_owned()];
    config.capabilities = vec![("Allow-Events".to_owned(), "conference".to_owned())];
    let mut r = Bench::with(config);
    r.a(request("OPTIONS", 1));
    r.respond(Answer::new(200));
    r.expect("event Request OPTIONS\nR: 200 OPTIONS");
    let ok = r.last_response();
    let expected = [
        ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, SUBSCRIBE, REFER"),
        ("Supported", "timer"),
        ("Allow-Events", "conference"),
        ("Accept", "application/sdp"),
        ("Server", "tertulia"),
    ];
    for (name, value) in expected {
        assert_eq!(ok.header(name), Some(value), "{name}");
    }
}

// CONFORMANCE 3261-17.2.2-1.
#[test]
fn a_repeated_request_gets_the_same_answer_for_32_s() {
    let mut r = Bench::new();
    r.a(request("MESSAGE", 1));
    r.a(request("MESSAGE", 1));
    r.expect("event Request MESSAGE");
    r.respond(Answer::new(200));
    let answer = r.last_response();
    r.pass_ms(31_000);
    r.a(request("MESSAGE", 1));
    r.expect("R: 200 MESSAGE\nR: 200 MESSAGE");
    assert_eq!(r.last_response(), answer);
    r.pass_ms(1_000);
    assert_eq!(r.endpoint.counts().server_transactions, 0);
}

// CONFORMANCE 4320-4.1-1, 4320-4.2-1.
// THREATS CVE-2020-28327
#[test]
fn a_late_answer_is_not_sent() {
    // RFC 4320: a 100 when the peer's timer E has reached T2, nothing after its timer F.
    let mut r = Bench::new();
    r.a(request("OPTIONS", 1));
    r.pass_ms(40_000);
    r.expect("0 event Request OPTIONS\n3.5 R: 100 OPTIONS");
    let transaction = r.transaction();
    assert_eq!(r.endpoint.respond(r.now, transaction, Answer::new(200)), Err(Refused::NoTransaction));
    assert_eq!(r.endpoint.counts().server_transactions, 0);
}

// CONFORMANCE 4320-4.1-1, 4320-4.2-1, 3261-8.2.6.1-2.
#[test]
fn a_request_other_than_invite_gets_no_408_and_no_18x() {
    let mut r = Bench::new();
    r.a(request("OPTIONS", 1));
    let transaction = r.transaction();
    for code in [99, 100, 180, 408, 700] {
        assert!(matches!(r.endpoint.respond(r.now, transaction, Answer::new(code)), Err(Refused::Unfit(_))), "{code}");
    }
    r.expect("event Request OPTIONS");
}

// CONFORMANCE 3261-8.2.1-1, 3261-8.2.2.1-1, 3261-8.2.2.3-1, 3261-8.2.3-1, 3261-8.2.7-1.
#[test]
fn what_the_rules_refuse_never_reaches_the_user() {
    let sdp = |draft: Draft| draft.body("application/sdp", "v=0");
    // What is asked, the code, a row of the answer.
    let table: Vec<(Draft, u16, &str, Option<&str>)> = vec![
        (
            request("FOO", 1),
            405,
            "Allow",
            Some("INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, MESSAGE, SUBSCRIBE, REFER"),
        ),
        (request("invite", 1), 405, "Contact", None),
        (request("OPTIONS", 1).uri("unknown:thing"), 416, "Contact", None),
        (request("OPTIONS", 1).uri("tel:+15551234"), 416, "Contact", None),
        (request("INVITE", 1).row("Require", "timer, 100rel"), 420, "Unsupported", Some("timer, 100rel")),
        (request("INVITE", 1).body("application/pidf+xml", "<x/>"), 415, "Accept", Some("application/sdp")),
        (sdp(request("INVITE", 1)).row("Content-Encoding", "gzip"), 415, "Accept-Encoding", Some("identity")),
        (request("BYE", 1), 481, "Contact", None),
        (request("OPTIONS", 1).tagged("unknown"), 481, "Contact", None),
        (request("INVITE", 1).tagged("unknown"), 481, "Contact", None),
        (request("OPTIONS", 1).row("Max-Forwards", "300"), 400, "Contact", None),
    ];
    for (draft, code, name, value) in table {
        let mut r = Bench::new();
        r.a(draft.clone());
        let answer = r.last_response();
        assert_eq!((answer.code, answer.header(name)), (code, value));
        assert!(r.events.is_empty());
        assert_eq!(r.endpoint.counts().server_transactions, 0);
        // Asked again, the answer is the same to the octet, so it needs no state.
        r.a(draft);
        assert_eq!(r.last_response(), answer);
    }
}

// CONFORMANCE 3261-8.2.3-1.
#[test]
fn what_is_marked_as_optional_is_let_through() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1)
        .body("application/pidf+xml", "<x/>")
        .row("Content-Disposition", "render;handling=optional"));
    r.a(request("OPTIONS", 2).row("Max-Forwards", "0"));
    r.expect("event Request INVITE\nevent Request OPTIONS");
}

// CONFORMANCE 3261-8.2.2.3-1.
#[test]
fn an_ack_that_is_malformed_or_of_unknown_kind_gets_nothing() {
    let mut r = Bench::new();
    r.a(request("ACK", 1).row("Call-ID", "two words"));
    r.a(request("ACK", 1).row("Require", "foo"));
    r.a(request("ACK", 1).uri("foo:bar"));
    r.octets(b"\r\n\r\n".to_vec());
    r.octets(b"hello".to_vec());
    r.octets(b"SIP/2.0 200 OK\r\n\r\n".to_vec());
    r.octets(Vec::new());
    r.expect_silence();
}

// CONFORMANCE 3261-8.2.2.2-1.
#[test]
fn a_request_that_comes_on_two_ways_is_taken_once() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1));
    r.a(request("INVITE", 1).branch("z9hG4bKother"));
    r.expect("event Request INVITE\nR: 482 INVITE");
    r.respond(Answer::new(486));
    r.a(request("INVITE", 1).branch("z9hG4bKother"));
    r.expect("R: 486 INVITE\nR: 482 INVITE");
}

// CONFORMANCE 3261-21.5.4-1.
#[test]
fn a_full_table_answers_503_without_state() {
    let limits = Limits { server_transactions: 1, dialogs: 0, ..Limits::default() };
    let mut r = Bench::with(Config { limits, ..config() });
    r.a(request("INVITE", 1));
    r.expect("R: 503 INVITE");
    r.a(request("OPTIONS", 2));
    r.a(request("OPTIONS", 3));
    r.expect("event Request OPTIONS\nR: 503 OPTIONS");
    let wait: u32 = r.last_response().header("Retry-After").unwrap().parse().unwrap();
    assert!((5..15).contains(&wait));
    r.a(request("ACK", 4));
    r.expect_silence();
}

// CONFORMANCE 3261-17.2.3-1.
#[test]
fn requests_without_unique_branches_are_told_apart_all_the_same() {
    // RFC 2543 clients: the branch is missing, or the same for everything.
    for via in ["SIP/2.0/UDP 192.0.2.1", "SIP/2.0/UDP 192.0.2.1;branch=1"] {
        let mut r = Bench::new();
        r.a(request("INVITE", 1).row("Via", via));
        r.a(request("INVITE", 1).row("Via", via));
        r.expect("event Request INVITE");
        r.respond(Answer::new(486));
        let tag = r.tag();
        r.a(request("ACK", 1).row("Via", via).tagged(&tag));
        r.pass_ms(4_000);
        r.expect("R: 486 INVITE");
        r.a(request("INVITE", 2).row("Via", via));
        r.a(request("CANCEL", 2).row("Via", via));
        r.expect("event Request INVITE\nR: 200 CANCEL\nR: 487 INVITE\nevent Cancelled");
    }
}

// CONFORMANCE 3261-17.1.2.2-1.
#[test]
fn a_request_of_ours_is_sent_again_until_timer_f() {
    let mut r = Bench::new();
    r.request(outgoing(Method::OPTIONS));
    r.pass_ms(40_000);
    r.expect(
        "0 R: OPTIONS
         0.5 R: OPTIONS
         1.5 R: OPTIONS
         3.5 R: OPTIONS
         7.5 R: OPTIONS
         11.5 R: OPTIONS
         15.5 R: OPTIONS
         19.5 R: OPTIONS
         23.5 R: OPTIONS
         27.5 R: OPTIONS
         31.5 R: OPTIONS
         32 event Failed Timeout",
    );
}

// CONFORMANCE 3261-17.1.2.2-2, 3261-17.1.2.2-3.
#[test]
fn after_a_100_a_request_of_ours_is_sent_again_every_4_s() {
    let mut r = Bench::new();
    r.request(outgoing(Method::OPTIONS));
    r.a_answers("OPTIONS", 100, &[]);
    r.pass_ms(9_000);
    r.expect("0 R: OPTIONS\n0.5 R: OPTIONS\n4.5 R: OPTIONS\n8.5 R: OPTIONS");
    r.a_answers("OPTIONS", 200, &[]);
    r.a_answers("OPTIONS", 200, &[]);
    r.pass_ms(60_000);
    r.expect("9 event Answered 200");
}

// CONFORMANCE 3261-8.1.3.3-1.
#[test]
fn answers_that_are_not_for_us_are_nothing() {
    let mut r = Bench::new();
    r.request(outgoing(Method::OPTIONS));
    let via = r.last_request("OPTIONS").header("Via").unwrap().to_owned();
    r.expect("R: OPTIONS");
    let answer = |via: &str, cseq: &str| {
        format!("SIP/2.0 200 OK\nVia: {via}\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\nCall-ID: x\nCSeq: {cseq}")
    };
    r.a(answer(&format!("{via}, SIP/2.0/UDP other"), "1 OPTIONS"));
    r.a(answer(&via, "1 MESSAGE"));
    r.a(answer(&via, "1 CANCEL"));
    r.a(answer("SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKaaaaaaaaaaaaaaaaaaaa", "1 OPTIONS"));
    r.expect_silence();
    r.a(answer(&via, "1 OPTIONS"));
    r.expect("event Answered 200");
}

#[test]
fn what_the_user_hands_in_is_judged() {
    let mut r = Bench::new();
    let good = || outgoing(Method::OPTIONS);
    let mut unfit = vec![
        good().header("Via", "SIP/2.0/UDP x"),
        good().header("i", "another"),
        good().header("no token", "x"),
        sip::Outgoing { target: "nonsense".to_owned(), ..good() },
        sip::Outgoing { from: "<sip:a@b>;tag=1".to_owned(), ..good() },
        sip::Outgoing { call_id: Some("two words".to_owned()), ..good() },
        sip::Outgoing { cseq: u32::MAX, ..good() },
        outgoing(Method::INVITE).contact("x"),
        outgoing(Method::ACK),
        outgoing(Method::CANCEL),
    ];
    for outgoing in unfit.drain(..) {
        assert!(matches!(r.endpoint.request(r.now, outgoing.clone()), Err(Refused::Unfit(_))), "{outgoing:?}");
    }
    assert!(matches!(r.endpoint.invite(r.now, outgoing(Method::INVITE)), Err(Refused::Unfit(_))));
    r.expect_silence();
}

// CONFORMANCE 3261-21.5.4-1.
#[test]
fn what_transactions_hold_is_bounded_in_octets() {
    let mut config = config();
    config.limits.server_octets = 20_000;
    let mut r = Bench::with(config);
    for number in 1..200 {
        r.a(request("MESSAGE", number).body("application/sdp", &"x".repeat(2_000)));
        if !r.events.is_empty() {
            r.respond(Answer::new(200));
            r.events.clear();
        }
    }
    let answered = r
        .sent
        .iter()
        .filter(|(_, message)| matches!(message, sip::Message::Response(response) if response.code == 200));
    let answered = answered.count();
    assert!((30..100).contains(&answered), "{answered}");
    assert_eq!(r.last_response().code, 503);
    r.pass_ms(32_000);
    r.a(request("MESSAGE", 1000).body("application/sdp", "x"));
    assert_eq!(r.events.len(), 1);
}

// CONFORMANCE 3261-8.2.7-1. THREATS T16.
#[test]
fn who_has_proven_nothing_leaves_nothing() {
    for (method, code) in [("OPTIONS", 200), ("OPTIONS", 404), ("SUBSCRIBE", 401), ("MESSAGE", 501), ("INFO", 405)] {
        let mut r = Bench::new();
        for _ in 0..2 {
            r.a(request(method, 1));
            r.respond(Answer::new(code));
            r.expect(&format!("event Request {method}\nR: {code} {method}"));
        }
        assert_eq!((r.endpoint.counts(), r.endpoint.poll_timeout()), (sip::Counts::default(), None));
    }
}

// CONFORMANCE 3261-8.2.7-1. THREATS T16.
#[test]
fn strays_leave_nothing() {
    let mut r = Bench::new();
    for number in 1..=1_000 {
        r.a(request("ACK", number));
        r.a(request("CANCEL", number));
        r.a(request("BYE", number).tagged("nobody"));
        r.a(request("INFO", number).tagged("nobody"));
        r.a(request("FOO", number));
        r.a(request("OPTIONS", number).row("Require", "foo"));
        r.sent.clear();
    }
    assert_eq!((r.endpoint.counts(), r.endpoint.poll_timeout()), (sip::Counts::default(), None));
}
