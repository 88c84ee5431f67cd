//! The room: commands in, effects out.

use std::collections::VecDeque;
use std::time::Instant;

use crate::nickname::{Nickname, Nicknames};
use crate::roster::{Granted, Roster, Seat};
use crate::routing::{Names, Private, check_sender, single_recipient};
use crate::{
    Address, Audience, Capabilities, Change, Command, DeleteWhen, Dismissal, Effect, Epoch, Guest, MAX_SEATS_OF_USER,
    Policy, Refusal, SeatId, Sequence, UserView,
};

/// How many seats a room has. Who comes when all are taken is refused.
pub const MAX_SEATS: usize = 100_000;

/// A chat room.
///
/// Drain [`poll_output`](Self::poll_output) after each [`handle_input`](Self::handle_input) and
/// [`handle_timeout`](Self::handle_timeout); one input leaves at most four effects there, or one a seat where it closes
/// the room.
#[derive(Debug)]
pub struct Room {
    names: Names,
    creator: Option<Address>,
    policy: Policy,
    /// The reserved nicknames of the policy, ready to be compared.
    reserved: Vec<Nickname>,
    roster: Roster,
    nicknames: Nicknames,
    epoch: Epoch,
    accepted: u64,
    grants: u64,
    closed: bool,
    effects: VecDeque<Effect>,
}

impl Room {
    /// An empty room. It may be addressed at its address and with the same user part at each of `hosts` (RFC 7701
    /// §6.1); a host without a port stands for all of its ports, and a text that is no host is passed over.
    pub fn new(address: Address, hosts: &[&str], policy: Policy) -> Self {
        Self {
            names: Names::new(address, hosts),
            creator: None,
            reserved: reserved(&policy),
            policy,
            roster: Roster::default(),
            nicknames: Nicknames::default(),
            epoch: Epoch::default(),
            accepted: 0,
            grants: 0,
            closed: false,
            effects: VecDeque::new(),
        }
    }

    /// Makes known who created the room, which matters where it ends with its creator ([`DeleteWhen::CreatorLeaves`]).
    #[must_use]
    pub fn with_creator(mut self, creator: Address) -> Self {
        self.creator = Some(creator);
        self
    }

    /// The room's address.
    pub fn address(&self) -> &Address {
        self.names.address()
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether a URI is the room's.
    pub fn is_room(&self, uri: &str) -> bool {
        self.names.is_room(uri)
    }

    /// The listed users in the order of their addresses.
    pub fn users(&self) -> impl Iterator<Item = UserView<'_>> {
        self.roster.users()
    }

    /// How many seats are taken, by members or by those who are to enter.
    pub fn seats(&self) -> usize {
        self.roster.len()
    }

    /// Whether nobody gets in any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the room may be forgotten: nobody has a seat, and it is closed or ends when it is empty.
    pub fn is_over(&self) -> bool {
        self.roster.is_empty() && (self.closed || self.policy.delete_when == DeleteWhen::Empty)
    }

