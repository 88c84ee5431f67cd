//! Values of header fields, URIs among them: read or refused, and what was read means the same when written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::multipart::Part;
use sip::typed::{self, CSeq, Disposition, MediaType, NameAddr, Uri, Via};
use sip::{Headers, Method};

fuzz_target!(|text: &str| {
    for element in typed::split_list(text) {
        if let Ok(uri) = Uri::parse(element) {
            check_uri(&uri);
        }
        if let Ok(address) = NameAddr::parse(element) {
            check_uri(&address.uri);
            assert_eq!(address.tag().is_some(), typed::tag(element).is_some());
            assert_eq!(Ok(address.uri.as_str()), typed::uri_text(element));
        }
        if let Ok(via) = Via::parse(element) {
            assert!(typed::is_token(via.transport) && !via.host.is_empty());
        }
    }
    if let Ok(cseq) = CSeq::parse(text) {
        assert!(Method::new(cseq.method).is_some() && cseq.number < 1 << 31);
    }
    let _ = Disposition::parse(text).map(|disposition| disposition.is_required());
    if let Ok(media_type) = MediaType::parse(text) {
        assert!(media_type.takes_in(&media_type.essence));
    }
    assert!(!typed::quote(text).contains(['\r', '\n', '\0']));
    // The first line as the type of a body, the rest as the body.
    let (content_type, body) = text.split_once('\n').unwrap_or_default();
    let mut headers = Headers::default();
    headers.push("Content-Type", content_type);
    if let Ok(Some(part)) = Part::of_message(&headers, body.as_bytes()) {
        assert!(part.all().count() <= 64);
        let _ = (part.decoded(), part.content_id(), part.chosen(&|media_type, _| media_type.is("text/plain")));
    }
});

fn check_uri(uri: &Uri) {
    let again = Uri::parse(uri.as_str()).expect("what was read is read again");
    assert_eq!(&again, uri);
    assert!(uri.same_address(&again) && uri.equivalent(&again));
    let _ = (uri.user(), uri.host(), uri.ip(), uri.port(), uri.param("transport"), uri.has_headers());
}
