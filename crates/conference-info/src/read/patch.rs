//! Patches, RFC 6502 §5.3 and RFC 5261: the operations on what is modelled here.

use std::collections::BTreeMap;

use super::scan::{Scanner, Space, Tag, is_known};
use super::{Diff, Error, Operation, elements, excerpt};

pub(super) fn diff(scanner: &mut Scanner<'_>, root: &Tag) -> Result<Diff, Error> {
    let lacks = Error::Lacks { element: "conference-info-diff", part: "entity" };
    let entity = root.attribute("entity").ok_or(lacks)?.trim_ascii().to_owned();
    let mut diff = Diff { entity, ..Diff::default() };
    while let Some(tag) = scanner.child()? {
        scanner.count()?;
        match tag.name {
            "add" => add(scanner, &tag, &mut diff)?,
            "replace" => replace(scanner, &tag, &mut diff)?,
            "remove" => remove(scanner, &tag, &mut diff)?,
            _ => scanner.skip()?,
        }
    }
    Ok(diff)
}

/// What an operation is on.
enum Target {
    Root,
    Version,
    Description,
    Host,
    State,
    /// One of the numbers and flags of the state, and whether its text is meant and not itself.
    StateField(Field, bool),
    Users,
    User(String),
    Nickname(String),
    /// Something that is not modelled.
    Unknown,
}

#[derive(Clone, Copy)]
enum Field {
    UserCount,
    Active,
    Locked,
}

fn add(scanner: &mut Scanner<'_>, tag: &Tag, diff: &mut Diff) -> Result<(), Error> {
    let (selector, target) = target(scanner, tag)?;
    match (target, tag.attribute("type")) {
        (Target::User(entity), Some(attribute)) => {
            if attribute_step(scanner, attribute)? == Some((Space::Xcon, "nickname")) {
                let nickname = scanner.text()?;
                diff.operations.push(Operation::AddNickname(entity, nickname));
                return Ok(());
            }
            scanner.skip()
        }
        (Target::Users, None) => {
            while let Some(child) = scanner.child()? {
                match child.name {
                    "user" => {
                        let (entity, user) = elements::user(scanner, &child)?;
                        diff.operations.push(Operation::AddUser(entity, user));
                    }
                    _ => scanner.skip()?,
                }
            }
            Ok(())
        }
        (Target::Root, None) => {
            while let Some(child) = scanner.child()? {
                match section(scanner, &child)? {
                    Some(operation) => diff.operations.push(operation),
                    None => scanner.skip()?,
                }
            }
            Ok(())
        }
        // Whatever else is added is not modelled, or is added where it cannot be yet.
        (Target::Unknown | Target::Root | Target::Users, _) => scanner.skip(),
        _ => Err(Error::Selector(excerpt(&selector))),
    }
}

fn replace(scanner: &mut Scanner<'_>, tag: &Tag, diff: &mut Diff) -> Result<(), Error> {
    let (selector, target) = target(scanner, tag)?;
    let operation = match target {
        Target::Version => {
            diff.version = Some(elements::number(&scanner.text()?, "version")?);
            return Ok(());
        }
        Target::Unknown => return scanner.skip(),
        Target::Description => only_child(scanner, "conference-description")?,
        Target::Host => only_child(scanner, "host-info")?,
        Target::State => only_child(scanner, "conference-state")?,
        Target::Users => only_child(scanner, "users")?,
        Target::User(before) => replaced_user(scanner, before)?,
        Target::Nickname(entity) => Operation::ReplaceNickname(entity, scanner.text()?),
        Target::StateField(field, is_text) => state_field(scanner, field, is_text)?,
        Target::Root => return Err(Error::Selector(excerpt(&selector))),
    };
    diff.operations.push(operation);
    Ok(())
}

fn remove(scanner: &mut Scanner<'_>, tag: &Tag, diff: &mut Diff) -> Result<(), Error> {
    let (selector, target) = target(scanner, tag)?;
    let operation = match target {
        Target::Unknown => return scanner.skip(),
        Target::Description => Operation::Description(Default::default()),
        Target::Host => Operation::Host(Default::default()),
        Target::State => Operation::State(Default::default()),
        Target::Users => Operation::Users(BTreeMap::new()),
        Target::User(entity) => Operation::RemoveUser(entity),
        Target::Nickname(entity) => Operation::RemoveNickname(entity),
        Target::Root | Target::Version | Target::StateField(..) => return Err(Error::Selector(excerpt(&selector))),
    };
    diff.operations.push(operation);
    scanner.skip()
}

