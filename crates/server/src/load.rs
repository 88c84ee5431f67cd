//! `tertulia load`: many participants in one room, some of whom talk, and what became of all that was said.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{interval, timeout_at};

use crate::capacity::Capacity;
use crate::desk::password::first_line;
use crate::link::dial::{Dial, address};
use participant::{Phase, Plan, Progress, participant};
use report::Report;
use tally::Tally;

mod participant;
mod report;
mod tally;

/// How often the progress is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Fill a room, talk, and check that everybody heard everything, once and in order.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The room, for example sip:lobby@chat.example.com
    room: String,
    /// How many join: sip:load-0@…, sip:load-1@…
    #[arg(long, short = 'n', default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    participants: u32,
    /// How many of them talk
    #[arg(long, short = 's', default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    senders: u32,
    /// How many messages they say together
    #[arg(long, short = 'm', default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    messages: u32,
    /// The octets of a message, or from how many to how many
    #[arg(long, default_value = "200", value_name = "N[-N]", value_parser = sizes)]
    size: (usize, usize),
    /// How many messages a second they say together; without, as fast as the window lets them
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// How many messages of one sender may wait for their answer
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    window: u32,
    /// How many join, or leave, at a time
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    joining: u32,
    /// How many threads take part
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
    /// After how many seconds without anything coming what is missing is lost
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    patience: u32,
    /// After how many seconds all of it ends
    #[arg(long, default_value_t = 600, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    deadline: u32,
    /// The domain of the participants, if it is not that of the room
    #[arg(long, value_name = "HOST")]
    domain: Option<String>,
    /// A file whose first line is the password of every participant
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file whose first line is the password of the room
    #[arg(long, value_name = "FILE")]
    room_password_file: Option<PathBuf>,
    /// Report in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    dial: Dial,
}

