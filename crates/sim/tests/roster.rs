//! The notifier (RFC 6665, RFC 4575, RFC 6502): who subscribes, and what they are told when.

use std::collections::BTreeMap;
use std::time::Duration;

use focus::settings::Auth;
use sim::people::{Caller, Chat, Person, SipMessage};
use sim::stage::Phone;

const EVENT: &str = "Event: conference";
const PLAIN: &str = "application/conference-info+xml";
const XCON: &str = "Accept: application/xcon-conference-info+xml";
const PATCHES: &str = "Accept: application/xcon-conference-info+xml, application/xcon-conference-info-diff+xml";

/// Somebody in the lobby who is told of its roster, and has been told once.
fn watching(chat: &mut Chat, name: &str, lines: &[&str]) -> (Person, SipMessage) {
    let person = chat.join(name);
    let told = watch(chat, person, lines);
    (person, told)
}

fn watch(chat: &mut Chat, person: Person, lines: &[&str]) -> SipMessage {
    let answer = chat.subscribe(person, &[&[EVENT], lines].concat());
    assert_eq!(answer.code(), 200, "{answer:?}");
    chat.notified(person).expect("a NOTIFY follows at once")
}

fn state(notify: &SipMessage) -> &str {
    notify.header("Subscription-State").unwrap_or_default()
}

fn body_type(notify: &SipMessage) -> &str {
    notify.header("Content-Type").unwrap_or_default()
}

/// The version that a document says.
fn version(notify: &SipMessage) -> u32 {
    let root = notify.body.split_once("?>").map_or("", |(_, root)| root);
    let marks = ["@version\">", " version=\""];
    let rest = marks.iter().find_map(|mark| Some(root.split_once(mark)?.1)).expect("a version");
    rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).expect("a number")
}

fn users(notify: &SipMessage) -> Vec<&str> {
    notify.body.split("<user entity=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// What stands in the first element of a name.
fn element<'a>(notify: &'a SipMessage, name: &str) -> &'a str {
    let (_, rest) = notify.body.split_once(&format!("<{name}>")).unwrap_or_default();
    rest.split("</").next().unwrap_or_default()
}

/// The next round of a room has come.
fn round(chat: &mut Chat) {
    chat.stage.pass(Duration::from_secs(5));
}

// CONFORMANCE 4575-001 4575-003 4575-004 4575-006 4575-016 4575-017 4575-018 4575-026 4575-030 4575-032 4575-035 4575-036
// CONFORMANCE 4575-037 4575-048 4575-050 4575-051 4575-057 6665-002 6665-006 6665-012 6665-013 4579-017
#[test]
fn who_has_a_seat_is_told_at_once_who_is_there() {
    let mut chat = Chat::new();
    chat.join("bob");
    let alice = chat.join("alice");
    let answer = chat.subscribe(alice, &[EVENT]);
    assert_eq!((answer.code(), answer.header("Expires")), (200, Some("3600")));
    let notify = chat.notified(alice).expect("a NOTIFY follows at once");
    assert_eq!((notify.header("Event"), state(&notify)), (Some("conference"), "active;expires=3600"));
    assert_eq!(body_type(&notify), PLAIN);
    assert_eq!(users(&notify), ["sip:alice@chat.example.com", "sip:bob@chat.example.com"]);
    for expected in [
        "xmlns=\"urn:ietf:params:xml:ns:conference-info\"",
        "entity=\"sip:lobby@chat.example.com\" state=\"full\" version=\"1\"",
        "<conference-description><display-text>lobby</display-text>",
        "<entry><uri>sip:lobby@chat.example.com</uri><purpose>participation</purpose></entry>",
        "<entry label=\"message\"><type>message</type><status>sendrecv</status></entry>",
        "<conference-state><user-count>2</user-count><active>true</active><locked>false</locked></conference-state>",
        "<users><user",
        "<roles><entry>participant</entry></roles>",
        "<status>connected</status><joining-method>dialed-in</joining-method><joining-info><when>",
        "<media id=\"1\"><type>message</type><label>message</label><status>sendrecv</status></media>",
    ] {
        assert!(notify.body.contains(expected), "{expected}\n{}", notify.body);
    }
    let when = element(&notify, "when");
    assert!(when.ends_with('Z') && when.len() == "2026-11-26T12:00:00Z".len(), "{when}");
    assert!(!notify.body.contains("example.net"), "no device of anybody is shown: {}", notify.body);
}

