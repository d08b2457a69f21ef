//! Counting, carried out: one process at a time asks each platform, and writes the counts beside which deliver compares what is here.
//!
//! Not a job: it brings no records, waits for nothing in the line, and is wanted most while the line is behind.

use super::counts::{self, due};
use crate::lane::Shared;
use crate::platforms::Counts;
use crate::sources::Fault;
use crate::sources::counts::{Intervals, at_once, counted, measure};
use runtime::chain;
use schema::UtcMicros;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::named_leases::{self, Taken};
use store::platform_counts::{self, Count, Stretch};
use store::{Client, sweep};

/// How often it is looked whether anything is due: intervals are minutes.
const EVERY: Duration = Duration::from_secs(5);
/// How long one process has it. An answer that takes longer is written all the same.
const LEASE: Duration = Duration::from_secs(180);
/// A platform that does not count is asked again so seldom.
const REFUSED: Duration = Duration::from_secs(900);
/// After a failure, where the platform says nothing of it.
const FAILED: Duration = Duration::from_secs(30);

/// Counting at one platform.
pub(crate) struct Counting {
    shared: Arc<Shared>,
    platform: String,
    counts: Counts,
    owner: String,
}

/// One for each platform that is asked to count.
pub(crate) fn all(shared: &Arc<Shared>, owner: &str) -> Vec<Counting> {
    let wanted = |reached: &crate::lane::Reached| {
        Some(Counting {
            shared: shared.clone(),
            platform: reached.platform.name.clone(),
            counts: reached.platform.counts.clone()?,
            owner: owner.to_owned(),
        })
    };
    shared.platforms.values().filter_map(wanted).collect()
}

impl Counting {
    /// Asks whenever something is due, until the process is to stop.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut refused = false;
        loop {
            let wait = match self.turn().await {
                Ok(Ok(wait)) => {
                    refused = false;
                    wait
                }
                Ok(Err(fault)) => self.after(&fault, &mut refused),
                Err(error) => {
                    tracing::debug!(platform = self.platform, error = %chain(error.as_ref()), "could not look what is to be counted");
                    FAILED
                }
            };
            tokio::select! {
                () = self.shared.stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// How long to wait after an answer that is none.
    fn after(&self, fault: &Fault, refused: &mut bool) -> Duration {
        match fault {
            Fault::Later { wait, .. } | Fault::TooSoon { wait, .. } => (*wait).max(EVERY),
            Fault::Failed { why, hint } => {
                tracing::warn!(platform = self.platform, why, "the platform did not count");
                hint.unwrap_or(FAILED).max(EVERY)
            }
            Fault::Unreadable { why }
            | Fault::Refused { why }
            | Fault::TooMuch { why }
            | Fault::Unfit { why }
            | Fault::Gone { why } => {
                if !std::mem::replace(refused, true) {
                    tracing::warn!(
                        platform = self.platform,
                        why,
                        "the platform does not count, so nothing is compared with what arrives"
                    );
                }
                REFUSED
            }
        }
    }

    /// Asks for what is due, if nobody else does just now.
    async fn turn(&self) -> anyhow::Result<Result<Duration, Fault>> {
        let name = format!("counts/{}", self.platform);
        let client = self.shared.store.client().await?;
        let taken = named_leases::take(&client, &name, &self.owner, LEASE, EVERY).await?;
        drop(client);
        match taken {
            Taken::Yes => {}
            Taken::No { retry_in } => return Ok(Ok(retry_in)),
        }
        let outcome = self.count().await;
        let client = self.shared.store.client().await?;
        named_leases::release(&client, &name, &self.owner, EVERY).await?;
        Ok(outcome?.map(|()| EVERY))
    }

    async fn count(&self) -> anyhow::Result<Result<(), Fault>> {
        let Some(reached) = self.shared.platforms.get(&self.platform) else {
            return Ok(Ok(()));
        };
        let due = {
            let client = self.shared.store.client().await?;
            self.due(&client).await?
        };
        let Some(all) = counts::together(&due, self.counts.interval) else {
            return Ok(Ok(()));
        };
        let asked: Vec<Intervals> = if at_once(reached.platform.vendor()) {
            vec![all]
        } else {
            // Each is a request: the newest first.
            due.iter()
                .rev()
                .filter_map(|one| counts::together(&[*one], self.counts.interval))
                .collect()
        };
        for intervals in asked {
            let counts = match counted(&reached.platform, &reached.caller, intervals).await {
                Ok(counts) => counts,
                Err(fault) => return Ok(Err(fault)),
            };
            let client = self.shared.store.client().await?;
            for (from, to, count) in counts {
                #[allow(clippy::cast_precision_loss)] // counts of interactions are far below 2^53
                let value = count as f64;
                let row = Count {
                    scope: String::new(),
                    value,
                };
                platform_counts::put(&client, &self.of(from, to), &[row]).await?;
            }
            tracing::debug!(platform = self.platform, from = %intervals.from, to = %intervals.to, "the platform counted");
        }
        Ok(Ok(()))
    }

    async fn due(&self, client: &Client) -> anyhow::Result<Vec<(UtcMicros, UtcMicros)>> {
        let now = sweep::now(client).await?;
        let since = counts::since(&self.counts, now);
        let of = self.of(since, now);
        let known =
            platform_counts::newest(client, of.tenant, Some(of.platform), &[of.measure], since)
                .await?;
        let length = i64::try_from(self.counts.interval.as_micros()).unwrap_or(i64::MAX);
        let known: BTreeMap<UtcMicros, UtcMicros> = known
            .into_iter()
            .filter(|one| one.to.0 - one.from.0 == length)
            .map(|one| (one.from, one.fetched_at))
            .collect();
        Ok(due(&self.counts, &known, now))
    }

    fn of(&self, from: UtcMicros, to: UtcMicros) -> Stretch<'_> {
        let platform = self.shared.platforms.get(&self.platform);
        Stretch {
            tenant: platform.map_or("", |reached| reached.platform.tenant.as_str()),
            platform: &self.platform,
            measure: platform.map_or("", |reached| measure(reached.platform.vendor())),
            from,
            to,
        }
    }
}
