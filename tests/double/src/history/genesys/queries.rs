//! Questions that are answered at once: queries by interval, records by id, aggregates.

use super::super::agents;
use super::super::call::{Asked, Made, Reply};
use super::super::ids::Of;
use super::super::measure::{self, Dimension, Filter, Question};
use super::super::moment::DAY;
use super::super::past::{Matching, Past, View};
use super::super::state::{State, after_moves};
use super::{Findings, body, interval};
use serde_json::{Value, json};
use std::sync::Arc;

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

pub(super) fn query(asked: &Asked<'_>, state: &mut State) -> Reply {
    let mut findings = Findings::new();
    let knobs = state.past.history.query;
    let Some(body) = body(asked) else {
        return asked.bad("the body is no JSON object");
    };
    let text = body["interval"].as_str().unwrap_or_default();
    let Some((from, until)) = interval(text, state, &mut findings) else {
        return asked
            .bad(&format!("{text:?} is no interval"))
            .with(findings);
    };
    let filtered = FILTERS
        .iter()
        .any(|name| body[*name].as_array().is_some_and(|list| !list.is_empty()));
    let most = if filtered {
        knobs.days_max_filtered
    } else {
        knobs.days_max
    };
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
    let backwards = body["order"] == "desc";
    let asks = format!("query {set} {size} {page}");
    Reply::work(move || {
        let span = past.span(from, until, Matching::StartDay, view);
        let known = |number: &u64| {
            ended.is_none_or(|wanted| {
                let end = past.draw(*number, &view).end;
                end.is_some_and(|end| end <= view.as_of) == wanted
            })
        };
        let mut all: Vec<u64> = past.walk(span, Matching::StartDay).filter(known).collect();
        if backwards {
            all.reverse();
        }
        let (from, until) = (size * (page - 1), (size * page).min(all.len()));
        let numbers = (from..until).map(|nth| all[after_moves(nth, all.len(), moved)]);
        list(&past, &view, numbers, all.len())
    })
    .asking(asks)
    .page(set, format!("{page} of {size}"))
    .with(findings)
}

/// Records one after the other; the list's member is absent when there are none.
#[allow(clippy::format_push_string)] // once a page
fn list(past: &Past, view: &View, numbers: impl Iterator<Item = u64>, hits: usize) -> Made {
    let telling = past.telling(view);
    let mut body = String::from("{");
    let mut records = 0;
    for number in numbers {
        body.push_str(if records == 0 {
            "\"conversations\":["
        } else {
            ","
        });
        telling.write(&past.draw(number, view), &mut body);
        records += 1;
    }
    if records > 0 {
        body.push_str("],");
    }
    body.push_str(&format!("\"totalHits\":{hits}}}"));
    Made::json(body, records)
}

pub(super) fn users_query(asked: &Asked<'_>, state: &mut State) -> Reply {
    let mut findings = Findings::new();
    let knobs = state.past.history.query;
    let Some(body) = body(asked) else {
        return asked.bad("the body is no JSON object");
    };
    let text = body["interval"].as_str().unwrap_or_default();
    let Some(interval) = interval(text, state, &mut findings) else {
        return asked
            .bad(&format!("{text:?} is no interval"))
            .with(findings);
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
        let page: Vec<String> = records
            .into_iter()
            .skip(size * (page - 1))
            .take(size)
            .collect();
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

pub(super) fn get(asked: &Asked<'_>, state: &State) -> Reply {
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
    past.telling(&view)
        .write(&past.draw(number, &view), &mut body);
    Reply::work(move || Made::json(body, 1))
}

pub(super) fn multi_get(asked: &Asked<'_>, state: &State) -> Reply {
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

pub(super) fn aggregates(asked: &Asked<'_>, state: &State) -> Reply {
    let mut findings = Findings::new();
    let Some(body) = body(asked) else {
        return asked.bad("the body is no JSON object");
    };
    let text = body["interval"].as_str().unwrap_or_default();
    let Some((from, until)) = interval(text, state, &mut findings) else {
        return asked
            .bad(&format!("{text:?} is no interval"))
            .with(findings);
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
        let body = if results.is_empty() {
            json!({})
        } else {
            json!({ "results": results })
        };
        Made::json(body.to_string(), records)
    })
    .with(findings)
}

fn read_filter(filter: &Value) -> Option<Filter> {
    let mut read = Filter {
        any: filter["type"]
            .as_str()
            .is_some_and(|word| word.eq_ignore_ascii_case("or")),
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
