//! Where requests of our own go when their way has to be found, and where they go next: RFC 3261 §8.1.2, RFC 3263 §4.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use sip::locate::{Answer, Srv, Supported};
use sip::typed::Uri;
use sip::{Config, ConnectionId, Destination, Event, Failure, Hop, Input, Method, Network, Outgoing};
use support::{ALICE, Bench, CONTACT, at, config, outgoing, request};

/// A request to somebody at a name.
fn to_name(method: Method, target: &str) -> Outgoing {
    Outgoing { target: target.to_owned(), destination: Destination::Located, ..outgoing(method) }
}

fn addresses(all: &[&str]) -> Answer {
    Answer::Addresses(all.iter().map(|address| address.parse().unwrap()).collect())
}

fn nothing() -> Answer {
    Answer::Addresses(Vec::new())
}

fn servers(all: &[(u16, &str)]) -> Answer {
    let record = |(priority, target): &(u16, &str)| Srv {
        priority: *priority,
        weight: 1,
        port: 5070,
        target: (*target).to_owned(),
    };
    Answer::Servers(all.iter().map(record).collect())
}

// CONFORMANCE 3263-4-1
#[test]
fn a_request_goes_where_the_dns_says() {
    let mut r = Bench::new();
    r.request(to_name(Method::OPTIONS, "sip:alice@example.com"));
    r.expect("ask Services(\"example.com\")");
    r.dns(nothing());
    r.expect("ask Servers(\"_sip._udp.example.com\")");
    r.dns(servers(&[(0, "edge.example.com")]));
    r.expect("ask Addresses(\"edge.example.com\")");
    r.dns(addresses(&["192.0.2.7"]));
    r.expect("R: OPTIONS");
    assert_eq!(r.last_hop(), Hop::Datagram { local: None, remote: at("192.0.2.7:5070") });
    assert_eq!(r.last_request("OPTIONS").uri, "sip:alice@example.com");
    r.a_answers("OPTIONS", 200, &[]);
    r.expect("event Answered 200");
}

// CONFORMANCE 3263-4-1
#[test]
fn an_address_needs_no_dns_and_a_route_comes_before_the_target() {
    let mut r = Bench::new();
    let mut outgoing = to_name(Method::OPTIONS, "sip:alice@example.com");
    outgoing.route = vec!["<sip:192.0.2.20:5080;transport=tcp;lr>".to_owned()];
    r.request(outgoing);
    r.expect("connect TCP 192.0.2.20:5080\nR: OPTIONS");
    assert_eq!(r.last_request("OPTIONS").header("Route"), Some("<sip:192.0.2.20:5080;transport=tcp;lr>"));
}

