//! Offers and answers as they stand on the wire, peer by peer and rule by rule.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use msrp::sdp::{Answer, Direction, LocalMedia, MessageMedia, Offer, Origin, Originator, SdpError, Setup, offer};
use msrp::uri::{Path, Uri};

const ROOM: &str = "msrp://chat.example.com:12763/kjhd37s2s20w2a;tcp";
const SECURE_ROOM: &str = "msrps://chat.example.com:2856/kjhd37s2s20w2a;tcp";

fn lines(text: &str) -> String {
    text.trim().lines().map(|line| line.trim().to_owned() + "\r\n").collect()
}

fn read(text: &str) -> Offer {
    Offer::parse(lines(text).as_bytes()).unwrap()
}

fn message(offer: &Offer) -> &MessageMedia {
    offer.message().unwrap_or_else(|| panic!("{}", offer.refusal()))
}

fn origin() -> Origin {
    Origin { session_id: 2890844527, version: 1, address: "chat.example.com".to_owned() }
}

fn room(path: &str) -> LocalMedia {
    let tokens = ["nickname", "private-messages"].map(str::to_owned).to_vec();
    LocalMedia { chatroom: Some(tokens), ..LocalMedia::new(Path::parse(path).unwrap()) }
}

fn answer(offer: &Offer, local: &LocalMedia) -> String {
    offer.answer(&origin(), offer.message().map(|offered| (offered, local)))
}

/// An offer whose MSRP line is followed by these attributes.
fn with(attributes: &str) -> Offer {
    read(&format!(
        "v=0\no=a 1 1 IN IP4 a.example.com\ns=-\nc=IN IP4 a.example.com\nt=0 0\nm=message 7654 TCP/MSRP *\n\
         a=accept-types:message/cpim\na=path:msrp://a.example.com:7654/jshA7weztas;tcp\n{attributes}"
    ))
}

/// One message line with these attributes and nothing else.
fn only(line: &str, attributes: &str) -> Offer {
    read(&format!("v=0\no=a 1 1 IN IP4 a.example.com\ns=-\nc=IN IP4 a.example.com\nt=0 0\n{line}\n{attributes}"))
}

const ALICE: &str = "
    v=0
    o=alice 2890844526 2890844526 IN IP4 client.atlanta.example.com
    s=-
    c=IN IP4 client.atlanta.example.com
    m=message 7654 TCP/MSRP *
    a=accept-types:message/cpim text/plain text/html
    a=path:msrp://client.atlanta.example.com:7654/jshA7weztas;tcp
    a=chatroom:nickname private-messages";

// CONFORMANCE 7701-105, 7701-115, 7701-022, 7701-027, 4975-112, 4975-113, 4975-114, 4975-117, 6135-001
#[test]
fn the_join_of_rfc_7701_is_answered_as_printed_there() {
    let offer = read(ALICE);
    let alice = message(&offer);
    assert_eq!(alice.path.as_str(), "msrp://client.atlanta.example.com:7654/jshA7weztas;tcp");
    assert_eq!(alice.accept_types, ["message/cpim", "text/plain", "text/html"]);
    assert!(!alice.secure && alice.takes_cpim() && alice.declares_nickname() && alice.declares_private_messages());
    assert_eq!((alice.setup, alice.max_size, alice.cema, alice.accept_wrapped_types.len()), (None, None, false, 0));

    // What is printed in RFC 7701 §9.1, but for `*` alone, the t= line it lacks and the setup that RFC 6135 asks for.
    let expected = "
        v=0
        o=- 2890844527 1 IN IP4 chat.example.com
        s=-
        c=IN IP4 chat.example.com
        t=0 0
        m=message 12763 TCP/MSRP *
        a=accept-types:message/cpim
        a=accept-wrapped-types:*
        a=path:msrp://chat.example.com:12763/kjhd37s2s20w2a;tcp
        a=setup:passive
        a=chatroom:nickname private-messages";
    assert_eq!(answer(&offer, &room(ROOM)), lines(expected));
}

