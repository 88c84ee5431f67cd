//! INVITEs of the endpoint: RFC 3261 §13.2, §17.1.1, §9.1, RFC 6026.

mod support;

use sip::{Event, Method, Refused, Within};
use support::{Bench, CONTACT, outgoing, request};

const ALICE_CONTACT: (&str, &str) = ("Contact", "<sip:alice@192.0.2.1:5070>");

fn invite() -> sip::Outgoing {
    outgoing(Method::INVITE).contact(CONTACT)
}

// CONFORMANCE 3261-13.2.2.4-1, 3261-15.1.1-1.
#[test]
fn an_invite_is_accepted_and_acknowledged_and_the_dialog_is_hung_up() {
    let mut r = Bench::new();
    r.invite(invite());
    r.expect("R: INVITE");
    r.a_answers("INVITE", 100, &[]);
    r.a_answers("INVITE", 180, &[]);
    r.expect("event Provisional 180");
    r.a_answers("INVITE", 200, &[ALICE_CONTACT]);
    r.expect("R: ACK\nevent Accepted 200");
    let ack = r.last_request("ACK");
    assert_eq!((ack.uri.as_str(), ack.header("CSeq")), ("sip:alice@192.0.2.1:5070", Some("1 ACK")));
    assert_eq!(ack.header("To"), Some("<sip:alice@example.com>;tag=peer"));
    let Some(Event::Accepted { dialog, .. }) = r.events.pop_back() else { panic!() };
    r.bye(dialog);
    assert_eq!(r.last_request("BYE").header("CSeq"), Some("2 BYE"));
    r.a_answers("BYE", 200, &[]);
    r.expect("R: BYE\nevent Ended HungUp(Some(200))");
}

// CONFORMANCE 3261-17.1.1.2-1, 3261-8.1.3.1-1.
#[test]
fn an_invite_is_sent_again_with_growing_intervals_until_timer_b() {
    let mut r = Bench::new();
    r.invite(invite());
    r.pass_ms(40_000);
    r.expect(
        "0 R: INVITE
         0.5 R: INVITE
         1.5 R: INVITE
         3.5 R: INVITE
         7.5 R: INVITE
         15.5 R: INVITE
         31.5 R: INVITE
         32 event Failed Timeout",
    );
    assert_eq!(r.endpoint.counts().client_transactions, 0);
}

// CONFORMANCE 3261-17.1.1.2-2.
#[test]
fn a_provisional_response_ends_the_repetitions() {
    let mut r = Bench::new();
    r.invite(invite());
    r.a_answers("INVITE", 100, &[]);
    r.pass_ms(120_000);
    r.expect("R: INVITE");
}

// CONFORMANCE 3261-13.2.2.4-1, 6026-7.2-1.
#[test]
fn each_repeated_2xx_gets_the_same_ack() {
    let mut r = Bench::new();
    r.invite(invite());
    r.a_answers("INVITE", 200, &[ALICE_CONTACT]);
    let ack = r.last_request("ACK");
    r.expect("R: INVITE\nR: ACK\nevent Accepted 200");
    r.pass_ms(500);
    r.a_answers("INVITE", 200, &[ALICE_CONTACT]);
    r.expect("R: ACK");
    assert_eq!(r.last_request("ACK"), ack);
    r.pass_ms(32_000);
    assert_eq!(r.endpoint.counts().client_transactions, 0);
    r.a_answers("INVITE", 200, &[ALICE_CONTACT]);
    r.expect_silence();
}

// CONFORMANCE 3261-17.1.1.2-3, 3261-17.1.1.3-1.
#[test]
fn a_refusal_is_acknowledged_each_time_it_comes() {
    let mut r = Bench::new();
    r.invite(invite());
    let invite = r.last_request("INVITE");
    r.a_answers("INVITE", 603, &[]);
    r.expect("R: INVITE\nR: ACK\nevent Answered 603");
    let ack = r.last_request("ACK");
    assert_eq!((ack.header("Via"), &ack.uri), (invite.header("Via"), &invite.uri));
    assert_eq!(ack.header("To"), Some("<sip:alice@example.com>;tag=peer"));
    r.pass_ms(31_999);
    r.a_answers("INVITE", 603, &[]);
    r.expect("R: ACK");
    r.pass_ms(1);
    r.a_answers("INVITE", 603, &[]);
    r.expect_silence();
}

