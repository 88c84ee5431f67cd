//! The node as registering user agent (RFC 3261 §10.2): its owner's address of record is to lead to a room.
//!
//! A binding is asked for, renewed before it runs out, and taken back at the end. What fails is tried again: who runs the node is told, and
//! ends it where that is too little.

use std::time::{Duration, Instant};

use sip::auth::challenged_realm;
use sip::typed::{CSeq, NameAddr, Uri};
use sip::{ClientId, Method, Outgoing, Response};

use super::join::own_contact;
use super::{News, Output, Signalling};
use crate::settings::{Owner, Settings};

/// How long before its end a binding is renewed, unless that is half of its time: longer than a request is repeated for (timer F, 32 s).
const MARGIN: Duration = Duration::from_secs(60);
/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// The least time between two REGISTERs, however short what is granted.
const LEAST: Duration = Duration::from_secs(1);
/// The longest time that a registrar may insist on by Min-Expires.
const LONGEST: u32 = 24 * 3600;
/// How far the CSeq goes on where no answer tells it: beyond any number of challenges.
const STRIDE: u32 = 16;

/// The registration of a node, whether it is to have one or not.
pub(super) struct Registration {
    stage: Stage,
    /// One Call-ID and rising CSeqs for all requests (§10.2).
    call_id: Option<String>,
    cseq: u32,
    /// The seconds that are asked for.
    expires: u32,
    /// Whether the registrar may have a binding of ours.
    is_bound: bool,
    /// What was told last: whether it is registered.
    told: Option<bool>,
}

enum Stage {
    /// The next REGISTER is due: the first one, a renewal, or another attempt.
    Due(Instant),
    /// A REGISTER is out.
    Asking(ClientId),
    /// The same, and the node ends: what it brings is to be taken back.
    Regretting(ClientId),
    /// The binding is being taken back.
    Removing(ClientId),
    /// There is none, and there is to be none.
    Over,
}

impl Registration {
    pub(super) fn new(settings: &Settings) -> Self {
        let wanted = settings.owner.as_ref().and_then(|owner| owner.registration.as_ref());
        let seconds = wanted.map_or(0, |registration| registration.expires.as_secs());
        Self {
            stage: wanted.map_or(Stage::Over, |_| Stage::Due(settings.epoch.instant)),
            call_id: None,
            cseq: 1,
            expires: u32::try_from(seconds).unwrap_or(LONGEST),
            is_bound: false,
            told: None,
        }
    }

    /// When [`Signalling::registration_due`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if let Stage::Due(at) = self.stage { Some(at) } else { None }
    }

    /// Whether nothing is to be waited for at the end.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether that request is the one that is out.
    fn awaits(&self, client: ClientId) -> bool {
        match self.stage {
            Stage::Asking(out) | Stage::Regretting(out) | Stage::Removing(out) => out == client,
            Stage::Due(_) | Stage::Over => false,
        }
    }
}

impl Signalling {
    /// Asks for the binding, or for more time, when that is due.
    pub(super) fn registration_due(&mut self, now: Instant) {
        if self.registration.poll_timeout().is_some_and(|at| at <= now) {
            self.ask_registrar(now);
        }
    }

    /// The node ends: the binding is taken back, if there may be one.
    pub(super) fn end_registration(&mut self, now: Instant) {
        self.registration.stage = match std::mem::replace(&mut self.registration.stage, Stage::Over) {
            Stage::Asking(client) => Stage::Regretting(client),
            Stage::Due(_) if self.registration.is_bound => self.take_back(now),
            Stage::Due(_) => Stage::Over,
            ending => ending,
        };
    }

    /// The registrar has answered, or has not.
    pub(super) fn registrar_answered(&mut self, now: Instant, client: ClientId, response: Option<&Response>) {
        if !self.registration.awaits(client) {
            return;
        }
        let used = response.and_then(|response| response.header("CSeq")).and_then(|cseq| CSeq::parse(cseq).ok());
        let next = used.map_or(self.registration.cseq + STRIDE, |used| used.number + 1);
        self.registration.cseq = next;
        // Where nothing is answered, the request may have arrived all the same.
        self.registration.is_bound |= response.is_none_or(|response| (200..300).contains(&response.code));
        match std::mem::replace(&mut self.registration.stage, Stage::Over) {
            Stage::Asking(_) => self.asked_registrar(now, response),
            Stage::Regretting(_) if self.registration.is_bound => self.registration.stage = self.take_back(now),
            // Whatever the answer, the node does not wait for another.
            Stage::Regretting(_) | Stage::Removing(_) | Stage::Due(_) | Stage::Over => {}
        }
    }

