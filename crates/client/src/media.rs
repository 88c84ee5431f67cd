//! The MSRP side of a participant: one session on a connection of its own.

use std::collections::VecDeque;
use std::time::Instant;

use msrp::chunk::Bounds;
use msrp::connection::{self, Connection, Settings};
use msrp::session::{self, Message, Reason, Role, SendError, SessionId, Terms};
use msrp::uri::Path;
use rand_core::Rng;

use crate::api::{Config, MessageId, NicknameFailure, Refused};
use crate::wrapper::CPIM;

/// What NICKNAME gets where no answer came (RFC 4975 §7.1.1: as a 408).
const NO_ANSWER: u16 = 408;

/// A session, from the answer that named it on.
pub(crate) struct Media {
    state: State,
    /// What was sent and not answered: Message-ID and our name for it, in order.
    unanswered: VecDeque<(String, MessageId)>,
    bound: bool,
    /// The nickname that was asked for, empty to give it up.
    asked: Option<String>,
    outputs: VecDeque<Output>,
}

enum State {
    /// The connection is not open yet.
    Connecting(Box<Plan>),
    Open(Box<Connection>, SessionId),
    Gone,
}

/// What a session is made from.
struct Plan {
    terms: Terms,
    settings: Settings,
    random: Box<dyn Rng + Send>,
}

/// What the agent is told.
#[derive(Debug)]
pub(crate) enum Output {
    Transmit(Vec<u8>),
    Bound,
    /// A whole message, not seen before.
    Message {
        message_id: String,
        content_type: String,
        octets: Vec<u8>,
    },
    Delivered(MessageId),
    NotDelivered {
        message: MessageId,
        code: Option<u16>,
    },
    Nickname {
        nickname: Option<String>,
        outcome: Result<(), NicknameFailure>,
    },
    /// There is room again after [`Refused::Full`].
    Room,
    /// The session was not bound, with the code of the refusal, if it was one.
    NotBound(Option<u16>),
    /// The session is over. Another may be better where only the connection failed.
    Broken {
        may_be_replaced: bool,
    },
}

impl Media {
    /// A session between these paths. Nothing is sent before the connection is open.
    pub(crate) fn new(own: &Path, peer: &Path, config: &Config, random: Box<dyn Rng + Send>) -> Self {
        let terms = Terms {
            own: own.last().clone(),
            peer: peer.clone(),
            role: Role::Active,
            accept_types: vec![CPIM.to_owned()],
            max_chunk: None,
        };
        let octets = config.max_message.saturating_mul(2);
        let settings = Settings {
            gathered: Bounds { messages: config.max_open, message_octets: config.max_message, octets },
            keep_alive: config.keep_alive,
            ..Settings::default()
        };
        Self {
            state: State::Connecting(Box::new(Plan { terms, settings, random })),
            unanswered: VecDeque::new(),
            bound: false,
            asked: None,
            outputs: VecDeque::new(),
        }
    }

