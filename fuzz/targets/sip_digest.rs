//! Challenges and credentials: whatever the other side sends, and an answer of our own is read as it was meant.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::auth::{Algorithm, Authenticator, Credentials, Verdict, answer, find_authorization, ha1, parse_authorization};

fuzz_target!(|text: &str| {
    let mut authenticator = Authenticator::new("realm", [7; 32], 60, vec![Algorithm::Sha256, Algorithm::Md5]);
    let secret = ha1(Algorithm::Sha256, "alice", "realm", "secret");
    if let Ok(authorization) = parse_authorization(text) {
        // Nobody guesses a nonce that was never given.
        let verdict = authenticator.verify(1, "INVITE", &authorization.uri, &authorization, Some(&secret));
        assert_ne!(verdict, Verdict::Ok);
        assert!(find_authorization([text], &authorization.realm).is_some());
    }
    let credentials = Credentials::new("alice", "secret");
    if let Some(answered) = answer(&credentials, [text], "INVITE", "sip:room@example.com", "cnonce") {
        let authorization = parse_authorization(&answered.value).expect("an answer of our own is sound");
        assert_eq!((authorization.username.as_str(), authorization.uri.as_str()), ("alice", "sip:room@example.com"));
    }
});
