//! Use-Nickname values: what is read can be written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp::encode::{MAX_NICKNAME, quote, unquote_nickname};

fuzz_target!(|raw: &[u8]| {
    if let Ok(nickname) = unquote_nickname(raw) {
        assert!(nickname.len() <= MAX_NICKNAME);
        let quoted = quote(&nickname);
        assert!(!quoted.contains(['\r', '\n']));
        assert_eq!(unquote_nickname(quoted.as_bytes()), Ok(nickname));
    }
});
