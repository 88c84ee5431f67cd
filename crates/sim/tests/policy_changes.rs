//! What changes while people sit in a room: its policy, who is heard, what it is about (RFC 7701 §4.1, §8).

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::time::Duration;

use focus::desk::{Answer, Change, Command, Refusal};
use focus::settings::RoomPolicy;
use room::Address;
use sim::people::{Caller, Chat, Person, ROOM, SipMessage, everywhere, to};

const DONE: Answer = Answer::Done { ended: 0 };

fn lobby() -> String {
    "lobby".to_owned()
}

fn user(name: &str) -> Address {
    Address::parse(&format!("sip:{name}@chat.example.com")).unwrap()
}

/// The operator sets another policy.
fn set(chat: &mut Chat, change: impl FnOnce(&mut RoomPolicy)) {
    let Answer::Room(view) = chat.stage.order(Command::Show { room: lobby() }) else { panic!("no room") };
    let mut policy = view.charter.policy;
    change(&mut policy);
    let change = Change::Policy(Box::new(policy));
    assert_eq!(chat.stage.order(Command::Set { room: lobby(), change }), DONE);
}

/// The re-INVITE that somebody has got.
fn offered(chat: &mut Chat, person: Person) -> SipMessage {
    let invite = chat.next_sip(person).expect("an offer has come");
    assert!(invite.start.starts_with("INVITE "), "{invite:?}");
    invite
}

/// They answer it like the first time.
fn answers(chat: &mut Chat, person: Person, invite: &SipMessage, caller: &Caller) {
    let body = caller.body(&chat.path(person), 2).unwrap();
    chat.answer_with(person, invite, "200 OK", Some(body));
    let ack = chat.next_sip(person).expect("the answer is acknowledged");
    assert!(ack.start.starts_with("ACK "), "{ack:?}");
}

// CONFORMANCE 7701-108 7701-111 7701-112 7701-011 7701-009 4975-152
#[test]
fn who_is_there_is_offered_what_the_room_is_like_now() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        set(chat, |policy| {
            policy.room.private_messages = false;
            policy.room.wrapped_types = room::MediaTypes::parse(["text/plain"]).unwrap();
        });
        // From now on it is so, whether they know it yet or not.
        assert_eq!(chat.send(alice, to("sip:bob@chat.example.com", "psst")), Some(403));
        assert_eq!(chat.send(alice, to(ROOM, "<p>").typed("text/html")), Some(415));
        for (person, name) in [(alice, "alice"), (bob, "bob")] {
            let invite = offered(chat, person);
            assert_eq!(invite.attribute("chatroom"), "nickname");
            assert_eq!(invite.attribute("accept-wrapped-types"), "text/plain");
            assert_eq!(invite.attribute("path"), chat.switch_uri(person));
            answers(chat, person, &invite, &Caller::new(name));
        }
        chat.say(alice, "Still here");
        chat.hears(bob, "Still here");
        // What nobody sees is offered to nobody.
        set(chat, |policy| policy.grace = Duration::from_secs(5));
        assert_eq!(chat.next_sip(alice), None);
        assert_eq!(chat.next_sip(bob), None);
        // Who comes now is told at once.
        let carol = chat.join("carol");
        assert_eq!(chat.answer(carol).attribute("chatroom"), "nickname");
    });
}

// CONFORMANCE 7701-109 7701-031
#[test]
fn an_answer_may_say_that_the_user_agent_is_another_by_now() {
    let mut chat = Chat::new();
    let [alice, bob] = chat.all(["alice", "bob"]);
    set(&mut chat, |policy| policy.room.nicknames = false);
    assert_eq!(chat.nick(alice, "Al"), 403);
    let invite = offered(&mut chat, bob);
    answers(&mut chat, bob, &invite, &Caller::new("bob").without("chatroom"));
    assert_eq!(chat.send(alice, to("sip:bob@chat.example.com", "psst")), Some(428));
}

// CONFORMANCE 7701-108
#[test]
fn two_offers_that_cross_are_made_again_and_a_refusal_changes_nothing() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    set(&mut chat, |policy| policy.room.nicknames = false);
    let invite = offered(&mut chat, alice);
    chat.answer_to(alice, &invite, "491 Request Pending");
    assert!(chat.next_sip(alice).unwrap().start.starts_with("ACK "));
    assert_eq!(chat.next_sip(alice), None);
    // The focus did not make the Call-ID: it waits for up to 2 s (RFC 3261 §14.1).
    chat.stage.pass(Duration::from_secs(2));
    let invite = offered(&mut chat, alice);
    assert_eq!(invite.attribute("chatroom"), "private-messages");
    chat.answer_to(alice, &invite, "488 Not Acceptable Here");
    assert!(chat.next_sip(alice).unwrap().start.starts_with("ACK "));
    chat.stage.pass(Duration::from_secs(60));
    assert_eq!(chat.next_sip(alice), None, "that is its last word");
    chat.say(alice, "Still here");
    // What changes while an offer is under way is offered after it.
    set(&mut chat, |policy| policy.room.nicknames = true);
    let invite = offered(&mut chat, alice);
    set(&mut chat, |policy| policy.room.private_messages = false);
    assert_eq!(chat.next_sip(alice), None);
    answers(&mut chat, alice, &invite, &Caller::new("alice"));
    let invite = offered(&mut chat, alice);
    assert_eq!(invite.attribute("chatroom"), "nickname");
    answers(&mut chat, alice, &invite, &Caller::new("alice"));
    assert_eq!(chat.next_sip(alice), None);
}

