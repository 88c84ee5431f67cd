//! Nicknames in a room: granted, changed, given up, kept; RFC 7701 §7.

mod common;

use std::time::Duration;

use common::Stage;
use room::{Confusables, Policy, Refusal};

fn ok(name: &str) -> Result<Option<String>, Refusal> {
    Ok(Some(name.to_owned()))
}

/// Alice with seats 1 and 2, Bob with 3.
fn stage(policy: Policy) -> Stage {
    let mut stage = Stage::new(policy);
    for (seat, uri) in [(1, "sip:alice@d"), (2, "sip:alice@d"), (3, "sip:bob@d")] {
        stage.member(seat, uri);
    }
    stage
}

// CONFORMANCE 7701-005, 7701-006, 7701-095, 7701-100, 7701-101, 7701-102, DESIGN D1
#[test]
fn a_nickname_is_granted_changed_and_given_up() {
    let policy = Policy { nickname_quarantine: Duration::ZERO, ..Policy::default() };
    stage(policy).play(
        "> nick 1  Alice  the ｇｒｅａｔ 
         < nickname 1 \"Alice the great\"
         < roster: sip:alice@d is called \"Alice the great\"
         > nick 3 ALICE THE GREAT
         < nickname 3 refused NicknameTaken
         > nick 3 Bob
         < nickname 3 \"Bob\"
         < roster: sip:bob@d is called \"Bob\"
         # What fails changes nothing: not for her, not for him.
         > nick 1 bob
         < nickname 1 refused NicknameTaken
         > nick 3 alice the great
         < nickname 3 refused NicknameTaken
         # What succeeds releases the old one.
         > nick 1 Al
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
         > nick 3 Alice the great
         < nickname 3 \"Alice the great\"
         < roster: sip:bob@d is called \"Alice the great\"
         # The empty text gives up what there is, or nothing.
         > nick 1 
         < nickname 1 none
         < roster: sip:alice@d is called none
         > nick 1 
         < nickname 1 none
         > nick 3 Al
         < nickname 3 \"Al\"
         < roster: sip:bob@d is called \"Al\"
        ",
    );
}

// CONFORMANCE 7701-094
#[test]
fn a_refused_nickname_is_nobodys() {
    let mut stage = stage(Policy::default());
    assert_eq!(stage.nick(1, "a\u{202e}b"), Err(Refusal::NicknameMalformed));
    assert_eq!(stage.nick(1, " "), Err(Refusal::NicknameMalformed));
    assert_eq!(stage.nick(1, &"a".repeat(1024)), Err(Refusal::NicknameMalformed));
    assert_eq!(stage.nick(1, "Admin"), Err(Refusal::NicknameReserved));
    assert!(stage.room.users().all(|user| user.nickname.is_none()));
    assert_eq!(stage.room.poll_timeout(), None);
}

// CONFORMANCE 7701-086, 7701-087, DESIGN D29
#[test]
fn the_policy_comes_before_the_form() {
    let mut stage = stage(Policy { nicknames: false, ..Policy::default() });
    for name in ["Al", "", " ", "a\u{202e}b", "admin"] {
        assert_eq!(stage.nick(1, name), Err(Refusal::NicknamesOff), "{name:?}");
    }
}

// CONFORMANCE 7701-007, 7701-082, 7701-127, THREATS T36
#[test]
fn of_fifty_who_want_a_nickname_one_gets_it() {
    let mut stage = Stage::new(Policy::default());
    for seat in 0..50 {
        stage.member(seat, &format!("sip:u{seat}@d"));
    }
    let granted: Vec<_> = (0..50).filter(|&seat| stage.nick(seat, "x").is_ok()).collect();
    assert_eq!(granted, [0]);
}

