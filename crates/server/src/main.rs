//! The chat-room server tertulia: rooms of RFC 7701 for SIP networks.
//!
//! Each command has a file. Below `serve` stands the shell, which gives the cores of the other crates sockets, threads and the
//! time; it decides nothing that a protocol or a room decides.

mod capacity;
mod config;
mod connection;
mod http;
mod listen;
mod serve;
mod settings;
mod shell;
mod telemetry;
mod tls;

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
}

/// Exit codes: 0 done, 1 could not be done, 2 what was asked makes no sense (the command line or the configuration).
fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody listens to standard error there is nothing more to say.
            let _ = writeln!(std::io::stderr(), "tertulia: {error:#}");
            ExitCode::from(if error.is::<serve::Misconfigured>() { 2 } else { 1 })
        }
    }
}
