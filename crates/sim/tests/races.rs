//! What happens at once may happen in any order: the letters between the owners of a node are read in every order that there is,
//! and what people see makes sense in each.

use sim::people::{ATTIC, Caller, Chat, Outcome, Person, Placement, ROOM, nothing, to};

/// Plays a scene once for each order in which its letters can be read: `begin` sets it up and sets things going, `end` looks at
/// what has come of it. How many orders there were.
fn in_every_order<T>(begin: impl Fn() -> (Chat, T), end: impl Fn(&mut Chat, &T)) -> usize {
    let mut choices: Vec<(usize, usize)> = Vec::new();
    for played in 1..=100_000 {
        let (mut chat, cast) = begin();
        let mut turn = 0;
        chat.stage.settle_by(|count| {
            if turn == choices.len() {
                choices.push((0, count));
            }
            turn += 1;
            choices[turn - 1].0
        });
        end(&mut chat, &cast);
        while choices.last().is_some_and(|(chosen, count)| chosen + 1 == *count) {
            choices.pop();
        }
        match choices.last_mut() {
            Some((chosen, _)) => *chosen += 1,
            None => return played,
        }
    }
    panic!("more orders than anybody can play");
}

/// Octets from somebody's connection, whose consequences wait.
fn sends(chat: &mut Chat, person: Person, octets: &[u8]) {
    let link = chat.link(person);
    chat.stage.node.received(chat.stage.now, link, octets);
}

fn streams(chat: &Chat) -> usize {
    chat.stage.node.census().iter().map(|[_, _, streams]| streams).sum()
}

/// Everybody on another worker than the room's home.
fn away() -> Chat {
    let mut chat = Chat::new();
    chat.placement = Placement::Away;
    chat
}

