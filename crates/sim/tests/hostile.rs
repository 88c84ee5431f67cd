//! Frames that are not as they should be (RFC 4975 §9, §10): answered where they can be, and never taken for something else.

use std::time::Duration;

use sim::people::{Chat, Outcome, Person, Placement, ROOM, everywhere, to};

/// Octets in somebody's name: `TO` and `FROM` stand for the paths, lines end in LF for short.
fn raw(chat: &mut Chat, person: Person, text: &str) {
    let (switch, path, link) = (chat.switch_uri(person), chat.path(person), chat.link(person));
    let text = text.replace('\n', "\r\n").replace("TO", &switch).replace("FROM", &path);
    chat.stage.say_octets(link, text.as_bytes());
}

/// A SEND with these octets as its body.
fn send_body(chat: &mut Chat, person: Person, transaction: &str, body: &[u8]) -> Vec<u8> {
    let (switch, path) = (chat.switch_uri(person), chat.path(person));
    let head = format!(
        "MSRP {transaction} SEND\r\nTo-Path: {switch}\r\nFrom-Path: {path}\r\nMessage-ID: {transaction}\r\nContent-Type: message/cpim\r\n\r\n"
    );
    [head.as_bytes(), body, format!("\r\n-------{transaction}$\r\n").as_bytes()].concat()
}

fn wrapped(content: &[u8]) -> Vec<u8> {
    let head = format!("From: <sip:alice@chat.example.com>\r\nTo: <{ROOM}>\r\n\r\nContent-Type: a/b\r\n\r\n");
    [head.as_bytes(), content].concat()
}

