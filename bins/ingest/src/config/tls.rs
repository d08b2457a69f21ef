//! Flags for TLS in the process.

use crate::receive::tls::Files;
use runtime::Problems;
use std::path::PathBuf;
use std::time::Duration;

/// Without a certificate connections are plain: then a proxy before this process has to end TLS.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Receiving over TLS")]
#[allow(clippy::struct_field_names)] // the fields are the flags
pub struct TlsArgs {
    /// A PEM file with the certificate chain, the server's own first. With it, and the key, connections must be TLS 1.2 or 1.3;
    /// HTTP/2 and HTTP/1.1 are offered. Both are read again on SIGHUP and when they change; open connections go on
    #[arg(long, env = "KPILINE_HTTP_TLS_CERTIFICATE", value_name = "FILE")]
    http_tls_certificate: Option<PathBuf>,

    /// A PEM file with the private key of the certificate: PKCS #8, PKCS #1 or SEC 1, without a passphrase
    #[arg(long, env = "KPILINE_HTTP_TLS_KEY", value_name = "FILE")]
    http_tls_key: Option<PathBuf>,

    /// A PEM file with the authorities of clients' certificates. With it a client without a certificate of theirs cannot connect
    #[arg(long, env = "KPILINE_HTTP_TLS_CLIENT_CA", value_name = "FILE")]
    http_tls_client_ca: Option<PathBuf>,

    /// The longest wait for a TLS handshake
    #[arg(long, env = "KPILINE_HTTP_TLS_HANDSHAKE_TIMEOUT", default_value = "5s",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    http_tls_handshake_timeout: Duration,
}

/// Checked settings of TLS.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// Where certificate, key and authorities are.
    pub files: Files,
    /// The longest wait for a handshake.
    pub handshake_timeout: Duration,
}

impl TlsArgs {
    /// Reads the files, to see whether they can be used; `None` without a certificate.
    pub fn resolve(&self, problems: &mut Problems) -> Option<TlsConfig> {
        let (certificate, key) = match (&self.http_tls_certificate, &self.http_tls_key) {
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            (None, None) => {
                if self.http_tls_client_ca.is_some() {
                    problems.push(
                        "--http-tls-client-ca: needs --http-tls-certificate and --http-tls-key",
                    );
                }
                return None;
            }
            (Some(_), None) => {
                problems.push("--http-tls-certificate: needs --http-tls-key");
                return None;
            }
            (None, Some(_)) => {
                problems.push("--http-tls-key: needs --http-tls-certificate");
                return None;
            }
        };
        let files = Files {
            certificate,
            key,
            client_ca: self.http_tls_client_ca.clone(),
        };
        if let Err(found) = files.load() {
            for problem in found {
                problems.push(problem);
            }
        }
        Some(TlsConfig {
            files,
            handshake_timeout: self.http_tls_handshake_timeout,
        })
    }
}
