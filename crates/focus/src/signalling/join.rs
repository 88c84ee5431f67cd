//! Joining and leaving (RFC 7701 §5.2, §5.3): an INVITE, a seat at the room's home, a dialog.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use msrp::sdp::{Origin, Originator};
use room::{Capabilities, Guest, Refusal, SeatId};
use sip::{Answer, ClientId, DialogId, Method, Request, Response, Source, TransactionId, Transport, Within};

use super::admission::{Call, Caller, Matter, Purpose};
use super::media::{Agreed, Callee, Proposal, Unfit};
use super::rooms::{NoRoom, room_name};
use super::{METHODS, Question, Signalling, media, registrar};
use crate::ids::{RoomId, WorkerId};
use crate::mail::{Cause, Join, Letter, Peer};
use crate::settings::{Create, Media, RoomPolicy, Settings};

/// A seat, from the INVITE that asks for it to the end of its dialog.
pub(super) struct Seat {
    room: RoomId,
    name: String,
    home: WorkerId,
    policy: Arc<RoomPolicy>,
    media: Terms,
    /// The session-id that the last description named.
    session: String,
    /// Counts the offers that its home is told of.
    offers: u64,
    /// If the caller waits to be connected to, that has yet to be done for this session.
    undialed: bool,
    contact: String,
    originator: Originator,
    stage: Stage,
}

/// How far the two sides are with the media.
enum Terms {
    /// The caller has offered, and the room takes it; or the other way round.
    Agreed(Box<Agreed>),
    /// The caller wants an offer, with TLS or without.
    Wanted { secure: bool },
    /// It has got one, and owes the answer in its ACK. What was agreed before, if anything, stays until then.
    Proposed { proposal: Proposal, before: Option<Box<Agreed>> },
}

impl Terms {
    /// The caller's side of the session, as far as it is known: a path that is not known is empty.
    fn of_caller(&self) -> (Peer, Capabilities) {
        let unknown = |secure| Peer { path: "".into(), secure, max_size: None, speaks: true };
        match self {
            Self::Agreed(agreed) => (agreed.peer(), agreed.capabilities()),
            Self::Wanted { secure } => (unknown(*secure), Capabilities::default()),
            Self::Proposed { .. } => (unknown(false), Capabilities::default()),
        }
    }
}

impl Seat {
    /// The 200 to the last offer, or to the wish for one. Its description has the version of the one before, if it says the same
    /// (RFC 4975 §8.4).
    fn answer(&mut self, settings: &Settings, session: &str) -> Option<Answer> {
        let Self { policy, originator, .. } = self;
        self.undialed |= self.session != session;
        session.clone_into(&mut self.session);
        let own_path = |secure| crate::switch::own_path(&settings.media, secure, session);
        let body = match &self.media {
            Terms::Agreed(agreed) => {
                let own_path = own_path(agreed.peer().secure);
                originator.describe(|origin| agreed.answer(&own_path, origin, policy, settings.max_message))
            }
            Terms::Wanted { secure } => {
                let own_path = own_path(*secure);
                let write = |origin: &Origin| media::offer(&own_path, origin, policy, settings.max_message);
                let text = originator.describe(|origin| write(origin).unwrap_or_default());
                let proposal = Proposal::read(&text)?;
                self.media = Terms::Proposed { proposal, before: None };
                text
            }
            Terms::Proposed { .. } => return None,
        };
        Some(self.accepted(body))
    }

    /// The room offers what is.
    fn offer_again(&mut self, settings: &Settings) -> Option<String> {
        let Terms::Agreed(agreed) = &self.media else { return None };
        let own_path = crate::switch::own_path(&settings.media, agreed.peer().secure, &self.session);
        let (policy, max_message) = (&self.policy, settings.max_message);
        let text = self.originator.describe(|origin| agreed.offer_again(&own_path, origin, policy, max_message));
        let proposal = Proposal::read(&text)?;
        let media = std::mem::replace(&mut self.media, Terms::Wanted { secure: false });
        let before = if let Terms::Agreed(agreed) = media { Some(agreed) } else { None };
        self.media = Terms::Proposed { proposal, before };
        Some(text)
    }

