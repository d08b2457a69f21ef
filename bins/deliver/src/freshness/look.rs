//! The evidence of one look, out of the store and the queues. What belongs to the whole line is read once for all platforms.

use super::counts;
use super::feeds::Feeds;
use super::file::Watched;
use super::queues::Depths;
use freshness::health::{Said, Word};
use freshness::{Evidence, Marks, Seen, Storm};
use schema::UtcMicros;
use std::time::Duration;
use store::freshness::evidence;
use store::storm::{self, Mode, StormState};
use store::{Client, StoreError, platform_health, subscriptions};

/// What compute measured longer ago says nothing of now.
const MEASURED_WITHIN: Duration = Duration::from_secs(30);
/// Marks about a time before this are of the past: a backfill's, say.
const NEWEST: Duration = Duration::from_secs(86_400);
/// A platform's word is forgotten when it is older than so many of its turns.
const TURNS: u32 = 5;

/// What is known of the whole line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Up to when everything received is worked off; none: nobody says.
    pub(super) worked_off: Option<UtcMicros>,
    /// What waits; none: the broker does not say.
    pub(super) depths: Option<Depths>,
    /// What compute measured.
    pub(super) weather: StormState,
}

impl Line {
    /// Reads it.
    pub(super) async fn read(client: &Client, depths: Option<Depths>) -> Result<Self, StoreError> {
        Ok(Self {
            worked_off: subscriptions::worked_off(client).await?,
            depths,
            weather: storm::read(client).await?,
        })
    }

    /// How long what was received last waits until it is processed: for ingest, and then for compute.
    fn waits(&self) -> Seen<Duration> {
        let now = self.weather.now;
        let to_ingest = self.worked_off.map(|at| passed(at, now));
        let lately = self
            .weather
            .observed_at
            .filter(|at| passed(*at, now) <= MEASURED_WITHIN);
        let to_compute = match (lately, self.weather.observed_at, self.depths) {
            (Some(_), _, _) => Some(self.weather.oldest_seconds.unwrap_or(0.0)),
            // Nobody takes anything, and something is there to be taken: for as long as that.
            (None, Some(at), Some(depths)) if depths.facts > 0 => {
                Some(passed(at, now).as_secs_f64())
            }
            (None, _, Some(depths)) if depths.facts == 0 => Some(0.0),
            (None, _, _) => None,
        };
        let to_compute =
            to_compute.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
        match (to_ingest, to_compute) {
            (Some(ingest), Some(compute)) => Seen::Known(ingest.saturating_add(compute)),
            // What one of them says is enough to be alarmed by, and not to be calmed by.
            (Some(_), None) => Seen::Unknown,
            (None, Some(compute)) => Seen::Known(compute),
            (None, None) => Seen::Unwatched,
        }
    }

    fn queue(&self) -> Seen<u64> {
        self.depths
            .map_or(Seen::Unknown, |depths| Seen::Known(depths.all))
    }

    /// A person's order goes before what was measured, as it does for compute.
    fn stormy(&self) -> bool {
        let weather = &self.weather;
        let ordered = weather
            .order
            .filter(|order| order.until.is_none_or(|until| until > weather.now));
        let lately = weather
            .observed_at
            .is_some_and(|at| passed(at, weather.now) <= MEASURED_WITHIN);
        match ordered {
            Some(order) => order.mode == Mode::Storm,
            None => lately && weather.mode == Mode::Storm,
        }
    }
}

/// Everything that is known of a platform.
pub(super) async fn look(
    client: &Client,
    watched: &Watched,
    line: &Line,
    feeds: &mut Feeds,
) -> Result<Evidence, StoreError> {
    let now = line.weather.now;
    let tenant = watched.tenant.as_str();
    let of_platform = feeds.of(client, watched, line.worked_off, now).await?;
    let newest = UtcMicros(now.0.saturating_sub(micros(NEWEST)));
    let windows = evidence::waiting(client, tenant, newest).await?;
    let owed = evidence::owed(client, tenant).await?;
    let counted = counts::of(client, watched, now).await?;
    Ok(Evidence {
        now,
        feeds: Seen::Known(of_platform),
        line: line.waits(),
        queue: line.queue(),
        windows: Seen::Known(windows.map(|waiting| Marks {
            count: unsigned(waiting.marks),
            since: waiting.since,
            from: waiting.from,
        })),
        storm: Seen::Known(Storm {
            active: line.stormy(),
            owed: owed.map_or(0, |owed| unsigned(owed.interactions)),
            from: owed.map(|owed| owed.from).or(Some(line.weather.since)),
        }),
        counts: if counted.is_empty() {
            Seen::Unwatched
        } else {
            Seen::Known(counted)
        },
        health: health(client, watched, now).await?,
    })
}

