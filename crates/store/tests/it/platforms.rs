//! What the processes that call a platform agree on beside their pace: breakers, leases, counts, and what is asked for and told.

use crate::rows::{MAY, db, number, seen};
use futures_util::future::join_all;
use schema::{MetricVersion, UtcMicros};
use std::time::Duration;
use store::breakers::{self, Entry, Memory, Policy, State};
use store::jobs::{self, NewJob, Promote};
use store::named_leases::{self, Taken};
use store::platform_counts::{self, Count, Stretch};
use store::standing::{self, Take};
use store::{Client, history_requests, notices, subscription_gaps};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_breaker_opens_lets_one_try_and_closes() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let policy = Policy {
        failures: 3,
        pause: MINUTE,
        longest: 3 * MINUTE,
    };
    let enter = async || breakers::enter(&client, "c", MINUTE).await.unwrap();
    let fail_as = async |tried| {
        breakers::failed(&client, "c", tried, "503", &policy)
            .await
            .unwrap()
    };
    let fail = async || fail_as(None).await;
    let succeed = async |tried| breakers::succeeded(&client, "c", tried).await.unwrap();
    let number = async || match enter().await {
        Entry::Probe(number) => number,
        other => panic!("{other:?}"),
    };
    let pass = async |seconds: u32| {
        let sql =
            format!("UPDATE platform_breakers SET until = until - interval '{seconds} seconds'");
        db.client().await.batch_execute(&sql).await.unwrap();
    };
    assert_eq!(enter().await, Entry::Closed);
    assert!(!succeed(None).await.turned);
    fail().await;
    assert_eq!(fail().await.state, State::Closed);
    // One that went well in between: the row of failures is over.
    assert!(succeed(None).await.turned);
    assert!(!succeed(None).await.turned);
    fail().await;
    fail().await;
    assert_eq!(enter().await, Entry::Closed);
    let open = fail().await;
    assert_eq!(
        (open.state, open.failures, open.opened),
        (State::Open, 3, 1)
    );
    let left = open.left.as_secs_f64();
    assert!((55.0..=60.0).contains(&left), "{left}");
    // Those that were under way fail late; they do not make it longer.
    let late = fail().await;
    assert_eq!(
        (late.state, late.until, late.opened),
        (State::Open, open.until, 1)
    );
    assert!(matches!(enter().await, Entry::Open { retry_in, .. } if retry_in > 50 * SECOND));

    pass(61).await;
    let tries = join_all((0..8).map(async |_| {
        let client = store.client().await.unwrap();
        breakers::enter(&client, "c", MINUTE).await.unwrap()
    }))
    .await;
    let probes = tries
        .iter()
        .filter(|it| matches!(it, Entry::Probe(_)))
        .count();
    assert_eq!(probes, 1, "{tries:?}");
    assert_eq!(
        seen(
            &db,
            "SELECT measure, scope, value FROM pipeline_health WHERE measure LIKE 'breaker%'"
        )
        .await,
        ["breaker_half_open|c|1"]
    );
    // The one that tried died: another may, in time.
    pass(61).await;
    let died = 1;
    let tries = number().await;
    assert_eq!(tries, died + 1);
    // Whoever was under way when it opened, and the one that tried before, have no say any more.
    for late in [None, Some(died)] {
        assert_eq!(fail_as(late).await.state, State::HalfOpen);
        let success = succeed(late).await;
        assert_eq!((success.state, success.turned), (State::HalfOpen, false));
    }
    breakers::released(&client, "c", died).await.unwrap();
    assert!(matches!(enter().await, Entry::Open { .. }));
    let again = fail_as(Some(tries)).await;
    assert_eq!((again.state, again.opened), (State::Open, 2));
    let left = again.left.as_secs_f64();
    assert!((115.0..=120.0).contains(&left), "twice as long: {left}");
    let success = succeed(None).await;
    assert_eq!((success.state, success.turned), (State::Open, false));
    pass(121).await;
    let tries = number().await;
    let left = fail_as(Some(tries)).await.left.as_secs_f64();
    assert!(
        (175.0..=180.0).contains(&left),
        "not for ever longer: {left}"
    );
    pass(181).await;
    let tries = number().await;
    let success = succeed(Some(tries)).await;
    assert_eq!((success.state, success.turned), (State::Closed, true));
    assert_eq!(enter().await, Entry::Closed);
    let closed = breakers::list(&client).await.unwrap().remove(0);
    assert_eq!(
        (closed.state, closed.failures, closed.opened),
        (State::Closed, 0, 0)
    );
    let at_once = Policy {
        failures: 1,
        ..policy
    };
    let open = breakers::failed(&client, "d", None, "x", &at_once)
        .await
        .unwrap();
    assert_eq!((open.state, open.opened), (State::Open, 1));
}

