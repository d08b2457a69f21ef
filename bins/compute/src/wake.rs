//! Tells deliver that rows are due. A hint only: the rows are the truth and deliver polls them anyway, so nothing here may
//! hold up or fail a batch.

use broker::{Broker, BrokerConfig, Outgoing, Publisher, Queue};
use runtime::chain;
use schema::WakeMessage;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// At most this many hints a second.
const HINT_EVERY: Duration = Duration::from_millis(100);
/// How long to leave the broker alone after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// The workers' side. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Waker {
    queued: Arc<AtomicU64>,
    news: Arc<Notify>,
}

impl Waker {
    /// Rows were queued.
    pub fn wake(&self, rows: u64) {
        self.queued.fetch_add(rows, Ordering::Relaxed);
        self.news.notify_one();
    }

    /// Publishes hints until told to stop, on a connection of its own.
    pub async fn run(self, config: BrokerConfig, stop: CancellationToken) -> anyhow::Result<()> {
        let mut connection: Option<(Broker, Publisher)> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.news.notified() => {}
            }
            let queued = self.queued.swap(0, Ordering::Relaxed);
            let pause = match hint(&mut connection, &config, queued).await {
                Ok(()) => HINT_EVERY,
                Err(error) => {
                    connection = None;
                    tracing::warn!(error = %chain(error.as_ref()), "deliver was not woken; it will find the rows by itself");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        if let Some((broker, _)) = connection
            && let Err(error) = broker.close().await
        {
            tracing::debug!(error = %chain(&error), "the connection did not close well");
        }
        Ok(())
    }
}

async fn hint(
    connection: &mut Option<(Broker, Publisher)>,
    config: &BrokerConfig,
    queued: u64,
) -> anyhow::Result<()> {
    if connection.is_none() {
        let broker = Broker::connect(config).await?;
        broker.declare().await?;
        let publisher = broker.publisher().await?;
        *connection = Some((broker, publisher));
    }
    if let Some((_, publisher)) = connection {
        let body = WakeMessage { queued }.encode()?;
        let outgoing = Outgoing {
            queue: Queue::DeliverWake,
            body,
            message_id: Uuid::now_v7(),
            correlation: String::new(),
        };
        publisher.publish(outgoing).await?;
    }
    Ok(())
}
