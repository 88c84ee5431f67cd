//! XML as a stream of the elements that are known here, within limits.

use quick_xml::XmlVersion;
use quick_xml::escape::EscapeError;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceError, NamespaceResolver, QName, ResolveResult};
use quick_xml::reader::Reader;

use super::{Error, Limits};
use crate::namespace;
use crate::write::is_forbidden;

/// The elements that are read, in RFC 4575's namespace, sorted.
const ELEMENTS: &[&str] = &[
    "active",
    "associated-aors",
    "available-media",
    "by",
    "call-id",
    "call-info",
    "conf-uris",
    "conference-description",
    "conference-info",
    "conference-state",
    "disconnection-info",
    "disconnection-method",
    "display-text",
    "endpoint",
    "entry",
    "free-text",
    "from-tag",
    "host-info",
    "joining-info",
    "joining-method",
    "keywords",
    "label",
    "languages",
    "locked",
    "maximum-user-count",
    "media",
    "purpose",
    "reason",
    "referred",
    "roles",
    "service-uris",
    "sip",
    "src-id",
    "status",
    "subject",
    "to-tag",
    "type",
    "uri",
    "uris",
    "user",
    "user-count",
    "users",
    "web-page",
    "when",
];

/// Those of patches, in RFC 6501's namespace, sorted.
const PATCH_ELEMENTS: &[&str] = &["add", "conference-info-diff", "remove", "replace"];

/// The attributes that are read, without a namespace, sorted.
const ATTRIBUTES: &[&str] = &["entity", "id", "label", "sel", "state", "type", "version"];

/// Whose a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Info,
    Xcon,
    Own,
    None,
    Foreign,
}

/// The beginning of an element.
#[derive(Debug)]
pub(super) struct Tag {
    /// The name, where the element is known; otherwise empty.
    pub(super) name: &'static str,
    /// Those of its attributes that are known.
    attributes: Vec<(Space, &'static str, String)>,
}

impl Tag {
    /// An attribute without a namespace.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_in(Space::None, name)
    }

    pub(super) fn attribute_in(&self, space: Space, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(found, local, _)| (*found, *local) == (space, name));
        found.map(|(_, _, value)| value.as_str())
    }
}

/// Reads a document element by element. Who was given a tag reads on until the element's end: with
/// [`child`](Self::child), [`text`](Self::text) or [`skip`](Self::skip).
pub(super) struct Scanner<'a> {
    reader: Reader<&'a [u8]>,
    scopes: NamespaceResolver,
    limits: Limits,
    depth: usize,
    items: usize,
}

impl<'a> Scanner<'a> {
    /// Begins with a document, and gives the beginning of its root.
    pub(super) fn new(octets: &'a [u8], limits: &Limits) -> Result<(Self, Tag), Error> {
        if octets.len() > limits.octets {
            return Err(Error::TooLong);
        }
        let text = std::str::from_utf8(octets).map_err(|_| Error::Encoding)?;
        if text.contains(is_forbidden) {
            return Err(Error::Character);
        }
        let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        reader.config_mut().expand_empty_elements = true;
        let mut scopes = NamespaceResolver::default();
        scopes.set_max_namespace_bindings(limits.attributes);
        let mut scanner = Self { reader, scopes, limits: *limits, depth: 0, items: 0 };
        let root = scanner.root()?;
        Ok((scanner, root))
    }

    fn root(&mut self) -> Result<Tag, Error> {
        let mut is_first = true;
        loop {
            match self.event()? {
                Event::Start(start) => return self.start(&start),
                Event::Decl(declaration) if is_first => {
                    let encoding = declaration.encoding().transpose().map_err(|error| malformed(error.into()))?;
                    let is_plain =
                        |name: &str| ["utf-8", "us-ascii"].iter().any(|ours| ours.eq_ignore_ascii_case(name));
                    if encoding.is_some_and(|name| !is_plain(&name)) {
                        return Err(Error::Encoding);
                    }
                }
                Event::Eof => return Err(Error::Malformed("there is no element".to_owned())),
                other => expect_outside(&other)?,
            }
            is_first = false;
        }
    }

