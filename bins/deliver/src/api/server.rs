//! The listener: bounds on connections and time, and a stop that answers what was asked.

use super::handler::Handler;
use anyhow::Context as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use runtime::chain;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at once: of a proxy and a few people. Further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 256;
/// A head, and the pause before the next one.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest head: a query with ids in it.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// A connection is as old as this at most; then it is told to end.
const AGE_MAX: Duration = Duration::from_secs(300);
/// How long one that was told so may still take for its last answer.
const LAST_ANSWER: Duration = Duration::from_secs(20);

/// A listener that stands.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens.
    pub async fn bind(listen: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("--api-listen: cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the stop; returns when open requests are answered.
    pub async fn serve(self, handler: Arc<Handler>, stop: CancellationToken) -> anyhow::Result<()> {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let permit = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                permit = Arc::clone(&permits).acquire_owned() => permit?,
            };
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (handler, stop) = (Arc::clone(&handler), stop.clone());
                    tokio::spawn(async move {
                        connection(stream, handler, stop).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: wait until some are free again.
                    tracing::warn!(error = %chain(&error), "the API could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.listener);
        // All permits free means all connections have ended.
        let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
        drop(permits.acquire_many(all).await?);
        Ok(())
    }
}

async fn connection(stream: TcpStream, handler: Arc<Handler>, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %chain(&error), "a connection of the API ended before it was served");
        return;
    }
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.answer(request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => Some(ended),
        () = stop.cancelled() => None,
        () = tokio::time::sleep(AGE_MAX) => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        served.as_mut().graceful_shutdown();
        // Who takes nothing of its answer does not hold its place for ever.
        let Ok(ended) = tokio::time::timeout(LAST_ANSWER, served).await else {
            return;
        };
        ended
    };
    if let Err(error) = ended {
        tracing::debug!(error = %chain(&error), "a connection of the API ended early");
    }
}
