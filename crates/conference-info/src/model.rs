//! A conference as plain data. An absent element is `None` or empty; what is iterated has the order of its keys.

use std::collections::BTreeMap;

/// A conference (RFC 4575 §5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conference {
    /// The URI that is subscribed to.
    pub entity: String,
    /// What it is about.
    pub description: Description,
    /// Who hosts it. One that says nothing is as none: documents do not tell them apart.
    pub host: Option<HostInfo>,
    /// How it stands.
    pub state: ConferenceState,
    /// Who takes part, by the user's URI (§5.6).
    pub users: BTreeMap<String, User>,
}

/// What a conference is about and how it is reached (§5.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// A text for listings.
    pub display_text: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    /// A longer text.
    pub free_text: Option<String>,
    /// Words to find it by; a word has no white space in it.
    pub keywords: Vec<String>,
    /// By which URIs it is reached (§5.3.1), by URI.
    pub conf_uris: BTreeMap<String, UriEntry>,
    /// What else it offers (§5.3.2), by URI.
    pub service_uris: BTreeMap<String, UriEntry>,
    /// How many may take part (§5.3.3). Not above [`i32::MAX`] in documents of RFC 6501.
    pub maximum_user_count: Option<u32>,
    /// The media that it has (§5.3.4), by label.
    pub available_media: BTreeMap<String, AvailableMedia>,
}

/// What is said of a URI in a list of them (§5.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UriEntry {
    /// What a person reads.
    pub display_text: Option<String>,
    /// What it is for: `participation`, `streaming`, `web-page`, `recording`, `event`, or another that IANA lists.
    pub purpose: Option<String>,
}

/// A medium that a conference has (§5.3.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AvailableMedia {
    /// What a person reads.
    pub display_text: Option<String>,
    /// The media name of SDP, such as `message`.
    pub media_type: String,
    /// In which directions, as participants see it.
    pub status: Option<MediaStatus>,
}

/// Who hosts a conference (§5.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostInfo {
    /// What a person reads.
    pub display_text: Option<String>,
    /// The URI of a page about it.
    pub web_page: Option<String>,
    /// URIs of the host, by URI.
    pub uris: BTreeMap<String, UriEntry>,
}

/// How a conference stands (§5.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConferenceState {
    /// How many take part: maybe more than are listed.
    pub user_count: Option<u32>,
    /// Whether somebody who may join can.
    pub active: Option<bool>,
    /// Whether nobody more can join.
    pub locked: Option<bool>,
}

/// Somebody who takes part (§5.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// What a person reads.
    pub display_text: Option<String>,
    /// Further URIs of the user (§5.6.2), by URI.
    pub associated_aors: BTreeMap<String, UriEntry>,
    /// The roles, for people to read (§5.6.3).
    pub roles: Vec<String>,
    /// Language tags (§5.6.4). The schema of RFC 6501 allows one alone.
    pub languages: Vec<String>,
    /// The nickname: the attribute `nickname` of RFC 6501 (RFC 7701 §7.4).
    pub nickname: Option<String>,
    /// Whether this is who reads the document: the attribute `own` of the namespace `urn:tertulia:conference-info`. Who
    /// writes for many leaves it `false` and names the reader to
    /// [`document_for`](crate::document::Rendering::document_for).
    pub own: bool,
    /// The devices or sessions by which the user takes part (§5.6.6), by a key that is the user's own (§5.7).
    pub endpoints: BTreeMap<String, Endpoint>,
}

/// A device or session of a user (§5.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// What a person reads.
    pub display_text: Option<String>,
    /// Who brought it in (§5.7.2).
    pub referred: Option<Execution>,
    /// Whether it is there (§5.7.3).
    pub status: Option<EndpointStatus>,
    /// How it joined (§5.7.4).
    pub joining_method: Option<JoiningMethod>,
    /// When and why (§5.7.5).
    pub joining_info: Option<Execution>,
    /// How it left (§5.7.6).
    pub disconnection_method: Option<DisconnectionMethod>,
    /// When and why (§5.7.7).
    pub disconnection_info: Option<Execution>,
    /// Its media streams (§5.8), by id. An id is a number in documents of RFC 6501.
    pub media: BTreeMap<String, Media>,
    /// The dialog with it (§5.7.9). It lets who reads it take the call over: not for everybody.
    pub call_info: Option<CallInfo>,
}

