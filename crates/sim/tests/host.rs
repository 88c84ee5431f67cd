//! A node that is a user's own focus (RFC 7701 §4): it registers her address of record (RFC 3261 §10.2), takes calls from her registrar
//! alone, and calls in her name.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::time::Duration;

use focus::desk::{Answer, Command, Refusal};
use focus::settings::{Create, Network, Owner, Registration, SipAddress};
use focus::signalling::{Input, News};
use sim::people::{Caller, Chat, SipMessage};
use sim::stage::Phone;
use sip::auth::Credentials;
use sip::typed::Uri;
use sip::{Destination, Transport};

const ALICE: &str = "sip:alice@example.com";
const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Alice's node, which has not yet registered, and her registrar and proxy.
fn alices() -> (Chat, Phone) {
    let registrar = ([192, 0, 2, 101], 5060).into();
    let mut chat = Chat::with(|settings| {
        let registration = Registration {
            registrar: Destination::address(Transport::Udp, registrar),
            room: "lobby".to_owned(),
            expires: SECONDS(600),
        };
        settings.owner = Some(Owner {
            uri: Uri::parse(ALICE).unwrap(),
            credentials: Some(Credentials::new("alice", "wonder").for_realm("example.com")),
            registration: Some(registration),
        });
        settings.rooms.create = Create::Nobody;
        settings.outbound_proxy = Uri::parse("sip:192.0.2.101:5060;transport=udp").ok();
        settings.peers = Some(vec![Network { address: registrar.ip(), prefix: 32 }]);
        let host = "192.0.2.1".to_owned();
        settings.sip.insert(0, SipAddress { transport: Transport::Udp, host, port: 5060 });
    });
    let phone = chat.stage.udp_phone();
    assert_eq!(phone.address(), registrar);
    chat.stage.pass(Duration::ZERO);
    (chat, phone)
}

/// The same, registered for these seconds.
fn registered(seconds: u32) -> (Chat, Phone, SipMessage) {
    let (mut chat, registrar) = alices();
    let register = next(&mut chat, registrar, "REGISTER");
    answer(&mut chat, registrar, &register, 200, &granted(&register, seconds));
    assert_eq!(news(&mut chat), [News::Registered]);
    (chat, registrar, register)
}

#[track_caller]
fn next(chat: &mut Chat, phone: Phone, method: &str) -> SipMessage {
    chat.next_request(phone, method).unwrap_or_else(|| panic!("no {method} has come"))
}

/// An answer with further header fields.
fn answer(chat: &mut Chat, phone: Phone, request: &SipMessage, code: u16, lines: &str) {
    let copied = |(name, _): &&(String, String)| ["Via", "From", "To", "Call-ID", "CSeq"].contains(&name.as_str());
    let tag = |name: &str| if name == "To" { ";tag=registrar" } else { "" };
    let rows = request.headers.iter().filter(copied).map(|(name, value)| format!("{name}: {value}{}\r\n", tag(name)));
    let rows: String = rows.collect();
    let text = format!("SIP/2.0 {code} {}\r\n{rows}{lines}Content-Length: 0\r\n\r\n", sip::reason_phrase(code));
    chat.stage.send_octets(phone, text.into_bytes());
}

/// The Contacts of a 200: another user agent's, and the one that was asked for.
fn granted(register: &SipMessage, seconds: u32) -> String {
    let contact = register.header("Contact").unwrap();
    format!("Contact: <sip:alice@192.0.2.77>;expires=9999, {contact};expires={seconds}\r\n")
}

fn challenge(name: &str, realm: &str) -> String {
    format!("{name}: Digest realm=\"{realm}\", nonce=\"n0nce\", qop=\"auth\", algorithm=SHA-256\r\n")
}

fn cseq(message: &SipMessage) -> u32 {
    message.header("CSeq").unwrap().split(' ').next().unwrap().parse().unwrap()
}

fn news(chat: &mut Chat) -> Vec<News> {
    std::mem::take(&mut chat.stage.news)
}

fn invite(chat: &mut Chat, uri: &str) -> Answer {
    chat.stage.order(Command::Invite { room: "lobby".to_owned(), uri: Uri::parse(uri).unwrap() })
}

