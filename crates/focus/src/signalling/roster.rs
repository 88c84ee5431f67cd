//! Who is in a room, as others may see it: the one public view from which every document is made (RFC 4575, 6501).
//!
//! What is here is shown. No address, dialog or device of a participant ever gets in: an endpoint is known by a number drawn by
//! lot, and who wants privacy by the URI that was allotted for the room (decision D45).

use std::collections::{BTreeMap, VecDeque};

use conference_info::model::{
    AvailableMedia, Conference, ConferenceState, Description, DisconnectionMethod, Endpoint, EndpointStatus, Execution,
    HostInfo, JoiningMethod, Media, MediaStatus, UriEntry, User,
};
use conference_info::{Changes, document};
use room::{Address, SeatId};

/// The label and the only medium of a room (RFC 4575 §5.3.4).
const MEDIUM: &str = "message";
/// The id of a session among the media of its endpoint. A number, as RFC 6501 wants.
const MEDIA_ID: &str = "1";
/// How many changes are remembered for subscribers that were not told yet. Who has missed more gets a full document.
const MAX_LOG: usize = 10_000;
/// How many who have gone are shown for the sake of subscribers that are slow to be told. Beyond, the first of them vanish untold.
const MAX_GONE: usize = 100;

/// A room as its subscribers see it, and what changed of late.
pub(super) struct Roster {
    conference: Conference,
    /// Where each session is shown.
    shown: BTreeMap<SeatId, Shown>,
    /// How many users are there, those not counted who have just gone.
    present: u32,
    log: VecDeque<Entry>,
    /// The number of the first entry in the log.
    first: u64,
    /// Endpoints that are shown as gone, and vanish once that has been told.
    gone: Vec<Gone>,
}

/// An endpoint that is shown as gone.
struct Gone {
    user: String,
    endpoint: String,
    /// Who knows so many changes knows it.
    number: u64,
}

struct Shown {
    user: String,
    endpoint: String,
    /// Known before the room itself says that the session has left.
    departure: Option<Departure>,
}

/// Something that changed.
enum Entry {
    Added(String),
    Changed(String),
    Nickname { user: String, before: Option<String> },
    Removed(String),
    State,
    Description,
}

/// How somebody came in.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    pub(super) method: JoiningMethod,
    /// The date and time.
    pub(super) when: String,
    /// Who brought them in.
    pub(super) by: Option<String>,
    /// Whether they send messages.
    pub(super) speaks: bool,
    /// Whether the focus keeps them from it.
    pub(super) is_muted: bool,
}

/// How somebody went.
#[derive(Clone, Debug)]
pub(super) struct Departure {
    pub(super) method: DisconnectionMethod,
    /// The date and time.
    pub(super) when: String,
    /// The value of a Reason header field.
    pub(super) reason: Option<String>,
}

impl Roster {
    /// An empty room.
    pub(super) fn new(uri: &str, domain: &str, name: &str, subject: Option<&str>) -> Self {
        let participation = UriEntry { purpose: Some("participation".to_owned()), ..UriEntry::default() };
        let medium = AvailableMedia {
            media_type: MEDIUM.to_owned(),
            status: Some(MediaStatus::SendReceive),
            ..AvailableMedia::default()
        };
        let description = Description {
            display_text: Some(subject.unwrap_or(name).to_owned()),
            subject: subject.map(str::to_owned),
            conf_uris: BTreeMap::from([(uri.to_owned(), participation)]),
            available_media: BTreeMap::from([(MEDIUM.to_owned(), medium)]),
            ..Description::default()
        };
        let state = ConferenceState { user_count: Some(0), active: Some(true), locked: Some(false) };
        let conference = Conference {
            entity: uri.to_owned(),
            description,
            host: Some(HostInfo { display_text: Some(domain.to_owned()), ..HostInfo::default() }),
            state,
            users: BTreeMap::new(),
        };
        Self { conference, shown: BTreeMap::new(), present: 0, log: VecDeque::new(), first: 0, gone: Vec::new() }
    }

    /// The room as everybody may see it.
    pub(super) fn conference(&self) -> &Conference {
        &self.conference
    }

    /// How many users are shown.
    pub(super) fn len(&self) -> usize {
        self.conference.users.len()
    }

    /// Counts the changes so far.
    pub(super) fn number(&self) -> u64 {
        self.first + self.log.len() as u64
    }

