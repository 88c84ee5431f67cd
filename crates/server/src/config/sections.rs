//! The sections of the file but the rooms' and the users': which keys there are, and what each may say.

use std::path::PathBuf;

use focus::sip::typed::Uri;
use toml::de::DeValue;

use super::reader::{Entry, Section, Source};
use super::{Advertise, Auth, CertificateFiles, Config, Listener, Protocol, Service, network, rooms, users, value};

/// The whole file. What is wrong keeps its default, and a complaint stands in the source.
pub(super) fn read<'t>(source: &mut Source<'t>, root: &mut Section<'t>) -> Config {
    let mut config = Config::of_an_empty_file();
    if let Some(domain) = root.parse(source, "domain", "a host name like \"chat.example.com\"", host) {
        config.domain = domain;
    }
    if let Some(directory) = root.parse(source, "data_dir", "a path like \"tertulia-data\"", text) {
        config.data_dir = directory.into();
    }
    sip(source, root, &mut config);
    msrp(source, root, &mut config);
    http(source, root, &mut config);
    tls(source, root, &mut config);
    store(source, root, &mut config);
    auth(source, root, &mut config);
    limits(source, root, &mut config);
    if beyond_loopback(&config).is_some() {
        config.outbound = network::without_this_machine(&config.outbound);
    }
    users::read(source, root, &mut config);
    rooms::read(source, root, &mut config);
    config
}

fn sip<'t>(source: &mut Source<'t>, root: &mut Section<'t>, config: &mut Config) {
    let mut section = root.section(source, "sip");
    service(source, &mut section, SIP, &mut config.sip);
    const NETWORKS: &str = "networks like [\"203.0.113.0/24\", \"2001:db8::/32\"]";
    if let Some(entry) = section.take("outbound_networks") {
        config.outbound = entry.parse_each(source, NETWORKS, network::network).unwrap_or_default();
    }
    if let Some(entry) = section.take("trusted_peers") {
        config.trusted_peers = entry.parse_each(source, NETWORKS, network::network).unwrap_or_default();
    }
    const PROXY: &str = "a SIP URI like \"sip:proxy.example.com;transport=tcp\"";
    config.outbound_proxy = section.parse(source, "outbound_proxy", PROXY, proxy);
    section.finish(source);
}

/// Over TLS no request goes out yet: nobody could say whose certificates are to be trusted.
fn proxy(value: &DeValue<'_>) -> Option<Uri> {
    let uri = Uri::parse(value.as_str()?).ok().filter(|uri| uri.is_sip() && !uri.is_sips() && !uri.has_headers())?;
    let transport =
        uri.param("transport").map(|token| ["udp", "tcp"].iter().any(|known| token.eq_ignore_ascii_case(known)));
    transport.unwrap_or(true).then_some(uri)
}

fn msrp<'t>(source: &mut Source<'t>, root: &mut Section<'t>, config: &mut Config) {
    let mut section = root.section(source, "msrp");
    service(source, &mut section, MSRP, &mut config.msrp);
    let size =
        |value: &DeValue<'_>| value.as_str().and_then(value::size).filter(|size| (1 << 10..=1 << 40).contains(size));
    if let Some(size) = section.parse(source, "max_message", "a size from \"1KiB\" to \"1024GiB\"", size) {
        config.max_message = size;
    }
    section.not_yet(source, &["relay", "idle"]);
    section.finish(source);
}

/// What differs between the two services that listen and advertise.
struct Kind {
    protocols: &'static [Protocol],
    listen: &'static str,
    advertise: &'static str,
}

const SIP: Kind = Kind {
    protocols: &[Protocol::Udp, Protocol::Tcp, Protocol::Tls],
    listen: "listeners with literal addresses like [\"udp://127.0.0.1:5060\", \"tcp://127.0.0.1:5060\", \"tls://[::1]:5061\"]",
    advertise: "a host like \"chat.example.com\", or places like [\"udp://chat.example.com:5060\"]",
};

const MSRP: Kind = Kind {
    protocols: &[Protocol::Tcp, Protocol::Tls],
    listen: "listeners with literal addresses like [\"tcp://127.0.0.1:2855\", \"tls://[::1]:2856\"]",
    advertise: "a host like \"chat.example.com\", or places like [\"tcp://chat.example.com:2855\"]",
};

fn service<'t>(source: &mut Source<'t>, section: &mut Section<'t>, kind: Kind, service: &mut Service) {
    let listen = section.take("listen");
    let advertise = section.take("advertise");
    if let Some(entry) = &listen {
        let parse = |text: &str| value::listener(text).filter(|listener| kind.protocols.contains(&listener.protocol));
        match entry.parse_each(source, kind.listen, parse) {
            Some(listeners) if listeners.is_empty() => entry.wrong(source, kind.listen),
            Some(listeners) => service.listen = listeners,
            None => {}
        }
    }
    if let Some(entry) = &advertise
        && let Some(advertise) = parse_advertise(source, entry, &kind)
    {
        service.advertise = advertise;
    }
    if let Some(entry) = &listen
        && advertise.is_none()
        && let Some(everywhere) = service.listen.iter().find(|listener| listener.address.ip().is_unspecified())
    {
        let text = format!(
            "{everywhere} listens everywhere; right would be to say in {} where clients reach it: {}",
            section.key("advertise"),
            kind.advertise
        );
        source.complain(entry.line, &entry.key, text);
    }
}

fn parse_advertise<'t>(source: &mut Source<'t>, entry: &Entry<'t>, kind: &Kind) -> Option<Advertise> {
    if entry.value.get_ref().is_array() {
        let parse = |text: &str| value::advertised(text).filter(|place| kind.protocols.contains(&place.protocol));
        return entry.parse_each(source, kind.advertise, parse).map(Advertise::Places);
    }
    entry.parse(source, kind.advertise, host).map(Advertise::Host)
}

