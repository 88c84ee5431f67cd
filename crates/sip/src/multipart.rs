//! Bodies of several parts (RFC 2046 §5.1, RFC 5621), and bodies of one part read the same way.
//!
//! Read strictly, so that nobody else can see other parts: lines end with CR LF, a line that begins with the delimiter is
//! the delimiter, the closing one is there, and no part says twice what it is.

use std::borrow::Cow;

use base64::Engine as _;

use crate::message::{Body, Headers};
use crate::parse::read_rows;
use crate::typed::{Disposition, MediaType, Unreadable};

/// How deep parts may be nested: a message's own body is the first level.
const MAX_DEPTH: usize = 4;
/// How many parts a body may have, of all levels.
const MAX_PARTS: usize = 64;

const WHAT: Unreadable = Unreadable("multipart body");

/// A body or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its header fields; those of the whole message for the outermost.
    pub headers: Cow<'a, Headers>,
    /// Its type; `text/plain` where none is given, `message/rfc822` in a `multipart/digest`.
    pub media_type: MediaType,
    /// What is to become of it; the default of RFC 3261 §20.11 where nothing is given.
    pub disposition: Disposition,
    /// Its octets, with all parts within.
    pub octets: &'a [u8],
    /// The parts of a `multipart/…`.
    pub parts: Vec<Part<'a>>,
}

/// A part that must be understood and is not: the answer is 415 (RFC 5621 §8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a required body part is not understood")]
pub struct NotUnderstood;

impl<'a> Part<'a> {
    /// Reads the body of a message with these header fields; `None` when it is empty.
    ///
    /// # Errors
    /// When Content-Type is missing or unreadable, and on a multipart body that is broken, nested deeper than four
    /// levels, or of more than 64 parts. The answer is 400.
    pub fn of_message(headers: &'a Headers, body: &'a [u8]) -> Result<Option<Self>, Unreadable> {
        if body.is_empty() {
            return Ok(None);
        }
        headers.get("Content-Type").ok_or(Unreadable("Content-Type"))?;
        Self::read(Cow::Borrowed(headers), body, "text/plain", 1, &mut 0).map(Some)
    }

    /// The octets without their Content-Transfer-Encoding. SIP is 8-bit safe and needs none (RFC 5621 §3.2), but base64
    /// is allowed.
    ///
    /// # Errors
    /// On an encoding unknown here, quoted-printable among them, and on broken base64.
    pub fn decoded(&self) -> Result<Cow<'a, [u8]>, Unreadable> {
        let encoding = self.headers.get("Content-Transfer-Encoding").unwrap_or("binary").to_ascii_lowercase();
        match encoding.as_str() {
            "binary" | "8bit" | "7bit" => Ok(Cow::Borrowed(self.octets)),
            "base64" => {
                let text: Vec<u8> = self.octets.iter().filter(|octet| !octet.is_ascii_whitespace()).copied().collect();
                let decoded = base64::engine::general_purpose::STANDARD.decode(text);
                decoded.map(Cow::Owned).map_err(|_| Unreadable("base64"))
            }
            _ => Err(Unreadable("Content-Transfer-Encoding")),
        }
    }

    /// Content-ID without its angle brackets: what a `cid:` URL names (RFC 2392).
    #[must_use]
    pub fn content_id(&self) -> Option<&str> {
        self.headers.get("Content-ID")?.strip_prefix('<')?.strip_suffix('>')
    }

    /// Itself and all parts within, in the order they were written.
    pub fn all(&self) -> Box<dyn Iterator<Item = &Part<'a>> + '_> {
        Box::new(std::iter::once(self).chain(self.parts.iter().flat_map(Part::all)))
    }

    /// The first part of that type, itself included.
    #[must_use]
    pub fn find(&self, essence: &str) -> Option<&Part<'a>> {
        self.all().find(|part| part.media_type.is(essence))
    }

    /// The parts to process, in order, nesting undone: of a `multipart/alternative` the last that is understood (RFC 5621
    /// §6), of any other multipart all, without the optional ones that are not understood.
    ///
    /// `understands` is asked for single parts; a disposition of `by-reference` says that a header field or another part
    /// must name this one (§9.4).
    ///
    /// # Errors
    /// When a part that is required is not understood (§8.4).
    pub fn chosen<'p>(
        &'p self,
        understands: &dyn Fn(&MediaType, &Disposition) -> bool,
    ) -> Result<Vec<&'p Part<'a>>, NotUnderstood> {
        let chosen = if self.media_type.is("multipart/alternative") {
            let mut richest_first = self.parts.iter().rev();
            richest_first.find_map(|part| part.chosen(understands).ok().filter(|chosen| !chosen.is_empty()))
        } else if self.media_type.is_multipart() {
            let each: Result<Vec<_>, _> = self.parts.iter().map(|part| part.chosen(understands)).collect();
            each.ok().map(|parts| parts.concat())
        } else {
            understands(&self.media_type, &self.disposition).then(|| vec![self])
        };
        match chosen {
            Some(parts) => Ok(parts),
            None if self.disposition.is_required() => Err(NotUnderstood),
            None => Ok(Vec::new()),
        }
    }

    fn read(
        headers: Cow<'a, Headers>,
        octets: &'a [u8],
        default: &str,
        depth: usize,
        count: &mut usize,
    ) -> Result<Self, Unreadable> {
        *count += 1;
        let once = ["Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "Content-ID"];
        if *count > MAX_PARTS || once.into_iter().any(|name| headers.count(name) > 1) {
            return Err(WHAT);
        }
        let media_type = MediaType::parse(headers.get("Content-Type").unwrap_or(default))?;
        let disposition = headers.get("Content-Disposition").map(Disposition::parse).transpose()?;
        let disposition = disposition.unwrap_or_else(|| Disposition::default_for(&media_type.essence));
        let mut parts = Vec::new();
        if media_type.is_multipart() {
            if depth == MAX_DEPTH {
                return Err(WHAT);
            }
            let default = if media_type.is("multipart/digest") { "message/rfc822" } else { "text/plain" };
            for block in split(media_type.param("boundary").ok_or(WHAT)?, octets)? {
                let (headers, octets) = read_block(block)?;
                parts.push(Self::read(Cow::Owned(headers), octets, default, depth + 1, count)?);
            }
        }
        Ok(Self { headers, media_type, disposition, octets, parts })
    }
}

