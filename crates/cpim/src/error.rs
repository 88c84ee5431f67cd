//! What can be wrong with a message's headers.

/// Why octets are no Message/CPIM. All of these are the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The headers have not ended within [`MAX_HEAD`](crate::MAX_HEAD) octets.
    #[error("the headers are too long")]
    TooLong,
    /// A line of the message headers ends in LF alone (§2.2): readers would disagree about what is a header.
    #[error("a message header ends in a bare line feed")]
    BareLineFeed,
    /// A control character stands in a header (§2.2); in one of a message it has to be escaped.
    #[error("a header holds a control character")]
    Control,
    /// A header goes on in a second line (§2.2), or the first content header begins with a space.
    #[error("a header is folded")]
    Folded,
    /// The headers are no UTF-8 (§2.2).
    #[error("the headers are not UTF-8")]
    NotUtf8,
    /// A line has no colon, or what stands before it is no header name (§3.1).
    #[error("a line is not a header")]
    NotAHeader,
    /// The parameters between a header's colon and its value are none (§3.6).
    #[error("a header's parameters are malformed")]
    Parameter,
    /// The value of `From`, `To` or `cc` is no address (§4.1).
    #[error("an address is malformed")]
    Address,
    /// The value of `NS` declares no namespace (§4.6), or its prefix is no name (§3.6).
    #[error("a namespace declaration is malformed")]
    Namespace,
    /// More prefixes are declared than the 64 that are kept.
    #[error("too many namespaces")]
    TooManyNamespaces,
    /// `DateTime` or `Content-Type` stands there twice.
    #[error("a header stands there twice")]
    Duplicate,
    /// Readers would disagree about who sends the message or gets it. A `From`, `To`, `cc` or `NS` without a prefix
    /// stands where another default namespace holds (§3.4): by the RFC it is not that of CPIM, but a reader that knows
    /// no namespaces would take it for it. Or a name holds an address in angle brackets.
    #[error("who sends the message or gets it is ambiguous")]
    Ambiguous,
    /// The content has no `Content-Type` (§2.4).
    #[error("the content has no type")]
    NoContentType,
}
