//! The session descriptions of a participant (RFC 7701 §5.2, §8; RFC 4975 §8; RFC 6135).

use msrp::sdp::{self, LocalMedia, MessageMedia, Originator, SdpError};
use msrp::uri::{Path, Uri};
use rand_core::Rng;

use crate::api::{Join, JoinFailure};
use crate::wrapper::CPIM;

/// The port of who only connects (RFC 6135 §4.2.2: discard).
const DISCARD: u16 = 9;

/// What this side describes, and what it described last.
#[derive(Debug)]
pub(crate) struct Description {
    originator: Originator,
    local: LocalMedia,
    offered: Option<sdp::Offer>,
}

impl Description {
    /// One media line with a new session-id.
    pub(crate) fn new(join: &Join, random: &mut dyn Rng) -> Self {
        let host = join.local.ip().to_string();
        let mut local = LocalMedia::new(path(join.secure_media, &host, random));
        local.accept_types = vec![CPIM.to_owned()];
        local.accept_wrapped_types.clone_from(&join.wrapped_types);
        local.setup = sdp::Setup::Active;
        local.chatroom.clone_from(&join.chatroom);
        Self { originator: Originator::new(random.next_u64(), &host), local, offered: None }
    }

    /// Describes another session from here on (RFC 4975 §5.4).
    pub(crate) fn renew(&mut self, random: &mut dyn Rng) {
        let old = self.local.path.first();
        self.local.path = path(old.secure(), old.host(), random);
    }

    /// The path of this side.
    pub(crate) fn path(&self) -> &Path {
        &self.local.path
    }

    /// An offer, kept for its answer.
    pub(crate) fn offer(&mut self) -> String {
        let local = &self.local;
        let text = self.originator.describe(|origin| sdp::offer(origin, local));
        self.offered = sdp::Offer::parse(text.as_bytes()).ok();
        text
    }

    /// The room's line in the answer to the last offer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read_answer(&mut self, octets: &[u8]) -> Result<MessageMedia, JoinFailure> {
        let offered = self.offered.take().ok_or(JoinFailure::Description(SdpError::Lines))?;
        let answer = sdp::Answer::parse(octets, &offered).map_err(JoinFailure::Description)?;
        let media = answer.message().filter(|media| media.takes_cpim()).ok_or(JoinFailure::NotAChatRoom)?;
        if !answer.offerer_connects() {
            return Err(JoinFailure::Description(SdpError::Setup));
        }
        Ok(media.clone())
    }

    /// The answer to a later offer of the room, and its line in that offer.
    ///
    /// # Errors
    /// What is wrong with the offer.
    pub(crate) fn answer(&mut self, octets: &[u8]) -> Result<(String, MessageMedia), SdpError> {
        let offer = sdp::Offer::parse(octets)?;
        let media = offer.message().ok_or_else(|| offer.refusal())?;
        let local = &self.local;
        let text = self.originator.describe(|origin| offer.answer(origin, Some((media, local))));
        Ok((text, media.clone()))
    }
}

/// A path with a new session-id, of 119 random bits.
fn path(secure: bool, host: &str, random: &mut dyn Rng) -> Path {
    Path::from(Uri::new(secure, host, DISCARD, &msrp::encode::ident(random, 20)))
}
