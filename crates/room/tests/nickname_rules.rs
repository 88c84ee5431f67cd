//! Which texts can be nicknames, and when two are one: RFC 8266 and RFC 7701 §7.1.

use proptest::prelude::*;
use room::{MAX_NICKNAME, Nickname, NicknameError};

fn nickname(text: &str) -> Nickname {
    Nickname::new(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn same(one: &str, other: &str) -> bool {
    nickname(one).is_same(&nickname(other))
}

// CONFORMANCE 8266-012, 8266-014, 8266-015, 8266-016
#[test]
fn the_sample_of_rfc_8266_is_compared_as_it_says() {
    // Table 1: the nickname, and its output for comparison, which is a nickname of its own that stays as it is.
    let table = [
        ("Foo", "foo"),
        ("foo", "foo"),
        ("Foo Bar", "foo bar"),
        ("foo bar", "foo bar"),
        ("\u{3a3}", "\u{3c3}"),
        ("\u{3c3}", "\u{3c3}"),
        ("\u{3c2}", "\u{3c2}"),
        ("\u{3d4}", "\u{3cb}"),
        ("\u{221e}", "\u{221e}"),
        ("Richard \u{2163}", "richard iv"),
    ];
    for (row, (text, output)) in table.iter().enumerate() {
        for (other, (_, different)) in table.iter().enumerate() {
            assert_eq!(same(text, different), output == different, "rows {} and {}", row + 1, other + 1);
        }
    }
}

// CONFORMANCE 8266-011
#[test]
fn what_is_shown_alike_is_the_same() {
    // The lunate sigma: NFKC makes a capital sigma of it, but a final one of its small form.
    assert_eq!(nickname("\u{3f9}").shown(), "Σ");
    assert!(same("\u{3f9}", "σ"));
}

// CONFORMANCE 8266-013, 8266-015, DESIGN D12
#[test]
fn a_sigma_is_lowered_without_looking_where_it_stands() {
    assert!(same("ΑΣ", "ασ"));
    assert!(!same("ΑΣ", "ας"));
    assert!(!same("σ", "ς"));
}

// CONFORMANCE 8266-002, 8266-003, 8266-004, 7701-088
#[test]
fn spaces_case_and_compatible_characters_do_not_tell_nicknames_apart() {
    let table: &[(&str, &[&str])] = &[
        ("a b", &["a\u{a0}b", "a\u{3000}b", "a\u{1680}b", "a  b", " a b ", "\u{2003}a \u{2009} b\u{202f}", "A B"]),
        ("Foo Bar", &["foo  bar", " FOO BAR ", "ｆｏｏ bar", "ＦＯＯ　ＢＡＲ"]),
        ("IV", &["\u{2163}", "\u{2173}", "iv"]),
        ("f", &["ｆ", "Ｆ", "𝐟", "ⓕ"]),
        ("fi", &["\u{fb01}", "FI", "f\u{ff29}"]),
        ("\u{e9}", &["e\u{301}", "E\u{301}", "\u{c9}"]),
        // Title case is neither: U+01C5 and what NFKC makes of it.
        ("\u{1c5}", &["\u{1c4}", "\u{1c6}", "dž", "DŽ"]),
        ("ǅAB", &["ǆab", "DŽAB"]),
    ];
    for (text, alike) in table {
        for other in *alike {
            assert!(same(text, other), "{text:?} {other:?}");
        }
    }
    for (one, other) in [("a b", "ab"), ("BOY", "B0Y"), ("BOY", "ВОУ"), ("e", "é"), ("ß", "ss"), ("i", "ı"), ("o", "ø")]
    {
        assert!(!same(one, other), "{one:?} {other:?}");
    }
}

// CONFORMANCE 8266-008, 8266-009, 8266-016
#[test]
fn a_nickname_is_shown_with_its_case() {
    let table = [
        ("Alice", "Alice"),
        (" \u{2163}  x ", "IV x"),
        ("ＡＬＩＣＥ", "ALICE"),
        ("e\u{301}", "é"),
        ("\u{3d4}", "\u{3ab}"),
        ("a\"b\\c", "a\"b\\c"),
        ("中文 名字", "中文 名字"),
        ("🎉", "🎉"),
    ];
    for (text, shown) in table {
        assert_eq!(nickname(text).shown(), shown, "{text:?}");
    }
}

// CONFORMANCE 8266-005
#[test]
fn no_direction_of_writing_is_refused() {
    for text in ["שלום", "سلام", "abc שלום 123", "١٢٣", "سلام42abc"] {
        nickname(text);
    }
}

// CONFORMANCE 8266-007, DESIGN D12
#[test]
fn characters_outside_the_class_are_refused() {
    let controls = (0..0x20_u32).chain([0x7f, 0x80, 0x9f]);
    let others = [
        0xad, 0x34f, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2060, 0x2066,
        0xfe0f, 0xfeff, 0xfff9, 0xe000, 0xfdd0, 0xfffe, 0xffff, 0x1100, 0x115f, 0x0378, 0xe0041, 0x10_ffff,
    ];
    for code in controls.chain(others) {
        let character = char::from_u32(code).unwrap();
        assert_eq!(Nickname::new(&format!("a{character}b")), Err(NicknameError::NotAllowed), "U+{code:04X}");
    }
    // A joiner has its place after a virama only.
    nickname("क्\u{200d}ष");
}

// CONFORMANCE 8266-007, 8266-017
#[test]
fn characters_younger_than_the_registry_are_in_the_class_as_the_older_ones_are() {
    let letters = [
        "\u{1f914}",
        "\u{1f984}",
        "\u{1fae0}",
        "\u{20bf}",
        "\u{1f44d}\u{1f3fd}",
        "\u{104d8}",
        "\u{2b820}",
        "a\u{1e4ec}",
    ];
    for text in letters {
        assert_eq!(nickname(text).shown(), text);
    }
    // Adlam and Mtavruli have case.
    assert!(same("\u{1e900}", "\u{1e922}") && same("\u{1c90}", "\u{10d0}"));
    // New controls of form are none, nor is what cannot be seen or is not there yet.
    for code in [0x8e2, 0x890, 0x13430, 0x1bca0, 0x180f, 0x2fe0, 0x1fbff, 0xe0fff, 0x1fffe] {
        let character = char::from_u32(code).unwrap();
        assert_eq!(Nickname::new(&format!("a{character}b")), Err(NicknameError::NotAllowed), "U+{code:04X}");
    }
}

// CONFORMANCE 8266-010, DESIGN D1
#[test]
fn what_comes_to_nothing_is_no_nickname() {
    for text in ["", " ", "   ", "\u{3000}", "\u{a0} \u{2003}"] {
        assert_eq!(Nickname::new(text), Err(NicknameError::NotAllowed), "{text:?}");
    }
}

// CONFORMANCE 7701-084, 8266-011, DESIGN D27
#[test]
fn the_length_counts_in_octets_before_the_rules_and_after_them() {
    assert_eq!(MAX_NICKNAME, 1023);
    nickname(&"a".repeat(1023));
    assert_eq!(Nickname::new(&"a".repeat(1024)), Err(NicknameError::TooLong));
    nickname(&"é".repeat(511));
    assert_eq!(Nickname::new(&"é".repeat(512)), Err(NicknameError::TooLong));
    // Spaces count before they are taken away.
    assert_eq!(Nickname::new(&format!("{}a", " ".repeat(1023))), Err(NicknameError::TooLong));
    nickname(&format!("{}a", " ".repeat(1022)));
    // U+FDFA has 3 octets and becomes 18 characters of 33 octets: 31 of them are 1023 octets, 32 are not.
    assert_eq!(nickname(&"\u{fdfa}".repeat(31)).shown().len(), 1023);
    assert_eq!(Nickname::new(&"\u{fdfa}".repeat(32)), Err(NicknameError::TooLong));
    assert_eq!(Nickname::new(&"\u{fdfa}".repeat(341)), Err(NicknameError::TooLong));
}

// THREATS T10
#[test]
fn a_text_that_is_too_long_is_refused_before_anything_is_made_of_it() {
    let marks = "\u{301}".repeat(1_000_000);
    let cost = allocation_counter::measure(|| assert_eq!(Nickname::new(&marks), Err(NicknameError::TooLong)));
    assert_eq!(cost.count_total, 0);
}

// CONFORMANCE 7701-089, 8266-018, 8266-019, THREATS T10
#[test]
fn look_alikes_are_known_as_such() {
    let alike = [
        ("BOY", "B0Y"),
        ("boy", "B0Y"),
        ("BOY", "\u{412}\u{41e}\u{423}"),
        ("boy", "\u{412}\u{41e}\u{423}"),
        ("paypal", "р\u{430}ур\u{430}l"),
        ("bob", "b\u{43e}b"),
        ("bob", "B\u{43e}B"),
        ("larry", "Iarry"),
        ("larry", "1arry"),
        ("Mike", "\u{41c}ike"),
        ("mike", "\u{41c}ike"),
        ("mike", "rnike"),
        ("scope", "ѕсоре"),
        ("O'Neil", "O\u{2019}Neil"),
    ];
    for (one, other) in alike {
        assert!(nickname(one).looks_like(&nickname(other)), "{one} {other}");
        assert!(!same(one, other), "{one} {other}");
    }
    for (one, other) in [("alice", "bob"), ("boy", "bay"), ("Ann", "Anna"), ("中", "田"), ("mike", "nike")] {
        assert!(!nickname(one).looks_like(&nickname(other)), "{one} {other}");
    }
}

// CONFORMANCE 8266-006, DESIGN D12
#[test]
fn the_rules_are_stable_for_every_character() {
    // Beyond these planes nothing is assigned but tags and private use.
    for character in ('\0'..='\u{3ffff}').chain('\u{e0000}'..='\u{e0fff}') {
        let Ok(first) = Nickname::new(character.encode_utf8(&mut [0; 4])) else { continue };
        let again = nickname(first.shown());
        assert_eq!(again.shown(), first.shown(), "U+{:04X}", u32::from(character));
        assert!(again.is_same(&first), "U+{:04X}", u32::from(character));
        assert!(again.looks_like(&first), "U+{:04X}", u32::from(character));
    }
}

proptest! {
    // CONFORMANCE 8266-006, 8266-017
    #[test]
    fn what_is_shown_is_a_nickname_that_stays_as_it_is(text in "\\PC{1,40}") {
        if let Ok(first) = Nickname::new(&text) {
            let again = Nickname::new(first.shown()).expect("a nickname");
            prop_assert_eq!(again.shown(), first.shown());
            prop_assert!(again.is_same(&first) && again.looks_like(&first));
            prop_assert!(!first.shown().is_empty() && first.shown().len() <= MAX_NICKNAME);
        }
    }

    #[test]
    fn case_and_spaces_never_matter(text in "[a-zA-Zà-ž ]{1,20}") {
        if let Ok(first) = Nickname::new(&text) {
            for other in [text.to_lowercase(), text.replace(' ', "\u{a0} ")] {
                prop_assert!(Nickname::new(&other).expect("a nickname").is_same(&first));
            }
        }
    }
}
