//! When the media connection of a participant fails (decision D52): the seat is kept for a while, and a later offer has a new
//! session.

use std::time::Duration;

use sim::people::{Caller, Chat, ROOM, everywhere, nothing, to};

const GRACE: Duration = Duration::from_secs(30);

#[test]
fn a_seat_is_kept_for_who_comes_back_in_time() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        assert_eq!(chat.nick(alice, "Ana"), 200);
        let (link, old) = (chat.link(alice), chat.switch_uri(alice));
        chat.stage.cut(link);
        // She is not reached meanwhile, neither with all nor alone, but her seat and her nickname are hers.
        chat.say(bob, "Where is she?");
        let alices = chat.uri(alice);
        assert_eq!(chat.send(bob, to(&alices, "Where are you?")), Some(404));
        chat.stage.pass(GRACE - Duration::from_secs(1));
        assert_eq!(chat.nick(bob, "ana"), 425);
        assert_eq!(chat.dismissed(alice), None);

        // A later offer, from another place: the answer names a new session, and the old one is no more.
        let again = Caller::new("alice").with_path("msrp://10.3.3.3:7654/again;tcp");
        let answer = chat.offer_again(alice, again);
        assert_eq!(answer.code(), 200);
        assert_ne!(answer.attribute("path"), old);
        let fresh = chat.stage.connect(false);
        chat.bind_on(fresh, alice);
        chat.stage.pass(GRACE * 2);
        assert_eq!(chat.dismissed(alice), None);
        chat.say(bob, "There she is");
        chat.hears(alice, "There she is");
        assert_eq!(chat.nick(bob, "ana"), 425);
    });
}

#[test]
fn who_does_not_come_back_loses_the_seat() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let link = chat.link(alice);
        chat.stage.cut(link);
        chat.stage.pass(GRACE + Duration::from_secs(1));
        assert!(chat.dismissed(alice).is_some_and(|reason| reason.contains("lost")));
        chat.say(bob, "Gone");
    });
}

#[test]
fn who_is_offered_a_new_session_has_to_bind_it() {
    let mut chat = Chat::new();
    let [alice, _bob] = chat.all(["alice", "bob"]);
    let link = chat.link(alice);
    chat.stage.cut(link);
    assert_eq!(chat.offer_again(alice, "alice").code(), 200);
    chat.stage.pass(GRACE + Duration::from_secs(1));
    assert!(chat.dismissed(alice).is_some());
}

#[test]
fn who_moves_a_living_session_has_the_old_one_no_more() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let (old_link, old) = (chat.link(alice), chat.switch_uri(alice));
        let moved = Caller::new("alice").with_path("msrp://10.3.3.3:7654/moved;tcp");
        assert_eq!(chat.offer_again(alice, moved).code(), 200);
        assert_ne!(chat.switch_uri(alice), old);
        // The connection goes with its last session; where it has others, the old URI means nothing there.
        if !chat.stage.is_closed(old_link) {
            let knock = format!("MSRP knock SEND\r\nTo-Path: {old}\r\nFrom-Path: {old}\r\n-------knock$\r\n");
            chat.stage.say_octets(old_link, knock.as_bytes());
            assert_eq!(chat.frames(old_link).pop_back().and_then(|frame| frame.code()), Some(481));
        }
        let link = chat.stage.connect(false);
        chat.bind_on(link, alice);
        chat.say(alice, "I have moved");
        chat.hears(bob, "I have moved");
        assert_eq!(chat.send(alice, nothing()), Some(200));
        assert_eq!(chat.send(alice, to(ROOM, "Still here")), Some(200));
        chat.hears(bob, "Still here");
    });
}
