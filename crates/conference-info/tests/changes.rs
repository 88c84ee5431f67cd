//! How changes add up. What is left is seen in the documents that tell of it.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod common;

use common::{room, user};
use conference_info::document::{partial, xcon_diff};
use conference_info::{Changes, Conference};

const BOB: &str = "sip:bob@example.com";

/// Somebody's doings: came, went, changed, took a first nickname, took another one.
fn changes(doings: &str) -> Changes {
    let mut changes = Changes::new();
    for doing in doings.split_whitespace() {
        match doing {
            "came" => changes.user_added(BOB),
            "went" => changes.user_removed(BOB),
            "changed" => changes.user_changed(BOB),
            "named" => changes.nickname_changed(BOB, None),
            "renamed" => changes.nickname_changed(BOB, Some("Bobby")),
            other => panic!("{other}"),
        }
    }
    changes
}

/// The room as it is after these doings.
fn after(doings: &str) -> Conference {
    let mut room = room();
    room.users.remove(BOB);
    if !doings.ends_with("went") {
        let nickname = doings.contains("named").then_some("Bo");
        room.users.insert(BOB.to_owned(), user("Bob", nickname));
    }
    room
}

/// What a patch does about Bob.
fn patched(doings: &str, changes: &Changes) -> &'static str {
    let diff = String::from_utf8(xcon_diff(&after(doings), changes).document(2)).unwrap();
    let operations = [
        ("<xcon:add sel=\"*/users\">", "add"),
        ("<xcon:remove sel='*/users/user[@entity=\"sip:bob@example.com\"]'/>", "remove"),
        ("<xcon:replace sel='*/users/user[@entity=\"sip:bob@example.com\"]'>", "replace"),
        ("<xcon:add sel='*/users/user[@entity=\"sip:bob@example.com\"]' type=\"@xcon:nickname\">Bo<", "add nickname"),
        ("<xcon:replace sel='*/users/user[@entity=\"sip:bob@example.com\"]/@xcon:nickname'>Bo<", "replace nickname"),
    ];
    let found: Vec<_> = operations.iter().filter(|(operation, _)| diff.contains(operation)).collect();
    match found[..] {
        [(_, name)] => name,
        [] => "nothing",
        _ => panic!("{diff}"),
    }
}

/// What a partial document tells of Bob.
fn told(doings: &str, changes: &Changes) -> &'static str {
    let text = String::from_utf8(partial(&after(doings), changes).document(2)).unwrap();
    let is_full = text.contains("<user entity=\"sip:bob@example.com\" state=\"full\"");
    let is_deleted = text.contains("<user entity=\"sip:bob@example.com\" state=\"deleted\"/>");
    match (is_full, is_deleted) {
        (true, false) => "full",
        (false, true) => "deleted",
        (false, false) => "nothing",
        (true, true) => panic!("{text}"),
    }
}

// CONFORMANCE 6502-006
#[test]
fn what_was_undone_is_not_told() {
    let table = [
        ("came", "full", "add"),
        ("came went", "nothing", "nothing"),
        ("came went came", "full", "add"),
        ("came changed named renamed", "full", "add"),
        ("came changed went", "nothing", "nothing"),
        ("went", "deleted", "remove"),
        ("went came", "full", "replace"),
        ("went came went", "deleted", "remove"),
        ("went came named", "full", "replace"),
        ("changed", "full", "replace"),
        ("changed went", "deleted", "remove"),
        ("changed went came", "full", "replace"),
        ("changed renamed", "full", "replace"),
        ("named", "full", "add nickname"),
        ("named renamed", "full", "add nickname"),
        ("renamed renamed", "full", "replace nickname"),
        ("renamed changed", "full", "replace"),
        ("renamed went", "deleted", "remove"),
        ("renamed went came", "full", "replace"),
    ];
    for (doings, expected, operation) in table {
        let whole = changes(doings);
        assert_eq!(told(doings, &whole), expected, "{doings}");
        assert_eq!(patched(doings, &whole), operation, "{doings}");
        assert_eq!(whole.is_empty(), expected == "nothing", "{doings}");
        // Cut anywhere, both parts come to the same.
        let cuts = doings.char_indices().filter(|(_, character)| *character == ' ');
        for (at, _) in cuts {
            let (earlier, later) = doings.split_at(at);
            let mut merged = changes(earlier);
            merged.merge(&changes(later));
            assert_eq!(told(doings, &merged), expected, "{earlier} +{later}");
            assert_eq!(patched(doings, &merged), operation, "{earlier} +{later}");
        }
    }
}

#[test]
fn the_conference_s_own_changes_add_up() {
    let mut first = Changes::new();
    assert!(first.is_empty());
    first.description_changed();
    let mut second = Changes::new();
    second.state_changed();
    second.host_changed();
    second.user_added(BOB);
    first.merge(&second);
    let mut all = Changes::new();
    all.user_added(BOB);
    all.host_changed();
    all.state_changed();
    all.description_changed();
    assert_eq!(first, all);
    assert!(!first.is_empty());
    first.merge(&Changes::new());
    assert_eq!(first, all);
}
