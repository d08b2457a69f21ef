//! The accept loop: connection limit, drain on shutdown.

use super::Limits;
use super::connection::{Connections, last_word};
use super::decision::{Refusal, Unavailable};
use super::handler::Handler;
use super::tls::Encryption;
use runtime::{Metrics, chain};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections over the limit that are told so at once; any further ones are closed without a word.
const TURNED_AWAY_MAX: usize = 64;

/// All that listens.
#[derive(Debug)]
pub struct Server {
    handler: Arc<Handler>,
    connections: Arc<Connections>,
    connections_max: usize,
}

impl Server {
    /// A server of this handler.
    pub fn new(
        handler: Arc<Handler>,
        encryption: Option<Encryption>,
        limits: &Limits,
        metrics: &Metrics,
    ) -> Self {
        Self {
            handler,
            connections: Arc::new(Connections::new(encryption, limits, metrics)),
            connections_max: limits.connections_max,
        }
    }

    /// Serves until `stop`; returns when the open requests are answered.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        let permits = Arc::new(Semaphore::new(self.connections_max));
        let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
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
            let handler = Arc::clone(&self.handler);
            if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
                let (connections, stop) = (Arc::clone(&self.connections), stop.clone());
                tokio::spawn(async move {
                    connections.serve(stream, handler, peer.ip(), stop).await;
                    drop(permit);
                });
            } else if let Ok(permit) = Arc::clone(&turned_away).try_acquire_owned() {
                let encrypted = self.connections.encrypted();
                tokio::spawn(async move {
                    let refusal = Refusal::Unavailable(Unavailable::Overloaded);
                    handler.count(&refusal);
                    if !encrypted {
                        last_word(stream, &refusal).await;
                    }
                    drop(permit);
                });
            }
        }
        drop(listener);
        // All permits free means all connections have ended. The process's grace period bounds the wait.
        let all = u32::try_from(self.connections_max).unwrap_or(u32::MAX);
        drop(permits.acquire_many(all).await?);
        Ok(())
    }
}
