//! Session timers, both roles: RFC 4028.

mod support;

use sip::{Answer, Config, DialogId, Method, SessionTimers, Within};
use support::{Bench, CONTACT, Draft, config, outgoing, request};

fn bench() -> Bench {
    Bench::with(Config { session_timers: Some(SessionTimers { interval: 1800, min: 120 }), ..config() })
}

/// An INVITE of a peer that knows the extension.
fn invite(expires: &str) -> Draft {
    request("INVITE", 1).row("Supported", "timer").row("Session-Expires", expires).row("Allow", "INVITE, UPDATE")
}

fn seated(r: &mut Bench, invite: Draft) -> (DialogId, String) {
    r.a(invite);
    let dialog = r.accept();
    let tag = r.tag();
    r.a(request("ACK", 1).tagged(&tag));
    (dialog, tag)
}

// CONFORMANCE 4028-9-2.
#[test]
fn what_is_agreed_follows_table_2() {
    // Supported, Session-Expires, Min-SE, Allow; what the 2xx says, and whether it requires the extension.
    let table = [
        ("timer", "1800;refresher=uac", "", "", Some("1800;refresher=uac"), true),
        ("timer", "1800;refresher=uas", "", "", Some("1800;refresher=uas"), false),
        ("timer", "1000", "", "", Some("1000;refresher=uac"), true),
        // More than we want is reduced, though not below Min-SE.
        ("timer", "9000", "", "", Some("1800;refresher=uac"), true),
        ("timer", "9000", "3000", "", Some("3000;refresher=uac"), true),
        // It knows the extension and asks for nothing.
        ("timer", "", "", "", Some("1800;refresher=uac"), true),
        // A proxy asks, the peer does not know it.
        ("", "600", "", "", Some("600;refresher=uas"), false),
        // Nobody asks: where the peer takes UPDATE we can refresh it alone.
        ("", "", "", "INVITE, UPDATE", Some("1800;refresher=uas"), false),
        ("", "", "", "INVITE", None, false),
    ];
    for (supported, expires, min, allow, agreed, required) in table {
        let mut r = bench();
        let mut draft = request("INVITE", 1);
        for (name, value) in [("Supported", supported), ("x", expires), ("Min-SE", min), ("Allow", allow)] {
            if !value.is_empty() {
                draft = draft.row(name, value);
            }
        }
        r.a(draft);
        r.accept();
        let ok = r.last_response();
        assert_eq!(ok.header("Session-Expires"), agreed, "{supported} {expires} {min} {allow}");
        assert_eq!(ok.header("Require"), required.then_some("timer"), "{supported} {expires} {min} {allow}");
        assert_eq!(ok.header("Supported"), Some("timer"));
    }
}

// CONFORMANCE 4028-9-1.
#[test]
fn too_short_an_interval_gets_422() {
    let mut r = bench();
    r.a(invite("100"));
    r.expect("R: 422 INVITE");
    assert_eq!(r.last_response().header("Min-SE"), Some("120"));
    // Who does not know the extension could not make sense of it.
    r.a(request("INVITE", 2).row("Session-Expires", "100"));
    r.expect("event Request INVITE");
    r.accept();
    assert_eq!(r.last_response().header("Session-Expires"), Some("100;refresher=uas"));
}

// CONFORMANCE 4028-10-1.
#[test]
fn a_peer_that_does_not_refresh_is_hung_up() {
    let mut r = bench();
    seated(&mut r, invite("300;refresher=uac"));
    r.pass_ms(267_999);
    r.expect("event Request INVITE\nR: 200 INVITE\nevent Acknowledged");
    r.pass_ms(1);
    r.expect("R: BYE\nevent Ended Unrefreshed");
}

#[test]
fn each_refresh_of_the_peer_gives_a_whole_interval() {
    let mut r = bench();
    let (dialog, tag) = seated(&mut r, invite("300;refresher=uac"));
    for number in 2..6 {
        r.pass_ms(250_000);
        let row = "300;refresher=uac";
        r.a(request("UPDATE", number).tagged(&tag).row("Supported", "timer").row("Session-Expires", row));
        r.respond(Answer::new(200));
        assert_eq!(r.last_response().header("Session-Expires"), Some(row));
    }
    assert!(r.endpoint.dialog(dialog).is_some());
}

