//! In the room: messages, private messages, nicknames (RFC 7701 §6, §7), what the room asks, the way out.

mod support;

use std::time::Duration;

use client::{Event, Leaving, NicknameFailure, Recipient, Refused, Said};
use support::{BYE, Bench, CONTACT, answer};

const FROM_ROOM: &str = "From-Path: msrp://chat.example.com:2855/s3cr3t;tcp";

/// A SEND of the room with this wrapper, which may be cut off anywhere.
fn sends(bench: &mut Bench, id: &str, wrapped: &str) {
    bench.media(&format!(
        "MSRP {id} SEND\nTo-Path: {{own}}\n{FROM_ROOM}\nMessage-ID: m{id}\nFailure-Report: partial\n\
         Content-Type: message/cpim\n\n{wrapped}\n-------{id}$\n"
    ));
}

fn left(bench: &mut Bench) -> Leaving {
    match bench.event() {
        Event::Left(leaving) => leaving,
        event => panic!("{event:?}"),
    }
}

#[test]
fn what_is_said_goes_to_the_room_in_a_wrapper_and_its_answer_is_told() {
    let mut r = Bench::joined();
    let hello = r.agent.say(r.now, "Hello guys, how are you today?").expect("in the room");
    r.drain();
    r.expect_media(
        "
        MSRP {send} SEND
        To-Path: msrp://chat.example.com:2855/s3cr3t;tcp
        From-Path: {own}
        Message-ID: {message}
        Byte-Range: 1-171/171
        Content-Type: message/cpim

        From: <sip:alice@example.com>
        To: <sip:lobby@chat.example.com>
        DateTime: 2009-03-02T18:02:31Z

        Content-Type: text/plain;charset=utf-8

        Hello guys, how are you today?
        -------{send}$
        ",
    );
    r.expect_silence();
    r.answers_media("send", "200 OK");
    assert_eq!(r.event(), Event::Delivered { message: hello });
    r.expect_silence();
}

#[test]
fn who_has_called_another_uri_speaks_to_the_one_by_which_the_focus_answers() {
    // Of the same room, behind a border controller, one says what one has called.
    for (contact, to) in [
        ("<sip:x7@192.0.2.1:5070;transport=tcp>;isfocus", "sip:x7@192.0.2.1:5070;transport=tcp"),
        ("<sip:lobby@192.0.2.200:5090>;isfocus", "sip:lobby@chat.example.com"),
        ("<sip:x7@192.0.2.1:5070>", "sip:lobby@chat.example.com"),
    ] {
        let mut r = Bench::new();
        r.join(&support::alice());
        r.is_called();
        let rows = format!("Contact: {contact}\nContent-Type: application/sdp\n");
        r.responds("200 OK", &rows, &answer("nickname private-messages"));
        assert!(r.next_sip().starts_with("ACK "));
        r.binds();
        assert!(matches!(r.event(), Event::Joined(_)));
        r.agent.say(r.now, "Hello").expect("in the room");
        r.drain();
        let sent = r.sent_media();
        assert!(sent.contains(&format!("\r\nTo: <{to}>\r\n")), "{sent}");
        sends(&mut r, "back", &format!("From: <sip:bob@example.com>\nTo: <{to}>\n\nContent-Type: text/plain\n\nHi"));
        match r.event() {
            Event::Said(said) => assert!(!said.private, "{said:?}"),
            event => panic!("{event:?}"),
        }
    }
}

#[test]
fn a_private_message_has_its_addressee_in_the_wrapper() {
    let mut r = Bench::joined();
    r.pass(Duration::from_secs(3));
    let psst = r.agent.whisper(r.now, "sip:bob@example.com", "Hello Bob.").expect("in the room");
    r.drain();
    let sent = r.sent_media();
    let head =
        "\r\n\r\nFrom: <sip:alice@example.com>\r\nTo: <sip:bob@example.com>\r\nDateTime: 2009-03-02T18:02:34Z\r\n\r\n";
    assert!(sent.contains(head), "{sent}");
    r.captures.expect(sent.split_inclusive('\n').next().unwrap_or(""), "MSRP {send} SEND");
    r.answers_media("send", "404 Nobody");
    assert_eq!(r.event(), Event::NotDelivered { message: psst, code: Some(404) });
    assert_eq!(r.agent.whisper(r.now, "bob", "psst"), Err(Refused::Unfit("recipient")));
    r.expect_silence();
}

