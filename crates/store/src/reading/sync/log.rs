//! Every attempt at every value.

use super::{Filter, VALUE_COLUMNS, ValueSeen, value};
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use uuid::Uuid;

/// An attempt at a value, or what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its place in the log: pages go by it.
    pub log_id: i64,
    /// Which value.
    pub value: ValueSeen,
    /// When it was logged.
    pub logged_at: UtcMicros,
    /// `sent`, `accepted`, `rejected` …
    pub fate: String,
    /// Which attempt.
    pub attempt: i32,
    /// Which revision of the value.
    pub revision: i64,
    /// What was pushed, as the target has it.
    pub pushed: Option<f64>,
    /// The request that it was in.
    pub request_id: Uuid,
    /// The HTTP status of the answer.
    pub status: Option<i32>,
    /// The platform's words, or ours.
    pub message: Option<String>,
}

// Along the key, from its end.
pub(in crate::reading) static NEWEST: Sql = Sql {
    step: "read a page of the delivery log",
    text: concat!(
        "SELECT ",
        value!("l"),
        ", l.log_id, l.logged_at, l.fate, l.attempt, l.revision, l.value, l.request_id, l.status, l.message FROM metric_sync_log l \
         WHERE ($1::text[] IS NULL OR l.tenant = ANY($1)) AND ($2::text IS NULL OR l.target = $2) \
           AND ($3::bigint IS NULL OR l.log_id < $3) \
         ORDER BY l.log_id DESC LIMIT $4"
    ),
};

/// Of some organisations: each one's newest along its own part of an index, so that a small one does not wait for what large ones pushed.
macro_rules! of_tenants {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            value!("l"),
            ", l.log_id, l.logged_at, l.fate, l.attempt, l.revision, l.value, l.request_id, l.status, l.message \
             FROM unnest($1::text[]) AS t (tenant) \
             CROSS JOIN LATERAL (SELECT * FROM metric_sync_log m WHERE m.tenant = t.tenant AND ($2::text IS NULL OR m.target = $2) \
                                   AND ($3::bigint IS NULL OR m.log_id < $3)",
            $condition,
            " ORDER BY m.log_id DESC LIMIT $4) l ORDER BY l.log_id DESC LIMIT $4"
        )
    };
}

// Along metric_sync_log_tenant.
pub(in crate::reading) static NEWEST_OF: Sql = Sql {
    step: "read a page of organisations' delivery log",
    text: of_tenants!(""),
};

// Along metric_sync_log_refused.
pub(in crate::reading) static REFUSALS_OF: Sql = Sql {
    step: "read a page of organisations' refusals in the delivery log",
    text: of_tenants!(" AND m.fate = 'rejected'"),
};

// Of metric_sync_log_refused, which has nothing else.
pub(in crate::reading) static REFUSALS: Sql = Sql {
    step: "read a page of the refusals in the delivery log",
    text: concat!(
        "SELECT ",
        value!("l"),
        ", l.log_id, l.logged_at, l.fate, l.attempt, l.revision, l.value, l.request_id, l.status, l.message FROM metric_sync_log l \
         WHERE l.fate = 'rejected' AND ($1::text[] IS NULL OR l.tenant = ANY($1)) AND ($2::text IS NULL OR l.target = $2) \
           AND ($3::bigint IS NULL OR l.log_id < $3) \
         ORDER BY l.log_id DESC LIMIT $4"
    ),
};

// Along metric_sync_log_metric: one interaction has few.
pub(in crate::reading) static OF_INTERACTION: Sql = Sql {
    step: "read a page of an interaction's delivery log",
    text: concat!(
        "SELECT ",
        value!("l"),
        ", l.log_id, l.logged_at, l.fate, l.attempt, l.revision, l.value, l.request_id, l.status, l.message FROM metric_sync_log l \
         WHERE ($1::text[] IS NULL OR l.tenant = ANY($1)) AND ($2::text IS NULL OR l.target = $2) \
           AND ($3::bigint IS NULL OR l.log_id < $3) AND l.tenant = $5 AND l.interaction_id = $6 \
         ORDER BY l.log_id DESC LIMIT $4"
    ),
};

/// What of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Everything.
    All,
    /// What platforms refused.
    Refusals,
    /// What is about an organisation's interaction and its legs.
    Interaction(&'a str, &'a str),
}

/// At most `limit` entries behind the one of that place, newest first.
pub async fn page(
    conn: &impl Connection,
    filter: &Filter<'_>,
    part: Part<'_>,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<Attempt>, StoreError> {
    filter.check()?;
    let (tenants, limit) = (filter.tenants.param(), i64::from(limit));
    let mut params: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
        vec![&tenants, &filter.target, &after, &limit];
    let sql = match &part {
        Part::All if tenants.is_some() => &NEWEST_OF,
        Part::All => &NEWEST,
        Part::Refusals if tenants.is_some() => &REFUSALS_OF,
        Part::Refusals => &REFUSALS,
        Part::Interaction(tenant, interaction) => {
            no_nul("tenant", tenant)?;
            no_nul("interaction_id", interaction)?;
            params.extend([
                tenant as &(dyn tokio_postgres::types::ToSql + Sync),
                interaction,
            ]);
            &OF_INTERACTION
        }
    };
    let first = VALUE_COLUMNS;
    sql::query(conn, sql, &params)
        .await?
        .iter()
        .map(|row| {
            Ok(Attempt {
                value: ValueSeen::read(row, sql)?,
                log_id: sql::get(row, sql, first)?,
                logged_at: sql::get::<Instant>(row, sql, first + 1)?.0,
                fate: sql::get(row, sql, first + 2)?,
                attempt: sql::get(row, sql, first + 3)?,
                revision: sql::get(row, sql, first + 4)?,
                pushed: sql::get(row, sql, first + 5)?,
                request_id: sql::get(row, sql, first + 6)?,
                status: sql::get(row, sql, first + 7)?,
                message: sql::get(row, sql, first + 8)?,
            })
        })
        .collect()
}
