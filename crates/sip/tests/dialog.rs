//! Requests within dialogs, and several usages of one: RFC 3261 §12, §14, RFC 3311, RFC 5057.

mod support;

use sip::{Answer, ConnectionId, DialogId, Event, Hop, Input, Method, Refused, Transport, Within};
use support::{ALICE, Bench, CONTACT, Draft, LOCAL, Peer, at, outgoing, request};

/// A dialog that alice made, and our tag in it.
fn seated(r: &mut Bench) -> (DialogId, String) {
    let dialog = r.seated();
    let tag = r.endpoint.dialog(dialog).expect("it is there").local_tag().to_owned();
    (dialog, tag)
}

fn within(r: &mut Bench, dialog: DialogId, method: Method) -> Result<sip::ClientId, Refused> {
    let client = r.endpoint.request_within(r.now, dialog, Within::new(method));
    r.drain();
    client
}

fn offer(draft: Draft) -> Draft {
    draft.body("application/sdp", "v=0")
}

#[test]
fn any_allowed_method_reaches_the_user_with_its_dialog() {
    let mut r = Bench::new();
    let (dialog, tag) = seated(&mut r);
    for (number, method) in ["INFO", "MESSAGE", "SUBSCRIBE", "REFER", "OPTIONS", "UPDATE"].into_iter().enumerate() {
        r.a(request(method, number as u32 + 2).tagged(&tag));
        r.expect(&format!("event Request {method} in dialog"));
        assert!(matches!(r.events.back(), Some(Event::Request { dialog: Some(id), .. }) if *id == dialog));
        r.respond(Answer::new(200));
        r.expect(&format!("R: 200 {method}"));
    }
}

// CONFORMANCE 3261-12.2.2-2.
#[test]
fn the_order_of_requests_is_that_of_their_numbers() {
    let mut r = Bench::new();
    let (_, tag) = seated(&mut r);
    r.a(request("INFO", 10).tagged(&tag));
    r.expect("event Request INFO in dialog");
    // A gap is no fault, an older or the same number is one.
    r.a(request("INFO", 9).tagged(&tag));
    r.a(request("OPTIONS", 10).tagged(&tag));
    r.expect("R: 500 INFO\nR: 500 OPTIONS");
    r.a(request("OPTIONS", 500).tagged(&tag));
    r.expect("event Request OPTIONS in dialog");
}

// CONFORMANCE 3261-12.2.2-1.
#[test]
fn a_dialog_is_known_by_all_three_of_its_names() {
    let mut r = Bench::new();
    let (_, tag) = seated(&mut r);
    r.a(request("INFO", 2).tagged(&tag).row("Call-ID", "another"));
    r.a(request("INFO", 3).tagged(&tag).row("From", "<sip:alice@example.com>;tag=another"));
    r.a(request("INFO", 4).tagged(&format!("{tag}x")));
    r.expect("R: 481 INFO\nR: 481 INFO\nR: 481 INFO");
    r.a(request("INFO", 5).tagged(&tag.to_uppercase()).row("From", "<sip:alice@example.com>;tag=A1"));
    r.expect("event Request INFO in dialog");
}

// CONFORMANCE 3261-12.2.2-3.
#[test]
fn a_re_invite_of_the_peer_moves_the_target_when_it_is_accepted() {
    let mut r = Bench::new();
    let (dialog, tag) = seated(&mut r);
    let moved = |number| request("INVITE", number).tagged(&tag).row("Contact", "<sip:alice@192.0.2.50>");
    r.a(moved(2));
    r.respond(Answer::new(488));
    r.a(request("ACK", 2).tagged(&tag).branch("z9hG4bKINVITE2"));
    assert_eq!(r.endpoint.dialog(dialog).unwrap().remote_target(), "sip:alice@192.0.2.1");
    r.a(moved(3));
    assert_eq!(r.accept(), dialog);
    r.a(request("ACK", 3).tagged(&tag));
    assert_eq!(r.endpoint.dialog(dialog).unwrap().remote_target(), "sip:alice@192.0.2.50");
    r.expect(
        "event Request INVITE in dialog
         R: 488 INVITE
         event Request INVITE in dialog
         R: 200 INVITE
         event Acknowledged",
    );
    r.bye(dialog);
    assert_eq!(r.last_hop(), Hop::Datagram { local: Some(at(LOCAL)), remote: at("192.0.2.50:5060") });
}

