//! What is offered and what is answered (RFC 7701 §5.2 and §8, RFC 4975 §8, RFC 6135).

use std::collections::{BTreeMap, BTreeSet};

use focus::settings::RoomPolicy;
use sim::people::{Caller, Chat, ROOM, SipMessage, to};

/// What an answer says of its MSRP line.
fn tokens(answer: &SipMessage) -> Vec<&str> {
    answer.attribute("chatroom").split(' ').filter(|token| !token.is_empty()).collect()
}

fn answer_to(caller: Caller) -> SipMessage {
    let mut chat = Chat::new();
    let person = chat.join(&caller);
    let answer = chat.answer(person).clone();
    // Whatever was offered, the session works.
    let listener = chat.join("listener");
    chat.say(person, "I am in");
    chat.hears(listener, "I am in");
    answer
}

// CONFORMANCE 7701-008 7701-022 7701-023 7701-024 7701-027 7701-105 7701-107 7701-110 4975-029 4975-033 4975-111 4975-112
// CONFORMANCE 4975-113 4975-114 4975-117 4975-125 4975-127 4975-128 4975-133 4975-151 6135-001 4975-002 4975-030
#[test]
fn an_answer_says_what_a_room_is() {
    let answer = answer_to(Caller::new("alice").without("chatroom"));
    assert_eq!(answer.lines('m'), ["message 2855 TCP/MSRP *"]);
    assert_eq!(answer.lines('c'), ["IN IP4 chat.example.com"]);
    assert_eq!(answer.attribute("accept-types"), "message/cpim");
    assert_eq!(answer.attribute("accept-wrapped-types"), "*");
    assert_eq!(answer.attribute("setup"), "passive");
    assert_eq!(answer.attribute("max-size"), "104857600");
    assert_eq!(tokens(&answer), ["nickname", "private-messages"]);
    let path = answer.attribute("path");
    let session = path.strip_prefix("msrp://chat.example.com:2855/").and_then(|rest| rest.strip_suffix(";tcp"));
    assert!(session.is_some_and(|id| id.len() >= 14 && id.bytes().all(|b| b.is_ascii_alphanumeric())), "{path}");
    assert!(answer.attributes("connection").is_empty() && answer.attributes("fingerprint").is_empty());
    let first = answer.body.lines().position(|line| line.starts_with("m=")).unwrap();
    let before: Vec<&str> = answer.body.lines().take(first).filter(|line| line.starts_with("a=")).collect();
    assert!(before.is_empty(), "the attributes are those of the media line: {before:?}");
}

// CONFORMANCE 7701-014 7701-126 4975-035
#[test]
fn an_offer_of_tls_is_answered_with_tls() {
    let answer = answer_to(Caller::new("alice").secure());
    assert_eq!(answer.lines('m'), ["message 2856 TCP/TLS/MSRP *"]);
    assert!(answer.attribute("path").starts_with("msrps://chat.example.com:2856/"));

    let mut chat = Chat::in_room(|policy| policy.room.force_tls = true);
    let refused = chat.call("alice").unwrap_err();
    assert_eq!((refused.code(), refused.reason()), (488, "TLS Is Needed"));
    chat.join(Caller::new("alice").secure());

    let mut chat = Chat::with(|settings| settings.media.tls = None);
    assert_eq!(chat.call(Caller::new("alice").secure()).unwrap_err().code(), 488);
}

