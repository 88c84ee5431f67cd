//! A connection as a value: a socket, and the TLS state on it where there is one.
//!
//! It waits for nothing and belongs to no runtime, so it can be handed from one thread to another. rustls is used without I/O
//! of its own: what it wants written waits in it until the socket takes it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection};
use socket2::{SockRef, TcpKeepalive};

use crate::capacity::Pass;

/// After so long without a word from a peer the kernel asks whether it is there (fault F9).
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// A peer that acknowledges nothing for so long is gone, whether octets or questions wait for it.
const USER_TIMEOUT: Duration = Duration::from_secs(90);

/// How much may wait in the kernel that is not yet on its way. Without a bound the send buffer grows to megabytes and asks for more
/// only when a third of it is free: whoever reads slowly but steadily would look stopped for seconds at a time, and a short
/// message would wait behind all of it.
const UNSENT: u32 = 128 * 1024;

/// A byte stream on a socket that never blocks.
pub(crate) struct Connection<S> {
    socket: S,
    tls: Option<Box<ServerConnection>>,
    _pass: Pass,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// So many octets, perhaps none. `drained`: the socket had no more; the next edge tells of more.
    Octets { count: usize, drained: bool },
    /// The peer sends no more.
    End,
}

impl<S: AsFd + Read + Write> Connection<S> {
    /// A connection just accepted or opened. With `tls` the peer is expected to begin a handshake.
    ///
    /// # Errors
    ///
    /// The socket has died meanwhile.
    pub(crate) fn new(socket: S, tls: Option<&Arc<ServerConfig>>, pass: Pass) -> io::Result<Self> {
        tune(&socket)?;
        let tls = tls.map(|config| ServerConnection::new(config.clone()).map(Box::new)).transpose();
        Ok(Self { socket, tls: tls.map_err(io::Error::other)?, _pass: pass })
    }

    pub(crate) fn socket(&self) -> &S {
        &self.socket
    }

    pub(crate) fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Whether it is not yet known who the peers are to each other: nothing but [`Connection::advance`] makes sense.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Goes on with the handshake as far as the socket allows. Returns whether it is done.
    ///
    /// # Errors
    ///
    /// The handshake or the socket failed; the peer was told why if it listens.
    pub(crate) fn advance(&mut self) -> io::Result<bool> {
        while self.is_handshaking() {
            self.flush()?;
            match self.absorb()? {
                Absorbed::Something => {}
                Absorbed::Nothing => break,
                Absorbed::End => return Err(ErrorKind::UnexpectedEof.into()),
            }
        }
        self.flush()?;
        Ok(!self.is_handshaking())
    }

