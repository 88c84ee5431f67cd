//! Chunks to messages: the switch's memory of what is under way, and an endpoint's gathering against a model.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::time::{Duration, Instant};

use msrp::chunk::{Arrival, Bounds, Gathered, Inflow, Progress, Reassembly};
use msrp::frame::{ByteRange, FailureReport, Flag, Head, Method, Start};
use proptest::prelude::*;

fn head<'a>(message_id: Option<&'a str>, range: Option<&str>) -> Head<'a> {
    Head {
        transaction: "t1d0",
        start: Start::Request(Method::Send),
        to_path: "x",
        from_path: "y",
        message_id,
        byte_range: range.map(|range| ByteRange::parse(range).unwrap()),
        success_report: false,
        failure_report: FailureReport::Yes,
        has_report_headers: false,
        status: None,
        use_nickname: None,
        content_type: Some("a/b"),
        has_body: true,
    }
}

fn chunk<'a>(message_id: &'a str, range: &str) -> Head<'a> {
    head(Some(message_id), Some(range))
}

#[allow(clippy::disallowed_methods, reason = "there is no other way to get an Instant")]
fn beginning() -> Instant {
    Instant::now()
}

/// The codes that a SEND gets whose one body is `n` octets long.
fn whole(inflow: &mut Inflow<()>, head: &Head<'_>, n: usize, flag: Flag) -> Result<Progress, u16> {
    let arrival = inflow.begin(head)?;
    inflow.octets(arrival.slot, n).inspect_err(|code| inflow.refuse(arrival.slot, *code))?;
    Ok(inflow.end(arrival.slot, flag))
}

#[test]
fn a_message_flows_in_its_chunks() {
    let mut inflow: Inflow<u8> = Inflow::new(4, 100);
    let first = inflow.begin(&chunk("m3ss", "1-*/25")).unwrap();
    assert_eq!((first.first, first.offset, first.total), (true, 0, Some(25)));
    *inflow.state(first.slot).unwrap() = 7;
    assert_eq!(inflow.octets(first.slot, 6), Ok(0));
    assert_eq!(inflow.octets(first.slot, 4), Ok(6));
    assert_eq!(inflow.end(first.slot, Flag::More), Progress::More { received: 10 });
    assert!(inflow.is_open("m3ss") && inflow.message_id(first.slot) == Some("m3ss"));

    let second = inflow.begin(&chunk("m3ss", "11-25/*")).unwrap();
    let expected = Arrival { slot: first.slot, offset: 10, first: false, total: Some(25) };
    assert_eq!(second, expected);
    assert_eq!(inflow.state(second.slot), Some(&mut 7));
    assert_eq!(inflow.octets(second.slot, 5), Ok(10));
    assert_eq!(inflow.end(second.slot, Flag::Last), Progress::Complete { size: 15 }, "CONFORMANCE 4975-102");
    assert!(!inflow.is_open("m3ss") && inflow.slots().count() == 0);
    assert_eq!(inflow.octets(second.slot, 1), Err(400));
    assert_eq!(inflow.end(second.slot, Flag::Last), Progress::Aborted);
}

// CONFORMANCE 4975-051, 4975-058, 4975-099, 4975-101. THREATS T7
#[test]
fn t7_what_does_not_join_on_gets_400_and_the_message_stays() {
    let mut inflow: Inflow<()> = Inflow::new(4, 1000);
    assert_eq!(whole(&mut inflow, &head(None, None), 1, Flag::Last), Err(400));
    assert_eq!(whole(&mut inflow, &head(Some("wh0le"), None), 1, Flag::Last), Ok(Progress::Complete { size: 1 }));
    assert_eq!(whole(&mut inflow, &chunk("unkn0wn", "5-*/*"), 1, Flag::Last), Err(400));
    assert_eq!(whole(&mut inflow, &chunk("m3ss", "1-500/500"), 100, Flag::More), Ok(Progress::More { received: 100 }));
    for range in [
        None,
        Some("1-100/500"),
        Some("100-500/500"),
        Some("102-500/500"),
        Some("501-500/500"),
        Some("9223372036854775808-*/*"),
    ] {
        assert_eq!(whole(&mut inflow, &head(Some("m3ss"), range), 1, Flag::Last), Err(400), "{range:?}");
    }
    assert_eq!(
        whole(&mut inflow, &chunk("m3ss", "101-500/500"), 400, Flag::Last),
        Ok(Progress::Complete { size: 500 })
    );
    assert_eq!(whole(&mut inflow, &chunk("m3ss", "501-*/*"), 1, Flag::Last), Err(400), "it is through");
    // 100 octets in `1-5/5`: the octets that come count.
    assert_eq!(whole(&mut inflow, &chunk("l1ar", "1-5/5"), 100, Flag::Last), Ok(Progress::Complete { size: 100 }));
}

