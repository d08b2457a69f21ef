//! Genesys' integration of type `amazon-eventbridge-source`: publishes to a partner event bus of the customer's AWS account, whose rule
//! posts to us. The integration can be looked at; the rule is in an account that we do not enter, and is printed for its owner.
//!
//! `GET /api/v2/integrations?expand=config.current`: `integrationType.id`, `intendedState`, `reportedState.code`, and in
//! `config.current.properties` `eventSourceSuffix`, `awsAccountId`, `awsAccountRegion` and `eventFilter`, the topics.

mod setup;

use super::finding::{Finding, Inspection, View};
use super::outcome::{Done, Step};
use super::topics::{self, EVENT_BRIDGE, texts};
use crate::subscriptions::Subscription;
use crate::subscriptions::platform::{EventBridge, Platform};
use platform::api::{Api, ApiError};
use serde_json::Value;

const TYPE: &str = "amazon-eventbridge-source";
const VIEW: &str = "integrations:integration:view";

async fn integrations(api: &Api) -> Result<Vec<Value>, ApiError> {
    let path = "/api/v2/integrations?pageSize=100&pageNumber=1&expand=config.current";
    let mut all = api.list(path, "/entities", "/nextUri").await?;
    all.retain(|found| text(found, "/integrationType/id") == TYPE);
    Ok(all)
}

fn text<'v>(of: &'v Value, pointer: &str) -> &'v str {
    of.pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn property<'v>(integration: &'v Value, name: &str) -> Option<&'v Value> {
    integration.pointer("/config/current/properties")?.get(name)
}

/// A property as text: accounts come as numbers, too.
fn property_text(integration: &Value, name: &str) -> Option<String> {
    match property(integration, name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The one among several that is ours: that of the suffix, else that of the account, else the only one.
fn ours<'i>(all: &'i [Value], bridge: &EventBridge) -> Result<&'i Value, Finding> {
    let with = |name: &str, wanted: &Option<String>| {
        let wanted = wanted.as_deref()?;
        Some(
            all.iter()
                .find(|found| property_text(found, name).as_deref() == Some(wanted))
                .ok_or_else(|| Finding::Missing {
                    what: format!("integration of type {TYPE} with {name} {wanted}"),
                }),
        )
    };
    if let Some(found) = with("eventSourceSuffix", &bridge.suffix) {
        return found;
    }
    match all {
        [] => Err(Finding::Missing {
            what: format!("integration of type {TYPE}"),
        }),
        [one] => Ok(one),
        several => with("awsAccountId", &bridge.account).unwrap_or_else(|| {
            let names = several.iter().map(|found| text(found, "/name"));
            Err(Finding::Repeated {
                what: format!("an integration of type {TYPE} (say which by `suffix` in [subscription.platform.eventbridge])"),
                count: several.len(),
                ids: names.collect::<Vec<_>>().join(", "),
            })
        }),
    }
}

/// What of the integration is not as wanted.
fn differences(found: &Value, platform: &Platform, bridge: &EventBridge) -> Vec<Finding> {
    let what = format!("the integration {}", text(found, "/name"));
    let mut findings = Vec::new();
    let intended = text(found, "/intendedState");
    let reported = text(found, "/reportedState/code");
    if intended != "ENABLED" {
        findings.push(Finding::Disabled {
            what: what.clone(),
            why: format!("its intended state is {intended}"),
        });
    } else if !matches!(reported, "ACTIVE" | "") {
        let words = [
            text(found, "/reportedState/effective"),
            text(found, "/reportedState/detail/localizableMessageCode"),
        ];
        let words: Vec<&str> = words.into_iter().filter(|text| !text.is_empty()).collect();
        findings.push(Finding::Disabled {
            what: what.clone(),
            why: format!("it reports {reported} {}", words.join(", "))
                .trim_end()
                .to_owned(),
        });
    }
    for (name, wanted) in [
        ("eventSourceSuffix", &bridge.suffix),
        ("awsAccountId", &bridge.account),
        ("awsAccountRegion", &bridge.region),
    ] {
        if let (Some(wanted), Some(has)) = (wanted, property_text(found, name))
            && has != *wanted
        {
            findings.push(Finding::Differs {
                what: format!("{name} of {what}"),
                found: has,
                wanted: wanted.clone(),
            });
        }
    }
    if let Some(Value::Array(_)) = property(found, "eventFilter") {
        let sent = texts(property(found, "eventFilter"));
        for topic in &platform.topics {
            if !sent.iter().any(|entry| covers(entry, topic)) {
                findings.push(Finding::MissingTopic {
                    topic: topic.clone(),
                    what: what.clone(),
                });
            }
        }
    }
    findings
}