    /// A session is shown; the first one of its user, or another.
    pub(super) fn joined(
        &mut self,
        identity: &Address,
        seat: SeatId,
        endpoint: String,
        joining: Joining,
        is_first: bool,
    ) {
        let entity = identity.as_str();
        let is_new = !self.conference.users.contains_key(entity);
        let user = self.conference.users.entry(entity.to_owned()).or_default();
        if is_first {
            // Who left and is shown still had another name maybe.
            (user.nickname, user.display_text) = (None, None);
        }
        user.endpoints.insert(endpoint.clone(), endpoint_of(joining));
        self.shown.insert(seat, Shown { user: entity.to_owned(), endpoint, departure: None });
        self.note(if is_new { Entry::Added(entity.to_owned()) } else { Entry::Changed(entity.to_owned()) });
        if is_first {
            self.count(1);
        }
    }

    /// A session's media are there, or not for the time being (decision D52).
    pub(super) fn reached(&mut self, seat: SeatId, reached: bool, speaks: bool) {
        let Some(Shown { user, endpoint, .. }) = self.shown.get(&seat) else { return };
        let shown = self.conference.users.get_mut(user).and_then(|user| user.endpoints.get_mut(endpoint));
        if let Some(media) = shown.and_then(|endpoint| endpoint.media.get_mut(MEDIA_ID)) {
            media.status = Some(if reached { direction(speaks) } else { MediaStatus::Inactive });
            let entry = Entry::Changed(user.clone());
            self.note(entry);
        }
    }

    /// A session is not heard any more, or is again.
    pub(super) fn muted(&mut self, seat: SeatId, is_muted: bool, speaks: bool) {
        let Some(Shown { user, endpoint, .. }) = self.shown.get(&seat) else { return };
        let shown = self.conference.users.get_mut(user).and_then(|user| user.endpoints.get_mut(endpoint));
        if let Some(endpoint) = shown {
            endpoint.status = Some(status(is_muted));
            let entry = Entry::Changed(user.clone());
            self.note(entry);
            self.directed(seat, speaks);
        }
    }

    /// A session sends messages from now on, or sends none. Whether that is new.
    pub(super) fn directed(&mut self, seat: SeatId, speaks: bool) -> bool {
        let Some(Shown { user, endpoint, .. }) = self.shown.get(&seat) else { return false };
        let shown = self.conference.users.get_mut(user).and_then(|user| user.endpoints.get_mut(endpoint));
        let media = shown.and_then(|endpoint| endpoint.media.get_mut(MEDIA_ID));
        let known = [Some(MediaStatus::Inactive), Some(direction(speaks))];
        let Some(media) = media.filter(|media| !known.contains(&media.status)) else { return false };
        media.status = Some(direction(speaks));
        let entry = Entry::Changed(user.clone());
        self.note(entry);
        true
    }

    /// It is known how a session ends that is shown.
    pub(super) fn departs(&mut self, seat: SeatId, departure: Departure) {
        if let Some(shown) = self.shown.get_mut(&seat) {
            shown.departure.get_or_insert(departure);
        }
    }

    /// A session has left, perhaps the last one of its user. It is shown as gone until that has been told.
    pub(super) fn left(&mut self, seat: SeatId, departure: Departure, was_last: bool) {
        let Some(Shown { user: entity, endpoint: key, departure: known }) = self.shown.remove(&seat) else { return };
        let Departure { method, when, reason } = known.unwrap_or(departure);
        if let Some(user) = self.conference.users.get_mut(&entity)
            && let Some(endpoint) = user.endpoints.get_mut(&key)
        {
            endpoint.status = Some(EndpointStatus::Disconnected);
            endpoint.disconnection_method = Some(method);
            endpoint.disconnection_info = Some(Execution { when: Some(when), reason, by: None });
            endpoint.media.clear();
        }
        self.note(Entry::Changed(entity.clone()));
        self.gone.push(Gone { user: entity, endpoint: key, number: self.number() });
        if was_last {
            self.count(-1);
        }
    }

    /// A user is called otherwise.
    pub(super) fn named(&mut self, identity: &Address, display_name: Option<String>) {
        if let Some(user) = self.conference.users.get_mut(identity.as_str()) {
            user.display_text = display_name;
            self.note(Entry::Changed(identity.as_str().to_owned()));
        }
    }

    /// A user has another nickname, or none.
    pub(super) fn nicknamed(&mut self, identity: &Address, nickname: Option<String>) {
        if let Some(user) = self.conference.users.get_mut(identity.as_str()) {
            let before = std::mem::replace(&mut user.nickname, nickname);
            self.note(Entry::Nickname { user: identity.as_str().to_owned(), before });
        }
    }

    /// What a user is in the room, for people to read.
    pub(super) fn has_roles(&mut self, identity: &Address, roles: Vec<String>) {
        if let Some(user) = self.conference.users.get_mut(identity.as_str())
            && user.roles != roles
        {
            user.roles = roles;
            self.note(Entry::Changed(identity.as_str().to_owned()));
        }
    }

