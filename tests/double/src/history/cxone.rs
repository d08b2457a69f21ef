//! CXone's history calls: contacts, state histories, reports, data extraction, and where a tenant's API is.

mod extraction;
mod range;
mod workforce;

use super::agents;
use super::call::{Asked, Made, Reply, Route};
use super::contacts::{self, Row};
use super::conversation::LONGEST;
use super::moment::Moment;
use super::report;
use super::state::State;
use super::states;
use crate::http::{empty, json};
use crate::ledger::Kind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use extraction::{file, status, submit};
use hyper::Method;
use range::{Range, in_range, page, range, set_of};
use serde_json::{Value, json};
use std::sync::Arc;

const DISCOVERY: &str = "/.well-known/cxone-configuration";
const EXTRACTIONS: &str = "/data-extraction/v1/jobs";
const FILES: &str = "/data-extraction/files/";
const REPORTING: Option<&str> = Some("cxone:reporting");
const EXTRACTION: Option<&str> = Some("cxone:extraction");

type Findings = Vec<(Kind, String)>;

/// Which of the calls it is.
pub(crate) fn route(method: &Method, path: &str) -> Option<Route> {
    let cxone = |name, permission| Route {
        cxone: true,
        ..Route::new(name, permission)
    };
    let open = |name| Route {
        token: false,
        ..cxone(name, None)
    };
    match (method, path) {
        (&Method::GET, DISCOVERY) => return Some(open("discovery")),
        (&Method::POST, EXTRACTIONS) => return Some(cxone("extraction-submit", EXTRACTION)),
        _ => {}
    }
    if let Some(id) = path.strip_prefix(FILES) {
        return Some(open("extraction-file").of(id));
    }
    if let Some(id) = path.strip_prefix(EXTRACTIONS) {
        let route = cxone("extraction-status", EXTRACTION).of(id.trim_start_matches('/'));
        return (method == Method::GET).then_some(route);
    }
    let mut parts = path.trim_matches('/').split('/');
    let is_api = parts.next()?.eq_ignore_ascii_case("incontactapi");
    let is_version = is_api
        && parts.next()?.eq_ignore_ascii_case("services")
        && parts.next()?.starts_with(['v', 'V']);
    if !is_version {
        return None;
    }
    let rest: Vec<&str> = parts.collect();
    let get = method == Method::GET;
    Some(match rest.as_slice() {
        ["contacts", "completed"] if get => cxone("contacts-completed", REPORTING),
        ["contacts", "state-history"] if get => cxone("contacts-state-history", REPORTING),
        ["contacts", id, "state-history"] if get => {
            cxone("contact-state-history", REPORTING).of(id)
        }
        ["contacts", id, "hierarchy"] if get => cxone("contacts-hierarchy", REPORTING).of(id),
        ["contacts", id] if get => cxone("contacts-get", REPORTING).of(id),
        ["contact-state-descriptions"] if get => cxone("state-descriptions", REPORTING),
        ["agents"] if get => cxone("agents-list", REPORTING),
        ["agents", "performance"] if get => cxone("agents-performance", REPORTING),
        ["skills", "summary"] if get => cxone("skills-summary", REPORTING),
        ["business-unit"] if get => cxone("business-unit", REPORTING),
        ["schedules", "export"] if method == Method::POST => cxone("schedule-export", REPORTING),
        ["agents", "state-history"] if get => cxone("agents-state-history", REPORTING),
        ["agents", id, "state-history"] if get => cxone("agent-state-history", REPORTING).of(id),
        ["report-jobs", "datadownload", id] if method == Method::POST => {
            cxone("report-job", REPORTING).of(id)
        }
        _ => return None,
    })
}

/// Answers one of them.
pub(crate) fn answer(asked: &Asked<'_>, state: &mut State) -> Reply {
    match asked.route.name {
        "discovery" => Reply::answer(json(
            200,
            &json!({ "api_endpoint": asked.url, "auth_endpoint": asked.url, "area": "na1", "domain": asked.url }),
        )),
        "contacts-completed" => completed(asked, state),
        "contacts-get" | "contacts-hierarchy" | "contact-state-history" => contact(asked, state),
        "contacts-state-history" => contact_states(asked, state),
        "agents-state-history" | "agent-state-history" => agent_states(asked, state),
        "state-descriptions" => {
            let states: Vec<Value> = states::STATES
                .iter()
                .map(|(id, name)| json!({ "contactStateId": id, "contactStateName": name }))
                .collect();
            Reply::answer(json(200, &json!({ "contactStates": states })))
        }
        "agents-list" => workforce::agents(asked, state),
        "agents-performance" => workforce::performance(asked, state),
        "skills-summary" => workforce::skills(asked, state),
        "business-unit" => workforce::business_unit(state),
        "schedule-export" => workforce::export(asked, state),
        "report-job" => report_job(asked, state),
        "extraction-submit" => submit(asked, state),
        "extraction-status" => status(asked, state),
        _ => file(asked, state),
    }
}

