//! The sessions that are bound on the connections of a worker.

use std::time::Instant;

use room::{Capabilities, Epoch, SeatId};

use super::Worker;
use crate::ids::{ConnectionId, Handle};
use crate::mail::{Facts, Peer};
use crate::session::Session;
use crate::switch::Asked;

impl Worker {
    /// A seat's session is bound on a connection: its user is a member and reached from now on.
    pub(crate) fn seat_session(&mut self, connection: ConnectionId, facts: Facts, epoch: Epoch) -> Option<Handle> {
        let max_message = self.settings.max_message;
        let owner = self.connections.get_mut(connection.0)?;
        let (id, seat) = (facts.session.clone(), facts.seat);
        let handle = self.sessions.insert_with(|handle| Session::new(facts, connection, handle.slot, max_message));
        owner.sessions.push(handle);
        self.bound.insert(id, handle);
        self.seats.insert(seat, handle);
        let session = self.sessions.get_mut(handle)?;
        self.branches.enter(handle, session, epoch);
        Some(handle)
    }

    /// The session of a seat is over. Its connection goes with it unless other sessions use it (RFC 4975 §5.4).
    pub(crate) fn end_session(&mut self, now: Instant, seat: SeatId) {
        let Some(handle) = self.seats.get(&seat).copied() else { return };
        self.remove_session(handle);
        let Some(session) = self.sessions.get(handle) else { return };
        let id = session.connection;
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        connection.sessions.retain(|other| *other != handle);
        if connection.sessions.is_empty() {
            self.farewell(now, id);
        } else if let Some((stream, open)) = self.outlets.open_chunk(id.0)
            && open == handle
        {
            self.branches.cut(stream, handle, &self.sessions, &mut self.outlets);
        }
        // What it held back others by has gone with it.
        self.resume(id);
    }

    pub(super) fn remove_session(&mut self, handle: Handle) {
        self.branches.leave(handle, &mut self.sessions);
        let Some(session) = self.sessions.get_mut(handle) else { return };
        if !session.ended {
            session.ended = true;
            let outstanding = session.asked.values().map(Asked::weight).sum();
            if let Some(connection) = self.connections.get_mut(session.connection.0) {
                connection.outstanding = connection.outstanding.saturating_sub(outstanding);
                connection.unsettled = connection.unsettled.saturating_sub(session.unsettled);
            }
            self.bound.remove(&session.id);
            self.seats.remove(&session.seat);
            self.ended.push(handle);
        }
    }

    pub(crate) fn update_session(&mut self, seat: SeatId, media: &Peer, capabilities: Capabilities) {
        let Some(handle) = self.seats.get(&seat) else { return };
        let Some(session) = self.sessions.get_mut(*handle) else { return };
        session.update(media, capabilities);
        self.branches.update(session);
    }

    /// The room says something to a participant, as a message of its own.
    pub(super) fn tell_seat(&mut self, seat: SeatId, text: &str) {
        if let Some(handle) = self.session_of_seat(seat) {
            self.tell(handle, text);
        }
    }

    /// The same, where the session is known.
    pub(crate) fn tell(&mut self, handle: Handle, text: &str) {
        let Some(session) = self.session(handle) else { return };
        if !session.accepts("text/plain") {
            return;
        }
        let notice = cpim::Message {
            from: cpim::Party::new(session.room_address.as_str()),
            to: cpim::Party::new(session.identity.as_str()),
            date_time: None,
            subject: None,
            content_type: if text.is_ascii() { "text/plain" } else { "text/plain;charset=utf-8" },
            content: text.as_bytes(),
        };
        let octets = notice.encode();
        self.branches.tell(handle, &octets, &self.sessions, &mut self.outlets, &mut *self.rng);
    }

    /// The session on which a frame runs, unless it has ended.
    pub(crate) fn session(&mut self, handle: Handle) -> Option<&mut Session> {
        self.sessions.get_mut(handle).filter(|session| !session.ended)
    }

    pub(crate) fn session_of_seat(&self, seat: SeatId) -> Option<Handle> {
        self.seats.get(&seat).copied()
    }
}
