//! Budgets and breakers as several binaries with several opinions use them.

use std::time::Duration;
use store::breakers::{self, Entry, Policy};
use store::budgets::{self, Answer, Ask, Class};
use testkit::{TestDb, eventually};

const SOON: Duration = Duration::from_secs(10);

fn ask(refill: Duration) -> Ask<'static> {
    Ask {
        credential: "client@login",
        route: "a",
        class: Class::Deliver,
        refill,
        stated: true,
        want: 1,
        horizon: Duration::from_millis(100),
    }
}

/// The distance to the slot after one that is given to who asks with this refill.
async fn spacing(db: &TestDb, refill: Duration) -> Duration {
    let client = db.store().await.client().await.unwrap();
    eventually(SOON, "a slot", async || {
        match budgets::reserve(&client, &ask(refill)).await.unwrap() {
            Answer::Granted { spacing, .. } => Some(spacing),
            Answer::Wait { .. } => None,
        }
    })
    .await
}

/// Two binaries with two limits for one credential: the lower one holds as long as somebody asks with it, and five minutes longer.
#[tokio::test]
async fn the_lowest_limit_that_was_asked_with_lately_holds() {
    let db = TestDb::new().await;
    let (fast, slow) = (Duration::from_millis(20), Duration::from_millis(80));
    assert_eq!(spacing(&db, fast).await, fast);
    assert_eq!(spacing(&db, slow).await, slow);
    assert_eq!(spacing(&db, fast).await, slow);
    let slots = "SELECT (extract(epoch FROM next_at - updated_at) * 1000)::float8 FROM rate_budgets WHERE granted = 1";
    let apart: f64 = db
        .client()
        .await
        .query_one(slots, &[])
        .await
        .unwrap()
        .get(0);
    assert!(apart >= 80.0, "{apart}");
    // Nobody has asked with it for a while: it was raised.
    let age = "UPDATE rate_budgets SET refill_at = refill_at - interval '5 minutes'";
    db.client().await.batch_execute(age).await.unwrap();
    assert_eq!(spacing(&db, fast).await, fast);
}

/// Pitfall 103: a 429 in answer to the one try says nothing. Another may try at once, and nothing is closed by it.
#[tokio::test]
async fn a_try_that_said_nothing_is_given_back() {
    let db = TestDb::new().await;
    let client = db.store().await.client().await.unwrap();
    let policy = Policy {
        failures: 1,
        pause: Duration::from_millis(20),
        longest: Duration::from_secs(1),
    };
    let probe = Duration::from_secs(600);
    breakers::failed(&client, "c", None, "503", &policy)
        .await
        .unwrap();
    let tried = async || match breakers::enter(&client, "c", probe).await.unwrap() {
        Entry::Probe(number) => Some(number),
        _ => None,
    };
    let first = eventually(SOON, "one may try", tried).await;
    let other = breakers::enter(&client, "c", probe).await.unwrap();
    assert!(matches!(other, Entry::Open { .. }), "{other:?}");
    breakers::released(&client, "c", first).await.unwrap();
    let second = tried().await.expect("it was given back");
    assert!(
        breakers::succeeded(&client, "c", Some(second))
            .await
            .unwrap()
            .turned
    );
    // Of one that is closed there is nothing to give back.
    breakers::released(&client, "c", second).await.unwrap();
    assert_eq!(
        breakers::enter(&client, "c", probe).await.unwrap(),
        Entry::Closed
    );
}
