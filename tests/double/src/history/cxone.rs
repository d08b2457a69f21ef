//! CXone's history calls: contacts, state histories, reports, data extraction, and where a tenant's API is.

use super::agents;
use super::call::{Asked, Made, Reply, Route, instant};
use super::contacts::{self, Row};
use super::conversation::LONGEST;
use super::moment::{DAY, Moment};
use super::past::{Matching, Past, View};
use super::report;
use super::state::{Extraction, State, after_moves};
use super::states;
use crate::http::{empty, error, json};
use crate::ledger::Kind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

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
        ["contacts", id, "state-history"] if get => cxone("contact-state-history", REPORTING).of(id),
        ["contacts", id, "hierarchy"] if get => cxone("contacts-hierarchy", REPORTING).of(id),
        ["contacts", id] if get => cxone("contacts-get", REPORTING).of(id),
        ["contact-state-descriptions"] if get => cxone("state-descriptions", REPORTING),
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
        "report-job" => report_job(asked, state),
        "extraction-submit" => submit(asked, state),
        "extraction-status" => status(asked, state),
        _ => file(asked, state),
    }
}

/// What a range asks for.
struct Range {
    from: i64,
    until: i64,
    /// Only rows that changed at this instant or later.
    updated_since: Option<i64>,
    skip: usize,
    top: usize,
    inclusive: bool,
    view: View,
}

impl Range {
    fn takes(&self, at: i64) -> bool {
        at >= self.from && (at < self.until || (self.inclusive && at == self.until))
    }
}

fn range(asked: &Asked<'_>, state: &State, findings: &mut Findings) -> Result<Range, String> {
    let knobs = &state.past.history.contacts;
    let mut read = |name: &str| {
        asked.parameter(name).map(|text| {
            instant(text, state, findings).ok_or_else(|| format!("{name} {text:?} is no instant"))
        })
    };
    let from = read("startDate").transpose()?;
    let until = read("endDate").transpose()?;
    let updated_since = read("updatedSince").transpose()?;
    let available = state.available(asked.at);
    let view = state.view(available, asked.at);
    let most = i64::from(knobs.days_max) * DAY;
    let (from, until) = match (from, until, updated_since) {
        (Some(from), until, _) => (from, until.unwrap_or(available.0)),
        (None, until, Some(since)) => (since - LONGEST, until.unwrap_or(available.0)),
        (None, ..) => return Err("startDate is missing".to_owned()),
    };
    if from >= until {
        return Err("startDate must lie before endDate".to_owned());
    }
    if until - updated_since.unwrap_or(from) > most {
        return Err(format!("The range may not exceed {} days.", knobs.days_max));
    }
    let top = asked.number("top").unwrap_or(knobs.page_max);
    if top == 0 || top > knobs.page_max {
        return Err(format!("top must be within 1 and {}", knobs.page_max));
    }
    Ok(Range {
        from,
        until,
        updated_since,
        skip: asked.number("skip").unwrap_or(0),
        top,
        inclusive: knobs.inclusive_end,
        view,
    })
}

/// The contacts whose start lies in a range, of those that the warehouse has, in the order of their conversations.
fn in_range(past: &Past, range: &Range) -> Vec<Row> {
    let from = range.from.saturating_sub(LONGEST);
    let until = range.until.saturating_add(1);
    let span = past.span(from, until, Matching::Start, range.view);
    past.walk(span, Matching::Start)
        .flat_map(|number| contacts::rows(past, &past.draw(number, &range.view)))
        .filter(|row| range.takes(row.start) && row.warehoused_at() <= range.view.as_of)
        .filter(|row| {
            range
                .updated_since
                .is_none_or(|since| row.updated_at() >= since)
        })
        .collect()
}

/// The rest of a page: how many there are in all, and where it goes on.
fn ending(asked: &Links, range: &Range, total: usize, body: &mut String) {
    let next = range.skip + range.top;
    let link = |skip: usize| asked.with_skip(skip, range.top);
    body.push_str(&format!(
        ",\"totalRecords\":{total},\"_links\":{{\"self\":\"{}\"",
        link(range.skip)
    ));
    if next < total {
        body.push_str(&format!(",\"next\":\"{}\"", link(next)));
    } else if asked.repeats {
        body.push_str(&format!(",\"next\":\"{}\"", link(range.skip)));
    }
    if range.skip > 0 {
        body.push_str(&format!(
            ",\"previous\":\"{}\"",
            link(range.skip.saturating_sub(range.top))
        ));
    }
    body.push_str(&format!(
        "}},\"businessUnitId\":{},\"lastPollTime\":\"{}\"}}",
        asked.business_unit,
        Moment(range.view.as_of)
    ));
}

