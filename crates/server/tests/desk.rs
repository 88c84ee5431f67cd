//! `tertulia user` and `tertulia room` against `tertulia serve`: processes, lines and exit codes.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use support::chat::Chat;
use support::participant::{Participant, Stream};
use support::{Directory, Server, read_until};

/// A server for `chat.test` on free ports, with a room `lobby` whose nicknames the file decides.
fn config(more: &str) -> String {
    format!(
        "domain = \"chat.test\"\n\
         sip.listen = [\"udp://127.0.0.1:0\", \"tcp://127.0.0.1:0\"]\nmsrp.listen = [\"tcp://127.0.0.1:0\"]\n\
         http.listen = []\n{more}\n[[room]]\nname = \"lobby\"\nnicknames = true\n"
    )
}

const OPEN: &str = "auth.mode = \"open\"";
const ALICE: &str = "[[users]]\nuri = \"sip:alice@chat.test\"\npassword = \"wonderland\"\naliases = [\"tel:+1555\"]";

/// What a command has said, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

/// Runs a command in the directory of a server, with something on its standard input.
fn run_with(directory: &Path, input: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tertulia"));
    command.args(arguments).current_dir(directory);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that does not read what it is given may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    Said { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}

fn run(server: &Server, arguments: &[&str]) -> Said {
    run_with(server.directory.path(), "", arguments)
}

/// What a command says where all is well.
#[track_caller]
fn done(server: &Server, arguments: &[&str]) -> String {
    let said = run(server, arguments);
    assert_eq!((said.code, &*said.stderr), (Some(0), ""), "{arguments:?}");
    said.stdout
}

/// What a command says where the server refuses.
#[track_caller]
fn refused(server: &Server, arguments: &[&str]) -> String {
    let said = run(server, arguments);
    assert_eq!((said.code, &*said.stdout), (Some(1), ""), "{arguments:?}");
    said.stderr.strip_prefix("tertulia: ").unwrap().trim_end().to_owned()
}

fn json(server: &Server, arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&done(server, &[arguments, &["--json"]].concat())).unwrap()
}

/// The same server once more, after the end of this one.
fn again(mut server: Server, config: &str) -> Server {
    server.child.wait().unwrap();
    let directory = std::mem::replace(&mut server.directory, Directory::new());
    let command = directory.serve(config);
    Server::start_with(command, directory)
}

/// Calls the lobby with a password.
fn log_in(server: &Server, who: &str, password: &str) -> Chat {
    let file = server.directory.path().join(format!("password of {who}"));
    std::fs::write(&file, password).unwrap();
    Chat::call(server, who, "tcp", &["--password-file", &file.display().to_string()])
}

fn in_the_lobby(who: &str) -> String {
    format!("* in sip:lobby@chat.test as sip:{who}@chat.test (nicknames, private messages)")
}

#[test]
fn a_user_who_is_added_logs_in_at_once_and_after_a_restart_until_deleted() {
    let config = config(ALICE);
    let server = Server::start(&config);
    log_in(&server, "bob", "secret").expect("! the user name or the password is wrong (401 Unauthorized)");
    let add = ["user", "add", "bob", "--alias", "tel:+1-555-1234", "--alias", "im:bob@chat.test"];
    let said = run_with(server.directory.path(), "secret\n", &add);
    assert_eq!((said.code, &*said.stdout), (Some(0), "sip:bob@chat.test can log in\n"), "{said:?}");
    log_in(&server, "bob", "secret").expect(&in_the_lobby("bob"));
    let list = "USER                 FROM   ALIASES\n\
                sip:alice@chat.test  file   tel:+1555\n\
                sip:bob@chat.test    store  tel:+15551234 im:bob@chat.test\n";
    assert_eq!(done(&server, &["user", "list"]), list);

    server.terminate();
    let server = again(server, &config);
    assert_eq!(done(&server, &["user", "list"]), list);
    log_in(&server, "bob", "secret").expect(&in_the_lobby("bob"));
    let said = run_with(server.directory.path(), "other\n", &["user", "password", "sip:bob@chat.test"]);
    assert_eq!((said.code, &*said.stdout), (Some(0), "sip:bob@chat.test has another password\n"));
    log_in(&server, "bob", "secret").expect("! the user name or the password is wrong (401 Unauthorized)");
    log_in(&server, "bob", "other").expect(&in_the_lobby("bob"));

    assert_eq!(done(&server, &["user", "delete", "bob"]), "sip:bob@chat.test cannot log in any more\n");
    log_in(&server, "bob", "other").expect("! the user name or the password is wrong (401 Unauthorized)");
    assert_eq!(refused(&server, &["user", "delete", "bob"]), "there is no user sip:bob@chat.test");
    assert_eq!(json(&server, &["user", "list"])["users"].as_array().unwrap().len(), 1);
}

