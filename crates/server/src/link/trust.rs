//! Whose certificates a client believes.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Where distributions keep the certificates of the world's authorities.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Whose certificates are believed.
pub(super) enum Trust<'a> {
    /// Those of the authorities that the system knows.
    System,
    /// Those of the authorities in a PEM file, or the very certificates in it.
    File(&'a Path),
    /// Nobody's.
    Nobody,
    /// Anybody's: the connection is private, but with whom is not known.
    Anybody,
}

impl Trust<'_> {
    /// The configuration of TLS connections.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub(super) fn config(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let config = match self {
            Self::System => {
                let known = SYSTEM.iter().map(Path::new).find(|path| path.exists());
                let roots = known.map_or_else(|| Ok(RootCertStore::empty()), roots)?;
                builder.with_root_certificates(roots)
            }
            Self::File(path) => {
                let roots = roots(path)?;
                ensure!(!roots.is_empty(), "{} holds no certificate", path.display());
                builder.with_root_certificates(roots)
            }
            Self::Nobody => builder.with_root_certificates(RootCertStore::empty()),
            Self::Anybody => {
                let verifier = Arc::new(Believing(provider));
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        Ok(Arc::new(config.with_no_client_auth()))
    }
}

fn roots(path: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let file = || format!("cannot read the certificates in {}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).with_context(file)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().with_context(file)?;
    // Bundles of systems hold a few that rustls cannot use; the others count.
    roots.add_parsable_certificates(certificates);
    Ok(roots)
}

/// Believes every certificate; that its holder signs is still checked.
#[derive(Debug)]
struct Believing(Arc<CryptoProvider>);

impl ServerCertVerifier for Believing {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
