//! `tertulia serve`: a node, from its configuration to its end.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use store::StoredRoom;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;

use crate::capacity::Capacity;
use crate::clerk::Clerk;
use crate::config::{Auth, Config, Listener, Problem, Protocol};
use crate::listen::Sockets;
use crate::shell::desk::Desk;
use crate::shell::{self, Setup};
use crate::{clerk, http, settings, storage, telemetry, tls};

/// What `serve` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration. Without one: loopback, everybody is believed, room `lobby`, data in ./tertulia-data.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The configuration cannot be carried out.
#[derive(Debug)]
pub(crate) struct Misconfigured {
    file: PathBuf,
    problems: Vec<Problem>,
}

impl std::error::Error for Misconfigured {}

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be carried out:", self.file.display())?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Serves until SIGTERM or SIGINT: then every participant gets a BYE, and it ends within 5 s. A second signal ends it at once.
///
/// # Errors
///
/// What keeps it from starting.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = match &arguments.config {
        Some(file) => read(file)?,
        None => Config::embedded(),
    };
    let _log = telemetry::begin()?;
    let workers = std::thread::available_parallelism().map_or(1, |count| u8::try_from(count.get()).unwrap_or(u8::MAX));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(&config, workers))
}

pub(crate) fn read(file: &Path) -> anyhow::Result<Config> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Config::parse(&text).map_err(|problems| Misconfigured { file: file.to_owned(), problems })?)
}

async fn serve(config: &Config, workers: u8) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let _claim = storage::claim(&config.data_dir)?;
    let store = storage::open(config).await?;
    let (rooms, users) = (clerk::possible(config, store.rooms().await?), store.users().await?);
    let desk = Desk::bind(&config.data_dir)?;
    let sockets = Sockets::bind(config, workers)?;
    let capacity = Capacity::of_this_process();
    let settings = settings::settings(config, &sockets.sip_bound, &sockets.msrp_bound, workers);
    let listeners = sockets.sip_bound.iter().chain(&sockets.msrp_bound);
    let tls = match listeners.into_iter().any(|listener| listener.protocol == Protocol::Tls) {
        true => Some(tls::server_config(config, &certified_names(&settings))?),
        false => None,
    };
    let welcome = welcome(config, &rooms, &settings, &sockets);
    for listener in sockets.http.iter().map(std::net::TcpListener::try_clone) {
        tokio::task::spawn_local(http::serve(listener?, capacity.clone()));
    }
    let (settings, (errands, asked)) = (Arc::new(settings), clerk::errands());
    let setup = Setup {
        settings: settings.clone(),
        accounts: clerk::accounts(config, &users),
        rooms: clerk::create_stored(config, &rooms),
        errands: errands.clone(),
        tls,
        capacity,
    };
    let focus = shell::start(setup, sockets)?;
    let clerk = Clerk { config: config.clone(), settings, store: store.clone(), line: focus.line() };
    tokio::task::spawn_local(clerk.work(asked));
    tokio::task::spawn_local(desk.serve(errands));
    // A reader that is gone, or a full disk behind it, is no reason not to serve.
    let _ = std::io::stdout().write_all(welcome.as_bytes());
    let stop = async move {
        signals.next().await;
        tracing::info!("ending: every participant is told");
        tokio::task::spawn_local(async move {
            signals.next().await;
            std::process::exit(1);
        });
    };
    focus.run(stop).await;
    store.close().await;
    tracing::info!("ended");
    Ok(())
}

/// What the self-signed certificate is for.
fn certified_names(settings: &focus::Settings) -> Vec<String> {
    let bare = |host: &String| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let media = [&settings.media.tcp, &settings.media.tls].into_iter().flatten().map(|(host, _)| host);
    let mut names: Vec<_> = [&settings.domain].into_iter().chain(&settings.hosts).chain(media).map(bare).collect();
    names.sort();
    names.dedup();
    names
}

/// How to get in: a line `listening SERVICE URL` for each listener with the port really got, then the rooms, then a command to type.
fn welcome(config: &Config, kept: &[StoredRoom], settings: &focus::Settings, sockets: &Sockets) -> String {
    let mut text = format!("{} serves {}\n", settings.product, config.domain);
    for (service, bound) in [("sip", &sockets.sip_bound), ("msrp", &sockets.msrp_bound), ("http", &sockets.http_bound)]
    {
        bound.iter().for_each(|listener| text.push_str(&format!("listening {service} {listener}\n")));
    }
    let configured = config.rooms.iter().map(|room| format!("sip:{}@{}", room.name, config.domain));
    let rooms: BTreeSet<_> = configured.chain(kept.iter().map(|room| room.uri.as_str().to_owned())).collect();
    rooms.iter().for_each(|room| text.push_str(&format!("room {room}\n")));
    let room = config.rooms.first().map_or("ROOM", |room| &room.name);
    let name = match &config.auth {
        Auth::Open => "NAME",
        Auth::Digest { .. } => config.users.first().map_or("NAME", |user| &user.name),
    };
    if let Some(listener) = sockets.sip_bound.first() {
        let place = place(listener, settings);
        text.push_str(&format!("enter by: tertulia chat \"sip:{room}@{place}\" --as sip:{name}@{}\n", config.domain));
    }
    text.push_str("ready\n");
    text
}

/// The address of a listener as a host part that leads a client of any kind there.
fn place(listener: &Listener, settings: &focus::Settings) -> String {
    let Some(address) = settings.sip.first() else { return listener.address.to_string() };
    let port =
        if address.port == address.transport.default_port() { String::new() } else { format!(":{}", address.port) };
    let transport = match address.transport {
        focus::sip::Transport::Udp => String::new(),
        other => format!(";transport={}", other.via_token().to_ascii_lowercase()),
    };
    format!("{}{port}{transport}", address.host)
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
