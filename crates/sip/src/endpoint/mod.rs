//! The user agent core: octets and time in, octets, timers and events out.

/// What the machines need of an endpoint; a macro, so that the other fields can be borrowed beside it.
macro_rules! clock {
    ($endpoint:expr, $now:expr) => {
        crate::transaction::Clock { now: $now, values: $endpoint.config.timers, timers: &mut $endpoint.timers }
    };
}

mod answers;
mod api;
mod config;
mod heard;
mod refresh;
mod session;
mod tables;
pub(crate) mod uac;
mod uas;
mod way;
mod wire;
mod within;

use std::collections::BTreeMap;
use std::time::Instant;

use rand_core::Rng;

pub use api::{
    Answer, Cause, ClientId, Counts, DialogId, Event, Failure, Input, Outgoing, Output, QueryId, Refused,
    TransactionId, Within,
};
pub use config::{Config, Limits, SessionTimers, TimerValues};

use crate::dialog::{Dialog, Dialogs, Stage};
use crate::framing::Frame;
use crate::message::{Body, Message, Method};
use crate::slots::Slots;
use crate::timer::{Timer, TimerQueue};
use crate::token::{Secret, Token};
use crate::transport::{ConnectionId, Hop, Source, Transport};
use crate::typed::MediaType;
use answers::Presets;
use tables::{Clients, Servers};
use uac::Attempt;
use wire::Wire;

/// The sans-IO user agent.
pub struct Endpoint {
    config: Config,
    presets: Presets,
    accepted: Vec<MediaType>,
    random: Box<dyn Rng + Send>,
    secret: Secret,
    timers: TimerQueue,
    wire: Wire,
    servers: Servers,
    clients: Clients,
    attempts: Slots<Attempt>,
    dialogs: Dialogs,
    /// Requests of ours that a NOTIFY may come to before their answer, by our tag.
    subscribing: BTreeMap<Token, ClientId>,
    /// The requests of ours whose way is being looked for, by what was asked last.
    asked: BTreeMap<QueryId, ClientId>,
    /// How many questions were asked.
    queries: u64,
}

impl Endpoint {
    /// An endpoint without connections or dialogs.
    #[must_use]
    pub fn new(mut config: Config, mut random: Box<dyn Rng + Send>) -> Self {
        if config.session_timers.is_some() && !config.supported.iter().any(|tag| tag.eq_ignore_ascii_case("timer")) {
            config.supported.push("timer".to_owned());
        }
        Self {
            presets: Presets::new(&config),
            accepted: config.accept.iter().filter_map(|range| MediaType::parse(range).ok()).collect(),
            secret: Secret::new(&mut *random),
            timers: TimerQueue::default(),
            wire: Wire::new(&config),
            servers: Servers::new(&config.limits, &mut *random),
            clients: Clients::new(),
            attempts: Slots::new(usize::MAX),
            dialogs: Dialogs::new(config.limits.dialogs),
            subscribing: BTreeMap::new(),
            asked: BTreeMap::new(),
            queries: 0,
            config,
            random,
        }
    }

