//! Requests that name a dialog: Join (RFC 3911), Replaces (RFC 3891), Target-Dialog (RFC 4538).

use focus::settings::Auth;
use sim::people::{Caller, Chat, everywhere, everywhere_in, nothing};

const GARDEN: &str = "sip:garden@chat.example.com";

// CONFORMANCE 4579-021 4579-003 3891-3-1
#[test]
fn another_user_agent_takes_the_place_of_one() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        assert_eq!(chat.nick(alice, "queen"), 200);
        let replaces = format!("Replaces: {}", chat.dialog_name(alice));
        // A2 → R: INVITE Replaces: A1         R → A2: 200
        let second = chat.call(Caller::new("alice").with_header(&replaces)).unwrap();
        // Until the new one is there with its media, the old one stays.
        assert_eq!(chat.dismissed(alice), None);
        chat.say(bob, "Wait for me");
        chat.hears(alice, "Wait for me");
        chat.bind(second);
        // R → A1: BYE
        assert_eq!(chat.dismissed(alice).as_deref(), Some("SIP;cause=200;text=\"Replaced by another user agent\""));
        chat.say(second, "Here I am");
        chat.hears(bob, "Here I am");
        // The nickname has come along.
        assert_eq!(chat.nick(bob, "queen"), 425);
        chat.leave(second);
        chat.silent(bob);
    });
}

// CONFORMANCE 4579-021 7701-013
#[test]
fn a_user_agent_is_replaced_where_a_user_may_be_once() {
    everywhere_in(
        |policy| policy.room.simultaneous_access = false,
        |chat| {
            chat.placement = sim::people::Placement::Home;
            let alice = chat.join("alice");
            assert_eq!(chat.call("alice").unwrap_err().code(), 486);
            let replaces = format!("Replaces: {}", chat.dialog_name(alice));
            let second = chat.join(Caller::new("alice").with_header(&replaces));
            assert!(chat.dismissed(alice).is_some());
            chat.leave(second);
        },
    );
}

#[test]
fn who_does_not_come_replaces_nobody() {
    let mut chat = Chat::new();
    let [alice, bob] = chat.all(["alice", "bob"]);
    let replaces = format!("Replaces: {}", chat.dialog_name(alice));
    let second = chat.call(Caller::new("alice").with_header(&replaces)).unwrap();
    chat.stage.pass(std::time::Duration::from_secs(30));
    assert!(chat.dismissed(second).is_some_and(|reason| reason.contains("cause=408")));
    chat.say(bob, "Alice?");
    chat.hears(alice, "Alice?");
}

// CONFORMANCE 4579-021 4579-020 3891-3-1 3911-4-1 THREATS T23
#[test]
fn only_ones_own_dialog_is_replaced() {
    let mut chat = Chat::new();
    let [alice, bob] = chat.all(["alice", "bob"]);
    let [call_id, local, remote] = chat.dialog_parts(alice);
    let own = chat.dialog_name(alice);
    for (who, header, code) in [
        ("bob", format!("Replaces: {own}"), 403),
        ("bob", format!("Replaces: {own};early-only"), 403),
        ("alice", format!("Replaces: {own};early-only"), 486),
        ("alice", format!("Replaces: {call_id};to-tag={remote};from-tag={local}"), 481),
        ("alice", format!("Replaces: {call_id}x;to-tag={local};from-tag={remote}"), 481),
        ("alice", format!("Replaces: {call_id};to-tag={local};from-tag=0"), 481),
        ("alice", format!("Replaces: {call_id};to-tag={local}"), 400),
        ("alice", format!("Replaces: {call_id};to-tag={local};to-tag={local};from-tag={remote}"), 400),
        ("alice", format!("Replaces: ;to-tag={local};from-tag={remote}"), 400),
        ("alice", format!("Replaces: {own}, {own}"), 400),
        ("alice", format!("Replaces: {own}\r\nJoin: {own}"), 400),
        ("alice", format!("Join: {own}\r\nJoin: {own}"), 400),
    ] {
        assert_eq!(chat.call(Caller::new(who).with_header(&header)).unwrap_err().code(), code, "{who} {header}");
    }
    chat.say(bob, "Nothing has happened");
    chat.hears(alice, "Nothing has happened");
}

