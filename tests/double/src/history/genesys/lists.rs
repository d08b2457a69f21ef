//! Lists of what is set up: users, and the organisation's limits.

use super::super::agents;
use super::super::call::{Asked, Reply};
use super::super::ids::Of;
use super::super::state::State;
use crate::http::json;
use serde_json::{Value, json};

pub(super) fn users(asked: &Asked<'_>, state: &State) -> Reply {
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
pub(super) const NAMESPACES: [(&str, &[(&str, u64)]); 2] = [
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

pub(super) fn limits(asked: &Asked<'_>) -> Reply {
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
