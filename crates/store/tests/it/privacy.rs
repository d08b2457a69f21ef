//! Raw bytes that are sealed, expire or are erased; what is told of it, and what stays.

use crate::rows::{JUNE, MAY, db, interaction, log_row, now, number, seen};
use schema::{DeliveryId, UtcMicros};
use store::erasures::{self, Subject};
use store::event_log::{self, Appended, LogRow, Place};
use store::interactions::{self, Evaluated, NewInteraction};
use store::quarantine::{self, Filter, QuarantineRow, Status};
use store::raw::{Gone, Raw};
use store::raw_retention::{self, Walk};
use store::{Store, StoreError, journeys};
use uuid::Uuid;

const DAY: i64 = 86_400_000_000;

async fn raws(store: &Store) -> Vec<Raw> {
    let client = store.client().await.unwrap();
    let to = UtcMicros(JUNE.0 + DAY);
    let rows = event_log::scan(&client, MAY, to, None, None, 100).await;
    rows.unwrap().into_iter().map(|row| row.raw).collect()
}

#[tokio::test]
async fn plain_and_sealed_rows_lie_side_by_side() {
    let (_db, store) = db().await;
    let rows = [
        log_row(1),
        LogRow {
            raw: b"envelope",
            raw_key: Some("2026-11"),
            ..log_row(2)
        },
    ];
    committed!(store, |tx| event_log::append(&tx, &rows));
    assert_eq!(
        raws(&store).await,
        [
            Raw::Plain(b"{\"a\": 1.0}".to_vec()),
            Raw::Sealed {
                key: "2026-11".to_owned(),
                bytes: b"envelope".to_vec()
            }
        ]
    );
}

#[tokio::test]
async fn bytes_expire_once_event_and_reception_are_old_and_a_copy_stays_a_copy() {
    let (_db, store) = db().await;
    let at = |days: i64| UtcMicros(MAY.0 + days * DAY);
    let row = |key: u128, occurred: i64, received: i64| LogRow {
        occurred_at: at(occurred),
        received_at: at(received),
        ..log_row(key)
    };
    // The second is old and came late, the fourth is new.
    let rows = [row(1, 0, 0), row(2, 1, 9), row(3, 2, 2), row(4, 8, 8)];
    committed!(store, |tx| event_log::append(&tx, &rows));
    let client = store.client().await.unwrap();
    let before = at(5);
    let mut after = Place::START;
    let mut found = Vec::new();
    loop {
        let page = event_log::find_old(&client, before, after, 2)
            .await
            .unwrap();
        let Some(last) = page.last else { break };
        after = last;
        found.extend(page.places);
    }
    let keys: Vec<u128> = found.iter().map(|place| place.key.as_u128()).collect();
    assert_eq!(keys, [1, 3]);
    assert_eq!(
        committed!(store, |tx| event_log::clear(&tx, &found, Gone::Expired)),
        2
    );
    assert_eq!(
        committed!(store, |tx| event_log::clear(&tx, &found, Gone::Expired)),
        0
    );
    let gone = Raw::Gone(Gone::Expired);
    let raws = raws(&store).await;
    assert_eq!((&raws[0], &raws[2]), (&gone, &gone));
    assert!(matches!(
        (&raws[1], &raws[3]),
        (Raw::Plain(_), Raw::Plain(_))
    ));
    let copy = [row(1, 0, 20)];
    assert_eq!(
        committed!(store, |tx| event_log::append(&tx, &copy)),
        [Appended::Duplicate {
            delivery_id: DeliveryId(Uuid::from_u128(1)),
            erased: false
        }]
    );
}

