//! What is stored in the stretches that were computed again.

use super::row::{Covered, Key, WindowRow};
use crate::columns::column;
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::Millis;

// One range of the primary key a stretch. The bounds over all stretches let the months be cut down before it starts.
pub(super) static FOUND: Sql = Sql {
    step: "look for window_metrics",
    text: "SELECT c.n, w.window_start \
           FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], \
                       $9::timestamptz[]) \
                WITH ORDINALITY AS c (metric_type, metric_version, group_by, size, group_key, from_at, to_at, since, n) \
           CROSS JOIN LATERAL (SELECT window_start FROM window_metrics w \
                               WHERE w.tenant = $1 AND w.metric_type = c.metric_type AND w.metric_version = c.metric_version \
                                 AND w.group_by = c.group_by AND w.size = c.size AND w.group_key = c.group_key \
                                 AND w.window_start > c.since AND w.window_start < c.to_at AND w.window_end > c.from_at \
                                 AND w.window_start > $10 AND w.window_start < $11 OFFSET 0) w",
};

/// The keys of stored rows that reach into covered stretches.
pub(super) struct Found<'c> {
    /// Sorted by key; none touches another.
    stretches: Vec<Covered<'c>>,
    /// Sorted.
    keys: Vec<Key<'c>>,
}

impl<'c> Found<'c> {
    /// Looks for them.
    pub(super) async fn of(
        tx: &Transaction<'_>,
        tenant: &str,
        covered: &[Covered<'c>],
    ) -> Result<Self, StoreError> {
        let stretches = joined(covered);
        let mut keys = Vec::new();
        let (Some(first), Some(last)) = (
            stretches.iter().map(since).min(),
            stretches.iter().map(|stretch| stretch.to).max(),
        ) else {
            return Ok(Self { stretches, keys });
        };
        let of: Vec<&Covered<'c>> = stretches.iter().collect();
        let metric_type = column(&of, |stretch| stretch.metric_type);
        let metric_version = column(&of, |stretch| i32::from(stretch.metric_version.0));
        let group_by = column(&of, |stretch| stretch.group_by);
        let size = column(&of, |stretch| stretch.size);
        let group_key = column(&of, |stretch| stretch.group_key);
        let from = column(&of, |stretch| Instant(stretch.from));
        let to = column(&of, |stretch| Instant(stretch.to));
        let since = column(&of, |stretch| Instant(since(stretch)));
        let params: sql::Params<'_> = &[
            &tenant,
            &metric_type,
            &metric_version,
            &group_by,
            &size,
            &group_key,
            &from,
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
            keys.push(stretch.key(sql::get::<Instant>(&row, &FOUND, 1)?.0));
        }
        // A window may reach into two stretches.
        keys.sort_unstable();
        keys.dedup();
        Ok(Self { stretches, keys })
    }

    /// Whether it is known that this row is not stored: its stretch was looked at.
    pub(super) fn lacks(&self, row: &WindowRow<'_>) -> bool {
        let key = row.key();
        let before = self
            .stretches
            .partition_point(|stretch| stretch.key(stretch.from) <= key);
        let stretch = before.checked_sub(1).and_then(|at| self.stretches.get(at));
        stretch.is_some_and(|stretch| key < stretch.key(stretch.to))
            && self.keys.binary_search(&key).is_err()
    }

    /// Those that are not among these, which are sorted by key.
    pub(super) fn but(&self, kept: &[&WindowRow<'_>]) -> impl Iterator<Item = &Key<'c>> {
        let keys = self.keys.iter();
        keys.filter(|key| kept.binary_search_by(|row| row.key().cmp(key)).is_err())
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