// CONFORMANCE 7701-009 7701-011 7701-017 7701-106 7701-111 7701-112
// THREATS 35b6209
#[test]
fn the_answer_follows_the_policy() {
    let answered = |policy: fn(&mut RoomPolicy)| {
        let mut chat = Chat::in_room(policy);
        let alice = chat.join("alice");
        chat.answer(alice).clone()
    };
    let answer = answered(|policy| policy.room.nicknames = false);
    assert_eq!(tokens(&answer), ["private-messages"]);
    let answer = answered(|policy| policy.room.private_messages = false);
    assert_eq!(tokens(&answer), ["nickname"]);
    let answer = answered(|policy| (policy.room.nicknames, policy.room.private_messages) = (false, false));
    assert!(answer.body.contains("\r\na=chatroom\r\n"), "{}", answer.body);
    let answer = answered(|policy| policy.room.wrapped_types = room::MediaTypes::parse(["text/plain"]).unwrap());
    assert_eq!(answer.attribute("accept-wrapped-types"), "text/plain");
    let answer = answered(|policy| policy.room.wrapped_types = room::MediaTypes::parse(["text/plain", "*"]).unwrap());
    assert_eq!(answer.attribute("accept-wrapped-types"), "text/plain *");
}

// CONFORMANCE 7701-020 7701-032 7701-035 4975-129 4975-131
#[test]
fn offers_that_can_be_taken_are_taken() {
    let alice = || Caller::new("alice");
    let offers = [
        alice().with("accept-types", "Message/CPIM"),
        alice().with("accept-types", "text/plain MESSAGE/cpim;x=\"a b\" image/*"),
        alice().with("accept-types", "message/*"),
        // Decision D31.
        alice().with("accept-types", "*"),
        alice().without("accept-wrapped-types"),
        alice().without("chatroom"),
        alice().with("chatroom", ""),
        alice().with("chatroom", "nicknames com.example.dance private-messages"),
        alice().with_edit("TCP/MSRP *", "TCP/MSRP 0"),
        alice().with("sendrecv", ""),
        alice().with_lines_after("b=AS:64\r\na=unheard:of\r\ny=nonsense"),
    ];
    for offer in offers {
        let answer = answer_to(offer);
        assert_eq!(answer.attribute("accept-types"), "message/cpim");
    }
}

// CONFORMANCE 7701-021 4975-029 4975-030 4975-111 4975-117 4975-120 4975-170
#[test]
fn offers_that_cannot_be_taken_are_refused_before_a_room_is_made() {
    let alice = || Caller::new("alice").to_room("sip:garden@chat.example.com");
    let sdp = |body: &str| alice().with_body("application/sdp", body);
    let cases = [
        (488, alice().with("accept-types", "text/plain")),
        (488, alice().with("accept-types", "text/plain message/cpimx xmessage/cpim")),
        (488, alice().with("accept-types", "message/cpim/x")),
        (488, alice().without("accept-types")),
        (488, alice().with_path("")),
        (488, alice().with_path("msrp://192.0.2.7:7654/secret")),
        (488, alice().with_path("msrp://192.0.2.7/secret;tcp")),
        (488, alice().with_path("msrp://alice.example.net/secret;tcp")),
        (488, alice().with_path("sip:alice@example.net")),
        (488, alice().with_path("msrps://alice.example.net:7654/secret;tcp")),
        (488, alice().secure().with_path("msrp://alice.example.net:7654/secret;tcp")),
        (488, alice().with_edit("m=message 7654", "m=message 0")),
        (488, alice().with_edit("m=message 7654 TCP/MSRP *", "m=audio 7654 RTP/AVP 0")),
        (488, alice().with("file-selector", "name:\"../../passwd\"")),
        (400, sdp("v=0\r\no=- 1 1 IN IP4 a.example\r\ns=-\r\nt=0 0\r\nm=message\r\n")),
        (400, sdp("nonsense")),
        (415, alice().with_body("text/html", "<p>hello</p>")),
    ];
    for (code, caller) in cases {
        let mut chat = Chat::new();
        let before = chat.stage.node.signalling().census();
        let answer = chat.call(&caller).unwrap_err();
        assert_eq!((answer.code(), answer.body.as_str()), (code, ""), "{caller:?}");
        assert_eq!(chat.stage.node.signalling().census(), before, "{caller:?}");
    }
}

