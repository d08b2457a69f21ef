//! The sums of a group over the quarter hours of a UTC day, packed. What is in them is the window crate's; here they are bytes.
//!
//! A worker that writes the cells of a day holds the lease on it, see [`crate::marks::try_lease`].

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::{Date, Quarters};

/// A group's cells of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellRow {
    /// Days since 1970, of UTC.
    pub day: i32,
    /// The dimensions.
    pub group_by: String,
    /// Their values.
    pub group_key: String,
    /// Which quarter hours have something in them: bit q of byte q / 8.
    pub filled: [u8; 12],
    /// By quarter hour and definition.
    pub quarters: Vec<u8>,
    /// The whole day by definition.
    pub total: Vec<u8>,
}

static FILLED: Sql = Sql {
    step: "look for filled window_cells",
    text: "SELECT group_by, group_key FROM window_cells \
           WHERE tenant = $1 AND day = $2 AND (filled & $3::bit(96)) <> 0::bit(96) ORDER BY group_by, group_key",
};

static READ: Sql = Sql {
    step: "read window_cells",
    text: "SELECT c.day, c.group_by, c.group_key, c.filled, c.quarters, c.total \
           FROM unnest($2::date[], $3::text[], $4::text[]) AS k (day, group_by, group_key) \
           CROSS JOIN LATERAL (SELECT day, group_by, group_key, filled, quarters, total FROM window_cells c \
                               WHERE c.tenant = $1 AND c.day = k.day AND c.group_by = k.group_by AND c.group_key = k.group_key \
                               OFFSET 0) c",
};

// Day by day along the primary key, which starts with the day. The quarters, mostly stored apart, are not touched.
static TOTALS: Sql = Sql {
    step: "read the totals of window_cells",
    text: "SELECT c.day, c.group_by, c.group_key, c.total \
           FROM unnest($2::text[], $3::text[], $4::date[], $5::date[]) AS k (group_by, group_key, from_day, to_day) \
           CROSS JOIN LATERAL generate_series(0, k.to_day - k.from_day - 1) AS n \
           CROSS JOIN LATERAL (SELECT day, group_by, group_key, total FROM window_cells c \
                               WHERE c.tenant = $1 AND c.day = k.from_day + n AND c.group_by = k.group_by \
                                 AND c.group_key = k.group_key OFFSET 0) c",
};

static PUT: Sql = Sql {
    step: "write window_cells",
    text: "INSERT INTO window_cells AS c (tenant, day, group_by, group_key, filled, quarters, total) \
           SELECT $1, * FROM unnest($2::date[], $3::text[], $4::text[], $5::bit(96)[], $6::bytea[], $7::bytea[]) \
           ON CONFLICT (tenant, day, group_by, group_key) DO UPDATE SET \
                  filled = EXCLUDED.filled, quarters = EXCLUDED.quarters, total = EXCLUDED.total, updated_at = now() \
           WHERE c.filled <> EXCLUDED.filled OR c.total <> EXCLUDED.total OR c.quarters <> EXCLUDED.quarters",
};

static REMOVE: Sql = Sql {
    step: "delete window_cells",
    text: "DELETE FROM window_cells c USING unnest($2::date[], $3::text[], $4::text[]) AS k (day, group_by, group_key) \
           WHERE c.tenant = $1 AND c.day = k.day AND c.group_by = k.group_by AND c.group_key = k.group_key",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&FILLED, &READ, &TOTALS, &PUT, &REMOVE];

/// The groups, dimensions and values, that have something in one of these quarter hours of a day: bit q of byte q / 8.
pub async fn filled(
    conn: &impl Connection,
    tenant: &str,
    day: i32,
    mask: &[u8; 12],
) -> Result<Vec<(String, String)>, StoreError> {
    no_nul("tenant", tenant)?;
    let rows = sql::query(conn, &FILLED, &[&tenant, &Date(day), &Quarters(*mask)]).await?;
    rows.iter()
        .map(|row| Ok((sql::get(row, &FILLED, 0)?, sql::get(row, &FILLED, 1)?)))
        .collect()
}

