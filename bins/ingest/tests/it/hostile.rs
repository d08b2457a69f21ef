//! Senders who do it wrong: the right answer to each, and nothing stored.

use crate::line::{Line, PATH, PATIENCE, SECRET, event, post, post_signed, sign};
use broker::Queue;
use double::bad::{Case, Kit, mixed};
use double::emit::{Framing, Options};
use std::time::Duration;
use testkit::eventually;

/// "Must show" 6, and the unusual but right besides.
#[tokio::test(flavor = "multi_thread")]
async fn each_bad_sender_gets_its_answer_and_stores_nothing() {
    let line = Line::new().await;
    let mut receive = line.start(
        &["receive"],
        &[
            ("KPILINE_HTTP_HEADER_TIMEOUT", "1s"),
            ("KPILINE_HTTP_BODY_TIMEOUT", "1s"),
        ],
    );
    let http = receive.wait_ready().await.http_address();
    let mut kit = Kit::new(Options::to(format!("http://{http}{PATH}"), SECRET));
    kit.patience = PATIENCE;
    let good = event("e1");
    for case in Case::ALL {
        let stored = matches!(case, Case::Chunked | Case::NotJson | Case::Truncated);
        let before = line.broker.depth(Queue::Raw).await;
        let answer = kit.play(case, good.as_bytes()).await.unwrap();
        assert!(case.due(answer.status), "{}: {answer:?}", case.name());
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        if answer.status >= 400 {
            assert!(!body["error"].as_str().unwrap().is_empty(), "{answer:?}");
            assert!(!body["detail"].as_str().unwrap().is_empty(), "{answer:?}");
        }
        let after = line.broker.depth(Queue::Raw).await;
        assert_eq!(after, before + u32::from(stored), "{}", case.name());
    }
    // And honest senders are served as before.
    assert_eq!(post_signed(http, good.as_bytes()).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_an_unknown_coding_are_refused_with_a_clear_body() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    let signature = sign(SECRET, b"\x28\xb5");
    let headers = [
        ("content-encoding", "zstd"),
        ("x-genesys-signature", signature.as_str()),
    ];
    let answer = post(http, &headers, b"\x28\xb5").await;
    assert_eq!(answer.status, 415);
    assert_eq!(answer.body["error"], "unsupported_content_encoding");
}

/// "Must show" 5.
#[tokio::test(flavor = "multi_thread")]
async fn three_bad_events_of_five_hundred_take_nobody_down() {
    let line = Line::new().await;
    let mut ingest = line.start(&[], &[]);
    let ready = ingest.wait_ready().await;
    let http = ready.http_address();
    let events: Vec<_> = (0..497).map(|n| event(&format!("e{n}")).into()).collect();
    let (body, damaged) = mixed(&events, Framing::Array);

    assert_eq!(post_signed(http, &body).await.status, 202);
    let counts = line.counts_of(500).await;
    assert_eq!((counts.logged, counts.quarantined), (497, 3));
    assert_eq!(line.number("SELECT count(*) FROM event_log").await, 497);

    let client = line.db.client().await;
    let sql = "SELECT item_index, field, reason, value, expected, raw FROM quarantine ORDER BY item_index";
    let rows = client.query(sql, &[]).await.unwrap();
    assert_eq!(rows.len(), 3);
    for (row, damaged) in rows.iter().zip(damaged) {
        assert_eq!(
            usize::try_from(row.get::<_, i32>(0)).unwrap(),
            damaged.index
        );
        assert_eq!(row.get::<_, &str>(1), damaged.field);
        assert!(row.get::<_, &str>(2).contains(damaged.field));
        assert!(!row.get::<_, &str>(3).is_empty() && !row.get::<_, &str>(4).is_empty());
        assert_eq!(row.get::<_, &[u8]>(5), damaged.raw.as_bytes());
    }

    // A signed body that is no JSON at all.
    assert_eq!(post_signed(http, b"It was a quiet day.").await.status, 202);
    let counts = line.counts_of(501).await;
    assert_eq!((counts.logged, counts.quarantined), (497, 4));

    // The process's own counters say the same.
    let series = |result| format!("kpiline_ingest_events_total{{result=\"{result}\"}}");
    eventually(Duration::from_secs(5), "metrics", async || {
        let mut found = Vec::new();
        for result in ["logged", "duplicate", "quarantined", "ignored"] {
            found.push(
                testkit::http::metric(ready.ops_address(), &series(result))
                    .await
                    .unwrap(),
            );
        }
        (found == [497.0, 0.0, 4.0, 0.0]).then_some(()).ok_or(found)
    })
    .await;
}
