//! Which frames are taken, which are refused, and what ends a connection.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

#[path = "support/reader.rs"]
mod reader;

use msrp::frame::{ByteRange, FailureReport, Flag, Head, Method, Start};
use msrp::parse::{Event, Fatal, Limits, Parser};
use reader::{PATHS, Reader, Seen, at_once, crlf, in_pieces};

/// The code of a malformed frame, or that of a response that would fit a good one.
fn verdict(octets: &[u8]) -> String {
    match &at_once(octets)[..] {
        [Seen::Head(_), Seen::Body(_), Seen::End(_)] | [Seen::Head(_), Seen::End(_)] => "good".to_owned(),
        [Seen::Malformed(_)] => "400".to_owned(),
        [.., Seen::Fatal(fatal)] => format!("{fatal:?}"),
        [] => "waits".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_field_of_a_head_is_read() {
    let frame = crlf(
        "MSRP a786hjs2 SEND
To-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp
From-Path: msrp://r.example.com:9/z;tcp msrp://atlanta.example.com:7654/jshA7weztas;tcp
Message-ID: 87652491
Byte-Range: 1-25/25
Success-Report: yes
Failure-Report: partial
X-Unknown: anything: at all
Content-Type: text/plain; charset=utf-8

Hey Bob, are you there?
-------a786hjs2$
",
    );
    let mut parser = Parser::new(Limits::default());
    assert!(parser.is_between_frames());
    let (n, event) = parser.next(&frame).unwrap();
    let Some(Event::Head(head)) = event else { panic!("{event:?}") };
    let expected = Head {
        transaction: "a786hjs2",
        start: Start::Request(Method::Send),
        to_path: "msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp",
        from_path: "msrp://r.example.com:9/z;tcp msrp://atlanta.example.com:7654/jshA7weztas;tcp",
        message_id: Some("87652491"),
        byte_range: Some(ByteRange { start: 1, end: Some(25), total: Some(25) }),
        success_report: true,
        failure_report: FailureReport::Partial,
        has_report_headers: true,
        status: None,
        use_nickname: None,
        content_type: Some("text/plain; charset=utf-8"),
        has_body: true,
    };
    assert_eq!(head, expected);
    let (m, event) = parser.next(&frame[n..]).unwrap();
    assert_eq!(event, Some(Event::Body(b"Hey Bob, are you there?")));
    assert!(!parser.is_between_frames());
    let (k, event) = parser.next(&frame[n + m..]).unwrap();
    assert_eq!((event, n + m + k), (Some(Event::End(Flag::Last)), frame.len()));
    assert!(parser.is_between_frames());
}

// CONFORMANCE 4975-136, 4975-137, 4975-138, 4975-139, decisions D5, D37
#[test]
fn heads_are_taken_or_refused() {
    let ids = ["abcd", &"x".repeat(32), "a.-+%=9", "9abc"];
    for id in ids {
        let frame = crlf(&format!("MSRP {id} SEND\n{PATHS}Message-ID: {id}\n-------{id}$\n"));
        assert_eq!(verdict(&frame), "good", "{id}");
    }
    for (start, expected) in [
        ("MSRP abc SEND", "StartLine"),
        (&*format!("MSRP {} SEND", "x".repeat(33)), "StartLine"),
        ("MSRP .bcd SEND", "StartLine"),
        ("MSRP ab_d SEND", "StartLine"),
        ("MSRP abcd", "StartLine"),
        // THREATS 045bf283
        ("MSRP ", "StartLine"),
        ("MSRP  SEND", "StartLine"),
        ("MSRP", "NotMsrp"),
        ("msrp abcd SEND", "NotMsrp"),
        ("MSRPS abcd SEND", "NotMsrp"),
        ("-------abcd$", "NotMsrp"),
        ("", "NotMsrp"),
        ("MSRP abcd send", "400"),
        ("MSRP abcd SEND ", "400"),
        ("MSRP abcd  SEND", "400"),
        ("MSRP abcd SE-ND", "400"),
        ("MSRP abcd 20", "400"),
        ("MSRP abcd 2000 OK", "400"),
        ("MSRP abcd FOO", "good"),
        ("MSRP abcd 200", "good"),
        ("MSRP abcd 200 ", "good"),
        ("MSRP abcd 200 OK", "good"),
        ("MSRP abcd 999 \u{fffd}\u{263a}", "good"),
    ] {
        assert_eq!(verdict(&crlf(&format!("{start}\n{PATHS}-------abcd$\n"))), expected, "{start}");
    }
    let to = "To-Path: msrp://a.example.com:1/x;tcp\n";
    let from = "From-Path: msrp://b.example.com:2/y;tcp\n";
    for (headers, expected) in [
        (format!("{to}{from}"), "good"),
        // THREATS 23ad1fb9
        (String::new(), "400"),
        (to.to_owned(), "400"),
        (from.to_owned(), "400"),
        (format!("{from}{to}"), "400"),
        (format!("{to}{to}{from}"), "400"),
        (format!("{to}{from}{to}"), "400"),
        (format!("{to}{from}{from}"), "400"),
        (format!("Message-ID: abcd\n{to}{from}"), "400"),
        (format!("{to}{from}to-path: x\n"), "400"),
        ("To-Path:\nFrom-Path: x\n".to_owned(), "400"),
        ("To-Path:x\nFrom-Path:\t y \n".to_owned(), "good"),
        ("TO-PATH: x\nfrom-path: y\n".to_owned(), "good"),
        (format!("{to}{from}Message-ID: abcd\nMessage-ID: abcd\n"), "400"),
        (format!("{to}{from}Message-ID: abc\n"), "400"),
        (format!("{to}{from}Message-ID: {}\n", "x".repeat(33)), "400"),
        (format!("{to}{from}MESSAGE-id:abcd\n"), "good"),
        (format!("{to}{from}Success-Report: maybe\n"), "400"),
        (format!("{to}{from}Success-Report: YES\nFailure-Report: Partial\n"), "good"),
        (format!("{to}{from}Success-Report: no\nSuccess-Report: no\n"), "400"),
        (format!("{to}{from}Byte-Range: 1-2\n"), "400"),
        (format!("{to}{from}Status: 200\n"), "400"),
        (format!("{to}{from}Status: 000 200\n"), "good"),
        (format!("{to}{from}Content-Type: text/plain\n"), "400"),
        (format!("{to}{from}X-Same: 1\nX-Same: 1\n"), "good"),
        (format!("{to}{from}X-Odd : 1\n"), "400"),
        (format!("{to}{from} folded\n"), "400"),
        (format!("{to}{from}no colon\n"), "400"),
        (format!("{to}{from}: no name\n"), "400"),
        (format!("{to}{from}X: a\u{0}b\n"), "400"),
        (format!("{to}{from}X: a\u{1}b\n"), "400"),
        (format!("{to}{from}X: a\tb \u{e9}\n"), "good"),
        ("To-Path: \u{e9}\nFrom-Path: y\n".to_owned(), "400"),
    ] {
        assert_eq!(verdict(&crlf(&format!("MSRP abcd SEND\n{headers}-------abcd$\n"))), expected, "{headers}");
    }
    let bare = format!("MSRP abcd SEND\r\n{}-------abcd$\r\n", PATHS.replacen('\n', "\r\n", 1));
    assert_eq!(verdict(bare.as_bytes()), "400", "a bare LF in a head");
}

#[test]
fn a_malformed_request_still_says_how_to_answer_it() {
    for (frame, method, failure_report, has_paths) in [
        (
            format!("MSRP abcd SEND\n{PATHS}Failure-Report: no\nX\n-------abcd$\n"),
            "Some(Send)",
            FailureReport::No,
            true,
        ),
        (
            format!("MSRP abcd SEND\n{PATHS}X\nFailure-Report: partial\n\nx\n-------abcd+\n"),
            "Some(Send)",
            FailureReport::Partial,
            true,
        ),
        (format!("MSRP abcd REPORT\n{PATHS}X\n-------abcd$\n"), "Some(Report)", FailureReport::Yes, true),
        (format!("MSRP abcd send\n{PATHS}-------abcd$\n"), "Some(Other(\"send\"))", FailureReport::Yes, true),
        (format!("MSRP abcd 20x\n{PATHS}-------abcd$\n"), "None", FailureReport::Yes, true),
        ("MSRP abcd SEND\nX: y\n-------abcd$\n".to_owned(), "Some(Send)", FailureReport::Yes, false),
    ] {
        let mut parser = Parser::new(Limits::default());
        let octets = crlf(&frame);
        let (n, event) = parser.next(&octets).unwrap();
        let Some(Event::Malformed {
            code: 400,
            transaction: "abcd",
            method: found,
            to_path,
            failure_report: wanted,
            ..
        }) = event
        else {
            panic!("{event:?}")
        };
        assert_eq!((format!("{found:?}"), wanted, to_path.is_some()), (method.to_owned(), failure_report, has_paths));
        // The rest of the frame is skipped, its end too.
        let (m, event) = parser.next(&octets[n..]).unwrap();
        assert_eq!((event, n + m), (None, octets.len()), "{frame}");
        assert!(parser.is_between_frames());
    }
}

// CONFORMANCE 4975-047
#[test]
fn an_empty_body_is_not_the_same_as_none() {
    let start = format!("MSRP abcd SEND\n{PATHS}Message-ID: abcd\n");
    let bodies: [(&str, bool, &[u8]); 6] = [
        ("-------abcd$\n", false, b""),
        ("Content-Type: a/b\n\n\n-------abcd$\n", true, b""),
        // Kamailio and Java stacks leave the CR LF of an empty body out.
        ("Content-Type: a/b\n\n-------abcd$\n", true, b""),
        ("Content-Type: a/b\n\n\n\n-------abcd$\n", true, b"\r\n"),
        ("Content-Type: a/b\n\nx\n-------abcd$\n", true, b"x"),
        ("Content-Type: a/b\n\nx\n\n-------abcd$\n", true, b"x\r\n"),
    ];
    for (rest, has_body, body) in bodies {
        let octets = crlf(&format!("{start}{rest}"));
        let seen = at_once(&octets);
        let Seen::Head(head) = &seen[0] else { panic!("{seen:?}") };
        assert!(head.contains(&format!("has_body: {has_body}")), "{rest:?}");
        let found: Vec<u8> = seen
            .iter()
            .filter_map(|seen| if let Seen::Body(b) = seen { Some(b.clone()) } else { None })
            .flatten()
            .collect();
        assert_eq!(found, body, "{rest:?}");
        assert_eq!(seen.last(), Some(&Seen::End(Flag::Last)));
        for at in 0..octets.len() {
            assert_eq!(in_pieces(&octets, [at, 1, 1, 2]), seen, "{rest:?} at {at}");
        }
    }
}

// THREATS T9
#[test]
fn t9_giant_and_many_headers_end_the_connection_early() {
    let limits = Limits::default();
    let endless = |octets: &[u8]| {
        let mut reader = Reader::new(limits);
        reader.reads(b"MSRP abcd SEND\r\n");
        let mut most = 0;
        for _ in 0..200_000 {
            reader.reads(octets);
            most = most.max(reader.unread.len());
            if let Some(Seen::Fatal(fatal)) = reader.seen.last() {
                return (*fatal, most);
            }
        }
        panic!("never ended")
    };
    let (fatal, most) = endless(b"x");
    assert_eq!(fatal, Fatal::HeadTooLong);
    assert!(most <= limits.head_octets);
    assert_eq!(endless(b"X: y\r\n").0, Fatal::TooManyHeaders);
    assert_eq!(endless(&[b'x'; 1 << 20]).0, Fatal::HeadTooLong);

    let mut reader = Reader::new(limits);
    reader.reads(format!("MSRP abcd {}", "X".repeat(limits.start_line)).as_bytes());
    assert_eq!(reader.seen, [Seen::Fatal(Fatal::StartLineTooLong)]);
}

#[test]
fn limits_are_reached_exactly() {
    let limits = Limits { start_line: 20, head_octets: 100, headers: 4, non_send_body: 10 };
    let read = |text: &str| {
        let mut reader = Reader::new(limits);
        reader.reads(&crlf(text));
        match reader.seen.last() {
            Some(Seen::Fatal(fatal)) => Err(*fatal),
            _ => Ok(()),
        }
    };
    let frame = |method: &str, headers: &str, body: &str| {
        format!("MSRP abcd {method}\nTo-Path: x\nFrom-Path: y\n{headers}{body}")
    };
    assert_eq!(read(&frame("ABCDEFGH", "", "-------abcd$\n")), Ok(()), "20 octets");
    assert_eq!(read(&frame("ABCDEFGHI", "", "-------abcd$\n")), Err(Fatal::StartLineTooLong));
    assert_eq!(read(&frame("SEND", "A: 1\nB: 2\n", "-------abcd$\n")), Ok(()));
    assert_eq!(read(&frame("SEND", "A: 1\nB: 2\nC: 3\n", "-------abcd$\n")), Err(Fatal::TooManyHeaders));
    // The end-line in place of a body counts as a part of the head.
    let long = |n: usize| frame("SEND", &format!("A: {}\n", "x".repeat(n)), "-------abcd$\n");
    let fits = 100 - crlf(&long(0)).len();
    assert_eq!(read(&long(fits)), Ok(()));
    assert_eq!(read(&long(fits + 1)), Err(Fatal::HeadTooLong));
    // CONFORMANCE 4975-045
    let body =
        |method: &str, n: usize| frame(method, "Content-Type: a/b\n", &format!("\n{}\n-------abcd$\n", "x".repeat(n)));
    assert_eq!(read(&body("REPORT", 10)), Ok(()));
    assert_eq!(read(&body("REPORT", 11)), Err(Fatal::BodyTooLong));
    assert_eq!(read(&body("NICKNAME", 11)), Err(Fatal::BodyTooLong));
    assert_eq!(read(&body("200 OK", 11)), Err(Fatal::BodyTooLong));
    assert_eq!(read(&body("SEND", 11)), Ok(()));
}

// CONFORMANCE 4975-140, decision D39, THREATS T7
#[test]
fn t7_byte_ranges_that_cannot_be_are_refused_and_lies_are_not() {
    for (text, expected) in [
        ("1-*/*", Some((1, None, None))),
        ("1-25/25", Some((1, Some(25), Some(25)))),
        ("1-0/0", Some((1, Some(0), Some(0)))),
        ("5-4/*", Some((5, Some(4), None))),
        ("001-02/3", Some((1, Some(2), Some(3)))),
        ("1-10/5", Some((1, Some(10), Some(5)))),
        ("9223372036854775808-*/9223372036854775808", Some((1 << 63, None, Some(1 << 63)))),
        ("9223372036854775809-*/*", None),
        ("1-*/18446744073709551615", None),
        ("1-18446744073709551616/*", None),
        ("18446744073709551615-*/*", None),
        ("99999999999999999999999999-*/*", None),
        ("0-0/0", None),
        ("0-9/9", None),
        ("5-1/9", None),
        ("5-3/9", None),
        ("-1", None),
        ("*-1/1", None),
        ("1-1", None),
        ("1/1", None),
        ("1-1/1/1", None),
        ("1--1/1", None),
        ("+1-1/1", None),
        (" 1-1/1", None),
        ("1-1/1 ", None),
        ("1-1/", None),
        ("1-/1", None),
        ("", None),
        ("one", None),
        ("\u{661}-1/1", None),
    ] {
        let found = ByteRange::parse(text).ok();
        assert_eq!(found.map(|range| (range.start, range.end, range.total)), expected, "{text}");
        if let Some(range) = found.filter(|_| !text.starts_with('0')) {
            assert_eq!(range.to_string(), text);
        }
    }
}