/// The rows of these (day, dimensions, values), sorted by key. Those that are not there are left out.
pub async fn read(
    conn: &impl Connection,
    tenant: &str,
    keys: &[(i32, &str, &str)],
) -> Result<Vec<CellRow>, StoreError> {
    no_nul("tenant", tenant)?;
    let Some((day, group_by, group_key)) = key_columns(keys)? else {
        return Ok(Vec::new());
    };
    let sql = &READ;
    let rows = sql::query(conn, sql, &[&tenant, &day, &group_by, &group_key]).await?;
    rows.iter()
        .map(|row| {
            Ok(CellRow {
                day: sql::get::<Date>(row, sql, 0)?.0,
                group_by: sql::get(row, sql, 1)?,
                group_key: sql::get(row, sql, 2)?,
                filled: sql::get::<Quarters>(row, sql, 3)?.0,
                quarters: sql::get(row, sql, 4)?,
                total: sql::get(row, sql, 5)?,
            })
        })
        .collect()
}

/// The totals of whole days: of each group (dimensions, values, first day, the day after the last) what there is, as day, dimensions,
/// values and bytes. A day that two of the stretches name comes twice.
pub async fn totals(
    conn: &impl Connection,
    tenant: &str,
    groups: &[(&str, &str, i32, i32)],
) -> Result<Vec<(i32, String, String, Vec<u8>)>, StoreError> {
    no_nul("tenant", tenant)?;
    for (group_by, group_key, ..) in groups {
        no_nul("group_by", group_by)?;
        no_nul("group_key", group_key)?;
    }
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let group_by: Vec<&str> = groups.iter().map(|group| group.0).collect();
    let group_key: Vec<&str> = groups.iter().map(|group| group.1).collect();
    let from: Vec<Date> = groups.iter().map(|group| Date(group.2)).collect();
    let to: Vec<Date> = groups.iter().map(|group| Date(group.3)).collect();
    let sql = &TOTALS;
    let params: sql::Params<'_> = &[&tenant, &group_by, &group_key, &from, &to];
    let rows = sql::query(conn, sql, params).await?;
    rows.iter()
        .map(|row| {
            Ok((
                sql::get::<Date>(row, sql, 0)?.0,
                sql::get(row, sql, 1)?,
                sql::get(row, sql, 2)?,
                sql::get(row, sql, 3)?,
            ))
        })
        .collect()
}

/// Writes rows that are new or differ, deletes those that have nothing in them any more, and returns how many rows that were.
pub async fn write(
    tx: &Transaction<'_>,
    tenant: &str,
    put: &[CellRow],
    gone: &[(i32, &str, &str)],
) -> Result<u64, StoreError> {
    no_nul("tenant", tenant)?;
    let mut touched = 0;
    if let Some((day, group_by, group_key)) = key_columns(gone)? {
        let params: sql::Params<'_> = &[&tenant, &day, &group_by, &group_key];
        touched += sql::execute(tx, &REMOVE, params).await?;
    }
    for row in put {
        no_nul("group_by", &row.group_by)?;
        no_nul("group_key", &row.group_key)?;
    }
    let sorted = last_per_key(put, |row| {
        (row.day, row.group_by.as_str(), row.group_key.as_str())
    });
    if sorted.is_empty() {
        return Ok(touched);
    }
    let day = column(&sorted, |row| Date(row.day));
    let group_by = column(&sorted, |row| row.group_by.as_str());
    let group_key = column(&sorted, |row| row.group_key.as_str());
    let filled = column(&sorted, |row| Quarters(row.filled));
    let quarters = column(&sorted, |row| row.quarters.as_slice());
    let total = column(&sorted, |row| row.total.as_slice());
    let params: sql::Params<'_> = &[
        &tenant, &day, &group_by, &group_key, &filled, &quarters, &total,
    ];
    Ok(touched + sql::execute(tx, &PUT, params).await?)
}

type KeyColumns<'k> = (Vec<Date>, Vec<&'k str>, Vec<&'k str>);

/// The keys as columns, sorted, each once; none where there are none.
fn key_columns<'k>(keys: &[(i32, &'k str, &'k str)]) -> Result<Option<KeyColumns<'k>>, StoreError> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut columns: KeyColumns<'k> = Default::default();
    for (day, group_by, group_key) in sorted {
        no_nul("group_by", group_by)?;
        no_nul("group_key", group_key)?;
        columns.0.push(Date(day));
        columns.1.push(group_by);
        columns.2.push(group_key);
    }
    Ok((!columns.0.is_empty()).then_some(columns))
}
