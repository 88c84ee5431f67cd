//! INVITEs of a peer: RFC 3261 §13.3, §17.2.1, RFC 6026.

mod support;

use sip::{Answer, Refused};
use support::{ALICE, Bench, CONTACT, at, request};

// CONFORMANCE 3261-12.1.1-1, 3261-15.1.2-1.
#[test]
fn an_invite_is_accepted_acknowledged_and_ended_by_bye() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1));
    r.expect("event Request INVITE");
    let dialog = r.accept();
    r.expect("R: 200 INVITE");
    let ok = r.last_response();
    assert_eq!(ok.header("Contact"), Some(CONTACT));
    assert_eq!(ok.header("Via"), Some("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKINVITE1"));
    let tag = r.tag();
    r.a(request("ACK", 1).tagged(&tag));
    r.expect("event Acknowledged");
    let view = r.endpoint.dialog(dialog).unwrap();
    assert_eq!((view.call_id(), view.local_tag(), view.remote_tag()), ("call1", &*tag, "a1"));
    assert_eq!(view.remote_uri(), "sip:alice@example.com");
    assert_eq!(view.remote_target(), "sip:alice@192.0.2.1");
    r.a(request("BYE", 2).tagged(&tag));
    r.expect("R: 200 BYE\nevent Ended Bye");
    assert!(r.endpoint.dialog(dialog).is_none());
}

// CONFORMANCE 3261-17.2.1-1.
#[test]
fn a_100_follows_200_ms_after_an_invite_without_answer() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1).row("Timestamp", "54"));
    r.pass_ms(10_000);
    r.expect("0 event Request INVITE\n0.2 R: 100 INVITE");
    assert_eq!(r.last_response().header("To"), Some("<sip:room@example.com>"));
    assert_eq!(r.last_response().header("Timestamp"), Some("54"));
    r.a(request("INVITE", 1));
    r.expect("R: 100 INVITE");
}

// CONFORMANCE 3261-13.3.1.4-1, 6026-7.1-1.
#[test]
fn the_2xx_is_sent_until_its_ack_comes() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1));
    r.accept();
    r.pass_ms(13_000);
    r.expect(
        "0 event Request INVITE
         0 R: 200 INVITE
         0.5 R: 200 INVITE
         1.5 R: 200 INVITE
         3.5 R: 200 INVITE
         7.5 R: 200 INVITE
         11.5 R: 200 INVITE",
    );
    r.a(request("INVITE", 1));
    r.expect_silence();
    let tag = r.tag();
    r.a(request("ACK", 1).tagged(&tag));
    r.expect("event Acknowledged");
    r.a(request("ACK", 1).tagged(&tag));
    r.pass_ms(60_000);
    r.expect_silence();
}

// CONFORMANCE 3261-13.3.1.4-1, 3261-13.3.1.4-2.
#[test]
fn without_ack_the_dialog_ends_by_bye_after_32_s() {
    let mut r = Bench::tcp();
    r.a(request("INVITE", 1));
    r.accept();
    r.pass_ms(31_999);
    r.expect(
        "event Request INVITE
         R: 200 INVITE
         R: 200 INVITE
         R: 200 INVITE
         R: 200 INVITE
         R: 200 INVITE
         R: 200 INVITE
         R: 200 INVITE
         R: 200 INVITE
         R: 200 INVITE
         R: 200 INVITE
         R: 200 INVITE",
    );
    r.pass_ms(1);
    r.expect("32 R: BYE\n32 event Ended NoAck");
    r.a_answers("BYE", 200, &[]);
    r.expect_silence();
    assert_eq!(r.endpoint.counts().client_transactions, 0);
    r.pass_ms(64_000);
    assert_eq!(r.endpoint.counts().server_transactions, 0);
}

// CONFORMANCE 3261-17.2.1-2, 3261-17.2.1-3.
#[test]
fn a_refusal_is_sent_until_its_ack_comes() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1));
    r.respond(Answer::new(486));
    r.pass_ms(4_000);
    r.expect(
        "0 event Request INVITE
         0 R: 486 INVITE
         0.5 R: 486 INVITE
         1.5 R: 486 INVITE
         3.5 R: 486 INVITE",
    );
    r.a(request("INVITE", 1));
    r.expect("R: 486 INVITE");
    let tag = r.tag();
    r.a(request("ACK", 1).tagged(&tag).branch("z9hG4bKINVITE1"));
    r.pass_ms(4_000);
    r.a(request("INVITE", 1));
    r.expect_silence();
    r.pass_ms(1_000);
    assert_eq!(r.endpoint.counts().server_transactions, 0);
}

// CONFORMANCE 3261-17.2.1-2.
#[test]
fn a_refusal_without_ack_is_given_up_after_32_s() {
    let mut r = Bench::tcp();
    r.a(request("INVITE", 1));
    r.respond(Answer::new(486));
    r.pass_ms(31_999);
    r.expect("event Request INVITE\nR: 486 INVITE");
    assert_eq!(r.endpoint.counts().server_transactions, 1);
    r.pass_ms(1);
    r.expect_silence();
    assert_eq!(r.endpoint.counts().server_transactions, 0);
}

// CONFORMANCE 3261-9.2-1.
#[test]
fn cancel_gets_its_200_and_the_invite_its_487() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1));
    let transaction = r.transaction();
    r.a(request("CANCEL", 1).branch("z9hG4bKINVITE1"));
    r.expect(
        "event Request INVITE
         R: 200 CANCEL
         R: 487 INVITE
         event Cancelled",
    );
    assert_eq!(r.endpoint.accept(r.now, transaction, Answer::new(200).contact(CONTACT)), Err(Refused::NoTransaction));
    let tags: Vec<_> = r.sent.iter().map(|(_, message)| format!("{message:?}").matches("tag=").count()).collect();
    assert_eq!(tags, [2, 2]);
}