#[tokio::test]
async fn of_erased_interactions_all_bytes_go_and_copies_are_told_so() {
    let (_db, store) = db().await;
    let row = |key: u128, tenant, id| LogRow {
        tenant,
        interaction_id: id,
        occurred_at: if key == 3 { JUNE } else { MAY },
        ..log_row(key)
    };
    let rows = [
        row(1, "acme", "a"),
        row(2, "acme", "b"),
        row(3, "acme", "a"),
        row(4, "other", "a"),
    ];
    committed!(store, |tx| event_log::append(&tx, &rows));
    let client = store.client().await.unwrap();
    let ids = ["a".to_owned()];
    let page = event_log::find_of_interactions(&client, "acme", &ids, Place::START, 100)
        .await
        .unwrap();
    assert_eq!(page.places.len(), 2);
    committed!(store, |tx| event_log::clear(
        &tx,
        &page.places,
        Gone::Erased
    ));
    let told = committed!(store, |tx| event_log::append(&tx, &rows));
    let erased: Vec<bool> = told
        .iter()
        .map(|told| matches!(told, Appended::Duplicate { erased: true, .. }))
        .collect();
    assert_eq!(erased, [true, false, true, false]);
    let again = event_log::find_of_interactions(&client, "acme", &ids, Place::START, 100).await;
    assert_eq!(again.unwrap().places, []);
}

#[tokio::test]
async fn what_had_expired_is_erased_too_so_that_a_copy_brings_nobody_back() {
    let (_db, store) = db().await;
    let rows = [log_row(1), log_row(2)];
    committed!(store, |tx| event_log::append(&tx, &rows));
    let client = store.client().await.unwrap();
    let ids = [log_row(1).interaction_id.to_owned()];
    let find = async || {
        let page = event_log::find_of_interactions(&client, "acme", &ids, Place::START, 100);
        page.await.unwrap().places
    };
    let all = find().await;
    assert_eq!(all.len(), 2);
    committed!(store, |tx| event_log::clear(&tx, &all[..1], Gone::Expired));
    let found = find().await;
    assert_eq!(found, all);
    for (gone, written) in [(Gone::Erased, 2), (Gone::Erased, 0), (Gone::Expired, 0)] {
        assert_eq!(
            committed!(store, |tx| event_log::clear(&tx, &found, gone)),
            written
        );
    }
    assert_eq!(find().await, []);
    let told = committed!(store, |tx| event_log::append(&tx, &rows));
    let erased = |told: &Appended| matches!(told, Appended::Duplicate { erased: true, .. });
    assert!(told.iter().all(erased), "{told:?}");
}

#[tokio::test]
async fn what_comes_later_of_an_erased_interaction_is_logged_without_its_bytes() {
    let (_db, store) = db().await;
    let row = |key: u128, tenant, id| LogRow {
        tenant,
        interaction_id: id,
        raw_key: Some("k"),
        delivery_id: DeliveryId(Uuid::from_u128(key)),
        ..log_row(key)
    };
    let ids = ["a".to_owned()];
    let subject = Subject::Interaction("a");
    committed!(store, |tx| erasures::begin(
        &tx, "acme", subject, &ids, "ann"
    ));
    let again = LogRow {
        delivery_id: DeliveryId(Uuid::from_u128(9)),
        ..row(1, "acme", "a")
    };
    let rows = [
        row(1, "acme", "a"),
        row(2, "acme", "b"),
        row(3, "other", "a"),
        again,
    ];
    let brought = |by: u128, erased| Appended::Duplicate {
        delivery_id: DeliveryId(Uuid::from_u128(by)),
        erased,
    };
    assert_eq!(
        committed!(store, |tx| event_log::append(&tx, &rows)),
        [
            Appended::NewErased,
            Appended::New,
            Appended::New,
            brought(1, true)
        ]
    );
    assert_eq!(
        committed!(store, |tx| event_log::append(&tx, &rows)),
        [
            brought(1, true),
            brought(2, false),
            brought(3, false),
            brought(1, true)
        ]
    );
    let raws = raws(&store).await;
    let sealed: Vec<bool> = raws
        .iter()
        .map(|raw| matches!(raw, Raw::Sealed { .. }))
        .collect();
    assert_eq!(raws[0], Raw::Gone(Gone::Erased));
    assert_eq!(sealed, [false, true, true]);
    let client = store.client().await.unwrap();
    let keys = [("acme", "a"), ("acme", "b"), ("other", "a")];
    let marked = erasures::marked(&client, &keys).await.unwrap();
    let marked: Vec<_> = marked.into_iter().collect();
    assert_eq!(marked, [("acme".to_owned(), "a".to_owned())]);
}

