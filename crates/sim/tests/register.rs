//! The registrar of the domain (RFC 3261 §10, RFC 3327): where users are reached, and who may say so.

use std::time::Duration;

use sim::people::{Chat, SipMessage};
use sim::stage::Phone;

/// A REGISTER and its answer. `lines` are further header fields.
fn register(chat: &mut Chat, phone: Phone, (from, to): (&str, &str), cseq: u32, lines: &str) -> SipMessage {
    let text = format!(
        "REGISTER sip:chat.example.com SIP/2.0\r\n\
         Via: SIP/2.0/TCP 192.0.2.101:5060;branch=z9hG4bKreg{cseq}{}\r\n\
         Max-Forwards: 70\r\nFrom: <{from}>;tag=reg\r\nTo: <{to}>\r\nCall-ID: reg@example.net\r\n\
         CSeq: {cseq} REGISTER\r\n{lines}Content-Length: 0\r\n\r\n",
        lines.len()
    );
    chat.stage.send_octets(phone, text.into_bytes());
    SipMessage::read(&chat.stage.heard(phone))
}

const ALICE: (&str, &str) = ("sip:alice@chat.example.com", "sip:alice@chat.example.com");

fn contacts(answer: &SipMessage) -> Vec<String> {
    answer.all("Contact").map(str::to_owned).collect()
}

#[test]
fn a_user_says_where_it_is_reached_asks_and_takes_it_back() {
    let mut chat = Chat::new();
    let phone = chat.stage.phone();
    let path = "Supported: path\r\nPath: <sip:edge.example.com;lr>\r\n";
    let made = register(&mut chat, phone, ALICE, 1, &format!("{path}Contact: <sip:a@192.0.2.101>;expires=600\r\n"));
    assert_eq!((made.code(), contacts(&made)), (200, vec!["<sip:a@192.0.2.101>;expires=600".to_owned()]));
    assert_eq!(made.header("Path"), Some("<sip:edge.example.com;lr>"));
    // Another one, with the default time, cut to what is granted at most.
    let more = register(&mut chat, phone, ALICE, 2, "Contact: <sip:b@192.0.2.101>\r\nExpires: 999999\r\n");
    assert_eq!(contacts(&more)[1], "<sip:b@192.0.2.101>;expires=3600");
    chat.stage.pass(Duration::from_secs(100));
    let asked = register(&mut chat, phone, ALICE, 3, "");
    assert_eq!(contacts(&asked)[0], "<sip:a@192.0.2.101>;expires=500");
    // The same place written otherwise is renewed, not doubled.
    let renewed = register(&mut chat, phone, ALICE, 4, "Contact: <sip:a@192.0.2.101:5060>;expires=0\r\n");
    assert_eq!(renewed.code(), 200);
    chat.stage.pass(Duration::from_secs(600));
    let left = register(&mut chat, phone, ALICE, 5, "");
    assert_eq!(contacts(&left), ["<sip:b@192.0.2.101>;expires=2900"]);
    let none = register(&mut chat, phone, ALICE, 6, "Contact: *\r\nExpires: 0\r\n");
    assert_eq!((none.code(), contacts(&none)), (200, vec![]));
}

// THREATS T20
#[test]
fn one_registers_oneself_alone_and_within_bounds() {
    let mut chat = Chat::new();
    let phone = chat.stage.phone();
    let many: String = (0..60).map(|nth| format!("Contact: <sip:a{nth}@192.0.2.101>\r\n")).collect();
    let few: String = (0..10).map(|nth| format!("Contact: <sip:a{nth}@192.0.2.101>\r\n")).collect();
    let bob = "sip:bob@chat.example.com";
    for (case, (who, lines, code)) in [
        ((ALICE.0, bob), "Contact: <sip:a@192.0.2.101>\r\n", 403),
        ((ALICE.0, "sip:alice@elsewhere.example.com"), "Contact: <sip:a@192.0.2.101>\r\n", 404),
        (ALICE, "Contact: *\r\nExpires: 60\r\n", 400),
        (ALICE, "Contact: *\r\n", 400),
        (ALICE, "Contact: *, <sip:a@192.0.2.101>\r\nExpires: 0\r\n", 400),
        (ALICE, "Contact: <sip:a@192.0.2.101>;expires=59\r\n", 423),
        (ALICE, "Contact: <mailto:a@example.com>\r\n", 400),
        (ALICE, &many, 403),
        (ALICE, &few, 200),
        (ALICE, "Contact: <sip:one@192.0.2.101>\r\n", 403),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = register(&mut chat, phone, who, case as u32 + 1, lines);
        assert_eq!(answer.code(), code, "{who:?} {lines}");
        assert_eq!(answer.header("Min-Expires").is_some(), code == 423);
    }
    // What was refused has changed nothing.
    let left = register(&mut chat, phone, ALICE, 100, "");
    assert_eq!(contacts(&left).len(), 10);
    // Neither does what was overtaken.
    let late = register(&mut chat, phone, ALICE, 5, "Contact: <sip:a3@192.0.2.101>;expires=0\r\n");
    assert_eq!(late.code(), 500);
}

// THREATS T20 T22
#[test]
fn who_logs_in_registers_by_its_login() {
    let realm = "chat.example.com".to_owned();
    let mut chat = Chat::with(|settings| settings.auth = focus::settings::Auth::Digest { realm, md5: true });
    let phone = chat.stage.phone();
    let refused = register(&mut chat, phone, ALICE, 1, "Contact: <sip:a@192.0.2.101>\r\n");
    assert_eq!(refused.code(), 401);
    assert_eq!(contacts(&refused), Vec::<String>::new());
}
