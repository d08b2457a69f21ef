//! What all targets with the same credentials share: the token, the quota, and the lead.
//!
//! A limit belongs to the credential, not to the process. Of all replicas one at a time pushes for it. The one that takes over begins
//! with an empty quota, and keeps to the pause that its predecessor was told.

use crate::targets::Target;
use platform::client::Client;
use platform::limit::Limiter;
use platform::token::Tokens;
use runtime::chain;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::leader::{Contender, SILENCE, Standing};
use store::{Store, StoreError, status};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// The component under which pauses are noted in `pipeline_status`.
const COMPONENT: &str = "deliver credential";

/// One credential.
#[derive(Debug)]
pub struct Credential {
    name: String,
    /// Its bearer token.
    pub tokens: Tokens,
    /// Its quota.
    pub limiter: Limiter,
    store: Store,
    // Held across the question to the database: whoever asks meanwhile waits for the answer.
    lead: Mutex<Lead>,
}

#[derive(Debug)]
struct Lead {
    contender: Contender,
    /// What the predecessor left has been read. Not before that is the lead any use.
    ready: bool,
}

/// What a successor must know.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// Milliseconds since 1970: nothing is to be sent before.
    not_before_ms: u64,
}

impl Credential {
    /// Of a target; others with the same [`Target::credential`] share it.
    pub fn new(target: &Target, store: Store) -> anyhow::Result<Self> {
        let client = Client::new(target.grant.url(), target.timeouts)?;
        let name = target.credential();
        Ok(Self {
            tokens: Tokens::new(client, target.grant.clone()),
            limiter: Limiter::new(target.limit)?,
            lead: Mutex::new(Lead {
                contender: Contender::new(store.clone(), format!("deliver {name}")),
                ready: false,
            }),
            store,
            name,
        })
    }

    /// Whether this process, and no other, may push for it now. Takes the lead when it is free.
    pub async fn leads(&self) -> Result<bool, StoreError> {
        let mut lead = self.lead.lock().await;
        // Put back only where nothing is left to do: whatever fails on the way is done again next time.
        let ready = std::mem::take(&mut lead.ready);
        match lead.contender.standing().await? {
            Standing::Follows => return Ok(false),
            Standing::Leads if ready => {
                lead.ready = true;
                return Ok(true);
            }
            Standing::Leads | Standing::TookOver => {}
        }
        self.limiter.empty();
        let pause = self.noted_pause().await?;
        if !pause.is_zero() {
            self.limiter.pause(pause);
        }
        lead.ready = true;
        tracing::info!(credential = self.name, "took the lead");
        // Not for this request: the caller looks at the quota again first.
        Ok(false)
    }

    /// Keeps the lead while nobody asks for it.
    pub async fn keep(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SILENCE / 4) => {}
            }
            if let Err(error) = self.leads().await {
                tracing::debug!(credential = self.name, error = %chain(&error), "the lead could not be kept or taken");
            }
        }
    }

    /// The platform said 429: pauses, and notes it for whoever takes over meanwhile.
    pub async fn throttled(&self, wait: Duration) {
        self.limiter.throttled(wait);
        let until = since_1970().saturating_add(wait);
        let note = Note {
            not_before_ms: u64::try_from(until.as_millis()).unwrap_or(u64::MAX),
        };
        let noted = async {
            let client = self.store.client().await?;
            let text = serde_json::to_string(&note).unwrap_or_else(|_| "{}".to_owned());
            status::put(&client, COMPONENT, &self.name, &text).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(credential = self.name, error = %chain(&error), "a pause could not be noted for a successor");
        }
    }

    async fn noted_pause(&self) -> Result<Duration, StoreError> {
        let client = self.store.client().await?;
        let until = status::list(&client)
            .await?
            .into_iter()
            .find(|found| found.component == COMPONENT && found.instance == self.name)
            .and_then(|found| serde_json::from_str::<Note>(&found.status_json).ok())
            .map_or(Duration::ZERO, |note| {
                Duration::from_millis(note.not_before_ms)
            });
        Ok(until
            .saturating_sub(since_1970())
            .min(platform::retry_after::LONGEST))
    }
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
