//! What the stacks in use do, seen from the room: each is served as far as no rule of the RFCs is broken.

use sim::people::{ATTIC, Caller, Chat, Frame, Person, ROOM, everywhere, nothing, to};

const ALICE: &str = "sip:alice@chat.example.com";

/// An offer as Blink and the other clients of its library make it.
fn blink(name: &str) -> Caller {
    Caller::new(name)
        .without("chatroom")
        .with("accept-types", "message/cpim text/* image/* application/im-iscomposing+xml")
        .with("accept-wrapped-types", "text/* image/* application/im-iscomposing+xml")
        .with("setup", "active")
}

fn next(chat: &mut Chat, person: Person) -> Frame {
    let link = chat.link(person);
    chat.frames(link).pop_front().expect("a frame has come")
}

/// Octets in somebody's name, lines ending in LF for short: `TO` and `FROM` stand for the paths.
fn raw(chat: &mut Chat, person: Person, text: &str) {
    let (switch, path, link) = (chat.switch_uri(person), chat.path(person), chat.link(person));
    let text = text.replace('\n', "\r\n").replace("TO", &switch).replace("FROM", &path);
    chat.stage.say_octets(link, text.as_bytes());
}

/// Somebody in the room who has been told where they are.
fn greeted(chat: &mut Chat, caller: Caller) -> Person {
    let person = chat.join(caller);
    chat.greeted(person);
    person
}

// INTEROP blink: the answer that makes it show a room and send to it
#[test]
fn blink_joins_and_finds_what_it_looks_for() {
    for caller in [blink("alice"), blink("alice").secure(), blink("alice").with("setup", "actpass")] {
        let mut chat = Chat::new();
        let alice = chat.join(&caller);
        let answer = chat.answer(alice);
        let contact = answer.header("Contact").unwrap_or_default();
        assert!(contact.starts_with("<sip:lobby@chat.example.com") && contact.contains(";isfocus"), "{contact}");
        assert_eq!(answer.attribute("chatroom"), "nickname private-messages");
        assert_eq!(answer.attribute("accept-wrapped-types"), "*");
        assert_eq!(answer.attribute("setup"), "passive");
        let path = answer.attribute("path");
        assert_eq!((path.starts_with("msrps:"), path.ends_with(";tcp")), (caller.is_secure(), true), "{path}");
        let bob = chat.join(blink("bob").with_media_before("m=audio 50000 RTP/AVP 9 0 8\r\na=sendrecv"));
        assert!(chat.answer(bob).lines('m')[0].starts_with("audio 0 "));
        chat.greeted(bob);
        assert_eq!(chat.send(alice, to(ROOM, "<p>hello</p>").typed("text/html")), Some(200));
        chat.hears(bob, "<p>hello</p>");
        // It declares nothing: RFC 7701 §8, read strictly.
        assert_eq!(chat.send(alice, to("sip:bob@chat.example.com", "psst")), Some(428));
    }
}

// INTEROP blink: it drops the session if anything with content comes before the 200 to its empty SEND
#[test]
fn blink_s_first_send_is_answered_before_anything_else_comes() {
    everywhere(|chat| {
        let [bob, carol] = chat.all(["bob", "carol"]);
        let alice = chat.call(blink("alice")).unwrap();
        chat.say(bob, "before she is bound");
        chat.hears(carol, "before she is bound");
        let link = chat.stage.connect(false);
        chat.use_link(link, alice);
        let (_, first) = chat.frame_of(alice, nothing().id("first123").ranged("1-0/0"));
        chat.stage.node.received(chat.stage.now, link, &first);
        // Somebody speaks while it is on its way.
        let (_, words) = chat.frame_of(bob, to(ROOM, "meanwhile"));
        let bobs = chat.link(bob);
        chat.stage.node.received(chat.stage.now, bobs, &words);
        chat.stage.settle();
        assert_eq!(next(chat, alice).start, "200 OK");
        chat.say(bob, "afterwards");
        let texts: Vec<String> = std::iter::from_fn(|| chat.next_frame(alice)).map(|frame| frame.text()).collect();
        assert!(texts.last().is_some_and(|text| text.ends_with("afterwards")), "{texts:?}");
    });
}

