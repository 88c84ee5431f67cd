//! What recipients say against their copies (RFC 4975 §7.3.2, §10): it is heeded towards them, and nobody else notices.

use std::time::Duration;

use sim::people::{Chat, Outcome, Person, ROOM, everywhere, nothing, to};

const ALICE: &str = "sip:alice@chat.example.com";

/// The transaction id and the Message-ID of a SEND to somebody that stands open.
fn begun(chat: &Chat, person: Person) -> Copy {
    let octets = chat.stage.pending(chat.link(person));
    let text = String::from_utf8_lossy(octets).into_owned();
    let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap_or_default().to_owned();
    Copy { transaction: text.split(' ').nth(1).unwrap_or_default().to_owned(), id }
}

/// The ids of a copy.
struct Copy {
    transaction: String,
    id: String,
}

/// The ids of a copy that has come whole.
fn whole_copy(chat: &mut Chat, person: Person) -> Copy {
    let frame = chat.next_frame(person).expect("a copy has come");
    Copy { id: frame.header("Message-ID").unwrap_or_default().to_owned(), transaction: frame.transaction }
}

/// Somebody answers a frame.
fn answer(chat: &mut Chat, person: Person, transaction: &str, code: &str) {
    let (switch, path, link) = (chat.switch_uri(person), chat.path(person), chat.link(person));
    let text =
        format!("MSRP {transaction} {code}\r\nTo-Path: {switch}\r\nFrom-Path: {path}\r\n-------{transaction}$\r\n");
    chat.stage.say_octets(link, text.as_bytes());
}

/// Somebody reports on a message.
fn report(chat: &mut Chat, person: Person, message_id: &str, status: &str) {
    let (switch, path, link) = (chat.switch_uri(person), chat.path(person), chat.link(person));
    let text = format!(
        "MSRP reported REPORT\r\nTo-Path: {switch}\r\nFrom-Path: {path}\r\nMessage-ID: {message_id}\r\nByte-Range: 1-300/*\r\nStatus: {status}\r\n-------reported$\r\n"
    );
    chat.stage.say_octets(link, text.as_bytes());
}

/// How somebody objects to a copy.
type Objection = fn(&mut Chat, Person, &Copy);

// CONFORMANCE 4975-055 4975-108 4975-109 4975-143 7701-077 4976-012
#[test]
fn who_wants_no_more_of_a_message_gets_no_more_of_it() {
    let objections: [(&str, Objection); 4] = [
        ("413", |chat, bob, copy| answer(chat, bob, &copy.transaction, "413 Too large")),
        ("a bare 413", |chat, bob, copy| answer(chat, bob, &copy.transaction, "413")),
        ("401", |chat, bob, copy| answer(chat, bob, &copy.transaction, "401 Unauthorized")),
        ("REPORT", |chat, bob, copy| report(chat, bob, &copy.id, "000 413")),
    ];
    for (what, object) in objections {
        everywhere(|chat| {
            let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
            let whole = to(ROOM, &"word ".repeat(100)).id("message1").spoken_by(ALICE);
            let chunks = whole.cut_at(&[300, 400]);
            assert_eq!(chat.send(alice, &chunks[0]), Some(200));
            let copy = begun(chat, bob);
            object(chat, bob, &copy);
            for chunk in &chunks[1..] {
                assert_eq!(chat.send(alice, chunk), Some(200), "{what}: the sender does not notice");
            }
            assert_eq!(Some(chat.rx(carol).octets), whole.body);
            let cut = chat.outcome(bob);
            assert!(matches!(&cut, Some(Outcome::Aborted(message)) if message.octets.len() == 300), "{what}: {cut:?}");
            // The next message is another matter.
            chat.say(alice, "Something else");
            chat.hears(bob, "Something else");
            chat.all_silent(&[alice, bob]);
        });
    }
}

// CONFORMANCE 4975-109 4975-143
#[test]
fn a_chunk_that_is_refused_while_it_goes_out_is_ended_at_once() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let (transaction, frame) = chat.frame_of(alice, to(ROOM, &"x".repeat(100_000)));
        let link = chat.link(alice);
        chat.stage.say_octets(link, &frame[..5_000]);
        let copy = begun(chat, bob);
        answer(chat, bob, &copy.transaction, "413 Enough");
        assert!(matches!(chat.outcome(bob), Some(Outcome::Aborted(message)) if message.octets.len() < 5_000));
        chat.stage.say_octets(link, &frame[5_000..]);
        assert_eq!(chat.response(alice, &transaction), Some(200));
        chat.all_silent(&[alice, bob]);
        assert!(chat.rx(carol).octets.len() > 100_000);
    });
}