// CONFORMANCE 7701-090, 7701-097, 7701-098, DESIGN D32
#[test]
fn the_devices_of_a_user_may_share_a_nickname_and_do_not_do_so_by_themselves() {
    stage(Policy { nickname_quarantine: Duration::ZERO, ..Policy::default() }).play(
        "> nick 1 Al
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
         # Seat 2 has none: with seat 1 the nickname goes.
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1
         < roster: sip:alice@d is called none
         > nick 3 Al
         < nickname 3 \"Al\"
         < roster: sip:bob@d is called \"Al\"
         > nick 3 
         < nickname 3 none
         < roster: sip:bob@d is called none
         > join 1 sip:alice@d
         < seated 1
         > enter 1
         < entered 1 in epoch 4
         < roster: sip:alice@d joins with 1 too
         > nick 1 Al
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
         > nick 2 Al
         < nickname 2 \"Al\"
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1
         > nick 3 Al
         < nickname 3 refused NicknameTaken
        ",
    );
}

// DESIGN D32
#[test]
fn the_nickname_shown_is_the_one_that_was_granted_last_to_a_session_that_is_still_there() {
    let mut stage = stage(Policy::default());
    stage.play(
        "> nick 1 One
         < nickname 1 \"One\"
         < roster: sip:alice@d is called \"One\"
         > nick 2 Two
         < nickname 2 \"Two\"
         < roster: sip:alice@d is called \"Two\"
         # The same again is granted again.
         > nick 1 One
         < nickname 1 \"One\"
         < roster: sip:alice@d is called \"One\"
         > nick 1 oNE
         < nickname 1 \"oNE\"
         < roster: sip:alice@d is called \"oNE\"
         > nick 2 
         < nickname 2 none
         > nick 2 Two
         < nickname 2 \"Two\"
         < roster: sip:alice@d is called \"Two\"
         > suspend 2
         < roster: sip:alice@d is away with 2
         > leave 2
         < left 2
         < roster: sip:alice@d leaves with 2
         < roster: sip:alice@d is called \"oNE\"
        ",
    );
    let alice = stage.room.users().next().unwrap();
    assert_eq!((alice.nickname, alice.seats[0].nickname), (Some("oNE"), Some("oNE")));
}

// CONFORMANCE 7701-010, 7701-128
#[test]
fn a_nickname_is_taken_over_only_after_its_quarantine() {
    let mut stage = stage(Policy { nickname_quarantine: Duration::from_secs(10), ..Policy::default() });
    stage.play(
        "> nick 1 x
         < nickname 1 \"x\"
         < roster: sip:alice@d is called \"x\"
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1
         < roster: sip:alice@d is called none
         > wait 9
         > nick 3 x
         < nickname 3 refused NicknameTaken
        ",
    );
    assert_eq!(stage.room.poll_timeout(), Some(stage.now + Duration::from_secs(1)));
    stage.play(
        "> wait 1
         > nick 3 x
         < nickname 3 \"x\"
         < roster: sip:bob@d is called \"x\"
        ",
    );
    assert_eq!(stage.room.poll_timeout(), None);
}

// CONFORMANCE 7701-010
#[test]
fn who_comes_back_within_the_quarantine_has_the_nickname_again() {
    let mut stage = stage(Policy { nickname_quarantine: Duration::from_secs(10), ..Policy::default() });
    stage.play(
        "> nick 1 x
         < nickname 1 \"x\"
         < roster: sip:alice@d is called \"x\"
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1
         < roster: sip:alice@d is called none
         > leave 2
         < left 2
         < roster: sip:alice@d leaves with 2, the last
         > wait 9
         > join 4 sip:alice@d
         < seated 4
         > enter 4
         < entered 4 in epoch 4
         < roster: sip:alice@d joins with 4, named none
         > nick 4 X
         < nickname 4 \"X\"
         < roster: sip:alice@d is called \"X\"
         > wait 9
         > nick 3 x
         < nickname 3 refused NicknameTaken
        ",
    );
    assert_eq!(stage.room.poll_timeout(), None);
}

// CONFORMANCE 7701-101
#[test]
fn the_quarantine_begins_with_a_change_or_a_removal_too() {
    let mut stage = stage(Policy { nickname_quarantine: Duration::from_secs(10), ..Policy::default() });
    assert_eq!(stage.nick(1, "x"), ok("x"));
    assert_eq!(stage.nick(1, "y"), ok("y"));
    assert_eq!(stage.nick(3, "x"), Err(Refusal::NicknameTaken));
    stage.wait(5);
    assert_eq!(stage.nick(1, ""), Ok(None));
    stage.wait(5);
    assert_eq!(stage.nick(3, "x"), ok("x"));
    assert_eq!(stage.nick(3, "y"), Err(Refusal::NicknameTaken));
    stage.wait(5);
    assert_eq!(stage.nick(3, "y"), ok("y"));
}

