//! The participant: from the call to the last BYE.

use std::collections::VecDeque;
use std::time::Instant;

use rand_core::Rng;
use sip::typed::Uri;

use crate::api::{
    Config, Event, Input, Join, JoinFailure, Leaving, MediaId, MessageId, Output, Recipient, Refused, Room, Said,
};
use crate::media;
use crate::seat::{Call, Seat, Stage};
use crate::wrapper;

mod recovery;
mod signalling;
mod watching;

pub(crate) use watching::Watch;

/// Makes generators of random numbers, each unlike the others. They must be fit for secrets: session-ids are drawn from
/// them.
pub type Generators = Box<dyn FnMut() -> Box<dyn Rng + Send> + Send>;

/// A user agent for one user in one room at a time.
///
/// Tell it what happens ([`Agent::handle_input`], [`Agent::handle_timeout`]) and what the user wants ([`Agent::join`],
/// [`Agent::say`], …), and after each of these drain [`Agent::poll_output`].
pub struct Agent {
    config: Config,
    endpoint: sip::Endpoint,
    random: Generators,
    state: State,
    outputs: VecDeque<Output>,
    next_message: u64,
    next_media: u32,
}

enum State {
    /// In no room.
    Idle,
    /// The INVITE waits for its answer.
    Calling(Box<Call>),
    /// There is a dialog.
    Seated(Box<Seat>),
}

impl Agent {
    /// An agent in no room. All its chance comes from `random`: a generator for SIP, and one for each media session.
    #[must_use]
    pub fn new(config: Config, mut random: Generators) -> Self {
        let endpoint = sip::Endpoint::new(signalling::endpoint_config(&config), random());
        Self { config, endpoint, random, state: State::Idle, outputs: VecDeque::new(), next_message: 0, next_media: 0 }
    }

