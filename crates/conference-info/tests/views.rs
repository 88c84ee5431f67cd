//! What a subscriber makes of documents, one after the other.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod common;

use common::{diff, document, room, user};
use conference_info::document::{deleted, full, partial, xcon_diff, xcon_full};
use conference_info::model::*;
use conference_info::view::{Outcome, View, XconView};
use conference_info::{Changes, Conference};

const BOB: &str = "sip:bob@example.com";

/// A view that holds the room in version 1.
fn view() -> View {
    let mut view = View::new();
    assert_eq!(view.apply(document(&full(&room()).document(1))), Outcome::Applied);
    assert_eq!(view.conference(), Some(&room()));
    view
}

fn xcon_view() -> XconView {
    let mut view = XconView::new();
    assert_eq!(view.replace(document(&xcon_full(&room()).document(1))), Outcome::Applied);
    assert_eq!(view.conference(), Some(&room()));
    view
}

fn bob_left() -> (Conference, Changes) {
    let (mut room, mut changes) = (room(), Changes::new());
    room.users.remove(BOB);
    changes.user_removed(BOB);
    (room, changes)
}

// CONFORMANCE 4575-023, 4575-024, 4575-029
#[test]
fn versions_say_what_is_new_and_what_was_missed() {
    let (left, changes) = bob_left();
    let rendering = partial(&left, &changes);
    let steps = [
        // The next one is taken, once.
        (rendering.document(2), Outcome::Applied),
        (rendering.document(2), Outcome::Ignored),
        (rendering.document(1), Outcome::Ignored),
        (full(&room()).document(2), Outcome::Ignored),
        // One is missed: nothing but a full one helps, whichever its version is.
        (rendering.document(4), Outcome::Gap),
        (rendering.document(3), Outcome::Gap),
        (full(&room()).document(4), Outcome::Applied),
        (rendering.document(5), Outcome::Applied),
        // A full one may skip versions.
        (full(&room()).document(9), Outcome::Applied),
        (deleted("sip:room@chat.example.com").document(10), Outcome::Ended),
        (rendering.document(11), Outcome::Gap),
    ];
    let mut view = view();
    for (octets, outcome) in steps {
        let before = view.conference().cloned();
        assert_eq!(view.apply(document(&octets)), outcome);
        match outcome {
            Outcome::Applied => assert!(view.conference().is_some_and(|held| *held == left || *held == room())),
            Outcome::Ended => assert_eq!(view.conference(), None),
            Outcome::Ignored | Outcome::Gap => assert_eq!(view.conference(), before.as_ref()),
        }
    }
    assert_eq!(view.version(), Some(10));
}

// CONFORMANCE 4575-024
#[test]
fn without_a_full_document_there_is_nothing_to_change() {
    let (left, changes) = bob_left();
    assert_eq!(View::new().apply(document(&partial(&left, &changes).document(1))), Outcome::Gap);
    assert_eq!(XconView::new().patch(diff(&xcon_diff(&left, &changes).document(1))), Outcome::Gap);
    // Nor where it is another conference's.
    let mut other = left.clone();
    other.entity = "sip:other@chat.example.com".to_owned();
    assert_eq!(view().apply(document(&partial(&other, &changes).document(2))), Outcome::Gap);
    assert_eq!(xcon_view().patch(diff(&xcon_diff(&other, &changes).document(2))), Outcome::Gap);
}

/// What the view makes of a partial document with this in it.
fn told(content: &str) -> Conference {
    let root = "<conference-info xmlns='urn:ietf:params:xml:ns:conference-info' \
        xmlns:x='urn:ietf:params:xml:ns:xcon-conference-info' \
        entity='sip:room@chat.example.com' version='2' state='partial'>";
    let mut view = view();
    assert_eq!(view.apply(document(format!("{root}{content}</conference-info>").as_bytes())), Outcome::Applied);
    view.conference().unwrap().clone()
}

