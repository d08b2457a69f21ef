//! Jobs change hands when a worker dies, and the dead worker's writes no longer count.

use crate::rows::db;
use schema::{MetricVersion, UtcMicros};
use std::time::Duration;
use store::jobs::{self, Finish, NewJob, Promote, State};

const LEASE: Duration = Duration::from_secs(60);
const NOW: Duration = Duration::ZERO;

fn replay() -> NewJob<'static> {
    NewJob {
        kind: "replay",
        tenant: Some("acme"),
        metric_version: MetricVersion(2),
        params_json: r#"{"from":"2024-05-01"}"#,
        total: Some(10),
        stretch: None,
        promote: Promote::Never,
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
    let taken = jobs::lease_one(&client, "dead", first, NOW)
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
    // A lease that ran out may be taken over.
    let taken = jobs::lease_one(&client, "alive", first, LEASE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((taken.id, taken.done, taken.total), (first, 4, Some(10)));
    assert_eq!(taken.cursor_json.as_deref(), Some(r#"{"page": 4}"#));
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

/// Everything was published; what follows is done under the lease of whoever takes it, and by no worker that takes chunks.
#[tokio::test]
async fn a_job_of_the_foreground_settles_and_goes_on_settling_when_it_was_paused() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let stretch = Some((UtcMicros(1_000_000), UtcMicros(2_000_000)));
    let new = NewJob {
        stretch,
        promote: Promote::Auto,
        ..replay()
    };
    let id = jobs::create(&client, &new).await.unwrap();
    let settle = async |owner| {
        let taken = jobs::settle_one(&client, owner, id, LEASE).await.unwrap();
        taken.map(|job| (job.state, job.promote, job.from.zip(job.to)))
    };
    assert_eq!(settle("one").await, None, "it has not come to that");
    assert!(
        jobs::lease_one(&client, "one", id, LEASE)
            .await
            .unwrap()
            .is_some()
    );
    let published = Finish::Settle {
        report_json: r#"{"events":3}"#,
    };
    assert!(jobs::finish(&client, id, "one", published).await.unwrap());
    assert_eq!(jobs::to_settle(&client, "w", LEASE).await.unwrap(), None);
    let settling = Some((State::Settling, Promote::Auto, stretch));
    assert_eq!(settle("one").await, settling);
    assert_eq!(settle("other").await, None, "one at a time");
    assert!(
        jobs::settle_later(&client, id, "one", NOW, Some(r#"{"seen":1}"#))
            .await
            .unwrap()
    );
    assert!(jobs::pause(&client, id, "month's end").await.unwrap());
    assert_eq!(settle("one").await, None);
    assert!(jobs::resume(&client, id).await.unwrap());
    assert_eq!(settle("other").await, settling);
    let done = Finish::Done {
        report_json: Some("{}"),
    };
    assert!(jobs::finish(&client, id, "other", done).await.unwrap());
    assert_eq!(settle("one").await, None);
}