// CONFORMANCE 3261-9.2-2.
#[test]
fn cancel_after_the_2xx_changes_nothing() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1));
    r.accept();
    r.a(request("CANCEL", 1).branch("z9hG4bKINVITE1"));
    r.expect("event Request INVITE\nR: 200 INVITE\nR: 200 CANCEL");
}

// CONFORMANCE 3261-9.2-3, 3261-8.2.7-1.
#[test]
fn a_stray_cancel_gets_481_and_a_stray_ack_nothing() {
    let mut r = Bench::new();
    r.a(request("CANCEL", 1));
    r.expect("R: 481 CANCEL");
    r.a(request("ACK", 1).tagged("nobody"));
    r.expect_silence();
    assert_eq!(r.endpoint.counts().server_transactions, 0);
}

// CONFORMANCE 3261-26.3.2.4-1. THREATS T16.
#[test]
fn a_challenge_leaves_no_state() {
    let mut r = Bench::new();
    for _ in 0..2 {
        r.a(request("INVITE", 1));
        r.respond(Answer::new(401).header("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\""));
        r.expect("event Request INVITE\nR: 401 INVITE");
        assert_eq!(r.endpoint.counts().server_transactions, 0);
    }
    let tag = r.tag();
    r.a(request("ACK", 1).tagged(&tag).branch("z9hG4bKINVITE1"));
    r.pass_ms(60_000);
    r.expect_silence();
}

// CONFORMANCE 3261-15.1.2-1.
#[test]
fn the_caller_may_end_an_early_dialog_by_bye() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1));
    r.respond(Answer::new(180).contact(CONTACT));
    let tag = r.tag();
    r.a(request("BYE", 2).tagged(&tag));
    r.expect(
        "event Request INVITE
         R: 180 INVITE
         R: 200 BYE
         R: 487 INVITE
         event Cancelled",
    );
    assert_eq!(r.endpoint.counts().dialogs, 0);
}

// CONFORMANCE 3261-15-1.
#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1));
    let dialog = r.accept();
    r.bye(dialog);
    r.expect("event Request INVITE\nR: 200 INVITE");
    assert_eq!(r.endpoint.bye(r.now, dialog, None), Err(Refused::NoDialog));
    let tag = r.tag();
    r.a(request("ACK", 1).tagged(&tag));
    r.expect("R: BYE");
    r.a_answers("BYE", 200, &[]);
    r.expect("event Ended HungUp(Some(200))");
}

// CONFORMANCE 3261-15.1.1-1, 3261-15.1.2-1.
#[test]
fn byes_that_cross_both_get_their_200() {
    let mut r = Bench::new();
    let dialog = r.seated();
    let tag = r.endpoint.dialog(dialog).unwrap().local_tag().to_owned();
    r.bye(dialog);
    r.a(request("BYE", 2).tagged(&tag));
    r.expect("R: BYE\nR: 200 BYE\nevent Ended Bye");
    r.a_answers("BYE", 200, &[]);
    r.pass_ms(60_000);
    r.expect_silence();
}

// CONFORMANCE 3261-12.2.1.1-1, 3261-8.1.1-2, 3581-3-1, 3326-2-1.
#[test]
fn a_bye_of_ours_has_all_that_the_dialog_says() {
    let mut r = Bench::new();
    r.a(request("INVITE", 7).row("Record-Route", "<sip:p2.example.com;lr>, <sip:198.51.100.9;lr>"));
    let dialog = r.accept();
    let tag = r.tag();
    r.a(request("ACK", 7).tagged(&tag));
    r.endpoint.bye(r.now, dialog, Some("SIP;cause=200;text=\"Room closed\"")).unwrap();
    r.drain();
    let bye = r.last_request("BYE");
    let text = String::from_utf8(bye.encode()).unwrap();
    let branch = text.split("branch=").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
    let expected = format!(
        "BYE sip:alice@192.0.2.1 SIP/2.0
         Via: SIP/2.0/UDP 198.51.100.1:5060;branch={branch};rport
         Route: <sip:p2.example.com;lr>
         Route: <sip:198.51.100.9;lr>
         Max-Forwards: 70
         From: <sip:room@example.com>;tag={tag}
         To: <sip:alice@example.com>;tag=a1
         Call-ID: call1
         CSeq: 1 BYE
         Reason: SIP;cause=200;text=\"Room closed\"
         Content-Length: 0"
    );
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    assert_eq!(text.trim_end(), expected.join("\r\n"));
    // The first route is a name, and nobody resolves names here: where the peer was seen.
    assert_eq!(r.last_hop(), sip::Hop::Datagram { local: Some(at(support::LOCAL)), remote: at(ALICE) });
}

// CONFORMANCE 3261-13.3.1-1.
#[test]
fn an_invite_that_expires_is_taken_back() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1).row("Expires", "20"));
    r.pass_ms(30_000);
    r.expect(
        "0 event Request INVITE
         0.2 R: 100 INVITE
         20 R: 487 INVITE
         20 event Cancelled
         20.5 R: 487 INVITE
         21.5 R: 487 INVITE
         23.5 R: 487 INVITE
         27.5 R: 487 INVITE",
    );
}

// CONFORMANCE 3261-13.3.1.1-1.
#[test]
fn a_pending_invite_shows_every_minute_that_it_is_alive() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1));
    r.respond(Answer::new(182));
    r.pass_ms(150_000);
    r.expect(
        "0 event Request INVITE
         0 R: 182 INVITE
         60.2 R: 182 INVITE
         120.2 R: 182 INVITE",
    );
}