// CONFORMANCE 4975-114 4975-115 3264-6-1
#[test]
fn other_media_are_declined_in_their_places() {
    let audio = "m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000";
    let answer = answer_to(Caller::new("alice").with_media_before(audio));
    assert_eq!(answer.lines('m'), ["audio 0 RTP/AVP 0 8", "message 2855 TCP/MSRP *"]);
    assert_eq!(answer.attributes("chatroom").len(), 1);

    // Two MSRP lines, on one port even: the first that can be taken is, the other declined.
    let video = "m=video 4002 RTP/AVP 31";
    let second =
        "m=message 7654 TCP/MSRP *\r\na=accept-types:message/cpim\r\na=path:msrp://alice.example.net:7654/two;tcp";
    let answer = answer_to(Caller::new("alice").with_lines_after(&format!("{video}\r\n{second}")));
    assert_eq!(answer.lines('m'), ["message 2855 TCP/MSRP *", "video 0 RTP/AVP 31", "message 0 TCP/MSRP *"]);
    let plain =
        "m=message 7654 TCP/MSRP *\r\na=accept-types:text/plain\r\na=path:msrp://alice.example.net:7654/two;tcp";
    let answer = answer_to(Caller::new("alice").with_media_before(plain));
    assert_eq!(answer.lines('m'), ["message 0 TCP/MSRP *", "message 2855 TCP/MSRP *"]);
}

// CONFORMANCE 6135-001 6135-002 6135-005 6135-007 4975-124
#[test]
fn the_switch_waits_for_its_peers() {
    for setup in ["active", "actpass", "holdconn", "Active"] {
        let answer = answer_to(Caller::new("alice").with("setup", setup).with("connection", "new"));
        assert_eq!(answer.attribute("setup"), "passive", "{setup}");
        assert!(answer.attributes("connection").is_empty());
    }
}

// CONFORMANCE 4975-121 4975-123 7701-108
#[test]
fn an_offer_that_changes_nothing_gets_the_same_answer() {
    let mut chat = Chat::new();
    let [alice, bob] = chat.all(["alice", "bob"]);
    let first = chat.answer(alice).body.clone();
    let again = chat.offer_again(alice, "alice");
    assert_eq!((again.code(), &again.body), (200, &first));
    assert!(again.header("Contact").is_some_and(|contact| contact.contains(";isfocus")));
    chat.say(alice, "Still here");
    chat.hears(bob, "Still here");
    chat.say(bob, "So am I");
    chat.hears(alice, "So am I");

    // With one more line the answer is another, and says so.
    let more = chat.offer_again(alice, Caller::new("alice").with_lines_after("m=audio 4000 RTP/AVP 0"));
    let version = |body: &str| body.lines().find_map(|line| line.strip_prefix("o=- ")?.split(' ').nth(1)?.parse().ok());
    assert_eq!((version(&first), version(&more.body)), (Some(1), Some(2)), "{}", more.body);
    assert_eq!(more.attribute("path"), again.attribute("path"));
}

// CONFORMANCE 7701-031 7701-108 7701-109 7701-113
#[test]
fn what_a_user_agent_can_do_may_change_during_the_session() {
    sim::people::everywhere(|chat| {
        let alice = chat.join("alice");
        let plain = Caller::new("bob").with("chatroom", "");
        let bob = chat.join(&plain);
        let bob_uri = chat.uri(bob);
        assert_eq!(chat.send(alice, to(&bob_uri, "psst")), Some(428));
        assert_eq!(chat.offer_again(bob, "bob").code(), 200);
        chat.whisper(alice, bob, "Now?");
        chat.hears(bob, "Now?");
        assert_eq!(chat.offer_again(bob, Caller::new("bob").without("chatroom")).code(), 200);
        assert_eq!(chat.send(alice, to(&bob_uri, "psst")), Some(428));
        chat.silent(bob);

        // Types too.
        chat.offer_again(bob, Caller::new("bob").with("accept-wrapped-types", "text/plain"));
        assert_eq!(chat.send(alice, to(ROOM, "<b>").typed("text/html")), Some(200));
        chat.silent(bob);
        chat.say(alice, "plain");
        chat.hears(bob, "plain");
    });
}

