//! Regular messages (RFC 7701 §6.1): whose they are, who gets them, and that they arrive as they were sent.

use sim::people::{Caller, Chat, Outcome, Placement, ROOM, everywhere, everywhere_in, nothing, to};

const ALICE: &str = "sip:alice@chat.example.com";
const BOB: &str = "sip:bob@chat.example.com";

// CONFORMANCE 7701-002 7701-003 7701-034 7701-038 7701-074 3862-016 3862-028 4975-155
#[test]
fn a_message_is_let_pass_in_the_name_of_its_sender() {
    everywhere(|chat| {
        chat.open_account("alice", "", &["tel:+15551234", "im:alice@chat.example.com"]);
        let [alice, bob] = chat.all(["alice", "bob"]);
        let froms = [
            "<sip:alice@chat.example.com>",
            "Alice <sip:alice@chat.example.com>",
            "\"Alice, of Wonderland\" <sip:alice@chat.example.com>",
            "\"A\\u0042 \\\"quoted\\\"\" <sip:alice@chat.example.com>",
            "<SIP:alice@CHAT.example.com;transport=tcp>",
            "<sip:%61lice@chat.example.com>",
            "<tel:+1-555-1234>",
            "<im:alice@chat.example.com>",
        ];
        for from in froms {
            assert_eq!(chat.send(alice, to(ROOM, "mine").from(from)), Some(200), "{from}");
            let message = chat.hears(bob, "mine");
            assert_eq!(message.header("From").as_deref(), Some(from), "byte for byte");
            assert_eq!(message.header("To").as_deref(), Some("<sip:lobby@chat.example.com>"));
        }
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 7701-038 7701-061 7701-074 4975-158 3862-007 3862-009 3862-011 3862-023 3862-028 4975-083
// THREATS T11
#[test]
fn nobody_speaks_in_another_s_name() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        chat.join(Caller::new("dave").to_room(sim::people::ATTIC));
        let froms = [
            (403, format!("From: <{BOB}>")),
            (403, "From: <sip:nobody@chat.example.com>".to_owned()),
            (403, "From: <sip:dave@chat.example.com>".to_owned()),
            (403, format!("From: <{ROOM}>")),
            (403, "From: <tel:+15559999>".to_owned()),
            (403, format!("From: alice <{BOB}>")),
            (403, format!("From: \"{ALICE}\" <{BOB}>")),
            (403, "From: <sip:ALICE@chat.example.com>".to_owned()),
            (403, "From: <sip:alice%40chat.example.com@evil.example>".to_owned()),
            (403, "From: <sip:alice@chat.example.com.evil.example>".to_owned()),
            (403, "From: <sip:alice@chat.example.com:5080>".to_owned()),
            (403, "From: <mailto:alice@chat.example.com>".to_owned()),
            (403, "From: <>".to_owned()),
            (403, format!("From: {BOB}")),
            (403, format!("From: <{ALICE}>\r\nFrom: <{BOB}>")),
            (403, format!("From: <{ALICE}>\r\nFrom: <{ALICE}>")),
            (403, format!("NS: c <urn:ietf:params:cpim-headers:>\r\nFrom: <{ALICE}>\r\nc.From: <{BOB}>")),
            // Readers could disagree about who speaks.
            (400, format!("From: \"Alice <{BOB}>\" <{ALICE}>")),
            (400, format!("NS: <urn:x>\r\nFrom: <{ALICE}>")),
            (400, format!("from: <{ALICE}>")),
            (400, format!("FROM: <{ALICE}>")),
            (400, format!("From: <{ALICE}>\r\n <{BOB}>")),
            (400, format!("From: <{ALICE}\u{1}>")),
            (400, "Subject: nobody at all".to_owned()),
        ];
        for (code, from) in froms {
            for (to, line) in [(ROOM, "regular"), (BOB, "private")] {
                let body = format!("{from}\r\nTo: <{to}>\r\n\r\nContent-Type: text/plain\r\n\r\n{line}");
                let sent = sim::people::to(ROOM, "").whole_octets(body.as_bytes());
                assert_eq!(chat.send(alice, &sent), Some(code), "{from} to {to}");
            }
        }
        // From goes before To (RFC 7701 §6.2).
        assert_eq!(chat.send(alice, to("sip:nobody@chat.example.com", "").from(BOB)), Some(403));
        chat.all_silent(&[alice, bob, carol]);
        chat.say(alice, "Me");
        chat.hears(bob, "Me");
    });
}

