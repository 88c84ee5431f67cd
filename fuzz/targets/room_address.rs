//! Addresses: the normal form stays as it is, and what differs in nothing that counts is one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use room::{Address, MAX_ADDRESS, MediaTypes, Policy, Room, Scheme};

fuzz_target!(|text: &str| {
    let _ = MediaTypes::lenient(text.split(' ')).accepts(text);
    let Ok(address) = Address::parse(text) else { return };
    assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(&address));
    let room = Room::new(address.clone(), &[text], Policy::default());
    assert!(room.is_room(text) && room.is_room(address.as_str()));
    if address.scheme() == Scheme::Tel {
        assert!(address.host().is_empty() && !address.user().is_empty());
        return;
    }
    assert!(address.as_str().is_ascii() && !address.host_without_port().is_empty());
    assert_eq!(address.with_host(address.host()).as_ref(), Ok(&address));
    assert_eq!(address.as_str(), address.as_str().trim());
    // Parameters and headers do not count, wherever the first semicolon after the host is.
    let longer = format!("{address};x=y?z");
    assert!(longer.len() > MAX_ADDRESS || Address::parse(&longer).as_ref() == Ok(&address));
});
