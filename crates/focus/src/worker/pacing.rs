//! When a recipient is slow (RFC 7701 §6.4): who sends to it is held back for a while, then it misses something, in the end it
//! goes. Nobody else ever waits.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Cause, Worker};
use crate::ids::{ConnectionId, Handle, Place, SessionId, WorkerId};
use crate::mail::{Letter, Receipt};
use crate::outlet::Notice;
use crate::timers::Timer;

/// How long a sender may be held back for a connection that does not catch up. One that does, again and again, sets the pace of the
/// long messages that go to it: so they arrive.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a connection may be congested before its participants have to go.
const GOODBYE: Duration = Duration::from_secs(180);
/// What a participant is told who misses something.
const LEFT_OUT: &str = "Your connection is too slow for this room: some messages have been left out.";

/// A session that is held back for a slow connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    /// By refusing its messages instead of not reading, as it shares its connection.
    shared: bool,
    until: Instant,
}

impl Worker {
    /// Draws the consequences of what the outlets have noticed.
    pub(super) fn after(&mut self, now: Instant) {
        while let Some(notice) = self.outlets.poll_notice() {
            match notice {
                Notice::Hold { connection, origin } => self.slowed(now, connection, origin),
                Notice::Drained { connection } => {
                    self.let_go(connection);
                    self.recovered(ConnectionId(connection));
                }
                Notice::Congested { connection } => self.congested(now, ConnectionId(connection)),
                Notice::Recovered { connection } => self.recovered(ConnectionId(connection)),
                Notice::LeftOut { session } => self.left_out(session),
                Notice::Cut { stream, session } => {
                    self.branches.forget(stream, session);
                    self.left_out(session);
                }
                Notice::Overflow { connection } => {
                    self.drop_connection(now, ConnectionId(connection), Cause::ConnectionLost);
                }
                Notice::Finished { connection } => {
                    if self.connections.get(connection).is_some_and(|connection| connection.closing) {
                        self.drop_connection(now, ConnectionId(connection), Cause::ConnectionLost);
                    }
                }
            }
        }
    }

    /// Whether the connection of a session has sessions of other users too.
    pub(crate) fn is_shared(&self, handle: Handle) -> bool {
        let Some(session) = self.sessions.get(handle) else { return false };
        let Some(connection) = self.connections.get(session.connection.0) else { return false };
        let mut all = connection.sessions.iter().filter_map(|handle| self.sessions.get(*handle));
        all.any(|other| other.identity != session.identity)
    }

