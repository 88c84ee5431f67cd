//! How many connections there may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors that connections leave alone, beside those that are open already: files, what a database and the log need
/// (fault F8).
const RESERVE: u64 = 64;
/// Those that each processor still has opened for it: a worker's poll and its bell.
const PROCESSOR: u64 = 4;

/// Counts connections against what the process may have open.
#[derive(Clone, Debug)]
pub(crate) struct Capacity {
    limit: usize,
    open: Arc<AtomicUsize>,
}

/// The right to one connection, given back when dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    open: Arc<AtomicUsize>,
}

impl Capacity {
    /// For this many connections.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, open: Arc::default() }
    }

    /// What the process may have open, after it has been given all that it may give itself. Listeners should be open by now: what is
    /// open is counted.
    pub(crate) fn of_this_process() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let files = match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        };
        let open = std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let others = open + RESERVE + PROCESSOR * processors;
        let connections = files.map_or(u64::MAX, |files| files.saturating_sub(others).max(files / 4));
        Self::new(usize::try_from(connections).unwrap_or(usize::MAX))
    }

    /// How many there may be.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Lets one in, if there is room.
    pub(crate) fn enter(&self) -> Option<Pass> {
        let pass = Pass { open: self.open.clone() };
        // Counted before it is judged: a pass that is refused is given back by its drop.
        let others = self.open.fetch_add(1, Ordering::Relaxed);
        (others < self.limit).then_some(pass)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_makes_room() {
        let capacity = Capacity::new(1);
        let pass = capacity.enter().unwrap();
        assert!(capacity.enter().is_none());
        drop(pass);
        assert!(capacity.enter().is_some());
    }
}
