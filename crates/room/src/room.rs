//! The room: commands in, effects out.

mod naming;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::reserved::Reserved;
use crate::roster::{Presence, Roster, Seat, Shown, Wish};
use crate::routing::{Names, Private, check_sender, single_recipient};
use crate::{
    Address, AskId, Audience, Capabilities, Change, Command, DeleteWhen, Dismissal, Effect, Epoch, Guest,
    MAX_SEATS_OF_USER, NicknameRegistry, Policy, Refusal, SeatId, Sequence, UserView,
};

/// How many seats a room has. Who comes when all are taken is refused.
pub const MAX_SEATS: usize = 100_000;

/// A chat room.
///
/// Drain [`poll_output`](Self::poll_output) after each [`handle_input`](Self::handle_input) and
/// [`handle_timeout`](Self::handle_timeout); one input leaves a handful of effects there, or one more for each seat
/// where it closes the room. Whatever happens to one session costs the same in a small room and in a large one, but for
/// the depth of its search trees.
#[derive(Debug)]
pub struct Room {
    names: Names,
    creator: Option<Address>,
    policy: Policy,
    reserved: Reserved,
    roster: Roster,
    nicknames: NicknameRegistry,
    /// The questions to the registry of the domain that are open, with the time until which an answer counts. Later
    /// ones have later times.
    asks: BTreeMap<AskId, (SeatId, Instant)>,
    epoch: Epoch,
    accepted: u64,
    grants: u64,
    asked: u64,
    closed: bool,
    effects: VecDeque<Effect>,
}

impl Room {
    /// An empty room. It may be addressed at its address and with the same user part at each of `hosts` (RFC 7701
    /// §6.1); a host without a port stands for all of its ports, and a text that is no host is passed over.
    pub fn new(address: Address, hosts: &[impl AsRef<str>], policy: Policy) -> Self {
        Self {
            reserved: Reserved::new(&policy, &address),
            names: Names::new(address, hosts),
            creator: None,
            policy,
            roster: Roster::default(),
            nicknames: NicknameRegistry::default(),
            asks: BTreeMap::new(),
            epoch: Epoch::default(),
            accepted: 0,
            grants: 0,
            asked: 0,
            closed: false,
            effects: VecDeque::new(),
        }
    }

    /// Makes known whose account created the room, which matters where it ends with its creator ([`DeleteWhen::CreatorLeaves`]).
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

    /// Whether the room may be forgotten: nobody has a seat, and it is closed or ends then.
    pub fn is_over(&self) -> bool {
        self.roster.is_empty() && (self.closed || self.policy.delete_when.ends_when_empty())
    }

