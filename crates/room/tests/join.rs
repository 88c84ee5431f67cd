//! Taking a seat and entering, RFC 7701 §4.1 and §5.2.

mod common;

use common::{Stage, guest};
use room::{Capabilities, Command, Effect, MAX_SEATS, MAX_SEATS_OF_USER, MediaTypes, Policy, Refusal, SeatId};

#[test]
fn a_guest_is_listed_once_its_media_are_there() {
    let mut stage = Stage::new(Policy::default());
    stage.play(
        "> join 1 sip:alice@example.com \"Alice\"
         < seated 1
        ",
    );
    assert_eq!(stage.room.users().count(), 0);
    stage.play(
        "> enter 1
         < entered 1 in epoch 1
         < roster: sip:alice@example.com joins with 1, named \"Alice\"
         # Once is enough, and nobody enters without a seat.
         > enter 1
         > enter 2
        ",
    );
    let users: Vec<_> = stage.room.users().collect();
    assert_eq!(users.len(), 1);
    assert_eq!((users[0].identity.as_str(), users[0].display_name), ("sip:alice@example.com", Some("Alice")));
    assert_eq!((users[0].seats[0].seat, users[0].seats[0].suspended), (SeatId(1), false));
}

#[test]
fn users_are_listed_in_the_order_of_their_addresses() {
    let mut stage = Stage::new(Policy::default());
    for (seat, uri) in [(1, "sip:carol@d"), (2, "sip:alice@d"), (3, "tel:+1"), (4, "sip:bob@d")] {
        stage.member(seat, uri);
    }
    let listed: Vec<_> = stage.room.users().map(|user| user.identity.as_str()).collect();
    assert_eq!(listed, ["sip:alice@d", "sip:bob@d", "sip:carol@d", "tel:+1"]);
}

// CONFORMANCE 7701-013, 7701-058
#[test]
fn a_user_is_in_with_several_sessions_and_listed_once() {
    let mut stage = Stage::new(Policy::default());
    stage.play(
        "> join 1 sip:alice@example.com
         < seated 1
         > join 2 sip:alice@EXAMPLE.com;transport=tcp
         < seated 2
         > enter 2
         < entered 2 in epoch 1
         < roster: sip:alice@example.com joins with 2, named none
         > enter 1
         < entered 1 in epoch 2
         < roster: sip:alice@example.com joins with 1 too
        ",
    );
    assert_eq!((stage.room.users().count(), stage.room.seats()), (1, 2));
}

// CONFORMANCE 7701-013
#[test]
fn where_one_session_a_user_is_allowed_the_second_is_refused() {
    let policy = Policy { simultaneous_access: false, ..Policy::default() };
    Stage::new(policy).play(
        "> join 1 sip:alice@d
         < seated 1
         # The first has not even entered.
         > join 2 sip:alice@d
         < refused 2 AlreadyPresent
         > join 3 sip:bob@d
         < seated 3
         > leave 1
         < left 1
         > join 2 sip:alice@d
         < seated 2
        ",
    );
}

#[test]
fn the_name_shown_is_that_of_the_first_session_that_has_one() {
    Stage::new(Policy::default()).play(
        "> join 1 sip:alice@d
         < seated 1
         > join 2 sip:alice@d \"Alice\"
         < seated 2
         > join 3 sip:alice@d \"Allie\"
         < seated 3
         > enter 1
         < entered 1 in epoch 1
         < roster: sip:alice@d joins with 1, named none
         > enter 3
         < entered 3 in epoch 2
         < roster: sip:alice@d joins with 3 too
         < roster: sip:alice@d is named \"Allie\"
         > enter 2
         < entered 2 in epoch 3
         < roster: sip:alice@d joins with 2 too
         < roster: sip:alice@d is named \"Alice\"
         > leave 2
         < left 2
         < roster: sip:alice@d leaves with 2
         < roster: sip:alice@d is named \"Allie\"
        ",
    );
}

#[test]
fn a_seat_is_given_once() {
    Stage::new(Policy::default()).play(
        "> join 1 sip:alice@d
         < seated 1
         > join 1 sip:bob@d
         < refused 1 SeatTaken
        ",
    );
}

#[test]
fn a_user_has_a_bounded_number_of_seats() {
    let mut stage = Stage::new(Policy::default());
    for seat in 0..MAX_SEATS_OF_USER as u64 {
        stage.member(seat, "sip:alice@d");
    }
    stage.play(
        "> join 100 sip:alice@d
         < refused 100 Full
         > join 101 sip:bob@d
         < seated 101
         > leave 3
         < left 3
         < roster: sip:alice@d leaves with 3
         > join 100 sip:alice@d
         < seated 100
        ",
    );
}

#[test]
fn a_room_has_a_bounded_number_of_seats() {
    let mut stage = Stage::new(Policy::default());
    let users = MAX_SEATS / MAX_SEATS_OF_USER;
    for seat in 0..MAX_SEATS {
        let guest = guest(&format!("sip:u{}@d", seat % users));
        stage.give(Command::Join { seat: SeatId(seat as u64), guest });
    }
    assert!(stage.effects().iter().all(|effect| matches!(effect, Effect::Seated { .. })));
    stage.give(Command::Join { seat: SeatId(u64::MAX), guest: guest("sip:late@d") });
    assert_eq!(stage.effects(), [Effect::Refused { seat: SeatId(u64::MAX), refusal: Refusal::Full }]);
}

#[test]
fn nobody_gets_into_a_closed_room() {
    Stage::new(Policy::default()).play(
        "> join 1 sip:alice@d
         < seated 1
         > close
         < dismiss 1 RoomDeleted
         > enter 1
         > join 2 sip:bob@d
         < refused 2 Closed
        ",
    );
}

// CONFORMANCE 7701-031, 7701-109
#[test]
fn what_a_session_declares_counts_from_then_on() {
    let mut stage = Stage::new(Policy::default());
    stage.play(
        "> join 1 sip:bob@d no-private types text/plain
         < seated 1
         > update 1 types image/*
         > enter 1
         < entered 1 in epoch 1
         < roster: sip:bob@d joins with 1, named none
         > update 7 types image/*
        ",
    );
    let types = MediaTypes::parse(["image/*"]).unwrap();
    let expected = Capabilities { private_messages: true, aware: true, types };
    assert_eq!(stage.room.users().next().unwrap().seats[0].capabilities, &expected);
}
