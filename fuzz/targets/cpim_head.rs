//! The head of a message while it arrives: more octets never change an answer, and what was read is written so that it reads
//! the same.

#![no_main]

use cpim::{Head, Message, Party, escape, parse_head, quote, unescape};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let answer = parse_head(octets);
    // All shorter beginnings where there are few, those that end with a line where there are many.
    let ends = (0..octets.len()).filter(|&end| octets.len() < 256 || octets[end] == b'\n');
    for end in ends {
        let earlier = parse_head(&octets[..end]);
        assert!(earlier == Ok(None) || earlier == answer, "more octets never change an answer");
    }
    if let Ok(Some(head)) = &answer {
        check(head, octets);
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        assert_eq!(unescape(&escape(text)), text);
        let quoted = quote(text);
        assert_eq!(unescape(&quoted[1..quoted.len() - 1]), text);
        let _ = unescape(text);
    }
});

fn check(head: &Head<'_>, octets: &[u8]) {
    assert!(head.content_at <= octets.len() && !head.content_type.trim().is_empty());
    assert!(!head.media_type().contains([' ', '\t', '\r', '\n', ';']));
    // Whoever reads lines and knows no namespaces finds no sender that is not in the list.
    let text = String::from_utf8_lossy(&octets[..head.content_at]);
    let block = text.split("\r\n\r\n").next().unwrap_or_default();
    for line in block.split("\r\n").filter(|line| line.starts_with("From:")) {
        let seen = |uri: &str| line.contains(&format!("<{uri}>")) || line.trim_end().ends_with(uri);
        assert!(head.from.iter().any(|from| seen(from.uri)));
    }
    let (Some(from), Some(to)) = (head.from.first(), head.to.first()) else { return };
    let (from_name, to_name) = (from.display_name(), to.display_name());
    let content = &octets[head.content_at..];
    let message = Message {
        from: Party { name: from_name.as_deref(), uri: from.uri },
        to: Party { name: to_name.as_deref(), uri: to.uri },
        date_time: head.date_time,
        subject: None,
        content_type: head.content_type,
        content,
    };
    let written = message.encode();
    let again = parse_head(&written).expect("sound").expect("whole");
    assert_eq!((again.from.len(), again.to.len(), again.date_time), (1, 1, head.date_time));
    assert_eq!(&written[again.content_at..], content);
    assert_eq!(again.media_type(), head.media_type());
    let is_plain = |uri: &str| !uri.contains(|c: char| c.is_ascii_control() || " <>\"\\".contains(c));
    assert!(!is_plain(from.uri) || again.from[0].uri == from.uri);
    assert!(!is_plain(to.uri) || again.to[0].uri == to.uri);
}
