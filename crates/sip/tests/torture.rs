//! The torture messages of RFC 4475 and RFC 5118, each with the verdict that those texts give it.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::io::Read as _;

use sip::typed::{CSeq, NameAddr, Via};
use sip::{Frame, Framer, Message, Method, Request, Response, parse};

fn octets(folder: &str, name: &str) -> Vec<u8> {
    let path = format!("{}/tests/torture/{folder}/{name}.dat", env!("CARGO_MANIFEST_DIR"));
    let mut octets = Vec::new();
    #[allow(clippy::disallowed_methods, reason = "a test may read a file")]
    std::fs::File::open(&path).unwrap().read_to_end(&mut octets).unwrap();
    octets
}

fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(format!("{}/tests/torture/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".dat").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// What one read that is one message comes to.
fn as_datagram(octets: &[u8]) -> String {
    match parse(octets) {
        Ok(Message::Request(request)) => format!("{} to {}", request.method, request.uri),
        Ok(Message::Response(response)) => format!("{}", response.code),
        Err(malformed) if malformed.request.is_some() => format!("{} {}", malformed.code, malformed.reason),
        Err(malformed) => format!("dropped: {}", malformed.reason),
    }
}

/// What becomes of a stream that brings it.
fn as_stream(octets: &[u8]) -> &'static str {
    let mut framer = Framer::new(64 * 1024, 64 * 1024);
    framer.feed(octets);
    match framer.next() {
        None => "waits",
        Some(Frame::Malformed { close: true, .. }) => "closes",
        Some(_) => "goes on",
    }
}

/// Name, verdict on a datagram, what becomes of a stream.
const RFC_4475: [(&str, &str, &str); 50] = [
    // §3.1.1 Valid messages.
    ("wsinv", "INVITE to sip:vivekg@chair-dnrc.example.com;unknownparam", "goes on"),
    (
        "intmeth",
        "!interesting-Method0123456789_*+`.%indeed'~ to \
         sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
        "goes on",
    ),
    ("esc01", "INVITE to sip:sips%3Auser%40example.com@example.net", "goes on"),
    ("escnull", "REGISTER to sip:example.com", "goes on"),
    ("esc02", "RE%47IST%45R to sip:registrar.example.com", "goes on"),
    ("lwsdisp", "OPTIONS to sip:user@example.com", "goes on"),
    ("longreq", "INVITE to sip:user@example.com", "goes on"),
    ("dblreq", "REGISTER to sip:example.com", "goes on"),
    ("semiuri", "OPTIONS to sip:user;par=u%40example.net@example.com", "goes on"),
    ("transports", "OPTIONS to sip:user@example.com", "goes on"),
    ("mpart01", "MESSAGE to sip:kumiko@example.org", "goes on"),
    ("unreason", "200", "goes on"),
    ("noreason", "100", "goes on"),
    // §3.1.2 Invalid messages.
    ("badinv01", "400 Unreadable Via", "goes on"),
    ("clerr", "400 Body Shorter Than Content-Length", "waits"),
    ("ncl", "400 Unreadable Content-Length", "closes"),
    ("scalar02", "400 Unreadable CSeq", "goes on"),
    ("scalarlg", "dropped: Unreadable CSeq", "goes on"),
    ("quotbal", "400 Unreadable To", "goes on"),
    ("ltgtruri", "400 Unreadable Request-URI", "goes on"),
    ("lwsruri", "400 Bad Request Line", "goes on"),
    ("lwsstart", "400 Bad Request Line", "goes on"),
    ("trws", "400 Bad Request Line", "goes on"),
    ("escruri", "400 Header Fields In Request-URI", "goes on"),
    // A Date decides nothing here, so a wrong one refuses nothing.
    ("baddate", "INVITE to sip:user@example.com", "goes on"),
    ("regbadct", "400 Unreadable Contact", "goes on"),
    ("badaspec", "400 Unreadable To", "goes on"),
    // The archive has this one without its last empty line.
    ("baddn", "400 Head Without End", "waits"),
    ("badvers", "505 Version Not Supported", "goes on"),
    ("mismatch01", "400 CSeq Of Another Method", "goes on"),
    ("mismatch02", "501 Not Implemented", "goes on"),
    ("bigcode", "dropped: Unreadable Start Line", "goes on"),
    // §3.2 Transaction layer.
    ("badbranch", "400 Via Branch Without Identifier", "goes on"),
    // §3.3 Application layer: what the endpoint and its user refuse is well-formed here.
    ("insuf", "400 Missing From", "goes on"),
    ("unkscm", "OPTIONS to nobodyKnowsThisScheme:totallyopaquecontent", "goes on"),
    ("novelsc", "OPTIONS to soap.beep://192.0.2.103:3002", "goes on"),
    ("unksm2", "REGISTER to sip:example.com", "goes on"),
    ("bext01", "OPTIONS to sip:user@example.com", "goes on"),
    ("invut", "INVITE to sip:user@example.com", "goes on"),
    ("regaut01", "REGISTER to sip:example.com", "goes on"),
    ("multi01", "400 Repeated From", "goes on"),
    ("mcl01", "400 Repeated Content-Length", "closes"),
    ("bcast", "200", "goes on"),
    ("zeromf", "OPTIONS to sip:user@example.com", "goes on"),
    ("cparam01", "REGISTER to sip:example.com", "goes on"),
    ("cparam02", "REGISTER to sip:example.com", "goes on"),
    ("regescrt", "REGISTER to sip:example.com", "goes on"),
    ("sdp01", "INVITE to sip:user@example.com", "goes on"),
    // §3.4 Backward compatibility. Without Content-Length it can only have come in a datagram.
    ("inv2543", "INVITE to sip:UserB@example.com", "closes"),
    // In the archive, not in the text: `Foobar roobar` is no header field, and mandatory ones are missing.
    ("test", "400 Bad Request Line", "goes on"),
];

// CONFORMANCE 4475-3-1.
#[test]
fn every_message_of_rfc_4475_gets_the_verdict_it_deserves() {
    let mut listed: Vec<String> = RFC_4475.iter().map(|(name, ..)| (*name).to_owned()).collect();
    listed.sort();
    assert_eq!(listed, names("rfc4475"));
    for (name, datagram, stream) in RFC_4475 {
        let octets = octets("rfc4475", name);
        assert_eq!(as_datagram(&octets), datagram, "{name}");
        assert_eq!(as_stream(&octets), stream, "{name}");
    }
}

// CONFORMANCE 3261-20.10-1.
#[test]
fn a_display_name_with_a_comma_needs_quotes() {
    let mut octets = octets("rfc4475", "baddn");
    octets.extend_from_slice(b"\r\n");
    assert_eq!(as_datagram(&octets), "400 Unreadable From");
}

/// Name, verdict on a datagram.
const RFC_5118: [(&str, &str); 12] = [
    ("ipv6-good", "REGISTER to sip:[2001:db8::10]"),
    ("ipv6-bad", "400 Unreadable Request-URI"),
    ("port-ambiguous", "REGISTER to sip:[2001:db8::10:5070]"),
    ("port-unambiguous", "REGISTER to sip:[2001:db8::10]:5070"),
    ("via-received-param-with-delim", "BYE to sip:[2001:db8::10]"),
    ("via-received-param-no-delim", "OPTIONS to sip:[2001:db8::10]"),
    ("ipv6-in-sdp", "INVITE to sip:user@[2001:db8::10]"),
    ("mult-ip-in-header", "BYE to sip:user@host.example.net"),
    ("mult-ip-in-sdp", "INVITE to sip:user@[2001:db8::10]"),
    ("ipv4-mapped-ipv6", "INVITE to sip:user@example.com"),
    ("ipv6-bug-abnf-3-colons", "OPTIONS to sip:user@[2001:db8:::192.0.2.1]"),
    ("ipv6-correct-abnf-2-colons", "OPTIONS to sip:user@[2001:db8::192.0.2.1]"),
];

// CONFORMANCE 5118-4-1.
#[test]
fn every_message_of_rfc_5118_gets_the_verdict_it_deserves() {
    let mut listed: Vec<String> = RFC_5118.iter().map(|(name, _)| (*name).to_owned()).collect();
    listed.sort();
    assert_eq!(listed, names("rfc5118"));
    for (name, datagram) in RFC_5118 {
        assert_eq!(as_datagram(&octets("rfc5118", name)), datagram, "{name}");
    }
}

fn request(folder: &str, name: &str) -> Request {
    match parse(&octets(folder, name)) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn response(name: &str) -> Response {
    match parse(&octets("rfc4475", name)) {
        Ok(Message::Response(response)) => response,
        other => panic!("{name}: {other:?}"),
    }
}

fn addresses(request: &Request, name: &str) -> Vec<NameAddr> {
    request.headers.list(name).map(|value| NameAddr::parse(value).unwrap()).collect()
}

// CONFORMANCE 3261-7.3.1-1.
#[test]
fn folding_and_white_space_change_no_value() {
    let request = request("rfc4475", "wsinv");
    let to = request.to().unwrap();
    assert_eq!((to.uri.as_str(), to.tag()), ("sip:vivekg@chair-dnrc.example.com", Some("1918181833n")));
    let from = request.from().unwrap();
    assert_eq!((from.display.as_deref(), from.tag()), (Some("J Rosenberg \\\""), Some("98asjd8")));
    assert_eq!(request.header("Max-Forwards"), Some("0068"));
    assert_eq!(CSeq::parse(request.header("CSeq").unwrap()), Ok(CSeq { number: 9, method: Method::INVITE.as_str() }));
    assert_eq!(request.header("Subject"), Some(""));
    assert_eq!(request.header("NewFangledHeader"), Some("newfangled value continued newfangled value"));
    assert_eq!(request.header("UnknownHeaderWithUnusualValue"), Some(";;,,;;,;"));
    let vias: Vec<_> = request.headers.list("Via").map(|value| Via::parse(value).unwrap()).collect();
    let via = |transport, host, branch| Via { transport, host, port: None, branch: Some(branch), rport: false };
    assert_eq!(
        vias,
        [
            via("UDP", "192.0.2.2", "390skdjuw"),
            via("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
            via("UDP", "192.168.255.111", "z9hG4bK30239")
        ]
    );
    let [contact] = &addresses(&request, "Contact")[..] else { panic!("one Contact") };
    assert_eq!(contact.display.as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.params.len(), 3);
    assert_eq!(
        [contact.param("newparam"), contact.param("secondparam"), contact.param("q")],
        [Some("newvalue"), Some(""), Some("0.33")]
    );
    assert_eq!(request.body.len(), 150);
}

// CONFORMANCE 3261-7.1-2, 3261-25.1-1.
#[test]
fn every_character_that_the_grammar_allows_is_kept() {
    let octets = octets("rfc4475", "intmeth");
    let request = request("rfc4475", "intmeth");
    let from = request.from().unwrap();
    assert_eq!(from.display.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(from.param("fromParam''~+*_!.-%"), Some("работающий"));
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(request.to().unwrap().display.as_deref(), Some("BEL:\u{fffd} NUL:\u{fffd} DEL:\u{fffd}"));
    assert_eq!(request.to().unwrap().uri.user(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(request.header("extensionHeader-!.%*+_`'~"), Some("\u{feff}大停電"));
    assert_eq!(request.header("Call-ID"), Some("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"));
    // The answer has the To exactly as it came, NUL and all.
    let answer = Response::to(&request, 200, None).encode();
    let to = b"To: \"BEL:\\\x07 NUL:\\\0 DEL:\\\x7f\"".as_slice();
    for message in [&octets, &answer] {
        assert!(message.windows(to.len()).any(|window| window == to));
    }
}

// CONFORMANCE 3261-19.1.2-1.
#[test]
fn escapes_are_undone_once_and_only_where_they_are_escapes() {
    let esc01 = request("rfc4475", "esc01");
    let room = esc01.request_uri().unwrap();
    assert_eq!((room.user(), room.host().as_deref()), (Some("sips%3Auser%40example.com"), Some("example.net")));
    assert_eq!(esc01.to().unwrap().uri.user(), Some("user"));
    assert_eq!(esc01.from().unwrap().uri.user(), Some("I%20have%20spaces"));
    let contact = &addresses(&esc01, "Contact")[0].uri;
    // An escaped % escapes nothing itself.
    assert_eq!(
        [contact.user(), contact.param("lr"), contact.param("name")].map(Option::unwrap),
        ["caller", "", "value%2541"]
    );

    let escnull = request("rfc4475", "escnull");
    assert_eq!(escnull.to().unwrap().uri.user(), Some("null-%00-null"));
    let contacts = addresses(&escnull, "Contact");
    assert!(!contacts[0].uri.same_address(&contacts[1].uri));

    let esc02 = request("rfc4475", "esc02");
    assert_ne!(esc02.method, Method::REGISTER);
    assert_eq!(esc02.to().unwrap().display.as_deref(), Some("%Z%45"));
    assert_eq!(esc02.headers.count("Contact"), 2);
}

// CONFORMANCE 3261-20.10-1.
#[test]
fn what_is_a_parameter_of_the_uri_is_none_of_the_header_field() {
    let contact = |name| addresses(&request("rfc4475", name), "Contact").remove(0);
    let (of_header, of_uri) = (contact("cparam01"), contact("cparam02"));
    assert_eq!((of_header.param("unknownparam"), of_header.uri.param("unknownparam")), (Some(""), None));
    assert_eq!((of_uri.param("unknownparam"), of_uri.uri.param("unknownparam")), (None, Some("")));
    assert!(contact("regescrt").uri.has_headers());
    let semiuri = request("rfc4475", "semiuri").request_uri().unwrap();
    assert_eq!(semiuri.user(), Some("user;par=u%40example.net"));
    assert_eq!(request("rfc4475", "semiuri").headers.list("Accept").count(), 6);
    let long = request("rfc4475", "longreq");
    assert_eq!(long.headers.list("Via").count(), 34);
    assert_eq!(long.from().unwrap().tag().map(str::len), Some(2 + 3 * 50 + 3));
}

// CONFORMANCE 3261-7.2-1.
#[test]
fn reason_phrases_may_be_anything_and_nothing() {
    assert_eq!(response("unreason").reason, "= 2**3 * 5**2 но сто девяносто девять - простое");
    assert_eq!(response("noreason").reason, "");
    assert_eq!(response("bcast").headers.count("Via"), 2);
}

// CONFORMANCE 3261-18.3-2.
#[test]
fn octets_behind_the_body_of_a_datagram_are_discarded() {
    let request = request("rfc4475", "dblreq");
    assert!(request.body.is_empty());
    assert_eq!(request.headers.count("Via"), 1);
}

// CONFORMANCE 5118-4.3-1, 5118-4.10-1.
#[test]
fn ipv6_addresses_are_read_with_their_ports() {
    let uri = |name| request("rfc5118", name).request_uri().unwrap();
    let host_and_port = |name| (uri(name).host(), uri(name).port());
    assert_eq!(host_and_port("port-ambiguous"), (Some("2001:db8::10:5070".to_owned()), None));
    assert_eq!(host_and_port("port-unambiguous"), (Some("2001:db8::10".to_owned()), Some(5070)));
    assert_eq!(uri("ipv6-bug-abnf-3-colons").ip(), uri("ipv6-correct-abnf-2-colons").ip());
    assert!(uri("ipv6-bug-abnf-3-colons").same_address(&uri("ipv6-correct-abnf-2-colons")));
    let mapped = request("rfc5118", "ipv4-mapped-ipv6");
    let via = Via::parse(mapped.header("Via").unwrap()).unwrap();
    assert_eq!((via.host, via.port), ("[::ffff:192.0.2.10]", Some(19823)));
    assert_eq!(addresses(&mapped, "Contact")[0].uri.host().as_deref(), Some("::ffff:192.0.2.2"));
    assert!(request("rfc5118", "mult-ip-in-sdp").body.ends_with(b"H263-1998/90000\r\n"));
}
