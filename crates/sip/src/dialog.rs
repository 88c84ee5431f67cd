//! Dialogs (RFC 3261 §12): what two user agents share beyond one request.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;

use crate::auth::Credentials;
use crate::endpoint::{ClientId, TransactionId};
use crate::message::{Headers, Method, Request, Response};
use crate::slots::{Id, Slots};
use crate::token::Token;
use crate::transport::{ConnectionId, Source, Transport};
use crate::typed::{self, CSeq, Uri, Via};
use crate::usage::invite::Invite;
use crate::usage::timer::SessionTimer;

/// A handle to a dialog.
pub type DialogId = Id<Dialog>;

/// What is kept of a dialog. The texts are as they go into its requests.
#[derive(Debug)]
pub struct Dialog {
    call_id: Box<str>,
    local: Box<str>,
    remote: Box<str>,
    local_tag: Token,
    remote_target: Box<str>,
    routes: Vec<Box<str>>,
    /// Our Contact.
    pub(crate) contact: Box<str>,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: Option<u32>,
    pub(crate) peer: Peer,
    pub(crate) credentials: Arc<[Credentials]>,
    pub(crate) stage: Stage,
    /// Whether we made the Call-ID.
    pub(crate) is_caller: bool,
    /// Usages beside the session (RFC 5057).
    pub(crate) holds: u16,
    /// The INVITE usage.
    pub(crate) invite: Invite,
    /// The session timer, where one was agreed on.
    pub(crate) timer: Option<Box<SessionTimer>>,
    /// The largest Min-SE that the peer asked for, in seconds (RFC 4028 §7.4).
    pub(crate) min_se: u32,
    /// Whether the peer said that it takes UPDATE.
    pub(crate) allows_update: bool,
    /// Requests of ours in it that have no final answer.
    pub(crate) clients: Vec<ClientId>,
    /// Requests of the peer in it that have no final answer.
    pub(crate) servers: Vec<TransactionId>,
}

/// How far a dialog is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// By a provisional response; known to the user only where a request came in it.
    Early,
    /// By a 2xx to an INVITE.
    Confirmed,
    /// The user hung up; the BYE is under way or waits for the ACK.
    Ending,
    /// Without a session, for other usages alone.
    Held,
}

/// Where the peer was seen, for requests to it.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) transport: Transport,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: SocketAddr,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) server_name: Option<Box<str>>,
    /// The peer does not know the address that it is seen at, so that its Contact is of no use either.
    pub(crate) is_translated: bool,
}

impl Dialog {
    /// The Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The connection on which the peer was seen last, if it is one: its requests go there while it lasts.
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionId> {
        self.peer.connection
    }

