//! Private messages (RFC 7701 §6.2): to one participant, by any of their addresses, and to nobody who does not want them.

use sim::people::{Caller, Chat, Person, ROOM, everywhere, everywhere_in, to};

const ALICE: &str = "sip:alice@chat.example.com";
const BOB: &str = "sip:bob@chat.example.com";

// CONFORMANCE 7701-004 7701-003 7701-060 7701-067
#[test]
fn a_private_message_reaches_its_addressee_alone() {
    everywhere(|chat| {
        chat.open_account("bob", "", &["tel:+15551234", "im:bob@chat.example.com"]);
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let addresses = [
            "<sip:bob@chat.example.com>",
            "Bob <sip:bob@CHAT.example.com;transport=tcp>",
            "<sips:b%6fb@chat.example.com>",
            "<tel:+1-555-1234>",
            "<im:bob@chat.example.com>",
        ];
        for address in addresses {
            let sent = to(address, "psst").with_header("X-Odd:  kept").spoken_by(ALICE);
            assert_eq!(chat.send(alice, &sent), Some(200), "{address}");
            let message = chat.rx(bob);
            assert_eq!(Some(&message.octets), sent.body.as_ref());
            assert_eq!(message.header("To").as_deref(), Some(address), "that it is private shows in To");
            chat.all_silent(&[alice, bob, carol]);
        }
        chat.whisper(bob, alice, "I hear you");
        chat.hears(alice, "I hear you");
        chat.all_silent(&[alice, bob, carol]);
    });
}

// CONFORMANCE 7701-064 7701-065 7701-113 7701-121
#[test]
fn who_does_not_declare_private_messages_gets_none() {
    everywhere(|chat| {
        let alice = chat.join("alice");
        let callers = [
            ("bare", Caller::new("bare").with("chatroom", "")),
            ("unaware", Caller::new("unaware").without("chatroom")),
            ("named", Caller::new("named").with("chatroom", "nickname")),
            ("vendor", Caller::new("vendor").with("chatroom", "com.example.private-messages nickname")),
        ];
        for (name, caller) in callers {
            let person = chat.join(&caller);
            if name == "unaware" {
                chat.greeted(person);
            }
            let uri = chat.uri(person);
            assert_eq!(chat.send(alice, to(&uri, "psst")), Some(428), "{name}");
            assert_eq!(chat.send(alice, to(&uri, "psst").asking("Failure-Report: no")), None);
            chat.silent(person);
            // They may whisper to who does.
            chat.whisper(person, alice, name);
            chat.hears(alice, name);
        }
        let able = chat.join(Caller::new("able").with("chatroom", "PRIVATE-MESSAGES"));
        chat.whisper(alice, able, "psst");
        chat.hears(able, "psst");
    });
}

// CONFORMANCE 7701-063 7701-061 7701-062 7701-064 7701-121
#[test]
fn the_first_reason_to_refuse_is_the_one_that_is_told() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let plain = chat.join(Caller::new("plain").with("chatroom", "").with("accept-wrapped-types", "text/plain"));
        let texts = chat.join(Caller::new("texts").with("accept-wrapped-types", "text/plain"));
        let gone = chat.join("gone");
        chat.leave(gone);
        let picture = |uri: &str| to(uri, "picture").typed("image/png");
        let cases = [
            ("another's From to several", 403, picture(BOB).from(BOB).with_header(&format!("To: <{ROOM}>"))),
            ("another's From to nobody", 403, to("sip:nobody@chat.example.com", "").from(BOB)),
            ("to several", 403, to("sip:nobody@chat.example.com", "").with_header(&format!("To: <{BOB}>"))),
            ("to nobody", 404, picture("sip:nobody@chat.example.com")),
            ("to who has left", 404, to("sip:gone@chat.example.com", "")),
            ("to a nickname", 404, to("sip:Bobby@lobby", "")),
            ("to who takes none", 428, picture("sip:plain@chat.example.com")),
            ("of a type not taken", 415, picture("sip:texts@chat.example.com")),
        ];
        for (case, code, words) in cases {
            assert_eq!(chat.send(alice, words), Some(code), "{case}");
        }
        chat.all_silent(&[alice, bob, plain, texts]);
    });
}

// CONFORMANCE 7701-011 7701-112
#[test]
fn where_the_policy_forbids_them_nothing_else_is_looked_at() {
    everywhere_in(
        |policy| policy.room.private_messages = false,
        |chat| {
            // Decisions D14 and D51.
            let [alice, bob] = chat.all(["alice", "bob"]);
            for uri in [BOB, ALICE, "sip:nobody@chat.example.com", "mailto:x@y"] {
                assert_eq!(chat.send(alice, to(uri, "psst")), Some(403), "{uri}");
            }
            chat.all_silent(&[alice, bob]);
            chat.say(alice, "Aloud then");
            chat.hears(bob, "Aloud then");
        },
    );
}

