//! People in a chat room, so that a dialogue reads like the rows of a checklist: they join, say, whisper, hear and leave.
//!
//! A [`Chat`] is a [`Stage`] with people on it. What they get is held against the rules that hold for every frame, so a test
//! only says what is special to it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use focus::Settings;
use focus::node::LinkId;
use focus::settings::RoomPolicy;
use focus::signalling::Account;
use sip::auth::{Algorithm, Credentials, ha1};

use crate::script;
use crate::stage::{Phone, Stage, permanent, settings};

mod call;
mod callee;
mod caller;
mod control;
mod ear;
mod media;
mod watch;
mod watcher;
mod words;

pub use call::SipMessage;
pub use caller::Caller;
pub use control::Progress;
pub use ear::{Frame, Message, Outcome};
pub use watcher::{Asks, Reply, Told, Watcher};
pub use words::{Chunk, Words, nothing, to};

use ear::Ear;

/// The room of most dialogues. It is always there.
pub const ROOM: &str = "sip:lobby@chat.example.com";
/// A room whose home is the other one of two workers. It is always there.
pub const ATTIC: &str = "sip:attic@chat.example.com";

/// Somebody who has called, by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person(usize);

/// On which worker people's connections are, seen from the lobby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On its home.
    Home,
    /// On another one: all goes by mail.
    Away,
    /// By turns, the first at home.
    Mixed,
}

/// Plays a dialogue with everybody at the home of the room, with everybody on another worker, and with both.
pub fn everywhere(dialogue: impl Fn(&mut Chat)) {
    everywhere_in(|_| {}, dialogue);
}

/// The same with another policy of the lobby.
pub fn everywhere_in(policy: impl Fn(&mut RoomPolicy), dialogue: impl Fn(&mut Chat)) {
    for placement in [Placement::Home, Placement::Away, Placement::Mixed] {
        let mut chat = Chat::in_room(&policy);
        chat.placement = placement;
        dialogue(&mut chat);
    }
}

/// A dialog of somebody with a room, and the session in it.
struct Guest {
    caller: Caller,
    phone: Phone,
    call_id: String,
    tag: String,
    cseq: u32,
    /// Offers made so far.
    offers: usize,
    path: String,
    /// The path of the last offer.
    offered: String,
    answer: SipMessage,
    link: Option<LinkId>,
    ear: Ear,
}

/// A node with people.
pub struct Chat {
    /// The stage they are on.
    pub stage: Stage,
    /// On which workers they are to be.
    pub placement: Placement,
    guests: Vec<Guest>,
    calls: usize,
    turns: usize,
    heard: BTreeMap<Phone, VecDeque<SipMessage>>,
    frames: BTreeMap<LinkId, VecDeque<Frame>>,
    transactions: usize,
}

impl Default for Chat {
    fn default() -> Self {
        Self::new()
    }
}

