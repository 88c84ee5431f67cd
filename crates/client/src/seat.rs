//! What an agent holds of the room it calls, or is in.

use std::time::Instant;

use msrp::sdp::MessageMedia;
use sip::typed::{NameAddr, Uri};

use crate::agent::Watch;
use crate::api::{MediaId, Room};
use crate::description::Description;
use crate::media::Media;

/// A call that waits for its answer.
pub(crate) struct Call {
    pub(crate) client: sip::ClientId,
    pub(crate) target: Target,
    pub(crate) description: Description,
    /// Whether the user wants the roster.
    pub(crate) wants_roster: bool,
    /// The user left already.
    pub(crate) cancelled: bool,
}

/// Whom one calls, as whom.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) room_uri: Uri,
    pub(crate) identity: String,
    /// The value of one's own Contact.
    pub(crate) contact: String,
}

/// A dialog with a room, and its media session.
pub(crate) struct Seat {
    pub(crate) stage: Stage,
    pub(crate) dialog: sip::DialogId,
    pub(crate) room_uri: Uri,
    pub(crate) contact: String,
    pub(crate) description: Description,
    pub(crate) room: Room,
    /// The path of the room, as text.
    pub(crate) remote_path: String,
    pub(crate) connection: MediaId,
    pub(crate) media: Media,
    /// The subscription to the roster, if it is wanted and to be had.
    pub(crate) watch: Option<Watch>,
    /// When the media session was replaced last.
    pub(crate) resumed: Option<Instant>,
}

/// How far one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The media session is not bound yet.
    Entering,
    /// It is.
    Joined,
    /// It is gone; perhaps a BYE is on its way, for which is waited until then.
    Pausing(Instant),
    /// The re-INVITE for another waits for its answer.
    Offering(sip::ClientId),
    /// The re-INVITE crossed one of the room's, and is to be sent again.
    Waiting,
    /// The other media session is not bound yet.
    Reopening,
    /// The BYE waits for its answer.
    Leaving,
}

impl Room {
    /// What the room says in the answer to the call.
    pub(crate) fn of_answer(response: &sip::Response, media: &MessageMedia, identity: &str) -> Self {
        let is_focus = focus(response).is_some();
        // The server of this workspace allots an address to who asks for privacy, and says it so.
        let allotted = response.header("Chat-Identity").and_then(|value| NameAddr::parse(value).ok());
        let identity = allotted.map_or_else(|| identity.to_owned(), |address| address.uri.as_str().to_owned());
        Self { is_focus, identity, ..Self::default() }.with(media)
    }

    /// The room's URI. Who has called a factory, or somebody who hosts a room, learns it from the Contact of the focus (RFC 4579 §5.4).
    pub(crate) fn uri(response: &sip::Response, called: Uri) -> Uri {
        // A border controller between the two shows a room by the same name at a host of its own, by which nobody else knows it.
        let is_another = |uri: &Uri| uri.user() != called.user();
        focus(response).map(|contact| contact.uri).filter(is_another).unwrap_or(called)
    }

    /// With what a media line of the room says, the first or a later one.
    pub(crate) fn with(self, media: &MessageMedia) -> Self {
        Self {
            nicknames: media.declares_nickname(),
            private_messages: media.declares_private_messages(),
            wrapped_types: media.accept_wrapped_types.clone(),
            max_size: media.max_size,
            ..self
        }
    }
}

/// The Contact of an answer, where it is that of a focus.
fn focus(response: &sip::Response) -> Option<NameAddr> {
    let contact = response.headers.list("Contact").next().and_then(|contact| NameAddr::parse(contact).ok());
    contact.filter(|contact| contact.param("isfocus").is_some())
}
