//! A seat as signalling has it: a dialog, and what was agreed on in it of the media.

use std::sync::Arc;

use conference_info::model::JoiningMethod;
use msrp::sdp::{Origin, Originator};
use room::{Address, Capabilities};
use sip::{Answer, DialogId, TransactionId};

use super::admission::Caller;
use super::media::{self, Agreed, Callee, Proposal};
use super::roster::Joining;
use crate::ids::{RoomId, WorkerId};
use crate::mail::{Cause, Peer};
use crate::settings::{RoomPolicy, Settings};

/// A seat, from the INVITE that asks for it to the end of its dialog.
pub(super) struct Seat {
    pub(super) room: RoomId,
    /// By what others know the participant.
    pub(super) identity: Address,
    /// Whether others must not learn who it is (RFC 7701 §5.2).
    pub(super) is_private: bool,
    pub(super) name: String,
    pub(super) home: WorkerId,
    /// Whether the participant is not heard.
    pub(super) is_muted: bool,
    /// Whether the user agent was not yet told of the policy in force.
    pub(super) is_outdated: bool,
    /// By whom others know that it was called, if it was.
    pub(super) invited_by: Option<String>,
    pub(super) policy: Arc<RoomPolicy>,
    /// Who has it: the caller, or who is called.
    pub(super) user: Arc<Caller>,
    pub(super) media: Terms,
    /// The session-id that the last description named.
    pub(super) session: String,
    /// Counts the offers that its home is told of.
    pub(super) offers: u64,
    /// If the caller waits to be connected to, that has yet to be done for this session.
    pub(super) undialed: bool,
    pub(super) contact: String,
    pub(super) originator: Originator,
    pub(super) stage: Stage,
}

/// How far the two sides are with the media.
pub(super) enum Terms {
    /// The caller has offered, and the room takes it; or the other way round.
    Agreed(Box<Agreed>),
    /// The caller wants an offer, with TLS or without.
    Wanted { secure: bool },
    /// It has got one, and owes the answer in its ACK. What was agreed before, if anything, stays until then.
    Proposed { proposal: Proposal, before: Option<Box<Agreed>> },
}

impl Terms {
    /// The caller's side of the session, as far as it is known: a path that is not known is empty.
    pub(super) fn of_caller(&self, policy: &RoomPolicy) -> (Peer, Capabilities) {
        let unknown = |secure| Peer { path: "".into(), secure, max_size: None, speaks: true };
        match self {
            Self::Agreed(agreed) => (agreed.peer(), agreed.capabilities(policy)),
            Self::Wanted { secure } => (unknown(*secure), Capabilities::default()),
            Self::Proposed { .. } => (unknown(false), Capabilities::default()),
        }
    }
}

impl Seat {
    /// The user that is marked as the reader's own in what the participant reads of the room (decision D45).
    pub(super) fn own_mark(&self) -> Option<String> {
        self.is_private.then(|| self.identity.as_str().to_owned())
    }

    /// Whether it is kept for somebody who has not answered yet.
    pub(super) fn is_being_called(&self) -> bool {
        matches!(self.stage, Stage::Calling)
    }

    /// Whether the participant sends messages at all.
    pub(super) fn speaks(&self) -> bool {
        !self.is_muted && self.media.of_caller(&self.policy).0.speaks
    }

    /// How the participant came in.
    pub(super) fn joining(&self, when: String) -> Joining {
        let by = self.invited_by.clone();
        let method = if by.is_some() { JoiningMethod::DialedOut } else { JoiningMethod::DialedIn };
        Joining { method, when, by, speaks: self.speaks(), is_muted: self.is_muted }
    }

    /// Whether an address is one by which others know the participant.
    pub(super) fn answers_to(&self, address: &Address) -> bool {
        self.identity == *address || !self.is_private && self.user.is_known_as(address)
    }

    /// The same for those who may know more: who is private has their own addresses too.
    pub(super) fn is_known_as(&self, address: &Address) -> bool {
        self.identity == *address || self.user.is_known_as(address)
    }

    /// The 200 to the last offer, or to the wish for one. Its description has the version of the one before, if it says the same
    /// (RFC 4975 §8.4).
    pub(super) fn answer(&mut self, settings: &Settings, session: &str) -> Option<Answer> {
        let body = self.describe(settings, session)?;
        Some(self.accepted(body))
    }

