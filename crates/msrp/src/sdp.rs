//! What MSRP says in SDP: RFC 4975 §8 with RFC 6135 (who connects), RFC 6714 (middleboxes), RFC 7701 §8 (chat rooms) and
//! RFC 8122 (fingerprints, kept as text), under the rules of offer and answer (RFC 3264).
//!
//! [`Offer::parse`] reads what a peer offers, [`Offer::answer`] answers it line by line. [`offer`] writes one's own offer and
//! [`Answer::parse`] reads what came back. Grammar and writing are those of the crate `sdp-types`; only the lines and
//! attributes that matter here are handed to it, so that an odd line elsewhere spoils nothing.

mod read;
mod write;

pub use write::{LocalMedia, Origin, Originator, offer};

use crate::uri::{Path, UriError};

/// The longest description that is read, in octets.
pub const MAX_OCTETS: usize = 128 * 1024;
/// The most media lines that are read.
pub const MAX_LINES: usize = 64;
/// How many entries of a list attribute are kept; the entries that this crate knows are always found.
pub const MAX_ENTRIES: usize = 64;
/// The longest entry of a list attribute that is kept, in octets.
pub const MAX_ENTRY: usize = 127;

/// Why a description cannot be read, or its MSRP line not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// It is no SDP.
    #[error("malformed SDP: {0}")]
    Syntax(String),
    /// Longer than [`MAX_OCTETS`].
    #[error("the SDP is too long")]
    TooLong,
    /// More media lines than [`MAX_LINES`].
    #[error("too many media lines")]
    TooManyLines,
    /// No line of the media type `message` over `TCP/MSRP` or `TCP/TLS/MSRP`.
    #[error("there is no MSRP line")]
    NoMessageLine,
    /// The MSRP line has port 0: it is not offered, or refused.
    #[error("the MSRP line has port 0")]
    PortZero,
    /// The MSRP line has no `path`.
    #[error("the MSRP line has no path")]
    NoPath,
    /// A URI of the path is malformed.
    #[error("a malformed path: {0}")]
    Path(UriError),
    /// A URI of the path has no port (RFC 4975 §8.2).
    #[error("a URI of the path has no port")]
    NoPort,
    /// The MSRP line has no `accept-types` with a media type in it (RFC 4975 §8.6).
    #[error("the MSRP line accepts no media type")]
    NoAcceptTypes,
    /// One of the protocol and the path's scheme is secure, the other is not.
    #[error("the protocol and the scheme of the path do not agree")]
    Security,
    /// The answer has not the media lines of the offer (RFC 3264 §6).
    #[error("the media lines of the answer are not those of the offer")]
    Lines,
    /// Offer and answer both want to connect, or neither does.
    #[error("the setup of the answer does not fit the offer")]
    Setup,
}

impl SdpError {
    /// The status code of the SIP response to a request with such an offer: 400 to what cannot be read, 488 to what cannot be
    /// taken.
    pub fn sip_code(&self) -> u16 {
        match self {
            SdpError::Syntax(_) => 400,
            SdpError::TooLong
            | SdpError::TooManyLines
            | SdpError::NoMessageLine
            | SdpError::PortZero
            | SdpError::NoPath
            | SdpError::Path(_)
            | SdpError::NoPort
            | SdpError::NoAcceptTypes
            | SdpError::Security
            | SdpError::Lines
            | SdpError::Setup => 488,
        }
    }
}

/// Who connects (RFC 6135, RFC 4145). `holdconn` is taken for no attribute at all, as RFC 6135 §4.2.1 wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// This side connects.
    Active,
    /// This side waits. It must not be offered.
    Passive,
    /// The answerer chooses. Only in offers.
    Actpass,
}

impl Setup {
    fn as_str(self) -> &'static str {
        match self {
            Setup::Active => "active",
            Setup::Passive => "passive",
            Setup::Actpass => "actpass",
        }
    }
}

/// Which way SENDs with regular content go (RFC 4975 §8.9), as its writer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both: the default.
    #[default]
    SendRecv,
    /// The writer only sends.
    SendOnly,
    /// The writer only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// Whether the writer sends.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the writer receives.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// What the answerer may do of its wish, given this offer (RFC 3264 §6.1).
    pub fn answered(self, wish: Direction) -> Direction {
        match (wish.sends() && self.receives(), wish.receives() && self.sends()) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }
}

