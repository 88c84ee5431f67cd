//! Rooms that have a password: who is asked for it, and what it takes to get in.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::time::Duration;

use focus::Rate;
use focus::desk::{Answer, Charter, Command, Ha1s, Standing};
use focus::settings::{Auth, RoomPolicy, Settings};
use room::{Address, DeleteWhen};
use sim::people::{ATTIC, Caller, Chat, ROOM, SipMessage, everywhere};
use sim::stage::Phone;
use sip::auth::{Algorithm, Credentials, challenged_realm, ha1};

const DONE: Answer = Answer::Done { ended: 0 };
const SERVER: &str = "chat.example.com";

/// What is kept of a password of a room.
fn hashed(room: &str, password: &str) -> Option<Ha1s> {
    let of = |algorithm| Some(ha1(algorithm, room, &format!("sip:{room}@chat.example.com"), password));
    Some(Ha1s { sha256: of(Algorithm::Sha256), md5: of(Algorithm::Md5) })
}

fn set(chat: &mut Chat, password: Option<Ha1s>) {
    assert_eq!(chat.stage.order(Command::Password { room: "lobby".to_owned(), password }), DONE);
}

/// A node that believes everybody, whose lobby has a password.
fn asking() -> Chat {
    Chat::with(|settings| settings.rooms.permanent[0].standing.password = hashed("lobby", "sesame"))
}

fn digest(settings: &mut Settings) {
    settings.auth = Auth::Digest { realm: SERVER.to_owned(), md5: true };
}

fn user(name: &str) -> Address {
    Address::parse(&format!("sip:{name}@chat.example.com")).unwrap()
}

/// Somebody who has an account.
fn login(name: &str) -> Caller {
    Caller::new(name).with_login(name, "wonderland")
}

/// The realm that asks, once for each algorithm.
fn realm(answer: &SipMessage) -> String {
    assert_eq!((answer.code(), answer.body.as_str()), (401, ""), "{answer:?}");
    let mut realms: Vec<_> = answer.all("WWW-Authenticate").map(|value| challenged_realm(value).unwrap()).collect();
    realms.dedup();
    assert_eq!(realms.len(), 1, "{realms:?}");
    realms.remove(0)
}

fn is_stale(answer: &SipMessage) -> bool {
    answer.all("WWW-Authenticate").all(|value| value.contains("stale=true"))
}

/// What an INVITE of the lobby says to a challenge.
fn authorization(challenge: &SipMessage, user: &str, password: &str) -> String {
    let credentials = Credentials::new(user, password);
    let values = challenge.all("WWW-Authenticate");
    sip::auth::answer(&credentials, values, "INVITE", ROOM, "cnonce").unwrap().value
}

fn with(caller: Caller, authorizations: &[&str]) -> Caller {
    authorizations.iter().fold(caller, |caller, value| caller.with_header(&format!("Authorization: {value}")))
}

// CONFORMANCE 3261-22.3-1 8760-2.3-1
#[test]
fn who_knows_the_password_gets_in_and_nobody_else() {
    everywhere(|chat| {
        set(chat, hashed("lobby", "sesame"));
        let asked = chat.call("alice").unwrap_err();
        assert_eq!(realm(&asked), ROOM);
        let algorithms: Vec<_> = asked
            .all("WWW-Authenticate")
            .map(|value| (value.contains("SHA-256"), value.contains("qop=\"auth\"")))
            .collect();
        assert_eq!(algorithms, [(true, true), (false, true)], "the stronger one first");

        // What is wrong is answered as what is missing: another password, another name, another realm, no digest at all.
        let wrong = chat.call(Caller::new("alice").with_room_password("Sesame")).unwrap_err();
        let for_name = authorization(&asked, "alice", "sesame");
        let for_realm = for_name.replace(ROOM, ATTIC);
        let mut answers = vec![wrong];
        for said in [&*for_name, &for_realm, "Digest realm", "Basic bG9iYnk6c2VzYW1l"] {
            answers.push(chat.call(with(Caller::new("alice"), &[said])).unwrap_err());
        }
        let names = |answer: &SipMessage| answer.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        for answer in answers {
            assert_eq!((realm(&answer).as_str(), is_stale(&answer)), (ROOM, false), "{answer:?}");
            assert_eq!(names(&answer), names(&asked));
        }
        assert_eq!(chat.stage.node.signalling().census()[0], 0, "nobody has a seat");

        let [alice, bob] = ["alice", "bob"].map(|name| chat.join(Caller::new(name).with_room_password("sesame")));
        chat.say(alice, "Nice and quiet here");
        chat.hears(bob, "Nice and quiet here");
        // Who is in is not asked again.
        assert_eq!(chat.offer_again(alice, "alice").code(), 200);
    });
}

