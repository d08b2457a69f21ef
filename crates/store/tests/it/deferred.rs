//! What a storm leaves: noted under the interaction's lock, taken by one worker, and gone once it is done.

use crate::rows::{MAY, db, interaction, number, seen};
use schema::UtcMicros;
use std::time::Duration;
use store::Store;
use store::deferred::{self, Deferred, Done, NewDeferred};
use store::interactions::{self, ChangedInteraction, Evaluated, Status};

const LATER: Duration = Duration::from_secs(600);

fn owed<'a>(id: &'a str, definitions: &'a [i32]) -> NewDeferred<'a> {
    NewDeferred {
        tenant: "acme",
        interaction_id: id,
        definitions,
        generation: Some(7),
        from: MAY,
    }
}

fn done<'a>(id: &'a str, of: &Deferred, left: &'a [i32]) -> Done<'a> {
    Done {
        tenant: "acme",
        interaction_id: id,
        activations: &[11, 12],
        completes: of.completes,
        left,
    }
}

/// Interactions with these debts.
async fn defer(store: &Store, rows: &[NewDeferred<'_>]) {
    let new: Vec<_> = rows
        .iter()
        .map(|row| interaction(row.interaction_id))
        .collect();
    committed!(store, |tx| interactions::insert_new(
        &tx,
        &new,
        &Evaluated::NEVER
    ));
    committed!(store, |tx| deferred::put(&tx, rows));
}

async fn news(store: &Store, id: &str) {
    let changed = ChangedInteraction {
        tenant: "acme",
        interaction_id: id,
        started_at: Some(MAY),
        ended_at: None,
        status: Status::Open,
        customer_key: None,
        state_json: "{}",
        facts: 9,
        metric_versions: &[],
    };
    let evaluated = Evaluated {
        generation: None,
        also: &[10],
    };
    committed!(store, |tx| interactions::update(
        &tx,
        &[changed],
        &evaluated
    ));
}

#[tokio::test]
async fn what_is_owed_adds_up_and_is_taken_once() {
    let (db, store) = db().await;
    defer(&store, &[owed("b", &[3, 1]), owed("a", &[2])]).await;
    let earlier = NewDeferred {
        from: UtcMicros(MAY.0 - 5),
        ..owed("b", &[5, 3])
    };
    committed!(store, |tx| deferred::put(&tx, &[earlier]));
    let backlog = deferred::backlog(&store.client().await.unwrap())
        .await
        .unwrap();
    assert_eq!(backlog.interactions, 2);
    assert!(backlog.since.is_some());

    let mut first = store.client().await.unwrap();
    let first = first.transaction().await.unwrap();
    let taken = deferred::take(&first, 10).await.unwrap();
    let short: Vec<_> = taken
        .iter()
        .map(|it| (it.interaction.interaction_id.as_str(), &it.definitions[..]))
        .collect();
    assert_eq!(short, [("a", &[2][..]), ("b", &[1, 3, 5][..])]);
    // Nobody waits for what another one has at hand.
    let other = committed!(store, |tx| deferred::take(&tx, 10));
    assert_eq!(other, []);
    let rows = [done("a", &taken[0], &[]), done("b", &taken[1], &[])];
    deferred::done(&first, &rows, LATER).await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(
        number(&db, "SELECT count(*) FROM deferred_evaluations").await,
        0
    );
    assert_eq!(
        seen(
            &db,
            "SELECT evaluated_generation, evaluated_also FROM interactions ORDER BY interaction_id"
        )
        .await,
        ["7|", "7|"],
        "everything of that generation was evaluated"
    );
    assert_eq!(
        deferred::backlog(&store.client().await.unwrap())
            .await
            .unwrap(),
        deferred::Backlog::default()
    );
}

#[tokio::test]
async fn a_limit_locks_no_more_than_it_takes() {
    let (_db, store) = db().await;
    let rows: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
    let rows: Vec<_> = rows.iter().map(|id| owed(id, &[1])).collect();
    defer(&store, &rows).await;
    let mut first = store.client().await.unwrap();
    let first = first.transaction().await.unwrap();
    assert_eq!(deferred::take(&first, 5).await.unwrap().len(), 5);
    let rest = committed!(store, |tx| deferred::take(&tx, 100));
    assert_eq!(rest.len(), 15);
}

#[tokio::test]
async fn with_other_facts_since_only_what_is_evaluated_counts() {
    let (db, store) = db().await;
    defer(&store, &[owed("a", &[1])]).await;
    news(&store, "a").await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let taken = deferred::take(&tx, 10).await.unwrap();
    assert_eq!(taken[0].completes, None);
    deferred::done(&tx, &[done("a", &taken[0], &[])], LATER)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let evaluated = "SELECT evaluated_generation, evaluated_also FROM interactions";
    assert_eq!(seen(&db, evaluated).await, ["|{10,11,12}"]);
}

#[tokio::test]
async fn what_stays_owed_or_is_postponed_is_not_taken_again_at_once() {
    let (db, store) = db().await;
    defer(&store, &[owed("a", &[1, 2]), owed("b", &[1])]).await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let taken = deferred::take(&tx, 10).await.unwrap();
    deferred::done(&tx, &[done("a", &taken[0], &[2])], LATER)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    deferred::postpone(&client, "acme", "b", LATER, "it is odd")
        .await
        .unwrap();
    drop(client);
    assert_eq!(committed!(store, |tx| deferred::take(&tx, 10)), []);
    let left = "SELECT interaction_id, definitions, due_at > deferred_at FROM deferred_evaluations ORDER BY 1";
    assert_eq!(seen(&db, left).await, ["a|{2}|t", "b|{1}|t"]);
    // New facts are another chance.
    committed!(store, |tx| deferred::put(&tx, &[owed("b", &[3])]));
    let taken = committed!(store, |tx| deferred::take(&tx, 10));
    assert_eq!(taken[0].definitions, [1, 3]);
}

#[tokio::test]
async fn what_is_refused_again_and_again_is_written_off_until_it_has_other_facts() {
    let (db, store) = db().await;
    defer(&store, &[owed("a", &[1]), owed("b", &[1])]).await;
    let client = store.client().await.unwrap();
    let off = "SELECT interaction_id, refused_for FROM deferred_evaluations WHERE written_off";
    let health = "SELECT measure, scope, value FROM pipeline_health WHERE measure LIKE 'deferred%' ORDER BY 1";
    for _ in 0..2 {
        deferred::postpone(&client, "acme", "b", LATER, "it is odd")
            .await
            .unwrap();
        assert_eq!(seen(&db, off).await, Vec::<String>::new());
    }
    deferred::postpone(&client, "acme", "b", LATER, "it is odd still")
        .await
        .unwrap();
    assert_eq!(seen(&db, off).await, ["b|it is odd still"]);
    assert_eq!(
        seen(&db, health).await,
        ["deferred_evaluations|acme|2", "deferred_refused|acme|1"]
    );
    drop(client);
    committed!(store, |tx| deferred::put(&tx, &[owed("b", &[1])]));
    assert_eq!(seen(&db, off).await, Vec::<String>::new());
    assert_eq!(seen(&db, health).await, ["deferred_evaluations|acme|2"]);
}
