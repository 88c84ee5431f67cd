//! Rooms: those of the configuration, whose keys there stand above all; those of the store; and those that somebody has called.
//!
//! What is changed lasts. So a room that somebody has called becomes the operator's with its first change: it does not end by itself
//! any more, and who has made it empties it only. What was not changed and lasts by its policy alone is kept as its creator's, who
//! ends it, before a restart and after it.

use std::collections::{BTreeMap, BTreeSet};

use focus::desk::{self, Change, Charter, Command, Ha1s, Refusal, Standing};
use focus::room::{Address, Confusables, DeleteWhen, NicknameScope};
use focus::settings::{Invitations, RoomPolicy};
use serde_json::{Value, json};
use store::{Ha1, StoredRoom};

use super::{Clerk, Outcome, failed};
use crate::config::{self, Config, permanent, rooms, value};
use crate::desk::{Answer, Origin, Room, RoomRequest, Secret, Sheet};
use crate::settings;

/// By which keys the file gives a room its password.
const PASSWORD: [&str; 2] = ["password", "password_ha1"];

/// The rooms of the store that can be there. What the file has come to give to somebody else is kept, and waits.
pub(crate) fn possible(config: &Config, stored: Vec<StoredRoom>) -> Vec<StoredRoom> {
    let (taken, possible): (Vec<_>, Vec<_>) = stored.into_iter().partition(|room| config.is_taken(&room.uri));
    if !taken.is_empty() {
        tracing::warn!(
            rooms = taken.len(),
            "rooms that are stored are not there: a user or the factory has their URI now"
        );
    }
    possible
}

/// What makes the rooms of the store be there, as they are to be at the start.
pub(crate) fn create_stored(config: &Config, stored: &[StoredRoom]) -> Vec<Command> {
    let mut commands = Vec::new();
    for room in stored {
        let name = room.uri.user().to_owned();
        let charter = Box::new(charter(config, room));
        let is_configured = configured(config, &name).is_some();
        if is_configured {
            // It is there already, as the file has it.
            commands.push(Command::Delete { room: name.clone(), reason: None });
        }
        commands.push(Command::Create { room: name, charter });
    }
    commands
}

fn configured<'c>(config: &'c Config, name: &str) -> Option<&'c config::Room> {
    config.rooms.iter().find(|room| room.name == name)
}

/// How a room of the store is: what the file says of it comes first, then the store, then the defaults.
fn charter(config: &Config, stored: &StoredRoom) -> Charter {
    let file = configured(config, stored.uri.user());
    let is_said = |key: &str| file.is_some_and(|room| room.said.contains(key));
    let mut policy = file.map_or_else(|| permanent(config.defaults.clone()), |room| room.policy.clone());
    for (key, value) in stored.policy.iter().filter(|(key, _)| !is_said(key)) {
        if let Err(why) = rooms::set(&mut policy, key, value) {
            // Most likely another version has kept it.
            tracing::warn!(%why, "a key that is stored of a room is passed over");
        }
    }
    let said = file.map(|room| settings::standing(config, room)).unwrap_or_default();
    let stored_password = || stored.password.clone().map(|Ha1 { sha256, md5 }| Ha1s { sha256, md5 });
    let has_password = PASSWORD.iter().any(|key| is_said(key));
    Charter {
        subject: if is_said("subject") { file.and_then(|room| room.subject.clone()) } else { stored.subject.clone() },
        policy,
        creator: stored.creator.clone(),
        standing: Standing {
            moderators: if is_said("moderators") { said.moderators } else { stored.moderators.clone() },
            members: if is_said("members") { said.members } else { stored.members.clone() },
            banned: stored.bans.clone(),
            muted: stored.mutes.clone(),
            hidden: if is_said("hidden") { said.hidden } else { stored.hidden },
            password: if has_password { said.password } else { stored_password() },
        },
        is_permanent: stored.is_permanent || file.is_some(),
    }
}

/// A room that is to be changed.
struct Draft {
    name: String,
    room: StoredRoom,
    /// Somebody has called it, and it would have ended by itself or by them: with its change it becomes the operator's.
    adopted: bool,
}

