//! Another media session in the place of one whose connection failed (RFC 4975 §5.4): by a re-INVITE, as the dialog and the
//! seat in the room may well have outlived it.

use std::time::{Duration, Instant};

use sip::{ClientId, DialogId, Failure, Method, Response, Within};

use super::signalling::SDP;
use super::{Agent, State};
use crate::api::Event;
use crate::seat::Stage;

/// A session that fails so soon after it was replaced is not replaced again.
const STEADY: Duration = Duration::from_secs(10);
/// A room that sends somebody away may close the connection first: its BYE has this long to come.
const PAUSE: Duration = Duration::from_millis(500);
/// The peer has an INVITE of its own under way (RFC 3261 §14.2).
const REQUEST_PENDING: u16 = 491;

impl Agent {
    /// The media connection failed while one was in the room.
    pub(super) fn interrupted(&mut self, now: Instant) {
        let State::Seated(seat) = &mut self.state else { return };
        if seat.resumed.is_some_and(|resumed| now.saturating_duration_since(resumed) < STEADY) {
            return self.lose_media(now);
        }
        seat.stage = Stage::Pausing(now + PAUSE);
        self.close_media(now);
    }

    /// When the pause is over.
    pub(super) fn pause(&self) -> Option<Instant> {
        match &self.state {
            State::Seated(seat) => match seat.stage {
                Stage::Pausing(until) => Some(until),
                _ => None,
            },
            State::Idle | State::Calling(_) => None,
        }
    }

    /// Nothing came in the pause: the room may still be there.
    pub(super) fn check_pause(&mut self, now: Instant) {
        if self.pause().is_none_or(|until| now < until) {
            return;
        }
        if let State::Seated(seat) = &mut self.state {
            seat.description.renew(&mut *(self.random)());
        }
        self.tell(Event::Interrupted);
        self.offer_anew(now);
    }

    fn offer_anew(&mut self, now: Instant) {
        let State::Seated(seat) = &mut self.state else { return };
        let invite = Within::new(Method::INVITE).body(SDP, seat.description.offer());
        match self.endpoint.request_within(now, seat.dialog, invite) {
            Ok(client) => seat.stage = Stage::Offering(client),
            // The room's own INVITE is under way, and its end is told.
            Err(sip::Refused::Pending) => seat.stage = Stage::Waiting,
            Err(_) => self.lose_media(now),
        }
    }

    /// The room took the other session.
    pub(super) fn agreed_anew(&mut self, now: Instant, client: ClientId, response: &Response) {
        let State::Seated(seat) = &mut self.state else { return };
        if seat.stage != Stage::Offering(client) {
            return;
        }
        let Ok(media) = seat.description.read_answer(&response.body) else { return self.lose_media(now) };
        seat.room = seat.room.clone().with(&media);
        seat.remote_path = media.path.to_string();
        seat.stage = Stage::Reopening;
        let State::Seated(mut seat) = std::mem::replace(&mut self.state, State::Idle) else { return };
        (seat.connection, seat.media) = self.open_media(&seat.description, &media);
        self.state = State::Seated(seat);
    }

    /// It did not. Where that ends the dialog, its end is told next.
    pub(super) fn not_agreed_anew(&mut self, now: Instant, client: ClientId, answer: Result<u16, Failure>) {
        let State::Seated(seat) = &mut self.state else { return };
        if seat.stage != Stage::Offering(client) {
            return;
        }
        match answer {
            Ok(REQUEST_PENDING) => seat.stage = Stage::Waiting,
            Ok(408 | 481) | Err(Failure::Timeout | Failure::DialogOver) => {}
            Ok(_) | Err(Failure::Transport | Failure::Cancelled) => self.lose_media(now),
        }
    }

    pub(super) fn may_offer_again(&mut self, now: Instant, dialog: DialogId) {
        let waits = match &self.state {
            State::Seated(seat) => seat.dialog == dialog && seat.stage == Stage::Waiting,
            State::Idle | State::Calling(_) => false,
        };
        if waits {
            self.offer_anew(now);
        }
    }
}