// THREATS T6, CONFORMANCE 4975-143
#[test]
fn t6_open_messages_and_their_octets_are_bounded() {
    let mut inflow: Inflow<()> = Inflow::new(3, 10);
    for id in ["m001", "m002", "m003"] {
        assert_eq!(whole(&mut inflow, &chunk(id, "1-*/*"), 1, Flag::More), Ok(Progress::More { received: 1 }));
    }
    for n in 0..10_000 {
        assert_eq!(whole(&mut inflow, &chunk(&format!("x{n:03}"), "1-*/*"), 1, Flag::More), Err(413));
    }
    assert_eq!(inflow.slots().count(), 3);
    assert_eq!(whole(&mut inflow, &chunk("m001", "2-*/*"), 10, Flag::More), Err(413), "11 octets");
    assert_eq!(whole(&mut inflow, &chunk("m001", "12-*/*"), 1, Flag::Last), Err(413), "its later chunks too");
    assert_eq!(whole(&mut inflow, &chunk("m004", "1-*/11"), 1, Flag::More), Err(413), "by what it says of itself");
    assert_eq!(whole(&mut inflow, &chunk("m004", "1-*/*"), 10, Flag::Last), Ok(Progress::Complete { size: 10 }));
    assert_eq!(inflow.begin(&chunk("m004", "11-*/*")), Err(400));
    let slots: Vec<_> = inflow.slots().collect();
    slots.iter().for_each(|slot| inflow.forget(*slot));
    assert_eq!(whole(&mut inflow, &chunk("m002", "2-*/*"), 1, Flag::Last), Err(400), "its time was over");
}

#[test]
fn a_later_chunk_may_be_the_first_to_say_the_size() {
    let mut inflow: Inflow<()> = Inflow::new(1, 100);
    for (range, expected) in [("1-*/*", None), ("2-*/3", Some(3)), ("3-*/4", Some(3))] {
        let arrival = inflow.begin(&chunk("m3ss", range)).unwrap();
        assert_eq!(arrival.total, expected, "{range}");
        inflow.octets(arrival.slot, 1).unwrap();
        inflow.end(arrival.slot, Flag::More);
    }
}

#[test]
fn a_refusal_is_remembered_until_the_message_is_tried_anew() {
    let mut inflow: Inflow<()> = Inflow::new(2, 100);
    let refused = inflow.begin(&chunk("m3ss", "1-*/*")).unwrap();
    inflow.refuse(refused.slot, 403);
    assert_eq!(inflow.begin(&chunk("m3ss", "5-*/*")), Err(403));
    assert_eq!(inflow.begin(&head(Some("m3ss"), None)).map(|arrival| arrival.first), Ok(true));
    assert_eq!(inflow.begin(&chunk("m3ss", "5-*/*")), Err(400));
    // Refusals are bounded: the oldest is forgotten.
    for id in ["r001", "r002", "r003"] {
        let arrival = inflow.begin(&chunk(id, "1-*/*")).unwrap();
        inflow.refuse(arrival.slot, 415);
    }
    let codes = ["r001", "r002", "r003"].map(|id| inflow.begin(&chunk(id, "2-*/*")).unwrap_err());
    assert_eq!(codes, [400, 415, 415]);
}

// CONFORMANCE 4975-048
#[test]
fn a_message_that_is_given_up_is_gone() {
    let mut inflow: Inflow<()> = Inflow::new(2, 100);
    assert_eq!(whole(&mut inflow, &chunk("m3ss", "1-*/*"), 5, Flag::Abort), Ok(Progress::Aborted));
    assert_eq!(inflow.begin(&chunk("m3ss", "6-*/*")), Err(400));
}

fn reassembly() -> Reassembly {
    Reassembly::new(Bounds { messages: 4, message_octets: 1000, octets: 2000 })
}