// CONFORMANCE 3261-13.2.2.4-2.
#[test]
fn of_two_peers_that_accept_the_second_is_hung_up() {
    let mut r = Bench::new();
    r.invite(invite());
    r.a_answers_as("one", "INVITE", 200, &[ALICE_CONTACT]);
    r.expect("R: INVITE\nR: ACK\nevent Accepted 200");
    r.a_answers_as("two", "INVITE", 200, &[("Contact", "<sip:alice@192.0.2.1:5080>")]);
    r.expect("R: ACK\nR: BYE");
    let bye = r.last_request("BYE");
    assert_eq!(
        (bye.uri.as_str(), bye.header("To")),
        ("sip:alice@192.0.2.1:5080", Some("<sip:alice@example.com>;tag=two"))
    );
    r.a_answers_as("two", "BYE", 200, &[]);
    r.a_answers_as("two", "INVITE", 200, &[("Contact", "<sip:alice@192.0.2.1:5080>")]);
    r.expect("R: ACK");
    assert_eq!(r.endpoint.counts().dialogs, 1);
}

// CONFORMANCE 3261-9.1-1, 3261-9.1-2.
#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut r = Bench::new();
    let client = r.invite(invite());
    r.endpoint.cancel(r.now, client).unwrap();
    r.drain();
    r.expect("R: INVITE");
    r.a_answers("INVITE", 100, &[]);
    r.expect("R: CANCEL");
    let (invite, cancel) = (r.last_request("INVITE"), r.last_request("CANCEL"));
    for name in ["Via", "From", "To", "Call-ID", "Max-Forwards"] {
        assert_eq!(cancel.header(name), invite.header(name), "{name}");
    }
    assert_eq!((cancel.header("CSeq"), &cancel.uri), (Some("1 CANCEL"), &invite.uri));
    r.a_answers("CANCEL", 200, &[]);
    r.a_answers("INVITE", 487, &[]);
    r.expect("R: ACK\nevent Answered 487");
    assert_eq!(r.endpoint.cancel(r.now, client), Err(Refused::NoRequest));
}

#[test]
fn a_2xx_that_crosses_the_cancel_is_hung_up() {
    let mut r = Bench::new();
    let client = r.invite(invite());
    r.a_answers("INVITE", 180, &[]);
    r.endpoint.cancel(r.now, client).unwrap();
    r.a_answers("INVITE", 200, &[ALICE_CONTACT]);
    r.expect(
        "R: INVITE
         event Provisional 180
         R: CANCEL
         R: ACK
         R: BYE
         event Failed Cancelled",
    );
    assert_eq!(r.endpoint.counts().dialogs, 0);
}

// CONFORMANCE 3261-9.1-3.
#[test]
fn a_cancelled_invite_without_answer_is_given_up() {
    let mut r = Bench::new();
    let client = r.invite(invite());
    r.a_answers("INVITE", 180, &[]);
    r.pass_ms(100_000);
    r.endpoint.cancel(r.now, client).unwrap();
    r.drain();
    r.a_answers("CANCEL", 200, &[]);
    r.pass_ms(33_000);
    r.expect(
        "0 R: INVITE
         0 event Provisional 180
         100 R: CANCEL
         132 event Failed Cancelled",
    );
    assert_eq!(r.endpoint.counts(), sip::Counts::default());
}

// CONFORMANCE 3261-12.1.2-1.
#[test]
fn requests_in_a_called_dialog_go_by_the_route_set_in_reverse() {
    let mut r = Bench::new();
    r.invite(invite());
    let rows = [ALICE_CONTACT, ("Record-Route", "<sip:192.0.2.9;lr>, <sip:192.0.2.8:5070;lr>")];
    r.a_answers("INVITE", 200, &rows);
    let ack = r.last_request("ACK");
    assert_eq!(ack.headers("Route").collect::<Vec<_>>(), ["<sip:192.0.2.8:5070;lr>", "<sip:192.0.2.9;lr>"]);
    assert_eq!(r.last_hop(), sip::Hop::Datagram { local: None, remote: support::at("192.0.2.8:5070") });
}

// CONFORMANCE 3261-12.2.1.1-2.
#[test]
fn a_strict_router_is_the_request_uri() {
    let mut r = Bench::new();
    r.invite(invite());
    let rows = [ALICE_CONTACT, ("Record-Route", "<sip:192.0.2.9;lr>"), ("Record-Route", "<sip:192.0.2.8>")];
    r.a_answers("INVITE", 200, &rows);
    let ack = r.last_request("ACK");
    assert_eq!(ack.uri, "sip:192.0.2.8");
    assert_eq!(ack.headers("Route").collect::<Vec<_>>(), ["<sip:192.0.2.9;lr>", "<sip:alice@192.0.2.1:5070>"]);
}

