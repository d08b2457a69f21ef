//! `/api/v1/jobs`: backfill jobs and how far they are.

use super::access::{TENANT, reach};
use super::answer::{self, Answer};
use super::metrics::{CURSOR, LIMIT};
use super::problem::Problem;
use super::query::{Kind, Parameter};
use super::resource::{About, Asked, ROOT};
use super::values::{At, Object};
use super::{Context, cursor};
use schema::{JobId, UtcMicros};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use store::chunks::{self, Totals};
use store::jobs::{Job, State};
use store::reading::jobs::page;

const STATE: Parameter = Parameter {
    name: "state",
    kind: Kind::OneOf(&[
        "pending",
        "running",
        "paused",
        "settling",
        "done",
        "failed",
        "cancelled",
    ]),
    required: false,
    about: "Only jobs in this state.",
    example: None,
};

/// What is said of it.
pub(super) const ABOUT: About = About {
    path: "jobs",
    summary: "Backfill jobs with their progress, newest first.",
    description: "Jobs of all organisations together (a replay of everything) are shown to tokens that reach all of them.",
    parameters: &[TENANT, STATE, LIMIT, CURSOR],
    schema: |generator| generator.subschema_for::<JobList>(),
};

/// A page of jobs.
#[derive(Debug, Serialize, JsonSchema)]
struct JobList {
    /// The rows.
    items: Vec<JobItem>,
    /// The cursor of the page behind; null: this was the last one.
    next: Option<String>,
}

/// A job.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Job")]
struct JobItem {
    /// Its id.
    id: String,
    /// Its source: `replay`, `genesys-conversations` …
    source: String,
    /// The organisation; null: all.
    tenant: Option<String>,
    /// Which platform it asks; null: none.
    platform: Option<String>,
    /// The version it is for.
    metric_version: u16,
    /// `pending`, `running`, `paused`, `settling`, `done`, `failed` or `cancelled`.
    state: &'static str,
    /// `job`, `follow`, `settlement`, `lookup` or `gap`.
    purpose: &'static str,
    /// `history` or `live`.
    lane: &'static str,
    /// It goes on for as long as nobody cancels it.
    standing: bool,
    /// The stretch it is for.
    from: Option<At>,
    /// Its end, which does not belong to it.
    to: Option<At>,
    /// The KPIs its results are wanted of; empty: all.
    kpis: Vec<String>,
    /// Items done; of a job in chunks: chunks.
    done: i64,
    /// Of how many; null: not known.
    total: Option<i64>,
    /// Done of total, 0 to 1; null where there is no total, or no end.
    progress: Option<f64>,
    /// Its chunks in sum, where it has any.
    chunks: Option<Chunks>,
    /// Why it is paused.
    paused_for: Option<String>,
    /// Why it failed.
    error: Option<String>,
    /// What came of it.
    report: Option<Object>,
    /// When it was created.
    created_at: At,
    /// When a worker first took it.
    started_at: Option<At>,
    /// When it was last written.
    updated_at: At,
    /// When it ended.
    finished_at: Option<At>,
}

/// Chunks in sum.
#[derive(Debug, Serialize, JsonSchema)]
struct Chunks {
    /// With pages to fetch.
    open: i64,
    /// Fetched and not yet compared.
    fetched: i64,
    /// Ended well.
    done: i64,
    /// Given up.
    failed: i64,
    /// That wait for something.
    waiting: i64,
    /// Records so far.
    records: i64,
    /// Requests to the platform so far.
    calls: i64,
}

/// How much of a job is done, 0 to 1; of one without an end or a total nobody knows.
#[must_use]
#[allow(
    clippy::cast_precision_loss,
    reason = "a share that is shown, of counts far below 2^53"
)]
pub fn progress(job: &Job) -> Option<f64> {
    let total = job.total.filter(|total| *total > 0 && !job.standing)?;
    Some((job.done as f64 / total as f64).clamp(0.0, 1.0))
}

impl JobItem {
    fn of(job: Job, totals: Option<&Totals>) -> Self {
        Self {
            progress: progress(&job),
            id: job.id.0.to_string(),
            source: job.kind,
            tenant: job.tenant,
            platform: job.platform,
            metric_version: job.metric_version.0,
            state: job.state.as_str(),
            purpose: job.purpose.as_str(),
            lane: job.lane.as_str(),
            standing: job.standing,
            from: job.from.map(At),
            to: job.to.map(At),
            kpis: job.kpis,
            done: job.done,
            total: job.total,
            chunks: totals.map(|totals| Chunks {
                open: totals.open,
                fetched: totals.fetched,
                done: totals.done,
                failed: totals.failed,
                waiting: totals.waiting,
                records: totals.records,
                calls: totals.calls,
            }),
            paused_for: job.paused_for,
            error: job.error,
            report: job.report_json.as_deref().map(Object::stored),
            created_at: At(job.created_at),
            started_at: job.started_at.map(At),
            updated_at: At(job.updated_at),
            finished_at: job.finished_at.map(At),
        }
    }
}

/// The state of this name.
fn state(text: &str) -> Option<State> {
    [
        State::Pending,
        State::Running,
        State::Paused,
        State::Settling,
        State::Done,
        State::Failed,
        State::Cancelled,
    ]
    .into_iter()
    .find(|state| state.as_str() == text)
}

pub(super) async fn answer(context: &Context, asked: Asked<'_>) -> Result<Answer, Problem> {
    let query = asked.query;
    let tenants = asked.access.tenants(query)?;
    let limit = query.limit(&LIMIT);
    let list = format!("jobs {tenants:?} {}", query.identity());
    let after = cursor::read::<(i64, uuid::Uuid)>(&list, query.text(&CURSOR))?;
    let after = after.map(|(at, id)| (UtcMicros(at), JobId(id)));
    let client = context.store.client().await?;
    let state = query.text(&STATE).and_then(state);
    let reach = reach(tenants.as_deref());
    let mut jobs = page(&client, reach, state, after, limit + 1).await?;
    let more = jobs.len() > limit as usize;
    jobs.truncate(limit as usize);
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let totals: HashMap<_, _> = chunks::totals_of(&client, &ids)
        .await?
        .into_iter()
        .collect();
    let next = jobs
        .last()
        .filter(|_| more)
        .and_then(|job| cursor::write(&list, &(job.created_at.0, job.id.0)));
    let items = jobs
        .into_iter()
        .map(|job| {
            let totals = totals.get(&job.id);
            JobItem::of(job, totals)
        })
        .collect();
    let answered = answer::json(&JobList {
        items,
        next: next.clone(),
    })?;
    let path = format!("{ROOT}{}", ABOUT.path);
    Ok(answer::with_next(
        answered,
        &path,
        asked.text,
        next.as_deref(),
    ))
}
