//! The rooms of the file and their policy.

use std::collections::BTreeSet;
use std::time::Duration;

use focus::room::{Address, Confusables, DeleteWhen, MediaTypes, Nickname, NicknameScope, Scheme};
use focus::settings::{Invitations, RoomPolicy};
use toml::de::DeValue;

use super::reader::{Section, Source};
use super::sections::text;
use super::{Config, Create, Room, permanent, users, value};

/// `[rooms]`, `[rooms.defaults]` and every `[[room]]`.
pub(super) fn read<'t>(source: &mut Source<'t>, root: &mut Section<'t>, config: &mut Config) {
    let mut section = root.section(source, "rooms");
    let create = section.parse(source, "create", "\"users\" or \"nobody\"", |value| match value.as_str()? {
        "users" => Some(Create::Users),
        "nobody" => Some(Create::Nobody),
        _ => None,
    });
    if let Some(create) = create {
        config.create = create;
    }
    factory(source, &mut section, config);
    let mut defaults = section.section(source, "defaults");
    policy(source, &mut defaults, &mut config.defaults);
    if let Some(delete_when) =
        defaults.parse(source, "delete_when", "\"empty\", \"creator_leaves\" or \"never\"", delete_when)
    {
        config.defaults.room.delete_when = delete_when;
    }
    defaults.finish(source);
    section.finish(source);
    for mut section in root.sections(source, "room") {
        if let Some(room) = room(source, &mut section, config) {
            config.rooms.push(room);
        }
        section.finish(source);
    }
}

/// The factory has a name of its own, which no user has.
fn factory<'t>(source: &mut Source<'t>, section: &mut Section<'t>, config: &mut Config) {
    let Some(entry) = section.take("factory") else { return };
    const RIGHT: &str = "the user part of a URI, like \"conference-factory\"";
    let name = entry.parse(source, RIGHT, |value| value.as_str().and_then(value::user_part));
    let uri = name.as_ref().map(|name| format!("sip:{name}@{}", config.domain));
    if let Some(uri) = uri.filter(|uri| Address::parse(uri).is_ok_and(|uri| config.is_taken(&uri))) {
        source.complain(
            entry.line,
            &entry.key,
            format!("\"{uri}\" is there already; right would be a name of its own"),
        );
    }
    config.factory = name;
}

fn room<'t>(source: &mut Source<'t>, section: &mut Section<'t>, config: &Config) -> Option<Room> {
    const NAME: &str = "the user part of its URI, like \"lobby\"";
    let said = section.left().map(str::to_owned).collect();
    let entry = section.take("name");
    if entry.is_none() {
        source.complain(section.line(), &section.key("name"), format!("missing; right would be {NAME}"));
    }
    let name =
        entry.as_ref().and_then(|entry| entry.parse(source, NAME, |value| value.as_str().and_then(value::user_part)));
    let subject = section
        .parse(source, "subject", "a line of at most 1024 octets", |value| text(value).filter(|text| is_subject(text)));
    let mut own = permanent(config.defaults.clone());
    policy(source, section, &mut own);
    section.parse(source, "delete_when", "\"never\": a room of the file is permanent", never);
    const WHO: &str = "URIs of users like [\"sip:alice@chat.example.com\"]";
    let moderators = section.take("moderators").and_then(|entry| entry.parse_each(source, WHO, moderator));
    let moderators = moderators.unwrap_or_default();
    let members = section.take("members").and_then(|entry| entry.parse_each(source, WHO, person));
    let password = users::secret(source, section, ["password", "password_ha1"], &config.auth).flatten();
    let hidden = section.bool(source, "hidden").unwrap_or_default();
    let (name, entry) = (name?, entry?);
    let uri = format!("sip:{name}@{}", config.domain);
    let is_taken = Address::parse(&uri).is_ok_and(|uri| config.is_taken(&uri));
    if is_taken || config.rooms.iter().any(|room| room.name == name) {
        let text = format!("\"{uri}\" is there already; right would be a name of its own");
        source.complain(entry.line, &entry.key, text);
    }
    let members = members.map(BTreeSet::from_iter);
    Some(Room { name, subject, moderators, policy: own, members, password, hidden, said })
}

/// Somebody whom a room knows, by any of their URIs.
fn person(text: &str) -> Option<Address> {
    Address::parse(text).ok().filter(|address| !address.user().is_empty())
}

/// Whether a room may be about this.
pub(crate) fn is_subject(text: &str) -> bool {
    text.len() <= 1024 && !text.chars().any(char::is_control)
}

/// Sets one key of a lasting room's policy, of which the file does not speak: what would be wrong there is wrong here too.
///
/// # Errors
///
/// What is wrong, and what would be right.
pub(crate) fn set(own: &mut RoomPolicy, key: &str, value: &serde_json::Value) -> Result<(), String> {
    let literal = toml::Value::try_from(value).map_err(|_| format!("{key}: {value} is no value"))?;
    let text = format!("[room]\n{} = {literal}\n", toml::Value::from(key));
    let document = toml::de::DeTable::parse(&text);
    let mut source = Source::new(&text);
    let mut changed = own.clone();
    if let Some(mut root) = source.document(&document) {
        let mut section = root.section(&mut source, "room");
        policy(&mut source, &mut section, &mut changed);
        section.parse(&mut source, "delete_when", "\"never\": a room that is kept is permanent", never);
        section.finish(&mut source);
    }
    match source.into_problems().into_iter().next() {
        Some(problem) => Err(format!("{}: {}", problem.key, problem.text)),
        None => {
            *own = changed;
            Ok(())
        }
    }
}

