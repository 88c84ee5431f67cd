//! A whole node as one value: a focus, its workers, and the mail between them.
//!
//! It has what threads would have, and nothing happens in it by itself: [`Node::step`] delivers one letter to one owner, so
//! that a simulator chooses the interplay; [`Node::settle`] delivers all, for who just wants a node in a program of their own.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rand_core::Rng;

use crate::ids::{ConnectionId, Place, WorkerId};
use crate::mail::Mail;
use crate::settings::Settings;
use crate::signalling::{self, Signalling};
use crate::worker::{self, Moving, Wire, Worker};

/// An MSRP connection of a node, whichever worker it is with. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u64);

/// What a node wants done, but for [`Node::poll_transmit`].
#[derive(Debug)]
pub enum Output {
    /// Something of signalling; never mail.
    Signalling(signalling::Output),
    /// Make an MSRP connection; [`Node::connected`] or [`Node::closed`] tells how it went.
    Connect {
        /// The id it shall have.
        link: LinkId,
        /// Where to.
        remote: SocketAddr,
        /// Whether with TLS.
        secure: bool,
    },
    /// Close an MSRP connection. Its id is dead.
    Close {
        /// The connection.
        link: LinkId,
    },
    /// An MSRP connection for which [`Node::reads`] was false may be read again.
    Resume {
        /// The connection.
        link: LinkId,
    },
}

/// Where an MSRP connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whereabouts {
    At(WorkerId, ConnectionId),
    /// On its way between two workers; closed meanwhile, or not.
    Moving {
        closed: bool,
    },
}

/// What waits in a mailbox.
enum Item {
    Mail(Mail),
    Arrival(LinkId, Box<Moving>),
}

/// A node.
pub struct Node {
    signalling: Signalling,
    workers: Vec<Worker>,
    mailboxes: BTreeMap<Place, VecDeque<Item>>,
    links: BTreeMap<LinkId, Whereabouts>,
    names: BTreeMap<(WorkerId, ConnectionId), LinkId>,
    opened: u64,
    outputs: VecDeque<Output>,
    /// The worker that transmits.
    transmitting: usize,
}

impl Node {
    /// A node with the workers that `settings` names. `rng` makes the chance of each owner in turn.
    pub fn new(settings: &Arc<Settings>, mut rng: impl FnMut() -> Box<dyn Rng + Send>) -> Self {
        let signalling = Signalling::new(settings.clone(), rng());
        let workers = (0..settings.workers).map(|id| Worker::new(WorkerId(id), settings.clone(), rng())).collect();
        let mut node = Self {
            signalling,
            workers,
            mailboxes: BTreeMap::new(),
            links: BTreeMap::new(),
            names: BTreeMap::new(),
            opened: 0,
            outputs: VecDeque::new(),
            transmitting: 0,
        };
        node.gather_signalling();
        node
    }

    /// Something for signalling.
    pub fn handle_signalling(&mut self, now: Instant, input: signalling::Input) {
        self.signalling.handle_input(now, input);
        self.gather_signalling();
    }

    /// An MSRP connection has come to one of the workers, counted round.
    pub fn open(&mut self, now: Instant, wire: Wire) -> LinkId {
        let link = LinkId(self.opened);
        let count = self.workers.len().max(1) as u64;
        let place = (self.opened % count) as usize;
        self.opened += 1;
        if let Some(worker) = self.workers.get_mut(place) {
            let connection = worker.open(now, wire);
            self.place(link, WorkerId(place as u8), connection);
        }
        link
    }

    /// An MSRP connection that was asked for is there.
    pub fn connected(&mut self, now: Instant, link: LinkId, local: SocketAddr) {
        if let Some((id, connection)) = self.find(link) {
            self.tell(now, id, worker::Input::Connected { connection, local });
        }
    }

    /// Whether an MSRP connection is to be read from.
    pub fn reads(&mut self, link: LinkId) -> bool {
        let Some((worker, connection)) = self.find(link) else { return false };
        self.worker(worker).is_some_and(|worker| worker.reads(connection))
    }

    /// Octets have come on an MSRP connection that [`Node::reads`].
    pub fn received(&mut self, now: Instant, link: LinkId, octets: &[u8]) {
        if let Some((id, connection)) = self.find(link) {
            self.tell(now, id, worker::Input::Received { connection, octets });
        }
    }

    /// An MSRP connection takes octets again.
    pub fn writable(&mut self, now: Instant, link: LinkId) {
        if let Some((id, connection)) = self.find(link) {
            self.tell(now, id, worker::Input::Writable { connection });
        }
    }

    /// An MSRP connection is gone.
    pub fn closed(&mut self, now: Instant, link: LinkId) {
        match self.links.get_mut(&link) {
            Some(Whereabouts::Moving { closed }) => *closed = true,
            Some(Whereabouts::At(worker, connection)) => {
                let (id, connection) = (*worker, *connection);
                self.forget(link);
                self.tell(now, id, worker::Input::Closed { connection });
            }
            None => {}
        }
    }

    /// The next MSRP connection that has something to send; answer with [`Node::handle_transmitted`].
    pub fn poll_transmit(&mut self, now: Instant) -> Option<(LinkId, Vec<u8>)> {
        for index in 0..self.workers.len() {
            let id = WorkerId(index as u8);
            let worker = self.worker(id)?;
            let mut transmission = worker.poll_transmit().map(|(connection, octets)| (connection, octets.to_vec()));
            if transmission.is_none() && worker.handle_flushed(now) {
                transmission = worker.poll_transmit().map(|(connection, octets)| (connection, octets.to_vec()));
            }
            self.gather(id);
            if let Some((connection, octets)) = transmission {
                self.transmitting = index;
                return self.names.get(&(id, connection)).map(|link| (*link, octets));
            }
        }
        None
    }

