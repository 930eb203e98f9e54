//! TLS for listeners: at least 1.2; with authorities named, clients must show a certificate of theirs.

use std::path::Path;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::io::sink::tls::TlsOptions;

/// The configuration of a server with this certificate and key, in PEM.
///
/// # Errors
/// Says which file cannot be used.
pub fn server_tls(cert: &Path, key: &Path, ca: Option<&Path>) -> Result<Arc<ServerConfig>, String> {
    let files = TlsOptions { ca: ca.map(Path::to_owned), cert: Some(cert.to_owned()), key: Some(key.to_owned()) };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(files.roots()?);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| format!("{}: {error}", ca.display()))?)
        }
    };
    let (chain, key) = files.own()?.ok_or_else(|| "a certificate needs its key".to_owned())?;
    let config = builder.with_single_cert(chain, key).map_err(|error| format!("{}: {error}", cert.display()))?;
    Ok(Arc::new(config))
}