#[test]
fn users_of_the_configuration_are_its_own() {
    let server = Server::start(&config(ALICE));
    let add = |user: &str, more: &[&str]| {
        let said = run_with(server.directory.path(), "secret\n", &[&["user", "add", user], more].concat());
        assert_eq!(said.code, Some(1));
        said.stderr
    };
    let its_own = "sip:alice@chat.test stands in the configuration: change it there, and start the server again";
    assert_eq!(add("alice", &[]), format!("tertulia: {its_own}\n"));
    assert_eq!(refused(&server, &["user", "delete", "sip:alice@chat.test"]), its_own);
    assert!(add("bob", &["--alias", "tel:+1555"]).contains("tel:+1555 belongs to another user or to a room already"));
    assert!(add("lobby", &[]).contains("sip:lobby@chat.test belongs to another user or to a room already"));
    assert!(add("sip:bob@elsewhere.test", &[]).contains("right would be sip:NAME@chat.test"));
    assert!(add("bob smith", &[]).contains("right would be NAME or sip:NAME@chat.test"));
    assert!(add("bob", &["--alias", "mailto:bob@x"]).contains("is no other URI of a user"));
    let nothing = run_with(server.directory.path(), "", &["user", "add", "bob"]);
    assert!(nothing.stderr.contains("a password is needed") && nothing.code == Some(1), "{nothing:?}");
}

// THREATS T35
#[test]
fn no_password_is_in_an_argument_in_the_log_or_in_a_file() {
    let directory = Directory::new();
    let mut command = directory.serve(&config(ALICE));
    command.env("TERTULIA_LOG", "trace");
    let log = std::fs::File::create(directory.path().join("log")).unwrap();
    command.stderr(log);
    let mut server = Server::start_with(command, directory);
    let here = server.directory.path().to_owned();
    let socket = here.join("tertulia-data/desk.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    for arguments in [
        &["user", "add", "bob", "--password", "Tr0ub4dor"][..],
        &["user", "add", "bob", "Tr0ub4dor"],
        &["room", "password", "lobby", "Tr0ub4dor"],
    ] {
        assert_eq!(run(&server, arguments).code, Some(2), "the command line takes none");
    }
    std::fs::write(here.join("secret"), "Tr0ub4dor\n").unwrap();
    done(&server, &["user", "add", "bob", "--password-file", "secret"]);
    done(&server, &["room", "password", "lobby", "--password-file", "secret"]);
    assert!(done(&server, &["room", "show", "lobby"]).contains("password    yes\n"));
    done(&server, &["room", "password", "lobby", "--none"]);
    server.terminate();
    server.child.wait().unwrap();
    assert!(!socket.exists(), "nothing is left of the desk");
    let log = std::fs::read_to_string(here.join("log")).unwrap();
    assert!(log.contains("request=\"user add\"") && log.contains("asked at the desk"), "{log}");
    for entry in std::fs::read_dir(here.join("tertulia-data")).unwrap().map(|entry| entry.unwrap().path()) {
        let text = String::from_utf8_lossy(&std::fs::read(&entry).unwrap()).into_owned();
        assert!(!text.contains("Tr0ub4dor"), "{}", entry.display());
    }
    assert!(!log.contains("Tr0ub4dor"));
}

