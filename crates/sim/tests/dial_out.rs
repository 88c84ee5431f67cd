//! The room calls people (RFC 4579 §5.5): by REFER of who is in it, at the places where they are registered or where their URI leads.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::time::Duration;

use focus::settings::{Invitations, Network, SipAddress};
use sim::people::{Caller, Chat, Person, SipMessage};
use sim::stage::Phone;

const BOB: &str = "Refer-To: <sip:bob@chat.example.com>";

/// Alice in the lobby, and Bob's phone, which is registered.
fn alice_and_bob() -> (Chat, Person, Phone) {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let bob = chat.registered("bob");
    (chat, alice, bob)
}

/// Where the node may go in some tests.
fn neighbourhood() -> Vec<Network> {
    vec![Network { address: [192, 0, 2, 0].into(), prefix: 24 }]
}

fn invited(chat: &mut Chat, phone: Phone) -> SipMessage {
    chat.next_request(phone, "INVITE").expect("an INVITE has come")
}

// CONFORMANCE 4579-016 4579-012 4579-007 4579-025 7701-023 7701-018
#[test]
fn who_is_in_the_room_has_somebody_called_to_it() {
    let (mut chat, alice, bob) = alice_and_bob();
    // A → R: REFER Refer-To: bob          R → A: 202, NOTIFY 100
    let answer = chat.refer(alice, BOB);
    assert_eq!(answer.code(), 202);
    let phone = chat.phone(alice);
    let first = chat.progress(phone).unwrap();
    assert_eq!((first.event.as_str(), first.state.as_str()), ("refer;id=2", "active"));
    assert_eq!(first.status, "100 Trying");
    // R → B: INVITE
    let invite = invited(&mut chat, bob);
    let contact = invite.header("Contact").unwrap();
    assert!(contact.starts_with("<sip:lobby@chat.example.com:5060;transport=tcp>;") && contact.contains(";isfocus"));
    assert!(invite.header("From").unwrap().starts_with("<sip:lobby@chat.example.com>;tag="));
    assert_eq!(invite.header("To"), Some("<sip:bob@chat.example.com>"));
    assert_eq!(invite.header("Expires"), Some("60"));
    for name in ["Allow", "Supported", "Accept"] {
        assert!(invite.header(name).is_some(), "{name}");
    }
    assert_eq!(invite.attribute("accept-types"), "message/cpim");
    assert_eq!((invite.attribute("setup"), invite.attribute("chatroom")), ("actpass", "nickname private-messages"));
    // B → R: 180, 200                     R → A: NOTIFY 180, NOTIFY 200
    chat.reply_to(bob, &invite, 180, None);
    assert_eq!(chat.told(phone), ["active 180 Ringing"]);
    let bob = chat.take_call(bob, &invite, "bob");
    assert_eq!(chat.told(phone), ["terminated;reason=noresource 200 OK"]);
    // From then on Bob is a participant like others.
    chat.bind(bob);
    chat.say(alice, "Welcome");
    chat.hears(bob, "Welcome");
    chat.say(bob, "Thank you");
    chat.hears(alice, "Thank you");
    chat.whisper(alice, bob, "psst");
    chat.hears(bob, "psst");
    chat.leave(bob);
    assert_eq!(chat.stage.node.signalling().census()[0], 1);
}

// CONFORMANCE 4579-001 4579-025
#[test]
fn a_focus_says_in_requests_and_responses_what_it_can_do_and_notifies_of() {
    let (mut chat, alice, bob) = alice_and_bob();
    let events = |message: &SipMessage| {
        for (name, part) in [("Allow", "SUBSCRIBE"), ("Accept", "application/sdp"), ("Supported", "timer")] {
            assert!(message.header(name).is_some_and(|value| value.contains(part)), "{name} in {message:?}");
        }
        message.header("Allow-Events").map(str::to_owned)
    };
    let expected = Some("conference, refer".to_owned());
    assert_eq!(events(chat.answer(alice)), expected, "200 to an INVITE");
    let phone = chat.stage.phone();
    for room in ["sip:lobby@chat.example.com", "sip:chat.example.com"] {
        let call_id = chat.options(phone, Caller::new("carol").to_room(room));
        assert_eq!(events(&chat.sip(phone, &call_id).unwrap()), expected, "200 to OPTIONS at {room}");
    }
    assert_eq!(events(&chat.within(alice, "OPTIONS", None)), expected, "within a dialog");
    chat.refer(alice, BOB);
    assert_eq!(events(&invited(&mut chat, bob)), expected, "INVITE");
    let phone = chat.phone(alice);
    chat.told(phone);
    let refused = chat.subscribe(alice, &["Event: presence"]);
    assert_eq!((refused.code(), refused.header("Allow-Events")), (489, Some("conference")));
    // And it is so.
    assert_eq!(chat.subscribe(alice, &["Event: conference"]).code(), 200);
}

