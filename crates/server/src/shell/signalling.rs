//! The loop of signalling, on the thread that started the node.
//!
//! Each SIP socket has a task that reads it; all that they read comes through one bounded channel to the one owner of all SIP.
//! The owner waits for nobody: datagrams that the kernel does not take are lost, as datagrams are, and connections have outboxes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use focus::desk::{self, Command, DeskId};
use focus::signalling::{Account, Answer, Input, Output, Question, QuestionId};
use focus::sip::{self, ConnectionId, Hop, Transport};
use focus::{Place, Signalling};
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::sleep_until;

use super::Setup;
use super::mailbox::{Item, Outgoing, Post};
use super::outbox::Outbox;
use super::resolver::Resolver;
use super::stream::{self, Common};
use crate::capacity::Capacity;
use crate::clerk::Errand;
use crate::listen;

/// Events of sockets that may wait for signalling, each of at most one datagram or one read.
const EVENTS: usize = 64;
/// Events taken before anything else is looked at.
const BUDGET: usize = 64;
/// How long connections may take for their last octets once all dialogs are over.
const FAREWELL: Duration = Duration::from_secs(1);

/// What signalling's tasks have brought.
pub(crate) enum Event {
    /// Something of a socket.
    Sip(sip::Input),
    /// A connection that somebody has opened to us, or that is there now as asked for.
    Opened(sip::Input, Rc<Outbox>),
    /// What the world says.
    Answer(QuestionId, Answer),
    /// What the clerk wants of the rooms, and where the answer goes.
    Order(Command, oneshot::Sender<desk::Answer>),
    /// Who logs in by a name from now on, and who waits for it to be so.
    Account(String, Option<Account>, oneshot::Sender<()>),
}

/// The clerk's way to signalling.
pub(crate) struct Line {
    pub(crate) events: mpsc::Sender<Event>,
}

impl Line {
    /// Has a command carried out. Nothing: signalling has ended.
    pub(crate) async fn order(&self, command: Command) -> Option<desk::Answer> {
        let (tell, told) = oneshot::channel();
        self.events.send(Event::Order(command, tell)).await.ok()?;
        told.await.ok()
    }

    /// Lets somebody log in by a name, or nobody.
    pub(crate) async fn account(&self, user: &str, account: Option<Account>) {
        let (tell, told) = oneshot::channel();
        if self.events.send(Event::Account(user.to_owned(), account, tell)).await.is_ok() {
            let _ = told.await;
        }
    }
}

/// Signalling and its sockets.
pub(crate) struct Focus {
    core: Signalling,
    accounts: BTreeMap<String, Account>,
    orders: BTreeMap<DeskId, oneshot::Sender<desk::Answer>>,
    ordered: u64,
    errands: mpsc::Sender<Errand>,
    resolver: Resolver,
    datagrams: Vec<(SocketAddr, Rc<UdpSocket>)>,
    outboxes: HashMap<ConnectionId, Rc<Outbox>>,
    common: Common,
    capacity: Capacity,
    events: Receiver<Event>,
    post: Arc<Post>,
    mail: VecDeque<Item>,
    outgoing: Outgoing,
    /// All dialogs are over; until then connections may be written to.
    ends_at: Option<Instant>,
}

impl Focus {
    pub(super) fn start(
        core: Signalling,
        setup: Setup,
        datagrams: Vec<std::net::UdpSocket>,
        listeners: Vec<listen::Stream>,
        post: Arc<Post>,
    ) -> io::Result<Self> {
        let (sender, events) = mpsc::channel(EVENTS);
        let mut focus = Self {
            core,
            accounts: setup.accounts,
            orders: BTreeMap::new(),
            ordered: 0,
            errands: setup.errands,
            resolver: Resolver::of_the_system().map_err(io::Error::other)?,
            datagrams: Vec::new(),
            outboxes: HashMap::new(),
            common: Common::new(sender),
            capacity: setup.capacity,
            events,
            mail: VecDeque::new(),
            outgoing: Outgoing::new(post.clone()),
            post,
            ends_at: None,
        };
        for socket in datagrams {
            let local = socket.local_addr()?;
            let socket = Rc::new(UdpSocket::from_std(socket)?);
            spawn_local(receive(socket.clone(), local, focus.common.clone()));
            focus.datagrams.push((local, socket));
        }
        let ids = Rc::new(std::cell::Cell::new(0));
        for listener in listeners {
            let tls = setup.tls.clone().filter(|_| listener.secure);
            let socket = TcpListener::from_std(listener.socket)?;
            spawn_local(accept(socket, tls, ids.clone(), focus.capacity.clone(), focus.common.clone()));
        }
        for command in setup.rooms {
            focus.order(Instant::now(), command);
        }
        focus.perform(Instant::now());
        Ok(focus)
    }

