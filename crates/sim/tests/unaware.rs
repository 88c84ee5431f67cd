//! User agents that do not know what a chat room is (RFC 7701 §8, §11).

use focus::settings::RoomPolicy;
use sim::people::{Caller, Chat, everywhere, everywhere_in, to};

/// A client of plain MSRP.
fn plain(name: &str) -> Caller {
    Caller::new(name).without("chatroom").with("accept-wrapped-types", "text/plain")
}

// CONFORMANCE 7701-124 7701-125 7701-023 4579-005
#[test]
fn who_does_not_know_where_they_are_is_told_so_and_who_is_there() {
    everywhere(|chat| {
        let alice = chat.join("alice");
        assert_eq!(chat.nick(alice, "Al"), 200);
        let private = chat.join(Caller::new("carol").with_header("Privacy: id"));
        let known = chat.answer(private).header("Chat-Identity").unwrap().to_owned();
        let bob = chat.join(plain("bob"));
        assert!(chat.answer(bob).header("Contact").unwrap().contains(";isfocus"), "which means nothing to him");
        let [welcome, list] = chat.greeted(bob);
        assert_eq!(
            welcome,
            "You are in the chat room sip:lobby@chat.example.com. What you send goes to everybody in it."
        );
        let anonymous = known.trim_matches(['<', '>']).split(['@', ':']).nth(1).unwrap().replacen('a', "A", 1);
        let expected =
            format!("In the room: Al <sip:alice@chat.example.com>, {anonymous} {known}, sip:bob@chat.example.com.");
        assert!(list.contains(&format!("{anonymous} {known}")) && list.len() == expected.len(), "{list}\n{expected}");
        chat.say(alice, "Hello");
        chat.hears(bob, "Hello");
        // Others hear nothing of it, and he is told once, whatever becomes of his connection.
        chat.hears(private, "Hello");
        chat.say(bob, "Hello to you");
        chat.hears(alice, "Hello to you");
        chat.hears(private, "Hello to you");
        chat.all_silent(&[alice, bob, private]);
    });
}

#[test]
fn who_is_told_once_is_not_told_again_after_a_new_connection() {
    let mut chat = Chat::new();
    let bob = chat.join(plain("bob"));
    chat.greeted(bob);
    let link = chat.link(bob);
    chat.stage.cut(link);
    assert_eq!(chat.offer_again(bob, plain("bob")).code(), 200);
    chat.bind(bob);
    chat.silent(bob);
}

#[test]
fn who_takes_no_text_is_told_nothing() {
    let mut chat = Chat::new();
    let bob = chat.join(plain("bob").with("accept-wrapped-types", "image/png"));
    chat.silent(bob);
    let aware = chat.join(Caller::new("carol").with("chatroom", ""));
    chat.silent(aware);
}

// CONFORMANCE 7701-125
#[test]
fn of_many_the_first_are_named_and_the_rest_counted() {
    let mut chat = Chat::new();
    for number in 0..60 {
        chat.join(format!("p{number:02}").as_str());
    }
    let bob = chat.join(plain("zoe"));
    let [_, list] = chat.greeted(bob);
    assert_eq!(list.matches("sip:p").count(), 50);
    assert!(list.ends_with("sip:p49@chat.example.com, and 11 more."), "{list}");
}

// CONFORMANCE 7701-125
#[test]
fn who_comes_and_goes_is_told_where_the_policy_wants_it() {
    everywhere_in(
        |policy| policy.unaware_updates = true,
        |chat| {
            let bob = chat.join(plain("bob"));
            chat.greeted(bob);
            let alice = chat.join("alice");
            chat.hears(bob, "sip:alice@chat.example.com has joined.");
            assert_eq!(chat.nick(alice, "Al"), 200);
            chat.hears(bob, "sip:alice@chat.example.com is now called Al.");
            assert_eq!(chat.nick(alice, ""), 200);
            chat.hears(bob, "sip:alice@chat.example.com has no nickname.");
            chat.silent(alice);
            chat.leave(alice);
            chat.hears(bob, "sip:alice@chat.example.com has left.");
            chat.silent(bob);
        },
    );
}

// CONFORMANCE 7701-064 7701-109
#[test]
fn whether_who_declares_nothing_gets_private_messages_is_policy() {
    let trusting = |policy: &mut RoomPolicy| policy.trust_undeclared = true;
    for (trusts, declared, code) in
        [(false, None, 428), (true, None, 200), (true, Some(""), 428), (true, Some("nickname"), 428)]
    {
        let mut chat = Chat::in_room(|policy| {
            if trusts {
                trusting(policy)
            }
        });
        let alice = chat.join("alice");
        let bob = match declared {
            Some(tokens) => chat.join(Caller::new("bob").with("chatroom", tokens)),
            None => chat.join(plain("bob")),
        };
        let uri = chat.uri(bob);
        assert_eq!(chat.send(alice, to(&uri, "psst")), Some(code), "{trusts} {declared:?}");
    }
}