#[test]
fn a_client_that_knows_one_algorithm_alone_gets_in_by_it() {
    for algorithm in ["SHA-256", "MD5"] {
        let mut chat = asking();
        let mut asked = chat.call("alice").unwrap_err();
        asked.headers.retain(|(name, value)| name != "WWW-Authenticate" || value.contains(algorithm));
        chat.call(with(Caller::new("alice"), &[&authorization(&asked, "lobby", "sesame")])).unwrap();
    }
}

#[test]
fn another_name_beside_the_right_answer_is_wrong() {
    let mut chat = asking();
    let asked = chat.call("alice").unwrap_err();
    let said = authorization(&asked, "lobby", "sesame").replace("username=\"lobby\"", "username=\"alice\"");
    assert_eq!(realm(&chat.call(with(Caller::new("alice"), &[&said])).unwrap_err()), ROOM);
}

#[test]
fn a_room_has_one_password_in_all_spellings_of_its_uri() {
    for uri in ["sip:l%6fbby@CHAT.example.com;transport=tcp", "sip:lobby@192.0.2.1:5060", "sips:lobby@chat.example.com"]
    {
        let mut chat = asking();
        let caller = Caller::new("alice").to_room(uri);
        assert_eq!(realm(&chat.call(&caller).unwrap_err()), ROOM, "{uri}");
        chat.join(caller.with_room_password("sesame"));
    }
}

// CONFORMANCE 7701-019 3261-22.3-1
#[test]
fn where_people_log_in_the_server_asks_first_and_both_must_be_answered() {
    let mut chat = Chat::with(|settings| {
        digest(settings);
        settings.rooms.permanent[0].standing.password = hashed("lobby", "sesame");
    });
    chat.open_account("alice", "wonderland", &[]);
    assert_eq!(realm(&chat.call("alice").unwrap_err()), SERVER);
    // Who only knows the password is nobody, and is not told whether it is right.
    assert_eq!(realm(&chat.call(Caller::new("alice").with_room_password("sesame")).unwrap_err()), SERVER);
    let stranger = Caller::new("alice").with_login("alice", "looking-glass").with_room_password("sesame");
    assert_eq!(realm(&chat.call(stranger).unwrap_err()), SERVER);
    let asked = chat.call(login("alice")).unwrap_err();
    assert_eq!(realm(&asked), ROOM);
    assert_eq!(realm(&chat.call(login("alice").with_room_password("open")).unwrap_err()), ROOM);
    chat.join(login("alice").with_room_password("sesame"));
    chat.join(login("alice").to_room(ATTIC));
}

#[test]
fn both_realms_are_found_in_whichever_order_they_are_answered() {
    for order in [[0, 1], [1, 0]] {
        let mut chat = asking();
        let of_room = authorization(&chat.call("alice").unwrap_err(), "lobby", "sesame");
        let other = of_room.replace(ROOM, "elsewhere.example").replace("username=\"lobby\"", "username=\"alice\"");
        let said = [&*of_room, &other];
        chat.call(with(Caller::new("alice"), &order.map(|at| said[at]))).unwrap();
    }
}

