//! What the broker hands out, and what becomes of it when its taker stops, dies or cannot go on.

use super::{a_batch_waits, fill, hold_the_log, let_go, raw, until_ready};
use crate::line::{Line, PATIENCE, event};
use broker::Queue;
use std::time::Duration;
use testkit::{Proxy, eventually, http};

/// While PostgreSQL is away messages rest in the broker. Taken and given back all the time, they would reach a delivery limit.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_54_an_outage_of_the_database_does_not_send_messages_round() {
    let line = Line::new().await;
    let (proxy, url) = Proxy::before(line.db.url(), 5432).await;
    let mut normalise = line.start(
        &["normalise"],
        &[
            ("KPILINE_DATABASE_URL", &url),
            ("KPILINE_NORMALISE_HOLD_MAX", "300ms"),
            ("KPILINE_DATABASE_ACQUIRE_TIMEOUT", "300ms"),
        ],
    );
    let ready = normalise.wait_ready().await;
    proxy.refuse();
    fill(&line, (0..5).map(|n| format!("e{n}"))).await;
    eventually(PATIENCE, "it has tried again and again", async || {
        let said = normalise.stderr();
        let tries = said.matches("not consuming; trying again");
        let (status, _) = http::get(ready.ops_address(), "/readyz").await.unwrap();
        status == 503 && tries.count() >= 5
    })
    .await;
    normalise.kill9();
    let connection = line.broker.connect("test look").await;
    until_ready(&connection, 5).await;
    let mut consumer = connection.consumer(&[Queue::Raw], 10).await.unwrap();
    for _ in 0..5 {
        let returned = consumer.next().await.unwrap().delivery_count;
        assert!(returned <= Some(2), "{returned:?}");
    }
    consumer.close().await.unwrap();
    connection.close().await.unwrap();

    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    assert_eq!(line.counts_of(5).await.logged, 5);
}

/// However much waits, a worker has no more of it than its prefetch, and its death returns no more than that.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_60_of_a_backlog_no_more_is_taken_than_the_prefetch() {
    const BACKLOG: u32 = 3000;
    const PREFETCH: u32 = 50;
    let line = Line::new().await;
    let connection = line.broker.connect("test fill").await;
    let publisher = connection.publisher().await.unwrap();
    let body = event("e") + &" ".repeat(1_700);
    let messages = (0..BACKLOG).map(|_| raw(&body)).collect();
    publisher.publish_all(messages).await.unwrap();
    // With its month made, the first batch gets as far as the log.
    let client = line.db.client().await;
    let sql = "SELECT ensure_month('event_log', '2024-11-01')";
    client.query_one(sql, &[]).await.unwrap();
    let holding = hold_the_log(&line).await;
    let mut normalise = line.start(
        &["normalise"],
        &[("KPILINE_NORMALISE_PREFETCH", &PREFETCH.to_string())],
    );
    normalise.wait_ready().await;
    a_batch_waits(&line).await;
    until_ready(&connection, BACKLOG - PREFETCH).await;
    normalise.kill9();
    until_ready(&connection, BACKLOG).await;
    let_go(holding).await;

    let mut consumer = connection.consumer(&[Queue::Raw], 4000).await.unwrap();
    let linger = Duration::from_secs(20);
    let all = consumer.next_batch(BACKLOG as usize, usize::MAX, linger);
    let all = all.await.unwrap();
    assert_eq!(all.len(), BACKLOG as usize);
    let returned = all.iter().filter(|delivery| delivery.redelivered);
    assert_eq!(returned.count(), PREFETCH as usize);
}

/// Told to stop with a batch in work and more taken ahead: the batch is finished, the rest is for others. Killed instead, nothing of it counts.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_65_a_stop_finishes_what_is_in_hand_and_a_kill_doubles_nothing() {
    let settings = [
        ("KPILINE_NORMALISE_PREFETCH", "40"),
        ("KPILINE_NORMALISE_BATCH_MESSAGES", "8"),
    ];
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &settings);
    normalise.wait_ready().await;
    fill(&line, ["first".to_owned()]).await;
    assert_eq!(line.counts_of(1).await.logged, 1);
    assert!(normalise.term(PATIENCE).await.success());
    let connection = line.broker.connect("test look").await;

    let holding = hold_the_log(&line).await;
    fill(&line, (0..40).map(|n| format!("stop{n}"))).await;
    let mut normalise = line.start(&["normalise"], &settings);
    let ready = normalise.wait_ready().await;
    a_batch_waits(&line).await;
    until_ready(&connection, 0).await;
    normalise.signal("TERM");
    eventually(PATIENCE, "not ready", async || {
        let answered = http::get(ready.ops_address(), "/readyz").await;
        answered.is_ok_and(|(status, _)| status == 503)
    })
    .await;
    let_go(holding).await;
    assert_eq!(normalise.wait(PATIENCE).await.code(), Some(0));
    assert_eq!(line.counts_of(9).await.logged, 9);
    until_ready(&connection, 32).await;

    let holding = hold_the_log(&line).await;
    let mut normalise = line.start(&["normalise"], &settings);
    normalise.wait_ready().await;
    a_batch_waits(&line).await;
    until_ready(&connection, 0).await;
    normalise.kill9();
    let_go(holding).await;
    until_ready(&connection, 32).await;

    let mut normalise = line.start(&["normalise"], &settings);
    normalise.wait_ready().await;
    let counts = line.counts_of(41).await;
    assert_eq!((counts.logged, counts.duplicates), (41, 0));
    assert_eq!(line.number("SELECT count(*) FROM event_log").await, 41);
}
