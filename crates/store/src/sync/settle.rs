//! What a push came to, written back.

use super::MetricKey;
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// How a push of one row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The platform has it. The row leaves the queue.
    Accepted,
    /// The platform took back what it had. The row leaves the queue.
    Retracted,
    /// It is older than the platform takes. The row leaves the queue.
    Expired,
    /// The platform refuses this value. The row rests until it changes or an operator releases it.
    Rejected,
    /// Nobody knows whether the platform has it. Pushed again, with the same key, after the pause.
    Unknown,
    /// It was not taken and may be tried again after the pause.
    Retry,
    /// It was not looked at (asked to slow down): again after the pause, and the attempt is not counted. Without a pause it keeps
    /// its place in the queue.
    Snooze,
}

/// One row's fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled<'a> {
    /// The row's place in the queue.
    pub row: i64,
    /// Which metric of what.
    pub key: &'a MetricKey,
    /// The lease it was claimed under.
    pub lease: Uuid,
    /// The revision that was pushed.
    pub revision: i64,
    /// How it ended.
    pub fate: Fate,
    /// The pause before the next attempt, where there is one.
    pub retry_in: Duration,
    /// The HTTP status, where there was an answer.
    pub status: Option<i32>,
    /// The platform's words, or ours.
    pub message: Option<&'a str>,
}

/// How many rows went which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Left the queue.
    pub done: u64,
    /// Rest as rejected.
    pub parked: u64,
    /// Wait for another attempt with the same value.
    pub later: u64,
    /// Wait because a newer value came meanwhile.
    pub newer: u64,
    /// Another holder has the row, or it was settled before.
    pub passed_over: u64,
}

// Locked in key order first: settling and queueing then cannot wait for each other in a circle.
pub(super) static LOCK: Sql = Sql {
    step: "lock delivery rows",
    text: "SELECT k.n, q.revision, q.lease_id FROM unnest($2::bigint[]) WITH ORDINALITY AS k (row_id, n) \
           CROSS JOIN LATERAL (SELECT revision, lease_id FROM sync_queue q \
                               WHERE q.row_id = k.row_id AND q.target = $1 FOR UPDATE) q",
};

pub(super) static DELETE: Sql = Sql {
    step: "take delivered rows from the queue",
    text: "DELETE FROM sync_queue WHERE row_id = ANY ($1)",
};

pub(super) static UPDATE: Sql = Sql {
    step: "settle delivery rows",
    text: "UPDATE sync_queue q \
           SET state = k.state, lease_id = NULL, \
               due_at = CASE WHEN k.attempts = 'spare' AND k.pause = 0 THEN q.queued_at \
                             ELSE statement_timestamp() + k.pause * interval '1 second' END, \
               attempt = CASE k.attempts WHEN 'reset' THEN 0 WHEN 'spare' THEN greatest(q.attempt - 1, 0) ELSE q.attempt END, \
               last_status = k.status, last_message = k.message \
           FROM unnest($1::bigint[], $2::text[], $3::float8[], $4::text[], $5::integer[], $6::text[]) \
                AS k (row_id, state, pause, attempts, status, message) \
           WHERE q.row_id = k.row_id",
};

/// A queue row as it is now.
#[derive(Debug, Clone, Copy)]
struct Stored {
    revision: i64,
    lease: Option<Uuid>,
}

/// What to do with a queue row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Delete,
    Update {
        state: &'static str,
        pause: Duration,
        attempts: &'static str,
    },
    Nothing,
}

/// The one place that knows what a fate means for a row that may have changed hands or value meanwhile.
fn decide(stored: Stored, settled: &Settled<'_>) -> Decision {
    let newer = stored.revision > settled.revision;
    let ours = stored.lease == Some(settled.lease);
    if newer {
        // The newer value has been waiting behind our lease: it is due at once, as if nothing had been tried.
        return if ours {
            Decision::Update {
                state: "pending",
                pause: Duration::ZERO,
                attempts: "reset",
            }
        } else {
            Decision::Nothing
        };
    }
    let later = |state, attempts| Decision::Update {
        state,
        pause: settled.retry_in,
        attempts,
    };
    match settled.fate {
        // True whoever holds the row now.
        Fate::Accepted | Fate::Retracted => Decision::Delete,
        _ if !ours => Decision::Nothing,
        Fate::Expired => Decision::Delete,
        Fate::Rejected => Decision::Update {
            state: "rejected",
            pause: Duration::ZERO,
            attempts: "keep",
        },
        Fate::Unknown => later("unknown", "keep"),
        Fate::Retry => later("pending", "keep"),
        Fate::Snooze => later("pending", "spare"),
    }
}

