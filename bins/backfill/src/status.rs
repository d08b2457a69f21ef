//! `backfill status`: everything that is under way, waits or stands in the way, at a glance.

use crate::config::Output;
use crate::freshness;
use crate::jobs::totals;
use crate::view;
use runtime::table::{span, table};
use serde_json::{Value, json};
use std::io::Write as _;
use store::breakers::{self, Breaker};
use store::budgets::{self, Budget, Pause};
use store::history_requests::{self, Waiting};
use store::jobs::{self, Job};
use store::{Client, Store, StoreConfig};

/// Open jobs that are shown, the newest.
const JOBS_MAX: u32 = 1000;

struct Seen {
    open: Vec<Job>,
    standing: Vec<Job>,
    going: Vec<freshness::Row>,
    budgets: Vec<Budget>,
    pauses: Vec<Pause>,
    breakers: Vec<Breaker>,
    waiting: Vec<Waiting>,
}

/// Runs the command.
pub(crate) async fn run(config: StoreConfig, output: Output) -> anyhow::Result<()> {
    let client = Store::connect(config).await?.client().await?;
    let seen = look(&client).await?;
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => writeln!(out, "{}", as_json(&client, &seen).await?)?,
        Output::Text => write!(out, "{}", as_text(&client, &seen).await?)?,
    }
    out.flush()?;
    Ok(())
}

async fn look(client: &Client) -> anyhow::Result<Seen> {
    Ok(Seen {
        open: jobs::open(client, JOBS_MAX).await?,
        standing: jobs::standing(client).await?,
        going: freshness::all(client).await?,
        budgets: budgets::list(client).await?,
        pauses: budgets::pauses(client).await?,
        breakers: breakers::list(client).await?,
        waiting: history_requests::waiting(client).await?,
    })
}

async fn as_json(client: &Client, seen: &Seen) -> anyhow::Result<Value> {
    let open = totals(client, &seen.open).await?;
    let standing = totals(client, &seen.standing).await?;
    let budgets: Vec<_> = seen.budgets.iter().map(budget).collect();
    let pauses: Vec<_> = seen.pauses.iter().map(pause).collect();
    let breakers: Vec<_> = seen.breakers.iter().map(breaker).collect();
    let waiting: Vec<_> = seen.waiting.iter().map(request).collect();
    let going: Vec<_> = seen.going.iter().map(freshness::Row::json).collect();
    Ok(json!({
        "jobs": seen.open.iter().map(|job| view::job(job, open.get(&job.id))).collect::<Vec<_>>(),
        "standing": seen.standing.iter().map(|job| view::job(job, standing.get(&job.id))).collect::<Vec<_>>(),
        "keeps_going": going,
        "budgets": budgets,
        "pauses": pauses,
        "breakers": breakers,
        "history_requests": waiting,
    }))
}

fn budget(budget: &Budget) -> Value {
    json!({
        "credential": budget.credential,
        "refill_us": u64::try_from(budget.refill.as_micros()).unwrap_or(u64::MAX),
        "next_at": budget.next_at.to_string(),
        "deliver_wants": budget.deliver_wants,
        "backfill_waits": budget.backfill_waits,
        "refused": budget.refused,
        "asked_at": budget.asked_at.to_string(),
    })
}

fn pause(pause: &Pause) -> Value {
    json!({
        "credential": pause.credential,
        "route": pause.route,
        "until": pause.until.to_string(),
        "reason": pause.reason,
    })
}

fn breaker(breaker: &Breaker) -> Value {
    json!({
        "credential": breaker.credential,
        "state": breaker.state.as_str(),
        "failures": breaker.failures,
        "since": breaker.since.to_string(),
        "until": view::instant(breaker.until),
        "reason": breaker.reason,
    })
}

fn request(waiting: &Waiting) -> Value {
    json!({
        "tenant": waiting.tenant,
        "requests": waiting.requests,
        "due": waiting.due,
        "oldest": view::instant(waiting.oldest),
        "given_up": waiting.given_up,
    })
}