#[test]
fn a_quarantine_that_is_over_needs_nobody_to_say_so() {
    let mut stage = stage(Policy { nickname_quarantine: Duration::from_secs(10), ..Policy::default() });
    assert_eq!(stage.nick(1, "x"), ok("x"));
    assert_eq!(stage.nick(1, ""), Ok(None));
    // The clock goes on, but handle_timeout is late.
    stage.now += Duration::from_secs(10);
    assert_eq!(stage.nick(3, "x"), ok("x"));
}

// CONFORMANCE 7701-129
#[test]
fn a_nickname_may_be_kept_for_ever() {
    let mut stage = stage(Policy { nickname_quarantine: Duration::MAX, ..Policy::default() });
    assert_eq!(stage.nick(1, "x"), ok("x"));
    assert_eq!(stage.nick(1, ""), Ok(None));
    stage.wait(50 * 365 * 24 * 3600);
    assert_eq!(stage.nick(3, "x"), Err(Refusal::NicknameTaken));
    assert_eq!(stage.nick(2, "x"), ok("x"));
}

// CONFORMANCE 7701-010
#[test]
fn nobody_shortens_the_quarantine_of_others() {
    let mut stage = stage(Policy::default());
    assert_eq!(stage.nick(1, "x"), ok("x"));
    assert_eq!(stage.nick(1, ""), Ok(None));
    for number in 0..1000 {
        stage.now += Duration::from_millis(1);
        let name = format!("n{number}");
        assert_eq!(stage.nick(3, &name), ok(&name));
    }
    stage.member(4, "sip:carol@d");
    assert_eq!(stage.nick(4, "x"), Err(Refusal::NicknameTaken));
    // Bob keeps the last 16 that he gave up, and the one he has.
    let first_kept = (0..1000).find(|number| stage.nick(4, &format!("n{number}")).is_err());
    assert_eq!(first_kept, Some(983));
}

// CONFORMANCE 7701-099
#[test]
fn a_nickname_lasts_as_long_as_its_session() {
    let mut stage = stage(Policy { nickname_quarantine: Duration::from_secs(1), ..Policy::default() });
    assert_eq!(stage.nick(1, "x"), ok("x"));
    stage.wait(7200);
    assert_eq!(stage.nick(3, "x"), Err(Refusal::NicknameTaken));
}

// CONFORMANCE 7701-093, THREATS T10
#[test]
fn reserved_words_and_the_names_of_the_room_are_nobodys() {
    let mut stage = stage(Policy { reserved_nicknames: vec!["root".into(), "a\u{202e}b".into()], ..Policy::default() });
    for name in ["root", "ROOT", " root ", "ｒｏｏｔ", "lobby", "Lobby", "chat.example.com"] {
        assert_eq!(stage.nick(1, name), Err(Refusal::NicknameReserved), "{name}");
    }
    // The words of the default are those of the default, and look-alikes are another policy.
    for name in ["admin", "r00t", "lobby 2"] {
        assert_eq!(stage.nick(1, name), ok(name));
    }
}

// THREATS T10
#[test]
fn by_default_nobody_passes_for_the_server() {
    let mut stage = stage(Policy::default());
    for name in ["admin", "Administrator", "MODERATOR", "server", "system"] {
        assert_eq!(stage.nick(1, name), Err(Refusal::NicknameReserved), "{name}");
    }
}

// THREATS T10
#[test]
fn an_address_is_a_nickname_for_who_has_it() {
    let mut stage = stage(Policy::default());
    stage.play(
        "> join 4 sip:carol@d also tel:+1-555-0100
         < seated 4
         > enter 4
         < entered 4 in epoch 4
         < roster: sip:carol@d joins with 4, named none
        ",
    );
    for name in [
        "bob@d",
        "BOB@D",
        "sip:bob@d",
        "SIP:bob@D",
        "bob＠d",
        "bob@elsewhere.example",
        "tel:+1-555-0100",
        "im:bob@d",
        "lobby@chat.example.com",
    ] {
        assert_eq!(stage.nick(1, name), Err(Refusal::NicknameReserved), "{name}");
    }
    assert_eq!(stage.nick(1, "alice@d"), ok("alice@d"));
    assert_eq!(stage.nick(3, "sip:bob@d"), ok("sip:bob@d"));
    assert_eq!(stage.nick(4, "tel:+15550100"), ok("tel:+15550100"));
    assert_eq!(stage.nick(3, "b@ d"), ok("b@ d"));
}