// THREATS T12 CONFORMANCE 7701-007
#[test]
fn who_is_private_is_not_named_by_whom_they_have_called_even_when_they_have_gone() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let alice = chat.join(Caller::new("alice").with_header("Privacy: id"));
    let known = chat.answer(alice).header("Chat-Identity").unwrap().trim_matches(['<', '>']).to_owned();
    let carol = chat.join("carol");
    chat.subscribe(carol, &["Event: conference"]);
    chat.notified(carol).unwrap();
    let bob = chat.registered("bob");
    assert_eq!(
        chat.refer(alice, "Refer-To: <sip:bob@chat.example.com>\r\nReferred-By: <sip:alice@chat.example.com>").code(),
        202
    );
    let phone = chat.phone(alice);
    chat.told(phone);
    chat.leave(alice);
    let invite = invited(&mut chat, bob);
    let bob = chat.take_call(bob, &invite, "bob");
    chat.bind(bob);
    let mut told = String::new();
    while let Some(notify) = chat.notified(carol) {
        told.push_str(&notify.body);
    }
    assert!(told.contains(&format!("<by>{known}</by>")), "{told}");
    assert!(!told.contains("alice") && !format!("{invite:?}").contains("alice"), "{told} {invite:?}");
}

// THREATS T12
#[test]
fn who_is_there_in_private_is_as_out_of_reach_as_who_is_nowhere() {
    let told = |is_there: bool| {
        let mut chat = Chat::in_room(|policy| policy.room.simultaneous_access = false);
        let alice = chat.join("alice");
        if is_there {
            chat.registered("bob");
            chat.join(Caller::new("bob").with_header("Privacy: id"));
        }
        let phone = chat.phone(alice);
        assert_eq!(chat.refer(alice, BOB).code(), 202);
        chat.told(phone)
    };
    assert_eq!(told(true), told(false));
}

// THREATS T12 CONFORMANCE 4579-030
#[test]
fn who_takes_a_call_and_wants_privacy_is_not_shown() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let alice = chat.join("alice");
    let carol = chat.join("carol");
    chat.subscribe(carol, &["Event: conference"]);
    chat.notified(carol).unwrap();
    let bob = chat.registered("bob");
    chat.refer(alice, BOB);
    let phone = chat.phone(alice);
    chat.told(phone);
    let invite = invited(&mut chat, bob);
    let bob = chat.take_call(bob, &invite, Caller::new("bob").with_header("Privacy: id"));
    assert!(chat.dismissed(bob).is_some_and(|reason| reason.contains("cause=433")));
    assert_eq!(chat.told(phone), ["terminated;reason=noresource 433 Anonymity Disallowed"]);
    assert!(chat.notified(carol).is_none());
    assert_eq!(chat.stage.node.signalling().census()[0], 2);
}

// THREATS T18
#[test]
fn nobody_is_kept_out_by_being_called() {
    let mut chat = Chat::in_room(|policy| policy.room.simultaneous_access = false);
    let alice = chat.join("alice");
    let phone = chat.phone(alice);
    let bob = chat.registered("bob");
    chat.refer(alice, BOB);
    chat.told(phone);
    let invite = invited(&mut chat, bob);
    chat.reply_to(bob, &invite, 180, None);
    chat.told(phone);
    let own = chat.join("bob");
    assert!(chat.next_request(bob, "CANCEL").is_some());
    assert_eq!(chat.told(phone), ["terminated;reason=noresource 486 Busy Here"]);
    chat.say(own, "I was on my way");
    chat.hears(alice, "I was on my way");
}

