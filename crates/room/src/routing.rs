//! Who gets a message, RFC 7701 §6.1 and §6.2.

use crate::roster::{Roster, Seat};
use crate::{Address, Audience, Epoch, MAX_ADDRESS, MediaTypes, Refusal, SeatId};

/// The texts of the last message that a session sent to the room. Nearly all messages of a session carry the same, and
/// what was right once need not be read again: the addresses of a seat and of the room do not change.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// A From that is the sender's.
    from: String,
    /// A To that is the room.
    to: String,
}

impl Remembered {
    pub(crate) fn is_from(&self, uri: &str) -> bool {
        !uri.is_empty() && self.from == uri
    }

    pub(crate) fn is_room(&self, uri: &str) -> bool {
        !uri.is_empty() && self.to == uri
    }

    pub(crate) fn remember_from(&mut self, uri: &str) {
        remember(&mut self.from, uri);
    }

    pub(crate) fn remember_room(&mut self, uri: &str) {
        remember(&mut self.to, uri);
    }
}

fn remember(place: &mut String, uri: &str) {
    if uri.len() <= MAX_ADDRESS {
        place.clear();
        place.push_str(uri);
    }
}

/// The sender of a message is one of the addresses of who sends it.
pub(crate) fn check_sender(seat: &mut Seat, from: &[&str]) -> Result<(), Refusal> {
    let uri = match from {
        [] => return Err(Refusal::NoFrom),
        [uri] => uri,
        _ => return Err(Refusal::NotASender),
    };
    if seat.remembered.is_from(uri) {
        return Ok(());
    }
    let address = Address::parse(uri).map_err(|_| Refusal::NotASender)?;
    if !seat.is_known_as(&address) {
        return Err(Refusal::NotASender);
    }
    seat.remembered.remember_from(uri);
    Ok(())
}

/// The one recipient of a message.
pub(crate) fn single_recipient<'a>(to: &[&'a str]) -> Result<&'a str, Refusal> {
    match to {
        [] => Err(Refusal::NoTo),
        [uri] => Ok(uri),
        _ => Err(Refusal::SeveralRecipients),
    }
}

/// The addresses by which a room is known: its user part at one of its hosts.
#[derive(Debug)]
pub(crate) struct Names {
    address: Address,
    hosts: Vec<Address>,
}

impl Names {
    /// Hosts that are none are passed over.
    pub(crate) fn new(address: Address, hosts: &[impl AsRef<str>]) -> Self {
        let hosts = hosts.iter().filter_map(|host| address.with_host(host.as_ref()).ok()).collect();
        Self { address, hosts }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Whether a URI is the room's. A host that was given without a port stands for all of its ports.
    pub(crate) fn is_room(&self, uri: &str) -> bool {
        uri == self.address.as_str() || Address::parse(uri).is_ok_and(|other| self.contains(&other))
    }

    pub(crate) fn contains(&self, other: &Address) -> bool {
        if other.scheme() != self.address.scheme() || other.user() != self.address.user() {
            return false;
        }
        let names = std::iter::once(&self.address).chain(&self.hosts);
        names.into_iter().any(|own| own.host() == other.host() || own.host() == other.host_without_port())
    }
}

/// A message to one user.
pub(crate) struct Private<'a> {
    pub(crate) sender: SeatId,
    pub(crate) to: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) since: Epoch,
}

impl Private<'_> {
    /// Finds the user and a session of it that takes the message. Whoever writes to themselves and has no other session
    /// there succeeds in reaching nobody.
    pub(crate) fn audience(&self, roster: &Roster, allowed: &MediaTypes) -> Result<Audience, Refusal> {
        let address = Address::parse(self.to).map_err(|_| Refusal::NoSuchRecipient)?;
        let identity = roster.resolve(&address).ok_or(Refusal::NoSuchRecipient)?;
        let others = || {
            let present = roster.members_of(identity).filter(|(_, seat)| seat.is_present());
            present.filter(|&(id, _)| id != self.sender).map(|(_, seat)| seat)
        };
        if others().next().is_some() {
            let mut able = others().filter(|seat| seat.capabilities.private_messages).peekable();
            able.peek().ok_or(Refusal::PrivateUnsupported)?;
            if !able.any(|seat| seat.capabilities.types.accepts(self.content_type)) {
                return Err(Refusal::TypeNotAccepted);
            }
        } else if roster.seat(self.sender).is_none_or(|seat| seat.identity != *identity) {
            return Err(Refusal::NoSuchRecipient);
        }
        if !allowed.accepts(self.content_type) {
            return Err(Refusal::TypeNotInPolicy);
        }
        Ok(Audience::User { identity: identity.clone(), except: self.sender, since: self.since })
    }
}