/// Whatever a breaker stands at, an operator turns it, and whoever was trying has no say any more.
#[tokio::test]
async fn an_operator_opens_and_closes_a_breaker() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let policy = Policy {
        failures: 1,
        pause: SECOND,
        longest: MINUTE,
    };
    let enter = async || breakers::enter(&client, "c", MINUTE).await.unwrap();
    let close = async |memory| breakers::close(&client, "c", memory).await.unwrap();
    assert_eq!(close(Memory::Kept).await, None, "there is none yet");
    let open = breakers::open(&client, "c", MINUTE, "maintenance")
        .await
        .unwrap();
    assert_eq!(
        (open.state, open.reason.as_str(), open.failures),
        (State::Open, "maintenance", 0)
    );
    assert!(matches!(enter().await, Entry::Open { reason, .. } if reason == "maintenance"));
    let (left, why) = breakers::left(&client, "c").await.unwrap().unwrap();
    assert!(left > 50 * SECOND && why == "maintenance", "{left:?} {why}");
    // What succeeds late says nothing of now.
    breakers::succeeded(&client, "c", None).await.unwrap();
    assert!(matches!(enter().await, Entry::Open { .. }));
    let pass = "UPDATE platform_breakers SET until = until - interval '1 minute'";
    db.client().await.batch_execute(pass).await.unwrap();
    assert_eq!(breakers::left(&client, "c").await.unwrap(), None);
    let Entry::Probe(tried) = enter().await else {
        panic!("one may try");
    };
    assert!(breakers::left(&client, "c").await.unwrap().is_some());
    // Opened again while one tries: that one's answer does not count.
    breakers::open(&client, "c", MINUTE, "still").await.unwrap();
    let success = breakers::succeeded(&client, "c", Some(tried))
        .await
        .unwrap();
    assert_eq!(success.state, State::Open);

    let closed = close(Memory::Kept).await.unwrap();
    assert_eq!((closed.state, closed.opened), (State::Closed, 2));
    assert_eq!(enter().await, Entry::Closed);
    let again = breakers::failed(&client, "c", None, "503", &policy)
        .await
        .unwrap();
    assert!(again.left > 3 * SECOND, "for longer each time: {again:?}");
    let reset = close(Memory::Cleared).await.unwrap();
    assert_eq!((reset.opened, reset.reason.as_str()), (0, ""));
    let again = breakers::failed(&client, "c", None, "503", &policy)
        .await
        .unwrap();
    assert!(again.left <= SECOND, "as if for the first time: {again:?}");
}

#[tokio::test]
async fn a_named_lease_is_one_process_and_keeps_its_pause() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let pause = 30 * SECOND;
    let take = async |owner: &str| {
        named_leases::take(&client, "extraction/acme", owner, MINUTE, pause)
            .await
            .unwrap()
    };
    let pass = async |seconds: u32| {
        let by = format!("interval '{seconds} seconds'");
        let sql =
            format!("UPDATE backfill_leases SET until = until - {by}, free_at = free_at - {by}");
        db.client().await.batch_execute(&sql).await.unwrap();
    };
    let tries = join_all((0..8).map(async |number| {
        let client = store.client().await.unwrap();
        let owner = format!("w{number}");
        named_leases::take(&client, "extraction/acme", &owner, MINUTE, pause)
            .await
            .unwrap()
    }))
    .await;
    let winner = tries.iter().position(|it| *it == Taken::Yes).unwrap();
    assert_eq!(tries.iter().filter(|it| **it == Taken::Yes).count(), 1);
    let winner = format!("w{winner}");
    pass(50).await;
    assert!(
        named_leases::keep(&client, "extraction/acme", &winner, MINUTE, pause)
            .await
            .unwrap()
    );
    let Taken::No { retry_in } = take("other").await else {
        panic!("it is taken");
    };
    let left = retry_in.as_secs_f64();
    assert!((85.0..=90.0).contains(&left), "{left}");
    // Given back: the pause counts from here.
    assert!(
        !named_leases::release(&client, "extraction/acme", "other", pause)
            .await
            .unwrap()
    );
    assert!(
        named_leases::release(&client, "extraction/acme", &winner, pause)
            .await
            .unwrap()
    );
    assert!(matches!(take("other").await, Taken::No { retry_in } if retry_in > 25 * SECOND));
    pass(29).await;
    assert!(matches!(take(&winner).await, Taken::No { .. }));
    pass(1).await;
    assert_eq!(take("other").await, Taken::Yes);
    // It died: its lease and the pause go by.
    pass(61).await;
    assert!(
        !named_leases::keep(&client, "extraction/acme", "other", MINUTE, pause)
            .await
            .unwrap()
    );
    assert!(matches!(take("third").await, Taken::No { .. }));
    pass(30).await;
    assert_eq!(take("third").await, Taken::Yes);
    let another = named_leases::take(&client, "extraction/beta", "third", MINUTE, pause);
    assert_eq!(another.await.unwrap(), Taken::Yes);
}

