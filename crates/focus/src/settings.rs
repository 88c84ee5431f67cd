//! What a node is told at its start, and what a room is made of.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use room::Policy;
use sip::auth::Credentials;
use sip::typed::Uri;

use crate::desk::Standing;
use crate::pace::Rate;

pub use sip::Network;

/// The settings of a node: plain data, shared by its owners and never changed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The SIP domain served: the host of every room's URI.
    pub domain: String,
    /// Other hosts by which this server is addressed, literal addresses for the most part: they name the same domain.
    pub hosts: Vec<String>,
    /// `Server` and `User-Agent`.
    pub product: String,
    /// How callers prove who they are.
    pub auth: Auth,
    /// The rooms that exist, and who may make others.
    pub rooms: Rooms,
    /// Where participants connect to, as session descriptions advertise it.
    pub media: Media,
    /// Where SIP is spoken, as Via and Contact advertise it.
    pub sip: Vec<SipAddress>,
    /// Where the node itself may connect to for a participant that waits to be connected to, and where its requests may go when
    /// their way has to be found.
    pub outbound: Vec<Network>,
    /// From where the word on who calls is taken (RFC 3325): the peers of one's own network that have asked already.
    pub trusted_peers: Vec<Network>,
    /// The first hop of requests that the node sends outside of dialogs.
    pub outbound_proxy: Option<Uri>,
    /// From where alone requests outside of dialogs are taken; others get 403. `None`: from everywhere.
    pub peers: Option<Vec<Network>>,
    /// Whose user agent the node is, where it is a user's own focus (RFC 7701 §4).
    pub owner: Option<Owner>,
    /// The longest message taken, in octets of its CPIM form.
    pub max_message: u64,
    /// How many messages a participant sends; over it, it is read more slowly.
    pub message_rate: Option<Rate>,
    /// How many INVITEs a source address sends; over it, they get 503.
    pub join_rate: Option<Rate>,
    /// How many workers there are: 1 to 255.
    pub workers: u8,
    /// Ties instants to the calendar.
    pub epoch: Epoch,
}

impl Settings {
    /// Whether the node may connect to an address of its own accord.
    pub fn may_reach(&self, address: IpAddr) -> bool {
        self.outbound.iter().any(|network| network.contains(address))
    }

    /// Whether requests outside of dialogs are taken from an address.
    pub fn is_peer(&self, address: IpAddr) -> bool {
        self.peers.as_ref().is_none_or(|peers| peers.iter().any(|network| network.contains(address)))
    }

    /// Whether `host` is a name of this server; a port is not part of it, and an IPv6 address may have its brackets.
    pub fn is_ours(&self, host: &str) -> bool {
        let host = bare(host);
        bare(&self.domain).eq_ignore_ascii_case(host)
            || self.hosts.iter().any(|name| bare(name).eq_ignore_ascii_case(host))
    }
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// A user whose own user agent the node is: a focus that registers and calls in the user's name, and is nobody's registrar.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The user's address of record.
    pub uri: Uri,
    /// What challenges are answered with. To be for one realm: requests reach others than those who know the user.
    pub credentials: Option<Credentials>,
    /// What the address of record is to lead to.
    pub registration: Option<Registration>,
}

/// A registration that a node keeps up for its owner (RFC 3261 §10.2).
#[derive(Clone, Debug)]
pub struct Registration {
    /// Where the REGISTERs go.
    pub registrar: sip::Destination,
    /// The room that is registered: the user part of its URI.
    pub room: String,
    /// For how long at a time; the registrar may grant less, or want more.
    pub expires: Duration,
}

/// How callers prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Any From is believed. For loopback and tests.
    Open,
    /// Digest (RFC 7616, 8760): SHA-256, and MD5 for those who know no better.
    Digest {
        /// The realm of every challenge.
        realm: String,
        /// Whether MD5 is offered beside SHA-256.
        md5: bool,
    },
}

/// The rooms that exist, and who may make others.
#[derive(Clone, Debug)]
pub struct Rooms {
    /// Who brings a room into being by calling an unknown URI.
    pub create: Create,
    /// The policy of such a room.
    pub defaults: RoomPolicy,
    /// The user part of the URI that makes a new room for each call (RFC 4579 §5.4).
    pub factory: Option<String>,
    /// Rooms that exist from the start and are never deleted.
    pub permanent: Vec<Definition>,
}

/// Who brings a room into being by calling an unknown URI (decision D41).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// The users of the domain; where anybody is believed, everybody.
    Users,
    /// Nobody: an unknown room is answered 404.
    Nobody,
}

/// A room that is written down.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The user part of its URI.
    pub name: String,
    /// What it is about.
    pub subject: Option<String>,
    /// Its policy.
    pub policy: RoomPolicy,
    /// Who is what in it, and what who comes has to know.
    pub standing: Standing,
}

/// What rules a room: the part that the room itself needs, and the part that the switch needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPolicy {
    /// RFC 7701 §4.1, but for what is below.
    pub room: Policy,
    /// How long the switch waits for the next chunk of a message (RFC 7701 §6.1).
    pub chunk_timer: Duration,
    /// The largest message, in octets, that still goes to a congested participant (RFC 7701 §4.1, §6.4).
    pub congested_max: u64,
    /// How long a participant without a media connection keeps its seat.
    pub grace: Duration,
    /// Whether private messages go to clients that declare nothing about chat rooms (RFC 7701 §8).
    pub trust_undeclared: bool,
    /// Whether such clients are told who comes and goes, as messages (RFC 7701 §11).
    pub unaware_updates: bool,
    /// The least time between two notifications of changes to one subscriber (RFC 4575 §3.9).
    pub roster_interval: Duration,
    /// From so many users on, subscribers are told what changed instead of everything.
    pub roster_full_below: usize,
    /// Whether the roster is told only over TLS (RFC 4575 §8.1): to others 403.
    pub roster_over_tls_only: bool,
    /// Who may have the room call somebody.
    pub invitations: Invitations,
}

/// Who may have a room call somebody (RFC 4579 §5.5, RFC 5366).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invitations {
    /// Everybody who is in it, and those who may more.
    Participants,
    /// Its creator and its moderators.
    Moderators,
    /// Nobody.
    Nobody,
}

impl Default for RoomPolicy {
    fn default() -> Self {
        Self {
            room: Policy::default(),
            chunk_timer: Duration::from_secs(540),
            congested_max: 2048,
            grace: Duration::from_secs(30),
            trust_undeclared: false,
            unaware_updates: false,
            roster_interval: Duration::from_secs(5),
            roster_full_below: 100,
            roster_over_tls_only: false,
            invitations: Invitations::Participants,
        }
    }
}

/// Where participants connect to for MSRP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// Host and port for TCP/MSRP.
    pub tcp: Option<(String, u16)>,
    /// Host and port for TCP/TLS/MSRP.
    pub tls: Option<(String, u16)>,
}

/// Where SIP is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipAddress {
    /// The transport.
    pub transport: sip::Transport,
    /// Name or literal address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// An instant and the time of day that it was, as the duration since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The instant.
    pub instant: Instant,
    /// What the calendar said.
    pub unix: Duration,
}

impl Epoch {
    /// The time of day at `now`.
    pub fn unix_at(&self, now: Instant) -> Duration {
        self.unix + now.saturating_duration_since(self.instant)
    }
}
