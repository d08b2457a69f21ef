//! What is set up on the platforms: Genesys' topics, integrations and triggers, and the guide's registrations of webhooks.

use crate::config::{Admin, Topic};
use crate::http::{Answer, error, json};
use hyper::Method;
use serde_json::{Value, json};
use std::collections::HashMap;

const TOPICS: &str = "/api/v2/notifications/availabletopics";
const INTEGRATIONS: &str = "/api/v2/integrations";
const EXTERNAL_METRICS: &str = "/api/v2/employeeperformance/externalmetrics/definitions";
/// Definitions an organisation may have.
const EXTERNAL_METRICS_MAX: usize = 50;
const TRIGGERS: &str = "/api/v2/processautomation/triggers";
const TRIGGER_TOPICS: &str = "/api/v2/processautomation/triggers/topics";
/// The permission that the guide names.
const WEBHOOKS: &str = "integration:webhooks:write";
const TRIGGER_VIEW: &str = "processautomation:trigger:view";

/// A request, taken apart.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) body: &'a [u8],
    /// The double's own URL.
    pub(super) url: &'a str,
    /// An id for what is created.
    pub(super) fresh_id: &'a str,
    /// The id under which the platform remembers this exchange.
    pub(super) context: &'a str,
}

/// Whether a path is one of these.
pub(super) fn is_at(path: &str, admin: &Admin) -> bool {
    let below = |base: &str| {
        path.strip_prefix(base)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path == TOPICS
        || path == INTEGRATIONS
        || path == EXTERNAL_METRICS
        || below(TRIGGERS)
        || below(&admin.registrations_path)
}

/// Answers.
pub(super) fn answer(admin: &mut Admin, asked: &Asked<'_>) -> Answer {
    let registrations = admin.registrations_path.clone();
    match (asked.method, asked.path) {
        (&Method::GET, TOPICS) => topics(admin, asked),
        (&Method::GET, INTEGRATIONS) => integrations(admin, asked),
        (&Method::GET, EXTERNAL_METRICS) => external_metrics(admin, asked),
        (&Method::POST, EXTERNAL_METRICS) => create_external_metric(admin, asked),
        (&Method::GET, TRIGGER_TOPICS) => trigger_topics(admin, asked),
        (&Method::GET, TRIGGERS) if !admin.may(TRIGGER_VIEW) => forbidden(asked, TRIGGER_VIEW),
        (&Method::GET, TRIGGERS) => cursor(&admin.triggers, admin, asked),
        (&Method::POST, TRIGGERS) => create_trigger(admin, asked),
        (&Method::PUT, path) if path.starts_with(TRIGGERS) => change_trigger(admin, asked),
        (method, path) if path.starts_with(&registrations) => registration(
            admin,
            asked,
            method,
            path[registrations.len()..].trim_start_matches('/'),
        ),
        _ => error(404, "not found", "HTTP 404 Not Found", asked.context),
    }
}

impl Asked<'_> {
    fn parameters(&self) -> HashMap<String, String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .into_owned()
            .collect()
    }

    fn expands(&self, what: &str) -> bool {
        self.parameters()
            .get("expand")
            .is_some_and(|expand| expand.split(',').any(|part| part == what))
    }
}

fn forbidden(asked: &Asked<'_>, permission: &str) -> Answer {
    let message = format!(
        "Unable to perform the requested action. You are missing the following permission(s): {permission}"
    );
    error(403, "missing.permissions", &message, asked.context)
}

fn bad(asked: &Asked<'_>, message: &str) -> Answer {
    error(400, "invalid.value", message, asked.context)
}

fn topics(admin: &Admin, asked: &Asked<'_>) -> Answer {
    let shown = |topic: &Topic| {
        let granted = topic
            .requires
            .iter()
            .all(|permission| admin.may(permission));
        let mut shown = json!({ "id": topic.id, "permissionsGranted": granted });
        if asked.expands("transports") {
            shown["transports"] = json!(topic.transports);
        }
        if asked.expands("requiresPermissions") {
            shown["requiresPermissions"] = json!(topic.requires);
        }
        if asked.expands("visibility") {
            shown["visibility"] = json!(if topic.preview { "Preview" } else { "Public" });
        }
        shown
    };
    let entities: Vec<Value> = admin.topics.iter().map(shown).collect();
    json(200, &json!({ "entities": entities }))
}

fn external_metrics(admin: &Admin, asked: &Asked<'_>) -> Answer {
    const VIEW: &str = "employeePerformance:externalMetricDefinition:view";
    if !admin.may(VIEW) {
        return forbidden(asked, VIEW);
    }
    numbered(&admin.external_metrics, admin, asked)
}

