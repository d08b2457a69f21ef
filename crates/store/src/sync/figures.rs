//! How deliveries go: figures of each target by the minute, which all processes add to.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;
use tokio_postgres::Row;

/// What came of the requests of some stretch of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Requests.
    pub requests: i64,
    /// Those of them that failed as a whole: no answer, trouble of the platform, a refused credential or path.
    pub failed_requests: i64,
    /// Rows that the platform took.
    pub accepted: i64,
    /// Rows that it refused.
    pub rejected: i64,
    /// Rows of which nobody knows.
    pub unknown: i64,
    /// Rows that it did not take this time.
    pub retried: i64,
    /// Rows that it did not look at: it asked to slow down, or refused the credential.
    pub snoozed: i64,
    /// From the change of a value to its acceptance.
    pub latency: Latency,
}

/// A distribution of waiting times, of accepted rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latency {
    /// How many waited no longer than each of [`Self::EDGES`], and longer than the one before; the last longer than all.
    counts: [i64; Self::EDGES.len() + 1],
    /// All of it together.
    sum: f64,
    /// The longest.
    longest: f64,
}

impl Latency {
    /// The ends of the buckets, seconds.
    pub const EDGES: [f64; 12] = [
        0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0,
    ];

    /// One more.
    pub fn add(&mut self, waited: Duration) {
        let seconds = waited.as_secs_f64();
        let bucket = Self::EDGES
            .iter()
            .position(|edge| seconds <= *edge)
            .unwrap_or(Self::EDGES.len());
        self.counts[bucket] += 1;
        self.sum += seconds;
        self.longest = self.longest.max(seconds);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.counts.iter().sum()
    }

    /// The mean; none of none.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of rows
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum / count as f64)
    }

    /// The longest; none of none.
    #[must_use]
    pub fn longest(&self) -> Option<f64> {
        (self.count() > 0).then_some(self.longest)
    }

    /// So many of them (0 to 1) waited no longer than this, seconds: the end of the bucket, or the longest where that is shorter. None of none.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of rows
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = self.count() as f64 * share;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen > 0 && seen as f64 >= wanted {
                let edge = Self::EDGES.get(bucket).copied().unwrap_or(f64::INFINITY);
                return Some(edge.min(self.longest));
            }
        }
        None
    }
}

impl Figures {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        for (ours, theirs) in [
            (&mut self.requests, other.requests),
            (&mut self.failed_requests, other.failed_requests),
            (&mut self.accepted, other.accepted),
            (&mut self.rejected, other.rejected),
            (&mut self.unknown, other.unknown),
            (&mut self.retried, other.retried),
            (&mut self.snoozed, other.snoozed),
        ] {
            *ours += theirs;
        }
        for (ours, theirs) in self.latency.counts.iter_mut().zip(other.latency.counts) {
            *ours += theirs;
        }
        self.latency.sum += other.latency.sum;
        self.latency.longest = self.latency.longest.max(other.latency.longest);
    }
}

pub(super) static ADD: Sql = Sql {
    step: "add to the figures of deliveries",
    text: "INSERT INTO sync_minutes AS m (target, minute, requests, failed_requests, accepted, rejected, unknown, retried, snoozed, \
                                          waited, waited_sum, waited_longest) \
           VALUES ($1, date_bin('1 minute', clock_timestamp(), 'epoch'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
           ON CONFLICT (target, minute) DO UPDATE SET \
               requests = m.requests + EXCLUDED.requests, failed_requests = m.failed_requests + EXCLUDED.failed_requests, \
               accepted = m.accepted + EXCLUDED.accepted, rejected = m.rejected + EXCLUDED.rejected, \
               unknown = m.unknown + EXCLUDED.unknown, retried = m.retried + EXCLUDED.retried, snoozed = m.snoozed + EXCLUDED.snoozed, \
               waited = ARRAY(SELECT coalesce(a, 0) + coalesce(b, 0) FROM unnest(m.waited, EXCLUDED.waited) WITH ORDINALITY AS u (a, b, n) ORDER BY n), \
               waited_sum = m.waited_sum + EXCLUDED.waited_sum, waited_longest = greatest(m.waited_longest, EXCLUDED.waited_longest)",
};