// CONFORMANCE 4975-136 4975-138 4975-139 4975-141 4975-146 4975-148 4975-149 4975-044 4975-046 7701-121
// THREATS T9 23ad1fb9 31469a05
#[test]
fn a_fault_in_a_head_is_answered_and_forgotten() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let cases = [
            (Some(200), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nX-Foo: bar\nMessage-ID: case\n-------case$\n"),
            (Some(200), "MSRP case SEND\nTo-Path:TO\nFrom-Path:   FROM\nmessage-id:\tcase\n-------case$\n"),
            (Some(200), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\n-------case$\n"),
            (Some(501), "MSRP case FOO\nTo-Path: TO\nFrom-Path: FROM\n-------case$\n"),
            (Some(501), "MSRP case AUTH\nTo-Path: TO\nFrom-Path: FROM\n-------case$\n"),
            (Some(501), "MSRP case FOO\nTo-Path: TO\nFrom-Path: FROM\nContent-Type: a/b\n\nbody\n-------case$\n"),
            (Some(400), "MSRP case send\nTo-Path: TO\nFrom-Path: FROM\n-------case$\n"),
            (Some(400), "MSRP case SEND now\nTo-Path: TO\nFrom-Path: FROM\n-------case$\n"),
            (Some(400), "MSRP case SEND\nFrom-Path: FROM\nTo-Path: TO\n-------case$\n"),
            (Some(400), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nTo-Path: TO\n-------case$\n"),
            (Some(400), "MSRP case SEND\nX-First: x\nTo-Path: TO\nFrom-Path: FROM\n-------case$\n"),
            (Some(400), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nContent-Type: a/b\n-------case$\n"),
            (Some(400), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nMessage-ID: case\n\nbody\n-------case$\n"),
            (
                Some(400),
                "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nMessage-ID: case\nMessage-ID: other\n-------case$\n",
            ),
            (Some(400), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nMessage-ID: no\n-------case$\n"),
            (Some(400), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nFailure-Report: maybe\n-------case$\n"),
            (Some(400), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nno colon here\n-------case$\n"),
            (Some(400), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\n folded: line\n-------case$\n"),
            (Some(400), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nX-Foo : bar\n-------case$\n"),
            (Some(400), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nX-Foo: a\u{0}b\n-------case$\n"),
            (Some(400), "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nX-Foo: a\u{1b}[2J\n-------case$\n"),
            (None, "MSRP case SEND\nFrom-Path: FROM\nMessage-ID: case\n-------case$\n"),
            (None, "MSRP case SEND\nTo-Path: TO\nMessage-ID: case\n-------case$\n"),
            (None, "MSRP case SEND\n-------case$\n"),
            (None, "MSRP case SEND\nTo-Path: TO\nFrom-Path: FROM\nFailure-Report: no\nbroken\n-------case$\n"),
            (None, "MSRP case REPORT\nTo-Path: TO\nFrom-Path: FROM\nbroken\n-------case$\n"),
        ];
        for (code, text) in cases {
            raw(chat, alice, text);
            assert_eq!(chat.response(alice, "case"), code, "{text}");
            chat.silent(alice);
        }
        let link = chat.link(alice);
        let lines = "MSRP case SEND\r\nTo-Path: TO\r\nFrom-Path: FROM\nMessage-ID: case\r\n-------case$\r\n";
        let lines = lines.replace("TO", &chat.switch_uri(alice)).replace("FROM", &chat.path(alice));
        chat.stage.say_octets(link, lines.as_bytes());
        assert_eq!(chat.response(alice, "case"), Some(400), "a header ends in CR LF");
        // None of it has harmed the session.
        chat.say(alice, "All is well");
        chat.hears(bob, "All is well");
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 4976-010
#[test]
fn the_paths_of_the_switch_have_their_ports() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let (switch, path) = (chat.switch_uri(alice), chat.path(alice));
        assert!(switch.starts_with("msrp://chat.example.com:2855/") && path.contains(":7654/"));
        let bare = |uri: &str| uri.replace(":2855", "").replace(":7654", "");
        let relayed = format!("msrp://relay.example.net/r;tcp {path}");
        // A URI without one is another (RFC 4975 §6.1). How a peer writes its own path is its affair.
        for (to, from, code) in [(&bare(&switch), &path, 481), (&switch, &bare(&path), 200), (&switch, &relayed, 200)] {
            let link = chat.link(alice);
            let text =
                format!("MSRP port SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: port\r\n-------port$\r\n");
            chat.stage.say_octets(link, text.as_bytes());
            let answer = chat.frames(link).pop_front().and_then(|frame| frame.code());
            assert_eq!(answer, Some(code), "{to} {from}");
        }
        chat.say(alice, "By the right ones");
        let copy = chat.next_frame(bob).unwrap();
        for name in ["To-Path", "From-Path"] {
            let uri = copy.header(name).unwrap();
            assert!(uri.contains(":2855/") || uri.contains(":7654/"), "{uri}");
        }
    });
}

// CONFORMANCE 4975-136 4975-137 4975-139 4975-141 4975-045
// THREATS T9 045bf283 b255c406 addb6a88
#[test]
fn where_the_framing_is_lost_the_connection_is() {
    let cases: [(&str, Vec<u8>); 18] = [
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("TLS on the plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("lower case", b"msrp abcd SEND\r\n".to_vec()),
        ("no transaction id", b"MSRP \r\n\r\n".to_vec()),
        ("an empty one", b"MSRP  SEND\r\n\r\n".to_vec()),
        ("a short one", b"MSRP abc SEND\r\n".to_vec()),
        ("a long one", format!("MSRP {} SEND\r\n", "a".repeat(33)).into_bytes()),
        ("an odd one", b"MSRP ab/d SEND\r\n".to_vec()),
        ("one that begins oddly", b"MSRP -abcd SEND\r\n".to_vec()),
        ("one that ends a line", b"MSRP abcd\r\n".to_vec()),
        ("a line that ends in LF", b"MSRP abcd SEND\nTo-Path: x\n".to_vec()),
        ("one of one letter", b"MSRP a\r\n".to_vec()),
        ("a start line without end", format!("MSRP abcd {}", "S".repeat(2000)).into_bytes()),
        (
            "a header without end",
            format!("MSRP abcd SEND\r\nTo-Path: x\r\nX-Long: {}", "x".repeat(20_000)).into_bytes(),
        ),
        (
            "a From-Path of very many",
            format!("MSRP abcd SEND\r\nTo-Path: x\r\nFrom-Path:{}\r\n", " msrp://a.b:1/c;tcp".repeat(10_000))
                .into_bytes(),
        ),
        ("many headers", ("MSRP abcd SEND\r\n".to_owned() + &"X: y\r\n".repeat(10_000)).into_bytes()),
        ("the end-line of another", b"MSRP abcd SEND\r\nTo-Path: x\r\n-------abce$\r\n".to_vec()),
        ("an end-line of another flag", b"MSRP abcd SEND\r\nTo-Path: x\r\n-------abcd!\r\n".to_vec()),
    ];
    for (case, octets) in cases {
        let mut chat = Chat::new();
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let link = chat.link(alice);
        // In the middle of a message of hers.
        let chunk = to(ROOM, &"x".repeat(200)).id("half").spoken_by("sip:alice@chat.example.com").cut_at(&[200]);
        assert_eq!(chat.send(alice, &chunk[0]), Some(200));
        chat.stage.say_octets(link, &octets);
        assert!(chat.stage.is_closed(link), "{case}");
        for other in [bob, carol] {
            assert!(matches!(chat.outcome(other), Some(Outcome::Aborted(_))), "{case}");
        }
        chat.say(bob, "What was that?");
        chat.hears(carol, "What was that?");
        chat.stage.pass(Duration::from_secs(30));
        assert!(chat.dismissed(alice).is_some(), "{case}");
        chat.silent(bob);
    }
}

// CONFORMANCE 4975-137
// THREATS ff0d1b6
#[test]
fn transaction_ids_of_any_length_that_may_be_are_taken() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let long = "Z9.-+%=".repeat(4) + "abcd";
        for transaction in ["abcd", "abcde", "abc", &long, "a1.+", "0000"].into_iter().filter(|id| id.len() >= 4) {
            // Each body holds the end-lines of ids that this one begins with, or that begin with it.
            let body = wrapped(format!("\r\n-------{transaction}x$\r\n-------abc$\r\n-------ab$").as_bytes());
            let octets = send_body(chat, alice, transaction, &body);
            chat.stage.say_octets(chat.link(alice), &octets);
            assert_eq!(chat.response(alice, transaction), Some(200), "{transaction}");
            assert_eq!(chat.rx(bob).octets, body);
        }
    });
}

// CONFORMANCE 4975-047 4975-049
// THREATS T8 b255c406
#[test]
fn what_only_looks_like_an_end_line_is_content() {
    let look_alikes: Vec<Vec<u8>> = [
        "-------\r\n".repeat(1000),
        "\r\n-------own-".to_owned(),
        "\r\n-------own-id".to_owned(),
        "\r\n-------own-id\r\n".to_owned(),
        "\r\n-------own-id*\r\n".to_owned(),
        "x-------own-id$\r\n".to_owned(),
        "\n-------own-id$\r\n".to_owned(),
        "\r-------own-id$\r\n".to_owned(),
        "\r\n------own-id$\r\n".to_owned(),
        "\r\n--------own-id$\r\n".to_owned(),
        "\r\n-------own-id$\n".to_owned(),
        "\r\n-------own-id$\r".to_owned(),
        "\r\n-------own-id$x\r\n".to_owned(),
        "\r\n-------own-id$$\r\n".to_owned(),
        "\r\n-------OWN-ID$\r\n".to_owned(),
        "\r\n-------other1$\r\nMSRP other1 SEND\r\n".to_owned(),
        "\r\n\r\n\r\n".to_owned(),
        "\r\n-".repeat(500),
        String::new(),
    ]
    .map(String::into_bytes)
    .into();
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let link = chat.link(alice);
        for content in &look_alikes {
            let body = wrapped(content);
            let octets = send_body(chat, alice, "own-id", &body);
            let shown = String::from_utf8_lossy(&content[..content.len().min(40)]).into_owned();
            // At once, and cut in two around everything that looks like something.
            let start = octets.len() - content.len().min(60) - 20;
            for at in std::iter::once(0).chain(start..octets.len()) {
                chat.stage.say_octets(link, &octets[..at]);
                chat.stage.say_octets(link, &octets[at..]);
                assert_eq!(chat.response(alice, "own-id"), Some(200), "{shown} cut at {at}");
                assert!(chat.rx(bob).octets == body, "{shown} cut at {at}");
            }
        }
        chat.all_silent(&[alice, bob]);
    });
}

// THREATS T8
#[test]
fn what_hides_behind_an_end_line_in_a_body_is_its_sender_s_own_request() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let hidden = String::from_utf8(send_body(chat, alice, "hidden", &wrapped(b"I am Bob"))).unwrap();
        let hidden = hidden.replace("From: <sip:alice@", "From: <sip:bob@");
        let body = wrapped(format!("mine\r\n-------own-id$\r\n{hidden}").as_bytes());
        let octets = send_body(chat, alice, "own-id", &body);
        let link = chat.link(alice);
        chat.stage.say_octets(link, &octets);
        if chat.placement == Placement::Home {
            assert_eq!(chat.response(alice, "own-id"), Some(200));
            assert_eq!(chat.response(alice, "hidden"), Some(403));
        }
        for other in [bob, carol] {
            chat.hears(other, "mine");
            chat.silent(other);
        }
        // What is left over is no frame.
        assert!(chat.stage.is_closed(link));
    });
}

// THREATS 349f55ff
#[test]
fn short_bodies_are_read_however_they_are_cut() {
    everywhere(|chat| {
        let alice = chat.join("alice");
        let (switch, path, link) = (chat.switch_uri(alice), chat.path(alice), chat.link(alice));
        let bodies = [("\r\n", 200), ("\r\n\r\n", 200), ("\r\nx\r\n", 400), ("\r\n-\r\n", 400), ("\r\n\r\n\r\n", 400)];
        for (nth, (body, code)) in bodies.into_iter().enumerate() {
            let head = format!(
                "MSRP short SEND\r\nTo-Path: {switch}\r\nFrom-Path: {path}\r\nMessage-ID: short{nth}\r\nByte-Range: 1-*/*\r\nContent-Type: message/cpim\r\n"
            );
            let frame = format!("{head}{body}-------short$\r\n");
            for at in head.len() - 2..frame.len() {
                chat.stage.say_octets(link, &frame.as_bytes()[..at]);
                chat.stage.say_octets(link, &frame.as_bytes()[at..]);
                assert_eq!(chat.response(alice, "short"), Some(code), "{body:?} cut at {at}");
            }
        }
        chat.silent(alice);
    });
}
