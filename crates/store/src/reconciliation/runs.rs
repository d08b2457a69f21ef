//! What came of comparing: runs, their findings, and the zones that are not the platform's.

use super::Of;
use crate::columns::{column, no_nul};
use crate::error::StoreError;
use crate::json;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::{Instant, Json, JsonText};
use schema::UtcMicros;
use std::borrow::Cow;
use uuid::Uuid;

/// A run to be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NewRun<'a> {
    /// Whose numbers.
    pub of: Of<'a>,
    /// The first instant that was looked at.
    pub from: UtcMicros,
    /// The end of that, exclusive.
    pub to: UtcMicros,
    /// A name that no other run has.
    pub run_id: Uuid,
    /// The version of the zone data.
    pub tzdb: &'a str,
    /// How many findings somebody has to look at.
    pub findings: i64,
    /// The head and the sums, a JSON object.
    pub report_json: &'a str,
}

/// A line of a run's report. What has no meaning for its kind is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindingRow {
    /// `zone`, `figure` or `shift`.
    pub kind: String,
    /// The word of the verdict.
    pub verdict: String,
    /// Whether somebody has to look.
    pub finding: bool,
    /// The agent.
    pub agent_id: Option<String>,
    /// The queue.
    pub queue_id: Option<String>,
    /// From when on.
    pub from: Option<UtcMicros>,
    /// Until when, exclusive.
    pub to: Option<UtcMicros>,
    /// The date, by the clock that cut the day.
    pub day: Option<String>,
    /// What was compared.
    pub measure: Option<String>,
    /// Our number.
    pub ours: Option<i64>,
    /// The platform's.
    pub native: Option<i64>,
    /// How they differ.
    pub difference: Option<i64>,
    /// Whose clock we go by.
    pub our_zone: Option<String>,
    /// Whose clock the platform goes by.
    pub native_zone: Option<String>,
    /// How sure it is.
    pub confidence: Option<String>,
    /// In words. U+0000 is replaced.
    pub detail: String,
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The organisation.
    pub tenant: String,
    /// The platform.
    pub platform: String,
    /// The first instant that was looked at.
    pub from: UtcMicros,
    /// The end of that, exclusive.
    pub to: UtcMicros,
    /// Its name.
    pub run_id: Uuid,
    /// When it was made.
    pub run_at: UtcMicros,
    /// How many findings somebody has to look at.
    pub findings: i64,
    /// The head and the sums, a JSON object.
    pub report_json: String,
}

pub(super) static REMOVE: Sql = Sql {
    step: "delete the reconciliation of the same stretch",
    text: "DELETE FROM reconciliation_runs WHERE tenant = $1 AND platform = $2 AND from_at = $3 AND to_at = $4",
};

pub(super) static PUT: Sql = Sql {
    step: "write reconciliation_runs",
    text: "INSERT INTO reconciliation_runs (tenant, platform, from_at, to_at, run_id, tzdb, findings, report) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
};

pub(super) static LINES: Sql = Sql {
    step: "write reconciliation_findings",
    text: "INSERT INTO reconciliation_findings (run_id, line, kind, verdict, finding, agent_id, queue_id, from_at, to_at, day, measure, \
                                                ours, native, difference, our_zone, native_zone, confidence, detail) \
           SELECT $1, * FROM unnest($2::integer[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::timestamptz[], \
                                    $9::timestamptz[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], \
                                    $15::text[], $16::text[], $17::text[], $18::text[])",
};

pub(super) static LIST: Sql = Sql {
    step: "list reconciliation_runs",
    text: "SELECT tenant, platform, from_at, to_at, run_id, run_at, findings, report FROM reconciliation_runs \
           WHERE ($1::text IS NULL OR tenant = $1) AND ($2::text IS NULL OR platform = $2) ORDER BY run_at DESC, run_id LIMIT $3",
};

pub(super) static REPORT: Sql = Sql {
    step: "read reconciliation_findings",
    text: "SELECT kind, verdict, finding, agent_id, queue_id, from_at, to_at, day, measure, ours, native, difference, our_zone, \
                  native_zone, confidence, detail \
           FROM reconciliation_findings WHERE run_id = $1 ORDER BY line",
};

