//! One session in the place of another of the same user (RFC 3891): for others nothing changes but a session.

mod common;

use common::Stage;
use room::{NicknameScope, Policy};

fn stage(policy: Policy) -> Stage {
    let mut stage = Stage::new(policy);
    stage.member(1, "sip:alice@d");
    stage.member(2, "sip:bob@d");
    stage
}

// CONFORMANCE 4579-021
#[test]
fn the_successor_has_the_nickname_and_the_user_stays_listed() {
    let mut stage = stage(Policy { simultaneous_access: false, ..Policy::default() });
    stage.play(
        "> nick 1 Al
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
         > join 3 sip:alice@d
         < refused 3 AlreadyPresent
         > replace 3 1 sip:alice@d
         < seated 3
         > enter 3
         < entered 3 in epoch 3
         < roster: sip:alice@d joins with 3 too
         < dismiss 1 Replaced
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1
         > nick 2 Al
         < nickname 2 refused NicknameTaken
        ",
    );
}

#[test]
fn the_registry_of_the_domain_hears_of_it_as_of_any_other_session_of_the_user() {
    let mut stage = stage(Policy { nickname_scope: NicknameScope::Domain, ..Policy::default() });
    stage.play(
        "> nick 1 Al
         < ask 1 for 1: may sip:alice@d be \"Al\"?
         > answer 1 yes
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
         > replace 3 1 sip:alice@d
         < seated 3
         > enter 3
         < entered 3 in epoch 3
         < roster: sip:alice@d joins with 3 too
         < ask 2 for 3: may sip:alice@d be \"Al\"?
         < release for 1: \"Al\", kept 300s
         < dismiss 1 Replaced
         > answer 2 yes
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1
        ",
    );
}

#[test]
fn nobody_is_replaced_who_is_another_user_or_gone_or_before_the_successor_is_there() {
    let mut stage = stage(Policy::default());
    stage.play(
        "> replace 3 2 sip:alice@d
         < seated 3
         > enter 3
         < entered 3 in epoch 3
         < roster: sip:alice@d joins with 3 too
         > replace 4 1 sip:alice@d
         < seated 4
         > leave 4
         < left 4
         > replace 5 1 sip:alice@d
         < seated 5
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1
         > enter 5
         < entered 5 in epoch 4
         < roster: sip:alice@d joins with 5 too
        ",
    );
}

#[test]
fn a_nickname_of_the_successor_stays() {
    let mut stage = stage(Policy::default());
    stage.play(
        "> nick 1 Al
         < nickname 1 \"Al\"
         < roster: sip:alice@d is called \"Al\"
         > replace 3 1 sip:alice@d
         < seated 3
         > enter 3
         < entered 3 in epoch 3
         < roster: sip:alice@d joins with 3 too
         < dismiss 1 Replaced
         > nick 3 Alba
         < nickname 3 \"Alba\"
         < roster: sip:alice@d is called \"Alba\"
         > nick 1 Ali
         < nickname 1 \"Ali\"
         < roster: sip:alice@d is called \"Ali\"
         > suspend 3
         < roster: sip:alice@d is away with 3
         > enter 3
         < entered 3 in epoch 4
         < roster: sip:alice@d is back with 3
         > leave 1
         < left 1
         < roster: sip:alice@d leaves with 1
         < roster: sip:alice@d is called \"Alba\"
         > nick 2 Alba
         < nickname 2 refused NicknameTaken
        ",
    );
}
