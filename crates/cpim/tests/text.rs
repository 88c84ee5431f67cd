//! Escapes and quotes, RFC 3862 §2.3.

use cpim::{escape, quote, unescape};

// CONFORMANCE 3862-015
#[test]
fn what_a_header_cannot_hold_is_escaped_and_nothing_else() {
    let table = [
        ("plain text, ünïcödé 中 🎉", "plain text, ünïcödé 中 🎉"),
        ("\\", "\\\\"),
        ("\u{8}\t\n\r", "\\b\\t\\n\\r"),
        ("\0\u{1}\u{b}\u{c}\u{1f}\u{7f}", "\\u0000\\u0001\\u000b\\u000c\\u001f\\u007f"),
        ("it's \"so\"", "it's \"so\""),
    ];
    for (text, escaped) in table {
        assert_eq!(escape(text), escaped);
        assert_eq!(unescape(escaped), text);
    }
}

// CONFORMANCE 3862-015
#[test]
fn a_quoted_text_has_its_quotes_escaped() {
    assert_eq!(quote("Bob \"the\" \\ O'Neil\n"), r#""Bob \"the\" \\ O'Neil\n""#);
    assert_eq!(quote(""), "\"\"");
}

// CONFORMANCE 3862-016, 3862-017
#[test]
fn every_escape_is_read() {
    let table = [
        (r#"\\ \" \' \b \t \n \r"#, "\\ \" ' \u{8} \t \n \r"),
        (r"A\u0042", "AB"),
        (r"\u00e9\u00E9\u4e2d", "éé中"),
        // Beyond UCS-2: two halves make one character.
        (r"\ud83c\udf89", "🎉"),
        // An unknown escape stands for the character behind the backslash, a lone backslash at the end for nothing.
        (r"\x\ü\<", "xü<"),
        (r"end\", "end"),
        (r"\\\", "\\"),
        // Too few digits, or half a pair.
        (r"\u12", "u12"),
        (r"\u", "u"),
        (r"\u12g4", "u12g4"),
        (r"\u+123", "u+123"),
        (r"\ud83c", "\u{fffd}"),
        (r"\udf89x", "\u{fffd}x"),
        (r"\ud83c\u0041", "\u{fffd}A"),
        (r"\ud83c\ud83c\udf89", "\u{fffd}🎉"),
        (r"\ud83c\n", "\u{fffd}\n"),
        (r"\ud83c\u12", "\u{fffd}u12"),
    ];
    for (escaped, text) in table {
        assert_eq!(unescape(escaped), text, "{escaped}");
    }
}
