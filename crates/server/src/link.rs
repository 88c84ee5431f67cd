//! The sockets of a client: UDP, TCP or TLS for SIP, TCP or TLS for MSRP, and the clock of its agent.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use client::sip::{self, ConnectionId, Destination, Hop, Transport};
use client::{Agent, Event, Input, MediaId, Output, Roster};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{Sleep, sleep, timeout};

use wire::{Security, Wire};

pub(crate) mod dial;
mod trust;
mod wire;

/// The connection for SIP that the link opens itself.
const FIRST: ConnectionId = ConnectionId(0);
/// How long connecting may take, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// The octets that wait to be sent on one connection at most; beyond, it is closed. MSRP hands out only a little ahead of
/// what has left, so this is for SIP.
const QUEUE: usize = 4 * 1024 * 1024;
/// Larger than any datagram.
const SCRATCH: usize = 64 * 1024;

thread_local! {
    /// What is read goes through here; a link that waits holds no buffer.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// A name or an address, IPv6 without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// How it is spoken to.
    pub(crate) transport: Transport,
    /// The name that its certificate must show: the domain of the room (RFC 5922).
    pub(crate) name: String,
}

/// An agent with its sockets.
pub(crate) struct Link {
    agent: Agent,
    tls: Arc<ClientConfig>,
    udp: Option<UdpSocket>,
    connections: Vec<Connection>,
    timer: Pin<Box<Sleep>>,
    local: SocketAddr,
    trouble: Option<String>,
}

struct Connection {
    name: Name,
    state: State,
    /// To be closed as soon as all is sent.
    closing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Sip(ConnectionId, Transport),
    Media(MediaId),
}

enum State {
    /// With what is to be sent then.
    Opening(Opening, Vec<u8>),
    Open(Wire),
}

type Opening = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

/// What the sockets or the clock have for us.
enum Ready {
    Timer,
    Datagram,
    Opened(usize, io::Result<Wire>),
    Stirred(usize),
}

impl Link {
    /// Connects an agent to its server. Over UDP nothing is sent yet.
    ///
    /// # Errors
    /// Those of the sockets.
    pub(crate) async fn open(agent: Agent, server: &Server, tls: Arc<ClientConfig>) -> io::Result<Self> {
        let timer = Box::pin(sleep(Duration::ZERO));
        let local = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut link = Self { agent, tls, udp: None, connections: Vec::new(), timer, local, trouble: None };
        if server.transport == Transport::Udp {
            let udp = datagrams(server).await?;
            link.local = udp.local_addr()?;
            link.udp = Some(udp);
        } else {
            let secure = server.transport == Transport::Tls;
            let opening = opening(&link.tls, server.host.clone(), server.port, secure.then(|| server.name.clone()));
            let wire = opening.await?;
            link.local = wire.local()?;
            link.connections.push(Connection::new(Name::Sip(FIRST, server.transport), State::Open(wire)));
            link.opened(0)?;
        }
        Ok(link)
    }

    /// The agent, to be told what the user wants; [`Link::event`] then carries it out.
    pub(crate) fn agent(&mut self) -> &mut Agent {
        &mut self.agent
    }

    /// Who is in the room, as far as it is known.
    pub(crate) fn roster(&self) -> Option<&Roster> {
        self.agent.roster()
    }

    /// Our address towards the server.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Where the agent's calls go.
    ///
    /// # Errors
    /// When the socket is gone.
    pub(crate) fn destination(&self) -> io::Result<Destination> {
        match &self.udp {
            Some(udp) => Ok(Destination::address(Transport::Udp, udp.peer_addr()?)),
            None => Ok(Destination::Connection(FIRST)),
        }
    }

