//! Nicknames, RFC 7701 §7 and RFC 8266: which texts can be one, and when two are the same or look the same.

use std::borrow::Cow;
use std::sync::Arc;

use precis_profiles::precis_core::profile::{Profile, Rules};
use precis_profiles::precis_core::{DerivedPropertyValue, Error as PrecisError, FreeformClass, StringClass};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_security::skeleton;

/// The longest nickname in octets of UTF-8, before the rules of RFC 8266 and after them (RFC 7701 §7.1).
pub const MAX_NICKNAME: usize = 1023;

/// How often the rules are applied again to a text that they still change (RFC 8266 §2.1).
const MORE_ROUNDS: usize = 3;

/// A nickname: as it is shown, and as it is compared. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nickname {
    shown: Arc<str>,
    key: Arc<str>,
    look: Arc<str>,
}

/// The text can be no nickname.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NicknameError {
    /// It is longer than [`MAX_NICKNAME`] octets, before the rules of RFC 8266 or after them.
    #[error("the nickname is too long")]
    TooLong,
    /// RFC 8266 does not allow it: a character outside FreeformClass, nothing but spaces, or no stable form.
    #[error("the nickname has characters that it cannot have, or none")]
    NotAllowed,
}

impl Nickname {
    /// Prepares and enforces a nickname (RFC 8266 §2.2, §2.3), and prepares the result for comparison (§2.4): what is
    /// shown is what is compared. (U+03F9 is why it matters: it is shown as a capital sigma, but would not be compared
    /// as one.) A text that is too long costs nothing.
    ///
    /// # Errors
    ///
    /// See [`NicknameError`].
    pub fn new(text: &str) -> Result<Self, NicknameError> {
        if text.len() > MAX_NICKNAME {
            return Err(NicknameError::TooLong);
        }
        let profile = precis_profiles::Nickname::new();
        let shown = stable(text, |text| profile.normalization_rule(profile.additional_mapping_rule(text)?))?;
        if shown.len() > MAX_NICKNAME {
            return Err(NicknameError::TooLong);
        }
        let key =
            stable(&shown, |text| profile.normalization_rule(lower_case(&profile.additional_mapping_rule(text)?)))?;
        let look = look(&shown);
        Ok(Self { shown: shown.into(), key: key.into(), look: look.into() })
    }

    /// The nickname as it is shown.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether two nicknames are one (RFC 8266 §2.4).
    pub fn is_same(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Whether two nicknames could be taken for one another by their looks (Unicode TR 39 §4), in whatever case.
    pub fn looks_like(&self, other: &Self) -> bool {
        self.look == other.look
    }

    /// The form for comparison.
    pub(crate) fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// What all nicknames that look like this one have in common.
    pub(crate) fn look(&self) -> &Arc<str> {
        &self.look
    }
}

/// Prepares a text and applies rules to it until they change nothing any more (RFC 8266 §2.1). An empty text is none at
/// any time (§2.3), and one that has grown far beyond the limit is not looked at again.
fn stable<F>(text: &str, rules: F) -> Result<String, NicknameError>
where
    F: for<'a> Fn(&'a str) -> Result<Cow<'a, str>, PrecisError>,
{
    let apply = |text: &str| {
        let next = if is_freeform(text) { rules(text).ok() } else { None };
        match next.ok_or(NicknameError::NotAllowed)? {
            next if next.len() > 2 * MAX_NICKNAME => Err(NicknameError::TooLong),
            next => Ok(next.into_owned()),
        }
    };
    let mut last = apply(text)?;
    for _ in 0..MORE_ROUNDS {
        let next = apply(&last)?;
        if next == last {
            return Ok(last);
        }
        last = next;
    }
    Err(NicknameError::NotAllowed)
}

/// Whether a text is of FreeformClass and not empty (RFC 8266 §2.2, RFC 8264 §4.3).
///
/// The profile crate knows the characters of Unicode 6.3, as the IANA registry does. The class is an algorithm, though,
/// that follows Unicode as it grows (RFC 8264 §8): a newer character that it lets in stands for a letter before that
/// crate.
fn is_freeform(text: &str) -> bool {
    if text.is_ascii() {
        return !text.is_empty() && !text.bytes().any(|octet| octet.is_ascii_control());
    }
    let profile = precis_profiles::Nickname::new();
    let known = || text.chars().map(|character| if is_newer(character) { 'a' } else { character }).collect::<String>();
    profile.prepare(text).is_ok() || profile.prepare(known()).is_ok()
}

/// Whether a character is in FreeformClass and younger than Unicode 6.3: a letter, mark, number, symbol or punctuation
/// mark that is not invisible by itself (RFC 8264 §9).
fn is_newer(character: char) -> bool {
    use GeneralCategoryGroup::{Letter, Mark, Number, Punctuation, Symbol};
    let is_unknown = || FreeformClass::default().get_value_from_char(character) == DerivedPropertyValue::Unassigned;
    let is_visible = || skeleton(character.encode_utf8(&mut [0; 4])).next().is_some();
    matches!(character.general_category_group(), Letter | Mark | Number | Symbol | Punctuation)
        && is_unknown()
        && is_visible()
}

/// Unicode's toLowerCase, character by character: so a sigma at the end of a word is like any other (RFC 8266 §3). The
/// profile crate's own rule begins at the first upper-case letter and misses a title-case one before it.
fn lower_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The skeleton of Unicode TR 39 §4. Nicknames that differ in case only are one, so case must not tell two looks apart
/// either: the skeleton of the skeleton in lower case. The first one comes before case is lost, for a capital I is
/// taken for a small L while a small one is not.
fn look(shown: &str) -> String {
    let first: String = skeleton(shown).collect();
    skeleton(&lower_case(&first)).collect()
}
