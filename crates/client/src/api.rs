//! The vocabulary between an agent, its shell and its user.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip::auth::Credentials;
use sip::typed::Uri;

use crate::roster::RosterEvent;

/// What an agent is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The value of User-Agent; empty: none is written.
    pub user_agent: String,
    /// The base values of the SIP timers.
    pub timers: sip::TimerValues,
    /// What time it is outside, for the DateTime of messages (RFC 3862 §4.4); `None`: they have none.
    pub wall_clock: Option<WallClock>,
    /// The largest message that is taken in, in octets with its wrapper; a larger one gets 413.
    pub max_message: u64,
    /// How many messages may be coming in at a time; one more gets 413.
    pub max_open: usize,
    /// After how long without sending the media session shows that it lives; `None`: never.
    pub keep_alive: Option<Duration>,
}

/// How often a quiet session shows that it lives: often enough for the address translators on the way.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

impl Default for Config {
    fn default() -> Self {
        Self {
            user_agent: String::new(),
            timers: sip::TimerValues::default(),
            wall_clock: None,
            max_message: 16 * 1024 * 1024,
            max_open: 64,
            keep_alive: Some(KEEP_ALIVE),
        }
    }
}

/// Ties the agent's clock to that of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    /// A moment of the agent's clock.
    pub at: Instant,
    /// Seconds since 1970 (UTC) at that moment.
    pub unix_seconds: u64,
}

/// Into which room, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The room's SIP URI.
    pub room: String,
    /// One's own URI: the From of the call and of all that is said.
    pub identity: String,
    /// The display name of the call.
    pub display_name: Option<String>,
    /// What the server's challenge is answered with, and a proxy's; never the room's own ([`room_realm`]).
    pub credentials: Option<Credentials>,
    /// What the challenge of the room's own realm is answered with, where it has a password ([`Join::with_room_password`]).
    pub room_credentials: Option<Credentials>,
    /// Where the call goes.
    pub destination: sip::Destination,
    /// The transport of the destination, for the Contact.
    pub transport: sip::Transport,
    /// Our address towards the destination: of the socket, or of the connection.
    pub local: SocketAddr,
    /// Whether the media session runs over TLS (`msrps`).
    pub secure_media: bool,
    /// The media types shown to the user, `*` for anything (`accept-wrapped-types`, RFC 4975 §8.6).
    pub wrapped_types: Vec<String>,
    /// The tokens of the attribute `chatroom` (RFC 7701 §8); `None`: no attribute, as clients that do not know it.
    pub chatroom: Option<Vec<String>>,
    /// Whether the room is asked to hide who this is (`Privacy: id`, RFC 3323).
    pub privacy: bool,
    /// Whether one wants to be told who is there (RFC 4575): [`crate::Agent::roster`], [`Event::Roster`].
    pub roster: bool,
}

impl Join {
    /// Into that room under that name, with everything RFC 7701 has and anything wrapped.
    #[must_use]
    pub fn new(
        room: impl Into<String>,
        identity: impl Into<String>,
        destination: sip::Destination,
        transport: sip::Transport,
        local: SocketAddr,
    ) -> Self {
        Self {
            room: room.into(),
            identity: identity.into(),
            display_name: None,
            credentials: None,
            room_credentials: None,
            destination,
            transport,
            local,
            secure_media: false,
            wrapped_types: vec!["*".to_owned()],
            chatroom: Some(vec!["nickname".to_owned(), "private-messages".to_owned()]),
            privacy: false,
            roster: false,
        }
    }

    /// The same, knowing the room's password. It is told to nobody but the room of that URI.
    #[must_use]
    pub fn with_room_password(mut self, password: &str) -> Self {
        let realm = room_realm(&self.room);
        let credentials = realm.map(|(user, realm)| Credentials::new(user, password).for_realm(realm));
        self.room_credentials = credentials.or(self.room_credentials);
        self
    }
}

/// What a room that has a password asks for: its own name as that of the user, and its URI, with nothing but user and host, as
/// the realm. `None` for what is the URI of no room.
#[must_use]
pub fn room_realm(room: &str) -> Option<(String, String)> {
    let uri = Uri::parse(room).ok().filter(Uri::is_sip)?;
    let (user, host) = (uri.user()?.to_owned(), uri.host()?);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let realm = format!("sip:{user}@{host}");
    Some((user, realm))
}

