//! What is stored in the stretches that were computed again.

use super::row::{Change, Covered, Key, KeyColumns, WindowRow};
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::Millis;
use tokio_postgres::Row;

// One range of the primary key a stretch. The bounds over all stretches let the months be cut down before it starts.
pub(super) static FOUND: Sql = Sql {
    step: "look for window_metrics",
    text: "SELECT c.n, w.* \
           FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], \
                       $9::timestamptz[]) \
                WITH ORDINALITY AS c (metric_type, metric_version, group_by, size, group_key, from_at, to_at, since, n) \
           CROSS JOIN LATERAL (SELECT window_start, window_end, zone, zone_source, queue_id, media, direction, agent_id, team, platform, \
                                      attributes::text, items, numerator, denominator, scale, minimum, maximum, percentiles::text, \
                                      value, unit, settles_at \
                               FROM window_metrics w \
                               WHERE w.tenant = $1 AND w.metric_type = c.metric_type AND w.metric_version = c.metric_version \
                                 AND w.group_by = c.group_by AND w.size = c.size AND w.group_key = c.group_key \
                                 AND w.window_start > c.since AND w.window_start < c.to_at AND w.window_end > c.from_at \
                                 AND w.window_start > $10 AND w.window_start < $11 OFFSET 0) w",
};

/// Stored rows that reach into covered stretches.
pub(super) struct Found<'c> {
    /// Sorted by key; none touches another.
    stretches: Vec<Covered<'c>>,
    /// Sorted by key, each once.
    rows: Vec<(Key<'c>, Row)>,
}

/// What a row to be written is, beside those that are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It is not stored.
    New,
    /// It is stored as it is.
    None,
    /// Anything else: it differs, or was not looked for.
    Unknown,
}

impl<'c> Found<'c> {
    /// Looks for them.
    pub(super) async fn of(
        tx: &Transaction<'_>,
        tenant: &str,
        covered: &[Covered<'c>],
    ) -> Result<Self, StoreError> {
        let stretches = joined(covered);
        let mut rows = Vec::new();
        let (Some(first), Some(last)) = (
            stretches.iter().map(since).min(),
            stretches.iter().map(|stretch| stretch.to).max(),
        ) else {
            return Ok(Self { stretches, rows });
        };
        let starts: Vec<Key<'c>> = stretches.iter().map(|it| it.key(it.from)).collect();
        let keys = KeyColumns::of(&starts);
        let to: Vec<Instant> = stretches.iter().map(|it| Instant(it.to)).collect();
        let since: Vec<Instant> = stretches.iter().map(|it| Instant(since(it))).collect();
        let params: sql::Params<'_> = &[
            &tenant,
            &keys.metric_type,
            &keys.metric_version,
            &keys.group_by,
            &keys.size,
            &keys.group_key,
            &keys.window_start,
            &to,
            &since,
            &Instant(first),
            &Instant(last),
        ];
        for row in sql::query(tx, &FOUND, params).await? {
            let number: i64 = sql::get(&row, &FOUND, 0)?;
            let stretch = usize::try_from(number - 1)
                .ok()
                .and_then(|number| stretches.get(number))
                .ok_or(StoreError::Vanished { step: FOUND.step })?;
            let key = stretch.key(sql::get::<Instant>(&row, &FOUND, 1)?.0);
            rows.push((key, row));
        }
        // A window may reach into two stretches.
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows.dedup_by_key(|(key, _)| *key);
        Ok(Self { stretches, rows })
    }

    /// What writing this row would do.
    pub(super) fn news(&self, row: &WindowRow<'_>) -> Result<News, StoreError> {
        let key = row.key();
        if let Ok(at) = self.rows.binary_search_by(|(known, _)| known.cmp(&key)) {
            let same = is_same(row, &self.rows[at].1)?;
            return Ok(if same { News::None } else { News::Unknown });
        }
        let before = self
            .stretches
            .partition_point(|stretch| stretch.key(stretch.from) <= key);
        let stretch = before.checked_sub(1).and_then(|at| self.stretches.get(at));
        let looked_for = stretch.is_some_and(|stretch| key < stretch.key(stretch.to));
        Ok(if looked_for { News::New } else { News::Unknown })
    }

