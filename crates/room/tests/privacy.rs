//! Participants who are known by a made-up address only, RFC 7701 §5.2: what they are by their credential counts and never
//! shows.

mod common;

use std::time::Duration;

use common::{Stage, address, guest};
use room::{Command, DeleteWhen, Guest, NicknameScope, Policy, Refusal, Room, SeatId};

const ALICE: &str = "sip:alice@example.com";
const ANONYMOUS: [&str; 3] =
    ["sip:anonymous1@anonymous.invalid", "sip:anonymous2@anonymous.invalid", "sip:anonymous3@anonymous.invalid"];

/// Alice takes a seat under a made-up address and enters; what the room says to that.
fn hide(stage: &mut Stage, seat: u64) -> Vec<String> {
    let guest = Guest { account: Some(address(ALICE)), ..guest(ANONYMOUS[seat as usize]) };
    stage.give(Command::Join { seat: SeatId(seat), guest });
    stage.give(Command::Enter { seat: SeatId(seat) });
    stage.effects().iter().map(common::tell).collect()
}

// CONFORMANCE 7701-007, 7701-030, 7701-036, 7701-070, DESIGN D33, D45
#[test]
fn a_private_participant_is_seen_heard_and_reached_by_the_made_up_address_alone() {
    let mut stage = Stage::new(Policy::default());
    hide(&mut stage, 0);
    stage.member(9, "sip:bob@example.com");
    let told: Vec<_> = stage.room.users().map(|user| format!("{user:?}")).collect();
    assert!(told.iter().all(|user| !user.contains("alice")), "{told:?}");
    stage.play(
        "> post 0 <sip:alice@example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 0 #1 NotASender
         > post 0 <sip:anonymous1@anonymous.invalid> -> <sip:lobby@chat.example.com> text/plain
         < deliver 0 #2 as 1 in epoch 2 to everyone but 0 since 2
         > post 9 <sip:bob@example.com> -> <sip:anonymous1@anonymous.invalid> text/plain
         < deliver 9 #3 as 2 in epoch 2 to sip:anonymous1@anonymous.invalid but 9 since 2
         > post 9 <sip:bob@example.com> -> <sip:alice@example.com> text/plain
         < reject 9 #4 NoSuchRecipient
         # Her own address is no nickname for her, since it would tell.
         > nick 0 alice@example.com
         < nickname 0 refused NicknameReserved
         > leave 0
         < left 0
         < roster: sip:anonymous1@anonymous.invalid leaves with 0, the last
        ",
    );
}

// DESIGN D45
#[test]
fn a_nickname_is_the_accounts_under_whatever_address() {
    let mut stage = Stage::new(Policy::default());
    hide(&mut stage, 0);
    stage.member(9, "sip:bob@example.com");
    assert!(stage.nick(0, "Fox").is_ok());
    stage.play_silently("leave 0");
    assert_eq!(stage.nick(9, "fox"), Err(Refusal::NicknameTaken));
    hide(&mut stage, 1);
    assert_eq!(stage.nick(1, "Fox"), Ok(Some("Fox".to_owned())));
    // The registry of a domain is told whose it is to be; nobody else is.
    let policy =
        Policy { nickname_scope: NicknameScope::Domain, nickname_quarantine: Duration::ZERO, ..Policy::default() };
    stage.give(Command::SetPolicy(Box::new(policy)));
    stage.play(
        "> nick 1 Wolf
         < ask 1 for 1: may sip:alice@example.com be \"Wolf\"?
         > answer 1 yes
         < nickname 1 \"Wolf\"
         < roster: sip:anonymous2@anonymous.invalid is called \"Wolf\"
        ",
    );
}

// CONFORMANCE 7701-013, DESIGN D45
#[test]
fn where_one_session_a_user_is_allowed_a_made_up_address_is_no_second_user() {
    let mut stage = Stage::new(Policy { simultaneous_access: false, ..Policy::default() });
    stage.member(9, ALICE);
    assert_eq!(hide(&mut stage, 0), ["refused 0 AlreadyPresent"]);
    stage.play_silently("leave 9");
    assert_eq!(hide(&mut stage, 0)[0], "seated 0");
    stage.play(
        "> join 9 sip:alice@example.com
         < refused 9 AlreadyPresent
        ",
    );
}

// CONFORMANCE 7701-012
#[test]
fn a_creator_who_hides_is_still_the_creator() {
    let policy = Policy { delete_when: DeleteWhen::CreatorLeaves, ..Policy::default() };
    let mut stage = Stage::new(policy.clone());
    stage.room = Room::new(address(common::LOBBY), &[""; 0], policy).with_creator(address(ALICE));
    hide(&mut stage, 0);
    hide(&mut stage, 1);
    stage.member(9, "sip:bob@example.com");
    stage.play(
        "> leave 0
         < left 0
         < roster: sip:anonymous1@anonymous.invalid leaves with 0, the last
         > leave 1
         < left 1
         < roster: sip:anonymous2@anonymous.invalid leaves with 1, the last
         < dismiss 9 CreatorLeft
        ",
    );
}
