//! What a subscriber puts together from what it is told.

use crate::model::Conference;
use crate::read::{Diff, Document};

/// What a document did to a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The view is up to date.
    Applied,
    /// The document told nothing new: it came late, or twice.
    Ignored,
    /// Something was missed, or the document does not fit: the view stays as it was, and takes nothing but a full document from
    /// now on. Refresh the subscription.
    Gap,
    /// The conference is no more. The view is empty; end the subscription.
    Ended,
}

/// A conference as the documents of RFC 4575 tell it (§4.6): full ones replace it, partial ones are merged. One view
/// a subscription.
#[derive(Clone, Debug, Default)]
pub struct View {
    conference: Option<Conference>,
}

impl View {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The conference, once a full document came.
    pub fn conference(&self) -> Option<&Conference> {
        self.conference.as_ref()
    }

    /// Takes what the next document tells.
    pub fn apply(&mut self, document: Document) -> Outcome {
        let _ = document;
        Outcome::Gap
    }
}

/// A conference as the documents of RFC 6502 tell it (§5.2): full ones replace it, patches change it. One view a
/// subscription.
#[derive(Clone, Debug, Default)]
pub struct XconView {
    conference: Option<Conference>,
}

impl XconView {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The conference, once a full document came.
    pub fn conference(&self) -> Option<&Conference> {
        self.conference.as_ref()
    }

    /// Takes a full document.
    pub fn replace(&mut self, document: Document) -> Outcome {
        let _ = document;
        Outcome::Gap
    }

    /// Takes a patch.
    pub fn patch(&mut self, diff: Diff) -> Outcome {
        let _ = diff;
        Outcome::Gap
    }
}
