//! Dialogues with a room, written as they are read: a command after `>`, and below it what the room says after `<`.

#![allow(dead_code, reason = "each file of tests uses its part")]

use std::fmt::Write;
use std::time::{Duration, Instant};

use room::{
    Address, AskId, Audience, Capabilities, Change, Command, Effect, Guest, MediaTypes, NicknameRegistry, Policy,
    Refusal, Registration, Room, SeatId,
};

/// The room of all dialogues.
pub(crate) const LOBBY: &str = "sip:lobby@chat.example.com";

pub(crate) fn address(uri: &str) -> Address {
    Address::parse(uri).expect("an address")
}

/// Somebody who takes everything, private messages too.
pub(crate) fn guest(uri: &str) -> Guest {
    let capabilities = Capabilities { private_messages: true, aware: true, types: MediaTypes::any() };
    Guest { identity: address(uri), account: None, aliases: Vec::new(), display_name: None, capabilities }
}

/// An instant to begin with; which one it is plays no part.
#[allow(clippy::disallowed_methods, reason = "there is no other way to an instant, and it is never asked again")]
pub(crate) fn some_instant() -> Instant {
    Instant::now()
}

/// A room, a clock, and the transcript of what has been said.
///
/// Commands: `join SEAT URI`, with `also URI`, `"Name"`, `no-private` and `types A,B` behind it; `enter`, `suspend`,
/// `leave SEAT`; `update SEAT` with the last two of those; `nick SEAT TEXT`; `post SEAT FROM -> TO TYPE`, where FROM
/// and TO are URIs in angle brackets, none or several; `answer ASK yes|no`; `wait SECONDS`; `close`.
pub(crate) struct Stage {
    pub(crate) room: Room,
    pub(crate) now: Instant,
    posts: u64,
    wishes: u64,
}

impl Stage {
    pub(crate) fn new(policy: Policy) -> Self {
        let room = Room::new(address(LOBBY), &["192.0.2.1", "[2001:db8::1]:5060"], policy);
        Self { room, now: some_instant(), posts: 0, wishes: 0 }
    }

    /// Gives the commands of a script and compares what the room says with what stands there.
    #[track_caller]
    pub(crate) fn play(&mut self, script: &str) {
        let lines = || script.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut transcript = String::new();
        for line in lines().filter(|line| !line.starts_with('<')) {
            let _ = writeln!(transcript, "{line}");
            if let Some(command) = line.strip_prefix("> ") {
                self.command(command);
            }
            while let Some(effect) = self.room.poll_output() {
                let _ = writeln!(transcript, "< {}", tell(&effect));
            }
        }
        let expected: String = lines().flat_map(|line| [line, "\n"]).collect();
        assert!(transcript == expected, "was:\n{transcript}\nshould be:\n{expected}");
    }

    /// Gives one command of a script, whatever the room says to it.
    pub(crate) fn play_silently(&mut self, command: &str) {
        self.command(command);
        self.effects();
    }

    fn command(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (first, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let number = || first.parse().expect("a number");
        let seat = || SeatId(number());
        match verb {
            "join" => self.give(Command::Join { seat: seat(), guest: read_guest(rest) }),
            "replace" => {
                let (old, who) = rest.split_once(' ').expect("the seat that is replaced");
                let old = SeatId(old.parse().expect("a number"));
                self.give(Command::Replace { seat: seat(), guest: read_guest(who), old });
            }
            "enter" => self.give(Command::Enter { seat: seat() }),
            "suspend" => self.give(Command::Suspend { seat: seat() }),
            "leave" => self.give(Command::Leave { seat: seat() }),
            "update" => self.give(Command::Update { seat: seat(), capabilities: read_capabilities(rest) }),
            "nick" => self.wish(seat(), rest),
            "answer" => self.give(Command::NicknameAnswer { ask: AskId(number()), granted: rest == "yes" }),
            "wait" => {
                self.now += Duration::from_secs(number());
                self.room.handle_timeout(self.now);
            }
            "close" => self.give(Command::Close),
            "post" => self.post(seat(), rest),
            _ => panic!("no command: {line}"),
        }
    }

    fn post(&mut self, seat: SeatId, rest: &str) {
        let (from, rest) = rest.split_once("-> ").expect("an arrow");
        let (to, content_type) = rest.rsplit_once(' ').unwrap_or(("", rest));
        let uris = |text| -> Vec<&str> { str::split(text, ['<', '>']).skip(1).step_by(2).collect() };
        self.posts += 1;
        let (from, to, token) = (uris(from), uris(to), self.posts);
        self.give(Command::Post { seat, token, from: &from, to: &to, content_type });
    }

    /// Gives a wish for a nickname.
    pub(crate) fn wish(&mut self, seat: SeatId, name: &str) {
        self.wishes += 1;
        self.give(Command::Nickname { seat, token: self.wishes, name: Some(name) });
    }

    /// Gives one command.
    pub(crate) fn give(&mut self, command: Command<'_>) {
        self.room.handle_input(self.now, command);
    }

    /// The effects that wait.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.room.poll_output()).collect()
    }

