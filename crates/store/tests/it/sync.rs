//! Every push has a known fate, and the newest value is the one that counts.

use crate::rows::{db, metric, number, seen};
use schema::Grain;
use std::time::Duration;
use store::metrics::{self, MetricRow};
use store::sync::{
    self, Claimed, Due, Fate, Lane, LogEntry, LogFate, Outcome, Pushed, Rows, Settled, State,
    Wanted,
};
use store::targets::{self, NotBefore, Target};
use store::{Client, Store, StoreError};
use testkit::TestDb;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(60);
const NOW: Duration = Duration::ZERO;
const LATER: Duration = Duration::from_secs(3600);

async fn queue() -> (TestDb, Store) {
    let (db, store) = db().await;
    let target = Target {
        name: "genesys".into(),
        tenant: "acme".into(),
        platform: "genesys".into(),
        metrics: vec!["talk_time".into()],
        versions: vec![],
        grains: vec![Grain::Interaction, Grain::Leg],
        not_before: NotBefore::AtOnce,
        enabled: true,
    };
    targets::register(&store, &target).await.unwrap();
    (db, store)
}

async fn write(store: &Store, rows: &[MetricRow<'_>]) {
    committed!(store, |tx| metrics::upsert(&tx, rows));
}

async fn claim(store: &Store, lease: Duration) -> Claimed {
    let client = store.client().await.unwrap();
    claim_of(&client, Lane::Live, 100, lease).await
}

async fn claim_of(client: &Client, lane: Lane, limit: u32, lease: Duration) -> Claimed {
    let wanted = Wanted {
        target: "genesys",
        lane,
        limit,
        not_before: NotBefore::AtOnce,
    };
    sync::claim(client, &wanted, Uuid::now_v7(), lease)
        .await
        .unwrap()
}

fn settled<'a>(claimed: &Claimed, due: &'a Due, fate: Fate, retry_in: Duration) -> Settled<'a> {
    Settled {
        row: due.row,
        key: &due.key,
        lease: claimed.lease,
        revision: due.revision,
        fate,
        retry_in,
        together: None,
        status: Some(200),
        message: None,
    }
}

async fn settle(store: &Store, claimed: &Claimed, fate: Fate, retry_in: Duration) -> Outcome {
    let rows: Vec<Settled<'_>> = claimed
        .rows
        .iter()
        .map(|due| settled(claimed, due, fate, retry_in))
        .collect();
    let outcome = committed!(store, |tx| sync::settle(&tx, "genesys", &rows));
    Outcome {
        waited: Vec::new(),
        ..outcome
    }
}

fn rows(states: &[State]) -> Rows<'static> {
    Rows {
        target: "genesys",
        states: states.to_vec(),
        metrics: &[],
        interaction: None,
        agent: None,
        from: None,
        to: None,
    }
}

async fn state(db: &TestDb) -> Vec<String> {
    seen(db, "SELECT state || ' attempt ' || attempt || ' revision ' || revision AS s FROM sync_queue ORDER BY interaction_id").await
}

#[tokio::test]
async fn an_accepted_row_leaves_the_queue() {
    let (db, store) = queue().await;
    write(&store, &[metric("int_1", 1.5), metric("int_2", 2.5)]).await;
    let claimed = claim(&store, LEASE).await;
    let values: Vec<_> = claimed
        .rows
        .iter()
        .map(|due| {
            (
                due.key.subject.interaction().unwrap(),
                due.metric_value,
                due.revision,
                due.attempt,
            )
        })
        .collect();
    assert_eq!(
        values,
        [("int_1", Some(1.5), 1, 1), ("int_2", Some(2.5), 1, 1)]
    );
    assert_eq!(
        claim(&store, LEASE).await.rows,
        [],
        "two replicas never hold the same row"
    );
    assert_eq!(
        settle(&store, &claimed, Fate::Accepted, NOW).await,
        Outcome {
            done: 2,
            ..Outcome::default()
        }
    );
    assert_eq!(number(&db, "SELECT count(*) FROM sync_queue").await, 0);
    // The bookkeeping of a twin that pushed the same is harmless.
    assert_eq!(
        settle(&store, &claimed, Fate::Accepted, NOW).await,
        Outcome {
            passed_over: 2,
            ..Outcome::default()
        }
    );
}

