//! What somebody has to see to is in `/metrics` of a deliver that runs.

use crate::world::{QUICK, World};
use double::Config;
use std::time::Duration;
use testkit::eventually;
use testkit::http::metric;

#[tokio::test]
async fn what_waits_and_what_runs_out_is_shown() {
    let world = World::genesys(Config::default(), QUICK).await;
    world
        .db
        .client()
        .await
        .batch_execute(
            "INSERT INTO backfill_jobs (job_id, kind, metric_version, state) \
             VALUES ('00000000-0000-7000-8000-000000000001', 'replay', 1, 'paused')",
        )
        .await
        .unwrap();
    let mut process = world.spawn(&[], world.db.url());
    let address = process.wait_ready().await.ops_address();
    let at_least = async |series: &str, least: f64| {
        let what = format!("{series} is at least {least}");
        eventually(Duration::from_secs(20), &what, async || {
            metric(address, series)
                .await
                .is_ok_and(|value| value >= least)
        })
        .await;
    };
    at_least("kpiline_months_ahead{table=\"event_log\"}", 3.0).await;
    at_least("kpiline_months_kept{table=\"computed_metrics\"}", 1.0).await;
    at_least("kpiline_database_bytes", 1e6).await;
    at_least("kpiline_database_connections", 1.0).await;
    at_least(
        "kpiline_health{measure=\"backfill_paused\",scope=\"replay\"}",
        1.0,
    )
    .await;
    at_least("process_resident_memory_bytes", 1e6).await;
    at_least("kpiline_looked_at_seconds{of=\"store\"}", 1e9).await;
    at_least("kpiline_looked_at_seconds{of=\"queues\"}", 1e9).await;
    let (_, text) = testkit::http::get(address, "/metrics").await.unwrap();
    // Shown from the start, so that what is seen later is a rise.
    for series in [
        "kpiline_health{measure=\"quarantine_held\",scope=\"\"} 0",
        "kpiline_deliver_requests_total{target=\"main\",outcome=\"unauthorised\"} 0",
    ] {
        assert!(text.lines().any(|line| line == series), "{series}\n{text}");
    }
    for queue in ["raw", "events.terminal", "backfill.jobs"] {
        let series = format!("kpiline_queue_messages{{queue=\"{queue}\"}} 0");
        assert!(text.lines().any(|line| line == series), "{series}\n{text}");
    }
}
