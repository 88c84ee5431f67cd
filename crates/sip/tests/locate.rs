//! Where a request goes: RFC 3263, against a zone that is written down.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sip::locate::{Answer, Candidate, Locator, Naptr, Query, Srv, Step, Supported};
use sip::typed::{Uri, Via};
use sip::{Network, Transport};

/// The example of RFC 3263 §4.1 and §4.2, and others.
const ZONE: &str = "
example.com NAPTR 50 50 s SIPS+D2T _sips._tcp.example.com.
example.com NAPTR 90 50 s SIP+D2T _sip._tcp.example.com
example.com NAPTR 100 50 S sip+d2u _sip._udp.example.com
example.com NAPTR 10 50 u E2U+sip nothing
example.com A 192.0.2.99
_sips._tcp.example.com SRV 0 1 5061 server1.example.com
_sip._tcp.example.com SRV 0 1 5060 server1.example.com.
_sip._tcp.example.com SRV 1 1 5060 server2.example.com
_sip._udp.example.com SRV 0 1 5062 Server2.Example.com
server1.example.com A 192.0.2.1
server1.example.com A 2001:db8::1
server2.example.com A 192.0.2.2
srv.example.net A 192.0.2.98
_sip._tcp.srv.example.net SRV 0 1 5070 server2.example.com
bare.example.net A 192.0.2.3
refused.example.net A 192.0.2.97
_sip._udp.refused.example.net SRV 0 0 0 .
sctp.example.net NAPTR 50 50 s SIP+D2S _sip._sctp.sctp.example.net
sctp.example.net A 192.0.2.96
lost.example.net NAPTR 50 50 s SIP+D2T _sip._tcp.lost.example.net
lost.example.net A 192.0.2.4
literal.example.net NAPTR 50 50 s SIP+D2T _sip._tcp.literal.example.net
_sip._tcp.literal.example.net SRV 0 1 5080 192.0.2.5
inner.example.net A 10.0.0.1
inner.example.net A 192.0.2.6
inside.example.net A 10.0.0.1
mapped.example.net A ::ffff:10.0.0.1
web.example.net NAPTR 50 50 s SIPS+D2W _sips._ws.web.example.net
web.example.net A 192.0.2.7
";

fn answer(zone: &str, query: &Query) -> Answer {
    let (kind, name) = match query {
        Query::Services(name) => ("NAPTR", name),
        Query::Servers(name) => ("SRV", name),
        Query::Addresses(name) => ("A", name),
    };
    let rows = zone.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let rows = rows.filter(|row| row.len() > 2 && row[0] == *name && row[1] == kind);
    match query {
        Query::Services(_) => Answer::Services(rows.map(|row| naptr(&row[2..])).collect()),
        Query::Servers(_) => Answer::Servers(rows.map(|row| srv(&row[2..])).collect()),
        Query::Addresses(_) => Answer::Addresses(rows.map(|row| row[2].parse().unwrap()).collect()),
    }
}

fn naptr(row: &[&str]) -> Naptr {
    Naptr {
        order: row[0].parse().unwrap(),
        preference: row[1].parse().unwrap(),
        flags: row[2].to_owned(),
        services: row[3].to_owned(),
        replacement: row[4].to_owned(),
    }
}

fn srv(row: &[&str]) -> Srv {
    let number = |at: usize| row[at].parse().unwrap();
    Srv { priority: number(0), weight: number(1), port: number(2), target: row[3].to_owned() }
}

/// What is asked, and what comes of it: `NAPTR example.com > SRV … > TLS 192.0.2.1:5061 (example.com)`.
fn told(mut locator: Locator, zone: &str) -> String {
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let mut words = Vec::new();
    for _ in 0..100 {
        let query = match locator.step() {
            Step::Ask(query) => query,
            Step::Candidates(candidates) => {
                words.push(candidates.iter().map(candidate).collect::<Vec<_>>().join(", "));
                return words.join(" > ");
            }
            Step::Failed(why) => {
                words.push(why.to_string());
                return words.join(" > ");
            }
        };
        words.push(match &query {
            Query::Services(name) => format!("NAPTR {name}"),
            Query::Servers(name) => format!("SRV {name}"),
            Query::Addresses(name) => format!("A {name}"),
        });
        locator.answered(answer(zone, &query), &mut rng);
    }
    panic!("no end: {words:?}");
}

fn candidate(Candidate { transport, remote, server_name }: &Candidate) -> String {
    let name = server_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{} {remote}{name}", transport.via_token())
}

fn located(uri: &str, supported: &Supported) -> String {
    told(Locator::new(&Uri::parse(uri).unwrap(), supported), ZONE)
}