#[tokio::test]
async fn requests_for_history_are_handed_out_once_and_asked_again_in_time() {
    let (db, store) = db().await;
    db.client()
        .await
        .batch_execute(
            "INSERT INTO history_requests (tenant, interaction_id, reason, requested_at, due_at) \
             SELECT 'acme', 'int_' || n, 'never ended', now() - interval '1 hour', now() - n * interval '1 minute' \
             FROM generate_series(1, 5) n; \
             INSERT INTO history_requests (tenant, interaction_id, reason) VALUES ('beta', 'int_9', 'inferred_end')",
        )
        .await
        .unwrap();
    let mut client = store.client().await.unwrap();
    let take = async |client: &mut Client, limit, attempts| -> Vec<String> {
        let take = Take {
            tenant: "acme",
            subscriptions: None,
            settle: MINUTE,
            attempts,
            limit,
            again: MINUTE,
        };
        let tx = client.transaction().await.unwrap();
        let mut taken = standing::take_requests(&tx, &take).await.unwrap();
        tx.commit().await.unwrap();
        taken.sort_unstable();
        taken
    };
    assert_eq!(take(&mut client, 2, 9).await, ["int_4", "int_5"]);
    // One whose job has not ended is not asked about by another.
    let of_job = async |state: &str| {
        let sql = format!(
            "DELETE FROM backfill_jobs; \
             INSERT INTO backfill_jobs (job_id, kind, metric_version, tenant, purpose, state, params) \
             VALUES (gen_random_uuid(), 'lookup', 1, 'acme', 'lookup', '{state}', '{{\"ids\": [\"int_2\"]}}')"
        );
        db.client().await.batch_execute(&sql).await.unwrap();
    };
    of_job("paused").await;
    assert_eq!(take(&mut client, 9, 9).await, ["int_1", "int_3"]);
    of_job("cancelled").await;
    assert_eq!(take(&mut client, 9, 9).await, ["int_2"]);
    assert_eq!(take(&mut client, 9, 9).await, [] as [&str; 0]);

    let gone = history_requests::answered(&client, "acme", &["int_5", "int_4", "nobody"]);
    assert_eq!(gone.await.unwrap(), 2);
    let again = standing::postpone(&client, "acme", &["int_1"], "404", Duration::ZERO);
    again.await.unwrap();
    assert_eq!(take(&mut client, 9, 1).await, [] as [&str; 0], "taken once");
    let seen = async || -> Vec<(String, [i64; 3], bool)> {
        let waiting = history_requests::waiting(&client).await.unwrap();
        let row = |it: history_requests::Waiting| {
            let counts = [it.requests, it.due, it.given_up];
            (it.tenant, counts, it.oldest.is_some())
        };
        waiting.into_iter().map(row).collect()
    };
    // What was asked for so often as is worth while is neither asked for nor due.
    let acme = |counts, any| ("acme".to_owned(), counts, any);
    let beta = ("beta".to_owned(), [1, 1, 0], true);
    assert_eq!(seen().await, [acme([2, 0, 1], true), beta.clone()]);
    let answered = history_requests::answered(&client, "acme", &["int_2", "int_3"]);
    assert_eq!(answered.await.unwrap(), 2);
    assert_eq!(seen().await, [acme([0, 0, 1], false), beta.clone()]);
    let old = Duration::from_secs(1800);
    for gone in [1, 0] {
        let dropped = standing::drop_requests(&client, old, 10).await.unwrap();
        assert_eq!(dropped, gone);
    }
    assert_eq!(seen().await, [beta]);
}

