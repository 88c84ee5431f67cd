//! People who are called by a room: they register, ring, take the call or refuse it.

use super::{Caller, Chat, Guest, Person, SipMessage};
use crate::people::ear::Ear;
use crate::stage::Phone;

impl Chat {
    /// A phone of somebody of the domain, registered over its connection. In digest mode it cannot.
    ///
    /// # Panics
    /// When the REGISTER is refused.
    pub fn registered(&mut self, name: &str) -> Phone {
        self.registered_with(name, "")
    }

    /// The same with further header fields.
    ///
    /// # Panics
    /// When the REGISTER is refused.
    pub fn registered_with(&mut self, name: &str, lines: &str) -> Phone {
        let phone = self.stage.phone();
        self.calls += 1;
        let (number, address) = (self.calls, phone.address());
        let call_id = format!("register{number}@example.net");
        let text = format!(
            "REGISTER sip:chat.example.com SIP/2.0\r\nVia: SIP/2.0/TCP {address};branch=z9hG4bKregister{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{name}@chat.example.com>;tag=register{number}\r\n\
             To: <sip:{name}@chat.example.com>\r\nCall-ID: {call_id}\r\nCSeq: 1 REGISTER\r\n{lines}\
             Contact: <sip:{name}@{address};transport=tcp>\r\nContent-Length: 0\r\n\r\n"
        );
        self.stage.send_octets(phone, text.into_bytes());
        assert_eq!(self.sip(phone, &call_id).map(|answer| answer.code()), Some(200), "{name} cannot register");
        phone
    }

    /// The next request of a method that a phone has got.
    pub fn next_request(&mut self, phone: Phone, method: &str) -> Option<SipMessage> {
        self.gather(phone);
        let heard = self.heard.get_mut(&phone)?;
        let at = heard.iter().position(|message| message.start.starts_with(&format!("{method} ")))?;
        heard.remove(at)
    }

    /// All that a phone has got and nobody has looked at, by its first lines.
    pub fn unread(&mut self, phone: Phone) -> Vec<String> {
        self.gather(phone);
        let heard = self.heard.get(&phone).into_iter().flatten();
        heard.map(|message| message.start.clone()).collect()
    }

    /// A phone answers a request: the To of the answer has the tag `callee`, its Contact is the phone's.
    pub fn reply_to(&mut self, phone: Phone, request: &SipMessage, code: u16, body: Option<(String, String)>) {
        self.reply_with(phone, request, code, &[], body);
    }

    fn reply_with(
        &mut self,
        phone: Phone,
        request: &SipMessage,
        code: u16,
        further: &[String],
        body: Option<(String, String)>,
    ) {
        let mut text = format!("SIP/2.0 {code} {}\r\n", sip::reason_phrase(code));
        for (name, value) in &request.headers {
            if ["Via", "From", "Call-ID", "CSeq", "Record-Route"].contains(&name.as_str()) {
                text.push_str(&format!("{name}: {value}\r\n"));
            } else if name == "To" {
                let tag = if value.contains(";tag=") { "" } else { ";tag=callee" };
                text.push_str(&format!("To: {value}{tag}\r\n"));
            }
        }
        text.push_str(&format!("Contact: <sip:callee@{};transport=tcp>\r\n", phone.address()));
        further.iter().for_each(|line| text.push_str(&format!("{line}\r\n")));
        let (content_type, body) = body.unwrap_or_default();
        if !body.is_empty() {
            text.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        self.stage.send_octets(phone, text.into_bytes());
    }

    /// Somebody takes a call, and gets the ACK. They connect, as `Caller` has it by default: [`Chat::bind`] follows.
    ///
    /// # Panics
    /// When no ACK comes.
    pub fn take_call(&mut self, phone: Phone, invite: &SipMessage, callee: impl Into<Caller>) -> Person {
        let callee = callee.into();
        self.calls += 1;
        let path = callee.path(self.calls);
        let active = callee.body(&path, 1).map(|(kind, text)| {
            let setup = if text.contains("a=setup:") { "" } else { "a=setup:active\r\n" };
            (kind, text + setup)
        });
        self.reply_with(phone, invite, 200, callee.headers(), active);
        let ack = self.next_request(phone, "ACK").expect("the 200 is acknowledged");
        let header = |name| invite.header(name).unwrap_or_default().to_owned();
        let offer = SipMessage {
            start: String::new(),
            headers: vec![("To".to_owned(), ack.header("From").unwrap_or_default().to_owned())],
            body: invite.body.clone(),
        };
        let guest = Guest {
            call_id: header("Call-ID"),
            tag: "callee".to_owned(),
            cseq: 1,
            offers: 1,
            path,
            offered: String::new(),
            answer: offer,
            link: None,
            ear: Ear::default(),
            phone,
            caller: callee,
        };
        self.guests.push(guest);
        Person(self.guests.len() - 1)
    }

    pub(super) fn gather(&mut self, phone: Phone) {
        while !self.stage.is_silent(phone) {
            let message = SipMessage::read(&self.stage.heard(phone));
            self.heard.entry(phone).or_default().push_back(message);
        }
    }
}
