//! From rows to values. What no version can have written is told with the room or the user whose row it is.

use room::Address;
use sqlx::FromRow;

use crate::{Error, Ha1, StoredRoom, StoredUser};

/// A row of `rooms`.
pub(crate) struct RoomRow {
    pub(crate) uri: String,
    subject: Option<String>,
    policy: String,
    creator: Option<String>,
    members_only: bool,
    hidden: bool,
    password: Digests,
    permanent: bool,
}

/// A row of `room_people` or `user_aliases`: whose it is, what it is for, and who is meant.
pub(crate) struct PersonRow {
    pub(crate) owner: String,
    role: String,
    uri: String,
}

/// A row of `users`.
pub(crate) struct UserRow {
    pub(crate) uri: String,
    password: Digests,
}

struct Digests {
    sha256: Option<String>,
    md5: Option<String>,
}

/// Where the columns stand is said by the queries of [`crate::store`], which name them in this order.
type Row = sqlx::sqlite::SqliteRow;

impl FromRow<'_, Row> for RoomRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        type Columns =
            (String, Option<String>, String, Option<String>, bool, bool, Option<String>, Option<String>, bool);
        let (uri, subject, policy, creator, members_only, hidden, sha256, md5, permanent) = Columns::from_row(row)?;
        Ok(Self { uri, subject, policy, creator, members_only, hidden, password: Digests { sha256, md5 }, permanent })
    }
}

impl FromRow<'_, Row> for PersonRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let (owner, role, uri) = <(String, String, String)>::from_row(row)?;
        Ok(Self { owner, role, uri })
    }
}

impl FromRow<'_, Row> for UserRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let (uri, sha256, md5) = <(String, Option<String>, Option<String>)>::from_row(row)?;
        Ok(Self { uri, password: Digests { sha256, md5 } })
    }
}

impl RoomRow {
    /// The room, with those of whom something is said in it.
    pub(crate) fn room<'a>(self, people: impl IntoIterator<Item = &'a PersonRow>) -> Result<StoredRoom, Error> {
        let damage = |reason: String| Error::Corrupt { uri: self.uri.clone(), reason };
        let address = |text: &str| Address::parse(text).map_err(|error| damage(format!("{text:?}: {error}")));
        let mut room = StoredRoom::new(address(&self.uri)?);
        room.policy = serde_json::from_str(&self.policy).map_err(|error| damage(format!("its policy: {error}")))?;
        room.creator = self.creator.as_deref().map(address).transpose()?;
        room.members = self.members_only.then(Default::default);
        room.password = self.password.optional().map_err(damage)?;
        for PersonRow { role, uri, .. } in people {
            let list = match (role.as_str(), &mut room.members) {
                ("moderator", _) => &mut room.moderators,
                ("member", Some(members)) => members,
                ("banned", _) => &mut room.bans,
                ("muted", _) => &mut room.mutes,
                _ => return Err(damage(format!("{uri:?} is a {role:?} in it"))),
            };
            list.insert(address(uri)?);
        }
        (room.subject, room.hidden, room.is_permanent) = (self.subject, self.hidden, self.permanent);
        Ok(room)
    }
}

impl UserRow {
    /// The user, with its other addresses in their order.
    pub(crate) fn user<'a>(self, aliases: impl IntoIterator<Item = &'a PersonRow>) -> Result<StoredUser, Error> {
        let damage = |reason: String| Error::Corrupt { uri: self.uri.clone(), reason };
        let address = |text: &str| Address::parse(text).map_err(|error| damage(format!("{text:?}: {error}")));
        Ok(StoredUser {
            uri: address(&self.uri)?,
            password: self.password.ha1().map_err(damage)?,
            aliases: aliases.into_iter().map(|alias| address(&alias.uri)).collect::<Result<_, _>>()?,
        })
    }
}

impl Digests {
    fn ha1(&self) -> Result<Ha1, String> {
        let is_digest = |text: &Option<String>, length| {
            text.as_ref().is_none_or(|text| text.len() == length && text.bytes().all(|octet| octet.is_ascii_hexdigit()))
        };
        // What stands there instead stays there: it may be somebody's secret.
        match is_digest(&self.sha256, 64) && is_digest(&self.md5, 32) {
            true => Ok(Ha1 { sha256: self.sha256.clone(), md5: self.md5.clone() }),
            false => Err("its HA1 has not the digits of one".to_owned()),
        }
    }

    /// A room need not have a password.
    fn optional(&self) -> Result<Option<Ha1>, String> {
        self.ha1().map(|ha1| Some(ha1).filter(|ha1| *ha1 != Ha1::default()))
    }
}
