//! What happens, in words: one line an event, and nothing of others that a terminal would obey.

use std::fmt::Write as _;
use std::io;

use client::sip::Transport;
use client::{Event, JoinFailure, Leaving, NicknameFailure, Refused, Room, Said, room_realm};

use super::Passwords;
use super::people::People;
use crate::link::Server;

/// What the words depend on.
pub(super) struct Circumstances<'a> {
    pub(super) people: People<'a>,
    pub(super) room: &'a str,
    pub(super) server: &'a Server,
    pub(super) has_passwords: Passwords,
    /// The last failure of a connection.
    pub(super) trouble: Option<&'a str>,
}

impl Circumstances<'_> {
    /// The line of an event; what went right without anything to see has none.
    pub(super) fn line(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::Joined(room) => {
                format!("* in {} as {} ({})", plain(self.room), plain(&room.identity), abilities(room))
            }
            Event::NotJoined(failure) => format!("! {}", self.not_joined(failure)),
            Event::Changed(room) => format!("* the room has changed ({})", abilities(room)),
            Event::Said(said) => return self.said(said),
            Event::Unreadable { .. } => "! a message came that cannot be read".to_owned(),
            Event::Delivered { .. } | Event::Ready => return None,
            Event::NotDelivered { code, .. } => format!("! not delivered: {}", message_failure(*code)),
            Event::Nickname { nickname: Some(nickname), outcome: Ok(()) } => {
                format!("* your nickname is {}", plain(nickname))
            }
            Event::Nickname { nickname: None, outcome: Ok(()) } => "* you have no nickname".to_owned(),
            Event::Nickname { outcome: Err(failure), .. } => format!("! {}", nickname_failure(*failure)),
            Event::Interrupted => format!("! the connection for messages broke{}; connecting anew", self.because()),
            Event::Resumed(room) => format!("* back in {} ({})", plain(self.room), abilities(room)),
            Event::Left(leaving) => self.left(leaving),
            Event::Roster(event) => return self.people.line(event),
        })
    }

    fn said(&self, said: &Said) -> Option<String> {
        let media_type = said.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        // Somebody's keys move: nothing was said.
        if media_type == "application/im-iscomposing+xml" {
            return None;
        }
        let what = if media_type.starts_with("text/") {
            plain(&String::from_utf8_lossy(&said.octets))
        } else {
            format!("({}, {} octets)", plain(&media_type), said.octets.len())
        };
        let who = self.people.name(&said.from);
        Some(if said.private {
            format!("[{who} -> {}] {what}", self.people.name(&said.to))
        } else {
            format!("<{who}> {what}")
        })
    }

    fn left(&self, leaving: &Leaving) -> String {
        match leaving {
            Leaving::Own => "* left".to_owned(),
            Leaving::OwnUnanswered => "! left, but the server did not answer".to_owned(),
            Leaving::Dismissed { reason: Some(reason) } => format!("! the room sent you away: {}", plain(reason)),
            Leaving::Dismissed { reason: None } => "! the room sent you away".to_owned(),
            Leaving::MediaLost => format!("! the connection for messages is gone{}", self.because()),
            Leaving::PeerGone => "! the server no longer answers".to_owned(),
        }
    }

    fn not_joined(&self, failure: &JoinFailure) -> String {
        let server = self.server;
        match failure {
            JoinFailure::Refused { code, reason, warning, realm } => {
                let reason = plain(warning.as_ref().unwrap_or(reason));
                format!("{} ({code} {reason})", self.refusal(*code, realm.as_deref()))
            }
            JoinFailure::NoAnswer => format!("nobody answers at {}", place(server)),
            JoinFailure::Unreachable => format!("the connection to {} is gone{}", place(server), self.because()),
            JoinFailure::Description(fault) => {
                format!("the server's answer cannot be used: {}", plain(&fault.to_string()))
            }
            JoinFailure::NotAChatRoom => format!("{} answers, but not as a chat room", plain(self.room)),
            JoinFailure::NoMedia => format!("the connection for messages cannot be opened{}", self.because()),
            JoinFailure::NotBound(Some(code)) => {
                format!("the server does not take the connection for messages ({code})")
            }
            JoinFailure::NotBound(None) => "nobody answers on the connection for messages".to_owned(),
            JoinFailure::Ended => "the room ended the call at once".to_owned(),
            JoinFailure::Cancelled => "given up".to_owned(),
        }
    }

    fn refusal(&self, code: u16, realm: Option<&str>) -> String {
        let room = plain(self.room);
        match code {
            401 | 407 => self.unproven(realm),
            403 => format!("you may not enter {room}"),
            404 | 604 => format!("there is no room {room}"),
            408 | 480 => format!("{room} does not answer"),
            486 | 600 => format!("you are in {room} already, and it takes nobody twice"),
            488 | 606 if self.server.transport == Transport::Tls => {
                format!("{room} does not take this kind of session")
            }
            488 | 606 => format!("{room} does not take this kind of session; it may want TLS: --transport tls"),
            410 => format!("{room} is no more"),
            503 => "the server is too busy; try again later".to_owned(),
            300..=399 => format!("{room} is elsewhere now"),
            _ => format!("{room} cannot be entered"),
        }
    }

    /// Who asks for what, and what is missing.
    fn unproven(&self, realm: Option<&str>) -> String {
        match (room_realm(self.room), realm.and_then(room_realm)) {
            (Some((_, own)), Some((_, asked))) if own == asked => match self.has_passwords.room {
                true => "the password of the room is wrong".to_owned(),
                false => {
                    "the room wants a password: give --room-password-file, or set TERTULIA_ROOM_PASSWORD".to_owned()
                }
            },
            // Most likely another name of the same host; but only most likely.
            (Some((own, _)), Some((asked, realm))) if own == asked => {
                format!("the room wants a password, which it is told by its own name alone: call {}", plain(&realm))
            }
            _ if self.has_passwords.own => "the user name or the password is wrong".to_owned(),
            _ => "a password is needed: give --password-file, or set TERTULIA_PASSWORD".to_owned(),
        }
    }

    fn because(&self) -> String {
        self.trouble.map(|trouble| format!(": {}", plain(trouble))).unwrap_or_default()
    }
}

