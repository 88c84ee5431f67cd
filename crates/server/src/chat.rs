//! `tertulia chat`: a participant in lines, on a terminal or in a pipe.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use client::sip::Transport;
use client::sip::auth::Credentials;
use client::sip::typed::Uri;
use client::{Agent, Config, Event, Join, Leaving, Refused};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::desk::password::first_line;
use crate::host::{Heeded, Hosting, told};
use crate::link::dial::{Dial, USER_AGENT, address, generators, wall_clock};
use crate::link::{Link, Server};
use lines::{Line, parse};
use people::People;

pub(crate) mod lines;
mod people;
mod words;

pub(crate) use words::{place, plain};

/// How long the other side may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(5);
/// How many messages may wait for their answer before more lines are read.
const WINDOW: usize = 32;
/// What a shell takes for "ended by SIGINT".
pub(crate) const INTERRUPTED: u8 = 130;

/// Talk in a room: lines typed are said, lines written are what happens.
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// The room, for example sip:lobby@chat.example.com
    room: String,
    /// Who you are, for example sip:alice@chat.example.com
    #[arg(long = "as", value_name = "URI")]
    identity: String,
    /// The name to log in with, if it is not the user part of your URI
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A file whose first line is the password; else the variable TERTULIA_PASSWORD is taken
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file whose first line is the password of the room; else the variable TERTULIA_ROOM_PASSWORD is taken
    #[arg(long, value_name = "FILE")]
    room_password_file: Option<PathBuf>,
    /// The nickname to take
    #[arg(long, value_name = "NAME")]
    nick: Option<String>,
    /// Ask the room to hide who you are; it gives you an address for the time you are there
    #[arg(long)]
    private: bool,
    /// Show what is said and nothing of who comes and goes, and everybody by the address: for scripts
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    dial: Dial,
}

/// Joins, talks, leaves.
///
/// # Errors
/// What keeps it from starting; all else is told in lines and by the exit code.
pub(crate) fn run(args: Chat) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(talk(args))
}

async fn talk(args: Chat) -> anyhow::Result<ExitCode> {
    let place = Place::of(&args)?;
    let config = Config { user_agent: USER_AGENT.to_owned(), wall_clock: Some(wall_clock()), ..Config::default() };
    let agent = Agent::new(config, generators()?);
    let server = &place.server;
    let opened = Link::open(agent, server, args.dial.tls()?).await;
    let mut link = opened.map_err(|error| anyhow::anyhow!(words::unreachable(server, &error)))?;
    let mut join = Join::new(&place.room, &args.identity, link.destination()?, server.transport, link.local());
    (join.privacy, join.roster) = (args.private, !args.quiet);
    join.secure_media = server.transport == Transport::Tls;
    join.credentials = credentials(&args, &place.identity)?;
    if let Some(password) = password(args.room_password_file.as_deref(), "TERTULIA_ROOM_PASSWORD")? {
        join = join.with_room_password(&password);
    }
    let has_passwords = Passwords { own: join.credentials.is_some(), room: join.room_credentials.is_some() };
    link.agent().join(Instant::now(), join)?;
    let session = Session::new(link, place, args.nick, has_passwords, None);
    session.run().await
}

/// Where to go, from what was typed.
pub(crate) struct Place {
    pub(crate) room: String,
    /// The host of one's own URI: that of user names without one.
    pub(crate) domain: String,
    pub(crate) identity: Uri,
    pub(crate) server: Server,
}

impl Place {
    fn of(args: &Chat) -> anyhow::Result<Self> {
        let room = address("room", &args.room)?;
        let identity = address("--as", &args.identity)?;
        let server = args.dial.server(&room)?;
        Ok(Self { room: args.room.clone(), domain: identity.host().unwrap_or_default(), identity, server })
    }
}

fn credentials(args: &Chat, identity: &Uri) -> anyhow::Result<Option<Credentials>> {
    let password = password(args.password_file.as_deref(), "TERTULIA_PASSWORD")?;
    let user = args.user.as_deref().or(identity.user()).unwrap_or_default();
    Ok(password.map(|password| Credentials::new(user, password)))
}

/// A password, from a file or else from the environment.
pub(crate) fn password(file: Option<&Path>, variable: &str) -> anyhow::Result<Option<String>> {
    file.map_or_else(|| Ok(std::env::var(variable).ok()), |file| first_line(file).map(Some))
}

/// Which passwords were given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passwords {
    pub(crate) own: bool,
    pub(crate) room: bool,
}

/// One's time in the room.
pub(crate) struct Session {
    link: Link,
    place: Place,
    /// To be asked for on entering.
    nick: Option<String>,
    has_passwords: Passwords,
    /// Where the room is one's own.
    hosting: Option<Hosting>,
    typed: mpsc::Receiver<String>,
    /// Whether nothing more will be typed.
    ended: bool,
    stage: Stage,
    /// Whether there is no connection for messages just now.
    is_cut_off: bool,
    /// Messages and nicknames that wait for their answer.
    waiting: usize,
    all_well: bool,
    interrupted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Calling,
    Talking,
    Leaving,
    Gone,
}

impl Session {
    pub(crate) fn new(
        link: Link,
        place: Place,
        nick: Option<String>,
        has_passwords: Passwords,
        hosting: Option<Hosting>,
    ) -> Self {
        Self {
            link,
            place,
            nick,
            has_passwords,
            hosting,
            typed: lines::stdin(),
            ended: false,
            stage: Stage::Calling,
            is_cut_off: false,
            waiting: 0,
            all_well: true,
            interrupted: false,
        }
    }

