//! The windows of a real PostgreSQL, held against sums worked out by hand.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

use compute::apply::Applier;
use compute::backlog::{self, BacklogMeters};
use compute::catalogue;
use compute::missed;
use compute::plan::{Plan, PlannedSession};
use compute::windows::WindowWorker;
use kpi::{Definition, Library};
use runtime::metrics::Metrics;
use schema::{
    AgentRef, DurationKind, Durations, Fact, FactKey, Grain, Millis, SourceRank, State, Statement,
    UtcMicros,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::definitions::{self, Status};
use store::targets::{self, NotBefore, Target};
use testkit::db::TestDb;
use testkit::eventually;
use tokio_util::sync::CancellationToken;

/// 2024-03-10T04:00:00Z: midnight in New York begins a day of 23 hours an hour later.
const FOUR: i64 = 1_710_043_200_000;
const HOUR: i64 = 3_600_000;

struct World {
    db: TestDb,
    applier: Applier,
    windows: WindowWorker,
}

impl World {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let store = db.store_with(8).await;
        catalogue::ship(&store).await.unwrap();
        let applier = Applier::new(store);
        let windows = WindowWorker::new(&applier);
        Self {
            db,
            applier,
            windows,
        }
    }

    /// Switches on a definition beside the others.
    async fn activate(&self, text: &str) {
        let definition = Definition::read("test.toml", text, &Library::shipped()).unwrap();
        let mut client = self.applier.store().client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        definitions::change(&tx).await.unwrap();
        catalogue::insert(&tx, &definition).await.unwrap();
        let (name, version) = (definition.name(), definition.version());
        definitions::set_status(&tx, name, version, Status::Candidate)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn count(&self, sql: &str) -> i64 {
        let client = self.db.client().await;
        client.query_one(sql, &[]).await.unwrap().get(0)
    }

    async fn fold(&self, calls: &[(&str, Vec<Fact>)]) {
        let sessions = calls.iter().map(|(id, facts)| PlannedSession {
            tenant: "acme".into(),
            interaction: (*id).into(),
            facts: facts.clone(),
            job_versions: BTreeSet::new(),
        });
        let plan = Plan {
            sessions: sessions.collect(),
            ..Plan::default()
        };
        self.applier.apply(&plan).await.unwrap();
    }

    /// Of handle_time: start, hours, items and milliseconds of each window.
    async fn handle_time(
        &self,
        group_by: &str,
        size: &str,
    ) -> BTreeMap<(String, String), (f64, i64, i64)> {
        let sql = "SELECT group_key, to_char(window_start AT TIME ZONE 'UTC', 'MM-DD HH24:MI'), \
                          extract(epoch FROM window_end - window_start)::float8 / 3600, items, numerator \
                   FROM window_metrics_current WHERE tenant = 'acme' AND metric_type = 'handle_time' AND group_by = $1 AND size = $2";
        let rows = self
            .db
            .client()
            .await
            .query(sql, &[&group_by, &size])
            .await
            .unwrap();
        rows.iter()
            .map(|row| {
                let key = (row.get(0), row.get(1));
                (key, (row.get(2), row.get(3), row.get(4)))
            })
            .collect()
    }
}

/// A call of this agent that ends at an instant (ms) and takes so many seconds.
fn call(id: &str, (agent, zone): (&str, &str), ended: i64, seconds: i64) -> Vec<Fact> {
    let fact = |number: u8, at: i64, state: State, durations: Durations| Fact {
        key: FactKey::event(&format!("{id}-{number}")),
        at: UtcMicros::from_millis(at),
        revision: None,
        rank: SourceRank::Event,
        statement: Statement {
            state: Some(state),
            durations,
            agent: Some(AgentRef {
                id: agent.into(),
                zone: (!zone.is_empty()).then(|| zone.into()),
            }),
            queue: Some("support".into()),
            ..Statement::default()
        },
    };
    let talk = Durations::default().with(DurationKind::Talk, Millis(seconds * 1000));
    vec![
        fact(
            1,
            ended - seconds * 1000,
            State::Connected,
            Durations::default(),
        ),
        fact(2, ended, State::Completed, talk),
    ]
}

const ANNA: (&str, &str) = ("anna", "America/New_York");

fn key(group: &str, start: &str) -> (String, String) {
    (group.to_owned(), start.to_owned())
}

#[tokio::test]
async fn a_day_is_that_of_the_groups_clock() {
    let world = World::new().await;
    world
        .fold(&[
            // The last millisecond of 9 March in New York, the first of the 10th, and its last: the clocks go forward in between.
            ("a", call("a", ANNA, FOUR + HOUR - 1, 10)),
            ("b", call("b", ANNA, FOUR + HOUR, 20)),
            ("c", call("c", ANNA, FOUR + 24 * HOUR - 1, 30)),
            ("d", call("d", ANNA, FOUR + 24 * HOUR, 40)),
        ])
        .await;
    world.windows.drain().await.unwrap();
    let days = world.handle_time("agent", "day").await;
    let anna = r#"["anna"]"#;
    assert_eq!(
        days,
        BTreeMap::from([
            (key(anna, "03-09 05:00"), (24.0, 1, 10_000)),
            (key(anna, "03-10 05:00"), (23.0, 2, 50_000)),
            (key(anna, "03-11 04:00"), (24.0, 1, 40_000)),
        ])
    );
    // The queue has no zone of its own: UTC.
    let days = world.handle_time("queue", "day").await;
    let support = r#"["support"]"#;
    assert_eq!(
        days,
        BTreeMap::from([
            (key(support, "03-10 00:00"), (24.0, 2, 30_000)),
            (key(support, "03-11 00:00"), (24.0, 2, 70_000)),
        ])
    );
    let months = world.handle_time("", "month").await;
    assert_eq!(months[&key("[]", "03-01 00:00")].2, 100_000);
}

#[tokio::test]
async fn what_moves_leaves_nothing_behind() {
    let world = World::new().await;
    world.fold(&[("a", call("a", ANNA, FOUR, 10))]).await;
    world.windows.drain().await.unwrap();
    let half = world.handle_time("queue", "30m").await;
    let support = r#"["support"]"#;
    assert_eq!(
        half,
        BTreeMap::from([(key(support, "03-10 04:00"), (0.5, 1, 10_000))])
    );
    // A later end, as a revision: it counts in another window, and in that one only.
    let mut later = call("a", ANNA, FOUR + 2 * HOUR, 10);
    for fact in &mut later {
        fact.revision = Some(UtcMicros(1));
    }
    world.fold(&[("a", later)]).await;
    world.windows.drain().await.unwrap();
    let half = world.handle_time("queue", "30m").await;
    assert_eq!(
        half,
        BTreeMap::from([(key(support, "03-10 06:00"), (0.5, 1, 10_000))])
    );
    let cells = "SELECT count(*) FROM window_cells";
    assert!(world.count(cells).await > 0);
    let items = "SELECT count(*) FROM window_items";
    assert_eq!(world.count(items).await, 1);
    assert_eq!(world.count("SELECT count(*) FROM dirty_marks").await, 0);
}

#[tokio::test]
async fn a_redelivery_changes_no_row_of_any_window() {
    let world = World::new().await;
    let calls: Vec<(&str, Vec<Fact>)> = vec![
        ("a", call("a", ANNA, FOUR, 10)),
        ("b", call("b", ("bo", ""), FOUR + HOUR, 20)),
    ];
    world.fold(&calls).await;
    world.windows.drain().await.unwrap();
    let state =
        "SELECT count(*) || ' ' || sum(revision) || ' ' || max(computed_at) FROM window_metrics";
    let client = world.db.client().await;
    let before: String = client.query_one(state, &[]).await.unwrap().get(0);
    let reversed: Vec<(&str, Vec<Fact>)> = calls
        .iter()
        .map(|(id, facts)| (*id, facts.iter().rev().cloned().collect()))
        .collect();
    world.fold(&reversed).await;
    assert_eq!(world.count("SELECT count(*) FROM dirty_marks").await, 0);
    world.windows.drain().await.unwrap();
    let after: String = client.query_one(state, &[]).await.unwrap().get(0);
    assert_eq!(before, after);
}

#[tokio::test]
async fn weeks_and_months_that_were_left_are_computed_in_the_end() {
    let world = World::new().await;
    let mut facts = Vec::new();
    // Far more quarter hours than one round takes, in six weeks.
    for number in 0..400_i64 {
        let id = format!("call-{number:03}");
        let ended = FOUR + number * 5 * HOUR / 2;
        facts.push((id.clone(), call(&id, ANNA, ended, 1 + number)));
    }
    let calls: Vec<(&str, Vec<Fact>)> = facts
        .iter()
        .map(|(id, facts)| (id.as_str(), facts.clone()))
        .collect();
    world.fold(&calls).await;
    world.windows.drain().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM dirty_marks").await, 0);
    let total = 1000 * (1..=400).sum::<i64>();
    for size in ["30m", "day", "week", "month"] {
        for group_by in ["", "queue", "agent"] {
            let windows = world.handle_time(group_by, size).await;
            if windows.is_empty() {
                // Not every group is asked for in every size.
                assert_eq!((group_by, size), ("agent", "30m"));
                continue;
            }
            let sum: i64 = windows.values().map(|(_, _, millis)| millis).sum();
            assert_eq!(sum, total, "{group_by:?} by {size}");
            let items: i64 = windows.values().map(|(_, items, _)| items).sum();
            assert_eq!(items, 400, "{group_by:?} by {size}");
        }
    }
}

#[tokio::test]
async fn a_zone_that_is_learnt_later_moves_the_days_that_were_there() {
    let world = World::new().await;
    world
        .fold(&[("a", call("a", ("anna", "UTC"), FOUR, 10))])
        .await;
    world.windows.drain().await.unwrap();
    let anna = r#"["anna"]"#;
    let days = world.handle_time("agent", "day").await;
    assert_eq!(
        days,
        BTreeMap::from([(key(anna, "03-10 00:00"), (24.0, 1, 10_000))])
    );
    // On a later day the events state another zone.
    world
        .fold(&[("b", call("b", ANNA, FOUR + 24 * HOUR, 5))])
        .await;
    world.windows.drain().await.unwrap();
    let days = world.handle_time("agent", "day").await;
    assert_eq!(
        days,
        BTreeMap::from([
            (key(anna, "03-09 05:00"), (24.0, 1, 10_000)),
            (key(anna, "03-11 04:00"), (24.0, 1, 5_000)),
        ])
    );
}

#[tokio::test]
async fn what_an_organisation_says_of_its_calls_is_a_group() {
    let world = World::new().await;
    let text = include_str!("../../../crates/kpi/catalogue/handle_time.toml");
    let by_site = text
        .replacen("version = 1", "version = 2", 1)
        .replace("by = [\"queue\"]", "by = [\"attribute:site\", \"queue\"]");
    assert!(by_site.contains("attribute:site"), "{by_site}");
    world.activate(&by_site).await;
    let of_site = |id: &str, sites: &[&str], seconds: i64| {
        let mut facts = call(id, ("anna", ""), FOUR + 600_000, seconds);
        for (fact, site) in facts.iter_mut().zip(sites) {
            let details = fact.statement.details.get_or_insert_default();
            details.keep_attribute("site", site);
        }
        facts
    };
    world
        .fold(&[
            ("int_1", of_site("int_1", &["porto"], 60)),
            // The last word on it holds.
            ("int_2", of_site("int_2", &["porto", "lyon"], 120)),
            ("int_3", of_site("int_3", &["lyon"], 240)),
            ("int_4", of_site("int_4", &[], 480)),
        ])
        .await;
    world.windows.drain().await.unwrap();
    let client = world.db.client().await;
    let rows = client
        .query(
            "SELECT group_key, attributes ->> 'site', items, numerator FROM window_metrics \
             WHERE metric_version = 2 AND size = '30m' AND group_by LIKE 'attribute:site%' ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let found: Vec<(String, Option<String>, i64, i64)> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect();
    let site = |name: Option<&str>| name.map(str::to_owned);
    assert_eq!(
        found,
        [
            (
                "[\"lyon\",\"support\"]".to_owned(),
                site(Some("lyon")),
                2,
                360_000
            ),
            (
                "[\"porto\",\"support\"]".to_owned(),
                site(Some("porto")),
                1,
                60_000
            ),
            ("[null,\"support\"]".to_owned(), site(None), 1, 480_000),
        ]
    );
}

/// A rolling upgrade: one that cannot read a definition takes the marks of what was folded by it.
#[tokio::test]
async fn what_was_computed_without_a_definition_is_computed_again_where_it_can_be_read() {
    let world = World::new().await;
    let text = include_str!("../../../crates/kpi/catalogue/handle_time.toml");
    let second = text.replacen("version = 1", "version = 2", 1);
    world.activate(&second).await;
    let calls = ["int_1", "int_2"].map(|id| (id, call(id, ("anna", ""), FOUR + 600_000, 60)));
    world.fold(&calls).await;
    let store = world.applier.store();
    let client = world.db.client().await;
    let reads = async |text: &str| {
        client
            .execute(
                "UPDATE kpi_definitions SET text = $1 WHERE name = 'handle_time' AND version = 2",
                &[&text],
            )
            .await
            .unwrap();
        client
            .batch_execute("UPDATE catalogue_generation SET generation = generation + 1")
            .await
            .unwrap();
    };
    let sums = "SELECT coalesce(sum(numerator), 0)::bigint FROM window_metrics \
                WHERE metric_type = 'handle_time' AND metric_version = 2 AND group_by = '' AND size = 'day'";
    reads("of a later release").await;
    world.windows.drain().await.unwrap();
    assert_eq!(world.count(sums).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM dirty_marks").await, 0);
    let catalogue = world.applier.catalogue();
    assert_eq!(
        missed::recover(store, catalogue).await.unwrap(),
        0,
        "it still cannot be read"
    );
    reads(&second).await;
    assert!(missed::recover(store, catalogue).await.unwrap() > 0);
    world.windows.drain().await.unwrap();
    assert_eq!(world.count(sums).await, 120_000);
    assert_eq!(world.count("SELECT count(*) FROM missed_marks").await, 0);
    // Nobody wants it any more.
    world
        .fold(&[("int_3", call("int_3", ("anna", ""), FOUR + 600_000, 60))])
        .await;
    reads("of a later release").await;
    world.windows.drain().await.unwrap();
    assert!(world.count("SELECT count(*) FROM missed_marks").await > 0);
    client
        .batch_execute("UPDATE kpi_definitions SET status = 'retired' WHERE version = 2")
        .await
        .unwrap();
    assert_eq!(missed::recover(store, catalogue).await.unwrap(), 0);
    assert_eq!(world.count("SELECT count(*) FROM missed_marks").await, 0);
}

#[tokio::test]
async fn what_waits_is_shown_by_kind_until_it_is_computed() {
    let world = World::new().await;
    let metrics = Metrics::new("compute", "test");
    let stop = CancellationToken::new();
    let observe = backlog::observe(
        world.applier.store().clone(),
        BacklogMeters::new(&metrics),
        stop.clone(),
    );
    let waiting = async |marks: u8| {
        let line = format!("kpiline_marks_waiting{{kind=\"cell\"}} {marks}\n");
        let shown = async || metrics.encode().contains(&line).then_some(());
        eventually(Duration::from_secs(30), &line, shown).await;
    };
    let seen = async {
        waiting(0).await;
        world
            .fold(&[("int_1", call("int_1", ("anna", ""), FOUR + 600_000, 60))])
            .await;
        waiting(1).await;
        world.windows.drain().await.unwrap();
        waiting(0).await;
        stop.cancel();
    };
    let (observed, ()) = tokio::join!(observe, seen);
    observed.unwrap();
}

#[tokio::test]
async fn two_workers_at_once_leave_what_one_would_have_left() {
    let world = World::new().await;
    let facts: Vec<(String, Vec<Fact>)> = (0..100_i64)
        .map(|number| {
            let id = format!("call-{number:03}");
            let facts = call(&id, ANNA, FOUR + number * 7 * 60_000, 10);
            (id, facts)
        })
        .collect();
    let others = WindowWorker::new(&Applier::new(world.db.store_with(4).await));
    for part in facts.chunks(10) {
        let calls: Vec<(&str, Vec<Fact>)> = part
            .iter()
            .map(|(id, facts)| (id.as_str(), facts.clone()))
            .collect();
        let ((), one, other) =
            tokio::join!(world.fold(&calls), world.windows.drain(), others.drain());
        one.unwrap();
        other.unwrap();
    }
    world.windows.drain().await.unwrap();
    let windows = world.handle_time("queue", "30m").await;
    let items: i64 = windows.values().map(|(_, items, _)| items).sum();
    assert_eq!(items, 100);
    assert_eq!(world.count("SELECT count(*) FROM dirty_marks").await, 0);
}

#[tokio::test]
async fn a_cell_that_cannot_be_computed_keeps_no_other_waiting() {
    let world = World::new().await;
    let latest = FOUR + 48 * HOUR;
    world.fold(&[("a", call("a", ANNA, latest, 10))]).await;
    world.windows.drain().await.unwrap();
    let client = world.db.client().await;
    let damage = "UPDATE window_cells SET quarters = '\\xff' WHERE group_by = 'queue'";
    client.execute(damage, &[]).await.unwrap();
    let calls: Vec<(String, Vec<Fact>)> = (0..30_i64)
        .map(|number| {
            let id = format!("call-{number:02}");
            let facts = call(&id, ANNA, FOUR + number * HOUR / 2, 10);
            (id, facts)
        })
        .chain([("b".to_owned(), call("b", ANNA, latest, 10))])
        .collect();
    let calls: Vec<(&str, Vec<Fact>)> = calls
        .iter()
        .map(|(id, facts)| (id.as_str(), facts.clone()))
        .collect();
    world.fold(&calls).await;
    // The newest of all: it comes first.
    let refused = world.windows.drain().await;
    assert!(refused.is_err());
    let marks = "SELECT count(*) FROM dirty_marks WHERE kind = 'cell'";
    assert_eq!(world.count(marks).await, 1);
    let items: i64 = world
        .handle_time("", "day")
        .await
        .values()
        .map(|(_, items, _)| items)
        .sum();
    assert_eq!(items, 31);
    // And is made good once it can be read again.
    let mend = "DELETE FROM window_cells WHERE group_by = 'queue' AND quarters = '\\xff'";
    client.execute(mend, &[]).await.unwrap();
    world.windows.drain().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM dirty_marks").await, 0);
}

#[tokio::test]
async fn all_windows_of_a_year_are_computed_again_week_by_week() {
    let world = World::new().await;
    let calls: Vec<(String, Vec<Fact>)> = (0..26_i64)
        .map(|number| {
            let id = format!("call-{number:02}");
            let facts = call(&id, ANNA, FOUR + number * 14 * 24 * HOUR, 10);
            (id, facts)
        })
        .collect();
    let calls: Vec<(&str, Vec<Fact>)> = calls
        .iter()
        .map(|(id, facts)| (id.as_str(), facts.clone()))
        .collect();
    world.fold(&calls).await;
    world.windows.drain().await.unwrap();
    let all = "SELECT string_agg(w::text, E'\\n' ORDER BY w::text) FROM ( \
               SELECT metric_type, group_by, size, group_key, window_start, items, numerator FROM window_metrics) w";
    let client = world.db.client().await;
    let before: String = client.query_one(all, &[]).await.unwrap().get(0);
    // Windows whose month retention dropped are made anew too.
    client
        .execute("DROP TABLE window_metrics_y2024m05", &[])
        .await
        .unwrap();
    client
        .execute("DELETE FROM window_metrics WHERE size = '30m'", &[])
        .await
        .unwrap();
    let mut writer = world.applier.store().client().await.unwrap();
    let tx = writer.transaction().await.unwrap();
    store::window_rebuild::mark_groups(&tx, &store::window_rebuild::Groups::default())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    WindowWorker::new(&Applier::new(world.db.store_with(4).await))
        .drain()
        .await
        .unwrap();
    let after: String = client.query_one(all, &[]).await.unwrap().get(0);
    assert_eq!(before, after);
    assert_eq!(world.count("SELECT count(*) FROM dirty_marks").await, 0);
}

#[tokio::test]
async fn a_week_that_a_move_cuts_short_is_not_left_for_ever() {
    let world = World::new().await;
    // Sunday 17 March 2024, 18:00Z: the week in Tokyo has begun, that in Madrid goes on for five hours.
    let places = "places = 1\n[[agent]]\nid = \"anna\"\nzone = \"Asia/Tokyo\"\n[[agent]]\nid = \"anna\"\n\
                  from = 2024-03-17T18:00:00Z\nzone = \"Europe/Madrid\"\n";
    let mut client = world.applier.store().client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    store::definitions::change(&tx).await.unwrap();
    let read = timezone::Places::read(places).unwrap();
    catalogue::insert_places(&tx, &read, places).await.unwrap();
    tx.commit().await.unwrap();
    drop(client);
    let six_pm = FOUR + (7 * 24 + 14) * HOUR;
    let mut calls = vec![
        // Computed in the second round, which changes nothing of anna's.
        ("bo".to_owned(), call("bo", ("bo", ""), six_pm + HOUR, 10)),
        (
            "anna".to_owned(),
            call("anna", ("anna", ""), six_pm + 2 * HOUR, 20),
        ),
        (
            "early".to_owned(),
            call("early", ("anna", ""), six_pm - HOUR, 30),
        ),
    ];
    calls.extend((1..64_i64).map(|number| {
        let id = format!("call-{number:02}");
        let facts = call(&id, ("anna", ""), six_pm + 24 * HOUR + number * HOUR, 40);
        (id, facts)
    }));
    // More than two rounds take, so that in the second, too, earlier weeks are left: one mark is about all of them.
    calls.extend((2..202_i64).map(|number| {
        let id = format!("before-{number:03}");
        let facts = call(&id, ("anna", ""), six_pm - number * HOUR / 2, 50);
        (id, facts)
    }));
    let seconds: i64 = 20 + 30 + 63 * 40 + 200 * 50;
    let calls: Vec<(&str, Vec<Fact>)> = calls
        .iter()
        .map(|(id, facts)| (id.as_str(), facts.clone()))
        .collect();
    world.fold(&calls).await;
    world.windows.drain().await.unwrap();
    for size in ["day", "week", "month"] {
        let windows = world.handle_time("agent", size).await;
        let of_anna = windows
            .iter()
            .filter(|((group, _), _)| group == r#"["anna"]"#);
        let millis: i64 = of_anna.map(|(_, (.., millis))| millis).sum();
        assert_eq!(millis, seconds * 1000, "by {size}");
    }
}

#[tokio::test]
async fn a_zone_that_is_stated_for_the_first_time_moves_the_days_that_were_there() {
    let world = World::new().await;
    let without = ("a", call("a", ("anna", ""), FOUR, 10));
    let with = ("b", call("b", ANNA, FOUR + 72 * HOUR, 5));
    world.fold(std::slice::from_ref(&without)).await;
    world.windows.drain().await.unwrap();
    let anna = r#"["anna"]"#;
    let days = world.handle_time("agent", "day").await;
    assert_eq!(
        days,
        BTreeMap::from([(key(anna, "03-10 00:00"), (24.0, 1, 10_000))])
    );
    world.fold(std::slice::from_ref(&with)).await;
    world.windows.drain().await.unwrap();
    let other = World::new().await;
    other.fold(&[with, without]).await;
    other.windows.drain().await.unwrap();
    for size in ["day", "week", "month"] {
        let days = world.handle_time("agent", size).await;
        assert_eq!(days, other.handle_time("agent", size).await, "{size}");
    }
}

#[tokio::test]
async fn a_zone_that_is_stated_while_a_round_is_under_way_is_not_missed() {
    let world = World::new().await;
    world
        .fold(&[("a", call("a", ("anna", "UTC"), FOUR, 10))])
        .await;
    // A round that has read the zone waits at its last statement.
    let months = [0, -16, -33].map(|days| UtcMicros::from_millis(FOUR + days * 24 * HOUR));
    let partitions = world.applier.partitions();
    partitions
        .ensure(store::partitions::Table::WindowMetrics, months)
        .await
        .unwrap();
    let mut holder = world.db.client().await;
    let held = holder.transaction().await.unwrap();
    held.execute("LOCK TABLE window_metrics IN SHARE MODE", &[])
        .await
        .unwrap();
    let meanwhile = async {
        let within = std::time::Duration::from_secs(20);
        testkit::eventually::eventually(within, "the round waits", async || {
            let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted \
                         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            world.count(waits).await > 0
        })
        .await;
        world
            .fold(&[("b", call("b", ANNA, FOUR + 24 * HOUR, 5))])
            .await;
        held.commit().await.unwrap();
    };
    let (drained, ()) = tokio::join!(world.windows.drain(), meanwhile);
    drained.unwrap();
    world.windows.drain().await.unwrap();
    let anna = r#"["anna"]"#;
    let days = world.handle_time("agent", "day").await;
    assert_eq!(
        days,
        BTreeMap::from([
            (key(anna, "03-09 05:00"), (24.0, 1, 10_000)),
            (key(anna, "03-11 04:00"), (24.0, 1, 5_000)),
        ])
    );
}

/// A target that wants days of agents.
async fn days_wanted(world: &World) {
    let target = Target {
        name: "days".into(),
        tenant: "acme".into(),
        platform: "genesys-external-metrics".into(),
        metrics: vec!["handle_time".into()],
        versions: vec![],
        grains: vec![Grain::AgentDay],
        not_before: NotBefore::AtOnce,
        enabled: true,
    };
    targets::register(world.applier.store(), &target)
        .await
        .unwrap();
}

/// Agent, day and milliseconds of what is queued; none where nothing is in the day any more.
async fn queued(world: &World) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', agent_id, workday, coalesce(numerator::text, 'none')) FROM sync_queue ORDER BY 1";
    let rows = world.db.client().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn agents_days_that_change_are_queued_for_the_target_that_wants_them() {
    let world = World::new().await;
    world
        .fold(&[("before", call("before", ANNA, FOUR - 48 * HOUR, 5))])
        .await;
    world.windows.drain().await.unwrap();
    assert!(queued(&world).await.is_empty(), "nobody wants them");
    days_wanted(&world).await;
    world
        .fold(&[
            ("a", call("a", ANNA, FOUR + HOUR - 1, 10)),
            ("b", call("b", ANNA, FOUR + HOUR, 20)),
            ("c", call("c", ("bo", ""), FOUR, 30)),
        ])
        .await;
    world.windows.drain().await.unwrap();
    // By each one's clock; bo has none, so UTC.
    let both = ["anna 2024-03-09 10000", "anna 2024-03-10 20000"];
    assert_eq!(
        queued(&world).await,
        [both[0], both[1], "bo 2024-03-10 30000"]
    );

    // What comes again changes nothing, and is not queued.
    let client = world.db.client().await;
    client
        .batch_execute("DELETE FROM sync_queue")
        .await
        .unwrap();
    world
        .fold(&[("a", call("a", ANNA, FOUR + HOUR - 1, 10))])
        .await;
    world.windows.drain().await.unwrap();
    assert!(queued(&world).await.is_empty());

    // A later end: gone from the one day, come to the next.
    let mut later = call("a", ANNA, FOUR + 2 * HOUR, 10);
    for fact in &mut later {
        fact.revision = Some(UtcMicros(1));
    }
    world.fold(&[("a", later)]).await;
    world.windows.drain().await.unwrap();
    assert_eq!(
        queued(&world).await,
        ["anna 2024-03-09 none", "anna 2024-03-10 30000"]
    );

    // Whose clock becomes known has their days by it.
    client
        .batch_execute("DELETE FROM sync_queue")
        .await
        .unwrap();
    let known = ("bo", "America/New_York");
    world
        .fold(&[("d", call("d", known, FOUR + 24 * HOUR, 40))])
        .await;
    world.windows.drain().await.unwrap();
    assert_eq!(
        queued(&world).await,
        [
            "bo 2024-03-09 30000",
            "bo 2024-03-10 none",
            "bo 2024-03-11 40000"
        ]
    );
}