/// Why a server is not reached.
pub(super) fn unreachable(server: &Server, error: &io::Error) -> String {
    let place = place(server);
    // A certificate that is not believed stands in it, by its names.
    let why = plain(&error.to_string());
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!(
                "connection refused: nobody listens at {place}; is the server running? --server and --transport say where"
            )
        }
        io::ErrorKind::TimedOut => format!("no answer from {place}"),
        _ if why.contains("certificate") => {
            format!(
                "the certificate of {place} is not believed: {why}; --ca names one to believe, --insecure believes any"
            )
        }
        _ => format!("{place} cannot be reached: {why}"),
    }
}

/// A server, for people.
pub(crate) fn place(server: &Server) -> String {
    let Server { host, port, transport, .. } = server;
    let over = transport.via_token().to_ascii_lowercase();
    if host.contains(':') { format!("[{host}]:{port} ({over})") } else { format!("{}:{port} ({over})", plain(host)) }
}

/// Why something was not even asked of the room.
pub(super) fn refused(refused: Refused) -> String {
    match refused {
        Refused::NoNicknames => "this room takes no nicknames".to_owned(),
        Refused::NoPrivateMessages => "this room takes no private messages".to_owned(),
        Refused::Interrupted => "not said: the connection for messages is being renewed".to_owned(),
        Refused::NicknamePending => "the last nickname is not answered yet".to_owned(),
        Refused::Unfit("recipient") => {
            "that is nobody's address; /msg takes sip:bob@example.com, or a user name".to_owned()
        }
        Refused::Unfit("nickname") => "a nickname has 1 to 1023 octets".to_owned(),
        other => other.to_string(),
    }
}

fn abilities(room: &Room) -> String {
    match (room.nicknames, room.private_messages) {
        (true, true) => "nicknames, private messages".to_owned(),
        (true, false) => "nicknames, no private messages".to_owned(),
        (false, true) => "private messages, no nicknames".to_owned(),
        (false, false) => "no nicknames, no private messages".to_owned(),
    }
}

fn message_failure(code: Option<u16>) -> String {
    let why = match code {
        Some(403) => "the room does not allow it",
        Some(404) => "there is nobody of that address in the room",
        Some(413) => "too large",
        Some(415) => "this kind of content is not taken",
        Some(428) => "the other side takes no private messages",
        Some(481) => "the session is over",
        Some(408) | None => "no answer came",
        Some(_) => "the server refused it",
    };
    code.map_or_else(|| why.to_owned(), |code| format!("{why} ({code})"))
}

fn nickname_failure(failure: NicknameFailure) -> String {
    match failure {
        NicknameFailure::Refused(425) => "that nickname is taken or reserved (425)".to_owned(),
        NicknameFailure::Refused(424) => "that cannot be a nickname (424)".to_owned(),
        NicknameFailure::Refused(403) => "nicknames are not allowed here (403)".to_owned(),
        NicknameFailure::Refused(code) => format!("no nickname ({code})"),
        NicknameFailure::NoAnswer => "no answer about the nickname".to_owned(),
    }
}

/// Text that a terminal shows and does not obey, in one line: control characters are written out, and so is what
/// changes the direction or hides (C0, C1, bidirectional controls, line separators).
pub(crate) fn plain(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if is_obeyed(character) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out
}

fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_others_moves_the_terminal() {
        for (said, shown) in [
            ("hello\n", "hello"),
            ("two\nlines", "two\\nlines"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("cr\rover", "cr\\rover"),
            ("ñandú 🦤", "ñandú 🦤"),
        ] {
            assert_eq!(plain(said), shown);
        }
    }
}
