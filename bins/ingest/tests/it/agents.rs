//! What agents do, and whose contacts a customer's are: logged, published and keyed like all else.

use crate::line::{Line, PATIENCE, event, message};
use broker::{Consumer, Queue};
use bytes::Bytes;
use schema::{
    AgentEvent, BodyFormat, DeliveryId, EventsMessage, MessageId, Presence, RawMessage, Routing,
    UtcMicros,
};
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::{Proc, eventually};

const SECRET: &str = "0123456789abcdef-for-tests";

/// An event of the notification channel: this agent's presence since then.
fn presence(agent: &str, presence: &str, at: &str) -> String {
    format!(
        r#"{{"topicName":"v2.users.{agent}.presence","version":"2","eventBody":{{"source":"PURECLOUD","presenceDefinition":{{"id":"11111111-2222-3333-4444-555555555555","systemPresence":"{presence}"}},"primary":true,"message":"","modifiedDate":"{at}"}}}}"#
    )
}

/// One delivery of this format in one message.
fn of_format(format: BodyFormat, body: &str) -> RawMessage {
    let mut sent = message(MessageId::generate(), DeliveryId::generate(), body);
    sent.deliveries[0].format = format;
    sent
}

/// The next message of facts, and the queue it came from.
async fn next(consumer: &mut Consumer) -> (Queue, EventsMessage) {
    let next = tokio::time::timeout(PATIENCE, consumer.next()).await;
    let delivery = next.expect("facts in time").unwrap();
    consumer.ack_through(delivery.tag).await.unwrap();
    let told = EventsMessage::decode(&delivery.body).unwrap();
    (delivery.queue, told)
}

