//! Facts about agents, and customers' keys, in replays and imports.

use crate::world::{START, World};
use adapter::{Outcome, Split};
use schema::{BodyFormat, Presence, UtcMicros};
use std::io::Write as _;
use tempfile::NamedTempFile;

const SECRET: &str = "0123456789abcdef-for-tests";

fn presence(agent: &str, presence: &str) -> String {
    let at = UtcMicros(START);
    format!(
        r#"{{"topicName":"v2.users.{agent}.presence","eventBody":{{"primary":true,"presenceDefinition":{{"systemPresence":"{presence}"}},"modifiedDate":"{at}"}}}}"#
    )
}

fn contact(id: &str, customer: &str) -> String {
    let at = UtcMicros(START);
    format!(
        r#"{{"timestamp":"{at}","data":{{"event_id":"{id}","interaction_id":"i-{id}","state":"queued","participants":[{{"id":"{customer}","type":"customer"}}]}}}}"#
    )
}

const REPLAY: [&str; 7] = [
    "replay",
    "--from",
    "2024-05-15T14:00:00Z",
    "--to",
    "2024-05-15T15:00:00Z",
    "--metric-version",
    "2",
];

#[tokio::test]
async fn a_replay_brings_agents_and_customers_again() {
    let world = World::new().await;
    let raws = [
        presence("anna", "ON_QUEUE"),
        contact("a", "tel:+1 (555) 010-0123"),
        presence("ben", "MEAL"),
        contact("b", "anonymous"),
    ];
    world.log_raw(&world.db.store().await, "acme", &raws).await;
    let arguments = [&REPLAY[..], &["--output", "json"]].concat();
    let keys = |message: &schema::EventsMessage| -> Vec<Option<String>> {
        let facts = message.events.iter().map(|event| &event.fact);
        facts
            .map(|fact| {
                let key = fact.statement.details.as_ref()?.customer_key.as_ref()?;
                Some(key.as_str().to_owned())
            })
            .collect()
    };

    let (status, _, stderr) = world.run(&arguments).await;
    assert!(status.success(), "{stderr}");
    assert!(stderr.contains("no --customer-key"), "{stderr}");
    let messages = world.events().await;
    assert_eq!(messages.len(), 1);
    assert_eq!(keys(&messages[0]), [None, None]);

    let setting = ("KPILINE_CUSTOMER_KEY", SECRET);
    let (status, stdout, stderr) = world.run_with(&arguments, setting).await;
    assert!(status.success(), "{stderr}");
    assert!(!stderr.contains("--customer-key") && !stderr.contains(SECRET));
    let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&summary["events"], &summary["facts"]),
        (&4.into(), &4.into())
    );
    let messages = world.events().await;
    assert_eq!(messages.len(), 1);
    assert!(messages[0].job.is_some());
    let expected = adapter::customer_key(SECRET.as_bytes(), "acme", "+15550100123");
    let expected = expected.map(|key| key.as_str().to_owned());
    assert!(expected.is_some());
    assert_eq!(keys(&messages[0]), [expected, None]);
    let stated: Vec<_> = messages[0]
        .agents
        .iter()
        .map(|told| {
            let presence = told.fact.statement.presence.clone();
            (told.tenant.as_str(), told.agent.id.as_str(), presence)
        })
        .collect();
    assert_eq!(
        stated,
        [
            ("acme", "anna", Some(Presence::OnQueue)),
            ("acme", "ben", Some(Presence::Meal)),
        ]
    );

    let short = ("KPILINE_CUSTOMER_KEY", &SECRET[..15]);
    let (status, _, stderr) = world.run_with(&arguments, short).await;
    assert!(
        !status.success() && stderr.contains("at least 16"),
        "{stderr}"
    );
    assert!(!stderr.contains(&SECRET[..15]), "{stderr}");
}

