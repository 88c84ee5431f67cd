//! Nicknames that are unique in a domain: rooms that live apart ask one registry by mail, RFC 7701 §4.1 and §7.

mod common;

use std::collections::VecDeque;
use std::time::Duration;

use common::{Stage, carry, some_instant};
use proptest::prelude::*;
use room::{Command, Confusables, Effect, NicknameRegistry, NicknameScope, Policy, Refusal, Registration, SeatId};

fn policy() -> Policy {
    Policy { nickname_scope: NicknameScope::Domain, nickname_quarantine: Duration::from_secs(10), ..Policy::default() }
}

/// A room with Alice on seat 1 and Bob on seat 2.
fn stage() -> Stage {
    let mut stage = Stage::new(policy());
    stage.member(1, "sip:alice@d");
    stage.member(2, "sip:bob@d");
    stage
}

// CONFORMANCE 7701-009
#[test]
fn the_registry_is_asked_and_the_wish_answered_when_it_has_decided() {
    stage().play(
        "> nick 1 Al
         < ask 1 for 1: may sip:alice@d be \"Al\"?
         # In the room it is hers meanwhile.
         > nick 2 al
         < nickname 2 refused NicknameTaken
         > answer 1 yes
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
         # What the room knows by itself it answers by itself.
         > nick 1 a\u{202e}b
         < nickname 1 refused NicknameMalformed
         > nick 1 admin
         < nickname 1 refused NicknameReserved
         > nick 2 Bob
         < ask 2 for 2: may sip:bob@d be \"Bob\"?
         > answer 2 no
         < nickname 2 refused NicknameTaken
         # An answer counts once, and one to nothing never.
         > answer 2 yes
         > answer 7 yes
         # It was not his, so it is free in the room at once.
         > nick 1 Bob
         < ask 3 for 1: may sip:alice@d be \"Bob\"?
        ",
    );
}

// CONFORMANCE 7701-100, 7701-101
#[test]
fn the_old_nickname_stays_in_force_until_the_registry_has_granted_the_new_one() {
    stage().play(
        "> nick 1 Al
         < ask 1 for 1: may sip:alice@d be \"Al\"?
         > answer 1 yes
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
         > nick 1 Alice
         < ask 2 for 1: may sip:alice@d be \"Alice\"?
         > answer 2 no
         < nickname 1 refused NicknameTaken
         > nick 1 Ally
         < ask 3 for 1: may sip:alice@d be \"Ally\"?
         > answer 3 yes
         < release for 1: \"Al\", kept 10s
         < nickname 1 \"Ally\"
         < roster: sip:alice@d is called \"Ally\"
         > nick 1 
         < release for 1: \"Ally\", kept 10s
         < nickname 1 none
         < roster: sip:alice@d is called none
        ",
    );
}

#[test]
fn another_form_of_the_same_nickname_is_asked_for_and_nothing_released() {
    stage().play(
        "> nick 1 Al
         < ask 1 for 1: may sip:alice@d be \"Al\"?
         > answer 1 yes
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
         > nick 1 AL
         < ask 2 for 1: may sip:alice@d be \"AL\"?
         > answer 2 no
         < nickname 1 refused NicknameTaken
         # She still has it.
         > nick 2 al
         < nickname 2 refused NicknameTaken
         > nick 1 AL
         < ask 3 for 1: may sip:alice@d be \"AL\"?
         > answer 3 yes
         < nickname 1 \"AL\"
         < roster: sip:alice@d is called \"AL\"
         > nick 1 aL
         < ask 4 for 1: may sip:alice@d be \"aL\"?
         > wait 5
         < nickname 1 refused NicknameUndecided
         > leave 1
         < left 1
         < release for 1: \"AL\", kept 10s
         < roster: sip:alice@d leaves with 1, the last
        ",
    );
}

