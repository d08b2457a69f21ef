//! Every interval once; what changes late as a correction; nothing where there is nothing.

use super::given::{Feeds, SOON, kept, told};
use double::depot::Turn;
use testkit::eventually;

const HEAD: &str = "Queue,Talk,Rev,Corr\r\n";

#[tokio::test]
async fn every_interval_is_sent_once() {
    let feeds = Feeds::new(3, "").await;
    feeds
        .write(-3, &[("sales", 3_000), ("support", 5_000)])
        .await;
    feeds.write(-1, &[("sales", 7_000)]).await;
    feeds.write(0, &[("sales", 9_000)]).await; // not due yet
    let one = feeds.deliver().await;
    let other = feeds.deliver().await;
    feeds.settled(3).await;
    let arrivals = feeds.depot.arrivals();
    assert_eq!(arrivals.len(), 3, "{arrivals:#?}");
    let start = feeds.half(-3).to_string();
    let first = arrivals
        .iter()
        .find(|arrival| told(arrival, "start") == start)
        .unwrap();
    let body = String::from_utf8(first.body.to_vec()).unwrap();
    assert_eq!(body, format!("{HEAD}sales,1.5,1,0\r\nsupport,2.5,1,0\r\n"));
    assert_eq!(first.method, "PUT");
    assert!(
        first.path.starts_with("/in/planning/wfm/v1/20"),
        "{}",
        first.path
    );
    assert!(first.path.ends_with("_r1.csv"), "{}", first.path);
    for (name, value) in [
        ("x-key", "k"),
        ("content-type", "text/csv; charset=utf-8"),
        ("x-kpiline-feed", "wfm"),
        ("x-kpiline-layout", "1"),
        ("x-kpiline-rows", "2"),
        ("x-kpiline-correction", "false"),
    ] {
        assert_eq!(first.headers[name], value, "{name}");
    }
    let keys: std::collections::BTreeSet<_> = arrivals
        .iter()
        .map(|a| a.headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys.len(), 3);
    let held = feeds.held();
    assert_eq!(
        held[&feeds.half(-2).to_string()],
        (1, HEAD.to_owned()),
        "nothing is a file without rows"
    );
    drop((one, other));
}

#[tokio::test]
async fn what_changes_late_is_sent_as_a_correction_with_a_higher_revision() {
    let feeds = Feeds::new(2, "").await;
    feeds.write(-2, &[("sales", 3_000)]).await;
    let process = feeds.deliver().await;
    feeds.settled(2).await;
    feeds.write(-2, &[("sales", 4_000)]).await;
    feeds.kept(3).await;
    feeds.settled(2).await;
    feeds.remove(-2, "sales").await;
    feeds.kept(4).await;
    feeds.settled(2).await;
    let start = feeds.half(-2).to_string();
    let of_it: Vec<_> = kept(&feeds.depot.arrivals())
        .iter()
        .filter(|arrival| told(arrival, "start") == start)
        .map(|arrival| {
            (
                told(arrival, "revision"),
                told(arrival, "correction"),
                String::from_utf8(arrival.body.to_vec()).unwrap(),
            )
        })
        .collect();
    let file = |revision: &str, correction: &str, rows: &str| {
        (
            revision.to_owned(),
            correction.to_owned(),
            format!("{HEAD}{rows}"),
        )
    };
    assert_eq!(
        of_it,
        [
            file("1", "false", "sales,1.5,1,0\r\n"),
            file("2", "true", "sales,2.0,2,1\r\n"),
            file("3", "true", ""),
        ]
    );
    assert_eq!(
        feeds.depot.files().len(),
        4,
        "each revision has a name of its own"
    );
    drop(process);
}