fn http<'t>(source: &mut Source<'t>, root: &mut Section<'t>, config: &mut Config) {
    const RIGHT: &str = "listeners with literal addresses like [\"http://127.0.0.1:8080\"]";
    let mut section = root.section(source, "http");
    if let Some(entry) = section.take("listen") {
        let parse = |text: &str| {
            value::listener(text).filter(|listener| matches!(listener.protocol, Protocol::Http | Protocol::Https))
        };
        let listeners = entry.parse_each(source, RIGHT, parse).unwrap_or_default();
        if let Some(secure) = listeners.iter().find(|listener| listener.protocol == Protocol::Https) {
            let text = format!("\"{secure}\" is not carried out yet; right would be {RIGHT}");
            source.complain(entry.line, &entry.key, text);
        }
        config.http = listeners.into_iter().map(|listener| listener.address).collect();
    }
    section.finish(source);
}

fn tls<'t>(source: &mut Source<'t>, root: &mut Section<'t>, config: &mut Config) {
    let mut section = root.section(source, "tls");
    let certificate = section.parse(source, "certificate", "the path of a PEM file", text);
    let key = section.parse(source, "key", "the path of a PEM file", text);
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            config.tls = Some(CertificateFiles { certificate: certificate.into(), key: key.into() });
        }
        (None, None) => {}
        (Some(_), None) => source.complain(
            section.line(),
            &section.key("key"),
            "missing beside certificate; right would be the path of its key, a PEM file",
        ),
        (None, Some(_)) => source.complain(
            section.line(),
            &section.key("certificate"),
            "missing beside key; right would be the path of its certificate, a PEM file",
        ),
    }
    section.finish(source);
}

fn store<'t>(source: &mut Source<'t>, root: &mut Section<'t>, config: &mut Config) {
    const RIGHT: &str = "\"sqlite:FILE\", like \"sqlite:tertulia.db\"";
    let mut section = root.section(source, "store");
    if let Some(entry) = section.take("url") {
        let is_postgres = |url: &str| url.starts_with("postgres:") || url.starts_with("postgresql:");
        if entry.value.get_ref().as_str().is_some_and(is_postgres) {
            // Not shown whole: such a URL holds a password.
            let text = format!("\"postgres:…\" is not carried out yet; right would be {RIGHT}");
            source.complain(entry.line, &entry.key, text);
        } else if let Some(file) = entry.parse(source, RIGHT, sqlite_file) {
            config.store = file;
        }
    }
    section.finish(source);
}

/// A file by name: neither what SQLite keeps in memory, nor with parameters, which are not carried out.
fn sqlite_file(value: &DeValue<'_>) -> Option<PathBuf> {
    let file = value.as_str()?.strip_prefix("sqlite:")?;
    let file = file.strip_prefix("//").unwrap_or(file);
    let fits = !file.is_empty() && !file.starts_with(':') && !file.contains(['?', '\0']);
    fits.then(|| file.into())
}

fn auth<'t>(source: &mut Source<'t>, root: &mut Section<'t>, config: &mut Config) {
    let mut section = root.section(source, "auth");
    let mode = section.take("mode");
    let is_open = mode.as_ref().and_then(|entry| {
        entry.parse(source, "\"digest\" or \"open\"", |value| match value.as_str()? {
            "digest" => Some(false),
            "open" => Some(true),
            _ => None,
        })
    });
    let realm = section.parse(
        source,
        "realm",
        "a text like \"chat.example.com\" without quotes and control characters",
        |value| text(value).filter(|realm| !realm.contains(['"', '\\']) && !realm.chars().any(char::is_control)),
    );
    let md5 = section.bool(source, "md5").unwrap_or(true);
    section.finish(source);
    config.realm = realm.unwrap_or_else(|| config.domain.clone());
    config.auth = Auth::Digest { realm: config.realm.clone(), md5 };
    if let (Some(entry), Some(true)) = (mode, is_open) {
        config.auth = Auth::Open;
        if let Some(listener) = beyond_loopback(config) {
            let text = format!(
                "\"open\" lets everybody be anybody and is refused because {listener} is not loopback; right would be \"digest\""
            );
            source.complain(entry.line, &entry.key, text);
        }
    }
}

/// The first listener that others than this machine reach.
fn beyond_loopback(config: &Config) -> Option<Listener> {
    let http = config.http.iter().map(|address| Listener { protocol: Protocol::Http, address: *address });
    let listeners = config.sip.listen.iter().chain(&config.msrp.listen).copied().chain(http);
    listeners.into_iter().find(|listener| !listener.address.ip().to_canonical().is_loopback())
}

fn limits<'t>(source: &mut Source<'t>, root: &mut Section<'t>, config: &mut Config) {
    let mut section = root.section(source, "limits");
    let rate = |value: &DeValue<'_>| match value.as_str()? {
        "unlimited" => Some(None),
        text => value::rate(text).map(Some),
    };
    for (key, limit, right) in [
        ("message_rate", &mut config.message_rate, "\"unlimited\" or a rate like \"100/s\""),
        ("join_rate", &mut config.join_rate, "\"unlimited\" or a rate like \"50/s\""),
    ] {
        *limit = section.parse(source, key, right, rate).unwrap_or(*limit);
    }
    section.finish(source);
}

/// A text that says something.
pub(super) fn text(value: &DeValue<'_>) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn host(value: &DeValue<'_>) -> Option<String> {
    value.as_str().and_then(value::host)
}
