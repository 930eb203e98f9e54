//! TLS for sinks: at least 1.2, certificates and names always verified. There is no switch to turn that off.
#![expect(clippy::disallowed_methods, reason = "certificates and keys are files")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::io::trust;

/// What a connection trusts, and how it shows who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Certificates of authorities to trust, in PEM, instead of the system's.
    pub ca: Option<PathBuf>,
    /// The own certificate with its chain, in PEM, if the peer asks for one.
    pub cert: Option<PathBuf>,
    /// Its key, in PEM.
    pub key: Option<PathBuf>,
}

impl TlsOptions {
    /// The authorities to trust.
    ///
    /// # Errors
    /// Says which file cannot be read, or that there are none.
    pub fn roots(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let certificates = match &self.ca {
            Some(path) => certificates(path)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        match &self.ca {
            Some(path) if certificates.is_empty() => Err(format!("{} holds no certificate", path.display())),
            _ => Ok(certificates),
        }
    }

    /// The own certificate and key, if both are set.
    ///
    /// # Errors
    /// Says which file cannot be read.
    pub fn own(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, String> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else { return Ok(None) };
        let text = read_key(key)?;
        let key =
            PrivateKeyDer::from_pem_slice(&text).map_err(|_| format!("{} holds no private key", key.display()))?;
        Ok(Some((certificates(cert)?, key)))
    }

    /// The text of the own key.
    ///
    /// # Errors
    /// Says which file cannot be read.
    pub(super) fn key_pem(&self) -> Result<Option<Vec<u8>>, String> {
        self.key.as_deref().map(read_key).transpose()
    }

    /// A configuration for connections that are not HTTP.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub fn client(&self) -> Result<Arc<ClientConfig>, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.roots()?);
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let config = match self.own()? {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())?,
            None => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// A key that everyone may exchange shows nobody who we are.
fn read_key(path: &Path) -> Result<Vec<u8>, String> {
    trust::read(path).map_err(|why| format!("{} {why}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
