//! A peer's description to its media lines.

use sdp_types::{Connection, Media, ParserError, Session};

use super::{Direction, Line, MAX_ENTRIES, MAX_ENTRY, MAX_LINES, MAX_OCTETS, MessageMedia, Offer, SdpError, Setup};
use crate::uri::{Path, UriError};

/// The attributes that are looked at.
const ATTRIBUTES: [&str; 13] = [
    "path",
    "accept-types",
    "accept-wrapped-types",
    "max-size",
    "setup",
    "chatroom",
    "msrp-cema",
    "fingerprint",
    "file-selector",
    "sendrecv",
    "sendonly",
    "recvonly",
    "inactive",
];

/// Always found in `accept-types`, however many entries stand before them.
const KNOWN_TYPES: [&str; 4] = ["message/cpim", "message/*", "text/plain", "*"];
/// Likewise in `chatroom`.
const KNOWN_TOKENS: [&str; 3] = ["nickname", "nicknames", "private-messages"];
const MAX_FINGERPRINTS: usize = 8;

pub(super) fn description(octets: &[u8]) -> Result<Offer, SdpError> {
    if octets.len() > MAX_OCTETS {
        return Err(SdpError::TooLong);
    }
    let (sifted, origin) = sift(octets)?;
    let session = Session::parse(&sifted).map_err(syntax)?;
    let lines = session.medias.iter().enumerate().map(|(nth, media)| line(nth, media, &session)).collect();
    Ok(Offer { origin, times: session.times, lines })
}

fn syntax(error: ParserError) -> SdpError {
    SdpError::Syntax(error.to_string())
}

/// Keeps the lines that are used here, and the value of the o= line as it is. What a b=, k=, i= or s= line says, and how
/// well, is nothing to this crate.
fn sift(octets: &[u8]) -> Result<(Vec<u8>, String), SdpError> {
    let mut sifted = Vec::with_capacity(octets.len());
    let mut origin = None;
    let mut media_lines = 0;
    for line in octets.split(|b| *b == b'\n') {
        let line = line.trim_ascii_end();
        let (kind, value) = match line {
            [] => continue,
            [kind, b'=', value @ ..] if kind.is_ascii_alphabetic() => (*kind, value),
            _ => return Err(SdpError::Syntax("a line without a type".to_owned())),
        };
        let keep = match kind {
            b'v' | b't' | b'c' => true,
            b'm' => {
                media_lines += 1;
                true
            }
            b'a' => is_known(value),
            b'o' => {
                origin.get_or_insert_with(|| String::from_utf8_lossy(value).into_owned());
                false
            }
            _ => false,
        };
        if media_lines > MAX_LINES {
            return Err(SdpError::TooManyLines);
        }
        if keep {
            sifted.extend_from_slice(line);
            sifted.extend_from_slice(b"\r\n");
        }
    }
    Ok((sifted, origin.unwrap_or_default()))
}

fn is_known(attribute: &[u8]) -> bool {
    let name = attribute.split(|b| *b == b':').next().unwrap_or(attribute);
    ATTRIBUTES.iter().any(|known| known.as_bytes() == name)
}

fn line(nth: usize, media: &Media, session: &Session) -> Line {
    Line {
        media: media.media.clone(),
        proto: media.proto.clone(),
        format: media.fmt.clone(),
        message: message(nth, media, session),
    }
}

fn message(line: usize, media: &Media, session: &Session) -> Result<MessageMedia, SdpError> {
    let secure = match media.proto.to_ascii_uppercase().as_str() {
        "TCP/MSRP" => false,
        "TCP/TLS/MSRP" => true,
        _ => return Err(SdpError::NoMessageLine),
    };
    if !media.media.eq_ignore_ascii_case("message") {
        return Err(SdpError::NoMessageLine);
    }
    if media.port == 0 {
        return Err(SdpError::PortZero);
    }
    let path = path(media, secure)?;
    let accept_types = types(media, "accept-types");
    if accept_types.is_empty() {
        return Err(SdpError::NoAcceptTypes);
    }
    let setup = first(media, "setup").or_else(|| first_of_session(session, "setup"));
    let fingerprints = values(media, "fingerprint").chain(values_of_session(session, "fingerprint"));
    Ok(MessageMedia {
        line,
        secure,
        path,
        accept_types,
        accept_wrapped_types: types(media, "accept-wrapped-types"),
        max_size: first(media, "max-size").and_then(size),
        setup: setup.and_then(role),
        chatroom: chatroom(media),
        cema: first(media, "msrp-cema").is_some(),
        direction: direction(media, session),
        fingerprints: fingerprints.take(MAX_FINGERPRINTS).map(str::to_owned).collect(),
        file_selector: first(media, "file-selector").map(str::to_owned),
        address: media.connections.first().or(session.connection.as_ref()).map(address),
        port: media.port,
    })
}

