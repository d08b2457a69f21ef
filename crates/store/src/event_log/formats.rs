//! Which formats a stretch of the log holds: what a replay must be able to read, known before it starts.

use super::scan::before;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) static FORMATS: Sql = Sql {
    step: "look through the formats of event_log",
    text: "WITH part AS MATERIALIZED ( \
               SELECT occurred_at, log_key, format FROM event_log \
               WHERE occurred_at >= $1 AND occurred_at < $2 AND (occurred_at, log_key) > ($3, $4) \
                 AND ($5::text IS NULL OR tenant = $5) \
               ORDER BY occurred_at, log_key LIMIT $6), \
           last AS (SELECT occurred_at, log_key FROM part ORDER BY occurred_at DESC, log_key DESC LIMIT 1) \
           SELECT f.format, f.events, last.occurred_at, last.log_key \
           FROM (SELECT format, count(*) AS events FROM part GROUP BY format) f CROSS JOIN last",
};

/// The formats of the events of `[from, to)` behind `after`, each with how many events there are of it.
///
/// Reads the whole stretch, `at_once` events a statement, so that it takes as long as it must and each statement of it a moment.
pub async fn formats(
    conn: &impl Connection,
    from: UtcMicros,
    to: UtcMicros,
    after: Option<(UtcMicros, Uuid)>,
    tenant: Option<&str>,
    at_once: u32,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut found: BTreeMap<String, i64> = BTreeMap::new();
    let (mut at, mut key) = after.unwrap_or(before(from));
    loop {
        let rows = sql::query(
            conn,
            &FORMATS,
            &[
                &Instant(from.max(at)),
                &Instant(to),
                &Instant(at),
                &key,
                &tenant,
                &i64::from(at_once),
            ],
        )
        .await?;
        let mut part = 0;
        for row in &rows {
            let events: i64 = sql::get(row, &FORMATS, 1)?;
            *found.entry(sql::get(row, &FORMATS, 0)?).or_default() += events;
            part += events;
            at = sql::get::<Instant>(row, &FORMATS, 2)?.0;
            key = sql::get(row, &FORMATS, 3)?;
        }
        if part < i64::from(at_once) {
            return Ok(found);
        }
    }
}
