//! Another media session in the place of one whose connection failed (RFC 4975 §5.4).

mod support;

use std::time::Duration;

use client::{Event, Leaving, NicknameFailure, Refused};
use support::{Bench, CONTACT, answer};

const SDP: &str = "Content-Type: application/sdp\n";

/// In the room, with the media connection gone and the re-INVITE sent, which `{anew}`, `{anew_cseq}` and `{own}` are of.
fn interrupted() -> Bench {
    let mut r = Bench::joined();
    let lost = r.agent.say(r.now, "anybody?").expect("in the room");
    r.drain();
    r.sent_media();
    r.media_breaks();
    assert_eq!(r.event(), Event::NotDelivered { message: lost, code: None });
    assert_eq!(r.agent.say(r.now, "too late"), Err(Refused::Interrupted));
    r.pass(Duration::from_millis(499));
    r.expect_silence();
    r.pass(Duration::from_millis(1));
    assert_eq!(r.event(), Event::Interrupted);
    expect_offer(&mut r);
    r
}

fn expect_offer(r: &mut Bench) {
    let old = r.captures.get("own").to_owned();
    r.forget(&["own", "anew", "anew_cseq", "session", "length"]);
    r.expect_sip(
        "
        INVITE sip:lobby@chat.example.com;transport=tcp SIP/2.0
        Via: {anew}
        Max-Forwards: 70
        From: {from}
        To: <sip:lobby@chat.example.com>;tag=room
        Call-ID: {call}
        CSeq: {anew_cseq} INVITE
        Contact: <sip:alice@192.0.2.101:40000;transport=tcp>
        Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, NOTIFY
        Accept: application/sdp, application/conference-info+xml, application/xcon-conference-info+xml, application/xcon-conference-info-diff+xml
        User-Agent: tertulia
        Content-Type: application/sdp
        Content-Length: {length}

        v=0
        o=- {session} 2 IN IP4 192.0.2.101
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
    assert_ne!(r.captures.get("own"), old, "another session has another URI");
}

/// The room answers the re-INVITE.
fn responds(r: &mut Bench, status: &str, rows: &str, body: &str) {
    r.sip(&format!(
        "SIP/2.0 {status}\nVia: {{anew}}\nFrom: {{from}}\nTo: <sip:lobby@chat.example.com>;tag=room\n\
         Call-ID: {{call}}\nCSeq: {{anew_cseq}} INVITE\n{rows}Content-Length: *\n\n{body}"
    ));
    assert!(r.next_sip().starts_with("ACK sip:lobby@chat.example.com;transport=tcp SIP/2.0\r\n"));
}

#[test]
fn a_broken_media_connection_is_replaced_by_a_re_invite() {
    let mut r = interrupted();
    assert_eq!(r.agent.say(r.now, "too early"), Err(Refused::Interrupted));
    assert_eq!(r.agent.nick(r.now, Some("Al")), Err(Refused::Interrupted));
    r.expect_silence();
    r.connects.clear();
    let elsewhere = answer("nickname").replace("2855/s3cr3t", "2999/an0ther");
    responds(&mut r, "200 OK", &format!("{CONTACT}{SDP}"), &elsewhere);
    assert_eq!(r.connects.pop_front(), Some(("chat.example.com".to_owned(), 2999, false)));
    r.opens();
    r.expect_media(
        "
        MSRP {again} SEND
        To-Path: msrp://chat.example.com:2999/an0ther;tcp
        From-Path: {own}
        Message-ID: {id_again}
        -------{again}$
        ",
    );
    assert_eq!(r.agent.say(r.now, "too early"), Err(Refused::Interrupted));
    r.answers_media("again", "200 OK");
    let Event::Resumed(room) = r.event() else { panic!() };
    assert!(room.nicknames && !room.private_messages && room.is_focus);
    assert!(r.agent.say(r.now, "here I am").is_ok());
}

#[test]
fn a_nickname_that_was_asked_for_is_not_known_to_be_granted() {
    let mut r = Bench::joined();
    assert_eq!(r.agent.nick(r.now, Some("Al")), Ok(()));
    r.drain();
    r.sent_media();
    r.media_breaks();
    let nickname = Some("Al".to_owned());
    assert_eq!(r.event(), Event::Nickname { nickname, outcome: Err(NicknameFailure::NoAnswer) });
    r.expect_silence();
}

#[test]
fn a_connection_that_breaks_at_once_again_is_not_replaced_for_ever() {
    for (later, replaced) in [(9, false), (11, true)] {
        let mut r = interrupted();
        responds(&mut r, "200 OK", &format!("{CONTACT}{SDP}"), &answer("nickname"));
        r.forget(&["bind", "id"]);
        r.binds();
        assert!(matches!(r.event(), Event::Resumed(_)));
        r.pass(Duration::from_secs(later));
        r.media_breaks();
        r.pass(Duration::from_millis(500));
        let told = r.event();
        if replaced {
            assert_eq!(told, Event::Interrupted);
        } else {
            assert_eq!(told, Event::Left(Leaving::MediaLost));
            r.is_hung_up();
        }
    }
}

#[test]
fn a_room_that_takes_no_other_session_is_left() {
    for (status, rows, body) in [
        ("488 Not Acceptable Here", "", String::new()),
        (
            "200 OK",
            "Contact: <sip:lobby@chat.example.com;transport=tcp>\nContent-Type: application/sdp\n",
            answer("").replace("message 2855", "message 0"),
        ),
    ] {
        let mut r = interrupted();
        responds(&mut r, status, rows, &body);
        r.is_hung_up();
        assert_eq!(r.event(), Event::Left(Leaving::MediaLost));
        r.expect_silence();
    }
    // The new connection breaks, too, or the room knows nothing of the session.
    for binds in [false, true] {
        let mut r = interrupted();
        responds(&mut r, "200 OK", &format!("{CONTACT}{SDP}"), &answer("nickname"));
        if binds {
            r.opens();
            r.forget(&["bind", "id"]);
            r.asks_to_bind();
            r.answers_media("bind", "481 No Such Session");
        } else {
            r.media_breaks();
        }
        r.is_hung_up();
        assert_eq!(r.event(), Event::Left(Leaving::MediaLost));
        r.expect_silence();
    }
}

#[test]
fn a_re_invite_that_crosses_one_of_the_room_is_sent_again() {
    let mut r = interrupted();
    responds(&mut r, "491 Request Pending", "", "");
    r.expect_silence();
    // Who made the Call-ID waits 2.1 s to 4 s (RFC 3261 §14.1).
    r.pass(Duration::from_millis(2050));
    r.expect_silence();
    r.pass(Duration::from_millis(1950));
    let again = r.next_sip();
    assert!(again.starts_with("INVITE "), "{again}");
}

#[test]
fn a_room_may_close_the_connection_before_its_bye() {
    let mut r = Bench::joined();
    r.media_breaks();
    r.requests(1, "BYE", "Reason: SIP ;cause=410\n", "");
    assert!(r.next_sip().starts_with("SIP/2.0 200 "));
    assert_eq!(r.event(), Event::Left(Leaving::Dismissed { reason: Some("SIP ;cause=410".to_owned()) }));
    r.pass(Duration::from_secs(100));
    r.expect_silence();
}

#[test]
fn one_may_leave_or_be_sent_away_meanwhile() {
    let mut r = interrupted();
    assert_eq!(r.agent.leave(r.now), Ok(()));
    r.drain();
    r.is_hung_up();
    assert_eq!(r.event(), Event::Left(Leaving::Own));

    let mut r = interrupted();
    r.requests(1, "BYE", "", "");
    assert!(r.next_sip().starts_with("SIP/2.0 200 "));
    assert_eq!(r.event(), Event::Left(Leaving::Dismissed { reason: None }));

    // Nobody answers any more, or knows of the call.
    let mut r = interrupted();
    r.pass(Duration::from_secs(32));
    assert_eq!(r.event(), Event::Left(Leaving::PeerGone));

    let mut r = interrupted();
    responds(&mut r, "481 Call Does Not Exist", "", "");
    assert_eq!(r.event(), Event::Left(Leaving::PeerGone));

    let mut r = interrupted();
    r.sip_breaks();
    assert_eq!(r.event(), Event::Left(Leaving::MediaLost));
}
