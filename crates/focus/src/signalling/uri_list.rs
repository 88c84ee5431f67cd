//! Lists of people in one request (RFC 4826 as RFC 5363 uses it, RFC 5364): `application/resource-lists+xml`.
//!
//! Read within narrow bounds, as strangers write them: no document type, no entity of its own, few levels, few entries. Lists
//! within lists are taken as one; what refers to other documents is passed over.

use std::collections::BTreeMap;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use quick_xml::reader::Reader;
use room::Address;

/// The octets that a list may have.
const MAX_OCTETS: usize = 64 * 1024;
/// The entries that a list may have, each address counted once.
pub(super) const MAX_ENTRIES: usize = 50;
/// The elements that may stand within each other.
const MAX_DEPTH: usize = 8;
/// The attributes that an element may have.
const MAX_ATTRIBUTES: usize = 16;

const LISTS: &str = "urn:ietf:params:xml:ns:resource-lists";
const COPY_CONTROL: &str = "urn:ietf:params:xml:ns:copycontrol";

/// People in the order in which they were listed, nobody twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UriList {
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// Somebody who is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The URI as it was written, perhaps with a method and header fields.
    pub uri: String,
    /// Who else is told of it.
    pub copy: CopyControl,
    /// Whether others are told that there is somebody, and not who.
    pub anonymize: bool,
}

/// RFC 5364 §4, in its order of precedence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyControl {
    /// A primary recipient.
    To,
    /// A recipient of a copy.
    Cc,
    /// Nobody else is told. What says nothing is so.
    #[default]
    Bcc,
}

/// Why a list is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriListError {
    /// It has more than 64 KiB.
    #[error("the list is too long")]
    TooLong,
    /// It has more than 50 entries.
    #[error("the list has too many entries")]
    TooMany,
    /// It is no such document, or one that nobody needs to write.
    #[error("the list is malformed")]
    Malformed,
}

impl From<quick_xml::Error> for UriListError {
    fn from(_: quick_xml::Error) -> Self {
        Self::Malformed
    }
}

impl UriList {
    /// Reads a document.
    ///
    /// # Errors
    /// See [`UriListError`].
    pub fn parse(octets: &[u8]) -> Result<Self, UriListError> {
        if octets.len() > MAX_OCTETS {
            return Err(UriListError::TooLong);
        }
        let text = std::str::from_utf8(octets).map_err(|_| UriListError::Malformed)?;
        let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        reader.config_mut().expand_empty_elements = true;
        let mut reading = Reading::default();
        loop {
            match reader.read_event()? {
                Event::Start(start) => reading.start(&start)?,
                Event::End(_) => reading.end(),
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().transpose().map_err(|_| UriListError::Malformed)?;
                    let known = |name: &str| ["utf-8", "us-ascii"].iter().any(|ours| ours.eq_ignore_ascii_case(name));
                    if encoding.is_some_and(|name| !known(&name)) {
                        return Err(UriListError::Malformed);
                    }
                }
                Event::DocType(_) | Event::GeneralRef(_) => return Err(UriListError::Malformed),
                Event::Eof if reading.is_whole() => return Ok(reading.into_list()),
                Event::Eof => return Err(UriListError::Malformed),
                _ => {}
            }
        }
    }

    /// The same with the entries made one that have the same key.
    #[must_use]
    pub fn merged_by(self, key: impl Fn(&str) -> String) -> Self {
        let mut merging = Merging::default();
        for entry in self.entries {
            let key = key(&entry.uri);
            merging.add(key, entry);
        }
        Self { entries: merging.entries }
    }

    /// What those who are invited are told of each other (RFC 5364 §4): nothing of `bcc`, of the anonymous only their number.
    /// `None` where nobody may be named.
    pub fn history(&self) -> Option<String> {
        let mut rows = String::new();
        for (copy, token) in [(CopyControl::To, "to"), (CopyControl::Cc, "cc")] {
            let of_kind = || self.entries.iter().filter(move |entry| entry.copy == copy);
            for entry in of_kind().filter(|entry| !entry.anonymize) {
                let uri = quick_xml::escape::escape(without_headers(&entry.uri));
                rows.push_str(&format!("<entry uri=\"{uri}\" cp:copyControl=\"{token}\"/>"));
            }
            let hidden = of_kind().filter(|entry| entry.anonymize).count();
            if hidden > 0 {
                let nobody = "sip:anonymous@anonymous.invalid";
                rows.push_str(&format!("<entry uri=\"{nobody}\" cp:copyControl=\"{token}\" cp:count=\"{hidden}\"/>"));
            }
        }
        (!rows.is_empty()).then(|| {
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<resource-lists xmlns=\"{LISTS}\" \
                 xmlns:cp=\"{COPY_CONTROL}\"><list>{rows}</list></resource-lists>\r\n"
            )
        })
    }
}

/// A document that is being read.
#[derive(Default)]
struct Reading {
    scopes: NamespaceResolver,
    depth: usize,
    roots: usize,
    merging: Merging,
}

