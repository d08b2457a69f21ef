//! Whether each subscription delivers.

use crate::rows::{MAY, db, number};
use schema::UtcMicros;
use store::migrate::FILES;
use store::subscriptions::{self, Change, Heard, State};
use testkit::TestDb;

fn at(seconds: i64) -> UtcMicros {
    UtcMicros(MAY.0 + seconds * 1_000_000)
}

fn heard(subscription: &str, first: i64, last: i64) -> Heard<'_> {
    Heard {
        subscription,
        tenant: "acme",
        first: at(first),
        last: at(last),
    }
}

#[tokio::test]
async fn deliveries_move_the_last_one_forward_and_never_back() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let watched = [("a", "acme"), ("b", "acme")];
    subscriptions::watch(&client, &watched, at(0))
        .await
        .unwrap();
    subscriptions::watch(&client, &watched, at(99))
        .await
        .unwrap();
    let rows = [heard("a", 5, 9), heard("nobody", 1, 2), heard("a", 3, 4)];
    subscriptions::heard(&client, &rows).await.unwrap();
    subscriptions::heard(&client, &[heard("a", 1, 2)])
        .await
        .unwrap();
    subscriptions::heard(&client, &[]).await.unwrap();
    let list = subscriptions::list(&client).await.unwrap();
    let found: Vec<_> = list
        .iter()
        .map(|row| {
            (
                row.subscription.as_str(),
                row.watched_since,
                row.last_received_at,
            )
        })
        .collect();
    assert_eq!(found, [("a", at(0), Some(at(9))), ("b", at(0), None)]);
}

#[tokio::test]
async fn how_far_deliveries_are_worked_off_is_what_the_farthest_says_and_not_past_the_servers_clock()
 {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    assert_eq!(subscriptions::worked_off(&client).await.unwrap(), None);
    for second in [5, 9, 7] {
        subscriptions::note_worked_off(&client, at(second))
            .await
            .unwrap();
    }
    let worked_off = subscriptions::worked_off(&client).await.unwrap();
    assert_eq!(worked_off, Some(at(9)));
    let fast = UtcMicros(4_102_444_800_000_000); // 2100-01-01
    subscriptions::note_worked_off(&client, fast).await.unwrap();
    let worked_off = subscriptions::worked_off(&client).await.unwrap();
    assert!(worked_off.is_some_and(|at| at < fast), "{worked_off:?}");
}

#[tokio::test]
async fn a_change_is_made_once_from_what_was_seen_and_so_is_its_gap() {
    let (db, store) = db().await;
    let mut client = store.client().await.unwrap();
    subscriptions::watch(&client, &[("a", "acme")], at(0))
        .await
        .unwrap();
    subscriptions::heard(&client, &[heard("a", 1, 1)])
        .await
        .unwrap();
    let seen = subscriptions::list(&client).await.unwrap().remove(0);
    let change = Change {
        seen: &seen,
        state: State::Quiet,
        since: at(600),
        reason: "nothing\0",
        silent_from: Some(at(1)),
        resumed_at: None,
        gap: Some((at(1), at(9))),
    };
    let mut made = Vec::new();
    for _ in 0..2 {
        let tx = client.transaction().await.unwrap();
        made.push(subscriptions::change(&tx, &change).await.unwrap());
        tx.commit().await.unwrap();
    }
    assert_eq!(made, [true, false]);
    assert_eq!(
        number(&db, "SELECT count(*) FROM subscription_gaps").await,
        1
    );
    // The first delivery after a silence stays the first one.
    for rows in [[heard("a", 20, 21)], [heard("a", 30, 31)]] {
        subscriptions::heard(&client, &rows).await.unwrap();
    }
    let now = subscriptions::list(&client).await.unwrap().remove(0);
    assert_eq!(
        (now.resumed_at, now.last_received_at),
        (Some(at(20)), Some(at(31)))
    );
    assert_eq!(now.reason, "nothing\u{fffd}");
    let stale = Change {
        seen: &seen,
        ..change
    };
    let tx = client.transaction().await.unwrap();
    assert!(!subscriptions::change(&tx, &stale).await.unwrap());
    drop(tx);
    let gaps = subscriptions::open_gaps(&client, 10).await.unwrap();
    assert_eq!((gaps[0].from, gaps[0].to), (at(1), at(9)));
}

#[tokio::test]
async fn backfill_settles_gaps_and_changes_nothing_else() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let file = FILES
        .iter()
        .find(|file| file.name == "subscriptions")
        .unwrap();
    let (_, grants) = file.text.split_once("DO $$").unwrap();
    let mut sql = format!("DO $${grants}");
    let names = ["ingest", "compute", "backfill", "deliver", "read"];
    let of_test = |name: &str| format!("kpiline_test_sub_{name}_{}", std::process::id());
    for name in names {
        sql = sql.replace(&format!("kpiline_{name}"), &of_test(name));
        client
            .batch_execute(&format!("CREATE ROLE {}", of_test(name)))
            .await
            .unwrap();
    }
    client.batch_execute(&sql).await.unwrap();
    let mut may = Vec::new();
    for name in names {
        let sql = "SELECT has_column_privilege($1, 'subscription_gaps', 'settled_at', 'UPDATE'), \
                          has_column_privilege($1, 'subscription_gaps', 'from_at', 'UPDATE'), \
                          has_table_privilege($1, 'subscription_status', 'UPDATE'), \
                          has_table_privilege($1, 'subscription_status', 'SELECT')";
        let row = client.query_one(sql, &[&of_test(name)]).await.unwrap();
        may.push([row.get::<_, bool>(0), row.get(1), row.get(2), row.get(3)]);
        client
            .batch_execute(&format!("DROP OWNED BY {0}; DROP ROLE {0}", of_test(name)))
            .await
            .unwrap();
    }
    let none = [false, false, false, true];
    assert_eq!(
        may,
        [
            [false, false, true, true],
            none,
            [true, false, false, true],
            none,
            none
        ]
    );
}
