//! Participants whose user agent does not know what a chat room is: they are told in messages (RFC 7701 §11).

use room::{Change, SeatId, UserView};

use crate::ids::{Place, RoomId, WorkerId};
use crate::mail::Letter;
use crate::worker::Worker;

/// How many participants are named in a message; of the rest the number is told.
const NAMED: usize = 50;

impl Worker {
    /// Somebody has just entered: where their user agent does not know it, they are told that they talk to many, and to whom.
    pub(super) fn greet(&mut self, room: RoomId, id: SeatId) {
        let Some(residence) = self.homes.rooms.get_mut(&room) else { return };
        let subject = residence.subject.clone();
        let Some(seat) = residence.seats.get_mut(&id).filter(|seat| !seat.is_aware()) else { return };
        let Some(worker) = seat.worker().filter(|_| !std::mem::replace(&mut seat.greeted, true)) else { return };
        let address = residence.room.address();
        let about = subject.map(|subject| format!(" about \"{subject}\"")).unwrap_or_default();
        let welcome = format!("You are in the chat room {address}{about}. What you send goes to everybody in it.");
        let mut present = residence.room.users();
        let named: Vec<String> = present.by_ref().take(NAMED).map(|user| name_of(&user)).collect();
        let more = match present.count() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let list = format!("In the room: {}{more}.", named.join(", "));
        self.tell_by_mail(worker, id, welcome);
        self.tell_by_mail(worker, id, list);
    }

    /// Where the policy wants it, those are told as well who come and go.
    pub(super) fn tell_unaware(&mut self, room: RoomId, change: &Change) {
        let Some(residence) = self.homes.rooms.get(&room).filter(|residence| residence.policy.unaware_updates) else {
            return;
        };
        let (text, about) = match change {
            Change::UserJoined { identity, display_name, .. } => {
                (format!("{} has joined.", named(identity.as_str(), display_name.as_deref())), identity)
            }
            Change::UserLeft { identity, .. } => (format!("{identity} has left."), identity),
            Change::NicknameChanged { identity, nickname: Some(nickname) } => {
                (format!("{identity} is now called {nickname}."), identity)
            }
            Change::NicknameChanged { identity, nickname: None } => (format!("{identity} has no nickname."), identity),
            _ => return,
        };
        let others = residence.seats.iter().filter(|(_, seat)| !seat.is_aware() && seat.is_other_than(about));
        let told: Vec<(WorkerId, SeatId)> = others.filter_map(|(id, seat)| Some((seat.worker()?, *id))).collect();
        for (worker, id) in told {
            self.tell_by_mail(worker, id, text.clone());
        }
    }

    fn tell_by_mail(&mut self, worker: WorkerId, seat: SeatId, text: String) {
        self.post(Place::Worker(worker), Letter::Tell { seat, text: text.into() });
    }
}

fn name_of(user: &UserView<'_>) -> String {
    named(user.identity.as_str(), user.nickname.or(user.display_name))
}

fn named(identity: &str, name: Option<&str>) -> String {
    name.map_or_else(|| identity.to_owned(), |name| format!("{name} <{identity}>"))
}
