//! The focus as caller (RFC 4579 §5.2, §5.5): a seat is kept for who is called, the room offers, and the answer seats them.
//!
//! A user of the domain is called at every place where it is registered, the first answer counts. Others are called where their
//! URI leads, within the networks that the node may reach, or by way of its outbound proxy. A redirection is an answer like any
//! other refusal: it is told, not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use msrp::sdp::Originator;
use room::{Address, Refusal, SeatId};
use sip::typed::Uri;
use sip::{Body, ClientId, Destination, DialogId, Failure, Headers, Method, Outgoing, Response, Transport};

use super::admission::{Caller, Matter};
use super::join::{asks_for_privacy, no_seat, own_contact, public_guest};
use super::media::Unfit;
use super::progress::ReportId;
use super::registrar::Binding;
use super::seat::{Ending, Seat, Stage, Terms};
use super::{Account, Question, Signalling, bodies};
use crate::ids::RoomId;
use crate::mail::Join;
use crate::settings::{RoomPolicy, Settings};

/// How long who is called may take to answer.
const RING_FOR: Duration = Duration::from_secs(60);
/// How many calls may be under way for a room. Beyond, 503.
const MAX_OF_ROOM: usize = 200;
/// How many calls may be under way for who wants them. Beyond, 503.
const MAX_OF_REFERRER: usize = 50;
/// How many calls may be under way at all. Beyond, 503.
const MAX_CALLS: usize = 10_000;

/// Somebody who is to be called.
pub(super) struct Invitation {
    /// Their URI, without header fields.
    pub(super) target: Uri,
    /// Further header fields of the INVITE.
    pub(super) headers: Vec<(String, String)>,
    /// Who else is invited, as a document of RFC 5364.
    pub(super) history: Option<Arc<str>>,
    /// Who wants it so.
    pub(super) referrer: Address,
    /// By what others know them: while they are private, by the URI of their seat, even after they have gone.
    pub(super) shown: String,
    /// By what those are found who want to know what comes of it.
    pub(super) report: Option<ReportId>,
}

/// All calls that have no answer yet.
#[derive(Default)]
pub(super) struct Calls {
    under_way: BTreeMap<SeatId, OutCall>,
    by_client: BTreeMap<ClientId, SeatId>,
    /// When calls begin or are given up.
    due: BTreeSet<(Instant, SeatId)>,
    /// INVITEs that were answered before they could be taken back.
    late: BTreeSet<ClientId>,
}

struct OutCall {
    room: RoomId,
    name: String,
    invitation: Invitation,
    due: Option<Instant>,
    stage: Calling,
}

/// How far a call is.
enum Calling {
    /// It has its turn later: what one source asks for goes out at its rate.
    Waiting,
    /// The world is asked whose address it is.
    Sought,
    /// The home of the room is asked for a seat.
    Reserving(Vec<Way>),
    /// INVITEs are out, and this is the best of the refusals so far.
    Ringing { forks: BTreeSet<ClientId>, best: Option<u16> },
}

/// One place to call.
#[derive(Clone)]
struct Way {
    target: String,
    route: Vec<String>,
    transport: Option<Transport>,
    destination: Destination,
}

impl Calls {
    /// When [`Signalling::calls_due`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn has(&self, seat: SeatId) -> bool {
        self.under_way.contains_key(&seat)
    }

    fn set_due(&mut self, seat: SeatId, at: Option<Instant>) {
        let Some(call) = self.under_way.get_mut(&seat) else { return };
        if let Some(before) = std::mem::replace(&mut call.due, at) {
            self.due.remove(&(before, seat));
        }
        self.due.extend(at.map(|at| (at, seat)));
    }

    fn take_client(&mut self, client: ClientId) -> Option<SeatId> {
        let seat = self.by_client.remove(&client)?;
        if let Some(Calling::Ringing { forks, .. }) = self.under_way.get_mut(&seat).map(|call| &mut call.stage) {
            forks.remove(&client);
        }
        Some(seat)
    }
}

impl Signalling {
    /// Whether so many calls more fit for a room and for who wants them.
    pub(super) fn has_room_for_calls(&self, room: RoomId, referrer: &Address, more: usize) -> Result<(), Unfit> {
        let calls = || self.calls.under_way.values();
        let of_room = calls().filter(|call| call.room == room).count();
        let of_referrer = calls().filter(|call| call.invitation.referrer == *referrer).count();
        let fits = of_room + more <= MAX_OF_ROOM
            && of_referrer + more <= MAX_OF_REFERRER
            && self.calls.under_way.len() + more <= MAX_CALLS;
        if fits { Ok(()) } else { Err(Unfit { code: 503, reason: "" }) }
    }