    /// The last failure of a connection, in words.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Serves the sockets until the agent has something to tell. Nothing is lost when the wait is given up.
    ///
    /// # Errors
    /// Over UDP: nobody listens there, or the socket is broken.
    pub(crate) async fn event(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.perform()? {
                return Ok(event);
            }
            let ready = poll_fn(|context| self.poll_ready(context)).await;
            self.serve(ready)?;
        }
    }

    /// Does what the agent wants done, up to its next event.
    fn perform(&mut self) -> io::Result<Option<Event>> {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Event(event) => return Ok(Some(event)),
                Output::SipTransmit { hop: Hop::Datagram { remote, .. }, octets } => self.datagram(remote, &octets)?,
                Output::SipTransmit { hop: Hop::Connection(id), octets } => {
                    self.transmit(|name| matches!(name, Name::Sip(known, _) if *known == id), &octets);
                }
                Output::MediaTransmit { connection, octets } => {
                    self.transmit(|name| *name == Name::Media(connection), &octets);
                }
                Output::SipConnect { connection, transport, remote, server_name } => {
                    let secure = (transport == Transport::Tls).then(|| server_name.unwrap_or(remote.ip().to_string()));
                    self.connect(Name::Sip(connection, transport), remote.ip().to_string(), remote.port(), secure);
                }
                Output::MediaConnect { connection, host, port, secure, .. } => {
                    let secure = secure.then(|| host.clone());
                    self.connect(Name::Media(connection), host, port, secure);
                }
                Output::SipClose { connection } => {
                    self.close(|name| matches!(name, Name::Sip(known, _) if *known == connection));
                }
                Output::MediaClose { connection } => self.close(|name| *name == Name::Media(connection)),
            }
        }
        Ok(None)
    }

    fn datagram(&mut self, remote: SocketAddr, octets: &[u8]) -> io::Result<()> {
        let Some(udp) = &self.udp else { return Ok(()) };
        match udp.try_send_to(octets, remote) {
            // Lost, as datagrams may be.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            sent => sent.map(|_| ()),
        }
    }

    fn transmit(&mut self, is: impl Fn(&Name) -> bool, octets: &[u8]) {
        let Some(at) = self.connections.iter().position(|connection| is(&connection.name)) else { return };
        let Some(connection) = self.connections.get_mut(at) else { return };
        if connection.waiting() + octets.len() > QUEUE {
            return self.lost(at, Some(&io::ErrorKind::StorageFull.into()));
        }
        let sent = match &mut connection.state {
            State::Opening(_, queued) => {
                queued.extend_from_slice(octets);
                Ok(())
            }
            State::Open(wire) => wire.send(octets),
        };
        match sent {
            Ok(()) => self.departed(at),
            Err(error) => self.lost(at, Some(&error)),
        }
    }

    /// Tells the agent how much of what it sends is out.
    fn departed(&mut self, at: usize) {
        let Some(Connection { name, state: State::Open(wire), .. }) = self.connections.get_mut(at) else { return };
        let octets = wire.departed();
        if let (Name::Media(connection), 1..) = (*name, octets) {
            self.agent.handle_input(Instant::now(), Input::MediaTransmitted { connection, octets });
        }
    }

    fn connect(&mut self, name: Name, host: String, port: u16, secure: Option<String>) {
        let opening = opening(&self.tls, host, port, secure);
        self.connections.push(Connection::new(name, State::Opening(opening, Vec::new())));
    }

    fn close(&mut self, is: impl Fn(&Name) -> bool) {
        let Some(at) = self.connections.iter().position(|connection| is(&connection.name)) else { return };
        let Some(connection) = self.connections.get_mut(at) else { return };
        connection.closing = true;
        let done = match &mut connection.state {
            State::Opening(..) => true,
            State::Open(wire) => {
                wire.farewell();
                wire.waiting() == 0
            }
        };
        if done {
            self.connections.remove(at);
        }
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Ready> {
        if let Some(at) = self.agent.poll_timeout() {
            if self.timer.deadline().into_std() != at {
                self.timer.as_mut().reset(at.into());
            }
            if self.timer.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ready::Timer);
            }
        }
        if self.udp.as_ref().is_some_and(|udp| udp.poll_recv_ready(context).is_ready()) {
            return Poll::Ready(Ready::Datagram);
        }
        for (at, connection) in self.connections.iter_mut().enumerate() {
            match &mut connection.state {
                State::Opening(opening, _) => {
                    if let Poll::Ready(opened) = opening.as_mut().poll(context) {
                        return Poll::Ready(Ready::Opened(at, opened));
                    }
                }
                State::Open(wire) => {
                    if wire.poll_ready(context).is_ready() {
                        return Poll::Ready(Ready::Stirred(at));
                    }
                }
            }
        }
        Poll::Pending
    }

    fn serve(&mut self, ready: Ready) -> io::Result<()> {
        match ready {
            Ready::Timer => self.agent.handle_timeout(Instant::now()),
            Ready::Datagram => return self.receive_datagram(),
            Ready::Opened(at, Err(error)) => self.lost(at, Some(&error)),
            Ready::Opened(at, Ok(wire)) => self.connected(at, wire)?,
            Ready::Stirred(at) => self.stirred(at),
        }
        Ok(())
    }

    /// A connection has come about: what waited for it is sent.
    fn connected(&mut self, at: usize, mut wire: Wire) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(at) else { return Ok(()) };
        let sent = match &connection.state {
            State::Opening(_, queued) => wire.send(queued),
            State::Open(_) => Ok(()),
        };
        connection.state = State::Open(wire);
        self.opened(at)?;
        if let Err(error) = sent {
            self.lost(at, Some(&error));
        }
        Ok(())
    }

    fn receive_datagram(&mut self) -> io::Result<()> {
        let Some(udp) = &self.udp else { return Ok(()) };
        let (local, remote) = (self.local, udp.peer_addr()?);
        let octets = BUFFER.with_borrow_mut(|buffer| match udp.try_recv(buffer) {
            Ok(octets) => Ok(Some(buffer.get(..octets).unwrap_or_default().to_vec())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        })?;
        if let Some(octets) = octets {
            let input = sip::Input::Datagram { local, remote, octets };
            self.agent.handle_input(Instant::now(), Input::Sip(input));
        }
        Ok(())
    }

    /// Tells the agent of an open connection.
    fn opened(&mut self, at: usize) -> io::Result<()> {
        let Some(Connection { name, state: State::Open(wire), .. }) = self.connections.get(at) else { return Ok(()) };
        let input = match *name {
            Name::Sip(connection, transport) => {
                let (local, remote) = (wire.local()?, wire.remote()?);
                Input::Sip(sip::Input::Opened { connection, transport, local, remote })
            }
            Name::Media(connection) => Input::MediaOpened { connection },
        };
        self.agent.handle_input(Instant::now(), input);
        Ok(())
    }

    /// Reads and writes what there is.
    fn stirred(&mut self, at: usize) {
        let Some(Connection { name, state: State::Open(wire), closing }) = self.connections.get_mut(at) else { return };
        let (name, agent, now) = (*name, &mut self.agent, Instant::now());
        let read = BUFFER.with_borrow_mut(|buffer| {
            wire.read(buffer, |octets| {
                let input = match name {
                    Name::Sip(connection, _) => {
                        Input::Sip(sip::Input::Received { connection, octets: octets.to_vec() })
                    }
                    Name::Media(connection) => Input::MediaReceived { connection, octets },
                };
                agent.handle_input(now, input);
            })
        });
        let served = read.and_then(|open| wire.flush().map(|()| open));
        let done = *closing && wire.waiting() == 0;
        match served {
            Err(error) => self.lost(at, Some(&error)),
            Ok(false) => self.lost(at, None),
            Ok(true) if done => drop(self.connections.remove(at)),
            Ok(true) => self.departed(at),
        }
    }

    /// A connection is gone, or did not come about.
    fn lost(&mut self, at: usize, error: Option<&io::Error>) {
        let connection = self.connections.remove(at);
        if connection.closing {
            return;
        }
        if let Some(error) = error {
            self.trouble = Some(error.to_string());
        }
        let input = match connection.name {
            Name::Sip(connection, _) => Input::Sip(sip::Input::Closed { connection }),
            Name::Media(connection) => Input::MediaClosed { connection },
        };
        self.agent.handle_input(Instant::now(), input);
    }
}

