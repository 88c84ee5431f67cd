//! Where a request goes: from a URI to transports and addresses (RFC 3263), by questions to the DNS that somebody else asks.
//!
//! [`Locator`] is one such search. It says what to ask next or what was found ([`Locator::step`]), and takes answers
//! ([`Locator::answered`]). It asks at most 24 questions and finds at most 16 candidates, whatever is answered.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use rand_core::Rng;

use crate::network::Network;
use crate::transport::{Destination, Transport};
use crate::typed::{Uri, Via};

/// The most questions of one search.
const MAX_QUERIES: usize = 24;
/// The most candidates of one search.
const MAX_CANDIDATES: usize = 16;
/// The most SRV records of one name that are followed.
const MAX_SERVERS: usize = 8;

/// What the searcher can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supported {
    /// The transports spoken, the preferred ones first.
    pub transports: Vec<Transport>,
    /// Where requests may go. Addresses elsewhere are passed over, names and literals alike.
    pub networks: Vec<Network>,
}

impl Default for Supported {
    /// UDP, TCP and TLS, to everywhere.
    fn default() -> Self {
        Self {
            transports: vec![Transport::Udp, Transport::Tcp, Transport::Tls],
            networks: Network::EVERYWHERE.to_vec(),
        }
    }
}

impl Supported {
    fn speaks(&self, transport: Transport) -> bool {
        self.transports.contains(&transport)
    }

    /// Whether requests may go to an address.
    #[must_use]
    pub fn reaches(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// A question to the DNS. Names are in lower case, without a dot at their end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    /// The NAPTR records of a domain.
    Services(String),
    /// The SRV records of a service's name.
    Servers(String),
    /// The A and AAAA records of a host.
    Addresses(String),
}

/// What the DNS says. Where there are no records, or the DNS does not say, it is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Query::Services`].
    Services(Vec<Naptr>),
    /// To [`Query::Servers`].
    Servers(Vec<Srv>),
    /// To [`Query::Addresses`], the best first.
    Addresses(Vec<IpAddr>),
}

/// A NAPTR record (RFC 3403 §4.1) without its regular expression, which RFC 3263 has no use for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones first.
    pub order: u16,
    /// Among those of one order, lower ones first.
    pub preference: u16,
    /// `s`: the replacement is the name of SRV records.
    pub flags: String,
    /// `SIP+D2U` and the like.
    pub services: String,
    /// The name to go on with.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones first.
    pub priority: u16,
    /// The share among those of one priority.
    pub weight: u16,
    /// The server's port.
    pub port: u16,
    /// The server's name; `.`: there is no such service.
    pub target: String,
}

/// A way that a request may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The transport.
    pub transport: Transport,
    /// The address.
    pub remote: SocketAddr,
    /// The name that the peer's certificate must show: that of the URI (RFC 5922 §4); `None`: the address itself, and
    /// where there is no TLS.
    pub server_name: Option<String>,
}

impl From<Candidate> for Destination {
    fn from(Candidate { transport, remote, server_name }: Candidate) -> Self {
        Self::Address { transport, remote, server_name }
    }
}

/// How far a search is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask this, and tell by [`Locator::answered`].
    Ask(Query),
    /// Found: to be tried in this order (§4.3). There is at least one.
    Candidates(Vec<Candidate>),
    /// There is no way.
    Failed(NoWay),
}

/// Why there is no way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// The URI is none of SIP.
    #[error("no URI of SIP")]
    Scheme,
    /// No transport that is spoken leads there; for `sips`: none under TLS.
    #[error("no transport that is spoken here")]
    Transport,
    /// The DNS knows no address.
    #[error("no address is known")]
    Unknown,
    /// There are addresses, but none where requests may go.
    #[error("no address that may be reached")]
    OutOfReach,
}

