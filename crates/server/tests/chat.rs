//! `tertulia chat` against `tertulia serve`, as people use them: processes, lines and exit codes.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use support::chat::{Chat, PATIENCE};
use support::{Directory, EVERYTHING, Server};

/// A server for `chat.test` on free ports, with a room `lobby` and no quarantine for nicknames.
fn server(more: &str) -> Server {
    Server::start(&format!(
        "domain = \"chat.test\"\n\
         sip.listen = [\"udp://127.0.0.1:0\", \"tcp://127.0.0.1:0\", \"tls://127.0.0.1:0\"]\n\
         msrp.listen = [\"tcp://127.0.0.1:0\", \"tls://127.0.0.1:0\"]\nhttp.listen = [\"http://127.0.0.1:0\"]\n\
         rooms.defaults.nickname_quarantine = \"0s\"\n{more}\n[[room]]\nname = \"lobby\"\n"
    ))
}

/// One in which everybody is believed.
fn open_server() -> Server {
    server("auth.mode = \"open\"")
}

#[test]
fn three_people_talk_whisper_take_nicknames_and_leave() {
    let server = open_server();
    let mut alice = Chat::join(&server, "alice", "udp", &[]);
    let mut bob = Chat::join(&server, "bob", "tcp", &[]);
    let mut carol = Chat::join(&server, "carol", "tls", &["--insecure"]);

    alice.types("hello, everybody");
    bob.expect("<alice> hello, everybody");
    carol.expect("<alice> hello, everybody");
    carol.types("//etc is a directory \u{1b}[2J");
    alice.expect("<carol> /etc is a directory \\u{1b}[2J");
    bob.expect("<carol> /etc is a directory \\u{1b}[2J");

    // A private message reaches whom it is for, and nobody else: what alice hears next was said later.
    bob.types("/msg carol psst");
    carol.expect("[bob -> carol] psst");
    bob.types("/msg dave psst");
    bob.expect("! not delivered: there is nobody of that address in the room (404)");
    bob.types("aloud");
    alice.expect("<bob> aloud");
    carol.expect("<bob> aloud");

    // A nickname is one person's, until it is given up.
    alice.types("/nick Al");
    alice.expect("* your nickname is Al");
    bob.types("/nick AL");
    bob.expect("! that nickname is taken or reserved (425)");
    alice.types("/nick");
    alice.expect("* you have no nickname");
    bob.types("/nick AL");
    bob.expect("* your nickname is AL");

    alice.types("/quit");
    alice.expect_end(&["* left"], 0);
    bob.types("who is still here?");
    carol.expect("<bob> who is still here?");

    // Not everything went well for bob; carol is interrupted.
    bob.expect_end(&["* left"], 1);
    carol.interrupt();
    carol.expect_end(&["* left"], 130);
}

/// Somebody who is told who is there, and has been greeted.
fn asking(server: &Server, who: &str, transport: &str, greeting: &str) -> Chat {
    let chat = Chat::call_asking(server, who, transport, &[]);
    chat.expect(&format!("* in sip:lobby@chat.test as sip:{who}@chat.test (nicknames, private messages)"));
    chat.expect(greeting);
    chat
}

#[test]
fn who_comes_and_goes_is_told_and_nicknames_stand_for_addresses() {
    let server = server("auth.mode = \"open\"\nrooms.defaults.roster_interval = \"0s\"");
    let mut alice = asking(&server, "alice", "udp", "* nobody else is here");
    let mut bob = asking(&server, "bob", "tcp", "* here: alice");
    alice.expect("* bob joined");

    bob.types("/nick Bo");
    bob.expect("* your nickname is Bo");
    alice.expect("* bob is called \"Bo\"");
    bob.types("<alice> I said that");
    alice.expect("<Bo> <alice> I said that");
    bob.types("/msg alice psst");
    alice.expect("[Bo -> alice] psst");
    alice.types("/who");
    alice.expect("* alice (you)");
    alice.expect("* bob, called \"Bo\"");

    // Whoever is called as somebody else is shown by the address.
    let mut carol = asking(&server, "carol", "udp", "* here: alice, Bo");
    alice.expect("* carol joined");
    bob.expect("* carol joined");
    carol.types("/nick alice");
    carol.expect("* your nickname is alice");
    alice.expect("* carol is called \"alice\"");
    bob.expect("* carol is called \"alice\"");
    carol.types("It is me");
    bob.expect("<carol> It is me");
    alice.expect("<carol> It is me");
    carol.types("/quit");
    carol.expect_end(&["* left"], 0);
    alice.expect("* carol left");
    bob.expect("* carol left");

    // Who hides is known by an address for this room alone, and speaks by it.
    let mut dave = Chat::call_asking(&server, "dave", "tcp", &["--private"]);
    let entered = dave.line();
    let known = entered.split(' ').nth(4).unwrap().to_owned();
    assert!(known.starts_with("sip:anonymous") && known.ends_with("@anonymous.invalid"), "{entered}");
    dave.expect("* here: alice, Bo");
    alice.expect(&format!("* {known} joined"));
    bob.expect(&format!("* {known} joined"));
    dave.types("hello");
    alice.expect(&format!("<{known}> hello"));
    bob.types(&format!("/msg {known} hello, whoever you are"));
    dave.expect(&format!("[Bo -> {known}] hello, whoever you are"));
    dave.types("/who");
    for line in ["* alice", &format!("* {known} (you)"), "* bob, called \"Bo\""] {
        dave.expect(line);
    }
    bob.expect(&format!("<{known}> hello"));
    dave.expect_end(&["* left"], 0);
    alice.expect(&format!("* {known} left"));
    bob.expect(&format!("* {known} left"));
    bob.expect_end(&["* left"], 0);
    alice.expect("* bob left");
    alice.expect_end(&["* left"], 0);
}