/// What links to other pages are made of.
struct Links {
    url: String,
    query: Vec<(String, String)>,
    repeats: bool,
    business_unit: i64,
}

impl Links {
    fn new(asked: &Asked<'_>, past: &Past) -> Self {
        Self {
            url: format!("{}{}", asked.url, asked.path),
            query: without_paging(asked),
            repeats: past.history.pages.repeat_cursor,
            business_unit: past.history.contacts.business_unit,
        }
    }

    fn with_skip(&self, skip: usize, top: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        query.append_pair("skip", &skip.to_string());
        query.append_pair("top", &top.to_string());
        format!("{}?{}", self.url, query.finish())
    }
}

fn without_paging(asked: &Asked<'_>) -> Vec<(String, String)> {
    let mut query: Vec<(String, String)> = asked
        .query
        .iter()
        .filter(|(name, _)| !["skip", "top"].contains(&name.to_ascii_lowercase().as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    query.sort();
    query
}

fn set_of(asked: &Asked<'_>) -> String {
    let query: Vec<String> = without_paging(asked)
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{} {} {}", asked.route.name, asked.route.id, query.join("&"))
}

/// A page of rows: 204 where there are none.
fn page<T>(
    asked: &Asked<'_>,
    state: &mut State,
    range: Range,
    name: &'static str,
    rows: impl FnOnce(&Past, &Range) -> Vec<T> + Send + 'static,
    write: impl Fn(&Past, &T, &View, &mut String) + Send + 'static,
) -> Reply {
    let set = set_of(asked);
    let moved = state.moves(&set, range.skip == 0);
    let past = Arc::clone(&state.past);
    let links = Links::new(asked, &past);
    let at = format!("{} +{}", range.skip, range.top);
    let asks = format!("{set} {at}");
    Reply::work(move || {
        let all = rows(&past, &range);
        let until = (range.skip + range.top).min(all.len());
        if range.skip >= until {
            return Made {
                status: 204,
                ..Made::json(String::new(), 0)
            };
        }
        let mut body = String::with_capacity((until - range.skip) * 1_700 + 400);
        body.push_str("{\"");
        body.push_str(name);
        body.push_str("\":[");
        for nth in range.skip..until {
            if nth > range.skip {
                body.push(',');
            }
            let row = &all[after_moves(nth, all.len(), moved)];
            write(&past, row, &range.view, &mut body);
        }
        body.push(']');
        ending(&links, &range, all.len(), &mut body);
        Made::json(body, until - range.skip)
    })
    .asking(asks)
    .page(set, at)
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
                    stays.into_iter().map(move |(nth, it)| (row.clone(), nth, it))
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
        let body = format!("{{\"reportId\":{id},\"fileName\":\"report_{id}.csv\",\"file\":\"{file}\"}}");
        Made::json(body, records)
    })
    .page(set, "all")
    .with(findings)
}

fn forbidden(asked: &Asked<'_>, message: &str) -> Reply {
    Reply::answer(error(403, "forbidden", message, asked.context))
}