impl Connection {
    fn waiting(&self) -> usize {
        match &self.state {
            State::Opening(_, queued) => queued.len(),
            State::Open(wire) => wire.waiting(),
        }
    }

    fn new(name: Name, state: State) -> Self {
        Self { name, state, closing: false }
    }
}

/// A connected socket, so that the kernel tells when nobody listens. Of several addresses an IPv4 one is taken, as nothing
/// tells whether a datagram got through.
async fn datagrams(server: &Server) -> io::Result<UdpSocket> {
    let addresses: Vec<SocketAddr> = lookup_host((server.host.as_str(), server.port)).await?.collect();
    let remote = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    let remote = remote.ok_or(io::ErrorKind::NotFound)?;
    let any = if remote.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let udp = UdpSocket::bind(any).await?;
    udp.connect(remote).await?;
    // Before the runtime knows that the socket takes datagrams it lets none out.
    udp.writable().await?;
    Ok(udp)
}

/// A connection in the making; with a name it gets TLS, and the certificate must show that name.
fn opening(tls: &Arc<ClientConfig>, host: String, port: u16, secure: Option<String>) -> Opening {
    let config = Arc::clone(tls);
    Box::pin(async move {
        let security = match secure {
            Some(name) => Some(Security { config, name: ServerName::try_from(name).map_err(io::Error::other)? }),
            None => None,
        };
        timeout(CONNECT, Wire::connect(&host, port, security)).await?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_datagram_goes_out_at_once() {
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let port = peer.local_addr().expect("an address").port();
        let server = Server { host: "127.0.0.1".to_owned(), port, transport: Transport::Udp, name: String::new() };
        let udp = datagrams(&server).await.expect("a socket");
        assert_eq!(udp.try_send(b"hello").ok(), Some(5));
    }
}
