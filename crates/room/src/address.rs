//! Addresses of people and rooms in the one form in which two that mean the same are equal.

use std::fmt::{self, Write};
use std::net::Ipv6Addr;
use std::sync::Arc;

/// The longest text that is read as an address, in octets.
pub const MAX_ADDRESS: usize = 1024;

/// The address of a user or a room, reduced to what identifies it. Cloning is cheap.
///
/// A `sip` or `im` address is its scheme, its user part and its host with the port if one is given (RFC 3261 §19.1.4,
/// RFC 3860 §3.2): the user part counts with its case and with its percent signs resolved where they change nothing,
/// the host without its case and without the dot of the root. URI parameters and headers do not count, since peers
/// address rooms with `;transport=tcp` (RFC 7701 §9.3), and a `sips` address is the `sip` one. A `tel` address is its
/// number without visual separators and with `ext`, `isub` and `phone-context` if they are there (RFC 3966 §4).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: Arc<str>,
    scheme: Scheme,
    /// How many octets the user part has, which stands behind the colon.
    user: usize,
}

/// The kind of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `sip` and `sips`, RFC 3261.
    Sip,
    /// `tel`, RFC 3966.
    Tel,
    /// `im`, RFC 3860.
    Im,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It has more than [`MAX_ADDRESS`] octets, as it stands there or with all escapes that it needs.
    #[error("the address is too long")]
    TooLong,
    /// The scheme is none of those that people have in a room, or there is none.
    #[error("the scheme is not sip, sips, tel or im")]
    Scheme,
    /// The part before the `@` is empty, has a password or is malformed.
    #[error("the user part is malformed")]
    User,
    /// The host is missing or malformed.
    #[error("the host is malformed")]
    Host,
    /// The port is malformed.
    #[error("the port is malformed")]
    Port,
    /// A character stands in it that no URI can have.
    #[error("the address holds a character that it cannot")]
    Character,
    /// A telephone number is malformed, or a local one lacks its context.
    #[error("the telephone number is malformed")]
    Number,
}

impl Address {
    /// Reads a URI.
    ///
    /// # Errors
    ///
    /// See [`AddressError`].
    pub fn parse(uri: &str) -> Result<Self, AddressError> {
        if uri.len() > MAX_ADDRESS {
            return Err(AddressError::TooLong);
        }
        if uri.contains(|character: char| character <= ' ' || "<>\"\u{7f}".contains(character)) {
            return Err(AddressError::Character);
        }
        let (scheme, rest) = uri.split_once(':').ok_or(AddressError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "sip" | "sips" => Self::user_and_host(Scheme::Sip, rest),
            "im" => Self::user_and_host(Scheme::Im, rest),
            "tel" => Self::number(rest),
            _ => Err(AddressError::Scheme),
        }
    }

    /// The kind of address.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user part with its percent signs, or the number; empty where the address is a host alone.
    pub fn user(&self) -> &str {
        let start = self.scheme.prefix().len();
        self.text.get(start..start.saturating_add(self.user)).unwrap_or_default()
    }

    /// The host, with `:port` where the address has one; empty for a `tel` address.
    pub fn host(&self) -> &str {
        if self.scheme == Scheme::Tel {
            return "";
        }
        let start = self.scheme.prefix().len().saturating_add(self.user);
        let rest = self.text.get(start..).unwrap_or_default();
        if self.user == 0 { rest } else { rest.strip_prefix('@').unwrap_or(rest) }
    }

    /// The host without its port.
    pub fn host_without_port(&self) -> &str {
        let host = self.host();
        match host.rsplit_once(':') {
            Some((name, _)) if !host.ends_with(']') => name,
            _ => host,
        }
    }

    /// The one text of all that mean this address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same user at another host, given with its port if it has one. A `tel` address has no host and stays.
    ///
    /// # Errors
    ///
    /// The host is malformed, or the address becomes too long.
    pub fn with_host(&self, host: &str) -> Result<Self, AddressError> {
        if self.scheme == Scheme::Tel {
            return Ok(self.clone());
        }
        Self::assemble(self.scheme, self.user(), host)
    }

    /// Reads `[ user "@" ] host [ ":" port ]` and passes over the parameters and headers behind it.
    fn user_and_host(scheme: Scheme, rest: &str) -> Result<Self, AddressError> {
        let (user, rest) = match rest.split_once('@') {
            Some((_, rest)) if rest.contains('@') => return Err(AddressError::User),
            Some(("", _)) => return Err(AddressError::User),
            Some((user, rest)) => (normal_user(user)?, rest),
            None => (String::new(), rest),
        };
        let host = rest.split([';', '?']).next().unwrap_or_default();
        Self::assemble(scheme, &user, host)
    }