    /// A way here for the clerk.
    pub(crate) fn line(&self) -> Line {
        Line { events: self.common.events.clone() }
    }

    /// Serves until `stop` is through, then ends every dialog and returns. Takes 5 s at most from there.
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut stopping = false;
        while !self.is_over() {
            let wake = self.next_timeout();
            let reads = !self.post.is_crowded();
            let post = self.post.clone();
            tokio::select! {
                biased;
                () = &mut stop, if !stopping => {
                    stopping = true;
                    self.core.handle_input(Instant::now(), Input::ShutDown);
                }
                () = post.signalling_rung() => self.read_mail(Instant::now()),
                () = sleep_until(wake.into()) => self.core.handle_timeout(Instant::now()),
                Some(event) = self.events.recv(), if reads => self.heed(Instant::now(), event),
            }
            self.perform(Instant::now());
        }
    }

    fn is_over(&self) -> bool {
        self.ends_at.is_some_and(|at| self.outboxes.is_empty() || at <= Instant::now())
    }

    fn next_timeout(&self) -> Instant {
        let day = Instant::now() + Duration::from_secs(24 * 3600);
        [self.core.poll_timeout(), self.ends_at].into_iter().flatten().min().unwrap_or(day)
    }

    fn read_mail(&mut self, now: Instant) {
        let mut mail = std::mem::take(&mut self.mail);
        self.post.take(Place::Signalling, &mut mail);
        for item in mail.drain(..) {
            if let Item::Letter(letter) = item {
                self.core.handle_input(now, Input::Mail(letter));
            }
        }
        self.mail = mail;
    }

    /// An event, and those that wait behind it.
    fn heed(&mut self, now: Instant, first: Event) {
        self.take_in(now, first);
        for _ in 1..BUDGET {
            let Ok(event) = self.events.try_recv() else { break };
            self.take_in(now, event);
        }
    }

    fn take_in(&mut self, now: Instant, event: Event) {
        let input = match event {
            Event::Sip(input) => {
                if let sip::Input::Closed { connection } = &input {
                    self.outboxes.remove(connection);
                }
                Input::Sip(input)
            }
            Event::Opened(input, outbox) => {
                if let sip::Input::Opened { connection, .. } = &input {
                    self.outboxes.insert(*connection, outbox);
                }
                Input::Sip(input)
            }
            Event::Answer(id, answer) => Input::Answer { id, answer },
            Event::Order(command, tell) => {
                let id = self.order(now, command);
                self.orders.insert(id, tell);
                return;
            }
            Event::Account(user, account, tell) => {
                match account {
                    Some(account) => drop(self.accounts.insert(user, account)),
                    None => drop(self.accounts.remove(&user)),
                }
                let _ = tell.send(());
                return;
            }
        };
        self.core.handle_input(now, input);
    }

    fn order(&mut self, now: Instant, command: Command) -> DeskId {
        self.ordered += 1;
        let id = DeskId(self.ordered);
        self.core.handle_input(now, Input::Desk { id, command });
        id
    }

    /// Does what signalling wants.
    fn perform(&mut self, now: Instant) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Transmit { hop, octets } => self.transmit(hop, octets),
                Output::Connect { connection, transport, remote, server_name: _ } => {
                    self.connect(now, connection, transport, remote);
                }
                Output::Close { connection } => {
                    if let Some(outbox) = self.outboxes.get(&connection) {
                        outbox.close();
                    }
                }
                Output::Mail { to, mail } => self.outgoing.add(to, Item::Letter(mail)),
                Output::Ask { id, question } => self.ask(now, id, question),
                Output::Desk { id, answer } => {
                    if let Some(tell) = self.orders.remove(&id) {
                        let _ = tell.send(answer);
                    }
                }
                Output::Lasting { room } => {
                    let errands = self.errands.clone();
                    spawn_local(async move { errands.send(Errand::Keep(room)).await });
                }
                Output::Gone { room } => {
                    let errands = self.errands.clone();
                    spawn_local(async move { errands.send(Errand::Forget(room)).await });
                }
                Output::Finished => {
                    self.ends_at = Some(now + FAREWELL);
                    self.outboxes.values().for_each(|outbox| outbox.close());
                }
            }
        }
        self.outgoing.post();
    }

    fn transmit(&self, hop: Hop, octets: Vec<u8>) {
        match hop {
            Hop::Connection(connection) => {
                if let Some(outbox) = self.outboxes.get(&connection) {
                    outbox.push(octets);
                }
            }
            Hop::Datagram { local, remote } => {
                let fits = |(address, _): &&(SocketAddr, _)| match local {
                    Some(local) => *address == local,
                    None => address.is_ipv4() == remote.is_ipv4(),
                };
                let Some((_, socket)) = self.datagrams.iter().find(fits) else { return };
                // Straight to the kernel: tokio would hold the first back until it has heard that the socket is writable.
                if let Err(error) = SockRef::from(socket.as_ref()).send_to(&octets, &remote.into()) {
                    tracing::debug!(%error, "a datagram was not sent");
                }
            }
        }
    }

    /// Opens a connection. TLS is refused: there is no key yet to say whose certificates are to be trusted, and a connection
    /// to whoever answers would be worse than none.
    fn connect(&mut self, now: Instant, id: ConnectionId, transport: Transport, remote: SocketAddr) {
        match self.capacity.enter().filter(|_| transport == Transport::Tcp) {
            Some(pass) => {
                let outbox = Rc::new(Outbox::default());
                self.outboxes.insert(id, outbox.clone());
                spawn_local(stream::requested(id, remote, pass, outbox, self.common.clone()));
            }
            None => {
                tracing::info!(?transport, "a connection to a peer was not opened");
                self.core.handle_input(now, Input::Sip(sip::Input::Closed { connection: id }));
            }
        }
    }

    fn ask(&mut self, now: Instant, id: QuestionId, question: Question) {
        match question {
            Question::Account { user } => {
                let answer = Answer::Account(self.accounts.get(&user).cloned());
                self.core.handle_input(now, Input::Answer { id, answer });
            }
            Question::Addresses { .. } | Question::Services { .. } | Question::Servers { .. } => {
                spawn_local(look_up(id, question, self.resolver.clone(), self.common.clone()));
            }
        }
    }
}

