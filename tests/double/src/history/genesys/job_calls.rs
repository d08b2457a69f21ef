//! Details jobs: submissions, states, pages of results.

use super::super::agents;
use super::super::call::{Asked, Made, Reply};
use super::super::jobs::{Job, Subject, Submission, cursor, position};
use super::super::moment::Moment;
use super::super::past::{Matching, Past};
use super::super::state::State;
use super::super::write::Telling;
use super::{Findings, body, interval};
use crate::config::Beyond;
use crate::http::{error, json, with};
use crate::ledger::Kind;
use crate::limits::whole_seconds;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn submit(asked: &Asked<'_>, state: &mut State, subject: Subject) -> Reply {
    let mut findings = Findings::new();
    let Some(body) = body(asked) else {
        return asked.bad("the body is no JSON object");
    };
    let text = body["interval"].as_str().unwrap_or_default().to_owned();
    let Some((from, until)) = interval(&text, state, &mut findings) else {
        return asked
            .bad(&format!("{text:?} is no interval"))
            .with(findings);
    };
    let (now, available) = (state.now(asked.at), state.available(asked.at));
    let knobs = state.past.history.jobs;
    if until > available.0 {
        findings.push((
            Kind::PastAvailability,
            format!("{text} goes past {available}"),
        ));
        if knobs.beyond == Beyond::Refuse {
            return asked
                .bad(&format!(
                    "the interval goes past the data's end, {available}"
                ))
                .with(findings);
        }
    }
    let start_day = body["startOfDayIntervalMatching"] == Value::Bool(true);
    let submission = Submission {
        subject,
        interval: text,
        from,
        until,
        matching: if start_day {
            Matching::StartDay
        } else {
            Matching::Overlap
        },
        view: state.view(available, asked.at),
    };
    let id = asked.fresh_id.clone();
    match state.board.submit(submission, id, (asked.at, now), &knobs) {
        Ok(job) => {
            let asks = format!("submit {}", set(job));
            Reply::answer(json(202, &json!({ "jobId": job.id }))).asking(asks)
        }
        Err(wait) => {
            let seconds = whole_seconds(wait);
            let message =
                format!("Too many jobs are running. Retry the request in [{seconds}] seconds");
            let status = knobs.too_many_status;
            let code = if status == 429 {
                "too.many.requests.retry.after"
            } else {
                "bad.request"
            };
            let answer = error(status, code, &message, asked.context);
            Reply::answer(if status == 429 {
                with(answer, "retry-after", &seconds.to_string())
            } else {
                answer
            })
        }
    }
    .with(findings)
}

/// What a job is about, whatever its id: the same interval asked for again is the same, but for jobs that the platform lost.
fn set(job: &Job) -> String {
    format!(
        "{} {} #{}",
        job.subject.name(),
        job.interval,
        job.generation
    )
}

pub(super) fn status(asked: &Asked<'_>, state: &State, subject: Subject) -> Reply {
    let Some(job) = state.board.get(subject, &asked.route.id) else {
        return asked.absent();
    };
    let status = job.status(asked.at, &state.past.history.jobs);
    Reply::answer(json(200, &status)).asking(format!("status {}", set(job)))
}

pub(super) fn results(asked: &Asked<'_>, state: &mut State, subject: Subject) -> Reply {
    let knobs = state.past.history.jobs;
    let Some(job) = state.board.get(subject, &asked.route.id).cloned() else {
        return asked.absent();
    };
    match job.state(asked.at, &knobs) {
        "FULFILLED" => {}
        "EXPIRED" | "CANCELLED" => return asked.absent(),
        other => {
            return asked
                .bad(&format!("the job is {other}"))
                .with(vec![(Kind::JobNotReady, format!("{} is {other}", job.id))]);
        }
    }
    let given = asked.parameter("cursor");
    let Some(from) = given.map_or(Some(0), |cursor| position(&job.id, cursor)) else {
        return asked.bad("the cursor is none of this job's");
    };
    let size = asked.number("pageSize").unwrap_or(knobs.page);
    if size == 0 || size > knobs.page_max {
        return asked.bad(&format!("pageSize must be within 1 and {}", knobs.page_max));
    }
    let page = given.map_or_else(String::new, |_| from.to_string());
    let asks = format!("page {} {page}", set(&job));
    state.board.handed_out(&job.id);
    let past = Arc::clone(&state.past);
    let given = given.map(str::to_owned);
    let id = job.id.clone();
    Reply::work(move || match job.subject {
        Subject::Conversations => conversations_page(&past, &job, from, size, given.as_deref()),
        Subject::Users => users_page(&past, &job, from, size, given.as_deref()),
    })
    .asking(asks)
    .page(id, page)
}

fn conversations_page(past: &Past, job: &Job, from: u64, size: usize, given: Option<&str>) -> Made {
    let span = past.span(job.from, job.until, job.matching, job.view);
    let telling = Telling {
        attributes: true,
        ..past.telling(&job.view)
    };
    let mut body = String::with_capacity(size.min(2_000) * 4_096);
    let mut numbers = Vec::with_capacity(size);
    let mut next = from;
    while numbers.len() < size {
        let Some(number) = past.next(&span, next, job.matching) else {
            break;
        };
        body.push_str(if numbers.is_empty() {
            "{\"conversations\":["
        } else {
            ","
        });
        telling.write(&past.draw(number, &job.view), &mut body);
        numbers.push(number);
        next = number + 1;
    }
    body.push_str(if numbers.is_empty() { "{" } else { "]," });
    let more = past.next(&span, next, job.matching);
    let overlap = past.history.pages.overlap.min(size.saturating_sub(1));
    let onward = more.map(|more| match numbers.len().checked_sub(overlap) {
        Some(back) if overlap > 0 => numbers.get(back).copied().unwrap_or(more),
        _ => more,
    });
    finish(past, job, onward, given, &mut body);
    Made::json(body, numbers.len())
}

fn users_page(past: &Past, job: &Job, from: u64, size: usize, given: Option<&str>) -> Made {
    let mut body = String::with_capacity(size.min(1_000) * 2_048);
    let mut written = 0;
    let mut next = u32::try_from(from).unwrap_or(u32::MAX);
    let count = agents::count(past);
    while written < size && next < count {
        let before = body.len();
        body.push_str(if written == 0 {
            "{\"userDetails\":["
        } else {
            ","
        });
        if agents::write_user(past, next, (job.from, job.until), &job.view, &mut body) {
            written += 1;
        } else {
            body.truncate(before);
        }
        next += 1;
    }
    body.push_str(if written == 0 { "{" } else { "]," });
    let onward = (next < count).then_some(u64::from(next));
    finish(past, job, onward, given, &mut body);
    Made::json(body, written)
}

/// The page's end: where it goes on, and up to when there is data.
fn finish(past: &Past, job: &Job, onward: Option<u64>, given: Option<&str>, body: &mut String) {
    let onward = onward.map(|next| cursor(&job.id, next)).or_else(|| {
        let repeats = past.history.pages.repeat_cursor;
        given.filter(|_| repeats).map(str::to_owned)
    });
    if let Some(cursor) = onward {
        body.push_str("\"cursor\":\"");
        body.push_str(&cursor);
        body.push_str("\",");
    }
    body.push_str("\"dataAvailabilityDate\":\"");
    Moment(job.view.as_of).write(body, false);
    body.push_str("\"}");
}