// CONFORMANCE 3261-14.2-1.
#[test]
fn a_second_invite_while_one_is_pending_has_to_wait() {
    let mut r = Bench::new();
    let (_, tag) = seated(&mut r);
    r.a(request("INVITE", 2).tagged(&tag));
    r.a(request("INVITE", 3).tagged(&tag));
    r.expect("event Request INVITE in dialog\nR: 500 INVITE");
    let wait: u32 = r.last_response().header("Retry-After").unwrap().parse().unwrap();
    assert!(wait <= 10);
}

// CONFORMANCE 3261-14.2-2.
#[test]
fn a_re_invite_before_the_ack_has_to_wait() {
    let mut r = Bench::new();
    r.a(request("INVITE", 1));
    r.accept();
    let tag = r.tag();
    r.a(request("INVITE", 2).tagged(&tag));
    r.expect("event Request INVITE\nR: 200 INVITE\nR: 491 INVITE");
}

// CONFORMANCE 3311-5.1-1, 3311-5.2-1, 3311-5.2-2.
#[test]
fn updates_collide_like_re_invites() {
    // What is under way, what comes, what it gets.
    let mut r = Bench::new();
    let (dialog, tag) = seated(&mut r);
    r.a(request("UPDATE", 2).tagged(&tag));
    r.a(request("UPDATE", 3).tagged(&tag));
    r.expect("event Request UPDATE in dialog\nR: 500 UPDATE");
    r.respond(Answer::new(200));
    within(&mut r, dialog, Method::INVITE).unwrap();
    r.a(offer(request("UPDATE", 4).tagged(&tag)));
    r.expect("R: 200 UPDATE\nR: INVITE\nR: 491 UPDATE");
    r.a(request("UPDATE", 5).tagged(&tag));
    r.expect("event Request UPDATE in dialog");
    r.respond(Answer::new(200));
    r.a_answers("INVITE", 488, &[]);
    r.a(request("INVITE", 6).tagged(&tag));
    r.a(offer(request("UPDATE", 7).tagged(&tag)));
    r.expect(
        "R: 200 UPDATE
         R: ACK
         event Answered 488
         event Request INVITE in dialog
         R: 500 UPDATE",
    );
    let update = Within::new(Method::UPDATE).body("application/sdp", "v=0");
    assert_eq!(r.endpoint.request_within(r.now, dialog, update), Err(Refused::Pending));
}

// CONFORMANCE 3261-14.1-2.
#[test]
fn after_a_491_the_user_learns_when_to_try_again() {
    // Who made the Call-ID waits 2.1 to 4 s, the other up to 2 s.
    for seed in 0..20 {
        let mut called = Bench::seeded(support::config(), seed);
        let dialog = called.called();
        within(&mut called, dialog, Method::INVITE).unwrap();
        called.a_answers("INVITE", 491, &[]);
        called.pass_ms(2_099);
        called.expect("R: INVITE\nR: ACK\nevent Answered 491");
        called.pass_ms(1_901);
        called.expect("event MayRetry");

        let mut r = Bench::seeded(support::config(), seed);
        let (dialog, _) = seated(&mut r);
        within(&mut r, dialog, Method::INVITE).unwrap();
        r.a_answers("INVITE", 491, &[]);
        r.pass_ms(2_000);
        r.expect("R: INVITE\nR: ACK\nevent Answered 491\nevent MayRetry");
    }
}