// CONFORMANCE 4575-023
#[test]
fn elements_are_merged_by_their_states() {
    let expect = |change: &dyn Fn(&mut Conference)| {
        let mut room = room();
        change(&mut room);
        room
    };
    // Nothing is told, nothing changes.
    assert_eq!(told(""), room());
    assert_eq!(told("<users state='partial'/>"), room());
    assert_eq!(told("<users state='partial'><user entity='sip:bob@example.com' state='partial'/></users>"), room());
    // Under a full parent everything is full, and what is not there is not there.
    assert_eq!(told("<users/>"), expect(&|room| room.users.clear()));
    assert_eq!(told("<users state='deleted'/>"), expect(&|room| room.users.clear()));
    let full = "<users><user entity='a' state='partial'/><user entity='b' state='deleted'/></users>";
    assert_eq!(told(full), expect(&|room| room.users = [("a".to_owned(), User::default())].into()));
    // A full user replaces the one that is known, a partial one completes it.
    let whole = "<users state='partial'><user entity='sip:bob@example.com'/></users>";
    assert_eq!(told(whole), expect(&|room| room.users.extend([(BOB.to_owned(), User::default())])));
    let part = "<users state='partial'><user entity='sip:bob@example.com' state='partial' x:nickname='B'
        xmlns:o='urn:tertulia:conference-info' o:own='true'>
        <roles><entry>moderator</entry></roles><endpoint entity='1' state='partial'><status>on-hold</status>
        <media id='2'/></endpoint><endpoint entity='2' state='partial'/></user></users>";
    assert_eq!(
        told(part),
        expect(&|room| {
            let bob = room.users.get_mut(BOB).unwrap();
            bob.nickname = Some("B".to_owned());
            bob.own = true;
            bob.roles = vec!["moderator".to_owned()];
            let endpoint = bob.endpoints.get_mut("1").unwrap();
            endpoint.status = Some(EndpointStatus::OnHold);
            endpoint.media.insert("2".to_owned(), Media::default());
            bob.endpoints.insert("2".to_owned(), Endpoint::default());
        })
    );
    let gone = "<users state='partial'><user entity='sip:bob@example.com' state='partial'>
        <endpoint entity='1' state='deleted'><status>connected</status></endpoint></user>
        <user entity='sip:alice@example.com' state='deleted'><display-text>A</display-text></user></users>";
    assert_eq!(
        told(gone),
        expect(&|room| {
            room.users.remove("sip:alice@example.com");
            room.users.get_mut(BOB).unwrap().endpoints.clear();
        })
    );
    // What has no state is replaced as a whole.
    let state = "<conference-state><locked>1</locked></conference-state><conference-description/>
        <host-info><display-text>H</display-text></host-info>";
    assert_eq!(
        told(state),
        expect(&|room| {
            room.state = ConferenceState { locked: Some(true), ..ConferenceState::default() };
            room.description = Description::default();
            room.host = Some(HostInfo { display_text: Some("H".to_owned()), ..HostInfo::default() });
        })
    );
}

#[test]
fn a_patch_that_misses_one_asks_for_all() {
    let (left, changes) = bob_left();
    let rendering = xcon_diff(&left, &changes);
    let mut view = xcon_view();
    assert_eq!(view.patch(diff(&rendering.document(2))), Outcome::Applied);
    assert_eq!(view.conference(), Some(&left));
    assert_eq!(view.patch(diff(&rendering.document(2))), Outcome::Ignored);
    assert_eq!(view.patch(diff(&rendering.document(4))), Outcome::Gap);
    assert_eq!(view.replace(document(&xcon_full(&room()).document(4))), Outcome::Applied);
    assert_eq!((view.conference(), view.version()), (Some(&room()), Some(4)));
}

/// A patch with these operations, and without a version.
fn patch(operations: &str) -> conference_info::read::Diff {
    let root = "<p:conference-info-diff xmlns='urn:ietf:params:xml:ns:conference-info' \
        xmlns:p='urn:ietf:params:xml:ns:xcon-conference-info' xmlns:o='urn:other' entity='sip:room@chat.example.com'>";
    diff(format!("{root}{operations}</p:conference-info-diff>").as_bytes())
}

// CONFORMANCE 6502-006, 6502-010
#[test]
fn a_patch_without_a_version_is_the_next_one() {
    let mut view = xcon_view();
    // RFC 6502's own way with a number, and operations on what is not modelled.
    let operations = "<p:replace sel='/conference-info/conference-state/user-count/text()'>5</p:replace>
        <p:replace sel='*/conference-state/locked'><locked>true</locked></p:replace>
        <p:add sel='*/users/p:allowed-users-list'><p:target uri='sip:john@example.com'/></p:add>
        <p:remove sel='*/users/user[@entity=\"sip:bob@example.com\"]/o:mood'/><o:extension/>
        <p:replace sel='*/sidebars-by-ref'><sidebars-by-ref/></p:replace>";
    assert_eq!(view.patch(patch(operations)), Outcome::Applied);
    let mut expected = room();
    expected.state.user_count = Some(5);
    expected.state.locked = Some(true);
    assert_eq!((view.conference(), view.version()), (Some(&expected), Some(2)));
}