fn gather(reassembly: &mut Reassembly, head: &Head<'_>, octets: &[u8], flag: Flag) -> Result<Option<Gathered>, u16> {
    reassembly.begin(beginning(), head)?;
    reassembly.octets(octets)?;
    Ok(reassembly.end(flag))
}

// CONFORMANCE 4975-104
#[test]
fn of_octets_that_come_twice_the_later_count() {
    let mut reassembly = reassembly();
    assert_eq!(gather(&mut reassembly, &chunk("m3ss", "1-100/150"), &[b'a'; 100], Flag::More), Ok(None));
    let whole = gather(&mut reassembly, &chunk("m3ss", "50-150/150"), &[b'b'; 101], Flag::Last).unwrap().unwrap();
    assert_eq!(whole.octets, [vec![b'a'; 49], vec![b'b'; 101]].concat());
    assert_eq!((whole.message_id.as_str(), whole.content_type.as_str()), ("m3ss", "a/b"));
    assert!(!reassembly.is_open("m3ss"));
}

// CONFORMANCE 4975-066
#[test]
fn chunks_of_one_octet_from_the_end_to_the_beginning() {
    let mut reassembly = reassembly();
    let content: Vec<u8> = (0..1000).map(|n| n as u8).collect();
    for at in (0..1000).rev() {
        let flag = if at == 999 { Flag::Last } else { Flag::More };
        let range = format!("{}-{}/1000", at + 1, at + 1);
        let done = gather(&mut reassembly, &chunk("m3ss", &range), &content[at..=at], flag).unwrap();
        assert_eq!(done.is_some(), at == 0);
        assert!(done.is_none_or(|done| done.octets == content));
    }
}

// THREATS T6, T7, CONFORMANCE 4975-168
#[test]
fn t6_what_is_gathered_is_bounded() {
    let small = Bounds { messages: 2, message_octets: 10, octets: 15 };
    let mut gathering = Reassembly::new(small);
    for (id, range, n, expected) in [
        ("m001", "1-*/9999999999999", 1, Err(413)),
        ("m001", "9999999999999-*/*", 1, Err(413)),
        ("m001", "1-*/*", 11, Err(413)),
        ("m001", "1-*/*", 10, Ok(None)),
        ("m002", "1-*/*", 6, Err(413)),
        ("m002", "1-*/*", 5, Ok(None)),
        ("m003", "1-*/*", 0, Err(413)),
        ("m001", "11-*/*", 1, Err(413)),
        ("m001", "1-*/*", 1, Ok(None)),
    ] {
        assert_eq!(gather(&mut gathering, &chunk(id, range), &vec![0; n], Flag::More), expected, "{id} {range} {n}");
    }
    assert_eq!(gather(&mut gathering, &head(None, None), b"x", Flag::Last), Err(400));
    assert_eq!(gathering.octets(b"x"), Err(400), "outside of a chunk");

    // Every second octet only: too many gaps.
    let mut gaps = reassembly();
    let pieces = (0..500).map(|n| gather(&mut gaps, &chunk("m3ss", &format!("{}-*/*", 2 * n + 1)), b"x", Flag::More));
    let refused = pieces.take_while(|piece| piece.is_ok()).count();
    assert_eq!(refused, Reassembly::MAX_PIECES);
    assert!(!gaps.is_open("m3ss"));
}

#[test]
fn a_message_that_waits_too_long_is_forgotten() {
    let start = beginning();
    let later = |n| start + Duration::from_secs(n);
    let mut reassembly = reassembly();
    for (at, id) in [(0, "m001"), (5, "m002"), (9, "m001")] {
        reassembly.begin(later(at), &chunk(id, if at == 9 { "2-*/*" } else { "1-*/*" })).unwrap();
        reassembly.octets(b"x").unwrap();
        reassembly.end(Flag::More);
    }
    assert_eq!(reassembly.oldest(), Some(later(5)));
    reassembly.forget_since(later(4));
    assert!(reassembly.is_open("m002"));
    reassembly.forget_since(later(5));
    assert!(reassembly.is_open("m001") && !reassembly.is_open("m002"));
    // The chunk that is just coming keeps its message.
    reassembly.begin(later(10), &chunk("m001", "3-*/*")).unwrap();
    reassembly.forget_since(later(20));
    reassembly.octets(b"x").unwrap();
    assert_eq!(reassembly.end(Flag::Last).map(|whole| whole.octets), Some(b"xxx".to_vec()));
}

