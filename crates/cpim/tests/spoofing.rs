//! Attempts to show one sender to the switch and another to its recipients (THREATS T11). Each is refused here, or the
//! room sees every sender that any reader could see.

mod common;

use common::{crlf, error, uris, whole};
use cpim::Error;

const REST: &str = "To: <sip:r@d>\n\nContent-Type: text/plain\n\nx";

/// The URIs of the From headers of a message that begins with these lines.
fn senders(lines: &str) -> Vec<String> {
    uris(&whole(&crlf(&format!("{lines}{REST}"))).from).into_iter().map(str::to_owned).collect()
}

fn refused(lines: &str) -> Error {
    error(&crlf(&format!("{lines}{REST}")))
}

// THREATS T11
#[test]
fn two_senders_are_both_seen() {
    assert_eq!(senders("From: <sip:a@d>\nFrom: <sip:b@d>\n"), ["sip:a@d", "sip:b@d"]);
}

// THREATS T11, CONFORMANCE 3862-024
#[test]
fn a_second_sender_behind_a_prefix_is_seen() {
    let twice = ["sip:a@d", "sip:b@d"];
    assert_eq!(senders("NS: c <urn:ietf:params:cpim-headers:>\nFrom: <sip:a@d>\nc.From: <sip:b@d>\n"), twice);
    assert_eq!(senders("NS: c <URN:IETF:params:cpim-headers:>\nFrom: <sip:a@d>\nc.From: <sip:b@d>\n"), twice);
}

// THREATS T11, CONFORMANCE 3862-011
#[test]
fn a_sender_in_lower_case_is_none() {
    assert!(senders("from: <sip:b@d>\n").is_empty());
    assert_eq!(senders("from: <sip:b@d>\nFrom: <sip:a@d>\n"), ["sip:a@d"]);
}

// THREATS T11, CONFORMANCE 3862-023
#[test]
fn a_sender_in_a_foreign_default_namespace_is_refused() {
    assert_eq!(refused("NS: <urn:x>\nFrom: <sip:b@d>\n"), Error::Ambiguous);
    assert_eq!(
        refused("NS: c <urn:ietf:params:cpim-headers:>\nc.From: <sip:a@d>\nNS: <urn:x>\nFrom: <sip:b@d>\n"),
        Error::Ambiguous
    );
}

// THREATS T11
#[test]
fn namespaces_are_not_declared_from_within_a_foreign_one() {
    let lines = "From: <sip:a@d>\nNS: <urn:x>\nNS: c <urn:ietf:params:cpim-headers:>\nc.From: <sip:b@d>\n";
    assert_eq!(refused(lines), Error::Ambiguous);
}

// THREATS T11, CONFORMANCE 3862-028
#[test]
fn a_name_does_not_pass_for_the_address() {
    for value in [
        "\"<sip:b@d>\" <sip:a@d>",
        "\"Bob <sip:b@d>\" <sip:a@d>",
        "\"\\\"Bob\\\" <sip:b@d>\" <sip:a@d>",
        "\"<tel:+1555>\"<sip:a@d>",
    ] {
        assert_eq!(refused(&format!("From: {value}\n")), Error::Ambiguous, "{value}");
    }
    for value in [
        "Bob <sip:b@d> <sip:a@d>",
        "<sip:b@d> <sip:a@d>",
        "<sip:b@d><sip:a@d>",
        "<sip:a@d> (<sip:b@d>)",
        "Bob \"<sip:b@d>\" <sip:a@d>",
        "'Bob <sip:b@d>' <sip:a@d>",
        "\"Bob\" <sip:b@d>\" <sip:a@d>",
        "<sip:a@d>;x=<sip:b@d>",
        "<<sip:a@d>>",
        "<sip:b@d>, <sip:a@d>",
    ] {
        assert_eq!(refused(&format!("From: {value}\n")), Error::Address, "{value}");
    }
}

// THREATS T11
#[test]
fn a_parameter_does_not_pass_for_the_address() {
    for parameter in [";x=<sip:b@d>", ";x=\"<sip:b@d>\"", ";<sip:b@d>;x=1", ";x <sip:b@d>;y=\"1\"", ";x=1<sip:b@d>"] {
        assert_eq!(refused(&format!("From:{parameter} <sip:a@d>\n")), Error::Parameter, "{parameter}");
    }
}

// THREATS T11, CONFORMANCE 3862-008
#[test]
fn a_sender_is_not_hidden_by_a_line_end() {
    for octets in [
        &b"From: <sip:a@d>\r\nSubject: x\nFrom: <sip:b@d>\r\n"[..],
        b"From: <sip:a@d>\r\nSubject: x\rFrom: <sip:b@d>\r\n",
        b"From: <sip:a@d>\r\nSubject: x\x0bFrom: <sip:b@d>\r\n",
        b"From: <sip:a@d>\r\n\nFrom: <sip:b@d>\r\n",
        b"From:\r\n <sip:b@d>\r\nFrom: <sip:a@d>\r\n",
    ] {
        assert!(cpim::parse_head(octets).is_err(), "{}", octets.escape_ascii());
    }
    // U+2028 and U+0085 end no line.
    assert_eq!(senders("Subject: x\u{2028}From: <sip:b@d>\nX: \u{85}From: <sip:b@d>\nFrom: <sip:a@d>\n"), ["sip:a@d"]);
}

// THREATS T11
#[test]
fn a_name_of_a_header_is_not_disguised() {
    for line in
        ["From : <sip:b@d>\n", "\u{feff}From: <sip:b@d>\n", "Fr\u{43e}m: <sip:b@d>\n", "From\u{200b}: <sip:b@d>\n"]
    {
        assert_eq!(refused(line), Error::NotAHeader, "{line:?}");
    }
}

// THREATS T11
#[test]
fn an_address_is_given_as_it_stands_there() {
    // Neither percent signs nor backslashes are resolved: the room compares what recipients will see.
    for uri in ["sip:a%40d@evil", "sip:A@d", r"sip:\u0062@d", "sip:b@d;x=y", "sip:b@d?x=y", "sips:b@d"] {
        assert_eq!(senders(&format!("From: <{uri}>\n")), [uri]);
    }
}
