//! How people are called, and what is said of who is in the room.
//!
//! A nickname is its owner's choice: it stands in the place of the address only where it cannot be taken for somebody else or for
//! something else in the line.

use client::sip::typed::Uri;
use client::{DisconnectionMethod, Member, Roster, RosterEvent};

use super::words::plain;

/// A longer nickname would hide what is said behind it, in characters.
const MAX_NAME: usize = 32;

/// The people of a room, as somebody of a domain calls them.
#[derive(Clone, Copy)]
pub(super) struct People<'a> {
    pub(super) domain: &'a str,
    pub(super) roster: Option<&'a Roster>,
}

impl People<'_> {
    /// Somebody by the address; a user of one's own domain by the user part alone.
    pub(super) fn address(&self, uri: &str) -> String {
        plain(&self.short(uri))
    }

    fn short(&self, uri: &str) -> String {
        let parsed = Uri::parse(uri).ok().filter(|parsed| parsed.is_sip());
        let at_home = parsed.filter(|parsed| parsed.host().as_deref() == Some(self.domain));
        at_home.as_ref().and_then(Uri::user).unwrap_or(uri).to_owned()
    }

    /// Somebody who speaks, or is spoken to: by the nickname where that is known and plain, else by the address.
    pub(super) fn name(&self, uri: &str) -> String {
        let nickname = self.member(uri).and_then(|(uri, member)| self.clear_nickname(uri, member));
        nickname.map_or_else(|| self.address(uri), plain)
    }

    /// Who is there by that address, in whatever spelling.
    fn member(&self, uri: &str) -> Option<(&str, &Member)> {
        let people = &self.roster?.people;
        let (uri, member) = people.get_key_value(uri).or_else(|| {
            let meant = Uri::parse(uri).ok()?;
            people.iter().find(|(known, _)| Uri::parse(known).is_ok_and(|known| known.same_address(&meant)))
        })?;
        Some((uri, member))
    }

    /// A nickname that means nobody else, and breaks out of nothing.
    fn clear_nickname<'m>(&self, uri: &str, member: &'m Member) -> Option<&'m str> {
        let nickname = member.nickname.as_deref()?;
        let is_short = nickname.chars().count() <= MAX_NAME;
        let is_plain = !nickname.contains(['<', '>', '[', ']']) && plain(nickname) == nickname;
        if !is_short || !is_plain || nickname.contains("->") || nickname.trim() != nickname {
            return None;
        }
        let lower = nickname.to_lowercase();
        let is_of = |(other, member): (&String, &Member)| {
            let taken = member.nickname.as_ref().is_some_and(|taken| taken.to_lowercase() == lower);
            *other != uri && (taken || self.short(other).to_lowercase() == lower || other.to_lowercase() == lower)
        };
        let is_anothers = self.roster?.people.iter().any(is_of);
        (!is_anothers).then_some(nickname)
    }

    /// Everybody who is there, one a line.
    pub(super) fn list(&self) -> String {
        let Some(roster) = self.roster else {
            return "! the room has not told who is here; with --quiet it is not asked".to_owned();
        };
        let lines: Vec<String> = roster.people.iter().map(|(uri, member)| self.entry(uri, member)).collect();
        if lines.is_empty() { "* nobody is here".to_owned() } else { lines.join("\n") }
    }

    fn entry(&self, uri: &str, member: &Member) -> String {
        let called = member.nickname.as_ref().map(|nickname| format!(", called {}", quoted(nickname)));
        let marks = [(member.is_self, "you"), (member.is_away, "away"), (member.is_muted, "muted")];
        let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        format!("* {}{}{marks}", self.address(uri), called.unwrap_or_default())
    }

    /// What became different; nothing where it is for `/who` alone.
    pub(super) fn line(&self, event: &RosterEvent) -> Option<String> {
        Some(match event {
            RosterEvent::Known => self.greeting(),
            RosterEvent::Unknown => "* it is not known any more who is here".to_owned(),
            RosterEvent::Came { uri } => format!("* {} joined", self.address(uri)),
            RosterEvent::Left { uri, how, .. } => format!("* {} {}", self.address(uri), departure(*how)),
            RosterEvent::Nickname { uri, .. } => {
                // One's own was told of with the answer to /nick.
                let (_, member) = self.member(uri).filter(|(_, member)| !member.is_self)?;
                match &member.nickname {
                    Some(nickname) => format!("* {} is called {}", self.address(uri), quoted(nickname)),
                    None => format!("* {} has no nickname any more", self.address(uri)),
                }
            }
            RosterEvent::Muted { uri, is_muted } => {
                let is_self = self.member(uri).is_some_and(|(_, member)| member.is_self);
                let who = if is_self { "you are".to_owned() } else { format!("{} is", self.address(uri)) };
                format!("* {who} {}", if *is_muted { "muted" } else { "not muted any more" })
            }
            RosterEvent::Away { .. } => return None,
            RosterEvent::Subject => match self.roster?.subject.as_deref() {
                Some(subject) => format!("* the room is about {}", quoted(subject)),
                None => "* the room is about nothing in particular".to_owned(),
            },
            RosterEvent::Closed => "* the room is closed".to_owned(),
        })
    }

    /// Who is there already.
    fn greeting(&self) -> String {
        let people = self.roster.into_iter().flat_map(|roster| &roster.people);
        let others: Vec<String> = people.filter(|(_, it)| !it.is_self).map(|(uri, _)| self.name(uri)).collect();
        const SHOWN: usize = 20;
        match others.len() {
            0 => "* nobody else is here".to_owned(),
            1..=SHOWN => format!("* here: {}", others.join(", ")),
            many => format!("* here: {many} others; /who lists them"),
        }
    }
}