// CONFORMANCE 3261-15.1.2-1.
#[test]
fn a_bye_settles_what_was_under_way() {
    let mut r = Bench::new();
    let (dialog, tag) = seated(&mut r);
    within(&mut r, dialog, Method::INFO).unwrap();
    r.a(request("INVITE", 2).tagged(&tag));
    r.a(request("BYE", 3).tagged(&tag));
    r.expect(
        "R: INFO
         event Request INVITE in dialog
         R: 200 BYE
         R: 487 INVITE
         event Failed DialogOver
         event Ended Bye",
    );
    r.a(request("INFO", 4).tagged(&tag));
    r.expect("R: 481 INFO");
}

#[test]
fn while_our_bye_is_under_way_nothing_new_begins() {
    let mut r = Bench::new();
    let (dialog, tag) = seated(&mut r);
    r.bye(dialog);
    r.a(request("INFO", 2).tagged(&tag));
    r.expect("R: BYE\nR: 481 INFO");
    assert_eq!(within(&mut r, dialog, Method::INFO), Err(Refused::NoDialog));
    r.pass_ms(32_000);
    assert!(r.endpoint.dialog(dialog).is_none());
    assert!(matches!(r.events.back(), Some(Event::Ended { cause: sip::Cause::HungUp(None), .. })));
}

// CONFORMANCE 5057-5.2-1.
#[test]
fn the_end_of_a_session_leaves_requests_of_other_usages_alone() {
    let mut r = Bench::new();
    let (dialog, tag) = seated(&mut r);
    r.endpoint.hold(dialog).unwrap();
    within(&mut r, dialog, Method::NOTIFY).unwrap();
    within(&mut r, dialog, Method::INFO).unwrap();
    r.a(request("INVITE", 2).tagged(&tag));
    r.a(request("SUBSCRIBE", 3).tagged(&tag));
    r.a(request("BYE", 4).tagged(&tag));
    r.expect(
        "R: NOTIFY
         R: INFO
         event Request INVITE in dialog
         event Request SUBSCRIBE in dialog
         R: 200 BYE
         R: 487 INVITE
         event Failed DialogOver
         event Ended Bye",
    );
    r.respond(Answer::new(200));
    r.a_answers("NOTIFY", 200, &[]);
    r.expect("R: 200 SUBSCRIBE\nevent Answered 200");
}

// CONFORMANCE 5057-5.2-1.
#[test]
fn a_held_dialog_outlives_its_session() {
    let mut r = Bench::new();
    let (dialog, tag) = seated(&mut r);
    r.a(request("SUBSCRIBE", 2).tagged(&tag));
    assert_eq!(r.accept_with(Answer::new(200).contact(CONTACT).header("Expires", "3600")), dialog);
    r.a(request("BYE", 3).tagged(&tag));
    r.expect(
        "event Request SUBSCRIBE in dialog
         R: 200 SUBSCRIBE
         R: 200 BYE
         event Ended Bye",
    );
    r.a(request("INVITE", 4).tagged(&tag));
    r.expect("R: 481 INVITE");
    r.a(request("SUBSCRIBE", 5).tagged(&tag));
    r.respond(Answer::new(200));
    within(&mut r, dialog, Method::NOTIFY).unwrap();
    r.expect("event Request SUBSCRIBE in dialog\nR: 200 SUBSCRIBE\nR: NOTIFY");
    assert_eq!(r.endpoint.bye(r.now, dialog, None), Err(Refused::NoDialog));
    r.endpoint.release(r.now, dialog).unwrap();
    r.drain();
    r.expect("event Failed DialogOver");
    assert_eq!(r.endpoint.counts().dialogs, 0);
    assert_eq!(r.endpoint.release(r.now, dialog), Err(Refused::NoDialog));
}

