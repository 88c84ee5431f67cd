//! Removing people and ending rooms by REFER (RFC 4579 §5.11, §5.12, RFC 7701 §5.3), and who may: rights go by address.

use focus::desk::{Answer, Change, Command};
use room::{Address, DeleteWhen};
use sim::people::{Caller, Chat, Person, SipMessage, nothing};

const GARDEN: &str = "sip:garden@chat.example.com";
const REMOVED: Option<&str> = Some("SIP;cause=403;text=\"Removed from the room\"");
const CLOSED: Option<&str> = Some("SIP;cause=410;text=\"The room is closed\"");

/// The lobby, moderated by Alice.
fn moderated() -> Chat {
    Chat::with(|settings| {
        settings.rooms.permanent[0].standing.moderators =
            Address::parse("sip:alice@chat.example.com").into_iter().collect();
    })
}

fn bye(uri: &str) -> String {
    format!("Refer-To: <{uri};method=BYE>")
}

fn told(chat: &mut Chat, person: Person) -> Vec<String> {
    let phone = chat.phone(person);
    chat.told(phone)
}

// CONFORMANCE 4579-023 7701-033 THREATS T18
#[test]
fn a_moderator_removes_a_participant_and_others_do_not() {
    let mut chat = moderated();
    let [alice, bob, carol, carol_too] = ["alice", "bob", "carol", "carol"].map(|name| chat.join(name));
    let links = [carol, carol_too].map(|person| chat.link(person));
    assert_eq!(chat.refer(bob, &bye("sip:carol@chat.example.com")).code(), 403);
    assert_eq!(chat.dismissed(carol), None);
    // A → R: REFER carol;method=BYE       R → C: BYE, R → A: 202, NOTIFY 100, NOTIFY 200
    assert_eq!(chat.refer(alice, &bye("sip:carol@chat.example.com")).code(), 202);
    assert_eq!(told(&mut chat, alice), ["active 100 Trying", "terminated;reason=noresource 200 OK"]);
    for person in [carol, carol_too] {
        assert_eq!(chat.dismissed(person).as_deref(), REMOVED, "and not by whom");
    }
    assert!(links.into_iter().all(|link| chat.stage.is_closed(link)));
    chat.say(alice, "Order");
    chat.hears(bob, "Order");
    assert_eq!(chat.refer(alice, &bye("sip:carol@chat.example.com")).code(), 404, "she is gone");
    assert_eq!(chat.refer(alice, &bye("sip:nobody@192.0.2.9")).code(), 404);
}

// CONFORMANCE 7701-028 4579-023 THREATS T36
#[test]
fn rights_go_by_address_at_any_name_of_the_server_and_not_by_nickname() {
    let mut chat = moderated();
    let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
    assert_eq!(chat.nick(bob, "alice the moderator"), 200);
    assert_eq!(chat.refer(bob, &bye("sip:carol@chat.example.com")).code(), 403);
    assert_eq!(chat.refer(alice, &bye("sip:carol@192.0.2.1")).code(), 202);
    assert_eq!(chat.dismissed(carol).as_deref(), REMOVED);
}

#[test]
fn everybody_may_remove_themselves() {
    let mut chat = Chat::new();
    let [bob, other] = chat.all(["bob", "other"]);
    let desk = chat.join("bob");
    assert_eq!(chat.refer(desk, &bye("sip:bob@chat.example.com")).code(), 202);
    assert_eq!(chat.dismissed(bob).as_deref(), REMOVED);
    assert_eq!(chat.dismissed(other), None);
    // The dialog in which it was wished ends too, but for what it has to tell.
    let phone = chat.phone(desk);
    assert_eq!(chat.told(phone), ["active 100 Trying", "terminated;reason=noresource 200 OK"]);
    assert!(chat.next_request(phone, "BYE").is_some());
}

