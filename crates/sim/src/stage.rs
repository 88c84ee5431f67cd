//! A node among scripted peers: what they say and what they hear are octets, and time stands still unless it is moved.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use focus::desk::Standing;
use focus::node::{LinkId, Output as NodeOutput};
use focus::settings::{Auth, Create, Definition, Epoch, Media, RoomPolicy, Rooms, Settings, SipAddress};
use focus::signalling::{Account, Answer, Input, Output, Question};
use focus::worker::Wire;
use focus::{Node, Place};

use crate::rng;
use crate::script::{Captures, wire};

/// A peer that speaks SIP, over a connection or datagrams of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phone {
    address: SocketAddr,
    connection: Option<u64>,
}

impl Phone {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// How the world meets the node's questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum World {
    /// It answers at once.
    #[default]
    Answers,
    /// It cannot tell, and says so.
    Fails,
    /// It says nothing.
    IsSilent,
}

/// A node, its peers, and the time.
pub struct Stage {
    /// The node.
    pub node: Node,
    /// The time.
    pub now: Instant,
    /// Who can log in, by user name. In open mode it may be empty.
    pub accounts: BTreeMap<String, Account>,
    /// The addresses of hosts.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// The MSRP connections that the node wants to have, in order.
    pub dialed: Vec<(LinkId, SocketAddr, bool)>,
    /// Where the node wants to have SIP connections, in order.
    pub called: Vec<(sip::Transport, SocketAddr)>,
    wanted: VecDeque<(sip::ConnectionId, sip::Transport, SocketAddr)>,
    /// What is to go out on connections that are not there yet.
    queued: Vec<(sip::Hop, Vec<u8>)>,
    /// How questions are met.
    pub world: World,
    /// What the names in patterns stand for.
    pub captures: Captures,
    /// Whether the node has said that it is finished.
    pub finished: bool,
    /// The rooms that the node wants to be kept.
    pub lasting: Vec<String>,
    /// The rooms that the node wants to be kept no longer.
    pub gone: Vec<String>,
    desk: Vec<focus::desk::Answer>,
    phones: Vec<Phone>,
    heard: BTreeMap<Phone, VecDeque<Vec<u8>>>,
    links: BTreeMap<LinkId, Ear>,
}

/// What an MSRP peer has heard.
#[derive(Default)]
struct Ear {
    octets: Vec<u8>,
    closed: bool,
    /// How many octets it still takes; nothing: any number.
    room: Option<usize>,
}

/// Settings of a server for `chat.example.com` on addresses of the example domains, where everybody is believed.
///
/// The instant of its start is the argument, 2026-01-01T00:00:00Z.
#[must_use]
pub fn settings(now: Instant) -> Settings {
    let host = "chat.example.com".to_owned();
    Settings {
        domain: host.clone(),
        hosts: vec!["192.0.2.1".to_owned()],
        product: "tertulia".to_owned(),
        auth: Auth::Open,
        rooms: Rooms { create: Create::Users, defaults: RoomPolicy::default(), factory: None, permanent: Vec::new() },
        media: Media { tcp: Some((host.clone(), 2855)), tls: Some((host.clone(), 2856)) },
        sip: vec![SipAddress { transport: sip::Transport::Tcp, host, port: 5060 }],
        outbound: Vec::new(),
        trusted_peers: Vec::new(),
        outbound_proxy: None,
        max_message: 100 << 20,
        message_rate: None,
        join_rate: None,
        workers: 2,
        epoch: Epoch { instant: now, unix: Duration::from_secs(1_767_225_600) },
    }
}

/// A room that is always there.
#[must_use]
pub fn permanent(name: &str, mut policy: RoomPolicy) -> Definition {
    policy.room.delete_when = room::DeleteWhen::Never;
    Definition { name: name.to_owned(), subject: None, policy, standing: Standing::default() }
}