/// Whether an entry of the filter lets a topic through: it is the topic, or its beginning with a `*`.
fn covers(entry: &str, topic: &str) -> bool {
    entry
        .strip_suffix('*')
        .map_or(entry == topic, |beginning| topic.starts_with(beginning))
}

/// Looks at topics and integration.
pub(super) async fn inspect(api: &Api, platform: &Platform, bridge: &EventBridge) -> Inspection {
    look(api, platform, bridge).await.0
}

/// The inspection, and the integration if it was found.
async fn look(api: &Api, platform: &Platform, bridge: &EventBridge) -> (Inspection, Option<Value>) {
    let mut seen = Inspection::unknown();
    match topics::available(api).await {
        Ok(available) => {
            let (findings, notes) = topics::judge(&available, &platform.topics, EVENT_BRIDGE);
            seen.findings = findings;
            seen.notes = notes;
        }
        Err(error) => seen
            .findings
            .push(Finding::of_error(&error, "the topics", "")),
    }
    let all = match integrations(api).await {
        Ok(all) => all,
        Err(error) => {
            seen.findings
                .push(Finding::of_error(&error, "the integrations", VIEW));
            return (seen, None);
        }
    };
    match ours(&all, bridge) {
        Err(finding) => {
            if let Finding::Missing { .. } = finding {
                seen.view = View::Missing;
            }
            seen.findings.push(finding);
            (seen, None)
        }
        Ok(found) => {
            let findings = differences(found, platform, bridge);
            let off = findings
                .iter()
                .any(|finding| matches!(finding, Finding::Disabled { .. }));
            seen.view = if off { View::Disabled } else { View::Enabled };
            seen.findings.extend(findings);
            seen.ids.push(text(found, "/id").to_owned());
            seen.notes.push(
                "the rule in the AWS account cannot be seen from here: `ingest subscription register` prints it".to_owned(),
            );
            (seen, Some(found.clone()))
        }
    }
}

/// Looks, and prints what is to be made in the AWS account. Changes nothing on either side.
pub(super) async fn register(
    api: Option<&Api>,
    subscription: &Subscription,
    platform: &Platform,
    bridge: &EventBridge,
) -> Done {
    let mut done = Done::default();
    let mut bridge = bridge.clone();
    match api {
        None => done.by_hand.push(format!(
            "switch on the integration \"Amazon EventBridge Source\" ({TYPE}) with these topics: {}",
            platform.topics.join(", ")
        )),
        Some(api) => {
            let (seen, found) = look(api, platform, &bridge).await;
            done.by_hand.extend(remedies(&seen.findings));
            done.findings = seen.findings;
            if let Some(found) = found {
                let id = Some(text(&found, "/id").to_owned());
                done.steps
                    .push(Step::unchanged(format!("integration {}", text(&found, "/name")), id));
                let fill = |part: &mut Option<String>, name: &str| {
                    if part.is_none() {
                        *part = property_text(&found, name).filter(|text| setup::is_plain(text));
                    }
                };
                fill(&mut bridge.suffix, "eventSourceSuffix");
                fill(&mut bridge.account, "awsAccountId");
                fill(&mut bridge.region, "awsAccountRegion");
            }
        }
    }
    let setup = setup::Setup::new(subscription.name.as_str(), platform, &bridge);
    done.by_hand.extend(setup.steps());
    done.setup = Some(setup.json());
    done
}

/// What an administrator of Genesys does about the findings.
fn remedies(findings: &[Finding]) -> Vec<String> {
    let missing: Vec<&str> = findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::MissingTopic { topic, .. } => Some(topic.as_str()),
            _ => None,
        })
        .collect();
    let mut steps = Vec::new();
    for finding in findings {
        match finding {
            Finding::Missing { .. } => steps.push(format!(
                "add and switch on the integration \"Amazon EventBridge Source\" ({TYPE}) in Genesys Cloud"
            )),
            Finding::Disabled { what, .. } => {
                steps.push(format!("switch on {what} in Genesys Cloud"));
            }
            _ => {}
        }
    }
    if !missing.is_empty() {
        steps.push(format!(
            "add these topics to the integration's filter: {}",
            missing.join(", ")
        ));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn an_entry_of_the_filter_is_a_topic_or_a_beginning() {
        let topic = "v2.detail.events.conversation.{id}.acw";
        for (entry, wanted) in [
            (topic, true),
            ("v2.detail.events.conversation.{id}.*", true),
            ("v2.detail.*", true),
            ("v2.users.*", false),
            ("v2.detail.events.conversation.{id}.ac", false),
        ] {
            assert_eq!(covers(entry, topic), wanted, "{entry}");
        }
    }
}
