//! Peers whose word on who calls is taken (RFC 3325).

use focus::settings::{Auth, Network, Settings};
use sim::people::{Caller, Chat, ROOM, to};

fn trusting(settings: &mut Settings) {
    settings.auth = Auth::Digest { realm: "chat.example.com".to_owned(), md5: false };
    // Wherever phones of the stage are.
    settings.trusted_peers =
        vec![Network { address: "192.0.2.0".parse().unwrap_or_else(|_| unreachable!()), prefix: 24 }];
}

fn asserted(name: &str, value: &str) -> Caller {
    Caller::new(name).with_header(&format!("P-Asserted-Identity: {value}"))
}

// CONFORMANCE 7701-019 7701-028
#[test]
fn the_word_of_a_trusted_peer_is_taken() {
    let mut chat = Chat::with(trusting);
    chat.open_account("alice", "wonder", &["tel:+15551234"]);
    assert_eq!(chat.call("alice").unwrap_err().code(), 401, "nothing is asserted");
    let alice = chat.join(asserted("alice", "\"Alice\" <sip:alice@chat.example.com>, <tel:+15551234>"));
    let bob = chat.join(asserted("bob", "<tel:+15559999>, <sip:bob@ims.example.org>"));
    // Her other addresses are those of the account.
    assert_eq!(chat.send(alice, to(ROOM, "Hello").from("tel:+15551234")), Some(200));
    chat.hears(bob, "Hello");
    assert_eq!(chat.send(alice, to("sip:bob@ims.example.org", "psst")), Some(200));
    assert_eq!(chat.send(bob, to(ROOM, "I am Alice").from("sip:alice@chat.example.com")), Some(403));
    for broken in ["<mailto:alice@chat.example.com>", "nonsense <<", ""] {
        assert_eq!(chat.call(asserted("alice", broken)).unwrap_err().code(), 401, "{broken}");
    }
}

// CONFORMANCE 7701-007 7701-029
#[test]
fn who_is_asserted_may_be_private() {
    let mut chat = Chat::with(trusting);
    let caller = asserted("alice", "<sip:alice@chat.example.com>").with_header("Privacy: id");
    let alice = chat.join(caller.known_as("sip:anonymous@anonymous.invalid"));
    let bob = chat.join(asserted("bob", "<sip:bob@chat.example.com>"));
    let known = chat.answer(alice).header("Chat-Identity").unwrap_or_default().trim_matches(['<', '>']).to_owned();
    assert_eq!(chat.send(alice, to(ROOM, "Hello").from(&known)), Some(200));
    let link = chat.link(bob);
    let heard = String::from_utf8_lossy(chat.stage.pending(link)).into_owned();
    assert!(heard.contains(&known) && !heard.contains("alice"), "{heard}");
}

// THREATS T11
#[test]
fn nobody_else_s_word_is_taken() {
    let mut chat = Chat::with(|settings| {
        trusting(settings);
        settings.trusted_peers =
            vec![Network { address: "198.51.100.0".parse().unwrap_or_else(|_| unreachable!()), prefix: 24 }];
    });
    assert_eq!(chat.call(asserted("alice", "<sip:alice@chat.example.com>")).unwrap_err().code(), 401);
}
