//! TLS to PostgreSQL by a CA of the test's own: whom it takes for the server, whom it refuses, and what it then says.

use std::path::Path;
use store::{Store, StoreConfig, StoreError};
use testkit::TestDb;
use testkit::tls::{Authority, Begins, Identity, TlsFront};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A server with TLS in front of a test's database.
struct Scene {
    db: TestDb,
    authority: Authority,
}

impl Scene {
    async fn new() -> Self {
        Self {
            db: TestDb::empty().await,
            authority: Authority::new(),
        }
    }

    async fn front(&self, identity: &Identity) -> TlsFront {
        TlsFront::before(self.db.url(), Begins::Asking, identity, None).await
    }
}

fn with(url: &str, parameters: &[(&str, &Path)]) -> String {
    parameters.iter().fold(url.to_owned(), |url, (name, path)| {
        tls_add(&url, name, path)
    })
}

fn tls_add(url: &str, name: &str, path: &Path) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{name}={}", path.display())
}

async fn store(url: &str) -> Result<Store, StoreError> {
    Store::connect(StoreConfig::new(url, "tls test")).await
}

/// Connects and asks something.
async fn speaks(url: &str) -> Result<(), StoreError> {
    let store = store(url).await?;
    let mut client = store.client().await?;
    client.transaction().await?.rollback().await
}

/// What it says of a connection that it refuses.
async fn refusal(url: &str) -> String {
    let error = speaks(url).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Untrusted { .. }),
        "{url}: {error:?}"
    );
    error.to_string()
}

#[tokio::test]
async fn a_server_of_the_named_ca_and_the_right_name_is_spoken_to() {
    let scene = Scene::new().await;
    let identity = scene.authority.issue(&["localhost", "127.0.0.1"]);
    let front = scene.front(&identity).await;
    let ca = scene.authority.ca();
    for host in ["localhost", "127.0.0.1"] {
        let url = front.url(scene.db.url(), host);
        // Naming a CA is asking for it to be looked at.
        speaks(&with(&url, &[("sslrootcert", &ca)])).await.unwrap();
        let full = with(
            &format!("{url}?sslmode=verify-full"),
            &[("sslrootcert", &ca)],
        );
        speaks(&full).await.unwrap();
    }
    // As libpq does: who says nothing gets encryption where there is some, from whomever.
    speaks(&front.url(scene.db.url(), "localhost"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stranger_is_refused_with_what_to_do() {
    let scene = Scene::new().await;
    let ca = scene.authority.ca();
    let good = scene.authority.issue(&["localhost"]);
    let stranger = Authority::new();

    let front = scene.front(&stranger.issue(&["localhost"])).await;
    let url = front.url(scene.db.url(), "localhost");
    let text = refusal(&with(&url, &[("sslrootcert", &ca)])).await;
    assert!(
        text.contains("not signed by a CA that is trusted here"),
        "{text}"
    );
    assert!(text.contains("--database-ca-file"), "{text}");

    let front = scene.front(&good).await;
    let url = front.url(scene.db.url(), "127.0.0.1");
    let text = refusal(&with(&url, &[("sslrootcert", &ca)])).await;
    assert!(
        text.contains("is for localhost, not for 127.0.0.1"),
        "{text}"
    );

    let front = scene
        .front(&scene.authority.issue_expired(&["localhost"]))
        .await;
    let url = front.url(scene.db.url(), "localhost");
    let text = refusal(&with(&url, &[("sslrootcert", &ca)])).await;
    assert!(text.contains("has expired"), "{text}");
}

/// A server that has no TLS hears the question and nothing else: no user, no database, no password.
#[tokio::test]
async fn nothing_is_said_in_the_clear_where_tls_is_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut question = [0; 8];
        client.read_exact(&mut question).await.unwrap();
        client.write_all(b"N").await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        rest
    });
    let ca = Authority::new();
    let url = format!("postgres://u:hunter2@localhost:{port}/d");
    let text = refusal(&with(&url, &[("sslrootcert", &ca.ca())])).await;
    assert!(text.contains("does not offer TLS"), "{text}");
    assert_eq!(heard.await.unwrap(), b"");
}

#[tokio::test]
async fn a_server_that_asks_for_our_certificate_gets_it() {
    let scene = Scene::new().await;
    let ca = scene.authority.ca();
    let identity = scene.authority.issue(&["localhost"]);
    let front = TlsFront::before(scene.db.url(), Begins::Asking, &identity, Some(&ca)).await;
    let url = front.url(scene.db.url(), "localhost");
    let ours = scene.authority.issue(&["kpiline"]);
    let bearing = |identity: &Identity| {
        with(
            &url,
            &[
                ("sslrootcert", &ca),
                ("sslcert", &identity.certificate),
                ("sslkey", &identity.key),
            ],
        )
    };
    speaks(&bearing(&ours)).await.unwrap();

    let text = refusal(&with(&url, &[("sslrootcert", &ca)])).await;
    assert!(text.contains("asks for a client certificate"), "{text}");
    let foreign = Authority::new().issue(&["kpiline"]);
    // Its files went with its authority, which is one more thing to be said at once.
    let error = store(&bearing(&foreign)).await.unwrap_err();
    assert!(matches!(error, StoreError::TlsFiles(_)), "{error:?}");
    let stranger = Authority::new();
    let text = refusal(&bearing(&stranger.issue(&["kpiline"]))).await;
    assert!(
        text.contains("does not take our client certificate"),
        "{text}"
    );
}

#[tokio::test]
async fn a_renewed_ca_counts_from_the_next_connection_on() {
    let scene = Scene::new().await;
    let named = tempfile::NamedTempFile::new().unwrap();
    std::fs::copy(scene.authority.ca(), named.path()).unwrap();
    let next = Authority::new();
    let front = scene.front(&next.issue(&["localhost"])).await;
    let url = with(
        &front.url(scene.db.url(), "localhost"),
        &[("sslrootcert", named.path())],
    );
    let store = store(&url).await.unwrap();
    let error = store.client().await.unwrap_err();
    assert!(matches!(error, StoreError::Untrusted { .. }), "{error:?}");
    std::fs::copy(next.ca(), named.path()).unwrap();
    store.client().await.unwrap();
    // In the middle of a renewal the file may be away: what was read last still counts.
    std::fs::write(named.path(), "").unwrap();
    let held = store.client().await.unwrap();
    store.client().await.unwrap();
    drop(held);
}
