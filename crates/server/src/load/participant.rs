//! One participant of a load.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::sip::Transport;
use client::sip::auth::Credentials;
use client::{Agent, Config, Event, Join, JoinFailure, Leaving, MessageId, Recipient, Refused};
use rustls::ClientConfig;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep_until, timeout};

use super::tally::{Hearing, Line, Tally};
use crate::link::dial::{USER_AGENT, generators};
use crate::link::{Link, Server};

/// How long one may take to join.
const JOINING: Duration = Duration::from_secs(35);
/// How long the answer to a goodbye may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// What everybody is to do.
pub(super) struct Plan {
    pub(super) room: String,
    pub(super) domain: String,
    pub(super) server: Server,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) password: Option<String>,
    pub(super) room_password: Option<String>,
    pub(super) participants: u32,
    pub(super) senders: u32,
    /// Of all senders together.
    pub(super) messages: u32,
    pub(super) sizes: (usize, usize),
    /// Between two messages of one sender.
    pub(super) interval: Option<Duration>,
    pub(super) window: u32,
    /// Tells this load's messages from others.
    pub(super) run: u32,
    /// Stamps count from here.
    pub(super) began: Instant,
}

impl Plan {
    /// How many messages a participant says.
    fn share(&self, number: u32) -> u32 {
        let more = u32::from(number < self.messages % self.senders);
        if number < self.senders { self.messages / self.senders + more } else { 0 }
    }
}

/// What all do together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Joining,
    Talking,
    Leaving,
    /// Whoever is still there goes without a goodbye.
    Over,
}

/// How far all are.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) joined: AtomicU64,
    /// Who could not join.
    pub(super) absent: AtomicU64,
    /// Senders that joined.
    pub(super) talkers: AtomicU64,
    /// Senders that have said everything, and heard what became of it.
    pub(super) talked: AtomicU64,
    /// Messages that the room took.
    pub(super) taken: AtomicU64,
    /// Copies that came.
    pub(super) heard: AtomicU64,
    /// Who has left, or never was there.
    pub(super) gone: AtomicU64,
}

