//! Digest as the side that is asked: RFC 3261 §22, RFC 7616, RFC 8760.

mod support;

use sip::auth::{Algorithm, Authenticator, Credentials, Verdict, find_authorization, ha1, parse_authorization};
use sip::{Event, Method, Request, Within};
use support::{Bench, CONTACT, outgoing};

fn authenticator() -> Authenticator {
    Authenticator::new("example.com", [7; 32], 60, vec![Algorithm::Md5, Algorithm::Sha256])
}

fn invite() -> sip::Outgoing {
    outgoing(Method::INVITE).contact(CONTACT).credentials(Credentials::new("room", "secret"))
}

fn rows(challenges: &[String]) -> Vec<(&str, &str)> {
    challenges.iter().map(|value| ("WWW-Authenticate", value.as_str())).collect()
}

fn judge(authenticator: &mut Authenticator, request: &Request) -> Verdict {
    let authorization = request.header("Authorization").and_then(|value| parse_authorization(value).ok());
    let authorization = authorization.expect("there are credentials");
    let ha1 = ha1(authorization.algorithm.expect("of a known algorithm"), "room", "example.com", "secret");
    authenticator.verify(0, request.method.as_str(), &request.uri, &authorization, Some(&ha1))
}

// CONFORMANCE 3261-8.1.3.5-1, 3261-8.1.1-2.
// THREATS CVE-2020-28242
#[test]
fn a_challenge_is_answered_once_with_the_next_cseq() {
    let mut r = Bench::new();
    let mut authenticator = authenticator();
    r.invite(invite());
    let first = r.last_request("INVITE");
    r.a_answers("INVITE", 401, &rows(&authenticator.challenge(0)));
    r.expect("R: INVITE\nR: ACK\nR: INVITE");
    let second = r.last_request("INVITE");
    assert_eq!(judge(&mut authenticator, &second), Verdict::Ok);
    assert!(second.header("Authorization").unwrap().contains("algorithm=SHA-256"));
    assert_eq!(second.header("CSeq"), Some("2 INVITE"));
    assert_eq!((second.header("Call-ID"), second.header("From")), (first.header("Call-ID"), first.header("From")));
    assert_ne!(second.header("Via"), first.header("Via"));
    r.a_answers("INVITE", 401, &rows(&authenticator.challenge(0)));
    r.expect("R: ACK\nevent Answered 401");
}

#[test]
fn a_stale_nonce_is_not_a_wrong_password() {
    let mut r = Bench::new();
    let mut authenticator = authenticator();
    r.invite(invite());
    r.a_answers("INVITE", 401, &rows(&authenticator.challenge(0)));
    r.a_answers("INVITE", 401, &rows(&authenticator.challenge_stale(0)));
    r.expect("R: INVITE\nR: ACK\nR: INVITE\nR: ACK\nR: INVITE");
    let third = r.last_request("INVITE");
    assert_eq!(third.headers("Authorization").count(), 1);
    assert_eq!(judge(&mut authenticator, &third), Verdict::Ok);
}

// CONFORMANCE 3261-8.1.3.5-1.
#[test]
fn a_peer_that_only_says_stale_is_given_up() {
    let mut r = Bench::new();
    let mut authenticator = authenticator();
    r.request(outgoing(Method::OPTIONS).credentials(Credentials::new("room", "secret")));
    for _ in 0..20 {
        r.a_answers("OPTIONS", 401, &rows(&authenticator.challenge_stale(0)));
    }
    r.expect("R: OPTIONS\nR: OPTIONS\nR: OPTIONS\nR: OPTIONS\nR: OPTIONS\nevent Answered 401");
}

#[test]
fn a_proxy_and_a_server_may_both_ask() {
    let mut r = Bench::new();
    r.invite(invite());
    let proxy = [("Proxy-Authenticate", "Digest realm=\"proxy\", nonce=\"p\", qop=\"auth\"")];
    r.a_answers("INVITE", 407, &proxy);
    r.a_answers("INVITE", 401, &rows(&authenticator().challenge(0)));
    let last = r.last_request("INVITE");
    assert!(last.header("Proxy-Authorization").is_some() && last.header("Authorization").is_some());
    assert_eq!(last.header("CSeq"), Some("3 INVITE"));
}

