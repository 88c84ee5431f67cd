//! What holds for all messages and for all octets.

use cpim::{Error, Message, Party, escape, parse_head, quote, unescape};
use proptest::prelude::*;

/// A name as people have, and as nobody should.
fn name() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[ -~\\PC\\n\\r\\t\u{7f}]{0,12}")
}

fn uri() -> impl Strategy<Value = String> {
    "(sip|tel|im):[!-~é ]{1,16}"
}

/// Lines of which heads are made, well-formed and not.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("NS: c <urn:ietf:params:cpim-headers:>".to_owned()),
        Just("NS: <urn:x>".to_owned()),
        Just("NS: c <urn:x>".to_owned()),
        Just("Content-Type: text/plain".to_owned()),
        Just(" folded".to_owned()),
        "(c\\.)?(From|To|cc|from|Require|DateTime):(;lang=fr)? ?(\"B\\\\\\\\\\\"<\" )?<sip:[ab]@d>",
        "[ -~]{0,20}",
        "\\PC{0,10}",
    ]
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n")];
    let lines = proptest::collection::vec((line(), end), 0..12);
    lines.prop_map(|lines| {
        lines.into_iter().flat_map(|(line, end)| [line.as_str(), end].concat().into_bytes()).collect()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was_meant(
        from in (name(), uri()),
        to in (name(), uri()),
        date_time in proptest::option::of("[0-9T:.+-]{1,30}"),
        subject in proptest::option::of("\\PC{0,30}"),
        content_type in "[a-z]{1,8}/[a-z+.-]{1,8}(; charset=\"?[a-z0-9-]{1,8}\"?)?",
        content in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let message = Message {
            from: Party { name: from.0.as_deref(), uri: &from.1 },
            to: Party { name: to.0.as_deref(), uri: &to.1 },
            date_time: date_time.as_deref(),
            subject: subject.as_deref(),
            content_type: &content_type,
            content: &content,
        };
        let octets = message.encode();
        let head = parse_head(&octets).expect("well-formed").expect("complete");
        prop_assert_eq!(&octets[head.content_at..], &content[..]);
        prop_assert_eq!(head.content_type, content_type);
        prop_assert_eq!(head.date_time, date_time.as_deref());
        for (read, (name, uri)) in [(&head.from, &from), (&head.to, &to)] {
            prop_assert_eq!(read.len(), 1);
            let encoded = |c: char| c.is_ascii_control() || " <>\"\\".contains(c);
            let plain = uri.chars().map(|c| if encoded(c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() });
            prop_assert_eq!(read[0].uri, plain.collect::<String>());
            let kept = read[0].display_name();
            let dropped = kept.is_none() && name.as_deref().is_some_and(|name| name.contains('<'));
            prop_assert!(dropped || kept.as_deref() == name.as_deref());
        }
    }

    #[test]
    fn more_octets_never_change_an_answer(octets in octets()) {
        let last = parse_head(&octets);
        for length in 0..octets.len() {
            let first = parse_head(&octets[..length]);
            if first != Ok(None) {
                prop_assert_eq!(&first, &last);
            } else if octets[length] != b'\n' {
                prop_assert_eq!(&parse_head(&octets[..=length]), &Ok(None));
            }
        }
    }

    #[test]
    fn any_octets_are_answered(octets in proptest::collection::vec(any::<u8>(), 0..256)) {
        match parse_head(&octets) {
            Ok(Some(head)) => prop_assert!(head.content_at <= octets.len() && !head.content_type.is_empty()),
            Ok(None) => {}
            Err(error) => prop_assert_ne!(error, Error::TooLong),
        }
    }

    #[test]
    fn every_sender_that_a_naive_reader_finds_is_found(octets in octets()) {
        // Whoever reads lines and knows no namespaces sees a From in each that begins with it, up to the first blank
        // one.
        let Ok(Some(head)) = parse_head(&octets) else { return Ok(()) };
        let text = String::from_utf8(octets.clone()).unwrap();
        let block = text.split("\r\n\r\n").next().unwrap_or_default();
        for line in block.split("\r\n").filter(|line| line.starts_with("From:")) {
            let Some(naive) = line.find("<sip:").map(|at| &line[at..]) else { continue };
            prop_assert!(head.from.iter().any(|from| naive.contains(&format!("<{}>", from.uri))), "{}", text);
        }
    }

    #[test]
    fn escapes_are_undone(text in any::<String>()) {
        let escaped = escape(&text);
        prop_assert!(!escaped.contains(|c: char| c.is_ascii_control()));
        prop_assert_eq!(unescape(&escaped), text.as_str());
        let quoted = quote(&text);
        prop_assert_eq!(unescape(&quoted[1..quoted.len() - 1]), text);
    }

    #[test]
    fn any_text_is_unescaped(text in "[\\\\u0-9a-fdD8cC\"é]{0,24}") {
        prop_assert!(unescape(&text).chars().count() <= text.chars().count());
    }
}