/// Writes a multipart body: `subtype` is `mixed`, `alternative`, …, each part its header fields and octets. `None` when
/// the boundary is none (1 to 70 characters of RFC 2046 §5.1.1) or stands within a part: take another.
#[must_use]
pub fn write(subtype: &str, boundary: &str, parts: &[(Headers, &[u8])]) -> Option<Body> {
    let within = |part: &(Headers, &[u8])| memchr::memmem::find(part.1, boundary.as_bytes()).is_some();
    if !is_boundary(boundary) || parts.is_empty() || parts.iter().any(within) {
        return None;
    }
    let mut octets = Vec::new();
    for (headers, body) in parts {
        octets.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        headers.encode_without("Content-Length", &mut octets);
        octets.extend_from_slice(b"\r\n");
        octets.extend_from_slice(body);
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Some(Body { content_type: format!("multipart/{subtype};boundary=\"{boundary}\""), octets })
}

/// What stands between the delimiters, without the text before the first and behind the last.
fn split<'a>(boundary: &str, body: &'a [u8]) -> Result<Vec<&'a [u8]>, Unreadable> {
    if !is_boundary(boundary) {
        return Err(WHAT);
    }
    // The line end before a delimiter belongs to the delimiter; the first may stand at the start.
    let needle = format!("\r\n--{boundary}");
    let finder = memchr::memmem::Finder::new(&needle);
    let at_start = body.starts_with(needle.as_bytes().get(2..).unwrap_or_default());
    let first = if at_start { needle.len() - 2 } else { finder.find(body).ok_or(WHAT)? + needle.len() };
    let mut rest = body.get(first..).unwrap_or_default();
    let mut blocks = Vec::new();
    loop {
        let line_end = memchr::memmem::find(rest, b"\r\n");
        let (line, from_line_end) = rest.split_at_checked(line_end.unwrap_or(rest.len())).ok_or(WHAT)?;
        if let Some(padding) = line.strip_prefix(b"--") {
            return if is_padding(padding) && !blocks.is_empty() { Ok(blocks) } else { Err(WHAT) };
        }
        if !is_padding(line) || blocks.len() == MAX_PARTS {
            return Err(WHAT);
        }
        // The line end of this delimiter may be the one before the next: then the part is empty.
        let end = finder.find(from_line_end).ok_or(WHAT)?;
        blocks.push(from_line_end.get(2..end).unwrap_or_default());
        rest = from_line_end.get(end + needle.len()..).unwrap_or_default();
    }
}

/// The header fields and the octets of a part; either may be missing.
fn read_block(block: &[u8]) -> Result<(Headers, &[u8]), Unreadable> {
    if let Some(octets) = block.strip_prefix(b"\r\n") {
        return Ok((Headers::default(), octets));
    }
    let (head, octets) = match memchr::memmem::find(block, b"\r\n\r\n") {
        Some(end) => (block.get(..end + 2), block.get(end + 4..)),
        None => (Some(block), None),
    };
    let headers = read_rows(head.unwrap_or_default()).map_err(|_| WHAT)?;
    Ok((headers, octets.unwrap_or_default()))
}

fn is_boundary(text: &str) -> bool {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&octet);
    (1..=70).contains(&text.len()) && text.bytes().all(fits) && !text.ends_with(' ')
}

fn is_padding(line: &[u8]) -> bool {
    line.iter().all(|octet| matches!(octet, b' ' | b'\t'))
}
