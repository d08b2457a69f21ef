//! Jobs change hands when a worker dies, and the dead worker's writes no longer count.

use crate::rows::{JUNE, MAY, db};
use schema::{MetricVersion, UtcMicros};
use std::time::Duration;
use store::jobs::{self, Finish, NewJob, State, chunks};

const LEASE: Duration = Duration::from_secs(60);
const NOW: Duration = Duration::ZERO;

fn replay() -> NewJob<'static> {
    NewJob {
        kind: "replay",
        tenant: Some("acme"),
        metric_version: MetricVersion(2),
        params_json: r#"{"from":"2024-05-01"}"#,
        total: Some(10),
    }
}

#[tokio::test]
async fn a_job_is_done_by_one_worker_from_its_cursor() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let first = jobs::create(&client, &replay()).await.unwrap();
    let second = jobs::create(
        &client,
        &NewJob {
            kind: "import",
            ..replay()
        },
    )
    .await
    .unwrap();
    let taken = jobs::lease(&client, "dead", None, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (taken.id, taken.state, taken.metric_version, taken.total),
        (first, State::Running, MetricVersion(2), Some(10))
    );
    assert!(
        jobs::progress(&client, first, "dead", 4, None, Some(r#"{"page":4}"#), NOW)
            .await
            .unwrap()
    );
    // The oldest due job comes first, and a lease that ran out is due.
    let taken = jobs::lease(&client, "alive", Some(&["replay"]), LEASE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((taken.id, taken.done, taken.total), (first, 4, Some(10)));
    assert_eq!(taken.cursor_json.as_deref(), Some(r#"{"page": 4}"#));
    assert!(
        jobs::lease(&client, "third", Some(&["replay"]), LEASE)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        jobs::lease_one(&client, "third", first, LEASE)
            .await
            .unwrap()
            .is_none()
    );
    // The dead worker wakes up.
    assert!(
        !jobs::heartbeat(&client, first, "dead", LEASE)
            .await
            .unwrap()
    );
    assert!(
        !jobs::progress(&client, first, "dead", 5, None, None, LEASE)
            .await
            .unwrap()
    );
    assert!(
        !jobs::finish(&client, first, "dead", Finish::Failed { error: "x" })
            .await
            .unwrap()
    );
    assert!(
        jobs::heartbeat(&client, first, "alive", LEASE)
            .await
            .unwrap()
    );
    assert!(
        jobs::finish(
            &client,
            first,
            "alive",
            Finish::Done {
                report_json: Some("{}")
            }
        )
        .await
        .unwrap()
    );
    let done = jobs::get(&client, first).await.unwrap().unwrap();
    assert_eq!(
        (done.state, done.done, done.finished_at.is_some()),
        (State::Done, 4, true)
    );
    // Put back in good order, taken again, cancelled under the worker's hands.
    assert!(
        jobs::lease_one(&client, "w", second, LEASE)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        jobs::finish(&client, second, "w", Finish::Later)
            .await
            .unwrap()
    );
    assert!(
        jobs::lease_one(&client, "w", second, LEASE)
            .await
            .unwrap()
            .is_some()
    );
    assert!(jobs::cancel(&client, second).await.unwrap());
    assert!(!jobs::heartbeat(&client, second, "w", LEASE).await.unwrap());
    assert!(!jobs::cancel(&client, second).await.unwrap());
    let states: Vec<State> = jobs::list(&client, 9)
        .await
        .unwrap()
        .iter()
        .map(|job| job.state)
        .collect();
    assert_eq!(states, [State::Cancelled, State::Done]);
}

#[tokio::test]
async fn chunks_are_worked_on_side_by_side() {
    let (_db, store) = db().await;
    let mut client = store.client().await.unwrap();
    let job = jobs::create(&client, &replay()).await.unwrap();
    let middle = UtcMicros(i64::midpoint(MAY.0, JUNE.0));
    let tx = client.transaction().await.unwrap();
    for _ in 0..2 {
        chunks::create(&tx, job, &[(MAY, middle), (middle, JUNE)])
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let one = chunks::lease(&client, job, "a", NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (one.chunk, one.from, one.to, one.attempt),
        (0, MAY, middle, 1)
    );
    let again = chunks::lease(&client, job, "b", LEASE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((again.chunk, again.attempt), (0, 2));
    let two = chunks::lease(&client, job, "c", LEASE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(two.chunk, 1);
    assert!(
        chunks::lease(&client, job, "d", LEASE)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        !chunks::progress(&client, job, 0, "a", 9, None, LEASE)
            .await
            .unwrap()
    );
    assert!(
        chunks::progress(&client, job, 0, "b", 7, Some("{}"), LEASE)
            .await
            .unwrap()
    );
    assert!(chunks::finish(&client, job, 0, "b", None).await.unwrap());
    assert!(
        chunks::finish(&client, job, 1, "c", Some("refused"))
            .await
            .unwrap()
    );
    let counts = chunks::counts(&client, job).await.unwrap();
    assert_eq!(
        (counts.open, counts.done, counts.failed, counts.items),
        (0, 1, 1, 7)
    );
}
