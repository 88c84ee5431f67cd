//! MSRP URIs, their comparison and paths of them (RFC 4975 §6).

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use msrp::uri::{MAX_HOPS, MAX_URI, Path, Uri, UriError, session_id_of};
use proptest::prelude::*;

#[test]
fn the_parts_of_a_uri() {
    for (text, secure, host, port, session_id, transport) in [
        (
            "msrp://atlanta.example.com:7654/jshA7weztas;tcp",
            false,
            "atlanta.example.com",
            Some(7654),
            Some("jshA7weztas"),
            "tcp",
        ),
        ("MSRPS://a:1/x;TCP", true, "a", Some(1), Some("x"), "TCP"),
        ("msrp://a/x;tcp", false, "a", None, Some("x"), "tcp"),
        ("msrp://a:65535;tcp", false, "a", Some(65535), None, "tcp"),
        ("msrp://user:pass@a:1/x;tcp", false, "a", Some(1), Some("x"), "tcp"),
        ("msrp://u@v@a:1/x;tcp", false, "a", Some(1), Some("x"), "tcp"),
        ("msrp://[::1]:2855/x;tcp", false, "::1", Some(2855), Some("x"), "tcp"),
        ("msrps://[2001:DB8::7]/x;tcp", true, "2001:DB8::7", None, Some("x"), "tcp"),
        (
            "msrp://192.0.2.1:2855/s/with/slash+=~-._;tcp;foo=bar;lr",
            false,
            "192.0.2.1",
            Some(2855),
            Some("s/with/slash+=~-._"),
            "tcp",
        ),
        ("msrps://df7jal23ls0d.invalid:2855/98cjs;ws", true, "df7jal23ls0d.invalid", Some(2855), Some("98cjs"), "ws"),
        ("msrp://HOST%2Eexample:1/x;tcp", false, "HOST%2Eexample", Some(1), Some("x"), "tcp"),
    ] {
        let uri = Uri::parse(text).unwrap();
        assert_eq!((uri.secure(), uri.host(), uri.port()), (secure, host, port), "{text}");
        assert_eq!((uri.session_id(), uri.transport()), (session_id, transport), "{text}");
        assert_eq!((uri.as_str(), uri.to_string().as_str()), (text, text));
        assert_eq!(session_id_of(text), session_id);
    }
}

// CONFORMANCE 4975-029
#[test]
fn what_is_no_uri() {
    let long = format!("msrp://a:1/{};tcp", "x".repeat(MAX_URI));
    for (text, fault) in [
        ("", UriError::Scheme),
        ("msrp:a:1/x;tcp", UriError::Scheme),
        ("http://a:1/x;tcp", UriError::Scheme),
        (" msrp://a:1/x;tcp", UriError::Scheme),
        ("msrp://", UriError::Host),
        ("msrp://:1/x;tcp", UriError::Host),
        ("msrp:///x;tcp", UriError::Host),
        ("msrp://a b:1/x;tcp", UriError::Host),
        ("msrp://\u{e9}:1/x;tcp", UriError::Host),
        ("msrp://us er@a:1/x;tcp", UriError::Host),
        ("msrp://[::1:1/x;tcp", UriError::Host),
        ("msrp://[]:1/x;tcp", UriError::Host),
        ("msrp://[127.0.0.1]:1/x;tcp", UriError::Host),
        ("msrp://[::1]x:1/x;tcp", UriError::Port),
        ("msrp://a:/x;tcp", UriError::Port),
        ("msrp://a:65536/x;tcp", UriError::Port),
        ("msrp://a:+1/x;tcp", UriError::Port),
        ("msrp://a:1:2/x;tcp", UriError::Port),
        ("msrp://::1/x;tcp", UriError::Host),
        ("msrp://a:1/;tcp", UriError::SessionId),
        ("msrp://a:1/x y;tcp", UriError::SessionId),
        ("msrp://a:1/x\u{e9};tcp", UriError::SessionId),
        ("msrp://a:1/x?y;tcp", UriError::SessionId),
        ("msrp://a:1?x;tcp", UriError::SessionId),
        ("msrp://a:1/x", UriError::Transport),
        ("msrp://a:1", UriError::Transport),
        ("msrp://a:1/x;", UriError::Transport),
        ("msrp://a:1/x;t-p", UriError::Transport),
        ("msrp://a:1/x;tcp=1", UriError::Transport),
        ("msrp://a:1/x;tcp ", UriError::Transport),
        ("msrp://a:1/x;tcp;", UriError::Parameter),
        ("msrp://a:1/x;tcp;a b", UriError::Parameter),
        (&long, UriError::TooLong),
    ] {
        assert_eq!(Uri::parse(text).unwrap_err(), fault, "{text}");
    }
}

