//! Jobs and chunks as they are shown: as JSON with the names that the tables have, or as text.

use runtime::table::span;
use schema::UtcMicros;
use serde_json::{Value, json};
use std::time::Duration;
use store::chunks::{Chunk, Totals};
use store::jobs::{Job, State};

/// A job as a JSON object; of one with chunks their sums, too.
pub(crate) fn job(job: &Job, totals: Option<&Totals>) -> Value {
    let mut shown = json!({
        "job": job.id.to_string(),
        "kind": job.kind,
        "state": job.state.as_str(),
        "tenant": job.tenant,
        "platform": job.platform,
        "from": instant(job.from),
        "to": instant(job.to),
        "kpis": job.kpis,
        "metric_version": job.metric_version.0,
        "purpose": job.purpose.as_str(),
        "lane": job.lane.as_str(),
        "promote": job.promote.as_str(),
        "chunked": job.chunked,
        "standing": job.standing,
        "request_id": job.request_id,
        "paused_for": job.paused_for,
        "done": job.done,
        "total": job.total,
        "params": parsed(&job.params_json),
        "cursor": job.cursor_json.as_deref().map(parsed),
        "report": job.report_json.as_deref().map(parsed),
        "error": job.error,
        "created_at": job.created_at.to_string(),
        "started_at": instant(job.started_at),
        "updated_at": job.updated_at.to_string(),
        "finished_at": instant(job.finished_at),
    });
    if let (Some(totals), Value::Object(members)) = (totals, &mut shown) {
        members.insert("totals".to_owned(), sums(totals));
    }
    shown
}

/// The sums over a job's chunks.
pub(crate) fn sums(totals: &Totals) -> Value {
    json!({
        "chunks": totals.chunks,
        "open": totals.open,
        "fetched": totals.fetched,
        "done": totals.done,
        "short": totals.short,
        "failed": totals.failed,
        "leased": totals.leased,
        "waiting": totals.waiting,
        "pages": totals.pages,
        "records": totals.records,
        "bytes": totals.bytes,
        "calls": totals.calls,
        "expected": totals.expected,
        "arrived": totals.arrived,
        "reopened": totals.reopened,
        "last_error": totals.last_error,
        "first_not_done": instant(totals.first_not_done),
        "last_done": instant(totals.last_done),
        "updated_at": instant(totals.updated_at),
    })
}

/// A chunk as a JSON object.
pub(crate) fn chunk(chunk: &Chunk) -> Value {
    json!({
        "chunk": chunk.number,
        "from": chunk.from.to_string(),
        "to": chunk.to.to_string(),
        "state": chunk.state.as_str(),
        "due_at": chunk.due_at.to_string(),
        "lease_owner": chunk.lease_owner,
        "lease_until": instant(chunk.lease_until),
        "cursor": chunk.cursor_json.as_deref().map(parsed),
        "attempt": chunk.attempt,
        "pages": chunk.pages,
        "records": chunk.records,
        "bytes": chunk.bytes,
        "calls": chunk.calls,
        "expected": chunk.expected,
        "arrived": chunk.arrived,
        "reopened": chunk.reopened,
        "waiting_for": chunk.waiting_for,
        "last_error": chunk.last_error,
        "started_at": instant(chunk.started_at),
        "updated_at": chunk.updated_at.to_string(),
        "fetched_at": instant(chunk.fetched_at),
        "finished_at": instant(chunk.finished_at),
    })
}

pub(crate) fn instant(at: Option<UtcMicros>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// The heads of [`row`].
pub(crate) const HEAD: [&str; 9] = [
    "job", "kind", "state", "platform", "from", "to", "done", "records", "note",
];

/// A job as a row of a table.
pub(crate) fn row(job: &Job, totals: Option<&Totals>) -> Vec<String> {
    let day = |at: Option<UtcMicros>| at.map_or_else(|| "-".to_owned(), short);
    let done = match (totals, job.total) {
        (Some(totals), _) => format!("{}/{}", totals.done, totals.chunks),
        (None, Some(total)) => format!("{}/{total}", job.done),
        (None, None) => job.done.to_string(),
    };
    vec![
        job.id.to_string(),
        job.kind.clone(),
        job.state.as_str().to_owned(),
        job.platform.clone().unwrap_or_else(|| "-".to_owned()),
        day(job.from),
        day(job.to),
        done,
        totals.map_or_else(|| "-".to_owned(), |totals| totals.records.to_string()),
        note(job, totals),
    ]
}

/// The one thing worth saying about a job.
pub(crate) fn note(job: &Job, totals: Option<&Totals>) -> String {
    if let (State::Paused, Some(reason)) = (job.state, &job.paused_for) {
        return format!("paused: {reason}");
    }
    if let Some(error) = &job.error {
        return error.clone();
    }
    let Some(totals) = totals else {
        return String::new();
    };
    let mut parts = Vec::new();
    for (count, what) in [
        (totals.failed, "given up"),
        (totals.short, "short"),
        (totals.waiting, "waiting"),
        (totals.leased, "worked on"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if let Some(error) = totals
        .last_error
        .as_ref()
        .filter(|_| !job.state.has_ended())
    {
        parts.push(format!("last error: {error}"));
    }
    parts.join(", ")
}

/// An instant without its fraction, and a midnight without its time.
pub(crate) fn short(at: UtcMicros) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((date, "00:00:00.000Z")) => date.to_owned(),
        _ => text
            .split_once('.')
            .map_or_else(|| text.clone(), |(whole, _)| format!("{whole}Z")),
    }
}

/// How long until an instant, or since when it is over.
pub(crate) fn until(at: UtcMicros, now: UtcMicros) -> String {
    let micros = at.0.saturating_sub(now.0);
    if micros <= 0 {
        return "now".to_owned();
    }
    let length = Duration::from_micros(micros.unsigned_abs());
    format!("in {}", span(length))
}

/// Now, for what is shown. What is decided is decided by the database's clock.
pub(crate) fn now() -> UtcMicros {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_as_short_as_they_can_be() {
        assert_eq!(short(UtcMicros(1_709_251_200_000_000)), "2024-03-01");
        assert_eq!(
            short(UtcMicros(1_709_251_201_500_000)),
            "2024-03-01T00:00:01Z"
        );
        assert_eq!(until(UtcMicros(5), UtcMicros(7)), "now");
        assert_eq!(until(UtcMicros(61_000_000), UtcMicros(0)), "in 1 min 1 s");
    }
}
