//! Frames read from octets that come in any pieces.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

#[path = "support/reader.rs"]
mod reader;

use msrp::encode::{self, Report, Send};
use msrp::frame::{ByteRange, FailureReport, Flag, Head, Method, Start};
use msrp::parse::{Fatal, Limits};
use proptest::prelude::*;
use reader::{PATHS, Reader, Seen, at_once, crlf, in_pieces};

// THREATS T8
#[test]
fn t8_what_only_looks_like_an_end_line_is_content() {
    let hyphens = "-------".repeat(1000);
    for body in [
        hyphens.as_str(),
        "-------",
        "\r\n-------",
        "\r\n-------abcd",
        "\r\n-------abcd*\r\n",
        "\r\n-------abcd\r\n",
        "\r\n-------abcd$ \r\n",
        "\r\n-------abcd$\n",
        "\n-------abcd$\n",
        "x-------abcd$\r\n",
        "\n-------abcd$\r\n",
        "\r-------abcd$\r\n",
        "\r\n------abcd$\r\n",
        "\r\n--------abcd$\r\n",
        "\r\n-------abce$\r\n",
        "\r\n-------ABCD$\r\n",
        "\r\n-------abcde$\r\n",
        "\r\n-------abc$\r\n",
        "\r\n\r\n-------abcd",
        "\r\n-------\r\n-------abcd",
    ] {
        let frame = format!(
            "MSRP abcd SEND\r\n{}Message-ID: m3ss\r\nContent-Type: a/b\r\n\r\n{body}\r\n-------abcd+\r\n",
            PATHS.replace('\n', "\r\n")
        );
        // A body that begins as an end-line is none: after the blank line it ends the frame.
        let expected = [Seen::Body(body.as_bytes().to_vec()), Seen::End(Flag::More)];
        assert_eq!(at_once(frame.as_bytes())[1..], expected, "{body:?}");
        // Split at every place.
        for at in 0..frame.len().min(600) {
            assert_eq!(in_pieces(frame.as_bytes(), [at])[1..], expected, "{body:?} at {at}");
        }
        assert_eq!(in_pieces(frame.as_bytes(), std::iter::repeat_n(1, frame.len()))[1..], expected);
    }
}

// THREATS T8, ff0d1b6
#[test]
fn t8_a_body_with_its_own_end_line_ends_there_and_the_rest_is_no_frame() {
    let frame = crlf(&format!(
        "MSRP abcd SEND\n{PATHS}Message-ID: m3ss\nContent-Type: a/b\n\ngood\n-------abcd$\nevil\n-------abcd$\n"
    ));
    let seen = at_once(&frame);
    assert_eq!(seen[1..], [Seen::Body(b"good".to_vec()), Seen::End(Flag::Last), Seen::Fatal(Fatal::NotMsrp)]);
    // In a head, the end-line of another frame means that the framing is lost.
    for other in ["-------abcde$", "-------abc$", "-------", "-------abcd", "-------abcd*", "-------abcd$x"] {
        let frame = crlf(&format!("MSRP abcd SEND\n{PATHS}{other}\n"));
        assert_eq!(at_once(&frame), [Seen::Fatal(Fatal::EndLine)], "{other}");
    }
}

#[test]
fn freeswitch_fs_11721_a_thousand_requests_in_one_read_are_all_there() {
    let mut octets = Vec::new();
    for n in 0..1000 {
        let id = format!("t{n:06}");
        octets.extend(crlf(&format!(
            "MSRP {id} SEND\n{PATHS}Message-ID: {id}\nContent-Type: a/b\n\n{n}\n-------{id}$\n"
        )));
    }
    let seen = at_once(&octets);
    assert_eq!(seen.len(), 3000);
    let bodies = seen.iter().filter_map(|seen| if let Seen::Body(body) = seen { Some(body.clone()) } else { None });
    assert!(bodies.eq((0..1000).map(|n| n.to_string().into_bytes())));
}

// THREATS 349f55ff
#[test]
fn freeswitch_349f55ff_short_bodies_cut_anywhere_are_read() {
    for body in ["", "x", "xy"] {
        for range in ["1-*/*", "1-0/0", "1-500/500"] {
            let frame = crlf(&format!(
                "MSRP abcd SEND\n{PATHS}Message-ID: m3ss\nByte-Range: {range}\nContent-Type: a/b\n\n{body}\n-------abcd$\n"
            ));
            let whole = at_once(&frame);
            assert_eq!(whole.len(), if body.is_empty() { 2 } else { 3 });
            for first in 0..frame.len() {
                for second in [0, 1, 2, 7] {
                    assert_eq!(in_pieces(&frame, [first, second]), whole, "{range} {body:?} {first} {second}");
                }
            }
        }
    }
}