// CONFORMANCE 4575-009 4575-014 4575-027 4575-052 4575-053 4575-019
#[test]
fn who_comes_and_goes_is_told_in_rounds() {
    let mut chat = Chat::new();
    let (alice, first) = watching(&mut chat, "alice", &[]);
    assert_eq!(users(&first), ["sip:alice@chat.example.com"]);
    let bob = chat.join("bob");
    let notify = chat.notified(alice).expect("the first change is told at once");
    assert_eq!((users(&notify).len(), version(&notify)), (2, 2));
    let carol = chat.join("carol");
    chat.leave(bob);
    assert_eq!(chat.notified(alice), None, "then five seconds have to go by");
    chat.stage.pass(Duration::from_millis(4_999));
    assert_eq!(chat.notified(alice), None);
    chat.stage.pass(Duration::from_millis(1));
    let notify = chat.notified(alice).unwrap();
    assert_eq!((users(&notify).len(), version(&notify)), (3, 3), "who has gone is shown once more");
    assert!(notify.body.contains("<user-count>2</user-count>"), "{}", notify.body);
    let gone = notify.body.split("<user entity=\"sip:bob@").nth(1).unwrap().split("</user>").next().unwrap();
    assert!(
        gone.contains("<status>disconnected</status><joining-method>dialed-in</joining-method>")
            && gone.contains("<disconnection-method>departed</disconnection-method><disconnection-info><when>"),
        "{gone}"
    );
    let when = gone.split("<disconnection-info><when>").nth(1).unwrap().split("</when>").next().unwrap();
    assert!(when.ends_with('Z'), "in UTC: {when}");
    round(&mut chat);
    let notify = chat.notified(alice).unwrap();
    assert_eq!(users(&notify), ["sip:alice@chat.example.com", "sip:carol@chat.example.com"]);
    round(&mut chat);
    assert_eq!(chat.notified(alice), None, "nothing has changed");
    chat.leave(carol);
    assert!(chat.notified(alice).is_some());
}

// CONFORMANCE 4575-002 4575-018 4575-019 4575-028
#[test]
fn from_a_size_on_what_changed_is_told_alone() {
    let mut chat = Chat::in_room(|policy| policy.roster_full_below = 2);
    chat.join("dave");
    let (alice, first) = watching(&mut chat, "alice", &[]);
    assert!(first.body.contains("state=\"full\""));
    let bob = chat.join("bob");
    let notify = chat.notified(alice).unwrap();
    assert!(notify.body.contains("state=\"partial\" version=\"2\""), "{}", notify.body);
    assert!(notify.body.contains("<users state=\"partial\"><user entity=\"sip:bob@chat.example.com\" state=\"full\">"));
    assert!(notify.body.contains("<user-count>3</user-count>") && !notify.body.contains("<conference-description>"));
    chat.leave(bob);
    round(&mut chat);
    let notify = chat.notified(alice).unwrap();
    assert_eq!((version(&notify), users(&notify)), (3, vec!["sip:bob@chat.example.com"]));
    assert!(notify.body.contains("<status>disconnected</status>"));
    round(&mut chat);
    let notify = chat.notified(alice).unwrap();
    assert!(notify.body.contains("<user entity=\"sip:bob@chat.example.com\" state=\"deleted\"/>"), "{}", notify.body);
    assert_eq!(version(&notify), 4);
}

