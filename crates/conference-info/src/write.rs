//! Elements as text: the escaping, and the order that the schema of RFC 4575 wants (§6).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::document::MARK;
use crate::model::{
    AvailableMedia, CallInfo, ConferenceState, Description, Endpoint, Execution, HostInfo, Media, UriEntry, User,
};
use crate::namespace;

/// Writes a document.
pub(crate) struct Writer {
    text: String,
    version_at: usize,
    own_at: Vec<(String, usize)>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        Self { text, version_at: 0, own_at: Vec::new() }
    }

    /// The text, where its version goes, and where the mark of each user goes.
    pub(crate) fn finish(self) -> (String, usize, Vec<(String, usize)>) {
        (self.text, self.version_at, self.own_at)
    }

    /// Markup of our own.
    pub(crate) fn raw(&mut self, markup: &str) {
        self.text.push_str(markup);
    }

    /// The place of the version.
    pub(crate) fn version(&mut self) {
        self.version_at = self.text.len();
    }

    /// The declarations of the namespaces, as attributes of the root.
    pub(crate) fn namespaces(&mut self) {
        for (attribute, namespace) in [(" xmlns=\"", namespace::INFO), ("\" xmlns:xcon=\"", namespace::XCON)] {
            self.raw(attribute);
            self.raw(namespace);
        }
        self.raw("\"");
    }

    /// Somebody's words, as content of an element or an attribute.
    pub(crate) fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\'' => self.raw("&apos;"),
                // A reader would make these into a line feed or a space.
                '\t' => self.raw("&#9;"),
                '\n' => self.raw("&#10;"),
                '\r' => self.raw("&#13;"),
                character if is_forbidden(character) => self.text.push(char::REPLACEMENT_CHARACTER),
                character => self.text.push(character),
            }
        }
    }

    /// A URI, as content of an element or an attribute in either kind of quotes.
    pub(crate) fn uri(&mut self, uri: &str) {
        let mut rest = uri.chars();
        while let Some(character) = rest.next() {
            match character {
                '&' => self.raw("&amp;"),
                '\'' => self.raw("&apos;"),
                '%' if !begins_with_two_digits(rest.as_str()) => self.raw("%25"),
                '\0'..=' ' | '\u{7f}' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => {
                    // Nothing fails where a String is written to.
                    let _ = write!(self.text, "%{:02X}", u32::from(character));
                }
                character if is_forbidden(character) => self.text.push(char::REPLACEMENT_CHARACTER),
                character => self.text.push(character),
            }
        }
    }

    /// A patch operation on a user or on what `step` leads to from there.
    pub(crate) fn operation(&mut self, name: &str, entity: &str, step: &str, attributes: &str) {
        self.begin_operation(name, entity, step);
        self.raw(attributes);
        self.raw(">");
    }

    /// A patch operation without content.
    pub(crate) fn empty_operation(&mut self, name: &str, entity: &str, step: &str) {
        self.begin_operation(name, entity, step);
        self.raw("/>");
    }

    fn begin_operation(&mut self, name: &str, entity: &str, step: &str) {
        self.raw("<xcon:");
        self.raw(name);
        // A selector has no escapes of its own; there is no double quote in a URI.
        self.raw(" sel='*/users/user[@entity=\"");
        self.uri(entity);
        self.raw("\"]");
        self.raw(step);
        self.raw("'");
    }

    pub(crate) fn description(&mut self, description: &Description) {
        self.raw("<conference-description>");
        self.text_element("display-text", description.display_text.as_deref());
        self.text_element("subject", description.subject.as_deref());
        self.text_element("free-text", description.free_text.as_deref());
        self.list_element("keywords", &description.keywords);
        self.uris("conf-uris", &description.conf_uris);
        self.uris("service-uris", &description.service_uris);
        self.number_element("maximum-user-count", description.maximum_user_count);
        self.available_media(&description.available_media);
        self.raw("</conference-description>");
    }

    fn available_media(&mut self, media: &BTreeMap<String, AvailableMedia>) {
        if media.is_empty() {
            return;
        }
        self.raw("<available-media>");
        for (label, medium) in media {
            self.raw("<entry label=\"");
            self.text(label);
            self.raw("\">");
            self.text_element("display-text", medium.display_text.as_deref());
            self.text_element("type", Some(&medium.media_type));
            self.token_element("status", medium.status.map(|status| status.as_str()));
            self.raw("</entry>");
        }
        self.raw("</available-media>");
    }

    pub(crate) fn host(&mut self, host: &HostInfo) {
        self.raw("<host-info>");
        self.text_element("display-text", host.display_text.as_deref());
        self.uri_element("web-page", host.web_page.as_deref());
        self.uris("uris", &host.uris);
        self.raw("</host-info>");
    }

    pub(crate) fn state(&mut self, state: &ConferenceState) {
        self.raw("<conference-state>");
        self.number_element("user-count", state.user_count);
        self.flag_element("active", state.active);
        self.flag_element("locked", state.locked);
        self.raw("</conference-state>");
    }

    /// A user, with its state attribute where one is given.
    pub(crate) fn user(&mut self, entity: &str, user: &User, state: Option<&str>) {
        self.raw("<user entity=\"");
        self.uri(entity);
        self.raw("\"");
        if let Some(state) = state {
            self.raw(" state=\"");
            self.raw(state);
            self.raw("\"");
        }
        if let Some(nickname) = &user.nickname {
            self.raw(" xcon:nickname=\"");
            self.text(nickname);
            self.raw("\"");
        }
        if user.own {
            self.raw(MARK);
        } else {
            self.own_at.push((entity.to_owned(), self.text.len()));
        }
        self.raw(">");
        self.text_element("display-text", user.display_text.as_deref());
        self.uris("associated-aors", &user.associated_aors);
        if !user.roles.is_empty() {
            self.raw("<roles>");
            user.roles.iter().for_each(|role| self.text_element("entry", Some(role)));
            self.raw("</roles>");
        }
        self.list_element("languages", &user.languages);
        for (entity, endpoint) in &user.endpoints {
            self.endpoint(entity, endpoint);
        }
        self.raw("</user>");
    }

    fn endpoint(&mut self, entity: &str, endpoint: &Endpoint) {
        self.raw("<endpoint entity=\"");
        self.text(entity);
        self.raw("\">");
        self.text_element("display-text", endpoint.display_text.as_deref());
        self.execution("referred", endpoint.referred.as_ref());
        self.token_element("status", endpoint.status.map(|status| status.as_str()));
        self.token_element("joining-method", endpoint.joining_method.map(|method| method.as_str()));
        self.execution("joining-info", endpoint.joining_info.as_ref());
        self.token_element("disconnection-method", endpoint.disconnection_method.map(|method| method.as_str()));
        self.execution("disconnection-info", endpoint.disconnection_info.as_ref());
        for (id, media) in &endpoint.media {
            self.media(id, media);
        }
        if let Some(call) = &endpoint.call_info {
            self.call_info(call);
        }
        self.raw("</endpoint>");
    }

    fn media(&mut self, id: &str, media: &Media) {
        self.raw("<media id=\"");
        self.text(id);
        self.raw("\">");
        self.text_element("display-text", media.display_text.as_deref());
        self.text_element("type", media.media_type.as_deref());
        self.text_element("label", media.label.as_deref());
        self.text_element("src-id", media.src_id.as_deref());
        self.token_element("status", media.status.map(|status| status.as_str()));
        self.raw("</media>");
    }

    fn call_info(&mut self, call: &CallInfo) {
        self.raw("<call-info><sip>");
        self.text_element("display-text", call.display_text.as_deref());
        self.text_element("call-id", Some(&call.call_id));
        self.text_element("from-tag", Some(&call.from_tag));
        self.text_element("to-tag", Some(&call.to_tag));
        self.raw("</sip></call-info>");
    }

    fn execution(&mut self, name: &str, execution: Option<&Execution>) {
        let Some(execution) = execution else { return };
        self.open(name);
        self.text_element("when", execution.when.as_deref());
        self.text_element("reason", execution.reason.as_deref());
        self.uri_element("by", execution.by.as_deref());
        self.close(name);
    }

    /// A list of URIs. The schema has no empty one.
    fn uris(&mut self, name: &str, uris: &BTreeMap<String, UriEntry>) {
        if uris.is_empty() {
            return;
        }
        self.open(name);
        for (uri, entry) in uris {
            self.raw("<entry>");
            self.uri_element("uri", Some(uri));
            self.text_element("display-text", entry.display_text.as_deref());
            self.text_element("purpose", entry.purpose.as_deref());
            self.raw("</entry>");
        }
        self.close(name);
    }

    fn text_element(&mut self, name: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        self.open(name);
        self.text(text);
        self.close(name);
    }

    fn uri_element(&mut self, name: &str, uri: Option<&str>) {
        let Some(uri) = uri else { return };
        self.open(name);
        self.uri(uri);
        self.close(name);
    }

    /// Words of a list, with a space between.
    fn list_element(&mut self, name: &str, words: &[String]) {
        if words.is_empty() {
            return;
        }
        self.text_element(name, Some(&words.join(" ")));
    }

    fn token_element(&mut self, name: &str, token: Option<&str>) {
        self.text_element(name, token);
    }

    fn number_element(&mut self, name: &str, number: Option<u32>) {
        self.text_element(name, number.map(|number| number.to_string()).as_deref());
    }

    fn flag_element(&mut self, name: &str, flag: Option<bool>) {
        self.text_element(name, flag.map(|flag| if flag { "true" } else { "false" }));
    }

    fn open(&mut self, name: &str) {
        self.raw("<");
        self.raw(name);
        self.raw(">");
    }

    fn close(&mut self, name: &str) {
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }
}

/// What no XML 1.0 document can hold, not even as a reference (XML 1.0 §2.2).
pub(crate) fn is_forbidden(character: char) -> bool {
    matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

fn begins_with_two_digits(text: &str) -> bool {
    let digits = text.as_bytes().get(..2).unwrap_or_default();
    digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit)
}