    /// Takes what the shell tells. Drain [`Endpoint::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Datagram { local, remote, octets } => {
                let source = Source { transport: Transport::Udp, local, remote, connection: None };
                self.receive_whole(now, source, &octets);
            }
            Input::Opened { connection, transport, local, remote } => {
                self.wire.opened(connection, transport, local, remote);
            }
            Input::Received { connection, octets } => self.receive_octets(now, connection, &octets),
            Input::Closed { connection } => self.lose_connection(now, connection),
            Input::Answer { id, answer } => self.located(now, id, answer),
        }
    }

    /// Runs the timers that are due. Drain [`Endpoint::poll_output`] afterwards.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            self.run_timer(now, timer);
        }
    }

    /// The next thing to do; `None` when there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.wire.poll()
    }

    /// When [`Endpoint::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// How much there is of everything that is bounded.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            server_transactions: self.servers.len(),
            client_transactions: self.attempts.len(),
            dialogs: self.dialogs.len(),
            connections: self.wire.len(),
        }
    }

    /// The endpoint's chance, for what else its owner draws by lot.
    pub fn chance(&mut self) -> &mut (dyn Rng + Send) {
        &mut *self.random
    }

    /// A dialog that is confirmed, or in which a request came.
    #[must_use]
    pub fn dialog(&self, dialog: DialogId) -> Option<&Dialog> {
        self.dialogs.get(dialog)
    }

    /// The dialog with these three, as somebody names it in another request (RFC 3891 §3, RFC 3911 §4, RFC 4538 §4): confirmed,
    /// ending or held. A `remote_tag` of `0` is also that of a peer of RFC 2543 that has none.
    #[must_use]
    pub fn find_dialog_of(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> Option<DialogId> {
        let find = |remote_tag| self.dialogs.find(call_id, local_tag, remote_tag);
        let found = find(remote_tag).or_else(|| if remote_tag == "0" { find("") } else { None })?;
        self.dialogs.get(found).is_some_and(|dialog| dialog.stage != Stage::Early).then_some(found)
    }

    /// A token of 100 random bits, letters and digits in small letters: for a URI that nobody guesses.
    pub fn random_token(&mut self) -> String {
        Token::random(&mut *self.random).as_str().to_owned()
    }

    /// Answers a request of the peer: 101–199 any number of times, 200–699 once (for an INVITE 300–699; see
    /// [`Endpoint::accept`]).
    ///
    /// # Errors
    /// [`Refused::NoTransaction`], [`Refused::Unfit`].
    pub fn respond(&mut self, now: Instant, transaction: TransactionId, answer: Answer) -> Result<(), Refused> {
        self.respond_to(now, transaction, answer)
    }

    /// Accepts with a 2xx what begins a usage, and its dialog where there is none.
    ///
    /// An INVITE or re-INVITE: the 2xx is sent until its ACK comes (RFC 3261 §13.3.1.4). A SUBSCRIBE or REFER: the dialog
    /// is held as by [`Endpoint::hold`]; one that only refreshes a subscription is answered by [`Endpoint::respond`].
    ///
    /// # Errors
    /// [`Refused::NoTransaction`], [`Refused::Unfit`] (another method, no 2xx, no Contact), [`Refused::Full`].
    pub fn accept(&mut self, now: Instant, transaction: TransactionId, answer: Answer) -> Result<DialogId, Refused> {
        self.accept_usage(now, transaction, answer)
    }

    /// Ends a dialog with a BYE. `reason` is the value of a Reason header field (RFC 3326). [`Event::Ended`] follows when
    /// it is through. Before the ACK of an INVITE that was accepted, the BYE waits for it (RFC 3261 §15).
    ///
    /// # Errors
    /// [`Refused::NoDialog`].
    pub fn bye(&mut self, now: Instant, dialog: DialogId, reason: Option<&str>) -> Result<(), Refused> {
        self.hang_up(now, dialog, reason)
    }

    /// Keeps a dialog beyond the end of its session, for a usage that the user carries: a subscription (RFC 5057).
    /// Each hold asks for one [`Endpoint::release`].
    ///
    /// # Errors
    /// [`Refused::NoDialog`].
    pub fn hold(&mut self, dialog: DialogId) -> Result<(), Refused> {
        self.hold_dialog(dialog)
    }

    /// A usage is over. A dialog that has none left goes, without a word to the peer.
    ///
    /// # Errors
    /// [`Refused::NoDialog`]: it is gone or not held.
    pub fn release(&mut self, now: Instant, dialog: DialogId) -> Result<(), Refused> {
        self.release_dialog(now, dialog)
    }

    /// Sends an INVITE outside of a dialog, whatever method `outgoing` names.
    ///
    /// # Errors
    /// [`Refused::Unfit`], [`Refused::Full`], [`Refused::NoConnection`].
    pub fn invite(&mut self, now: Instant, outgoing: Outgoing) -> Result<ClientId, Refused> {
        self.send_outside(now, Outgoing { method: Method::INVITE, ..outgoing })
    }

    /// Sends a request outside of a dialog.
    ///
    /// # Errors
    /// [`Refused::Unfit`], [`Refused::Full`], [`Refused::NoConnection`].
    pub fn request(&mut self, now: Instant, outgoing: Outgoing) -> Result<ClientId, Refused> {
        if outgoing.method == Method::INVITE {
            return Err(Refused::Unfit("method: an INVITE is sent by `invite`"));
        }
        self.send_outside(now, outgoing)
    }

    /// Whether requests within a dialog go over a connection under TLS that stands.
    #[must_use]
    pub fn is_reached_over_tls(&self, dialog: DialogId) -> bool {
        let connection = self.dialogs.get(dialog).and_then(|dialog| dialog.peer.connection);
        let path = connection.and_then(|connection| self.wire.existing(connection));
        path.is_some_and(|path| path.transport.is_secure())
    }

    /// Sends a request within a dialog.
    ///
    /// # Errors
    /// [`Refused::NoDialog`], [`Refused::Pending`], [`Refused::Unfit`], [`Refused::Full`].
    pub fn request_within(&mut self, now: Instant, dialog: DialogId, within: Within) -> Result<ClientId, Refused> {
        self.send_within(now, dialog, within)
    }

    /// Sends the ACK to a 2xx that made an offer, with the answer ([`Event::Accepted`]).
    ///
    /// # Errors
    /// [`Refused::NoDialog`]: it is gone, or no ACK waits there.
    pub fn acknowledge(&mut self, dialog: DialogId, answer: Body) -> Result<(), Refused> {
        self.acknowledge_offer(dialog, Some(answer))
    }

    /// Takes back an INVITE of our own (RFC 3261 §9.1): the CANCEL goes out as soon as a provisional answer came. The end
    /// is [`Event::Answered`] with the 487, or [`Event::Failed`].
    ///
    /// # Errors
    /// [`Refused::NoRequest`].
    pub fn cancel(&mut self, now: Instant, client: ClientId) -> Result<(), Refused> {
        self.cancel_invite(now, client)
    }

    /// What one read brings that is one message.
    fn receive_whole(&mut self, now: Instant, source: Source, octets: &[u8]) {
        let Limits { head, body, .. } = self.config.limits;
        self.receive_frame(now, source, Frame::of_one_message(octets, head, body));
    }

    fn receive_octets(&mut self, now: Instant, id: ConnectionId, octets: &[u8]) {
        let (Some(source), Some(connection)) = (self.wire.source(id), self.wire.connection(id)) else { return };
        if source.transport.carries_one_message_a_read() {
            return self.receive_whole(now, source, octets);
        }
        connection.framer.feed(octets);
        let mut is_same = true;
        // Each round takes something of what came, or is the last; an answer may close the connection.
        while let Some(frame) = self.wire.connection(id).and_then(|connection| connection.framer.next()) {
            is_same = false;
            self.receive_frame(now, source, frame);
        }
        self.watch_message(now, id, is_same);
    }

    fn receive_frame(&mut self, now: Instant, source: Source, frame: Frame) {
        match (frame, source.connection) {
            (Frame::Message(Message::Request(request)), _) => self.receive_request(now, source, request),
            (Frame::Message(Message::Response(response)), _) => self.receive_response(now, response),
            (Frame::Ping, Some(connection)) => self.wire.transmit(Hop::Connection(connection), b"\r\n".to_vec()),
            (Frame::Ping | Frame::Pong, _) => {}
            (Frame::Malformed { malformed, close }, connection) => {
                self.refuse_malformed(source, malformed);
                if let Some(connection) = connection.filter(|_| close) {
                    self.close_connection(now, connection);
                }
            }
        }
    }

    /// A message that has begun has to come in whole in time; `is_same`: it is the one that was watched before.
    fn watch_message(&mut self, now: Instant, id: ConnectionId, is_same: bool) {
        let due = now + self.config.limits.message_time;
        let Some(connection) = self.wire.connection(id) else { return };
        let begun = connection.framer.is_within_message();
        if let Some(key) = connection.deadline.take_if(|_| !begun || !is_same) {
            self.timers.stop(key);
        }
        if begun && connection.deadline.is_none() {
            connection.deadline = Some(self.timers.set(due, Timer::Message(id)));
        }
    }

    fn close_connection(&mut self, now: Instant, id: ConnectionId) {
        let connection = self.wire.close(id);
        self.settle_lost(now, connection);
    }

    fn lose_connection(&mut self, now: Instant, id: ConnectionId) {
        let connection = self.wire.closed(id);
        self.settle_lost(now, connection);
    }

    fn settle_lost(&mut self, now: Instant, connection: Option<wire::Connection>) {
        let Some(connection) = connection else { return };
        let was_open = connection.local.is_some();
        connection.deadline.into_iter().for_each(|key| self.timers.stop(key));
        for client in connection.clients {
            self.client_lost_connection(now, client, was_open);
        }
    }

    fn run_timer(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Trying(id) => self.say_trying(now, id),
            Timer::G(id) | Timer::Alive(id) => self.resend_server(now, id, timer),
            Timer::Expired(id) => self.take_back(now, id),
            Timer::H(id) | Timer::I(id) | Timer::J(id) | Timer::L(id) | Timer::Late(id) => self.end_server(now, id),
            Timer::A(id) | Timer::E(id) => self.resend_client(now, id),
            Timer::B(id) | Timer::F(id) => self.client_timed_out(now, id),
            Timer::D(id) | Timer::K(id) | Timer::M(id) => self.client_is_over(now, id),
            Timer::Accepted(id) => self.resend_accepted(now, id),
            Timer::NoAck(id) => self.give_up_ack(now, id),
            Timer::Glare(id) => self.glare_is_over(id),
            Timer::Unlocated(id) => self.fail_attempt(now, id, Failure::Transport),
            Timer::Cancelled(id) => self.give_up_cancelled(now, id),
            Timer::Refresh(id) => self.refresh_session(now, id),
            Timer::Unrefreshed(id) => self.give_up_session(now, id),
            Timer::Message(id) => self.close_connection(now, id),
        }
    }

    /// A number below `bound`, for delays that shall differ.
    fn random_below(&mut self, bound: u32) -> u32 {
        self.random.next_u32() % bound.max(1)
    }
}
