//! What the operator says to rooms, and what people notice of it.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use focus::desk::{Answer, Change, Charter, Command, Person, Refusal, Standing};
use focus::settings::{Create, RoomPolicy};
use room::{Address, DeleteWhen};
use sim::people::{Caller, Chat, everywhere, to};

const DONE: Answer = Answer::Done { ended: 0 };

fn address(uri: &str) -> Address {
    Address::parse(uri).unwrap()
}

fn user(name: &str) -> Address {
    address(&format!("sip:{name}@chat.example.com"))
}

fn lasting() -> RoomPolicy {
    let mut policy = RoomPolicy::default();
    policy.room.delete_when = DeleteWhen::Never;
    policy
}

fn garden() -> String {
    "garden".to_owned()
}

/// Somebody who calls the garden.
fn gardener(name: &str) -> Caller {
    Caller::new(name).to_room("sip:garden@chat.example.com")
}

/// A garden of this standing.
fn create(chat: &mut Chat, standing: Standing) {
    let subject = Some("Roses".to_owned());
    let charter = Charter { subject, policy: lasting(), creator: None, standing, is_permanent: true };
    assert_eq!(chat.stage.order(Command::Create { room: garden(), charter: Box::new(charter) }), DONE);
}

#[test]
fn rooms_are_listed_and_shown_with_who_is_there() {
    let mut chat = Chat::new();
    chat.join("bob");
    for _ in 0..2 {
        chat.join(gardener("alice"));
    }
    let Answer::Rooms(rooms) = chat.stage.order(Command::List) else { panic!("no list") };
    let told: Vec<_> =
        rooms.iter().map(|room| (room.room.as_str(), room.delete_when, room.users, room.sessions)).collect();
    assert_eq!(
        told,
        [("attic", DeleteWhen::Never, 0, 0), ("garden", DeleteWhen::Empty, 1, 2), ("lobby", DeleteWhen::Never, 1, 1)]
    );
    let Answer::Room(view) = chat.stage.order(Command::Show { room: garden() }) else { panic!("no room") };
    assert_eq!(view.people, [Person { address: user("alice"), sessions: 2 }]);
    let charter = Charter { creator: Some(user("alice")), ..Charter::default() };
    assert_eq!(view.charter, charter);
    let nowhere = chat.stage.order(Command::Show { room: "cellar".to_owned() });
    assert_eq!(nowhere, Answer::Refused(Refusal::NoSuchRoom));
}

#[test]
fn a_room_that_is_created_is_there_until_it_is_deleted() {
    let mut chat = Chat::with(|settings| settings.rooms.create = Create::Nobody);
    assert_eq!(chat.call(gardener("alice")).unwrap_err().code(), 404);
    create(&mut chat, Standing::default());
    let charter = Box::new(Charter::default());
    let again = chat.stage.order(Command::Create { room: garden(), charter: charter.clone() });
    assert_eq!(again, Answer::Refused(Refusal::RoomExists));
    for name in ["", "a b", "a%41", "a@b", "é"] {
        let command = Command::Create { room: name.to_owned(), charter: charter.clone() };
        assert_eq!(chat.stage.order(command), Answer::Refused(Refusal::Unnameable), "{name}");
    }
    let [alice, bob] = ["alice", "bob"].map(|name| chat.join(gardener(name)));
    assert_eq!(chat.answer(alice).header("Subject"), Some("Roses"));
    chat.leave(alice);
    chat.leave(bob);
    // It outlives them, and ends with a word to whoever is there.
    let [alice, bob] = ["alice", "bob"].map(|name| chat.join(gardener(name)));
    let reason = Some("Winter \"has\" come".to_owned());
    let deleted = chat.stage.order(Command::Delete { room: garden(), reason });
    assert_eq!(deleted, Answer::Done { ended: 2 });
    for person in [alice, bob] {
        let told = chat.dismissed(person).unwrap();
        assert_eq!(told, "SIP;cause=410;text=\"Winter \\\"has\\\" come\"");
        assert_eq!(chat.next_sip(person), None, "one BYE");
    }
    assert_eq!(chat.call(gardener("alice")).unwrap_err().code(), 404);
    let again = chat.stage.order(Command::Delete { room: garden(), reason: None });
    assert_eq!(again, Answer::Refused(Refusal::NoSuchRoom));
}