#[test]
fn a_room_is_made_changed_and_kept_until_it_is_deleted() {
    let config = config(&format!("{OPEN}\nrooms.create = \"nobody\""));
    let server = Server::start(&config);
    let made =
        done(&server, &["room", "create", "tea", "--subject", "Tea and talk", "private_messages=false", "grace=90s"]);
    assert_eq!(made, "sip:tea@chat.test is there until it is deleted\n");
    assert!(refused(&server, &["room", "create", "sip:tea@chat.test"]).contains("tea is there already"));
    let list = "ROOM                 FROM   ENDS   USERS  SESSIONS  HIDDEN  SUBJECT\n\
                sip:lobby@chat.test  file   never  0      0\n\
                sip:tea@chat.test    store  never  0      0                 Tea and talk\n";
    assert_eq!(done(&server, &["room", "list"]), list);
    done(&server, &["room", "set", "tea", "wrapped_types=[\"text/plain\"]", "hidden=true", "subject=Té"]);
    done(&server, &["room", "moderator", "tea", "alice"]);
    done(&server, &["room", "member", "tea", "sip:bob@elsewhere.test"]);
    done(&server, &["room", "ban", "tea", "sip:mallory@127.0.0.1"]);
    done(&server, &["room", "mute", "tea", "tel:+1 555".replace(' ', "").as_str()]);
    let sheet = json(&server, &["room", "show", "tea"])["room"].clone();
    for (key, value) in [
        ("uri", "\"sip:tea@chat.test\""),
        ("subject", "\"Té\""),
        ("hidden", "true"),
        ("moderators", "[\"sip:alice@chat.test\"]"),
        ("members", "[\"sip:bob@elsewhere.test\"]"),
        ("banned", "[\"sip:mallory@chat.test\"]"),
        ("muted", "[\"tel:+1555\"]"),
    ] {
        assert_eq!(sheet[key].to_string(), value);
    }
    assert_eq!(sheet["policy"]["grace"].to_string(), "[\"90s\",\"store\"]");
    assert_eq!(sheet["policy"]["wrapped_types"].to_string(), "[[\"text/plain\"],\"store\"]");
    assert_eq!(sheet["policy"]["nicknames"].to_string(), "[true,\"default\"]");

    server.terminate();
    let server = again(server, &config);
    assert!(server.lines.contains(&"room sip:tea@chat.test".to_owned()), "{:?}", server.lines);
    assert_eq!(json(&server, &["room", "show", "tea"])["room"], sheet);
    done(&server, &["room", "unset", "tea", "grace", "hidden"]);
    done(&server, &["room", "open", "tea"]);
    let shown = done(&server, &["room", "show", "tea"]);
    assert!(shown.contains("grace                  \"30s\"") && shown.contains("members     everybody\n"), "{shown}");
    assert_eq!(refused(&server, &["room", "unset", "tea", "grace"]), "room.grace is not set for tea");
    assert_eq!(done(&server, &["room", "delete", "tea"]), "tea is deleted\n");
    assert_eq!(refused(&server, &["room", "delete", "tea"]), "tea: there is no such room");
    server.terminate();
    let server = again(server, &config);
    assert_eq!(refused(&server, &["room", "show", "tea"]), "tea: there is no such room");
}

#[test]
fn what_the_configuration_says_of_a_room_stands() {
    let config = config(OPEN);
    let server = Server::start(&config);
    let stands = "room.nicknames of lobby stands in the configuration: change it there, and start the server again";
    assert_eq!(refused(&server, &["room", "set", "lobby", "nicknames=false"]), stands);
    assert!(refused(&server, &["room", "delete", "lobby"]).starts_with("lobby stands in the configuration"));
    done(&server, &["room", "set", "lobby", "private_messages=false", "subject=Tea"]);
    server.terminate();
    // By key: what the file has come to say since wins over what was set, and what it does not say stays.
    let server = again(server, &format!("{config}subject = \"Coffee\"\n"));
    let sheet = json(&server, &["room", "show", "lobby"])["room"].clone();
    assert_eq!(sheet["subject"], "Coffee");
    assert_eq!(sheet["policy"]["private_messages"].to_string(), "[false,\"store\"]");
    assert_eq!(sheet["policy"]["nicknames"].to_string(), "[true,\"file\"]");
}

