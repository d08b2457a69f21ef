//! The client and the tokens against a small server that answers from a script: what is certain, what is unknown, who fetches when.

#![allow(clippy::unwrap_used, clippy::let_underscore_must_use)] // a helper that fails, fails the test; a peer may hang up

use platform::client::{CallError, Client, Timeouts};
use platform::secret::Secret;
use platform::token::{Grant, TokenError, Tokens};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

/// What the server does with the n-th request.
#[derive(Clone)]
enum Act {
    Answer(&'static str, String),
    Stall,
    Reset,
    Cut,
}

struct Server {
    url: Url,
    requests: Arc<AtomicUsize>,
    seen: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Server {
    /// Answers the n-th request as the script says, the last act again and again.
    async fn start(script: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (counter, log) = (requests.clone(), seen.clone());
        tokio::spawn(async move {
            loop {
                let Ok((mut socket, _)) = listener.accept().await else {
                    return;
                };
                let (script, counter, log) = (script.clone(), counter.clone(), log.clone());
                tokio::spawn(async move {
                    let mut buffer = Vec::new();
                    while !complete(&buffer) {
                        let mut chunk = [0; 4096];
                        match socket.read(&mut chunk).await {
                            Ok(n) if n > 0 => buffer.extend_from_slice(&chunk[..n]),
                            _ => return,
                        }
                    }
                    let index = counter.fetch_add(1, Ordering::SeqCst);
                    log.lock()
                        .unwrap()
                        .push(String::from_utf8_lossy(&buffer).into_owned());
                    match script.get(index).or(script.last()).unwrap() {
                        Act::Answer(head, body) => {
                            let text = format!(
                                "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                                body.len()
                            );
                            let _ = socket.write_all(text.as_bytes()).await;
                        }
                        Act::Stall => std::future::pending().await,
                        Act::Reset => {}
                        Act::Cut => {
                            let _ = socket
                                .write_all(
                                    b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"half\":",
                                )
                                .await;
                        }
                    }
                });
            }
        });
        Self {
            url,
            requests,
            seen,
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Whether head and body have arrived (the body's length is stated by every request of ours).
fn complete(buffer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(buffer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0);
    body.len() >= length
}

fn client(url: &Url) -> Client {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let timeouts = Timeouts {
        connect: Duration::from_secs(2),
        read: Duration::from_millis(300),
        total: Duration::from_millis(500),
    };
    Client::new(url, timeouts).unwrap()
}

async fn post(server: &Server) -> Result<platform::outcome::Answer, CallError> {
    client(&server.url)
        .post_json(
            &server.url,
            &Secret::new("t0ken"),
            "{\"data\":[]}".to_owned(),
            "key-1",
        )
        .await
}

#[tokio::test]
async fn an_answer_is_handed_over_as_it_is() {
    let server = Server::start(vec![Act::Answer(
        "429 Too Many\r\nRetry-After: 7\r\nRetry-After: 9",
        "{}".to_owned(),
    )])
    .await;
    let answer = post(&server).await.unwrap();
    assert_eq!(answer.status, 429);
    let waits: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "retry-after")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(waits, ["7", "9"], "both headers");
    let seen = server.seen.lock().unwrap()[0].to_ascii_lowercase();
    assert!(seen.contains("authorization: bearer t0ken"), "{seen}");
    assert!(seen.contains("x-request-id: key-1"), "{seen}");
}

#[tokio::test]
async fn no_connection_means_that_nothing_happened() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = client(&url)
        .post_json(&url, &Secret::new("t"), String::new(), "k")
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Connect { .. }), "{error:?}");
    assert!(error.nothing_happened());
}

/// Pitfall 109: whoever waits in vain, or is cut off, does not know; and the client does not try a second time.
#[tokio::test]
async fn a_stall_a_reset_and_half_an_answer_are_unknown_and_not_repeated() {
    for act in [Act::Stall, Act::Reset, Act::Cut] {
        let server = Server::start(vec![act]).await;
        let error = post(&server).await.unwrap_err();
        assert!(!error.nothing_happened(), "{error:?}");
        assert_eq!(server.requests(), 1);
    }
}

fn tokens(server: &Server) -> Tokens {
    let grant = Grant::ClientCredentials {
        url: server.url.join("/oauth/token").unwrap(),
        client_id: "id".to_owned(),
        client_secret: Secret::new("s3cret"),
    };
    Tokens::new(client(&server.url), grant)
}

fn granted(token: &str, seconds: &str) -> Act {
    Act::Answer(
        "200 OK",
        format!(
            "{{\"access_token\":\"{token}\",\"token_type\":\"bearer\",\"expires_in\":{seconds}}}"
        ),
    )
}

#[tokio::test]
async fn many_who_ask_share_one_request() {
    let server = Server::start(vec![granted("a", "86399")]).await;
    let tokens = Arc::new(tokens(&server));
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.bearer().await.unwrap().token })
        })
        .collect();
    for one in asking {
        assert_eq!(one.await.unwrap(), Secret::new("a"));
    }
    assert_eq!(server.requests(), 1);
    let seen = server.seen.lock().unwrap()[0].clone();
    assert!(
        seen.contains("Basic aWQ6czNjcmV0") && seen.contains("grant_type=client_credentials"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_by_whom_it_may_concern() {
    let server = Server::start(vec![granted("a", "\"86399\""), granted("b", "86399")]).await;
    let tokens = tokens(&server);
    let first = tokens.bearer().await.unwrap();
    tokens.refused(&first).await;
    let second = tokens.bearer().await.unwrap();
    assert_eq!(second.token, Secret::new("b"));
    // A late refusal of the first does not cost the second.
    tokens.refused(&first).await;
    assert_eq!(tokens.bearer().await.unwrap().token, Secret::new("b"));
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_and_the_old_one_used_while_that_fails() {
    let server = Server::start(vec![
        granted("a", "2"),
        Act::Answer("500 Oops", String::new()),
        granted("b", "86399"),
    ])
    .await;
    let tokens = tokens(&server);
    let began = std::time::Instant::now();
    let mut said = Vec::new();
    while began.elapsed() < Duration::from_secs(10) {
        if let Ok(bearer) = tokens.bearer().await {
            let token = bearer.token.expose().to_owned();
            if said.last() != Some(&token) {
                said.push(token);
            }
        }
        if said.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(said, ["a", "b"]);
    assert_eq!(
        server.requests(),
        3,
        "one grant, one failure that was not repeated at once, one grant"
    );
}

/// A token endpoint that says 429 is left alone.
#[tokio::test]
async fn a_throttled_token_endpoint_is_not_asked_again() {
    let server = Server::start(vec![Act::Answer(
        "429 Too Many\r\nRetry-After: 30",
        String::new(),
    )])
    .await;
    let tokens = tokens(&server);
    for _ in 0..5 {
        let error = tokens.bearer().await.unwrap_err();
        assert!(matches!(error, TokenError::Later { .. }), "{error:?}");
        assert!(error.wait() > Duration::from_secs(25), "{error:?}");
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_in_the_platforms_words() {
    let server = Server::start(vec![Act::Answer(
        "401 Unauthorized",
        "{\"error\":\"invalid_client\"}".to_owned(),
    )])
    .await;
    let error = tokens(&server).bearer().await.unwrap_err();
    assert!(matches!(error, TokenError::Refused { .. }));
    assert!(error.to_string().contains("invalid_client"));
}

#[tokio::test]
async fn an_access_key_is_asked_for_in_json() {
    let server = Server::start(vec![granted("x", "3600")]).await;
    let grant = Grant::AccessKey {
        url: server.url.clone(),
        key_id: "key".to_owned(),
        key_secret: Secret::new("s3cret"),
    };
    let tokens = Tokens::new(client(&server.url), grant);
    assert_eq!(tokens.bearer().await.unwrap().token, Secret::new("x"));
    let seen = server.seen.lock().unwrap()[0].clone();
    assert!(seen.contains("\"accessKeyId\":\"key\""), "{seen}");
    assert!(!format!("{tokens:?}").contains("s3cret"));
}
