//! Joining and leaving (RFC 7701 §5.2, §5.3): an INVITE, a seat at the room's home, a dialog.

use std::sync::Arc;
use std::time::Instant;

use msrp::sdp::Originator;
use room::{Address, Capabilities, DeleteWhen, Guest, Refusal, SeatId};
use sip::typed::NameAddr;
use sip::{Answer, DialogId, Headers, Request, Source, TransactionId, Transport};

use super::admission::{Call, Caller, Purpose, is_nameless};
use super::media::{Agreed, Unfit};
use super::named::Named;
use super::refer::Listed;
use super::rooms::{Entry, NoRoom, room_name};
use super::seat::{Ending, Seat, Stage, Terms};
use super::{METHODS, Signalling, bodies, registrar};
use crate::ids::{RoomId, WorkerId};
use crate::mail::{Cause, Join, Letter};
use crate::settings::{Create, Invitations, Media, RoomPolicy, Settings, SipAddress};

/// The header field of a 200 that tells a private participant by what URI it is known (decision D45).
const OWN_URI: &str = "Chat-Identity";
/// Characters drawn by lot that tell one private participant from all others: 62 bits.
const LOT: usize = 12;
const NOT_FOUND: Unfit = Unfit { code: 404, reason: "" };

impl Signalling {
    /// The caller is known: on to the room.
    pub(super) fn admitted(&mut self, now: Instant, call: &Call, caller: Caller) {
        let result = match call.purpose {
            Purpose::Join => self.ask_for_seat(now, call, caller),
            Purpose::Refer => self.refer(now, call, &caller),
            Purpose::Register => self.register(now, call, &caller),
            Purpose::Options => self.tell_of_room(now, call, &caller),
            Purpose::Subscribe => self.subscribe(now, call, &caller),
            Purpose::Within(dialog) => {
                self.proven_within(now, call, &caller, dialog);
                Ok(())
            }
        };
        if let Err(unfit) = result {
            self.refuse(now, call.transaction, unfit);
        }
    }

    pub(super) fn refuse(&mut self, now: Instant, transaction: TransactionId, Unfit { code, reason }: Unfit) {
        if code == 503 {
            return self.refuse_for_now(now, transaction);
        }
        let answer = Answer::new(code);
        let answer = if reason.is_empty() { answer } else { answer.reason(reason) };
        let answer = if code == 423 { answer.header("Min-Expires", registrar::min_expires()) } else { answer };
        self.respond(now, transaction, answer);
    }

    /// Asks the home of a room for a seat. The room is made, if it must be, only for an offer that it takes.
    fn ask_for_seat(&mut self, now: Instant, call: &Call, caller: Caller) -> Result<(), Unfit> {
        let caller = Arc::new(caller);
        let Goal { name, is_factory, replaces } = self.goal(&call.request, &caller)?;
        // Whose seat it is has shown the password for it already.
        if replaces.is_none() && !self.knows_password(now, call, &caller, &name) {
            return Ok(());
        }
        let terms = match self.rooms.get(&name) {
            Some(entry) if !entry.admits(&caller) => return Err(not_admitted(entry)),
            Some(entry) => self.terms(call, &entry.policy)?,
            None if self.settings.rooms.create == Create::Nobody && !is_factory => return Err(NOT_FOUND),
            None => self.terms(call, &self.settings.rooms.defaults)?,
        };
        let listed = self.listed(call, &caller, &name)?;
        if is_factory {
            self.open_made(&name, &caller.identity).map_err(no_room)?;
        }
        self.call_no_more(now, &name, &caller);
        self.find_or_open(&name, &caller.identity).map_err(no_room)?;
        let entry = self.rooms.get(&name).ok_or(NOT_FOUND)?;
        let (room, home, policy, subject) = (entry.id, entry.home, entry.policy.clone(), entry.subject.clone());
        let is_muted = entry.standing.silences(&caller.known_as());
        let id = self.new_seat();
        let (media, capabilities) = terms.of_caller(&policy);
        let is_private = wants_privacy(&call.request);
        let (user, guest) = match is_private {
            true => self.private_guest(caller.clone(), capabilities)?,
            false => (caller.clone(), public_guest(&caller, capabilities)),
        };
        let seat = Seat {
            room,
            identity: guest.identity.clone(),
            is_private,
            name: name.clone(),
            home,
            is_muted,
            is_outdated: false,
            invited_by: None,
            policy,
            user,
            media: terms,
            session: String::new(),
            offers: 0,
            undialed: false,
            contact: contact(&self.settings, &call.request.uri, &call.source, &name),
            // Its two lowest bits are not used.
            originator: Originator::new(id.0 << 2, &self.settings.domain),
            stage: Stage::Joining { transaction: call.transaction, subject },
        };
        self.joining.insert(call.transaction, id);
        self.listed.extend(listed.map(|listed| (id, listed)));
        self.take_seat(seat, Join { room, seat: id, guest, media, replaces });
        Ok(())
    }