/// One search.
#[derive(Debug)]
pub struct Locator {
    supported: Supported,
    target: String,
    is_secure: bool,
    server_name: Option<String>,
    /// Services that may have SRV records, the best first.
    services: VecDeque<Service>,
    /// Servers whose addresses are wanted.
    servers: VecDeque<Server>,
    /// Where to go when no service has SRV records (§4.2).
    fallback: Option<Server>,
    found: Vec<Candidate>,
    queries: usize,
    saw_unreachable: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Services,
    Servers(Service),
    Addresses(Server),
    Found,
    Failed(NoWay),
}

#[derive(Debug)]
struct Service {
    transport: Transport,
    name: String,
}

#[derive(Debug)]
struct Server {
    transport: Transport,
    host: String,
    port: u16,
}

impl Locator {
    /// The search for where a request goes: `uri` is that of its first Route, else its Request-URI (§4).
    #[must_use]
    pub fn new(uri: &Uri, supported: &Supported) -> Self {
        let is_secure = uri.is_sips();
        let host = name_of(&uri.host().unwrap_or_default());
        let target = uri.param("maddr").filter(|maddr| !maddr.is_empty()).map_or_else(|| host.clone(), name_of);
        let mut locator = Self::blank(target, is_secure, supported);
        locator.server_name = uri.ip().is_none().then_some(host);
        if !uri.is_sip() {
            return locator.failed(NoWay::Scheme);
        }
        match uri
            .param("transport")
            .map(|token| Transport::from_token(token).and_then(|named| secured(named, is_secure)))
        {
            Some(Some(transport)) => locator.go_by(transport, uri.port()),
            Some(None) => locator.failed(NoWay::Transport),
            None => locator.choose(uri.port()),
        }
    }

    /// The search for where a response goes that can neither go back over the connection of its request nor to the address
    /// that the request came from (§5): by the sent-by of the top Via.
    #[must_use]
    pub fn for_sent_by(via: &Via<'_>, supported: &Supported) -> Self {
        let host = name_of(via.host.trim_matches(['[', ']']));
        let transport = Transport::from_token(via.transport);
        let mut locator = Self::blank(host.clone(), transport.is_some_and(Transport::is_secure), supported);
        locator.server_name = host.parse::<IpAddr>().is_err().then_some(host);
        match transport {
            Some(transport) => locator.go_by(transport, via.port),
            None => locator.failed(NoWay::Transport),
        }
    }

    /// What is to be done next. The same until [`Locator::answered`] is told what was asked for.
    #[must_use]
    pub fn step(&self) -> Step {
        match &self.stage {
            Stage::Services => Step::Ask(Query::Services(self.target.clone())),
            Stage::Servers(service) => Step::Ask(Query::Servers(service.name.clone())),
            Stage::Addresses(server) => Step::Ask(Query::Addresses(server.host.clone())),
            Stage::Found => Step::Candidates(self.found.clone()),
            Stage::Failed(why) => Step::Failed(*why),
        }
    }

    /// The answer to the question that [`Locator::step`] asks; one of another kind is taken for an empty one. `rng` draws the
    /// order of servers (RFC 2782).
    pub fn answered(&mut self, answer: Answer, rng: &mut dyn Rng) {
        self.queries += 1;
        match (std::mem::replace(&mut self.stage, Stage::Found), answer) {
            (Stage::Services, Answer::Services(records)) => self.take_services(records),
            (Stage::Services, _) => self.take_services(Vec::new()),
            (Stage::Servers(service), Answer::Servers(records)) => self.take_servers(&service, records, rng),
            (Stage::Addresses(server), Answer::Addresses(addresses)) => {
                addresses.into_iter().for_each(|address| self.find(&server, address));
            }
            (Stage::Servers(_) | Stage::Addresses(_), _) => {}
            (end @ (Stage::Found | Stage::Failed(_)), _) => return self.stage = end,
        }
        if !matches!(self.stage, Stage::Failed(_)) {
            self.advance();
        }
    }

    fn blank(target: String, is_secure: bool, supported: &Supported) -> Self {
        Self {
            supported: supported.clone(),
            target,
            is_secure,
            server_name: None,
            services: VecDeque::new(),
            servers: VecDeque::new(),
            fallback: None,
            found: Vec::new(),
            queries: 0,
            saw_unreachable: false,
            stage: Stage::Found,
        }
    }