/// Entries, nobody twice.
#[derive(Default)]
struct Merging {
    /// Where each key stands in the list.
    known: BTreeMap<String, usize>,
    entries: Vec<Entry>,
}

impl Merging {
    /// Who stands there twice has the higher precedence (RFC 5364 §4), and is hidden if either entry says so.
    fn add(&mut self, key: String, entry: Entry) {
        match self.known.get(&key).and_then(|at| self.entries.get_mut(*at)) {
            Some(known) => {
                known.copy = known.copy.min(entry.copy);
                known.anonymize |= entry.anonymize;
            }
            None => {
                self.known.insert(key, self.entries.len());
                self.entries.push(entry);
            }
        }
    }
}

impl Reading {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), UriListError> {
        self.depth += 1;
        self.roots += usize::from(self.depth == 1);
        // Counted before they are compared with each other.
        let attributes = start.attributes().with_checks(false).take(MAX_ATTRIBUTES + 1).count();
        if self.depth > MAX_DEPTH || self.roots > 1 || attributes > MAX_ATTRIBUTES {
            return Err(UriListError::Malformed);
        }
        self.scopes.push(start).map_err(|_| UriListError::Malformed)?;
        let (space, local) = self.scopes.resolve_element(start.name());
        let ours = matches!(space, ResolveResult::Bound(bound) if bound.0 == LISTS);
        match local.as_ref() {
            "resource-lists" if ours && self.depth == 1 => Ok(()),
            _ if self.depth == 1 => Err(UriListError::Malformed),
            "entry" if ours => self.entry(start),
            _ => Ok(()),
        }
    }

    fn end(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.scopes.pop();
    }

    fn is_whole(&self) -> bool {
        self.roots == 1 && self.depth == 0
    }

    fn entry(&mut self, start: &BytesStart<'_>) -> Result<(), UriListError> {
        const WHAT: UriListError = UriListError::Malformed;
        let (mut uri, mut copy, mut anonymize) = (None, CopyControl::default(), false);
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| WHAT)?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            let (space, local) = self.scopes.resolve_attribute(attribute.key);
            let is_ours = matches!(space, ResolveResult::Bound(bound) if bound.0 == COPY_CONTROL);
            match local.as_ref() {
                "uri" if matches!(space, ResolveResult::Unbound) => uri = Some(value.trim().to_owned()),
                "copyControl" if is_ours => {
                    copy = match &*value {
                        "to" => CopyControl::To,
                        "cc" => CopyControl::Cc,
                        "bcc" => CopyControl::Bcc,
                        _ => return Err(WHAT),
                    };
                }
                "anonymize" if is_ours => {
                    anonymize = match &*value {
                        "true" | "1" => true,
                        "false" | "0" => false,
                        _ => return Err(WHAT),
                    };
                }
                _ => {}
            }
        }
        let is_plain = |uri: &String| !uri.is_empty() && uri.bytes().all(|octet| octet.is_ascii_graphic());
        let uri = uri.filter(is_plain).ok_or(WHAT)?;
        self.add(Entry { uri, copy, anonymize })
    }

    fn add(&mut self, entry: Entry) -> Result<(), UriListError> {
        let key = Address::parse(&entry.uri).map_or_else(|_| entry.uri.clone(), |address| address.as_str().to_owned());
        self.merging.add(key, entry);
        if self.merging.entries.len() > MAX_ENTRIES { Err(UriListError::TooMany) } else { Ok(()) }
    }

    fn into_list(self) -> UriList {
        UriList { entries: self.merging.entries }
    }
}