// CONFORMANCE 4975-144
#[test]
fn who_answers_415_gets_nothing_more_of_that_type() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let image = |id: &str| to(ROOM, "not much to see").typed("image/png;name=\"x\"").id(id);
        assert_eq!(chat.send(alice, image("image001")), Some(200));
        let copy = whole_copy(chat, bob);
        answer(chat, bob, &copy.transaction, "415 Not Here");
        // Another type, and the same one to others: as before. In whatever way the type is written.
        assert_eq!(chat.send(alice, image("image002")), Some(200));
        assert_eq!(chat.send(alice, to(ROOM, "again").typed("IMAGE/PNG")), Some(200));
        let long = to(ROOM, &"x".repeat(900)).typed("image/png").id("image003").spoken_by(ALICE);
        for chunk in long.cut_at(&[500]) {
            assert_eq!(chat.send(alice, chunk), Some(200));
        }
        assert_eq!(chat.send(alice, to(ROOM, "another").typed("image/gif")), Some(200));
        chat.hears(bob, "another");
        for text in ["not much to see", "not much to see", "again", &"x".repeat(900), "another"] {
            chat.hears(carol, text);
        }
        chat.all_silent(&[alice, bob, carol]);
        // It is about this session: a new one of his may be another device.
        let second = chat.join("bob");
        assert_eq!(chat.send(alice, image("image004")), Some(200));
        chat.hears(second, "not much to see");
        chat.silent(bob);
    });
}

// CONFORMANCE 4975-057 4975-108
#[test]
fn an_objection_to_nothing_that_is_known_is_passed_over() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let whole = to(ROOM, &"word ".repeat(100)).id("message1").spoken_by(ALICE);
        let chunks = whole.cut_at(&[300]);
        assert_eq!(chat.send(alice, &chunks[0]), Some(200));
        let (mine, yours) = (begun(chat, bob), begun(chat, carol));
        answer(chat, bob, &yours.transaction, "413 Not for me to say");
        answer(chat, bob, "unknown1", "413 What");
        answer(chat, bob, &mine.transaction, "200 OK");
        report(chat, bob, &mine.id, "001 413");
        report(chat, bob, &mine.id, "000 200 OK");
        report(chat, bob, "unknown1", "000 413");
        assert_eq!(chat.send(alice, &chunks[1]), Some(200));
        for other in [bob, carol] {
            assert_eq!(Some(chat.rx(other).octets), whole.body);
        }
        chat.all_silent(&[alice, bob, carol]);
    });
}

// CONFORMANCE 4975-110 4975-142 4975-145 4975-147 4976-009
#[test]
fn a_session_that_its_peer_does_not_know_has_failed() {
    let objections: [(&str, Objection); 4] = [
        ("481", |chat, bob, copy| answer(chat, bob, &copy.transaction, "481 No such session")),
        ("506", |chat, bob, copy| answer(chat, bob, &copy.transaction, "506 Bound elsewhere")),
        ("408", |chat, bob, copy| answer(chat, bob, &copy.transaction, "408 Timed out")),
        ("REPORT", |chat, bob, copy| report(chat, bob, &copy.id, "000 408")),
    ];
    for (what, object) in objections {
        everywhere(|chat| {
            let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
            chat.say(alice, "hello");
            let copy = whole_copy(chat, bob);
            object(chat, bob, &copy);
            chat.say(alice, "Nobody there?");
            chat.hears(carol, "hello");
            chat.hears(carol, "Nobody there?");
            assert_eq!(chat.send(alice, to("sip:bob@chat.example.com", "psst")), Some(404), "{what}");
            // It is made anew by an offer (RFC 4975 §5.4).
            assert_eq!(chat.offer_again(bob, "bob").code(), 200);
            let link = chat.stage.connect(false);
            chat.bind_on(link, bob);
            chat.say(alice, "Welcome back");
            chat.hears(bob, "Welcome back");
            chat.silent(bob);

            // Without one the seat is given up.
            chat.say(alice, "again");
            let copy = whole_copy(chat, bob);
            object(chat, bob, &copy);
            chat.stage.pass(Duration::from_secs(30));
            assert!(chat.dismissed(bob).is_some_and(|reason| reason.contains("connection is lost")), "{what}");
            assert_eq!(chat.send(carol, nothing()), Some(200));
        });
    }
}
