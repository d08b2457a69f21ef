//! Which values are pushed, and which are not.

use crate::world::{QUICK, World, faulty, interaction, key};
use double::config::{Config, Fault, Phase};
use double::{Double, Key};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// What did not change is not pushed.
#[tokio::test]
async fn unchanged_values_cause_no_push() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 120, 0.0).await;
    world.drained(SOON).await;
    let before = world.pushes().len();
    let again = world.write_many(0, 120, 0.0).await;
    assert_eq!((again.written, again.queued), (0, 0));
    world.wake().await;
    // One that did change, to know that the loop has been round.
    world.write_many(500, 1, 0.0).await;
    world.drained(SOON).await;
    assert_eq!(world.pushes().len(), before + 1);
    world.platform_has_everything_but(&[]);
    drop(process);
}

/// A value that was superseded while it waited is never sent.
#[tokio::test]
async fn a_superseded_value_is_not_sent() {
    let later = Fault::Status {
        status: 429,
        retry_after: Some(1),
        as_date: false,
        store: false,
    };
    let mut world = World::genesys(faulty([Phase::requests(1, later)]), QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 10, 0.0).await;
    testkit::eventually(SOON, "throttled", async || !world.pushes().is_empty()).await;
    for plus in [1.0, 2.0, 3.0] {
        world.write_many(0, 10, plus).await;
    }
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    for cell in world.double.table().values() {
        assert_eq!((cell.stored, cell.revision), (1, Some(4)), "{cell:?}");
    }
    world.no_violations();
    drop(process);
}

/// Absence is not zero: nothing is pushed for it. Where the platform has a value already, the difference is parked for somebody to see.
#[tokio::test]
async fn absent_values_are_not_pushed() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    let process = world.deliver().await;
    world
        .write("talk_time", [("a", None), ("b", Some(2.5))])
        .await;
    world.drained(SOON).await;
    let table = world.double.table();
    assert_eq!(table.len(), 1);
    assert_eq!(world.counts().await.rejected, 0);

    world.write("talk_time", [("b", None)]).await;
    world.drained(SOON).await;
    assert_eq!(world.counts().await.rejected, 1);
    assert_eq!(
        world.double.table()[&key("b", "talk_time")].value,
        Some(2.5)
    );
    // Stated again, it goes again.
    world.write("talk_time", [("b", Some(3.5))]).await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    assert_eq!(world.counts().await.rejected, 0);
    drop(process);
}

/// A metric nobody asked for is not pushed.
#[tokio::test]
async fn only_the_metrics_of_the_target_are_pushed() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    let process = world.deliver().await;
    let queued = world.write("queue_wait", [("a", Some(1.0))]).await.queued;
    assert_eq!(queued, 0);
    drop(process);
}

/// Two organisations on one line: neither platform ever sees a value of the other's, not even after a resync.
#[tokio::test]
async fn each_organisation_gets_its_own_values_only() {
    let others = Double::start(Config::default()).await.unwrap();
    let url = others.url();
    let second = format!(
        r#"{QUICK}
[[target]]
name = "others"
tenant = "globex"
platform = "genesys-custom-report"
base_url = "{url}"
metrics = ["handle_time", "talk_time"]
credentials = {{ token_url = "{url}/oauth/token", client_id = "double-client", client_secret = "double-secret" }}
{QUICK}"#
    );
    let mut world = World::genesys(Config::default(), &second).await;
    let process = world.deliver().await;
    let ours = world.write_many(0, 50, 0.0).await;
    assert_eq!((ours.written, ours.queued), (50, 50));
    let values = [("int_00000", Some(7.5)), ("theirs", Some(8.5))];
    let theirs = world.write_as("globex", "handle_time", &values).await;
    assert_eq!((theirs.written, theirs.queued), (2, 2));
    let nobodys = world.write_as("initech", "handle_time", &values).await;
    assert_eq!((nobodys.written, nobodys.queued), (2, 0));

    let their_keys = ["int_00000", "theirs"].map(|interaction| Key {
        tenant: "globex".to_owned(),
        ..key(interaction, "handle_time")
    });
    let all_arrived = async || {
        world.drained(SOON).await;
        testkit::eventually(SOON, "theirs have arrived", async || {
            others.table().len() >= 2
        })
        .await;
        world.platform_has_everything_but(&[]);
        let held: Vec<Key> = others.table().into_keys().collect();
        assert_eq!(held, their_keys);
    };
    all_arrived().await;
    others.reset();
    world.double.reset();
    for (target, queued) in [("others", 2), ("main", 50)] {
        let (code, stdout, stderr) = world.run(&["resync", "--target", target]).await;
        assert_eq!(code, Some(0), "{stderr}");
        let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(answer["queued"], queued);
    }
    all_arrived().await;
    drop(process);
}

/// After a resync the platform has what we have, also what it lost.
#[tokio::test]
async fn a_resync_pushes_everything_once_more() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 250, 0.0).await;
    world.write("talk_time", [("a", None)]).await;
    world.drained(SOON).await;
    world.double.reset();
    let (code, stdout, stderr) = world.run(&["resync", "--target", "main"]).await;
    assert_eq!(code, Some(0), "{stderr}");
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(answer["queued"], 250);
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    assert_eq!(
        world.double.table()[&key(&interaction(0), "handle_time")].revision,
        Some(1)
    );
    drop(process);
}