/// The platform's last word, for as long as it holds.
async fn health(
    client: &Client,
    watched: &Watched,
    now: UtcMicros,
) -> Result<Seen<Said>, StoreError> {
    let Some(source) = &watched.health else {
        return Ok(Seen::Unwatched);
    };
    let Some(known) = platform_health::get(client, &watched.tenant, &watched.name).await? else {
        return Ok(Seen::Unwatched);
    };
    let holds = known
        .answered_at
        .is_some_and(|at| passed(at, now) <= source.every * TURNS);
    let word = known.word.as_deref().and_then(Word::parse);
    Ok(match word {
        // That a status page is away is no maintenance, and none that it had told of.
        Some(word) if holds => Seen::Known(Said::new(word, &known.said)),
        _ => Seen::Unwatched,
    })
}

/// From one instant to another; nothing where a clock was ahead.
fn passed(from: UtcMicros, to: UtcMicros) -> Duration {
    Duration::from_micros(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or_default())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::deferred::Backlog;
    use store::storm::Order;

    const NOW: UtcMicros = UtcMicros(1_000_000_000_000);

    fn ago(seconds: i64) -> UtcMicros {
        UtcMicros(NOW.0 - seconds * 1_000_000)
    }

    fn line(worked_off: Option<i64>, observed: Option<i64>, facts: Option<u64>) -> Line {
        Line {
            worked_off: worked_off.map(ago),
            depths: facts.map(|facts| Depths {
                all: facts + 1,
                facts,
            }),
            weather: StormState {
                now: NOW,
                mode: Mode::Calm,
                since: ago(5_000),
                turning_since: None,
                observed_at: observed.map(ago),
                waiting_messages: 0,
                waiting_facts: 0,
                oldest_seconds: Some(7.0),
                reason: String::new(),
                deferred: Backlog::default(),
                order: None,
            },
        }
    }

    #[test]
    fn what_waits_waits_for_ingest_and_then_for_compute() {
        let waits = |worked_off, observed, facts| line(worked_off, observed, facts).waits();
        let known = |seconds| Seen::Known(Duration::from_secs(seconds));
        assert_eq!(waits(Some(3), Some(2), Some(0)), known(10));
        // compute is gone: nothing waits, something does, nobody says.
        assert_eq!(waits(Some(3), Some(90), Some(0)), known(3));
        assert_eq!(waits(Some(3), Some(90), Some(5)), known(93));
        assert_eq!(waits(Some(3), Some(90), None), Seen::Unknown);
        // ingest watches over nothing.
        assert_eq!(waits(None, Some(2), None), known(7));
        assert_eq!(waits(None, None, None), Seen::Unwatched);
        assert_eq!(
            waits(Some(-5), Some(2), Some(0)),
            known(7),
            "a clock that is ahead"
        );
        assert_eq!(line(None, None, None).queue(), Seen::Unknown);
        assert_eq!(line(None, None, Some(4)).queue(), Seen::Known(5));
    }

    #[test]
    fn a_storm_is_one_that_was_measured_lately_or_ordered() {
        let mut measured = line(None, Some(2), None);
        assert!(!measured.stormy());
        measured.weather.mode = Mode::Storm;
        assert!(measured.stormy());
        measured.weather.observed_at = Some(ago(31));
        assert!(!measured.stormy());
        let order = |mode, until| {
            Some(Order {
                mode,
                at: ago(100),
                until,
            })
        };
        measured.weather.order = order(Mode::Storm, None);
        assert!(measured.stormy());
        measured.weather.order = order(Mode::Storm, Some(ago(1)));
        assert!(!measured.stormy());
        measured.weather.observed_at = Some(ago(1));
        measured.weather.order = order(Mode::Calm, None);
        assert!(!measured.stormy());
    }
}