// CONFORMANCE 7701-050
#[test]
fn who_comes_while_something_is_said_hears_all_of_it_or_nothing() {
    for is_first in [false, true] {
        let begin = || {
            let mut chat = away();
            let alice = chat.join("alice");
            let bob = chat.call("bob").unwrap();
            let above = chat.join(Caller::new("bob").to_room(ATTIC));
            chat.use_link(chat.link(above), bob);
            let (bound, bind) = chat.frame_of(bob, nothing());
            if is_first {
                sends(&mut chat, bob, &bind);
            }
            let whole = to(ROOM, &"word ".repeat(100)).id("message1").spoken_by(&chat.uri(alice));
            for chunk in whole.cut_at(&[300]) {
                let (_, octets) = chat.frame_of(alice, chunk);
                sends(&mut chat, alice, &octets);
            }
            if !is_first {
                sends(&mut chat, bob, &bind);
            }
            (chat, (alice, bob, bound, whole))
        };
        in_every_order(begin, |chat, (alice, bob, bound, whole)| {
            assert_eq!(chat.response(*bob, bound), Some(200));
            let heard = match chat.outcome(*bob) {
                Some(Outcome::Whole(message)) => Some(message.octets),
                None => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(heard, whole.body.clone().filter(|_| is_first));
            chat.silent(*bob);
            chat.say(*alice, "Welcome");
            chat.hears(*bob, "Welcome");
            assert_eq!(streams(chat), 0);
        });
    }
}

#[test]
fn a_connection_that_is_lost_after_its_session_has_moved_harms_nothing() {
    let begin = || {
        let mut chat = Chat::in_room(|policy| policy.grace = std::time::Duration::ZERO);
        chat.placement = Placement::Away;
        let [alice, bob] = chat.all(["alice", "bob"]);
        let moved = Caller::new("alice").with_path("msrp://elsewhere.example.org:7654/moved;tcp");
        let (phone, invite) = (chat.phone(alice), chat.later_offer(alice, &moved));
        chat.stage.send_unsettled(phone, invite);
        chat.stage.node.closed(chat.stage.now, chat.link(alice));
        (chat, (alice, bob))
    };
    in_every_order(begin, |chat, (alice, bob)| {
        assert_eq!(chat.take_answer(*alice).code(), 200);
        let link = chat.stage.connect(false);
        chat.bind_on(link, *alice);
        chat.say(*alice, "I have moved");
        chat.hears(*bob, "I have moved");
        assert_eq!(chat.dismissed(*alice), None);
    });
}

#[test]
fn who_goes_while_something_is_said_leaves_nothing_behind() {
    for placement in [Placement::Away, Placement::Mixed] {
        let begin = || {
            let mut chat = Chat::new();
            chat.placement = placement;
            let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
            let whole = to(ROOM, &"word ".repeat(100)).id("message1").spoken_by(&chat.uri(alice));
            let chunks = whole.cut_at(&[300]);
            assert_eq!(chat.send(alice, &chunks[0]), Some(200));
            let (last, octets) = chat.frame_of(alice, &chunks[1]);
            sends(&mut chat, alice, &octets);
            let bye = chat.bye(bob);
            let phone = chat.phone(bob);
            chat.stage.send_unsettled(phone, bye);
            (chat, (alice, bob, carol, last, whole))
        };
        in_every_order(begin, |chat, (alice, bob, carol, last, whole)| {
            assert_eq!(chat.next_sip(*bob).map(|answer| answer.code()), Some(200));
            assert_eq!(chat.response(*alice, last), Some(200));
            assert_eq!(Some(chat.rx(*carol).octets), whole.body);
            assert_eq!(streams(chat), 0);
            chat.say(*carol, "Two of us");
            chat.hears(*alice, "Two of us");
        });
    }
}

#[test]
fn what_is_said_while_its_speaker_goes_is_heard_and_ended() {
    for octets in [50, 3_000] {
        let begin = || {
            let mut chat = away();
            let [alice, bob] = chat.all(["alice", "bob"]);
            // Whole, or only its beginning.
            let (_, frame) = chat.frame_of(alice, to(ROOM, &"x".repeat(octets)).asking_success());
            sends(&mut chat, alice, &frame[..frame.len().min(2_000)]);
            let bye = chat.bye(alice);
            let phone = chat.phone(alice);
            chat.stage.send_unsettled(phone, bye);
            (chat, (alice, bob))
        };
        in_every_order(begin, |chat, (alice, bob)| {
            assert_eq!(chat.next_sip(*alice).map(|answer| answer.code()), Some(200));
            match chat.outcome(*bob) {
                Some(Outcome::Whole(_)) if octets == 50 => {}
                Some(Outcome::Aborted(_)) if octets == 3_000 => {}
                other => panic!("{octets}: {other:?}"),
            }
            assert_eq!(streams(chat), 0);
            chat.silent(*bob);
            assert_eq!(chat.send(*bob, to("sip:alice@chat.example.com", "Bye")), Some(404));
        });
    }
}

// CONFORMANCE 7701-082 7701-101 7701-127
#[test]
fn a_nickname_that_is_given_up_and_wanted_at_once_is_never_two_users() {
    let begin = || {
        let mut chat = Chat::in_room(|policy| policy.room.nickname_quarantine = std::time::Duration::ZERO);
        chat.placement = Placement::Away;
        let [alice, bob] = chat.all(["alice", "bob"]);
        assert_eq!((chat.nick(alice, "queen"), chat.nick(bob, "king")), (200, 200));
        // Both want what the other has.
        for (person, name) in [(alice, "king"), (bob, "queen"), (alice, "")] {
            let (switch, path) = (chat.switch_uri(person), chat.path(person));
            let octets = format!(
                "MSRP wish{} NICKNAME\r\nTo-Path: {switch}\r\nFrom-Path: {path}\r\nUse-Nickname: \"{name}\"\r\n-------wish{}$\r\n",
                name.len(),
                name.len()
            );
            sends(&mut chat, person, octets.as_bytes());
        }
        (chat, (alice, bob))
    };
    in_every_order(begin, |chat, (alice, bob)| {
        let codes = [(*alice, "wish4"), (*bob, "wish5"), (*alice, "wish0")].map(|(who, what)| chat.response(who, what));
        assert!(matches!(codes, [Some(200 | 425), Some(200 | 425), Some(200)]), "{codes:?}");
        // Whoever has none can have what is left.
        assert_eq!(chat.nick(*alice, "jack"), 200);
        let free = if codes[1] == Some(200) { "king" } else { "queen" };
        assert_eq!(chat.nick(*alice, free), 200, "{codes:?}");
        let held = if codes[1] == Some(200) { "queen" } else { "king" };
        assert_eq!(chat.nick(*alice, held), 425, "{codes:?}");
    });
}

// CONFORMANCE 7701-012
#[test]
fn who_calls_while_the_room_ends_gets_a_room_all_the_same_or_none() {
    let begin = || {
        let mut chat = Chat::with(|settings| {
            settings.rooms.defaults.room.delete_when = room::DeleteWhen::CreatorLeaves;
        });
        let garden = |name: &str| Caller::new(name).to_room("sip:garden@chat.example.com");
        let [alice, bob] = ["alice", "bob"].map(|name| chat.join(garden(name)));
        let phone = chat.stage.phone();
        let (invite, call_id) = chat.invitation(phone, garden("carol"));
        let bye = chat.bye(alice);
        chat.stage.send_unsettled(phone, invite);
        let hers = chat.phone(alice);
        chat.stage.send_unsettled(hers, bye);
        (chat, (alice, bob, phone, call_id))
    };
    in_every_order(begin, |chat, (alice, bob, phone, call_id)| {
        assert_eq!(chat.next_sip(*alice).map(|answer| answer.code()), Some(200));
        assert!(chat.dismissed(*bob).is_some());
        let code = chat.sip(*phone, call_id).map(|answer| answer.code());
        assert!(matches!(code, Some(200 | 404)), "{code:?}");
        chat.answer_all();
        let [seats, rooms] = chat.stage.node.signalling().census();
        assert!(seats <= 1 && rooms <= 3, "{seats} {rooms}");
    });
}
