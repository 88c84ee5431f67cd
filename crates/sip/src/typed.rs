//! Typed values of header fields, for decisions: borrowed where a transaction needs them for every message, owned where
//! a user keeps them.

mod address;
mod media;
mod uri;
mod via;

pub use address::{NameAddr, tag, uri_text};
pub use media::{Disposition, MediaType};
pub use uri::Uri;
pub use via::{CSeq, Via};

/// The most parameters an owned value may have.
const MAX_PARAMS: usize = 100;

/// A value that breaks its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unreadable {0}")]
pub struct Unreadable(pub &'static str);

/// Splits a comma-separated value outside of quotes and angle brackets; elements come without the space around them.
pub fn split_list(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let (element, more) = match outside_quotes(text, b',').and_then(|at| text.split_at_checked(at)) {
            Some((element, more)) => (element, more.strip_prefix(',')),
            None => (text, None),
        };
        rest = more;
        Some(element.trim())
    })
}

/// Parameters: each `;name[=value]`, values as written.
#[derive(Debug, Clone, Copy)]
pub struct Params<'a>(pub &'a str);

impl<'a> Iterator for Params<'a> {
    type Item = Result<(&'a str, Option<&'a str>), Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0.trim_start();
        if text.is_empty() {
            return None;
        }
        self.0 = "";
        let Some(text) = text.strip_prefix(';') else { return Some(Err(Unreadable("parameter"))) };
        let (param, rest) = text.split_at(outside_quotes(text, b';').unwrap_or(text.len()));
        let (name, value) = match param.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (param.trim(), None),
        };
        let sound = is_token(name) && value.is_none_or(is_param_value);
        if sound {
            self.0 = rest;
        }
        Some(sound.then_some((name, value)).ok_or(Unreadable("parameter")))
    }
}

/// Whether the text is a token (RFC 3261 §25.1).
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&octet))
}

/// A quoted-string without its quotes and escapes; other text as it is.
#[must_use]
pub fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

/// Text as a quoted-string. Control characters, which nothing should show, become spaces.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(if character.is_control() { ' ' } else { character });
    }
    quoted.push('"');
    quoted
}

/// Digits only, within `u32`.
pub(crate) fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// All parameters, quoting of values undone.
fn owned_params(text: &str) -> Result<Vec<(String, Option<String>)>, Unreadable> {
    let mut params: Vec<(String, Option<String>)> = Vec::new();
    for param in Params(text) {
        let (name, value) = param?;
        // The bound keeps the search below short.
        if params.len() == MAX_PARAMS || params.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(Unreadable("parameter"));
        }
        params.push((name.to_owned(), value.map(unquote)));
    }
    Ok(params)
}

/// The index just after the quote that closes the one at the start.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// The first `wanted` that stands neither in quotes nor in angle brackets.
fn outside_quotes(text: &str, wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (index, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !bracketed => quoted = !quoted,
            _ if quoted => {}
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            _ if octet == wanted && !bracketed => return Some(index),
            _ => {}
        }
    }
    None
}

/// A token, a host or a quoted-string; read more widely, but never with anything that could end it early.
pub(crate) fn is_param_value(value: &str) -> bool {
    if value.starts_with('"') {
        return closing_quote(value) == Some(value.len());
    }
    let fits = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'"' | b',' | b'<' | b'>' | b';');
    !value.is_empty() && value.bytes().all(fits)
}
