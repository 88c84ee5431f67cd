//! Lists of people: read within bounds or refused; what others are told of is read again, and has nobody who was to be hidden.

#![no_main]

use focus::signalling::uri_list::{CopyControl, UriList};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Ok(list) = UriList::parse(octets) else { return };
    assert!(list.entries.len() <= 50);
    let shown = |entry: &&focus::signalling::uri_list::Entry| entry.copy != CopyControl::Bcc;
    let Some(history) = list.history() else {
        return assert!(!list.entries.iter().any(|entry| shown(&entry)));
    };
    let again = UriList::parse(history.as_bytes()).expect("what is written is read again");
    let named = list.entries.iter().filter(shown).filter(|entry| !entry.anonymize).count();
    // The anonymous are one or two entries, of one address.
    assert!(again.entries.len() <= named + 1);
    for entry in again.entries.iter().filter(|entry| entry.uri != "sip:anonymous@anonymous.invalid") {
        assert!(entry.copy != CopyControl::Bcc && !entry.anonymize);
        assert!(list.entries.iter().any(|known| known.uri.starts_with(&entry.uri) && !known.anonymize));
    }
});
