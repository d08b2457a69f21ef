//! Months that are old enough go, what is still needed stays and says why, and nobody waits for it.

use crate::line::{Line, PATIENCE, event, message};
use broker::Queue;
use schema::{DeliveryId, MessageId};
use serde_json::Value;
use std::time::{Duration, Instant};
use store::partitions::Partitions;
use testkit::{Proc, eventually};
use tokio_postgres::Client;

const TABLES: [&str; 4] = [
    "event_log",
    "computed_metrics",
    "window_metrics",
    "interval_states",
];
const AGES: [&str; 8] = [
    "--events",
    "400days",
    "--metrics",
    "400days",
    "--windows",
    "400days",
    "--intervals",
    "400days",
];

async fn retention(line: &Line, more: &[&str]) -> (Option<i32>, Value, String) {
    let arguments = [&["retention"][..], more].concat();
    let env = line.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let (status, out, err) = Proc::run("ingest", &arguments, &env, PATIENCE).await;
    let report = serde_json::from_str(&out).unwrap_or(Value::Null);
    (status.code(), report, err)
}

/// Two old months of every table, and the months around now.
async fn old_months(line: &Line) -> Client {
    let client = line.db.client().await;
    for table in TABLES {
        for month in ["2024-03-01", "2024-04-01"] {
            let sql = format!("SELECT ensure_month('{table}', '{month}')");
            client.batch_execute(&sql).await.unwrap();
        }
    }
    let store = line.db.store().await;
    Partitions::new(store).ensure_ahead(3).await.unwrap();
    client
}

/// The months that a report names, by table.
fn named(report: &Value, list: &str) -> Vec<String> {
    let list = report[list].as_array().unwrap();
    let mut named: Vec<String> = list
        .iter()
        .map(|it| {
            format!(
                "{} {}",
                it["table"].as_str().unwrap(),
                it["month"].as_str().unwrap()
            )
        })
        .collect();
    named.sort_unstable();
    named
}