impl Chat {
    /// A node that believes everybody, and two permanent rooms.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same with other settings.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(Instant::now());
        settings.rooms.permanent =
            vec![permanent("lobby", RoomPolicy::default()), permanent("attic", RoomPolicy::default())];
        change(&mut settings);
        Self::on(Stage::new(settings))
    }

    /// The same with another policy of the lobby.
    #[must_use]
    pub fn in_room(change: impl FnOnce(&mut RoomPolicy)) -> Self {
        Self::with(|settings| change(&mut settings.rooms.permanent[0].policy))
    }

    /// People on a stage.
    #[must_use]
    pub fn on(stage: Stage) -> Self {
        Self {
            stage,
            placement: Placement::Home,
            guests: Vec::new(),
            calls: 0,
            turns: 0,
            heard: BTreeMap::new(),
            frames: BTreeMap::new(),
            transactions: 0,
        }
    }

    /// Somebody who can log in by digest, as their URI alone or with aliases.
    pub fn open_account(&mut self, user: &str, password: &str, aliases: &[&str]) {
        let secret = |algorithm| Some(ha1(algorithm, user, "chat.example.com", password));
        let account = Account {
            uri: format!("sip:{user}@chat.example.com"),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            sha256: secret(Algorithm::Sha256),
            md5: secret(Algorithm::Md5),
        };
        self.stage.accounts.insert(user.to_owned(), account);
    }

    /// An INVITE, with credentials when it is challenged for them, by the server and by a room, and the ACK. Nobody here counts
    /// nonces: whoever is told that one has grown stale tries again with the new one.
    ///
    /// # Errors
    /// The final response, where it is a refusal.
    pub fn call(&mut self, caller: impl Into<Caller>) -> Result<Person, SipMessage> {
        let caller = caller.into();
        let phone = if caller.udp { self.stage.udp_phone() } else { self.stage.phone() };
        self.call_from(phone, caller)
    }

    /// The same from a phone that is there.
    ///
    /// # Errors
    /// The final response, where it is a refusal.
    pub fn call_from(&mut self, phone: Phone, caller: impl Into<Caller>) -> Result<Person, SipMessage> {
        let mut guest = self.ring(phone, caller);
        let (mut answer, mut said) = (self.reply(&guest), BTreeMap::new());
        while answer.code() == 401 && take_up(&guest.caller, &answer, "INVITE", &mut said) {
            self.acknowledge(&guest, &answer, guest.cseq);
            guest.cseq += 1;
            let authorizations: Vec<&str> = said.values().map(String::as_str).collect();
            let authorizations = authorizations.join("\r\nAuthorization: ");
            self.stage.send_octets(phone, guest.invitation(Some(&authorizations)).into_bytes());
            answer = self.reply(&guest);
        }
        self.acknowledge(&guest, &answer, guest.cseq);
        if answer.code() != 200 {
            return Err(answer);
        }
        Ok(self.seat(guest, answer))
    }

    /// Only the INVITE; what comes of it is [`Chat::sip`]'s, by the Call-ID.
    pub fn invite_only(&mut self, phone: Phone, caller: impl Into<Caller>) -> String {
        self.ring(phone, caller).call_id
    }

    /// The octets of an INVITE, and its Call-ID.
    pub fn invitation(&mut self, phone: Phone, caller: impl Into<Caller>) -> (Vec<u8>, String) {
        let guest = self.stranger(phone, caller.into());
        (guest.invitation(None).into_bytes(), guest.call_id)
    }

    /// An OPTIONS out of any dialog; the Call-ID.
    pub fn options(&mut self, phone: Phone, caller: impl Into<Caller>) -> String {
        let guest = self.stranger(phone, caller.into());
        self.stage.send_octets(phone, guest.request("OPTIONS", 1, false, None, None).into_bytes());
        guest.call_id
    }

    fn ring(&mut self, phone: Phone, caller: impl Into<Caller>) -> Guest {
        let guest = self.stranger(phone, caller.into());
        self.stage.send_octets(phone, guest.invitation(None).into_bytes());
        guest
    }

    /// Somebody who has not called yet.
    fn stranger(&mut self, phone: Phone, caller: Caller) -> Guest {
        self.calls += 1;
        let number = self.calls;
        Guest {
            call_id: format!("{}{number}@example.net", caller.name),
            tag: format!("{}{number}", caller.name),
            cseq: 1,
            offers: 1,
            path: caller.path(number),
            offered: String::new(),
            answer: SipMessage { start: String::new(), headers: Vec::new(), body: String::new() },
            link: None,
            ear: Ear::default(),
            phone,
            caller,
        }
    }

    fn seat(&mut self, mut guest: Guest, answer: SipMessage) -> Person {
        guest.answer = answer;
        self.guests.push(guest);
        Person(self.guests.len() - 1)
    }

    /// A call, a connection and the SEND that binds the session (RFC 4975 §5.4), each of which must succeed.
    ///
    /// # Panics
    /// When it does not.
    pub fn join(&mut self, caller: impl Into<Caller>) -> Person {
        let caller = caller.into();
        let away = match self.placement {
            Placement::Home => false,
            Placement::Away => true,
            Placement::Mixed => {
                self.turns += 1;
                self.turns.is_multiple_of(2)
            }
        };
        let person = self.call(&caller).unwrap_or_else(|answer| panic!("{} is refused: {answer:?}", caller.name));
        if away {
            let phone = self.phone(person);
            let attic = self.call_from(phone, caller.aside()).unwrap_or_else(|answer| panic!("the attic: {answer:?}"));
            let link = self.bind(attic);
            self.bind_on(link, person);
        } else {
            self.bind(person);
        }
        person
    }

    /// Several people, each by [`Chat::join`].
    pub fn all<const N: usize>(&mut self, names: [&str; N]) -> [Person; N] {
        names.map(|name| self.join(name))
    }

    /// The final answer to somebody's last offer.
    #[must_use]
    pub fn answer(&self, person: Person) -> &SipMessage {
        &self.guests[person.0].answer
    }

    /// A BYE, which must get its 200.
    ///
    /// # Panics
    /// When it does not.
    pub fn leave(&mut self, person: Person) {
        let answer = self.within(person, "BYE", None);
        assert_eq!(answer.code(), 200, "{answer:?}");
    }

    /// The octets of somebody's BYE.
    pub fn bye(&mut self, person: Person) -> Vec<u8> {
        let guest = &mut self.guests[person.0];
        guest.cseq += 1;
        guest.request("BYE", guest.cseq, true, None, None).into_bytes()
    }

    /// A later offer in somebody's dialog, with ACK: the answer. Without a path of its own it has that of before.
    pub fn offer_again(&mut self, person: Person, caller: impl Into<Caller>) -> SipMessage {
        let octets = self.later_offer(person, caller);
        let phone = self.phone(person);
        self.stage.send_octets(phone, octets);
        self.take_answer(person)
    }

    /// The octets of a later offer in somebody's dialog. [`Chat::take_answer`] goes on.
    pub fn later_offer(&mut self, person: Person, caller: impl Into<Caller>) -> Vec<u8> {
        let caller = caller.into();
        let guest = &mut self.guests[person.0];
        guest.offers += 1;
        guest.cseq += 1;
        guest.offered = caller.chosen_path().unwrap_or(&guest.path).to_owned();
        let body = caller.body(&guest.offered, guest.offers);
        guest.request("INVITE", guest.cseq, true, None, body).into_bytes()
    }

    /// The answer to somebody's later offer, and the ACK.
    ///
    /// # Panics
    /// When none has come.
    pub fn take_answer(&mut self, person: Person) -> SipMessage {
        let answer = self.next_sip(person).expect("a later offer is answered");
        let guest = &mut self.guests[person.0];
        if answer.code() == 200 {
            (guest.answer, guest.path) = (answer.clone(), guest.offered.clone());
        }
        let cseq = guest.cseq;
        self.acknowledge_within(person, cseq);
        answer
    }

    /// A request in somebody's dialog, and its final response.
    pub fn within(&mut self, person: Person, method: &str, body: Option<(String, String)>) -> SipMessage {
        let guest = &mut self.guests[person.0];
        guest.cseq += 1;
        let (phone, cseq, call_id) = (guest.phone, guest.cseq, guest.call_id.clone());
        let text = guest.request(method, cseq, true, None, body);
        self.stage.send_octets(phone, text.into_bytes());
        self.sip(phone, &call_id).unwrap_or_else(|| panic!("no answer to {method}"))
    }

    /// The next SIP message on somebody's phone that belongs to their call.
    pub fn next_sip(&mut self, person: Person) -> Option<SipMessage> {
        let (phone, call_id) = (self.phone(person), self.guests[person.0].call_id.clone());
        self.sip(phone, &call_id)
    }

    /// The next SIP message on a phone that belongs to a call.
    pub fn sip(&mut self, phone: Phone, call_id: &str) -> Option<SipMessage> {
        self.gather(phone);
        let heard = self.heard.get_mut(&phone)?;
        let at = heard.iter().position(|message| message.header("Call-ID") == Some(call_id))?;
        heard.remove(at)
    }

    /// The Reason of the BYE that somebody has got, if they have; they answer it.
    pub fn dismissed(&mut self, person: Person) -> Option<String> {
        let bye = self.next_sip(person)?;
        assert!(bye.start.starts_with("BYE "), "{bye:?}");
        let mut text = "SIP/2.0 200 OK\r\n".to_owned();
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            text.push_str(&format!("{name}: {}\r\n", bye.header(name).unwrap_or_default()));
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        let phone = self.phone(person);
        self.stage.send_octets(phone, text.into_bytes());
        Some(bye.header("Reason").unwrap_or_default().to_owned())
    }

    /// Everybody answers the BYEs that they have got.
    pub fn answer_all(&mut self) {
        for person in (0..self.guests.len()).map(Person) {
            while self.dismissed(person).is_some() {}
        }
    }

    /// Somebody's phone.
    #[must_use]
    pub fn phone(&self, person: Person) -> Phone {
        self.guests[person.0].phone
    }

    /// The address that somebody has joined by.
    #[must_use]
    pub fn uri(&self, person: Person) -> String {
        self.guests[person.0].caller.uri.clone()
    }

    fn reply(&mut self, guest: &Guest) -> SipMessage {
        self.sip(guest.phone, &guest.call_id).expect("an INVITE is answered at once")
    }

    /// The ACK of a final response: part of the INVITE's transaction where that is a refusal.
    fn acknowledge(&mut self, guest: &Guest, answer: &SipMessage, cseq: u32) {
        let to = answer.header("To").unwrap_or_default().to_owned();
        let text = guest.request_to("ACK", cseq, &to, answer.code() == 200, None, None);
        self.stage.send_octets(guest.phone, text.into_bytes());
    }

    fn acknowledge_within(&mut self, person: Person, cseq: u32) {
        let guest = &self.guests[person.0];
        let (phone, text) = (guest.phone, guest.request("ACK", cseq, true, None, None));
        self.stage.send_octets(phone, text.into_bytes());
    }
}

