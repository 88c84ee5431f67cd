//! What waits to be written to one SIP connection.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use tokio::sync::Notify;

/// Octets that may wait for one connection beside the largest message that does, which may be of any size: the roster of a large
/// room is whole or nothing, so that it is bounded where it is made, by the seats of a room (some 300 octets for each of its
/// users, [`MAX_SEATS`](focus::room::MAX_SEATS) at most) and by what the notifier has under way. A peer that lets more gather has
/// failed: the connection is closed, since a stream never loses a message in its middle.
const LIMIT: usize = 1024 * 1024;

/// The queue between signalling and the writer of one connection; both live on one thread.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: RefCell<VecDeque<Vec<u8>>>,
    octets: Cell<usize>,
    /// Octets of the first that are written.
    written: Cell<usize>,
    end: Cell<Option<End>>,
    news: Notify,
}

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// When all is written.
    Orderly,
    /// At once: too much has gathered.
    Overflow,
}

impl Outbox {
    /// Adds a message, whole or not at all.
    pub(crate) fn push(&self, octets: Vec<u8>) {
        if self.end.get().is_some() || octets.is_empty() {
            return;
        }
        self.octets.set(self.octets.get() + octets.len());
        if self.octets.get() > LIMIT && self.beside_the_largest(octets.len()) > LIMIT {
            self.queue.borrow_mut().clear();
            self.end.set(Some(End::Overflow));
        } else {
            self.queue.borrow_mut().push_back(octets);
        }
        self.news.notify_one();
    }

    /// Octets that wait, with a further message of that many, without those of the largest.
    fn beside_the_largest(&self, further: usize) -> usize {
        let largest = self.queue.borrow().iter().map(Vec::len).max().unwrap_or_default().max(further);
        self.octets.get().saturating_sub(largest)
    }

    /// Takes nothing more; what is here shall be written.
    pub(crate) fn close(&self) {
        self.end.set(self.end.get().or(Some(End::Orderly)));
        self.news.notify_one();
    }

    /// Whether and how the connection is to end.
    pub(crate) fn end(&self) -> Option<End> {
        self.end.get()
    }

    /// Waits for something new.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Hands the octets that wait to `write`, which says how many it took, until it takes less than it is given. Whether
    /// nothing waits any more.
    pub(crate) fn drain<E>(&self, mut write: impl FnMut(&[u8]) -> Result<usize, E>) -> Result<bool, E> {
        let mut queue = self.queue.borrow_mut();
        while let Some(first) = queue.front() {
            let rest = first.get(self.written.get()..).unwrap_or_default();
            let taken = write(rest)?;
            if taken < rest.len() {
                self.written.set(self.written.get() + taken);
                return Ok(false);
            }
            self.octets.set(self.octets.get().saturating_sub(first.len()));
            self.written.set(0);
            queue.pop_front();
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(outbox: &Outbox, room: usize) -> Vec<u8> {
        let mut written = Vec::new();
        let drained = outbox.drain(|octets| {
            let taken = octets.len().min(room - written.len());
            written.extend_from_slice(&octets[..taken]);
            Ok::<_, ()>(taken)
        });
        assert_eq!(drained, Ok(written.len() < room));
        written
    }

    #[test]
    fn octets_come_out_in_order_however_little_is_taken() {
        let outbox = Outbox::default();
        outbox.push(b"abc".to_vec());
        outbox.push(b"de".to_vec());
        outbox.close();
        outbox.push(b"too late".to_vec());
        assert_eq!([written(&outbox, 2), written(&outbox, 2), written(&outbox, 9)], [&b"ab"[..], b"cd", b"e"]);
        assert_eq!(outbox.end(), Some(End::Orderly));
    }

    #[test]
    fn who_takes_nothing_loses_the_connection_not_a_message() {
        let outbox = Outbox::default();
        (0..=4).for_each(|_| outbox.push(vec![b'x'; LIMIT / 4]));
        assert_eq!(outbox.end(), None);
        outbox.push(b"y".to_vec());
        outbox.close();
        assert_eq!(outbox.end(), Some(End::Overflow));
    }

    #[test]
    fn one_message_of_any_size_may_wait_among_others_but_no_second() {
        let outbox = Outbox::default();
        outbox.push(b"200".to_vec());
        outbox.push(vec![b'x'; 4 * LIMIT]);
        outbox.push(b"NOTIFY".to_vec());
        assert_eq!(outbox.end(), None);
        assert_eq!(written(&outbox, 4 * LIMIT + 100).len(), 4 * LIMIT + 9);
        // It has gone: another may come.
        outbox.push(vec![b'x'; 4 * LIMIT]);
        assert_eq!(outbox.end(), None);
        outbox.push(vec![b'y'; LIMIT + 1]);
        assert_eq!(outbox.end(), Some(End::Overflow));
    }
}
