//! Binding sessions to connections (RFC 4975 §5.4, §6.1, §7.3): which session a request is for, and who may speak in it.

use std::time::Duration;

use sim::people::{ATTIC, Caller, Chat, Person, ROOM, everywhere, nothing, to};

/// The code that a bodiless SEND on a fresh connection gets with this To-Path.
fn knock(chat: &mut Chat, to_path: &str) -> Option<u16> {
    let link = chat.stage.connect(false);
    knock_on(chat, link, to_path)
}

fn knock_on(chat: &mut Chat, link: focus::node::LinkId, to_path: &str) -> Option<u16> {
    let from = "msrp://somebody.example.net:7654/path;tcp";
    let text =
        format!("MSRP knock SEND\r\nTo-Path: {to_path}\r\nFrom-Path: {from}\r\nMessage-ID: knock\r\n-------knock$\r\n");
    chat.stage.say_octets(link, text.as_bytes());
    let answer = chat.frames(link).pop_front()?;
    if answer.code() != Some(200) {
        assert_eq!(answer.header("From-Path"), to_path.split(' ').next(), "{answer:?}");
    }
    answer.code()
}

// CONFORMANCE 4975-016 4975-018 4975-035 4975-036 4975-037 4975-038 4975-039 4975-098
#[test]
fn a_session_is_named_by_its_uri() {
    let mut chat = Chat::new();
    let alice = chat.call("alice").unwrap();
    let uri = chat.switch_uri(alice);
    let (before, id) = uri.trim_end_matches(";tcp").rsplit_once('/').unwrap();
    let strangers = [
        format!("{before}/{};tcp", "x".repeat(id.len())),
        format!("{before}/{};tcp", id.to_uppercase()),
        format!("{before};tcp"),
        format!("msrp://chat.example.com/{id};tcp"),
        format!("msrp://chat.example.com:2856/{id};tcp"),
        format!("msrps://chat.example.com:2855/{id};tcp"),
        format!("msrp://chat.example.org:2855/{id};tcp"),
        format!("{before}/{id};udp"),
        format!("{before}/{id}"),
        format!("{uri} msrp://further.example.net:2855/on;tcp"),
        "sip:lobby@chat.example.com".to_owned(),
    ];
    for stranger in &strangers {
        assert_eq!(knock(&mut chat, stranger), Some(481), "{stranger}");
    }
    let friends = [
        uri.clone(),
        format!("MSRP://CHAT.example.com:2855/{id};TCP"),
        format!("msrp://u@chat%2Eexample.com:2855/{id};tcp;foo=bar"),
    ];
    for friend in friends {
        let alice = chat.call("alice").unwrap();
        let own = chat.switch_uri(alice);
        let own_id = own.trim_end_matches(";tcp").rsplit('/').next().unwrap();
        assert_eq!(knock(&mut chat, &friend.replace(id, own_id)), Some(200), "{friend}");
    }
}

// CONFORMANCE 4975-036 4975-112
#[test]
fn a_session_may_be_at_an_ipv6_address() {
    let mut chat = Chat::with(|settings| settings.media.tcp = Some(("2001:db8::1".to_owned(), 2855)));
    for spelling in ["[2001:db8::1]", "[2001:DB8:0:0::1]"] {
        let alice = chat.call(Caller::new("alice").with_path("msrp://[::1]:7654/alice;tcp")).unwrap();
        assert_eq!(chat.answer(alice).lines('c'), ["IN IP6 2001:db8::1"]);
        let uri = chat.switch_uri(alice);
        assert!(uri.starts_with("msrp://[2001:db8::1]:2855/"), "{uri}");
        let other = uri.replace("[2001:db8::1]", "[2001:db8::2]");
        assert_eq!(knock(&mut chat, &other), Some(481));
        assert_eq!(knock(&mut chat, &uri.replace("[2001:db8::1]", spelling)), Some(200));
    }
}

// CONFORMANCE 4975-011
#[test]
fn a_session_is_bound_on_the_transport_that_was_agreed() {
    let mut chat = Chat::new();
    for (caller, wrong) in [(Caller::new("alice"), true), (Caller::new("bob").secure(), false)] {
        let person = chat.call(caller).unwrap();
        let uri = chat.switch_uri(person);
        let link = chat.stage.connect(wrong);
        assert_eq!(knock_on(&mut chat, link, &uri), Some(481), "{uri}");
        chat.bind(person);
    }
}

