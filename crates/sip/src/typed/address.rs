//! From, To, Contact, Route and their like.

use super::{Params, Unreadable, Uri, closing_quote, owned_params, unquote};

/// A From, To, Contact, Route, … value (RFC 3261 §20.10): display name, URI, header parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, quoting undone; control characters, which quoting allows, read as U+FFFD.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// The header parameters in order, names as written, quoting of values undone.
    pub params: Vec<(String, Option<String>)>,
}

impl NameAddr {
    /// Reads one value, with angle brackets or without. Parameters behind a URI without brackets are the header field's
    /// (RFC 3261 §20).
    ///
    /// # Errors
    /// On broken quoting or brackets, on a URI that [`Uri::parse`] refuses, on `?` or `,` in a URI that stands without
    /// the brackets it then needs, on a display name that needs quotes and has none, on a parameter that stands twice
    /// (RFC 3261 §7.3.1) or that is one of more than 100.
    pub fn parse(value: &str) -> Result<Self, Unreadable> {
        let parts = AddrParts::read(value)?;
        let display = parts.display.trim();
        let shown = |text: &str| unquote(text).replace(char::is_control, "\u{fffd}");
        Ok(Self {
            display: (!display.is_empty()).then(|| shown(display)),
            uri: Uri::parse(parts.uri)?,
            params: owned_params(parts.params)?,
        })
    }

    /// The value of a parameter, the empty text for one without a value; names are case-blind.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_deref().unwrap_or_default())
    }

    /// The dialog tag of a From or To.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.param("tag").filter(|tag| !tag.is_empty())
    }
}

/// The tag parameter of a From or To value, as written.
#[must_use]
pub fn tag(value: &str) -> Option<&str> {
    let parts = AddrParts::read(value).ok()?;
    Params(parts.params).flatten().find(|(name, _)| name.eq_ignore_ascii_case("tag"))?.1.filter(|tag| !tag.is_empty())
}

/// The text of the URI in a From, To, Contact, Route, … value.
///
/// # Errors
/// On broken quoting or brackets.
pub fn uri_text(value: &str) -> Result<&str, Unreadable> {
    AddrParts::read(value).map(|parts| parts.uri)
}

struct AddrParts<'a> {
    display: &'a str,
    uri: &'a str,
    params: &'a str,
}

impl<'a> AddrParts<'a> {
    fn read(value: &'a str) -> Result<Self, Unreadable> {
        const WHAT: Unreadable = Unreadable("address");
        let value = value.trim();
        let open = if value.starts_with('"') {
            let end = closing_quote(value).ok_or(WHAT)?;
            let (between, _) = value.get(end..).and_then(|rest| rest.split_once('<')).ok_or(WHAT)?;
            between.trim().is_empty().then_some(end + between.len()).ok_or(WHAT)?
        } else {
            match value.split_once('<') {
                // These would be read differently by who looks for them first.
                Some((display, _)) if display.contains(['"', ',', ';', ':']) => return Err(WHAT),
                Some((display, _)) => display.len(),
                None => return Self::without_brackets(value),
            }
        };
        let (display, rest) = value.split_at_checked(open).ok_or(WHAT)?;
        let (uri, params) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or(WHAT)?;
        Ok(Self { display, uri, params })
    }

    fn without_brackets(value: &'a str) -> Result<Self, Unreadable> {
        let (uri, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        if uri.contains(['?', ',', '"', '>']) {
            return Err(Unreadable("address"));
        }
        Ok(Self { display: "", uri: uri.trim(), params })
    }
}