    /// Our Contact, a header field value.
    #[must_use]
    pub fn contact(&self) -> &str {
        &self.contact
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> &str {
        self.local_tag.as_str()
    }

    /// The peer's tag; empty for a peer of RFC 2543 that has none.
    #[must_use]
    pub fn remote_tag(&self) -> &str {
        typed::tag(&self.remote).unwrap_or_default()
    }

    /// Our own URI, from To of the peer's request or From of ours.
    #[must_use]
    pub fn local_uri(&self) -> &str {
        typed::uri_text(&self.local).unwrap_or_default()
    }

    /// The peer's URI, from From of its request or To of ours.
    #[must_use]
    pub fn remote_uri(&self) -> &str {
        typed::uri_text(&self.remote).unwrap_or_default()
    }

    /// The URI of the peer's newest Contact.
    #[must_use]
    pub fn remote_target(&self) -> &str {
        &self.remote_target
    }

    /// The Route values of requests to the peer, nearest first.
    pub fn routes(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(|route| &**route)
    }

    /// Whether a request comes from where the peer was seen last: over that connection, or in a datagram from that address.
    #[must_use]
    pub fn is_from_peer(&self, source: &Source) -> bool {
        match source.connection {
            Some(connection) => self.peer.connection == Some(connection),
            None => self.peer.connection.is_none() && self.peer.remote == source.remote,
        }
    }

    /// The dialog that a response with `to_tag` to this request makes (RFC 3261 §12.1.1).
    pub(crate) fn called(request: &Request, to_tag: Token, source: &Source) -> Self {
        let header = |name| request.header(name).unwrap_or_default();
        let mut local = header("To").to_owned();
        if typed::tag(&local).is_none() {
            local = format!("{local};tag={}", to_tag.as_str());
        }
        Self {
            call_id: header("Call-ID").into(),
            local: local.into(),
            remote: header("From").into(),
            local_tag: to_tag,
            remote_target: target_of(&request.headers).unwrap_or_else(|| uri_of(header("From"))),
            routes: request.headers.list("Record-Route").map(Box::from).collect(),
            contact: Box::default(),
            // Any start below 2^31 is good; a low one leaves room.
            local_cseq: 0,
            remote_cseq: CSeq::parse(header("CSeq")).ok().map(|cseq| cseq.number),
            peer: Peer::of_request(request, source),
            credentials: Arc::default(),
            stage: Stage::Early,
            is_caller: false,
            holds: 0,
            timer: None,
            min_se: 0,
            allows_update: false,
            invite: Invite::default(),
            clients: Vec::new(),
            servers: Vec::new(),
        }
    }

    /// The dialog that a response to this request of ours makes (RFC 3261 §12.1.2). `local_tag` is that of its From.
    pub(crate) fn calling(request: &Request, response: &Response, local_tag: Token, peer: Peer) -> Self {
        let header = |name| request.header(name).unwrap_or_default();
        let contact = request.headers.list("Contact").next().unwrap_or_default();
        Self {
            call_id: header("Call-ID").into(),
            local: header("From").into(),
            remote: response.header("To").unwrap_or_default().into(),
            local_tag,
            remote_target: target_of(&response.headers).unwrap_or_else(|| request.uri.as_str().into()),
            routes: routes_of(response),
            contact: contact.into(),
            local_cseq: CSeq::parse(header("CSeq")).map_or(0, |cseq| cseq.number),
            remote_cseq: None,
            peer,
            credentials: Arc::default(),
            stage: Stage::Early,
            is_caller: true,
            holds: 0,
            timer: None,
            min_se: 0,
            allows_update: false,
            invite: Invite::default(),
            clients: Vec::new(),
            servers: Vec::new(),
        }
    }

    /// Whether it was made by a request that is no INVITE and was not answered yet.
    pub(crate) fn is_new(&self) -> bool {
        self.stage == Stage::Early && self.invite.incoming.is_none() && self.invite.outgoing.is_none()
    }

    /// Whether a request is taken as things stand.
    pub(crate) fn takes(&self, method: &Method) -> bool {
        match self.stage {
            Stage::Early | Stage::Confirmed => true,
            Stage::Ending => *method == Method::BYE || (self.holds > 0 && !is_of_session(method)),
            Stage::Held => !is_of_session(method),
        }
    }

    /// Takes the peer's Contact as the remote target from now on (§12.2.1.2, §12.2.2).
    pub(crate) fn refresh_target(&mut self, headers: &Headers) {
        if let Some(target) = target_of(headers) {
            self.remote_target = target;
        }
    }

    /// A request that refreshes the target was answered by a 2xx: the peer is where it came from.
    pub(crate) fn refresh(&mut self, request: &Request, source: &Source) {
        self.refresh_target(&request.headers);
        let server_name = self.peer.server_name.take();
        self.peer = Peer { server_name, ..Peer::of_request(request, source) };
    }

    /// The 2xx that makes an early dialog a confirmed one; its route set is the one that counts (§13.2.2.4).
    pub(crate) fn confirm(&mut self, response: &Response) {
        self.routes = routes_of(response);
        self.refresh_target(&response.headers);
        self.stage = Stage::Confirmed;
    }

    /// A request in this dialog (§12.2.1.1), its Via left empty.
    pub(crate) fn request(&self, method: Method, cseq: u32) -> Request {
        let strict = self.routes.first().filter(|route| !is_loose(route));
        let uri = strict.map_or(&*self.remote_target, |route| typed::uri_text(route).unwrap_or_default());
        let mut request = Request::new(method, uri);
        let headers = &mut request.headers;
        headers.push("Via", "");
        for route in self.routes.iter().skip(usize::from(strict.is_some())) {
            headers.push("Route", &**route);
        }
        if strict.is_some() {
            headers.push("Route", format!("<{}>", self.remote_target));
        }
        headers.push("Max-Forwards", "70");
        headers.push("From", &*self.local);
        headers.push("To", &*self.remote);
        headers.push("Call-ID", &*self.call_id);
        headers.push("CSeq", format!("{cseq} {}", request.method));
        request
    }

    /// The URI that says where the next request goes: the first route's, or the remote target.
    pub(crate) fn next_hop(&self) -> Option<Uri> {
        let text = self.routes.first().map_or(Ok(&*self.remote_target), |route| typed::uri_text(route));
        Uri::parse(text.unwrap_or_default()).ok()
    }

    /// Whether the Contact is known to lead nowhere, and no proxy asked to be in between.
    pub(crate) fn is_translated(&self) -> bool {
        self.peer.is_translated && self.routes.is_empty()
    }

    pub(crate) fn tag(&self) -> Token {
        self.local_tag
    }

    pub(crate) fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }
}