impl Guest {
    fn invitation(&self, authorization: Option<&str>) -> String {
        let body = self.caller.body(&self.path, self.offers);
        self.request("INVITE", self.cseq, false, authorization, body)
    }

    fn request(
        &self,
        method: &str,
        cseq: u32,
        within: bool,
        authorization: Option<&str>,
        body: Option<(String, String)>,
    ) -> String {
        let to = match self.answer.header("To") {
            Some(to) if within => to.to_owned(),
            _ => format!("<{}>", self.caller.room),
        };
        self.request_to(method, cseq, &to, within, authorization, body)
    }

    fn request_to(
        &self,
        method: &str,
        cseq: u32,
        to: &str,
        within: bool,
        authorization: Option<&str>,
        body: Option<(String, String)>,
    ) -> String {
        let Caller { name, uri, room, display_name, .. } = &self.caller;
        let transport = if self.caller.udp { "UDP" } else { "TCP" };
        let branch = if method == "ACK" && within { format!("ack{cseq}") } else { format!("{cseq}") };
        let mut text = format!(
            "{method} {room} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {name}.example.net;branch=z9hG4bK{}{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: {display_name}<{uri}>;tag={}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{name}@{}>{}\r\n",
            self.tag,
            self.tag,
            self.call_id,
            self.phone.address(),
            self.caller.contact_params,
        );
        let further = self.caller.headers().iter().filter(|_| method == "INVITE");
        for line in further.cloned().chain(authorization.map(|value| format!("Authorization: {value}"))) {
            text.push_str(&line);
            text.push_str("\r\n");
        }
        let (content_type, body) = body.unwrap_or_default();
        if !body.is_empty() {
            text.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }
}

/// Puts what a caller answers to a challenge among what was said to other realms. `false`: they have nothing to say to it, or
/// have said it.
fn take_up(caller: &Caller, answer: &SipMessage, method: &str, said: &mut BTreeMap<String, String>) -> bool {
    let values = || answer.all("WWW-Authenticate");
    let Some(realm) = values().find_map(sip::auth::challenged_realm) else { return false };
    let is_stale = values().any(|value| value.contains("stale=true"));
    if said.contains_key(&realm) && !is_stale {
        return false;
    }
    let room = room::Address::parse(&caller.room).and_then(|room| room.with_host("chat.example.com"));
    let value = match room {
        Ok(room) if room.as_str() == realm => caller.room_password.as_ref().and_then(|password| {
            let credentials = Credentials::new(room.user(), password);
            Some(sip::auth::answer(&credentials, values(), method, &caller.room, "cnonce")?.value)
        }),
        _ => authorization(caller, answer, method),
    };
    value.map(|value| said.insert(realm, value)).is_some()
}

/// What a caller answers to a challenge (RFC 7616), if they have what it takes.
fn authorization(caller: &Caller, challenge: &SipMessage, method: &str) -> Option<String> {
    let (user, password) = caller.login.as_ref()?;
    let credentials = Credentials::new(user, password);
    let answered = sip::auth::answer(&credentials, challenge.all("WWW-Authenticate"), method, &caller.room, "cnonce");
    answered.map(|answered| answered.value)
}

/// A text as [`script::wire`] reads it, without the line end of its last line: a body ends where its content does.
fn wire_octets(text: &str) -> Vec<u8> {
    let text = script::wire(text);
    text.strip_suffix("\r\n").unwrap_or(&text).as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lobby_and_the_attic_live_on_different_workers() {
        let bound = |placement| {
            let mut chat = Chat::new();
            chat.placement = placement;
            chat.join("alice");
            chat.stage.node.census().iter().map(|[_, bound, _]| *bound).collect::<Vec<_>>()
        };
        let (home, away) = (bound(Placement::Home), bound(Placement::Away));
        assert_eq!((home.iter().sum::<usize>(), away.iter().sum::<usize>()), (1, 2));
        let busy = |counts: &[usize]| counts.iter().position(|count| *count > 0);
        assert_ne!(busy(&home), busy(&away));
    }
}
