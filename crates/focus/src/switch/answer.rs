//! What goes back to who sent a request: responses and success REPORTs (RFC 4975 §7.1.2, §7.2; RFC 7701 §6.3).

use msrp::encode::{Report as ReportFrame, ident, response};
use msrp::frame::{ByteRange, Method};
use room::{Refusal, SeatId};

use super::{Report, Worker};
use crate::ids::{ConnectionId, Handle};
use crate::mail::Reply;

/// Names no session: frames that stand for none are queued with it.
const NOBODY: Handle = Handle { slot: u32::MAX, generation: u32::MAX };

/// The response code of a refusal (RFC 7701 §6.1 to §6.3, §7.1; decisions D14, D25, D51).
pub(crate) fn code(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::NoFrom | Refusal::NoTo => 400,
        Refusal::NoSuchRecipient => 404,
        Refusal::TypeNotAccepted | Refusal::TypeNotInPolicy => 415,
        Refusal::NicknameMalformed => 424,
        Refusal::NicknameTaken | Refusal::NicknameReserved => 425,
        Refusal::PrivateUnsupported => 428,
        Refusal::NotAMember | Refusal::Closed => 481,
        // A sender that is another, several recipients, what the policy forbids.
        Refusal::NotASender
        | Refusal::SeveralRecipients
        | Refusal::Muted
        | Refusal::PrivateForbidden
        | Refusal::NicknamesOff
        | Refusal::NicknameUndecided
        | Refusal::NicknameBusy
        // No message and no nickname is refused for the rest.
        | Refusal::SeatTaken
        | Refusal::AlreadyPresent
        | Refusal::Full => 403,
    }
}

/// A success REPORT on a whole message.
pub(crate) struct Success<'a> {
    pub(crate) report: &'a Report,
    /// Octets of the message.
    pub(crate) size: u64,
    /// From and To of the wrapper, where the message was private (RFC 7701 §6.2).
    pub(crate) private: Option<(&'a str, &'a str)>,
}

impl Worker {
    /// Answers a request on a connection, in the name of one of our URIs.
    pub(crate) fn answer(&mut self, id: ConnectionId, reply: &Reply, code: u16, own: &str) {
        self.outlets.push_frame(id.0, NOBODY, |out| response(out, &reply.transaction, code, &reply.to_path, own));
    }

    /// Answers a request of a session that is no SEND: always.
    pub(crate) fn answer_session(&mut self, handle: Handle, reply: &Reply, code: u16) {
        let Some(session) = self.sessions.get(handle) else { return };
        let write = |out: &mut Vec<u8>| response(out, &reply.transaction, code, &reply.to_path, &session.own_path);
        self.outlets.push_frame(session.connection.0, handle, write);
    }

    /// Answers a SEND of a session, as far as it wants to hear that code.
    pub(crate) fn answer_send(&mut self, handle: Handle, reply: &Reply, code: u16) {
        if msrp::report::is_answered(Method::Send, reply.wanted, code) {
            self.answer_session(handle, reply, code);
        }
    }

    /// Answers a SEND without a body. There are peers that ask for a success REPORT of the one that binds.
    pub(crate) fn probed(&mut self, session: Handle, reply: &Reply, report: Option<&Report>) {
        self.answer_send(session, reply, 200);
        if let Some(report) = report {
            self.report(session, &Success { report, size: 0, private: None });
        }
    }

    /// Says by a REPORT that a whole message has been taken.
    pub(crate) fn report(&mut self, handle: Handle, success: &Success<'_>) {
        let transaction = ident(&mut *self.rng, 12);
        let Some(session) = self.sessions.get(handle) else { return };
        // RFC 7701 §6.2 wants the wrapper and no more: an empty text completes it (decision D51).
        let wrapper = success.private.map(|(from, to)| {
            let text = format!("From: {from}\r\nTo: {to}\r\n\r\nContent-Type: text/plain\r\n\r\n");
            text.into_bytes()
        });
        let frame = ReportFrame {
            transaction: &transaction,
            to_path: &success.report.to_path,
            from_path: &session.own_path,
            message_id: &success.report.message_id,
            byte_range: Some(ByteRange { start: 1, end: Some(success.size), total: Some(success.size) }),
            status_code: 200,
            content: wrapper.as_deref().map(|octets| ("message/cpim", octets)),
        };
        self.outlets.push_frame(session.connection.0, handle, |out| frame.encode(out));
    }

    /// The room's answer to a nickname asked for by mail.
    pub(crate) fn named(&mut self, seat: SeatId, reply: &Reply, code: u16) {
        if let Some(handle) = self.session_of_seat(seat) {
            self.answer_session(handle, reply, code);
        }
    }
}
