//! The server, and an API that asks it.

use platform::api::{Access, Api};
use platform::client::{Client, Timeouts};
use platform::limit::Limit;
use platform::retry::Schedule;
use platform::secret::Secret;
use platform::token::Grant;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Status, further headers, body.
    Answer(String, Vec<u8>),
    Stall,
    Reset,
    Cut,
}

impl Act {
    /// `head` is the status line after the version, with further headers in it if need be.
    pub(crate) fn answer(head: &str, body: &str) -> Self {
        Self::Answer(head.to_owned(), body.as_bytes().to_vec())
    }

    pub(crate) fn ok(body: &str) -> Self {
        Self::answer("200 OK", body)
    }

    pub(crate) fn empty() -> Self {
        Self::answer("204 No Content", "")
    }
}

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) text: String,
    pub(crate) at: Instant,
}

impl Asked {
    /// `GET /path?query`.
    pub(crate) fn line(&self) -> &str {
        let line = self.text.lines().next().unwrap_or_default();
        line.strip_suffix(" HTTP/1.1").unwrap_or(line)
    }

    pub(crate) fn path(&self) -> &str {
        self.line().split_once(' ').unwrap().1
    }

    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").unwrap().1
    }

    /// Whether it asks for a token.
    pub(crate) fn is_for_a_token(&self) -> bool {
        self.path().starts_with("/oauth/token")
    }
}

type Answers = Arc<dyn Fn(usize, &Asked) -> Act + Send + Sync>;

pub(crate) struct Server {
    pub(crate) url: Url,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers the n-th request as the script says, the last act again and again.
    pub(crate) async fn start(script: Vec<Act>) -> Self {
        Self::answering(move |index, _| script.get(index).or(script.last()).unwrap().clone()).await
    }

    /// Hands out tokens `t1`, `t2` … and answers the n-th request for anything else as `answers` says.
    pub(crate) async fn platform(
        answers: impl Fn(usize, &Asked) -> Act + Send + Sync + 'static,
    ) -> Self {
        let counts = Mutex::new((0, 0));
        Self::answering(move |_, asked| {
            let mut counts = counts.lock().unwrap();
            if asked.is_for_a_token() {
                counts.0 += 1;
                return Act::ok(&format!(
                    r#"{{"access_token":"t{}","expires_in":3600}}"#,
                    counts.0
                ));
            }
            let index = counts.1;
            counts.1 += 1;
            drop(counts);
            answers(index, asked)
        })
        .await
    }

    async fn answering(answers: impl Fn(usize, &Asked) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let answers: Answers = Arc::new(answers);
        tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else {
                    return;
                };
                tokio::spawn(serve(socket, answers.clone(), log.clone()));
            }
        });
        Self { url, seen }
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn seen(&self, index: usize) -> String {
        self.seen.lock().unwrap()[index].text.clone()
    }

    /// All but those for a token.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|asked| !asked.is_for_a_token())
            .cloned()
            .collect()
    }

    pub(crate) fn grants(&self) -> usize {
        self.requests() - self.asked().len()
    }

    /// An API that asks it at a pace that is no hindrance.
    pub(crate) fn api(&self) -> Api {
        self.paced(Limit::new(60_000, Duration::from_secs(60), 100))
    }

    pub(crate) fn paced(&self, limit: Limit) -> Api {
        install_tls();
        Api::new(Access {
            base: self.url.clone(),
            grant: self.grant(),
            limit,
            timeouts: Timeouts {
                connect: Duration::from_secs(2),
                read: Duration::from_secs(1),
                total: Duration::from_secs(5),
            },
            schedule: Schedule {
                first: Duration::from_millis(10),
                longest: Duration::from_millis(50),
            },
        })
        .unwrap()
    }

    pub(crate) fn grant(&self) -> Grant {
        Grant::ClientCredentials {
            url: self.url.join("/oauth/token").unwrap(),
            client_id: "id".to_owned(),
            client_secret: Secret::new("s3cret"),
        }
    }
}

async fn serve(mut socket: tokio::net::TcpStream, answers: Answers, log: Arc<Mutex<Vec<Asked>>>) {
    let mut buffer = Vec::new();
    while !complete(&buffer) {
        let mut chunk = [0; 4096];
        match socket.read(&mut chunk).await {
            Ok(n) if n > 0 => buffer.extend_from_slice(&chunk[..n]),
            _ => return,
        }
    }
    let asked = Asked {
        text: String::from_utf8_lossy(&buffer).into_owned(),
        at: Instant::now(),
    };
    let index = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    match answers(index, &asked) {
        Act::Answer(head, body) => {
            let head = format!(
                "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = socket.write_all(head.as_bytes()).await;
            let _ = socket.write_all(&body).await;
        }
        Act::Stall => std::future::pending().await,
        Act::Reset => {}
        Act::Cut => {
            let _ = socket
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"half\":")
                .await;
        }
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

pub(crate) fn client(url: &Url) -> Client {
    install_tls();
    let timeouts = Timeouts {
        connect: Duration::from_secs(2),
        read: Duration::from_millis(300),
        total: Duration::from_millis(500),
    };
    Client::new(url, timeouts).unwrap()
}

fn install_tls() {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
