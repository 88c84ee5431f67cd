//! A SIP message as a phone gets it.

/// A SIP message, read as far as dialogues need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipMessage {
    /// The request line or the status line.
    pub start: String,
    /// The header fields in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl SipMessage {
    /// Reads a message.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no SIP message:\n{text}"));
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header field: {line}"));
            (name.to_owned(), value.to_owned())
        };
        let headers = lines.map(header).collect();
        Self { start, headers, body: body.to_owned() }
    }

    /// The code of a response; 0 for a request.
    #[must_use]
    pub fn code(&self) -> u16 {
        let rest = self.start.strip_prefix("SIP/2.0 ").unwrap_or_default();
        rest.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The reason phrase of a response.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.start.splitn(3, ' ').nth(2).unwrap_or_default()
    }

    /// The value of the first header field of a name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all header fields of a name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The values of an attribute in a session description, empty for an attribute without one.
    #[must_use]
    pub fn attributes(&self, name: &str) -> Vec<&str> {
        let lines = self.body.lines().filter_map(|line| line.strip_prefix("a="));
        let named = |line: &'_ str| line == name || line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
        lines.filter(|line| named(line)).map(|line| line.split_once(':').map_or("", |(_, value)| value)).collect()
    }

    /// The only value of an attribute.
    ///
    /// # Panics
    /// When there is none, or there are several.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        let values = self.attributes(name);
        assert_eq!(values.len(), 1, "a={name} in\n{}", self.body);
        values[0]
    }

    /// The lines of a type in a session description.
    #[must_use]
    pub fn lines(&self, kind: char) -> Vec<&str> {
        let begins = |line: &&str| line.starts_with(kind) && line[1..].starts_with('=');
        self.body.lines().filter(begins).map(|line| &line[2..]).collect()
    }
}
