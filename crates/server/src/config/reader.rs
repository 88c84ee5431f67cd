//! Reading a file table by table so that nothing in it goes unnoticed: each key is taken by name, what is left is unknown,
//! and every complaint names its line, its key and what would be right.

use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something in the file that stops the start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// Counted from 1.
    pub(crate) line: usize,
    /// The key with its sections, "sip.listen"; empty where the text is not TOML at all.
    pub(crate) key: String,
    /// What is wrong and what would be right.
    pub(crate) text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.is_empty() {
            true => write!(f, "line {}: {}", self.line, self.text),
            false => write!(f, "line {}: {}: {}", self.line, self.key, self.text),
        }
    }
}

/// The text being read and what was found wrong in it so far.
pub(crate) struct Source<'t> {
    text: &'t str,
    /// Where each line but the first begins.
    lines: Vec<usize>,
    problems: Vec<Problem>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let lines = text.bytes().enumerate().filter(|(_, octet)| *octet == b'\n').map(|(at, _)| at + 1).collect();
        Source { text, lines, problems: Vec::new() }
    }

    /// The whole document as a section without a name; none where it is not TOML.
    pub(crate) fn document(
        &mut self,
        document: &'t Result<Spanned<DeTable<'t>>, toml::de::Error>,
    ) -> Option<Section<'t>> {
        match document {
            Ok(table) => Some(self.section(String::new(), 1, table.get_ref())),
            Err(error) => {
                let line = self.line(error.span().map_or(0, |span| span.start));
                self.complain(line, "", error.message().trim_end());
                None
            }
        }
    }

    /// Notes a problem.
    pub(crate) fn complain(&mut self, line: usize, key: &str, text: impl Into<String>) {
        self.problems.push(Problem { line, key: key.to_owned(), text: text.into() });
    }

    /// What was wrong, in the order of the lines.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems
    }

    fn section(&self, name: String, line: usize, table: &'t DeTable<'t>) -> Section<'t> {
        let entry = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let key: &Spanned<toml::de::DeString<'t>> = key;
            let entry = Entry { key: join(&name, key.get_ref()), line: self.line(key.span().start), value };
            (key.get_ref().to_string(), entry)
        };
        let entries = table.iter().map(entry).collect();
        Section { name, line, entries, known: Vec::new() }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.lines.partition_point(|start| *start <= offset.min(self.text.len()))
    }
}

