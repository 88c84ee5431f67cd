//! MSRP URIs and paths: two texts on two lines.

#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp::uri::{MAX_HOPS, Path, Uri, session_id_of};

fuzz_target!(|text: &str| {
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    let (a, b) = (Uri::parse(first), Uri::parse(second));
    for uri in [&a, &b].into_iter().flatten() {
        assert!(uri.matches(uri) && Uri::parse(uri.as_str()).is_ok_and(|again| again.matches(uri)));
        assert_eq!(session_id_of(uri.as_str()), uri.session_id());
        assert!(uri.as_str().bytes().all(|b| b.is_ascii_graphic()), "it could break a header");
        // One made of its parts is the same, if there is a port and nothing in the host that is left out.
        if let (Some(port), Some(id)) = (uri.port(), uri.session_id()) {
            let made = Uri::new(uri.secure(), uri.host(), port, id);
            assert_eq!(
                made.matches(uri),
                uri.transport().eq_ignore_ascii_case("tcp") && uri.host().len() < 256 && id.len() < 256
            );
        }
    }
    if let (Ok(a), Ok(b)) = (&a, &b) {
        assert_eq!(a.matches(b), b.matches(a));
    }
    if let Ok(path) = Path::parse(text) {
        assert!((1..=MAX_HOPS).contains(&path.len()) && path.iter().count() == path.len());
        let again = Path::parse(path.as_str()).expect("what was read can be read again");
        assert_eq!(again.as_str(), path.as_str());
    }
    let _ = session_id_of(text);
});
