//! Versions of definitions in a running compute: candidates beside the current one, changes followed without a restart, the past
//! computed anew, interactions given up and settled.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

use compute::apply::Applier;
use compute::catalogue;
use compute::plan::{Plan, PlannedSession};
use compute::sweep::{self, MaxAge, SweepConfig};
use kpi::{Definition, Library};
use schema::{
    DurationKind, Durations, Fact, FactKey, MetricVersion, Millis, SourceRank, State, Statement,
    UtcMicros,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::definitions::{self, Status};
use testkit::db::TestDb;
use tokio_util::sync::CancellationToken;

/// 2024-03-05T10:00:00Z.
const TEN: i64 = 1_709_632_800_000;

fn fact(key: &str, at_ms: i64, state: State, talk_ms: Option<i64>) -> Fact {
    let durations = talk_ms.map_or_else(Durations::default, |talk| {
        Durations::default().with(DurationKind::Talk, Millis(talk))
    });
    Fact {
        key: FactKey::event(key),
        at: UtcMicros::from_millis(at_ms),
        revision: None,
        rank: SourceRank::Event,
        statement: Statement {
            state: Some(state),
            durations,
            ..Statement::default()
        },
    }
}

fn ended(talk_ms: i64) -> Vec<Fact> {
    vec![
        fact("1", TEN, State::Connected, None),
        fact("2", TEN + 60_000, State::Completed, Some(talk_ms)),
    ]
}

fn plan(id: &str, facts: Vec<Fact>, job: Option<u16>) -> Plan {
    Plan {
        sessions: vec![PlannedSession {
            tenant: "acme".into(),
            interaction: id.into(),
            facts,
            job_versions: job.into_iter().map(MetricVersion).collect::<BTreeSet<_>>(),
        }],
        ..Plan::default()
    }
}

/// Twice the talk time, as a new version of it.
fn doubled(version: u16) -> Definition {
    let text = format!(
        "name = 'talk_time'\nversion = {version}\nunit = 'seconds'\npriority = 'normal'\nscope = 'interaction'\n\
         description = 'Twice.'\nsource = 'Ours.'\naggregations = ['sum']\nvalue = 'interaction.talk * 2'\n"
    );
    Definition::read("doubled.toml", &text, &Library::shipped()).unwrap()
}

/// Stores a definition in one transaction and gives it this status.
async fn put(db: &TestDb, definition: &Definition, status: Status) {
    let store = db.store().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    definitions::change(&tx).await.unwrap();
    catalogue::insert(&tx, definition).await.unwrap();
    definitions::set_status(&tx, definition.name(), definition.version(), status)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Version and value of the talk time.
async fn talk(db: &TestDb, id: &str) -> Vec<(i32, Option<f64>)> {
    db.client()
        .await
        .query(
            "SELECT metric_version, metric_value FROM computed_metrics \
             WHERE interaction_id = $1 AND metric_type = 'talk_time' ORDER BY metric_version",
            &[&id],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

#[tokio::test]
async fn a_running_compute_follows_the_catalogue_from_one_batch_to_the_next() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    applier.apply(&plan("a", ended(1000), None)).await.unwrap();
    put(&db, &doubled(2), Status::Candidate).await;
    applier.apply(&plan("b", ended(1000), None)).await.unwrap();
    put(&db, &doubled(2), Status::Retired).await;
    applier.apply(&plan("c", ended(1000), None)).await.unwrap();
    assert_eq!(talk(&db, "a").await, [(1, Some(1.0))]);
    assert_eq!(talk(&db, "b").await, [(1, Some(1.0)), (2, Some(2.0))]);
    assert_eq!(talk(&db, "c").await, [(1, Some(1.0))]);
}

#[tokio::test]
async fn a_draft_is_not_computed_not_even_for_a_job_that_names_its_version() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    put(&db, &doubled(2), Status::Draft).await;
    applier
        .apply(&plan("a", ended(1000), Some(2)))
        .await
        .unwrap();
    assert_eq!(talk(&db, "a").await, [(1, Some(1.0))]);
}

#[tokio::test]
async fn a_job_computes_the_past_under_a_candidate_although_no_fact_is_new_and_leaves_version_1_as_it_is()
 {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    applier.apply(&plan("a", ended(1000), None)).await.unwrap();
    let untouched = "SELECT xmin::text || ctid::text FROM computed_metrics WHERE metric_version = 1 ORDER BY metric_type";
    let before: Vec<String> = texts(&db, untouched).await;
    put(&db, &doubled(2), Status::Candidate).await;
    applier.apply(&plan("a", ended(1000), None)).await.unwrap();
    assert_eq!(
        talk(&db, "a").await.len(),
        1,
        "a repetition is no reason to compute"
    );
    applier
        .apply(&plan("a", ended(1000), Some(2)))
        .await
        .unwrap();
    assert_eq!(talk(&db, "a").await, [(1, Some(1.0)), (2, Some(2.0))]);
    assert_eq!(texts(&db, untouched).await, before);
}

#[tokio::test]
async fn a_job_computes_a_retired_version_and_nothing_else_revises_it() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    put(&db, &doubled(2), Status::Candidate).await;
    put(&db, &doubled(2), Status::Retired).await;
    applier
        .apply(&plan("a", ended(1000), Some(2)))
        .await
        .unwrap();
    let later = fact("3", TEN + 70_000, State::WrappedUp, Some(3000));
    applier.apply(&plan("a", vec![later], None)).await.unwrap();
    assert_eq!(talk(&db, "a").await, [(1, Some(3.0)), (2, Some(2.0))]);
}

#[tokio::test]
async fn a_draft_that_was_retired_was_never_switched_on_and_no_job_computes_it() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    put(&db, &doubled(2), Status::Retired).await;
    applier
        .apply(&plan("a", ended(1000), Some(2)))
        .await
        .unwrap();
    assert_eq!(talk(&db, "a").await, [(1, Some(1.0))]);
}