// CONFORMANCE 7701-034 4975-156
#[test]
fn a_room_is_addressed_by_any_spelling_of_its_uri() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let rooms = [
            ROOM,
            "<sip:lobby@chat.example.com;transport=tcp>",
            "The Room <sip:lobby@CHAT.EXAMPLE.com>",
            "<sips:lobby@chat.example.com>",
            "<sip:l%6fbby@chat.example.com?subject=x>",
            "<sip:lobby@192.0.2.1>",
            "<sip:lobby@192.0.2.1:5060>",
        ];
        for room in rooms {
            assert_eq!(chat.send(alice, to(room, "here")), Some(200), "{room}");
            chat.hears(bob, "here");
        }
        // cc is for readers alone.
        let message = to(ROOM, "once").with_header(&format!("cc: <{BOB}>")).with_header(&format!("CC: <{BOB}>"));
        assert_eq!(chat.send(alice, message), Some(200));
        assert_eq!(chat.hears(bob, "once").header("cc").as_deref(), Some("<sip:bob@chat.example.com>"));
        chat.silent(bob);
    });
}

// CONFORMANCE 7701-039 7701-062 7701-063 7701-034 3862-024 3862-029 4975-158
#[test]
fn a_message_has_one_recipient() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let tos = [
            (403, format!("To: <{ROOM}>\r\nTo: <{BOB}>")),
            (403, format!("To: <{ROOM}>\r\nTo: <{ROOM}>")),
            (403, format!("To: <{BOB}>\r\nTo: <sip:carol@chat.example.com>")),
            (403, format!("NS: c <urn:ietf:params:cpim-headers:>\r\nc.To: <{BOB}>\r\nTo: <{ROOM}>")),
            (404, "To: <sip:nobody@chat.example.com>".to_owned()),
            (404, "To: <sip:Lobby@chat.example.com>".to_owned()),
            (404, "To: <sip:lobby@chat.example.org>".to_owned()),
            (404, "To: <sip:attic@chat.example.com>".to_owned()),
            (404, "To: <im:lobby@chat.example.com>".to_owned()),
            (404, "To: <mailto:bob@chat.example.com>".to_owned()),
            (404, "To: <sip:>".to_owned()),
            (404, "To: <>".to_owned()),
            (404, "To: <:::>".to_owned()),
            (400, format!("To: <{ROOM}>, <{BOB}>")),
            (400, format!("to: <{ROOM}>")),
            (400, "Subject: to nobody".to_owned()),
        ];
        for (code, line) in tos {
            let body = format!("From: <{ALICE}>\r\n{line}\r\n\r\nContent-Type: text/plain\r\n\r\nto whom?");
            assert_eq!(chat.send(alice, to(ROOM, "").whole_octets(body.as_bytes())), Some(code), "{line}");
        }
        chat.all_silent(&[alice, bob, carol]);
    });
}

// CONFORMANCE 7701-041 7701-067 3862-003 3862-012 3862-013 3862-014 3862-020 3862-022 3862-025 3862-031 3862-033 3862-034
// CONFORMANCE 4975-047 4975-072 4975-153 4975-162 4975-163 4975-169 4975-106 3862-005 3862-006
#[test]
fn what_arrives_is_what_was_sent_octet_by_octet() {
    let every_octet: Vec<u8> = (0..=255).cycle().take(2000).collect();
    let odd_headers = "DateTime: yesterday, perhaps\r\nSubject:;lang=fr Salut  \r\nNS: My <mailto:x@example.org>\r\nMy.From: <sip:x>\r\nundeclared.Thing: 1\r\nRequire: My.Everything\r\nX-Odd:   three spaces";
    let long = format!("Subject: {}", "x".repeat(8000));
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let words = to(ROOM, "").with_header(odd_headers);
        let bodies = [
            words.clone().content(&every_octet).typed("application/octet-stream"),
            words.clone().content(b"\r\n\r\n"),
            words.clone().content(b""),
            words.clone().content(b"-------\r\n-------a$\r\n--").typed("Text/PLAIN;charset=\"utf8\""),
            to(ROOM, "long").with_header(&long),
            to(ROOM, "--x\r\nContent-Type: text/plain\r\n\r\n1\r\n--x--").typed("multipart/mixed;boundary=x"),
            to(ROOM, "--x\r\n\r\n1\r\n--x--").typed("multipart/signed;boundary=x"),
            to(ROOM, "From: <sip:eve@x>\r\nTo: <sip:y>\r\n\r\nContent-Type: text/plain\r\n\r\nnested")
                .typed("message/cpim"),
            to(ROOM, "SGVsbG8=").typed("text/plain\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <1@x>"),
        ];
        for words in bodies {
            let sent = words.spoken_by(ALICE);
            assert_eq!(chat.send(alice, &sent), Some(200));
            for other in [bob, carol] {
                let message = chat.rx(other);
                assert_eq!(Some(&message.octets), sent.body.as_ref(), "{sent:?}");
                assert_eq!(message.chunks, 1, "what came whole goes out whole");
            }
        }
        chat.all_silent(&[alice, bob, carol]);
    });
}

