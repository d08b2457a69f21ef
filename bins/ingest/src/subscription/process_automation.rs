//! Triggers of Genesys Process Automation: one for each topic, each starting the workflow that posts to us.
//!
//! `GET` and `POST /api/v2/processautomation/triggers`, `PUT …/{id}` with the version that is replaced; a trigger's topic cannot be changed.
//! Where the workflow posts to cannot be seen here.

use super::finding::{Finding, Inspection, View};
use super::outcome::{Done, Mode, Step};
use super::topics::{id, near};
use crate::subscriptions::Subscription;
use crate::subscriptions::platform::{Platform, Trigger};
use platform::api::{Api, ApiError};
use platform::client::Method;
use serde_json::{Value, json};

const TRIGGERS: &str = "/api/v2/processautomation/triggers";
const VIEW: &str = "processautomation:trigger:view";
const ADD: &str = "processautomation:trigger:add";
const EDIT: &str = "processautomation:trigger:edit";

/// The name of a topic's trigger. It is what we know ours by.
fn name(subscription: &Subscription, topic: &str) -> String {
    format!("kpiline {} {topic}", subscription.name)
}

async fn triggers(api: &Api) -> Result<Vec<Value>, ApiError> {
    let path = format!("{TRIGGERS}?pageSize=200");
    api.list(&path, "/entities", "/nextUri").await
}

/// What is wrong with the topics.
async fn topics(api: &Api, wanted: &[String]) -> Vec<Finding> {
    let path = format!("{TRIGGERS}/topics?pageSize=200");
    let valid = match api.list(&path, "/entities", "/nextUri").await {
        Ok(valid) => valid,
        Err(error) => return vec![Finding::of_error(&error, "the topics of triggers", VIEW)],
    };
    wanted
        .iter()
        .filter(|topic| !valid.iter().any(|found| id(found) == Some(topic)))
        .map(|topic| Finding::UnknownTopic {
            topic: topic.clone(),
            near: near(valid.iter().filter_map(id), topic),
        })
        .collect()
}

fn find<'t>(triggers: &'t [Value], name: &str) -> Vec<&'t Value> {
    triggers
        .iter()
        .filter(|found| text(found, "/name") == name)
        .collect()
}

fn text<'v>(of: &'v Value, pointer: &str) -> &'v str {
    of.pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// What of a trigger is not as wanted.
fn differences(found: &Value, topic: &str, trigger: &Trigger) -> Vec<Finding> {
    let what = format!("the trigger {}", text(found, "/id"));
    let mut findings = Vec::new();
    let mut differs = |part: &str, found: String, wanted: String| {
        if found != wanted {
            findings.push(Finding::Differs {
                what: format!("{part} of {what}"),
                found,
                wanted,
            });
        }
    };
    differs(
        "the topic",
        text(found, "/topicName").to_owned(),
        topic.to_owned(),
    );
    differs(
        "the workflow",
        text(found, "/target/id").to_owned(),
        trigger.workflow.clone(),
    );
    let seconds = |ttl: Option<u64>| ttl.map_or("none".to_owned(), |ttl| format!("{ttl} s"));
    differs(
        "the time to live",
        seconds(found.get("eventTTLSeconds").and_then(Value::as_u64)),
        seconds(trigger.event_ttl.map(|ttl| ttl.as_secs())),
    );
    let criteria = found
        .get("matchCriteria")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    if criteria > 0 {
        differs(
            "the filter",
            format!("{criteria} conditions"),
            "none".to_owned(),
        );
    }
    if found.get("enabled").and_then(Value::as_bool) == Some(false) {
        findings.push(Finding::Disabled {
            what,
            why: format!("no event of {topic} comes"),
        });
    }
    findings
}

