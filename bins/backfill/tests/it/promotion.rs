//! A replay in the foreground that is told what becomes of its version does what follows from a job of workers.

use crate::world::{LONG, World};
use broker::Queue;
use serde_json::Value;
use store::definitions::{self, Status};
use testkit::{Proc, eventually};

/// Nothing is counted as computed before the history lane was empty for a while.
const SETTLED: std::time::Duration = LONG.saturating_mul(2);

fn replay(world: &World, promote: &str) -> Proc {
    world.spawn(&[
        "replay",
        "--from",
        "2024-05-01T00:00:00Z",
        "--to",
        "2024-06-01T00:00:00Z",
        "--metric-version",
        "2",
        "--promote",
        promote,
        "--lease",
        "1s",
        "--output",
        "json",
    ])
}

/// Waits until everything is published, and takes it as compute would. Gives the job.
async fn taken(world: &World, process: &mut Proc) -> String {
    let line = process
        .wait_line("everything is published", LONG, |line| {
            line["message"] == "everything is published; waiting until it is computed"
        })
        .await;
    world.drain(Queue::EventsHistory).await;
    line["job"].as_str().unwrap().to_owned()
}

async fn status(world: &World) -> Status {
    let client = world.db.store().await.client().await.unwrap();
    let all = definitions::list(&client).await.unwrap();
    let mut found = all.iter();
    let found = found.find(|row| row.name == "talk_time" && row.version.0 == 2);
    found.unwrap().status
}

#[tokio::test]
async fn a_replay_in_the_foreground_promotes_its_version_when_it_is_told_to() {
    let world = World::new().await;
    world.log_events(20, "acme").await;
    let mut process = replay(&world, "auto");
    let job = taken(&world, &mut process).await;
    let shown = world.jobs().await.remove(0);
    assert_eq!(
        (&shown["job"], &shown["state"], &shown["promote"]),
        (&Value::from(job), &"settling".into(), &"auto".into())
    );
    assert_eq!(status(&world).await, Status::Candidate, "nothing in haste");
    let ended = process.wait(SETTLED).await;
    assert!(ended.success(), "{}", process.stderr());

    let summary: Value = serde_json::from_str(&process.stdout()).unwrap();
    assert_eq!(
        (&summary["events"], &summary["state"]),
        (&20.into(), &"done".into())
    );
    assert_eq!(summary["gaps"], serde_json::json!([]));
    let outcome = &summary["promote"]["outcomes"]["talk_time"]["outcome"];
    assert_eq!(outcome, "promoted", "{summary}");
    assert_eq!(status(&world).await, Status::Current);
    let shown = world.jobs().await.remove(0);
    assert_eq!(shown["state"], "done");
    // Its report has what was replayed, and the comparison.
    assert_eq!(shown["report"]["replay"]["read"], 20);
    assert_eq!(shown["report"]["records"], 20);
    assert_eq!(shown["report"]["comparison"][0]["kpi"], "talk_time");
    // Dashboards are told that it is computed, and that it is promoted.
    let told: Vec<Value> = world
        .drain(Queue::BackfillNotices)
        .await
        .iter()
        .map(|body| serde_json::from_slice(body).unwrap())
        .collect();
    let events: Vec<_> = told.iter().map(|notice| &notice["event"]).collect();
    assert_eq!(events, ["computed", "promoted"]);
}

#[tokio::test]
async fn a_replay_that_was_killed_while_it_settled_goes_on_settling() {
    let world = World::new().await;
    world.log_events(20, "acme").await;
    let mut process = replay(&world, "offer");
    let job = taken(&world, &mut process).await;
    process.kill9();
    let resume = ["replay", "--resume", &job, "--output", "json"];
    let mut process = world.spawn(&resume);
    let ended = process.wait(SETTLED).await;
    assert!(ended.success(), "{}", process.stderr());
    let summary: Value = serde_json::from_str(&process.stdout()).unwrap();
    assert_eq!(
        summary["promote"]["commands"],
        serde_json::json!(["compute kpi promote talk_time@2"])
    );
    assert_eq!(status(&world).await, Status::Candidate);
    assert_eq!(
        world.drain(Queue::EventsHistory).await.len(),
        0,
        "nothing was published again"
    );
    let jobs = world.jobs().await;
    assert_eq!(jobs[0]["state"], "done");
    // And when it has ended there is nothing to go on with.
    let (again, _, stderr) = world.run(&resume).await;
    assert!(!again.success());
    assert!(stderr.contains("is done"), "{stderr}");
}

#[tokio::test]
async fn a_replay_that_was_cancelled_while_it_settled_promotes_nothing() {
    let world = World::new().await;
    world.log_events(20, "acme").await;
    let mut process = replay(&world, "auto");
    let job = taken(&world, &mut process).await;
    let (cancelled, _, stderr) = world.run(&["cancel", &job]).await;
    assert!(cancelled.success(), "{stderr}");
    assert_eq!(process.wait(SETTLED).await.code(), Some(5));
    assert_eq!(status(&world).await, Status::Candidate);
    eventually(LONG, "nothing is told", async || {
        world.broker.depth(Queue::BackfillNotices).await == 0
    })
    .await;
}
