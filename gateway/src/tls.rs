//! TLS of one listener: its certificate, who may connect, and what happens when the files change.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// Longest file of certificates or of a key, bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// The files of a listener's TLS, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate and those between it and the root.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// Authorities whose certificates devices must show; `None`: devices show none.
    pub clients: Option<PathBuf>,
}

/// Why TLS can not be spoken.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file can not be read.
    #[error("TLS file `{path}` can not be read: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("TLS file `{path}` holds no {what}: {reason}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// In words.
        reason: String,
    },
    /// Certificate and key do not go together, or are of a kind that is not spoken.
    #[error("certificate `{certificate}` can not be used: {source}")]
    Certificate {
        /// Which.
        certificate: PathBuf,
        /// The library's word.
        source: rustls::Error,
    },
    /// No authority is usable.
    #[error("authorities `{clients}` can not be used: {source}")]
    Clients {
        /// Which.
        clients: PathBuf,
        /// The library's word.
        source: VerifierBuilderError,
    },
}

/// The files as they were read last, and what they mean.
struct Current {
    content: Vec<Vec<u8>>,
    acceptor: TlsAcceptor,
}

/// A listener's TLS.
pub(crate) struct Tls {
    files: TlsFiles,
    current: Mutex<Current>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files (blocks).
    pub(crate) fn open(files: &TlsFiles) -> Result<Self, TlsError> {
        let current = Mutex::new(Current::of(files, content(files)?)?);
        Ok(Self { files: files.clone(), current })
    }

    /// Reads the files again (blocks). When they have changed, connections accepted from now on
    /// use what they hold; when that can not be used the former stay in use. Whether they had
    /// changed.
    pub(crate) fn reload(&self) -> Result<bool, TlsError> {
        let content = content(&self.files)?;
        if self.lock().content == content {
            return Ok(false);
        }
        let fresh = Current::of(&self.files, content)?;
        *self.lock() = fresh;
        Ok(true)
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.lock().acceptor.clone()
    }

    pub(crate) fn certificate(&self) -> &Path {
        &self.files.certificate
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn content(files: &TlsFiles) -> Result<Vec<Vec<u8>>, TlsError> {
    let read = |path: &PathBuf| {
        let wrong = |source| TlsError::File { path: path.clone(), source };
        if std::fs::metadata(path).map_err(wrong)?.len() > FILE_MAX {
            return Err(wrong(io::Error::other(format!("longer than {FILE_MAX} bytes"))));
        }
        std::fs::read(path).map_err(wrong)
    };
    [Some(&files.certificate), Some(&files.key), files.clients.as_ref()]
        .into_iter()
        .flatten()
        .map(read)
        .collect()
}

/// All certificates of a file, at least one.
fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong =
        |reason: String| TlsError::Content { path: path.into(), what: "certificates", reason };
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|e| wrong(e.to_string()))?;
    if all.is_empty() { Err(wrong("it has no such section".into())) } else { Ok(all) }
}

impl Current {
    fn of(files: &TlsFiles, content: Vec<Vec<u8>>) -> Result<Self, TlsError> {
        let part = |at: usize| content.get(at).map(Vec::as_slice).unwrap_or_default();
        let chain = certificates(&files.certificate, part(0))?;
        let key = PrivateKeyDer::from_pem_slice(part(1)).map_err(|e| TlsError::Content {
            path: files.key.clone(),
            what: "private key",
            reason: e.to_string(),
        })?;
        let wrong =
            |source| TlsError::Certificate { certificate: files.certificate.clone(), source };
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(wrong)?;
        let config = match &files.clients {
            None => config.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(clients, part(2))? {
                    roots.add(authority).map_err(|e| TlsError::Content {
                        path: clients.clone(),
                        what: "authority",
                        reason: e.to_string(),
                    })?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|source| TlsError::Clients { clients: clients.clone(), source })?;
                config.with_client_cert_verifier(verifier)
            }
        };
        let mut config = config.with_single_cert(chain, key).map_err(wrong)?;
        // A device that comes back skips the costly half of the handshake.
        config.ticketer = ring::Ticketer::new().map_err(wrong)?;
        config.send_tls13_tickets = 1;
        Ok(Self { content, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}
