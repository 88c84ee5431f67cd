//! What is read of documents that others wrote, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod common;

use common::{document, room, user};
use conference_info::document::full;
use conference_info::model::*;
use conference_info::read::{self, Error, Limits, Operation, State};

const INFO: &str = "xmlns='urn:ietf:params:xml:ns:conference-info'";

/// A document with this in its root.
fn around(content: &str) -> String {
    format!("<conference-info {INFO} entity='sip:room@x' version='1'>{content}</conference-info>")
}

fn refused(octets: impl AsRef<[u8]>) -> Error {
    read::document(octets.as_ref(), &Limits::default()).expect_err("refused")
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_full_example_of_rfc_4575_is_read() {
    let document = document(include_bytes!("examples/rfc4575_full.xml"));
    assert_eq!((document.entity.as_str(), document.version), ("sips:conf233@example.com", Some(1)));
    assert_eq!(document.state, State::Full);
    let description = document.description.unwrap();
    assert_eq!(description.subject, text("Agenda: This month's goals"));
    assert_eq!(description.service_uris["http://sharepoint/salesgroup/"].purpose, text("web-page"));
    assert_eq!(document.conference_state.unwrap().user_count, Some(33));
    let bob = document.users.unwrap().users["sip:bob@example.com"].clone();
    assert_eq!(bob.user.display_text, text("Bob Hoskins"));
    let (state, laptop) = &bob.endpoints["sip:bob@pc33.example.com"];
    assert_eq!((*state, laptop.status), (State::Full, Some(EndpointStatus::Disconnected)));
    assert_eq!(laptop.disconnection_method, Some(DisconnectionMethod::Departed));
    assert_eq!(
        laptop.disconnection_info,
        Some(Execution {
            when: text("2005-03-04T20:00:00Z"),
            reason: text("bad voice quality"),
            by: text("sip:mike@example.com"),
        })
    );
    assert_eq!(laptop.media["1"].src_id, text("432424"));
}

#[test]
fn the_partial_example_of_rfc_4575_is_read() {
    let document = document(include_bytes!("examples/rfc4575_partial.xml"));
    assert_eq!((document.state, document.version), (State::Partial, Some(5)));
    let description = document.description.unwrap();
    assert_eq!(description.keywords, ["sales", "meeting", "weekly"]);
    assert_eq!(description.conf_uris.len(), 3);
    assert_eq!(description.available_media["34569"].status, Some(MediaStatus::Inactive));
    assert_eq!(document.host.unwrap().web_page, text("http://sharepoint/salesgroup/hosts/"));
    let users = document.users.unwrap();
    // Those of the sidebars do not count.
    assert_eq!(users.users.keys().collect::<Vec<_>>(), ["sip:bob@example.com"]);
    let (_, laptop) = &users.users["sip:bob@example.com"].endpoints["sip:bob@pc33.example.com"];
    let call = laptop.call_info.as_ref().unwrap();
    assert_eq!((call.from_tag.as_str(), call.to_tag.as_str()), ("vav738dvbs", "8954jgjg8432"));
}

// CONFORMANCE 7701-104
#[test]
fn the_nicknames_in_the_example_of_rfc_7701_are_read() {
    let users = document(include_bytes!("examples/rfc7701.xml")).users.unwrap().users;
    assert_eq!(users["sip:bob@example.com"].user.nickname, text("Dopey Donkey"));
    assert_eq!(users["sip:alice@atlanta.example.com"].user.nickname, text("Alice the great"));
}

#[test]
fn the_example_of_rfc_6501_is_read_as_far_as_it_is_modelled() {
    let document = document(include_bytes!("examples/rfc6501.xml"));
    assert_eq!((document.entity.as_str(), document.version), ("conference123@example.com", None));
    assert_eq!(document.users.unwrap().users.len(), 3);
}

#[test]
fn the_example_of_rfc_6502_is_read_as_far_as_it_is_modelled() {
    let diff = common::diff(include_bytes!("examples/rfc6502.xml"));
    assert_eq!(diff.entity, "conference123@example.com");
    assert_eq!(diff.operations, [Operation::UserCount(5)]);
}

#[test]
fn what_was_written_is_read() {
    let octets = full(&room()).document_for(3, Some("sip:bob@example.com"));
    let read = document(&octets);
    let users = read.users.unwrap().users;
    assert!(users["sip:bob@example.com"].user.own);
    assert!(!users["sip:alice@example.com"].user.own);
    assert_eq!(users["sip:alice@example.com"].clone().into_whole(), user("Alice", Some("Wonder \"Land\"")));
    assert_eq!((read.version, read.description, read.host), (Some(3), Some(room().description), None));
}

// CONFORMANCE 6502-010
#[test]
fn prefixes_foreign_elements_and_white_space_do_not_matter() {
    let octets = "\u{feff}<?xml version='1.0' encoding='utf-8'?><?style x?><!-- a -->
        <a:conference-info xmlns:a='urn:ietf:params:xml:ns:conference-info' xmlns='urn:other' a:state='x'
            entity=' sip:room@x ' version=' 2 ' state='partial' other='1'>
          <users><user entity='sip:none@x'/></users>
          <a:later><a:users><a:user/></a:users></a:later>
          stray <![CDATA[<a:users>]]>
          <a:users state='partial'>
            <b:user xmlns:b='urn:ietf:params:xml:ns:conference-info' entity=' sip:bob@x '
                xmlns:n='urn:ietf:params:xml:ns:xcon-conference-info' n:nickname='B&#x6f;b' nickname='no'>
              <b:display-text> B<!-- -->o<![CDATA[<b>]]>&amp;<i>skipped</i>b\r\n</b:display-text>
              <b:endpoint entity='1'><b:status> connected </b:status><b:joining-method>beamed</b:joining-method>
              </b:endpoint>
            </b:user>
          </a:users>
        </a:conference-info><!-- z -->
        ";
    let document = document(octets.as_bytes());
    assert_eq!((document.entity.as_str(), document.version, document.state), ("sip:room@x", Some(2), State::Partial));
    let users = document.users.unwrap();
    assert_eq!((users.state, users.users.len()), (State::Partial, 1));
    let bob = &users.users["sip:bob@x"];
    assert_eq!(bob.user.nickname, text("Bob"));
    assert_eq!(bob.user.display_text, text(" Bo<b>&b\n"));
    // A method that nobody has heard of is none.
    assert_eq!(bob.endpoints["1"].1.status, Some(EndpointStatus::Connected));
    assert_eq!(bob.endpoints["1"].1.joining_method, None);
}

#[test]
fn of_two_with_one_key_the_later_counts() {
    let twice = "<users><user entity='a'><display-text>1</display-text></user><user entity='a'/></users>";
    let users = document(around(twice).as_bytes()).users.unwrap().users;
    assert_eq!(users["a"].user, User::default());
}

// THREATS T28
#[test]
fn document_types_and_entities_are_refused() {
    let table = [
        (
            "<!DOCTYPE x [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]><x>&c;</x>",
            Error::DocumentType,
        ),
        ("<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>", Error::DocumentType),
        ("<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>", Error::DocumentType),
    ];
    for (text, error) in table {
        assert_eq!(refused(text), error, "{text}");
    }
    assert_eq!(refused(around("&a;")), Error::Entity);
    assert_eq!(
        refused(around("<conference-description><subject>&nbsp;</subject></conference-description>")),
        Error::Entity
    );
    assert_eq!(refused(around("<users><user entity='&file;'/></users>")), Error::Entity);
}

// THREATS T28
#[test]
fn other_encodings_and_forbidden_characters_are_refused() {
    let declared = |name: &str| refused(format!("<?xml version='1.0' encoding='{name}'?>{}", around("")));
    assert_eq!(declared("UTF-16"), Error::Encoding);
    assert_eq!(declared("UTF-7"), Error::Encoding);
    assert_eq!(declared("ISO-8859-1"), Error::Encoding);
    let utf_16: Vec<u8> = "\u{feff}<x/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(refused(utf_16), Error::Encoding);
    assert_eq!(refused(b"<x>\xc3\x28</x>"), Error::Encoding);
    for text in ["\u{1}", "\u{ffff}", "&#1;", "&#xFFFE;", "&#0;"] {
        let subject = around(&format!("<conference-description><subject>{text}</subject></conference-description>"));
        let error = refused(subject);
        assert!(matches!(error, Error::Character | Error::Malformed(_)), "{text:?}: {error}");
    }
    assert_eq!(refused(around("<users><user entity='&#2;'/></users>")), Error::Character);
}

// THREATS T28
#[test]
fn what_is_too_much_is_refused() {
    let deep = |depth: usize| around(&("<a>".repeat(depth) + &"</a>".repeat(depth)));
    assert!(read::document(deep(31).as_bytes(), &Limits::default()).is_ok());
    assert_eq!(refused(deep(32)), Error::TooDeep);
    assert_eq!(refused(format!("<conference-info {INFO} entity='a'>{}", "<a>".repeat(100_000))), Error::TooDeep);
    assert_eq!(refused(format!("<a>{}", "x".repeat(4 * 1024 * 1024))), Error::TooLong);

    let attributes = |count| around(&format!("<a {}/>", (0..count).map(|i| format!("a{i}='' ")).collect::<String>()));
    assert!(read::document(attributes(32).as_bytes(), &Limits::default()).is_ok());
    assert_eq!(refused(attributes(33)), Error::TooManyAttributes);
    assert_eq!(refused(attributes(100_000)), Error::TooManyAttributes);
    // Namespaces add up over the elements that stand in each other, and end with them.
    let namespaces = |from: usize| (from..from + 16).map(|i| format!("xmlns:n{i}='n' ")).collect::<String>();
    let beside = around(&format!("<a {}/><a {}/>", namespaces(0), namespaces(16)));
    assert!(read::document(beside.as_bytes(), &Limits::default()).is_ok());
    let within = around(&format!("<a {}><a {}/></a>", namespaces(0), namespaces(16)));
    assert_eq!(refused(within), Error::TooManyAttributes);

    let limits = Limits { items: 10, ..Limits::default() };
    let users = |count| around(&format!("<users>{}</users>", "<user entity='a'/>".repeat(count)));
    assert!(read::document(users(10).as_bytes(), &limits).is_ok());
    for content in [
        users(11),
        around(&format!("<users><user entity='a'>{}</user></users>", "<endpoint entity='a'/>".repeat(10))),
        around(&format!("<users><user entity='a'><roles>{}</roles></user></users>", "<entry/>".repeat(10))),
        around(&format!("<conference-description><keywords>{}</keywords></conference-description>", "a ".repeat(11))),
        around(&format!("<host-info><uris>{}</uris></host-info>", "<entry><uri>a</uri></entry>".repeat(11))),
    ] {
        assert_eq!(read::document(content.as_bytes(), &limits), Err(Error::TooMany), "{content}");
    }
}

#[test]
fn errors_name_what_is_wrong() {
    let lacks = |element, part| Error::Lacks { element, part };
    let description = |content: &str| around(&format!("<conference-description>{content}</conference-description>"));
    let table = [
        (format!("<conference-info {INFO}/>"), lacks("conference-info", "entity")),
        (around("<users><user/></users>"), lacks("user", "entity")),
        (around("<users><user entity='a'><endpoint/></user></users>"), lacks("endpoint", "entity")),
        (
            around("<users><user entity='a'><endpoint entity='b'><media/></endpoint></user></users>"),
            lacks("media", "id"),
        ),
        (description("<available-media><entry/></available-media>"), lacks("entry", "label")),
        (description("<conf-uris><entry/></conf-uris>"), lacks("entry", "uri")),
        (description("<maximum-user-count>many</maximum-user-count>"), Error::Value("maximum-user-count")),
        (around("<conference-state><user-count>-1</user-count></conference-state>"), Error::Value("user-count")),
        (around("<conference-state><active>yes</active></conference-state>"), Error::Value("active")),
        (around("<users state='new'/>"), Error::Value("state")),
        (format!("<conference-info {INFO} entity='a' version='4294967296'/>"), Error::Value("version")),
        ("<conference-info entity='a'/>".to_owned(), Error::Root),
        (format!("<users {INFO}/>"), Error::Root),
    ];
    for (text, error) in table {
        assert_eq!(refused(&text), error, "{text}");
    }
    assert_eq!(lacks("user", "entity").to_string(), "<user> lacks entity");
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for text in [
        String::new(),
        "  ".to_owned(),
        "x".to_owned(),
        format!("x{}", around("")),
        format!("{}x", around("")),
        format!("{}{}", around(""), around("")),
        format!("{}<", around("")),
        format!("<!-- -->\n<?xml version='1.0'?>{}", around("")),
        around("<a>"),
        around("</a>"),
        around("<a></b>"),
        around("<a b='1' b='2'/>"),
        around("<a b=1/>"),
        around("<a b='/>"),
        around("<b:a/>"),
        around("<a b:c='1'/>"),
        around("<a xmlns:xml='urn:x'/>"),
        around("&"),
        around("<?xml version='1.0'?>"),
        around("<!-- "),
        around("<![CDATA["),
    ] {
        let error = refused(&text);
        assert!(matches!(error, Error::Malformed(_) | Error::Entity), "{text}: {error}");
    }
    // What is said of it does not repeat the document.
    let long = refused(around(&format!("<a></{}>", "b".repeat(100_000))));
    assert!(long.to_string().len() < 500, "{}", long.to_string().len());
}

#[test]
fn no_beginning_of_a_document_makes_the_reader_panic() {
    let octets = full(&room()).document(1);
    for length in 0..octets.len() {
        assert!(read::document(&octets[..length], &Limits::default()).is_err(), "{length}");
    }
}
