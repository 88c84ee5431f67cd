//! Nicknames (RFC 7701 §7, RFC 8266): asked for, granted, refused, changed, given up and kept.

use std::time::Duration;

use focus::settings::RoomPolicy;
use room::{Confusables, NicknameScope};
use sim::people::{ATTIC, Caller, Chat, ROOM, everywhere, everywhere_in, nothing, to};

// CONFORMANCE 7701-005 7701-088 7701-090 7701-093 7701-095 7701-127 8266-002 8266-003 8266-004
#[test]
fn a_nickname_is_one_user_s_alone_in_whatever_form() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        assert_eq!(chat.nick(alice, "Foo Bar"), 200);
        for other in ["Foo Bar", "foo bar", " FOO  BAR ", "ｆｏｏ　ｂａｒ", "foo\u{a0}bar"] {
            assert_eq!(chat.nick(bob, other), 425, "{other}");
        }
        assert_eq!(chat.nick(alice, "foo bar"), 200, "to its holder it is free in any form");
        assert_eq!(chat.nick(bob, "Foo Baz"), 200);
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 7701-083 7701-084 7701-092 7701-096 7701-085 7701-121 8266-007 8266-010 8266-011
// THREATS T10
#[test]
fn what_cannot_be_a_nickname_is_refused_by_its_code() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let quoted = |text: &str| format!("\"{text}\"").into_bytes();
        let cases: Vec<(u16, Vec<u8>)> = vec![
            (200, quoted("Alice")),
            (200, quoted("a\\\"b")),
            (200, quoted("a\\\\b")),
            (200, quoted(&"x".repeat(1023))),
            (200, quoted("שלום")),
            (200, quoted("∞")),
            // Decision D36: clients in use leave the quotes out.
            (200, b"Bob The Great".to_vec()),
            (424, quoted(&"x".repeat(1024))),
            (424, quoted(&"é".repeat(512))),
            (424, quoted(&"\u{fdfa}".repeat(340))),
            (424, b"\"open".to_vec()),
            (424, b"open\"".to_vec()),
            (424, quoted("a\\b")),
            (424, quoted("a\"b")),
            (424, b"\"a\\\"".to_vec()),
            (424, quoted("a\u{1}b")),
            (424, quoted("a\u{7f}b")),
            (424, b"\"a\xffb\"".to_vec()),
            (424, quoted("   ")),
            (424, quoted("\u{3000}")),
            (424, quoted("a\u{200e}b")),
            (424, quoted("a\u{feff}b")),
            (424, quoted("a\u{e000}b")),
            (424, quoted("a\u{200d}b")),
        ];
        for (code, value) in cases {
            let shown = String::from_utf8_lossy(&value[..value.len().min(40)]).into_owned();
            assert_eq!(chat.nick_as_written(alice, &value), code, "{shown}");
        }
        // Decision D28.
        let odd: [(u16, &[u8]); 7] = [
            (400, b""),
            (400, b"X-Nickname: \"x\"\r\n"),
            (400, b"Use-Nickname: \"x\"\r\nUse-Nickname: \"y\"\r\n"),
            (400, b"Use-Nickname: \"x\"\r\nSuccess-Report: no\r\n"),
            (400, b"Use-Nickname: \"x\"\r\nFailure-Report: no\r\n"),
            (400, b"Use-Nickname: \"x\"\r\nFailure-Report: yes\r\n"),
            (200, b"X-Other: thing\r\nuse-nickname: \"x\"\r\nContent-Type: text/plain\r\n\r\nhow nice\r\n"),
        ];
        for (code, rest) in odd {
            assert_eq!(chat.ask(alice, "NICKNAME", rest), Some(code), "{}", String::from_utf8_lossy(rest));
        }
        chat.all_silent(&[alice, bob]);
    });
}

// CONFORMANCE 4975-005 4975-045
#[test]
fn a_nickname_comes_in_one_piece() {
    everywhere(|chat| {
        let alice = chat.join("alice");
        let (switch, path, link) = (chat.switch_uri(alice), chat.path(alice), chat.link(alice));
        let request = |flag: char, body: &str| {
            format!(
                "MSRP pieces NICKNAME\r\nTo-Path: {switch}\r\nFrom-Path: {path}\r\nUse-Nickname: \"x\"\r\n{body}-------pieces{flag}\r\n"
            )
        };
        for flag in ['+', '#'] {
            chat.stage.say_octets(link, request(flag, "").as_bytes());
            assert_eq!(chat.response(alice, "pieces"), Some(400), "{flag}");
        }
        let long = |octets: usize| format!("Content-Type: text/plain\r\n\r\n{}\r\n", "x".repeat(octets));
        chat.stage.say_octets(link, request('$', &long(10_240)).as_bytes());
        assert_eq!(chat.response(alice, "pieces"), Some(200));
        chat.stage.say_octets(link, request('$', &long(10_241)).as_bytes());
        assert!(chat.stage.is_closed(link), "RFC 4975 §7.1: its body is too long");
    });
}

