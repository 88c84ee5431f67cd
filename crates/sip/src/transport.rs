//! Where messages come from and go to, as plain values.

use std::net::{IpAddr, SocketAddr};

/// A transport that SIP runs over (RFC 3261 §18, RFC 7118).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A byte stream, framed by Content-Length.
    Tcp,
    /// A byte stream under TLS.
    Tls,
    /// WebSocket: each `Received` is exactly one message.
    Ws,
    /// WebSocket under TLS: each `Received` is exactly one message.
    Wss,
}

impl Transport {
    /// Whether it never loses a message: timers A, E, G are then off, and D, I, J, K are zero.
    #[must_use]
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// Whether it is under TLS.
    #[must_use]
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The token that stands in a Via header field.
    #[must_use]
    pub fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The transport a URI's `transport` parameter names, case-blind; `None` for one unknown here.
    #[must_use]
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss]
            .into_iter()
            .find(|transport| transport.via_token().eq_ignore_ascii_case(token))
    }

    /// The port meant when none is written (RFC 3261 §19.1.2, RFC 7118 §5).
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    pub(crate) fn carries_one_message_a_read(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

/// A connection. The shell allots ids below [`ConnectionId::FIRST_REQUESTED`] to what it accepts; ids from there on
/// are allotted by the endpoint to connections it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// The first id of the range that belongs to the endpoint.
    pub const FIRST_REQUESTED: u64 = 1 << 63;
}

/// Where octets go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// One datagram.
    Datagram {
        /// The local address to send from; `None`: the shell's first socket of the remote's family.
        local: Option<SocketAddr>,
        /// Where to.
        remote: SocketAddr,
    },
    /// Octets on a connection. For one that is still being opened the shell keeps them, in order, until it is open,
    /// within the bound of that connection's writer.
    Connection(ConnectionId),
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The transport it came over.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address, as the socket saw it.
    pub remote: SocketAddr,
    /// The connection, unless it was a datagram.
    pub connection: Option<ConnectionId>,
}

impl Source {
    /// The way back to the sender.
    #[must_use]
    pub fn hop(&self) -> Hop {
        match self.connection {
            Some(connection) => Hop::Connection(connection),
            None => Hop::Datagram { local: Some(self.local), remote: self.remote },
        }
    }
}

/// Where a request of our own is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An address. A live connection to it over this transport is used again; else one is asked for.
    Address {
        /// The transport to use.
        transport: Transport,
        /// The address.
        remote: SocketAddr,
        /// The name that the peer's certificate must show (RFC 5922); `None`: the address itself.
        server_name: Option<String>,
    },
    /// A connection that is open.
    Connection(ConnectionId),
    /// Where the first Route leads, else the target, to be found by RFC 3263 ([`crate::locate`]); by way of
    /// [`crate::Config::outbound_proxy`] where there is one and no Route. What is found is tried in its order until something answers.
    Located,
}

impl Destination {
    /// An address without a name for TLS.
    #[must_use]
    pub fn address(transport: Transport, remote: SocketAddr) -> Self {
        Self::Address { transport, remote, server_name: None }
    }
}

/// An address as it stands in a Via or a URI: an IPv6 address in brackets.
pub(crate) fn host_port(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("{ip}:{}", address.port()),
        IpAddr::V6(ip) => format!("[{ip}]:{}", address.port()),
    }
}
