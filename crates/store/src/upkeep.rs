//! What calls for somebody, and how large the database has become: for gauges that alerts are made of.

use crate::error::StoreError;
use crate::partitions::Table;
use crate::pool::Connection;
use crate::sql::{self, Sql};

/// One number of `pipeline_health`, or of what is missing there.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// What is measured.
    pub measure: String,
    /// Whose it is: a stage, an organisation, a target, a kind of job. Never a process, an interaction or a credential.
    pub scope: String,
    /// The number.
    pub value: f64,
}

/// How large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Of this database.
    pub bytes: i64,
    /// To the server, everybody's.
    pub connections: i64,
    /// How many it allows.
    pub connections_max: i64,
}

/// The months of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Months {
    /// Which.
    pub table: String,
    /// After the present one, without a gap; -1: not even that one is there.
    pub ahead: i64,
    /// Up to the present one.
    pub kept: i64,
}

// A chunk waits for its turn for hours while others go on: that is seen from what was fetched meanwhile, and not from here.
static MEASURES: Sql = Sql {
    step: "read what calls for somebody",
    text: "WITH health AS MATERIALIZED ( \
               SELECT measure, scope, value, at FROM pipeline_health \
               WHERE measure IN ('quarantine_held', 'sync_rejected', 'sync_unknown', 'sync_oldest_seconds', 'backfill_open', 'backfill_paused', \
                             'backfill_chunks_failed', 'deferred_refused', 'erasures_open', 'history_requests', 'notices_waiting', \
                             'reconciliation_findings', 'subscription_gaps', 'zones_unknown', 'zones_differ') \
           ) SELECT measure, scope, value FROM health \
           UNION ALL \
           SELECT 'backfill_overdue_seconds', j.kind, extract(epoch FROM now() - min(c.due_at))::double precision \
           FROM backfill_jobs j JOIN backfill_chunks c ON c.job_id = j.job_id \
           WHERE j.state IN ('pending', 'running') AND c.state = 'open' AND c.due_at < now() AND (c.lease_until IS NULL OR c.lease_until < now()) \
           GROUP BY j.kind \
           UNION ALL \
           SELECT 'erasures_oldest_seconds', scope, extract(epoch FROM now() - at)::double precision FROM health WHERE measure = 'erasures_open'",
};

static SIZE: Sql = Sql {
    step: "measure the database",
    text: "SELECT pg_database_size(current_database()), coalesce((SELECT sum(numbackends) FROM pg_stat_database), 0)::bigint, \
                  current_setting('max_connections')::bigint",
};

// A table that is not partitioned by us, because an extension does it, has none and is not there.
static MONTHS: Sql = Sql {
    step: "count the months of partitions",
    text: "WITH months AS ( \
               SELECT p.relname::text AS parent, right(c.relname::text, 7) AS month \
               FROM pg_class p JOIN pg_inherits i ON i.inhparent = p.oid JOIN pg_class c ON c.oid = i.inhrelid \
               WHERE p.oid IN (SELECT to_regclass(t) FROM unnest($1::text[]) t) AND p.relkind = 'p' AND c.relname::text ~ '_y[0-9]{4}m[0-9]{2}$' \
           ), present AS (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AS month) \
           SELECT m.parent, \
                  (SELECT min(n) FROM generate_series(0, 25) n WHERE NOT EXISTS ( \
                       SELECT FROM months o WHERE o.parent = m.parent AND o.month = to_char(p.month + n * interval '1 month', 'YYYY\"m\"MM')))::bigint - 1, \
                  count(*) FILTER (WHERE m.month <= to_char(p.month, 'YYYY\"m\"MM')) \
           FROM months m CROSS JOIN present p GROUP BY m.parent, p.month ORDER BY m.parent",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&MEASURES, &SIZE, &MONTHS];

/// What calls for somebody, as far as anything is there to be seen to: a measure without a row is zero.
pub async fn measures(conn: &impl Connection) -> Result<Vec<Measure>, StoreError> {
    let rows = sql::query(conn, &MEASURES, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Measure {
                measure: sql::get(row, &MEASURES, 0)?,
                scope: sql::get(row, &MEASURES, 1)?,
                value: sql::get(row, &MEASURES, 2)?,
            })
        })
        .collect()
}

/// How large the database is, and how many are connected to its server.
pub async fn size(conn: &impl Connection) -> Result<Size, StoreError> {
    let row = sql::query_one(conn, &SIZE, &[]).await?;
    Ok(Size {
        bytes: sql::get(&row, &SIZE, 0)?,
        connections: sql::get(&row, &SIZE, 1)?,
        connections_max: sql::get(&row, &SIZE, 2)?,
    })
}

/// The months of every table that is partitioned by month.
pub async fn months(conn: &impl Connection) -> Result<Vec<Months>, StoreError> {
    let tables = Table::ALL.map(Table::name).to_vec();
    let rows = sql::query(conn, &MONTHS, &[&tables]).await?;
    rows.iter()
        .map(|row| {
            Ok(Months {
                table: sql::get(row, &MONTHS, 0)?,
                ahead: sql::get(row, &MONTHS, 1)?,
                kept: sql::get(row, &MONTHS, 2)?,
            })
        })
        .collect()
}
