//! One connection of a client: TCP, with or without TLS over it.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// How often a connection is read before others have their turn.
const READS: u32 = 16;

/// What a connection over TLS needs.
pub(crate) struct Security {
    /// How certificates are judged.
    pub(crate) config: Arc<ClientConfig>,
    /// The name that the certificate must show.
    pub(crate) name: ServerName<'static>,
}

/// An open connection. Only [`Wire::poll_ready`] waits, so nothing is lost when somebody stops waiting.
pub(crate) struct Wire {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What the socket did not take yet, without TLS.
    queued: Vec<u8>,
    /// How many octets of it are out.
    out: usize,
    /// How many octets TLS holds that are not out, before it made records of them.
    enciphered: usize,
    /// How many octets went out since [`Wire::departed`] told.
    departed: usize,
    /// The last turn ended with more to be read.
    more: bool,
}

impl Wire {
    /// Connects, and shakes hands where there is TLS. Tries the addresses of a name one after the other.
    pub(crate) async fn connect(host: &str, port: u16, security: Option<Security>) -> io::Result<Self> {
        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        let mut wire = Self { tcp, tls: None, queued: Vec::new(), out: 0, enciphered: 0, departed: 0, more: false };
        if let Some(Security { config, name }) = security {
            let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
            // What is queued is bounded by who queues it.
            tls.set_buffer_limit(None);
            wire.tls = Some(Box::new(tls));
            wire.shake_hands().await?;
        }
        Ok(wire)
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    pub(crate) fn remote(&self) -> io::Result<SocketAddr> {
        self.tcp.peer_addr()
    }

    /// Takes octets to be sent, and sends what the socket takes now.
    pub(crate) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => {
                tls.writer().write_all(octets)?;
                self.enciphered += octets.len();
            }
            None => self.queued.extend_from_slice(octets),
        }
        self.flush()
    }

    /// How many octets wait for the socket to take them.
    pub(crate) fn waiting(&self) -> usize {
        self.enciphered + self.queued.len() - self.out
    }

    /// How many octets the socket has taken since this was asked last.
    pub(crate) fn departed(&mut self) -> usize {
        std::mem::take(&mut self.departed)
    }

    /// Says that nothing more will be sent.
    pub(crate) fn farewell(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.flush();
    }

    /// Sends what the socket takes now.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        unless_blocked(self.write()).map(|_| ())
    }

    fn write(&mut self) -> io::Result<()> {
        let mut socket = Direct(&self.tcp);
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut socket)?;
            }
            self.departed += std::mem::take(&mut self.enciphered);
            return Ok(());
        }
        while let Some(rest) = self.queued.get(self.out..).filter(|rest| !rest.is_empty()) {
            let octets = socket.write(rest)?;
            self.out += octets;
            self.departed += octets;
        }
        self.queued.clear();
        self.out = 0;
        Ok(())
    }

    fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write()) || !self.queued.is_empty()
    }

    /// Hands out what has come, piece by piece, up to a turn's worth. False: the other side has ended the connection.
    pub(crate) fn read(&mut self, scratch: &mut [u8], mut take: impl FnMut(&[u8])) -> io::Result<bool> {
        self.more = false;
        for _ in 0..READS {
            match unless_blocked(self.read_once(scratch))? {
                Some(0) => return Ok(false),
                Some(octets) => take(scratch.get(..octets).unwrap_or_default()),
                None => return Ok(true),
            }
        }
        self.more = true;
        Ok(true)
    }

    /// Waits until there is something to read, or to write where something waits to be written.
    pub(crate) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.more {
            return Poll::Ready(());
        }
        if self.wants_write() && self.tcp.poll_write_ready(context).is_ready() {
            return Poll::Ready(());
        }
        self.tcp.poll_read_ready(context).map(|_| ())
    }

    fn read_once(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return read_short(&self.tcp, scratch) };
        loop {
            match tls.reader().read(scratch) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Cut off without a farewell: nothing here depends on one.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            tls.read_tls(&mut Direct(&self.tcp))?;
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    async fn shake_hands(&mut self) -> io::Result<()> {
        loop {
            self.flush()?;
            let Some(tls) = &mut self.tls else { return Ok(()) };
            if !tls.is_handshaking() {
                return Ok(());
            }
            if tls.wants_write() {
                self.tcp.writable().await?;
                continue;
            }
            self.tcp.readable().await?;
            if unless_blocked(tls.read_tls(&mut Direct(&self.tcp)))? == Some(0) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Err(error) = tls.process_new_packets() {
                // The alert tells the other side why.
                let _ = self.flush();
                return Err(io::Error::other(error));
            }
        }
    }
}

/// Reads without TLS. A socket that fills less than the buffer has no more: it is marked so, which saves asking it again.
fn read_short(tcp: &TcpStream, scratch: &mut [u8]) -> io::Result<usize> {
    let mut read = None;
    let marked = tcp.try_io(Interest::READABLE, || {
        let octets = tcp.try_read(scratch)?;
        read = Some(octets);
        if octets > 0 && octets < scratch.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(octets) }
    });
    read.map_or(marked, Ok)
}

/// Reads and writes what the socket can do now.
struct Direct<'a>(&'a TcpStream);

impl Read for Direct<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl Write for Direct<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.try_write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unless_blocked<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