#[test]
fn people_notice_what_the_operator_does() {
    let server = Server::start(&config(OPEN));
    let mut alice = Chat::join(&server, "alice", "tcp", &[]);
    let bob = Chat::join(&server, "bob", "udp", &[]);
    assert!(
        done(&server, &["room", "show", "lobby"]).contains("present     sip:alice@chat.test (1) sip:bob@chat.test (1)")
    );
    let kick = done(&server, &["room", "kick", "lobby", "bob", "--reason", "Mind your language"]);
    assert_eq!(kick, "sip:bob@chat.test was sent out of lobby (1 session)\n");
    bob.expect_end(&["! the room sent you away: SIP;cause=403;text=\"Mind your language\""], 1);
    assert_eq!(refused(&server, &["room", "kick", "lobby", "bob"]), "lobby: nobody of that address is there");
    let bob = Chat::join(&server, "bob", "udp", &[]);
    assert_eq!(done(&server, &["room", "ban", "lobby", "bob"]), "sip:bob@chat.test is banned from lobby (1 session)\n");
    bob.expect_end(&["! the room sent you away: SIP;cause=403;text=\"You are banned from the room\""], 1);
    let outside = Chat::call(&server, "bob", "udp", &[]).line();
    assert!(outside.contains("(403"), "{outside}");
    assert!(refused(&server, &["room", "ban", "lobby", "bob"]).contains("is banned from lobby as it is"));
    done(&server, &["room", "unban", "lobby", "bob"]);
    let bob = Chat::join(&server, "bob", "udp", &[]);
    alice.types("welcome back");
    bob.expect("<alice> welcome back");
}

#[test]
fn a_called_room_lasts_from_its_first_change_on() {
    let config = config(OPEN);
    let server = Server::start(&config);
    let call = |server: &Server, who: &str| {
        let address = server.address("sip tcp://").to_string();
        let identity = format!("sip:{who}@chat.test");
        let chat = Chat::start(
            who,
            &["--quiet", "sip:den@chat.test", "--as", &identity, "--server", &address, "--transport", "tcp"],
        );
        assert!(chat.line().starts_with("* in sip:den@chat.test"));
        chat
    };
    let alice = call(&server, "alice");
    assert!(done(&server, &["room", "list"]).contains("sip:den@chat.test    -     empty  1      1\n"));
    let said = done(&server, &["room", "mute", "den", "bob"]);
    assert_eq!(said, "sip:bob@chat.test is muted in den; the room stays now until it is deleted\n");
    alice.expect_end(&["* left"], 0);
    server.terminate();
    let server = again(server, &config);
    let sheet = json(&server, &["room", "show", "den"])["room"].clone();
    assert_eq!((&sheet["from"], &sheet["creator"]), (&"store".into(), &"sip:alice@chat.test".into()));
    let bob = call(&server, "bob");
    assert_eq!(done(&server, &["room", "delete", "den", "--reason", "Enough"]), "den is deleted (1 session)\n");
    bob.expect_end(&["! the room sent you away: SIP;cause=410;text=\"Enough\""], 1);
}

#[test]
fn a_called_room_that_may_not_end_is_there_after_a_restart() {
    let config = config(&format!("{OPEN}\nrooms.defaults.delete_when = \"never\""));
    let server = Server::start(&config);
    let address = server.address("sip tcp://").to_string();
    let call =
        ["--quiet", "sip:den@chat.test", "--as", "sip:alice@chat.test", "--server", &address, "--transport", "tcp"];
    let alice = Chat::start("alice", &call);
    assert!(alice.line().starts_with("* in sip:den@chat.test"));
    // The clerk is asked after it was told of the room.
    assert_eq!(json(&server, &["room", "show", "den"])["room"]["from"], "store");
    drop(alice);
    server.terminate();
    let server = again(server, &config);
    assert_eq!(json(&server, &["room", "show", "den"])["room"]["creator"], "sip:alice@chat.test");
}

/// Somebody calls a room, and goes.
fn visit(server: &Server, who: &str, room: &str, more: &[&str]) {
    let address = server.address("sip tcp://").to_string();
    let (uri, identity) = (format!("sip:{room}@chat.test"), format!("sip:{who}@chat.test"));
    let call = ["--quiet", &uri, "--as", &identity, "--server", &address, "--transport", "tcp"];
    let chat = Chat::start(who, &[&call, more].concat());
    assert!(chat.line().starts_with(&format!("* in {uri}")));
    chat.expect_end(&["* left"], 0);
}