    /// Carries out a command.
    pub fn handle_input(&mut self, now: Instant, command: Command<'_>) {
        match command {
            Command::Join { seat, guest } => self.join(seat, guest),
            Command::Enter { seat } => self.enter(seat),
            Command::Update { seat, capabilities } => self.update(seat, capabilities),
            Command::Leave { seat } => self.leave(now, seat),
            Command::Nickname { seat, name } => self.nickname(now, seat, name.unwrap_or_default()),
            Command::Post { seat, token, from, to, content_type } => {
                let effect = match self.route(seat, from, to, content_type) {
                    Ok(audience) => Effect::Deliver { seat, token, sequence: self.next_sequence(), audience },
                    Err(refusal) => Effect::Reject { seat, token, refusal },
                };
                self.effects.push_back(effect);
            }
            Command::Close => self.close(Dismissal::RoomDeleted),
            Command::SetPolicy(policy) => {
                self.reserved = reserved(&policy);
                self.policy = *policy;
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.nicknames.handle_timeout(now);
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.nicknames.poll_timeout()
    }

    fn join(&mut self, seat: SeatId, guest: Guest) {
        match self.admit(seat, &guest.identity) {
            Ok(()) => {
                self.roster.add(seat, guest);
                self.effects.push_back(Effect::Seated { seat });
            }
            Err(refusal) => self.effects.push_back(Effect::Refused { seat, refusal }),
        }
    }

    /// Whether somebody gets a seat.
    fn admit(&self, seat: SeatId, identity: &Address) -> Result<(), Refusal> {
        let own = self.roster.seats_of(identity).len();
        if self.closed {
            Err(Refusal::Closed)
        } else if self.roster.seat(seat).is_some() {
            Err(Refusal::SeatTaken)
        } else if own > 0 && !self.policy.simultaneous_access {
            Err(Refusal::AlreadyPresent)
        } else if own >= MAX_SEATS_OF_USER || self.roster.len() >= MAX_SEATS {
            Err(Refusal::Full)
        } else {
            Ok(())
        }
    }

    fn enter(&mut self, id: SeatId) {
        let Some(seat) = self.roster.seat_mut(id).filter(|seat| seat.epoch.is_none()) else { return };
        self.epoch = Epoch(self.epoch.0.saturating_add(1));
        seat.epoch = Some(self.epoch);
        let identity = seat.identity.clone();
        let display_name = seat.display_name.clone();
        let change = if self.roster.members_of(&identity).nth(1).is_none() {
            Change::UserJoined { identity, seat: id, display_name }
        } else {
            Change::SeatJoined { identity, seat: id }
        };
        self.effects.push_back(Effect::Entered { seat: id, epoch: self.epoch });
        self.effects.push_back(Effect::Roster(change));
    }

    fn update(&mut self, seat: SeatId, capabilities: Capabilities) {
        if let Some(seat) = self.roster.seat_mut(seat) {
            seat.capabilities = capabilities;
        }
    }

    fn leave(&mut self, now: Instant, id: SeatId) {
        let Some(identity) = self.roster.seat(id).map(|seat| seat.identity.clone()) else { return };
        let shown = self.roster.nickname_of(&identity).map(str::to_owned);
        let Some(seat) = self.roster.remove(id) else { return };
        if let Some(granted) = &seat.nickname {
            self.nicknames.release(now, self.policy.nickname_quarantine, id, &granted.nickname);
        }
        self.effects.push_back(Effect::Left { seat: id });
        self.report_left(id, &seat, shown);
        if self.ends_with(&identity) {
            self.close(Dismissal::CreatorLeft);
        }
        if self.roster.is_empty() {
            self.effects.push_back(Effect::Empty);
        }
    }

    /// Says what the list of members shows otherwise once a session has gone.
    fn report_left(&mut self, id: SeatId, seat: &Seat, shown: Option<String>) {
        if seat.epoch.is_none() {
            return;
        }
        let identity = seat.identity.clone();
        if self.roster.members_of(&identity).next().is_none() {
            self.effects.push_back(Effect::Roster(Change::UserLeft { identity, seat: id }));
        } else {
            self.effects.push_back(Effect::Roster(Change::SeatLeft { identity: identity.clone(), seat: id }));
            self.report_nickname(identity, shown);
        }
    }

    /// Whether the room ends because this user has no seat any more.
    fn ends_with(&self, identity: &Address) -> bool {
        !self.closed
            && self.policy.delete_when == DeleteWhen::CreatorLeaves
            && self.creator.as_ref() == Some(identity)
            && self.roster.seats_of(identity).is_empty()
    }

    fn close(&mut self, reason: Dismissal) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let dismissals = self.roster.ids().map(|seat| Effect::Dismiss { seat, reason });
        self.effects.extend(dismissals);
        if self.roster.is_empty() && reason == Dismissal::RoomDeleted {
            self.effects.push_back(Effect::Empty);
        }
    }
}

/// Nicknames, RFC 7701 §7.
impl Room {
    fn nickname(&mut self, now: Instant, id: SeatId, name: &str) {
        let before = self.roster.seat(id).map(|seat| seat.identity.clone()).map(|identity| {
            let shown = self.roster.nickname_of(&identity).map(str::to_owned);
            (identity, shown)
        });
        let outcome = self.change_nickname(now, id, name);
        self.effects.push_back(Effect::Nickname { seat: id, outcome });
        if let Some((identity, shown)) = before {
            self.report_nickname(identity, shown);
        }
    }