// CONFORMANCE 7701-089
#[test]
fn a_form_that_is_not_granted_leaves_no_look_behind() {
    let mut stage = Stage::new(Policy { nickname_confusables: Confusables::Refuse, ..policy() });
    stage.member(1, "sip:alice@d");
    stage.member(2, "sip:bob@d");
    stage.play(
        "> nick 1 Ivan
         < ask 1 for 1: may sip:alice@d be \"Ivan\"?
         > answer 1 yes
         < nickname 1 \"Ivan\"
         < roster: sip:alice@d is called \"Ivan\"
         > nick 1 ivan
         < ask 2 for 1: may sip:alice@d be \"ivan\"?
         > answer 2 no
         < nickname 1 refused NicknameTaken
         # A capital I is taken for a small L, and that is still what she has.
         > nick 2 lvan
         < nickname 2 refused NicknameTaken
        ",
    );
}

#[test]
fn wishes_of_a_session_are_answered_in_their_order() {
    stage().play(
        "> nick 1 a
         < ask 1 for 1: may sip:alice@d be \"a\"?
         > nick 1 b
         > nick 1 
         > nick 1 c
         > nick 1 d
         > nick 1 e
         < nickname 1 refused NicknameBusy
         > answer 1 yes
         < nickname 1 \"a\"
         < roster: sip:alice@d is called \"a\"
         < ask 2 for 1: may sip:alice@d be \"b\"?
         > nick 1 f
         > answer 2 no
         < nickname 1 refused NicknameTaken
         < release for 1: \"a\", kept 10s
         < nickname 1 none
         < roster: sip:alice@d is called none
         < ask 3 for 1: may sip:alice@d be \"c\"?
         > answer 3 yes
         < nickname 1 \"c\"
         < roster: sip:alice@d is called \"c\"
         < ask 4 for 1: may sip:alice@d be \"d\"?
         > answer 4 yes
         < release for 1: \"c\", kept 10s
         < nickname 1 \"d\"
         < roster: sip:alice@d is called \"d\"
         < ask 5 for 1: may sip:alice@d be \"f\"?
        ",
    );
}

#[test]
fn a_registry_that_is_silent_makes_nobody_wait_for_ever() {
    let mut stage = stage();
    stage.play(
        "> nick 1 Al
         < ask 1 for 1: may sip:alice@d be \"Al\"?
         > nick 1 Ally
         > wait 2
         > nick 2 Bob
         < ask 2 for 2: may sip:bob@d be \"Bob\"?
        ",
    );
    assert_eq!(stage.room.poll_timeout(), Some(stage.now + Duration::from_secs(3)));
    stage.play(
        "> wait 3
         < release for 1: \"Al\", kept 10s
         < nickname 1 refused NicknameUndecided
         < ask 3 for 1: may sip:alice@d be \"Ally\"?
         # Too late.
         > answer 1 yes
         > answer 2 yes
         < nickname 2 \"Bob\"
         < roster: sip:bob@d is called \"Bob\"
         # It is not held in the room any more; the registry knows for whom it keeps it.
         > nick 2 Al
         < ask 4 for 2: may sip:bob@d be \"Al\"?
        ",
    );
}

#[test]
fn who_leaves_takes_the_wishes_along() {
    let mut stage = stage();
    stage.play(
        "> nick 1 Al
         < ask 1 for 1: may sip:alice@d be \"Al\"?
         > answer 1 yes
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
         > nick 1 Ally
         < ask 2 for 1: may sip:alice@d be \"Ally\"?
         > nick 1 Alice
         > leave 1
         < left 1
         < release for 1: \"Ally\", kept 10s
         < release for 1: \"Al\", kept 10s
         < roster: sip:alice@d leaves with 1, the last
         > answer 2 yes
         > nick 2 al
         < nickname 2 refused NicknameTaken
         > nick 2 ally
         < ask 3 for 2: may sip:bob@d be \"ally\"?
        ",
    );
    assert_eq!(stage.room.seats(), 1);
}

// CONFORMANCE 7701-009
#[test]
fn a_change_of_scope_counts_from_the_next_wish_on() {
    let mut stage = stage();
    let room_only = Policy { nickname_scope: NicknameScope::Room, ..policy() };
    stage.give(Command::SetPolicy(Box::new(room_only.clone())));
    stage.play(
        "> nick 1 Al
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
        ",
    );
    stage.give(Command::SetPolicy(Box::new(policy())));
    stage.play(
        "> nick 2 al
         < nickname 2 refused NicknameTaken
         > nick 1 Ally
         < ask 1 for 1: may sip:alice@d be \"Ally\"?
         > answer 1 yes
         < nickname 1 \"Ally\"
         < roster: sip:alice@d is called \"Ally\"
        ",
    );
    stage.give(Command::SetPolicy(Box::new(room_only)));
    stage.play(
        "> nick 1 ALLY
         < release for 1: \"Ally\", kept 10s
         < nickname 1 \"ALLY\"
         < roster: sip:alice@d is called \"ALLY\"
         > nick 1 
         < nickname 1 none
         < roster: sip:alice@d is called none
        ",
    );
}