/// Somebody wants a room to end; the answer's status.
fn refer_bye(server: &Server, who: &str, room: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut sip = Stream::connect(server, "sip", false);
    let request = format!(
        "REFER sip:{room}@chat.test SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKrefer{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{who}@chat.test>;tag={who}\r\nTo: <sip:{room}@chat.test>\r\nCall-ID: \
         refer{number}\r\nCSeq: 1 REFER\r\nContact: <sip:{who}@127.0.0.1:9;transport=tcp>\r\nRefer-To: \
         <sip:{room}@chat.test;method=BYE>\r\nContent-Length: 0\r\n\r\n"
    );
    sip.write_all(request.as_bytes()).unwrap();
    read_until(&mut sip, "\r\n\r\n").split(' ').nth(1).unwrap().to_owned()
}

const NO_TEA: &str = "tea: there is no such room";

// CONFORMANCE 7701-033
#[test]
fn who_has_made_a_room_that_lasts_ends_it_before_a_restart_and_after_it() {
    let config = config(&format!("{OPEN}\nrooms.defaults.delete_when = \"never\""));
    let mut server = Server::start(&config);
    for _ in 0..2 {
        visit(&server, "alice", "tea", &[]);
        server.terminate();
        server = again(server, &config);
        assert_eq!(refer_bye(&server, "bob", "tea"), "403");
        assert_eq!(json(&server, &["room", "show", "tea"])["room"]["from"], "store");
        assert_eq!(refer_bye(&server, "alice", "tea"), "202");
        assert_eq!(refused(&server, &["room", "show", "tea"]), NO_TEA);
        visit(&server, "alice", "tea", &[]);
        assert_eq!(refer_bye(&server, "alice", "tea"), "202");
        assert_eq!(refused(&server, &["room", "show", "tea"]), NO_TEA);
        server.terminate();
        server = again(server, &config);
        assert_eq!(refused(&server, &["room", "show", "tea"]), NO_TEA);
    }
}

// CONFORMANCE 7701-033
#[test]
fn a_room_that_the_operator_has_changed_is_emptied_by_its_creator_and_stays() {
    for delete_when in ["empty", "never"] {
        let config = config(&format!("{OPEN}\nrooms.defaults.delete_when = \"{delete_when}\""));
        let server = Server::start(&config);
        let address = server.address("sip tcp://").to_string();
        let call =
            ["--quiet", "sip:tea@chat.test", "--as", "sip:alice@chat.test", "--server", &address, "--transport", "tcp"];
        let alice = Chat::start("alice", &call);
        assert!(alice.line().starts_with("* in sip:tea@chat.test"));
        let said = done(&server, &["room", "ban", "tea", "mallory"]);
        assert_eq!(said, "sip:mallory@chat.test is banned from tea; the room stays now until it is deleted\n");
        let said = done(&server, &["room", "ban", "tea", "trudy"]);
        assert_eq!(said, "sip:trudy@chat.test is banned from tea\n");
        assert_eq!(refer_bye(&server, "alice", "tea"), "202");
        alice.expect("! the room sent you away: SIP;cause=410;text=\"The room is closed\"");
        let stays = |server: &Server| {
            let sheet = json(server, &["room", "show", "tea"])["room"].clone();
            assert_eq!(sheet["banned"].to_string(), "[\"sip:mallory@chat.test\",\"sip:trudy@chat.test\"]");
            assert_eq!(sheet["creator"], "sip:alice@chat.test");
        };
        stays(&server);
        server.terminate();
        let server = again(server, &config);
        assert_eq!(refer_bye(&server, "alice", "tea"), "202");
        stays(&server);
    }
}

#[test]
fn a_room_that_nobody_in_particular_has_made_has_no_creator() {
    let config = config(&format!("{OPEN}\nrooms.defaults.delete_when = \"never\""));
    let server = Server::start(&config);
    let _somebody = Participant::join(&server, "anonymous", "tea", false);
    assert_eq!(json(&server, &["room", "show", "tea"])["room"]["from"], "store");
    server.terminate();
    let server = again(server, &config);
    assert_eq!(json(&server, &["room", "show", "tea"])["room"]["creator"], serde_json::Value::Null);
}

