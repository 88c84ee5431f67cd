//! Several people in one request: lists in INVITEs (RFC 5366, RFC 5364) and in REFERs (RFC 5368); and the factory (RFC 4579 §5.4).

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use focus::settings::{Create, Invitations};
use room::Address;
use sim::people::{Caller, Chat, SipMessage};
use sim::stage::Phone;

const FACTORY: &str = "sip:conference-factory@chat.example.com";

fn with_factory() -> Chat {
    Chat::with(|settings| settings.rooms.factory = Some("conference-factory".to_owned()))
}

fn resource_lists(entries: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"\r\n\
         xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"><list>{entries}</list></resource-lists>\r\n"
    )
}

fn entry(uri: &str, more: &str) -> String {
    format!("<entry uri=\"{uri}\" {more}/>")
}

/// The INVITE of somebody with a list beside the offer.
fn with_list(caller: &Caller, entries: &str) -> Caller {
    let (_, sdp) = caller.body("msrp://alice.example.net:7654/list;tcp", 1).expect("an offer");
    let body = format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n\
         --b\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n{}\r\n--b--\r\n",
        resource_lists(entries)
    );
    caller
        .clone()
        .with_header("Require: recipient-list-invite")
        .with_path("msrp://alice.example.net:7654/list;tcp")
        .with_body("multipart/mixed;boundary=\"b\"", &body)
}

fn room_of(answer: &SipMessage) -> String {
    let contact = answer.header("Contact").unwrap_or_default();
    assert!(contact.contains(";isfocus"), "{contact}");
    let uri = contact.split(['<', '>']).nth(1).unwrap_or_default();
    uri.split(';').next().unwrap_or_default().to_owned()
}

fn invited(chat: &mut Chat, phone: Phone) -> SipMessage {
    chat.next_request(phone, "INVITE").expect("an INVITE has come")
}

// CONFORMANCE 4579-004 4579-014 4579-015 4579-024 7701-018
#[test]
fn each_call_of_the_factory_makes_a_room_of_its_own() {
    let mut chat = with_factory();
    let factory = |name: &str| Caller::new(name).to_room(FACTORY);
    let [alice, bob] = ["alice", "bob"].map(|name| chat.join(factory(name)));
    let [first, second] = [alice, bob].map(|person| room_of(chat.answer(person)));
    assert_ne!(first, second);
    let name = first.strip_prefix("sip:").and_then(|rest| rest.split('@').next()).unwrap();
    assert!(name.len() == 20 && name.bytes().all(|octet| octet.is_ascii_alphanumeric()), "100 bits: {name}");
    // Its URI is all that others need.
    let carol = chat.join(Caller::new("carol").to_room(&first));
    assert_eq!(chat.send(alice, sim::people::to(&first, "Here we are")), Some(200));
    chat.hears(carol, "Here we are");
    chat.silent(bob);
    // It ends with who has made it.
    chat.leave(alice);
    let reason = chat.dismissed(carol);
    assert_eq!(reason.as_deref(), Some("SIP;cause=410;text=\"The room has ended with its creator\""));
    assert_eq!(chat.stage.node.signalling().census()[1], 3);
}

// CONFORMANCE 4579-004 4579-009
#[test]
fn the_factory_is_no_room_and_works_where_nobody_makes_rooms_otherwise() {
    let mut chat = Chat::with(|settings| {
        settings.rooms.factory = Some("conference-factory".to_owned());
        settings.rooms.create = Create::Nobody;
    });
    let phone = chat.stage.phone();
    let call_id = chat.options(phone, Caller::new("alice").to_room(FACTORY));
    let options = chat.sip(phone, &call_id).unwrap();
    assert_eq!((options.code(), options.header("Contact")), (200, None), "it is no focus");
    assert_eq!(chat.refer_outside(phone, Caller::new("alice").to_room(FACTORY), "Refer-To: <sip:b@d>").code(), 404);
    chat.join(Caller::new("alice").to_room(FACTORY));
    // An offer that cannot be taken makes no room.
    let unfit = Caller::new("bob").to_room(FACTORY).with("accept-types", "text/plain");
    assert_eq!(chat.call(unfit).unwrap_err().code(), 488);
    assert_eq!(chat.stage.node.signalling().census(), [1, 3]);
}