// CONFORMANCE 7701-108
#[test]
fn what_changes_before_the_ack_is_offered_after_it() {
    let mut chat = Chat::new();
    let phone = chat.stage.phone();
    let call_id = chat.invite_only(phone, "alice");
    let answer = chat.sip(phone, &call_id).unwrap();
    set(&mut chat, |policy| policy.room.nicknames = false);
    assert_eq!(chat.sip(phone, &call_id), None);
    let (from, to) = ("<sip:alice@chat.example.com>;tag=alice1", answer.header("To").unwrap());
    let ack = format!(
        "ACK sip:lobby@chat.example.com SIP/2.0\r\nVia: SIP/2.0/TCP alice.example.net;branch=z9hG4bKack\r\n\
         From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
    );
    chat.stage.send_octets(phone, ack.into_bytes());
    let invite = chat.sip(phone, &call_id).expect("an offer has come");
    assert!(invite.start.starts_with("INVITE ") && invite.attribute("chatroom") == "private-messages", "{invite:?}");
}

// CONFORMANCE 4575-043
#[test]
fn who_is_made_a_moderator_is_shown_so() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let [alice, _] = chat.all(["alice", "bob"]);
    chat.subscribe(alice, &["Event: conference"]);
    assert!(!told(&mut chat, alice).contains("<entry>moderator</entry>"));
    let moderator = |is| Command::Moderator { room: lobby(), user: user("bob"), is };
    assert_eq!(chat.stage.order(moderator(true)), DONE);
    assert_eq!(told(&mut chat, alice).matches("<entry>moderator</entry>").count(), 1);
    assert_eq!(chat.stage.order(moderator(false)), DONE);
    assert!(!told(&mut chat, alice).contains("<entry>moderator</entry>"));
}

fn told(chat: &mut Chat, person: Person) -> String {
    chat.notified(person).expect("a NOTIFY has come").body
}

// CONFORMANCE 4575-048 4575-059
#[test]
fn who_is_muted_is_not_heard_and_shown_so() {
    everywhere(|chat| {
        set(chat, |policy| policy.roster_interval = Duration::ZERO);
        let [alice, bob] = chat.all(["alice", "bob"]);
        chat.subscribe(bob, &["Event: conference"]);
        told(chat, bob);
        assert_eq!(chat.stage.order(Command::Mute { room: lobby(), user: user("alice") }), DONE);
        let notify = told(chat, bob);
        assert!(notify.contains("<status>muted-via-focus</status>") && notify.contains("<status>recvonly</status>"));
        assert_eq!(chat.send(alice, to(ROOM, "Help")), Some(403));
        assert_eq!(chat.send(alice, to("sip:bob@chat.example.com", "Help")), Some(403));
        chat.say(bob, "What is it?");
        chat.hears(alice, "What is it?");
        // A second device does not help, nor does coming again.
        let second = chat.join("alice");
        assert_eq!(chat.send(second, to(ROOM, "Help")), Some(403));
        assert_eq!(told(chat, bob).matches("muted-via-focus").count(), 2);
        assert_eq!(chat.stage.order(Command::Unmute { room: lobby(), user: user("alice") }), DONE);
        assert!(!told(chat, bob).contains("muted-via-focus"));
        chat.say(alice, "At last");
        chat.hears(bob, "At last");
        let again = Command::Unmute { room: lobby(), user: user("alice") };
        assert_eq!(chat.stage.order(again), Answer::Refused(Refusal::NoSuchUser));
    });
}

