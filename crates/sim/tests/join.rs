//! Joining a room (RFC 7701 §5.2): who calls, and what they are told. What is offered and answered is in `offers`.

use std::time::Duration;

use focus::settings::{Auth, Create, Settings};
use sim::people::{Caller, Chat, ROOM, everywhere};
use sim::stage::World;

// CONFORMANCE 7701-001 7701-018 7701-040 4975-134 4975-152
#[test]
fn who_joins_talks_to_all_others_until_leaving() {
    everywhere(|chat| {
        let [alice, bob, carol, dave] = chat.all(["alice", "bob", "carol", "dave"]);
        chat.say(alice, "Good morning");
        for other in [bob, carol, dave] {
            chat.hears(other, "Good morning");
        }
        chat.all_silent(&[alice, bob, carol, dave]);
        chat.leave(alice);
        chat.say(bob, "Where is Alice?");
        chat.hears(carol, "Where is Alice?");
        chat.hears(dave, "Where is Alice?");
        chat.all_silent(&[alice, bob, carol, dave]);
    });
}

// CONFORMANCE 7701-018 4579-011 4579-031
#[test]
fn an_unknown_room_is_made_by_who_calls_it_unless_nobody_may() {
    let garden = Caller::new("alice").to_room("sip:garden@chat.example.com");
    let mut chat = Chat::new();
    let alice = chat.join(&garden);
    let bob = chat.join(Caller::new("bob").to_room("sip:garden@chat.example.com"));
    assert_eq!(chat.send(alice, sim::people::to("sip:garden@chat.example.com", "Roses")), Some(200));
    chat.hears(bob, "Roses");

    let mut chat = Chat::with(|settings| settings.rooms.create = Create::Nobody);
    assert_eq!(chat.call(&garden).unwrap_err().code(), 404);
    chat.join("alice");
}

// CONFORMANCE 4975-003
#[test]
fn other_uris_than_those_of_rooms_are_refused() {
    let cases = [
        ("sip:lobby@elsewhere.example.org", 404),
        ("sip:chat.example.com", 404),
        ("tel:+15551234", 416),
        ("im:lobby@chat.example.com", 416),
        ("http://chat.example.com/lobby", 416),
    ];
    for (uri, code) in cases {
        let mut chat = Chat::new();
        let answer = chat.call(Caller::new("alice").to_room(uri)).unwrap_err();
        assert_eq!(answer.code(), code, "{uri}");
        assert!(answer.body.is_empty(), "{uri}: {}", answer.body);
    }
}

// CONFORMANCE 7701-026 4579-004 4579-007 4579-008 4579-010
#[test]
fn a_room_has_one_name_in_many_spellings() {
    let mut chat = Chat::new();
    let spellings = [
        "sip:lobby@chat.example.com",
        "sip:lobby@CHAT.example.com",
        "sip:lobby@chat.example.com;transport=tcp",
        "sip:l%6fbby@chat.example.com",
        "sip:lobby@192.0.2.1",
        "sip:lobby@192.0.2.1:5060",
        "sips:lobby@chat.example.com",
    ];
    let people = spellings.map(|uri| chat.join(Caller::new("alice").to_room(uri)));
    for (person, uri) in people.into_iter().zip(spellings) {
        let contact = chat.answer(person).header("Contact").unwrap_or_default();
        assert!(contact.contains(":lobby@") && contact.contains(";isfocus"), "{uri}: {contact}");
    }
    chat.say(people[0], "One room");
    for person in &people[1..] {
        chat.hears(*person, "One room");
    }
    assert_eq!(chat.call(Caller::new("bob").to_room("sip:Lobby@chat.example.com")).map(|_| ()), Ok(()));
    assert_eq!(chat.stage.node.signalling().census()[1], 3, "the user part counts with its case");
}

// CONFORMANCE 7701-013
#[test]
fn a_second_session_of_a_user_is_refused_where_the_policy_allows_one() {
    let mut chat = Chat::in_room(|policy| policy.room.simultaneous_access = false);
    let first = chat.join("alice");
    let answer = chat.call("alice").unwrap_err();
    assert_eq!((answer.code(), answer.reason()), (486, "Already In The Room"));
    chat.join("bob");
    chat.leave(first);
    chat.join("alice");
}

#[test]
fn who_has_no_address_that_can_be_in_a_room_is_refused() {
    let mut chat = Chat::new();
    assert_eq!(chat.call(Caller::new("alice").known_as("mailto:alice@example.com")).unwrap_err().code(), 403);
}

fn digest(settings: &mut Settings) {
    settings.auth = Auth::Digest { realm: "chat.example.com".to_owned(), md5: true };
}

fn with_accounts() -> Chat {
    let mut chat = Chat::with(digest);
    chat.open_account("alice", "wonderland", &["tel:+15551234", "im:alice@chat.example.com"]);
    chat.open_account("bob", "builder", &[]);
    chat
}

