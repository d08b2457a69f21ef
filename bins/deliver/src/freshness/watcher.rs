//! One process at a time looks at every platform in turn, and writes what it finds.

use super::feeds::Feeds;
use super::file::{Watch, Watched};
use super::look::{Line, look};
use super::meters::Meters;
use super::queues::Queues;
use broker::BrokerConfig;
use freshness::{Judgement, Memory, judge};
use runtime::{Metrics, chain};
use schema::{JobId, PlatformState, UtcMicros};
use serde_json::json;
use std::time::{Duration, Instant};
use store::freshness::{self as states, Look};
use store::named_leases::{self, Taken};
use store::{Store, StoreError, status};
use tokio_util::sync::CancellationToken;

/// What only one process does at a time.
const LEASE: &str = "deliver freshness";
/// How long it is held without a sign of life, at least.
const LEASE_MIN: Duration = Duration::from_secs(15);
/// The component in `pipeline_status`. One looks, so there is one instance.
const COMPONENT: &str = "deliver freshness";
const INSTANCE: &str = "watcher";
/// How often it says something there though nothing has changed.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// How often old changes, and platforms that nobody watches any more, are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(600);
/// Without a look for so long nothing that was seen holds any more, as for those who read the store.
const AWAY_AFTER: Duration = Duration::from_secs(120);
/// A platform that is not in our file and that nobody has looked at for so long is watched no longer.
const UNWATCHED_AFTER: Duration = Duration::from_secs(300);

/// Watches over the platforms.
#[derive(Debug)]
pub struct Watcher {
    store: Store,
    watch: Watch,
    queues: Queues,
    feeds: Feeds,
    meters: Meters,
    owner: String,
    stop: CancellationToken,
    holds: bool,
    failing: Option<Instant>,
    blind: bool,
    told: Option<Instant>,
    tidied: Option<Instant>,
}

/// A platform after a look.
struct Seen<'w> {
    watched: &'w Watched,
    judged: Judgement,
}