// CONFORMANCE 4575-010 7701-005 7701-006 7701-102 7701-103 7701-104 7701-120 6502-003 6502-004 6502-005 6502-006
#[test]
fn a_nickname_is_an_attribute_and_for_who_knows_no_better_the_text() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let (plain, _) = watching(&mut chat, "alice", &["Accept: application/conference-info+xml"]);
    let (xcon, _) = watching(&mut chat, "bob", &[XCON]);
    let (patches, first) = watching(&mut chat, "carol", &[PATCHES]);
    assert_eq!(body_type(&first), "application/xcon-conference-info+xml");
    while chat.notified(plain).is_some() || chat.notified(xcon).is_some() {}
    assert_eq!(chat.nick(plain, "A\"l & Co"), 200);
    let nickname = "xcon:nickname=\"A&quot;l &amp; Co\"";
    let told = chat.notified(plain).unwrap();
    assert!(
        told.body.contains(nickname) && told.body.contains("<display-text>A&quot;l &amp; Co</display-text>"),
        "{}",
        told.body
    );
    let told = chat.notified(xcon).unwrap();
    assert_eq!(body_type(&told), "application/xcon-conference-info+xml");
    assert!(told.body.contains(nickname) && !told.body.contains("Co</display-text>") && !told.body.contains("state="));
    let told = chat.notified(patches).unwrap();
    assert_eq!(body_type(&told), "application/xcon-conference-info-diff+xml");
    assert!(told.body.contains("A&quot;l &amp; Co") && !told.body.contains("<user "), "{}", told.body);
    assert_eq!(chat.nick(plain, ""), 200);
    let told = chat.notified(plain).unwrap();
    assert!(!told.body.contains("nickname=") && !told.body.contains("Co</display-text>"), "{}", told.body);
}

// CONFORMANCE 7701-058 4575-021 4575-046
#[test]
fn two_devices_are_two_endpoints_of_one_user() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let (bob, _) = watching(&mut chat, "bob", &[]);
    chat.join("alice");
    chat.notified(bob).unwrap();
    let second = chat.join("alice");
    let notify = chat.notified(bob).unwrap();
    let alice = notify.body.split("<user entity=\"sip:alice@").nth(1).unwrap().split("</user>").next().unwrap();
    let endpoints: Vec<&str> =
        alice.split("<endpoint entity=\"").skip(1).filter_map(|it| it.split('"').next()).collect();
    assert_eq!(endpoints.len(), 2, "{alice}");
    assert!(endpoints[0] != endpoints[1] && endpoints.iter().all(|it| it.starts_with("urn:uuid:")));
    assert!(notify.body.contains("<user-count>2</user-count>"));
    chat.leave(second);
    let notify = chat.notified(bob).unwrap();
    assert_eq!(notify.body.matches("<endpoint entity").count(), 3, "the one that has gone is shown once more");
    let notify = chat.notified(bob).unwrap();
    assert_eq!(notify.body.matches("<endpoint entity").count(), 2);
}

#[test]
fn who_comes_back_while_shown_as_gone_has_no_name_from_before() {
    let mut chat = Chat::new();
    let (bob, _) = watching(&mut chat, "bob", &[]);
    let alice = chat.join(Caller::new("alice").called("Alice"));
    assert_eq!(chat.nick(alice, "Al"), 200);
    assert!(chat.notified(bob).unwrap().body.contains("nickname=\"Al\""));
    chat.leave(alice);
    chat.join("alice");
    round(&mut chat);
    let notify = chat.notified(bob).unwrap();
    assert_eq!((users(&notify).len(), notify.body.matches("<endpoint entity").count()), (2, 3));
    assert!(!notify.body.contains("nickname") && !notify.body.contains("Al</display-text>"), "{}", notify.body);
}

