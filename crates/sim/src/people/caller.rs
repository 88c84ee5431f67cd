//! Who calls a room, and what they offer.

/// A call to be made: an INVITE and its session description. What a test says nothing of is as RFC 7701 §5.2 wants it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user part of their path and of their Contact.
    pub name: String,
    /// The URI in From.
    pub uri: String,
    /// What stands before the URI in From.
    pub(super) display_name: String,
    /// The Request-URI, and the URI in To.
    pub room: String,
    /// The name that they log in by and its password, where they are asked for one.
    pub login: Option<(String, String)>,
    /// The password of the room, where they know it.
    pub room_password: Option<String>,
    /// Whether their calls come by datagrams.
    pub udp: bool,
    headers: Vec<String>,
    /// What stands behind the URI of their Contact.
    pub(super) contact_params: String,
    protocol: String,
    path: Option<String>,
    attributes: Vec<(String, Option<String>)>,
    before: Vec<String>,
    after: Vec<String>,
    edits: Vec<(String, String)>,
    body: Option<(String, String)>,
}

impl Caller {
    /// Somebody of `chat.example.com` who calls the lobby and can do all that RFC 7701 has.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let attribute = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        Self {
            name: name.to_owned(),
            uri: format!("sip:{name}@chat.example.com"),
            display_name: String::new(),
            room: super::ROOM.to_owned(),
            login: None,
            room_password: None,
            udp: false,
            headers: Vec::new(),
            contact_params: String::new(),
            protocol: "TCP/MSRP".to_owned(),
            path: None,
            attributes: vec![
                attribute("accept-types", "message/cpim"),
                attribute("accept-wrapped-types", "*"),
                attribute("chatroom", "nickname private-messages"),
            ],
            before: Vec::new(),
            after: Vec::new(),
            edits: Vec::new(),
            body: None,
        }
    }

    /// The same with another From.
    #[must_use]
    pub fn known_as(mut self, uri: &str) -> Self {
        uri.clone_into(&mut self.uri);
        self
    }

    /// The same with a name before the URI in From, in quotes.
    #[must_use]
    pub fn called(mut self, name: &str) -> Self {
        self.display_name = format!("\"{}\" ", name.replace('\\', "\\\\").replace('"', "\\\""));
        self
    }

    /// The same with another room.
    #[must_use]
    pub fn to_room(mut self, uri: &str) -> Self {
        uri.clone_into(&mut self.room);
        self
    }

    /// The same, able to log in.
    #[must_use]
    pub fn with_login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// The same, knowing the password of the room.
    #[must_use]
    pub fn with_room_password(mut self, password: &str) -> Self {
        self.room_password = Some(password.to_owned());
        self
    }

    /// The same by datagrams.
    #[must_use]
    pub fn by_udp(mut self) -> Self {
        self.udp = true;
        self
    }

    /// The same with a further line among the header fields of the INVITE.
    #[must_use]
    pub fn with_header(mut self, line: &str) -> Self {
        self.headers.push(line.to_owned());
        self
    }

    /// The same with parameters of Contact, `;isfocus` for example.
    #[must_use]
    pub fn with_contact_params(mut self, params: &str) -> Self {
        params.clone_into(&mut self.contact_params);
        self
    }

    /// The same with an attribute of the MSRP line, in the place of the one of that name if there is one.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let value = (!value.is_empty()).then(|| value.to_owned());
        match self.attributes.iter_mut().find(|(known, _)| known == name) {
            Some(attribute) => attribute.1 = value,
            None => self.attributes.push((name.to_owned(), value)),
        }
        self
    }

    /// The same without an attribute of the MSRP line.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.attributes.retain(|(known, _)| known != name);
        self
    }

    /// The same with another path; the empty one leaves the attribute out.
    #[must_use]
    pub fn with_path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// The same over TLS.
    #[must_use]
    pub fn secure(mut self) -> Self {
        "TCP/TLS/MSRP".clone_into(&mut self.protocol);
        self
    }

    /// Whether the media go over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.protocol == "TCP/TLS/MSRP"
    }

    /// The same with some text of the description replaced by another.
    #[must_use]
    pub fn with_edit(mut self, old: &str, new: &str) -> Self {
        self.edits.push((old.to_owned(), new.to_owned()));
        self
    }

    /// The same with lines of other media before the MSRP line.
    #[must_use]
    pub fn with_media_before(mut self, lines: &str) -> Self {
        self.before.push(lines.to_owned());
        self
    }

    /// The same with lines behind those of the MSRP line.
    #[must_use]
    pub fn with_lines_after(mut self, lines: &str) -> Self {
        self.after.push(lines.to_owned());
        self
    }

    /// The same with another body; the empty one is none.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: &str) -> Self {
        self.body = Some((content_type.to_owned(), body.to_owned()));
        self
    }

    /// The same person's call of the attic, with nothing special about it.
    pub(super) fn aside(&self) -> Self {
        let Self { uri, login, udp, protocol, .. } = self.clone();
        Self { uri, login, udp, protocol, room: super::ATTIC.to_owned(), ..Self::new(&self.name) }
    }

    /// The further header fields of the INVITE.
    pub(super) fn headers(&self) -> &[String] {
        &self.headers
    }

    /// The path that a test has chosen for them.
    pub(super) fn chosen_path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Their path: where a test says nothing, one that no other call has.
    pub(super) fn path(&self, number: usize) -> String {
        let scheme = if self.is_secure() { "msrps" } else { "msrp" };
        let name = &self.name;
        self.path.clone().unwrap_or_else(|| format!("{scheme}://{name}.example.net:7654/{name}{number};tcp"))
    }

    /// The type and the octets of the INVITE's body. `version` is that of the o= line.
    #[must_use]
    pub fn body(&self, path: &str, version: usize) -> Option<(String, String)> {
        if let Some((content_type, body)) = &self.body {
            return (!body.is_empty()).then(|| (content_type.clone(), body.clone()));
        }
        let host = format!("{}.example.net", self.name);
        let mut lines = vec![
            "v=0".to_owned(),
            format!("o={} 1 {version} IN IP4 {host}", self.name),
            "s=-".to_owned(),
            format!("c=IN IP4 {host}"),
            "t=0 0".to_owned(),
        ];
        lines.extend(self.before.iter().cloned());
        lines.push(format!("m=message 7654 {} *", self.protocol));
        if !path.is_empty() {
            lines.push(format!("a=path:{path}"));
        }
        for (name, value) in &self.attributes {
            let value = value.as_ref().map(|value| format!(":{value}")).unwrap_or_default();
            lines.push(format!("a={name}{value}"));
        }
        lines.extend(self.after.iter().cloned());
        let mut text = lines.join("\r\n") + "\r\n";
        for (old, new) in &self.edits {
            assert!(text.contains(old), "{old:?} is not in\n{text}");
            text = text.replace(old, new);
        }
        Some(("application/sdp".to_owned(), text))
    }
}

impl From<&str> for Caller {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<&Caller> for Caller {
    fn from(caller: &Caller) -> Self {
        caller.clone()
    }
}
