//! What keeps going by itself: following, settlement, look-ups, gaps, what cancelled jobs left at platforms, and the retention of what is over.
//!
//! One process at a time acts, by a lock in PostgreSQL; when it dies the next one does. What is due is decided by pure functions from the
//! settings, the time and what stands in the rows, and every job has a request id or is made in the transaction that takes what it is for: so
//! two processes that act at once, or one that dies half-way, make nothing twice and leave nothing out.

mod abandoned;
pub(crate) mod counting;
mod counts;
mod cut;
pub(crate) mod follow;
mod following;
mod gap;
pub(crate) mod lookup;
mod lookups;
mod settlement;
mod settling;
mod stated;

pub(crate) use following::{Reach, reach};
pub(crate) use stated::{Kept, words};

use crate::finish::Finishing;
use crate::platforms::Platform;
use crate::source::Source;
use runtime::chain;
use schema::{MetricVersion, UtcMicros};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::jobs::{self, Lane, NewChunkedJob, Promote, Purpose};
use store::leader::{Contender, Standing};
use store::{chunks, platform_counts, standing, sweep};

/// Who acts, with the names of the platforms: processes with other files act for theirs.
const LEAD: &str = "backfill standing";
/// Often enough to keep the lead, and to follow by the second.
const TICK: Duration = Duration::from_secs(1);
/// How often it is looked for gaps and settlement days.
const SELDOM: Duration = Duration::from_secs(30);
/// How often it is looked what is old enough to go.
const RETENTION_EVERY: Duration = Duration::from_secs(600);
/// How often chunks of standing jobs that were given up are tried again.
const RETRY_EVERY: Duration = Duration::from_secs(900);
/// The most that goes at a time.
const RETENTION_AT_ONCE: u32 = 1000;
/// What stands in the rows of standing jobs. Their messages name no version ([`Job::asks_for_version`](jobs::Job::asks_for_version)): what is new
/// is computed under everything that is switched on, and nothing else.
const VERSION: MetricVersion = MetricVersion(1);
/// Chunks of standing jobs that are done are kept for so long at most: there are thousands a day.
const CHUNKS_KEPT: Duration = Duration::from_secs(2 * 86_400);

/// Jobs that asked about single interactions are kept for so long at most, those that rest because nobody looked included.
const LOOKUPS_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// When each thing was last looked at, in this process.
#[derive(Debug, Default)]
struct Looked(HashMap<String, Instant>);

impl Looked {
    fn is_due(&mut self, what: &str, every: Duration) -> bool {
        let due = self.0.get(what).is_none_or(|at| at.elapsed() >= every);
        if due {
            self.0.insert(what.to_owned(), Instant::now());
        }
        due
    }
}

/// Acts, or waits for its turn to, until the process is to stop.
pub(crate) async fn run(finishing: Finishing) -> anyhow::Result<()> {
    let lead = format!("{LEAD} {}", finishing.platforms.names().join(" "));
    let mut contender = Contender::new(finishing.store.clone(), lead);
    let mut looked = Looked::default();
    let leads = Arc::new(AtomicBool::new(false));
    // What is followed does not wait for the platform here.
    let ending = tokio::spawn(abandoned::run(finishing.clone(), leads.clone()));
    for line in finishing.platforms.iter().flat_map(words) {
        tracing::info!("{line}");
    }
    while !finishing.stop.is_cancelled() {
        match contender.standing().await {
            Ok(Standing::Follows) => {
                if leads.swap(false, Ordering::Relaxed) {
                    // Whoever leads now says how it is.
                    following::silent(&finishing);
                }
            }
            Ok(Standing::TookOver | Standing::Leads) => {
                if !leads.swap(true, Ordering::Relaxed) {
                    said("", "followed sources", following::tidy(&finishing).await);
                }
                round(&finishing, &mut looked).await;
            }
            Err(error) => {
                tracing::debug!(error = %chain(&error), "could not ask who keeps standing jobs going");
            }
        }
        if !finishing.pause(TICK).await {
            break;
        }
    }
    ending.await?;
    Ok(())
}

