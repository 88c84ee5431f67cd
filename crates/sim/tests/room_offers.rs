//! Descriptions that come otherwise than in an INVITE: the room offers to who has made no offer, and UPDATE (RFC 3311).

use sim::people::{Caller, Chat, everywhere};
use sim::script::wire;
use sim::stage::Phone;

const PATH: &str = "msrp://alice.example.net:7654/late;tcp";

fn sdp(path: &str, setup: &str, chatroom: &str) -> String {
    wire(&format!(
        "
        v=0
        o=alice 1 1 IN IP4 alice.example.net
        s=-
        c=IN IP4 alice.example.net
        t=0 0
        m=message 7654 TCP/MSRP *
        a=accept-types:message/cpim
        a=accept-wrapped-types:*
        a=path:{path}
        a=setup:{setup}
        {chatroom}
        "
    ))
}

/// A request in the dialog that an INVITE without an offer has made.
fn request(phone: Phone, chat: &mut Chat, method: &str, cseq: u32, tag: Option<&str>, body: &str) {
    let tag = tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let text = format!(
        "{method} sip:lobby@chat.example.com SIP/2.0\r\n\
         Via: SIP/2.0/TCP 192.0.2.101:5060;branch=z9hG4bKlate{method}{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@chat.example.com>;tag=late\r\nTo: <sip:lobby@chat.example.com>{tag}\r\n\
         Call-ID: late@example.net\r\nCSeq: {cseq} {method}\r\nContact: <sip:alice@192.0.2.101;transport=tcp>\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    chat.stage.send_octets(phone, text.into_bytes());
}

/// What has come to a phone: the code or method, the tag of To, the description.
fn heard(chat: &mut Chat, phone: Phone) -> (String, String, String) {
    let text = chat.stage.heard(phone);
    let to = text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap_or_default();
    let tag = to.split_once(";tag=").map(|(_, tag)| tag.to_owned()).unwrap_or_default();
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (text.split(' ').take(2).collect::<Vec<_>>().join(" "), tag, body)
}

fn attribute(body: &str, name: &str) -> String {
    let prefix = format!("a={name}:");
    body.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default().to_owned()
}

fn bind(chat: &mut Chat, uri: &str) -> focus::node::LinkId {
    let link = chat.stage.connect(false);
    let bind = format!("MSRP bind SEND\r\nTo-Path: {uri}\r\nFrom-Path: {PATH}\r\nMessage-ID: bind\r\n-------bind$\r\n");
    chat.stage.say_octets(link, bind.as_bytes());
    link
}

// CONFORMANCE 3264-5-1
#[test]
fn who_makes_no_offer_gets_one_and_answers_it_in_the_ack() {
    for early in [false, true] {
        let mut chat = Chat::new();
        let bob = chat.join("bob");
        let phone = chat.stage.phone();
        request(phone, &mut chat, "INVITE", 1, None, "");
        let (start, tag, offer) = heard(&mut chat, phone);
        assert_eq!(start, "SIP/2.0 200");
        assert_eq!(
            (attribute(&offer, "accept-types").as_str(), attribute(&offer, "setup").as_str()),
            ("message/cpim", "actpass")
        );
        let uri = attribute(&offer, "path");
        // The media may be faster than the ACK: they wait for it.
        let link = early.then(|| bind(&mut chat, &uri));
        assert!(link.is_none_or(|link| chat.stage.pending(link).is_empty()));
        request(phone, &mut chat, "ACK", 1, Some(&tag), &sdp(PATH, "active", "a=chatroom:private-messages"));
        let link = link.unwrap_or_else(|| bind(&mut chat, &uri));
        assert!(chat.stage.frame(link).starts_with("MSRP bind 200 OK\r\n"));
        chat.say(bob, "At last");
        let frame = chat.stage.frame(link);
        assert!(frame.contains("At last") && frame.contains(PATH), "{frame}");
    }
}

#[test]
fn who_does_not_answer_the_offer_is_hung_up_on() {
    for body in [String::new(), "v=0\r\n".to_owned(), sdp(PATH, "passive", "a=chatroom")] {
        let mut chat = Chat::new();
        let phone = chat.stage.phone();
        request(phone, &mut chat, "INVITE", 1, None, "");
        let (_, tag, _) = heard(&mut chat, phone);
        request(phone, &mut chat, "ACK", 1, Some(&tag), &body);
        let (start, ..) = heard(&mut chat, phone);
        assert!(start.starts_with("BYE "), "{start} {body}");
    }
}

#[test]
fn a_later_invite_without_an_offer_gets_the_session_that_is() {
    let mut chat = Chat::new();
    let bob = chat.join("bob");
    let phone = chat.stage.phone();
    request(phone, &mut chat, "INVITE", 1, None, "");
    let (_, tag, first) = heard(&mut chat, phone);
    request(phone, &mut chat, "ACK", 1, Some(&tag), &sdp(PATH, "active", "a=chatroom"));
    let link = bind(&mut chat, &attribute(&first, "path"));
    chat.stage.frame(link);
    request(phone, &mut chat, "INVITE", 2, Some(&tag), "");
    let (start, _, second) = heard(&mut chat, phone);
    assert_eq!((start.as_str(), attribute(&second, "path")), ("SIP/2.0 200", attribute(&first, "path")));
    request(phone, &mut chat, "ACK", 2, Some(&tag), &sdp(PATH, "active", "a=chatroom"));
    chat.say(bob, "Still here");
    assert!(chat.stage.frame(link).contains("Still here"));
    assert!(chat.stage.is_silent(phone));
}

// CONFORMANCE 7701-031 7701-108
#[test]
fn an_update_changes_what_an_invite_can_change() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let caller = Caller::new("bob").with("chatroom", "");
        let path = chat.path(bob);
        let before = chat.switch_uri(bob);
        let answer = chat.within(bob, "UPDATE", caller.body(&path, 2));
        assert_eq!((answer.code(), answer.attribute("path")), (200, before.as_str()));
        let bobs = chat.uri(bob);
        assert_eq!(chat.send(alice, sim::people::to(&bobs, "psst")), Some(428));
        // Without a description it changes nothing.
        assert_eq!(chat.within(bob, "UPDATE", None).code(), 200);
        chat.say(alice, "Hello");
        chat.hears(bob, "Hello");
    });
}