#[test]
fn who_only_listens_is_shown_so_from_the_first_offer_or_a_later_one() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let (bob, first) = watching(&mut chat, "bob", &[]);
    let listens = |notify: &SipMessage| notify.body.matches("<status>recvonly</status>").count();
    assert_eq!(listens(&first), 0);
    chat.join(Caller::new("alice").with("recvonly", ""));
    assert_eq!(listens(&chat.notified(bob).unwrap()), 1);
    for (caller, listening) in [(Caller::new("bob").with("recvonly", ""), 2), (Caller::new("bob"), 1)] {
        assert_eq!(chat.offer_again(bob, caller).code(), 200);
        assert_eq!(listens(&chat.notified(bob).expect("it is told")), listening);
    }
    chat.offer_again(bob, Caller::new("bob"));
    assert_eq!(chat.notified(bob), None, "nothing has changed");
}

// CONFORMANCE 4575-052 4575-053 7701-081 7701-128
#[test]
fn who_is_cut_off_is_shown_without_media_and_then_gone_for_a_failure() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let (bob, _) = watching(&mut chat, "bob", &[]);
    let alice = chat.join("alice");
    chat.notified(bob).unwrap();
    let link = chat.link(alice);
    chat.stage.cut(link);
    let notify = chat.notified(bob).unwrap();
    assert!(
        notify.body.contains("<status>inactive</status>") && notify.body.contains("<user-count>2<"),
        "{}",
        notify.body
    );
    chat.stage.pass(Duration::from_secs(30));
    let notify = chat.notified(bob).unwrap();
    assert!(notify.body.contains("<disconnection-method>failed</disconnection-method>"), "{}", notify.body);
    assert!(notify.body.contains("The MSRP connection is lost"), "{}", notify.body);
}

// CONFORMANCE 6665-003 6665-004 6665-005 4575-002 4575-006
#[test]
fn what_a_notifier_does_not_have_is_refused_with_what_it_has() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let refused = |chat: &mut Chat, lines: &[&str]| {
        let answer = chat.subscribe(alice, lines);
        (
            answer.code(),
            answer.header("Allow-Events").map(str::to_owned),
            answer.header("Min-Expires").map(str::to_owned),
        )
    };
    let events = Some("conference".to_owned());
    assert_eq!(refused(&mut chat, &[]), (489, events.clone(), None));
    assert_eq!(refused(&mut chat, &["Event: presence"]), (489, events.clone(), None));
    assert_eq!(refused(&mut chat, &["Event: conference.winfo"]), (489, events.clone(), None));
    assert_eq!(refused(&mut chat, &[EVENT, "Expires: 1"]).2, Some("60".to_owned()));
    assert_eq!(refused(&mut chat, &[EVENT, "Expires: 59"]).0, 423);
    assert_eq!(refused(&mut chat, &[EVENT, "Expires: soon"]).0, 400);
    assert_eq!(refused(&mut chat, &[EVENT, "Accept: text/plain"]).0, 406);
    let filter = Some(("application/simple-filter+xml".to_owned(), "<filter/>".to_owned()));
    assert_eq!(chat.within(alice, "SUBSCRIBE", filter).code(), 415);
    assert_eq!(chat.stage.node.signalling().subscriptions(), 0);
    let answer = chat.subscribe(alice, &[EVENT, "Expires: 86400"]);
    assert_eq!(answer.header("Expires"), Some("3600"));
    chat.notified(alice).unwrap();
    let answer = chat.subscribe(alice, &[EVENT, "Expires: 120"]);
    assert_eq!(answer.header("Expires"), Some("120"));
    assert_eq!(state(&chat.notified(alice).unwrap()), "active;expires=120");
}