impl Progress {
    /// Grows whenever something moves.
    pub(super) fn sum(&self) -> u64 {
        let counters = [&self.joined, &self.absent, &self.talked, &self.taken, &self.heard, &self.gone];
        counters.iter().map(|counter| counter.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// Joins, talks if it is a sender, listens, leaves.
pub(super) async fn participant(
    number: u32,
    plan: Arc<Plan>,
    progress: Arc<Progress>,
    mut phases: watch::Receiver<Phase>,
    joining: Arc<Semaphore>,
) -> Tally {
    let mut seat = match enter(number, &plan, &joining).await {
        Ok(seat) => seat,
        Err(why) => {
            progress.absent.fetch_add(1, Ordering::Relaxed);
            progress.gone.fetch_add(1, Ordering::Relaxed);
            return Tally::absent(why);
        }
    };
    progress.talkers.fetch_add(u64::from(seat.share > 0), Ordering::Relaxed);
    progress.joined.fetch_add(1, Ordering::Relaxed);
    seat.stay(&plan, &progress, &mut phases).await;
    if !seat.is_gone {
        let _permit = joining.acquire().await;
        seat.leave(&plan, &progress, &mut phases).await;
    }
    progress.gone.fetch_add(1, Ordering::Relaxed);
    seat.tally
}

async fn enter(number: u32, plan: &Plan, joining: &Semaphore) -> Result<Seat, String> {
    let _permit = joining.acquire().await;
    let config = Config { user_agent: USER_AGENT.to_owned(), ..Config::default() };
    let agent = Agent::new(config, generators().map_err(|error| error.to_string())?);
    let opened = Link::open(agent, &plan.server, Arc::clone(&plan.tls)).await;
    let mut link = opened.map_err(|error| format!("no connection: {error}"))?;
    let user = format!("load-{number}");
    let identity = format!("sip:{user}@{}", plan.domain);
    let destination = link.destination().map_err(|error| error.to_string())?;
    let mut join = Join::new(&plan.room, identity, destination, plan.server.transport, link.local());
    join.secure_media = plan.server.transport == Transport::Tls;
    join.credentials = plan.password.as_ref().map(|password| Credentials::new(user, password));
    if let Some(password) = &plan.room_password {
        join = join.with_room_password(password);
    }
    let asked = Instant::now();
    link.agent().join(asked, join).map_err(|refused| refused.to_string())?;
    match timeout(JOINING, link.event()).await {
        Ok(Ok(Event::Joined(_))) => Ok(Seat::new(link, number, plan, asked.elapsed())),
        Ok(Ok(Event::NotJoined(JoinFailure::Refused { code, reason, .. }))) => Err(format!("refused: {code} {reason}")),
        Ok(Ok(event)) => Err(format!("not joined: {event:?}")),
        Ok(Err(error)) => Err(format!("no connection: {error}")),
        Err(_) => Err("not joined in time".to_owned()),
    }
}

/// Somebody in the room.
struct Seat {
    link: Link,
    number: u32,
    hearing: Hearing,
    tally: Tally,
    /// What waits for its answer, and since when.
    waiting: VecDeque<(MessageId, Instant)>,
    /// How many messages it is to say, and how many it has said.
    share: u32,
    said: u32,
    /// When the first one is to be said.
    first: Option<Instant>,
    /// The link takes no more for now.
    is_full: bool,
    /// Nothing more will be said or heard of what was.
    has_talked: bool,
    is_gone: bool,
    content: Vec<u8>,
}

impl Seat {
    fn new(link: Link, number: u32, plan: &Plan, took: Duration) -> Self {
        let mut tally = Tally { joined: 1, ..Tally::default() };
        tally.join.add(took);
        Self {
            link,
            number,
            hearing: Hearing::new(plan.senders),
            tally,
            waiting: VecDeque::new(),
            share: plan.share(number),
            said: 0,
            first: None,
            is_full: false,
            has_talked: false,
            is_gone: false,
            content: Vec::new(),
        }
    }

    /// Talks and listens until it is time to leave.
    async fn stay(&mut self, plan: &Plan, progress: &Progress, phases: &mut watch::Receiver<Phase>) {
        let mut phase = *phases.borrow_and_update();
        while !self.is_gone && matches!(phase, Phase::Joining | Phase::Talking) {
            if phase == Phase::Talking {
                self.talk(plan, progress);
            }
            let next = self.next(plan).filter(|_| phase == Phase::Talking);
            tokio::select! {
                biased;
                event = self.link.event() => self.happened(event, plan, progress),
                () = until(next), if next.is_some() => {}
                Ok(()) = phases.changed() => {}
            }
            phase = *phases.borrow();
        }
    }

    /// Whether something may be said now, but for the time.
    fn may_talk(&self, plan: &Plan) -> bool {
        self.said < self.share && !self.is_full && self.waiting.len() < plan.window as usize
    }

    /// When the next message is to be said; nothing where that hangs on an answer.
    fn next(&self, plan: &Plan) -> Option<Instant> {
        let (interval, first) = plan.interval.zip(self.first)?;
        self.may_talk(plan).then(|| first + interval * self.said)
    }

    /// Says what is due, as far as the window lets it.
    fn talk(&mut self, plan: &Plan, progress: &Progress) {
        while self.may_talk(plan) {
            let now = Instant::now();
            // The senders take turns.
            let turn = |interval: Duration| now + interval * self.number / plan.senders;
            let first = *self.first.get_or_insert_with(|| plan.interval.map_or(now, turn));
            let due = plan.interval.map_or(now, |interval| first + interval * self.said);
            if due > now {
                return;
            }
            // The time it was due counts: who is held up shows it in the delay.
            let stamp = due.saturating_duration_since(plan.began);
            let line = Line { run: plan.run, sender: self.number, number: self.said, stamp };
            line.write(plan.sizes, &mut self.content);
            match self.link.agent().send(now, &Recipient::Room, "text/plain", &self.content) {
                Ok(message) => {
                    self.waiting.push_back((message, now));
                    self.said += 1;
                    self.tally.said += 1;
                }
                Err(Refused::Full | Refused::Interrupted) => self.is_full = true,
                Err(_) => return self.end("the room was left", progress),
            }
        }
    }

    fn happened(&mut self, event: io::Result<Event>, plan: &Plan, progress: &Progress) {
        match event {
            Ok(Event::Said(said)) => {
                if let Some(line) = Line::read(&said.octets).filter(|line| line.run == plan.run) {
                    self.tally.delivery.add(plan.began.elapsed().saturating_sub(line.stamp));
                    self.hearing.hear(&line, &said.octets, plan.sizes, &mut self.tally);
                    progress.heard.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(Event::Delivered { message }) => {
                if let Some(since) = self.answered(message) {
                    self.tally.answer.add(since.elapsed());
                }
                self.tally.taken += 1;
                progress.taken.fetch_add(1, Ordering::Relaxed);
                self.check_talked(progress);
            }
            Ok(Event::NotDelivered { message, code }) => {
                self.answered(message);
                self.tally.refused(code);
                self.check_talked(progress);
            }
            Ok(Event::Ready | Event::Resumed(_)) => self.is_full = false,
            Ok(Event::Interrupted) => self.tally.trouble("interrupted"),
            Ok(Event::Unreadable { .. }) => self.tally.spoiled += 1,
            Ok(Event::Left(leaving)) => self.end(&format!("{leaving:?}"), progress),
            Ok(_) => {}
            Err(error) => self.end(&error.to_string(), progress),
        }
    }

    fn answered(&mut self, message: MessageId) -> Option<Instant> {
        let at = self.waiting.iter().position(|(known, _)| *known == message)?;
        self.waiting.remove(at).map(|(_, since)| since)
    }

    fn check_talked(&mut self, progress: &Progress) {
        if !self.has_talked && self.share > 0 && (self.is_gone || self.said == self.share && self.waiting.is_empty()) {
            self.has_talked = true;
            progress.talked.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It is out of the room, against its will.
    fn end(&mut self, why: &str, progress: &Progress) {
        self.tally.trouble(why);
        self.is_gone = true;
        self.check_talked(progress);
    }

    async fn leave(&mut self, plan: &Plan, progress: &Progress, phases: &mut watch::Receiver<Phase>) {
        if self.link.agent().leave(Instant::now()).is_err() {
            return;
        }
        let farewell = async {
            loop {
                match self.link.event().await {
                    Ok(Event::Left(Leaving::Own)) => return true,
                    Ok(Event::Left(_)) | Err(_) => return false,
                    event => self.happened(event, plan, progress),
                }
            }
        };
        let left = tokio::select! {
            left = timeout(FAREWELL, farewell) => left == Ok(true),
            _ = phases.wait_for(|phase| *phase == Phase::Over) => false,
        };
        if left {
            self.tally.left += 1;
        } else {
            self.tally.trouble("no answer to the goodbye");
        }
    }
}

async fn until(next: Option<Instant>) {
    match next {
        Some(next) => sleep_until(next.into()).await,
        None => std::future::pending().await,
    }
}
