//! The thread of a worker: the loop through which every message goes.
//!
//! The loop stands on a poll of its own (mio), not on tasks: a wake-up costs one `epoll_wait`, an idle connection one entry in a
//! table, and a connection goes to another thread as it is. Each turn reads each ready connection once, then flushes: what one
//! wake-up brought goes to each recipient in one send.
//!
//! Edges are never asked for again: a connection is registered once, for everything, and remembers what it was told.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use focus::worker::{Input, Moving, Output, Wire};
use focus::{ConnectionId, Place, Worker, WorkerId};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::ServerConfig;

use super::mailbox::{Bell, Item, Outgoing, Post};
use super::porch::{News, Porch};
use crate::capacity::{Capacity, Pass};
use crate::connection::{Connection, Incoming};
use crate::listen::{self, PAUSE, Refused};

/// Octets of one read: as many as may wait for a slow recipient before who fills it is held back.
const READ: usize = 64 * 1024;
/// Turns before the poll is asked again.
const TURNS: usize = 16;
/// Octets read, or to be rendered for others, at which a turn is interrupted by a flush: so they are still in the cache, and what
/// one turn can gather is bounded.
const BATCH: usize = 256 * 1024;
/// Connections of one listener accepted before anything else is looked at.
const ACCEPTS: usize = 64;

/// Tokens: the bell, the listeners, then connections by their slot; guests of the porch above all.
const BELL: Token = Token(0);
const LISTENERS: usize = 1;
const CONNECTIONS: usize = 1 << 16;
const PORCH: usize = 1 << 40;

/// A connection on its way from one worker to another.
pub(crate) struct Arrival {
    pub(crate) connection: Connection<TcpStream>,
    pub(crate) moving: Moving,
}

/// What a worker's thread needs before it runs.
pub(crate) struct Start {
    poll: Poll,
}

impl Start {
    /// The poll of a worker to be, and the bell of its mailbox.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub(crate) fn new() -> io::Result<(Self, Bell)> {
        let poll = Poll::new()?;
        let bell = Bell::Poll(mio::Waker::new(poll.registry(), BELL)?);
        Ok((Self { poll }, bell))
    }

    /// Runs the worker in this thread, for ever.
    ///
    /// # Errors
    ///
    /// The poll or a listener fails, which nothing can mend.
    pub(crate) fn run(
        self,
        id: WorkerId,
        core: Worker,
        listeners: Vec<listen::Stream>,
        tls: Option<Arc<ServerConfig>>,
        capacity: Capacity,
        post: Arc<Post>,
    ) -> io::Result<()> {
        let mut gates = Vec::new();
        for (index, listener) in listeners.into_iter().enumerate() {
            let mut socket = TcpListener::from_std(listener.socket);
            self.poll.registry().register(&mut socket, Token(LISTENERS + index), Interest::READABLE)?;
            let tls = tls.as_ref().filter(|_| listener.secure).cloned();
            gates.push(Gate { socket, tls, ready: false, paused_until: None });
        }
        let shell = Shell {
            place: Place::Worker(id),
            core,
            poll: self.poll,
            gates,
            capacity,
            porch: Porch::default(),
            streams: Vec::new(),
            ready: VecDeque::new(),
            failed: Vec::new(),
            buffer: vec![0; READ].into(),
            mail: VecDeque::new(),
            outgoing: Outgoing::new(post.clone()),
            post,
        };
        shell.run()
    }
}

struct Shell {
    place: Place,
    core: Worker,
    poll: Poll,
    gates: Vec<Gate>,
    capacity: Capacity,
    porch: Porch,
    /// By the slot of the connection.
    streams: Vec<Option<Stream>>,
    /// Connections to be read, each once, in turn.
    ready: VecDeque<ConnectionId>,
    /// Connections found dead during a flush.
    failed: Vec<ConnectionId>,
    /// What every read goes into: an idle connection holds none.
    buffer: Box<[u8]>,
    mail: VecDeque<Item>,
    outgoing: Outgoing,
    post: Arc<Post>,
}

/// A listener.
struct Gate {
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    /// There may be somebody to accept.
    ready: bool,
    paused_until: Option<Instant>,
}

