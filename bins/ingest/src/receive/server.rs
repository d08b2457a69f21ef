//! The accept loop: connection limit, time limits, drain on shutdown.

use super::Limits;
use super::answer::refused_raw;
use super::decision::{Refusal, Unavailable};
use super::handler::{Endpoint, Handler, Peer};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use runtime::chain;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The largest request head, and the largest piece in which a body is read: memory before anything is known about the sender.
const BUFFER_MAX: usize = 64 * 1024;
/// How long a last word to a connection may take.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Connections over the limit that are told so at once; any further ones are closed without a word.
const TURNED_AWAY_MAX: usize = 64;

/// Serves until `stop`; returns when the open requests are answered.
pub async fn serve(
    listener: TcpListener,
    handler: Arc<Handler>,
    limits: &Limits,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(BUFFER_MAX);
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: wait until some are free again.
                tracing::warn!(error = %chain(&error), "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            let endpoint = Endpoint(Arc::clone(&handler), Peer(peer.ip()));
            let (http, stop) = (http.clone(), stop.clone());
            tokio::spawn(async move {
                connection(http, stream, endpoint, stop).await;
                drop(permit);
            });
        } else if let Ok(permit) = Arc::clone(&turned_away).try_acquire_owned() {
            let handler = Arc::clone(&handler);
            tokio::spawn(async move {
                let refusal = Refusal::Unavailable(Unavailable::Overloaded);
                handler.count(&refusal);
                last_word(stream, &refusal).await;
                drop(permit);
            });
        }
    }
    drop(listener);
    // All permits free means all connections have ended. The process's grace period bounds the wait.
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    drop(permits.acquire_many(all).await?);
    Ok(())
}

async fn connection(
    http: http1::Builder,
    stream: TcpStream,
    endpoint: Endpoint,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %chain(&error), "a connection ended before it was served");
        return;
    }
    let handler = Arc::clone(&endpoint.0);
    let mut connection = http.serve_connection(TokioIo::new(stream), endpoint);
    let mut stopping = pin!(stop.cancelled());
    let mut asked = false;
    let served = poll_fn(|context| {
        if !asked && stopping.as_mut().poll(context).is_ready() {
            asked = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(context)
    })
    .await;
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    match served {
        // hyper ends a slow head without a word. An idle connection has sent nothing, and is told nothing.
        Err(error) if error.is_timeout() && !parts.read_buf.is_empty() => {
            handler.count(&Refusal::TooSlow);
            last_word(stream, &Refusal::TooSlow).await;
            return;
        }
        Err(error) => {
            tracing::debug!(error = %chain(&error), "a connection ended early");
        }
        Ok(()) => {}
    }
    if let Err(error) = stream.shutdown().await {
        tracing::trace!(error = %chain(&error), "a connection was already closed");
    }
}

/// Writes a refusal to a connection without hyper and closes it.
async fn last_word(mut stream: TcpStream, refusal: &Refusal) {
    let bytes = refused_raw(refusal);
    let word = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    };
    match timeout(LAST_WORD, word).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %chain(&error), "could not say a last word"),
        Err(_) => tracing::debug!("could not say a last word in time"),
    }
}
