//! What the double knows afterwards.

use super::{JOBS, Session, day, small};
use double::Config;
use double::config::{Fault, History, Limit, Phase, Place, RetryAfter, Script};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn pages_that_were_handed_out_twice_are_named_and_needed_once() {
    let session = Session::with(small()).await;
    session.get(&format!("{JOBS}/availability")).await;
    let job = session.submit(&day(0)).await;
    for _ in 0..5 {
        session.get(&format!("{JOBS}/{job}")).await;
    }
    let pages = session.pages(&job, 100).await.len();
    let first = session.page(&job, 100, None).await;
    let cursor = first.body["cursor"].as_str().unwrap();
    session.page(&job, 100, Some(cursor)).await;
    // A job for what is there already makes nothing more needed.
    let again = session.submit(&day(0)).await;
    session.page(&again, 100, None).await;
    let account = session.double.history_account().unwrap();
    let client = account.client().unwrap();
    assert_eq!(client.needed, 3 + pages as u64);
    assert_eq!(client.forced, 0);
    assert_eq!(client.routes["details-job-status"].calls, 5);
    assert_eq!(account.pages.pages, pages + 1);
    let repeated: Vec<_> = account
        .pages
        .repeated
        .iter()
        .map(|it| (it.set == job, it.page.is_empty(), it.delivered, it.records))
        .collect();
    assert_eq!(repeated, [(true, true, 2, 100), (true, false, 2, 100)]);
    let jobs: Vec<_> = account
        .jobs
        .iter()
        .map(|it| (&*it.interval, it.submitted))
        .collect();
    assert_eq!(jobs, [(&*day(0), 2)]);
}

#[tokio::test]
async fn the_least_time_is_the_limits_pace_and_the_pauses() {
    let pause = Fault::Status {
        status: 429,
        retry_after: Some(1),
        as_date: false,
        store: false,
    };
    let spoilt = Fault::Status {
        status: 500,
        retry_after: None,
        as_date: false,
        store: false,
    };
    let config = Config {
        limit: Some(Limit {
            retry_after: RetryAfter::Seconds,
            ..Limit::of(20, Duration::from_secs(1))
        }),
        faults: Script::of([
            Phase::requests(2, Fault::None).at(Place::History),
            Phase::requests(1, pause).at(Place::History),
            Phase::requests(1, spoilt).at(Place::History),
        ]),
        ..Config::default()
    };
    let session = Session::under(config, small()).await;
    let pace = Duration::from_millis(60);
    let job = session.submit(&day(0)).await;
    let mut cursor: Option<String> = None;
    loop {
        // A client's pace, and the pause that it is told to keep: nothing is waited for.
        tokio::time::sleep(pace).await;
        let page = session.page(&job, 20, cursor.as_deref()).await;
        match page.status {
            429 => tokio::time::sleep(Duration::from_secs(1)).await,
            500 => {}
            _ => match page.body["cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            },
        }
    }
    let account = session.double.history_account().unwrap();
    let client = account.client().unwrap();
    assert_eq!(client.forced, 2);
    assert_eq!(client.paused_ms, 1_000);
    assert_eq!(client.minimum_ms, (client.needed + 1) * 50 + 1_000);
    assert_eq!(client.minimum_ms, client.bound_ms);
    assert!(client.elapsed_ms >= client.minimum_ms, "{client:?}");
    assert!(client.busiest <= 20, "{client:?}");
    assert_eq!(client.early, 0);
    let ratio = client.ratio.unwrap();
    assert!((1.0..100.0).contains(&ratio), "{ratio}");
}

#[tokio::test]
async fn everything_can_be_asked_over_http() {
    let session = Session::with(History {
        conversations: 30,
        ..small()
    })
    .await;
    let job = session.submit(&day(0)).await;
    session.page(&job, 10, None).await;
    let told = session.get("/control/history").await.body;
    let account = serde_json::to_value(session.double.history_account().unwrap()).unwrap();
    assert_eq!(told, account);
    let calls = session.get("/control/history/calls").await.body;
    let routes: Vec<&Value> = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["route"])
        .collect();
    assert_eq!(routes, ["details-job-submit", "details-job-results"]);
    let arrivals = session.double.history_calls();
    assert_eq!(arrivals.len(), 2);
    assert!(arrivals[0].at < arrivals[1].at);
    assert_eq!(arrivals[1].client.as_deref(), Some("double-client"));
    assert!(calls[0]["at_unix_ms"].as_u64().unwrap() > 0);
    let change = json!({ "now": "2025-01-06T12:00:00Z", "late": true });
    assert_eq!(session.post("/control/history", change).await.status, 204);
    let wrong = json!({ "then": 1 });
    assert_eq!(session.post("/control/history", wrong).await.status, 400);
    let available = session.get(&format!("{JOBS}/availability")).await.body;
    let available = available["dataAvailabilityDate"].as_str().unwrap();
    assert!(available.starts_with("2025-01-06T12:0"), "{available}");
}

#[tokio::test]
async fn without_a_history_there_are_no_history_calls() {
    let double = double::Double::start(Config::default()).await.unwrap();
    assert!(double.history_account().is_none());
    double.shutdown().await;
}