// CONFORMANCE 7701-009, 7701-010, 7701-090
#[test]
fn a_nickname_is_one_users_in_all_rooms_of_the_domain() {
    let mut registry = NicknameRegistry::default();
    let (mut first, mut second) = (Stage::new(policy()), Stage::new(policy()));
    second.now = first.now;
    first.member(1, "sip:alice@d");
    second.member(2, "sip:alice@d");
    second.member(3, "sip:bob@d");
    let mut wish = |stage: &mut Stage, seat: u64, name: &str| {
        stage.wish(SeatId(seat), name);
        carry(&mut registry, stage);
        carry(&mut registry, stage);
        let nickname = stage.room.users().find(|user| user.seats.iter().any(|it| it.seat == SeatId(seat)));
        nickname.and_then(|user| user.nickname.map(str::to_owned))
    };
    assert_eq!(wish(&mut first, 1, "x").as_deref(), Some("x"));
    assert_eq!(wish(&mut second, 3, "X"), None);
    assert_eq!(wish(&mut second, 2, "X").as_deref(), Some("X"));
    // It is free when she has it nowhere any more, and the quarantine is over.
    assert_eq!(wish(&mut first, 1, ""), None);
    first.wait(10);
    second.wait(10);
    assert_eq!(wish(&mut second, 3, "x"), None);
    assert_eq!(wish(&mut second, 2, ""), None);
    second.wait(9);
    assert_eq!(wish(&mut second, 3, "x"), None);
    second.wait(1);
    assert_eq!(wish(&mut second, 3, "x").as_deref(), Some("x"));
}

#[test]
fn a_registry_answers_what_it_is_asked() {
    let now = some_instant();
    let mut registry = NicknameRegistry::default();
    let reserve = |ask, seat, uri, text: &str, confusables| {
        let nickname = room::Nickname::new(text).unwrap();
        Registration::Reserve {
            ask: room::AskId(ask),
            seat: SeatId(seat),
            account: common::address(uri),
            nickname,
            confusables,
        }
    };
    let release = |seat, text: &str, keep| {
        let nickname = room::Nickname::new(text).unwrap();
        Registration::Release { seat: SeatId(seat), nickname, keep: Duration::from_secs(keep) }
    };
    let (allow, refuse) = (Confusables::Allow, Confusables::Refuse);
    let table = [
        (0, reserve(1, 1, "sip:a@d", "BOY", allow), Some(true)),
        (0, reserve(2, 2, "sip:b@d", "boy", allow), Some(false)),
        (0, reserve(3, 2, "sip:b@d", "B0Y", refuse), Some(false)),
        (0, reserve(4, 2, "sip:b@d", "B0Y", allow), Some(true)),
        // Releases of what a session has not are nothing.
        (0, release(2, "BOY", 10), None),
        (0, release(9, "BOY", 10), None),
        (0, reserve(5, 2, "sip:b@d", "BOY", allow), Some(false)),
        (0, release(1, "boy", 10), None),
        (0, release(1, "boy", 99), None),
        (9, reserve(6, 2, "sip:b@d", "BOY", allow), Some(false)),
        (9, release(2, "B0Y", 0), None),
        (9, reserve(7, 3, "sip:c@d", "B0Y", refuse), Some(false)),
        (10, reserve(8, 3, "sip:c@d", "B0Y", refuse), Some(true)),
    ];
    for (seconds, registration, expected) in table {
        let answer = registry.handle_input(now + Duration::from_secs(seconds), &registration);
        assert_eq!(answer.map(|(_, granted)| granted), expected, "{registration:?}");
        if let (Some((ask, _)), Registration::Reserve { ask: asked, .. }) = (answer, &registration) {
            assert_eq!(ask, *asked);
        }
    }
    assert_eq!(registry.poll_timeout(), None);
}