/// A peer's MSRP line with all that it must have: it can be taken.
#[derive(Debug, Clone)]
pub struct MessageMedia {
    /// Which media line of the description it is, from 0.
    pub line: usize,
    /// Whether the protocol is `TCP/TLS/MSRP`. A path of one URI has the scheme to fit; behind relays the two may differ.
    pub secure: bool,
    /// Where requests go: the target of the session. Every URI has a port.
    pub path: Path,
    /// The media types accepted at the top level: `type/subtype`, `type/*` or `*`, without parameters. Never empty.
    pub accept_types: Vec<String>,
    /// The media types accepted inside containers only, in the same form.
    pub accept_wrapped_types: Vec<String>,
    /// The largest message wanted, in octets: a hint (RFC 4975 §8.6).
    pub max_size: Option<u64>,
    /// Who is to connect, where it is said.
    pub setup: Option<Setup>,
    /// The tokens of `chatroom` (RFC 7701 §8); None without the attribute.
    pub chatroom: Option<Vec<String>>,
    /// Whether `msrp-cema` is there (RFC 6714).
    pub cema: bool,
    /// Which way the peer wants content to go.
    pub direction: Direction,
    /// The values of `fingerprint` (RFC 8122): `sha-256 AB:CD:…`.
    pub fingerprints: Vec<String>,
    /// The value of `file-selector` (RFC 5547): the line is for the transfer of a file, not for talk.
    pub file_selector: Option<String>,
    /// The address of the c= line, where there is one.
    pub address: Option<String>,
    /// The port of the m= line, never 0.
    pub port: u16,
}

impl MessageMedia {
    /// Whether the peer takes private messages as RFC 7701 §6.2 has them.
    pub fn declares_private_messages(&self) -> bool {
        self.declares("private-messages")
    }

    /// Whether the peer knows nicknames: `nickname` as in the grammar, or `nicknames` as in the prose of RFC 7701 §8.
    pub fn declares_nickname(&self) -> bool {
        self.declares("nickname") || self.declares("nicknames")
    }

    /// Whether Message/CPIM may be sent to the peer, listed or by a `*`.
    pub fn takes_cpim(&self) -> bool {
        let fits = |entry: &String| {
            let known = ["message/cpim", "message/*", "*"];
            known.iter().any(|known| entry.eq_ignore_ascii_case(known))
        };
        self.accept_types.iter().any(fits)
    }

    /// The `setup` of the answer to this line: only `actpass` leaves the answerer a choice, and there anything but
    /// [`Setup::Active`] means to wait. An offer without the attribute comes from who connects (RFC 4975 §8.5).
    pub fn setup_answered(&self, wish: Setup) -> Setup {
        match (self.setup, wish) {
            (Some(Setup::Passive), _) | (Some(Setup::Actpass), Setup::Active) => Setup::Active,
            _ => Setup::Passive,
        }
    }

    /// Whether an answer with that wish agrees on RFC 6714: where it was offered, unless both sides have relays, or the
    /// side that would connect has (§4.3).
    pub fn cema_answered(&self, local: &LocalMedia) -> bool {
        let relayed = self.path.len() > 1;
        let also_relayed = local.path.len() > 1;
        let offerer_falls_back = relayed && matches!(self.setup, None | Some(Setup::Active));
        let answerer_falls_back = also_relayed && self.setup == Some(Setup::Passive);
        local.cema && self.cema && !(relayed && also_relayed) && !offerer_falls_back && !answerer_falls_back
    }

    /// The host (a name or an address, IPv6 without brackets) and the port to connect to: those of the path's first URI; by
    /// RFC 6714, if both sides agreed on it, those of the c= and m= lines.
    pub fn target(&self, cema_agreed: bool) -> (&str, u16) {
        let first = self.path.first();
        match &self.address {
            Some(address) if cema_agreed => (address, self.port),
            _ => (first.host(), first.port().unwrap_or(self.port)),
        }
    }

    fn declares(&self, token: &str) -> bool {
        self.chatroom.iter().flatten().any(|known| known.eq_ignore_ascii_case(token))
    }
}

