//! compute's transaction against a real PostgreSQL: whatever the order, the batches, the workers and the crashes, the rows are
//! those of the pure derivation of all facts.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

use compute::apply::Applier;
use compute::catalogue::{self, Active};
use compute::plan::{Plan, PlannedSession};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt as _, SeedableRng};
use schema::{
    AgentRef, DurationKind, Durations, Fact, FactKey, Millis, SourceRank, State, Statement,
    UtcMicros,
};
use session::Session;
use std::collections::{BTreeMap, BTreeSet};
use testkit::db::TestDb;

/// 2024-03-31T23:30:00Z: an early fact moves the start over the month's end.
const NEAR_MONTH_END: i64 = 1_711_927_800_000;

fn fact(key: &str, at_ms: i64, state: State, durations: Durations) -> Fact {
    let statement = Statement {
        state: Some(state),
        durations,
        ..Statement::default()
    };
    Fact {
        key: FactKey::event(key),
        at: UtcMicros::from_millis(at_ms),
        revision: None,
        rank: SourceRank::Event,
        statement,
    }
}

fn with_agent(mut fact: Fact, id: &str, zone: &str) -> Fact {
    fact.statement.agent = Some(AgentRef {
        id: id.into(),
        zone: Some(zone.into()),
    });
    fact
}

/// A call that is awkward on purpose: two agents in two zones, two dispositions, a correction downwards, a late wrap-up.
fn call(rng: &mut StdRng, id: &str) -> Vec<Fact> {
    let start = NEAR_MONTH_END + rng.random_range(0..3_600_000);
    let talk = rng.random_range(20_000..900_000);
    let stated = |kind, millis| Durations::default().with(kind, Millis(millis));
    let mut transferred = with_agent(
        fact(
            &format!("{id}-3"),
            start + 60_000,
            State::Transferred,
            stated(DurationKind::Talk, talk + 9_000),
        ),
        "agent_1",
        "America/New_York",
    );
    transferred.statement.disposition = Some("IVR_TRANSFER_EXTERNAL".into());
    let mut ended = with_agent(
        fact(
            &format!("{id}-4"),
            start + 120_000,
            State::Completed,
            stated(DurationKind::Talk, talk),
        ),
        "agent_2",
        "Asia/Kathmandu",
    );
    ended.statement.disposition = Some("RESOLVED".into());
    let mut revised = ended.clone();
    revised.revision = Some(UtcMicros::from_millis(start + 500_000));
    revised
        .statement
        .durations
        .set(DurationKind::Hold, Millis(1_500));
    vec![
        fact(
            &format!("{id}-1"),
            start,
            State::Offered,
            Durations::default(),
        ),
        with_agent(
            fact(
                &format!("{id}-2"),
                start + 5_000,
                State::Connected,
                stated(DurationKind::QueueWait, 5_000),
            ),
            "agent_1",
            "America/New_York",
        ),
        transferred,
        ended,
        revised,
        fact(
            &format!("{id}-5"),
            start + 150_000,
            State::WrappedUp,
            stated(DurationKind::Wrap, 8_500),
        ),
    ]
}

fn planned(id: &str, facts: Vec<Fact>) -> PlannedSession {
    PlannedSession {
        tenant: "acme".into(),
        interaction: id.into(),
        facts,
        job_versions: BTreeSet::new(),
    }
}

fn plan(mut sessions: Vec<PlannedSession>) -> Plan {
    sessions.sort_by(|a, b| a.interaction.cmp(&b.interaction));
    Plan {
        sessions,
        ..Plan::default()
    }
}

async fn applier(db: &TestDb) -> Applier {
    Applier::new(db.store_with(8).await)
}

type Stored = BTreeMap<(String, String, i32), (Option<f64>, String, String)>;

async fn stored(db: &TestDb) -> Stored {
    let rows = db
        .client()
        .await
        .query(
            "SELECT interaction_id, metric_type, metric_version, metric_value, metadata::text, \
                    to_char(timestamp_utc AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM computed_metrics",
            &[],
        )
        .await
        .unwrap();
    let mut map = Stored::new();
    for row in rows {
        let old = map.insert(
            (row.get(0), row.get(1), row.get(2)),
            (row.get(3), row.get(4), row.get(5)),
        );
        assert!(old.is_none(), "one row a key");
    }
    map
}

