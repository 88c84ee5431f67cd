//! What is bounded, and what happens at the bound.

use std::time::Duration;

use focus::Rate;
use sim::people::{Caller, Chat, Chunk, Outcome, Placement, ROOM, everywhere, to};

const ALICE: &str = "sip:alice@chat.example.com";

fn of_size(octets: usize, id: &str) -> Chunk {
    let empty = to(ROOM, "").spoken_by(ALICE).body.unwrap_or_default().len();
    to(ROOM, &"x".repeat(octets - empty)).id(id).spoken_by(ALICE)
}

/// A room for messages of at most 10 000 octets.
fn small(placement: Placement) -> Chat {
    let mut chat = Chat::with(|settings| settings.max_message = 10_000);
    chat.placement = placement;
    chat
}

// CONFORMANCE 4975-133 4975-143 7701-047
#[test]
fn a_message_that_is_too_large_is_refused_as_soon_as_that_is_known() {
    for placement in [Placement::Home, Placement::Away, Placement::Mixed] {
        let mut chat = small(placement);
        let [alice, bob] = chat.all(["alice", "bob"]);
        assert_eq!(chat.answer(alice).attribute("max-size"), "10000");
        let link = chat.link(alice);

        // As large as may be.
        assert_eq!(chat.send(alice, of_size(10_000, "fits")), Some(200));
        assert_eq!(chat.rx(bob).octets.len(), 10_000);

        // Announced: nobody hears of it.
        for chunk in of_size(10_001, "announced").cut_at(&[4_000, 8_000]) {
            assert_eq!(chat.send(alice, &chunk), Some(413));
        }
        chat.silent(bob);

        // Not announced, in one chunk: the recipients' copies end with `#`, the sender knows before it is done.
        let (transaction, frame) = chat.frame_of(alice, of_size(20_000, "surprise"));
        for piece in frame.chunks(4_000).take(3) {
            chat.stage.say_octets(link, piece);
        }
        assert_eq!(chat.response(alice, &transaction), Some(413), "{placement:?}");
        assert!(matches!(chat.outcome(bob), Some(Outcome::Aborted(message)) if message.octets.len() <= 10_000));
        chat.stage.say_octets(link, &frame[12_000..]);
        assert_eq!(chat.response(alice, &transaction), None);

        // The same in several chunks; the later ones are refused too.
        let codes: Vec<Option<u16>> = of_size(14_000, "chunks")
            .cut_at(&[6_000, 9_000, 12_000])
            .into_iter()
            .map(|chunk| {
                let range = chunk.range.clone().unwrap_or_default().replace("/14000", "/*");
                chat.send(alice, chunk.ranged(&range))
            })
            .collect();
        assert_eq!(codes, [Some(200), Some(200), Some(413), Some(413)], "{placement:?}");
        assert!(matches!(chat.outcome(bob), Some(Outcome::Aborted(message)) if message.octets.len() == 9_000));

        // The session is none the worse for it.
        chat.say(alice, "In short");
        chat.hears(bob, "In short");
        chat.all_silent(&[alice, bob]);
    }
}

// CONFORMANCE 7701-052 7701-054 7701-122
// THREATS T6
#[test]
fn a_session_has_only_so_many_messages_under_way() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let streams = |chat: &Chat| chat.stage.node.census().iter().map(|[_, _, streams]| streams).sum::<usize>();
        let begun = |n: usize| to(ROOM, "begun").id(&format!("open{n}")).spoken_by(ALICE).flagged('+');
        let codes: Vec<u16> = (0..200).filter_map(|n| chat.send(alice, begun(n))).collect();
        assert_eq!(codes, [vec![200; 64], vec![413; 136]].concat());
        let placed = if chat.placement == Placement::Home { 1 } else { 2 };
        assert!(streams(chat) <= 64 * placed, "{}", streams(chat));
        // Others are not concerned.
        chat.say(bob, "I have room");
        chat.hears(alice, "I have room");
        chat.stage.pass(Duration::from_secs(540));
        assert_eq!(streams(chat), 0);
        for _ in 0..64 {
            assert!(matches!(chat.outcome(bob), Some(Outcome::Aborted(_))));
        }
        chat.silent(bob);
        chat.say(alice, "So have I");
        chat.hears(bob, "So have I");
    });
}

// CONFORMANCE 4975-066 7701-051
#[test]
fn a_message_may_come_in_thousands_of_chunks() {
    for placement in [Placement::Home, Placement::Away] {
        let mut chat = Chat::new();
        chat.placement = placement;
        let [alice, bob] = chat.all(["alice", "bob"]);
        let whole = of_size(5_000, "crumbs");
        let (mut octets, mut transactions) = (Vec::new(), Vec::new());
        for chunk in whole.cut_at(&(1..5_000).collect::<Vec<_>>()) {
            let (transaction, frame) = chat.frame_of(alice, &chunk);
            octets.extend(frame);
            transactions.push(transaction);
        }
        let link = chat.link(alice);
        chat.stage.say_octets(link, &octets);
        for transaction in &transactions {
            assert_eq!(chat.response(alice, transaction), Some(200));
        }
        assert_eq!(Some(chat.rx(bob).octets), whole.body);
        chat.all_silent(&[alice, bob]);
    }
}

#[test]
fn a_user_has_only_so_many_seats() {
    let mut chat = Chat::new();
    let mut last = chat.join("alice");
    for _ in 1..32 {
        last = chat.join("alice");
    }
    let answer = chat.call("alice").unwrap_err();
    assert_eq!((answer.code(), answer.header("Retry-After").is_some()), (503, true));
    chat.join("bob");
    chat.leave(last);
    chat.join("alice");
}

// CONFORMANCE 7701-123
#[test]
fn a_source_joins_only_so_often() {
    let rate = Rate { count: 5, per: Duration::from_secs(1) };
    let mut chat = Chat::with(|settings| settings.join_rate = Some(rate));
    let phone = chat.stage.phone();
    for _ in 0..5 {
        chat.call_from(phone, "alice").unwrap();
    }
    let answer = chat.call_from(phone, "alice").unwrap_err();
    assert_eq!((answer.code(), answer.header("Retry-After").is_some()), (503, true));
    // From elsewhere one gets in, and from here again after a while.
    chat.join("bob");
    chat.stage.pass(Duration::from_secs(1));
    chat.call_from(phone, Caller::new("alice")).unwrap();
}