/// How many rows of version 1 belong to interactions that version 2 was not evaluated with.
async fn missing(db: &TestDb) -> i64 {
    let store = db.store().await;
    let client = store.client().await.unwrap();
    let (current, candidate) = (Some(MetricVersion(1)), MetricVersion(2));
    definitions::coverage(&client, "talk_time", current, candidate)
        .await
        .unwrap()
        .missing
}

#[tokio::test]
async fn a_row_from_before_a_version_was_switched_on_again_covers_nothing_until_a_job_computes_it()
{
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    put(&db, &doubled(2), Status::Candidate).await;
    applier.apply(&plan("a", ended(1000), None)).await.unwrap();
    assert_eq!(missing(&db).await, 0);
    put(&db, &doubled(2), Status::Retired).await;
    let later = fact("3", TEN + 70_000, State::WrappedUp, Some(5000));
    applier.apply(&plan("a", vec![later], None)).await.unwrap();
    put(&db, &doubled(2), Status::Candidate).await;
    assert_eq!(talk(&db, "a").await, [(1, Some(5.0)), (2, Some(2.0))]);
    assert_eq!(
        missing(&db).await,
        1,
        "version 2 has a row, but a stale one"
    );
    applier
        .apply(&plan("a", ended(1000), Some(2)))
        .await
        .unwrap();
    assert_eq!(talk(&db, "a").await, [(1, Some(5.0)), (2, Some(10.0))]);
    assert_eq!(missing(&db).await, 0);
}

