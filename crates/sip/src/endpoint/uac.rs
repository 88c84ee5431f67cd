//! The client side: requests of our own, through all their attempts.

use std::sync::Arc;
use std::time::Instant;

use super::Endpoint;
use super::api::{Cause, ClientId, DialogId, Event, Failure, Outgoing, Refused, Within};
use super::way::Way;
use super::wire::Path;
use crate::auth::{Credentials, Keyring};
use crate::dialog::{Dialog, Stage, is_of_session, refreshes_target};
use crate::locate::Candidate;
use crate::message::{Method, Request};
use crate::timer::{Timer, TimerKey};
use crate::token::Token;
use crate::transaction::COOKIE;
use crate::transaction::client::{ClientTransaction, ClientTransactionId, cancel_of};
use crate::transport::{Destination, Hop, Transport};
use crate::typed::{self, NameAddr, Uri};

/// The largest request that goes by UDP, in octets, where the path's MTU is unknown (RFC 3261 §18.1.1).
const MAX_DATAGRAM: usize = 1300;

/// A request of our own.
#[derive(Debug)]
pub struct Attempt {
    pub(super) purpose: Purpose,
    /// As it was last sent.
    pub(super) request: Arc<Request>,
    pub(super) way: Way,
    /// Where else it may go (RFC 3263 §4.3), the next one last.
    pub(super) elsewhere: Vec<Candidate>,
    /// Where it goes when the connection that it was too large for UDP for cannot be opened.
    pub(super) datagram: Option<Path>,
    pub(super) local_tag: Token,
    pub(super) dialog: Option<DialogId>,
    pub(super) keyring: Keyring,
    pub(super) challenges: u8,
    sending: Option<ClientTransactionId>,
    pub(super) cancel: Cancel,
    /// The dialogs that provisional responses have made.
    pub(super) early: Vec<DialogId>,
    /// The 2xx that came. With the first the INVITE is over for the user; it remains until timer M.
    pub(super) acknowledged: Vec<Acknowledged>,
}

/// What for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The user's.
    User,
    /// To end this dialog.
    Bye(DialogId),
    /// To refresh its session.
    Refresh,
    /// Nobody waits for the answer.
    Quiet,
}

#[derive(Debug)]
pub(super) enum Cancel {
    No,
    /// Waits for a provisional response.
    Wanted,
    Sent(TimerKey),
}

/// A 2xx and its ACK.
#[derive(Debug)]
pub(super) struct Acknowledged {
    /// The To of the 2xx.
    pub(super) to: String,
    /// What goes out for each repetition; `None` while the answer is missing, and where there is no way.
    pub(super) ack: Option<(Hop, Vec<u8>)>,
}

impl Attempt {
    pub(super) fn new(
        purpose: Purpose,
        request: Request,
        way: Way,
        local_tag: Token,
        dialog: Option<DialogId>,
        credentials: Arc<[Credentials]>,
    ) -> Self {
        Self {
            purpose,
            request: Arc::new(request),
            way,
            elsewhere: Vec::new(),
            datagram: None,
            local_tag,
            dialog,
            keyring: Keyring::new(credentials),
            challenges: 0,
            sending: None,
            cancel: Cancel::No,
            early: Vec::new(),
            acknowledged: Vec::new(),
        }
    }

    pub(super) fn is_accepted(&self) -> bool {
        !self.acknowledged.is_empty()
    }

    /// Whether a 2xx makes a dialog without a session (RFC 6665, RFC 3515).
    pub(super) fn subscribes(&self) -> bool {
        self.dialog.is_none() && [Method::SUBSCRIBE, Method::REFER].contains(&self.request.method)
    }

    pub(super) fn method(&self) -> &Method {
        &self.request.method
    }

    pub(super) fn is_invite(&self) -> bool {
        self.request.method == Method::INVITE
    }

    pub(super) fn is_cancelled(&self) -> bool {
        !matches!(self.cancel, Cancel::No)
    }
}

