//! Messages in chunks (RFC 4975 §5.1, §7.1.1, §7.3.1; RFC 7701 §6.1): they are passed on as they come, and end as they end.

use std::time::Duration;

use sim::people::{Chat, Chunk, Outcome, Person, ROOM, everywhere, everywhere_in, nothing, to};

const ALICE: &str = "sip:alice@chat.example.com";

fn message(text: &str) -> Chunk {
    to(ROOM, text).id("message1").spoken_by(ALICE)
}

fn octets(chunk: &Chunk) -> Vec<u8> {
    chunk.body.clone().unwrap_or_default()
}

/// What was heard of a message that did not come to its end.
fn aborted(chat: &mut Chat, person: Person) -> Vec<u8> {
    match chat.outcome(person) {
        Some(Outcome::Aborted(message)) => message.octets,
        other => panic!("no aborted message: {other:?}"),
    }
}

/// Messages on their way through the switch.
fn streams(chat: &Chat) -> usize {
    chat.stage.node.census().iter().map(|[_, _, streams]| streams).sum()
}

// CONFORMANCE 7701-042 7701-048 7701-051 4975-048 4975-058 4975-066 4975-099 4975-100 4975-052 4975-071 4976-003
#[test]
fn a_message_may_be_cut_anywhere() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let whole = message("Hello everybody, how are you today?");
        let length = octets(&whole).len();
        let every = (1..length).collect::<Vec<_>>();
        let mut cuts: Vec<Vec<usize>> = every.iter().map(|at| vec![*at]).collect();
        cuts.extend([vec![0], vec![length], vec![1, 2, 3, length - 1], every]);
        for places in cuts {
            for chunk in whole.cut_at(&places) {
                assert_eq!(chat.send(alice, &chunk), Some(200), "{places:?} {:?}", chunk.range);
            }
            for other in [bob, carol] {
                assert_eq!(chat.rx(other).octets, octets(&whole), "{places:?}");
            }
            assert_eq!(streams(chat), 0, "{places:?}");
        }
        chat.all_silent(&[alice, bob, carol]);
    });
}

// CONFORMANCE 7701-041 7701-046 4975-066 4975-099
// THREATS 349f55ff ff0d1b6
#[test]
fn the_octets_of_a_frame_may_come_in_any_pieces() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let link = chat.link(alice);
        let ranges = [None, Some("1-*/*"), Some("1-*/100"), Some("1-5/5")];
        for range in ranges {
            let mut whole = message("A text\r\n-------with\r\n---odd\r\n-------lines\r\n");
            whole.range = range.map(str::to_owned);
            let (transaction, frame) = chat.frame_of(alice, &whole);
            for octet in &frame {
                chat.stage.say_octets(link, &[*octet]);
            }
            assert_eq!(chat.response(alice, &transaction), Some(200), "{range:?}");
            assert_eq!(chat.rx(bob).octets, octets(&whole), "{range:?}");
            for at in (1..frame.len()).step_by(3) {
                chat.stage.say_octets(link, &frame[..at]);
                chat.stage.say_octets(link, &frame[at..]);
                assert_eq!(chat.response(alice, &transaction), Some(200), "{range:?} cut at {at}");
                assert_eq!(chat.rx(bob).octets, octets(&whole), "{range:?} cut at {at}");
            }
        }
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 7701-119
#[test]
fn distribution_waits_for_the_headers_of_the_wrapper() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let whole = to("sip:bob@chat.example.com", "Psst").id("split").spoken_by(ALICE);
        let head = octets(&whole).windows(4).rposition(|four| four == b"\r\n\r\n").unwrap() + 4;
        let chunks = whole.cut_at(&[20, 60, head - 1, head]);
        for (nth, chunk) in chunks.iter().enumerate() {
            assert_eq!(chat.send(alice, chunk), Some(200));
            let begun = chat.stage.pending(chat.link(bob)).len() + chat.frames(chat.link(bob)).len();
            assert_eq!(begun > 0, nth >= 3, "after chunk {nth}");
        }
        assert_eq!(chat.rx(bob).octets, octets(&whole));
        // As printed in RFC 7701 §9.5 the first chunk has `$`: a whole message with a broken wrapper (decision D8).
        let printed = chunks[0].clone().flagged('$').ranged("1-20/200").id("printed1");
        assert_eq!(chat.send(alice, printed), Some(400));
        chat.all_silent(&[alice, bob, carol]);
    });
}

