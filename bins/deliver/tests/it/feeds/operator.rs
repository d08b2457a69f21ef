//! What operators see and do, and what a file with problems says.

use super::given::{Feeds, SOON, kept};
use std::time::Duration;
use testkit::http;

#[tokio::test]
async fn any_interval_can_be_sent_again() {
    let feeds = Feeds::new(2, "").await;
    feeds.write(-2, &[("sales", 3_000)]).await;
    feeds.write(-4, &[("sales", 5_000)]).await; // from before the feed was
    let mut process = feeds.deliver().await;
    feeds.settled(2).await;
    let listed = feeds.json(&["feed", "list", "--output", "json"]).await;
    let feed = &listed["feeds"][0];
    assert_eq!(
        (feed["feed"].as_str(), feed["waiting"].as_i64()),
        (Some("wfm"), Some(0)),
        "{listed}"
    );
    let (from, to) = (feeds.half(-4).to_string(), feeds.half(-1).to_string());
    let stretch = [
        "feed", "replay", "--feed", "wfm", "--from", &from, "--to", &to, "--output", "json",
    ];
    let tried = feeds.json(&[&stretch[..], &["--dry-run"]].concat()).await;
    assert_eq!(
        (tried["intervals"].as_i64(), tried["queued"].as_i64()),
        (Some(3), Some(0))
    );
    let asked = feeds.json(&stretch).await;
    assert_eq!(asked["queued"].as_i64(), Some(3), "{asked}");
    feeds.settled(4).await;
    let arrivals = kept(&feeds.depot.arrivals());
    assert_eq!(arrivals.len(), 5);
    let held = feeds.held();
    assert_eq!(held.len(), 4);
    assert!(
        held.values().all(|(revision, _)| *revision == 1),
        "what has not changed is the same revision"
    );
    let shown = feeds
        .json(&["feed", "show", "--feed", "wfm", "--output", "json"])
        .await;
    let intervals = shown["intervals"].as_array().unwrap();
    assert_eq!(intervals.len(), 4);
    let again = intervals
        .iter()
        .find(|i| i["start"] == feeds.half(-2).to_string())
        .unwrap();
    assert_eq!(
        (
            again["state"].as_str(),
            again["file"]["attempts"].as_i64(),
            again["file"]["state"].as_str()
        ),
        (Some("sent"), Some(2), Some("sent"))
    );
    let (code, _, stderr) = feeds
        .world
        .run(&["feed", "show", "--feed", "elsewhere"])
        .await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("registered are: wfm"), "{stderr}");
    let ops = process.wait_ready().await.ops_address();
    let sent = http::metric(
        ops,
        "kpiline_feed_intervals_total{feed=\"wfm\",outcome=\"sent\"}",
    )
    .await
    .unwrap();
    assert!((sent - 4.0).abs() < 0.5, "{sent}");
}

#[tokio::test]
async fn check_lists_every_problem_of_the_file_at_once() {
    let feeds = Feeds::new(1, "colour = \"green\"\nfile = \"{start}\"").await;
    feeds.edit("kind = \"http\"", "kind = \"ftp\"");
    let mut process = feeds.spawn(&["check"]);
    let status = process.wait(SOON).await;
    assert_eq!(status.code(), Some(1));
    let stderr = process.stderr();
    for words in [
        "unknown setting `colour`",
        "it needs {revision}",
        "`kind` is `ftp`",
    ] {
        assert!(stderr.contains(words), "{words} in {stderr}");
    }
    assert!(feeds.depot.arrivals().is_empty());
}

#[tokio::test]
async fn a_feed_whose_columns_change_without_a_new_layout_rests_and_all_else_goes_on() {
    let feeds = Feeds::new(1, "").await;
    feeds.write(-1, &[("sales", 3_000)]).await;
    let process = feeds.deliver().await;
    feeds.settled(1).await;
    drop(process);
    feeds.edit("field = \"Talk\"", "field = \"TalkSeconds\"");
    feeds.write(-1, &[("sales", 5_000)]).await;
    let mut process = feeds.deliver().await;
    process
        .wait_line("it is refused", SOON, |line| {
            line["level"] == "ERROR"
                && line["feed"] == "wfm"
                && line["message"]
                    .as_str()
                    .is_some_and(|message| message.contains("until it is given layout 2"))
        })
        .await;
    // Longer than the feed would take to look for changes and to send.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(process.is_running());
    let ops = process.wait_ready().await.ops_address();
    assert_eq!(http::get(ops, "/metrics").await.unwrap().0, 200);
    assert_eq!(feeds.depot.arrivals().len(), 1);
    let status = process.term(SOON).await;
    assert_eq!(status.code(), Some(0), "{}", process.stderr());
    feeds.edit("layout = 1", "layout = 2");
    let process = feeds.deliver().await;
    feeds.kept(2).await;
    feeds.settled(1).await;
    let held = feeds.held();
    let (revision, body) = &held[&feeds.half(-1).to_string()];
    assert_eq!(*revision, 2, "what was sent stays as it is");
    assert!(body.starts_with("Queue,TalkSeconds,Rev"), "{body}");
    drop(process);
}
