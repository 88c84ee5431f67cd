//! Texts as dialogues show them, and their comparison with what really came.

use std::collections::BTreeMap;

/// What the `{names}` of a pattern stood for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Captures(BTreeMap<String, String>);

impl Captures {
    /// What a name stood for.
    ///
    /// # Panics
    /// When no pattern had that name.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("nothing is known as {{{name}}}"))
    }

    /// These names stand for nothing any more.
    pub fn forget(&mut self, names: &[&str]) {
        names.iter().for_each(|name| drop(self.0.remove(*name)));
    }

    /// Compares a text with a pattern. `{name}` stands for one or more characters of one line, up to what follows it in the
    /// pattern; a name that is known already stands for what it stood for.
    ///
    /// # Panics
    /// When they differ, showing both.
    pub fn expect(&mut self, actual: &str, pattern: &str) {
        let wire = wire(pattern);
        let mut known = self.clone();
        if let Err(at) = known.matches(actual, &wire) {
            panic!("the texts differ at {at:?}\n--- expected\n{wire}\n--- came\n{actual}\n---");
        }
        *self = known;
    }

    /// Fills the names of a pattern in.
    ///
    /// # Panics
    /// When a name is not known.
    #[must_use]
    pub fn fill(&self, pattern: &str) -> String {
        let mut text = String::new();
        let mut rest = pattern;
        while let Some((before, name, after)) = next_name(rest) {
            text.push_str(before);
            text.push_str(self.get(name));
            rest = after;
        }
        text + rest
    }

    fn matches<'a>(&mut self, mut actual: &'a str, mut pattern: &str) -> Result<(), &'a str> {
        while let Some((before, name, after)) = next_name(pattern) {
            actual = actual.strip_prefix(before).ok_or(actual)?;
            let end = match self.0.get(name) {
                Some(known) if actual.starts_with(known.as_str()) => known.len(),
                Some(_) => return Err(actual),
                None => value_length(actual, after),
            };
            if end == 0 {
                return Err(actual);
            }
            let (value, rest) = actual.split_at(end);
            self.0.insert(name.to_owned(), value.to_owned());
            (actual, pattern) = (rest, after);
        }
        if actual == pattern { Ok(()) } else { Err(first_difference(actual, pattern)) }
    }
}

/// How much a name may stand for: up to the character that follows it in the pattern, within the line.
fn value_length(actual: &str, after: &str) -> usize {
    let stop = after.chars().next().filter(|next| *next != '{');
    actual.find(|c| Some(c) == stop || c == '\r' || c == '\n').unwrap_or(actual.len())
}

fn first_difference<'a>(actual: &'a str, pattern: &str) -> &'a str {
    let same = actual.bytes().zip(pattern.bytes()).take_while(|(a, b)| a == b).count();
    actual.get(same..).unwrap_or(actual)
}

fn next_name(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// A text as it goes over the wire: lines end in CR LF, the margin of a raw string is taken off, and where it says
/// `Content-Length: *` the length of the body stands.
#[must_use]
pub fn wire(text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let margin = text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
    let margin = margin.min().unwrap_or(0);
    let lines: Vec<&str> = text.lines().map(|line| line.get(margin..).unwrap_or("")).collect();
    // The last line of a raw string is the margin of its closing quote.
    let lines = match lines.split_last() {
        Some((last, lines)) if last.trim().is_empty() && text.trim_end_matches(' ').ends_with('\n') => lines,
        _ => &lines,
    };
    let wire: String = lines.iter().flat_map(|line| [*line, "\r\n"]).collect();
    match wire.split_once("\r\n\r\n") {
        Some((_, body)) => wire.replacen("Content-Length: *", &format!("Content-Length: {}", body.len()), 1),
        None => wire,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_the_same_throughout() {
        let mut captures = Captures::default();
        captures.expect("MSRP abc 200 OK\r\n-------abc$\r\n", "MSRP {id} 200 OK\n-------{id}$");
        assert_eq!(captures.get("id"), "abc");
        assert_eq!(captures.fill("<{id}>"), "<abc>");
    }

    #[test]
    #[should_panic(expected = "the texts differ")]
    fn another_value_is_a_difference() {
        Captures::default().expect("a b\r\n", "{x} {x}");
    }

    #[test]
    #[should_panic(expected = "the texts differ")]
    fn what_follows_the_pattern_is_a_difference() {
        Captures::default().expect("a\r\nb\r\n", "{x}");
    }

    #[test]
    fn a_body_is_measured() {
        let text = wire(
            "
            INVITE sip:a SIP/2.0
            Content-Length: *

            v=0
            ",
        );
        assert_eq!(text, "INVITE sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nv=0\r\n");
    }
}