// CONFORMANCE 7701-089, THREATS T10
#[test]
fn look_alikes_are_granted_or_refused_by_policy() {
    for (confusables, refused) in [(Confusables::Allow, false), (Confusables::Refuse, true)] {
        let mut stage = stage(Policy { nickname_confusables: confusables, ..Policy::default() });
        assert_eq!(stage.nick(1, "BOY"), ok("BOY"));
        for name in ["B0Y", "ВОУ", "b0y"] {
            let expected = if refused { Err(Refusal::NicknameTaken) } else { ok(name) };
            assert_eq!(stage.nick(3, name), expected, "{name}");
        }
        let expected = if refused { Err(Refusal::NicknameReserved) } else { ok("\u{430}dmin") };
        assert_eq!(stage.nick(3, "\u{430}dmin"), expected);
        // Her own look-alike is hers, on each device.
        assert_eq!(stage.nick(2, "B0Y 2"), ok("B0Y 2"));
        assert_eq!(stage.nick(1, "B0Y"), if refused { ok("B0Y") } else { Err(Refusal::NicknameTaken) });
    }
}

// CONFORMANCE 7701-089
#[test]
fn look_alikes_of_a_kept_nickname_are_kept_with_it() {
    let policy = Policy {
        nickname_confusables: Confusables::Refuse,
        nickname_quarantine: Duration::from_secs(10),
        ..Policy::default()
    };
    let mut stage = stage(policy);
    assert_eq!(stage.nick(1, "BOY"), ok("BOY"));
    assert_eq!(stage.nick(1, "Girl"), ok("Girl"));
    assert_eq!(stage.nick(3, "B0Y"), Err(Refusal::NicknameTaken));
    stage.wait(10);
    assert_eq!(stage.nick(3, "B0Y"), ok("B0Y"));
    assert_eq!(stage.nick(1, "BOY"), Err(Refusal::NicknameTaken));
}

// CONFORMANCE 7701-089
#[test]
fn each_form_in_use_has_its_own_look_alikes() {
    let policy =
        Policy { nickname_confusables: Confusables::Refuse, nickname_quarantine: Duration::ZERO, ..Policy::default() };
    let mut stage = stage(policy);
    // A capital I is taken for a small L, a small one is not.
    assert_eq!(stage.nick(1, "Ivan"), ok("Ivan"));
    assert_eq!(stage.nick(2, "ivan"), ok("ivan"));
    assert_eq!(stage.nick(3, "lvan"), Err(Refusal::NicknameTaken));
    assert_eq!(stage.nick(1, "ivan"), ok("ivan"));
    assert_eq!(stage.nick(3, "lvan"), ok("lvan"));
    assert_eq!(stage.nick(1, "Ivan"), Err(Refusal::NicknameTaken));
    assert_eq!(stage.room.users().next().unwrap().nickname, Some("ivan"));
}

// CONFORMANCE 8266-001, THREATS T36
#[test]
fn a_nickname_gives_no_rights_and_no_address() {
    let mut stage = stage(Policy { nickname_quarantine: Duration::ZERO, ..Policy::default() });
    assert_eq!(stage.nick(3, "alice"), ok("alice"));
    // DESIGN D34: nobody is reached, or heard, by a nickname.
    stage.play(
        "> post 1 <sip:alice@d> -> <sip:alice@chat.example.com> text/plain
         < reject 1 #1 NoSuchRecipient
         > post 3 <sip:alice@d> -> <sip:lobby@chat.example.com> text/plain
         < reject 3 #2 NotASender
         > post 3 <sip:alice@chat.example.com> -> <sip:lobby@chat.example.com> text/plain
         < reject 3 #3 NotASender
        ",
    );
}
