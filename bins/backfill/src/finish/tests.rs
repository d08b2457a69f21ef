//! Finishing on a real store and a real broker: what stands in the rows, and what goes out.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that cannot be set up has failed

use super::{Checked, Settings, run};
use crate::trial::{LONG, Trial};
use broker::Queue;
use schema::JobId;
use schema::backfill::RefreshNotice;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use store::chunks::State;
use store::definitions::Status;
use store::jobs::{self, Promote};
use testkit::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

async fn ended(trial: &Trial, job: JobId) -> Value {
    eventually(LONG, "the job ends", async || {
        trial.read(job).await.state.has_ended()
    })
    .await;
    let report = trial.read(job).await.report_json.unwrap();
    serde_json::from_str(&report).unwrap()
}

/// Runs a process until the job has ended.
async fn finish(trial: &Trial, settings: Settings, job: JobId) -> Value {
    let process = trial.process(settings);
    let stop = process.stop.clone();
    let running = tokio::spawn(run(process));
    let report = ended(trial, job).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    report
}

async fn done(trial: &Trial) -> JobId {
    let process = trial.process(Trial::quick());
    let fetched = trial.fetched(None).await;
    assert_eq!(trial.check(&process, &fetched).await, Checked::Done);
    fetched.0.id
}

#[tokio::test]
async fn pitfall_5_a_chunk_that_came_up_short_is_fetched_anew_and_then_stated() {
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    let job = trial.job(Promote::Never).await;
    trial.record("a", 0).await;
    trial.record("b", 3599).await;
    // The end does not belong to it.
    trial.record("c", 3600).await;
    let fetched = trial.fetched(Some(3)).await;
    assert_eq!(trial.check(&process, &fetched).await, Checked::Reopened);
    let again = trial.fetched(Some(3)).await;
    assert_eq!(
        (again.1.reopened, again.1.arrived, again.1.state),
        (1, Some(2), State::Fetched)
    );
    assert_eq!(trial.check(&process, &again).await, Checked::Done);
    assert!(
        process
            .metrics
            .encode()
            .contains("kpiline_backfill_records_missing_total 1")
    );
    let report = finish(&trial, Trial::quick(), job).await;
    assert_eq!(
        (
            &report["expected"],
            &report["arrived"],
            &report["chunks_reopened"]
        ),
        (&3.into(), &2.into(), &1.into())
    );
    assert_eq!(report["short"][0]["expected"], 3);
    assert_eq!(report["short"][0]["arrived"], 2);
    assert_eq!(trial.read(job).await.state, jobs::State::Done);
}

#[tokio::test]
async fn a_chunk_is_done_when_what_was_on_the_way_has_arrived() {
    let trial = Trial::new().await;
    let settings = Settings {
        arrival: super::Policy {
            quiet: LONG,
            ..Trial::quick().arrival
        },
        ..Trial::quick()
    };
    let process = trial.process(settings);
    trial.job(Promote::Never).await;
    trial.record("a", 0).await;
    let fetched = trial.fetched(Some(2)).await;
    assert_eq!(trial.check(&process, &fetched).await, Checked::Later);
    let waits = trial
        .number("SELECT count(*) FROM backfill_chunks WHERE state = 'fetched' AND waiting_for = '1 of 2 records have arrived'")
        .await;
    assert_eq!(waits, 1);
    trial.record("b", 1).await;
    trial
        .execute("UPDATE backfill_chunks SET due_at = now()")
        .await;
    let fetched = trial.leased().await;
    assert_eq!(trial.check(&process, &fetched).await, Checked::Done);
    assert_eq!(
        trial.check(&process, &fetched).await,
        Checked::Lost,
        "it is over for whoever comes late"
    );
}

/// Answers POSTs with these statuses in turn, the last one again and again, and keeps what was posted.
async fn hook(statuses: &[u16]) -> (url::Url, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/refresh?token=hush",
        listener.local_addr().unwrap()
    );
    let posted = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&posted);
    let mut statuses: VecDeque<u16> = statuses.iter().copied().collect();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            loop {
                let text = String::from_utf8_lossy(&request).into_owned();
                let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let length = head.lines().find_map(|line| {
                        line.to_lowercase()
                            .strip_prefix("content-length: ")?
                            .parse::<usize>()
                            .ok()
                    });
                    length.is_some_and(|length| body.len() >= length)
                });
                if whole || stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            kept.lock()
                .unwrap()
                .push(String::from_utf8_lossy(&request).into_owned());
            let status = if statuses.len() > 1 {
                statuses.pop_front()
            } else {
                statuses.front().copied()
            };
            let answer = format!(
                "HTTP/1.1 {} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                status.unwrap_or(200)
            );
            let _sent = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url.parse().unwrap(), posted)
}

