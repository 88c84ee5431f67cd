//! What somebody says: a message, and the chunks that it is sent in.

use super::wire_octets;

/// A message to be sent. What a test says nothing of is as the RFCs want it: From is the sender's address, the wrapper
/// Message/CPIM, the content plain text.
#[derive(Clone, Debug)]
pub struct Words {
    to: String,
    from: Option<String>,
    headers: Vec<String>,
    content_type: String,
    content: Vec<u8>,
    body: Option<Vec<u8>>,
    frame: Chunk,
}

/// A SEND to be sent, all but its paths and its transaction id.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The Message-ID; a fresh one where there is none.
    pub message_id: Option<String>,
    /// The value of Byte-Range, if it is to have one.
    pub range: Option<String>,
    /// Further lines of its head: before Content-Type.
    pub headers: Vec<String>,
    /// The type of the body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// The flag of the end-line.
    pub flag: char,
}

/// A text to a URI.
#[must_use]
pub fn to(uri: &str, text: &str) -> Words {
    Words {
        to: uri.to_owned(),
        from: None,
        headers: Vec::new(),
        content_type: "text/plain".to_owned(),
        content: text.as_bytes().to_vec(),
        body: None,
        frame: Chunk {
            message_id: None,
            range: None,
            headers: Vec::new(),
            content_type: Some("message/cpim".to_owned()),
            body: None,
            flag: '$',
        },
    }
}

/// A SEND without a body (RFC 4975 §5.4).
#[must_use]
pub fn nothing() -> Chunk {
    Chunk { message_id: None, range: None, headers: Vec::new(), content_type: None, body: None, flag: '$' }
}

impl Words {
    /// With this as the wrapper's From; the value of the header, where it has angle brackets.
    #[must_use]
    pub fn from(mut self, uri: &str) -> Self {
        self.from = Some(uri.to_owned());
        self
    }

    /// With a further line among the wrapper's headers.
    #[must_use]
    pub fn with_header(mut self, line: &str) -> Self {
        self.headers.push(line.to_owned());
        self
    }

    /// With a content of another type.
    #[must_use]
    pub fn typed(mut self, content_type: &str) -> Self {
        content_type.clone_into(&mut self.content_type);
        self
    }

    /// With other octets as the content.
    #[must_use]
    pub fn content(mut self, octets: &[u8]) -> Self {
        self.content = octets.to_vec();
        self
    }

    /// With this in the place of the whole Message/CPIM; a text as [`crate::script::wire`] reads it.
    #[must_use]
    pub fn whole_body(mut self, text: &str) -> Self {
        self.body = Some(wire_octets(text));
        self
    }

    /// With these octets in the place of the whole Message/CPIM.
    #[must_use]
    pub fn whole_octets(mut self, octets: &[u8]) -> Self {
        self.body = Some(octets.to_vec());
        self
    }

    /// With another type of the whole body.
    #[must_use]
    pub fn wrapped_in(mut self, content_type: &str) -> Self {
        self.frame.content_type = Some(content_type.to_owned());
        self
    }

    /// With a further header of MSRP.
    #[must_use]
    pub fn asking(mut self, line: &str) -> Self {
        self.frame.headers.push(line.to_owned());
        self
    }

    /// With a success REPORT asked for.
    #[must_use]
    pub fn asking_success(self) -> Self {
        self.asking("Success-Report: yes")
    }

    /// With this Message-ID.
    #[must_use]
    pub fn id(mut self, message_id: &str) -> Self {
        self.frame.message_id = Some(message_id.to_owned());
        self
    }

    /// With this Byte-Range.
    #[must_use]
    pub fn range(mut self, range: &str) -> Self {
        self.frame.range = Some(range.to_owned());
        self
    }

    /// All of it in one chunk, in the name of somebody.
    #[must_use]
    pub fn spoken_by(&self, uri: &str) -> Chunk {
        let mut chunk = self.frame.clone();
        let body = self.body.clone().unwrap_or_else(|| {
            let from = self.from.as_deref().unwrap_or(uri);
            let mut wrapper = format!("From: {}\r\nTo: {}\r\n", in_brackets(from), in_brackets(&self.to));
            for line in &self.headers {
                wrapper.push_str(line);
                wrapper.push_str("\r\n");
            }
            wrapper.push_str(&format!("\r\nContent-Type: {}\r\n\r\n", self.content_type));
            let mut octets = wrapper.into_bytes();
            octets.extend_from_slice(&self.content);
            octets
        });
        chunk.body = Some(body);
        chunk
    }
}

impl Chunk {
    /// The same with another flag.
    #[must_use]
    pub fn flagged(mut self, flag: char) -> Self {
        self.flag = flag;
        self
    }

    /// The same with another Byte-Range.
    #[must_use]
    pub fn ranged(mut self, range: &str) -> Self {
        self.range = Some(range.to_owned());
        self
    }

    /// The same with a further header.
    #[must_use]
    pub fn asking(mut self, line: &str) -> Self {
        self.headers.push(line.to_owned());
        self
    }

    /// The same with this Message-ID.
    #[must_use]
    pub fn id(mut self, message_id: &str) -> Self {
        self.message_id = Some(message_id.to_owned());
        self
    }

    /// The chunks that come of cutting the body at these places: the last has the flag of the whole, the others `+`, and
    /// each its Byte-Range with the total.
    ///
    /// # Panics
    /// Where there is no body or no Message-ID, or the places are out of order.
    #[must_use]
    pub fn cut_at(&self, places: &[usize]) -> Vec<Self> {
        assert!(self.message_id.is_some(), "chunks need a Message-ID in common");
        let body = self.body.as_ref().expect("only a body can be cut");
        let total = body.len();
        let mut chunks = Vec::new();
        let mut start = 0;
        for (nth, end) in places.iter().copied().chain([total]).enumerate() {
            let range = format!("{}-{end}/{total}", start + 1);
            let body = Some(body[start..end].to_vec());
            let flag = if nth == places.len() { self.flag } else { '+' };
            chunks.push(Self { range: Some(range), body, flag, ..self.clone() });
            start = end;
        }
        chunks
    }

    /// The octets of the frame.
    pub(super) fn encode(&self, transaction: &str, to_path: &str, from_path: &str, fresh_id: &str) -> Vec<u8> {
        let mut head = format!("MSRP {transaction} SEND\r\nTo-Path: {to_path}\r\nFrom-Path: {from_path}\r\n");
        let message_id = self.message_id.as_deref().unwrap_or(fresh_id);
        if !message_id.is_empty() {
            head.push_str(&format!("Message-ID: {message_id}\r\n"));
        }
        let range = self.range.iter().map(|range| format!("Byte-Range: {range}"));
        for line in self.headers.iter().cloned().chain(range) {
            head.push_str(&line);
            head.push_str("\r\n");
        }
        if let Some(content_type) = &self.content_type {
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        let mut octets = head.into_bytes();
        if let Some(body) = &self.body {
            octets.extend_from_slice(b"\r\n");
            octets.extend_from_slice(body);
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(format!("-------{transaction}{}\r\n", self.flag).as_bytes());
        octets
    }
}

fn in_brackets(uri: &str) -> String {
    if uri.contains('<') { uri.to_owned() } else { format!("<{uri}>") }
}
