//! Workforce management: units, who is in them, and the published plan; and the sums over users' statuses.

use super::super::agents::{self, At};
use super::super::call::{Asked, Made, Reply};
use super::super::ids::Of;
use super::super::moment::{DAY, Moment};
use super::super::past::Past;
use super::super::state::State;
use super::{Findings, body, interval};
use crate::http::json;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const BUSINESS_UNIT: &str = "b0000000-0000-4000-8000-000000000001";
const MANAGEMENT_UNIT: &str = "a0000000-0000-4000-8000-";

/// The zones of the management units; an agent is in the one that its number comes to.
fn zones(past: &Past) -> &[String] {
    &past.history.workforce.zones
}

fn unit(nth: usize) -> String {
    format!("{MANAGEMENT_UNIT}{nth:012}")
}

fn listed(entities: &[Value]) -> Reply {
    let total = entities.len();
    Reply::answer(json(
        200,
        &json!({ "entities": entities, "pageNumber": 1, "pageSize": 100, "total": total, "pageCount": 1 }),
    ))
}

pub(super) fn business_units(state: &State) -> Reply {
    let zone = &state.past.history.workforce.business_zone;
    listed(&[
        json!({ "id": BUSINESS_UNIT, "name": "Business unit", "settings": { "timeZone": zone, "startDayOfWeek": "Monday" } }),
    ])
}

pub(super) fn management_units(state: &State) -> Reply {
    let entities: Vec<Value> = zones(&state.past)
        .iter()
        .enumerate()
        .map(|(nth, zone)| json!({ "id": unit(nth), "name": format!("Unit {nth}"), "timeZone": zone, "businessUnit": { "id": BUSINESS_UNIT } }))
        .collect();
    listed(&entities)
}

pub(super) fn members(asked: &Asked<'_>, state: &State) -> Reply {
    let past = &state.past;
    let units = zones(past).len();
    let Some(nth) = (0..units).find(|nth| unit(*nth) == asked.route.id) else {
        return asked.absent();
    };
    let entities: Vec<Value> = (0..agents::count(past))
        .filter(|agent| *agent as usize % units == nth)
        .map(|agent| json!({ "user": { "id": past.ids.text(Of::Agent, u64::from(agent)) } }))
        .collect();
    listed(&entities)
}

/// The plan of everybody: from the beginning to the end of each day's work. More days than the platform answers at once are announced to a user's own
/// channel, which nobody here has.
pub(super) fn schedules(asked: &Asked<'_>, state: &State) -> Reply {
    let mut findings = Findings::new();
    if asked.route.id != BUSINESS_UNIT {
        return asked.absent();
    }
    let Some(body) = body(asked) else {
        return asked.bad("the body is no JSON object");
    };
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    let span = format!("{}/{}", text("startDate"), text("endDate"));
    let Some((from, until)) = interval(&span, state, &mut findings) else {
        return asked.bad("startDate and endDate are needed").with(findings);
    };
    let at_once = state.past.history.workforce.days_at_once;
    if until - from > i64::from(at_once) * DAY {
        let answer = json!({ "status": "Processing", "operationId": asked.fresh_id });
        return Reply::answer(json(202, &answer)).with(findings);
    }
    let past = Arc::clone(&state.past);
    Reply::work(move || {
        let schedules: Vec<Value> = (0..agents::count(&past))
            .map(|agent| {
                let shifts: Vec<Value> = agents::shifts(&past, agent, (from, until))
                    .into_iter()
                    .map(|(begins, ends)| {
                        let minutes = (ends - begins) / 60_000;
                        let activity = json!({ "startDate": Moment(begins), "lengthMinutes": minutes, "activityCodeId": "0", "paid": true });
                        json!({
                            "id": format!("{agent}-{begins}"), "startDate": Moment(begins), "lengthMinutes": minutes,
                            "activities": [activity], "manuallyEdited": false,
                        })
                    })
                    .collect();
                json!({ "user": { "id": past.ids.text(Of::Agent, u64::from(agent)) }, "shifts": shifts, "fullDayTimeOffMarkers": [] })
            })
            .collect();
        let records = schedules.len();
        let answer = json!({
            "status": "Complete",
            "result": {
                "agentSchedules": schedules,
                "businessUnitTimeZone": past.history.workforce.business_zone,
                "publishedSchedules": [],
            },
        });
        Made::json(answer.to_string(), records)
    })
    .with(findings)
}

/// `tSystemPresence` by user; other metrics and dimensions are none here.
pub(super) fn statuses(asked: &Asked<'_>, state: &State) -> Reply {
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
    if body["groupBy"] != json!(["userId"]) {
        return asked.bad("groupBy can be userId alone").with(findings);
    }
    let now = state.now(asked.at);
    let view = state.view(now, asked.at);
    let past = Arc::clone(&state.past);
    Reply::work(move || {
        let mut results = Vec::new();
        for agent in 0..agents::count(&past) {
            let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
            for stretch in agents::stretches(&past, agent, (from, until), view.revised) {
                let presence = if stretch.at == At::Break {
                    "BREAK"
                } else {
                    "ON_QUEUE"
                };
                let ended = stretch.until.min(until).min(view.as_of);
                *sums.entry(presence).or_default() += (ended - stretch.from.max(from)).max(0);
            }
            let metrics: Vec<Value> = sums
                .into_iter()
                .filter(|(_, sum)| *sum > 0)
                .map(|(presence, sum)| json!({ "metric": "tSystemPresence", "qualifier": presence, "stats": { "sum": sum } }))
                .collect();
            if !metrics.is_empty() {
                let interval = format!("{}/{}", Moment(from), Moment(until));
                results.push(json!({
                    "group": { "userId": past.ids.text(Of::Agent, u64::from(agent)) },
                    "data": [{ "interval": interval, "metrics": metrics }],
                }));
            }
        }
        let records = results.len();
        let answer = if results.is_empty() {
            json!({})
        } else {
            json!({ "systemToOrganizationMappings": {}, "results": results })
        };
        Made::json(answer.to_string(), records)
    })
    .with(findings)
}
