//! Who is in the room (RFC 4575, RFC 6502, RFC 6665): asked for in the dialog, put together, and told as it becomes different.

mod support;

use std::time::Duration;

use client::{DisconnectionMethod, Event, Member, RosterEvent};
use support::Bench;

const PLAIN: &str = "application/conference-info+xml";
const XCON: &str = "application/xcon-conference-info+xml";
const DIFF: &str = "application/xcon-conference-info-diff+xml";
const NAMESPACES: &str =
    "xmlns=\"urn:ietf:params:xml:ns:conference-info\" xmlns:x=\"urn:ietf:params:xml:ns:xcon-conference-info\"";

fn alice() -> String {
    user("alice", "", "connected")
}

/// A user with one session of that status.
fn user(name: &str, nickname: &str, status: &str) -> String {
    let nickname = if nickname.is_empty() { String::new() } else { format!(" x:nickname=\"{nickname}\"") };
    format!(
        "<user entity=\"sip:{name}@example.com\"{nickname}><endpoint entity=\"1\"><status>{status}</status>\
         </endpoint></user>"
    )
}

/// A full document of RFC 6501.
fn everything(version: u32, users: &[String]) -> String {
    format!(
        "<conference-info {NAMESPACES} entity=\"sip:lobby@chat.example.com\" version=\"{version}\">\
         <users>{}</users></conference-info>",
        users.concat()
    )
}

/// A patch to it.
fn patch(version: u32, operations: &str) -> String {
    format!(
        "<x:conference-info-diff {NAMESPACES} entity=\"sip:lobby@chat.example.com\">\
         <x:replace sel=\"*/@version\">{version}</x:replace>{operations}</x:conference-info-diff>"
    )
}

/// The SUBSCRIBE that the agent has sent is answered like that.
fn answered(r: &mut Bench, status: &str, rows: &str) {
    r.forget(&["subscribe", "subscribe_cseq"]);
    r.expect_sip(
        "
        SUBSCRIBE sip:lobby@chat.example.com;transport=tcp SIP/2.0
        Via: {subscribe}
        Max-Forwards: 70
        From: {from}
        To: <sip:lobby@chat.example.com>;tag=room
        Call-ID: {call}
        CSeq: {subscribe_cseq} SUBSCRIBE
        Contact: <sip:alice@192.0.2.101:40000;transport=tcp>
        Event: conference
        Accept: application/xcon-conference-info+xml, application/xcon-conference-info-diff+xml, application/conference-info+xml;q=0.5
        Expires: 3600
        User-Agent: tertulia
        Content-Length: 0

        ",
    );
    r.sip(&format!(
        "SIP/2.0 {status}\nVia: {{subscribe}}\nFrom: {{from}}\nTo: <sip:lobby@chat.example.com>;tag=room\n\
         Call-ID: {{call}}\nCSeq: {{subscribe_cseq}} SUBSCRIBE\n{rows}Content-Length: 0\n\n"
    ));
}

/// A NOTIFY comes; the status of its answer.
fn told(r: &mut Bench, cseq: u32, state: &str, content_type: &str, body: &str) -> String {
    let rows = format!("Event: conference\nSubscription-State: {state}\nContent-Type: {content_type}\n");
    // A document is one line, without an end.
    let text = format!(
        "NOTIFY sip:alice@192.0.2.101:40000;transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP \
         chat.example.com;branch=z9hG4bKn{cseq}\r\nMax-Forwards: 70\r\nFrom: \
         <sip:lobby@chat.example.com>;tag=room\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} NOTIFY\r\n{}Content-Length: \
         {}\r\n\r\n{body}",
        r.captures.get("from"),
        r.captures.get("call"),
        rows.replace('\n', "\r\n"),
        body.len()
    );
    r.sip_octets(text.into_bytes());
    let answer = r.next_sip();
    answer.lines().next().unwrap_or_default().trim_start_matches("SIP/2.0 ").to_owned()
}

