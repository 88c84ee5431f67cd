//! The message headers, RFC 3862 §3 and §4: addresses, namespaces, required features.

use crate::Error;
use crate::head::{Address, Lines, text};

/// The namespace of the headers that §4 defines.
const CPIM: &str = "urn:ietf:params:cpim-headers:";

/// How many declared prefixes are kept. Each header with a prefix is compared with all of them.
const MAX_NAMESPACES: usize = 64;

/// What the first block of headers says.
#[derive(Default)]
pub(crate) struct Metadata<'a> {
    pub(crate) from: Vec<Address<'a>>,
    pub(crate) to: Vec<Address<'a>>,
    pub(crate) cc: Vec<Address<'a>>,
    pub(crate) date_time: Option<&'a str>,
    pub(crate) require: Vec<&'a str>,
    /// Present where the content's headers stand among those of the message, as in the examples of RFC 7701 §9.
    pub(crate) content_type: Option<&'a str>,
    namespaces: Namespaces<'a>,
}

/// Reads lines up to and with the blank one; `None` where it has not come yet.
pub(crate) fn read<'a>(lines: &mut Lines<'a>) -> Result<Option<Metadata<'a>>, Error> {
    let mut metadata = Metadata::default();
    while let Some(line) = lines.next() {
        let line = line.strip_suffix(b"\r").ok_or(Error::BareLineFeed)?;
        if line.is_empty() {
            return Ok(Some(metadata));
        }
        metadata.add(text(line, |_| false)?)?;
    }
    Ok(None)
}

impl<'a> Metadata<'a> {
    /// Takes in one header line.
    fn add(&mut self, line: &'a str) -> Result<(), Error> {
        if line.starts_with(' ') {
            return Err(Error::Folded);
        }
        let (name, rest) = line.split_once(':').ok_or(Error::NotAHeader)?;
        if name.is_empty() || !name.bytes().all(is_name_octet) {
            return Err(Error::NotAHeader);
        }
        match Known::of(name, &self.namespaces)? {
            Known::From => self.from.push(address(value(rest)?)?),
            Known::To => self.to.push(address(value(rest)?)?),
            Known::Cc => self.cc.push(address(value(rest)?)?),
            Known::DateTime => put_once(&mut self.date_time, value(rest)?)?,
            Known::ContentType => put_once(&mut self.content_type, value(rest)?)?,
            Known::Require => self.require.extend(names(value(rest)?)),
            Known::Namespace => self.namespaces.declare(value(rest)?)?,
            Known::Other => {}
        }
        Ok(())
    }
}

/// The headers that mean something here.
enum Known {
    From,
    To,
    Cc,
    DateTime,
    Require,
    Namespace,
    ContentType,
    Other,
}

impl Known {
    /// What a header name means under the namespaces declared so far (§3.4).
    fn of(name: &str, namespaces: &Namespaces<'_>) -> Result<Self, Error> {
        let (prefix, local) = match name.split_once('.') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, name),
        };
        let known = match local {
            "From" => Self::From,
            "To" => Self::To,
            "cc" => Self::Cc,
            "DateTime" => Self::DateTime,
            "Require" => Self::Require,
            "NS" => Self::Namespace,
            _ if prefix.is_none() && local.eq_ignore_ascii_case("Content-Type") => return Ok(Self::ContentType),
            _ => return Ok(Self::Other),
        };
        match (namespaces.is_cpim(prefix), prefix, known) {
            (true, _, known) => Ok(known),
            (false, None, Self::From | Self::To | Self::Cc | Self::Namespace) => Err(Error::Ambiguous),
            (false, ..) => Ok(Self::Other),
        }
    }
}

/// The namespaces declared so far. Only one question is ever asked of them: is it CPIM's?
#[derive(Default)]
struct Namespaces<'a> {
    /// Prefixes with the answer; a later declaration of a prefix takes the place of an earlier one.
    prefixes: Vec<(&'a str, bool)>,
    /// An `NS` without prefix has put another namespace in the place of CPIM's.
    default_is_foreign: bool,
}

impl<'a> Namespaces<'a> {
    fn is_cpim(&self, prefix: Option<&str>) -> bool {
        match prefix {
            None => !self.default_is_foreign,
            Some(prefix) => self.prefixes.iter().any(|&(known, is_cpim)| known == prefix && is_cpim),
        }
    }

