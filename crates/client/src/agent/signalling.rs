//! The SIP side of a participant: the call, its answer, what the room asks within the dialog, its end.

use std::sync::Arc;
use std::time::Instant;

use conference_info::read;
use msrp::sdp::MessageMedia;
use sip::auth::{Credentials, challenged_realm};
use sip::typed::{self, Uri};
use sip::{Answer, Cause, DialogId, Failure, Method, Outgoing, Request, Response, TransactionId};

use super::{Agent, State, Watch};
use crate::api::{Config, Event, Join, JoinFailure, Leaving, MediaId, Output, Refused, Room, room_realm};
use crate::description::Description;
use crate::media::Media;
use crate::roster;
use crate::seat::{Call, Seat, Stage, Target};

pub(super) const SDP: &str = "application/sdp";

pub(super) fn endpoint_config(config: &Config) -> sip::Config {
    let methods =
        [Method::INVITE, Method::ACK, Method::CANCEL, Method::BYE, Method::OPTIONS, Method::UPDATE, Method::NOTIFY];
    sip::Config {
        timers: config.timers,
        agent: config.user_agent.clone(),
        allow: methods.to_vec(),
        accept: [&[SDP], &roster::UNDERSTOOD[..]].concat().into_iter().map(str::to_owned).collect(),
        // The roster of a large room is refused by its reader at most, never on its way there.
        limits: sip::Limits { body: read::Limits::default().octets, ..sip::Limits::default() },
        ..sip::Config::default()
    }
}

impl Agent {
    /// Sends the INVITE (RFC 7701 §5.2).
    pub(super) fn call(&mut self, now: Instant, join: Join) -> Result<Call, Refused> {
        let target = Target::of(&join)?;
        let mut description = Description::new(&join, &mut *(self.random)());
        let identity = format!("<{}>", target.identity);
        let from = match &join.display_name {
            Some(name) => format!("{} {identity}", typed::quote(name)),
            None => identity,
        };
        let room = target.room_uri.as_str();
        let credentials = credentials(&join);
        let mut invite = Outgoing::new(Method::INVITE, room, from, format!("<{room}>"), join.destination)
            .contact(&target.contact)
            .body(SDP, description.offer());
        if join.privacy {
            invite = invite.header("Privacy", "id");
        }
        invite.credentials = credentials;
        let client = self.endpoint.invite(now, invite).map_err(|refused| match refused {
            sip::Refused::Unfit(what) => Refused::Unfit(what),
            _ => Refused::Unfit("destination"),
        })?;
        Ok(Call { client, target, description, wants_roster: join.roster, cancelled: false })
    }

    pub(super) fn of_endpoint(&mut self, now: Instant, output: sip::Output) {
        match output {
            sip::Output::Transmit { hop, octets } => self.outputs.push_back(Output::SipTransmit { hop, octets }),
            sip::Output::Connect { connection, transport, remote, server_name } => {
                self.outputs.push_back(Output::SipConnect { connection, transport, remote, server_name });
            }
            sip::Output::Close { connection } => self.outputs.push_back(Output::SipClose { connection }),
            // The user has named where the server is; where it cannot be reached any more, it is not looked for elsewhere.
            sip::Output::Ask { id, query: _ } => {
                let answer = sip::locate::Answer::Addresses(Vec::new());
                self.endpoint.handle_input(now, sip::Input::Answer { id, answer });
            }
            sip::Output::Event(event) => self.of_dialog(now, event),
        }
    }