    /// Checks that nothing but white space and comments stands behind the root.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        loop {
            match self.event()? {
                Event::Eof => return Ok(()),
                other => expect_outside(&other)?,
            }
        }
    }

    /// The next child of the element that is being read; `None` at its end.
    pub(super) fn child(&mut self) -> Result<Option<Tag>, Error> {
        loop {
            match self.event()? {
                Event::Start(start) => return self.start(&start).map(Some),
                Event::End(_) => {
                    self.end();
                    return Ok(None);
                }
                Event::GeneralRef(reference) => {
                    character(&reference)?;
                }
                other => expect_inside(&other)?,
            }
        }
    }

    /// The text of the element that is being read, without that of its children.
    pub(super) fn text(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        loop {
            match self.event()? {
                Event::Start(start) => {
                    self.start(&start)?;
                    self.skip()?;
                }
                Event::End(_) => {
                    self.end();
                    return Ok(text);
                }
                Event::Text(part) => text.push_str(&part.xml10_content()),
                Event::CData(part) => text.push_str(&part.xml10_content()),
                Event::GeneralRef(reference) => text.push(character(&reference)?),
                other => expect_inside(&other)?,
            }
        }
    }

    /// Passes over the element that is being read.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            self.child()?;
        }
        Ok(())
    }

    /// Counts one more of what is limited in number.
    pub(super) fn count(&mut self) -> Result<(), Error> {
        self.items = self.items.saturating_add(1);
        if self.items > self.limits.items { Err(Error::TooMany) } else { Ok(()) }
    }

    /// Whose a name with a prefix is, within the element that is being read.
    pub(super) fn space_of(&self, name: &str) -> Result<Space, Error> {
        space(&self.scopes.resolve_element(QName(name)).0)
    }

    fn event(&mut self) -> Result<Event<'a>, Error> {
        match self.reader.read_event().map_err(malformed)? {
            Event::DocType(_) => Err(Error::DocumentType),
            event => Ok(event),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<Tag, Error> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > self.limits.depth {
            return Err(Error::TooDeep);
        }
        // Counted before anything compares them with each other.
        if start.attributes().with_checks(false).take(self.limits.attributes.saturating_add(1)).count()
            > self.limits.attributes
        {
            return Err(Error::TooManyAttributes);
        }
        self.scopes.push(start).map_err(|error| match error {
            NamespaceError::TooManyBindings(_) => Error::TooManyAttributes,
            other => malformed(other.into()),
        })?;
        let (resolved, local) = self.scopes.resolve_element(start.name());
        let known = match space(&resolved)? {
            Space::Info => ELEMENTS,
            Space::Xcon => PATCH_ELEMENTS,
            Space::Own | Space::None | Space::Foreign => &[],
        };
        Ok(Tag { name: find(known, local.as_ref()).unwrap_or_default(), attributes: self.attributes(start)? })
    }

    fn attributes(&self, start: &BytesStart<'_>) -> Result<Vec<(Space, &'static str, String)>, Error> {
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| malformed(error.into()))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(malformed)?;
            if value.contains(is_forbidden) {
                return Err(Error::Character);
            }
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (resolved, local) = self.scopes.resolve_attribute(attribute.key);
            let space = space(&resolved)?;
            let known: &[&str] = match space {
                Space::None => ATTRIBUTES,
                Space::Xcon => &["nickname"],
                Space::Own => &["own"],
                Space::Info | Space::Foreign => &[],
            };
            if let Some(name) = find(known, local.as_ref()) {
                attributes.push((space, name, value.into_owned()));
            }
        }
        Ok(attributes)
    }

    fn end(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.scopes.pop();
    }
}

/// Whether a name is one of RFC 4575's elements that are read.
pub(super) fn is_known(name: &str) -> bool {
    find(ELEMENTS, name).is_some()
}

fn find(known: &[&'static str], name: &str) -> Option<&'static str> {
    let found = known.binary_search(&name).ok()?;
    known.get(found).copied()
}

fn space(resolved: &ResolveResult<'_>) -> Result<Space, Error> {
    Ok(match resolved {
        ResolveResult::Unbound => Space::None,
        ResolveResult::Bound(bound) => match bound.0 {
            namespace::INFO => Space::Info,
            namespace::XCON => Space::Xcon,
            namespace::OWN => Space::Own,
            _ => Space::Foreign,
        },
        ResolveResult::Unknown(_) => return Err(Error::Malformed("a prefix is not declared".to_owned())),
    })
}

/// The character for which a reference in a text stands.
fn character(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, Error> {
    match reference.resolve_char_ref().map_err(malformed)? {
        Some(character) if is_forbidden(character) => Err(Error::Character),
        Some(character) => Ok(character),
        None => match reference.as_ref() {
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "amp" => Ok('&'),
            "apos" => Ok('\''),
            "quot" => Ok('"'),
            _ => Err(Error::Entity),
        },
    }
}

/// Whether an event may stand before and behind the root.
fn expect_outside(event: &Event<'_>) -> Result<(), Error> {
    match event {
        Event::Comment(_) | Event::PI(_) => Ok(()),
        Event::Text(text) if text.chars().all(|character| character.is_ascii_whitespace()) => Ok(()),
        _ => Err(Error::Malformed("something stands outside of the root".to_owned())),
    }
}

/// Whether an event may be passed over within an element.
fn expect_inside(event: &Event<'_>) -> Result<(), Error> {
    match event {
        Event::Comment(_) | Event::PI(_) | Event::Text(_) | Event::CData(_) => Ok(()),
        Event::Eof => Err(Error::Malformed("an element does not end".to_owned())),
        _ => Err(Error::Malformed("a declaration stands within an element".to_owned())),
    }
}

/// What the parser says, cut to what a log line can bear: it may quote the document.
fn malformed(error: quick_xml::Error) -> Error {
    match error {
        quick_xml::Error::Escape(EscapeError::UnrecognizedEntity(..)) => Error::Entity,
        quick_xml::Error::Encoding(_) => Error::Encoding,
        other => Error::Malformed(super::excerpt(&other.to_string())),
    }
}
