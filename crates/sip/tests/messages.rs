//! What is a sound message, what is none and why, and that what was read is written again as it was.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use proptest::prelude::*;
use sip::typed::{self, NameAddr, Uri, Via};
use sip::{Frame, Headers, Message, Method, Request, Response, parse};

/// A sound OPTIONS with one of its rows replaced, or with rows added (`old` empty).
fn options(old: &str, new: &str) -> Vec<u8> {
    let head = "OPTIONS sip:chat.example.com SIP/2.0\r\n\
                Via: SIP/2.0/UDP client.example.com:5060;branch=z9hG4bK74bf9;rport\r\n\
                Max-Forwards: 70\r\n\
                From: Alice <sip:alice@example.com>;tag=9fxced76sl\r\n\
                To: <sip:chat.example.com>\r\n\
                Call-ID: 3848276298220188511@client.example.com\r\n\
                CSeq: 7 OPTIONS\r\n";
    let head = if old.is_empty() { format!("{head}{new}") } else { head.replacen(old, new, 1) };
    assert!(head.contains(new) && old != new);
    format!("{head}\r\n").into_bytes()
}

fn verdict(octets: &[u8]) -> String {
    match parse(octets) {
        Ok(_) => "sound".to_owned(),
        Err(malformed) => {
            assert!(malformed.request.is_some(), "{malformed:?}");
            format!("{} {}", malformed.code, malformed.reason)
        }
    }
}

