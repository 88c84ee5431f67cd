//! The elements of RFC 4575. Each function is given the beginning of an element, or stands within it, and reads to its end.

use std::collections::BTreeMap;

use super::scan::{Scanner, Space, Tag};
use super::{Document, Error, State, UserList, UserPart};
use crate::model::{
    AvailableMedia, CallInfo, ConferenceState, Description, DisconnectionMethod, Endpoint, EndpointStatus, Execution,
    HostInfo, JoiningMethod, Media, MediaStatus, UriEntry, User,
};

pub(super) fn document(scanner: &mut Scanner<'_>, root: &Tag) -> Result<Document, Error> {
    let mut document = Document {
        entity: key(root, "conference-info", "entity")?.trim_ascii().to_owned(),
        version: root.attribute("version").map(|version| number(version, "version")).transpose()?,
        state: state_of(root)?,
        ..Document::default()
    };
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "conference-description" => document.description = Some(description(scanner)?),
            "host-info" => document.host = Some(host(scanner)?),
            "conference-state" => document.conference_state = Some(state(scanner)?),
            "users" => document.users = Some(user_list(scanner, &tag)?),
            _ => scanner.skip()?,
        }
    }
    Ok(document)
}

pub(super) fn description(scanner: &mut Scanner<'_>) -> Result<Description, Error> {
    let mut description = Description::default();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "display-text" => description.display_text = Some(scanner.text()?),
            "subject" => description.subject = Some(scanner.text()?),
            "free-text" => description.free_text = Some(scanner.text()?),
            "keywords" => description.keywords = words(scanner)?,
            "conf-uris" => description.conf_uris = uris(scanner)?,
            "service-uris" => description.service_uris = uris(scanner)?,
            "maximum-user-count" => {
                description.maximum_user_count = Some(number(&scanner.text()?, "maximum-user-count")?);
            }
            "available-media" => description.available_media = available_media(scanner)?,
            _ => scanner.skip()?,
        }
    }
    Ok(description)
}

pub(super) fn host(scanner: &mut Scanner<'_>) -> Result<HostInfo, Error> {
    let mut host = HostInfo::default();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "display-text" => host.display_text = Some(scanner.text()?),
            "web-page" => host.web_page = Some(token(scanner)?),
            "uris" => host.uris = uris(scanner)?,
            _ => scanner.skip()?,
        }
    }
    Ok(host)
}

pub(super) fn state(scanner: &mut Scanner<'_>) -> Result<ConferenceState, Error> {
    let mut state = ConferenceState::default();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "user-count" => state.user_count = Some(number(&scanner.text()?, "user-count")?),
            "active" => state.active = Some(flag(&scanner.text()?, "active")?),
            "locked" => state.locked = Some(flag(&scanner.text()?, "locked")?),
            _ => scanner.skip()?,
        }
    }
    Ok(state)
}

fn user_list(scanner: &mut Scanner<'_>, tag: &Tag) -> Result<UserList, Error> {
    let mut list = UserList { state: state_of(tag)?, users: BTreeMap::new() };
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "user" => {
                let (entity, part) = user_part(scanner, &tag)?;
                list.users.insert(entity, part);
            }
            _ => scanner.skip()?,
        }
    }
    Ok(list)
}

/// A user as a document without states tells of it.
pub(super) fn user(scanner: &mut Scanner<'_>, tag: &Tag) -> Result<(String, User), Error> {
    let (entity, part) = user_part(scanner, tag)?;
    Ok((entity, part.into_whole()))
}

fn user_part(scanner: &mut Scanner<'_>, tag: &Tag) -> Result<(String, UserPart), Error> {
    scanner.count()?;
    let entity = key(tag, "user", "entity")?.trim_ascii().to_owned();
    let mut part = UserPart { state: state_of(tag)?, ..UserPart::default() };
    let user = &mut part.user;
    user.nickname = tag.attribute_in(Space::Xcon, "nickname").map(str::to_owned);
    user.own = tag.attribute_in(Space::Own, "own").map(|own| flag(own, "own")).transpose()?.unwrap_or_default();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "display-text" => user.display_text = Some(scanner.text()?),
            "associated-aors" => user.associated_aors = uris(scanner)?,
            "roles" => user.roles = roles(scanner)?,
            "languages" => user.languages = words(scanner)?,
            "endpoint" => {
                scanner.count()?;
                let entity = key(&tag, "endpoint", "entity")?.to_owned();
                let state = state_of(&tag)?;
                part.endpoints.insert(entity, (state, endpoint(scanner)?));
            }
            _ => scanner.skip()?,
        }
    }
    Ok((entity, part))
}

fn roles(scanner: &mut Scanner<'_>) -> Result<Vec<String>, Error> {
    let mut roles = Vec::new();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "entry" => {
                scanner.count()?;
                roles.push(scanner.text()?);
            }
            _ => scanner.skip()?,
        }
    }
    Ok(roles)
}