    /// Whether a URI can be called at all: no room, no address out of reach, no way around either.
    pub(super) fn check_callable(&self, target: &Uri, user: &Caller) -> Result<(), Unfit> {
        if !target.is_sip() {
            return Err(Unfit { code: 416, reason: "" });
        }
        let address = Address::parse(target.as_str()).map_err(|_| Unfit { code: 400, reason: "Malformed Refer-To" })?;
        const OUT_OF_REACH: Unfit = Unfit { code: 403, reason: "Out Of Reach" };
        // Also with a name of ours: whoever it leads to would be taken for the user.
        if target.param("maddr").is_some() {
            return Err(OUT_OF_REACH);
        }
        if self.settings.is_ours(address.host_without_port()) {
            let name = address.user();
            if name.is_empty() {
                return Err(Unfit { code: 404, reason: "" });
            }
            let is_room = self.is_room_to(name, user) || self.settings.rooms.factory.as_deref() == Some(name);
            let at_home = address.with_host(&self.settings.domain).unwrap_or_else(|_| address.clone());
            // Somebody may have made a room of a user's name.
            let is_user = self.registrar.is_known(&at_home);
            return if is_room && !is_user {
                Err(Unfit { code: 403, reason: "A Room Cannot Be Invited" })
            } else {
                Ok(())
            };
        }
        if target.ip().is_some_and(|address| !self.settings.may_reach(address)) {
            return Err(OUT_OF_REACH);
        }
        Ok(())
    }

    /// Calls somebody to a room, from `at` on. That it may be done has been checked.
    pub(super) fn call_out(&mut self, now: Instant, at: Instant, name: &str, invitation: Invitation) {
        let Some(room) = self.rooms.get(name).map(|entry| entry.id) else {
            return self.tell_outcome(now, invitation.report, 404);
        };
        let id = self.new_seat();
        let call = OutCall { room, name: name.to_owned(), invitation, due: None, stage: Calling::Waiting };
        self.calls.under_way.insert(id, call);
        if at > now {
            self.calls.set_due(id, Some(at));
        } else {
            self.seek_callee(now, id);
        }
    }

    /// Begins calls that have their turn, gives up those that have rung long enough.
    pub(super) fn calls_due(&mut self, now: Instant) {
        while let Some((_, id)) = self.calls.due.first().filter(|(at, _)| *at <= now).copied() {
            self.calls.set_due(id, None);
            match self.calls.under_way.get(&id).map(|call| &call.stage) {
                Some(Calling::Waiting) => self.seek_callee(now, id),
                _ => self.give_up_call(now, id, 408),
            }
        }
    }

    /// Asks whose address it is, where it is one of this domain.
    fn seek_callee(&mut self, now: Instant, id: SeatId) {
        let Some(call) = self.calls.under_way.get_mut(&id) else { return };
        let Ok(address) = Address::parse(call.invitation.target.as_str()) else {
            return self.give_up_call(now, id, 404);
        };
        if self.settings.is_ours(address.host_without_port()) {
            call.stage = Calling::Sought;
            self.ask(now, Matter::Callee(id), Question::Account { user: address.user().to_owned() });
        } else {
            let way = Way::elsewhere(&call.invitation.target);
            self.reserve(now, id, Caller::called(address, None), vec![way]);
        }
    }

    /// The world has said whose address it is, or that it is no account's.
    pub(super) fn callee_known(&mut self, now: Instant, id: SeatId, account: Option<&Account>) {
        let Some(call) = self.calls.under_way.get(&id) else { return };
        let target = &call.invitation.target;
        let at_home = Address::parse(target.as_str()).and_then(|address| address.with_host(&self.settings.domain));
        let Ok(at_home) = at_home else { return self.give_up_call(now, id, 404) };
        let scheme = if target.is_sips() { "sips:" } else { "sip:" };
        let plain = at_home.as_str().strip_prefix("sip:").and_then(|rest| Uri::parse(&format!("{scheme}{rest}")).ok());
        let callee = Caller::called(at_home, account);
        let user = callee.identity.with_host(&self.settings.domain).unwrap_or_else(|_| callee.identity.clone());
        let mut ways: Vec<Way> = self.registrar.bindings(now, &user).map(Way::registered).collect();
        if ways.is_empty() && self.settings.outbound_proxy.is_some() {
            // The users of the domain may be registered there. Whoever answers is taken for the user: so nothing goes with the
            // URI that could lead to anybody else.
            ways.extend(plain.as_ref().map(Way::elsewhere));
        }
        if ways.is_empty() {
            return self.give_up_call(now, id, 480);
        }
        self.reserve(now, id, callee, ways);
    }

