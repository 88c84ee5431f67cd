//! Participants that wait to be connected to (RFC 6135): the switch is the active side, connects and binds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use msrp::encode::{Send, ident};
use msrp::frame::{FailureReport, Flag, Head, Start};
use room::SeatId;

use super::Worker;
use crate::ids::{ConnectionId, Handle, RoomId};
use crate::mail::Cause;
use crate::worker::{Output, Wire};

/// Names no session: frames that stand for none are queued with it.
const NOBODY: Handle = Handle { slot: u32::MAX, generation: u32::MAX };

/// A session that the switch binds itself.
#[derive(Debug)]
pub(crate) struct Dialing {
    room: RoomId,
    seat: SeatId,
    session: Box<str>,
    own_path: Box<str>,
    peer_path: Box<str>,
    secure: bool,
    /// Addresses to be tried after this one.
    rest: Vec<SocketAddr>,
    server_name: Option<Box<str>>,
    /// The transaction id of the SEND that binds it, once that is out.
    transaction: Option<String>,
}

impl Worker {
    /// Fetches the media of a seat whose session waits to be bound, from the first of these addresses that can be reached.
    pub(crate) fn dial(
        &mut self,
        now: Instant,
        (room, seat): (RoomId, SeatId),
        mut remotes: Vec<SocketAddr>,
        server_name: Option<Box<str>>,
    ) {
        if remotes.is_empty() {
            return;
        }
        let remote = remotes.remove(0);
        let Some(facts) = self.awaited_facts(room, seat) else { return };
        let secure = facts.peer.secure;
        let unspecified = match remote.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let id = self.open(now, Wire { secure, local: (unspecified, 0).into(), remote });
        if let Some(connection) = self.connections.get_mut(id.0) {
            connection.first = false;
            connection.dialing = Some(Dialing {
                room,
                seat,
                session: facts.session,
                own_path: facts.own_path,
                peer_path: facts.peer.path,
                secure,
                rest: remotes,
                server_name: server_name.clone(),
                transaction: None,
            });
        }
        self.emit(Output::Connect { connection: id, remote, secure, server_name });
    }

    /// The connection is there: the session is bound by a SEND without a body (RFC 4975 §5.4).
    pub(crate) fn connected(&mut self, id: ConnectionId, local: SocketAddr) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        connection.wire.local = local;
        let Some(dialing) = &mut connection.dialing else { return };
        let (transaction, message_id) = (ident(&mut *self.rng, 16), ident(&mut *self.rng, 16));
        let bind = Send {
            transaction: &transaction,
            to_path: &dialing.peer_path,
            from_path: &dialing.own_path,
            message_id: &message_id,
            success_report: false,
            failure_report: FailureReport::Yes,
            byte_range: None,
            content: None,
            flag: Flag::Last,
        };
        self.outlets.push_frame(id.0, NOBODY, |out| bind.encode(out));
        dialing.transaction = Some(transaction);
    }

    /// A response has come: to the SEND that binds, if it is that one's.
    pub(crate) fn dial_answered(&mut self, now: Instant, id: ConnectionId, head: &Head<'_>) {
        let Some(connection) = self.connections.get_mut(id.0) else { return };
        let ours = connection.dialing.take_if(|dialing| dialing.transaction.as_deref() == Some(head.transaction));
        let Some(dialing) = ours else { return };
        let accepted = matches!(head.start, Start::Response { code: 200, .. });
        if !accepted {
            return self.undialed(now, dialing);
        }
        let Dialing { session, own_path, secure, .. } = &dialing;
        // A request of the peer may have bound it already.
        if let Ok((facts, epoch)) = self.claim(now, session, own_path, *secure, self.id) {
            self.seat_session(id, *facts, epoch);
        }
    }

    /// It could not be reached, or not bound. Where it was not reached the next address is tried; else the seat is given up, unless
    /// a request of the peer has bound it meanwhile.
    pub(crate) fn undialed(&mut self, now: Instant, dialing: Dialing) {
        let Dialing { room, seat, session, rest, server_name, transaction, .. } = dialing;
        if self.awaited_facts(room, seat).is_none_or(|facts| facts.session != session) {
            return;
        }
        if transaction.is_none() && !rest.is_empty() {
            self.dial(now, (room, seat), rest, server_name);
        } else {
            self.dismiss(now, room, seat, Cause::NotBound);
        }
    }
}