// CONFORMANCE 3862-001 3862-004 3862-008 3862-018 3862-026 4975-157
#[test]
fn what_is_no_message_cpim_is_refused() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let head = format!("From: <{ALICE}>\r\nTo: <{ROOM}>\r\n");
        let bodies: [Vec<u8>; 10] = [
            b"just words".to_vec(),
            b"\r\n".to_vec(),
            head.clone().into_bytes(),
            format!("{head}\r\n").into_bytes(),
            format!("{head}\r\nX-Other: 1\r\n\r\nno type").into_bytes(),
            format!("{head}\r\nContent-Type:\r\n\r\nempty type").into_bytes(),
            head.replace("\r\n", "\n").into_bytes(),
            format!("{head}Sub\u{7f}ject: x\r\n\r\nContent-Type: text/plain\r\n\r\nx").into_bytes(),
            [b"From: \xff\xfe <sip:alice@chat.example.com>\r\nTo: <x>\r\n\r\nContent-Type: a/b\r\n\r\n".to_vec()]
                .concat(),
            format!("{head}Subject: {}\r\n\r\nContent-Type: text/plain\r\n\r\nx", "x".repeat(70_000)).into_bytes(),
        ];
        for body in bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            assert_eq!(chat.send(alice, to(ROOM, "").whole_octets(&body)), Some(400), "{shown}");
        }
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 7701-073 4975-105 4975-086 3862-002
#[test]
fn what_is_not_wrapped_is_refused() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        for other in
            ["text/plain", "multipart/mixed;boundary=x", "message/cpimx", "message/*", "application/message/cpim"]
        {
            let words = to(ROOM, "bare").wrapped_in(other);
            assert_eq!(chat.send(alice, &words), Some(415), "{other}");
            assert_eq!(chat.send(alice, words.clone().asking("Failure-Report: partial")), Some(415), "{other}");
            assert_eq!(chat.send(alice, words.asking("Failure-Report: no")), None, "{other}");
        }
        chat.all_silent(&[alice, bob]);
        // Decision D20: not where there is nothing to be wrapped.
        assert_eq!(chat.send(alice, nothing()), Some(200));
        assert_eq!(chat.send(alice, nothing().asking("Keep-Alive: yes")), Some(200));
        assert_eq!(chat.send(alice, to(ROOM, "").whole_octets(b"").wrapped_in("text/plain")), Some(415));
        assert_eq!(chat.send(alice, to(ROOM, "").whole_octets(b"").range("1-0/0")), Some(200));
        for wrapper in ["MESSAGE/cpim;x=y", "message/CPIM"] {
            assert_eq!(chat.send(alice, to(ROOM, "wrapped").wrapped_in(wrapper)), Some(200));
            chat.hears(bob, "wrapped");
        }
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 7701-025 7701-043 7701-044 7701-045 4975-130 4975-131
#[test]
fn everybody_gets_only_types_that_they_accept() {
    everywhere(|chat| {
        let listing = |name: &str, types: &str| Caller::new(name).with("accept-wrapped-types", types);
        let sender = chat.join("sender");
        let bare = Caller::new("bare").without("accept-wrapped-types");
        let people = [
            ("anything", Caller::new("anything")),
            ("text only", listing("plain", "text/plain")),
            ("texts", listing("texts", "TEXT/*;charset=utf-8")),
            ("images", listing("images", "image/png image/gif;q=\"a b\"")),
            ("text at the top", bare.clone().with("accept-types", "message/cpim text/plain")),
            // Decision D53.
            ("nothing said", bare),
        ]
        .map(|(what, caller)| (what, chat.join(caller)));
        let cases = [
            ("text/plain", vec!["anything", "text only", "texts", "text at the top", "nothing said"]),
            ("Text/Plain; charset=utf-8", vec!["anything", "text only", "texts", "text at the top", "nothing said"]),
            ("text/html", vec!["anything", "texts"]),
            ("image/png", vec!["anything", "images"]),
            ("image/gif", vec!["anything", "images"]),
            ("image/jpeg", vec!["anything"]),
        ];
        for (content_type, expected) in cases {
            let words = to(ROOM, content_type).typed(content_type).asking_success();
            assert_eq!(chat.send(sender, words), Some(200));
            assert_eq!(chat.report(sender).header("Status"), Some("000 200 OK"), "of no drop is the sender told");
            let got = people.iter().filter(|(_, person)| match chat.outcome(*person) {
                Some(Outcome::Whole(message)) => message.text() == content_type,
                other => other.is_some(),
            });
            let got: Vec<&str> = got.map(|(what, _)| *what).collect();
            assert_eq!(got, expected, "{content_type}");
        }
        chat.silent(sender);
    });
}