#[tokio::test]
async fn a_replay_of_agents_alone_is_waited_for_until_the_lane_is_empty() {
    let world = World::new().await;
    world
        .log_raw(
            &world.db.store().await,
            "acme",
            &[presence("anna", "BREAK")],
        )
        .await;
    // Nobody takes the message, so that there is something to wait for.
    let arguments = [&REPLAY[..], &["--wait", "--wait-timeout", "1s"]].concat();
    let (status, stdout, stderr) = world.run(&arguments).await;
    assert!(!status.success());
    assert!(
        stderr.contains("1 messages wait and 0 interactions are not computed"),
        "{stderr}"
    );
    let untraceable = stdout.lines().find(|row| row.starts_with("untraceable"));
    assert!(
        untraceable.is_some_and(|row| row.ends_with(" 1")),
        "{stdout}"
    );
}

#[tokio::test]
async fn each_history_of_agents_is_imported_as_what_it_is() {
    let user = |id: &str| {
        format!(
            r#"{{"userId":"{id}","primaryPresence":[{{"startTime":"2024-05-15T14:00:00Z","endTime":"2024-05-15T15:00:00Z","systemPresence":"ON_QUEUE"}}]}}"#
        )
    };
    let users = format!(
        r#"{{"userDetails":[{},{}],"totalHits":2}}"#,
        user("anna"),
        user("ben")
    );
    let states = r#"{"agentStateHistory":[{"agentId":7,"stateIndex":1,"startDate":"2024-05-15T14:00:00Z","agentStateName":"Available","duration":60},{"agentId":8,"stateIndex":1,"startDate":"2024-05-15T14:00:00Z","agentStateName":"Available","duration":60}]}"#;
    let log = "Agent_No,Start_Date,Duration,Available\n7,5/15/2024 8:00:00 AM,60000,1\n8,5/15/2024 8:00:00 AM,60000,1\n";
    let schedule = |id: &str| {
        format!(
            r#"{{"user":{{"id":"{id}"}},"shifts":[{{"id":"s","startDate":"2024-05-15T14:00:00Z","lengthMinutes":60,"activities":[{{"activityCodeId":"0","startDate":"2024-05-15T14:00:00Z","lengthMinutes":60}}]}}]}}"#
        )
    };
    let schedules = format!(
        r#"{{"result":{{"businessUnitTimeZone":"America/Denver","agentSchedules":[{},{}]}}}}"#,
        schedule("anna"),
        schedule("ben")
    );
    let denver = "America/Denver";
    for (name, text, format, agents) in [
        (
            "genesys-user-details",
            users.as_str(),
            BodyFormat::GenesysUserDetails,
            ["anna", "ben"],
        ),
        (
            "genesys-schedules",
            &schedules,
            BodyFormat::GenesysSchedules,
            ["anna", "ben"],
        ),
        (
            "cxone-agent-states",
            states,
            BodyFormat::CxoneAgentStates,
            ["7", "8"],
        ),
        (
            "cxone-agent-state-log",
            log,
            BodyFormat::CxoneAgentStateLog {
                zone: denver.into(),
            },
            ["7", "8"],
        ),
    ] {
        let world = World::new().await;
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        let summary = world
            .summary(&["import", path, "--format", name, "--zone", denver])
            .await;
        assert_eq!(summary["records"], 2, "{name}");
        let mut found = Vec::new();
        for delivery in world
            .deliveries()
            .await
            .iter()
            .flat_map(|message| &message.deliveries)
        {
            assert_eq!(delivery.format, format);
            let Split::Items(items) = adapter::split(&format, &delivery.body) else {
                panic!("not readable: {delivery:?}");
            };
            for item in items {
                match adapter::map(&format, &item.raw, &adapter::Mappings::none()).unwrap() {
                    Outcome::Mapped(mapped) => {
                        let (agent, facts) = mapped.stated.agent().unwrap();
                        assert!(!facts.is_empty());
                        found.push(agent.id.as_str().to_owned());
                    }
                    ignored @ Outcome::Ignored { .. } => panic!("{name}: {ignored:?}"),
                }
            }
        }
        assert_eq!(found, agents, "{name}");
    }
}