// THREATS GHSA-3v3f-99mv-qvj4
#[test]
fn another_realm_gets_no_proof() {
    let mut r = Bench::new();
    let credentials = Credentials::new("room", "secret").for_realm("elsewhere.example");
    r.invite(outgoing(Method::INVITE).contact(CONTACT).credentials(credentials));
    r.a_answers("INVITE", 401, &rows(&authenticator().challenge(0)));
    r.expect("R: INVITE\nR: ACK\nevent Answered 401");
}

const HALL: &str = "sip:hall@example.com";

/// The server's realm, and that of one of its rooms.
fn two_realms() -> [Authenticator; 2] {
    [authenticator(), Authenticator::new(HALL, [8; 32], 60, vec![Algorithm::Sha256])]
}

/// The verdicts on the credentials of both realms, as [`two_realms`] give them.
fn judge_both([server, hall]: &mut [Authenticator; 2], request: &Request) -> [Option<Verdict>; 2] {
    let verdict = |authenticator: &mut Authenticator, user: &str, password: &str| {
        let realm = authenticator.realm().to_owned();
        let authorization = find_authorization(request.headers("Authorization"), &realm)?;
        let ha1 = ha1(authorization.algorithm?, user, &realm, password);
        Some(authenticator.verify(0, request.method.as_str(), &request.uri, &authorization, Some(&ha1)))
    };
    [verdict(server, "room", "secret"), verdict(hall, "hall", "sesame")]
}

fn for_both() -> sip::Outgoing {
    invite().credentials(Credentials::new("hall", "sesame").for_realm(HALL))
}

// THREATS GHSA-3v3f-99mv-qvj4. CONFORMANCE 3261-22.3-1.
#[test]
fn two_realms_are_answered_in_turn_each_by_its_own_credentials() {
    const OK: Option<Verdict> = Some(Verdict::Ok);
    let mut r = Bench::new();
    let mut realms = two_realms();
    r.invite(for_both());
    r.a_answers("INVITE", 401, &rows(&realms[0].challenge(0)));
    assert_eq!(judge_both(&mut realms, &r.last_request("INVITE")), [OK, None]);
    // What was said to the first realm is said again, and its nonce counted on: no replay to the other side.
    r.a_answers("INVITE", 401, &rows(&realms[1].challenge(0)));
    let third = r.last_request("INVITE");
    assert_eq!(judge_both(&mut realms, &third), [OK, OK]);
    assert_eq!(third.header("CSeq"), Some("3 INVITE"));
    // One grows stale: the other's nonce serves on.
    r.a_answers("INVITE", 401, &rows(&realms[0].challenge_stale(0)));
    assert_eq!(judge_both(&mut realms, &r.last_request("INVITE")), [OK, OK]);
    r.a_answers("INVITE", 200, &[("Contact", "<sip:alice@192.0.2.1>")]);
    let (invite, ack) = (r.last_request("INVITE"), r.last_request("ACK"));
    assert_eq!(invite.headers("Authorization").count(), 2);
    assert_eq!(ack.headers("Authorization").collect::<Vec<_>>(), invite.headers("Authorization").collect::<Vec<_>>());

    // Later in the dialog both are there as well, also where both ask at once.
    let Some(Event::Accepted { dialog, .. }) = r.events.pop_back() else { panic!() };
    r.endpoint.request_within(r.now, dialog, Within::new(Method::INFO)).unwrap();
    r.drain();
    assert_eq!(judge_both(&mut realms, &r.last_request("INFO")), [None, None]);
    let both = [realms[1].challenge(0), realms[0].challenge(0)].concat();
    r.a_answers("INFO", 401, &rows(&both));
    assert_eq!(judge_both(&mut realms, &r.last_request("INFO")), [OK, OK]);
    r.a_answers("INFO", 200, &[]);
    r.bye(dialog);
    r.a_answers("BYE", 401, &rows(&realms[1].challenge(0)));
    r.a_answers("BYE", 401, &rows(&realms[0].challenge(0)));
    assert_eq!(judge_both(&mut realms, &r.last_request("BYE")), [OK, OK]);
}

