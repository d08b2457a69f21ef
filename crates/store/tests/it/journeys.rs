//! A customer's contacts are found in the order of their starts, and who evaluates them keeps others out.

use crate::rows::{JUNE, MAY, db, interaction, seen, until_someone_waits};
use schema::{Millis, UtcMicros};
use store::interactions::{self, NewInteraction};
use store::journeys::{self, Contact, Left, Noted, Reach};
use store::{Store, StoreError};

fn contact<'a>(id: &'a str, customer_key: Option<&'a str>, started_ms: i64) -> NewInteraction<'a> {
    NewInteraction {
        customer_key,
        started_at: Some(MAY.plus(Millis(started_ms))),
        ..interaction(id)
    }
}

async fn insert(store: &Store, rows: &[NewInteraction<'_>]) {
    committed!(store, |tx| interactions::insert_new(
        &tx,
        rows,
        &interactions::Evaluated::NEVER
    ));
}

fn from(ms: i64, id: &str) -> Reach<'_> {
    Reach {
        tenant: "acme",
        customer_key: "k",
        at: MAY.plus(Millis(ms)),
        interaction_id: id,
    }
}

fn ids(contacts: &[Contact]) -> Vec<&str> {
    let ids = contacts.iter();
    ids.map(|contact| contact.interaction_id.as_str()).collect()
}

async fn some_contacts(store: &Store) {
    insert(
        store,
        &[
            contact("d", Some("k"), 3),
            contact("b", Some("k"), 1),
            contact("c", Some("k"), 1),
            contact("a", Some("k"), 0),
            contact("other", Some("k2"), 1),
            contact("nobody", None, 1),
            NewInteraction {
                tenant: "zeta",
                ..contact("e", Some("k"), 1)
            },
        ],
    )
    .await;
}

#[tokio::test]
async fn contacts_are_found_both_ways_page_by_page() {
    let (_db, store) = db().await;
    some_contacts(&store).await;
    let client = store.client().await.unwrap();
    let before = journeys::before(&client, &[from(3, ""), from(1, "c"), from(0, "")], 2)
        .await
        .unwrap();
    let found: Vec<_> = before.iter().map(|page| ids(page)).collect();
    assert_eq!(found, [vec!["c", "b"], vec!["b", "a"], vec![]]);
    let after = journeys::after(&client, &[from(0, ""), from(1, "b"), from(3, "d")], 2)
        .await
        .unwrap();
    let found: Vec<_> = after.iter().map(|page| ids(page)).collect();
    assert_eq!(found, [vec!["a", "b"], vec!["c", "d"], vec![]]);
    assert_eq!(after[0][1].started_at, MAY.plus(Millis(1)));
    assert_eq!(after[0][1].ended_at, None);
    assert_eq!(
        journeys::after(&client, &[], 2).await.unwrap(),
        [] as [Vec<Contact>; 0]
    );
    let nul = journeys::after(&client, &[from(0, "a\0")], 2).await;
    assert!(matches!(nul, Err(StoreError::Nul { .. })));
    let mut read = journeys::read(
        &client,
        &[("acme", "a"), ("acme", "nobody"), ("acme", "no")],
    )
    .await
    .unwrap();
    read.sort_by(|one, other| one.interaction_id.cmp(&other.interaction_id));
    let seen: Vec<_> = read
        .iter()
        .map(|contact| (&*contact.interaction_id, contact.customer_key.as_deref()))
        .collect();
    assert_eq!(seen, [("a", Some("k")), ("nobody", None)]);
    assert_eq!(read[0].partition_at, MAY);
}