#[test]
fn what_is_said_bears_the_time_of_the_world() {
    for (unix_seconds, expected) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_868_799, "2000-02-29T23:59:59Z"),
        (951_868_800, "2000-03-01T00:00:00Z"),
        (1_704_067_199, "2023-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ] {
        let mut r = Bench::joined_at(unix_seconds);
        assert!(r.agent.say(r.now, "now").is_ok());
        r.drain();
        let sent = r.sent_media();
        assert!(sent.contains(&format!("\r\nDateTime: {expected}\r\n")), "{sent}");
    }
}

#[test]
fn any_content_goes_in_the_wrapper() {
    let mut r = Bench::joined();
    let sent = r.agent.send(r.now, &Recipient::Room, "image/svg+xml", b"<svg/>\r\n").expect("in the room");
    r.drain();
    let wrapped = r.sent_media();
    assert!(wrapped.contains("\r\n\r\nContent-Type: image/svg+xml\r\n\r\n<svg/>\r\n\r\n-------"), "{wrapped}");
    let another = r.agent.send(r.now, &Recipient::Room, "image/svg+xml", b"<svg/>\r\n").expect("in the room");
    assert_ne!(sent, another);
}

// CONFORMANCE 7701-057, 7701-069
#[test]
fn messages_of_others_are_told_with_who_said_them_to_whom() {
    let mut r = Bench::joined();
    let wrapped = |to: &str| {
        format!(
            "From: Bob <sip:bob@example.com>\nTo: {to}\nDateTime: 2009-03-02T15:02:31-03:00\n\n\
             Content-Type: text/plain\n\nHello"
        )
    };
    let said = |to: &str, private, id: &str| Said {
        from: "sip:bob@example.com".to_owned(),
        from_name: Some("Bob".to_owned()),
        to: to.to_owned(),
        private,
        date_time: Some("2009-03-02T15:02:31-03:00".to_owned()),
        content_type: "text/plain".to_owned(),
        octets: b"Hello".to_vec(),
        message_id: id.to_owned(),
    };
    for (id, to, private) in [
        ("aaa1", "sip:lobby@chat.example.com", false),
        ("aaa2", "sip:lobby@CHAT.example.com;transport=tcp", false),
        ("aaa3", "sip:alice@example.com", true),
        ("aaa4", "sip:Lobby@chat.example.com", true),
        ("aaa5", "tel:+15551234", true),
    ] {
        sends(&mut r, id, &wrapped(&format!("<{to}>")));
        assert_eq!(r.event(), Event::Said(said(to, private, &format!("m{id}"))));
        // Failure-Report: partial wants no 200.
        r.expect_silence();
    }
}

#[test]
fn a_message_is_the_same_however_it_arrives() {
    let wrapped =
        "From: <sip:bob@example.com>\r\nTo: <sip:lobby@chat.example.com>\r\n\r\nContent-Type: text/plain\r\n\r\nHello";
    let (first, second) = wrapped.split_at(40);
    let start = |id: &str, range: &str, own: &str| {
        format!(
            "MSRP {id} SEND\r\nTo-Path: {own}\r\n{FROM_ROOM}\r\nMessage-ID: mmmm\r\nByte-Range: {range}\r\n\
             Content-Type: message/cpim\r\n\r\n"
        )
    };
    let mut r = Bench::joined();
    let own = r.captures.get("own").to_owned();
    let chunks = format!(
        "{}{first}\r\n-------ch01+\r\n{}{second}\r\n-------ch02$\r\n",
        start("ch01", &format!("1-40/{}", wrapped.len()), &own),
        start("ch02", &format!("41-*/{}", wrapped.len()), &own),
    );
    for octet in chunks.as_bytes() {
        r.media_octets(&[*octet]);
    }
    let Event::Said(said) = r.event() else { panic!() };
    assert_eq!((said.octets.as_slice(), said.private), (b"Hello".as_slice(), false));
    assert_eq!(r.sent_media().matches(" 200 OK\r\n").count(), 2);
    r.expect_silence();
}