    /// What the room says of the session: the answer, or its own offer where one is wanted.
    pub(super) fn describe(&mut self, settings: &Settings, session: &str) -> Option<String> {
        let Self { policy, originator, .. } = self;
        self.undialed |= self.session != session;
        session.clone_into(&mut self.session);
        let own_path = |secure| crate::switch::own_path(&settings.media, secure, session);
        let body = match &self.media {
            Terms::Agreed(agreed) => {
                let own_path = own_path(agreed.peer().secure);
                originator.describe(|origin| agreed.answer(&own_path, origin, policy, settings.max_message))
            }
            Terms::Wanted { secure } => {
                let own_path = own_path(*secure);
                let write = |origin: &Origin| media::offer(&own_path, origin, policy, settings.max_message);
                let text = originator.describe(|origin| write(origin).unwrap_or_default());
                let proposal = Proposal::read(&text)?;
                self.media = Terms::Proposed { proposal, before: None };
                text
            }
            Terms::Proposed { .. } => return None,
        };
        Some(body)
    }

    /// The room offers what is.
    pub(super) fn offer_again(&mut self, settings: &Settings) -> Option<String> {
        let Terms::Agreed(agreed) = &self.media else { return None };
        let own_path = crate::switch::own_path(&settings.media, agreed.peer().secure, &self.session);
        let (policy, max_message) = (&self.policy, settings.max_message);
        let text = self.originator.describe(|origin| agreed.offer_again(&own_path, origin, policy, max_message));
        let proposal = Proposal::read(&text)?;
        let media = std::mem::replace(&mut self.media, Terms::Wanted { secure: false });
        let before = if let Terms::Agreed(agreed) = media { Some(agreed) } else { None };
        self.media = Terms::Proposed { proposal, before };
        Some(text)
    }

    pub(super) fn accepted(&self, body: String) -> Answer {
        Answer::new(200).contact(self.contact.clone()).body("application/sdp", body)
    }

    /// Where the caller waits to be connected to, if it does.
    pub(super) fn callee(&self) -> Option<Callee> {
        match &self.media {
            Terms::Agreed(agreed) => agreed.callee(),
            Terms::Wanted { .. } | Terms::Proposed { .. } => None,
        }
    }
}

pub(super) enum Stage {
    /// The home has been asked for it.
    Joining { transaction: TransactionId, subject: Option<Arc<str>> },
    /// The room calls somebody to it.
    Calling,
    /// It has a dialog, in which perhaps a later offer waits for its home.
    Seated { dialog: DialogId, reoffer: Option<Box<Reoffer>> },
}

/// A later offer in the dialog of a seat.
pub(super) struct Reoffer {
    pub(super) transaction: TransactionId,
    pub(super) agreed: Agreed,
    /// Tells it from others in the dialog.
    pub(super) number: u64,
    /// Whether it came with an UPDATE (RFC 3311), not with an INVITE.
    pub(super) update: bool,
}

/// Why the focus ends a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The switch gave the seat up.
    Switch(Cause),
    /// Somebody who has a say wants it; the value of Reason.
    SentAway(Box<str>),
    /// The node ends.
    ShutDown,
    /// The room's offer has got no answer that can be taken.
    NoAnswer,
    /// Somebody who was called has asked for privacy, and is known to others by the name that was called.
    NotInPrivate,
    /// A moderator wants it so, or the user from elsewhere.
    Removed,
    /// Somebody has taken a call that was taken already.
    Unneeded,
}

impl Ending {
    /// The value of the Reason header field of the BYE (RFC 3326).
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::SentAway(reason) => reason,
            Self::Switch(Cause::NotBound) => "SIP;cause=408;text=\"No MSRP connection came\"",
            Self::Switch(Cause::ConnectionLost) => "SIP;cause=503;text=\"The MSRP connection is lost\"",
            Self::Switch(Cause::TooSlow) => "SIP;cause=503;text=\"The MSRP connection is too slow\"",
            Self::Switch(Cause::RoomClosed) => "SIP;cause=410;text=\"The room is closed\"",
            Self::Switch(Cause::CreatorLeft) => "SIP;cause=410;text=\"The room has ended with its creator\"",
            Self::Switch(Cause::Replaced) => "SIP;cause=200;text=\"Replaced by another user agent\"",
            Self::NoAnswer => "SIP;cause=488;text=\"No acceptable answer came\"",
            Self::NotInPrivate => "SIP;cause=433;text=\"Come by yourself to be here in private\"",
            // It does not tell by whom.
            Self::Removed => "SIP;cause=403;text=\"Removed from the room\"",
            Self::Unneeded => "SIP;cause=200;text=\"Call completed elsewhere\"",
            Self::ShutDown => "SIP;cause=503;text=\"The server is shutting down\"",
        }
    }
}
