//! What a subscriber puts together from what it is told.

mod merge;
mod patch;

use crate::model::Conference;
use crate::read::{Diff, Document, State};

/// What a document did to a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The view is up to date.
    Applied,
    /// The document told nothing new: it came late, or twice.
    Ignored,
    /// Something was missed, or the document does not fit. The view stays as it was, and takes nothing but a full document
    /// from now on: refresh the subscription.
    Gap,
    /// The conference is no more. The view is empty: end the subscription.
    Ended,
}

/// A conference as the documents of RFC 4575 tell it (§4.6): full ones replace it, partial ones are merged. One view
/// a subscription.
#[derive(Clone, Debug, Default)]
pub struct View {
    held: Held,
}

impl View {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The conference, once a full document came.
    pub fn conference(&self) -> Option<&Conference> {
        self.held.conference.as_ref()
    }

    /// The version of the last document that was taken.
    pub fn version(&self) -> Option<u32> {
        self.held.version
    }

    /// Takes what the next document tells. One without a version counts as the next one.
    pub fn apply(&mut self, document: Document) -> Outcome {
        match document.state {
            State::Full => self.held.replace(document),
            State::Deleted => self.held.end(document.version),
            State::Partial => match self.held.follows(document.version, &document.entity) {
                Follows::Next(conference) => {
                    let version = document.version;
                    merge::document(conference, document);
                    self.held.advance(version)
                }
                Follows::Old => Outcome::Ignored,
                Follows::No => self.held.gap(),
            },
        }
    }
}

/// A conference as the documents of RFC 6502 tell it (§5.2): full ones replace it, patches change it. One view a
/// subscription.
#[derive(Clone, Debug, Default)]
pub struct XconView {
    held: Held,
}

impl XconView {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The conference, once a full document came.
    pub fn conference(&self) -> Option<&Conference> {
        self.held.conference.as_ref()
    }

    /// The version of the last document that was taken and had one.
    pub fn version(&self) -> Option<u32> {
        self.held.version
    }

    /// Takes a full document, whatever states it claims: they do not count here (RFC 6502 §5).
    pub fn replace(&mut self, document: Document) -> Outcome {
        self.held.replace(document)
    }

    /// Takes a patch. One without a version counts as the next one. All of its operations are carried out, or none.
    pub fn patch(&mut self, diff: Diff) -> Outcome {
        match self.held.follows(diff.version, &diff.entity) {
            Follows::Next(conference) => match patch::apply(conference, diff.operations) {
                true => self.held.advance(diff.version),
                false => self.held.gap(),
            },
            Follows::Old => Outcome::Ignored,
            Follows::No => self.held.gap(),
        }
    }
}

/// What is held, and what may come next.
#[derive(Clone, Debug, Default)]
struct Held {
    conference: Option<Conference>,
    version: Option<u32>,
    /// Whether something was missed.
    is_stale: bool,
}

/// Whether changes are those that come next.
enum Follows<'a> {
    Next(&'a mut Conference),
    Old,
    No,
}

impl Held {
    fn replace(&mut self, document: Document) -> Outcome {
        if !self.is_stale && self.is_old(document.version) {
            return Outcome::Ignored;
        }
        *self = Self { version: document.version, conference: Some(merge::whole(document)), is_stale: false };
        Outcome::Applied
    }

    fn end(&mut self, version: Option<u32>) -> Outcome {
        if self.is_old(version) {
            return Outcome::Ignored;
        }
        *self = Self { conference: None, version, is_stale: true };
        Outcome::Ended
    }

    fn follows(&mut self, version: Option<u32>, entity: &str) -> Follows<'_> {
        if self.is_old(version) {
            return Follows::Old;
        }
        let is_next = match (version, self.version) {
            (Some(version), Some(held)) => held.checked_add(1) == Some(version),
            _ => true,
        };
        match &mut self.conference {
            Some(conference) if is_next && !self.is_stale && conference.entity == entity => Follows::Next(conference),
            _ => Follows::No,
        }
    }

    fn is_old(&self, version: Option<u32>) -> bool {
        matches!((version, self.version), (Some(version), Some(held)) if version <= held)
    }

    fn advance(&mut self, version: Option<u32>) -> Outcome {
        self.version = version.or(self.version.and_then(|held| held.checked_add(1)));
        Outcome::Applied
    }

    fn gap(&mut self) -> Outcome {
        self.is_stale = true;
        Outcome::Gap
    }
}
