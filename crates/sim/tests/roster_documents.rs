//! What stands in the documents of a roster, and what does not (RFC 4575 §4, §5, §8): for whom, of whom, and over what.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use conference_info::Conference;
use conference_info::read::{self, Limits};
use conference_info::view::View;
use focus::desk::{Answer, Change, Command};
use focus::settings::{Auth, Network, RoomPolicy};
use room::Address;
use sim::people::{Caller, Chat, Person, SipMessage, to};

const EVENT: &str = "Event: conference";
const XCON: &str = "Accept: application/xcon-conference-info+xml";

/// A lobby that tells of everything at once, moderated by Alice.
fn moderated() -> Chat {
    Chat::with(|settings| {
        settings.rooms.permanent[0].policy.roster_interval = Duration::ZERO;
        settings.rooms.permanent[0].standing.moderators =
            Address::parse("sip:alice@chat.example.com").into_iter().collect();
    })
}

fn watch(chat: &mut Chat, person: Person, lines: &[&str]) -> SipMessage {
    let answer = chat.subscribe(person, &[&[EVENT], lines].concat());
    assert_eq!(answer.code(), 200, "{answer:?}");
    chat.notified(person).expect("a NOTIFY follows at once")
}

/// The last of what somebody has been told by now.
fn latest(chat: &mut Chat, person: Person) -> SipMessage {
    let mut last = chat.notified(person).expect("a NOTIFY has come");
    while let Some(next) = chat.notified(person) {
        last = next;
    }
    last
}

/// A full document as a subscriber reads it; xmllint, which knows the schema, finds nothing wrong with it.
fn conference(notify: &SipMessage) -> Conference {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../conference-info/tests/schemas/");
    let (option, file) = match notify.header("Content-Type") {
        Some(conference_info::CONFERENCE_INFO) => ("--schema", "conference-info.xsd"),
        _ => ("--relaxng", "xcon-conference-info.rng"),
    };
    let mut xmllint = Process::new("xmllint")
        .args(["--nonet", "--noout", option, &format!("{schema}{file}"), "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("xmllint (Debian: libxml2-utils): {error}"));
    xmllint.stdin.take().unwrap().write_all(notify.body.as_bytes()).unwrap();
    let output = xmllint.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), notify.body);
    let mut view = View::new();
    view.apply(read::document(notify.body.as_bytes(), &Limits::default()).unwrap());
    view.conference().expect("a full document").clone()
}

/// Names that would be something else if they were not written as text; all that is special in XML, and around it.
const NAMES: [&str; 12] = [
    "\"/><user entity=\"sip:eve@chat.example.com\">",
    "</display-text></user><user entity='x'>",
    "]]>",
    "<![CDATA[x",
    "<!--",
    "<?xml version=\"1.0\"?>",
    "&lt;b&gt; &amp; &#x41; &eve;",
    "a'b\"c\\d",
    "\u{fffe}\u{ffff}",
    "line\u{2028}space\u{a0}end",
    "\u{1f600}\u{10ffff}",
    "\u{feff}name",
];