// CONFORMANCE 7701-046 4975-004 4975-064 4975-065 4975-060 4975-061
#[test]
fn a_long_message_is_passed_on_while_it_comes() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let whole = message(&"0123456789".repeat(10_000));
        let (transaction, frame) = chat.frame_of(alice, &whole);
        let link = chat.link(alice);
        chat.stage.say_octets(link, &frame[..2000]);
        let heard = chat.stage.pending(chat.link(bob)).len();
        assert!(heard > 1500, "the first octets are on their way: {heard}");
        assert_eq!(chat.response(alice, &transaction), None);
        // What the sender asks meanwhile on another connection is not held up; what others say comes in between.
        for rest in frame[2000..].chunks(10_000) {
            chat.stage.say_octets(link, rest);
            chat.say(bob, "quickly");
            chat.hears(alice, "quickly");
        }
        assert_eq!(chat.response(alice, &transaction), Some(200));
        let message = chat.rx(bob);
        assert_eq!(message.octets, octets(&whole));
        assert!(message.chunks <= 12, "no more chunks than there were reasons for: {}", message.chunks);
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 4975-100
#[test]
fn messages_may_be_interleaved() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let texts = ["a".repeat(5000), "b".repeat(300), "c".repeat(3000), String::new()];
        let wholes: Vec<Chunk> =
            texts.iter().enumerate().map(|(n, text)| to(ROOM, text).id(&format!("msg{n}")).spoken_by(ALICE)).collect();
        let chunks: Vec<Vec<Chunk>> = wholes
            .iter()
            .map(|whole| {
                let length = octets(whole).len();
                whole.cut_at(&[length / 3, length / 2, length - 1])
            })
            .collect();
        for nth in 0..4 {
            for message in &chunks {
                assert_eq!(chat.send(alice, &message[nth]), Some(200));
            }
            if nth < 3 {
                chat.say(bob, "in between");
                chat.hears(carol, "in between");
                chat.hears(alice, "in between");
            }
        }
        for other in [bob, carol] {
            let heard: Vec<Vec<u8>> = (0..4).map(|_| chat.rx(other).octets).collect();
            assert_eq!(heard, wholes.iter().map(octets).collect::<Vec<_>>());
        }
        chat.all_silent(&[alice, bob, carol]);
    });
}

// CONFORMANCE 7701-049 7701-050 7701-067
#[test]
fn later_chunks_go_to_those_who_had_the_first() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let whole = message(&"word ".repeat(100));
        let chunks = whole.cut_at(&[200, 300, 400]);
        assert_eq!(chat.send(alice, &chunks[0]), Some(200));
        let dave = chat.join("dave");
        assert_eq!(chat.send(alice, &chunks[1]), Some(200));
        chat.leave(carol);
        assert_eq!(chat.send(alice, &chunks[2]), Some(200));
        assert_eq!(chat.send(alice, &chunks[3]), Some(200));
        assert_eq!(chat.rx(bob).octets, octets(&whole));
        chat.all_silent(&[alice, bob, dave]);

        // A private one goes to its recipient alone to the end.
        let whole = to("sip:bob@chat.example.com", &"secret ".repeat(100)).id("private").spoken_by(ALICE);
        for chunk in whole.cut_at(&[200, 300]) {
            assert_eq!(chat.send(alice, chunk), Some(200));
        }
        assert_eq!(chat.rx(bob).octets, octets(&whole));
        chat.all_silent(&[alice, bob, dave]);
        assert_eq!(streams(chat), 0);
    });
}

// CONFORMANCE 4975-048 7701-055
#[test]
fn a_message_that_its_sender_gives_up_ends_with_a_hash() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let whole = message(&"word ".repeat(100));
        let length = octets(&whole).len();
        // With octets, and without any.
        let [first, second] = <[Chunk; 2]>::try_from(whole.cut_at(&[300])).unwrap();
        let part = second.clone().flagged('#');
        let bare = nothing().id("message1").ranged(&format!("301-300/{length}")).flagged('#');
        for (end, heard) in [(part, length), (bare, 300)] {
            assert_eq!(chat.send(alice, &first), Some(200));
            assert_eq!(chat.send(alice, &end), Some(200));
            assert_eq!(aborted(chat, bob), octets(&whole)[..heard]);
            assert_eq!(chat.send(alice, &second), Some(400), "what is given up does not go on");
        }
        // Nobody hears of one that was given up before its headers were whole.
        let early = message("").cut_at(&[20])[0].clone().flagged('#');
        assert_eq!(chat.send(alice, early), Some(200));
        chat.all_silent(&[alice, bob]);
        assert_eq!(streams(chat), 0);
    });
}