    /// A seat is taken, and its room is asked for a place in the talk.
    pub(super) fn take_seat(&mut self, seat: Seat, join: Join) {
        let (room, id, home, is_muted) = (join.room, join.seat, seat.home, seat.is_muted);
        self.rooms.seat_taken(&seat.name, id);
        self.people.sit_down(id, &seat);
        self.seats.insert(id, seat);
        self.post(home, Letter::Join(Box::new(join)));
        if is_muted {
            self.post(home, Letter::Mute { room, seat: id, muted: true });
        }
    }

    /// Somebody who is known to others by a URI that says nothing, in this seat alone (RFC 7701 §5.2, RFC 4575 §5.6, RFC 5767).
    /// Who is believed without proof may have come without a name: the seat is all that there is of them then.
    fn private_guest(
        &mut self,
        caller: Arc<Caller>,
        capabilities: Capabilities,
    ) -> Result<(Arc<Caller>, Guest), Unfit> {
        let lot = msrp::encode::ident(self.endpoint.chance(), LOT).to_ascii_lowercase();
        let identity = Address::parse(&format!("sip:anonymous{lot}@anonymous.invalid"));
        let identity = identity.map_err(|_| Unfit { code: 500, reason: "" })?;
        let user = match is_nameless(&caller.identity) {
            true => Arc::new(Caller { identity: identity.clone(), aliases: Vec::new(), display_name: None }),
            false => caller,
        };
        let (account, display_name) = (Some(user.identity.clone()), Some(format!("Anonymous{lot}")));
        Ok((user, Guest { identity, account, aliases: Vec::new(), display_name, capabilities }))
    }

    /// An id that no seat has had.
    pub(super) fn new_seat(&mut self) -> SeatId {
        self.next_seat = self.next_seat.wrapping_add(1);
        SeatId(self.next_seat)
    }

    /// What an INVITE is for: a room by its name, one that is yet to be made, or where a dialog is that it names.
    fn goal(&mut self, request: &Request, caller: &Caller) -> Result<Goal, Unfit> {
        let name = room_name(&self.settings, &request.uri).ok_or(NOT_FOUND)?;
        if self.is_of_room(request, caller) {
            // A room that would call a room would go on calling.
            return Err(Unfit { code: 482, reason: "" });
        }
        let named = self.named(request, caller, self.is_room_to(&name, caller))?;
        if let Named::Join(other) | Named::Replace(other) = named {
            let name = self.seats.get(&other).map(|seat| seat.name.clone()).ok_or(NOT_FOUND)?;
            let replaces = matches!(named, Named::Replace(_)).then_some(other);
            return Ok(Goal { name, is_factory: false, replaces });
        }
        let is_factory = self.settings.rooms.factory.as_ref() == Some(&name);
        let name = if is_factory { self.endpoint.random_token() } else { name };
        Ok(Goal { name, is_factory, replaces: None })
    }

    /// Who else is to be called, as the INVITE lists them, if the caller may have them called (RFC 5366 §5.1).
    fn listed(&self, call: &Call, caller: &Arc<Caller>, name: &str) -> Result<Option<Listed>, Unfit> {
        let Some(list) = bodies::recipients(&call.request)? else { return Ok(None) };
        let list = self.once_each(list);
        match self.rooms.get(name) {
            Some(entry) => self.may_invite(entry, caller, true)?,
            None if self.settings.rooms.defaults.invitations == Invitations::Nobody => {
                return Err(Unfit { code: 403, reason: "" });
            }
            None => {}
        }
        let listed = Listed::of(&list, caller.clone(), call.source, |uri| self.check_callable(uri, caller))?;
        let room = self.rooms.get(name).map_or(RoomId(0), |entry| entry.id);
        self.has_room_for_calls(room, &caller.identity, listed.len())?;
        Ok(Some(listed))
    }

    /// Makes the room that a call of the factory is for (RFC 4579 §5.4, §5.12): it ends with its creator.
    fn open_made(&mut self, name: &str, creator: &Address) -> Result<(), NoRoom> {
        let mut policy = self.settings.rooms.defaults.clone();
        policy.room.delete_when = DeleteWhen::CreatorLeaves;
        self.open_for(name, creator, policy)
    }