// INTEROP blink: a message in two chunks towards it ends its session, and so does a second chunk of what came whole
#[test]
fn what_came_whole_goes_out_whole_to_blink() {
    everywhere(|chat| {
        let [alice, bob] = ["alice", "bob"].map(|name| greeted(chat, blink(name)));
        for octets in [10, 1_000, 3_000, 10_000] {
            let words = to(ROOM, &"ö".repeat(octets / 2));
            assert_eq!(chat.send(alice, &words), Some(200));
            assert_eq!(chat.rx(bob).chunks, 1, "{octets}");
            // Its Byte-Range counts characters: too few for what is not ASCII, and open above 2 048.
            let range = if octets > 2_048 { format!("1-*/{}", octets / 2) } else { format!("1-{0}/{0}", octets / 2) };
            assert_eq!(chat.send(alice, words.range(&range)), Some(200));
            let message = chat.rx(bob);
            assert_eq!((message.chunks, message.text().chars().count()), (1, octets / 2), "{range}");
        }
        chat.silent(bob);
    });
}

// INTEROP blink: content headers that end in bare LF, `charset="utf8"`, an empty Content-Transfer-Encoding
#[test]
fn blink_s_wrapper_is_read_and_passed_on_as_it_is() {
    everywhere(|chat| {
        let [alice, bob] = ["alice", "bob"].map(|name| greeted(chat, blink(name)));
        let body = format!(
            "From: \"Alice\" <{ALICE}>\r\nTo: <{ROOM}>\r\nDateTime: 2026-01-01T00:00:00.000000+00:00\r\n\r\nContent-Type: text/plain; charset=\"utf8\"\nContent-Transfer-Encoding: \n\nhello"
        );
        assert_eq!(chat.send(alice, to(ROOM, "").whole_octets(body.as_bytes())), Some(200));
        assert_eq!(chat.rx(bob).octets, body.into_bytes());
    });
}

// INTEROP blink: nicknames without quotes, the empty one to remove; keep-alives with a header of its own; reports on everything
#[test]
fn blink_s_requests_are_answered() {
    everywhere(|chat| {
        let [alice, bob] = ["alice", "bob"].map(|name| greeted(chat, blink(name)));
        assert_eq!(chat.nick_as_written(alice, b"Bob The Great"), 200);
        assert_eq!(chat.nick(bob, "bob the great"), 425);
        assert_eq!(chat.nick_as_written(alice, b""), 200);
        assert_eq!(chat.send(alice, nothing().asking("Keep-Alive: yes")), Some(200));
        let words = to(ROOM, "hello").asking("Success-Report: yes").asking("Failure-Report: yes");
        assert_eq!(chat.send(alice, words), Some(200));
        assert_eq!(
            chat.report(alice).header("Status"),
            Some("000 200 OK"),
            "it shows a message as delivered only then"
        );
        let copy = next(chat, bob);
        assert!(copy.header("From-Path").is_some_and(|path| path == chat.switch_uri(bob)), "with the session-id");
        chat.all_silent(&[alice, bob]);
    });
}

// INTEROP kamailio: a response without a comment is a request to it; exact names, one space, To-Path and From-Path first
// CONFORMANCE 4975-094
#[test]
fn kamailio_s_relay_can_read_all_that_is_sent() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        chat.send_only(alice, to(ROOM, "one").asking_success());
        chat.send_only(alice, to("sip:nobody@chat.example.com", "two"));
        chat.send_only(alice, nothing());
        let octets: Vec<u8> = [alice, bob].map(|person| chat.stage.pending(chat.link(person)).to_vec()).concat();
        let text = String::from_utf8(octets).unwrap();
        let known = ["To-Path", "From-Path", "Message-ID", "Failure-Report", "Byte-Range", "Status", "Content-Type"];
        let mut frames = 0;
        for frame in text.split_inclusive("$\r\n") {
            frames += 1;
            let mut lines = frame.split("\r\n");
            let start: Vec<&str> = lines.next().unwrap().splitn(4, ' ').collect();
            assert!(start[0] == "MSRP" && (start.len() == 4 || ["SEND", "REPORT"].contains(&start[2])), "{frame}");
            let headers: Vec<&str> = lines.take_while(|line| !line.is_empty() && !line.starts_with('-')).collect();
            assert!(
                headers[0].starts_with("To-Path: msrp://") && headers[1].starts_with("From-Path: msrp://"),
                "{frame}"
            );
            for header in headers {
                let (name, value) = header.split_once(": ").unwrap();
                assert!(known.contains(&name) && !value.starts_with(' '), "{header}");
            }
        }
        assert_eq!(frames, 5);
    });
}

