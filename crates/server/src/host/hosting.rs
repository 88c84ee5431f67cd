//! What a host can do besides talking: call people into the room, and send them out.

use std::rc::Rc;

use focus::desk::{Answer, Command};
use focus::room::Address;
use focus::sip::typed::Uri;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::words;
use crate::chat::lines::address;
use crate::clerk::Errand;
use crate::shell::Line;

/// Lines that wait to be shown.
const LINES: usize = 16;

pub(crate) const HELP: &str = "\
* /invite WHO   call somebody into the room
* /kick WHO     send somebody out of it";

/// The host's side of the room.
pub(crate) struct Hosting {
    line: Rc<Line>,
    room: String,
    /// That of bare user names.
    domain: String,
    /// Those who are to be called once the host is in the room.
    invited: Vec<Uri>,
    tell: mpsc::Sender<String>,
    told: mpsc::Receiver<String>,
}

/// What a line was to a host.
pub(crate) enum Heeded {
    /// Nothing: it is any participant's.
    Not,
    Done,
    /// With what would be right.
    Wrong(String),
}

impl Hosting {
    /// To be made in a `LocalSet`.
    pub(super) fn new(
        line: Line,
        room: String,
        domain: String,
        invited: Vec<Uri>,
        mut errands: mpsc::Receiver<Errand>,
    ) -> Self {
        let (tell, told) = mpsc::channel(LINES);
        let news = tell.clone();
        spawn_local(async move {
            while let Some(errand) = errands.recv().await {
                if let Errand::Tell(event) = errand
                    && news.send(words::news(&event)).await.is_err()
                {
                    return;
                }
            }
        });
        Self { line: Rc::new(line), room, domain, invited, tell, told }
    }

    /// Calls those who were named at the start.
    pub(crate) fn invite_all(&mut self) {
        for uri in std::mem::take(&mut self.invited) {
            self.invite(uri);
        }
    }

    /// Does what a line says, where it is one of a host.
    pub(crate) fn obey(&self, line: &str) -> Heeded {
        let (command, who) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let who = who.trim();
        match command {
            "/invite" => match Uri::parse(&address(who, &self.domain)).ok().filter(|uri| uri.user().is_some()) {
                Some(uri) if !who.is_empty() => self.invite(uri),
                _ => return Heeded::Wrong("/invite wants somebody: /invite sip:bob@example.com".to_owned()),
            },
            "/kick" => match Address::parse(&address(who, &self.domain)) {
                Ok(user) if !who.is_empty() => self.kick(user),
                _ => return Heeded::Wrong("/kick wants somebody: /kick bob".to_owned()),
            },
            _ => return Heeded::Not,
        }
        Heeded::Done
    }

    fn invite(&self, uri: Uri) {
        let who = uri.to_string();
        self.order(Command::Invite { room: self.room.clone(), uri }, who, "called");
    }

    fn kick(&self, user: Address) {
        let who = user.as_str().to_owned();
        self.order(Command::Kick { room: self.room.clone(), user, reason: None }, who, "sent out");
    }

    /// Has something done about somebody; `done` says what.
    fn order(&self, command: Command, who: String, done: &'static str) {
        let (line, tell) = (self.line.clone(), self.tell.clone());
        spawn_local(async move {
            let told = match line.order(command).await {
                Some(Answer::Refused(refusal)) => words::not_done(&who, done, &refusal),
                Some(_) => words::done(&who, done),
                // The node has ended, and with it the talk.
                None => return,
            };
            let _ = tell.send(told).await;
        });
    }
}

/// The next line that a host is told; never one where nobody is a host.
pub(crate) async fn told(hosting: &mut Option<Hosting>) -> String {
    let line = match hosting {
        Some(hosting) => hosting.told.recv().await,
        None => None,
    };
    match line {
        Some(line) => line,
        None => std::future::pending().await,
    }
}