// CONFORMANCE 4579-016
#[test]
fn what_comes_of_a_call_is_told_and_nothing_else_of_it() {
    for (code, told) in [(486, "486 Busy Here"), (603, "603 Decline"), (302, "302 Moved Temporarily")] {
        let (mut chat, alice, bob) = alice_and_bob();
        let phone = chat.phone(alice);
        chat.refer(alice, BOB);
        let invite = invited(&mut chat, bob);
        chat.reply_to(bob, &invite, code, None);
        let last = format!("terminated;reason=noresource {told}");
        assert_eq!(chat.told(phone), ["active 100 Trying", last.as_str()]);
        assert_eq!(chat.stage.node.signalling().census()[0], 1);
    }
    // Nobody there: nobody is called.
    let (mut chat, alice, _) = alice_and_bob();
    let phone = chat.phone(alice);
    assert_eq!(chat.refer(alice, "Refer-To: <sip:carol@chat.example.com>").code(), 202);
    assert_eq!(chat.told(phone)[1], "terminated;reason=noresource 480 Temporarily Unavailable");
}

#[test]
fn who_does_not_answer_is_called_no_longer_than_a_minute() {
    let (mut chat, alice, bob) = alice_and_bob();
    let phone = chat.phone(alice);
    chat.refer(alice, BOB);
    let invite = invited(&mut chat, bob);
    chat.reply_to(bob, &invite, 180, None);
    chat.told(phone);
    chat.stage.pass(Duration::from_secs(59));
    assert_eq!(chat.unread(bob), [""; 0]);
    chat.stage.pass(Duration::from_secs(1));
    assert_eq!(chat.told(phone), ["terminated;reason=noresource 408 Request Timeout"]);
    let cancel = chat.next_request(bob, "CANCEL").unwrap();
    assert_eq!(cancel.header("Call-ID"), invite.header("Call-ID"));
    assert_eq!(chat.stage.node.signalling().census()[0], 1);
}

#[test]
fn who_takes_a_call_and_does_not_connect_is_let_go() {
    let (mut chat, alice, bob) = alice_and_bob();
    chat.refer(alice, BOB);
    let invite = invited(&mut chat, bob);
    chat.reply_to(bob, &invite, 180, None);
    chat.stage.pass(Duration::from_secs(40));
    let bob = chat.take_call(bob, &invite, "bob");
    chat.stage.pass(Duration::from_secs(29));
    assert_eq!(chat.dismissed(bob), None);
    chat.stage.pass(Duration::from_secs(1));
    assert!(chat.dismissed(bob).is_some_and(|reason| reason.contains("cause=408")));
}

#[test]
fn a_registered_user_is_called_the_way_that_the_register_came() {
    let (mut chat, alice, _) = alice_and_bob();
    // Through a proxy that wants to be in the way (RFC 3327).
    let path = "Supported: path\r\nPath: <sip:edge.example.com;lr>\r\nPath: <sip:core.example.com;lr>\r\n";
    let edge = chat.registered_with("carol", path);
    chat.refer(alice, "Refer-To: <sip:carol@chat.example.com>");
    let invite = invited(&mut chat, edge);
    assert_eq!(invite.all("Route").collect::<Vec<_>>(), ["<sip:edge.example.com;lr>", "<sip:core.example.com;lr>"]);
    // By datagrams: from an address that is not the Contact's, it goes back to where it came from.
    for (contact, port) in [("192.168.0.7:5060", 5060), ("192.0.2.103:5060", 5060)] {
        let phone = chat.stage.udp_phone();
        let address = phone.address();
        let register = format!(
            "REGISTER sip:chat.example.com SIP/2.0\r\nVia: SIP/2.0/UDP {contact};branch=z9hG4bK{port}{contact};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:dave@chat.example.com>;tag=d\r\nTo: <sip:dave@chat.example.com>\r\n\
             Call-ID: {contact}\r\nCSeq: 1 REGISTER\r\nContact: <sip:dave@{contact}>\r\nContent-Length: 0\r\n\r\n"
        );
        chat.stage.send_octets(phone, register.into_bytes());
        assert_eq!(chat.sip(phone, contact).map(|answer| answer.code()), Some(200), "{address}");
        assert_eq!(chat.refer(alice, "Refer-To: <sip:dave@chat.example.com>").code(), 202);
        let invite = invited(&mut chat, phone);
        assert_eq!(invite.start, format!("INVITE sip:dave@{contact} SIP/2.0"));
        assert!(
            invite.header("Contact").unwrap().contains("<sip:lobby@chat.example.com:5060"),
            "small enough for a datagram"
        );
        chat.reply_to(phone, &invite, 486, None);
    }
}

