//! The conference focus: the one owner of all SIP of a node (RFC 7701 §5, RFC 4579).
//!
//! An INVITE to a room goes through three stages: who calls is made sure of, the home of the room gives a seat, and
//! the answer names the session that the seat's media will have. From then on dialog and seat end together. Somebody whom a room
//! calls comes in the other way round: a seat, an INVITE, a dialog.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::Rng;
use room::{NicknameRegistry, SeatId};
use sip::auth::{Algorithm, Authenticator};
use sip::{ClientId, DialogId, Event, Method, Request, Source, TransactionId};

use crate::ids::Place;
use crate::mail::{Letter, Mail};
use crate::settings::{Auth, Settings};

mod admission;
mod bodies;
mod calls;
mod desk;
mod join;
mod media;
mod named;
mod notify;
mod offers;
mod password;
mod people;
mod presence;
mod progress;
mod refer;
mod registrar;
mod roles;
mod rooms;
mod roster;
mod seat;
mod subscriptions;
pub mod uri_list;

use admission::{Call, Purpose, Questions, Sources};
use calls::Calls;
use notify::Notifier;
use people::People;
use progress::Reports;
use refer::Listed;
use registrar::Registrar;
use rooms::Directory;
use seat::{Ending, Seat};

/// How long the dialogs may take to end when the node does.
const FAREWELL: Duration = Duration::from_secs(4);
/// What a caller is told by Retry-After, in seconds.
const COME_AGAIN: &str = "5";
/// The lifetime of a nonce, in seconds.
const NONCE: u64 = 300;
/// What a room answers.
const METHODS: [Method; 9] = [
    Method::INVITE,
    Method::ACK,
    Method::BYE,
    Method::CANCEL,
    Method::OPTIONS,
    Method::UPDATE,
    Method::SUBSCRIBE,
    Method::NOTIFY,
    Method::REFER,
];
/// The extensions that a room understands.
const EXTENSIONS: [&str; 7] =
    ["timer", "replaces", "join", "tdialog", "norefersub", "multiple-refer", "recipient-list-invite"];
/// The event packages of a room.
const ALLOW_EVENTS: &str = "conference, refer";
/// The bodies that a room takes.
const BODIES: [&str; 3] = ["application/sdp", "application/resource-lists+xml", "multipart/mixed"];

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
    /// The operator wants something of a room. [`Output::Desk`] answers.
    Desk {
        /// Names the command in its answer.
        id: crate::desk::DeskId,
        /// What it wants.
        command: crate::desk::Command,
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
    /// The answer to [`Input::Desk`].
    Desk {
        /// The command.
        id: crate::desk::DeskId,
        /// What has become of it.
        answer: crate::desk::Answer,
    },
    /// A room has been made by calling it that does not end by itself: to be kept beyond the end of the node. What is to be kept of
    /// it is asked when it is ([`Command::Show`](crate::desk::Command::Show)), since by then it may be another or none.
    Lasting {
        /// The user part of its URI.
        room: String,
    },
    /// Such a room has been ended by who may: it is not to be kept any longer.
    Gone {
        /// The user part of its URI.
        room: String,
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
    /// The addresses of a host.
    Addresses {
        /// Its name.
        host: String,
    },
    /// The NAPTR records of a domain (RFC 3263 §4.1).
    Services {
        /// Its name.
        domain: String,
    },
    /// The SRV records of a name (RFC 3263 §4.2).
    Servers {
        /// The name.
        name: String,
    },
}

/// What the world says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Account`]: nothing, where nobody has that name.
    Account(Option<Account>),
    /// To [`Question::Addresses`], the best first.
    Addresses(Vec<IpAddr>),
    /// To [`Question::Services`].
    Services(Vec<sip::locate::Naptr>),
    /// To [`Question::Servers`].
    Servers(Vec<sip::locate::Srv>),
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
    authenticator: Option<Authenticator>,
    rooms: Directory,
    seats: BTreeMap<SeatId, Seat>,
    people: People,
    notifier: Notifier,
    /// Seats that wait for their home, by the INVITE that wants them.
    joining: BTreeMap<TransactionId, SeatId>,
    /// Seats that have their dialog.
    dialogs: BTreeMap<DialogId, SeatId>,
    /// Dialogs that get their BYE, their seats gone.
    ending: BTreeSet<DialogId>,
    /// Re-INVITEs of the focus' own that refresh sessions.
    refreshes: BTreeMap<ClientId, DialogId>,
    questions: Questions,
    sources: Sources,
    registrar: Registrar,
    /// Those whom rooms call.
    calls: Calls,
    /// Those who are to be called once the seat of who has listed them is answered.
    listed: BTreeMap<SeatId, Listed>,
    reports: Reports,
    /// The nicknames of all rooms in which they are unique in the domain.
    nicknames: NicknameRegistry,
    /// Counts seats; begins anywhere, as it stands in session descriptions.
    next_seat: u64,
    phase: Phase,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The node is to end, at this instant at the latest.
    Closing(Instant),
    Finished,
}

