//! A storm: more waits than can be computed at once. Terminal events and critical definitions go first, the rest is deferred and caught up.
//!
//! Whether there is one is the same for all replicas: [`monitor`] measures what waits in the queues, by [`hysteresis`], and writes it into the
//! store; each replica reads it there every few seconds. [`command`] is how a person overrides it. What follows from it:
//!
//! - a worker of the live lane takes from `events.progress` only while `events.terminal` is empty, but for one batch in some (`intake`);
//! - the history lane takes one message a minute;
//! - the fold evaluates definitions of priority `critical` (and what a job asks for) and notes what it owes ([`crate::catch_up`]);
//! - agents' time and journeys take a tenth of the time, unless a definition about them is critical; windows the sixth that they have
//!   whenever live facts wait. What they add up is then what is critical, for the rest has added nothing yet.
//!
//! Two replicas that see the storm begin a moment apart do no harm: what is owed is written with the facts that it is owed to.

pub mod command;
pub mod hysteresis;
mod instance;
pub mod monitor;
mod report;
mod seen;

pub use instance::Instance;
pub use seen::Seen;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::storm::{Mode, StormState};
use tokio_util::sync::CancellationToken;

/// What was measured longer ago than this does not tell how it is now: nobody measures, and the line works as in calm.
const STALE: Duration = Duration::from_secs(60);
/// How often those look who wait for calm.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// In a storm, one part of the time in so many is for what can wait.
const SHARE: u32 = 10;
/// However long something took, its next turn comes after at most this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Whether this process behaves as in a storm. Cheap to clone and to ask.
#[derive(Debug, Clone, Default)]
pub struct Storm {
    on: Arc<AtomicBool>,
}

impl Storm {
    /// Whether there is one.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        self.on.store(mode == Mode::Storm, Ordering::Relaxed);
    }

    /// How it behaves.
    pub fn mode(&self) -> Mode {
        if self.is_on() {
            Mode::Storm
        } else {
            Mode::Calm
        }
    }

    /// Waits until it is over, or for so long. False when asked to stop.
    pub async fn wait_for_calm(&self, at_most: Duration, stop: &CancellationToken) -> bool {
        let latest = tokio::time::Instant::now() + at_most;
        while self.is_on() && tokio::time::Instant::now() < latest {
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        !stop.is_cancelled()
    }

    /// How long what can wait leaves the machine alone after having worked for so long; `every`: in calm. `critical`: it cannot wait.
    pub fn pause_after(&self, worked: Duration, every: Duration, critical: bool) -> Duration {
        if !self.is_on() || critical {
            return every;
        }
        let share = worked.saturating_mul(SHARE - 1);
        share.clamp(every, PAUSE_MAX.max(every))
    }
}

/// The mode that holds: what was ordered, else what was measured lately, else calm.
pub fn effective(state: &StormState) -> Mode {
    if let Some(order) = state.order
        && order.until.is_none_or(|until| until > state.now)
    {
        return order.mode;
    }
    let stale = i64::try_from(STALE.as_micros()).unwrap_or(i64::MAX);
    let fresh = state
        .observed_at
        .is_some_and(|at| state.now.0.saturating_sub(at.0) <= stale);
    if fresh { state.mode } else { Mode::Calm }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::UtcMicros;
    use store::deferred::Backlog;
    use store::storm::Order;

    fn measured(mode: Mode, seconds_ago: i64) -> StormState {
        let now = UtcMicros(1_000_000_000_000);
        StormState {
            now,
            mode,
            since: UtcMicros(0),
            turning_since: None,
            observed_at: Some(UtcMicros(now.0 - seconds_ago * 1_000_000)),
            waiting_messages: 0,
            waiting_facts: 0,
            oldest_seconds: None,
            reason: String::new(),
            deferred: Backlog::default(),
            order: None,
        }
    }

    #[test]
    fn what_nobody_measures_any_more_is_no_storm() {
        assert_eq!(effective(&measured(Mode::Storm, 60)), Mode::Storm);
        assert_eq!(effective(&measured(Mode::Storm, 61)), Mode::Calm);
        let never = StormState {
            observed_at: None,
            ..measured(Mode::Storm, 0)
        };
        assert_eq!(effective(&never), Mode::Calm);
    }

    #[test]
    fn an_order_goes_first_until_it_ends() {
        for (measured_mode, ordered) in [(Mode::Calm, Mode::Storm), (Mode::Storm, Mode::Calm)] {
            let mut state = measured(measured_mode, 3600);
            let order = |until| Order {
                mode: ordered,
                at: UtcMicros(0),
                until,
            };
            state.order = Some(order(None));
            assert_eq!(effective(&state), ordered, "although nobody measures");
            state.observed_at = Some(state.now);
            state.order = Some(order(Some(UtcMicros(state.now.0 + 1))));
            assert_eq!(effective(&state), ordered);
            state.order = Some(order(Some(state.now)));
            assert_eq!(effective(&state), measured_mode);
        }
    }

    #[test]
    fn what_can_wait_takes_a_tenth_of_the_time_in_a_storm() {
        let storm = Storm::default();
        let (every, second) = (Duration::from_millis(200), Duration::from_secs(1));
        assert_eq!(storm.pause_after(second, every, false), every);
        storm.set(Mode::Storm);
        assert_eq!(storm.pause_after(second, every, false), second * 9);
        assert_eq!(storm.pause_after(second, every, true), every);
        assert_eq!(storm.pause_after(Duration::ZERO, every, false), every);
        assert_eq!(storm.pause_after(second * 60, every, false), PAUSE_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_calm_does_not_wait_for_ever() {
        let (storm, stop) = (Storm::default(), CancellationToken::new());
        storm.set(Mode::Storm);
        let began = tokio::time::Instant::now();
        assert!(storm.wait_for_calm(Duration::from_secs(60), &stop).await);
        assert!(began.elapsed() >= Duration::from_secs(60));
        stop.cancel();
        assert!(!storm.wait_for_calm(Duration::from_secs(60), &stop).await);
    }
}
