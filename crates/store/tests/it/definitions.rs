//! Definitions are stored once, switched on, promoted and retired; no evaluation sees half a change.

use crate::rows::{db, interaction, metric, number, seen, until_someone_waits};
use schema::{MetricVersion, UtcMicros};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::definitions::{self, Inserted, NewDefinition, Promoted, Status};
use store::documents::{self, NewPlaces, NewSchedule};
use store::interactions::{Evaluated, EvaluatedInteraction, NewInteraction};
use store::metrics::{self, MetricRow};
use store::{Class, Store, StoreError, interactions};

const V1: MetricVersion = MetricVersion(1);
const V2: MetricVersion = MetricVersion(2);
const V3: MetricVersion = MetricVersion(3);

fn talk_time(version: MetricVersion) -> NewDefinition<'static> {
    NewDefinition {
        name: "talk_time",
        version,
        unit: "seconds",
        text: "name = \"talk_time\"",
        digest: &[1; 32],
    }
}

async fn insert(store: &Store, definition: &NewDefinition<'_>) -> Inserted {
    committed!(store, |tx| definitions::insert(&tx, definition))
}

async fn set(store: &Store, version: MetricVersion, status: Status) -> bool {
    committed!(store, |tx| definitions::set_status(
        &tx,
        "talk_time",
        version,
        status
    ))
}

async fn promote(store: &Store, version: MetricVersion) -> Promoted {
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    definitions::change(&tx).await.unwrap();
    let promoted = definitions::promote(&tx, "talk_time", version)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    promoted
}

/// What happens to a request that must change nothing.
async fn refused(store: &Store, version: MetricVersion, status: Status) -> StoreError {
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let error = definitions::set_status(&tx, "talk_time", version, status)
        .await
        .unwrap_err();
    // Nothing was written before the refusal, so even a caller that commits does no harm.
    tx.commit().await.unwrap();
    error
}

const STATUSES: &str = "SELECT version, status, activated_at IS NOT NULL FROM kpi_definitions WHERE name = 'talk_time' ORDER BY version";

#[tokio::test]
async fn a_version_keeps_its_text_for_ever() {
    let (_db, store) = db().await;
    assert_eq!(insert(&store, &talk_time(V2)).await, Inserted::New);
    let reworded = NewDefinition {
        text: "# a comment\nname = \"talk_time\"",
        ..talk_time(V2)
    };
    assert_eq!(insert(&store, &reworded).await, Inserted::Same);
    let changed = NewDefinition {
        text: "name = \"talk_time\"\nunit = \"count\"",
        unit: "count",
        digest: &[2; 32],
        ..talk_time(V2)
    };
    assert_eq!(
        insert(&store, &changed).await,
        Inserted::Differs {
            digest: vec![1; 32]
        }
    );
    let client = store.client().await.unwrap();
    let all = definitions::list(&client).await.unwrap();
    let of = |version| {
        all.iter()
            .find(|stored| stored.name == "talk_time" && stored.version == version)
    };
    let stored = of(V2).unwrap();
    assert_eq!(
        (
            stored.text.as_str(),
            stored.unit.as_str(),
            stored.status,
            stored.activated_at
        ),
        ("name = \"talk_time\"", "seconds", Status::Draft, None)
    );
    assert_eq!(of(V3), None);
}

#[tokio::test]
async fn a_seeded_row_takes_the_first_text_and_stays_current() {
    let (_db, store) = db().await;
    assert_eq!(insert(&store, &talk_time(V1)).await, Inserted::New);
    assert_eq!(insert(&store, &talk_time(V1)).await, Inserted::Same);
    let all = definitions::list(&store.client().await.unwrap())
        .await
        .unwrap();
    let seeded: Vec<(&str, bool)> = all
        .iter()
        .map(|row| {
            assert_eq!(
                (row.version, row.status),
                (V1, Status::Current),
                "{}",
                row.name
            );
            (row.name.as_str(), row.digest.is_some())
        })
        .collect();
    assert_eq!(
        seeded,
        [
            ("adjusted_aht", false),
            ("handle_time", false),
            ("hold_time", false),
            ("queue_wait", false),
            ("talk_time", true),
            ("wrap_time", false)
        ]
    );
}

