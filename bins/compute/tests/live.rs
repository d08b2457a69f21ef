//! What is going on now: rows of open interactions come, move and go with the fold, and the gauges are views over them.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

use compute::apply::Applier;
use compute::plan::{Plan, PlannedSession};
use compute::sweep::{MaxAge, SweepConfig, round_as_of};
use schema::{AgentRef, Fact, FactKey, Millis, QueueId, SourceRank, State, Statement, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use testkit::db::TestDb;
use tokio_util::sync::CancellationToken;

/// A state of a call, so many seconds after it began; with an agent from `connected` on.
fn fact(id: &str, second: i64, state: &str, began: UtcMicros) -> Fact {
    let with_agent = matches!(state, "connected" | "held" | "completed");
    Fact {
        key: FactKey::event(&format!("{id}-{second}")),
        at: began.plus(Millis(second * 1000)),
        revision: None,
        rank: SourceRank::Event,
        statement: Statement {
            state: Some(State::from_name(state)),
            queue: Some(QueueId::new("support")),
            agent: with_agent.then(|| AgentRef {
                id: "anna".into(),
                zone: None,
            }),
            ..Statement::default()
        },
    }
}

async fn fold(applier: &Applier, id: &str, facts: Vec<Fact>) {
    let plan = Plan {
        sessions: vec![PlannedSession {
            tenant: "acme".into(),
            interaction: id.into(),
            facts,
            job_versions: BTreeSet::new(),
        }],
        ..Plan::default()
    };
    applier.apply(&plan).await.unwrap();
}

/// Waiting, ringing, in progress, on hold; and how long the longest has waited, in seconds.
async fn support(db: &TestDb) -> Option<(i64, i64, i64, i64, Option<f64>)> {
    let sql = "SELECT waiting, alerting, in_progress, held, longest_wait_seconds FROM live_queues \
               WHERE tenant = 'acme' AND queue_id = 'support'";
    let row = db.client().await.query_opt(sql, &[]).await.unwrap()?;
    Some((row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)))
}

async fn now(db: &TestDb) -> UtcMicros {
    let sql = "SELECT (extract(epoch FROM now()) * 1000000)::bigint";
    let row = db.client().await.query_one(sql, &[]).await.unwrap();
    UtcMicros(row.get(0))
}

#[tokio::test]
async fn an_open_call_is_where_it_is_until_it_ends() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    let began = now(&db).await.plus(Millis(-90_000));
    fold(&applier, "a", vec![fact("a", 0, "queued", began)]).await;
    let (waiting, _, _, _, longest) = support(&db).await.unwrap();
    assert_eq!(waiting, 1);
    let longest = longest.unwrap();
    assert!((90.0..600.0).contains(&longest), "{longest}");
    fold(&applier, "a", vec![fact("a", 20, "alerting", began)]).await;
    assert_eq!(support(&db).await.unwrap().1, 1);
    fold(&applier, "a", vec![fact("a", 25, "connected", began)]).await;
    assert_eq!(support(&db).await.unwrap(), (0, 0, 1, 0, None));
    fold(&applier, "a", vec![fact("a", 40, "held", began)]).await;
    assert_eq!(support(&db).await.unwrap(), (0, 0, 0, 1, None));
    fold(&applier, "a", vec![fact("a", 60, "completed", began)]).await;
    assert_eq!(support(&db).await, None);
    let metrics = "SELECT count(*) FROM computed_metrics WHERE metric_type LIKE 'live%'";
    let row = db.client().await.query_one(metrics, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn what_began_and_ended_at_once_was_never_there_and_what_comes_late_brings_nothing_back() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    let began = now(&db).await;
    let ended = vec![
        fact("a", 5, "connected", began),
        fact("a", 60, "completed", began),
    ];
    fold(&applier, "a", ended).await;
    assert_eq!(support(&db).await, None);
    fold(&applier, "a", vec![fact("a", 0, "queued", began)]).await;
    assert_eq!(support(&db).await, None, "the wait was over long ago");
}

#[tokio::test]
async fn what_is_given_up_is_not_waiting_any_more() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    let began = now(&db).await;
    fold(&applier, "a", vec![fact("a", 0, "queued", began)]).await;
    assert!(support(&db).await.is_some());
    let hour = Duration::from_secs(3600);
    let config = SweepConfig {
        every: hour,
        wrap_up_grace: hour,
        confirm_within: hour,
        max_age: MaxAge {
            default: hour,
            by_media: BTreeMap::new(),
        },
    };
    let later = began.plus(Millis(2 * 3_600_000));
    let swept = round_as_of(&applier, &config, later, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(swept.given_up, 1);
    assert_eq!(support(&db).await, None);
}
