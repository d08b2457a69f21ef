//! `ingest subscription`: what it makes of the platforms' side, as processes against their stand-in.

use crate::line::PATIENCE;
use double::config::{Admin, Client, Topic};
use double::{Config, Double};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::Proc;

const ACW: &str = "v2.detail.events.conversation.{id}.acw";
const END: &str = "v2.detail.events.conversation.{id}.customer.end";
const URL: &str = "https://hooks.example.com/hooks/genesys";
const WORKFLOW: &str = "flow-1";
const DETAIL: &str = "analytics:conversationDetail:view";

/// A platform, and a file with one subscription on it.
struct World {
    double: Double,
    folder: TempDir,
}

struct Ran {
    good: bool,
    out: String,
    err: String,
}

impl World {
    async fn new(kind: &str, more: &str, admin: Admin) -> Self {
        let double = Double::start(Config {
            admin,
            ..Config::default()
        })
        .await
        .unwrap();
        let world = Self {
            double,
            folder: tempfile::tempdir().unwrap(),
        };
        world.write(kind, more);
        world
    }

    fn write(&self, kind: &str, more: &str) {
        let url = self.double.url();
        let Client { id, secret } = Client::default();
        let text = format!(
            r#"version = 1
[[subscription]]
name = "main"
path = "/hooks/genesys"
tenant = "acme"
format = "genesys-webhook"
[subscription.signature]
secrets = [{{ env = "NOT_SET_AND_NOT_NEEDED" }}]
[subscription.platform]
kind = "{kind}"
base_url = "{url}"
delivery_url = "{URL}"
topics = ["{ACW}", "{END}"]
{more}
[subscription.platform.credentials]
token_url = "{url}/oauth/token"
client_id = "{id}"
client_secret = {{ env = "CLIENT_SECRET" }}
[subscription.platform.rate]
requests = 60000
burst = 100
"#
        );
        std::fs::write(self.folder.path().join("s.toml"), text).unwrap();
        std::fs::write(self.folder.path().join("secret"), secret).unwrap();
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_as(arguments, &Client::default().secret).await
    }

    async fn run_as(&self, arguments: &[&str], secret: &str) -> Ran {
        self.run_with(arguments, secret, "to be signed with").await
    }

    /// With the client's secret and the one that is registered.
    async fn run_with(&self, arguments: &[&str], secret: &str, registered: &str) -> Ran {
        let file = self.folder.path().join("s.toml").display().to_string();
        let env = [
            ("KPILINE_SUBSCRIPTIONS", file.as_str()),
            ("CLIENT_SECRET", secret),
            ("REGISTERED_SECRET", registered),
        ];
        let arguments = [&["subscription"], arguments].concat();
        let (status, out, err) = Proc::run("ingest", &arguments, &env, PATIENCE).await;
        Ran {
            good: status.success(),
            out,
            err,
        }
    }

    /// The problems that `verify` names, one a line.
    async fn problems(&self) -> Vec<String> {
        let ran = self.run(&["verify"]).await;
        let problems: Vec<String> = ran
            .out
            .lines()
            .filter_map(|line| line.trim().strip_prefix("problem: "))
            .map(str::to_owned)
            .collect();
        assert_eq!(ran.good, problems.is_empty(), "{}{}", ran.out, ran.err);
        problems
    }
}

fn topics() -> Vec<Topic> {
    vec![Topic::of(ACW, &[DETAIL]), Topic::of(END, &[DETAIL])]
}

fn integration(change: impl FnOnce(&mut Value)) -> Value {
    let mut integration = json!({
        "id": "int-1",
        "name": "To the lake",
        "integrationType": { "id": "amazon-eventbridge-source" },
        "intendedState": "ENABLED",
        "reportedState": { "code": "ACTIVE", "effective": "Active" },
        "config": { "current": { "properties": {
            "awsAccountId": "123456789012", "awsAccountRegion": "eu-central-1", "eventSourceSuffix": "prod",
            "eventFilter": [ACW, "v2.detail.events.conversation.{id}.customer.*"],
        } } },
    });
    change(&mut integration);
    integration
}

