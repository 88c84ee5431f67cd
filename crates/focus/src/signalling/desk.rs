//! The operator's desk: commands to the rooms of the node, carried out as far as signalling knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use room::{Address, SeatId};

use super::admission::Caller;
use super::rooms::{Entry, Opening};
use super::seat::{Ending, Seat, Stage};
use super::{Output, Phase, Signalling};
use crate::desk::{Answer, Change, Charter, Command, DeskId, Person, Refusal, Standing, Summary, View};
use crate::mail::Letter;

/// The value of Reason (RFC 3326) for who has to go, and what they are told where the operator does not say.
const SENT_AWAY: (u16, &str) = (403, "You were sent out of the room");
const BANNED: (u16, &str) = (403, "You are banned from the room");
const DELETED: (u16, &str) = (410, "The room was deleted");
/// Octets of what the operator says; what is beyond is cut.
const MAX_REASON: usize = 256;

impl Standing {
    /// Whether somebody gets in who is known by these addresses.
    fn admits(&self, known_as: &[Address]) -> bool {
        let on = |list: &BTreeSet<Address>| known_as.iter().any(|address| list.contains(address));
        let invited = self.members.as_ref().is_none_or(|members| on(members) || on(&self.moderators));
        invited && !on(&self.banned)
    }

    /// Whether somebody is not heard who is known by these addresses.
    pub(super) fn silences(&self, known_as: &[Address]) -> bool {
        known_as.iter().any(|address| self.muted.contains(address))
    }
}

impl Entry {
    /// Whether a caller gets in.
    pub(super) fn admits(&self, caller: &Caller) -> bool {
        self.standing.admits(&caller.known_as())
    }

    fn charter(&self) -> Charter {
        Charter {
            subject: self.subject.as_deref().map(str::to_owned),
            policy: self.policy.as_ref().clone(),
            creator: self.creator.clone(),
            standing: self.standing.clone(),
            is_permanent: self.is_permanent,
        }
    }
}

impl Signalling {
    /// Carries a command of the operator out.
    pub(super) fn desk(&mut self, now: Instant, id: DeskId, command: Command) {
        let answer = self.obey(now, command).unwrap_or_else(Answer::Refused);
        self.outputs.push_back(Output::Desk { id, answer });
    }

    fn obey(&mut self, now: Instant, command: Command) -> Result<Answer, Refusal> {
        let looks = matches!(command, Command::List | Command::Show { .. } | Command::Whose { .. });
        if self.phase != Phase::Open && !looks {
            return Err(Refusal::Ending);
        }
        match command {
            Command::List => return Ok(Answer::Rooms(self.summaries())),
            Command::Show { room } => return self.view(&room).map(|view| Answer::Room(Box::new(view))),
            Command::Create { room, charter } => self.create(&room, *charter)?,
            Command::Delete { room, reason } => return self.delete(now, &room, reason.as_deref()),
            Command::Set { room, change: Change::Subject(subject) } => {
                let entry = self.entry(&room)?;
                let (id, home) = (entry.id, entry.home);
                self.post(home, Letter::Subject { room: id, subject: subject.as_deref().map(Into::into) });
                self.shown_described(now, id, &room, subject.as_deref());
                self.entry(&room)?.subject = subject.map(Into::into);
            }
            Command::Set { room, change: Change::Policy(policy) } => {
                let entry = self.entry(&room)?;
                entry.policy = Arc::new(policy.as_ref().clone());
                let (id, home, in_force) = (entry.id, entry.home, entry.policy.clone());
                self.repaced(id, &policy);
                self.post(home, Letter::Policy { room: id, policy });
                self.policy_changed(now, &room, &in_force);
            }
            Command::Set { room, change: Change::Permanent } => self.entry(&room)?.is_permanent = true,
            Command::Kick { room, user, reason } => {
                self.entry(&room)?;
                return match self.send_away(now, &room, &user, SENT_AWAY, reason.as_deref()) {
                    0 => Err(Refusal::NoSuchUser),
                    ended => Ok(Answer::Done { ended }),
                };
            }
            Command::Whose { room, user } => return self.account_of(&room, user).map(Answer::Whose),
            Command::Ban { room, user } => {
                let user = self.account_of(&room, user)?;
                self.entry(&room)?.standing.banned.insert(user.clone());
                return Ok(Answer::Done { ended: self.send_away(now, &room, &user, BANNED, None) });
            }
            Command::Unban { room, user } => mark(&mut self.entry(&room)?.standing.banned, user, false)?,
            Command::Mute { room, user } => self.mute(now, &room, user, true)?,
            Command::Unmute { room, user } => self.mute(now, &room, user, false)?,
            Command::Password { room, password } => {
                let entry = self.entry(&room)?;
                (entry.standing.password, entry.door) = (password, None);
            }
            Command::Moderator { room, user, is } => mark(&mut self.entry(&room)?.standing.moderators, user, is)?,
            Command::Member { room, user, is } => {
                let members = &mut self.entry(&room)?.standing.members;
                if !is && members.is_none() {
                    return Err(Refusal::NoSuchUser);
                }
                mark(members.get_or_insert_default(), user, is)?;
            }
            Command::Open { room } => self.entry(&room)?.standing.members = None,
            Command::Hidden { room, hidden } => self.entry(&room)?.standing.hidden = hidden,
        }
        Ok(Answer::Done { ended: 0 })
    }