    /// Reads once, as much as there is and fits.
    ///
    /// # Errors
    ///
    /// The connection is dead.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Incoming> {
        if self.tls.is_some() {
            return self.read_tls(buffer);
        }
        match retried(|| self.socket.read(buffer))? {
            None => Ok(Incoming::Octets { count: 0, drained: true }),
            Some(0) => Ok(Incoming::End),
            Some(count) => Ok(Incoming::Octets { count, drained: count < buffer.len() }),
        }
    }

    fn read_tls(&mut self, buffer: &mut [u8]) -> io::Result<Incoming> {
        let mut count = 0;
        loop {
            let Some(tls) = &mut self.tls else { return Ok(Incoming::End) };
            let end = match tls.reader().read(buffer.get_mut(count..).unwrap_or_default()) {
                Ok(0) => true,
                Ok(more) => {
                    count += more;
                    if count == buffer.len() {
                        return Ok(Incoming::Octets { count, drained: false });
                    }
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => false,
                // The peer went without close_notify.
                Err(_) => true,
            };
            if end && count == 0 {
                return Ok(Incoming::End);
            } else if end {
                return Ok(Incoming::Octets { count, drained: false });
            }
            if self.absorb()? == Absorbed::Nothing {
                self.flush()?;
                return Ok(Incoming::Octets { count, drained: true });
            }
        }
    }

    /// Writes once: how many octets were taken. With fewer than all, or while [`Connection::has_unsent`], the socket is full.
    ///
    /// # Errors
    ///
    /// The connection is dead.
    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.tls.is_none() {
            return Ok(retried(|| self.socket.write(octets))?.unwrap_or(0));
        }
        let mut taken = 0;
        while self.flush()?
            && let Some(rest) = octets.get(taken..).filter(|rest| !rest.is_empty())
            && let Some(tls) = &mut self.tls
        {
            taken += tls.writer().write(rest)?;
        }
        Ok(taken)
    }

    /// Whether octets that were taken wait for the socket.
    pub(crate) fn has_unsent(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Sends what waits. Returns whether nothing waits any more.
    ///
    /// # Errors
    ///
    /// The connection is dead.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.wants_write() {
            if retried(|| tls.write_tls(&mut self.socket))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says farewell to the peer; once [`Connection::flush`] is through, [`Connection::hang_up`].
    pub(crate) fn farewell(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
    }

    /// Tells the peer that nothing more comes.
    ///
    /// # Errors
    ///
    /// The connection is dead.
    pub(crate) fn hang_up(&self) -> io::Result<()> {
        SockRef::from(&self.socket).shutdown(Shutdown::Write)
    }

    /// Takes what the socket has into the TLS state.
    fn absorb(&mut self) -> io::Result<Absorbed> {
        let Some(tls) = &mut self.tls else { return Ok(Absorbed::Nothing) };
        let absorbed = match retried(|| tls.read_tls(&mut self.socket))? {
            None => return Ok(Absorbed::Nothing),
            Some(0) => Absorbed::End,
            Some(_) => Absorbed::Something,
        };
        if let Err(error) = tls.process_new_packets() {
            // The alert that says why; whether it arrives makes no difference here.
            let _ = tls.write_tls(&mut self.socket);
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(absorbed)
    }
}

#[derive(PartialEq, Eq)]
enum Absorbed {
    Something,
    Nothing,
    End,
}

/// Tries until it is not interrupted; none where the socket would block.
fn retried(mut attempt: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match attempt() {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Small messages go out at once, and a peer that is gone is found (F9).
fn tune(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::{TcpListener, TcpStream};

    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

    use super::*;
    use crate::capacity::Capacity;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (own, _) = listener.accept().unwrap();
        own.set_nonblocking(true).unwrap();
        (own, peer)
    }

    fn connection(socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> Connection<TcpStream> {
        Connection::new(socket, tls, Capacity::new(1).enter().unwrap()).unwrap()
    }

    /// Both sides of TLS that know each other.
    pub(crate) fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
        let made = rcgen::generate_simple_self_signed(["chat.test".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let client =
            ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        (
            Arc::new(server.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()),
            Arc::new(client.with_root_certificates(roots).with_no_client_auth()),
        )
    }

    /// Does `attempt` until it gives something, as often as the peer needs.
    fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
        loop {
            match attempt() {
                Some(value) => return value,
                None => std::thread::yield_now(),
            }
        }
    }

    // THREATS F9
    #[test]
    fn a_peer_that_vanishes_is_found_and_small_messages_do_not_wait() {
        let (own, _peer) = pair();
        let connection = connection(own, None);
        let socket = SockRef::from(connection.socket());
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(90)));
        // Nor do they wait behind more than this of a long one.
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), 128 * 1024);
    }

    #[test]
    fn a_read_says_whether_there_may_be_more() {
        let (own, mut peer) = pair();
        let mut connection = connection(own, None);
        let mut buffer = [0; 4];
        assert_eq!(connection.read(&mut buffer).unwrap(), Incoming::Octets { count: 0, drained: true });
        peer.write_all(b"abcdef").unwrap();
        drop(peer);
        let first = until(|| {
            Some(connection.read(&mut buffer).unwrap())
                .filter(|read| !matches!(read, Incoming::Octets { count: 0, .. }))
        });
        assert_eq!(first, Incoming::Octets { count: 4, drained: false });
        assert_eq!(connection.read(&mut buffer).unwrap(), Incoming::Octets { count: 2, drained: true });
        assert_eq!(
            until(|| Some(connection.read(&mut buffer).unwrap()).filter(|read| *read == Incoming::End)),
            Incoming::End
        );
    }

    #[test]
    fn tls_keeps_what_the_socket_does_not_take_and_says_so() {
        const MUCH: usize = 16 * 1024 * 1024;
        let (own, peer) = pair();
        let (server, client) = tls();
        let (start, started) = std::sync::mpsc::channel::<()>();
        let reader = std::thread::spawn(move || {
            let connection = ClientConnection::new(client, ServerName::try_from("chat.test").unwrap()).unwrap();
            let mut stream = StreamOwned::new(connection, peer);
            stream.write_all(b"hello").unwrap();
            started.recv().unwrap();
            let mut came = Vec::new();
            stream.read_to_end(&mut came).unwrap();
            came
        });
        let mut connection = connection(own, Some(&server));
        until(|| connection.advance().unwrap().then_some(()));
        let mut buffer = [0; 64];
        let count = until(|| match connection.read(&mut buffer).unwrap() {
            Incoming::Octets { count, .. } => (count > 0).then_some(count),
            Incoming::End => panic!("the peer has gone"),
        });
        assert_eq!(&buffer[..count], b"hello");

        let octets: Vec<u8> = (0..MUCH).map(|at| (at % 251) as u8).collect();
        let mut taken = connection.write(&octets).unwrap();
        assert!(taken < MUCH && connection.has_unsent(), "the socket took {taken} octets of a peer that reads nothing");
        assert_eq!(connection.write(&octets[taken..]).unwrap(), 0);
        start.send(()).unwrap();
        until(|| {
            taken += connection.write(&octets[taken..]).unwrap();
            (taken == MUCH).then_some(())
        });
        connection.farewell();
        until(|| connection.flush().unwrap().then_some(()));
        assert!(!connection.has_unsent());
        connection.hang_up().unwrap();
        assert!(reader.join().unwrap() == octets);
    }

    #[test]
    fn what_is_no_tls_is_an_error() {
        let (own, mut peer) = pair();
        let (server, _) = tls();
        let mut connection = connection(own, Some(&server));
        assert!(!connection.advance().unwrap());
        peer.write_all(b"MSRP a1b2c3d4 SEND\r\n").unwrap();
        let error = until(|| connection.advance().err());
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
