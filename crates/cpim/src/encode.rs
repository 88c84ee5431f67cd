//! New messages.

use crate::escape::quote;

/// A message to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who sends it.
    pub from: Party<'a>,
    /// Whom it is for.
    pub to: Party<'a>,
    /// When it was sent: RFC 3339, with its zone (§4.4).
    pub date_time: Option<&'a str>,
    /// What it is about (§4.5).
    pub subject: Option<&'a str>,
    /// The media type of the content, with its parameters.
    pub content_type: &'a str,
    /// The content's octets.
    pub content: &'a [u8],
}

/// Somebody who sends or gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party<'a> {
    /// The name as a person reads it, without quotes or escapes. One that holds an address in angle brackets is left
    /// out: some reader would take that one for the party's.
    pub name: Option<&'a str>,
    /// The URI. What no URI can hold is written with percent signs, so that none breaks out of its brackets.
    pub uri: &'a str,
}

impl<'a> Party<'a> {
    /// Somebody without a name.
    pub fn new(uri: &'a str) -> Self {
        Self { name: None, uri }
    }
}

impl Message<'_> {
    /// The message's octets (§2). Whatever the fields hold, they stay in their headers: names and the subject are
    /// escaped (§2.3.1), control characters in the other fields are left out.
    pub fn encode(&self) -> Vec<u8> {
        let mut head = String::with_capacity(256);
        push_party(&mut head, "From", &self.from);
        push_party(&mut head, "To", &self.to);
        if let Some(date_time) = self.date_time {
            push_line(&mut head, "DateTime", &without_controls(date_time));
        }
        if let Some(subject) = self.subject {
            push_line(&mut head, "Subject", &crate::escape(subject));
        }
        head.push_str("\r\n");
        push_line(&mut head, "Content-Type", &without_controls(self.content_type));
        head.push_str("\r\n");
        let mut octets = head.into_bytes();
        octets.extend_from_slice(self.content);
        octets
    }
}

fn push_line(head: &mut String, name: &str, value: &str) {
    head.push_str(name);
    head.push_str(": ");
    head.push_str(value);
    head.push_str("\r\n");
}

fn push_party(head: &mut String, header: &str, party: &Party<'_>) {
    let mut value = String::with_capacity(party.uri.len().saturating_add(2));
    if let Some(name) = party.name.filter(|name| !crate::metadata::holds_address(name)) {
        value.push_str(&quote(name));
        value.push(' ');
    }
    value.push('<');
    for character in party.uri.chars() {
        match character {
            '<' | '>' | '"' | '\\' | ' ' | '\0'..='\u{1f}' | '\u{7f}' => {
                value.push_str(&format!("%{:02X}", u32::from(character)));
            }
            character => value.push(character),
        }
    }
    value.push('>');
    push_line(head, header, &value);
}

fn without_controls(text: &str) -> String {
    text.chars().filter(|character| !character.is_ascii_control()).collect()
}