/// One look at everything. What goes wrong with one thing keeps no other.
async fn round(finishing: &Finishing, looked: &mut Looked) {
    for platform in finishing.platforms.iter() {
        if let Some(follow) = &platform.follow {
            // Often enough for its pace, and not at every tick.
            let every = (follow.every / 10).clamp(TICK, SELDOM);
            for source in &follow.sources {
                let what = format!("follow/{}/{source}", platform.name);
                if !looked.is_due(&what, every) {
                    continue;
                }
                let outcome = following::one(finishing, platform, follow, *source).await;
                said(&platform.name, "follow", outcome);
            }
        }
        let Some(settlement) = &platform.settlement else {
            continue;
        };
        if looked.is_due(&format!("settlement/{}", platform.name), SELDOM) {
            let outcome = settling::all(finishing, platform, settlement).await;
            said(&platform.name, "settlement", outcome);
        }
        if settlement.gaps && looked.is_due(&format!("gaps/{}", platform.name), SELDOM) {
            let outcome = gap::all(finishing, platform, settlement).await;
            said(&platform.name, "gaps", outcome);
        }
        let lookups = format!("lookups/{}", platform.name);
        if settlement.lookups && looked.is_due(&lookups, settlement.lookup_every) {
            let outcome = lookups::all(finishing, platform, settlement).await;
            said(&platform.name, "look-ups", outcome);
        }
    }
    if looked.is_due("failed", RETRY_EVERY) {
        said("", "failed chunks", retry(finishing).await);
    }
    if looked.is_due("retention", RETENTION_EVERY) {
        said("", "retention", retention(finishing).await);
    }
}

fn said(platform: &str, what: &'static str, outcome: anyhow::Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(platform, what, error = %chain(error.as_ref()), "could not keep a standing job going, trying again");
    }
}

/// A standing job has no end at which it could fail, and what it gave up would be a hole.
async fn retry(finishing: &Finishing) -> anyhow::Result<()> {
    let client = finishing.store.client().await?;
    for job in jobs::standing(&client).await? {
        let retried = chunks::retry_failed(&client, job.id).await?;
        if retried > 0 {
            tracing::warn!(job = %job.id, chunks = retried, "chunks of a standing job that were given up are tried again");
        }
    }
    Ok(())
}

async fn retention(finishing: &Finishing) -> anyhow::Result<()> {
    let keep = finishing.settings.keep;
    let client = finishing.store.client().await?;
    let now = sweep::now(&client).await?;
    let before = UtcMicros(now.0.saturating_sub(follow::micros(keep.min(CHUNKS_KEPT))));
    let chunks = chunks::prune(&client, before, RETENTION_AT_ONCE * 10).await?;
    let lookups = keep.min(LOOKUPS_KEPT);
    let jobs = standing::drop_jobs(&client, keep, RETENTION_AT_ONCE).await?
        + standing::drop_lookups(&client, lookups, RETENTION_AT_ONCE).await?;
    let requests = standing::drop_requests(&client, keep, RETENTION_AT_ONCE).await?;
    let before = UtcMicros(now.0.saturating_sub(follow::micros(keep)));
    let counts = platform_counts::prune(&client, before).await?;
    if chunks + jobs + requests + counts > 0 {
        tracing::info!(
            jobs,
            chunks,
            requests,
            counts,
            "old jobs, chunks, requests and counts are deleted"
        );
    }
    Ok(())
}

/// A job that nobody asked for by hand; the caller says the rest.
fn job<'a>(platform: &'a Platform, kind: &'static str, purpose: Purpose) -> NewChunkedJob<'a> {
    NewChunkedJob {
        kind,
        tenant: Some(platform.tenant.as_str()),
        platform: Some(&platform.name),
        metric_version: VERSION,
        params_json: "{}",
        from: None,
        to: None,
        kpis: &[],
        purpose,
        lane: Lane::History,
        promote: Promote::Never,
        standing: false,
        request_id: None,
        chunks: &[],
    }
}

/// What is fetched of a platform when nobody says what: that which interactions are made of.
const fn usual(platform: &Platform) -> Source {
    match platform.vendor() {
        crate::source::Vendor::Genesys => Source::GenesysConversations,
        crate::source::Vendor::Cxone => Source::CxoneContacts,
    }
}

#[cfg(test)]
mod tests;
