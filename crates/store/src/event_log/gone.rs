//! Raw bytes that go while their rows stay: by retention, or because somebody asked.
//!
//! Both walk the log in key order, a page a transaction, because neither the time of reception nor the interaction is indexed: an index
//! on the hottest table would cost every event what a walk now and then costs once.

use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::raw::Gone;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use tokio_postgres::Row;
use uuid::Uuid;

/// Where a walk through the log is: behind this row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The event's own instant.
    pub at: UtcMicros,
    /// The log key.
    pub key: Uuid,
}

impl Place {
    /// Before everything.
    pub const START: Self = Self {
        // 0001-01-01T00:00:00Z: no row is older.
        at: UtcMicros(-62_135_596_800_000_000),
        key: Uuid::nil(),
    };
}

/// A page of the log, looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The rows that were looked for, ascending.
    pub places: Vec<Place>,
    /// The last row of the page; `None`: the log is at its end.
    pub last: Option<Place>,
}

// The page's last row comes along also where it is not looked for: it says where to go on.
macro_rules! look {
    ($hit:literal, $until:literal) => {
        concat!(
            "WITH part AS MATERIALIZED ( \
                 SELECT occurred_at, log_key, ",
            $hit,
            " AS hit FROM event_log \
                 WHERE occurred_at >= $1 AND (occurred_at, log_key) > ($1, $2)",
            $until,
            " ORDER BY occurred_at, log_key LIMIT $3), \
             last AS (SELECT occurred_at, log_key FROM part ORDER BY occurred_at DESC, log_key DESC LIMIT 1) \
             SELECT p.occurred_at, p.log_key, p.hit FROM part p CROSS JOIN last \
             WHERE p.hit OR (p.occurred_at, p.log_key) = (last.occurred_at, last.log_key) \
             ORDER BY p.occurred_at, p.log_key"
        )
    };
}

pub(super) static OLD: Sql = Sql {
    step: "look for old raw bytes in event_log",
    text: look!(
        "raw_gone IS NULL AND received_at < $4",
        " AND occurred_at < $4"
    ),
};

// Those that have expired as well: from then on a copy of them is told that they were erased, and brings no customer back.
pub(super) static OF_INTERACTIONS: Sql = Sql {
    step: "look for the events of interactions in event_log",
    text: look!(
        "tenant = $4 AND interaction_id = ANY ($5) AND raw_gone IS DISTINCT FROM 'erased'",
        ""
    ),
};

pub(super) static CLEAR: Sql = Sql {
    step: "let raw bytes of event_log go",
    text: "UPDATE event_log e SET raw = NULL, raw_key = NULL, raw_gone = $5 \
           FROM unnest($1::timestamptz[], $2::uuid[]) AS k (occurred_at, log_key) \
           WHERE e.occurred_at = k.occurred_at AND e.log_key = k.log_key AND e.occurred_at BETWEEN $3 AND $4 \
             AND (e.raw_gone IS NULL OR e.raw_gone <> $5 AND $5 = 'erased')",
};

/// The rows among the next `limit` whose event happened before `before`, was received before it too, and that still have their bytes.
///
/// Both, so that history that was imported yesterday can be replayed for as long as what was received yesterday.
pub async fn find_old(
    conn: &impl Connection,
    before: UtcMicros,
    after: Place,
    limit: u32,
) -> Result<Found, StoreError> {
    let params: sql::Params<'_> = &[
        &Instant(after.at),
        &after.key,
        &i64::from(limit),
        &Instant(before),
    ];
    found(&sql::query(conn, &OLD, params).await?, &OLD)
}

/// The rows among the next `limit` that belong to these interactions of an organisation and are not erased: they have their bytes, or these
/// have expired.
pub async fn find_of_interactions(
    conn: &impl Connection,
    tenant: &str,
    interactions: &[String],
    after: Place,
    limit: u32,
) -> Result<Found, StoreError> {
    let params: sql::Params<'_> = &[
        &Instant(after.at),
        &after.key,
        &i64::from(limit),
        &tenant,
        &interactions,
    ];
    found(
        &sql::query(conn, &OF_INTERACTIONS, params).await?,
        &OF_INTERACTIONS,
    )
}

fn found(rows: &[Row], sql: &Sql) -> Result<Found, StoreError> {
    let mut places = Vec::with_capacity(rows.len());
    let mut last = None;
    for row in rows {
        let place = Place {
            at: sql::get::<Instant>(row, sql, 0)?.0,
            key: sql::get(row, sql, 1)?,
        };
        if sql::get(row, sql, 2)? {
            places.push(place);
        }
        last = Some(place);
    }
    Ok(Found { places, last })
}

/// Lets the raw bytes of these rows, given in ascending order, go. What has expired can still be erased, not the other way round. Returns
/// how many rows were written.
pub async fn clear(tx: &Transaction<'_>, places: &[Place], gone: Gone) -> Result<u64, StoreError> {
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return Ok(0);
    };
    let at: Vec<Instant> = places.iter().map(|place| Instant(place.at)).collect();
    let keys: Vec<Uuid> = places.iter().map(|place| place.key).collect();
    let params: sql::Params<'_> = &[
        &at,
        &keys,
        &Instant(first.at),
        &Instant(last.at),
        &gone.as_str(),
    ];
    sql::execute(tx, &CLEAR, params).await
}
