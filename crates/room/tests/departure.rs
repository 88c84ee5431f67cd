//! Leaving, being away, and the end of a room, RFC 7701 §4.1 and §5.3.

mod common;

use common::{LOBBY, Stage, address};
use room::{DeleteWhen, Policy, Room};

fn stage(delete_when: DeleteWhen) -> Stage {
    Stage::new(Policy { delete_when, ..Policy::default() })
}

// CONFORMANCE 7701-001
#[test]
fn who_leaves_is_listed_no_more() {
    let mut stage = stage(DeleteWhen::Empty);
    stage.member(1, "sip:alice@d");
    stage.member(2, "sip:alice@d");
    stage.member(3, "sip:bob@d");
    stage.play(
        "> leave 1
         < left 1
         < roster: sip:alice@d leaves with 1
         > leave 2
         < left 2
         < roster: sip:alice@d leaves with 2, the last
         > leave 2
         > post 2 <sip:alice@d> -> <sip:lobby@chat.example.com> text/plain
         < reject 2 #1 NotAMember
         > nick 2 Al
         < nickname 2 refused NotAMember
         > post 3 <sip:bob@d> -> <sip:alice@d> text/plain
         < reject 3 #2 NoSuchRecipient
         > leave 3
         < left 3
         < roster: sip:bob@d leaves with 3, the last
         < empty
        ",
    );
}

#[test]
fn who_never_entered_leaves_without_a_trace() {
    stage(DeleteWhen::Empty).play(
        "> join 1 sip:alice@d
         < seated 1
         > post 1 <sip:alice@d> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #1 NotAMember
         > nick 1 Al
         < nickname 1 refused NotAMember
         > leave 1
         < left 1
         < empty
        ",
    );
}

// DESIGN D52
#[test]
fn who_is_away_stays_listed_with_the_nickname_and_is_not_reached() {
    let mut stage = stage(DeleteWhen::Empty);
    stage.member(1, "sip:alice@d");
    stage.member(2, "sip:bob@d");
    assert_eq!(stage.nick(1, "Al"), Ok(Some("Al".to_owned())));
    stage.play(
        "> suspend 1
         < roster: sip:alice@d is away with 1
         > suspend 1
         > post 2 <sip:bob@d> -> <sip:alice@d> text/plain
         < reject 2 #1 NoSuchRecipient
         > post 1 <sip:alice@d> -> <sip:bob@d> text/plain
         < reject 1 #2 NotAMember
         > nick 1 Other
         < nickname 1 refused NotAMember
         > nick 2 Al
         < nickname 2 refused NicknameTaken
        ",
    );
    {
        let alice = stage.room.users().next().unwrap();
        assert_eq!((alice.nickname, alice.seats[0].suspended), (Some("Al"), true));
    }
    stage.play(
        "> enter 1
         < entered 1 in epoch 3
         < roster: sip:alice@d is back with 1
         > post 2 <sip:bob@d> -> <sip:alice@d> text/plain
         < deliver 2 #3 as 1 in epoch 3 to sip:alice@d but 2 since 3
         > suspend 1
         < roster: sip:alice@d is away with 1
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1, the last
         # Nobody is away who is not there.
         > suspend 1
        ",
    );
}

// DESIGN D52
#[test]
fn a_user_with_one_session_away_is_reached_by_the_other() {
    let mut stage = stage(DeleteWhen::Empty);
    stage.member(1, "sip:alice@d");
    stage.member(2, "sip:bob@d");
    stage.play(
        "> join 3 sip:alice@d no-private
         < seated 3
         > enter 3
         < entered 3 in epoch 3
         < roster: sip:alice@d joins with 3 too
         > post 2 <sip:bob@d> -> <sip:alice@d> text/plain
         < deliver 2 #1 as 1 in epoch 3 to sip:alice@d but 2 since 3
         # The session that takes private messages is away.
         > suspend 1
         < roster: sip:alice@d is away with 1
         > post 2 <sip:bob@d> -> <sip:alice@d> text/plain
         < reject 2 #2 PrivateUnsupported
        ",
    );
}

// CONFORMANCE 7701-033
#[test]
fn a_deleted_room_dismisses_everybody_and_says_when_it_is_empty() {
    let mut stage = stage(DeleteWhen::Never);
    stage.member(1, "sip:alice@d");
    stage.play(
        "> join 2 sip:bob@d
         < seated 2
         > close
         < dismiss 1 RoomDeleted
         < dismiss 2 RoomDeleted
         > close
         > post 1 <sip:alice@d> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #1 Closed
         > nick 1 Al
         < nickname 1 refused Closed
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1, the last
        ",
    );
    assert!(stage.room.is_closed() && !stage.room.is_over());
    stage.play(
        "> leave 2
         < left 2
         < empty
        ",
    );
    assert!(stage.room.is_over());
}

#[test]
fn a_room_that_nobody_is_in_is_deleted_at_once() {
    let mut stage = stage(DeleteWhen::Never);
    assert!(!stage.room.is_over());
    stage.play(
        "> close
         < empty
        ",
    );
    assert!(stage.room.is_over());
}

// CONFORMANCE 7701-012
#[test]
fn the_policy_says_when_a_room_is_over() {
    for (delete_when, over) in
        [(DeleteWhen::Empty, true), (DeleteWhen::Never, false), (DeleteWhen::CreatorLeaves, true)]
    {
        let mut stage = stage(delete_when);
        stage.member(1, "sip:alice@d");
        stage.play(
            "> leave 1
             < left 1
             < roster: sip:alice@d leaves with 1, the last
             < empty
            ",
        );
        assert_eq!(stage.room.is_over(), over, "{delete_when:?}");
        assert!(!stage.room.is_closed());
    }
}

// CONFORMANCE 7701-012
#[test]
fn a_room_ends_with_the_last_session_of_its_creator() {
    let policy = Policy { delete_when: DeleteWhen::CreatorLeaves, ..Policy::default() };
    let mut stage = Stage::new(policy.clone());
    stage.room = Room::new(address(LOBBY), &[""; 0], policy).with_creator(address("sip:alice@d"));
    stage.member(1, "sip:alice@d");
    stage.member(2, "sip:alice@d");
    stage.member(3, "sip:bob@d");
    stage.play(
        "> leave 1
         < left 1
         < roster: sip:alice@d leaves with 1
         > leave 2
         < left 2
         < roster: sip:alice@d leaves with 2, the last
         < dismiss 3 CreatorLeft
         > join 4 sip:alice@d
         < refused 4 Closed
         > leave 3
         < left 3
         < roster: sip:bob@d leaves with 3, the last
         < empty
        ",
    );
    assert!(stage.room.is_over());
}

#[test]
fn a_room_without_a_known_creator_does_not_end_by_itself() {
    let mut stage = stage(DeleteWhen::CreatorLeaves);
    stage.member(1, "sip:alice@d");
    stage.member(2, "sip:bob@d");
    stage.play(
        "> leave 1
         < left 1
         < roster: sip:alice@d leaves with 1, the last
        ",
    );
    assert!(!stage.room.is_closed());
}