/// A window that is computed anew and shows the same in the receiver's columns is no correction.
#[tokio::test]
async fn what_is_the_same_to_the_receiver_is_not_sent() {
    let feeds = Feeds::new(1, "").await;
    feeds.write(-1, &[("sales", 3_000)]).await;
    let mut process = feeds.deliver().await;
    feeds.settled(1).await;
    // A hundredth of a second in a column with one place.
    feeds.write(-1, &[("sales", 3_010)]).await;
    process
        .wait_line("the change is seen", SOON, |line| {
            line["message"] == "windows have changed since they were sent"
        })
        .await;
    feeds.settled(1).await;
    assert_eq!(feeds.depot.arrivals().len(), 1);
    drop(process);
}

#[tokio::test]
async fn nothing_is_sent_of_nothing_where_the_feed_says_so_but_what_was_sent_is_taken_back() {
    let feeds = Feeds::new(3, "empty = \"skip\"").await;
    feeds.write(-2, &[("sales", 3_000)]).await;
    let process = feeds.deliver().await;
    feeds.settled(3).await;
    assert_eq!(feeds.depot.arrivals().len(), 1);
    feeds.remove(-2, "sales").await;
    feeds.write(-1, &[("sales", 1_000)]).await;
    feeds.kept(3).await;
    feeds.settled(3).await;
    let held = feeds.held();
    assert_eq!(held[&feeds.half(-2).to_string()], (2, HEAD.to_owned()));
    // What was empty was never sent: this is no correction.
    assert_eq!(
        held[&feeds.half(-1).to_string()],
        (1, format!("{HEAD}sales,0.5,1,0\r\n"))
    );
    drop(process);
}

#[tokio::test]
async fn only_groups_that_the_filter_lets_through_are_sent_and_numbers_are_written_as_the_contract_has_it()
 {
    let extra = "filter = \"row.queue in ['sales']\"\ncsv = { separator = \";\", decimal = \",\", line_end = \"lf\" }";
    let feeds = Feeds::new(1, extra).await;
    feeds.write(-1, &[("sales", 3_000), ("test", 5_000)]).await;
    let process = feeds.deliver().await;
    feeds.settled(1).await;
    let held = feeds.held();
    assert_eq!(
        held.values().next().unwrap().1,
        "Queue;Talk;Rev;Corr\nsales;1,5;1;0\n"
    );
    drop(process);
}

/// One interval that its receiver cannot stomach keeps no other, and goes when it can.
#[tokio::test]
async fn a_refused_file_holds_no_other_back() {
    let feeds = Feeds::new(5, "").await;
    for n in -5..0 {
        feeds.write(n, &[("sales", 2_000 - n)]).await;
    }
    feeds.depot.turns([Turn::Refuse(422), Turn::Refuse(403)]);
    let process = feeds.deliver().await;
    feeds.settled(5).await;
    let held = feeds.held();
    assert_eq!(held.len(), 5);
    assert!(
        held.values().all(|(revision, _)| *revision == 1),
        "{held:?}"
    );
    let refused: Vec<u16> = feeds
        .depot
        .arrivals()
        .iter()
        .map(|a| a.status)
        .filter(|status| *status != 200)
        .collect();
    assert_eq!(refused, [422, 403]);
    drop(process);
}

#[tokio::test]
async fn a_receiver_in_trouble_gets_everything_when_it_is_back() {
    let feeds = Feeds::new(4, "").await;
    for n in -4..0 {
        feeds.write(n, &[("sales", 2_000 - n)]).await;
    }
    feeds.depot.turns([
        Turn::Refuse(503),
        Turn::Keep(500),
        Turn::Later(1),
        Turn::Refuse(500),
    ]);
    let process = feeds.deliver().await;
    feeds.settled(4).await;
    let held = feeds.held();
    assert_eq!(held.len(), 4);
    assert!(
        held.values().all(|(revision, _)| *revision == 1),
        "the same content is the same revision: {held:?}"
    );
    let failed = "SELECT count(*) FROM feed_intervals WHERE error IS NOT NULL";
    eventually(SOON, "no failure is left", async || {
        feeds.world.query_count(failed).await == 0
    })
    .await;
    drop(process);
}