// CONFORMANCE 4575-007 4575-008 4575-062 6665-007 6665-008 4575-061 4579-006 4579-029 THREATS T13 CVE-2021-37601
#[test]
fn nobody_but_who_is_in_the_room_subscribes_to_it() {
    let mut chat = Chat::with(|settings| {
        settings.auth = Auth::Digest { realm: "chat.example.com".to_owned(), md5: false };
    });
    chat.open_account("alice", "wonder", &[]);
    chat.open_account("bob", "builder", &[]);
    let alice = Caller::new("alice").with_login("alice", "wonder");
    let bob = Caller::new("bob").with_login("bob", "builder");
    assert_eq!(chat.watch("alice", &[EVENT]).unwrap_err().code(), 401);
    assert_eq!(chat.watch(&alice, &[EVENT]).unwrap_err().code(), 403, "not in the room");
    let seat = chat.join(&alice);
    let watcher = chat.watch(&alice, &[EVENT]).unwrap();
    assert!(users(&chat.notified(watcher).unwrap()).contains(&"sip:alice@chat.example.com"));
    assert_eq!(chat.watch(&bob, &[EVENT]).unwrap_err().code(), 403);
    let nowhere = bob.to_room("sip:nowhere@chat.example.com");
    assert_eq!(chat.watch(&nowhere, &[EVENT]).unwrap_err().code(), 404);
    // Who leaves is told nothing more (decision D50).
    chat.leave(seat);
    let last = chat.notified(watcher).unwrap();
    assert_eq!((state(&last), last.body.as_str()), ("terminated;reason=noresource", ""));
    assert_eq!(chat.stage.node.signalling().subscriptions(), 0);
    assert_eq!(chat.subscribe(watcher, &[EVENT]).code(), 481, "the dialog is gone");
}

// CONFORMANCE 6665-009 6665-013 6665-014 6665-016 4575-024 THREATS e06ff6c64
#[test]
fn a_subscription_is_fetched_renewed_given_up_and_runs_out() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let fetched = watch(&mut chat, alice, &["Expires: 0"]);
    assert_eq!((state(&fetched), users(&fetched).len()), ("terminated;reason=timeout", 1));
    assert_eq!(chat.stage.node.signalling().subscriptions(), 0);

    watch(&mut chat, alice, &["Expires: 120"]);
    chat.stage.pass(Duration::from_secs(100));
    let renewed = watch(&mut chat, alice, &["Expires: 60"]);
    assert_eq!((state(&renewed), version(&renewed)), ("active;expires=60", 2));
    assert!(renewed.body.contains("state=\"full\""));
    chat.stage.pass(Duration::from_secs(60));
    let last = chat.notified(alice).unwrap();
    assert_eq!((state(&last), last.body.as_str()), ("terminated;reason=timeout", ""));
    assert_eq!(chat.stage.node.signalling().subscriptions(), 0);

    watch(&mut chat, alice, &[]);
    let last = watch(&mut chat, alice, &["Expires: 0"]);
    assert_eq!((state(&last), users(&last).len()), ("terminated;reason=timeout", 1));
    assert_eq!(chat.stage.node.signalling().subscriptions(), 0);
    chat.leave(alice);
}

// CONFORMANCE 4575-005 4579-024
#[test]
fn the_end_of_a_room_is_the_end_of_its_subscriptions() {
    let mut chat = Chat::new();
    let caller = Caller::new("alice").to_room("sip:garden@chat.example.com");
    let alice = chat.join(&caller);
    watch(&mut chat, alice, &[]);
    chat.leave(alice);
    let last = chat.notified(alice).unwrap();
    assert_eq!(state(&last), "terminated;reason=noresource");
    assert!(last.body.contains("state=\"deleted\""), "{}", last.body);
    assert_eq!(chat.stage.node.signalling().census(), [0, 2]);
    assert_eq!(chat.stage.node.signalling().subscriptions(), 0);
}

