//! Heads as they come: what is read of them, and where the content begins.

mod common;

use common::{crlf, error, uris, whole};
use cpim::{Address, Error, MAX_HEAD, parse_head};

/// The example of RFC 3862 §5.1.
const PIGLET: &str = "\
From: MR SANDERS <im:piglet@100akerwood.com>
To: Depressed Donkey <im:eeyore@100akerwood.com>
DateTime: 2000-12-13T13:40:00-08:00
Subject: the weather will be fine today
Subject:;lang=fr beau temps prevu pour aujourd'hui
NS: MyFeatures <mid:MessageFeatures@id.foo.com>
Require: MyFeatures.VitalMessageOption
MyFeatures.VitalMessageOption: Confirmation-requested
MyFeatures.WackyMessageOption: Use-silly-font

Content-type: text/xml; charset=utf-8
Content-ID: <1234567890@foo.com>

<body>
Here is the text of my message.
</body>
";

/// The example of RFC 7701 §9.3, F1: one block of headers.
const ALICE: &str = "\
To: <sip:chatroom22@chat.example.com;transport=tcp>
From: <sip:alice@atlanta.example.com>
DateTime: 2009-03-02T15:02:31-03:00
Content-Type: text/plain

Hello guys, how are you today?";

/// The part of the octets behind the head.
fn content(octets: &[u8]) -> &[u8] {
    &octets[whole(octets).content_at..]
}

// CONFORMANCE 3862-001, 3862-012, 3862-018, 3862-020
#[test]
fn the_example_of_rfc_3862_is_read() {
    let octets = crlf(PIGLET);
    let head = whole(&octets);
    assert_eq!(head.from, [Address { name: Some("MR SANDERS"), uri: "im:piglet@100akerwood.com" }]);
    assert_eq!(head.to, [Address { name: Some("Depressed Donkey"), uri: "im:eeyore@100akerwood.com" }]);
    assert!(head.cc.is_empty());
    assert_eq!(head.date_time, Some("2000-12-13T13:40:00-08:00"));
    assert_eq!(head.require, ["MyFeatures.VitalMessageOption"]);
    assert_eq!(head.content_type, "text/xml; charset=utf-8");
    assert_eq!(head.media_type(), "text/xml");
    assert!(octets[head.content_at..].starts_with(b"<body>\r\nHere"));
}

// DESIGN D40
#[test]
fn the_one_block_of_the_examples_of_rfc_7701_is_read() {
    let octets = crlf(ALICE);
    let head = whole(&octets);
    assert_eq!(uris(&head.to), ["sip:chatroom22@chat.example.com;transport=tcp"]);
    assert_eq!(uris(&head.from), ["sip:alice@atlanta.example.com"]);
    assert_eq!(head.media_type(), "text/plain");
    assert_eq!(content(&octets), b"Hello guys, how are you today?");
}

#[test]
fn where_the_message_headers_hold_a_content_type_no_second_block_is_looked_for() {
    let octets = crlf("From: <sip:a@d>\nTo: <sip:r@d>\nContent-Type: text/plain\n\nContent-Type: text/html\n\nx");
    assert_eq!(whole(&octets).media_type(), "text/plain");
    assert_eq!(content(&octets), b"Content-Type: text/html\r\n\r\nx");
}

// CONFORMANCE 3862-034
#[test]
fn the_content_may_be_empty_and_may_be_any_octets() {
    let head = crlf("From: <sip:a@d>\n\nContent-Type: x/y\n\n");
    assert_eq!(content(&head), b"");
    let octets = [&head[..], b"\0\xff\r\n\r\nFrom: <sip:b@d>\r\n"].concat();
    assert_eq!(whole(&octets).from.len(), 1);
    assert_eq!(content(&octets), b"\0\xff\r\n\r\nFrom: <sip:b@d>\r\n");
}

