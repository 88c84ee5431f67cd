//! `tertulia serve` from its command line to its exit code.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;

use support::participant::Stream;
use support::{Directory, EVERYTHING, Server, read_until};

#[test]
fn it_says_where_it_listens_and_how_to_get_in() {
    let server = Server::start(EVERYTHING);
    let services: Vec<_> =
        server.lines.iter().filter_map(|line| line.rsplit_once("127.0.0.1:")).map(|(what, _)| what).collect();
    assert_eq!(
        services,
        [
            "listening sip udp://",
            "listening sip tcp://",
            "listening sip tls://",
            "listening msrp tcp://",
            "listening msrp tls://",
            "listening http http://",
            "enter by: tertulia chat \"sip:lobby@",
        ]
    );
    let port = server.address("sip udp://").port();
    let enter = format!("enter by: tertulia chat \"sip:lobby@127.0.0.1:{port}\" --as sip:NAME@chat.test");
    assert!(server.lines.contains(&enter) && server.lines.contains(&"room sip:lobby@chat.test".to_owned()));
}

#[test]
fn sigterm_ends_it_with_zero() {
    let mut server = Server::start(EVERYTHING);
    server.terminate();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.ends_with("INFO ended\n"), "{said}");
}

#[test]
fn what_is_wrong_in_the_configuration_is_told_by_line() {
    let output = Directory::new().refused("domain = \"chat.test\"\n[sip]\nlissen = []\n[auth]\nmode = \"ajar\"\n");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap().lines().collect::<Vec<_>>(),
        [
            "tertulia: tertulia.toml cannot be carried out:",
            "  line 3: sip.lissen: unknown key; [sip] may have listen, advertise, outbound_networks, trusted_peers, outbound_proxy",
            "  line 5: auth.mode: \"ajar\" is wrong; right would be \"digest\" or \"open\"",
        ]
    );
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let directory = Directory::new();
    let mut command = directory.serve("");
    std::fs::remove_file(directory.path().join("tertulia.toml")).unwrap();
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("cannot read tertulia.toml"), "{said}");
}

#[test]
fn an_address_in_use_is_named() {
    let server = Server::start(EVERYTHING);
    for service in ["sip udp://", "sip tcp://", "sip tls://", "msrp tcp://", "msrp tls://", "http http://"] {
        let address = server.address(service);
        let (_, scheme) = service.split_once(' ').unwrap();
        let config = EVERYTHING.replacen(&format!("{scheme}127.0.0.1:0"), &format!("{scheme}{address}"), 1);
        // The first `tcp://` and `tls://` of the file are SIP's.
        let config = match service.starts_with("msrp") {
            true => EVERYTHING
                .replace("[\"tcp://127.0.0.1:0\", \"tls://127.0.0.1:0\"]", &format!("[\"{scheme}{address}\"]")),
            false => config,
        };
        let output = Directory::new().refused(&config);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{service}: {said}");
        assert!(said.contains(&format!("{scheme}{address}")) && said.contains("in use"), "{said}");
    }
}

