//! What is known of deliveries: requests, latency, failures.

use crate::world::{QUICK, World, faulty};
use double::config::{Config, Fault, Phase};
use std::time::Duration;
use testkit::{eventually, http};

const SOON: Duration = Duration::from_secs(30);

fn status(status: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status {
        status,
        retry_after,
        as_date: false,
        store: false,
    }
}

/// Each request that was sent is a row, with its answer; each row of it is in the log under its id.
#[tokio::test]
async fn each_request_is_noted_with_its_answer() {
    let config = faulty([
        Phase::requests(1, status(500, None)),
        Phase::requests(1, Fault::Reset { store: false }),
    ]);
    let mut world = World::genesys(config, QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 250, 0.0).await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    let pushes = world.pushes();
    let count = async |condition: &str| {
        let sql = format!("SELECT count(*) FROM metric_sync_requests WHERE {condition}");
        usize::try_from(world.query_count(&sql).await).unwrap()
    };
    assert_eq!(count("true").await, pushes.len());
    assert_eq!(
        count("status = 500 AND outcome = 'unknown' AND answer LIKE '%on purpose%'").await,
        1
    );
    assert_eq!(
        count("status IS NULL AND outcome = 'unknown' AND answer IS NULL").await,
        1
    );
    let answered = "status = 200 AND outcome = 'answered' AND duration_us > 0 AND attempt >= 1 AND correlation IS NOT NULL \
                    AND answer LIKE '%processedEntities%' AND length(answer) <= 2001";
    assert_eq!(count(answered).await, pushes.len() - 2);
    let rows: usize = pushes.iter().map(|push| push.rows).sum();
    let noted = world
        .query_count("SELECT sum(rows)::bigint FROM metric_sync_requests")
        .await;
    assert_eq!(usize::try_from(noted).unwrap(), rows);
    let strangers = "SELECT count(*) FROM metric_sync_requests r WHERE rows <> ( \
                         SELECT count(*) FROM metric_sync_log l WHERE l.request_id = r.request_id AND l.fate = 'sent')";
    assert_eq!(world.query_count(strangers).await, 0);
    drop(process);
}

/// A platform that names a time when it is out of service is left alone until then, by all.
#[tokio::test]
async fn a_wait_that_comes_with_a_failure_is_kept_by_all() {
    let mut world = World::genesys(faulty([Phase::requests(1, status(503, Some(2)))]), QUICK).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 2000, 0.0).await;
    let replicas = [world.deliver().await, world.deliver().await];
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    // A request before its time would be one.
    world.no_violations();
    let failed = world
        .pushes()
        .iter()
        .filter(|push| push.status == 503)
        .count();
    assert_eq!(failed, 1);
    drop(replicas);
}

/// From the change of a value to its acceptance, in the metrics and in `status`.
#[tokio::test]
async fn how_long_values_wait_is_measured() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 120, 0.0).await;
    let age = "UPDATE sync_queue SET queued_at = queued_at - interval '20 seconds'";
    world.db.client().await.batch_execute(age).await.unwrap();
    let mut process = world.deliver().await;
    let ops = process.wait_ready().await.ops_address();
    world.drained(SOON).await;
    let metric = async |series: &str| http::metric(ops, series).await.unwrap_or(0.0);
    let count = "kpiline_deliver_latency_seconds_count{target=\"main\"}";
    eventually(SOON, "all are measured", async || {
        (metric(count).await - 120.0).abs() < 0.5
    })
    .await;
    let early = "kpiline_deliver_latency_seconds_bucket{le=\"10.0\",target=\"main\"}";
    assert!(
        metric(early).await < 0.5,
        "none came earlier than it can have"
    );
    eventually(SOON, "status says so", async || {
        let answer = world.ask(&["status"]).await;
        let hour = &answer["targets"][0]["last_hour"];
        let p95 = hour["latency_p95_seconds"].as_f64();
        let is_there =
            hour["accepted"] == 120 && p95.is_some_and(|p95| (20.0..60.0).contains(&p95));
        if is_there {
            Ok(())
        } else {
            Err(answer.to_string())
        }
    })
    .await;
    let (code, text, _) = world.run(&["status", "--output", "text"]).await;
    assert_eq!(code, Some(0));
    assert!(
        text.starts_with("TARGET") && text.contains("main"),
        "{text}"
    );
    drop(process);
}

/// Too many failures are said by a gauge, in the store and in `status`, by themselves; and that it is over as well.
#[tokio::test]
async fn too_many_failures_are_told_and_that_they_are_over() {
    let config = faulty([Phase::requests(8, status(500, None))]);
    let mut world = World::genesys(config, &format!("batch_max = 20\n{QUICK}")).await;
    let settings = ["serve", "--deliver-failure-threshold", "0.5"];
    let mut process = world.spawn(&settings, world.db.url());
    let ops = process.wait_ready().await.ops_address();
    world.write_many(0, 20, 0.0).await;
    process
        .wait_line("the alarm", SOON, |line| {
            line["message"] == "too many deliveries fail"
        })
        .await;
    let failing = "kpiline_deliver_failing{target=\"main\"}";
    assert!(http::metric(ops, failing).await.unwrap() > 0.5);
    let answer = world.ask(&["status"]).await;
    let line = &answer["targets"][0];
    assert_eq!(line["state"], "failing", "{line}");
    let reason = line["failures"]["reason"].as_str().unwrap();
    assert!(reason.contains("HTTP 500"), "{reason}");
    world.drained(SOON).await;
    // Eight of more than forty requests failed then: less than half of what is too often.
    world.write_many(100, 700, 0.0).await;
    world.drained(SOON).await;
    process
        .wait_line("the end of it", SOON, |line| {
            line["message"] == "deliveries no longer fail too often"
        })
        .await;
    assert!(http::metric(ops, failing).await.unwrap() < 0.5);
}