/// When, why and by whom something was done (§5.7.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// A date and time of XML Schema, in UTC; [`date_time`] makes one.
    pub when: Option<String>,
    /// Why, best in the form of a Reason header field (RFC 3326).
    pub reason: Option<String>,
    /// The URI of who did it.
    pub by: Option<String>,
}

/// A media stream of an endpoint (§5.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// What a person reads.
    pub display_text: Option<String>,
    /// The media name of SDP, such as `message`.
    pub media_type: Option<String>,
    /// The label of the medium in [`Description::available_media`] (§5.8.3).
    pub label: Option<String>,
    /// The source of an RTP stream (§5.8.4); other streams have none.
    pub src_id: Option<String>,
    /// In which directions, as the participant sees it.
    pub status: Option<MediaStatus>,
}

/// The SIP dialog between an endpoint and the focus (§5.7.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallInfo {
    /// What a person reads.
    pub display_text: Option<String>,
    /// The Call-ID.
    pub call_id: String,
    /// The tag of From.
    pub from_tag: String,
    /// The tag of To.
    pub to_tag: String,
}

/// Declares an enumeration with the tokens that stand for its values in documents.
macro_rules! tokens {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $token:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl $name {
            /// As documents write it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $token,)+ }
            }

            /// The value for which a token stands.
            pub fn from_token(token: &str) -> Option<Self> {
                match token { $($token => Some(Self::$value),)+ _ => None }
            }
        }
    };
}

tokens! {
    /// The directions of a medium, as a participant sees it (§5.8.5).
    MediaStatus {
        /// The participant sends and receives.
        SendReceive = "sendrecv",
        /// The participant sends.
        SendOnly = "sendonly",
        /// The participant receives: it is muted.
        ReceiveOnly = "recvonly",
        /// Neither.
        Inactive = "inactive",
    }
}

tokens! {
    /// Whether an endpoint is there (§5.7.3).
    EndpointStatus {
        /// Not yet, but it is expected.
        Pending = "pending",
        /// The focus calls it.
        DialingOut = "dialing-out",
        /// It calls.
        DialingIn = "dialing-in",
        /// It rings.
        Alerting = "alerting",
        /// It is called in, but neither hears nor speaks.
        OnHold = "on-hold",
        /// It takes part.
        Connected = "connected",
        /// It hears, but is not let speak.
        MutedViaFocus = "muted-via-focus",
        /// The focus is hanging up.
        Disconnecting = "disconnecting",
        /// It is not there any more.
        Disconnected = "disconnected",
    }
}

tokens! {
    /// How an endpoint joined (§5.7.4).
    JoiningMethod {
        /// It called.
        DialedIn = "dialed-in",
        /// The focus called it.
        DialedOut = "dialed-out",
        /// It is the focus.
        FocusOwner = "focus-owner",
    }
}

tokens! {
    /// How an endpoint left (§5.7.6).
    DisconnectionMethod {
        /// It hung up.
        Departed = "departed",
        /// The focus made it go, or did not let it in.
        Booted = "booted",
        /// The call did not come about or broke down.
        Failed = "failed",
        /// It was busy.
        Busy = "busy",
    }
}

/// The date and time in UTC as documents write it, from the seconds since 1970-01-01T00:00:00Z. From the year 10000 on it has
/// more digits than RFC 3339 allows, as XML Schema wants it.
pub fn date_time(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The year, month and day of the Gregorian calendar, from the days since 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted in eras of 400 years from 0000-03-01 on, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}
