//! `tertulia host`: a user agent that is itself a focus (RFC 7701 §4, RFC 4353 §5.4.1).
//!
//! A node with one room in the process, and its owner in the room by way of loopback, as `tertulia chat` is. The owner's address of record
//! leads to the room where a registrar is named. The room has a URI of its own, the Contact of whatever it says: the address of record goes
//! on to mean the owner, so that what is said to her in private stays private.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use client::{Agent, Join};
use focus::room::Address;
use focus::settings::{Invitations, Network, Owner, Registration, Settings};
use focus::signalling::News;
use focus::sip::auth::Credentials;
use focus::sip::typed::Uri;
use focus::sip::{Destination, Transport};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};

use crate::capacity::Capacity;
use crate::chat::{INTERRUPTED, Interrupts, Passwords, Place, Session, password};
use crate::clerk::{self, Errand};
use crate::config::{self, Advertise, Config, Create, Listener, Protocol, Service};
use crate::link::dial::{USER_AGENT, address, generators, host_port, wall_clock};
use crate::link::{Link, Server};
use crate::listen::Sockets;
use crate::settings;
use crate::shell::{self, Setup};

mod hosting;
mod words;

pub(crate) use hosting::{HELP, Heeded, Hosting, told};
use words::show;

/// For how long the address of record is registered at a time.
const EXPIRES: Duration = Duration::from_secs(600);

/// How many ports are tried.
const PORTS: u32 = 16;

/// Be a room: register, call people together, and talk with them.
#[derive(Debug, Args)]
pub(crate) struct Host {
    /// Who you are, for example sip:alice@example.com; who calls that comes into your room
    #[arg(long = "as", value_name = "URI")]
    identity: String,
    /// The registrar and proxy of your provider; without it nobody is told where you are
    #[arg(long, value_name = "HOST[:PORT]")]
    server: Option<String>,
    /// How it is spoken to
    #[arg(long, default_value = "udp")]
    transport: Over,
    /// Do not register
    #[arg(long)]
    local: bool,
    /// The name to log in with, if it is not the user part of your URI
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A file whose first line is the password; else the variable TERTULIA_PASSWORD is taken
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The realm that the password is for, if it is not the domain of your URI; no other realm gets to see anything of it
    #[arg(long, value_name = "NAME")]
    realm: Option<String>,
    /// The nickname to take
    #[arg(long, value_name = "NAME")]
    nick: Option<String>,
    /// Show what is said and nothing of who comes and goes, and everybody by the address: for scripts
    #[arg(long)]
    quiet: bool,
    /// Call somebody into the room
    #[arg(long, value_name = "URI")]
    invite: Vec<String>,
    /// What the room is about
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// The address, or address and port, to be called at; else the one by which the server is reached, or loopback
    #[arg(long, value_name = "ADDRESS", value_parser = listening)]
    listen: Option<SocketAddr>,
}

/// A transport to a registrar.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Over {
    Udp,
    Tcp,
}

fn listening(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|address| (address, 0).into());
    let place = address.or_else(|_| text.parse::<SocketAddr>()).ok().filter(|place| !place.ip().is_unspecified());
    place.ok_or_else(|| "an address of this machine is wanted, such as 192.0.2.7 or 192.0.2.7:5060".to_owned())
}

/// Hosts until the user leaves: then everybody gets a BYE, and the registration is taken back.
///
/// # Errors
/// What keeps it from starting; all else is told in lines and by the exit code.
pub(crate) fn run(args: Host) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, host(args))
}

async fn host(args: Host) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::new()?;
    let plan = Plan::of(&args).await?;
    let (config, sockets) = plan.sockets(&args)?;
    let settings = Arc::new(plan.settings(&config, &sockets));
    let (errands, mut asked) = clerk::errands();
    let setup = Setup {
        settings: settings.clone(),
        accounts: Default::default(),
        rooms: Vec::new(),
        errands,
        tls: None,
        capacity: Capacity::of_this_process(),
    };
    let focus = shell::start(setup, sockets)?;
    let (line, (end, ended)) = (focus.line(), oneshot::channel::<()>());
    let node = spawn_local(focus.run(async move { drop(ended.await) }));
    let outcome = match plan.registered(&mut asked, &mut interrupts).await {
        Some(code) => Ok(code),
        None => {
            let hosting = Hosting::new(line, plan.room.clone(), plan.domain(), plan.invited.clone(), asked);
            plan.talk(args, &settings, hosting).await
        }
    };
    let _ = end.send(());
    node.await?;
    outcome
}

