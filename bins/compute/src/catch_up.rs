//! After a storm: what was deferred is evaluated, by any replica, at a pace that leaves room for what is going on now.

use crate::apply::{Applier, CatchUpError, CaughtUp};
use crate::pressure::Pressure;
use crate::wake::Waker;
use runtime::chain;
use runtime::metrics::CounterHandle;
use std::time::{Duration, Instant};
use store::{Class, StoreError, deferred};
use tokio_util::sync::CancellationToken;

/// Interactions in one transaction, which holds them as long as it takes.
const BATCH: u32 = 200;
/// How often to look where nothing is owed.
const EVERY: Duration = Duration::from_secs(2);
/// How long to leave a store alone that is away or busy.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// What is refused alone is left alone for so long.
const POSTPONED: Duration = Duration::from_secs(600);
/// Of the time, one part in so many.
const SHARE: u32 = 2;
/// The same while live facts have a backlog.
const SHARE_UNDER_PRESSURE: u32 = 6;
/// However long a batch took, the next one comes after at most this.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Counters.
#[derive(Debug, Clone)]
pub struct CatchUpMeters {
    /// Interactions to which nothing is owed any more.
    pub caught_up: CounterHandle,
    /// Metric rows written.
    pub written: CounterHandle,
}

/// Catches up while it is calm, until told to stop.
pub async fn run(
    applier: Applier,
    pressure: Pressure,
    waker: Waker,
    meters: CatchUpMeters,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut size = BATCH;
    while applier.storm().wait_for_calm(EVERY, &stop).await {
        if applier.storm().is_on() {
            continue;
        }
        let began = Instant::now();
        let pause = match applier.catch_up(size).await {
            Ok(CaughtUp { taken: 0, .. }) => EVERY,
            Ok(done) => {
                size = (size * 2).min(BATCH);
                told(&done, &meters, &waker);
                pause_after(began.elapsed(), pressure.is_on())
            }
            Err(error) => match refused(&applier, &error).await {
                Ok(Some(smaller)) => {
                    size = smaller;
                    Duration::ZERO
                }
                Ok(None) => {
                    tracing::warn!(error = %chain(&error), "what was deferred could not be evaluated; trying again");
                    AFTER_FAILURE
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "what is refused could not be postponed; trying again");
                    AFTER_FAILURE
                }
            },
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    Ok(())
}

fn told(done: &CaughtUp, meters: &CatchUpMeters, waker: &Waker) {
    meters.caught_up.inc_by(done.taken - done.left);
    meters.written.inc_by(done.applied.written);
    if done.applied.queued > 0 {
        waker.wake(done.applied.queued);
    }
    tracing::debug!(
        interactions = done.taken,
        left = done.left,
        written = done.applied.written,
        "caught up what was deferred"
    );
}

/// What to do about a refusal: the size of a smaller batch, until what is refused stands alone and is left alone for a while. `None`: it was no
/// refusal, but a store that is away.
async fn refused(applier: &Applier, error: &CatchUpError) -> Result<Option<u32>, StoreError> {
    if let crate::apply::ApplyError::Store(source) = &error.source
        && source.is_missing_partition()
    {
        // Retention dropped a month that this process knows: the next batch makes it anew.
        applier.partitions().forget();
    }
    if error.class() != Class::Rejected {
        return Ok(None);
    }
    match &error.tried[..] {
        [] => Ok(None),
        [(tenant, interaction)] => {
            let reason = chain(error).replace('\0', "\u{fffd}");
            tracing::warn!(
                tenant,
                interaction,
                error = reason,
                "what was deferred of an interaction cannot be evaluated"
            );
            let client = applier.store().client().await?;
            deferred::postpone(&client, tenant, interaction, POSTPONED, &reason).await?;
            Ok(Some(1))
        }
        many => Ok(Some(u32::try_from(many.len() / 2).unwrap_or(1).max(1))),
    }
}

/// All that is owed, now, whatever the weather. For tests and one-off commands. What is refused alone is left for later.
pub async fn drain(applier: &Applier) -> Result<CaughtUp, CatchUpError> {
    let (mut sum, mut size) = (CaughtUp::default(), BATCH);
    loop {
        match applier.catch_up(size).await {
            Ok(CaughtUp { taken: 0, .. }) => return Ok(sum),
            Ok(done) => {
                size = (size * 2).min(BATCH);
                sum.taken += done.taken;
                sum.left += done.left;
                sum.applied.add(done.applied);
            }
            Err(error) => match refused(applier, &error).await {
                Ok(Some(smaller)) => size = smaller,
                Ok(None) => return Err(error),
                Err(store) => {
                    return Err(CatchUpError {
                        source: store.into(),
                        ..error
                    });
                }
            },
        }
    }
}

fn pause_after(worked: Duration, pressure: bool) -> Duration {
    let share = if pressure {
        SHARE_UNDER_PRESSURE
    } else {
        SHARE
    };
    worked.saturating_mul(share - 1).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_caught_up_leaves_room_for_what_is_going_on() {
        let second = Duration::from_secs(1);
        assert_eq!(pause_after(second, false), second);
        assert_eq!(pause_after(second, true), second * 5);
        assert_eq!(pause_after(second * 60, true), PAUSE_MAX);
    }
}
