//! People in rooms of a server that runs: what the threads, the sockets and TLS do to what is said.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

use socket2::{Domain, Socket, Type};
use support::participant::{Participant, Stream};
use support::{Directory, EVERYTHING, Server, connect, read_until};

/// Everything of a configuration, and nobody is paced.
fn unhurried() -> String {
    format!("{EVERYTHING}[limits]\nmessage_rate = \"unlimited\"\njoin_rate = \"unlimited\"\n")
}

// CONFORMANCE 4975-031 4976-011 4579-027
#[test]
fn what_one_says_all_others_of_the_room_hear_over_tcp_and_tls() {
    let server = Server::start(&unhurried());
    // Enough connections that each worker accepts some, and enough rooms that each is the home of one: whoever joins on another
    // worker than the room's is handed over, the TLS of half of them too.
    for room in ["tea", "coffee", "mate", "cocoa"] {
        let names: Vec<_> = (0..6).map(|number| format!("{room}-{number}")).collect();
        let mut people: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(number, name)| Participant::join(&server, name, room, number % 2 == 1))
            .collect();
        people.iter_mut().zip(&names).for_each(|(person, name)| person.say(&format!("I am {name}")));
        for (person, name) in people.iter_mut().zip(&names) {
            let others = names.iter().filter(|other| *other != name);
            let heard: BTreeSet<_> = others.clone().map(|_| person.hear()).collect();
            assert_eq!(heard, others.map(|other| format!("I am {other}")).collect(), "{name}");
        }
    }
}

#[test]
fn what_a_slow_reader_could_not_take_at_once_comes_whole_and_in_order() {
    let server = Server::start(&unhurried());
    let mut speaker = Participant::join(&server, "speaker", "lobby", false);
    let mut listeners = [
        Participant::join_on(&server, "clear", "lobby", false, Stream::Clear(narrow(server.address("msrp tcp://")))),
        Participant::join_on(
            &server,
            "tls",
            "lobby",
            true,
            Stream::secure(&server, narrow(server.address("msrp tls://"))),
        ),
        Participant::join(&server, "quick", "lobby", false),
    ];
    // More than the kernel takes for narrow sockets, less than what the server keeps for somebody slow.
    let text = |number: usize| format!("{number:08}").repeat(1250);
    let count = (what_a_narrow_connection_holds() + 512 * 1024) / text(0).len();
    (0..count).for_each(|number| speaker.say(&text(number)));
    for listener in listeners.iter_mut().rev() {
        (0..count).for_each(|number| assert_eq!(listener.hear(), text(number)));
    }
}

/// How much the server can send to a receiver that takes nothing.
fn what_a_narrow_connection_holds() -> usize {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let _receiver = narrow(listener.local_addr().unwrap());
    let (mut sender, _) = listener.accept().unwrap();
    sender.set_nonblocking(true).unwrap();
    socket2::SockRef::from(&sender).set_tcp_notsent_lowat(128 * 1024).unwrap();
    let mut held = 0;
    while let Ok(count) = sender.write(&[b'x'; 10_000]) {
        held += count;
    }
    held
}

/// A connection whose receiver takes little at a time.
fn narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    socket
}

#[test]
fn who_is_in_a_room_gets_a_bye_when_the_server_ends() {
    let mut server = Server::start(EVERYTHING);
    let mut people = [false, true].map(|secure| Participant::join(&server, &format!("p-{secure}"), "lobby", secure));
    server.terminate();
    for person in &mut people {
        let bye = read_until(&mut person.sip, "\r\n\r\n");
        assert!(bye.starts_with("BYE sip:p-"), "{bye}");
        let copied = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "];
        let rows = bye.split_inclusive("\r\n").filter(|line| copied.iter().any(|name| line.starts_with(name)));
        let answer = format!("SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n", rows.collect::<String>());
        person.sip.write_all(answer.as_bytes()).unwrap();
    }
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start(EVERYTHING);
    let mut person = Participant::join(&server, "silent", "lobby", false);
    server.terminate();
    // The BYE is left without an answer, so that the server would wait.
    read_until(&mut person.sip, "\r\n\r\n");
    server.terminate();
    assert_eq!(server.child.wait().unwrap().code(), Some(1));
}

// THREATS T1
#[test]
fn who_guesses_at_sessions_is_answered_to_the_last_and_then_cut_off() {
    let server = Server::start(EVERYTHING);
    let mut guesser = connect(server.address("msrp tcp://"));
    let guess = |number: u32| {
        format!(
            "MSRP guess{number:04} SEND\r\nTo-Path: msrp://127.0.0.1:2855/nobody{number};tcp\r\nFrom-Path: msrp://127.0.0.1:9/me;tcp\r\n\
             Message-ID: m{number:07}\r\nByte-Range: 1-0/0\r\n-------guess{number:04}$\r\n"
        )
    };
    // All at once: what the server has not read when it closes must not cost the peer the answers to what it has.
    let guesses: String = (0..5000).map(guess).collect();
    guesser.write_all(guesses.as_bytes()).unwrap();
    let mut answers = String::new();
    guesser.read_to_string(&mut answers).unwrap();
    let refused = answers.matches(" 481 ").count();
    assert!((1..=20).contains(&refused), "{refused}");
}

// THREATS F8
#[test]
fn with_no_descriptors_left_talk_goes_on_and_new_ones_are_let_in_again_later() {
    let directory = Directory::new();
    let serve = directory.serve(&unhurried());
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 400 && exec \"$0\" \"$@\""]).arg(serve.get_program()).args(serve.get_args());
    limited.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let server = Server::start_with(limited, directory);
    let mut people = ["ann", "ben"].map(|name| Participant::join(&server, name, "lobby", false));

    // Some descriptors are kept for other things than connections; who is one too many is cut off.
    let (cut_off, first_cut_off) = std::sync::mpsc::channel();
    let crowd: Vec<_> = (0..400).map(|_| Arc::new(server.connect("msrp tcp://"))).collect();
    for socket in crowd.iter().cloned() {
        let cut_off = cut_off.clone();
        std::thread::spawn(move || drop((&*socket).read(&mut [0]).map(|count| cut_off.send(count))));
    }
    assert_eq!(first_cut_off.recv().unwrap(), 0);
    people[0].say("still here");
    assert_eq!(people[1].hear(), "still here");

    crowd.iter().for_each(|socket| socket.shutdown(Shutdown::Both).unwrap_or_default());
    let mut health = server.connect("http http://");
    health.write_all(b"GET /healthz HTTP/1.1\r\nHost: chat.test\r\n\r\n").unwrap();
    assert!(read_until(&mut health, "ok\n").starts_with("HTTP/1.1 200 "));
}