    /// Carries out `[ Name-prefix ] "<" URI ">"` (§4.6).
    fn declare(&mut self, value: &'a str) -> Result<(), Error> {
        let (prefix, uri) = value.split_once('<').ok_or(Error::Namespace)?;
        let uri = uri.strip_suffix('>').ok_or(Error::Namespace)?;
        let prefix = prefix.trim_matches(' ');
        if !prefix.bytes().all(is_name_octet) || prefix.contains('.') {
            return Err(Error::Namespace);
        }
        // URNs differ in case here and there without meaning another (RFC 8141 §3.1). Whoever takes them for the same
        // would see one more From than whoever does not; so they are the same here, and several From are refused.
        let is_cpim = uri.eq_ignore_ascii_case(CPIM);
        if prefix.is_empty() {
            self.default_is_foreign = !is_cpim;
        } else if let Some(known) = self.prefixes.iter_mut().find(|known| known.0 == prefix) {
            known.1 = is_cpim;
        } else if self.prefixes.len() < MAX_NAMESPACES {
            self.prefixes.push((prefix, is_cpim));
        } else {
            return Err(Error::TooManyNamespaces);
        }
        Ok(())
    }
}

fn put_once<'a>(place: &mut Option<&'a str>, value: &'a str) -> Result<(), Error> {
    if place.is_some() {
        return Err(Error::Duplicate);
    }
    *place = Some(value);
    Ok(())
}

/// The characters of §3.1, and the dot that separates a prefix.
fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&octet)
}

/// The names in a comma list (§4.7).
fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(|name| name.trim_matches(' ')).filter(|name| !name.is_empty())
}

/// What follows a header's colon without its parameters (§3.3) and without the spaces around it.
fn value(after_colon: &str) -> Result<&str, Error> {
    let mut rest = after_colon;
    while let Some(parameter) = rest.strip_prefix(';') {
        rest = skip_parameter(parameter)?;
    }
    Ok(rest.trim_matches(' '))
}

/// What follows `name=value`, where the value is a token or a quoted string. Neither may hold an angle bracket, by
/// which it could pass for the header's address.
fn skip_parameter(parameter: &str) -> Result<&str, Error> {
    let (name, value) = parameter.split_once('=').ok_or(Error::Parameter)?;
    let end = match value.strip_prefix('"') {
        Some(string) => closing_quote(string).ok_or(Error::Parameter)?.saturating_add(2),
        None => value.find([' ', ';']).unwrap_or(value.len()),
    };
    let (value, rest) = value.split_at_checked(end).ok_or(Error::Parameter)?;
    let is_value = value.starts_with('"') || value.bytes().all(|octet| !octet.is_ascii() || is_name_octet(octet));
    let is_parameter = !name.is_empty() && name.bytes().all(is_name_octet) && is_value && !value.contains(['<', '>']);
    if is_parameter && (rest.is_empty() || rest.starts_with([' ', ';'])) { Ok(rest) } else { Err(Error::Parameter) }
}

/// Where the quote stands that ends a string, whose opening quote has been taken off.
fn closing_quote(string: &str) -> Option<usize> {
    let mut escaped = false;
    string.bytes().position(|octet| {
        let closes = octet == b'"' && !escaped;
        escaped = octet == b'\\' && !escaped;
        closes
    })
}

/// Reads `[ Formal-name ] "<" URI ">"` or, as some peers write, a bare URI.
///
/// A quoted name is skipped as a whole, and nothing may follow the closing bracket: so a name cannot pass an address of
/// its own off as the header's. Where it looks like one, it is refused: not every reader skips quotes.
fn address(value: &str) -> Result<Address<'_>, Error> {
    let name_end = match value.strip_prefix('"') {
        Some(string) => closing_quote(string).ok_or(Error::Address)?.saturating_add(2),
        None => value.find('<').unwrap_or(0),
    };
    let (name, rest) = value.split_at_checked(name_end).ok_or(Error::Address)?;
    let name = Some(name.trim_matches(' ')).filter(|name| !name.is_empty());
    if name.is_some_and(holds_address) {
        return Err(Error::Ambiguous);
    }
    match rest.trim_start_matches(' ').strip_prefix('<') {
        Some(rest) => {
            let uri = rest.strip_suffix('>').filter(|uri| !uri.contains(['<', '>'])).ok_or(Error::Address)?;
            Ok(Address { name, uri })
        }
        None if name.is_none() && is_bare_uri(rest) => Ok(Address { name, uri: rest }),
        None => Err(Error::Address),
    }
}

/// Whether a name holds something like an address in brackets.
pub(crate) fn holds_address(name: &str) -> bool {
    let Some((_, rest)) = name.split_once('<') else { return false };
    rest.split_once(':').is_some_and(|(_, rest)| rest.contains('>'))
}

/// Whether a value without brackets is a URI by its looks: a scheme, a colon, something, and no space anywhere.
fn is_bare_uri(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet))
        && !rest.is_empty()
        && !rest.contains([' ', '<', '>', '"', ','])
}
