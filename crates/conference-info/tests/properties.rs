//! What holds for all conferences, all changes and all octets.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod common;

use std::collections::BTreeMap;

use common::{assert_valid, diff, document};
use conference_info::document::{Rendering, full, partial, xcon_diff, xcon_full};
use conference_info::model::*;
use conference_info::read::{self, Limits};
use conference_info::view::{Outcome, View, XconView};
use conference_info::{CONFERENCE_INFO, Changes, Conference, XCON_CONFERENCE_INFO, XCON_CONFERENCE_INFO_DIFF};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Any text that XML can hold, with much of what has to be escaped.
fn text() -> impl Strategy<Value = String> {
    vec(
        prop_oneof![
            2 => select(vec!["&", "<", ">", "\"", "'", "]]>", "<!--", "&amp;", "\t", "\r\n", "\n", "\r", " ", "é", "🎉", "\u{85}", "\u{2028}"])
                .prop_map(str::to_owned),
            1 => any::<char>().prop_map(|c| if is_text(c) { c.to_string() } else { String::new() }),
            3 => "[a-z]{1,3}",
        ],
        0..5,
    )
    .prop_map(|parts| parts.concat())
}

/// Any text at all.
fn any_text() -> impl Strategy<Value = String> {
    let character = prop_oneof![3 => any::<char>(), 1 => proptest::char::range('\0', '\u{1f}'), 1 => select(vec!['\u{fffe}', '\u{ffff}', '%', '\'', '"', '/', ']'])];
    vec(character, 0..24).prop_map(|characters| characters.into_iter().collect())
}