// Those that are found again keep when they were first seen.
pub(super) static FORGET_ZONES: Sql = Sql {
    step: "delete zones that differed from a platform's",
    text: "DELETE FROM zone_findings z WHERE z.tenant = $1 AND z.platform = $2 \
           AND NOT EXISTS (SELECT FROM unnest($3::text[], $4::text[]) AS k (source, stated) \
                           WHERE k.source = z.source AND k.stated = z.stated)",
};

pub(super) static NOTE_ZONES: Sql = Sql {
    step: "note zones that differ from a platform's",
    text: "INSERT INTO zone_findings AS z (tenant, source, stated, interaction_id, platform, agent_id, kind, platform_zone, \
                                           ahead_seconds, since, confidence, detail) \
           SELECT $1, u.source, u.stated, '', $2, u.agent_id, u.kind, u.platform_zone, u.ahead_seconds, u.since, u.confidence, u.detail \
           FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::timestamptz[], $10::text[], \
                       $11::text[]) \
                AS u (source, stated, agent_id, kind, platform_zone, ahead_seconds, since, confidence, detail) \
           ON CONFLICT (tenant, source, stated) DO UPDATE \
           SET last_seen = now(), kind = EXCLUDED.kind, platform_zone = EXCLUDED.platform_zone, \
               ahead_seconds = EXCLUDED.ahead_seconds, since = EXCLUDED.since, confidence = EXCLUDED.confidence, \
               detail = EXCLUDED.detail",
};

/// Writes a run in the place of an earlier one of the same stretch, with its lines in their order.
pub async fn put(
    tx: &Transaction<'_>,
    run: &NewRun<'_>,
    lines: &[FindingRow],
) -> Result<(), StoreError> {
    run.of.check()?;
    let (from, to) = (Instant(run.from), Instant(run.to));
    let same: sql::Params<'_> = &[&run.of.tenant, &run.of.platform, &from, &to];
    sql::execute(tx, &REMOVE, same).await?;
    let report = Json::new(run.report_json);
    let params: sql::Params<'_> = &[
        &run.of.tenant,
        &run.of.platform,
        &from,
        &to,
        &run.run_id,
        &run.tzdb,
        &run.findings,
        &report,
    ];
    sql::execute(tx, &PUT, params).await?;
    if lines.is_empty() {
        return Ok(());
    }
    let rows: Vec<&FindingRow> = lines.iter().collect();
    let numbers: Vec<i32> = (0..).take(rows.len()).collect();
    let details: Vec<Cow<'_, str>> = rows
        .iter()
        .map(|row| json::printable(&row.detail))
        .collect();
    let kind = column(&rows, |row| row.kind.as_str());
    let verdict = column(&rows, |row| row.verdict.as_str());
    let finding = column(&rows, |row| row.finding);
    let agent = column(&rows, |row| row.agent_id.as_deref());
    let queue = column(&rows, |row| row.queue_id.as_deref());
    let begins = column(&rows, |row| row.from.map(Instant));
    let ends = column(&rows, |row| row.to.map(Instant));
    let day = column(&rows, |row| row.day.as_deref());
    let measure = column(&rows, |row| row.measure.as_deref());
    let ours = column(&rows, |row| row.ours);
    let native = column(&rows, |row| row.native);
    let difference = column(&rows, |row| row.difference);
    let our_zone = column(&rows, |row| row.our_zone.as_deref());
    let native_zone = column(&rows, |row| row.native_zone.as_deref());
    let confidence = column(&rows, |row| row.confidence.as_deref());
    let params: sql::Params<'_> = &[
        &run.run_id,
        &numbers,
        &kind,
        &verdict,
        &finding,
        &agent,
        &queue,
        &begins,
        &ends,
        &day,
        &measure,
        &ours,
        &native,
        &difference,
        &our_zone,
        &native_zone,
        &confidence,
        &details,
    ];
    sql::execute(tx, &LINES, params).await.map(drop)
}