fn create_external_metric(admin: &mut Admin, asked: &Asked<'_>) -> Answer {
    const ADD: &str = "employeePerformance:externalMetricDefinition:add";
    if !admin.may(ADD) {
        return forbidden(asked, ADD);
    }
    let Ok(mut definition) = serde_json::from_slice::<Value>(asked.body) else {
        return bad(asked, "the body is no JSON");
    };
    if let Some(problem) = wrong_external_metric(&definition) {
        return bad(asked, problem);
    }
    if admin.external_metrics.len() >= EXTERNAL_METRICS_MAX {
        return bad(asked, "the organisation has too many definitions");
    }
    definition["id"] = json!(asked.fresh_id);
    definition["retentionMonths"] = json!(13);
    definition["inUse"] = json!(false);
    definition["selfUri"] = json!(format!("{EXTERNAL_METRICS}/{}", asked.fresh_id));
    admin.external_metrics.push(definition.clone());
    json(200, &definition)
}

/// What is wrong with a definition, if anything.
fn wrong_external_metric(definition: &Value) -> Option<&'static str> {
    let text = |name: &str| definition.get(name).and_then(Value::as_str);
    let one_of = |name: &str, words: &[&str]| text(name).is_some_and(|text| words.contains(&text));
    let precision = definition.get("precision").and_then(Value::as_u64);
    if text("name").is_none_or(str::is_empty) {
        Some("name is missing")
    } else if !one_of("unit", &["Seconds", "Percent", "Number", "Currency"]) {
        Some("unit is none")
    } else if precision.is_none_or(|precision| precision > 5) {
        Some("precision must be 0 to 5")
    } else if !one_of(
        "defaultObjectiveType",
        &["HigherIsBetter", "LowerIsBetter", "TargetArea"],
    ) {
        Some("defaultObjectiveType is none")
    } else {
        None
    }
}

/// A name that two definitions have: whoever created the second one did not look.
pub(super) fn defined_twice(admin: &Admin) -> Option<String> {
    let name = |definition: &Value| {
        definition
            .get("name")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let mut names: Vec<String> = admin.external_metrics.iter().filter_map(name).collect();
    names.sort_unstable();
    names
        .windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| pair[0].clone())
}

fn integrations(admin: &Admin, asked: &Asked<'_>) -> Answer {
    const VIEW: &str = "integrations:integration:view";
    if !admin.may(VIEW) {
        return forbidden(asked, VIEW);
    }
    numbered(&admin.integrations, admin, asked)
}

/// Pages by number, as most of Genesys' lists have them.
fn numbered(elements: &[Value], admin: &Admin, asked: &Asked<'_>) -> Answer {
    let parameters = asked.parameters();
    let number = |name: &str, usual: usize| -> usize {
        let text = parameters.get(name);
        text.and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let size = number("pageSize", 25).clamp(1, admin.page_max.max(1));
    let page = number("pageNumber", 1).max(1);
    let all = elements.len();
    let mut entities: Vec<Value> = elements
        .iter()
        .skip((page - 1) * size)
        .take(size)
        .cloned()
        .collect();
    if !asked.expands("config.current") {
        for entity in &mut entities {
            entity.as_object_mut().map(|entity| entity.remove("config"));
        }
    }
    let mut body =
        json!({ "entities": entities, "pageSize": size, "pageNumber": page, "total": all });
    if page * size < all {
        let expand = parameters
            .get("expand")
            .map_or_else(String::new, |expand| format!("&expand={expand}"));
        body["nextUri"] = json!(format!(
            "{}?pageSize={size}&pageNumber={}{expand}",
            asked.path,
            page + 1
        ));
    }
    json(200, &body)
}

fn trigger_topics(admin: &Admin, asked: &Asked<'_>) -> Answer {
    if !admin.may(TRIGGER_VIEW) {
        return forbidden(asked, TRIGGER_VIEW);
    }
    let valid: Vec<Value> = valid_for_triggers(admin)
        .map(|topic| json!({ "id": topic.id }))
        .collect();
    cursor(&valid, admin, asked)
}

fn valid_for_triggers(admin: &Admin) -> impl Iterator<Item = &Topic> {
    admin.topics.iter().filter(|topic| {
        let way = |found: &String| found == "All" || found == "ProcessAutomation";
        topic.transports.iter().any(way)
    })
}

/// Pages by cursor, as Genesys' newer lists have them.
fn cursor(all: &[Value], admin: &Admin, asked: &Asked<'_>) -> Answer {
    let parameters = asked.parameters();
    let number = |name: &str| parameters.get(name).and_then(|text| text.parse().ok());
    let size: usize = number("pageSize")
        .unwrap_or(25)
        .clamp(1, admin.page_max.max(1));
    let after: usize = number("after").unwrap_or(0);
    let entities: Vec<&Value> = all.iter().skip(after).take(size).collect();
    let mut body = json!({ "entities": entities });
    if after + size < all.len() {
        let path = asked.path;
        body["nextUri"] = json!(format!("{path}?after={}&pageSize={size}", after + size));
    }
    json(200, &body)
}

/// What is wrong with a trigger, if anything.
fn wrong_trigger(admin: &Admin, trigger: &Value) -> Option<&'static str> {
    let text = |pointer: &str| trigger.pointer(pointer).and_then(Value::as_str);
    let topic = text("/topicName");
    if text("/name").is_none_or(str::is_empty) {
        Some("name is missing")
    } else if !valid_for_triggers(admin).any(|found| Some(found.id.as_str()) == topic) {
        Some("topicName is not a valid topic")
    } else if text("/target/id").is_none() || text("/target/type") != Some("Workflow") {
        Some("target must be a Workflow")
    } else if trigger.get("enabled").and_then(Value::as_bool).is_none() {
        Some("enabled is missing")
    } else if trigger
        .get("eventTTLSeconds")
        .is_some_and(|ttl| ttl.as_u64().is_none_or(|ttl| ttl < 10))
    {
        Some("eventTTLSeconds must be at least 10")
    } else if text("/description").is_some_and(|text| text.len() > 512) {
        Some("description is too long")
    } else {
        None
    }
}

