//! Descriptions made to do harm, and properties that hold for all.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use msrp::sdp::{Answer, Direction, LocalMedia, MAX_ENTRIES, MAX_LINES, Offer, Origin, SdpError, Setup, offer};
use msrp::uri::{Path, Uri};
use proptest::prelude::*;

const HEAD: &str = "v=0\r\no=a 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\nm=message 1 TCP/MSRP *\r\na=path:msrp://a:1/x;tcp\r\n";

fn with_types(attributes: &str) -> Result<Offer, SdpError> {
    Offer::parse(format!("{HEAD}a=accept-types:message/cpim\r\n{attributes}").as_bytes())
}

fn origin() -> Origin {
    Origin { session_id: 1, version: 1, address: "192.0.2.1".to_owned() }
}

// THREATS CVE-2023-26498, CONFORMANCE 7701-110, 7701-114
#[test]
fn cve_2023_26498_any_number_of_chatroom_properties_is_harmless() {
    let many: String = (0..5000).map(|n| format!("com.example.t{n} ")).collect();
    let offer = with_types(&format!("a=chatroom:{many}private-messages\r\n")).unwrap();
    let peer = offer.message().unwrap();
    assert!(peer.declares_private_messages(), "a token that is known is found behind all others");
    assert_eq!(peer.chatroom.as_ref().unwrap().len(), MAX_ENTRIES + 1);

    for (attribute, kept) in [
        ("a=chatroom\r\n".to_owned(), 0),
        ("a=chatroom:\r\n".to_owned(), 0),
        ("a=chatroom:nickname nickname nickname\r\n".to_owned(), 1),
        (format!("a=chatroom:{}\r\n", "nickname ".repeat(5000)), 1),
        (format!("a=chatroom:{}\r\n", "x".repeat(60_000)), 0),
        (format!("a=chatroom:{}\r\n", " ".repeat(60_000)), 0),
        ("a=chatroom:nickname\r\n".repeat(1000), 1),
        ("a=chatroom:,;:\"() private-messages\r\n".to_owned(), 1),
    ] {
        let offer = with_types(&attribute).unwrap();
        assert_eq!(offer.message().unwrap().chatroom.as_ref().unwrap().len(), kept);
    }
    let giant = with_types(&format!("a=chatroom:{}\r\n", "x".repeat(1 << 20)));
    assert_eq!(giant.unwrap_err(), SdpError::TooLong);
}

// THREATS CVE-2023-24033, CONFORMANCE 4975-131
#[test]
fn cve_2023_24033_any_accept_types_are_harmless() {
    let many: String = (0..5000).map(|n| format!("x/y{n} ")).collect();
    for (types, kept) in [
        (format!("{many}message/cpim"), Some(MAX_ENTRIES + 1)),
        (format!("{}/x message/cpim", "x".repeat(64_000)), Some(1)),
        ("message/cpim a/ / */* /b a//b text".to_owned(), Some(2)),
        ("*/*".to_owned(), Some(1)),
        ("a/ /".to_owned(), None),
        ("message/cpim;x=\"open text/plain".to_owned(), Some(1)),
        ("message/cpim;x=\"a\\\" text/evil\" text/plain".to_owned(), Some(2)),
        (";;; message/cpim;;;".to_owned(), Some(1)),
        (format!("message/cpim{}", ";a=b".repeat(10_000)), Some(1)),
    ] {
        let offer = Offer::parse(format!("{HEAD}a=accept-types:{types}\r\n").as_bytes()).unwrap();
        assert_eq!(offer.message().map(|peer| peer.accept_types.len()), kept, "{:.60}", types);
        assert_eq!(offer.message().is_none(), offer.refusal() == SdpError::NoAcceptTypes);
    }
}

// THREATS CVE-2023-26496, CVE-2023-26497
#[test]
fn over_long_attributes_of_any_kind_are_harmless() {
    for name in ["fmtp", "video", "path", "setup", "max-size", "fingerprint", "file-selector", "sendonly", "x"] {
        let long = with_types(&format!("a={name}:{}\r\n", "9".repeat(100_000))).unwrap();
        assert!(long.message().is_some(), "{name}");
        let giant = with_types(&format!("a={name}:{}\r\n", "9".repeat(1 << 20)));
        assert_eq!(giant.unwrap_err(), SdpError::TooLong);
    }
    let long_path =
        format!("v=0\r\nm=message 1 TCP/MSRP *\r\na=accept-types:*\r\na=path:msrp://a:1/{};tcp", "x".repeat(9999));
    assert!(matches!(Offer::parse(long_path.as_bytes()).unwrap().refusal(), SdpError::Path(_)));
    // THREATS addb6a88
    let many_uris =
        "v=0\r\nm=message 1 TCP/MSRP *\r\na=accept-types:*\r\na=path:".to_owned() + &"msrp://a:1/x;tcp ".repeat(5000);
    assert!(matches!(Offer::parse(many_uris.as_bytes()).unwrap().refusal(), SdpError::Path(_)));
}

// THREATS CVE-2026-46334, CVE-2023-27598
#[test]
fn bandwidth_without_a_colon_and_a_last_line_without_its_end_are_harmless() {
    for end in ["b=", "b=AS", "b=:", "b=AS:x", "a=", "m=", "m=audio", "x", "a=path"] {
        for at in ["", "\r\n", "\n"] {
            let _ = with_types(&format!("{end}{at}"));
            let _ = Offer::parse(format!("v=0\r\n{end}{at}").as_bytes());
        }
    }
}