    /// Asks the home of the room for a seat.
    fn reserve(&mut self, now: Instant, id: SeatId, callee: Caller, ways: Vec<Way>) {
        let Some(call) = self.calls.under_way.get(&id) else { return };
        let Some(entry) = self.rooms.get(&call.name).filter(|entry| entry.id == call.room) else {
            return self.give_up_call(now, id, 404);
        };
        let Some(secure) = offers_tls(&self.settings, &entry.policy) else { return self.give_up_call(now, id, 488) };
        if !entry.admits(&callee) {
            return self.give_up_call(now, id, 403);
        }
        let is_muted = entry.standing.silences(&callee.known_as());
        let invited_by = call.invitation.shown.clone();
        let (room, home, policy, name) = (entry.id, entry.home, entry.policy.clone(), call.name.clone());
        let transport = ways.iter().find_map(|way| way.transport);
        if let Some(call) = self.calls.under_way.get_mut(&id) {
            call.stage = Calling::Reserving(ways);
        }
        let terms = Terms::Wanted { secure };
        let (media, capabilities) = terms.of_caller(&policy);
        let user = Arc::new(callee);
        let guest = public_guest(&user, capabilities);
        let seat = Seat {
            room,
            identity: guest.identity.clone(),
            is_private: false,
            is_muted,
            is_outdated: false,
            invited_by: Some(invited_by),
            name: name.clone(),
            home,
            policy,
            user,
            media: terms,
            session: String::new(),
            offers: 0,
            undialed: false,
            contact: own_contact(&self.settings, &name, transport),
            originator: Originator::new(id.0 << 2, &self.settings.domain),
            stage: Stage::Calling,
        };
        self.take_seat(seat, Join { room, seat: id, guest, media, replaces: None });
    }

    /// By what others know somebody: who is private, by the URI of their seat.
    pub(super) fn shown_as(&self, room: RoomId, user: &Address) -> String {
        let private = self.seats_of(room, user).find(|seat| seat.is_private);
        private.map_or(user, |seat| &seat.identity).as_str().to_owned()
    }

    /// The home keeps a seat: the INVITEs go out.
    pub(super) fn ring(&mut self, now: Instant, id: SeatId, session: &str) {
        let (Some(call), Some(seat)) = (self.calls.under_way.get_mut(&id), self.seats.get_mut(&id)) else { return };
        let stage = Calling::Ringing { forks: BTreeSet::new(), best: None };
        let Calling::Reserving(ways) = std::mem::replace(&mut call.stage, stage) else { return };
        let Some(offer) = seat.describe(&self.settings, session) else { return self.give_up_call(now, id, 500) };
        let subject = self.rooms.get(&seat.name).and_then(|entry| entry.subject.clone());
        let invite = invitation(&call.invitation, seat, id, &self.settings, subject.as_deref(), offer);
        let mut sent = Vec::new();
        for Way { target, route, destination, .. } in ways {
            let outgoing = Outgoing { target: target.clone(), route, destination, ..invite.clone() };
            // A flow that is gone: it may be that who registered over it is where its Contact says.
            let elsewhere = Outgoing { target, destination: Destination::Located, ..outgoing.clone() };
            let client = self.endpoint.invite(now, outgoing).or_else(|_| self.endpoint.invite(now, elsewhere));
            sent.extend(client);
        }
        if sent.is_empty() {
            return self.give_up_call(now, id, 503);
        }
        self.calls.by_client.extend(sent.iter().map(|client| (*client, id)));
        if let Some(Calling::Ringing { forks, .. }) = self.calls.under_way.get_mut(&id).map(|call| &mut call.stage) {
            forks.extend(sent);
        }
        self.calls.set_due(id, Some(now + RING_FOR));
    }

