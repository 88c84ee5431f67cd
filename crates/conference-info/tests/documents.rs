//! What is written, beside the conference that it is about. Every document is held against its schema.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod common;

use common::{lines, room, shown, shown_for, user, xmllint};
use conference_info::document::{deleted, full, partial, xcon_diff, xcon_full};
use conference_info::model::*;
use conference_info::{CONFERENCE_INFO, Changes, Conference, XCON_CONFERENCE_INFO, XCON_CONFERENCE_INFO_DIFF};

const DESCRIPTION: &str = r#"
    <conference-description>
    <display-text>Room</display-text>
    <subject>Tea &amp; cake</subject>
    <conf-uris>
    <entry>
    <uri>sip:room@chat.example.com</uri>
    <purpose>participation</purpose>
    </entry>
    </conf-uris>
    <service-uris>
    <entry>
    <uri>https://chat.example.com/room</uri>
    <purpose>web-page</purpose>
    </entry>
    </service-uris>
    <maximum-user-count>100</maximum-user-count>
    <available-media>
    <entry label="1">
    <type>message</type>
    <status>sendrecv</status>
    </entry>
    </available-media>
    </conference-description>"#;

const STATE: &str = r#"
    <conference-state>
    <user-count>2</user-count>
    <active>true</active>
    <locked>false</locked>
    </conference-state>"#;

/// A user of `room` without its beginning.
fn rest(name: &str) -> String {
    format!(
        r#"
    <display-text>{name}</display-text>
    <roles>
    <entry>participant</entry>
    </roles>
    <endpoint entity="1">
    <status>connected</status>
    <joining-method>dialed-in</joining-method>
    <joining-info>
    <when>2005-03-05T05:20:00Z</when>
    </joining-info>
    <media id="1">
    <type>message</type>
    <label>1</label>
    <status>sendrecv</status>
    </media>
    </endpoint>
    </user>"#
    )
}

// CONFORMANCE 4575-016, 4575-017, 4575-026, 4575-030, 7701-104
#[test]
fn a_full_document_tells_all() {
    let expected = format!(
        r#"
        <conference-info NS entity="sip:room@chat.example.com" state="full" version="7">{DESCRIPTION}{STATE}
        <users>
        <user entity="sip:alice@example.com" xcon:nickname="Wonder &quot;Land&quot;">{}
        <user entity="sip:bob@example.com">{}
        </users>
        </conference-info>"#,
        rest("Alice"),
        rest("Bob")
    );
    let rendering = full(&room());
    assert_eq!(rendering.content_type(), CONFERENCE_INFO);
    assert_eq!(shown(&rendering, 7), lines(&expected));
}

// CONFORMANCE 4575-030
#[test]
fn the_full_document_of_an_empty_room_has_a_description_and_users() {
    let empty = Conference { entity: "sip:room@chat.example.com".to_owned(), ..Conference::default() };
    let expected = r#"
        <conference-info NS entity="sip:room@chat.example.com" state="full" version="0">
        <conference-description>
        </conference-description>
        <conference-state>
        </conference-state>
        <users>
        </users>
        </conference-info>"#;
    assert_eq!(shown(&full(&empty), 0), lines(expected));
}

// CONFORMANCE 4575-018, 4575-019, 4575-020
#[test]
fn a_partial_document_tells_what_changed_and_nothing_else() {
    // Carol came, Bob went.
    let mut room = room();
    let mut changes = Changes::new();
    room.users.insert("sip:carol@example.com".to_owned(), user("Carol", None));
    changes.user_added("sip:carol@example.com");
    room.users.remove("sip:bob@example.com");
    changes.user_removed("sip:bob@example.com");
    let expected = format!(
        r#"
        <conference-info NS entity="sip:room@chat.example.com" state="partial" version="8">
        <users state="partial">
        <user entity="sip:bob@example.com" state="deleted"/>
        <user entity="sip:carol@example.com" state="full">{}
        </users>
        </conference-info>"#,
        rest("Carol")
    );
    assert_eq!(shown(&partial(&room, &changes), 8), lines(&expected));
}

