//! What stands before the replicas of ingest: gives each request to one of those that are in, and takes none out in the middle of one, as an
//! ingress does when a pod leaves its endpoints.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use testkit::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[derive(Debug, Clone)]
struct Backend {
    address: SocketAddr,
    open: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Pool {
    backends: Vec<Backend>,
    turn: usize,
}

/// Listens on a port of its own; ends with the value.
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    pool: Arc<Mutex<Pool>>,
    accepting: JoinHandle<()>,
}

impl Balancer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pool = Arc::new(Mutex::new(Pool::default()));
        let shared = Arc::clone(&pool);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        });
        Self {
            address,
            pool,
            accepting,
        }
    }

    pub(crate) fn add(&self, address: SocketAddr) {
        lock(&self.pool).backends.push(Backend {
            address,
            open: Arc::default(),
        });
    }

    /// Gives it no more requests, and returns when those it has are answered.
    pub(crate) async fn remove(&self, address: SocketAddr) {
        let gone = {
            let mut pool = lock(&self.pool);
            let at = pool.backends.iter().position(|it| it.address == address);
            pool.backends.remove(at.unwrap())
        };
        eventually(
            Duration::from_secs(30),
            "its requests are answered",
            async || gone.open.load(Ordering::SeqCst) == 0,
        )
        .await;
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(pool: &Mutex<Pool>) -> std::sync::MutexGuard<'_, Pool> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection of a sender, request by request, until something about it is wrong.
async fn serve(mut stream: TcpStream, pool: &Mutex<Pool>) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let (head, length) = head(&mut stream, &mut read).await?;
        while read.len() < head + length {
            if stream.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        }
        let request: Vec<u8> = read.drain(..head + length).collect();
        let backend = {
            let mut pool = lock(pool);
            pool.turn = pool.turn.wrapping_add(1);
            let turn = pool.turn % pool.backends.len().max(1);
            let backend = pool.backends.get(turn)?.clone();
            // Counted before anybody can take it out.
            backend.open.fetch_add(1, Ordering::SeqCst);
            backend
        };
        let answer = forward(&backend, &request).await;
        backend.open.fetch_sub(1, Ordering::SeqCst);
        stream.write_all(&answer?).await.ok()?;
    }
}

/// Reads to the end of a head: its length, and that of the body.
async fn head(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(usize, usize)> {
    loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            return Some((at + 4, length(&read[..at])));
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    head.lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |value| value.trim().parse().unwrap())
}

/// One request on a connection of its own, and the whole answer.
async fn forward(backend: &Backend, request: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(backend.address).await.ok()?;
    stream.write_all(request).await.ok()?;
    let mut answer = Vec::new();
    let (head, length) = head(&mut stream, &mut answer).await?;
    while answer.len() < head + length {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
    }
    Some(answer)
}
