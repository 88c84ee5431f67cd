//! Private messages, RFC 7701 §6.2.

mod common;

use common::Stage;
use room::{MediaTypes, Policy};

/// Alice with seats 1 and 2, Bob with 3 and 4, of which 4 takes no private messages; Carol's 5 takes none, Dave's 6
/// only text.
fn stage(policy: Policy) -> Stage {
    let mut stage = Stage::new(policy);
    for line in [
        "join 1 sip:alice@d",
        "join 2 sip:alice@d",
        "join 3 sip:bob@d also tel:+1-555-0100 also im:bob@d",
        "join 4 sip:bob@d no-private",
        "join 5 sip:carol@d no-private",
        "join 6 sip:dave@d types text/*",
    ] {
        stage.play_silently(line);
    }
    for seat in 1..=6 {
        stage.play_silently(&format!("enter {seat}"));
    }
    stage
}

// CONFORMANCE 7701-004, 7701-060, 7701-065, 7701-067, 7701-068, 7701-070
#[test]
fn a_private_message_goes_to_the_sessions_of_its_one_recipient() {
    stage(Policy::default()).play(
        "> post 1 <sip:alice@d> -> <sip:bob@d> text/plain
         < deliver 1 #1 as 1 in epoch 6 to sip:bob@d but 1 since 6
         > post 1 <sip:alice@d> -> <sip:bob@D;transport=tcp> text/plain
         < deliver 1 #2 as 2 in epoch 6 to sip:bob@d but 1 since 6
         > post 1 <sip:alice@d> -> <tel:+1(555)0100> text/plain
         < deliver 1 #3 as 3 in epoch 6 to sip:bob@d but 1 since 6
         > post 1 <sip:alice@d> -> <im:bob@d> text/plain
         < deliver 1 #4 as 4 in epoch 6 to sip:bob@d but 1 since 6
        ",
    );
}

// CONFORMANCE 7701-063
#[test]
fn a_recipient_who_is_not_there_is_not_found() {
    stage(Policy::default()).play(
        "> post 1 <sip:alice@d> -> <sip:nobody@d> text/plain
         < reject 1 #1 NoSuchRecipient
         > post 1 <sip:alice@d> -> <mailto:bob@d> text/plain
         < reject 1 #2 NoSuchRecipient
         > post 1 <sip:alice@d> -> <sip:> text/plain
         < reject 1 #3 NoSuchRecipient
         > post 1 <sip:alice@d> -> <> text/plain
         < reject 1 #4 NoSuchRecipient
         > post 1 <sip:alice@d> -> <Bob> text/plain
         < reject 1 #5 NoSuchRecipient
         > post 1 <sip:alice@d> -> <sip:Bob@d> text/plain
         < reject 1 #6 NoSuchRecipient
         > leave 6
         < left 6
         < roster: sip:dave@d leaves with 6, the last
         > post 1 <sip:alice@d> -> <sip:dave@d> text/plain
         < reject 1 #7 NoSuchRecipient
         # Nor is somebody who has a seat and no media yet.
         > join 6 sip:dave@d
         < seated 6
         > post 1 <sip:alice@d> -> <sip:dave@d> text/plain
         < reject 1 #8 NoSuchRecipient
        ",
    );
}

// CONFORMANCE 7701-064, 7701-065, 7701-031, 7701-109, DESIGN D51
#[test]
fn a_recipient_has_to_take_private_messages_and_the_type() {
    stage(Policy::default()).play(
        "> post 1 <sip:alice@d> -> <sip:carol@d> text/plain
         < reject 1 #1 PrivateUnsupported
         > post 1 <sip:alice@d> -> <sip:dave@d> text/html;charset=utf-8
         < deliver 1 #2 as 1 in epoch 6 to sip:dave@d but 1 since 6
         > post 1 <sip:alice@d> -> <sip:dave@d> image/png
         < reject 1 #3 TypeNotAccepted
         > update 5
         > post 1 <sip:alice@d> -> <sip:carol@d> text/plain
         < deliver 1 #4 as 2 in epoch 6 to sip:carol@d but 1 since 6
         > update 5 no-private
         > post 1 <sip:alice@d> -> <sip:carol@d> text/plain
         < reject 1 #5 PrivateUnsupported
         # The one session that takes private messages does not take the type; the other takes the type alone.
         > update 3 types text/plain
         > post 1 <sip:alice@d> -> <sip:bob@d> image/png
         < reject 1 #6 TypeNotAccepted
        ",
    );
}

