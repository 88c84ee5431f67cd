//! The mailboxes of a node: the only way from one of its threads to another, and the only locks.
//!
//! Letters are gathered while a thread works and posted together; a mailbox rings its owner only where it was empty before,
//! since an owner always takes everything at once.
//!
//! A mailbox is never closed to letters, so that no two owners can wait for each other. But from [`CROWDED`] octets in any of
//! them on, nobody reads from sockets until its owner has caught up (see `focus::mail`): what fills mailboxes comes from there.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use focus::{Mail, Place, WorkerId};
use tokio::sync::Notify;

use super::worker::Arrival;

/// Octets in one mailbox from which on nobody reads from sockets.
const CROWDED: usize = 8 * 1024 * 1024;

/// What a mailbox holds.
pub(crate) enum Item {
    /// From one core to another.
    Letter(Mail),
    /// A connection that comes to live here.
    Arrival(Box<Arrival>),
}

impl Item {
    fn octets(&self) -> usize {
        match self {
            Item::Letter(mail) => mail.octets(),
            Item::Arrival(arrival) => size_of::<Arrival>() + arrival.moving.octets(),
        }
    }
}

/// How the owner of a mailbox is woken.
pub(crate) enum Bell {
    /// It waits in a poll.
    Poll(mio::Waker),
    /// It waits in a task.
    Task(Notify),
}

impl Bell {
    fn ring(&self) {
        match self {
            // Fails only when no file descriptor could carry the news, and then the next letter rings again.
            Bell::Poll(waker) => drop(waker.wake()),
            Bell::Task(notify) => notify.notify_one(),
        }
    }
}

struct Mailbox {
    contents: Mutex<Contents>,
    bell: Bell,
}

#[derive(Default)]
struct Contents {
    items: VecDeque<Item>,
    octets: usize,
}

/// All mailboxes of a node.
pub(crate) struct Post {
    signalling: Mailbox,
    workers: Vec<Mailbox>,
    /// Octets in one mailbox that are too many.
    bound: usize,
    /// How many mailboxes hold too many.
    crowded: AtomicUsize,
}

impl Post {
    /// Empty mailboxes with these bells.
    pub(crate) fn new(signalling: Bell, workers: impl IntoIterator<Item = Bell>) -> Arc<Self> {
        Self::with_bound(CROWDED, signalling, workers)
    }

    fn with_bound(bound: usize, signalling: Bell, workers: impl IntoIterator<Item = Bell>) -> Arc<Self> {
        let mailbox = |bell| Mailbox { contents: Mutex::default(), bell };
        Arc::new(Self {
            signalling: mailbox(signalling),
            workers: workers.into_iter().map(mailbox).collect(),
            bound,
            crowded: AtomicUsize::new(0),
        })
    }

