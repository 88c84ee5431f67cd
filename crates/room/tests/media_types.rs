//! Lists of media types, RFC 4975 §8.6.

use room::{MediaTypeError, MediaTypes};

// CONFORMANCE 7701-017, 7701-044
#[test]
fn a_type_is_accepted_where_a_pattern_fits() {
    let table: &[(&[&str], &[&str], &[&str])] = &[
        (&[], &[], &["text/plain", "*", ""]),
        (&["*"], &["text/plain", "x/y", "message/cpim;a=b"], &["", "text", "*", "text;x=/"]),
        (&["*/*"], &["text/plain"], &["text"]),
        (
            &["text/plain"],
            &["text/plain", "TEXT/Plain", "text/plain;charset=utf-8", " text/plain ; x"],
            &["text/html", "text/plain2", "text/", "text/*"],
        ),
        (&["text/*"], &["text/plain", "Text/HTML;x=y"], &["image/png", "texts/plain"]),
        (&["Text/Plain;charset=utf-8", "image/*"], &["text/plain", "image/png"], &["audio/ogg"]),
    ];
    for (patterns, yes, no) in table {
        let types = MediaTypes::parse(patterns.iter().copied()).unwrap();
        for media_type in *yes {
            assert!(types.accepts(media_type), "{patterns:?} {media_type:?}");
        }
        for media_type in *no {
            assert!(!types.accepts(media_type), "{patterns:?} {media_type:?}");
        }
    }
}

#[test]
fn what_somebody_configures_has_to_be_right() {
    for text in [
        "",
        "text",
        "/",
        "text/",
        "/plain",
        "te xt/plain",
        "text/pl ain",
        "*/plain",
        "te*/x",
        "text/pl*",
        "\"a\"/b",
        "a/b/c",
        "é/b",
    ] {
        assert_eq!(MediaTypes::parse(["*", text]), Err(MediaTypeError::Malformed(text.to_owned())));
    }
    assert!(MediaTypes::parse([format!("a/{}", "b".repeat(126)).as_str()]).is_err());
}

#[test]
fn the_list_is_bounded() {
    let patterns: Vec<_> = (0..65).map(|number| format!("a/b{number}")).collect();
    let all = || patterns.iter().map(String::as_str);
    assert!(MediaTypes::parse(all().take(64)).is_ok());
    assert_eq!(MediaTypes::parse(all()), Err(MediaTypeError::TooMany));
    // One that is there already is not one more.
    assert!(MediaTypes::parse(all().take(64).chain(["A/B0;x=y"])).is_ok());
}

// THREATS CVE-2023-24033
#[test]
fn whatever_a_peer_offers_harms_nobody() {
    let long = "a".repeat(65_536);
    let many: Vec<_> = (0..5000).map(|number| format!("a/b{number}")).collect();
    let nonsense = ["", "/", "a/", "*/*", "a/b;c=\"d", long.as_str()];
    let types = MediaTypes::lenient(nonsense.into_iter().chain(many.iter().map(String::as_str)));
    assert_eq!(types.iter().count(), 64);
    assert_eq!(types.iter().take(3).collect::<Vec<_>>(), ["*", "a/b", "a/b0"]);
    assert!(MediaTypes::lenient(["", "/", "a/"]).is_empty());
}
