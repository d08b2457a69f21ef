//! Genesys' history calls: details jobs and queries of conversations and users, single records, aggregates, users, limits.

use super::agents;
use super::call::{Asked, Made, Reply, Route, instant};
use super::ids::Of;
use super::jobs::{Job, Subject, Submission, cursor, position};
use super::measure::{self, Dimension, Filter, Question};
use super::moment::{DAY, Moment};
use super::past::{Matching, Past, View};
use super::state::{State, after_moves};
use crate::config::Beyond;
use crate::http::{error, json, with};
use crate::ledger::Kind;
use crate::limits::whole_seconds;
use hyper::Method;
use serde_json::{Value, json};
use std::sync::Arc;

const CONVERSATIONS: &str = "/api/v2/analytics/conversations";
const USERS: &str = "/api/v2/analytics/users/details";
const LIMITS: &str = "/api/v2/organizations/limits/namespaces";
const CONVERSATION_DETAIL: Option<&str> = Some("analytics:conversationDetail:view");
const USER_DETAIL: Option<&str> = Some("analytics:userDetail:view");

type Findings = Vec<(Kind, String)>;

/// Which of the calls it is.
pub(crate) fn route(method: &Method, path: &str) -> Option<Route> {
    if let Some(rest) = path.strip_prefix(USERS) {
        let names = [
            "users-job-submit",
            "users-job-availability",
            "users-job-status",
            "users-job-delete",
            "users-job-results",
        ];
        return match (method, rest) {
            (&Method::POST, "/query") => Some(Route::new("users-query", USER_DETAIL)),
            _ => jobs_route(method, rest, names, USER_DETAIL),
        };
    }
    if let Some(rest) = path.strip_prefix(CONVERSATIONS) {
        let names = [
            "details-job-submit",
            "details-job-availability",
            "details-job-status",
            "details-job-delete",
            "details-job-results",
        ];
        let aggregate = Some("analytics:conversationAggregate:view");
        return match (method, rest) {
            (&Method::POST, "/details/query") => {
                Some(Route::new("details-query", CONVERSATION_DETAIL))
            }
            (&Method::GET, "/details") => Some(Route::new("details-multi-get", CONVERSATION_DETAIL)),
            (&Method::POST, "/aggregates/query") => Some(Route::new("aggregates-query", aggregate)),
            (&Method::GET, rest) if rest.ends_with("/details") => {
                let id = rest.trim_start_matches('/').trim_end_matches("/details");
                Some(Route::new("details-get", CONVERSATION_DETAIL).of(id))
            }
            (_, rest) => jobs_route(
                method,
                rest.strip_prefix("/details")?,
                names,
                CONVERSATION_DETAIL,
            ),
        };
    }
    match (method, path) {
        (&Method::GET, "/api/v2/users") => Some(Route::new("users-list", None)),
        (&Method::GET, LIMITS) => Some(Route::new("limits-list", None)),
        (&Method::GET, path) => {
            let name = path.strip_prefix(LIMITS)?.strip_prefix('/')?;
            Some(Route::new("limits-get", None).of(name))
        }
        _ => None,
    }
}