#[tokio::test]
async fn a_version_goes_from_draft_over_candidate_to_current_and_back() {
    let (db, store) = db().await;
    for version in [V2, V3] {
        insert(&store, &talk_time(version)).await;
    }
    let error = refused(&store, V2, Status::Current).await;
    assert!(
        matches!(
            error,
            StoreError::NotCandidate {
                status: Some(Status::Draft),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!set(&store, MetricVersion(9), Status::Candidate).await);
    assert!(set(&store, V2, Status::Candidate).await);
    assert!(
        set(&store, V2, Status::Candidate).await,
        "once more is no error"
    );
    assert!(
        set(&store, V3, Status::Retired).await,
        "a draft may be given up"
    );
    assert_eq!(promote(&store, V2).await, Promoted { previous: Some(V1) });
    let rows = seen(&db, STATUSES).await;
    assert_eq!(rows, ["1|candidate|t", "2|current|t", "3|retired|f"]);

    let error = refused(&store, V2, Status::Retired).await;
    assert!(
        matches!(error, StoreError::CurrentVersion { .. }),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Rejected);
    assert_eq!(
        error.to_string(),
        "talk_time@2 is the current version; promote another one first"
    );

    let client = store.client().await.unwrap();
    let last = definitions::last_promotion(&client, "talk_time")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((last.version, last.previous), (Some(V2), Some(V1)));
    drop(client);
    assert_eq!(
        promote(&store, last.previous.unwrap()).await,
        Promoted { previous: Some(V2) }
    );
    assert!(set(&store, V2, Status::Retired).await);
    let rows = seen(&db, STATUSES).await;
    assert_eq!(rows, ["1|current|t", "2|retired|t", "3|retired|f"]);
    let error = refused(&store, V2, Status::Current).await;
    assert_eq!(
        error.to_string(),
        "talk_time@2 is retired, and only a candidate can be promoted"
    );
    assert_eq!(
        number(&db, "SELECT count(*) FROM kpi_promotions").await,
        2,
        "what was refused is not noted"
    );
}

#[tokio::test]
async fn the_first_version_of_a_new_kpi_replaces_nothing() {
    let (_db, store) = db().await;
    let definition = NewDefinition {
        name: "callbacks",
        ..talk_time(V1)
    };
    let promoted = {
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        definitions::change(&tx).await.unwrap();
        definitions::insert(&tx, &definition).await.unwrap();
        definitions::set_status(&tx, "callbacks", V1, Status::Candidate)
            .await
            .unwrap();
        let promoted = definitions::promote(&tx, "callbacks", V1).await.unwrap();
        tx.commit().await.unwrap();
        promoted
    };
    assert_eq!(promoted, Promoted { previous: None });
    let client = store.client().await.unwrap();
    let last = definitions::last_promotion(&client, "callbacks")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((last.version, last.previous), (Some(V1), None));
    assert_eq!(
        definitions::last_promotion(&client, "talk_time")
            .await
            .unwrap(),
        None
    );
}

/// A reader asks again and again while the pointer goes back and forth: each answer has exactly one version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_the_old_or_the_new_version_never_none_or_both() {
    let (db, store) = db().await;
    insert(&store, &talk_time(V2)).await;
    set(&store, V2, Status::Candidate).await;
    committed!(store, |tx| metrics::upsert(
        &tx,
        &[
            metric("int_1", 1.0),
            MetricRow {
                metric_version: V2,
                ..metric("int_1", 2.0)
            },
        ]
    ));
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (client, done) = (db.client().await, Arc::clone(&done));
        async move {
            let mut answers = [0_u32; 2];
            let statement = client
                .prepare("SELECT metric_version FROM metrics_current WHERE interaction_id = 'int_1' AND metric_type = 'talk_time'")
                .await
                .unwrap();
            while !done.load(Ordering::Relaxed) {
                let rows = client.query(&statement, &[]).await.unwrap();
                let versions: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
                match versions[..] {
                    [1] => answers[0] += 1,
                    [2] => answers[1] += 1,
                    _ => panic!("{versions:?}"),
                }
            }
            answers
        }
    });
    for _ in 0..100 {
        promote(&store, V2).await;
        promote(&store, V1).await;
    }
    done.store(true, Ordering::Relaxed);
    let answers = reader.await.unwrap();
    assert!(answers[0] > 0 && answers[1] > 0, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evaluation_under_way_delays_a_promotion_and_the_next_one_sees_it_whole() {
    let (db, store) = db().await;
    insert(&store, &talk_time(V2)).await;
    set(&store, V2, Status::Candidate).await;
    let mut client = store.client().await.unwrap();
    let batch = client.transaction().await.unwrap();
    let shared = definitions::generation_shared(&batch).await.unwrap();
    let generation = shared.generation;
    let promotion = tokio::spawn({
        let store = store.clone();
        async move { promote(&store, V2).await }
    });
    until_someone_waits(&db).await;
    // However late in its transaction it looks, it looks at the catalogue that it began with.
    let current = |all: Vec<definitions::StoredDefinition>| {
        all.into_iter()
            .find(|row| row.name == "talk_time" && row.status == Status::Current)
            .map(|row| row.version)
    };
    let looked = definitions::list(&batch).await.unwrap();
    assert_eq!(current(looked), Some(V1));
    assert_eq!(definitions::generation(&batch).await.unwrap(), generation);
    assert!(!promotion.is_finished());
    batch.commit().await.unwrap();
    promotion.await.unwrap();
    let batch = client.transaction().await.unwrap();
    let next = definitions::generation_shared(&batch).await.unwrap();
    assert_eq!(next.generation, generation + 1);
    let looked = definitions::list(&batch).await.unwrap();
    assert_eq!(current(looked), Some(V2));
}

/// The evaluation asks while the change is not committed. It must get the new generation, although its transaction is older.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evaluation_that_waited_for_a_change_gets_the_new_generation() {
    let (db, store) = db().await;
    let mut client = store.client().await.unwrap();
    let change = client.transaction().await.unwrap();
    let made = definitions::change(&change).await.unwrap();
    let evaluation = tokio::spawn({
        let store = store.clone();
        async move { committed!(store, |tx| definitions::generation_shared(&tx)) }
    });
    until_someone_waits(&db).await;
    change.commit().await.unwrap();
    assert_eq!(evaluation.await.unwrap().generation, made);
}

