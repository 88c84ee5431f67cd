//! Messages to the room, RFC 7701 §6.1 and §6.3.

mod common;

use common::Stage;
use room::{MediaTypes, Policy};

/// Alice with seats 1 and 2, Bob with 3; Carol has a seat and is no member yet.
fn stage() -> Stage {
    let mut stage = Stage::new(Policy::default());
    stage.play(
        "> join 1 sip:alice@example.com also tel:+1-555-0100 also im:alice@example.com
         < seated 1
         > enter 1
         < entered 1 in epoch 1
         < roster: sip:alice@example.com joins with 1, named none
         > join 2 sip:alice@example.com
         < seated 2
         > enter 2
         < entered 2 in epoch 2
         < roster: sip:alice@example.com joins with 2 too
         > join 3 sip:bob@example.com
         < seated 3
         > enter 3
         < entered 3 in epoch 3
         < roster: sip:bob@example.com joins with 3, named none
         > join 4 sip:carol@example.com
         < seated 4
        ",
    );
    stage
}

// CONFORMANCE 7701-040, 7701-059, DESIGN D15
#[test]
fn a_message_to_the_room_goes_to_everyone_but_the_session_that_sent_it() {
    stage().play(
        "> post 1 <sip:alice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < deliver 1 #1 as 1 in epoch 3 to everyone but 1 since 3
         > post 3 <sip:bob@example.com> -> <sip:lobby@chat.example.com> text/plain
         < deliver 3 #2 as 2 in epoch 3 to everyone but 3 since 3
         # Whoever enters now gets what comes from now on.
         > enter 4
         < entered 4 in epoch 4
         < roster: sip:carol@example.com joins with 4, named none
         > post 1 <sip:alice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < deliver 1 #3 as 3 in epoch 4 to everyone but 1 since 4
         # What is refused has no place in the order.
         > post 1 <sip:bob@example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #4 NotASender
         > post 1 <sip:alice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < deliver 1 #5 as 4 in epoch 4 to everyone but 1 since 4
        ",
    );
}

// CONFORMANCE 7701-034, DESIGN D7, D42
#[test]
fn the_room_is_known_by_each_form_of_its_address() {
    let mut stage = stage();
    let yes = [
        "sip:lobby@chat.example.com",
        "sip:lobby@chat.example.com;transport=tcp",
        "SIP:lobby@CHAT.Example.COM",
        "sips:lobby@chat.example.com",
        "sip:%6Cobby@chat.example.com",
        "sip:lobby@chat.example.com?subject=x",
        "sip:lobby@chat.example.com:5060",
        "sip:lobby@chat.example.com:7000;transport=tls;lr",
        "sip:lobby@chat.example.com.",
        "sip:lobby@192.0.2.1",
        "sip:lobby@192.0.2.1:5080",
        "sip:lobby@[2001:db8::1]:5060",
        "sip:lobby@[2001:0DB8:0::0001]:5060",
    ];
    let no = [
        "sip:Lobby@chat.example.com",
        "sip:lobby@example.com",
        "sip:lobby@other.chat.example.com",
        "sip:lobby2@chat.example.com",
        "sip:chat.example.com",
        "im:lobby@chat.example.com",
        "tel:lobby",
        "sip:lobby@[2001:db8::1]",
        "sip:lobby@[2001:db8::1]:5061",
        "sip:lobby:password@chat.example.com",
        "sip:lobby%40chat.example.com",
        "sip:lobby@192.0.2.10",
        "lobby@chat.example.com",
        "",
    ];
    for (uris, expected) in [(&yes[..], true), (&no[..], false)] {
        for uri in uris {
            assert_eq!(stage.room.is_room(uri), expected, "{uri}");
            let answer = if expected { "deliver" } else { "reject" };
            stage.give(room::Command::Post {
                seat: room::SeatId(1),
                token: 0,
                from: &["sip:alice@example.com"],
                to: &[uri],
                content_type: "text/plain",
            });
            assert!(common::tell(&stage.effects()[0]).starts_with(answer), "{uri}");
        }
    }
}