#[test]
fn health_is_told_over_http_and_nothing_else() {
    let server = Server::start(EVERYTHING);
    for (request, status, body) in [
        ("GET /healthz", "HTTP/1.1 200 OK", "ok\n"),
        ("HEAD /healthz", "HTTP/1.1 200 OK", ""),
        ("POST /healthz", "HTTP/1.1 405 Method Not Allowed", "right would be GET or HEAD\n"),
        ("GET /", "HTTP/1.1 404 Not Found", "nothing is here\n"),
        ("GET /healthz/..", "HTTP/1.1 404 Not Found", "nothing is here\n"),
        // Nothing is offered over WebSocket: no handshake is taken up.
        ("GET /ws/msrp", "HTTP/1.1 404 Not Found", "nothing is here\n"),
        ("GET /ws/sip", "HTTP/1.1 404 Not Found", "nothing is here\n"),
    ] {
        let mut socket = server.connect("http http://");
        let upgrade = if request.contains("/ws/") {
            "Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: msrp"
        } else {
            "close"
        };
        write!(socket, "{request} HTTP/1.1\r\nHost: chat.test\r\nConnection: {upgrade}\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, came) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!((head.lines().next().unwrap(), came), (status, body), "{request}");
    }
}

// CONFORMANCE 4975-160
#[test]
fn both_tls_listeners_present_a_certificate_made_once_for_the_domain() {
    let server = Server::start(EVERYTHING);
    Stream::connect(&server, "sip", true);
    Stream::connect(&server, "msrp", true);
    let data = server.directory.path().join("tertulia-data");
    for file in ["certificate.pem", "key.pem"] {
        assert_eq!(std::fs::metadata(data.join(file)).unwrap().mode() & 0o777, 0o600, "{file}");
    }
    let first = std::fs::read(data.join("certificate.pem")).unwrap();
    server.terminate();
    let mut child = server;
    child.child.wait().unwrap();
    let again = Server::start_with(child.directory.serve(EVERYTHING), Directory::new());
    assert_eq!(std::fs::read(data.join("certificate.pem")).unwrap(), first);
    drop(again);
}

#[test]
fn an_operators_certificate_that_is_none_stops_the_start() {
    let directory = Directory::new();
    std::fs::write(directory.path().join("c.pem"), "nothing").unwrap();
    std::fs::write(directory.path().join("k.pem"), "nothing").unwrap();
    let output = directory.refused(&format!("{EVERYTHING}[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("c.pem"), "{said}");
}

#[test]
fn a_store_that_cannot_be_used_stops_the_start_and_is_named() {
    let directory = Directory::new();
    std::fs::write(directory.path().join("diary.db"), "Dear diary, ".repeat(100)).unwrap();
    let output = directory.refused(&format!("{EVERYTHING}[store]\nurl = \"sqlite:../diary.db\"\n"));
    let said = String::from_utf8(output.stderr).unwrap();
    let told = "tertulia-data/../diary.db cannot be used as a store: ";
    assert!(output.status.code() == Some(1) && said.contains(told), "{said}");
}

const OPTIONS: &str = "OPTIONS sip:lobby@chat.test SIP/2.0\r\nVia: SIP/2.0/TRANSPORT 127.0.0.1:9;branch=z9hG4bKTRANSPORT;rport\r\n\
    Max-Forwards: 70\r\nFrom: <sip:a@chat.test>;tag=1\r\nTo: <sip:lobby@chat.test>\r\nCall-ID: TRANSPORT\r\nCSeq: 1 OPTIONS\r\n\
    Content-Length: 0\r\n\r\n";

#[test]
fn sip_is_answered_over_each_transport() {
    let server = Server::start(EVERYTHING);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    socket.send_to(OPTIONS.replace("TRANSPORT", "UDP").as_bytes(), server.address("sip udp://")).unwrap();
    let mut buffer = [0; 2048];
    let count = socket.recv(&mut buffer).unwrap();
    assert!(buffer[..count].starts_with(b"SIP/2.0 200 "));

    let mut clear = server.connect("sip tcp://");
    clear.write_all(OPTIONS.replace("TRANSPORT", "TCP").as_bytes()).unwrap();
    assert!(read_until(&mut clear, "\r\n\r\n").starts_with("SIP/2.0 200 "));

    let mut tls = Stream::connect(&server, "sip", true);
    tls.write_all(OPTIONS.replace("TRANSPORT", "TLS").as_bytes()).unwrap();
    assert!(read_until(&mut tls, "\r\n\r\n").starts_with("SIP/2.0 200 "));
}

#[test]
fn a_session_that_nobody_has_is_refused_in_clear_and_under_tls() {
    let send = |scheme: &str| {
        format!(
            "MSRP a1b2c3d4 SEND\r\nTo-Path: {scheme}://127.0.0.1:2855/nobody;tcp\r\nFrom-Path: {scheme}://127.0.0.1:9/me;tcp\r\n\
             Message-ID: m1m1\r\nByte-Range: 1-0/0\r\n-------a1b2c3d4$\r\n"
        )
    };
    let server = Server::start(EVERYTHING);
    let mut clear = server.connect("msrp tcp://");
    clear.write_all(send("msrp").as_bytes()).unwrap();
    assert!(read_until(&mut clear, "$\r\n").starts_with("MSRP a1b2c3d4 481"));
    let mut tls = Stream::connect(&server, "msrp", true);
    tls.write_all(send("msrps").as_bytes()).unwrap();
    assert!(read_until(&mut tls, "$\r\n").starts_with("MSRP a1b2c3d4 481"));
}

// THREATS T24
#[test]
fn a_tls_older_than_1_2_is_refused() {
    let server = Server::start(EVERYTHING);
    // A ClientHello that lacks nothing: version, random, no session, ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression, and the
    // extensions for X25519, uncompressed points and ECDSA with SHA-256.
    let hello = |version: u8| {
        let extensions = [0, 10, 0, 4, 0, 2, 0, 29, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3];
        let rest = [&[0, 0, 2, 0xc0, 0x2b, 1, 0, 0, extensions.len() as u8][..], &extensions].concat();
        let hello = [&[3, version][..], &[7; 32], &rest].concat();
        let handshake = [&[1, 0, 0, hello.len() as u8][..], &hello].concat();
        [&[22, 3, 1, 0, handshake.len() as u8][..], &handshake].concat()
    };
    for service in ["sip tls://", "msrp tls://"] {
        let answer = |version| {
            let mut socket = server.connect(service);
            socket.write_all(&hello(version)).unwrap();
            let mut answer = [0; 7];
            socket.read_exact(&mut answer).unwrap();
            answer
        };
        assert_eq!(answer(3)[0], 22, "TLS 1.2: the handshake goes on");
        assert_eq!((answer(2)[0], &answer(2)[5..]), (21, &[2, 70][..]), "TLS 1.1: a fatal alert, protocol_version");
    }
}

/// The memory that a process has in use, in octets.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

// THREATS 31970d51
#[test]
fn tls_connections_that_come_and_go_leave_no_memory() {
    let server = Server::start(EVERYTHING);
    let come_and_go = |times: usize| {
        for _ in 0..times {
            for service in ["sip", "msrp"] {
                drop(Stream::connect(&server, service, true));
            }
        }
        // Whoever answers now has shown out who came before.
        Stream::connect(&server, "sip", true);
        Stream::connect(&server, "msrp", true);
    };
    come_and_go(200);
    let before = resident(&server);
    come_and_go(600);
    let more = resident(&server).saturating_sub(before);
    // A session of rustls and its buffers have more than 20 kB: 1200 of them would be 24 MB.
    assert!(more < 8 << 20, "{more} octets");
}

// THREATS F15
#[test]
fn nobody_waits_for_whoever_reads_the_log() {
    let directory = Directory::new();
    let mut command = directory.serve(EVERYTHING);
    command.env("TERTULIA_LOG", "trace");
    // Nobody reads its standard error, and what it says there is more than a pipe holds.
    let server = Server::start_with(command, directory);
    for _ in 0..200 {
        drop(Stream::connect(&server, "msrp", true));
        drop(Stream::connect(&server, "sip", true));
    }
    let mut socket = server.connect("http http://");
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: chat.test\r\n\r\n").unwrap();
    assert!(read_until(&mut socket, "ok\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_log_level_that_is_none_stops_the_start() {
    let directory = Directory::new();
    let output = directory.serve(EVERYTHING).env("TERTULIA_LOG", "loud").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("TERTULIA_LOG: \"loud\" is no level"), "{said}");
}
