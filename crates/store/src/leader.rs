//! One of many: an advisory lock that lives and dies with a connection of its own.
//!
//! Whoever holds the name acts for it; when its process dies, PostgreSQL notices the closed connection and the next one gets it.
//! Behind a pooler that shares sessions between clients it does not work: give this process a direct connection.

use crate::error::StoreError;
use crate::pool::Store;
use std::time::Duration;
use tokio_postgres::Client;

const STEP: &str = "take or keep the lead";

/// Proof of being the one, as long as [`Leader::check`] agrees. Dropping it lets the next one in.
pub struct Leader {
    client: Client,
    deadline: Duration,
}

impl std::fmt::Debug for Leader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leader").finish_non_exhaustive()
    }
}

impl Leader {
    /// Takes the lead for a name if nobody has it.
    pub async fn take(store: &Store, name: &str) -> Result<Option<Self>, StoreError> {
        let client = within(store.deadline(), async {
            let client = store.single().await?;
            let row = client
                .query_one(
                    "SELECT pg_try_advisory_lock(hashtextextended('kpiline:' || $1, 0))",
                    &[&name],
                )
                .await
                .map_err(|source| StoreError::Query { step: STEP, source })?;
            Ok(row.get::<_, bool>(0).then_some(client))
        })
        .await?;
        Ok(client.map(|client| Self {
            client,
            deadline: store.deadline(),
        }))
    }

    /// An error when the lead may be lost: the connection no longer answers.
    pub async fn check(&self) -> Result<(), StoreError> {
        within(self.deadline, async {
            self.client
                .batch_execute("")
                .await
                .map_err(|source| StoreError::Query { step: STEP, source })
        })
        .await
    }
}

async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(deadline, work)
        .await
        .map_err(|_| StoreError::Deadline {
            step: STEP,
            within_ms: deadline.as_millis(),
        })?
}