#[tokio::test]
async fn a_row_of_a_transaction_that_commits_late_is_delivered() {
    let (_db, store) = queue().await;
    let mut slow = store.client().await.unwrap();
    let tx = slow.transaction().await.unwrap();
    metrics::upsert(&tx, &[metric("int_slow", 1.0)])
        .await
        .unwrap();
    write(&store, &[metric("int_fast", 2.0)]).await;
    let first = claim(&store, LEASE).await;
    settle(&store, &first, Fate::Accepted, NOW).await;
    tx.commit().await.unwrap();
    let second = claim(&store, LEASE).await;
    let ids: Vec<&str> = first
        .rows
        .iter()
        .chain(&second.rows)
        .map(|due| due.key.subject.interaction().unwrap())
        .collect();
    assert_eq!(ids, ["int_fast", "int_slow"]);
}

#[tokio::test]
async fn a_lease_that_ran_out_is_due_again_and_its_old_holder_disturbs_nobody() {
    let (db, store) = queue().await;
    write(&store, &[metric("int_1", 1.0)]).await;
    let dead = claim(&store, NOW).await;
    let alive = claim(&store, LEASE).await;
    assert_eq!(alive.rows.first().unwrap().attempt, 2);
    for fate in [Fate::Retry, Fate::Rejected, Fate::Unknown, Fate::Snooze] {
        assert_eq!(
            settle(&store, &dead, fate, NOW).await,
            Outcome {
                passed_over: 1,
                ..Outcome::default()
            }
        );
    }
    assert_eq!(state(&db).await, ["leased attempt 2 revision 1"]);
    // But what the platform has, it has.
    assert_eq!(
        settle(&store, &dead, Fate::Accepted, NOW).await,
        Outcome {
            done: 1,
            ..Outcome::default()
        }
    );
    assert_eq!(
        settle(&store, &alive, Fate::Accepted, NOW).await,
        Outcome {
            passed_over: 1,
            ..Outcome::default()
        }
    );
}

#[tokio::test]
async fn a_slow_push_of_an_old_value_does_not_settle_the_newer_one() {
    for fate in [
        Fate::Accepted,
        Fate::Rejected,
        Fate::Unknown,
        Fate::Retry,
        Fate::Snooze,
    ] {
        let (db, store) = queue().await;
        write(&store, &[metric("int_1", 1.0)]).await;
        let slow = claim(&store, LEASE).await;
        write(&store, &[metric("int_1", 2.0)]).await;
        assert_eq!(
            claim(&store, LEASE).await.rows,
            [],
            "the newer value waits behind the lease"
        );
        assert_eq!(
            settle(&store, &slow, fate, LATER).await,
            Outcome {
                newer: 1,
                ..Outcome::default()
            }
        );
        assert_eq!(
            state(&db).await,
            ["pending attempt 0 revision 2"],
            "{fate:?}"
        );
        let next = claim(&store, LEASE).await;
        let due = next.rows.first().unwrap();
        assert_eq!(
            (due.metric_value, due.revision),
            (Some(2.0), 2),
            "due at once"
        );
    }
}

#[tokio::test]
async fn each_fate_leaves_its_state() {
    for (fate, pause, wanted) in [
        (Fate::Rejected, NOW, "rejected attempt 1 revision 1"),
        (Fate::Unknown, LATER, "unknown attempt 1 revision 1"),
        (Fate::Retry, LATER, "pending attempt 1 revision 1"),
        (Fate::Snooze, LATER, "pending attempt 0 revision 1"),
    ] {
        let (db, store) = queue().await;
        write(&store, &[metric("int_1", 1.0)]).await;
        let claimed = claim(&store, LEASE).await;
        settle(&store, &claimed, fate, pause).await;
        assert_eq!(state(&db).await, [wanted]);
        assert_eq!(claim(&store, LEASE).await.rows, [], "{fate:?} pauses");
        let counts = sync::pending_counts(&store.client().await.unwrap(), "genesys")
            .await
            .unwrap();
        assert_eq!(
            counts.pending + counts.leased + counts.unknown + counts.rejected,
            1
        );
    }
}

#[tokio::test]
async fn a_pause_of_nothing_is_due_at_once() {
    for fate in [Fate::Unknown, Fate::Retry, Fate::Snooze] {
        let (_db, store) = queue().await;
        write(&store, &[metric("int_1", 1.0)]).await;
        let claimed = claim(&store, LEASE).await;
        settle(&store, &claimed, fate, NOW).await;
        assert_eq!(claim(&store, LEASE).await.rows.len(), 1, "{fate:?}");
    }
}