/// The name as XML can hold it: what it cannot is U+FFFD (the documentation of conference-info).
fn in_xml(name: &str) -> String {
    name.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

// CONFORMANCE 4575-015 THREATS T29
#[test]
fn no_name_writes_markup_and_each_is_read_as_it_was() {
    for name in NAMES {
        let mut chat = moderated();
        let alice = chat.join("alice");
        // As a display name.
        chat.join(Caller::new("bob").called(name));
        let told = conference(&watch(&mut chat, alice, &[XCON]));
        let bob = &told.users["sip:bob@chat.example.com"];
        assert_eq!(bob.display_text, Some(in_xml(name)), "{name:?}");
        assert_eq!(told.users.len(), 2, "{name:?}");
        // As what the room is about.
        let change = Change::Subject(Some(name.to_owned()));
        assert_eq!(chat.stage.order(Command::Set { room: "lobby".to_owned(), change }), Answer::Done { ended: 0 });
        let told = conference(&latest(&mut chat, alice));
        assert_eq!(told.description.subject, Some(in_xml(name)), "{name:?}");
        // As a nickname, where it may be one.
        if chat.nick(alice, name) == 200 {
            for lines in [&[XCON] as &[&str], &["Accept: application/conference-info+xml"]] {
                let told = conference(&watch(&mut chat, alice, lines));
                let nickname = told.users["sip:alice@chat.example.com"].nickname.clone();
                // RFC 8266 takes space characters for spaces, and those at the ends away.
                assert_eq!(nickname.as_deref(), Some(name.trim()), "{name:?}");
            }
            chat.nick(alice, "");
            latest(&mut chat, alice);
        }
        let count = chat.stage.node.signalling().subscriptions();
        assert_eq!(count, 1, "{name:?}");
    }
}

// THREATS T33 CVE-2026-1527
#[test]
fn no_text_of_a_room_starts_a_line_of_its_own() {
    for (text, expected) in [
        ("Tea\r\nVia: SIP/2.0/TCP evil", "Tea  Via: SIP/2.0/TCP evil"),
        ("Tea\r\n\r\nv=0", "Tea    v=0"),
        ("Tea\na=evil", "Tea a=evil"),
        ("Tea\rVia: x", "Tea Via: x"),
        ("\r\n", "  "),
    ] {
        let mut chat = moderated();
        let change = Change::Subject(Some(text.to_owned()));
        let said = chat.stage.order(Command::Set { room: "lobby".to_owned(), change });
        let alice = chat.join("alice");
        let answer = chat.answer(alice).clone();
        // What a room is about stands in Subject and in the roster, and nowhere in the session description.
        assert_eq!(answer.all("Via").count(), 1, "{text:?} {said:?} {answer:?}");
        assert!(!answer.body.contains("Tea") && !answer.body.contains("evil"), "{answer:?}");
        assert_eq!(answer.lines('s'), ["-"]);
        assert!("iuep".chars().all(|kind| answer.lines(kind).is_empty()), "{answer:?}");
        assert_eq!((said, answer.header("Subject")), (Answer::Done { ended: 0 }, Some(expected)));
        watch(&mut chat, alice, &[]);
    }
}

// CONFORMANCE 4575-042 4575-044 4575-045 4575-056 4575-058 4575-022
#[test]
fn nothing_stands_there_that_a_chat_room_does_not_have() {
    let mut chat = moderated();
    let alice = chat.join("alice");
    for spelling in
        ["sip:bob@CHAT.example.com", "sip:bob@chat.example.com;transport=tcp", "sips:b%6Fb@chat.example.com"]
    {
        chat.join(Caller::new("bob").known_as(spelling));
    }
    let mut keys = BTreeSet::new();
    for lines in [&[] as &[&str], &[XCON]] {
        let notify = watch(&mut chat, alice, lines);
        let told = conference(&notify);
        for element in [
            "cascaded-focus",
            "call-info",
            "src-id",
            "maximum-user-count",
            "sidebars",
            "associated-aors",
            "service-uris",
        ] {
            assert!(!notify.body.contains(element), "{element} in {}", notify.body);
        }
        for (uri, user) in &told.users {
            assert!(!uri.contains(char::is_whitespace) && uri.starts_with("sip:"), "{uri}");
            keys.insert(uri.clone());
            for (entity, endpoint) in &user.endpoints {
                assert!(entity.starts_with("urn:uuid:"), "no relative URI, and nothing of the device: {entity}");
                for media in endpoint.media.values() {
                    assert_eq!(media.media_type.as_deref(), Some("message"), "registered for SDP, RFC 4975");
                }
            }
        }
    }
    let session = chat.switch_uri(alice);
    let id = session.rsplit('/').next().unwrap().split(';').next().unwrap().to_owned();
    assert!(!watch(&mut chat, alice, &[]).body.contains(&id), "the session-id is nobody's to know");
    let expected = ["sip:alice@chat.example.com", "sip:bob@chat.example.com"];
    assert_eq!(keys.iter().map(String::as_str).collect::<Vec<_>>(), expected, "one spelling for each");
}

// CONFORMANCE 4575-043 THREATS T36
#[test]
fn a_role_is_shown_and_gives_no_rights() {
    let mut chat = moderated();
    let alice = chat.join("alice");
    // Neither the name nor the nickname of a role makes anybody what it says.
    let bob = chat.join(Caller::new("bob").called("moderator"));
    let carol = chat.join("carol");
    assert_eq!(chat.nick(bob, "moderator"), 425, "nobody passes for one");
    assert_eq!(chat.nick(bob, "<moderators>"), 200);
    let told = conference(&watch(&mut chat, carol, &[]));
    let roles = |name: &str| told.users[&format!("sip:{name}@chat.example.com")].roles.clone();
    assert_eq!((roles("alice"), roles("bob")), (vec!["moderator".to_owned()], vec!["participant".to_owned()]));
    let bye = "Refer-To: <sip:carol@chat.example.com;method=BYE>";
    assert_eq!(chat.refer(bob, bye).code(), 403);
    assert_eq!(chat.refer(alice, bye).code(), 202);
    assert!(chat.dismissed(carol).is_some());
}

// THREATS T36
#[test]
fn the_nickname_of_who_was_a_moderator_gives_its_next_holder_no_rights() {
    let mut chat = moderated();
    let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
    assert_eq!(chat.nick(alice, "boss"), 200);
    let demote =
        Command::Moderator { room: "lobby".to_owned(), user: Address::parse(&chat.uri(alice)).unwrap(), is: false };
    let bye = "Refer-To: <sip:carol@chat.example.com;method=BYE>";
    assert_eq!(chat.stage.order(demote), Answer::Done { ended: 0 });
    assert_eq!(chat.refer(alice, bye).code(), 403, "she was one");
    chat.leave(alice);
    chat.stage.pass(Duration::from_secs(301));
    chat.answer_all();
    assert_eq!(chat.nick(bob, "boss"), 200);
    assert_eq!(chat.refer(bob, bye).code(), 403);
    assert_eq!(chat.refer(bob, "Refer-To: <sip:lobby@chat.example.com;method=BYE>").code(), 403);
    // Nor is anybody removed by a nickname: it is no address.
    assert_eq!(chat.refer(bob, "Refer-To: <sip:boss@chat.example.com;method=BYE>").code(), 403);
    assert_eq!(chat.dismissed(carol), None);
}

// CONFORMANCE 4575-065 4579-030 THREATS T12
#[test]
fn nobody_sees_more_of_a_private_participant_but_themselves() {
    let mut chat = moderated();
    let private = chat.join(Caller::new("zoe").called("Zoe Zander").with_header("Privacy: id"));
    let known = chat.answer(private).header("Chat-Identity").unwrap().trim_matches(['<', '>']).to_owned();
    let [alice, bob] = chat.all(["alice", "bob"]);
    let [moderator, ordinary, own] = [alice, bob, private].map(|person| watch(&mut chat, person, &[]).body);
    assert_eq!(moderator, ordinary, "a moderator sees what everybody sees");
    assert!(!moderator.to_lowercase().contains("zoe") && moderator.contains(&known), "{moderator}");
    // One's own view is distinct by the mark at one's own element, and by nothing else.
    let mark = " xmlns:own=\"urn:tertulia:conference-info\" own:own=\"true\"";
    assert!(own.contains(&format!("<user entity=\"{known}\"{mark}>")), "{own}");
    assert_eq!(own.replace(mark, ""), ordinary);
}

// CONFORMANCE 4579-030 THREATS T12
#[test]
fn what_a_private_participant_has_the_room_do_does_not_tell_of_them() {
    let mut chat = moderated();
    let private = chat.join(Caller::new("zoe").called("Zoe Zander").with_header("Privacy: id"));
    let known = chat.answer(private).header("Chat-Identity").unwrap().trim_matches(['<', '>']).to_owned();
    let alice = chat.join("alice");
    watch(&mut chat, alice, &[]);
    let phone = chat.registered("bob");
    // They have Bob called, in their own name: what he gets says only that the room calls.
    let refer = "Refer-To: <sip:bob@chat.example.com>\nReferred-By: <sip:zoe@chat.example.com>";
    assert_eq!(chat.refer(private, refer).code(), 202);
    let invite = chat.next_request(phone, "INVITE").unwrap();
    assert_eq!(invite.header("Referred-By"), None);
    assert!(!format!("{invite:?}").to_lowercase().contains("zoe"), "{invite:?}");
    let bob = chat.take_call(phone, &invite, "bob");
    chat.bind(bob);
    let asked = chat.phone(private);
    assert_eq!(chat.told(asked).last().unwrap(), "terminated;reason=noresource 200 OK");
    // In the roster he was brought in by the one whom everybody knows by that URI.
    let told = latest(&mut chat, alice);
    assert!(told.body.contains(&format!("<by>{known}</by>")), "{}", told.body);
    assert!(!told.body.to_lowercase().contains("zoe"), "{}", told.body);
    // Errors do not tell either: by their own address they are not there, for who moderates as for others.
    for person in [alice, bob] {
        assert_eq!(chat.send(person, to("sip:zoe@chat.example.com", "Zoe?")), Some(404));
    }
    let bye = |uri: &str| format!("Refer-To: <{uri};method=BYE>");
    let by_own = chat.refer(alice, &bye("sip:zoe@chat.example.com"));
    let nobody = chat.refer(alice, &bye("sip:nobody@chat.example.com"));
    assert_eq!((by_own.code(), by_own.start), (404, nobody.start));
    // By the URI that is shown they can be removed, and it is that URI that is shown as gone.
    assert_eq!(chat.refer(alice, &bye(&known)).code(), 202);
    assert_eq!(chat.dismissed(private).as_deref(), Some("SIP;cause=403;text=\"Removed from the room\""));
    let phone = chat.phone(alice);
    let heard: Vec<String> =
        std::iter::from_fn(|| chat.next_request(phone, "NOTIFY")).map(|it| format!("{it:?}")).collect();
    assert!(!heard.is_empty() && heard.iter().all(|it| !it.to_lowercase().contains("zoe")), "{heard:?}");
}

// CONFORMANCE 4575-047 4575-049 4575-050
#[test]
fn who_is_called_is_shown_once_there_and_by_whom_and_when() {
    let mut chat = moderated();
    let alice = chat.join("alice");
    watch(&mut chat, alice, &["Accept: application/conference-info+xml"]);
    let phone = chat.registered("bob");
    assert_eq!(
        chat.refer(alice, "Refer-To: <sip:bob@chat.example.com>\nRefer-Sub: false\nRequire: norefersub").code(),
        202
    );
    let invite = chat.next_request(phone, "INVITE").unwrap();
    chat.reply_to(phone, &invite, 180, None);
    chat.stage.pass(Duration::from_secs(10));
    assert_eq!(chat.notified(alice), None, "that somebody is called and rings is told to nobody");
    let bob = chat.take_call(phone, &invite, "bob");
    chat.bind(bob);
    let notify = latest(&mut chat, alice);
    let told = conference(&notify);
    let endpoint = told.users["sip:bob@chat.example.com"].endpoints.values().next().unwrap().clone();
    let referred = endpoint.referred.expect("he was called");
    assert_eq!(referred.by.as_deref(), Some("sip:alice@chat.example.com"));
    assert_eq!(referred.when.as_deref(), Some("2026-01-01T00:00:10Z"), "{}", notify.body);
    assert_eq!(endpoint.joining_method, Some(conference_info::model::JoiningMethod::DialedOut));
    // Who calls oneself was called by nobody.
    let own = told.users["sip:alice@chat.example.com"].endpoints.values().next().unwrap();
    assert_eq!(own.referred, None);
}

// CONFORMANCE 4575-025 4575-010
#[test]
fn everybody_is_told_of_everybody_who_comes_and_goes_however_short_their_visit() {
    for full_below in [0, 100] {
        let mut chat = Chat::with(|settings| {
            settings.rooms.permanent[0].policy.roster_full_below = full_below;
            settings.rooms.permanent[0].standing.moderators =
                Address::parse("sip:alice@chat.example.com").into_iter().collect();
        });
        let people = chat.all(["alice", "bob"]);
        for person in people {
            watch(&mut chat, person, &[]);
        }
        let carol = chat.join("carol");
        for person in people {
            assert!(chat.notified(person).unwrap().body.contains("sip:carol@"));
        }
        // Within one round somebody leaves, somebody comes, and somebody does both; nicknames change.
        chat.leave(carol);
        chat.join("dave");
        let eve = chat.join("eve");
        chat.leave(eve);
        assert_eq!(chat.nick(people[1], "Bobby"), 200);
        chat.stage.pass(Duration::from_secs(5));
        let [moderator, ordinary] = people.map(|person| chat.notified(person).unwrap().body);
        assert_eq!(moderator, ordinary);
        for (user, status) in [("carol", "disconnected"), ("dave", "connected"), ("eve", "disconnected")] {
            let element = moderator.split(&format!("<user entity=\"sip:{user}@")).nth(1).expect(user);
            let element = element.split("</user>").next().unwrap();
            assert!(element.contains(&format!("<status>{status}</status>")), "{user}: {element}");
        }
        assert!(moderator.contains("Bobby"), "{moderator}");
    }
}

// THREATS T18
#[test]
fn who_moderates_by_an_alias_goes_on_watching_without_the_seat() {
    let chief = "sip:chief@other.example";
    let mut chat = Chat::with(|settings| {
        settings.auth = Auth::Digest { realm: "chat.example.com".to_owned(), md5: false };
        settings.rooms.permanent[0].policy.roster_interval = Duration::ZERO;
        settings.rooms.permanent[0].standing.moderators = Address::parse(chief).into_iter().collect();
    });
    chat.open_account("alice", "wonder", &[chief]);
    chat.open_account("bob", "builder", &[]);
    let [alice, bob] =
        [("alice", "wonder"), ("bob", "builder")].map(|(user, password)| Caller::new(user).with_login(user, password));
    let watcher = chat.watch(&alice, &[EVENT]).unwrap();
    chat.notified(watcher).unwrap();
    let alice = chat.join(&alice);
    chat.leave(alice);
    while let Some(notify) = chat.notified(watcher) {
        assert!(notify.header("Subscription-State").unwrap().starts_with("active;"), "{notify:?}");
    }
    chat.join(&bob);
    assert!(chat.notified(watcher).unwrap().body.contains("sip:bob@"));
}

// CONFORMANCE 4575-008 4575-025
#[test]
fn who_moderates_watches_without_a_seat_as_long_as_they_do() {
    let alice = || Address::parse("sip:alice@chat.example.com").unwrap();
    let lobby = || "lobby".to_owned();
    let demote = Command::Moderator { room: lobby(), user: alice(), is: false };
    for order in [demote, Command::Ban { room: lobby(), user: alice() }] {
        let mut chat = moderated();
        let bob = chat.join("bob");
        assert_eq!(chat.watch("carol", &[EVENT]).unwrap_err().code(), 403);
        let watcher = chat.watch("alice", &[EVENT]).unwrap();
        let told = chat.notified(watcher).unwrap();
        assert!(told.body.contains("sip:bob@") && !told.body.contains("sip:alice@"), "{}", told.body);
        chat.join("carol");
        assert!(chat.notified(watcher).unwrap().body.contains("sip:carol@"));
        assert_eq!(chat.subscribe(watcher, &["Event: conference;id=2"]).code(), 200);
        chat.notified(watcher).unwrap();
        watch(&mut chat, bob, &[]);
        // Who does not moderate any more is told to come again, and may not.
        assert_eq!(chat.stage.order(order), Answer::Done { ended: 0 });
        for _ in 0..2 {
            let last = chat.notified(watcher).unwrap();
            assert_eq!(last.header("Subscription-State"), Some("terminated;reason=deactivated"));
        }
        assert_eq!(chat.watch("alice", &[EVENT]).unwrap_err().code(), 403);
        assert_eq!(chat.stage.node.signalling().subscriptions(), 1, "Bob's");
    }
}

/// The lobby's roster is for TLS alone.
fn over_tls_only(policy: &mut RoomPolicy) {
    policy.roster_over_tls_only = true;
    policy.roster_interval = Duration::ZERO;
}

// CONFORMANCE 4575-063 4579-029
#[test]
fn a_roster_may_be_for_tls_alone() {
    let mut chat = Chat::with(|settings| {
        over_tls_only(&mut settings.rooms.permanent[0].policy);
        settings.outbound = vec![Network { address: [192, 0, 2, 0].into(), prefix: 24 }];
    });
    let bob = chat.join("bob");
    let dave = chat.join(Caller::new("dave").by_udp());
    let secure = chat.stage.phone_over(sip::Transport::Tls);
    let alice = chat.call_from(secure, "alice").unwrap();
    chat.bind(alice);
    for person in [bob, dave] {
        let refused = chat.subscribe(person, &[EVENT]);
        assert_eq!((refused.code(), refused.reason()), (403, "The Roster Is Told Over TLS Only"));
    }
    assert_eq!(chat.watch("bob", &[EVENT]).unwrap_err().code(), 403);
    assert!(watch(&mut chat, alice, &["Expires: 0"]).body.contains("sip:bob@chat.example.com"));
    // Her Contact is reached in clear as well.
    let address = secure.address();
    let subscribe = format!(
        "SUBSCRIBE sip:lobby@chat.example.com SIP/2.0\r\nVia: SIP/2.0/TLS {address};branch=z9hG4bKsecure\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@chat.example.com>;tag=secure\r\nTo: <sip:lobby@chat.example.com>\r\nCall-ID: secure\r\n\
         CSeq: 1 SUBSCRIBE\r\nContact: <sip:alice@{address};transport=tcp>\r\n{EVENT}\r\nContent-Length: 0\r\n\r\n"
    );
    chat.stage.send_octets(secure, subscribe.into_bytes());
    assert_eq!(chat.sip(secure, "secure").unwrap().code(), 200);
    let carol = chat.join("carol");
    for user in ["alice", "carol"] {
        let notify = chat.next_request(secure, "NOTIFY").expect("it comes over TLS");
        assert!(notify.body.contains(&format!("sip:{user}@")), "{notify:?}");
        chat.reply_to(secure, &notify, 200, None);
        chat.stage.pass(Duration::ZERO);
    }
    // When the connection is gone no more than that this was all follows in clear.
    chat.stage.hang(secure);
    chat.leave(carol);
    chat.stage.pass(Duration::ZERO);
    let plain = chat.stage.pick_up();
    let last = chat.next_request(plain, "NOTIFY").unwrap();
    assert_eq!((last.header("Subscription-State"), last.body.as_str()), (Some("terminated;reason=rejected"), ""));
    chat.reply_to(plain, &last, 200, None);
    assert_eq!(chat.stage.node.signalling().subscriptions(), 0);
}

// CONFORMANCE 4575-063
#[test]
fn who_is_told_in_clear_is_told_no_more_once_that_is_forbidden() {
    let mut chat = Chat::in_room(|policy| policy.roster_interval = Duration::ZERO);
    let bob = chat.join("bob");
    watch(&mut chat, bob, &[]);
    let mut policy = RoomPolicy::default();
    policy.room.delete_when = room::DeleteWhen::Never;
    over_tls_only(&mut policy);
    let change = Change::Policy(Box::new(policy));
    assert_eq!(chat.stage.order(Command::Set { room: "lobby".to_owned(), change }), Answer::Done { ended: 0 });
    chat.join("carol");
    let last = chat.notified(bob).unwrap();
    assert_eq!((last.header("Subscription-State"), last.body.as_str()), (Some("terminated;reason=rejected"), ""));
    assert_eq!(chat.subscribe(bob, &[EVENT]).code(), 403);
}