#[test]
fn the_address_of_record_is_registered_with_the_room_for_its_contact() {
    let (mut chat, registrar) = alices();
    let first = next(&mut chat, registrar, "REGISTER");
    assert_eq!(first.start, "REGISTER sip:example.com SIP/2.0");
    assert_eq!(first.header("To"), Some("<sip:alice@example.com>"));
    assert!(first.header("From").unwrap().starts_with("<sip:alice@example.com>;tag="));
    assert_eq!(first.header("Expires"), Some("600"));
    assert_eq!(first.header("Authorization"), None);
    let contact = first.header("Contact").unwrap();
    assert!(contact.starts_with("<sip:lobby@192.0.2.1:5060>;methods="), "{contact}");
    assert!(contact.ends_with(";automata;isfocus;message;event=\"conference\""), "{contact}");
    // R: 401                A: REGISTER with credentials
    answer(&mut chat, registrar, &first, 401, &challenge("WWW-Authenticate", "example.com"));
    let second = next(&mut chat, registrar, "REGISTER");
    assert!(second.header("Authorization").unwrap().starts_with("Digest username=\"alice\", realm=\"example.com\""));
    assert_eq!((second.header("Call-ID"), cseq(&second)), (first.header("Call-ID"), cseq(&first) + 1));
    assert_eq!(news(&mut chat), []);
    // R: 200, for two minutes
    answer(&mut chat, registrar, &second, 200, &granted(&second, 120));
    assert_eq!(news(&mut chat), [News::Registered]);
    chat.stage.pass(SECONDS(59));
    assert_eq!(chat.unread(registrar), [""; 0]);
    // It is renewed in the middle, in the same call, and that is no news.
    chat.stage.pass(SECONDS(1));
    let third = next(&mut chat, registrar, "REGISTER");
    assert_eq!((third.header("Call-ID"), cseq(&third)), (first.header("Call-ID"), cseq(&second) + 1));
    answer(&mut chat, registrar, &third, 200, "Expires: 3600\r\n");
    assert_eq!(news(&mut chat), []);
    // A long one a minute before its end.
    chat.stage.pass(SECONDS(3539));
    assert_eq!(chat.unread(registrar), [""; 0]);
    chat.stage.pass(SECONDS(1));
    assert!(cseq(&next(&mut chat, registrar, "REGISTER")) > cseq(&third));
}

#[test]
fn a_registrar_that_wants_longer_gets_it_once() {
    let (mut chat, registrar) = alices();
    let register = next(&mut chat, registrar, "REGISTER");
    answer(&mut chat, registrar, &register, 423, "Min-Expires: 1800\r\n");
    let longer = next(&mut chat, registrar, "REGISTER");
    assert_eq!(longer.header("Expires"), Some("1800"));
    // What it has got it cannot want again; nor can it want a year.
    for least in ["1800", "31536000", "soon"] {
        answer(&mut chat, registrar, &longer, 423, &format!("Min-Expires: {least}\r\n"));
        assert_eq!(chat.unread(registrar), [""; 0]);
    }
    assert_eq!(news(&mut chat), [News::NotRegistered { code: Some(423), realm: None }]);
}

#[test]
fn what_fails_is_told_once_and_tried_again() {
    let (mut chat, registrar) = alices();
    let register = next(&mut chat, registrar, "REGISTER");
    // Nothing of the password is shown to a realm that is none of hers.
    answer(&mut chat, registrar, &register, 401, &challenge("WWW-Authenticate", "evil.example"));
    assert_eq!(news(&mut chat), [News::NotRegistered { code: Some(401), realm: Some("evil.example".to_owned()) }]);
    chat.stage.pass(SECONDS(30));
    let again = next(&mut chat, registrar, "REGISTER");
    answer(&mut chat, registrar, &again, 500, "");
    assert_eq!(news(&mut chat), []);
    chat.stage.pass(SECONDS(30));
    let again = next(&mut chat, registrar, "REGISTER");
    answer(&mut chat, registrar, &again, 200, &granted(&again, 600));
    assert_eq!(news(&mut chat), [News::Registered]);
    // A registrar that has gone: timer F, and it is told.
    chat.stage.pass(SECONDS(540 + 32));
    assert_eq!(news(&mut chat), [News::NotRegistered { code: None, realm: None }]);
}

#[test]
fn the_end_of_the_node_takes_the_registration_back_and_waits_for_that() {
    let (mut chat, registrar, first) = registered(600);
    chat.stage.tell(Input::ShutDown);
    let last = next(&mut chat, registrar, "REGISTER");
    assert_eq!((last.header("Expires"), last.header("Contact")), (Some("0"), first.header("Contact")));
    assert!(cseq(&last) > cseq(&first) && !chat.stage.finished);
    answer(&mut chat, registrar, &last, 401, &challenge("WWW-Authenticate", "example.com"));
    let proven = next(&mut chat, registrar, "REGISTER");
    assert_eq!(proven.header("Expires"), Some("0"));
    answer(&mut chat, registrar, &proven, 200, "");
    assert!(chat.stage.finished);
}

#[test]
fn an_end_that_crosses_a_register_takes_back_what_it_brings() {
    let (mut chat, registrar) = alices();
    let register = next(&mut chat, registrar, "REGISTER");
    chat.stage.tell(Input::ShutDown);
    assert_eq!(chat.unread(registrar), [""; 0]);
    answer(&mut chat, registrar, &register, 200, &granted(&register, 600));
    let last = next(&mut chat, registrar, "REGISTER");
    assert_eq!(last.header("Expires"), Some("0"));
    answer(&mut chat, registrar, &last, 200, "");
    assert!(chat.stage.finished);
    // Where it brings nothing, there is nothing to take back.
    let (mut chat, registrar) = alices();
    let register = next(&mut chat, registrar, "REGISTER");
    chat.stage.tell(Input::ShutDown);
    answer(&mut chat, registrar, &register, 403, "");
    assert!(chat.stage.finished);
    assert_eq!(chat.unread(registrar), [""; 0]);
    // And a registrar that is silent holds nobody up.
    let (mut chat, _, _) = registered(600);
    chat.stage.tell(Input::ShutDown);
    chat.stage.pass(SECONDS(4));
    assert!(chat.stage.finished);
}