    fn accepted(&self, body: String) -> Answer {
        Answer::new(200).contact(self.contact.clone()).body("application/sdp", body)
    }

    /// Where the caller waits to be connected to, if it does.
    fn callee(&self) -> Option<Callee> {
        match &self.media {
            Terms::Agreed(agreed) => agreed.callee(),
            Terms::Wanted { .. } | Terms::Proposed { .. } => None,
        }
    }
}

enum Stage {
    /// The home has been asked for it.
    Joining { transaction: TransactionId, subject: Option<Arc<str>> },
    /// It has a dialog, in which perhaps a later offer waits for its home.
    Seated { dialog: DialogId, reoffer: Option<Box<Reoffer>> },
}

/// A later offer in the dialog of a seat.
struct Reoffer {
    transaction: TransactionId,
    agreed: Agreed,
    /// Tells it from others in the dialog.
    number: u64,
    /// Whether it came with an UPDATE (RFC 3311), not with an INVITE.
    update: bool,
}

/// Why the focus ends a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The switch gave the seat up.
    Switch(Cause),
    /// The node ends.
    ShutDown,
    /// The room's offer has got no answer that can be taken.
    NoAnswer,
}

impl Ending {
    /// The value of the Reason header field of the BYE (RFC 3326).
    fn reason(self) -> &'static str {
        match self {
            Self::Switch(Cause::NotBound) => "SIP;cause=408;text=\"No MSRP connection came\"",
            Self::Switch(Cause::ConnectionLost) => "SIP;cause=503;text=\"The MSRP connection is lost\"",
            Self::Switch(Cause::TooSlow) => "SIP;cause=503;text=\"The MSRP connection is too slow\"",
            Self::Switch(Cause::RoomClosed) => "SIP;cause=410;text=\"The room is closed\"",
            Self::Switch(Cause::CreatorLeft) => "SIP;cause=410;text=\"The room has ended with its creator\"",
            Self::NoAnswer => "SIP;cause=488;text=\"No acceptable answer came\"",
            Self::ShutDown => "SIP;cause=503;text=\"The server is shutting down\"",
        }
    }
}

/// How many addresses of a participant are tried.
const MAX_ADDRESSES: usize = 4;
const NOT_FOUND: Unfit = Unfit { code: 404, reason: "" };
const NO_DIALOG: Unfit = Unfit { code: 481, reason: "" };

impl Signalling {
    /// The caller is known: on to the room.
    pub(super) fn admitted(&mut self, now: Instant, call: &Call, caller: Caller) {
        let result = match call.purpose {
            Purpose::Join => self.ask_for_seat(call, caller),
            Purpose::Register => self.register(now, call, &caller),
            Purpose::Options => self.tell_of_room(now, call),
        };
        if let Err(unfit) = result {
            self.refuse(now, call.transaction, unfit);
        }
    }

    fn refuse(&mut self, now: Instant, transaction: TransactionId, Unfit { code, reason }: Unfit) {
        if code == 503 {
            return self.refuse_for_now(now, transaction);
        }
        let answer = Answer::new(code);
        let answer = if reason.is_empty() { answer } else { answer.reason(reason) };
        let answer = if code == 423 { answer.header("Min-Expires", registrar::min_expires()) } else { answer };
        self.respond(now, transaction, answer);
    }