// CONFORMANCE 6665-010 6665-011
#[test]
fn a_subscriber_that_is_not_there_any_more_is_forgotten() {
    for status in [
        "404 Not Found",
        "405 Method Not Allowed",
        "410 Gone",
        "416 No",
        "480 No",
        "481 No",
        "482 No",
        "483 No",
        "484 No",
        "485 No",
        "489 Bad Event",
        "501 No",
        "604 No",
    ] {
        let mut chat = Chat::new();
        let alice = chat.join("alice");
        chat.subscribe(alice, &[EVENT]);
        chat.notified_with(alice, status).unwrap();
        assert_eq!(chat.stage.node.signalling().subscriptions(), 0, "{status}");
    }
    // What is said by other codes is that this one did not get through: everything follows.
    let mut chat = Chat::in_room(|policy| policy.roster_full_below = 0);
    let alice = chat.join("alice");
    chat.subscribe(alice, &[EVENT]);
    chat.notified_with(alice, "500 Server Internal Error").unwrap();
    let notify = chat.notified(alice).unwrap();
    assert!(notify.body.contains("state=\"full\" version=\"2\""), "{}", notify.body);
    // One who says nothing at all is gone after 64*T1.
    chat.join("bob");
    round(&mut chat);
    chat.next_sip(alice).unwrap();
    chat.stage.pass(Duration::from_secs(33));
    assert_eq!(chat.stage.node.signalling().subscriptions(), 0);
}

// CONFORMANCE 6502-007
#[test]
fn one_notification_is_under_way_at_a_time() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let (alice, _) = watching(&mut chat, "alice", &[PATCHES]);
    chat.join("bob");
    chat.stage.pass(Duration::ZERO);
    let pending = chat.next_sip(alice).unwrap();
    assert!(pending.start.starts_with("NOTIFY "));
    for name in ["carol", "dave", "eve"] {
        chat.join(name);
    }
    chat.stage.pass(Duration::from_millis(400));
    assert_eq!(chat.next_sip(alice), None);
    chat.answer_to(alice, &pending, "200 OK");
    chat.stage.settle();
    let notify = chat.notified(alice).unwrap();
    assert_eq!((version(&notify), users(&notify).len()), (version(&pending) + 1, 3), "{}", notify.body);
    assert_eq!(chat.notified(alice), None);
}

// CONFORMANCE 4575-009 4575-052
#[test]
fn who_goes_while_somebody_is_being_told_is_shown_as_gone() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let (alice, _) = watching(&mut chat, "alice", &[]);
    let bob = chat.join("bob");
    chat.stage.pass(Duration::ZERO);
    let pending = chat.next_sip(alice).unwrap();
    chat.leave(bob);
    chat.stage.pass(Duration::from_secs(1));
    assert_eq!(chat.next_sip(alice), None);
    chat.answer_to(alice, &pending, "200 OK");
    let gone = chat.notified(alice).unwrap();
    assert!(gone.body.contains("<disconnection-method>departed</disconnection-method>"), "{}", gone.body);
    assert_eq!(users(&chat.notified(alice).unwrap()), ["sip:alice@chat.example.com"]);
    assert_eq!(chat.notified(alice), None);
}

// CONFORMANCE 4575-009
#[test]
fn a_slow_subscriber_does_not_fill_the_roster_of_others() {
    let mut chat = Chat::in_room(|policy| {
        policy.roster_interval = Duration::ZERO;
        policy.roster_full_below = usize::MAX;
    });
    let (alice, _) = watching(&mut chat, "alice", &[]);
    watching(&mut chat, "slow", &[]);
    let told = |chat: &mut Chat| std::iter::from_fn(|| chat.notified(alice)).last().unwrap();
    for number in 0..300 {
        let person = chat.join(format!("p{number}").as_str());
        chat.leave(person);
        let shown = users(&told(&mut chat)).len();
        assert!(shown <= 2 + 101, "{number}: {shown}");
    }
    // It does not answer for 32 s, and is gone.
    chat.stage.pass(Duration::from_secs(33));
    assert_eq!(users(&told(&mut chat)).len(), 2);
    assert_eq!(chat.stage.node.signalling().subscriptions(), 1);
}