/// Looks at the triggers.
pub(super) async fn inspect(
    api: &Api,
    subscription: &Subscription,
    platform: &Platform,
    trigger: &Trigger,
) -> Inspection {
    let mut seen = Inspection::unknown();
    seen.findings = topics(api, &platform.topics).await;
    let all = match triggers(api).await {
        Ok(all) => all,
        Err(error) => {
            seen.findings
                .push(Finding::of_error(&error, "the triggers", VIEW));
            return seen;
        }
    };
    seen.view = View::Enabled;
    for topic in &platform.topics {
        let found = find(&all, &name(subscription, topic));
        seen.ids
            .extend(found.iter().map(|found| text(found, "/id").to_owned()));
        let Some(first) = found.first() else {
            seen.view = View::Missing;
            seen.findings.push(Finding::Missing {
                what: format!("trigger for {topic}"),
            });
            continue;
        };
        if found.len() > 1 {
            let ids = found.iter().map(|found| text(found, "/id"));
            seen.findings.push(Finding::Repeated {
                what: format!("the trigger for {topic}"),
                count: found.len(),
                ids: ids.collect::<Vec<_>>().join(", "),
            });
        }
        let findings = differences(first, topic, trigger);
        let off = findings
            .iter()
            .any(|finding| matches!(finding, Finding::Disabled { .. }));
        if off && seen.view == View::Enabled {
            seen.view = View::Disabled;
        }
        seen.findings.extend(findings);
    }
    seen.notes.push(posts_to(platform, trigger));
    seen
}

fn posts_to(platform: &Platform, trigger: &Trigger) -> String {
    let url = platform
        .delivery_url
        .as_ref()
        .map_or("", |url| url.as_str());
    format!(
        "where the workflow {} posts to cannot be seen from here: its data action must post to {url}",
        trigger.workflow
    )
}

/// Creates or changes the triggers. Looks first, so that a second run changes nothing.
pub(super) async fn register(
    api: &Api,
    subscription: &Subscription,
    platform: &Platform,
    trigger: &Trigger,
    mode: Mode<'_>,
) -> Done {
    let mut done = Done {
        findings: topics(api, &platform.topics).await,
        by_hand: vec![posts_to(platform, trigger)],
        ..Done::default()
    };
    let all = match triggers(api).await {
        Ok(all) => all,
        Err(error) => {
            done.findings
                .push(Finding::of_error(&error, "the triggers", VIEW));
            return done;
        }
    };
    for topic in &platform.topics {
        let unknown = done.findings.iter().any(
            |finding| matches!(finding, Finding::UnknownTopic { topic: bad, .. } if bad == topic),
        );
        if unknown {
            continue;
        }
        let found = find(&all, &name(subscription, topic)).first().copied();
        match one(api, subscription, trigger, topic, found, mode).await {
            Ok(step) => done.steps.push(step),
            Err(finding) => done.findings.push(finding),
        }
    }
    done
}

async fn one(
    api: &Api,
    subscription: &Subscription,
    trigger: &Trigger,
    topic: &str,
    found: Option<&Value>,
    mode: Mode<'_>,
) -> Result<Step, Finding> {
    let what = format!("trigger for {topic}");
    let id = found.map(|found| text(found, "/id").to_owned());
    let mut body = json!({
        "name": name(subscription, topic),
        "topicName": topic,
        "target": { "id": trigger.workflow, "type": "Workflow" },
        "matchCriteria": [],
        "enabled": true,
        "description": "Made by kpiline; the workflow posts the event to it.",
    });
    if let Some(ttl) = trigger.event_ttl {
        body["eventTTLSeconds"] = json!(ttl.as_secs());
    }
    let Some((found, id)) = found.zip(id) else {
        if let Mode::DryRun = mode {
            return Ok(Step::planned(
                format!("would create the {what}: {body}"),
                None,
            ));
        }
        let answer = api.call(Method::Post, TRIGGERS, Some(&body)).await;
        let answer = answer.map_err(|error| Finding::of_error(&error, &what, ADD))?;
        return Ok(Step::created(
            what,
            Some(text(&answer, "/id").to_owned()).filter(|id| !id.is_empty()),
        ));
    };
    if text(found, "/topicName") != topic {
        return Err(Finding::Differs {
            what: format!("the topic of the trigger {id}, which cannot be changed: delete it"),
            found: text(found, "/topicName").to_owned(),
            wanted: topic.to_owned(),
        });
    }
    if differences(found, topic, trigger).is_empty() {
        return Ok(Step::unchanged(what, Some(id)));
    }
    // The version that is replaced: an edit by somebody else meanwhile is refused.
    body["version"] = found.get("version").cloned().unwrap_or(json!(1));
    if let Mode::DryRun = mode {
        let text = format!("would change the {what}: {body}");
        return Ok(Step::planned(text, Some(id)));
    }
    let path = format!("{TRIGGERS}/{id}");
    api.call(Method::Put, &path, Some(&body))
        .await
        .map_err(|error| Finding::of_error(&error, &what, EDIT))?;
    Ok(Step::changed(what, Some(id)))
}
