//! What a focus agrees on in session descriptions (RFC 7701 §5.2, §8; RFC 4975 §8).

use std::net::IpAddr;

use msrp::sdp::{LocalMedia, MessageMedia, Offer, Origin, SdpError, Setup};
use msrp::uri::Path;
use room::{Capabilities, MediaTypes};

use crate::mail::Peer;
use crate::settings::{RoomPolicy, Settings};

/// A caller's offer, and the MSRP line of it that the room takes.
#[derive(Debug)]
pub(super) struct Agreed {
    offer: Offer,
    media: MessageMedia,
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
        taken.map(|media| Self { offer, media }).ok_or(reason)
    }

    /// The caller's side of the session.
    pub(super) fn peer(&self) -> Peer {
        let MessageMedia { path, secure, max_size, direction, .. } = &self.media;
        Peer { path: path.as_str().into(), secure: *secure, max_size: *max_size, speaks: direction.sends() }
    }

    /// Where the caller waits to be connected to, if it does (RFC 6135).
    pub(super) fn callee(&self) -> Option<Callee> {
        let (host, port) = self.media.target(self.media.cema);
        let waits = self.media.setup_answered(Setup::Passive) == Setup::Active;
        waits.then(|| Callee { host: host.to_owned(), port })
    }

    /// What the caller's user agent can do. Types at the top level may be wrapped too; where nothing but the wrapper is
    /// listed, text may be (decision D53). Who only sends takes none at all (RFC 4975 §8.9).
    pub(super) fn capabilities(&self) -> Capabilities {
        let listed = self.media.accept_types.iter().chain(&self.media.accept_wrapped_types).map(String::as_str);
        let mut types: Vec<&str> = listed.filter(|entry| !entry.eq_ignore_ascii_case("message/cpim")).collect();
        if types.is_empty() {
            types.push("text/plain");
        }
        if !self.media.direction.receives() {
            types.clear();
        }
        Capabilities {
            private_messages: self.media.declares_private_messages(),
            nickname: self.media.declares_nickname(),
            types: MediaTypes::lenient(types),
        }
    }

    /// The answer: the line that was taken with this URI as its path, the others with port 0.
    pub(super) fn answer(&self, own_path: &str, origin: &Origin, policy: &RoomPolicy, max_message: u64) -> String {
        let Ok(path) = Path::parse(own_path) else { return self.offer.answer(origin, None) };
        let mut local = LocalMedia::new(path);
        local.setup = Setup::Passive;
        local.accept_wrapped_types = policy.room.wrapped_types.iter().map(str::to_owned).collect();
        local.chatroom = Some(chatroom_tokens(policy));
        local.max_size = Some(max_message);
        // Session border controllers ask for it, and it costs nothing: the switch is where its path says (RFC 6714).
        local.cema = true;
        self.offer.answer(origin, Some((&self.media, &local)))
    }
}

/// The tokens of the `chatroom` attribute (RFC 7701 §8; decision D2).
fn chatroom_tokens(policy: &RoomPolicy) -> Vec<String> {
    let tokens = [("nickname", policy.room.nicknames), ("private-messages", policy.room.private_messages)];
    tokens.into_iter().filter(|(_, granted)| *granted).map(|(token, _)| token.to_owned()).collect()
}

fn weigh(media: &MessageMedia, settings: &Settings, policy: &RoomPolicy) -> Result<(), Unfit> {
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
    if media.setup_answered(Setup::Passive) == Setup::Active {
        // The node connects only where it may; names are looked up later.
        let allowed = match media.target(media.cema).0.parse::<IpAddr>() {
            Ok(address) => settings.may_reach(address),
            Err(_) => !settings.outbound.is_empty(),
        };
        return if allowed { Ok(()) } else { Err(unfit("The Caller Must Connect")) };
    }
    Ok(())
}