#[test]
fn a_session_is_refreshed_by_an_offer_of_what_is() {
    let mut chat = Chat::new();
    let bob = chat.join("bob");
    let phone = chat.stage.phone();
    let offer = sdp(PATH, "active", "a=chatroom");
    let timer = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\nAllow: INVITE, ACK, BYE, CANCEL\r\n";
    let invite = format!(
        "INVITE sip:lobby@chat.example.com SIP/2.0\r\n\
         Via: SIP/2.0/TCP 192.0.2.101:5060;branch=z9hG4bKtimer\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@chat.example.com>;tag=late\r\nTo: <sip:lobby@chat.example.com>\r\n\
         Call-ID: late@example.net\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.101;transport=tcp>\r\n\
         {timer}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{offer}",
        offer.len()
    );
    chat.stage.send_octets(phone, invite.into_bytes());
    let (start, tag, first) = heard(&mut chat, phone);
    assert_eq!(start, "SIP/2.0 200");
    request(phone, &mut chat, "ACK", 1, Some(&tag), "");
    let link = bind(&mut chat, &attribute(&first, "path"));
    chat.stage.frame(link);
    for _ in 0..3 {
        // Half of the interval later (RFC 4028 §10).
        chat.stage.pass(std::time::Duration::from_secs(46));
        let refresh = chat.stage.heard(phone);
        assert!(refresh.starts_with("INVITE sip:alice@192.0.2.101;transport=tcp SIP/2.0\r\n"), "{refresh}");
        assert_eq!(attribute(&refresh, "path"), attribute(&first, "path"));
        let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            let prefix = format!("{name}: ");
            let row = refresh.lines().find(|line| line.starts_with(&prefix)).unwrap();
            answer.push_str(&format!("{row}\r\n"));
        }
        answer.push_str("Contact: <sip:alice@192.0.2.101;transport=tcp>\r\nSession-Expires: 90;refresher=uac\r\n");
        answer.push_str(&format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{offer}", offer.len()));
        chat.stage.send_octets(phone, answer.into_bytes());
        assert!(chat.stage.heard(phone).starts_with("ACK "));
        chat.say(bob, "Still here");
        assert!(chat.stage.frame(link).contains("Still here"));
    }
    // One that answers no more has no session any more.
    chat.stage.pass(std::time::Duration::from_secs(120));
    let mut rest = Vec::new();
    while !chat.stage.is_silent(phone) {
        rest.push(chat.stage.heard(phone));
    }
    assert!(rest.last().is_some_and(|last| last.starts_with("BYE ")), "{rest:?}");
}