fn request(octets: &[u8]) -> Request {
    match parse(octets) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// Each row: what is replaced by what (nothing: a row is added), and the verdict.
fn check(table: &[(&str, &str, &str)]) {
    for (old, new, expected) in table {
        assert_eq!(verdict(&options(old, new)), *expected, "{old:?} → {new:?}");
    }
}

// CONFORMANCE 3261-7.3.1-1. THREATS T34, CVE-2020-28361: header names with odd white space.
#[test]
fn a_header_field_name_is_a_token_with_at_most_white_space_before_the_colon() {
    check(&[
        ("", "Subject : a\r\n", "sound"),
        ("", "Subject\t:a\r\n", "sound"),
        ("Via: ", "Via : ", "sound"),
        ("Via: ", "VIA:\t", "sound"),
        ("", "Sub ject: a\r\n", "400 Bad Header Field Name"),
        ("", "Contact\u{1}: <sip:a@b>\r\n", "400 Control Character In Header Field"),
        ("", "Súbject: a\r\n", "400 Bad Header Field Name"),
        ("", ": a\r\n", "400 Bad Header Field Name"),
        ("", "Subject\r\n", "400 Bad Header Field Name"),
    ]);
}

// CONFORMANCE 3261-7-1, 3261-25.1-1. THREATS T34.
// THREATS GHSA-4h4c-qgxg-p3qv
#[test]
fn lines_end_with_cr_lf_and_hold_no_control_characters_but_quoted_ones() {
    check(&[
        ("", "Subject: a\nb: c\r\n", "400 Line Feed Without Carriage Return"),
        ("", "Subject: a\rb: c\r\n", "400 Control Character In Header Field"),
        ("", "Subject: a\0\r\n", "400 Control Character In Header Field"),
        ("", "Subject: a \"\\\u{1}\" \u{1}\r\n", "400 Control Character In Header Field"),
        ("", "Subject: \"\\\u{1}\\\0\"\r\n", "sound"),
        ("OPTIONS sip", "OPTIONS\0sip", "400 Control Character In Start Line"),
        ("SIP/2.0\r\n", "SIP/2.0\r\n Subject: a\r\n", "400 Folding Without Header Field"),
    ]);
}

// CONFORMANCE 3261-7.1-1, 3261-7.1-2.
#[test]
fn a_request_line_is_method_uri_and_version_between_single_spaces() {
    check(&[
        ("OPTIONS sip", "OPTIONS\tsip", "400 Bad Request Line"),
        ("OPTIONS sip", " OPTIONS sip", "400 Unreadable Start Line"),
        ("OPTIONS sip", "OPT{ONS sip", "400 Unreadable Start Line"),
        ("com SIP/2.0", "com", "400 Bad Request Line"),
        ("SIP/2.0", "SIP/2", "400 Bad Request Line"),
        ("SIP/2.0", "SIP/2.00", "505 Version Not Supported"),
        ("SIP/2.0", "sip/2.0", "sound"),
        ("OPTIONS sip", "options sip", "501 Not Implemented"),
        ("sip:chat.example.com SIP", "sip:chat\u{e9}.example.com SIP", "400 Unreadable Request-URI"),
        ("sip:chat.example.com SIP", "sip: SIP", "400 Unreadable Request-URI"),
        ("sip:chat.example.com SIP", "chat.example.com SIP", "400 Unreadable Request-URI"),
        ("sip:chat.example.com SIP", "im:lobby@chat.example.com SIP", "sound"),
        ("sip:chat.example.com SIP", "tel:+1-555-1234 SIP", "sound"),
    ]);
}

// CONFORMANCE 3261-7.3.1-3, 3261-7.3.1-4. THREATS T34.
#[test]
fn what_may_stand_once_is_refused_twice() {
    check(&[
        ("", "f: <sip:bob@example.com>;tag=2\r\n", "400 Repeated From"),
        ("", "t: <sip:bob@example.com>\r\n", "400 Repeated To"),
        ("", "i: other@client.example.com\r\n", "400 Repeated Call-ID"),
        ("", "CSeq: 7 OPTIONS\r\n", "400 Repeated CSeq"),
        ("", "Max-Forwards: 70\r\n", "400 Unreadable Max-Forwards"),
        ("", "Content-Type: a/b\r\nc: a/b\r\n", "400 Repeated Content-Type"),
        ("", "Content-Length: 0\r\nl: 0\r\n", "400 Repeated Content-Length"),
        ("", "Content-Length:\r\n 0\r\n", "sound"),
        ("tag=9fxced76sl", "tag=1;tag=2", "400 Unreadable From"),
        ("branch=z9hG4bK74bf9", "branch=z9hG4bKa;branch=z9hG4bKb", "400 Unreadable Via"),
        ("rport", "rport;rport", "400 Unreadable Via"),
    ]);
}

// CONFORMANCE 3261-8.1.1-1.
#[test]
fn what_every_request_has_is_asked_for() {
    check(&[
        ("Via: SIP/2.0/UDP client.example.com:5060;branch=z9hG4bK74bf9;rport\r\n", "Subject: a\r\n", "400 Missing Via"),
        ("From:", "Frm:", "400 Missing From"),
        ("To:", "Too:", "400 Missing To"),
        ("Call-ID:", "CallID:", "400 Missing Call-ID"),
        ("CSeq:", "CSec:", "400 Missing CSeq"),
        ("Max-Forwards: 70", "Subject: none", "sound"),
    ]);
}

// CONFORMANCE 3261-20-1, 3261-20.10-1, 3261-20.16-1, 3261-20.22-1, 3261-20.42-1. THREATS T34.
#[test]
fn values_keep_their_grammar() {
    check(&[
        ("CSeq: 7 ", "CSeq: 2147483647 ", "sound"),
        ("CSeq: 7 ", "CSeq: 2147483648 ", "400 Unreadable CSeq"),
        ("CSeq: 7 ", "CSeq: 7", "400 Unreadable CSeq"),
        ("CSeq: 7 ", "CSeq: -7 ", "400 Unreadable CSeq"),
        ("CSeq: 7 ", "CSeq: 7, 8 ", "400 Unreadable CSeq"),
        ("Call-ID: 3", "Call-ID: 3 3", "400 Unreadable Call-ID"),
        ("Call-ID: 3", "Call-ID: 3,3", "400 Unreadable Call-ID"),
        ("Call-ID: 3", "Call-ID: \u{e9}", "400 Unreadable Call-ID"),
        ("Max-Forwards: 70", "Max-Forwards: 256", "400 Unreadable Max-Forwards"),
        ("Max-Forwards: 70", "Max-Forwards: 0000255", "sound"),
        ("client.example.com:5060", "client.example.com:65536", "400 Unreadable Via"),
        ("client.example.com:5060", "[::1]:5060", "sound"),
        ("client.example.com:5060", "[::g]:5060", "400 Unreadable Via"),
        ("client.example.com:5060", "::1", "400 Unreadable Via"),
        ("rport", "received=[::1]", "sound"),
        ("rport", "received=\"a,b\" , SIP/2.0/TCP other.example.com", "sound"),
        ("rport\r\n", "rport,\r\n", "400 Unreadable Via"),
        ("tag=9fxced76sl", "tag=\u{e9}", "400 Unreadable From"),
        ("tag=9fxced76sl", "tag=", "400 Unreadable From"),
        ("Alice <", "\"Alice\\\" <", "400 Unreadable From"),
        ("Alice <", "Alice, Bob <", "400 Unreadable From"),
        ("Alice <sip:alice@example.com>", "sip:alice@example.com?Subject=a", "400 Unreadable From"),
        ("Alice <sip:alice@example.com>", "sip:alice@example.com", "sound"),
        ("", "Contact: *\r\n", "sound"),
        ("", "Contact: <sip:a@b>, , <sip:c@d>\r\n", "400 Unreadable Contact"),
        ("", "Contact: <sip:a@b>;;\r\n", "400 Unreadable Contact"),
        ("", "Route: *\r\n", "400 Unreadable Route"),
        ("", "Record-Route: <sip:a b>\r\n", "400 Unreadable Record-Route"),
    ]);
}

// CONFORMANCE 3261-18.3-2, 3261-20.15-1. THREATS T9, CVE-2026-45084: a body without a Content-Type.
#[test]
fn a_datagram_says_how_long_its_body_is_or_ends_with_it() {
    let with = |rows: &str, rest: &str| [options("", rows), rest.as_bytes().to_vec()].concat();
    let body = |octets: &[u8]| String::from_utf8(request(octets).body).unwrap();
    assert_eq!(body(&with("Content-Type: text/plain\r\n", "hello")), "hello");
    assert_eq!(body(&with("Content-Type: text/plain\r\nl: 4\r\n", "hello")), "hell");
    assert_eq!(body(&with("l: 0\r\n", "hello")), "");
    assert_eq!(verdict(&with("Content-Type: text/plain\r\nl: 6\r\n", "hello")), "400 Body Shorter Than Content-Length");
    assert_eq!(verdict(&with("l: 5\r\n", "hello")), "400 Missing Content-Type");
    // THREATS T9, CVE-2026-45103, CVE-2026-58268: lengths that wrap or are believed.
    for length in ["18446744073709551615", "18446744073709551616", "4294967301", "-1", "5 6", "5,5", "five"] {
        let rows = format!("Content-Type: text/plain\r\nContent-Length: {length}\r\n");
        assert_eq!(verdict(&with(&rows, "hello")), "400 Unreadable Content-Length", "{length}");
    }
    assert_eq!(body(&[b"\r\n\r\n".to_vec(), with("c: text/plain\r\n", "hello")].concat()), "hello");
}

// THREATS T9, CVE-2018-7284, CVE-2026-45538, CVE-2020-27507: many Accept rows, a long header name, a long To tag.
#[test]
fn no_message_has_more_rows_and_values_than_anybody_needs() {
    let rows = |row: &str, count: usize| verdict(&options("", &row.repeat(count)));
    assert_eq!(rows("Via: SIP/2.0/UDP a.example.com\r\n", 69), "sound");
    assert_eq!(rows("Via: SIP/2.0/UDP a.example.com\r\n", 70), "400 Too Many Via");
    assert_eq!(verdict(&options(";rport", &", SIP/2.0/UDP a.example.com".repeat(10_000))), "400 Too Many Via");
    for name in ["Contact", "Route", "Record-Route"] {
        let row = format!("{name}: <sip:a@example.com>\r\n");
        assert_eq!(rows(&row, 70), "sound");
        assert_eq!(rows(&row, 71), format!("400 Unreadable {name}"));
    }
    assert_eq!(rows("Accept: a/b\r\n", 505), "sound");
    assert_eq!(rows("Accept: a/b\r\n", 10_000), "400 Too Many Header Fields");
    assert_eq!(verdict(&options("tag=9", &format!("{}tag=9", "a;".repeat(100)))), "400 Unreadable From");
    assert_eq!(verdict(&options("", &format!("{}: a\r\n", "N".repeat(60_000)))), "sound");
    assert_eq!(
        verdict(&options("chat.example.com>", &format!("chat.example.com>;tag={}", "t".repeat(60_000)))),
        "sound"
    );
}

// CONFORMANCE 3261-7.3.3-1, 3261-7.3.1-3.
#[test]
fn compact_names_are_long_ones() {
    let octets =
        options("", "m: <sip:a@example.com>\r\nK: a, b\r\nO: conference\r\nx: 90\r\nR: <sip:b@example.com>\r\n");
    let request = request(&octets);
    assert_eq!(request.header("Contact"), Some("<sip:a@example.com>"));
    assert_eq!(request.headers.list("supported").collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!([request.header("Event"), request.header("Session-Expires")], [Some("conference"), Some("90")]);
    assert_eq!(request.header("r"), Some("<sip:b@example.com>"));
    assert!(request.encode().windows(9).any(|window| window == b"\r\nK: a, b"));
}

// CONFORMANCE 3261-7.3.1-2, 3261-8.2.6.2-1.
#[test]
fn octets_that_are_not_utf_8_are_kept_for_the_answer_and_shown_as_replaced() {
    let mut octets = options("Alice <", "\"@@@\" <");
    let at = octets.windows(3).position(|window| window == b"@@@").unwrap();
    octets.splice(at..at + 3, *b"Bj\xf6rn");
    let end = octets.len() - 2;
    octets.splice(end..end, *b"Subject: caf\xe9\r\n au lait\r\n");
    let request = request(&octets);
    assert_eq!(request.from().unwrap().display.as_deref(), Some("Bj\u{fffd}rn"));
    assert_eq!(request.from().unwrap().tag(), Some("9fxced76sl"));
    assert_eq!(request.header("Subject"), Some("caf\u{fffd} au lait"));
    let subject = request.headers.rows().last().unwrap();
    assert_eq!(subject.octets(), b"caf\xe9 au lait");
    let answer = Response::to(&request, 200, Some("t1")).encode();
    let from = b"\r\nFrom: \"Bj\xf6rn\" <sip:alice@example.com>;tag=9fxced76sl\r\n".as_slice();
    assert!(answer.windows(from.len()).any(|window| window == from));
}

// CONFORMANCE 3261-8.2.6.2-1.
#[test]
fn a_to_that_is_not_utf_8_takes_its_tag() {
    let mut octets = options("To: <", "To: @ <");
    let at = octets.windows(3).position(|window| window == b" @ ").unwrap() + 1;
    octets[at] = 0xe9;
    let answer = Response::to(&request(&octets), 200, Some("t1")).encode();
    let to = b"\r\nTo: \xe9 <sip:chat.example.com>;tag=t1\r\n".as_slice();
    assert!(answer.windows(to.len()).any(|window| window == to));
}

// CONFORMANCE 3261-8.2.6.1-1, 3261-8.2.6.2-1.
#[test]
fn an_answer_repeats_what_it_answers() {
    let octets = options(
        "",
        "v: SIP/2.0/TCP b.example.com ;branch = z9hG4bKb\r\nRecord-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n\
         Timestamp: 54\r\nSubject: not this\r\n",
    );
    let answer = |code, tag| String::from_utf8(Response::to(&request(&octets), code, tag).encode()).unwrap();
    let echoed = "Via: SIP/2.0/UDP client.example.com:5060;branch=z9hG4bK74bf9;rport\r\n\
                  v: SIP/2.0/TCP b.example.com ;branch = z9hG4bKb\r\n\
                  From: Alice <sip:alice@example.com>;tag=9fxced76sl\r\n\
                  To: <sip:chat.example.com>TAG\r\n\
                  Call-ID: 3848276298220188511@client.example.com\r\n\
                  CSeq: 7 OPTIONS\r\n";
    let tagged = echoed.replace("TAG", ";tag=t1");
    let routes = "Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n";
    assert_eq!(
        answer(100, None),
        format!("SIP/2.0 100 Trying\r\n{}Timestamp: 54\r\nContent-Length: 0\r\n\r\n", echoed.replace("TAG", ""))
    );
    assert_eq!(answer(200, Some("t1")), format!("SIP/2.0 200 OK\r\n{tagged}{routes}Content-Length: 0\r\n\r\n"));
    assert_eq!(answer(404, Some("t1")), format!("SIP/2.0 404 Not Found\r\n{tagged}Content-Length: 0\r\n\r\n"));
}

// THREATS T33.
#[test]
fn nothing_that_is_written_starts_a_row_of_its_own() {
    let evil = "x\r\nVia: SIP/2.0/UDP evil\r\n\r\nbody\0\u{85}";
    let mut request = Request::new(Method::OPTIONS, format!("sip:{evil}"));
    request.headers.push("Subject", evil);
    request.headers.push(evil.to_owned(), "value");
    request.headers.push("From", format!("{} <sip:a@b>", typed::quote(evil)));
    request.headers.push("Content-Length", "99");
    request.body = b"body".to_vec();
    let written = String::from_utf8(request.encode()).unwrap();
    let lines: Vec<_> = written.split("\r\n").collect();
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert_eq!(lines[1], "Subject: x  Via: SIP/2.0/UDP evil    body  ");
    assert_eq!(lines[3..], ["Content-Length: 4", "", "body"]);
    let mut response = Response::to(&request, 200, None);
    response.reason = evil.to_owned();
    assert!(String::from_utf8(response.encode()).unwrap().starts_with("SIP/2.0 200 x  Via: SIP/2.0/UDP evil    body "));
}

// CONFORMANCE 7118-6-1. THREATS T9.
#[test]
fn one_read_of_a_web_socket_is_one_message_or_a_ping() {
    let verdict = |octets: &[u8]| match Frame::of_one_message(octets, 400, 5) {
        Frame::Message(message) => format!("{} octets", message.encode().len()),
        Frame::Malformed { malformed, close: false } => {
            format!("{} {}", malformed.code, if malformed.request.is_some() { "to be answered" } else { "dropped" })
        }
        other => format!("{other:?}"),
    };
    assert_eq!(verdict(b"\r\n\r\n"), "Ping");
    assert_eq!(verdict(b"\r\n"), "400 dropped");
    let of = |subject: usize, body: &str| {
        let head = options("", &format!("Content-Type: text/plain\r\nSubject: {}\r\n", "s".repeat(subject)));
        [head, body.as_bytes().to_vec()].concat()
    };
    let room = 400 - (of(0, "").len() - 2);
    assert_eq!(verdict(&of(room, "hello")), "426 octets");
    assert_eq!(verdict(&of(room + 1, "hello")), "513 to be answered");
    assert_eq!(verdict(&of(room, "hello!")), "413 to be answered");
}

// CONFORMANCE 3261-19.1.4-1.
#[test]
fn uris_are_compared_by_what_they_mean() {
    let uri = |text: &str| Uri::parse(text).unwrap_or_else(|_| panic!("{text}"));
    let table = [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", true),
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false),
        ("sip:a;b@example.com", "sip:a;;b@example.com", false),
        ("sip:a%3Bb@example.com", "sip:a;b@example.com", false),
        ("sip:a%3bb@example.com", "sip:a%3Bb@example.com", true),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com", false),
        ("tel:+1-555-1234", "tel:+15551234", true),
        ("im:bob@example.com", "im:bob@example.com", true),
    ];
    for (a, b, expected) in table {
        assert_eq!(uri(a).equivalent(&uri(b)), expected, "{a} {b}");
        assert_eq!(uri(b).equivalent(&uri(a)), expected, "{b} {a}");
    }
    assert!(uri("sips:%62ob@BILOXI.com;transport=tcp").same_address(&uri("sip:bob@biloxi.com?a=b")));
    assert!(!uri("sip:a;b@example.com").same_address(&uri("sip:a@example.com")));
}

// CONFORMANCE 3261-19.1.1-1.
#[test]
fn what_is_no_uri_is_refused() {
    for text in [
        "",
        "sip",
        "sip:",
        ":a@b",
        "sip:@b",
        "sip:a@",
        "sip:a@b:port",
        "sip:a@b:65536",
        "sip:a@b:+5060",
        "sip:a b@c",
        "sip:a@b c",
        "sip:a%4@b",
        "sip:a%zz@b",
        "sip:a@b;;c",
        "sip:a@b#c",
        "sip:a@b@c",
        "sip:a@[::1",
        "sip:a@::1",
        "sip:a@[:::1]",
        "sip:<a>@b",
        "sip:a\"@b",
        "sip:a@b\u{e9}",
        "sip:a@-b",
        "sip:a@b..c",
        "1sip:a@b",
        "s p:a@b",
    ] {
        assert!(Uri::parse(text).is_err(), "{text}");
    }
    for text in
        ["sip:a:b@c", "sip:;@c", "sip:a?b@c", "sip:a@b.", "sip:a@b;lr;x=[/:&+$]", "sips:1.2.3.4", "urn:service:sos"]
    {
        assert!(Uri::parse(text).is_ok(), "{text}");
    }
}

fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9.!%*_+`'~-]{1,12}"
}

fn rows() -> impl Strategy<Value = Vec<(String, String)>> {
    // Names that decide nothing, and values of anything that does not break a line.
    proptest::collection::vec(("X-[A-Za-z0-9]{1,8}", "([ -~\u{e9}\u{4e2d}\t]{0,20})"), 0..8)
}

proptest! {
    #[test]
    fn a_request_that_is_written_is_read_as_it_was(
        method in token(), user in "[a-z0-9]{1,8}", tag in token(), branch in token(), cseq in 0_u32..1 << 31,
        display in "[ -~\u{e9}\u{4e2d}]{1,20}", rows in rows(), body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut request = Request::new(Method::new(&method).unwrap(), format!("sip:{user}@example.com"));
        request.headers.push("Via", format!("SIP/2.0/TCP h.example.com;branch=z9hG4bK{branch}"));
        request.headers.push("From", format!("{} <sip:{user}@example.com>;tag={tag}", typed::quote(&display)));
        request.headers.push("To", "<sip:room@example.com>");
        request.headers.push("Call-ID", tag.clone());
        request.headers.push("CSeq", format!("{cseq} {method}"));
        request.headers.push("Content-Type", "application/octet-stream");
        for (name, value) in rows {
            request.headers.push(name, value.trim());
        }
        request.body = body;
        let octets = request.encode();
        let mut expected = request.clone();
        expected.headers.push("Content-Length", request.body.len().to_string());
        prop_assert_eq!(parse(&octets), Ok(Message::Request(expected)));
        let read = parse(&octets).unwrap();
        prop_assert_eq!(read.encode(), octets);
        prop_assert_eq!(request.from().unwrap().display, Some(display));
        prop_assert_eq!(typed::tag(request.header("From").unwrap()), Some(tag.as_str()));
        prop_assert!(NameAddr::parse(request.header("From").unwrap()).is_ok());
    }

    #[test]
    fn what_was_read_is_read_the_same_when_written_again(
        at in 0..600_usize, splice in proptest::collection::vec(any::<u8>(), 0..6), cut in 0..4_usize,
    ) {
        let mut octets = options("", "Subject: a\r\n b\r\nContact: \"a\" <sip:a@b>;q=0.3, *\r\n");
        let at = at.min(octets.len());
        octets.splice(at..(at + cut).min(octets.len()), splice);
        if let Ok(message) = parse(&octets) {
            let again = message.encode();
            let read = parse(&again).unwrap();
            prop_assert_eq!(read.encode(), again);
        }
    }

    #[test]
    fn no_octets_are_too_odd_for_any_reader(text in ".{0,60}", octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&octets);
        let _ = (NameAddr::parse(&text), Uri::parse(&text), Via::parse(&text), typed::tag(&text));
        prop_assert_eq!(typed::unquote(&typed::quote(&text.replace(char::is_control, "?"))), text.replace(char::is_control, "?"));
        let elements: Vec<_> = typed::split_list(&text).collect();
        prop_assert!(!elements.is_empty());
        let mut headers = Headers::default();
        headers.push("Subject", text);
        prop_assert!(headers.get("s").is_some_and(|value| !value.contains(['\r', '\n', '\0'])));
    }
}