/// Every octet in its place, or none.
#[derive(Default)]
struct Model {
    octets: Vec<Option<u8>>,
    size: Option<usize>,
}

impl Model {
    fn takes(&mut self, offset: usize, octets: &[u8], flag: Flag) -> Option<Vec<u8>> {
        let end = offset + octets.len();
        self.octets.resize(self.octets.len().max(end), None);
        for (place, octet) in self.octets[offset..end].iter_mut().zip(octets) {
            *place = Some(*octet);
        }
        if flag == Flag::Last {
            self.size = Some(end);
        }
        self.octets.get(..self.size?)?.iter().copied().collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Chunks anywhere, over one another, in parts: the same as in an array of octets.
    #[test]
    fn gathering_is_as_in_an_array(chunks in prop::collection::vec(
        (0usize..60, prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..4), prop::bool::weighted(0.2)), 1..30)
    ) {
        let mut reassembly = reassembly();
        let mut model = Model::default();
        for (offset, parts, last) in chunks {
            let flag = if last { Flag::Last } else { Flag::More };
            reassembly.begin(beginning(), &chunk("m3ss", &format!("{}-*/*", offset + 1))).unwrap();
            parts.iter().for_each(|part| reassembly.octets(part).unwrap());
            let found = reassembly.end(flag).map(|whole| whole.octets);
            let expected = model.takes(offset, &parts.concat(), flag);
            prop_assert_eq!(&found, &expected);
            if found.is_some() {
                model = Model::default();
            }
        }
    }

    /// A message cut anywhere, its chunks in any order and some of them twice: it comes out once, as it was.
    #[test]
    fn a_message_cut_anywhere_comes_out_whole(
        content in prop::collection::vec(any::<u8>(), 1..200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        order in any::<u64>(),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(content.len())).chain([0, content.len()]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut chunks: Vec<(usize, usize)> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
        // Some order: by a hash of the place.
        chunks.sort_by_key(|(start, _)| (*start as u64 + 1).wrapping_mul(order | 1));
        let mut reassembly = reassembly();
        let mut came = Vec::new();
        for (nth, (start, end)) in chunks.iter().enumerate() {
            let flag = if *end == content.len() { Flag::Last } else { Flag::More };
            let range = format!("{}-{}/{}", start + 1, end, content.len());
            let times = if nth + 1 == chunks.len() { 1 } else { 1 + nth % 2 };
            for _ in 0..times {
                came.extend(gather(&mut reassembly, &chunk("m3ss", &range), &content[*start..*end], flag).unwrap());
            }
        }
        prop_assert_eq!(came.into_iter().map(|whole| whole.octets).collect::<Vec<_>>(), [content]);
    }

    /// The switch takes chunks in order only: the sum of what it says it has is what came.
    #[test]
    fn inflow_counts_what_comes(chunks in prop::collection::vec((0usize..3, 0usize..50, 0usize..4, prop::bool::weighted(0.2)), 1..60)) {
        let ids = ["m001", "m002", "m003"];
        let mut inflow: Inflow<()> = Inflow::new(2, 1000);
        let mut received: [Option<u64>; 3] = [None; 3];
        for (which, n, shift, last) in chunks {
            // Mostly the right place, sometimes one that is not.
            let place = received[which].unwrap_or(0) + if shift == 0 { 3 } else { 0 };
            let flag = if last { Flag::Last } else { Flag::More };
            let found = whole(&mut inflow, &chunk(ids[which], &format!("{}-*/*", place + 1)), n, flag);
            let open = received.iter().flatten().count();
            let expected = match received[which] {
                Some(before) if place == before => Ok(before + n as u64),
                None if place == 0 && open < 2 => Ok(n as u64),
                None if place == 0 => Err(413),
                None => Err(found.unwrap_err()),
                Some(_) => Err(400),
            };
            prop_assert_eq!(found, expected.map(|received| match flag {
                Flag::Last => Progress::Complete { size: received },
                _ => Progress::More { received },
            }));
            if let Ok(now) = expected {
                received[which] = (!last).then_some(now);
            }
            for (id, received) in ids.iter().zip(received) {
                prop_assert_eq!(inflow.is_open(id), received.is_some());
            }
        }
    }
}