    /// The room is about something else.
    pub(super) fn described(&mut self, name: &str, subject: Option<&str>) {
        let description = &mut self.conference.description;
        description.display_text = Some(subject.unwrap_or(name).to_owned());
        description.subject = subject.map(str::to_owned);
        self.note(Entry::Description);
    }

    /// Whether somebody is shown as gone who is to vanish.
    pub(super) fn has_gone(&self) -> bool {
        !self.gone.is_empty()
    }

    /// What was shown as gone vanishes for all who know so many changes, or more.
    pub(super) fn forget_gone(&mut self, told: u64) {
        let excess = self.gone.len().saturating_sub(MAX_GONE);
        let mut position = 0..;
        let is_told = |gone: &mut Gone| gone.number <= told || position.next().is_some_and(|at| at < excess);
        let vanishing: Vec<Gone> = self.gone.extract_if(.., is_told).collect();
        for Gone { user: entity, endpoint, .. } in vanishing {
            let Some(user) = self.conference.users.get_mut(&entity) else { continue };
            user.endpoints.remove(&endpoint);
            let is_empty = user.endpoints.is_empty();
            if is_empty {
                self.conference.users.remove(&entity);
            }
            self.note(if is_empty { Entry::Removed(entity) } else { Entry::Changed(entity) });
        }
    }

    /// What changed since a subscriber was told of so many changes. Nothing where that is not known any more.
    pub(super) fn since(&self, told: u64) -> Option<Changes> {
        let skipped = usize::try_from(told.checked_sub(self.first)?).ok()?;
        let mut changes = Changes::new();
        for entry in self.log.range(skipped.min(self.log.len())..) {
            match entry {
                Entry::Added(user) => changes.user_added(user),
                Entry::Changed(user) => changes.user_changed(user),
                Entry::Nickname { user, before } => changes.nickname_changed(user, before.as_deref()),
                Entry::Removed(user) => changes.user_removed(user),
                Entry::State => changes.state_changed(),
                Entry::Description => changes.description_changed(),
            }
        }
        Some(changes)
    }

    /// Forgets the changes that everybody has been told of.
    pub(super) fn trim(&mut self, told: u64) {
        let known = usize::try_from(told.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.log.len());
        self.log.drain(..known);
        self.first += known as u64;
    }

    fn note(&mut self, entry: Entry) {
        if self.log.len() == MAX_LOG {
            self.trim(self.first + MAX_LOG as u64 / 2);
        }
        self.log.push_back(entry);
    }

    fn count(&mut self, more: i32) {
        self.present = self.present.saturating_add_signed(more);
        self.conference.state.user_count = Some(self.present);
        self.note(Entry::State);
    }
}

fn endpoint_of(joining: Joining) -> Endpoint {
    let Joining { method, when, by, speaks, is_muted } = joining;
    let media = Media {
        media_type: Some(MEDIUM.to_owned()),
        label: Some(MEDIUM.to_owned()),
        status: Some(direction(speaks)),
        ..Media::default()
    };
    let referred = by.map(|by| Execution { when: Some(when.clone()), reason: None, by: Some(by) });
    Endpoint {
        referred,
        status: Some(status(is_muted)),
        joining_method: Some(method),
        joining_info: Some(Execution { when: Some(when), ..Execution::default() }),
        media: BTreeMap::from([(MEDIA_ID.to_owned(), media)]),
        ..Endpoint::default()
    }
}

fn status(is_muted: bool) -> EndpointStatus {
    if is_muted { EndpointStatus::MutedViaFocus } else { EndpointStatus::Connected }
}

fn direction(speaks: bool) -> MediaStatus {
    if speaks { MediaStatus::SendReceive } else { MediaStatus::ReceiveOnly }
}

/// The documents of RFC 4575 go to clients that may know nothing of nicknames: there the nickname is the text for people.
pub(super) fn plain_full(conference: &Conference) -> document::Rendering {
    let users = conference.users.iter().map(|(entity, user)| (entity.clone(), plain(user))).collect();
    document::full(&Conference { users, ..without_users(conference) })
}

/// The same for what changed; costs what changed.
pub(super) fn plain_partial(conference: &Conference, changes: &Changes) -> document::Rendering {
    let told = changes.users().filter_map(|entity| Some((entity.to_owned(), plain(conference.users.get(entity)?))));
    document::partial(&Conference { users: told.collect(), ..without_users(conference) }, changes)
}

fn plain(user: &User) -> User {
    let display_text = user.nickname.clone().or_else(|| user.display_text.clone());
    User { display_text, ..user.clone() }
}

fn without_users(conference: &Conference) -> Conference {
    Conference {
        entity: conference.entity.clone(),
        description: conference.description.clone(),
        host: conference.host.clone(),
        state: conference.state.clone(),
        users: BTreeMap::new(),
    }
}