#[test]
fn a_user_whose_connection_is_gone_is_not_called() {
    let (mut chat, alice, bob) = alice_and_bob();
    chat.stage.hang(bob);
    let phone = chat.phone(alice);
    chat.refer(alice, BOB);
    assert_eq!(chat.told(phone).last().unwrap(), "terminated;reason=noresource 503 Service Unavailable");
    assert!(chat.stage.called.is_empty());
}

#[test]
fn the_first_place_that_answers_counts() {
    let (mut chat, alice, desk) = alice_and_bob();
    let (pocket, silent) = (chat.registered("bob"), chat.registered("bob"));
    let phone = chat.phone(alice);
    chat.refer(alice, BOB);
    assert_eq!(chat.told(phone), ["active 100 Trying"]);
    let [at_desk, in_pocket, at_silent] = [desk, pocket, silent].map(|phone| invited(&mut chat, phone));
    for (phone, invite) in [(desk, &at_desk), (silent, &at_silent)] {
        chat.reply_to(phone, invite, 180, None);
    }
    chat.reply_to(silent, &at_silent, 486, None);
    let bob = chat.take_call(pocket, &in_pocket, "bob");
    assert!(chat.next_request(desk, "CANCEL").is_some());
    assert!(chat.next_request(silent, "CANCEL").is_none(), "it has refused already");
    chat.bind(bob);
    // A 200 that has crossed the CANCEL is hung up.
    chat.reply_to(desk, &at_desk, 200, Caller::new("bob").body("msrp://d.example.net:1/x;tcp", 1));
    assert!(chat.next_request(desk, "ACK").is_some() && chat.next_request(desk, "BYE").is_some());
    assert_eq!(chat.told(phone), ["active 180 Ringing", "terminated;reason=noresource 200 OK"]);
    chat.say(alice, "Which of you is it?");
    chat.hears(bob, "Which of you is it?");
}

// CONFORMANCE 4579-017 7701-028
#[test]
fn who_is_called_is_known_by_the_account() {
    let mut chat = Chat::new();
    chat.open_account("bob", "builder", &["im:bob@chat.example.com"]);
    let alice = chat.join("alice");
    let phone = chat.registered("bob");
    // At any of the server's names.
    chat.refer(alice, "Refer-To: <sip:bob@192.0.2.1>");
    let invite = invited(&mut chat, phone);
    let bob = chat.take_call(phone, &invite, "bob");
    chat.bind(bob);
    assert_eq!(chat.send(alice, sim::people::to("im:bob@chat.example.com", "by an alias")), Some(200));
    chat.hears(bob, "by an alias");
}

// CONFORMANCE 4975-020
#[test]
fn the_room_connects_where_the_answer_waits_and_may_be_reached() {
    let mut chat = Chat::with(|settings| settings.outbound = neighbourhood());
    let alice = chat.join("alice");
    let phone = chat.registered("bob");
    chat.refer(alice, BOB);
    let invite = invited(&mut chat, phone);
    let path = "msrp://192.0.2.55:7654/waits;tcp";
    let waits = Caller::new("bob").with_path(path).with("setup", "passive").with_edit("bob.example.net", "192.0.2.55");
    chat.take_call(phone, &invite, waits);
    assert_eq!(
        chat.stage.dialed.iter().map(|(_, remote, _)| remote.to_string()).collect::<Vec<_>>(),
        ["192.0.2.55:7654"]
    );

    // Elsewhere it does not go.
    let (mut chat, alice, bob) = alice_and_bob();
    chat.refer(alice, BOB);
    let invite = invited(&mut chat, bob);
    let waits = Caller::new("bob").with_path(path).with("setup", "passive");
    let person = chat.take_call(bob, &invite, waits);
    assert!(chat.dismissed(person).is_some_and(|reason| reason.contains("cause=488")));
    assert!(chat.stage.dialed.is_empty());
    let phone = chat.phone(alice);
    assert_eq!(chat.told(phone).last().unwrap(), "terminated;reason=noresource 488 Not Acceptable Here");
}

