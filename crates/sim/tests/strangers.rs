//! What strangers send to the focus: methods without credentials, strays without a call, octets that are no message. Whoever talks
//! notices nothing.

use sim::people::{Chat, SipMessage};
use sim::stage::Phone;

fn request(method: &str, uri: &str, number: u32, more: &str) -> Vec<u8> {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.101:5060;branch=z9hG4bKstray{method}{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:mallory@chat.example.com>;tag=m{number}\r\nTo: <sip:lobby@chat.example.com>{more}\r\n\
         Call-ID: stray{number}@example.net\r\nCSeq: 1 {method}\r\nContact: <sip:mallory@192.0.2.101>\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// The codes that have come to a phone, the final ones.
fn codes(chat: &mut Chat, phone: Phone) -> Vec<u16> {
    let mut codes = Vec::new();
    while !chat.stage.is_silent(phone) {
        codes.push(SipMessage::read(&chat.stage.heard(phone)).code());
    }
    codes
}

// THREATS T22 CVE-2021-37624 CVE-2021-41157 CVE-2026-116779
#[test]
fn no_method_passes_without_credentials() {
    let realm = "chat.example.com".to_owned();
    let mut chat = Chat::with(|settings| settings.auth = focus::settings::Auth::Digest { realm, md5: true });
    let phone = chat.stage.udp_phone();
    let lobby = "sip:lobby@chat.example.com";
    for (number, (method, uri, code)) in [
        ("INVITE", lobby, 401),
        ("REGISTER", "sip:chat.example.com", 401),
        ("OPTIONS", lobby, 401),
        ("OPTIONS", "sip:chat.example.com", 200),
        ("MESSAGE", lobby, 405),
        ("SUBSCRIBE", lobby, 401),
        ("REFER", lobby, 401),
        ("PUBLISH", lobby, 405),
        ("INFO", lobby, 405),
        ("PRACK", lobby, 405),
        ("NOTIFY", lobby, 481),
        ("FOO", lobby, 405),
        ("UPDATE", lobby, 481),
        ("BYE", lobby, 481),
        ("CANCEL", lobby, 481),
    ]
    .into_iter()
    .enumerate()
    {
        chat.stage.send_octets(phone, request(method, uri, number as u32, ""));
        assert_eq!(codes(&mut chat, phone), [code], "{method} {uri}");
    }
    assert_eq!(chat.stage.node.signalling().census(), [0, 2]);
}

// THREATS T16 T23
#[test]
fn a_datagram_from_elsewhere_moves_no_dialog_before_it_has_proven_whose_it_is() {
    let realm = "chat.example.com".to_owned();
    let mut chat = Chat::with(|settings| settings.auth = focus::settings::Auth::Digest { realm, md5: false });
    chat.open_account("alice", "wonder", &[]);
    let caller = sim::people::Caller::new("alice").with_login("alice", "wonder").by_udp();
    let alice = chat.join(&caller);
    let elsewhere = chat.stage.udp_phone();
    let offer = chat.later_offer(alice, &caller);
    chat.stage.send_octets(elsewhere, offer);
    assert_eq!(codes(&mut chat, elsewhere), [401]);
    chat.stage.pass(std::time::Duration::from_secs(1));
    let more = codes(&mut chat, elsewhere);
    assert!(more.iter().all(|code| *code == 401), "nothing else goes there: {more:?}");
    // From where she was it needs no proof, and she is still heard.
    assert_eq!(chat.offer_again(alice, &caller).code(), 200);
    chat.leave(alice);
}

// THREATS CVE-2021-41145
#[test]
fn sixty_thousand_strays_disturb_nobody() {
    let mut chat = Chat::new();
    let [alice, bob] = chat.all(["alice", "bob"]);
    let phone = chat.stage.udp_phone();
    let before = chat.stage.node.signalling().census();
    for number in 0..15_000 {
        for method in ["BYE", "ACK", "CANCEL", "NOTIFY"] {
            chat.stage.send_octets(phone, request(method, "sip:lobby@chat.example.com", number, ";tag=nobody"));
        }
        if number % 5000 == 0 {
            chat.say(alice, "Do you hear me?");
            chat.hears(bob, "Do you hear me?");
        }
    }
    let codes = codes(&mut chat, phone);
    assert!(codes.iter().all(|code| [481, 405, 503].contains(code)), "{:?}", codes.iter().max());
    assert_eq!(chat.stage.node.signalling().census(), before);
    chat.say(bob, "I do");
    chat.hears(alice, "I do");
}

// THREATS T9 T34 CVE-2026-45103
#[test]
fn octets_that_are_no_sound_message_are_answered_as_far_as_they_can_be() {
    let mut chat = Chat::new();
    let [alice, bob] = chat.all(["alice", "bob"]);
    let phone = chat.stage.udp_phone();
    let sound = String::from_utf8(request("OPTIONS", "sip:chat.example.com", 1, "")).unwrap();
    let lying = sound.replace("Content-Length: 0", "Content-Length: 18446744073709551615");
    chat.stage.send_octets(phone, lying.into_bytes());
    assert_eq!(codes(&mut chat, phone), [400]);
    // Octets that are not UTF-8 in a field that decides nothing come back as they were.
    let odd = sound.replace("To: <sip:lobby@chat.example.com>", "To: \"\u{7f}X\" <sip:lobby@chat.example.com>");
    let octets: Vec<u8> = odd.bytes().map(|octet| if octet == 0x7f { 0xe9 } else { octet }).collect();
    chat.stage.send_octets(phone, octets);
    assert_eq!(codes(&mut chat, phone), [200]);
    for octets in [&b""[..], b"\0", b"\r\n\r\n", b"garbage", b"SIP/2.0 200 OK\r\n\r\n", &[0xff; 1500]] {
        chat.stage.send_octets(phone, octets.to_vec());
    }
    chat.say(alice, "All is well");
    chat.hears(bob, "All is well");
}
