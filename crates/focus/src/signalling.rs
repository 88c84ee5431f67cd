//! The conference focus: the one owner of all SIP of a node (RFC 7701 §5, RFC 4579).
//!
//! An INVITE to a room goes through three stages: who calls is made sure of, the home of the room gives a seat, and
//! the answer names the session that the seat's media will have. From then on dialog and seat end together.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rand_core::Rng;

use crate::ids::Place;
use crate::mail::Mail;
use crate::settings::Settings;

/// What signalling is told.
#[derive(Debug)]
pub enum Input {
    /// Something of the SIP transports.
    Sip(sip::Input),
    /// A letter from a worker.
    Mail(Mail),
    /// The answer to a question. One that comes too late is passed over.
    Answer {
        /// The question's id.
        id: QuestionId,
        /// What is so.
        answer: Answer,
    },
    /// The node is to end: nobody gets in any more, and every dialog gets its BYE. [`Output::Finished`] follows.
    ShutDown,
}

/// What signalling wants done.
#[derive(Debug)]
pub enum Output {
    /// Send these octets.
    Transmit {
        /// Where.
        hop: sip::Hop,
        /// What.
        octets: Vec<u8>,
    },
    /// Open a connection; [`sip::Input::Opened`] or [`sip::Input::Closed`] tells how it went.
    Connect {
        /// The id it shall have.
        connection: sip::ConnectionId,
        /// The transport.
        transport: sip::Transport,
        /// The address.
        remote: SocketAddr,
        /// The name that the peer's certificate must show.
        server_name: Option<String>,
    },
    /// Send what is queued, then close a connection.
    Close {
        /// The connection.
        connection: sip::ConnectionId,
    },
    /// Send a letter.
    Mail {
        /// To whom.
        to: Place,
        /// The letter.
        mail: Mail,
    },
    /// Ask the world; [`Input::Answer`] is awaited, for 5 s.
    Ask {
        /// Names the question in its answer. Never used again.
        id: QuestionId,
        /// What is asked.
        question: Question,
    },
    /// Every dialog is over after [`Input::ShutDown`], or has had its time (4 s).
    Finished,
}

/// A question that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub(crate) u64);

/// What the focus must ask the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Who logs in by this name.
    Account {
        /// The user name of the digest.
        user: String,
    },
}

/// What the world says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Account`]: nothing, where nobody has that name.
    Account(Option<Account>),
    /// The world cannot tell now; the caller is asked to come again (503).
    Unavailable,
}

/// Somebody who can prove to be who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The address under which they are known in every room.
    pub uri: String,
    /// Their other addresses (RFC 7701 §5.2).
    pub aliases: Vec<String>,
    /// H(user:realm:password) by SHA-256, in hexadecimal (RFC 7616 §3.4.2).
    pub sha256: Option<String>,
    /// The same by MD5.
    pub md5: Option<String>,
}

/// The focus of every room of a node.
pub struct Signalling {
    settings: Arc<Settings>,
    endpoint: sip::Endpoint,
    outputs: VecDeque<Output>,
}

impl Signalling {
    /// A focus without dialogs. `rng` is all its chance.
    pub fn new(settings: Arc<Settings>, rng: Box<dyn Rng + Send>) -> Self {
        let endpoint = sip::Endpoint::new(sip::Config::default(), rng);
        Self { settings, endpoint, outputs: VecDeque::new() }
    }

    /// Something has happened. Drain [`Signalling::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let _ = (&self.settings, now, input);
    }

    /// Does what is due. Drain [`Signalling::poll_output`] afterwards.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
    }

    /// When [`Signalling::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