impl Clerk {
    pub(super) async fn room(&self, request: RoomRequest) -> Outcome {
        match request {
            RoomRequest::List => self.list_rooms().await,
            RoomRequest::Show { room } => self.show_room(&room).await,
            RoomRequest::Create { room, subject, set } => self.create(&room, subject, &set).await,
            RoomRequest::Delete { room, reason } => self.delete(&room, reason).await,
            RoomRequest::Set { room, set, unset } => self.set(&room, &set, &unset).await,
            RoomRequest::Kick { room, user, reason } => {
                let (room, user) = (self.room_name(&room)?, self.person(&user)?);
                let ended = self.done(&room, Command::Kick { room: room.clone(), user: user.clone(), reason }).await?;
                Ok(Answer::Done(format!("{} was sent out of {room}{}", user.as_str(), sessions(ended))))
            }
            RoomRequest::Ban { room, user } => {
                let draft = self.draft(&room).await?;
                let user = self.whose(&draft.name, self.person(&user)?).await?;
                let command = Command::Ban { room: draft.name.clone(), user: user.clone() };
                self.mark(draft, &user, true, |room| &mut room.bans, command, "is banned from").await
            }
            RoomRequest::Unban { room, user } => {
                let draft = self.draft(&room).await?;
                let user = self.whose(&draft.name, self.person(&user)?).await?;
                let command = Command::Unban { room: draft.name.clone(), user: user.clone() };
                self.mark(draft, &user, false, |room| &mut room.bans, command, "is not banned from").await
            }
            RoomRequest::Mute { room, user } => {
                let draft = self.draft(&room).await?;
                let user = self.whose(&draft.name, self.person(&user)?).await?;
                let command = Command::Mute { room: draft.name.clone(), user: user.clone() };
                self.mark(draft, &user, true, |room| &mut room.mutes, command, "is muted in").await
            }
            RoomRequest::Unmute { room, user } => {
                let draft = self.draft(&room).await?;
                let user = self.whose(&draft.name, self.person(&user)?).await?;
                let command = Command::Unmute { room: draft.name.clone(), user: user.clone() };
                self.mark(draft, &user, false, |room| &mut room.mutes, command, "is not muted in").await
            }
            RoomRequest::Moderator { room, user, is } => {
                let (draft, user) = (self.draft(&room).await?, self.person(&user)?);
                let command = Command::Moderator { room: draft.name.clone(), user: user.clone(), is };
                self.is_free(&draft, "moderators")?;
                let words = if is { "is a moderator of" } else { "is no moderator of" };
                self.mark(draft, &user, is, |room| &mut room.moderators, command, words).await
            }
            RoomRequest::Member { room, user, is } => {
                let (draft, user) = (self.draft(&room).await?, self.person(&user)?);
                let command = Command::Member { room: draft.name.clone(), user: user.clone(), is };
                self.is_free(&draft, "members")?;
                let words = if is { "is a member of" } else { "is no member of" };
                if !is && draft.room.members.is_none() {
                    return Err(format!("{} has no list of members", draft.name));
                }
                self.mark(draft, &user, is, |room| room.members.get_or_insert_default(), command, words).await
            }
            RoomRequest::Open { room } => {
                let mut draft = self.draft(&room).await?;
                self.is_free(&draft, "members")?;
                draft.room.members = None;
                let command = Command::Open { room: draft.name.clone() };
                self.keep(draft, vec![command], |name| format!("everybody gets into {name}")).await
            }
            RoomRequest::Password { room, password } => self.password(&room, password).await,
        }
    }

    async fn list_rooms(&self) -> Outcome {
        let stored = self.store.rooms().await.map_err(failed)?;
        let stored: BTreeSet<&str> = stored.iter().map(|room| room.uri.user()).collect();
        let desk::Answer::Rooms(rooms) = self.tell(Command::List).await? else { return Err(MISUNDERSTOOD.to_owned()) };
        let row = |room: desk::Summary| Room {
            uri: format!("sip:{}@{}", room.room, self.config.domain),
            from: self.origin(&room.room, stored.contains(&*room.room)),
            delete_when: delete_when(room.delete_when).to_owned(),
            users: room.users,
            sessions: room.sessions,
            hidden: room.hidden,
            subject: room.subject,
        };
        Ok(Answer::Rooms(rooms.into_iter().map(row).collect()))
    }

