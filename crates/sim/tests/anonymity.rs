//! Participants who want privacy (RFC 7701 §5.2, RFC 3323, RFC 3325, RFC 4575 §5.6; decisions D17, D33, D45).

use std::time::Duration;

use focus::settings::Auth;
use sim::people::{Caller, Chat, Person, ROOM, SipMessage, to};

/// What Alice's user agent says of her, and what must not come out at the other side.
const SECRETS: [&str; 3] = ["alice", "Alice", "wonder"];

fn private(name: &str) -> Caller {
    Caller::new(name).with_header("Privacy: id").with_header("User-Agent: wonder/1.0 (alice.example.net)")
}

/// The URI by which a private participant is known.
fn known_as(chat: &Chat, person: Person) -> String {
    let value = chat.answer(person).header("Chat-Identity").expect("it is told");
    value.strip_prefix('<').and_then(|value| value.strip_suffix('>')).expect("a URI in angle brackets").to_owned()
}

fn watch(chat: &mut Chat, person: Person) -> SipMessage {
    assert_eq!(chat.subscribe(person, &["Event: conference"]).code(), 200);
    chat.notified(person).expect("a NOTIFY follows at once")
}

fn assert_nothing_of_alice(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
}

// CONFORMANCE 7701-007 7701-029 7701-030 7701-036 7701-070 4575-040 4575-041 4575-054 4575-066 4575-067
// CONFORMANCE 4575-068 THREATS T12
#[test]
fn nothing_of_a_private_participant_reaches_another() {
    let nameless = Caller::new("alice").known_as("sip:anonymous@anonymous.invalid");
    let wishes = ["id", "user", "header", "session;user;id", "id; critical"];
    let mut callers: Vec<Caller> =
        wishes.iter().map(|wish| Caller::new("alice").with_header(&format!("Privacy: {wish}"))).collect();
    callers.extend([private("alice"), nameless]);
    for alice in callers {
        let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
        let bob = chat.join("bob");
        watch(&mut chat, bob);
        let alice = chat.join(&alice);
        let known = known_as(&chat, alice);
        assert!(known.starts_with("sip:anonymous") && known.ends_with("@anonymous.invalid"), "{known}");

        let mut told = String::new();
        let mut take = |chat: &mut Chat| {
            let mut last = None;
            while let Some(notify) = chat.notified(bob) {
                told.push_str(&format!("{notify:?}"));
                last = Some(notify);
            }
            last
        };
        let listed = take(&mut chat).expect("she is listed");
        let anonymous = known.split(['@', ':']).nth(1).unwrap().replacen('a', "A", 1);
        let element = format!("<user entity=\"{known}\"><display-text>{anonymous}</display-text>");
        assert!(listed.body.contains(&element), "{}", listed.body);

        // She speaks as who she is known, to all and to one, and is answered.
        let link = chat.link(bob);
        assert_eq!(chat.send(alice, to(ROOM, "Who am I?").from(&known)), Some(200));
        assert_eq!(chat.send(alice, to("sip:bob@chat.example.com", "psst").from(&known)), Some(200));
        assert_eq!(chat.nick(alice, "Nobody"), 200);
        assert!(take(&mut chat).unwrap().body.contains("xcon:nickname=\"Nobody\""));
        let heard = String::from_utf8_lossy(chat.stage.pending(link)).into_owned();
        assert!(heard.contains(&format!("From: <{known}>")) && heard.contains("psst"), "{heard}");
        assert_nothing_of_alice(&heard);
        chat.hears(bob, "Who am I?");
        chat.hears(bob, "psst");
        assert_eq!(chat.send(bob, to(&known, "Nobody knows")), Some(200));
        chat.hears(alice, "Nobody knows");

        // Her own address would give her away: it is refused, and nobody hears of it (decision D33).
        let own = chat.uri(alice);
        if !own.ends_with(".invalid") {
            assert_eq!(chat.send(alice, to(ROOM, "I am").from(&own)), Some(403));
        }
        assert_eq!(
            chat.send(bob, to("sip:alice@chat.example.com", "you?")),
            Some(404),
            "she is not there by that name"
        );
        assert!(chat.stage.pending(link).is_empty());

        chat.leave(alice);
        let last = take(&mut chat).expect("who goes is told");
        assert!(!last.body.contains(&known), "{}", last.body);
        assert_nothing_of_alice(&told);
        let address = chat.phone(alice).address().to_string();
        assert!(!told.contains(&address) && !heard.contains(&address), "{address}");
    }
}