// CONFORMANCE 7701-017
#[test]
fn the_policy_says_what_may_be_sent() {
    let text_only = |policy: &mut focus::settings::RoomPolicy| {
        policy.room.wrapped_types = room::MediaTypes::parse(["text/plain"]).unwrap();
    };
    everywhere_in(text_only, |chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        for recipient in [ROOM, BOB] {
            assert_eq!(chat.send(alice, to(recipient, "x").typed("image/png")), Some(415));
            assert_eq!(chat.send(alice, to(recipient, "x").typed("TEXT/plain;charset=utf-8")), Some(200));
            chat.hears(bob, "x");
        }
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 4975-132
#[test]
fn nobody_gets_a_message_larger_than_they_want() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let small = chat.join(Caller::new("small").with("max-size", "1000"));
        let sized = |octets: usize| {
            let empty = to(ROOM, "").spoken_by(ALICE).body.unwrap().len();
            to(ROOM, &"x".repeat(octets - empty))
        };
        for (octets, fits) in [(1000, true), (1001, false), (2000, false), (999, true)] {
            assert_eq!(chat.send(alice, sized(octets)), Some(200));
            assert_eq!(chat.rx(bob).octets.len(), octets);
            if fits {
                assert_eq!(chat.rx(small).octets.len(), octets);
            }
            chat.silent(small);
        }
        // What they want may change during the session.
        let answer = chat.offer_again(small, Caller::new("small").with("max-size", "2000"));
        assert_eq!(answer.code(), 200);
        assert_eq!(chat.send(alice, sized(2000)), Some(200));
        assert_eq!((chat.rx(small).octets.len(), chat.rx(bob).octets.len()), (2000, 2000));
        chat.all_silent(&[alice, bob, small]);
    });
}

// CONFORMANCE 4975-135
#[test]
fn who_only_listens_or_only_speaks_is_taken_at_their_word() {
    everywhere(|chat| {
        let alice = chat.join("alice");
        let listener = chat.join(Caller::new("listener").with("recvonly", ""));
        let speaker = chat.join(Caller::new("speaker").with("sendonly", ""));
        assert!(
            chat.answer(listener).attributes("sendonly") == [""] && chat.answer(speaker).attributes("recvonly") == [""]
        );
        chat.say(speaker, "I speak");
        chat.hears(alice, "I speak");
        chat.hears(listener, "I speak");
        assert_eq!(chat.send(listener, to(ROOM, "May I?")), Some(403));
        assert_eq!(chat.send(listener, nothing()), Some(200));
        assert_eq!(chat.send(alice, to("sip:speaker@chat.example.com", "Listen")), Some(415));
        chat.all_silent(&[alice, listener, speaker]);

        // Both change their minds.
        assert_eq!(chat.offer_again(speaker, Caller::new("speaker").with("sendrecv", "")).code(), 200);
        assert_eq!(chat.offer_again(listener, "listener").code(), 200);
        chat.say(listener, "I may");
        chat.hears(speaker, "I may");
        chat.hears(alice, "I may");
        chat.whisper(alice, speaker, "You hear");
        chat.hears(speaker, "You hear");
        assert_eq!(chat.offer_again(listener, Caller::new("listener").with("inactive", "")).code(), 200);
        chat.say(alice, "To who listens");
        chat.hears(speaker, "To who listens");
        assert_eq!(chat.send(listener, to(ROOM, "No more")), Some(403));
        chat.all_silent(&[alice, listener, speaker]);
    });
}

