//! Lists of media types, RFC 4975 §8.6.

/// Which media types are accepted: a list of `type/subtype`, `type/*` and `*`, for which `*/*` is read too. The default
/// accepts none.
///
/// At most 64 patterns of 127 octets are kept; what [`lenient`](Self::lenient) finds beyond is not accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaTypes {
    patterns: Vec<String>,
}

/// The text is no pattern of a media type, or there are too many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaTypeError {
    /// It is none of the three forms.
    #[error("{0:?} is no media type")]
    Malformed(String),
    /// More than 64.
    #[error("more than 64 media types")]
    TooMany,
}

const MAX_PATTERNS: usize = 64;
const MAX_PATTERN: usize = 127;

impl MediaTypes {
    /// Accepts everything: `*`.
    pub fn any() -> Self {
        Self { patterns: vec!["*".to_owned()] }
    }

    /// Reads patterns, as somebody configures them. Parameters are dropped.
    ///
    /// # Errors
    ///
    /// The first text that is no pattern; too many patterns.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, MediaTypeError> {
        let mut types = Self::default();
        for text in patterns {
            let pattern = normal(text).ok_or_else(|| MediaTypeError::Malformed(text.to_owned()))?;
            if !types.push(pattern) {
                return Err(MediaTypeError::TooMany);
            }
        }
        Ok(types)
    }

    /// Reads patterns, as a peer offers them: what is no pattern or one too many is passed over.
    pub fn lenient<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut types = Self::default();
        for pattern in patterns.into_iter().filter_map(normal) {
            if !types.push(pattern) {
                break;
            }
        }
        types
    }

    /// Whether a type is accepted: case and parameters do not count.
    pub fn accepts(&self, media_type: &str) -> bool {
        let essence = essence(media_type);
        let Some((family, subtype)) = essence.split_once('/') else { return false };
        self.patterns.iter().any(|pattern| match pattern.split_once('/') {
            None => true,
            Some((wanted, "*")) => wanted.eq_ignore_ascii_case(family),
            Some((wanted, kind)) => wanted.eq_ignore_ascii_case(family) && kind.eq_ignore_ascii_case(subtype),
        })
    }

    /// Whether every type is accepted.
    pub fn accepts_anything(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern == "*")
    }

    /// Whether nothing is accepted.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The patterns in their order, in lower case.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(String::as_str)
    }

    /// Whether there was room for the pattern.
    fn push(&mut self, pattern: String) -> bool {
        if self.patterns.contains(&pattern) {
            return true;
        }
        let fits = self.patterns.len() < MAX_PATTERNS;
        if fits {
            self.patterns.push(pattern);
        }
        fits
    }
}

/// A media type without its parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// A pattern in lower case, if the text is one.
fn normal(text: &str) -> Option<String> {
    let text = match essence(text) {
        "*/*" => "*",
        text => text,
    };
    let well_formed = match text.split_once('/') {
        None => text == "*",
        Some((family, subtype)) => is_token(family) && (subtype == "*" || is_token(subtype)),
    };
    (well_formed && text.len() <= MAX_PATTERN).then(|| text.to_ascii_lowercase())
}

/// RFC 2045 §5.1, without the asterisk, which is a pattern here.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=*".contains(&octet))
}