    fn of_dialog(&mut self, now: Instant, event: sip::Event) {
        match event {
            sip::Event::Accepted { client, dialog, response } => {
                if let Some(call) = self.take_call(client) {
                    self.accepted(now, call, dialog, &response);
                } else {
                    self.agreed_anew(now, client, &response);
                }
            }
            sip::Event::Answered { client, response } => {
                if let Some(call) = self.take_call(client) {
                    let failure = if call.cancelled { JoinFailure::Cancelled } else { refusal(&response) };
                    self.tell(Event::NotJoined(failure));
                } else if !self.watched(now, client, Ok(&response)) {
                    self.not_agreed_anew(now, client, Ok(response.code));
                }
            }
            sip::Event::Failed { client, failure } => {
                if let Some(call) = self.take_call(client) {
                    let why = if call.cancelled { JoinFailure::Cancelled } else { no_answer(failure) };
                    self.tell(Event::NotJoined(why));
                } else if !self.watched(now, client, Err(failure)) {
                    self.not_agreed_anew(now, client, Err(failure));
                }
            }
            sip::Event::Request { transaction, request, dialog, .. } => {
                self.requested(now, transaction, &request, dialog);
            }
            sip::Event::Acknowledged { dialog, request } => {
                self.acknowledged(dialog, &request);
                self.may_offer_again(now, dialog);
            }
            sip::Event::Ended { dialog, cause } => self.ended(now, dialog, &cause),
            sip::Event::MayRetry { dialog } => self.may_offer_again(now, dialog),
            // No session timers are asked for.
            sip::Event::RefreshDue { .. } | sip::Event::Provisional { .. } | sip::Event::Cancelled { .. } => {}
        }
    }

    fn take_call(&mut self, client: sip::ClientId) -> Option<Call> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Calling(call) if call.client == client => Some(*call),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// The room took the call: on to its path.
    fn accepted(&mut self, now: Instant, mut call: Call, dialog: DialogId, response: &Response) {
        let media = match call.description.read_answer(&response.body) {
            Ok(_) if call.cancelled => Err(JoinFailure::Cancelled),
            answer => answer,
        };
        let media = match media {
            Ok(media) => media,
            Err(failure) => {
                let _ = self.endpoint.bye(now, dialog, None);
                return self.tell(Event::NotJoined(failure));
            }
        };
        let (connection, session) = self.open_media(&call.description, &media);
        self.state = State::Seated(Box::new(Seat {
            stage: Stage::Entering,
            dialog,
            room: Room::of_answer(response, &media, &call.target.identity),
            room_uri: Room::uri(response, call.target.room_uri),
            contact: call.target.contact,
            remote_path: media.path.to_string(),
            connection,
            media: session,
            description: call.description,
            watch: call.wants_roster.then(Watch::default),
            resumed: None,
        }));
    }

    /// A media session with the room, and the wish for its connection.
    pub(super) fn open_media(&mut self, own: &Description, room: &MessageMedia) -> (MediaId, Media) {
        let connection = MediaId(self.next_media);
        self.next_media = self.next_media.wrapping_add(1);
        let (host, port) = room.target(false);
        self.outputs.push_back(Output::MediaConnect {
            connection,
            host: host.to_owned(),
            port,
            secure: room.path.first().secure(),
            fingerprints: room.fingerprints.clone(),
        });
        (connection, Media::new(own.path(), &room.path, &self.config, (self.random)()))
    }

    /// The room asks for something.
    fn requested(&mut self, now: Instant, id: TransactionId, request: &Request, dialog: Option<DialogId>) {
        let ours = match &self.state {
            State::Seated(seat) => dialog == Some(seat.dialog),
            State::Idle | State::Calling(_) => false,
        };
        let answer = match request.method.as_str() {
            "INVITE" | "UPDATE" if ours => return self.described_anew(now, id, request),
            "NOTIFY" if ours => return self.told(now, id, request),
            "OPTIONS" => Answer::new(200),
            // A participant takes no calls.
            "INVITE" => Answer::new(486),
            "NOTIFY" => Answer::new(481),
            _ => Answer::new(405),
        };
        let _ = self.endpoint.respond(now, id, answer);
    }

    /// A later offer of the room, or the wish for one of ours (RFC 3261 §14.2, RFC 3311).
    fn described_anew(&mut self, now: Instant, id: TransactionId, request: &Request) {
        let State::Seated(seat) = &mut self.state else { return };
        let is_invite = request.method == Method::INVITE;
        let mut answer = Answer::new(200).contact(&seat.contact);
        if !request.body.is_empty() {
            match seat.description.answer(&request.body) {
                // A session on another path would be another session.
                Ok((text, media)) if media.path.as_str() == seat.remote_path => {
                    answer = answer.body(SDP, text);
                    self.room_is(&media);
                }
                Ok(_) => answer = Answer::new(488),
                Err(fault) => answer = Answer::new(fault.sip_code()),
            }
        } else if is_invite {
            answer = answer.body(SDP, seat.description.offer());
        }
        if is_invite && answer.code < 300 {
            let _ = self.endpoint.accept(now, id, answer);
        } else {
            let _ = self.endpoint.respond(now, id, answer);
        }
    }