// CONFORMANCE 7701-018 4579-015 5366-5.2-1 5364-4-1
#[test]
fn who_is_listed_in_an_invite_is_called_and_told_of_the_others() {
    let mut chat = with_factory();
    let [bob, carol, dave, eve] = ["bob", "carol", "dave", "eve"].map(|name| chat.registered(name));
    let entries = [
        entry("sip:bob@chat.example.com", "cp:copyControl=\"to\""),
        entry("sip:carol@chat.example.com", "cp:copyControl=\"cc\" cp:anonymize=\"true\""),
        entry("sip:dave@chat.example.com", "cp:copyControl=\"bcc\""),
        entry("sip:eve@chat.example.com", ""),
        entry("sip:alice@chat.example.com", "cp:copyControl=\"to\""),
        entry("sip:bob@192.0.2.1", "cp:copyControl=\"cc\""),
    ];
    let alice = chat.call(with_list(&Caller::new("alice").to_room(FACTORY), &entries.concat())).unwrap();
    let room = room_of(chat.answer(alice));
    let listed = "<list><entry uri=\"sip:bob@chat.example.com\" cp:copyControl=\"to\"/>\
                  <entry uri=\"sip:alice@chat.example.com\" cp:copyControl=\"to\"/>\
                  <entry uri=\"sip:anonymous@anonymous.invalid\" cp:copyControl=\"cc\" cp:count=\"1\"/></list>";
    for phone in [bob, carol, dave, eve] {
        let invite = invited(&mut chat, phone);
        assert!(invite.header("From").unwrap().contains(&room), "{invite:?}");
        assert!(invite.header("Content-Type").unwrap().starts_with("multipart/mixed;boundary="));
        assert!(invite.body.contains("Content-Disposition: recipient-list-history; handling=optional\r\n"));
        assert!(invite.body.contains("m=message 2855 TCP/MSRP *\r\n"));
        let history = invite.body.split("<list>").nth(1).unwrap().split("</list>").next().unwrap();
        assert_eq!(format!("<list>{history}</list>"), listed, "nobody of bcc, nobody twice");
        assert!(chat.next_request(phone, "INVITE").is_none(), "once");
    }
}

// CONFORMANCE 5366-5.1-1
#[test]
fn a_list_without_anybody_to_name_comes_alone_and_an_existing_room_takes_one_too() {
    let mut chat = Chat::new();
    let [bob, carol] = ["bob", "carol"].map(|name| chat.registered(name));
    chat.join("carol");
    let entries = [entry("sip:bob@chat.example.com", ""), entry("sip:carol@chat.example.com", "")].concat();
    let alice = chat.call(with_list(&Caller::new("alice"), &entries)).unwrap();
    let invite = invited(&mut chat, bob);
    assert_eq!(invite.header("Content-Type"), Some("application/sdp"));
    let bob = chat.take_call(bob, &invite, "bob");
    chat.bind(alice);
    chat.bind(bob);
    chat.say(alice, "Hello");
    chat.hears(bob, "Hello");
    assert_eq!(chat.unread(carol), [""; 0], "she is there");
}