    /// Carries out a command.
    pub fn handle_input(&mut self, now: Instant, command: Command<'_>) {
        match command {
            Command::Join { seat, guest } => self.join(seat, guest, None),
            Command::Replace { seat, guest, old } => self.join(seat, guest, Some(old)),
            Command::Enter { seat } => self.enter(now, seat),
            Command::Suspend { seat } => self.suspend(seat),
            Command::Update { seat, capabilities } => self.update(seat, capabilities),
            Command::Mute { seat, muted } => {
                if let Some(seat) = self.roster.seat_mut(seat) {
                    seat.muted = muted;
                }
            }
            Command::Leave { seat } => self.leave(now, seat),
            Command::Nickname { seat, token, name } => {
                self.nickname(now, Wish { seat, token }, name.unwrap_or_default());
            }
            Command::Post { seat, token, from, to, content_type } => {
                let effect = match self.route(seat, from, to, content_type) {
                    Ok(audience) => Effect::Deliver { seat, token, sequence: self.next_sequence(), audience },
                    Err(refusal) => Effect::Reject { seat, token, refusal },
                };
                self.effects.push_back(effect);
            }
            Command::NicknameAnswer { ask, granted } => self.nickname_answer(now, ask, granted),
            Command::Close => self.close(Dismissal::RoomDeleted),
            Command::SetPolicy(policy) => {
                self.reserved = Reserved::new(&policy, self.names.address());
                self.policy = *policy;
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.nicknames.handle_timeout(now);
        self.nickname_answers_due(now);
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let answer = self.asks.first_key_value().map(|(_, (_, until))| *until);
        [self.nicknames.poll_timeout(), answer].into_iter().flatten().min()
    }

    fn join(&mut self, seat: SeatId, guest: Guest, replaces: Option<SeatId>) {
        let account = guest.account.as_ref().unwrap_or(&guest.identity);
        let is_own = |old: &SeatId| self.roster.seat(*old).is_some_and(|old| old.account == *account);
        let replaces = replaces.filter(is_own);
        match self.admit(seat, account, replaces.is_some()) {
            Ok(()) => {
                self.roster.add(seat, guest);
                if let Some(seat) = self.roster.seat_mut(seat) {
                    seat.replaces = replaces;
                }
                self.effects.push_back(Effect::Seated { seat });
            }
            Err(refusal) => self.effects.push_back(Effect::Refused { seat, refusal }),
        }
    }

    /// Whether somebody gets a seat, another of theirs ending with it or not.
    fn admit(&self, seat: SeatId, account: &Address, replaces: bool) -> Result<(), Refusal> {
        let own = self.roster.seats_of_account(account).saturating_sub(usize::from(replaces));
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

    fn enter(&mut self, now: Instant, id: SeatId) {
        self.take_place(id);
        self.succeed(now, id);
    }

    /// The seat that a member has come to replace goes, and its nickname goes over.
    fn succeed(&mut self, now: Instant, id: SeatId) {
        let member = self.roster.seat_mut(id).filter(|seat| seat.is_present());
        let Some(old) = member.and_then(|seat| seat.replaces.take()) else { return };
        if self.roster.seat(old).is_some() {
            self.hand_over_nickname(now, old, id);
            self.effects.push_back(Effect::Dismiss { seat: old, reason: Dismissal::Replaced });
        }
    }

    fn take_place(&mut self, id: SeatId) {
        let Some(seat) = self.roster.seat(id).filter(|seat| !seat.is_present() && !self.closed) else { return };
        let (identity, display_name) = (seat.identity.clone(), seat.display_name.clone());
        let shown = self.roster.shown(&identity);
        let is_first = self.roster.members_of(&identity).next().is_none();
        self.epoch = Epoch(self.epoch.0.saturating_add(1));
        let Some(seat) = self.roster.seat_mut(id) else { return };
        let was_suspended = matches!(seat.presence, Presence::Suspended(_));
        seat.presence = Presence::Present(self.epoch);
        self.effects.push_back(Effect::Entered { seat: id, epoch: self.epoch });
        if is_first {
            self.effects.push_back(Effect::Roster(Change::UserJoined { identity, seat: id, display_name }));
            return;
        }
        let user = identity.clone();
        self.effects.push_back(Effect::Roster(if was_suspended {
            Change::SeatResumed { identity: user, seat: id }
        } else {
            Change::SeatJoined { identity: user, seat: id }
        }));
        self.report_shown(identity, shown);
    }

    fn suspend(&mut self, id: SeatId) {
        let Some(seat) = self.roster.seat_mut(id) else { return };
        if let Presence::Present(epoch) = seat.presence {
            seat.presence = Presence::Suspended(epoch);
            let identity = seat.identity.clone();
            self.effects.push_back(Effect::Roster(Change::SeatSuspended { identity, seat: id }));
        }
    }

    fn update(&mut self, seat: SeatId, capabilities: Capabilities) {
        if let Some(seat) = self.roster.seat_mut(seat) {
            seat.capabilities = capabilities;
        }
    }

    fn leave(&mut self, now: Instant, id: SeatId) {
        let Some(identity) = self.roster.seat(id).map(|seat| seat.identity.clone()) else { return };
        let shown = self.roster.shown(&identity);
        let Some(seat) = self.roster.remove(id) else { return };
        self.effects.push_back(Effect::Left { seat: id });
        self.release_nicknames(now, id, &seat);
        self.report_left(id, &seat, shown);
        if self.ends_with(&seat.account) {
            self.close(Dismissal::CreatorLeft);
        }
        if self.roster.is_empty() {
            self.effects.push_back(Effect::Empty);
        }
    }

    /// Says what the list of members shows otherwise once a session has gone.
    fn report_left(&mut self, id: SeatId, seat: &Seat, shown: Shown) {
        if !seat.is_member() {
            return;
        }
        let identity = seat.identity.clone();
        if self.roster.members_of(&identity).next().is_none() {
            self.effects.push_back(Effect::Roster(Change::UserLeft { identity, seat: id }));
        } else {
            self.effects.push_back(Effect::Roster(Change::SeatLeft { identity: identity.clone(), seat: id }));
            self.report_shown(identity, shown);
        }
    }

    /// Says that a listed user is shown otherwise than before, if that is so.
    fn report_shown(&mut self, identity: Address, before: Shown) {
        let Shown { display_name, nickname } = self.roster.shown(&identity);
        if display_name != before.display_name {
            let identity = identity.clone();
            self.effects.push_back(Effect::Roster(Change::DisplayNameChanged { identity, display_name }));
        }
        if nickname != before.nickname {
            self.effects.push_back(Effect::Roster(Change::NicknameChanged { identity, nickname }));
        }
    }

    /// Whether the room ends because this user has no seat any more.
    fn ends_with(&self, account: &Address) -> bool {
        !self.closed
            && self.policy.delete_when == DeleteWhen::CreatorLeaves
            && self.creator.as_ref() == Some(account)
            && self.roster.seats_of_account(account) == 0
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

/// Messages, RFC 7701 §6.
impl Room {
    /// Who gets a message. The order of the checks is that of §6.1 and §6.2.
    fn route(&mut self, id: SeatId, from: &[&str], to: &[&str], content_type: &str) -> Result<Audience, Refusal> {
        let seat = self.roster.seat_mut(id).filter(|seat| seat.is_present()).ok_or(Refusal::NotAMember)?;
        if self.closed {
            return Err(Refusal::Closed);
        }
        check_sender(seat, from)?;
        if seat.muted {
            return Err(Refusal::Muted);
        }
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
