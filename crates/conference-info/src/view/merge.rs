//! Full and partial documents, RFC 4575 §4.6.

use std::collections::BTreeMap;

use crate::model::{Conference, Endpoint, HostInfo, User};
use crate::read::{Document, State, UserList, UserPart};

/// The conference that a full document tells.
pub(super) fn whole(document: Document) -> Conference {
    Conference {
        entity: document.entity,
        description: document.description.unwrap_or_default(),
        host: document.host.filter(is_something),
        state: document.conference_state.unwrap_or_default(),
        users: document.users.map(|list| whole_users(list.users)).unwrap_or_default(),
    }
}

/// Takes what a partial document tells.
pub(super) fn document(conference: &mut Conference, document: Document) {
    if let Some(description) = document.description {
        conference.description = description;
    }
    if let Some(host) = document.host {
        conference.host = Some(host).filter(is_something);
    }
    if let Some(state) = document.conference_state {
        conference.state = state;
    }
    match document.users {
        None => {}
        Some(UserList { state: State::Full, users }) => conference.users = whole_users(users),
        Some(UserList { state: State::Deleted, .. }) => conference.users = BTreeMap::new(),
        Some(UserList { state: State::Partial, users }) => {
            users.into_iter().for_each(|(entity, part)| user(&mut conference.users, entity, part));
        }
    }
}

fn is_something(host: &HostInfo) -> bool {
    *host != HostInfo::default()
}

/// Under a full parent all are full, whatever they say (§4.4); the deleted ones are not there.
fn whole_users(users: BTreeMap<String, UserPart>) -> BTreeMap<String, User> {
    let there = users.into_iter().filter(|(_, part)| part.state != State::Deleted);
    there.map(|(entity, part)| (entity, part.into_whole())).collect()
}

fn user(users: &mut BTreeMap<String, User>, entity: String, part: UserPart) {
    match (part.state, users.get_mut(&entity)) {
        (State::Deleted, _) => {
            users.remove(&entity);
        }
        (State::Partial, Some(user)) => merge_user(user, part),
        (State::Full | State::Partial, _) => {
            users.insert(entity, part.into_whole());
        }
    }
}

/// What is not told stays. Lists of URIs and the like are replaced as a whole: they have no keys (§4.5).
fn merge_user(user: &mut User, part: UserPart) {
    replace(&mut user.display_text, part.user.display_text);
    replace(&mut user.nickname, part.user.nickname);
    user.own |= part.user.own;
    if !part.user.associated_aors.is_empty() {
        user.associated_aors = part.user.associated_aors;
    }
    if !part.user.roles.is_empty() {
        user.roles = part.user.roles;
    }
    if !part.user.languages.is_empty() {
        user.languages = part.user.languages;
    }
    for (entity, (state, endpoint)) in part.endpoints {
        match (state, user.endpoints.get_mut(&entity)) {
            (State::Deleted, _) => {
                user.endpoints.remove(&entity);
            }
            (State::Partial, Some(held)) => merge_endpoint(held, endpoint),
            (State::Full | State::Partial, _) => {
                user.endpoints.insert(entity, endpoint);
            }
        }
    }
}

fn merge_endpoint(held: &mut Endpoint, told: Endpoint) {
    replace(&mut held.display_text, told.display_text);
    replace(&mut held.referred, told.referred);
    replace(&mut held.status, told.status);
    replace(&mut held.joining_method, told.joining_method);
    replace(&mut held.joining_info, told.joining_info);
    replace(&mut held.disconnection_method, told.disconnection_method);
    replace(&mut held.disconnection_info, told.disconnection_info);
    replace(&mut held.call_info, told.call_info);
    held.media.extend(told.media);
}

fn replace<T>(held: &mut Option<T>, told: Option<T>) {
    if told.is_some() {
        *held = told;
    }
}