    /// Whether it is a room of this server that calls: it says that it is a focus. A user may have a name that a room has too.
    fn is_of_room(&self, request: &Request, caller: &Caller) -> bool {
        let address = &caller.identity;
        let is_focus = || request.header("Contact").and_then(|contact| NameAddr::parse(contact).ok());
        self.settings.is_ours(address.host_without_port())
            && self.rooms.get(address.user()).is_some()
            && is_focus().is_some_and(|contact| contact.param("isfocus").is_some())
    }

    /// What an INVITE says of the media: an offer, or the wish for one.
    fn terms(&self, call: &Call, policy: &RoomPolicy) -> Result<Terms, Unfit> {
        let body = bodies::session(&call.request.headers, &call.request.body)?;
        if !body.is_empty() {
            let agreed = Agreed::on(&body, &self.settings, policy)?;
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
    fn tell_of_room(&mut self, now: Instant, call: &Call, caller: &Caller) -> Result<(), Unfit> {
        let name = room_name(&self.settings, &call.request.uri).ok_or(NOT_FOUND)?;
        let answer = Answer::new(200);
        if self.settings.rooms.factory.as_ref() == Some(&name) {
            // The factory itself is no focus.
            self.respond(now, call.transaction, answer);
            return Ok(());
        }
        if !self.knows_password(now, call, caller, &name) {
            return Ok(());
        }
        match self.rooms.get(&name) {
            Some(entry) if !entry.admits(caller) => return Err(not_admitted(entry)),
            None if self.settings.rooms.create == Create::Nobody => return Err(NOT_FOUND),
            _ => {}
        }
        let contact = contact(&self.settings, &call.request.uri, &call.source, &name);
        self.respond(now, call.transaction, answer.contact(contact));
        Ok(())
    }

    /// The home has given a seat: the INVITE is answered, and seat and dialog belong together.
    pub(super) fn joined(&mut self, now: Instant, id: SeatId, session: &str) {
        if self.calls.has(id) {
            return self.ring(now, id, session);
        }
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let Stage::Joining { transaction, subject } = &seat.stage else { return };
        let (transaction, subject) = (*transaction, subject.clone());
        let Some(answer) = seat.answer(&self.settings, session) else { return };
        let answer = if seat.is_private { answer.header(OWN_URI, format!("<{}>", seat.identity)) } else { answer };
        let answer = match subject {
            Some(subject) => answer.header("Subject", &*subject),
            None => answer,
        };
        self.joining.remove(&transaction);
        match (self.endpoint.accept(now, transaction, answer), self.seats.get_mut(&id)) {
            (Ok(dialog), Some(seat)) => {
                seat.stage = Stage::Seated { dialog, reoffer: None };
                let name = seat.name.clone();
                self.dialogs.insert(dialog, id);
                if let Some(listed) = self.listed.remove(&id) {
                    self.invite_listed(now, &name, listed);
                }
            }
            _ => {
                self.refuse_for_now(now, transaction);
                self.vacate(now, id, None);
            }
        }
    }

    /// The home has no seat to give.
    pub(super) fn declined(&mut self, now: Instant, id: SeatId, refusal: Refusal) {
        if self.calls.has(id) {
            return self.no_seat_for_callee(now, id, refusal);
        }
        let Some(Stage::Joining { transaction, .. }) = self.seats.get(&id).map(|seat| &seat.stage) else { return };
        let transaction = *transaction;
        self.refuse(now, transaction, no_seat(refusal));
        self.forget(now, id, None);
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
                match ending {
                    // They may not come again in five seconds either.
                    Ending::SentAway(_) | Ending::Removed => self.respond(now, transaction, Answer::new(403)),
                    Ending::Switch(Cause::RoomClosed | Cause::CreatorLeft) => {
                        self.respond(now, transaction, Answer::new(404));
                    }
                    _ => self.refuse_for_now(now, transaction),
                }
            }
            Some(Stage::Calling) => return self.give_up_call(now, id, 487),
            None => return,
        }
        self.vacate(now, id, Some(ending));
    }

    /// The caller has taken back its INVITE. One that was to change a session leaves it as the home has it by now.
    pub(super) fn cancelled(&mut self, now: Instant, transaction: TransactionId) {
        self.questions.forget(transaction);
        if let Some(id) = self.joining.get(&transaction) {
            self.vacate(now, *id, None);
        }
    }

    /// The Contact by which a dialog knows its room.
    pub(super) fn contact_of(&self, dialog: DialogId) -> Option<String> {
        let seat = self.seats.get(self.dialogs.get(&dialog)?)?;
        Some(seat.contact.clone())
    }