// CONFORMANCE 7701-028, 7701-038, 7701-074, THREATS T11, DESIGN D9, D21
#[test]
fn the_sender_is_one_of_the_addresses_of_the_session() {
    stage().play(
        "> post 1 <sip:alice@EXAMPLE.com;transport=tcp> -> <sip:lobby@chat.example.com> text/plain
         < deliver 1 #1 as 1 in epoch 3 to everyone but 1 since 3
         > post 1 <tel:+15550100> -> <sip:lobby@chat.example.com> text/plain
         < deliver 1 #2 as 2 in epoch 3 to everyone but 1 since 3
         > post 1 <im:alice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < deliver 1 #3 as 3 in epoch 3 to everyone but 1 since 3
         # Her other session has not proved those.
         > post 2 <tel:+15550100> -> <sip:lobby@chat.example.com> text/plain
         < reject 2 #4 NotASender
         # Somebody else, the room, nobody, in other case, by tricks with escapes.
         > post 1 <sip:bob@example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #5 NotASender
         > post 1 <sip:lobby@chat.example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #6 NotASender
         > post 1 <sip:nobody@example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #7 NotASender
         > post 1 <sip:Alice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #8 NotASender
         > post 1 <sip:alice%40example.com@evil.example> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #9 NotASender
         > post 1 <sip:\\u0061lice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #10 NotASender
         > post 1 <mailto:alice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #11 NotASender
         > post 1 <> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #12 NotASender
         > post 3 <tel:+15550100> -> <sip:lobby@chat.example.com> text/plain
         < reject 3 #13 NotASender
         # What was right before stays right, and what was wrong wrong.
         > post 1 <im:alice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < deliver 1 #14 as 4 in epoch 3 to everyone but 1 since 3
         > post 3 <im:alice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 3 #15 NotASender
        ",
    );
}

// CONFORMANCE 7701-039, 7701-061, 7701-062, THREATS T11
#[test]
fn from_comes_first_then_the_number_of_recipients() {
    stage().play(
        "> post 1 -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #1 NoFrom
         > post 1 <sip:alice@example.com> <sip:alice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #2 NotASender
         > post 1 <sip:alice@example.com> <sip:bob@example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #3 NotASender
         > post 1 <sip:alice@example.com> -> text/plain
         < reject 1 #4 NoTo
         > post 1 <sip:alice@example.com> -> <sip:lobby@chat.example.com> <sip:bob@example.com> text/plain
         < reject 1 #5 SeveralRecipients
         > post 1 <sip:alice@example.com> -> <sip:lobby@chat.example.com> <sip:lobby@chat.example.com> text/plain
         < reject 1 #6 SeveralRecipients
         > post 1 <sip:bob@example.com> -> <sip:nobody@example.com> <sip:bob@example.com> text/plain
         < reject 1 #7 NotASender
         > post 1 -> text/plain
         < reject 1 #8 NoFrom
         # Whoever is no member is told so first.
         > post 4 <sip:bob@example.com> -> text/plain
         < reject 4 #9 NotAMember
         > post 9 <sip:bob@example.com> -> text/plain
         < reject 9 #10 NotAMember
        ",
    );
}

// CONFORMANCE 7701-017, 7701-043
#[test]
fn the_policy_says_which_types_may_be_sent() {
    let policy = Policy { wrapped_types: MediaTypes::parse(["text/plain", "image/*"]).unwrap(), ..Policy::default() };
    let mut stage = Stage::new(policy);
    stage.member(1, "sip:alice@d");
    stage.play(
        "> post 1 <sip:alice@d> -> <sip:lobby@chat.example.com> Text/Plain;charset=utf-8
         < deliver 1 #1 as 1 in epoch 1 to everyone but 1 since 1
         > post 1 <sip:alice@d> -> <sip:lobby@chat.example.com> image/png
         < deliver 1 #2 as 2 in epoch 1 to everyone but 1 since 1
         > post 1 <sip:alice@d> -> <sip:lobby@chat.example.com> text/html
         < reject 1 #3 TypeNotInPolicy
         > post 1 <sip:alice@d> -> <sip:lobby@chat.example.com> image
         < reject 1 #4 TypeNotInPolicy
        ",
    );
}
