//! What a recipient says against a copy (RFC 4975 §7.3.2, §10): it is heeded towards that recipient, and nobody else notices.

use std::time::Instant;

use msrp::frame::{Head, Method, Start};
use msrp::uri::session_id_of;

use super::Worker;
use crate::ids::{ConnectionId, Handle, Place};
use crate::mail::{Cause, Letter};

impl Worker {
    /// A response has come, or a REPORT. Copies ask for neither, but failures come all the same.
    pub(crate) fn objected(&mut self, now: Instant, id: ConnectionId, head: &Head<'_>) {
        let code = match (head.start, head.status) {
            (Start::Response { code, .. }, _) => code,
            // RFC 4975 §7.3.2: as a response of that code.
            (Start::Request(Method::Report), Some(status)) if status.namespace == 0 => status.code,
            _ => return,
        };
        let Some(handle) = self.session_of(id, head.to_path).filter(|_| code >= 300) else { return };
        if matches!(code, 408 | 481 | 506) {
            return self.has_failed(now, handle);
        }
        if let (415, Start::Response { .. }) = (code, head.start) {
            self.refuses_type(handle, head.transaction);
        }
        let stream = match (head.start, head.message_id) {
            (Start::Response { .. }, _) => self.branches.stream_of_chunk(handle, head.transaction, &self.sessions),
            (Start::Request(_), Some(message_id)) => self.branches.stream_of_message(handle, message_id),
            _ => None,
        };
        if let Some(stream) = stream {
            self.branches.cut(stream, handle, &self.sessions, &mut self.outlets);
        }
    }

    /// A session's peer does not take the type of a message after all.
    fn refuses_type(&mut self, handle: Handle, transaction: &str) {
        let Some(session) = self.sessions.get_mut(handle) else { return };
        if let Some(content_type) = self.branches.type_of(transaction, session) {
            session.refuse(content_type);
            self.branches.update(session);
        }
    }

    /// The session of a connection that a path of one URI names.
    fn session_of(&self, id: ConnectionId, to_path: &str) -> Option<Handle> {
        let handle = *self.bound.get(session_id_of(to_path)?)?;
        self.sessions.get(handle).filter(|session| session.connection == id && !session.ended)?;
        Some(handle)
    }

    /// The peer says that the session is no more, or that what was sent did not arrive: it ends, and its seat waits for a new
    /// one as it does when a connection is lost (RFC 4975 §7.3.2, §10.8).
    fn has_failed(&mut self, now: Instant, handle: Handle) {
        let Some(session) = self.session(handle) else { return };
        let (home, room, seat, id) = (session.home, session.room, session.seat, session.id.clone());
        let cause = Cause::ConnectionLost;
        if home == self.id {
            self.lost(now, (room, seat), &id, cause);
        } else {
            self.post(Place::Worker(home), Letter::Lost { room, seat, session: id, cause });
        }
    }
}