/// What the pure derivation gives by the catalogue in this database: value by interaction, metric and version.
async fn expected(
    db: &TestDb,
    calls: &BTreeMap<String, Vec<Fact>>,
) -> BTreeMap<(String, String, i32), Option<f64>> {
    let store = db.store().await;
    let active = Active::of(
        catalogue::load(&store.client().await.unwrap())
            .await
            .unwrap(),
    );
    let which = active.of_news(&BTreeSet::new());
    let mut values = BTreeMap::new();
    for (id, facts) in calls {
        let mut session = Session::default();
        for fact in facts {
            session.insert(fact.clone());
        }
        let subject = kpi::Subject {
            tenant: "acme",
            interaction: id,
            timeline: &session.timeline(),
            swept: false,
        };
        let mut metrics = Vec::new();
        active
            .catalogue
            .evaluate_some(&which, &subject, &mut metrics);
        for metric in metrics {
            values.insert(
                (
                    id.clone(),
                    metric.metric.to_string(),
                    i32::from(metric.version.0),
                ),
                metric.value,
            );
        }
    }
    values
}

fn values(stored: &Stored) -> BTreeMap<(String, String, i32), Option<f64>> {
    stored
        .iter()
        .map(|(key, row)| (key.clone(), row.0))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_interleaving_of_workers_with_crashes_ends_in_the_pure_derivation() {
    for seed in 0..6 {
        let mut rng = StdRng::seed_from_u64(seed);
        let calls: BTreeMap<String, Vec<Fact>> = (0..25)
            .map(|n| format!("int_{n:03}"))
            .map(|id| (id.clone(), call(&mut rng, &id)))
            .collect();
        // Everything arrives one and a half times, in no order, cut into batches of any size.
        let mut arrivals: Vec<(String, Fact)> = calls
            .iter()
            .flat_map(|(id, facts)| facts.iter().map(|fact| (id.clone(), fact.clone())))
            .collect();
        let again: Vec<_> = arrivals
            .iter()
            .filter(|_| rng.random_bool(0.5))
            .cloned()
            .collect();
        arrivals.extend(again);
        arrivals.shuffle(&mut rng);
        let mut batches = Vec::new();
        while !arrivals.is_empty() {
            let size = rng.random_range(1..=30).min(arrivals.len());
            let mut sessions: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
            for (id, fact) in arrivals.drain(..size) {
                sessions.entry(id).or_default().push(fact);
            }
            batches.push(plan(
                sessions
                    .into_iter()
                    .map(|(id, facts)| planned(&id, facts))
                    .collect(),
            ));
        }
        let db = TestDb::new().await;
        let applier = applier(&db).await;
        let crashes = batches
            .iter()
            .map(|_| rng.random_range(0..4000_u64))
            .collect::<Vec<_>>();
        let mut workers = tokio::task::JoinSet::new();
        let share = batches.len().div_ceil(4);
        let mut queued = batches.into_iter().zip(crashes).peekable();
        while queued.peek().is_some() {
            let work: Vec<_> = queued.by_ref().take(share).collect();
            let applier = applier.clone();
            workers.spawn(async move {
                for (batch, crash_after_us) in work {
                    // A crash anywhere in the transaction, then the broker's redelivery of the same batch.
                    let crash = std::time::Duration::from_micros(crash_after_us);
                    let _cut_off = tokio::time::timeout(crash, applier.apply(&batch)).await;
                    applier.apply(&batch).await.unwrap();
                }
            });
        }
        while let Some(worker) = workers.join_next().await {
            worker.unwrap();
        }
        assert_eq!(
            values(&stored(&db).await),
            expected(&db, &calls).await,
            "seed {seed}"
        );
    }
}

#[tokio::test]
async fn every_order_of_a_transferred_call_gives_the_same_row_to_the_bit() {
    let facts = call(&mut StdRng::seed_from_u64(1), "int_1");
    let db = TestDb::new().await;
    let applier = applier(&db).await;
    let mut first: Option<Vec<(Option<f64>, String, String)>> = None;
    let mut rng = StdRng::seed_from_u64(2);
    for round in 0..40 {
        let id = format!("int_{round}");
        let mut order = facts.clone();
        order.shuffle(&mut rng);
        for fact in order {
            applier
                .apply(&plan(vec![planned(&id, vec![fact])]))
                .await
                .unwrap();
        }
        let rows: Vec<_> = stored(&db)
            .await
            .into_iter()
            .filter(|(key, _)| key.0 == id)
            .map(|(_, row)| row)
            .collect();
        assert_eq!(rows.len(), 6);
        assert_eq!(
            first.get_or_insert_with(|| rows.clone()),
            &rows,
            "round {round}"
        );
    }
}

#[tokio::test]
async fn nothing_is_emitted_before_a_terminal_state_and_a_later_fact_emits_again() {
    let facts = call(&mut StdRng::seed_from_u64(3), "int_1");
    let db = TestDb::new().await;
    let applier = applier(&db).await;
    applier
        .apply(&plan(vec![planned("int_1", facts[..3].to_vec())]))
        .await
        .unwrap();
    assert!(stored(&db).await.is_empty());
    applier
        .apply(&plan(vec![planned("int_1", facts[3..4].to_vec())]))
        .await
        .unwrap();
    let key = ("int_1".to_owned(), "wrap_time".to_owned(), 1);
    assert_eq!(stored(&db).await[&key].0, None, "absent until it is stated");
    applier
        .apply(&plan(vec![planned("int_1", facts[4..].to_vec())]))
        .await
        .unwrap();
    assert_eq!(stored(&db).await[&key].0, Some(8.5));
}

#[tokio::test]
async fn an_end_that_is_taken_back_takes_the_values_back_in_either_order() {
    let ended = fact(
        "1",
        NEAR_MONTH_END,
        State::Completed,
        Durations::default().with(DurationKind::Talk, Millis(60_000)),
    );
    let mut back = fact("1", NEAR_MONTH_END, State::Connected, Durations::default());
    back.revision = Some(UtcMicros::from_millis(NEAR_MONTH_END + 1));
    let db = TestDb::new().await;
    let applier = applier(&db).await;
    for (id, order) in [
        ("int_1", [ended.clone(), back.clone()]),
        ("int_2", [back, ended]),
    ] {
        for fact in order {
            applier
                .apply(&plan(vec![planned(id, vec![fact])]))
                .await
                .unwrap();
        }
    }
    let rows = stored(&db).await;
    for id in ["int_1", "int_2"] {
        let talk = &rows[&(id.to_owned(), "talk_time".to_owned(), 1)];
        assert_eq!(talk.0, None, "{id}");
        assert!(talk.1.contains("reopened"), "{id}: {talk:?}");
    }
    assert_eq!(rows.len(), 12);
}

#[tokio::test]
async fn a_repetition_writes_nothing() {
    let facts = call(&mut StdRng::seed_from_u64(4), "int_1");
    let db = TestDb::new().await;
    let applier = applier(&db).await;
    let batch = plan(vec![planned("int_1", facts)]);
    assert_eq!(applier.apply(&batch).await.unwrap().written, 6);
    let before = db
        .client()
        .await
        .query("SELECT xmin::text, ctid::text FROM interactions", &[])
        .await
        .unwrap();
    let again = applier.apply(&batch).await.unwrap();
    assert_eq!((again.written, again.queued), (0, 0));
    let after = db
        .client()
        .await
        .query("SELECT xmin::text, ctid::text FROM interactions", &[])
        .await
        .unwrap();
    let texts = |rows: &[tokio_postgres::Row]| {
        rows.iter()
            .map(|row| row.get::<_, String>(1))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        texts(&before),
        texts(&after),
        "not even the session was written"
    );
}

#[tokio::test]
async fn an_early_fact_over_the_months_end_moves_the_row_and_leaves_one() {
    let april = UtcMicros::from_millis(NEAR_MONTH_END + 3_600_000).millis();
    let ended = fact(
        "b",
        april,
        State::Completed,
        Durations::default().with(DurationKind::Talk, Millis(1_000)),
    );
    let offered = fact("a", NEAR_MONTH_END, State::Offered, Durations::default());
    let db = TestDb::new().await;
    let applier = applier(&db).await;
    applier
        .apply(&plan(vec![planned("int_1", vec![ended])]))
        .await
        .unwrap();
    applier
        .apply(&plan(vec![planned("int_1", vec![offered])]))
        .await
        .unwrap();
    let rows = stored(&db).await;
    let talk = &rows[&("int_1".to_owned(), "talk_time".to_owned(), 1)];
    assert_eq!(
        (talk.0, talk.2.as_str()),
        (Some(1.0), "2024-03-31 23:30:00.000000")
    );
    assert_eq!(rows.len(), 6);
}

#[tokio::test]
async fn a_fact_that_cannot_be_stored_is_refused_for_good_and_can_be_parted_from_its_neighbours() {
    let db = TestDb::new().await;
    let applier = applier(&db).await;
    let good = fact(
        "good",
        NEAR_MONTH_END,
        State::Completed,
        Durations::default(),
    );
    let poison = PlannedSession {
        interaction: "nul\0".into(),
        ..planned("", vec![good.clone()])
    };
    let mut todo = vec![Plan {
        sessions: vec![
            planned("int_1", vec![good.clone()]),
            planned("int_2", vec![good]),
            poison,
        ],
        ..Plan::default()
    }];
    let mut refused = Vec::new();
    while let Some(plan) = todo.pop() {
        match applier.apply(&plan).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.class(), store::Class::Rejected, "{error:?}");
                match plan.halve() {
                    Ok((first, second)) => todo.extend([first, second]),
                    Err(alone) => refused.push(alone.subject().to_owned()),
                }
            }
        }
    }
    assert_eq!(refused, ["nul\0"]);
    assert_eq!(
        stored(&db).await.len(),
        12,
        "both neighbours have their six rows"
    );
}