fn without(transport: Transport) -> Supported {
    let mut supported = Supported::default();
    supported.transports.retain(|other| *other != transport);
    supported
}

// CONFORMANCE 3263-4-1
#[test]
fn the_search_is_for_maddr_where_there_is_one() {
    for (uri, expected) in [
        ("sip:a@example.com;maddr=192.0.2.50", "UDP 192.0.2.50:5060"),
        (
            "sip:a@example.com;maddr=bare.example.net;transport=tcp;x",
            "SRV _sip._tcp.bare.example.net > A bare.example.net > TCP 192.0.2.3:5060",
        ),
        ("tel:+15551234", "no URI of SIP"),
    ] {
        assert_eq!(located(uri, &Supported::default()), expected, "{uri}");
    }
}

// CONFORMANCE 3263-4.1-1
#[test]
fn a_transport_that_is_named_is_taken() {
    for (uri, expected) in [
        ("sip:a@192.0.2.8;transport=tcp", "TCP 192.0.2.8:5060"),
        ("sip:a@192.0.2.8;transport=TLS", "TLS 192.0.2.8:5061"),
        ("sip:a@[2001:db8::8]:5070;transport=udp", "UDP [2001:db8::8]:5070"),
        ("sips:a@192.0.2.8;transport=tcp", "TLS 192.0.2.8:5061"),
        ("sips:a@192.0.2.8;transport=udp", "no transport that is spoken here"),
        ("sip:a@192.0.2.8;transport=sctp", "no transport that is spoken here"),
        ("sip:a@192.0.2.8;transport=ws", "no transport that is spoken here"),
    ] {
        assert_eq!(located(uri, &Supported::default()), expected, "{uri}");
    }
}

// CONFORMANCE 3263-4.1-2
#[test]
fn an_address_or_a_port_means_udp_and_for_sips_tls() {
    for (uri, expected) in [
        ("sip:a@192.0.2.8", "UDP 192.0.2.8:5060"),
        ("sip:a@192.0.2.8:5070", "UDP 192.0.2.8:5070"),
        ("sips:a@192.0.2.8", "TLS 192.0.2.8:5061"),
        ("sip:a@example.com:5070", "A example.com > UDP 192.0.2.99:5070"),
        ("sips:a@example.com:5070", "A example.com > TLS 192.0.2.99:5070 (example.com)"),
    ] {
        assert_eq!(located(uri, &Supported::default()), expected, "{uri}");
    }
    assert_eq!(located("sip:a@192.0.2.8", &without(Transport::Udp)), "TCP 192.0.2.8:5060");
    assert_eq!(located("sips:a@192.0.2.8", &without(Transport::Tls)), "no transport that is spoken here");
}

// CONFORMANCE 3263-4.1-3
#[test]
fn naptr_records_name_the_services_in_their_order() {
    let first = "NAPTR example.com > SRV _sips._tcp.example.com > A server1.example.com > \
                 TLS 192.0.2.1:5061 (example.com), TLS [2001:db8::1]:5061 (example.com)";
    assert_eq!(located("sip:a@Example.COM.", &Supported::default()), first);
    assert_eq!(located("sips:a@example.com", &Supported::default()), first);
    assert_eq!(
        located("sip:a@example.com", &without(Transport::Tls)),
        "NAPTR example.com > SRV _sip._tcp.example.com > A server1.example.com > A server2.example.com > \
         TCP 192.0.2.1:5060, TCP [2001:db8::1]:5060, TCP 192.0.2.2:5060"
    );
    let datagrams = Supported { transports: vec![Transport::Udp], ..Supported::default() };
    assert_eq!(
        located("sip:a@example.com", &datagrams),
        "NAPTR example.com > SRV _sip._udp.example.com > A server2.example.com > UDP 192.0.2.2:5062"
    );
    // Services that only others speak: there is no way.
    assert_eq!(
        located("sip:a@sctp.example.net", &Supported::default()),
        "NAPTR sctp.example.net > no transport that is spoken here"
    );
    assert_eq!(
        located("sips:a@lost.example.net", &Supported::default()),
        "NAPTR lost.example.net > no transport that is spoken here"
    );
    let web = Supported { transports: vec![Transport::Wss], ..Supported::default() };
    assert_eq!(
        located("sip:a@web.example.net", &web),
        "NAPTR web.example.net > SRV _sips._ws.web.example.net > A web.example.net > WSS 192.0.2.7:443 (web.example.net)"
    );
}

// CONFORMANCE 3263-4.1-4
#[test]
fn without_naptr_the_srv_records_of_each_transport_are_tried() {
    assert_eq!(
        located("sip:a@srv.example.net", &Supported::default()),
        "NAPTR srv.example.net > SRV _sip._udp.srv.example.net > SRV _sip._tcp.srv.example.net > A server2.example.com > \
         TCP 192.0.2.2:5070"
    );
    assert_eq!(
        located("sips:a@srv.example.net", &Supported::default()),
        "NAPTR srv.example.net > SRV _sips._tcp.srv.example.net > A srv.example.net > TLS 192.0.2.98:5061 (srv.example.net)"
    );
}

