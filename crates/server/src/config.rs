//! What the operator may say: the file's keys, their defaults and their limits.
//!
//! A key that is unknown, out of range or not carried out yet stops the start; each complaint names its line, the key and what
//! would be right. Nothing is looked up and nothing is opened here.

pub(crate) mod network;
mod reader;
pub(crate) mod rooms;
mod sections;
pub(crate) mod users;
pub(crate) mod value;

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use focus::room::{Address, DeleteWhen};
use focus::settings::{Network, RoomPolicy};
use toml::de::DeTable;

pub(crate) use reader::Problem;

/// Everything that `tertulia serve` is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// The domain whose users and rooms these are.
    pub(crate) domain: String,
    /// Where the server keeps what it must find again.
    pub(crate) data_dir: PathBuf,
    /// Signalling.
    pub(crate) sip: Service,
    /// Media.
    pub(crate) msrp: Service,
    /// The longest message that a room takes, in octets.
    pub(crate) max_message: u64,
    /// How many messages a participant sends in a second.
    pub(crate) message_rate: Option<u32>,
    /// How many INVITEs a source address sends in a second.
    pub(crate) join_rate: Option<u32>,
    /// Where the server may connect to of its own accord.
    pub(crate) outbound: Vec<Network>,
    /// From where the word on who calls is taken.
    pub(crate) trusted_peers: Vec<Network>,
    /// The first hop of requests that the server sends outside of dialogs.
    pub(crate) outbound_proxy: Option<focus::sip::typed::Uri>,
    /// Where HTTP is served; may be nowhere.
    pub(crate) http: Vec<SocketAddr>,
    /// The operator's certificate chain and its key, PEM files; without them a self-signed pair is made in `data_dir`.
    pub(crate) tls: Option<CertificateFiles>,
    /// The file of the store, within `data_dir` where it is relative.
    pub(crate) store: PathBuf,
    /// Names the passwords of the users, whether anybody is asked for one or not.
    pub(crate) realm: String,
    /// Who is believed to be who.
    pub(crate) auth: Auth,
    /// Who has an account, in the order of the file.
    pub(crate) users: Vec<User>,
    /// Who makes a room by calling an unknown URI.
    pub(crate) create: Create,
    /// The user part of the URI that makes a new room for each call.
    pub(crate) factory: Option<String>,
    /// How such a room is.
    pub(crate) defaults: RoomPolicy,
    /// The rooms that are always there, in the order of the file.
    pub(crate) rooms: Vec<Room>,
}

/// One protocol's listeners and what the world is told about them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Service {
    /// At least one.
    pub(crate) listen: Vec<Listener>,
    /// Where clients are told to come.
    pub(crate) advertise: Advertise,
}

/// A transport as the file writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `udp://`
    Udp,
    /// `tcp://`
    Tcp,
    /// `tls://`
    Tls,
    /// `http://`
    Http,
    /// `https://`
    Https,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
            Protocol::Tls => "tls",
            Protocol::Http => "http",
            Protocol::Https => "https",
        })
    }
}

/// Where to listen. Port 0 takes a free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.protocol, self.address)
    }
}

/// Where clients are told to come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Advertise {
    /// To the address of each listener itself.
    Listening,
    /// To this host, at the port of each listener.
    Host(String),
    /// To these places, whatever is listened on (a port mapping stands before the server).
    Places(Vec<Advertised>),
}

/// A place that clients are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advertised {
    pub(crate) protocol: Protocol,
    /// A name or a literal address, an IPv6 one in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Advertise {
    /// What to tell of these listeners, with the ports that they really got.
    pub(crate) fn places(&self, bound: &[Listener]) -> Vec<Advertised> {
        let with_host = |host: Option<&String>| {
            let place = |listener: &Listener| Advertised {
                protocol: listener.protocol,
                host: host.cloned().unwrap_or_else(|| literal(listener.address.ip())),
                port: listener.address.port(),
            };
            bound.iter().map(place).collect()
        };
        match self {
            Advertise::Listening => with_host(None),
            Advertise::Host(host) => with_host(Some(host)),
            Advertise::Places(places) => places.clone(),
        }
    }
}

/// An address as the host of a URI.
pub(crate) fn literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The operator's own certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    /// The chain, PEM.
    pub(crate) certificate: PathBuf,
    /// Its key, PEM.
    pub(crate) key: PathBuf,
}