/// Else rows that are given back in the middle of a search for the one that spoils them would end up behind everything that came later.
#[tokio::test]
async fn rows_given_back_keep_their_place_in_the_queue() {
    let (_db, store) = queue().await;
    write(&store, &[metric("int_first", 1.0)]).await;
    let claimed = claim(&store, LEASE).await;
    write(&store, &[metric("int_second", 1.0)]).await;
    settle(&store, &claimed, Fate::Snooze, NOW).await;
    let ids: Vec<String> = claim(&store, LEASE)
        .await
        .rows
        .into_iter()
        .map(|due| due.key.subject.interaction().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["int_first", "int_second"]);
}

#[tokio::test]
async fn the_rows_of_a_lease_or_of_a_pause_are_due_together() {
    let (db, store) = queue().await;
    let ids: Vec<String> = (0..100).map(|n| format!("int_{n:02}")).collect();
    let rows: Vec<_> = ids.iter().map(|id| metric(id, 1.0)).collect();
    write(&store, &rows).await;
    let instants = "SELECT count(DISTINCT due_at) FROM sync_queue";
    let claimed = claim(&store, LEASE).await;
    assert_eq!(claimed.rows.len(), 100);
    assert_eq!(number(&db, instants).await, 1, "one end of the lease");
    settle(&store, &claimed, Fate::Retry, LATER).await;
    assert_eq!(number(&db, instants).await, 1, "one end of the pause");
}

#[tokio::test]
async fn a_claim_reads_no_more_of_the_index_than_is_due() {
    let (db, store) = queue().await;
    write(&store, &[metric("int_1", 1.0)]).await;
    let client = db.client().await;
    client
        .batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    for step in ["claim delivery rows", "claim settled delivery rows"] {
        let claim = store::statements::all()
            .find(|sql| sql.step == step)
            .unwrap();
        client
            .batch_execute(&format!("PREPARE claiming AS {}", claim.text))
            .await
            .unwrap();
        let plan = client
            .simple_query(
                "EXPLAIN EXECUTE claiming ('genesys', 10, '00000000-0000-0000-0000-000000000001', 60, 'live')",
            )
            .await
            .unwrap();
        let plan = format!("{plan:?}");
        assert!(
            plan.contains("due_at <= statement_timestamp()")
                && plan.contains("Index Cond: ((target = $1) AND (lane = $5) AND (due_at <="),
            "{plan}"
        );
        client.batch_execute("DEALLOCATE claiming").await.unwrap();
    }
}

#[tokio::test]
async fn a_rejected_row_gets_another_chance_with_a_new_value_or_from_an_operator() {
    let (db, store) = queue().await;
    write(&store, &[metric("int_1", 1.0), metric("int_2", 1.0)]).await;
    let claimed = claim(&store, LEASE).await;
    settle(&store, &claimed, Fate::Rejected, NOW).await;
    write(&store, &[metric("int_1", 2.0)]).await;
    assert_eq!(
        state(&db).await,
        [
            "pending attempt 0 revision 2",
            "rejected attempt 1 revision 1"
        ]
    );
    assert_eq!(
        sync::retry(&store.client().await.unwrap(), &rows(&[State::Rejected]))
            .await
            .unwrap(),
        1
    );
    assert_eq!(claim(&store, LEASE).await.rows.len(), 2);
}