    fn failed(mut self, why: NoWay) -> Self {
        self.stage = Stage::Failed(why);
        self
    }

    /// §4.1 where no transport is named: an address or a port settles it, else the domain is asked.
    fn choose(mut self, port: Option<u16>) -> Self {
        if self.target.parse::<IpAddr>().is_err() && port.is_none() {
            self.stage = Stage::Services;
            return self;
        }
        match self.default_transport() {
            Some(transport) => self.go_by(transport, port),
            None => self.failed(NoWay::Transport),
        }
    }

    /// §4.2 where the transport is settled before any question.
    fn go_by(mut self, transport: Transport, port: Option<u16>) -> Self {
        if !self.supported.speaks(transport) {
            return self.failed(NoWay::Transport);
        }
        let server = self.server(transport, port);
        if port.is_some() || self.target.parse::<IpAddr>().is_ok() {
            self.servers.push_back(server);
        } else {
            self.services.push_back(Service { transport, name: service_name(transport, &self.target) });
            self.fallback = Some(server);
        }
        self.advance();
        self
    }

    fn server(&self, transport: Transport, port: Option<u16>) -> Server {
        Server { transport, host: self.target.clone(), port: port.unwrap_or(transport.default_port()) }
    }

    /// UDP for `sip` and TLS for `sips`; TCP where no UDP is spoken.
    fn default_transport(&self) -> Option<Transport> {
        let choice: &[Transport] = if self.is_secure { &[Transport::Tls] } else { &[Transport::Udp, Transport::Tcp] };
        choice.iter().copied().find(|transport| self.supported.speaks(*transport))
    }

    /// §4.1: services by order and preference. A domain that names services of SIP, but none that fits, is out of reach; one that
    /// names none may still have SRV records.
    fn take_services(&mut self, mut records: Vec<Naptr>) {
        records.sort_by_key(|record| (record.order, record.preference));
        let of_sip: Vec<_> = records.iter().filter_map(|record| Some((service_of(record)?, record))).collect();
        let fits =
            |transport: &Transport| self.supported.speaks(*transport) && (!self.is_secure || transport.is_secure());
        let named = |(transport, record): &(Option<Transport>, &Naptr)| {
            let transport = transport.filter(fits)?;
            Some(Service { transport, name: name_of(&record.replacement) })
        };
        let services: VecDeque<Service> = of_sip.iter().filter_map(named).collect();
        if services.is_empty() && !of_sip.is_empty() {
            self.stage = Stage::Failed(NoWay::Transport);
            return;
        }
        let (services, transport) = match services.front().map(|first| first.transport) {
            Some(transport) => (services, Some(transport)),
            None => (self.guessed_services(), self.default_transport()),
        };
        self.fallback = transport.map(|transport| self.server(transport, None));
        self.services = services;
    }

    /// The services of every transport that is spoken, for a domain that names none.
    fn guessed_services(&self) -> VecDeque<Service> {
        let usual = [Transport::Udp, Transport::Tcp, Transport::Tls];
        let fits = |transport: &Transport| usual.contains(transport) && (!self.is_secure || transport.is_secure());
        let transports = self.supported.transports.iter().copied().filter(fits);
        transports.map(|transport| Service { transport, name: service_name(transport, &self.target) }).collect()
    }

    /// RFC 2782. Where there are records, the domain's own addresses do not count any more.
    fn take_servers(&mut self, service: &Service, records: Vec<Srv>, rng: &mut dyn Rng) {
        if !records.is_empty() {
            self.fallback = None;
        }
        let ordered = in_order(records, rng).into_iter().filter(|record| !name_of(&record.target).is_empty());
        self.servers.extend(ordered.take(MAX_SERVERS).map(|record| Server {
            transport: service.transport,
            host: name_of(&record.target),
            port: record.port,
        }));
    }

