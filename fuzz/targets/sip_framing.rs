//! A byte stream brings the same however it is cut: the first octet says into pieces of which size.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::{Frame, Framer};

fuzz_target!(|octets: &[u8]| {
    let Some((size, stream)) = octets.split_first() else { return };
    let size = usize::from(*size).max(1);
    let whole = frames([stream]);
    assert_eq!(frames(stream.chunks(size)), whole);
    let ends = whole.iter().position(|frame| matches!(frame, Frame::Malformed { close: true, .. }));
    assert!(ends.is_none_or(|at| at + 1 == whole.len()), "nothing comes from a stream that is over");
});

fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    // Small limits, so that they are met.
    let mut framer = Framer::new(1_500, 500);
    let mut frames = Vec::new();
    for piece in pieces {
        framer.feed(piece);
        while let Some(frame) = framer.next() {
            frames.push(frame);
        }
    }
    frames
}