    /// Grants, changes or removes a session's nickname; gives the one now in force. On an error nothing has changed.
    fn change_nickname(&mut self, now: Instant, id: SeatId, name: &str) -> Result<Option<String>, Refusal> {
        let identity = match self.roster.seat(id) {
            Some(seat) if seat.epoch.is_some() => seat.identity.clone(),
            _ => return Err(Refusal::NotAMember),
        };
        if !self.policy.nicknames {
            return Err(Refusal::NicknamesOff);
        }
        let granted = if name.is_empty() { None } else { Some(self.grant(id, &identity, name)?) };
        let shown = granted.as_ref().map(|granted| granted.nickname.shown().to_owned());
        self.replace_nickname(now, id, granted);
        Ok(shown)
    }

    /// Takes a new nickname for a session, beside the one it has.
    fn grant(&mut self, id: SeatId, identity: &Address, name: &str) -> Result<Granted, Refusal> {
        let nickname = Nickname::new(name).map_err(|_| Refusal::NicknameMalformed)?;
        if self.reserved.iter().any(|reserved| reserved.is_same(&nickname)) {
            return Err(Refusal::NicknameReserved);
        }
        self.nicknames.take(id, identity, &nickname).map_err(|_| Refusal::NicknameTaken)?;
        self.grants = self.grants.saturating_add(1);
        Ok(Granted { nickname, order: self.grants })
    }

    /// Puts a nickname in the place of the old one, which is released only now (§7.2).
    fn replace_nickname(&mut self, now: Instant, id: SeatId, granted: Option<Granted>) {
        let Some(seat) = self.roster.seat_mut(id) else { return };
        let old = std::mem::replace(&mut seat.nickname, granted);
        let kept = seat.nickname.as_ref();
        if let Some(old) = old.filter(|old| !kept.is_some_and(|kept| kept.nickname.is_same(&old.nickname))) {
            self.nicknames.release(now, self.policy.nickname_quarantine, id, &old.nickname);
        }
    }

    /// Says that a user is shown by another nickname, if that is so.
    fn report_nickname(&mut self, identity: Address, before: Option<String>) {
        let now = self.roster.nickname_of(&identity);
        if now != before.as_deref() {
            let nickname = now.map(str::to_owned);
            self.effects.push_back(Effect::Roster(Change::NicknameChanged { identity, nickname }));
        }
    }
}

/// Messages, RFC 7701 §6.
impl Room {
    /// Who gets a message. The order of the checks is that of §6.1 and §6.2.
    fn route(&mut self, id: SeatId, from: &[&str], to: &[&str], content_type: &str) -> Result<Audience, Refusal> {
        let seat = self.roster.seat_mut(id).filter(|seat| seat.epoch.is_some()).ok_or(Refusal::NotAMember)?;
        if self.closed {
            return Err(Refusal::Closed);
        }
        check_sender(seat, from)?;
        let to = single_recipient(to)?;
        let known = seat.remembered.is_room(to);
        if known || self.names.is_room(to) {
            if !known {
                seat.remembered.remember_room(to);
            }
            return if self.policy.wrapped_types.accepts(content_type) {
                Ok(Audience::Everyone { except: id, since: self.epoch })
            } else {
                Err(Refusal::TypeNotInPolicy)
            };
        }
        if !self.policy.private_messages {
            return Err(Refusal::PrivateForbidden);
        }
        let private = Private { sender: id, to, content_type, since: self.epoch };
        private.audience(&self.roster, &self.policy.wrapped_types)
    }

    fn next_sequence(&mut self) -> Sequence {
        self.accepted = self.accepted.saturating_add(1);
        Sequence { epoch: self.epoch, number: self.accepted }
    }
}

fn reserved(policy: &Policy) -> Vec<Nickname> {
    policy.reserved_nicknames.iter().filter_map(|name| Nickname::new(name).ok()).collect()
}
