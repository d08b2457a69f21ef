//! Which KPI of ours is laid beside which measure of the platform's.

use reconcile::Measure;
use std::collections::{BTreeMap, BTreeSet};
use store::definitions::{Status, StoredDefinition};
use store::reconciliation::ours::By;

/// What of a window is the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// The sum of its values: of counts a count, of times milliseconds.
    Sum,
    /// How many values there are.
    Count,
}

/// One measure and the KPI that says the same of our numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Of agents or of queues.
    pub by: By,
    /// The platform's.
    pub measure: Measure,
    /// Ours.
    pub metric: String,
    /// What of it.
    pub takes: Takes,
}

/// The KPIs that ship and mean the same. Of queues hold, talk and wrap-up are those of the legs that belong to the queue.
const USUAL: [(By, Measure, &str, Takes); 14] = [
    (By::Agent, Measure::Handled, "leg_handle_time", Takes::Count),
    (By::Agent, Measure::Talk, "leg_talk_time", Takes::Sum),
    (By::Agent, Measure::Hold, "leg_hold_time", Takes::Sum),
    (By::Agent, Measure::Wrap, "leg_wrap_time", Takes::Sum),
    (By::Agent, Measure::Handle, "leg_handle_time", Takes::Sum),
    (By::Agent, Measure::LoggedIn, "logged_in_time", Takes::Sum),
    (By::Agent, Measure::OnQueue, "on_queue_time", Takes::Sum),
    (By::Queue, Measure::Offered, "offered", Takes::Sum),
    (
        By::Queue,
        Measure::Answered,
        "speed_of_answer",
        Takes::Count,
    ),
    (By::Queue, Measure::Abandoned, "abandoned", Takes::Sum),
    (By::Queue, Measure::Handled, "leg_handle_time", Takes::Count),
    (By::Queue, Measure::Talk, "leg_talk_time", Takes::Sum),
    (By::Queue, Measure::Hold, "leg_hold_time", Takes::Sum),
    (By::Queue, Measure::Handle, "leg_handle_time", Takes::Sum),
];

/// The pairs, with these KPIs in the place of the usual ones.
#[must_use]
pub fn pairs(instead: &[(Measure, String)]) -> Vec<Pair> {
    let of = |(by, measure, metric, takes): (By, Measure, &str, Takes)| {
        let other = instead.iter().rev().find(|(of, _)| *of == measure);
        Pair {
            by,
            measure,
            metric: other.map_or_else(|| metric.to_owned(), |(_, name)| name.clone()),
            takes,
        }
    };
    USUAL.into_iter().map(of).collect()
}

/// The version of each KPI that is looked at: what readers see, else the newest that is computed. Without those that nobody switched on.
#[must_use]
pub fn versions(
    pairs: &[Pair],
    definitions: &[StoredDefinition],
) -> BTreeMap<String, schema::MetricVersion> {
    let names: BTreeSet<&str> = pairs.iter().map(|pair| pair.metric.as_str()).collect();
    let mut found = BTreeMap::new();
    for name in names {
        let of_name = || definitions.iter().filter(|one| one.name == name);
        let current = of_name().find(|one| one.status == Status::Current);
        let computed = of_name().filter(|one| one.status.is_switched_on());
        if let Some(one) = current.or_else(|| computed.max_by_key(|one| one.version)) {
            found.insert(name.to_owned(), one.version);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_kpi_takes_the_place_of_the_usual_one() {
        let asked = [(Measure::Handle, "adjusted_aht".to_owned())];
        let pairs = pairs(&asked);
        let handle = pairs
            .iter()
            .filter(|pair| pair.measure == Measure::Handle)
            .map(|pair| pair.metric.as_str())
            .collect::<Vec<_>>();
        assert_eq!(handle, ["adjusted_aht", "adjusted_aht"]);
        assert!(pairs.iter().any(|pair| pair.metric == "leg_handle_time"));
    }
}
