//! Zones met in facts: names that nobody could resolve, names that are resolved, and what the server thinks of the latter.
//!
//! Zones are resolved in Rust, in one place. [`server_offsets`] is the only statement that lets PostgreSQL resolve one, and only so that
//! its answer can be compared with ours; nothing is computed from it.

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The most characters of a stated name that are kept: an index takes no text of any length.
const STATED_MAX: usize = 200;

/// A stated zone that could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The name as it was stated. U+0000 is replaced, and what is beyond 200 characters cut off.
    pub stated: &'a str,
    /// Who was to name the zone: `agent`, `queue` …
    pub source: &'a str,
    /// An interaction that it was met in.
    pub interaction_id: &'a str,
}

/// A finding as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFinding {
    /// The organisation.
    pub tenant: String,
    /// Who was to name the zone.
    pub source: String,
    /// The name as it was stated.
    pub stated: String,
    /// The first interaction that it was met in.
    pub interaction_id: String,
    /// When it was first met.
    pub first_seen: UtcMicros,
    /// When it was last met, to the hour.
    pub last_seen: UtcMicros,
}

// What was met within the hour is left alone before the insert: a conflict would lock the row until the commit, and workers that meet the
// same zone in every batch would queue for it.
static RECORD: Sql = Sql {
    step: "record unknown zones",
    text: "INSERT INTO zone_findings AS z (tenant, source, stated, interaction_id) \
           SELECT u.tenant, u.source, u.stated, u.interaction_id \
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u (tenant, source, stated, interaction_id) \
           WHERE NOT EXISTS (SELECT FROM zone_findings k WHERE k.tenant = u.tenant AND k.source = u.source AND k.stated = u.stated \
                             AND k.last_seen > now() - interval '1 hour') \
           ON CONFLICT (tenant, source, stated) DO UPDATE SET last_seen = now() WHERE z.last_seen < now()",
};

static LIST: Sql = Sql {
    step: "list unknown zones",
    text: "SELECT tenant, source, stated, interaction_id, first_seen, last_seen FROM zone_findings \
           WHERE platform IS NULL ORDER BY tenant, source, stated",
};

static NOTE_IN_USE: Sql = Sql {
    step: "note zones in use",
    text: "INSERT INTO zones_in_use (zone) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
};

static IN_USE: Sql = Sql {
    step: "list zones in use",
    text: "SELECT zone FROM zones_in_use ORDER BY zone",
};

// The names are read once (it is a file each); one that is not among them would be an error of the whole statement.
static SERVER_OFFSETS: Sql = Sql {
    step: "ask the server for offsets of zones",
    text: "WITH known AS MATERIALIZED (SELECT name FROM pg_timezone_names) \
           SELECT CASE WHEN u.zone IN (SELECT name FROM known) \
                       THEN extract(epoch FROM (u.at AT TIME ZONE u.zone) - (u.at AT TIME ZONE 'UTC'))::integer END \
           FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS u (zone, at, place) ORDER BY u.place",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&RECORD, &LIST, &NOTE_IN_USE, &IN_USE, &SERVER_OFFSETS];

/// Records unknown zones, one row a tenant, source and name; what was met within the hour costs a look only.
pub async fn record(tx: &Transaction<'_>, findings: &[Finding<'_>]) -> Result<(), StoreError> {
    struct Kept<'a> {
        finding: &'a Finding<'a>,
        stated: Cow<'a, str>,
    }
    let mut kept = Vec::with_capacity(findings.len());
    // Backwards, because the last of equal keys is kept, and the example should be the first one met.
    for finding in findings.iter().rev() {
        no_nul("tenant", finding.tenant)?;
        no_nul("source", finding.source)?;
        no_nul("interaction_id", finding.interaction_id)?;
        let end = finding.stated.char_indices().nth(STATED_MAX);
        let cut = end.map_or(finding.stated, |(end, _)| &finding.stated[..end]);
        kept.push(Kept {
            finding,
            stated: crate::json::printable(cut),
        });
    }
    let sorted = last_per_key(&kept, |row| {
        (row.finding.tenant, row.finding.source, row.stated.as_ref())
    });
    if sorted.is_empty() {
        return Ok(());
    }
    let tenants = column(&sorted, |row| row.finding.tenant);
    let sources = column(&sorted, |row| row.finding.source);
    let stated = column(&sorted, |row| row.stated.as_ref());
    let interactions = column(&sorted, |row| row.finding.interaction_id);
    let params: sql::Params<'_> = &[&tenants, &sources, &stated, &interactions];
    sql::execute(tx, &RECORD, params).await.map(drop)
}

/// All unknown zones, by tenant, source and name.
pub async fn list(conn: &impl Connection) -> Result<Vec<StoredFinding>, StoreError> {
    let sql = &LIST;
    sql::query(conn, sql, &[])
        .await?
        .iter()
        .map(|row| {
            Ok(StoredFinding {
                tenant: sql::get(row, sql, 0)?,
                source: sql::get(row, sql, 1)?,
                stated: sql::get(row, sql, 2)?,
                interaction_id: sql::get(row, sql, 3)?,
                first_seen: sql::get::<Instant>(row, sql, 4)?.0,
                last_seen: sql::get::<Instant>(row, sql, 5)?.0,
            })
        })
        .collect()
}

/// Notes that metrics were computed in these zones. Known ones cost a look; keep those noted in memory.
pub async fn note_in_use(tx: &Transaction<'_>, zones: &[&str]) -> Result<(), StoreError> {
    for zone in zones {
        no_nul("zone", zone)?;
    }
    let sorted: Vec<&str> = zones
        .iter()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    if sorted.is_empty() {
        return Ok(());
    }
    sql::execute(tx, &NOTE_IN_USE, &[&sorted]).await.map(drop)
}

/// The zones that metrics were computed in, by name.
pub async fn in_use(conn: &impl Connection) -> Result<Vec<String>, StoreError> {
    sql::query(conn, &IN_USE, &[])
        .await?
        .iter()
        .map(|row| sql::get(row, &IN_USE, 0))
        .collect()
}

/// The offset from UTC, in seconds, that PostgreSQL's own zone data give for each zone and instant; `None` for a zone it does not know.
///
/// For comparing that data with ours at start, and for nothing else.
pub async fn server_offsets<Z: AsRef<str> + Sync>(
    conn: &impl Connection,
    asked: &[(Z, UtcMicros)],
) -> Result<Vec<Option<i32>>, StoreError> {
    let mut zones = Vec::with_capacity(asked.len());
    let mut instants = Vec::with_capacity(asked.len());
    for (zone, at) in asked {
        no_nul("zone", zone.as_ref())?;
        zones.push(zone.as_ref());
        instants.push(Instant(*at));
    }
    if zones.is_empty() {
        return Ok(Vec::new());
    }
    sql::query(conn, &SERVER_OFFSETS, &[&zones, &instants])
        .await?
        .iter()
        .map(|row| sql::get(row, &SERVER_OFFSETS, 0))
        .collect()
}