// CONFORMANCE 3261-12.2.1.2-1, 3261-14.1-1, 3261-14.2-2.
#[test]
fn a_re_invite_refreshes_the_target_and_excludes_another() {
    let mut r = Bench::new();
    let dialog = r.called();
    r.endpoint.request_within(r.now, dialog, Within::new(Method::INVITE)).unwrap();
    r.drain();
    r.expect("R: INVITE");
    assert_eq!(r.last_request("INVITE").header("Contact"), Some(CONTACT));
    assert_eq!(r.endpoint.request_within(r.now, dialog, Within::new(Method::INVITE)), Err(Refused::Pending));
    let tag = r.endpoint.dialog(dialog).unwrap().local_tag().to_owned();
    r.a(request("INVITE", 8)
        .row("From", "<sip:alice@example.com>;tag=peer")
        .row("Call-ID", &call_id(&r, dialog))
        .tagged(&tag));
    r.expect("R: 491 INVITE");
    r.a_answers("INVITE", 200, &[("Contact", "<sip:alice@192.0.2.77>")]);
    r.expect("R: ACK\nevent Accepted 200");
    assert_eq!(r.last_request("ACK").uri, "sip:alice@192.0.2.77");
    assert_eq!(r.endpoint.dialog(dialog).unwrap().remote_target(), "sip:alice@192.0.2.77");
}

fn call_id(r: &Bench, dialog: sip::DialogId) -> String {
    r.endpoint.dialog(dialog).expect("the dialog is there").call_id().to_owned()
}

// CONFORMANCE 3261-12.2.1.2-2, 5057-5.1-1.
#[test]
fn a_request_that_a_dialog_does_not_know_any_more_ends_it() {
    for code in [481, 408] {
        let mut r = Bench::new();
        let dialog = r.called();
        r.endpoint.request_within(r.now, dialog, Within::new(Method::INFO)).unwrap();
        r.drain();
        r.a_answers("INFO", code, &[]);
        r.expect(&format!("R: INFO\nevent Answered {code}\nR: BYE\nevent Ended PeerGone"));
    }
}

// CONFORMANCE 3261-13.2.2.4-3.
#[test]
fn an_offer_in_the_2xx_is_answered_in_the_ack() {
    let mut r = Bench::new();
    r.invite(invite());
    let offer = |r: &mut Bench| {
        let mut response = sip::Response::to(&r.last_request("INVITE"), 200, Some("peer"));
        response.headers.push("Contact", "<sip:alice@192.0.2.1>");
        response.headers.push("Content-Type", "application/sdp");
        response.body = b"v=0".to_vec();
        r.octets(response.encode());
    };
    offer(&mut r);
    offer(&mut r);
    r.expect("R: INVITE\nevent Accepted 200");
    let Some(Event::Accepted { dialog, .. }) = r.events.pop_back() else { panic!() };
    assert_eq!(r.endpoint.request_within(r.now, dialog, Within::new(Method::INVITE)), Err(Refused::Pending));
    let answer = || sip::Body { content_type: "application/sdp".to_owned(), octets: b"v=0 answer".to_vec() };
    r.endpoint.acknowledge(dialog, answer()).unwrap();
    r.drain();
    r.expect("R: ACK");
    assert_eq!(r.last_request("ACK").body, b"v=0 answer");
    offer(&mut r);
    r.expect("R: ACK");
    assert_eq!(r.last_request("ACK").body, b"v=0 answer");
    assert_eq!(r.endpoint.acknowledge(dialog, answer()), Err(Refused::NoDialog));
}

#[test]
fn hanging_up_on_an_offer_acknowledges_it_first() {
    let mut r = Bench::new();
    r.invite(invite());
    let mut response = sip::Response::to(&r.last_request("INVITE"), 200, Some("peer"));
    response.headers.push("Contact", "<sip:alice@192.0.2.1>");
    response.headers.push("Content-Type", "application/sdp");
    response.body = b"v=0".to_vec();
    r.octets(response.encode());
    let Some(Event::Accepted { dialog, .. }) = r.events.pop_back() else { panic!() };
    r.bye(dialog);
    r.expect("R: INVITE\nevent Accepted 200\nR: ACK\nR: BYE");
}

// CONFORMANCE 3261-12.1.2-2, 3261-13.2.2.4-2.
#[test]
fn a_peer_that_forks_without_end_does_not_fill_the_tables() {
    let mut r = Bench::new();
    r.invite(invite());
    for number in 0..100 {
        r.a_answers_as(&format!("t{number}"), "INVITE", 180, &[ALICE_CONTACT]);
    }
    assert_eq!(r.endpoint.counts().dialogs, 16);
    for number in 0..100 {
        r.a_answers_as(&format!("t{number}"), "INVITE", 200, &[ALICE_CONTACT]);
    }
    let byes =
        r.sent.iter().filter(|(_, message)| matches!(message, sip::Message::Request(bye) if bye.method == Method::BYE));
    assert_eq!(byes.count(), 15);
}
