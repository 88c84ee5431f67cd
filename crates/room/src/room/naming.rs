//! Nicknames, RFC 7701 §7: wishes for them, and how they are granted, changed and given up.
//!
//! A nickname is always taken in the room first. Where it is to be unique in the domain too, the registry of the domain
//! is asked then, and the wish is answered when that has answered; until then the old nickname stays in force (§7.2).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Room;
use crate::roster::{Granted, Pending, Seat, Wish};
use crate::{AskId, Effect, Nickname, NicknameScope, Refusal, Registration, SeatId};

/// How long the registry of the domain may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How many wishes of a session may wait behind one about which the registry is asked.
const MAX_WAITING: usize = 4;

impl Room {
    /// A session wants a nickname, or none.
    pub(super) fn nickname(&mut self, now: Instant, wish: Wish, name: &str) {
        let nickname = match self.wished(wish.seat, name) {
            Ok(nickname) => nickname,
            Err(refusal) => return self.answer(wish, Err(refusal)),
        };
        match self.roster.seat_mut(wish.seat).and_then(|seat| seat.pending.as_mut()) {
            None => self.carry_out(now, wish, nickname),
            Some(pending) if pending.waiting.len() < MAX_WAITING => pending.waiting.push_back((wish, nickname)),
            Some(_) => self.answer(wish, Err(Refusal::NicknameBusy)),
        }
    }

    /// The nickname that a session may wish for, or none where it gives up the one it has (§7.3). The order of the
    /// checks is that of §7.1.
    fn wished(&self, id: SeatId, name: &str) -> Result<Option<Nickname>, Refusal> {
        let seat = self.roster.seat(id).filter(|seat| seat.is_present()).ok_or(Refusal::NotAMember)?;
        if self.closed {
            return Err(Refusal::Closed);
        }
        if !self.policy.nicknames {
            return Err(Refusal::NicknamesOff);
        }
        if name.is_empty() {
            return Ok(None);
        }
        let nickname = Nickname::new(name).map_err(|_| Refusal::NicknameMalformed)?;
        if self.reserved.bars(&nickname, self.policy.nickname_confusables, seat) {
            return Err(Refusal::NicknameReserved);
        }
        Ok(Some(nickname))
    }

    /// Carries out a wish as far as the room can.
    fn carry_out(&mut self, now: Instant, wish: Wish, nickname: Option<Nickname>) {
        let Some(nickname) = nickname else { return self.replace(now, wish, None) };
        let seat = wish.seat;
        let Some(account) = self.roster.seat(seat).map(|seat| seat.account.clone()) else { return };
        let confusables = self.policy.nickname_confusables;
        if self.nicknames.reserve(now, seat, &account, &nickname, confusables).is_err() {
            return self.answer(wish, Err(Refusal::NicknameTaken));
        }
        if self.policy.nickname_scope == NicknameScope::Room {
            return self.replace(now, wish, Some((nickname, false)));
        }
        self.asked = self.asked.saturating_add(1);
        let ask = AskId(self.asked);
        self.asks.insert(ask, (seat, now + ANSWER_WITHIN));
        let pending = Pending { ask, wish, nickname: nickname.clone(), waiting: VecDeque::new() };
        if let Some(seat) = self.roster.seat_mut(seat) {
            seat.pending = Some(Box::new(pending));
        }
        let question = Registration::Reserve { ask, seat, account, nickname, confusables };
        self.effects.push_back(Effect::Register(question));
    }

    /// The registry of the domain has answered.
    pub(super) fn nickname_answer(&mut self, now: Instant, ask: AskId, granted: bool) {
        let Some((id, _)) = self.asks.remove(&ask) else { return };
        let Some(pending) = self.roster.seat_mut(id).and_then(|seat| seat.pending.take()) else { return };
        let Pending { wish, nickname, waiting, .. } = *pending;
        if granted {
            self.replace(now, wish, Some((nickname, true)));
        } else {
            self.withdraw(now, id, &nickname);
            self.answer(wish, Err(Refusal::NicknameTaken));
        }
        self.go_on(now, id, waiting);
    }

    /// Gives up the questions that have not been answered in time.
    pub(super) fn nickname_answers_due(&mut self, now: Instant) {
        while let Some(entry) = self.asks.first_entry().filter(|entry| entry.get().1 <= now) {
            let (id, _) = entry.remove();
            let Some(seat) = self.roster.seat_mut(id) else { continue };
            let Some(pending) = seat.pending.take() else { continue };
            let Pending { wish, nickname, waiting, .. } = *pending;
            let is_in_force = seat.has_nickname(&nickname) && seat.nickname.as_ref().is_some_and(|it| it.in_domain);
            if !is_in_force {
                self.release_in_domain(id, &nickname);
            }
            self.withdraw(now, id, &nickname);
            self.answer(wish, Err(Refusal::NicknameUndecided));
            self.go_on(now, id, waiting);
        }
    }

    /// Carries out the wishes that have waited, until one of them has to wait for the registry itself.
    fn go_on(&mut self, now: Instant, id: SeatId, mut waiting: VecDeque<(Wish, Option<Nickname>)>) {
        while let Some((wish, nickname)) = waiting.pop_front() {
            self.carry_out(now, wish, nickname);
            if let Some(pending) = self.roster.seat_mut(id).and_then(|seat| seat.pending.as_mut()) {
                pending.waiting = waiting;
                return;
            }
        }
    }