// INTEROP kamailio: it answers 200 where none is wanted, with a Message-ID in it
#[test]
fn kamailio_s_needless_responses_are_passed_over() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        chat.say(alice, "hello");
        let copy = next(chat, bob);
        let id = &copy.transaction;
        for comment in [" OK", ""] {
            let text =
                format!("MSRP {id} 200{comment}\nTo-Path: TO\nFrom-Path: FROM\nMessage-ID: abcdef\n-------{id}$\n");
            raw(chat, bob, &text);
        }
        chat.all_silent(&[alice, bob]);
        chat.say(bob, "still here");
        chat.hears(alice, "still here");
    });
}

// INTEROP kamailio: frames of some 8 kB pass it, 15 kB do not
#[test]
fn messages_through_relays_come_in_chunks_of_eight_kilobytes() {
    everywhere(|chat| {
        let alice = chat.join("alice");
        let path = "msrp://relay.example.org:2855/r;tcp msrp://bob.example.net:7654/b;tcp";
        let bob = chat.join(Caller::new("bob").with_path(path));
        let words = to(ROOM, &"x".repeat(50_000));
        assert_eq!(chat.send(alice, &words), Some(200));
        let link = chat.link(bob);
        let longest = chat.frames(link).iter().map(|frame| frame.body.as_ref().map_or(0, Vec::len)).max();
        assert!(longest.is_some_and(|octets| octets <= 8_000), "{longest:?}");
        assert_eq!(chat.rx(bob).octets, words.spoken_by(ALICE).body.unwrap());
    });
}

// INTEROP freeswitch: it uses the transaction id of a SEND again for the REPORT on it
#[test]
fn freeswitch_s_reports_are_no_responses() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        chat.say(alice, "hello");
        let copy = next(chat, bob);
        let (id, message) = (&copy.transaction, copy.header("Message-ID").unwrap());
        let text = format!(
            "MSRP {id} REPORT\nTo-Path: TO\nFrom-Path: FROM\nMessage-ID: {message}\nByte-Range: 1-5/5\nStatus: 000 200 OK\n-------{id}$\n"
        );
        raw(chat, bob, &text);
        chat.all_silent(&[alice, bob]);
    });
}

// INTEROP java stacks: bare addresses, odd case, open ranges, binds with an empty body, bare codes
#[test]
fn java_stacks_are_understood() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let bind = "MSRP bind0001 SEND\nTo-Path: TO\nFrom-Path: FROM\nMessage-ID: bind0001\nByte-Range: 1-0/0\n-------bind0001$\n";
        raw(chat, alice, bind);
        assert_eq!(chat.response(alice, "bind0001"), Some(200));
        let body = format!("From: {ALICE}\r\nTo: {ROOM}\r\n\r\nContent-type: text/plain\r\n\r\nhello");
        let length = body.len();
        let words = to(ROOM, "").whole_octets(body.as_bytes()).range(&format!("1-*/{length}"));
        assert_eq!(chat.send(alice, words.wrapped_in("Message/CPIM")), Some(200));
        assert_eq!(chat.rx(bob).octets, body.into_bytes());
        let copy = chat.frames(chat.link(bob)).pop_front();
        assert_eq!(copy, None);
    });
}