#[tokio::test]
async fn contacts_come_from_the_index_however_many_others_there_are() {
    let (db, store) = db().await;
    some_contacts(&store).await;
    let client = db.client().await;
    client
        .batch_execute(
            "INSERT INTO interactions (tenant, interaction_id, partition_at, started_at, status, state, facts, customer_key) \
             SELECT 'acme', 'x' || n, now(), now() + n * interval '1 s', 'terminal', '{}', 1, \
                    CASE WHEN n % 2 = 0 THEN 'shared' ELSE 'k' || n END FROM generate_series(1, 20000) n; ANALYZE interactions",
        )
        .await
        .unwrap();
    client
        .batch_execute("SET plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    for (name, step) in [
        ("before", "look for a customer's earlier contacts"),
        ("after", "look for a customer's later contacts"),
    ] {
        let sql = store::statements::all()
            .find(|sql| sql.step == step)
            .unwrap();
        client
            .batch_execute(&format!("PREPARE {name} AS {}", sql.text))
            .await
            .unwrap();
        let plan = client
            .simple_query(&format!(
                "EXPLAIN (COSTS OFF) EXECUTE {name} ('{{acme}}', '{{shared}}', '{{2024-01-01Z}}', '{{\"\"}}', 32)"
            ))
            .await
            .unwrap();
        let plan: Vec<String> = plan
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .collect();
        let plan = plan.join("\n");
        assert!(plan.contains("interactions_contacts"), "{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
        // All of a shared number's contacts would be read for the first few.
        assert!(!plan.contains("Sort"), "{plan}");
    }
}

#[tokio::test]
async fn an_update_of_a_contact_stays_on_its_page() {
    let (db, store) = db().await;
    some_contacts(&store).await;
    let hot = "SELECT (pg_stat_get_xact_tuples_hot_updated('interactions'::regclass), \
                       pg_stat_get_xact_tuples_updated('interactions'::regclass))::text";
    let client = db.client().await;
    client
        .batch_execute("BEGIN; UPDATE interactions SET state = '{\"v\":1}', revision = revision + 1, ended_at = now() WHERE tenant = 'acme'")
        .await
        .unwrap();
    let row = client.query_one(hot, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "(6,6)");
}

#[tokio::test]
async fn a_journey_is_locked_by_one_and_left_to_it_by_others() {
    let (_db, store) = db().await;
    let mut first = store.client().await.unwrap();
    let mine = first.transaction().await.unwrap();
    let locked = journeys::lock(&mine, &[("acme", "b"), ("acme", "a"), ("acme", "b")])
        .await
        .unwrap();
    let keys: Vec<_> = locked.iter().map(|row| row.customer_key.as_str()).collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(
        (locked[0].longest, locked[0].due_at, locked[0].gone.len()),
        (Millis(0), None, 0)
    );
    mine.commit().await.unwrap();
    let mine = first.transaction().await.unwrap();
    journeys::lock(&mine, &[("acme", "b")]).await.unwrap();
    let theirs = committed!(store, |tx| journeys::lock(
        &tx,
        &[("acme", "a"), ("acme", "b")]
    ));
    assert_eq!(theirs.len(), 1);
    assert_eq!(theirs[0].customer_key, "a");
}

fn noted(customer_key: &str, due_at: Option<UtcMicros>) -> Noted<'_> {
    Noted {
        tenant: "acme",
        customer_key,
        contacts: 3,
        longest: Millis(7),
        due_at,
    }
}

#[tokio::test]
async fn what_is_due_comes_first_due_first_page_by_page() {
    let (db, store) = db().await;
    let keys = ["a", "b", "c", "d", "never"];
    let pairs: Vec<_> = keys.iter().map(|key| ("acme", *key)).collect();
    committed!(store, |tx| journeys::lock(&tx, &pairs));
    let rows = [
        noted("d", Some(MAY)),
        noted("b", Some(MAY)),
        noted("a", Some(MAY.plus(Millis(1)))),
        noted("c", Some(JUNE)),
        noted("never", None),
    ];
    assert_eq!(committed!(store, |tx| journeys::note(&tx, &rows)), 5);
    // The same again is no change.
    assert_eq!(committed!(store, |tx| journeys::note(&tx, &rows)), 0);
    let client = store.client().await.unwrap();
    let mut found = Vec::new();
    let mut last = None;
    loop {
        let page = journeys::due(&client, MAY.plus(Millis(1)), last.as_ref(), 2)
            .await
            .unwrap();
        let Some(latest) = page.last() else { break };
        found.extend(page.iter().map(|due| due.customer_key.clone()));
        last = Some(latest.clone());
    }
    assert_eq!(found, ["b", "d", "a"]);
    let kept = "SELECT contacts, longest_ms FROM journeys WHERE customer_key = 'a'";
    assert_eq!(seen(&db, kept).await, ["3|7"]);
}

fn left<'a>(customer_key: &'a str, interaction_id: &'a str) -> Left<'a> {
    Left {
        tenant: "acme",
        customer_key,
        interaction_id,
    }
}

#[tokio::test]
async fn who_takes_a_key_away_waits_for_the_evaluation_under_way() {
    let (db, store) = db().await;
    let rows = [
        left("k", "int_2"),
        left("k", "int_1"),
        left("k", "int_2"),
        left("m", "int_3"),
    ];
    committed!(store, |tx| journeys::left(&tx, &rows));
    committed!(store, |tx| journeys::left(&tx, &[left("k", "int_1")]));
    committed!(store, |tx| journeys::left(&tx, &[]));
    let mut first = store.client().await.unwrap();
    let mine = first.transaction().await.unwrap();
    let locked = journeys::lock(&mine, &[("acme", "k")]).await.unwrap();
    assert_eq!(locked[0].gone, ["int_1", "int_2"]);
    let other = store.clone();
    let waits = tokio::spawn(async move {
        committed!(other, |tx| journeys::left(&tx, &[left("k", "int_9")]));
    });
    until_someone_waits(&db).await;
    journeys::note(&mine, &[noted("k", None)]).await.unwrap();
    mine.commit().await.unwrap();
    waits.await.unwrap();
    let gone = "SELECT customer_key, gone::text FROM journeys ORDER BY 1";
    assert_eq!(seen(&db, gone).await, ["k|{int_9}", "m|{int_3}"]);
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let nul = journeys::left(&tx, &[left("k\0", "int")]).await;
    assert!(matches!(nul, Err(StoreError::Nul { .. })));
}