// CONFORMANCE 3263-4.3-1
#[test]
fn what_leads_nowhere_is_tried_elsewhere() {
    let mut r = Bench::new();
    r.invite(to_name(Method::INVITE, "sip:alice@example.com;transport=tcp").contact(CONTACT));
    r.dns(servers(&[(0, "one"), (1, "two"), (2, "three")]));
    r.dns(addresses(&["192.0.2.11"]));
    r.dns(addresses(&["192.0.2.12"]));
    r.dns(addresses(&["192.0.2.13"]));
    r.expect(
        "ask Servers(\"_sip._tcp.example.com\")
         ask Addresses(\"one\")
         ask Addresses(\"two\")
         ask Addresses(\"three\")
         connect TCP 192.0.2.11:5070
         R: INVITE",
    );
    let first = r.last_request("INVITE");
    // No connection is to be had.
    r.disconnected();
    r.expect("connect TCP 192.0.2.12:5070\nR: INVITE");
    let second = r.last_request("INVITE");
    assert_ne!(first.header("Via"), second.header("Via"), "a transaction of its own");
    for same in ["Call-ID", "CSeq", "From", "To"] {
        assert_eq!(first.header(same), second.header(same), "{same}");
    }
    // It is there, but overloaded.
    r.connected();
    r.a_answers("INVITE", 503, &[]);
    r.expect("R: ACK\nconnect TCP 192.0.2.13:5070\nR: INVITE");
    r.connected();
    r.a_answers("INVITE", 200, &[("Contact", "<sip:alice@192.0.2.13;transport=tcp>")]);
    r.expect("R: ACK\nevent Accepted 200");
    assert_eq!(r.last_hop(), Hop::Connection(r.connects[2].0), "the dialog goes the way that led there");
}

// CONFORMANCE 3263-4.3-1
#[test]
fn who_does_not_answer_at_all_is_passed_over_and_the_last_one_counts() {
    let mut r = Bench::new();
    r.request(to_name(Method::OPTIONS, "sip:alice@example.com:5060"));
    r.dns(addresses(&["192.0.2.11", "192.0.2.12"]));
    assert_eq!(r.last_hop(), Hop::Datagram { local: None, remote: at("192.0.2.11:5060") });
    r.pass_ms(32_000);
    assert_eq!(r.last_hop(), Hop::Datagram { local: None, remote: at("192.0.2.12:5060") });
    r.pass_ms(31_999);
    assert!(r.events.is_empty());
    r.pass_ms(1);
    assert!(matches!(r.events.back(), Some(Event::Failed { failure: Failure::Timeout, .. })));
    // The answer of the last one is the answer.
    r.request(to_name(Method::OPTIONS, "sip:alice@192.0.2.1"));
    r.a_answers("OPTIONS", 503, &[]);
    assert!(matches!(r.events.back(), Some(Event::Answered { response, .. }) if response.code == 503));
}

// CONFORMANCE 3263-4.3-1
#[test]
fn what_rings_somewhere_is_not_tried_elsewhere() {
    let mut r = Bench::new();
    r.invite(to_name(Method::INVITE, "sip:alice@example.com:5060;transport=tcp").contact(CONTACT));
    r.dns(addresses(&["192.0.2.11", "192.0.2.12"]));
    r.connected();
    r.a_answers("INVITE", 180, &[("Contact", "<sip:alice@192.0.2.11>")]);
    r.disconnected();
    assert!(matches!(r.events.back(), Some(Event::Failed { failure: Failure::Transport, .. })));
    assert_eq!(r.connects.len(), 1);
}

#[test]
fn what_cannot_be_located_fails() {
    let mut r = Bench::new();
    r.request(to_name(Method::OPTIONS, "sip:alice@example.com:5060"));
    r.dns(nothing());
    r.expect("ask Addresses(\"example.com\")\nevent Failed Transport");
    r.request(to_name(Method::OPTIONS, "sip:alice@192.0.2.1;transport=sctp"));
    r.expect("event Failed Transport");
    // A DNS that says nothing, and one that says it too late.
    r.request(to_name(Method::OPTIONS, "sip:alice@example.com:5060"));
    r.pass_ms(31_999);
    r.expect("ask Addresses(\"example.com\")");
    r.pass_ms(1);
    r.expect("event Failed Transport");
    r.dns(addresses(&["192.0.2.11"]));
    r.expect_silence();
    assert_eq!(r.endpoint.counts().client_transactions, 0);
    assert_eq!(r.endpoint.poll_timeout(), None);
}

#[test]
fn an_invite_may_be_taken_back_before_it_is_located() {
    let mut r = Bench::new();
    let client = r.invite(to_name(Method::INVITE, "sip:alice@example.com:5060").contact(CONTACT));
    r.endpoint.cancel(r.now, client).unwrap();
    r.drain();
    r.expect("ask Addresses(\"example.com\")\nevent Failed Cancelled");
    r.dns(addresses(&["192.0.2.11"]));
    r.pass_ms(64_000);
    r.expect_silence();
}

// CONFORMANCE 3263-4.2-3
#[test]
fn requests_go_to_no_other_network_than_they_may() {
    let network = Network { address: "192.0.2.0".parse().unwrap(), prefix: 24 };
    let outbound = Supported { networks: vec![network], ..Supported::default() };
    let mut r = Bench::with(Config { outbound, ..config() });
    r.request(to_name(Method::OPTIONS, "sip:alice@example.com:5060"));
    r.dns(addresses(&["127.0.0.1", "10.0.0.1"]));
    r.request(to_name(Method::OPTIONS, "sip:alice@127.0.0.1:5432"));
    r.expect("ask Addresses(\"example.com\")\nevent Failed Transport\nevent Failed Transport");

    // In a dialog no connection is opened elsewhere: the peer is where it was seen.
    r.a(request("INVITE", 1).row("Contact", "<sip:alice@127.0.0.1:5432;transport=tcp>"));
    let dialog = r.accept();
    let tag = r.tag();
    r.a(request("ACK", 1).tagged(&tag));
    r.bye(dialog);
    assert_eq!(r.last_request("BYE").uri, "sip:alice@127.0.0.1:5432;transport=tcp");
    assert!(matches!(r.last_hop(), Hop::Datagram { remote, .. } if remote == at(ALICE)));
}

// CONFORMANCE 3261-8.1.2-1
#[test]
fn the_outbound_proxy_is_the_first_hop_of_what_has_no_route() {
    let network = Network { address: "192.0.2.0".parse().unwrap(), prefix: 24 };
    let outbound = Supported { networks: vec![network], ..Supported::default() };
    let outbound_proxy = Some(Uri::parse("sip:proxy.example.net:5060;transport=tcp").unwrap());
    let mut r = Bench::with(Config { outbound, outbound_proxy, ..config() });
    r.invite(to_name(Method::INVITE, "sip:alice@example.com").contact(CONTACT));
    // The operator's proxy may be where nothing else may go.
    r.dns(addresses(&["10.0.0.1"]));
    r.expect("ask Addresses(\"proxy.example.net\")\nconnect TCP 10.0.0.1:5060\nR: INVITE");
    let invite = r.last_request("INVITE");
    assert_eq!(invite.uri, "sip:alice@example.com");
    assert_eq!(invite.header("Route"), Some("<sip:proxy.example.net:5060;transport=tcp;lr>"));

    // Who has a destination or a route keeps it.
    r.request(outgoing(Method::OPTIONS));
    r.expect("R: OPTIONS");
    assert_eq!(r.last_request("OPTIONS").header("Route"), None);
    let route = vec!["<sip:192.0.2.20;lr>".to_owned()];
    r.request(Outgoing { route, ..to_name(Method::OPTIONS, "sip:alice@example.com") });
    r.expect("R: OPTIONS");
    assert!(matches!(r.last_hop(), Hop::Datagram { remote, .. } if remote == at("192.0.2.20:5060")));
}

/// A dialog with a peer that came over TCP and says that it listens under this URI.
fn seated_at(contact: &str) -> (Bench, sip::DialogId) {
    let mut r = Bench::tcp();
    let via = "SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKnamed";
    r.a(request("INVITE", 1).row("Via", via).row("Contact", &format!("<{contact}>")));
    let dialog = r.accept();
    let tag = r.tag();
    r.a(request("ACK", 1).tagged(&tag));
    r.input(Input::Closed { connection: ConnectionId(1) });
    r.drain();
    (r, dialog)
}

// CONFORMANCE 3263-4-2
#[test]
fn a_peer_whose_connection_is_gone_is_looked_for_under_the_name_that_it_gave() {
    let (mut r, dialog) = seated_at("sip:alice@phone.example.com;transport=tcp");
    r.expect("event Request INVITE\nR: 200 INVITE\nevent Acknowledged");
    r.bye(dialog);
    r.dns(nothing());
    r.dns(addresses(&["192.0.2.31", "192.0.2.32"]));
    r.disconnected();
    r.connected();
    r.a_answers("BYE", 200, &[]);
    r.expect(
        "ask Servers(\"_sip._tcp.phone.example.com\")
         ask Addresses(\"phone.example.com\")
         connect TCP 192.0.2.31:5060
         R: BYE
         connect TCP 192.0.2.32:5060
         R: BYE
         event Ended HungUp(Some(200))",
    );
    assert_eq!(r.endpoint.counts().dialogs, 0);
}

// CONFORMANCE 3263-4-2
#[test]
fn a_dialog_whose_peer_is_not_found_ends_all_the_same() {
    let (mut r, dialog) = seated_at("sip:alice@phone.example.com:5070;transport=tcp");
    r.expect("event Request INVITE\nR: 200 INVITE\nevent Acknowledged");
    // A re-INVITE that finds nobody leaves the dialog as it was.
    let invite = sip::Within::new(Method::INVITE);
    r.endpoint.request_within(r.now, dialog, invite.clone()).unwrap();
    r.drain();
    assert_eq!(r.endpoint.request_within(r.now, dialog, invite.clone()), Err(sip::Refused::Pending));
    r.dns(nothing());
    assert!(r.endpoint.request_within(r.now, dialog, invite).is_ok(), "the first is over");
    r.drain();
    r.bye(dialog);
    r.dns(nothing());
    assert!(matches!(r.events.back(), Some(Event::Ended { .. })), "{:?}", r.events.back());
    r.pass_ms(64_000);
    assert_eq!(r.endpoint.counts(), sip::Counts::default());

    let (mut r, dialog) = seated_at("sip:alice@phone.example.com");
    r.endpoint.bye(r.now, dialog, None).unwrap();
    r.drain();
    r.pass_ms(64_000);
    assert_eq!(r.endpoint.counts(), sip::Counts::default(), "a DNS that is silent keeps no dialog");
}