/// A frame, and what is to be seen of it.
fn frame() -> impl Strategy<Value = (Vec<u8>, Vec<Seen>)> {
    let id = "[A-Za-z0-9][A-Za-z0-9.+%=-]{3,31}";
    let body = prop::option::of(prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        // Much that looks like an end-line.
        prop::collection::vec(
            prop_oneof![Just("\r\n"), Just("-------"), Just("\r"), Just("-"), Just("abcd$"), Just("x")],
            0..20
        )
        .prop_map(|parts| parts.concat().into_bytes()),
    ]);
    let flag = prop_oneof![Just(Flag::Last), Just(Flag::More), Just(Flag::Abort)];
    let range = prop::option::of((1u64..1000, prop::option::of(0u64..1000), prop::option::of(any::<u32>())));
    let kind = 0..4;
    (id, id, body, flag, range, kind, any::<bool>()).prop_filter_map(
        "the body holds the end-line",
        |(transaction, message_id, body, flag, range, kind, success_report)| {
            let content = body.as_deref();
            if content.is_some_and(|content| encode::clashes(&transaction, content)) {
                return None;
            }
            let byte_range = range.map(|(start, length, total)| ByteRange {
                start,
                end: length.map(|length| start + length - 1),
                total: total.map(u64::from),
            });
            let (to_path, from_path) = ("msrp://a.example.com:1/x;tcp", "msrp://r:9/z;tcp msrp://b:2/y;tcp");
            let content = content.map(|content| ("a/b;c=d", content));
            let mut octets = Vec::new();
            match kind {
                0 | 1 => Send {
                    transaction: &transaction,
                    to_path,
                    from_path,
                    message_id: &message_id,
                    success_report,
                    failure_report: FailureReport::Partial,
                    byte_range,
                    content,
                    flag,
                }
                .encode(&mut octets),
                2 => Report {
                    transaction: &transaction,
                    to_path,
                    from_path,
                    message_id: &message_id,
                    byte_range,
                    status_code: 413,
                    content,
                }
                .encode(&mut octets),
                _ => encode::response(&mut octets, &transaction, 413, to_path, from_path),
            }
            let is_send = kind < 2;
            let head = Head {
                transaction: &transaction,
                start: match kind {
                    0 | 1 => Start::Request(Method::Send),
                    2 => Start::Request(Method::Report),
                    _ => Start::Response { code: 413, comment: Some("Message Too Large") },
                },
                to_path,
                from_path,
                message_id: (kind < 3).then_some(&message_id),
                byte_range: byte_range.filter(|_| kind < 3),
                success_report: is_send && success_report,
                failure_report: if is_send { FailureReport::Partial } else { FailureReport::Yes },
                has_report_headers: is_send,
                status: (kind == 2).then_some(msrp::frame::Status {
                    namespace: 0,
                    code: 413,
                    comment: Some("Message Too Large"),
                }),
                use_nickname: None,
                content_type: content.filter(|_| kind < 3).map(|(content_type, _)| content_type),
                has_body: kind < 3 && content.is_some(),
            };
            let mut seen = vec![Seen::Head(format!("{head:?}"))];
            seen.extend(
                content.filter(|(_, body)| kind < 3 && !body.is_empty()).map(|(_, body)| Seen::Body(body.to_vec())),
            );
            seen.push(Seen::End(if is_send { flag } else { Flag::Last }));
            Some((octets, seen))
        },
    )
}

/// Sizes of pieces: mostly small.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1usize..4, 1usize..40, 1usize..400], 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// What is written is read as it was meant, in whatever pieces it comes.
    #[test]
    fn frames_are_read_as_they_were_written(frames in prop::collection::vec(frame(), 1..5), sizes in sizes()) {
        let octets: Vec<u8> = frames.iter().flat_map(|(octets, _)| octets.clone()).collect();
        let expected: Vec<Seen> = frames.into_iter().flat_map(|(_, seen)| seen).collect();
        prop_assert_eq!(at_once(&octets), expected.clone());
        prop_assert_eq!(in_pieces(&octets, sizes), expected.clone());
        prop_assert_eq!(in_pieces(&octets, std::iter::repeat_n(1, octets.len())), expected);
    }

    /// What is damaged is read the same in whatever pieces it comes.
    #[test]
    fn damage_is_seen_alike_in_pieces(
        frames in prop::collection::vec(frame(), 1..4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, prop_oneof![
            prop::collection::vec(any::<u8>(), 0..12),
            prop_oneof![Just("\r\n"), Just("\n"), Just("\r\n\r\n"), Just("-------"), Just("\r\n-------"), Just(": "), Just("MSRP "), Just("\0")]
                .prop_map(|text| text.as_bytes().to_vec()),
        ]), 1..6),
        sizes in sizes(),
    ) {
        let mut octets: Vec<u8> = frames.into_iter().flat_map(|(octets, _)| octets).collect();
        for (at, cut, new) in damage {
            let at = at.index(octets.len() + 1);
            let end = (at + cut).min(octets.len());
            octets.splice(at..end, new);
        }
        let whole = at_once(&octets);
        prop_assert_eq!(in_pieces(&octets, sizes), whole.clone());
        prop_assert_eq!(in_pieces(&octets, std::iter::repeat_n(1, octets.len())), whole);
    }

    /// What stays unread is never more than a head or an end-line.
    #[test]
    fn little_stays_unread(frames in prop::collection::vec(frame(), 1..4), sizes in sizes()) {
        let octets: Vec<u8> = frames.into_iter().flat_map(|(octets, _)| octets).collect();
        let mut reader = Reader::new(Limits::default());
        let mut rest = &octets[..];
        for size in sizes {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            reader.reads(piece);
            rest = after;
            let in_body = matches!(reader.seen.last(), Some(Seen::Body(_)));
            let most = if in_body { 9 + 32 + 3 } else { 16 * 1024 };
            prop_assert!(reader.unread.len() <= most);
        }
    }

    #[test]
    fn byte_ranges_are_read_as_they_are_written(start in 1u64..=ByteRange::MAX, end in any::<Option<u64>>(), total in any::<Option<u64>>()) {
        let range = ByteRange { start, end, total };
        let possible = end.is_none_or(|end| end <= ByteRange::MAX && end + 1 >= start) && total.is_none_or(|total| total <= ByteRange::MAX);
        prop_assert_eq!(ByteRange::parse(&range.to_string()).ok(), possible.then_some(range));
    }
}
