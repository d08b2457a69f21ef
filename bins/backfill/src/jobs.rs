//! What ran, what runs, and what an operator can do about it: `list`, `show`, `pause`, `resume`, `cancel`.

use crate::config::{CancelArgs, JobsCommand, ListArgs, Output, PauseArgs, ResumeArgs, ShowArgs};
use crate::freshness;
use crate::view;
use anyhow::Context as _;
use runtime::table::table;
use schema::JobId;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write as _;
use store::chunks::{self, Chunk, State, Totals};
use store::jobs::{self, Job};
use store::{Client, Store, StoreConfig};
use uuid::Uuid;

/// `backfill list`.
pub(crate) async fn list(
    config: StoreConfig,
    output: Output,
    args: &ListArgs,
) -> anyhow::Result<()> {
    let client = connected(config).await?;
    let found = jobs::list(&client, args.limit).await?;
    write_jobs(&client, &found, output).await
}

/// The jobs, with the sums over their chunks.
pub(crate) async fn write_jobs(
    client: &Client,
    found: &[Job],
    output: Output,
) -> anyhow::Result<()> {
    let totals = totals(client, found).await?;
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => {
            for job in found {
                writeln!(out, "{}", view::job(job, totals.get(&job.id)))?;
            }
        }
        Output::Text => {
            let rows: Vec<_> = found
                .iter()
                .map(|job| view::row(job, totals.get(&job.id)))
                .collect();
            write!(out, "{}", table(&view::HEAD, &rows))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// The sums over the chunks of those that have some.
pub(crate) async fn totals(
    client: &Client,
    found: &[Job],
) -> anyhow::Result<HashMap<JobId, Totals>> {
    let chunked: Vec<JobId> = found
        .iter()
        .filter(|job| job.chunked)
        .map(|job| job.id)
        .collect();
    if chunked.is_empty() {
        return Ok(HashMap::new());
    }
    let found = chunks::totals_of(client, &chunked).await?;
    Ok(found.into_iter().collect())
}

/// `backfill show`.
pub(crate) async fn show(
    config: StoreConfig,
    output: Output,
    args: &ShowArgs,
) -> anyhow::Result<()> {
    let client = connected(config).await?;
    let job = get(&client, args.job).await?;
    let state = args
        .state
        .as_deref()
        .and_then(|word| State::ALL.into_iter().find(|state| state.as_str() == word));
    let from = i32::try_from(args.from_chunk).unwrap_or(i32::MAX);
    let (totals, found) = if job.chunked {
        (
            Some(chunks::totals(&client, job.id).await?),
            chunks::page(&client, job.id, from, state, args.chunks).await?,
        )
    } else {
        (None, Vec::new())
    };
    let going = freshness::of_job(&client, &job).await?;
    let going = going.as_ref().map(freshness::Row::json);
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => {
            let mut shown = view::job(&job, totals.as_ref());
            if let Value::Object(members) = &mut shown {
                if job.chunked {
                    let listed = found.iter().map(view::chunk).collect();
                    members.insert("chunks".to_owned(), Value::Array(listed));
                }
                members.extend(going.map(|going| ("keeps_going".to_owned(), going)));
            }
            writeln!(out, "{shown}")?;
        }
        Output::Text => write!(
            out,
            "{}",
            as_text(&job, totals.as_ref(), going.as_ref(), &found)
        )?,
    }
    out.flush()?;
    Ok(())
}

fn as_text(job: &Job, totals: Option<&Totals>, going: Option<&Value>, found: &[Chunk]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let mut line = |name: &str, value: &Value| {
        let value = match value {
            Value::Null => return,
            Value::String(text) => text.clone(),
            Value::Array(values) if values.is_empty() => return,
            other => other.to_string(),
        };
        // Writing to a string cannot fail.
        writeln!(text, "{name:<16} {value}").ok();
    };
    for (name, value) in view::job(job, None).as_object().into_iter().flatten() {
        line(name, value);
    }
    let sums = totals.map(view::sums);
    let sums = sums.as_ref().and_then(Value::as_object);
    for (name, value) in sums.into_iter().flatten() {
        line(name, value);
    }
    for name in ["covered_to", "age_seconds", "calls_in_24_hours"] {
        if let Some(value) = going.and_then(|going| going.get(name)) {
            line(name, value);
        }
    }
    if !found.is_empty() {
        let now = view::now();
        let rows: Vec<_> = found.iter().map(|chunk| chunk_row(chunk, now)).collect();
        let head = [
            "chunk", "from", "to", "state", "pages", "records", "calls", "expected", "arrived",
            "try", "note",
        ];
        text.push('\n');
        text.push_str(&table(&head, &rows));
    }
    text
}

fn chunk_row(chunk: &Chunk, now: schema::UtcMicros) -> Vec<String> {
    let count =
        |value: Option<i64>| value.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let note = match (&chunk.waiting_for, &chunk.last_error, &chunk.lease_owner) {
        (_, Some(error), _) if chunk.state == State::Failed => error.clone(),
        (Some(reason), ..) => format!("waits for {reason}, {}", view::until(chunk.due_at, now)),
        (None, Some(error), _) => format!("{error}; again {}", view::until(chunk.due_at, now)),
        (None, None, Some(owner)) => format!("worked on by {owner}"),
        (None, None, None) if chunk.state == State::Open && chunk.due_at > now => {
            format!("due {}", view::until(chunk.due_at, now))
        }
        _ => String::new(),
    };
    vec![
        chunk.number.to_string(),
        view::short(chunk.from),
        view::short(chunk.to),
        chunk.state.as_str().to_owned(),
        chunk.pages.to_string(),
        chunk.records.to_string(),
        chunk.calls.to_string(),
        count(chunk.expected),
        count(chunk.arrived),
        chunk.attempt.to_string(),
        note,
    ]
}

/// `backfill pause`.
pub(crate) async fn pause(
    config: StoreConfig,
    output: Output,
    args: &PauseArgs,
) -> anyhow::Result<()> {
    let client = connected(config).await?;
    let job = get(&client, args.job).await?;
    if !jobs::pause(&client, job.id, &args.reason).await? {
        refuse(&client, &job, "paused").await?;
    }
    said(output, &job, "paused", "its chunks stay where they are")
}

/// `backfill resume`.
pub(crate) async fn resume(
    config: StoreConfig,
    output: Output,
    args: &ResumeArgs,
) -> anyhow::Result<()> {
    let client = connected(config).await?;
    let job = get(&client, args.job).await?;
    let opened = if args.retry_failed {
        chunks::retry_failed(&client, job.id).await?
    } else {
        0
    };
    if !jobs::resume(&client, job.id).await? && opened == 0 {
        refuse(&client, &job, "resumed").await?;
    }
    let next = if job.chunked {
        format!(
            "workers go on with it; {opened} chunks that were given up or came up short begin again"
        )
    } else {
        format!(
            "go on with it by `backfill {} --resume {}`",
            job.kind, job.id
        )
    };
    let now = get(&client, args.job).await?;
    said(output, &now, now.state.as_str(), &next)
}

/// `backfill cancel`.
pub(crate) async fn cancel(
    config: StoreConfig,
    output: Output,
    args: &CancelArgs,
) -> anyhow::Result<()> {
    let client = connected(config).await?;
    let job = get(&client, args.job).await?;
    if !jobs::cancel(&client, job.id).await? {
        refuse(&client, &job, "cancelled").await?;
    }
    said(
        output,
        &job,
        "cancelled",
        "what was fetched stays; what was under way ends at its next page",
    )
}

/// The commands as they were called before: always JSON.
pub(crate) async fn former(
    config: StoreConfig,
    command: Option<&JobsCommand>,
) -> anyhow::Result<()> {
    let client = connected(config).await?;
    match command.unwrap_or(&JobsCommand::List { limit: 20 }) {
        JobsCommand::List { limit } => {
            let found = jobs::list(&client, *limit).await?;
            write_jobs(&client, &found, Output::Json).await
        }
        JobsCommand::Show { job } => {
            let job = get(&client, *job).await?;
            write_jobs(&client, &[job], Output::Json).await
        }
        JobsCommand::Cancel { job } => {
            let job = get(&client, *job).await?;
            if !jobs::cancel(&client, job.id).await? {
                refuse(&client, &job, "cancelled").await?;
            }
            said(Output::Json, &job, "cancelled", "")
        }
    }
}

async fn connected(config: StoreConfig) -> anyhow::Result<Client> {
    Ok(Store::connect(config).await?.client().await?)
}

pub(crate) async fn get(client: &Client, job: Uuid) -> anyhow::Result<Job> {
    jobs::get(client, JobId(job))
        .await?
        .with_context(|| format!("there is no job {job}"))
}

/// Says why nothing was done: what the job is now, which may not be what it was a moment ago.
async fn refuse(client: &Client, job: &Job, what: &str) -> anyhow::Result<()> {
    let now = get(client, job.id.0).await?;
    anyhow::bail!(
        "job {} is {} and cannot be {what}",
        job.id,
        now.state.as_str()
    )
}

fn said(output: Output, job: &Job, state: &str, then: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => writeln!(
            out,
            "{}",
            json!({"job": job.id.to_string(), "state": state})
        )?,
        Output::Text => writeln!(out, "job {} is {state}; {then}", job.id)?,
    }
    out.flush()?;
    Ok(())
}