// CONFORMANCE 4575-020
#[test]
fn a_changed_description_host_and_state_are_told_whole() {
    let mut changes = Changes::new();
    changes.description_changed();
    changes.host_changed();
    changes.state_changed();
    // There is no host any more: nothing but an empty one can say so.
    let expected = format!(
        r#"
        <conference-info NS entity="sip:room@chat.example.com" state="partial" version="8">{DESCRIPTION}
        <host-info>
        </host-info>{STATE}
        </conference-info>"#
    );
    assert_eq!(shown(&partial(&room(), &changes), 8), lines(&expected));
}

#[test]
fn the_end_of_a_conference_is_told_without_children() {
    let expected = r#"
        <conference-info NS entity="sip:room@chat.example.com" state="deleted" version="9">
        </conference-info>"#;
    assert_eq!(shown(&deleted("sip:room@chat.example.com"), 9), lines(expected));
}

// CONFORMANCE 6502-002
#[test]
fn a_full_xcon_document_has_no_states() {
    let expected = format!(
        r#"
        <conference-info NS entity="sip:room@chat.example.com" version="7">{DESCRIPTION}
        <host-info>
        </host-info>{STATE}
        <users>
        <user entity="sip:alice@example.com" xcon:nickname="Wonder &quot;Land&quot;">{}
        <user entity="sip:bob@example.com">{}
        </users>
        </conference-info>"#,
        rest("Alice"),
        rest("Bob")
    );
    let rendering = xcon_full(&room());
    assert_eq!(rendering.content_type(), XCON_CONFERENCE_INFO);
    assert_eq!(shown(&rendering, 7), lines(&expected));
}

// CONFORMANCE 6502-002, 6502-005, 6502-006, 6502-010
#[test]
fn a_patch_adds_replaces_and_removes() {
    let mut room = room();
    let mut changes = Changes::new();
    room.users.insert("sip:carol@example.com".to_owned(), user("Carol", None));
    changes.user_added("sip:carol@example.com");
    room.users.remove("sip:bob@example.com");
    changes.user_removed("sip:bob@example.com");
    changes.user_changed("sip:alice@example.com");
    changes.state_changed();
    let expected = format!(
        r#"
        <xcon:conference-info-diff NS entity="sip:room@chat.example.com">
        <xcon:replace sel="*/@version">8</xcon:replace>
        <xcon:replace sel="*/conference-state">{STATE}
        </xcon:replace>
        <xcon:replace sel='*/users/user[@entity="sip:alice@example.com"]'>
        <user entity="sip:alice@example.com" xcon:nickname="Wonder &quot;Land&quot;">{}
        </xcon:replace>
        <xcon:remove sel='*/users/user[@entity="sip:bob@example.com"]'/>
        <xcon:add sel="*/users">
        <user entity="sip:carol@example.com">{}
        </xcon:add>
        </xcon:conference-info-diff>"#,
        rest("Alice"),
        rest("Carol")
    );
    let rendering = xcon_diff(&room, &changes);
    assert_eq!(rendering.content_type(), XCON_CONFERENCE_INFO_DIFF);
    assert_eq!(shown(&rendering, 8), lines(&expected));
}

// CONFORMANCE 6502-005, 6502-006
#[test]
fn a_nickname_is_patched_as_the_attribute_that_it_is() {
    // Alice takes another one, Bob his first, Carol gives hers up.
    let mut room = room();
    let mut changes = Changes::new();
    room.users.insert("sip:carol@example.com".to_owned(), user("Carol", None));
    changes.nickname_changed("sip:carol@example.com", Some("Cat"));
    changes.nickname_changed("sip:alice@example.com", Some("Al"));
    room.users.get_mut("sip:bob@example.com").unwrap().nickname = Some("<Bo'b>".to_owned());
    changes.nickname_changed("sip:bob@example.com", None);
    let expected = r#"
        <xcon:conference-info-diff NS entity="sip:room@chat.example.com">
        <xcon:replace sel="*/@version">8</xcon:replace>
        <xcon:replace sel='*/users/user[@entity="sip:alice@example.com"]/@xcon:nickname'>Wonder &quot;Land&quot;</xcon:replace>
        <xcon:add sel='*/users/user[@entity="sip:bob@example.com"]' type="@xcon:nickname">&lt;Bo&apos;b&gt;</xcon:add>
        <xcon:remove sel='*/users/user[@entity="sip:carol@example.com"]/@xcon:nickname'/>
        </xcon:conference-info-diff>"#;
    assert_eq!(shown(&xcon_diff(&room, &changes), 8), lines(expected));
}

