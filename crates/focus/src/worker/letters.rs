//! What the letters to a worker mean.

use std::time::Instant;

use room::Epoch;

use super::{ClaimState, Worker};
use crate::branch::Outbound;
use crate::home::Claimant;
use crate::ids::{ConnectionId, Place};
use crate::mail::{Cause, Facts, Letter, Mail};

impl Worker {
    /// Does what a letter asks for.
    pub(super) fn read_mail(&mut self, now: Instant, mail: Mail) {
        match mail.0 {
            Letter::Open { room, address, hosts, subject, creator, policy } => {
                let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
                let made = room::Room::new(address, &hosts, policy.room.clone());
                self.open_room(room, creator.into_iter().fold(made, room::Room::with_creator), subject, *policy);
            }
            Letter::Close { room } => self.close_room(now, room),
            Letter::Policy { room, policy } => self.set_policy(now, room, *policy),
            Letter::Join(join) => self.join(now, *join),
            Letter::Reoffer { room, seat, number, media, capabilities } => {
                self.reoffer(now, (room, seat), number, media, capabilities);
            }
            Letter::Registered { room, ask, granted } => self.registered(now, room, ask, granted),
            Letter::Dial { room, seat, remotes, server_name } => self.dial(now, (room, seat), remotes, server_name),
            Letter::Mute { room, seat, muted } => self.mute(now, room, seat, muted),
            Letter::Subject { room, subject } => self.set_subject(room, subject),
            Letter::Leave { room, seat } => self.leave(now, room, seat),
            Letter::Claim { worker, connection, session, path, secure } => {
                self.claim_by_mail(now, Claimant { worker, connection, session, path, secure });
            }
            Letter::Lost { room, seat, session, cause } => self.lost(now, (room, seat), &session, cause),
            Letter::Post(post) => self.say_by_mail(now, &post),
            Letter::Pass { room, stream, origin, octets, end } => {
                self.pass_by_mail(now, room, (stream, origin), &octets, end);
            }
            Letter::Settle { tickets } => self.settle(tickets),
            Letter::Settled { origin, octets } => self.discharge(origin.handle, octets),
            Letter::Nickname { room, seat, worker, reply, wanted } => {
                self.name(now, (room, seat), worker, reply, &wanted);
            }
            Letter::Claimed { connection, facts, epoch } => self.claimed(now, connection, *facts, epoch),
            Letter::Unclaimed { connection, session, code } => self.unclaimed(now, connection, session, code),
            Letter::Unseat { seat } => self.end_session(now, seat),
            Letter::Tell { seat, text } => self.tell_seat(seat, &text),
            Letter::Updated { seat, media, capabilities } => self.update_session(seat, &media, capabilities),
            Letter::Verdict { seat, stream, verdict } => self.judged(now, seat, stream, verdict),
            Letter::Named { seat, reply, code } => self.named(seat, &reply, code),
            Letter::Deliver(delivery) => {
                let outbound = Outbound {
                    stream: delivery.stream,
                    origin: delivery.origin,
                    audience: &delivery.audience,
                    content_type: &delivery.content_type,
                    octets: &delivery.octets,
                    end: delivery.end,
                    announced: delivery.announced,
                };
                self.receipts.push(delivery.receipt);
                self.deliver_here(now, delivery.room, &outbound);
            }
            Letter::Passed { stream, octets, end, receipt } => {
                self.receipts.push(receipt);
                self.pass_here(now, stream, &octets, end);
            }
            Letter::Hold { origin, by, connection } => self.hold(now, origin, by, connection),
            Letter::Release { origin, by, connection } => self.release(origin, by, connection),
            Letter::Weary { connection } => self.weary(connection),
            // Letters to signalling.
            Letter::Joined { .. }
            | Letter::Agreed { .. }
            | Letter::Register { .. }
            | Letter::Declined { .. }
            | Letter::Roster { .. }
            | Letter::Dismiss { .. } => {}
        }
    }

    /// The claimant's session: made here, or given back when the connection has gone meanwhile.
    fn claimed(&mut self, now: Instant, id: ConnectionId, facts: Facts, epoch: Epoch) {
        let (home, room, seat, session) = (facts.home, facts.room, facts.seat, facts.session.clone());
        if self.seat_session(id, facts, epoch).is_none() {
            let cause = Cause::ConnectionLost;
            return self.post(Place::Worker(home), Letter::Lost { room, seat, session, cause });
        }
        self.claim_answered(now, id, ClaimState::None);
    }

    fn unclaimed(&mut self, now: Instant, id: ConnectionId, session: Box<str>, code: u16) {
        self.claim_answered(now, id, ClaimState::Refused(session, code));
    }
}
