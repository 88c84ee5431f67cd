//! What things cost: no memory for the usual message, the same for a guest in a small room and in a large one, and
//! nothing is left of who has left.

mod common;

use allocation_counter::{AllocationInfo, measure};
use common::{Stage, guest};
use room::{Command, Guest, Policy, SeatId};

/// A room with this many members, each with a nickname and an alias of its own and one that all have.
fn full(members: u64) -> Stage {
    let mut stage = Stage::new(Policy::default());
    for seat in 0..members {
        live(&mut stage, seat, visitor(seat));
    }
    stage
}

fn visitor(number: u64) -> Guest {
    let aliases = [format!("tel:+{number}"), "tel:+0".to_owned()];
    Guest { aliases: aliases.iter().map(|uri| common::address(uri)).collect(), ..guest(&format!("sip:u{number}@d")) }
}

/// Somebody comes and takes a nickname.
fn live(stage: &mut Stage, seat: u64, guest: Guest) {
    stage.give(Command::Join { seat: SeatId(seat), guest });
    stage.give(Command::Enter { seat: SeatId(seat) });
    stage.give(Command::Nickname { seat: SeatId(seat), token: 1, name: Some(&format!("n{seat}")) });
    while stage.room.poll_output().is_some() {}
}

fn leave(stage: &mut Stage, seat: u64) {
    stage.give(Command::Leave { seat: SeatId(seat) });
    while stage.room.poll_output().is_some() {}
}

fn post(stage: &mut Stage, from: &str, to: &str) {
    let (from, to) = (&[from][..], &[to][..]);
    stage.give(Command::Post { seat: SeatId(1), token: 1, from, to, content_type: "text/plain;charset=utf-8" });
    assert!(matches!(stage.room.poll_output(), Some(room::Effect::Deliver { .. })));
}

#[test]
fn the_usual_message_takes_no_memory() {
    let mut stage = full(100);
    let usual = |stage: &mut Stage| post(stage, "sip:u1@D;transport=tcp", "sip:lobby@CHAT.example.com;transport=tcp");
    usual(&mut stage);
    assert_eq!(measure(|| usual(&mut stage)).count_total, 0);
    // A private message between does not make the room forget.
    post(&mut stage, "sip:u1@D;transport=tcp", "sip:u2@d");
    assert_eq!(measure(|| usual(&mut stage)).count_total, 0);
}

#[test]
fn a_guest_costs_the_same_in_a_large_room() {
    let cost = |members: u64| -> AllocationInfo {
        let mut stage = full(members);
        let guest = visitor(members);
        measure(|| {
            live(&mut stage, members, guest);
            leave(&mut stage, members);
        })
    };
    let (small, large) = (cost(10), cost(10_000));
    // Search trees take a node now and then, and give one back.
    assert!(large.count_total <= small.count_total + 20, "{small:?} {large:?}");
    assert!(large.bytes_total <= small.bytes_total + 8 * 1024, "{small:?} {large:?}");
}

#[test]
fn nothing_is_left_of_who_has_left() {
    let mut stage = Stage::new(Policy { nickname_quarantine: std::time::Duration::from_secs(1), ..Policy::default() });
    let mut round = |number: u64| {
        live(&mut stage, number, visitor(number));
        live(&mut stage, number + 1, visitor(number));
        leave(&mut stage, number);
        leave(&mut stage, number + 1);
        stage.wait(1);
    };
    round(1000);
    let cost = measure(|| (1001..2000).for_each(&mut round));
    assert_eq!((cost.count_current, cost.bytes_current), (0, 0));
}
