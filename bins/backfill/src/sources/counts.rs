//! How many interactions began in intervals, as the platform counts them: no history, a few numbers.

use super::call::{self, Caller};
use super::outcome::Fault;
use crate::platforms::{CxoneSettings, Kind, Platform};
use crate::source::Vendor;
use platform::history::HistoryError;
use platform::history::cxone::Cxone;
use platform::history::genesys::{Aggregate, Aggregates, Genesys};
use schema::UtcMicros;
use std::collections::BTreeMap;

const METRIC: &str = "nConversations";
const HOUR_MINUTES: i64 = 60;
const MINUTE: i64 = 60_000_000;

/// Intervals of one length, one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intervals {
    pub(crate) from: UtcMicros,
    pub(crate) to: UtcMicros,
    /// Microseconds of each, whole minutes.
    pub(crate) length: i64,
}

impl Intervals {
    pub(crate) fn each(self) -> impl Iterator<Item = (UtcMicros, UtcMicros)> {
        let step = usize::try_from(self.length.max(MINUTE)).unwrap_or(usize::MAX);
        (self.from.0..self.to.0)
            .step_by(step)
            .map(move |from| (UtcMicros(from), UtcMicros(from + self.length)))
    }
}

/// What is counted, by its name in `platform_counts`. Genesys counts conversations, ended or not; CXone counts contacts, which are legs, once they
/// have ended.
pub(crate) const fn measure(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Genesys => "conversations",
        Vendor::Cxone => "contacts",
    }
}

/// Whether one request brings the counts of many intervals.
pub(crate) const fn at_once(vendor: Vendor) -> bool {
    matches!(vendor, Vendor::Genesys)
}

/// The platform's count of each of these intervals, in their order.
pub(crate) async fn counted(
    platform: &Platform,
    caller: &Caller,
    asked: Intervals,
) -> Result<Vec<(UtcMicros, UtcMicros, u64)>, Fault> {
    match &platform.kind {
        Kind::Genesys(_) => genesys(caller, asked).await,
        Kind::Cxone(settings) => cxone(caller, settings, asked).await,
    }
}

async fn genesys(
    caller: &Caller,
    asked: Intervals,
) -> Result<Vec<(UtcMicros, UtcMicros, u64)>, Fault> {
    let genesys = Genesys::new(caller.api().await?);
    let granularity = match asked.length / MINUTE {
        HOUR_MINUTES => "PT1H".to_owned(),
        minutes => format!("PT{minutes}M"),
    };
    let found = answered(
        caller,
        genesys.aggregates(Aggregates {
            from: asked.from,
            to: asked.to,
            granularity: Some(&granularity),
            zone: None,
            group_by: &[],
            metrics: &[METRIC],
            filter: None,
        }),
    )
    .await?;
    let counts = by_interval(&found);
    // An interval without any conversation is left out by the platform.
    let count = |from: UtcMicros| counts.get(&from).copied().unwrap_or(0);
    Ok(asked
        .each()
        .map(|(from, to)| (from, to, count(from)))
        .collect())
}

async fn cxone(
    caller: &Caller,
    settings: &CxoneSettings,
    asked: Intervals,
) -> Result<Vec<(UtcMicros, UtcMicros, u64)>, Fault> {
    let cxone = Cxone::new(caller.api().await?, settings.api_version);
    let mut counts = Vec::new();
    for (from, to) in asked.each() {
        let count = answered(caller, cxone.contacts_total(from, to)).await?;
        counts.push((from, to, count));
    }
    Ok(counts)
}

async fn answered<T>(
    caller: &Caller,
    call: impl Future<Output = Result<T, HistoryError>>,
) -> Result<T, Fault> {
    let outcome = caller.ask(call).await?;
    outcome.map_err(|error| call::fault(&error))
}

fn by_interval(found: &[Aggregate]) -> BTreeMap<UtcMicros, u64> {
    let mut counts = BTreeMap::new();
    for one in found.iter().filter(|one| one.metric == METRIC) {
        *counts.entry(one.from).or_default() += whole(one.stats.count.unwrap_or_default());
    }
    counts
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts of conversations are far below 2^53
fn whole(count: f64) -> u64 {
    count.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::history::genesys::Stats;

    #[test]
    fn intervals_are_one_behind_the_other() {
        let asked = Intervals {
            from: UtcMicros(0),
            to: UtcMicros(30 * MINUTE),
            length: 15 * MINUTE,
        };
        let quarter = |nth: i64| UtcMicros(nth * 15 * MINUTE);
        assert_eq!(
            asked.each().collect::<Vec<_>>(),
            [(quarter(0), quarter(1)), (quarter(1), quarter(2))]
        );
    }

    #[test]
    fn counts_of_media_types_and_other_groups_add_up() {
        let one = |from: i64, metric: &str, count| Aggregate {
            group: BTreeMap::new(),
            from: UtcMicros(from),
            to: UtcMicros(from + 1),
            metric: metric.to_owned(),
            qualifier: None,
            stats: Stats {
                count: Some(count),
                ..Stats::default()
            },
        };
        let found = [
            one(0, METRIC, 3.0),
            one(0, METRIC, 4.0),
            one(0, "nOffered", 9.0),
            one(1, METRIC, 5.0),
        ];
        let counts: Vec<u64> = by_interval(&found).into_values().collect();
        assert_eq!(counts, [7, 5]);
    }
}