/// Notes which agents' clocks are not the platform's, and forgets those that are now. Lines of other kinds, or without an agent or a zone of ours,
/// are passed over.
pub async fn note_zones(
    tx: &Transaction<'_>,
    of: Of<'_>,
    lines: &[FindingRow],
) -> Result<(), StoreError> {
    struct Noted<'a> {
        source: String,
        stated: &'a str,
        row: &'a FindingRow,
    }
    of.check()?;
    let noted: Vec<Noted<'_>> = lines
        .iter()
        .filter(|row| row.kind == "zone")
        .filter_map(|row| {
            let agent = row.agent_id.as_deref()?;
            Some(Noted {
                source: format!("reconciliation/{}/{agent}", of.platform),
                stated: row.our_zone.as_deref().unwrap_or_default(),
                row,
            })
        })
        .collect();
    for one in &noted {
        no_nul("source", &one.source)?;
        no_nul("stated", one.stated)?;
    }
    let sources: Vec<&str> = noted.iter().map(|one| one.source.as_str()).collect();
    let zones: Vec<&str> = noted.iter().map(|one| one.stated).collect();
    let params: sql::Params<'_> = &[&of.tenant, &of.platform, &sources, &zones];
    sql::execute(tx, &FORGET_ZONES, params).await?;
    let sorted = crate::columns::last_per_key(&noted, |one| (one.source.as_str(), one.stated));
    if sorted.is_empty() {
        return Ok(());
    }
    let source = column(&sorted, |one| one.source.as_str());
    let stated = column(&sorted, |one| one.stated);
    let agent = column(&sorted, |one| one.row.agent_id.as_deref());
    let kind = column(&sorted, |one| one.row.verdict.as_str());
    let platform_zone = column(&sorted, |one| one.row.native_zone.as_deref());
    let ahead = column(&sorted, |one| one.row.difference);
    let since = column(&sorted, |one| one.row.from.map(Instant));
    let confidence = column(&sorted, |one| one.row.confidence.as_deref());
    let details: Vec<Cow<'_, str>> = sorted
        .iter()
        .map(|one| json::printable(&one.row.detail))
        .collect();
    let params: sql::Params<'_> = &[
        &of.tenant,
        &of.platform,
        &source,
        &stated,
        &agent,
        &kind,
        &platform_zone,
        &ahead,
        &since,
        &confidence,
        &details,
    ];
    sql::execute(tx, &NOTE_ZONES, params).await.map(drop)
}

/// The newest runs first, at most `limit`; of one organisation and platform where these are named.
pub async fn list(
    conn: &impl Connection,
    tenant: Option<&str>,
    platform: Option<&str>,
    limit: i64,
) -> Result<Vec<Run>, StoreError> {
    no_nul("tenant", tenant.unwrap_or_default())?;
    no_nul("platform", platform.unwrap_or_default())?;
    let sql = &LIST;
    sql::query(conn, sql, &[&tenant, &platform, &limit])
        .await?
        .iter()
        .map(|row| {
            Ok(Run {
                tenant: sql::get(row, sql, 0)?,
                platform: sql::get(row, sql, 1)?,
                from: sql::get::<Instant>(row, sql, 2)?.0,
                to: sql::get::<Instant>(row, sql, 3)?.0,
                run_id: sql::get(row, sql, 4)?,
                run_at: sql::get::<Instant>(row, sql, 5)?.0,
                findings: sql::get(row, sql, 6)?,
                report_json: sql::get::<JsonText>(row, sql, 7)?.0,
            })
        })
        .collect()
}

/// The lines of a run, in their order; none where there is no such run.
pub async fn lines(conn: &impl Connection, run_id: Uuid) -> Result<Vec<FindingRow>, StoreError> {
    let sql = &REPORT;
    sql::query(conn, sql, &[&run_id])
        .await?
        .iter()
        .map(|row| {
            Ok(FindingRow {
                kind: sql::get(row, sql, 0)?,
                verdict: sql::get(row, sql, 1)?,
                finding: sql::get(row, sql, 2)?,
                agent_id: sql::get(row, sql, 3)?,
                queue_id: sql::get(row, sql, 4)?,
                from: sql::get::<Option<Instant>>(row, sql, 5)?.map(|at| at.0),
                to: sql::get::<Option<Instant>>(row, sql, 6)?.map(|at| at.0),
                day: sql::get(row, sql, 7)?,
                measure: sql::get(row, sql, 8)?,
                ours: sql::get(row, sql, 9)?,
                native: sql::get(row, sql, 10)?,
                difference: sql::get(row, sql, 11)?,
                our_zone: sql::get(row, sql, 12)?,
                native_zone: sql::get(row, sql, 13)?,
                confidence: sql::get(row, sql, 14)?,
                detail: sql::get(row, sql, 15)?,
            })
        })
        .collect()
}
