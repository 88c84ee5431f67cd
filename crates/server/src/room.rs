//! `tertulia room`: the rooms of a server that runs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::desk::ask::{Desk, said};
use crate::desk::{Answer, Origin, Request, RoomRequest, Sheet, password, table};

/// List, make and change rooms while the server runs.
///
/// A room is named by the user part of its URI or by its URI, a user by its URI or, in the domain of the server, by its user part.
#[derive(Debug, Args)]
pub(crate) struct Room {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    desk: Desk,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Which rooms there are
    List,
    /// Everything about a room
    Show { room: String },
    /// Make a room that stays until it is deleted
    Create {
        room: String,
        /// What it is about
        #[arg(long, value_name = "TEXT")]
        subject: Option<String>,
        /// How it differs from the defaults: nicknames=false, grace=90s
        #[arg(value_name = "KEY=VALUE", value_parser = pair)]
        set: Vec<(String, String)>,
    },
    /// End a room, and send away who is in it
    Delete {
        room: String,
        /// What they are told
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Change keys of a room as the configuration has them, and `subject` and `hidden`. A room that somebody has made stays from then on
    Set {
        room: String,
        #[arg(value_name = "KEY=VALUE", value_parser = pair, required = true)]
        set: Vec<(String, String)>,
    },
    /// Let keys be as the defaults have them again
    Unset {
        room: String,
        #[arg(value_name = "KEY", required = true)]
        keys: Vec<String>,
    },
    /// Send a user out, who may come again
    Kick {
        room: String,
        user: String,
        /// What the user is told
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Send a user out for good
    Ban { room: String, user: String },
    /// Let a user in again
    Unban { room: String, user: String },
    /// Let a user not be heard
    Mute { room: String, user: String },
    /// Let a user be heard again
    Unmute { room: String, user: String },
    /// Ask those who come for a password
    Password {
        room: String,
        /// A file whose first line is the password; else it is typed, or read from standard input
        #[arg(long, value_name = "FILE", conflicts_with = "none")]
        password_file: Option<PathBuf>,
        /// Ask for none any more
        #[arg(long)]
        none: bool,
    },
    /// Give a user a say
    Moderator {
        room: String,
        user: String,
        /// Take it back
        #[arg(long)]
        remove: bool,
    },
    /// Put a user on the list of members: from the first on nobody else gets in, but moderators
    Member {
        room: String,
        user: String,
        /// Take the user off the list
        #[arg(long)]
        remove: bool,
    },
    /// Drop the list of members: everybody gets in
    Open { room: String },
}

/// Asks the server, and tells what it answers.
///
/// # Errors
///
/// There is no password, or nobody to ask.
pub(crate) fn run(arguments: Room) -> anyhow::Result<ExitCode> {
    let request = match arguments.command {
        Command::List => RoomRequest::List,
        Command::Show { room } => RoomRequest::Show { room },
        Command::Create { room, subject, set } => RoomRequest::Create { room, subject, set },
        Command::Delete { room, reason } => RoomRequest::Delete { room, reason },
        Command::Set { room, set } => RoomRequest::Set { room, set, unset: Vec::new() },
        Command::Unset { room, keys } => RoomRequest::Set { room, set: Vec::new(), unset: keys },
        Command::Kick { room, user, reason } => RoomRequest::Kick { room, user, reason },
        Command::Ban { room, user } => RoomRequest::Ban { room, user },
        Command::Unban { room, user } => RoomRequest::Unban { room, user },
        Command::Mute { room, user } => RoomRequest::Mute { room, user },
        Command::Unmute { room, user } => RoomRequest::Unmute { room, user },
        Command::Password { room, none: true, .. } => RoomRequest::Password { room, password: None },
        Command::Password { room, password_file, .. } => {
            RoomRequest::Password { room, password: Some(password::read(password_file.as_deref())?) }
        }
        Command::Moderator { room, user, remove } => RoomRequest::Moderator { room, user, is: !remove },
        Command::Member { room, user, remove } => RoomRequest::Member { room, user, is: !remove },
        Command::Open { room } => RoomRequest::Open { room },
    };
    arguments.desk.ask(&Request::Room(request), show)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("right would be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn show(answer: &Answer) -> String {
    match answer {
        Answer::Rooms(rooms) => {
            let row = |room: &crate::desk::Room| {
                let subject = room.subject.clone().unwrap_or_default();
                let hidden = if room.hidden { "hidden" } else { "" };
                let numbers = [room.users.to_string(), room.sessions.to_string()];
                let [users, sessions] = numbers;
                let ends = room.delete_when.clone();
                vec![room.uri.clone(), from(room.from).to_owned(), ends, users, sessions, hidden.to_owned(), subject]
            };
            let head = ["ROOM", "FROM", "ENDS", "USERS", "SESSIONS", "HIDDEN", "SUBJECT"];
            table::table(&head, &rooms.iter().map(row).collect::<Vec<_>>())
        }
        Answer::Room(sheet) => show_sheet(sheet),
        answer => said(answer),
    }
}

fn show_sheet(sheet: &Sheet) -> String {
    let list = |list: &[String]| if list.is_empty() { "nobody".to_owned() } else { list.join(" ") };
    let yes = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    let people: Vec<_> = sheet.people.iter().map(|(uri, sessions)| format!("{uri} ({sessions})")).collect();
    let facts = [
        ("room", sheet.uri.clone()),
        ("from", from(sheet.from).to_owned()),
        ("subject", sheet.subject.clone().unwrap_or_default()),
        ("creator", sheet.creator.clone().unwrap_or_default()),
        ("hidden", yes(sheet.hidden)),
        ("password", yes(sheet.has_password)),
        ("moderators", list(&sheet.moderators)),
        ("members", sheet.members.as_deref().map_or("everybody".to_owned(), list)),
        ("banned", list(&sheet.banned)),
        ("muted", list(&sheet.muted)),
        ("present", list(&people)),
    ];
    let facts: Vec<_> = facts.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let policy: Vec<_> = sheet
        .policy
        .iter()
        .map(|(key, (value, origin))| vec![key.clone(), value.to_string(), from(*origin).to_owned()])
        .collect();
    let (facts, policy) = (table::table(&[], &facts), table::table(&["POLICY", "VALUE", "FROM"], &policy));
    format!("{}\n{policy}", facts.trim_start())
}

fn from(origin: Origin) -> &'static str {
    match origin {
        Origin::File => "file",
        Origin::Store => "store",
        Origin::Default => "-",
    }
}
