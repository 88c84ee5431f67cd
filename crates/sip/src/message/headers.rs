//! Header field rows, kept as they were written.

use std::borrow::Cow;

use super::names::{same_name, well_known};
use crate::typed;

/// One header field row: name and value as written (line folding undone, RFC 3261 §7.3.1).
///
/// Values are UTF-8 (RFC 3261 §25.1). Octets that are not, as some peers put into display names and subjects, read as
/// U+FFFD in [`Row::value`], and are written again as they came: an answer must echo its From and To exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    name: Cow<'static, str>,
    value: String,
    /// The octets, where they are not those of `value`.
    octets: Option<Vec<u8>>,
}

impl Row {
    /// The name as written, perhaps in compact form.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value as written, without the white space around it.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The octets of the value, UTF-8 or not.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.octets.as_deref().unwrap_or(self.value.as_bytes())
    }

    /// Whether the row is of that header field: case-blind, compact forms (RFC 3261 §7.3.3) equal to long ones.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        same_name(&self.name, name)
    }

    /// Continues the value.
    pub(crate) fn extend(&mut self, more: &[u8]) {
        match (std::str::from_utf8(more), &mut self.octets) {
            (Ok(more), None) => return self.value.push_str(more),
            (_, Some(octets)) => octets.extend_from_slice(more),
            (Err(_), None) => self.octets = Some([self.value.as_bytes(), more].concat()),
        }
        self.value.push_str(&String::from_utf8_lossy(more));
    }

    pub(crate) fn set_value(&mut self, value: String) {
        self.value = value;
        self.octets = None;
    }
}

/// Header field rows, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<Row>);

impl Headers {
    /// All rows in order.
    pub fn rows(&self) -> std::slice::Iter<'_, Row> {
        self.0.iter()
    }

    /// The value of the first row of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|row| row.is(name)).map(Row::value)
    }

    /// The values of all rows of that name, in order, each as written.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |row| row.is(name)).map(Row::value)
    }

    /// The elements of a comma-separated header field, over all its rows, in order (RFC 3261 §7.3.1).
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.all(name).flat_map(typed::split_list)
    }

    /// How many rows of that name there are.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.all(name).count()
    }

    /// Appends a row. Control characters of the value but the tab become spaces, so that no value can start a header
    /// field of its own; a name that is no token is left out altogether.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let name = name.into();
        if typed::is_token(&name) {
            self.0.push(Row { name, value: one_line(value.into()), octets: None });
        }
    }

    /// Takes out every row of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|row| !row.is(name));
    }

    /// Gives the first row of that name this value; where there is none, appends one.
    pub(crate) fn set(&mut self, name: &'static str, value: String) {
        match self.first_mut(name) {
            Some(row) => row.set_value(one_line(value)),
            None => self.push(name, value),
        }
    }

    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self(Vec::with_capacity(rows))
    }

    pub(crate) fn push_read(&mut self, name: &str, value: &[u8]) {
        let name = well_known(name).map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed);
        let mut row = Row { name, value: String::new(), octets: None };
        row.extend(value);
        self.0.push(row);
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut Row> {
        self.0.last_mut()
    }

    pub(crate) fn first_mut(&mut self, name: &str) -> Option<&mut Row> {
        self.0.iter_mut().find(|row| row.is(name))
    }

    pub(crate) fn copy_from(&mut self, other: &Headers, name: &str) {
        self.0.extend(other.0.iter().filter(|row| row.is(name)).cloned());
    }

    /// Writes the rows, but for those of one name.
    pub(crate) fn encode_without(&self, name: &str, out: &mut Vec<u8>) {
        for row in self.0.iter().filter(|row| !row.is(name)) {
            out.extend_from_slice(row.name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(row.octets());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Text in which nothing can end a line.
pub(crate) fn one_line(text: String) -> String {
    let breaks = |character: char| character.is_control() && character != '\t';
    if text.contains(breaks) { text.replace(breaks, " ") } else { text }
}