async fn as_text(client: &Client, seen: &Seen) -> anyhow::Result<String> {
    let mut text = String::new();
    for (title, found) in [("jobs", &seen.open), ("standing jobs", &seen.standing)] {
        let sums = totals(client, found).await?;
        let rows: Vec<_> = found
            .iter()
            .map(|job| view::row(job, sums.get(&job.id)))
            .collect();
        part(&mut text, title, &view::HEAD, &rows);
    }
    let rows: Vec<_> = seen.going.iter().map(freshness::Row::cells).collect();
    part(&mut text, "keeps going by itself", &freshness::HEAD, &rows);
    let rows: Vec<_> = seen
        .budgets
        .iter()
        .map(|budget| {
            let rate = 60.0 / budget.refill.as_secs_f64().max(1e-6);
            let note = match (budget.deliver_wants, budget.backfill_waits) {
                (true, true) => "deliver goes first, backfill has one in five",
                (true, false) => "used by deliver",
                (false, true) => "used by backfill",
                (false, false) => "",
            };
            vec![
                budget.credential.clone(),
                format!("{rate:.1}"),
                view::short(budget.asked_at),
                budget.refused.clone().unwrap_or_default(),
                note.to_owned(),
            ]
        })
        .collect();
    let head = ["credential", "calls/min", "asked", "refused", "note"];
    part(&mut text, "budgets", &head, &rows);
    let rows: Vec<_> = seen
        .pauses
        .iter()
        .map(|pause| {
            vec![
                pause.credential.clone(),
                pause.route.clone().unwrap_or_else(|| "all".to_owned()),
                span(pause.left),
                pause.reason.clone(),
            ]
        })
        .collect();
    part(
        &mut text,
        "pauses",
        &["credential", "route", "left", "reason"],
        &rows,
    );
    let rows: Vec<_> = seen
        .breakers
        .iter()
        .map(|breaker| {
            vec![
                breaker.credential.clone(),
                breaker.state.as_str().to_owned(),
                breaker.failures.to_string(),
                span(breaker.left),
                breaker.reason.clone(),
            ]
        })
        .collect();
    let head = ["credential", "breaker", "failures", "left", "reason"];
    part(&mut text, "breakers", &head, &rows);
    let rows: Vec<_> = seen
        .waiting
        .iter()
        .map(|waiting| {
            vec![
                waiting.tenant.clone(),
                waiting.requests.to_string(),
                waiting.due.to_string(),
                waiting.oldest.map_or_else(|| "-".to_owned(), view::short),
                waiting.given_up.to_string(),
            ]
        })
        .collect();
    let head = ["tenant", "requests", "due", "oldest", "given up"];
    part(&mut text, "look-ups asked for", &head, &rows);
    Ok(text)
}

/// A part of the text, with its title; one word where there is nothing.
fn part(text: &mut String, title: &str, head: &[&str], rows: &[Vec<String>]) {
    if !text.is_empty() {
        text.push('\n');
    }
    if rows.is_empty() {
        text.push_str(title);
        text.push_str(": none\n");
    } else {
        text.push_str(title);
        text.push('\n');
        text.push_str(&table(head, rows));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Trial;
    use store::jobs::Promote;

    #[tokio::test]
    async fn what_is_open_is_seen_however_much_has_ended_since() {
        let trial = Trial::new().await;
        let open = trial.job(Promote::Never).await;
        trial
            .execute(
                "INSERT INTO backfill_jobs (job_id, kind, metric_version, params, state, created_at, finished_at) \
                 SELECT gen_random_uuid(), 'genesys-lookup', 1, '{}', 'done', now() + interval '1 second', now() FROM generate_series(1, 1001)",
            )
            .await;
        let client = trial.store.client().await.unwrap();
        let seen = look(&client).await.unwrap();
        let ids: Vec<_> = seen.open.iter().map(|job| job.id).collect();
        assert_eq!(ids, [open]);
    }
}
