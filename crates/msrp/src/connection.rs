//! An endpoint's connection.