impl Endpoint {
    /// A request outside of a dialog (RFC 3261 §8.1.1).
    pub(super) fn send_outside(&mut self, now: Instant, mut outgoing: Outgoing) -> Result<ClientId, Refused> {
        check(&outgoing)?;
        self.check_room()?;
        let way = self.way_out(&mut outgoing)?;
        let local_tag = Token::random(&mut *self.random);
        let call_id = match outgoing.call_id {
            Some(call_id) => call_id,
            None => Token::random(&mut *self.random).as_str().to_owned(),
        };
        let mut request = Request::new(outgoing.method, outgoing.target);
        let headers = &mut request.headers;
        headers.push("Via", "");
        for route in outgoing.route {
            headers.push("Route", route);
        }
        headers.push("Max-Forwards", "70");
        headers.push("From", format!("{};tag={}", outgoing.from, local_tag.as_str()));
        headers.push("To", outgoing.to);
        headers.push("Call-ID", call_id);
        headers.push("CSeq", format!("{} {}", outgoing.cseq, request.method));
        if let Some(contact) = outgoing.contact {
            headers.push("Contact", contact);
        }
        self.ask_for_timer(None, &request.method, &mut request.headers);
        self.complete(&mut request, outgoing.headers, outgoing.body);
        let credentials = outgoing.credentials.into();
        self.launch(now, Attempt::new(Purpose::User, request, way, local_tag, None, credentials))
    }

    /// A request within a dialog (§12.2.1.1).
    pub(super) fn send_within(&mut self, now: Instant, id: DialogId, within: Within) -> Result<ClientId, Refused> {
        check_headers(&within.headers)?;
        let unfit = [Method::ACK, Method::CANCEL, Method::BYE].contains(&within.method);
        if unfit {
            return Err(Refused::Unfit("method"));
        }
        self.check_room()?;
        let invite = within.method == Method::INVITE;
        self.check_within(id, &within)?;
        let way = self.dialog_way(id)?;
        let dialog = self.dialogs.get_mut(id).ok_or(Refused::NoDialog)?;
        let refreshes = refreshes_target(&within.method);
        if let (Some(contact), true) = (&within.contact, refreshes) {
            dialog.contact = contact.as_str().into();
        }
        let number = dialog.next_cseq();
        let mut request = dialog.request(within.method, number);
        let contact = within.contact.or_else(|| refreshes.then(|| dialog.contact.to_string()));
        if let Some(contact) = contact {
            request.headers.push("Contact", contact);
        }
        let (tag, credentials) = (dialog.tag(), dialog.credentials.clone());
        self.ask_for_timer(Some(id), &request.method, &mut request.headers);
        self.complete(&mut request, within.headers, within.body);
        let client = self.launch(now, Attempt::new(Purpose::User, request, way, tag, Some(id), credentials))?;
        if let (Some(dialog), true) = (self.dialogs.get_mut(id), invite && self.attempts.get(client).is_some()) {
            dialog.invite.outgoing = Some(client);
        }
        Ok(client)
    }

    /// The BYEs that the endpoint sends by itself are not refused; the dialogs bound them.
    fn check_room(&self) -> Result<(), Refused> {
        if self.attempts.len() < self.config.limits.client_transactions { Ok(()) } else { Err(Refused::Full) }
    }

    /// Whether a dialog takes that request now (§14.1, RFC 3311 §5.1).
    fn check_within(&self, id: DialogId, within: &Within) -> Result<(), Refused> {
        let dialog = self.dialogs.get(id).ok_or(Refused::NoDialog)?;
        let (session, update) = (is_of_session(&within.method), within.method == Method::UPDATE);
        let fits = match dialog.stage {
            Stage::Early => update,
            Stage::Confirmed => true,
            Stage::Ending => dialog.holds > 0 && !session,
            Stage::Held => !session,
        };
        if !fits {
            return Err(Refused::NoDialog);
        }
        let offers = within.method == Method::INVITE || (update && within.body.is_some());
        let updating = self.has_outgoing(dialog, &Method::UPDATE) || self.has_incoming(dialog, &Method::UPDATE);
        if offers && (dialog.invite.is_busy() || updating) {
            return Err(Refused::Pending);
        }
        Ok(())
    }

