//! Leaving and being made to leave (RFC 7701 §5.3, §4.1; RFC 4975 §5.4): by BYE, by loss of the media, with the room or the node.

use std::time::Duration;

use focus::signalling::Input;
use room::DeleteWhen;
use sim::people::{Caller, Chat, ROOM, everywhere, nothing, to};

const GARDEN: &str = "sip:garden@chat.example.com";

fn gardener(name: &str) -> Caller {
    Caller::new(name).to_room(GARDEN)
}

// CONFORMANCE 7701-001 4975-028 4975-145
#[test]
fn who_hangs_up_is_gone_at_once() {
    let mut chat = Chat::new();
    let [alice, bob] = chat.all(["alice", "bob"]);
    let link = chat.link(alice);
    assert_eq!(chat.nick(alice, "queen"), 200);
    chat.leave(alice);
    assert!(chat.stage.is_closed(link));
    chat.say(bob, "Where is Alice?");
    assert_eq!(chat.send(bob, to("sip:alice@chat.example.com", "psst")), Some(404));
    assert_eq!(chat.within(alice, "BYE", None).code(), 481);
    assert_eq!(chat.stage.node.signalling().census()[0], 1);
    chat.silent(bob);
}

// CONFORMANCE 4975-020 4975-021 7701-128
#[test]
fn the_seat_of_who_loses_the_media_is_kept_for_a_while() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let (uri, link) = (chat.switch_uri(alice), chat.link(alice));
        chat.stage.cut(link);
        chat.say(bob, "Nobody hears this");
        // Its old URI is no more (RFC 4975 §5.4).
        let link = chat.stage.connect(false);
        chat.use_link(link, alice);
        assert_eq!(chat.send(alice, nothing()), Some(481));
        // A new offer makes a new session.
        assert_eq!(chat.offer_again(alice, "alice").code(), 200);
        assert_ne!(chat.switch_uri(alice), uri);
        chat.bind_on(link, alice);
        chat.say(alice, "I am back");
        chat.hears(bob, "I am back");
        chat.say(bob, "Welcome");
        chat.hears(alice, "Welcome");
        chat.all_silent(&[alice, bob]);
        // Who does not come back is dismissed.
        chat.stage.cut(link);
        chat.stage.pass(Duration::from_secs(29));
        assert_eq!(chat.dismissed(alice), None);
        chat.stage.pass(Duration::from_secs(1));
        assert_eq!(chat.dismissed(alice).as_deref(), Some("SIP;cause=503;text=\"The MSRP connection is lost\""));
        assert_eq!(chat.dismissed(alice), None);
        chat.silent(bob);
    });
}

#[test]
fn a_seat_may_be_kept_not_at_all() {
    let mut chat = Chat::in_room(|policy| policy.grace = Duration::ZERO);
    let [alice, bob] = chat.all(["alice", "bob"]);
    chat.stage.cut(chat.link(alice));
    assert!(chat.dismissed(alice).is_some_and(|reason| reason.contains("connection is lost")));
    assert_eq!(chat.dismissed(bob), None);
}

// CONFORMANCE 4975-020 4976-005
#[test]
fn with_a_connection_go_all_its_sessions() {
    let mut chat = Chat::new();
    let people = ["alice", "bob", "carol"].map(|name| chat.call(name).unwrap());
    let above = chat.call(Caller::new("alice").to_room(sim::people::ATTIC)).unwrap();
    let link = chat.stage.connect(false);
    for person in people.into_iter().chain([above]) {
        chat.bind_on(link, person);
    }
    let other = chat.join("other");
    chat.stage.cut(link);
    chat.stage.pass(Duration::from_secs(30));
    for person in people.into_iter().chain([above]) {
        assert!(chat.dismissed(person).is_some());
    }
    assert_eq!(chat.dismissed(other), None);
    assert_eq!(chat.stage.node.signalling().census()[0], 1);
}

// CONFORMANCE 4975-021 4975-027 4975-120 4975-121
#[test]
fn a_session_moves_to_where_a_later_offer_says() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let (old_uri, old_link) = (chat.switch_uri(alice), chat.link(alice));
        let moved = Caller::new("alice").with_path("msrp://elsewhere.example.org:7654/moved;tcp");
        assert_eq!(chat.offer_again(alice, moved).code(), 200);
        assert_eq!(chat.path(alice), "msrp://elsewhere.example.org:7654/moved;tcp");
        assert_ne!(chat.switch_uri(alice), old_uri);
        chat.bind(alice);
        chat.say(bob, "Have you moved?");
        chat.hears(alice, "Have you moved?");
        assert!(chat.frames(old_link).is_empty());
        chat.say(alice, "I have");
        chat.hears(bob, "I have");
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 7701-012
#[test]
fn a_room_ends_with_the_last_who_leaves_it() {
    let mut chat = Chat::new();
    let rooms = |chat: &Chat| chat.stage.node.signalling().census()[1];
    let before = rooms(&chat);
    let [alice, bob] = ["alice", "bob"].map(|name| chat.join(gardener(name)));
    assert_eq!(chat.nick(alice, "rose"), 200);
    chat.leave(alice);
    assert_eq!((rooms(&chat), chat.dismissed(bob)), (before + 1, None));
    chat.leave(bob);
    assert_eq!(rooms(&chat), before);
    // Another of the same name knows nothing of it.
    let carol = chat.join(gardener("carol"));
    assert_eq!(chat.nick(carol, "rose"), 200);
}

