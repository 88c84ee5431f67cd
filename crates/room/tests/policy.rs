//! The attributes of RFC 7701 §4.1, and their change while people are in the room.

mod common;

use std::time::Duration;

use common::Stage;
use room::{Command, Confusables, DeleteWhen, MediaTypes, NicknameScope, Policy, Refusal};

fn set(stage: &mut Stage, change: impl FnOnce(&mut Policy)) {
    let mut policy = stage.room.policy().clone();
    change(&mut policy);
    stage.give(Command::SetPolicy(Box::new(policy)));
    assert!(stage.effects().is_empty());
}

#[test]
fn by_default_everything_is_allowed() {
    let policy = Policy::default();
    assert!(policy.nicknames && policy.private_messages && policy.simultaneous_access && !policy.force_tls);
    assert!(policy.wrapped_types.accepts("application/anything"));
    assert_eq!(policy.delete_when, DeleteWhen::Empty);
    assert_eq!(policy.nickname_scope, NicknameScope::Room);
    assert_eq!(policy.nickname_confusables, Confusables::Allow);
    assert_eq!(policy.nickname_quarantine, Duration::from_secs(300));
}

// CONFORMANCE 7701-009, 7701-011, 7701-108
#[test]
fn a_change_of_policy_counts_from_the_next_command_on() {
    let mut stage = Stage::new(Policy::default());
    stage.member(1, "sip:alice@d");
    stage.member(2, "sip:bob@d");
    assert!(stage.nick(1, "Al").is_ok());

    set(&mut stage, |policy| policy.private_messages = false);
    stage.play(
        "> post 1 <sip:alice@d> -> <sip:bob@d> text/plain
         < reject 1 #1 PrivateForbidden
        ",
    );
    // What somebody has is kept; nobody gets a new one, or can give up the old.
    set(&mut stage, |policy| policy.nicknames = false);
    assert_eq!(stage.nick(1, "Ally"), Err(Refusal::NicknamesOff));
    assert_eq!(stage.nick(1, ""), Err(Refusal::NicknamesOff));
    assert_eq!(stage.room.users().next().unwrap().nickname, Some("Al"));
    set(&mut stage, |policy| policy.nicknames = true);
    assert_eq!(stage.nick(2, "al"), Err(Refusal::NicknameTaken));

    set(&mut stage, |policy| policy.reserved_nicknames = vec!["Al".to_owned()]);
    assert_eq!(stage.nick(1, "AL"), Err(Refusal::NicknameReserved));
    assert_eq!(stage.nick(2, "admin"), Ok(Some("admin".to_owned())));
    assert_eq!(stage.nick(2, "lobby"), Err(Refusal::NicknameReserved));

    set(&mut stage, |policy| policy.nickname_confusables = Confusables::Refuse);
    assert_eq!(stage.nick(2, "A1"), Err(Refusal::NicknameReserved));
    assert_eq!(stage.nick(1, "\u{430}dmin"), Err(Refusal::NicknameTaken));

    set(&mut stage, |policy| policy.wrapped_types = MediaTypes::parse(["text/html"]).unwrap());
    set(&mut stage, |policy| policy.simultaneous_access = false);
    stage.play(
        "> post 1 <sip:alice@d> -> <sip:lobby@chat.example.com> text/plain
         < reject 1 #2 TypeNotInPolicy
         > join 3 sip:alice@d
         < refused 3 AlreadyPresent
         > leave 2
         < left 2
         < roster: sip:bob@d leaves with 2, the last
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1, the last
         < empty
        ",
    );
    assert!(stage.room.is_over());
    set(&mut stage, |policy| policy.delete_when = DeleteWhen::Never);
    assert!(!stage.room.is_over());
}

// CONFORMANCE 7701-010
#[test]
fn a_quarantine_that_has_begun_is_not_changed() {
    let mut stage = Stage::new(Policy { nickname_quarantine: Duration::from_secs(10), ..Policy::default() });
    stage.member(1, "sip:alice@d");
    stage.member(2, "sip:bob@d");
    assert!(stage.nick(1, "x").is_ok() && stage.nick(1, "y").is_ok());
    set(&mut stage, |policy| policy.nickname_quarantine = Duration::from_secs(20));
    assert!(stage.nick(1, "z").is_ok());
    stage.wait(10);
    assert_eq!((stage.nick(2, "x").is_ok(), stage.nick(2, "y").is_ok()), (true, false));
    stage.wait(10);
    assert!(stage.nick(2, "y").is_ok());
}
