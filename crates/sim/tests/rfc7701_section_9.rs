//! The examples of RFC 7701 §9.1 to §9.4, octet by octet, as far as decisions D7 to D10 let them: the switch's own ids,
//! paths and header fields are its own, and responses carry no Message-ID.

use std::time::Instant;

use focus::node::LinkId;
use sim::stage::{Phone, Stage, settings};

/// The room of §9.1, which is called into being.
fn stage() -> Stage {
    Stage::new(settings(Instant::now()))
}

/// §9.1: F1 to F3. `{name_path}` is then the path that the answer gave.
fn alice_joins(stage: &mut Stage) -> Phone {
    let alice = stage.phone();
    stage.send(
        alice,
        "
        INVITE sip:chatroom22@chat.example.com SIP/2.0
        Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9
        Max-Forwards: 70
        From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
        To: Chatroom 22 <sip:chatroom22@chat.example.com>
        Call-ID: 3848276298220188511@atlanta.example.com
        CSeq: 1 INVITE
        Contact: <sip:alice@client.atlanta.example.com;transport=tcp>
        Content-Type: application/sdp
        Content-Length: *

        v=0
        o=alice 2890844526 2890844526 IN IP4 client.atlanta.example.com
        s=-
        c=IN IP4 client.atlanta.example.com
        m=message 7654 TCP/MSRP *
        a=accept-types:message/cpim text/plain text/html
        a=path:msrp://client.atlanta.example.com:7654/jshA7weztas;tcp
        a=chatroom:nickname private-messages
        ",
    );
    stage.expect(
        alice,
        "
        SIP/2.0 200 OK
        Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;received=192.0.2.101
        From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
        To: Chatroom 22 <sip:chatroom22@chat.example.com>;tag={alice_remote_tag}
        Call-ID: 3848276298220188511@atlanta.example.com
        CSeq: 1 INVITE
        Contact: <sip:chatroom22@chat.example.com;transport=tcp>;methods=\"INVITE,ACK,BYE,CANCEL,OPTIONS,UPDATE,SUBSCRIBE,NOTIFY,REFER\";automata;isfocus;message;event=\"conference\"
        Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, SUBSCRIBE, NOTIFY, REFER, REGISTER
        Supported: timer, replaces, join, tdialog, norefersub, multiple-refer, recipient-list-invite
        Allow-Events: conference, refer
        Accept: application/sdp, application/resource-lists+xml, multipart/mixed
        Server: tertulia
        Content-Type: application/sdp
        Content-Length: {length}

        v=0
        o=- {id} 1 IN IP4 chat.example.com
        s=-
        c=IN IP4 chat.example.com
        t=0 0
        m=message 2855 TCP/MSRP *
        a=accept-types:message/cpim
        a=accept-wrapped-types:*
        a=path:{alice_path}
        a=setup:passive
        a=chatroom:nickname private-messages
        a=max-size:104857600
        ",
    );
    stage.send(
        alice,
        "
        ACK sip:chatroom22@chat.example.com;transport=tcp SIP/2.0
        Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bg0
        Max-Forwards: 70
        From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
        To: Chatroom 22 <sip:chatroom22@chat.example.com>;tag={alice_remote_tag}
        Call-ID: 3848276298220188511@atlanta.example.com
        CSeq: 1 ACK
        Content-Length: 0

        ",
    );
    assert!(stage.is_silent(alice));
    alice
}

/// Another participant of the examples, by the URI and the path that they have there.
fn joins(stage: &mut Stage, name: &str, uri: &str, path: &str) -> Phone {
    let phone = stage.phone();
    stage.send(
        phone,
        &format!(
            "
            INVITE sip:chatroom22@chat.example.com SIP/2.0
            Via: SIP/2.0/TCP client.example.com:5060;branch=z9hG4bK{name}
            Max-Forwards: 70
            From: <{uri}>;tag={name}
            To: <sip:chatroom22@chat.example.com>
            Call-ID: {name}@example.com
            CSeq: 1 INVITE
            Contact: <sip:{name}@client.example.com;transport=tcp>
            Content-Type: application/sdp
            Content-Length: *

            v=0
            o={name} 1 1 IN IP4 client.example.com
            s=-
            c=IN IP4 client.example.com
            t=0 0
            m=message 4923 TCP/MSRP *
            a=accept-types:message/cpim
            a=accept-wrapped-types:*
            a=path:{path}
            a=chatroom:nickname private-messages
            "
        ),
    );
    let answer = stage.heard(phone);
    assert!(answer.starts_with("SIP/2.0 200 OK\r\n"), "{answer}");
    let own_path = answer.lines().find_map(|line| line.strip_prefix("a=path:")).expect("an answer has a path");
    stage.captures.expect(&format!("{own_path}\r\n"), &format!("{{{name}_path}}"));
    phone
}

