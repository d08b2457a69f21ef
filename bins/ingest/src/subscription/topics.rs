//! The topics that Genesys offers, and whether those wanted can be had.
//! `GET /api/v2/notifications/availabletopics`: each topic has an `id` with literal `{id}`, its `transports`, and, for whoever asks,
//! `permissionsGranted` beside `requiresPermissions`.

use super::finding::Finding;
use platform::api::{Api, ApiError};
use platform::client::Method;
use serde_json::Value;

/// What is asked for; the schema, which is large, is not.
const PATH: &str =
    "/api/v2/notifications/availabletopics?expand=transports,requiresPermissions,visibility";

/// A way in which topics travel, as Genesys calls it.
pub(super) const EVENT_BRIDGE: &str = "EventBridge";

/// All topics of the organisation.
pub(super) async fn available(api: &Api) -> Result<Vec<Value>, ApiError> {
    let mut answer = api.call(Method::Get, PATH, None).await?;
    match answer.get_mut("entities").map(Value::take) {
        Some(Value::Array(topics)) => Ok(topics),
        _ => Ok(Vec::new()),
    }
}

/// What is wrong with the wanted topics, and what is worth a note.
pub(super) fn judge(
    available: &[Value],
    wanted: &[String],
    transport: &'static str,
) -> (Vec<Finding>, Vec<String>) {
    let (mut findings, mut notes) = (Vec::new(), Vec::new());
    for topic in wanted {
        let Some(found) = available.iter().find(|found| id(found) == Some(topic)) else {
            findings.push(Finding::UnknownTopic {
                topic: topic.clone(),
                near: near(available.iter().filter_map(id), topic),
            });
            continue;
        };
        let transports = texts(found.get("transports"));
        if !transports.is_empty()
            && !transports
                .iter()
                .any(|offered| offered.eq_ignore_ascii_case(transport) || offered == "All")
        {
            findings.push(Finding::Transport {
                topic: topic.clone(),
                wanted: transport,
                offered: transports.join(", "),
            });
        }
        let missing = missing_permissions(found);
        if !missing.is_empty() {
            findings.push(Finding::MissingPermission {
                what: format!("the topic {topic}"),
                permissions: missing.join(", "),
            });
        }
        if found.get("visibility").and_then(Value::as_str) == Some("Preview") {
            notes.push(format!("the topic {topic} is a preview, which may change"));
        }
    }
    (findings, notes)
}

/// The permissions that the asking credential lacks. `permissionsGranted` is a yes or no, or a list of those that it has.
fn missing_permissions(topic: &Value) -> Vec<String> {
    let required = texts(topic.get("requiresPermissions"));
    match topic.get("permissionsGranted") {
        Some(Value::Bool(false)) if required.is_empty() => {
            vec!["(the platform does not say which)".to_owned()]
        }
        Some(Value::Bool(false)) => required,
        Some(Value::Array(_)) => {
            let granted = texts(topic.get("permissionsGranted"));
            let mut missing = required;
            missing.retain(|permission| !granted.contains(permission));
            missing
        }
        _ => Vec::new(),
    }
}

pub(super) fn id(topic: &Value) -> Option<&str> {
    topic.get("id").and_then(Value::as_str)
}

/// The texts of a list; of anything else none.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// The name that differs least: in case, or in at most a fifth of its letters at one place.
pub(super) fn near<'a>(names: impl Iterator<Item = &'a str>, wanted: &str) -> Option<String> {
    names
        .map(|name| {
            let common = name
                .bytes()
                .zip(wanted.bytes())
                .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
                .count();
            let rest = name.len().min(wanted.len()) - common;
            let tail = name
                .bytes()
                .rev()
                .zip(wanted.bytes().rev())
                .take(rest)
                .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
                .count();
            let differing = name.len().max(wanted.len()) - common - tail;
            (differing, name)
        })
        .min()
        .filter(|(differing, name)| *differing * 5 <= name.len())
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_wanted_topic_is_judged() {
        let available = [
            json!({"id": "v2.a.{id}.good", "transports": ["All"], "permissionsGranted": true, "requiresPermissions": ["a:b:view"]}),
            json!({"id": "v2.a.{id}.socket", "transports": ["Websocket"]}),
            json!({"id": "v2.a.{id}.closed", "transports": ["EventBridge"], "permissionsGranted": false, "requiresPermissions": ["a:b:view", "a:c:view"]}),
            json!({"id": "v2.a.{id}.half", "permissionsGranted": ["a:b:view"], "requiresPermissions": ["a:b:view", "a:c:view"], "visibility": "Preview"}),
        ];
        let wanted =
            ["good", "socket", "closed", "half", "god"].map(|name| format!("v2.a.{{id}}.{name}"));
        let (findings, notes) = judge(&available, &wanted, EVENT_BRIDGE);
        let texts: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert_eq!(
            texts,
            [
                "the topic v2.a.{id}.socket does not come through EventBridge, only through Websocket",
                "missing permission for the topic v2.a.{id}.closed: a:b:view, a:c:view",
                "missing permission for the topic v2.a.{id}.half: a:c:view",
                "the platform has no topic v2.a.{id}.god; did you mean v2.a.{id}.good?",
            ]
        );
        assert_eq!(
            notes,
            ["the topic v2.a.{id}.half is a preview, which may change"]
        );
    }

    #[test]
    fn what_is_far_is_no_suggestion() {
        assert_eq!(
            near(["v2.users.{id}.presence"].into_iter(), "v2.flows"),
            None
        );
    }
}
