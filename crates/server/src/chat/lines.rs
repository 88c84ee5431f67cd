//! What is typed.

use std::io::BufRead as _;

use tokio::sync::mpsc;

pub(super) const HELP: &str = "\
* text          say it to everybody; a line that begins with // says it with one slash
* /msg WHO text say it to one participant: an address, or a user name of your domain
* /nick NAME    take a nickname
* /nick         give it up
* /who          who is here
* /quit         leave
* /help         this";

/// A line that was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Nothing,
    Say(&'a str),
    Whisper {
        /// A URI.
        to: String,
        text: &'a str,
    },
    Nick(Option<&'a str>),
    Who,
    Quit,
    Help,
    /// With what is wrong and what would be right.
    Wrong(String),
}

/// Reads a line; `domain` is that of bare user names.
pub(super) fn parse<'a>(line: &'a str, domain: &str) -> Line<'a> {
    let line = line.trim_end_matches(['\r', '\n']);
    let Some(command) = line.strip_prefix('/') else {
        return if line.trim().is_empty() { Line::Nothing } else { Line::Say(line) };
    };
    if command.starts_with('/') {
        return Line::Say(command);
    }
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    match name {
        "msg" => match rest.split_once(char::is_whitespace) {
            Some((who, text)) => Line::Whisper { to: address(who, domain), text: text.trim_start() },
            None => Line::Wrong("/msg wants somebody and a text: /msg bob hello".to_owned()),
        },
        "nick" => Line::Nick((!rest.is_empty()).then_some(rest)),
        "who" => Line::Who,
        "quit" if rest.is_empty() => Line::Quit,
        "help" => Line::Help,
        "quit" => Line::Wrong("/quit takes nothing; what follows it is not said".to_owned()),
        _ => Line::Wrong(format!(
            "there is no command /{}; /help lists them, and //{} would be said",
            super::words::plain(name),
            super::words::plain(name)
        )),
    }
}

/// The URI of who is meant: a URI, `user@host`, or a bare user name of the domain.
pub(crate) fn address(who: &str, domain: &str) -> String {
    let who = who.strip_prefix('<').and_then(|who| who.strip_suffix('>')).unwrap_or(who);
    if who.contains(':') {
        who.to_owned()
    } else if who.contains('@') {
        format!("sip:{who}")
    } else if domain.contains(':') {
        format!("sip:{who}@[{domain}]")
    } else {
        format!("sip:{who}@{domain}")
    }
}

/// The lines of the standard input. They are read by a thread of their own, which the end of the process ends too: a
/// runtime would wait for it.
pub(super) fn stdin() -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).is_ok_and(|octets| octets > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if tell.blocking_send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_meant() {
        let whisper = |to: &str, text| Line::Whisper { to: to.to_owned(), text };
        for (typed, expected) in [
            ("", Line::Nothing),
            ("  \t\r\n", Line::Nothing),
            ("hello  there\n", Line::Say("hello  there")),
            (" indented", Line::Say(" indented")),
            ("//etc/passwd\n", Line::Say("/etc/passwd")),
            ("//", Line::Say("/")),
            ("/nick\n", Line::Nick(None)),
            ("/nick   Al the Great \n", Line::Nick(Some("Al the Great"))),
            ("/who\n", Line::Who),
            ("/msg bob psst, you\n", whisper("sip:bob@chat.example.com", "psst, you")),
            ("/msg bob@elsewhere.example hi", whisper("sip:bob@elsewhere.example", "hi")),
            ("/msg <sip:bob@a.example> hi", whisper("sip:bob@a.example", "hi")),
            ("/msg tel:+15551234 hi", whisper("tel:+15551234", "hi")),
            ("/quit\n", Line::Quit),
            ("/help", Line::Help),
        ] {
            assert_eq!(parse(typed, "chat.example.com"), expected, "{typed:?}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_explained() {
        for (typed, part) in [
            ("/msg bob", "/msg wants somebody and a text"),
            ("/quit now", "/quit takes nothing"),
            ("/join x", "there is no command /join; /help lists them, and //join would be said"),
            ("/\u{1b}[2J", "there is no command /\\u{1b}[2J"),
        ] {
            match parse(typed, "chat.example.com") {
                Line::Wrong(why) => assert!(why.contains(part), "{why}"),
                line => panic!("{typed:?} was read as {line:?}"),
            }
        }
    }
}
