//! What a focus agrees on in session descriptions (RFC 7701 §5.2, §8; RFC 4975 §8).

use std::net::IpAddr;

use msrp::sdp::{Answer, LocalMedia, MessageMedia, Offer, Origin, SdpError, Setup};
use msrp::uri::Path;
use room::{Capabilities, MediaTypes};

use crate::mail::Peer;
use crate::settings::{RoomPolicy, Settings};

/// A caller's offer, and the MSRP line of it that the room takes.
#[derive(Debug)]
pub(super) struct Agreed {
    offer: Offer,
    media: MessageMedia,
    /// It is the switch that connects (RFC 6135).
    connects: bool,
}

/// An offer of the room's own, to who has made none (RFC 3261 §13.2.1).
#[derive(Debug)]
pub(super) struct Proposal {
    offer: Offer,
}

/// Where a participant waits to be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Callee {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why a request is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    pub(super) code: u16,
    /// The reason phrase; empty for the usual one.
    pub(super) reason: &'static str,
}

const fn unfit(reason: &'static str) -> Unfit {
    Unfit { code: 488, reason }
}

impl Agreed {
    /// Weighs an offer against what the server has and what the room wants: the first line that fits both is taken.
    pub(super) fn on(body: &[u8], settings: &Settings, policy: &RoomPolicy) -> Result<Self, Unfit> {
        if body.is_empty() {
            return Err(unfit("An Offer Is Needed"));
        }
        let refused = |error: &SdpError| match error.sip_code() {
            400 => Unfit { code: 400, reason: "Malformed SDP" },
            code => Unfit { code, reason: "No MSRP Line That Can Be Taken" },
        };
        let offer = Offer::parse(body).map_err(|error| refused(&error))?;
        let mut reason = refused(&offer.refusal());
        let mut fits = |media: &&MessageMedia| match weigh(media, settings, policy) {
            Ok(()) => true,
            Err(unfit) => {
                reason = unfit;
                false
            }
        };
        let taken = offer.messages().find(|media| fits(media)).cloned();
        let media = taken.ok_or(reason)?;
        let connects = media.setup_answered(Setup::Passive) == Setup::Active;
        Ok(Self { offer, media, connects })
    }

    /// The caller's side of the session.
    pub(super) fn peer(&self) -> Peer {
        let MessageMedia { path, secure, max_size, direction, .. } = &self.media;
        Peer { path: path.as_str().into(), secure: *secure, max_size: *max_size, speaks: direction.sends() }
    }

    /// Where the caller waits to be connected to, if it does (RFC 6135).
    pub(super) fn callee(&self) -> Option<Callee> {
        let (host, port) = self.media.target(self.media.cema);
        self.connects.then(|| Callee { host: host.to_owned(), port })
    }

    /// What the caller's user agent can do. Types at the top level may be wrapped too; where nothing but the wrapper is
    /// listed, text may be (decision D53). Who only sends takes none at all (RFC 4975 §8.9). Who declares nothing about chat
    /// rooms may get private messages where the policy trusts them.
    pub(super) fn capabilities(&self, policy: &RoomPolicy) -> Capabilities {
        let listed = self.media.accept_types.iter().chain(&self.media.accept_wrapped_types).map(String::as_str);
        let mut types: Vec<&str> = listed.filter(|entry| !entry.eq_ignore_ascii_case("message/cpim")).collect();
        if types.is_empty() {
            types.push("text/plain");
        }
        if !self.media.direction.receives() {
            types.clear();
        }
        let aware = self.media.chatroom.is_some();
        Capabilities {
            private_messages: self.media.declares_private_messages() || (policy.trust_undeclared && !aware),
            aware,
            types: MediaTypes::lenient(types),
        }
    }

    /// The answer: the line that was taken with this URI as its path, the others with port 0.
    pub(super) fn answer(&self, own_path: &str, origin: &Origin, policy: &RoomPolicy, max_message: u64) -> String {
        let Ok(path) = Path::parse(own_path) else { return self.offer.answer(origin, None) };
        let local = LocalMedia { setup: Setup::Passive, ..local(path, policy, max_message) };
        self.offer.answer(origin, Some((&self.media, &local)))
    }

    /// The same media offered again by the room, every line in its place (RFC 3264 §8).
    pub(super) fn offer_again(&self, own_path: &str, origin: &Origin, policy: &RoomPolicy, max_message: u64) -> String {
        let Ok(path) = Path::parse(own_path) else { return self.offer.answer(origin, None) };
        self.offer.offer_again(origin, self.media.line, &local(path, policy, max_message))
    }
}