// CONFORMANCE 4975-020 7701-050
#[test]
fn a_message_whose_sender_is_gone_ends_with_a_hash() {
    everywhere(|chat| {
        let bob = chat.join("bob");
        for lost in [false, true] {
            let [alice, carol] = chat.all(["alice", "carol"]);
            let whole = message(&"word ".repeat(100));
            assert_eq!(chat.send(alice, &whole.cut_at(&[300])[0]), Some(200));
            // And in the middle of a chunk.
            let (_, frame) = chat.frame_of(carol, to(ROOM, &"x".repeat(3000)));
            let link = chat.link(carol);
            chat.stage.say_octets(link, &frame[..2000]);
            if lost {
                chat.stage.cut(chat.link(alice));
                chat.stage.cut(link);
            } else {
                chat.leave(alice);
                chat.leave(carol);
            }
            assert_eq!(aborted(chat, bob), octets(&whole)[..300]);
            assert!(aborted(chat, bob).len() > 1000);
            chat.silent(bob);
            assert_eq!(streams(chat), 0);
        }
    });
}

// CONFORMANCE 7701-052 7701-054 7701-055 7701-056
#[test]
fn what_does_not_go_on_for_nine_minutes_is_aborted() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let whole = message(&"word ".repeat(100));
        let chunks = whole.cut_at(&[300, 400]);
        assert_eq!(chat.send(alice, &chunks[0]), Some(200));
        chat.stage.pass(Duration::from_secs(539));
        assert_eq!((chat.outcome(bob), streams(chat) > 0), (None, true));
        chat.stage.pass(Duration::from_secs(1));
        assert_eq!(aborted(chat, bob), octets(&whole)[..300]);
        assert_eq!(streams(chat), 0);
        assert_eq!(chat.send(alice, &chunks[1]), Some(400));
        chat.all_silent(&[alice, bob]);
        // The session is none the worse for it.
        assert_eq!(chat.send(alice, &whole), Some(200));
        assert_eq!(chat.rx(bob).octets, octets(&whole));
    });
}

// CONFORMANCE 7701-016 7701-053
#[test]
fn the_chunk_timer_is_the_room_s_and_begins_again_with_each_chunk() {
    let three_seconds = |policy: &mut focus::settings::RoomPolicy| policy.chunk_timer = Duration::from_secs(3);
    everywhere_in(three_seconds, |chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let whole = message(&"word ".repeat(100));
        for chunk in whole.cut_at(&[300, 320, 350, 360, 400]) {
            assert_eq!(chat.send(alice, &chunk), Some(200));
            chat.stage.pass(Duration::from_millis(2999));
        }
        assert_eq!(chat.rx(bob).octets, octets(&whole));

        // Within a chunk, too; and each message has its own time.
        let slow = to(ROOM, &"x".repeat(1000)).id("slow").spoken_by(ALICE);
        let (transaction, frame) = chat.frame_of(alice, &slow);
        let other = to(ROOM, &"y".repeat(100)).id("other").spoken_by(ALICE).cut_at(&[150]);
        assert_eq!(chat.send(alice, &other[0]), Some(200));
        let link = chat.link(alice);
        for piece in frame.chunks(frame.len() / 4 + 1) {
            chat.stage.say_octets(link, piece);
            chat.stage.pass(Duration::from_secs(2));
        }
        assert_eq!(chat.response(alice, &transaction), Some(200));
        assert_eq!(aborted(chat, bob), octets(&other[0]));
        assert_eq!(chat.rx(bob).octets, octets(&slow));
        chat.all_silent(&[alice, bob]);

        // A chunk that stands still is given up in the middle; its end gets the error.
        let (transaction, frame) = chat.frame_of(alice, &slow);
        chat.stage.say_octets(link, &frame[..800]);
        chat.stage.pass(Duration::from_secs(3));
        assert!(!aborted(chat, bob).is_empty());
        chat.stage.say_octets(link, &frame[800..]);
        assert_eq!(chat.response(alice, &transaction), Some(400));
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 4975-051 4975-058 4975-059 4975-063 4975-101 4975-102 4975-140 4975-168 7701-047
// THREATS T7
#[test]
fn a_byte_range_is_not_believed() {
    let long = |n: usize| to(ROOM, &"x".repeat(n)).id("lies").spoken_by(ALICE);
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        // Whatever it says of the end and the total, the octets that came count (decision D39).
        for range in ["1-*/*", "1-5/5", "1-999/999", "1-10/5", "1-*/1000000", "1-0/0", "1-*/0"] {
            assert_eq!(chat.send(alice, long(100).ranged(range)), Some(200), "{range}");
            assert_eq!(chat.rx(bob).octets, octets(&long(100)), "{range}");
        }
        // A message has the size at which it ends.
        let chunks = long(200).cut_at(&[150]);
        assert_eq!(chat.send(alice, chunks[0].clone().ranged("1-300/500")), Some(200));
        assert_eq!(chat.send(alice, chunks[1].clone().ranged("151-*/500")), Some(200));
        assert_eq!(chat.rx(bob).octets, octets(&long(200)));
        // What cannot be is no Byte-Range.
        let malformed = [
            "0-9/9",
            "0-0/0",
            "5-1/9",
            "1-5",
            "1/5",
            "-5/5",
            "1-/5",
            "1-5/",
            "1--5/5",
            "+1-5/5",
            "1-5/5x",
            "x-5/5",
            "1-18446744073709551616/18446744073709551616",
            "1-*/18446744073709551615",
            "18446744073709551615-*/*",
            "*-5/5",
        ];
        for range in malformed {
            assert_eq!(chat.send(alice, long(100).ranged(range)), Some(400), "{range}");
        }
        // Too large to be sent at all.
        assert_eq!(chat.send(alice, long(100).ranged("1-*/9999999999999")), Some(413));
        // No message begins in its middle.
        for range in ["2-101/101", "9223372036854775808-*/*"] {
            assert_eq!(chat.send(alice, long(100).ranged(range).id("nobegin")), Some(400), "{range}");
        }
        chat.all_silent(&[alice, bob]);
        assert_eq!(streams(chat), 0);
    });
}

