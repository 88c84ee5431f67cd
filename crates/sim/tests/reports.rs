//! Responses and REPORTs (RFC 4975 §7.1.2 to §7.2, RFC 7701 §6.3): who is told what, and by which way.

use sim::people::{Caller, Chat, Frame, Person, ROOM, everywhere, nothing, to};

const ALICE: &str = "sip:alice@chat.example.com";
const BOB: &str = "sip:bob@chat.example.com";

// CONFORMANCE 7701-035 7701-071 4975-007 4975-056 4975-079 4975-082 4975-084 4975-085 4975-086 4975-089 4975-090
#[test]
fn every_report_model_gets_what_it_asks_for() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        for success in [None, Some("yes"), Some("no"), Some("YES")] {
            for (failure, says_200, says_error) in [
                (None, true, true),
                (Some("yes"), true, true),
                (Some("partial"), false, true),
                (Some("no"), false, false),
                (Some("Partial"), false, true),
            ] {
                let asking = |mut words: sim::people::Words| {
                    for (name, value) in [("Success-Report", success), ("Failure-Report", failure)] {
                        words = value.into_iter().fold(words, |words, value| words.asking(&format!("{name}: {value}")));
                    }
                    words
                };
                let case = format!("Success-Report {success:?}, Failure-Report {failure:?}");
                assert_eq!(chat.send(alice, asking(to(ROOM, "good"))), says_200.then_some(200), "{case}");
                chat.hears(bob, "good");
                if success.is_some_and(|value| value.eq_ignore_ascii_case("yes")) {
                    assert_eq!(chat.report(alice).header("Status"), Some("000 200 OK"), "{case}");
                }
                let errors = [
                    (403, to(ROOM, "").from(BOB)),
                    (404, to("sip:nobody@chat.example.com", "")),
                    (415, to(ROOM, "").wrapped_in("text/plain")),
                    (400, to(ROOM, "").whole_body("no wrapper")),
                    (400, to(ROOM, "").range("2-5/5")),
                    (413, to(ROOM, "").range("1-*/9999999999999")),
                ];
                for (code, words) in errors {
                    assert_eq!(chat.send(alice, asking(words)), says_error.then_some(code), "{case}");
                }
                chat.all_silent(&[alice, bob]);
            }
        }
    });
}

// CONFORMANCE 4975-073 4975-074 4975-075 4975-079 4975-080 4975-081 4975-087
#[test]
fn a_success_report_covers_the_message() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        let whole = to(ROOM, &"word ".repeat(200)).id("message1").asking_success().spoken_by(ALICE);
        let total = whole.body.as_ref().unwrap().len();
        for places in [vec![], vec![500], vec![300, 301, 700]] {
            for chunk in whole.cut_at(&places) {
                chat.silent(alice);
                assert_eq!(chat.send(alice, &chunk), Some(200));
            }
            let report = chat.report(alice);
            let names: Vec<&str> = report.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["To-Path", "From-Path", "Message-ID", "Byte-Range", "Status"]);
            assert_eq!(report.header("From-Path"), Some(chat.switch_uri(alice).as_str()));
            assert_eq!(report.header("Message-ID"), Some("message1"));
            assert_eq!(report.header("Byte-Range"), Some(format!("1-{total}/{total}").as_str()));
            assert_eq!(report.body, None);
            chat.rx(bob);
        }
        chat.all_silent(&[alice, bob]);
    });
}

#[test]
fn a_bind_that_asks_for_a_report_gets_one() {
    // INTEROP Some browser clients ask Success-Report on the zero-length SEND that binds.
    everywhere(|chat| {
        let alice = chat.join("alice");
        let asking = nothing().id("binding1").asking("Success-Report: yes");
        assert_eq!(chat.send(alice, &asking), Some(200));
        let report = chat.report(alice);
        assert_eq!((report.header("Message-ID"), report.header("Status")), (Some("binding1"), Some("000 200 OK")));
        let empty = to(ROOM, "").whole_octets(b"").range("1-0/0").id("binding2").asking_success();
        assert_eq!(chat.send(alice, empty), Some(200));
        assert_eq!(chat.report(alice).header("Byte-Range"), Some("1-0/0"));
        chat.silent(alice);
    });
}

