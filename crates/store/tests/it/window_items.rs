//! Items are written as differences and read by subject and by cell.

use crate::rows::{MAY, number};
use schema::UtcMicros;
use store::window_items::{self, Item, Source};
use store::{Store, StoreError};
use testkit::TestDb;

fn cell(quarter: i64) -> UtcMicros {
    UtcMicros(MAY.0 - MAY.0 % 900_000_000 + quarter * 900_000_000)
}

fn item(subject: &str, quarter: i64) -> Item {
    Item {
        subject: subject.into(),
        cell: cell(quarter),
        ordinal: 0,
        agent_id: Some("anna".into()),
        queue_id: None,
        media: Some("voice".into()),
        direction: Some("inbound".into()),
        team: None,
        attributes: Some(r#"{"brand":"blue","site":"\u0000"}"#.into()),
        measures: vec![(1, 300_000, 1), (7, -5, 900_000)],
    }
}

async fn write(store: &Store, put: &[(&str, &Item)], gone: &[(&str, &str, UtcMicros, i16)]) {
    committed!(store, |tx| window_items::write(
        &tx,
        Source::Interaction,
        put,
        gone
    ));
}

async fn of_subject(store: &Store, subject: &str) -> Vec<Item> {
    let client = store.client().await.unwrap();
    let found = window_items::of_subjects(&client, Source::Interaction, &[("acme", subject)])
        .await
        .unwrap();
    found
        .into_iter()
        .map(|(tenant, item)| {
            assert_eq!(tenant, "acme");
            item
        })
        .collect()
}

#[tokio::test]
async fn an_item_comes_back_to_the_byte() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let bare = Item {
        agent_id: None,
        media: None,
        direction: None,
        attributes: None,
        measures: vec![],
        ordinal: 3,
        ..item("int_1", 0)
    };
    let items = [item("int_1", 0), bare, item("int_1", 5)];
    let put: Vec<_> = items.iter().rev().map(|item| ("acme", item)).collect();
    write(&store, &put, &[]).await;
    assert_eq!(of_subject(&store, "int_1").await, items);
    assert_eq!(of_subject(&store, "int_2").await, []);

    let client = store.client().await.unwrap();
    let mut sums = Vec::new();
    window_items::for_each_of_cells(
        &client,
        "acme",
        &[cell(0), cell(0), cell(5), cell(9)],
        |item| {
            sums.push((
                item.cell,
                item.agent_id.map(str::to_owned),
                item.measures.to_vec(),
            ));
        },
    )
    .await
    .unwrap();
    sums.sort();
    let anna = Some("anna".to_owned());
    assert_eq!(
        sums,
        [
            (cell(0), None, vec![]),
            (cell(0), anna.clone(), items[0].measures.clone()),
            (cell(5), anna, items[2].measures.clone()),
        ]
    );
}

#[tokio::test]
async fn what_is_gone_goes_and_what_is_equal_is_not_written() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let (first, second) = (item("int_1", 0), item("int_1", 1));
    write(&store, &[("acme", &first), ("acme", &second)], &[]).await;
    let before = number(
        &db,
        "SELECT sum(xmin::text::bigint)::bigint FROM window_items",
    )
    .await;
    write(&store, &[("acme", &first), ("acme", &second)], &[]).await;
    let after = number(
        &db,
        "SELECT sum(xmin::text::bigint)::bigint FROM window_items",
    )
    .await;
    assert_eq!(before, after);

    // It moved to the next cell with another value; a later item of the same key holds.
    let changed = Item {
        measures: vec![(1, 1, 1)],
        ..second.clone()
    };
    let gone = [
        ("acme", "int_1", cell(0), 0),
        ("acme", "int_1", cell(0), 0),
        ("bolt", "int_1", cell(1), 0),
    ];
    write(&store, &[("acme", &second), ("acme", &changed)], &gone).await;
    assert_eq!(of_subject(&store, "int_1").await, [changed]);
}

#[tokio::test]
async fn an_agents_cells_are_read_by_stretch_and_sources_stay_apart() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let items: Vec<Item> = (0..4).map(|quarter| item("anna", quarter)).collect();
    let put: Vec<_> = items.iter().map(|item| ("acme", item)).collect();
    committed!(store, |tx| window_items::write(
        &tx,
        Source::Agent,
        &put,
        &[]
    ));
    write(&store, &put[..1], &[]).await;
    let client = store.client().await.unwrap();
    let found = window_items::of_agent_cells(&client, "acme", &["bert", "anna"], cell(1), cell(3))
        .await
        .unwrap();
    assert_eq!(found, items[1..3]);
    let mut of_both = 0;
    window_items::for_each_of_cells(&client, "acme", &[cell(0)], |_| of_both += 1)
        .await
        .unwrap();
    assert_eq!(
        of_both, 2,
        "what an interaction adds and what an agent does"
    );
    let none: [(&str, &str); 0] = [];
    let none = window_items::of_subjects(&client, Source::Journey, &none).await;
    assert_eq!(none.unwrap(), []);
}

#[tokio::test]
async fn a_text_that_cannot_be_stored_is_refused_before_anything_is_sent() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let bad = Item {
        queue_id: Some("q\0".into()),
        ..item("int_1", 0)
    };
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let error = window_items::write(&tx, Source::Interaction, &[("acme", &bad)], &[])
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Nul { column: "queue_id" }),
        "{error:?}"
    );
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn bytes_that_nobody_packed_are_told_and_not_summed() {
    let db = TestDb::new().await;
    let store = db.store().await;
    write(&store, &[("acme", &item("int_1", 0))], &[]).await;
    db.client()
        .await
        .batch_execute("UPDATE window_items SET measures = '\\x0280'")
        .await
        .unwrap();
    let client = store.client().await.unwrap();
    let error = window_items::for_each_of_cells(&client, "acme", &[cell(0)], |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Unreadable { column: "window_items.measures", value } if value == "0280"),
        "{error:?}"
    );
    // The connection is none the worse for it.
    window_items::for_each_of_cells(&client, "acme", &[cell(9)], |_| {})
        .await
        .unwrap();
}