    /// The connection is open: the session is bound by a SEND without a body (RFC 4975 §5.4).
    pub(crate) fn opened(&mut self, now: Instant) {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Connecting(plan) => {
                let Plan { terms, settings, random } = *plan;
                let mut connection = Connection::new(settings, random);
                let session = connection.open(now, terms);
                self.state = State::Open(Box::new(connection), session);
            }
            state => self.state = state,
        }
    }

    pub(crate) fn received(&mut self, now: Instant, octets: &[u8]) {
        if let State::Open(connection, _) = &mut self.state {
            connection.handle_input(now, octets);
        }
    }

    pub(crate) fn transmitted(&mut self, now: Instant, octets: usize) {
        if let State::Open(connection, _) = &mut self.state {
            connection.handle_transmitted(now, octets);
        }
    }

    pub(crate) fn closed(&mut self, now: Instant) {
        match &mut self.state {
            State::Open(connection, _) => connection.handle_closed(now),
            State::Connecting(_) => self.over(Output::Broken { may_be_replaced: true }),
            State::Gone => {}
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let State::Open(connection, _) = &mut self.state {
            connection.handle_timeout(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Open(connection, _) => connection.poll_timeout(),
            State::Connecting(_) | State::Gone => None,
        }
    }

    /// Sends a wrapped message.
    pub(crate) fn send(&mut self, message: MessageId, body: Vec<u8>) -> Result<(), Refused> {
        let State::Open(connection, session) = &mut self.state else { return Err(Refused::NotJoined) };
        let message_id = connection.send(*session, Message::new(CPIM, body)).map_err(refused)?;
        self.unanswered.push_back((message_id, message));
        Ok(())
    }

    /// Asks for a nickname, or gives the present one up.
    pub(crate) fn nickname(&mut self, nickname: Option<&str>) -> Result<(), Refused> {
        let State::Open(connection, session) = &mut self.state else { return Err(Refused::NotJoined) };
        if self.asked.is_some() {
            return Err(Refused::NicknamePending);
        }
        let nickname = nickname.unwrap_or_default();
        connection.set_nickname(*session, nickname).map_err(refused)?;
        self.asked = Some(nickname.to_owned());
        Ok(())
    }

    /// What is still to be told when the session is given up: what came, and that the rest will not be answered.
    pub(crate) fn give_up(&mut self) -> Vec<Output> {
        let mut last: Vec<Output> = std::iter::from_fn(|| self.poll_output()).filter(Output::is_of_user).collect();
        let unanswered = self.unanswered.drain(..);
        last.extend(unanswered.map(|(_, message)| Output::NotDelivered { message, code: None }));
        last.extend(self.asked.take().map(|nickname| nickname_answered(nickname, NO_ANSWER)));
        self.state = State::Gone;
        last
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            let State::Open(connection, _) = &mut self.state else { return None };
            match connection.poll_output()? {
                connection::Output::Transmit(octets) => return Some(Output::Transmit(octets)),
                connection::Output::Event(event) => self.happened(event),
                connection::Output::Close => self.over(Output::Broken { may_be_replaced: false }),
            }
        }
    }

    fn happened(&mut self, event: session::Event) {
        match event {
            session::Event::Bound { .. } => {
                self.bound = true;
                self.outputs.push_back(Output::Bound);
            }
            session::Event::Message { repeated: true, .. } => {}
            session::Event::Message { message_id, content_type, octets, .. } => {
                self.outputs.push_back(Output::Message { message_id, content_type, octets });
            }
            session::Event::Accepted { message_id, .. } => {
                if let Some(message) = self.answered(&message_id) {
                    self.outputs.push_back(Output::Delivered(message));
                }
            }
            session::Event::Failed { message_id, code, .. } => {
                if let Some(message) = self.answered(&message_id) {
                    self.outputs.push_back(Output::NotDelivered { message, code: Some(code) });
                }
            }
            // What they mean for a message of ours comes as an event of its own.
            session::Event::Delivered { .. } | session::Event::Report { .. } => {}
            session::Event::Nickname { nickname, code, .. } => {
                self.asked = None;
                self.outputs.push_back(nickname_answered(nickname, code));
            }
            session::Event::Room => self.outputs.push_back(Output::Room),
            session::Event::Closed { reason, .. } => self.over(match reason {
                Reason::NotBound => Output::NotBound(None),
                Reason::Refused(code) if !self.bound => Output::NotBound(Some(code)),
                Reason::Disconnected | Reason::Silent | Reason::NotReceived => Output::Broken { may_be_replaced: true },
                _ => Output::Broken { may_be_replaced: false },
            }),
        }
    }

    fn answered(&mut self, message_id: &str) -> Option<MessageId> {
        let at = self.unanswered.iter().position(|(known, _)| known == message_id)?;
        self.unanswered.remove(at).map(|(_, message)| message)
    }

    /// The session is over; said once.
    fn over(&mut self, how: Output) {
        if !matches!(self.state, State::Gone) {
            self.state = State::Gone;
            self.outputs.push_back(how);
        }
    }
}

impl Output {
    /// Whether it is for the user, not about the session.
    fn is_of_user(&self) -> bool {
        match self {
            Self::Message { .. } | Self::Delivered(_) | Self::NotDelivered { .. } | Self::Nickname { .. } => true,
            Self::Transmit(_) | Self::Bound | Self::Room | Self::NotBound(_) | Self::Broken { .. } => false,
        }
    }
}

fn nickname_answered(nickname: String, code: u16) -> Output {
    let outcome = match code {
        200..=299 => Ok(()),
        NO_ANSWER => Err(NicknameFailure::NoAnswer),
        code => Err(NicknameFailure::Refused(code)),
    };
    Output::Nickname { nickname: Some(nickname).filter(|nickname| !nickname.is_empty()), outcome }
}

fn refused(error: SendError) -> Refused {
    match error {
        SendError::NoSession => Refused::NotJoined,
        SendError::Full => Refused::Full,
        SendError::Malformed => Refused::Unfit("content type"),
    }
}