fn endpoint(scanner: &mut Scanner<'_>) -> Result<Endpoint, Error> {
    let mut endpoint = Endpoint::default();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "display-text" => endpoint.display_text = Some(scanner.text()?),
            "referred" => endpoint.referred = Some(execution(scanner)?),
            "status" => endpoint.status = EndpointStatus::from_token(&token(scanner)?),
            "joining-method" => endpoint.joining_method = JoiningMethod::from_token(&token(scanner)?),
            "joining-info" => endpoint.joining_info = Some(execution(scanner)?),
            "disconnection-method" => endpoint.disconnection_method = DisconnectionMethod::from_token(&token(scanner)?),
            "disconnection-info" => endpoint.disconnection_info = Some(execution(scanner)?),
            "media" => {
                scanner.count()?;
                let id = key(&tag, "media", "id")?.to_owned();
                endpoint.media.insert(id, media(scanner)?);
            }
            "call-info" => endpoint.call_info = call_info(scanner)?,
            _ => scanner.skip()?,
        }
    }
    Ok(endpoint)
}

fn execution(scanner: &mut Scanner<'_>) -> Result<Execution, Error> {
    let mut execution = Execution::default();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "when" => execution.when = Some(token(scanner)?),
            "reason" => execution.reason = Some(scanner.text()?),
            "by" => execution.by = Some(token(scanner)?),
            _ => scanner.skip()?,
        }
    }
    Ok(execution)
}

fn media(scanner: &mut Scanner<'_>) -> Result<Media, Error> {
    let mut media = Media::default();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "display-text" => media.display_text = Some(scanner.text()?),
            "type" => media.media_type = Some(scanner.text()?),
            "label" => media.label = Some(scanner.text()?),
            "src-id" => media.src_id = Some(scanner.text()?),
            "status" => media.status = MediaStatus::from_token(&token(scanner)?),
            _ => scanner.skip()?,
        }
    }
    Ok(media)
}

/// `None` where the call is not one of SIP.
fn call_info(scanner: &mut Scanner<'_>) -> Result<Option<CallInfo>, Error> {
    let mut found = None;
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "sip" => found = Some(sip_call(scanner)?),
            _ => scanner.skip()?,
        }
    }
    Ok(found)
}

fn sip_call(scanner: &mut Scanner<'_>) -> Result<CallInfo, Error> {
    let mut call = CallInfo::default();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "display-text" => call.display_text = Some(scanner.text()?),
            "call-id" => call.call_id = scanner.text()?,
            "from-tag" => call.from_tag = scanner.text()?,
            "to-tag" => call.to_tag = scanner.text()?,
            _ => scanner.skip()?,
        }
    }
    Ok(call)
}

fn available_media(scanner: &mut Scanner<'_>) -> Result<BTreeMap<String, AvailableMedia>, Error> {
    let mut media = BTreeMap::new();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "entry" => {
                scanner.count()?;
                let label = key(&tag, "entry", "label")?.to_owned();
                media.insert(label, available_medium(scanner)?);
            }
            _ => scanner.skip()?,
        }
    }
    Ok(media)
}

fn available_medium(scanner: &mut Scanner<'_>) -> Result<AvailableMedia, Error> {
    let mut medium = AvailableMedia::default();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "display-text" => medium.display_text = Some(scanner.text()?),
            "type" => medium.media_type = scanner.text()?,
            "status" => medium.status = MediaStatus::from_token(&token(scanner)?),
            _ => scanner.skip()?,
        }
    }
    Ok(medium)
}

fn uris(scanner: &mut Scanner<'_>) -> Result<BTreeMap<String, UriEntry>, Error> {
    let mut uris = BTreeMap::new();
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "entry" => {
                scanner.count()?;
                let (uri, entry) = uri_entry(scanner)?;
                uris.insert(uri, entry);
            }
            _ => scanner.skip()?,
        }
    }
    Ok(uris)
}

fn uri_entry(scanner: &mut Scanner<'_>) -> Result<(String, UriEntry), Error> {
    let (mut uri, mut entry) = (None, UriEntry::default());
    while let Some(tag) = scanner.child()? {
        match tag.name {
            "uri" => uri = Some(token(scanner)?),
            "display-text" => entry.display_text = Some(scanner.text()?),
            "purpose" => entry.purpose = Some(scanner.text()?),
            _ => scanner.skip()?,
        }
    }
    Ok((uri.ok_or(Error::Lacks { element: "entry", part: "uri" })?, entry))
}

/// A list of words.
fn words(scanner: &mut Scanner<'_>) -> Result<Vec<String>, Error> {
    let text = scanner.text()?;
    let mut words = Vec::new();
    for word in text.split_ascii_whitespace() {
        scanner.count()?;
        words.push(word.to_owned());
    }
    Ok(words)
}

/// A text in which white space around does not count: URIs, times, values of enumerations.
fn token(scanner: &mut Scanner<'_>) -> Result<String, Error> {
    Ok(scanner.text()?.trim_ascii().to_owned())
}

fn key<'t>(tag: &'t Tag, element: &'static str, part: &'static str) -> Result<&'t str, Error> {
    tag.attribute(part).ok_or(Error::Lacks { element, part })
}

fn state_of(tag: &Tag) -> Result<State, Error> {
    match tag.attribute("state").map(str::trim_ascii) {
        None | Some("full") => Ok(State::Full),
        Some("partial") => Ok(State::Partial),
        Some("deleted") => Ok(State::Deleted),
        Some(_) => Err(Error::Value("state")),
    }
}

pub(super) fn number(text: &str, name: &'static str) -> Result<u32, Error> {
    text.trim_ascii().parse().map_err(|_| Error::Value(name))
}

pub(super) fn flag(text: &str, name: &'static str) -> Result<bool, Error> {
    match text.trim_ascii() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::Value(name)),
    }
}