    /// Whether some owner has too much to read: nothing is to be read from sockets. When that is over every bell rings.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Acquire) > 0
    }

    /// Takes all that has come for an owner; `into` is empty and gets it, its capacity is used again.
    pub(crate) fn take(&self, owner: Place, into: &mut VecDeque<Item>) {
        let Some(mailbox) = self.mailbox(owner) else { return };
        let was_crowded = {
            let mut contents = mailbox.contents.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut contents.items, into);
            std::mem::take(&mut contents.octets) >= self.bound
        };
        if was_crowded {
            self.crowded.fetch_sub(1, Ordering::AcqRel);
            self.all().for_each(|mailbox| mailbox.bell.ring());
        }
    }

    /// Waits until something has come for signalling, or sockets may be read again.
    pub(crate) async fn signalling_rung(&self) {
        if let Bell::Task(notify) = &self.signalling.bell {
            notify.notified().await;
        }
    }

    fn deliver(&self, to: Place, items: &mut VecDeque<Item>) {
        let Some(mailbox) = self.mailbox(to) else { return items.clear() };
        let octets: usize = items.iter().map(Item::octets).sum();
        let was_empty = {
            let mut contents = mailbox.contents.lock().unwrap_or_else(PoisonError::into_inner);
            let was_empty = contents.items.is_empty();
            let before = contents.octets;
            contents.items.append(items);
            contents.octets += octets;
            // Counted under the lock, so that whoever takes the letters finds the count made.
            if before < self.bound && contents.octets >= self.bound {
                self.crowded.fetch_add(1, Ordering::AcqRel);
            }
            was_empty
        };
        if was_empty {
            mailbox.bell.ring();
        }
    }

    fn mailbox(&self, owner: Place) -> Option<&Mailbox> {
        match owner {
            Place::Signalling => Some(&self.signalling),
            Place::Worker(WorkerId(number)) => self.workers.get(usize::from(number)),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Mailbox> {
        std::iter::once(&self.signalling).chain(&self.workers)
    }
}

/// What one owner has to send, gathered until its work is done.
pub(crate) struct Outgoing {
    post: Arc<Post>,
    /// By owner: signalling, then the workers.
    batches: Vec<(Place, VecDeque<Item>)>,
}

impl Outgoing {
    pub(crate) fn new(post: Arc<Post>) -> Self {
        let workers = (0..post.workers.len()).filter_map(|number| u8::try_from(number).ok());
        let places = std::iter::once(Place::Signalling).chain(workers.map(|number| Place::Worker(WorkerId(number))));
        let batches = places.map(|place| (place, VecDeque::new())).collect();
        Self { post, batches }
    }

    /// Adds something to what goes to an owner.
    pub(crate) fn add(&mut self, to: Place, item: Item) {
        let index = match to {
            Place::Signalling => 0,
            Place::Worker(WorkerId(number)) => 1 + usize::from(number),
        };
        if let Some((_, batch)) = self.batches.get_mut(index) {
            batch.push_back(item);
        }
    }

    /// Posts everything.
    pub(crate) fn post(&mut self) {
        for (place, batch) in self.batches.iter_mut().filter(|(_, batch)| !batch.is_empty()) {
            self.post.deliver(*place, batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use focus::Signalling;
    use focus::signalling::Output;
    use rand_chacha::ChaCha12Rng;
    use rand_core::SeedableRng;

    use super::*;

    const WORKER: Place = Place::Worker(WorkerId(0));

    /// Letters as signalling writes them: one for each room that is there from the start.
    fn letters(count: usize) -> Vec<Item> {
        let mut config = crate::config::Config::embedded();
        let room = config.rooms.remove(0);
        config.rooms =
            (0..count).map(|number| crate::config::Room { name: format!("r{number}"), ..room.clone() }).collect();
        let settings = Arc::new(crate::settings::settings(&config, &[], &[], 1));
        let mut signalling = Signalling::new(settings, Box::new(ChaCha12Rng::from_seed([0; 32])));
        signalling.handle_timeout(Instant::now());
        let outputs = std::iter::from_fn(|| signalling.poll_output());
        let letters: Vec<_> = outputs
            .filter_map(|output| match output {
                Output::Mail { mail, .. } => Some(Item::Letter(mail)),
                _ => None,
            })
            .collect();
        assert_eq!(letters.len(), count);
        letters
    }

    async fn rings(post: &Post) -> bool {
        tokio::time::timeout(Duration::ZERO, post.signalling_rung()).await.is_ok()
    }

    #[tokio::test]
    async fn while_one_mailbox_is_too_full_nobody_reads_from_sockets() {
        let mut letters = letters(3);
        let bell = || Bell::Task(Notify::new());
        let bound = letters.iter().take(2).map(Item::octets).sum();
        let post = Post::with_bound(bound, bell(), [bell()]);
        let mut outgoing = Outgoing::new(post.clone());
        let crowded = [true, true, false].map(|_| {
            outgoing.add(WORKER, letters.remove(0));
            outgoing.post();
            post.is_crowded()
        });
        assert_eq!(crowded, [false, true, true]);
        assert!(!rings(&post).await);
        let mut taken = VecDeque::new();
        post.take(WORKER, &mut taken);
        assert_eq!((taken.len(), post.is_crowded()), (3, false));
        assert!(rings(&post).await, "those who waited are told");
        post.take(WORKER, &mut VecDeque::new());
        assert!(!rings(&post).await && !post.is_crowded());
    }

    #[tokio::test]
    async fn a_bell_rings_for_a_mailbox_that_was_empty() {
        let post = Post::new(Bell::Task(Notify::new()), []);
        let mut outgoing = Outgoing::new(post.clone());
        outgoing.post();
        assert!(!rings(&post).await);
        let mut rung = Vec::new();
        for letter in letters(2) {
            outgoing.add(Place::Signalling, letter);
            outgoing.post();
            rung.push(rings(&post).await);
        }
        assert_eq!(rung, [true, false]);
    }
}