// CONFORMANCE 4975-114
#[test]
fn blink_may_offer_audio_and_chat_together_and_gets_its_lines_back_in_order() {
    let offer = read(
        "v=0
         o=- 3499264580 3499264580 IN IP4 192.168.1.6
         s=Blink 3.0
         t=3034423619 3042462419
         m=audio 50000/2 RTP/AVP 9 104 103 0 101
         c=IN IP4 192.168.1.6
         a=rtpmap:9 G722/8000
         m=message 2855 TCP/TLS/MSRP *
         c=IN IP4 192.168.1.6
         a=path:msrps://192.168.1.6:2855/18ef06a4c1e9ff7d2c9a;tcp
         a=accept-types:message/cpim text/* image/* application/im-iscomposing+xml
         a=accept-wrapped-types:text/* image/* application/im-iscomposing+xml
         a=setup:active
         m=video 0 RTP/AVP 31",
    );
    let blink = message(&offer);
    assert!(blink.secure && blink.takes_cpim() && blink.line == 1);
    assert!(blink.chatroom.is_none() && !blink.declares_private_messages());
    assert_eq!(blink.accept_wrapped_types, ["text/*", "image/*", "application/im-iscomposing+xml"]);

    let expected = "
        v=0
        o=- 2890844527 1 IN IP4 chat.example.com
        s=-
        c=IN IP4 chat.example.com
        t=3034423619 3042462419
        m=audio 0 RTP/AVP 9 104 103 0 101
        m=message 2856 TCP/TLS/MSRP *
        a=accept-types:message/cpim
        a=accept-wrapped-types:*
        a=path:msrps://chat.example.com:2856/kjhd37s2s20w2a;tcp
        a=setup:passive
        a=chatroom:nickname private-messages
        m=video 0 RTP/AVP 31";
    assert_eq!(answer(&offer, &room(SECURE_ROOM)), lines(expected));
}

#[test]
fn blink_starts_as_the_acceptor_with_actpass_and_is_always_told_the_setup() {
    let offer = with("a=setup:actpass");
    assert!(answer(&offer, &room(ROOM)).contains("\r\na=setup:passive\r\n"));
}

#[test]
fn rcs_sends_port_9_bare_line_feeds_and_a_connection_attribute() {
    let text = "v=0\no=- 1 1 IN IP4 10.0.0.7\ns=-\nc=IN IP4 10.0.0.7\nt=0 0\nm=message 9 TCP/MSRP *\na=connection:new\n\
                a=setup:active\na=accept-types:message/cpim application/im-iscomposing+xml\n\
                a=accept-wrapped-types:text/plain message/imdn+xml\na=path:msrp://10.0.0.7:9/aFt43;tcp\n";
    let offer = Offer::parse(text.as_bytes()).unwrap();
    let rcs = message(&offer);
    assert_eq!((rcs.port, rcs.setup), (9, Some(Setup::Active)));
    // CONFORMANCE 6135-007
    assert!(!answer(&offer, &room(ROOM)).contains("a=connection"));
}

#[test]
fn sip_js_names_hosts_that_do_not_exist_behind_a_relay() {
    let offer = read(
        "v=0
         o=mozilla 1 1 IN IP4 0.0.0.0
         s=-
         t=0 0
         m=message 1234 TCP/TLS/MSRP *
         c=IN IP4 x8a2.invalid
         a=accept-types:message/cpim text/plain text/html
         a=path:msrps://a.example.com:2855/jui787s2f;tcp msrps://df7jal23ls0d.invalid:2855/98cjs;ws
         a=setup:active",
    );
    let browser = message(&offer);
    // CONFORMANCE 4975-120
    assert_eq!(browser.path.len(), 2);
    assert_eq!(browser.target(false), ("a.example.com", 2855));
    assert_eq!(browser.path.last().host(), "df7jal23ls0d.invalid");
    assert!(!answer(&offer, &room(SECURE_ROOM)).contains("cema"));
}

// CONFORMANCE 4975-116
#[test]
fn a_session_border_controller_gets_msrp_cema_back_where_it_was_offered() {
    let offer = with("a=msrp-cema\na=setup:actpass");
    let local = LocalMedia { cema: true, ..room(ROOM) };
    assert!(answer(&offer, &local).contains("\r\na=msrp-cema\r\n"));
    assert!(!answer(&offer, &room(ROOM)).contains("cema"), "not without the wish");
    assert!(!answer(&with(""), &local).contains("cema"), "not without the offer");
    assert_eq!(message(&offer).target(true), ("a.example.com", 7654));

    let anchored = "v=0\nc=IN IP4 192.0.2.8\nm=message 5000 TCP/MSRP *\nc=IN IP4 192.0.2.9\na=msrp-cema\na=accept-types:*\n\
                    a=path:msrp://a.example.com:7654/x;tcp";
    assert_eq!(message(&read(anchored)).target(true), ("192.0.2.9", 5000));
    assert_eq!(message(&read(anchored)).target(false), ("a.example.com", 7654));
}

#[test]
fn who_uses_relays_falls_back_from_msrp_cema() {
    let relay = "msrp://relay.example.com:2855/r;tcp";
    let relayed_room = format!("{relay} {ROOM}");
    let relayed_path = format!("a=path:{relay} msrp://a.example.com:7654/x;tcp\na=msrp-cema\na=accept-types:*");
    let direct_path = "a=path:msrp://a.example.com:7654/x;tcp\na=msrp-cema\na=accept-types:*";
    for (offered, setup, local, agreed) in [
        (direct_path, "", ROOM, true),
        (direct_path, "a=setup:passive", ROOM, true),
        (direct_path, "a=setup:passive", relayed_room.as_str(), false),
        (direct_path, "a=setup:actpass", relayed_room.as_str(), true),
        (relayed_path.as_str(), "", ROOM, false),
        (relayed_path.as_str(), "a=setup:active", ROOM, false),
        (relayed_path.as_str(), "a=setup:actpass", ROOM, true),
        (relayed_path.as_str(), "a=setup:actpass", relayed_room.as_str(), false),
    ] {
        let offer = only("m=message 7654 TCP/MSRP *", &format!("{offered}\n{setup}"));
        let local = LocalMedia { cema: true, ..room(local) };
        assert_eq!(message(&offer).cema_answered(&local), agreed, "{offered} {setup} {}", local.path);
    }
    // With a relay and RFC 6714, c= and m= are the relay's; by RFC 4975 alone they are the endpoint's.
    let local = LocalMedia { cema: true, ..room(&relayed_room) };
    let cema = answer(&only("m=message 7654 TCP/MSRP *", &format!("{direct_path}\na=setup:actpass")), &local);
    assert!(cema.contains("c=IN IP4 relay.example.com\r\n") && cema.contains("m=message 2855 TCP/MSRP *\r\n"));
    let plain = answer(&with("a=setup:actpass"), &local);
    assert!(plain.contains("c=IN IP4 chat.example.com\r\n") && plain.contains("m=message 12763 TCP/MSRP *\r\n"));
}

// CONFORMANCE 6135-002, 6135-005, 4975-124
#[test]
fn setup_decides_who_connects() {
    for (offered, wish, answered) in [
        ("", Setup::Actpass, "passive"),
        ("", Setup::Active, "passive"),
        ("a=setup:active", Setup::Active, "passive"),
        ("a=setup:actpass", Setup::Passive, "passive"),
        ("a=setup:actpass", Setup::Actpass, "passive"),
        ("a=setup:actpass", Setup::Active, "active"),
        ("a=setup:passive", Setup::Passive, "active"),
        // RFC 6135 §4.2.1: as if it were not there.
        ("a=setup:holdconn", Setup::Active, "passive"),
        ("a=setup:", Setup::Active, "passive"),
        ("a=setup:PASSIVE", Setup::Passive, "active"),
    ] {
        let offer = with(offered);
        let text = answer(&offer, &LocalMedia { setup: wish, ..room(ROOM) });
        assert!(text.contains(&format!("\r\na=setup:{answered}\r\n")), "{offered} {wish:?}: {text}");
        let back = Answer::parse(text.as_bytes(), &offer).unwrap();
        assert_eq!(back.offerer_connects(), answered == "passive", "{offered} {wish:?}");
    }
}

#[test]
fn an_answer_in_which_both_connect_is_refused() {
    let active = with("a=setup:active");
    let text = answer(&active, &room(ROOM)).replace("setup:passive", "setup:active");
    assert_eq!(Answer::parse(text.as_bytes(), &active).unwrap_err(), SdpError::Setup);
}

// CONFORMANCE 4975-135 3264-6.1-1
#[test]
fn a_direction_is_answered_by_its_counterpart() {
    for (offered, wish, answered) in [
        ("a=sendonly", Direction::SendRecv, Some("a=recvonly")),
        ("a=recvonly", Direction::SendRecv, Some("a=sendonly")),
        ("a=inactive", Direction::SendRecv, Some("a=inactive")),
        ("a=sendrecv", Direction::SendRecv, None),
        ("a=sendrecv", Direction::RecvOnly, Some("a=recvonly")),
        ("a=sendonly", Direction::SendOnly, Some("a=inactive")),
    ] {
        let text = answer(&with(offered), &LocalMedia { direction: wish, ..room(ROOM) });
        let directions = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
        let found = text.lines().find(|line| directions.contains(line));
        assert_eq!(found, answered, "{offered} {wish:?}");
    }
    let held = read("v=0\na=inactive\nm=message 1 TCP/MSRP *\na=path:msrp://a:1/x;tcp\na=accept-types:*");
    assert_eq!(message(&held).direction, Direction::Inactive);
    let unheld = read("v=0\na=inactive\nm=message 1 TCP/MSRP *\na=sendrecv\na=path:msrp://a:1/x;tcp\na=accept-types:*");
    assert_eq!(message(&unheld).direction, Direction::SendRecv);
}

// CONFORMANCE 7701-106, 7701-110, 7701-107
#[test]
fn the_chatroom_attribute_is_a_declaration_of_tokens_each_once() {
    for (tokens, line) in [
        (Some(vec![]), "\r\na=chatroom\r\n"),
        (Some(vec!["nickname"]), "\r\na=chatroom:nickname\r\n"),
        (Some(vec!["nickname", "nickname", "private-messages"]), "\r\na=chatroom:nickname private-messages\r\n"),
    ] {
        let chatroom = tokens.map(|tokens: Vec<&str>| tokens.into_iter().map(str::to_owned).collect());
        let text = answer(&with(""), &LocalMedia { chatroom, ..room(ROOM) });
        assert!(text.contains(line), "{line}: {text}");
    }
    let none = LocalMedia { chatroom: None, ..room(ROOM) };
    assert!(!answer(&with("a=chatroom:nickname"), &none).contains("chatroom"));
}

// CONFORMANCE 7701-111, 7701-112, decision D2
#[test]
fn a_peer_may_write_nickname_or_nicknames() {
    for (attribute, nickname, private) in [
        ("", false, false),
        ("a=chatroom", false, false),
        ("a=chatroom:nickname", true, false),
        ("a=chatroom:nicknames private-messages", true, true),
        ("a=chatroom:private-messages", false, true),
        ("a=chatroom: com.example.dance  private-messages ", false, true),
        ("a=chatroom:nicknamed", false, false),
    ] {
        let offer = with(attribute);
        let peer = message(&offer);
        assert_eq!((peer.declares_nickname(), peer.declares_private_messages()), (nickname, private), "{attribute}");
        assert_eq!(peer.chatroom.is_some(), !attribute.is_empty(), "{attribute}");
    }
}

// CONFORMANCE 7701-020, 7701-021, 4975-131, decision D31
#[test]
fn message_cpim_is_taken_where_it_is_listed_or_covered_by_a_star() {
    for (types, takes) in [
        ("message/cpim", true),
        ("Message/CPIM", true),
        (" text/plain message/cpim;charset=\"utf 8\"", true),
        ("*", true),
        ("message/*", true),
        ("text/plain", false),
        ("text/* image/png", false),
    ] {
        let path = "a=path:msrp://a.example.com:7654/x;tcp";
        let offer = only("m=message 7654 TCP/MSRP *", &format!("{path}\na=accept-types:{types}"));
        assert_eq!(message(&offer).takes_cpim(), takes, "{types}");
    }
}

// CONFORMANCE 4975-128
#[test]
fn a_type_of_the_top_level_is_not_listed_again_as_wrapped() {
    let types = ["message/cpim", "text/plain"].map(str::to_owned).to_vec();
    let wrapped = ["text/plain", "text/html", "*"].map(str::to_owned).to_vec();
    let text = answer(&with(""), &LocalMedia { accept_types: types, accept_wrapped_types: wrapped, ..room(ROOM) });
    assert!(text.contains("\r\na=accept-types:message/cpim text/plain\r\na=accept-wrapped-types:text/html *\r\n"));
}

// CONFORMANCE 4975-111, 4975-125, 4975-029, 4975-030, 7701-126. THREATS T24
#[test]
fn a_line_that_cannot_be_taken_says_why_and_gets_488() {
    let path = "a=path:msrp://a.example.com:7654/x;tcp";
    let types = "a=accept-types:message/cpim";
    for (line, attributes, fault) in [
        ("m=audio 7 RTP/AVP 0", "", "there is no MSRP line"),
        ("m=message 7 UDP/MSRP *", &*format!("{path}\n{types}"), "there is no MSRP line"),
        ("m=message 0 TCP/MSRP *", &format!("{path}\n{types}"), "the MSRP line has port 0"),
        ("m=message 7 TCP/MSRP *", types, "the MSRP line has no path"),
        ("m=message 7 TCP/MSRP *", &format!("a=path:\n{types}"), "the MSRP line has no path"),
        ("m=message 7 TCP/MSRP *", path, "the MSRP line accepts no media type"),
        ("m=message 7 TCP/MSRP *", &format!("{path}\na=accept-types:"), "the MSRP line accepts no media type"),
        (
            "m=message 7 TCP/MSRP *",
            &format!("a=path:msrp://a.example.com:7/x\n{types}"),
            "a malformed path: the transport parameter is missing or malformed",
        ),
        ("m=message 7 TCP/MSRP *", &format!("a=path:msrp://10.0.0.1/x;tcp\n{types}"), "a URI of the path has no port"),
        (
            "m=message 7 TCP/TLS/MSRP *",
            &format!("{path}\n{types}"),
            "the protocol and the scheme of the path do not agree",
        ),
    ] {
        let offer = only(line, attributes);
        assert!(offer.message().is_none(), "{fault}");
        assert_eq!((offer.refusal().to_string().as_str(), offer.refusal().sip_code()), (fault, 488));
        let refused = offer.answer(&origin(), None);
        let (media, rest) = line.split_once(' ').unwrap();
        let (_, rest) = rest.split_once(' ').unwrap();
        assert!(refused.ends_with(&format!("t=0 0\r\n{media} 0 {rest}\r\n")), "{refused}");
    }
}

#[test]
fn what_is_no_sdp_gets_400() {
    for text in [
        "",
        "\r\n",
        "hello",
        "v=1\r\n",
        "v=0\r\nm=message\r\n",
        "v=0\r\nm=message 70000 TCP/MSRP *\r\n",
        "v=0\r\nm=message -1 TCP/MSRP *\r\n",
        "v=0\r\nm=message 7 TCP/MSRP\r\n",
        "v=0\r\nc=IN\r\n",
        "v=0\r\nt=now then\r\n",
        "v=0\r\na=path:msrp://a:1/\0;tcp\r\n",
    ] {
        let fault = Offer::parse(text.as_bytes()).unwrap_err();
        assert_eq!(fault.sip_code(), 400, "{text:?}: {fault}");
    }
}

#[test]
fn lines_that_say_nothing_here_may_be_wrong() {
    for odd in [
        "b=AS",
        "b=",
        "k=prompt:x",
        "r=1",
        "z=-",
        "i=\u{fffd}",
        "y=unknown",
        "a=",
        "a=:",
        "a=rtpmap",
        "o=second origin",
        "s=",
        "",
        "  ",
    ] {
        let offer = with(odd);
        assert!(offer.message().is_some(), "{odd:?}");
    }
    let latin =
        b"v=0\ns=caf\xe9\na=x:\xff\nm=message 1 TCP/MSRP *\na=y:\xfe\na=path:msrp://a:1/x;tcp\na=accept-types:*";
    assert!(Offer::parse(latin).unwrap().message().is_some());
}

// CONFORMANCE 4975-113
#[test]
fn the_format_of_the_offered_line_does_not_matter() {
    for format in ["0", "* 0", "text/plain"] {
        let line = format!("m=message 7 TCP/MSRP {format}");
        let offer = only(&line, "a=path:msrp://a.example.com:7/x;tcp\na=accept-types:message/cpim");
        assert!(answer(&offer, &room(ROOM)).contains("\r\nm=message 12763 TCP/MSRP *\r\n"), "{format}");
    }
}

// CONFORMANCE 4975-115
#[test]
fn of_two_msrp_lines_one_is_taken_and_the_other_refused() {
    let two = read(
        "v=0
         m=message 7654 TCP/MSRP *
         a=path:msrp://a.example.com:7654/clear;tcp
         a=accept-types:message/cpim
         m=message 7654 TCP/TLS/MSRP *
         a=path:msrps://a.example.com:7654/secret;tcp
         a=accept-types:message/cpim",
    );
    let secure = two.messages().find(|line| line.secure).unwrap();
    let text = two.answer(&origin(), Some((secure, &room(SECURE_ROOM))));
    assert!(text.contains("m=message 0 TCP/MSRP *\r\nm=message 2856 TCP/TLS/MSRP *\r\na=accept-types"), "{text}");
}

// CONFORMANCE 7701-126. THREATS T24
#[test]
fn an_offer_of_tls_is_never_answered_without() {
    let offer =
        only("m=message 7654 TCP/TLS/MSRP *", "a=path:msrps://a.example.com:7654/x;tcp\na=accept-types:message/cpim");
    let text = answer(&offer, &room(ROOM));
    assert!(text.ends_with("m=message 0 TCP/TLS/MSRP *\r\n"), "{text}");
}

#[test]
fn a_file_transfer_is_told_from_talk() {
    let offer = with("a=sendonly\na=file-selector:name:\"../../etc/x\" type:image/jpeg size:4092");
    assert_eq!(message(&offer).file_selector.as_deref(), Some("name:\"../../etc/x\" type:image/jpeg size:4092"));
}

#[test]
fn fingerprints_are_kept_as_text() {
    let offer = with("a=fingerprint:sha-256 3A:96\na=fingerprint:sha-1 4A:AD");
    assert_eq!(message(&offer).fingerprints, ["sha-256 3A:96", "sha-1 4A:AD"]);
    let local = LocalMedia { fingerprint: Some("sha-256 00:11".to_owned()), ..room(ROOM) };
    assert!(answer(&offer, &local).contains("\r\na=fingerprint:sha-256 00:11\r\n"));
}

// CONFORMANCE 4975-133
#[test]
fn max_size_is_read_and_written() {
    for (text, size) in [
        ("a=max-size:1000", Some(1000)),
        ("a=max-size:99999999999999999999999", Some(u64::MAX)),
        ("a=max-size:", None),
        ("a=max-size:-1", None),
        ("a=max-size:many", None),
    ] {
        assert_eq!(message(&with(text)).max_size, size, "{text}");
    }
    let local = LocalMedia { max_size: Some(104_857_600), ..room(ROOM) };
    assert!(answer(&with(""), &local).contains("\r\na=max-size:104857600\r\n"));
}

// CONFORMANCE 4975-112
#[test]
fn an_ipv6_host_is_written_without_brackets_and_as_ip6() {
    let path = Path::from(Uri::new(false, "2001:db8::1", 2855, "s3ssion"));
    let text = answer(&with(""), &LocalMedia::new(path));
    assert!(
        text.contains("\r\nc=IN IP6 2001:db8::1\r\n") && text.contains("a=path:msrp://[2001:db8::1]:2855/s3ssion;tcp")
    );
}

// CONFORMANCE 6135-004, 7701-023
#[test]
fn an_offer_of_ones_own_never_says_passive() {
    let path = || Path::parse("msrp://192.0.2.7:9/c1ient;tcp").unwrap();
    let passive = LocalMedia { setup: Setup::Passive, ..LocalMedia::new(path()) };
    let text = offer(&Origin { session_id: 7, version: 1, address: "192.0.2.7".to_owned() }, &passive);
    let expected = "
        v=0
        o=- 7 1 IN IP4 192.0.2.7
        s=-
        c=IN IP4 192.0.2.7
        t=0 0
        m=message 9 TCP/MSRP *
        a=accept-types:message/cpim
        a=accept-wrapped-types:*
        a=path:msrp://192.0.2.7:9/c1ient;tcp
        a=setup:actpass";
    assert_eq!(text, lines(expected));
    let active = LocalMedia { setup: Setup::Active, ..LocalMedia::new(path()) };
    assert!(offer(&origin(), &active).ends_with("a=setup:active\r\n"));
}

#[test]
fn an_answer_must_fit_its_offer() {
    let ours = with("a=setup:actpass");
    let good = answer(&ours, &room(ROOM));
    let accepted = Answer::parse(good.as_bytes(), &ours).unwrap();
    assert_eq!(accepted.message().unwrap().path.as_str(), ROOM);
    assert!(accepted.offerer_connects());

    let refused = ours.answer(&origin(), None);
    assert!(Answer::parse(refused.as_bytes(), &ours).unwrap().message().is_none());

    for (from, to, fault) in [
        ("TCP/MSRP", "TCP/TLS/MSRP", SdpError::Lines),
        ("m=message", "m=audio", SdpError::Lines),
        ("m=message", "m=audio 0 RTP/AVP 0\r\nm=message", SdpError::Lines),
        ("a=path", "a=x-path", SdpError::NoPath),
        ("a=accept-types", "a=x-types", SdpError::NoAcceptTypes),
        ("msrp://", "msrps://", SdpError::Security),
    ] {
        let text = good.replacen(from, to, 1);
        assert_eq!(Answer::parse(text.as_bytes(), &ours).unwrap_err(), fault, "{text}");
    }
    // A peer without RFC 6135 waits.
    let old = good.replace("a=setup:passive\r\n", "");
    assert!(Answer::parse(old.as_bytes(), &ours).unwrap().offerer_connects());
}

// CONFORMANCE 4975-123 3264-8-1
#[test]
fn the_version_rises_only_with_a_change() {
    let mut ours = Originator::new(u64::MAX, "192.0.2.1");
    assert_eq!(ours.origin().session_id, (1 << 62) - 1);
    let mut local = room(ROOM);
    let first = ours.describe(|origin| offer(origin, &local));
    assert_eq!(ours.describe(|origin| offer(origin, &local)), first);
    assert!(first.contains("o=- 4611686018427387903 1 IN IP4 192.0.2.1\r\n"));

    local.chatroom = Some(vec!["nickname".to_owned()]);
    let second = ours.describe(|origin| offer(origin, &local));
    assert!(second.contains("o=- 4611686018427387903 2 IN IP4 192.0.2.1\r\n"), "{second}");
    assert_eq!(ours.describe(|origin| offer(origin, &local)), second);
    assert_eq!(Offer::parse(second.as_bytes()).unwrap().origin(), "- 4611686018427387903 2 IN IP4 192.0.2.1");
}

// CONFORMANCE 3264-8-2
#[test]
fn a_later_offer_keeps_the_lines_of_the_dialog() {
    let dialog = read(
        "v=0
         t=5 6
         m=audio 5000 RTP/AVP 0
         m=message 7654 TCP/MSRP *
         a=path:msrp://a.example.com:7654/x;tcp
         a=accept-types:message/cpim",
    );
    let text = dialog.offer_again(&origin(), 1, &room(ROOM));
    assert!(text.contains("t=5 6\r\nm=audio 0 RTP/AVP 0\r\nm=message 12763 TCP/MSRP *\r\n"), "{text}");
    assert!(text.contains("\r\na=setup:actpass\r\n"));
}

// THREATS T33
#[test]
fn configured_text_cannot_add_a_line() {
    let local = LocalMedia {
        chatroom: Some(vec!["x\r\na=evil".to_owned()]),
        fingerprint: Some("f\nm=audio 1 RTP/AVP 0".to_owned()),
        ..room(ROOM)
    };
    let evil = Origin { session_id: 1, version: 1, address: "h\r\na=worse".to_owned() };
    let ours = with("");
    let text = ours.answer(&evil, ours.message().map(|line| (line, &local)));
    assert!(text.lines().all(|line| !line.starts_with("a=evil") && !line.starts_with("a=worse")), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("m=")).count(), 1);
}