    /// Puts an address together from a user part in its normal form and a host.
    fn assemble(scheme: Scheme, user: &str, host: &str) -> Result<Self, AddressError> {
        let mut text = String::with_capacity(user.len().saturating_add(host.len()).saturating_add(8));
        text.push_str(scheme.prefix());
        text.push_str(user);
        if !user.is_empty() {
            text.push('@');
        }
        push_host(&mut text, host)?;
        if text.len() > MAX_ADDRESS {
            return Err(AddressError::TooLong);
        }
        Ok(Self { text: text.into(), scheme, user: user.len() })
    }

    /// Reads a telephone number with its parameters.
    fn number(rest: &str) -> Result<Self, AddressError> {
        let mut parts = rest.split(';');
        let number = normal_number(parts.next().unwrap_or_default())?;
        let [mut extension, mut subaddress, mut context] = [const { None }; 3];
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.to_ascii_lowercase();
            let (place, value) = match name.to_ascii_lowercase().as_str() {
                "ext" => (&mut extension, without_separators(&value)),
                "isub" => (&mut subaddress, value),
                "phone-context" if value.starts_with('+') => (&mut context, without_separators(&value)),
                "phone-context" => (&mut context, without_root(&value).unwrap_or_default().to_owned()),
                _ => continue,
            };
            if value.is_empty() || place.replace(value).is_some() {
                return Err(AddressError::Number);
            }
        }
        if context.is_none() && !number.starts_with('+') {
            return Err(AddressError::Number);
        }
        let mut text = format!("{}{number}", Scheme::Tel.prefix());
        for (name, value) in [("ext", extension), ("isub", subaddress), ("phone-context", context)] {
            if let Some(value) = value {
                text.extend([";", name, "=", &value]);
            }
        }
        let user = text.len().saturating_sub(Scheme::Tel.prefix().len());
        Ok(Self { text: text.into(), scheme: Scheme::Tel, user })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.text)
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(uri: &str) -> Result<Self, AddressError> {
        Self::parse(uri)
    }
}

impl Scheme {
    /// The scheme with its colon.
    fn prefix(self) -> &'static str {
        match self {
            Self::Sip => "sip:",
            Self::Tel => "tel:",
            Self::Im => "im:",
        }
    }
}

/// The user part with percent signs only where they are needed (RFC 3261 §19.1.4): escaped characters that need none
/// are resolved, all others are escaped in upper case, and text beyond ASCII is escaped.
fn normal_user(user: &str) -> Result<String, AddressError> {
    let mut normal = String::with_capacity(user.len());
    let mut octets = user.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'%' => {
                let value = match (octets.next().and_then(hex), octets.next().and_then(hex)) {
                    (Some(high), Some(low)) => high << 4 | low,
                    _ => return Err(AddressError::User),
                };
                if is_unreserved(value) {
                    normal.push(char::from(value));
                } else {
                    push_escaped(&mut normal, value);
                }
            }
            octet if is_unreserved(octet) || b"&=+$,;?/".contains(&octet) => normal.push(char::from(octet)),
            octet if octet.is_ascii() => return Err(AddressError::User),
            octet => push_escaped(&mut normal, octet),
        }
    }
    Ok(normal)
}

fn push_escaped(text: &mut String, octet: u8) {
    // Writing to a String does not fail.
    let _ = write!(text, "%{octet:02X}");
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// RFC 3261 §25.1 `unreserved`.
fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet)
}

/// Writes `host [ ":" port ]` in lower case, an IPv6 address in its shortest form and a port without leading zeros.
fn push_host(text: &mut String, host: &str) -> Result<(), AddressError> {
    let port = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(AddressError::Host)?;
            let address: Ipv6Addr = address.parse().map_err(|_| AddressError::Host)?;
            text.push_str(&format!("[{address}]"));
            port
        }
        None => {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
            let name = without_root(name).ok_or(AddressError::Host)?;
            if !name.bytes().all(is_name) {
                return Err(AddressError::Host);
            }
            text.extend(name.chars().map(|letter| letter.to_ascii_lowercase()));
            port
        }
    };
    if port.is_empty() {
        return Ok(());
    }
    let digits = port.strip_prefix(':').filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let port: u16 =
        digits.and_then(|digits| digits.parse().ok()).filter(|&port| port != 0).ok_or(AddressError::Port)?;
    text.push_str(&format!(":{port}"));
    Ok(())
}

/// A host name without the dot that stands for the root of all names, unless a label is empty.
fn without_root(name: &str) -> Option<&str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.split('.').all(|label| !label.is_empty()).then_some(name)
}

/// The digits of a number without visual separators; a global one begins with a plus sign.
fn normal_number(number: &str) -> Result<String, AddressError> {
    let number = without_separators(&number.to_ascii_lowercase());
    let well_formed = match number.strip_prefix('+') {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()),
        None => !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_hexdigit() || b"*#".contains(&digit)),
    };
    if well_formed { Ok(number) } else { Err(AddressError::Number) }
}

/// RFC 3966 §3 `visual-separator`.
fn without_separators(text: &str) -> String {
    text.chars().filter(|character| !"-.()".contains(*character)).collect()
}
