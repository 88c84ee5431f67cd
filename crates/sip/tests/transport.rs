//! How messages travel: RFC 3261 §18, RFC 3581, RFC 5626 §3.5.1.

mod support;

use sip::{Answer, ConnectionId, Destination, Failure, Hop, Input, Method, Outgoing, Transport};
use support::{ALICE, Bench, CONTACT, LOCAL, Peer, at, outgoing, request};

fn datagram(remote: &str) -> Hop {
    Hop::Datagram { local: Some(at(LOCAL)), remote: at(remote) }
}

// CONFORMANCE 3261-18.2.1-1, 3261-18.2.2-2, 3581-4-1. THREATS T16.
#[test]
fn responses_go_to_the_source_address_and_the_port_that_via_asks_for() {
    // via, where it goes, what via becomes
    let table = [
        ("192.0.2.1", "192.0.2.1:5060", "192.0.2.1;branch=z9hG4bKx"),
        ("192.0.2.1:5099", "192.0.2.1:5099", "192.0.2.1:5099;branch=z9hG4bKx"),
        ("192.0.2.1:5099;rport", "192.0.2.1:6000", "192.0.2.1:5099;branch=z9hG4bKx;rport=6000;received=192.0.2.1"),
        ("a.example.com", "192.0.2.1:5060", "a.example.com;branch=z9hG4bKx;received=192.0.2.1"),
        ("10.1.1.1:5070;rport", "192.0.2.1:6000", "10.1.1.1:5070;branch=z9hG4bKx;rport=6000;received=192.0.2.1"),
        ("10.1.1.1;received=203.0.113.9", "192.0.2.1:5060", "10.1.1.1;branch=z9hG4bKx;received=192.0.2.1"),
        ("192.0.2.1;maddr=203.0.113.9", "192.0.2.1:5060", "192.0.2.1;branch=z9hG4bKx;maddr=203.0.113.9"),
    ];
    for (via, hop, written) in table {
        let mut r = Bench::new();
        r.peer = Peer::Datagram(at("192.0.2.1:6000"));
        let (host, params) =
            via.split_once(';').map_or((via, String::new()), |(host, rest)| (host, format!(";{rest}")));
        let row = format!("SIP/2.0/UDP {host};branch=z9hG4bKx{params}, SIP/2.0/TCP b.example.com;branch=z9hG4bKy");
        r.a(request("OPTIONS", 1).row("Via", &row));
        r.respond(Answer::new(200));
        assert_eq!(r.last_hop(), datagram(hop), "{via}");
        let expected = format!("SIP/2.0/UDP {written}, SIP/2.0/TCP b.example.com;branch=z9hG4bKy");
        assert_eq!(r.last_response().header("Via"), Some(&*expected), "{via}");
    }
}

#[test]
fn an_ipv6_sender_is_recognised_in_brackets() {
    let mut r = Bench::new();
    r.peer = Peer::Datagram(at("[2001:db8::1]:5060"));
    r.a(request("OPTIONS", 1).row("Via", "SIP/2.0/UDP [2001:DB8::1];branch=z9hG4bKx"));
    r.respond(Answer::new(200));
    assert_eq!(r.last_response().header("Via"), Some("SIP/2.0/UDP [2001:DB8::1];branch=z9hG4bKx"));
    assert_eq!(r.last_hop(), datagram("[2001:db8::1]:5060"));
}

// CONFORMANCE 3261-17.1.1.2-1.
#[test]
fn on_a_stream_a_call_needs_no_repetition_by_the_transactions() {
    let mut r = Bench::tcp();
    r.a(request("OPTIONS", 1));
    r.respond(Answer::new(200));
    assert_eq!(r.endpoint.counts().server_transactions, 0);
    assert_eq!(r.last_hop(), r.tcp_hop());
    r.request(Outgoing { destination: Destination::Connection(ConnectionId(1)), ..outgoing(Method::OPTIONS) });
    r.pass_ms(31_000);
    r.expect("event Request OPTIONS\nR: 200 OPTIONS\nR: OPTIONS");
    r.pass_ms(2_000);
    r.expect("event Failed Timeout");
}

#[test]
fn a_ping_is_answered_by_a_pong() {
    let mut r = Bench::tcp();
    r.octets(b"\r\n\r\n".to_vec());
    r.expect("R: pong");
    r.octets(b"\r\n".to_vec());
    r.expect_silence();
}

#[test]
fn a_message_may_come_in_any_pieces() {
    let mut r = Bench::tcp();
    let text: String = request("OPTIONS", 1).into();
    let text = text.replace('\n', "\r\n").trim_end().to_owned() + "\r\nContent-Length: 0\r\n\r\n";
    for octet in text.bytes() {
        r.expect_silence();
        r.octets(vec![octet]);
    }
    r.expect("event Request OPTIONS");
}

// CONFORMANCE 3261-18.2.2-1.
#[test]
fn a_response_to_a_connection_that_is_gone_goes_over_a_new_one_to_the_same_host() {
    let mut r = Bench::tcp();
    r.a(request("INVITE", 1).row("Via", "SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bKx"));
    r.input(Input::Closed { connection: ConnectionId(1) });
    r.respond(Answer::new(486));
    r.expect(
        "event Request INVITE
         connect TCP 192.0.2.1:5070
         R: 486 INVITE",
    );
    assert_eq!(r.last_hop(), Hop::Connection(r.connects[0].0));
}