// CONFORMANCE 7701-013 7701-044 7701-058 7701-059 4975-026
#[test]
fn all_sessions_of_a_user_get_what_is_said_but_the_one_that_said_it() {
    everywhere(|chat| {
        let [alice, desk] = chat.all(["alice", "bob"]);
        let phone = chat.join("bob");
        let tablet = chat.join(Caller::new("bob").with("accept-wrapped-types", "text/plain"));
        chat.say(alice, "To all of you");
        for session in [desk, phone, tablet] {
            chat.hears(session, "To all of you");
        }
        // Decision D15.
        chat.say(desk, "From my desk");
        for session in [alice, phone, tablet] {
            chat.hears(session, "From my desk");
        }
        assert_eq!(chat.send(alice, to(ROOM, "picture").typed("image/png")), Some(200));
        chat.hears(desk, "picture");
        chat.hears(phone, "picture");
        chat.all_silent(&[alice, desk, phone, tablet]);
        chat.leave(phone);
        chat.say(alice, "One less");
        chat.hears(desk, "One less");
        chat.hears(tablet, "One less");
    });
}

// CONFORMANCE 7701-075 4975-006 4975-091 4975-095 7701-040
#[test]
fn many_messages_at_once_are_answered_one_by_one_and_keep_their_order() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let (mut octets, mut transactions) = (Vec::new(), Vec::new());
        for n in 0..1000 {
            let (transaction, frame) = chat.frame_of(alice, to(ROOM, &format!("number {n}")));
            octets.extend(frame);
            transactions.push(transaction);
        }
        let link = chat.link(alice);
        chat.stage.say_octets(link, &octets);
        for transaction in &transactions {
            assert_eq!(chat.response(alice, transaction), Some(200), "{transaction}");
        }
        let mut ids = std::collections::BTreeSet::new();
        for n in 0..1000 {
            ids.insert(chat.hears(bob, &format!("number {n}")).id);
            chat.hears(carol, &format!("number {n}"));
        }
        assert_eq!(ids.len(), 1000, "RFC 4975 §7.1.1: a Message-ID is not used again");
        chat.all_silent(&[alice, bob, carol]);
    });
}

// CONFORMANCE 7701-072 7701-078
#[test]
fn a_sender_is_answered_though_a_recipient_reads_nothing() {
    let mut chat = Chat::new();
    let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
    let link = chat.link(bob);
    chat.stage.stall(link, 0);
    for n in 0..100 {
        chat.say(alice, &format!("number {n}"));
        chat.hears(carol, &format!("number {n}"));
    }
    chat.silent(bob);
    chat.stage.unstall(link);
    for n in 0..100 {
        chat.hears(bob, &format!("number {n}"));
    }
    chat.silent(bob);
}

// CONFORMANCE 4975-042 4975-049 4975-050 4975-043
// THREATS T8
#[test]
fn a_copy_s_end_line_does_not_occur_in_its_body() {
    // Whoever could foretell a transaction id could cut another's message in two.
    let mut chat = Chat::new();
    let [alice, bob] = chat.all(["alice", "bob"]);
    let mut seen = std::collections::BTreeSet::new();
    let mut text = String::new();
    for _ in 0..50 {
        assert_eq!(chat.send(alice, to(ROOM, &text)), Some(200));
        let frame = chat.next_frame(bob).unwrap();
        let body = frame.text();
        assert!(!body.contains(&format!("-------{}", frame.transaction)));
        assert!(body.ends_with(&text));
        assert!(frame.transaction.len() >= 11, "64 bits at least: {}", frame.transaction);
        text.push_str(&format!("\r\n-------{}$\r\n-------{}+", frame.transaction, frame.transaction));
        assert!(seen.insert(frame.transaction));
    }
}

// CONFORMANCE 7701-010 4975-018
#[test]
fn who_has_left_is_heard_no_more() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let attic = (chat.placement != Placement::Home).then(|| chat.link(bob));
        chat.leave(bob);
        match attic.filter(|link| !chat.stage.is_closed(*link)) {
            Some(_) => assert_eq!(chat.send(bob, to(ROOM, "One more thing")), Some(481)),
            None => assert!(chat.stage.is_closed(chat.link(bob))),
        }
        chat.silent(alice);
        assert_eq!(chat.send(alice, to(BOB, "Bye")), Some(404));
    });
}
