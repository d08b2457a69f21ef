//! What a job says of itself at its end: what came, what is computed of it, and the old version against the new.

use super::settle::Left;
use crate::replay;
use crate::source::Source;
use runtime::chain;
use schema::{MetricVersion, UtcMicros};
use serde_json::{Map, Value, json};
use std::time::Duration;
use std::time::Instant;
use store::arrivals::{self, Computed, Stretch, Touched};
use store::chunks::{self, Chunk, State, Totals};
use store::comparison::{self, Comparison, Side};
use store::definitions::{self, Status, StoredDefinition};
use store::jobs::{Job, Purpose};
use store::{Client, StoreError};

/// Chunks that came up short or failed are named up to this number; all are counted.
const NAMED_MAX: u32 = 20;
/// KPIs are compared for so long; those that are left say so.
const COMPARED_FOR: Duration = Duration::from_secs(120);

/// The job's definitions: those with its number that were ever activated, and of the names it asks for.
pub(super) fn of_job<'d>(
    all: &'d [StoredDefinition],
    job: &Job,
) -> impl Iterator<Item = &'d StoredDefinition> {
    let (version, kpis) = (job.metric_version, job.kpis.clone());
    all.iter().filter(move |row| {
        row.version == version
            && row.activated_at.is_some()
            && (kpis.is_empty() || kpis.contains(&row.name))
    })
}