    /// Reads no more from a connection whose participant sends too much, for a while.
    pub(crate) fn pause_until(&mut self, id: ConnectionId, until: Instant) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        let already = connection.paced_until.replace(until.max(connection.paced_until.unwrap_or(until)));
        if already.is_none() {
            self.timers.set(until, Timer::Pace(id));
        }
    }

    /// It may send again, unless it has to wait longer by now.
    pub(super) fn pace_kept(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        match connection.paced_until {
            Some(until) if until > now => self.timers.set(until, Timer::Pace(id)),
            Some(_) => {
                connection.paced_until = None;
                self.resume(id);
            }
            None => {}
        }
    }

    /// Octets of a session are under way to other workers.
    pub(crate) fn charge(&mut self, handle: Handle, octets: usize) {
        let Some(session) = self.session(handle) else { return };
        session.unsettled += octets;
        let id = session.connection;
        if let Some(connection) = self.connections.get_mut(id.0) {
            connection.unsettled += octets;
        }
    }

    /// They have got there.
    pub(crate) fn discharge(&mut self, handle: Handle, octets: usize) {
        let Some(session) = self.session(handle) else { return };
        session.unsettled = session.unsettled.saturating_sub(octets);
        let id = session.connection;
        if let Some(connection) = self.connections.get_mut(id.0) {
            connection.unsettled = connection.unsettled.saturating_sub(octets);
        }
        self.resume(id);
    }

    /// What has come by mail is out: its homes are told.
    pub(super) fn send_receipts(&mut self) {
        let mut homes: BTreeMap<WorkerId, Vec<u64>> = BTreeMap::new();
        for Receipt { home, ticket } in self.receipts.drain(..) {
            homes.entry(home).or_default().push(ticket);
        }
        for (home, tickets) in homes {
            self.post(Place::Worker(home), Letter::Settle { tickets });
        }
    }

    /// Large messages are left out from now on, and what is on its way ends.
    fn congested(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        connection.congested_since = Some(now);
        self.timers.set(now + GOODBYE, Timer::Goodbye(id));
        let cut = self.branches.cut_all(&connection.sessions, &self.sessions, &mut self.outlets);
        for session in cut {
            self.left_out(session);
        }
    }

    fn recovered(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        connection.congested_since = None;
        for handle in &connection.sessions {
            if let Some(session) = self.sessions.get_mut(*handle) {
                session.told = false;
            }
        }
    }

    /// A connection has been congested for so long, if it is still the same time.
    pub(super) fn goodbye(&mut self, now: Instant, id: ConnectionId) {
        let since = self.connections.get(id.0).and_then(|connection| connection.congested_since);
        if since.is_some_and(|since| since + GOODBYE <= now) {
            self.drop_connection(now, id, Cause::TooSlow);
        }
    }

    /// A participant misses a message, and is told so once.
    fn left_out(&mut self, handle: Handle) {
        let Some(session) = self.session(handle) else { return };
        if std::mem::replace(&mut session.told, true) {
            return;
        }
        self.tell(handle, LEFT_OUT);
    }

    /// A connection is slow: whoever fills it is held back, for [`PATIENCE`] at the most.
    fn slowed(&mut self, now: Instant, connection: Handle, origin: SessionId) {
        if self.outlets.is_weary(connection) || !self.holds.insert((connection, origin)) {
            return;
        }
        if origin.worker == self.id {
            self.hold(now, origin, self.id, connection);
        } else {
            self.post(Place::Worker(origin.worker), Letter::Hold { origin, by: self.id, connection });
        }
    }

    /// A slow connection has caught up, or is gone: nobody is held back for it any more.
    pub(super) fn let_go(&mut self, connection: Handle) {
        for origin in self.held_for(connection) {
            if origin.worker == self.id {
                self.release(origin, self.id, connection);
            } else {
                self.post(Place::Worker(origin.worker), Letter::Release { origin, by: self.id, connection });
            }
        }
    }

    fn held_for(&mut self, connection: Handle) -> Vec<SessionId> {
        let held = self.holds.iter().filter(|(slow, _)| *slow == connection).map(|(_, origin)| *origin);
        let held: Vec<SessionId> = held.collect();
        if !held.is_empty() {
            self.holds.retain(|(slow, _)| *slow != connection);
        }
        held
    }

    /// Stops reading from the origin's connection, if all its sessions are one user's: others must not wait. Where they are
    /// several users', the origin's own messages are refused meanwhile.
    pub(super) fn hold(&mut self, now: Instant, origin: SessionId, by: WorkerId, slow: Handle) {
        let Some(id) = self.session(origin.handle).map(|session| session.connection) else { return };
        if by == origin.worker && id.0 == slow {
            // What fills its own connection are its own answers: to stop reading would not empty it.
            return;
        }
        let shared = self.is_shared(origin.handle);
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        if connection.held_by.contains_key(&(by, slow, origin.handle)) {
            return;
        }
        let until = now + PATIENCE;
        connection.held_by.insert((by, slow, origin.handle), Hold { shared, until });
        self.timers.set(until, Timer::Hold(id, by, slow, origin.handle));
        self.count_hold(id, origin.handle, shared, true);
    }

    /// Nobody is to be held back for a connection until it has caught up.
    fn tell_weary(&mut self, by: WorkerId, slow: Handle) {
        if by == self.id {
            self.weary(slow);
        } else {
            self.post(Place::Worker(by), Letter::Weary { connection: slow });
        }
    }

    fn count_hold(&mut self, id: ConnectionId, origin: Handle, shared: bool, more: bool) {
        let changed = |count: u32| if more { count + 1 } else { count.saturating_sub(1) };
        if shared {
            if let Some(session) = self.sessions.get_mut(origin) {
                session.refusing = changed(session.refusing);
            }
        } else if let Some(connection) = self.connections.get_mut(id.0) {
            connection.holds = changed(connection.holds);
        }
    }

    /// The slow connection has caught up.
    pub(super) fn release(&mut self, origin: SessionId, by: WorkerId, slow: Handle) {
        if let Some(id) = self.sessions.get(origin.handle).map(|session| session.connection) {
            self.unhold(id, (by, slow, origin.handle));
        }
    }

    fn unhold(&mut self, id: ConnectionId, hold: (WorkerId, Handle, Handle)) -> bool {
        let Some(connection) = self.connections.get_mut(id.0) else { return false };
        let Some(Hold { shared, .. }) = connection.held_by.remove(&hold) else { return false };
        self.count_hold(id, hold.2, shared, false);
        self.resume(id);
        true
    }

    /// The origin has waited long enough: what it waited for holds nobody until it has caught up.
    pub(super) fn patience_ended(
        &mut self,
        now: Instant,
        id: ConnectionId,
        (by, slow): (WorkerId, Handle),
        origin: Handle,
    ) {
        let hold = self.connections.get(id.0).and_then(|connection| connection.held_by.get(&(by, slow, origin)));
        if hold.is_none_or(|hold| hold.until > now) {
            // That hold has ended, and this is another.
            return;
        }
        if self.unhold(id, (by, slow, origin)) {
            self.tell_weary(by, slow);
        }
    }

    /// Whoever was held back for a connection has waited long enough.
    pub(super) fn weary(&mut self, connection: Handle) {
        self.outlets.weary(connection);
    }
}