#[test]
fn a_patch_that_does_not_fit_changes_nothing() {
    let bob = "*/users/user[@entity=\"sip:bob@example.com\"]";
    let alice = "*/users/user[@entity=\"sip:alice@example.com\"]";
    let carol = "*/users/user[@entity=\"sip:carol@example.com\"]";
    // Each of these does fit, and is undone.
    let before = format!(
        "<p:replace sel='*/conference-state/user-count'><user-count>9</user-count></p:replace>
        <p:replace sel='*/conference-description'><conference-description/></p:replace>
        <p:remove sel='*/host-info'/><p:remove sel='*/conference-state'/>
        <p:replace sel='*/conference-state/active/text()'>0</p:replace>
        <p:add sel='{bob}' type='@p:nickname'>B</p:add><p:replace sel='{bob}/@p:nickname'>C</p:replace>
        <p:remove sel='{bob}/@p:nickname'/><p:remove sel='{bob}'/>
        <p:add sel='*/users'><user entity='sip:dave@example.com'/><user entity='sip:erin@example.com'/></p:add>
        <p:replace sel='{alice}'><user entity='sip:alice@example.com'/></p:replace>
        <p:replace sel='{alice}'><user entity='sip:alicia@example.com'/></p:replace>
        <p:replace sel='*/users'><users><user entity='sip:bob@example.com'/><user entity='sip:alice@example.com' \
            p:nickname='A'/></users></p:replace>"
    );
    assert_eq!(xcon_view().patch(patch(&before)), Outcome::Applied);
    for misfit in [
        format!("<p:remove sel='{carol}'/>"),
        format!("<p:replace sel='{carol}'><user entity='sip:carol@example.com'/></p:replace>"),
        format!("<p:replace sel='{alice}'><user entity='sip:bob@example.com'/></p:replace>"),
        "<p:add sel='*/users'><user entity='sip:bob@example.com'/></p:add>".to_owned(),
        format!("<p:add sel='{alice}' type='@p:nickname'>A</p:add>"),
        format!("<p:replace sel='{bob}/@p:nickname'>B</p:replace>"),
        format!("<p:remove sel='{bob}/@p:nickname'/>"),
        format!("<p:remove sel='{carol}/@p:nickname'/>"),
    ] {
        let mut view = xcon_view();
        assert_eq!(view.patch(patch(&format!("{before}{misfit}"))), Outcome::Gap, "{misfit}");
        assert_eq!((view.conference(), view.version()), (Some(&room()), Some(1)), "{misfit}");
        // From now on nothing but all will do, even in the version that is held.
        assert_eq!(view.patch(patch("")), Outcome::Gap);
        assert_eq!(view.replace(document(&xcon_full(&room()).document(1))), Outcome::Applied);
        assert_eq!(view.patch(patch("")), Outcome::Applied);
    }
}

#[test]
fn selectors_that_are_not_understood_are_refused() {
    use conference_info::read::{self, Error, Limits};
    let refused = |operation: &str| {
        let root = "<p:conference-info-diff xmlns='urn:ietf:params:xml:ns:conference-info' \
            xmlns:p='urn:ietf:params:xml:ns:xcon-conference-info' entity='a'>";
        read::diff(format!("{root}{operation}</p:conference-info-diff>").as_bytes(), &Limits::default()).unwrap_err()
    };
    for selector in [
        "*/users/user[2]",
        "*/users/*",
        "*/users/user",
        "*/users/user[@entity=\"a\"][1]",
        "*/users/user[@entity=\"a\"]/endpoint",
        "*/users/user[@entity=\"a\"]/display-text/text()",
        "*/users/user[@entity=\"a/b\"]/roles/entry[1]",
        "*/users/user[@entity=a]",
        "*/users/user[@entity=\"a\"][@x=\"b\"]",
        "*/users[1]",
        "*/*[2]",
        "*/conference-description/subject",
        "*/conference-state/user-count/text()[2]",
        "id(\"x\")",
        "other/users",
        "//users",
        "",
        "*",
    ] {
        for operation in [format!("<p:remove sel='{selector}'/>"), format!("<p:replace sel='{selector}'/>")] {
            assert_eq!(refused(&operation), Error::Selector(selector.to_owned()), "{operation}");
        }
    }
    let lacks = |element, part| Error::Lacks { element, part };
    assert_eq!(refused("<p:remove/>"), lacks("remove", "sel"));
    assert_eq!(refused("<p:replace sel='*/users/user[@entity=\"a\"]'/>"), lacks("replace", "user"));
    assert_eq!(refused("<p:replace sel='*/host-info'><users/></p:replace>"), lacks("replace", "host-info"));
    assert_eq!(refused("<p:replace sel='*/@version'>x</p:replace>"), Error::Value("version"));
    assert!(matches!(refused("<p:remove sel='*/y:users'/>"), Error::Malformed(_)));
    assert_eq!(refused(&format!("<p:remove sel='{}'/>", "x".repeat(9_999))), Error::Selector("x".repeat(120)));
}

#[test]
fn a_user_comes_and_the_views_know() {
    let (mut room, mut changes) = (room(), Changes::new());
    room.users.insert("sip:carol@example.com".to_owned(), user("Carol", Some("C")));
    changes.user_added("sip:carol@example.com");
    let (mut view, mut xcon) = (view(), xcon_view());
    assert_eq!(view.apply(document(&partial(&room, &changes).document(2))), Outcome::Applied);
    assert_eq!(xcon.patch(diff(&xcon_diff(&room, &changes).document(2))), Outcome::Applied);
    assert_eq!((view.conference(), xcon.conference()), (Some(&room), Some(&room)));
}