#[tokio::test]
async fn one_process_walks_and_the_next_goes_on_where_it_was() {
    let (_db, store) = db().await;
    let mut client = store.client().await.unwrap();
    assert_eq!(raw_retention::get(&client).await.unwrap(), None);
    let walk = Walk {
        began_at: MAY,
        after: Place {
            at: JUNE,
            key: Uuid::from_u128(7),
        },
    };
    let tx = client.transaction().await.unwrap();
    assert!(raw_retention::try_lease(&tx).await.unwrap());
    let mut other = store.client().await.unwrap();
    let second = other.transaction().await.unwrap();
    assert!(!raw_retention::try_lease(&second).await.unwrap());
    second.rollback().await.unwrap();
    raw_retention::set(&tx, &walk).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(raw_retention::get(&other).await.unwrap(), Some(walk));
}

fn held(index: i32) -> QuarantineRow<'static> {
    QuarantineRow {
        tenant: "acme",
        subscription: "hook",
        delivery_id: DeliveryId(Uuid::from_u128(1)),
        item_index: index,
        stage: "map",
        format: "\"genesys_webhook\"",
        reason: "no instant",
        field: Some("timestamp"),
        value: Some("soon"),
        expected: None,
        raw: b"bytes",
        raw_key: Some("k"),
        received_at: MAY,
        correlation: "c-1",
        job: None,
    }
}

fn held_items() -> Filter {
    Filter {
        status: Some(Status::Held),
        ..Filter::default()
    }
}

#[tokio::test]
async fn settled_items_expire_and_one_refused_once_more_has_its_bytes_again_but_not_after_an_erasure()
 {
    let (_db, store) = db().await;
    let rows = [held(1), held(2), held(3)];
    committed!(store, |tx| quarantine::insert(&tx, &rows));
    let client = store.client().await.unwrap();
    let items = quarantine::list(&client, &held_items(), 10).await.unwrap();
    let ids: Vec<i64> = items.iter().map(|item| item.id).collect();
    let first = Filter {
        numbers: Some(ids[..1].to_vec()),
        ..Filter::default()
    };
    let discarded = committed!(store, |tx| quarantine::discard_next(&tx, &first, 10));
    assert_eq!(discarded, ids[..1]);
    let later = UtcMicros(now().0 + DAY);
    assert_eq!(committed!(store, |tx| quarantine::expire(&tx, MAY, 10)), 0);
    assert_eq!(
        committed!(store, |tx| quarantine::expire(&tx, later, 10)),
        1,
        "what is held stays"
    );
    let with_bytes = quarantine::with_bytes(&client, "acme", 0, 10)
        .await
        .unwrap();
    let left: Vec<i64> = with_bytes.iter().map(|item| item.id).collect();
    assert_eq!(left, ids[1..]);
    // An erased item is discarded by it, and stays so.
    assert_eq!(
        committed!(store, |tx| quarantine::erase(&tx, &ids[1..2])),
        1
    );
    assert_eq!(
        committed!(store, |tx| quarantine::insert(&tx, &rows)),
        1,
        "only the expired one is held again"
    );
    // One that expired while the quarantine was looked through stays erased.
    let expiring = [held(4)];
    committed!(store, |tx| quarantine::insert(&tx, &expiring));
    let four = quarantine::list(&client, &held_items(), 10).await.unwrap();
    let four = four.last().unwrap().id;
    let only = Filter {
        numbers: Some(vec![four]),
        ..Filter::default()
    };
    committed!(store, |tx| quarantine::discard_next(&tx, &only, 10));
    committed!(store, |tx| quarantine::expire(&tx, later, 10));
    assert_eq!(committed!(store, |tx| quarantine::erase(&tx, &[four])), 1);
    assert_eq!(
        committed!(store, |tx| quarantine::insert(&tx, &expiring)),
        0
    );
    let items = quarantine::list(&client, &held_items(), 10).await.unwrap();
    let found: Vec<(i64, &Raw)> = items.iter().map(|item| (item.id, &item.raw)).collect();
    let sealed = Raw::Sealed {
        key: "k".to_owned(),
        bytes: b"bytes".to_vec(),
    };
    assert_eq!(found, [(ids[0], &sealed), (ids[2], &sealed)]);
}

