//! Who wants privacy is told of to nobody: not to those in the room, and not to who reads the log.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read as _, Write as _};
use std::process::{Command, Output};

use support::participant::{Participant, Stream};
use support::{Directory, EVERYTHING, Server, read_until};

/// The next message on a connection, whole; a request gets its 200.
fn answered(stream: &mut Stream) -> String {
    let head = read_until(stream, "\r\n\r\n");
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap();
    let mut body = vec![0; field("Content-Length").parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    if !head.starts_with("SIP/2.0 ") {
        let copied = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "];
        let rows = head.split_inclusive("\r\n").filter(|line| copied.iter().any(|name| line.starts_with(name)));
        let rows: String = rows.collect();
        stream.write_all(format!("SIP/2.0 200 OK\r\n{rows}Content-Length: 0\r\n\r\n").as_bytes()).unwrap();
    }
    head + &String::from_utf8(body).unwrap()
}

/// All messages until one says this.
fn answered_until(stream: &mut Stream, mark: &str) -> String {
    let mut all = String::new();
    while !all.contains(mark) {
        all += &answered(stream);
    }
    all
}

fn tertulia(server: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tertulia"));
    command.args(arguments).current_dir(server.directory.path()).output().unwrap()
}

/// A request of somebody to the lobby, out of any dialog.
fn request(method: &str, who: &str, lines: &str) -> String {
    format!(
        "{method} sip:lobby@chat.test SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKof{who}{method}\r\nMax-Forwards: 70\r\n\
         From: <sip:{who}@chat.test>;tag=of{who}{method}\r\nTo: <sip:lobby@chat.test>\r\nCall-ID: of{who}{method}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:{who}@127.0.0.1:9;transport=tcp>\r\n{lines}Content-Length: 0\r\n\r\n"
    )
}

fn local_port(stream: &Stream) -> u16 {
    match stream {
        Stream::Clear(socket) => socket.local_addr().unwrap().port(),
        Stream::Secure(stream) => stream.sock.local_addr().unwrap().port(),
    }
}

// CONFORMANCE 4575-052 4579-030 THREATS T12
#[test]
fn neither_the_log_nor_anybody_else_learns_who_a_private_participant_is() {
    for secure in [false, true] {
        let directory = Directory::new();
        let config = EVERYTHING.replace("name = \"lobby\"", "name = \"lobby\"\nroster_interval = \"0s\"");
        let mut command = directory.serve(&config);
        command.env("TERTULIA_LOG", "info");
        let mut server = Server::start_with(command, directory);
        let mut log = server.child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            text
        });

        let mut bob = Participant::join(&server, "bob", "lobby", false);
        bob.sip.write_all(request("SUBSCRIBE", "bob", "Event: conference\r\n").as_bytes()).unwrap();
        let mut told = answered_until(&mut bob.sip, "<conference-info");

        // Of what Zoe's user agent says, all has her name in it: address, Contact, Call-ID, tag, branch, path, user agent.
        let lines = "Privacy: id\r\nUser-Agent: zoephone/7 (zoe.example.net)\r\nSubject: from Zoe\r\n";
        let msrp = Stream::connect(&server, "msrp", secure);
        let mut zoe = Participant::join_with(&server, "zoe", "lobby", secure, msrp, lines);
        let known = zoe.uri.clone();
        assert!(known.starts_with("sip:anonymous") && known.ends_with("@anonymous.invalid"), "{known}");
        let ports = [local_port(&zoe.sip), local_port(&zoe.msrp)].map(|port| format!("127.0.0.1:{port}"));
        told += &answered_until(&mut bob.sip, &known);
        zoe.say("It is a secret");
        told += &bob.hear_frame();
        assert!(told.contains("It is a secret"));

        // What she is refused, what goes wrong, and what the operator does about her.
        zoe.sip.write_all(request("SUBSCRIBE", "zoe", "Event: zoe\r\n").as_bytes()).unwrap();
        assert!(answered(&mut zoe.sip).starts_with("SIP/2.0 489 "));
        let refer = "Refer-To: <sip:zoe@127.0.0.1:1;transport=tcp>\r\nRefer-Sub: false\r\n";
        zoe.sip.write_all(request("REFER", "zoe", refer).as_bytes()).unwrap();
        answered(&mut zoe.sip);
        zoe.sip.write_all(b"ZOE sip:lobby@chat.test SIP/2.0\r\nVia: zoe\r\n\r\n").unwrap();
        assert!(tertulia(&server, &["room", "mute", "lobby", &known]).status.success());
        assert!(tertulia(&server, &["room", "kick", "lobby", &known]).status.success());
        assert!(tertulia(&server, &["room", "ban", "lobby", "zoe"]).status.success());
        told += &answered_until(&mut bob.sip, "booted");
        drop(zoe);

        server.terminate();
        // Bob lets go at once.
        told += &answered_until(&mut bob.sip, "BYE ");
        assert_eq!(server.child.wait().unwrap().code(), Some(0));
        bob.msrp.read_to_string(&mut told).unwrap_or_default();
        let log = log.join().unwrap();
        assert!(log.contains("the desk was asked") && log.contains("ended"), "{log}");
        for (what, text) in [("the log", &log), ("Bob", &told)] {
            assert!(!text.to_lowercase().contains("zoe"), "{what} is told of her:\n{text}");
            assert!(!ports.iter().any(|port| text.contains(port.as_str())), "{what} is told of {ports:?}:\n{text}");
        }
        // Nor does the log say by what URI she was known: it would tell what she said.
        assert!(!log.contains(&known), "{log}");
    }
}