// CONFORMANCE 5366-5.1-1 THREATS T18 T28
#[test]
fn an_invite_whose_list_is_not_taken_seats_nobody() {
    let many: String = (0..51).map(|nth| entry(&format!("sip:u{nth}@chat.example.com"), "")).collect();
    let bomb = "<!DOCTYPE l [<!ENTITY a \"aaaa\">]>";
    for (entries, code) in [
        ("", 400),
        (&many, 403),
        (&entry("sip:x@127.0.0.1", ""), 403),
        (&entry("sip:bob@chat.example.com?Route=x", ""), 403),
        (&entry("sip:bob@chat.example.com;method=BYE", ""), 400),
        (&entry("sip:lobby@chat.example.com", ""), 403),
        (&entry("tel:+1555", ""), 416),
        (&entry("nonsense", ""), 400),
        (&entry("&a;", ""), 400),
        (&format!("{bomb}{}", entry("sip:bob@chat.example.com", "")), 400),
        ("<entry/>", 400),
    ] {
        let mut chat = with_factory();
        let bob = chat.registered("bob");
        let refused = chat.call(with_list(&Caller::new("alice").to_room(FACTORY), entries)).unwrap_err();
        assert_eq!(refused.code(), code, "{entries:.80}");
        assert_eq!(chat.stage.node.signalling().census(), [0, 2]);
        assert_eq!(chat.unread(bob), [""; 0]);
    }
    // Required, and not there at all; or in a part that nobody knows.
    let mut chat = Chat::new();
    assert_eq!(chat.call(Caller::new("alice").with_header("Require: recipient-list-invite")).unwrap_err().code(), 400);
    let unknown = "--b\r\nContent-Type: text/x-riddle\r\n\r\n?\r\n--b--\r\n";
    let riddle = Caller::new("alice").with_body("multipart/mixed;boundary=b", unknown);
    assert_eq!(chat.call(riddle).unwrap_err().code(), 415);
    let broken = Caller::new("alice").with_body("multipart/mixed;boundary=b", "--c\r\n\r\n--c--\r\n");
    assert_eq!(chat.call(broken).unwrap_err().code(), 400);
}

/// Lists that burst, loop, or are not what they say, whole: what none of these may do is take long, or be taken.
fn bombs() -> Vec<(&'static str, String)> {
    let lists = "urn:ietf:params:xml:ns:resource-lists";
    let root = format!("<resource-lists xmlns=\"{lists}\">");
    let bob = entry("sip:bob@chat.example.com", "");
    let end = "</resource-lists>";
    let laughs: String =
        (1..10).map(|nth| format!("<!ENTITY l{nth} \"{}\">", format!("&l{};", nth - 1).repeat(10))).collect();
    let quadratic = format!("<!ENTITY q \"{}\">", "q".repeat(20_000));
    let laughing = "<list><entry uri=\"&l9;\"/></list>";
    let nested = |levels: usize| format!("{root}{}{bob}", "<list>".repeat(levels));
    let declared =
        |encoding: &str| format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>{root}<list>{bob}</list>{end}");
    vec![
        ("a billion laughs", format!("<!DOCTYPE l [<!ENTITY l0 \"lol\">{laughs}]>{root}{laughing}{end}")),
        ("a quadratic burst", format!("<!DOCTYPE l [{quadratic}]>{root}<list>{}</list>{end}", "&q;".repeat(10_000))),
        ("a file", format!("<!DOCTYPE l [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>{root}<list>&f;{bob}</list>{end}")),
        (
            "a document type alone",
            format!("<!DOCTYPE l SYSTEM \"http://192.0.2.9/l.dtd\">{root}<list>{bob}</list>{end}"),
        ),
        ("parameter entities", format!("<!DOCTYPE l [<!ENTITY % p SYSTEM \"file:///dev/zero\">%p;]>{root}{end}")),
        ("an entity that nobody declared", format!("{root}<list><entry uri=\"&eve;\"/></list>{end}")),
        ("ten levels", format!("{}{}{end}", nested(10), "</list>".repeat(10))),
        ("levels without end", nested(9_000)),
        ("UTF-16", declared("UTF-16")),
        ("UTF-7", declared("UTF-7")),
        ("an encoding that there is not", declared("x-riddle")),
        ("more octets than a list has", format!("{root}<list>{bob}{}</list>{end}", " ".repeat(70_000))),
        ("a comment without end", format!("{root}<!--{}", "-".repeat(30_000))),
        ("a section without end", format!("{root}<![CDATA[{}", "]".repeat(30_000))),
        ("an instruction without end", format!("{root}<?{}", "?".repeat(30_000))),
        ("a tag without end", format!("{root}<list {}", "a".repeat(30_000))),
        (
            "an attribute a thousand times",
            format!("{root}<list><entry {}/></list>{end}", "uri=\"sip:bob@chat.example.com\" ".repeat(1_000)),
        ),
        ("nothing", String::new()),
    ]
}

