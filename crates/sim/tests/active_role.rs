//! Participants that wait to be connected to (RFC 6135): the switch connects, but only where it may, and binds.

use std::net::IpAddr;
use std::time::Duration;

use focus::node::LinkId;
use focus::settings::Network;
use sim::people::{Caller, Chat, Frame, Person};

/// A node that may connect into 10.0.0.0/8.
fn chat() -> Chat {
    let address: IpAddr = [10, 0, 0, 0].into();
    Chat::with(|settings| settings.outbound = vec![Network { address, prefix: 8 }])
}

fn waiting(name: &str, host: &str) -> Caller {
    Caller::new(name).with("setup", "passive").with_path(&format!("msrp://{host}:7654/{name};tcp"))
}

/// The SEND by which the switch binds a session, on the connection that it has made.
fn bound_by_switch(chat: &mut Chat, person: Person, link: LinkId) -> Frame {
    chat.stage.connected(link);
    chat.use_link(link, person);
    let bind = chat.frames(link).pop_front().expect("the switch binds what it has connected");
    assert_eq!((bind.start.as_str(), bind.flag, &bind.body), ("SEND", '$', &None));
    assert_eq!(bind.header("To-Path"), Some(chat.path(person).as_str()));
    assert_eq!(bind.header("From-Path"), Some(chat.switch_uri(person).as_str()));
    bind
}

fn answer(chat: &mut Chat, person: Person, link: LinkId, bind: &Frame, code: &str) {
    let (switch, path, id) = (chat.switch_uri(person), chat.path(person), &bind.transaction);
    let answer = format!("MSRP {id} {code}\r\nTo-Path: {switch}\r\nFrom-Path: {path}\r\n-------{id}$\r\n");
    chat.stage.say_octets(link, answer.as_bytes());
}

// CONFORMANCE 4975-009 4975-040 6135-003
#[test]
fn the_switch_connects_to_who_waits_and_binds_the_session() {
    let mut chat = chat();
    let alice = chat.join("alice");
    let bob = chat.call(waiting("bob", "10.1.2.3")).unwrap();
    assert_eq!(chat.answer(bob).attribute("setup"), "active");
    let (link, remote, secure) = chat.stage.dialed.pop().expect("the switch wants a connection");
    assert_eq!((remote, secure), (([10, 1, 2, 3], 7654).into(), false));
    // Nobody is there before the session is bound.
    chat.say(alice, "Too early");
    let bind = bound_by_switch(&mut chat, bob, link);
    chat.say(alice, "Still too early");
    answer(&mut chat, bob, link, &bind, "200 OK");
    chat.say(alice, "Welcome");
    chat.hears(bob, "Welcome");
    chat.say(bob, "Thanks");
    chat.hears(alice, "Thanks");
}

#[test]
fn who_waits_and_speaks_first_has_bound_the_session_itself() {
    let mut chat = chat();
    let alice = chat.join("alice");
    let bob = chat.call(waiting("bob", "10.1.2.3")).unwrap();
    let (link, ..) = chat.stage.dialed.pop().unwrap();
    let bind = bound_by_switch(&mut chat, bob, link);
    chat.say(bob, "Here I am");
    chat.hears(alice, "Here I am");
    answer(&mut chat, bob, link, &bind, "200 OK");
    chat.say(alice, "I see");
    chat.hears(bob, "I see");
}

// CONFORMANCE 4975-041
#[test]
fn a_name_is_looked_up_and_its_addresses_are_tried_in_turn_where_that_is_allowed() {
    let mut chat = chat();
    let addresses = [[192, 168, 0, 1], [10, 9, 9, 9], [10, 8, 8, 8]].map(IpAddr::from);
    chat.stage.hosts.insert("bob.example.net".to_owned(), addresses.to_vec());
    let bob = chat.call(waiting("bob", "bob.example.net")).unwrap();
    let (first, remote, _) = chat.stage.dialed.pop().expect("the switch wants a connection");
    assert_eq!(remote, ([10, 9, 9, 9], 7654).into());
    // It cannot be made.
    chat.stage.cut(first);
    let (link, remote, _) = chat.stage.dialed.pop().expect("the switch tries the next address");
    assert_eq!(remote, ([10, 8, 8, 8], 7654).into());
    let bind = bound_by_switch(&mut chat, bob, link);
    answer(&mut chat, bob, link, &bind, "200 OK");
    let alice = chat.join("alice");
    chat.say(alice, "There you are");
    chat.hears(bob, "There you are");
}

// THREATS T19
#[test]
fn the_switch_connects_nowhere_else() {
    let mut chat = chat();
    for host in ["127.0.0.1", "192.168.0.1", "11.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"] {
        let refused = chat.call(waiting("mallory", host)).unwrap_err();
        assert_eq!(refused.code(), 488, "{host}");
    }
    // A name that leads elsewhere is found out only once the call stands.
    chat.stage.hosts.insert("inside.example.net".to_owned(), vec![[127, 0, 0, 1].into()]);
    for host in ["inside.example.net", "nowhere.example.net"] {
        let mallory = chat.call(waiting("mallory", host)).unwrap();
        assert!(chat.dismissed(mallory).is_some(), "{host}");
    }
    assert!(chat.stage.dialed.is_empty());
    // Where nothing is allowed, not even names are.
    let mut chat = Chat::new();
    assert_eq!(chat.call(waiting("mallory", "bob.example.net")).unwrap_err().code(), 488);
}

#[test]
fn who_cannot_be_reached_has_no_seat() {
    let mut chat = chat();
    for refusal in [Some("481 No such session"), None] {
        let bob = chat.call(waiting("bob", "10.1.2.3")).unwrap();
        let (link, ..) = chat.stage.dialed.pop().unwrap();
        match refusal {
            Some(code) => {
                let bind = bound_by_switch(&mut chat, bob, link);
                answer(&mut chat, bob, link, &bind, code);
            }
            None => chat.stage.cut(link),
        }
        assert!(chat.dismissed(bob).is_some_and(|reason| reason.contains("No MSRP connection")), "{refusal:?}");
    }
    // One that says nothing at all.
    let bob = chat.call(waiting("bob", "10.1.2.3")).unwrap();
    let (link, ..) = chat.stage.dialed.pop().unwrap();
    bound_by_switch(&mut chat, bob, link);
    chat.stage.pass(Duration::from_secs(31));
    assert!(chat.dismissed(bob).is_some() && chat.stage.is_closed(link));
}
