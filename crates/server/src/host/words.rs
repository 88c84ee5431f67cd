//! What a host is told, in words.

use std::io::Write as _;

use focus::desk::Refusal;
use focus::signalling::News;
use focus::sip::reason_phrase;

use crate::chat::{place, plain};
use crate::link::Server;

/// Writes a line. Where nobody reads, the session finds out.
pub(super) fn show(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

pub(super) fn registered(identity: &str) -> String {
    format!("* who calls {} comes into your room", plain(identity))
}

/// Why the address of record does not lead here.
pub(super) fn not_registered(
    identity: &str,
    server: &Server,
    code: Option<u16>,
    realm: Option<&str>,
    has_password: bool,
) -> String {
    let Some(code) = code else { return format!("! nobody answers at {}", place(server)) };
    let (identity, server, reason) = (plain(identity), place(server), reason_phrase(code));
    let why = match (code, realm) {
        (401 | 407, _) if !has_password => {
            "a password is needed: give --password-file, or set TERTULIA_PASSWORD".to_owned()
        }
        (401 | 407, Some(realm)) => {
            let realm = plain(realm);
            format!("the user name or the password is wrong, or it is for another realm than this: --realm {realm:?}")
        }
        (401 | 407, None) => "the server asks for a proof that is not known here".to_owned(),
        (403, _) => format!("you may not register {identity}"),
        (404, _) => format!("{server} does not know {identity}"),
        (405 | 501, _) => format!("{server} registers nobody"),
        (500..600, _) => "the server is too busy or broken; try again later".to_owned(),
        _ => format!("{server} does not register {identity}"),
    };
    format!("! {why} ({code} {reason})")
}

/// Something of what the node does for the host.
pub(super) fn news(news: &News) -> String {
    match news {
        News::Registered => "* registered again".to_owned(),
        News::NotRegistered { code, .. } => {
            let why = code.map_or("no answer".to_owned(), |code| format!("{code} {}", reason_phrase(code)));
            format!("! the registration could not be renewed; trying again ({why})")
        }
        News::Called { uri, code: 200 } => format!("* {} has come", plain(uri)),
        News::Called { uri, code } => {
            let why = match code {
                404 | 604 => "is not known",
                408 | 480 => "does not answer",
                486 | 600 => "is busy",
                603 | 403 => "does not want to",
                487 => "is not called any more",
                488 | 606 => "does not take this kind of session",
                _ => "cannot be called",
            };
            format!("! {} {why} ({code} {})", plain(uri), reason_phrase(*code))
        }
    }
}

pub(super) fn done(who: &str, done: &str) -> String {
    format!("* {} is {done}", plain(who))
}

pub(super) fn not_done(who: &str, done: &str, refusal: &Refusal) -> String {
    format!("! {} is not {done}: {refusal}", plain(who))
}