pub(super) static SINCE: Sql = Sql {
    step: "add up the figures of deliveries",
    text: "SELECT coalesce(sum(requests), 0)::bigint, coalesce(sum(failed_requests), 0)::bigint, coalesce(sum(accepted), 0)::bigint, \
                  coalesce(sum(rejected), 0)::bigint, coalesce(sum(unknown), 0)::bigint, coalesce(sum(retried), 0)::bigint, \
                  coalesce(sum(snoozed), 0)::bigint, coalesce(sum(waited_sum), 0)::float8, coalesce(max(waited_longest), 0)::float8, \
                  ARRAY(SELECT sum(u.count)::bigint FROM sync_minutes w CROSS JOIN LATERAL unnest(w.waited) WITH ORDINALITY AS u (count, n) \
                        WHERE w.target = $1 AND w.minute > clock_timestamp() - $2 * interval '1 second' GROUP BY u.n ORDER BY u.n) \
           FROM sync_minutes WHERE target = $1 AND minute > clock_timestamp() - $2 * interval '1 second'",
};

pub(super) static PRUNE: Sql = Sql {
    step: "prune the figures of deliveries",
    text: "DELETE FROM sync_minutes WHERE minute < $1",
};

/// Adds to the figures of the target's current minute.
pub async fn add_figures(
    conn: &impl Connection,
    target: &str,
    figures: &Figures,
) -> Result<(), StoreError> {
    no_nul("target", target)?;
    let waited = figures.latency.counts.to_vec();
    let params: sql::Params<'_> = &[
        &target,
        &figures.requests,
        &figures.failed_requests,
        &figures.accepted,
        &figures.rejected,
        &figures.unknown,
        &figures.retried,
        &figures.snoozed,
        &waited,
        &figures.latency.sum,
        &figures.latency.longest,
    ];
    sql::execute(conn, &ADD, params).await.map(drop)
}

/// The figures of the minutes that began within so long before now, of all processes.
pub async fn figures(
    conn: &impl Connection,
    target: &str,
    window: Duration,
) -> Result<Figures, StoreError> {
    let row = sql::query_one(conn, &SINCE, &[&target, &window.as_secs_f64()]).await?;
    read(&row)
}

fn read(row: &Row) -> Result<Figures, StoreError> {
    let mut latency = Latency {
        sum: sql::get(row, &SINCE, 7)?,
        longest: sql::get(row, &SINCE, 8)?,
        ..Latency::default()
    };
    // Of an earlier release with other buckets: what there is of each.
    let counts: Vec<i64> = sql::get(row, &SINCE, 9)?;
    for (ours, theirs) in latency.counts.iter_mut().zip(counts) {
        *ours = theirs;
    }
    let count = |column| sql::get(row, &SINCE, column);
    Ok(Figures {
        requests: count(0)?,
        failed_requests: count(1)?,
        accepted: count(2)?,
        rejected: count(3)?,
        unknown: count(4)?,
        retried: count(5)?,
        snoozed: count(6)?,
        latency,
    })
}

/// Forgets the figures of minutes from before an instant.
pub async fn prune_figures(conn: &impl Connection, before: UtcMicros) -> Result<u64, StoreError> {
    sql::execute(conn, &PRUNE, &[&Instant(before)]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_end_of_its_bucket_and_never_more_than_the_longest() {
        let mut latency = Latency::default();
        assert_eq!((latency.quantile(0.5), latency.mean()), (None, None));
        for ms in [100, 200, 300, 700, 800, 900, 1_500, 4_000, 4_000, 4_000] {
            latency.add(Duration::from_millis(ms));
        }
        assert_eq!(latency.count(), 10);
        for (share, seconds) in [(0.0, 0.5), (0.3, 0.5), (0.5, 1.0), (0.7, 2.0), (1.0, 4.0)] {
            assert_eq!(latency.quantile(share), Some(seconds), "{share}");
        }
        latency.add(Duration::from_secs(100_000));
        assert_eq!(latency.quantile(1.0), Some(100_000.0));
    }

    #[test]
    fn figures_add_up() {
        let mut one = Figures {
            requests: 1,
            accepted: 2,
            ..Figures::default()
        };
        one.latency.add(Duration::from_secs(3));
        let mut other = one.clone();
        other.latency.add(Duration::from_secs(9));
        one.add(&other);
        assert_eq!((one.requests, one.accepted), (2, 4));
        assert_eq!((one.latency.count(), one.latency.longest()), (3, Some(9.0)));
    }
}