#[tokio::test]
async fn a_row_whose_month_was_dropped_leaves_the_queue() {
    let (db, store) = queue().await;
    write(&store, &[metric("int_1", 1.0)]).await;
    db.client()
        .await
        .query(
            "SELECT drop_months_before('computed_metrics', '2024-06-01')",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(claim(&store, LEASE).await.rows, []);
    assert_eq!(number(&db, "SELECT count(*) FROM sync_queue").await, 0);
}

#[tokio::test]
async fn every_attempt_is_logged() {
    let (db, store) = queue().await;
    write(&store, &[metric("int_1", 1.0), metric("int_2", 1.0)]).await;
    let claimed = claim(&store, LEASE).await;
    let request_id = Uuid::from_u128(5);
    let entries: Vec<LogEntry<'_>> = claimed
        .rows
        .iter()
        .map(|due| LogEntry {
            key: &due.key,
            revision: due.revision,
            attempt: due.attempt,
            pushed: Some(Pushed {
                value: 1.5,
                points: None,
            }),
            fate: LogFate::from(Fate::Unknown),
            request_id,
            idempotency_key: "int_1/talk_time/1/1",
            status: Some(504),
            message: Some("gate\0way"),
        })
        .collect();
    committed!(store, |tx| sync::log(&tx, "genesys", &entries));
    assert_eq!(
        number(&db, "SELECT count(*) FROM metric_sync_log WHERE fate = 'unknown' AND status = 504 AND message = E'gate\\uFFFDway' AND attempt = 1 AND value = 1.5").await,
        2
    );
    let client = store.client().await.unwrap();
    let mut pruned = Vec::new();
    for _ in 0..3 {
        let now = crate::rows::now();
        pruned.push(sync::prune_log(&client, now, 1).await.unwrap());
    }
    assert_eq!(pruned, [1, 1, 0], "no more at once than was asked for");
}

/// Writers raise values while replicas claim, push into a table of what the platform has, and settle, some too late. In the end the
/// platform has each row's last value and the queue is empty.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_the_end_the_platform_has_each_rows_last_value() -> Result<(), StoreError> {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};
    /// Per interaction the revision and the value.
    type Held = BTreeMap<String, (i64, Option<f64>)>;
    const ROWS: usize = 40;
    const ROUNDS: u32 = 30;
    let (db, store) = queue().await;
    let platform: Arc<Mutex<Held>> = Arc::default();
    let mut workers = tokio::task::JoinSet::new();
    for writer in 0..2_u32 {
        let store = store.clone();
        workers.spawn(async move {
            for round in 0..ROUNDS {
                let ids: Vec<String> = (0..ROWS).map(|row| format!("int_{row:02}")).collect();
                let rows: Vec<MetricRow<'_>> = ids
                    .iter()
                    .map(|id| metric(id, f64::from(round * 2 + writer)))
                    .collect();
                write(&store, &rows).await;
            }
        });
    }
    for replica in 0..3_u64 {
        let (store, platform) = (store.clone(), Arc::clone(&platform));
        workers.spawn(async move {
            for turn in 0..60 {
                // Every fourth lease is over before it begins: another replica takes the same rows.
                let lease = if turn % 4 == replica { NOW } else { LEASE };
                let claimed = claim(&store, lease).await;
                {
                    let mut has = platform.lock().unwrap();
                    for due in &claimed.rows {
                        // As a platform that overwrites by key and knows the revision.
                        let slot = has
                            .entry(due.key.subject.interaction().unwrap().to_owned())
                            .or_insert((0, None));
                        if slot.0 <= due.revision {
                            *slot = (due.revision, due.metric_value);
                        }
                    }
                }
                let fate = if turn % 5 == 0 {
                    Fate::Retry
                } else {
                    Fate::Accepted
                };
                settle(&store, &claimed, fate, NOW).await;
            }
        });
    }
    workers.join_all().await;
    loop {
        let claimed = claim(&store, LEASE).await;
        if claimed.rows.is_empty() {
            break;
        }
        for due in &claimed.rows {
            platform.lock().unwrap().insert(
                due.key.subject.interaction().unwrap().to_owned(),
                (due.revision, due.metric_value),
            );
        }
        settle(&store, &claimed, Fate::Accepted, NOW).await;
    }
    assert_eq!(number(&db, "SELECT count(*) FROM sync_queue").await, 0);
    let stored = db
        .client()
        .await
        .query(
            "SELECT interaction_id, revision, metric_value FROM computed_metrics",
            &[],
        )
        .await
        .unwrap();
    let stored: Held = stored
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2))))
        .collect();
    assert_eq!(*platform.lock().unwrap(), stored);
    Ok(())
}

/// Where versions have one name on a platform, a late value of the old one would take the place of the new one's.
#[tokio::test]
async fn rows_of_a_version_that_another_one_replaced_leave_the_queue() {
    let (db, store) = queue().await;
    write(&store, &[metric("int_1", 1.0), metric("int_2", 2.0)]).await;
    let first = claim(&store, NOW).await;
    assert_eq!(first.rows.len(), 2);
    db.client()
        .await
        .batch_execute(
            "UPDATE kpi_definitions SET status = 'retired' WHERE name = 'talk_time'; \
             INSERT INTO kpi_definitions (name, version, unit, text, status) VALUES ('talk_time', 2, 'seconds', '', 'current')",
        )
        .await
        .unwrap();
    // Their lease has run out; whoever finds them next drops them.
    assert_eq!(claim(&store, LEASE).await.rows, []);
    assert_eq!(number(&db, "SELECT count(*) FROM sync_queue").await, 0);
}