/// Names a media connection; never used again by the same agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaId(pub u32);

/// Names a message of one's own; never used again by the same agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// What the shell tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// Something of the SIP transports.
    Sip(sip::Input),
    /// The media connection is open, TLS included.
    MediaOpened {
        /// Which.
        connection: MediaId,
    },
    /// Octets came on the media connection, cut anywhere.
    MediaReceived {
        /// Which.
        connection: MediaId,
        /// What came.
        octets: &'a [u8],
    },
    /// So many octets of what was to be transmitted on the media connection are with the operating system. More is
    /// handed out only then, so that what is urgent never waits behind much.
    MediaTransmitted {
        /// Which.
        connection: MediaId,
        /// How many.
        octets: usize,
    },
    /// The media connection is gone, or could not be opened.
    MediaClosed {
        /// Which.
        connection: MediaId,
    },
}

/// What the shell and the user are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send these octets of SIP.
    SipTransmit {
        /// Where.
        hop: sip::Hop,
        /// What.
        octets: Vec<u8>,
    },
    /// Open a connection for SIP; [`sip::Input::Opened`] or [`sip::Input::Closed`] tells how it went.
    SipConnect {
        /// The id it shall have.
        connection: sip::ConnectionId,
        /// The transport.
        transport: sip::Transport,
        /// The address.
        remote: SocketAddr,
        /// The name that the peer's certificate must show; `None`: the address itself.
        server_name: Option<String>,
    },
    /// Send what is queued, then close a connection of SIP.
    SipClose {
        /// The connection.
        connection: sip::ConnectionId,
    },
    /// Open the media connection; [`Input::MediaOpened`] or [`Input::MediaClosed`] tells how it went.
    MediaConnect {
        /// The id it shall have.
        connection: MediaId,
        /// A name or an address, IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Whether TLS is to run over it.
        secure: bool,
        /// The certificate's fingerprints as the answer gives them (RFC 8122), `sha-256 AB:CD:…`; it must show one of
        /// them where there are any.
        fingerprints: Vec<String>,
    },
    /// Send these octets on the media connection.
    MediaTransmit {
        /// Which.
        connection: MediaId,
        /// What.
        octets: Vec<u8>,
    },
    /// Send what is queued, then close the media connection. [`Input::MediaClosed`] need not follow.
    MediaClose {
        /// Which.
        connection: MediaId,
    },
    /// For the user.
    Event(Event),
}

/// What happened, for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The room is entered: from here on one hears and may speak.
    Joined(Room),
    /// The room is not entered; the agent may join anew.
    NotJoined(JoinFailure),
    /// What the room allows has changed.
    Changed(Room),
    /// Somebody said something.
    Said(Said),
    /// Something came that is not in a readable Message/CPIM wrapper.
    Unreadable {
        /// The Message-ID of its way to us.
        message_id: String,
    },
    /// There is room again after [`Refused::Full`].
    Ready,
    /// The room took a message of one's own.
    Delivered {
        /// Which.
        message: MessageId,
    },
    /// A message of one's own did not come through.
    NotDelivered {
        /// Which.
        message: MessageId,
        /// The MSRP status code (RFC 4975 §10, RFC 7701 §10.3); `None`: no answer came.
        code: Option<u16>,
    },
    /// The answer to [`crate::Agent::nick`].
    Nickname {
        /// The nickname asked for; `None`: it was to be given up.
        nickname: Option<String>,
        /// Whether it is so now.
        outcome: Result<(), NicknameFailure>,
    },
    /// It is known who is there, or something about it became different.
    Roster(RosterEvent),
    /// The media connection is gone; a new one is being agreed on (RFC 4975 §5.4). What was not answered is told as not
    /// delivered. [`Event::Resumed`] or [`Event::Left`] follows.
    Interrupted,
    /// There is a media connection again. What was said meanwhile was not heard.
    Resumed(Room),
    /// The room is left; the agent may join anew.
    Left(Leaving),
}