/// Asks the DNS.
async fn look_up(id: QuestionId, question: Question, resolver: Resolver, common: Common) {
    let answer = resolver.ask(question).await;
    // Once signalling is gone nobody waits for the answer.
    let _ = common.events.send(Event::Answer(id, answer)).await;
}

/// Accepts the connections of one listener, for ever.
async fn accept(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    ids: Rc<std::cell::Cell<u64>>,
    capacity: Capacity,
    common: Common,
) {
    loop {
        let accepted = listen::accept(&listener, &capacity).await;
        let id = ids.replace(ids.get() + 1);
        spawn_local(stream::accepted(ConnectionId(id), accepted, tls.clone(), common.clone()));
    }
}

/// Receives the datagrams of one socket, for ever.
async fn receive(socket: Rc<UdpSocket>, local: SocketAddr, common: Common) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((count, remote)) => {
                let octets = buffer.get(..count).unwrap_or_default().to_vec();
                let datagram = sip::Input::Datagram { local, remote, octets };
                if common.events.send(Event::Sip(datagram)).await.is_err() {
                    return;
                }
            }
            // Mostly what ICMP says of an earlier datagram, which concerns nobody else. Should the socket itself fail, this
            // must not become a busy loop.
            Err(error) => {
                tracing::debug!(%error, "no datagram was received");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}
