//! Hints that rows are due: a message on `deliver.wake` wakes every target's loop at once. The rows are the truth; without a
//! broker they are found by looking.

use broker::{Broker, BrokerConfig, ConsumeError, Consumer, Queue};
use runtime::metrics::CounterHandle;
use runtime::{Backoff, chain};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Hints taken together.
const HINTS_MAX: usize = 100;
const HINT_BYTES_MAX: usize = 1 << 20;
const LINGER: Duration = Duration::from_millis(5);

/// Turns hints into "look now", on a connection of its own, until told to stop. A broker that is away is tried again for ever.
pub async fn run(
    config: BrokerConfig,
    news: watch::Sender<u64>,
    reconnects: CounterHandle,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut backoff = Backoff::for_connections();
    while !stop.is_cancelled() {
        let ended = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            ended = listen(&config, &news, &mut backoff) => ended,
        };
        if let Err(error) = ended {
            reconnects.inc();
            tracing::warn!(error = %chain(error.as_ref()), "no hints from the broker; due rows are found by looking");
        }
        if !backoff.pause(&stop).await {
            return Ok(());
        }
    }
    Ok(())
}

/// Listens until the connection is lost.
async fn listen(
    config: &BrokerConfig,
    news: &watch::Sender<u64>,
    backoff: &mut Backoff,
) -> anyhow::Result<()> {
    let broker = Broker::connect(config).await?;
    broker.declare().await?;
    let mut consumer = broker.consumer(&[Queue::DeliverWake], 200).await?;
    loop {
        take(&mut consumer, news).await?;
        backoff.reset();
    }
}

/// Acknowledged as soon as it is a thought: the rows are there already.
async fn take(consumer: &mut Consumer, news: &watch::Sender<u64>) -> Result<(), ConsumeError> {
    let hints = consumer
        .next_batch(HINTS_MAX, HINT_BYTES_MAX, LINGER)
        .await?;
    let Some(last) = hints.last() else {
        return Ok(());
    };
    news.send_modify(|count| *count = count.wrapping_add(1));
    consumer.ack_through(last.tag).await
}