#[test]
fn nobody_is_excepted_and_who_may_not_enter_is_not_asked() {
    let mut chat = Chat::new();
    let standing = Standing {
        members: Some([user("alice"), user("mallory")].into()),
        moderators: [user("bob")].into(),
        banned: [user("mallory")].into(),
        password: hashed("garden", "roses"),
        hidden: true,
        ..Standing::default()
    };
    let mut policy = RoomPolicy::default();
    policy.room.delete_when = DeleteWhen::Never;
    let charter = Charter { subject: None, policy, creator: Some(user("alice")), standing, is_permanent: true };
    assert_eq!(chat.stage.order(Command::Create { room: "garden".to_owned(), charter: Box::new(charter) }), DONE);
    let caller = |name| Caller::new(name).to_room("sip:garden@chat.example.com");
    for name in ["alice", "bob"] {
        assert_eq!(realm(&chat.call(caller(name)).unwrap_err()), "sip:garden@chat.example.com", "{name}");
        chat.call(caller(name).with_room_password("roses")).unwrap();
    }
    // Neither banned people nor strangers learn that there is a password, or whether they have guessed it.
    for name in ["mallory", "carol"] {
        for caller in [caller(name), caller(name).with_room_password("roses")] {
            let refused = chat.call(caller).unwrap_err();
            assert!([403, 404].contains(&refused.code()), "{refused:?}");
            assert_eq!(refused.header("WWW-Authenticate"), None);
        }
    }
}

#[test]
fn the_password_comes_before_what_the_room_takes() {
    let mut chat = asking();
    let secure = |caller: Caller| caller.with("accept-types", "text/plain");
    assert_eq!(realm(&chat.call(secure(Caller::new("alice"))).unwrap_err()), ROOM);
    assert_eq!(chat.call(secure(Caller::new("alice").with_room_password("sesame"))).unwrap_err().code(), 488);
}

// THREATS T21
#[test]
fn what_proved_the_password_serves_once_for_one_room_and_not_for_ever() {
    let mut chat = asking();
    let attic = Command::Password { room: "attic".to_owned(), password: hashed("attic", "sesame") };
    assert_eq!(chat.stage.order(attic), DONE);
    let say = |challenge: &SipMessage| with(Caller::new("alice"), &[&authorization(challenge, "lobby", "sesame")]);
    let caller = say(&chat.call("alice").unwrap_err());
    chat.call(&caller).unwrap();
    let replayed = chat.call(&caller).unwrap_err();
    assert!(realm(&replayed) == ROOM && is_stale(&replayed), "{replayed:?}");
    // It is of no use at another room, of the same password.
    assert_eq!(realm(&chat.call(caller.clone().to_room(ATTIC)).unwrap_err()), ATTIC);
    // The nonce that came with it is good, for five minutes.
    chat.call(say(&replayed)).unwrap();
    let late = say(&chat.call("alice").unwrap_err());
    chat.stage.pass(Duration::from_secs(301));
    assert!(is_stale(&chat.call(&late).unwrap_err()));

    // Nor is what was said before good again when the same password is set anew, or the same room made anew.
    let caller = say(&chat.call("alice").unwrap_err());
    chat.call(&caller).unwrap();
    set(&mut chat, hashed("lobby", "sesame"));
    assert_eq!(realm(&chat.call(&caller).unwrap_err()), ROOM);
    set(&mut chat, None);
    set(&mut chat, hashed("lobby", "sesame"));
    assert_eq!(realm(&chat.call(&caller).unwrap_err()), ROOM);
}

#[test]
fn another_password_is_asked_for_at_once_and_who_is_in_stays() {
    let mut chat = asking();
    let first = chat.call("alice").unwrap_err();
    let alice = chat.join(Caller::new("alice").with_room_password("sesame"));
    set(&mut chat, hashed("lobby", "roses"));
    assert_eq!(chat.dismissed(alice), None);
    assert_eq!(realm(&chat.call(Caller::new("bob").with_room_password("sesame")).unwrap_err()), ROOM);
    // Whoever was asked before and knows the new one is asked once more, not for another password.
    let said = authorization(&first, "lobby", "roses");
    assert!(is_stale(&chat.call(with(Caller::new("bob"), &[&said])).unwrap_err()));
    chat.join(Caller::new("bob").with_room_password("roses"));
    set(&mut chat, None);
    let carol = chat.join("carol");
    chat.say(carol, "The door was open");
    chat.hears(alice, "The door was open");
    let deleted = chat.stage.order(Command::Delete { room: "lobby".to_owned(), reason: None });
    assert_eq!(deleted, Answer::Done { ended: 3 });
    chat.answer_all();
    chat.join("alice");
}