#[tokio::test]
async fn what_a_release_could_not_read_does_not_count_as_computed() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    put(&db, &doubled(2), Status::Candidate).await;
    // This release reads version 2, and not another one that is switched on.
    let client = db.client().await;
    client
        .execute(
            "INSERT INTO kpi_definitions (name, version, unit, text, status, activated_at) \
             VALUES ('talk_time', 3, 'seconds', 'name = 7', 'candidate', now())",
            &[],
        )
        .await
        .unwrap();
    client
        .execute(
            "UPDATE kpi_definitions SET activated_generation = 1 WHERE version = 3",
            &[],
        )
        .await
        .unwrap();
    applier.apply(&plan("a", ended(1000), None)).await.unwrap();
    assert_eq!(missing(&db).await, 0);
    let store = db.store().await;
    let (current, unreadable) = (Some(MetricVersion(1)), MetricVersion(3));
    let client = store.client().await.unwrap();
    let coverage = definitions::coverage(&client, "talk_time", current, unreadable)
        .await
        .unwrap();
    assert_eq!(coverage.missing, 1);
}

#[tokio::test]
async fn a_job_for_one_version_touches_no_other_although_places_have_changed_since() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    let adjusted = "SELECT concat_ws(' ', metric_value, revision, metadata ->> 'zone') FROM computed_metrics \
                    WHERE metric_type = 'adjusted_aht'";
    // Ten in UTC is four in the morning in Chicago.
    applier.apply(&plan("a", ended(1000), None)).await.unwrap();
    assert_eq!(texts(&db, adjusted).await, ["1 1 UTC"]);
    put_places(
        &db,
        "places = 1\n[[organisation]]\nzone = 'America/Chicago'\n",
    )
    .await;
    put(&db, &doubled(2), Status::Candidate).await;
    applier
        .apply(&plan("a", ended(1000), Some(2)))
        .await
        .unwrap();
    assert_eq!(talk(&db, "a").await, [(1, Some(1.0)), (2, Some(2.0))]);
    assert_eq!(texts(&db, adjusted).await, ["1 1 UTC"]);
    applier
        .apply(&plan("a", ended(1000), Some(1)))
        .await
        .unwrap();
    assert_eq!(
        texts(&db, adjusted).await,
        ["0 2 America/Chicago"],
        "a job for version 1 is what computes it by the new places"
    );
}

async fn put_places(db: &TestDb, text: &str) {
    let store = db.store().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    definitions::change(&tx).await.unwrap();
    let places = timezone::Places::read(text).unwrap();
    catalogue::insert_places(&tx, &places, text).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_definition_that_cannot_be_read_is_left_out_and_its_neighbours_are_computed() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let broken: i32 = client
        .query_one(
            "INSERT INTO kpi_definitions (name, version, unit, text, status) VALUES ('broken', 1, 'seconds', 'name = 7', 'candidate') \
             RETURNING definition_id",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    let applier = Applier::new(db.store().await);
    applier.apply(&plan("a", ended(1000), None)).await.unwrap();
    assert_eq!(talk(&db, "a").await, [(1, Some(1.0))]);
    assert_eq!(applier.catalogue().known().unwrap().unreadable, [broken]);
}

#[tokio::test]
async fn a_batch_that_runs_keeps_its_catalogue_and_the_change_waits_for_it() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store_with(4).await);
    let mut client = applier.store().client().await.unwrap();
    let running = client.transaction().await.unwrap();
    let active = applier.catalogue().active(&running).await.unwrap();
    let changing = tokio::spawn({
        let url = db.url().to_owned();
        async move {
            let store = store::Store::connect(store::StoreConfig::new(url, "kpiline test"))
                .await
                .unwrap();
            let mut client = store.client().await.unwrap();
            let tx = client.transaction().await.unwrap();
            let generation = definitions::change(&tx).await.unwrap();
            tx.commit().await.unwrap();
            generation
        }
    });
    let watching = db.client().await;
    testkit::eventually(
        Duration::from_secs(20),
        "the change waits for the batch",
        async || {
            let waiting: i64 = watching
                .query_one(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                    &[],
                )
                .await
                .unwrap()
                .get(0);
            if waiting > 0 { Ok(()) } else { Err("nobody waits".to_owned()) }
        },
    )
    .await;
    running.commit().await.unwrap();
    let generation = changing.await.unwrap();
    assert!(generation > active.generation);
    let tx = client.transaction().await.unwrap();
    assert_eq!(
        applier.catalogue().active(&tx).await.unwrap().generation,
        generation
    );
}

