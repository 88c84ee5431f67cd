//! Files beside what they say, and wrong files beside what is told about them.

use std::time::Duration;

use focus::room::{Confusables, NicknameScope};
use focus::settings::Invitations;

use super::*;

fn problems(text: &str) -> Vec<String> {
    Config::parse(text).expect_err(text).iter().map(ToString::to_string).collect()
}

// CONFORMANCE 4975-032
#[test]
fn an_empty_file_is_the_contract_s_defaults_with_digest() {
    let config = Config::parse("").unwrap();
    assert_eq!(config.auth, Auth::Digest { realm: "localhost".to_owned(), md5: true });
    assert_eq!(
        config.sip.listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["udp://127.0.0.1:5060", "tcp://127.0.0.1:5060", "tls://127.0.0.1:5061"]
    );
    assert_eq!(
        config.msrp.listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["tcp://127.0.0.1:2855", "tls://127.0.0.1:2856"]
    );
    assert_eq!(config.http, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(config.max_message, 104_857_600);
    assert!(config.rooms.is_empty());
}

#[test]
fn without_a_file_everybody_finds_the_lobby() {
    let config = Config::embedded();
    assert_eq!(config.auth, Auth::Open);
    assert_eq!(config.rooms[0].name, "lobby");
    assert_eq!(config.rooms[0].policy.room.delete_when, DeleteWhen::Never);
    assert!(config.sip.listen.iter().all(|listener| listener.address.ip().is_loopback()));
}

#[test]
fn a_whole_file() {
    let config = Config::parse(WHOLE).unwrap();
    assert_eq!(config.domain, "chat.example.com");
    assert_eq!(config.data_dir, PathBuf::from("/var/lib/tertulia"));
    assert_eq!(config.sip.advertise, Advertise::Host("chat.example.com".to_owned()));
    let place = Advertised { protocol: Protocol::Tls, host: "media.example.com".to_owned(), port: 443 };
    assert_eq!(config.msrp.advertise, Advertise::Places(vec![place]));
    assert_eq!(config.max_message, 1 << 20);
    assert_eq!(config.store, PathBuf::from("/var/lib/rooms.db"));
    assert_eq!(config.auth, Auth::Digest { realm: "example".to_owned(), md5: false });
    assert_eq!(config.users[0].aliases, ["tel:+15551234", "im:alice@chat.example.com"]);
    assert!(config.users[0].secret == Some(Secret::Password("wonder land".to_owned())));
    assert!(config.users[1].secret == Some(Secret::Ha1 { sha256: Some("ab".repeat(32)), md5: None }));
    assert_eq!((config.message_rate, config.join_rate), (None, Some(7)));
    let private = Network { address: "10.0.0.0".parse().unwrap(), prefix: 8 };
    assert_eq!(config.outbound_proxy.as_ref().map(|uri| uri.as_str()), Some("sip:proxy.example.com"));
    assert_eq!(config.outbound, [private], "and this machine is out of reach, as others reach the server");
    assert_eq!(config.create, Create::Nobody);
    let defaults = &config.defaults;
    assert_eq!(
        (defaults.room.delete_when, defaults.room.nickname_scope),
        (DeleteWhen::CreatorLeaves, NicknameScope::Domain)
    );
    assert_eq!(
        (defaults.room.nickname_confusables, &defaults.room.reserved_nicknames[..]),
        (Confusables::Refuse, &["root".to_owned()][..])
    );
    assert_eq!((defaults.room.nickname_quarantine, defaults.grace), (Duration::from_secs(3600), Duration::ZERO));
    assert_eq!(defaults.congested_max, 0);
    assert_eq!((defaults.roster_interval, defaults.roster_full_below), (Duration::ZERO, 20));
    assert!(defaults.roster_over_tls_only);
    let room = &config.rooms[0];
    assert_eq!(room.subject.as_deref(), Some("Tea and talk"));
    assert_eq!(room.moderators, [Address::parse("sip:alice@chat.example.com").unwrap()]);
    assert_eq!((defaults.invitations, room.policy.invitations), (Invitations::Moderators, Invitations::Nobody));
    assert_eq!(config.factory.as_deref(), Some("conference-factory"));
    assert!(!room.policy.room.nicknames && !room.policy.room.private_messages);
    assert_eq!(room.policy.room.delete_when, DeleteWhen::Never);
    assert_eq!(room.policy.room.wrapped_types.iter().collect::<Vec<_>>(), ["text/plain", "image/*"]);
    assert_eq!(room.policy.chunk_timer, Duration::from_secs(60));
    let members: Vec<_> = room.members.iter().flatten().map(Address::as_str).collect();
    assert_eq!((members, room.hidden), (vec!["sip:alice@chat.example.com", "tel:+15551234"], true));
    assert_eq!(room.password, Some(Secret::Password("open sesame".to_owned())));
}

const WHOLE: &str = r#"
domain = "Chat.Example.com"
data_dir = "/var/lib/tertulia"
[sip]
listen = ["udp://0.0.0.0:5060", "tcp://[::]:5060"]
advertise = "chat.example.com"
outbound_networks = ["10.0.0.0/8", "127.0.0.1/32"]
outbound_proxy = "sip:proxy.example.com"
[msrp]
listen = ["tls://0.0.0.0:2856"]
advertise = ["tls://media.example.com:443"]
max_message = "1MiB"
[http]
listen = []
[tls]
certificate = "cert.pem"
key = "key.pem"
[store]
url = "sqlite:///var/lib/rooms.db"
[auth]
mode = "digest"
realm = "example"
md5 = false
[limits]
message_rate = "unlimited"
join_rate = "7/s"
[[users]]
uri = "sip:alice@chat.example.com"
password = "wonder land"
aliases = ["tel:+15551234", "im:alice@chat.example.com"]
[[users]]
uri = "sip:bob@chat.example.com"
ha1 = { sha-256 = "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB" }
[rooms]
create = "nobody"
factory = "conference-factory"
[rooms.defaults]
invitations = "moderators"
nicknames = false
nickname_scope = "domain"
nickname_quarantine = "1h"
nickname_confusables = "refuse"
reserved_nicknames = ["root"]
congested_max_message = "0B"
grace = "0s"
roster_interval = "0s"
roster_full_below = 20
roster_over_tls_only = true
delete_when = "creator_leaves"
trust_undeclared = false
history = 0
[[room]]
name = "lobby"
subject = "Tea and talk"
moderators = ["sip:alice@chat.example.com"]
invitations = "nobody"
private_messages = false
wrapped_types = ["text/plain", "Image/*"]
chunk_timer = "1m"
members = ["sip:alice@chat.example.com", "tel:+1-555-1234"]
password = "open sesame"
hidden = true
"#;

/// A file, and the lines that it gets.
const WRONG: &[(&str, &[&str])] = &[
    ("domain = ", &["line 1: string values must be quoted, expected literal string"]),
    ("a = 1\na = 2", &["line 2: duplicate key"]),
    (
        "domian = \"a\"",
        &[
            "line 1: domian: unknown key; the file may have domain, data_dir, sip, msrp, http, tls, store, auth, limits, users, rooms, room",
        ],
    ),
    ("domain = \"a b\"", &["line 1: domain: \"a b\" is wrong; right would be a host name like \"chat.example.com\""]),
    ("data_dir = 3", &["line 1: data_dir: 3 is wrong; right would be a path like \"tertulia-data\""]),
    ("sip = 3", &["line 1: sip: 3 is wrong; right would be a section, [sip]"]),
    (
        "[sip]\nlisten = [\n  \"udp://127.0.0.1:5060\",\n  \"ws://127.0.0.1:80\",\n]",
        &[
            "line 4: sip.listen: \"ws://127.0.0.1:80\" is wrong; right would be listeners with literal addresses like [\"udp://127.0.0.1:5060\", \"tcp://127.0.0.1:5060\", \"tls://[::1]:5061\"]",
        ],
    ),
    (
        "[sip]\nlisten = [\"udp://localhost:5060\"]",
        &[
            "line 2: sip.listen: \"udp://localhost:5060\" is wrong; right would be listeners with literal addresses like [\"udp://127.0.0.1:5060\", \"tcp://127.0.0.1:5060\", \"tls://[::1]:5061\"]",
        ],
    ),
    (
        "[msrp]\nlisten = []",
        &[
            "line 2: msrp.listen: a list is wrong; right would be listeners with literal addresses like [\"tcp://127.0.0.1:2855\", \"tls://[::1]:2856\"]",
        ],
    ),
    (
        "[msrp]\nlisten = [\"tcp://0.0.0.0:2855\"]",
        &[
            "line 2: msrp.listen: tcp://0.0.0.0:2855 listens everywhere; right would be to say in msrp.advertise where clients reach it: a host like \"chat.example.com\", or places like [\"tcp://chat.example.com:2855\"]",
        ],
    ),
    (
        "[msrp]\nadvertise = \"a:b\"",
        &[
            "line 2: msrp.advertise: \"a:b\" is wrong; right would be a host like \"chat.example.com\", or places like [\"tcp://chat.example.com:2855\"]",
        ],
    ),
    (
        "[msrp]\nmax_message = \"100\"",
        &["line 2: msrp.max_message: \"100\" is wrong; right would be a size from \"1KiB\" to \"1024GiB\""],
    ),
    (
        "[msrp]\nmax_message = \"1B\"",
        &["line 2: msrp.max_message: \"1B\" is wrong; right would be a size from \"1KiB\" to \"1024GiB\""],
    ),
    (
        "[sip]\ntrusted_peers = [\"10.0.0.1\"]\noutbound_proxy = \"x\"\noutbound_networks = [\"10.0.0.0\"]",
        &[
            "line 2: sip.trusted_peers: \"10.0.0.1\" is wrong; right would be networks like [\"203.0.113.0/24\", \"2001:db8::/32\"]",
            "line 3: sip.outbound_proxy: \"x\" is wrong; right would be a SIP URI like \"sip:proxy.example.com;transport=tcp\"",
            "line 4: sip.outbound_networks: \"10.0.0.0\" is wrong; right would be networks like [\"203.0.113.0/24\", \"2001:db8::/32\"]",
        ],
    ),
    (
        "[msrp]\nrelay = \"x\"\nidle = \"5m\"",
        &[
            "line 2: msrp.relay: not carried out yet; right would be to leave it out",
            "line 3: msrp.idle: not carried out yet; right would be to leave it out",
        ],
    ),
    (
        "[sip]\nlisen = []",
        &[
            "line 2: sip.lisen: unknown key; [sip] may have listen, advertise, outbound_networks, trusted_peers, outbound_proxy",
        ],
    ),
    (
        "[http]\nlisten = [\"https://127.0.0.1:443\"]",
        &[
            "line 2: http.listen: \"https://127.0.0.1:443\" is not carried out yet; right would be listeners with literal addresses like [\"http://127.0.0.1:8080\"]",
        ],
    ),
    (
        "[tls]\nkey = \"k.pem\"",
        &["line 1: tls.certificate: missing beside key; right would be the path of its certificate, a PEM file"],
    ),
    (
        "[store]\nurl = \"postgres://tertulia:secret@db.example.com/chat\"",
        &[
            "line 2: store.url: \"postgres:…\" is not carried out yet; right would be \"sqlite:FILE\", like \"sqlite:tertulia.db\"",
        ],
    ),
    (
        "[store]\nurl = \"sqlite::memory:\"",
        &[
            "line 2: store.url: \"sqlite::memory:\" is wrong; right would be \"sqlite:FILE\", like \"sqlite:tertulia.db\"",
        ],
    ),
    (
        "[store]\nurl = \"tertulia.db\"",
        &["line 2: store.url: \"tertulia.db\" is wrong; right would be \"sqlite:FILE\", like \"sqlite:tertulia.db\""],
    ),
    ("[auth]\nmode = \"none\"", &["line 2: auth.mode: \"none\" is wrong; right would be \"digest\" or \"open\""]),
    (
        "[sip]\nlisten = [\"udp://192.0.2.1:5060\"]\n[auth]\nmode = \"open\"",
        &[
            "line 4: auth.mode: \"open\" lets everybody be anybody and is refused because udp://192.0.2.1:5060 is not loopback; right would be \"digest\"",
        ],
    ),
    (
        "[http]\nlisten = [\"http://[::]:80\"]\n[auth]\nmode = \"open\"",
        &[
            "line 4: auth.mode: \"open\" lets everybody be anybody and is refused because http://[::]:80 is not loopback; right would be \"digest\"",
        ],
    ),
    (
        "[limits]\nmessage_rate = \"0/s\"\njoin_rate = \"fast\"",
        &[
            "line 2: limits.message_rate: \"0/s\" is wrong; right would be \"unlimited\" or a rate like \"100/s\"",
            "line 3: limits.join_rate: \"fast\" is wrong; right would be \"unlimited\" or a rate like \"50/s\"",
        ],
    ),
    ("[[users]]\npassword = \"secret\"", &["line 1: users.uri: missing; right would be \"sip:NAME@localhost\""]),
    (
        "[[users]]\nuri = \"sip:alice@localhost\"",
        &["line 1: users.password: missing; right would be a password or an ha1"],
    ),
    (
        "[[users]]\nuri = \"sip:alice@elsewhere.org\"\npassword = \"secret\"",
        &["line 2: users.uri: \"sip:alice@elsewhere.org\" is wrong; right would be \"sip:NAME@localhost\""],
    ),
    (
        "[[users]]\nuri = \"sip:alice@localhost\"\npassword = 12345",
        &["line 3: users.password: not a password; right would be a text that is not empty"],
    ),
    (
        "[[users]]\nuri = \"sip:alice@localhost\"\nha1 = { md5 = \"12\" }",
        &["line 3: users.ha1.md5: not an HA1; right would be 32 hexadecimal digits"],
    ),
    (
        "[[users]]\nuri = \"sip:alice@localhost\"\nha1 = {}",
        &[
            "line 3: users.ha1: has no HA1 that auth would take; right would be { sha-256 = \"64 hexadecimal digits\", md5 = \"32 of them\" }",
        ],
    ),
    (
        "[[users]]\nuri = \"sip:alice@localhost\"\npassword = \"a\"\naliases = [\"alice\"]",
        &[
            "line 4: users.aliases: \"alice\" is wrong; right would be other URIs like [\"tel:+15551234\", \"im:alice@chat.example.com\"]",
        ],
    ),
    (
        "[[users]]\nuri = \"sip:a@localhost\"\npassword = \"a\"\n[[users]]\nuri = \"sip:a@localhost\"\npassword = \"b\"",
        &[
            "line 4: users.uri: \"sip:a@localhost\" belongs to another user already; right would be a URI of this user alone",
        ],
    ),
    ("[rooms]\ncreate = \"all\"", &["line 2: rooms.create: \"all\" is wrong; right would be \"users\" or \"nobody\""]),
    (
        "[rooms]\nfactory = \"a b\"",
        &[
            "line 2: rooms.factory: \"a b\" is wrong; right would be the user part of a URI, like \"conference-factory\"",
        ],
    ),
    (
        "[[users]]\nuri = \"sip:a@localhost\"\npassword = \"a\"\n[rooms]\nfactory = \"a\"",
        &["line 5: rooms.factory: \"sip:a@localhost\" is there already; right would be a name of its own"],
    ),
    (
        "[[users]]\nuri = \"sip:a@localhost\"\npassword = \"a\"\naliases = [\"sip:b@localhost\", \"sip:c@localhost\"]\n\
         [rooms]\nfactory = \"b\"\n[[room]]\nname = \"c\"",
        &[
            "line 6: rooms.factory: \"sip:b@localhost\" is there already; right would be a name of its own",
            "line 8: room.name: \"sip:c@localhost\" is there already; right would be a name of its own",
        ],
    ),
    (
        "[rooms]\nfactory = \"a\"\n[[room]]\nname = \"a\"",
        &["line 4: room.name: \"sip:a@localhost\" is there already; right would be a name of its own"],
    ),
    (
        "[rooms.defaults]\ninvitations = \"all\"",
        &[
            "line 2: rooms.defaults.invitations: \"all\" is wrong; right would be \"participants\", \"moderators\" or \"nobody\"",
        ],
    ),
    (
        "[rooms.defaults]\nnicknames = \"yes\"",
        &["line 2: rooms.defaults.nicknames: \"yes\" is wrong; right would be true or false"],
    ),
    (
        "[rooms.defaults]\nnickname_scope = \"world\"\nnickname_quarantine = \"5d\"\ntrust_undeclared = 1\nhistory = 50",
        &[
            "line 2: rooms.defaults.nickname_scope: \"world\" is wrong; right would be \"room\" or \"domain\"",
            "line 3: rooms.defaults.nickname_quarantine: \"5d\" is wrong; right would be a span of time from \"0s\" to \"24h\"",
            "line 4: rooms.defaults.trust_undeclared: 1 is wrong; right would be true or false",
            "line 5: rooms.defaults.history: 50 is not carried out yet; right would be 0",
        ],
    ),
    (
        "[rooms.defaults]\nnickname_confusables = true\nreserved_nicknames = [\"admin\", \" \"]",
        &[
            "line 2: rooms.defaults.nickname_confusables: true is wrong; right would be \"allow\" or \"refuse\"",
            "line 3: rooms.defaults.reserved_nicknames: \" \" is wrong; right would be at most 1000 nicknames like [\"admin\"]",
        ],
    ),
    ("[rooms.defaults]\nhistory = -1", &["line 2: rooms.defaults.history: -1 is wrong; right would be 0"]),
    (
        "[rooms.defaults]\ncongested_max_message = \"2KB\"\nroster_interval = \"5\"\nroster_full_below = -1\ngrace = \"25h\"",
        &[
            "line 2: rooms.defaults.congested_max_message: \"2KB\" is wrong; right would be a size from \"0B\" to \"1024GiB\"",
            "line 3: rooms.defaults.roster_interval: \"5\" is wrong; right would be a span of time from \"0s\" to \"24h\"",
            "line 4: rooms.defaults.roster_full_below: -1 is wrong; right would be a number of users, like 100",
            "line 5: rooms.defaults.grace: \"25h\" is wrong; right would be a span of time from \"0s\" to \"24h\"",
        ],
    ),
    (
        "[rooms.defaults]\nwrapped_types = [\"text\"]",
        &[
            "line 2: rooms.defaults.wrapped_types: \"text\" is wrong; right would be media types like [\"*\"], [\"text/*\"] or [\"text/plain\", \"text/html\"]",
        ],
    ),
    (
        "[rooms.defaults]\nchunk_timer = \"0s\"\ndelete_when = \"later\"",
        &[
            "line 2: rooms.defaults.chunk_timer: \"0s\" is wrong; right would be a span of time from \"1s\" to \"24h\"",
            "line 3: rooms.defaults.delete_when: \"later\" is wrong; right would be \"empty\", \"creator_leaves\" or \"never\"",
        ],
    ),
    (
        "[[room]]\nsubject = \"x\"",
        &["line 1: room.name: missing; right would be the user part of its URI, like \"lobby\""],
    ),
    (
        "[[room]]\nname = \"a b\"",
        &["line 2: room.name: \"a b\" is wrong; right would be the user part of its URI, like \"lobby\""],
    ),
    (
        "[[room]]\nname = \"a\"\n[[room]]\nname = \"a\"",
        &["line 4: room.name: \"sip:a@localhost\" is there already; right would be a name of its own"],
    ),
    (
        "[[room]]\nname = \"a\"\ndelete_when = \"empty\"",
        &["line 3: room.delete_when: \"empty\" is wrong; right would be \"never\": a room of the file is permanent"],
    ),
    (
        "[[room]]\nname = \"a\"\nmoderators = [\"alice\"]",
        &[
            "line 3: room.moderators: \"alice\" is wrong; right would be URIs of users like [\"sip:alice@chat.example.com\"]",
        ],
    ),
    (
        "[[room]]\nname = \"a\"\nmembers = [\"sip:a@b\", \"alice\", \"sip:localhost\"]\npassword = 12345\nhidden = \"yes\"",
        &[
            "line 3: room.members: \"alice\" is wrong; right would be URIs of users like [\"sip:alice@chat.example.com\"]",
            "line 3: room.members: \"sip:localhost\" is wrong; right would be URIs of users like [\"sip:alice@chat.example.com\"]",
            "line 4: room.password: not a password; right would be a text that is not empty",
            "line 5: room.hidden: \"yes\" is wrong; right would be true or false",
        ],
    ),
    (
        "[[room]]\nname = \"a\"\npassword = \"a\"\npassword_ha1 = { md5 = \"a\" }",
        &["line 4: room.password_ha1: stands beside password; right would be one of the two"],
    ),
    (
        "auth.md5 = false\n[[room]]\nname = \"a\"\npassword_ha1 = { md5 = \"ABABABABABABABABABABABABABABABAB\" }",
        &[
            "line 4: room.password_ha1: has no HA1 that auth would take; right would be { sha-256 = \"64 hexadecimal digits\", md5 = \"32 of them\" }",
        ],
    ),
    ("room = [1]", &["line 1: room: a list is wrong; right would be sections, each [[room]]"]),
];

#[test]
fn wrong_files_are_told_by_line_what_would_be_right() {
    for (text, expected) in WRONG {
        assert_eq!(problems(text), *expected, "{text}");
    }
}

#[test]
fn no_secret_is_shown() {
    let file = "[[users]]\nuri = \"sip:alice@localhost\"\npassword = \"wonderland\"\n\
                [[room]]\nname = \"tea\"\npassword = \"wonderland\"";
    assert!(!format!("{:?}", Config::parse(file).unwrap()).contains("wonderland"));
}

#[test]
fn advertised_places_take_the_ports_that_listeners_got() {
    let bound = [value::listener("tcp://[::1]:4000").unwrap()];
    let place = |host: &str| Advertised { protocol: Protocol::Tcp, host: host.to_owned(), port: 4000 };
    assert_eq!(Advertise::Listening.places(&bound), [place("[::1]")]);
    assert_eq!(Advertise::Host("a.example".to_owned()).places(&bound), [place("a.example")]);
}