#[tokio::test]
async fn a_notice_goes_to_the_queue_and_signed_to_the_address_though_the_process_that_wrote_it_died()
 {
    runtime::install_crypto();
    let trial = Trial::new().await;
    trial.candidate("talk_time", 2).await;
    let job = trial.job(Promote::Offer).await;
    done(&trial).await;
    // It dies between writing the notice and sending it: nothing of it stays but the rows.
    let dying = trial.process(Trial::quick());
    let mut outlet = Trial::outlet(&dying);
    let client = trial.store.client().await.unwrap();
    let taken = jobs::to_settle(&client, &dying.owner, LONG)
        .await
        .unwrap()
        .unwrap();
    drop(client);
    super::settle::step(&dying, &mut outlet, &taken)
        .await
        .unwrap();
    outlet.close().await;
    assert_eq!(trial.broker.depth(Queue::BackfillNotices).await, 0);
    assert_eq!(
        trial.number("SELECT count(*) FROM backfill_notices").await,
        1
    );
    let (url, posted) = hook(&[500, 200]).await;
    let settings = Settings {
        notify: vec![url],
        notify_secret: Some(runtime::Secret::new("secret")),
        ..Trial::quick()
    };
    let report = finish(&trial, settings.clone(), job).await;
    assert_eq!(
        report["promote"]["commands"][0],
        "compute kpi promote talk_time@2"
    );
    trial
        .execute("UPDATE backfill_notices SET due_at = now()")
        .await;
    let process = trial.process(settings);
    let stop = process.stop.clone();
    let running = tokio::spawn(run(process));
    eventually(LONG, "the address takes it", async || {
        trial
            .execute("UPDATE backfill_notices SET due_at = now() WHERE posted_at IS NULL AND last_error IS NOT NULL")
            .await;
        trial
            .number("SELECT count(*) FROM backfill_notices WHERE posted_at IS NOT NULL AND queued_at IS NOT NULL")
            .await
            == 1
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(
        trial.broker.depth(Queue::BackfillNotices).await,
        1,
        "once in the queue"
    );
    let posted = posted.lock().unwrap().clone();
    assert_eq!(posted.len(), 2, "refused once, then taken");
    let (head, body) = posted[1].split_once("\r\n\r\n").unwrap();
    let header = |name: &str| {
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("{name} in {head}"))
            .to_owned()
    };
    let at: i64 = header("x-kpiline-timestamp").parse().unwrap();
    let signed = super::signature::signature(&runtime::Secret::new("secret"), at, body.as_bytes());
    assert_eq!(Some(header("x-kpiline-signature")), signed);
    let notice: RefreshNotice = serde_json::from_str(body).unwrap();
    assert_eq!(
        (notice.job, notice.kpis),
        (job, vec!["talk_time".to_owned()])
    );
    assert_eq!(
        serde_json::from_str::<Value>(body).unwrap()["event"],
        "computed"
    );
    let errors = trial.db.client().await;
    let error: String = errors
        .query_one("SELECT last_error FROM backfill_notices", &[])
        .await
        .unwrap()
        .get(0);
    assert!(error.contains("500") && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn a_notice_that_nobody_takes_is_given_up_and_stays_to_be_seen() {
    runtime::install_crypto();
    let trial = Trial::new().await;
    let job = trial.job(Promote::Never).await;
    done(&trial).await;
    let (url, _) = hook(&[503]).await;
    let settings = Settings {
        notify: vec![url],
        notify_attempts: 1,
        ..Trial::quick()
    };
    let process = trial.process(settings);
    let stop = process.stop.clone();
    let running = tokio::spawn(run(process));
    ended(&trial, job).await;
    eventually(LONG, "it is given up", async || {
        trial
            .number("SELECT count(*) FROM backfill_notices WHERE given_up_at IS NOT NULL AND queued_at IS NOT NULL AND posted_at IS NULL")
            .await
            == 1
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_version_is_promoted_when_it_was_asked_for_and_the_notice_says_so() {
    let trial = Trial::new().await;
    trial.candidate("talk_time", 2).await;
    let job = trial.job(Promote::Auto).await;
    done(&trial).await;
    let report = finish(&trial, Trial::quick(), job).await;
    assert_eq!(
        report["promote"]["outcomes"]["talk_time"]["outcome"],
        "promoted"
    );
    assert_eq!(report["promote"]["outcomes"]["talk_time"]["previous"], 1);
    assert_eq!(trial.status("talk_time", 2).await, Status::Current);
    assert_eq!(trial.status("talk_time", 1).await, Status::Candidate);
    let events = trial
        .number("SELECT count(*) FROM backfill_notices WHERE body ->> 'event' IN ('computed', 'promoted')")
        .await;
    assert_eq!(events, 2);
    let promoted = trial
        .number("SELECT count(*) FROM backfill_notices WHERE body -> 'promoted' ? 'talk_time' AND body ->> 'event' = 'promoted'")
        .await;
    assert_eq!(promoted, 1);
}

#[tokio::test]
async fn a_promotion_that_is_refused_is_reported_with_the_reason_and_changes_nothing() {
    let trial = Trial::new().await;
    trial.candidate("talk_time", 2).await;
    let job = trial.job(Promote::Auto).await;
    trial.record("a", 0).await;
    trial
        .execute(
            "UPDATE interactions SET evaluated_generation = NULL; \
             INSERT INTO computed_metrics (tenant, interaction_id, metric_type, metric_version, partition_at, timestamp_utc, metric_value) \
             SELECT tenant, interaction_id, 'talk_time', 1, partition_at, started_at, 60 FROM interactions",
        )
        .await;
    done(&trial).await;
    let report = finish(&trial, Trial::quick(), job).await;
    let outcome = &report["promote"]["outcomes"]["talk_time"];
    assert_eq!(outcome["outcome"], "refused");
    let reason = outcome["reason"].as_str().unwrap();
    assert!(reason.starts_with("1 of 1 rows of version 1 "), "{reason}");
    assert_eq!(report["computed"]["not_evaluated"], 1);
    assert_eq!(trial.status("talk_time", 1).await, Status::Current);
    let comparison = &report["comparison"][0];
    assert_eq!(
        (
            &comparison["kpi"],
            &comparison["only_old"],
            &comparison["old"]["mean"]
        ),
        (&"talk_time".into(), &1.into(), &60.0.into())
    );
}

#[tokio::test]
async fn a_job_whose_chunks_were_given_up_has_failed_and_reports_all_the_same() {
    let trial = Trial::new().await;
    trial.candidate("talk_time", 2).await;
    let job = trial.job(Promote::Auto).await;
    let (taken, chunk) = trial.leased().await;
    let client = trial.store.client().await.unwrap();
    let failed = store::chunks::failed(&client, taken.id, chunk.number, "lane", "400 refused");
    assert!(failed.await.unwrap());
    drop(client);
    let report = finish(&trial, Trial::quick(), job).await;
    let row = trial.read(job).await;
    assert_eq!(row.state, jobs::State::Failed);
    assert!(
        row.error
            .unwrap()
            .contains("1 of 1 chunks were given up; the first: 400 refused")
    );
    assert_eq!(report["state"], "failed");
    assert_eq!(
        trial.status("talk_time", 2).await,
        Status::Candidate,
        "nothing is promoted"
    );
    let events = trial
        .number("SELECT count(*) FROM backfill_notices WHERE body ->> 'event' = 'incomplete'")
        .await;
    assert_eq!(events, 1);
}

#[tokio::test]
async fn events_that_a_replay_could_not_map_stand_in_its_report() {
    let trial = Trial::new().await;
    let job = trial.job(Promote::Never).await;
    let cursor = r#"{"after":null,"read":9,"facts":5,"ignored":1,"unmapped":3,"examples":["e1: no mapping"]}"#;
    trial
        .execute(&format!(
            "UPDATE backfill_jobs SET kind = 'replay', platform = NULL; UPDATE backfill_chunks SET cursor = '{cursor}'"
        ))
        .await;
    done(&trial).await;
    let report = finish(&trial, Trial::quick(), job).await;
    assert_eq!(report["replay"]["read"], 9);
    assert_eq!(report["replay"]["unmapped"], 3);
    assert_eq!(report["replay"]["examples"][0], "e1: no mapping");
}

#[tokio::test]
async fn what_new_facts_revised_of_other_versions_is_reported() {
    let trial = Trial::new().await;
    trial.candidate("talk_time", 2).await;
    let job = trial.job(Promote::Never).await;
    trial.record("a", 0).await;
    done(&trial).await;
    trial
        .execute(
            "INSERT INTO computed_metrics (tenant, interaction_id, metric_type, metric_version, partition_at, timestamp_utc, metric_value) \
             SELECT tenant, interaction_id, 'talk_time', v, partition_at, started_at, 60 + v FROM interactions, unnest(ARRAY[1, 2]) AS v",
        )
        .await;
    let report = finish(&trial, Trial::quick(), job).await;
    assert_eq!(
        report["other_versions"],
        serde_json::json!([{"kpi": "talk_time", "version": 1, "new_rows": 1, "revised_rows": 0}])
    );
    assert_eq!(report["comparison"][0]["changed"], 1);
}
