//! Nicknames: what is shown stays as it is, and no two users are shown by one.

#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use room::{Address, Capabilities, Command, Confusables, Effect, Guest, MAX_NICKNAME, Nickname, Policy, Room, SeatId};

fuzz_target!(|text: &str| {
    if let Ok(nickname) = Nickname::new(text) {
        let shown = nickname.shown();
        assert!(text.len() <= MAX_NICKNAME && shown.len() <= MAX_NICKNAME && !shown.is_empty());
        assert!(!shown.chars().any(|c| c.is_control()) && shown.trim() == shown);
        let again = Nickname::new(shown).expect("what is shown is a nickname");
        assert!(again.shown() == shown && again.is_same(&nickname) && again.looks_like(&nickname));
    }
    // The lines of the text, wished for by two users in turn.
    for confusables in [Confusables::Allow, Confusables::Refuse] {
        wish(text, confusables);
    }
});

fn wish(text: &str, confusables: Confusables) {
    let policy = Policy { nickname_confusables: confusables, ..Policy::default() };
    let lobby = Address::parse("sip:lobby@chat.example.com").expect("an address");
    let mut room = Room::new(lobby, &[""; 0], policy);
    let now = Instant::now();
    for seat in [1, 2].map(SeatId) {
        let identity = Address::parse(&format!("sip:u{}@example.com", seat.0)).expect("an address");
        let capabilities = Capabilities::default();
        let guest = Guest { identity, account: None, aliases: Vec::new(), display_name: None, capabilities };
        room.handle_input(now, Command::Join { seat, guest });
        room.handle_input(now, Command::Enter { seat });
    }
    for (number, line) in text.split('\n').take(8).enumerate() {
        let seat = SeatId(1 + number as u64 % 2);
        room.handle_input(now, Command::Nickname { seat, token: number as u64, name: Some(line) });
        let answers =
            std::iter::from_fn(|| room.poll_output()).filter(|effect| matches!(effect, Effect::Nickname { .. }));
        assert_eq!(answers.count(), 1);
        let shown: Vec<_> = room.users().filter_map(|user| Nickname::new(user.nickname?).ok()).collect();
        if let [one, other] = &shown[..] {
            assert!(!one.is_same(other));
            assert!(confusables == Confusables::Allow || !one.looks_like(other));
        }
    }
}
