//! Conversations whose end no event states: metrics as soon as all parts have ended, revised by what comes later, taken back where one goes
//! on, asked for at the platform's history, and confirmed by its record.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::panic)]

use adapter::{Mappings, Outcome, Stated};
use compute::apply::Applier;
use compute::plan::{Plan, PlannedSession};
use compute::sweep::{self, MaxAge, SweepConfig};
use schema::{BodyFormat, Fact, UtcMicros};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use testkit::db::TestDb;
use tokio_util::sync::CancellationToken;

/// 2026-05-04T10:00:00Z, in milliseconds.
const TEN: i64 = 1_777_888_800_000;

const ID: &str = "c-1";

/// An event at a second.
fn event(what: &str, session: &str, second: i64, more: &Value) -> Value {
    let mut body = json!({"eventTime": TEN + second * 1000, "conversationId": ID, "participantId": session, "sessionId": session,
        "mediaType": "VOICE", "direction": "INBOUND"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"topicName": format!("v2.detail.events.conversation.{ID}.{what}"), "version": "2", "eventBody": body})
}

fn agent(session: &str, from: i64, until: i64) -> [Value; 2] {
    let talk = (until - from) * 1000;
    [
        event(
            "user.start",
            session,
            from,
            &json!({"userId": session, "queueId": "q"}),
        ),
        event(
            "user.end",
            session,
            until,
            &json!({"userId": session, "queueId": "q", "interactingDurationMs": talk, "heldDurationMs": 0, "alertingDurationMs": 0}),
        ),
    ]
}

/// A call of a minute that anna took after ten seconds.
fn call() -> Vec<Value> {
    let [began, ended] = agent("anna", 10, 60);
    vec![
        event("customer.start", "line", 0, &json!({})),
        event("acd.start", "wait", 2, &json!({"queueId": "q"})),
        event(
            "acd.end",
            "wait",
            10,
            &json!({"queueId": "q", "acdOutcome": "ANSWERED", "connectedDurationMs": 8000}),
        ),
        began,
        event(
            "customer.end",
            "line",
            60,
            &json!({"interactingDurationMs": 60_000, "disconnectType": "PEER"}),
        ),
        ended,
    ]
}

fn work() -> Value {
    event(
        "acw",
        "anna",
        80,
        &json!({"userId": "anna", "queueId": "q", "wrapupDurationMs": 20_000, "wrapupCode": "done"}),
    )
}

/// What the platform's record says of the call, talk counted otherwise.
fn record() -> Value {
    let iso = |second: i64| format!("2026-05-04T10:{:02}:{:02}.000Z", second / 60, second % 60);
    let session = |id: &str, kind: &str, from: i64, until: i64, metrics: Value| {
        json!({"sessionId": id, "mediaType": "voice", "direction": "inbound", "metrics": metrics, "segments": [
            {"segmentType": kind, "segmentStart": iso(from), "segmentEnd": iso(until), "queueId": "q", "disconnectType": "peer"}]})
    };
    let metric = |name: &str, value: i64, at: i64| json!({"name": name, "value": value, "emitDate": iso(at)});
    json!({"conversationId": ID, "conversationStart": iso(0), "conversationEnd": iso(80), "originatingDirection": "inbound", "participants": [
        {"purpose": "customer", "sessions": [session("line", "interact", 0, 60, json!([metric("nConnected", 1, 0)]))]},
        {"purpose": "acd", "sessions": [session("wait", "interact", 2, 10, json!([metric("tAcd", 8000, 10)]))]},
        {"purpose": "agent", "userId": "anna", "sessions": [session("anna", "interact", 10, 80, json!([metric("tAnswered", 8000, 10),
            metric("tTalkComplete", 49_000, 60), metric("tAcw", 20_000, 80), metric("tHandle", 69_000, 80)]))]},
    ]})
}

fn facts(format: &BodyFormat, value: &Value) -> Vec<Fact> {
    match adapter::map(format, value.to_string().as_bytes(), &Mappings::none()) {
        Ok(Outcome::Mapped(mapped)) => match mapped.stated {
            Stated::Interaction { facts, .. } => facts,
            Stated::Agent { .. } => panic!("about an agent"),
        },
        other => panic!("{other:?}"),
    }
}

fn told(events: &[Value]) -> Vec<Fact> {
    events
        .iter()
        .flat_map(|event| facts(&BodyFormat::GenesysWebhook, event))
        .collect()
}

struct World {
    db: TestDb,
    applier: Applier,
}

