//! The options that say where a client's server is and whom it believes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use client::WallClock;
use client::sip::Transport;
use client::sip::typed::Uri;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng as _;
use rustls::ClientConfig;

use super::Server;
use super::trust::Trust;

/// What a client sends for its User-Agent.
pub(crate) const USER_AGENT: &str = concat!("tertulia/", env!("CARGO_PKG_VERSION"));

/// Where the server is.
#[derive(Debug, Args)]
pub(crate) struct Dial {
    /// Where the server is, if it is not at the host and port of the room's URI
    #[arg(long, value_name = "HOST[:PORT]")]
    server: Option<String>,
    /// How the server is spoken to; TLS covers what is said, too
    #[arg(long)]
    transport: Option<Over>,
    /// Believe the certificates in this PEM file, not those the system believes
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Believe any certificate, a self-signed one for example
    #[arg(long)]
    insecure: bool,
}

/// A transport of SIP.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Over {
    Udp,
    Tcp,
    Tls,
}

impl Dial {
    /// The server of a room: by RFC 3263 without the help of DNS, unless the options say otherwise.
    ///
    /// # Errors
    /// When an option or the room's URI cannot be used.
    pub(crate) fn server(&self, room: &Uri) -> anyhow::Result<Server> {
        let transport = match (self.transport, room.param("transport")) {
            (Some(Over::Udp), _) => Transport::Udp,
            (Some(Over::Tcp), _) => Transport::Tcp,
            (Some(Over::Tls), _) => Transport::Tls,
            (None, _) if room.is_sips() => Transport::Tls,
            (None, Some(token)) => match Transport::from_token(token) {
                Some(transport @ (Transport::Udp | Transport::Tcp | Transport::Tls)) => transport,
                _ => bail!("the room's URI asks for transport {token}; --transport takes udp, tcp or tls"),
            },
            (None, None) => Transport::Udp,
        };
        let name = room.host().unwrap_or_default();
        let (host, port) = match &self.server {
            Some(server) => host_port(server, transport.default_port())?,
            None => (name.clone(), room.port().unwrap_or_else(|| transport.default_port())),
        };
        Ok(Server { host, port, transport, name })
    }

    /// How certificates are judged.
    ///
    /// # Errors
    /// When the file of certificates cannot be used.
    pub(crate) fn tls(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let trust = match &self.ca {
            Some(file) => Trust::File(file),
            None if self.insecure => Trust::Anybody,
            None => Trust::System,
        };
        trust.config()
    }
}

/// A SIP address that was typed.
///
/// # Errors
/// When it is none; `what` names it.
pub(crate) fn address(what: &str, text: &str) -> anyhow::Result<Uri> {
    let example = "sip:somebody@chat.example.com";
    let uri = Uri::parse(text).ok().filter(|uri| uri.is_sip() && uri.user().is_some());
    uri.with_context(|| format!("{what}: {text:?} is no SIP address; one looks like {example}"))
}

/// For a client that goes nowhere by TLS.
///
/// # Errors
/// When there is no TLS at all.
pub(crate) fn no_tls() -> anyhow::Result<Arc<ClientConfig>> {
    Trust::Nobody.config()
}

/// A host and perhaps a port that were typed.
///
/// # Errors
/// When they are none.
pub(crate) fn host_port(text: &str, default: u16) -> anyhow::Result<(String, u16)> {
    let wrong = || format!("--server: {text:?} is no HOST or HOST:PORT");
    let uri = Uri::parse(&format!("sip:{text}")).ok().filter(|uri| uri.user().is_none());
    let uri = uri.with_context(wrong)?;
    Ok((uri.host().with_context(wrong)?, uri.port().unwrap_or(default)))
}

/// The time of the world, for an agent.
pub(crate) fn wall_clock() -> WallClock {
    let unix_seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    WallClock { at: Instant::now(), unix_seconds }
}

/// Generators for an agent, all from one seed of the system.
///
/// # Errors
/// When the system gives none.
pub(crate) fn generators() -> anyhow::Result<client::Generators> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the system gives no randomness")?;
    let mut source = ChaCha12Rng::from_seed(seed);
    Ok(Box::new(move || Box::new(ChaCha12Rng::from_rng(&mut source))))
}
