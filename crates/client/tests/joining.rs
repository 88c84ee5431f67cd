//! The way into a room (RFC 7701 §5.2, §9.1) and what may stand in it.

mod support;

use std::time::Duration;

use client::sip::auth::Credentials;
use client::{Event, Join, JoinFailure, Refused, Room};
use support::{ACK, Bench, CONTACT, alice, answer};

fn not_joined(bench: &mut Bench) -> JoinFailure {
    match bench.event() {
        Event::NotJoined(failure) => failure,
        event => panic!("{event:?}"),
    }
}

fn unproven(realm: &str) -> JoinFailure {
    let (reason, realm) = ("Unauthorized".to_owned(), Some(realm.to_owned()));
    JoinFailure::Refused { code: 401, reason, warning: None, realm }
}

#[test]
fn a_participant_offers_what_rfc_7701_asks_and_enters_once_its_session_is_bound() {
    let mut r = Bench::new();
    r.join(&alice());
    let invite = r.is_called();
    r.captures.expect(
        &invite,
        "
        INVITE sip:lobby@chat.example.com SIP/2.0
        Via: {via}
        Max-Forwards: 70
        From: {from}
        To: <sip:lobby@chat.example.com>
        Call-ID: {call}
        CSeq: {cseq} INVITE
        Contact: <sip:alice@192.0.2.101:40000;transport=tcp>
        Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, NOTIFY
        Accept: application/sdp, application/conference-info+xml, application/xcon-conference-info+xml, application/xcon-conference-info-diff+xml
        User-Agent: tertulia
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
    assert!(r.captures.get("from").starts_with("<sip:alice@example.com>;tag="));
    // 119 random bits (RFC 4975 §14.1 asks for 80).
    let own = format!("{}\r\n", r.captures.get("own"));
    r.captures.expect(&own, "msrp://192.0.2.101:9/{session_id};tcp");
    assert_eq!(r.captures.get("session_id").len(), 20);

    r.responds("100 Trying", "", "");
    r.accepts("nickname private-messages");
    assert_eq!(r.connects.pop_front(), Some(("chat.example.com".to_owned(), 2855, false)));
    r.expect_silence();
    r.opens();
    r.asks_to_bind();
    assert_eq!(r.agent.say(r.now, "too early"), Err(Refused::NotJoined));
    r.expect_silence();
    r.answers_media("bind", "200 OK");
    let room = Room {
        is_focus: true,
        nicknames: true,
        private_messages: true,
        wrapped_types: vec!["*".to_owned()],
        max_size: None,
        identity: "sip:alice@example.com".to_owned(),
    };
    assert_eq!(r.event(), Event::Joined(room));
    r.expect_silence();
}

#[test]
fn over_tls_the_media_session_is_secure_too() {
    let mut r = Bench::new();
    r.join(&Join { secure_media: true, transport: client::sip::Transport::Tls, ..alice() });
    let invite = r.is_called();
    assert!(invite.contains("\r\nContact: <sip:alice@192.0.2.101:40000;transport=tls>\r\n"), "{invite}");
    assert!(invite.contains("\r\nm=message 9 TCP/TLS/MSRP *\r\n"), "{invite}");
    assert!(r.captures.get("own").starts_with("msrps://192.0.2.101:9/"));
    let secure = answer("").replace("msrp://", "msrps://").replace("TCP/MSRP", "TCP/TLS/MSRP");
    r.responds("200 OK", &format!("{CONTACT}Content-Type: application/sdp\n"), &secure);
    r.expect_sip(ACK);
    assert_eq!(r.connects.pop_front(), Some(("chat.example.com".to_owned(), 2855, true)));
}

#[test]
fn a_name_types_and_tokens_are_offered_as_wished() {
    let mut r = Bench::new();
    let wrapped_types = vec!["text/plain".to_owned(), "text/html".to_owned()];
    r.join(&Join { display_name: Some("Alice \"A\"".to_owned()), wrapped_types, chatroom: None, ..alice() });
    let invite = r.is_called();
    assert!(r.captures.get("from").starts_with(r#""Alice \"A\"" <sip:alice@example.com>;tag="#));
    assert!(invite.contains("\r\na=accept-wrapped-types:text/plain text/html\r\n"), "{invite}");
    assert!(!invite.contains("a=chatroom"), "{invite}");
}

#[test]
fn who_wants_to_be_hidden_speaks_under_the_address_that_the_room_allots() {
    let mut r = Bench::new();
    r.join(&Join { privacy: true, ..alice() });
    let invite = r.is_called();
    assert!(invite.contains("\r\nPrivacy: id\r\n"), "{invite}");
    let rows = format!("{CONTACT}Chat-Identity: <sip:anonymous7@anonymous.invalid>\nContent-Type: application/sdp\n");
    r.responds("200 OK", &rows, &answer("private-messages"));
    r.expect_sip(ACK);
    r.binds();
    let Event::Joined(room) = r.event() else { panic!() };
    assert_eq!(room.identity, "sip:anonymous7@anonymous.invalid");
    assert_eq!(r.agent.say(r.now, "boo").map(|_| ()), Ok(()));
    r.drain();
    assert!(r.sent_media().contains("\r\nFrom: <sip:anonymous7@anonymous.invalid>\r\n"));
}

#[test]
fn a_challenge_is_answered_once() {
    let mut r = Bench::new();
    let credentials = Some(Credentials::new("alice", "Tr0ub4dor"));
    r.join(&Join { credentials, ..alice() });
    r.is_called();
    let challenge =
        "WWW-Authenticate: Digest realm=\"chat.example.com\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256\n";
    r.responds("401 Unauthorized", challenge, "");
    r.expect_sip(NACK);
    let again = r.is_called();
    assert_eq!(r.captures.get("cseq"), "2");
    let authorization = again.lines().find(|line| line.starts_with("Authorization: ")).expect("an Authorization");
    let start = "Authorization: Digest username=\"alice\", realm=\"chat.example.com\", nonce=\"n1\", \
                 uri=\"sip:lobby@chat.example.com\", algorithm=SHA-256, response=\"";
    assert!(authorization.starts_with(start), "{authorization}");
    r.responds("401 Unauthorized", challenge, "");
    r.expect_sip(NACK);
    assert_eq!(not_joined(&mut r), unproven("chat.example.com"));
    r.expect_silence();
}

/// A challenge of a realm, and what the next INVITE says to it: who to which realm.
fn challenged(r: &mut Bench, realm: &str) -> Vec<String> {
    let row = format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\n");
    r.responds("401 Unauthorized", &row, "");
    r.expect_sip(NACK);
    let invite = r.is_called();
    let said = |value: &str| {
        let authorization = client::sip::auth::parse_authorization(value).expect("credentials");
        format!("{} to {}", authorization.username, authorization.realm)
    };
    invite.lines().filter_map(|line| line.strip_prefix("Authorization: ")).map(said).collect()
}

#[test]
fn the_server_and_the_room_are_answered_each_by_its_own() {
    const ROOM: &str = "sip:lobby@chat.example.com";
    let mut r = Bench::new();
    let account = Some(Credentials::new("alice", "Tr0ub4dor"));
    let join = Join { credentials: account.clone(), ..alice() }.with_room_password("sesame");
    assert!(!format!("{join:?}").contains("sesame"), "no password gets into a log");
    r.join(&join);
    r.is_called();
    assert_eq!(challenged(&mut r, "chat.example.com"), ["alice to chat.example.com"]);
    assert_eq!(challenged(&mut r, ROOM), ["alice to chat.example.com", "lobby to sip:lobby@chat.example.com"]);
    r.responds("200 OK", &format!("{CONTACT}Content-Type: application/sdp\n"), &answer("nickname"));
    r.drain();
    assert!(!r.connects.is_empty(), "on to the room");

    // Without a server that asks.
    let mut r = Bench::new();
    r.join(&alice().with_room_password("sesame"));
    r.is_called();
    assert_eq!(challenged(&mut r, ROOM), ["lobby to sip:lobby@chat.example.com"]);

    // A URI has many spellings, and a room one realm.
    for (spelling, realm) in [
        ("sips:l%6fbby@CHAT.example.com:5061;transport=tls", Some(ROOM)),
        ("sip:lobby@[2001:DB8::1]", Some("sip:lobby@[2001:db8::1]")),
        ("sip:chat.example.com", None),
        ("tel:+15551234", None),
    ] {
        let asked = client::room_realm(spelling);
        assert_eq!(asked.map(|(_, realm)| realm).as_deref(), realm, "{spelling}");
    }
}

// THREATS GHSA-3v3f-99mv-qvj4
#[test]
fn the_account_s_password_is_for_no_room_and_the_room_s_for_nobody_else() {
    for realm in ["sip:lobby@chat.example.com", "sip:attic@chat.example.com", "chat.example.com"] {
        let mut r = Bench::new();
        let account = Some(Credentials::new("alice", "Tr0ub4dor"));
        match realm.starts_with("sip:lobby@") {
            true => r.join(&Join { credentials: account, ..alice() }),
            false => r.join(&alice().with_room_password("sesame")),
        }
        r.is_called();
        let row = format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\"\n");
        r.responds("401 Unauthorized", &row, "");
        r.expect_sip(NACK);
        assert_eq!(not_joined(&mut r), unproven(realm));
        r.expect_silence();
    }
}

#[test]
fn a_refusal_is_told_with_its_code_and_its_reason() {
    for (status, rows, code, reason, warning) in [
        ("403 Not You", "", 403, "Not You", None),
        ("404 Not Found", "", 404, "Not Found", None),
        ("486 Busy Here", "", 486, "Busy Here", None),
        (
            "488 Not Acceptable Here",
            "Warning: 399 chat \"wants \\\"TLS\\\"\"\n",
            488,
            "Not Acceptable Here",
            Some("wants \"TLS\""),
        ),
        ("503 Service Unavailable", "Retry-After: 5\n", 503, "Service Unavailable", None),
        ("302 Moved", "Contact: <sip:other@chat.example.com>\n", 302, "Moved", None),
    ] {
        let mut r = Bench::new();
        r.join(&alice());
        r.is_called();
        r.responds(status, rows, "");
        r.expect_sip(NACK);
        let (reason, warning) = (reason.to_owned(), warning.map(str::to_owned));
        let failure = JoinFailure::Refused { code, reason, warning, realm: None };
        assert_eq!(not_joined(&mut r), failure);
        r.expect_silence();
        // The agent is free for another room.
        r.join(&alice());
        r.is_called();
    }
}

#[test]
fn an_answer_that_cannot_be_used_is_hung_up() {
    let without_path: String =
        answer("").lines().filter(|line| !line.starts_with("a=path")).flat_map(|line| [line, "\n"]).collect();
    for (body, expected) in [
        (answer("").replace("m=message 2855", "m=message 0"), JoinFailure::NotAChatRoom),
        (answer("").replace("message/cpim", "text/plain"), JoinFailure::NotAChatRoom),
        (without_path, JoinFailure::Description(msrp::sdp::SdpError::NoPath)),
        (answer("").replace("setup:passive", "setup:active"), JoinFailure::Description(msrp::sdp::SdpError::Setup)),
        (answer("").replace("msrp://", "msrps://"), JoinFailure::Description(msrp::sdp::SdpError::Security)),
    ] {
        let mut r = Bench::new();
        r.join(&alice());
        r.is_called();
        r.responds("200 OK", &format!("{CONTACT}Content-Type: application/sdp\n"), &body);
        r.expect_sip(ACK);
        r.is_hung_up();
        assert_eq!(not_joined(&mut r), expected);
        assert!(r.connects.is_empty());
        r.expect_silence();
    }
}

#[test]
fn a_room_that_is_no_conference_is_told_as_such() {
    let mut r = Bench::new();
    r.join(&alice());
    r.is_called();
    let rows = "Contact: <sip:bob@chat.example.com;transport=tcp>\nContent-Type: application/sdp\n";
    let plain: String =
        answer("").lines().filter(|line| !line.contains("chatroom")).flat_map(|line| [line, "\n"]).collect();
    r.responds("200 OK", rows, &plain);
    r.next_sip();
    r.binds();
    let Event::Joined(room) = r.event() else { panic!() };
    assert!(!room.is_focus && !room.nicknames && !room.private_messages);
    assert_eq!(r.agent.nick(r.now, Some("Al")), Err(Refused::NoNicknames));
    assert_eq!(r.agent.whisper(r.now, "sip:bob@example.com", "psst"), Err(Refused::NoPrivateMessages));
}

#[test]
fn a_session_that_is_not_bound_is_hung_up() {
    // The room knows no such session.
    let mut r = called();
    r.opens();
    r.asks_to_bind();
    r.answers_media("bind", "481 Session Does Not Exist");
    r.is_hung_up();
    assert_eq!(not_joined(&mut r), JoinFailure::NotBound(Some(481)));
    assert!(r.media_closed);
    r.expect_silence();

    // It does not answer.
    let mut r = called();
    r.opens();
    r.asks_to_bind();
    r.pass(Duration::from_secs(29));
    r.expect_silence();
    r.pass(Duration::from_secs(1));
    r.is_hung_up();
    assert_eq!(not_joined(&mut r), JoinFailure::NotBound(None));

    // The connection cannot be opened, or breaks.
    for opens in [false, true] {
        let mut r = called();
        if opens {
            r.opens();
            r.asks_to_bind();
        }
        r.media_breaks();
        r.is_hung_up();
        assert_eq!(not_joined(&mut r), JoinFailure::NoMedia);
        r.expect_silence();
    }
}

/// The call is accepted, the media connection wanted.
fn called() -> Bench {
    let mut r = Bench::new();
    r.join(&alice());
    r.is_called();
    r.accepts("nickname private-messages");
    r
}

#[test]
fn nobody_answers() {
    let mut r = Bench::new();
    r.join(&alice());
    r.is_called();
    r.pass(Duration::from_secs(31));
    r.expect_silence();
    r.pass(Duration::from_secs(1));
    assert_eq!(not_joined(&mut r), JoinFailure::NoAnswer);
    r.expect_silence();
}

#[test]
fn the_connection_to_the_server_breaks() {
    let mut r = Bench::new();
    r.join(&alice());
    r.is_called();
    r.sip_breaks();
    assert_eq!(not_joined(&mut r), JoinFailure::Unreachable);
}

#[test]
fn who_leaves_before_the_answer_takes_the_call_back() {
    let mut r = Bench::new();
    r.join(&alice());
    r.is_called();
    r.responds("100 Trying", "", "");
    assert_eq!(r.agent.leave(r.now), Ok(()));
    r.drain();
    r.expect_sip(
        "
        CANCEL sip:lobby@chat.example.com SIP/2.0
        Via: {via}
        Max-Forwards: 70
        From: {from}
        To: <sip:lobby@chat.example.com>
        Call-ID: {call}
        CSeq: {cseq} CANCEL
        Content-Length: 0

        ",
    );
    r.responds("487 Request Terminated", "", "");
    r.expect_sip(NACK);
    assert_eq!(not_joined(&mut r), JoinFailure::Cancelled);
}

#[test]
fn who_leaves_before_the_session_is_bound_hangs_up() {
    let mut r = called();
    assert_eq!(r.agent.leave(r.now), Ok(()));
    r.drain();
    r.is_hung_up();
    assert_eq!(not_joined(&mut r), JoinFailure::Cancelled);
    assert!(r.media_closed);
}

#[test]
fn one_is_in_one_room_at_a_time_and_rooms_have_sip_addresses() {
    let mut r = Bench::new();
    for room in ["lobby", "tel:+15551234", "sip:lobby@chat.example.com?Subject=x", "<sip:lobby@chat.example.com>"] {
        let join = Join { room: room.to_owned(), ..alice() };
        assert_eq!(r.agent.join(r.now, join), Err(Refused::Unfit("room URI")), "{room}");
    }
    let join = Join { identity: "alice".to_owned(), ..alice() };
    assert_eq!(r.agent.join(r.now, join), Err(Refused::Unfit("own URI")));
    r.join(&alice());
    assert_eq!(r.agent.join(r.now, alice()), Err(Refused::AlreadyJoined));
}

/// The ACK to a refusal.
const NACK: &str = "
    ACK sip:lobby@chat.example.com SIP/2.0
    Via: {via}
    Max-Forwards: 70
    From: {from}
    Call-ID: {call}
    CSeq: {cseq} ACK
    To: <sip:lobby@chat.example.com>;tag=room
    Content-Length: 0

    ";