fn every_table(months: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = TABLES
        .iter()
        .flat_map(|table| months.iter().map(move |month| format!("{table} {month}")))
        .collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn old_months_go_once_with_a_proof_and_young_ones_stay() {
    let line = Line::new().await;
    let client = old_months(&line).await;
    let parts = "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'r'";
    let before = line.number(parts).await;

    let (code, report, err) = retention(&line, &[&AGES[..], &["--dry-run"]].concat()).await;
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(
        named(&report, "dropped"),
        every_table(&["2024-03", "2024-04"])
    );
    assert_eq!(
        line.number(parts).await,
        before,
        "a dry run changes nothing"
    );

    let (code, report, err) = retention(&line, &AGES).await;
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(report["dry_run"], false);
    assert_eq!(
        named(&report, "dropped"),
        every_table(&["2024-03", "2024-04"])
    );
    assert!(named(&report, "kept").is_empty(), "{report}");
    assert_eq!(line.number(parts).await, before - 8);
    let proof = "SELECT count(*) FROM retention_log WHERE from_at IN ('2024-03-01 00:00:00+00', '2024-04-01 00:00:00+00') \
                 AND to_at = from_at + interval '1 month' AND part = parent || to_char(from_at AT TIME ZONE 'UTC', '\"_y\"YYYY\"m\"MM') \
                 AND dropped_by = session_user";
    assert_eq!(line.number(proof).await, 8);

    let (code, report, err) = retention(&line, &AGES).await;
    assert_eq!(code, Some(0), "{err}");
    assert!(
        named(&report, "dropped").is_empty(),
        "once more finds nothing: {report}"
    );

    // Of ages nobody asked for nothing goes, and what is asked for has a least.
    let (code, _, err) = retention(&line, &["--events", "20days"]).await;
    assert!(
        code != Some(0) && err.contains("--events: allowed are 35 days"),
        "{err}"
    );
    let floor = client
        .batch_execute("SELECT drop_month('event_log', 'event_log' || to_char(now() AT TIME ZONE 'UTC', '\"_y\"YYYY\"m\"MM'))")
        .await
        .unwrap_err();
    assert!(
        format!("{floor:?}").contains("less than 31 days ago"),
        "{floor:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_needed_stays_and_says_why() {
    let line = Line::new().await;
    let client = old_months(&line).await;
    // Everything below is about March; April goes.
    client
        .batch_execute(
            "INSERT INTO interactions (tenant, interaction_id, partition_at, status, state, facts, settled_at, updated_at) VALUES \
                 ('acme', 'open', '2024-03-09', 'open', '{}', 1, NULL, '2024-03-30'), \
                 ('acme', 'given_up', '2024-04-09', 'open', '{}', 1, now(), now()), \
                 ('acme', 'owed', '2024-03-10', 'terminal', '{}', 1, now(), '2024-03-30'), \
                 ('acme', 'asked', '2024-03-11', 'terminal', '{}', 1, now(), '2024-03-30'); \
             INSERT INTO deferred_evaluations (tenant, interaction_id, definitions, revision, from_at) VALUES ('acme', 'owed', '{1}', 1, now()); \
             INSERT INTO history_requests (tenant, interaction_id, reason) VALUES ('acme', 'asked', 'incomplete'); \
             INSERT INTO backfill_jobs (job_id, kind, metric_version, state, from_at, to_at) VALUES \
                 (gen_random_uuid(), 'replay', 2, 'paused', '2024-02-01', '2024-03-20'), \
                 (gen_random_uuid(), 'replay', 2, 'done', '2024-02-01', '2024-05-20'); \
             INSERT INTO sync_queue (target, tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, revision, state) VALUES \
                 ('t', 'acme', 'owed', 'aht', 1, '', '2024-03-10', 1, 'pending'), ('t', 'acme', 'x', 'aht', 1, '', '2024-04-10', 1, 'rejected'); \
             INSERT INTO dirty_marks (kind, tenant, subject, from_at, to_at) VALUES \
                 ('cell', 'acme', '', '2024-03-12', '2024-03-12'), ('agent', 'acme', 'a', '2024-03-12', '2024-03-13'); \
             INSERT INTO feeds (feed, tenant, size, zone, layout, planned_until) VALUES ('f', 'acme', '60m', 'UTC', 1, now()); \
             INSERT INTO feed_intervals (feed, interval_start, interval_end) VALUES ('f', '2024-03-14 10:00+00', '2024-03-14 11:00+00')",
        )
        .await
        .unwrap();
    let (code, report, err) = retention(&line, &[&AGES[..], &["--fail-on-kept"]].concat()).await;
    assert_eq!(code, Some(3), "{err}");
    assert_eq!(named(&report, "dropped"), every_table(&["2024-04"]));
    assert_eq!(named(&report, "kept"), every_table(&["2024-03"]));
    let why = |table: &str| {
        let kept = report["kept"].as_array().unwrap();
        let kept = kept.iter().find(|it| it["table"] == table).unwrap();
        let mut words: Vec<&str> = kept["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["reason"].as_str().unwrap())
            .collect();
        words.dedup();
        words.join(" ")
    };
    assert_eq!(why("event_log"), "deferred history_request job unsettled");
    assert_eq!(
        why("computed_metrics"),
        "deferred history_request job unsent unsettled"
    );
    assert_eq!(why("window_metrics"), "job marks unsent");
    assert_eq!(why("interval_states"), "job marks");
    let text = report.to_string();
    assert!(
        text.contains("such as open") && text.contains("to be pushed to t"),
        "{text}"
    );
    // Whoever calls the function itself gets no further.
    let refused = client
        .batch_execute("SELECT drop_month('event_log', 'event_log_y2024m03')")
        .await
        .unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "55006", "{refused:?}");

    // Once all of it is done the month goes.
    client
        .batch_execute(
            "UPDATE interactions SET settled_at = now(); DELETE FROM deferred_evaluations; DELETE FROM history_requests; \
             UPDATE backfill_jobs SET state = 'cancelled'; DELETE FROM sync_queue; DELETE FROM dirty_marks; UPDATE feed_intervals SET state = 'sent'",
        )
        .await
        .unwrap();
    let (code, report, err) = retention(&line, &AGES).await;
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(named(&report, "dropped"), every_table(&["2024-03"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_interaction_that_began_a_month_earlier_stay_with_it() {
    let line = Line::new().await;
    let client = old_months(&line).await;
    client
        .batch_execute(
            "INSERT INTO interactions (tenant, interaction_id, partition_at, status, state, facts, updated_at) \
             VALUES ('acme', 'long', '2024-03-31', 'open', '{}', 1, '2024-04-01 00:10+00')",
        )
        .await
        .unwrap();
    let (code, report, err) = retention(&line, &AGES).await;
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(
        named(&report, "kept"),
        [
            "computed_metrics 2024-03",
            "event_log 2024-03",
            "event_log 2024-04"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_written_while_a_month_is_about_to_go_keeps_it() {
    let line = Line::new().await;
    let client = old_months(&line).await;
    // A late fact: the interaction is open again, and its value waits to be pushed; nothing of it is committed yet.
    let mut writer = line.db.client().await;
    let writing = writer.transaction().await.unwrap();
    writing
        .batch_execute(
            "INSERT INTO computed_metrics (tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, timestamp_utc, metric_value) \
             VALUES ('acme', 'late', 'aht', 1, '', '2024-03-09', '2024-03-09', 1); \
             INSERT INTO sync_queue (target, tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, revision, state) \
             VALUES ('t', 'acme', 'late', 'aht', 1, '', '2024-03-09', 1, 'pending')",
        )
        .await
        .unwrap();
    let mut dropping = tokio::spawn(async move {
        client
            .batch_execute("SELECT drop_month('computed_metrics', 'computed_metrics_y2024m03')")
            .await
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
                 AND query LIKE 'SELECT drop_month%'";
    eventually(
        PATIENCE,
        "the month waits for whoever writes to it",
        async || line.number(waits).await == 1,
    )
    .await;
    assert!(!dropping.is_finished());
    writing.commit().await.unwrap();
    let refused = (&mut dropping).await.unwrap().unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "55006", "{refused:?}");
    assert_eq!(
        line.number("SELECT count(*) FROM computed_metrics_y2024m03")
            .await,
        1
    );
}

/// A receiver knows a value by its key and revision: after a month went, values of it that come late are not to be taken for old ones.
#[tokio::test(flavor = "multi_thread")]
async fn revisions_of_values_that_went_are_not_used_again() {
    let line = Line::new().await;
    let client = old_months(&line).await;
    let insert = "INSERT INTO computed_metrics (tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, timestamp_utc, metric_value) \
                  VALUES ('acme', 'late', 'aht', 1, '', '2024-03-09', '2024-03-09', 1) RETURNING revision";
    let before: i64 = client.query_one(insert, &[]).await.unwrap().get(0);
    client
        .batch_execute("UPDATE computed_metrics SET revision = revision + 1000")
        .await
        .unwrap();
    let (code, report, err) = retention(&line, &["--metrics", "400days"]).await;
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(
        named(&report, "dropped"),
        ["computed_metrics 2024-03", "computed_metrics 2024-04"]
    );
    client
        .batch_execute("SELECT ensure_month('computed_metrics', '2024-03-01')")
        .await
        .unwrap();
    let after: i64 = client.query_one(insert, &[]).await.unwrap().get(0);
    assert!(after > before + 1_000, "{before} {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_query_is_not_waited_for_and_writers_do_not_wait_behind() {
    let line = Line::new().await;
    old_months(&line).await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let mut reader = line.db.client().await;
    let reading = reader.transaction().await.unwrap();
    reading
        .batch_execute("SELECT count(*) FROM event_log")
        .await
        .unwrap();
    let ages = [
        "--events",
        "400days",
        "--lock-timeout",
        "100ms",
        "--wait",
        "3s",
    ];
    let trying = retention(&line, &ages);
    let sending = async {
        let mut slowest = Duration::ZERO;
        for number in 0..30 {
            let began = Instant::now();
            let sent = message(
                MessageId::generate(),
                DeliveryId::generate(),
                &event(&format!("beside{number}")),
            );
            line.publish(Queue::Raw, &sent).await;
            line.counts_of(number + 1).await;
            slowest = slowest.max(began.elapsed());
        }
        slowest
    };
    let ((code, report, err), slowest) = tokio::join!(trying, sending);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(named(&report, "dropped"), Vec::<String>::new());
    assert_eq!(
        report["kept"][0]["reasons"][0]["reason"], "busy",
        "{report}"
    );
    // Two months were tried for three seconds each; one event waited for one try at most.
    assert!(slowest < Duration::from_millis(1_500), "{slowest:?}");
    reading.rollback().await.unwrap();

    // When the query is over the months go, and an event of such a month that comes later is logged all the same.
    let (code, report, err) = retention(&line, &ages).await;
    assert_eq!(code, Some(0), "{err}");
    let all = [
        "event_log 2024-03",
        "event_log 2024-04",
        "event_log 2024-11",
    ];
    assert_eq!(named(&report, "dropped"), all);
    let late = event("late").replace("2024-11-02", "2024-03-15");
    let sent = message(MessageId::generate(), DeliveryId::generate(), &late);
    line.publish(Queue::Raw, &sent).await;
    assert_eq!(line.counts_of(31).await.logged, 31);
    assert_eq!(
        line.number("SELECT count(*) FROM event_log_y2024m03").await,
        1
    );
    let (_, report, _) = retention(&line, &ages).await;
    assert_eq!(
        named(&report, "dropped"),
        ["event_log 2024-03"],
        "and goes with the next run"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_the_sync_log_go_by_their_age() {
    let line = Line::new().await;
    let client = line.db.client().await;
    client
        .batch_execute(
            "INSERT INTO metric_sync_log (logged_at, target, tenant, interaction_id, metric_type, metric_version, leg_scope, revision, attempt, \
                                          fate, request_id, idempotency_key) \
             SELECT now() - n * interval '10 days', 't', 'acme', 'i', 'aht', 1, '', 1, 1, 'accepted', gen_random_uuid(), 'k' \
             FROM generate_series(0, 9) n; \
             INSERT INTO metric_sync_requests (request_id, target, sent_at, duration_us, attempt, rows, bytes, outcome) \
             SELECT gen_random_uuid(), 't', now() - n * interval '10 days', 1, 1, 1, 1, 'accepted' FROM generate_series(0, 9) n",
        )
        .await
        .unwrap();
    let (code, report, err) = retention(&line, &["--sync-log", "45days"]).await;
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(report["sync_log"]["entries"], 5);
    assert_eq!(report["sync_log"]["requests"], 5);
    assert_eq!(line.number("SELECT count(*) FROM metric_sync_log").await, 5);
    assert_eq!(
        line.number("SELECT sum(rows)::bigint FROM retention_log WHERE parent LIKE 'metric_sync_%' AND part = ''").await,
        10
    );
}

/// What the CronJob's role may do, and that it reads nothing.
#[tokio::test]
async fn its_role_may_drop_months_and_read_no_content() {
    let line = Line::new().await;
    let client = line.db.client().await;
    let prefix = format!("kpiline_months_{}", std::process::id());
    let role = format!("{prefix}_retention");
    client
        .batch_execute(&format!("CREATE ROLE {role}"))
        .await
        .unwrap();
    client
        .execute("SELECT kpiline_grant($1)", &[&prefix])
        .await
        .unwrap();
    let sql = "SELECT has_function_privilege($1, 'drop_month(text,text)', 'EXECUTE'), has_table_privilege($1, 'event_log', 'SELECT'), \
               has_table_privilege($1, 'computed_metrics', 'SELECT'), has_column_privilege($1, 'metric_sync_log', 'message', 'SELECT')";
    let row = client.query_one(sql, &[&role]).await.unwrap();
    let found = [0, 1, 2, 3].map(|at| row.get::<_, bool>(at));
    client
        .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await
        .unwrap();
    assert_eq!(found, [true, false, false, false]);
}