#[test]
fn a_room_that_ends_by_itself_can_be_deleted_and_made_again() {
    let mut chat = Chat::new();
    let alice = chat.join(gardener("alice"));
    let deleted = chat.stage.order(Command::Delete { room: garden(), reason: None });
    assert_eq!(deleted, Answer::Done { ended: 1 });
    assert!(chat.dismissed(alice).unwrap().contains("410"));
    let [alice, bob] = ["alice", "bob"].map(|name| chat.join(gardener(name)));
    let again = to("sip:garden@chat.example.com", "Again").spoken_by(&chat.uri(alice));
    assert_eq!(chat.send(alice, again), Some(200));
    assert!(String::from_utf8_lossy(&chat.rx(bob).octets).ends_with("Again"));
}

#[test]
fn who_is_kicked_is_told_why_and_may_come_again() {
    everywhere(|chat| {
        let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
        let kick = |name| Command::Kick {
            room: "lobby".to_owned(),
            user: user(name),
            reason: Some("Mind your language".to_owned()),
        };
        assert_eq!(chat.stage.order(kick("bob")), Answer::Done { ended: 1 });
        assert_eq!(chat.dismissed(bob).unwrap(), "SIP;cause=403;text=\"Mind your language\"");
        assert_eq!(chat.stage.order(kick("bob")), Answer::Refused(Refusal::NoSuchUser));
        chat.say(alice, "Quiet now");
        chat.hears(carol, "Quiet now");
        chat.all_silent(&[alice, carol]);
        let bob = chat.join("bob");
        chat.say(bob, "Sorry");
        chat.hears(alice, "Sorry");
    });
}

#[test]
fn who_is_banned_goes_and_stays_outside_by_whatever_name() {
    let mut chat = Chat::with(|settings| {
        settings.auth = focus::settings::Auth::Digest { realm: "chat.example.com".to_owned(), md5: true };
    });
    chat.open_account("bob", "secret", &["tel:+15551234"]);
    chat.open_account("carol", "secret", &[]);
    let login = |name: &'static str| gardener(name).with_login(name, "secret");
    create(&mut chat, Standing::default());
    let [bob, second, carol] = ["bob", "bob", "carol"].map(|name| chat.join(login(name)));
    let ban = Command::Ban { room: garden(), user: address("tel:+1-555-1234") };
    assert_eq!(chat.stage.order(ban), Answer::Done { ended: 2 });
    for session in [bob, second] {
        assert_eq!(chat.dismissed(session).unwrap(), "SIP;cause=403;text=\"You are banned from the room\"");
    }
    assert_eq!(chat.call(login("bob")).unwrap_err().code(), 403);
    assert_eq!(chat.dismissed(carol), None);
    // The ban is of the address that was named.
    let unban = |uri| Command::Unban { room: garden(), user: address(uri) };
    assert_eq!(chat.stage.order(unban("sip:bob@chat.example.com")), Answer::Refused(Refusal::NoSuchUser));
    assert_eq!(chat.stage.order(unban("tel:+15551234")), DONE);
    chat.join(login("bob"));
}

#[test]
fn where_there_is_a_list_its_members_and_the_moderators_get_in() {
    let mut chat = Chat::new();
    let standing = Standing { members: Some([user("alice")].into()), ..Standing::default() };
    create(&mut chat, standing);
    chat.join(gardener("alice"));
    assert_eq!(chat.call(gardener("bob")).unwrap_err().code(), 403);
    let member = |name, is| Command::Member { room: garden(), user: user(name), is };
    assert_eq!(chat.stage.order(member("bob", true)), DONE);
    let bob = chat.join(gardener("bob"));
    assert_eq!(chat.stage.order(member("bob", false)), DONE);
    assert_eq!(chat.stage.order(member("bob", false)), Answer::Refused(Refusal::NoSuchUser));
    assert_eq!(chat.dismissed(bob), None, "who is in stays in");
    assert_eq!(chat.call(gardener("bob")).unwrap_err().code(), 403);
    assert_eq!(chat.stage.order(Command::Moderator { room: garden(), user: user("bob"), is: true }), DONE);
    chat.join(gardener("bob"));
    // Who is banned stays outside, whatever else they are.
    assert_eq!(chat.stage.order(Command::Ban { room: garden(), user: user("bob") }), Answer::Done { ended: 2 });
    assert_eq!(chat.call(gardener("bob")).unwrap_err().code(), 403);
    assert_eq!(chat.stage.order(Command::Open { room: garden() }), DONE);
    assert_eq!(chat.call(gardener("bob")).unwrap_err().code(), 403);
    chat.join(gardener("carol"));
}

