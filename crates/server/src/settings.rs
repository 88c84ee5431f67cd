//! From what the operator says to what the cores are told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use focus::Rate;
use focus::desk::{Ha1s, Standing};
use focus::room::Address;
use focus::settings::{self, Definition, Epoch, Media, Settings, SipAddress};
use focus::signalling::Account;
use focus::sip::Transport;
use focus::sip::auth::{Algorithm, ha1};

use crate::config::{self, Advertised, Auth, Config, Listener, Protocol, Secret, User, literal};

/// What a node with this configuration is told, listening where it now does.
pub(crate) fn settings(config: &Config, sip: &[Listener], msrp: &[Listener], workers: u8) -> Settings {
    let sip_places = config.sip.advertise.places(sip);
    let media = config.msrp.advertise.places(msrp);
    let first =
        |protocol| media.iter().find(|place| place.protocol == protocol).map(|place| (place.host.clone(), place.port));
    let definition = |room: &config::Room| Definition {
        name: room.name.clone(),
        subject: room.subject.clone(),
        policy: room.policy.clone(),
        standing: standing(config, room),
    };
    Settings {
        domain: config.domain.clone(),
        hosts: hosts(sip, &sip_places),
        product: concat!("tertulia/", env!("CARGO_PKG_VERSION")).to_owned(),
        auth: match &config.auth {
            Auth::Open => settings::Auth::Open,
            Auth::Digest { realm, md5 } => settings::Auth::Digest { realm: realm.clone(), md5: *md5 },
        },
        rooms: settings::Rooms {
            create: match config.create {
                config::Create::Users => settings::Create::Users,
                config::Create::Nobody => settings::Create::Nobody,
            },
            defaults: config.defaults.clone(),
            factory: config.factory.clone(),
            permanent: config.rooms.iter().map(definition).collect(),
        },
        media: Media { tcp: first(Protocol::Tcp), tls: first(Protocol::Tls) },
        sip: sip_places.iter().filter_map(sip_address).collect(),
        outbound: config.outbound.clone(),
        trusted_peers: config.trusted_peers.clone(),
        outbound_proxy: config.outbound_proxy.clone(),
        peers: None,
        owner: None,
        max_message: config.max_message,
        message_rate: config.message_rate.map(a_second),
        join_rate: config.join_rate.map(a_second),
        workers,
        epoch: epoch(),
    }
}

/// The hosts by which this server is called, beside its domain.
fn hosts(sip: &[Listener], advertised: &[Advertised]) -> Vec<String> {
    let listening = sip.iter().map(|listener| listener.address).filter(|address| !address.ip().is_unspecified());
    let hosts = listening.map(|address: SocketAddr| literal(address.ip()));
    let hosts = hosts.chain(advertised.iter().map(|place| place.host.clone())).chain(["localhost".to_owned()]);
    hosts.collect::<BTreeSet<_>>().into_iter().collect()
}

fn sip_address(place: &Advertised) -> Option<SipAddress> {
    let transport = match place.protocol {
        Protocol::Udp => Transport::Udp,
        Protocol::Tcp => Transport::Tcp,
        Protocol::Tls => Transport::Tls,
        Protocol::Http | Protocol::Https => return None,
    };
    Some(SipAddress { transport, host: place.host.clone(), port: place.port })
}

/// What the file says of who is what in a room.
pub(crate) fn standing(config: &Config, room: &config::Room) -> Standing {
    let uri = Address::parse(&format!("sip:{}@{}", room.name, config.domain));
    let password = room.password.as_ref().zip(uri.ok()).map(|(secret, uri)| room_password(&uri, secret));
    let moderators = room.moderators.iter().cloned().collect();
    Standing { moderators, members: room.members.clone(), hidden: room.hidden, password, ..Standing::default() }
}

/// What is kept of a room's password. It proves to know it in this room alone.
pub(crate) fn room_password(uri: &Address, secret: &Secret) -> Ha1s {
    let (sha256, md5) = hashed(uri.user(), uri.as_str(), secret);
    Ha1s { sha256, md5 }
}

fn a_second(count: u32) -> Rate {
    Rate { count, per: Duration::from_secs(1) }
}

fn epoch() -> Epoch {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Epoch { instant: Instant::now(), unix }
}

/// Who can log in, by the digest's user name. Passwords are forgotten here: what is kept proves a user to this realm only.
pub(crate) fn accounts(config: &Config) -> BTreeMap<String, Account> {
    let Auth::Digest { realm, .. } = &config.auth else { return BTreeMap::new() };
    config.users.iter().map(|user| (user.name.clone(), account(user, realm))).collect()
}

fn account(user: &User, realm: &str) -> Account {
    let hashed = user.secret.as_ref().map(|secret| hashed(&user.name, realm, secret));
    let (sha256, md5) = hashed.unwrap_or_default();
    Account { uri: user.uri.clone(), aliases: user.aliases.clone(), sha256, md5 }
}

/// The HA1 by SHA-256 and by MD5.
fn hashed(user: &str, realm: &str, secret: &Secret) -> (Option<String>, Option<String>) {
    match secret {
        Secret::Password(password) => {
            let of = |algorithm| Some(ha1(algorithm, user, realm, password));
            (of(Algorithm::Sha256), of(Algorithm::Md5))
        }
        Secret::Ha1 { sha256, md5 } => (sha256.clone(), md5.clone()),
    }
}