// CONFORMANCE 3264-8-3
#[test]
fn an_offer_that_cannot_be_taken_leaves_the_session_as_it_was() {
    let mut chat = Chat::new();
    let [alice, bob] = chat.all(["alice", "bob"]);
    let answer = chat.offer_again(bob, Caller::new("bob").with("accept-types", "text/plain"));
    assert_eq!(answer.code(), 488);
    chat.whisper(alice, bob, "Nothing lost");
    chat.hears(bob, "Nothing lost");
}

// THREATS CVE-2023-26498 CVE-2023-24033
// CONFORMANCE 7701-110 7701-114
#[test]
fn lists_of_any_length_are_read() {
    let tokens = |count: usize| (0..count).map(|n| format!("com.example.t{n}")).collect::<Vec<_>>().join(" ");
    let types = |count: usize| (0..count).map(|n| format!("x/t{n}")).collect::<Vec<_>>().join(" ");
    let many = |count: usize| vec!["a=chatroom:nickname"; count].join("\r\n");
    let alice = || Caller::new("alice");
    let offers = [
        alice().with("chatroom", &tokens(64)),
        alice().with("chatroom", &format!("{} private-messages", tokens(5000))),
        alice().with("chatroom", &"t".repeat(64_000)),
        alice().with("chatroom", "nickname nickname private-messages nickname"),
        alice().with_edit("a=chatroom:nickname private-messages", "a=chatroom:"),
        alice().with_lines_after(&many(1000)),
        alice().with("accept-types", &format!("{} message/cpim", types(5000))),
        alice().with("accept-types", &format!("{} message/cpim", "x/".to_owned() + &"y".repeat(64_000))),
        alice().with("accept-types", "a/ / */* message/cpim;x=\"never closed"),
        alice().with("accept-wrapped-types", &format!("{} *", types(5000))),
    ];
    for offer in offers {
        let mut chat = Chat::new();
        let person = chat.join(&offer);
        assert_eq!(chat.answer(person).attribute("chatroom"), "nickname private-messages");
    }
    // Tokens that stand behind thousands of others are not lost.
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let bob = chat.join(Caller::new("bob").with("chatroom", &format!("{} private-messages", tokens(5000))));
    chat.whisper(alice, bob, "Found you");
    chat.hears(bob, "Found you");
}

// CONFORMANCE 4975-034 4975-118 4975-119 4975-159
// THREATS T1
#[test]
fn session_ids_cannot_be_guessed() {
    let mut chat = Chat::new();
    let (mut ids, mut origins): (Vec<String>, BTreeSet<String>) = Default::default();
    for _ in 0..500 {
        let person = chat.call("alice").unwrap();
        origins.insert(chat.answer(person).lines('o')[0].to_owned());
        ids.push(chat.switch_uri(person).trim_end_matches(";tcp").rsplit('/').next().unwrap().to_owned());
        chat.leave(person);
    }
    assert_eq!((ids.iter().collect::<BTreeSet<_>>().len(), origins.len()), (500, 500));
    let length = ids[0].len();
    assert!(ids.iter().all(|id| id.len() == length));
    // 62 letters make 5.95 bits a place; each place takes any of them, none much more often than others.
    assert!(length as f64 * 62_f64.log2() >= 80.0 + 8.0, "80 bits, and those that say where the session lives");
    for place in 0..length {
        let mut counts = BTreeMap::new();
        for id in &ids {
            *counts.entry(id.as_bytes()[place]).or_insert(0) += 1;
        }
        assert!(counts.len() > 55 && counts.values().all(|count| *count < 40), "place {place}: {counts:?}");
    }
}