impl World {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let applier = Applier::new(db.store().await);
        Self { db, applier }
    }

    async fn apply(&self, facts: Vec<Fact>) {
        let plan = Plan {
            sessions: vec![PlannedSession {
                tenant: "acme".into(),
                interaction: ID.into(),
                facts,
                job_versions: BTreeSet::new(),
            }],
            ..Plan::default()
        };
        self.applier.apply(&plan).await.unwrap();
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.db.client().await.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Every metric of the call that has rows: what, of whom, how much.
    async fn metrics(&self) -> Vec<String> {
        self.texts(
            "SELECT concat_ws(' ', metric_type, leg_scope, metric_value, metadata ->> 'reason') FROM computed_metrics ORDER BY 1",
        )
        .await
    }

    async fn talk(&self) -> Vec<String> {
        self.texts(
            "SELECT concat_ws(' ', metric_value, metadata ->> 'reason') FROM computed_metrics WHERE metric_type = 'talk_time'",
        )
        .await
    }

    /// The state of the interaction: status, whether inferred, whether settled.
    async fn state(&self) -> String {
        self.texts(
            "SELECT concat_ws(' ', status, end_inferred, settled_at IS NOT NULL) FROM interactions",
        )
        .await
        .concat()
    }

    async fn requests(&self) -> Vec<String> {
        self.texts("SELECT interaction_id || ' ' || reason FROM history_requests")
            .await
    }

    /// So long after what was written.
    async fn sweep(&self, after: Duration) -> sweep::Swept {
        let now: i64 = self
            .db
            .client()
            .await
            .query_one("SELECT (extract(epoch FROM now()) * 1000000)::bigint", &[])
            .await
            .unwrap()
            .get(0);
        let at = UtcMicros(now + i64::try_from(after.as_micros()).unwrap());
        let config = SweepConfig {
            every: Duration::from_secs(60),
            wrap_up_grace: Duration::from_secs(900),
            confirm_within: Duration::from_secs(86_400),
            max_age: MaxAge {
                default: Duration::from_secs(7 * 86_400),
                by_media: BTreeMap::new(),
            },
        };
        let stop = CancellationToken::new();
        sweep::round_as_of(&self.applier, &config, at, &stop)
            .await
            .unwrap()
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn pitfall_24_metrics_come_with_the_last_end_and_after_call_work_revises_the_same_rows() {
    let world = World::new().await;
    let mut events = call();
    let last = events.pop().unwrap();
    world.apply(told(&events)).await;
    assert_eq!(
        world.metrics().await,
        Vec::<String>::new(),
        "anna still talks"
    );
    assert_eq!(world.state().await, "open f f");
    world.apply(told(&[last])).await;
    assert_eq!(world.talk().await, ["50"]);
    assert_eq!(world.state().await, "terminal t f");
    let before = world.metrics().await;
    world.apply(told(&[work()])).await;
    let after = world.metrics().await;
    assert_ne!(before, after, "the work counts");
    assert_eq!(before.len(), after.len());
    // Whatever comes first, the rows are the same.
    let other = World::new().await;
    for event in std::iter::once(work()).chain(call().into_iter().rev()) {
        other.apply(told(&[event])).await;
    }
    assert_eq!(other.metrics().await, after);
}

#[tokio::test]
async fn a_part_that_turns_up_later_takes_the_metrics_back_until_it_has_ended() {
    let world = World::new().await;
    world.apply(told(&call())).await;
    assert_eq!(world.talk().await, ["50"]);
    let [began, ended] = agent("bo", 50, 90);
    world.apply(told(std::slice::from_ref(&began))).await;
    assert_eq!(world.state().await, "open f f");
    assert_eq!(world.talk().await, ["reopened"]);
    // Something else of the open one: what was taken back stays so.
    world.apply(told(&[work()])).await;
    assert_eq!(world.talk().await, ["reopened"]);
    world.apply(told(std::slice::from_ref(&ended))).await;
    assert_eq!(world.talk().await, ["90"]);
    let other = World::new().await;
    let mut all = call();
    all.extend([work(), began, ended]);
    other.apply(told(&all)).await;
    assert_eq!(other.metrics().await, world.metrics().await);
}

#[tokio::test]
async fn pitfall_19_an_inferred_end_is_asked_for_once_and_the_record_confirms_it() {
    let world = World::new().await;
    let mut all = call();
    all.push(work());
    world.apply(told(&all)).await;
    world.sweep(MINUTE).await;
    assert_eq!(
        world.requests().await,
        Vec::<String>::new(),
        "after-call work may come"
    );
    let swept = world.sweep(HOUR).await;
    assert_eq!((swept.asked, swept.settled, swept.given_up), (1, 0, 0));
    assert_eq!(world.requests().await, ["c-1 inferred_end"]);
    assert_eq!(world.state().await, "terminal t f", "provisional");
    assert_eq!(
        world.sweep(HOUR).await,
        sweep::Swept::default(),
        "once is enough"
    );
    world
        .apply(facts(&BodyFormat::GenesysDetails, &record()))
        .await;
    assert_eq!(world.requests().await, Vec::<String>::new(), "answered");
    assert_eq!(world.state().await, "terminal f f");
    assert_eq!(world.talk().await, ["49"], "its word holds");
    world.apply(told(&all)).await;
    assert_eq!(world.talk().await, ["49"], "whatever comes again");
    assert_eq!(world.sweep(HOUR).await.settled, 1);
    assert_eq!(world.state().await, "terminal f t");
}

#[tokio::test]
async fn an_end_that_no_record_confirms_settles_without_one_in_the_end() {
    let world = World::new().await;
    world.apply(told(&call())).await;
    assert_eq!(world.sweep(HOUR).await.asked, 1);
    world
        .db
        .client()
        .await
        .batch_execute("DELETE FROM history_requests")
        .await
        .unwrap();
    assert_eq!(world.sweep(23 * HOUR).await, sweep::Swept::default());
    let swept = world.sweep(25 * HOUR).await;
    assert_eq!((swept.asked, swept.settled), (0, 1));
    assert_eq!(world.requests().await, Vec::<String>::new());
    // News of it are asked for no second time, and unsettle it until their own grace is over.
    world.apply(told(&[work()])).await;
    assert_eq!(world.state().await, "terminal t f");
    let swept = world.sweep(25 * HOUR).await;
    assert_eq!((swept.asked, swept.settled), (0, 1));
}