// THREATS T12
#[test]
fn the_operator_acts_on_a_private_participant_by_the_uri_that_is_shown() {
    let private = || Caller::new("alice").with_header("Privacy: id");
    let mut chat = Chat::new();
    let alice = chat.join(private());
    let shown = chat.answer(alice).header("Chat-Identity").unwrap().trim_matches(['<', '>']).to_owned();
    let Answer::Room(view) = chat.stage.order(Command::Show { room: lobby() }) else { panic!("no room") };
    assert_eq!(view.people.iter().map(|person| person.address.as_str()).collect::<Vec<_>>(), [shown.as_str()]);
    let known = Address::parse(&shown).unwrap();
    let whose = |user| Command::Whose { room: lobby(), user };
    assert_eq!(chat.stage.order(whose(known.clone())), Answer::Whose(user("alice")));
    assert_eq!(chat.stage.order(whose(user("bob"))), Answer::Whose(user("bob")));
    assert_eq!(chat.stage.order(Command::Mute { room: lobby(), user: known.clone() }), DONE);
    assert_eq!(chat.send(alice, to(ROOM, "Help").from(&shown)), Some(403));
    let banned = chat.stage.order(Command::Ban { room: lobby(), user: known });
    assert_eq!(banned, Answer::Done { ended: 1 });
    assert!(chat.dismissed(alice).unwrap().contains("banned"));
    // It is she who is banned, whatever she is called.
    assert_eq!(chat.call(private()).unwrap_err().code(), 403);
    assert_eq!(chat.call("alice").unwrap_err().code(), 403);
}

// CONFORMANCE 6665-008 THREATS T13 CVE-2018-12227 CVE-2021-37601
#[test]
fn a_hidden_room_is_none_for_who_may_not_enter_it() {
    let mut chat = Chat::with(|settings| settings.rooms.create = focus::settings::Create::Nobody);
    let bob = chat.join("bob");
    // So that all numbers in what follows have as many digits.
    chat.all(["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    let order = |chat: &mut Chat, command| assert_eq!(chat.stage.order(command), DONE);
    order(&mut chat, Command::Member { room: lobby(), user: user("bob"), is: true });
    let mallory = chat.join(Caller::new("mallory").to_room(sim::people::ATTIC));
    let answers = |chat: &mut Chat, room: &str| {
        let mut told = Vec::new();
        let stranger = Caller::new("mallory").to_room(room);
        let phone = chat.stage.phone();
        let call_id = chat.options(phone, stranger.clone());
        let options = chat.sip(phone, &call_id).unwrap();
        let invite = chat.call(&stranger).unwrap_err();
        let join = stranger.clone().with_header("Join: nothing;to-tag=1;from-tag=2");
        let join = chat.call(join).unwrap_err();
        let subscribe = chat.watch(&stranger, &["Event: conference"]).unwrap_err();
        let called = chat.refer_outside(phone, stranger.clone(), "Refer-To: <sip:carol@chat.example.com>");
        let removed = chat.refer_outside(phone, stranger, "Refer-To: <sip:bob@chat.example.com;method=BYE>");
        // The status line, the names of the fields in their order, and how many octets there are.
        let fixed = |answer: SipMessage| {
            let octets: usize = answer.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
            let names: Vec<String> = answer.headers.into_iter().map(|(name, _)| name).collect();
            (answer.start, names, octets + answer.body.len())
        };
        // What somebody in another room hears who has it called.
        let called_there = chat.refer(mallory, &format!("Refer-To: <{room}>"));
        let phone = chat.phone(mallory);
        while let Some(progress) = chat.progress(phone) {
            told.push(progress.status);
        }
        let answers = [options, invite, join, subscribe, called, removed, called_there];
        (answers.map(fixed), told)
    };
    let codes =
        |answers: &[(String, Vec<String>, usize)]| answers.iter().map(|it| it.0[8..11].to_owned()).collect::<Vec<_>>();
    let open = answers(&mut chat, ROOM);
    assert_eq!(codes(&open.0), ["403"; 7]);
    order(&mut chat, Command::Hidden { room: lobby(), hidden: true });
    let (hidden, none) = (answers(&mut chat, ROOM), answers(&mut chat, "sip:cabin@chat.example.com"));
    assert_eq!(codes(&hidden.0), ["404", "404", "481", "404", "404", "404", "202"]);
    assert_eq!(hidden, none, "nothing tells the two apart");
    assert_eq!(chat.subscribe(bob, &["Event: conference"]).code(), 200);
}

// CONFORMANCE 4575-012
#[test]
fn what_a_room_is_about_is_told_when_it_changes() {
    let mut chat = Chat::in_room(|policy| policy.roster_full_below = 0);
    let alice = chat.join("alice");
    chat.subscribe(alice, &["Event: conference"]);
    told(&mut chat, alice);
    let change = Change::Subject(Some("Tea & talk".to_owned()));
    assert_eq!(chat.stage.order(Command::Set { room: lobby(), change }), DONE);
    let notify = told(&mut chat, alice);
    assert!(notify.contains("<subject>Tea &amp; talk</subject>") && notify.contains("<conf-uris>"), "{notify}");
    let plain = chat.join(Caller::new("bob").without("chatroom"));
    assert!(chat.greeted(plain)[0].contains("about \"Tea & talk\""));
}
