//! Genesys' details jobs.

use super::{JOBS, Session, day, eventually, millis, small};
use double::Kind;
use double::config::{Beyond, Clock, History, Jobs, Pages};
use double::history::{Moment, Platform, truth};
use hyper::Method;
use serde_json::json;
use std::collections::BTreeSet;

/// The ids of the conversations whose life overlaps an interval, in the order of their starts.
fn overlapping(history: &History, from: &str, until: &str) -> Vec<String> {
    let (from, until) = (Moment::parse(from).unwrap(), Moment::parse(until).unwrap());
    truth(history, Platform::Genesys, false, None)
        .filter(|it| it.start < until && it.end.is_none_or(|end| end >= from))
        .map(|it| it.id)
        .collect()
}

#[tokio::test]
async fn a_jobs_pages_have_each_conversation_that_overlaps_once() {
    let session = Session::with(small()).await;
    for nth in 0..3 {
        let interval = day(nth);
        let (from, until) = interval.split_once('/').unwrap();
        let job = session.submit(&interval).await;
        let pages = session.pages(&job, 100).await;
        let ids: Vec<String> = pages.iter().flat_map(super::Answer::ids).collect();
        assert_eq!(ids, overlapping(&small(), from, until));
        assert_eq!(pages.len(), ids.len().div_ceil(100));
        assert!(pages.last().unwrap().body.get("cursor").is_none());
        assert!(pages[0].body["dataAvailabilityDate"].is_string());
        assert!(pages[0].text.contains("\"attributes\""));
    }
    assert!(session.kinds().is_empty());
}

#[tokio::test]
async fn a_conversation_over_midnight_is_in_both_days_and_start_days_bring_it_once() {
    let session = Session::with(small()).await;
    let mut seen: Vec<BTreeSet<String>> = Vec::new();
    for nth in 0..2 {
        let job = session.submit(&day(nth)).await;
        let pages = session.pages(&job, 1_000).await;
        seen.push(pages.iter().flat_map(super::Answer::ids).collect());
    }
    assert!(seen[0].intersection(&seen[1]).count() >= 3);
    let body = json!({ "interval": day(1), "startOfDayIntervalMatching": true });
    let job = session.post(JOBS, body).await;
    let pages = session
        .pages(job.body["jobId"].as_str().unwrap(), 1_000)
        .await;
    let started: Vec<String> = pages.iter().flat_map(super::Answer::ids).collect();
    assert_eq!(started.len(), 300);
}

#[tokio::test]
async fn a_job_is_queued_then_pending_then_fulfilled_and_its_results_wait_for_that() {
    let jobs = Jobs {
        queued_ms: 150,
        pending_ms: 150,
        ..Jobs::default()
    };
    let session = Session::with(History { jobs, ..small() }).await;
    let job = session.submit(&day(0)).await;
    let early = session.page(&job, 100, None).await;
    assert_eq!(early.status, 400);
    assert_eq!(session.kinds(), [Kind::JobNotReady]);
    let mut states = Vec::new();
    eventually("the job is over", async || {
        let status = session.get(&format!("{JOBS}/{job}")).await;
        let state = status.body["state"].as_str().unwrap().to_owned();
        if states.last() != Some(&state) {
            states.push(state);
        }
        states.last().is_some_and(|state| state == "FULFILLED")
    })
    .await;
    assert!(
        states
            .iter()
            .any(|state| state == "QUEUED" || state == "PENDING")
    );
    assert_eq!(session.page(&job, 100, None).await.status, 200);
}

#[tokio::test]
async fn jobs_fail_and_expire_by_their_number() {
    let jobs = Jobs {
        fail_every: 2,
        expire_every: 3,
        ..Jobs::default()
    };
    let session = Session::with(History { jobs, ..small() }).await;
    let state = async |job: &str| session.get(&format!("{JOBS}/{job}")).await;
    let good = session.submit(&day(0)).await;
    assert_eq!(state(&good).await.body["state"], "FULFILLED");
    let failed = session.submit(&day(1)).await;
    let status = state(&failed).await;
    assert_eq!(status.body["state"], "FAILED");
    assert!(status.body["errorMessage"].is_string());
    let expiring = session.submit(&day(1)).await;
    assert_eq!(state(&expiring).await.body["state"], "FULFILLED");
    let page = session.page(&expiring, 10, None).await;
    let cursor = page.body["cursor"].as_str().unwrap();
    assert_eq!(state(&expiring).await.body["state"], "EXPIRED");
    assert_eq!(session.page(&expiring, 10, Some(cursor)).await.status, 404);
    let account = session.double.history_account().unwrap();
    let jobs: Vec<_> = account
        .jobs
        .iter()
        .map(|it| (it.submitted, it.lost))
        .collect();
    assert_eq!(jobs, [(1, 0), (2, 2)]);
}

#[tokio::test]
async fn only_so_many_jobs_run_at_once() {
    for status in [429, 400] {
        let jobs = Jobs {
            pending_ms: 60_000,
            at_once: Some(2),
            too_many_status: status,
            ..Jobs::default()
        };
        let session = Session::with(History { jobs, ..small() }).await;
        let first = session.submit(&day(0)).await;
        session.submit(&day(1)).await;
        let refused = session.post(JOBS, json!({ "interval": day(2) })).await;
        assert_eq!(refused.status, status);
        assert_eq!(refused.header("retry-after").is_empty(), status == 400);
        let path = format!("{JOBS}/{first}");
        let deleted = session.send(Method::DELETE, &path, String::new()).await;
        assert_eq!(deleted.unwrap().status, 202);
        assert_eq!(session.get(&path).await.body["state"], "CANCELLED");
        session.submit(&day(2)).await;
    }
}