/// A connection that the worker knows.
struct Stream {
    id: ConnectionId,
    connection: Connection<TcpStream>,
    /// Stands in the list of those to be read.
    listed: bool,
    /// The peer has sent its end, or an error has: it is read until that is found.
    ending: bool,
    /// The socket took less than all.
    blocked: bool,
}

impl Shell {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.timeout(Instant::now())) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let now = Instant::now();
            self.heed(now, &events);
            self.accept(now);
            self.expire(now);
            for turn in 0..TURNS {
                self.turn(if turn == 0 { now } else { Instant::now() });
                if self.ready.is_empty() || self.post.is_crowded() {
                    break;
                }
            }
        }
    }

    /// How long there is nothing to do but by an event.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        let reads = !self.ready.is_empty() && !self.post.is_crowded();
        if reads || self.gates.iter().any(|gate| gate.ready && gate.paused_until.is_none()) {
            return Some(Duration::ZERO);
        }
        let pauses = self.gates.iter().filter_map(|gate| gate.paused_until).min();
        let next = [self.core.poll_timeout(), self.porch.next_deadline(), pauses].into_iter().flatten().min();
        next.map(|at| at.saturating_duration_since(now))
    }

    /// Notes what the poll has told.
    fn heed(&mut self, now: Instant, events: &Events) {
        for event in events {
            match event.token() {
                BELL => {}
                Token(token) if token >= PORCH => self.heed_guest(now, token - PORCH),
                Token(token) if token >= CONNECTIONS => {
                    let Some(Some(stream)) = self.streams.get_mut(token - CONNECTIONS) else { continue };
                    let id = stream.id;
                    stream.ending |= event.is_read_closed() || event.is_error();
                    if event.is_error() && stream.connection.socket().take_error().is_ok_and(|error| error.is_some()) {
                        self.failed.push(id);
                        continue;
                    }
                    if event.is_writable() && (stream.blocked || stream.connection.has_unsent()) {
                        self.unblock(now, id);
                    }
                    if event.is_readable() || event.is_read_closed() {
                        self.list(id);
                    }
                }
                Token(token) => {
                    if let Some(gate) = self.gates.get_mut(token - LISTENERS) {
                        gate.ready = true;
                    }
                }
            }
        }
    }

    /// The socket of a connection takes octets again: first what TLS holds back, then what the worker does.
    fn unblock(&mut self, now: Instant, id: ConnectionId) {
        let Some(stream) = self.stream(id) else { return };
        match stream.connection.flush() {
            Ok(true) => {
                if std::mem::take(&mut stream.blocked) {
                    self.core.handle_input(now, Input::Writable { connection: id });
                }
            }
            Ok(false) => {}
            Err(_) => self.failed.push(id),
        }
    }

    /// Puts a connection among those to be read.
    fn list(&mut self, id: ConnectionId) {
        if let Some(stream) = self.stream(id)
            && !std::mem::replace(&mut stream.listed, true)
        {
            self.ready.push_back(id);
        }
    }

    fn stream(&mut self, id: ConnectionId) -> Option<&mut Stream> {
        self.streams.get_mut(id.slot())?.as_mut().filter(|stream| stream.id == id)
    }

    fn accept(&mut self, now: Instant) {
        for index in 0..self.gates.len() {
            for _ in 0..ACCEPTS {
                let Some(gate) = self.gates.get_mut(index).filter(|gate| gate.ready) else { break };
                if gate.paused_until.is_some_and(|until| until > now) {
                    break;
                }
                gate.paused_until = None;
                match listen::judge(gate.socket.accept(), &self.capacity) {
                    Some(Ok((socket, remote, pass))) => {
                        let tls = gate.tls.clone();
                        self.receive(now, socket, remote, tls.as_ref(), pass);
                    }
                    Some(Err(Refused::Nobody)) => gate.ready = false,
                    Some(Err(Refused::Later)) => gate.paused_until = Some(now + PAUSE),
                    None => {}
                }
            }
        }
    }

    /// A connection has been accepted: it is the worker's at once, or after its handshake.
    fn receive(
        &mut self,
        now: Instant,
        socket: TcpStream,
        remote: SocketAddr,
        tls: Option<&Arc<ServerConfig>>,
        pass: Pass,
    ) {
        let Some(local) = listen::local_address(&socket) else { return };
        let wire = Wire { secure: tls.is_some(), local, remote };
        let Ok(mut connection) = Connection::new(socket, tls, pass) else { return };
        let token = match tls {
            Some(_) => PORCH + self.porch.next_index(),
            None => {
                let id = self.core.open(now, wire);
                return self.settle(now, id, connection, false);
            }
        };
        if self.poll.registry().register(connection.socket_mut(), Token(token), EDGES).is_ok() {
            self.porch.receive(now, connection, wire);
        }
    }

    /// A connection that the worker has asked for. TLS is refused: there is no key yet to say whose certificates are to be
    /// trusted, and a connection to whoever answers would be worse than none.
    fn call(&mut self, now: Instant, id: ConnectionId, remote: SocketAddr, secure: bool) {
        let pass = self.capacity.enter().filter(|_| !secure);
        let connection = pass.and_then(|pass| {
            let mut socket = TcpStream::connect(remote).ok()?;
            let token = Token(PORCH + self.porch.next_index());
            self.poll.registry().register(&mut socket, token, EDGES).ok()?;
            Connection::new(socket, None, pass).ok()
        });
        match connection {
            Some(connection) => self.porch.call(now, connection, id),
            None => {
                tracing::info!(secure, "a connection to a participant was not made");
                self.core.handle_input(now, Input::Closed { connection: id });
            }
        }
    }

    fn heed_guest(&mut self, now: Instant, index: usize) {
        if let Some(news) = self.porch.advance(index, &mut self.buffer) {
            self.hear(now, news);
        }
    }

    fn hear(&mut self, now: Instant, news: News) {
        match news {
            News::Arrived(connection, wire) => {
                let id = self.core.open(now, wire);
                self.settle(now, id, connection, true);
            }
            News::Reached(id, connection) => {
                let Some(local) = listen::local_address(connection.socket()) else {
                    return self.core.handle_input(now, Input::Closed { connection: id });
                };
                self.settle(now, id, connection, true);
                self.core.handle_input(now, Input::Connected { connection: id, local });
            }
            News::Unreached(id) => self.core.handle_input(now, Input::Closed { connection: id }),
        }
    }

    /// Takes a connection in that the worker has given this id.
    fn settle(&mut self, now: Instant, id: ConnectionId, mut connection: Connection<TcpStream>, registered: bool) {
        let token = Token(CONNECTIONS + id.slot());
        let registry = self.poll.registry();
        let told = match registered {
            true => registry.reregister(connection.socket_mut(), token, EDGES),
            false => registry.register(connection.socket_mut(), token, EDGES),
        };
        if told.is_err() {
            return self.core.handle_input(now, Input::Closed { connection: id });
        }
        if self.streams.len() <= id.slot() {
            self.streams.resize_with(id.slot() + 1, || None);
        }
        if let Some(place) = self.streams.get_mut(id.slot()) {
            *place = Some(Stream { id, connection, listed: false, ending: false, blocked: false });
        }
        // TLS may hold octets that the socket does not tell of any more.
        self.list(id);
    }

    fn expire(&mut self, now: Instant) {
        while let Some(news) = self.porch.expire(now) {
            if let Some(news) = news {
                self.hear(now, news);
            }
        }
        if self.core.poll_timeout().is_some_and(|at| at <= now) {
            self.core.handle_timeout(now);
        }
    }

    /// One turn: the mail, one read of each ready connection, and what follows from both.
    fn turn(&mut self, now: Instant) {
        self.read_mail(now);
        if !self.post.is_crowded() {
            self.read_streams(now);
        }
        self.flush(now);
        self.outgoing.post();
    }

    fn read_mail(&mut self, now: Instant) {
        let mut mail = std::mem::take(&mut self.mail);
        self.post.take(self.place, &mut mail);
        for item in mail.drain(..) {
            match item {
                Item::Letter(letter) => self.core.handle_input(now, Input::Mail(letter)),
                Item::Arrival(arrival) => {
                    let Arrival { connection, moving } = *arrival;
                    let id = self.core.arrive(now, moving);
                    self.settle(now, id, connection, false);
                }
            }
            if self.core.batch_octets() >= BATCH {
                self.flush(now);
            }
        }
        self.mail = mail;
    }

    fn read_streams(&mut self, now: Instant) {
        let mut unflushed = 0;
        for _ in 0..self.ready.len() {
            let Some(id) = self.ready.pop_front() else { break };
            unflushed += self.read(now, id);
            if unflushed >= BATCH || self.core.batch_octets() >= BATCH {
                unflushed = 0;
                self.flush(now);
                self.outgoing.post();
                if self.post.is_crowded() {
                    break;
                }
            }
        }
    }

    /// One read. Says how many octets it brought.
    fn read(&mut self, now: Instant, id: ConnectionId) -> usize {
        let reads = self.core.reads(id);
        let stream = self.streams.get_mut(id.slot()).and_then(Option::as_mut).filter(|stream| stream.id == id);
        let Some(stream) = stream else { return 0 };
        stream.listed = false;
        if !reads {
            // Listed again when the worker asks for it.
            return 0;
        }
        match stream.connection.read(&mut self.buffer) {
            Ok(Incoming::Octets { count, drained }) => {
                if !drained || (stream.ending && count > 0) {
                    stream.listed = true;
                    self.ready.push_back(id);
                }
                if let Some(octets) = self.buffer.get(..count).filter(|octets| !octets.is_empty()) {
                    self.core.handle_input(now, Input::Received { connection: id, octets });
                }
                count
            }
            Ok(Incoming::End) | Err(_) => {
                self.failed.push(id);
                0
            }
        }
    }

    /// Does what the worker wants, and sends what waits, until neither brings anything more.
    fn flush(&mut self, now: Instant) {
        let mut goes_on = true;
        while std::mem::take(&mut goes_on) {
            for id in std::mem::take(&mut self.failed) {
                goes_on = true;
                self.lose(now, id);
            }
            while let Some(output) = self.core.poll_output() {
                goes_on = true;
                self.perform(now, output);
            }
            while let Some((id, octets)) = self.core.poll_transmit() {
                goes_on = true;
                let taken = match self.streams.get_mut(id.slot()) {
                    Some(Some(stream)) if stream.id == id => stream.send(octets, &mut self.failed),
                    _ => 0,
                };
                self.core.handle_transmitted(now, id, taken);
            }
            goes_on |= self.core.handle_flushed(now);
        }
    }

    /// A connection has ended from outside.
    fn lose(&mut self, now: Instant, id: ConnectionId) {
        if self.stream(id).is_some() {
            self.release(id);
            self.core.handle_input(now, Input::Closed { connection: id });
        }
    }

    fn release(&mut self, id: ConnectionId) -> Option<Connection<TcpStream>> {
        self.stream(id)?;
        self.streams.get_mut(id.slot())?.take().map(|stream| stream.connection)
    }

    fn perform(&mut self, now: Instant, output: Output) {
        match output {
            Output::Mail { to, mail } if to == self.place => self.core.handle_input(now, Input::Mail(mail)),
            Output::Mail { to, mail } => self.outgoing.add(to, Item::Letter(mail)),
            Output::Connect { connection, remote, secure, server_name: _ } => {
                self.call(now, connection, remote, secure);
            }
            Output::Close { connection } => self.close(now, connection),
            Output::Move { connection, to, moving } => {
                let Some(mut connection) = self.release(connection) else { return };
                if self.poll.registry().deregister(connection.socket_mut()).is_ok() {
                    self.outgoing.add(Place::Worker(to), Item::Arrival(Box::new(Arrival { connection, moving })));
                }
            }
            Output::Resume { connection } => self.list(connection),
        }
    }

    /// The worker is through with a connection; its last octets may not be.
    fn close(&mut self, now: Instant, id: ConnectionId) {
        let Some(mut connection) = self.release(id) else { return self.porch.recall(id) };
        let token = Token(PORCH + self.porch.next_index());
        if self.poll.registry().reregister(connection.socket_mut(), token, EDGES).is_ok() {
            let index = self.porch.see_off(now, connection);
            self.porch.advance(index, &mut self.buffer);
        }
    }
}

const EDGES: Interest = Interest::READABLE.add(Interest::WRITABLE);

impl Stream {
    /// One send. Says how many octets were taken.
    fn send(&mut self, octets: &[u8], failed: &mut Vec<ConnectionId>) -> usize {
        let taken = self.connection.write(octets).unwrap_or_else(|_| {
            failed.push(self.id);
            0
        });
        self.blocked = taken < octets.len();
        taken
    }
}
