//! The directory of the server's data: one server's at a time, with the store in it.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use store::Store;

use crate::config::Config;

/// The right to the directory. It ends with the process, however that ends.
pub(crate) struct Claim {
    _directory: File,
}

/// Makes the directory for what the server must find again, if it is not there, for its owner alone; and takes it.
///
/// # Errors
///
/// It cannot be made, or another server runs on it; the error names it.
pub(crate) fn claim(directory: &Path) -> anyhow::Result<Claim> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.with_context(|| format!("cannot make the directory {}", directory.display()))?;
    let file = File::open(directory).with_context(|| format!("cannot open the directory {}", directory.display()))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Claim { _directory: file }),
        Err(Errno::WOULDBLOCK) => {
            bail!("a server runs on {} already; right would be a data_dir of its own", directory.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot lock the directory {}", directory.display())),
    }
}

/// Opens the store.
///
/// # Errors
///
/// It cannot be used, or a later version has written it; the error names its file.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Store> {
    Ok(Store::open(&config.data_dir.join(&config.store)).await?)
}