#[test]
fn a_subscription_makes_a_dialog_of_its_own() {
    let mut r = Bench::new();
    r.a(request("SUBSCRIBE", 1).row("Record-Route", "<sip:192.0.2.9;lr>"));
    let dialog = r.accept();
    r.expect("event Request SUBSCRIBE\nR: 200 SUBSCRIBE");
    let tag = r.tag();
    within(&mut r, dialog, Method::NOTIFY).unwrap();
    let notify = r.last_request("NOTIFY");
    assert_eq!(notify.header("Contact"), Some(CONTACT));
    assert_eq!(notify.header("Route"), Some("<sip:192.0.2.9;lr>"));
    // RFC 5057 §5.1: what fails is the subscription; whether it ends is for its owner to say.
    r.a_answers("NOTIFY", 481, &[]);
    r.expect("R: NOTIFY\nevent Answered 481");
    r.a(request("BYE", 2).tagged(&tag));
    r.expect("R: 481 BYE");
    r.endpoint.release(r.now, dialog).unwrap();
    assert_eq!(r.endpoint.counts().dialogs, 0);
}

// CONFORMANCE 5057-5.1-1.
#[test]
fn a_failed_notify_does_not_end_the_session() {
    let mut r = Bench::new();
    let (dialog, _) = seated(&mut r);
    within(&mut r, dialog, Method::NOTIFY).unwrap();
    r.a_answers("NOTIFY", 481, &[]);
    within(&mut r, dialog, Method::NOTIFY).unwrap();
    r.pass_ms(33_000);
    assert!(r.endpoint.dialog(dialog).is_some());
    within(&mut r, dialog, Method::INFO).unwrap();
    r.pass_ms(33_000);
    assert!(r.endpoint.dialog(dialog).is_none());
}

#[test]
fn a_foreign_bye_is_for_the_user_to_judge_where_that_is_wanted() {
    // THREATS T23
    let mut config = support::config();
    config.judge_foreign_bye = true;
    let mut r = Bench::with(config);
    let (dialog, tag) = seated(&mut r);
    r.peer = Peer::Datagram(at("192.0.2.66:5060"));
    r.a(request("BYE", 2).tagged(&tag));
    r.expect("event Request BYE in dialog");
    r.respond(Answer::new(403));
    r.expect("R: 403 BYE");
    assert!(r.endpoint.dialog(dialog).is_some());
    r.a(request("BYE", 3).tagged(&tag));
    r.respond(Answer::new(200));
    r.expect("event Request BYE in dialog\nR: 200 BYE\nevent Ended Bye");
}

#[test]
fn the_peers_own_bye_needs_no_judge() {
    let mut config = support::config();
    config.judge_foreign_bye = true;
    let mut r = Bench::with(config);
    let (_, tag) = seated(&mut r);
    r.a(request("BYE", 2).tagged(&tag));
    r.expect("R: 200 BYE\nevent Ended Bye");
}

#[test]
fn requests_go_where_the_peer_can_be_reached() {
    // Contact, what the Via says, where a BYE goes.
    let table = [
        ("<sip:alice@192.0.2.7:5080>", "192.0.2.1:5060", "192.0.2.7:5080"),
        ("<sip:alice@[2001:db8::7]>", "192.0.2.1:5060", "[2001:db8::7]:5060"),
        // A name is not resolved here.
        ("<sip:alice@pc.example.com>", "192.0.2.1:5060", ALICE),
        // Behind a translator: Contact and Via are of no use.
        ("<sip:alice@10.0.0.7:5080>", "10.0.0.7:5080;rport", ALICE),
    ];
    for (contact, via, expected) in table {
        let mut r = Bench::new();
        let row = format!(
            "SIP/2.0/UDP {};branch=z9hG4bKx{}",
            via.trim_end_matches(";rport"),
            if via.ends_with("rport") { ";rport" } else { "" }
        );
        r.a(request("INVITE", 1).row("Contact", contact).row("Via", &row));
        let dialog = r.accept();
        let tag = r.tag();
        r.a(request("ACK", 1).tagged(&tag));
        r.bye(dialog);
        assert_eq!(r.last_hop(), Hop::Datagram { local: Some(at(LOCAL)), remote: at(expected) }, "{contact}");
    }
}

