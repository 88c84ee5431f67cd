//! What is written, octet by octet; nicknames; the rules for answers.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use msrp::encode::{
    MAX_NICKNAME, NicknameSyntax, Report, Send, clashes, comment, ident, nickname, quote, response, unquote_nickname,
};
use msrp::frame::{ByteRange, FailureReport, Flag, Method};
use msrp::parse::{Event, Limits, Parser};
use msrp::report::{is_answered, response_to_path};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const TO: &str = "msrp://a.example.com:1/x;tcp";
const FROM: &str = "msrp://b.example.com:2/y;tcp";

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn lines(text: &str) -> String {
    text.trim().lines().map(|line| line.trim().to_owned() + "\r\n").collect()
}

fn send<'a>(content: Option<(&'a str, &'a [u8])>) -> Send<'a> {
    Send {
        transaction: "a786hjs2",
        to_path: TO,
        from_path: FROM,
        message_id: "87652491",
        success_report: false,
        failure_report: FailureReport::Yes,
        byte_range: None,
        content,
        flag: Flag::Last,
    }
}

// CONFORMANCE 4975-044, 4975-046, 4975-047, 4975-048, 4975-072
#[test]
fn a_send_as_it_stands_on_the_wire() {
    let whole = Send {
        success_report: true,
        failure_report: FailureReport::Partial,
        byte_range: Some(ByteRange { start: 1, end: None, total: Some(25) }),
        flag: Flag::More,
        ..send(Some(("text/plain", b"Hey Bob, are you there?")))
    };
    let expected = format!(
        "MSRP a786hjs2 SEND
         To-Path: {TO}
         From-Path: {FROM}
         Message-ID: 87652491
         Success-Report: yes
         Failure-Report: partial
         Byte-Range: 1-*/25
         Content-Type: text/plain

         Hey Bob, are you there?
         -------a786hjs2+"
    );
    assert_eq!(written(|out| whole.encode(out)), lines(&expected));
    let in_parts = written(|out| {
        whole.encode_head(out);
        out.extend_from_slice(b"Hey Bob, are you there?");
        whole.end(out, Flag::Abort);
    });
    assert_eq!(in_parts, lines(&expected.replace("hjs2+", "hjs2#")));

    let empty = format!("MSRP a786hjs2 SEND\nTo-Path: {TO}\nFrom-Path: {FROM}\nMessage-ID: 87652491\n-------a786hjs2$");
    assert_eq!(written(|out| send(None).encode(out)), lines(&empty));
    let quiet = Send { failure_report: FailureReport::No, ..send(None) };
    assert!(written(|out| quiet.encode(out)).contains("\r\nFailure-Report: no\r\n"));
}

// CONFORMANCE 4975-073, 4975-074, 4975-081, 4975-087, 4975-088
#[test]
fn a_report_as_it_stands_on_the_wire() {
    let report = Report {
        transaction: "dkei38sd",
        to_path: TO,
        from_path: FROM,
        message_id: "12339sdqwer",
        byte_range: Some(ByteRange { start: 1, end: Some(100), total: Some(500) }),
        status_code: 413,
        content: Some(("message/cpim", b"To: <sip:a@b>")),
    };
    let expected = format!(
        "MSRP dkei38sd REPORT
         To-Path: {TO}
         From-Path: {FROM}
         Message-ID: 12339sdqwer
         Byte-Range: 1-100/500
         Status: 000 413 Message Too Large
         Content-Type: message/cpim

         To: <sip:a@b>
         -------dkei38sd$"
    );
    assert_eq!(written(|out| report.encode(out)), lines(&expected));
}

// CONFORMANCE 4975-094, 7701-116
#[test]
fn responses_and_nicknames_as_they_stand_on_the_wire() {
    let expected = format!(
        "MSRP d93kswow 425 Nickname Reserved Or Already In Use\nTo-Path: {TO}\nFrom-Path: {FROM}\n-------d93kswow$"
    );
    assert_eq!(written(|out| response(out, "d93kswow", 425, TO, FROM)), lines(&expected));
    let expected = format!(
        "MSRP d93kswow NICKNAME\nTo-Path: {TO}\nFrom-Path: {FROM}\nUse-Nickname: \"Alice the great\"\n-------d93kswow$"
    );
    assert_eq!(written(|out| nickname(out, "d93kswow", TO, FROM, "Alice the great")), lines(&expected));
}

