//! The chat-room server tertulia: rooms of RFC 7701 for SIP networks.
//!
//! Each command has a file. Below `serve` stands the shell, which gives the cores of the other crates sockets, threads and the
//! time; it decides nothing that a protocol or a room decides.

mod capacity;
mod chat;
mod clerk;
mod config;
mod connection;
mod desk;
mod host;
mod http;
mod link;
mod listen;
mod load;
mod room;
mod serve;
mod settings;
mod shell;
mod storage;
mod telemetry;
mod tls;
mod user;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chat rooms for SIP networks (RFC 7701).
#[derive(Debug, Parser)]
#[command(name = "tertulia", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve rooms, until SIGTERM or SIGINT.
    Serve(serve::Arguments),
    /// Add, list and delete users of a server that runs.
    User(user::User),
    /// List, make and change rooms of a server that runs.
    Room(room::Room),
    /// Talk in a room: lines typed are said, lines written are what happens.
    Chat(chat::Chat),
    /// Be a room: register, call people together, and talk with them.
    Host(host::Host),
    /// Fill a room, talk, and check that everybody heard everything, once and in order.
    Load(load::Load),
}

/// Exit codes: 0 done, 1 could not be done, 2 what was asked makes no sense (the command line or the configuration).
fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::User(arguments) => user::run(arguments),
        Command::Room(arguments) => room::run(arguments),
        Command::Chat(arguments) => chat::run(arguments),
        Command::Host(arguments) => host::run(arguments),
        Command::Load(arguments) => load::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // Where nobody listens to standard error there is nothing more to say.
            let _ = writeln!(std::io::stderr(), "tertulia: {error:#}");
            ExitCode::from(if error.is::<serve::Misconfigured>() { 2 } else { 1 })
        }
    }
}