const LINKED: &str =
    r#"{"v":1,"f":[{"k":"e:a","a":1,"b":{"st":"queued"}},{"k":"e:b","a":2,"b":{}}]}"#;

#[tokio::test]
async fn an_erasure_takes_the_key_from_interaction_and_facts_is_resumed_and_leaves_a_proof() {
    let (db, store) = db().await;
    let state = r#"{"v":1,"s":-3,"f":[{"k":"e:a","a":1,"x":{"ck":"key"},"b":{"st":"queued"}},{"k":"e:b","a":2,"b":{}},{"k":"e:c","a":3,"x":{"ck":"key","md":"voice"}}]}"#;
    let of_other = state.replace("key", "other");
    let rows = [
        NewInteraction {
            customer_key: Some("key"),
            state_json: state,
            ..interaction("a")
        },
        NewInteraction {
            customer_key: Some("other"),
            state_json: &of_other,
            ..interaction("b")
        },
        NewInteraction {
            customer_key: Some("key"),
            state_json: r#"{"v":1,"overfull":true}"#,
            ..interaction("c")
        },
        NewInteraction {
            state_json: LINKED,
            ..interaction("d")
        },
    ];
    committed!(store, |tx| interactions::insert_new(
        &tx,
        &rows,
        &Evaluated::NEVER
    ));
    let client = store.client().await.unwrap();
    let ids = erasures::interactions_of(&client, "acme", "key")
        .await
        .unwrap();
    assert_eq!(ids, ["a", "c"]);
    let subject = Subject::Customer("key");
    let begun = committed!(store, |tx| erasures::begin(
        &tx, "acme", subject, &ids, "ann"
    ));
    // After a crash: the same request, and a contact that has come since.
    let more = ["a".to_owned(), "d".to_owned()];
    let mut erasure = committed!(store, |tx| erasures::begin(
        &tx, "acme", subject, &more, "bob"
    ));
    assert_eq!(erasure.id, begun.id);
    assert_eq!(erasure.interactions, ["a", "c", "d"]);
    let ids = erasure.interactions.clone();
    let linked = committed!(store, |tx| erasures::linked(&tx, "acme", &ids));
    let named: Vec<&str> = linked.iter().map(|it| it.interaction_id.as_str()).collect();
    assert_eq!(named, ["a", "c"], "the last never named anybody");
    assert_eq!(
        committed!(store, |tx| erasures::unlink(&tx, "acme", &named)),
        2
    );
    let left = [journeys::Left {
        tenant: "acme",
        customer_key: "key",
        interaction_id: "a",
    }];
    committed!(store, |tx| journeys::left(&tx, &left));
    assert_eq!(
        seen(
            &db,
            "SELECT interaction_id, coalesce(customer_key, '-'), state::text LIKE '%\"ck\"%', revision FROM interactions ORDER BY 1"
        )
        .await,
        ["a|-|f|2", "b|other|t|1", "c|-|f|2", "d|-|f|1"]
    );
    let bare = "SELECT (state = '{\"v\":1,\"s\":-3,\"f\":[{\"k\":\"e:a\",\"a\":1,\"b\":{\"st\":\"queued\"}},{\"k\":\"e:b\",\"a\":2,\"b\":{}},\
                {\"k\":\"e:c\",\"a\":3,\"x\":{\"md\":\"voice\"}}]}')::int::bigint FROM interactions WHERE interaction_id = 'a'";
    assert_eq!(number(&db, bare).await, 1, "nothing else has changed");
    // compute has still to take back what it said.
    assert!(!committed!(store, |tx| erasures::drop_journey(
        &tx, "acme", "key"
    )));
    db.client()
        .await
        .batch_execute("UPDATE journeys SET gone = '{}'")
        .await
        .unwrap();
    assert!(committed!(store, |tx| erasures::drop_journey(
        &tx, "acme", "key"
    )));
    erasure.unlinked = 2;
    erasure.events = 5;
    committed!(store, |tx| erasures::note(&tx, &erasure));
    committed!(store, |tx| erasures::finish(&tx, &erasure));
    let proof = seen(
        &db,
        "SELECT tenant, subject, coalesce(customer_key, '-'), cardinality(interaction_ids), requested_by, interactions, events, \
         finished_at IS NOT NULL, encode(subject_digest, 'hex') FROM erasures",
    )
    .await;
    let digest = hex::encode(subject.digest("acme"));
    assert_eq!(proof, [format!("acme|customer|-|0|ann|2|5|t|{digest}")]);
    // A later request is another one.
    let next = committed!(store, |tx| erasures::begin(
        &tx,
        "acme",
        subject,
        &[],
        "ann"
    ));
    assert_ne!(next.id, begun.id);
}