/// The scheme must fit the protocol, unless the path is that of a relay, beyond which another protection may hold.
fn path(media: &Media, secure: bool) -> Result<Path, SdpError> {
    let text = first(media, "path").ok_or(SdpError::NoPath)?;
    let path = Path::parse(text).map_err(|fault| match fault {
        UriError::Hops if text.is_empty() => SdpError::NoPath,
        fault => SdpError::Path(fault),
    })?;
    if !path.iter().all(|uri| uri.port().is_some_and(|port| port != 0)) {
        return Err(SdpError::NoPort);
    }
    if path.len() == 1 && path.first().secure() != secure {
        return Err(SdpError::Security);
    }
    Ok(path)
}

fn types(media: &Media, attribute: &str) -> Vec<String> {
    let entries = values(media, attribute).flat_map(entries).map(without_parameters);
    kept(entries.filter(|entry| is_type(entry)), &KNOWN_TYPES)
}

fn chatroom(media: &Media) -> Option<Vec<String>> {
    first(media, "chatroom")?;
    let tokens = values(media, "chatroom").flat_map(|value| value.split(' ')).map(str::trim);
    Some(kept(tokens.filter(|token| is_token(token)), &KNOWN_TOKENS))
}

/// Each entry once, and no more than are wanted.
fn kept<'a>(entries: impl Iterator<Item = &'a str>, known: &[&str]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for entry in entries {
        let room = kept.len() < MAX_ENTRIES || known.iter().any(|known| known.eq_ignore_ascii_case(entry));
        if room && entry.len() <= MAX_ENTRY && !kept.iter().any(|old| old.eq_ignore_ascii_case(entry)) {
            kept.push(entry.to_owned());
        }
    }
    kept
}

/// The parts between spaces, but for those inside a quoted parameter (RFC 4975 §8.6). A quote that is not closed reaches
/// to the end.
fn entries(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    list.split(move |c: char| {
        let splits = c == ' ' && !quoted;
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        splits
    })
    .filter(|entry| !entry.is_empty())
}

fn without_parameters(entry: &str) -> &str {
    entry.split(';').next().unwrap_or(entry).trim()
}

/// `*`, `type/*` or `type/subtype`
fn is_type(entry: &str) -> bool {
    entry == "*" || entry.split_once('/').is_some_and(|(family, subtype)| is_token(family) && is_token(subtype))
}

/// The token of RFC 8866 §9.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&b))
}

/// A number too large to be held says the same as the largest.
fn size(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn role(text: &str) -> Option<Setup> {
    [Setup::Active, Setup::Passive, Setup::Actpass].into_iter().find(|setup| setup.as_str().eq_ignore_ascii_case(text))
}

/// That of the media line goes before that of the session (RFC 8866 §6.7).
fn direction(media: &Media, session: &Session) -> Direction {
    let known = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let of = |name: &str| known.into_iter().find(|direction| direction.as_str() == name);
    let mut all = media.attributes.iter().chain(&session.attributes);
    all.find_map(|attribute| of(&attribute.attribute)).unwrap_or_default()
}

/// Without the time to live of a multicast address, which makes no sense here.
fn address(connection: &Connection) -> String {
    let text = connection.connection_address.as_str();
    text.split('/').next().unwrap_or(text).to_owned()
}

fn first<'a>(media: &'a Media, name: &'a str) -> Option<&'a str> {
    values(media, name).next()
}

fn first_of_session<'a>(session: &'a Session, name: &'a str) -> Option<&'a str> {
    values_of_session(session, name).next()
}

fn values<'a>(media: &'a Media, name: &'a str) -> impl Iterator<Item = &'a str> {
    named(&media.attributes, name)
}

fn values_of_session<'a>(session: &'a Session, name: &'a str) -> impl Iterator<Item = &'a str> {
    named(&session.attributes, name)
}

fn named<'a>(attributes: &'a [sdp_types::Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    let of_name = attributes.iter().filter(move |attribute| attribute.attribute == name);
    of_name.map(|attribute| attribute.value.as_deref().unwrap_or("").trim())
}
