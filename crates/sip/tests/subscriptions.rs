//! Dialogs that a SUBSCRIBE or REFER of the endpoint makes: RFC 6665 §4.4.1, RFC 3515, RFC 4488.

mod support;

use sip::{Answer, DialogId, Event, Method, Within};
use support::{Bench, CONTACT, Draft, outgoing, request};

const ALICE: (&str, &str) = ("Contact", "<sip:alice@192.0.2.1>");

fn bench() -> Bench {
    let mut config = support::config();
    config.allow.push(Method::NOTIFY);
    Bench::with(config)
}

fn subscribe(r: &mut Bench) {
    r.request(outgoing(Method::SUBSCRIBE).contact(CONTACT).header("Event", "conference"));
}

/// A NOTIFY of the peer with this tag in the dialog of our newest SUBSCRIBE.
fn notify(r: &Bench, tag: &str, cseq: u32) -> Draft {
    let subscribe = r.last_request("SUBSCRIBE");
    let ours = sip::typed::tag(subscribe.header("From").unwrap_or_default()).unwrap_or_default().to_owned();
    let from = format!("<sip:alice@example.com>;tag={tag}");
    let call_id = subscribe.header("Call-ID").unwrap_or_default();
    request("NOTIFY", cseq)
        .tagged(&ours)
        .row("From", &from)
        .row("Call-ID", call_id)
        .branch(&format!("z9hG4bK{tag}{cseq}"))
}

fn accepted(r: &Bench) -> DialogId {
    match r.events.back() {
        Some(Event::Accepted { dialog, .. }) => *dialog,
        other => panic!("not accepted: {other:?}"),
    }
}

#[test]
fn a_subscription_of_ours_has_a_dialog_until_it_is_released() {
    let mut r = bench();
    subscribe(&mut r);
    r.a_answers("SUBSCRIBE", 200, &[ALICE, ("Expires", "600")]);
    r.expect("R: SUBSCRIBE\nevent Accepted 200");
    let dialog = accepted(&r);
    let notify = notify(&r, "peer", 1);
    r.a(notify);
    r.respond(Answer::new(200));
    r.expect("event Request NOTIFY in dialog\nR: 200 NOTIFY");
    // A refresh.
    r.endpoint.request_within(r.now, dialog, Within::new(Method::SUBSCRIBE)).unwrap();
    r.drain();
    r.a_answers("SUBSCRIBE", 200, &[]);
    r.expect("R: SUBSCRIBE\nevent Answered 200");
    assert_eq!(r.last_request("SUBSCRIBE").header("CSeq"), Some("2 SUBSCRIBE"));
    r.endpoint.release(r.now, dialog).unwrap();
    assert_eq!(r.endpoint.counts().dialogs, 0);
}

// CONFORMANCE 6665-4.1.2-1.
#[test]
fn a_notify_may_come_before_the_answer() {
    let mut r = bench();
    subscribe(&mut r);
    let early = notify(&r, "peer", 1);
    r.a(early);
    r.respond(Answer::new(200));
    r.a_answers("SUBSCRIBE", 200, &[ALICE]);
    r.expect("R: SUBSCRIBE\nevent Request NOTIFY in dialog\nR: 200 NOTIFY\nevent Accepted 200");
    assert!(matches!(r.events.front(), Some(Event::Request { dialog: Some(id), .. }) if *id == accepted(&r)));
    assert_eq!(r.endpoint.counts().dialogs, 1);
    // Of a fork that is not the one that was accepted.
    let other = notify(&r, "other", 1);
    r.a(other);
    r.expect("R: 481 NOTIFY");
}

#[test]
fn a_subscription_that_fails_leaves_nothing() {
    let mut r = bench();
    subscribe(&mut r);
    for number in 0..40 {
        let early = notify(&r, &format!("t{number}"), 1);
        r.a(early);
    }
    assert_eq!(r.endpoint.counts().dialogs, 16);
    r.a_answers("SUBSCRIBE", 403, &[]);
    assert_eq!(r.endpoint.counts().dialogs, 0);
    assert!(matches!(r.events.back(), Some(Event::Answered { .. })));
}

// CONFORMANCE 4488-4-1.
#[test]
fn a_refer_without_subscription_makes_no_dialog() {
    let mut r = bench();
    r.request(outgoing(Method::REFER).contact(CONTACT).header("Refer-To", "<sip:bob@example.com>"));
    r.a_answers("REFER", 202, &[ALICE, ("Refer-Sub", "false")]);
    r.expect("R: REFER\nevent Answered 202");
    assert_eq!(r.endpoint.counts().dialogs, 0);
    r.request(outgoing(Method::REFER).contact(CONTACT).header("Refer-To", "<sip:bob@example.com>"));
    r.a_answers("REFER", 202, &[ALICE]);
    r.expect("R: REFER\nevent Accepted 202");
    assert_eq!(r.endpoint.counts().dialogs, 1);
}
