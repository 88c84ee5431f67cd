//! The `ident` of RFC 4975 §9: transaction ids and Message-IDs, 4 to 32 octets, kept without allocation.

/// The most octets an ident has.
pub(crate) const MAX: usize = 32;
const MIN: usize = 4;

/// An ident by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ident {
    len: u8,
    octets: [u8; MAX],
}

impl Ident {
    /// None for what is no ident.
    pub(crate) fn new(text: &[u8]) -> Option<Ident> {
        if !is_ident(text) {
            return None;
        }
        let mut octets = [0; MAX];
        octets.get_mut(..text.len())?.copy_from_slice(text);
        Some(Ident { len: text.len() as u8, octets })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or("")
    }
}

/// `ident = ALPHANUM 3*31ident-char`
pub(crate) fn is_ident(text: &[u8]) -> bool {
    (MIN..=MAX).contains(&text.len())
        && text.first().is_some_and(u8::is_ascii_alphanumeric)
        && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+' | b'%' | b'='))
}