fn departure(how: Option<DisconnectionMethod>) -> &'static str {
    match how {
        None | Some(DisconnectionMethod::Departed | DisconnectionMethod::Busy) => "left",
        Some(DisconnectionMethod::Booted) => "was sent away",
        Some(DisconnectionMethod::Failed) => "is gone: the connection failed",
    }
}

/// Somebody's own words, so that they are not taken for ours.
fn quoted(text: &str) -> String {
    format!("\"{}\"", plain(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn roster(people: &[(&str, &str)]) -> Roster {
        let member = |nickname: &str| Member {
            nickname: (!nickname.is_empty()).then(|| nickname.to_owned()),
            ..Member::default()
        };
        let people = people.iter().map(|(uri, nickname)| ((*uri).to_owned(), member(nickname)));
        Roster { subject: None, people: BTreeMap::from_iter(people) }
    }

    #[test]
    fn a_nickname_stands_for_the_address_where_it_means_nobody_else() {
        let long = "x".repeat(33);
        let people = [
            ("sip:al@chat.test", "Al"),
            ("sip:bob@chat.test", ""),
            ("sip:mallory@chat.test", "BOB"),
            ("sip:eve@chat.test", "Twin"),
            ("sip:eva@elsewhere.test", "twin"),
            ("sip:trudy@chat.test", "al> yes, he said"),
            ("sip:oscar@chat.test", &long),
            ("sip:peggy@chat.test", "tel\u{202e}x"),
            ("sip:wendy@chat.test", "sip:Al@chat.test"),
        ];
        let roster = roster(&people);
        let people = People { domain: "chat.test", roster: Some(&roster) };
        for (uri, name) in [
            ("sip:al@chat.test", "Al"),
            ("sip:al@CHAT.test;transport=tcp", "Al"),
            ("sip:bob@chat.test", "bob"),
            ("sip:mallory@chat.test", "mallory"),
            ("sip:eve@chat.test", "eve"),
            ("sip:eva@elsewhere.test", "sip:eva@elsewhere.test"),
            ("sip:trudy@chat.test", "trudy"),
            ("sip:oscar@chat.test", "oscar"),
            ("sip:peggy@chat.test", "peggy"),
            ("sip:wendy@chat.test", "wendy"),
            ("sip:nobody@chat.test", "nobody"),
            ("no URI\u{1b}", "no URI\\u{1b}"),
        ] {
            assert_eq!(people.name(uri), name, "{uri}");
        }
        let people = People { domain: "chat.test", roster: None };
        assert_eq!(people.name("sip:al@chat.test"), "al");
    }

    #[test]
    fn who_is_there_is_listed_with_all_that_is_known() {
        let mut roster = roster(&[("sip:al@chat.test", "Al \"the\" Great"), ("sip:bob@chat.test", "")]);
        for member in roster.people.values_mut() {
            (member.is_away, member.is_muted) = (true, true);
        }
        if let Some(al) = roster.people.get_mut("sip:al@chat.test") {
            *al = Member { is_self: true, nickname: al.nickname.clone(), ..Member::default() };
        }
        let people = People { domain: "chat.test", roster: Some(&roster) };
        assert_eq!(people.list(), "* al, called \"Al \"the\" Great\" (you)\n* bob (away, muted)");
        let line = |event| people.line(&event);
        let uri = || "sip:bob@chat.test".to_owned();
        let left = |how| RosterEvent::Left { uri: uri(), was: Member::default(), how };
        for (event, told) in [
            (RosterEvent::Known, Some("* here: bob")),
            (left(None), Some("* bob left")),
            (left(Some(DisconnectionMethod::Booted)), Some("* bob was sent away")),
            (RosterEvent::Muted { uri: "sip:al@chat.test".to_owned(), is_muted: true }, Some("* you are muted")),
            (RosterEvent::Nickname { uri: "sip:al@chat.test".to_owned(), before: None }, None),
            (RosterEvent::Nickname { uri: uri(), before: None }, Some("* bob has no nickname any more")),
            (RosterEvent::Away { uri: uri(), is_away: true }, None),
        ] {
            assert_eq!(line(event.clone()).as_deref(), told, "{event:?}");
        }
    }
}