// CONFORMANCE 4975-058 4976-003
// THREATS T7
#[test]
fn gaps_and_overlaps_are_refused_and_harm_nothing() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let whole = message(&"word ".repeat(100));
        let chunks = whole.cut_at(&[200, 300, 400]);
        assert_eq!(chat.send(alice, &chunks[0]), Some(200));
        assert_eq!(chat.send(alice, &chunks[2]), Some(400), "a gap");
        assert_eq!(chat.send(alice, &chunks[0]), Some(400), "the beginning again");
        assert_eq!(chat.send(alice, &chunks[1]), Some(200));
        assert_eq!(chat.send(alice, &chunks[1]), Some(400), "the same again");
        let mut unplaced = chunks[2].clone();
        unplaced.range = None;
        assert_eq!(chat.send(alice, unplaced), Some(400), "a later chunk must say where it stands");
        assert_eq!(chat.send(alice, &chunks[2]), Some(200));
        assert_eq!(chat.send(alice, &chunks[3]), Some(200));
        assert_eq!(chat.rx(bob).octets, octets(&whole));
        assert_eq!(chat.send(alice, &chunks[3]), Some(400), "after the end");
        let nameless = whole.clone().id("");
        assert_eq!(chat.send(alice, nameless), Some(400), "RFC 4975 §7.1.1: a body has a Message-ID");
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 4975-083 7701-054
#[test]
fn the_chunks_of_a_refused_message_are_refused_as_it_was() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let text = "word ".repeat(100);
        let cases = [
            (403, to(ROOM, &text).from("sip:bob@chat.example.com")),
            (404, to("sip:nobody@chat.example.com", &text)),
            (415, to(ROOM, &text).wrapped_in("text/plain")),
            (400, to(ROOM, &text).whole_body(&"no wrapper\n".repeat(50))),
        ];
        for (code, words) in cases {
            for chunk in words.id(&format!("id{code}")).spoken_by(ALICE).cut_at(&[200, 300, 350]) {
                assert_eq!(chat.send(alice, &chunk), Some(code), "{:?}", chunk.range);
            }
        }
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 4975-084 4975-085 4975-090 4975-143
#[test]
fn an_error_is_said_as_soon_as_it_is_known() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let link = chat.link(alice);
        let text = "x".repeat(100_000);
        let cases = [
            (403, to(ROOM, &text).from("sip:bob@chat.example.com")),
            (404, to("sip:nobody@chat.example.com", &text)),
            (415, to(ROOM, &text).wrapped_in("text/plain")),
            (413, to(ROOM, &text).range("1-*/9999999999999")),
        ];
        for (code, words) in cases {
            let (transaction, frame) = chat.frame_of(alice, words.asking("Failure-Report: partial"));
            chat.stage.say_octets(link, &frame[..5000]);
            assert_eq!(chat.response(alice, &transaction), Some(code), "while it still comes");
            chat.stage.say_octets(link, &frame[5000..]);
            assert_eq!(chat.response(alice, &transaction), None, "once");
            chat.all_silent(&[alice, bob]);
        }
    });
}

// CONFORMANCE 4975-084 4975-085 4975-086 4975-089 4975-090 4975-052
#[test]
fn each_chunk_is_answered_as_it_wishes() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let whole = message(&"word ".repeat(100));
        let chunks = whole.cut_at(&[200, 300, 400]);
        let wishes = [(None, Some(200)), (Some("partial"), None), (Some("no"), None), (Some("yes"), Some(200))];
        for (chunk, (wish, answer)) in chunks.iter().zip(wishes) {
            let mut chunk = chunk.clone();
            chunk.headers.extend(wish.map(|wish| format!("Failure-Report: {wish}")));
            assert_eq!(chat.send(alice, chunk), answer, "{wish:?}");
        }
        assert_eq!(chat.rx(bob).octets, octets(&whole));
        chat.all_silent(&[alice, bob]);
    });
}