#[tokio::test]
async fn whoever_is_named_by_a_later_key_alone_is_found_and_others_keep_their_journey() {
    let (db, store) = db().await;
    let named = |key: &str| {
        format!(
            r#"{{"v":1,"f":[{{"k":"e:a","a":1,"x":{{"ck":"number"}},"b":{{}}}},{{"k":"e:b","a":2,"x":{{"ck":"{key}"}},"b":{{}}}}]}}"#
        )
    };
    let (contact, other) = (named("contact"), named("contacts"));
    let of = |id, state_json| NewInteraction {
        customer_key: Some("number"),
        state_json,
        ..interaction(id)
    };
    let rows = [
        of("a", contact.as_str()),
        of("b", other.as_str()),
        NewInteraction {
            tenant: "other",
            ..of("c", contact.as_str())
        },
    ];
    committed!(store, |tx| interactions::insert_new(
        &tx,
        &rows,
        &Evaluated::NEVER
    ));
    // More than one page of them, with nobody's in between.
    db.client()
        .await
        .batch_execute(
            "INSERT INTO interactions (tenant, interaction_id, partition_at, status, state, customer_key, facts) \
             SELECT 'acme', 'n' || lpad(n::text, 5, '0'), '2024-05-01', 'open', '{\"v\":1}', \
                    CASE WHEN n = 6000 THEN 'contact' END, 1 FROM generate_series(1, 6000) AS n",
        )
        .await
        .unwrap();
    let client = store.client().await.unwrap();
    let of = async |key| {
        erasures::interactions_of(&client, "acme", key)
            .await
            .unwrap()
    };
    assert_eq!(of("contact").await, ["a", "n06000"]);
    assert_eq!(of("number").await, ["a", "b"]);
    assert_eq!(of("nobody").await, Vec::<String>::new());

    // The number's other contact is not erased: its journey stays, and nothing waits once the one that left was taken back.
    committed!(store, |tx| erasures::unlink(&tx, "acme", &["a"]));
    let left = [journeys::Left {
        tenant: "acme",
        customer_key: "number",
        interaction_id: "a",
    }];
    committed!(store, |tx| journeys::left(&tx, &left));
    let dropped = async || committed!(store, |tx| erasures::drop_journey(&tx, "acme", "number"));
    assert!(!dropped().await);
    db.client()
        .await
        .batch_execute("UPDATE journeys SET gone = '{}'")
        .await
        .unwrap();
    assert!(dropped().await);
    assert_eq!(number(&db, "SELECT count(*) FROM journeys").await, 1);
}

#[tokio::test]
async fn an_error_repeats_no_value_of_a_row() {
    let (db, store) = db().await;
    db.client()
        .await
        .batch_execute("ALTER TABLE event_log ADD CONSTRAINT closed CHECK (event_id <> 'planted')")
        .await
        .unwrap();
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let rows = [LogRow {
        event_id: "planted",
        ..log_row(1)
    }];
    let error = event_log::append(&tx, &rows).await.unwrap_err();
    let StoreError::Query { source, .. } = &error else {
        panic!("{error}")
    };
    let detail = source.whole().as_db_error().unwrap().detail().unwrap();
    assert!(detail.contains("planted"), "{detail}");
    let mut told = format!("{error} {error:?}");
    let mut next = std::error::Error::source(&error);
    while let Some(source) = next {
        told = format!("{told} {source} {source:?}");
        next = source.source();
    }
    assert!(
        told.contains("closed") && !told.contains("planted"),
        "{told}"
    );
}
