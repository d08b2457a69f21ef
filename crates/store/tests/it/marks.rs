//! Marks are appended with a change and removed with what was computed; leases keep two workers from computing the same.

use crate::rows::{number, seen};
use schema::UtcMicros;
use store::marks::{self, Kind, Mark, Order, Pending};
use store::{Class, Store, StoreError};
use testkit::TestDb;

const QUARTER: i64 = 900_000_000;
/// 2024-05-15T14:30:00Z
const START: i64 = 1_715_783_400_000_000;

fn at(quarters: i64) -> UtcMicros {
    UtcMicros(START + quarters * QUARTER)
}

fn cell(tenant: &str, quarter: i64) -> Mark<'_> {
    Mark {
        kind: Kind::Cell,
        tenant,
        subject: "",
        from: at(quarter),
        to: at(quarter + 1),
    }
}

fn agent(subject: &str, from: i64, to: i64) -> Mark<'_> {
    Mark {
        kind: Kind::Agent,
        tenant: "acme",
        subject,
        from: at(from),
        to: at(to),
    }
}

async fn append(store: &Store, given: &[Mark<'_>]) -> u64 {
    committed!(store, |tx| marks::append(&tx, given))
}

async fn pending(
    store: &Store,
    kind: Kind,
    tenant: Option<&str>,
    order: Order,
    limit: u32,
) -> Vec<Pending> {
    marks::pending(&store.client().await.unwrap(), kind, tenant, order, limit)
        .await
        .unwrap()
}

fn subjects(pending: &[Pending]) -> Vec<&str> {
    pending.iter().map(|found| found.subject.as_str()).collect()
}

#[tokio::test]
async fn cells_come_with_all_their_marks_from_either_end() {
    let db = TestDb::new().await;
    let store = db.store().await;
    assert_eq!(append(&store, &[]).await, 0);
    let twice = [cell("acme", 1), cell("acme", 0), cell("acme", 1)];
    assert_eq!(append(&store, &twice).await, 2);
    append(&store, &[cell("acme", 1), cell("bolt", 2)]).await;

    let newest = pending(&store, Kind::Cell, Some("acme"), Order::Newest, 10).await;
    let found: Vec<_> = newest
        .iter()
        .map(|cell| (cell.from, cell.to, cell.marks.len()))
        .collect();
    assert_eq!(found, [(at(1), at(2), 2), (at(0), at(1), 1)]);
    assert_eq!(newest[0].stretches, [(at(1), at(2))]);
    let oldest = pending(&store, Kind::Cell, Some("acme"), Order::Oldest, 1).await;
    assert_eq!((oldest.len(), oldest[0].from), (1, at(0)));

    // Of all tenants the newest one alone.
    let all = pending(&store, Kind::Cell, None, Order::Newest, 1).await;
    assert_eq!((all.len(), all[0].tenant.as_str()), (1, "bolt"));
    let all = pending(&store, Kind::Cell, None, Order::Oldest, 9).await;
    assert_eq!((all.len(), all[0].from), (3, at(0)));
}

#[tokio::test]
async fn a_subject_comes_once_with_what_of_its_time_is_marked() {
    let db = TestDb::new().await;
    let store = db.store().await;
    append(
        &store,
        &[
            agent("anna", 0, 2),
            agent("bert", 8, 9),
            agent("anna", 1, 3),
        ],
    )
    .await;
    append(&store, &[agent("anna", 6, 7)]).await;
    let other = Mark {
        kind: Kind::Journey,
        ..agent("anna", 0, 90)
    };
    append(&store, &[other]).await;

    let newest = pending(&store, Kind::Agent, Some("acme"), Order::Newest, 10).await;
    assert_eq!(subjects(&newest), ["bert", "anna"]);
    assert_eq!((newest[1].from, newest[1].to), (at(0), at(7)));
    assert_eq!(newest[1].stretches, [(at(0), at(3)), (at(6), at(7))]);
    assert_eq!(newest[1].marks.len(), 2);
    let oldest = pending(&store, Kind::Agent, None, Order::Oldest, 1).await;
    assert_eq!(subjects(&oldest), ["anna"]);
}

#[tokio::test]
async fn only_what_was_read_is_removed() {
    let db = TestDb::new().await;
    let store = db.store().await;
    append(&store, &[cell("acme", 0)]).await;
    let read = pending(&store, Kind::Cell, Some("acme"), Order::Newest, 1).await;
    append(&store, &[cell("acme", 0)]).await;
    assert_eq!(
        committed!(store, |tx| marks::finish(&tx, &read[0].marks, &[])),
        1
    );
    assert_eq!(
        committed!(store, |tx| marks::finish(&tx, &read[0].marks, &[])),
        0
    );
    assert_eq!(number(&db, "SELECT count(*) FROM dirty_marks").await, 1);
}

#[tokio::test]
async fn a_change_that_is_rolled_back_leaves_no_mark() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    marks::append(&tx, &[cell("acme", 0)]).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM dirty_marks").await, 0);
}