/// What is to be, from what was typed.
struct Plan {
    identity: Uri,
    credentials: Option<Credentials>,
    /// The user part of the room's URI.
    room: String,
    /// The registrar and proxy.
    server: Option<(Server, SocketAddr)>,
    /// All its addresses: it may call from another one than it is called at.
    around: Vec<IpAddr>,
    registers: bool,
    /// Those who are to be called.
    invited: Vec<Uri>,
    listen: SocketAddr,
}

impl Plan {
    async fn of(args: &Host) -> anyhow::Result<Self> {
        let identity = address("--as", &args.identity)?;
        let (user, host) = (identity.user().unwrap_or_default().to_owned(), identity.host().unwrap_or_default());
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        // Neither a password nor a port nor a parameter is part of an address of record.
        let identity = Uri::parse(&format!("sip:{user}@{host}"))?;
        if !identity.as_str().eq_ignore_ascii_case(&args.identity) {
            bail!("--as: an address of record is wanted, such as {identity}");
        }
        let invited = args.invite.iter().map(|text| address("--invite", text)).collect::<Result<_, _>>()?;
        let (server, around) = match &args.server {
            Some(text) => {
                let (server, remote, around) = find(text, args.transport).await?;
                (Some((server, remote)), around)
            }
            None => (None, Vec::new()),
        };
        let local = match (&server, args.listen) {
            (_, Some(listen)) => listen,
            (Some((_, remote)), None) => (address_towards(*remote)?, 0).into(),
            (None, None) => (Ipv4Addr::LOCALHOST, 0).into(),
        };
        let realm = args.realm.clone().or_else(|| identity.host()).unwrap_or_default();
        let password = password(args.password_file.as_deref(), "TERTULIA_PASSWORD")?;
        let name = args.user.clone().unwrap_or_else(|| user.clone());
        let credentials = password.map(|password| Credentials::new(name, password).for_realm(realm));
        let registers = server.is_some() && !args.local;
        Ok(Self {
            identity,
            credentials,
            room: format!("{user}-room"),
            server,
            around,
            registers,
            invited,
            listen: local,
        })
    }

    /// The host of the user's own URI.
    fn domain(&self) -> String {
        self.identity.host().unwrap_or_default()
    }

    /// The sockets, those of SIP at one port for both transports: the room has one URI, by whichever it is called.
    fn sockets(&self, args: &Host) -> anyhow::Result<(Config, Sockets)> {
        let given = self.listen.port();
        let mut tries = if given == 0 { PORTS } else { 1 };
        loop {
            tries -= 1;
            let port = if given == 0 { free_port(self.listen.ip())? } else { given };
            let config = self.config(args, port)?;
            match Sockets::bind(&config, 1) {
                // Somebody else has taken it meanwhile, or has it for the other transport.
                Err(_) if tries > 0 => {}
                bound => return Ok((config, bound?)),
            }
        }
    }

    /// One room, on one address, over UDP and TCP.
    fn config(&self, args: &Host, port: u16) -> anyhow::Result<Config> {
        let own = Address::parse(self.identity.as_str()).context("--as")?;
        let mut config = Config::embedded();
        let listener = |protocol, port| Listener { protocol, address: (self.listen.ip(), port).into() };
        let service = |listen| Service { listen, advertise: Advertise::Listening };
        let first = match args.transport {
            Over::Udp => [Protocol::Udp, Protocol::Tcp],
            Over::Tcp => [Protocol::Tcp, Protocol::Udp],
        };
        config.domain = config::literal(self.listen.ip());
        config.sip = service(first.map(|protocol| listener(protocol, port)).to_vec());
        config.msrp = service(vec![listener(Protocol::Tcp, 0)]);
        config.http = Vec::new();
        config.create = Create::Nobody;
        for room in &mut config.rooms {
            room.name.clone_from(&self.room);
            room.subject.clone_from(&args.subject);
            room.moderators = vec![own.clone()];
            room.policy.invitations = Invitations::Moderators;
        }
        if !self.listen.ip().is_loopback() {
            config.outbound = config::network::without_this_machine(&Network::EVERYWHERE);
        }
        Ok(config)
    }