// CONFORMANCE 4975-035, 4975-036, 4975-037, 4975-038, 4975-039
// THREATS 15ade61
#[test]
fn uris_are_compared_by_the_rules_of_section_6_1() {
    for (a, b, same) in [
        ("msrp://host:8000/asfd34;tcp", "msrp://host:8000/asfd34;tcp", true),
        ("MSRP://HOST:8000/asfd34;TCP", "msrp://host:8000/asfd34;tcp", true),
        ("msrp://host:8000/asfd34;tcp", "msrps://host:8000/asfd34;tcp", false),
        ("msrp://host:8000/asfd34;tcp", "msrp://host:8000/ASFD34;tcp", false),
        ("msrp://host:8000/asfd34;tcp", "msrp://host:8001/asfd34;tcp", false),
        ("msrp://host:2855/asfd34;tcp", "msrp://host/asfd34;tcp", false),
        ("msrp://host/asfd34;tcp", "msrp://host/asfd34;tcp", true),
        ("msrp://host:8000/asfd34;tcp", "msrp://host:8000;tcp", false),
        ("msrp://host:8000;tcp", "msrp://host:8000;tcp", true),
        ("msrp://host:8000/asfd34;tcp", "msrp://host:8000/asfd34;udp", false),
        ("msrp://host:8000/asfd34;tcp", "msrp://host:8000/asfd34;tcp;foo=bar", true),
        ("msrp://user@host:8000/asfd34;tcp", "msrp://host:8000/asfd34;tcp", true),
        ("msrp://host%2Eexample:8000/asfd34;tcp", "msrp://host.example:8000/asfd34;tcp", true),
        ("msrp://%68ost:8000/asfd34;tcp", "msrp://Host:8000/asfd34;tcp", true),
        ("msrp://host%2f:8000/asfd34;tcp", "msrp://host%2F:8000/asfd34;tcp", true),
        ("msrp://host%2e%2:8000/asfd34;tcp", "msrp://host.%2:8000/asfd34;tcp", true),
        ("msrp://host%:8000/asfd34;tcp", "msrp://host%25:8000/asfd34;tcp", false),
        ("msrp://host%+9x:8000/asfd34;tcp", "msrp://host%09x:8000/asfd34;tcp", false),
        ("msrp://[2001:db8:0::1]:8000/asfd34;tcp", "msrp://[2001:DB8::1]:8000/asfd34;tcp", true),
        ("msrp://[2001:db8::1]:8000/asfd34;tcp", "msrp://[2001:db8::2]:8000/asfd34;tcp", false),
        ("msrp://192.0.2.1:8000/asfd34;tcp", "msrp://192.0.2.10:8000/asfd34;tcp", false),
        ("msrp://192.0.2.1:8000/asfd34;tcp", "msrp://192%2e0.2.1:8000/asfd34;tcp", true),
        ("msrp://[::ffff:192.0.2.1]:8000/asfd34;tcp", "msrp://[::ffff:c000:201]:8000/asfd34;tcp", true),
        ("msrp://host.:8000/asfd34;tcp", "msrp://host:8000/asfd34;tcp", false),
    ] {
        let (a, b) = (Uri::parse(a).unwrap(), Uri::parse(b).unwrap());
        assert_eq!((a.matches(&b), b.matches(&a)), (same, same), "{a} {b}");
        assert!(a.matches(&a) && b.matches(&b));
    }
}

#[test]
fn a_uri_of_ones_own_cannot_break_a_line() {
    for (host, session_id, text) in [
        ("chat.example.com", "kjhd37s2s20w2a", "msrp://chat.example.com:2855/kjhd37s2s20w2a;tcp"),
        ("2001:db8::1", "x", "msrp://[2001:db8::1]:2855/x;tcp"),
        ("[2001:db8::1]", "x", "msrp://[2001:db8::1]:2855/x;tcp"),
        ("192.0.2.1", "", "msrp://192.0.2.1:2855;tcp"),
        ("h\r\nTo-Path: x", "a\r\nb;c d", "msrp://hTo-Pathx:2855/abcd;tcp"),
    ] {
        let uri = Uri::new(false, host, 2855, session_id);
        assert_eq!(uri.as_str(), text);
        assert!(Uri::parse(text).unwrap().matches(&uri));
    }
    assert_eq!(Uri::new(true, "h", 1, "x").as_str(), "msrps://h:1/x;tcp");
}