/// Everything but the outcome of the promotion, which comes later. What takes longer than the connection has patience for is named as not
/// looked at.
pub(super) async fn report(
    client: &Client,
    job: &Job,
    tenants: &[String],
    left: &Left,
    now: UtcMicros,
) -> Result<Map<String, Value>, StoreError> {
    let totals = chunks::totals(client, job.id).await?;
    let mut report = Map::new();
    head(&mut report, job, &totals, now);
    let short = short(client, job).await?;
    let failed = chunks::page(client, job.id, 0, Some(State::Failed), NAMED_MAX).await?;
    report.insert("short".to_owned(), short.iter().map(shown).collect());
    report.insert("failed".to_owned(), failed.iter().map(shown).collect());
    let (Some(from), Some(to)) = (job.from, job.to) else {
        return Ok(report);
    };
    // What single look-ups bring is seen in each interaction; nothing is compared for it.
    if job.purpose == Purpose::Lookup {
        return Ok(report);
    }
    let stretch = Stretch { tenants, from, to };
    let mut unseen = Vec::new();
    if left.computed.is_none() {
        unseen.push("computed");
    }
    let shown = left.computed.map(|found| computed(&found, left.marked));
    report.insert("computed".to_owned(), shown.unwrap_or_default());
    let began = job.started_at.unwrap_or(job.created_at);
    let touched = match arrivals::touched(client, &stretch, began, job.metric_version).await {
        Ok(touched) => touched,
        // Worth knowing, and not worth keeping the job for.
        Err(error) if error.is_slow() => {
            unseen.push("other_versions");
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    report.insert(
        "other_versions".to_owned(),
        touched.iter().map(other).collect(),
    );
    if Source::parse(&job.kind) == Some(Source::Replay) {
        match replayed(client, job).await? {
            Some(counts) => drop(report.insert("replay".to_owned(), counts)),
            None => unseen.push("replay"),
        }
    }
    report.insert("not_looked_at".to_owned(), unseen.into());
    let all = definitions::list(client).await?;
    let definitions: Vec<String> = of_job(&all, job).map(named).collect();
    report.insert("definitions".to_owned(), definitions.into());
    report.insert(
        "comparison".to_owned(),
        compare(client, job, &all, &stretch).await?,
    );
    Ok(report)
}

/// What became of the events of a replay; none: another release wrote a cursor that this one cannot read.
async fn replayed(client: &Client, job: &Job) -> Result<Option<Value>, StoreError> {
    if !job.chunked {
        // The command that published them left it here.
        let kept = job.report_json.as_deref();
        let kept = kept.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
        return Ok(kept.and_then(|mut kept| kept.remove("replay")));
    }
    let mut cursors = Vec::new();
    let mut next = 0;
    loop {
        let page = chunks::page(client, job.id, next, None, 500).await?;
        let Some(last) = page.last() else { break };
        next = last.number.saturating_add(1);
        cursors.extend(page.into_iter().filter_map(|chunk| chunk.cursor_json));
    }
    match replay::totals(cursors.iter().map(String::as_str)) {
        Ok(totals) => Ok(Some(totals.json())),
        Err(error) => {
            tracing::warn!(job = %job.id, error = %chain(error.as_ref()), "what was replayed cannot be read");
            Ok(None)
        }
    }
}

/// What of the job is known to be missing, in words; empty: it is whole. A look-up is not short for a conversation that goes on.
pub(super) fn gaps(job: &Job, report: &Map<String, Value>) -> Vec<String> {
    let of = |part: &str, name: &str| {
        let part = report.get(part)?;
        part.get(name)?.as_i64()
    };
    let own = |name: &str| report.get(name).and_then(Value::as_i64);
    let unseen = report.get("not_looked_at").and_then(Value::as_array);
    let counts = |part: &Value| part == "computed" || part == "replay";
    let unseen = unseen.is_some_and(|parts| parts.iter().any(counts));
    let short = own("chunks_short").filter(|_| job.purpose != Purpose::Lookup);
    [
        (own("chunks_failed"), "chunks were given up"),
        (of("replay", "unmapped"), "events could not be mapped"),
        (short, "chunks have fewer records than the platform counts"),
        (
            of("computed", "not_evaluated"),
            "interactions were not evaluated",
        ),
        (of("computed", "owed"), "interactions are owed evaluations"),
        (of("computed", "marks_waiting"), "marks wait to be computed"),
    ]
    .into_iter()
    .filter_map(|(count, what)| Some((count.filter(|count| *count > 0)?, what)))
    .map(|(count, what)| format!("{count} {what}"))
    .chain(unseen.then(|| "not all could be looked at".to_owned()))
    .collect()
}

fn head(report: &mut Map<String, Value>, job: &Job, totals: &Totals, now: UtcMicros) {
    let began = job.started_at.unwrap_or(job.created_at);
    let records = if job.chunked {
        totals.records
    } else {
        job.done
    };
    let members = json!({
        "job": job.id.to_string(),
        "kind": job.kind,
        "purpose": job.purpose.as_str(),
        "platform": job.platform,
        "tenant": job.tenant,
        "from": job.from.map(|at| at.to_string()),
        "to": job.to.map(|at| at.to_string()),
        "metric_version": job.metric_version.0,
        "kpis": job.kpis,
        "seconds": now.since(began).0 / 1000,
        "chunks": totals.chunks,
        "chunks_short": totals.short,
        "chunks_failed": totals.failed,
        "chunks_reopened": totals.reopened,
        "pages": totals.pages,
        "records": records,
        "bytes": totals.bytes,
        "calls": totals.calls,
        "expected": totals.expected,
        "arrived": totals.arrived,
    });
    if let Value::Object(members) = members {
        report.extend(members);
    }
}

async fn short(client: &Client, job: &Job) -> Result<Vec<Chunk>, StoreError> {
    let mut short = Vec::new();
    let mut next = 0;
    // In pages: a job may have thousands of chunks.
    loop {
        let page = chunks::page(client, job.id, next, Some(State::Done), 500).await?;
        let Some(last) = page.last() else {
            return Ok(short);
        };
        next = last.number.saturating_add(1);
        short.extend(page.into_iter().filter(is_short));
        if short.len() >= usize::try_from(NAMED_MAX).unwrap_or(usize::MAX) {
            short.truncate(usize::try_from(NAMED_MAX).unwrap_or(usize::MAX));
            return Ok(short);
        }
    }
}

fn is_short(chunk: &Chunk) -> bool {
    chunk
        .expected
        .zip(chunk.arrived)
        .is_some_and(|(expected, arrived)| arrived < expected)
}

fn shown(chunk: &Chunk) -> Value {
    json!({
        "chunk": chunk.number,
        "from": chunk.from.to_string(),
        "to": chunk.to.to_string(),
        "expected": chunk.expected,
        "arrived": chunk.arrived,
        "error": chunk.last_error,
    })
}

fn computed(computed: &Computed, marked: i64) -> Value {
    json!({
        "interactions": computed.interactions,
        "not_evaluated": computed.missing,
        "owed": computed.owed,
        "marks_waiting": marked,
    })
}

/// New facts revise every version that is switched on. Live traffic about the same time counts, too.
fn other(touched: &Touched) -> Value {
    json!({
        "kpi": touched.name,
        "version": touched.version.0,
        "new_rows": touched.new,
        "revised_rows": touched.revised,
    })
}

fn named(row: &StoredDefinition) -> String {
    format!("{}@{}", row.name, row.version)
}

async fn compare(
    client: &Client,
    job: &Job,
    all: &[StoredDefinition],
    stretch: &Stretch<'_>,
) -> Result<Value, StoreError> {
    let began = Instant::now();
    let mut compared = Vec::new();
    for row in of_job(all, job) {
        let current = all
            .iter()
            .find(|other| other.name == row.name && other.status == Status::Current)
            .map(|current| current.version);
        // The job's version is what dashboards see: there is nothing to compare it with.
        let Some(old) = current.filter(|old| *old != job.metric_version) else {
            continue;
        };
        if began.elapsed() >= COMPARED_FOR {
            compared.push(not_compared(row, old, "there was no time left"));
            continue;
        }
        match comparison::compare(client, &row.name, old, row.version, stretch).await {
            Ok(found) => compared.push(against(&row.name, old, row.version, &found)),
            // The others may be smaller.
            Err(error) if error.is_slow() => {
                compared.push(not_compared(row, old, "it took too long"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Value::Array(compared))
}

fn against(name: &str, old: MetricVersion, new: MetricVersion, found: &Comparison) -> Value {
    let side = |version: MetricVersion, side: &Side| {
        json!({
            "version": version.0,
            "rows": side.rows,
            "values": side.values,
            "sum": side.sum,
            "mean": side.mean(),
        })
    };
    json!({
        "kpi": name,
        "old": side(old, &found.old),
        "new": side(new, &found.new),
        "changed": found.changed,
        "only_old": found.only_old,
        "only_new": found.only_new,
    })
}

fn not_compared(row: &StoredDefinition, old: MetricVersion, why: &str) -> Value {
    json!({"kpi": row.name, "old": {"version": old.0}, "new": {"version": row.version.0}, "not_compared": why})
}

/// Whether a job of this kind brings what KPIs are computed from.
pub(super) fn is_noticed(job: &Job) -> bool {
    // Of what stays beside the line nobody has to refresh anything.
    let told = Source::parse(&job.kind).is_some_and(|source| !source.stays_beside());
    told && matches!(
        job.purpose,
        Purpose::Job | Purpose::Gap | Purpose::Settlement
    )
}