/// Every policy key but `delete_when`, which a permanent room may not choose.
fn policy<'t>(source: &mut Source<'t>, section: &mut Section<'t>, policy: &mut RoomPolicy) {
    for (key, flag) in [
        ("nicknames", &mut policy.room.nicknames),
        ("private_messages", &mut policy.room.private_messages),
        ("simultaneous_access", &mut policy.room.simultaneous_access),
        ("force_tls", &mut policy.room.force_tls),
        ("trust_undeclared", &mut policy.trust_undeclared),
        ("unaware_updates", &mut policy.unaware_updates),
        ("roster_over_tls_only", &mut policy.roster_over_tls_only),
    ] {
        *flag = section.bool(source, key).unwrap_or(*flag);
    }
    if let Some(entry) = section.take("wrapped_types") {
        const RIGHT: &str = "media types like [\"*\"], [\"text/*\"] or [\"text/plain\", \"text/html\"]";
        match entry.parse_each(source, RIGHT, value::media_type) {
            Some(types) if types.is_empty() || types.len() > 64 => entry.wrong(source, RIGHT),
            Some(types) => policy.room.wrapped_types = MediaTypes::lenient(types.iter().map(String::as_str)),
            None => {}
        }
    }
    if let Some(scope) = section.parse(source, "nickname_scope", "\"room\" or \"domain\"", nickname_scope) {
        policy.room.nickname_scope = scope;
    }
    if let Some(confusables) = section.parse(source, "nickname_confusables", "\"allow\" or \"refuse\"", confusables) {
        policy.room.nickname_confusables = confusables;
    }
    if let Some(entry) = section.take("reserved_nicknames") {
        const RIGHT: &str = "at most 1000 nicknames like [\"admin\"]";
        match entry.parse_each(source, RIGHT, nickname) {
            Some(words) if words.len() > 1000 => entry.wrong(source, RIGHT),
            Some(words) => policy.room.reserved_nicknames = words,
            None => {}
        }
    }
    for (key, shortest, right, span) in [
        ("chunk_timer", 1, "a span of time from \"1s\" to \"24h\"", &mut policy.chunk_timer),
        ("nickname_quarantine", 0, "a span of time from \"0s\" to \"24h\"", &mut policy.room.nickname_quarantine),
        ("grace", 0, "a span of time from \"0s\" to \"24h\"", &mut policy.grace),
        ("roster_interval", 0, "a span of time from \"0s\" to \"24h\"", &mut policy.roster_interval),
    ] {
        let day = Duration::from_secs(24 * 3600);
        let fits = |value: &Duration| (Duration::from_secs(shortest)..=day).contains(value);
        let read = |value: &DeValue<'_>| value.as_str().and_then(value::duration).filter(fits);
        *span = section.parse(source, key, right, read).unwrap_or(*span);
    }
    let size = |value: &DeValue<'_>| value.as_str().and_then(value::size).filter(|size| *size <= 1 << 40);
    if let Some(size) = section.parse(source, "congested_max_message", "a size from \"0B\" to \"1024GiB\"", size) {
        policy.congested_max = size;
    }
    let number = |value: &DeValue<'_>| {
        u32::from_str_radix(value.as_integer()?.as_str(), value.as_integer()?.radix())
            .ok()
            .map(|number| number as usize)
    };
    if let Some(number) = section.parse(source, "roster_full_below", "a number of users, like 100", number) {
        policy.roster_full_below = number;
    }
    const WHO: &str = "\"participants\", \"moderators\" or \"nobody\"";
    if let Some(invitations) = section.parse(source, "invitations", WHO, invitations) {
        policy.invitations = invitations;
    }
    later(source, section);
}

fn invitations(value: &DeValue<'_>) -> Option<Invitations> {
    match value.as_str()? {
        "participants" => Some(Invitations::Participants),
        "moderators" => Some(Invitations::Moderators),
        "nobody" => Some(Invitations::Nobody),
        _ => None,
    }
}

fn moderator(text: &str) -> Option<Address> {
    Address::parse(text).ok().filter(|address| address.scheme() == Scheme::Sip && !address.user().is_empty())
}

fn nickname_scope(value: &DeValue<'_>) -> Option<NicknameScope> {
    match value.as_str()? {
        "room" => Some(NicknameScope::Room),
        "domain" => Some(NicknameScope::Domain),
        _ => None,
    }
}

fn confusables(value: &DeValue<'_>) -> Option<Confusables> {
    match value.as_str()? {
        "allow" => Some(Confusables::Allow),
        "refuse" => Some(Confusables::Refuse),
        _ => None,
    }
}

fn nickname(text: &str) -> Option<String> {
    Nickname::new(text).is_ok().then(|| text.to_owned())
}

/// Policy keys of which this version carries out one value, or none.
fn later<'t>(source: &mut Source<'t>, section: &mut Section<'t>) {
    section.only(source, "history", "0", "0", |value| {
        value.as_integer().is_some_and(|number| u64::from_str_radix(number.as_str(), number.radix()).is_ok())
    });
}

fn never(value: &DeValue<'_>) -> Option<DeleteWhen> {
    delete_when(value).filter(|when| *when == DeleteWhen::Never)
}

fn delete_when(value: &DeValue<'_>) -> Option<DeleteWhen> {
    match value.as_str()? {
        "empty" => Some(DeleteWhen::Empty),
        "creator_leaves" => Some(DeleteWhen::CreatorLeaves),
        "never" => Some(DeleteWhen::Never),
        _ => None,
    }
}
