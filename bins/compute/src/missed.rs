//! What another release computed without a definition that it could not read is marked again where it can be read.

use crate::catalogue::Watch;
use runtime::chain;
use std::time::Duration;
use store::{Store, StoreError, marks};
use tokio_util::sync::CancellationToken;

/// How often it is looked for. Mostly there is nothing.
const EVERY: Duration = Duration::from_secs(10);

/// Looks for it until told to stop.
pub async fn run(store: Store, catalogue: Watch, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        match recover(&store, &catalogue).await {
            Ok(0) => {}
            Ok(marks) => {
                tracing::info!(marks, "what was computed without a definition waits again");
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "what was computed without a definition could not be marked");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    Ok(())
}

/// Marks it again, and tells how many marks that were.
pub async fn recover(store: &Store, catalogue: &Watch) -> Result<u64, StoreError> {
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    let active = catalogue.active(&tx).await?;
    let found = marks::recover(&tx, &active.switched_on_ids()).await?;
    tx.commit().await?;
    Ok(found)
}
