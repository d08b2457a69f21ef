//! The guide's registration call: list what is registered, create what is absent, change what differs. All names are configuration, because
//! no platform has the call under the guide's.

use super::finding::{Finding, Inspection, View};
use super::outcome::{Done, Mode, Pushed, Step};
use crate::subscriptions::Subscription;
use crate::subscriptions::platform::{Field, Platform, Registration};
use platform::api::Api;
use serde_json::Value;

/// The permission that the guide names for it.
const PERMISSION: &str = "integration:webhooks:write";

/// Ours among the registrations.
enum Ours {
    /// Posts to our URL.
    Here(Vec<Value>),
    /// Has our name, and posts elsewhere.
    Elsewhere(Value),
    None,
}

fn find(registration: &Registration, all: Vec<Value>, name: &str, url: &str) -> Ours {
    let text = |of: &Value, field| registration.fields.text(of, field);
    let same = |found: &str| found.trim_end_matches('/') == url.trim_end_matches('/');
    let (here, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|found| text(found, Field::Url).is_some_and(|found| same(&found)));
    if !here.is_empty() {
        return Ours::Here(here);
    }
    others
        .into_iter()
        .find(|found| text(found, Field::Name).as_deref() == Some(name))
        .map_or(Ours::None, Ours::Elsewhere)
}

/// Looks at the registration.
pub(super) async fn inspect(
    api: &Api,
    subscription: &Subscription,
    platform: &Platform,
    registration: &Registration,
) -> Inspection {
    let mut seen = Inspection::unknown();
    let url = delivery_url(platform);
    let list = api
        .list(&registration.path, &registration.items, &registration.next)
        .await;
    let all = match list {
        Ok(all) => all,
        Err(error) => {
            seen.findings
                .push(Finding::of_error(&error, "the registration", PERMISSION));
            return seen;
        }
    };
    match find(registration, all, subscription.name.as_str(), url) {
        Ours::None => {
            seen.view = View::Missing;
            seen.findings.push(Finding::Missing {
                what: format!("registration that posts to {url}"),
            });
        }
        Ours::Elsewhere(found) => {
            seen.view = View::Missing;
            seen.ids.extend(registration.fields.text(&found, Field::Id));
            seen.findings
                .extend(differences(registration, &found, platform));
        }
        Ours::Here(found) => {
            seen.view = View::Enabled;
            let ids: Vec<String> = found
                .iter()
                .filter_map(|found| registration.fields.text(found, Field::Id))
                .collect();
            if found.len() > 1 {
                seen.findings.push(Finding::Repeated {
                    what: "the registration".to_owned(),
                    count: found.len(),
                    ids: ids.join(", "),
                });
            }
            let findings: Vec<_> = found
                .iter()
                .map(|found| differences(registration, found, platform))
                .collect();
            // One that delivers is enough.
            if findings.iter().all(|findings| is_off(findings)) {
                seen.view = View::Disabled;
            }
            seen.findings.extend(findings.into_iter().flatten());
            seen.ids = ids;
        }
    }
    seen
}

/// What of a registration is not as wanted.
fn differences(registration: &Registration, found: &Value, platform: &Platform) -> Vec<Finding> {
    let mut findings = Vec::new();
    let fields = &registration.fields;
    let what = || {
        let id = fields.text(found, Field::Id).unwrap_or_default();
        format!("the registration {id}").trim_end().to_owned()
    };
    let url = delivery_url(platform);
    if let Some(other) = fields.text(found, Field::Url)
        && other.trim_end_matches('/') != url.trim_end_matches('/')
    {
        findings.push(Finding::Differs {
            what: format!("the delivery URL of {}", what()),
            found: other,
            wanted: url.to_owned(),
        });
    }
    if let Some(state) = fields.text(found, Field::State)
        && !registration.good_states.contains(&state.to_lowercase())
    {
        findings.push(Finding::Disabled {
            what: what(),
            why: format!("its state is {state}"),
        });
    }
    if let Some(sent) = fields.topics(found) {
        for topic in &platform.topics {
            if !sent.contains(topic) {
                findings.push(Finding::MissingTopic {
                    topic: topic.clone(),
                    what: what(),
                });
            }
        }
    }
    findings
}

fn is_off(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| matches!(finding, Finding::Disabled { .. }))
}