fn create_trigger(admin: &mut Admin, asked: &Asked<'_>) -> Answer {
    const ADD: &str = "processautomation:trigger:add";
    if !admin.may(ADD) {
        return forbidden(asked, ADD);
    }
    let Ok(mut trigger) = serde_json::from_slice::<Value>(asked.body) else {
        return bad(asked, "the body is no JSON");
    };
    if let Some(problem) = wrong_trigger(admin, &trigger) {
        return bad(asked, problem);
    }
    trigger["id"] = json!(asked.fresh_id);
    trigger["version"] = json!(1);
    admin.triggers.push(trigger.clone());
    json(200, &trigger)
}

fn change_trigger(admin: &mut Admin, asked: &Asked<'_>) -> Answer {
    const EDIT: &str = "processautomation:trigger:edit";
    if !admin.may(EDIT) {
        return forbidden(asked, EDIT);
    }
    let id = asked.path[TRIGGERS.len()..].trim_start_matches('/');
    let Ok(mut trigger) = serde_json::from_slice::<Value>(asked.body) else {
        return bad(asked, "the body is no JSON");
    };
    if let Some(problem) = wrong_trigger(admin, &trigger) {
        return bad(asked, problem);
    }
    let Some(known) = admin.triggers.iter_mut().find(|known| known["id"] == id) else {
        return error(404, "not found", "there is no such trigger", asked.context);
    };
    if known["version"] != trigger["version"] {
        return error(
            409,
            "conflict",
            "the version is not the current one",
            asked.context,
        );
    }
    if known["topicName"] != trigger["topicName"] {
        return bad(asked, "topicName cannot be changed");
    }
    trigger["id"] = known["id"].clone();
    trigger["version"] = json!(known["version"].as_u64().unwrap_or(0) + 1);
    *known = trigger.clone();
    json(200, &trigger)
}

/// The guide's registrations: listed, created, and changed by id.
fn registration(admin: &mut Admin, asked: &Asked<'_>, method: &Method, id: &str) -> Answer {
    if !admin.may(WEBHOOKS) {
        return forbidden(asked, WEBHOOKS);
    }
    if method == Method::GET && id.is_empty() {
        return cursor(&admin.registrations, admin, asked);
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(asked.body) else {
        return bad(asked, "the body is no JSON");
    };
    if body
        .get("url")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        return bad(asked, "url is missing");
    }
    // A secret is taken and never shown again.
    let secret = body.as_object_mut().and_then(|body| body.remove("secret"));
    match secret.as_ref().and_then(Value::as_str) {
        Some(secret) if !secret.is_empty() => admin.registered_secrets.push(secret.to_owned()),
        _ => return bad(asked, "secret is missing"),
    }
    body["state"] = json!("active");
    match (method, id) {
        (&Method::POST, "") => {
            body["id"] = json!(asked.fresh_id);
            body["selfUri"] = json!(format!("{}{}/{}", asked.url, asked.path, asked.fresh_id));
            admin.registrations.push(body.clone());
            json(201, &body)
        }
        (&Method::PUT, id) => match admin
            .registrations
            .iter_mut()
            .find(|known| known["id"] == id)
        {
            Some(known) => {
                body["id"] = json!(id);
                *known = body.clone();
                json(200, &body)
            }
            None => error(
                404,
                "not found",
                "there is no such registration",
                asked.context,
            ),
        },
        _ => error(405, "method.not.allowed", "HTTP 405", asked.context),
    }
}
