//! Connections, and how octets get onto them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::api::{Event, Output, Refused};
use super::config::{Config, Limits};
use crate::framing::Framer;
use crate::timer::TimerKey;
use crate::transaction::client::ClientTransactionId;
use crate::transaction::key::Reply;
use crate::transport::{ConnectionId, Destination, Hop, Source, Transport, host_port};

/// The connections there are, and what is to be told.
pub(super) struct Wire {
    outputs: VecDeque<Output>,
    open: BTreeMap<ConnectionId, Connection>,
    by_remote: BTreeMap<Remote, ConnectionId>,
    requested: u64,
    limits: Limits,
    sent_by: Vec<(Transport, String)>,
}

/// What makes a connection fit for a destination.
type Remote = (Transport, SocketAddr, Option<String>);

/// A connection that is open or being opened.
pub(super) struct Connection {
    pub(super) transport: Transport,
    /// Our address; `None` while it is being opened.
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: SocketAddr,
    pub(super) framer: Framer,
    /// Runs while a message has begun and is not complete.
    pub(super) deadline: Option<TimerKey>,
    /// Requests of ours that await an answer on it.
    pub(super) clients: BTreeSet<ClientTransactionId>,
    server_name: Option<String>,
}

/// A way for a request of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) hop: Hop,
    pub(super) transport: Transport,
    pub(super) local: Option<SocketAddr>,
    /// Whether the connection is yet to be opened.
    pub(super) unopened: bool,
}

impl Wire {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            outputs: VecDeque::new(),
            open: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            requested: 0,
            limits: config.limits,
            sent_by: config.sent_by.clone(),
        }
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Passes on a question to the DNS.
    pub(super) fn ask(&mut self, question: Output) {
        self.outputs.push_back(question);
    }

    pub(super) fn transmit(&mut self, hop: Hop, octets: Vec<u8>) {
        self.outputs.push_back(Output::Transmit { hop, octets });
    }

    /// Sends a response: on the connection of its request, and where that is gone, on a new one to the same host
    /// (RFC 3261 §18.2.2). A WebSocket client cannot be called back.
    pub(super) fn reply(&mut self, reply: &Reply, octets: Vec<u8>) {
        let source = reply.source;
        let hop = match source.connection {
            None => Hop::Datagram { local: Some(source.local), remote: reply.address },
            Some(connection) if self.open.contains_key(&connection) => Hop::Connection(connection),
            Some(_) if source.transport.carries_one_message_a_read() => return,
            Some(_) => match self.path(&Destination::address(source.transport, reply.address)) {
                Ok(path) => path.hop,
                Err(_) => return,
            },
        };
        self.transmit(hop, octets);
    }

    /// The shell has this connection now. `false`: it was one too many, and is closed.
    pub(super) fn opened(
        &mut self,
        id: ConnectionId,
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> bool {
        if let Some(connection) = self.open.get_mut(&id) {
            connection.local = Some(local);
            return true;
        }
        if id.0 >= ConnectionId::FIRST_REQUESTED || self.open.len() >= self.limits.connections {
            self.outputs.push_back(Output::Close { connection: id });
            return false;
        }
        self.insert(id, transport, Some(local), remote, None);
        true
    }

    /// The connection is gone; the requests that await an answer on it, if it was there.
    pub(super) fn closed(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.open.remove(&id)?;
        let remote = (connection.transport, connection.remote, connection.server_name.clone());
        if self.by_remote.get(&remote) == Some(&id) {
            self.by_remote.remove(&remote);
        }
        Some(connection)
    }

    /// Closes a connection of our own accord.
    pub(super) fn close(&mut self, id: ConnectionId) -> Option<Connection> {
        self.outputs.push_back(Output::Close { connection: id });
        self.closed(id)
    }

    pub(super) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.open.get_mut(&id)
    }

    pub(super) fn remote(&self, id: ConnectionId) -> Option<SocketAddr> {
        self.open.get(&id).map(|connection| connection.remote)
    }

    pub(super) fn server_name(&self, id: ConnectionId) -> Option<&str> {
        self.open.get(&id)?.server_name.as_deref()
    }

    pub(super) fn is_open(&self, id: ConnectionId) -> bool {
        self.open.contains_key(&id)
    }

    pub(super) fn source(&self, id: ConnectionId) -> Option<Source> {
        let connection = self.open.get(&id)?;
        Some(Source {
            transport: connection.transport,
            local: connection.local?,
            remote: connection.remote,
            connection: Some(id),
        })
    }

    /// The way to a destination; asks for a connection where there is none.
    pub(super) fn path(&mut self, destination: &Destination) -> Result<Path, Refused> {
        match destination {
            Destination::Located => Err(Refused::Unfit("destination: it is not located")),
            Destination::Connection(id) => self.existing(*id).ok_or(Refused::NoConnection),
            Destination::Address { transport: Transport::Udp, remote, .. } => Ok(Path::datagram(None, *remote)),
            Destination::Address { transport, remote, server_name } => {
                let key = (*transport, *remote, server_name.clone());
                match self.by_remote.get(&key).copied().and_then(|id| self.existing(id)) {
                    Some(path) => Ok(path),
                    None => self.connect(key),
                }
            }
        }
    }

    /// The way over a connection that is there.
    pub(super) fn existing(&self, id: ConnectionId) -> Option<Path> {
        let connection = self.open.get(&id)?;
        let unopened = connection.local.is_none();
        Some(Path { hop: Hop::Connection(id), transport: connection.transport, local: connection.local, unopened })
    }

    /// The sent-by of a Via on that way.
    pub(super) fn sent_by(&self, path: &Path) -> String {
        let configured = self.sent_by.iter().find(|(transport, _)| *transport == path.transport);
        match (configured, path.local) {
            (Some((_, sent_by)), _) => sent_by.clone(),
            (None, Some(local)) => host_port(local),
            // RFC 7118 §5: who has no address to be reached at names none.
            (None, None) => "unknown.invalid".to_owned(),
        }
    }

    fn connect(&mut self, (transport, remote, server_name): Remote) -> Result<Path, Refused> {
        if self.open.len() >= self.limits.connections {
            return Err(Refused::Full);
        }
        let id = ConnectionId(ConnectionId::FIRST_REQUESTED.saturating_add(self.requested));
        self.requested += 1;
        self.insert(id, transport, None, remote, server_name.clone());
        self.outputs.push_back(Output::Connect { connection: id, transport, remote, server_name });
        Ok(Path { hop: Hop::Connection(id), transport, local: None, unopened: true })
    }

    fn insert(
        &mut self,
        id: ConnectionId,
        transport: Transport,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        server_name: Option<String>,
    ) {
        self.by_remote.insert((transport, remote, server_name.clone()), id);
        let framer = Framer::new(self.limits.head, self.limits.body);
        let clients = BTreeSet::new();
        self.open.insert(id, Connection { transport, local, remote, framer, deadline: None, clients, server_name });
    }
}

impl Path {
    pub(super) fn datagram(local: Option<SocketAddr>, remote: SocketAddr) -> Self {
        Self { hop: Hop::Datagram { local, remote }, transport: Transport::Udp, local, unopened: false }
    }
}
