use super::*;
use crate::auth::{Bodies, Request};
use crate::receive::gate::tests;
use hyper::HeaderMap;
use schema::UtcMicros;
use tempfile::TempDir;

const FILE: &str = "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n[[subscription.auth]]\nway = \"header\"\nheader = \"x-api-key\"\nsecrets = [{ file = \"NAME\" }]\n";

fn limits() -> Limits {
    Limits {
        memory_max: 256 << 20,
        ..tests::limits()
    }
}

struct Files(TempDir);

impl Files {
    /// A subscriptions file that names this file of a secret.
    fn new(secret_file: &str) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("subscriptions.toml", &FILE.replace("NAME", secret_file));
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("subscriptions.toml")
    }
}

fn lets_in(routes: &LiveRoutes, secret: &str) -> bool {
    let routes = routes.current();
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", secret.parse().unwrap());
    let request = Request {
        headers: &headers,
        peer: None,
        now: UtcMicros(0),
    };
    let authentication = &routes.get("/a").unwrap().authentication;
    authentication.verify(&request, Bodies::same(b"")).is_ok()
}

/// Waits, in looks at the files, until this secret is let in.
async fn until_let_in(routes: &LiveRoutes, secret: &str) {
    for _ in 0..10 {
        if lets_in(routes, secret) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
    panic!("{secret} is never let in");
}

/// What is written while the files are read is no change that nobody ever notices.
#[tokio::test(start_paused = true)]
async fn a_secret_written_while_the_files_are_read_is_read_too() {
    let files = Files::new("secret");
    files.write("secret", "old");
    let (seen, subscriptions) = read(&files.file(), Secrets::Required, &[]);
    let subscriptions = subscriptions.unwrap();
    let routes = LiveRoutes::new(Routes::new(subscriptions.clone(), &limits()));
    assert!(lets_in(&routes, "old"));
    files.write("secret", "new"); // the process has not got any further than that
    let stop = CancellationToken::new();
    let reload = tokio::spawn(run(
        files.file(),
        subscriptions,
        seen,
        routes.clone(),
        limits(),
        stop.clone(),
    ));
    until_let_in(&routes, "new").await;
    // Another file of a secret, which comes after the file that names it.
    files.write("subscriptions.toml", &FILE.replace("NAME", "other"));
    tokio::time::sleep(3 * LOOK).await;
    assert!(lets_in(&routes, "new"), "the old ones stay in force");
    files.write("other", "third");
    until_let_in(&routes, "third").await;
    files.write("other", "fourth");
    until_let_in(&routes, "fourth").await;
    stop.cancel();
    reload.await.unwrap().unwrap();
}

#[test]
fn a_file_that_was_not_known_before_is_looked_at() {
    let files = Files::new("secret");
    files.write("secret", "old");
    let (before, read_first) = read(&files.file(), Secrets::Required, &[]);
    let known = read_first.unwrap().secret_files;
    let (again, _) = read(&files.file(), Secrets::Required, &known);
    assert_eq!(before, again, "nothing has changed");
    files.write("secret", "new");
    assert_ne!(before, fingerprint(&files.file(), &known));
}
