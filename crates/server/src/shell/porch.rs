//! Connections at the door of a worker: those whose TLS handshake is under way, those that it makes itself and that are not there
//! yet, and those that it has closed and whose last octets are still going out.
//!
//! A socket that is closed while octets of the peer lie unread in it is reset, and the peer may lose what it was told last. So who
//! leaves is told that nothing more comes, and what still comes is thrown away for a while.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use focus::ConnectionId;
use focus::worker::Wire;
use mio::net::TcpStream;

use crate::connection::{Connection, Incoming};

/// How long a TLS handshake may take (threat T4), or a connection of our own to be there.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection that is closed may take for its last octets.
const LEAVE: Duration = Duration::from_secs(2);
/// Reads of what a leaving peer still says, at one time.
const READS: usize = 4;

/// The door of a worker.
#[derive(Default)]
pub(crate) struct Porch {
    guests: Vec<Option<Guest>>,
    free: Vec<usize>,
    deadlines: BTreeSet<(Instant, usize)>,
}

struct Guest {
    connection: Connection<TcpStream>,
    until: Instant,
    way: Way,
}

enum Way {
    In(Wire),
    /// The worker waits for it under this id.
    Called(ConnectionId),
    /// Octets still wait to be sent.
    Out,
    /// All is sent; the peer's end is awaited.
    Gone,
}

/// What became of a guest.
pub(crate) enum News {
    /// The handshake is done.
    Arrived(Connection<TcpStream>, Wire),
    /// The connection that the worker waits for is there.
    Reached(ConnectionId, Connection<TcpStream>),
    /// It will not be.
    Unreached(ConnectionId),
}

impl Porch {
    /// The index that the next guest will have.
    pub(crate) fn next_index(&self) -> usize {
        self.free.last().copied().unwrap_or(self.guests.len())
    }

    /// A connection begins its handshake.
    pub(crate) fn receive(&mut self, now: Instant, connection: Connection<TcpStream>, wire: Wire) -> usize {
        self.put(Guest { connection, until: now + HANDSHAKE, way: Way::In(wire) })
    }

    /// A connection of our own is being made.
    pub(crate) fn call(&mut self, now: Instant, connection: Connection<TcpStream>, id: ConnectionId) {
        self.put(Guest { connection, until: now + HANDSHAKE, way: Way::Called(id) });
    }

    /// Nobody waits any more for the connection that was called under this id.
    pub(crate) fn recall(&mut self, id: ConnectionId) {
        let is_it =
            |guest: &Option<Guest>| matches!(guest, Some(Guest { way: Way::Called(called), .. }) if *called == id);
        if let Some(index) = self.guests.iter().position(is_it) {
            self.remove(index);
        }
    }

    /// A connection is to be closed.
    pub(crate) fn see_off(&mut self, now: Instant, mut connection: Connection<TcpStream>) -> usize {
        connection.farewell();
        self.put(Guest { connection, until: now + LEAVE, way: Way::Out })
    }

    /// The socket of a guest is ready for something.
    pub(crate) fn advance(&mut self, index: usize, buffer: &mut [u8]) -> Option<News> {
        let guest = self.guests.get_mut(index)?.as_mut()?;
        match guest.way {
            Way::In(wire) => match guest.connection.advance() {
                Ok(false) => None,
                Ok(true) => Some(News::Arrived(self.remove(index)?.connection, wire)),
                Err(error) => {
                    tracing::debug!(%error, "a TLS handshake failed");
                    self.remove(index);
                    None
                }
            },
            Way::Called(id) => match guest.is_reached() {
                Ok(false) => None,
                Ok(true) => Some(News::Reached(id, self.remove(index)?.connection)),
                Err(_) => self.remove(index).and_then(Guest::unreached),
            },
            Way::Out | Way::Gone => {
                if guest.has_left(buffer) {
                    self.remove(index);
                }
                None
            }
        }
    }