    /// Who somebody is, where the operator knows them by the URI that was allotted to hide it.
    fn account_of(&mut self, room: &str, user: Address) -> Result<Address, Refusal> {
        let id = self.entry(room)?.id;
        let seat = self.seats_of(id, &user).find(|seat| seat.is_private && seat.identity == user);
        Ok(seat.map_or(user, |seat| seat.user.identity.clone()))
    }

    /// A user is not heard any more, or is again: in all sessions, those to come among them.
    fn mute(&mut self, now: Instant, room: &str, user: Address, is: bool) -> Result<(), Refusal> {
        let user = self.account_of(room, user)?;
        let entry = self.entry(room)?;
        mark(&mut entry.standing.muted, user, is)?;
        let (id, home, standing) = (entry.id, entry.home, entry.standing.clone());
        for seat_id in self.seats_in(room, |_| true) {
            let Some(seat) = self.seats.get_mut(&seat_id) else { continue };
            let muted = standing.silences(&seat.user.known_as());
            if std::mem::replace(&mut seat.is_muted, muted) != muted {
                self.post(home, Letter::Mute { room: id, seat: seat_id, muted });
                self.shown_muted(now, id, seat_id, muted);
            }
        }
        Ok(())
    }

    fn entry(&mut self, room: &str) -> Result<&mut Entry, Refusal> {
        self.rooms.get_mut(room).ok_or(Refusal::NoSuchRoom)
    }

    fn create(&mut self, room: &str, charter: Charter) -> Result<(), Refusal> {
        if self.rooms.get(room).is_some() {
            return Err(Refusal::RoomExists);
        }
        if self.rooms.is_full() {
            return Err(Refusal::TooMany);
        }
        let address = Address::parse(&format!("sip:{room}@{}", self.settings.domain));
        if !address.is_ok_and(|address| address.user() == room) {
            return Err(Refusal::Unnameable);
        }
        let Charter { subject, policy, creator, standing, is_permanent } = charter;
        let opening = Opening { name: room, subject, policy, creator, standing, is_permanent };
        self.open_room(opening).ok_or(Refusal::Unnameable)
    }

    /// Ends a room. Its dialogs get their BYE before its home hears of it, so that they say why.
    fn delete(&mut self, now: Instant, room: &str, reason: Option<&str>) -> Result<Answer, Refusal> {
        self.entry(room)?;
        let seats = self.seats_in(room, |_| true);
        let goodbye = Ending::SentAway(goodbye(DELETED, reason).into());
        // A room that ends when it is empty is gone with the last of them.
        seats.iter().for_each(|id| self.hang_up(now, *id, goodbye.clone()));
        if let Some(entry) = self.rooms.remove(room) {
            self.roster_closed(now, entry.id);
            self.post(entry.home, Letter::Close { room: entry.id });
        }
        Ok(Answer::Done { ended: seats.len() })
    }