/// Who is believed to be who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Any From is believed; on loopback only.
    Open,
    /// A From is believed with the password of the user (RFC 7616, RFC 8760).
    Digest {
        /// Names the passwords that are asked for.
        realm: String,
        /// Whether MD5 is offered beside SHA-256.
        md5: bool,
    },
}

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// The user part of the URI, and the digest's user name.
    pub(crate) name: String,
    /// `sip:name@domain`.
    pub(crate) uri: String,
    /// What proves the user; none in open mode alone.
    pub(crate) secret: Option<Secret>,
    /// Other URIs of the same user.
    pub(crate) aliases: Vec<String>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A secret never gets into a log.
        f.debug_struct("User").field("uri", &self.uri).field("aliases", &self.aliases).finish_non_exhaustive()
    }
}

/// What proves a user, or that somebody knows the password of a room.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    /// As the user types it.
    Password(String),
    /// The digest's HA1 (RFC 7616 §3.4.2), lower-case hexadecimal.
    Ha1 {
        /// 64 digits.
        sha256: Option<String>,
        /// 32 digits.
        md5: Option<String>,
    },
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Who makes a room by calling an unknown URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Create {
    /// The users of the domain; in open mode everybody.
    Users,
    /// Nobody.
    Nobody,
}

/// A room that is always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    /// The user part of its URI.
    pub(crate) name: String,
    pub(crate) subject: Option<String>,
    /// Who may remove others from it.
    pub(crate) moderators: Vec<Address>,
    pub(crate) policy: RoomPolicy,
    /// Who gets in; nothing: everybody.
    pub(crate) members: Option<BTreeSet<Address>>,
    /// What proves to know its password.
    pub(crate) password: Option<Secret>,
    /// Whether it is none for who may not enter it.
    pub(crate) hidden: bool,
    /// The keys that stand in its section: nobody changes them but the operator, in the file.
    pub(crate) said: BTreeSet<String>,
}

impl Config {
    /// Whether a URI is a user's or the factory's, so that no room can have it.
    pub(crate) fn is_taken(&self, uri: &Address) -> bool {
        let factory = self.factory.iter().map(|name| format!("sip:{name}@{}", self.domain));
        let users = self.users.iter().flat_map(|user| std::iter::once(&user.uri).chain(&user.aliases));
        users.cloned().chain(factory).any(|taken| Address::parse(&taken).is_ok_and(|taken| taken == *uri))
    }

    /// What `tertulia serve` does when it is told nothing: loopback, everybody is believed, one room, `lobby`.
    pub(crate) fn embedded() -> Self {
        let lobby = Room {
            name: "lobby".to_owned(),
            subject: None,
            moderators: Vec::new(),
            policy: permanent(RoomPolicy::default()),
            members: None,
            password: None,
            hidden: false,
            said: BTreeSet::new(),
        };
        Config { auth: Auth::Open, rooms: vec![lobby], ..Config::of_an_empty_file() }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in it, by line.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let document = DeTable::parse(text);
        let mut source = reader::Source::new(text);
        let config = source.document(&document).map(|mut root| {
            let config = sections::read(&mut source, &mut root);
            root.finish(&mut source);
            config
        });
        let problems = source.into_problems();
        config.filter(|_| problems.is_empty()).ok_or(problems)
    }

    fn of_an_empty_file() -> Self {
        let loopback = |protocol, port| Listener { protocol, address: (Ipv4Addr::LOCALHOST, port).into() };
        let service = |listen| Service { listen, advertise: Advertise::Listening };
        let sip = [(Protocol::Udp, 5060), (Protocol::Tcp, 5060), (Protocol::Tls, 5061)];
        let msrp = [(Protocol::Tcp, 2855), (Protocol::Tls, 2856)];
        Config {
            domain: "localhost".to_owned(),
            data_dir: "tertulia-data".into(),
            sip: service(sip.map(|(protocol, port)| loopback(protocol, port)).to_vec()),
            msrp: service(msrp.map(|(protocol, port)| loopback(protocol, port)).to_vec()),
            max_message: 100 << 20,
            message_rate: Some(100),
            join_rate: Some(50),
            outbound: network::LOOPBACK.to_vec(),
            trusted_peers: Vec::new(),
            outbound_proxy: None,
            http: vec![(Ipv4Addr::LOCALHOST, 8080).into()],
            tls: None,
            store: "tertulia.db".into(),
            realm: "localhost".to_owned(),
            auth: Auth::Digest { realm: "localhost".to_owned(), md5: true },
            users: Vec::new(),
            create: Create::Users,
            factory: None,
            defaults: RoomPolicy::default(),
            rooms: Vec::new(),
        }
    }
}

/// A policy for a room of the file, which does not end by itself.
pub(crate) fn permanent(mut policy: RoomPolicy) -> RoomPolicy {
    policy.room.delete_when = DeleteWhen::Never;
    policy
}