#[test]
fn each_realm_is_answered_once() {
    let mut r = Bench::new();
    let mut realms = two_realms();
    r.invite(for_both());
    for realm in [0, 1, 1] {
        r.a_answers("INVITE", 401, &rows(&realms[realm].challenge(0)));
    }
    r.expect("R: INVITE\nR: ACK\nR: INVITE\nR: ACK\nR: INVITE\nR: ACK\nevent Answered 401");
    r.invite(for_both());
    for realm in [1, 0, 1] {
        r.a_answers("INVITE", 401, &rows(&realms[realm].challenge(0)));
    }
    r.expect("R: INVITE\nR: ACK\nR: INVITE\nR: ACK\nR: INVITE\nR: ACK\nevent Answered 401");
}

// THREATS GHSA-3v3f-99mv-qvj4
#[test]
fn nothing_is_said_to_a_realm_that_the_credentials_are_not_for() {
    let hall = || Credentials::new("hall", "sesame").for_realm(HALL);
    let account = || Credentials::new("room", "secret");
    let call = |outgoing: sip::Outgoing, challenged: &[&str]| {
        let mut r = Bench::new();
        r.invite(outgoing);
        for realm in challenged {
            let challenge = format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256");
            r.a_answers("INVITE", 401, &[("WWW-Authenticate", &challenge)]);
        }
        let invite = r.last_request("INVITE");
        let realms = invite.headers("Authorization").map(|value| parse_authorization(value).unwrap());
        realms.map(|said| format!("{} to {}", said.username, said.realm)).collect::<Vec<_>>()
    };
    let to = || outgoing(Method::INVITE).contact(CONTACT);
    // Those of a room are its own.
    assert_eq!(call(to().credentials(hall()), &["example.com"]), [""; 0]);
    assert_eq!(call(to().credentials(hall()), &["sip:cellar@example.com"]), [""; 0]);
    // Those for any are for the first that asks: for no room that is known to have its own, and for no further realm.
    assert_eq!(call(to().credentials(account().but_realm(HALL)), &[HALL]), [""; 0]);
    assert_eq!(call(to().credentials(account()), &["example.com", "elsewhere.example"]), ["room to example.com"]);
    let both = || to().credentials(account()).credentials(hall());
    assert_eq!(call(both(), &[HALL, "example.com"]), [format!("hall to {HALL}"), "room to example.com".to_owned()]);
    // What is for one realm is not widened.
    let narrow = account().for_realm("example.com").but_realm(HALL);
    assert_eq!(call(to().credentials(narrow), &["elsewhere.example"]), [""; 0]);
}

#[test]
fn without_credentials_the_user_sees_the_challenge() {
    let mut r = Bench::new();
    r.invite(outgoing(Method::INVITE).contact(CONTACT));
    r.a_answers("INVITE", 401, &rows(&authenticator().challenge(0)));
    r.expect("R: INVITE\nR: ACK\nevent Answered 401");
}

// CONFORMANCE 3261-13.2.2.4-1.
#[test]
fn the_dialog_keeps_the_credentials_and_the_ack_repeats_them() {
    let mut r = Bench::new();
    let mut authenticator = authenticator();
    r.invite(invite());
    r.a_answers("INVITE", 401, &rows(&authenticator.challenge(0)));
    r.a_answers("INVITE", 200, &[("Contact", "<sip:alice@192.0.2.1>")]);
    let (invite, ack) = (r.last_request("INVITE"), r.last_request("ACK"));
    assert_eq!(ack.header("Authorization"), invite.header("Authorization"));
    assert_eq!(ack.header("CSeq"), Some("2 ACK"));
    let Some(Event::Accepted { dialog, .. }) = r.events.pop_back() else { panic!() };
    r.endpoint.request_within(r.now, dialog, Within::new(Method::INFO)).unwrap();
    r.drain();
    r.a_answers("INFO", 401, &rows(&authenticator.challenge(0)));
    assert_eq!(judge(&mut authenticator, &r.last_request("INFO")), Verdict::Ok);
    r.a_answers("INFO", 200, &[]);
    r.bye(dialog);
    r.a_answers("BYE", 401, &rows(&authenticator.challenge(0)));
    let bye = r.last_request("BYE");
    assert_eq!((judge(&mut authenticator, &bye), bye.header("CSeq")), (Verdict::Ok, Some("6 BYE")));
    r.a_answers("BYE", 200, &[]);
    assert!(matches!(r.events.pop_back(), Some(Event::Ended { .. })));
}
