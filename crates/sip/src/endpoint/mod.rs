//! The user agent core: octets and time in, octets, timers and events out.

mod api;
mod config;
pub(crate) mod uac;

use std::collections::VecDeque;
use std::time::Instant;

use rand_core::Rng;

pub use api::{
    Answer, Cause, ClientId, DialogId, Event, Failure, Input, Outgoing, Output, Refused, TransactionId, Within,
};
pub use config::{Config, Limits, TimerValues};

/// The sans-IO user agent.
pub struct Endpoint {
    config: Config,
    random: Box<dyn Rng + Send>,
    outputs: VecDeque<Output>,
}

impl Endpoint {
    /// An endpoint without connections or dialogs.
    #[must_use]
    pub fn new(config: Config, random: Box<dyn Rng + Send>) -> Self {
        Self { config, random, outputs: VecDeque::new() }
    }

    /// Takes what the shell tells. Drain [`Endpoint::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let _ = (now, input, &self.config, &self.random);
    }

    /// Runs the timers that are due. Drain [`Endpoint::poll_output`] afterwards.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// The next thing to do; `None` when there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Endpoint::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Answers a request of the peer: 101–199 any number of times, 200–699 once (for an INVITE 300–699; see
    /// [`Endpoint::accept`]).
    ///
    /// # Errors
    /// [`Refused::NoTransaction`], [`Refused::Unfit`].
    pub fn respond(&mut self, now: Instant, transaction: TransactionId, answer: Answer) -> Result<(), Refused> {
        let _ = (now, transaction, answer);
        Err(Refused::NoTransaction)
    }

    /// Accepts an INVITE or a re-INVITE with a 2xx, which is sent until its ACK comes (RFC 3261 §13.3.1.4). A new dialog
    /// exists from here on.
    ///
    /// # Errors
    /// [`Refused::NoTransaction`], [`Refused::Unfit`] (no INVITE, no 2xx, no Contact), [`Refused::Full`].
    pub fn accept(&mut self, now: Instant, transaction: TransactionId, answer: Answer) -> Result<DialogId, Refused> {
        let _ = (now, transaction, answer);
        Err(Refused::NoTransaction)
    }

    /// Ends a dialog with a BYE. `reason` is the value of a Reason header field (RFC 3326). [`Event::Ended`] follows when
    /// it is through. Before the ACK of an INVITE that was accepted, the BYE waits for it (RFC 3261 §15).
    ///
    /// # Errors
    /// [`Refused::NoDialog`].
    pub fn bye(&mut self, now: Instant, dialog: DialogId, reason: Option<&str>) -> Result<(), Refused> {
        let _ = (now, dialog, reason);
        Err(Refused::NoDialog)
    }

    /// Sends an INVITE outside of a dialog, whatever method `outgoing` names.
    ///
    /// # Errors
    /// [`Refused::Unfit`], [`Refused::Full`], [`Refused::NoConnection`].
    pub fn invite(&mut self, now: Instant, outgoing: Outgoing) -> Result<ClientId, Refused> {
        let _ = (now, outgoing);
        Err(Refused::Full)
    }

    /// Sends a request outside of a dialog.
    ///
    /// # Errors
    /// [`Refused::Unfit`], [`Refused::Full`], [`Refused::NoConnection`].
    pub fn request(&mut self, now: Instant, outgoing: Outgoing) -> Result<ClientId, Refused> {
        let _ = (now, outgoing);
        Err(Refused::Full)
    }

    /// Sends a request within a dialog.
    ///
    /// # Errors
    /// [`Refused::NoDialog`], [`Refused::Pending`], [`Refused::Unfit`], [`Refused::Full`].
    pub fn request_within(&mut self, now: Instant, dialog: DialogId, within: Within) -> Result<ClientId, Refused> {
        let _ = (now, dialog, within);
        Err(Refused::NoDialog)
    }

    /// Takes back an INVITE of our own (RFC 3261 §9.1): the CANCEL goes out as soon as a provisional answer came. The end
    /// is [`Event::Answered`] with the 487, or [`Event::Failed`].
    ///
    /// # Errors
    /// [`Refused::NoRequest`].
    pub fn cancel(&mut self, now: Instant, client: ClientId) -> Result<(), Refused> {
        let _ = (now, client);
        Err(Refused::NoRequest)
    }
}
