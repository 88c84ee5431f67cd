//! Requests of the peer within dialogs (RFC 3261 §12.2.2), and the ways to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Endpoint;
use super::api::{Answer, Cause, DialogId, Event, Refused, TransactionId};
use super::uas::Arrival;
use super::wire::Path;
use crate::dialog::{Dialog, Stage, refreshes_target};
use crate::message::{Method, Request};
use crate::transaction::server::ServerTransaction;
use crate::transport::{ConnectionId, Destination, Source, Transport};
use crate::typed::{self, CSeq};

impl Endpoint {
    pub(super) fn receive_within(&mut self, now: Instant, arrival: Arrival) {
        let request = arrival.request.clone();
        let found = self.find_dialog(&request).or_else(|| self.open_notified(&request, &arrival.reply.source));
        let found = found.and_then(|id| Some((id, self.dialogs.get(id)?)));
        let Some((id, dialog)) = found.filter(|(_, dialog)| dialog.takes(&request.method)) else {
            return self.answer_stateless(&request, &arrival.reply, Answer::new(481));
        };
        let number = cseq_of(&request);
        if dialog.remote_cseq.is_some_and(|last| number <= last) {
            return self.answer_stateless(&request, &arrival.reply, Answer::new(500).reason("CSeq Out Of Order"));
        }
        let (to_tag, source) = (dialog.tag(), arrival.reply.source);
        let answered_here = request.method == Method::BYE
            && (!self.config.judge_foreign_bye || dialog.is_from_peer(&source) || dialog.stage == Stage::Ending);
        let refusal = self.refusal_within(id, &request);
        let Some(transaction) = self.open_server(now, arrival, Some(to_tag), Some(id)) else { return };
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        dialog.remote_cseq = Some(number);
        dialog.servers.push(transaction);
        if let Some(answer) = refusal {
            return self.finish(now, transaction, answer);
        }
        if answered_here {
            return self.finish(now, transaction, Answer::new(200));
        }
        if request.method == Method::INVITE {
            dialog.invite.incoming = Some(transaction);
        }
        self.wire.event(Event::Request { transaction, request, source, dialog: Some(id) });
    }

    /// What may not be under way together (RFC 3261 §14.2, RFC 3311 §5.2). A 2xx that awaits its ACK counts too: the session
    /// it made is not settled yet.
    fn refusal_within(&mut self, id: DialogId, request: &Request) -> Option<Answer> {
        let dialog = self.dialogs.get(id)?;
        let invite = &dialog.invite;
        let offers = !request.body.is_empty();
        let (theirs, ours) = match request.method {
            _ if request.method == Method::INVITE => (invite.incoming.is_some(), invite.is_calling()),
            _ if request.method == Method::UPDATE => {
                let theirs = self.has_incoming(dialog, &Method::UPDATE) || (offers && invite.incoming.is_some());
                (theirs, offers && (invite.is_calling() || self.has_outgoing(dialog, &Method::UPDATE)))
            }
            _ => return None,
        };
        if theirs {
            let seconds = self.random_below(11);
            return Some(Answer::new(500).header("Retry-After", seconds.to_string()));
        }
        let unsettled = invite.awaits_ack() && (offers || request.method == Method::INVITE);
        (ours || unsettled).then(|| Answer::new(491))
    }

    /// Whether a request of the peer with that method has no final answer.
    pub(super) fn has_incoming(&self, dialog: &Dialog, method: &Method) -> bool {
        let open = |id: &TransactionId| self.servers.get(*id).and_then(ServerTransaction::open);
        dialog.servers.iter().filter_map(open).any(|request| request.method == *method)
    }

    pub(super) fn receive_dialog_ack(&mut self, now: Instant, request: Request) {
        let Some(id) = self.find_dialog(&request) else { return };
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        if !dialog.invite.awaits_ack_to(cseq_of(&request)) {
            return;
        }
        match dialog.invite.stop(&mut clock!(self, now)) {
            Some(hang_up) => self.send_bye(now, id, hang_up),
            None => self.wire.event(Event::Acknowledged { dialog: id, request: Arc::new(request) }),
        }
    }

    fn find_dialog(&self, request: &Request) -> Option<DialogId> {
        let header = |name| request.header(name).unwrap_or_default();
        let (to, from) = (typed::tag(header("To"))?, typed::tag(header("From")).unwrap_or_default());
        self.dialogs.find(header("Call-ID"), to, from)
    }

