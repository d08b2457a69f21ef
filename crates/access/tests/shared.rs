//! Budget and breaker as processes share them: whoever asks, the same rows answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use access::{StoreBreaker, StoreKeeper};
use platform::breaker::shared::{Entry, Keeper as _, Try};
use platform::breaker::{Policy, State};
use platform::budget::Hold;
use platform::budget::shared::{Ask, Keeper as _, Reply};
use std::time::Duration;
use store::budgets::{self, Class};
use testkit::{TestDb, eventually};

const SOON: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(3600);
const CREDENTIAL: &str = "client@login.example";

async fn keeper(db: &TestDb, class: Class) -> StoreKeeper {
    StoreKeeper::new(db.store().await, CREDENTIAL.to_owned(), class)
}

/// What the keeper says to one who wants a slot of this route now, of which there is one a minute.
async fn now(keeper: &StoreKeeper, route: &str) -> Reply {
    let ask = Ask {
        route,
        refill: Duration::from_secs(60),
        stated: true,
        want: 1,
        horizon: Duration::ZERO,
    };
    keeper.reserve(ask).await.unwrap()
}

fn hold(reply: Reply) -> Hold {
    match reply {
        Reply::Wait { hold, .. } => hold,
        Reply::Granted { .. } => panic!("{reply:?}"),
    }
}

#[tokio::test]
async fn each_asks_as_what_it_is() {
    let db = TestDb::new().await;
    let (live, history) = (
        keeper(&db, Class::Deliver).await,
        keeper(&db, Class::Backfill).await,
    );
    let client = db.store().await.client().await.unwrap();
    let wants = async || {
        let list = budgets::list(&client).await.unwrap();
        (list[0].deliver_wants, list[0].backfill_waits)
    };
    // The first one makes the row, and is only told when to come again.
    assert_eq!(hold(now(&history, "jobs").await), Hold::Busy);
    assert_eq!(hold(now(&history, "jobs").await), Hold::Busy);
    assert_eq!(wants().await, (false, false), "live work waits for nothing");
    now(&live, "push").await;
    assert_eq!(wants().await, (true, false));
}

/// Pitfall 13: a refused route waits for all; a second one that is refused meanwhile says that it is the whole quota, whichever process it
/// was.
#[tokio::test]
async fn a_second_route_that_is_refused_stops_all_of_them() {
    let db = TestDb::new().await;
    let (one, other) = (
        keeper(&db, Class::Backfill).await,
        keeper(&db, Class::Deliver).await,
    );
    now(&one, "jobs").await;
    one.pause(Some("jobs"), LONG, "429").await.unwrap();
    one.pause(Some("jobs"), LONG, "429").await.unwrap();
    assert_eq!(hold(now(&other, "jobs").await), Hold::Paused);
    assert_ne!(hold(now(&other, "push").await), Hold::Paused);
    other.pause(Some("push"), LONG, "429").await.unwrap();
    assert_eq!(hold(now(&one, "query").await), Hold::Paused);
}

#[tokio::test]
async fn one_process_opens_the_breaker_and_another_closes_it() {
    let db = TestDb::new().await;
    let policy = Policy {
        failures: 2,
        cool_down: Duration::from_millis(20),
        longest: Duration::from_millis(20),
    };
    let breaker = async || StoreBreaker::new(db.store().await, CREDENTIAL.to_owned(), policy);
    let (one, other) = (breaker().await, breaker().await);
    assert_eq!(other.enter(LONG).await.unwrap(), Entry::Closed);
    let stands = one.failed(None, "503").await.unwrap();
    assert_eq!((stands.state, stands.failures), (State::Closed, 1));
    let stands = other.failed(None, "503").await.unwrap();
    assert_eq!((stands.state, stands.failures), (State::Open, 2));
    let tried = async |breaker: &StoreBreaker| match breaker.enter(LONG).await.unwrap() {
        Entry::Try(number) => Ok(number),
        other => Err(other),
    };
    let first: Try = eventually(SOON, "one may try", async || tried(&one).await).await;
    let waits = other.enter(LONG).await.unwrap();
    assert!(
        matches!(&waits, Entry::Open { reason, .. } if reason == "503"),
        "{waits:?}"
    );
    one.released(first).await.unwrap();
    let second = tried(&other).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(other.succeeded(Some(second)).await.unwrap(), State::Closed);
    assert_eq!(one.enter(LONG).await.unwrap(), Entry::Closed);
}