    /// Ends all sessions of a user in a room; how many.
    fn send_away(
        &mut self,
        now: Instant,
        room: &str,
        user: &Address,
        default: (u16, &str),
        reason: Option<&str>,
    ) -> usize {
        let seats = self.seats_in(room, |seat| seat.is_known_as(user));
        let goodbye = Ending::SentAway(goodbye(default, reason).into());
        seats.iter().for_each(|id| self.hang_up(now, *id, goodbye.clone()));
        seats.len()
    }

    /// The seats that people have in a room, or are about to.
    pub(super) fn seats_in(&self, room: &str, is_it: impl Fn(&Seat) -> bool) -> Vec<SeatId> {
        let seats = self.rooms.get(room).into_iter().flat_map(|entry| &entry.seats);
        seats.filter(|id| self.seats.get(id).is_some_and(&is_it)).copied().collect()
    }

    /// Who has how many seats in a room. Who is being called has none yet.
    fn presence(&self, entry: &Entry) -> BTreeMap<&Address, usize> {
        let mut people = BTreeMap::new();
        let seats = entry.seats.iter().filter_map(|id| self.seats.get(id));
        for seat in seats.filter(|seat| !matches!(seat.stage, Stage::Calling)) {
            *people.entry(&seat.identity).or_default() += 1;
        }
        people
    }

    fn summaries(&self) -> Vec<Summary> {
        let summary = |(name, entry): (&str, &Entry)| {
            let people = self.presence(entry);
            Summary {
                room: name.to_owned(),
                subject: entry.subject.as_deref().map(str::to_owned),
                delete_when: entry.policy.room.delete_when,
                hidden: entry.standing.hidden,
                users: people.len(),
                sessions: people.values().sum(),
            }
        };
        self.rooms.iter().map(summary).collect()
    }

    fn view(&self, room: &str) -> Result<View, Refusal> {
        let entry = self.rooms.get(room).ok_or(Refusal::NoSuchRoom)?;
        let people = self.presence(entry);
        let person = |(address, sessions): (&Address, usize)| Person { address: address.clone(), sessions };
        Ok(View { room: room.to_owned(), charter: entry.charter(), people: people.into_iter().map(person).collect() })
    }
}

/// Puts somebody on a list, or takes them off it.
fn mark(list: &mut BTreeSet<Address>, user: Address, is: bool) -> Result<(), Refusal> {
    let changed = if is { list.insert(user) } else { list.remove(&user) };
    // To be put on it twice is no fault; to be taken off where one never was may be a slip of the pen.
    if changed || is { Ok(()) } else { Err(Refusal::NoSuchUser) }
}

/// The value of a Reason header field. What the operator says cannot leave its quotes (threat T33).
fn goodbye((cause, default): (u16, &str), reason: Option<&str>) -> String {
    let mut text = String::new();
    for character in reason.unwrap_or(default).chars().filter(|character| !character.is_control()) {
        if text.len() + character.len_utf8() > MAX_REASON {
            break;
        }
        if character == '"' || character == '\\' {
            text.push('\\');
        }
        text.push(character);
    }
    format!("SIP;cause={cause};text=\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    // THREATS T33
    #[test]
    fn what_the_operator_says_stays_within_its_quotes() {
        assert_eq!(goodbye(DELETED, None), "SIP;cause=410;text=\"The room was deleted\"");
        let said = "no \"spam\"\r\nVia: x\\";
        assert_eq!(goodbye(SENT_AWAY, Some(said)), "SIP;cause=403;text=\"no \\\"spam\\\"Via: x\\\\\"");
        let long = goodbye(SENT_AWAY, Some(&"é".repeat(1000)));
        assert_eq!(long, format!("SIP;cause=403;text=\"{}\"", "é".repeat(128)));
    }
}
