//! Documents of a roster, as a subscriber gets them one after the other: full, partial, patches. They stand one behind
//! the other, parted by a NUL; the views take what is sound. What a view holds is written so that it reads the same.

#![no_main]

use conference_info::document::{full, partial, xcon_diff, xcon_full};
use conference_info::read::{self, Limits};
use conference_info::view::{Outcome, View, XconView};
use conference_info::{Changes, Conference};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    // Small ones, so that their bounds are met.
    let limits = Limits { octets: 8192, depth: 16, attributes: 16, items: 100 };
    let (mut view, mut xcon) = (View::new(), XconView::new());
    for part in octets.split(|&octet| octet == 0) {
        if let Ok(document) = read::document(part, &limits) {
            let before = view.conference().cloned();
            let outcome = view.apply(document.clone());
            check(outcome, before, view.conference());
            xcon.replace(document);
        }
        if let Ok(diff) = read::diff(part, &limits) {
            assert!(diff.operations.len() <= limits.items);
            let before = xcon.conference().cloned();
            let outcome = xcon.patch(diff);
            check(outcome, before, xcon.conference());
        }
    }
    view.conference().into_iter().chain(xcon.conference()).for_each(write_and_read);
});

/// What is not applied changes nothing.
fn check(outcome: Outcome, before: Option<Conference>, after: Option<&Conference>) {
    match outcome {
        Outcome::Applied => assert!(after.is_some()),
        Outcome::Ignored | Outcome::Gap => assert_eq!(before.as_ref(), after),
        Outcome::Ended => assert!(after.is_none()),
    }
}

fn write_and_read(conference: &Conference) {
    let limits = Limits::default();
    let read = |octets: Vec<u8>| read::document(&octets, &limits).expect("sound");
    let mut view = View::new();
    view.apply(read(full(conference).document(1)));
    let first = view.conference().expect("full").clone();
    let mut xcon = XconView::new();
    xcon.replace(read(xcon_full(&first).document(1)));
    assert_eq!(xcon.conference(), Some(&first), "both forms tell the same");
    // What no URI can hold is written otherwise, but once and for all.
    let mut again = View::new();
    again.apply(read(full(&first).document(1)));
    assert_eq!(again.conference(), Some(&first));

    // Everybody goes but the first, who changes.
    let (mut changed, mut changes) = (first, Changes::new());
    let mut users = std::mem::take(&mut changed.users).into_iter();
    if let Some((entity, mut user)) = users.next() {
        changes.nickname_changed(&entity, user.nickname.as_deref());
        user.nickname = Some("x".to_owned());
        changed.users.insert(entity, user);
    }
    users.for_each(|(entity, _)| changes.user_removed(&entity));
    assert_eq!(view.apply(read(partial(&changed, &changes).document(2))), Outcome::Applied);
    assert_eq!(view.conference(), Some(&changed));
    let diff = read::diff(&xcon_diff(&changed, &changes).document(2), &limits).expect("sound");
    assert_eq!(xcon.patch(diff), Outcome::Applied);
    assert_eq!(xcon.conference(), Some(&changed));
}
