//! Bad senders and bad events: a clear answer, a row in quarantine, and the neighbours go on.

use crate::harness::{Line, PATIENCE, post, truth};
use double::bad::{Case, Kit, mixed};
use double::emit::Framing;
use double::truth::Truth;
use double::workload::Workload;
use std::time::Duration;
use testkit::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn three_damaged_events_among_five_hundred_are_put_away_and_the_rest_goes_on() {
    let events: Vec<_> = Workload::new(120, 21)
        .events
        .into_iter()
        .take(497)
        .collect();
    let expected = truth(&events);
    let statements = Truth::of(events.iter().map(AsRef::as_ref)).statements;
    let statements = i64::try_from(statements).unwrap();
    let (body, damaged) = mixed(&events, Framing::Array);
    let line = Line::start(|setup| setup).await;
    let look = line.look().await;
    let answer = post(line.http, "one-of-many", &body).await;
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    let counts = line.settle(&look, 500).await;
    look.wait_for(&expected).await;
    assert_eq!((counts.quarantined, counts.ignored), (3, 0));
    assert_eq!(
        (counts.logged, counts.duplicates),
        (statements, 497 - statements)
    );
    let sql = "SELECT item_index, field, reason, raw FROM quarantine ORDER BY item_index";
    let rows = look.0.query(sql, &[]).await.unwrap();
    assert_eq!(rows.len(), 3);
    for (row, damaged) in rows.iter().zip(damaged) {
        assert_eq!(row.get::<_, i32>(0), i32::try_from(damaged.index).unwrap());
        assert_eq!(
            row.get::<_, Option<String>>(1).as_deref(),
            Some(damaged.field)
        );
        assert!(!row.get::<_, String>(2).is_empty());
        assert_eq!(row.get::<_, Vec<u8>>(3), damaged.raw.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_body_that_is_no_json_is_accepted_and_put_away() {
    let line = Line::start(|setup| setup).await;
    let look = line.look().await;
    let answer = Kit::new(line.sender())
        .play(Case::NotJson, b"")
        .await
        .unwrap();
    assert_eq!(answer.status / 100, 2, "{answer:?}");
    eventually(PATIENCE, "the body is in quarantine", async || {
        look.number("SELECT count(*) FROM quarantine").await == 1
    })
    .await;
    let counts = look.counts().await;
    assert_eq!(
        (counts.received, counts.quarantined, counts.logged),
        (1, 1, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_senders_get_a_clear_answer_and_leave_nothing_behind() {
    let good = Workload::new(1, 1).events.remove(0);
    let line = Line::start(|setup| {
        setup
            .with_env("KPILINE_HTTP_BODY_TIMEOUT", "1s")
            .with_env("KPILINE_HTTP_HEADER_TIMEOUT", "1s")
    })
    .await;
    let look = line.look().await;
    let mut kit = Kit::new(line.sender());
    kit.oversized = 2 << 20;
    kit.patience = Duration::from_secs(30);
    for (case, status) in [
        (Case::Forged, 401),
        (Case::Replaced, 401),
        (Case::Rubbish, 401),
        (Case::Unsigned, 401),
        (Case::Oversized, 413),
        (Case::OversizedChunked, 413),
        (Case::SlowBody, 408),
        (Case::ContentType, 415),
        (Case::Method, 405),
        (Case::Path, 404),
    ] {
        let answer = kit.play(case, &good).await.unwrap();
        assert_eq!(answer.status, status, "{case:?}: {answer:?}");
        assert!(answer.body.contains("\"error\""), "{case:?}: {answer:?}");
    }
    // What an honest sender sends last is all that is ever seen: queues keep their order for one sender.
    assert_eq!(
        kit.play(Case::Chunked, &good).await.unwrap().status / 100,
        2
    );
    eventually(PATIENCE, "the honest delivery is logged", async || {
        look.counts().await.logged == 1
    })
    .await;
    let counts = look.counts().await;
    assert_eq!((counts.received, counts.quarantined), (1, 0));
    assert_eq!(look.number("SELECT count(*) FROM event_log").await, 1);
}
