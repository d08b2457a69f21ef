//! TLS in the process: both protocols, certificates that change, clients that must have one.

use crate::line::{Line, PATH, PATIENCE, SECRET, event, request, sign};
use crate::transport::{http2, signed_request};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use testkit::{Proc, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An authority that signs certificates for one test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A certificate of this name and its key.
    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

/// The files of a server, and how to start it with them.
struct Server {
    line: Line,
    folder: TempDir,
}

impl Server {
    async fn new() -> Self {
        Self {
            line: Line::new().await,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The key first: between the two writes the pair does not fit, and the process keeps what it had.
    fn certify(&self, authority: &Authority) -> CertificateDer<'static> {
        let (certificate, key) = authority.issue("localhost");
        std::fs::write(self.file("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(self.file("certificate.pem"), certificate.pem()).unwrap();
        certificate.der().clone()
    }

    fn start(&self, more: &[(&'static str, &str)]) -> Proc {
        let certificate = self.file("certificate.pem").display().to_string();
        let key = self.file("key.pem").display().to_string();
        let mut settings = vec![
            ("KPILINE_HTTP_TLS_CERTIFICATE", certificate.as_str()),
            ("KPILINE_HTTP_TLS_KEY", &key),
        ];
        settings.extend(more);
        self.line.start(&["receive"], &settings)
    }
}

fn client(roots: RootCertStore, protocols: &[&str]) -> ClientConfig {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    config
}

async fn connect(http: SocketAddr, config: ClientConfig) -> Result<TlsStream<TcpStream>, Error> {
    let stream = TcpStream::connect(http).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// One delivery over HTTP/1.1, and the connection's end.
async fn post(mut stream: TlsStream<TcpStream>, id: &str) -> Result<String, Error> {
    let body = event(id);
    let signature = sign(SECRET, body.as_bytes());
    stream
        .write_all(&request(
            &[("x-genesys-signature", &signature)],
            body.as_bytes(),
        ))
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_are_spoken_by_what_the_client_offers() {
    let server = Server::new().await;
    let authority = Authority::new();
    server.certify(&authority);
    let mut receive = server.start(&[]);
    let ready = receive.wait_ready().await;
    let http = ready.http_address();
    for offered in [&["http/1.1"][..], &[]] {
        let stream = connect(http, client(authority.roots(), offered))
            .await
            .unwrap();
        assert_ne!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let answer = post(stream, "one").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
    let stream = connect(http, client(authority.roots(), &["h2", "http/1.1"]))
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut sender = http2(stream).await;
    for id in ["two", "three"] {
        let answered = sender
            .send_request(signed_request(&event(id)))
            .await
            .unwrap();
        assert_eq!(answered.status(), 202);
    }
    // TLS 1.2 is the oldest version.
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let older = ClientConfig::builder_with_provider(ring)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    assert!(
        post(connect(http, older).await.unwrap(), "four")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 202")
    );
    let done = "kpiline_ingest_tls_handshakes_total{outcome=\"done\"}";
    let done = testkit::http::metric(ready.ops_address(), done)
        .await
        .unwrap();
    assert!((done - 4.0).abs() < 0.1, "{done}");
}

/// Whoever speaks no TLS, or nothing at all, holds no place.
#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_are_none_or_never_end_are_cut() {
    let server = Server::new().await;
    server.certify(&Authority::new());
    let mut receive = server.start(&[("KPILINE_HTTP_TLS_HANDSHAKE_TIMEOUT", "300ms")]);
    let ready = receive.wait_ready().await;
    let plain = format!("POST {PATH} HTTP/1.1\r\n\r\n");
    // The last is the beginning of a record, and no more.
    for (said, outcome) in [
        (plain.as_bytes(), "failed"),
        (b"", "late"),
        (b"\x16\x03\x01", "late"),
    ] {
        let series = format!("kpiline_ingest_tls_handshakes_total{{outcome=\"{outcome}\"}}");
        let before = testkit::http::metric(ready.ops_address(), &series)
            .await
            .unwrap();
        let mut stream = TcpStream::connect(ready.http_address()).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        match tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .unwrap()
        {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        assert!(!rest.starts_with(b"HTTP/"));
        eventually(PATIENCE, "counted", async || {
            testkit::http::metric(ready.ops_address(), &series)
                .await
                .unwrap()
                > before
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_takes_over_without_ending_a_connection() {
    let server = Server::new().await;
    let authority = Authority::new();
    let first = server.certify(&authority);
    let mut receive = server.start(&[]);
    let http = receive.wait_ready().await.http_address();
    let presented = async || {
        let stream = connect(http, client(authority.roots(), &[])).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0]
            .clone()
            .into_owned()
    };
    assert_eq!(presented().await, first);
    let stream = connect(http, client(authority.roots(), &["h2"]))
        .await
        .unwrap();
    let mut open = http2(stream).await;
    assert_eq!(
        open.send_request(signed_request(&event("a")))
            .await
            .unwrap()
            .status(),
        202
    );

    let second = server.certify(&authority);
    receive.signal("HUP");
    eventually(PATIENCE, "the second one", async || {
        presented().await == second
    })
    .await;
    assert_eq!(
        open.send_request(signed_request(&event("b")))
            .await
            .unwrap()
            .status(),
        202
    );

    // What cannot be used changes nothing; what can is found without a signal.
    std::fs::write(server.file("key.pem"), "nonsense").unwrap();
    receive.signal("HUP");
    receive
        .wait_line("the refusal", PATIENCE, |found| {
            found["problems"]
                .as_str()
                .is_some_and(|text| text.contains("--http-tls-key"))
        })
        .await;
    assert_eq!(presented().await, second);
    let third = server.certify(&authority);
    eventually(PATIENCE, "the third one", async || {
        presented().await == third
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_authority_of_clients_only_its_clients_get_in() {
    let server = Server::new().await;
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    server.certify(&authority);
    std::fs::write(server.file("clients.pem"), clients.0.pem()).unwrap();
    let path = server.file("clients.pem").display().to_string();
    let mut receive = server.start(&[("KPILINE_HTTP_TLS_CLIENT_CA", &path)]);
    let http = receive.wait_ready().await.http_address();
    let with = |issuer: &Authority| {
        let (certificate, key) = issuer.issue("sender");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(authority.roots())
            .with_client_auth_cert(vec![certificate.der().clone()], key)
            .unwrap()
    };
    let answer = post(connect(http, with(&clients)).await.unwrap(), "known").await;
    assert!(answer.unwrap().starts_with("HTTP/1.1 202"));
    // In TLS 1.3 a client is told of its certificate after its own handshake.
    for config in [with(&strangers), client(authority.roots(), &[])] {
        let refused = match connect(http, config).await {
            Ok(stream) => post(stream, "unknown").await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(refused.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_the_files_is_listed_before_the_start() {
    let server = Server::new().await;
    std::fs::write(server.file("certificate.pem"), "no certificate").unwrap();
    let mut receive = server.start(&[("KPILINE_HTTP_TLS_CLIENT_CA", "/absent")]);
    let status = receive.wait(PATIENCE).await;
    assert!(!status.success());
    let said = receive.stderr();
    for flag in [
        "--http-tls-certificate",
        "--http-tls-key",
        "--http-tls-client-ca",
    ] {
        assert!(said.contains(flag), "{flag} in {said}");
    }
}