impl Peer {
    fn of_request(request: &Request, source: &Source) -> Self {
        let top = request.headers.list("Via").next().and_then(|top| Via::parse(top).ok());
        let host = top.and_then(|via| via.host.trim_matches(['[', ']']).parse().ok());
        Self {
            transport: source.transport,
            local: Some(source.local),
            remote: source.remote,
            connection: source.connection,
            server_name: None,
            is_translated: host != Some(source.remote.ip()),
        }
    }
}

/// The requests that belong to a session and to nothing else (RFC 5057 §5.3).
pub(crate) fn is_of_session(method: &Method) -> bool {
    [Method::INVITE, Method::BYE, Method::UPDATE, Method::INFO, Method::PRACK].contains(method)
}

/// The requests whose Contact is the peer's new remote target (RFC 3261 §12.2, RFC 3311 §5.1, RFC 6665 §4.4.1, RFC 3515).
pub(crate) fn refreshes_target(method: &Method) -> bool {
    [Method::INVITE, Method::UPDATE, Method::SUBSCRIBE, Method::NOTIFY, Method::REFER].contains(method)
}

fn routes_of(response: &Response) -> Vec<Box<str>> {
    let mut routes: Vec<Box<str>> = response.headers.list("Record-Route").map(Box::from).collect();
    routes.reverse();
    routes
}

fn target_of(headers: &Headers) -> Option<Box<str>> {
    let text = typed::uri_text(headers.list("Contact").next()?).ok()?;
    Uri::parse(text).is_ok().then(|| text.into())
}

fn uri_of(value: &str) -> Box<str> {
    typed::uri_text(value).unwrap_or_default().into()
}

/// Whether a route names a loose router (RFC 3261 §19.1.1, `lr`).
fn is_loose(route: &str) -> bool {
    let uri = typed::uri_text(route).ok().and_then(|text| Uri::parse(text).ok());
    uri.is_some_and(|uri| uri.param("lr").is_some())
}

/// All dialogs.
pub(crate) struct Dialogs {
    slots: Slots<Dialog>,
    /// Found by our own tag: nobody else can choose it, so that no peer shapes this index.
    by_tag: BTreeSet<(Token, DialogId)>,
}

impl Dialogs {
    pub(crate) fn new(limit: usize) -> Self {
        Self { slots: Slots::new(limit), by_tag: BTreeSet::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.slots.is_full()
    }

    pub(crate) fn insert(&mut self, dialog: Dialog) -> Option<DialogId> {
        let tag = dialog.local_tag;
        let id = self.slots.insert(dialog)?;
        self.by_tag.insert((tag, id));
        Some(id)
    }

    pub(crate) fn remove(&mut self, id: DialogId) -> Option<Dialog> {
        let dialog = self.slots.remove(id)?;
        self.by_tag.remove(&(dialog.local_tag, id));
        Some(dialog)
    }

    pub(crate) fn get(&self, id: DialogId) -> Option<&Dialog> {
        self.slots.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: DialogId) -> Option<&mut Dialog> {
        self.slots.get_mut(id)
    }

    /// The dialog with these three (§12): tags are compared without regard to case.
    pub(crate) fn find(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> Option<DialogId> {
        let tag = Token::read(local_tag)?;
        let from = (tag, DialogId::FIRST);
        let same_tag = self.by_tag.range((Bound::Included(from), Bound::Unbounded)).take_while(|(of, _)| *of == tag);
        same_tag.map(|(_, id)| *id).find(|id| {
            self.slots.get(*id).is_some_and(|dialog| {
                *dialog.call_id == *call_id && dialog.remote_tag().eq_ignore_ascii_case(remote_tag)
            })
        })
    }
}
