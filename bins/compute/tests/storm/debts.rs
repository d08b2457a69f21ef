//! What is owed to an interaction: noted with its facts, paid once, and nothing else.

use crate::world::{NINE, World, assert_same, ended, later, plan};
use compute::apply::CaughtUp;
use compute::catch_up;
use compute::sweep::{self, MaxAge, SweepConfig};
use compute::windows::WindowWorker;
use kpi::{Definition, Library};
use schema::{State, UtcMicros};
use std::collections::BTreeMap;
use std::time::Duration;
use store::definitions::{self, Status};
use store::storm::Mode;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn critical_definitions_are_there_at_once_and_the_others_when_it_is_over() {
    let world = World::new().await;
    let applier = world.applier().await;
    applier.storm().set(Mode::Storm);
    let applied = applier
        .apply(&plan("a", ended("a", 1000), None))
        .await
        .unwrap();
    assert_eq!(applied.deferred, 1);
    let at_once = world.metrics_of("a").await;
    assert!(at_once.contains("adjusted_aht") && at_once.contains("service_level_offered"));
    for name in ["held", "agents", "contact_duration"] {
        assert!(!at_once.contains(name), "{name} can wait");
        assert_eq!(world.missing(name).await, 1, "{name}");
    }
    assert_eq!(world.missing("handle_time").await, 0);
    let done = catch_up::drain(&applier).await.unwrap();
    assert_eq!((done.taken, done.left), (1, 0));
    assert_eq!(world.deferred().await, 0);
    let calm = World::new().await;
    let applier = calm.applier().await;
    applier
        .apply(&plan("a", ended("a", 1000), None))
        .await
        .unwrap();
    assert_eq!(world.metrics_of("a").await, calm.metrics_of("a").await);
    assert_eq!(world.missing("held").await, 0);
}

#[tokio::test]
async fn what_is_paid_already_and_what_comes_again_owes_and_writes_nothing() {
    let world = World::new().await;
    let applier = world.applier().await;
    let call = plan("a", ended("a", 1000), None);
    applier.apply(&call).await.unwrap();
    applier.storm().set(Mode::Storm);
    let again = applier.apply(&call).await.unwrap();
    assert_eq!((again.deferred, again.written), (0, 0));
    // An open one has nothing to say by any definition.
    let open = plan("b", vec![ended("b", 1000).remove(0)], None);
    assert_eq!(applier.apply(&open).await.unwrap().deferred, 0);
    applier
        .apply(&plan("a", vec![later("a", 2000)], None))
        .await
        .unwrap();
    assert_eq!(world.deferred().await, 1);
    // All of it is computed meanwhile, because there is more news in calm.
    applier.storm().set(Mode::Calm);
    applier
        .apply(&plan("a", vec![later("a2", 3000)], None))
        .await
        .unwrap();
    let done = catch_up::drain(&applier).await.unwrap();
    assert_eq!((done.taken, done.applied.written), (1, 0));
    assert_eq!(
        catch_up::drain(&applier).await.unwrap(),
        CaughtUp::default()
    );
}

#[tokio::test]
async fn where_everything_is_critical_a_storm_defers_nothing() {
    // As after `migrate`: the six that are current.
    let db = testkit::db::TestDb::new().await;
    let applier = compute::apply::Applier::new(db.store().await);
    applier.storm().set(Mode::Storm);
    let applied = applier
        .apply(&plan("a", ended("a", 1000), None))
        .await
        .unwrap();
    assert_eq!((applied.deferred, applied.written), (0, 6));
}

#[tokio::test]
async fn a_definition_that_is_retired_meanwhile_is_paid_and_one_that_is_new_is_not_owed() {
    let world = World::new().await;
    let applier = world.applier().await;
    world.set("agents", Status::Retired).await;
    applier.storm().set(Mode::Storm);
    applier
        .apply(&plan("a", ended("a", 1000), None))
        .await
        .unwrap();
    world.set("held", Status::Retired).await;
    world.set("agents", Status::Candidate).await;
    catch_up::drain(&applier).await.unwrap();
    let metrics = world.metrics_of("a").await;
    assert!(metrics.contains("held"), "it was due when it was folded");
    assert!(
        !metrics.contains("agents"),
        "the past of a new one takes a job, storm or not"
    );
    assert_eq!(world.missing("agents").await, 1);
    assert_eq!(world.missing("holds").await, 0);
    // Switched on again it is another activation: what was paid before proves nothing, for there may have been facts in between.
    world.set("held", Status::Candidate).await;
    assert_eq!(world.missing("held").await, 1);
}

#[tokio::test]
async fn a_job_gets_what_it_asks_for_in_a_storm_too() {
    let world = World::new().await;
    let applier = world.applier().await;
    applier.storm().set(Mode::Storm);
    let applied = applier
        .apply(&plan("a", ended("a", 1000), Some(1)))
        .await
        .unwrap();
    assert_eq!(
        applied.deferred, 0,
        "it asks for version 1, which is all there is"
    );
    assert!(world.metrics_of("a").await.contains("held"));
    assert_eq!(world.missing("held").await, 0);
    assert_eq!(world.missing("handle_time").await, 0);
}

