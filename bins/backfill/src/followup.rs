//! `--wait`: until the line has worked off what a job published.

//!
//! Done is what the store shows to be done: all records of an import are counted, every interaction is computed under the job's
//! version and holds the job's facts. An empty queue proves nothing, because a worker may hold messages.

mod published;

pub(crate) use published::{Published, Told, told_by};

use crate::lease::retried;
use crate::line::{LOOK_AGAIN, Line};
use crate::outlet::Done;
use broker::Queue;
use schema::SubscriptionName;
use std::time::{Duration, Instant};
use store::counts;

/// How long the lane must have been empty at the end: for facts of interactions that were seen to be computed by earlier ones.
const QUIET: Duration = Duration::from_secs(2);
/// The same, when interactions had been computed under the version before or facts were about agents, so that nothing else can be seen.
const QUIET_UNTRACEABLE: Duration = Duration::from_secs(10);

/// Waits until every published interaction is computed under the job's version and the history lane is empty.
///
/// Fails when nothing has moved for `patience`.
pub(crate) async fn computed(
    line: &mut Line,
    published: &mut Published,
    patience: Duration,
) -> anyhow::Result<()> {
    let mut moved = Instant::now();
    let mut empty_since: Option<Instant> = None;
    let mut last = (u32::MAX, usize::MAX);
    loop {
        let depth = depth(line, &[Queue::RawHistory, Queue::EventsHistory]).await?;
        let all = published.look(line, depth == 0).await?;
        let left = published.left();
        if (depth, left) != last {
            moved = Instant::now();
            last = (depth, left);
        }
        if depth > 0 {
            empty_since = None;
        }
        if all && left > 0 {
            continue;
        }
        if depth == 0 {
            let since = *empty_since.get_or_insert_with(Instant::now);
            let enough = match published.untraceable() {
                0 => QUIET,
                _ => QUIET_UNTRACEABLE,
            };
            if left == 0 && since.elapsed() >= enough {
                return Ok(());
            }
        }
        if left > 0 || depth > 0 {
            let state = format!("{depth} messages wait and {left} interactions are not computed");
            stalled(moved, patience, &state)?;
        }
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

    /// What was counted since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            received: self.received - before.received,
            logged: self.logged - before.logged,
            duplicates: self.duplicates - before.duplicates,
            quarantined: self.quarantined - before.quarantined,
            ignored: self.ignored - before.ignored,
        }
    }
}

/// Waits until so many records of the source have been counted. Gives what was counted since `before`.
///
/// Fails when nothing has moved for `patience`.
pub(crate) async fn normalised(
    line: &mut Line,
    source: &SubscriptionName,
    before: Counted,
    records: i64,
    patience: Duration,
) -> anyhow::Result<Counted> {
    let mut moved = Instant::now();
    let mut last = (u32::MAX, before);
    loop {
        let depth = depth(line, &[Queue::RawHistory]).await?;
        let now = Counted::read(line, source).await?;
        if (depth, now) != last {
            moved = Instant::now();
            last = (depth, now);
        }
        let counted = now.since(before);
        if counted.received >= records {
            return Ok(counted);
        }
        let received = counted.received;
        let state =
            format!("{depth} messages wait and {received} of {records} records are counted");
        stalled(moved, patience, &state)?;
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

fn stalled(moved: Instant, patience: Duration, state: &str) -> anyhow::Result<()> {
    if moved.elapsed() < patience {
        return Ok(());
    }
    anyhow::bail!(
        "nothing has moved for {} s: {state}; are ingest and compute running? The job itself is done",
        patience.as_secs()
    )
}

async fn pause(line: &Line) -> anyhow::Result<()> {
    tokio::select! {
        () = line.stop.cancelled() => anyhow::bail!("stopped while waiting; the job itself is done"),
        () = tokio::time::sleep(LOOK_AGAIN) => Ok(()),
    }
}