    /// Whether a request of ours with that method has no final answer.
    pub(super) fn has_outgoing(&self, dialog: &Dialog, method: &Method) -> bool {
        dialog.clients.iter().filter_map(|id| self.attempts.get(*id)).any(|attempt| attempt.method() == method)
    }

    fn complete(&self, request: &mut Request, rows: Vec<(String, String)>, body: Option<crate::message::Body>) {
        for (name, value) in rows {
            request.headers.push(name, value);
        }
        self.presets.describe_request(&request.method, &mut request.headers);
        if let Some(body) = body {
            request.headers.push("Content-Type", body.content_type);
            request.body = body.octets;
        }
    }

    /// Sends a new request of ours.
    pub(super) fn launch(&mut self, now: Instant, attempt: Attempt) -> Result<ClientId, Refused> {
        let (dialog, awaited) = (attempt.dialog, attempt.subscribes().then_some(attempt.local_tag));
        let id = self.attempts.insert(attempt).ok_or(Refused::Full)?;
        if let Some(tag) = awaited {
            self.subscribing.insert(tag, id);
        }
        if let Some(dialog) = dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            dialog.clients.push(id);
        }
        self.set_out(now, id);
        Ok(id)
    }

    /// Sends a request of ours, in a transaction of its own each time.
    pub(super) fn send(&mut self, now: Instant, id: ClientId) {
        let branch = Token::random(&mut *self.random);
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        let Some(mut path) = attempt.way.path().copied() else { return };
        let mut octets = address(&mut attempt.request, &self.wire.sent_by(&path), &path, &branch);
        // §18.1.1: too large for a datagram; where no connection can be had, it is tried all the same.
        if let Hop::Datagram { remote, .. } = path.hop
            && octets.len() > MAX_DATAGRAM
            && attempt.datagram.is_none()
            && let Ok(stream) = self.wire.path(&Destination::address(Transport::Tcp, remote))
        {
            attempt.datagram = Some(std::mem::replace(&mut path, stream));
            attempt.way = Way::Path(path);
            octets = address(&mut attempt.request, &self.wire.sent_by(&path), &path, &branch);
        }
        let hop = path.hop;
        if let Some(before) = attempt.sending.take().and_then(|before| self.clients.get_mut(before)) {
            before.owner = None;
        }
        let transaction = ClientTransaction::new(branch, attempt.request.clone(), hop, Some(id));
        let sending = self.start_client(now, transaction);
        if let Some(attempt) = self.attempts.get_mut(id) {
            attempt.sending = sending;
        }
        self.wire.transmit(hop, octets);
    }

    fn start_client(&mut self, now: Instant, transaction: ClientTransaction) -> Option<ClientTransactionId> {
        let hop = transaction.hop;
        let id = self.clients.insert(transaction)?;
        if let Some(transaction) = self.clients.get_mut(id) {
            transaction.start(id, &mut clock!(self, now));
        }
        if let Hop::Connection(connection) = hop
            && let Some(connection) = self.wire.connection(connection)
        {
            connection.clients.insert(id);
        }
        Some(id)
    }

    pub(super) fn end_client(&mut self, now: Instant, id: ClientTransactionId) {
        let Some(mut transaction) = self.clients.remove(id) else { return };
        transaction.end(&mut clock!(self, now));
        self.release_connection(id, transaction.hop);
    }

    pub(super) fn release_connection(&mut self, id: ClientTransactionId, hop: Hop) {
        if let Hop::Connection(connection) = hop
            && let Some(connection) = self.wire.connection(connection)
        {
            connection.clients.remove(&id);
        }
    }

    /// Takes back an INVITE of ours (§9.1).
    pub(super) fn cancel_invite(&mut self, now: Instant, id: ClientId) -> Result<(), Refused> {
        let attempt = self.attempts.get_mut(id).filter(|attempt| attempt.is_invite() && !attempt.is_accepted());
        let attempt = attempt.ok_or(Refused::NoRequest)?;
        if attempt.purpose != Purpose::User || attempt.is_cancelled() {
            return Err(Refused::NoRequest);
        }
        if attempt.way.path().is_none() {
            self.fail_attempt(now, id, Failure::Cancelled);
            return Ok(());
        }
        attempt.cancel = Cancel::Wanted;
        let sending = attempt.sending.and_then(|sending| self.clients.get(sending));
        if sending.is_some_and(ClientTransaction::is_ringing) {
            self.send_cancel(now, id);
        }
        Ok(())
    }

    pub(super) fn send_cancel(&mut self, now: Instant, id: ClientId) {
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        let Some(invite) = attempt.sending.and_then(|sending| self.clients.get(sending)) else { return };
        let request = Arc::new(cancel_of(&invite.request));
        let (branch, hop) = (invite.branch, invite.hop);
        let timer = self.timers.set(now + self.config.timers.timeout(), Timer::Cancelled(id));
        attempt.cancel = Cancel::Sent(timer);
        let octets = request.encode();
        self.start_client(now, ClientTransaction::new(branch, request, hop, None));
        self.wire.transmit(hop, octets);
    }

    /// Timer `Cancelled`: the peer does not answer the INVITE that was taken back.
    pub(super) fn give_up_cancelled(&mut self, now: Instant, id: ClientId) {
        let sending = self.attempts.get(id).and_then(|attempt| attempt.sending);
        sending.into_iter().for_each(|sending| self.end_client(now, sending));
        self.fail_attempt(now, id, Failure::Cancelled);
    }

    /// Timers A and E.
    pub(super) fn resend_client(&mut self, now: Instant, id: ClientTransactionId) {
        let Some(transaction) = self.clients.get_mut(id) else { return };
        if let Some(octets) = transaction.resend(id, &mut clock!(self, now)) {
            let hop = transaction.hop;
            self.wire.transmit(hop, octets);
        }
    }

    /// Timers B and F.
    pub(super) fn client_timed_out(&mut self, now: Instant, id: ClientTransactionId) {
        let owner = self.clients.get(id).and_then(|transaction| Some((transaction.owner?, transaction.has_heard())));
        self.end_client(now, id);
        let Some((owner, has_heard)) = owner else { return };
        if has_heard || !self.try_elsewhere(now, owner) {
            self.fail_attempt(now, owner, Failure::Timeout);
        }
    }

    /// Timers D, K and M: nothing more is awaited.
    pub(super) fn client_is_over(&mut self, now: Instant, id: ClientTransactionId) {
        let owner = self.clients.get(id).and_then(|transaction| transaction.owner);
        self.end_client(now, id);
        owner.into_iter().for_each(|owner| drop(self.take_attempt(now, owner)));
    }

    /// The connection that a request went out on is gone (§17.1.4).
    pub(super) fn client_lost_connection(&mut self, now: Instant, id: ClientTransactionId, was_open: bool) {
        let open = self.clients.get(id).filter(|transaction| transaction.is_open());
        let owner = open.and_then(|open| Some((open.owner?, open.has_heard())));
        self.end_client(now, id);
        let Some((owner, has_heard)) = owner else { return };
        let Some(attempt) = self.attempts.get_mut(owner) else { return };
        match attempt.datagram {
            Some(path) if !was_open && attempt.way.path() != Some(&path) => {
                attempt.way = Way::Path(path);
                self.send(now, owner);
            }
            _ => {
                if has_heard || !self.try_elsewhere(now, owner) {
                    self.fail_attempt(now, owner, Failure::Transport);
                }
            }
        }
    }

    /// A request of ours ends without an answer.
    pub(super) fn fail_attempt(&mut self, now: Instant, id: ClientId, failure: Failure) {
        let Some(attempt) = self.take_attempt(now, id) else { return };
        match attempt.purpose {
            Purpose::Quiet => {}
            Purpose::Bye(dialog) => self.hung_up(now, dialog, None),
            Purpose::User | Purpose::Refresh => {
                if attempt.purpose == Purpose::User {
                    self.wire.event(Event::Failed { client: id, failure });
                }
                let is_confirmed = |dialog: &Dialog| dialog.stage == Stage::Confirmed;
                let dialog = attempt.dialog.filter(|dialog| self.dialogs.get(*dialog).is_some_and(is_confirmed));
                if let (Some(dialog), Failure::Timeout, true) = (dialog, failure, is_of_session(attempt.method())) {
                    self.abandon(now, dialog, Cause::PeerGone);
                }
            }
        }
    }

    /// Takes a request away that has its end. Its transaction may remain, for repetitions.
    pub(super) fn take_attempt(&mut self, now: Instant, id: ClientId) -> Option<Attempt> {
        let attempt = self.attempts.remove(id)?;
        self.forget_search(&attempt);
        if let Cancel::Sent(timer) = attempt.cancel {
            self.timers.stop(timer);
        }
        if let Some(transaction) = attempt.sending.and_then(|sending| self.clients.get_mut(sending)) {
            transaction.owner = None;
        }
        if let Some(dialog) = attempt.dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            dialog.clients.retain(|pending| *pending != id);
            if dialog.invite.outgoing == Some(id) {
                dialog.invite.outgoing = None;
            }
        }
        self.subscribing.remove(&attempt.local_tag);
        for early in &attempt.early {
            if let Some(dialog) = self.dialogs.get_mut(*early) {
                dialog.holds = 0;
            }
            self.end_session(now, *early);
        }
        Some(attempt)
    }
}