/// An offer: all its media lines in order.
#[derive(Debug, Clone)]
pub struct Offer {
    origin: String,
    times: Vec<sdp_types::Time>,
    lines: Vec<Line>,
}

/// One m= line, and the MSRP media it stands for, or why it cannot be taken.
#[derive(Debug, Clone)]
struct Line {
    media: String,
    proto: String,
    format: String,
    message: Result<MessageMedia, SdpError>,
}

impl Offer {
    /// Reads an offer. Lenient in what does not matter here: bare LF, unknown lines and attributes, their order.
    ///
    /// # Errors
    /// [`SdpError::Syntax`], [`SdpError::TooLong`] and [`SdpError::TooManyLines`]. An offer without an MSRP line that can be
    /// taken is read: see [`Offer::refusal`].
    pub fn parse(octets: &[u8]) -> Result<Offer, SdpError> {
        read::description(octets)
    }

    /// The first MSRP line that can be taken.
    pub fn message(&self) -> Option<&MessageMedia> {
        self.messages().next()
    }

    /// All MSRP lines that can be taken, in their order.
    pub fn messages(&self) -> impl Iterator<Item = &MessageMedia> {
        self.lines.iter().filter_map(|line| line.message.as_ref().ok())
    }

    /// Why there is no [`Offer::message`]: the fault of the first MSRP line, if there is one at all.
    pub fn refusal(&self) -> SdpError {
        let mut faults = self.lines.iter().filter_map(|line| line.message.as_ref().err());
        faults.find(|fault| **fault != SdpError::NoMessageLine).cloned().unwrap_or(SdpError::NoMessageLine)
    }

    /// How many media lines there are.
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// The value of the o= line, empty if there is none. A later description with the same one changes nothing (RFC 4975
    /// §8.4).
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// The answer to an offer of one's own.
#[derive(Debug, Clone)]
pub struct Answer {
    description: Offer,
    connects: bool,
}

impl Answer {
    /// Reads the answer to `offer`, which is the description that was sent, read by [`Offer::parse`].
    ///
    /// # Errors
    /// Those of [`Offer::parse`]; [`SdpError::Lines`] where the media lines differ in number, type or protocol from those
    /// offered; [`SdpError::Setup`] where the roles do not fit; the fault of an accepted MSRP line, such as a missing path.
    pub fn parse(octets: &[u8], offer: &Offer) -> Result<Answer, SdpError> {
        let description = Offer::parse(octets)?;
        let same = |(answered, offered): (&Line, &Line)| {
            answered.media.eq_ignore_ascii_case(&offered.media) && answered.proto.eq_ignore_ascii_case(&offered.proto)
        };
        if description.lines.len() != offer.lines.len() || !description.lines.iter().zip(&offer.lines).all(same) {
            return Err(SdpError::Lines);
        }
        let fault = description.lines.iter().filter_map(|line| line.message.as_ref().err());
        if let Some(fault) = fault.into_iter().find(|f| !matches!(f, SdpError::NoMessageLine | SdpError::PortZero)) {
            return Err(fault.clone());
        }
        let connects = match description.message() {
            Some(answered) => {
                let offered = offer.messages().find(|offered| offered.line == answered.line).ok_or(SdpError::Lines)?;
                offerer_connects(offered.setup, answered.setup)?
            }
            None => false,
        };
        Ok(Answer { description, connects })
    }

    /// The accepted MSRP line; None where it was refused.
    pub fn message(&self) -> Option<&MessageMedia> {
        self.description.message()
    }

    /// Whether it is the offerer who connects.
    pub fn offerer_connects(&self) -> bool {
        self.connects
    }

    /// The value of the o= line.
    pub fn origin(&self) -> &str {
        self.description.origin()
    }
}

/// Peers that know nothing of RFC 6135 answer without the attribute, and wait.
fn offerer_connects(offered: Option<Setup>, answered: Option<Setup>) -> Result<bool, SdpError> {
    match (offered, answered) {
        (Some(Setup::Passive), Some(Setup::Active) | None) => Ok(false),
        (Some(Setup::Actpass), Some(Setup::Active)) => Ok(false),
        (Some(Setup::Passive), _) | (_, Some(Setup::Active)) => Err(SdpError::Setup),
        _ => Ok(true),
    }
}
