//! Digest authentication between its two sides, and what the asking side refuses.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use proptest::prelude::*;
use sha2::Digest as _;
use sip::auth::{Algorithm, Authenticator, Credentials, Verdict, answer, find_authorization, ha1, parse_authorization};

const REALM: &str = "chat.example.com";
const ROOM: &str = "sip:lobby@chat.example.com";
const NOW: u64 = 1_800_000_000;
const LIFETIME: u64 = 120;

fn authenticator() -> Authenticator {
    Authenticator::new(REALM, [7; 32], LIFETIME, vec![Algorithm::Md5, Algorithm::Sha256])
}

fn alice() -> Credentials {
    Credentials::new("alice", "wonderland")
}

/// The stored hash of Alice's password for an algorithm.
fn stored(algorithm: Algorithm) -> String {
    ha1(algorithm, "alice", REALM, "wonderland")
}

/// What Alice writes into an INVITE of the room, for these challenges.
fn authorization(challenges: &[String]) -> String {
    answer(&alice(), challenges.iter().map(String::as_str), "INVITE", ROOM, "c0ffee").unwrap().value
}

/// The verdict on credentials in an INVITE of the room.
fn judge(authenticator: &mut Authenticator, at: u64, value: &str) -> Verdict {
    let Ok(authorization) = parse_authorization(value) else { return Verdict::Wrong };
    let ha1 = (authorization.username == "alice").then(|| stored(authorization.algorithm.unwrap_or(Algorithm::Sha256)));
    authenticator.verify(at, "INVITE", ROOM, &authorization, ha1.as_deref())
}

/// The value with the response computed anew over what it now says, as a client would that knows the password.
fn proven(value: &str, ha1: &str, a2: &str) -> String {
    let sha256 =
        |text: String| sha2::Sha256::digest(text).iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let get = |name: &str| {
        let at = value.find(&format!("{name}=")).unwrap() + name.len() + 1;
        value[at..].split([',', ' ']).next().unwrap().trim_matches('"').to_owned()
    };
    let parts = [ha1.to_owned(), get("nonce"), get("nc"), get("cnonce"), get("qop"), sha256(a2.to_owned())];
    value.replace(&get("response"), &sha256(parts.join(":")))
}

// CONFORMANCE 8760-2.3-1, 8760-2.6-8, 7616-3.3-1.
#[test]
fn challenges_come_strongest_first_with_qop() {
    let challenges = authenticator().challenge(NOW);
    let [sha256, md5] = &challenges[..] else { panic!("two challenges") };
    assert!(sha256.starts_with("Digest realm=\"chat.example.com\", nonce=\""), "{sha256}");
    assert!(sha256.ends_with("\", algorithm=SHA-256, qop=\"auth\""), "{sha256}");
    assert!(md5.ends_with("\", algorithm=MD5, qop=\"auth\""), "{md5}");
    assert!(authenticator().challenge_stale(NOW).iter().all(|challenge| challenge.ends_with(", stale=true")));
    let quoted = Authenticator::new("a \"realm\"\r\nVia:", [7; 32], LIFETIME, vec![Algorithm::Sha256]).challenge(NOW);
    assert!(quoted[0].starts_with("Digest realm=\"a \\\"realm\\\"  Via:\", "), "{}", quoted[0]);
}

// CONFORMANCE 8760-2.1-1, 7616-3.4.1-1.
#[test]
fn who_knows_the_password_is_let_in_with_either_algorithm() {
    let mut authenticator = authenticator();
    let challenges = authenticator.challenge(NOW);
    let best = authorization(&challenges);
    assert!(best.contains("algorithm=SHA-256"));
    assert_eq!(judge(&mut authenticator, NOW, &best), Verdict::Ok);
    let challenges = authenticator.challenge(NOW);
    assert_eq!(judge(&mut authenticator, NOW, &authorization(&challenges[1..])), Verdict::Ok);
    // Digests in upper case, credentials in any order and spacing.
    let challenges = authenticator.challenge(NOW);
    let value = authorization(&challenges);
    let (scheme, params) = value.split_once(' ').unwrap();
    let mut params: Vec<_> = params.split(", ").collect();
    params.reverse();
    let turned = format!("{}\t {}", scheme.to_lowercase(), params.join(" ,\t"));
    assert_eq!(judge(&mut authenticator, NOW, &turned), Verdict::Ok);
}