/// An interrupt that crosses the end of the input hurries nobody: the goodbye is said, and the exit code tells of the interrupt.
#[test]
fn who_is_interrupted_while_leaving_still_says_goodbye() {
    let server = open_server();
    let mut alice = Chat::join(&server, "alice", "udp", &[]);
    server.signal("STOP");
    drop(alice.stdin.take());
    alice.interrupt();
    server.signal("CONT");
    alice.expect_end(&["* left"], 130);
}

#[test]
fn a_pipe_is_said_whole_before_its_end_and_unknown_commands_are_explained() {
    let server = open_server();
    let bob = Chat::join(&server, "bob", "udp", &[]);
    let mut alice = Chat::call(&server, "alice", "udp", &["--nick", "Al"]);
    for number in 1..=100 {
        alice.types(&format!("line {number}"));
    }
    alice.types("/dance");
    let (told, code) = alice.end();
    for number in 1..=100 {
        bob.expect(&format!("<alice> line {number}"));
    }
    assert_eq!(code, Some(1));
    for line in ["* your nickname is Al", "! there is no command /dance; /help lists them, and //dance would be said"] {
        assert!(told.contains(&line.to_owned()), "{told:?}");
    }
    assert_eq!(told.last().map(String::as_str), Some("* left"));
    bob.expect_end(&["* left"], 0);
}

#[test]
fn whoever_has_to_log_in_is_told_what_is_missing() {
    let server = server(
        "[[users]]\nuri = \"sip:alice@chat.test\"\npassword = \"Tr0ub4dor\"\n\
         [[users]]\nuri = \"sip:bob@chat.test\"\npassword = \"other\"",
    );
    let file = |name: &str, password: &str| {
        let path = server.directory.path().join(name);
        std::fs::write(&path, password).unwrap();
        path.display().to_string()
    };
    let nobody = Chat::call(&server, "alice", "udp", &[]);
    nobody
        .expect_end(&["! a password is needed: give --password-file, or set TERTULIA_PASSWORD (401 Unauthorized)"], 1);
    let wrong = Chat::call(&server, "alice", "tcp", &["--password-file", &file("wrong", "tr0ub4dor\n")]);
    wrong.expect_end(&["! the user name or the password is wrong (401 Unauthorized)"], 1);
    let alice = Chat::join(&server, "alice", "tcp", &["--password-file", &file("right", "Tr0ub4dor\n")]);
    let certificate = server.directory.path().join("tertulia-data/certificate.pem").display().to_string();
    let bob = Chat::join(&server, "bob", "tls", &["--ca", &certificate, "--password-file", &file("bob", "other")]);
    alice.expect_end(&["* left"], 0);
    bob.expect_end(&["* left"], 0);
}

// THREATS 43d3bd77b
#[test]
fn a_name_in_a_certificate_does_not_end_at_a_nul() {
    for (name, is_believed) in
        [("chat.test", true), ("chat.test\0.example.org", false), ("chat.test\0", false), ("\u{1b}[2J", false)]
    {
        let directory = Directory::new();
        let mut params = rcgen::CertificateParams::default();
        // The address is that of the MSRP listener, which comes only after the name has been believed.
        let address = rcgen::SanType::IpAddress([127, 0, 0, 1].into());
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into().unwrap()), address];
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        std::fs::write(directory.path().join("c.pem"), certificate).unwrap();
        std::fs::write(directory.path().join("k.pem"), key.serialize_pem()).unwrap();
        let config = format!("{EVERYTHING}[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n");
        let command = directory.serve(&config);
        let server = Server::start_with(command, directory);
        let believed = server.directory.path().join("c.pem").display().to_string();
        let alice = Chat::call(&server, "alice", "tls", &["--ca", &believed]);
        let first = alice.line();
        assert_eq!(first.starts_with("* in "), is_believed, "{name:?}: {first:?}");
        assert_eq!(first.contains("is not believed"), !is_believed, "{name:?}: {first:?}");
        // Nor does the name get at the terminal.
        assert!(!first.contains(char::is_control), "{first:?}");
    }
}