// CONFORMANCE 4975-081 4975-092 4975-093 4975-120 4976-001 4976-002 4976-006
#[test]
fn answers_find_their_way_through_relays() {
    let relayed = |name: &str| {
        let path = format!(
            "msrp://relay2.example.org:2855/b{name};tcp msrp://relay1.example.net:2855/a{name};tcp msrp://{name}.example.net:7654/x;tcp"
        );
        Caller::new(name).with_path(&path)
    };
    everywhere(|chat| {
        let [alice, bob] = ["alice", "bob"].map(|name| chat.join(relayed(name)));
        let (path, first) = (chat.path(alice), chat.path(alice).split(' ').next().unwrap().to_owned());
        let transaction = chat.send_only(alice, to(ROOM, "far away").asking_success());
        let answer = next_on(chat, alice, |frame| frame.code().is_some());
        assert_eq!((&answer.transaction, answer.header("To-Path")), (&transaction, Some(first.as_str())));
        let report = chat.report(alice);
        assert_eq!(report.header("To-Path"), Some(path.as_str()));
        assert_eq!(report.header("From-Path"), Some(chat.switch_uri(alice).as_str()));
        let copy = next_on(chat, bob, |frame| frame.start == "SEND");
        assert_eq!(copy.header("To-Path"), Some(chat.path(bob).as_str()));
        assert_eq!(copy.header("From-Path"), Some(chat.switch_uri(bob).as_str()));

        assert_eq!(chat.nick(alice, "Far"), 200);
        let (switch, link) = (chat.switch_uri(alice), chat.link(alice));
        let text = format!(
            "MSRP relayed NICKNAME\r\nTo-Path: {switch}\r\nFrom-Path: {path}\r\nUse-Nickname: \"Near\"\r\n-------relayed$\r\n"
        );
        chat.stage.say_octets(link, text.as_bytes());
        let answer = next_on(chat, alice, |frame| frame.transaction == "relayed");
        assert_eq!((answer.code(), answer.header("To-Path")), (Some(200), Some(path.as_str())));
        assert_eq!(answer.header("From-Path"), Some(switch.as_str()));
    });
}

// CONFORMANCE 4976-004
#[test]
fn nobody_is_connected_to_for_an_answer() {
    let outbound = focus::settings::Network { address: [10, 0, 0, 0].into(), prefix: 8 };
    let mut chat = Chat::with(|settings| settings.outbound = vec![outbound]);
    let path = "msrp://10.1.2.3:2855/relay;tcp msrp://10.9.9.9:7654/alice;tcp";
    let alice = chat.join(Caller::new("alice").with_path(path));
    let bob = chat.join("bob");
    let link = chat.link(alice);
    // The answer to what she says does not get through before the connection is gone.
    chat.stage.stall(link, 0);
    chat.send_only(alice, to(ROOM, "Anybody?").asking_success());
    chat.hears(bob, "Anybody?");
    chat.stage.cut(link);
    chat.stage.pass(std::time::Duration::from_secs(60));
    assert!(chat.stage.dialed.is_empty() && chat.stage.called.is_empty());
}

fn next_on(chat: &mut Chat, person: Person, wanted: impl Fn(&Frame) -> bool) -> Frame {
    let link = chat.link(person);
    let frames = chat.frames(link);
    let at = frames.iter().position(wanted).expect("the frame has come");
    frames.remove(at).expect("the frame has come")
}

// CONFORMANCE 7701-076 7701-077 4975-057 4975-071 4975-073 4975-074 4975-076 4975-077 4975-107 4976-012
#[test]
fn what_recipients_answer_is_not_passed_to_the_sender() {
    everywhere(|chat| {
        let [alice, bob] = chat.all(["alice", "bob"]);
        chat.say(alice, "To be reported on");
        let copy = next_on(chat, bob, |frame| frame.start == "SEND");
        assert_eq!(copy.header("Failure-Report"), Some("partial"));
        assert_eq!(copy.header("Success-Report"), None);
        let id = copy.header("Message-ID").unwrap().to_owned();
        let link = chat.link(bob);
        let (switch, path) = (chat.switch_uri(bob), chat.path(bob));
        let paths = format!("To-Path: {switch}\r\nFrom-Path: {path}\r\n");
        let reports = [
            format!(
                "MSRP report1 REPORT\r\n{paths}Message-ID: {id}\r\nByte-Range: 1-20/200\r\nStatus: 000 200 OK\r\n-------report1$\r\n"
            ),
            format!("MSRP report2 REPORT\r\n{paths}Message-ID: unknown1\r\nStatus: 000 413\r\n-------report2$\r\n"),
            format!(
                "MSRP report3 REPORT\r\n{paths}Message-ID: {id}\r\nStatus: 001 200 OK\r\nSuccess-Report: yes\r\nFailure-Report: yes\r\n-------report3$\r\n"
            ),
            format!("MSRP report4 REPORT\r\n{paths}Message-ID: {id}\r\n-------report4$\r\n"),
            format!("MSRP report5 REPORT\r\n{paths}Status: nonsense\r\n-------report5$\r\n"),
            format!(
                "MSRP report6 REPORT\r\nFrom-Path: {path}\r\nTo-Path: {switch}\r\nStatus: 000 200\r\n-------report6$\r\n"
            ),
            format!("MSRP {} 200 OK\r\n{paths}Message-ID: {id}\r\n-------{}$\r\n", copy.transaction, copy.transaction),
            format!("MSRP unknown 200 OK\r\n{paths}-------unknown$\r\n"),
            format!("MSRP unknown 200\r\n{paths}-------unknown$\r\n"),
            format!("MSRP unknown 999 What\r\n{paths}-------unknown$\r\n"),
        ];
        for report in reports {
            chat.stage.say_octets(link, report.as_bytes());
            chat.all_silent(&[alice, bob]);
        }
        chat.say(bob, "Nothing is amiss");
        chat.hears(alice, "Nothing is amiss");
    });
}