// CONFORMANCE 3862-004, 3862-007, 3862-008, 3862-009, 3862-010, 3862-018, 3862-026
#[test]
fn what_is_no_head_is_refused_with_its_reason() {
    let table: &[(&[u8], Error)] = &[
        (b"From: <sip:a@d>\nTo: <sip:r@d>\r\n", Error::BareLineFeed),
        (b"\n", Error::BareLineFeed),
        (b"Subject: a\0b\r\n", Error::Control),
        (b"From: <sip:a\x1b[2J@d>\r\n", Error::Control),
        (b"Subject: a\tb\r\n", Error::Control),
        (b"Subject: a\x7fb\r\n", Error::Control),
        (b"Subject: a\rFrom: <sip:b@d>\r\n", Error::Control),
        (b"From: <sip:a@d>\r\r\n", Error::Control),
        (b"Subject: a\r\n b\r\n", Error::Folded),
        (b" From: <sip:a@d>\r\n", Error::Folded),
        (b"From: <sip:\xff@d>\r\n", Error::NotUtf8),
        // A slash in two octets, half of a surrogate pair, and a form of five octets.
        (b"X: \xc0\xaf\r\n", Error::NotUtf8),
        (b"X: \xed\xa0\x80\r\n", Error::NotUtf8),
        (b"X: \xf8\x88\x80\x80\x80\r\n", Error::NotUtf8),
        (b"hello\r\n", Error::NotAHeader),
        (b": x\r\n", Error::NotAHeader),
        (b"From : <sip:a@d>\r\n", Error::NotAHeader),
        (b"\xef\xbb\xbfFrom: <sip:a@d>\r\n", Error::NotAHeader),
        (b"Fr(o)m: <sip:a@d>\r\n", Error::NotAHeader),
        (b"From:;lang <sip:a@d>\r\n", Error::Parameter),
        (b"From:;lang=\"de <sip:a@d>\r\n", Error::Parameter),
        (b"From:;=de <sip:a@d>\r\n", Error::Parameter),
        (b"NS: MyFeatures\r\n", Error::Namespace),
        (b"NS: <urn:x\r\n", Error::Namespace),
        (b"NS: a.b <urn:x>\r\n", Error::Namespace),
        (b"NS: a b <urn:x>\r\n", Error::Namespace),
        (b"DateTime: 1\r\nDateTime: 2\r\n", Error::Duplicate),
        (b"Content-Type: a/b\r\nContent-type: c/d\r\n", Error::Duplicate),
        (b"Content-Type: \r\n\r\n", Error::NoContentType),
        (b"From: <sip:a@d>\r\n\r\n\r\n", Error::NoContentType),
        (b"From: <sip:a@d>\r\n\r\nContent-ID: <1>\r\n\r\n", Error::NoContentType),
        (b"From: <sip:a@d>\r\n\r\nContent-Type:\r\n\r\n", Error::NoContentType),
        (b"From: <sip:a@d>\r\n\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n", Error::Duplicate),
        (b"From: <sip:a@d>\r\n\r\n folded\r\n", Error::Folded),
        (b"From: <sip:a@d>\r\n\r\nhello\r\n", Error::NotAHeader),
        (b"From: <sip:a@d>\r\n\r\nContent-Type: a\0/b\r\n", Error::Control),
        (b"From: <sip:a@d>\r\n\r\nContent-Type: a/b; c=\xff\r\n", Error::NotUtf8),
    ];
    for (octets, expected) in table {
        assert_eq!(parse_head(octets), Err(*expected), "{}", octets.escape_ascii());
    }
}

// CONFORMANCE 3862-011, 3862-027, 3862-030
#[test]
fn names_of_headers_count_with_their_case() {
    let octets = crlf(
        "from: <sip:a@d>\nFROM: <sip:a@d>\nTO: <sip:r@d>\nCC: <sip:c@d>\nCc: x\ndatetime: 1\n\nContent-Type: a/b\n\n",
    );
    let head = whole(&octets);
    assert!(head.from.is_empty() && head.to.is_empty() && head.cc.is_empty() && head.date_time.is_none());
}

// CONFORMANCE 3862-018
#[test]
fn the_content_type_is_found_in_any_case() {
    for name in ["Content-Type", "content-type", "CONTENT-TYPE", "Content-type"] {
        for text in [
            format!("{name}: Text/Plain\n\n"),
            format!("\n{name}: Text/Plain\n\n"),
            format!("\n{name} : Text/Plain\n\n"),
        ] {
            assert_eq!(whole(&crlf(&text)).media_type(), "Text/Plain", "{text:?}");
        }
    }
}

// CONFORMANCE 3862-029, 3862-030
#[test]
fn several_recipients_stand_in_headers_of_their_own() {
    let octets = crlf(
        "From: <sip:a@d>\nTo: <sip:b@d>\ncc: <sip:x@d>\nTo: Carol <sip:c@d>\ncc: Y <sip:y@d>\n\nContent-Type: a/b\n\n",
    );
    let head = whole(&octets);
    assert_eq!(uris(&head.to), ["sip:b@d", "sip:c@d"]);
    assert_eq!(uris(&head.cc), ["sip:x@d", "sip:y@d"]);
    for list in
        ["To: <sip:b@d>, <sip:c@d>\n", "To: sip:b@d, sip:c@d\n", "To: sip:b@d,sip:c@d\n", "cc: <sip:b@d> <sip:c@d>\n"]
    {
        assert_eq!(error(&crlf(list)), Error::Address, "{list:?}");
    }
}