// THREATS addb6a88
#[test]
fn paths_of_one_to_many_uris() {
    let uri = |n: usize| format!("msrp://h{n}:1/x;tcp");
    for n in [1, 2, MAX_HOPS] {
        let text = (0..n).map(uri).collect::<Vec<_>>().join(" ");
        let path = Path::parse(&text).unwrap();
        assert_eq!((path.len(), path.as_str(), path.iter().count()), (n, text.as_str(), n));
        assert_eq!((path.first().as_str(), path.last().as_str()), (uri(0).as_str(), uri(n - 1).as_str()));
    }
    let spaced = Path::parse("  msrp://a:1/x;tcp   msrp://b:1/y;tcp ").unwrap();
    assert_eq!(spaced.as_str(), "msrp://a:1/x;tcp msrp://b:1/y;tcp");
    for (text, fault) in [
        (String::new(), UriError::Hops),
        ("   ".to_owned(), UriError::Hops),
        (format!("{} ", uri(0)).repeat(MAX_HOPS + 1), UriError::Hops),
        (format!("{} ", uri(0)).repeat(10_000), UriError::Hops),
        ("msrp://a:1/x;tcp\tmsrp://b:1/y;tcp".to_owned(), UriError::Parameter),
        ("msrp://a:1/x;tcp nonsense".to_owned(), UriError::Scheme),
    ] {
        let found = Path::parse(&text).map(|path| path.len());
        assert!(
            found == Err(fault) || (found == Err(UriError::Transport) && text.contains('\t')),
            "{text:.40}: {found:?}"
        );
    }
}

#[test]
fn the_session_id_is_found_without_reading_all() {
    for (text, id) in [
        ("msrp://h:1/abc;tcp", Some("abc")),
        ("msrps://[::1]:1/a/b;tcp", Some("a/b")),
        ("msrp://h:1/abc", Some("abc")),
        ("msrp://h:1/abc msrp://i:1/def;tcp", Some("abc")),
        ("msrp://h:1/;tcp", None),
        ("msrp://h:1;tcp/abc", None),
        ("msrp://h:1;tcp", None),
        ("msrp://h:1", None),
        ("http://h/abc", None),
        ("", None),
    ] {
        assert_eq!(session_id_of(text), id, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        let _ = Path::parse(&text);
        let _ = session_id_of(&text);
        let _ = Uri::parse(&format!("msrp://{text}"));
        let _ = Uri::parse(&format!("msrp://a:1/{text};tcp"));
    }

    /// What was read can be written and read again, and is the same by the rules and in its parts.
    #[test]
    fn a_uri_is_the_same_after_a_round(text in "(msrp|MSRPS)://(u@)?([a-zA-Z0-9.%-]{1,9}|\\[::[0-9a-f]{1,4}\\])(:[0-9]{1,4})?(/[A-Za-z0-9+=/~._-]{1,9})?;[a-z]{1,4}(;[a-z=]{1,4})?") {
        let uri = Uri::parse(&text).unwrap();
        let again = Uri::parse(uri.as_str()).unwrap();
        prop_assert!(uri.matches(&again));
        prop_assert_eq!(session_id_of(&text), uri.session_id());
        let path = Path::from(uri);
        prop_assert_eq!(path.as_str(), text);
    }

    /// Hosts are the same in any letter case and with any of their characters percent-encoded.
    #[test]
    fn hosts_match_however_they_are_written(host in "[a-z0-9][a-z0-9.-]{0,12}", choices in prop::collection::vec(0u8..3, 13)) {
        let other: String = host.chars().zip(&choices).map(|(c, choice)| match choice {
            0 => c.to_string(),
            1 => c.to_ascii_uppercase().to_string(),
            _ => format!("%{:02x}", u32::from(c)),
        }).collect();
        let uri = |host: &str| Uri::parse(&format!("msrp://{host}:1/x;tcp")).unwrap();
        prop_assert!(uri(&host).matches(&uri(&other)));
        let longer = uri(&(other + "x"));
        prop_assert!(!uri(&host).matches(&longer));
    }
}