#[tokio::test]
async fn evaluations_do_not_wait_for_one_another() {
    let (_db, store) = db().await;
    let mut one = store.client().await.unwrap();
    let mut other = store.client().await.unwrap();
    let one = one.transaction().await.unwrap();
    let other = other.transaction().await.unwrap();
    let generation = definitions::generation_shared(&one).await.unwrap();
    assert_eq!(
        definitions::generation_shared(&other).await.unwrap(),
        generation
    );
}

/// Switches a version on and gives the generation and the activation that came of it.
async fn switch_on(store: &Store, version: MetricVersion) -> (i64, i64) {
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    definitions::change(&tx).await.unwrap();
    definitions::set_status(&tx, "talk_time", version, Status::Candidate)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let stored = definitions::list(&client).await.unwrap();
    let stored = stored
        .iter()
        .find(|stored| stored.name == "talk_time" && stored.version == version)
        .unwrap();
    (stored.activated_generation, stored.activation_id)
}

#[tokio::test]
async fn an_interaction_is_covered_by_what_its_facts_were_evaluated_by_and_not_by_the_rows_it_has()
{
    const LATER: UtcMicros = UtcMicros(1_800_000_000_000_000);
    let (_db, store) = db().await;
    insert(&store, &talk_time(V2)).await;
    let (generation, activation) = switch_on(&store, V2).await;
    let version = |id, version, leg_scope| MetricRow {
        metric_version: version,
        leg_scope,
        ..metric(id, 1.0)
    };
    let by = |generation| Evaluated {
        generation,
        also: &[],
    };
    for (id, evaluated) in [
        // By all that was switched on in a catalogue with the candidate: covered, whatever rows came of it.
        ("a", by(Some(generation))),
        // Before it was switched on: not covered, although there is a row.
        ("b", by(Some(generation - 1))),
        // By this activation alone.
        (
            "c",
            Evaluated {
                generation: None,
                also: &[activation],
            },
        ),
        // By another one: an earlier activation of the same version, say.
        (
            "d",
            Evaluated {
                generation: Some(0),
                also: &[activation + 1000],
            },
        ),
    ] {
        committed!(store, |tx| interactions::insert_new(
            &tx,
            &[NewInteraction {
                status: interactions::Status::Terminal,
                ..interaction(id)
            }],
            &evaluated
        ));
    }
    let rows = [
        version("a", V1, "leg_1"),
        version("a", V1, "leg_2"),
        version("b", V1, ""),
        version("b", V2, ""),
        version("c", V1, ""),
        MetricRow {
            timestamp_utc: LATER,
            ..version("d", V1, "")
        },
    ];
    committed!(store, |tx| metrics::upsert(&tx, &rows));
    let client = store.client().await.unwrap();
    let coverage = definitions::coverage(&client, "talk_time", Some(V1), V2)
        .await
        .unwrap();
    assert_eq!((coverage.current_rows, coverage.missing), (5, 2));
    assert_eq!(coverage.span, Some((metric("b", 1.0).timestamp_utc, LATER)));
    let back = definitions::coverage(&client, "talk_time", Some(V2), V1)
        .await
        .unwrap();
    assert_eq!(
        (back.current_rows, back.missing),
        (1, 0),
        "version 1 was on since ever"
    );
    assert_eq!(
        definitions::rows(&client, "talk_time", V2).await.unwrap(),
        1
    );

    // Without a current version what counts is what has ended and has rows.
    let first = definitions::coverage(&client, "talk_time", None, V2)
        .await
        .unwrap();
    assert_eq!((first.current_rows, first.missing), (4, 2));

    // A job evaluates the two by this activation.
    let also = [activation];
    let noted = ["b", "d"].map(|id| EvaluatedInteraction {
        tenant: "acme",
        interaction_id: id,
        metric_versions: &[2],
        also: &also,
    });
    let before = revisions(&store).await;
    assert_eq!(
        committed!(store, |tx| interactions::note_evaluated(&tx, &noted)),
        2
    );
    assert_eq!(
        committed!(store, |tx| interactions::note_evaluated(&tx, &noted)),
        0,
        "what is noted is not written again"
    );
    assert_eq!(revisions(&store).await, before, "it is no news");
    let coverage = definitions::coverage(&client, "talk_time", Some(V1), V2)
        .await
        .unwrap();
    assert_eq!((coverage.missing, coverage.example), (0, None));

    // Retired and switched on again: what it was evaluated by before does not count.
    assert!(set(&store, V2, Status::Retired).await);
    switch_on(&store, V2).await;
    let coverage = definitions::coverage(&client, "talk_time", Some(V1), V2)
        .await
        .unwrap();
    assert_eq!(coverage.missing, 5);
}

