//! Nicknames that nobody may have.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::roster::Seat;
use crate::{Address, Confusables, Nickname, Policy};

/// The reserved words of a room: those of its policy, and what the room itself is called.
#[derive(Debug, Default)]
pub(crate) struct Reserved {
    keys: BTreeSet<Arc<str>>,
    looks: BTreeSet<Arc<str>>,
}

impl Reserved {
    /// Words that can be no nickname are passed over.
    pub(crate) fn new(policy: &Policy, room: &Address) -> Self {
        let own = [room.user(), room.host(), room.host_without_port()].map(str::to_owned);
        let mut reserved = Self::default();
        for word in policy.reserved_nicknames.iter().chain(&own).chain(&unescaped(room.user())) {
            if let Ok(word) = Nickname::new(word) {
                reserved.keys.insert(word.key().clone());
                reserved.looks.insert(word.look().clone());
            }
        }
        reserved
    }

    /// Whether a session may not have this nickname, whoever else has it. One that reads as an address is for those
    /// whose address it is: where users without nicknames are shown by their address, another could pass for them.
    pub(crate) fn bars(&self, nickname: &Nickname, confusables: Confusables, seat: &Seat) -> bool {
        self.keys.contains(nickname.key())
            || confusables == Confusables::Refuse && self.looks.contains(nickname.look())
            || address_in(nickname.shown()).is_some_and(|address| !seat.is_known_as(&address))
    }
}

/// The address as which a nickname can be read, with its scheme or without.
fn address_in(nickname: &str) -> Option<Address> {
    let bare = || Address::parse(&format!("sip:{nickname}")).ok().filter(|_| nickname.contains('@'));
    Address::parse(nickname).ok().or_else(bare)
}

/// A user part as a person reads it, if it is text.
fn unescaped(user: &str) -> Option<String> {
    let mut pieces = user.split('%');
    let mut octets = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        octets.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(octets).ok()
}
