//! The connection settings and TLS.
//!
//! `sslmode` in the URL decides: `disable` speaks in the clear; `prefer` (the default) encrypts when the server offers it and, as libpq
//! does, does not ask who the server is; `require` encrypts, and the certificate must chain to the machine's trusted roots (or those in
//! `SSL_CERT_FILE`) and bear the host's name.

use crate::error::StoreError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Reads the URL and fills in what it leaves open: every wait gets an end.
pub(crate) fn settings(
    url: &str,
    application: &str,
    session: &[(&str, String)],
) -> Result<Config, StoreError> {
    let mut config: Config = url.parse().map_err(StoreError::Url)?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(20));
    }
    config.keepalives_idle(Duration::from_secs(30));
    if config.get_application_name().is_none() {
        config.application_name(application);
    }
    // JIT costs many milliseconds on plans over partitions and never pays here. Read committed, whatever the server's default: a
    // statement must see what was committed while the one before it waited for a lock.
    let mut options = String::from(
        "-c TimeZone=UTC -c jit=off -c default_transaction_isolation=read\\ committed",
    );
    for (name, value) in session {
        options.push_str(" -c ");
        options.push_str(name);
        options.push('=');
        options.push_str(value);
    }
    if let Some(given) = config.get_options() {
        options.push(' ');
        options.push_str(given);
    }
    config.options(options);
    Ok(config)
}

/// The TLS connector the settings ask for.
pub(crate) fn tls(config: &Config) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|source| StoreError::Tls {
            what: "protocol versions",
            source: Some(source),
        })?;
    let config = if config.get_ssl_mode() == SslMode::Require {
        builder
            .with_root_certificates(trusted_roots()?)
            .with_no_client_auth()
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer(provider)))
            .with_no_client_auth()
    };
    Ok(MakeRustlsConnect::new(config))
}

fn trusted_roots() -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    // Single unreadable certificates are common on real machines and harmless; having none is not.
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err(StoreError::Tls {
            what: "sslmode=require, but no trusted root certificate was found",
            source: None,
        });
    }
    Ok(roots)
}

/// How long opening a connection may take in all, TLS and authentication included.
const OPEN: Duration = Duration::from_secs(10);

/// Opens one connection outside any pool. Its driver task ends with the client.
pub(crate) async fn single(config: &Config) -> Result<Client, StoreError> {
    tokio::time::timeout(OPEN, open(config))
        .await
        .map_err(|_| StoreError::Deadline {
            step: "open a connection",
            within_ms: OPEN.as_millis(),
        })?
}

async fn open(config: &Config) -> Result<Client, StoreError> {
    let (client, connection) = config
        .connect(tls(config)?)
        .await
        .map_err(StoreError::Connect)?;
    // What ends the connection is reported to whoever waits for an answer on it.
    drop(tokio::spawn(connection));
    Ok(client)
}

/// Accepts any certificate: encryption against listeners, as `sslmode=prefer` promises, and no more.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
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
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