// THREATS T18
#[test]
fn others_are_called_where_their_uri_leads_within_the_networks_that_may_be_reached() {
    let mut chat = Chat::with(|settings| settings.outbound = neighbourhood());
    let alice = chat.join("alice");
    let asked = chat.phone(alice);
    chat.refer(alice, "Refer-To: <sip:carol@192.0.2.77:5070;transport=tcp>");
    assert_eq!(chat.stage.called, [(sip::Transport::Tcp, "192.0.2.77:5070".parse().unwrap())]);
    let phone = chat.stage.pick_up();
    let invite = invited(&mut chat, phone);
    assert_eq!(invite.start, "INVITE sip:carol@192.0.2.77:5070;transport=tcp SIP/2.0");
    let uri = "sip:carol@192.0.2.77:5070";
    let carol = chat.take_call(phone, &invite, Caller::new("carol").known_as(uri));
    chat.bind(carol);
    chat.say(alice, "Hello");
    chat.hears(carol, "Hello");
    assert_eq!(chat.told(asked).last().unwrap(), "terminated;reason=noresource 200 OK");
    // A name is looked up, and leads nowhere.
    chat.stage.hosts.insert("inside.example.org".to_owned(), vec!["10.0.0.1".parse().unwrap()]);
    chat.refer(alice, "Refer-To: <sip:dave@inside.example.org;transport=tcp>");
    assert_eq!(chat.told(asked).last().unwrap(), "terminated;reason=noresource 503 Service Unavailable");
    assert_eq!(chat.stage.called.len(), 1);
}

// CONFORMANCE 4579-017 4579-019 3515-2.4.2-1 THREATS T18
#[test]
fn a_refer_to_that_could_do_harm_is_refused_and_nothing_leaves() {
    let mut chat = Chat::with(|settings| settings.outbound = neighbourhood());
    let alice = chat.join("alice");
    let bob = chat.registered("bob");
    for (refer_to, code) in [
        ("<sip:x@169.254.169.254>", 403),
        ("<sip:x@127.0.0.1:5432>", 403),
        ("<sip:x@[::1]>", 403),
        ("<sip:x@[::ffff:127.0.0.1]>", 403),
        ("<sip:x@192.0.2.9;maddr=127.0.0.1>", 403),
        ("<sip:bob@chat.example.com;maddr=192.0.2.9>", 403),
        ("<sip:dave@192.0.2.1;maddr=192.0.2.9>", 403),
        ("<sip:bob@chat.example.com?Route=%3Csip:192.0.2.9%3E>", 403),
        ("<sip:bob@chat.example.com?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&body=x>", 403),
        ("<sip:bob@chat.example.com?Via=x>", 403),
        ("<sip:bob@chat.example.com?From=sip:eve%40example.org>", 403),
        ("<sip:bob@chat.example.com?Subject=a%0D%0AVia:%20x>", 400),
        ("<sip:bob@chat.example.com?Subject=%zz>", 400),
        ("<sip:bob@chat.example.com;method=MESSAGE>", 501),
        ("<sip:bob@chat.example.com;method=REFER?Refer-To=sip:lobby%40chat.example.com>", 501),
        ("<sip:lobby@chat.example.com>", 403),
        ("<sip:attic@chat.example.com>", 403),
        ("<sip:chat.example.com>", 404),
        ("<tel:+15551234>", 416),
        ("<http://192.0.2.9/>", 416),
        ("<sip:a@192.0.2.8>, <sip:b@192.0.2.9>", 400),
        ("<sip:>", 400),
        ("", 400),
    ] {
        let answer = chat.refer(alice, &format!("Refer-To: {refer_to}"));
        assert_eq!(answer.code(), code, "{refer_to}");
    }
    assert_eq!(chat.refer(alice, "Subject: none").code(), 400, "without Refer-To");
    assert_eq!((chat.unread(bob), chat.stage.called.len()), (vec![], 0));
    let phone = chat.phone(alice);
    assert_eq!(chat.told(phone), [""; 0]);
    // What is known to do no harm goes with the INVITE, and nothing of the method.
    let moved = "<sip:bob@chat.example.com;method=INVITE?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&subject=Tea>";
    assert_eq!(chat.refer(alice, &format!("Refer-To: {moved}")).code(), 202);
    let invite = invited(&mut chat, bob);
    assert_eq!(invite.header("Replaces"), Some("a@b;to-tag=1;from-tag=2"), "4579-022");
    assert_eq!((invite.header("Subject"), invite.header("To")), (Some("Tea"), Some("<sip:bob@chat.example.com>")));
}