    /// How many of the octets of the last [`Node::poll_transmit`] were taken.
    pub fn handle_transmitted(&mut self, now: Instant, link: LinkId, taken: usize) {
        let Some((id, connection)) = self.find(link) else { return };
        if let Some(worker) = self.workers.get_mut(self.transmitting) {
            worker.handle_transmitted(now, connection, taken);
        }
        self.gather(id);
    }

    /// When [`Node::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let workers = self.workers.iter().filter_map(Worker::poll_timeout);
        workers.chain(self.signalling.poll_timeout()).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.signalling.handle_timeout(now);
        self.gather_signalling();
        for id in (0..self.workers.len()).map(|id| WorkerId(id as u8)) {
            if let Some(worker) = self.worker(id) {
                worker.handle_timeout(now);
            }
            self.gather(id);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The owners that have mail, in a fixed order.
    pub fn with_mail(&self) -> impl Iterator<Item = Place> {
        self.mailboxes.iter().filter(|(_, mailbox)| !mailbox.is_empty()).map(|(place, _)| *place)
    }

    /// Delivers one letter to an owner.
    pub fn step(&mut self, now: Instant, place: Place) {
        let Some(item) = self.mailboxes.get_mut(&place).and_then(VecDeque::pop_front) else { return };
        match (place, item) {
            (Place::Signalling, Item::Mail(mail)) => self.handle_signalling(now, signalling::Input::Mail(mail)),
            (Place::Worker(id), Item::Mail(mail)) => self.tell(now, id, worker::Input::Mail(mail)),
            (Place::Worker(id), Item::Arrival(link, moving)) => self.arrive(now, id, link, *moving),
            (Place::Signalling, Item::Arrival(..)) => {}
        }
    }

    /// Delivers all letters, and those that they bring about.
    pub fn settle(&mut self, now: Instant) {
        loop {
            let Some(place) = self.with_mail().next() else { return };
            self.step(now, place);
        }
    }

    /// Each worker's census, for telemetry and tests.
    pub fn census(&self) -> Vec<[usize; 3]> {
        self.workers.iter().map(Worker::census).collect()
    }

    /// The focus, for telemetry and tests.
    pub fn signalling(&self) -> &Signalling {
        &self.signalling
    }

    fn worker(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(usize::from(id.0))
    }

    fn tell(&mut self, now: Instant, id: WorkerId, input: worker::Input<'_>) {
        if let Some(worker) = self.worker(id) {
            worker.handle_input(now, input);
        }
        self.gather(id);
    }

    fn arrive(&mut self, now: Instant, id: WorkerId, link: LinkId, moving: Moving) {
        let Some(worker) = self.worker(id) else { return };
        let connection = worker.arrive(now, moving);
        let closed = matches!(self.links.get(&link), Some(Whereabouts::Moving { closed: true }));
        self.place(link, id, connection);
        self.gather(id);
        if closed {
            self.closed(now, link);
        } else {
            self.outputs.push_back(Output::Resume { link });
        }
    }

    fn gather_signalling(&mut self) {
        while let Some(output) = self.signalling.poll_output() {
            match output {
                signalling::Output::Mail { to, mail } => self.post(to, Item::Mail(mail)),
                output => self.outputs.push_back(Output::Signalling(output)),
            }
        }
    }

    fn gather(&mut self, id: WorkerId) {
        while let Some(output) = self.workers.get_mut(usize::from(id.0)).and_then(Worker::poll_output) {
            match output {
                worker::Output::Mail { to, mail } => self.post(to, Item::Mail(mail)),
                worker::Output::Connect { connection, remote, secure, .. } => {
                    let link = LinkId(self.opened);
                    self.opened += 1;
                    self.place(link, id, connection);
                    self.outputs.push_back(Output::Connect { link, remote, secure });
                }
                worker::Output::Close { connection } => {
                    if let Some(link) = self.names.get(&(id, connection)).copied() {
                        self.forget(link);
                        self.outputs.push_back(Output::Close { link });
                    }
                }
                worker::Output::Move { connection, to, moving } => {
                    if let Some(link) = self.names.remove(&(id, connection)) {
                        self.links.insert(link, Whereabouts::Moving { closed: false });
                        self.post(Place::Worker(to), Item::Arrival(link, Box::new(moving)));
                    }
                }
                worker::Output::Resume { connection } => {
                    if let Some(link) = self.names.get(&(id, connection)).copied() {
                        self.outputs.push_back(Output::Resume { link });
                    }
                }
            }
        }
    }

    fn post(&mut self, to: Place, item: Item) {
        self.mailboxes.entry(to).or_default().push_back(item);
    }

    fn place(&mut self, link: LinkId, worker: WorkerId, connection: ConnectionId) {
        self.links.insert(link, Whereabouts::At(worker, connection));
        self.names.insert((worker, connection), link);
    }

    fn find(&self, link: LinkId) -> Option<(WorkerId, ConnectionId)> {
        match self.links.get(&link) {
            Some(Whereabouts::At(worker, connection)) => Some((*worker, *connection)),
            _ => None,
        }
    }

    fn forget(&mut self, link: LinkId) {
        if let Some(Whereabouts::At(worker, connection)) = self.links.remove(&link) {
            self.names.remove(&(worker, connection));
        }
    }
}