#[test]
fn a_message_that_comes_again_is_not_told_again() {
    let mut r = Bench::joined();
    let wrapped = "From: <sip:bob@example.com>\nTo: <sip:lobby@chat.example.com>\n\nContent-Type: text/plain\n\nHello";
    sends(&mut r, "once", wrapped);
    assert!(matches!(r.event(), Event::Said(_)));
    sends(&mut r, "once", wrapped);
    r.expect_silence();
    sends(&mut r, "anew", wrapped);
    assert!(matches!(r.event(), Event::Said(_)));
}

#[test]
fn what_is_not_wrapped_is_refused_and_what_cannot_be_read_is_told() {
    let mut r = Bench::joined();
    r.media(&format!(
        "MSRP bare SEND\nTo-Path: {{own}}\n{FROM_ROOM}\nMessage-ID: mmmm\nContent-Type: text/plain\n\nHello\n-------bare$\n"
    ));
    r.expect_media(
        "
        MSRP bare 415 Unsupported Media Type
        To-Path: msrp://chat.example.com:2855/s3cr3t;tcp
        From-Path: {own}
        -------bare$
        ",
    );
    for (id, wrapped) in [
        ("bad1", "To: <sip:lobby@chat.example.com>\n\nContent-Type: text/plain\n\nfrom nobody"),
        ("bad2", "From: <sip:bob@example.com>\n\nContent-Type: text/plain\n\nto nobody"),
        ("bad3", "From: <sip:bob@example.com>\nTo: <sip:lobby@chat.example.com>"),
    ] {
        sends(&mut r, id, wrapped);
        assert_eq!(r.event(), Event::Unreadable { message_id: format!("m{id}") });
    }
    r.expect_silence();
}

#[test]
fn a_nickname_is_asked_for_and_given_up() {
    let mut r = Bench::joined();
    assert_eq!(r.agent.nick(r.now, Some("Alice the great")), Ok(()));
    r.drain();
    assert_eq!(r.agent.nick(r.now, Some("Al")), Err(Refused::NicknamePending));
    r.expect_media(
        "
        MSRP {nick} NICKNAME
        To-Path: msrp://chat.example.com:2855/s3cr3t;tcp
        From-Path: {own}
        Use-Nickname: \"Alice the great\"
        -------{nick}$
        ",
    );
    r.answers_media("nick", "425 Nickname reserved or already in use");
    let nickname = Some("Alice the great".to_owned());
    assert_eq!(r.event(), Event::Nickname { nickname, outcome: Err(NicknameFailure::Refused(425)) });

    assert_eq!(r.agent.nick(r.now, Some("Alice \"in\" Wonderland")), Ok(()));
    r.drain();
    let sent = r.sent_media();
    assert!(sent.contains("\r\nUse-Nickname: \"Alice \\\"in\\\" Wonderland\"\r\n"), "{sent}");
    r.captures.expect(sent.split_inclusive('\n').next().unwrap_or(""), "MSRP {second} NICKNAME");
    r.answers_media("second", "200 OK");
    let nickname = Some("Alice \"in\" Wonderland".to_owned());
    assert_eq!(r.event(), Event::Nickname { nickname, outcome: Ok(()) });

    assert_eq!(r.agent.nick(r.now, None), Ok(()));
    r.drain();
    let sent = r.sent_media();
    assert!(sent.contains("\r\nUse-Nickname: \"\"\r\n"), "{sent}");
    r.pass(Duration::from_secs(30));
    assert_eq!(r.event(), Event::Nickname { nickname: None, outcome: Err(NicknameFailure::NoAnswer) });

    for unfit in ["", "x".repeat(1024).as_str()] {
        assert_eq!(r.agent.nick(r.now, Some(unfit)), Err(Refused::Unfit("nickname")));
    }
    r.expect_silence();
}