    /// Asks the home of a room for a seat. The room is made, if it must be, only for an offer that it takes.
    fn ask_for_seat(&mut self, call: &Call, caller: Caller) -> Result<(), Unfit> {
        if wants_privacy(&call.request) {
            // To be seated under one's own name against one's wish would be worse.
            return Err(Unfit { code: 433, reason: "Anonymity Disallowed" });
        }
        let name = room_name(&self.settings, &call.request.uri).ok_or(NOT_FOUND)?;
        let terms = match self.rooms.get(&name) {
            Some(entry) => self.terms(call, &entry.policy)?,
            None if self.settings.rooms.create == Create::Nobody => return Err(NOT_FOUND),
            None => self.terms(call, &self.settings.rooms.defaults)?,
        };
        self.find_or_open(&name, &caller.identity).map_err(no_room)?;
        let entry = self.rooms.get(&name).ok_or(NOT_FOUND)?;
        let (room, home, policy, subject) = (entry.id, entry.home, entry.policy.clone(), entry.subject.clone());
        self.next_seat = self.next_seat.wrapping_add(1);
        let id = SeatId(self.next_seat);
        let (media, capabilities) = terms.of_caller();
        let seat = Seat {
            room,
            name: name.clone(),
            home,
            policy,
            media: terms,
            session: String::new(),
            offers: 0,
            undialed: false,
            contact: contact(&self.settings, &call.request.uri, &call.source, &name),
            // Its two lowest bits are not used.
            originator: Originator::new(self.next_seat << 2, &self.settings.domain),
            stage: Stage::Joining { transaction: call.transaction, subject },
        };
        self.rooms.seat_taken(&name);
        self.seats.insert(id, seat);
        self.joining.insert(call.transaction, id);
        let Caller { identity, aliases, display_name } = caller;
        let guest = Guest { identity, account: None, aliases, display_name, capabilities };
        self.post(home, Letter::Join(Box::new(Join { room, seat: id, guest, media })));
        Ok(())
    }

    /// What an INVITE says of the media: an offer, or the wish for one.
    fn terms(&self, call: &Call, policy: &RoomPolicy) -> Result<Terms, Unfit> {
        if !call.request.body.is_empty() {
            let agreed = Agreed::on(&call.request.body, &self.settings, policy)?;
            return Ok(Terms::Agreed(Box::new(agreed)));
        }
        let Media { tcp, tls } = &self.settings.media;
        let asked = policy.room.force_tls || call.source.transport == Transport::Tls || tcp.is_none();
        if policy.room.force_tls && tls.is_none() {
            return Err(Unfit { code: 488, reason: "No Such Transport" });
        }
        Ok(Terms::Wanted { secure: asked && tls.is_some() })
    }

    /// An OPTIONS gets what an INVITE would, as far as its room decides (RFC 3261 §11.2).
    fn tell_of_room(&mut self, now: Instant, call: &Call) -> Result<(), Unfit> {
        let name = room_name(&self.settings, &call.request.uri).ok_or(NOT_FOUND)?;
        if self.rooms.get(&name).is_none() && self.settings.rooms.create == Create::Nobody {
            return Err(NOT_FOUND);
        }
        let contact = contact(&self.settings, &call.request.uri, &call.source, &name);
        self.respond(now, call.transaction, Answer::new(200).contact(contact));
        Ok(())
    }

