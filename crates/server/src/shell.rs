//! The shell around the cores: it moves octets and letters, keeps the time, and knows nothing of rooms.
//!
//! Signalling runs on the thread that starts the node, each worker on one of its own. Nothing is shared between them but the
//! mailboxes and the settings, which never change.

pub(crate) mod desk;
mod mailbox;
mod outbox;
mod porch;
mod resolver;
mod signalling;
mod stream;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use anyhow::Context as _;
use focus::desk::Command;
use focus::signalling::Account;
use focus::{Settings, Signalling, Worker, WorkerId};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use rustls::ServerConfig;
use tokio::sync::mpsc;

use crate::capacity::Capacity;
use crate::clerk::Errand;
use crate::listen::{Sockets, Stream};
use mailbox::{Bell, Post};
#[cfg(test)]
pub(crate) use signalling::Event;
pub(crate) use signalling::{Focus, Line};

/// What a node runs with.
pub(crate) struct Setup {
    pub(crate) settings: Arc<Settings>,
    pub(crate) accounts: BTreeMap<String, Account>,
    /// What makes the rooms be there that are kept.
    pub(crate) rooms: Vec<Command>,
    /// To the clerk.
    pub(crate) errands: mpsc::Sender<Errand>,
    /// Needed where a listener is secure.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) capacity: Capacity,
}

/// Starts the workers on threads of their own, and signalling on this one. To be called in a `LocalSet`.
///
/// # Errors
///
/// The system gives no threads, no chance or no polls.
pub(crate) fn start(setup: Setup, sockets: Sockets) -> anyhow::Result<Focus> {
    let mut starts = Vec::new();
    let mut bells = Vec::new();
    for _ in &sockets.msrp {
        let (start, bell) = worker::Start::new().context("cannot make a poll")?;
        starts.push(start);
        bells.push(bell);
    }
    let post = Post::new(Bell::Task(tokio::sync::Notify::new()), bells);
    for ((number, start), listeners) in (0..).zip(starts).zip(sockets.msrp) {
        start_worker(WorkerId(number), start, listeners, &setup, post.clone())?;
    }
    let core = Signalling::new(setup.settings.clone(), chance()?);
    Focus::start(core, setup, sockets.datagrams, sockets.sip, post).context("cannot serve SIP")
}

fn start_worker(
    id: WorkerId,
    start: worker::Start,
    listeners: Vec<Stream>,
    setup: &Setup,
    post: Arc<Post>,
) -> anyhow::Result<()> {
    let core = Worker::new(id, setup.settings.clone(), chance()?);
    let (tls, capacity) = (setup.tls.clone(), setup.capacity.clone());
    let run = move || {
        // However a worker ends, the rooms whose home it is are lost, and whoever watches the server must start it again.
        let _guard = EndsWithIt;
        let ended: io::Result<()> = start.run(id, core, listeners, tls, capacity, post);
        tracing::error!(?ended, "a worker has ended");
    };
    std::thread::Builder::new()
        .name(format!("worker {}", id.0))
        .spawn(run)
        .context("cannot start a worker's thread")?;
    Ok(())
}

/// Ends the process with the thread that holds it.
struct EndsWithIt;

impl Drop for EndsWithIt {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// The chance of one owner, from the system's.
fn chance() -> anyhow::Result<Box<dyn Rng + Send>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("the system has no chance to give: {error}"))?;
    Ok(Box::new(ChaCha12Rng::from_seed(seed)))
}