/// What happens to two rooms, a registry and the mail between them.
#[derive(Clone, Debug)]
enum Event {
    Join {
        room: usize,
        user: usize,
    },
    Leave {
        room: usize,
        seat: usize,
    },
    Wish {
        room: usize,
        seat: usize,
        name: &'static str,
    },
    /// The registry reads a letter.
    Ask,
    /// A room reads an answer.
    Answer {
        room: usize,
    },
    Wait {
        seconds: u64,
    },
    Scope {
        room: usize,
        scope: NicknameScope,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let room = 0..2_usize;
    let name = prop::sample::select(vec!["", "al", "Al", "AL ", "bo", "b\u{43e}", "c", "admin", " "]);
    let scope = prop::sample::select(vec![NicknameScope::Room, NicknameScope::Domain, NicknameScope::Domain]);
    prop_oneof![
        2 => (room.clone(), 0..3_usize).prop_map(|(room, user)| Event::Join { room, user }),
        1 => (room.clone(), 0..6_usize).prop_map(|(room, seat)| Event::Leave { room, seat }),
        6 => (room.clone(), 0..6_usize, name).prop_map(|(room, seat, name)| Event::Wish { room, seat, name }),
        5 => Just(Event::Ask),
        5 => room.clone().prop_map(|room| Event::Answer { room }),
        1 => (0..8_u64).prop_map(|seconds| Event::Wait { seconds }),
        1 => (room, scope).prop_map(|(room, scope)| Event::Scope { room, scope }),
    ]
}

/// Two rooms on two workers, whose letters to the registry and back take their time.
struct Domain {
    stages: [Stage; 2],
    registry: NicknameRegistry,
    letters: VecDeque<(usize, Registration)>,
    answers: [VecDeque<(room::AskId, bool)>; 2],
    /// The seats of each room, with the wishes of each that are not answered.
    seats: [Vec<(SeatId, Vec<u64>)>; 2],
    next: u64,
    /// Whether no room has ever had another scope than the domain.
    pure: bool,
}

impl Domain {
    fn new(confusables: Confusables) -> Self {
        let policy = Policy { nickname_confusables: confusables, ..policy() };
        let mut stages = [Stage::new(policy.clone()), Stage::new(policy)];
        stages[1].now = stages[0].now;
        Self {
            stages,
            registry: NicknameRegistry::default(),
            letters: VecDeque::new(),
            answers: Default::default(),
            seats: Default::default(),
            next: 0,
            pure: true,
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Join { room, user } => {
                let seat = SeatId(self.next);
                self.next += 1;
                self.stages[room].give(Command::Join { seat, guest: common::guest(&format!("sip:u{user}@d")) });
                self.stages[room].give(Command::Enter { seat });
                self.seats[room].push((seat, Vec::new()));
            }
            Event::Leave { room, seat } if seat < self.seats[room].len() => {
                let (seat, _) = self.seats[room].remove(seat);
                self.stages[room].give(Command::Leave { seat });
            }
            Event::Wish { room, seat, name } if seat < self.seats[room].len() => {
                let (seat, open) = &mut self.seats[room][seat];
                open.push(self.next);
                self.stages[room].give(Command::Nickname { seat: *seat, token: self.next, name: Some(name) });
                self.next += 1;
            }
            Event::Ask => {
                if let Some((room, letter)) = self.letters.pop_front() {
                    let answer = self.registry.handle_input(self.stages[0].now, &letter);
                    self.answers[room].extend(answer);
                }
            }
            Event::Answer { room } => {
                if let Some((ask, granted)) = self.answers[room].pop_front() {
                    self.stages[room].give(Command::NicknameAnswer { ask, granted });
                }
            }
            Event::Wait { seconds } => {
                self.stages.iter_mut().for_each(|stage| stage.wait(seconds));
                self.registry.handle_timeout(self.stages[0].now);
            }
            Event::Scope { room, scope } => {
                self.pure &= scope == NicknameScope::Domain;
                let policy = Policy { nickname_scope: scope, ..self.stages[room].room.policy().clone() };
                self.stages[room].give(Command::SetPolicy(Box::new(policy)));
            }
            Event::Leave { .. } | Event::Wish { .. } => {}
        }
        self.collect();
    }