// CONFORMANCE 7701-033 7701-012 4579-024
#[test]
fn who_has_made_a_room_ends_it() {
    let mut chat = Chat::with(|settings| settings.rooms.defaults.room.delete_when = DeleteWhen::Never);
    let [alice, bob] = ["alice", "bob"].map(|name| chat.join(Caller::new(name).to_room(GARDEN)));
    let (uri, link) = (chat.switch_uri(bob), chat.link(bob));
    assert_eq!(chat.refer(bob, &bye(GARDEN)).code(), 403);
    assert_eq!(chat.refer(alice, &bye(&format!("{GARDEN};transport=tcp"))).code(), 202);
    let phone = chat.phone(alice);
    assert_eq!(chat.told(phone), ["active 100 Trying", "terminated;reason=noresource 200 OK"]);
    for person in [alice, bob] {
        assert_eq!(chat.dismissed(person).as_deref(), CLOSED);
    }
    assert_eq!(chat.stage.node.signalling().census(), [0, 2]);
    assert_eq!(chat.stage.gone, ["garden"], "it is not kept any longer");
    // The session is no more.
    assert!(chat.stage.is_closed(link));
    let link = chat.stage.connect(false);
    chat.use_link(link, bob);
    assert_eq!((chat.send(bob, nothing()), chat.switch_uri(bob)), (Some(481), uri));
    // Another room of that name is another room, whoever is still on the way out of the old one.
    let carol = chat.join(Caller::new("carol").to_room(GARDEN));
    assert_eq!(chat.refer(carol, &bye(GARDEN)).code(), 202, "it is hers");
}

// CONFORMANCE 7701-033
#[test]
fn a_room_of_the_configuration_is_emptied_and_stays() {
    let mut chat = moderated();
    let [alice, bob] = chat.all(["alice", "bob"]);
    assert_eq!(chat.refer(bob, &bye("sip:lobby@chat.example.com")).code(), 403);
    assert_eq!(chat.refer(alice, &bye("sip:lobby@chat.example.com")).code(), 202);
    assert_eq!(told(&mut chat, alice)[1], "terminated;reason=noresource 200 OK");
    for person in [alice, bob] {
        assert_eq!(chat.dismissed(person).as_deref(), CLOSED);
    }
    let [bob, carol] = chat.all(["bob", "carol"]);
    chat.say(bob, "Still open");
    chat.hears(carol, "Still open");
}

// CONFORMANCE 7701-033
#[test]
fn a_room_that_the_operator_has_taken_over_is_emptied_and_stays() {
    let mut chat = Chat::with(|settings| settings.rooms.defaults.room.delete_when = DeleteWhen::Never);
    let [alice, bob] = ["alice", "bob"].map(|name| chat.join(Caller::new(name).to_room(GARDEN)));
    let set = Command::Set { room: "garden".to_owned(), change: Change::Permanent };
    assert_eq!(chat.stage.order(set), Answer::Done { ended: 0 });
    assert_eq!(chat.refer(alice, &bye(GARDEN)).code(), 202);
    assert_eq!(told(&mut chat, alice)[1], "terminated;reason=noresource 200 OK");
    for person in [alice, bob] {
        assert_eq!(chat.dismissed(person).as_deref(), CLOSED);
    }
    assert!(chat.stage.gone.is_empty());
    let Answer::Room(view) = chat.stage.order(Command::Show { room: "garden".to_owned() }) else {
        panic!("it is gone")
    };
    assert!(view.charter.is_permanent && view.people.is_empty());
}

#[test]
fn who_is_being_called_is_removed_too() {
    let mut chat = moderated();
    let alice = chat.join("alice");
    let bob = chat.registered("bob");
    assert_eq!(chat.refer(alice, "Refer-To: <sip:bob@chat.example.com>").code(), 202);
    let invite = chat.next_request(bob, "INVITE").unwrap();
    chat.reply_to(bob, &invite, 180, None);
    told(&mut chat, alice);
    assert_eq!(chat.refer(alice, &bye("sip:bob@chat.example.com")).code(), 202);
    assert!(chat.next_request(bob, "CANCEL").is_some());
    let told = told(&mut chat, alice);
    assert!(told.contains(&"terminated;reason=noresource 487 Request Terminated".to_owned()), "{told:?}");
}

#[test]
fn a_moderator_need_not_be_in_the_room() {
    let mut chat = moderated();
    let bob = chat.join("bob");
    let phone = chat.stage.phone();
    let answer: SipMessage = chat.refer_outside(phone, "alice", &bye("sip:bob@chat.example.com"));
    assert_eq!(answer.code(), 202);
    assert_eq!(chat.dismissed(bob).as_deref(), REMOVED);
    // Of another room she is nobody.
    let attic = Caller::new("alice").to_room(sim::people::ATTIC);
    assert_eq!(chat.refer_outside(phone, attic, &bye("sip:bob@chat.example.com")).code(), 403);
}