// CONFORMANCE 4975-019 4975-096 4975-147 7701-122
// THREATS T2 T3
#[test]
fn a_session_belongs_to_the_connection_that_named_it_first() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let uri = chat.switch_uri(alice);
        // Somebody else who knows the URI.
        assert_eq!(knock(chat, &uri), Some(506));
        let mallory = chat.join("mallory");
        let link = chat.link(mallory);
        for (name, claimed) in [("alice", alice), ("mallory", mallory)] {
            let from = format!("sip:{name}@chat.example.com");
            let text = forged(chat, alice, mallory, &from);
            chat.stage.say_octets(link, &text);
            assert_eq!(chat.response(mallory, "forgery"), Some(506), "{claimed:?}");
        }
        chat.all_silent(&[alice, bob, carol, mallory]);
        chat.say(alice, "It is really me");
        chat.hears(bob, "It is really me");
        chat.hears(carol, "It is really me");
        chat.hears(mallory, "It is really me");
    });
}

/// A message in the session of one, on the connection of another.
fn forged(chat: &mut Chat, of: Person, by: Person, from: &str) -> Vec<u8> {
    let (switch, path) = (chat.switch_uri(of), chat.path(by));
    sim::script::wire(&format!(
        "
        MSRP forgery SEND
        To-Path: {switch}
        From-Path: {path}
        Message-ID: forgery
        Content-Type: message/cpim

        From: <{from}>
        To: <{ROOM}>

        Content-Type: text/plain

        Believe me
        -------forgery$
        "
    ))
    .into_bytes()
}

// CONFORMANCE 4975-017
#[test]
fn a_path_that_was_rewritten_on_the_way_is_borne() {
    // Decision D22: To-Path alone ties a connection to a session.
    let mut chat = Chat::new();
    let [alice, bob] = chat.all(["alice", "bob"]);
    let link = chat.link(alice);
    let text = forged(&mut chat, alice, bob, "sip:alice@chat.example.com");
    chat.stage.say_octets(link, &text);
    let answer = chat.frames(link).pop_front().unwrap();
    assert_eq!((answer.code(), answer.header("To-Path")), (Some(200), Some(chat.path(bob).as_str())));
    chat.hears(bob, "Believe me");
}

// CONFORMANCE 4975-097 4975-077 4975-076
#[test]
fn who_wants_no_answer_gets_none() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let link = chat.link(alice);
    let stranger = "msrp://chat.example.com:2855/nosuchsession;tcp";
    for (method, header) in [("SEND", "Failure-Report: no\r\n"), ("REPORT", "Status: 000 200 OK\r\n")] {
        let text = format!(
            "MSRP knock {method}\r\nTo-Path: {stranger}\r\nFrom-Path: msrp://a.example.net:1/a;tcp\r\nMessage-ID: knock\r\n{header}-------knock$\r\n"
        );
        chat.stage.say_octets(link, text.as_bytes());
        chat.silent(alice);
    }
    assert_eq!(knock_on(&mut chat, link, stranger), Some(481));
}

// CONFORMANCE 4975-018
// THREATS T1
#[test]
fn who_goes_on_guessing_is_cut_off() {
    let mut chat = Chat::new();
    let link = chat.stage.connect(false);
    let mut codes = Vec::new();
    for n in 0..20 {
        codes.extend(knock_on(&mut chat, link, &format!("msrp://chat.example.com:2855/guess{n};tcp")));
    }
    assert_eq!(codes, [481; 10]);
    assert!(chat.stage.is_closed(link));
}

// THREATS bf371ccb
#[test]
fn connections_that_come_and_go_leave_nothing() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let census = chat.stage.node.census();
    for number in 0..3_000 {
        let link = chat.stage.connect(number % 2 == 0);
        match number % 5 {
            0 => {}
            1 => assert_eq!(knock_on(&mut chat, link, "msrp://chat.example.com:2855/nobody;tcp"), Some(481)),
            // In the middle of a frame.
            2 => chat.stage.say_octets(link, b"MSRP half SEND\r\nTo-Path: msrp://chat"),
            3 => chat.stage.say_octets(link, b"GET / HTTP/1.1\r\n\r\n"),
            // Many requests, and gone before the answers have been taken.
            _ => {
                chat.stage.stall(link, 0);
                let text = "MSRP many SEND\r\nTo-Path: msrp://chat.example.com:2855/nobody;tcp\r\n\
                            From-Path: msrp://b.example.net:1/b;tcp\r\nMessage-ID: many\r\n-------many$\r\n";
                chat.stage.say_octets(link, text.repeat(20).as_bytes());
            }
        }
        chat.stage.cut(link);
    }
    assert_eq!(chat.stage.node.census(), census);
    chat.say(alice, "Nobody has gone");
    chat.silent(alice);
}