// CONFORMANCE 7701-012 7701-033 4579-024
#[test]
fn a_room_may_end_with_its_creator() {
    let mut chat = Chat::with(|settings| settings.rooms.defaults.room.delete_when = DeleteWhen::CreatorLeaves);
    let [alice, alice_too, bob, carol] = ["alice", "alice", "bob", "carol"].map(|name| chat.join(gardener(name)));
    let (uri, link) = (chat.switch_uri(bob), chat.link(bob));
    assert_eq!(chat.subscribe(bob, &["Event: conference"]).code(), 200);
    chat.notified(bob).unwrap();
    chat.leave(alice);
    let notify = chat.notified(bob).expect("one of her sessions has gone");
    assert!(notify.header("Subscription-State").unwrap().starts_with("active;"), "{notify:?}");
    assert_eq!(chat.dismissed(bob), None, "she is still there by another session");
    chat.leave(alice_too);
    for person in [bob, carol] {
        let reason = chat.dismissed(person);
        assert_eq!(reason.as_deref(), Some("SIP;cause=410;text=\"The room has ended with its creator\""));
    }
    assert!(chat.stage.is_closed(link));
    let last = chat.notified(bob).expect("the room is no more");
    assert_eq!(last.header("Subscription-State"), Some("terminated;reason=noresource"));
    let link = chat.stage.connect(false);
    chat.use_link(link, bob);
    assert_eq!((chat.switch_uri(bob), chat.send(bob, nothing())), (uri, Some(481)));
    assert_eq!(chat.stage.node.signalling().census(), [0, 2]);
    // Whoever calls now makes a new one.
    chat.join(gardener("dave"));
}

// CONFORMANCE 7701-012
#[test]
fn a_permanent_room_stays() {
    let mut chat = Chat::with(|settings| settings.rooms.create = focus::settings::Create::Nobody);
    let alice = chat.join("alice");
    chat.leave(alice);
    chat.stage.pass(Duration::from_secs(3600));
    assert_eq!(chat.stage.node.signalling().census()[1], 2);
    let [bob, carol] = chat.all(["bob", "carol"]);
    chat.say(bob, "Still standing");
    chat.hears(carol, "Still standing");
}

#[test]
fn when_the_node_ends_everybody_is_told() {
    everywhere(|chat| {
        let people = chat.all(["alice", "bob", "carol"]);
        let late = chat.call("late").unwrap();
        chat.stage.tell(Input::ShutDown);
        assert!(!chat.stage.finished);
        let refused = chat.call("dave").unwrap_err();
        assert_eq!((refused.code(), refused.header("Retry-After")), (503, Some("5")));
        for person in people.into_iter().chain([late]) {
            let reason = std::iter::from_fn(|| chat.dismissed(person)).next();
            assert_eq!(reason.as_deref(), Some("SIP;cause=503;text=\"The server is shutting down\""));
        }
        // Those in the attic of the stage answer as well.
        chat.answer_all();
        assert!(chat.stage.finished);
        assert_eq!(chat.stage.node.census().iter().map(|[_, bound, _]| bound).sum::<usize>(), 0);
    });
}

// CONFORMANCE 6665-015
#[test]
fn when_the_node_ends_subscribers_make_theirs_anew_elsewhere() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let watcher = chat.watch("alice", &["Event: conference"]).unwrap();
    chat.notified(watcher).unwrap();
    chat.stage.tell(Input::ShutDown);
    let last = chat.notified(watcher).expect("the end is told");
    assert_eq!(last.header("Subscription-State"), Some("terminated;reason=deactivated"));
    assert!(chat.dismissed(alice).is_some());
    chat.answer_all();
    assert!(chat.stage.finished);
}

#[test]
fn a_node_that_ends_does_not_wait_for_ever() {
    let mut chat = Chat::new();
    chat.join("alice");
    chat.stage.tell(Input::ShutDown);
    chat.stage.pass(Duration::from_millis(3999));
    assert!(!chat.stage.finished);
    chat.stage.pass(Duration::from_millis(1));
    assert!(chat.stage.finished);

    let mut chat = Chat::new();
    chat.stage.tell(Input::ShutDown);
    assert!(chat.stage.finished, "nobody is there");
}

#[test]
fn who_leaves_in_the_middle_of_a_word_is_not_waited_for() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let link = chat.link(alice);
        let (_, frame) = chat.frame_of(alice, to(ROOM, "unheard"));
        chat.stage.say_octets(link, &frame[..50]);
        chat.stage.cut(link);
        chat.silent(bob);
        chat.say(bob, "Alice?");
        chat.silent(bob);
    });
}