/// A definition of text that this release reads, under the name of one it does not.
async fn unreadable(world: &World, name: &str, unreadable: bool) {
    let text = if unreadable { "name = 7" } else { "" };
    let sql = format!("UPDATE kpi_definitions SET text = '{text}' WHERE name = '{name}'");
    world.db.client().await.batch_execute(&sql).await.unwrap();
    // A change of the catalogue, for the replicas to see.
    world.set("holds", Status::Candidate).await;
}

#[tokio::test]
async fn what_a_release_cannot_read_stays_owed_for_one_that_can() {
    let world = World::new().await;
    let applier = world.applier().await;
    applier.storm().set(Mode::Storm);
    applier
        .apply(&plan("a", ended("a", 1000), None))
        .await
        .unwrap();
    unreadable(&world, "held", true).await;
    let done = catch_up::drain(&applier).await.unwrap();
    assert_eq!((done.taken, done.left), (1, 1));
    assert_eq!(world.deferred().await, 1);
    let metrics = world.metrics_of("a").await;
    assert!(metrics.contains("agents") && !metrics.contains("held"));
    assert_eq!(world.missing("held").await, 1);
    unreadable(&world, "held", false).await;
    // It is not tried all the time.
    assert_eq!(catch_up::drain(&applier).await.unwrap().taken, 0);
    let due = "UPDATE deferred_evaluations SET due_at = now()";
    world.db.client().await.batch_execute(due).await.unwrap();
    assert_eq!(catch_up::drain(&applier).await.unwrap().left, 0);
    assert!(world.metrics_of("a").await.contains("held"));
    assert_eq!(world.missing("held").await, 0);
}

#[tokio::test]
async fn one_that_is_refused_is_left_alone_and_keeps_nobody_waiting() {
    let world = World::new().await;
    let applier = world.applier().await;
    applier.storm().set(Mode::Storm);
    for id in ["a", "b", "c", "d", "e"] {
        applier
            .apply(&plan(id, ended(id, 1000), None))
            .await
            .unwrap();
    }
    let client = world.db.client().await;
    client
        .batch_execute(
            "ALTER TABLE window_items ADD CONSTRAINT no_c CHECK (subject <> 'c') NOT VALID",
        )
        .await
        .unwrap();
    catch_up::drain(&applier).await.unwrap();
    let left = "SELECT interaction_id, due_at > deferred_at + interval '5 minutes' FROM deferred_evaluations";
    assert_eq!(world.rows(left).await, ["c t"]);
    client
        .batch_execute("ALTER TABLE window_items DROP CONSTRAINT no_c; UPDATE deferred_evaluations SET due_at = now()")
        .await
        .unwrap();
    catch_up::drain(&applier).await.unwrap();
    assert_eq!(world.deferred().await, 0);
    assert_eq!(world.metrics_of("c").await, world.metrics_of("a").await);
}

#[tokio::test]
async fn one_whose_session_cannot_be_read_waits_and_the_rest_of_its_batch_does_not() {
    let world = World::new().await;
    let applier = world.applier().await;
    applier.storm().set(Mode::Storm);
    for id in ["a", "b"] {
        applier
            .apply(&plan(id, ended(id, 1000), None))
            .await
            .unwrap();
    }
    let spoil = "UPDATE interactions SET state = '{\"v\": 99}' WHERE interaction_id = 'a'";
    world.db.client().await.batch_execute(spoil).await.unwrap();
    let done = catch_up::drain(&applier).await.unwrap();
    assert_eq!((done.taken, done.left), (2, 1));
    assert!(world.metrics_of("b").await.contains("held"));
    assert_eq!(
        world
            .rows("SELECT interaction_id FROM deferred_evaluations")
            .await,
        ["a"]
    );
}

#[tokio::test]
async fn nothing_is_settled_while_something_is_owed() {
    let world = World::new().await;
    let applier = world.applier().await;
    applier.storm().set(Mode::Storm);
    applier
        .apply(&plan("a", ended("a", 1000), None))
        .await
        .unwrap();
    applier.storm().set(Mode::Calm);
    applier
        .apply(&plan("b", ended("b", 1000), None))
        .await
        .unwrap();
    WindowWorker::new(&applier).drain().await.unwrap();
    let config = SweepConfig {
        every: Duration::from_secs(1),
        wrap_up_grace: Duration::from_secs(60),
        confirm_within: Duration::from_secs(3600),
        max_age: MaxAge {
            default: Duration::from_secs(86_400),
            by_media: BTreeMap::new(),
        },
    };
    let later = {
        let client = applier.store().client().await.unwrap();
        let now = store::sweep::now(&client).await.unwrap();
        UtcMicros(now.0 + 3_600_000_000)
    };
    let stop = CancellationToken::new();
    let settle = || sweep::round_as_of(&applier, &config, later, &stop);
    let settled = "SELECT DISTINCT interaction_id FROM metrics_current WHERE settled ORDER BY 1";
    let windows =
        "SELECT DISTINCT state FROM window_metrics_current WHERE metric_type = 'handle_time'";
    settle().await.unwrap();
    assert_eq!(world.rows(settled).await, ["b"]);
    assert_eq!(
        world.rows(windows).await,
        ["settling"],
        "what is owed begins in them"
    );
    catch_up::drain(&applier).await.unwrap();
    settle().await.unwrap();
    assert_eq!(world.rows(settled).await, ["a", "b"]);
    WindowWorker::new(&applier).drain().await.unwrap();
    assert_eq!(world.rows(windows).await, ["settled"]);
}

