//! One row per metric, changed only by real changes.

use crate::rows::{JUNE, MAY, db, interaction, metric, number, seen};
use schema::{Grain, MetricVersion, UtcMicros};
use std::sync::Arc;
use store::metrics::{self, MetricRow, Upserted};
use store::sync::Values;
use store::targets::{self, NotBefore, Target};
use store::{Class, Store, StoreError, interactions, sync};
use tokio::sync::Barrier;

const ROWS: &str = "SELECT interaction_id, metric_value, revision FROM computed_metrics ORDER BY interaction_id COLLATE \"C\"";

fn target(name: &str) -> Target {
    Target {
        name: name.into(),
        tenant: "acme".into(),
        platform: "genesys".into(),
        metrics: vec!["talk_time".into(), "adjusted_aht".into()],
        versions: vec![],
        grains: vec![Grain::Interaction, Grain::Leg],
        not_before: NotBefore::AtOnce,
        enabled: true,
    }
}

async fn upsert(store: &Store, rows: &[MetricRow<'_>]) -> Upserted {
    committed!(store, |tx| metrics::upsert(&tx, rows))
}

#[tokio::test]
async fn one_row_is_left_when_the_instant_crosses_a_months_end() {
    let (db, store) = db().await;
    committed!(store, |tx| interactions::insert_new(
        &tx,
        &[interaction("int_1")],
        &interactions::Evaluated::NEVER
    ));
    let before_midnight = UtcMicros(JUNE.0 - 500);
    for timestamp_utc in [
        before_midnight,
        UtcMicros(before_midnight.0 + 1000),
        JUNE,
        MAY,
    ] {
        // Another worker learns another start, but the partition instant is the one of the interaction's row.
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let inserted = interactions::insert_new(
            &tx,
            &[interactions::NewInteraction {
                partition_at: timestamp_utc,
                ..interaction("int_1")
            }],
            &interactions::Evaluated::NEVER,
        )
        .await
        .unwrap();
        assert!(inserted.is_empty());
        let locked = interactions::lock(&tx, &[("acme", "int_1")]).await.unwrap();
        let partition_at = locked.first().unwrap().partition_at;
        metrics::upsert(
            &tx,
            &[MetricRow {
                timestamp_utc,
                partition_at,
                ..metric("int_1", 45.2)
            }],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(seen(&db, ROWS).await, ["int_1|45.2|4"]);
    let read = metrics::of_interaction(&store.client().await.unwrap(), "acme", "int_1")
        .await
        .unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read.first().unwrap().timestamp_utc, MAY);
}

#[tokio::test]
async fn the_last_of_three_in_one_flush_holds() {
    let (db, store) = db().await;
    let ids: Vec<String> = (0..500).map(|number| format!("int_{number:03}")).collect();
    let mut rows: Vec<MetricRow<'_>> = ids.iter().map(|id| metric(id, 1.0)).collect();
    rows.insert(100, metric("int_007", 2.0));
    rows.push(metric("int_007", 3.0));
    assert_eq!(
        upsert(&store, &rows).await,
        Upserted {
            written: 500,
            queued: 0
        }
    );
    assert_eq!(
        number(
            &db,
            "SELECT metric_value::bigint FROM computed_metrics WHERE interaction_id = 'int_007'"
        )
        .await,
        3
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_in_opposite_order_never_deadlock() {
    const ROUNDS: u32 = 100;
    let (db, store) = db().await;
    targets::register(&store, &target("genesys")).await.unwrap();
    let barrier = Arc::new(Barrier::new(2));
    let work = |worker: u32| {
        let (store, barrier) = (store.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            let ids: Vec<String> = (0..200).map(|number| format!("int_{number:03}")).collect();
            for round in 0..ROUNDS {
                let value = f64::from(round * 2 + worker);
                let mut rows: Vec<MetricRow<'_>> = ids.iter().map(|id| metric(id, value)).collect();
                if worker == 1 {
                    rows.reverse();
                }
                barrier.wait().await;
                upsert(&store, &rows).await;
            }
        })
    };
    let (one, other) = (work(0), work(1));
    one.await.unwrap();
    other.await.unwrap();
    assert_eq!(
        number(
            &db,
            "SELECT count(*) FROM computed_metrics WHERE revision = 200"
        )
        .await,
        200,
        "each round of each worker changed each row"
    );
    assert_eq!(
        number(&db, "SELECT count(*) FROM sync_queue WHERE revision = 200").await,
        200
    );
}

#[tokio::test]
async fn numbers_that_are_none_are_refused_before_and_by_the_table() {
    let (db, store) = db().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = metrics::upsert(&tx, &[metric("int_0", 1.0), metric("int_1", value)])
            .await
            .unwrap_err();
        assert!(
            matches!(&error, StoreError::NotFinite { interaction, .. } if interaction == "int_1"),
            "{error:?}"
        );
        assert_eq!(error.class(), Class::Rejected);
    }
    // The neighbours can still be stored in the same transaction.
    metrics::upsert(
        &tx,
        &[
            metric("int_0", f64::MAX),
            MetricRow {
                metric_value: None,
                ..metric("int_2", 0.0)
            },
        ],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let outsider = db.client().await;
    for value in ["NaN", "Infinity", "-Infinity"] {
        let error = outsider
            .execute(
                &format!("UPDATE computed_metrics SET metric_value = '{value}'"),
                &[],
            )
            .await
            .unwrap_err();
        let error = StoreError::Query {
            step: "test",
            source: error.into(),
        };
        assert_eq!(
            (error.sqlstate(), error.class()),
            (Some("23514"), Class::Rejected)
        );
        assert!(!error.is_missing_partition());
    }
}

#[tokio::test]
async fn an_unchanged_value_writes_and_queues_nothing() {
    let (db, store) = db().await;
    targets::register(&store, &target("genesys")).await.unwrap();
    let row = metric("int_1", 45.2);
    assert_eq!(
        upsert(&store, &[row]).await,
        Upserted {
            written: 1,
            queued: 1
        }
    );
    let before = seen(
        &db,
        "SELECT xmin::text, updated_at, revision FROM computed_metrics",
    )
    .await;
    let client = db.client().await;
    client.execute("DELETE FROM sync_queue", &[]).await.unwrap();
    // Provenance alone and another spelling of the same metadata are no news.
    let same = MetricRow {
        provenance_json: r#"{"tzdb":"2027a"}"#,
        metadata_json: r#"{ "zone" : "Europe\/Berlin" }"#,
        ..row
    };
    for row in [row, same] {
        assert_eq!(upsert(&store, &[row]).await, Upserted::default());
    }
    assert_eq!(
        seen(
            &db,
            "SELECT xmin::text, updated_at, revision FROM computed_metrics"
        )
        .await,
        before
    );
    assert_eq!(number(&db, "SELECT count(*) FROM sync_queue").await, 0);
}

#[tokio::test]
async fn every_real_change_is_one_revision() {
    let (db, store) = db().await;
    targets::register(&store, &target("genesys")).await.unwrap();
    let first = metric("int_1", 45.2);
    let changes = [
        first,
        MetricRow {
            metric_value: Some(45.1),
            ..first
        },
        MetricRow {
            metric_value: None,
            ..first
        },
        MetricRow {
            metadata_json: r#"{"reason":"excluded_disposition"}"#,
            metric_value: None,
            ..first
        },
        MetricRow {
            agent_id: None,
            ..first
        },
        MetricRow {
            queue_id: Some("q"),
            ..first
        },
        MetricRow {
            timestamp_utc: UtcMicros(MAY.0 + 1),
            ..first
        },
    ];
    for (changed, row) in (1_i64..).zip(changes) {
        assert_eq!(
            upsert(&store, &[row]).await,
            Upserted {
                written: 1,
                queued: 1
            }
        );
        assert_eq!(
            number(&db, "SELECT revision FROM computed_metrics").await,
            changed
        );
        assert_eq!(
            number(&db, "SELECT revision FROM sync_queue").await,
            changed
        );
    }
}

#[tokio::test]
async fn versions_and_legs_have_rows_of_their_own() {
    let (db, store) = db().await;
    let first = metric("int_1", 1.0);
    let rows = [
        first,
        MetricRow {
            metric_version: MetricVersion(2),
            metric_value: Some(2.0),
            ..first
        },
        MetricRow {
            leg_scope: "leg_1",
            metric_value: Some(3.0),
            ..first
        },
        MetricRow {
            tenant: "other",
            metric_value: Some(4.0),
            ..first
        },
    ];
    assert_eq!(upsert(&store, &rows).await.written, 4);
    let second = MetricRow {
        metric_version: MetricVersion(2),
        metric_value: Some(9.0),
        ..first
    };
    assert_eq!(upsert(&store, &[second]).await.written, 1);
    assert_eq!(
        seen(&db, "SELECT metric_value FROM computed_metrics ORDER BY 1").await,
        ["1", "3", "4", "9"]
    );
}

#[tokio::test]
async fn a_target_gets_what_it_asks_for() {
    let (db, store) = db().await;
    targets::register(&store, &target("current")).await.unwrap();
    targets::register(
        &store,
        &Target {
            versions: vec![MetricVersion(2), MetricVersion(3)],
            ..target("some")
        },
    )
    .await
    .unwrap();
    targets::register(
        &store,
        &Target {
            enabled: false,
            ..target("off")
        },
    )
    .await
    .unwrap();
    let first = metric("int_1", 1.0);
    let rows = [
        first,
        MetricRow {
            metric_version: MetricVersion(2),
            ..first
        },
        MetricRow {
            metric_version: MetricVersion(4),
            ..first
        },
        MetricRow {
            metric_type: "queue_wait",
            ..first
        },
    ];
    assert_eq!(
        upsert(&store, &rows).await,
        Upserted {
            written: 4,
            queued: 2
        }
    );
    let queued = "SELECT target || metric_version AS t FROM sync_queue ORDER BY 1";
    assert_eq!(seen(&db, queued).await, ["current1", "some2"]);
    // After a promotion, the new version is what a target gets that asks for none in particular.
    db.client()
        .await
        .batch_execute(
            "UPDATE kpi_definitions SET status = 'candidate' WHERE name = 'talk_time'; \
             INSERT INTO kpi_definitions (name, version, unit, text, status) \
             VALUES ('talk_time', 4, 'seconds', '', 'current')",
        )
        .await
        .unwrap();
    let promoted = MetricRow {
        metric_version: MetricVersion(4),
        metric_value: Some(7.0),
        ..first
    };
    assert_eq!(upsert(&store, &[promoted]).await.queued, 1);
    assert_eq!(seen(&db, queued).await, ["current1", "current4", "some2"]);
    assert_eq!(
        seen(
            &db,
            "SELECT metric_version FROM metrics_current WHERE metric_type = 'talk_time'"
        )
        .await,
        ["4"]
    );
}

#[tokio::test]
async fn a_target_gets_its_own_tenants_rows_only() {
    let (db, store) = db().await;
    for (name, tenant) in [("a-main", "acme"), ("o-main", "other")] {
        let target = Target {
            tenant: tenant.into(),
            ..target(name)
        };
        targets::register(&store, &target).await.unwrap();
    }
    let own = metric("int_1", 1.0);
    let others = MetricRow {
        tenant: "other",
        ..own
    };
    let nobodys = MetricRow {
        tenant: "third",
        ..own
    };
    assert_eq!(
        upsert(&store, &[own, others, nobodys]).await,
        Upserted {
            written: 3,
            queued: 2
        }
    );
    let queued = "SELECT target || '<' || tenant AS t FROM sync_queue ORDER BY 1";
    assert_eq!(seen(&db, queued).await, ["a-main<acme", "o-main<other"]);
    let client = db.client().await;
    client.execute("DELETE FROM sync_queue", &[]).await.unwrap();
    let (from, to) = Values::ALWAYS;
    let values = Values {
        target: "o-main",
        metrics: &[],
        interaction: None,
        from,
        to,
    };
    let again = sync::requeue(&store.client().await.unwrap(), &values).await;
    assert_eq!(again.unwrap(), 1);
    assert_eq!(seen(&db, queued).await, ["o-main<other"]);
}

/// What waits under the name is the first tenant's.
#[tokio::test]
async fn a_target_never_changes_its_tenant() {
    let (_db, store) = db().await;
    let first = target("main");
    targets::register(&store, &first).await.unwrap();
    let moved = Target {
        tenant: "other".into(),
        ..target("main")
    };
    let error = targets::register(&store, &moved).await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
    assert_eq!(
        error.to_string(),
        "target main belongs to tenant acme; one of tenant other needs another name"
    );
    // Everything else about it may change.
    let changed = Target {
        enabled: false,
        ..first
    };
    targets::register(&store, &changed).await.unwrap();
    let list = targets::list(&store.client().await.unwrap()).await.unwrap();
    assert_eq!(list, [changed]);
}

#[tokio::test]
async fn a_target_registered_during_a_transaction_misses_nothing_after_it() {
    let (db, store) = db().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    metrics::upsert(&tx, &[metric("int_1", 1.0)]).await.unwrap();
    let other = store.clone();
    let registering =
        tokio::spawn(async move { targets::register(&other, &target("genesys")).await });
    crate::rows::until_someone_waits(&db).await;
    // A second worker comes while the registration waits: it must wait behind it and see it.
    let other = store.clone();
    let upserting = tokio::spawn(async move { upsert(&other, &[metric("int_2", 1.0)]).await });
    tx.commit().await.unwrap();
    registering.await.unwrap().unwrap();
    upserting.await.unwrap();
    // Either it came before the registration was committed and before it in line, or it is queued; after it, always.
    assert_eq!(upsert(&store, &[metric("int_3", 1.0)]).await.queued, 1);
    assert_eq!(
        targets::list(&store.client().await.unwrap()).await.unwrap(),
        [target("genesys")]
    );
}

#[tokio::test]
async fn what_jsonb_cannot_hold_is_marked_and_the_literal_survives() {
    let (db, store) = db().await;
    let metadata_json = r#"{"note":"a\u0000b","k\u0000":1,"lone":"\ud83d","literal":"\\u0000"}"#;
    upsert(
        &store,
        &[MetricRow {
            metadata_json,
            ..metric("int_1", 1.0)
        }],
    )
    .await;
    let client = db.client().await;
    let row = client
        .query_one(
            "SELECT metadata->>'note', metadata->>'lone', metadata->>'literal', metadata ? E'k\\uFFFD' FROM computed_metrics",
            &[],
        )
        .await
        .unwrap();
    let found: (&str, &str, &str, bool) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(found, ("a\u{fffd}b", "\u{fffd}", "\\u0000", true));
    // Not JSON at all is the item's fault.
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let error = metrics::upsert(
        &tx,
        &[MetricRow {
            metadata_json: "{",
            ..metric("int_1", 1.0)
        }],
    )
    .await
    .unwrap_err();
    assert_eq!(error.class(), Class::Rejected);
}

/// A receiver knows a value by its revision: none that was used before the loss may come again for another value.
#[tokio::test]
async fn after_a_restore_revisions_begin_above_all_before() {
    let (db, store) = db().await;
    let rows = [metric("int_1", 1.0), metric("int_2", 1.0)];
    committed!(store, |tx| metrics::upsert(&tx, &rows));
    let above = number(&db, "SELECT after_restore()").await;
    let rows = [
        metric("int_1", 2.0),
        metric("int_2", 1.0),
        metric("int_3", 1.0),
    ];
    committed!(store, |tx| metrics::upsert(&tx, &rows));
    let revisions = "SELECT interaction_id, revision FROM computed_metrics ORDER BY 1";
    let expected = [
        format!("int_1|{above}"),
        "int_2|1".to_owned(),
        format!("int_3|{above}"),
    ];
    assert_eq!(seen(&db, revisions).await, expected);
    committed!(store, |tx| metrics::upsert(&tx, &[metric("int_1", 3.0)]));
    assert_eq!(
        seen(&db, "SELECT max(revision) FROM computed_metrics").await,
        [(above + 1).to_string()]
    );
}