// CONFORMANCE 3261-18.1.1-2.
#[test]
fn a_connection_is_used_again_for_the_same_address() {
    let mut r = Bench::new();
    let destination = Destination::address(Transport::Tcp, at("192.0.2.1:5061"));
    r.request(Outgoing { destination: destination.clone(), ..outgoing(Method::OPTIONS) });
    r.request(Outgoing { destination, ..outgoing(Method::OPTIONS) });
    r.expect("connect TCP 192.0.2.1:5061\nR: OPTIONS\nR: OPTIONS");
}

// CONFORMANCE 3261-17.1.4-1, 3261-8.1.3.1-1.
#[test]
fn requests_on_a_connection_that_fails_fail_at_once() {
    let mut r = Bench::new();
    let destination = Destination::address(Transport::Tcp, at("192.0.2.1:5061"));
    r.request(Outgoing { destination: destination.clone(), ..outgoing(Method::OPTIONS) });
    r.invite(Outgoing { destination, ..outgoing(Method::INVITE).contact(CONTACT) });
    r.input(Input::Closed { connection: r.connects[0].0 });
    r.expect(&format!(
        "connect TCP 192.0.2.1:5061
         R: OPTIONS
         R: INVITE
         event Failed {0:?}
         event Failed {0:?}",
        Failure::Transport
    ));
    r.pass_ms(64_000);
    r.expect_silence();
}

// CONFORMANCE 3261-18.1.1-1.
#[test]
fn a_request_too_large_for_a_datagram_goes_over_tcp() {
    let mut r = Bench::new();
    r.request(outgoing(Method::MESSAGE).body("text/plain", vec![b'x'; 1300]));
    r.expect("connect TCP 192.0.2.1:5060\nR: MESSAGE");
    assert!(r.last_request("MESSAGE").header("Via").unwrap().starts_with("SIP/2.0/TCP "));
    let connection = r.connects[0].0;
    r.input(Input::Opened { connection, transport: Transport::Tcp, local: at(LOCAL), remote: at(ALICE) });
    r.peer = Peer::Stream(connection);
    r.a_answers("MESSAGE", 200, &[]);
    r.expect("event Answered 200");
}

// CONFORMANCE 3261-18.1.1-1.
#[test]
fn where_no_tcp_is_to_be_had_it_goes_in_a_datagram_all_the_same() {
    let mut r = Bench::new();
    r.request(outgoing(Method::MESSAGE).body("text/plain", vec![b'x'; 1300]));
    r.input(Input::Closed { connection: r.connects[0].0 });
    r.expect("connect TCP 192.0.2.1:5060\nR: MESSAGE\nR: MESSAGE");
    assert!(r.last_request("MESSAGE").header("Via").unwrap().starts_with("SIP/2.0/UDP "));
    r.pass_ms(500);
    r.expect("R: MESSAGE");
    r.a_answers("MESSAGE", 200, &[]);
    r.expect("event Answered 200");
}

#[test]
fn a_websocket_message_is_a_sip_message() {
    let mut r = Bench::new();
    r.open(1, Transport::Ws);
    r.peer = Peer::Stream(ConnectionId(1));
    r.a(request("OPTIONS", 1).row("Via", "SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKx"));
    r.respond(Answer::new(200));
    r.octets(b"\r\n\r\n".to_vec());
    r.expect("event Request OPTIONS\nR: 200 OPTIONS\nR: pong");
}

#[test]
fn a_stream_that_lost_its_framing_is_answered_and_closed() {
    let mut r = Bench::tcp();
    let text: String = request("OPTIONS", 1).row("Content-Length", "x").into();
    r.octets(text.replace('\n', "\r\n").into_bytes());
    r.expect("R: 400 OPTIONS\nclose 1");
}

#[test]
fn a_message_that_does_not_come_to_its_end_closes_its_stream() {
    // THREATS T5
    let mut r = Bench::tcp();
    r.octets(b"OPTIONS sip:".to_vec());
    r.pass_ms(20_000);
    r.octets(b"a@example.com".to_vec());
    r.pass_ms(9_999);
    r.expect_silence();
    r.pass_ms(1);
    r.expect("close 1");
    assert_eq!((r.endpoint.counts().connections, r.endpoint.poll_timeout()), (0, None));
}

#[test]
fn the_time_begins_anew_with_each_message() {
    let mut r = Bench::tcp();
    let text: String = request("OPTIONS", 1).into();
    let text = text.replace('\n', "\r\n").trim_end().to_owned() + "\r\nContent-Length: 0\r\n\r\nOPTIONS";
    let (first, second) = text.split_at(100);
    r.octets(first.as_bytes().to_vec());
    r.pass_ms(29_000);
    r.octets(second.as_bytes().to_vec());
    r.pass_ms(29_000);
    r.expect("event Request OPTIONS\nR: 100 OPTIONS");
    r.pass_ms(1_000);
    r.expect("close 1");
}

#[test]
fn too_many_connections_are_closed() {
    let mut config = support::config();
    config.limits.connections = 2;
    let mut r = Bench::with(config);
    for id in 1..=3 {
        r.open(id, Transport::Tcp);
    }
    r.expect("close 3");
    let destination = Destination::address(Transport::Tcp, at("192.0.2.9:5060"));
    let options = Outgoing { destination, ..outgoing(Method::OPTIONS) };
    assert_eq!(r.endpoint.request(r.now, options), Err(sip::Refused::Full));
}
