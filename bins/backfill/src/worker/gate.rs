//! Whether the line has room for more history: live work never waits for it.
//!
//! Looked at before each page, but really only a few times a second, once for all lanes of the process.

use super::meters::Meters;
use super::outlets::Outlets;
use broker::Queue;
use runtime::chain;
use schema::UtcMicros;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::storm::{self, Mode, StormState};
use store::{Store, StoreError};
use tokio::sync::Mutex;

/// How long a look is good.
const GOOD_FOR: Duration = Duration::from_millis(250);
/// What was measured longer ago says nothing.
const MEASURED_WITHIN: Duration = Duration::from_secs(30);

/// What history waits for, in the order in which it is looked at.
const REASONS: [&str; 8] = [
    "history_queue",
    "facts_queue",
    "live_queue",
    "live_facts",
    "storm",
    "freshness",
    "broker",
    "store",
];

/// How much may be waiting elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Messages in `raw.history`.
    pub(crate) history: u32,
    /// Messages in `events.history`.
    pub(crate) facts: u32,
    /// Messages in `raw`.
    pub(crate) live: u32,
    /// Messages in the events queues of the live lane, together.
    pub(crate) live_facts: u32,
    /// How long live facts may have waited that were taken lately.
    pub(crate) freshness: Duration,
}

/// Lets history through, or not.
#[derive(Debug)]
pub(crate) struct Gate {
    store: Store,
    outlets: Arc<Outlets>,
    bounds: Bounds,
    meters: Meters,
    // Held during a look: whoever asks meanwhile has its result.
    seen: Mutex<Option<(Instant, Option<&'static str>)>>,
}

impl Gate {
    pub(crate) fn new(store: Store, outlets: Arc<Outlets>, bounds: Bounds, meters: Meters) -> Self {
        Self {
            store,
            outlets,
            bounds,
            meters,
            seen: Mutex::new(None),
        }
    }

    /// What history has to wait for, if anything.
    pub(crate) async fn closed_for(&self) -> Option<&'static str> {
        let mut seen = self.seen.lock().await;
        if let Some((at, reason)) = *seen
            && at.elapsed() < GOOD_FOR
        {
            return reason;
        }
        let reason = self.look().await;
        let before = seen.and_then(|(_, reason)| reason);
        if before != reason {
            match reason {
                Some(reason) => tracing::info!(reason, "history waits until the line has caught up"),
                None => tracing::info!("history goes on"),
            }
        }
        for one in REASONS {
            self.meters.waiting(one, reason == Some(one));
        }
        *seen = Some((Instant::now(), reason));
        reason
    }

    async fn look(&self) -> Option<&'static str> {
        match self.queues().await {
            Ok(None) => {}
            Ok(full) => return full,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the queues cannot be looked at");
                return Some("broker");
            }
        }
        match self.weather().await {
            Ok(weather) => behind(&weather, self.bounds.freshness),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the state of live work cannot be looked at");
                Some("store")
            }
        }
    }

    async fn queues(&self) -> Result<Option<&'static str>, broker::BrokerError> {
        let Bounds {
            history,
            facts,
            live,
            live_facts,
            ..
        } = self.bounds;
        if self.outlets.depth(Queue::RawHistory).await? > history {
            return Ok(Some("history_queue"));
        }
        if self.outlets.depth(Queue::EventsHistory).await? > facts {
            return Ok(Some("facts_queue"));
        }
        if self.outlets.depth(Queue::Raw).await? > live {
            return Ok(Some("live_queue"));
        }
        let terminal = self.outlets.depth(Queue::EventsTerminal).await?;
        let progress = self.outlets.depth(Queue::EventsProgress).await?;
        Ok((terminal.saturating_add(progress) > live_facts).then_some("live_facts"))
    }

    async fn weather(&self) -> Result<StormState, StoreError> {
        storm::read(&self.store.client().await?).await
    }
}

/// What the state of live work says, if it was measured lately; an order of a person's holds in any case.
fn behind(weather: &StormState, freshness: Duration) -> Option<&'static str> {
    let ordered = weather
        .order
        .filter(|order| order.until.is_none_or(|until| until > weather.now))
        .map(|order| order.mode);
    let lately = weather
        .observed_at
        .is_some_and(|at| within(at, weather.now, MEASURED_WITHIN));
    let mode = ordered.unwrap_or(if lately { weather.mode } else { Mode::Calm });
    if mode == Mode::Storm {
        return Some("storm");
    }
    let waited = weather.oldest_seconds.filter(|_| lately);
    waited
        .is_some_and(|waited| waited > freshness.as_secs_f64())
        .then_some("freshness")
}

fn within(at: UtcMicros, now: UtcMicros, within: Duration) -> bool {
    u128::try_from(now.0.saturating_sub(at.0)).is_ok_and(|micros| micros <= within.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::deferred::Backlog;
    use store::storm::Order;

    const NOW: UtcMicros = UtcMicros(1_000_000_000_000);

    fn weather(mode: Mode, seconds_ago: i64, oldest: f64) -> StormState {
        StormState {
            now: NOW,
            mode,
            since: UtcMicros(0),
            turning_since: None,
            observed_at: Some(UtcMicros(NOW.0 - seconds_ago * 1_000_000)),
            waiting_messages: 0,
            waiting_facts: 0,
            oldest_seconds: Some(oldest),
            reason: String::new(),
            deferred: Backlog {
                interactions: 0,
                since: None,
            },
            order: None,
        }
    }

    #[test]
    fn history_waits_in_a_storm_and_while_live_facts_are_late() {
        let fresh = Duration::from_secs(2);
        assert_eq!(behind(&weather(Mode::Calm, 1, 0.5), fresh), None);
        assert_eq!(behind(&weather(Mode::Storm, 1, 0.5), fresh), Some("storm"));
        assert_eq!(behind(&weather(Mode::Calm, 1, 2.5), fresh), Some("freshness"));
        // Nobody has measured for a while: compute is not running, and nothing is late for it.
        assert_eq!(behind(&weather(Mode::Storm, 60, 9.0), fresh), None);
        let order = |mode, until| Order {
            mode,
            at: UtcMicros(0),
            until,
        };
        let mut ordered = weather(Mode::Storm, 1, 0.0);
        ordered.order = Some(order(Mode::Calm, None));
        assert_eq!(behind(&ordered, fresh), None);
        ordered.order = Some(order(Mode::Calm, Some(UtcMicros(1))));
        assert_eq!(behind(&ordered, fresh), Some("storm"), "an order that ended");
    }
}