// INTEROP rcs: port 9 with setup:active, bare LF in SDP, connection:new; what is inside the wrapper passes untouched
#[test]
fn rcs_stacks_join_and_talk() {
    everywhere(|chat| {
        let bob = chat.join("bob");
        let caller = Caller::new("alice")
            .with("setup", "active")
            .with("connection", "new")
            .with_edit("m=message 7654", "m=message 9")
            .with_edit("\r\n", "\n")
            .with_header("Contribution-ID: abcdef")
            .with_header("Subject: talk");
        let alice = chat.join(&caller);
        assert_eq!(chat.answer(alice).attribute("setup"), "passive");
        let types = ["message/imdn+xml", "application/im-iscomposing+xml", "application/vnd.oma.cpm-groupdata+xml"];
        for content_type in types {
            let words = to(ROOM, "<x/>")
                .typed(content_type)
                .with_header("NS: imdn <urn:ietf:params:imdn>")
                .with_header("imdn.Message-ID: abc")
                .with_header("imdn.Disposition-Notification: positive-delivery, display");
            let sent = words.spoken_by(ALICE);
            assert_eq!(chat.send(alice, &sent), Some(200));
            assert_eq!(Some(chat.rx(bob).octets), sent.body);
        }
    });
}

// INTEROP browsers: hosts that cannot be found, paths over WebSocket, relays that they have asked for a path
// CONFORMANCE 7977-006
#[test]
fn browser_stacks_join_and_talk() {
    everywhere(|chat| {
        let bob = chat.join("bob");
        let paths = [
            "msrps://df7jal23ls0d.invalid:2855/98cjs;ws",
            "msrps://relay.example.org:2855/r1;tcp msrps://df7jal23ls0d.invalid:2855/98cjs;ws",
        ];
        for path in paths {
            let caller = Caller::new("alice")
                .secure()
                .with_path(path)
                .with_edit("IN IP4 alice.example.net", "IN IP4 df7jal23ls0d.invalid");
            let alice = chat.join(&caller);
            assert!(chat.answer(alice).attributes("msrp-cema").is_empty());
            chat.say(alice, "hello");
            chat.hears(bob, "hello");
            chat.say(bob, "hi");
            chat.hears(alice, "hi");
            chat.leave(alice);
        }
    });
}

// INTEROP sbc: msrp-cema is answered where it is offered; who is meant stands in the session-id alone
// CONFORMANCE 4975-017
#[test]
fn session_border_controllers_may_stand_between() {
    let mut chat = Chat::new();
    let bob = chat.join("bob");
    let caller =
        Caller::new("alice").with("msrp-cema", "").with_edit("c=IN IP4 alice.example.net", "c=IN IP4 192.0.2.77");
    let alice = chat.join(&caller);
    let answer = chat.answer(alice);
    assert_eq!(answer.attributes("msrp-cema"), [""]);
    assert_eq!(answer.lines('c'), ["IN IP4 chat.example.com"]);
    assert!(chat.answer(bob).attributes("msrp-cema").is_empty());
    // Sessions of many callers behind it come on one connection.
    let link = chat.link(alice);
    let above = chat.call(Caller::new("carol").to_room(ATTIC)).unwrap();
    let carol = chat.call("carol").unwrap();
    chat.bind_on(link, above);
    chat.bind_on(link, carol);
    chat.say(carol, "hello");
    chat.hears(alice, "hello");
    chat.hears(bob, "hello");
}

// INTEROP jssip: Session-Expires: 90 is offered in every call
#[test]
fn jssip_s_session_timer_does_no_harm() {
    let mut chat = Chat::new();
    let caller =
        Caller::new("alice").with_header("Session-Expires: 90").with_header("Supported: timer,ice,replaces,outbound");
    let [alice, bob] = [chat.join(&caller), chat.join("bob")];
    for _ in 0..4 {
        chat.stage.pass(std::time::Duration::from_secs(45));
        assert_eq!(chat.offer_again(alice, &caller).code(), 200);
        chat.say(alice, "hello");
        chat.hears(bob, "hello");
    }
}