    /// The dialog that a request of the peer makes, still early.
    pub(super) fn open_dialog(&mut self, id: TransactionId, request: &Request, contact: &str) -> Option<DialogId> {
        let transaction = self.servers.get(id)?;
        let mut dialog = Dialog::called(request, transaction.to_tag, &transaction.reply.source);
        dialog.contact = contact.into();
        dialog.servers.push(id);
        if request.method == Method::INVITE {
            dialog.invite.incoming = Some(id);
        }
        let dialog = self.dialogs.insert(dialog)?;
        self.servers.change(id, |transaction| transaction.dialog = Some(dialog));
        Some(dialog)
    }

    /// A request within a dialog, or the one that made it, has its final answer, which is no 2xx to an INVITE.
    pub(super) fn answered_within(&mut self, now: Instant, id: DialogId, answered: Answered) {
        let Answered { transaction, request, source, code } = answered;
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        dialog.servers.retain(|pending| *pending != transaction);
        let (success, was_invite) = ((200..300).contains(&code), dialog.invite.incoming == Some(transaction));
        if success && refreshes_target(&request.method) {
            dialog.refresh(&request, &source);
        }
        if was_invite {
            dialog.invite.incoming = None;
            if dialog.stage == Stage::Early {
                self.end_session(now, id);
            }
        } else if success && request.method == Method::BYE {
            self.receive_bye(now, id, request);
        }
    }

    /// A BYE got its 2xx (§15.1.2). Within an early dialog it takes back the INVITE.
    fn receive_bye(&mut self, now: Instant, id: DialogId, request: Arc<Request>) {
        let Some(ended) = self.end_session(now, id) else { return };
        match (ended.stage, ended.incoming) {
            (Stage::Early, Some(transaction)) => self.wire.event(Event::Cancelled { transaction }),
            (Stage::Early | Stage::Held, _) => {}
            _ => self.wire.event(Event::Ended { dialog: id, cause: Cause::Bye(request) }),
        }
    }

    /// The path to the peer. The connection it was last seen on, while it lasts; else the address that the next URI names
    /// (connections are opened to no other network than they may); else the address it was seen at: behind a translator, and for names. A client that came over a
    /// connection is not where it was seen.
    pub(super) fn dialog_path(&mut self, id: DialogId) -> Result<Path, Refused> {
        let dialog = self.dialogs.get(id).ok_or(Refused::NoDialog)?;
        let peer = &dialog.peer;
        if let Some(path) = peer.connection.and_then(|connection| self.wire.existing(connection)) {
            return Ok(path);
        }
        let called = peer.connection.is_some_and(|connection| connection.0 < ConnectionId::FIRST_REQUESTED);
        if called && peer.transport.carries_one_message_a_read() {
            return Err(Refused::NoConnection);
        }
        let may_go = |(transport, remote): &(Transport, SocketAddr)| {
            let ip = remote.ip();
            *transport == Transport::Udp || ip == peer.remote.ip() || self.config.outbound.reaches(ip)
        };
        let (transport, remote) = match named_address(dialog).filter(may_go) {
            Some(address) => address,
            None if called => return Err(Refused::NoConnection),
            None => (peer.transport, peer.remote),
        };
        if transport == Transport::Udp {
            return Ok(Path::datagram(peer.local.filter(|_| peer.transport == Transport::Udp), remote));
        }
        let server_name = peer.server_name.as_deref().map(str::to_owned);
        self.wire.path(&Destination::Address { transport, remote, server_name })
    }
}

/// What was answered.
pub(super) struct Answered {
    pub(super) transaction: TransactionId,
    pub(super) request: Arc<Request>,
    pub(super) source: Source,
    pub(super) code: u16,
}

/// The transport and the address that the next URI names, where it names an address.
fn named_address(dialog: &Dialog) -> Option<(Transport, SocketAddr)> {
    let uri = dialog.next_hop().filter(|_| !dialog.is_translated())?;
    let transport = match uri.param("transport") {
        Some(token) => Transport::from_token(token)?,
        None if uri.is_sips() && !dialog.peer.transport.is_secure() => Transport::Tls,
        None => dialog.peer.transport,
    };
    Some((transport, (uri.ip()?, uri.port().unwrap_or(transport.default_port())).into()))
}

pub(super) fn cseq_of(request: &Request) -> u32 {
    CSeq::parse(request.header("CSeq").unwrap_or_default()).map_or(0, |cseq| cseq.number)
}
