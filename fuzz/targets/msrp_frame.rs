//! MSRP octets mean the same however they are cut: the first octet says into pieces of which size.

#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp::parse::{Event, Limits, Parser};
use msrp::uri::Path;

// Small limits, so that they are met.
const LIMITS: Limits = Limits { start_line: 100, head_octets: 1_000, headers: 12, non_send_body: 200 };

fuzz_target!(|octets: &[u8]| {
    let Some((size, stream)) = octets.split_first() else { return };
    let size = usize::from(*size).max(1);
    let whole = events([stream]);
    assert_eq!(events(stream.chunks(size)), whole);
    let ends = whole.iter().position(|event| event.starts_with("Fatal"));
    assert!(ends.is_none_or(|at| at + 1 == whole.len()), "nothing comes from a stream that is over");
});

/// What is read, with the octets of a body together.
fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut parser = Parser::new(LIMITS);
    let mut events = Vec::new();
    let mut unread: Vec<u8> = Vec::new();
    let mut body: Vec<u8> = Vec::new();
    for piece in pieces {
        unread.extend_from_slice(piece);
        let mut used = 0;
        loop {
            match parser.next(&unread[used..]) {
                Ok((n, None)) => {
                    used += n;
                    break;
                }
                Ok((n, Some(Event::Body(octets)))) => {
                    assert!(!octets.is_empty() && octets.len() <= n);
                    body.extend_from_slice(octets);
                    used += n;
                }
                Ok((n, Some(event))) => {
                    if !body.is_empty() {
                        events.push(format!("{:?}", std::mem::take(&mut body)));
                    }
                    look_into(&event);
                    events.push(format!("{event:?}"));
                    used += n;
                }
                Err(fatal) => {
                    events.push(format!("Fatal {fatal:?}"));
                    return events;
                }
            }
        }
        unread.drain(..used);
        assert!(unread.len() <= LIMITS.head_octets, "more stays unread than a head");
    }
    // How much is told of a body that has not ended depends on the cuts: it is left out.
    events
}

/// What a user does with a head.
fn look_into(event: &Event<'_>) {
    if let Event::Head(head) = event {
        assert!((4..=32).contains(&head.transaction.len()));
        for path in [head.to_path, head.from_path] {
            assert!(!path.is_empty());
            let _ = Path::parse(path);
        }
        if let Some(range) = head.byte_range {
            assert!(range.start > 0 && range.end.is_none_or(|end| end + 1 >= range.start));
        }
    }
}