/// What a room offers to who has made no offer.
pub(super) fn offer(own_path: &str, origin: &Origin, policy: &RoomPolicy, max_message: u64) -> Option<String> {
    let path = Path::parse(own_path).ok()?;
    Some(msrp::sdp::offer(origin, &local(path, policy, max_message)))
}

impl Proposal {
    /// One that is written.
    pub(super) fn read(text: &str) -> Option<Self> {
        Some(Self { offer: Offer::parse(text.as_bytes()).ok()? })
    }

    /// What the caller has answered to it. `before`: what was agreed until now; while the path is the same, so is the
    /// connection, and who made it (RFC 4975 §8.4), whatever the answer says or leaves out of RFC 6135.
    pub(super) fn answered(
        &self,
        body: &[u8],
        settings: &Settings,
        policy: &RoomPolicy,
        before: Option<&Agreed>,
    ) -> Result<Agreed, Unfit> {
        let refused = |error: SdpError| Unfit { code: error.sip_code(), reason: "" };
        let answer = Answer::parse(body, &self.offer).map_err(refused)?;
        let media = answer.message().ok_or(unfit(""))?.clone();
        let kept = before.filter(|before| before.media.path.as_str() == media.path.as_str());
        let connects = kept.map_or(answer.offerer_connects(), |before| before.connects);
        weigh_path(&media, settings, policy)?;
        if connects && kept.is_none() {
            weigh_target(&media, settings)?;
        }
        Ok(Agreed { offer: self.offer.clone(), media, connects })
    }
}

/// The room's side of a session.
fn local(path: Path, policy: &RoomPolicy, max_message: u64) -> LocalMedia {
    LocalMedia {
        accept_wrapped_types: policy.room.wrapped_types.iter().map(str::to_owned).collect(),
        chatroom: Some(chatroom_tokens(policy)),
        max_size: Some(max_message),
        // Session border controllers ask for it, and it costs nothing: the switch is where its path says (RFC 6714).
        cema: true,
        ..LocalMedia::new(path)
    }
}

/// Whether two policies come to the same description of a room's media.
pub(super) fn describes_alike(one: &RoomPolicy, other: &RoomPolicy) -> bool {
    let types = |policy: &RoomPolicy| policy.room.wrapped_types.iter().map(str::to_owned).collect::<Vec<_>>();
    chatroom_tokens(one) == chatroom_tokens(other) && types(one) == types(other)
}

/// The tokens of the `chatroom` attribute (RFC 7701 §8; decision D2).
fn chatroom_tokens(policy: &RoomPolicy) -> Vec<String> {
    let tokens = [("nickname", policy.room.nicknames), ("private-messages", policy.room.private_messages)];
    tokens.into_iter().filter(|(_, granted)| *granted).map(|(token, _)| token.to_owned()).collect()
}

fn weigh(media: &MessageMedia, settings: &Settings, policy: &RoomPolicy) -> Result<(), Unfit> {
    weigh_path(media, settings, policy)?;
    if media.setup_answered(Setup::Passive) == Setup::Active { weigh_target(media, settings) } else { Ok(()) }
}

fn weigh_path(media: &MessageMedia, settings: &Settings, policy: &RoomPolicy) -> Result<(), Unfit> {
    if media.file_selector.is_some() {
        return Err(unfit("File Transfer Is Not Supported"));
    }
    if !media.takes_cpim() {
        return Err(unfit("Message/CPIM Is Needed"));
    }
    if policy.room.force_tls && !media.secure {
        return Err(unfit("TLS Is Needed"));
    }
    let place = if media.secure { &settings.media.tls } else { &settings.media.tcp };
    if place.is_none() {
        return Err(unfit("No Such Transport"));
    }
    Ok(())
}

/// The node connects only where it may; names are looked up later.
fn weigh_target(media: &MessageMedia, settings: &Settings) -> Result<(), Unfit> {
    if media.secure {
        // There is nothing yet by which the certificate of a participant could be judged.
        return Err(unfit("The Caller Must Connect"));
    }
    let allowed = match media.target(media.cema).0.parse::<IpAddr>() {
        Ok(address) => settings.may_reach(address),
        Err(_) => !settings.outbound.is_empty(),
    };
    if allowed { Ok(()) } else { Err(unfit("The Caller Must Connect")) }
}
