//! Bodies of several parts (RFC 2046, RFC 5621).

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::io::Read as _;

use proptest::prelude::*;
use sip::multipart::{NotUnderstood, Part, write};
use sip::typed::{Disposition, MediaType};
use sip::{Headers, Message, parse};

fn headers(content_type: &str) -> Headers {
    let mut headers = Headers::default();
    headers.push("Content-Type", content_type.to_owned());
    headers
}

/// The parts in brackets, each with type, disposition and octets.
fn tell(part: &Part<'_>) -> String {
    let within: Vec<_> = part.parts.iter().map(tell).collect();
    let about = format!("{} {}", part.media_type.essence, part.disposition.kind);
    if part.media_type.is_multipart() {
        format!("[{about}: {}]", within.join(", "))
    } else {
        format!("{about} {:?}", String::from_utf8_lossy(part.octets))
    }
}

fn read(content_type: &str, body: &str) -> String {
    let headers = headers(content_type);
    match Part::of_message(&headers, body.as_bytes()) {
        Ok(Some(part)) => tell(&part),
        Ok(None) => "nothing".to_owned(),
        Err(error) => error.to_string(),
    }
}

// CONFORMANCE 5621-4.2-1, 5621-8.1-1.
#[test]
fn the_parts_of_a_body_are_told_apart() {
    let table = [
        ("text/plain", "hello", r#"text/plain render "hello""#),
        ("application/sdp", "v=0", r#"application/sdp session "v=0""#),
        ("text/plain", "", "nothing"),
        (
            "multipart/mixed;boundary=\"boundary1\"",
            "--boundary1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--boundary1\r\n\
             Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n<l/>\r\n--boundary1--",
            r#"[multipart/mixed render: application/sdp session "v=0\r\n", application/resource-lists+xml recipient-list "<l/>"]"#,
        ),
        // RFC 2046 §5.1.1: text before and behind, parts without header fields, or without a body.
        (
            "MULTIPART/Mixed ; Boundary=\"simple boundary\"",
            "preamble --simple boundary\r\n--simple boundary\r\n\r\nno line break\r\n--simple boundary \t\r\n\
             Content-type: text/html\r\n\r\none\r\n\r\n--simple boundary--  \r\nepilogue\r\n--simple boundary\r\n",
            r#"[multipart/mixed render: text/plain render "no line break", text/html render "one\r\n"]"#,
        ),
        (
            "multipart/mixed;boundary=b",
            "--b\r\n--b\r\n\r\n--b\r\nContent-Type: a/b\r\n--b\r\nContent-Type: c/d\r\n\r\n\r\n--b--",
            r#"[multipart/mixed render: text/plain render "", text/plain render "", a/b render "", c/d render ""]"#,
        ),
        (
            "multipart/digest;boundary=b",
            "--b\r\n\r\nx\r\n--b--\r\n",
            r#"[multipart/digest render: message/rfc822 render "x"]"#,
        ),
        // Unknown kinds are read as mixed ones; nested ones too.
        (
            "multipart/unheard-of;boundary=a",
            "--a\r\nContent-Type: multipart/alternative;\r\n boundary=c\r\n\r\n--c\r\n\r\n1\r\n--c\r\n\r\n2\r\n--c--\r\n\
             --a\r\n\r\n3\r\n--a--\r\n",
            r#"[multipart/unheard-of render: [multipart/alternative render: text/plain render "1", text/plain render "2"], text/plain render "3"]"#,
        ),
        // Hyphens and lines that only begin alike.
        (
            "multipart/mixed;boundary=\"-\"",
            "---\r\n\r\n--\r\n-\r\n-- -\r\n-----\r\n",
            r#"[multipart/mixed render: text/plain render "--\r\n-\r\n-- -"]"#,
        ),
    ];
    for (content_type, body, expected) in table {
        assert_eq!(read(content_type, body), expected, "{body:?}");
    }
}

// CONFORMANCE 5621-4.2-2. THREATS CVE-2026-45705, CVE-2026-45084: a boundary out of bounds, a body without a Content-Type.
// THREATS 8f7b0b04
#[test]
fn what_two_readers_could_split_differently_is_refused() {
    let long = "b".repeat(71);
    let (long_type, long_body) = (format!("multipart/mixed;boundary={long}"), format!("--{long}\r\n\r\n--{long}--"));
    let table = [
        ("multipart/mixed", "--b\r\n\r\n--b--"),
        ("multipart/mixed;boundary=\"\"", "--\r\n\r\n----"),
        ("multipart/mixed;boundary=\"b \"", "--b \r\n\r\n--b --"),
        ("multipart/mixed;boundary=\"b\\\"\"", "--b\"\r\n\r\n--b\"--"),
        ("multipart/mixed;boundary=b;boundary=c", "--b\r\n\r\n--b--"),
        (long_type.as_str(), long_body.as_str()),
        ("multipart/mixed;boundary=b", "-"),
        ("multipart/mixed;boundary=b", "--b"),
        ("multipart/mixed;boundary=b", "--b--"),
        ("multipart/mixed;boundary=b", "--b\r"),
        ("multipart/mixed;boundary=b", "--b\r\n"),
        ("multipart/mixed;boundary=b", "--b\r\n\r\nno end"),
        ("multipart/mixed;boundary=b", "--b\r\n\r\nno end\r\n--b-"),
        ("multipart/mixed;boundary=b", "--b\r\n\r\nlonger\r\n--bb\r\n--b--"),
        ("multipart/mixed;boundary=b", "--b\r\n\r\nend?\r\n--b--b\r\n--b--"),
        ("multipart/mixed;boundary=b", "--b\n\nbare\n--b--\n"),
        ("multipart/mixed;boundary=b", "--b\r\nContent-Type: a/b\n\r\nbare\r\n--b--"),
        ("multipart/mixed;boundary=b", "--b\r\nno empty line\r\n--b--"),
        ("multipart/mixed;boundary=b", "--b\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n\r\n\r\n--b--"),
        ("multipart/mixed;boundary=b", "--b\r\nContent-Type: a\r\n\r\n\r\n--b--"),
        ("multipart/mixed;boundary=b", "--b\r\nContent-Disposition: ;handling=optional\r\n\r\n\r\n--b--"),
        ("multipart", "x"),
    ];
    for (content_type, body) in table {
        let told = read(content_type, body);
        assert!(told.starts_with("unreadable"), "{content_type} {body:?}: {told}");
    }
    assert!(Part::of_message(&Headers::default(), b"x").is_err());
}

// CONFORMANCE 5621-4.2-2. THREATS T9.
// THREATS d7a7f22b
#[test]
fn parts_are_bounded_in_number_and_depth() {
    let many = |count: usize| read("multipart/mixed;boundary=b", &format!("{}--b--", "--b\r\n\r\nx\r\n".repeat(count)));
    assert!(many(63).starts_with("[multipart/mixed"));
    assert_eq!(many(64), "unreadable multipart body");
    assert_eq!(many(100_000), "unreadable multipart body");
    let nested = |depth: usize| {
        let mut body = "x".to_owned();
        for level in (2..=depth).rev() {
            body = format!(
                "--l{level}\r\nContent-Type: multipart/mixed;boundary=l{}\r\n\r\n{body}\r\n--l{level}--",
                level + 1
            );
        }
        body = body.replacen(&format!("multipart/mixed;boundary=l{}", depth + 1), "text/plain", 1);
        read("multipart/mixed;boundary=l2", &body)
    };
    assert!(nested(4).starts_with("[multipart/mixed"), "{}", nested(4));
    assert_eq!(nested(5), "unreadable multipart body");
}

// CONFORMANCE 5621-3.2-1.
#[test]
fn binary_parts_keep_every_octet() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torture/rfc4475/mpart01.dat");
    let mut octets = Vec::new();
    #[allow(clippy::disallowed_methods, reason = "a test may read a file")]
    std::fs::File::open(path).unwrap().read_to_end(&mut octets).unwrap();
    let Ok(Message::Request(request)) = parse(&octets) else { panic!("a sound request") };
    let body = Part::of_message(&request.headers, &request.body).unwrap().unwrap();
    let [text, signature] = &body.parts[..] else { panic!("two parts") };
    assert_eq!((text.octets, text.media_type.essence.as_str()), (b"Hello".as_slice(), "text/plain"));
    // A DER sequence says its own length.
    assert_eq!(signature.octets[..4], [0x30, 0x82, 0x01, 0x52]);
    assert_eq!(signature.octets.len(), 4 + 0x152);
    assert_eq!(signature.decoded().unwrap(), signature.octets);
}

// CONFORMANCE 5621-3.2-1.
#[test]
fn transfer_encodings_are_undone_where_known() {
    let decoded = |encoding: &str, body: &str| {
        let mut headers = headers("text/plain");
        headers.push("Content-Transfer-Encoding", encoding.to_owned());
        let part = Part::of_message(&headers, body.as_bytes()).unwrap().unwrap();
        part.decoded().map(|octets| String::from_utf8(octets.into_owned()).unwrap()).map_err(|error| error.to_string())
    };
    assert_eq!(decoded("BASE64", "aGVs\r\nbG8=\r\n").as_deref(), Ok("hello"));
    assert_eq!(decoded("8bit", "aGVs").as_deref(), Ok("aGVs"));
    assert!(decoded("base64", "aGVs*").is_err());
    assert!(decoded("quoted-printable", "=41").is_err());
}

/// Understands plain text and SDP sessions.
fn understands(media_type: &MediaType, disposition: &Disposition) -> bool {
    media_type.is("text/plain") && disposition.kind == "render"
        || media_type.is("application/sdp") && disposition.kind == "session"
}

fn chosen(content_type: &str, body: &str) -> Result<Vec<String>, NotUnderstood> {
    let headers = headers(content_type);
    let part = Part::of_message(&headers, body.as_bytes()).unwrap().unwrap();
    let octets = |parts: Vec<&Part<'_>>| parts.iter().map(|part| String::from_utf8_lossy(part.octets).into()).collect();
    part.chosen(&understands).map(octets)
}

// CONFORMANCE 5621-4.3-1, 5621-6.1-1, 5621-7.3-1, 5621-8.3-1, 5621-8.4-1, 5621-9.4-1.
#[test]
fn what_is_understood_is_chosen_and_what_is_required_must_be() {
    let part = |rows: &str, octets: &str| format!("--b\r\n{rows}\r\n\r\n{octets}\r\n");
    let text = part("Content-Type: text/plain", "text");
    let html = part("Content-Type: text/html", "html");
    let optional = part("Content-Type: text/html\r\nContent-Disposition: render;handling=OPTIONAL", "html");
    let sdp = part("Content-Type: application/sdp", "sdp");
    let of = |kind: &str, parts: &[&String]| {
        let parts: String = parts.iter().map(|part| part.as_str()).collect();
        chosen(&format!("multipart/{kind};boundary=b"), &format!("{parts}--b--"))
    };
    let took = |octets: &[&str]| Ok(octets.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    assert_eq!(of("mixed", &[&text, &sdp]), took(&["text", "sdp"]));
    assert_eq!(of("mixed", &[&text, &html, &sdp]), Err(NotUnderstood));
    assert_eq!(of("mixed", &[&text, &optional, &sdp]), took(&["text", "sdp"]));
    assert_eq!(of("mixed", &[&optional]), took(&[]));
    assert_eq!(of("related", &[&sdp, &text]), took(&["sdp", "text"]));
    assert_eq!(of("alternative", &[&text, &sdp, &html]), took(&["sdp"]));
    assert_eq!(of("alternative", &[&text, &html]), took(&["text"]));
    assert_eq!(of("alternative", &[&optional, &html]), Err(NotUnderstood));
    let elsewhere = part("Content-Type: text/plain\r\nContent-Disposition: by-reference\r\nContent-ID: <l@a>", "list");
    assert_eq!(of("mixed", &[&text, &elsewhere]), Err(NotUnderstood));

    let nested = |handling: &str, within: &str| {
        let inner = within.replace("--b", "--c");
        let rows =
            format!("Content-Type: multipart/mixed;boundary=c\r\nContent-Disposition: render;handling={handling}");
        format!("{}{text}--b--", part(&rows, &format!("{inner}--c--")))
    };
    let mixed = "multipart/mixed;boundary=b";
    assert_eq!(chosen(mixed, &nested("required", &sdp)), took(&["sdp", "text"]));
    assert_eq!(chosen(mixed, &nested("required", &html)), Err(NotUnderstood));
    assert_eq!(chosen(mixed, &nested("optional", &format!("{sdp}{html}"))), took(&["text"]));
}

// CONFORMANCE 5621-9.1-1.
#[test]
fn parts_are_found_by_type_and_by_content_id() {
    let headers = headers("multipart/mixed;boundary=b");
    let body = b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b\r\nContent-Type: a/b\r\nContent-ID: <x@y>\r\n\r\nlist\r\n--b--";
    let body = Part::of_message(&headers, body).unwrap().unwrap();
    assert_eq!(body.find("Application/SDP").map(|part| part.octets), Some(b"v=0".as_slice()));
    let named: Vec<_> = body.all().filter(|part| part.content_id() == Some("x@y")).map(|part| part.octets).collect();
    assert_eq!(named, [b"list"]);
    assert!(body.find("text/plain").is_none());
}

#[test]
fn a_boundary_that_stands_within_a_part_is_refused() {
    let parts = |text: &'static str| [(headers("text/plain"), text.as_bytes())];
    assert!(write("mixed", "b1", &parts("ab1c")).is_none());
    assert!(write("mixed", "b1 ", &parts("x")).is_none());
    assert!(write("mixed", "", &parts("x")).is_none());
    assert!(write("mixed", "b1", &[]).is_none());
    let body = write("mixed", "b1", &parts("x")).unwrap();
    assert_eq!(body.content_type, "multipart/mixed;boundary=\"b1\"");
    assert_eq!(body.octets, b"--b1\r\nContent-Type: text/plain\r\n\r\nx\r\n--b1--\r\n");
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        boundary in "[a-zA-Z0-9'()+_,./:=?-]{8,70}",
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..6),
    ) {
        let parts: Vec<_> = bodies.iter().map(|body| (headers("a/b"), body.as_slice())).collect();
        let body = write("mixed", &boundary, &parts).unwrap();
        let outer = headers(&body.content_type);
        let read = Part::of_message(&outer, &body.octets).unwrap().unwrap();
        let octets: Vec<_> = read.parts.iter().map(|part| part.octets.to_vec()).collect();
        prop_assert_eq!(octets, bodies);
    }

    #[test]
    fn no_body_is_too_odd(
        pieces in proptest::collection::vec(prop_oneof![
            Just("--b"), Just("--b--"), Just("\r\n"), Just("\n"), Just("Content-Type: multipart/mixed;boundary=b"),
            Just("Content-Type: multipart/mixed;boundary=bb"), Just("--bb"), Just("--bb--"), Just("x")], 0..40),
    ) {
        let headers = headers("multipart/mixed;boundary=b");
        if let Ok(Some(part)) = Part::of_message(&headers, pieces.concat().as_bytes()) {
            let _ = part.chosen(&understands);
            prop_assert!(part.all().count() <= 64);
        }
    }
}