// CONFORMANCE 3862-028
#[test]
fn an_address_is_a_name_and_a_uri_in_brackets() {
    let table: &[(&str, Option<&str>, &str)] = &[
        ("<sip:a@d>", None, "sip:a@d"),
        ("Alice <sip:a@d>", Some("Alice"), "sip:a@d"),
        ("Alice  de   Bois <sip:a@d>", Some("Alice  de   Bois"), "sip:a@d"),
        ("Alice<sip:a@d>", Some("Alice"), "sip:a@d"),
        ("\"Alice\" <sip:a@d>", Some("Alice"), "sip:a@d"),
        ("\"Alice\"<sip:a@d>", Some("Alice"), "sip:a@d"),
        ("\"\" <sip:a@d>", Some(""), "sip:a@d"),
        (r#""I <3 \"U\"" <sip:a@d>"#, Some("I <3 \"U\""), "sip:a@d"),
        (r"A\u0042 <sip:a@d>", Some("AB"), "sip:a@d"),
        ("Алиса <sip:a@d>", Some("Алиса"), "sip:a@d"),
        // What is no URI is for the reader to find out: it is no participant.
        ("<>", None, ""),
        ("<nobody>", None, "nobody"),
        ("<tel:+1-555>", None, "tel:+1-555"),
    ];
    for (value, name, uri) in table {
        let octets = crlf(&format!("From: {value}\n\nContent-Type: a/b\n\n"));
        let head = whole(&octets);
        assert_eq!(head.from.len(), 1, "{value}");
        assert_eq!(head.from[0].display_name().as_deref(), *name, "{value}");
        assert_eq!(head.from[0].uri, *uri, "{value}");
    }
    for value in [
        "",
        "Alice",
        "<sip:a@d",
        "sip:a@d>",
        "<sip:a@d> Alice",
        "\"Alice <sip:a@d>",
        "\"Alice\" x <sip:a@d>",
        "Alice sip:a@d",
    ] {
        assert_eq!(error(&crlf(&format!("From: {value}\n"))), Error::Address, "{value}");
    }
}

// CONFORMANCE 3862-006, 3862-010, DESIGN D37
#[test]
fn any_number_of_spaces_may_follow_the_colon_and_end_the_line() {
    for spaces in ["", " ", "   "] {
        let octets = crlf(&format!(
            "From:{spaces}<sip:a@d>{spaces}\nDateTime:{spaces}now{spaces}\n\nContent-Type:{spaces}a/b{spaces}\n\n"
        ));
        let head = whole(&octets);
        assert_eq!((head.from[0].uri, head.date_time, head.content_type), ("sip:a@d", Some("now"), "a/b"));
    }
}

// CONFORMANCE 3862-020
#[test]
fn a_language_may_stand_before_the_value() {
    for parameters in [";lang=fr", ";lang=fr-CA;x=1", ";x=\"a b\\\" c\"", ";x=\"\";lang=i-default", ";lang=中"] {
        let octets =
            crlf(&format!("Subject:{parameters} Objet\nFrom:{parameters} Alice <sip:a@d>\n\nContent-Type: a/b\n\n"));
        assert_eq!(whole(&octets).from, [Address { name: Some("Alice"), uri: "sip:a@d" }], "{parameters}");
    }
}

// CONFORMANCE 3862-012, 3862-019
#[test]
fn a_header_that_means_nothing_here_may_hold_anything() {
    let octets = crlf(
        "X-Y: ;;=<<>\"\na.b.c: From: <sip:b@d>\n.From: <sip:b@d>\nFrom.: <sip:b@d>\nSubject:;lang x\nFrom: <sip:a@d>\n\n\
         X: y\nContent-Type: a/b\n\n",
    );
    assert_eq!(uris(&whole(&octets).from), ["sip:a@d"]);
}

// CONFORMANCE 3862-025, DESIGN D24
#[test]
fn required_features_are_listed_as_they_stand_there() {
    let octets =
        crlf("NS: F <urn:f>\nRequire: F.One,F.Two , Three\nRequire: ,,\nRequire: From\n\nContent-Type: a/b\n\n");
    assert_eq!(whole(&octets).require, ["F.One", "F.Two", "Three", "From"]);
}

// CONFORMANCE 3862-022, 3862-023, 3862-024, DESIGN D23
#[test]
fn headers_count_where_their_namespace_is_that_of_cpim() {
    const CPIM: &str = "urn:ietf:params:cpim-headers:";
    let table: &[(&str, Result<&[&str], Error>)] = &[
        ("NS: c <CPIM>\nc.From: <sip:a@d>\n", Ok(&["sip:a@d"])),
        ("NS: c <CPIM>\nFrom: <sip:a@d>\nc.From: <sip:b@d>\n", Ok(&["sip:a@d", "sip:b@d"])),
        // A prefix that is declared too late, not at all, or as another namespace.
        ("From: <sip:a@d>\nc.From: <sip:b@d>\nNS: c <CPIM>\n", Ok(&["sip:a@d"])),
        ("From: <sip:a@d>\nc.From: <sip:b@d>\n", Ok(&["sip:a@d"])),
        ("NS: c <urn:x>\nFrom: <sip:a@d>\nc.From: <sip:b@d>\n", Ok(&["sip:a@d"])),
        // The last declaration holds.
        ("NS: c <urn:x>\nNS: c <CPIM>\nc.From: <sip:a@d>\n", Ok(&["sip:a@d"])),
        ("NS: c <CPIM>\nNS: c <urn:x>\nc.From: <sip:b@d>\nFrom: <sip:a@d>\n", Ok(&["sip:a@d"])),
        // The default may be declared again as what it is.
        ("NS: <CPIM>\nFrom: <sip:a@d>\n", Ok(&["sip:a@d"])),
        ("NS: <urn:x>\nSubject: x\n", Ok(&[])),
        ("NS: c <CPIM>\nNS: <urn:x>\nc.From: <sip:a@d>\nDateTime: x\nDateTime: y\n", Ok(&["sip:a@d"])),
        ("NS: c <CPIM>\nNS: <urn:x>\nc.NS: <CPIM>\nFrom: <sip:a@d>\n", Ok(&["sip:a@d"])),
        ("NS: <urn:x>\nFrom: <sip:a@d>\n", Err(Error::Ambiguous)),
        ("NS: <urn:x>\nTo: <sip:a@d>\n", Err(Error::Ambiguous)),
        ("NS: <urn:x>\ncc: <sip:a@d>\n", Err(Error::Ambiguous)),
        ("NS: <urn:x>\nNS: <CPIM>\n", Err(Error::Ambiguous)),
    ];
    for (text, expected) in table {
        let octets = crlf(&format!("{}\nContent-Type: a/b\n\n", text.replace("CPIM", CPIM)));
        let from = parse_head(&octets).map(|head| uris(&head.expect("complete").from));
        assert_eq!(from.as_deref(), expected.as_deref(), "{text}");
    }
}

#[test]
fn sixty_four_prefixes_may_be_declared() {
    let declared = |count: u32| (0..count).map(|n| format!("NS: p{n} <urn:x>\r\n")).collect::<String>();
    assert_eq!(parse_head((declared(64) + "NS: p0 <urn:y>\r\n").as_bytes()), Ok(None));
    assert_eq!(error(declared(65).as_bytes()), Error::TooManyNamespaces);
}

// CONFORMANCE 3862-005
#[test]
fn lines_may_be_long_and_the_whole_head_is_bounded() {
    let octets = crlf(&format!("Subject: {}\nFrom: <sip:a@d>\n\nContent-Type: a/b\n\n", "x".repeat(8 * 1024)));
    assert_eq!(whole(&octets).from.len(), 1);

    let last = b"Content-Type: a/b\r\n\r\n";
    let filler = |length: usize| [b"S: ".to_vec(), b"x".repeat(length - 5), b"\r\n".to_vec()].concat();
    let fits = [&filler(MAX_HEAD - last.len())[..], last, b"content"].concat();
    assert_eq!(whole(&fits).content_at, MAX_HEAD);
    let too_long = [&filler(MAX_HEAD - last.len() + 1)[..], last, b"content"].concat();
    assert_eq!(parse_head(&too_long[..MAX_HEAD - 1]), Ok(None));
    assert_eq!(error(&too_long[..MAX_HEAD]), Error::TooLong);
    assert_eq!(error(&too_long), Error::TooLong);
}

#[test]
fn the_media_type_is_the_value_without_parameters() {
    let table = [
        ("text/plain", "text/plain"),
        ("text/plain;charset=utf-8", "text/plain"),
        ("Text/Plain ; charset=utf-8", "Text/Plain"),
        ("\n  text/plain;\n\tcharset=\"a;b\"", "text/plain"),
        ("text/plain\n ; charset=utf-8", "text/plain"),
        // No type at all rather than one that another reader might put together otherwise.
        ("text\n /html", "text"),
    ];
    for (value, expected) in table {
        let octets = crlf(&format!("\nContent-Type: {value}\nContent-ID: <1>\n\n"));
        assert_eq!(whole(&octets).media_type(), expected, "{value:?}");
    }
}

// CONFORMANCE 3862-003, 3862-013, 3862-014, 3862-033
#[test]
fn the_head_is_a_view_of_the_octets_that_came() {
    let octets = crlf(PIGLET);
    let head = whole(&octets);
    let range = octets.as_ptr_range();
    for text in [head.from[0].uri, head.to[0].uri, head.content_type, head.require[0]] {
        assert!(range.contains(&text.as_ptr()));
    }
}
