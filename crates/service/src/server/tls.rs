//! The certificate of a server, and its key.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often the files are looked at for a renewed certificate, in seconds.
const LOOK_S: u64 = 30;

/// A certificate with its key, out of files that are read again where they have changed: certificates are renewed while a server runs.
#[derive(Debug, Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    /// When the two files were changed last.
    changed: [Option<SystemTime>; 2],
    looked: Instant,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file holds no PEM of what it should.
    #[error("{} has no {what} as PEM that can be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why not.
        #[source]
        source: pem::Error,
    },
    /// The key and the certificate do not go together.
    #[error("the certificate in {} cannot be used with the key in {}", certificate.display(), key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads `certificate`, a PEM file with the server's certificate and those that it is signed by, in this order, and its private `key`.
    ///
    /// # Errors
    /// [`TlsError`] names the file.
    pub fn read(certificate: &Path, key: &Path) -> Result<Tls, TlsError> {
        let changed = [changed(certificate), changed(key)];
        let config = config(certificate, key)?;
        let current = Current { config, changed, looked: Instant::now() };
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Ok(Tls { shared: Arc::new(Shared { certificate, key, current: Mutex::new(current) }) })
    }

    /// Does the handshake with whoever is at the other end.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(self.shared.config()).accept(stream).await
    }
}

impl Shared {
    /// The configuration out of the files as they are, or as they were where they cannot be used any more.
    fn config(&self) -> Arc<ServerConfig> {
        // Whoever panicked has left a whole one behind.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= Duration::from_secs(LOOK_S) {
            current.looked = Instant::now();
            let now = [changed(&self.certificate), changed(&self.key)];
            if now != current.changed {
                match config(&self.certificate, &self.key) {
                    Ok(config) => {
                        tracing::info!(certificate = %self.certificate.display(), "the certificate was read again");
                        (current.config, current.changed) = (config, now);
                    }
                    // One of the two may have been written and not the other: looked at again.
                    Err(error) => {
                        tracing::warn!(
                            error = crate::service::explain(&error),
                            "a changed certificate cannot be used; the one before is"
                        );
                    }
                }
            }
        }
        Arc::clone(&current.config)
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let refuse = |path: &Path, what, source| TlsError::File { path: path.to_owned(), what, source };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|source| refuse(certificate, "certificate", source))?;
    if chain.is_empty() {
        return Err(refuse(certificate, "certificate", pem::Error::NoItemsFound));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| refuse(key, "private key", source))?;
    let pair = |source| TlsError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
