//! What can go wrong, and with what.

use std::path::PathBuf;

/// Why something was not read or not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened, made or read as a database of ours.
    #[error("{} cannot be used as a store: {reason}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A later version has written it: this one would not keep what it does not know.
    #[error("{} was written by a later version: its schema is {found}, and this version knows those up to {known}", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// Something stands there that no version has written.
    #[error("what is stored of {uri} is damaged: {reason}")]
    Corrupt {
        /// Whose row it is: a room's or a user's, as it stands there.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The database has failed. What was to be written may be tried again.
    #[error("the store has failed: {0}")]
    Failed(#[from] sqlx::Error),
}