// CONFORMANCE 3263-4.2-1
#[test]
fn without_any_srv_record_the_domain_itself_is_the_server() {
    assert_eq!(
        located("sip:a@bare.example.net", &Supported::default()),
        "NAPTR bare.example.net > SRV _sip._udp.bare.example.net > SRV _sip._tcp.bare.example.net > \
         SRV _sips._tcp.bare.example.net > A bare.example.net > UDP 192.0.2.3:5060"
    );
    assert_eq!(
        located("sip:a@lost.example.net", &Supported::default()),
        "NAPTR lost.example.net > SRV _sip._tcp.lost.example.net > A lost.example.net > TCP 192.0.2.4:5060"
    );
    assert_eq!(
        located("sip:a@none.example.net;transport=tcp", &Supported::default()),
        "SRV _sip._tcp.none.example.net > A none.example.net > no address is known"
    );
}

// CONFORMANCE 3263-4.2-2
#[test]
fn a_service_that_is_said_not_to_be_there_is_not_there() {
    assert_eq!(
        located("sip:a@refused.example.net;transport=udp", &Supported::default()),
        "SRV _sip._udp.refused.example.net > no address is known"
    );
    assert_eq!(
        located("sip:a@literal.example.net", &Supported::default()),
        "NAPTR literal.example.net > SRV _sip._tcp.literal.example.net > TCP 192.0.2.5:5080"
    );
}

// CONFORMANCE 3263-4.2-3
#[test]
fn addresses_elsewhere_than_requests_may_go_are_passed_over() {
    let network = Network { address: "192.0.2.0".parse().unwrap(), prefix: 24 };
    let supported = Supported { networks: vec![network], ..Supported::default() };
    for (uri, expected) in [
        ("sip:a@inner.example.net:5060", "A inner.example.net > UDP 192.0.2.6:5060"),
        ("sip:a@inside.example.net:5060", "A inside.example.net > no address that may be reached"),
        ("sip:a@mapped.example.net:5060", "A mapped.example.net > no address that may be reached"),
        ("sip:a@10.0.0.1", "no address that may be reached"),
        ("sip:a@example.com;maddr=127.0.0.1", "no address that may be reached"),
    ] {
        assert_eq!(located(uri, &supported), expected, "{uri}");
    }
}

// CONFORMANCE 3263-5-1
#[test]
fn a_response_that_has_lost_its_way_goes_by_the_sent_by() {
    for (via, expected) in [
        ("SIP/2.0/TCP 192.0.2.9:5070;branch=z9hG4bK1", "TCP 192.0.2.9:5070"),
        ("SIP/2.0/UDP [2001:db8::9];branch=z9hG4bK1", "UDP [2001:db8::9]:5060"),
        ("SIP/2.0/TLS example.com:5070;branch=z9hG4bK1", "A example.com > TLS 192.0.2.99:5070 (example.com)"),
        (
            "SIP/2.0/UDP example.com;branch=z9hG4bK1",
            "SRV _sip._udp.example.com > A server2.example.com > UDP 192.0.2.2:5062",
        ),
        (
            "SIP/2.0/TCP bare.example.net;branch=z9hG4bK1",
            "SRV _sip._tcp.bare.example.net > A bare.example.net > TCP 192.0.2.3:5060",
        ),
        ("SIP/2.0/SCTP example.com;branch=z9hG4bK1", "no transport that is spoken here"),
    ] {
        let locator = Locator::for_sent_by(&Via::parse(via).unwrap(), &Supported::default());
        assert_eq!(told(locator, ZONE), expected, "{via}");
    }
}

/// The targets in the order in which they would be tried.
fn drawn(records: &[Srv], seed: u64) -> Vec<String> {
    let mut locator = Locator::new(&Uri::parse("sip:a@example.com;transport=udp").unwrap(), &Supported::default());
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    locator.answered(Answer::Servers(records.to_vec()), &mut rng);
    let mut order = Vec::new();
    while let Step::Ask(Query::Addresses(host)) = locator.step() {
        order.push(host);
        locator.answered(Answer::Addresses(Vec::new()), &mut rng);
    }
    order
}

fn record(priority: u16, weight: u16, target: &str) -> Srv {
    Srv { priority, weight, port: 5060, target: target.to_owned() }
}

