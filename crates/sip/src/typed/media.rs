//! What a body is: Content-Type, Accept and Content-Disposition.

use super::{Unreadable, is_token, owned_params};

/// A Content-Type, or a range of Accept (RFC 3261 §20.15, §20.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype` in lower case; in a range either may be `*`.
    pub essence: String,
    /// The parameters in order, names as written, quoting of values undone.
    pub params: Vec<(String, Option<String>)>,
}

impl MediaType {
    /// Reads `type/subtype` with parameters.
    ///
    /// # Errors
    /// When it is not two tokens around a slash, or the parameters are broken or repeated.
    pub fn parse(value: &str) -> Result<Self, Unreadable> {
        const WHAT: Unreadable = Unreadable("media type");
        let (essence, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let (kind, subtype) = essence.split_once('/').ok_or(WHAT)?;
        let (kind, subtype) = (kind.trim(), subtype.trim());
        if !is_token(kind) || !is_token(subtype) {
            return Err(WHAT);
        }
        Ok(Self { essence: format!("{kind}/{subtype}").to_ascii_lowercase(), params: owned_params(params)? })
    }

    /// Whether it is that type, whatever the parameters.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence)
    }

    /// Whether it is a `multipart/…`.
    #[must_use]
    pub fn is_multipart(&self) -> bool {
        self.essence.starts_with("multipart/")
    }

    /// Whether this range takes in a type: `*/*`, `type/*`, or the type itself.
    #[must_use]
    pub fn takes_in(&self, essence: &str) -> bool {
        let of_kind = |range: &str| {
            let kind = essence.split('/').next().unwrap_or_default();
            range.eq_ignore_ascii_case(kind)
        };
        self.essence == "*/*" || self.essence.strip_suffix("/*").is_some_and(of_kind) || self.is(essence)
    }

    /// The value of a parameter, the empty text for one without a value; names are case-blind.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        param(&self.params, name)
    }
}

/// A Content-Disposition (RFC 3261 §20.11, RFC 5621 §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition {
    /// The disposition type in lower case: `session`, `render`, `recipient-list`, `by-reference`, …
    pub kind: String,
    /// The parameters in order, names as written, quoting of values undone.
    pub params: Vec<(String, Option<String>)>,
}

impl Disposition {
    /// Reads a value.
    ///
    /// # Errors
    /// When it does not begin with a token, or the parameters are broken or repeated.
    pub fn parse(value: &str) -> Result<Self, Unreadable> {
        let (kind, params) = value.split_at(value.find(';').unwrap_or(value.len()));
        let kind = kind.trim();
        if !is_token(kind) {
            return Err(Unreadable("Content-Disposition"));
        }
        Ok(Self { kind: kind.to_ascii_lowercase(), params: owned_params(params)? })
    }

    /// What holds for a body without Content-Disposition: SDP is a `session`, everything else to `render` (RFC 3261
    /// §20.11).
    #[must_use]
    pub fn default_for(essence: &str) -> Self {
        let kind = if essence.eq_ignore_ascii_case("application/sdp") { "session" } else { "render" };
        Self { kind: kind.to_owned(), params: Vec::new() }
    }

    /// Whether who does not understand the body must refuse the request with 415: unless `handling=optional` stands
    /// there (RFC 5621 §8.1).
    #[must_use]
    pub fn is_required(&self) -> bool {
        !param(&self.params, "handling").is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
    }

    /// The value of a parameter, the empty text for one without a value; names are case-blind.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        param(&self.params, name)
    }
}

fn param<'a>(params: &'a [(String, Option<String>)], name: &str) -> Option<&'a str> {
    params
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_deref().unwrap_or_default())
}