/// What a URI has to say of somebody: its header part is for the server.
fn without_headers(uri: &str) -> &str {
    let at = uri.find('@').unwrap_or(0);
    let end = uri.get(at..).and_then(|rest| rest.find('?')).map_or(uri.len(), |end| at + end);
    uri.get(..end).unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(body: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<resource-lists xmlns=\"{LISTS}\" xmlns:cp=\"{COPY_CONTROL}\">{body}</resource-lists>"
        )
    }

    fn read(body: &str) -> Result<UriList, UriListError> {
        UriList::parse(list(body).as_bytes())
    }

    #[test]
    fn rfc_5364_section_6_is_read_and_becomes_its_history() {
        let entries = [
            ("sip:bill@example.com", "to", ""),
            ("sip:randy@example.net", "to", "true"),
            ("sip:eddy@example.com", "to", "true"),
            ("sip:joe@example.org", "cc", ""),
            ("sip:carol@example.net", "cc", "true"),
            ("sip:ted@example.net", "bcc", ""),
            ("sip:andy@example.com", "", ""),
        ];
        let rows = entries.map(|(uri, copy, anonymize)| {
            let copy = if copy.is_empty() { String::new() } else { format!(" cp:copyControl=\"{copy}\"") };
            let anonymize = if anonymize.is_empty() { String::new() } else { format!(" cp:anonymize=\"{anonymize}\"") };
            format!("<entry uri=\"{uri}\"{copy}{anonymize}/>")
        });
        let read = read(&format!("<list>{}</list>", rows.concat())).unwrap();
        assert_eq!(read.entries.iter().map(|entry| entry.uri.as_str()).collect::<Vec<_>>(), entries.map(|row| row.0));
        assert_eq!(read.entries[6].copy, CopyControl::Bcc, "what says nothing is hidden");
        let history = read.history().unwrap();
        let told: Vec<&str> = history.split("<entry ").skip(1).map(|row| row.split("/>").next().unwrap()).collect();
        assert_eq!(
            told,
            [
                "uri=\"sip:bill@example.com\" cp:copyControl=\"to\"",
                "uri=\"sip:anonymous@anonymous.invalid\" cp:copyControl=\"to\" cp:count=\"2\"",
                "uri=\"sip:joe@example.org\" cp:copyControl=\"cc\"",
                "uri=\"sip:anonymous@anonymous.invalid\" cp:copyControl=\"cc\" cp:count=\"1\"",
            ]
        );
        assert_eq!(UriList::parse(history.as_bytes()).unwrap().entries.len(), 3, "the anonymous are one address");
    }

    #[test]
    fn nobody_stands_there_twice_and_lists_within_lists_are_one() {
        let nested = "<list><entry uri=\"sip:a@d\" cp:copyControl=\"cc\"/><list><display-name>B &amp; A</display-name>\
                      <entry uri=\"sip:b@d\"/><entry uri=\"sips:a@D;transport=tcp\" cp:copyControl=\"to\" cp:anonymize=\"1\"/>\
                      </list><entry-ref ref=\"elsewhere\"/><external anchor=\"http://d/x\"/></list>";
        let entry = |uri: &str, copy, anonymize| Entry { uri: uri.to_owned(), copy, anonymize };
        let entries = vec![entry("sip:a@d", CopyControl::To, true), entry("sip:b@d", CopyControl::Bcc, false)];
        // The only reference in it stands in a text; texts mean nothing here and need none.
        assert_eq!(read(nested), Err(UriListError::Malformed));
        assert_eq!(read(&nested.replace("&amp;", "and")), Ok(UriList { entries }));
        assert_eq!(read("<list/>").unwrap().history(), None);
        let escaped = read("<list><entry uri=\"sip:a@d?x=1&amp;y=2\" cp:copyControl=\"to\"/></list>").unwrap();
        assert_eq!(escaped.entries[0].uri, "sip:a@d?x=1&y=2");
        assert!(!escaped.history().unwrap().contains("x=1"), "header fields are for the server");
    }

    // THREATS T28
    #[test]
    fn what_could_burst_is_refused() {
        let bomb = "<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>";
        let root = format!("<resource-lists xmlns=\"{LISTS}\">");
        let external = "<!DOCTYPE l SYSTEM \"file:///etc/passwd\">";
        let many_attributes: String = (0..17).map(|nth| format!(" a{nth}=\"1\"")).collect();
        let malformed = [
            format!("{bomb}{root}<list><entry uri=\"&b;\"/></list></resource-lists>"),
            format!("{external}{root}</resource-lists>"),
            format!("{root}<list><entry uri=\"&b;\"/></list></resource-lists>"),
            format!("{root}<list>&lol;</list></resource-lists>"),
            format!("{root}{}{}</resource-lists>", "<list>".repeat(8), "</list>".repeat(8)),
            format!("{root}{}", "<list>".repeat(9_000)),
            format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?>{root}</resource-lists>"),
            format!("{root}<list><entry uri=\"sip:a@d\"{many_attributes}/></list></resource-lists>"),
            format!("{root}<list><entry uri=\"sip:a@d\" uri=\"sip:b@d\"/></list></resource-lists>"),
            format!("{root}<list><entry/></list></resource-lists>"),
            format!("{root}<list><entry uri=\"sip:a@d&#13;&#10;Via: x\"/></list></resource-lists>"),
            format!("{root}</resource-lists>{root}</resource-lists>"),
            format!("{root}<list></resource-lists>"),
            "<resource-lists/>".to_owned(),
            String::new(),
        ];
        for text in malformed {
            assert_eq!(UriList::parse(text.as_bytes()), Err(UriListError::Malformed), "{:.200}", text);
        }
        assert_eq!(UriList::parse(&[0xff, 0xfe, b'<', 0]), Err(UriListError::Malformed));
        let entries = |count: usize| (0..count).map(|nth| format!("<entry uri=\"sip:u{nth}@d\"/>")).collect::<String>();
        assert_eq!(read(&format!("<list>{}</list>", entries(50))).unwrap().entries.len(), 50);
        assert_eq!(read(&format!("<list>{}</list>", entries(51))), Err(UriListError::TooMany));
        assert_eq!(read(&" ".repeat(MAX_OCTETS)), Err(UriListError::TooLong));
    }
}
