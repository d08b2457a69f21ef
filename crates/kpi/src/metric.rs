//! The metrics by name, and what they have in common.

pub mod adjusted_aht;
pub mod handle_time;
pub mod hold_time;
pub mod queue_wait;
pub mod talk_time;
pub mod wrap_time;

use crate::rules::Rules;
use crate::value::{Metadata, MetricValue, Provenance, Reason, Scope};
use schema::{DurationKind, MetricVersion, Millis};
use session::{DurationFact, Timeline};

/// The names of all metrics, in the order in which [`evaluate`] gives them.
pub const METRICS: [&str; 6] = [
    adjusted_aht::NAME,
    handle_time::NAME,
    talk_time::NAME,
    hold_time::NAME,
    wrap_time::NAME,
    queue_wait::NAME,
];

/// What one metric makes of a timeline that reached a terminal state.
struct Measured {
    value: Result<Millis, Reason>,
    metadata: Metadata,
    /// Whether local time was resolved.
    zoned: bool,
}

type Measure = fn(&Timeline<'_>, &Rules) -> Measured;

const MEASURES: [Measure; METRICS.len()] = [
    adjusted_aht::measure,
    handle_time::measure,
    talk_time::measure,
    hold_time::measure,
    wrap_time::measure,
    queue_wait::measure,
];

/// Appends the value of every metric to `out`; nothing before a terminal state.
///
/// An overfull session has no values, whatever its state, and neither has one that a revision reopened: every metric is absent
/// with that reason, so that values that were given before do not stand.
pub fn evaluate(
    timeline: &Timeline<'_>,
    rules: &Rules,
    version: MetricVersion,
    out: &mut Vec<MetricValue>,
) {
    evaluate_only(&METRICS, timeline, rules, version, out);
}

/// Like [`evaluate`], for some of the metrics. Names that no metric has are passed over.
pub fn evaluate_only(
    metrics: &[&str],
    timeline: &Timeline<'_>,
    rules: &Rules,
    version: MetricVersion,
    out: &mut Vec<MetricValue>,
) {
    let Some(timestamp) = timeline.start() else {
        return;
    };
    let outcome = timeline.outcome_name();
    let withheld = match (timeline.is_overfull(), timeline.is_reopened()) {
        (true, _) => Some(Reason::OverfullSession),
        (false, true) => Some(Reason::Reopened),
        (false, false) => None,
    };
    if outcome.is_none() && withheld.is_none() {
        return;
    }
    let wanted = METRICS
        .into_iter()
        .zip(MEASURES)
        .filter(|(name, _)| metrics.contains(name));
    let agent = timeline.first_agent().map(|(agent, _)| &agent.id);
    for (metric, measure) in wanted {
        let Measured {
            value,
            mut metadata,
            zoned,
        } = match withheld {
            Some(reason) => Measured::absent(reason),
            None => measure(timeline, rules),
        };
        metadata.outcome = outcome;
        if let Err(reason) = value {
            metadata.reason = Some(reason);
        }
        out.push(MetricValue {
            metric,
            version,
            scope: Scope::Interaction,
            value: value.ok().map(Millis::as_seconds),
            timestamp,
            agent: agent.cloned(),
            queue: timeline.queue().cloned(),
            metadata,
            provenance: Provenance {
                rules: rules.version.0,
                tzdb: zoned.then_some(timezone::TZDB_VERSION),
            },
        });
    }
}

impl Measured {
    fn of(value: Millis, metadata: Metadata) -> Self {
        Self {
            value: Ok(value),
            metadata,
            zoned: false,
        }
    }

    fn absent(reason: Reason) -> Self {
        Self {
            value: Err(reason),
            metadata: Metadata::default(),
            zoned: false,
        }
    }

    fn implausible(stated: Millis) -> Self {
        let metadata = Metadata {
            stated_ms: Some(stated.0),
            ..Metadata::default()
        };
        Self {
            value: Err(Reason::ImplausibleDuration),
            metadata,
            zoned: false,
        }
    }

    /// A metric that is one kind of duration, as it was stated.
    fn stated(timeline: &Timeline<'_>, kind: DurationKind) -> Self {
        match timeline.duration(kind) {
            Some(DurationFact::Stated(duration)) => Self::of(duration, Metadata::default()),
            Some(DurationFact::Implausible(stated)) => Self::implausible(stated),
            None => Self::absent(Reason::NotStated),
        }
    }
}

/// The sum of some kinds of duration.
enum Sum {
    /// The sum of those that were stated, and the names of those that were not.
    Stated(Millis, Vec<DurationKind>),
    /// One of them is implausible.
    Implausible(Millis),
}

fn sum(timeline: &Timeline<'_>, kinds: &[DurationKind]) -> Sum {
    let (mut total, mut missing) = (Millis::ZERO, Vec::new());
    for kind in kinds {
        match timeline.duration(*kind) {
            // Each is bounded by the facts of a session times 400 days: the sum fits, and saturates were it otherwise.
            Some(DurationFact::Stated(duration)) => {
                total = Millis(total.0.saturating_add(duration.0));
            }
            Some(DurationFact::Implausible(stated)) => return Sum::Implausible(stated),
            None => missing.push(*kind),
        }
    }
    Sum::Stated(total, missing)
}