/// Somebody who is told of Alice and Bob.
fn knowing() -> Bench {
    let mut r = Bench::asking();
    answered(&mut r, "200 OK", "Expires: 3600\n");
    let document = everything(1, &[alice(), user("bob", "Bo", "connected")]);
    assert_eq!(told(&mut r, 1, "active;expires=3600", XCON, &document), "200 OK");
    assert_eq!(r.event(), Event::Roster(RosterEvent::Known));
    r
}

fn news(r: &mut Bench) -> Vec<RosterEvent> {
    let events = std::mem::take(&mut r.events).into_iter();
    events.map(|event| if let Event::Roster(event) = event { event } else { panic!("{event:?}") }).collect()
}

fn uri(name: &str) -> String {
    format!("sip:{name}@example.com")
}

// CONFORMANCE 4575-023 6502-010
#[test]
fn who_is_there_is_asked_for_in_the_dialog_and_who_comes_and_goes_is_told() {
    let mut r = knowing();
    let roster = r.agent.roster().expect("it is known");
    let own = Member { is_self: true, ..Member::default() };
    let bob = Member { nickname: Some("Bo".to_owned()), ..Member::default() };
    assert_eq!(Vec::from_iter(roster.people.clone()), [(uri("alice"), own), (uri("bob"), bob.clone())]);

    let users = "<x:replace sel='*/users/user[@entity=\"sip:bob@example.com\"]'>";
    let add = format!("<x:add sel=\"*/users\">{}</x:add>", user("carol", "", "connected"));
    assert_eq!(told(&mut r, 2, "active;expires=3500", DIFF, &patch(2, &add)), "200 OK");
    assert_eq!(news(&mut r), [RosterEvent::Came { uri: uri("carol") }]);
    let replaced = |user: String| format!("{users}{user}</x:replace>");
    told(&mut r, 3, "active", DIFF, &patch(3, &replaced(user("bob", "Bob", "muted-via-focus"))));
    let renamed = RosterEvent::Nickname { uri: uri("bob"), before: Some("Bo".to_owned()) };
    assert_eq!(news(&mut r), [renamed, RosterEvent::Muted { uri: uri("bob"), is_muted: true }]);
    // He is shown as gone once, and then is not there any more: that is one departure.
    let gone = user("bob", "Bob", "disconnected")
        .replace("</status>", "</status><disconnection-method>booted</disconnection-method>");
    told(&mut r, 4, "active", DIFF, &patch(4, &replaced(gone)));
    let was = Member { nickname: Some("Bob".to_owned()), is_muted: true, ..bob };
    let how = Some(DisconnectionMethod::Booted);
    assert_eq!(news(&mut r), [RosterEvent::Left { uri: uri("bob"), was, how }]);
    let remove = "<x:remove sel='*/users/user[@entity=\"sip:bob@example.com\"]'/>";
    assert_eq!(told(&mut r, 5, "active", DIFF, &patch(5, remove)), "200 OK");
    assert_eq!(news(&mut r), []);
    assert_eq!(r.agent.roster().map(|roster| roster.people.len()), Some(2));
    r.expect_silence();
}