    async fn show_room(&self, room: &str) -> Outcome {
        let name = self.room_name(room)?;
        let stored = self.stored_room(&name).await?;
        let desk::View { charter: Charter { subject, policy, creator, standing, .. }, people, .. } =
            self.view(&name).await?;
        let texts = |list: &BTreeSet<Address>| list.iter().map(|one| one.as_str().to_owned()).collect::<Vec<_>>();
        let file = configured(&self.config, &name);
        let from = |key: &str| match (file, &stored) {
            (Some(room), _) if room.said.contains(key) => Origin::File,
            (_, Some(room)) if room.policy.contains_key(key) => Origin::Store,
            _ => Origin::Default,
        };
        Ok(Answer::Room(Box::new(Sheet {
            uri: self.own(&name)?.as_str().to_owned(),
            from: self.origin(&name, stored.is_some()),
            subject,
            creator: creator.map(|creator| creator.as_str().to_owned()),
            hidden: standing.hidden,
            has_password: standing.password.is_some(),
            moderators: texts(&standing.moderators),
            members: standing.members.as_ref().map(texts),
            banned: texts(&standing.banned),
            muted: texts(&standing.muted),
            people: people.into_iter().map(|one| (one.address.as_str().to_owned(), one.sessions)).collect(),
            policy: notation(&policy).into_iter().map(|(key, value)| (key.to_owned(), (value, from(key)))).collect(),
        })))
    }

    async fn create(&self, room: &str, subject: Option<String>, set: &[(String, String)]) -> Outcome {
        let name = self.room_name(room)?;
        let uri = self.own(&name)?;
        self.is_no_other_s(&uri)?;
        let exists = matches!(self.tell(Command::Show { room: name.clone() }).await?, desk::Answer::Room(_));
        if exists || self.stored_room(&name).await?.is_some() {
            return Err(format!("{name} is there already; `tertulia room set` changes it"));
        }
        let users = self.store.users().await.map_err(failed)?;
        if users.iter().any(|user| user.uri == uri || user.aliases.contains(&uri)) {
            return Err(taken(&uri));
        }
        let mut draft = Draft { name: name.clone(), room: StoredRoom::new(uri.clone()), adopted: false };
        let subject = subject.map(|subject| ("subject".to_owned(), subject));
        for (key, text) in set.iter().chain(&subject) {
            self.write(&mut draft, key, text)?;
        }
        self.store.put_room(&draft.room).await.map_err(failed)?;
        let charter = Box::new(charter(&self.config, &draft.room));
        if let desk::Answer::Refused(refusal) = self.tell(Command::Create { room: name.clone(), charter }).await? {
            self.store.delete_room(&uri).await.map_err(failed)?;
            return Err(format!("{name}: {refusal}"));
        }
        Ok(Answer::Done(format!("{} is there until it is deleted", uri.as_str())))
    }

    /// Whether a URI is nobody's and not the factory's, by the file.
    fn is_no_other_s(&self, uri: &Address) -> Result<(), String> {
        if self.config.is_taken(uri) { Err(taken(uri)) } else { Ok(()) }
    }

    async fn delete(&self, room: &str, reason: Option<String>) -> Outcome {
        let name = self.room_name(room)?;
        if configured(&self.config, &name).is_some() {
            return Err(format!("{name} stands in the configuration: delete it there, and start the server again"));
        }
        let was_kept = self.store.delete_room(&self.own(&name)?).await.map_err(failed)?;
        let ended = match self.tell(Command::Delete { room: name.clone(), reason }).await? {
            desk::Answer::Refused(Refusal::NoSuchRoom) if was_kept => 0,
            desk::Answer::Refused(refusal) => return Err(format!("{name}: {refusal}")),
            desk::Answer::Done { ended } => ended,
            _ => return Err(MISUNDERSTOOD.to_owned()),
        };
        Ok(Answer::Done(format!("{name} is deleted{}", sessions(ended))))
    }

