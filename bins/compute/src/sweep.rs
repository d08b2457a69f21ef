//! The sweeper: what time alone decides. Interactions that never end are given up, those whose wrap-up grace is over are settled.
//!
//! An interaction without news for its medium's maximum age is marked as swept and asked for at the platform's history
//! (`history_requests`); its metrics are then absent with the reason `incomplete`. Should it end after all, the facts are folded as ever and the
//! values take the place of the reason. One whose end is only inferred is asked for when its grace is over, and settles when its record has
//! confirmed the end, or has not come in time. One process at a time sweeps; where two did, nothing would come of it but work twice.

use crate::apply::{Applier, ApplyError};
use crate::wake::Waker;
use broker::{Broker, BrokerConfig, BrokerError, Queue};
use runtime::chain;
use runtime::metrics::CounterHandle;
use schema::UtcMicros;
use session::Session;
use std::collections::BTreeMap;
use std::time::Duration;
use store::Class;
use store::leader::{Contender, Standing};
use store::sweep::{self, OpenInteraction};
use tokio_util::sync::CancellationToken;

/// Interactions looked at, given up or settled in one transaction.
const BATCH: u32 = 500;
/// More messages than these in the queues, and silence proves nothing. A line at work always has some.
const WAITING_MAX: u32 = 100;
/// How often the lead is asked for: well within [`store::leader::SILENCE`].
const LEAD_EVERY: Duration = Duration::from_secs(3);

/// When an interaction is given up, and when it is settled.
#[derive(Debug, Clone)]
pub struct SweepConfig {
    /// How long to wait between two rounds.
    pub every: Duration,
    /// How long after its end an interaction's wrap-up may come before its metrics count as settled.
    pub wrap_up_grace: Duration,
    /// How long an inferred end may wait for the platform's record, once that was asked for, before its metrics count as settled without.
    pub confirm_within: Duration,
    /// Without news for so long an open interaction is given up.
    pub max_age: MaxAge,
}

/// The longest silence of an open interaction, by medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaxAge {
    /// Of media that are not named, and of interactions whose medium nobody stated.
    pub default: Duration,
    /// By the medium as facts name it, in lower case.
    pub by_media: BTreeMap<String, Duration>,
}

impl MaxAge {
    /// Of this medium.
    pub fn of(&self, media: Option<&str>) -> Duration {
        media
            .and_then(|media| self.by_media.get(media))
            .copied()
            .unwrap_or(self.default)
    }

    /// Of the medium that is given up first.
    pub fn shortest(&self) -> Duration {
        self.by_media
            .values()
            .copied()
            .fold(self.default, Duration::min)
    }

    /// Whether an open interaction has been silent for too long.
    fn is_over(&self, open: &OpenInteraction, now: UtcMicros) -> bool {
        // What cannot be read is not judged; whoever folds the next fact into it says so.
        let Ok(session) = Session::from_json(&open.state_json) else {
            return false;
        };
        let age = self.of(session.timeline().media());
        ago(now, age) >= open.updated_at
    }
}

/// Counters of the sweeper.
#[derive(Debug, Clone)]
pub struct SweepMeters {
    /// Interactions given up.
    pub swept: CounterHandle,
    /// Interactions settled.
    pub settled: CounterHandle,
}

/// What one round did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Interactions given up.
    pub given_up: u64,
    /// Interactions settled.
    pub settled: u64,
    /// Interactions whose end is inferred and whose record was asked for.
    pub asked: u64,
    /// Rows queued for delivery.
    pub queued: u64,
}

/// Sweeps every so often while this process has the lead, until told to stop.
pub async fn run(
    applier: Applier,
    broker: BrokerConfig,
    config: SweepConfig,
    waker: Waker,
    meters: SweepMeters,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut contender = Contender::new(applier.store().clone(), "compute sweeper");
    // What is in the queues at the start is folded first.
    let mut due = tokio::time::Instant::now() + config.every;
    loop {
        let leads = match contender.standing().await {
            Ok(standing) => standing != Standing::Follows,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "the sweeper's lead could not be asked for");
                false
            }
        };
        if leads && tokio::time::Instant::now() >= due {
            due = tokio::time::Instant::now() + config.every;
            if !is_caught_up(&broker).await {
                continue;
            }
            match round(&applier, &config, &stop).await {
                Ok(swept) => {
                    meters.swept.inc_by(swept.given_up);
                    meters.settled.inc_by(swept.settled);
                    if swept.queued > 0 {
                        waker.wake(swept.queued);
                    }
                    if swept != Swept::default() {
                        tracing::info!(
                            given_up = swept.given_up,
                            settled = swept.settled,
                            asked = swept.asked,
                            "swept"
                        );
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "sweeping failed; trying again later");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LEAD_EVERY) => {}
        }
    }
}