fn sweeping() -> SweepConfig {
    SweepConfig {
        every: Duration::from_secs(60),
        wrap_up_grace: Duration::from_secs(900),
        confirm_within: Duration::from_secs(3600),
        max_age: MaxAge {
            default: Duration::from_secs(3600),
            by_media: BTreeMap::new(),
        },
    }
}

/// An hour and a bit from the server's now, in which the tests' rows were written.
async fn later(db: &TestDb) -> UtcMicros {
    let micros: i64 = db
        .client()
        .await
        .query_one(
            "SELECT (extract(epoch FROM now() + interval '61 minutes') * 1000000)::bigint",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    UtcMicros(micros)
}

async fn texts(db: &TestDb, sql: &str) -> Vec<String> {
    let rows = db.client().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

const REASONS: &str =
    "SELECT DISTINCT metadata ->> 'reason' FROM computed_metrics WHERE metric_value IS NULL";

#[tokio::test]
async fn an_interaction_that_never_ends_is_given_up_as_incomplete_asked_for_and_taken_up_again_when_it_ends()
 {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    let stop = CancellationToken::new();
    let open = vec![fact("1", TEN, State::Connected, Some(500))];
    applier.apply(&plan("a", open, None)).await.unwrap();
    let at = later(&db).await;
    let early = UtcMicros(at.0 - 10 * 60 * 1_000_000);
    let swept = sweep::round_as_of(&applier, &sweeping(), early, &stop)
        .await
        .unwrap();
    assert_eq!(swept.given_up, 0, "it may still end");
    let swept = sweep::round_as_of(&applier, &sweeping(), at, &stop)
        .await
        .unwrap();
    assert_eq!(swept.given_up, 1);
    assert_eq!(
        talk(&db, "a").await,
        [(1, None)],
        "no handle time without an end"
    );
    assert_eq!(texts(&db, REASONS).await, ["incomplete"]);
    assert_eq!(
        texts(&db, "SELECT interaction_id FROM history_requests").await,
        ["a"]
    );
    let swept = sweep::round_as_of(&applier, &sweeping(), at, &stop)
        .await
        .unwrap();
    assert_eq!(swept.given_up, 0, "once is enough");
    applier.apply(&plan("a", ended(7000), None)).await.unwrap();
    assert_eq!(talk(&db, "a").await, [(1, Some(7.0))]);
    let asked = texts(&db, "SELECT interaction_id FROM history_requests").await;
    assert_eq!(asked, Vec::<String>::new(), "it has ended: nobody need ask");
}

#[tokio::test]
async fn one_interaction_that_cannot_be_given_up_holds_no_other_back() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    let ids = ["a", "b", "c"];
    for id in ids {
        let open = vec![fact("1", TEN, State::Connected, Some(500))];
        applier.apply(&plan(id, open, None)).await.unwrap();
    }
    db.client()
        .await
        .execute(
            "UPDATE interactions SET state = '{\"v\": 999}' WHERE interaction_id = 'b'",
            &[],
        )
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let config = SweepConfig {
        // What cannot be read has no medium, and is not judged by one.
        max_age: MaxAge {
            default: Duration::from_secs(3600),
            by_media: BTreeMap::new(),
        },
        ..sweeping()
    };
    let swept = sweep::round_as_of(&applier, &config, later(&db).await, &stop)
        .await
        .unwrap();
    assert_eq!(swept.given_up, 2);
    assert_eq!(talk(&db, "a").await, [(1, None)]);
    assert_eq!(talk(&db, "c").await, [(1, None)]);
}

#[tokio::test]
async fn a_refused_interaction_is_parted_from_the_others_that_are_given_up() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    for id in ["a", "b", "c"] {
        let open = vec![fact("1", TEN, State::Connected, Some(500))];
        applier.apply(&plan(id, open, None)).await.unwrap();
    }
    // Whatever the reason, the store takes no row of this one.
    db.client()
        .await
        .batch_execute("ALTER TABLE computed_metrics ADD CHECK (interaction_id <> 'b')")
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let swept = sweep::round_as_of(&applier, &sweeping(), later(&db).await, &stop)
        .await
        .unwrap();
    assert_eq!(swept.given_up, 2);
    assert_eq!(talk(&db, "b").await, []);
    assert_eq!(
        texts(
            &db,
            "SELECT interaction_id FROM interactions WHERE swept_at IS NULL"
        )
        .await,
        ["b"]
    );
}