// CONFORMANCE 3263-4.2-4
#[test]
fn servers_of_one_priority_are_drawn_by_weight() {
    let records = [record(5, 9, "last"), record(1, 30, "often"), record(1, 10, "seldom"), record(1, 0, "hardly")];
    let mut first = BTreeMap::new();
    for seed in 0..4100 {
        let order = drawn(&records, seed);
        assert_eq!(order.len(), 4);
        assert_eq!(order[3], "last");
        *first.entry(order[0].clone()).or_insert(0) += 1;
    }
    // Of 41 draws 30, 10 and 1.
    for (target, share) in [("often", 3000), ("seldom", 1000), ("hardly", 100)] {
        let count: i32 = first[target];
        assert!((count - share).abs() < 130, "{first:?}");
    }
}

fn some_answer() -> impl Strategy<Value = Answer> {
    let name = prop_oneof![Just(".".to_owned()), Just("192.0.2.1".to_owned()), "[a-c]{1,2}(\\.example)?"];
    const SERVICES: [&str; 9] =
        ["SIP+D2U", "SIP+D2T", "SIPS+D2T", "SIP+D2S", "SIPS+D2U", "SIP+D2W", "E2U+sip", "SIP", "+"];
    let naptr =
        (0..3u16, 0..3u16, prop_oneof!["s", "S", "u", ""], proptest::sample::select(&SERVICES[..]), name.clone());
    let naptr = naptr.prop_map(|(order, preference, flags, services, replacement)| {
        let services = services.to_owned();
        Naptr { order, preference, flags, services, replacement }
    });
    let srv = (0..3u16, any::<u16>(), any::<u16>(), name);
    let srv = srv.prop_map(|(priority, weight, port, target)| Srv { priority, weight, port, target });
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(std::net::IpAddr::from),
        any::<[u8; 16]>().prop_map(std::net::IpAddr::from),
        Just("10.1.1.1".parse().unwrap()),
    ];
    prop_oneof![
        proptest::collection::vec(naptr, 0..6).prop_map(Answer::Services),
        proptest::collection::vec(srv, 0..20).prop_map(Answer::Servers),
        proptest::collection::vec(address, 0..20).prop_map(Answer::Addresses),
    ]
}

proptest! {
    // CONFORMANCE 3263-4.3-1
    #[test]
    fn every_search_ends_whatever_is_answered(
        is_secure: bool,
        shape in 0..4usize,
        answers in proptest::collection::vec(some_answer(), 30),
        is_walled: bool,
        seed: u64,
    ) {
        let scheme = if is_secure { "sips" } else { "sip" };
        let rest = ["", ";transport=tcp", ":5070", ";maddr=b.example"][shape];
        let wall = Network { address: "10.0.0.0".parse().unwrap(), prefix: 8 };
        let networks = if is_walled { vec![wall] } else { Network::EVERYWHERE.to_vec() };
        let supported = Supported { networks, ..Supported::default() };
        let uri = Uri::parse(&format!("{scheme}:a@a.example{rest}")).unwrap();
        let mut locator = Locator::new(&uri, &supported);
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut asked = 0;
        let end = loop {
            match locator.step() {
                Step::Ask(_) => {
                    prop_assert!(asked < 24, "the questions are bounded");
                    locator.answered(answers[asked].clone(), &mut rng);
                    asked += 1;
                }
                end => break end,
            }
        };
        if let Step::Candidates(found) = &end {
            prop_assert!(!found.is_empty() && found.len() <= 16);
            for candidate in found {
                prop_assert!(supported.reaches(candidate.remote.ip()));
                prop_assert!(supported.transports.contains(&candidate.transport));
                prop_assert!(!is_secure || candidate.transport.is_secure());
                let named = candidate.server_name.as_deref();
                prop_assert_eq!(named, candidate.transport.is_secure().then_some("a.example"));
            }
        }
        locator.answered(answers[29].clone(), &mut rng);
        prop_assert_eq!(locator.step(), end, "what comes after the end changes nothing");
    }

    // CONFORMANCE 3263-4.2-4
    #[test]
    fn servers_are_tried_by_priority_and_each_once(
        weights in proptest::collection::vec((0..3u16, any::<u16>()), 1..8),
        seed: u64,
    ) {
        let records: Vec<_> =
            weights.iter().enumerate().map(|(n, (priority, weight))| record(*priority, *weight, &format!("s{n}"))).collect();
        let order = drawn(&records, seed);
        let priority = |host: &String| records.iter().find(|record| record.target == *host).unwrap().priority;
        prop_assert!(order.is_sorted_by_key(priority));
        let mut hosts = order.clone();
        hosts.sort();
        hosts.dedup();
        // The domain itself is not asked for where there were records.
        prop_assert_eq!(hosts.len(), records.len());
        prop_assert_eq!(order.len(), records.len());
    }
}