const REGISTRATION: &str = r#"
[subscription.platform.registration]
path = "/api/v2/webhooks/subscriptions"
body = '{"name": "{name}", "channel": "analytics:events:publish", "url": "{url}", "topics": "{topics}", "secret": "{secret}"}'
secret = { env = "REGISTERED_SECRET" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn registering_a_webhook_twice_creates_it_once() {
    let admin = Admin {
        // Ours is on the second page.
        page_max: 1,
        registrations: vec![
            json!({"id": "other", "name": "other", "url": "https://elsewhere.example.com", "state": "active"}),
        ],
        ..Admin::default()
    };
    let world = World::new("guide-webhook", REGISTRATION, admin).await;
    assert_eq!(world.problems().await.len(), 1, "it is not there");
    let planned = world.run(&["register", "--dry-run"]).await;
    assert!(
        planned.good && planned.out.contains("would create"),
        "{}{}",
        planned.out,
        planned.err
    );
    assert!(
        !planned.out.contains("to be signed with"),
        "{}",
        planned.out
    );
    assert_eq!(world.double.admin().registrations.len(), 1);

    let first = world.run(&["register"]).await;
    assert!(
        first.good && first.out.contains("created: registration"),
        "{}{}",
        first.out,
        first.err
    );
    let made = world.double.admin().registrations[1].clone();
    assert_eq!(
        (&made["url"], &made["topics"]),
        (&json!(URL), &json!([ACW, END]))
    );
    assert!(
        first.out.contains(made["id"].as_str().unwrap()),
        "the id is printed: {}",
        first.out
    );
    let again = world.run(&["register", "--json"]).await;
    let said: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(said[0]["steps"][0]["outcome"], "unchanged");
    assert_eq!(said[0]["steps"][0]["id"], made["id"]);
    assert_eq!(world.double.admin().registrations.len(), 2);
    assert_eq!(world.problems().await, [] as [&str; 0]);
    assert!(
        world.double.violations().is_empty(),
        "{:?}",
        world.double.violations()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_differs_is_named_in_every_way_and_mended() {
    let registered = |id: &str| json!({"id": id, "name": "main", "url": URL, "topics": [ACW], "state": "suspended"});
    let world = World::new(
        "guide-webhook",
        REGISTRATION,
        Admin {
            registrations: vec![registered("r-1"), registered("r-2")],
            ..Admin::default()
        },
    )
    .await;
    let problems = world.problems().await.join("\n");
    for part in [
        "the registration is there 2 times: r-1, r-2",
        "the registration r-1 is switched off: its state is suspended",
        &format!("the topic {END} is not sent: the registration r-1 does not have it"),
    ] {
        assert!(problems.contains(part), "{part} in {problems}");
    }
    world.double.administer(|admin| {
        admin.registrations = vec![json!({"id": "r-3", "name": "main", "url": "https://old.example.com/x", "state": "active"})];
    });
    let problems = world.problems().await.join("\n");
    assert!(
        problems.contains(&format!(
            "the delivery URL of the registration r-3 is https://old.example.com/x, wanted is {URL}"
        )),
        "{problems}"
    );
    let changed = world.run(&["register"]).await;
    assert!(
        changed.good && changed.out.contains("changed: registration r-3"),
        "{}{}",
        changed.out,
        changed.err
    );
    assert_eq!(world.double.admin().registrations.len(), 1);
    assert_eq!(world.problems().await, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_registrations_the_good_one_counts() {
    let registered = |id: &str, state: &str| json!({"id": id, "name": "main", "url": URL, "topics": [ACW, END], "state": state});
    let registrations = vec![
        registered("r-1", "suspended"),
        registered("r-2", "active"),
        registered("r-3", "suspended"),
    ];
    let world = World::new(
        "guide-webhook",
        REGISTRATION,
        Admin {
            registrations: registrations.clone(),
            ..Admin::default()
        },
    )
    .await;
    let seen = world.run(&["verify"]).await;
    assert!(
        seen.out
            .starts_with("main (guide-webhook): enabled r-1, r-2, r-3"),
        "{}",
        seen.out
    );
    let ran = world.run(&["register"]).await;
    assert!(
        ran.out.contains("unchanged: registration r-2")
            && ran.out.contains("is there 3 times: r-1, r-2, r-3"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert_eq!(world.double.admin().registrations, registrations);
    world
        .double
        .administer(|admin| admin.registrations[1]["state"] = json!("suspended"));
    let seen = world.run(&["verify"]).await;
    assert!(
        seen.out.starts_with("main (guide-webhook): disabled r-1"),
        "{}",
        seen.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_replaced_is_sent_when_it_is_asked_for() {
    let world = World::new("guide-webhook", REGISTRATION, Admin::default()).await;
    let client = Client::default().secret;
    let created = world.run(&["register"]).await;
    assert!(created.good, "{}{}", created.out, created.err);
    let registered = || world.double.admin().registered_secrets;
    let planned = world
        .run_with(
            &["register", "--replace-secret", "--dry-run"],
            &client,
            "another",
        )
        .await;
    assert!(
        planned.good && planned.out.contains("would change") && !planned.out.contains("another"),
        "{}{}",
        planned.out,
        planned.err
    );
    let unasked = world.run_with(&["register"], &client, "another").await;
    assert!(unasked.out.contains("unchanged"), "{}", unasked.out);
    assert_eq!(registered(), ["to be signed with"]);
    let replaced = world
        .run_with(&["register", "--replace-secret"], &client, "another")
        .await;
    assert!(
        replaced.good && replaced.out.contains("changed: registration"),
        "{}{}",
        replaced.out,
        replaced.err
    );
    assert_eq!(registered(), ["to be signed with", "another"]);
    assert_eq!(world.double.admin().registrations.len(), 1);

    let without = REGISTRATION
        .replace(", \"secret\": \"{secret}\"", "")
        .replace("secret = { env = \"REGISTERED_SECRET\" }", "");
    world.write("guide-webhook", &without);
    let none = world.run(&["register", "--replace-secret"]).await;
    assert!(
        !none.good
            && none
                .err
                .contains("no subscription that is meant has a secret"),
        "{}",
        none.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_registered_is_told_though_a_later_one_cannot_be() {
    let world = World::new("guide-webhook", REGISTRATION, Admin::default()).await;
    let file = world.folder.path().join("s.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (_, first) = text.split_once("[[subscription]]").unwrap();
    let second = first
        .replace("\"main\"", "\"second\"")
        .replace("/hooks/genesys\"\ntenant", "/hooks/second\"\ntenant")
        .replace(&Client::default().id, "another-client")
        .replace("CLIENT_SECRET", "NOBODY_HAS_SET_THIS");
    std::fs::write(&file, format!("{text}[[subscription]]{second}")).unwrap();
    let ran = world.run(&["register"]).await;
    let made = world.double.admin().registrations;
    assert_eq!(made.len(), 1);
    assert!(
        !ran.good
            && ran.out.contains(&format!(
                "created: registration {}",
                made[0]["id"].as_str().unwrap()
            ))
            && ran.out.contains("NOBODY_HAS_SET_THIS is not set"),
        "{}{}",
        ran.out,
        ran.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_and_a_missing_permission_are_told_apart() {
    let world = World::new("guide-webhook", REGISTRATION, Admin::default()).await;
    let wrong = world.run_as(&["verify"], "wrong").await;
    assert!(
        !wrong.good
            && wrong
                .out
                .contains("the credential is refused for the registration"),
        "{}{}",
        wrong.out,
        wrong.err
    );
    assert!(!wrong.out.contains("wrong") && !wrong.err.contains("wrong"));
    world
        .double
        .administer(|admin| admin.permissions = Some(Vec::new()));
    let problems = world.problems().await.join("\n");
    assert!(
        problems.contains("missing permission for the registration: integration:webhooks:write"),
        "{problems}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_is_checked_and_the_rule_is_printed() {
    let admin = Admin {
        topics: topics(),
        integrations: vec![
            json!({"id": "x", "name": "other", "integrationType": {"id": "webhook"}}),
            integration(|_| {}),
        ],
        page_max: 1,
        ..Admin::default()
    };
    let bridge = "[subscription.platform.eventbridge]\norganisation = \"org-1\"\n";
    let world = World::new("genesys-eventbridge", bridge, admin).await;
    assert_eq!(world.problems().await, [] as [&str; 0]);
    let ran = world.run(&["register", "--json"]).await;
    assert!(ran.good, "{}", ran.err);
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    let setup = &said[0]["setup"];
    let source = "aws.partner/genesys.com/cloud/org-1/prod";
    assert_eq!(
        setup["rule"]["EventPattern"],
        json!({"source": [{"prefix": source}], "detail-type": [ACW, END]})
    );
    assert_eq!(setup["rule"]["EventBusName"], source);
    assert_eq!(setup["api_destination"]["InvocationEndpoint"], URL);
    assert_eq!(
        setup["connection"]["AuthParameters"]["ApiKeyAuthParameters"]["ApiKeyName"],
        "x-api-key"
    );
    let retry = json!({"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185});
    assert_eq!(setup["targets"][0]["RetryPolicy"], retry);
    assert_eq!(
        setup["targets"][0]["DeadLetterConfig"]["Arn"],
        "arn:aws:sqs:eu-central-1:123456789012:kpiline-main-dead-letters"
    );
    let commands = setup["commands"].as_array().unwrap();
    assert!(
        commands
            .iter()
            .all(|command| command.as_str().unwrap().starts_with("aws "))
    );
    let people = world.run(&["register"]).await;
    assert!(
        people
            .out
            .contains("aws events put-rule --region 'eu-central-1'"),
        "{}",
        people.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_integration_is_named() {
    let mut topics = topics();
    topics[0].transports = vec!["Websocket".to_owned()];
    topics[1].id = END.replace("customer.end", "customer.ended");
    let admin = Admin {
        topics,
        integrations: vec![integration(|found| {
            found["intendedState"] = json!("DISABLED");
            found["config"]["current"]["properties"]["eventFilter"] = json!([ACW]);
        })],
        permissions: Some(vec!["integrations:integration:view".to_owned()]),
        ..Admin::default()
    };
    let bridge = "[subscription.platform.eventbridge]\naccount = \"999999999999\"\n";
    let world = World::new("genesys-eventbridge", bridge, admin).await;
    assert_eq!(
        world.problems().await,
        [
            format!("the topic {ACW} does not come through EventBridge, only through Websocket"),
            format!("missing permission for the topic {ACW}: {DETAIL}"),
            format!("the platform has no topic {END}; did you mean {END}ed?"),
            "the integration To the lake is switched off: its intended state is DISABLED"
                .to_owned(),
            "awsAccountId of the integration To the lake is 123456789012, wanted is 999999999999"
                .to_owned(),
            format!("the topic {END} is not sent: the integration To the lake does not have it"),
        ]
    );
    world.double.administer(|admin| {
        admin.integrations.clear();
        admin.permissions = Some(vec![DETAIL.to_owned()]);
    });
    let problems = world.problems().await.join("\n");
    assert!(
        problems.contains("missing permission for the integrations: integrations:integration:view"),
        "{problems}"
    );
    world.double.administer(|admin| admin.permissions = None);
    let problems = world.problems().await.join("\n");
    assert!(
        problems.contains("the platform has no integration of type amazon-eventbridge-source"),
        "{problems}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_are_made_for_each_topic_once_and_kept_as_wanted() {
    let admin = Admin {
        topics: topics(),
        page_max: 1,
        ..Admin::default()
    };
    let trigger = format!(
        "[subscription.platform.trigger]\nworkflow = \"{WORKFLOW}\"\nevent_ttl = \"60s\"\n"
    );
    let world = World::new("genesys-process-automation", &trigger, admin).await;
    assert_eq!(world.problems().await.len(), 2);
    for outcome in ["created", "unchanged"] {
        let ran = world.run(&["register"]).await;
        assert!(ran.good, "{}{}", ran.out, ran.err);
        assert_eq!(
            ran.out.matches(&format!("{outcome}: trigger for")).count(),
            2,
            "{}",
            ran.out
        );
        assert_eq!(world.double.admin().triggers.len(), 2);
    }
    assert_eq!(world.problems().await, [] as [&str; 0]);
    world.double.administer(|admin| {
        admin.triggers[0]["enabled"] = json!(false);
        admin.triggers[1]["target"]["id"] = json!("another");
        admin.triggers[1]["version"] = json!(7);
    });
    let problems = world.problems().await.join("\n");
    assert!(
        problems.contains("is switched off: no event of")
            && problems.contains(&format!("is another, wanted is {WORKFLOW}")),
        "{problems}"
    );
    let ran = world.run(&["register"]).await;
    assert!(
        ran.good && ran.out.matches("changed: trigger for").count() == 2,
        "{}{}",
        ran.out,
        ran.err
    );
    assert_eq!(world.problems().await, [] as [&str; 0]);
    assert!(
        world.double.violations().is_empty(),
        "{:?}",
        world.double.violations()
    );

    world.double.administer(|admin| {
        admin.triggers.clear();
        admin.topics.remove(1);
        admin.permissions = Some(vec!["processautomation:trigger:view".to_owned()]);
    });
    let ran = world.run(&["register"]).await;
    assert!(!ran.good);
    for part in [
        format!("the platform has no topic {END}"),
        format!("missing permission for trigger for {ACW}: processautomation:trigger:add"),
    ] {
        assert!(ran.out.contains(&part), "{part} in {}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_without_an_api_says_what_to_set_up_by_hand() {
    let world = World::new("none", "", Admin::default()).await;
    let file = world.folder.path().join("s.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (text, _) = text
        .split_once("[subscription.platform.credentials]")
        .unwrap();
    std::fs::write(&file, text.replace("\"none\"", "\"cxone-digital\"")).unwrap();
    let ran = world.run(&["register"]).await;
    assert!(
        ran.good && ran.out.contains(&format!("posts JSON to {URL}")),
        "{}{}",
        ran.out,
        ran.err
    );
    assert!(
        ran.out.contains("hmac-sha256 in x-genesys-signature"),
        "{}",
        ran.out
    );
    assert!(world.run(&["verify"]).await.good);
    let unknown = world.run(&["verify", "nobody"]).await;
    assert!(
        !unknown.good && unknown.err.contains("no subscription has this name"),
        "{}",
        unknown.err
    );
    let listed = world.run(&["list", "--json"]).await;
    let said: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(said[0]["authentication"], "hmac-sha256 x-genesys-signature");
    assert_eq!(
        (&said[0]["kind"], &said[0]["state"]),
        (&json!("cxone-digital"), &Value::Null)
    );
}
