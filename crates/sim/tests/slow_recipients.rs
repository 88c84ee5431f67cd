//! Congestion and flow control (RFC 7701 §6.4): what happens when somebody does not take what comes.

use std::time::Duration;

use sim::people::{Caller, Chat, Message, Outcome, Person, ROOM, everywhere, to};

const KIB: usize = 1024;

/// A message of so many octets, whole in one frame.
fn large(octets: usize) -> sim::people::Words {
    to(ROOM, "").typed("application/octet-stream").content(&vec![b'x'; octets])
}

/// All that has come to somebody and was not looked at yet: texts, and the sizes of what is no text. Copies that were ended by the
/// switch count as nothing.
fn heard(chat: &mut Chat, person: Person) -> (Vec<String>, Vec<usize>) {
    let (mut texts, mut sizes) = (Vec::new(), Vec::new());
    while let Some(outcome) = chat.outcome(person) {
        match outcome {
            Outcome::Whole(message) if is_text(&message) => texts.push(message.text()),
            Outcome::Whole(message) => sizes.push(message.content().len()),
            Outcome::Aborted(_) => {}
        }
    }
    (texts, sizes)
}

fn is_text(message: &Message) -> bool {
    String::from_utf8_lossy(&message.octets).contains("\r\nContent-Type: text/plain\r\n")
}

fn is_notice(text: &str) -> bool {
    text.contains("left out")
}

/// Feeds a frame to the node as a socket does: only while its connection is read, in pieces of a read's size. How many octets
/// were read.
fn feed(chat: &mut Chat, person: Person, octets: &[u8]) -> usize {
    let link = chat.link(person);
    let mut fed = 0;
    for piece in octets.chunks(64 * KIB) {
        if !chat.stage.node.reads(link) {
            break;
        }
        chat.stage.say_octets(link, piece);
        fed += piece.len();
    }
    fed
}

// THREATS F11
#[test]
fn a_sender_is_held_back_two_seconds_for_somebody_who_stops_and_nobody_else_ever() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let (alices, bobs) = (chat.link(alice), chat.link(bob));
        chat.stage.stall(bobs, 0);
        let (_, frame) = chat.frame_of(alice, large(4000 * KIB));
        let first = feed(chat, alice, &frame);
        assert!(first < 600 * KIB, "{first} octets were read before she was held back");
        // She waits; carol does not, and is heard by who reads.
        chat.say(carol, "Does anybody read this?");
        chat.stage.pass(Duration::from_millis(1900));
        assert!(!chat.stage.node.reads(alices));
        chat.stage.pass(Duration::from_millis(200));
        assert!(chat.stage.node.reads(alices));
        // Now bob holds nobody any more: the rest goes through, to carol whole.
        assert_eq!(first + feed(chat, alice, &frame[first..]), frame.len());
        let (texts, sizes) = heard(chat, carol);
        assert_eq!((texts.len(), sizes), (0, vec![4000 * KIB]));
        // Bob, when he reads again: what he was sent before, one notice, and the end of what he will not get.
        chat.stage.unstall(bobs);
        let (texts, sizes) = heard(chat, bob);
        assert_eq!((texts.len(), sizes), (2, vec![]), "{texts:?}");
        assert_eq!(texts.iter().filter(|text| is_notice(text)).count(), 1, "{texts:?}");
        // All is well again.
        chat.say(alice, "Sorry");
        chat.hears(bob, "Sorry");
    });
}

#[test]
fn who_catches_up_again_and_again_gets_long_messages_whole() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let bobs = chat.link(bob);
        let (transaction, frame) = chat.frame_of(alice, large(3000 * KIB));
        let mut fed = 0;
        // Each time he takes what waits a moment before she would be let go; the time between two such moments is short of that.
        while fed < frame.len() {
            chat.stage.stall(bobs, 0);
            fed += feed(chat, alice, &frame[fed..]);
            chat.stage.pass(Duration::from_millis(1950));
            chat.stage.unstall(bobs);
        }
        assert_eq!(chat.response(alice, &transaction), Some(200));
        assert_eq!(heard(chat, bob), (vec![], vec![3000 * KIB]));
    });
}

