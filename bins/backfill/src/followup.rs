//! `--wait`: until the line has worked off what a job published.

use crate::lease::retried;
use crate::line::{LOOK_AGAIN, Line};
use crate::outlet::Done;
use anyhow::Context as _;
use broker::Queue;
use schema::{MetricVersion, SubscriptionName};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use store::{counts, interactions};

/// The most interactions that are looked up at the end. Of more, those published last are: the queue is first in, first out.
const LOOKED_UP_MAX: usize = 50_000;
/// A lane that has been empty for this long is taken as worked off, once all records were counted.
const QUIET: Duration = Duration::from_secs(2);
/// The same, when fewer were counted.
const QUIET_UNCOUNTED: Duration = Duration::from_secs(20);

/// The interactions a replay published facts of.
#[derive(Debug, Default)]
pub(crate) struct Published {
    seen: HashSet<(String, String)>,
    order: std::collections::VecDeque<(String, String)>,
}

impl Published {
    pub(crate) fn note(&mut self, tenant: &str, interaction: &str) {
        let key = (tenant.to_owned(), interaction.to_owned());
        if self.seen.insert(key.clone()) {
            self.order.push_back(key);
        }
        if self.order.len() > LOOKED_UP_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }
}

/// Waits until the history lane is empty and every published interaction is computed under the version.
///
/// Fails when nothing has moved for `patience`.
pub(crate) async fn computed(
    line: &mut Line,
    published: Published,
    version: MetricVersion,
    patience: Duration,
) -> anyhow::Result<()> {
    let wanted = i16::try_from(version.0).context("the metric version")?;
    let mut left = published.order;
    let mut moved = Instant::now();
    let mut depth_before = u32::MAX;
    loop {
        let depth = depth(line, &[Queue::EventsHistory]).await?;
        let before = left.len();
        if depth == 0 {
            let client = line
                .store
                .client()
                .await
                .context("look at what was computed")?;
            let mut missing = std::collections::VecDeque::new();
            while let Some((tenant, interaction)) = left.pop_front() {
                let found = interactions::get(&client, &tenant, &interaction)
                    .await
                    .context("look at what was computed")?;
                if !found.is_some_and(|found| found.metric_versions.contains(&wanted)) {
                    missing.push_back((tenant, interaction));
                    // One that is not there yet: the rest is not worth asking for now.
                    break;
                }
            }
            missing.append(&mut left);
            left = missing;
            if left.is_empty() {
                return Ok(());
            }
        }
        if depth < depth_before || left.len() < before {
            moved = Instant::now();
        }
        depth_before = depth;
        stalled(moved, patience, depth, left.len())?;
        pause(line).await?;
    }
}

/// What the log has counted of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) received: i64,
    pub(crate) logged: i64,
    pub(crate) duplicates: i64,
    pub(crate) quarantined: i64,
    pub(crate) ignored: i64,
}

impl Counted {
    /// What has been counted of a source until now.
    pub(crate) async fn read(line: &Line, source: &SubscriptionName) -> anyhow::Result<Self> {
        let totals = retried(&line.stop, "read what was counted", async || {
            let client = line.store.client().await?;
            counts::totals(&client).await
        })
        .await?;
        let found = totals
            .into_iter()
            .find(|totals| totals.subscription == source.as_str());
        Ok(found.map_or_else(Self::default, |totals| Self {
            received: totals.received,
            logged: totals.logged,
            duplicates: totals.duplicates,
            quarantined: totals.quarantined,
            ignored: totals.ignored,
        }))
    }

    fn since(self, before: Self) -> Self {
        Self {
            received: self.received - before.received,
            logged: self.logged - before.logged,
            duplicates: self.duplicates - before.duplicates,
            quarantined: self.quarantined - before.quarantined,
            ignored: self.ignored - before.ignored,
        }
    }
}

/// Waits until so many records of the source have been counted and the history lane has been empty for some seconds on end. Gives
/// what was counted since `before`.
///
/// After a crash the broker may bring a page that was counted already; then the count falls short, and a longer silence is enough.
pub(crate) async fn normalised(
    line: &mut Line,
    source: &SubscriptionName,
    before: Counted,
    records: i64,
    patience: Duration,
) -> anyhow::Result<Counted> {
    let mut moved = Instant::now();
    let mut empty_since: Option<Instant> = None;
    let mut last = (u32::MAX, before);
    loop {
        let depth = depth(line, &[Queue::RawHistory, Queue::EventsHistory]).await?;
        let now = Counted::read(line, source).await?;
        if (depth, now) != last {
            moved = Instant::now();
            last = (depth, now);
        }
        let counted = now.since(before);
        if depth == 0 {
            let since = *empty_since.get_or_insert_with(Instant::now);
            let enough = if counted.received >= records {
                QUIET
            } else {
                QUIET_UNCOUNTED
            };
            if since.elapsed() >= enough
                && moved.elapsed() >= QUIET
                && counted.received >= records.min(1)
            {
                return Ok(counted);
            }
        } else {
            empty_since = None;
        }
        stalled(moved, patience, depth, 0)?;
        pause(line).await?;
    }
}

async fn depth(line: &mut Line, queues: &[Queue]) -> anyhow::Result<u32> {
    let mut sum = 0_u32;
    for queue in queues {
        match line.outlet.depth(*queue).await? {
            Done::Yes(depth) => sum = sum.saturating_add(depth),
            Done::Stopped => anyhow::bail!("stopped while waiting; the job itself is done"),
        }
    }
    Ok(sum)
}

fn stalled(moved: Instant, patience: Duration, depth: u32, left: usize) -> anyhow::Result<()> {
    if moved.elapsed() < patience {
        return Ok(());
    }
    anyhow::bail!(
        "nothing has moved for {} s: {depth} messages wait and {left} interactions are not computed; are ingest and compute running? \
         The job itself is done",
        patience.as_secs()
    )
}

async fn pause(line: &Line) -> anyhow::Result<()> {
    tokio::select! {
        () = line.stop.cancelled() => anyhow::bail!("stopped while waiting; the job itself is done"),
        () = tokio::time::sleep(LOOK_AGAIN) => Ok(()),
    }
}
