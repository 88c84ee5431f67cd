//! Documents from octets that somebody else wrote. Nothing in them makes a reader panic, and nothing beyond [`Limits`] takes time
//! or memory.
//!
//! Read is what is modelled. Unknown elements and attributes, whole foreign namespaces, comments and processing instructions
//! are passed over; so is a value of an enumeration that is not known. Namespaces count, prefixes do not. Document types
//! and entities beyond XML's own five are refused, and so is every encoding but UTF-8. Where a key stands there
//! twice, the later one counts.

mod elements;
mod patch;
mod scan;

use std::collections::BTreeMap;

use scan::Scanner;

use crate::model::{ConferenceState, Description, Endpoint, HostInfo, User};

/// Reads a document of RFC 4575, or a full one of RFC 6501.
///
/// # Errors
/// Where the octets are no such document, or exceed the limits.
pub fn document(octets: &[u8], limits: &Limits) -> Result<Document, Error> {
    let (mut scanner, root) = Scanner::new(octets, limits)?;
    if root.name != "conference-info" {
        return Err(Error::Root);
    }
    let document = elements::document(&mut scanner, &root)?;
    scanner.finish()?;
    Ok(document)
}

/// Reads a patch of RFC 6502.
///
/// # Errors
/// Where the octets are no such document, or exceed the limits, or where an operation is on what is modelled, but in a way that
/// is not understood.
pub fn diff(octets: &[u8], limits: &Limits) -> Result<Diff, Error> {
    let (mut scanner, root) = Scanner::new(octets, limits)?;
    if root.name != "conference-info-diff" {
        return Err(Error::Root);
    }
    let diff = patch::diff(&mut scanner, &root)?;
    scanner.finish()?;
    Ok(diff)
}

/// How much a document may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Its octets; 4 MiB.
    pub octets: usize,
    /// How deep its elements may stand in each other; 32.
    pub depth: usize,
    /// The attributes of one element, and the namespace declarations that hold at one place; 32.
    pub attributes: usize,
    /// Its users, endpoints, streams, list entries and operations together; 50 000.
    pub items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { octets: 4 * 1024 * 1024, depth: 32, attributes: 32, items: 50_000 }
    }
}

/// Whether what is told of an element is all of it (RFC 4575 §4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// All of it.
    #[default]
    Full,
    /// What changed.
    Partial,
    /// It is no more.
    Deleted,
}

/// A document of RFC 4575, or a full one of RFC 6501.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The conference's URI.
    pub entity: String,
    /// Its version, which a document of RFC 6501 need not have.
    pub version: Option<u32>,
    /// Whether it tells all.
    pub state: State,
    /// The description, where it is told.
    pub description: Option<Description>,
    /// The host, where it is told; an empty element is an empty host.
    pub host: Option<HostInfo>,
    /// The conference's state, where it is told.
    pub conference_state: Option<ConferenceState>,
    /// The users, where they are told.
    pub users: Option<UserList>,
}

/// The users that a document tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserList {
    /// Whether these are all.
    pub state: State,
    /// By URI.
    pub users: BTreeMap<String, UserPart>,
}

/// What a document tells of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPart {
    /// Whether it is all.
    pub state: State,
    /// What it tells, but for the endpoints: that map is empty.
    pub user: User,
    /// The endpoints that it tells of, by key.
    pub endpoints: BTreeMap<String, (State, Endpoint)>,
}

/// A patch of RFC 6502.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// The conference's URI.
    pub entity: String,
    /// The version that it leads to, where it says so.
    pub version: Option<u32>,
    /// What to do, in this order.
    pub operations: Vec<Operation>,
}

/// An operation of a patch (RFC 5261), as far as it is on what is modelled. Others are passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Another description.
    Description(Description),
    /// Another host.
    Host(HostInfo),
    /// Another state.
    State(ConferenceState),
    /// Another number of users.
    UserCount(u32),
    /// Whether it is active.
    Active(bool),
    /// Whether it is locked.
    Locked(bool),
    /// Other users altogether.
    Users(BTreeMap<String, User>),
    /// A user who was not there.
    AddUser(String, User),
    /// A user who is another one now: first the one that was there.
    ReplaceUser(String, String, User),
    /// A user who goes.
    RemoveUser(String),
    /// A nickname for a user who had none.
    AddNickname(String, String),
    /// Another nickname for a user.
    ReplaceNickname(String, String),
    /// A nickname that goes.
    RemoveNickname(String),
}

/// What is wrong with a document. It is always who wrote it that is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More than [`Limits::octets`].
    #[error("the document is too long")]
    TooLong,
    /// Elements stand in each other beyond [`Limits::depth`].
    #[error("the document is too deep")]
    TooDeep,
    /// An element has more attributes than [`Limits::attributes`], or more namespaces are declared.
    #[error("too many attributes or namespaces")]
    TooManyAttributes,
    /// More than [`Limits::items`].
    #[error("the document lists too much")]
    TooMany,
    /// It is not UTF-8, or declares to be something else.
    #[error("the document is not UTF-8")]
    Encoding,
    /// It holds a character that XML does not have.
    #[error("the document holds a forbidden character")]
    Character,
    /// It has a document type declaration.
    #[error("the document has a document type")]
    DocumentType,
    /// It refers to an entity that is not one of XML's own five.
    #[error("the document refers to an entity")]
    Entity,
    /// It is not well-formed.
    #[error("the document is not well-formed XML: {0}")]
    Malformed(String),
    /// Its root is another element.
    #[error("the document is of another kind")]
    Root,
    /// An element lacks an attribute or a child that identifies it.
    #[error("<{element}> lacks {part}")]
    Lacks {
        /// The element.
        element: &'static str,
        /// What it lacks.
        part: &'static str,
    },
    /// A value is not of its type.
    #[error("the value of {0} is malformed")]
    Value(&'static str),
    /// A patch selects in a way that is not understood here.
    #[error("the selector {0:?} is not understood")]
    Selector(String),
}

impl UserPart {
    /// The user, where what is told is all that there is.
    pub fn into_whole(self) -> User {
        let endpoints = self.endpoints.into_iter().filter(|(_, (state, _))| *state != State::Deleted);
        User { endpoints: endpoints.map(|(entity, (_, endpoint))| (entity, endpoint)).collect(), ..self.user }
    }
}

/// The beginning of what somebody wrote, for an error.
fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}