fn jobs_route(
    method: &Method,
    rest: &str,
    [submit, availability, status, delete, results]: [&'static str; 5],
    permission: Option<&'static str>,
) -> Option<Route> {
    let rest = rest.strip_prefix("/jobs")?;
    let id = rest.trim_start_matches('/');
    let name = match method {
        &Method::POST if id.is_empty() => submit,
        &Method::GET if id == "availability" => availability,
        &Method::GET if id.ends_with("/results") => results,
        &Method::GET if !id.is_empty() && !id.contains('/') => status,
        &Method::DELETE if !id.is_empty() && !id.contains('/') => delete,
        _ => return None,
    };
    Some(Route::new(name, permission).of(id.trim_end_matches("/results")))
}

/// Answers one of them.
pub(crate) fn answer(asked: &Asked<'_>, state: &mut State) -> Reply {
    let subject = if asked.route.name.starts_with("users-job") {
        Subject::Users
    } else {
        Subject::Conversations
    };
    match asked.route.name {
        "details-job-submit" | "users-job-submit" => submit(asked, state, subject),
        "details-job-status" | "users-job-status" => status(asked, state, subject),
        "details-job-results" | "users-job-results" => results(asked, state, subject),
        "details-job-delete" | "users-job-delete" => {
            if state.board.delete(subject, &asked.route.id) {
                Reply::answer(crate::http::empty(202))
            } else {
                asked.absent()
            }
        }
        "details-job-availability" | "users-job-availability" => Reply::answer(json(
            200,
            &json!({ "dataAvailabilityDate": state.available(asked.at) }),
        )),
        "details-query" => query(asked, state),
        "users-query" => users_query(asked, state),
        "details-get" => get(asked, state),
        "details-multi-get" => multi_get(asked, state),
        "aggregates-query" => aggregates(asked, state),
        "users-list" => users(asked, state),
        "limits-list" => Reply::answer(json(
            200,
            &json!({ "entities": NAMESPACES.map(|(name, _)| name), "pageNumber": 1, "pageSize": 25, "total": NAMESPACES.len(), "pageCount": 1 }),
        )),
        _ => limits(asked),
    }
}

/// An interval `start/end`.
fn interval(text: &str, state: &State, findings: &mut Findings) -> Option<(i64, i64)> {
    let (from, until) = text.split_once('/')?;
    let from = instant(from, state, findings)?;
    let until = instant(until, state, findings)?;
    (from < until).then_some((from, until))
}

fn body(asked: &Asked<'_>) -> Option<Value> {
    serde_json::from_slice::<Value>(asked.body)
        .ok()
        .filter(Value::is_object)
}

fn submit(asked: &Asked<'_>, state: &mut State, subject: Subject) -> Reply {
    let mut findings = Findings::new();
    let Some(body) = body(asked) else {
        return asked.bad("the body is no JSON object");
    };
    let text = body["interval"].as_str().unwrap_or_default().to_owned();
    let Some((from, until)) = interval(&text, state, &mut findings) else {
        return asked.bad(&format!("{text:?} is no interval")).with(findings);
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
                .bad(&format!("the interval goes past the data's end, {available}"))
                .with(findings);
        }
    }
    let start_day = body["startOfDayIntervalMatching"] == Value::Bool(true);
    let submission = Submission {
        subject,
        interval: text,
        from,
        until,
        matching: if start_day { Matching::StartDay } else { Matching::Overlap },
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
            let message = format!(
                "Too many jobs are running. Retry the request in [{seconds}] seconds"
            );
            let status = knobs.too_many_status;
            let code = if status == 429 { "too.many.requests.retry.after" } else { "bad.request" };
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

fn status(asked: &Asked<'_>, state: &State, subject: Subject) -> Reply {
    let Some(job) = state.board.get(subject, &asked.route.id) else {
        return asked.absent();
    };
    let status = job.status(asked.at, &state.past.history.jobs);
    Reply::answer(json(200, &status)).asking(format!("status {}", set(job)))
}

fn results(asked: &Asked<'_>, state: &mut State, subject: Subject) -> Reply {
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

fn conversations_page(
    past: &Past,
    job: &Job,
    from: u64,
    size: usize,
    given: Option<&str>,
) -> Made {
    let span = past.span(job.from, job.until, job.matching, job.view);
    let telling = super::write::Telling {
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
        body.push_str(if numbers.is_empty() { "{\"conversations\":[" } else { "," });
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
        body.push_str(if written == 0 { "{\"userDetails\":[" } else { "," });
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

/// Paging by number: size and number from 1.
fn paging(body: &Value, most: usize) -> Result<(usize, usize), String> {
    let number = |name: &str, default: u64| {
        usize::try_from(body["paging"][name].as_u64().unwrap_or(default)).unwrap_or(usize::MAX)
    };
    let (size, page) = (number("pageSize", 25), number("pageNumber", 1));
    if size == 0 || size > most {
        return Err(format!("pageSize must be within 1 and {most}"));
    }
    if page == 0 {
        return Err("pageNumber must be at least 1".to_owned());
    }
    Ok((size, page))
}

/// A query without its paging, so that its pages can be known as one set.
fn without_paging(body: &Value) -> String {
    let mut body = body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("paging");
    }
    body.to_string()
}

const FILTERS: [&str; 5] = [
    "conversationFilters",
    "segmentFilters",
    "evaluationFilters",
    "surveyFilters",
    "resolutionFilters",
];

/// What a filter of conversations says about their end: must it be there, must it not?
fn wants_end(body: &Value) -> Option<bool> {
    let filters = body["conversationFilters"].as_array()?;
    let predicates = filters
        .iter()
        .filter_map(|filter| filter["predicates"].as_array())
        .flatten();
    predicates
        .filter(|it| it["dimension"] == "conversationEnd" || it["metric"] == "conversationEnd")
        .find_map(|it| match it["operator"].as_str() {
            Some("exists") => Some(true),
            Some("notExists") => Some(false),
            _ => None,
        })
}

fn query(asked: &Asked<'_>, state: &mut State) -> Reply {
    let mut findings = Findings::new();
    let knobs = state.past.history.query;
    let Some(body) = body(asked) else {
        return asked.bad("the body is no JSON object");
    };
    let text = body["interval"].as_str().unwrap_or_default();
    let Some((from, until)) = interval(text, state, &mut findings) else {
        return asked.bad(&format!("{text:?} is no interval")).with(findings);
    };
    let filtered = FILTERS
        .iter()
        .any(|name| body[*name].as_array().is_some_and(|list| !list.is_empty()));
    let most = if filtered { knobs.days_max_filtered } else { knobs.days_max };
    if until - from > i64::from(most) * DAY {
        return asked
            .bad(&format!("The interval may not exceed {most} days."))
            .with(findings);
    }
    let (size, page) = match paging(&body, knobs.page_max) {
        Ok(paging) => paging,
        Err(problem) => return asked.bad(&problem).with(findings),
    };
    if size.saturating_mul(page) > knobs.hits_max {
        let message = format!("Pagination may not exceed {} results.", knobs.hits_max);
        return asked.bad(&message).with(findings);
    }
    let set = without_paging(&body);
    let moved = state.moves(&set, page == 1);
    let now = state.now(asked.at);
    let view = state.view(now, asked.at);
    let past = Arc::clone(&state.past);
    let ended = wants_end(&body);
    let asks = format!("query {set} {size} {page}");
    Reply::work(move || {
        let span = past.span(from, until, Matching::StartDay, view);
        let known = |number: &u64| {
            ended.is_none_or(|wanted| {
                let end = past.draw(*number, &view).end;
                end.is_some_and(|end| end <= view.as_of) == wanted
            })
        };
        let all: Vec<u64> = past.walk(span, Matching::StartDay).filter(known).collect();
        let (from, until) = (size * (page - 1), (size * page).min(all.len()));
        let numbers = (from..until).map(|nth| all[after_moves(nth, all.len(), moved)]);
        list(&past, &view, numbers, all.len())
    })
    .asking(asks)
    .page(set, format!("{page} of {size}"))
    .with(findings)
}

/// Records one after the other; the list's member is absent when there are none.
fn list(past: &Past, view: &View, numbers: impl Iterator<Item = u64>, hits: usize) -> Made {
    let telling = past.telling(view);
    let mut body = String::from("{");
    let mut records = 0;
    for number in numbers {
        body.push_str(if records == 0 { "\"conversations\":[" } else { "," });
        telling.write(&past.draw(number, view), &mut body);
        records += 1;
    }
    if records > 0 {
        body.push_str("],");
    }
    body.push_str(&format!("\"totalHits\":{hits}}}"));
    Made::json(body, records)
}

fn users_query(asked: &Asked<'_>, state: &mut State) -> Reply {
    let mut findings = Findings::new();
    let knobs = state.past.history.query;
    let Some(body) = body(asked) else {
        return asked.bad("the body is no JSON object");
    };
    let text = body["interval"].as_str().unwrap_or_default();
    let Some(interval) = interval(text, state, &mut findings) else {
        return asked.bad(&format!("{text:?} is no interval")).with(findings);
    };
    if interval.1 - interval.0 > i64::from(knobs.days_max) * DAY {
        let message = format!("The interval may not exceed {} days.", knobs.days_max);
        return asked.bad(&message).with(findings);
    }
    let (size, page) = match paging(&body, knobs.page_max) {
        Ok(paging) => paging,
        Err(problem) => return asked.bad(&problem).with(findings),
    };
    let wanted: Option<Vec<u64>> = body["userFilters"].as_array().map(|filters| {
        filters
            .iter()
            .filter_map(|filter| filter["predicates"].as_array())
            .flatten()
            .filter(|it| it["dimension"] == "userId")
            .filter_map(|it| state.past.ids.number(Of::Agent, it["value"].as_str()?))
            .collect()
    });
    let set = without_paging(&body);
    let now = state.now(asked.at);
    let view = state.view(now, asked.at);
    let past = Arc::clone(&state.past);
    let asks = format!("users {set} {size} {page}");
    Reply::work(move || {
        let mut records = Vec::new();
        for agent in 0..agents::count(&past) {
            let mut text = String::new();
            let wanted = wanted
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&u64::from(agent)));
            if wanted && agents::write_user(&past, agent, interval, &view, &mut text) {
                records.push(text);
            }
        }
        let hits = records.len();
        let page: Vec<String> = records.into_iter().skip(size * (page - 1)).take(size).collect();
        let list = if page.is_empty() {
            String::new()
        } else {
            format!("\"userDetails\":[{}],", page.join(","))
        };
        Made::json(format!("{{{list}\"totalHits\":{hits}}}"), page.len())
    })
    .asking(asks)
    .page(set, format!("{page} of {size}"))
    .with(findings)
}

fn get(asked: &Asked<'_>, state: &State) -> Reply {
    let now = state.now(asked.at);
    let view = state.view(now, asked.at);
    let past = &state.past;
    let Some(number) = past
        .number_of(&asked.route.id)
        .filter(|number| past.is_there(*number, &view))
    else {
        return asked.absent();
    };
    let mut body = String::with_capacity(4_096);
    past.telling(&view).write(&past.draw(number, &view), &mut body);
    Reply::work(move || Made::json(body, 1))
}

fn multi_get(asked: &Asked<'_>, state: &State) -> Reply {
    let now = state.now(asked.at);
    let view = state.view(now, asked.at);
    let past = Arc::clone(&state.past);
    let ids: Vec<&str> = asked
        .parameter("id")
        .unwrap_or_default()
        .split(',')
        .filter(|id| !id.is_empty())
        .collect();
    let most = past.history.query.ids_max;
    if ids.is_empty() || ids.len() > most {
        return asked.bad(&format!("between 1 and {most} ids can be asked for"));
    }
    let numbers: Vec<u64> = ids
        .iter()
        .filter_map(|id| past.number_of(id))
        .filter(|number| past.is_there(*number, &view))
        .collect();
    Reply::work(move || {
        let mut made = list(&past, &view, numbers.iter().copied(), 0);
        // This answer has no count of hits.
        made.body = made
            .body
            .replace(",\"totalHits\":0}", "}")
            .replace("{\"totalHits\":0}", "{}");
        made
    })
}

fn aggregates(asked: &Asked<'_>, state: &State) -> Reply {
    let mut findings = Findings::new();
    let Some(body) = body(asked) else {
        return asked.bad("the body is no JSON object");
    };
    let text = body["interval"].as_str().unwrap_or_default();
    let Some((from, until)) = interval(text, state, &mut findings) else {
        return asked.bad(&format!("{text:?} is no interval")).with(findings);
    };
    let granularity = match body["granularity"].as_str() {
        None | Some("") => None,
        Some("PT15M") => Some(900_000),
        Some("PT30M") => Some(1_800_000),
        Some("PT1H") => Some(3_600_000),
        Some("P1D") => Some(DAY),
        Some(other) => return asked.bad(&format!("{other:?} is no granularity here")),
    };
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    };
    let mut group_by = Vec::new();
    for name in names(&body["groupBy"]) {
        match Dimension::named(&name) {
            Some(dimension) => group_by.push(dimension),
            None => return asked.bad(&format!("{name:?} is no dimension here")),
        }
    }
    let filter = match &body["filter"] {
        Value::Null => None,
        filter => match read_filter(filter) {
            Some(filter) => Some(filter),
            None => return asked.bad("the filter has a dimension that is none here"),
        },
    };
    let question = Question {
        from,
        until,
        granularity,
        group_by,
        metrics: names(&body["metrics"]),
        filter,
    };
    let now = state.now(asked.at);
    let view = state.view(now, asked.at);
    let past = Arc::clone(&state.past);
    Reply::work(move || {
        let results = measure::answer(&past, &question, &view);
        let records = results.len();
        let body = if results.is_empty() { json!({}) } else { json!({ "results": results }) };
        Made::json(body.to_string(), records)
    })
    .with(findings)
}

fn read_filter(filter: &Value) -> Option<Filter> {
    let mut read = Filter {
        any: filter["type"].as_str().is_some_and(|word| word.eq_ignore_ascii_case("or")),
        ..Filter::default()
    };
    for predicate in filter["predicates"].as_array().into_iter().flatten() {
        let dimension = Dimension::named(predicate["dimension"].as_str()?)?;
        read.predicates
            .push((dimension, predicate["value"].as_str()?.to_owned()));
    }
    for clause in filter["clauses"].as_array().into_iter().flatten() {
        read.clauses.push(read_filter(clause)?);
    }
    Some(read)
}

fn users(asked: &Asked<'_>, state: &State) -> Reply {
    let past = &state.past;
    let size = asked.number("pageSize").unwrap_or(25).clamp(1, 100);
    let page = asked.number("pageNumber").unwrap_or(1).max(1);
    let any = asked.parameter("state") == Some("any");
    let all: Vec<u32> = (0..agents::count(past))
        .filter(|agent| any || agents::is_active(past, *agent))
        .collect();
    let pages = all.len().div_ceil(size);
    let entities: Vec<Value> = all
        .iter()
        .skip(size * (page - 1))
        .take(size)
        .map(|agent| {
            let active = agents::is_active(past, *agent);
            let id = past.ids.text(Of::Agent, u64::from(*agent));
            json!({
                "id": id, "name": format!("Agent {agent}"), "state": if active { "active" } else { "inactive" },
                "selfUri": format!("/api/v2/users/{id}"),
            })
        })
        .collect();
    let mut body = json!({
        "entities": entities, "pageSize": size, "pageNumber": page, "total": all.len(), "pageCount": pages,
        "firstUri": format!("/api/v2/users?pageSize={size}&pageNumber=1"),
    });
    if page < pages {
        let next = page + 1;
        body["nextUri"] = json!(format!("/api/v2/users?pageSize={size}&pageNumber={next}"));
    }
    Reply::answer(json(200, &body))
}

/// Limits by namespace.
const NAMESPACES: [(&str, &[(&str, u64)]); 2] = [
    (
        "analytics.conversation",
        &[
            ("details.jobs.concurrent.access.max", 10),
            ("details.jobs.rate.per.second", 5),
        ],
    ),
    (
        "platform.api",
        &[
            ("client.credentials.token.rate.per.minute", 300),
            ("token.rate.per.minute", 300),
            ("request.bytes.max", 512_000),
        ],
    ),
];

fn limits(asked: &Asked<'_>) -> Reply {
    let found = NAMESPACES.iter().find(|(name, _)| *name == asked.route.id);
    let Some((name, limits)) = found else {
        return asked.absent();
    };
    let entities: Vec<Value> = limits
        .iter()
        .map(|(key, value)| json!({ "key": key, "namespace": name, "value": value }))
        .collect();
    let total = entities.len();
    Reply::answer(json(
        200,
        &json!({ "entities": entities, "pageNumber": 1, "pageSize": 25, "total": total, "pageCount": 1 }),
    ))
}
