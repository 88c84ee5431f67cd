//! Sockets that wait for others: bound before anything runs, so that a port in use stops the start.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use anyhow::Context as _;
use socket2::{Domain, Protocol as IpProtocol, SockRef, Socket, Type};

use crate::capacity::{Capacity, Pass};
use crate::config::{Config, Listener, Protocol};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;
/// Octets of datagrams that the kernel keeps until they are read; it may grant less.
const DATAGRAMS: usize = 4 * 1024 * 1024;
/// How long nothing is accepted after that failed, or while there are too many connections (fault F8).
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// Everything that `serve` listens on.
pub(crate) struct Sockets {
    /// SIP over UDP.
    pub(crate) datagrams: Vec<UdpSocket>,
    /// SIP over TCP, in clear or under TLS.
    pub(crate) sip: Vec<Stream>,
    /// MSRP: for each worker a listener of its own on each of the addresses; the kernel deals connections out.
    pub(crate) msrp: Vec<Vec<Stream>>,
    /// HTTP.
    pub(crate) http: Vec<TcpListener>,
    /// What SIP is listened on, with the ports really got, in the order of the configuration.
    pub(crate) sip_bound: Vec<Listener>,
    /// What MSRP is listened on.
    pub(crate) msrp_bound: Vec<Listener>,
    /// What HTTP is listened on.
    pub(crate) http_bound: Vec<Listener>,
}

/// A listener for streams.
pub(crate) struct Stream {
    pub(crate) socket: TcpListener,
    pub(crate) secure: bool,
}

impl Sockets {
    /// Binds all that the configuration names.
    ///
    /// # Errors
    ///
    /// An address that cannot be had; the error names it.
    pub(crate) fn bind(config: &Config, workers: u8) -> anyhow::Result<Self> {
        let mut sockets = Self {
            datagrams: Vec::new(),
            sip: Vec::new(),
            msrp: (0..workers).map(|_| Vec::new()).collect(),
            http: Vec::new(),
            sip_bound: Vec::new(),
            msrp_bound: Vec::new(),
            http_bound: Vec::new(),
        };
        for listener in &config.sip.listen {
            let bound = sockets.bind_sip(listener).with_context(|| format!("cannot listen on sip {listener}"))?;
            sockets.sip_bound.push(Listener { address: bound, ..*listener });
        }
        for listener in &config.msrp.listen {
            let bound = sockets.bind_msrp(listener).with_context(|| format!("cannot listen on msrp {listener}"))?;
            sockets.msrp_bound.push(Listener { address: bound, ..*listener });
        }
        for address in &config.http {
            let listener = Listener { protocol: Protocol::Http, address: *address };
            let socket = bind_stream(*address, false).with_context(|| format!("cannot listen on {listener}"))?;
            sockets.http_bound.push(Listener { address: socket.local_addr()?, ..listener });
            sockets.http.push(socket);
        }
        Ok(sockets)
    }

    fn bind_sip(&mut self, listener: &Listener) -> io::Result<SocketAddr> {
        if listener.protocol == Protocol::Udp {
            let socket = bind_datagrams(listener.address)?;
            let bound = socket.local_addr()?;
            self.datagrams.push(socket);
            return Ok(bound);
        }
        let socket = bind_stream(listener.address, false)?;
        let bound = socket.local_addr()?;
        self.sip.push(Stream { socket, secure: listener.protocol == Protocol::Tls });
        Ok(bound)
    }

    fn bind_msrp(&mut self, listener: &Listener) -> io::Result<SocketAddr> {
        // Sockets that share a port would share it with another server of the same user too: one that does not share finds out.
        let bound = bind_stream(listener.address, false)?.local_addr()?;
        for worker in &mut self.msrp {
            worker.push(Stream { socket: bind_stream(bound, true)?, secure: listener.protocol == Protocol::Tls });
        }
        Ok(bound)
    }
}

fn bind_stream(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(IpProtocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    bind(&socket, address)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(IpProtocol::UDP))?;
    bind(&socket, address)?;
    socket.set_recv_buffer_size(DATAGRAMS)?;
    Ok(socket.into())
}

fn bind(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() {
        // An address means itself: 0.0.0.0 has its own listener or none.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())
}

/// Why nothing could be accepted.
pub(crate) enum Refused {
    /// Nobody waits.
    Nobody,
    /// Come back after [`PAUSE`].
    Later,
}

/// Judges the outcome of one accept. None: try the next at once.
pub(crate) fn judge<S>(
    accepted: io::Result<(S, SocketAddr)>,
    capacity: &Capacity,
) -> Option<Result<(S, SocketAddr, Pass), Refused>> {
    match accepted {
        Ok((socket, remote)) => match capacity.enter() {
            Some(pass) => Some(Ok((socket, remote, pass))),
            None => {
                tracing::warn!(limit = capacity.limit(), "a connection is refused: there are too many");
                Some(Err(Refused::Later))
            }
        },
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock => Some(Err(Refused::Nobody)),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => None,
            // Most likely there are no file descriptors left, or no memory.
            _ => {
                tracing::warn!(%error, "no connection can be accepted");
                Some(Err(Refused::Later))
            }
        },
    }
}

/// The next connection of a listener, whatever happens meanwhile.
pub(crate) async fn accept(
    listener: &tokio::net::TcpListener,
    capacity: &Capacity,
) -> (tokio::net::TcpStream, SocketAddr, Pass) {
    loop {
        match judge(listener.accept().await, capacity) {
            Some(Ok(accepted)) => return accepted,
            Some(Err(_)) => tokio::time::sleep(PAUSE).await,
            None => {}
        }
    }
}

/// Where one end of a socket is, if it still is anywhere.
pub(crate) fn local_address(socket: &impl std::os::fd::AsFd) -> Option<SocketAddr> {
    SockRef::from(socket).local_addr().ok()?.as_socket()
}