#[test]
fn requests_follow_the_connection_that_the_peer_came_over() {
    let mut r = Bench::tcp();
    let (dialog, tag) = seated(&mut r);
    within(&mut r, dialog, Method::INFO).unwrap();
    assert_eq!(r.last_hop(), r.tcp_hop());
    r.a_answers("INFO", 200, &[]);
    // It comes again over another one.
    r.open(2, Transport::Tcp);
    r.peer = Peer::Stream(ConnectionId(2));
    r.a(request("INVITE", 2).tagged(&tag));
    r.accept();
    r.a(request("ACK", 2).tagged(&tag));
    within(&mut r, dialog, Method::INFO).unwrap();
    assert_eq!(r.last_hop(), Hop::Connection(ConnectionId(2)));
    r.a_answers("INFO", 200, &[]);
    // That is gone too: the Contact names an address.
    r.input(Input::Closed { connection: ConnectionId(2) });
    within(&mut r, dialog, Method::INFO).unwrap();
    assert_eq!(r.connects.last().map(|connect| (connect.1, connect.2)), Some((Transport::Tcp, at(ALICE))));
}

#[test]
fn a_client_that_came_over_a_connection_can_only_come_again() {
    for contact in ["<sip:alice@df7jal23ls0d.invalid;transport=ws>", "<sip:alice@192.0.2.1;transport=ws>"] {
        let mut r = Bench::new();
        r.open(1, Transport::Ws);
        r.peer = Peer::Stream(ConnectionId(1));
        r.a(request("INVITE", 1).row("Contact", contact));
        let dialog = r.accept();
        let tag = r.tag();
        r.a(request("ACK", 1).tagged(&tag));
        r.input(Input::Closed { connection: ConnectionId(1) });
        assert_eq!(within(&mut r, dialog, Method::INFO), Err(Refused::NoConnection));
        r.bye(dialog);
        r.expect("event Request INVITE\nR: 200 INVITE\nevent Acknowledged\nevent Ended HungUp(None)");
    }
}

// CONFORMANCE 3261-12.1.2-2.
#[test]
fn a_peer_may_ask_within_an_early_dialog() {
    let mut r = Bench::new();
    r.invite(outgoing(Method::INVITE).contact(CONTACT));
    r.a_answers("INVITE", 183, &[("Contact", "<sip:alice@192.0.2.1>")]);
    let invite = r.last_request("INVITE");
    let tag = sip::typed::tag(invite.header("From").unwrap()).unwrap().to_owned();
    let within = |method: &str, number| {
        let call_id = invite.header("Call-ID").unwrap();
        request(method, number).tagged(&tag).row("From", "<sip:alice@example.com>;tag=peer").row("Call-ID", call_id)
    };
    r.a(within("UPDATE", 1));
    r.respond(Answer::new(200));
    r.a(within("INVITE", 2));
    r.expect(
        "R: INVITE
         event Provisional 183
         event Request UPDATE in dialog
         R: 200 UPDATE
         R: 491 INVITE",
    );
    assert_eq!(r.endpoint.counts().dialogs, 1);
    r.a_answers("INVITE", 200, &[("Contact", "<sip:alice@192.0.2.1>")]);
    assert_eq!(r.endpoint.counts().dialogs, 1);
}

// CONFORMANCE 3261-12.1.2-2.
#[test]
fn early_dialogs_go_with_their_invite() {
    for code in [486, 200] {
        let mut r = Bench::new();
        r.invite(outgoing(Method::INVITE).contact(CONTACT));
        for tag in ["one", "two", "three"] {
            r.a_answers_as(tag, "INVITE", 180, &[("Contact", "<sip:alice@192.0.2.1>")]);
        }
        assert_eq!(r.endpoint.counts().dialogs, 3);
        r.a_answers_as("two", "INVITE", code, &[("Contact", "<sip:alice@192.0.2.1>")]);
        r.pass_ms(32_000);
        assert_eq!(r.endpoint.counts().dialogs, usize::from(code == 200), "{code}");
    }
}