// CONFORMANCE 4975-015
// THREATS T4
#[test]
fn a_connection_that_names_no_session_is_closed() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let silent = chat.stage.connect(false);
    let begun = chat.stage.connect(false);
    chat.stage.say_octets(begun, b"MSRP halfway SEND\r\nTo-Path: msrp://chat.exa");
    chat.say(alice, "Is anybody there?");
    assert!(chat.stage.pending(silent).is_empty() && chat.stage.pending(begun).is_empty());
    chat.stage.pass(Duration::from_secs(29));
    assert!(!chat.stage.is_closed(silent) && !chat.stage.is_closed(begun));
    chat.stage.pass(Duration::from_secs(1));
    assert!(chat.stage.is_closed(silent) && chat.stage.is_closed(begun));
    let own = chat.link(alice);
    chat.stage.pass(Duration::from_secs(3600));
    assert!(!chat.stage.is_closed(own), "RFC 4975 §5.4: one with a live session stays");
}

// THREATS T5
#[test]
fn a_head_that_has_begun_is_whole_in_time_or_the_connection_goes() {
    let mut chat = Chat::new();
    let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
    let [alices, bobs, carols] = [alice, bob, carol].map(|person| chat.link(person));
    // An octet now and then.
    let drip = b"MSRP dripdrip SEND\r\nTo-Path: msrp://chat.example.com";
    for octet in &drip[..29] {
        chat.stage.say_octets(alices, &[*octet]);
        chat.stage.pass(Duration::from_secs(1));
        assert!(!chat.stage.is_closed(alices));
    }
    // Heads that are whole in time count anew, however many there are; and a body may take as long as it likes.
    let (transaction, frame) = chat.frame_of(bob, to(ROOM, &"slow ".repeat(40)));
    let split = frame.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap() + 4;
    chat.stage.say_octets(bobs, &frame[..split]);
    for part in frame[split..].chunks(40) {
        chat.stage.pass(Duration::from_secs(20));
        chat.stage.say_octets(bobs, part);
        let (keep_alive, whole) = chat.frame_of(carol, nothing());
        chat.stage.say_octets(carols, &whole[..20]);
        chat.stage.pass(Duration::from_secs(20));
        chat.stage.say_octets(carols, &whole[20..]);
        assert_eq!(chat.response(carol, &keep_alive), Some(200));
    }
    assert_eq!(chat.response(bob, &transaction), Some(200));
    assert!(chat.stage.is_closed(alices));
    assert!(!chat.stage.is_closed(bobs) && !chat.stage.is_closed(carols));
}

#[test]
fn a_seat_whose_session_nobody_binds_is_given_up() {
    // Decision D46.
    let mut chat = Chat::in_room(|policy| policy.room.simultaneous_access = false);
    let bob = chat.join("bob");
    let alice = chat.call("alice").unwrap();
    // Who has not bound is no member yet.
    assert_eq!(chat.send(bob, to("sip:alice@chat.example.com", "Are you there?")), Some(404));
    chat.say(bob, "Nobody hears this");
    chat.stage.pass(Duration::from_secs(29));
    assert_eq!(chat.dismissed(alice), None);
    chat.stage.pass(Duration::from_secs(1));
    assert_eq!(chat.dismissed(alice).as_deref(), Some("SIP;cause=408;text=\"No MSRP connection came\""));
    let uri = chat.switch_uri(alice);
    assert_eq!(knock(&mut chat, &uri), Some(481));
    // Her seat is free again.
    let again = chat.join("alice");
    chat.silent(again);
}

