//! Session descriptions in the dialog of a seat: answers to the room's offers, later offers of either side, and where the media are
//! to be fetched (RFC 3264, RFC 4975 §5.4, RFC 6135).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use room::SeatId;
use sip::{Answer, ClientId, DialogId, Method, Request, Response, TransactionId, Within};

use super::admission::Matter;
use super::media::{self, Agreed, Callee, Unfit};
use super::seat::{Ending, Reoffer, Seat, Stage, Terms};
use super::{Question, Signalling, bodies};
use crate::mail::{Cause, Letter};
use crate::settings::RoomPolicy;

/// How many addresses of a participant are tried.
const MAX_ADDRESSES: usize = 4;
const NO_DIALOG: Unfit = Unfit { code: 481, reason: "" };

impl Signalling {
    /// The caller has its answer, and has said so: where it waits to be connected to, that is done now.
    /// Where the room has made the offer, the answer is in the ACK (RFC 3261 §13.2.2.4).
    pub(super) fn acknowledged(&mut self, now: Instant, dialog: DialogId, ack: &Request) {
        let Some(id) = self.dialogs.get(&dialog).copied() else { return };
        let answer = bodies::session(&ack.headers, &ack.body).unwrap_or_default();
        if self.answer_taken(now, id, &answer).is_err() {
            return self.hang_up(now, id, Ending::NoAnswer);
        }
        self.fetch_media(now, id);
    }

    /// Connects to a user agent that waits for it, if that has yet to be done.
    pub(super) fn fetch_media(&mut self, now: Instant, id: SeatId) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        if !std::mem::take(&mut seat.undialed) {
            return self.catch_up(now, id);
        }
        let Some(Callee { host, port }) = seat.callee() else { return self.catch_up(now, id) };
        match host.parse::<IpAddr>() {
            Ok(address) => self.dial(now, id, &[address], port),
            Err(_) => self.ask(now, Matter::Media { seat: id, port }, Question::Addresses { host }),
        }
        self.catch_up(now, id);
    }

    /// Takes the answer to the room's offer, if there was one and it is new.
    pub(super) fn answer_taken(&mut self, now: Instant, id: SeatId, body: &[u8]) -> Result<(), Unfit> {
        let Some(seat) = self.seats.get_mut(&id) else { return Ok(()) };
        let Terms::Proposed { proposal, before } = &mut seat.media else { return Ok(()) };
        let before = before.take();
        let answered = proposal.answered(body, &self.settings, &seat.policy, before.as_deref());
        let agreed = match (answered, before) {
            (Ok(agreed), _) => Box::new(agreed),
            (Err(_), Some(before)) => before,
            (Err(unfit), None) => return Err(unfit),
        };
        let (media, capabilities) = (agreed.peer(), agreed.capabilities(&seat.policy));
        seat.media = Terms::Agreed(agreed);
        seat.offers += 1;
        let (home, room, number) = (seat.home, seat.room, seat.offers);
        self.post(home, Letter::Reoffer { room, seat: id, number, media, capabilities });
        self.shown_agreed(now, id);
        Ok(())
    }

    /// A session is to be refreshed, and its user agent takes no UPDATE (RFC 4028 §9): a re-INVITE offers what is.
    pub(super) fn refresh(&mut self, now: Instant, dialog: DialogId) {
        self.offer_again(now, dialog);
    }

    /// Another policy rules a room: everybody is offered what is, so that they learn of it (RFC 7701 §8).
    pub(super) fn policy_changed(&mut self, now: Instant, room: &str, policy: &Arc<RoomPolicy>) {
        for id in self.seats_in(room, |_| true) {
            let Some(seat) = self.seats.get_mut(&id) else { continue };
            let before = std::mem::replace(&mut seat.policy, policy.clone());
            let is_told_alike = media::describes_alike(&before, policy);
            seat.is_outdated |= !is_told_alike || before.trust_undeclared != policy.trust_undeclared;
            self.catch_up(now, id);
        }
    }

    /// Who was not yet told of the policy in force is, as soon as nothing else is under way in the dialog.
    fn catch_up(&mut self, now: Instant, id: SeatId) {
        let Some(seat) = self.seats.get(&id).filter(|seat| seat.is_outdated) else { return };
        if let Stage::Seated { dialog, reoffer: None } = seat.stage {
            self.offer_again(now, dialog);
        }
    }

    /// What stood in the way of an offer may have gone.
    pub(super) fn may_offer(&mut self, now: Instant, dialog: DialogId) {
        if let Some(id) = self.dialogs.get(&dialog).copied() {
            self.catch_up(now, id);
        }
    }

    fn offer_again(&mut self, now: Instant, dialog: DialogId) {
        let Some(id) = self.dialogs.get(&dialog).copied() else { return };
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let Some(offer) = seat.offer_again(&self.settings) else { return };
        let invite = Within::new(Method::INVITE).body("application/sdp", offer);
        match self.endpoint.request_within(now, dialog, invite) {
            Ok(client) => {
                self.refreshes.insert(client, dialog);
                self.told_of_policy(id);
            }
            Err(_) => self.offer_unanswered(dialog),
        }
    }

    /// The user agent has answered a re-INVITE of the room's.
    pub(super) fn refreshed(&mut self, now: Instant, client: ClientId, response: &Response) {
        let Some(dialog) = self.refreshes.remove(&client) else { return };
        let Some(id) = self.dialogs.get(&dialog).copied() else { return };
        let answer = bodies::session(&response.headers, &response.body).unwrap_or_default();
        if self.answer_taken(now, id, &answer).is_err() {
            return self.hang_up(now, id, Ending::NoAnswer);
        }
        self.catch_up(now, id);
    }

    fn told_of_policy(&mut self, id: SeatId) {
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.is_outdated = false;
        }
    }

    /// It has refused it, or not answered: what was agreed stays.
    /// Where both sides made an offer at a time, the room makes its own again later (RFC 3261 §14.1).
    pub(super) fn not_refreshed(&mut self, client: ClientId, code: Option<u16>) {
        let Some(dialog) = self.refreshes.remove(&client) else { return };
        self.offer_unanswered(dialog);
        if code == Some(491)
            && let Some(seat) = self.dialogs.get(&dialog).and_then(|id| self.seats.get_mut(id))
        {
            seat.is_outdated = true;
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
        let body = bodies::session(&request.headers, &request.body)?;
        let agreed = Agreed::on(&body, &self.settings, &seat.policy)?;
        let (media, capabilities) = (agreed.peer(), agreed.capabilities(&seat.policy));
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
        // The answer says what the room is like now.
        seat.is_outdated = false;
        let Some(answer) = seat.answer(&self.settings, session) else { return };
        if update {
            self.respond(now, transaction, answer);
        } else if self.endpoint.accept(now, transaction, answer).is_err() {
            self.respond(now, transaction, Answer::new(500));
        }
        self.shown_agreed(now, id);
    }
}
