//! The headers of the content, RFC 3862 §2.4: MIME, whose rules are looser than those of the message headers.

use crate::Error;
use crate::head::{Lines, text};

/// Reads lines up to and with the blank one and gives the value of `Content-Type`; `None` where the blank line has not
/// come yet. Lines end in CRLF or, as a widespread client writes them, in LF alone; a header may be folded.
pub(crate) fn read<'a>(lines: &mut Lines<'a>) -> Result<Option<&'a str>, Error> {
    let mut content_type = None;
    let mut header = Header::None;
    loop {
        let at = lines.rest();
        let Some(line) = lines.next() else { return Ok(None) };
        let line = text(line.strip_suffix(b"\r").unwrap_or(line), |octet| octet == b'\t')?;
        if line.is_empty() {
            return content_type.map(Some).ok_or(Error::NoContentType);
        }
        if !line.starts_with([' ', '\t']) {
            let (name, _) = line.split_once(':').ok_or(Error::NotAHeader)?;
            header = Header::of(name, at);
            if matches!(header, Header::ContentType { .. }) && content_type.is_some() {
                return Err(Error::Duplicate);
            }
        }
        match header {
            Header::None => return Err(Error::Folded),
            Header::ContentType { value } => content_type = Some(up_to(value, lines)?),
            Header::Other => {}
        }
    }
}

/// The header whose lines are being read.
#[derive(Clone, Copy)]
enum Header<'a> {
    None,
    /// With the octets from its value on.
    ContentType {
        value: &'a [u8],
    },
    Other,
}

impl<'a> Header<'a> {
    /// The header of this name, which begins `at` these octets.
    fn of(name: &str, at: &'a [u8]) -> Self {
        if name.trim_end().eq_ignore_ascii_case("Content-Type") {
            Self::ContentType { value: at.get(name.len().saturating_add(1)..).unwrap_or_default() }
        } else {
            Self::Other
        }
    }
}

/// The part of `octets` that has been read as lines, without the space around it.
fn up_to<'a>(octets: &'a [u8], lines: &Lines<'a>) -> Result<&'a str, Error> {
    let length = octets.len().saturating_sub(lines.rest().len());
    let value = std::str::from_utf8(octets.get(..length).unwrap_or_default()).map_err(|_| Error::NotUtf8)?;
    Ok(value.trim())
}