impl Stage {
    /// A stage with a node of these settings, whose epoch says what time it is.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::seeded(settings, 0)
    }

    /// The same with another chance.
    #[must_use]
    pub fn seeded(settings: Settings, seed: u64) -> Self {
        let now = settings.epoch.instant;
        let node = Node::new(&Arc::new(settings), rng::streams(seed));
        let mut stage = Self {
            node,
            now,
            accounts: BTreeMap::new(),
            hosts: BTreeMap::new(),
            dialed: Vec::new(),
            called: Vec::new(),
            wanted: VecDeque::new(),
            queued: Vec::new(),
            world: World::Answers,
            captures: Captures::default(),
            finished: false,
            lasting: Vec::new(),
            gone: Vec::new(),
            desk: Vec::new(),
            phones: Vec::new(),
            heard: BTreeMap::new(),
            links: BTreeMap::new(),
        };
        stage.settle();
        stage
    }

    /// A peer that calls over a TCP connection from an address of its own.
    pub fn phone(&mut self) -> Phone {
        let connection = self.phones.len() as u64;
        let phone = Phone { connection: Some(connection), ..self.new_phone() };
        let opened = sip::Input::Opened {
            connection: sip::ConnectionId(connection),
            transport: sip::Transport::Tcp,
            local: local(),
            remote: phone.address,
        };
        self.phones.push(phone);
        self.tell(Input::Sip(opened));
        phone
    }

    /// A peer that calls by datagrams from an address of its own.
    pub fn udp_phone(&mut self) -> Phone {
        let phone = self.new_phone();
        self.phones.push(phone);
        phone
    }

    /// The peer to which the node has wanted a SIP connection first, of those that are not there yet: now it is.
    ///
    /// # Panics
    /// When the node wants none.
    pub fn pick_up(&mut self) -> Phone {
        let (connection, transport, remote) = self.wanted.pop_front().expect("a connection is wanted");
        let phone = Phone { address: remote, connection: Some(connection.0) };
        self.phones.push(phone);
        for (hop, octets) in std::mem::take(&mut self.queued) {
            self.deliver(hop, octets);
        }
        self.tell(Input::Sip(sip::Input::Opened { connection, transport, local: local(), remote }));
        phone
    }

    fn new_phone(&self) -> Phone {
        let octet = 101 + (self.phones.len() % 100) as u8;
        Phone { address: ([192, 0, 2, octet], 5060).into(), connection: None }
    }

    /// A phone sends a message: a text as [`wire`] reads it, the names of the stage filled in.
    pub fn send(&mut self, phone: Phone, text: &str) {
        let octets = wire(&self.captures.fill(text)).into_bytes();
        self.send_octets(phone, octets);
    }

    /// A phone sends octets as they are.
    pub fn send_octets(&mut self, phone: Phone, octets: Vec<u8>) {
        self.send_unsettled(phone, octets);
        self.settle();
    }

    /// The same, without waiting for what comes of it: questions and letters are on their way.
    pub fn send_unsettled(&mut self, phone: Phone, octets: Vec<u8>) {
        let input = match phone.connection {
            Some(connection) => sip::Input::Received { connection: sip::ConnectionId(connection), octets },
            None => sip::Input::Datagram { local: local(), remote: phone.address, octets },
        };
        self.node.handle_signalling(self.now, Input::Sip(input));
    }

    /// The node's questions are met; letters stay where they are.
    pub fn answer_questions(&mut self) {
        self.perform();
    }

    /// The connection of a phone is gone.
    pub fn hang(&mut self, phone: Phone) {
        if let Some(connection) = phone.connection {
            self.tell(Input::Sip(sip::Input::Closed { connection: sip::ConnectionId(connection) }));
        }
    }

    /// The next message that a phone has got.
    ///
    /// # Panics
    /// When there is none.
    pub fn heard(&mut self, phone: Phone) -> String {
        let octets = self.heard.entry(phone).or_default().pop_front();
        String::from_utf8_lossy(&octets.expect("the phone has heard nothing")).into_owned()
    }

    /// Whether a phone has got nothing more.
    pub fn is_silent(&self, phone: Phone) -> bool {
        self.heard.get(&phone).is_none_or(VecDeque::is_empty)
    }

    /// The next message that a phone has got is this.
    ///
    /// # Panics
    /// When it is another.
    pub fn expect(&mut self, phone: Phone, pattern: &str) {
        let actual = self.heard(phone);
        self.captures.expect(&actual, pattern);
    }

    /// Tells signalling something.
    pub fn tell(&mut self, input: Input) {
        self.node.handle_signalling(self.now, input);
        self.settle();
    }

    /// An MSRP connection to the node.
    pub fn connect(&mut self, secure: bool) -> LinkId {
        let port = if secure { 2856 } else { 2855 };
        let remote = ([192, 0, 2, 101], 40_000 + self.links.len() as u16).into();
        let link = self.node.open(self.now, Wire { secure, local: ([192, 0, 2, 1], port).into(), remote });
        self.links.insert(link, Ear::default());
        self.settle();
        link
    }

    /// An MSRP connection that the node wanted is there.
    pub fn connected(&mut self, link: LinkId) {
        self.links.insert(link, Ear::default());
        self.node.connected(self.now, link, ([192, 0, 2, 1], 50_000).into());
        self.settle();
    }

    /// Octets on an MSRP connection: a text as [`wire`] reads it, the names of the stage filled in.
    pub fn say(&mut self, link: LinkId, text: &str) {
        let octets = wire(&self.captures.fill(text)).into_bytes();
        self.say_octets(link, &octets);
    }

    /// Octets on an MSRP connection as they are.
    pub fn say_octets(&mut self, link: LinkId, octets: &[u8]) {
        self.node.received(self.now, link, octets);
        self.settle();
    }

    /// The next frame on an MSRP connection.
    ///
    /// # Panics
    /// When there is none.
    pub fn frame(&mut self, link: LinkId) -> String {
        let frame = self.try_frame(link).unwrap_or_else(|| {
            let octets = self.links.get(&link).map(|ear| ear.octets.clone()).unwrap_or_default();
            panic!("no whole frame has come: {:?}", String::from_utf8_lossy(&octets))
        });
        String::from_utf8_lossy(&frame).into_owned()
    }

    /// The next frame on an MSRP connection, if one has come whole.
    pub fn try_frame(&mut self, link: LinkId) -> Option<Vec<u8>> {
        let octets = &mut self.links.get_mut(&link)?.octets;
        let length = frame_length(octets)?;
        Some(octets.drain(..length).collect())
    }

    /// The next frame on an MSRP connection is this.
    ///
    /// # Panics
    /// When it is another.
    pub fn expect_frame(&mut self, link: LinkId, pattern: &str) {
        let actual = self.frame(link);
        self.captures.expect(&actual, pattern);
    }

    /// What has come on an MSRP connection and was not yet taken, cut anywhere.
    #[must_use]
    pub fn pending(&self, link: LinkId) -> &[u8] {
        self.links.get(&link).map_or(&[], |ear| &ear.octets)
    }

    /// Whether an MSRP connection has been closed by the node.
    #[must_use]
    pub fn is_closed(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|ear| ear.closed)
    }

    /// The peer of an MSRP connection takes only so many octets more.
    pub fn stall(&mut self, link: LinkId, room: usize) {
        if let Some(ear) = self.links.get_mut(&link) {
            ear.room = Some(room);
        }
    }

    /// It takes any number again.
    pub fn unstall(&mut self, link: LinkId) {
        if let Some(ear) = self.links.get_mut(&link) {
            ear.room = None;
            self.node.writable(self.now, link);
            self.settle();
        }
    }

    /// The peer of an MSRP connection is gone.
    pub fn cut(&mut self, link: LinkId) {
        self.node.closed(self.now, link);
        self.settle();
    }

    /// Time passes, timer by timer.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.node.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.node.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// The operator says something; what it is answered, when all has happened that follows.
    ///
    /// # Panics
    /// Unless there is one answer.
    pub fn order(&mut self, command: focus::desk::Command) -> focus::desk::Answer {
        let id = focus::desk::DeskId(1);
        self.node.handle_signalling(self.now, Input::Desk { id, command });
        self.settle();
        assert_eq!(self.desk.len(), 1, "each command is answered once");
        self.desk.remove(0)
    }

    /// Lets everything happen that happens now.
    pub fn settle(&mut self) {
        loop {
            self.node.settle(self.now);
            let transmitted = self.transmit();
            let done = self.perform();
            if !transmitted && !done && self.node.with_mail().next().is_none() {
                return;
            }
        }
    }

    /// The same, with somebody who chooses each time which of so many owners reads a letter next.
    pub fn settle_by(&mut self, mut choose: impl FnMut(usize) -> usize) {
        loop {
            while self.transmit() | self.perform() {}
            let places: Vec<Place> = self.node.with_mail().collect();
            match places.get(choose_of(places.len(), &mut choose)) {
                Some(place) => self.node.step(self.now, *place),
                None => return,
            }
        }
    }

    fn transmit(&mut self) -> bool {
        let mut any = false;
        while let Some((link, octets)) = self.node.poll_transmit(self.now) {
            any = true;
            let ear = self.links.entry(link).or_default();
            let taken = ear.room.map_or(octets.len(), |room| room.min(octets.len()));
            ear.octets.extend_from_slice(&octets[..taken]);
            ear.room = ear.room.map(|room| room - taken);
            self.node.handle_transmitted(self.now, link, taken);
        }
        any
    }

    fn perform(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.node.poll_output() {
            any = true;
            match output {
                NodeOutput::Signalling(Output::Transmit { hop, octets }) => self.deliver(hop, octets),
                NodeOutput::Signalling(Output::Ask { id, question }) => {
                    let answer = match (self.world, question) {
                        (World::Answers, Question::Account { user }) => {
                            Answer::Account(self.accounts.get(&user).cloned())
                        }
                        (World::Answers, Question::Addresses { host }) => {
                            Answer::Addresses(self.hosts.get(&host).cloned().unwrap_or_default())
                        }
                        (World::Answers, Question::Services { .. }) => Answer::Services(Vec::new()),
                        (World::Answers, Question::Servers { .. }) => Answer::Servers(Vec::new()),
                        (World::Fails, _) => Answer::Unavailable,
                        (World::IsSilent, _) => continue,
                    };
                    self.node.handle_signalling(self.now, Input::Answer { id, answer });
                }
                NodeOutput::Signalling(Output::Connect { connection, transport, remote, .. }) => {
                    self.called.push((transport, remote));
                    self.wanted.push_back((connection, transport, remote));
                }
                NodeOutput::Signalling(Output::Finished) => self.finished = true,
                NodeOutput::Signalling(Output::Desk { answer, .. }) => self.desk.push(answer),
                NodeOutput::Signalling(Output::Lasting { room }) => self.lasting.push(room),
                NodeOutput::Signalling(Output::Gone { room }) => self.gone.push(room),
                NodeOutput::Signalling(_) | NodeOutput::Resume { .. } => {}
                NodeOutput::Connect { link, remote, secure } => self.dialed.push((link, remote, secure)),
                NodeOutput::Close { link } => self.links.entry(link).or_default().closed = true,
            }
        }
        any
    }

    fn deliver(&mut self, hop: sip::Hop, octets: Vec<u8>) {
        let phone = self.phones.iter().find(|phone| match hop {
            sip::Hop::Connection(id) => phone.connection == Some(id.0),
            sip::Hop::Datagram { remote, .. } => phone.connection.is_none() && phone.address == remote,
        });
        match (phone, hop) {
            (Some(phone), _) => self.heard.entry(*phone).or_default().push_back(octets),
            (None, sip::Hop::Connection(id)) if self.wanted.iter().any(|(wanted, ..)| *wanted == id) => {
                self.queued.push((hop, octets));
            }
            (None, _) => {}
        }
    }

    /// Owners that have mail: none, when all is settled.
    pub fn with_mail(&self) -> impl Iterator<Item = Place> {
        self.node.with_mail()
    }
}

fn choose_of(count: usize, choose: &mut impl FnMut(usize) -> usize) -> usize {
    if count > 1 { choose(count) } else { 0 }
}

fn local() -> SocketAddr {
    ([192, 0, 2, 1], 5060).into()
}

/// How long the frame is that stands whole at the front.
fn frame_length(octets: &[u8]) -> Option<usize> {
    let mut parser = msrp::parse::Parser::new(msrp::parse::Limits::default());
    let mut used = 0;
    loop {
        let (octets, event) = parser.next(octets.get(used..)?).expect("a peer can read what the node writes");
        used += octets;
        match event? {
            msrp::parse::Event::End(_) => return Some(used),
            msrp::parse::Event::Malformed { .. } => panic!("a peer can read what the node writes"),
            _ => {}
        }
    }
}
