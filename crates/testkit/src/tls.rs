//! A CA of a test's own, and TLS in front of a server that has none: with whatever certificate a test wants to see refused.

use crate::proxy::host_range;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

/// Signs certificates; all files go with the value.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

impl Authority {
    /// A new one, that nobody has heard of.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        // Two of the same name would be told apart by their signatures only.
        let name = format!("test CA {}", Uuid::now_v7().simple());
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("make a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("sign a CA");
        let folder = tempfile::tempdir().expect("make a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("write a file");
        Self { issuer, folder }
    }

    /// The file with its certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for these names and addresses.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_by(names, |_| {})
    }

    /// The same, over for years.
    #[must_use]
    pub fn issue_expired(&self, names: &[&str]) -> Identity {
        self.issue_by(names, |params| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        })
    }

    fn issue_by(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names of a certificate");
        change(&mut params);
        let key = KeyPair::generate().expect("make a key");
        let signed = params.signed_by(&key, &self.issuer).expect("sign");
        let stem = Uuid::now_v7().simple().to_string();
        let identity = Identity {
            certificate: self.folder.path().join(format!("{stem}.pem")),
            key: self.folder.path().join(format!("{stem}.key")),
        };
        std::fs::write(&identity.certificate, signed.pem()).expect("write a file");
        std::fs::write(&identity.key, key.serialize_pem()).expect("write a file");
        identity
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// Speaks TLS with clients and plain text with the server behind it. Ends with the value.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    accept: JoinHandle<()>,
}

/// How a client begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// With TLS, as AMQP and HTTP do.
    AtOnce,
    /// With a question whether TLS may begin, as PostgreSQL does.
    Asking,
}

impl TlsFront {
    /// In front of the server of a URL. With `clients`, a CA's file, a client must bear a certificate of that CA.
    pub async fn before(
        url: &str,
        begins: Begins,
        identity: &Identity,
        clients: Option<&Path>,
    ) -> Self {
        let (start, end) = host_range(url);
        let target = url[start..end].to_owned();
        let acceptor = TlsAcceptor::from(Arc::new(server_config(identity, clients)));
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free local port");
        let address = listener.local_addr().expect("a bound port has an address");
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, acceptor) = (target.clone(), acceptor.clone());
                // A client that turns away is what most tests are about.
                tokio::spawn(async move { forward(client, begins, acceptor, &target).await.ok() });
            }
        });
        Self { address, accept }
    }

    /// The URL through it, by this host name.
    #[must_use]
    pub fn url(&self, url: &str, host: &str) -> String {
        let (start, end) = host_range(url);
        format!(
            "{}{host}:{}{}",
            &url[..start],
            self.address.port(),
            &url[end..]
        )
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

fn server_config(identity: &Identity, clients: Option<&Path>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("protocol versions");
    let chain = certificates(&identity.certificate);
    let key = PrivateKeyDer::from_pem_file(&identity.key).expect("read a key");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(ca) {
                roots.add(certificate).expect("a root");
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    builder
        .with_single_cert(chain, key)
        .expect("a certificate with its key")
}

fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    let found = CertificateDer::pem_file_iter(path).expect("read certificates");
    found.map(|one| one.expect("a certificate")).collect()
}

async fn forward(
    mut client: TcpStream,
    begins: Begins,
    acceptor: TlsAcceptor,
    target: &str,
) -> std::io::Result<()> {
    if begins == Begins::Asking {
        let mut question = [0; 8];
        client.read_exact(&mut question).await?;
        client.write_all(b"S").await?;
    }
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(target).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
