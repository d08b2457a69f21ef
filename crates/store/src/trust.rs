//! Whom to trust as the server, and who we are: what the URL says about TLS.
//!
//! `sslmode` decides: `disable` speaks in the clear; `prefer` (the default) encrypts when the server offers it and, as libpq does, does
//! not ask who the server is; `verify-full`, and `require` as well, encrypt, and the certificate must chain to a trusted root and bear the host's
//! name. The roots are the machine's (or those in `SSL_CERT_FILE`), or the file that `sslrootcert` names; who names one wants the server verified, and
//! need not say `sslmode`. `sslcert` and `sslkey` are our own certificate. Files are read again for each connection.

use crate::error::StoreError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tls::Files;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Roots, certificate, key, and how much is asked for: libpq's names.
const NAMES: [&str; 4] = ["sslrootcert", "sslcert", "sslkey", "sslmode"];

/// Makes the TLS side of connections.
#[derive(Clone)]
pub(crate) struct Trust {
    files: Files,
    last: Arc<Mutex<ClientConfig>>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// Takes out of the URL what the driver does not know: what it says of TLS.
pub(crate) fn read(url: &str) -> Result<(String, Trust), StoreError> {
    let asked = tls::take(url, &NAMES);
    let mut files = asked.files();
    let mode = asked.values[3].as_deref();
    // libpq's word for the machine's own.
    if files
        .ca
        .as_deref()
        .is_some_and(|ca| ca.as_os_str() == "system")
    {
        files.ca = None;
    }
    let says = |what| Err(StoreError::TlsAsked { what });
    let verified = match mode {
        Some("require" | "verify-full") => true,
        None => !files.is_empty() || asked.values[0].is_some(),
        Some("disable" | "prefer") if files.is_empty() && asked.values[0].is_none() => false,
        Some("disable" | "prefer") => {
            return says(
                "sslmode=disable and sslmode=prefer do not look at certificates, and files of certificates are named: say sslmode=verify-full",
            );
        }
        Some("verify-ca" | "allow") => {
            return says(
                "sslmode=verify-ca and sslmode=allow are not offered, for neither knows the server by its name: say sslmode=verify-full",
            );
        }
        Some(_) => {
            return says("sslmode is one of disable, prefer, require and verify-full");
        }
    };
    let driver = match (verified, mode) {
        (true, _) => Some("require"),
        (false, mode) => mode,
    };
    let url = match driver {
        Some(mode) => tls::add(&asked.url, "sslmode", mode.as_ref()),
        None => asked.url,
    };
    let config = if verified {
        files.client_config().map_err(StoreError::TlsFiles)?
    } else {
        unverified()?
    };
    let trust = Trust {
        files,
        last: Arc::new(Mutex::new(config)),
    };
    Ok((url, trust))
}

fn unverified() -> Result<ClientConfig, StoreError> {
    let provider = tls::provider();
    Ok(ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::TlsFiles(error.into()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer(provider)))
        .with_no_client_auth())
}

impl Trust {
    /// What the files say now; what they said last while they cannot be read, as in the middle of a renewal.
    fn config(&self) -> ClientConfig {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // The machine's roots alone are hundreds, and do not change under a process.
        if !self.files.is_empty()
            && let Ok(now) = self.files.client_config()
        {
            *last = now;
        }
        last.clone()
    }
}

impl<S> MakeTlsConnect<S> for Trust
where
    MakeRustlsConnect: MakeTlsConnect<S>,
{
    type Stream = <MakeRustlsConnect as MakeTlsConnect<S>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<S>>::TlsConnect;
    type Error = <MakeRustlsConnect as MakeTlsConnect<S>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, Self::Error> {
        MakeRustlsConnect::new(self.config()).make_tls_connect(host)
    }
}

/// What to do about a connection that could not be opened, where TLS is why.
pub(crate) fn advice(error: &tokio_postgres::Error) -> Option<String> {
    tls::advice(error).or_else(|| {
        let cause = std::error::Error::source(error)?.to_string();
        cause.contains("server does not support TLS").then(|| {
            "the server does not offer TLS, and it is asked for: switch it on there (ssl = on). Nothing was sent in the clear"
                .to_owned()
        })
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> String {
        read(url).map_or_else(|error| error.to_string(), |(url, _)| url)
    }

    #[test]
    fn a_mode_of_libpq_becomes_one_of_the_driver_or_an_error() {
        let ca = tempfile::NamedTempFile::new().unwrap();
        let own = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
        std::fs::write(ca.path(), own.cert.pem()).unwrap();
        let named = format!("sslrootcert={}", ca.path().display());
        for (url, wanted) in [
            ("postgres://h/d".to_owned(), "postgres://h/d"),
            (
                "postgres://h/d?sslmode=disable".to_owned(),
                "postgres://h/d?sslmode=disable",
            ),
            (
                format!("postgres://h/d?{named}"),
                "postgres://h/d?sslmode=require",
            ),
            (
                format!("postgres://h/d?sslmode=verify-full&{named}&connect_timeout=3"),
                "postgres://h/d?connect_timeout=3&sslmode=require",
            ),
        ] {
            assert_eq!(mode(&url), wanted);
        }
        for (url, wanted) in [
            (
                format!("postgres://h/d?sslmode=prefer&{named}"),
                "sslmode=verify-full",
            ),
            (
                format!("postgres://h/d?sslmode=disable&{named}"),
                "sslmode=verify-full",
            ),
            ("postgres://h/d?sslmode=verify-ca".to_owned(), "not offered"),
            ("postgres://h/d?sslmode=never".to_owned(), "is one of"),
            (
                format!("postgres://h/d?{named}&sslcert=/absent"),
                "needs its key",
            ),
        ] {
            let text = read(&url).unwrap_err();
            let text = format!(
                "{text}: {}",
                std::error::Error::source(&text).map_or_else(String::new, ToString::to_string)
            );
            assert!(text.contains(wanted), "{url}: {text}");
        }
    }
}
