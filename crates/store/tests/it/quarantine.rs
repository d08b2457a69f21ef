//! The quarantine: what is held, which of it is meant, and what becomes of it.

use crate::rows::{MAY, db};
use schema::{DeliveryId, UtcMicros};
use store::Store;
use store::quarantine::{self, Filter, Held, QuarantineRow, Status};
use store::raw::Raw;
use uuid::Uuid;

fn held(index: i32) -> QuarantineRow<'static> {
    QuarantineRow {
        tenant: "acme",
        subscription: "hook",
        delivery_id: DeliveryId(Uuid::from_u128(1)),
        item_index: index,
        stage: "normalise",
        format: "\"genesys_webhook\"",
        reason: "no instant",
        field: Some("timestamp"),
        value: Some("a\0b"),
        expected: None,
        raw: b"\0\xff",
        raw_key: None,
        received_at: MAY,
        correlation: "c-1",
        job: None,
    }
}

fn of_status(status: Status) -> Filter {
    Filter {
        status: Some(status),
        ..Filter::default()
    }
}

fn numbered(numbers: &[i64]) -> Filter {
    Filter {
        numbers: Some(numbers.to_vec()),
        ..Filter::default()
    }
}

async fn list(store: &Store, filter: &Filter) -> Vec<Held> {
    let client = store.client().await.unwrap();
    quarantine::list(&client, filter, 100).await.unwrap()
}

/// The positions of the items that match.
async fn found(store: &Store, filter: Filter) -> Vec<i32> {
    let items = list(store, &filter).await;
    items.iter().map(|item| item.item_index).collect()
}

async fn release(store: &Store, filter: &Filter, items: u32, bytes: u64) -> Vec<i32> {
    let released = committed!(store, |tx| quarantine::release_next(
        &tx, filter, items, bytes
    ));
    released.iter().map(|item| item.item_index).collect()
}

#[tokio::test]
async fn quarantine_holds_an_item_once_until_it_is_settled() {
    let (_db, store) = db().await;
    let rows = [held(2), held(1), held(2)];
    assert_eq!(committed!(store, |tx| quarantine::insert(&tx, &rows)), 2);
    let rows = [held(2), held(3)];
    assert_eq!(committed!(store, |tx| quarantine::insert(&tx, &rows)), 1);
    let items = list(&store, &Filter::default()).await;
    let ids: Vec<i64> = items.iter().map(|item| item.id).collect();
    assert_eq!(found(&store, Filter::default()).await, [1, 2, 3]);
    let item = &items[0];
    assert_eq!(
        (&item.raw, item.value.as_deref(), item.status),
        (
            &Raw::Plain(b"\0\xff".to_vec()),
            Some("a\u{fffd}b"),
            Status::Held
        )
    );
    assert_eq!(release(&store, &numbered(&ids[..1]), 10, 100).await, [1]);
    let discarded = committed!(store, |tx| quarantine::discard_next(
        &tx,
        &numbered(&ids),
        10
    ));
    assert_eq!(discarded, ids[1..], "what is released is not discarded");
    let client = store.client().await.unwrap();
    assert_eq!(quarantine::held(&client).await.unwrap(), 0);
    let released = quarantine::find(&client, ids[0]).await.unwrap().unwrap();
    assert_eq!(released.status, Status::Released);
    assert!(released.settled_at >= Some(released.held_at));
    assert_eq!(quarantine::find(&client, 99).await.unwrap(), None);
    // What was refused once is known when it is settled too.
    let (known, other) = (held(1).delivery_id, DeliveryId(Uuid::from_u128(2)));
    let refused = async |stage: &'static str| {
        let found = quarantine::refused(&client, &[other, known], stage).await;
        found.unwrap().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(refused("normalise").await, [known]);
    assert_eq!(refused("compute").await, []);
}

#[tokio::test]
async fn each_condition_lets_only_its_own_through() {
    let (_db, store) = db().await;
    let other_delivery = DeliveryId(Uuid::from_u128(7));
    let rows = [
        held(0),
        QuarantineRow {
            tenant: "beta",
            ..held(1)
        },
        QuarantineRow {
            subscription: "files",
            ..held(2)
        },
        QuarantineRow {
            stage: "split",
            field: None,
            reason: "100% broken_json",
            ..held(3)
        },
        QuarantineRow {
            field: Some("state"),
            received_at: UtcMicros(MAY.0 + 1),
            ..held(4)
        },
        QuarantineRow {
            delivery_id: other_delivery,
            correlation: "c-2",
            ..held(5)
        },
    ];
    committed!(store, |tx| quarantine::insert(&tx, &rows));
    let only = async |change: fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        assert!(filter.is_restrictive());
        found(&store, filter).await
    };
    assert_eq!(only(|f| f.tenant = Some("beta".into())).await, [1]);
    assert_eq!(only(|f| f.subscription = Some("files".into())).await, [2]);
    assert_eq!(only(|f| f.stage = Some("split".into())).await, [3]);
    assert_eq!(only(|f| f.field = Some("state".into())).await, [4]);
    // Part of the text as it is written: neither of its marks is a wildcard.
    assert_eq!(only(|f| f.reason = Some("0% broken_".into())).await, [3]);
    assert_eq!(only(|f| f.reason = Some("%".into())).await, [3]);
    assert_eq!(only(|f| f.since = Some(UtcMicros(MAY.0 + 1))).await, [4]);
    assert_eq!(
        only(|f| f.until = Some(UtcMicros(MAY.0 + 1))).await,
        [0, 1, 2, 3, 5]
    );
    assert_eq!(
        only(|f| f.delivery = Some(DeliveryId(Uuid::from_u128(7)))).await,
        [5]
    );
    assert_eq!(only(|f| f.correlation = Some("c-2".into())).await, [5]);
    let all = list(&store, &Filter::default()).await;
    assert_eq!(found(&store, numbered(&[all[2].id, 99])).await, [2]);
    let page = Filter {
        after: all[1].id,
        through: Some(all[3].id),
        ..Filter::default()
    };
    assert!(!page.is_restrictive() && !of_status(Status::Held).is_restrictive());
    assert_eq!(found(&store, page).await, [2, 3]);
    committed!(store, |tx| quarantine::discard_next(
        &tx,
        &numbered(&[all[0].id]),
        10
    ));
    assert_eq!(found(&store, of_status(Status::Discarded)).await, [0]);
    assert_eq!(found(&store, of_status(Status::Held)).await.len(), 5);
}