    /// The home has no seat for who is to be called.
    pub(super) fn no_seat_for_callee(&mut self, now: Instant, id: SeatId, refusal: Refusal) {
        // Who is there in private is as out of reach as somebody who is not registered: nothing else may be told of them.
        let is_hidden = refusal == Refusal::AlreadyPresent && self.is_there_in_private_alone(id);
        self.give_up_call(now, id, if is_hidden { 480 } else { no_seat(refusal).code });
    }

    fn is_there_in_private_alone(&self, callee: SeatId) -> bool {
        let Some(seat) = self.seats.get(&callee) else { return false };
        let mut others =
            self.seats_of(seat.room, &seat.user.identity).filter(|seat| !seat.is_being_called()).peekable();
        others.peek().is_some() && others.all(|seat| seat.is_private)
    }

    /// Whoever comes of their own accord need not be called any more, and is kept out by no call (threat T18).
    pub(super) fn call_no_more(&mut self, now: Instant, name: &str, user: &Caller) {
        for id in self.seats_in(name, |seat| seat.is_being_called() && seat.user.is_same(user)) {
            self.give_up_call(now, id, 486);
        }
    }

    /// A place that was called says how far it is.
    pub(super) fn callee_rings(&mut self, now: Instant, client: ClientId, response: &Response) {
        let call = self.calls.by_client.get(&client).and_then(|id| self.calls.under_way.get(id));
        if let Some(report) = call.and_then(|call| call.invitation.report) {
            self.tell_progress(now, report, response.code);
        }
    }

    /// Somebody has taken the call: the others are taken back, and seat and dialog belong together.
    pub(super) fn callee_accepted(&mut self, now: Instant, client: ClientId, dialog: DialogId, response: &Response) {
        if self.calls.late.remove(&client) {
            if self.endpoint.bye(now, dialog, Some(Ending::Unneeded.reason())).is_ok() {
                self.ending.insert(dialog);
            }
            return;
        }
        let Some(id) = self.calls.take_client(client) else { return };
        // A call that rings has its seat.
        let (call, seat) = (self.drop_call(now, id), self.seats.get_mut(&id));
        let (Some(OutCall { invitation, .. }), Some(seat)) = (call, seat) else { return };
        seat.stage = Stage::Seated { dialog, reoffer: None };
        self.dialogs.insert(dialog, id);
        let answer = bodies::session(&response.headers, &response.body).unwrap_or_default();
        // The others know already who is called; whoever wants privacy has to come of their own accord.
        let taken = if asks_for_privacy(&response.headers) { None } else { Some(self.answer_taken(now, id, &answer)) };
        let code = match taken {
            None => {
                self.hang_up(now, id, Ending::NotInPrivate);
                433
            }
            Some(Ok(())) => {
                self.fetch_media(now, id);
                200
            }
            Some(Err(unfit)) => {
                self.hang_up(now, id, Ending::NoAnswer);
                unfit.code
            }
        };
        self.tell_outcome(now, invitation.report, code);
    }

    /// A place that was called has refused. Where one refuses for all places (RFC 3261 §16.7 step 5), or none is left, that is it.
    pub(super) fn callee_refused(&mut self, now: Instant, client: ClientId, code: u16) {
        self.calls.late.remove(&client);
        let Some(id) = self.calls.take_client(client) else { return };
        let Some(call) = self.calls.under_way.get_mut(&id) else { return };
        let Calling::Ringing { forks, best } = &mut call.stage else { return };
        let better = best.map_or(code, |best| best.min(code));
        *best = Some(better);
        if code >= 600 {
            self.give_up_call(now, id, code);
        } else if forks.is_empty() {
            self.give_up_call(now, id, better);
        }
    }

    /// A place that was called has not answered.
    pub(super) fn callee_silent(&mut self, now: Instant, client: ClientId, failure: Failure) {
        let code = match failure {
            Failure::Timeout => 408,
            Failure::Cancelled | Failure::DialogOver => 487,
            Failure::Transport => 503,
        };
        self.callee_refused(now, client, code);
    }

    /// The call comes to nothing.
    pub(super) fn give_up_call(&mut self, now: Instant, id: SeatId, code: u16) {
        let Some(call) = self.drop_call(now, id) else { return };
        self.vacate(now, id, None);
        self.tell_outcome(now, call.invitation.report, code);
    }

    /// The node ends: nobody is called any more.
    pub(super) fn give_up_all_calls(&mut self, now: Instant) {
        for id in self.calls.under_way.keys().copied().collect::<Vec<_>>() {
            self.give_up_call(now, id, 503);
        }
    }