async fn revisions(store: &Store) -> Vec<i64> {
    let client = store.client().await.unwrap();
    let mut revisions = Vec::new();
    for id in ["b", "d"] {
        let stored = interactions::get(&client, "acme", id).await.unwrap();
        revisions.push(stored.unwrap().revision);
    }
    revisions
}

#[tokio::test]
async fn a_first_promotion_can_be_withdrawn_and_the_version_goes_on_being_computed() {
    let (db, store) = db().await;
    let withdrawn = {
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        definitions::change(&tx).await.unwrap();
        let withdrawn = definitions::withdraw(&tx, "talk_time").await.unwrap();
        assert_eq!(definitions::withdraw(&tx, "talk_time").await.unwrap(), None);
        tx.commit().await.unwrap();
        withdrawn
    };
    assert_eq!(withdrawn, Some(V1));
    assert_eq!(seen(&db, STATUSES).await, ["1|candidate|t"]);
    let client = store.client().await.unwrap();
    let last = definitions::last_promotion(&client, "talk_time")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((last.version, last.previous), (None, Some(V1)));
}

#[tokio::test]
async fn schedules_and_places_keep_their_text_too() {
    let (_db, store) = db().await;
    let schedule = NewSchedule {
        name: "office",
        version: V1,
        text: "name = \"office\"",
        digest: &[1; 32],
    };
    let other = NewSchedule {
        digest: &[2; 32],
        ..schedule
    };
    let differs = Inserted::Differs {
        digest: vec![1; 32],
    };
    let put = async |schedule| committed!(store, |tx| documents::insert_schedule(&tx, &schedule));
    assert_eq!(put(schedule).await, Inserted::New);
    assert_eq!(put(schedule).await, Inserted::Same);
    assert_eq!(put(other).await, differs);
    assert_eq!(
        put(NewSchedule {
            version: V2,
            ..other
        })
        .await,
        Inserted::New
    );

    let places = NewPlaces {
        version: V2,
        text: "version = 2",
        digest: &[1; 32],
    };
    let put = async |places| committed!(store, |tx| documents::insert_places(&tx, &places));
    let client = store.client().await.unwrap();
    assert_eq!(documents::latest_places(&client).await.unwrap(), None);
    assert_eq!(put(places).await, Inserted::New);
    assert_eq!(put(places).await, Inserted::Same);
    assert_eq!(
        put(NewPlaces {
            digest: &[2; 32],
            ..places
        })
        .await,
        differs
    );
    // An older number that comes later does not hold.
    assert_eq!(
        put(NewPlaces {
            version: V1,
            ..places
        })
        .await,
        Inserted::New
    );
    let latest = documents::latest_places(&client).await.unwrap().unwrap();
    assert_eq!((latest.version, latest.text.as_str()), (V2, "version = 2"));
    let versions: Vec<_> = documents::list_places(&client)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.version)
        .collect();
    assert_eq!(versions, [V1, V2]);
    let schedules: Vec<_> = documents::list_schedules(&client)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.name, row.version, row.digest))
        .collect();
    assert_eq!(
        schedules,
        [
            ("office".to_owned(), V1, vec![1; 32]),
            ("office".to_owned(), V2, vec![2; 32])
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_a_definition_is_refused_as_the_items_fault() {
    let (_db, store) = db().await;
    let wrong = [
        NewDefinition {
            name: "nul\0",
            ..talk_time(V2)
        },
        NewDefinition {
            text: "\0",
            ..talk_time(V2)
        },
        NewDefinition {
            name: "Talk Time",
            ..talk_time(V2)
        },
        NewDefinition {
            version: MetricVersion(40_000),
            ..talk_time(V2)
        },
        NewDefinition {
            digest: b"short",
            ..talk_time(V2)
        },
    ];
    for definition in wrong {
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let error = definitions::insert(&tx, &definition).await.unwrap_err();
        assert_eq!(error.class(), Class::Rejected, "{definition:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_dashboard_sees_beside_the_number_whether_to_trust_it() {
    let (db, store) = db().await;
    committed!(store, |tx| interactions::insert_new(
        &tx,
        &[interaction("a"), interaction("b")],
        &interactions::Evaluated::NEVER
    ));
    let absent = MetricRow {
        metric_value: None,
        metadata_json: r#"{"reason":"incomplete"}"#,
        ..metric("b", 0.0)
    };
    // One row without an interaction: retention may drop the one before the other.
    let rows = [metric("a", 1.0), absent, metric("c", 3.0)];
    committed!(store, |tx| metrics::upsert(&tx, &rows));
    db.client()
        .await
        .batch_execute("UPDATE interactions SET settled_at = now() WHERE interaction_id = 'a'")
        .await
        .unwrap();
    let shown = seen(
        &db,
        "SELECT interaction_id, metric_value, reason, settled, provenance ->> 'tzdb' FROM metrics_current ORDER BY 1",
    )
    .await;
    assert_eq!(
        shown,
        ["a|1||t|2026a", "b||incomplete|f|2026a", "c|3||f|2026a"]
    );
    let plan = async |columns: &str| {
        seen(
            &db,
            &format!(
                "EXPLAIN SELECT {columns} FROM metrics_current WHERE metric_type = 'talk_time'"
            ),
        )
        .await
        .join("\n")
    };
    assert!(plan("settled").await.contains("interactions"));
    let without = plan("sum(metric_value)").await;
    assert!(
        !without.contains("interactions"),
        "who does not ask for settled does not pay for it: {without}"
    );
}