    async fn set(&self, room: &str, set: &[(String, String)], unset: &[String]) -> Outcome {
        let mut draft = self.draft(room).await?;
        for (key, text) in set {
            self.write(&mut draft, key, text)?;
        }
        for key in unset {
            self.unwrite(&mut draft, key)?;
        }
        let charter = charter(&self.config, &draft.room);
        let change = |change| Command::Set { room: draft.name.clone(), change };
        let commands = vec![
            change(Change::Policy(Box::new(charter.policy))),
            change(Change::Subject(charter.subject)),
            Command::Hidden { room: draft.name.clone(), hidden: charter.standing.hidden },
        ];
        self.keep(draft, commands, |name| format!("{name} is changed")).await
    }

    async fn password(&self, room: &str, password: Option<Secret>) -> Outcome {
        let mut draft = self.draft(room).await?;
        PASSWORD.iter().try_for_each(|key| self.is_free(&draft, key))?;
        let hashed = |Secret(password)| settings::room_password(&draft.room.uri, &config::Secret::Password(password));
        let password = password.map(hashed);
        draft.room.password = password.clone().map(|Ha1s { sha256, md5 }| Ha1 { sha256, md5 });
        let has = password.is_some();
        let command = Command::Password { room: draft.name.clone(), password };
        let words = if has { "has another password" } else { "has no password" };
        self.keep(draft, vec![command], |name| format!("{name} {words}")).await
    }

    /// Puts somebody on a list of a room, or takes them off it.
    async fn mark(
        &self,
        mut draft: Draft,
        user: &Address,
        is: bool,
        list: impl FnOnce(&mut StoredRoom) -> &mut BTreeSet<Address>,
        command: Command,
        words: &str,
    ) -> Outcome {
        let list = list(&mut draft.room);
        let changed = if is { list.insert(user.clone()) } else { list.remove(user) };
        if !changed {
            return Err(format!("{} {words} {} as it is", user.as_str(), draft.name));
        }
        self.keep(draft, vec![command], |name| format!("{} {words} {name}", user.as_str())).await
    }

    /// Writes a room down, has it be so, and says so.
    async fn keep(&self, draft: Draft, commands: Vec<Command>, words: impl FnOnce(&str) -> String) -> Outcome {
        let Draft { name, room, adopted } = draft;
        self.store.put_room(&room).await.map_err(failed)?;
        let policy = || Change::Policy(Box::new(charter(&self.config, &room).policy));
        let adoption = if adopted { vec![Change::Permanent, policy()] } else { Vec::new() };
        let adoption = adoption.into_iter().map(|change| Command::Set { room: name.clone(), change });
        let mut ended = 0;
        for command in adoption.chain(commands) {
            ended += match self.tell(command).await? {
                desk::Answer::Done { ended } => ended,
                // It has ended by itself meanwhile: now it is one that does not.
                desk::Answer::Refused(Refusal::NoSuchRoom) => {
                    let charter = Box::new(charter(&self.config, &room));
                    self.done(&name, Command::Create { room: name.clone(), charter }).await?
                }
                desk::Answer::Refused(refusal) => return Err(format!("{name}: {refusal}")),
                _ => return Err(MISUNDERSTOOD.to_owned()),
            };
        }
        let lasts = if adopted { "; the room stays now until it is deleted" } else { "" };
        Ok(Answer::Done(format!("{}{}{lasts}", words(&name), sessions(ended))))
    }

    /// Keeps a room that somebody has called and that may not end: as it is by now, and unless it is no more, since the desk or those
    /// who have a say in it may have been faster.
    pub(super) async fn keep_called(&self, name: &str) {
        let kept = async {
            let desk::Answer::Room(view) = self.tell(Command::Show { room: name.to_owned() }).await? else {
                return Ok(());
            };
            let Charter { creator, is_permanent, .. } = view.charter;
            if !is_permanent && self.stored_room(name).await?.is_none() {
                let room = StoredRoom { creator, is_permanent: false, ..StoredRoom::new(self.own(name)?) };
                self.store.put_room(&room).await.map_err(failed)?;
            }
            Ok::<_, String>(())
        };
        if kept.await.is_err() {
            tracing::warn!("a room that may not end will end with the server: it could not be kept");
        }
    }