#[tokio::test]
async fn values_do_not_make_groups_of_their_own() {
    let (_db, store) = db().await;
    let refused = |index, field, reason, expected| QuarantineRow {
        field,
        reason,
        expected,
        ..held(index)
    };
    let at = Some("an instant");
    let rows = [
        refused(0, Some("timestamp"), "timestamp: \"x\" is not allowed", at),
        refused(1, Some("timestamp"), "timestamp: \"y\" is not allowed", at),
        refused(2, Some("legs[0].id"), "legs[0].id: 5", Some("an id")),
        refused(3, Some("legs[17].id"), "legs[17].id: 6", Some("an id")),
        refused(4, None, "it breaks at byte 12 (\"{]\")", None),
        refused(5, None, "it breaks at byte 4711 (\"}\")", None),
        refused(6, None, "the body is empty", None),
    ];
    committed!(store, |tx| quarantine::insert(&tx, &rows));
    let client = store.client().await.unwrap();
    let groups = quarantine::groups(&client, &Filter::default(), 10).await;
    let groups = groups.unwrap();
    let told: Vec<_> = groups
        .iter()
        .map(|group| (group.field.as_deref(), group.reason.as_str(), group.items))
        .collect();
    assert_eq!(
        told,
        [
            (Some("legs[].id"), "an id", 2),
            (Some("timestamp"), "an instant", 2),
            (None, "it breaks at byte # …", 2),
            (None, "the body is empty", 1),
        ]
    );
    assert_eq!(
        (groups[0].bytes, groups[0].first, groups[0].last),
        (4, MAY, MAY)
    );
    assert!(groups[0].example < groups[3].example);
    let largest = quarantine::groups(&client, &Filter::default(), 1).await;
    assert_eq!(largest.unwrap().len(), 1);
}

#[tokio::test]
async fn a_batch_is_bounded_and_leaves_to_others_what_they_have_in_hand() {
    let (_db, store) = db().await;
    let rows: Vec<_> = (0..6).map(held).collect();
    committed!(store, |tx| quarantine::insert(&tx, &rows));
    let all = Filter::default();
    let mut client = store.client().await.unwrap();
    let to_do = quarantine::matching(&client, &all).await.unwrap();
    assert_eq!((to_do.items, to_do.bytes), (6, 12));

    let other = client.transaction().await.unwrap();
    let theirs = quarantine::release_next(&other, &all, 2, 100)
        .await
        .unwrap();
    assert_eq!(theirs.len(), 2);
    // Two bytes each: the third would make it six.
    assert_eq!(release(&store, &all, 10, 5).await, [2, 3]);
    assert_eq!(release(&store, &all, 10, 0).await, [4], "one always fits");
    // What the broker did not take stays; a transaction that is given up changes nothing.
    let mut second = store.client().await.unwrap();
    let tx = second.transaction().await.unwrap();
    let items = quarantine::release_next(&tx, &all, 10, 100).await.unwrap();
    let five: Vec<i64> = items.iter().map(|item| item.id).collect();
    quarantine::hold_again(&tx, &five).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(five.len(), 1);
    other.rollback().await.unwrap();
    assert_eq!(found(&store, of_status(Status::Held)).await, [0, 1, 5]);
    let to_do = quarantine::matching(&client, &all).await.unwrap();
    assert_eq!((to_do.items, to_do.last), (3, five[0]));
    assert_eq!(release(&store, &all, 10, 100).await, [0, 1, 5]);
    assert_eq!(release(&store, &all, 10, 100).await, [] as [i32; 0]);
}

#[tokio::test]
async fn an_item_refused_again_after_it_was_settled_is_held_again() {
    let (_db, store) = db().await;
    let rows = [held(1), held(2), held(3)];
    committed!(store, |tx| quarantine::insert(&tx, &rows));
    let ids: Vec<i64> = list(&store, &Filter::default())
        .await
        .iter()
        .map(|item| item.id)
        .collect();
    release(&store, &numbered(&ids[..1]), 10, 100).await;
    committed!(store, |tx| quarantine::discard_next(
        &tx,
        &numbered(&ids[1..2]),
        10
    ));

    let again = [1, 2, 3].map(|index| QuarantineRow {
        reason: "still no instant",
        ..held(index)
    });
    assert_eq!(
        committed!(store, |tx| quarantine::insert(&tx, &again)),
        2,
        "the third is held as it was"
    );
    let found: Vec<_> = list(&store, &of_status(Status::Held))
        .await
        .into_iter()
        .map(|item| (item.id, item.reason, item.settled_at))
        .collect();
    assert_eq!(
        found,
        [
            (ids[0], "still no instant".to_owned(), None),
            (ids[1], "still no instant".to_owned(), None),
            (ids[2], "no instant".to_owned(), None),
        ]
    );
}
