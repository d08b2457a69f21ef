//! A receiver of files: a plain one that takes every PUT and POST, or an S3-compatible store, which also checks who signed. It remembers
//! what arrived and what it holds, and answers as it is told to.

mod signature;

use crate::http::{self, Answer};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// Whose signatures an S3-compatible store accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The name of the key.
    pub access: String,
    /// The key.
    pub secret: String,
    /// The region that is signed for.
    pub region: String,
}

/// How one request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// With this status, and nothing is kept.
    Refuse(u16),
    /// With 429 and a wish to wait so many seconds, and nothing is kept.
    Later(u16),
    /// With this status although the file is kept.
    Keep(u16),
    /// It is kept at once, and the answer comes after so long.
    Stall(Duration),
}

/// A file as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// `PUT` or `POST`.
    pub method: String,
    /// The path, as it was written, without what stands behind a question mark.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its bytes.
    pub body: Bytes,
    /// How it was answered.
    pub status: u16,
    /// Whether it was kept.
    pub kept: bool,
}

#[derive(Debug, Default)]
struct Books {
    keys: Option<Keys>,
    turns: VecDeque<Turn>,
    arrivals: Vec<Arrival>,
    files: BTreeMap<String, Bytes>,
}

/// A running receiver. Dropping it ends it.
#[derive(Debug)]
pub struct Depot {
    books: Arc<Mutex<Books>>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Depot {
    /// Starts listening; with keys as an S3-compatible store.
    ///
    /// # Errors
    /// When nothing can be listened on.
    pub async fn start(keys: Option<Keys>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let books = Arc::new(Mutex::new(Books {
            keys,
            ..Books::default()
        }));
        let task = tokio::spawn(accept(listener, Arc::clone(&books)));
        Ok(Self {
            books,
            address,
            task,
        })
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says how the next requests are answered; after that, all are kept.
    pub fn turns(&self, turns: impl IntoIterator<Item = Turn>) {
        let mut books = lock(&self.books);
        books.turns = turns.into_iter().collect();
    }

    /// Everything that arrived so far, in order.
    pub fn arrivals(&self) -> Vec<Arrival> {
        lock(&self.books).arrivals.clone()
    }

    /// What it holds, by path; of what was sent twice the last.
    pub fn files(&self) -> BTreeMap<String, Bytes> {
        lock(&self.books).files.clone()
    }
}

impl Drop for Depot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// A panic elsewhere leaves the books readable: they are what a failing test is looked at with.
fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, books: Arc<Mutex<Books>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let books = Arc::clone(&books);
                let service = service_fn(move |request| {
                    let books = Arc::clone(&books);
                    async move { Ok::<_, Infallible>(answer(request, &books).await) }
                });
                connections.spawn(async move {
                    // A client that breaks off is the client's affair.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn answer(request: Request<Incoming>, books: &Mutex<Books>) -> Answer {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return http::empty(400);
    };
    let body = body.to_bytes();
    let (status, wait, later) = take(&head, body, books);
    // Kept already: a client that does not wait for the answer does not know.
    tokio::time::sleep(wait).await;
    match later {
        Some(seconds) => http::with(http::empty(status), "retry-after", &seconds.to_string()),
        None => http::empty(status),
    }
}

/// Writes a request down, and says how it is answered, when, and for how long none is to come.
fn take(head: &Parts, body: Bytes, books: &Mutex<Books>) -> (u16, Duration, Option<u16>) {
    let headers: BTreeMap<String, String> = head
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    let mut books = lock(books);
    let turn = books.turns.pop_front();
    let query = head.uri.query().unwrap_or_default();
    let is_file = head.method == Method::PUT || head.method == Method::POST;
    let problem = if is_file {
        let signed = signature::Signed {
            method: head.method.as_str(),
            path: head.uri.path(),
            query,
            headers: &headers,
        };
        match &books.keys {
            Some(_) if !headers.contains_key("content-length") => Some(411),
            Some(keys) if signed.check(keys).is_err() => Some(403),
            _ => None,
        }
    } else {
        Some(405)
    };
    let (status, kept) = match (problem, turn) {
        (Some(status), _) | (None, Some(Turn::Refuse(status))) => (status, false),
        (None, Some(Turn::Later(_))) => (429, false),
        (None, Some(Turn::Keep(status))) => (status, true),
        (None, Some(Turn::Stall(_)) | None) => (200, true),
    };
    let path = head.uri.path().to_owned();
    if kept {
        books.files.insert(path.clone(), body.clone());
    }
    books.arrivals.push(Arrival {
        method: head.method.as_str().to_owned(),
        path,
        headers,
        body,
        status,
        kept,
    });
    match turn {
        Some(Turn::Stall(length)) => (status, length, None),
        Some(Turn::Later(seconds)) => (status, Duration::ZERO, Some(seconds)),
        _ => (status, Duration::ZERO, None),
    }
}