// CONFORMANCE 4975-016 4975-034 4975-095 4976-005
#[test]
fn one_connection_carries_sessions_of_many_rooms_and_users() {
    // Decision D16. Both rooms live on different workers, so half of the sessions are claimed by mail.
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let mut chat = Chat::new();
        let people = [("alice", ROOM), ("bob", ROOM), ("alice", ATTIC), ("carol", ATTIC)]
            .map(|(name, room)| chat.call(Caller::new(name).to_room(room)).unwrap());
        let link = chat.stage.connect(false);
        for index in order {
            chat.bind_on(link, people[index]);
        }
        let [alice, bob, alice_above, carol] = people;
        chat.say(alice, "Below");
        chat.hears(bob, "Below");
        assert_eq!(chat.send(carol, to(ATTIC, "Above")), Some(200));
        chat.hears(alice_above, "Above");
        chat.all_silent(&people);
        let [connections, ..] = chat.stage.node.census().into_iter().fold([0; 3], |a, b| [a[0] + b[0], a[1] + b[1], 0]);
        assert_eq!(connections, 1);

        // One leaves; the connection is the others' still.
        chat.leave(alice);
        chat.say(bob, "Anybody?");
        assert_eq!(chat.send(alice_above, to(ATTIC, "Still here")), Some(200));
        chat.hears(carol, "Still here");
        let gone = chat.switch_uri(alice);
        assert_eq!(knock_on(&mut chat, link, &gone), Some(481));
        for person in [bob, alice_above, carol] {
            assert!(!chat.stage.is_closed(link));
            chat.leave(person);
        }
        assert!(chat.stage.is_closed(link));
    }
}

// CONFORMANCE 4975-095
#[test]
fn requests_may_follow_the_first_one_at_once() {
    // The connection goes to the home of the room after its first request, or its session is claimed by mail: what came behind
    // is not lost, wherever the octets are cut.
    for at in [0, 1, 60, 200, 300, 350, 500] {
        let mut chat = Chat::new();
        let bob = chat.join("bob");
        let [alice, above] = [ROOM, ATTIC].map(|room| chat.call(Caller::new("alice").to_room(room)).unwrap());
        let link = chat.stage.connect(false);
        let mut octets = Vec::new();
        let mut transactions = Vec::new();
        for (person, what) in [(alice, to(ROOM, "one")), (above, to(ATTIC, "aside")), (alice, to(ROOM, "two"))] {
            let (transaction, frame) = chat.frame_of(person, &what);
            octets.extend(frame);
            transactions.push((person, transaction));
        }
        chat.stage.say_octets(link, &octets[..at]);
        chat.stage.say_octets(link, &octets[at..]);
        for (person, transaction) in transactions {
            chat.use_link(link, person);
            assert_eq!(chat.response(person, &transaction), Some(200), "cut at {at}");
        }
        chat.hears(bob, "one");
        chat.hears(bob, "two");
        chat.silent(bob);
    }
}

#[test]
fn two_connections_that_claim_one_session_cannot_both_have_it() {
    // On other workers than its home: both claims are on their way at once.
    let mut chat = Chat::new();
    let above = ["bob", "carol"].map(|name| chat.join(Caller::new(name).to_room(ATTIC)));
    let alice = chat.call("alice").unwrap();
    let (transaction, octets) = chat.frame_of(alice, nothing());
    for person in above {
        let link = chat.link(person);
        chat.stage.node.received(chat.stage.now, link, &octets);
    }
    chat.stage.settle();
    let mut codes = Vec::new();
    for person in above {
        let link = chat.link(person);
        chat.use_link(link, alice);
        codes.extend(chat.response(alice, &transaction));
    }
    assert_eq!(codes, [200, 506]);
}

#[test]
fn a_claim_whose_connection_is_cut_meanwhile_loses_the_session() {
    let mut chat = Chat::in_room(|policy| policy.room.simultaneous_access = false);
    let above = chat.join(Caller::new("bob").to_room(ATTIC));
    let alice = chat.call("alice").unwrap();
    let (_, octets) = chat.frame_of(alice, nothing());
    let link = chat.link(above);
    chat.stage.node.received(chat.stage.now, link, &octets);
    chat.stage.cut(link);
    assert_eq!(chat.dismissed(alice), None, "decision D52: the seat is kept for a while");
    chat.stage.pass(Duration::from_secs(30));
    assert!(chat.dismissed(alice).is_some_and(|reason| reason.contains("connection is lost")));
    chat.join("alice");
}
