//! What people ask of a room by REFER, and what they hear of it.

use super::{Caller, Chat, Person, SipMessage};
use crate::stage::Phone;

/// A NOTIFY about a REFER: its Event, the beginning of its Subscription-State, and the status line in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The value of Event.
    pub event: String,
    /// The state, with its reason if there is one.
    pub state: String,
    /// The code of the status line, and its reason phrase.
    pub status: String,
}

impl Chat {
    /// A REFER in somebody's dialog with these lines, and its final answer.
    ///
    /// # Panics
    /// When none comes.
    pub fn refer(&mut self, person: Person, lines: &str) -> SipMessage {
        self.refer_with(person, lines, None)
    }

    /// The same with a body.
    ///
    /// # Panics
    /// When no answer comes.
    pub fn refer_with(&mut self, person: Person, lines: &str, body: Option<(String, String)>) -> SipMessage {
        let guest = &mut self.guests[person.0];
        guest.cseq += 1;
        let (phone, cseq, call_id) = (guest.phone, guest.cseq, guest.call_id.clone());
        let text = with_lines(&guest.request("REFER", cseq, true, None, body), lines);
        self.stage.send_octets(phone, text.into_bytes());
        self.final_answer(phone, &call_id, "REFER")
    }

    /// A REFER outside of a dialog, and its final answer. Its Call-ID is that of the answer.
    ///
    /// # Panics
    /// When none comes.
    pub fn refer_outside(&mut self, phone: Phone, caller: impl Into<Caller>, lines: &str) -> SipMessage {
        let guest = self.stranger(phone, caller.into());
        let text = with_lines(&guest.request("REFER", 1, false, None, None), lines);
        self.stage.send_octets(phone, text.into_bytes());
        self.final_answer(phone, &guest.call_id, "REFER")
    }

    fn final_answer(&mut self, phone: Phone, call_id: &str, method: &str) -> SipMessage {
        self.gather(phone);
        let heard = self.heard.entry(phone).or_default();
        let is_it = |message: &SipMessage| {
            let of_method = message.header("CSeq").is_some_and(|cseq| cseq.ends_with(method));
            message.code() >= 200 && of_method && message.header("Call-ID") == Some(call_id)
        };
        let at = heard.iter().position(is_it).expect("a final answer");
        heard.remove(at).expect("it is there")
    }

    /// The next NOTIFY on a phone, answered by 200.
    pub fn progress(&mut self, phone: Phone) -> Option<Progress> {
        let notify = self.next_request(phone, "NOTIFY")?;
        self.reply_to(phone, &notify, 200, None);
        let header = |name| notify.header(name).unwrap_or_default();
        assert_eq!(header("Content-Type"), "message/sipfrag;version=2.0", "{notify:?}");
        let state = header("Subscription-State").split(";expires=").next().unwrap_or_default();
        let status = notify.body.strip_prefix("SIP/2.0 ").and_then(|rest| rest.strip_suffix("\r\n"));
        Some(Progress {
            event: header("Event").to_owned(),
            state: state.to_owned(),
            status: status.unwrap_or_else(|| panic!("no status line: {notify:?}")).to_owned(),
        })
    }

    /// All that the NOTIFYs on a phone say, in short: `active 100 Trying`.
    pub fn told(&mut self, phone: Phone) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(Progress { state, status, .. }) = self.progress(phone) {
            all.push(format!("{state} {status}"));
        }
        all
    }

    /// The name of somebody's dialog for Join and Replaces: `call-id;to-tag=…;from-tag=…`, the tags as the room sees them.
    #[must_use]
    pub fn dialog_name(&self, person: Person) -> String {
        let [call_id, local, remote] = self.dialog_parts(person);
        format!("{call_id};to-tag={local};from-tag={remote}")
    }

    /// The Call-ID of somebody's dialog, the room's tag and theirs.
    #[must_use]
    pub fn dialog_parts(&self, person: Person) -> [String; 3] {
        let guest = &self.guests[person.0];
        let to = guest.answer.header("To").unwrap_or_default();
        let tag = to.split_once(";tag=").map(|(_, tag)| tag).unwrap_or_default();
        [guest.call_id.clone(), tag.to_owned(), guest.tag.clone()]
    }
}

fn with_lines(text: &str, lines: &str) -> String {
    let lines: String =
        lines.lines().map(str::trim).filter(|line| !line.is_empty()).flat_map(|line| [line, "\r\n"]).collect();
    text.replacen("Content-Length:", &format!("{lines}Content-Length:"), 1)
}
