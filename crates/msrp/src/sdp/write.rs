//! One's own descriptions.

use sdp_types::{AddrType, Attribute, Connection, Media, NetType, Session};

use super::{Direction, Line, MessageMedia, Offer, Setup};
use crate::uri::{Path, Uri};

/// What the o= line says of its writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The same for all descriptions of a dialog, and unlike that of any other dialog of this host.
    pub session_id: u64,
    /// One more with each change.
    pub version: u64,
    /// A name or an address of this host.
    pub address: String,
}

/// The o= line of a dialog, which changes only if what is described does (RFC 3264 §8, RFC 4975 §8.4).
#[derive(Debug, Clone)]
pub struct Originator {
    origin: Origin,
    last: Option<String>,
}

impl Originator {
    /// `session_id` may be a random number; its two highest bits are left out, as RFC 3264 §5 keeps it below 2^62.
    pub fn new(session_id: u64, address: &str) -> Originator {
        let origin = Origin { session_id: session_id >> 2, version: 1, address: address.to_owned() };
        Originator { origin, last: None }
    }

    /// The description that `write` makes, with the version of the last one if it says the same, with the next otherwise.
    /// `write` is called once or twice and must make the same of the same origin.
    pub fn describe(&mut self, write: impl Fn(&Origin) -> String) -> String {
        let mut text = write(&self.origin);
        if self.last.as_ref().is_some_and(|last| *last != text) {
            self.origin.version += 1;
            text = write(&self.origin);
        }
        self.last = Some(text.clone());
        text
    }

    /// The origin of the last description.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// An MSRP line of one's own.
#[derive(Debug, Clone)]
pub struct LocalMedia {
    /// The path to this endpoint, each URI with a port. Its first URI's scheme says whether TLS is used. In an answer it must
    /// agree with the offer, or the line is refused.
    pub path: Path,
    /// Media types accepted at the top level.
    pub accept_types: Vec<String>,
    /// Media types accepted in containers only; those of `accept_types` are left out.
    pub accept_wrapped_types: Vec<String>,
    /// The largest message accepted, in octets.
    pub max_size: Option<u64>,
    /// In an offer what it says, but that `Passive` is written as `Actpass` (RFC 6135 §4.2.2). In an answer the wish of
    /// [`MessageMedia::setup_answered`].
    pub setup: Setup,
    /// The tokens of `chatroom` (RFC 7701 §8); None leaves the attribute out.
    pub chatroom: Option<Vec<String>>,
    /// Whether RFC 6714 is offered, or agreed on if offered.
    pub cema: bool,
    /// Which way content may go; an answer takes from it what the offer allows.
    pub direction: Direction,
    /// The value of `fingerprint`, where the certificate proves itself by it.
    pub fingerprint: Option<String>,
}

impl LocalMedia {
    /// A line as RFC 7701 §5.2 has it: Message/CPIM with anything in it, both ways, ready to connect and to be connected to.
    pub fn new(path: Path) -> LocalMedia {
        LocalMedia {
            path,
            accept_types: vec!["message/cpim".to_owned()],
            accept_wrapped_types: vec!["*".to_owned()],
            max_size: None,
            setup: Setup::Actpass,
            chatroom: None,
            cema: false,
            direction: Direction::SendRecv,
            fingerprint: None,
        }
    }
}

/// An offer of one MSRP line.
pub fn offer(origin: &Origin, media: &LocalMedia) -> String {
    let mut session = session(origin, represented(media, media.cema).host());
    session.medias.push(offered(media));
    text(&session)
}

impl Offer {
    /// The answer: `accepted` is one of [`Offer::messages`] with what this side says to it. Every other line keeps its place
    /// with port 0 (RFC 3264 §6), and so does the accepted one if one of offer and path is secure and the other is not.
    pub fn answer(&self, origin: &Origin, accepted: Option<(&MessageMedia, &LocalMedia)>) -> String {
        let accepted = accepted.filter(|(offered, local)| offered.secure == local.path.first().secure());
        let Some((offered, local)) = accepted else {
            return text(&self.session(origin, &origin.address, |_, _| None));
        };
        let host = represented(local, offered.cema_answered(local)).host();
        let line = |nth, proto: &str| (nth == offered.line).then(|| answered(offered, local, proto));
        text(&self.session(origin, host, line))
    }