#[test]
fn what_the_file_gives_to_a_user_or_the_factory_is_no_room_s() {
    let file = config(ALICE);
    let server = Server::start(&file);
    done(&server, &["room", "create", "tea"]);
    done(&server, &["room", "create", "den"]);
    let belongs = |name: &str| format!("sip:{name}@chat.test belongs to a user or to the factory of rooms");
    assert_eq!(refused(&server, &["room", "create", "alice"]), belongs("alice"));
    let add = |server: &Server, user: &str| run_with(server.directory.path(), "secret\n", &["user", "add", user]);
    assert_eq!(add(&server, "bob").code, Some(0));
    assert_eq!(refused(&server, &["room", "create", "bob"]), belongs("bob"));
    assert!(add(&server, "den").stderr.contains("sip:den@chat.test belongs to another user or to a room already"));

    server.terminate();
    let file = config(&format!(
        "{ALICE}\n[[users]]\nuri = \"sip:carol@chat.test\"\npassword = \"x\"\naliases = [\"sip:den@chat.test\"]\n\
         [rooms]\nfactory = \"tea\"\n"
    ));
    let server = again(server, &file);
    assert!(!server.lines.iter().any(|line| line.starts_with("room sip:tea@")), "{:?}", server.lines);
    assert_eq!(done(&server, &["room", "list"]).lines().count(), 2, "the lobby alone");
    for name in ["tea", "den"] {
        assert_eq!(refused(&server, &["room", "create", name]), belongs(name));
        assert_eq!(refused(&server, &["room", "set", name, "grace=1s"]), belongs(name));
    }
    let told = "sip:tea@chat.test belongs to another user or to a room already";
    assert_eq!(add(&server, "tea").stderr, format!("tertulia: {told}\n"));
    // It is still kept, and can be removed.
    assert_eq!(done(&server, &["room", "delete", "tea"]), "tea is deleted\n");
    assert_eq!(refused(&server, &["room", "delete", "tea"]), NO_TEA);
}

#[test]
fn wrong_values_are_told_with_what_would_be_right() {
    let server = Server::start(&config(OPEN));
    for (arguments, told) in [
        (&["room", "create", "a b"][..], "\"a b\" is no room; right would be NAME or sip:NAME@chat.test"),
        (
            &["room", "show", "sip:lobby@elsewhere.test"],
            "\"sip:lobby@elsewhere.test\" is no room; right would be NAME or sip:NAME@chat.test",
        ),
        (
            &["room", "set", "lobby", "grace=25h"],
            "room.grace: \"25h\" is wrong; right would be a span of time from \"0s\" to \"24h\"",
        ),
        (
            &["room", "set", "lobby", "delete_when=empty"],
            "room.delete_when: \"empty\" is wrong; right would be \"never\": a room that is kept is permanent",
        ),
        (&["room", "set", "lobby", "history=50"], "room.history: 50 is not carried out yet; right would be 0"),
        (&["room", "set", "lobby", "hidden=maybe"], "room.hidden: \"maybe\" is wrong; right would be true or false"),
        (
            &["room", "set", "lobby", "members=bob"],
            "room.members is not set like this; `tertulia room --help` says how",
        ),
        (&["room", "set", "cellar", "grace=1s"], "cellar: there is no such room"),
        (&["room", "unban", "lobby", "bob"], "sip:bob@chat.test is not banned from lobby as it is"),
        (&["room", "member", "lobby", "bob", "--remove"], "lobby has no list of members"),
    ] {
        assert_eq!(refused(&server, arguments), told);
    }
    let unknown = refused(&server, &["room", "set", "lobby", "grase=1s"]);
    assert!(unknown.starts_with("room.grase: unknown key; [room] may have nicknames, "), "{unknown}");
    for wrong in
        [&["room", "set", "lobby"][..], &["room", "set", "lobby", "grace"], &["room", "dance"], &["user", "add"]]
    {
        assert_eq!(run(&server, wrong).code, Some(2), "{wrong:?}");
    }
    assert_eq!(done(&server, &["room", "list"]).lines().count(), 2, "nothing has changed");
    // Machines are told as well, and by the exit code.
    let said = run(&server, &["room", "show", "cellar", "--json"]);
    assert_eq!((said.code, &*said.stdout), (Some(1), "{\"refused\":\"cellar: there is no such room\"}\n"));
}