// CONFORMANCE 6665-015
#[test]
fn what_ends_the_subscription_says_whether_it_is_made_anew() {
    for (reason, again) in [
        ("deactivated", Some(0)),
        ("timeout", Some(0)),
        ("probation;retry-after=300", Some(300)),
        ("giveup", Some(60)),
        ("something-new", Some(0)),
        ("rejected", None),
        ("noresource", None),
        ("invariant", None),
    ] {
        let mut r = knowing();
        r.pass(Duration::from_secs(11));
        assert_eq!(told(&mut r, 2, &format!("terminated;reason={reason}"), PLAIN, ""), "200 OK");
        let Some(again) = again else {
            assert_eq!(news(&mut r), [RosterEvent::Unknown], "{reason}");
            assert_eq!(r.agent.roster(), None);
            r.pass(Duration::from_secs(4000));
            assert!(r.is_sip_silent(), "{reason}");
            continue;
        };
        if again > 0 {
            r.pass(Duration::from_secs(again) - Duration::from_millis(1));
            assert!(r.is_sip_silent(), "{reason}");
        }
        r.pass(Duration::from_millis(1));
        answered(&mut r, "200 OK", "Expires: 3600\n");
        // The versions of the new subscription begin anew.
        told(&mut r, 3, "active;expires=3600", XCON, &everything(1, &[alice()]));
        assert!(matches!(news(&mut r).as_slice(), [RosterEvent::Left { how: None, .. }]), "{reason}");
    }
}

#[test]
fn a_room_without_a_roster_is_as_good() {
    for status in ["489 Bad Event", "501 Not Implemented", "403 Forbidden", "405 No", "406 No", "420 No", "603 No"] {
        let mut r = Bench::asking();
        answered(&mut r, status, "");
        r.pass(Duration::from_secs(4000));
        assert!(r.is_sip_silent() && r.events.is_empty(), "{status}");
        assert_eq!(r.agent.roster(), None);
        r.agent.say(r.now, "hello").expect("one is in the room");
    }
    for (status, rows, again) in
        [("503 Busy", "Retry-After: 77\n", 77), ("500 No", "", 60), ("491 Pending", "", 60), ("481 Gone", "", 10)]
    {
        let mut r = Bench::asking();
        answered(&mut r, status, rows);
        r.pass(Duration::from_secs(again) - Duration::from_millis(1));
        assert!(r.is_sip_silent(), "{status}");
        r.pass(Duration::from_millis(1));
        answered(&mut r, "200 OK", "Expires: 3600\n");
    }
}

#[test]
fn it_is_refreshed_before_it_ends_and_asked_for_again_where_nothing_comes() {
    let mut r = knowing();
    r.pass(Duration::from_secs(3509));
    assert!(r.is_sip_silent());
    r.pass(Duration::from_secs(1));
    answered(&mut r, "200 OK", "Expires: 60\n");
    // No NOTIFY follows for 64*T1 (timer N).
    r.pass(Duration::from_secs(32));
    answered(&mut r, "200 OK", "Expires: 60\n");
    told(&mut r, 2, "active;expires=60", XCON, &everything(2, &[alice(), user("bob", "Bo", "connected")]));
    assert_eq!(news(&mut r), []);
    r.pass(Duration::from_secs(29));
    assert!(r.is_sip_silent());
    r.pass(Duration::from_secs(1));
    answered(&mut r, "200 OK", "Expires: 60\n");
}

// CONFORMANCE 4575-024
#[test]
fn what_was_missed_is_asked_for() {
    let bad = patch(2, "<x:remove sel='*/users/user[@entity=\"sip:nobody@example.com\"]'/>");
    for (content_type, body) in
        [(DIFF, patch(3, "")), (DIFF, bad), (DIFF, "no XML".to_owned()), (PLAIN, everything(7, &[]))]
    {
        let mut r = knowing();
        assert_eq!(told(&mut r, 2, "active;expires=3600", content_type, &body), "200 OK");
        // The last SUBSCRIBE was not long ago.
        r.pass(Duration::from_secs(10));
        let was_known = r.agent.roster().map(|roster| roster.people.len());
        answered(&mut r, "200 OK", "Expires: 3600\n");
        told(&mut r, 3, "active;expires=3600", XCON, &everything(4, &[alice(), user("carol", "", "connected")]));
        let [RosterEvent::Left { .. }, RosterEvent::Came { .. }] = news(&mut r)[..] else {
            panic!("{content_type}: {was_known:?} {body}")
        };
    }
}