#[tokio::test]
async fn a_lease_is_one_transactions_until_it_ends() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let (mut one, mut other) = (store.client().await.unwrap(), store.client().await.unwrap());
    let first = one.transaction().await.unwrap();
    let second = other.transaction().await.unwrap();
    let lease = marks::try_lease;
    assert!(lease(&first, Kind::Agent, "acme", "anna").await.unwrap());
    assert!(lease(&first, Kind::Agent, "acme", "anna").await.unwrap());
    assert!(!lease(&second, Kind::Agent, "acme", "anna").await.unwrap());
    assert!(lease(&second, Kind::Agent, "acme", "bert").await.unwrap());
    assert!(lease(&second, Kind::Journey, "acme", "anna").await.unwrap());
    assert!(lease(&second, Kind::Agent, "bolt", "anna").await.unwrap());
    first.rollback().await.unwrap();
    assert!(lease(&second, Kind::Agent, "acme", "anna").await.unwrap());
}

#[tokio::test]
async fn a_backlog_is_counted_by_kind_and_seen_in_the_pipelines_health() {
    let db = TestDb::new().await;
    let store = db.store().await;
    append(&store, &[cell("acme", 0), cell("bolt", 1)]).await;
    db.client()
        .await
        .batch_execute(
            "UPDATE dirty_marks SET queued_at = now() - interval '1 minute' WHERE tenant = 'bolt'",
        )
        .await
        .unwrap();
    let backlog = marks::backlog(&store.client().await.unwrap())
        .await
        .unwrap();
    let counts: Vec<_> = backlog.iter().map(|of| (of.kind, of.marks)).collect();
    assert_eq!(
        counts,
        [
            (Kind::Cell, 2),
            (Kind::Group, 0),
            (Kind::Agent, 0),
            (Kind::Journey, 0)
        ]
    );
    let oldest = backlog[0].oldest_seconds.unwrap();
    assert!((60.0..600.0).contains(&oldest), "{oldest}");
    assert_eq!(backlog[2].oldest_seconds, None);
    assert_eq!(
        seen(
            &db,
            "SELECT measure, scope, value >= 2 FROM pipeline_health WHERE measure LIKE 'marks%' ORDER BY 1"
        )
        .await,
        ["marks_oldest_seconds|cell|t", "marks_waiting|cell|t"]
    );
    let tenants = marks::tenants(&store.client().await.unwrap(), Kind::Cell)
        .await
        .unwrap();
    assert_eq!(tenants, ["acme", "bolt"]);
}

#[tokio::test]
async fn marks_that_make_no_sense_are_refused() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let backwards = agent("anna", 1, 0);
    let nobody = agent("", 0, 1);
    for mark in [backwards, nobody] {
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let error = marks::append(&tx, &[mark]).await.unwrap_err();
        assert_eq!(error.class(), Class::Rejected, "{error:?}");
    }
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let error = marks::append(&tx, &[agent("a\0", 0, 1)]).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Nul { column: "subject" }),
        "{error:?}"
    );
}

/// The first marks of a long queue are found along an index, whatever the plan was made for.
#[tokio::test]
async fn a_long_queue_is_not_read_to_its_end() {
    let db = TestDb::new().await;
    let client = db.client().await;
    client
        .batch_execute(
            "INSERT INTO dirty_marks (kind, tenant, subject, from_at, to_at) \
             SELECT k, 'acme', CASE k WHEN 'cell' THEN '' ELSE 'subject_' || n % 500 END, t, t + interval '15 minutes' \
             FROM generate_series(0, 20000) n, unnest(ARRAY['cell', 'agent']) k, \
                  LATERAL (SELECT timestamptz '2024-05-01Z' + n / 10 * interval '15 minutes' AS t) t; \
             ANALYZE dirty_marks; SET plan_cache_mode = force_generic_plan",
        )
        .await
        .unwrap();
    for (step, kind) in [
        ("read the newest marked cells", "cell"),
        ("read the oldest marked cells", "cell"),
        ("read the newest marked subjects", "agent"),
        ("read the oldest marked subjects", "agent"),
    ] {
        let sql = store::statements::all()
            .find(|sql| sql.step == step)
            .unwrap();
        client
            .batch_execute(&format!("PREPARE p (text, text, bigint) AS {}", sql.text))
            .await
            .unwrap();
        let plan = seen_on(
            &client,
            &format!("EXPLAIN (COSTS OFF) EXECUTE p ('{kind}', 'acme', 10)"),
        )
        .await;
        assert!(!plan.contains("Seq Scan"), "{step}: {plan}");
        assert!(plan.contains("dirty_marks_time"), "{step}: {plan}");
        client.batch_execute("DEALLOCATE p").await.unwrap();
    }
}

/// The rows of a query in this session, one below the other.
async fn seen_on(client: &tokio_postgres::Client, sql: &str) -> String {
    let messages = client.simple_query(sql).await.unwrap();
    let rows = messages.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    rows.collect::<Vec<_>>().join("\n")
}