/// Writes the fates of pushed rows. Log them in the same transaction.
///
/// A value that came meanwhile stays queued and is due at once. A row that another holder took over after our lease ran out is left to it,
/// except that an accepted value is accepted.
pub async fn settle(
    tx: &Transaction<'_>,
    target: &str,
    rows: &[Settled<'_>],
) -> Result<Outcome, StoreError> {
    let sorted: BTreeMap<&MetricKey, &Settled<'_>> =
        rows.iter().map(|row| (row.key, row)).collect();
    let mut outcome = Outcome::default();
    if sorted.is_empty() {
        return Ok(outcome);
    }
    let settled: Vec<&Settled<'_>> = sorted.into_values().collect();
    let stored = lock(tx, target, &settled).await?;
    let mut delete = Vec::new();
    let mut update = Vec::new();
    for (index, row) in settled.iter().copied().enumerate() {
        let Some(stored) = stored.get(&index).copied() else {
            outcome.passed_over += 1;
            continue;
        };
        match decide(stored, row) {
            Decision::Nothing => outcome.passed_over += 1,
            Decision::Delete => {
                outcome.done += 1;
                delete.push(row.row);
            }
            Decision::Update {
                state,
                pause,
                attempts,
            } => {
                match (state, attempts) {
                    ("rejected", _) => outcome.parked += 1,
                    (_, "reset") => outcome.newer += 1,
                    _ => outcome.later += 1,
                }
                update.push((row, state, pause.as_secs_f64(), attempts));
            }
        }
    }
    if !delete.is_empty() {
        sql::execute(tx, &DELETE, &[&delete]).await?;
    }
    write(tx, &update).await?;
    Ok(outcome)
}

async fn lock(
    tx: &Transaction<'_>,
    target: &str,
    rows: &[&Settled<'_>],
) -> Result<BTreeMap<usize, Stored>, StoreError> {
    let places: Vec<i64> = rows.iter().map(|row| row.row).collect();
    let found = sql::query(tx, &LOCK, &[&target, &places]).await?;
    found
        .iter()
        .map(|row| {
            let ordinal: i64 = sql::get(row, &LOCK, 0)?;
            let index = usize::try_from(ordinal - 1).unwrap_or(usize::MAX);
            Ok((
                index,
                Stored {
                    revision: sql::get(row, &LOCK, 1)?,
                    lease: sql::get(row, &LOCK, 2)?,
                },
            ))
        })
        .collect()
}

type Change<'r, 'a> = (&'r Settled<'a>, &'static str, f64, &'static str);

async fn write(tx: &Transaction<'_>, changes: &[Change<'_, '_>]) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let places: Vec<i64> = changes.iter().map(|change| change.0.row).collect();
    let states: Vec<&str> = changes.iter().map(|change| change.1).collect();
    let pauses: Vec<f64> = changes.iter().map(|change| change.2).collect();
    let attempts: Vec<&str> = changes.iter().map(|change| change.3).collect();
    let statuses: Vec<Option<i32>> = changes.iter().map(|change| change.0.status).collect();
    let messages: Vec<Option<Cow<'_, str>>> = changes
        .iter()
        .map(|change| change.0.message.map(printable))
        .collect();
    let messages: Vec<Option<&str>> = messages.iter().map(Option::as_deref).collect();
    sql::execute(
        tx,
        &UPDATE,
        &[&places, &states, &pauses, &attempts, &statuses, &messages],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Subject;
    use schema::MetricVersion;

    #[test]
    fn a_fate_is_weighed_against_what_happened_meanwhile() {
        let key = MetricKey {
            tenant: "t".into(),
            subject: Subject::of_interaction("i", ""),
            metric_type: "m".into(),
            metric_version: MetricVersion::FIRST,
        };
        let lease = Uuid::from_u128(1);
        let pause = Duration::from_secs(9);
        let settled = |fate| Settled {
            row: 1,
            key: &key,
            lease,
            revision: 5,
            fate,
            retry_in: pause,
            status: None,
            message: None,
        };
        let row = |revision, lease| Stored { revision, lease };
        let ours = Some(lease);
        let others = Some(Uuid::from_u128(2));
        let update = |state, pause, attempts| Decision::Update {
            state,
            pause,
            attempts,
        };
        let at_once = update("pending", Duration::ZERO, "reset");
        let cases = [
            (row(5, ours), Fate::Accepted, Decision::Delete),
            (row(5, others), Fate::Accepted, Decision::Delete),
            (row(5, None), Fate::Accepted, Decision::Delete),
            (row(5, others), Fate::Retracted, Decision::Delete),
            (row(6, ours), Fate::Retracted, at_once),
            (row(5, ours), Fate::Expired, Decision::Delete),
            (row(5, others), Fate::Expired, Decision::Nothing),
            (row(6, ours), Fate::Accepted, at_once),
            (row(6, others), Fate::Accepted, Decision::Nothing),
            (
                row(5, ours),
                Fate::Rejected,
                update("rejected", Duration::ZERO, "keep"),
            ),
            (row(5, others), Fate::Rejected, Decision::Nothing),
            (row(6, ours), Fate::Rejected, at_once),
            (
                row(5, ours),
                Fate::Unknown,
                update("unknown", pause, "keep"),
            ),
            (row(5, ours), Fate::Retry, update("pending", pause, "keep")),
            (row(5, others), Fate::Retry, Decision::Nothing),
            (row(6, ours), Fate::Retry, at_once),
            (
                row(5, ours),
                Fate::Snooze,
                update("pending", pause, "spare"),
            ),
        ];
        for (stored, fate, wanted) in cases {
            assert_eq!(
                decide(stored, &settled(fate)),
                wanted,
                "{stored:?} {fate:?}"
            );
        }
    }
}