// THREATS T18
#[test]
fn nothing_leads_the_proxy_to_anybody_but_the_user() {
    let mut chat = Chat::with(|settings| {
        settings.outbound = neighbourhood();
        settings.outbound_proxy = sip::typed::Uri::parse("sip:192.0.2.102:5060;transport=udp").ok();
        let host = "192.0.2.1".to_owned();
        settings.sip.insert(0, SipAddress { transport: sip::Transport::Udp, host, port: 5060 });
    });
    let alice = chat.join("alice");
    let proxy = chat.stage.udp_phone();
    assert_eq!(proxy.address().to_string(), "192.0.2.102:5060");
    assert_eq!(chat.refer(alice, "Refer-To: <sips:dave@chat.example.com:6666;transport=tcp;x=y>").code(), 202);
    let invite = invited(&mut chat, proxy);
    assert_eq!(invite.start, "INVITE sips:dave@chat.example.com SIP/2.0");
}

// THREATS T12
#[test]
fn who_has_a_say_without_a_seat_may_have_others_called_in_private() {
    let mut chat = Chat::with(|settings| {
        settings.rooms.permanent[0].policy.roster_interval = Duration::ZERO;
        settings.rooms.permanent[0].standing.moderators =
            room::Address::parse("sip:boss@chat.example.com").into_iter().collect();
    });
    let alice = chat.join("alice");
    chat.subscribe(alice, &["Event: conference"]);
    chat.notified(alice).unwrap();
    let (bob, phone) = (chat.registered("bob"), chat.stage.phone());
    let lines = format!("{BOB}\r\nPrivacy: id\r\nReferred-By: <sip:boss@chat.example.com>");
    assert_eq!(chat.refer_outside(phone, "boss", &lines).code(), 202);
    let invite = invited(&mut chat, bob);
    let bob = chat.take_call(bob, &invite, "bob");
    chat.bind(bob);
    let mut told = String::new();
    while let Some(notify) = chat.notified(alice) {
        told.push_str(&notify.body);
    }
    assert!(told.contains("<by>sip:lobby@chat.example.com</by>"), "{told}");
    assert!(!told.contains("boss") && !format!("{invite:?}").contains("boss"), "{told} {invite:?}");
}

// CONFORMANCE 4579-022
#[test]
fn a_call_of_two_moves_into_the_room() {
    let (mut chat, alice, bob) = alice_and_bob();
    chat.refer(alice, "Refer-To: <sip:bob@chat.example.com?Replaces=12345%40a.example%3Bto-tag%3D3%3Bfrom-tag%3D4>");
    let invite = invited(&mut chat, bob);
    assert_eq!(invite.header("Replaces"), Some("12345@a.example;to-tag=3;from-tag=4"));
}

// CONFORMANCE 4579-018
#[test]
fn referred_by_is_carried_and_only_in_ones_own_name() {
    let (mut chat, alice, bob) = alice_and_bob();
    let referred = "\"Alice\" <sip:alice@chat.example.com>;cid=\"x@y\"";
    chat.refer(alice, &format!("{BOB}\nReferred-By: {referred}"));
    assert_eq!(invited(&mut chat, bob).header("Referred-By"), Some(referred));
    assert_eq!(chat.refer(alice, &format!("{BOB}\nReferred-By: <sip:carol@chat.example.com>")).code(), 403);
    assert_eq!(chat.refer(alice, &format!("{BOB}\nReferred-By: nobody")).code(), 400);
    chat.refer(alice, BOB);
    assert_eq!(invited(&mut chat, bob).header("Referred-By"), None, "nobody is named against their wish");
}

// CONFORMANCE 4579-016
#[test]
fn who_wants_to_hear_nothing_of_it_hears_nothing() {
    let (mut chat, alice, bob) = alice_and_bob();
    let answer = chat.refer(alice, &format!("{BOB}\nRefer-Sub: false\nRequire: norefersub"));
    assert_eq!((answer.code(), answer.header("Refer-Sub")), (202, Some("false")));
    let invite = invited(&mut chat, bob);
    chat.take_call(bob, &invite, "bob");
    let phone = chat.phone(alice);
    assert_eq!(chat.told(phone), [""; 0]);
    assert_eq!(chat.refer(alice, &format!("{BOB}\nRefer-Sub: perhaps")).code(), 400);
}