// CONFORMANCE 4028-7.4-1, 4028-7.1-1, 4028-10-1.
#[test]
fn our_refresh_is_an_update_at_half_the_interval() {
    let mut r = bench();
    let (dialog, _) = seated(&mut r, invite("300;refresher=uas"));
    r.expect("event Request INVITE\nR: 200 INVITE\nevent Acknowledged");
    for _ in 0..3 {
        r.pass_ms(150_000);
        r.expect("R: UPDATE");
        let update = r.last_request("UPDATE");
        assert_eq!(update.header("Session-Expires"), Some("300;refresher=uac"));
        assert_eq!((update.header("Contact"), update.body.len()), (Some(CONTACT), 0));
        r.a_answers("UPDATE", 200, &[("Session-Expires", "300;refresher=uac")]);
        r.expect_silence();
    }
    r.pass_ms(150_000);
    r.a_answers("UPDATE", 500, &[]);
    r.pass_ms(118_000);
    r.expect("R: UPDATE\nR: BYE\nevent Ended Unrefreshed");
    assert!(r.endpoint.dialog(dialog).is_none());
    for method in ["UPDATE", "BYE"] {
        assert_eq!(r.last_request(method).header("Supported"), Some("timer"));
    }
}

#[test]
fn a_refresh_without_answer_ends_the_session() {
    let mut r = bench();
    seated(&mut r, invite("300;refresher=uas"));
    r.pass_ms(150_000);
    r.a_answers("UPDATE", 481, &[]);
    r.expect(
        "event Request INVITE
         R: 200 INVITE
         event Acknowledged
         R: UPDATE
         R: BYE
         event Ended PeerGone",
    );
}

// CONFORMANCE 4028-7.4-1.
#[test]
fn where_the_peer_takes_no_update_the_user_has_to_offer_anew() {
    let mut r = bench();
    let (dialog, _) = seated(&mut r, invite("300;refresher=uas").row("Allow", "INVITE, ACK, BYE"));
    r.pass_ms(150_000);
    r.expect("event Request INVITE\nR: 200 INVITE\nevent Acknowledged\nevent RefreshDue");
    let offer = Within::new(Method::INVITE).body("application/sdp", "v=0");
    r.endpoint.request_within(r.now, dialog, offer).unwrap();
    r.drain();
    assert_eq!(r.last_request("INVITE").header("Session-Expires"), Some("300;refresher=uac"));
    r.a_answers("INVITE", 200, &[("Session-Expires", "300;refresher=uac")]);
    r.pass_ms(149_999);
    r.expect("R: INVITE\nR: ACK\nevent Accepted 200");
    r.pass_ms(1);
    r.expect("event RefreshDue");
    r.pass_ms(118_000);
    r.expect("R: BYE\nevent Ended Unrefreshed");
}

// CONFORMANCE 4028-7.1-1, 4028-7.2-1.
#[test]
fn as_caller_we_ask_and_do_what_the_2xx_says() {
    // What the 2xx says; when something happens, and what.
    let table = [
        (Some("300;refresher=uac"), 150, "R: UPDATE"),
        (Some("300;refresher=uas"), 268, "R: BYE\nevent Ended Unrefreshed"),
        (None, 100_000, ""),
    ];
    for (agreed, after, expected) in table {
        let mut r = bench();
        r.invite(outgoing(Method::INVITE).contact(CONTACT));
        let invite = r.last_request("INVITE");
        assert_eq!((invite.header("Session-Expires"), invite.header("Supported")), (Some("1800"), Some("timer")));
        assert_eq!(invite.header("Min-SE"), Some("120"));
        let mut rows = vec![("Contact", "<sip:alice@192.0.2.1>"), ("Allow", "INVITE, UPDATE")];
        rows.extend(agreed.map(|agreed| ("Session-Expires", agreed)));
        r.a_answers("INVITE", 200, &rows);
        r.expect("R: INVITE\nR: ACK\nevent Accepted 200");
        r.pass_ms(after * 1000 - 1);
        r.expect_silence();
        r.pass_ms(1);
        r.expect(expected);
    }
}

// CONFORMANCE 4028-7.3-1, 3261-8.1.3.5-1.
#[test]
fn a_422_is_met_with_what_it_asks_for() {
    let mut r = bench();
    r.invite(outgoing(Method::INVITE).contact(CONTACT));
    r.a_answers("INVITE", 422, &[("Min-SE", "3600")]);
    r.expect("R: INVITE\nR: ACK\nR: INVITE");
    let again = r.last_request("INVITE");
    assert_eq!((again.header("Session-Expires"), again.header("Min-SE")), (Some("3600"), Some("3600")));
    assert_eq!(again.header("CSeq"), Some("2 INVITE"));
    // A 422 that asks for no more than that is an answer.
    r.a_answers("INVITE", 422, &[("Min-SE", "3600")]);
    r.expect("R: ACK\nevent Answered 422");
}

#[test]
fn without_session_timers_nothing_of_it_is_said() {
    let mut r = Bench::new();
    let (_, tag) = seated(&mut r, invite("100"));
    assert_eq!(r.last_response().header("Session-Expires"), None);
    r.a(request("UPDATE", 2).tagged(&tag).row("Require", "timer"));
    assert_eq!(r.last_response().code, 420);
    r.pass_ms(1_000_000);
    assert_eq!(r.endpoint.counts().dialogs, 1);
}