// THREATS T28 CVE-2022-24763 CVE-2011-2205 CVE-2022-0217 CVE-2026-43507 12306eaf9
#[test]
fn no_list_bursts_in_an_invite_or_a_refer() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let bob = chat.registered("bob");
    for (what, list) in bombs() {
        let (_, sdp) = Caller::new("carol").body("msrp://carol.example.net:7654/list;tcp", 1).unwrap();
        let body = format!(
            "--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b\r\nContent-Type: application/resource-lists+xml\r\n\
             Content-Disposition: recipient-list\r\n\r\n{list}\r\n--b--\r\n"
        );
        let invite = Caller::new("carol")
            .with_header("Require: recipient-list-invite")
            .with_body("multipart/mixed;boundary=\"b\"", &body);
        let refused = chat.call(invite).unwrap_err().code();
        assert!([400, 413, 415].contains(&refused), "{what} in an INVITE: {refused}");
        let lines = format!("{MULTIPLE}\nContent-ID: <cn35t8jf02@example.com>\nContent-Disposition: recipient-list");
        let alone = Some(("application/resource-lists+xml".to_owned(), list));
        let refused = chat.refer_with(alice, &lines, alone).code();
        assert!([400, 413, 415].contains(&refused), "{what} in a REFER: {refused}");
    }
    assert_eq!(chat.unread(bob), [""; 0]);
    assert_eq!(chat.stage.node.signalling().census()[0], 1);
    // What is like these and harmless is taken.
    assert_eq!(chat.refer_with(alice, MULTIPLE, refer_list(&entry("sip:bob@chat.example.com", ""))).code(), 202);
    invited(&mut chat, bob);
}

// CONFORMANCE 5366-5.1-1
#[test]
fn who_may_not_invite_is_not_seated_with_a_list() {
    let mut chat = Chat::in_room(|policy| policy.invitations = Invitations::Moderators);
    let refused = chat.call(with_list(&Caller::new("alice"), &entry("sip:bob@chat.example.com", ""))).unwrap_err();
    assert_eq!(refused.code(), 403);
    let mut chat = Chat::with(|settings| settings.rooms.defaults.invitations = Invitations::Nobody);
    let garden = Caller::new("alice").to_room("sip:garden@chat.example.com");
    assert_eq!(chat.call(with_list(&garden, &entry("sip:bob@chat.example.com", ""))).unwrap_err().code(), 403);
    assert_eq!(chat.stage.node.signalling().census(), [0, 2]);
}

#[test]
fn who_is_listed_is_called_at_the_rate_of_the_caller() {
    let rate = focus::Rate { count: 4, per: std::time::Duration::from_secs(4) };
    let mut chat = Chat::with(|settings| settings.join_rate = Some(rate));
    // Each from an address of its own, which the rate of the caller's does not bear on.
    let phones = ["b", "c", "d", "e", "f", "g"].map(|name| (name, chat.registered(name)));
    let entries: String = phones.iter().map(|(name, _)| entry(&format!("sip:{name}@chat.example.com"), "")).collect();
    chat.call(with_list(&Caller::new("alice"), &entries)).unwrap();
    let called = |chat: &mut Chat| phones.map(|(_, phone)| chat.next_request(phone, "INVITE").is_some());
    assert_eq!(called(&mut chat).into_iter().filter(|called| *called).count(), 3, "the INVITE itself counts");
    for _ in 0..3 {
        chat.stage.pass(std::time::Duration::from_secs(1));
        assert_eq!(called(&mut chat).into_iter().filter(|called| *called).count(), 1);
    }
}

fn refer_list(entries: &str) -> Option<(String, String)> {
    let part = format!(
        "--l\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\
         Content-ID: <cn35t8jf02@example.com>\r\n\r\n{}\r\n--l--\r\n",
        resource_lists(entries)
    );
    Some(("multipart/mixed;boundary=l".to_owned(), part))
}

const MULTIPLE: &str = "Require: multiple-refer, norefersub\nRefer-Sub: false\nRefer-To: <cid:cn35t8jf02@example.com>";