// CONFORMANCE 7701-015 7701-079 7701-080
#[test]
fn a_congested_recipient_gets_small_messages_and_one_notice_of_the_large_ones() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let bobs = chat.link(bob);
        chat.stage.stall(bobs, 0);
        // Short messages fill what waits for bob to four fifths; nobody is refused anything.
        let filling = 700;
        for _ in 0..filling {
            assert_eq!(chat.send(alice, large(KIB)), Some(200));
        }
        for _ in 0..3 {
            assert_eq!(chat.send(alice, large(3 * KIB)), Some(200));
            chat.say(alice, "A short word");
        }
        assert_eq!(heard(chat, carol).1.len(), filling + 3);
        chat.stage.unstall(bobs);
        let (texts, sizes) = heard(chat, bob);
        assert!(sizes.iter().all(|size| *size == KIB), "large messages were left out");
        assert!(sizes.len() > 500, "{}", sizes.len());
        assert_eq!(texts.iter().filter(|text| is_notice(text)).count(), 1, "{texts:?}");
        assert_eq!(texts.iter().filter(|text| *text == "A short word").count(), 3, "{texts:?}");
        // The next time is told of anew.
        chat.stage.stall(bobs, 0);
        for _ in 0..filling {
            assert_eq!(chat.send(alice, large(KIB)), Some(200));
        }
        assert_eq!(chat.send(alice, large(3 * KIB)), Some(200));
        chat.stage.unstall(bobs);
        let (texts, _) = heard(chat, bob);
        assert_eq!(texts.iter().filter(|text| is_notice(text)).count(), 1, "{texts:?}");
    });
}

#[test]
fn what_waits_for_a_recipient_is_bounded() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let bobs = chat.link(bob);
        chat.stage.stall(bobs, 0);
        for _ in 0..3000 {
            assert_eq!(chat.send(alice, large(KIB)), Some(200));
        }
        chat.stage.unstall(bobs);
        assert!(chat.stage.pending(bobs).len() <= 1100 * KIB, "{}", chat.stage.pending(bobs).len());
        let (texts, sizes) = heard(chat, bob);
        assert!(sizes.len() > 500 && sizes.len() < 1000, "{}", sizes.len());
        assert!(texts.iter().all(|text| is_notice(text)));
    });
}

// CONFORMANCE 7701-081
#[test]
fn who_stays_congested_for_minutes_has_to_go() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let bobs = chat.link(bob);
        chat.stage.stall(bobs, 0);
        for _ in 0..1000 {
            assert_eq!(chat.send(alice, large(KIB)), Some(200));
        }
        chat.stage.pass(Duration::from_secs(170));
        assert!(!chat.stage.is_closed(bobs));
        chat.stage.pass(Duration::from_secs(20));
        assert!(chat.stage.is_closed(bobs));
        let reason = chat.dismissed(bob).expect("bob has got a BYE");
        assert!(reason.contains("too slow"), "{reason}");
        chat.say(alice, "Is bob still there?");
    });
}

#[test]
fn on_a_shared_connection_nobody_waits_and_the_sender_is_refused() {
    let mut chat = Chat::new();
    let [bob, carol] = chat.all(["bob", "carol"]);
    let alice = chat.call("alice").expect("she gets a seat");
    let dora = chat.call(Caller::new("dora")).expect("she gets a seat");
    let shared = chat.stage.connect(false);
    chat.bind_on(shared, alice);
    chat.bind_on(shared, dora);
    let bobs = chat.link(bob);
    chat.stage.stall(bobs, 0);
    let (transaction, frame) = chat.frame_of(alice, large(2000 * KIB));
    assert_eq!(feed(&mut chat, alice, &frame), frame.len(), "a shared connection is read on");
    assert_eq!(chat.response(alice, &transaction), Some(413));
    assert_eq!(chat.send(alice, to(ROOM, "Again")), Some(403));
    // Dora, on the same connection, has nothing to do with it.
    chat.say(dora, "What is the matter?");
    assert_eq!(heard(&mut chat, carol).0, ["What is the matter?"]);
    // Two seconds later she is taken again.
    chat.stage.pass(Duration::from_secs(3));
    chat.say(alice, "Now");
    assert_eq!(heard(&mut chat, carol).0, ["Now"]);
}

// THREATS T15
#[test]
fn who_sends_more_than_the_rate_is_read_more_slowly_and_loses_nothing() {
    let rate = focus::Rate { count: 10, per: Duration::from_secs(1) };
    let mut chat = Chat::with(|settings| settings.message_rate = Some(rate));
    let [alice, bob] = chat.all(["alice", "bob"]);
    let link = chat.link(alice);
    let mut read = 0;
    let mut sent = 0;
    while sent < 30 {
        if chat.stage.node.reads(link) {
            chat.say(alice, &format!("number {sent}"));
            sent += 1;
            read += 1;
        } else {
            assert!(read <= 11, "{read} messages at once");
            read = 0;
            chat.stage.pass(Duration::from_millis(100));
        }
    }
    let heard = heard(&mut chat, bob).0;
    assert_eq!(heard.len(), 30);
    assert!(heard.iter().enumerate().all(|(nth, text)| *text == format!("number {nth}")));
}