impl Watcher {
    /// For these platforms.
    #[must_use]
    pub fn new(
        store: Store,
        broker: BrokerConfig,
        watch: Watch,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            watch,
            queues: Queues::new(broker),
            feeds: Feeds::default(),
            meters: Meters::new(metrics),
            owner: format!("deliver/{}/{}", std::process::id(), JobId::generate()),
            stop,
            holds: false,
            failing: None,
            blind: false,
            told: None,
            tidied: None,
        }
    }

    /// Looks until told to stop.
    pub async fn run(mut self) -> anyhow::Result<()> {
        while !self.stop.is_cancelled() {
            match self.turn().await {
                Ok(()) => self.failing = None,
                Err(error) => self.failed(&error),
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = tokio::time::sleep(self.watch.every) => {}
            }
        }
        if self.holds
            && let Err(error) = self.leave().await
        {
            tracing::debug!(error = %chain(&error), "the store was not told that this process stops looking");
        }
        self.queues.close().await;
        Ok(())
    }

    /// Whether it still holds the lease the next turn finds out.
    fn failed(&mut self, error: &StoreError) {
        let since = *self.failing.get_or_insert_with(|| {
            tracing::warn!(error = %chain(error), "the platforms cannot be looked at; it goes on trying");
            Instant::now()
        });
        if since.elapsed() >= AWAY_AFTER {
            self.meters.unwatched();
        }
    }

    async fn turn(&mut self) -> Result<(), StoreError> {
        if self.leads().await? {
            let looked = self.look().await;
            self.told_failure(looked);
            self.tidy().await?;
        }
        let client = self.store.client().await?;
        let platforms = states::states(&client, None).await?;
        drop(client);
        self.meters.show(platforms);
        Ok(())
    }

    /// That a platform could not be looked at is told once. The others are looked at all the same, and of this one readers see when it was last.
    fn told_failure(&mut self, looked: Result<(), StoreError>) {
        let before = std::mem::replace(&mut self.blind, looked.is_err());
        if let Err(error) = looked
            && !before
        {
            tracing::warn!(error = %chain(&error), "a platform cannot be looked at; it goes on trying");
        }
    }

    /// Whether it is this process that looks.
    async fn leads(&mut self) -> Result<bool, StoreError> {
        let length = LEASE_MIN.max(self.watch.every * 3);
        let client = self.store.client().await?;
        let none = Duration::ZERO;
        if self.holds && named_leases::keep(&client, LEASE, &self.owner, length, none).await? {
            return Ok(true);
        }
        let taken = named_leases::take(&client, LEASE, &self.owner, length, none).await?;
        self.holds = taken == Taken::Yes;
        if self.holds {
            tracing::info!(
                platforms = self.watch.platforms.len(),
                "watches whether the platforms' numbers are to be trusted"
            );
            self.told = None;
            self.tidied = None;
        }
        Ok(self.holds)
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let client = self.store.client().await?;
        status::remove(&client, COMPONENT, INSTANCE).await?;
        named_leases::release(&client, LEASE, &self.owner, Duration::ZERO).await?;
        Ok(())
    }

    /// One look at each platform. What goes wrong with one keeps no other.
    async fn look(&mut self) -> Result<(), StoreError> {
        let depths = self.queues.look().await;
        let line = Line::read(&self.store.client().await?, depths).await?;
        let mut seen = Vec::with_capacity(self.watch.platforms.len());
        let mut failure = None;
        for watched in &self.watch.platforms {
            match one(&self.store, watched, &line, &mut self.feeds).await {
                Ok(Some(judged)) => seen.push(Seen { watched, judged }),
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        let changed = seen.iter().any(|one| one.judged.before.is_some());
        let due = self.told.is_none_or(|at| at.elapsed() >= TELL_EVERY);
        if changed || due {
            let word = word(&seen);
            let client = self.store.client().await?;
            status::put(&client, COMPONENT, INSTANCE, &word).await?;
            self.told = Some(Instant::now());
        }
        failure.map_or(Ok(()), Err)
    }

    async fn tidy(&mut self) -> Result<(), StoreError> {
        if self.tidied.is_some_and(|at| at.elapsed() < TIDY_EVERY) {
            return Ok(());
        }
        let names: Vec<(&str, &str)> = self
            .watch
            .platforms
            .iter()
            .map(|one| (one.tenant.as_str(), one.name.as_str()))
            .collect();
        let client = self.store.client().await?;
        let forgotten = states::forget_others(&client, &names, UNWATCHED_AFTER).await?;
        if forgotten > 0 {
            tracing::info!(
                platforms = forgotten,
                "platforms that are watched no longer are forgotten"
            );
        }
        let now = store::sweep::now(&client).await?;
        let keep = i64::try_from(self.watch.keep.as_micros()).unwrap_or(i64::MAX);
        states::prune(&client, UtcMicros(now.0.saturating_sub(keep))).await?;
        self.tidied = Some(Instant::now());
        Ok(())
    }
}

/// Looks at one platform and writes what came of it; `None`: another process has looked later.
async fn one(
    store: &Store,
    watched: &Watched,
    line: &Line,
    feeds: &mut Feeds,
) -> Result<Option<Judgement>, StoreError> {
    let mut client = store.client().await?;
    let evidence = look(&client, watched, line, feeds).await?;
    let tx = client.transaction().await?;
    let kept = states::lock(&tx, &watched.tenant, &watched.name).await?;
    let memory = kept.as_deref().map_or_else(Memory::default, Memory::parse);
    let judged = judge(&memory, &evidence, &watched.settings);
    // Both are JSON of our own making; what could not be written would only be forgotten.
    let causes = serde_json::to_string(&judged.causes).unwrap_or_else(|_| "[]".to_owned());
    let remembered = judged.memory.to_json().unwrap_or_else(|_| "{}".to_owned());
    let written = states::put(
        &tx,
        &Look {
            tenant: &watched.tenant,
            platform: &watched.name,
            at: evidence.now,
            state: judged.state,
            since: judged.since,
            before: judged.before,
            code: judged.code,
            reason: &judged.reason,
            doubtful_from: judged.doubtful_from,
            lag_seconds: judged.lag.as_secs_f64(),
            count_gap: i64::try_from(judged.missing).unwrap_or(i64::MAX),
            causes_json: &causes,
            memory_json: &remembered,
        },
    )
    .await?;
    tx.commit().await?;
    if !written {
        return Ok(None);
    }
    tell(watched, &judged);
    Ok(Some(judged))
}

/// A line for each change.
fn tell(watched: &Watched, judged: &Judgement) {
    let Some(before) = judged.before else {
        return;
    };
    let (tenant, platform) = (watched.tenant.as_str(), watched.name.as_str());
    let (before, state) = (before.as_str(), judged.state.as_str());
    if judged.state == PlatformState::Live {
        tracing::info!(
            tenant,
            platform,
            before,
            state,
            "the platform's numbers are to be trusted again"
        );
    } else {
        tracing::warn!(
            tenant,
            platform,
            before,
            state,
            code = judged.code,
            reason = judged.reason,
            doubtful_from = judged.doubtful_from.map(tracing::field::display),
            "the platform's numbers are not to be trusted"
        );
    }
}

/// The word in `pipeline_status`.
fn word(seen: &[Seen<'_>]) -> String {
    let platforms: Vec<_> = seen
        .iter()
        .map(|Seen { watched, judged }| {
            json!({
                "tenant": watched.tenant,
                "platform": watched.name,
                "state": judged.state,
                "since": judged.since.to_string(),
                "code": judged.code,
                "reason": judged.reason,
            })
        })
        .collect();
    json!({ "platforms": platforms }).to_string()
}
