//! The files that say whom to trust and who we are.

use crate::provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};

/// Names of PEM files. Empty: the machine's roots, and no certificate of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// The roots to trust, instead of the machine's.
    pub ca: Option<PathBuf>,
    /// Our certificate and what links it to its root, for servers that ask for one.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
}

/// TLS could not be set up. The texts name files and never repeat what is in them.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// Which one.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A certificate without its key, or a key alone.
    #[error("a client certificate needs its key, and a key its certificate")]
    Half,
    /// The machine has no roots.
    #[error(
        "no trusted root certificate was found on this machine: name a file of roots, or install ca-certificates"
    )]
    NoRoots,
    /// The library refuses them.
    #[error("{0}")]
    Refused(#[from] rustls::Error),
}

impl Files {
    /// True where nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the files: a configuration that verifies the server.
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots()?);
        match (&self.certificate, &self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate)?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|_| unreadable(key, "no private key in PEM can be read from it"))?;
                Ok(builder.with_client_auth_cert(chain, key)?)
            }
            (Some(_), None) | (None, Some(_)) => Err(TlsError::Half),
        }
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.ca else {
            // Single unreadable certificates are common on real machines and harmless; having none is not.
            let found = rustls_native_certs::load_native_certs().certs;
            let (added, _) = roots.add_parsable_certificates(found);
            return if added == 0 {
                Err(TlsError::NoRoots)
            } else {
                Ok(roots)
            };
        };
        for certificate in certificates(path)? {
            roots
                .add(certificate)
                .map_err(|_| unreadable(path, "holds a certificate that cannot be a root"))?;
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = std::fs::read(path).map_err(|error| unreadable(path, &error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(unreadable(
            path,
            "no certificate in PEM can be read from it",
        )),
    }
}

fn unreadable(path: &Path, reason: &str) -> TlsError {
    TlsError::File {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(ca: Option<&Path>, certificate: Option<&Path>, key: Option<&Path>) -> Files {
        let owned = |path: Option<&Path>| path.map(Path::to_path_buf);
        Files {
            ca: owned(ca),
            certificate: owned(certificate),
            key: owned(key),
        }
    }

    #[test]
    fn what_is_wrong_is_said_by_file_and_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let rubbish = folder.path().join("rubbish.pem");
        std::fs::write(&rubbish, "hunter2").unwrap();
        let own = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
        let certificate = folder.path().join("own.pem");
        std::fs::write(&certificate, own.cert.pem()).unwrap();
        let key = folder.path().join("own.key");
        std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
        let absent = folder.path().join("absent.pem");

        let ca = Some(certificate.as_path());
        for (files, wanted) in [
            (named(Some(&absent), None, None), "absent.pem: No such file"),
            (
                named(Some(&rubbish), None, None),
                "rubbish.pem: no certificate",
            ),
            (named(ca, ca, Some(&rubbish)), "rubbish.pem: no private key"),
            (
                named(ca, Some(&rubbish), Some(&key)),
                "rubbish.pem: no certificate",
            ),
            (named(ca, ca, None), "needs its key"),
            (named(ca, None, Some(&key)), "needs its key"),
        ] {
            let error = files.client_config().unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains(wanted), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert!(named(ca, ca, Some(&key)).client_config().is_ok());
        assert!(named(ca, None, None).client_config().is_ok());
    }
}
