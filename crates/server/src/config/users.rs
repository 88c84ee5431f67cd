//! The accounts of the file.

use std::collections::BTreeSet;

use toml::de::DeValue;

use super::reader::{Section, Source};
use super::sections::text;
use super::{Auth, Config, Secret, User, value};

/// All `[[users]]`; a URI belongs to one user only.
pub(super) fn read<'t>(source: &mut Source<'t>, root: &mut Section<'t>, config: &mut Config) {
    let mut uris = BTreeSet::new();
    for mut section in root.sections(source, "users") {
        let user = user(source, &mut section, config);
        if let Some(user) = user {
            let taken = [&user.uri].into_iter().chain(&user.aliases).find(|uri| !uris.insert((*uri).clone()));
            match taken {
                Some(uri) => {
                    let text =
                        format!("\"{uri}\" belongs to another user already; right would be a URI of this user alone");
                    source.complain(section.line(), &section.key("uri"), text);
                }
                None => config.users.push(user),
            }
        }
        section.finish(source);
    }
}

fn user<'t>(source: &mut Source<'t>, section: &mut Section<'t>, config: &Config) -> Option<User> {
    let right = format!("\"sip:NAME@{}\"", config.domain);
    let entry = section.take("uri");
    if entry.is_none() {
        source.complain(section.line(), &section.key("uri"), format!("missing; right would be {right}"));
    }
    let name = entry.and_then(|entry| entry.parse(source, &right, |value| own_name(value, &config.domain)));
    let secret = secret(source, section, ["password", "ha1"], &config.auth);
    let needs_one = config.auth != Auth::Open && secret == Some(None);
    if needs_one {
        source.complain(section.line(), &section.key("password"), "missing; right would be a password or an ha1");
    }
    let aliases = match section.take("aliases") {
        Some(entry) => {
            entry.parse_each(source, "other URIs like [\"tel:+15551234\", \"im:alice@chat.example.com\"]", alias)?
        }
        None => Vec::new(),
    };
    let name = name?;
    let secret = secret.filter(|_| !needs_one)?;
    Some(User { uri: format!("sip:{name}@{}", config.domain), name, secret, aliases })
}

/// The user part of a URI of this domain.
fn own_name(value: &DeValue<'_>, domain: &str) -> Option<String> {
    let (name, host) = value.as_str()?.strip_prefix("sip:")?.rsplit_once('@')?;
    value::user_part(name).filter(|_| host.eq_ignore_ascii_case(domain))
}

/// Another URI of a user.
pub(crate) fn alias(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(':')?;
    let is_plain = !rest.is_empty()
        && text.len() <= 1024
        && text.bytes().all(|octet| octet.is_ascii_graphic() && !b"<>\"".contains(&octet));
    let fits = match scheme {
        "tel" => rest.bytes().any(|octet| octet.is_ascii_digit()),
        "sip" | "sips" | "im" => {
            rest.split_once('@').is_some_and(|(user, host)| !user.is_empty() && value::host(host).is_some())
        }
        _ => false,
    };
    (is_plain && fits).then(|| text.to_owned())
}

/// A password or, under the other key, what is kept of one. The outer option is none where that is wrong, the inner one where
/// neither is there.
pub(super) fn secret<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    [password, ha1]: [&'static str; 2],
    auth: &Auth,
) -> Option<Option<Secret>> {
    const HA1: &str = "{ sha-256 = \"64 hexadecimal digits\", md5 = \"32 of them\" }";
    let password = section.take(password);
    let ha1 = section.take(ha1);
    match (password, ha1) {
        (Some(entry), None) => {
            let password = text(entry.value.get_ref());
            if password.is_none() {
                // Not shown: what somebody meant as a password stays out of the terminal.
                source.complain(entry.line, &entry.key, "not a password; right would be a text that is not empty");
            }
            password.map(|password| Some(Secret::Password(password)))
        }
        (None, Some(entry)) => {
            let mut table = entry.table(source, HA1)?;
            let sha256 = table.take("sha-256");
            let md5 = table.take("md5");
            table.finish(source);
            let mut digits = |entry: Option<super::reader::Entry<'t>>, length: usize| match entry {
                None => Some(None),
                Some(entry) => {
                    let found = entry.value.get_ref().as_str().and_then(|text| hexadecimal(text, length));
                    if found.is_none() {
                        let text = format!("not an HA1; right would be {length} hexadecimal digits");
                        source.complain(entry.line, &entry.key, text);
                    }
                    found.map(Some)
                }
            };
            let (sha256, md5) = (digits(sha256, 64)?, digits(md5, 32)?);
            let usable = sha256.is_some() || (md5.is_some() && !matches!(auth, Auth::Digest { md5: false, .. }));
            if !usable {
                source.complain(
                    entry.line,
                    &entry.key,
                    format!("has no HA1 that auth would take; right would be {HA1}"),
                );
                return None;
            }
            Some(Some(Secret::Ha1 { sha256, md5 }))
        }
        (Some(_), Some(entry)) => {
            source.complain(entry.line, &entry.key, "stands beside password; right would be one of the two");
            None
        }
        (None, None) => Some(None),
    }
}

fn hexadecimal(text: &str, length: usize) -> Option<String> {
    let fits = text.len() == length && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
}