// CONFORMANCE 7701-019 4579-026
#[test]
fn nobody_gets_in_without_proof() {
    let mut chat = with_accounts();
    let answer = chat.call("alice").unwrap_err();
    assert_eq!((answer.code(), answer.body.as_str()), (401, ""));
    let challenges: Vec<&str> = answer.all("WWW-Authenticate").collect();
    let algorithm = |text: &str| text.contains("algorithm=SHA-256");
    assert_eq!(challenges.iter().map(|text| algorithm(text)).collect::<Vec<_>>(), [true, false], "{challenges:?}");
    assert!(challenges.iter().all(|text| text.contains("realm=\"chat.example.com\"") && text.contains("qop=\"auth\"")));

    let wrong = chat.call(Caller::new("alice").with_login("alice", "looking-glass")).unwrap_err();
    let nobody = chat.call(Caller::new("alice").with_login("nobody", "looking-glass")).unwrap_err();
    assert_eq!((wrong.code(), nobody.code()), (401, 401));
    assert!(!wrong.start.contains("stale") && wrong.all("WWW-Authenticate").all(|text| !text.contains("stale=true")));
    let names =
        |answer: &sim::people::SipMessage| answer.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&wrong), names(&nobody), "THREATS T14: the two are not to be told apart");
    assert_eq!(chat.stage.node.signalling().census()[0], 0);

    let alice = chat.join(Caller::new("alice").with_login("alice", "wonderland"));
    let bob = chat.join(Caller::new("bob").with_login("bob", "builder"));
    chat.say(alice, "It is me");
    chat.hears(bob, "It is me");
}

// CONFORMANCE 7701-091
#[test]
fn who_calls_under_another_s_name_is_refused() {
    let mut chat = with_accounts();
    let answer = chat.call(Caller::new("alice").with_login("bob", "builder")).unwrap_err();
    assert_eq!((answer.code(), answer.body.as_str()), (403, ""));
    // An asserted identity is worth nothing from somebody who is not trusted.
    let asserted = Caller::new("alice")
        .with_login("bob", "builder")
        .with_header("P-Asserted-Identity: <sip:bob@chat.example.com>");
    assert_eq!(chat.call(asserted).unwrap_err().code(), 403);
}

// CONFORMANCE 7701-028
#[test]
fn an_account_calls_by_any_of_its_addresses() {
    for uri in ["sip:alice@chat.example.com", "sip:alice@192.0.2.1", "tel:+1-555-1234", "im:alice@chat.example.com"] {
        let mut chat = with_accounts();
        chat.join(Caller::new("alice").known_as(uri).with_login("alice", "wonderland"));
    }
}

// THREATS T21
#[test]
fn credentials_serve_once_and_not_for_ever() {
    let mut chat = with_accounts();
    let phone = chat.stage.phone();
    let call_id = chat.invite_only(phone, "alice");
    let challenge = chat.sip(phone, &call_id).unwrap();
    let credentials = sip::auth::Credentials::new("alice", "wonderland");
    let answered =
        sip::auth::answer(&credentials, challenge.all("WWW-Authenticate"), "INVITE", ROOM, "cnonce").unwrap();
    let caller = Caller::new("alice").with_header(&format!("Authorization: {}", answered.value));
    let first = chat.call(&caller).unwrap();
    let replayed = chat.call(&caller).unwrap_err();
    assert_eq!(replayed.code(), 401);
    chat.leave(first);

    let fresh = replayed.all("WWW-Authenticate").map(str::to_owned).collect::<Vec<_>>();
    let answered = sip::auth::answer(&credentials, fresh.iter().map(String::as_str), "INVITE", ROOM, "cnonce").unwrap();
    chat.stage.pass(Duration::from_secs(301));
    let late = chat.call(Caller::new("alice").with_header(&format!("Authorization: {}", answered.value))).unwrap_err();
    assert_eq!(late.code(), 401);
    assert!(late.all("WWW-Authenticate").all(|text| text.contains("stale=true")), "{late:?}");
}

#[test]
fn while_nobody_knows_the_accounts_callers_are_asked_to_come_again() {
    for (world, wait) in [(World::Fails, 0), (World::IsSilent, 5)] {
        let mut chat = Chat::new();
        chat.stage.world = world;
        let phone = chat.stage.phone();
        let call_id = chat.invite_only(phone, "alice");
        chat.stage.pass(Duration::from_secs(wait));
        let answers: Vec<_> = std::iter::from_fn(|| chat.sip(phone, &call_id)).collect();
        let last = answers.last().unwrap();
        assert_eq!((last.code(), last.header("Retry-After")), (503, Some("5")), "{answers:?}");
        chat.stage.world = World::Answers;
        chat.join("bob");
    }
}

/// The CANCEL of a first INVITE of alice's.
fn cancel(call_id: &str) -> String {
    let cancel = sim::script::wire(&format!(
        "
        CANCEL {ROOM} SIP/2.0
        Via: SIP/2.0/TCP alice.example.net;branch=z9hG4bKalice11;rport
        Max-Forwards: 70
        From: <sip:alice@chat.example.com>;tag=alice1
        To: <{ROOM}>
        Call-ID: {call_id}
        CSeq: 1 CANCEL
        Content-Length: 0

        "
    ));
    assert!(cancel.ends_with("\r\n\r\n"));
    cancel
}

