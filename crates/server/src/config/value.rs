//! The small notations of the file: listeners, sizes, spans of time, rates, names.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Advertised, Listener, Protocol};

/// `scheme://address:port` with a literal address.
pub(crate) fn listener(text: &str) -> Option<Listener> {
    let (scheme, address) = text.split_once("://")?;
    Some(Listener { protocol: protocol(scheme)?, address: address.parse::<SocketAddr>().ok()? })
}

/// `scheme://host:port` with a name or a literal address.
pub(crate) fn advertised(text: &str) -> Option<Advertised> {
    let (scheme, place) = text.split_once("://")?;
    let (name, port) = place.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    Some(Advertised { protocol: protocol(scheme)?, host: host(name)?, port })
}

/// A DNS name or a literal address, an IPv6 one in brackets.
pub(crate) fn host(text: &str) -> Option<String> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().ok().map(|_| text.to_ascii_lowercase()),
        None => is_name(text).then(|| text.to_ascii_lowercase()),
    }
}

fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn protocol(scheme: &str) -> Option<Protocol> {
    match scheme {
        "udp" => Some(Protocol::Udp),
        "tcp" => Some(Protocol::Tcp),
        "tls" => Some(Protocol::Tls),
        "http" => Some(Protocol::Http),
        "https" => Some(Protocol::Https),
        _ => None,
    }
}

/// Octets: a number with B, KiB, MiB or GiB behind it.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text)?;
    let factor = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A span of time: a number with ms, s, m or h behind it.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_number(text)?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

/// A size as [`size`] reads it, in the largest unit that gives a whole number.
pub(crate) fn written_size(octets: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fits = |(factor, _): &&(u64, &str)| octets > 0 && octets.is_multiple_of(*factor);
    let (factor, unit) = units.iter().find(fits).unwrap_or(&(1, "B"));
    format!("{}{unit}", octets / factor)
}

/// A span of time as [`duration`] reads it, in the largest unit that gives a whole number; what is below 1 ms is left out.
pub(crate) fn written_duration(span: Duration) -> String {
    let millis = span.as_millis();
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s")];
    match units.iter().find(|(factor, _)| millis.is_multiple_of(*factor)) {
        Some(_) if millis == 0 => "0s".to_owned(),
        Some((factor, unit)) => format!("{}{unit}", millis / factor),
        None => format!("{millis}ms"),
    }
}

/// So many a second, "100/s", never none.
pub(crate) fn rate(text: &str) -> Option<u32> {
    let (number, rest) = split_number(text.strip_suffix("/s")?)?;
    u32::try_from(number).ok().filter(|number| *number > 0 && rest.is_empty())
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|octet| !octet.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit))
}

/// `*`, `type/*` or `type/subtype` (RFC 4975 §8.6).
pub(crate) fn media_type(text: &str) -> Option<String> {
    let is_token = |token: &str| {
        let is_token_octet = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
        !token.is_empty() && token.bytes().all(is_token_octet)
    };
    let fits = text == "*" || text.split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
    (fits && text.len() <= 127).then(|| text.to_ascii_lowercase())
}

/// The user part of a SIP URI, in the characters that need no escape there (RFC 3261 §25.1).
pub(crate) fn user_part(text: &str) -> Option<String> {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.!~*'()&=+$".contains(&octet);
    (!text.is_empty() && text.len() <= 128 && text.bytes().all(is_plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("100MiB"), Some(100 << 20));
        assert_eq!(size("7B"), Some(7));
        for wrong in ["100", "MiB", "", "-1B", "1.5MiB", "100 MiB", "18446744073709551615KiB", "1MB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spans_of_time() {
        assert_eq!(duration("540s"), duration("9m"));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("18446744073709551615h"), None);
        assert_eq!(duration("1d"), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["0B", "7B", "2KiB", "100MiB", "1GiB", "1025B"] {
            assert_eq!(size(text).map(written_size).as_deref(), Some(text));
        }
        for text in ["0s", "250ms", "90s", "9m", "24h"] {
            assert_eq!(duration(text).map(written_duration).as_deref(), Some(text));
        }
    }

    #[test]
    fn places() {
        assert_eq!(host("Chat.Example.COM"), Some("chat.example.com".to_owned()));
        assert_eq!(host("[::1]"), Some("[::1]".to_owned()));
        for wrong in ["", "a b", "-a", "::1", "[::1", "a..b", "chat.example.com:5060"] {
            assert_eq!(host(wrong), None, "{wrong}");
        }
        assert_eq!(
            advertised("tcp://chat.example.com:2855"),
            Some(Advertised { protocol: Protocol::Tcp, host: "chat.example.com".to_owned(), port: 2855 })
        );
        assert_eq!(advertised("tcp://chat.example.com:0"), None);
        assert_eq!(advertised("chat.example.com:2855"), None);
    }

    #[test]
    fn rates() {
        assert_eq!(rate("100/s"), Some(100));
        for wrong in ["100", "0/s", "fast/s", "100/m", "4294967296/s", "1.5/s"] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
    }
}