// CONFORMANCE 6502-001 6502-002 6502-008 6502-009
#[test]
fn who_changes_to_patches_gets_everything_first() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let (alice, first) = watching(&mut chat, "alice", &["Accept: application/conference-info+xml"]);
    assert_eq!(body_type(&first), PLAIN);
    let second = watch(&mut chat, alice, &[PATCHES]);
    assert_eq!((body_type(&second), version(&second)), ("application/xcon-conference-info+xml", 2));
    chat.join("bob");
    assert_eq!(body_type(&chat.notified(alice).unwrap()), "application/xcon-conference-info-diff+xml");
    // Who says nothing of it keeps what there is; a refresh gets everything.
    let third = watch(&mut chat, alice, &[]);
    assert_eq!((body_type(&third), version(&third)), ("application/xcon-conference-info+xml", 4));
}

// CONFORMANCE 4575-013
#[test]
fn a_subscribe_that_comes_twice_makes_one_subscription() {
    let mut chat = Chat::new();
    chat.join(Caller::new("alice").by_udp());
    let phone = chat.stage.udp_phone();
    let subscribe = "SUBSCRIBE sip:lobby@chat.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.102:5060;branch=z9hG4bKtwice\r\n\
                     Max-Forwards: 70\r\nFrom: <sip:alice@chat.example.com>;tag=twice\r\nTo: <sip:lobby@chat.example.com>\r\n\
                     Call-ID: twice\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:alice@192.0.2.102>\r\nEvent: conference\r\n\
                     Content-Length: 0\r\n\r\n";
    let mut tags = Vec::new();
    for _ in 0..3 {
        chat.stage.send_octets(phone, subscribe.as_bytes().to_vec());
        while let Some(message) = chat.sip(phone, "twice") {
            assert_eq!(message.code(), 200);
            tags.push(message.header("To").unwrap().split_once(";tag=").unwrap().1.to_owned());
        }
    }
    assert_eq!(tags.len(), 3, "each is answered");
    tags.dedup();
    assert_eq!(tags.len(), 1, "by one notifier");
    assert_eq!(chat.stage.node.signalling().subscriptions(), 1);
}

/// A SUBSCRIBE of Alice's out of any dialog, to which she answers what follows. The code of its answer.
fn subscribe_anew(chat: &mut Chat, phone: Phone, number: u32, line: &str) -> u16 {
    let address = phone.address();
    let subscribe = format!(
        "SUBSCRIBE sip:lobby@chat.example.com SIP/2.0\r\nVia: SIP/2.0/TCP {address};branch=z9hG4bKanew{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@chat.example.com>;tag=anew{number}\r\nTo: <sip:lobby@chat.example.com>\r\n\
         Call-ID: anew{number}\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:alice@{address};transport=tcp>\r\n{EVENT}\r\n{line}\r\n\
         Content-Length: 0\r\n\r\n"
    );
    chat.stage.send_octets(phone, subscribe.into_bytes());
    let call_id = format!("anew{number}");
    let code = chat.sip(phone, &call_id).expect("it is answered at once").code();
    while let Some(notify) = chat.sip(phone, &call_id) {
        chat.reply_to(phone, &notify, 200, None);
    }
    code
}

// THREATS T17
#[test]
fn ten_thousand_subscriptions_of_one_user_are_a_few() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let alice = chat.join("alice");
    let phone = chat.stage.phone();
    let mut codes = BTreeMap::new();
    for number in 0..10_000 {
        *codes.entry(subscribe_anew(&mut chat, phone, number, "Expires: 3600")).or_insert(0) += 1;
        assert!(chat.stage.node.signalling().subscriptions() <= 32, "{number}");
    }
    assert_eq!(codes, BTreeMap::from([(200, 32), (403, 10_000 - 32)]));
    // What they fetch is gone as soon as it is told; what is too short is refused.
    for number in 0..1_000 {
        let event = format!("Event: conference;id={number}");
        let code = chat.subscribe(alice, &[&event, "Expires: 0"]).code();
        assert_eq!(code, 403, "the few are all there are");
        assert_eq!(chat.subscribe(alice, &[&event, "Expires: 1"]).code(), 423);
    }
    // All of it goes with the seat.
    chat.leave(alice);
    chat.stage.pass(Duration::from_secs(33));
    assert_eq!(chat.stage.node.signalling().subscriptions(), 0);
    assert_eq!(chat.stage.node.signalling().census(), [0, 2]);
}