/// Runs the load and reports. The exit code is 0 if everybody joined and heard everything once and in order.
///
/// # Errors
/// What keeps it from starting.
pub(crate) fn run(args: &Load) -> anyhow::Result<ExitCode> {
    let threads = args.threads.min(args.participants);
    let plan = Arc::new(plan(args)?);
    let needed = args.participants.saturating_mul(2) as usize;
    let limit = Capacity::of_this_process().limit();
    ensure!(needed <= limit, "{needed} sockets are needed, and this process may open {limit}: raise `ulimit -n`");
    let began = Instant::now();
    let (phase, phases) = watch::channel(Phase::Joining);
    let progress = Arc::new(Progress::default());
    let joining = Arc::new(Semaphore::new(args.joining as usize));
    let workers: Vec<_> = (0..threads)
        .map(|nth| {
            let (plan, progress, phases) = (Arc::clone(&plan), Arc::clone(&progress), phases.clone());
            let joining = Arc::clone(&joining);
            std::thread::spawn(move || worker(nth, threads, &plan, &progress, &phases, &joining))
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let times = runtime.block_on(conduct(args, &progress, &phase, began));
    let mut tally = Tally::default();
    for worker in workers {
        match worker.join() {
            Ok(part) => tally.merge(part?),
            Err(_) => bail!("a thread failed"),
        }
    }
    let report = Report::of(args, &times, tally);
    let text = if args.json { serde_json::to_string(&report)? + "\n" } else { report.to_string() };
    std::io::stdout().write_all(text.as_bytes()).context("the report cannot be written")?;
    Ok(if report.all_is_well(args.messages) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn plan(args: &Load) -> anyhow::Result<Plan> {
    let room = address("room", &args.room)?;
    ensure!(args.senders <= args.participants, "there are more senders than participants");
    let password = |file: &Option<PathBuf>| file.as_deref().map(first_line).transpose();
    let mut run = [0; 4];
    getrandom::fill(&mut run).context("the system gives no randomness")?;
    Ok(Plan {
        room: args.room.clone(),
        domain: args.domain.clone().or(room.host()).unwrap_or_default(),
        server: args.dial.server(&room)?,
        tls: args.dial.tls()?,
        password: password(&args.password_file)?,
        room_password: password(&args.room_password_file)?,
        participants: args.participants,
        senders: args.senders,
        messages: args.messages,
        sizes: args.size,
        interval: args.rate.map(|rate| Duration::from_secs_f64(f64::from(args.senders) / rate)),
        window: args.window,
        run: u32::from_le_bytes(run),
        began: Instant::now(),
    })
}

/// One thread's participants: every so-many-th.
fn worker(
    nth: u32,
    threads: u32,
    plan: &Arc<Plan>,
    progress: &Arc<Progress>,
    phases: &watch::Receiver<Phase>,
    joining: &Arc<Semaphore>,
) -> anyhow::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let mut people = JoinSet::new();
    for number in (nth..plan.participants).step_by(threads as usize) {
        let (plan, progress, joining) = (Arc::clone(plan), Arc::clone(progress), Arc::clone(joining));
        people.spawn_local_on(participant(number, plan, progress, phases.clone(), joining), &local);
    }
    Ok(local.block_on(&runtime, async {
        let mut tally = Tally::default();
        while let Some(part) = people.join_next().await {
            tally.merge(part.unwrap_or_else(|_| Tally::absent("a participant's task failed".to_owned())));
        }
        tally
    }))
}

/// How long each part took.
#[derive(Debug, Default)]
struct Times {
    joining: Duration,
    talking: Duration,
    leaving: Duration,
}

/// Lets everybody join, then talk, then leave.
async fn conduct(args: &Load, progress: &Progress, phase: &watch::Sender<Phase>, began: Instant) -> Times {
    let deadline = tokio::time::Instant::from_std(began + Duration::from_secs(u64::from(args.deadline)));
    let people = u64::from(args.participants);
    let patience = Duration::from_secs(u64::from(args.patience));
    let settled = |progress: &Progress| {
        progress.joined.load(Ordering::Relaxed) + progress.absent.load(Ordering::Relaxed) >= people
    };
    let _ = timeout_at(deadline, until(progress, patience.max(Duration::from_secs(40)), settled)).await;
    let mut times = Times { joining: began.elapsed(), ..Times::default() };

    let started = Instant::now();
    let hearers = progress.joined.load(Ordering::Relaxed).saturating_sub(1);
    let silent = |progress: &Progress| {
        let finished = progress.talked.load(Ordering::Relaxed) >= progress.talkers.load(Ordering::Relaxed);
        finished && progress.heard.load(Ordering::Relaxed) >= progress.taken.load(Ordering::Relaxed) * hearers
    };
    let _ = phase.send(Phase::Talking);
    let _ = timeout_at(deadline, until(progress, patience, silent)).await;
    times.talking = started.elapsed();

    let started = Instant::now();
    let _ = phase.send(Phase::Leaving);
    let _ = timeout_at(deadline, until(progress, patience, |progress| progress.gone.load(Ordering::Relaxed) >= people))
        .await;
    let _ = phase.send(Phase::Over);
    times.leaving = started.elapsed();
    times
}

/// Waits until it is so, or nothing has moved for that long.
async fn until(progress: &Progress, patience: Duration, is_so: impl Fn(&Progress) -> bool) {
    let mut ticks = interval(GLANCE);
    let (mut last, mut moved) = (progress.sum(), Instant::now());
    while !is_so(progress) && moved.elapsed() < patience {
        ticks.tick().await;
        let sum = progress.sum();
        if sum != last {
            (last, moved) = (sum, Instant::now());
        }
    }
}

fn sizes(text: &str) -> Result<(usize, usize), String> {
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<usize>().ok();
    match (number(least), number(most)) {
        (Some(least), Some(most)) if tally::SMALLEST <= least && least <= most && most <= 16 << 20 => Ok((least, most)),
        _ => Err(format!("a size is a number from {} to {}, or two with a - between", tally::SMALLEST, 16 << 20)),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && (0.001..=1e7).contains(rate));
    rate.ok_or_else(|| "a rate is a number from 0.001 to 10000000".to_owned())
}
