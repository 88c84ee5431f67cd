//! What a call costs: processor time of INVITE, 200, ACK, BYE, 200 at the called side, and the memory of a seated dialog.
//!
//! `cargo bench -p sip` prints both. The figures are for comparing one version with another on one machine.
#![allow(clippy::disallowed_methods, reason = "a benchmark looks at the clock and at the process")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sip::{Answer, Config, Endpoint, Event, Input, Output, TransactionId};

const SDP: &str = "v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=message 7654 TCP/MSRP *\r\na=accept-types:message/cpim text/plain text/html\r\na=accept-wrapped-types:*\r\n\
    a=path:msrp://192.0.2.1:7654/jshA7weztas;tcp\r\na=chatroom:nickname private-messages\r\n";

struct Server {
    endpoint: Endpoint,
    local: SocketAddr,
    remote: SocketAddr,
    now: Instant,
}

impl Server {
    fn new(seats: usize) -> Self {
        let mut config = Config::default();
        config.limits.dialogs = seats + 1;
        config.limits.server_transactions = usize::MAX;
        Self {
            endpoint: Endpoint::new(config, Box::new(ChaCha12Rng::seed_from_u64(1))),
            local: SocketAddr::from(([198, 51, 100, 1], 5060)),
            remote: SocketAddr::from(([192, 0, 2, 1], 5060)),
            now: Instant::now(),
        }
    }

    /// Hands in a datagram: the octets that go out, and the transaction that the user shall answer.
    fn take(&mut self, octets: Vec<u8>) -> (Vec<u8>, Option<TransactionId>) {
        self.endpoint.handle_input(self.now, Input::Datagram { local: self.local, remote: self.remote, octets });
        self.drain()
    }

    fn drain(&mut self) -> (Vec<u8>, Option<TransactionId>) {
        let (mut sent, mut asked) = (Vec::new(), None);
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { octets, .. } => sent = octets,
                Output::Event(Event::Request { transaction, .. }) => asked = Some(transaction),
                _ => {}
            }
        }
        (sent, asked)
    }

    /// INVITE, 200, ACK: our tag.
    fn seat(&mut self, call: usize) -> String {
        let (_, asked) = self.take(request("INVITE", call, 1, None));
        let answer = Answer::new(200).contact("<sip:room@chat.example.com>;isfocus").body("application/sdp", SDP);
        if let Some(transaction) = asked {
            let _ = self.endpoint.accept(self.now, transaction, answer);
        }
        let (ok, _) = self.drain();
        let tag = String::from_utf8_lossy(&ok);
        let tag = tag
            .split("lobby@chat.example.com>;tag=")
            .nth(1)
            .and_then(|rest| rest.get(..20))
            .unwrap_or_default()
            .to_owned();
        self.take(request("ACK", call, 1, Some(&tag)));
        tag
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
        self.endpoint.handle_timeout(self.now);
        self.drain();
    }
}

fn request(method: &str, call: usize, cseq: u32, tag: Option<&str>) -> Vec<u8> {
    let tag = tag.map_or(String::new(), |tag| format!(";tag={tag}"));
    let body = if method == "INVITE" { SDP } else { "" };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:lobby@chat.example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKPj{call}x{method}{cseq}\r\n\
         Max-Forwards: 70\r\n\
         From: \"Alice\" <sip:alice@chat.example.com>;tag=2093912{call}\r\n\
         To: <sip:lobby@chat.example.com>{tag}\r\n\
         Contact: <sip:alice@192.0.2.1:5060;transport=udp>\r\n\
         Call-ID: 3848276298220188511{call}@client.example.com\r\n\
         CSeq: {cseq} {method}\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, UPDATE, INFO, NOTIFY, REFER\r\n\
         Supported: replaces, norefersub, gruu\r\n\
         User-Agent: Blink 6.0.4 (Linux)\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Processor time of this process so far.
fn spent() -> Duration {
    let statistics = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    Duration::from_nanos(statistics.split(' ').next().and_then(|spent| spent.parse().ok()).unwrap_or(0))
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0) * 4096
}

fn main() {
    // `cargo bench -p sip -- 2000` under callgrind counts instructions in bearable time.
    let calls = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(50_000);
    let mut server = Server::new(10);
    let began = spent();
    for call in 0..calls {
        let tag = server.seat(call);
        server.take(request("BYE", call, 2, Some(&tag)));
        if call % 1000 == 0 {
            server.pass(Duration::from_millis(500));
        }
    }
    let whole = spent() - began;
    let began = spent();
    for call in 0..calls {
        for (method, cseq) in [("INVITE", 1), ("ACK", 1), ("BYE", 2)] {
            std::hint::black_box(request(method, call, cseq, None));
        }
    }
    let peer = spent() - began;
    println!("a call: {:.1} µs", (whole - peer).as_secs_f64() * 1e6 / calls as f64);

    let seats = 2 * calls;
    let mut server = Server::new(seats);
    let before = resident();
    for call in 0..seats {
        server.seat(call);
        if call % 100 == 0 {
            server.pass(Duration::from_secs(40));
        }
    }
    server.pass(Duration::from_secs(40));
    println!("a seated dialog: {} octets", (resident() - before) / seats);
    println!("{:?}", server.endpoint.counts());
}