/// One round by the server's clock: settles what is past its grace, gives up what has been silent for too long.
pub async fn round(
    applier: &Applier,
    config: &SweepConfig,
    stop: &CancellationToken,
) -> Result<Swept, ApplyError> {
    let now = {
        let client = applier.store().client().await?;
        sweep::now(&client).await?
    };
    round_as_of(applier, config, now, stop).await
}

/// As [`round`], at another time.
pub async fn round_as_of(
    applier: &Applier,
    config: &SweepConfig,
    now: UtcMicros,
    stop: &CancellationToken,
) -> Result<Swept, ApplyError> {
    let mut swept = Swept::default();
    let ended_before = ago(now, config.wrap_up_grace);
    let asked_before = ago(now, config.confirm_within);
    let mut after = None;
    while !stop.is_cancelled() {
        let client = applier.store().client().await?;
        let step = sweep::settle(&client, ended_before, asked_before, after.as_ref(), BATCH);
        let rested = step.await?;
        swept.settled += rested.settled;
        swept.asked += rested.asked;
        after = rested.next;
        if after.is_none() {
            break;
        }
    }
    let silent_since = ago(now, config.max_age.shortest());
    let mut after: Option<OpenInteraction> = None;
    while !stop.is_cancelled() {
        let page = {
            let client = applier.store().client().await?;
            sweep::due(&client, silent_since, after.as_ref(), BATCH).await?
        };
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        let over: Vec<OpenInteraction> = page
            .into_iter()
            .filter(|open| config.max_age.is_over(open, now))
            .collect();
        give_up(applier, over, &mut swept).await?;
    }
    Ok(swept)
}

/// Gives all of them up; halves them while they are refused, until the one that is refused stands alone and is passed over.
async fn give_up(
    applier: &Applier,
    over: Vec<OpenInteraction>,
    swept: &mut Swept,
) -> Result<(), ApplyError> {
    let mut todo = vec![over];
    while let Some(mut over) = todo.pop() {
        if over.is_empty() {
            continue;
        }
        let error = match applier.give_up(&over).await {
            Ok((given_up, applied)) => {
                swept.given_up += given_up;
                swept.queued += applied.queued;
                continue;
            }
            Err(error) => error,
        };
        if let ApplyError::Store(source) = &error
            && source.is_missing_partition()
        {
            // Retention dropped a month that this process knows: the next round makes it anew.
            applier.partitions().forget();
        }
        if error.class() != Class::Rejected {
            return Err(error);
        }
        if let [alone] = &over[..] {
            tracing::warn!(
                tenant = alone.tenant,
                interaction = alone.interaction_id,
                error = %chain(&error),
                "an interaction that never ended cannot be given up"
            );
            continue;
        }
        let second = over.split_off(over.len() / 2);
        todo.extend([second, over]);
    }
    Ok(())
}

/// Whether what was sent has been folded: silence means nothing while the news waits in a queue.
async fn is_caught_up(broker: &BrokerConfig) -> bool {
    match waiting(broker).await {
        Ok(messages) if messages <= WAITING_MAX => true,
        Ok(messages) => {
            tracing::info!(messages, "not sweeping: the queues hold news");
            false
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), "not sweeping: the queues cannot be asked for news");
            false
        }
    }
}

async fn waiting(broker: &BrokerConfig) -> Result<u32, BrokerError> {
    let broker = Broker::connect(broker).await?;
    broker.declare().await?;
    let mut messages = 0_u32;
    for queue in [
        Queue::Raw,
        Queue::RawHistory,
        Queue::EventsTerminal,
        Queue::EventsProgress,
        Queue::EventsHistory,
    ] {
        messages = messages.saturating_add(broker.depth(queue).await?);
    }
    broker.close().await?;
    Ok(messages)
}

fn ago(now: UtcMicros, age: Duration) -> UtcMicros {
    let micros = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    UtcMicros(now.0.saturating_sub(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_medium_without_an_age_of_its_own_has_the_default() {
        let age = MaxAge {
            default: Duration::from_secs(60),
            by_media: BTreeMap::from([("email".to_owned(), Duration::from_secs(600))]),
        };
        assert_eq!(age.of(Some("email")), Duration::from_secs(600));
        assert_eq!(age.of(Some("voice")), Duration::from_secs(60));
        assert_eq!(age.of(None), Duration::from_secs(60));
        assert_eq!(age.shortest(), Duration::from_secs(60));
    }
}