fn completed(asked: &Asked<'_>, state: &mut State) -> Reply {
    let mut findings = Findings::new();
    let range = match range(asked, state, &mut findings) {
        Ok(range) => range,
        Err(problem) => return asked.bad(&problem).with(findings),
    };
    page(
        asked,
        state,
        range,
        "completedContacts",
        in_range,
        |_, row: &Row, view, to| contacts::write(row, view, false, to),
    )
    .with(findings)
}

fn contact_states(asked: &Asked<'_>, state: &mut State) -> Reply {
    let mut findings = Findings::new();
    let range = match range(asked, state, &mut findings) {
        Ok(range) => range,
        Err(problem) => return asked.bad(&problem).with(findings),
    };
    page(
        asked,
        state,
        range,
        "contactStateHistory",
        |past, range| {
            // A contact that began before the range may have changed its state in it.
            let wider = Range {
                from: range.from - LONGEST,
                until: range.until,
                updated_since: None,
                ..*range
            };
            in_range(past, &wider)
                .into_iter()
                .flat_map(|row| {
                    let stays = states::of(&row).into_iter().enumerate();
                    let stays: Vec<_> = stays.filter(|(_, it)| range.takes(it.from)).collect();
                    stays
                        .into_iter()
                        .map(move |(nth, it)| (row.clone(), nth, it))
                })
                .collect()
        },
        |_, (row, nth, stay), view, to| states::write(row, *nth, stay, view, to),
    )
    .with(findings)
}

fn agent_states(asked: &Asked<'_>, state: &mut State) -> Reply {
    let mut findings = Findings::new();
    let range = match range(asked, state, &mut findings) {
        Ok(range) => range,
        Err(problem) => return asked.bad(&problem).with(findings),
    };
    let only = match asked.route.id.as_str() {
        "" => None,
        id => {
            let agent = id.parse().ok().and_then(contacts::agent_of);
            match agent.filter(|agent| *agent < agents::count(&state.past)) {
                Some(agent) => Some(agent),
                None => return asked.absent(),
            }
        }
    };
    page(
        asked,
        state,
        range,
        "agentStateHistory",
        move |past, range| {
            let interval = (range.from, range.until);
            agents::rows(past, interval, range.inclusive, only, &range.view)
        },
        |past, row, _, to| agents::write_row(past, row, to),
    )
    .with(findings)
}

/// One contact: its record, its family, or its states.
fn contact(asked: &Asked<'_>, state: &State) -> Reply {
    let available = state.available(asked.at);
    let view = state.view(available, asked.at);
    let past = &state.past;
    let Ok(id) = asked.route.id.parse::<i64>() else {
        return asked.bad("the contact's id is no number");
    };
    let family: Vec<Row> = contacts::number_of(past, id)
        .filter(|number| past.is_there(*number, &view))
        .map(|number| contacts::rows(past, &past.draw(number, &view)))
        .unwrap_or_default();
    let found = family.iter().find(|row| row.contact == id);
    let Some(row) = found.filter(|row| row.ended_at() <= view.as_of) else {
        return asked.absent();
    };
    let mut body = String::with_capacity(2_048);
    match asked.route.name {
        "contacts-hierarchy" => {
            let children: Vec<Value> = family
                .iter()
                .filter(|it| it.contact != it.master)
                .map(|it| {
                    json!({ "contactId": it.contact, "startTime": Moment(it.start), "endTime": Moment(it.ended_at()) })
                })
                .collect();
            let answer = json!({ "masterContactId": row.master, "childContacts": children });
            body.push_str(&answer.to_string());
        }
        "contact-state-history" => {
            body.push_str("{\"contactStateHistory\":[");
            for (nth, stay) in states::of(row).iter().enumerate() {
                if nth > 0 {
                    body.push(',');
                }
                states::write(row, nth, stay, &view, &mut body);
            }
            body.push_str("]}");
        }
        _ => contacts::write(row, &view, true, &mut body),
    }
    Reply::work(move || Made::json(body, 1))
}

fn report_job(asked: &Asked<'_>, state: &State) -> Reply {
    let mut findings = Findings::new();
    let range = match range(asked, state, &mut findings) {
        Ok(range) => range,
        Err(problem) => return asked.bad(&problem).with(findings),
    };
    let id = asked.route.id.clone();
    if !["524", "544"].contains(&id.as_str()) {
        return asked.absent().with(findings);
    }
    let past = Arc::clone(&state.past);
    let set = set_of(asked);
    Reply::work(move || {
        let text = if id == "524" {
            report::calls(&past, in_range(&past, &range).into_iter())
        } else {
            let interval = (range.from, range.until);
            report::states(&past, interval, range.inclusive, &range.view)
        };
        let records = text.lines().count() - 1;
        let file = STANDARD.encode(text);
        let body =
            format!("{{\"reportId\":{id},\"fileName\":\"report_{id}.csv\",\"file\":\"{file}\"}}");
        Made::json(body, records)
    })
    .page(set, "all")
    .with(findings)
}

/// A refusal of CXone's: its words are in a header.
pub(crate) fn missing_permission(context: &str, permission: &str) -> crate::http::Answer {
    let mut answer = empty(403);
    let message = format!("The user's role does not have the permission {permission}.");
    answer = crate::http::with(answer, "icstatusdescription", &message);
    crate::http::with(answer, "x-request-id", context)
}