    /// A later offer in the dialog in which this one was made, by either side: the line `nth`, counted from 0, says what
    /// `local` does, the others have port 0 (RFC 3264 §8: a line never goes away).
    pub fn offer_again(&self, origin: &Origin, nth: usize, local: &LocalMedia) -> String {
        let host = represented(local, local.cema).host();
        text(&self.session(origin, host, |at, _| (at == nth).then(|| offered(local))))
    }

    /// The lines in their order: what `live` makes of them, and port 0 for the rest.
    fn session(&self, origin: &Origin, host: &str, live: impl Fn(usize, &str) -> Option<Media>) -> Session {
        let mut session = session(origin, host);
        session.times.clone_from(&self.times);
        let refused = |line: &Line| media(&line.media, 0, &line.proto, &line.format);
        let lines = self.lines.iter().enumerate();
        session.medias = lines.map(|(nth, line)| live(nth, &line.proto).unwrap_or_else(|| refused(line))).collect();
        session
    }
}

fn offered(media: &LocalMedia) -> Media {
    let setup = if media.setup == Setup::Active { Setup::Active } else { Setup::Actpass };
    let proto = if media.path.first().secure() { "TCP/TLS/MSRP" } else { "TCP/MSRP" };
    message(media, proto, setup, media.cema, media.direction)
}

fn answered(offered: &MessageMedia, local: &LocalMedia, proto: &str) -> Media {
    let setup = offered.setup_answered(local.setup);
    let cema = offered.cema_answered(local);
    message(local, proto, setup, cema, offered.direction.answered(local.direction))
}

/// The URI whose host and port stand in the c= and m= lines: that of the endpoint (RFC 4975 §8.1), or that of the relay
/// (RFC 6714 §4.2).
fn represented(media: &LocalMedia, cema: bool) -> &Uri {
    if cema { media.path.first() } else { media.path.last() }
}

fn message(local: &LocalMedia, proto: &str, setup: Setup, cema: bool, direction: Direction) -> Media {
    let port = represented(local, cema).port().unwrap_or(2855);
    let mut media = media("message", port, proto, "*");
    let wrapped = local.accept_wrapped_types.iter().filter(|entry| !local.accept_types.contains(entry));
    let mut put = |name: &str, value: Option<String>| {
        media.attributes.push(Attribute { attribute: name.to_owned(), value });
    };
    list(&mut put, "accept-types", local.accept_types.iter());
    list(&mut put, "accept-wrapped-types", wrapped);
    put("path", Some(local.path.to_string()));
    put("setup", Some(setup.as_str().to_owned()));
    if let Some(tokens) = &local.chatroom {
        put("chatroom", Some(joined(tokens.iter())).filter(|tokens| !tokens.is_empty()));
    }
    if let Some(size) = local.max_size {
        put("max-size", Some(size.to_string()));
    }
    if cema {
        put("msrp-cema", None);
    }
    if let Some(fingerprint) = &local.fingerprint {
        put("fingerprint", Some(fingerprint.clone()));
    }
    if direction != Direction::SendRecv {
        put(direction.as_str(), None);
    }
    media
}

fn list<'a>(put: &mut impl FnMut(&str, Option<String>), name: &str, entries: impl Iterator<Item = &'a String>) {
    let entries = joined(entries);
    if !entries.is_empty() {
        put(name, Some(entries));
    }
}

/// Each once, with a space between.
fn joined<'a>(entries: impl Iterator<Item = &'a String>) -> String {
    let mut once: Vec<&str> = Vec::new();
    for entry in entries {
        if !once.contains(&entry.as_str()) {
            once.push(entry);
        }
    }
    once.join(" ")
}

fn media(kind: &str, port: u16, proto: &str, format: &str) -> Media {
    Media {
        media: kind.to_owned(),
        port,
        num_ports: None,
        proto: proto.to_owned(),
        fmt: format.to_owned(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

fn session(origin: &Origin, host: &str) -> Session {
    let address = origin.address.as_str();
    let mut session = Session::new(
        sdp_types::Origin::new(origin.session_id, origin.version, NetType::In, kind(address), address),
        "-",
    );
    session.connection = Some(Connection::new(NetType::In, kind(host), host));
    session
}

/// A name is written as RFC 4975 does, with `IP4`.
fn kind(address: &str) -> AddrType {
    if address.contains(':') { AddrType::Ip6 } else { AddrType::Ip4 }
}

/// Writing to memory does not fail, and what is written is text.
fn text(session: &Session) -> String {
    let mut octets = Vec::new();
    let _ = session.write(&mut octets);
    String::from_utf8(octets).unwrap_or_default()
}