#[test]
fn what_goes_wrong_is_said_in_words() {
    let server = server("auth.mode = \"open\"\nrooms.create = \"nobody\"");
    let at = |transport: &str| server.address(&format!("sip {transport}://")).to_string();
    let said = |room: &str, server: &str, transport: &str| {
        let arguments = [room, "--as", "sip:alice@chat.test", "--server", server, "--transport", transport];
        let (lines, code) = Chat::start("alice", &arguments).end();
        assert_eq!(code, Some(1));
        lines.concat()
    };
    let (udp, tcp) = (at("udp"), at("tcp"));
    let nowhere = said("sip:cellar@chat.test", &udp, "udp");
    assert_eq!(nowhere, "! there is no room sip:cellar@chat.test (404 Not Found)");
    // The port of one transport is closed for the other.
    let refused = said("sip:lobby@chat.test", &udp, "tcp");
    assert!(refused.contains(&format!("connection refused: nobody listens at {udp} (tcp)")), "{refused}");
    let refused = said("sip:lobby@chat.test", &tcp, "udp");
    assert!(refused.contains(&format!("connection refused: nobody listens at {tcp} (udp)")), "{refused}");
    let disbelieved = said("sip:lobby@chat.test", &at("tls"), "tls");
    assert!(disbelieved.contains("is not believed") && disbelieved.contains("--insecure"), "{disbelieved}");
    let unfit = said("lobby", &udp, "udp");
    assert!(unfit.contains("\"lobby\" is no SIP address"), "{unfit}");
}

#[test]
fn who_is_read_by_nobody_leaves() {
    let server = open_server();
    let mut bob = Chat::join(&server, "bob", "tcp", &[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tertulia"));
    let address = server.address("sip tcp://").to_string();
    command.args(["chat", "sip:lobby@chat.test", "--as", "sip:alice@chat.test", "--transport", "tcp"]);
    let mut alice = command.args(["--server", &address]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let _stdin = alice.stdin.take();
    let mut first = String::new();
    BufReader::new(alice.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("* in "), "{first}");
    bob.types("anybody there?");
    let (tell, told) = channel();
    std::thread::spawn(move || tell.send(alice.wait().unwrap().code()));
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Some(1)));
}

#[test]
fn the_end_of_the_server_is_the_end_of_the_talk() {
    let server = open_server();
    let people = [Chat::join(&server, "alice", "udp", &[]), Chat::join(&server, "bob", "tcp", &[])];
    server.terminate();
    for who in people {
        let mut line = who.line();
        // The server may take its time between the end of the connection and its BYE.
        if line.starts_with("! the connection for messages broke") {
            line = who.line();
        }
        assert!(line.starts_with("! the room sent you away"), "{}: {line}", who.name);
        who.expect_end(&[], 1);
    }
}

#[test]
fn a_load_hears_everything_once_and_in_order() {
    let server = open_server();
    let address = server.address("sip tcp://").to_string();
    let load = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tertulia"));
        command.args(["load", "sip:lobby@chat.test", "--server", &address, "--transport", "tcp"]);
        let output = command.args(more).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let (report, code) = load(&["-n", "20", "-s", "5", "-m", "203", "--size", "64-5000", "--window", "4"]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("deliveries  3857 ("), "{report}");
    assert!(report.contains("0 lost, 0 twice, 0 out of order, 0 spoiled"), "{report}");
    let (report, code) = load(&["-n", "3", "-s", "1", "-m", "10", "--rate", "200", "--threads", "2", "--json"]);
    assert_eq!(code, Some(0), "{report}");
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    for (field, value) in [("joined", 3), ("taken", 10), ("expected", 20), ("heard", 20), ("lost", 0), ("left", 3)] {
        assert_eq!(report[field], value, "{report}");
    }
    // Somebody stays outside: that is not well.
    let (report, code) = load(&["-n", "2", "-s", "1", "-m", "1", "--domain", "elsewhere..test"]);
    assert_eq!(code, Some(1), "{report}");
}