/// Whether XML 1.0 has the character (§2.2).
fn is_text(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

fn uri() -> impl Strategy<Value = String> {
    "(sip|mailto|xmpp|tel):[a-z0-9'&;=%2B*!~_.-]{1,8}@[a-z]{1,5}\\.example".prop_map(|uri| uri.replace('%', "%41"))
}

fn uris() -> impl Strategy<Value = BTreeMap<String, UriEntry>> {
    let entry = (option::of(text()), option::of(text()));
    btree_map(uri(), entry.prop_map(|(display_text, purpose)| UriEntry { display_text, purpose }), 0..3)
}

fn media_status() -> impl Strategy<Value = Option<MediaStatus>> {
    use MediaStatus::*;
    option::of(select(vec![SendReceive, SendOnly, ReceiveOnly, Inactive]))
}

fn execution() -> impl Strategy<Value = Option<Execution>> {
    // Up to the year 9999.
    let when = option::of((0_u64..253_402_300_800).prop_map(date_time));
    option::of((when, option::of(text()), option::of(uri())).prop_map(|(when, reason, by)| Execution {
        when,
        reason,
        by,
    }))
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    use EndpointStatus::*;
    let statuses =
        vec![Pending, DialingOut, DialingIn, Alerting, OnHold, Connected, MutedViaFocus, Disconnecting, Disconnected];
    let joining = vec![JoiningMethod::DialedIn, JoiningMethod::DialedOut, JoiningMethod::FocusOwner];
    let leaving = vec![
        DisconnectionMethod::Departed,
        DisconnectionMethod::Booted,
        DisconnectionMethod::Failed,
        DisconnectionMethod::Busy,
    ];
    let media = (option::of(text()), option::of(text()), option::of(text()), option::of(text()), media_status());
    let media = media.prop_map(|(display_text, media_type, label, src_id, status)| Media {
        display_text,
        media_type,
        label,
        src_id,
        status,
    });
    let call = (option::of(text()), text(), text(), text());
    let call =
        call.prop_map(|(display_text, call_id, from_tag, to_tag)| CallInfo { display_text, call_id, from_tag, to_tag });
    (
        option::of(text()),
        execution(),
        option::of(select(statuses)),
        (option::of(select(joining)), execution()),
        (option::of(select(leaving)), execution()),
        // RFC 6501 wants numbers.
        btree_map("[0-9]{1,3}", media, 0..3),
        option::of(call),
    )
        .prop_map(|(display_text, referred, status, joining, leaving, media, call_info)| Endpoint {
            display_text,
            referred,
            status,
            joining_method: joining.0,
            joining_info: joining.1,
            disconnection_method: leaving.0,
            disconnection_info: leaving.1,
            media,
            call_info,
        })
}

fn user() -> impl Strategy<Value = User> {
    (
        option::of(text()),
        uris(),
        vec(text(), 0..3),
        // RFC 6501 allows one.
        vec(select(vec!["en", "en-US", "ast"]).prop_map(str::to_owned), 0..2),
        option::of(text()),
        btree_map(text(), endpoint(), 0..3),
    )
        .prop_map(|(display_text, associated_aors, roles, languages, nickname, endpoints)| User {
            display_text,
            associated_aors,
            roles,
            languages,
            nickname,
            own: false,
            endpoints,
        })
}

fn description() -> impl Strategy<Value = Description> {
    let media = (option::of(text()), text(), media_status());
    let media =
        media.prop_map(|(display_text, media_type, status)| AvailableMedia { display_text, media_type, status });
    (
        (option::of(text()), option::of(text()), option::of(text())),
        vec("[a-zé&<]{1,4}", 0..3),
        (uris(), uris()),
        option::of(0..=i32::MAX as u32),
        btree_map(text(), media, 0..3),
    )
        .prop_map(|(texts, keywords, uris, maximum_user_count, available_media)| Description {
            display_text: texts.0,
            subject: texts.1,
            free_text: texts.2,
            keywords,
            conf_uris: uris.0,
            service_uris: uris.1,
            maximum_user_count,
            available_media,
        })
}

fn host() -> impl Strategy<Value = Option<HostInfo>> {
    let host = (text(), option::of(uri()), uris());
    option::of(host.prop_map(|(text, web_page, uris)| HostInfo { display_text: Some(text), web_page, uris }))
}

fn state() -> impl Strategy<Value = ConferenceState> {
    (option::of(any::<u32>()), option::of(any::<bool>()), option::of(any::<bool>()))
        .prop_map(|(user_count, active, locked)| ConferenceState { user_count, active, locked })
}

fn conference() -> impl Strategy<Value = Conference> {
    (uri(), description(), host(), state(), btree_map(uri(), user(), 0..4))
        .prop_map(|(entity, description, host, state, users)| Conference { entity, description, host, state, users })
}

/// Something that happens in a conference. Users are numbers.
#[derive(Clone, Debug)]
enum Happening {
    Comes(u8, User),
    Goes(u8),
    Changes(u8, User),
    IsCalled(u8, Option<String>),
    Description(Description),
    Host(Option<HostInfo>),
    State(ConferenceState),
    /// The subscribers are told.
    Told,
}

fn happening() -> impl Strategy<Value = Happening> {
    let who = || 0_u8..6;
    prop_oneof![
        3 => (who(), user()).prop_map(|(who, user)| Happening::Comes(who, user)),
        3 => who().prop_map(Happening::Goes),
        2 => (who(), user()).prop_map(|(who, user)| Happening::Changes(who, user)),
        3 => (who(), option::of(text())).prop_map(|(who, nickname)| Happening::IsCalled(who, nickname)),
        1 => description().prop_map(Happening::Description),
        1 => host().prop_map(Happening::Host),
        1 => state().prop_map(Happening::State),
        4 => Just(Happening::Told),
    ]
}

/// Lets something happen; what cannot happen does not.
fn happen(conference: &mut Conference, changes: &mut Changes, happening: Happening) {
    let entity = |who: u8| format!("sip:user{who}@example.com");
    match happening {
        Happening::Comes(who, user) => {
            let entity = entity(who);
            if let std::collections::btree_map::Entry::Vacant(vacant) = conference.users.entry(entity.clone()) {
                vacant.insert(user);
                changes.user_added(&entity);
            }
        }
        Happening::Goes(who) => {
            if conference.users.remove(&entity(who)).is_some() {
                changes.user_removed(&entity(who));
            }
        }
        Happening::Changes(who, user) => {
            if let Some(held) = conference.users.get_mut(&entity(who)) {
                *held = user;
                changes.user_changed(&entity(who));
            }
        }
        Happening::IsCalled(who, nickname) => {
            if let Some(held) = conference.users.get_mut(&entity(who)) {
                changes.nickname_changed(&entity(who), held.nickname.as_deref());
                held.nickname = nickname;
            }
        }
        Happening::Description(description) => {
            conference.description = description;
            changes.description_changed();
        }
        Happening::Host(host) => {
            conference.host = host;
            changes.host_changed();
        }
        Happening::State(state) => {
            conference.state = state;
            changes.state_changed();
        }
        Happening::Told => {}
    }
}

/// Three subscribers to one conference, who are all the same user.
struct Subscribers {
    version: u32,
    own: String,
    replacing: View,
    merging: View,
    patching: XconView,
    /// What they were sent, by type.
    sent: BTreeMap<&'static str, Vec<Vec<u8>>>,
}

impl Subscribers {
    fn new(conference: &Conference) -> Self {
        let mut subscribers = Self {
            version: 0,
            own: "sip:user0@example.com".to_owned(),
            replacing: View::new(),
            merging: View::new(),
            patching: XconView::new(),
            sent: BTreeMap::new(),
        };
        let octets = subscribers.send(&full(conference));
        assert_eq!(subscribers.merging.apply(document(&octets)), Outcome::Applied);
        let octets = subscribers.send(&xcon_full(conference));
        assert_eq!(subscribers.patching.replace(document(&octets)), Outcome::Applied);
        subscribers
    }

    fn tell(&mut self, conference: &Conference, changes: &Changes) {
        self.version += 1;
        let octets = self.send(&full(conference));
        assert_eq!(self.replacing.apply(document(&octets)), Outcome::Applied);
        let octets = self.send(&partial(conference, changes));
        assert_eq!(self.merging.apply(document(&octets)), Outcome::Applied);
        assert_states_are_consistent(&octets);
        let octets = self.send(&xcon_diff(conference, changes));
        assert_eq!(self.patching.patch(diff(&octets)), Outcome::Applied);
        // The source, as this user sees it.
        let mut expected = conference.clone();
        if let Some(user) = expected.users.get_mut(&self.own) {
            user.own = true;
        }
        for (name, held) in [
            ("replacing", self.replacing.conference()),
            ("merging", self.merging.conference()),
            ("patching", self.patching.conference()),
        ] {
            assert_eq!(held, Some(&expected), "{name}");
        }
    }

    /// The document of a rendering, which is kept for the schema.
    fn send(&mut self, rendering: &Rendering) -> Vec<u8> {
        let octets = rendering.document_for(self.version, Some(&self.own));
        self.sent.entry(rendering.content_type()).or_default().push(octets.clone());
        octets
    }
}

/// Holds a partial document against RFC 4575 §4.4. Nobody's words have a bare angle bracket or quote in them.
fn assert_states_are_consistent(octets: &[u8]) {
    let text = std::str::from_utf8(octets).unwrap();
    for tag in text.split('<').filter(|tag| !tag.starts_with(['/', '?'])) {
        let name = tag.split([' ', '>', '/']).next().unwrap();
        let state = tag.split_once(" state=\"").map(|(_, state)| state.split('"').next().unwrap());
        match name {
            "conference-info" | "users" => assert_eq!(state, Some("partial"), "{tag}"),
            "user" => {
                assert!(matches!(state, Some("full" | "deleted")), "{tag}");
                assert!(state == Some("full") || tag.trim_end().ends_with("/>"), "{tag}");
            }
            _ => assert_eq!(state, None, "{tag}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    // CONFORMANCE 4575-015, 4575-018, 4575-019, 4575-020, 4575-021, 4575-023, 4575-031, 4575-039
    // CONFORMANCE 4575-046, 4575-055, 4575-060, 6502-006, 6502-010
    #[test]
    fn every_view_equals_its_source_after_a_thousand_changes(happenings in vec(happening(), 1_000)) {
        let mut conference = Conference { entity: "sip:room@chat.example.com".to_owned(), ..Conference::default() };
        let mut subscribers = Subscribers::new(&conference);
        // Gathered in two parts, as an owner may who merges.
        let (mut earlier, mut changes) = (Changes::new(), Changes::new());
        for (number, happening) in happenings.into_iter().enumerate() {
            let is_told = matches!(happening, Happening::Told);
            happen(&mut conference, &mut changes, happening);
            if number % 3 == 0 || is_told {
                earlier.merge(&std::mem::take(&mut changes));
            }
            if is_told {
                subscribers.tell(&conference, &std::mem::take(&mut earlier));
            }
        }
        earlier.merge(&changes);
        subscribers.tell(&conference, &earlier);
        for (content_type, documents) in &subscribers.sent {
            assert_valid(content_type, documents);
        }
        prop_assert!(subscribers.sent[CONFERENCE_INFO].len() > subscribers.sent[XCON_CONFERENCE_INFO_DIFF].len());
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was_meant(conference in conference()) {
        let mut view = View::new();
        view.apply(document(&full(&conference).document(1)));
        prop_assert_eq!(view.conference(), Some(&conference));
        let mut view = XconView::new();
        view.replace(document(&xcon_full(&conference).document(1)));
        prop_assert_eq!(view.conference(), Some(&conference));
    }

    // THREATS T29
    #[test]
    fn any_text_is_read_as_it_was_but_for_what_xml_cannot_hold(text in any_text()) {
        let user = User { display_text: Some(text.clone()), nickname: Some(text.clone()), ..User::default() };
        let mut conference = Conference::default();
        conference.users.insert("sip:a@example.com".to_owned(), user);
        let read = document(&full(&conference).document(1)).users.unwrap().users["sip:a@example.com"].user.clone();
        let expected: String = text.chars().map(|c| if is_text(c) { c } else { '\u{fffd}' }).collect();
        prop_assert_eq!(read.display_text.as_deref(), Some(expected.as_str()));
        prop_assert_eq!(read.nickname.as_deref(), Some(expected.as_str()));
    }

    // THREATS T29
    #[test]
    fn any_text_for_a_uri_makes_sound_documents(text in any_text()) {
        let mut conference = Conference { entity: text.clone(), ..Conference::default() };
        let mut replacing = XconView::new();
        replacing.replace(document(&xcon_full(&conference).document(1)));
        conference.users.insert(text.clone(), User::default());
        let mut changes = Changes::new();
        changes.user_added(&text);
        prop_assert_eq!(replacing.patch(diff(&xcon_diff(&conference, &changes).document(2))), Outcome::Applied);
        let mut renamed = Changes::new();
        renamed.nickname_changed(&text, None);
        conference.users.get_mut(&text).unwrap().nickname = Some(text.clone());
        prop_assert_eq!(replacing.patch(diff(&xcon_diff(&conference, &renamed).document(3))), Outcome::Applied);
        let mut removed = Changes::new();
        removed.user_removed(&text);
        conference.users.clear();
        prop_assert_eq!(replacing.patch(diff(&xcon_diff(&conference, &removed).document(4))), Outcome::Applied);
        prop_assert!(replacing.conference().unwrap().users.is_empty());
    }

    // THREATS T28
    #[test]
    fn any_octets_are_answered(octets in vec(any::<u8>(), 0..256), at in any::<usize>(), length in 0_usize..64) {
        let _ = read::document(&octets, &Limits::default());
        let _ = read::diff(&octets, &Limits::default());
        // Strange octets in the midst of what is sound.
        let conference = common::room();
        let mut changes = Changes::new();
        changes.user_changed("sip:bob@example.com");
        changes.state_changed();
        for rendering in [full(&conference), partial(&conference, &changes), xcon_diff(&conference, &changes)] {
            let mut sound = rendering.document(1);
            let start = at % sound.len();
            let end = (start + length).min(sound.len());
            sound.splice(start..end, octets.iter().copied());
            let _ = read::document(&sound, &Limits::default());
            let _ = read::diff(&sound, &Limits::default());
        }
    }

    #[test]
    fn a_date_is_that_of_the_calendar(days in 0_u64..2_932_897) {
        // Counted by hand: a year after the other, a month after the other.
        let is_leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let (mut year, mut rest) = (1970, days);
        while rest >= 365 + u64::from(is_leap(year)) {
            rest -= 365 + u64::from(is_leap(year));
            year += 1;
        }
        let months = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 0;
        while rest >= months[month] {
            rest -= months[month];
            month += 1;
        }
        let expected = format!("{year:04}-{:02}-{:02}T23:59:58Z", month + 1, rest + 1);
        prop_assert_eq!(date_time(days * 86_400 + 86_398), expected);
    }
}

#[test]
fn the_types_of_documents_are_those_of_the_rfcs() {
    assert_eq!(CONFERENCE_INFO, "application/conference-info+xml");
    assert_eq!(XCON_CONFERENCE_INFO, "application/xcon-conference-info+xml");
    assert_eq!(XCON_CONFERENCE_INFO_DIFF, "application/xcon-conference-info-diff+xml");
}