#[test]
fn who_understands_nothing_asks_half_as_often_each_time() {
    let mut r = knowing();
    let mut cseq = 2;
    for wait in [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3510] {
        assert_eq!(told(&mut r, cseq, "active;expires=3600", DIFF, "no XML"), "200 OK");
        // What comes meanwhile is not understood either, and says nothing new.
        assert_eq!(told(&mut r, cseq + 1, "active;expires=3600", DIFF, "no XML"), "200 OK");
        cseq += 2;
        r.pass(Duration::from_secs(wait - 1));
        assert!(r.is_sip_silent(), "before {wait} s");
        r.pass(Duration::from_secs(1));
        answered(&mut r, "200 OK", "Expires: 3600\n");
    }
    // What is understood ends it.
    told(&mut r, cseq, "active;expires=3600", XCON, &everything(4, &[alice(), user("bob", "Bo", "connected")]));
    assert_eq!(told(&mut r, cseq + 1, "active;expires=3600", DIFF, "no XML"), "200 OK");
    r.pass(Duration::from_secs(10));
    answered(&mut r, "200 OK", "Expires: 3600\n");
}

#[test]
fn a_document_of_any_size_that_can_be_read_is_taken() {
    let mut r = Bench::asking();
    answered(&mut r, "200 OK", "Expires: 3600\n");
    let people: Vec<String> = (0..10_000).map(|number| user(&format!("member-{number}"), "", "connected")).collect();
    let document = everything(1, &[vec![alice()], people].concat());
    assert!(document.len() > 1 << 20);
    assert_eq!(told(&mut r, 1, "active;expires=3600", XCON, &document), "200 OK");
    assert_eq!(r.agent.roster().map(|roster| roster.people.len()), Some(10_001));
}

#[test]
fn a_room_that_knows_no_patches_is_understood() {
    let mut r = Bench::asking();
    answered(&mut r, "202 Accepted", "");
    let plain = |version: u32, state: &str, users: &str| {
        format!(
            "<conference-info {NAMESPACES} entity=\"sip:lobby@chat.example.com\" state=\"{state}\" \
             version=\"{version}\">{users}</conference-info>"
        )
    };
    let named = user("bob", "Bo", "connected").replace("<endpoint", "<display-text>Bo</display-text><endpoint");
    told(&mut r, 1, "active;expires=600", PLAIN, &plain(0, "full", &format!("<users>{named}</users>")));
    assert_eq!(news(&mut r), [RosterEvent::Known]);
    let bob = Member { nickname: Some("Bo".to_owned()), ..Member::default() };
    assert_eq!(r.agent.roster().and_then(|roster| roster.people.get(&uri("bob"))), Some(&bob));
    let left = "<users state=\"partial\"><user entity=\"sip:bob@example.com\" state=\"deleted\"/></users>";
    told(&mut r, 2, "active;expires=600", PLAIN, &plain(1, "partial", left));
    assert_eq!(news(&mut r), [RosterEvent::Left { uri: uri("bob"), was: bob, how: None }]);
    // The room ends.
    told(&mut r, 3, "terminated;reason=noresource", PLAIN, &plain(2, "deleted", ""));
    assert_eq!(news(&mut r), [RosterEvent::Closed]);
}

// CONFORMANCE 6665-001 THREATS T22
#[test]
fn a_stray_notification_finds_nothing() {
    let mut r = Bench::joined();
    assert!(told(&mut r, 1, "active", XCON, &everything(1, &[alice()])).starts_with("481 "));
    r.expect_silence();
    let mut r = knowing();
    assert!(told(&mut r, 2, "active", "application/pidf+xml", "<presence/>").starts_with("415 "));
    assert!(told(&mut r, 3, "", XCON, &everything(2, &[])).starts_with("400 "));
    r.requests(4, "NOTIFY", "Event: presence\nSubscription-State: active\n", "");
    assert!(r.next_sip().starts_with("SIP/2.0 481 "));
    r.expect_silence();
}
