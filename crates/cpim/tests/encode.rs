//! New messages, to the octet.

mod common;

use common::{crlf, uris, whole};
use cpim::{Message, Party};

fn message(from: Party<'_>) -> String {
    let message = Message {
        from,
        to: Party::new("sip:lobby@chat.example.com"),
        date_time: None,
        subject: None,
        content_type: "text/plain",
        content: b"",
    };
    String::from_utf8(message.encode()).expect("a message without content is text")
}

// CONFORMANCE 3862-004, 3862-006, 3862-010, 3862-027, 3862-031
#[test]
fn a_message_has_its_headers_each_on_a_line_with_one_space() {
    let message = Message {
        from: Party { name: Some("The lobby"), uri: "sip:lobby@chat.example.com" },
        to: Party::new("sip:alice@example.com"),
        date_time: Some("2026-03-02T15:02:31-03:00"),
        subject: Some("Welcome \\o/"),
        content_type: "text/plain; charset=utf-8",
        content: "Grüße\r\n".as_bytes(),
    };
    let expected = crlf(
        "From: \"The lobby\" <sip:lobby@chat.example.com>
To: <sip:alice@example.com>
DateTime: 2026-03-02T15:02:31-03:00
Subject: Welcome \\\\o/

Content-Type: text/plain; charset=utf-8

Grüße
",
    );
    assert_eq!(message.encode(), expected);
}

// CONFORMANCE 3862-009, 3862-015, THREATS T33
#[test]
fn a_name_stays_in_its_header() {
    for name in ["x\r\nFrom: <sip:b@d>", "\" <sip:b@d", "\\", "\\\" <sip:b@d> \"", "\0\u{7f}\t", "", " "] {
        let text = message(Party { name: Some(name), uri: "sip:a@d" });
        let head = whole(text.as_bytes());
        assert_eq!(uris(&head.from), ["sip:a@d"], "{text}");
        let kept = head.from[0].display_name();
        assert!(kept.is_none() || kept.as_deref() == Some(name), "{text}");
    }
}

#[test]
fn a_name_that_holds_an_address_is_left_out() {
    let text = message(Party { name: Some("Bob <sip:b@d>"), uri: "sip:a@d" });
    assert!(text.starts_with("From: <sip:a@d>\r\n"), "{text}");
    let text = message(Party { name: Some("I <3 U"), uri: "sip:a@d" });
    assert!(text.starts_with("From: \"I <3 U\" <sip:a@d>\r\n"), "{text}");
}

// THREATS T33
#[test]
fn a_uri_stays_in_its_brackets() {
    let text = message(Party::new("sip:a b\\\"<x>\r\n\u{7f}é@d"));
    assert!(text.starts_with("From: <sip:a%20b%5C%22%3Cx%3E%0D%0A%7Fé@d>\r\n"), "{text}");
}

// THREATS T33
#[test]
fn the_other_fields_stay_in_their_lines() {
    let message = Message {
        from: Party::new("sip:a@d"),
        to: Party::new("sip:r@d"),
        date_time: Some("now\r\nFrom: <sip:b@d>"),
        subject: Some("a\r\nFrom: <sip:b@d>"),
        content_type: "text/plain\r\nX: y",
        content: b"content",
    };
    let octets = message.encode();
    let head = whole(&octets);
    assert_eq!(uris(&head.from), ["sip:a@d"]);
    assert_eq!(head.date_time, Some("nowFrom: <sip:b@d>"));
    assert_eq!(head.content_type, "text/plainX: y");
    assert_eq!(&octets[head.content_at..], b"content");
}