fn submit(asked: &Asked<'_>, state: &mut State) -> Reply {
    let mut findings = Findings::new();
    let knobs = state.past.history.extraction;
    let Ok(body) = serde_json::from_slice::<Value>(asked.body) else {
        return asked.bad("the body is no JSON");
    };
    let mut read = |name: &str| {
        let text = body[name].as_str()?;
        // A bare date is the platform's own form here, and its day is UTC's.
        let day = Moment::parse(&format!("{text}T00:00:00Z")).map(|it| it.0);
        day.or_else(|| instant(text, state, &mut findings))
    };
    let (Some(from), Some(until)) = (read("startDate"), read("endDate")) else {
        return asked.bad("startDate and endDate are needed").with(findings);
    };
    if body["entityName"].as_str().is_none_or(str::is_empty) {
        return asked.bad("entityName is missing").with(findings);
    }
    if from >= until || until - from > i64::from(knobs.days_max) * DAY {
        let message = format!("The range must be one of at most {} days.", knobs.days_max);
        return asked.bad(&message).with(findings);
    }
    if let Some(last) = state.extractions.last() {
        let passed = asked.at.saturating_duration_since(last.began);
        if passed < Duration::from_millis(knobs.run_ms) {
            findings.push((Kind::SecondExtraction, "another one is running".to_owned()));
            return forbidden(asked, "Another job of this tenant is running.").with(findings);
        }
        if passed < Duration::from_millis(knobs.between_ms) {
            let message = format!("Only one call in {} ms is allowed.", knobs.between_ms);
            findings.push((Kind::SecondExtraction, message.clone()));
            return forbidden(asked, &message).with(findings);
        }
    }
    let available = state.available(asked.at);
    let extraction = Extraction {
        id: asked.fresh_id.clone(),
        began: asked.at,
        from,
        until,
        view: state.view(available, asked.at),
        links: Vec::new(),
    };
    let asks = format!("extraction {} {from} {until}", body["entityName"]);
    state.extractions.push(extraction);
    Reply::answer(json(202, &json!({ "jobId": asked.fresh_id })))
        .asking(asks)
        .with(findings)
}

fn status(asked: &Asked<'_>, state: &mut State) -> Reply {
    let knobs = state.past.history.extraction;
    let found = state
        .extractions
        .iter_mut()
        .find(|it| it.id == asked.route.id);
    let Some(extraction) = found else {
        return asked.absent();
    };
    let passed = asked.at.saturating_duration_since(extraction.began);
    if passed < Duration::from_millis(knobs.run_ms) {
        return Reply::answer(json(
            200,
            &json!({ "jobId": extraction.id, "jobStatus": { "status": "RUNNING" } }),
        ))
        .asking(format!("extraction-status {}", extraction.id));
    }
    let name = asked.fresh_id.clone();
    let until = asked.at + Duration::from_millis(knobs.link_ms);
    extraction.links.push((name.clone(), until));
    let url = format!("{}{FILES}{name}", asked.url);
    Reply::answer(json(
        200,
        &json!({
            "jobId": extraction.id,
            "jobStatus": { "status": "SUCCEEDED", "result": { "url": url } },
        }),
    ))
    .asking(format!("extraction-status {}", extraction.id))
}

fn file(asked: &Asked<'_>, state: &State) -> Reply {
    let found = state.extractions.iter().find_map(|it| {
        let (_, until) = it.links.iter().find(|(name, _)| *name == asked.route.id)?;
        Some((it.clone(), *until))
    });
    let Some((extraction, until)) = found else {
        return asked.absent();
    };
    if asked.at > until {
        let late = vec![(Kind::LinkExpired, asked.route.id.clone())];
        return forbidden(asked, "The link has expired.").with(late);
    }
    let past = Arc::clone(&state.past);
    let id = extraction.id.clone();
    Reply::work(move || {
        let range = Range {
            from: extraction.from,
            until: extraction.until,
            updated_since: None,
            skip: 0,
            top: usize::MAX,
            inclusive: false,
            view: extraction.view,
        };
        let mut body = String::from(
            "contactId,masterContactId,agentId,skillId,mediaType,startTime,endTime,durationSeconds\n",
        );
        let mut records = 0;
        for row in in_range(&past, &range).iter().filter(|row| row.agent.is_some()) {
            let media = if row.chat { "chat" } else { "voice" };
            body.push_str(&format!(
                "{},{},{},{},{media},{},{},{:.3}\n",
                row.contact,
                row.master,
                row.agent.map_or(0, contacts::agent),
                row.skill.map_or(0, contacts::skill),
                Moment(row.start),
                Moment(row.ended_at()),
                seconds(row.total()),
            ));
            records += 1;
        }
        Made {
            content_type: "text/csv",
            ..Made::json(body, records)
        }
    })
    .asking(format!("extraction-file {id}"))
    .page(id, "file")
}

#[allow(clippy::cast_precision_loss)] // a call's length
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

/// A refusal of CXone's: its words are in a header.
pub(crate) fn missing_permission(context: &str, permission: &str) -> crate::http::Answer {
    let mut answer = empty(403);
    let message = format!("The user's role does not have the permission {permission}.");
    answer = crate::http::with(answer, "icstatusdescription", &message);
    crate::http::with(answer, "x-request-id", context)
}
