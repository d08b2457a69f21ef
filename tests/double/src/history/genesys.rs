//! Genesys' history calls: details jobs and queries of conversations and users, single records, aggregates, users, limits.

mod job_calls;
mod lists;
mod queries;
mod workforce;

use super::call::{Asked, Reply, Route, instant};
use super::jobs::Subject;
use super::state::State;
use crate::http::json;
use crate::ledger::Kind;
use hyper::Method;
use job_calls::{results, status, submit};
use lists::{NAMESPACES, limits, users};
use queries::{aggregates, get, multi_get, query, users_query};
use serde_json::{Value, json};

const CONVERSATIONS: &str = "/api/v2/analytics/conversations";
const USERS: &str = "/api/v2/analytics/users/details";
const WORKFORCE: &str = "/api/v2/workforcemanagement";
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
            (&Method::GET, "/details") => {
                Some(Route::new("details-multi-get", CONVERSATION_DETAIL))
            }
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
    if let Some(rest) = path.strip_prefix(WORKFORCE) {
        return workforce_route(method, rest);
    }
    match (method, path) {
        (&Method::POST, "/api/v2/analytics/users/aggregates/query") => Some(Route::new(
            "users-aggregates-query",
            Some("analytics:userAggregate:view"),
        )),
        (&Method::GET, "/api/v2/users") => Some(Route::new("users-list", None)),
        (&Method::GET, LIMITS) => Some(Route::new("limits-list", None)),
        (&Method::GET, path) => {
            let name = path.strip_prefix(LIMITS)?.strip_prefix('/')?;
            Some(Route::new("limits-get", None).of(name))
        }
        _ => None,
    }
}

fn workforce_route(method: &Method, rest: &str) -> Option<Route> {
    let route = |name| Route::new(name, Some("wfm:publishedSchedule:view"));
    let parts: Vec<&str> = rest.trim_matches('/').split('/').collect();
    Some(match (method, parts.as_slice()) {
        (&Method::GET, ["businessunits"]) => route("workforce-business-units"),
        (&Method::GET, ["managementunits"]) => route("workforce-management-units"),
        (&Method::GET, ["managementunits", id, "users"]) => route("workforce-users").of(id),
        (&Method::POST, ["businessunits", id, "agentschedules", "search"]) => {
            route("workforce-schedules").of(id)
        }
        _ => return None,
    })
}

fn jobs_route(
    method: &Method,
    rest: &str,
    [submit, availability, status, delete, results]: [&'static str; 5],
    permission: Option<&'static str>,
) -> Option<Route> {
    let rest = rest.strip_prefix("/jobs")?;
    let id = rest.trim_start_matches('/');
    let name = match *method {
        Method::POST if id.is_empty() => submit,
        Method::GET if id == "availability" => availability,
        Method::GET if id.ends_with("/results") => results,
        Method::GET if !id.is_empty() && !id.contains('/') => status,
        Method::DELETE if !id.is_empty() && !id.contains('/') => delete,
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
        "users-aggregates-query" => workforce::statuses(asked, state),
        "workforce-business-units" => workforce::business_units(state),
        "workforce-management-units" => workforce::management_units(state),
        "workforce-users" => workforce::members(asked, state),
        "workforce-schedules" => workforce::schedules(asked, state),
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
