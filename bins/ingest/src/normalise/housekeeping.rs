//! Hourly: months of partitions ahead, forgetting messages that the broker can no longer redeliver, and letting raw bytes expire.

use super::retention::{self, Expired};
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
/// A message that was committed is acknowledged within seconds, or given back; a week covers every outage with a margin. After a longer
/// one the broker still has messages of before: they have a round's time to be worked off first.
const REMEMBER: Duration = Duration::from_secs(7 * 86_400);

/// Runs until the stop.
pub async fn run(
    store: Store,
    partitions: Partitions,
    raw_retention: Option<Duration>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut settled = false;
    loop {
        let round = async {
            let ready = keep_house(&store, &partitions, settled).await?;
            if let Some(retention) = raw_retention.filter(|_| ready) {
                tell(retention::expire(&store, retention, &stop).await?);
            }
            Ok::<_, StoreError>(ready)
        };
        let pause = match round.await {
            Ok(ready) => {
                settled |= ready;
                EVERY
            }
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

fn tell(expired: Expired) {
    if expired != Expired::default() {
        tracing::info!(
            events = expired.events,
            quarantined = expired.quarantined,
            "raw bytes expired"
        );
    }
}

/// One round; claims are forgotten only once `settled`. Returns whether there is a house to keep.
async fn keep_house(
    store: &Store,
    partitions: &Partitions,
    settled: bool,
) -> Result<bool, StoreError> {
    if !store::migrate::state(store).await?.ready {
        return Ok(false); // the workers say so
    }
    let made = partitions.ensure_ahead(MONTHS_AHEAD).await?;
    let remember = i64::try_from(REMEMBER.as_micros()).unwrap_or(i64::MAX);
    let before = UtcMicros(now().0.saturating_sub(remember));
    let forgotten = if settled {
        raw_messages::prune(&store.client().await?, before).await?
    } else {
        0
    };
    if made > 0 || forgotten > 0 {
        tracing::info!(
            months_made = made,
            messages_forgotten = forgotten,
            "kept house"
        );
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::TestDb;

    #[tokio::test]
    async fn claims_are_forgotten_when_old_but_not_in_the_first_round() {
        let db = TestDb::new().await;
        let client = db.client().await;
        client
            .batch_execute(
                "INSERT INTO raw_messages (message_id, committed_at) \
                 VALUES (gen_random_uuid(), now() - interval '8 days'), (gen_random_uuid(), now() - interval '6 days')",
            )
            .await
            .unwrap();
        let store = db.store().await;
        let partitions = Partitions::new(store.clone());
        let mut left = Vec::new();
        for settled in [false, true] {
            assert!(keep_house(&store, &partitions, settled).await.unwrap());
            let sql = "SELECT count(*) FROM raw_messages";
            left.push(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0));
        }
        assert_eq!(left, [2, 1]);
    }
}