// CONFORMANCE 4579-016 4579-026 THREATS T18 T22
#[test]
fn outside_of_a_dialog_one_refers_as_a_participant_or_not_at_all() {
    let (mut chat, _, bob) = alice_and_bob();
    let phone = chat.stage.phone();
    let stranger = chat.refer_outside(phone, "eve", BOB);
    assert_eq!(stranger.code(), 403);
    assert_eq!(chat.refer_outside(phone, "eve", "Subject: no Refer-To").code(), 403, "before anything else");
    let nowhere = Caller::new("alice").to_room("sip:nowhere@chat.example.com");
    assert_eq!(chat.refer_outside(phone, nowhere, BOB).code(), 404);
    assert_eq!(chat.unread(bob), [""; 0]);
    // A participant's other user agent makes a dialog for the subscription, which goes with it.
    let answer = chat.refer_outside(phone, "alice", BOB);
    assert_eq!(answer.code(), 202);
    assert!(answer.header("Contact").is_some_and(|contact| contact.contains(";isfocus")));
    assert!(answer.header("To").is_some_and(|to| to.contains(";tag=")));
    let invite = invited(&mut chat, bob);
    chat.reply_to(bob, &invite, 486, None);
    assert_eq!(chat.told(phone), ["active 100 Trying", "terminated;reason=noresource 486 Busy Here"]);
    let header = |name| answer.header(name).unwrap_or_default();
    let late = format!(
        "OPTIONS sip:lobby@chat.example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKlate\r\nMax-Forwards: 70\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 9 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        header("From"),
        header("To"),
        header("Call-ID")
    );
    chat.stage.send_octets(phone, late.into_bytes());
    assert_eq!(chat.sip(phone, header("Call-ID")).unwrap().code(), 481);
}

#[test]
fn one_notify_waits_for_the_answer_to_the_one_before() {
    let (mut chat, alice, bob) = alice_and_bob();
    let phone = chat.phone(alice);
    chat.refer(alice, BOB);
    let trying = chat.next_request(phone, "NOTIFY").unwrap();
    let invite = invited(&mut chat, bob);
    chat.reply_to(bob, &invite, 180, None);
    chat.reply_to(bob, &invite, 486, None);
    assert!(chat.next_request(phone, "NOTIFY").is_none());
    // What was not told in time is passed over, but the end.
    chat.reply_to(phone, &trying, 200, None);
    assert_eq!(chat.told(phone), ["terminated;reason=noresource 486 Busy Here"]);
    // Who does not take one gets no more.
    chat.refer(alice, BOB);
    let trying = chat.next_request(phone, "NOTIFY").unwrap();
    chat.reply_to(phone, &trying, 481, None);
    let invite = invited(&mut chat, bob);
    chat.reply_to(bob, &invite, 486, None);
    assert!(chat.next_request(phone, "NOTIFY").is_none());
}

// CONFORMANCE 4579-016
#[test]
fn who_has_referred_may_ask_again_and_may_want_no_more_of_it() {
    let (mut chat, alice, bob) = alice_and_bob();
    let phone = chat.phone(alice);
    chat.refer(alice, BOB);
    assert_eq!(chat.told(phone), ["active 100 Trying"]);
    let asked = |chat: &mut Chat, lines: &[&str]| {
        let answer = chat.request_with(alice, "SUBSCRIBE", lines);
        (answer.code(), answer.header("Expires").map(str::to_owned))
    };
    // Nobody subscribes to what has not been referred.
    assert_eq!(asked(&mut chat, &["Event: refer;id=99"]), (481, None));
    assert_eq!(asked(&mut chat, &["Event: refer;id=2", "Expires: 600"]), (200, Some("180".to_owned())));
    assert_eq!(chat.told(phone), ["active 100 Trying"]);
    assert_eq!(asked(&mut chat, &["Event: refer", "Expires: 0"]), (200, Some("0".to_owned())));
    assert_eq!(chat.told(phone), ["terminated;reason=timeout 100 Trying"]);
    assert_eq!(asked(&mut chat, &["Event: refer;id=2"]), (481, None));
    // Bob is called all the same, and seated; nothing is told of it.
    let invite = invited(&mut chat, bob);
    chat.take_call(bob, &invite, "bob");
    assert!(chat.told(phone).is_empty());
    assert_eq!(chat.stage.node.signalling().census()[0], 2);
}