#[tokio::test]
async fn an_empty_page_has_no_list_and_wrong_questions_are_refused() {
    let session = Session::with(small()).await;
    let job = session
        .submit("2024-12-01T00:00:00Z/2024-12-02T00:00:00Z")
        .await;
    let page = session.page(&job, 100, None).await;
    assert_eq!(page.status, 200);
    assert!(page.body.get("conversations").is_none());
    assert!(page.body.get("cursor").is_none());
    assert_eq!(session.page(&job, 1_001, None).await.status, 400);
    assert_eq!(session.page(&job, 100, Some("bm8=")).await.status, 400);
    assert_eq!(session.page("no-such-job", 100, None).await.status, 404);
    let backwards = json!({ "interval": "2025-01-07T00:00:00Z/2025-01-06T00:00:00Z" });
    assert_eq!(session.post(JOBS, backwards).await.status, 400);
    let bad = session
        .send(Method::POST, JOBS, "{".to_owned())
        .await
        .unwrap();
    assert_eq!(bad.status, 400);
    assert_eq!(bad.body["code"], "bad.request");
}

#[tokio::test]
async fn pages_repeat_the_last_records_and_the_last_cursor() {
    let pages = Pages {
        repeat_cursor: true,
        overlap: 7,
        moves: 0,
    };
    let session = Session::with(History { pages, ..small() }).await;
    let job = session.submit(&day(1)).await;
    let pages = session.pages(&job, 50).await;
    for pair in pages.windows(2) {
        let (before, after) = (pair[0].ids(), pair[1].ids());
        assert_eq!(before[before.len() - 7..], after[..7]);
    }
    let ids: BTreeSet<String> = pages.iter().flat_map(super::Answer::ids).collect();
    let (from, until) = (&day(1)[..20], &day(1)[21..]);
    assert_eq!(
        ids,
        overlapping(&small(), from, until).into_iter().collect()
    );
    // The last page hands out the cursor that it was asked with.
    let last = pages.last().unwrap();
    let before = &pages[pages.len() - 2];
    assert_eq!(last.body["cursor"], before.body["cursor"]);
}

#[tokio::test]
async fn what_is_newer_than_the_data_is_cut_off_or_refused_and_remembered() {
    for beyond in [Beyond::Cut, Beyond::Refuse] {
        let history = History {
            clock: Clock {
                now: Moment::parse("2025-01-07T18:00:00Z"),
                lag_ms: 3_600_000,
                ..Clock::default()
            },
            jobs: Jobs {
                beyond,
                ..Jobs::default()
            },
            ..small()
        };
        let session = Session::with(history).await;
        let available = session.get(&format!("{JOBS}/availability")).await;
        let available = millis(&available.body["dataAvailabilityDate"]);
        let five = Moment::parse("2025-01-07T17:00:00Z").unwrap().0;
        assert!((five..five + 60_000).contains(&available));
        let answer = session.post(JOBS, json!({ "interval": day(1) })).await;
        assert_eq!(session.kinds(), [Kind::PastAvailability]);
        if beyond == Beyond::Refuse {
            assert_eq!(answer.status, 400);
            continue;
        }
        let pages = session
            .pages(answer.body["jobId"].as_str().unwrap(), 1_000)
            .await;
        let list = pages[0].body["conversations"].as_array().unwrap();
        assert!(
            list.iter()
                .all(|it| millis(&it["conversationStart"]) <= available)
        );
        // Who was on the line at that moment is still on the line.
        let open = list.iter().filter(|it| it.get("conversationEnd").is_none());
        assert!((1..40).contains(&open.count()));
        let known = list.iter().filter_map(|it| it.get("conversationEnd"));
        assert!(known.map(millis).all(|end| end <= available));
    }
}

#[tokio::test]
async fn users_have_jobs_of_their_own() {
    let session = Session::with(small()).await;
    let base = "/api/v2/analytics/users/details/jobs";
    let job = session.post(base, json!({ "interval": day(0) })).await;
    let job = job.body["jobId"].as_str().unwrap().to_owned();
    let mut users = BTreeSet::new();
    let mut path = format!("{base}/{job}/results?pageSize=15");
    loop {
        let page = session.get(&path).await;
        for user in page.body["userDetails"].as_array().unwrap() {
            let id = user["userId"].as_str().unwrap().to_owned();
            assert!(users.insert(id), "{user}");
            for (list, least) in [("primaryPresence", 1), ("routingStatus", 3)] {
                let list = user[list].as_array().unwrap();
                assert!(list.len() >= least, "{user}");
                for pair in list.windows(2) {
                    assert_eq!(pair[0]["endTime"], pair[1]["startTime"]);
                }
            }
        }
        let Some(cursor) = page.body["cursor"].as_str() else {
            break;
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("cursor", cursor);
        let query = query.finish();
        path = format!("{base}/{job}/results?pageSize=15&{query}");
    }
    assert_eq!(users.len(), 40);
    let other = session.get(&format!("{JOBS}/{job}")).await;
    assert_eq!(other.status, 404, "a users' job is none of conversations");
}
