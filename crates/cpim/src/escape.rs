//! The escape mechanism, RFC 3862 §2.3.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

/// Writes what a header value may not hold as it is (§2.3.1): the backslash and the control characters, nothing else.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len().saturating_add(16));
    text.chars().for_each(|character| push_escaped(&mut escaped, character));
    Cow::Owned(escaped)
}

/// Writes a text as a string in double quotes (§3.6), as a formal name can be.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for character in text.chars() {
        if character == '"' {
            quoted.push('\\');
            quoted.push('"');
        } else {
            push_escaped(&mut quoted, character);
        }
    }
    quoted.push('"');
    quoted
}

/// Reads escapes (§2.3.1): an unknown one stands for the character behind the backslash, a backslash at the end for
/// nothing. `\u` counts UCS-2 characters, so two halves of a surrogate pair make one character; a half alone makes
/// U+FFFD.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\\' {
            plain.extend(escape_sequence(&mut characters));
        } else {
            plain.push(character);
        }
    }
    Cow::Owned(plain)
}

fn needs_escape(character: char) -> bool {
    character == '\\' || character.is_ascii_control()
}

fn push_escaped(out: &mut String, character: char) {
    match character {
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        character if character.is_ascii_control() => out.push_str(&format!("\\u{:04x}", u32::from(character))),
        character => out.push(character),
    }
}

/// The character for which the sequence stands whose backslash has been read.
fn escape_sequence(characters: &mut Peekable<Chars<'_>>) -> Option<char> {
    Some(match characters.next()? {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'u' => match code_unit(characters) {
            Some(unit) => character_of(unit, characters),
            None => 'u',
        },
        other => other,
    })
}

/// Four hexadecimal digits; where they are not there, nothing is taken.
fn code_unit(characters: &mut Peekable<Chars<'_>>) -> Option<u16> {
    let mut ahead = characters.clone();
    let mut unit = 0_u16;
    for _ in 0..4 {
        let digit = ahead.next()?.to_digit(16)?;
        unit = unit << 4 | u16::try_from(digit).ok()?;
    }
    *characters = ahead;
    Some(unit)
}

/// The character of one code unit, or of it and the low surrogate that follows as an escape of its own.
fn character_of(unit: u16, characters: &mut Peekable<Chars<'_>>) -> char {
    if let Some(character) = char::from_u32(u32::from(unit)) {
        return character;
    }
    let mut ahead = characters.clone();
    let low = (ahead.next() == Some('\\') && ahead.next() == Some('u')).then(|| code_unit(&mut ahead)).flatten();
    let pair = low.and_then(|low| char::decode_utf16([unit, low]).next()).and_then(Result::ok);
    match pair {
        Some(character) => {
            *characters = ahead;
            character
        }
        None => char::REPLACEMENT_CHARACTER,
    }
}