#[test]
fn without_a_server_that_is_said_and_a_second_one_is_refused() {
    let config = config(OPEN);
    let server = Server::start(&config);
    let directory = server.directory.path();
    let second = server.directory.refused(&config);
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(said.contains("a server runs on tertulia-data already"), "{said}");
    done(&server, &["room", "list"]);

    let nowhere = run(&server, &["room", "list", "--data-dir", "elsewhere"]);
    let told = "tertulia: no server runs on elsewhere: nobody answers at elsewhere/desk.sock; \
                --config or --data-dir says where its data are\n";
    assert_eq!(nowhere, Said { stdout: String::new(), stderr: told.to_owned(), code: Some(1) });
    std::fs::write(directory.join("elsewhere.toml"), "data_dir = \"elsewhere\"\n").unwrap();
    assert_eq!(run(&server, &["room", "list", "--config", "elsewhere.toml"]).stderr, told);
    assert!(done(&server, &["room", "list", "--config", "tertulia.toml"]).contains("sip:lobby@chat.test"));

    // A server that was killed leaves its socket: nobody answers there, and the next one takes its place.
    let mut server = server;
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let socket = server.directory.path().join("tertulia-data/desk.sock");
    assert!(socket.exists());
    assert!(run(&server, &["room", "list"]).stderr.contains("no server runs on tertulia-data"));
    let server = again(server, &config);
    assert!(done(&server, &["room", "list"]).contains("sip:lobby@chat.test"));
}

#[test]
fn whoever_is_added_while_everybody_is_believed_is_told_so() {
    let server = Server::start(&config(OPEN));
    let said = run_with(server.directory.path(), "secret\n", &["user", "add", "bob"]);
    let told = "sip:bob@chat.test can log in; but auth.mode is \"open\", and nobody is asked for a password\n";
    assert_eq!(said.stdout, told);
    server.terminate();
    let server = again(server, &config(""));
    log_in(&server, "bob", "secret").expect(&in_the_lobby("bob"));
}

const ASKED: &str =
    "! the room wants a password: give --room-password-file, or set TERTULIA_ROOM_PASSWORD (401 Unauthorized)";

/// A file in the directory of a server with a password; its name.
fn kept(server: &Server, name: &str, password: &str) -> String {
    let path = server.directory.path().join(name);
    std::fs::write(&path, format!("{password}\n")).unwrap();
    path.display().to_string()
}

#[test]
fn the_password_of_a_room_is_asked_of_who_comes_until_it_is_taken_away() {
    let config = config(ALICE);
    let server = Server::start(&config);
    let mut inside = log_in(&server, "alice", "wonderland");
    inside.expect(&in_the_lobby("alice"));
    let set = |server: &Server, password: &str| {
        let said = run_with(server.directory.path(), &format!("{password}\n"), &["room", "password", "lobby"]);
        assert_eq!((said.code, &*said.stdout), (Some(0), "lobby has another password\n"), "{said:?}");
    };
    set(&server, "sesame");
    let [own, room, wrong] =
        [("own", "wonderland"), ("room", "sesame"), ("wrong", "Sesame")].map(|(name, text)| kept(&server, name, text));
    let call = |server: &Server, transport: &str, own: &str, room: Option<&str>| {
        let room = room.map(|file| ["--room-password-file", file]);
        let more = ["--password-file", own].into_iter().chain(room.into_iter().flatten()).collect::<Vec<_>>();
        Chat::call(server, "alice", transport, &more)
    };
    call(&server, "tcp", &own, None).expect_end(&[ASKED], 1);
    let said = "! the password of the room is wrong (401 Unauthorized)";
    call(&server, "udp", &own, Some(&wrong)).expect_end(&[said], 1);
    let said = "! the user name or the password is wrong (401 Unauthorized)";
    call(&server, "tcp", &wrong, Some(&room)).expect_end(&[said], 1);
    let second = call(&server, "udp", &own, Some(&room));
    second.expect(&in_the_lobby("alice"));
    // Who was in before has stayed.
    inside.types("is it me?");
    second.expect("<alice> is it me?");
    drop((inside, second));

    server.terminate();
    let server = again(server, &config);
    let [own, room] = [("own", "wonderland"), ("room", "sesame")].map(|(name, text)| kept(&server, name, text));
    call(&server, "tcp", &own, None).expect_end(&[ASKED], 1);
    call(&server, "tcp", &own, Some(&room)).expect(&in_the_lobby("alice"));
    set(&server, "roses");
    let said = "! the password of the room is wrong (401 Unauthorized)";
    call(&server, "tcp", &own, Some(&room)).expect_end(&[said], 1);
    assert_eq!(done(&server, &["room", "password", "lobby", "--none"]), "lobby has no password\n");
    call(&server, "tcp", &own, None).expect(&in_the_lobby("alice"));
}