/// The empty SEND that binds a session (RFC 4975 §5.4).
fn bind(stage: &mut Stage, name: &str, path: &str) -> LinkId {
    let link = stage.connect(false);
    let own = stage.captures.get(&format!("{name}_path")).to_owned();
    stage.say(
        link,
        &format!(
            "
            MSRP {name}bind SEND
            To-Path: {own}
            From-Path: {path}
            Message-ID: {name}bind
            -------{name}bind$
            "
        ),
    );
    stage.expect_frame(
        link,
        &format!(
            "
            MSRP {name}bind 200 OK
            To-Path: {path}
            From-Path: {own}
            -------{name}bind$
            "
        ),
    );
    link
}

const ALICE: &str = "msrp://client.atlanta.example.com:7654/jshA7weztas;tcp";
const BOB: &str = "msrp://client.biloxi.example.com:4923/49dufdje2;tcp";
const CHARLIE: &str = "msrp://client.chicago.example.com:4923/9ks0fsd;tcp";

// CONFORMANCE 7701-115 7701-026 7701-027
#[test]
fn section_9_1_joining() {
    let mut stage = stage();
    alice_joins(&mut stage);
    let path = stage.captures.get("alice_path");
    assert!(path.starts_with("msrp://chat.example.com:2855/") && path.ends_with(";tcp"), "{path}");
}

// CONFORMANCE 7701-116
#[test]
fn section_9_2_nicknames() {
    let mut stage = stage();
    alice_joins(&mut stage);
    joins(&mut stage, "bob", "sip:bob@example.com", BOB);
    let (alice, bob) = (bind(&mut stage, "alice", ALICE), bind(&mut stage, "bob", BOB));
    stage.say(
        bob,
        "
        MSRP bobnick NICKNAME
        To-Path: {bob_path}
        From-Path: msrp://client.biloxi.example.com:4923/49dufdje2;tcp
        Use-Nickname: \"Alice the great\"
        -------bobnick$
        ",
    );
    assert!(stage.frame(bob).starts_with("MSRP bobnick 200 OK\r\n"));

    // F1, F2
    stage.say(
        alice,
        "
        MSRP d93kswow NICKNAME
        To-Path: {alice_path}
        From-Path: msrp://client.atlanta.example.com:7654/jshA7weztas;tcp
        Use-Nickname: \"Alice the great\"
        -------d93kswow$
        ",
    );
    stage.expect_frame(
        alice,
        "
        MSRP d93kswow 425 Nickname Reserved Or Already In Use
        To-Path: msrp://client.atlanta.example.com:7654/jshA7weztas;tcp
        From-Path: {alice_path}
        -------d93kswow$
        ",
    );
    // F3, F4
    stage.say(
        alice,
        "
        MSRP 09swk2d NICKNAME
        To-Path: {alice_path}
        From-Path: msrp://client.atlanta.example.com:7654/jshA7weztas;tcp
        Use-Nickname: \"Alice in Wonderland\"
        -------09swk2d$
        ",
    );
    stage.expect_frame(
        alice,
        "
        MSRP 09swk2d 200 OK
        To-Path: msrp://client.atlanta.example.com:7654/jshA7weztas;tcp
        From-Path: {alice_path}
        -------09swk2d$
        ",
    );
}