// CONFORMANCE 4579-020 3911-4-1 THREATS T23
#[test]
fn one_joins_the_room_of_a_dialog() {
    let mut chat = Chat::new();
    let alice = chat.join(Caller::new("alice").to_room(GARDEN));
    let name = chat.dialog_name(alice);
    let [call_id, local, remote] = chat.dialog_parts(alice);
    let join = |name: &str| format!("Join: {name}");
    // At the room's own URI: whoever may call it.
    let bob = chat.join(Caller::new("bob").to_room(GARDEN).with_header(&join(&name)));
    // At another URI: one's own other user agent alone. The answer says which room it is.
    let elsewhere = |who: &str| Caller::new(who).to_room("sip:unknown@chat.example.com").with_header(&join(&name));
    let second = chat.join(elsewhere("alice"));
    let contact = chat.answer(second).header("Contact").unwrap();
    assert!(contact.starts_with("<sip:garden@chat.example.com") && contact.contains(";isfocus"), "{contact}");
    assert_eq!(chat.call(elsewhere("eve")).unwrap_err().code(), 403);
    assert_eq!(chat.send(alice, sim::people::to(GARDEN, "All here")), Some(200));
    chat.hears(bob, "All here");
    chat.hears(second, "All here");
    // What names nothing is nothing at the URI of a room that is there, and 481 elsewhere.
    let swapped = format!("{call_id};to-tag={remote};from-tag={local}");
    chat.join(Caller::new("carol").to_room(GARDEN).with_header(&join(&swapped)));
    let nowhere = Caller::new("carol").to_room("sip:unknown@chat.example.com").with_header(&join(&swapped));
    assert_eq!(chat.call(nowhere).unwrap_err().code(), 481);
    assert_eq!(chat.stage.node.signalling().census()[1], 3, "and no room is made");
}

// CONFORMANCE 4538-4-1 THREATS T22 T23
#[test]
fn who_names_their_dialog_refers_without_a_password() {
    let realm = "chat.example.com".to_owned();
    let mut chat = Chat::with(|settings| settings.auth = Auth::Digest { realm, md5: false });
    chat.open_account("alice", "wonderland", &[]);
    chat.open_account("bob", "builder", &[]);
    let alice = chat.join(Caller::new("alice").with_login("alice", "wonderland"));
    chat.join(Caller::new("bob").with_login("bob", "builder"));
    let [call_id, local, remote] = chat.dialog_parts(alice);
    let phone = chat.stage.phone();
    let lines = |dialog: &str| {
        format!("Refer-To: <sip:alice@chat.example.com;method=BYE>\nRequire: tdialog\nTarget-Dialog: {dialog}")
    };
    // The tags are those that the room sees.
    let named = format!("{call_id};local-tag={local};remote-tag={remote}");
    let swapped = format!("{call_id};local-tag={remote};remote-tag={local}");
    assert_eq!(chat.refer_outside(phone, "alice", &lines(&swapped)).code(), 401);
    assert_eq!(chat.refer_outside(phone, "alice", &lines(&call_id)).code(), 401);
    assert_eq!(chat.refer_outside(phone, "bob", &lines(&named)).code(), 403, "the dialog of somebody else");
    assert_eq!(chat.dismissed(alice), None);
    assert_eq!(chat.refer_outside(phone, "alice", &lines(&named)).code(), 202);
    assert!(chat.dismissed(alice).is_some());
    assert_eq!(chat.send(alice, nothing()), None);
}

// THREATS T18
#[test]
fn a_room_does_not_call_a_room() {
    let mut chat = Chat::new();
    let focus = Caller::new("attic").with_contact_params(";isfocus");
    assert_eq!(chat.call(focus.to_room(GARDEN)).unwrap_err().code(), 482);
    assert_eq!(chat.stage.node.signalling().census(), [0, 2]);
    // A user of that name is no room, and can be called although somebody has made a room of it.
    chat.join(Caller::new("eve").to_room("sip:bob@chat.example.com"));
    let alice = chat.join("alice");
    assert_eq!(chat.refer(alice, "Refer-To: <sip:bob@chat.example.com>").code(), 403);
    let phone = chat.registered("bob");
    assert_eq!(chat.refer(alice, "Refer-To: <sip:bob@chat.example.com>").code(), 202);
    assert!(chat.next_request(phone, "INVITE").is_some());
    chat.join("bob");
}