// CONFORMANCE 7701-009 7701-086 7701-087 7701-111
#[test]
fn where_the_policy_forbids_nicknames_nothing_else_is_looked_at() {
    everywhere_in(
        |policy| policy.room.nicknames = false,
        |chat| {
            let alice = chat.join("alice");
            for value in ["\"Alice\"", "\"open", "\"\"", "\"admin\""] {
                assert_eq!(chat.nick_as_written(alice, value.as_bytes()), 403, "{value}");
            }
        },
    );
}

// CONFORMANCE 7701-093
#[test]
fn some_nicknames_are_nobody_s() {
    everywhere(|chat| {
        let alice = chat.join("alice");
        chat.join("bob");
        for reserved in ["admin", "Admin", "ADMINISTRATOR", "moderator", "server", "lobby", "Lobby"] {
            assert_eq!(chat.nick(alice, reserved), 425, "{reserved}");
        }
        // What others are called by their address is theirs.
        assert_eq!(chat.nick(alice, "sip:bob@chat.example.com"), 425);
    });
}

// CONFORMANCE 7701-006 7701-094 7701-100 7701-101 7701-102
#[test]
fn a_nickname_is_changed_and_given_up() {
    let kept_for_nobody = |policy: &mut RoomPolicy| policy.room.nickname_quarantine = Duration::ZERO;
    everywhere_in(kept_for_nobody, |chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        assert_eq!((chat.nick(alice, "first"), chat.nick(bob, "other")), (200, 200));
        // A change that fails changes nothing.
        assert_eq!(chat.nick(alice, "other"), 425);
        assert_eq!(chat.nick_as_written(alice, b"\"open"), 424);
        assert_eq!(chat.nick(bob, "first"), 425);
        // One that succeeds frees the old one.
        assert_eq!(chat.nick(alice, "second"), 200);
        assert_eq!((chat.nick(bob, "second"), chat.nick(bob, "first")), (425, 200));
        // The empty one is none (decision D1), with quotes or without.
        for empty in [b"\"\"".as_slice(), b""] {
            assert_eq!(chat.nick_as_written(alice, empty), 200);
            assert_eq!(chat.nick(bob, "second"), 200);
            assert_eq!((chat.nick(bob, "first"), chat.nick(alice, "second")), (200, 200));
        }
    });
}

// CONFORMANCE 7701-010 7701-128 7701-129
#[test]
fn a_nickname_is_taken_over_only_after_its_quarantine() {
    everywhere(|chat| {
        let bob = chat.join("bob");
        for lost in [false, true] {
            let alice = chat.join("alice");
            assert_eq!(chat.nick(alice, "queen"), 200);
            if lost {
                // First its grace, then its quarantine.
                chat.stage.cut(chat.link(alice));
                chat.stage.pass(Duration::from_secs(30));
            } else {
                chat.leave(alice);
            }
            chat.stage.pass(Duration::from_secs(299));
            assert_eq!(chat.nick(bob, "queen"), 425);
            // For its user it is there all the time.
            let alice = chat.join("alice");
            assert_eq!(chat.nick(alice, "queen"), 200);
            chat.leave(alice);
            chat.stage.pass(Duration::from_secs(300));
            assert_eq!(chat.nick(bob, "queen"), 200);
            assert_eq!(chat.nick(bob, ""), 200);
            chat.stage.pass(Duration::from_secs(300));
        }
    });
}

// CONFORMANCE 7701-099 7701-101
#[test]
fn a_nickname_is_held_as_long_as_its_user_is_there() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        assert_eq!(chat.nick(alice, "queen"), 200);
        for _ in 0..24 {
            chat.stage.pass(Duration::from_secs(300));
            assert_eq!((chat.send(alice, nothing()), chat.send(bob, nothing())), (Some(200), Some(200)));
        }
        assert_eq!(chat.nick(bob, "queen"), 425);
        // What was changed away is kept for its user too.
        assert_eq!(chat.nick(alice, "king"), 200);
        assert_eq!(chat.nick(bob, "queen"), 425);
        chat.stage.pass(Duration::from_secs(300));
        assert_eq!(chat.nick(bob, "queen"), 200);
    });
}