    /// Keeps a room no longer that its creator or a moderator has ended. Where it is the operator's by now, the desk was faster: they
    /// have ended the one before.
    pub(super) async fn forget_called(&self, name: &str) {
        let forgotten = async {
            if self.stored_room(name).await?.is_some_and(|room| !room.is_permanent) {
                self.store.delete_room(&self.own(name)?).await.map_err(failed)?;
            }
            Ok::<_, String>(())
        };
        if forgotten.await.is_err() {
            tracing::warn!(
                "a room that was ended will be there again when the server starts: it could not be forgotten"
            );
        }
    }

    /// A room as it is kept, or as it would be.
    async fn draft(&self, room: &str) -> Result<Draft, String> {
        let name = self.room_name(room)?;
        self.is_no_other_s(&self.own(&name)?)?;
        if let Some(room) = self.stored_room(&name).await? {
            let adopted = !room.is_permanent;
            return Ok(Draft { name, room: StoredRoom { is_permanent: true, ..room }, adopted });
        }
        let room = StoredRoom::new(self.own(&name)?);
        if configured(&self.config, &name).is_some() {
            return Ok(Draft { name, room, adopted: false });
        }
        let creator = self.view(&name).await?.charter.creator;
        Ok(Draft { name, room: StoredRoom { creator, ..room }, adopted: true })
    }

    async fn view(&self, name: &str) -> Result<desk::View, String> {
        match self.tell(Command::Show { room: name.to_owned() }).await? {
            desk::Answer::Room(view) => Ok(*view),
            desk::Answer::Refused(refusal) => Err(format!("{name}: {refusal}")),
            _ => Err(MISUNDERSTOOD.to_owned()),
        }
    }

    /// Who somebody is whom the operator knows by the URI that was allotted to hide it: what is kept must hold when they come again.
    async fn whose(&self, name: &str, user: Address) -> Result<Address, String> {
        match self.tell(Command::Whose { room: name.to_owned(), user }).await? {
            desk::Answer::Whose(user) => Ok(user),
            desk::Answer::Refused(refusal) => Err(format!("{name}: {refusal}")),
            _ => Err(MISUNDERSTOOD.to_owned()),
        }
    }

    /// How many sessions a command has ended.
    async fn done(&self, name: &str, command: Command) -> Result<usize, String> {
        match self.tell(command).await? {
            desk::Answer::Done { ended } => Ok(ended),
            desk::Answer::Refused(refusal) => Err(format!("{name}: {refusal}")),
            _ => Err(MISUNDERSTOOD.to_owned()),
        }
    }

    /// Sets a key as it would stand in the file.
    fn write(&self, draft: &mut Draft, key: &str, text: &str) -> Result<(), String> {
        self.is_free(draft, key)?;
        match key {
            "subject" if !rooms::is_subject(text) => {
                return Err("room.subject: right would be a line of at most 1024 octets".to_owned());
            }
            "subject" => draft.room.subject = Some(text.to_owned()).filter(|text| !text.is_empty()),
            "hidden" => {
                draft.room.hidden = text
                    .parse()
                    .map_err(|_| format!("room.hidden: {text:?} is wrong; right would be true or false"))?;
            }
            "name" | "moderators" | "members" | "password" | "password_ha1" => {
                return Err(format!("room.{key} is not set like this; `tertulia room --help` says how"));
            }
            key => {
                let value = literal(text);
                rooms::set(&mut permanent(self.config.defaults.clone()), key, &value)?;
                draft.room.policy.insert(key.to_owned(), value);
            }
        }
        Ok(())
    }

    fn unwrite(&self, draft: &mut Draft, key: &str) -> Result<(), String> {
        self.is_free(draft, key)?;
        let was_set = match key {
            "subject" => draft.room.subject.take().is_some(),
            "hidden" => std::mem::take(&mut draft.room.hidden),
            key => draft.room.policy.remove(key).is_some(),
        };
        if was_set { Ok(()) } else { Err(format!("room.{key} is not set for {}", draft.name)) }
    }

    /// Whether a key is not the file's.
    fn is_free(&self, draft: &Draft, key: &str) -> Result<(), String> {
        match configured(&self.config, &draft.name) {
            Some(room) if room.said.contains(key) => Err(format!(
                "room.{key} of {} stands in the configuration: change it there, and start the server again",
                draft.name
            )),
            _ => Ok(()),
        }
    }

