//! Who subscribes to the roster of a room (RFC 6665), in a dialog or out of one.

use std::time::Duration;

use super::{Caller, Chat, Person, SipMessage, authorization};

impl Chat {
    /// A SUBSCRIBE out of any dialog, with credentials when it is challenged for them. Whoever gets a subscription is a person
    /// without a seat.
    ///
    /// # Errors
    /// The final response, where it is a refusal.
    pub fn watch(&mut self, caller: impl Into<Caller>, lines: &[&str]) -> Result<Person, SipMessage> {
        let caller = caller.into();
        let phone = if caller.udp { self.stage.udp_phone() } else { self.stage.phone() };
        let mut guest = self.stranger(phone, caller);
        let text = with_lines(&guest.request("SUBSCRIBE", 1, false, None, None), lines);
        self.stage.send_octets(phone, text.into_bytes());
        let mut answer = self.reply(&guest);
        if answer.code() == 401
            && let Some(authorization) = authorization(&guest.caller, &answer, "SUBSCRIBE")
        {
            guest.cseq += 1;
            let text = with_lines(&guest.request("SUBSCRIBE", guest.cseq, false, Some(&authorization), None), lines);
            self.stage.send_octets(phone, text.into_bytes());
            answer = self.reply(&guest);
        }
        if answer.code() != 200 {
            return Err(answer);
        }
        Ok(self.seat(guest, answer))
    }

    /// A SUBSCRIBE in somebody's dialog, and its final response.
    ///
    /// # Panics
    /// When there is none.
    pub fn subscribe(&mut self, person: Person, lines: &[&str]) -> SipMessage {
        self.request_with(person, "SUBSCRIBE", lines)
    }

    /// A request in somebody's dialog with further header fields, and its final response.
    ///
    /// # Panics
    /// When there is none.
    pub fn request_with(&mut self, person: Person, method: &str, lines: &[&str]) -> SipMessage {
        let guest = &mut self.guests[person.0];
        guest.cseq += 1;
        let (phone, cseq, call_id) = (guest.phone, guest.cseq, guest.call_id.clone());
        let text = with_lines(&guest.request(method, cseq, true, None, None), lines);
        self.stage.send_octets(phone, text.into_bytes());
        self.sip(phone, &call_id).unwrap_or_else(|| panic!("no answer to {method}"))
    }

    /// The NOTIFY that somebody has got, if they have; they take it.
    pub fn notified(&mut self, person: Person) -> Option<SipMessage> {
        self.notified_with(person, "200 OK")
    }

    /// The same, answered otherwise.
    ///
    /// # Panics
    /// When something else than a NOTIFY has come.
    pub fn notified_with(&mut self, person: Person, status: &str) -> Option<SipMessage> {
        // What may be told at once is told before anything else is waited for.
        self.stage.pass(Duration::ZERO);
        let notify = self.next_sip(person)?;
        assert!(notify.start.starts_with("NOTIFY "), "{notify:?}");
        self.answer_to(person, &notify, status);
        Some(notify)
    }

    /// Answers a request that somebody has got.
    pub fn answer_to(&mut self, person: Person, request: &SipMessage, status: &str) {
        self.answer_with(person, request, status, None);
    }

    /// The same with a body and a Contact.
    pub fn answer_with(&mut self, person: Person, request: &SipMessage, status: &str, body: Option<(String, String)>) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            text.push_str(&format!("{name}: {}\r\n", request.header(name).unwrap_or_default()));
        }
        let phone = self.phone(person);
        if let Some((content_type, _)) = &body {
            text.push_str(&format!("Contact: <sip:somebody@{}>\r\nContent-Type: {content_type}\r\n", phone.address()));
        }
        let body = body.map(|(_, body)| body).unwrap_or_default();
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        self.stage.send_octets(phone, text.into_bytes());
    }
}

/// A request with further header fields.
fn with_lines(text: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    text.replacen("Content-Length: ", &format!("{lines}Content-Length: "), 1)
}