// INTEROP: Kamailio takes a response without a comment for a request
#[test]
fn kamailio_always_gets_a_comment() {
    for code in 200..=999 {
        assert!(!comment(code).is_empty());
        let text = written(|out| response(out, "abcd", code, TO, FROM));
        assert!(text.starts_with(&format!("MSRP abcd {code} {}\r\n", comment(code))));
    }
}

// CONFORMANCE 4975-083, 4975-084, 4975-085, 4975-086, 4975-089, 4975-090
#[test]
fn what_is_answered() {
    use FailureReport::{No, Partial, Yes};
    for (method, failure_report, code, answered) in [
        (Method::Send, Yes, 200, true),
        (Method::Send, Yes, 413, true),
        (Method::Send, Partial, 200, false),
        (Method::Send, Partial, 413, true),
        (Method::Send, No, 200, false),
        (Method::Send, No, 413, false),
        (Method::Report, Yes, 200, false),
        (Method::Report, Yes, 481, false),
        (Method::Nickname, Yes, 200, true),
        (Method::Nickname, No, 200, true),
        (Method::Auth, Partial, 200, true),
        (Method::Other("FOO"), No, 501, true),
    ] {
        assert_eq!(is_answered(method, failure_report, code), answered, "{method:?} {failure_report:?} {code}");
    }
}

// CONFORMANCE 4975-092, 4975-093
// THREATS 91cf715
#[test]
fn msrplib_91cf715_a_response_goes_to_the_first_hop_of_a_send_and_all_the_way_for_others() {
    let path = "msrp://r1:1/a;tcp msrp://r2:1/b;tcp msrp://c:1/c;tcp";
    assert_eq!(response_to_path(Method::Send, path), "msrp://r1:1/a;tcp");
    assert_eq!(response_to_path(Method::Nickname, path), path);
    assert_eq!(response_to_path(Method::Auth, path), path);
    assert_eq!(response_to_path(Method::Send, ""), "");
    assert_eq!(response_to_path(Method::Send, " x y"), "x");
}