/// Writes the Via (RFC 3261 §18.1.1, RFC 3581 §3) and gives the octets.
pub(super) fn address(request: &mut Arc<Request>, sent_by: &str, path: &Path, branch: &Token) -> Vec<u8> {
    let rport = if path.transport == Transport::Udp { ";rport" } else { "" };
    let via = format!("SIP/2.0/{} {sent_by};branch={COOKIE}{}{rport}", path.transport.via_token(), branch.as_str());
    let request = Arc::make_mut(request);
    request.headers.set("Via", via);
    request.encode()
}

fn check(outgoing: &Outgoing) -> Result<(), Refused> {
    Uri::parse(&outgoing.target).map_err(|_| Refused::Unfit("target"))?;
    let from = NameAddr::parse(&outgoing.from).map_err(|_| Refused::Unfit("From"))?;
    if from.tag().is_some() {
        return Err(Refused::Unfit("From: it has a tag"));
    }
    NameAddr::parse(&outgoing.to).map_err(|_| Refused::Unfit("To"))?;
    match &outgoing.contact {
        Some(contact) => drop(NameAddr::parse(contact).map_err(|_| Refused::Unfit("Contact"))?),
        None if outgoing.method == Method::INVITE => return Err(Refused::Unfit("Contact: there is none")),
        None => {}
    }
    if [Method::ACK, Method::CANCEL].contains(&outgoing.method) {
        return Err(Refused::Unfit("method"));
    }
    if outgoing.cseq >= (1 << 31) - 1 {
        return Err(Refused::Unfit("CSeq"));
    }
    let spaced = |call_id: &String| call_id.is_empty() || call_id.contains(|c: char| c.is_whitespace() || c == ',');
    if outgoing.call_id.as_ref().is_some_and(spaced) {
        return Err(Refused::Unfit("Call-ID"));
    }
    check_headers(&outgoing.headers)
}

/// Rows that the endpoint writes itself are not the user's.
fn check_headers(rows: &[(String, String)]) -> Result<(), Refused> {
    const OURS: [&str; 9] =
        ["Via", "From", "To", "Call-ID", "CSeq", "Content-Length", "Content-Type", "Max-Forwards", "Record-Route"];
    for (name, _) in rows {
        if !typed::is_token(name) {
            return Err(Refused::Unfit("header field name"));
        }
        if OURS.iter().any(|ours| crate::message::same_name(ours, name)) {
            return Err(Refused::Unfit("header field: the endpoint writes it"));
        }
    }
    Ok(())
}
