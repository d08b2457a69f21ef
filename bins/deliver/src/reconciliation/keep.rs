//! Keeps what came of a comparison, and makes a report of it again.

use anyhow::Context as _;
use reconcile::report::Totals;
use reconcile::{Head, Line, Report};
use serde::{Deserialize, Serialize};
use store::Client;
use store::reconciliation::Of;
use store::reconciliation::runs::{self, FindingRow, NewRun, Run};
use uuid::Uuid;

/// What is kept of a report beside its lines.
#[derive(Serialize, Deserialize)]
struct Kept {
    tzdb: String,
    totals: Totals,
    not_compared: Vec<String>,
}

/// Writes the report in the place of an earlier one of the same stretch, and which agents' clocks are not the platform's. All or nothing.
pub async fn keep(client: &mut Client, report: &Report) -> anyhow::Result<Uuid> {
    let kept = Kept {
        tzdb: report.head.tzdb.clone(),
        totals: report.totals.clone(),
        not_compared: report.not_compared.clone(),
    };
    let text = serde_json::to_string(&kept)?;
    let of = Of {
        tenant: &report.head.tenant,
        platform: &report.head.platform,
    };
    let run = NewRun {
        of,
        from: report.head.from,
        to: report.head.to,
        run_id: Uuid::now_v7(),
        tzdb: &report.head.tzdb,
        findings: i64::try_from(report.totals.findings)?,
        report_json: &text,
    };
    let rows: Vec<FindingRow> = report.lines.iter().map(row).collect();
    let tx = client.transaction().await?;
    runs::put(&tx, &run, &rows).await?;
    runs::note_zones(&tx, of, &rows).await?;
    tx.commit().await?;
    Ok(run.run_id)
}

/// The report of a run that was kept.
pub async fn read(client: &Client, run: &Run) -> anyhow::Result<Report> {
    let kept: Kept = serde_json::from_str(&run.report_json)
        .with_context(|| format!("the sums of run {} cannot be read", run.run_id))?;
    let rows = runs::lines(client, run.run_id).await?;
    Ok(Report {
        head: Head {
            tenant: run.tenant.clone(),
            platform: run.platform.clone(),
            from: run.from,
            to: run.to,
            tzdb: kept.tzdb,
        },
        totals: kept.totals,
        not_compared: kept.not_compared,
        lines: rows.into_iter().map(line).collect(),
    })
}

fn row(line: &Line) -> FindingRow {
    FindingRow {
        kind: line.kind.clone(),
        verdict: line.verdict.clone(),
        finding: line.finding,
        agent_id: line.agent.clone(),
        queue_id: line.queue.clone(),
        from: line.from,
        to: line.to,
        day: line.day.clone(),
        measure: line.measure.clone(),
        ours: line.ours,
        native: line.native,
        difference: line.difference,
        our_zone: line.our_zone.clone(),
        native_zone: line.native_zone.clone(),
        confidence: line.confidence.clone(),
        detail: line.detail.clone(),
    }
}

fn line(row: FindingRow) -> Line {
    Line {
        kind: row.kind,
        agent: row.agent_id,
        queue: row.queue_id,
        from: row.from,
        to: row.to,
        day: row.day,
        measure: row.measure,
        verdict: row.verdict,
        finding: row.finding,
        ours: row.ours,
        native: row.native,
        difference: row.difference,
        our_zone: row.our_zone,
        native_zone: row.native_zone,
        confidence: row.confidence,
        detail: row.detail,
    }
}