/// A table of the file. Take each key that is known, then call [`Section::finish`].
pub(crate) struct Section<'t> {
    name: String,
    line: usize,
    entries: BTreeMap<String, Entry<'t>>,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// The line on which it begins.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    /// The full name of one of its keys.
    pub(crate) fn key(&self, key: &str) -> String {
        join(&self.name, key)
    }

    /// The names of the keys that nobody has taken yet.
    pub(crate) fn left(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Takes a value out.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Entry<'t>> {
        self.known.push(key);
        self.entries.remove(key)
    }

    /// Takes a value that is parsed at once; see [`Entry::parse`].
    pub(crate) fn parse<T>(
        &mut self,
        source: &mut Source<'t>,
        key: &'static str,
        right: &str,
        parse: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        self.take(key)?.parse(source, right, parse)
    }

    /// Takes `true` or `false`.
    pub(crate) fn bool(&mut self, source: &mut Source<'t>, key: &'static str) -> Option<bool> {
        self.parse(source, key, "true or false", DeValue::as_bool)
    }

    /// Takes a table under this one; an empty one where it is missing.
    pub(crate) fn section(&mut self, source: &mut Source<'t>, key: &'static str) -> Section<'t> {
        let empty = Section { name: self.key(key), line: self.line, entries: BTreeMap::new(), known: Vec::new() };
        let Some(entry) = self.take(key) else { return empty };
        match entry.value.get_ref().as_table() {
            Some(table) => source.section(entry.key, entry.line, table),
            None => {
                entry.wrong(source, &format!("a section, [{}]", entry.key));
                empty
            }
        }
    }

    /// Takes an array of tables; none where it is missing.
    pub(crate) fn sections(&mut self, source: &mut Source<'t>, key: &'static str) -> Vec<Section<'t>> {
        let Some(entry) = self.take(key) else { return Vec::new() };
        let items = entry.value.get_ref().as_array().map(|array| array.iter().collect::<Vec<_>>());
        let tables = items.and_then(|items| {
            let table = |item: &&'t Spanned<DeValue<'t>>| Some((item.span().start, item.get_ref().as_table()?));
            items.iter().map(table).collect::<Option<Vec<_>>>()
        });
        match tables {
            Some(tables) => {
                let section = |(start, table)| source.section(entry.key.clone(), source.line(start), table);
                tables.into_iter().map(section).collect()
            }
            None => {
                entry.wrong(source, &format!("sections, each [[{}]]", entry.key));
                Vec::new()
            }
        }
    }

    /// Refuses keys that the contract names and this version does not carry out.
    pub(crate) fn not_yet(&mut self, source: &mut Source<'t>, keys: &[&'static str]) {
        for key in keys {
            if let Some(entry) = self.entries.remove(*key) {
                source.complain(entry.line, &entry.key, "not carried out yet; right would be to leave it out");
            }
        }
    }

    /// Takes a key of which one value alone is carried out. A value of the right form is "not carried out yet", any other wrong.
    pub(crate) fn only(
        &mut self,
        source: &mut Source<'t>,
        key: &'static str,
        carried_out: &str,
        right: &str,
        is_right: impl FnOnce(&DeValue<'t>) -> bool,
    ) {
        let Some(entry) = self.take(key) else { return };
        let shown = show(entry.value.get_ref());
        if shown == carried_out {
            return;
        }
        match is_right(entry.value.get_ref()) {
            true => {
                let text = format!("{shown} is not carried out yet; right would be {carried_out}");
                source.complain(entry.line, &entry.key, text);
            }
            false => entry.wrong(source, right),
        }
    }

    /// Complains about every key that nobody took.
    pub(crate) fn finish(self, source: &mut Source<'t>) {
        let known = self.known.join(", ");
        let place = if self.name.is_empty() { "the file".to_owned() } else { format!("[{}]", self.name) };
        for entry in self.entries.into_values() {
            source.complain(entry.line, &entry.key, format!("unknown key; {place} may have {known}"));
        }
    }
}

/// A key of the file and its value.
pub(crate) struct Entry<'t> {
    /// With its sections, "sip.listen".
    pub(crate) key: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// What stands behind the equals sign.
    pub(crate) value: &'t Spanned<DeValue<'t>>,
}

impl<'t> Entry<'t> {
    /// The value through `parse`; a complaint that tells what is `right` where that gives none.
    pub(crate) fn parse<T>(
        &self,
        source: &mut Source<'t>,
        right: &str,
        parse: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        let value = parse(self.value.get_ref());
        if value.is_none() {
            self.wrong(source, right);
        }
        value
    }

    /// The members of an array, each through `parse`; none where one of them is wrong.
    pub(crate) fn parse_each<T>(
        &self,
        source: &mut Source<'t>,
        right: &str,
        mut parse: impl FnMut(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(array) = self.value.get_ref().as_array() else {
            self.wrong(source, right);
            return None;
        };
        let mut parsed = Some(Vec::new());
        for item in array.iter() {
            match item.get_ref().as_str().and_then(&mut parse) {
                Some(value) => {
                    if let Some(parsed) = &mut parsed {
                        parsed.push(value);
                    }
                }
                None => {
                    parsed = None;
                    let text = format!("{} is wrong; right would be {right}", show(item.get_ref()));
                    source.complain(source.line(item.span().start), &self.key, text);
                }
            }
        }
        parsed
    }

    /// Complains about the value.
    pub(crate) fn wrong(&self, source: &mut Source<'t>, right: &str) {
        let text = format!("{} is wrong; right would be {right}", show(self.value.get_ref()));
        source.complain(self.line, &self.key, text);
    }

    /// The inner table of an inline table, as a section.
    pub(crate) fn table(&self, source: &mut Source<'t>, right: &str) -> Option<Section<'t>> {
        match self.value.get_ref().as_table() {
            Some(table) => Some(source.section(self.key.clone(), self.line, table)),
            None => {
                self.wrong(source, right);
                None
            }
        }
    }
}

fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

fn show(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a section".to_owned(),
    }
}