#[test]
fn a_room_of_the_file_has_the_password_the_members_and_the_cover_that_stand_there() {
    let room = "password = \"sesame\"\nmembers = [\"sip:alice@chat.test\", \"sip:load-0@chat.test\", \"sip:load-1@chat.test\"]\nhidden = true\n";
    let config = config(OPEN) + room;
    let server = Server::start(&config);
    let sheet = json(&server, &["room", "show", "lobby"])["room"].clone();
    assert_eq!(
        sheet["members"].to_string(),
        "[\"sip:alice@chat.test\",\"sip:load-0@chat.test\",\"sip:load-1@chat.test\"]"
    );
    assert_eq!((&sheet["has_password"], &sheet["hidden"]), (&true.into(), &true.into()));
    for (key, arguments) in [
        ("password", &["room", "password", "lobby", "--none"][..]),
        ("members", &["room", "member", "lobby", "bob"]),
        ("members", &["room", "member", "lobby", "alice", "--remove"]),
        ("members", &["room", "open", "lobby"]),
        ("hidden", &["room", "set", "lobby", "hidden=false"]),
        ("hidden", &["room", "unset", "lobby", "hidden"]),
    ] {
        let stands =
            format!("room.{key} of lobby stands in the configuration: change it there, and start the server again");
        assert_eq!(refused(&server, arguments), stands, "{arguments:?}");
    }
    let file = kept(&server, "room", "sesame");
    let password = ["--room-password-file", &*file];
    Chat::call(&server, "alice", "udp", &[]).expect_end(&[ASKED], 1);
    Chat::join(&server, "alice", "tcp", &password);
    let outside = Chat::call(&server, "bob", "tcp", &password).line();
    assert!(outside.contains("(403 ") || outside.contains("(404 "), "{outside}");
    // By another name of the host the room is reached, but the password is not told.
    let address = server.address("sip tcp://").to_string();
    let elsewhere = ["sip:lobby@localhost", "--as", "sip:alice@chat.test", "--server", &address, "--transport", "tcp"];
    let said = "! the room wants a password, which it is told by its own name alone: call sip:lobby@chat.test \
                (401 Unauthorized)";
    Chat::start("alice", &[&elsewhere[..], &password].concat()).expect_end(&[said], 1);
    let load =
        ["load", "sip:lobby@chat.test", "--server", &address, "--transport", "tcp", "-n", "2", "-m", "9", "-s", "1"];
    assert_eq!(run(&server, &load).code, Some(1));
    assert_eq!(run(&server, &[&load[..], &password].concat()).code, Some(0));

    // What has been changed at the desk stands back behind the file, and the store keeps it.
    done(&server, &["room", "mute", "lobby", "bob"]);
    done(&server, &["room", "set", "lobby", "grace=90s"]);
    assert_eq!(json(&server, &["room", "show", "lobby"])["room"]["hidden"], true);
    server.terminate();
    let ha1 = "ab".repeat(32);
    let server = again(server, &config.replace("password = \"sesame\"", &format!("password_ha1.sha-256 = \"{ha1}\"")));
    let after = json(&server, &["room", "show", "lobby"])["room"].clone();
    for key in ["members", "has_password", "hidden"] {
        assert_eq!(after[key], sheet[key], "{key}");
    }
    assert_eq!(after["muted"].to_string(), "[\"sip:bob@chat.test\"]");
    let stands = refused(&server, &["room", "password", "lobby", "--none"]);
    assert!(stands.starts_with("room.password_ha1 of lobby stands in the configuration"), "{stands}");
    let file = kept(&server, "room", "sesame");
    let said = "! the password of the room is wrong (401 Unauthorized)";
    Chat::call(&server, "alice", "udp", &["--room-password-file", &file]).expect_end(&[said], 1);
}
