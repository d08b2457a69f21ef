//! What operators do: skip, resync, reconcile, and the breakers.

use crate::world::{QUICK, World, interaction};
use double::Config;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::eventually;

const SOON: Duration = Duration::from_secs(20);

/// A world in which one row was refused, and the other rows are there.
async fn one_refused() -> (World, testkit::Proc) {
    let config = Config {
        poison: vec![interaction(1)],
        ..Config::default()
    };
    let mut world = World::genesys(config, QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 10, 0.0).await;
    world.drained(SOON).await;
    assert_eq!(world.counts().await.rejected, 1);
    (world, process)
}

async fn reconcile(world: &World, code: i32) -> Value {
    let from = "2026-11-01T00:00:00Z";
    let arguments = [
        "reconcile",
        "--target",
        "main",
        "--from",
        from,
        "--to",
        "2026-12-01T00:00:00Z",
    ];
    let (ended, stdout, stderr) = world.run(&arguments).await;
    assert_eq!(ended, Some(code), "{stdout} {stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// Given up with a reason: gone from the queue, in the log, and named by reconcile; a new value goes again.
#[tokio::test]
async fn a_refused_row_is_given_up_for_a_reason() {
    let (mut world, process) = one_refused().await;
    let (code, _, stderr) = world
        .run(&["skip", "--target", "main", "--reason", " "])
        .await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("--reason: is empty"), "{stderr}");
    let skip = [
        "skip",
        "--target",
        "main",
        "--reason",
        "not worth it",
        "--dry-run",
    ];
    assert_eq!(
        world.ask(&skip).await,
        json!({"target": "main", "found": 1})
    );
    assert_eq!(
        world.ask(&skip[..5]).await,
        json!({"target": "main", "skipped": 1})
    );
    assert_eq!(world.counts().await.rejected, 0);
    let found = reconcile(&world, 1).await;
    assert_eq!(found["by_reason"], json!({"skipped": 1}));
    assert_eq!(found["differences"][0]["words"], "not worth it");

    world.double.set_poison(vec![]);
    world.write_many(1, 1, 3.0).await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    drop(process);
}

/// What differs is printed, for people and for programs, and said by the exit code.
#[tokio::test]
async fn reconcile_says_what_differs_and_why() {
    let (mut world, mut process) = one_refused().await;
    let found = reconcile(&world, 1).await;
    assert_eq!(
        (&found["compared"], &found["differing"]),
        (&json!(10), &json!(1))
    );
    let difference = &found["differences"][0];
    assert_eq!(difference["interaction"], json!(interaction(1)));
    assert_eq!(difference["reason"], "rejected");
    assert!(
        difference["words"]
            .as_str()
            .unwrap()
            .contains("could not be understood")
    );

    world.double.set_poison(vec![]);
    world
        .ask(&[
            "retry",
            "--target",
            "main",
            "--interaction",
            &interaction(1),
        ])
        .await;
    world.drained(SOON).await;
    assert_eq!(reconcile(&world, 0).await["differing"], 0);

    // What nobody pushes any more, and what nobody knows of.
    process.kill9();
    world.write_many(2, 1, 5.0).await;
    let lost = format!(
        "DELETE FROM metric_sync_log WHERE interaction_id = '{}'",
        interaction(3)
    );
    world.db.client().await.batch_execute(&lost).await.unwrap();
    let found = reconcile(&world, 1).await;
    assert_eq!(found["by_reason"], json!({"missing": 1, "waiting": 1}));
    let text = [
        "reconcile",
        "--target",
        "main",
        "--from",
        "2026-11-01T00:00:00Z",
        "--to",
        "2026-12-01T00:00:00Z",
        "--output",
        "text",
    ];
    let (code, stdout, _) = world.run(&text).await;
    assert_eq!(code, Some(1));
    assert!(stdout.starts_with("INTERACTION"), "{stdout}");
    assert!(
        stdout.ends_with("main: 2 of 10 values differ, by our log, 1 missing, 1 waiting"),
        "{stdout}"
    );
}

/// Of a metric, of an interaction, of a stretch; and what it would be.
#[tokio::test]
async fn a_resync_queues_what_is_meant() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    let mut process = world.deliver().await;
    world.write_many(0, 10, 0.0).await;
    world.write("talk_time", [("int_00000", Some(2.5))]).await;
    world.drained(SOON).await;
    process.kill9();
    let resync = async |rest: &[&str]| {
        let mut arguments = vec!["resync", "--target", "main"];
        arguments.extend(rest);
        world.ask(&arguments).await
    };
    let dry = resync(&["--dry-run"]).await;
    assert_eq!(dry, json!({"target": "main", "found": 11}));
    assert_eq!(world.waiting().await, 0);
    assert_eq!(resync(&["--metric", "talk_time"]).await["queued"], 1);
    assert_eq!(resync(&["--interaction", "int_00000"]).await["queued"], 2);
    assert_eq!(resync(&["--to", "2026-11-01T00:00:00Z"]).await["queued"], 0);
    assert_eq!(
        resync(&["--from", "2026-11-01T00:00:00Z"]).await["queued"],
        11
    );
    assert_eq!(
        world.counts().await.history,
        11,
        "behind what happens now, but for its share"
    );
    let process = world.deliver().await;
    world.drained(SOON).await;
    for cell in world.double.table().values() {
        assert_eq!(cell.stored, 2, "{cell:?}");
    }
    drop(process);
}

/// An operator who knows that a platform is not to be asked opens its breaker, by the target's name.
#[tokio::test]
async fn a_breaker_is_opened_and_closed_by_hand() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    let mut process = world.deliver().await;
    let ops = process.wait_ready().await.ops_address();
    eventually(SOON, "the target is known", async || {
        world.query_count("SELECT count(*) FROM sync_health").await == 1
    })
    .await;
    let (code, _, stderr) = world.run(&["breaker", "open", "elsewhere"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("breakers are: double-client@"), "{stderr}");
    let open = [
        "breaker",
        "open",
        "main",
        "--reason",
        "maintenance",
        "--for",
        "10m",
    ];
    let answer = world.ask(&open).await;
    assert_eq!(
        (&answer["state"], &answer["reason"]),
        (&json!("open"), &json!("maintenance"))
    );
    world.write_many(0, 50, 0.0).await;
    world.wake().await;
    process
        .wait_line("it is seen", SOON, |line| {
            line["message"] == "the breaker is open: the platform is in trouble"
        })
        .await;
    let gauge = "kpiline_deliver_breaker{target=\"main\",state=\"open\"}";
    assert!(testkit::http::metric(ops, gauge).await.unwrap() > 0.5);
    let line = &world.ask(&["status"]).await["targets"][0];
    assert_eq!(line["state"], "breaker_open", "{line}");
    eventually(SOON, "the rows are given back", async || {
        world.counts().await.pending == 50
    })
    .await;
    assert_eq!(world.pushes().len(), 0);

    let listed = world.ask(&["breaker", "list"]).await;
    let name = listed["breakers"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(
        world.ask(&["breaker", "close", &name]).await["state"],
        "closed"
    );
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    assert_eq!(world.ask(&["breaker", "reset", "main"]).await["reason"], "");
    let (_, text, _) = world.run(&["breaker", "list", "--output", "text"]).await;
    assert!(
        text.starts_with("BREAKER") && text.contains(&name),
        "{text}"
    );
    drop(process);
}
