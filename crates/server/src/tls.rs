//! The server's certificate: the operator's, or a self-signed pair that is made once.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;

use crate::config::Config;

/// What TLS listeners present: TLS 1.2 and 1.3 with the suites of ring, all of them AEAD (threat T24).
///
/// # Errors
///
/// The operator's files cannot be used, or none can be made in `data_dir`; the error says which and why.
pub(crate) fn server_config(config: &Config, names: &[String]) -> anyhow::Result<Arc<ServerConfig>> {
    let (certificate, key) = match &config.tls {
        Some(files) => (files.certificate.clone(), files.key.clone()),
        None => self_signed(&config.data_dir, names)?,
    };
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read the certificate {}", certificate.display()))?;
    if chain.is_empty() {
        bail!("{} holds no certificate", certificate.display());
    }
    let secret =
        PrivateKeyDer::from_pem_file(&key).with_context(|| format!("cannot read the key {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .with_context(|| format!("cannot use {} with {}", certificate.display(), key.display()))?;
    // Resumption would save a signature and cost a lock that all threads share.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// The pair in `data_dir`, made if there is none yet, so that who trusted it once can trust it again.
fn self_signed(directory: &Path, names: &[String]) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    match (certificate.exists(), key.exists()) {
        (true, true) => return Ok((certificate, key)),
        (false, false) => {}
        (true, false) => bail!("{} is missing beside {}", key.display(), certificate.display()),
        (false, true) => bail!("{} is missing beside {}", certificate.display(), key.display()),
    }
    let (chain, secret) = make_pair(names).context("cannot make a certificate")?;
    write_private(&key, secret.as_bytes())?;
    write_private(&certificate, chain.as_bytes())?;
    Ok((certificate, key))
}

/// A certificate for these names, and its key, both PEM.
fn make_pair(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut params = rcgen::CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "tertulia, self-signed");
    let key = rcgen::KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Writes a file that nobody else may read, whole or not at all.
fn write_private(path: &Path, octets: &[u8]) -> anyhow::Result<()> {
    let write = || {
        let unfinished = path.with_extension("pem.new");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(octets)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
