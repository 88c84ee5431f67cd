//! Where requests of the node go when the connection of a dialog is gone: the name that the user agent gave is looked for, and only
//! networks that the node may reach are called.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use focus::settings::Network;
use sim::stage::{Stage, World, settings};

/// A stage on which somebody has joined whose Contact is `phone.example.net`, and whose SIP connection is gone. The seat was never
/// bound, so that the node soon wants to say BYE.
fn left_alone(reachable: [u8; 4], contact: &str) -> Stage {
    let mut settings = settings(Instant::now());
    settings.outbound = vec![Network { address: IpAddr::from(reachable), prefix: 24 }];
    let mut stage = Stage::new(settings);
    let phone = stage.phone();
    let invite = "
        INVITE sip:lobby@chat.example.com SIP/2.0
        Via: SIP/2.0/TCP phone.example.net:5060;branch=z9hG4bK1
        Max-Forwards: 70
        From: <sip:alice@example.net>;tag=a
        To: <sip:lobby@chat.example.com>
        Call-ID: one
        CSeq: 1 INVITE
        Contact: <CONTACT>
        Content-Type: application/sdp
        Content-Length: *

        v=0
        o=- 1 1 IN IP4 phone.example.net
        s=-
        c=IN IP4 phone.example.net
        m=message 7654 TCP/MSRP *
        a=accept-types:message/cpim text/plain
        a=path:msrp://phone.example.net:7654/jshA7weztas;tcp
        a=chatroom:nickname
        ";
    stage.send(phone, &invite.replace("CONTACT", contact));
    let answer = stage.heard(phone);
    let to = answer.lines().find(|line| line.starts_with("To:")).expect("there is a To");
    let ack = "
        ACK sip:lobby@chat.example.com SIP/2.0
        Via: SIP/2.0/TCP phone.example.net:5060;branch=z9hG4bK2
        Max-Forwards: 70
        From: <sip:alice@example.net>;tag=a
        ANSWERED
        Call-ID: one
        CSeq: 1 ACK
        Content-Length: 0

        ";
    stage.send(phone, &ack.replace("ANSWERED", to.trim()));
    stage.hang(phone);
    stage.hosts.insert("phone.example.net".to_owned(), vec![[10, 0, 0, 7].into(), [198, 51, 100, 7].into()]);
    stage
}

fn called(stage: &Stage) -> Vec<String> {
    stage.called.iter().map(|(transport, remote)| format!("{} {remote}", transport.via_token())).collect()
}

// CONFORMANCE 3263-4-2 3263-4.2-3
#[test]
fn who_is_gone_is_looked_for_by_name_and_called_where_that_is_allowed() {
    let mut stage = left_alone([198, 51, 100, 0], "sip:alice@phone.example.net;transport=tcp");
    stage.pass(Duration::from_secs(120));
    assert_eq!(called(&stage), ["TCP 198.51.100.7:5060"]);
}

// CONFORMANCE 3263-4.2-3
#[test]
fn nobody_is_called_where_the_node_may_not_go() {
    for contact in ["sip:alice@phone.example.net;transport=tcp", "sip:alice@127.0.0.1:5432;transport=tcp"] {
        let mut stage = left_alone([203, 0, 113, 0], contact);
        stage.pass(Duration::from_secs(120));
        assert_eq!(called(&stage), [""; 0], "{contact}");
        assert_eq!(stage.node.signalling().census()[0], 0, "and the dialog is over");
    }
}

#[test]
fn a_silent_dns_holds_nobody() {
    for world in [World::IsSilent, World::Fails] {
        let mut stage = left_alone([198, 51, 100, 0], "sip:alice@phone.example.net;transport=tcp");
        stage.world = world;
        stage.pass(Duration::from_secs(120));
        assert_eq!(called(&stage), [""; 0], "{world:?}");
        assert_eq!(stage.node.signalling().census()[0], 0, "{world:?}");
    }
}