// THREATS T17 e06ff6c64
#[test]
fn what_is_fetched_leaves_nothing_and_comes_at_the_rate_of_calls() {
    let rate = focus::Rate { count: 50, per: Duration::from_secs(1) };
    let mut chat = Chat::with(|settings| settings.join_rate = Some(rate));
    let alice = chat.join("alice");
    for number in 0..1_000 {
        let told = watch(&mut chat, alice, &["Expires: 0"]);
        assert_eq!(state(&told), "terminated;reason=timeout", "{number}");
        assert_eq!(chat.stage.node.signalling().subscriptions(), 0, "{number}");
    }
    // Outside of a dialog each costs the source of its rate.
    let phone = chat.stage.phone();
    let mut codes = BTreeMap::new();
    for number in 0..1_000 {
        *codes.entry(subscribe_anew(&mut chat, phone, number, "Expires: 0")).or_insert(0) += 1;
        assert_eq!(chat.stage.node.signalling().subscriptions(), 0, "{number}");
    }
    assert_eq!(codes, BTreeMap::from([(200, 50), (503, 950)]));
}

// THREATS T17
#[test]
fn a_user_has_a_bounded_number_of_subscriptions() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    for number in 0..=32 {
        let event = format!("Event: conference;id={number}");
        assert_eq!(chat.subscribe(alice, &[&event]).code(), if number < 32 { 200 } else { 403 }, "{number}");
        while chat.notified(alice).is_some() {}
    }
    assert_eq!(chat.stage.node.signalling().subscriptions(), 32);
    chat.leave(alice);
    while chat.notified(alice).is_some() {}
    assert_eq!(chat.stage.node.signalling().subscriptions(), 0);
}

// THREATS T17
#[test]
fn who_asks_and_never_answers_is_told_a_bounded_number_of_times() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let mut pending = Vec::new();
    for _ in 0..4 {
        assert_eq!(chat.subscribe(alice, &[EVENT]).code(), 200);
        pending.push(chat.next_sip(alice).expect("a NOTIFY follows at once"));
    }
    let refused = chat.subscribe(alice, &[EVENT]);
    assert_eq!((refused.code(), refused.header("Retry-After")), (503, Some("32")));
    // Each answer makes room for another; what becomes of the earlier ones has no other consequence.
    chat.answer_to(alice, &pending[0], "481 Gone");
    assert_eq!(chat.subscribe(alice, &[EVENT]).code(), 200);
    assert_eq!(version(&chat.notified(alice).unwrap()), 5);
    chat.stage.pass(Duration::from_secs(40));
    assert_eq!(chat.stage.node.signalling().subscriptions(), 1, "the last one was answered");
    // Who only fetches has no more under way than subscriptions.
    let fetched = (0..40).map(|_| {
        let code = chat.subscribe(alice, &["Event: conference;id=fetch", "Expires: 0"]).code();
        while chat.next_sip(alice).is_some() {}
        code
    });
    assert_eq!(fetched.filter(|code| *code == 200).count(), 31);
    chat.stage.pass(Duration::from_secs(40));
    assert_eq!(chat.stage.node.signalling().subscriptions(), 1);
}

// CONFORMANCE 6665-001 THREATS T22
#[test]
fn nobody_is_told_who_has_not_asked_and_stray_notifications_find_nothing() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    chat.join("bob");
    round(&mut chat);
    assert_eq!(chat.next_sip(alice), None);
    assert_eq!(chat.request_with(alice, "NOTIFY", &[EVENT, "Subscription-State: active"]).code(), 481);
    let answer = chat.answer(alice);
    assert!(answer.header("Contact").unwrap().contains(";event=\"conference\""), "{answer:?}");
    assert_eq!(answer.header("Allow-Events"), Some("conference, refer"));
}