// THREATS T21. CONFORMANCE 7616-3.4-1, 7616-3.4.6-1, 8760-2.6-6.
#[test]
fn credentials_prove_one_method_one_uri_one_user_and_one_realm() {
    let mut authenticator = authenticator();
    let challenges = authenticator.challenge(NOW);
    let value = authorization(&challenges);
    let secret = stored(Algorithm::Sha256);
    let changed = |old: &str, new: &str| {
        assert!(value.contains(old), "{old}");
        value.replacen(old, new, 1)
    };
    // Whatever is changed, with the old proof and with one that covers the change.
    let reproven = |old: &str, new: &str| proven(&changed(old, new), &secret, &format!("INVITE:{ROOM}"));
    for (old, new) in [
        ("username=\"alice\"", "username=\"Alice\""),
        ("username=\"alice\"", "username=\"mallory\""),
        ("realm=\"chat.example.com\"", "realm=\"Chat.example.com\""),
        ("algorithm=SHA-256", "algorithm=SHA-256-sess"),
        ("algorithm=SHA-256", "algorithm=SHA-512-256"),
        ("algorithm=SHA-256, ", ""),
        ("qop=auth", "qop=auth-int"),
        ("qop=auth", "qop=\"\""),
        ("nc=00000001", "nc=+0000001"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("cnonce=\"c0ffee\"", "cnonce=\"\""),
        ("uri=\"sip:lobby@chat.example.com\"", "uri=\"sip:other@chat.example.com\""),
    ] {
        assert_eq!(judge(&mut authenticator, NOW, &changed(old, new)), Verdict::Wrong, "{old} → {new}");
        assert_eq!(judge(&mut authenticator, NOW, &reproven(old, new)), Verdict::Wrong, "{old} → {new}, proven");
    }
    for name in ["qop", "nc", "cnonce", "response", "uri", "nonce", "realm", "username"] {
        let without: Vec<_> = value
            .split(", ")
            .filter(|param| !param.trim_start_matches("Digest ").starts_with(&format!("{name}=")))
            .collect();
        let without = without.join(", ");
        let without = if without.starts_with("Digest ") { without } else { format!("Digest {without}") };
        assert_eq!(judge(&mut authenticator, NOW, &without), Verdict::Wrong, "{without}");
    }
    let parsed = parse_authorization(&value).unwrap();
    for (method, uri) in [
        ("REGISTER", ROOM),
        ("invite", ROOM),
        ("INVITE", "sip:lobby@example.org"),
        ("INVITE", "im:lobby@chat.example.com"),
    ] {
        assert_eq!(authenticator.verify(NOW, method, uri, &parsed, Some(&secret)), Verdict::Wrong, "{method} {uri}");
    }
    // None of this used up the count. A proxy may have changed how the Request-URI is written.
    let rewritten = "sips:%6cobby@CHAT.example.com;transport=tcp";
    assert_eq!(authenticator.verify(NOW, "INVITE", rewritten, &parsed, Some(&secret.to_uppercase())), Verdict::Ok);
}

// THREATS T21. CONFORMANCE 7616-5.5-1.
#[test]
fn a_count_is_good_once_and_only_upwards() {
    let mut authenticator = authenticator();
    let challenges = authenticator.challenge(NOW);
    let first = authorization(&challenges);
    let with = |count: &str| {
        let value = first.replace("nc=00000001", &format!("nc={count}"));
        proven(&value, &stored(Algorithm::Sha256), &format!("INVITE:{ROOM}"))
    };
    let mut verdict = |value: &str| judge(&mut authenticator, NOW, value);
    assert_eq!(verdict(&first), Verdict::Ok);
    assert_eq!(verdict(&first), Verdict::Stale);
    assert_eq!(verdict(&with("0000000A")), Verdict::Ok);
    assert_eq!(verdict(&with("0000000a")), Verdict::Stale);
    assert_eq!(verdict(&with("00000009")), Verdict::Stale);
    assert_eq!(verdict(&with("00000000")), Verdict::Stale);
    assert_eq!(verdict(&with("0000000b")), Verdict::Ok);
    assert_eq!(verdict(&with("ffffffff")), Verdict::Ok);
    assert_eq!(verdict(&with("0000000c")), Verdict::Stale);
}

// CONFORMANCE 7616-3.6-1. THREATS T21.
#[test]
fn an_old_or_foreign_nonce_is_stale_for_who_knows_the_password_and_wrong_for_others() {
    let mut authenticator = authenticator();
    let challenges = authenticator.challenge(NOW);
    let value = authorization(&challenges);
    let wrong =
        answer(&Credentials::new("alice", "guess"), challenges.iter().map(String::as_str), "INVITE", ROOM, "c0ffee")
            .unwrap()
            .value;
    assert_eq!(judge(&mut authenticator, NOW + LIFETIME + 1, &value), Verdict::Stale);
    assert_eq!(judge(&mut authenticator, NOW + LIFETIME + 1, &wrong), Verdict::Wrong);
    assert_eq!(judge(&mut authenticator, NOW + LIFETIME, &value), Verdict::Ok);

    let foreign = |realm: &str, key| Authenticator::new(realm, [key; 32], LIFETIME, vec![Algorithm::Sha256]);
    let theirs = authorization(&foreign(REALM, 8).challenge(NOW));
    assert_eq!(judge(&mut authenticator, NOW, &theirs), Verdict::Stale);
    // A nonce made for another realm is no nonce of this one.
    let other_realm = foreign("other", 7).challenge(NOW)[0].replace("realm=\"other\"", &format!("realm=\"{REALM}\""));
    assert_eq!(judge(&mut authenticator, NOW, &authorization(&[other_realm])), Verdict::Stale);
    let garbled = challenges[0].replace("nonce=\"", "nonce=\"0");
    assert_eq!(judge(&mut authenticator, NOW, &authorization(&[garbled])), Verdict::Stale);
    // The clock of another node, or this one's before it was set right, was ahead.
    let early = authorization(&foreign(REALM, 7).challenge(NOW + LIFETIME + 1));
    assert_eq!(judge(&mut authenticator, NOW, &early), Verdict::Stale);
}

// THREATS T21.
#[test]
fn nodes_that_share_a_key_take_each_others_nonces_and_remember_their_counts() {
    let (mut first, mut second) = (authenticator().of_node(1), authenticator().of_node(2));
    let (a, b) = (first.challenge(NOW), second.challenge(NOW));
    assert_ne!(a, b);
    let value = authorization(&a);
    assert_eq!(judge(&mut second, NOW, &value), Verdict::Ok);
    assert_eq!(judge(&mut second, NOW, &value), Verdict::Stale);
}

#[test]
fn what_was_used_before_a_restart_is_not_good_again() {
    let value = authorization(&authenticator().challenge(NOW));
    assert_eq!(judge(&mut authenticator(), NOW + 1, &value), Verdict::Ok);
    assert_eq!(judge(&mut authenticator().started_at(NOW + 1), NOW + 1, &value), Verdict::Stale);
    let mut restarted = authenticator().started_at(NOW + 1);
    let value = authorization(&restarted.challenge(NOW + 1));
    assert_eq!(judge(&mut restarted, NOW + 1, &value), Verdict::Ok);
}

#[test]
fn a_full_memory_makes_old_nonces_stale_and_lets_nothing_be_replayed() {
    let mut authenticator = authenticator();
    let mut values: Vec<_> =
        (0..16_386).map(|number| (NOW + number / 1_000, authenticator.challenge(NOW + number / 1_000))).collect();
    // The very first is used only after the memory is full.
    let late = authorization(&values.remove(0).1);
    let used: Vec<_> = values.iter().map(|(_, challenges)| authorization(challenges)).collect();
    let end = NOW + 17;
    for value in &used {
        assert_eq!(judge(&mut authenticator, end, value), Verdict::Ok);
    }
    for value in [&used[0], &used[1], &used[16_384], &late] {
        assert_eq!(judge(&mut authenticator, end, value), Verdict::Stale);
    }
    let fresh = authorization(&authenticator.challenge(end));
    assert_eq!(judge(&mut authenticator, end, &fresh), Verdict::Ok);
    assert_eq!(judge(&mut authenticator, end, &fresh), Verdict::Stale);
}

// THREATS T14.
#[test]
fn an_unknown_user_is_answered_like_a_wrong_password() {
    let mut authenticator = authenticator();
    let challenges = authenticator.challenge(NOW);
    let of = |user: &str| {
        let credentials = Credentials::new(user, "guess");
        let value =
            answer(&credentials, challenges.iter().map(String::as_str), "INVITE", ROOM, "c0ffee").unwrap().value;
        parse_authorization(&value).unwrap()
    };
    let secret = stored(Algorithm::Sha256);
    assert_eq!(authenticator.verify(NOW, "INVITE", ROOM, &of("alice"), Some(&secret)), Verdict::Wrong);
    assert_eq!(authenticator.verify(NOW, "INVITE", ROOM, &of("nobody"), None), Verdict::Wrong);
    // Whoever guesses what unknown users are compared with gets no further, whether the nonce is good or not.
    let zeros = "0".repeat(64);
    let value = proven(&authorization(&challenges), &zeros, &format!("INVITE:{ROOM}"));
    let guessed = parse_authorization(&value).unwrap();
    assert_eq!(authenticator.verify(NOW, "INVITE", ROOM, &guessed, None), Verdict::Wrong);
    assert_eq!(authenticator.verify(NOW + 1_000, "INVITE", ROOM, &guessed, None), Verdict::Wrong);
    let shape = |challenges: Vec<String>| challenges.iter().map(|challenge| challenge.len()).collect::<Vec<_>>();
    assert_eq!(shape(authenticator.challenge(NOW)), shape(authenticator.challenge(NOW + 1)));
}

// THREATS T21: algorithm=MD5 when it is off.
#[test]
fn an_algorithm_that_is_not_offered_is_not_taken() {
    let mut strict = Authenticator::new(REALM, [7; 32], LIFETIME, vec![Algorithm::Sha256]);
    let md5 = authorization(&authenticator().challenge(NOW)[1..]);
    assert!(md5.contains("algorithm=MD5"));
    assert_eq!(judge(&mut strict, NOW, &md5), Verdict::Wrong);
    assert_eq!(judge(&mut authenticator(), NOW, &md5), Verdict::Ok);
}

// CONFORMANCE 7616-3.4-2. THREATS T21: 8 kB username.
#[test]
fn what_is_no_credentials_is_refused() {
    let sound = "Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", response=\"0\"";
    assert!(parse_authorization(sound).is_ok());
    for value in [
        "",
        "Digest",
        "Digest ",
        "Basic YTpi",
        "Digest username",
        "Digest =a",
        &sound.replace("Digest", "Digest,"),
        &sound.replace("\"a\"", "\"a"),
        &sound.replace("\"a\"", "\"a\"b\""),
        &sound.replace("\"a\"", "a b"),
        &sound.replace("username", "user name"),
        &format!("{sound}, username=\"b\""),
        &format!("{sound}, USERNAME=\"b\""),
        &format!("{sound}, username*=UTF-8''b"),
        &format!("{sound}, userhash=true"),
        &format!("{sound}{}", ", p".repeat(10_000)),
        &format!("{sound}{}", (0..10_000).map(|number| format!(", p{number}=1")).collect::<String>()),
        &sound.replace("username=\"a\"", "username*=ISO-8859-1''%E9"),
        &sound.replace("username=\"a\"", "username*=UTF-8''%E"),
        &sound.replace("username=\"a\"", "username*=UTF-8''%E9"),
        &sound.replace("username=\"a\"", "username*=UTF-8''%+1"),
        &sound.replace("username=\"a\"", "username*=UTF-8'"),
    ] {
        assert!(parse_authorization(value).is_err(), "{value}");
    }
    let named = |name: &str| parse_authorization(&sound.replace("username=\"a\"", name)).unwrap().username;
    assert_eq!(named("username*=UTF-8''J%C3%A4s%C3%B8n%20Doe"), "J\u{e4}s\u{f8}n Doe");
    assert_eq!(named("username=\"DOMAIN\\\\a\\\"b\""), "DOMAIN\\a\"b");
    assert_eq!(named(&format!("username=\"{}\", userhash=false", "a".repeat(8_192))).len(), 8_192);
    assert!(!format!("{:?}", parse_authorization(&sound.replace("=\"0\"", "=\"5ec4e7\"")).unwrap()).contains("5ec4e7"));
}

// CONFORMANCE 3261-22.3-1, 8760-2.6-1.
#[test]
fn the_credentials_for_a_realm_are_found_among_others() {
    let of =
        |realm: &str| format!("Digest username=\"a\", realm=\"{realm}\", nonce=\"n\", uri=\"sip:x\", response=\"0\"");
    let (one, two) = (of("one"), of("two"));
    let values = ["NoOneKnowsThisScheme opaque-data=here", &one, &two];
    assert_eq!(find_authorization(values, "two").map(|found| found.realm).as_deref(), Some("two"));
    assert!(find_authorization(values, "three").is_none());
}

// CONFORMANCE 8760-2.4-1, 8760-2.6-1, 7616-3.3-2.
#[test]
fn a_challenge_is_answered_only_when_it_can_be_met() {
    let digest = |rest: &str| format!("Digest realm=\"{REALM}\", nonce=\"n\"{rest}");
    let reply = |challenges: &[&str]| answer(&alice(), challenges.iter().copied(), "INVITE", ROOM, "c0ffee");
    for unmet in [
        "Basic realm=\"chat.example.com\"",
        "NoOneKnowsThisScheme opaque-data=here",
        &digest(", qop=\"auth-int\""),
        &digest(", qop=\"auth\", algorithm=MD5-sess"),
        &digest(", qop=\"auth\", algorithm=SHA-256-sess"),
        &digest(", qop=\"auth\", algorithm=unheard-of"),
        &digest(", qop=\"auth\", realm=\"other\""),
        "Digest nonce=\"n\", qop=\"auth\"",
        "Digest realm=\"r\", qop=\"auth\"",
    ] {
        assert!(reply(&[unmet]).is_none(), "{unmet}");
        // It does not stand in the way of one that can be met.
        let met = digest(", qop=\"auth-int,auth\", algorithm=sha-256, opaque=\"o\\\"p\", stale=TRUE");
        let answered = reply(&[unmet, &met]).unwrap();
        assert!(answered.stale);
        assert!(answered.value.contains(", qop=auth, nc=00000001, cnonce=\"c0ffee\""), "{}", answered.value);
        assert!(answered.value.ends_with(", opaque=\"o\\\"p\""), "{}", answered.value);
    }
    let weak = digest(", qop=\"auth\"");
    let strong = digest(", qop=\"auth\", algorithm=SHA-256");
    assert!(reply(&[&weak]).unwrap().value.contains("algorithm=MD5"));
    assert!(reply(&[&weak, &strong]).unwrap().value.contains("algorithm=SHA-256"));
    let foreign = strong.replace(REALM, "evil.example.org");
    let careful = alice().for_realm(REALM);
    assert!(answer(&careful, [foreign.as_str()], "INVITE", ROOM, "c").is_none());
    assert!(answer(&careful, [foreign.as_str(), strong.as_str()], "INVITE", ROOM, "c").is_some());
    assert!(!format!("{careful:?}").contains("wonderland"));
}

// CONFORMANCE 8760-2.6-2. RFC 2617 §3.5 has no example without qop; RFC 2069 §2.4 has one, corrected by its erratum 749.
#[test]
fn a_challenge_of_old_without_qop_is_answered_without() {
    let challenge = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
    let mufasa = Credentials::new("Mufasa", "CircleOfLife");
    let value = answer(&mufasa, [challenge], "GET", "/dir/index.html", "c0ffee").unwrap().value;
    assert!(value.contains("response=\"1949323746fe6a43ef61f9606e7febea\""), "{value}");
    assert!(!value.contains("qop") && !value.contains("cnonce"));
}

proptest! {
    #[test]
    fn any_user_and_password_are_proven_to_the_other_side(user in "[ -~\u{e4}\u{4e2d}]{1,20}", password in ".{0,20}", which in 0..2_usize) {
        let mut authenticator = authenticator();
        let challenges = authenticator.challenge(NOW);
        let value = answer(&Credentials::new(user.clone(), password.clone()), [challenges[which].as_str()], "INVITE", ROOM, "c").unwrap().value;
        let authorization = parse_authorization(&value).unwrap();
        prop_assert_eq!(&authorization.username, &user);
        let secret = ha1(authorization.algorithm.unwrap(), &user, REALM, &password);
        prop_assert_eq!(authenticator.verify(NOW, "INVITE", ROOM, &authorization, Some(&secret)), Verdict::Ok);
    }

    #[test]
    fn no_value_is_too_odd(value in "(Digest )?.{0,80}", piece in "[ -~]{0,10}", at in 0..200_usize) {
        let _ = parse_authorization(&value);
        let mut authenticator = authenticator();
        let mut changed = authorization(&authenticator.challenge(NOW));
        let at = at.min(changed.len());
        changed.insert_str(at, &piece);
        let verdict = judge(&mut authenticator, NOW, &changed);
        // What is let in says, read carefully, what it said before.
        if verdict == Verdict::Ok {
            prop_assert_eq!(parse_authorization(&changed).unwrap().username, "alice");
        }
        let _ = answer(&alice(), [value.as_str()], "INVITE", ROOM, "c0ffee");
    }
}
