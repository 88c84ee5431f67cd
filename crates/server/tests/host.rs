//! `tertulia host` as people use it: a process that is a room, whom it registers with, and those who come.

#![allow(clippy::unwrap_used)]

mod support;

use support::Server;
use support::chat::Chat;

/// A host with these options, not yet in its room.
fn host(options: &[&str]) -> Chat {
    Chat::start_command("host", "host", &[options, &["--quiet"]].concat())
}

/// The room of a host, as it says, with the host in it.
#[track_caller]
fn room(host: &Chat, identity: &str) -> String {
    let line = host.line();
    let room = line.strip_prefix("* your room is ").unwrap_or_else(|| panic!("{line}")).to_owned();
    host.expect(&format!("* in {room} as {identity} (nicknames, private messages)"));
    room
}

/// Somebody who calls a room by its URI.
#[track_caller]
fn guest(room: &str, who: &str) -> Chat {
    let identity = format!("sip:{who}@chat.test");
    let chat = Chat::start(who, &[room, "--as", &identity, "--quiet"]);
    chat.expect(&format!("* in {room} as {identity} (nicknames, private messages)"));
    chat
}

/// A server whose user alice has a password.
fn registrar() -> (Server, String) {
    let server = Server::start(
        "domain = \"chat.test\"\nsip.listen = [\"udp://127.0.0.1:0\", \"tcp://127.0.0.1:0\"]\n\
         msrp.listen = [\"tcp://127.0.0.1:0\"]\nhttp.listen = [\"http://127.0.0.1:0\"]\n\
         [[users]]\nuri = \"sip:alice@chat.test\"\npassword = \"Tr0ub4dor\"\n\
         [[users]]\nuri = \"sip:bob@chat.test\"\npassword = \"other\"\n[[room]]\nname = \"lobby\"\n[rooms]\ncreate = \"nobody\"\n",
    );
    let file = password(&server, "alice", "Tr0ub4dor");
    (server, file)
}

fn password(server: &Server, name: &str, password: &str) -> String {
    let path = server.directory.path().join(name);
    std::fs::write(&path, password).unwrap();
    path.display().to_string()
}

#[test]
fn people_call_a_host_talk_with_it_and_go_with_it() {
    let mut alice = host(&["--as", "sip:alice@chat.test", "--nick", "Al"]);
    let uri = room(&alice, "sip:alice@chat.test");
    assert!(uri.starts_with("sip:alice-room@127.0.0.1:") && uri.ends_with(";transport=tcp"), "{uri}");
    alice.expect("* your nickname is Al");
    let mut bob = guest(&uri, "bob");
    let carol = guest(&uri, "carol");
    bob.types("hello, alice");
    alice.expect("<bob> hello, alice");
    carol.expect("<bob> hello, alice");
    // What is said to her in private is for her alone: what carol hears next was said later.
    bob.types("/msg alice psst");
    alice.expect("[bob -> alice] psst");
    alice.types("hello, both");
    bob.expect("<alice> hello, both");
    carol.expect("<alice> hello, both");
    alice.types("/kick bob");
    alice.expect("* sip:bob@chat.test is sent out");
    assert!(bob.left().starts_with("! the room sent you away: "));
    alice.types("/quit");
    alice.expect_end(&["* left"], 0);
    assert!(carol.left().starts_with("! the room sent you away: "));
}

#[test]
fn nobody_makes_another_room_at_a_host_s() {
    let alice = host(&["--as", "sip:alice@chat.test"]);
    let uri = room(&alice, "sip:alice@chat.test").replace("alice-room", "lobby");
    let (lines, code) = Chat::start("bob", &[&uri, "--as", "sip:bob@chat.test", "--quiet"]).end();
    assert_eq!((lines, code), (vec![format!("! there is no room {uri} (404 Not Found)")], Some(1)));
    alice.interrupt();
    alice.expect_end(&["* left"], 130);
}

#[test]
fn a_host_registers_and_calls_by_way_of_its_server() {
    let (server, file) = registrar();
    for transport in ["udp", "tcp"] {
        let address = server.address(&format!("sip {transport}://")).to_string();
        let at = ["--as", "sip:alice@chat.test", "--server", &address, "--transport", transport];
        let mut alice = host(&[&at[..], &["--password-file", &file, "--invite", "sip:bob@chat.test"]].concat());
        alice.expect("* who calls sip:alice@chat.test comes into your room");
        let uri = room(&alice, "sip:alice@chat.test");
        // The server knows her, but calls nobody on behalf of others.
        alice.expect("* sip:bob@chat.test is called");
        alice.expect("! sip:bob@chat.test is not known (404 Not Found)");
        let bob = guest(&uri, "bob");
        alice.types("/invite nobody at all");
        alice.expect("! /invite wants somebody: /invite sip:bob@example.com");
        alice.types("hello");
        bob.expect("<alice> hello");
        alice.expect_end(&["* left"], 1);
        assert!(bob.left().starts_with("! the room sent you away: "));
    }
}

#[test]
fn what_keeps_a_host_from_its_registration_is_said_in_words() {
    let (server, _) = registrar();
    let (udp, tcp) = (server.address("sip udp://").to_string(), server.address("sip tcp://").to_string());
    let said = |identity: &str, more: &[&str]| {
        let (lines, code) = host(&[&["--as", identity, "--transport", "tcp", "--server"], more].concat()).end();
        assert_eq!(code, Some(1), "{lines:?}");
        lines.concat()
    };
    let wrong = password(&server, "wrong", "tr0ub4dor");
    let alice = "sip:alice@chat.test";
    let nothing = said(alice, &[&tcp]);
    assert_eq!(nothing, "! a password is needed: give --password-file, or set TERTULIA_PASSWORD (401 Unauthorized)");
    let realm = "the user name or the password is wrong, or it is for another realm than this: --realm";
    let mistaken = said(alice, &[&tcp, "--password-file", &wrong]);
    assert_eq!(mistaken, format!("! {realm} \"chat.test\" (401 Unauthorized)"));
    let unheard = said(alice, &[&udp, "--password-file", &wrong]);
    assert_eq!(unheard, format!("! nobody answers at {udp} (tcp)"));
    let unfit = said("alice", &[&tcp]);
    assert!(unfit.contains("\"alice\" is no SIP address"), "{unfit}");
}
