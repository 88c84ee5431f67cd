//! Who is in the room, from the documents that its notifier sends (RFC 4575, 6501, 6502), and what became different.

use std::collections::BTreeMap;

use conference_info::model::{DisconnectionMethod, Endpoint, EndpointStatus, MediaStatus, User};
use conference_info::read::{self, Limits, State};
use conference_info::view::{Outcome, View, XconView};
use conference_info::{CONFERENCE_INFO, Conference, XCON_CONFERENCE_INFO, XCON_CONFERENCE_INFO_DIFF};
use sip::typed::Uri;

/// The types of the documents that are understood here.
pub(crate) const UNDERSTOOD: [&str; 3] = [CONFERENCE_INFO, XCON_CONFERENCE_INFO, XCON_CONFERENCE_INFO_DIFF];

/// Who is in the room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// What the room is about.
    pub subject: Option<String>,
    /// Who is there, by URI.
    pub people: BTreeMap<String, Member>,
}

/// Somebody in the room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// The nickname (RFC 7701 §7).
    pub nickname: Option<String>,
    /// The name of who calls; their own words.
    pub display_name: Option<String>,
    /// Whether this is oneself.
    pub is_self: bool,
    /// Whether the room lets nobody hear them.
    pub is_muted: bool,
    /// Whether they are not reached for the time being.
    pub is_away: bool,
}

/// What became different in the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RosterEvent {
    /// It is known who is there: [`crate::Agent::roster`]. Differences follow.
    Known,
    /// It is not known any more. [`RosterEvent::Known`] may follow.
    Unknown,
    /// Somebody else came.
    Came {
        /// Their URI.
        uri: String,
    },
    /// Somebody else is not there any more.
    Left {
        /// Their URI.
        uri: String,
        /// What they were in the room.
        was: Member,
        /// How they left, where that is told.
        how: Option<DisconnectionMethod>,
    },
    /// Somebody, or oneself, has another nickname, or none.
    Nickname {
        /// Their URI.
        uri: String,
        /// The one they had.
        before: Option<String>,
    },
    /// Somebody, or oneself, is not heard any more, or is again.
    Muted {
        /// Their URI.
        uri: String,
        /// Whether they are not heard.
        is_muted: bool,
    },
    /// Somebody else is not reached for the time being, or is again.
    Away {
        /// Their URI.
        uri: String,
        /// Whether they are not reached.
        is_away: bool,
    },
    /// The room is about something else.
    Subject,
    /// The room is no more.
    Closed,
}

/// The roster as it is put together from documents.
#[derive(Default)]
pub(crate) struct Picture {
    held: Held,
    /// A SUBSCRIBE went out: everything follows.
    ///
    /// That is taken whatever its version: a notifier that has lost the subscription meanwhile counts from the beginning.
    awaits_all: bool,
    roster: Option<Roster>,
}

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    Plain(View),
    Xcon(XconView),
}

/// A document could not be used: only everything anew helps.
pub(crate) struct Missed;

impl Picture {
    pub(crate) fn roster(&self) -> Option<&Roster> {
        self.roster.as_ref()
    }

    /// A SUBSCRIBE has gone out.
    pub(crate) fn awaits_all(&mut self) {
        self.awaits_all = true;
    }

    /// Nothing is known any more. Whether anything was.
    pub(crate) fn forget(&mut self) -> bool {
        let was_known = self.roster.is_some();
        *self = Self::default();
        was_known
    }

    /// Takes a document, and says what became different. `own` is one's own URI.
    pub(crate) fn take(&mut self, content_type: &str, octets: &[u8], own: &str) -> Result<Vec<RosterEvent>, Missed> {
        match self.apply(content_type, octets)? {
            Outcome::Ignored => Ok(Vec::new()),
            Outcome::Gap => Err(Missed),
            Outcome::Ended => {
                self.forget();
                Ok(vec![RosterEvent::Closed])
            }
            Outcome::Applied => {
                let Some(conference) = self.held.conference() else { return Ok(Vec::new()) };
                let roster = Roster::of(conference, own);
                let events = match &self.roster {
                    None => vec![RosterEvent::Known],
                    Some(before) => before.differences(&roster, conference),
                };
                self.roster = Some(roster);
                Ok(events)
            }
        }
    }