    fn asked_registrar(&mut self, now: Instant, response: Option<&Response>) {
        match response {
            Some(response) if (200..300).contains(&response.code) => {
                let granted = self.granted(response);
                let renew = granted.saturating_sub(MARGIN.min(granted / 2)).max(LEAST);
                self.registration.stage = Stage::Due(now + renew);
                if self.registration.told != Some(true) {
                    self.registration.told = Some(true);
                    self.outputs.push_back(Output::News(News::Registered));
                }
            }
            Some(response) if response.code == 423 && self.wants_longer(response) => self.ask_registrar(now),
            failed => {
                self.registration.stage = Stage::Due(now + RETRY);
                if self.registration.told != Some(false) {
                    self.registration.told = Some(false);
                    let code = failed.map(|response| response.code);
                    let realm = failed.and_then(asked_realm);
                    self.outputs.push_back(Output::News(News::NotRegistered { code, realm }));
                }
            }
        }
    }

    /// Takes over what a 423 says to be the least time (§10.2.8), if that is more than was asked for.
    fn wants_longer(&mut self, response: &Response) -> bool {
        let least = response.header("Min-Expires").and_then(|value| value.trim().parse::<u32>().ok());
        let longer = least.filter(|least| *least > self.registration.expires && *least <= LONGEST);
        self.registration.expires = longer.unwrap_or(self.registration.expires);
        longer.is_some()
    }

    /// For how long the registrar keeps the binding (§10.2.4): as its Contact in the answer says.
    fn granted(&self, response: &Response) -> Duration {
        let own = self.own_binding().and_then(|(contact, _)| NameAddr::parse(&contact).ok());
        let is_own = |uri: &Uri| own.as_ref().is_some_and(|own| own.uri.equivalent(uri));
        let contacts = response.headers.list("Contact").filter_map(|contact| NameAddr::parse(contact).ok());
        let ours =
            contacts.filter(|contact| is_own(&contact.uri)).find_map(|contact| seconds(contact.param("expires")?));
        let granted = ours.or_else(|| response.header("Expires").and_then(seconds));
        Duration::from_secs(granted.unwrap_or(self.registration.expires).into())
    }

    fn ask_registrar(&mut self, now: Instant) {
        let asked = self.send_register(now, self.registration.expires);
        self.registration.stage = asked.map_or(Stage::Due(now + RETRY), Stage::Asking);
    }

    fn take_back(&mut self, now: Instant) -> Stage {
        self.send_register(now, 0).map_or(Stage::Over, Stage::Removing)
    }

    /// The Contact that is registered, and for whom.
    fn own_binding(&self) -> Option<(String, &Owner)> {
        let owner = self.settings.owner.as_ref()?;
        let room = &owner.registration.as_ref()?.room;
        let transport = self.settings.sip.first().map(|place| place.transport);
        Some((own_contact(&self.settings, room, transport), owner))
    }

    /// REGISTER. `None`: it cannot be sent.
    fn send_register(&mut self, now: Instant, expires: u32) -> Option<ClientId> {
        let (contact, owner) = self.own_binding()?;
        let destination = owner.registration.as_ref()?.registrar.clone();
        let (host, record) = (owner.uri.host()?, format!("<{}>", owner.uri));
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let target = format!("{}:{host}", owner.uri.scheme());
        let mut register = Outgoing::new(Method::REGISTER, target, record.clone(), record, destination)
            .contact(contact)
            .header("Expires", expires.to_string());
        register.credentials.extend(owner.credentials.clone());
        let call_id = self.registration.call_id.take().unwrap_or_else(|| self.endpoint.random_token());
        self.registration.call_id = Some(call_id.clone());
        (register.call_id, register.cseq) = (Some(call_id), self.registration.cseq);
        self.endpoint.request(now, register).ok()
    }
}

fn seconds(value: &str) -> Option<u32> {
    value.trim().parse().ok()
}

/// The realm of a challenge that was not met.
fn asked_realm(response: &Response) -> Option<String> {
    ["WWW-Authenticate", "Proxy-Authenticate"]
        .into_iter()
        .find_map(|name| response.headers(name).find_map(challenged_realm))
}