fn instant(text: &str) -> UtcMicros {
    adapter::instant::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_state_is_logged_once_and_published_among_what_goes_on() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let (_connection, mut facts) = line.facts().await;
    let began = "2024-11-02T10:00:00.125Z";
    let body = presence("anna", "ON_QUEUE", began);
    line.publish(Queue::Raw, &of_format(BodyFormat::GenesysWebhook, &body))
        .await;
    let (queue, told) = next(&mut facts).await;
    assert_eq!((queue, told.events.len()), (Queue::EventsProgress, 0));
    let [
        AgentEvent {
            tenant,
            agent,
            fact,
        },
    ] = &told.agents[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((tenant.as_str(), agent.id.as_str()), ("acme", "anna"));
    assert_eq!(fact.at, instant(began));
    assert_eq!(fact.statement.presence, Some(Presence::OnQueue));
    let client = line.db.client().await;
    let sql = "SELECT interaction_id, raw FROM event_log";
    let row = client.query_one(sql, &[]).await.unwrap();
    let (subject, raw): (String, Vec<u8>) = (row.get(0), row.get(1));
    assert_eq!((subject.as_str(), raw), ("agent:anna", body.clone().into()));

    // Brought again by another delivery it is a copy; what comes with it is not held up.
    let both = format!("{body}\n{}", event("a"));
    line.publish(Queue::Raw, &of_format(BodyFormat::GenesysWebhook, &both))
        .await;
    let counts = line.counts_of(3).await;
    assert_eq!((counts.logged, counts.duplicates), (2, 1));
    let (queue, told) = next(&mut facts).await;
    assert_eq!(queue, Queue::EventsTerminal);
    assert_eq!((told.events.len(), told.agents.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_of_agents_takes_the_history_lane() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let (_connection, mut facts) = line.facts().await;
    let user = |id: &str| {
        format!(
            r#"{{"userId":"{id}","primaryPresence":[{{"startTime":"2024-11-02T08:00:00Z","endTime":"2024-11-02T12:00:00Z","systemPresence":"ON_QUEUE","organizationPresenceId":"p"}}],"routingStatus":[{{"startTime":"2024-11-02T08:00:00Z","endTime":"2024-11-02T08:30:00Z","routingStatus":"IDLE"}},{{"startTime":"2024-11-02T08:30:00Z","endTime":"2024-11-02T08:40:00Z","routingStatus":"INTERACTING"}}]}}"#
        )
    };
    let body = format!(
        r#"{{"userDetails":[{},{}],"totalHits":2}}"#,
        user("anna"),
        user("ben")
    );
    let sent = of_format(BodyFormat::GenesysUserDetails, &body);
    line.publish(Queue::RawHistory, &sent).await;
    let (queue, told) = next(&mut facts).await;
    assert_eq!(queue, Queue::EventsHistory);
    let stated: Vec<(&str, Option<Routing>)> = told
        .agents
        .iter()
        .map(|told| {
            let routing = told.fact.statement.routing.clone();
            (told.agent.id.as_str(), routing)
        })
        .collect();
    for agent in ["anna", "ben"] {
        for routing in [None, Some(Routing::Idle), Some(Routing::Interacting)] {
            assert!(stated.contains(&(agent, routing.clone())), "{stated:?}");
        }
    }
    assert_eq!(line.counts_of(2).await.logged, 2);
}

/// Three months ahead is further than the log has months; the plan was made now.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_months_ahead_is_logged_when_it_was_made() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let (_connection, mut facts) = line.facts().await;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let made = UtcMicros::from_millis(i64::try_from(since.as_millis()).unwrap());
    let begins = UtcMicros(made.0 + 90 * 86_400 * 1_000_000);
    let body = format!(
        r#"{{"agentSchedules":[{{"user":{{"id":"anna"}},"metadata":{{"dateModified":"{made}"}},"shifts":[{{"id":"s","startDate":"{begins}","lengthMinutes":60,"activities":[{{"activityCodeId":"0","startDate":"{begins}","lengthMinutes":60}}]}}]}}]}}"#
    );
    let mut sent = of_format(BodyFormat::GenesysSchedules, &body);
    sent.deliveries[0].received_at = made;
    line.publish(Queue::Raw, &sent).await;
    let (_, told) = next(&mut facts).await;
    assert_eq!(told.agents[0].fact.at, begins);
    let counts = line.counts_of(1).await;
    assert_eq!((counts.logged, counts.quarantined), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_of_agents_is_held_with_its_zone_and_can_be_put_back() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let (_connection, mut facts) = line.facts().await;
    let format = BodyFormat::CxoneAgentStateLog {
        zone: "America/Denver".into(),
    };
    let long = "x".repeat(501);
    let body = format!(
        "Agent_No,Start_Date,Duration,Available\n{long},1/31/2024 8:29:15 AM,60000,1\n7,yesterday,60000,1\n7,1/31/2024 8:29:15 AM,60000,1\n"
    );
    line.publish(Queue::Raw, &of_format(format.clone(), &body))
        .await;
    let counts = line.counts_of(3).await;
    assert_eq!((counts.logged, counts.quarantined), (1, 2));
    let (_, told) = next(&mut facts).await;
    assert!(told.agents.iter().all(|told| told.agent.id.as_str() == "7"));
    let client = line.db.client().await;
    let sql = "SELECT quarantine_id, field, format FROM quarantine ORDER BY item_index";
    let held: Vec<(i64, Option<String>, String)> = client
        .query(sql, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    assert_eq!(held[0].1.as_deref(), Some("agent_id"));
    assert_eq!(held[1].1.as_deref(), Some("Start_Date"));
    assert_eq!(held[1].2, serde_json::to_string(&format).unwrap());

    // Put back, it is read again as what it came as.
    let env = line.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let number = held[1].0.to_string();
    let arguments = ["quarantine", "release", &number];
    let (status, out, err) = Proc::run("ingest", &arguments, &env, PATIENCE).await;
    assert!(status.success(), "{out}{err}");
    assert_eq!(line.counts_of(4).await.quarantined, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_about_agents_that_were_held_as_a_message_come_back_whole() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let (_connection, mut facts) = line.facts().await;
    let body = presence("anna", "MEAL", "2024-11-02T10:00:00Z");
    line.publish(Queue::Raw, &of_format(BodyFormat::GenesysWebhook, &body))
        .await;
    let (_, told) = next(&mut facts).await;
    let client = line.db.client().await;
    let sql = "INSERT INTO quarantine (tenant, subscription, delivery_id, item_index, stage, format, reason, raw, received_at, correlation) \
               VALUES ('', '', gen_random_uuid(), -1, 'publish', 'events_message', 'too large', $1, now(), 'c') RETURNING quarantine_id";
    let raw: Bytes = told.encode().unwrap();
    let row = client.query_one(sql, &[&raw.as_ref()]).await.unwrap();
    let number = row.get::<_, i64>(0).to_string();
    let env = line.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let arguments = ["quarantine", "release", &number];
    let (status, out, err) = Proc::run("ingest", &arguments, &env, PATIENCE).await;
    assert!(status.success(), "{out}{err}");
    let (queue, again) = next(&mut facts).await;
    assert_eq!((queue, again), (Queue::EventsHistory, told));
}

/// An event of a contact with this customer.
fn contact(id: &str, customer: &str) -> String {
    event(id).replace(
        r#""participants":[]"#,
        &format!(r#""participants":[{{"id":"{customer}","type":"customer"}}]"#),
    )
}

async fn keys(line: &Line, bodies: &[String]) -> Vec<Option<String>> {
    let (connection, mut facts) = line.facts().await;
    let mut found = Vec::new();
    for body in bodies {
        line.publish(Queue::Raw, &of_format(BodyFormat::GenesysWebhook, body))
            .await;
        let (_, told) = next(&mut facts).await;
        let statement = &told.events[0].fact.statement;
        let key = statement
            .details
            .as_ref()
            .and_then(|details| details.customer_key.as_ref());
        found.push(key.map(|key| key.as_str().to_owned()));
    }
    connection.close().await.unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_have_a_key_where_there_is_a_secret_which_nobody_sees() {
    const NUMBER: &str = "tel:+1 (555) 010-0123";
    let line = Line::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("customer-key");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let setting = file.display().to_string();
    let mut normalise = line.start(&["normalise"], &[("KPILINE_CUSTOMER_KEY_FILE", &setting)]);
    normalise.wait_ready().await;
    let bodies = [
        contact("a", NUMBER),
        contact("b", "+15550100123"),
        contact("c", "anonymous"),
        event("d"),
    ];
    let expected = adapter::customer_key(SECRET.as_bytes(), "acme", "+15550100123");
    let expected = expected.map(|key| key.as_str().to_owned());
    assert!(expected.is_some());
    assert_eq!(
        keys(&line, &bodies).await,
        [expected.clone(), expected, None, None]
    );
    normalise.term(PATIENCE).await;
    let log = normalise.stderr();
    for private in [SECRET, "0100123", "010-0123"] {
        assert!(!log.contains(private), "{private} in {log}");
    }
    assert!(!log.contains("--customer-key"), "{log}");

    let mut without = line.start(&["normalise"], &[]);
    without.wait_ready().await;
    assert_eq!(keys(&line, &[contact("e", NUMBER)]).await, [None]);
    eventually(PATIENCE, "it is said once", async || {
        without.stderr().matches("no --customer-key").count() == 1
    })
    .await;
}