    /// Forgets a call, and takes back the INVITEs of it that are still out.
    fn drop_call(&mut self, now: Instant, id: SeatId) -> Option<OutCall> {
        self.calls.set_due(id, None);
        let call = self.calls.under_way.remove(&id)?;
        if let Calling::Ringing { forks, .. } = &call.stage {
            for client in forks {
                self.calls.by_client.remove(client);
                if self.endpoint.cancel(now, *client).is_err() {
                    self.calls.late.insert(*client);
                }
            }
        }
        Some(call)
    }
}

impl Caller {
    /// Somebody who is called: known by the account's address where there is one, else by the URI that is called.
    fn called(target: Address, account: Option<&Account>) -> Self {
        let mut known = account.iter().flat_map(|account| super::admission::addresses(account));
        let identity = known.next().unwrap_or_else(|| target.clone());
        let mut aliases: Vec<Address> = known.collect();
        if target != identity && !aliases.contains(&target) {
            aliases.push(target);
        }
        Self { identity, aliases, display_name: None }
    }
}

impl Way {
    /// Where a URI leads.
    fn elsewhere(target: &Uri) -> Self {
        let destination = Destination::Located;
        Self { target: target.to_string(), route: Vec::new(), transport: None, destination }
    }

    /// The way that a REGISTER came, back.
    fn registered(binding: &Binding) -> Self {
        let Binding { uri, path, flow, .. } = binding;
        let destination = match flow.connection {
            Some(connection) => Destination::Connection(connection),
            None => {
                // Behind a translator only where it was seen counts; else it listens where it says.
                let own = path.is_empty() && uri.ip() == Some(flow.remote.ip());
                let port = if own { uri.port().unwrap_or(Transport::Udp.default_port()) } else { flow.remote.port() };
                Destination::address(Transport::Udp, (flow.remote.ip(), port).into())
            }
        };
        let route = path.clone();
        Self { target: uri.to_string(), route, transport: Some(flow.transport), destination }
    }
}

/// The INVITE of a room, but for where it goes.
fn invitation(
    invitation: &Invitation,
    seat: &Seat,
    id: SeatId,
    settings: &Settings,
    subject: Option<&str>,
    offer: String,
) -> Outgoing {
    // A user's own focus calls as the user, whom alone the callee and the proxies on the way know.
    let own = match &settings.owner {
        Some(owner) => format!("<{}>", owner.uri),
        None => format!("<sip:{}@{}>", seat.name, settings.domain),
    };
    let to = format!("<{}>", invitation.target);
    let mut invite = Outgoing::new(Method::INVITE, invitation.target.as_str(), own, to, Destination::Located)
        .contact(seat.contact.clone())
        .header("Expires", RING_FOR.as_secs().to_string());
    invite.credentials.extend(settings.owner.as_ref().and_then(|owner| owner.credentials.clone()));
    invite.headers.extend(invitation.headers.iter().cloned());
    if let (Some(subject), false) = (subject, invite.headers.iter().any(|(name, _)| name == "Subject")) {
        invite = invite.header("Subject", subject);
    }
    let listed = invitation.history.as_ref().and_then(|history| with_history(&offer, history, id));
    invite.body = Some(listed.unwrap_or_else(|| Body { content_type: "application/sdp".into(), octets: offer.into() }));
    invite
}

/// The offer, and who else is invited (RFC 5366 §5.2, RFC 5364).
fn with_history(offer: &str, history: &str, id: SeatId) -> Option<Body> {
    let mut of_offer = Headers::default();
    of_offer.push("Content-Type", "application/sdp");
    let mut of_history = Headers::default();
    of_history.push("Content-Type", "application/resource-lists+xml");
    of_history.push("Content-Disposition", "recipient-list-history; handling=optional");
    let parts = [(of_offer, offer.as_bytes()), (of_history, history.as_bytes())];
    sip::multipart::write("mixed", &format!("seat-{}", id.0), &parts)
}

/// Whether the room offers media over TLS: where it must, or has nothing else. `None`: it has no TLS and must.
fn offers_tls(settings: &Settings, policy: &RoomPolicy) -> Option<bool> {
    let wanted = policy.room.force_tls || settings.media.tcp.is_none();
    (!wanted || settings.media.tls.is_some()).then_some(wanted)
}
