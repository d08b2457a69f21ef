//! Hourly: months of partitions ahead, and forgetting messages that the broker can no longer redeliver.

use crate::clock::now;
use runtime::chain;
use schema::UtcMicros;
use std::time::Duration;
use store::partitions::{MONTHS_AHEAD, Partitions};
use store::{Store, StoreError, raw_messages};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(3600);
/// While it fails.
const AGAIN: Duration = Duration::from_secs(30);
/// A message that was committed is acknowledged within seconds, or given back; a week covers every outage with a margin.
const REMEMBER: Duration = Duration::from_secs(7 * 86_400);

/// Runs until the stop.
pub async fn run(
    store: Store,
    partitions: Partitions,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let pause = match keep_house(&store, &partitions).await {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "housekeeping failed; trying again");
                AGAIN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn keep_house(store: &Store, partitions: &Partitions) -> Result<(), StoreError> {
    if !store::migrate::state(store).await?.ready {
        return Ok(()); // the workers say so
    }
    let made = partitions.ensure_ahead(MONTHS_AHEAD).await?;
    let remember = i64::try_from(REMEMBER.as_micros()).unwrap_or(i64::MAX);
    let before = UtcMicros(now().0.saturating_sub(remember));
    let forgotten = raw_messages::prune(&store.client().await?, before).await?;
    if made > 0 || forgotten > 0 {
        tracing::info!(
            months_made = made,
            messages_forgotten = forgotten,
            "kept house"
        );
    }
    Ok(())
}