    fn settings(&self, config: &Config, sockets: &Sockets) -> Settings {
        let mut settings = settings::settings(config, &sockets.sip_bound, &sockets.msrp_bound, 1);
        // What is not addressed to this very address is for others, whatever the provider's domain is called.
        settings.hosts = Vec::new();
        let alone = |address: IpAddr| Network { address, prefix: if address.is_ipv4() { 32 } else { 128 } };
        // Who calls from this machine by its own address has that for a source.
        let around = self.around.iter().copied().chain([self.listen.ip()]);
        let loopback = config::network::LOOPBACK.into_iter();
        settings.peers = Some(loopback.chain(around.map(alone)).collect());
        let registration = self.server.as_ref().filter(|_| self.registers).map(|(server, remote)| Registration {
            registrar: Destination::address(server.transport, *remote),
            room: self.room.clone(),
            expires: EXPIRES,
        });
        settings.outbound_proxy = self.server.as_ref().and_then(|(server, remote)| {
            let transport = server.transport.via_token().to_ascii_lowercase();
            Uri::parse(&format!("sip:{remote};transport={transport}")).ok()
        });
        settings.owner =
            Some(Owner { uri: self.identity.clone(), credentials: self.credentials.clone(), registration });
        settings
    }

    /// Waits until the address of record leads here, where it is to; else the exit code.
    async fn registered(&self, asked: &mut mpsc::Receiver<Errand>, interrupts: &mut Interrupts) -> Option<ExitCode> {
        let (server, _) = self.server.as_ref().filter(|_| self.registers)?;
        loop {
            let errand = tokio::select! {
                biased;
                Some(()) = interrupts.recv() => return Some(ExitCode::from(INTERRUPTED)),
                errand = asked.recv() => errand?,
            };
            match errand {
                Errand::Tell(News::Registered) => {
                    show(&words::registered(self.identity.as_str()));
                    return None;
                }
                Errand::Tell(News::NotRegistered { code, realm }) => {
                    let has_password = self.credentials.is_some();
                    show(&words::not_registered(self.identity.as_str(), server, code, realm.as_deref(), has_password));
                    return Some(ExitCode::FAILURE);
                }
                _ => {}
            }
        }
    }

    /// The user's own time in the room.
    async fn talk(&self, args: Host, settings: &Settings, hosting: Hosting) -> anyhow::Result<ExitCode> {
        let place = settings.sip.iter().find(|place| place.transport == Transport::Tcp);
        let port = place.context("there is no place to call the room at")?.port;
        let host = config::literal(self.listen.ip());
        let room = format!("sip:{}@{host}:{port};transport=tcp", self.room);
        show(&format!("* your room is {room}"));
        let server = Server { host: self.listen.ip().to_string(), port, transport: Transport::Tcp, name: host };
        let config =
            client::Config { user_agent: USER_AGENT.to_owned(), wall_clock: Some(wall_clock()), ..Default::default() };
        let mut link = Link::open(Agent::new(config, generators()?), &server, crate::link::dial::no_tls()?).await?;
        let mut join = Join::new(&room, self.identity.as_str(), link.destination()?, server.transport, link.local());
        join.roster = !args.quiet;
        link.agent().join(Instant::now(), join)?;
        let place = Place { room, domain: self.domain(), identity: self.identity.clone(), server };
        let has_passwords = Passwords { own: false, room: false };
        Session::new(link, place, args.nick, has_passwords, Some(hosting)).run().await
    }
}

/// Where the registrar is: the address that is taken, and all that it has.
async fn find(text: &str, over: Over) -> anyhow::Result<(Server, SocketAddr, Vec<IpAddr>)> {
    let transport = match over {
        Over::Udp => Transport::Udp,
        Over::Tcp => Transport::Tcp,
    };
    let (host, port) = host_port(text, transport.default_port())?;
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((host.as_str(), port)).await {
        Ok(found) => found.collect(),
        Err(error) => bail!("--server: {host} is not found: {error}"),
    };
    // Nothing tells whether a datagram gets through: of several addresses an IPv4 one is taken.
    let remote = found.iter().find(|address| address.is_ipv4()).or(found.first());
    let remote = *remote.with_context(|| format!("--server: {host} has no address"))?;
    let around = found.iter().map(SocketAddr::ip).collect();
    Ok((Server { name: host.clone(), host, port, transport }, remote, around))
}

/// A port that nobody has for UDP.
fn free_port(address: IpAddr) -> anyhow::Result<u16> {
    let socket = std::net::UdpSocket::bind((address, 0)).with_context(|| format!("cannot listen on {address}"))?;
    Ok(socket.local_addr()?.port())
}

/// The address of this machine by which another one is reached. Nothing is sent.
fn address_towards(remote: SocketAddr) -> anyhow::Result<IpAddr> {
    let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 8], 0).into() };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.connect(remote).with_context(|| format!("there is no way to {remote}"))?;
    Ok(socket.local_addr()?.ip())
}
