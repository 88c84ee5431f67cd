//! The directory of the server's data, and the store in it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use anyhow::Context as _;
use store::Store;

use crate::config::Config;

/// Makes the directory for what the server must find again, if it is not there: for its owner alone.
///
/// # Errors
///
/// It cannot be made; the error names it.
pub(crate) fn make_data_dir(directory: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.with_context(|| format!("cannot make the directory {}", directory.display()))
}

/// Opens the store.
///
/// # Errors
///
/// It cannot be used, or a later version has written it; the error names its file.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Store> {
    Ok(Store::open(&config.data_dir.join(&config.store)).await?)
}
