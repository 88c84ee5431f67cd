//! The MSRP side of people: connections, and what they say and hear on them.

use std::collections::VecDeque;

use focus::node::LinkId;

use super::{Chat, Chunk, Frame, Message, Outcome, Person, Words, nothing, to};
use crate::people::ROOM;

impl Chat {
    /// Connects somebody and binds their session.
    ///
    /// # Panics
    /// When the switch does not answer 200.
    pub fn bind(&mut self, person: Person) -> LinkId {
        let link = self.stage.connect(self.guests[person.0].caller.is_secure());
        self.bind_on(link, person);
        link
    }

    /// Binds somebody's session on a connection that is there.
    ///
    /// # Panics
    /// When the switch does not answer 200.
    pub fn bind_on(&mut self, link: LinkId, person: Person) {
        self.use_link(link, person);
        let answered = self.send(person, nothing());
        assert_eq!(answered, Some(200), "{} cannot bind", self.uri(person));
    }

    /// Has somebody speak on a connection from now on, without a word.
    pub fn use_link(&mut self, link: LinkId, person: Person) {
        self.guests[person.0].link = Some(link);
    }

    /// The connection that somebody speaks on.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn link(&self, person: Person) -> LinkId {
        self.guests[person.0].link.expect("they are connected")
    }

    /// The URI of the switch for somebody's session.
    #[must_use]
    pub fn switch_uri(&self, person: Person) -> String {
        self.answer(person).attribute("path").to_owned()
    }

    /// Somebody's path.
    #[must_use]
    pub fn path(&self, person: Person) -> String {
        self.guests[person.0].path.clone()
    }

    /// Somebody sends a message, or a chunk of one: the code of the response, or nothing where none comes.
    pub fn send(&mut self, person: Person, what: impl Spoken) -> Option<u16> {
        let transaction = self.send_only(person, what);
        self.response(person, &transaction)
    }

    /// The same without a look at what comes back. The transaction id.
    pub fn send_only(&mut self, person: Person, what: impl Spoken) -> String {
        let (transaction, octets) = self.frame_of(person, what);
        let link = self.link(person);
        self.stage.say_octets(link, &octets);
        transaction
    }

    /// The octets that somebody would send, and their transaction id.
    pub fn frame_of(&mut self, person: Person, what: impl Spoken) -> (String, Vec<u8>) {
        let chunk = what.spoken_by(&self.uri(person));
        self.transactions += 1;
        let (transaction, fresh_id) = (format!("tid{:05}", self.transactions), format!("mid{:05}", self.transactions));
        let octets = chunk.encode(&transaction, &self.switch_uri(person), &self.path(person), &fresh_id);
        (transaction, octets)
    }

    /// Somebody says something to everybody, and gets a 200.
    ///
    /// # Panics
    /// When they do not.
    pub fn say(&mut self, person: Person, text: &str) {
        assert_eq!(self.send(person, to(ROOM, text)), Some(200), "to all: {text}");
    }

    /// Somebody says something to somebody else alone, and gets a 200.
    ///
    /// # Panics
    /// When they do not.
    pub fn whisper(&mut self, person: Person, other: Person, text: &str) {
        let uri = self.uri(other);
        assert_eq!(self.send(person, to(&uri, text)), Some(200), "to {uri}: {text}");
    }

    /// Somebody asks for a nickname (RFC 7701 §7.1).
    pub fn nick(&mut self, person: Person, nickname: &str) -> u16 {
        let quoted = nickname.replace('\\', "\\\\").replace('"', "\\\"");
        self.nick_as_written(person, format!("\"{quoted}\"").as_bytes())
    }

    /// The same with the octets of the header's value.
    ///
    /// # Panics
    /// When no answer comes.
    pub fn nick_as_written(&mut self, person: Person, value: &[u8]) -> u16 {
        let header = [b"Use-Nickname: ".as_slice(), value, b"\r\n"].concat();
        self.ask(person, "NICKNAME", &header).expect("a NICKNAME is always answered")
    }

    /// Somebody sends a request with these octets after its paths, before its end-line.
    pub fn ask(&mut self, person: Person, method: &str, rest: &[u8]) -> Option<u16> {
        self.transactions += 1;
        let transaction = format!("tid{:05}", self.transactions);
        let (switch, own) = (self.switch_uri(person), self.path(person));
        let head = format!("MSRP {transaction} {method}\r\nTo-Path: {switch}\r\nFrom-Path: {own}\r\n");
        let end = format!("-------{transaction}$\r\n");
        let link = self.link(person);
        self.stage.say_octets(link, &[head.as_bytes(), rest, end.as_bytes()].concat());
        self.response(person, &transaction)
    }

    /// The response to a transaction of somebody's, if it has come.
    ///
    /// # Panics
    /// When it is not what RFC 4975 §7.2 wants.
    pub fn response(&mut self, person: Person, transaction: &str) -> Option<u16> {
        let link = self.link(person);
        let frames = self.frames(link);
        let is_it = |frame: &Frame| frame.transaction == transaction && frame.code().is_some();
        let at = frames.iter().position(is_it)?;
        let frame = frames.remove(at)?;
        let path = self.path(person);
        let to_path = frame.header("To-Path").unwrap_or_default();
        assert!(path == to_path || path.split(' ').next() == Some(to_path), "{frame:?}");
        assert_eq!((frame.headers.len(), frame.flag), (2, '$'), "{frame:?}");
        frame.code()
    }

    /// The next frame for somebody that is no response.
    pub fn next_frame(&mut self, person: Person) -> Option<Frame> {
        let (link, path) = (self.link(person), self.path(person));
        let frames = self.frames(link);
        let at = frames.iter().position(|frame| frame.header("To-Path") == Some(&path) && frame.code().is_none())?;
        frames.remove(at)
    }

    /// The next REPORT for somebody.
    ///
    /// # Panics
    /// When something else comes first, or nothing.
    pub fn report(&mut self, person: Person) -> Frame {
        let frame = self.next_frame(person).expect("a REPORT has come");
        assert_eq!((frame.start.as_str(), frame.flag), ("REPORT", '$'), "{frame:?}");
        assert!(frame.body.as_ref().is_none_or(|body| body.len() <= 10_240), "RFC 4975 §7.1: a body too long");
        frame
    }

    /// The next message that has ended for somebody, whole or not; nothing where none has.
    ///
    /// # Panics
    /// When a REPORT comes first.
    pub fn outcome(&mut self, person: Person) -> Option<Outcome> {
        while let Some(frame) = self.next_frame(person) {
            assert_eq!(frame.start, "SEND", "{frame:?}");
            assert_eq!(frame.header("From-Path"), Some(self.switch_uri(person).as_str()));
            if let Some(outcome) = self.guests[person.0].ear.hear(&frame) {
                return Some(outcome);
            }
        }
        None
    }

    /// The next message for somebody: `rx` of the checklist.
    ///
    /// # Panics
    /// When none has come, or it was given up.
    pub fn rx(&mut self, person: Person) -> Message {
        match self.outcome(person) {
            Some(Outcome::Whole(message)) => message,
            other => panic!("{} has got no message: {other:?}", self.uri(person)),
        }
    }

    /// The next message for somebody says this, and is from that address.
    ///
    /// # Panics
    /// When it does not, or there is none.
    pub fn hears(&mut self, person: Person, text: &str) -> Message {
        let message = self.rx(person);
        assert!(message.text() == text, "{} hears {message:?}\n--- not\n{text}", self.uri(person));
        message
    }

    /// What somebody is told by the room who has just entered with a user agent that knows no rooms (RFC 7701 §11).
    ///
    /// # Panics
    /// When it is something else.
    pub fn greeted(&mut self, person: Person) -> [String; 2] {
        let texts = [(); 2].map(|()| {
            let message = self.rx(person);
            let room = format!("<{}>", self.guests[person.0].caller.room);
            assert_eq!(
                (message.header("From"), message.header("To")),
                (Some(room), Some(format!("<{}>", self.uri(person))))
            );
            message.text()
        });
        assert!(texts[0].starts_with("You are in the chat room "), "{texts:?}");
        texts
    }

    /// Nothing more has come for somebody, and nothing is on its way.
    ///
    /// # Panics
    /// When it has.
    pub fn silent(&mut self, person: Person) {
        let more = self.next_frame(person);
        assert_eq!(more, None, "at {}", self.uri(person));
        let link = self.link(person);
        let pending = String::from_utf8_lossy(self.stage.pending(link)).into_owned();
        assert!(pending.is_empty(), "at {}: {pending}", self.uri(person));
        assert!(!self.guests[person.0].ear.is_waiting(), "at {}: a message has begun", self.uri(person));
    }

    /// Nothing more has come for any of them.
    pub fn all_silent(&mut self, people: &[Person]) {
        for person in people {
            self.silent(*person);
        }
    }

    /// The frames that have come on a connection and were not yet taken.
    pub fn frames(&mut self, link: LinkId) -> &mut VecDeque<Frame> {
        while let Some(octets) = self.stage.try_frame(link) {
            self.frames.entry(link).or_default().push_back(Frame::read(&octets));
        }
        self.frames.entry(link).or_default()
    }
}

/// A message or a chunk of one.
pub trait Spoken {
    /// The chunk, in the name of somebody.
    fn spoken_by(&self, uri: &str) -> Chunk;
}

impl Spoken for Words {
    fn spoken_by(&self, uri: &str) -> Chunk {
        Words::spoken_by(self, uri)
    }
}

impl Spoken for Chunk {
    fn spoken_by(&self, _uri: &str) -> Chunk {
        self.clone()
    }
}

impl<T: Spoken> Spoken for &T {
    fn spoken_by(&self, uri: &str) -> Chunk {
        T::spoken_by(self, uri)
    }
}