#[test]
fn each_reader_finds_its_own_user_marked() {
    let alice = "sip:alice@example.com";
    let mark = r#" xmlns:own="urn:tertulia:conference-info" own:own="true">"#;
    let mut changes = Changes::new();
    changes.user_changed(alice);
    for rendering in [full(&room()), xcon_full(&room()), partial(&room(), &changes), xcon_diff(&room(), &changes)] {
        let plain = shown(&rendering, 4_000_000_000);
        let marked = shown_for(&rendering, 4_000_000_000, Some(alice));
        let (before, after) = marked.split_once(mark).unwrap();
        assert_eq!(format!("{before}>{after}"), plain);
        assert!(before.lines().last().unwrap().starts_with("<user entity=\"sip:alice@example.com\""), "{marked}");
        // Who is not in the document finds no mark in it.
        assert_eq!(shown_for(&rendering, 4_000_000_000, Some("sip:dave@example.com")), plain);
    }
}

// CONFORMANCE 4575-060
#[test]
fn all_that_is_known_of_an_endpoint_stands_in_the_order_of_the_schema() {
    let when = |seconds| Execution {
        when: Some(date_time(seconds)),
        reason: Some("SIP;cause=200;text=\"x\"".to_owned()),
        by: Some("sip:mike@example.com".to_owned()),
    };
    let mut bob = user("Bob", None);
    bob.associated_aors.insert("mailto:bob@example.com".to_owned(), UriEntry::default());
    bob.languages = vec!["en".to_owned()];
    bob.endpoints.insert(
        "1".to_owned(),
        Endpoint {
            display_text: Some("Laptop".to_owned()),
            referred: Some(when(0)),
            status: Some(EndpointStatus::Disconnected),
            joining_method: Some(JoiningMethod::DialedOut),
            joining_info: Some(when(951_782_400)),
            disconnection_method: Some(DisconnectionMethod::Booted),
            disconnection_info: Some(when(4_107_542_399)),
            media: Default::default(),
            call_info: Some(CallInfo {
                display_text: None,
                call_id: "a".to_owned(),
                from_tag: "b".to_owned(),
                to_tag: "c".to_owned(),
            }),
        },
    );
    let mut room = Conference { entity: "sip:room@chat.example.com".to_owned(), ..Conference::default() };
    room.users.insert("sip:bob@example.com".to_owned(), bob);
    let expected = r#"
        <user entity="sip:bob@example.com">
        <display-text>Bob</display-text>
        <associated-aors>
        <entry>
        <uri>mailto:bob@example.com</uri>
        </entry>
        </associated-aors>
        <roles>
        <entry>participant</entry>
        </roles>
        <languages>en</languages>
        <endpoint entity="1">
        <display-text>Laptop</display-text>
        <referred>
        <when>1970-01-01T00:00:00Z</when>
        <reason>SIP;cause=200;text=&quot;x&quot;</reason>
        <by>sip:mike@example.com</by>
        </referred>
        <status>disconnected</status>
        <joining-method>dialed-out</joining-method>
        <joining-info>
        <when>2000-02-29T00:00:00Z</when>
        <reason>SIP;cause=200;text=&quot;x&quot;</reason>
        <by>sip:mike@example.com</by>
        </joining-info>
        <disconnection-method>booted</disconnection-method>
        <disconnection-info>
        <when>2100-02-28T23:59:59Z</when>
        <reason>SIP;cause=200;text=&quot;x&quot;</reason>
        <by>sip:mike@example.com</by>
        </disconnection-info>
        <call-info>
        <sip>
        <call-id>a</call-id>
        <from-tag>b</from-tag>
        <to-tag>c</to-tag>
        </sip>
        </call-info>
        </endpoint>
        </user>"#;
    for rendering in [full(&room), xcon_full(&room)] {
        let text = shown(&rendering, 1);
        assert!(text.contains(&lines(expected)), "{text}");
    }
}