    /// A dialog is over.
    pub(super) fn ended(&mut self, now: Instant, dialog: DialogId) {
        self.ending.remove(&dialog);
        if let Some(id) = self.dialogs.get(&dialog) {
            self.vacate(now, *id, None);
        }
    }

    /// Gives a seat up on both sides. `ending`: why, where the focus wants it so.
    pub(super) fn vacate(&mut self, now: Instant, id: SeatId, ending: Option<Ending>) {
        if let Some((home, room)) = self.forget(now, id, ending) {
            self.post(home, Letter::Leave { room, seat: id });
        }
    }

    /// Gives a seat up that its home has given up or never given; where it was.
    pub(super) fn forget(&mut self, now: Instant, id: SeatId, ending: Option<Ending>) -> Option<(WorkerId, RoomId)> {
        let seat = self.seats.remove(&id)?;
        self.people.stand_up(id, &seat);
        self.listed.remove(&id);
        match seat.stage {
            Stage::Calling => {}
            Stage::Joining { transaction, .. } => drop(self.joining.remove(&transaction)),
            Stage::Seated { dialog, .. } => drop(self.dialogs.remove(&dialog)),
        }
        self.seat_given_up(now, (seat.room, &seat.name), (id, &seat.user), ending);
        self.free_seat(now, &seat.name, id);
        Some((seat.home, seat.room))
    }
}

/// Why there is no seat; the other refusals are not about seats.
pub(super) fn no_seat(refusal: Refusal) -> Unfit {
    match refusal {
        Refusal::AlreadyPresent => Unfit { code: 486, reason: "Already In The Room" },
        Refusal::Full => Unfit { code: 503, reason: "" },
        Refusal::Closed => NOT_FOUND,
        _ => Unfit { code: 500, reason: "" },
    }
}

/// A room that is hidden is none for who may not enter it.
fn not_admitted(entry: &Entry) -> Unfit {
    if entry.standing.hidden { NOT_FOUND } else { Unfit { code: 403, reason: "Not Admitted" } }
}

/// What an INVITE is for.
struct Goal {
    name: String,
    is_factory: bool,
    /// The seat of the same user that is to end.
    replaces: Option<SeatId>,
}

fn no_room(no_room: NoRoom) -> Unfit {
    match no_room {
        NoRoom::Unknown => NOT_FOUND,
        NoRoom::Full => Unfit { code: 503, reason: "" },
    }
}

pub(super) fn public_guest(caller: &Caller, capabilities: Capabilities) -> Guest {
    let Caller { identity, aliases, display_name } = caller.clone();
    Guest { identity, account: None, aliases, display_name, capabilities }
}

/// Whether the caller asks that its identity be kept from others (RFC 3323 §4.2, RFC 3325 §9.3), by name or by a From that has
/// none.
pub(super) fn wants_privacy(request: &Request) -> bool {
    let nameless = request.from().is_ok_and(|from| Address::parse(from.uri.as_str()).is_ok_and(|it| is_nameless(&it)));
    asks_for_privacy(&request.headers) || nameless
}

/// Whether a message asks for privacy of any kind (RFC 3323 §4.2).
pub(super) fn asks_for_privacy(headers: &Headers) -> bool {
    let mut wishes = headers.all("Privacy").flat_map(|value| value.split(';')).map(str::trim);
    wishes.any(|wish| !wish.is_empty() && !wish.eq_ignore_ascii_case("none"))
}

/// The Contact of a room: its URI in the form in which the caller has reached it, so that what follows reaches it too, with the
/// features of RFC 7701 §9.1 (RFC 3840).
pub(super) fn contact(settings: &Settings, uri: &str, source: &Source, name: &str) -> String {
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
    featured(&format!("{scheme}:{name}@{host}{port}{transport}"))
}

/// The Contact of a room to who has not called it: the place where SIP is spoken over that transport, or the first one.
pub(super) fn own_contact(settings: &Settings, name: &str, transport: Option<Transport>) -> String {
    let same = settings.sip.iter().find(|place| Some(place.transport) == transport);
    // Who came over a WebSocket goes back over it, wherever that may be.
    let place = same.or_else(|| settings.sip.first());
    let Some(SipAddress { transport, host, port }) = place else {
        return featured(&format!("sip:{name}@{}", settings.domain));
    };
    let transport = match transport {
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
        _ => "",
    };
    featured(&format!("sip:{name}@{host}:{port}{transport}"))
}

fn featured(uri: &str) -> String {
    let methods: Vec<&str> = METHODS.iter().map(|method| method.as_str()).collect();
    let methods = methods.join(",");
    format!("<{uri}>;methods=\"{methods}\";automata;isfocus;message;event=\"conference\"")
}