#[test]
fn another_policy_rules_at_once_and_for_those_who_come() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let mut policy = lasting();
        policy.room.private_messages = false;
        policy.room.simultaneous_access = false;
        policy.room.wrapped_types = room::MediaTypes::parse(["text/plain"]).unwrap();
        let change = Change::Policy(Box::new(policy));
        assert_eq!(chat.stage.order(Command::Set { room: "lobby".to_owned(), change }), DONE);
        let change = Change::Subject(Some("Tea".to_owned()));
        assert_eq!(chat.stage.order(Command::Set { room: "lobby".to_owned(), change }), DONE);
        assert_eq!(chat.send(alice, to("sip:bob@chat.example.com", "psst").spoken_by(&chat.uri(alice))), Some(403));
        chat.silent(bob);
        chat.say(alice, "Aloud");
        chat.hears(bob, "Aloud");
        assert_eq!(chat.call("alice").unwrap_err().code(), 486);
        let carol = chat.join("carol");
        assert_eq!(chat.answer(carol).header("Subject"), Some("Tea"));
        assert_eq!(chat.answer(carol).attribute("accept-wrapped-types"), "text/plain");
    });
}

#[test]
fn who_is_being_called_is_not_there_yet() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let bob = chat.registered("bob");
    assert_eq!(chat.refer(alice, "Refer-To: <sip:bob@chat.example.com>").code(), 202);
    let invite = chat.next_request(bob, "INVITE").unwrap();
    chat.reply_to(bob, &invite, 180, None);
    let Answer::Rooms(rooms) = chat.stage.order(Command::List) else { panic!("no list") };
    let told: Vec<_> = rooms.iter().map(|room| (room.room.as_str(), room.users, room.sessions)).collect();
    assert_eq!(told, [("attic", 0, 0), ("lobby", 1, 1)]);
    let Answer::Room(view) = chat.stage.order(Command::Show { room: "lobby".to_owned() }) else { panic!("no room") };
    assert_eq!(view.people, [Person { address: user("alice"), sessions: 1 }]);
}

#[test]
fn a_room_of_somebody_s_making_that_may_not_end_lasts() {
    let mut chat = Chat::with(|settings| settings.rooms.defaults.room.delete_when = DeleteWhen::Never);
    for name in ["alice", "bob"] {
        chat.join(gardener(name));
    }
    assert_eq!(chat.stage.lasting, [garden()]);
    let mut chat = Chat::new();
    chat.join(gardener("alice"));
    assert!(chat.stage.lasting.is_empty());
}

#[test]
fn all_that_is_said_of_people_is_shown_and_nothing_changes_once_the_node_ends() {
    let mut chat = Chat::new();
    create(&mut chat, Standing::default());
    let (room, password) = (garden, focus::desk::Ha1s { sha256: Some("a".repeat(64)), md5: None });
    for command in [
        Command::Mute { room: room(), user: user("bob") },
        Command::Mute { room: room(), user: user("carol") },
        Command::Unmute { room: room(), user: user("carol") },
        Command::Password { room: room(), password: Some(password.clone()) },
        Command::Moderator { room: room(), user: user("alice"), is: true },
        Command::Hidden { room: room(), hidden: true },
    ] {
        assert_eq!(chat.stage.order(command.clone()), DONE, "{command:?}");
    }
    let Answer::Room(view) = chat.stage.order(Command::Show { room: garden() }) else { panic!("no room") };
    let expected = Standing {
        moderators: [user("alice")].into(),
        muted: [user("bob")].into(),
        hidden: true,
        password: Some(password),
        ..Standing::default()
    };
    assert_eq!(view.charter.standing, expected);
    assert!(!format!("{view:?}").contains("aaaa"), "what proves a password gets into no log");
    chat.stage.node.handle_signalling(chat.stage.now, focus::signalling::Input::ShutDown);
    let late = chat.stage.order(Command::Hidden { room: garden(), hidden: false });
    assert_eq!(late, Answer::Refused(Refusal::Ending));
    assert!(matches!(chat.stage.order(Command::List), Answer::Rooms(rooms) if rooms.len() == 3));
}
