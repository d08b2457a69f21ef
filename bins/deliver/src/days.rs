//! Agents' days once more: what of them is stored, by the agents' own dates.

use schema::{LocalDay, UtcMicros};
use store::sync::{self, ChangedDay, StoredDay};
use store::targets::{self, Target};
use store::{Client, StoreError};
use target::Kind;
use timezone::Zone;

/// What is read in one go, while compute waits.
const STRETCH: i64 = 86_400_000_000;

/// Which days of a target are meant.
#[derive(Debug, Clone, Copy)]
pub struct Days<'a> {
    /// The target.
    pub target: &'a Target,
    /// Of these metrics; empty: of all that it wants.
    pub metrics: &'a [String],
    /// Of this agent.
    pub agent: Option<&'a str>,
    /// Windows that begin at this instant or later.
    pub from: UtcMicros,
    /// Windows that begin before this instant.
    pub to: UtcMicros,
}

impl Days<'_> {
    /// How many there are.
    pub async fn count(&self, client: &Client, now: UtcMicros) -> Result<u64, StoreError> {
        let mut count = 0;
        for stretch in self.stretches(client, now).await? {
            let stored = sync::stored_days(client, &self.target.name, stretch).await?;
            count += stored.iter().filter(|day| self.has(day)).count() as u64;
        }
        Ok(count)
    }

    /// Gives them, a day of them at a time.
    pub async fn each(
        &self,
        client: &Client,
        now: UtcMicros,
        mut each: impl AsyncFnMut(Vec<ChangedDay>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for stretch in self.stretches(client, now).await? {
            let stored = sync::stored_days(client, &self.target.name, stretch).await?;
            let wanted = stored.into_iter().filter(|day| self.has(day));
            each(wanted.filter_map(by_date).collect()).await?;
        }
        Ok(())
    }

    /// Queues them, pushed before or not. Returns how many rows wait because of it.
    pub async fn requeue(&self, client: &mut Client, now: UtcMicros) -> Result<u64, StoreError> {
        let mut queued = 0;
        for stretch in self.stretches(client, now).await? {
            let tx = client.transaction().await?;
            targets::hold_changes(&tx).await?;
            let stored = sync::stored_days(&tx, &self.target.name, stretch).await?;
            let wanted = stored.into_iter().filter(|day| self.has(day));
            let days: Vec<ChangedDay> = wanted.filter_map(by_date).collect();
            let (tenant, target) = (&self.target.tenant, &self.target.name);
            queued += sync::requeue_days(&tx, tenant, target, &days).await?;
            tx.commit().await?;
        }
        Ok(queued)
    }

    fn has(&self, day: &StoredDay) -> bool {
        (self.metrics.is_empty() || self.metrics.contains(&day.metric_type))
            && self.agent.is_none_or(|agent| agent == day.agent_id)
    }

    /// Where there are any, and not what the platform would not take any more.
    async fn stretches(
        &self,
        client: &Client,
        now: UtcMicros,
    ) -> Result<Vec<(UtcMicros, UtcMicros)>, StoreError> {
        let look_back = Kind::parse(&self.target.platform)
            .and_then(|kind| kind.capabilities().look_back)
            // A day more for the clocks of the world.
            .map(|look_back| UtcMicros(now.0 - i64::from(look_back.back + 2) * STRETCH));
        let from = look_back.map_or(self.from, |earliest| self.from.max(earliest));
        let extent = sync::days_extent(client, &self.target.name, (from, self.to)).await?;
        let Some((first, last)) = extent else {
            return Ok(Vec::new());
        };
        let mut stretches = Vec::new();
        let mut begin = first;
        while begin <= last {
            let end = UtcMicros(begin.0 + STRETCH).min(self.to);
            stretches.push((begin, end));
            begin = UtcMicros(begin.0 + STRETCH);
        }
        Ok(stretches)
    }
}

/// By the clock that the window went by. A zone that cannot be read any more has no dates.
fn by_date(stored: StoredDay) -> Option<ChangedDay> {
    let zone = Zone::parse(&stored.figures.zone).ok()?;
    Some(ChangedDay {
        day: LocalDay(zone.epoch_day(stored.figures.from.0)),
        agent_id: stored.agent_id,
        metric_type: stored.metric_type,
        metric_version: stored.metric_version,
        figures: Some(stored.figures),
        value: Some(stored.value),
    })
}
