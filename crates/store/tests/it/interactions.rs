//! The session row: locked in key order, folded, written; nothing stale is ever left.

use crate::rows::{JUNE, MAY, db, interaction, number};
use std::sync::Arc;
use store::interactions::{self, ChangedInteraction, Filter, NewInteraction, Status};
use tokio::sync::Barrier;

fn changed(id: &str) -> ChangedInteraction<'_> {
    ChangedInteraction {
        tenant: "acme",
        interaction_id: id,
        started_at: Some(MAY),
        ended_at: Some(JUNE),
        status: Status::Terminal,
        customer_key: Some("c"),
        state_json: r#"{"v":1,"f":[1]}"#,
        facts: 1,
        metric_versions: &[3, 2, 2],
    }
}

#[tokio::test]
async fn only_what_is_new_is_inserted_and_the_partition_instant_stays() {
    let (_db, store) = db().await;
    let key = |id: &str| ("acme".to_owned(), id.to_owned());
    let first = [interaction("b"), interaction("a"), interaction("a")];
    assert_eq!(
        committed!(store, |tx| interactions::insert_new(
            &tx,
            &first,
            &interactions::Evaluated::NEVER
        )),
        [key("a"), key("b")]
    );
    let later = [
        NewInteraction {
            partition_at: JUNE,
            ..interaction("a")
        },
        interaction("c"),
    ];
    assert_eq!(
        committed!(store, |tx| interactions::insert_new(
            &tx,
            &later,
            &interactions::Evaluated::NEVER
        )),
        [key("c")]
    );
    assert_eq!(
        committed!(store, |tx| interactions::update(
            &tx,
            &[changed("a"), changed("z")],
            &interactions::Evaluated::NEVER
        )),
        1
    );
    let client = store.client().await.unwrap();
    let read = interactions::get(&client, "acme", "a")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            read.partition_at,
            read.ended_at,
            read.status,
            read.facts,
            read.metric_versions,
            read.revision
        ),
        (MAY, Some(JUNE), Status::Terminal, 1, vec![2, 3], 2)
    );
    assert_eq!(read.state_json, r#"{"f": [1], "v": 1}"#);
    assert_eq!(interactions::get(&client, "acme", "z").await.unwrap(), None);
    drop(client);
    let keys = [
        ("acme", "c"),
        ("acme", "absent"),
        ("acme", "a"),
        ("acme", "a"),
        ("zeta", "a"),
    ];
    let locked = committed!(store, |tx| interactions::lock(&tx, &keys));
    let ids: Vec<&str> = locked
        .iter()
        .map(|row| row.interaction_id.as_str())
        .collect();
    assert_eq!(ids, ["a", "c"]);
    let client = store.client().await.unwrap();
    let mut extents = interactions::extents(&client, &keys[..3]).await.unwrap();
    extents.sort_by(|one, other| one.interaction_id.cmp(&other.interaction_id));
    let known: Vec<(&str, &[i16])> = extents
        .iter()
        .map(|row| (row.interaction_id.as_str(), &row.metric_versions[..]))
        .collect();
    assert_eq!(known, [("a", &[2, 3][..]), ("c", &[])]);
    assert_eq!((extents[0].facts, extents[0].overfull), (1, false));
}

/// Each writer adds its own facts to the same sessions, in an order of its own, reading the state under the lock. If any write were based
/// on a stale state, a fact would be missing in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_writers_on_sixty_sessions_lose_nothing() {
    const WRITERS: usize = 8;
    const SESSIONS: usize = 60;
    const ROUNDS: usize = 12;
    let (db, store) = db().await;
    let barrier = Arc::new(Barrier::new(WRITERS));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (store, barrier) = (store.clone(), Arc::clone(&barrier));
        writers.spawn(async move {
            for round in 0..ROUNDS {
                barrier.wait().await;
                // A third of the sessions each time, starting elsewhere and running backwards for every other writer.
                let mut ids: Vec<String> = (0..SESSIONS / 3)
                    .map(|step| format!("int_{:02}", (writer * 7 + round * 20 + step) % SESSIONS))
                    .collect();
                if writer % 2 == 1 {
                    ids.reverse();
                }
                fold(&store, &ids, &format!("w{writer}r{round}")).await;
            }
        });
    }
    writers.join_all().await;
    let facts = number(
        &db,
        "SELECT sum(jsonb_array_length(state->'f'))::bigint FROM interactions",
    )
    .await;
    assert_eq!(
        facts,
        i64::try_from(WRITERS * ROUNDS * SESSIONS / 3).unwrap()
    );
    assert_eq!(
        number(
            &db,
            "SELECT count(*) FROM interactions WHERE facts <> jsonb_array_length(state->'f')"
        )
        .await,
        0
    );
}