    /// A member that is there already.
    pub(crate) fn member(&mut self, seat: u64, uri: &str) {
        self.give(Command::Join { seat: SeatId(seat), guest: guest(uri) });
        self.give(Command::Enter { seat: SeatId(seat) });
        self.effects();
    }

    /// What the room makes of a wish for a nickname, when it answers at once.
    pub(crate) fn nick(&mut self, seat: u64, name: &str) -> Result<Option<String>, Refusal> {
        self.wish(SeatId(seat), name);
        let sent = self.wishes;
        let mut outcomes = self.effects().into_iter().filter_map(|effect| match effect {
            Effect::Nickname { token, outcome, .. } if token == sent => Some(outcome),
            _ => None,
        });
        outcomes.next().expect("an answer at once")
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.room.handle_timeout(self.now);
    }
}

fn read_guest(text: &str) -> Guest {
    let mut words = text.split(' ');
    let mut guest = guest(words.next().expect("a URI"));
    guest.capabilities = read_capabilities(text);
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        match word {
            "also" => guest.aliases.push(address(words.next().expect("a URI"))),
            name if name.starts_with('"') => guest.display_name = Some(name.trim_matches('"').to_owned()),
            _ => {}
        }
    }
    guest
}

fn read_capabilities(text: &str) -> Capabilities {
    let types = text.split_once("types ").map(|(_, list)| list.split(' ').next().unwrap_or_default());
    let types = types.map_or_else(MediaTypes::any, |list| MediaTypes::parse(list.split(',')).expect("media types"));
    Capabilities { private_messages: !text.contains("no-private"), aware: true, types }
}

/// An effect in one line.
pub(crate) fn tell(effect: &Effect) -> String {
    match effect {
        Effect::Seated { seat } => format!("seated {}", seat.0),
        Effect::Refused { seat, refusal } => format!("refused {} {refusal:?}", seat.0),
        Effect::Entered { seat, epoch } => format!("entered {} in epoch {}", seat.0, epoch.0),
        Effect::Left { seat } => format!("left {}", seat.0),
        Effect::Deliver { seat, token, sequence, audience } => {
            let place = format!("{} in epoch {}", sequence.number, sequence.epoch.0);
            format!("deliver {} #{token} as {place} to {}", seat.0, tell_audience(audience))
        }
        Effect::Reject { seat, token, refusal } => format!("reject {} #{token} {refusal:?}", seat.0),
        Effect::Nickname { seat, outcome: Ok(Some(name)), .. } => format!("nickname {} \"{name}\"", seat.0),
        Effect::Nickname { seat, outcome: Ok(None), .. } => format!("nickname {} none", seat.0),
        Effect::Nickname { seat, outcome: Err(refusal), .. } => format!("nickname {} refused {refusal:?}", seat.0),
        Effect::Register(registration) => tell_registration(registration),
        Effect::Dismiss { seat, reason } => format!("dismiss {} {reason:?}", seat.0),
        Effect::Roster(change) => tell_change(change),
        Effect::Empty => "empty".to_owned(),
    }
}

fn tell_audience(audience: &Audience) -> String {
    match audience {
        Audience::Everyone { except, since } => format!("everyone but {} since {}", except.0, since.0),
        Audience::User { identity, except, since } => format!("{identity} but {} since {}", except.0, since.0),
    }
}

fn tell_registration(registration: &Registration) -> String {
    match registration {
        Registration::Reserve { ask, seat, account, nickname, .. } => {
            format!("ask {} for {}: may {account} be \"{}\"?", ask.0, seat.0, nickname.shown())
        }
        Registration::Release { seat, nickname, keep } => {
            format!("release for {}: \"{}\", kept {keep:?}", seat.0, nickname.shown())
        }
    }
}

fn tell_change(change: &Change) -> String {
    let or_none = |text: &Option<String>| text.as_ref().map_or("none".to_owned(), |text| format!("\"{text}\""));
    match change {
        Change::UserJoined { identity, seat, display_name } => {
            format!("roster: {identity} joins with {}, named {}", seat.0, or_none(display_name))
        }
        Change::SeatJoined { identity, seat } => format!("roster: {identity} joins with {} too", seat.0),
        Change::SeatLeft { identity, seat } => format!("roster: {identity} leaves with {}", seat.0),
        Change::UserLeft { identity, seat } => format!("roster: {identity} leaves with {}, the last", seat.0),
        Change::SeatSuspended { identity, seat } => format!("roster: {identity} is away with {}", seat.0),
        Change::SeatResumed { identity, seat } => format!("roster: {identity} is back with {}", seat.0),
        Change::DisplayNameChanged { identity, display_name } => {
            format!("roster: {identity} is named {}", or_none(display_name))
        }
        Change::NicknameChanged { identity, nickname } => format!("roster: {identity} is called {}", or_none(nickname)),
    }
}

/// Gives the registry what a room has said for it, and gives the answers back to the room.
pub(crate) fn carry(registry: &mut NicknameRegistry, stage: &mut Stage) {
    for effect in stage.effects() {
        if let Effect::Register(registration) = effect
            && let Some((ask, granted)) = registry.handle_input(stage.now, &registration)
        {
            stage.give(Command::NicknameAnswer { ask, granted });
        }
    }
}