    /// The answer to an offer that the room wished for.
    fn acknowledged(&mut self, dialog: DialogId, ack: &Request) {
        let State::Seated(seat) = &mut self.state else { return };
        if seat.dialog == dialog
            && !ack.body.is_empty()
            && let Ok(media) = seat.description.read_answer(&ack.body)
        {
            self.room_is(&media);
        }
    }

    /// The room says what it allows from now on (RFC 7701 §8).
    fn room_is(&mut self, media: &MessageMedia) {
        let State::Seated(seat) = &mut self.state else { return };
        let room = seat.room.clone().with(media);
        if room != seat.room {
            seat.room = room.clone();
            if seat.stage == Stage::Joined {
                self.tell(Event::Changed(room));
            }
        }
    }

    fn ended(&mut self, now: Instant, dialog: DialogId, cause: &Cause) {
        let State::Seated(seat) = &self.state else { return };
        if seat.dialog != dialog {
            return;
        }
        let why = match (seat.stage, cause) {
            (Stage::Entering, _) => Event::NotJoined(JoinFailure::Ended),
            (Stage::Leaving, Cause::HungUp(None) | Cause::PeerGone) => Event::Left(Leaving::OwnUnanswered),
            (Stage::Leaving, _) => Event::Left(Leaving::Own),
            (_, Cause::Bye(request)) => {
                Event::Left(Leaving::Dismissed { reason: request.header("Reason").map(str::to_owned) })
            }
            (_, _) => Event::Left(Leaving::PeerGone),
        };
        self.unseat(now, why);
    }
}

impl Target {
    fn of(join: &Join) -> Result<Self, Refused> {
        let room_uri = Uri::parse(&join.room).map_err(|_| Refused::Unfit("room URI"))?;
        if !room_uri.is_sip() || room_uri.has_headers() {
            return Err(Refused::Unfit("room URI"));
        }
        let identity = Uri::parse(&join.identity).map_err(|_| Refused::Unfit("own URI"))?;
        let contact = contact(&identity, join.local, join.transport);
        Ok(Self { room_uri, identity: join.identity.clone(), contact })
    }
}

/// Where one is reached: the user part as written, at the address of one's own socket.
fn contact(identity: &Uri, local: std::net::SocketAddr, transport: sip::Transport) -> String {
    let address = identity.as_str().split_once(':').map_or("", |(_, rest)| rest);
    let user = address.split_once('@').map_or("", |(user, _)| user).split(':').next().unwrap_or_default();
    let at = if user.is_empty() { "" } else { "@" };
    let transport = transport.via_token().to_ascii_lowercase();
    format!("<sip:{user}{at}{local};transport={transport}>")
}

/// What challenges are answered with. Whoever may ask for the account's is not known before; the room is not among them.
fn credentials(join: &Join) -> Vec<Credentials> {
    let account = join.credentials.clone().map(|account| match room_realm(&join.room) {
        Some((_, realm)) => account.but_realm(realm),
        None => account,
    });
    account.into_iter().chain(join.room_credentials.clone()).collect()
}

fn refusal(response: &Arc<Response>) -> JoinFailure {
    let quoted = |value: &str| Some(typed::unquote(value.get(value.find('"')?..=value.rfind('"')?)?));
    let warning = response.header("Warning").or_else(|| response.header("Reason")).and_then(quoted);
    let asks = if response.code == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
    let realm = response.headers(asks).find_map(challenged_realm).filter(|_| [401, 407].contains(&response.code));
    JoinFailure::Refused { code: response.code, reason: response.reason.clone(), warning, realm }
}

fn no_answer(failure: Failure) -> JoinFailure {
    match failure {
        Failure::Transport => JoinFailure::Unreachable,
        Failure::Cancelled => JoinFailure::Cancelled,
        Failure::Timeout | Failure::DialogOver => JoinFailure::NoAnswer,
    }
}
