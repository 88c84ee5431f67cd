//! The client side: requests of our own, through all their attempts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::Endpoint;
use super::api::{Cause, ClientId, DialogId, Event, Failure, Outgoing, Refused, Within};
use super::wire::Path;
use super::within::{cseq_of, refreshes_target};
use crate::auth::{self, Credentials};
use crate::dialog::{Dialog, Peer, Stage};
use crate::message::{Method, Request, Response};
use crate::timer::{Timer, TimerKey};
use crate::token::Token;
use crate::transaction::COOKIE;
use crate::transaction::client::{ClientTransaction, ClientTransactionId, Heard, cancel_of};
use crate::transport::{Destination, Hop, Transport};
use crate::typed::{self, NameAddr, Uri};

/// The largest request that goes by UDP, in octets, where the path's MTU is unknown (RFC 3261 §18.1.1).
const MAX_DATAGRAM: usize = 1300;
/// How often one request is sent anew because of challenges.
const MAX_CHALLENGES: u8 = 4;

/// The address of a peer that vanished.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A request of our own.
#[derive(Debug)]
pub struct Attempt {
    purpose: Purpose,
    /// As it was last sent.
    request: Arc<Request>,
    path: Path,
    /// Where it goes when the connection that it was too large for UDP for cannot be opened.
    datagram: Option<Path>,
    local_tag: Token,
    dialog: Option<DialogId>,
    credentials: Option<Box<Credentials>>,
    challenges: u8,
    sending: Option<ClientTransactionId>,
    cancel: Cancel,
    /// The ACKs that went out for 2xx, by the To of the 2xx: an accepted INVITE remains until timer M.
    acknowledged: Vec<Acknowledged>,
}

/// What for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The user's.
    User,
    /// To end this dialog.
    Bye(DialogId),
    /// Nobody waits for the answer.
    Quiet,
}

#[derive(Debug)]
enum Cancel {
    No,
    /// Waits for a provisional response.
    Wanted,
    Sent(TimerKey),
}

#[derive(Debug)]
struct Acknowledged {
    to: String,
    hop: Hop,
    ack: Vec<u8>,
}

impl Attempt {
    pub(super) fn new(
        purpose: Purpose,
        request: Request,
        path: Path,
        local_tag: Token,
        dialog: Option<DialogId>,
        credentials: Option<Box<Credentials>>,
    ) -> Self {
        Self {
            purpose,
            request: Arc::new(request),
            path,
            datagram: None,
            local_tag,
            dialog,
            credentials,
            challenges: 0,
            sending: None,
            cancel: Cancel::No,
            acknowledged: Vec::new(),
        }
    }

    /// Whether a 2xx to the INVITE came; for the user it is over then.
    fn is_accepted(&self) -> bool {
        !self.acknowledged.is_empty()
    }

    fn is_invite(&self) -> bool {
        self.request.method == Method::INVITE
    }

    fn is_cancelled(&self) -> bool {
        !matches!(self.cancel, Cancel::No)
    }
}

impl Endpoint {
    /// A request outside of a dialog (RFC 3261 §8.1.1).
    pub(super) fn send_outside(&mut self, now: Instant, outgoing: Outgoing) -> Result<ClientId, Refused> {
        check(&outgoing)?;
        self.check_room()?;
        let path = self.wire.path(&outgoing.destination)?;
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
        self.complete(&mut request, outgoing.headers, outgoing.body);
        let credentials = outgoing.credentials.map(Box::new);
        self.launch(now, Attempt::new(Purpose::User, request, path, local_tag, None, credentials))
    }

    /// A request within a dialog (§12.2.1.1).
    pub(super) fn send_within(&mut self, now: Instant, id: DialogId, within: Within) -> Result<ClientId, Refused> {
        check_headers(&within.headers)?;
        let unfit = [Method::ACK, Method::CANCEL, Method::BYE].contains(&within.method);
        if unfit {
            return Err(Refused::Unfit("method"));
        }
        self.check_room()?;
        let dialog = self.dialogs.get(id).filter(|dialog| dialog.stage == Stage::Confirmed).ok_or(Refused::NoDialog)?;
        let invite = within.method == Method::INVITE;
        if invite && dialog.invite.is_busy() {
            return Err(Refused::Pending);
        }
        let path = self.dialog_path(id)?;
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
        self.complete(&mut request, within.headers, within.body);
        let client = self.launch(now, Attempt::new(Purpose::User, request, path, tag, Some(id), credentials))?;
        if let (Some(dialog), true) = (self.dialogs.get_mut(id), invite) {
            dialog.invite.outgoing = Some(client);
        }
        Ok(client)
    }