/// Creates or changes the registration. Looks first, so that a second run changes nothing.
pub(super) async fn register(
    api: &Api,
    subscription: &Subscription,
    platform: &Platform,
    registration: &Registration,
    pushed: Pushed,
    mode: Mode<'_>,
) -> Done {
    let mut done = Done::default();
    let url = delivery_url(platform);
    let list = api
        .list(&registration.path, &registration.items, &registration.next)
        .await;
    let all = match list {
        Ok(all) => all,
        Err(error) => {
            done.findings
                .push(Finding::of_error(&error, "the registration", PERMISSION));
            return done;
        }
    };
    let found = match find(registration, all, subscription.name.as_str(), url) {
        Ours::None => None,
        Ours::Elsewhere(found) => Some(found),
        Ours::Here(found) => {
            if found.len() > 1 {
                let ids = found
                    .iter()
                    .filter_map(|found| registration.fields.text(found, Field::Id));
                done.findings.push(Finding::Repeated {
                    what: "the registration".to_owned(),
                    count: found.len(),
                    ids: ids.collect::<Vec<_>>().join(", "),
                });
            }
            // The best of several: what is right already is not touched, and none is made a second one that delivers.
            found.into_iter().min_by_key(|found| {
                let findings = differences(registration, found, platform);
                (is_off(&findings), findings.len())
            })
        }
    };
    let (method, path, id) = match &found {
        None => (registration.method, registration.path.clone(), None),
        Some(found) => {
            let id = registration.fields.text(found, Field::Id);
            let replaces = pushed == Pushed::Always && registration.secret.is_some();
            if differences(registration, found, platform).is_empty() && !replaces {
                done.steps.push(Step::unchanged("registration", id));
                return done;
            }
            let Some(id) = id else {
                done.findings.push(Finding::Unknown {
                    what: "the registration to change".to_owned(),
                    why: format!("it has no id at {}", registration.fields.id),
                });
                return done;
            };
            (
                registration.update_method,
                registration.update_path.replace("{id}", &id),
                Some(id),
            )
        }
    };
    let secret = match (&registration.secret, mode) {
        (None, _) => String::new(),
        // Not even fetched: it is not to be seen.
        (Some(_), Mode::DryRun) => "***".to_owned(),
        (Some(secret), Mode::Apply(variable)) => match secret.fetch(variable) {
            Ok(secret) => secret.expose().to_owned(),
            Err(why) => {
                done.findings.push(Finding::Unknown {
                    what: "the secret to register".to_owned(),
                    why,
                });
                return done;
            }
        },
    };
    let words = Words {
        name: subscription.name.as_str(),
        url,
        topics: &platform.topics,
        secret: &secret,
    };
    let body = words.fill(&registration.body);
    if let Mode::DryRun = mode {
        let step = if id.is_some() { "change" } else { "create" };
        done.steps.push(Step::planned(
            format!(
                "would {step} the registration: {} {path} {body}",
                method.name()
            ),
            id,
        ));
        return done;
    }
    match api.call(method, &path, Some(&body)).await {
        Ok(answer) => {
            let given = registration.fields.text(&answer, Field::Id);
            done.steps.push(match id {
                Some(id) => Step::changed("registration", Some(id)),
                None => Step::created("registration", given),
            });
        }
        Err(error) => done
            .findings
            .push(Finding::of_error(&error, "the registration", PERMISSION)),
    }
    done
}

fn delivery_url(platform: &Platform) -> &str {
    platform
        .delivery_url
        .as_ref()
        .map_or("", |url| url.as_str())
}

/// What the placeholders of a body stand for.
struct Words<'w> {
    name: &'w str,
    url: &'w str,
    topics: &'w [String],
    secret: &'w str,
}

impl Words<'_> {
    /// The body with its placeholders filled. A text that is `{topics}` and nothing else becomes the list; inside of one it is joined by
    /// commas. What is filled in is not looked at again.
    fn fill(&self, template: &Value) -> Value {
        match template {
            Value::String(text) if text == "{topics}" => self.topics.into(),
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(values) => values.iter().map(|value| self.fill(value)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.fill(value)))
                .collect(),
            other => other.clone(),
        }
    }

    fn text(&self, template: &str) -> String {
        let topics = self.topics.join(",");
        let known = [
            ("{name}", self.name),
            ("{url}", self.url),
            ("{topics}", topics.as_str()),
            ("{secret}", self.secret),
        ];
        let mut text = String::new();
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            text.push_str(&rest[..at]);
            rest = &rest[at..];
            let placeholder = known.iter().find(|(name, _)| rest.starts_with(name));
            let (value, length) =
                placeholder.map_or(("{", 1), |(name, value)| (*value, name.len()));
            text.push_str(value);
            rest = &rest[length..];
        }
        text.push_str(rest);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_is_filled_and_what_was_filled_in_is_left_alone() {
        let topics = ["a.{id}".to_owned(), "{url}".to_owned()];
        let words = Words {
            name: "main",
            url: "https://h/x",
            topics: &topics,
            secret: "s\"{name}",
        };
        let template = json!({"n": "kpiline {name}", "u": "{url}", "t": "{topics}", "s": "{secret}", "l": ["{topics};{other}"], "on": true});
        assert_eq!(
            words.fill(&template),
            json!({"n": "kpiline main", "u": "https://h/x", "t": ["a.{id}", "{url}"], "s": "s\"{name}", "l": ["a.{id},{url};{other}"], "on": true})
        );
    }
}
