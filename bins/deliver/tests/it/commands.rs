//! The other subcommands.

use crate::world::{QUICK, World, interaction};
use double::Config;
use std::time::Duration;
use testkit::Proc;

#[tokio::test]
async fn status_says_what_waits() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 7, 0.0).await;
    let (code, stdout, stderr) = world.run(&["status"]).await;
    assert_eq!(code, Some(0), "{stderr}");
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let line = &answer["targets"][0];
    assert_eq!(
        (
            line["target"].as_str(),
            line["tenant"].as_str(),
            line["pending"].as_i64()
        ),
        (Some("main"), Some("acme"), Some(7))
    );
    assert!(
        line["oldest"].is_string() && line["oldest_age_seconds"].is_i64(),
        "{line}"
    );
}

#[tokio::test]
async fn check_lists_every_problem_and_starts_nothing() {
    let world = World::genesys(Config::default(), "colour = \"green\"\nbatch_max = 1000").await;
    let (code, stdout, stderr) = world.run(&["check"]).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.contains("targets.toml:9: unknown setting `colour`"),
        "{stderr}"
    );
    assert!(
        stderr.contains("targets.toml:10: `batch_max` is 1000; allowed are 1 to 100"),
        "{stderr}"
    );
    assert!(world.double.requests().is_empty());
}

#[tokio::test]
async fn check_accepts_a_good_file() {
    let world = World::cxone(Config::default(), QUICK).await;
    let (code, stdout, stderr) = world.run(&["check"]).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("ok: 1 target(s)"), "{stdout}");
}

#[tokio::test]
async fn check_names_a_missing_tenant() {
    let world = World::genesys(Config::default(), QUICK).await;
    world.edit_targets("tenant = \"acme\"\n", "");
    let (code, _, stderr) = world.run(&["check"]).await;
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("targets.toml:2: `tenant` is missing"),
        "{stderr}"
    );
}

/// Rows may wait under the name: they are the first organisation's.
#[tokio::test]
async fn a_target_cannot_be_handed_to_another_organisation() {
    let world = World::genesys(Config::default(), QUICK).await;
    world.deliver().await.kill9();
    world.edit_targets("tenant = \"acme\"", "tenant = \"globex\"");
    let (code, _, stderr) = world.run(&["serve"]).await;
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("target main belongs to tenant acme"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_resync_of_an_unknown_target_names_the_known_ones() {
    let world = World::genesys(Config::default(), QUICK).await;
    world.deliver().await.kill9();
    let (code, _, stderr) = world.run(&["resync", "--target", "elsewhere"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("registered are: main"), "{stderr}");
}

/// The operator mended on the platform's side what it refused rows for.
#[tokio::test]
async fn refused_rows_that_are_retried_are_pushed_again() {
    let config = Config {
        poison: vec![interaction(1)],
        ..Config::default()
    };
    let mut world = World::genesys(config, QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 3, 0.0).await;
    world.drained(Duration::from_secs(20)).await;
    assert_eq!(world.counts().await.rejected, 1);

    let (code, _, stderr) = world.run(&["retry", "--target", "elsewhere"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("registered are: main"), "{stderr}");
    world.double.set_poison(vec![]);
    let (code, stdout, stderr) = world.run(&["retry", "--target", "main"]).await;
    assert_eq!(code, Some(0), "{stderr}");
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(answer, serde_json::json!({"target": "main", "retried": 1}));
    world.drained(Duration::from_secs(20)).await;
    world.platform_has_everything_but(&[]);
    assert_eq!(world.counts().await.rejected, 0);
    drop(process);
}

#[tokio::test]
async fn the_log_is_kept_for_so_long_and_no_longer() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    let mut process = world.deliver().await;
    world.write_many(0, 50, 0.0).await;
    world.drained(Duration::from_secs(20)).await;
    process.kill9();
    let age = "UPDATE metric_sync_log SET logged_at = logged_at - interval '3 days' WHERE interaction_id < 'int_00040'";
    world.db.client().await.batch_execute(age).await.unwrap();
    let process = world.spawn(&["--deliver-log-retention", "2d"], world.db.url());
    let entries = "SELECT count(*) FROM metric_sync_log";
    testkit::eventually(
        Duration::from_secs(20),
        "old entries are removed",
        async || world.query_count(entries).await == 20,
    )
    .await;
    let young = "SELECT count(*) FROM metric_sync_log WHERE interaction_id >= 'int_00040'";
    assert_eq!(world.query_count(young).await, 20);
    drop(process);
}

#[tokio::test]
async fn the_help_teaches() {
    let within = Duration::from_secs(10);
    let (status, stdout, _) = Proc::run("deliver", &["--help"], &[], within).await;
    assert!(status.success());
    for words in [
        "resync",
        "retry",
        "reconcile",
        "breaker",
        "KPILINE_TARGETS",
        "idempotency key",
        "--deliver-poll",
    ] {
        assert!(stdout.contains(words), "{words} in {stdout}");
    }
}

#[tokio::test]
async fn it_waits_for_a_schema_and_is_not_ready_before() {
    let db = testkit::TestDb::empty().await;
    let world = World::genesys(Config::default(), QUICK).await;
    let mut process = world.spawn(&[], db.url());
    process
        .wait_line("the schema is missing", Duration::from_secs(10), |line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.contains("schema") || text.contains("database"))
        })
        .await;
    let (status, _, stderr) = Proc::run(
        "deliver",
        &["migrate"],
        &[("KPILINE_DATABASE_URL", db.url())],
        Duration::from_secs(60),
    )
    .await;
    assert!(status.success(), "{stderr}");
    process.wait_ready().await;
    assert!(process.term(Duration::from_secs(10)).await.success());
}

#[tokio::test]
async fn what_was_pushed_is_counted() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    let mut process = world.deliver().await;
    let ops = process.wait_ready().await.ops_address();
    assert_eq!(testkit::http::get(ops, "/readyz").await.unwrap().0, 200);
    world.write_many(0, 150, 0.0).await;
    world.drained(Duration::from_secs(10)).await;
    let metric = async |series: &str| testkit::http::metric(ops, series).await.unwrap();
    testkit::eventually(Duration::from_secs(5), "150 rows are counted", async || {
        let accepted = metric("kpiline_deliver_rows_total{fate=\"accepted\"}").await;
        (accepted - 150.0).abs() < 0.5
    })
    .await;
    let requests = "kpiline_deliver_requests_total{target=\"main\",outcome=\"answered\"}";
    assert!(metric(requests).await >= 2.0);
}