    /// The home has given a seat: the INVITE is answered, and seat and dialog belong together.
    pub(super) fn joined(&mut self, now: Instant, id: SeatId, session: &str) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let Stage::Joining { transaction, subject } = &seat.stage else { return };
        let (transaction, subject) = (*transaction, subject.clone());
        let Some(answer) = seat.answer(&self.settings, session) else { return };
        let answer = match subject {
            Some(subject) => answer.header("Subject", &*subject),
            None => answer,
        };
        self.joining.remove(&transaction);
        match (self.endpoint.accept(now, transaction, answer), self.seats.get_mut(&id)) {
            (Ok(dialog), Some(seat)) => {
                seat.stage = Stage::Seated { dialog, reoffer: None };
                self.dialogs.insert(dialog, id);
            }
            _ => {
                self.refuse_for_now(now, transaction);
                self.vacate(id);
            }
        }
    }

    /// The caller has its answer, and has said so: where it waits to be connected to, that is done now.
    /// Where the room has made the offer, the answer is in the ACK (RFC 3261 §13.2.2.4).
    pub(super) fn acknowledged(&mut self, now: Instant, dialog: DialogId, ack: &Request) {
        let Some(id) = self.dialogs.get(&dialog).copied() else { return };
        if self.answer_taken(id, &ack.body).is_err() {
            return self.hang_up(now, id, Ending::NoAnswer);
        }
        let Some(seat) = self.seats.get_mut(&id) else { return };
        if !std::mem::take(&mut seat.undialed) {
            return;
        }
        let Some(Callee { host, port }) = seat.callee() else { return };
        match host.parse::<IpAddr>() {
            Ok(address) => self.dial(now, id, &[address], port),
            Err(_) => self.ask(now, Matter::Media { seat: id, port }, Question::Addresses { host }),
        }
    }

    /// Takes the answer to the room's offer, if there was one and it is new.
    fn answer_taken(&mut self, id: SeatId, body: &[u8]) -> Result<(), Unfit> {
        let Some(seat) = self.seats.get_mut(&id) else { return Ok(()) };
        let Terms::Proposed { proposal, before } = &mut seat.media else { return Ok(()) };
        let agreed = match (proposal.answered(body, &self.settings, &seat.policy), before.take()) {
            (Ok(agreed), _) => Box::new(agreed),
            (Err(_), Some(before)) => before,
            (Err(unfit), None) => return Err(unfit),
        };
        let (media, capabilities) = (agreed.peer(), agreed.capabilities());
        seat.media = Terms::Agreed(agreed);
        seat.offers += 1;
        let (home, room, number) = (seat.home, seat.room, seat.offers);
        self.post(home, Letter::Reoffer { room, seat: id, number, media, capabilities });
        Ok(())
    }

    /// A session is to be refreshed, and its user agent takes no UPDATE (RFC 4028 §9): a re-INVITE offers what is.
    pub(super) fn refresh(&mut self, now: Instant, dialog: DialogId) {
        let Some(id) = self.dialogs.get(&dialog).copied() else { return };
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let Some(offer) = seat.offer_again(&self.settings) else { return };
        let invite = Within::new(Method::INVITE).body("application/sdp", offer);
        match self.endpoint.request_within(now, dialog, invite) {
            Ok(client) => drop(self.refreshes.insert(client, dialog)),
            Err(_) => self.offer_unanswered(dialog),
        }
    }

    /// The user agent has answered a re-INVITE of the room's.
    pub(super) fn refreshed(&mut self, now: Instant, client: ClientId, response: &Response) {
        let Some(dialog) = self.refreshes.remove(&client) else { return };
        let Some(id) = self.dialogs.get(&dialog).copied() else { return };
        if self.answer_taken(id, &response.body).is_err() {
            self.hang_up(now, id, Ending::NoAnswer);
        }
    }

    /// It has refused it, or not answered: what was agreed stays.
    pub(super) fn not_refreshed(&mut self, client: ClientId) {
        if let Some(dialog) = self.refreshes.remove(&client) {
            self.offer_unanswered(dialog);
        }
    }

    fn offer_unanswered(&mut self, dialog: DialogId) {
        let seat = self.dialogs.get(&dialog).and_then(|id| self.seats.get_mut(id));
        if let Some(Seat { media, .. }) = seat
            && let Terms::Proposed { before, .. } = media
            && let Some(before) = before.take()
        {
            *media = Terms::Agreed(before);
        }
    }

    /// Has the home connect to the first address that can be reached, of those to which the node may.
    pub(super) fn dial(&mut self, now: Instant, id: SeatId, addresses: &[IpAddr], port: u16) {
        let Some(seat) = self.seats.get(&id) else { return };
        let (room, home) = (seat.room, seat.home);
        let name = seat.callee().map(|callee| callee.host).filter(|host| host.parse::<IpAddr>().is_err());
        let allowed = addresses.iter().filter(|address| self.settings.may_reach(**address));
        let remotes: Vec<SocketAddr> = allowed.map(|address| (*address, port).into()).take(MAX_ADDRESSES).collect();
        if remotes.is_empty() {
            return self.hang_up(now, id, Ending::Switch(Cause::NotBound));
        }
        let server_name = name.map(Into::into);
        self.post(home, Letter::Dial { room, seat: id, remotes, server_name });
    }

    /// The home has no seat to give.
    pub(super) fn declined(&mut self, now: Instant, id: SeatId, refusal: Refusal) {
        let Some(Stage::Joining { transaction, .. }) = self.seats.get(&id).map(|seat| &seat.stage) else { return };
        let transaction = *transaction;
        let unfit = match refusal {
            Refusal::AlreadyPresent => Unfit { code: 486, reason: "Already In The Room" },
            Refusal::Full => Unfit { code: 503, reason: "" },
            Refusal::Closed => NOT_FOUND,
            _ => Unfit { code: 500, reason: "" },
        };
        self.refuse(now, transaction, unfit);
        self.forget(id);
    }

    /// Ends what a seat has on the side of SIP, and gives the seat up.
    pub(super) fn hang_up(&mut self, now: Instant, id: SeatId, ending: Ending) {
        match self.seats.get(&id).map(|seat| &seat.stage) {
            Some(Stage::Seated { dialog, .. }) => {
                let dialog = *dialog;
                if self.endpoint.bye(now, dialog, Some(ending.reason())).is_ok() {
                    self.ending.insert(dialog);
                }
            }
            Some(Stage::Joining { transaction, .. }) => {
                let transaction = *transaction;
                self.refuse_for_now(now, transaction);
            }
            None => return,
        }
        self.vacate(id);
    }

    /// The caller has taken back its INVITE. One that was to change a session leaves it as the home has it by now.
    pub(super) fn cancelled(&mut self, transaction: TransactionId) {
        self.questions.forget(transaction);
        if let Some(id) = self.joining.get(&transaction) {
            self.vacate(*id);
        }
    }

    /// The Contact by which a dialog knows its room.
    pub(super) fn contact_of(&self, dialog: DialogId) -> Option<String> {
        let seat = self.seats.get(self.dialogs.get(&dialog)?)?;
        Some(seat.contact.clone())
    }

    /// A dialog is over.
    pub(super) fn ended(&mut self, dialog: DialogId) {
        self.ending.remove(&dialog);
        if let Some(id) = self.dialogs.get(&dialog) {
            self.vacate(*id);
        }
    }

    /// A session description in a dialog: the capabilities of the user agent may be others (RFC 7701 §8), or its media come
    /// from elsewhere. What cannot be agreed on leaves the session as it was (RFC 3261 §14.2).
    pub(super) fn reinvited(&mut self, now: Instant, transaction: TransactionId, request: &Request, dialog: DialogId) {
        if let Err(unfit) = self.reoffer(now, transaction, request, dialog) {
            self.refuse(now, transaction, unfit);
        }
    }

    fn reoffer(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Request,
        dialog: DialogId,
    ) -> Result<(), Unfit> {
        let id = *self.dialogs.get(&dialog).ok_or(NO_DIALOG)?;
        let seat = self.seats.get_mut(&id).ok_or(NO_DIALOG)?;
        let update = request.method == Method::UPDATE;
        if update && request.body.is_empty() {
            // It refreshes the target or the session, and says nothing of the media.
            let answer = Answer::new(200).contact(seat.contact.clone());
            self.respond(now, transaction, answer);
            return Ok(());
        }
        let Stage::Seated { reoffer, .. } = &mut seat.stage else { return Err(NO_DIALOG) };
        if request.body.is_empty() {
            let offer = seat.offer_again(&self.settings).ok_or(Unfit { code: 491, reason: "" })?;
            let answer = seat.accepted(offer);
            if self.endpoint.accept(now, transaction, answer).is_err() {
                self.respond(now, transaction, Answer::new(500));
            }
            return Ok(());
        }
        let agreed = Agreed::on(&request.body, &self.settings, &seat.policy)?;
        let (media, capabilities) = (agreed.peer(), agreed.capabilities());
        seat.offers += 1;
        let number = seat.offers;
        *reoffer = Some(Box::new(Reoffer { transaction, agreed, number, update }));
        let (home, room) = (seat.home, seat.room);
        self.post(home, Letter::Reoffer { room, seat: id, number, media, capabilities });
        Ok(())
    }

    /// The home has said which session the answer to a later offer names.
    pub(super) fn agreed(&mut self, now: Instant, id: SeatId, number: u64, session: &str) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let Stage::Seated { reoffer, .. } = &mut seat.stage else { return };
        let asked = reoffer.take_if(|reoffer| reoffer.number == number);
        let Some(Reoffer { transaction, agreed, update, .. }) = asked.map(|reoffer| *reoffer) else { return };
        seat.media = Terms::Agreed(Box::new(agreed));
        let Some(answer) = seat.answer(&self.settings, session) else { return };
        if update {
            self.respond(now, transaction, answer);
        } else if self.endpoint.accept(now, transaction, answer).is_err() {
            self.respond(now, transaction, Answer::new(500));
        }
    }

    /// Gives a seat up on both sides.
    fn vacate(&mut self, id: SeatId) {
        if let Some((home, room)) = self.forget(id) {
            self.post(home, Letter::Leave { room, seat: id });
        }
    }

    /// Gives a seat up that its home has given up or never given; where it was.
    fn forget(&mut self, id: SeatId) -> Option<(WorkerId, RoomId)> {
        let seat = self.seats.remove(&id)?;
        match seat.stage {
            Stage::Joining { transaction, .. } => drop(self.joining.remove(&transaction)),
            Stage::Seated { dialog, .. } => drop(self.dialogs.remove(&dialog)),
        }
        self.free_seat(&seat.name);
        Some((seat.home, seat.room))
    }
}

