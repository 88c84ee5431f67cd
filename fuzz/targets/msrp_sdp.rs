//! Offers: an answer fits its offer, whatever it was, and one side connects.

#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp::sdp::{Answer, LocalMedia, MAX_ENTRIES, MAX_LINES, Offer, Origin, Setup};
use msrp::uri::{Path, Uri};

fuzz_target!(|octets: &[u8]| {
    let offer = match Offer::parse(octets) {
        Ok(offer) => offer,
        Err(fault) => return assert!(matches!(fault.sip_code(), 400 | 488)),
    };
    assert!(offer.line_count() <= MAX_LINES);
    let origin = Origin { session_id: 1, version: 1, address: "chat.example.com".to_owned() };
    for offered in offer.messages() {
        assert!(!offered.accept_types.is_empty() && offered.accept_types.len() <= MAX_ENTRIES + 4);
        assert!(offered.port != 0 && offered.path.iter().all(|uri| uri.port().is_some()));
        let path = Path::from(Uri::new(offered.secure, "chat.example.com", 2855, "kjhd37s2s20w2a"));
        let local = LocalMedia { setup: Setup::Active, cema: true, chatroom: Some(vec![]), ..LocalMedia::new(path) };
        let text = offer.answer(&origin, Some((offered, &local)));
        let answer = Answer::parse(text.as_bytes(), &offer).expect("an answer fits its offer");
        let message = answer.message().expect("the line is accepted");
        assert_eq!(message.line, offered.line);
        assert_ne!(answer.offerer_connects(), offered.setup_answered(local.setup) == Setup::Active);
        let again = offer.offer_again(&origin, offered.line, &local);
        assert_eq!(Offer::parse(again.as_bytes()).map(|again| again.line_count()), Ok(offer.line_count()));
    }
    let refused = offer.answer(&origin, None);
    assert!(Answer::parse(refused.as_bytes(), &offer).expect("so does a refusal").message().is_none());
    assert_eq!(offer.message().is_none(), offer.messages().count() == 0);
    let _ = offer.refusal();
});
