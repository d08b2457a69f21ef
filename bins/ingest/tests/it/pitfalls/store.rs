//! What PostgreSQL cannot hold, refuses, or does otherwise than one thinks.

use super::{fill, raw};
use crate::line::{Line, PATIENCE, event, post_signed, take_facts};
use broker::Queue;
use std::collections::BTreeMap;
use testkit::eventually;

/// A month's last microsecond and the next one's first, an old month, and a year that is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_70_a_row_has_its_month_and_an_implausible_instant_goes_to_quarantine() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let at = |id: &str, instant: &str| event(id).replace("2024-11-02T10:00:00.125Z", instant);
    let events = [
        at("last", "2024-05-31T23:59:59.999999Z"),
        at("first", "2024-06-01T00:00:00.000Z"),
        at("old", "2023-09-01T12:00:00Z"),
        at("far", "2099-01-01T00:00:00Z"),
    ];
    line.broker.publish(raw(&events.join("\n"))).await;
    let counts = line.counts_of(4).await;
    assert_eq!((counts.logged, counts.quarantined), (3, 1));
    for month in ["2024m05", "2024m06", "2023m09"] {
        let sql = format!("SELECT count(*) FROM event_log_y{month}");
        assert_eq!(line.number(&sql).await, 1, "{month}");
    }
    let sql = "SELECT count(*) FROM quarantine WHERE field = 'timestamp' AND stage = 'map'";
    assert_eq!(line.number(sql).await, 1);
    // A partition for all the rest would take what no month takes, and then no month could be made for it.
    let sql = "SELECT count(*) FROM pg_class WHERE relispartition \
               AND (pg_get_expr(relpartbound, oid) = 'DEFAULT' OR relname LIKE '%y2099%')";
    assert_eq!(line.number(sql).await, 0);
}

/// U+0000 in a value and in a name, half of a pair of surrogates, and the six characters of an escape written out.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_72_bytes_stay_and_what_no_text_holds_is_marked() {
    let line = Line::new().await;
    let mut ingest = line.start(&[], &[]);
    let http = ingest.wait_ready().await.http_address();
    let (_connection, mut facts) = line.facts().await;
    let noted = |id: &str, members: &str| {
        let members = format!("{members},\"metrics\"");
        event(id).replace("\"metrics\"", &members)
    };
    let events = [
        noted("value", r#""disposition":"a\u0000b""#),
        noted("name", r#""disposition":"plain","note\u0000":"\u0000""#),
        noted("half", r#""disposition":"a\ud83d""#),
        noted("literal", r#""disposition":"a\\u0000b""#),
    ];
    let answer = post_signed(http, events.join("\n").as_bytes()).await;
    assert_eq!(answer.status, 202);
    let counts = line.counts_of(4).await;
    assert_eq!((counts.logged, counts.quarantined), (4, 0));
    let told = take_facts(&mut facts, 4).await;
    let told: BTreeMap<&str, Option<&str>> = told
        .iter()
        .map(|told| {
            let disposition = told.fact.statement.disposition.as_deref();
            (told.interaction.as_str(), disposition)
        })
        .collect();
    let expected = [
        ("int_half", Some("a\u{fffd}")),
        ("int_literal", Some(r"a\u0000b")),
        ("int_name", Some("plain")),
        ("int_value", Some("a\u{fffd}b")),
    ];
    assert_eq!(told, expected.into());
    let client = line.db.client().await;
    let rows = client
        .query("SELECT raw FROM event_log", &[])
        .await
        .unwrap();
    let mut kept: Vec<Vec<u8>> = rows.iter().map(|row| row.get(0)).collect();
    let mut sent = events.map(String::into_bytes);
    kept.sort();
    sent.sort();
    assert_eq!(kept, sent);
}

/// One row of five hundred breaks a rule of the table.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_73_one_bad_row_costs_its_neighbours_nothing_and_its_message_comes_once() {
    let line = Line::new().await;
    let client = line.db.client().await;
    let sql = "ALTER TABLE event_log ADD CONSTRAINT broken CHECK (event_id <> 'e250')";
    client.batch_execute(sql).await.unwrap();
    let events: Vec<String> = (0..500).map(|n| event(&format!("e{n}"))).collect();
    line.broker.publish(raw(&events.join("\n"))).await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let counts = line.counts_of(500).await;
    assert_eq!((counts.logged, counts.quarantined), (499, 1));
    let batch = normalise
        .wait_line("the batch", PATIENCE, |found| {
            found["message"] == "normalised a batch"
        })
        .await;
    assert_eq!(
        (&batch["logged"], &batch["repeated"]),
        (&499.into(), &0.into())
    );
    // Acknowledged: a stop leaves nothing to be handed out again.
    assert!(normalise.term(PATIENCE).await.success());
    assert_eq!(normalise.stderr().matches("normalised a batch").count(), 1);
    assert_eq!(line.broker.depth(Queue::Raw).await, 0);
}

/// Fewer connections than may wait for one another are refused at the start; the fewest that are allowed suffice for a backlog.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_77_as_few_connections_as_are_allowed_get_through() {
    let line = Line::new().await;
    let pool = ("KPILINE_DATABASE_POOL_MAX", "2");
    let mut refused = line.start(&["normalise"], &[pool, ("KPILINE_NORMALISE_WORKERS", "4")]);
    assert!(!refused.wait(PATIENCE).await.success());
    assert!(refused.stderr().contains("--database-pool-max"));

    fill(&line, (0..1000).map(|n| format!("e{n}"))).await;
    let mut normalise = line.start(
        &["normalise"],
        &[
            pool,
            // Its lead is a connection of its own, beside the pool.
            ("KPILINE_WATCHDOG", "false"),
            ("KPILINE_NORMALISE_HISTORY_WORKERS", "0"),
            ("KPILINE_NORMALISE_PREFETCH", "50"),
            ("KPILINE_NORMALISE_BATCH_MESSAGES", "5"),
            // Its lead has a session of its own, beside the pool.
            ("KPILINE_WATCHDOG", "false"),
        ],
    );
    normalise.wait_ready().await;
    let counts = line.counts_of(1000).await;
    assert_eq!((counts.logged, counts.duplicates), (1000, 0));
    let sql = "SELECT count(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'kpiline ingest'";
    assert!((1..=2).contains(&line.number(sql).await));
    eventually(PATIENCE, "all is acknowledged", async || {
        line.broker.depth(Queue::Raw).await == 0
    })
    .await;
}

/// A newer release's migration runs beside the older process.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_80_columns_that_are_added_meanwhile_disturb_nobody() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    fill(&line, (0..10).map(|n| format!("before{n}"))).await;
    assert_eq!(line.counts_of(10).await.logged, 10);
    let client = line.db.client().await;
    for table in ["event_log", "raw_messages", "ingest_counts", "quarantine"] {
        let sql = format!("ALTER TABLE {table} ADD COLUMN newer integer");
        client.batch_execute(&sql).await.unwrap();
    }
    fill(&line, (0..10).map(|n| format!("after{n}"))).await;
    line.broker
        .publish(raw(&format!("{}\nno event", event("last"))))
        .await;
    let counts = line.counts_of(22).await;
    assert_eq!((counts.logged, counts.quarantined), (21, 1));
    assert!(!normalise.stderr().contains("trying again"));
}