/// What is known of the room one is in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Room {
    /// Whether the other side says it is a conference (`isfocus`, RFC 7701 §5.2).
    pub is_focus: bool,
    /// Whether it takes nicknames (RFC 7701 §8).
    pub nicknames: bool,
    /// Whether it takes private messages (RFC 7701 §8).
    pub private_messages: bool,
    /// The media types that may be sent, wrapped: `type/subtype`, `type/*` or `*`. Empty: the room does not say.
    pub wrapped_types: Vec<String>,
    /// The largest message it wants, in octets with its wrapper.
    pub max_size: Option<u64>,
    /// The URI under which one is known there.
    pub identity: String,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The URI of who said it, as the wrapper has it.
    pub from: String,
    /// The name that stands beside it; the sender's own words.
    pub from_name: Option<String>,
    /// The URI it was said to.
    pub to: String,
    /// Whether that is somebody, not the room (RFC 7701 §6.2).
    pub private: bool,
    /// When it was said, by its sender (RFC 3339).
    pub date_time: Option<String>,
    /// The media type of the content, with parameters.
    pub content_type: String,
    /// The content.
    pub octets: Vec<u8>,
    /// The Message-ID of its way to us.
    pub message_id: String,
}

/// For whom a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// Everybody in the room.
    Room,
    /// The participant of that URI (RFC 7701 §6.2).
    Participant(String),
}

/// Why a room was not entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinFailure {
    /// The call was refused.
    Refused {
        /// The SIP status code, 300 to 699.
        code: u16,
        /// The reason phrase.
        reason: String,
        /// The text of a Warning or of a Reason, where one came.
        warning: Option<String>,
        /// Who asks for credentials that were not given, or were wrong: the realm of a 401 or 407.
        realm: Option<String>,
    },
    /// Nobody answered the call.
    NoAnswer,
    /// The connection for SIP failed.
    Unreachable,
    /// The answer's session description cannot be used.
    Description(msrp::sdp::SdpError),
    /// The answer refused the media line, or does not take Message/CPIM: no chat room.
    NotAChatRoom,
    /// The media connection could not be opened, or broke before the session was bound.
    NoMedia,
    /// The session was not bound: the MSRP status code, or `None` where no answer came.
    NotBound(Option<u16>),
    /// The other side ended the call before the room was entered.
    Ended,
    /// [`crate::Agent::leave`] came first.
    Cancelled,
}

/// Why a nickname was not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NicknameFailure {
    /// The MSRP status code: 403 no nicknames here, 424 malformed, 425 reserved or in use.
    Refused(u16),
    /// No answer came.
    NoAnswer,
}

/// Why a room was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaving {
    /// One's own wish, and the other side knows.
    Own,
    /// One's own wish, but the other side did not answer.
    OwnUnanswered,
    /// The other side ended the call, perhaps with a Reason (RFC 3326).
    Dismissed {
        /// The value of Reason.
        reason: Option<String>,
    },
    /// The media connection broke and could not be replaced, or what came on it was no MSRP.
    MediaLost,
    /// The other side no longer answers, or no longer knows of the call.
    PeerGone,
}

/// Why a call on the agent did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The room is not entered, or being left.
    #[error("not in the room")]
    NotJoined,
    /// The media connection is gone and a new one not there yet.
    #[error("the media connection is being renewed")]
    Interrupted,
    /// A room is entered already, or about to be.
    #[error("in a room already")]
    AlreadyJoined,
    /// The room does not take nicknames (RFC 7701 §7.1).
    #[error("the room takes no nicknames")]
    NoNicknames,
    /// The room does not take private messages (RFC 7701 §8).
    #[error("the room takes no private messages")]
    NoPrivateMessages,
    /// Too much waits to be sent; [`Event::Ready`] tells when to try again.
    #[error("too much waits to be sent")]
    Full,
    /// A NICKNAME request waits for its answer.
    #[error("a nickname is being asked for")]
    NicknamePending,
    /// A value handed in breaks its grammar or does not fit.
    #[error("unfit {0}")]
    Unfit(&'static str),
}
