//! The operator's desk: what `tertulia user` and `tertulia room` say to a server that runs, and what it answers.
//!
//! They meet at a Unix socket in `data_dir`, which its owner alone may use. A connection carries one request and one answer, each
//! a line of JSON.

pub(crate) mod ask;
pub(crate) mod password;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest request, in octets.
pub(crate) const LINE: usize = 64 * 1024;
/// How long a request may take, from the connection to the last octet of its answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Where the socket of a server is that has its data there.
pub(crate) fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join("desk.sock")
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Of the users.
    User(UserRequest),
    /// Of the rooms.
    Room(RoomRequest),
}

/// What is asked of the users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UserRequest {
    /// There is to be one more.
    Add { user: String, password: Secret, aliases: Vec<String> },
    /// One has another password.
    Password { user: String, password: Secret },
    /// Who there is.
    List,
    /// One is to be no more.
    Delete { user: String },
}

/// What is asked of the rooms: the commands of `focus::desk`, in the operator's own words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoomRequest {
    List,
    Show { room: String },
    Create { room: String, subject: Option<String>, set: Vec<(String, String)> },
    Delete { room: String, reason: Option<String> },
    Set { room: String, set: Vec<(String, String)>, unset: Vec<String> },
    Kick { room: String, user: String, reason: Option<String> },
    Ban { room: String, user: String },
    Unban { room: String, user: String },
    Mute { room: String, user: String },
    Unmute { room: String, user: String },
    Password { room: String, password: Option<Secret> },
    Moderator { room: String, user: String, is: bool },
    Member { room: String, user: String, is: bool },
    Open { room: String },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// It is done, and what there is to say about it.
    Done(String),
    /// It is not, and why.
    Refused(String),
    Users(Vec<User>),
    Rooms(Vec<Room>),
    Room(Box<Sheet>),
}

/// Where something comes from, and so where it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// The configuration.
    File,
    /// The store: the desk itself.
    Store,
    /// A room that somebody has called; a key of which nobody has said anything.
    Default,
}

/// A user in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) uri: String,
    pub(crate) from: Origin,
    pub(crate) aliases: Vec<String>,
}

/// A room in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Room {
    pub(crate) uri: String,
    pub(crate) from: Origin,
    pub(crate) delete_when: String,
    pub(crate) users: usize,
    pub(crate) sessions: usize,
    pub(crate) hidden: bool,
    pub(crate) subject: Option<String>,
}

/// Everything about a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sheet {
    pub(crate) uri: String,
    pub(crate) from: Origin,
    pub(crate) subject: Option<String>,
    pub(crate) creator: Option<String>,
    pub(crate) hidden: bool,
    pub(crate) has_password: bool,
    pub(crate) moderators: Vec<String>,
    /// Nothing: everybody gets in.
    pub(crate) members: Option<Vec<String>>,
    pub(crate) banned: Vec<String>,
    pub(crate) muted: Vec<String>,
    /// Who is there, with how many sessions.
    pub(crate) people: Vec<(String, usize)>,
    /// What rules it, in the notation of the configuration, and who says so.
    pub(crate) policy: BTreeMap<String, (serde_json::Value, Origin)>,
}

/// A password on its way from who types it to who hashes it. It is shown to nobody.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_lines_of_their_own_words() {
        let ban = Request::Room(RoomRequest::Ban { room: "lobby".to_owned(), user: "bob".to_owned() });
        let text = serde_json::to_string(&ban).unwrap();
        assert_eq!(text, r#"{"room":{"ban":{"room":"lobby","user":"bob"}}}"#);
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), ban);
        let list = serde_json::from_str::<Request>(r#"{"user":"list"}"#).unwrap();
        assert_eq!(list, Request::User(UserRequest::List));
        let refused = serde_json::to_string(&Answer::Refused("two\nlines".to_owned())).unwrap();
        assert_eq!(refused, r#"{"refused":"two\nlines"}"#);
    }

    // THREATS T35
    #[test]
    fn no_password_is_shown() {
        let add = UserRequest::Add { user: "a".to_owned(), password: Secret("wonderland".to_owned()), aliases: vec![] };
        assert!(!format!("{:?}", Request::User(add)).contains("wonderland"));
    }
}
