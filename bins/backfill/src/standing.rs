//! What keeps going by itself: following, settlement, look-ups, gaps, and the retention of what is over.
//!
//! One process at a time acts, by a lock in PostgreSQL; when it dies the next one does. What is due is decided by pure functions from the
//! settings, the time and what stands in the rows, and every job has a request id or is made in the transaction that takes what it is for: so
//! two processes that act at once, or one that dies half-way, make nothing twice and leave nothing out.

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

use crate::finish::Finishing;
use crate::platforms::{Kind, Platform};
use crate::source::Source;
use runtime::chain;
use schema::{MetricVersion, UtcMicros};
use std::collections::HashMap;
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

/// A day as it may be, to say what it costs.
const EXAMPLE: u64 = 10_000;

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

/// How fresh a followed source is and what that costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stated {
    pub(crate) source: Source,
    /// How old news are at most when they are fetched.
    pub(crate) freshness: Duration,
    /// Each is one request at least, and as many more as there are further pages.
    pub(crate) stretches_a_day: u64,
    /// Records in a page where each stretch lists the whole UTC day that it lies in, whose records are counted besides.
    pub(crate) lists_days: Option<u32>,
}

impl Stated {
    /// Requests that a day takes in which so much happens: half a day is listed on average.
    fn requests(&self, records: u64) -> u64 {
        let Some(page) = self.lists_days else {
            return self.stretches_a_day;
        };
        let pages = (records / 2).div_ceil(u64::from(page).max(1)).max(1);
        // And one that counts.
        self.stretches_a_day.saturating_mul(pages + 1)
    }
}

/// What following costs and brings, by the settings alone.
pub(crate) fn stated(platform: &Platform) -> Vec<Stated> {
    let Some(follow) = &platform.follow else {
        return Vec::new();
    };
    let pace = following::pace(platform, follow);
    follow
        .sources
        .iter()
        .map(|source| Stated {
            source: *source,
            freshness: pace.freshness(),
            stretches_a_day: pace.stretches_a_day(),
            lists_days: match &platform.kind {
                Kind::Genesys(settings) if *source == Source::GenesysConversations => {
                    Some(settings.query_page_size)
                }
                _ => None,
            },
        })
        .collect()
}

/// The same in words, and what else is kept going.
pub(crate) fn words(platform: &Platform) -> Vec<String> {
    let name = &platform.name;
    let mut lines: Vec<String> = stated(platform)
        .iter()
        .map(|stated| {
            let days = if stated.lists_days.is_some() {
                format!(
                    "; each query lists the UTC day up to now, so that a day of {EXAMPLE} conversations takes about {}",
                    stated.requests(EXAMPLE)
                )
            } else {
                String::new()
            };
            format!(
                "{name} follows {}: news are fetched within {} s, for at least {} requests a day{days}",
                stated.source,
                stated.freshness.as_secs(),
                stated.requests(0)
            )
        })
        .collect();
    if let Some(counts) = &platform.counts {
        lines.push(counts::words(name, counts));
    }
    if let Some(settlement) = &platform.settlement {
        let days: Vec<String> = settlement.days.iter().map(u16::to_string).collect();
        let (hour, minute) = settlement.at;
        lines.push(format!(
            "{name} fetches each day again {} days after it, at {hour:02}:{minute:02} {}",
            days.join(", "),
            settlement.zone.name()
        ));
    }
    lines
}

/// Acts, or waits for its turn to, until the process is to stop.
pub(crate) async fn run(finishing: Finishing) -> anyhow::Result<()> {
    let lead = format!("{LEAD} {}", finishing.platforms.names().join(" "));
    let mut contender = Contender::new(finishing.store.clone(), lead);
    let mut looked = Looked::default();
    let mut led = false;
    for line in finishing.platforms.iter().flat_map(words) {
        tracing::info!("{line}");
    }
    while !finishing.stop.is_cancelled() {
        match contender.standing().await {
            Ok(Standing::Follows) => {
                if std::mem::take(&mut led) {
                    // Whoever leads now says how it is.
                    following::silent(&finishing);
                }
            }
            Ok(Standing::TookOver | Standing::Leads) => {
                if !std::mem::replace(&mut led, true) {
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
    let before = UtcMicros(now.0.saturating_sub(follow::micros(keep)));
    let counts = platform_counts::prune(&client, before).await?;
    if chunks + jobs + counts > 0 {
        tracing::info!(
            jobs,
            chunks,
            counts,
            "old jobs, chunks and counts are deleted"
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