    /// Posts what the rooms have for the registry, and counts their answers.
    fn collect(&mut self) {
        for room in 0..2 {
            for effect in self.stages[room].effects() {
                match effect {
                    Effect::Register(registration) => self.letters.push_back((room, registration)),
                    Effect::Nickname { seat, token, .. } => {
                        let (_, open) = self.seats[room].iter_mut().find(|(id, _)| *id == seat).expect("it is there");
                        let wish = open.iter().position(|wish| *wish == token).expect("an answer to a wish");
                        open.remove(wish);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Every nickname in force, with its user and its room.
    fn nicknames(&self) -> Vec<(String, room::Nickname, usize)> {
        let mut all = Vec::new();
        for (number, stage) in self.stages.iter().enumerate() {
            for user in stage.room.users() {
                for seat in &user.seats {
                    all.extend(seat.nickname.map(|name| {
                        (user.identity.to_string(), room::Nickname::new(name).expect("a nickname"), number)
                    }));
                }
            }
        }
        all
    }

    fn check(&self, confusables: Confusables) -> Result<(), TestCaseError> {
        let all = self.nicknames();
        for (index, (user, name, room)) in all.iter().enumerate() {
            for (other, another, elsewhere) in &all[index + 1..] {
                let together = room == elsewhere || self.pure;
                let clash = name.is_same(another) || confusables == Confusables::Refuse && name.looks_like(another);
                prop_assert!(
                    user == other || !together || !clash,
                    "{user} and {other}: {} {}",
                    name.shown(),
                    another.shown()
                );
            }
        }
        Ok(())
    }

    /// Lets everything arrive.
    fn settle(&mut self) {
        while !self.letters.is_empty() || self.answers.iter().any(|answers| !answers.is_empty()) {
            for event in [Event::Ask, Event::Answer { room: 0 }, Event::Answer { room: 1 }] {
                self.happen(&event);
            }
        }
    }
}

proptest! {
    // CONFORMANCE 7701-009, 7701-082, 7701-127
    #[test]
    fn whatever_the_mail_does_a_nickname_is_one_users(
        events in prop::collection::vec(event(), 1..120),
        confusables in prop::sample::select(vec![Confusables::Allow, Confusables::Refuse]),
    ) {
        let mut domain = Domain::new(confusables);
        for event in &events {
            domain.happen(event);
            domain.check(confusables)?;
        }
        // Every wish is answered in the end.
        domain.settle();
        domain.check(confusables)?;
        prop_assert!(domain.seats.iter().flatten().all(|(_, open)| open.is_empty()));
        // When all have left and the quarantine is over, nothing is held anywhere.
        for room in 0..2 {
            while !domain.seats[room].is_empty() {
                domain.happen(&Event::Leave { room, seat: 0 });
            }
        }
        domain.settle();
        domain.happen(&Event::Wait { seconds: 10 });
        prop_assert_eq!(domain.registry.poll_timeout(), None);
        prop_assert_eq!(format!("{:?}", domain.registry), format!("{:?}", NicknameRegistry::default()));
        for stage in &domain.stages {
            prop_assert_eq!(stage.room.poll_timeout(), None);
        }
    }
}

#[test]
fn an_answer_says_to_which_wish_it_is() {
    let mut stage = stage();
    let seat = SeatId(1);
    for (token, name) in [(10, "x"), (11, ""), (12, "a\u{202e}b")] {
        stage.give(Command::Nickname { seat, token, name: Some(name) });
    }
    let answers = |stage: &mut Stage| -> Vec<Effect> {
        stage.effects().into_iter().filter(|effect| matches!(effect, Effect::Nickname { .. })).collect()
    };
    // What is malformed is known at once; the others wait.
    let answer = |token, outcome| Effect::Nickname { seat, token, outcome };
    assert_eq!(answers(&mut stage), [answer(12, Err(Refusal::NicknameMalformed))]);
    stage.wait(5);
    assert_eq!(answers(&mut stage), [answer(10, Err(Refusal::NicknameUndecided)), answer(11, Ok(None))]);
}