// CONFORMANCE 4579-016
#[test]
fn the_policy_says_who_may_have_others_called() {
    for (invitations, alice_may, carol_may) in
        [(Invitations::Participants, 202, 202), (Invitations::Moderators, 202, 403), (Invitations::Nobody, 403, 403)]
    {
        let mut chat = Chat::with(|settings| {
            settings.rooms.permanent[0].policy.invitations = invitations;
            settings.rooms.permanent[0].standing.moderators =
                [room::Address::parse("sip:alice@chat.example.com").unwrap()].into();
        });
        chat.registered("bob");
        let [alice, carol] = chat.all(["alice", "carol"]);
        assert_eq!(chat.refer(alice, BOB).code(), alice_may, "{invitations:?}");
        assert_eq!(chat.refer(carol, BOB).code(), carol_may, "{invitations:?}");
    }
}

// THREATS T18
#[test]
fn nobody_has_more_people_called_than_fifty_at_a_time() {
    let mut chat = Chat::with(|settings| settings.outbound = neighbourhood());
    let alice = chat.join("alice");
    let refer = |nth: usize| format!("Refer-To: <sip:u{nth}@192.0.2.77;transport=tcp>");
    for nth in 0..50 {
        assert_eq!(chat.refer(alice, &refer(nth)).code(), 202);
    }
    let beyond = chat.refer(alice, &refer(50));
    assert_eq!((beyond.code(), beyond.header("Retry-After")), (503, Some("5")));
    let phone = chat.stage.pick_up();
    let invite = invited(&mut chat, phone);
    chat.reply_to(phone, &invite, 486, None);
    assert_eq!(chat.refer(alice, &refer(50)).code(), 202);
}

// THREATS T18
#[test]
fn referring_is_within_the_rate_of_callers() {
    let rate = focus::Rate { count: 3, per: Duration::from_secs(60) };
    let mut chat = Chat::with(|settings| settings.join_rate = Some(rate));
    let alice = chat.join("alice");
    chat.registered("bob");
    // Each REFER counts, and so does the call that comes of it.
    assert_eq!([0; 3].map(|_| chat.refer(alice, BOB).code()), [202, 503, 503]);
}

// CONFORMANCE 7701-012
#[test]
fn whom_a_room_calls_when_it_ends_is_not_called_any_more() {
    let mut chat = Chat::with(|settings| {
        settings.rooms.defaults.room.delete_when = room::DeleteWhen::CreatorLeaves;
    });
    let garden = "sip:garden@chat.example.com";
    let alice = chat.join(Caller::new("alice").to_room(garden));
    let bob = chat.registered("bob");
    let phone = chat.phone(alice);
    chat.refer(alice, BOB);
    let invite = invited(&mut chat, bob);
    chat.reply_to(bob, &invite, 180, None);
    chat.told(phone);
    chat.leave(alice);
    assert!(chat.next_request(bob, "CANCEL").is_some());
    assert_eq!(chat.stage.node.signalling().census(), [0, 2]);
    assert_eq!(chat.told(phone).last().unwrap(), "terminated;reason=noresource 487 Request Terminated");
}

#[test]
fn a_user_that_may_be_there_once_is_not_called_again() {
    let mut chat = Chat::in_room(|policy| policy.room.simultaneous_access = false);
    let [alice, _] = chat.all(["alice", "bob"]);
    let bob = chat.registered("bob");
    let phone = chat.phone(alice);
    chat.refer(alice, BOB);
    assert_eq!(chat.told(phone).last().unwrap(), "terminated;reason=noresource 486 Busy Here");
    assert_eq!(chat.unread(bob), [""; 0]);
}

#[test]
fn when_the_node_ends_calls_end() {
    let (mut chat, alice, bob) = alice_and_bob();
    chat.refer(alice, BOB);
    let invite = invited(&mut chat, bob);
    chat.reply_to(bob, &invite, 180, None);
    chat.stage.tell(focus::signalling::Input::ShutDown);
    assert!(chat.next_request(bob, "CANCEL").is_some());
}

// THREATS T18 GHSA-3v3f-99mv-qvj4
#[test]
fn no_challenge_of_a_callee_is_answered() {
    let (mut chat, alice, bob) = alice_and_bob();
    let phone = chat.phone(alice);
    chat.refer(alice, BOB);
    let invite = invited(&mut chat, bob);
    chat.reply_to(bob, &invite, 401, None);
    assert_eq!(chat.told(phone).last().unwrap(), "terminated;reason=noresource 401 Unauthorized");
    assert!(chat.next_request(bob, "INVITE").is_none());
}
