//! How many conversations began in a chunk, as the platform counts them: asked for once for many chunks, where they are whole hours or days.

use super::Details;
use crate::sources::parts::Part;
use crate::sources::{Ask, Fault, Step};
use platform::history::genesys::{Aggregate, Aggregates};
use schema::UtcMicros;
use std::collections::BTreeMap;
use store::platform_counts::{self, Count, Stretch};

/// What is counted: the name at the platform, and the one in `platform_counts`.
const METRIC: &str = "nConversations";
const MEASURE: &str = "conversations";
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Counts asked for in one request.
const AT_ONCE: i64 = 30;
/// So long after its end nothing is moved in a stretch any more but by the nightly revisions, which add and take away no conversations.
const AT_REST: i64 = 2 * DAY;

/// Everything is fetched; says how much that should be.
pub(super) async fn step(details: &Details, ask: &Ask<'_>) -> Result<Step, Fault> {
    let expected = if details.counted {
        expected(ask).await?
    } else {
        None
    };
    Ok(Step::Done { expected })
}

async fn expected(ask: &Ask<'_>) -> Result<Option<i64>, Fault> {
    let chunk = Part {
        from: ask.chunk.from,
        to: ask.chunk.to,
    };
    // What was counted for a neighbour is as old as its history is: only an operator's job is about what rests.
    let many = ask.chunk.reopened == 0 && is_at_rest(ask);
    if many && let Some(known) = known(ask, chunk).await? {
        return Ok(Some(known));
    }
    let (stretch, granularity) = if many {
        widened(
            chunk,
            at_rest_until(ask.job.to.unwrap_or(chunk.to), ask.now),
        )
    } else {
        (chunk, None)
    };
    let genesys = ask.genesys().await?;
    let asked = Aggregates {
        from: stretch.from,
        to: stretch.to,
        granularity,
        zone: None,
        group_by: &[],
        metrics: &[METRIC],
        filter: None,
    };
    let counts = match ask.answer(genesys.aggregates(asked)).await {
        Ok(found) => by_interval(&found),
        // The records are here; that nobody counts them is no reason not to have them.
        Err(
            Fault::Refused { why }
            | Fault::TooMuch { why }
            | Fault::Unfit { why }
            | Fault::Gone { why },
        ) => {
            tracing::warn!(
                platform = ask.platform.name,
                why,
                "the platform does not count, so nothing is compared with what arrives"
            );
            return Ok(None);
        }
        Err(fault) => return Err(fault),
    };
    if granularity.is_none() {
        return Ok(Some(counts.values().sum()));
    }
    // An interval without conversations is left out by the platform.
    let length = chunk.to.0 - chunk.from.0;
    let parts = stretch.pieces(std::time::Duration::from_micros(
        u64::try_from(length).unwrap_or(1),
    ));
    let client = ask.store.client().await.map_err(Fault::store)?;
    for part in parts {
        let count = counts.get(&part.from).copied().unwrap_or(0);
        let row = Count {
            scope: String::new(),
            value: float(count),
        };
        platform_counts::put(&client, &of(ask, part), &[row])
            .await
            .map_err(Fault::store)?;
    }
    Ok(Some(counts.get(&chunk.from).copied().unwrap_or(0)))
}

fn is_at_rest(ask: &Ask<'_>) -> bool {
    ask.now.0.saturating_sub(ask.chunk.to.0) >= AT_REST
}

/// How far of a job's time is at rest. What still fills is counted when its turn comes.
fn at_rest_until(end: UtcMicros, now: UtcMicros) -> UtcMicros {
    end.min(UtcMicros(now.0.saturating_sub(AT_REST)))
}

/// The chunk with those behind it, and the granularity that tells them apart.
fn widened(chunk: Part, end: UtcMicros) -> (Part, Option<&'static str>) {
    let length = chunk.to.0 - chunk.from.0;
    let granularity = match length {
        HOUR => "PT1H",
        DAY => "P1D",
        _ => return (chunk, None),
    };
    if chunk.from.0.rem_euclid(length) != 0 {
        return (chunk, None);
    }
    let room = end.0.saturating_sub(chunk.from.0) / length;
    let to = UtcMicros(chunk.from.0 + room.clamp(1, AT_ONCE) * length);
    (Part { to, ..chunk }, Some(granularity))
}

async fn known(ask: &Ask<'_>, chunk: Part) -> Result<Option<i64>, Fault> {
    let client = ask.store.client().await.map_err(Fault::store)?;
    let since = UtcMicros(chunk.to.0.saturating_add(AT_REST));
    let counts = platform_counts::get(&client, &of(ask, chunk), since)
        .await
        .map_err(Fault::store)?;
    let count = counts.first();
    Ok(count.map(|count| whole(count.value)))
}

fn of<'a>(ask: &Ask<'a>, part: Part) -> Stretch<'a> {
    Stretch {
        tenant: ask.platform.tenant.as_str(),
        platform: &ask.platform.name,
        measure: MEASURE,
        from: part.from,
        to: part.to,
    }
}

fn by_interval(found: &[Aggregate]) -> BTreeMap<UtcMicros, i64> {
    let mut counts = BTreeMap::new();
    for one in found.iter().filter(|one| one.metric == METRIC) {
        *counts.entry(one.from).or_default() += whole(one.stats.count.unwrap_or_default());
    }
    counts
}

#[allow(clippy::cast_possible_truncation)] // counts of conversations are far below 2^53
fn whole(value: f64) -> i64 {
    value.round() as i64
}

#[allow(clippy::cast_precision_loss)] // as above
fn float(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::history::genesys::Stats;

    #[test]
    fn whole_days_are_counted_for_those_behind_it_too() {
        let day = |n: i64| UtcMicros(n * DAY);
        let chunk = Part {
            from: day(3),
            to: day(4),
        };
        let wide = |end| widened(chunk, day(end));
        assert_eq!(
            wide(90),
            (
                Part {
                    to: day(33),
                    ..chunk
                },
                Some("P1D")
            )
        );
        assert_eq!(
            wide(5),
            (
                Part {
                    to: day(5),
                    ..chunk
                },
                Some("P1D")
            )
        );
        assert_eq!(wide(4), (chunk, Some("P1D")));
        // Half a day into the ninth day: nothing of the seventh and later counts yet.
        let end = at_rest_until(day(90), UtcMicros(8 * DAY + DAY / 2));
        assert_eq!(widened(chunk, end).0.to, day(6));
        let odd = Part {
            from: UtcMicros(1),
            to: UtcMicros(1 + DAY),
        };
        assert_eq!(widened(odd, day(90)), (odd, None));
    }

    #[test]
    fn counts_are_told_apart_by_their_interval() {
        let one = |day: i64, metric: &str, count| Aggregate {
            group: BTreeMap::new(),
            from: UtcMicros(day * DAY),
            to: UtcMicros((day + 1) * DAY),
            metric: metric.to_owned(),
            qualifier: None,
            stats: Stats {
                count: Some(count),
                ..Stats::default()
            },
        };
        let found = [
            one(1, METRIC, 5.0),
            one(1, "tTalk", 9.0),
            one(2, METRIC, 7.0),
        ];
        let counts = by_interval(&found);
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [5, 7]);
        assert!(by_interval(&[]).is_empty());
    }
}