#[test]
fn who_leaves_says_goodbye_and_hears_until_it_is_answered() {
    let mut r = Bench::joined();
    let lost = r.agent.say(r.now, "last words").expect("in the room");
    assert_eq!(r.agent.leave(r.now), Ok(()));
    r.drain();
    assert_eq!(r.agent.leave(r.now), Err(Refused::NotJoined));
    assert_eq!(r.agent.say(r.now, "too late"), Err(Refused::NotJoined));
    sends(
        &mut r,
        "late",
        "From: <sip:bob@example.com>\nTo: <sip:lobby@chat.example.com>\n\nContent-Type: text/plain\n\nbye",
    );
    assert!(matches!(r.event(), Event::Said(_)));
    assert!(!r.media_closed);
    r.is_hung_up();
    assert_eq!(r.event(), Event::NotDelivered { message: lost, code: None });
    assert_eq!(left(&mut r), Leaving::Own);
    assert!(r.media_closed);
    // And may come again.
    r.join(&support::alice());
    r.is_called();
}

#[test]
fn a_goodbye_that_nobody_answers_is_told() {
    let mut r = Bench::joined();
    assert_eq!(r.agent.leave(r.now), Ok(()));
    r.drain();
    r.expect_sip(BYE);
    r.pass(Duration::from_secs(32));
    assert_eq!(left(&mut r), Leaving::OwnUnanswered);
}

#[test]
fn the_room_may_send_one_away() {
    let mut r = Bench::joined();
    r.requests(1, "BYE", "Reason: SIP ;cause=200 ;text=\"closed\"\n", "");
    r.expect_sip(
        "
        SIP/2.0 200 OK
        Via: SIP/2.0/TCP chat.example.com;branch=z9hG4bKBYE1;received=192.0.2.1
        From: <sip:lobby@chat.example.com>;tag=room
        To: {from}
        Call-ID: {call}
        CSeq: 1 BYE
        Server: tertulia
        Content-Length: 0

        ",
    );
    assert_eq!(left(&mut r), Leaving::Dismissed { reason: Some("SIP ;cause=200 ;text=\"closed\"".to_owned()) });
    assert!(r.media_closed);
    r.expect_silence();
}