#[test]
fn options_is_asked_like_an_invite_and_other_methods_are_not() {
    let mut chat = asking();
    let phone = chat.stage.phone();
    let call_id = chat.options(phone, "alice");
    let asked = chat.sip(phone, &call_id).unwrap();
    assert_eq!(realm(&asked), ROOM);
    let values = asked.all("WWW-Authenticate");
    let said = sip::auth::answer(&Credentials::new("lobby", "sesame"), values, "OPTIONS", ROOM, "cnonce").unwrap();
    let send = |chat: &mut Chat, phone: Phone, method: &str, uri: &str, lines: &str| {
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/TCP alice.example.net;branch=z9hG4bK{method}\r\nMax-Forwards: 70\r\n\
             From: <sip:alice@chat.example.com>;tag=1\r\nTo: <sip:alice@chat.example.com>\r\nCall-ID: {method}\r\n\
             CSeq: 9 {method}\r\nContact: <sip:alice@192.0.2.101>\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        chat.stage.send_octets(phone, text.into_bytes());
        chat.sip(phone, method).unwrap()
    };
    let told = send(&mut chat, phone, "OPTIONS", ROOM, &format!("Authorization: {}\r\n", said.value));
    assert!(told.code() == 200 && told.header("Contact").unwrap().contains(";isfocus"), "{told:?}");
    // Who has no seat is told nothing of who has one; who registers says nothing about rooms.
    assert_eq!(send(&mut chat, phone, "SUBSCRIBE", ROOM, "Event: conference\r\n").code(), 403);
    assert_eq!(send(&mut chat, phone, "REGISTER", "sip:chat.example.com", "").code(), 200);
}

#[test]
fn md5_is_taken_where_the_settings_say_so_and_the_hash_is_there() {
    let offers = |offered: bool, password: Option<Ha1s>| {
        let mut chat = Chat::with(|settings| {
            settings.auth = Auth::Digest { realm: SERVER.to_owned(), md5: offered };
            settings.rooms.permanent[0].standing.password = password;
        });
        chat.open_account("alice", "wonderland", &[]);
        let answer = chat.call(login("alice")).unwrap_err();
        let algorithms = answer.all("WWW-Authenticate").map(|value| value.contains("SHA-256")).collect::<Vec<_>>();
        (answer.code(), algorithms)
    };
    let both = hashed("lobby", "sesame").unwrap();
    let sha256 = Ha1s { md5: None, ..both.clone() };
    let md5 = Ha1s { sha256: None, ..both.clone() };
    assert_eq!(offers(true, Some(both.clone())), (401, vec![true, false]));
    assert_eq!(offers(false, Some(both)), (401, vec![true]));
    assert_eq!(offers(true, Some(sha256)), (401, vec![true]));
    assert_eq!(offers(true, Some(md5.clone())), (401, vec![false]));
    // Nobody can prove to know it; that is not to say that anybody may come in.
    assert_eq!(offers(false, Some(md5)), (403, vec![]));
}

// THREATS T21
#[test]
fn guesses_are_bounded_as_calls_are() {
    let mut chat = Chat::with(|settings| {
        settings.rooms.permanent[0].standing.password = hashed("lobby", "sesame");
        settings.join_rate = Some(Rate { count: 5, per: Duration::from_secs(1) });
    });
    let phone = chat.stage.phone();
    let mut guess = |password: &str| {
        let guessed = chat.call_from(phone, Caller::new("mallory").with_room_password(password));
        guessed.map(|_| ()).map_err(|answer| answer.code())
    };
    let guesses: Vec<_> = ["a", "b", "c", "sesame"].map(&mut guess).to_vec();
    assert_eq!(guesses, [Err(401), Err(401), Err(503), Err(503)], "two requests a guess, five a second");
    chat.stage.pass(Duration::from_secs(1));
    chat.join(Caller::new("alice").with_room_password("sesame"));
}
