//! A conference, its documents in readable form, and xmllint, which knows the schemas.
#![allow(clippy::unwrap_used, reason = "a test may fail so")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use conference_info::document::Rendering;
use conference_info::model::*;
use conference_info::read::{self, Limits};
use conference_info::{CONFERENCE_INFO, Conference, XCON_CONFERENCE_INFO};

/// A room with Alice and Bob in it.
pub(crate) fn room() -> Conference {
    let uri = |purpose: &str| UriEntry { display_text: None, purpose: Some(purpose.to_owned()) };
    Conference {
        entity: "sip:room@chat.example.com".to_owned(),
        description: Description {
            display_text: Some("Room".to_owned()),
            subject: Some("Tea & cake".to_owned()),
            conf_uris: BTreeMap::from([("sip:room@chat.example.com".to_owned(), uri("participation"))]),
            service_uris: BTreeMap::from([("https://chat.example.com/room".to_owned(), uri("web-page"))]),
            maximum_user_count: Some(100),
            available_media: BTreeMap::from([(
                "1".to_owned(),
                AvailableMedia {
                    display_text: None,
                    media_type: "message".to_owned(),
                    status: Some(MediaStatus::SendReceive),
                },
            )]),
            ..Description::default()
        },
        host: None,
        state: ConferenceState { user_count: Some(2), active: Some(true), locked: Some(false) },
        users: BTreeMap::from([
            ("sip:alice@example.com".to_owned(), user("Alice", Some("Wonder \"Land\""))),
            ("sip:bob@example.com".to_owned(), user("Bob", None)),
        ]),
    }
}

/// A user with one endpoint, who called in.
pub(crate) fn user(name: &str, nickname: Option<&str>) -> User {
    let endpoint = Endpoint {
        status: Some(EndpointStatus::Connected),
        joining_method: Some(JoiningMethod::DialedIn),
        joining_info: Some(Execution { when: Some(date_time(1_110_000_000)), reason: None, by: None }),
        media: BTreeMap::from([(
            "1".to_owned(),
            Media {
                media_type: Some("message".to_owned()),
                label: Some("1".to_owned()),
                status: Some(MediaStatus::SendReceive),
                ..Media::default()
            },
        )]),
        ..Endpoint::default()
    };
    User {
        display_text: Some(name.to_owned()),
        roles: vec!["participant".to_owned()],
        nickname: nickname.map(str::to_owned),
        endpoints: BTreeMap::from([("1".to_owned(), endpoint)]),
        ..User::default()
    }
}

/// A document of a rendering, an element a line; it is valid.
pub(crate) fn shown(rendering: &Rendering, version: u32) -> String {
    shown_for(rendering, version, None)
}

/// A document of a rendering for a user.
pub(crate) fn shown_for(rendering: &Rendering, version: u32, own: Option<&str>) -> String {
    let octets = rendering.document_for(version, own);
    assert_valid(rendering.content_type(), std::slice::from_ref(&octets));
    let text = String::from_utf8(octets).unwrap();
    let body = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("a declaration");
    body.replace(NAMESPACES, "NS").replace("><", ">\n<")
}

/// The expected text, an element a line, with `NS` for the declarations of the namespaces.
pub(crate) fn lines(text: &str) -> String {
    text.trim().lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

pub(crate) const NAMESPACES: &str = "xmlns=\"urn:ietf:params:xml:ns:conference-info\" \
    xmlns:xcon=\"urn:ietf:params:xml:ns:xcon-conference-info\"";

pub(crate) fn document(octets: &[u8]) -> read::Document {
    read::document(octets, &Limits::default()).unwrap()
}

pub(crate) fn diff(octets: &[u8]) -> read::Diff {
    read::diff(octets, &Limits::default()).unwrap()
}

/// Has xmllint hold documents against the schema of their type. Where xmllint is missing this fails: scripts/setup-test.sh
/// installs it.
pub(crate) fn assert_valid(content_type: &str, documents: &[Vec<u8>]) {
    let (option, schema) = match content_type {
        CONFERENCE_INFO => ("--schema", "conference-info.xsd"),
        XCON_CONFERENCE_INFO => ("--relaxng", "xcon-conference-info.rng"),
        _ => ("--schema", "xcon-conference-info-diff.xsd"),
    };
    let problems = xmllint(option, schema, documents);
    assert!(problems.is_empty(), "{content_type}: {problems}");
}

/// What xmllint finds wrong with documents.
pub(crate) fn xmllint(option: &str, schema: &str, documents: &[Vec<u8>]) -> String {
    let schema: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/schemas", schema].iter().collect();
    let mut command = Command::new("xmllint");
    command.args(["--nonet", "--noout", option]).arg(schema);
    // One comes by a pipe, many by files of their own directory.
    let directory = Directory::new();
    if let [_] = documents {
        command.arg("-");
    } else {
        for (number, document) in documents.iter().enumerate() {
            let path = directory.0.join(format!("{number}.xml"));
            std::fs::write(&path, document).unwrap();
            command.arg(path);
        }
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("xmllint (Debian: libxml2-utils): {error}"));
    let mut stdin = child.stdin.take().unwrap();
    if let [document] = documents {
        stdin.write_all(document).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    if output.status.success() { String::new() } else { String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// A directory for as long as it is needed.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let thread = format!("{:?}", std::thread::current().id());
        let name = format!("xmllint-{}-{thread}", std::process::id()).replace(['(', ')'], "");
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