/// Reads an element that stands right in the root; `None`, and nothing is read, where it is not modelled.
fn section(scanner: &mut Scanner<'_>, tag: &Tag) -> Result<Option<Operation>, Error> {
    Ok(Some(match tag.name {
        "conference-description" => Operation::Description(elements::description(scanner)?),
        "host-info" => Operation::Host(elements::host(scanner)?),
        "conference-state" => Operation::State(elements::state(scanner)?),
        "users" => {
            let mut users = BTreeMap::new();
            while let Some(child) = scanner.child()? {
                match child.name {
                    "user" => users.extend([elements::user(scanner, &child)?]),
                    _ => scanner.skip()?,
                }
            }
            Operation::Users(users)
        }
        _ => return Ok(None),
    }))
}

/// The content of an operation that has to be this element.
fn only_child(scanner: &mut Scanner<'_>, name: &'static str) -> Result<Operation, Error> {
    let mut found = None;
    while let Some(child) = scanner.child()? {
        if child.name == name && found.is_none() {
            found = section(scanner, &child)?;
        } else {
            return Err(Error::Lacks { element: "replace", part: name });
        }
    }
    found.ok_or(Error::Lacks { element: "replace", part: name })
}

fn replaced_user(scanner: &mut Scanner<'_>, before: String) -> Result<Operation, Error> {
    let mut found = None;
    while let Some(child) = scanner.child()? {
        if child.name != "user" || found.is_some() {
            return Err(Error::Lacks { element: "replace", part: "user" });
        }
        found = Some(elements::user(scanner, &child)?);
    }
    let (entity, user) = found.ok_or(Error::Lacks { element: "replace", part: "user" })?;
    Ok(Operation::ReplaceUser(before, entity, user))
}

fn state_field(scanner: &mut Scanner<'_>, field: Field, is_text: bool) -> Result<Operation, Error> {
    let text = if is_text {
        scanner.text()?
    } else {
        let mut text = String::new();
        while scanner.child()?.is_some() {
            text = scanner.text()?;
        }
        text
    };
    Ok(match field {
        Field::UserCount => Operation::UserCount(elements::number(&text, "user-count")?),
        Field::Active => Operation::Active(elements::flag(&text, "active")?),
        Field::Locked => Operation::Locked(elements::flag(&text, "locked")?),
    })
}

/// The selector of an operation, and what it leads to.
fn target(scanner: &Scanner<'_>, tag: &Tag) -> Result<(String, Target), Error> {
    let lacks = Error::Lacks { element: tag.name, part: "sel" };
    let selector = tag.attribute("sel").ok_or(lacks)?.trim_ascii();
    match find(scanner, selector)? {
        Some(target) => Ok((selector.to_owned(), target)),
        None => Err(Error::Selector(excerpt(selector))),
    }
}

/// What a selector leads to; `None` where it is not understood.
fn find(scanner: &Scanner<'_>, selector: &str) -> Result<Option<Target>, Error> {
    let steps = steps(selector.strip_prefix('/').unwrap_or(selector));
    let Some((root, steps)) = steps.split_first() else { return Ok(None) };
    if *root != "*" && element_step(scanner, root)? != Some(("conference-info", "")) {
        return Ok(None);
    }
    let Some((section, steps)) = steps.split_first() else { return Ok(Some(Target::Root)) };
    if let Some(attribute) = attribute_step(scanner, section)? {
        return Ok(Some(if attribute == (Space::None, "version") { Target::Version } else { Target::Unknown }));
    }
    Ok(match (element_step(scanner, section)?, steps) {
        (Some(("", _)), _) => Some(Target::Unknown),
        (Some(("conference-description", "")), []) => Some(Target::Description),
        (Some(("host-info", "")), []) => Some(Target::Host),
        (Some(("conference-state", "")), []) => Some(Target::State),
        (Some(("conference-state", "")), [field, text @ ..]) => state_target(scanner, field, text)?,
        (Some(("users", "")), []) => Some(Target::Users),
        (Some(("users", "")), [user, steps @ ..]) => user_target(scanner, user, steps)?,
        (Some(("conference-description" | "host-info", "")), [step, ..]) => unknown(scanner, step)?,
        _ => None,
    })
}