async fn fold(store: &store::Store, ids: &[String], fact: &str) {
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let new: Vec<NewInteraction<'_>> = ids.iter().map(|id| interaction(id)).collect();
    interactions::insert_new(&tx, &new, &interactions::Evaluated::NEVER)
        .await
        .unwrap();
    let keys: Vec<(&str, &str)> = ids.iter().map(|id| ("acme", id.as_str())).collect();
    let locked = interactions::lock(&tx, &keys).await.unwrap();
    assert_eq!(locked.len(), ids.len());
    let states: Vec<(String, i32)> = locked
        .iter()
        .map(|row| {
            let mut state: serde_json::Value = serde_json::from_str(&row.state_json).unwrap();
            let facts = state
                .get_mut("f")
                .and_then(|facts| facts.as_array_mut())
                .unwrap();
            facts.push(fact.into());
            let count = i32::try_from(facts.len()).unwrap();
            (state.to_string(), count)
        })
        .collect();
    let rows: Vec<ChangedInteraction<'_>> = locked
        .iter()
        .zip(&states)
        .map(|(row, (state_json, facts))| ChangedInteraction {
            state_json,
            facts: *facts,
            ..changed(&row.interaction_id)
        })
        .collect();
    assert_eq!(
        interactions::update(&tx, &rows, &interactions::Evaluated::NEVER)
            .await
            .unwrap(),
        u64::try_from(rows.len()).unwrap()
    );
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_id_longer_than_an_index_allows_is_the_items_fault() {
    let (db, store) = db().await;
    // Not compressible, or it would fit.
    let long: String = (0..200)
        .map(|_| uuid::Uuid::new_v4().simple().to_string())
        .collect();
    let mut client = store.client().await.unwrap();
    let mut tx = client.transaction().await.unwrap();
    let part = tx.savepoint().await.unwrap();
    let error = interactions::insert_new(
        &part,
        &[interaction("a"), interaction(&long)],
        &interactions::Evaluated::NEVER,
    )
    .await
    .unwrap_err();
    assert_eq!(error.class(), store::Class::Rejected, "{error:?}");
    part.rollback().await.unwrap();
    interactions::insert_new(&tx, &[interaction("a")], &interactions::Evaluated::NEVER)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM interactions").await, 1);
}

#[tokio::test]
async fn pages_of_stored_interactions_miss_and_repeat_nothing() {
    let (_db, store) = db().await;
    let late = NewInteraction {
        started_at: Some(JUNE),
        ..interaction("d")
    };
    let unknown_start = NewInteraction {
        started_at: None,
        ..interaction("b")
    };
    let other_tenant = NewInteraction {
        tenant: "zeta",
        ..interaction("a")
    };
    let rows = [
        interaction("a"),
        unknown_start,
        interaction("c"),
        late,
        other_tenant,
    ];
    committed!(store, |tx| interactions::insert_new(
        &tx,
        &rows,
        &interactions::Evaluated::NEVER
    ));
    committed!(store, |tx| store::sweep::mark_swept(&tx, &[("acme", "c")]));
    let client = store.client().await.unwrap();
    let all = async |filter: Filter<'_>| {
        let mut found = Vec::new();
        let mut last: Option<(String, String)> = None;
        loop {
            let after = last.as_ref().map(|(tenant, id)| (&**tenant, &**id));
            let page = interactions::page(&client, &filter, after, 2)
                .await
                .unwrap();
            found.extend(
                page.iter()
                    .map(|row| format!("{}/{}", row.tenant, row.interaction_id)),
            );
            match page.last() {
                Some(row) if page.len() == 2 => {
                    last = Some((row.tenant.clone(), row.interaction_id.clone()));
                }
                _ => return found,
            }
        }
    };
    let everything = ["acme/a", "acme/b", "acme/c", "acme/d", "zeta/a"];
    assert_eq!(all(Filter::default()).await, everything);
    let acme = Filter {
        tenant: Some("acme"),
        ..Filter::default()
    };
    assert_eq!(all(acme).await, everything[..4]);
    let until_june = Filter {
        from: Some(MAY),
        to: Some(JUNE),
        ..acme
    };
    assert_eq!(all(until_june).await, ["acme/a", "acme/b", "acme/c"]);
    let from_june = Filter {
        from: Some(JUNE),
        ..Filter::default()
    };
    assert_eq!(all(from_june).await, ["acme/d"]);
    let page = interactions::page(&client, &acme, Some(("acme", "b")), 1)
        .await
        .unwrap();
    let row = page.first().unwrap();
    assert_eq!(
        (row.state_json.as_str(), row.swept),
        (r#"{"f": [], "v": 1}"#, true)
    );
}
