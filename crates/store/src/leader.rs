//! One of many: an advisory lock that lives and dies with a connection of its own.
//!
//! Whoever holds the name acts for it. When its process dies, PostgreSQL notices the closed connection and the next one gets the
//! lock; when its host or the network dies, PostgreSQL ends the session after [`SILENCE`]. Behind a pooler that shares
//! sessions between clients it does not work: give this process a direct connection.

use crate::error::StoreError;
use crate::pool::Store;
use std::time::Duration;
use tokio_postgres::Client;

/// A holder that says nothing for so long loses the lead. Ask at least three times as often.
pub const SILENCE: Duration = Duration::from_secs(10);
/// How long to wait for an answer: well within the silence.
const ANSWER: Duration = Duration::from_secs(5);
const STEP: &str = "take or keep the lead";

/// What a contender is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Another one has the lead.
    Follows,
    /// Has just got the lead; somebody else may have had it a moment ago.
    TookOver,
    /// Has the lead, as before.
    Leads,
}

/// One who wants the lead for a name. Dropping it lets the next one in.
pub struct Contender {
    store: Store,
    name: String,
    client: Option<Client>,
    leads: bool,
}

impl std::fmt::Debug for Contender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contender")
            .field("name", &self.name)
            .field("leads", &self.leads)
            .finish_non_exhaustive()
    }
}

impl Contender {
    /// Has nothing yet.
    pub fn new(store: Store, name: impl Into<String>) -> Self {
        Self {
            store,
            name: name.into(),
            client: None,
            leads: false,
        }
    }

    /// Asks PostgreSQL: keeps the lead, or takes it when it is free. After an error the lead is lost.
    pub async fn standing(&mut self) -> Result<Standing, StoreError> {
        // Given back only after a good answer: whatever else happens, the session ends, and the lead with it.
        let client = self.client.take();
        let led = std::mem::take(&mut self.leads);
        let asked = tokio::time::timeout(ANSWER, self.ask(client, led));
        let (client, standing) = asked.await.map_err(|_| StoreError::Deadline {
            step: STEP,
            within_ms: ANSWER.as_millis(),
        })??;
        self.client = Some(client);
        self.leads = standing != Standing::Follows;
        Ok(standing)
    }

    async fn ask(
        &self,
        client: Option<Client>,
        led: bool,
    ) -> Result<(Client, Standing), StoreError> {
        let failed = |source| StoreError::query(STEP, source);
        let client = match client {
            Some(client) if led => {
                client.batch_execute("SELECT 1").await.map_err(failed)?;
                return Ok((client, Standing::Leads));
            }
            // A follower's session may have ended of its silence; it has nothing to lose by a new one.
            Some(client) if !client.is_closed() => client,
            _ => self.session().await?,
        };
        let row = client
            .query_one(
                "SELECT pg_try_advisory_lock(hashtextextended('kpiline:' || $1, 0))",
                &[&self.name],
            )
            .await
            .map_err(failed)?;
        let standing = if row.try_get(0).map_err(failed)? {
            Standing::TookOver
        } else {
            Standing::Follows
        };
        Ok((client, standing))
    }

    async fn session(&self) -> Result<Client, StoreError> {
        let client = self.store.single().await?;
        client
            .batch_execute(&format!(
                "SET idle_session_timeout = {}",
                SILENCE.as_millis()
            ))
            .await
            .map_err(|source| StoreError::query(STEP, source))?;
        Ok(client)
    }
}