// THREATS CVE-2023-40019
#[test]
fn media_lines_are_counted() {
    let lines = |n: usize| format!("v=0\r\n{}", "m=audio 1 RTP/AVP 0\r\n".repeat(n));
    assert_eq!(Offer::parse(lines(MAX_LINES).as_bytes()).unwrap().line_count(), MAX_LINES);
    let fault = Offer::parse(lines(MAX_LINES + 1).as_bytes()).unwrap_err();
    assert_eq!((fault.sip_code(), fault), (488, SdpError::TooManyLines));
}

fn uri() -> impl Strategy<Value = Uri> {
    let host = prop_oneof!["[a-z]{1,8}\\.example\\.com", Just("192.0.2.7".to_owned()), Just("2001:db8::7".to_owned())];
    (host, 1u16.., "[A-Za-z0-9]{14,20}").prop_map(|(host, port, id)| Uri::new(false, &host, port, &id))
}

fn local() -> impl Strategy<Value = LocalMedia> {
    let setup = prop_oneof![Just(Setup::Active), Just(Setup::Passive), Just(Setup::Actpass)];
    let direction = prop_oneof![
        Just(Direction::SendRecv),
        Just(Direction::SendOnly),
        Just(Direction::RecvOnly),
        Just(Direction::Inactive)
    ];
    let types = prop::collection::vec(prop_oneof!["[a-z]{1,5}/[a-z.+-]{1,5}", Just("*".to_owned())], 0..4);
    let tokens = prop::option::of(prop::collection::btree_set("[a-z-]{1,9}", 0..3));
    (uri(), types, prop::option::of(any::<u64>()), setup, tokens, any::<bool>(), direction).prop_map(
        |(uri, wrapped, max_size, setup, chatroom, cema, direction)| LocalMedia {
            accept_wrapped_types: wrapped,
            max_size,
            setup,
            chatroom: chatroom.map(|tokens| tokens.into_iter().collect()),
            cema,
            direction,
            ..LocalMedia::new(Path::from(uri))
        },
    )
}

/// Lines of all kinds; about half of the descriptions have an MSRP line that can be taken.
fn description() -> impl Strategy<Value = String> {
    let attribute = prop_oneof![
        "a=setup:(active|passive|actpass|holdconn)",
        "a=(chatroom|msrp-cema|sendonly|recvonly|inactive|max-size)(:[ -~]{0,20})?",
        "c=IN IP(4|6) [a-f:.]{1,9}",
        "[a-z]=[ -~]{0,20}",
    ];
    let good = "a=accept-types:message/cpim text/plain\r\na=path:";
    let head = prop_oneof![
        3 => Just(format!("m=message 1 TCP/MSRP *\r\n{good}msrp://a.example.com:1/x;tcp")),
        1 => Just(format!("m=message 2 TCP/TLS/MSRP *\r\n{good}msrps://a.example.com:2/x;tcp")),
        1 => Just(format!("m=message 0 TCP/MSRP *\r\n{good}msrp://a.example.com:1/x;tcp")),
        1 => Just("m=message 9 TCP/MSRP *".to_owned()),
        1 => Just("m=audio 3 RTP/AVP 0 8".to_owned()),
    ];
    let block = (head, prop::collection::vec(attribute, 0..3))
        .prop_map(|(head, rest)| format!("{head}\r\n{}", rest.join("\r\n")));
    prop::collection::vec(block, 0..4).prop_map(|blocks| format!("v=0\r\n{}\r\n", blocks.join("\r\n")))
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Offer::parse(&octets);
        let _ = Offer::parse(&[b"v=0\n".as_slice(), &octets].concat());
    }

    #[test]
    fn an_offer_says_what_was_meant(local in local()) {
        let text = offer(&origin(), &local);
        let read = Offer::parse(text.as_bytes()).unwrap();
        let peer = read.message().unwrap();
        prop_assert_eq!(peer.path.as_str(), local.path.as_str());
        prop_assert_eq!(&peer.accept_types, &local.accept_types);
        prop_assert!(local.accept_wrapped_types.iter().all(|entry| peer.accept_wrapped_types.contains(entry)));
        prop_assert_eq!(&peer.chatroom, &local.chatroom);
        prop_assert_eq!((peer.max_size, peer.cema, peer.direction), (local.max_size, local.cema, local.direction));
        prop_assert_eq!(peer.port, local.path.first().port().unwrap());
        prop_assert_ne!(peer.setup, Some(Setup::Passive));
    }

    /// Whatever is offered: an answer has its lines in order, at most one with a port, and fits it; one side connects.
    #[test]
    fn an_answer_fits_its_offer(text in description(), local in local()) {
        let Ok(theirs) = Offer::parse(text.as_bytes()) else { return Ok(()) };
        let accepted = theirs.message().map(|line| (line, &local));
        let answer = theirs.answer(&origin(), accepted);
        let taken = accepted.is_some_and(|(line, _)| !line.secure);
        let read = Answer::parse(answer.as_bytes(), &theirs).unwrap();
        prop_assert_eq!(read.message().is_some(), taken);
        let live = answer.lines().filter(|line| line.starts_with("m=") && !line.contains(" 0 ")).count();
        prop_assert_eq!(live, usize::from(taken));
        if let (Some(answered), true) = (read.message(), taken) {
            let offered = accepted.unwrap().0;
            prop_assert_eq!(answered.line, offered.line);
            let we_connect = offered.setup_answered(local.setup) == Setup::Active;
            prop_assert_ne!(read.offerer_connects(), we_connect);
            prop_assert!(!answered.direction.sends() || offered.direction.receives());
            prop_assert!(!answered.cema || offered.cema);
        }
    }
}