// CONFORMANCE 7701-117 7701-040 7701-041 4975-152 3862-035
#[test]
fn section_9_3_a_regular_message() {
    let mut stage = stage();
    alice_joins(&mut stage);
    joins(&mut stage, "bob", "sip:bob@example.com", BOB);
    joins(&mut stage, "charlie", "sip:charlie@example.com", CHARLIE);
    let alice = bind(&mut stage, "alice", ALICE);
    let (bob, charlie) = (bind(&mut stage, "bob", BOB), bind(&mut stage, "charlie", CHARLIE));
    // F1, F2
    stage.say(
        alice,
        "
        MSRP 3490visdm SEND
        To-Path: {alice_path}
        From-Path: msrp://client.atlanta.example.com:7654/jshA7weztas;tcp
        Message-ID: 99s9s2
        Byte-Range: 1-*/*
        Content-Type: message/cpim

        To: <sip:chatroom22@chat.example.com;transport=tcp>
        From: <sip:alice@atlanta.example.com>
        DateTime: 2009-03-02T15:02:31-03:00
        Content-Type: text/plain

        Hello guys, how are you today?
        -------3490visdm$
        ",
    );
    stage.expect_frame(
        alice,
        "
        MSRP 3490visdm 200 OK
        To-Path: msrp://client.atlanta.example.com:7654/jshA7weztas;tcp
        From-Path: {alice_path}
        -------3490visdm$
        ",
    );
    // F3, F4: the content is that of F1; the ids are each copy's own.
    for (link, own, peer) in [(bob, "bob", BOB), (charlie, "charlie", CHARLIE)] {
        stage.expect_frame(
            link,
            &format!(
                "
                MSRP {{{own}_id}} SEND
                To-Path: {peer}
                From-Path: {{{own}_path}}
                Message-ID: {{message_id}}
                Failure-Report: partial
                Byte-Range: 1-187/187
                Content-Type: message/cpim

                To: <sip:chatroom22@chat.example.com;transport=tcp>
                From: <sip:alice@atlanta.example.com>
                DateTime: 2009-03-02T15:02:31-03:00
                Content-Type: text/plain

                Hello guys, how are you today?
                -------{{{own}_id}}$
                "
            ),
        );
    }
    // F5, F6 bring about nothing more.
    for (link, own, peer) in [(bob, "bob", BOB), (charlie, "charlie", CHARLIE)] {
        let id = stage.captures.get(&format!("{own}_id")).to_owned();
        stage.say(
            link,
            &format!(
                "
                MSRP {id} 200 OK
                To-Path: {{{own}_path}}
                From-Path: {peer}
                Message-ID: {{message_id}}
                -------{id}$
                "
            ),
        );
    }
    assert!([alice, bob, charlie].iter().all(|link| stage.pending(*link).is_empty()));
}

// CONFORMANCE 7701-118 7701-004
#[test]
fn section_9_4_a_private_message() {
    let mut stage = stage();
    alice_joins(&mut stage);
    joins(&mut stage, "bob", "sip:bob@example.com", BOB);
    joins(&mut stage, "charlie", "sip:charlie@example.com", CHARLIE);
    let alice = bind(&mut stage, "alice", ALICE);
    let (bob, charlie) = (bind(&mut stage, "bob", BOB), bind(&mut stage, "charlie", CHARLIE));
    // F1, F2. As printed, From is not the address by which Alice has joined: 403 (decision D9).
    let message = |id: &str, from: &str| {
        format!(
            "
            MSRP {id} SEND
            To-Path: {{alice_path}}
            From-Path: msrp://client.atlanta.example.com:7654/jshA7weztas;tcp
            Message-ID: okj3kw{id}
            Byte-Range: 1-*/*
            Content-Type: message/cpim

            To: <sip:bob@example.com>
            From: <{from}>
            DateTime: 2009-03-02T15:02:31-03:00
            Content-Type: text/plain

            Hello Bob.
            -------{id}$
            "
        )
    };
    stage.say(alice, &message("6959ssde", "sip:alice@example.com"));
    assert!(stage.frame(alice).starts_with("MSRP 6959ssde 403 "));
    stage.say(alice, &message("6959ssdf", "sip:alice@atlanta.example.com"));
    stage.expect_frame(
        alice,
        "
        MSRP 6959ssdf 200 OK
        To-Path: msrp://client.atlanta.example.com:7654/jshA7weztas;tcp
        From-Path: {alice_path}
        -------6959ssdf$
        ",
    );
    // F3
    stage.expect_frame(
        bob,
        "
        MSRP {bob_id} SEND
        To-Path: msrp://client.biloxi.example.com:4923/49dufdje2;tcp
        From-Path: {bob_path}
        Message-ID: {message_id}
        Failure-Report: partial
        Byte-Range: 1-141/141
        Content-Type: message/cpim

        To: <sip:bob@example.com>
        From: <sip:alice@atlanta.example.com>
        DateTime: 2009-03-02T15:02:31-03:00
        Content-Type: text/plain

        Hello Bob.
        -------{bob_id}$
        ",
    );
    assert!([alice, bob, charlie].iter().all(|link| stage.pending(*link).is_empty()));
}
