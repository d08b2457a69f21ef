//! A checkpoint that cannot be saved is said, stops what it is of, and makes nobody fetch the same again and again.

use crate::world::{LONG, World};
use serde_json::Value;
use std::collections::BTreeSet;
use store::chunks::State;
use store::jobs::{self, Lane};
use testkit::{eventually, http};

/// As a missing right refuses it: whatever else is in a row may be written, but not how far the work is.
fn forbid(table: &str) -> String {
    format!(
        "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'permission denied for column cursor' USING ERRCODE = '42501'; END $$; \
         CREATE TRIGGER forbid BEFORE UPDATE ON {table} FOR EACH ROW \
         WHEN (NEW.cursor IS DISTINCT FROM OLD.cursor) EXECUTE FUNCTION forbid()"
    )
}

async fn facts(world: &World) -> Vec<String> {
    let messages = world.events().await;
    let events = messages.iter().flat_map(|message| &message.events);
    let mut keys: Vec<String> = events
        .map(|event| event.fact.key.as_str().to_owned())
        .collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn pitfall_30_a_job_in_the_foreground_ends_with_an_error_each_time_its_checkpoint_cannot_be_saved()
 {
    let world = World::new().await;
    world.log_events(50, "acme").await;
    let database = world.db.client().await;
    database
        .batch_execute(&forbid("backfill_jobs"))
        .await
        .unwrap();
    let replay = [
        "replay",
        "--from",
        "2024-05-01T00:00:00Z",
        "--to",
        "2024-06-01T00:00:00Z",
        "--metric-version",
        "2",
        "--page-events",
        "20",
    ];
    let (status, _, stderr) = world.run(&replay).await;
    assert!(!status.success());
    assert!(
        stderr.contains("the checkpoint could not be saved")
            && stderr.contains("permission denied"),
        "{stderr}"
    );
    let first = facts(&world).await;
    assert_eq!(first.len(), 20, "it stopped at its first page");
    let job = world.jobs().await.remove(0);
    assert_eq!(job["state"], "paused");
    let why = job["paused_for"].as_str().unwrap();
    assert!(why.contains("the checkpoint could not be saved"), "{why}");

    // A schedule that runs it again fetches nothing again, until somebody says that it is mended.
    let id = job["job"].as_str().unwrap();
    let (status, _, stderr) = world.run(&["replay", "--resume", id]).await;
    assert!(!status.success());
    assert!(stderr.contains("is paused"), "{stderr}");
    assert_eq!(facts(&world).await, [] as [&str; 0]);
    let (status, _, stderr) = world.run(&["resume", id]).await;
    assert!(status.success(), "{stderr}");
    let resumed = ["replay", "--resume", id, "--page-events", "20"];
    let (status, _, stderr) = world.run(&resumed).await;
    assert!(!status.success());
    assert!(
        stderr.contains("the checkpoint could not be saved"),
        "{stderr}"
    );
    assert_eq!(facts(&world).await, first, "the same facts, and no others");

    database
        .batch_execute("DROP TRIGGER forbid ON backfill_jobs")
        .await
        .unwrap();
    for arguments in [&["resume", id][..], &resumed] {
        let (status, _, stderr) = world.run(arguments).await;
        assert!(status.success(), "{stderr}");
    }
    // What is read once more is stated as before.
    let all = facts(&world).await;
    let different: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (50, 50));
    assert!(first.iter().all(|key| different.contains(key)));
    assert_eq!(world.jobs().await[0]["state"], "done");
}

#[tokio::test]
async fn pitfall_30_a_job_of_workers_is_paused_when_its_checkpoint_cannot_be_saved_and_its_page_does_not_come_again()
 {
    let world = World::new().await;
    world.log_events(50, "acme").await;
    let database = world.db.client().await;
    database
        .batch_execute(&forbid("backfill_chunks"))
        .await
        .unwrap();
    let job = world.replay(Lane::History, &[(0, 100)]).await;
    let mut worker = world.paging("1");
    let ready = worker.wait_ready().await;
    let state = async || -> Value {
        let jobs = world.jobs().await;
        let found = jobs.iter().find(|found| found["job"] == job.to_string());
        found.unwrap().clone()
    };
    eventually(LONG, "the job is paused", async || {
        state().await["state"] == "paused"
    })
    .await;
    let why = state().await;
    let why = why["paused_for"].as_str().unwrap();
    assert!(
        why.contains("the checkpoint could not be saved") && why.contains("permission denied"),
        "{why}"
    );
    let chunk = world.chunks(job).await.remove(0);
    assert_eq!((chunk.lease_owner, chunk.pages), (None, 0));
    assert!(
        chunk.last_error.is_some(),
        "the chunk says why, like the job"
    );
    let series = "kpiline_backfill_checkpoint_failures_total{source=\"replay\",outcome=\"paused\"}";
    let failures = http::metric(ready.ops_address(), series).await.unwrap();
    assert!((failures - 1.0).abs() < 0.5, "{failures}");
    assert!(worker.is_running(), "what can be saved goes on");
    assert_eq!(facts(&world).await.len(), 1, "its page came once");

    database
        .batch_execute("DROP TRIGGER forbid ON backfill_chunks")
        .await
        .unwrap();
    let client = world.db.store().await.client().await.unwrap();
    assert!(jobs::resume(&client, job).await.unwrap());
    eventually(LONG, "everything is fetched", async || {
        world.chunks(job).await[0].state == State::Done
    })
    .await;
    let all = facts(&world).await;
    let different: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (50, 50));
    assert!(worker.term(LONG).await.success(), "{}", worker.stderr());
}

/// Where not even that can be written, nobody goes on as if all were well.
#[tokio::test]
async fn pitfall_30_a_worker_that_can_save_nothing_ends_with_an_error() {
    let world = World::new().await;
    world.log_events(5, "acme").await;
    let database = world.db.client().await;
    // It may take a chunk, and nothing else.
    let forbid = forbid("backfill_chunks").replace(
        "NEW.cursor IS DISTINCT FROM OLD.cursor",
        "NEW.lease_owner IS NULL OR NEW.pages > OLD.pages",
    );
    database.batch_execute(&forbid).await.unwrap();
    world.replay(Lane::History, &[(0, 100)]).await;
    let mut worker = world.paging("1");
    assert!(!worker.wait(LONG).await.success());
    assert!(
        worker.stderr().contains("could not be saved"),
        "{}",
        worker.stderr()
    );
}