    fn find(&mut self, server: &Server, address: IpAddr) {
        let address = address.to_canonical();
        if !self.supported.reaches(address) {
            self.saw_unreachable = true;
        } else if self.found.len() < MAX_CANDIDATES {
            let server_name = self.server_name.clone().filter(|_| server.transport.is_secure());
            let remote = SocketAddr::new(address, server.port);
            let candidate = Candidate { transport: server.transport, remote, server_name };
            if !self.found.contains(&candidate) {
                self.found.push(candidate);
            }
        }
    }

    /// Goes on to the next question, or to the end.
    fn advance(&mut self) {
        while self.queries < MAX_QUERIES && self.found.len() < MAX_CANDIDATES {
            if let Some(server) = self.servers.pop_front() {
                match server.host.parse() {
                    Ok(address) => self.find(&server, address),
                    Err(_) => return self.stage = Stage::Addresses(server),
                }
            } else if !self.found.is_empty() {
                break;
            } else if let Some(service) = self.services.pop_front() {
                return self.stage = Stage::Servers(service);
            } else if let Some(server) = self.fallback.take() {
                self.servers.push_back(server);
            } else {
                break;
            }
        }
        self.stage = match (self.found.is_empty(), self.saw_unreachable) {
            (false, _) => Stage::Found,
            (true, true) => Stage::Failed(NoWay::OutOfReach),
            (true, false) => Stage::Failed(NoWay::Unknown),
        };
    }
}

/// The transport that a `transport` parameter means (RFC 3261 §19.1.2, §26.2.2): within `sips` TCP is TLS over TCP, and there is
/// no UDP.
fn secured(named: Transport, is_secure: bool) -> Option<Transport> {
    match named {
        _ if !is_secure => Some(named),
        Transport::Udp => None,
        Transport::Tcp | Transport::Tls => Some(Transport::Tls),
        Transport::Ws | Transport::Wss => Some(Transport::Wss),
    }
}

/// The name under which a service's SRV records stand.
fn service_name(transport: Transport, domain: &str) -> String {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Ws => "_sip._ws",
        Transport::Wss => "_sips._ws",
    };
    format!("{prefix}.{domain}")
}

/// The transport of a service of SIP (RFC 3263 §4.1, RFC 7118 §6); `None` within for one unknown here, and without for what is
/// none of SIP's.
fn service_of(record: &Naptr) -> Option<Option<Transport>> {
    let (protocol, resolution) = record.services.split_once('+')?;
    let is_secure = protocol.eq_ignore_ascii_case("SIPS");
    if !is_secure && !protocol.eq_ignore_ascii_case("SIP") || !record.flags.eq_ignore_ascii_case("s") {
        return None;
    }
    let named = match resolution.to_ascii_uppercase().as_str() {
        "D2U" => Some(Transport::Udp),
        "D2T" => Some(Transport::Tcp),
        "D2W" => Some(Transport::Ws),
        _ => None,
    };
    Some(named.and_then(|named| secured(named, is_secure)))
}

/// Servers in the order in which they are tried (RFC 2782): by priority, and among equals drawn by weight.
fn in_order(mut records: Vec<Srv>, rng: &mut dyn Rng) -> Vec<Srv> {
    // Those of weight 0 first, so that they are drawn but seldom.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len().min(MAX_SERVERS));
    while let Some(priority) = records.first().map(|record| record.priority) {
        // What will not be followed needs no place.
        if ordered.len() == MAX_SERVERS {
            break;
        }
        let equals = records.iter().take_while(|record| record.priority == priority);
        let total: u64 = equals.clone().map(|record| u64::from(record.weight)).sum();
        let drawn = rng.next_u64() % (total + 1);
        let mut sum = 0;
        let passed = equals.take_while(|record| {
            sum += u64::from(record.weight);
            sum < drawn
        });
        let at = passed.count();
        ordered.push(records.remove(at));
    }
    ordered
}

/// A name as it is asked for.
fn name_of(text: &str) -> String {
    text.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}