    /// Takes what the shell tells.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Sip(input) => self.endpoint.handle_input(now, input),
            Input::MediaOpened { connection } => self.with_media(connection, |media| media.opened(now)),
            Input::MediaReceived { connection, octets } => {
                self.with_media(connection, |media| media.received(now, octets));
            }
            Input::MediaTransmitted { connection, octets } => {
                self.with_media(connection, |media| media.transmitted(now, octets));
            }
            Input::MediaClosed { connection } => self.with_media(connection, |media| media.closed(now)),
        }
        self.pump(now);
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        if let State::Seated(seat) = &mut self.state {
            seat.media.handle_timeout(now);
        }
        self.check_pause(now);
        self.check_watch(now);
        self.pump(now);
    }

    /// The next thing to do; `None` when there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Agent::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let media = match &self.state {
            State::Seated(seat) => seat.media.poll_timeout(),
            State::Idle | State::Calling(_) => None,
        };
        self.endpoint.poll_timeout().into_iter().chain(media).chain(self.pause()).chain(self.watch_timeout()).min()
    }

    /// The room one is in, or about to enter or leave.
    #[must_use]
    pub fn room(&self) -> Option<&Room> {
        match &self.state {
            State::Seated(seat) => Some(&seat.room),
            State::Idle | State::Calling(_) => None,
        }
    }

    /// Calls a room. [`Event::Joined`] or [`Event::NotJoined`] follows.
    ///
    /// # Errors
    /// [`Refused::AlreadyJoined`]; [`Refused::Unfit`] for what is no SIP URI and the like.
    pub fn join(&mut self, now: Instant, join: Join) -> Result<(), Refused> {
        if !matches!(self.state, State::Idle) {
            return Err(Refused::AlreadyJoined);
        }
        let call = self.call(now, join)?;
        self.state = State::Calling(Box::new(call));
        self.pump(now);
        Ok(())
    }

    /// Says a text to everybody.
    ///
    /// # Errors
    /// Those of [`Agent::send`].
    pub fn say(&mut self, now: Instant, text: &str) -> Result<MessageId, Refused> {
        self.send(now, &Recipient::Room, TEXT, text.as_bytes())
    }

    /// Says a text to one participant (RFC 7701 §6.2).
    ///
    /// # Errors
    /// Those of [`Agent::send`].
    pub fn whisper(&mut self, now: Instant, to: &str, text: &str) -> Result<MessageId, Refused> {
        self.send(now, &Recipient::Participant(to.to_owned()), TEXT, text.as_bytes())
    }

    /// Sends a message. [`Event::Delivered`] or [`Event::NotDelivered`] follows.
    ///
    /// # Errors
    /// [`Refused::NotJoined`] before [`Event::Joined`], [`Refused::Interrupted`] before [`Event::Resumed`];
    /// [`Refused::NoPrivateMessages`]: a room that does not know them
    /// might show the message to everybody (RFC 7701 §8); [`Refused::Unfit`] for a recipient that is no URI;
    /// [`Refused::Full`].
    pub fn send(
        &mut self,
        now: Instant,
        to: &Recipient,
        content_type: &str,
        content: &[u8],
    ) -> Result<MessageId, Refused> {
        let date_time = self.config.wall_clock.map(|clock| clock.date_time(now));
        let seat = self.joined()?;
        let to = match to {
            Recipient::Room => seat.room_uri.as_str(),
            Recipient::Participant(_) if !seat.room.private_messages => return Err(Refused::NoPrivateMessages),
            Recipient::Participant(uri) => {
                Uri::parse(uri).map(|_| uri.as_str()).map_err(|_| Refused::Unfit("recipient"))?
            }
        };
        let body = wrapper::wrap(&seat.room.identity, to, date_time.as_deref(), content_type, content);
        let message = MessageId(self.next_message);
        self.next_message += 1;
        self.joined()?.media.send(message, body)?;
        self.pump(now);
        Ok(message)
    }

    /// Asks for a nickname; `None` gives the present one up (RFC 7701 §7.3). [`Event::Nickname`] follows.
    ///
    /// # Errors
    /// [`Refused::NotJoined`], [`Refused::Interrupted`], [`Refused::NoNicknames`], [`Refused::NicknamePending`];
    /// [`Refused::Unfit`] for the empty text and for more than 1 023 octets (§7.1).
    pub fn nick(&mut self, now: Instant, nickname: Option<&str>) -> Result<(), Refused> {
        let seat = self.joined()?;
        if !seat.room.nicknames {
            return Err(Refused::NoNicknames);
        }
        if nickname.is_some_and(|nickname| nickname.is_empty() || nickname.len() > msrp::encode::MAX_NICKNAME) {
            return Err(Refused::Unfit("nickname"));
        }
        seat.media.nickname(nickname)?;
        self.pump(now);
        Ok(())
    }

    /// Leaves the room, or takes back the call. [`Event::Left`] or [`Event::NotJoined`] follows.
    ///
    /// # Errors
    /// [`Refused::NotJoined`].
    pub fn leave(&mut self, now: Instant) -> Result<(), Refused> {
        match &mut self.state {
            State::Idle => return Err(Refused::NotJoined),
            State::Calling(call) => {
                call.cancelled = true;
                let _ = self.endpoint.cancel(now, call.client);
            }
            State::Seated(seat) if seat.stage == Stage::Leaving => return Err(Refused::NotJoined),
            State::Seated(seat) if seat.stage == Stage::Entering => self.give_up(now, JoinFailure::Cancelled),
            State::Seated(seat) => {
                seat.stage = Stage::Leaving;
                if self.endpoint.bye(now, seat.dialog, None).is_err() {
                    self.unseat(now, Event::Left(Leaving::PeerGone));
                }
            }
        }
        self.pump(now);
        Ok(())
    }

    fn joined(&mut self) -> Result<&mut Seat, Refused> {
        match &mut self.state {
            State::Seated(seat) => match seat.stage {
                Stage::Joined => Ok(seat),
                Stage::Pausing(_) | Stage::Offering(_) | Stage::Waiting | Stage::Reopening => Err(Refused::Interrupted),
                Stage::Entering | Stage::Leaving => Err(Refused::NotJoined),
            },
            State::Idle | State::Calling(_) => Err(Refused::NotJoined),
        }
    }

    fn with_media(&mut self, connection: MediaId, tell: impl FnOnce(&mut media::Media)) {
        if let State::Seated(seat) = &mut self.state
            && seat.connection == connection
        {
            tell(&mut seat.media);
        }
    }

    /// Carries on until nobody below has anything more to say.
    fn pump(&mut self, now: Instant) {
        loop {
            if let Some(output) = self.endpoint.poll_output() {
                self.of_endpoint(now, output);
                continue;
            }
            let State::Seated(seat) = &mut self.state else { return };
            let Some(output) = seat.media.poll_output() else { return };
            self.of_media(now, output);
        }
    }

    fn of_media(&mut self, now: Instant, output: media::Output) {
        let State::Seated(seat) = &mut self.state else { return };
        match output {
            media::Output::Transmit(octets) => {
                self.outputs.push_back(Output::MediaTransmit { connection: seat.connection, octets });
            }
            media::Output::Bound => self.bound(now),
            media::Output::NotBound(code) if seat.stage == Stage::Entering => {
                self.give_up(now, JoinFailure::NotBound(code));
            }
            media::Output::NotBound(_) => self.media_is_gone(now, false),
            media::Output::Message { message_id, content_type, octets } => {
                let said = wrapper::unwrap(&content_type, octets, &seat.room_uri);
                self.tell(match said {
                    Some(said) => Event::Said(Said { message_id, ..said }),
                    None => Event::Unreadable { message_id },
                });
            }
            media::Output::Room => self.tell(Event::Ready),
            media::Output::Delivered(message) => self.tell(Event::Delivered { message }),
            media::Output::NotDelivered { message, code } => self.tell(Event::NotDelivered { message, code }),
            media::Output::Nickname { nickname, outcome } => self.tell(Event::Nickname { nickname, outcome }),
            media::Output::Broken { may_be_replaced } => self.media_is_gone(now, may_be_replaced),
        }
    }

    fn bound(&mut self, now: Instant) {
        let State::Seated(seat) = &mut self.state else { return };
        let event = match seat.stage {
            Stage::Entering => Event::Joined(seat.room.clone()),
            Stage::Reopening => {
                seat.resumed = Some(now);
                Event::Resumed(seat.room.clone())
            }
            _ => return,
        };
        let is_new = std::mem::replace(&mut seat.stage, Stage::Joined) == Stage::Entering;
        self.tell(event);
        if is_new {
            self.watch(now);
        }
    }

    fn media_is_gone(&mut self, now: Instant, may_be_replaced: bool) {
        let State::Seated(seat) = &self.state else { return };
        match seat.stage {
            Stage::Entering => self.give_up(now, JoinFailure::NoMedia),
            Stage::Joined if may_be_replaced => self.interrupted(now),
            Stage::Joined | Stage::Reopening => self.lose_media(now),
            // The answer to the re-INVITE, or to the BYE, is what comes next.
            Stage::Pausing(_) | Stage::Offering(_) | Stage::Waiting | Stage::Leaving => {}
        }
    }

    /// Ends a dialog that has no media session and gets none.
    fn lose_media(&mut self, now: Instant) {
        if let State::Seated(seat) = &self.state {
            let _ = self.endpoint.bye(now, seat.dialog, None);
        }
        self.unseat(now, Event::Left(Leaving::MediaLost));
    }

    /// Ends a dialog in which the room was not entered. The BYE goes its way alone.
    fn give_up(&mut self, now: Instant, failure: JoinFailure) {
        if let State::Seated(seat) = &self.state {
            let _ = self.endpoint.bye(now, seat.dialog, None);
        }
        self.unseat(now, Event::NotJoined(failure));
    }

    /// The seat is gone, for that reason.
    fn unseat(&mut self, now: Instant, why: Event) {
        self.close_media(now);
        self.state = State::Idle;
        self.tell(why);
    }

    /// The media session is over: what was not answered will not be.
    fn close_media(&mut self, now: Instant) {
        let State::Seated(seat) = &mut self.state else { return };
        let (connection, last) = (seat.connection, seat.media.give_up());
        last.into_iter().for_each(|output| self.of_media(now, output));
        self.outputs.push_back(Output::MediaClose { connection });
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// What is typed is text; its octets are UTF-8.
const TEXT: &str = "text/plain;charset=utf-8";