    /// The row of this key, as one that is deleted.
    pub(super) fn gone(&self, key: &Key<'c>) -> Result<Change<'c>, StoreError> {
        let at = self.rows.binary_search_by(|(known, _)| known.cmp(key));
        let (_, row) = at
            .ok()
            .and_then(|at| self.rows.get(at))
            .ok_or(StoreError::Vanished { step: FOUND.step })?;
        Ok(Change::Removed {
            metric_type: key.0,
            metric_version: key.1,
            group_key: key.4,
            window_start: key.5,
            zone: sql::get(row, &FOUND, 3)?,
        })
    }

    /// The keys that are not among those of these rows, which are sorted by key.
    pub(super) fn but(&self, kept: &[&WindowRow<'_>]) -> impl Iterator<Item = &Key<'c>> {
        let keys = self.rows.iter().map(|(key, _)| key);
        keys.filter(|key| kept.binary_search_by(|row| row.key().cmp(key)).is_err())
    }
}

/// Whether all columns are the same but the version of the zone data. What is not certain, such as JSON that is written in another way, is
/// not: the server compares those once more.
fn is_same(row: &WindowRow<'_>, stored: &Row) -> Result<bool, StoreError> {
    let instant = |column| sql::get::<Instant>(stored, &FOUND, column).map(|at| at.0);
    let text = |column| sql::get::<Option<&str>>(stored, &FOUND, column);
    let count = |column| sql::get::<i64>(stored, &FOUND, column);
    let number = |column| sql::get::<Option<f64>>(stored, &FOUND, column);
    Ok(row.items == count(12)?
        && row.numerator == count(13)?
        && row.denominator == count(14)?
        && row.value == number(19)?
        && row.minimum == number(16)?
        && row.maximum == number(17)?
        && is_same_json(row.percentiles_json, text(18)?)
        && row.window_end == instant(2)?
        && row.settles_at == instant(21)?
        && Some(row.zone) == text(3)?
        && Some(row.zone_source) == text(4)?
        && row.scale == count(15)?
        && Some(row.unit) == text(20)?
        && row.queue_id == text(5)?
        && row.media == text(6)?
        && row.direction == text(7)?
        && row.agent_id == text(8)?
        && row.team == text(9)?
        && row.platform == text(10)?
        && is_same_json(row.attributes_json, text(11)?))
}

fn is_same_json(one: Option<&str>, other: Option<&str>) -> bool {
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            one == other || parsed(one).is_some_and(|one| Some(one) == parsed(other))
        }
        _ => false,
    }
}

/// The stretches, sorted, with those that overlap or touch as one.
fn joined<'c>(covered: &[Covered<'c>]) -> Vec<Covered<'c>> {
    let mut stretches = covered.to_vec();
    stretches.sort_unstable_by_key(|stretch| stretch.key(stretch.from));
    stretches.dedup_by(|later, kept| {
        let one = later.key(kept.from) == kept.key(kept.from) && later.from <= kept.to;
        if one {
            kept.to = kept.to.max(later.to);
        }
        one
    });
    stretches
}

/// No window that reaches into the stretch begins before this.
fn since(stretch: &Covered<'_>) -> schema::UtcMicros {
    stretch.from.plus(Millis(-reach(stretch.size).0))
}

/// A window of this size begins less than this before any instant in it; that of a shift as well, which may be a chain of shifts.
fn reach(size: &str) -> Millis {
    const HOUR: i64 = 3_600_000;
    Millis(match size {
        "15m" | "30m" | "60m" => HOUR,
        "day" => 2 * 24 * HOUR,
        "week" | "shift" => 9 * 24 * HOUR,
        _ => 33 * 24 * HOUR,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{MetricVersion, UtcMicros};

    fn covered(metric_type: &str, from: i64, to: i64) -> Covered<'_> {
        Covered {
            metric_type,
            metric_version: MetricVersion::FIRST,
            group_by: "queue",
            group_key: "[\"a\"]",
            size: "30m",
            from: UtcMicros(from),
            to: UtcMicros(to),
        }
    }

    #[test]
    fn stretches_of_one_group_that_touch_are_looked_at_as_one() {
        let given = [
            covered("b", 0, 5),
            covered("a", 10, 20),
            covered("a", 20, 30),
            covered("a", 12, 15),
            covered("a", 31, 40),
            covered("a", 10, 20),
        ];
        let expected = [
            covered("a", 10, 30),
            covered("a", 31, 40),
            covered("b", 0, 5),
        ];
        assert_eq!(joined(&given), expected);
    }
}