// CONFORMANCE 4575-015. THREATS T29
#[test]
fn nobody_writes_markup_by_a_name() {
    let table = [
        ("\"/><user entity=\"x\">", "&quot;/&gt;&lt;user entity=&quot;x&quot;&gt;"),
        ("]]>&amp;<![CDATA[", "]]&gt;&amp;amp;&lt;![CDATA["),
        ("it's 🎉 é 中", "it&apos;s 🎉 é 中"),
        (" \t\r\n ", " &#9;&#13;&#10; "),
        // What XML cannot hold at all.
        ("a\0b\u{1}c\u{1f}d\u{fffe}e\u{ffff}", "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e\u{fffd}"),
    ];
    for (text, written) in table {
        let mut room = room();
        let alice = room.users.get_mut("sip:alice@example.com").unwrap();
        alice.display_text = Some(text.to_owned());
        alice.nickname = Some(text.to_owned());
        room.description.subject = Some(text.to_owned());
        let mut changes = Changes::new();
        changes.user_changed("sip:alice@example.com");
        changes.description_changed();
        for rendering in [full(&room), xcon_full(&room), partial(&room, &changes), xcon_diff(&room, &changes)] {
            let shown = shown(&rendering, 1);
            assert!(shown.contains(&format!("<display-text>{written}</display-text>")), "{shown}");
            assert!(shown.contains(&format!("xcon:nickname=\"{written}\"")), "{shown}");
            assert!(shown.contains(&format!("<subject>{written}</subject>")), "{shown}");
        }
    }
}

// CONFORMANCE 4575-015, 4575-022. THREATS T29
#[test]
fn nobody_breaks_out_of_a_uri() {
    let hostile = "sip:o'neil@x\"]<>{}|\\^` %zz%41&é\u{1}\u{ffff}";
    let written = "sip:o&apos;neil@x%22]%3C%3E%7B%7D%7C%5C%5E%60%20%25zz%41&amp;é%01\u{fffd}";
    let mut room = room();
    room.users.insert(hostile.to_owned(), User::default());
    let mut changes = Changes::new();
    changes.user_changed(hostile);
    let diff = String::from_utf8(xcon_diff(&room, &changes).document(1)).unwrap();
    assert!(diff.contains(&format!("sel='*/users/user[@entity=\"{written}\"]'>")), "{diff}");
    for rendering in [full(&room), xcon_full(&room), partial(&room, &changes), xcon_diff(&room, &changes)] {
        let text = String::from_utf8(rendering.document(1)).unwrap();
        assert!(text.contains(&format!("<user entity=\"{written}\"")), "{text}");
    }
}

#[test]
fn the_validator_sees_what_is_wrong() {
    let document = |old: &str, new: &str| {
        vec![String::from_utf8(full(&room()).document(1)).unwrap().replacen(old, new, 1).into_bytes()]
    };
    for (old, new) in [
        ("<status>connected</status>", "<status>there</status>"),
        ("<subject>", "<free-text/><subject>"),
        ("version=\"1\"", "version=\"-1\""),
        ("<user ", "<user state=\"new\" "),
    ] {
        assert_ne!(xmllint("--schema", "conference-info.xsd", &document(old, new)), "", "{new}");
    }
    for (old, new) in [("<user ", "<user><user "), ("<media id=\"1\">", "<media id=\"x\">"), ("<subject>", "<entry>")] {
        assert_ne!(xmllint("--relaxng", "xcon-conference-info.rng", &document(old, new)), "", "{new}");
    }
    let mut changes = Changes::new();
    changes.user_removed("sip:nobody@example.com");
    let diff = String::from_utf8(xcon_diff(&room(), &changes).document(1)).unwrap();
    for (old, new) in [("sel='*/users", "sel='*//users"), ("<xcon:remove", "<xcon:delete")] {
        let diff = diff.replacen(old, new, 1).into_bytes();
        assert_ne!(xmllint("--schema", "xcon-conference-info-diff.xsd", &[diff]), "", "{new}");
    }
}

// CONFORMANCE 6502-005
#[test]
fn what_is_told_of_a_join_does_not_grow_with_the_room() {
    let mut lengths = Vec::new();
    for others in [0, 1_000] {
        let mut room = room();
        room.users.extend((0..others).map(|number| (format!("sip:{number}@example.com"), user("Somebody", None))));
        let mut changes = Changes::new();
        changes.user_added("sip:bob@example.com");
        changes.state_changed();
        lengths.push((partial(&room, &changes).len(), xcon_diff(&room, &changes).len()));
        assert!(full(&room).len() > others * 100);
    }
    assert_eq!(lengths[0], lengths[1]);
}
