//! A SIP connection over TCP or TLS: one task that reads in order and writes what its outbox holds.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use focus::sip::{self, ConnectionId, Transport};
use rustls::ServerConfig;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, timeout};

use super::outbox::{End, Outbox};
use super::signalling::Event;
use crate::capacity::Pass;
use crate::connection::{Connection, Incoming};
use crate::listen;

/// Octets of one read.
const READ: usize = 16 * 1024;
/// How long a TLS handshake may take (threat T4), and a connection of ours to be taken up.
const OPENING: Duration = Duration::from_secs(10);
/// How long a connection may take for its first octets (threat T4).
const SILENCE: Duration = Duration::from_secs(30);
/// How long a peer that we have hung up on may take to notice.
const LEAVE: Duration = Duration::from_secs(2);

/// What all SIP connections have in common.
#[derive(Clone)]
pub(crate) struct Common {
    /// To signalling. What waits there is bounded: a full channel stops the readers.
    pub(crate) events: Sender<Event>,
    /// What every read goes into: an idle connection holds none.
    buffer: Rc<RefCell<Vec<u8>>>,
}

impl Common {
    pub(crate) fn new(events: Sender<Event>) -> Self {
        Self { events, buffer: Rc::new(RefCell::new(vec![0; READ])) }
    }
}

/// A connection that somebody has opened to us.
pub(crate) async fn accepted(
    id: ConnectionId,
    (socket, remote, pass): (TcpStream, SocketAddr, Pass),
    tls: Option<Arc<ServerConfig>>,
    common: Common,
) {
    let outbox = Rc::new(Outbox::default());
    let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
    let Ok(mut connection) = Connection::new(Socket(socket), tls.as_ref(), pass) else { return };
    match timeout(OPENING, shake_hands(&mut connection)).await {
        Ok(Ok(())) => converse(id, connection, transport, remote, outbox, common).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// A connection that signalling wants to `remote`.
pub(crate) async fn requested(id: ConnectionId, remote: SocketAddr, pass: Pass, outbox: Rc<Outbox>, common: Common) {
    let socket = match timeout(OPENING, TcpStream::connect(remote)).await {
        Ok(Ok(socket)) => Connection::new(Socket(socket), None, pass),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    match socket {
        Ok(connection) => converse(id, connection, Transport::Tcp, remote, outbox, common).await,
        Err(error) => {
            tracing::debug!(%error, "a connection could not be opened");
            tell(&common, Event::Sip(sip::Input::Closed { connection: id })).await;
        }
    }
}

async fn shake_hands(connection: &mut Connection<Socket>) -> io::Result<()> {
    while !connection.advance()? {
        let interest = interest(connection.has_unsent());
        connection.socket().0.ready(interest).await?;
    }
    Ok(())
}

async fn converse(
    id: ConnectionId,
    mut connection: Connection<Socket>,
    transport: Transport,
    remote: SocketAddr,
    outbox: Rc<Outbox>,
    common: Common,
) {
    let ended = match listen::local_address(connection.socket()) {
        Some(local) => {
            let opened = sip::Input::Opened { connection: id, transport, local, remote };
            tell(&common, Event::Opened(opened, outbox.clone())).await;
            serve(id, &mut connection, &outbox, &common).await
        }
        None => Err(io::ErrorKind::NotConnected.into()),
    };
    tell(&common, Event::Sip(sip::Input::Closed { connection: id })).await;
    if ended.is_ok() {
        // A socket closed over unread octets is reset, and what was written last may be lost with it.
        let _ = timeout(LEAVE, discard(&connection.socket().0)).await;
    }
}

/// Moves octets both ways until one side has had enough. `Ok`: we have hung up.
async fn serve(
    id: ConnectionId,
    connection: &mut Connection<Socket>,
    outbox: &Outbox,
    common: &Common,
) -> io::Result<()> {
    let silence = tokio::time::sleep_until(Instant::now() + SILENCE);
    tokio::pin!(silence);
    let mut silent = true;
    loop {
        let sent = outbox.drain(|octets| connection.write(octets))? && connection.flush()?;
        match outbox.end() {
            Some(End::Overflow) => return Err(io::Error::other("too much waits for the peer")),
            Some(End::Orderly) if sent => {
                connection.farewell();
                // The socket took everything so far: it has room for an alert.
                connection.flush()?;
                return connection.hang_up();
            }
            _ => {}
        }
        let interest = interest(!sent);
        tokio::select! {
            ready = connection.socket().0.ready(interest) => {
                if ready?.is_readable() {
                    match read(connection, &common.buffer)? {
                        None => return Err(io::ErrorKind::UnexpectedEof.into()),
                        Some(octets) if octets.is_empty() => {}
                        Some(octets) => {
                            silent = false;
                            tell(common, Event::Sip(sip::Input::Received { connection: id, octets })).await;
                        }
                    }
                }
            }
            () = outbox.news() => {}
            () = &mut silence, if silent => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// What one read brings; none at the end.
fn read(connection: &mut Connection<Socket>, buffer: &RefCell<Vec<u8>>) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = buffer.borrow_mut();
    Ok(match connection.read(&mut buffer)? {
        Incoming::Octets { count, .. } => Some(buffer.get(..count).unwrap_or_default().to_vec()),
        Incoming::End => None,
    })
}

/// Reads what comes until the peer's end.
async fn discard(socket: &TcpStream) {
    let mut scrap = [0; 1024];
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut scrap) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}

/// Tells signalling. Once it is gone nobody need be told.
async fn tell(common: &Common, event: Event) {
    let _ = common.events.send(event).await;
}

fn interest(writes: bool) -> Interest {
    if writes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE }
}

/// A socket of tokio's whose reads and writes do not wait.
pub(crate) struct Socket(TcpStream);

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.try_write(octets)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::capacity::Capacity;

    /// What signalling hears of a peer that connects and says `octets`, and in how much time, which passes only while nothing happens.
    async fn heard_of(octets: &[u8], tls: Option<Arc<ServerConfig>>) -> (Vec<&'static str>, Duration) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, remote) = listener.accept().await.unwrap();
        let pass = Capacity::new(1).enter().unwrap();
        if !octets.is_empty() {
            assert_eq!(peer.try_write(octets).unwrap(), octets.len());
            socket.readable().await.unwrap();
        }
        let (sender, mut events) = mpsc::channel(8);
        let start = Instant::now();
        accepted(ConnectionId(7), (socket, remote, pass), tls, Common::new(sender)).await;
        let mut heard = Vec::new();
        while let Some(event) = events.recv().await {
            heard.push(match event {
                Event::Opened(..) => "opened",
                Event::Sip(sip::Input::Received { .. }) => "received",
                Event::Sip(sip::Input::Closed { .. }) => "closed",
                _ => "something else",
            });
        }
        (heard, start.elapsed())
    }

    // THREATS T4
    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_cut_off_after_30_s() {
        let (heard, after) = heard_of(b"", None).await;
        assert_eq!((heard, after.as_secs()), (vec!["opened", "closed"], 30));
    }

    // THREATS T4
    #[tokio::test(start_paused = true)]
    async fn who_does_not_finish_its_handshake_is_cut_off_after_10_s() {
        let config = crate::connection::tests::tls().0;
        let (heard, after) = heard_of(b"\x16\x03\x01", Some(config)).await;
        assert_eq!((heard, after.as_secs()), (vec![], 10));
    }
}