    /// Puts a nickname, or none, in the place of the old one, which is released only now (§7.2).
    fn replace(&mut self, now: Instant, wish: Wish, nickname: Option<(Nickname, bool)>) {
        let Some(identity) = self.roster.seat(wish.seat).map(|seat| seat.identity.clone()) else { return };
        let shown = self.roster.shown(&identity);
        let granted = nickname.map(|(nickname, in_domain)| {
            self.grants = self.grants.saturating_add(1);
            Granted { nickname, order: self.grants, in_domain }
        });
        let Some(seat) = self.roster.seat_mut(wish.seat) else { return };
        let old = std::mem::replace(&mut seat.nickname, granted);
        let outcome = seat.nickname.as_ref().map(|granted| granted.nickname.shown().to_owned());
        if let Some(old) = old {
            self.release_old(now, wish.seat, &old);
        }
        self.answer(wish, Ok(outcome));
        self.report_shown(identity, shown);
    }

    /// Releases a nickname that is no longer in force, unless another form of it is.
    fn release_old(&mut self, now: Instant, id: SeatId, old: &Granted) {
        let new = self.roster.seat(id).and_then(|seat| seat.nickname.as_ref());
        let new = new.filter(|new| new.nickname.is_same(&old.nickname));
        let (is_in_room, is_in_domain) = (new.is_some(), new.is_some_and(|new| new.in_domain));
        if !is_in_room {
            self.nicknames.release(now, id, &old.nickname, self.policy.nickname_quarantine);
        }
        if old.in_domain && !is_in_domain {
            self.release_in_domain(id, &old.nickname);
        }
    }

    /// Takes back the hold on a nickname that is not granted after all. Whoever has it in the domain may have it in the
    /// room at once. What is in force stays so, in the form that it had.
    fn withdraw(&mut self, now: Instant, id: SeatId, nickname: &Nickname) {
        let Some(seat) = self.roster.seat(id) else { return };
        match seat.nickname.as_ref().filter(|granted| granted.nickname.is_same(nickname)) {
            Some(granted) => self.nicknames.put(id, &seat.account, &granted.nickname),
            None => self.nicknames.release(now, id, nickname, Duration::ZERO),
        }
    }

    /// Releases what a session had that has left, and what it wished for.
    pub(super) fn release_nicknames(&mut self, now: Instant, id: SeatId, seat: &Seat) {
        let quarantine = self.policy.nickname_quarantine;
        if let Some(pending) = &seat.pending {
            self.asks.remove(&pending.ask);
            self.release_in_domain(id, &pending.nickname);
            if !seat.has_nickname(&pending.nickname) {
                self.nicknames.release(now, id, &pending.nickname, Duration::ZERO);
            }
        }
        if let Some(granted) = &seat.nickname {
            self.nicknames.release(now, id, &granted.nickname, quarantine);
            let is_released = seat.pending.as_ref().is_some_and(|pending| pending.nickname.is_same(&granted.nickname));
            if granted.in_domain && !is_released {
                self.release_in_domain(id, &granted.nickname);
            }
        }
    }

    /// A session leaves its nickname to another of its user, who has none: nobody sees a difference. One that others know by
    /// its user's own address and one that hides it have nothing in common that others could see.
    pub(super) fn hand_over_nickname(&mut self, now: Instant, from: SeatId, to: SeatId) {
        let has_none = |seat: &Seat| seat.nickname.is_none() && seat.pending.is_none();
        let is_hidden = |seat: &Seat| seat.identity != seat.account;
        let hides = |id| self.roster.seat(id).map(is_hidden);
        if !self.roster.seat(to).is_some_and(has_none) || hides(from) != hides(to) {
            return;
        }
        let identities = [from, to].map(|id| self.roster.seat(id).map(|seat| seat.identity.clone()));
        let [Some(old), Some(new)] = identities else { return };
        let (old_shown, new_shown) = (self.roster.shown(&old), self.roster.shown(&new));
        let Some(seat) = self.roster.seat_mut(from) else { return };
        let account = seat.account.clone();
        let Some(granted) = seat.nickname.take() else { return };
        self.nicknames.put(to, &account, &granted.nickname);
        self.nicknames.release(now, from, &granted.nickname, Duration::ZERO);
        if granted.in_domain {
            // The registry of the domain hears of it as of a wish; it is the same user's, so that the answer is of no interest.
            self.asked = self.asked.saturating_add(1);
            let (ask, nickname) = (AskId(self.asked), granted.nickname.clone());
            let confusables = self.policy.nickname_confusables;
            let question = Registration::Reserve { ask, seat: to, account, nickname, confusables };
            self.effects.push_back(Effect::Register(question));
            self.release_in_domain(from, &granted.nickname);
        }
        if let Some(seat) = self.roster.seat_mut(to) {
            seat.nickname = Some(granted);
        }
        if old != new {
            self.report_shown(old, old_shown);
        }
        self.report_shown(new, new_shown);
    }

    fn release_in_domain(&mut self, seat: SeatId, nickname: &Nickname) {
        let keep = self.policy.nickname_quarantine;
        self.effects.push_back(Effect::Register(Registration::Release { seat, nickname: nickname.clone(), keep }));
    }

    fn answer(&mut self, wish: Wish, outcome: Result<Option<String>, Refusal>) {
        self.effects.push_back(Effect::Nickname { seat: wish.seat, token: wish.token, outcome });
    }
}