#[tokio::test]
async fn one_that_is_refused_again_and_again_does_not_keep_windows_settling_for_ever() {
    let world = World::new().await;
    let applier = world.applier().await;
    applier.storm().set(Mode::Storm);
    for id in ["a", "odd", "newer"] {
        applier
            .apply(&plan(id, ended(id, 1000), None))
            .await
            .unwrap();
    }
    let client = world.db.client().await;
    let run = async |sql: &str| client.batch_execute(sql).await.unwrap();
    run(
        "ALTER TABLE window_items ADD CONSTRAINT odd CHECK (subject <> 'odd') NOT VALID; \
         UPDATE interactions SET state = '{\"v\": 99}' WHERE interaction_id = 'newer'",
    )
    .await;
    let windows =
        "SELECT DISTINCT state FROM window_metrics_current WHERE metric_type = 'handle_time'";
    let refused = "SELECT scope, value FROM pipeline_health WHERE measure = 'deferred_refused'";
    for times in 1..=3 {
        catch_up::drain(&applier).await.unwrap();
        WindowWorker::new(&applier).drain().await.unwrap();
        let state = if times < 3 { "settling" } else { "settled" };
        assert_eq!(world.rows(windows).await, [state], "refused {times} times");
        let health = if times < 3 { vec![] } else { vec!["acme 2"] };
        assert_eq!(world.rows(refused).await, health, "refused {times} times");
        run("UPDATE deferred_evaluations SET due_at = now()").await;
    }
    let why =
        "SELECT interaction_id, refused_for LIKE '%odd%' FROM deferred_evaluations ORDER BY 1";
    assert_eq!(world.rows(why).await, ["newer f", "odd t"]);
    // It is not forgotten: as soon as it can be evaluated, it is.
    run("ALTER TABLE window_items DROP CONSTRAINT odd").await;
    catch_up::drain(&applier).await.unwrap();
    assert_eq!(world.metrics_of("odd").await, world.metrics_of("a").await);
    assert_eq!(world.rows(refused).await, ["acme 1"]);
}

#[tokio::test]
async fn one_that_was_given_up_meanwhile_is_paid_as_that() {
    let facts = ended("a", 1000);
    let (world, calm) = (World::new().await, World::new().await);
    let mut ends = Vec::new();
    for (world, mode) in [(&world, Mode::Storm), (&calm, Mode::Calm)] {
        let applier = world.applier().await;
        applier.storm().set(mode);
        applier
            .apply(&plan("a", facts.clone(), None))
            .await
            .unwrap();
        // It had not ended: a revision says so, and then it is silent.
        let mut open = facts[1].clone();
        open.statement.state = Some(State::Connected);
        open.revision = Some(UtcMicros::from_millis(NINE + 90_000_000));
        applier.apply(&plan("a", vec![open], None)).await.unwrap();
        let client = applier.store().client().await.unwrap();
        let now = store::sweep::now(&client).await.unwrap();
        let due = store::sweep::due(&client, UtcMicros(now.0 + 1_000_000), None, 10)
            .await
            .unwrap();
        drop(client);
        assert_eq!(due.len(), 1);
        applier.give_up(&due).await.unwrap();
        catch_up::drain(&applier).await.unwrap();
        assert_eq!(world.deferred().await, 0);
        ends.push(world.end_state(&applier).await);
    }
    assert_same(&ends[0], &ends[1], "given up");
}

#[tokio::test]
async fn a_definition_of_ones_own_is_critical_if_it_says_so() {
    let world = World::new().await;
    let applier = world.applier().await;
    let text = "name = 'ours'\nversion = 1\nunit = 'seconds'\npriority = 'critical'\nscope = 'interaction'\n\
                description = 'Ours.'\nsource = 'Ours.'\naggregations = ['sum']\nvalue = 'interaction.talk'\n";
    let definition = Definition::read("ours.toml", text, &Library::shipped()).unwrap();
    let mut client = applier.store().client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    definitions::change(&tx).await.unwrap();
    compute::catalogue::insert(&tx, &definition).await.unwrap();
    definitions::set_status(&tx, "ours", definition.version(), Status::Candidate)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    applier.storm().set(Mode::Storm);
    applier
        .apply(&plan("a", ended("a", 1000), None))
        .await
        .unwrap();
    assert!(world.metrics_of("a").await.contains("ours"));
}