// CONFORMANCE 7701-065 7701-068 7701-044 7701-058
#[test]
fn all_sessions_of_the_addressee_that_can_take_it_get_it() {
    everywhere(|chat| {
        let alice = chat.join("alice");
        let able = chat.join("bob");
        let unable = chat.join(Caller::new("bob").with("chatroom", "nickname"));
        let texts = chat.join(Caller::new("bob").with("accept-wrapped-types", "text/plain"));
        let sessions = [able, unable, texts];
        chat.whisper(alice, able, "To those who can");
        chat.hears(able, "To those who can");
        chat.hears(texts, "To those who can");
        assert_eq!(chat.send(alice, to(BOB, "picture").typed("image/png")), Some(200));
        chat.hears(able, "picture");
        chat.all_silent(&sessions);
        chat.leave(able);
        assert_eq!(chat.send(alice, to(BOB, "picture").typed("image/png")), Some(415));
        chat.leave(texts);
        assert_eq!(chat.send(alice, to(BOB, "psst")), Some(428));
        chat.leave(unable);
        assert_eq!(chat.send(alice, to(BOB, "psst")), Some(404));
        chat.silent(alice);
    });
}

#[test]
fn one_may_write_to_oneself() {
    // Decisions D35 and D51: the sender's other sessions get what is for them, and only that.
    everywhere(|chat| {
        let [desk, bob] = chat.all(["alice", "bob"]);
        assert_eq!(chat.send(desk, to(ALICE, "note").asking_success()), Some(200));
        assert_eq!(chat.report(desk).header("Status"), Some("000 200 OK"));
        chat.all_silent(&[desk, bob]);
        let phone = chat.join("alice");
        chat.whisper(desk, phone, "note");
        chat.hears(phone, "note");
        chat.whisper(desk, bob, "psst");
        chat.hears(bob, "psst");
        chat.all_silent(&[desk, phone, bob]);
    });
}

// CONFORMANCE 7701-063
// THREATS d37707c
#[test]
fn who_has_not_bound_or_has_lost_the_media_is_not_reached() {
    everywhere(|chat| {
        let alice = chat.join("alice");
        let late = chat.call("late").unwrap();
        assert_eq!(chat.send(alice, to("sip:late@chat.example.com", "psst")), Some(404));
        chat.bind(late);
        chat.whisper(alice, late, "Now");
        chat.hears(late, "Now");
        // Decision D52.
        let link = chat.link(late);
        chat.stage.cut(link);
        assert_eq!(chat.send(alice, to("sip:late@chat.example.com", "psst")), Some(404));
        chat.silent(alice);
    });
}

/// A success REPORT on a message to somebody, and what it must say.
fn reported(chat: &mut Chat, by: Person, to_uri: &str, id: &str) -> String {
    assert_eq!(chat.send(by, to(to_uri, "psst").id(id).asking_success()), Some(200));
    let report = chat.report(by);
    assert_eq!(report.header("Message-ID"), Some(id));
    report.text()
}

// CONFORMANCE 7701-066 4975-045 4975-075 4975-081
#[test]
fn a_report_on_a_private_message_says_between_whom_it_was() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let text = reported(chat, alice, "Bob <sip:bob@chat.example.com>", "private1");
        let (wrapper, content) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(wrapper, "From: <sip:alice@chat.example.com>\r\nTo: Bob <sip:bob@chat.example.com>");
        assert_eq!(content, "Content-Type: text/plain\r\n\r\n");
        chat.hears(bob, "psst");
        // A regular one has none (decision D13).
        assert_eq!(reported(chat, alice, ROOM, "regular1"), "");
        chat.hears(bob, "psst");

        // However long the names are, a REPORT stays below its bound (RFC 4975 §7.1).
        let name = "B".repeat(20_000);
        let text = reported(chat, alice, &format!("{name} <{BOB}>"), "private2");
        assert!(text.contains("<sip:bob@chat.example.com>") && text.contains("<sip:alice@chat.example.com>"), "{text}");
        let mut from = to(BOB, "psst").id("private3").asking_success();
        from = from.from(&format!("\"{}\" <{ALICE}>", "A".repeat(9_000)));
        assert_eq!(chat.send(alice, from), Some(200));
        assert!(chat.report(alice).text().contains("<sip:alice@chat.example.com>"));
        chat.rx(bob);
        chat.rx(bob);
        chat.all_silent(&[alice, bob]);
    });
}
