//! A whole connection with its sessions: what a participant writes on it, in pieces, while others listen.
//!
//! The first octet is the size of the pieces. In what follows `@S` stands for the switch's URI of the session, `@P` for the
//! participant's, `@A` for its address and `@R` for the room's; other octets are what they are. What goes out must be MSRP, whatever
//! came in; nobody hears anything under a name that is not the participant's; and its end leaves nothing behind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sim::people::{Chat, Outcome, Placement, ROOM};

fuzz_target!(|data: &[u8]| {
    let Some((size, rest)) = data.split_first() else { return };
    for placement in [Placement::Home, Placement::Away] {
        play(placement, usize::from(*size).max(1), rest);
    }
});

fn play(placement: Placement, size: usize, script: &[u8]) {
    let mut chat = Chat::new();
    chat.placement = placement;
    let [alice, bob] = chat.all(["alice", "bob"]);
    let octets = fill(
        script,
        &[(b'S', chat.switch_uri(alice)), (b'P', chat.path(alice)), (b'A', chat.uri(alice)), (b'R', ROOM.to_owned())],
    );
    let (link, other) = (chat.link(alice), chat.link(bob));
    for piece in octets.chunks(size) {
        chat.stage.say_octets(link, piece);
    }
    // Both read what they got: the harness cannot read what is no MSRP.
    chat.frames(link);
    let from = format!("<{}>", chat.uri(alice));
    while let Some(outcome) = chat.outcome(bob) {
        if let Outcome::Whole(message) = outcome {
            let text = String::from_utf8_lossy(&message.octets).into_owned();
            assert!(text.contains(&from) || text.contains(&chat.uri(alice)), "{text}");
        }
    }
    chat.stage.cut(link);
    chat.leave(bob);
    // What keeps bob's connection away from the room's home stays there until the connection ends.
    chat.stage.cut(other);
    chat.stage.pass(std::time::Duration::from_secs(600));
    for [_, sessions, streams] in chat.stage.node.census() {
        assert_eq!((sessions, streams), (0, 0));
    }
}

fn fill(script: &[u8], names: &[(u8, String)]) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = script;
    while let Some((first, after)) = rest.split_first() {
        let name = names.iter().find(|(name, _)| *first == b'@' && after.first() == Some(name));
        match name {
            Some((_, value)) => {
                octets.extend_from_slice(value.as_bytes());
                rest = &after[1..];
            }
            None => {
                octets.push(*first);
                rest = after;
            }
        }
    }
    octets
}