fn state_target(scanner: &Scanner<'_>, field: &str, text: &[&str]) -> Result<Option<Target>, Error> {
    let is_text = match text {
        [] => false,
        ["text()" | "text()[1]"] => true,
        _ => return unknown(scanner, field),
    };
    Ok(match element_step(scanner, field)? {
        Some(("user-count", "")) => Some(Target::StateField(Field::UserCount, is_text)),
        Some(("active", "")) => Some(Target::StateField(Field::Active, is_text)),
        Some(("locked", "")) => Some(Target::StateField(Field::Locked, is_text)),
        _ => unknown(scanner, field)?,
    })
}

fn user_target(scanner: &Scanner<'_>, user: &str, steps: &[&str]) -> Result<Option<Target>, Error> {
    let Some(("user", predicate)) = element_step(scanner, user)? else { return unknown(scanner, user) };
    let Some(entity) = entity_predicate(predicate) else { return Ok(None) };
    let entity = entity.trim_ascii().to_owned();
    let Some((step, _)) = steps.split_first() else { return Ok(Some(Target::User(entity))) };
    if attribute_step(scanner, step)? == Some((Space::Xcon, "nickname")) {
        return Ok(Some(Target::Nickname(entity)));
    }
    unknown(scanner, step)
}

/// Something that is not modelled, if this step leads to it: a foreign attribute, or an element that is not read.
fn unknown(scanner: &Scanner<'_>, step: &str) -> Result<Option<Target>, Error> {
    let is_unknown = match attribute_step(scanner, step)? {
        Some((space, _)) => space == Space::Foreign,
        None => matches!(element_step(scanner, step)?, Some(("", _))),
    };
    Ok(is_unknown.then_some(Target::Unknown))
}

/// The parts of a path, which slashes in quotes do not part.
fn steps(path: &str) -> Vec<&str> {
    let mut quote = None;
    path.split(|character| match (quote, character) {
        (None, '\'' | '"') => {
            quote = Some(character);
            false
        }
        (Some(open), _) => {
            quote = (open != character).then_some(open);
            false
        }
        (None, _) => character == '/',
    })
    // Nothing that is understood has more; a longer path is as good as this much of it.
    .take(8)
    .collect()
}

/// The name of a step to an element, empty where the element is not read, and the predicates behind it; `None` where the
/// step leads to no element by name.
///
/// A name without a prefix counts as one of RFC 4575's whatever the default namespace is: in the example of RFC 6502 §5.5 that
/// is RFC 6501's.
fn element_step<'s>(scanner: &Scanner<'_>, step: &'s str) -> Result<Option<(&'s str, &'s str)>, Error> {
    let (name, predicates) = step.split_at(step.find('[').unwrap_or(step.len()));
    let (has_prefix, local) = name.split_once(':').map_or((false, name), |(_, local)| (true, local));
    if local.is_empty() || !local.chars().all(|character| character.is_alphanumeric() || "-_.".contains(character)) {
        return Ok(None);
    }
    let is_ours = !has_prefix || scanner.space_of(name)? == Space::Info;
    let is_read = is_ours && is_known(local);
    Ok(Some((if is_read { local } else { "" }, predicates)))
}

/// The name of a step to an attribute, and whose it is; `None` where the step leads to something else.
fn attribute_step<'s>(scanner: &Scanner<'_>, step: &'s str) -> Result<Option<(Space, &'s str)>, Error> {
    let Some(name) = step.strip_prefix('@') else { return Ok(None) };
    Ok(Some(match name.split_once(':') {
        Some((_, local)) => (scanner.space_of(name)?, local),
        None => (Space::None, name),
    }))
}

/// The value in `[@entity="value"]`.
fn entity_predicate(predicate: &str) -> Option<&str> {
    let value = predicate.strip_prefix("[@entity=")?.strip_suffix(']')?;
    let quote = value.chars().next().filter(|quote| "'\"".contains(*quote))?;
    let value = value.strip_prefix(quote)?.strip_suffix(quote)?;
    (!value.contains(quote)).then_some(value)
}