#[test]
fn what_is_no_msrp_ends_the_call() {
    let mut r = Bench::joined();
    let lost = r.agent.say(r.now, "anybody?").expect("in the room");
    r.drain();
    r.sent_media();
    r.media_octets(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    r.is_hung_up();
    assert_eq!(r.event(), Event::NotDelivered { message: lost, code: None });
    assert_eq!(left(&mut r), Leaving::MediaLost);
    r.expect_silence();
}

#[test]
fn the_room_may_change_what_it_allows() {
    let mut r = Bench::joined();
    r.requests(
        7,
        "INVITE",
        &format!("{CONTACT}Content-Type: application/sdp\n"),
        &answer("private-messages").replace("setup:passive", "setup:actpass"),
    );
    r.expect_sip(
        "
        SIP/2.0 200 OK
        Via: SIP/2.0/TCP chat.example.com;branch=z9hG4bKINVITE7;received=192.0.2.1
        From: <sip:lobby@chat.example.com>;tag=room
        To: {from}
        Call-ID: {call}
        CSeq: 7 INVITE
        Contact: <sip:alice@192.0.2.101:40000;transport=tcp>
        Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, NOTIFY
        Accept: application/sdp, application/conference-info+xml, application/xcon-conference-info+xml, application/xcon-conference-info-diff+xml
        Server: tertulia
        Content-Type: application/sdp
        Content-Length: {length}

        v=0
        o=- {session} 1 IN IP4 192.0.2.101
        s=-
        c=IN IP4 192.0.2.101
        t=0 0
        m=message 9 TCP/MSRP *
        a=accept-types:message/cpim
        a=accept-wrapped-types:*
        a=path:{own}
        a=setup:active
        a=chatroom:nickname private-messages
        ",
    );
    let Event::Changed(room) = r.event() else { panic!() };
    assert!(!room.nicknames && room.private_messages && room.is_focus);
    r.requests(7, "ACK", "", "");
    // The same once more changes nothing; UPDATE does as well (RFC 3311).
    r.requests(8, "UPDATE", &format!("{CONTACT}Content-Type: application/sdp\n"), &answer("private-messages"));
    assert!(r.next_sip().starts_with("SIP/2.0 200 OK\r\n"));
    r.expect_silence();
    r.requests(9, "UPDATE", &format!("{CONTACT}Content-Type: application/sdp\n"), &answer("nickname"));
    assert!(r.next_sip().starts_with("SIP/2.0 200 OK\r\n"));
    assert!(matches!(r.event(), Event::Changed(room) if room.nicknames && !room.private_messages));
}

#[test]
fn the_room_may_ask_for_the_offer() {
    let mut r = Bench::joined();
    r.requests(7, "INVITE", CONTACT, "");
    let offer = r.next_sip();
    assert!(offer.starts_with("SIP/2.0 200 OK\r\n") && offer.contains("\r\na=setup:active\r\n"), "{offer}");
    r.requests(7, "ACK", "Content-Type: application/sdp\n", &answer("nickname"));
    assert!(matches!(r.event(), Event::Changed(room) if room.nicknames && !room.private_messages));
    r.expect_silence();
}

#[test]
fn offers_that_would_be_another_session_are_refused_and_nothing_changes() {
    let mut r = Bench::joined();
    for (cseq, body, code) in [
        (2, answer("nickname").replace("s3cr3t", "another"), "488"),
        (3, answer("nickname").replace("m=message 2855", "m=message 0"), "488"),
        (4, "v=0\n=\n".to_owned(), "400"),
    ] {
        r.requests(cseq, "INVITE", &format!("{CONTACT}Content-Type: application/sdp\n"), &body);
        let answered = r.next_sip();
        assert!(answered.starts_with(&format!("SIP/2.0 {code} ")), "{answered}");
        r.requests(cseq, "ACK", "", "");
        r.expect_silence();
    }
    assert_eq!(r.agent.say(r.now, "still here").map(|_| ()), Ok(()));
}

#[test]
fn a_participant_says_what_it_can_and_takes_no_calls() {
    let mut r = Bench::joined();
    r.requests(2, "OPTIONS", "", "");
    let options = r.next_sip();
    assert!(options.starts_with("SIP/2.0 200 OK\r\n"), "{options}");
    assert!(options.contains("\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, NOTIFY\r\n"), "{options}");
    r.requests(3, "MESSAGE", "Content-Type: text/plain\n", "hello\n");
    assert!(r.next_sip().starts_with("SIP/2.0 405 "));
    r.sip(
        "INVITE sip:alice@192.0.2.101 SIP/2.0\nVia: SIP/2.0/TCP x.example;branch=z9hG4bKx\nMax-Forwards: 70\n\
         From: <sip:mallory@x.example>;tag=m\nTo: <sip:alice@example.com>\nCall-ID: other\nCSeq: 1 INVITE\n\
         Contact: <sip:mallory@x.example>\nContent-Length: 0\n\n",
    );
    assert!(r.next_sip().starts_with("SIP/2.0 486 "));
    r.expect_silence();
}

#[test]
fn a_quiet_session_shows_that_it_lives() {
    let mut r = Bench::joined();
    r.pass(Duration::from_secs(59));
    assert_eq!(r.sent_media(), "");
    r.pass(Duration::from_secs(1));
    r.expect_media(
        "
        MSRP {alive} SEND
        To-Path: msrp://chat.example.com:2855/s3cr3t;tcp
        From-Path: {own}
        Message-ID: {message}
        -------{alive}$
        ",
    );
    r.answers_media("alive", "200 OK");
    r.expect_silence();
    // No answer: the connection is dead.
    r.pass(Duration::from_secs(60));
    r.sent_media();
    r.pass(Duration::from_millis(30_500));
    assert_eq!(r.event(), Event::Interrupted);
}