impl Signalling {
    /// A focus without dialogs, its permanent rooms open. `rng` is all its chance.
    pub fn new(settings: Arc<Settings>, mut rng: Box<dyn Rng + Send>) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let next_seat = rng.next_u64() >> 3;
        let authenticator = match &settings.auth {
            Auth::Open => None,
            Auth::Digest { realm, md5 } => {
                let mut algorithms = vec![Algorithm::Sha256];
                algorithms.extend(md5.then_some(Algorithm::Md5));
                Some(Authenticator::new(realm, key, NONCE, algorithms))
            }
        };
        let mut signalling = Self {
            endpoint: sip::Endpoint::new(endpoint_config(&settings), rng),
            authenticator,
            rooms: Directory::default(),
            seats: BTreeMap::new(),
            people: People::default(),
            notifier: Notifier::default(),
            joining: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            ending: BTreeSet::new(),
            refreshes: BTreeMap::new(),
            questions: Questions::default(),
            sources: Sources::default(),
            registrar: Registrar::default(),
            calls: Calls::default(),
            listed: BTreeMap::new(),
            reports: Reports::default(),
            nicknames: NicknameRegistry::default(),
            next_seat,
            phase: Phase::Open,
            outputs: VecDeque::new(),
            settings,
        };
        signalling.open_permanent_rooms();
        signalling
    }

    /// Something has happened. Drain [`Signalling::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Sip(input) => self.endpoint.handle_input(now, input),
            Input::Mail(mail) => self.read_mail(now, mail),
            Input::Answer { id, answer } => self.answered(now, id, answer),
            Input::Desk { id, command } => self.desk(now, id, command),
            Input::ShutDown => self.shut_down(now),
        }
        self.after(now);
    }

    /// Does what is due. Drain [`Signalling::poll_output`] afterwards.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.registrar.handle_timeout(now);
        self.notifier_due(now);
        self.calls_due(now);
        while let Some(matter) = self.questions.overdue(now) {
            self.unanswered(now, matter);
        }
        self.after(now);
    }

    /// When [`Signalling::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let closing = match self.phase {
            Phase::Closing(until) => Some(until),
            Phase::Open | Phase::Finished => None,
        };
        let own = [
            self.endpoint.poll_timeout(),
            self.questions.next_deadline(),
            self.registrar.poll_timeout(),
            self.notifier.poll_timeout(),
            self.calls.poll_timeout(),
            closing,
        ];
        own.into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Dialogs with a seat, and rooms: for telemetry and tests.
    pub fn census(&self) -> [usize; 2] {
        [self.dialogs.len(), self.rooms.len()]
    }

    /// How many subscriptions to rosters there are.
    pub fn subscriptions(&self) -> usize {
        self.notifier.len()
    }

    /// Takes what the endpoint says until it says no more, then looks whether all is over.
    fn after(&mut self, now: Instant) {
        while let Some(output) = self.endpoint.poll_output() {
            let output = match output {
                sip::Output::Transmit { hop, octets } => Output::Transmit { hop, octets },
                sip::Output::Connect { connection, transport, remote, server_name } => {
                    Output::Connect { connection, transport, remote, server_name }
                }
                sip::Output::Close { connection } => Output::Close { connection },
                sip::Output::Ask { id, query } => {
                    self.seek(now, id, query);
                    continue;
                }
                sip::Output::Event(event) => {
                    self.event(now, event);
                    continue;
                }
            };
            self.outputs.push_back(output);
        }
        if let Phase::Closing(until) = self.phase
            && (now >= until || (self.dialogs.is_empty() && self.ending.is_empty() && self.notifier.len() == 0))
        {
            self.phase = Phase::Finished;
            self.outputs.push_back(Output::Finished);
        }
    }

    fn event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { transaction, request, source, dialog: None } => {
                self.asked(now, transaction, request, source);
            }
            Event::Request { transaction, request, source, dialog: Some(dialog) }
                if request.method == Method::REFER =>
            {
                self.referred_within(now, transaction, &request, (dialog, source));
            }
            Event::Request { transaction, request, dialog: Some(dialog), .. } => {
                self.asked_within(now, transaction, &request, dialog);
            }
            Event::Cancelled { transaction } => self.cancelled(now, transaction),
            Event::Ended { dialog, .. } => self.ended(now, dialog),
            Event::Acknowledged { dialog, request } => self.acknowledged(now, dialog, &request),
            Event::RefreshDue { dialog } => self.refresh(now, dialog),
            // Each owner of requests of the focus' own knows them by their ids, and passes over those of others.
            Event::Accepted { client, dialog, response } => {
                self.callee_accepted(now, client, dialog, &response);
                self.refreshed(now, client, &response);
            }
            Event::Answered { client, response } => {
                self.callee_refused(now, client, response.code);
                self.answered_to(now, client, Some(response.code));
            }
            Event::Failed { client, failure } => {
                self.callee_silent(now, client, failure);
                self.answered_to(now, client, None);
            }
            Event::Provisional { client, response } => self.callee_rings(now, client, &response),
            Event::MayRetry { dialog } => self.may_offer(now, dialog),
        }
    }

    /// A NOTIFY or a re-INVITE of the focus has its answer, or will have none.
    fn answered_to(&mut self, now: Instant, client: ClientId, code: Option<u16>) {
        if !self.notified(now, client, code) {
            self.reported(now, client, code.is_some_and(|code| (200..300).contains(&code)));
            self.not_refreshed(client, code);
        }
    }

    /// A request outside of a dialog.
    fn asked(&mut self, now: Instant, transaction: TransactionId, request: Arc<Request>, source: Source) {
        let call = |purpose, request| Call { purpose, transaction, request, source };
        if request.method == Method::INVITE {
            self.called(now, call(Purpose::Join, request));
        } else if request.method == Method::SUBSCRIBE {
            self.called(now, call(Purpose::Subscribe, request));
        } else if request.method == Method::REGISTER {
            self.called(now, call(Purpose::Register, request));
        } else if request.method == Method::OPTIONS && names_somebody(&request) {
            self.called(now, call(Purpose::Options, request));
        } else if request.method == Method::REFER {
            self.referred(now, call(Purpose::Refer, request));
        } else {
            self.asked_of_server(now, transaction, &request);
        }
    }

    /// A request within a dialog; its BYE is the endpoint's affair.
    fn asked_within(&mut self, now: Instant, transaction: TransactionId, request: &Request, dialog: DialogId) {
        if request.method == Method::INVITE || request.method == Method::UPDATE {
            self.reinvited(now, transaction, request, dialog);
        } else if request.method == Method::SUBSCRIBE {
            self.subscribe_within(now, transaction, request, dialog);
        } else if request.method == Method::OPTIONS
            && let Some(contact) = self.contact_of(dialog)
        {
            // RFC 4579 §4.2: that this is a focus shows within the dialog too.
            self.respond(now, transaction, sip::Answer::new(200).contact(contact));
        } else {
            self.asked_of_server(now, transaction, request);
        }
    }

    /// A request that no room has to do with: OPTIONS alone means anything there.
    fn asked_of_server(&mut self, now: Instant, transaction: TransactionId, request: &Request) {
        let code = if request.method == Method::OPTIONS {
            200
        } else if request.method == Method::UPDATE || request.method == Method::NOTIFY {
            // There is no dialog that it could change (RFC 3311 §5.2), and no subscription of ours (RFC 6665 §4.1.3).
            481
        } else {
            501
        };
        self.respond(now, transaction, sip::Answer::new(code));
    }

    fn read_mail(&mut self, now: Instant, mail: Mail) {
        match mail.0 {
            Letter::Joined { seat, session } => self.joined(now, seat, &session),
            Letter::Agreed { seat, number, session } => self.agreed(now, seat, number, &session),
            Letter::Register { room, home, registration } => {
                if let Some((ask, granted)) = self.nicknames.handle_input(now, &registration) {
                    self.post(home, Letter::Registered { room, ask, granted });
                }
            }
            Letter::Roster { room, change } => self.roster_changed(now, room, *change),
            Letter::Declined { seat, refusal } => self.declined(now, seat, refusal),
            Letter::Dismiss { seat, cause } => self.hang_up(now, seat, Ending::Switch(cause)),
            // All other letters are to workers.
            _ => {}
        }
    }

    fn shut_down(&mut self, now: Instant) {
        if self.phase != Phase::Open {
            return;
        }
        self.phase = Phase::Closing(now + FAREWELL);
        for seat in self.seats.keys().copied().collect::<Vec<_>>() {
            self.hang_up(now, seat, Ending::ShutDown);
        }
        self.end_subscriptions(now);
        self.give_up_all_calls(now);
    }

    fn respond(&mut self, now: Instant, transaction: TransactionId, answer: sip::Answer) {
        // A transaction that is gone needs no answer.
        let _ = self.endpoint.respond(now, transaction, answer);
    }

    /// 503: come again.
    fn refuse_for_now(&mut self, now: Instant, transaction: TransactionId) {
        self.respond(now, transaction, sip::Answer::new(503).header("Retry-After", COME_AGAIN));
    }

    fn post(&mut self, worker: crate::ids::WorkerId, letter: Letter) {
        self.outputs.push_back(Output::Mail { to: Place::Worker(worker), mail: Mail(letter) });
    }
}