#[tokio::test]
async fn news_of_an_interaction_that_was_given_up_and_is_still_open_change_nothing() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    let open = vec![fact("1", TEN, State::Connected, Some(500))];
    applier.apply(&plan("a", open, None)).await.unwrap();
    let stop = CancellationToken::new();
    let at = later(&db).await;
    sweep::round_as_of(&applier, &sweeping(), at, &stop)
        .await
        .unwrap();
    let held = vec![fact("2", TEN + 5000, State::Held, Some(900))];
    applier.apply(&plan("a", held, None)).await.unwrap();
    assert_eq!(talk(&db, "a").await, [(1, None)]);
    assert_eq!(texts(&db, REASONS).await, ["incomplete"]);
}

#[tokio::test]
async fn an_interaction_is_settled_after_the_wrap_up_grace_and_unsettled_by_news() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    let stop = CancellationToken::new();
    let settled = "SELECT (settled_at IS NOT NULL)::text FROM interactions";
    applier.apply(&plan("a", ended(1000), None)).await.unwrap();
    let at = later(&db).await;
    let early = UtcMicros(at.0 - 60 * 60 * 1_000_000);
    sweep::round_as_of(&applier, &sweeping(), early, &stop)
        .await
        .unwrap();
    assert_eq!(texts(&db, settled).await, ["false"]);
    let swept = sweep::round_as_of(&applier, &sweeping(), at, &stop)
        .await
        .unwrap();
    assert_eq!(swept.settled, 1);
    assert_eq!(texts(&db, settled).await, ["true"]);
    let late = fact("3", TEN + 70_000, State::WrappedUp, Some(3000));
    applier.apply(&plan("a", vec![late], None)).await.unwrap();
    assert_eq!(texts(&db, settled).await, ["false"]);
}

#[tokio::test]
async fn an_unknown_zone_is_found_once_and_a_known_one_is_noted_as_in_use() {
    let db = TestDb::new().await;
    let applier = Applier::new(db.store().await);
    for (id, zone) in [
        ("a", "Mars/Phobos"),
        ("b", "Mars/Phobos"),
        ("c", "Asia/Kathmandu"),
    ] {
        let mut facts = ended(1000);
        facts[0].statement.agent = Some(schema::AgentRef {
            id: "anna".into(),
            zone: Some(zone.into()),
        });
        applier.apply(&plan(id, facts, None)).await.unwrap();
    }
    assert_eq!(
        texts(&db, "SELECT tenant || ' ' || stated FROM zone_findings").await,
        ["acme Mars/Phobos"]
    );
    let used = texts(&db, "SELECT zone FROM zones_in_use").await;
    assert!(used.contains(&"Asia/Kathmandu".to_owned()), "{used:?}");
}

#[tokio::test]
async fn the_servers_zone_data_are_compared_zone_by_zone() {
    let db = TestDb::new().await;
    let (differences, _) = compute::zone_data::look(&db.store().await, UtcMicros::from_millis(TEN))
        .await
        .unwrap();
    // Which zones differ depends on the server's release; that the great ones agree does not.
    for zone in [
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
    ] {
        assert!(
            differences.iter().all(|difference| difference.zone != zone),
            "{differences:?}"
        );
    }
}
