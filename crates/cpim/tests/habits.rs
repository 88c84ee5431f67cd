//! What peers in use write, each named after who writes it.

mod common;

use common::{crlf, uris, whole};

// INTEROP, Blink and SIP SIMPLE SDK
#[test]
fn sipsimple_ends_content_headers_in_a_bare_line_feed() {
    let octets = b"From: \"Alice\" <sip:alice@example.com>\r\n\
        To: <sip:lobby@chat.example.com>\r\n\
        DateTime: 2026-03-02T15:02:31.123456+00:00\r\n\
        \r\n\
        Content-Type: text/plain; charset=\"utf8\"\n\
        Content-Transfer-Encoding:\n\
        \n\
        Hello";
    let head = whole(octets);
    assert_eq!(uris(&head.from), ["sip:alice@example.com"]);
    assert_eq!(head.content_type, "text/plain; charset=\"utf8\"");
    assert_eq!(head.media_type(), "text/plain");
    assert_eq!(&octets[head.content_at..], b"Hello");
}

// INTEROP, Blink and SIP SIMPLE SDK
#[test]
fn sipsimple_ends_its_lines_in_either_way() {
    for end in ["\n", "\r\n"] {
        for last in ["\n", "\r\n"] {
            let text = format!(
                "From: <sip:a@d>\r\n\r\nContent-Transfer-Encoding: {end}Content-Type: text/html{end}{last}Hello"
            );
            let head = whole(text.as_bytes());
            assert_eq!(head.media_type(), "text/html");
            assert_eq!(&text[head.content_at..], "Hello");
        }
    }
}

// INTEROP, Java stacks; DESIGN D38
#[test]
fn java_stacks_write_addresses_without_angle_brackets() {
    let octets = crlf(
        "From: sip:alice@example.com\nTo: sip:lobby@chat.example.com;transport=tcp\n\nContent-type: text/plain\n\nx",
    );
    let head = whole(&octets);
    assert_eq!(uris(&head.from), ["sip:alice@example.com"]);
    assert_eq!(uris(&head.to), ["sip:lobby@chat.example.com;transport=tcp"]);
    assert_eq!(head.from[0].display_name(), None);
    for value in ["sip:", ":a", "1sip:a@d", "a@d", "sip:a@d>", "sip:a b", "sip:\"a\"@d", "si_p:a@d"] {
        assert_eq!(cpim::parse_head(&crlf(&format!("From: {value}\n"))), Err(cpim::Error::Address), "{value}");
    }
}

// INTEROP, RCS stacks
#[test]
fn rcs_stacks_add_namespaces_of_their_own() {
    let octets = crlf(
        "From: <sip:anonymous@anonymous.invalid>
To: <sip:anonymous@anonymous.invalid>
NS: imdn <urn:ietf:params:imdn>
imdn.Message-ID: Msg34jk324j
DateTime: 2026-03-02T15:02:31.000Z
imdn.Disposition-Notification: positive-delivery, display

Content-Type: application/im-iscomposing+xml
Content-Length: 5

<a/>\n",
    );
    let head = whole(&octets);
    assert_eq!(uris(&head.to), ["sip:anonymous@anonymous.invalid"]);
    assert_eq!(head.media_type(), "application/im-iscomposing+xml");
    assert_eq!(&octets[head.content_at..], b"<a/>\r\n");
}

// INTEROP, Blink and SIP SIMPLE SDK
#[test]
fn otr_openings_are_content_like_any_other() {
    let octets = crlf("From: <sip:a@d>\nTo: <sip:r@d>\n\nContent-Type: text/plain\n\n?OTRv3? I would like to start");
    assert!(octets[whole(&octets).content_at..].starts_with(b"?OTRv3?"));
}