    /// Talks until it is over.
    ///
    /// # Errors
    /// The server is not reached any more.
    pub(crate) async fn run(mut self) -> anyhow::Result<ExitCode> {
        let mut interrupts = Interrupts::new()?;
        while matches!(self.stage, Stage::Calling | Stage::Talking) {
            let listening = self.stage == Stage::Talking && !self.is_cut_off && !self.ended && self.waiting < WINDOW;
            tokio::select! {
                biased;
                Some(()) = interrupts.recv() => {
                    self.interrupted = true;
                    self.leave();
                }
                event = self.link.event() => {
                    let place = &self.place;
                    let event = event.map_err(|error| anyhow::anyhow!(words::unreachable(&place.server, &error)))?;
                    self.happened(event);
                }
                told = told(&mut self.hosting) => self.told(&told),
                line = self.typed.recv(), if listening => match line {
                    Some(line) => self.typed(&line),
                    None => self.ended = true,
                },
            }
            if self.stage == Stage::Talking && self.ended && self.waiting == 0 {
                self.leave();
            }
        }
        self.say_goodbye(&mut interrupts).await?;
        Ok(match (self.interrupted, self.all_well) {
            (true, _) => ExitCode::from(INTERRUPTED),
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::FAILURE,
        })
    }

    /// Waits for the answer to the BYE, but not for long. The first interrupt asks for what is under way already; whoever sends
    /// a second one will not wait.
    async fn say_goodbye(&mut self, interrupts: &mut Interrupts) -> anyhow::Result<()> {
        while self.stage == Stage::Leaving {
            tokio::select! {
                biased;
                Some(()) = interrupts.recv() => {
                    if std::mem::replace(&mut self.interrupted, true) {
                        self.stage = Stage::Gone;
                    }
                }
                event = timeout(FAREWELL, self.link.event()) => match event {
                    Ok(event) => self.happened(event?),
                    Err(_) => self.happened(Event::Left(Leaving::OwnUnanswered)),
                },
            }
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.stage = match self.link.agent().leave(Instant::now()) {
            Ok(()) => Stage::Leaving,
            Err(_) => Stage::Gone,
        };
    }

    fn happened(&mut self, event: Event) {
        match &event {
            Event::Joined(_) => {
                self.stage = Stage::Talking;
                if let Some(nick) = self.nick.take() {
                    self.nick(Some(&nick));
                }
                if let Some(hosting) = &mut self.hosting {
                    hosting.invite_all();
                }
            }
            Event::NotJoined(_) => {
                self.all_well &= self.interrupted;
                self.stage = Stage::Gone;
            }
            Event::Left(leaving) => {
                self.all_well &= *leaving == Leaving::Own;
                self.stage = Stage::Gone;
            }
            Event::Delivered { .. } => self.waiting = self.waiting.saturating_sub(1),
            Event::NotDelivered { .. } => {
                self.waiting = self.waiting.saturating_sub(1);
                self.all_well = false;
            }
            Event::Nickname { outcome, .. } => {
                self.waiting = self.waiting.saturating_sub(1);
                self.all_well &= outcome.is_ok();
            }
            Event::Interrupted => self.is_cut_off = true,
            Event::Resumed(_) => self.is_cut_off = false,
            Event::Said(_) | Event::Unreadable { .. } | Event::Ready | Event::Changed(_) | Event::Roster(_) => {}
        }
        let circumstances = words::Circumstances {
            people: self.people(),
            room: &self.place.room,
            server: &self.place.server,
            has_passwords: self.has_passwords,
            trouble: self.link.trouble(),
        };
        if let Some(line) = circumstances.line(&event) {
            self.show(&line);
        }
    }

    fn people(&self) -> People<'_> {
        People { domain: &self.place.domain, roster: self.link.roster() }
    }

    /// Writes lines. Where nobody reads them any more, it is time to go.
    fn show(&mut self, lines: &str) {
        if writeln!(io::stdout(), "{lines}").is_err() {
            self.all_well = false;
            self.ended = true;
        }
    }

    /// Something has come of what the room does for its host.
    fn told(&mut self, line: &str) {
        self.all_well &= !line.starts_with('!');
        self.show(line);
    }

    fn typed(&mut self, line: &str) {
        let now = Instant::now();
        match self.hosting.as_ref().map(|hosting| hosting.obey(line)) {
            None | Some(Heeded::Not) => {}
            Some(Heeded::Done) => return,
            Some(Heeded::Wrong(why)) => return self.told(&format!("! {why}")),
        }
        match parse(line, &self.place.domain) {
            Line::Nothing => {}
            Line::Say(text) => {
                let said = self.link.agent().say(now, text).map(|_| ());
                self.asked(said);
            }
            Line::Whisper { to, text } => {
                let said = self.link.agent().whisper(now, &to, text).map(|_| ());
                self.asked(said);
            }
            Line::Nick(nickname) => self.nick(nickname),
            Line::Who => self.show(&self.people().list()),
            Line::Quit => self.ended = true,
            Line::Help => {
                self.show(lines::HELP);
                if self.hosting.is_some() {
                    self.show(crate::host::HELP);
                }
            }
            Line::Wrong(why) => {
                self.all_well = false;
                self.show(&format!("! {why}"));
            }
        }
    }

    fn nick(&mut self, nickname: Option<&str>) {
        let asked = self.link.agent().nick(Instant::now(), nickname);
        self.asked(asked);
    }

    fn asked(&mut self, asked: Result<(), Refused>) {
        match asked {
            Ok(()) => self.waiting += 1,
            Err(refused) => {
                self.all_well = false;
                self.show(&format!("! {}", words::refused(refused)));
            }
        }
    }
}

/// SIGINT and SIGTERM.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next of them.
    pub(crate) async fn recv(&mut self) -> Option<()> {
        tokio::select! {
            interrupt = self.interrupt.recv() => interrupt,
            terminate = self.terminate.recv() => terminate,
        }
    }
}
