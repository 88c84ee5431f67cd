//! Patches, RFC 5261 §4: each operation has to find what it is on, or none is carried out.

use std::collections::BTreeMap;

use crate::model::{Conference, ConferenceState, Description, HostInfo, User};
use crate::read::Operation;

/// Carries out all operations, in their order; `false` where one does not fit, and then the conference is as it was.
pub(super) fn apply(conference: &mut Conference, operations: Vec<Operation>) -> bool {
    let mut undone = Vec::new();
    for operation in operations {
        match carry_out(conference, operation) {
            Some(before) => undone.extend(before),
            None => {
                undone.into_iter().rev().for_each(|before| restore(conference, before));
                return false;
            }
        }
    }
    true
}

/// What was before an operation.
enum Before {
    Description(Description),
    Host(Option<HostInfo>),
    State(ConferenceState),
    Users(BTreeMap<String, User>),
    User(String, Option<User>),
    Nickname(String, Option<String>),
}

fn restore(conference: &mut Conference, before: Before) {
    match before {
        Before::Description(description) => conference.description = description,
        Before::Host(host) => conference.host = host,
        Before::State(state) => conference.state = state,
        Before::Users(users) => conference.users = users,
        Before::User(entity, Some(user)) => {
            conference.users.insert(entity, user);
        }
        Before::User(entity, None) => {
            conference.users.remove(&entity);
        }
        Before::Nickname(entity, nickname) => {
            if let Some(user) = conference.users.get_mut(&entity) {
                user.nickname = nickname;
            }
        }
    }
}

/// Carries out one operation and gives what was before; `None` where it does not fit.
fn carry_out(conference: &mut Conference, operation: Operation) -> Option<Vec<Before>> {
    let users = &mut conference.users;
    Some(vec![match operation {
        Operation::Description(new) => Before::Description(std::mem::replace(&mut conference.description, new)),
        Operation::Host(new) => {
            let new = Some(new).filter(|host| *host != HostInfo::default());
            Before::Host(std::mem::replace(&mut conference.host, new))
        }
        Operation::State(new) => Before::State(std::mem::replace(&mut conference.state, new)),
        Operation::UserCount(count) => state(conference, |state| state.user_count = Some(count)),
        Operation::Active(active) => state(conference, |state| state.active = Some(active)),
        Operation::Locked(locked) => state(conference, |state| state.locked = Some(locked)),
        Operation::Users(new) => Before::Users(std::mem::replace(users, new)),
        Operation::AddUser(entity, user) => {
            if users.contains_key(&entity) {
                return None;
            }
            users.insert(entity.clone(), user);
            Before::User(entity, None)
        }
        Operation::RemoveUser(entity) => {
            let user = users.remove(&entity)?;
            Before::User(entity, Some(user))
        }
        Operation::ReplaceUser(entity, new_entity, user) => return replace_user(users, entity, new_entity, user),
        Operation::AddNickname(entity, new) => nickname(users, entity, false, Some(new))?,
        Operation::ReplaceNickname(entity, new) => nickname(users, entity, true, Some(new))?,
        Operation::RemoveNickname(entity) => nickname(users, entity, true, None)?,
    }])
}

fn state(conference: &mut Conference, change: impl FnOnce(&mut ConferenceState)) -> Before {
    let before = conference.state.clone();
    change(&mut conference.state);
    Before::State(before)
}

fn replace_user(
    users: &mut BTreeMap<String, User>,
    entity: String,
    new_entity: String,
    user: User,
) -> Option<Vec<Before>> {
    if entity == new_entity {
        let before = std::mem::replace(users.get_mut(&entity)?, user);
        return Some(vec![Before::User(entity, Some(before))]);
    }
    if users.contains_key(&new_entity) {
        return None;
    }
    let before = users.remove(&entity)?;
    users.insert(new_entity.clone(), user);
    Some(vec![Before::User(entity, Some(before)), Before::User(new_entity, None)])
}

/// Gives a user who has a nickname, or has none, another one or none.
fn nickname(users: &mut BTreeMap<String, User>, entity: String, has_one: bool, new: Option<String>) -> Option<Before> {
    let user = users.get_mut(&entity)?;
    if user.nickname.is_some() != has_one {
        return None;
    }
    Some(Before::Nickname(entity, std::mem::replace(&mut user.nickname, new)))
}