#[tokio::test]
async fn a_notice_goes_out_until_both_have_it() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let job = jobs::create(
        &client,
        &NewJob {
            kind: "replay",
            tenant: None,
            metric_version: MetricVersion(1),
            params_json: "{}",
            total: None,
            stretch: None,
            promote: Promote::Never,
        },
    )
    .await
    .unwrap();
    let first = notices::put(&client, job, r#"{"kpis":[]}"#).await.unwrap();
    let second = notices::put(&client, job, "{}").await.unwrap();
    let take = async |hold| {
        let taken = notices::take(&client, 10, hold, true).await.unwrap();
        taken
            .into_iter()
            .map(|it| (it.id, it.attempts))
            .collect::<Vec<_>>()
    };
    assert_eq!(take(MINUTE).await, [(first, 1), (second, 1)]);
    assert_eq!(take(MINUTE).await, []);
    notices::queued(&client, first).await.unwrap();
    notices::failed(&client, first, "webhook: 500", Duration::ZERO)
        .await
        .unwrap();
    notices::queued(&client, second).await.unwrap();
    notices::posted(&client, second).await.unwrap();
    assert_eq!(take(Duration::ZERO).await, [(first, 2)]);
    let waiting = "SELECT value::bigint FROM pipeline_health WHERE measure = 'notices_waiting'";
    assert_eq!(number(&db, waiting).await, 1);
    notices::give_up(&client, first, "webhook: 410")
        .await
        .unwrap();
    assert_eq!(take(MINUTE).await, []);
    assert_eq!(number(&db, waiting).await, 0);
    let told = "SELECT body::text, queued_at IS NOT NULL, posted_at IS NOT NULL, given_up_at IS NOT NULL, last_error \
                FROM backfill_notices ORDER BY notice_id";
    assert_eq!(
        seen(&db, told).await,
        [r#"{"kpis": []}|t|f|t|webhook: 410"#, "{}|t|t|f|"]
    );
}

#[tokio::test]
async fn counts_of_a_platform_are_replaced_and_go() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let hour = |from: i64, length: i64| Stretch {
        tenant: "acme",
        platform: "main",
        measure: "conversations",
        from: UtcMicros(MAY.0 + from * 3_600_000_000),
        to: UtcMicros(MAY.0 + (from + length) * 3_600_000_000),
    };
    let count = |scope: &str, value| Count {
        scope: scope.to_owned(),
        value,
    };
    let put = async |from, counts: &[Count]| {
        platform_counts::put(&client, &hour(from, 1), counts)
            .await
            .unwrap();
    };
    put(0, &[count("", 9.0), count("q1", 4.0), count("", 10.0)]).await;
    put(0, &[count("q1", 5.0)]).await;
    put(1, &[count("", 7.0)]).await;
    put(2, &[count("", 100.0)]).await;
    assert_eq!(
        platform_counts::get(&client, &hour(0, 1), MAY)
            .await
            .unwrap(),
        [count("", 10.0), count("q1", 5.0)]
    );
    let ahead = UtcMicros(crate::rows::now().0 + 60_000_000);
    let early = platform_counts::get(&client, &hour(0, 1), ahead).await;
    assert!(early.unwrap().is_empty(), "counted before that");
    let later = UtcMicros(crate::rows::now().0 + 3_600_000_000);
    assert_eq!(platform_counts::prune(&client, later).await.unwrap(), 4);
}

#[tokio::test]
async fn gaps_that_were_fetched_are_no_longer_open() {
    let (db, store) = db().await;
    db.client()
        .await
        .batch_execute(
            "INSERT INTO subscription_gaps (subscription, tenant, from_at, to_at) \
             SELECT 'hook', 'acme', now() - n * interval '1 hour', now() - n * interval '1 hour' + interval '1 minute' \
             FROM generate_series(1, 3) n",
        )
        .await
        .unwrap();
    let client = store.client().await.unwrap();
    let open = subscription_gaps::open(&client, "acme", None, None, 9)
        .await
        .unwrap();
    assert_eq!(open.len(), 3);
    let fetched = [open[0].id, open[1].id];
    assert_eq!(
        subscription_gaps::settle(&client, &fetched).await.unwrap(),
        2
    );
    assert_eq!(
        subscription_gaps::settle(&client, &fetched).await.unwrap(),
        0
    );
    assert_eq!(
        subscription_gaps::open(&client, "acme", None, None, 9)
            .await
            .unwrap(),
        open[2..]
    );
}