// THREATS T22
#[test]
fn calls_come_from_the_registrar_s_address_alone() {
    let (mut chat, registrar, _) = registered(600);
    let elsewhere = chat.stage.phone();
    let bob = || Caller::new("bob").known_as("sip:bob@example.com");
    assert_eq!(chat.call_from(elsewhere, bob()).unwrap_err().code(), 403);
    let id = chat.options(elsewhere, bob());
    assert_eq!(chat.sip(elsewhere, &id).map(|answer| answer.code()), Some(403));
    // Who has come the other way is in.
    let bob = chat.call_from(registrar, bob().by_udp()).unwrap();
    assert!(chat.answer(bob).header("Contact").is_some_and(|contact| contact.contains(";isfocus")));
    assert_eq!(chat.stage.node.signalling().census()[0], 1);
    // Nobody makes another room there, or registers.
    let cellar = Caller::new("carol").to_room("sip:cellar@chat.example.com").by_udp();
    assert_eq!(chat.call_from(registrar, cellar).unwrap_err().code(), 404);
    let text = "REGISTER sip:chat.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.101;branch=z9hG4bKr\r\n\
        Max-Forwards: 70\r\nFrom: <sip:bob@chat.example.com>;tag=r\r\nTo: <sip:bob@chat.example.com>\r\nCall-ID: r\r\n\
        CSeq: 1 REGISTER\r\nContact: <sip:bob@192.0.2.101>\r\nContent-Length: 0\r\n\r\n";
    chat.stage.send_octets(registrar, text.into());
    assert_eq!(chat.sip(registrar, "r").map(|answer| answer.code()), Some(501));
}

// CONFORMANCE 4579-012
#[test]
fn who_is_invited_is_called_by_way_of_the_proxy_in_her_name() {
    let (mut chat, registrar, _) = registered(600);
    assert_eq!(invite(&mut chat, "sip:carol@example.com"), Answer::Done { ended: 0 });
    let first = next(&mut chat, registrar, "INVITE");
    assert_eq!(first.start, "INVITE sip:carol@example.com SIP/2.0");
    assert!(first.header("From").unwrap().starts_with("<sip:alice@example.com>;tag="));
    assert_eq!(first.header("Route"), Some("<sip:192.0.2.101:5060;transport=udp;lr>"));
    let contact = first.header("Contact").unwrap();
    assert!(contact.starts_with("<sip:lobby@192.0.2.1:5060>;") && contact.contains(";isfocus;"), "{contact}");
    assert_eq!(first.header("Proxy-Authorization"), None);
    answer(&mut chat, registrar, &first, 407, &challenge("Proxy-Authenticate", "example.com"));
    // With its proof it is too large for a datagram (RFC 3261 §18.1.1).
    let registrar = chat.stage.pick_up();
    let second = next(&mut chat, registrar, "INVITE");
    let proof = second.header("Proxy-Authorization").unwrap();
    assert!(proof.starts_with("Digest username=\"alice\", realm=\"example.com\""), "{proof}");
    chat.reply_to(registrar, &second, 180, None);
    assert_eq!(news(&mut chat), []);
    let callee = Caller::new("carol").known_as("sip:carol@example.com");
    let carol = chat.take_call(registrar, &second, callee);
    chat.bind(carol);
    let uri = "sip:carol@example.com".to_owned();
    assert_eq!(news(&mut chat), [News::Called { uri, code: 200 }]);
}

// THREATS T18
#[test]
fn no_other_realm_sees_anything_of_the_password() {
    for (code, name) in [(407, "Proxy-Authenticate"), (401, "WWW-Authenticate")] {
        let (mut chat, registrar, _) = registered(600);
        invite(&mut chat, "sip:carol@elsewhere.example");
        let first = next(&mut chat, registrar, "INVITE");
        answer(&mut chat, registrar, &first, code, &challenge(name, "elsewhere.example"));
        assert_eq!(chat.next_request(registrar, "INVITE"), None);
        let uri = "sip:carol@elsewhere.example".to_owned();
        assert_eq!(news(&mut chat), [News::Called { uri, code }]);
    }
}

#[test]
fn who_cannot_be_called_is_not_and_who_does_not_come_is_told() {
    let (mut chat, registrar, _) = registered(600);
    for uri in ["sip:lobby@chat.example.com", "sip:carol@example.com?Subject=x", "sip:c@example.com;maddr=192.0.2.9"] {
        assert_eq!(invite(&mut chat, uri), Answer::Refused(Refusal::Uncallable), "{uri}");
    }
    invite(&mut chat, "sip:carol@example.com");
    let call = next(&mut chat, registrar, "INVITE");
    answer(&mut chat, registrar, &call, 486, "");
    assert_eq!(news(&mut chat), [News::Called { uri: "sip:carol@example.com".to_owned(), code: 486 }]);
    assert_eq!(chat.stage.node.signalling().census()[0], 0);
}