    fn apply(&mut self, content_type: &str, octets: &[u8]) -> Result<Outcome, Missed> {
        let limits = Limits::default();
        if content_type == XCON_CONFERENCE_INFO_DIFF {
            let diff = read::diff(octets, &limits).map_err(|_| Missed)?;
            let Held::Xcon(view) = &mut self.held else { return Err(Missed) };
            return Ok(view.patch(diff));
        }
        let document = read::document(octets, &limits).map_err(|_| Missed)?;
        let is_plain = content_type == CONFERENCE_INFO;
        if (document.state == State::Full || !is_plain) && std::mem::take(&mut self.awaits_all) {
            self.held = if is_plain { Held::Plain(View::new()) } else { Held::Xcon(XconView::new()) };
        }
        match (&mut self.held, is_plain) {
            (Held::Plain(view), true) => Ok(view.apply(document)),
            (Held::Xcon(view), false) => Ok(view.replace(document)),
            // A room that was never known may end all the same.
            (_, true) if document.state == State::Deleted => Ok(Outcome::Ended),
            _ => Err(Missed),
        }
    }
}

impl Held {
    fn conference(&self) -> Option<&Conference> {
        match self {
            Self::Nothing => None,
            Self::Plain(view) => view.conference(),
            Self::Xcon(view) => view.conference(),
        }
    }
}

impl Roster {
    fn of(conference: &Conference, own: &str) -> Self {
        let own_uri = Uri::parse(own).ok();
        let is_own = |entity: &str, user: &User| {
            let is_same = |own: &Uri| Uri::parse(entity).is_ok_and(|uri| uri.same_address(own));
            user.own || entity == own || own_uri.as_ref().is_some_and(is_same)
        };
        let people = conference.users.iter().filter_map(|(entity, user)| {
            let member = Member::of(user)?;
            Some((entity.clone(), Member { is_self: is_own(entity, user), ..member }))
        });
        Self { subject: conference.description.subject.clone(), people: people.collect() }
    }

    /// What is different in the later roster, which is that of the conference.
    fn differences(&self, later: &Self, conference: &Conference) -> Vec<RosterEvent> {
        let mut events = Vec::new();
        if self.subject != later.subject {
            events.push(RosterEvent::Subject);
        }
        for (uri, was) in &self.people {
            match later.people.get(uri) {
                Some(is) => was.differences(is, uri, &mut events),
                None if was.is_self => {}
                None => {
                    let shown = conference.users.get(uri).into_iter().flat_map(|user| user.endpoints.values());
                    let how = shown.filter_map(|endpoint| endpoint.disconnection_method).next_back();
                    events.push(RosterEvent::Left { uri: uri.clone(), was: was.clone(), how });
                }
            }
        }
        let others = later.people.iter().filter(|(uri, is)| !is.is_self && !self.people.contains_key(*uri));
        events.extend(others.map(|(uri, _)| RosterEvent::Came { uri: uri.clone() }));
        events
    }
}

impl Member {
    /// Somebody as a document shows them; nothing where they are not there yet, or not any more.
    fn of(user: &User) -> Option<Self> {
        let here: Vec<&Endpoint> = user.endpoints.values().filter(|endpoint| is_here(endpoint)).collect();
        if here.is_empty() && !user.endpoints.is_empty() {
            return None;
        }
        let all = |is: fn(&Endpoint) -> bool| !here.is_empty() && here.iter().all(|endpoint| is(endpoint));
        // Who knows no nicknames is given them as the text for people.
        let display_name = user.display_text.clone().filter(|text| user.nickname.as_ref() != Some(text));
        Some(Self {
            nickname: user.nickname.clone(),
            display_name,
            is_self: user.own,
            is_muted: all(|endpoint| endpoint.status == Some(EndpointStatus::MutedViaFocus)),
            is_away: all(|endpoint| !endpoint.media.is_empty() && endpoint.media.values().all(is_inactive)),
        })
    }

    fn differences(&self, later: &Self, uri: &str, events: &mut Vec<RosterEvent>) {
        let uri = || uri.to_owned();
        if self.nickname != later.nickname {
            events.push(RosterEvent::Nickname { uri: uri(), before: self.nickname.clone() });
        }
        if self.is_muted != later.is_muted {
            events.push(RosterEvent::Muted { uri: uri(), is_muted: later.is_muted });
        }
        if self.is_away != later.is_away && !later.is_self {
            events.push(RosterEvent::Away { uri: uri(), is_away: later.is_away });
        }
    }
}

fn is_here(endpoint: &Endpoint) -> bool {
    use EndpointStatus::{Connected, MutedViaFocus, OnHold};
    matches!(endpoint.status, None | Some(Connected | MutedViaFocus | OnHold))
}

fn is_inactive(media: &conference_info::model::Media) -> bool {
    media.status == Some(MediaStatus::Inactive)
}
