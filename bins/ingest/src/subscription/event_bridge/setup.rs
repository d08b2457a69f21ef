//! What the owner of the AWS account makes, so that the partner event bus posts to us: a bus for the event source, a connection that adds
//! the secret header, an API destination, a queue for what could not be delivered, a role, and the rule.

use crate::subscriptions::platform::{EventBridge, Platform, ProofScheme};
use serde_json::{Value, json};

/// What AWS retries at most, and by default: 24 hours or 185 times.
const AGE_SECONDS_MAX: u32 = 86_400;
const ATTEMPTS_MAX: u32 = 185;
/// How long the queue keeps what could not be delivered: 14 days, the most there is.
const DEAD_LETTER_SECONDS: u32 = 1_209_600;
/// What the API destination may send in a second.
const PER_SECOND: u32 = 300;
/// The header where the subscription has none that AWS could add.
const HEADER: &str = "x-api-key";
/// Stands for what only the operator has.
const SECRET: &str = "<the secret of the subscription>";

/// Whether a text can stand in a command as it is.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
}

/// All names and values.
pub(super) struct Setup<'s> {
    name: String,
    region: String,
    account: String,
    source: String,
    source_is_whole: bool,
    url: &'s str,
    header: String,
    /// What the header holds, as far as it is no secret.
    value: String,
    header_is_ours: bool,
    topics: &'s [String],
}

impl<'s> Setup<'s> {
    pub(super) fn new(subscription: &str, platform: &'s Platform, bridge: &EventBridge) -> Self {
        let source = match (&bridge.organisation, &bridge.suffix) {
            (Some(organisation), Some(suffix)) => {
                format!("aws.partner/genesys.com/cloud/{organisation}/{suffix}")
            }
            (Some(organisation), None) => format!("aws.partner/genesys.com/cloud/{organisation}/"),
            (None, _) => "aws.partner/genesys.com/cloud/".to_owned(),
        };
        let constant = platform
            .proof
            .as_ref()
            .filter(|proof| proof.scheme == ProofScheme::Static);
        Self {
            // The names of AWS take letters, digits and . _ -
            name: format!("kpiline-{}", subscription.replace(':', "-")),
            region: bridge.region.clone().unwrap_or("<region>".to_owned()),
            account: bridge.account.clone().unwrap_or("<account>".to_owned()),
            source_is_whole: bridge.organisation.is_some() && bridge.suffix.is_some(),
            source,
            url: platform
                .delivery_url
                .as_ref()
                .map_or("", |url| url.as_str()),
            header: constant.map_or(HEADER.to_owned(), |proof| proof.header.clone()),
            value: constant.map_or(SECRET.to_owned(), |proof| {
                format!("{}{SECRET}", proof.prefix)
            }),
            header_is_ours: constant.is_some(),
            topics: &platform.topics,
        }
    }

    /// Which events: by the beginning of the source and the topic's template, which is the `detail-type`.
    pub(super) fn pattern(&self) -> Value {
        json!({ "source": [{ "prefix": self.source }], "detail-type": self.topics })
    }

    fn bus(&self) -> String {
        if self.source_is_whole {
            self.source.clone()
        } else {
            "<event source, see `aws events list-event-sources`>".to_owned()
        }
    }

    fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region, self.account)
    }

    fn queue_arn(&self) -> String {
        self.arn("sqs", &format!("{}-dead-letters", self.name))
    }

    fn role_arn(&self) -> String {
        format!("arn:aws:iam::{}:role/{}", self.account, self.name)
    }

    fn connection(&self) -> Value {
        json!({
            "Name": self.name,
            "AuthorizationType": "API_KEY",
            "AuthParameters": { "ApiKeyAuthParameters": { "ApiKeyName": self.header, "ApiKeyValue": self.value } },
        })
    }

    fn destination(&self) -> Value {
        json!({
            "Name": self.name,
            "ConnectionArn": format!("{}/<id, as create-connection answers>", self.arn("events", &format!("connection/{}", self.name))),
            "InvocationEndpoint": self.url,
            "HttpMethod": "POST",
            "InvocationRateLimitPerSecond": PER_SECOND,
        })
    }

    fn targets(&self) -> Value {
        json!([{
            "Id": "kpiline",
            "Arn": format!("{}/<id, as create-api-destination answers>", self.arn("events", &format!("api-destination/{}", self.name))),
            "RoleArn": self.role_arn(),
            "RetryPolicy": { "MaximumEventAgeInSeconds": AGE_SECONDS_MAX, "MaximumRetryAttempts": ATTEMPTS_MAX },
            "DeadLetterConfig": { "Arn": self.queue_arn() },
        }])
    }

    fn trust() -> Value {
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" }, "Action": "sts:AssumeRole",
        }] })
    }

    fn policy(&self) -> Value {
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "events:InvokeApiDestination",
            "Resource": self.arn("events", &format!("api-destination/{}/*", self.name)),
        }] })
    }

    fn queue_attributes(&self) -> Value {
        let rule = self.arn("events", &format!("rule/{}/{}", self.bus(), self.name));
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" }, "Action": "sqs:SendMessage",
            "Resource": self.queue_arn(), "Condition": { "ArnEquals": { "aws:SourceArn": rule } },
        }] });
        json!({
            "MessageRetentionPeriod": DEAD_LETTER_SECONDS.to_string(),
            "Policy": policy.to_string(),
        })
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "event_bus": { "Name": self.bus(), "EventSourceName": self.bus() },
            "connection": self.connection(),
            "api_destination": self.destination(),
            "dead_letter_queue": { "QueueName": format!("{}-dead-letters", self.name), "Attributes": self.queue_attributes() },
            "role": { "RoleName": self.name, "AssumeRolePolicyDocument": Self::trust(), "Policy": self.policy() },
            "rule": { "Name": self.name, "EventBusName": self.bus(), "State": "ENABLED", "EventPattern": self.pattern() },
            "targets": self.targets(),
            "commands": self.commands(),
        })
    }

    /// What to run, in this order.
    pub(super) fn commands(&self) -> Vec<String> {
        let name = quoted(&self.name);
        let bus = quoted(&self.bus());
        let region = format!("--region {}", quoted(&self.region));
        let key = json!({ "ApiKeyAuthParameters": { "ApiKeyName": self.header, "ApiKeyValue": self.value } });
        let destination = self.destination();
        let arn = destination["ConnectionArn"].as_str().unwrap_or_default();
        vec![
            format!("aws events create-event-bus {region} --name {bus} --event-source-name {bus}"),
            format!(
                "aws events create-connection {region} --name {name} --authorization-type API_KEY --auth-parameters {}",
                json_quoted(&key)
            ),
            format!(
                "aws events create-api-destination {region} --name {name} --connection-arn {} --invocation-endpoint {} --http-method POST --invocation-rate-limit-per-second {PER_SECOND}",
                quoted(arn),
                quoted(self.url)
            ),
            format!(
                "aws sqs create-queue {region} --queue-name {} --attributes {}",
                quoted(&format!("{}-dead-letters", self.name)),
                json_quoted(&self.queue_attributes())
            ),
            format!(
                "aws iam create-role --role-name {name} --assume-role-policy-document {}",
                json_quoted(&Self::trust())
            ),
            format!(
                "aws iam put-role-policy --role-name {name} --policy-name {name} --policy-document {}",
                json_quoted(&self.policy())
            ),
            format!(
                "aws events put-rule {region} --name {name} --event-bus-name {bus} --state ENABLED --event-pattern {}",
                json_quoted(&self.pattern())
            ),
            format!(
                "aws events put-targets {region} --rule {name} --event-bus-name {bus} --targets {}",
                json_quoted(&self.targets())
            ),
        ]
    }

    /// For people.
    pub(super) fn steps(&self) -> Vec<String> {
        let mut steps = vec![
            format!(
                "in the AWS account, accept the partner event source and make connection, API destination, dead-letter queue, role and rule; \
                 what stands in <> is yours to fill in:\n{}",
                self.commands().join("\n")
            ),
            format!(
                "AWS retries for 24 hours or {ATTEMPTS_MAX} times, then the event goes to the dead-letter queue, which keeps it for 14 days: \
                 send it on from there once the cause is gone, a copy does no harm. The endpoint answers within 5 s, and 503 while nothing can be stored."
            ),
        ];
        if !self.header_is_ours {
            steps.push(format!(
                "AWS adds a constant header and signs nothing: give the subscription one, such as [[subscription.auth]] with way = \"header\", header = \"{}\" and secrets = [{{ file = … }}]",
                self.header
            ));
        }
        steps
    }
}

fn json_quoted(value: &Value) -> String {
    quoted(&value.to_string())
}

/// A text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{Setup, quoted};
    use crate::subscriptions::platform::{EventBridge, Platform};
    use crate::subscriptions::{Secrets, parse};
    use std::path::Path;

    fn platform(auth: &str) -> Platform {
        let text = format!(
            "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n{auth}\
             [subscription.platform]\nkind = \"genesys-eventbridge\"\ndelivery_url = \"https://h.example/a\"\ntopics = [\"t\"]\n"
        );
        let read = parse(
            "f.toml",
            &text,
            Path::new("conf"),
            Secrets::NotNeeded,
            &|_| None,
        );
        read.unwrap().list.remove(0).platform.unwrap()
    }

    #[test]
    fn aws_adds_the_header_of_the_subscription_or_it_is_said_how_to_make_one() {
        let header = "[[subscription.auth]]\nway = \"header\"\nheader = \"X-Line-Key\"\nprefix = \"Key \"\nsecrets = [\"it\"]\n";
        let ours = platform(header);
        let setup = Setup::new("a", &ours, &EventBridge::default());
        let commands = setup.commands().join("\n");
        assert!(
            commands.contains(r#""ApiKeyName":"x-line-key","ApiKeyValue":"Key <the secret"#),
            "{commands}"
        );
        assert!(!setup.steps().join("\n").contains("[[subscription.auth]]"));
        let signed = platform("[subscription.signature]\nsecrets = [\"it\"]\n");
        let steps = Setup::new("a", &signed, &EventBridge::default()).steps();
        for part in [
            "[[subscription.auth]]",
            "way = \"header\"",
            "header = \"x-api-key\"",
        ] {
            assert!(steps.join("\n").contains(part), "{part} in {steps:?}");
        }
    }

    #[test]
    fn a_quote_ends_no_word() {
        assert_eq!(quoted("a'b $c"), r"'a'\''b $c'");
    }
}