fn no_room(no_room: NoRoom) -> Unfit {
    match no_room {
        NoRoom::Unknown => NOT_FOUND,
        NoRoom::Full => Unfit { code: 503, reason: "" },
    }
}

/// Whether the caller asks that its identity be kept from others (RFC 3323 §4.2, RFC 3325 §9.3), by name or by a From that has
/// none.
fn wants_privacy(request: &Request) -> bool {
    let wishes = request.headers("Privacy").flat_map(|value| value.split(';'));
    let asked = wishes.map(str::trim).any(|wish| !wish.is_empty() && !wish.eq_ignore_ascii_case("none"));
    let nameless = request.from().is_ok_and(|from| from.uri.host().is_some_and(|host| host.ends_with(".invalid")));
    asked || nameless
}

/// The Contact of a room: its URI in the form in which the caller has reached it, so that what follows reaches it too, with the
/// features of RFC 7701 §9.1 (RFC 3840).
fn contact(settings: &Settings, uri: &str, source: &Source, name: &str) -> String {
    let asked = sip::typed::Uri::parse(uri).ok();
    let scheme = if asked.as_ref().is_some_and(|uri| uri.is_sips()) { "sips" } else { "sip" };
    let host = asked.as_ref().and_then(|uri| uri.host()).unwrap_or_else(|| settings.domain.clone());
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let port = asked.and_then(|uri| uri.port()).map(|port| format!(":{port}")).unwrap_or_default();
    let transport = match source.transport {
        Transport::Tcp => ";transport=tcp",
        Transport::Tls if scheme == "sip" => ";transport=tls",
        _ => "",
    };
    let methods: Vec<&str> = METHODS.iter().map(|method| method.as_str()).collect();
    let methods = methods.join(",");
    format!("<{scheme}:{name}@{host}{port}{transport}>;methods=\"{methods}\";automata;isfocus;message")
}