// CONFORMANCE 7701-011, 7701-112, DESIGN D14, D51
#[test]
fn the_policy_comes_before_anything_about_the_recipient() {
    stage(Policy { private_messages: false, ..Policy::default() }).play(
        "> post 1 <sip:alice@d> -> <sip:bob@d> text/plain
         < reject 1 #1 PrivateForbidden
         > post 1 <sip:alice@d> -> <sip:nobody@d> text/plain
         < reject 1 #2 PrivateForbidden
         > post 1 <sip:alice@d> -> <sip:carol@d> text/plain
         < reject 1 #3 PrivateForbidden
         > post 1 <sip:alice@d> -> <nonsense> text/plain
         < reject 1 #4 PrivateForbidden
         > post 1 <sip:alice@d> -> <sip:alice@d> text/plain
         < reject 1 #5 PrivateForbidden
         # From and the number of recipients come before that.
         > post 1 <sip:bob@d> -> <sip:bob@d> text/plain
         < reject 1 #6 NotASender
         > post 1 <sip:alice@d> -> <sip:bob@d> <sip:carol@d> text/plain
         < reject 1 #7 SeveralRecipients
         > post 1 <sip:alice@d> -> <sip:lobby@chat.example.com> text/plain
         < deliver 1 #8 as 1 in epoch 6 to everyone but 1 since 6
        ",
    );
}

// DESIGN D51
#[test]
fn not_found_comes_before_not_supported_and_that_before_the_type() {
    let policy = Policy { wrapped_types: MediaTypes::parse(["text/*"]).unwrap(), ..Policy::default() };
    stage(policy).play(
        "> post 1 <sip:alice@d> -> <sip:nobody@d> image/png
         < reject 1 #1 NoSuchRecipient
         > post 1 <sip:alice@d> -> <sip:carol@d> image/png
         < reject 1 #2 PrivateUnsupported
         > post 1 <sip:alice@d> -> <sip:dave@d> image/png
         < reject 1 #3 TypeNotAccepted
         > post 1 <sip:alice@d> -> <sip:bob@d> image/png
         < reject 1 #4 TypeNotInPolicy
        ",
    );
}

// DESIGN D35
#[test]
fn a_message_to_oneself_goes_to_ones_other_sessions_and_alone_to_nobody() {
    stage(Policy::default()).play(
        "> post 1 <sip:alice@d> -> <sip:alice@d> text/plain
         < deliver 1 #1 as 1 in epoch 6 to sip:alice@d but 1 since 6
         # The other device of Bob takes none.
         > post 3 <sip:bob@d> -> <tel:+15550100> text/plain
         < reject 3 #2 PrivateUnsupported
         > post 4 <sip:bob@d> -> <sip:bob@d> text/plain
         < deliver 4 #3 as 2 in epoch 6 to sip:bob@d but 4 since 6
         > post 5 <sip:carol@d> -> <sip:carol@d> text/plain
         < deliver 5 #4 as 3 in epoch 6 to sip:carol@d but 5 since 6
         # DESIGN D52: a device that is away is as good as none.
         > suspend 2
         < roster: sip:alice@d is away with 2
         > post 1 <sip:alice@d> -> <sip:alice@d> text/plain
         < deliver 1 #5 as 4 in epoch 6 to sip:alice@d but 1 since 6
        ",
    );
}

#[test]
fn who_is_listed_under_an_address_comes_before_who_has_it_as_another() {
    let mut stage = Stage::new(Policy::default());
    stage.play(
        "> join 1 sip:alice@d
         < seated 1
         > join 9 sip:x@d also sip:bob@d also sip:shared@d
         < seated 9
         > join 2 sip:y@d also sip:shared@d also sip:shared@d
         < seated 2
         > enter 1
         < entered 1 in epoch 1
         < roster: sip:alice@d joins with 1, named none
         > enter 2
         < entered 2 in epoch 2
         < roster: sip:y@d joins with 2, named none
         > post 1 <sip:alice@d> -> <sip:bob@d> text/plain
         < reject 1 #1 NoSuchRecipient
         > post 1 <sip:alice@d> -> <sip:shared@d> text/plain
         < deliver 1 #2 as 1 in epoch 2 to sip:y@d but 1 since 2
         > enter 9
         < entered 9 in epoch 3
         < roster: sip:x@d joins with 9, named none
         # Of two who have it as another, the one whose seat was taken first.
         > post 1 <sip:alice@d> -> <sip:shared@d> text/plain
         < deliver 1 #3 as 2 in epoch 3 to sip:x@d but 1 since 3
         > post 1 <sip:alice@d> -> <sip:bob@d> text/plain
         < deliver 1 #4 as 3 in epoch 3 to sip:x@d but 1 since 3
         > join 3 sip:bob@d
         < seated 3
         > enter 3
         < entered 3 in epoch 4
         < roster: sip:bob@d joins with 3, named none
         > post 1 <sip:alice@d> -> <sip:bob@d> text/plain
         < deliver 1 #5 as 4 in epoch 4 to sip:bob@d but 1 since 4
         > leave 9
         < left 9
         < roster: sip:x@d leaves with 9, the last
         > post 1 <sip:alice@d> -> <sip:shared@d> text/plain
         < deliver 1 #6 as 5 in epoch 4 to sip:y@d but 1 since 4
        ",
    );
}