#[test]
fn a_call_that_is_taken_back_before_its_answer_leaves_no_seat() {
    // While the world is asked who calls.
    let mut chat = Chat::in_room(|policy| policy.room.simultaneous_access = false);
    chat.stage.world = World::IsSilent;
    let phone = chat.stage.phone();
    let call_id = chat.invite_only(phone, "alice");
    chat.stage.send_octets(phone, cancel(&call_id).into_bytes());
    let codes: Vec<u16> = std::iter::from_fn(|| chat.sip(phone, &call_id)).map(|answer| answer.code()).collect();
    assert_eq!(codes, [200, 487]);
    chat.stage.pass(Duration::from_secs(6));
    assert_eq!(chat.sip(phone, &call_id).map(|answer| answer.code()), None);

    // While the home of the room has been asked for a seat.
    chat.stage.world = World::Answers;
    let phone = chat.stage.phone();
    let (invite, call_id) = chat.invitation(phone, "alice");
    chat.stage.send_unsettled(phone, invite);
    chat.stage.answer_questions();
    let branch = cancel(&call_id).replace("alice11", "alice21").replace("tag=alice1", "tag=alice2");
    chat.stage.send_octets(phone, branch.into_bytes());
    let codes: Vec<u16> = std::iter::from_fn(|| chat.sip(phone, &call_id)).map(|answer| answer.code()).collect();
    assert_eq!(codes, [200, 487]);
    assert_eq!(chat.stage.node.signalling().census()[0], 0);

    // The room has only one seat for her, and it is free.
    chat.join("alice");
}

// CONFORMANCE 4579-009
#[test]
fn options_tells_what_an_invite_would_get() {
    let mut chat = Chat::with(|settings| settings.rooms.create = Create::Nobody);
    let ask = |chat: &mut Chat, uri: &str| {
        let phone = chat.stage.phone();
        let call_id = chat.options(phone, Caller::new("alice").to_room(uri));
        chat.sip(phone, &call_id).unwrap()
    };
    let answer = ask(&mut chat, ROOM);
    assert_eq!(answer.code(), 200);
    let contact = answer.header("Contact").unwrap();
    assert!(contact.starts_with("<sip:lobby@chat.example.com") && contact.contains(";isfocus"), "{contact}");
    let allowed: Vec<&str> = answer.all("Allow").flat_map(|value| value.split(", ")).collect();
    let expected = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER", "REGISTER"];
    assert_eq!(allowed, expected);
    assert_eq!(answer.header("Accept"), Some("application/sdp, application/resource-lists+xml, multipart/mixed"));

    assert_eq!(ask(&mut chat, "sip:nowhere@chat.example.com").code(), 404);
    let server = ask(&mut chat, "sip:chat.example.com");
    assert_eq!((server.code(), server.header("Contact")), (200, None));

    // In a dialog the room's features are those of the dialog's room.
    let alice = chat.join("alice");
    let within = chat.within(alice, "OPTIONS", None);
    assert_eq!(within.code(), 200);
    assert!(within.header("Contact").is_some_and(|contact| contact.contains(";isfocus")), "{within:?}");
}

#[test]
fn an_invite_that_comes_twice_by_datagrams_takes_one_seat() {
    let mut chat = Chat::in_room(|policy| policy.room.simultaneous_access = false);
    let phone = chat.stage.udp_phone();
    let (invite, call_id) = chat.invitation(phone, Caller::new("alice").by_udp());
    chat.stage.send_octets(phone, invite.clone());
    let first = chat.sip(phone, &call_id).unwrap();
    chat.stage.send_octets(phone, invite);
    // The answer is repeated in its own time (RFC 6026 §7.1).
    assert_eq!(chat.sip(phone, &call_id), None);
    chat.stage.pass(Duration::from_millis(500));
    assert_eq!((first.code(), chat.sip(phone, &call_id)), (200, Some(first)));
    assert_eq!(chat.stage.node.signalling().census()[0], 1);
}

#[test]
fn a_seat_whose_answer_nobody_acknowledges_is_given_up() {
    let mut chat = Chat::in_room(|policy| policy.room.simultaneous_access = false);
    let phone = chat.stage.udp_phone();
    let call_id = chat.invite_only(phone, Caller::new("alice").by_udp());
    assert_eq!(chat.sip(phone, &call_id).map(|answer| answer.code()), Some(200));
    chat.stage.pass(Duration::from_secs(33));
    let rest: Vec<_> = std::iter::from_fn(|| chat.sip(phone, &call_id)).collect();
    assert!(rest.iter().any(|message| message.start.starts_with("BYE ")), "{rest:?}");
    assert_eq!(chat.stage.node.signalling().census()[0], 0);
    chat.join("alice");
}
