//! How many events met which fate, per subscription and UTC hour of reception.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::collections::BTreeMap;

/// What to add. `received = logged + duplicates + quarantined + ignored`, or the server refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountRow<'a> {
    /// The subscription.
    pub subscription: &'a str,
    /// The organisation.
    pub tenant: &'a str,
    /// Any instant of the hour; cut down to its start here.
    pub hour: UtcMicros,
    /// Events received.
    pub received: i64,
    /// Of these, new in the log.
    pub logged: i64,
    /// Of these new ones, events that were logged with other content before, as far as the counting process remembered. They are no part
    /// of the sum.
    pub revisions: i64,
    /// Of these, in the log already.
    pub duplicates: i64,
    /// Of these, in quarantine.
    pub quarantined: i64,
    /// Of these, of a kind nobody asked for.
    pub ignored: i64,
}

/// Sums over all hours and shards of one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// The subscription.
    pub subscription: String,
    /// Events received.
    pub received: i64,
    /// New in the log.
    pub logged: i64,
    /// In the log already.
    pub duplicates: i64,
    /// In quarantine.
    pub quarantined: i64,
    /// Of a kind nobody asked for.
    pub ignored: i64,
}

static ADD: Sql = Sql {
    step: "add to ingest_counts",
    // Sharded by backend: replicas do not queue for one row, and the conflict is with our own earlier batches only.
    text: "INSERT INTO ingest_counts AS c (subscription, tenant, hour, shard, received, logged, revisions, duplicates, quarantined, ignored) \
           SELECT u.subscription, u.tenant, u.hour, (pg_backend_pid() % 32)::smallint, \
                  u.received, u.logged, u.revisions, u.duplicates, u.quarantined, u.ignored \
           FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], \
                       $9::bigint[]) AS u (subscription, tenant, hour, received, logged, revisions, duplicates, quarantined, ignored) \
           ON CONFLICT (subscription, tenant, hour, shard) DO UPDATE SET \
                  received = c.received + EXCLUDED.received, logged = c.logged + EXCLUDED.logged, \
                  revisions = c.revisions + EXCLUDED.revisions, \
                  duplicates = c.duplicates + EXCLUDED.duplicates, quarantined = c.quarantined + EXCLUDED.quarantined, \
                  ignored = c.ignored + EXCLUDED.ignored",
};

static TOTALS: Sql = Sql {
    step: "sum up ingest_counts",
    text: "SELECT subscription, sum(received)::bigint, sum(logged)::bigint, sum(duplicates)::bigint, \
                  sum(quarantined)::bigint, sum(ignored)::bigint \
           FROM ingest_counts GROUP BY subscription ORDER BY subscription",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&ADD, &TOTALS];

const HOUR: i64 = 3_600_000_000;

/// Adds the rows. Do it last in the transaction: the counters are the rows that batches of one backend share.
pub async fn add(tx: &Transaction<'_>, rows: &[CountRow<'_>]) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(&str, &str, UtcMicros), [i64; 6]> = BTreeMap::new();
    for row in rows {
        no_nul("subscription", row.subscription)?;
        no_nul("tenant", row.tenant)?;
        let hour = UtcMicros(row.hour.0.div_euclid(HOUR) * HOUR);
        let sum = sums
            .entry((row.subscription, row.tenant, hour))
            .or_default();
        let more = [
            row.received,
            row.logged,
            row.revisions,
            row.duplicates,
            row.quarantined,
            row.ignored,
        ];
        for (total, part) in sum.iter_mut().zip(more) {
            *total = total.saturating_add(part);
        }
    }
    if sums.is_empty() {
        return Ok(());
    }
    let subscriptions: Vec<&str> = sums.keys().map(|key| key.0).collect();
    let tenants: Vec<&str> = sums.keys().map(|key| key.1).collect();
    let hours: Vec<Instant> = sums.keys().map(|key| Instant(key.2)).collect();
    let part = |index: usize| -> Vec<i64> {
        sums.values()
            .filter_map(|sum| sum.get(index).copied())
            .collect()
    };
    sql::execute(
        tx,
        &ADD,
        &[
            &subscriptions,
            &tenants,
            &hours,
            &part(0),
            &part(1),
            &part(2),
            &part(3),
            &part(4),
            &part(5),
        ],
    )
    .await?;
    Ok(())
}

/// The sums of every subscription.
pub async fn totals(conn: &impl Connection) -> Result<Vec<Totals>, StoreError> {
    sql::query(conn, &TOTALS, &[])
        .await?
        .iter()
        .map(|row| {
            Ok(Totals {
                subscription: sql::get(row, &TOTALS, 0)?,
                received: sql::get(row, &TOTALS, 1)?,
                logged: sql::get(row, &TOTALS, 2)?,
                duplicates: sql::get(row, &TOTALS, 3)?,
                quarantined: sql::get(row, &TOTALS, 4)?,
                ignored: sql::get(row, &TOTALS, 5)?,
            })
        })
        .collect()
}