// CONFORMANCE 7701-037
#[test]
fn what_one_is_known_as_says_nothing_of_other_rooms_and_times() {
    let mut chat = Chat::new();
    let lobby = chat.join(private("alice"));
    let attic = chat.join(private("alice").to_room("sip:attic@chat.example.com"));
    let device = chat.join(private("alice"));
    let mut known = vec![known_as(&chat, lobby), known_as(&chat, attic), known_as(&chat, device)];
    chat.leave(lobby);
    let again = chat.join(private("alice"));
    known.push(known_as(&chat, again));
    known.sort();
    known.dedup();
    assert_eq!(known.len(), 4);
    let common = known[0].bytes().zip(known[1].bytes()).take_while(|(a, b)| a == b).count();
    assert!(common < "sip:anonymous".len() + 4, "{known:?}");
}

// CONFORMANCE 7701-029 7701-019
#[test]
fn who_logs_in_may_leave_the_name_out() {
    let mut chat = Chat::with(|settings| {
        settings.auth = Auth::Digest { realm: "chat.example.com".to_owned(), md5: false };
        settings.rooms.permanent[0].policy.room.simultaneous_access = false;
    });
    chat.open_account("alice", "wonder", &[]);
    let nameless = Caller::new("alice").known_as("sip:anonymous@anonymous.invalid");
    assert_eq!(chat.call(&nameless).unwrap_err().code(), 401);
    let nameless = nameless.with_login("alice", "wonder");
    let alice = chat.join(&nameless);
    // Her account is one, whatever it is known as.
    assert_eq!(chat.call(private("alice").with_login("alice", "wonder")).unwrap_err().code(), 486);
    // By the account she sees the roster, and knows herself in it.
    let watcher = chat.watch(&nameless, &["Event: conference"]).unwrap();
    let notify = chat.notified(watcher).unwrap();
    let known = known_as(&chat, alice);
    let own = format!("<user entity=\"{known}\" xmlns:own=\"urn:tertulia:conference-info\" own:own=\"true\">");
    assert!(notify.body.contains(&own), "{}", notify.body);
}

// CONFORMANCE 7701-030
#[test]
fn who_is_private_is_marked_in_their_own_documents_alone() {
    let mut chat = Chat::new();
    let alice = chat.join(private("alice"));
    let bob = chat.join("bob");
    assert!(watch(&mut chat, alice).body.contains(":own=\"true\""));
    assert!(!watch(&mut chat, bob).body.contains("own"));
    assert_eq!(chat.answer(bob).header("Chat-Identity"), None);
}

// THREATS T12
#[test]
fn a_nickname_does_not_pass_between_a_seat_with_a_name_and_one_without() {
    for to_private in [true, false] {
        let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
        let plain = || Caller::new("alice");
        let first = chat.join(if to_private { plain() } else { private("alice") });
        assert_eq!(chat.nick(first, "Al"), 200);
        let bob = chat.join("bob");
        let dialog = chat.dialog_name(first);
        let second = if to_private { private("alice") } else { plain() };
        chat.join(second.with_header(&format!("Replaces: {dialog}")));
        assert!(
            !watch(&mut chat, bob).body.contains("nickname=\"Al\"") || {
                // Who has just been replaced may still be shown as gone.
                chat.stage.pass(Duration::from_secs(1));
                while chat.notified(bob).is_some() {}
                !watch(&mut chat, bob).body.contains("nickname=\"Al\"")
            }
        );
    }
}

// THREATS T28
#[test]
fn a_name_of_any_length_is_a_short_one_in_rosters() {
    let mut chat = Chat::new();
    let alice = chat.join(Caller::new("alice").called(&"\u{e9}<".repeat(20_000)));
    let body = watch(&mut chat, alice).body;
    assert!(body.contains("\u{e9}&lt;") && body.len() < 4_000, "{}", body.len());
}
