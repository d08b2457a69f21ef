//! Ranges of time, and their rows page by page.

use super::super::call::{Asked, Made, Reply, instant};
use super::super::contacts::{self, Row};
use super::super::conversation::LONGEST;
use super::super::moment::{DAY, Moment};
use super::super::past::{Matching, Past, View};
use super::super::state::{State, after_moves};
use super::Findings;
use std::sync::Arc;

/// What a range asks for.
pub(super) struct Range {
    pub(super) from: i64,
    pub(super) until: i64,
    /// Only rows that changed at this instant or later.
    pub(super) updated_since: Option<i64>,
    pub(super) skip: usize,
    pub(super) top: usize,
    pub(super) inclusive: bool,
    pub(super) view: View,
}

impl Range {
    pub(super) fn takes(&self, at: i64) -> bool {
        at >= self.from && (at < self.until || (self.inclusive && at == self.until))
    }
}

pub(super) fn range(
    asked: &Asked<'_>,
    state: &State,
    findings: &mut Findings,
) -> Result<Range, String> {
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
pub(super) fn in_range(past: &Past, range: &Range) -> Vec<Row> {
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

pub(super) fn set_of(asked: &Asked<'_>) -> String {
    let query: Vec<String> = without_paging(asked)
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!(
        "{} {} {}",
        asked.route.name,
        asked.route.id,
        query.join("&")
    )
}

/// A page of rows: 204 where there are none.
pub(super) fn page<T>(
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