    fn origin(&self, name: &str, is_stored: bool) -> Origin {
        match (configured(&self.config, name), is_stored) {
            (Some(_), _) => Origin::File,
            (None, true) => Origin::Store,
            (None, false) => Origin::Default,
        }
    }
}

fn taken(uri: &Address) -> String {
    format!("{} belongs to a user or to the factory of rooms", uri.as_str())
}

const MISUNDERSTOOD: &str = "the focus has answered something else";

/// A value as it is typed: as it would stand in the file, or a text without its quotes.
fn literal(text: &str) -> Value {
    let table = toml::from_str::<toml::Table>(&format!("value = {text}")).ok().filter(|table| table.len() == 1);
    let value = table.and_then(|table| serde_json::to_value(table.get("value")?).ok());
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn sessions(ended: usize) -> String {
    match ended {
        0 => String::new(),
        1 => " (1 session)".to_owned(),
        count => format!(" ({count} sessions)"),
    }
}

fn delete_when(when: DeleteWhen) -> &'static str {
    match when {
        DeleteWhen::Empty => "empty",
        DeleteWhen::CreatorLeaves => "creator_leaves",
        DeleteWhen::Never => "never",
    }
}

/// A policy in the notation of the configuration.
fn notation(policy: &RoomPolicy) -> BTreeMap<&'static str, Value> {
    let RoomPolicy { room, chunk_timer, congested_max, grace, .. } = policy;
    let invitations = match policy.invitations {
        Invitations::Participants => "participants",
        Invitations::Moderators => "moderators",
        Invitations::Nobody => "nobody",
    };
    let RoomPolicy { trust_undeclared, unaware_updates, roster_interval, roster_full_below, .. } = policy;
    let RoomPolicy { roster_over_tls_only, .. } = policy;
    let scope = match room.nickname_scope {
        NicknameScope::Room => "room",
        NicknameScope::Domain => "domain",
    };
    let confusables = match room.nickname_confusables {
        Confusables::Allow => "allow",
        Confusables::Refuse => "refuse",
    };
    BTreeMap::from([
        ("nicknames", json!(room.nicknames)),
        ("nickname_scope", json!(scope)),
        ("nickname_quarantine", json!(value::written_duration(room.nickname_quarantine))),
        ("nickname_confusables", json!(confusables)),
        ("reserved_nicknames", json!(room.reserved_nicknames)),
        ("private_messages", json!(room.private_messages)),
        ("simultaneous_access", json!(room.simultaneous_access)),
        ("force_tls", json!(room.force_tls)),
        ("delete_when", json!(delete_when(room.delete_when))),
        ("wrapped_types", json!(room.wrapped_types.iter().collect::<Vec<_>>())),
        ("chunk_timer", json!(value::written_duration(*chunk_timer))),
        ("congested_max_message", json!(value::written_size(*congested_max))),
        ("grace", json!(value::written_duration(*grace))),
        ("trust_undeclared", json!(trust_undeclared)),
        ("unaware_updates", json!(unaware_updates)),
        ("roster_interval", json!(value::written_duration(*roster_interval))),
        ("roster_full_below", json!(roster_full_below)),
        ("roster_over_tls_only", json!(roster_over_tls_only)),
        ("invitations", json!(invitations)),
    ])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use store::Store;
    use tokio::sync::mpsc;
    use tokio::task::LocalSet;

    use super::*;
    use crate::shell::{Event, Line};

    #[test]
    fn every_key_that_can_be_set_is_shown_as_it_is_set() {
        let shown = notation(&permanent(RoomPolicy::default()));
        let set = |key: &str, value: &Value| {
            let mut policy = permanent(RoomPolicy::default());
            rooms::set(&mut policy, key, value).map(|()| policy)
        };
        let complaint = set("no_such_key", &json!(1)).unwrap_err();
        let (_, keys) = complaint.split_once("[room] may have ").unwrap();
        for key in keys.split(", ") {
            match shown.get(key) {
                Some(value) => assert_eq!(notation(&set(key, value).unwrap()), shown, "{key}"),
                None => {
                    let told = [json!(true), json!(1)].map(|value| set(key, &value).unwrap_err());
                    assert!(
                        told.iter().any(|told| told.contains("not carried out yet")),
                        "{key} is not shown: {told:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn values_are_read_as_they_would_stand_in_the_file_or_as_texts() {
        for (text, value) in [
            ("true", json!(true)),
            ("50", json!(50)),
            ("90s", json!("90s")),
            ("\"90s\"", json!("90s")),
            ("[\"a\", \"b\"]", json!(["a", "b"])),
            ("Tea and talk", json!("Tea and talk")),
            ("1\nother = 2", json!("1\nother = 2")),
            ("", json!("")),
        ] {
            assert_eq!(literal(text), value, "{text}");
        }
    }

    /// A clerk with a store of its own, at the desk of a focus that answers like that.
    fn at_a_desk<F: Future>(
        mut focus: impl FnMut(Command) -> desk::Answer + 'static,
        test: impl FnOnce(Clerk) -> F,
    ) -> F::Output {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("tertulia-clerk-{}-{}.db", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let file = std::env::temp_dir().join(name);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = LocalSet::new().block_on(&runtime, async {
            let (events, mut heard) = mpsc::channel(1);
            tokio::task::spawn_local(async move {
                while let Some(event) = heard.recv().await {
                    if let Event::Order(command, tell) = event {
                        let _ = tell.send(focus(command));
                    }
                }
            });
            let (config, store) = (Config::embedded(), Store::open(&file).await.unwrap());
            let settings = Arc::new(settings::settings(&config, &[], &[], 1));
            test(Clerk { config, settings, store, line: Line { events } }).await
        });
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", file.display()));
        }
        result
    }

    fn of(creator: &str, is_permanent: bool) -> desk::Answer {
        let charter = Charter { creator: Address::parse(creator).ok(), is_permanent, ..Charter::default() };
        desk::Answer::Room(Box::new(desk::View { room: "tea".to_owned(), charter, people: Vec::new() }))
    }

    #[test]
    fn a_room_is_kept_as_it_is_when_its_turn_comes() {
        const ALICE: &str = "sip:alice@localhost";
        for (answer, kept) in [
            (of(ALICE, false), Some((Address::parse(ALICE).ok(), false))),
            (of("", false), Some((None, false))),
            // The desk has made it anew, and has deleted it.
            (of(ALICE, true), None),
            (desk::Answer::Refused(Refusal::NoSuchRoom), None),
        ] {
            at_a_desk(
                move |_| answer.clone(),
                |clerk| async move {
                    clerk.keep_called("tea").await;
                    let room = clerk.stored_room("tea").await.unwrap();
                    assert_eq!(room.map(|room| (room.creator, room.is_permanent)), kept);
                },
            );
        }
    }

    #[test]
    fn what_the_desk_has_taken_over_is_not_forgotten_with_the_room_that_was_ended_before() {
        let focus = |command| match command {
            Command::Show { .. } => of("sip:alice@localhost", false),
            Command::Whose { user, .. } => desk::Answer::Whose(user),
            // It was ended a moment ago: the clerk will be told.
            Command::Set { .. } => desk::Answer::Refused(Refusal::NoSuchRoom),
            _ => desk::Answer::Done { ended: 0 },
        };
        at_a_desk(focus, |clerk| async move {
            clerk.keep_called("tea").await;
            let ban = RoomRequest::Ban { room: "tea".to_owned(), user: "mallory".to_owned() };
            clerk.room(ban).await.unwrap();
            clerk.forget_called("tea").await;
            let bans = clerk.stored_room("tea").await.unwrap().unwrap().bans;
            assert_eq!(bans.len(), 1);
            clerk.room(RoomRequest::Delete { room: "tea".to_owned(), reason: None }).await.unwrap();
            clerk.keep_called("tea").await;
            clerk.forget_called("tea").await;
            assert_eq!(clerk.stored_room("tea").await.unwrap(), None);
        });
    }

    #[test]
    fn a_key_of_another_version_is_passed_over_and_harms_no_other() {
        let mut room = StoredRoom::new(Address::parse("sip:tea@localhost").unwrap());
        room.policy = [("grace", json!("1h")), ("telepathy", json!({ "range": 3 }))]
            .map(|(key, value)| (key.to_owned(), value))
            .into();
        let policy = charter(&Config::embedded(), &room).policy;
        assert_eq!(notation(&policy).get("grace"), Some(&json!("1h")));
    }
}