// CONFORMANCE 4579-016 5368-7-1 5368-8-1
#[test]
fn a_refer_with_a_list_is_one_for_each_on_it() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let [bob, carol] = ["bob", "carol"].map(|name| chat.registered(name));
    let entries = [
        entry(
            "sip:bob@chat.example.com?Subject=Tea&amp;Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2",
            "cp:copyControl=\"to\"",
        ),
        entry("sip:carol@chat.example.com", ""),
    ];
    let answer = chat.refer_with(alice, MULTIPLE, refer_list(&entries.concat()));
    assert_eq!((answer.code(), answer.header("Refer-Sub")), (202, Some("false")));
    let first = invited(&mut chat, bob);
    assert_eq!((first.header("Subject"), first.header("Replaces")), (Some("Tea"), Some("a;to-tag=1;from-tag=2")));
    assert!(first.body.contains("<entry uri=\"sip:bob@chat.example.com\" cp:copyControl=\"to\"/>"));
    assert_eq!(invited(&mut chat, carol).header("Subject"), None);
    let phone = chat.phone(alice);
    assert_eq!(chat.told(phone), [""; 0]);
}

// CONFORMANCE 4579-023 5368-8-1
#[test]
fn a_moderator_removes_several_at_once() {
    let mut chat = Chat::with(|settings| {
        settings.rooms.permanent[0].standing.moderators =
            [Address::parse("sip:alice@chat.example.com").unwrap()].into();
    });
    let [alice, bob, carol] = chat.all(["alice", "bob", "carol"]);
    let entries = ["bob", "carol"].map(|name| entry(&format!("sip:{name}@chat.example.com;method=BYE"), ""));
    // The list alone, named by the Content-ID of the message.
    let lines = format!("{MULTIPLE}\nContent-ID: <cn35t8jf02@example.com>\nContent-Disposition: recipient-list");
    let alone = Some(("application/resource-lists+xml".to_owned(), resource_lists(&entries.concat())));
    assert_eq!(chat.refer_with(bob, &lines, alone.clone()).code(), 403);
    assert_eq!(chat.dismissed(carol), None);
    assert_eq!(chat.refer_with(alice, &lines, alone).code(), 202);
    for person in [bob, carol] {
        assert!(chat.dismissed(person).is_some_and(|reason| reason.contains("Removed")));
    }
}

// CONFORMANCE 5368-4-1 5368-5-1 THREATS T18
#[test]
fn a_list_of_referrals_is_taken_whole_or_not_at_all() {
    let mut chat = Chat::new();
    let alice = chat.join("alice");
    let bob = chat.registered("bob");
    let good = entry("sip:bob@chat.example.com", "");
    let many: String = (0..51).map(|nth| entry(&format!("sip:u{nth}@chat.example.com"), "")).collect();
    for (lines, entries, code) in [
        (MULTIPLE, format!("{good}{}", entry("sip:x@127.0.0.1", "")), 403),
        (MULTIPLE, format!("{good}{}", entry("sip:x@chat.example.com;method=BYE", "")), 403),
        (MULTIPLE, many, 403),
        (MULTIPLE, String::new(), 400),
        ("Require: multiple-refer\nRefer-To: <cid:cn35t8jf02@example.com>", good.clone(), 400),
        ("Require: multiple-refer\nRefer-Sub: false\nRefer-To: <cid:other@example.com>", good.clone(), 400),
        ("Require: multiple-refer\nRefer-Sub: false\nRefer-To: <sip:bob@chat.example.com>", good.clone(), 400),
        ("Refer-Sub: false\nRefer-To: <cid:cn35t8jf02@example.com>", good.clone(), 416),
        ("Require: multiple-refer, riddles\nRefer-To: <cid:cn35t8jf02@example.com>", good.clone(), 420),
    ] {
        assert_eq!(chat.refer_with(alice, lines, refer_list(&entries)).code(), code, "{lines} {entries:.80}");
    }
    assert_eq!(chat.unread(bob), [""; 0]);
}