// CONFORMANCE 7701-090 7701-097 7701-098
#[test]
fn sessions_of_one_user_may_share_a_nickname_and_each_asks_for_it() {
    everywhere(|chat| {
        let [desk, bob] = chat.all(["alice", "bob"]);
        assert_eq!(chat.nick(desk, "queen"), 200);
        let phone = chat.join("alice");
        // It has none by itself: with the session that had it, the nickname is free after its time.
        chat.leave(desk);
        chat.stage.pass(Duration::from_secs(299));
        assert_eq!(chat.nick(bob, "queen"), 425);
        assert_eq!(chat.nick(phone, "queen"), 200);
        let desk = chat.join("alice");
        assert_eq!(chat.nick(desk, "queen"), 200);
        // One gives it up, the other has it still.
        assert_eq!(chat.nick(phone, ""), 200);
        chat.stage.pass(Duration::from_secs(400));
        assert_eq!(chat.nick(bob, "queen"), 425);
        chat.leave(desk);
        chat.stage.pass(Duration::from_secs(300));
        assert_eq!(chat.nick(bob, "queen"), 200);
    });
}

// CONFORMANCE 7701-089 8266-019
#[test]
fn look_alikes_are_refused_where_the_policy_minds() {
    let pairs = [("BOY", "B0Y"), ("paypal", "раураl"), ("bob", "bоb")];
    for (policy, code) in [(Confusables::Allow, 200), (Confusables::Refuse, 425)] {
        let mut chat = Chat::in_room(|settings| settings.room.nickname_confusables = policy);
        let [alice, bob] = chat.all(["alice", "bob"]);
        for (held, alike) in pairs {
            assert_eq!(chat.nick(alice, held), 200);
            assert_eq!(chat.nick(bob, alike), code, "{held} {alike}");
        }
    }
}

// CONFORMANCE 7701-009
#[test]
fn a_nickname_may_be_one_user_s_in_the_whole_domain() {
    for (scope, code) in [(NicknameScope::Room, 200), (NicknameScope::Domain, 425)] {
        let mut chat = Chat::with(|settings| {
            for definition in &mut settings.rooms.permanent {
                definition.policy.room.nickname_scope = scope;
            }
        });
        let [alice, bob] = chat.all(["alice", "bob"]);
        let above = ["alice", "bob"].map(|name| chat.join(Caller::new(name).to_room(ATTIC)));
        assert_eq!(chat.nick(alice, "queen"), 200);
        assert_eq!(chat.nick(above[1], "Queen"), code);
        assert_eq!(chat.nick(above[0], "queen") == 200, code == 425, "it is theirs, or Bob's there");
        assert_eq!(chat.nick(bob, "queen"), 425);
        // The last session that has it gives it up everywhere.
        chat.leave(alice);
        chat.stage.pass(Duration::from_secs(300));
        assert_eq!(chat.nick(bob, "queen"), code);
    }
}

// CONFORMANCE 7701-082 7701-127
// THREATS 97aa395 fed914e d277448
#[test]
fn of_all_who_want_a_nickname_at_once_one_gets_it() {
    everywhere(|chat| {
        let people: Vec<_> = (0..20).map(|n| chat.join(format!("user{n}").as_str())).collect();
        let mut asked = Vec::new();
        for person in &people {
            let (switch, path, link) = (chat.switch_uri(*person), chat.path(*person), chat.link(*person));
            let request = format!(
                "MSRP wanted NICKNAME\r\nTo-Path: {switch}\r\nFrom-Path: {path}\r\nUse-Nickname: \"x\"\r\n-------wanted$\r\n"
            );
            // All are on their way before any is answered.
            chat.stage.node.received(chat.stage.now, link, request.as_bytes());
            asked.push(*person);
        }
        chat.stage.settle();
        let mut codes: Vec<u16> = asked.iter().filter_map(|person| chat.response(*person, "wanted")).collect();
        codes.sort_unstable();
        assert_eq!(codes, [vec![200], vec![425; 19]].concat());
    });
}

// CONFORMANCE 8266-001
// THREATS T36
#[test]
fn a_nickname_gives_no_right_to_what_was_its_holder_s() {
    everywhere_in(
        |policy| policy.room.nickname_quarantine = Duration::ZERO,
        |chat| {
            let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
            assert_eq!(chat.nick(alice, "queen"), 200);
            chat.leave(alice);
            assert_eq!(chat.nick(bob, "queen"), 200);
            assert_eq!(chat.send(bob, to(ROOM, "I am she").from("sip:alice@chat.example.com")), Some(403));
            assert_eq!(chat.send(carol, to("sip:queen@chat.example.com", "psst")), Some(404));
            chat.all_silent(&[bob, carol]);
        },
    );
}
