//! docs/configuration.md beside the reader: the same keys, defaults that are taken, and "not yet" where the reader says so.

use super::Config;

const PAGE: &str = include_str!("../../../../docs/configuration.md");
const POLICY: &str = "rooms.defaults";

/// A row of the page.
struct Key {
    /// "", "sip", "rooms.defaults", "[users]" for an array.
    section: &'static str,
    name: &'static str,
    default: &'static str,
    values: &'static str,
}

#[test]
fn the_page_has_every_key_that_the_reader_takes() {
    let keys = keys();
    let sections: std::collections::BTreeSet<_> = keys.iter().map(|key| key.section).collect();
    for section in sections {
        let taken = taken_by_the_reader(section);
        let refuses_all = keys.iter().filter(|key| key.section == section).all(Key::is_refused);
        assert!(!taken.is_empty() || refuses_all, "{section}");
        for name in taken.iter().filter(|name| !is_section(name)) {
            assert!(is_there(&keys, section, name), "the page lacks {name} of [{section}]");
        }
    }
}

#[test]
fn the_page_has_every_key_that_the_reader_refuses_by_name() {
    let keys = keys();
    let reader = [include_str!("sections.rs"), include_str!("rooms.rs"), include_str!("users.rs")].concat();
    let lists = reader.split(".not_yet(source, &[").skip(1).map(|rest| rest.split(']').next().unwrap());
    let names: Vec<_> = lists.flat_map(|list| list.split(", ").map(|name| name.trim_matches('"'))).collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(
            keys.iter().any(|key| key.name == name && key.is_refused()),
            "the page lacks {name}, or does not mark it"
        );
    }
}

#[test]
fn the_reader_knows_every_key_of_the_page_and_refuses_those_marked_so() {
    for key in keys() {
        let complaints = complaints(&file(key.section, &format!("{} = \"\\u0001\"", key.name)));
        let is_unknown = complaints.iter().any(|text| text.contains("unknown key"));
        let is_refused = complaints.iter().any(|text| text.contains(&format!("{}: not carried out yet", key.name)));
        assert!(!is_unknown, "[{}] {}: {complaints:?}", key.section, key.name);
        assert_eq!(is_refused, key.is_refused(), "[{}] {}: {complaints:?}", key.section, key.name);
    }
}

#[test]
fn the_reader_takes_every_default_of_the_page() {
    let mut taken = 0;
    for key in keys() {
        let Some(value) = key.default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else { continue };
        assert_eq!(
            complaints(&file(key.section, &format!("{} = {value}", key.name))),
            [""; 0],
            "[{}] {}",
            key.section,
            key.name
        );
        taken += 1;
    }
    assert!(taken > 15);
}

#[test]
fn the_defaults_of_the_page_are_those_of_an_empty_file() {
    let keys = keys();
    let mut text = String::new();
    for section in ["", "sip", "msrp", "http", "store", "auth", "limits", "rooms", POLICY] {
        text += &if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        for key in keys.iter().filter(|key| key.section == section) {
            if let Some(value) = key.default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
                text += &format!("{} = {value}\n", key.name);
            }
        }
    }
    assert_eq!(Config::parse(&text).unwrap(), Config::parse("").unwrap());
}

impl Key {
    fn is_refused(&self) -> bool {
        self.values.starts_with("**Not yet.**")
    }
}

fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    let mut section = "";
    for line in PAGE.lines() {
        if let Some(name) = line.strip_prefix("## [").and_then(|rest| rest.strip_suffix(']')) {
            section = name.strip_suffix(']').map_or(name, |_| &line["## [".len()..line.len() - 1]);
        } else if let Some(row) = line.strip_prefix("| `") {
            let cells: Vec<_> = row.trim_end_matches(" |").splitn(3, " | ").collect();
            let [name, default, values] = cells[..] else { panic!("{line}") };
            keys.push(Key { section, name: name.trim_end_matches('`'), default, values });
        }
    }
    assert!(keys.len() > 40);
    keys
}

fn is_there(keys: &[Key], section: &str, name: &str) -> bool {
    let has = |section| keys.iter().any(|key| key.section == section && key.name == name);
    has(section) || (section == "[room]" && has(POLICY))
}

/// The keys that stand for sections, which have headings of their own.
fn is_section(name: &str) -> bool {
    ["sip", "msrp", "http", "tls", "store", "auth", "limits", "users", "rooms", "room", "defaults"].contains(&name)
}

/// What the reader says that a section may have.
fn taken_by_the_reader(section: &str) -> Vec<String> {
    let complaints = complaints(&file(section, "no_such_key = 1"));
    let list = complaints.iter().find_map(|text| text.split_once(" may have ")).map(|(_, list)| list.to_owned());
    list.unwrap_or_default().split(", ").map(str::to_owned).filter(|name| !name.is_empty()).collect()
}

/// A file with this line in this section, and with what that section cannot be without.
fn file(section: &str, line: &str) -> String {
    let is_missing = |key: &str| !line.starts_with(&format!("{key} = "));
    let mut text = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
    let needed: &[(&str, &str)] = match section {
        "[users]" => &[("uri", "\"sip:alice@localhost\""), ("password", "\"wonderland\"")],
        "[room]" => &[("name", "\"lobby\"")],
        _ => &[],
    };
    for (key, value) in needed.iter().filter(|(key, _)| is_missing(key)) {
        text += &format!("{key} = {value}\n");
    }
    text + line + "\n"
}

fn complaints(text: &str) -> Vec<String> {
    Config::parse(text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}
