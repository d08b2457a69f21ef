//! Agents' records, the export of their schedules, and the platform's own sums per agent and skill.

use super::super::agents::{self, At};
use super::super::call::{Asked, Made, Reply};
use super::super::contacts;
use super::super::moment::{DAY, Moment};
use super::super::past::Past;
use super::super::state::State;
use super::Findings;
use super::range::{in_range, range};
use crate::http::json;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most days that one export covers.
const EXPORT_DAYS: i64 = 7;

fn user(agent: u32) -> String {
    format!("c0000000-0000-4000-8000-{agent:012}")
}

/// The zone of an agent, where it goes by one of its own.
fn zone(past: &Past, agent: u32) -> Option<&String> {
    let zones = &past.history.workforce.zones;
    zones.get(agent as usize % zones.len().max(1))
}

pub(super) fn agents(asked: &Asked<'_>, state: &State) -> Reply {
    let past = &state.past;
    let (skip, top) = (
        asked.number("skip").unwrap_or(0),
        asked.number("top").unwrap_or(100),
    );
    let rows: Vec<Value> = (0..agents::count(past))
        .skip(skip)
        .take(top)
        .map(|agent| {
            json!({
                "agentId": contacts::agent(agent), "userId": user(agent), "isActive": agents::is_active(past, agent),
                "teamId": contacts::team(agent), "timeZone": zone(past, agent), "useAgentTimeZone": zone(past, agent).is_some(),
            })
        })
        .collect();
    let total = agents::count(past);
    Reply::answer(json(200, &json!({ "totalRecords": total, "agents": rows })))
}

pub(super) fn business_unit(state: &State) -> Reply {
    let zone = &state.past.history.workforce.business_zone;
    Reply::answer(json(
        200,
        &json!({ "businessUnits": [{ "businessUnitId": 459_957, "defaultTimeZone": zone, "agentsUseDefaultTimeZone": false }] }),
    ))
}

pub(super) fn export(asked: &Asked<'_>, state: &State) -> Reply {
    let Ok(body) = serde_json::from_slice::<Value>(asked.body) else {
        return asked.bad("the body is no JSON object");
    };
    let past = &state.past;
    let date = |name: &str| Moment::parse(&format!("{}T00:00:00Z", body[name].as_str()?));
    let (Some(from), Some(last)) = (date("startDate"), date("endDate")) else {
        return asked.bad("startDate and endDate are dates, yyyy-mm-dd");
    };
    let until = last.0 + DAY;
    if until - from.0 > EXPORT_DAYS * DAY {
        return asked.bad("The date range may not exceed 7 days.");
    }
    let wanted = body["userID"].as_str().unwrap_or_default();
    let Some(agent) = (0..agents::count(past)).find(|agent| user(*agent) == wanted) else {
        return asked.absent();
    };
    let shifts: Vec<Value> = agents::shifts(past, agent, (from.0, until))
        .into_iter()
        .map(|(begins, ends)| {
            json!({
                "id": format!("{agent}-{begins}"), "start": Moment(begins), "end": Moment(ends),
                "baseActivityCode": { "title": "Open", "open": true, "work": true, "overTime": false }, "activityIntervals": [],
            })
        })
        .collect();
    let answer = json!({ "agentSchedules": [{ "userId": wanted, "shifts": shifts }] });
    Reply::answer(json(200, &answer))
}

/// What each agent did: handled, talk with hold, wrap-up, time signed in.
pub(super) fn performance(asked: &Asked<'_>, state: &State) -> Reply {
    let mut findings = Findings::new();
    let range = match range(asked, state, &mut findings) {
        Ok(range) => range,
        Err(problem) => return asked.bad(&problem).with(findings),
    };
    let past = Arc::clone(&state.past);
    Reply::work(move || {
        let mut sums: BTreeMap<u32, (i64, i64, i64)> = BTreeMap::new();
        for row in in_range(&past, &range) {
            if let Some(agent) = row.agent.filter(|_| !row.refused) {
                let (handled, talk, wrap) = sums.entry(agent).or_default();
                *handled += 1;
                *talk += row.agent_ms;
                *wrap += row.wrap;
            }
        }
        let rows: Vec<Value> = (0..agents::count(&past))
            .map(|agent| {
                let (handled, talk, wrap) = sums.get(&agent).copied().unwrap_or_default();
                let (mut login, mut available) = (0, 0);
                for it in agents::stretches(&past, agent, (range.from, range.until), range.view.revised) {
                    let lasted = it.until.min(range.until) - it.from.max(range.from);
                    login += lasted.max(0);
                    if it.at == At::Idle {
                        available += lasted.max(0);
                    }
                }
                json!({
                    "agentId": contacts::agent(agent).to_string(), "totalHandled": handled.to_string(), "totalTalkTime": iso(talk),
                    "acwTime": iso(wrap), "availableTime": iso(available), "loginTime": iso(login),
                })
            })
            .collect();
        let records = rows.len();
        Made::json(json!({ "agentPerformance": rows }).to_string(), records)
    })
    .with(findings)
}

pub(super) fn skills(asked: &Asked<'_>, state: &State) -> Reply {
    let mut findings = Findings::new();
    let range = match range(asked, state, &mut findings) {
        Ok(range) => range,
        Err(problem) => return asked.bad(&problem).with(findings),
    };
    let past = Arc::clone(&state.past);
    Reply::work(move || {
        let mut sums: BTreeMap<u32, (i64, i64, i64)> = BTreeMap::new();
        for row in in_range(&past, &range) {
            if let Some(skill) = row.skill {
                let (offered, handled, abandoned) = sums.entry(skill).or_default();
                *offered += 1;
                *handled += i64::from(row.agent.is_some() && !row.refused);
                *abandoned += i64::from(row.abandoned);
            }
        }
        let rows: Vec<Value> = sums
            .into_iter()
            .map(|(skill, (offered, handled, abandoned))| {
                json!({
                    "skillId": contacts::skill(skill).to_string(), "contactsOffered": offered.to_string(),
                    "contactsHandled": handled.to_string(), "abandonCount": abandoned.to_string(),
                })
            })
            .collect();
        let records = rows.len();
        Made::json(json!({ "skillSummaries": rows }).to_string(), records)
    })
    .with(findings)
}

/// An ISO duration of hours, minutes and seconds.
fn iso(millis: i64) -> String {
    let (seconds, rest) = (millis / 1_000, millis % 1_000);
    format!(
        "PT{}H{}M{}.{rest:03}S",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}