    /// Shows out one who has taken too long, if there is one.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Option<News>> {
        let (_, index) = self.deadlines.first().copied().filter(|(until, _)| *until <= now)?;
        self.remove(index).map(Guest::unreached)
    }

    /// When [`Porch::expire`] wants to be called.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    fn put(&mut self, guest: Guest) -> usize {
        let index = self.free.pop().unwrap_or_else(|| {
            self.guests.push(None);
            self.guests.len() - 1
        });
        self.deadlines.insert((guest.until, index));
        if let Some(place) = self.guests.get_mut(index) {
            *place = Some(guest);
        }
        index
    }

    fn remove(&mut self, index: usize) -> Option<Guest> {
        let guest = self.guests.get_mut(index)?.take()?;
        self.deadlines.remove(&(guest.until, index));
        self.free.push(index);
        Some(guest)
    }
}

impl Guest {
    fn unreached(self) -> Option<News> {
        match self.way {
            Way::Called(id) => Some(News::Unreached(id)),
            _ => None,
        }
    }

    /// Whether a connection of our own is there.
    fn is_reached(&self) -> io::Result<bool> {
        let socket = self.connection.socket();
        match socket.take_error()? {
            Some(error) => Err(error),
            None => Ok(socket.peer_addr().is_ok()),
        }
    }

    /// Goes on with leaving; whether nothing keeps it here any more.
    fn has_left(&mut self, buffer: &mut [u8]) -> bool {
        if matches!(self.way, Way::Out) {
            match self.connection.flush() {
                Ok(false) => return false,
                Ok(true) if self.connection.hang_up().is_ok() => self.way = Way::Gone,
                _ => return true,
            }
        }
        for _ in 0..READS {
            match self.connection.read(buffer) {
                Ok(Incoming::Octets { drained: true, .. }) => return false,
                Ok(Incoming::Octets { .. }) => {}
                Ok(Incoming::End) | Err(_) => return true,
            }
        }
        // Who says so much has not heard; it is not waited for.
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{self, SocketAddr};

    use super::*;
    use crate::capacity::Capacity;

    fn pair() -> (Connection<TcpStream>, net::TcpStream) {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (own, _) = listener.accept().unwrap();
        own.set_nonblocking(true).unwrap();
        (connection(TcpStream::from_std(own)), peer)
    }

    fn connection(socket: TcpStream) -> Connection<TcpStream> {
        Connection::new(socket, None, Capacity::new(1).enter().unwrap()).unwrap()
    }

    fn wire() -> Wire {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        Wire { secure: true, local: nowhere, remote: nowhere }
    }

    // THREATS T4
    #[test]
    fn who_does_not_finish_its_handshake_is_shown_out_after_10_s() {
        let (mut porch, start) = (Porch::default(), Instant::now());
        let (connection, mut peer) = pair();
        porch.receive(start, connection, wire());
        assert_eq!(porch.next_deadline(), Some(start + Duration::from_secs(10)));
        assert!(porch.expire(start + Duration::from_millis(9_999)).is_none());
        assert!(matches!(porch.expire(start + Duration::from_secs(10)), Some(None)));
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
        assert_eq!((porch.next_deadline(), porch.next_index()), (None, 0));
    }

    #[test]
    fn who_leaves_is_told_at_once_and_waited_for_2_s() {
        let (mut porch, start) = (Porch::default(), Instant::now());
        let (connection, mut peer) = pair();
        let index = porch.see_off(start, connection);
        assert!(porch.advance(index, &mut [0; 64]).is_none());
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the end of what we say");
        peer.write_all(b"not yet read").unwrap();
        porch.advance(index, &mut [0; 64]);
        assert_eq!(porch.next_deadline(), Some(start + Duration::from_secs(2)), "the peer's end is awaited");
        assert!(matches!(porch.expire(start + Duration::from_secs(2)), Some(None)));
    }

    #[test]
    fn a_connection_of_our_own_that_is_refused_is_told() {
        let (mut porch, start) = (Porch::default(), Instant::now());
        let port = net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut worker = focus::Worker::new(
            focus::WorkerId(0),
            std::sync::Arc::new(crate::settings::settings(&crate::config::Config::embedded(), &[], &[], 1)),
            Box::new(<rand_chacha::ChaCha12Rng as rand_core::SeedableRng>::from_seed([0; 32])),
        );
        let id = worker.open(start, wire());
        porch.call(start, connection(TcpStream::connect(port).unwrap()), id);
        let news = loop {
            match porch.advance(0, &mut [0; 64]) {
                Some(news) => break news,
                None => std::thread::yield_now(),
            }
        };
        assert!(matches!(news, News::Unreached(unreached) if unreached == id));
    }
}