/// Whether a request is for somebody at this server, not for the server itself.
fn names_somebody(request: &Request) -> bool {
    request.request_uri().is_ok_and(|uri| uri.user().is_some_and(|user| !user.is_empty()))
}

fn endpoint_config(settings: &Settings) -> sip::Config {
    let place = |at: &crate::settings::SipAddress| (at.transport, format!("{}:{}", at.host, at.port));
    sip::Config {
        sent_by: settings.sip.iter().map(place).collect(),
        agent: settings.product.clone(),
        allow: METHODS.into_iter().chain([Method::REGISTER]).collect(),
        supported: EXTENSIONS.map(str::to_owned).to_vec(),
        accept: BODIES.map(str::to_owned).to_vec(),
        capabilities: vec![("Allow-Events".to_owned(), ALLOW_EVENTS.to_owned())],
        outbound: outbound_ways(settings),
        outbound_proxy: settings.outbound_proxy.clone(),
        session_timers: Some(sip::SessionTimers::default()),
        ..sip::Config::default()
    }
}

/// How requests of our own travel. Datagrams need a socket; over TLS none goes out, as nobody has said whose certificates are to be
/// trusted.
fn outbound_ways(settings: &Settings) -> sip::locate::Supported {
    let has_socket = settings.sip.iter().any(|place| place.transport == sip::Transport::Udp);
    let transports = has_socket.then_some(sip::Transport::Udp).into_iter().chain([sip::Transport::Tcp]).collect();
    sip::locate::Supported { transports, networks: settings.outbound.clone() }
}
