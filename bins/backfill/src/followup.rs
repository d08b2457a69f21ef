//! `--wait`: until the line has worked off what a job published.

use crate::line::{LOOK_AGAIN, Line};
use crate::outlet::Done;
use anyhow::Context as _;
use broker::Queue;
use schema::MetricVersion;
use std::collections::HashSet;
use std::time::{Duration, Instant};
use store::interactions;

/// The most interactions that are looked up at the end. Of more, those published last are: the queue is first in, first out.
const LOOKED_UP_MAX: usize = 50_000;
/// A queue that has been empty for this long is taken as worked off, where nothing tells better.
const QUIET: Duration = Duration::from_secs(3);

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

/// Waits until the queues of the history lane have been empty for some seconds on end.
pub(crate) async fn quiet(line: &mut Line, patience: Duration) -> anyhow::Result<()> {
    let mut moved = Instant::now();
    let mut empty_since: Option<Instant> = None;
    let mut depth_before = u32::MAX;
    loop {
        let depth = depth(line, &[Queue::RawHistory, Queue::EventsHistory]).await?;
        if depth == 0 {
            let since = *empty_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= QUIET {
                return Ok(());
            }
        } else {
            empty_since = None;
        }
        if depth != depth_before {
            moved = Instant::now();
        }
        depth_before = depth;
        stalled(moved, patience.max(QUIET * 2), depth, 0)?;
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