    /// The BYEs that the endpoint sends by itself are not refused; the dialogs bound them.
    fn check_room(&self) -> Result<(), Refused> {
        if self.attempts.len() < self.config.limits.client_transactions { Ok(()) } else { Err(Refused::Full) }
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
        let dialog = attempt.dialog;
        let id = self.attempts.insert(attempt).ok_or(Refused::Full)?;
        if let Some(dialog) = dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            dialog.clients.push(id);
        }
        self.send(now, id);
        Ok(id)
    }

    /// Sends a request of ours, in a transaction of its own each time.
    fn send(&mut self, now: Instant, id: ClientId) {
        let branch = Token::random(&mut *self.random);
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        let mut octets = address(&mut attempt.request, &self.wire.sent_by(&attempt.path), &attempt.path, &branch);
        // §18.1.1: too large for a datagram; where no connection can be had, it is tried all the same.
        if let Hop::Datagram { remote, .. } = attempt.path.hop
            && octets.len() > MAX_DATAGRAM
            && attempt.datagram.is_none()
            && let Ok(path) = self.wire.path(&Destination::address(Transport::Tcp, remote))
        {
            attempt.datagram = Some(std::mem::replace(&mut attempt.path, path));
            octets = address(&mut attempt.request, &self.wire.sent_by(&path), &path, &branch);
        }
        let hop = attempt.path.hop;
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

    fn end_client(&mut self, now: Instant, id: ClientTransactionId) {
        let Some(mut transaction) = self.clients.remove(id) else { return };
        transaction.end(&mut clock!(self, now));
        self.release_connection(id, transaction.hop);
    }

    fn release_connection(&mut self, id: ClientTransactionId, hop: Hop) {
        if let Hop::Connection(connection) = hop
            && let Some(connection) = self.wire.connection(connection)
        {
            connection.clients.remove(&id);
        }
    }

    pub(super) fn receive_response(&mut self, now: Instant, response: Response) {
        let Some(id) = self.clients.find(&response) else { return };
        let Some(transaction) = self.clients.get_mut(id) else { return };
        let heard = transaction.heard(id, &response, &mut clock!(self, now));
        let (owner, hop, over) = (transaction.owner, transaction.hop, transaction.is_over());
        if !transaction.is_open() {
            self.release_connection(id, hop);
        }
        if over {
            self.end_client(now, id);
        }
        match heard {
            Heard::Nothing => {}
            Heard::AckAgain(ack) => self.wire.transmit(hop, ack),
            Heard::Provisional => owner.into_iter().for_each(|owner| self.heard_provisional(now, owner, &response)),
            Heard::Accepted => owner.into_iter().for_each(|owner| self.heard_accepted(now, owner, &response)),
            Heard::Final { ack } => {
                ack.into_iter().for_each(|ack| self.wire.transmit(hop, ack));
                owner.into_iter().for_each(|owner| self.heard_final(now, owner, &response));
            }
        }
    }

    fn heard_provisional(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some(attempt) = self.attempts.get(id) else { return };
        if !attempt.is_invite() {
            return;
        }
        if matches!(attempt.cancel, Cancel::Wanted) {
            self.send_cancel(now, id);
        }
        if response.code > 100 {
            self.wire.event(Event::Provisional { client: id, response: Arc::new(response.clone()) });
        }
    }

    fn heard_final(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some(attempt) = self.attempts.get(id) else { return };
        if attempt.is_invite() && (200..300).contains(&response.code) {
            return self.heard_accepted(now, id, response);
        }
        if matches!(response.code, 401 | 407) && self.meet_challenge(now, id, response) {
            return;
        }
        let Some(attempt) = self.take_attempt(id) else { return };
        let code = response.code;
        match attempt.purpose {
            Purpose::Quiet => {}
            Purpose::Bye(dialog) => self.hung_up(now, dialog, Some(code)),
            Purpose::User => {
                let response = Arc::new(response.clone());
                self.wire.event(Event::Answered { client: id, response: response.clone() });
                if let Some(dialog) = attempt.dialog {
                    self.judge_within(now, dialog, &attempt.request.method, &response);
                }
            }
        }
    }

    /// What an answer within a dialog means for it (§12.2.1.2).
    fn judge_within(&mut self, now: Instant, id: DialogId, method: &Method, response: &Response) {
        let Some(dialog) = self.dialogs.get_mut(id) else { return };
        match response.code {
            200..300 if refreshes_target(method) => dialog.refresh_target(&response.headers),
            408 | 481 if dialog.stage == Stage::Confirmed => self.abandon(now, id, Cause::PeerGone),
            _ => {}
        }
    }

    /// Answers a challenge by a new transaction (§22.2, §22.3). `false` when it cannot be met.
    fn meet_challenge(&mut self, now: Instant, id: ClientId, response: &Response) -> bool {
        let cnonce = Token::random(&mut *self.random);
        let Some(attempt) = self.attempts.get_mut(id) else { return false };
        let (asks, gives) = match response.code {
            401 => ("WWW-Authenticate", "Authorization"),
            _ => ("Proxy-Authenticate", "Proxy-Authorization"),
        };
        let Some(credentials) = attempt.credentials.as_ref().filter(|_| !attempt.is_cancelled()) else { return false };
        let request = &attempt.request;
        let challenges = response.headers(asks);
        let answer = auth::answer(credentials, challenges, request.method.as_str(), &request.uri, cnonce.as_str());
        let Some(answer) = answer else { return false };
        let tried = request.header(gives).is_some();
        if attempt.challenges >= MAX_CHALLENGES || (tried && !answer.stale) {
            return false;
        }
        attempt.challenges += 1;
        let number = match attempt.dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            Some(dialog) => dialog.next_cseq(),
            None => cseq_of(&attempt.request).saturating_add(1),
        };
        let request = Arc::make_mut(&mut attempt.request);
        let cseq = format!("{number} {}", request.method);
        request.headers.set("CSeq", cseq);
        request.headers.remove(gives);
        request.headers.push(gives, answer.value);
        match attempt.path.hop {
            Hop::Connection(connection) if !self.wire.is_open(connection) => return false,
            _ => self.send(now, id),
        }
        true
    }

    /// A 2xx to an INVITE: each peer that accepts gets its ACK each time; all but the first are hung up (§13.2.2.4).
    fn heard_accepted(&mut self, now: Instant, id: ClientId, response: &Response) {
        let Some(attempt) = self.attempts.get(id) else { return };
        let to = response.header("To").unwrap_or_default();
        let within = attempt.dialog.is_some();
        if let Some(known) = attempt.acknowledged.iter().find(|known| within || known.to == to) {
            let (hop, ack) = (known.hop, known.ack.clone());
            return self.wire.transmit(hop, ack);
        }
        let (first, taken_back) = (!attempt.is_accepted(), attempt.is_cancelled() && !within);
        let Some(dialog) = self.dialog_of(id, response) else {
            return self.fail_attempt(now, id, Failure::Transport);
        };
        self.acknowledge(id, dialog, to);
        if first {
            self.settle_accepted(id, dialog);
        }
        match (first, taken_back) {
            (true, false) => {
                self.wire.event(Event::Accepted { client: id, dialog, response: Arc::new(response.clone()) });
            }
            (true, true) => {
                self.abandon_quietly(now, dialog);
                self.wire.event(Event::Failed { client: id, failure: Failure::Cancelled });
            }
            (false, _) => self.abandon_quietly(now, dialog),
        }
    }

    /// The dialog that a 2xx belongs to: the one its INVITE was sent in, or a new one.
    fn dialog_of(&mut self, id: ClientId, response: &Response) -> Option<DialogId> {
        let attempt = self.attempts.get(id)?;
        if let Some(dialog) = attempt.dialog {
            self.dialogs.get_mut(dialog)?.refresh_target(&response.headers);
            return Some(dialog);
        }
        let peer = self.peer_of(attempt);
        let mut dialog = Dialog::calling(&attempt.request, response, attempt.local_tag, peer);
        dialog.stage = Stage::Confirmed;
        dialog.credentials = attempt.credentials.clone();
        self.dialogs.insert(dialog)
    }

    fn peer_of(&self, attempt: &Attempt) -> Peer {
        let (connection, remote) = match attempt.path.hop {
            Hop::Connection(id) => (Some(id), self.wire.remote(id)),
            Hop::Datagram { remote, .. } => (None, Some(remote)),
        };
        let uri = Uri::parse(&attempt.request.uri).ok();
        let target = uri.as_ref().and_then(Uri::ip);
        Peer {
            transport: attempt.path.transport,
            local: attempt.path.local,
            remote: remote.unwrap_or(NOWHERE),
            connection,
            server_name: connection.and_then(|id| self.wire.server_name(id)).map(Box::from),
            is_translated: target != remote.map(|remote| remote.ip()),
        }
    }

    fn acknowledge(&mut self, id: ClientId, dialog: DialogId, to: &str) {
        let Ok(path) = self.dialog_path(dialog) else { return };
        let branch = Token::random(&mut *self.random);
        let (Some(attempt), Some(dialog)) = (self.attempts.get_mut(id), self.dialogs.get(dialog)) else { return };
        let mut ack = dialog.request(Method::ACK, cseq_of(&attempt.request));
        for name in ["Authorization", "Proxy-Authorization"] {
            ack.headers.copy_from(&attempt.request.headers, name);
        }
        let ack = address(&mut Arc::new(ack), &self.wire.sent_by(&path), &path, &branch);
        attempt.acknowledged.push(Acknowledged { to: to.to_owned(), hop: path.hop, ack: ack.clone() });
        self.wire.transmit(path.hop, ack);
    }

    /// The first 2xx came: the INVITE is settled, for the user and for its dialog.
    fn settle_accepted(&mut self, id: ClientId, dialog: DialogId) {
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        if let Cancel::Sent(timer) = std::mem::replace(&mut attempt.cancel, Cancel::No) {
            self.timers.stop(timer);
        }
        if let Some(dialog) = self.dialogs.get_mut(dialog) {
            dialog.clients.retain(|pending| *pending != id);
            dialog.invite.outgoing = None;
        }
    }

    /// Takes back an INVITE of ours (§9.1).
    pub(super) fn cancel_invite(&mut self, now: Instant, id: ClientId) -> Result<(), Refused> {
        let attempt = self.attempts.get_mut(id).filter(|attempt| attempt.is_invite() && !attempt.is_accepted());
        let attempt = attempt.ok_or(Refused::NoRequest)?;
        if attempt.purpose != Purpose::User || attempt.is_cancelled() {
            return Err(Refused::NoRequest);
        }
        attempt.cancel = Cancel::Wanted;
        let sending = attempt.sending.and_then(|sending| self.clients.get(sending));
        if sending.is_some_and(ClientTransaction::is_ringing) {
            self.send_cancel(now, id);
        }
        Ok(())
    }

    fn send_cancel(&mut self, now: Instant, id: ClientId) {
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
        let owner = self.clients.get(id).and_then(|transaction| transaction.owner);
        self.end_client(now, id);
        owner.into_iter().for_each(|owner| self.fail_attempt(now, owner, Failure::Timeout));
    }

    /// Timers D, K and M: nothing more is awaited.
    pub(super) fn client_is_over(&mut self, now: Instant, id: ClientTransactionId) {
        let owner = self.clients.get(id).and_then(|transaction| transaction.owner);
        self.end_client(now, id);
        owner.into_iter().for_each(|owner| drop(self.attempts.remove(owner)));
    }

    /// The connection that a request went out on is gone (§17.1.4).
    pub(super) fn client_lost_connection(&mut self, now: Instant, id: ClientTransactionId, was_open: bool) {
        let owner = self.clients.get(id).filter(|transaction| transaction.is_open()).and_then(|open| open.owner);
        self.end_client(now, id);
        let Some(owner) = owner else { return };
        let Some(attempt) = self.attempts.get_mut(owner) else { return };
        match attempt.datagram {
            Some(path) if !was_open && attempt.path != path => {
                attempt.path = path;
                self.send(now, owner);
            }
            _ => self.fail_attempt(now, owner, Failure::Transport),
        }
    }

    /// A request of ours ends without an answer.
    pub(super) fn fail_attempt(&mut self, now: Instant, id: ClientId, failure: Failure) {
        let Some(attempt) = self.take_attempt(id) else { return };
        match attempt.purpose {
            Purpose::Quiet => {}
            Purpose::Bye(dialog) => self.hung_up(now, dialog, None),
            Purpose::User => {
                self.wire.event(Event::Failed { client: id, failure });
                let confirmed = |dialog: &Dialog| dialog.stage == Stage::Confirmed;
                let dialog = attempt.dialog.filter(|dialog| self.dialogs.get(*dialog).is_some_and(confirmed));
                if let (Some(dialog), Failure::Timeout) = (dialog, failure) {
                    self.abandon(now, dialog, Cause::PeerGone);
                }
            }
        }
    }

    fn hung_up(&mut self, now: Instant, dialog: DialogId, code: Option<u16>) {
        if self.end_dialog(now, dialog).is_some() {
            self.wire.event(Event::Ended { dialog, cause: Cause::HungUp(code) });
        }
    }

    /// Takes a request away that has its end. Its transaction may remain, for repetitions.
    fn take_attempt(&mut self, id: ClientId) -> Option<Attempt> {
        let attempt = self.attempts.remove(id)?;
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
        Some(attempt)
    }
}

/// Writes the Via (RFC 3261 §18.1.1, RFC 3581 §3) and gives the octets.
fn address(request: &mut Arc<Request>, sent_by: &str, path: &Path, branch: &Token) -> Vec<u8> {
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
