//! `tertulia user`: who can log in to a server that runs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::desk::ask::{Desk, said};
use crate::desk::{Answer, Origin, Request, UserRequest, password, table};

/// Add, list and delete users while the server runs.
#[derive(Debug, Args)]
pub(crate) struct User {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    desk: Desk,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let somebody log in. The password is typed, or read from a file or from standard input
    Add {
        /// Who: alice, or sip:alice@chat.example.com
        user: String,
        /// A file whose first line is the password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// Another URI of the user, for example tel:+15551234; as often as there are some
        #[arg(long = "alias", value_name = "URI")]
        aliases: Vec<String>,
    },
    /// Give somebody another password
    Password {
        /// Who: alice, or sip:alice@chat.example.com
        user: String,
        /// A file whose first line is the password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Who can log in, and what says so
    List,
    /// Let somebody log in no more; who is in a room stays until it leaves
    Delete {
        /// Who: alice, or sip:alice@chat.example.com
        user: String,
    },
}

/// Asks the server, and tells what it answers.
///
/// # Errors
///
/// There is no password, or nobody to ask.
pub(crate) fn run(arguments: User) -> anyhow::Result<ExitCode> {
    let request = match arguments.command {
        Command::Add { user, password_file, aliases } => {
            UserRequest::Add { user, password: password::read(password_file.as_deref())?, aliases }
        }
        Command::Password { user, password_file } => {
            UserRequest::Password { user, password: password::read(password_file.as_deref())? }
        }
        Command::List => UserRequest::List,
        Command::Delete { user } => UserRequest::Delete { user },
    };
    arguments.desk.ask(&Request::User(request), show)
}

fn show(answer: &Answer) -> String {
    let Answer::Users(users) = answer else { return said(answer) };
    let row = |user: &crate::desk::User| {
        let from = if user.from == Origin::File { "file" } else { "store" };
        vec![user.uri.clone(), from.to_owned(), user.aliases.join(" ")]
    };
    table::table(&["USER", "FROM", "ALIASES"], &users.iter().map(row).collect::<Vec<_>>())
}
