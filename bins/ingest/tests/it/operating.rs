//! What an operator does: check, migrate, look into the quarantine.

use crate::line::{Line, PATIENCE, event, message, post_signed};
use broker::Queue;
use schema::{DeliveryId, EventsMessage, JobId, JobRef, MessageId, MetricVersion};
use testkit::{Proc, TestDb, eventually};

async fn run(line: &Line, arguments: &[&str]) -> (bool, String, String) {
    let env = line.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let (status, out, err) = Proc::run("ingest", arguments, &env, PATIENCE).await;
    (status.success(), out, err)
}

#[tokio::test(flavor = "multi_thread")]
async fn check_lists_every_problem_with_file_and_line() {
    let line = Line::new().await;
    assert!(run(&line, &["check"]).await.0);
    std::fs::write(
        line.file(),
        "version = 1\n[[subscription]]\nname = \"x\"\ncolour = 1\n",
    )
    .unwrap();
    let (good, _, err) = run(&line, &["check", "--http-answer-timeout", "9s"]).await;
    assert!(!good);
    for part in [
        "subscriptions.toml:4: unknown setting `colour`",
        "`path` is missing",
        "`tenant` is missing",
        "[subscription.signature] is missing",
        "--http-answer-timeout",
    ] {
        assert!(err.contains(part), "{part} in {err}");
    }
    // And it does not start with such a file.
    assert!(!run(&line, &["receive"]).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_makes_a_database_that_normalise_works_on() {
    let mut line = Line::new().await;
    line.db = TestDb::empty().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise
        .wait_line("the schema is missing", PATIENCE, |found| {
            found["error"]
                .as_str()
                .is_some_and(|text| text.contains("ingest migrate"))
        })
        .await;
    let (good, out, err) = run(&line, &["migrate"]).await;
    assert!(good, "{err}");
    assert!(out.contains("migrations applied"), "{out}");
    let ready = normalise.wait_ready().await;
    eventually(PATIENCE, "ready by itself", async || {
        testkit::http::get(ready.ops_address(), "/readyz")
            .await
            .unwrap()
            .0
            == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantined_items_are_listed_shown_released_and_discarded() {
    let line = Line::new().await;
    let client = line.db.client().await;
    // Refused for a reason that an operator can remove.
    let sql = "ALTER TABLE event_log ADD CONSTRAINT closed CHECK (event_id <> 'held')";
    client.batch_execute(sql).await.unwrap();
    let mut ingest = line.start(&[], &[]);
    let http = ingest.wait_ready().await.http_address();
    for body in [event("held"), "no json".to_owned()] {
        assert_eq!(post_signed(http, body.as_bytes()).await.status, 202);
    }
    assert_eq!(line.counts_of(2).await.quarantined, 2);
    let (_, listed, _) = run(&line, &["quarantine", "list"]).await;
    assert!(listed.contains("2 shown, 2 held in all"), "{listed}");
    let (_, listed, _) = run(&line, &["quarantine", "list", "--json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let number = |stage: &str| {
        let items = listed["items"].as_array().unwrap();
        let found = items.iter().find(|item| item["stage"] == stage);
        found.unwrap()["number"].to_string()
    };
    let (store, split) = (number("store"), number("split"));
    let (_, shown, _) = run(&line, &["quarantine", "show", &store]).await;
    assert!(
        shown.contains("closed") && shown.contains(&event("held")),
        "{shown}"
    );

    client
        .batch_execute("ALTER TABLE event_log DROP CONSTRAINT closed")
        .await
        .unwrap();
    let (_, out, err) = run(&line, &["quarantine", "release", &store]).await;
    assert!(out.contains("1 of 1 items released"), "{out}{err}");
    let counts = line.counts_of(3).await;
    assert_eq!((counts.logged, counts.quarantined), (1, 2));
    let (_, out, _) = run(&line, &["quarantine", "discard", &split]).await;
    assert!(out.contains("1 of 1 items discarded"), "{out}");
    let (_, listed, _) = run(&line, &["quarantine", "list"]).await;
    assert!(listed.contains("0 shown, 0 held in all"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_a_backfill_job_goes_back_to_its_job_and_lane() {
    let line = Line::new().await;
    let client = line.db.client().await;
    let sql = "ALTER TABLE event_log ADD CONSTRAINT closed CHECK (event_id <> 'held')";
    client.batch_execute(sql).await.unwrap();
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let job = JobRef {
        id: JobId::generate(),
        version: MetricVersion(2),
    };
    let mut sent = message(
        MessageId::generate(),
        DeliveryId::generate(),
        &event("held"),
    );
    sent.deliveries[0].job = Some(job);
    line.publish(Queue::RawHistory, &sent).await;
    assert_eq!(line.counts_of(1).await.quarantined, 1);

    let sql = "ALTER TABLE event_log DROP CONSTRAINT closed";
    client.batch_execute(sql).await.unwrap();
    let number = line.number("SELECT quarantine_id FROM quarantine").await;
    let number = number.to_string();
    let (_, shown, _) = run(&line, &["quarantine", "show", &number]).await;
    assert!(shown.contains(&job.id.to_string()), "{shown}");
    let (_, out, err) = run(&line, &["quarantine", "release", &number]).await;
    assert!(out.contains("1 of 1 items released"), "{out}{err}");
    assert_eq!(line.counts_of(2).await.logged, 1);
    let (_connection, mut facts) = line.facts().await;
    let next = tokio::time::timeout(PATIENCE, facts.next()).await;
    let told = next.expect("facts in time").unwrap();
    assert_eq!(told.queue, Queue::EventsHistory);
    let told = EventsMessage::decode(&told.body).unwrap();
    assert_eq!((told.job, told.events.len()), (Some(job), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_teaches() {
    let line = Line::new().await;
    for arguments in [
        &["--help"][..],
        &["receive", "--help"],
        &["normalise", "--help"],
        &["quarantine", "release", "--help"],
    ] {
        let (good, out, _) = run(&line, arguments).await;
        assert!(good && out.contains("KPILINE_"), "{arguments:?}: {out}");
    }
}
