//! TLS in the process: certificate, key and clients' authorities from files, read again while connections go on.
//!
//! The versions are 1.2 and 1.3, the cryptography is ring's, as everywhere in this product. A connection keeps the settings it began
//! with; a file that cannot be read, or a key that is not the certificate's, changes nothing and is said in the log.

use crate::fingerprint::Fingerprint;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// What ALPN offers, the best first.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
/// HTTP/2 in ALPN.
pub const HTTP2: &[u8] = b"h2";

/// The files that TLS is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate chain, the server's own first, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// The authorities of clients' certificates, as PEM; without it clients need none.
    pub client_ca: Option<PathBuf>,
}

/// TLS as the server uses it.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// The settings in force.
    pub live: LiveTls,
    /// The longest wait for a handshake.
    pub handshake_timeout: Duration,
}

/// The settings in force, replaced as a whole when a file changes.
#[derive(Debug, Clone)]
pub struct LiveTls(Arc<RwLock<Arc<ServerConfig>>>);

impl LiveTls {
    /// Starts with what is in the files.
    pub fn new(files: &Files) -> Result<Self, Vec<String>> {
        Ok(Self(Arc::new(RwLock::new(files.load()?))))
    }

    /// What makes a new connection an encrypted one.
    pub fn acceptor(&self) -> TlsAcceptor {
        let config = self.0.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }

    fn replace(&self, config: Arc<ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

impl Files {
    /// Reads all of them, or lists what is wrong with each.
    pub fn load(&self) -> Result<Arc<ServerConfig>, Vec<String>> {
        let mut problems = Vec::new();
        let chain = certificates("--http-tls-certificate", &self.certificate, &mut problems);
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| problems.push(problem("--http-tls-key", &self.key, &error)))
            .ok();
        let authorities = self
            .client_ca
            .as_deref()
            .map(|path| authorities(path, &mut problems));
        if let (Some(chain), Some(key), true) = (chain, key, problems.is_empty()) {
            match server(chain, key, authorities.flatten()) {
                Ok(config) => return Ok(Arc::new(config)),
                Err(error) => problems.push(format!(
                    "--http-tls-certificate {} and --http-tls-key {}: cannot be used together: {error}",
                    self.certificate.display(),
                    self.key.display()
                )),
            }
        }
        Err(problems)
    }

    /// Changes when a file changes, appears or goes.
    pub fn fingerprint(&self) -> Fingerprint {
        let files = [&self.certificate, &self.key];
        let files = files.into_iter().chain(&self.client_ca);
        Fingerprint::of(files.map(PathBuf::as_path))
    }
}

/// Reads the files again on SIGHUP and when one of them has changed, until the stop. `seen` is their fingerprint before they were read:
/// what is written in between is a change.
pub async fn reload(
    files: Files,
    mut seen: Fingerprint,
    live: LiveTls,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        let asked = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = hangup.recv() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        let now = files.fingerprint();
        if !asked && now == seen {
            continue;
        }
        seen = now;
        match files.load() {
            Ok(config) => {
                live.replace(config);
                tracing::info!("the TLS certificate was read again");
            }
            // Certificate and key are two files: between the two writes they do not fit, and the next look finds them whole.
            Err(problems) => tracing::error!(
                problems = problems.join("; "),
                "the TLS files have problems; the old certificate stays in force"
            ),
        }
    }
}

fn certificates(
    flag: &str,
    path: &Path,
    problems: &mut Vec<String>,
) -> Option<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if chain.is_empty() => {
            problems.push(format!("{flag} {}: has no certificate", path.display()));
            None
        }
        Ok(chain) => Some(chain),
        Err(error) => {
            problems.push(problem(flag, path, &error));
            None
        }
    }
}

fn authorities(path: &Path, problems: &mut Vec<String>) -> Option<RootCertStore> {
    const FLAG: &str = "--http-tls-client-ca";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(FLAG, path, problems)? {
        if let Err(error) = roots.add(certificate) {
            problems.push(problem(FLAG, path, &error));
            return None;
        }
    }
    Some(roots)
}

fn problem(flag: &str, path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{flag} {}: {error}", path.display())
}

/// Puts the parts together. That the key is the certificate's is checked on the way.
fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authorities: Option<RootCertStore>,
) -> Result<ServerConfig, String> {
    let crypto = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&crypto))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?;
    let builder = match authorities {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto)
                .build()
                .map_err(|error| error.to_string())?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

#[cfg(test)]
mod tests;