// CONFORMANCE 7701-084, 7701-092, 7701-096, 7701-102, decisions D1, D27, D36
#[test]
fn use_nickname_values() {
    let long = "x".repeat(MAX_NICKNAME);
    let longer = "x".repeat(MAX_NICKNAME + 1);
    let quoted = |text: &str| format!("\"{text}\"");
    for (raw, expected) in [
        ("\"Alice the great\"", Ok("Alice the great")),
        ("\"\"", Ok("")),
        ("", Ok("")),
        ("Bob The Great", Ok("Bob The Great")),
        (r#""a\"b""#, Ok("a\"b")),
        (r#""a\\b""#, Ok("a\\b")),
        (r#""\\\"""#, Ok("\\\"")),
        (r#"a\"b"#, Ok("a\"b")),
        ("\"a\tb\"", Ok("a\tb")),
        ("\"Jürgen ☃\"", Ok("Jürgen ☃")),
        ("\"a", Err(NicknameSyntax::Quote)),
        ("\"", Err(NicknameSyntax::Quote)),
        ("a\"", Err(NicknameSyntax::Quote)),
        (r#""a\""#, Err(NicknameSyntax::Quote)),
        ("\"a\"b\"", Err(NicknameSyntax::Quote)),
        ("\"a\" x", Err(NicknameSyntax::Quote)),
        (r#""a\bc""#, Err(NicknameSyntax::Escape)),
        (r"a\", Err(NicknameSyntax::Quote)),
        ("\"a\u{1}\"", Err(NicknameSyntax::Control)),
        ("\"a\u{7f}\"", Err(NicknameSyntax::Control)),
        (&long, Ok(&*long)),
        (&quoted(&long), Ok(&*long)),
        (&longer, Err(NicknameSyntax::TooLong)),
        (&quoted(&longer), Err(NicknameSyntax::TooLong)),
        (&quoted(&"é".repeat(512)), Err(NicknameSyntax::TooLong)),
        (&quoted(&r#"\""#.repeat(MAX_NICKNAME)), Ok(&*"\"".repeat(MAX_NICKNAME))),
    ] {
        assert_eq!(unquote_nickname(raw.as_bytes()).as_deref(), expected.as_ref().map(|name| *name), "{raw:.20}");
    }
    assert_eq!(unquote_nickname(b"\"a\xff\""), Err(NicknameSyntax::Encoding));
    // Through the parser: any space around it, control characters and all.
    for (line, expected) in [
        ("Use-Nickname:\"x\"", Some("\"x\"")),
        ("use-nickname:  Bob  The ", Some("Bob  The")),
        ("Use-Nickname:", Some("")),
        ("X: y", None),
        ("Use-Nickname: \u{1}", Some("\u{1}")),
    ] {
        let frame = format!("MSRP abcd NICKNAME\r\nTo-Path: {TO}\r\nFrom-Path: {FROM}\r\n{line}\r\n-------abcd$\r\n");
        let mut parser = Parser::new(Limits::default());
        let (_, Some(Event::Head(head))) = parser.next(frame.as_bytes()).unwrap() else { panic!("{line}") };
        assert_eq!(head.use_nickname, expected.map(str::as_bytes));
    }
}

// CONFORMANCE 4975-042, 4975-050, 4975-159, THREATS T1
#[test]
fn t1_idents_are_long_and_even() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut ids: Vec<String> = (0..20_000).map(|_| ident(&mut rng, 14)).collect();
    assert!(ids.iter().all(|id| id.len() == 14 && id.bytes().all(|b| b.is_ascii_alphanumeric())));
    for place in 0..14 {
        let mut counts = [0u32; 128];
        ids.iter().for_each(|id| counts[usize::from(id.as_bytes()[place])] += 1);
        // 62 characters: chi squared with 61 degrees of freedom is below 120 but once in 100 000 times.
        let mean = 20_000.0 / 62.0;
        let used = counts.iter().filter(|count| **count > 0);
        let chi: f64 = used.clone().map(|count| (f64::from(*count) - mean).powi(2) / mean).sum();
        assert_eq!(used.count(), 62);
        assert!(chi < 120.0, "{place}: {chi}");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20_000);
}

#[test]
fn an_end_line_in_the_content_is_found() {
    for (content, found) in [
        ("", false),
        ("abcd", false),
        ("-------abcd", true),
        ("x-------abcd", true),
        ("------abcd", false),
        ("--------abcd", true),
        ("-------abce -------abcd", true),
        ("abcd-------abcd", true),
        ("-------ab-------abcd", true),
    ] {
        assert_eq!(clashes("abcd", content.as_bytes()), found, "{content}");
    }
}

proptest! {
    #[test]
    fn nicknames_are_read_as_they_were_written(name in "[^\\x00-\\x08\\x0a-\\x1f\\x7f]{0,200}") {
        prop_assert_eq!(unquote_nickname(quote(&name).as_bytes()), Ok(name));
    }

    #[test]
    fn any_use_nickname_is_read_or_refused(raw in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(name) = unquote_nickname(&raw) {
            prop_assert!(name.len() <= MAX_NICKNAME);
            prop_assert_eq!(unquote_nickname(quote(&name).as_bytes()), Ok(name));
        }
    }

    #[test]
    fn a_quoted_text_is_one_line(text in "\\PC{0,20}|[\\x00-\\x7f]{0,20}") {
        let quoted = quote(&text);
        prop_assert!(!quoted.contains(['\r', '\n', '\0']));
        prop_assert!(quoted.starts_with('"') && quoted.ends_with('"'));
    }
}
