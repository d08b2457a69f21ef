//! Finishing on a real store and a real broker: what stands in the rows, and what goes out.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that cannot be set up has failed

use super::{Checked, Settings, held, run};
use crate::config::Output;
use crate::trial::{LONG, Trial};
use broker::Queue;
use runtime::ExitWith;
use schema::JobId;
use schema::backfill::RefreshNotice;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::chunks::State;
use store::definitions::Status;
use store::jobs::{self, Promote};
use store::{Store, StoreConfig, sweep};
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

/// The sign waits for a connection, and the only one is the work's: it is free when the work has ended, and not before.
#[tokio::test]
async fn signs_of_life_hold_no_work_up_that_has_the_only_connection() {
    let trial = Trial::new().await;
    let job = trial.job(Promote::Never).await;
    let job = trial.read(job).await;
    let mut process = trial.process(Trial::quick());
    let config = StoreConfig {
        pool_max: 1,
        acquire_timeout: LONG * 10,
        ..StoreConfig::new(trial.db.url(), "backfill test")
    };
    process.store = Store::connect(config).await.unwrap();
    process.lease = Duration::from_millis(30);
    let work = async {
        let client = process.store.client().await.unwrap();
        let began = Instant::now();
        while began.elapsed() < process.lease * 5 {
            sweep::now(&client).await.unwrap();
        }
    };
    tokio::time::timeout(LONG, held(&process, &job, work))
        .await
        .unwrap();
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
    // The end does not belong to it, nor does what other sources of the platform bring of the time, even about the same conversations.
    trial.record("c", 3600).await;
    trial
        .execute(
            "INSERT INTO event_log (occurred_at, log_key, tenant, subscription, event_id, interaction_id, format, delivery_id, received_at, \
                                    digest, raw) \
             SELECT occurred_at, gen_random_uuid(), tenant, subscription, n::text, i, f, delivery_id, received_at, digest, raw \
             FROM event_log, generate_series(1, 20) AS n, \
                  (VALUES ('agent:x', '\"genesys_user_details\"'), ('a', '\"cxone_contact_states\"'), ('a', '\"cxone_contacts\"')) AS o (i, f)",
        )
        .await;
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
    assert_eq!(
        report["gaps"],
        serde_json::json!(["1 chunks have fewer records than the platform counts"])
    );
    assert_eq!(trial.read(job).await.state, jobs::State::Done);
    let watched = crate::watch::run(&trial.store, job, Output::Json, LONG).await;
    let exit = watched.unwrap_err().downcast::<ExitWith>().unwrap();
    assert!(
        exit.to_string().contains("done with gaps: 1 chunks"),
        "{exit}"
    );
    assert_eq!(events(&trial, "incomplete").await, 1);
}

async fn events(trial: &Trial, event: &str) -> i64 {
    let text = format!("SELECT count(*) FROM backfill_notices WHERE body ->> 'event' = '{event}'");
    trial.number(&text).await
}

#[tokio::test]
async fn what_is_known_to_be_missing_is_neither_promoted_nor_a_gap_that_was_closed() {
    let trial = Trial::new().await;
    trial.candidate("talk_time", 2).await;
    let job = trial.job(Promote::Auto).await;
    trial
        .execute("UPDATE backfill_jobs SET purpose = 'gap'")
        .await;
    trial.record("a", 0).await;
    // What came is evaluated of neither; nothing moves, and patience runs out.
    trial
        .execute("UPDATE interactions SET evaluated_generation = NULL")
        .await;
    done(&trial).await;
    let report = finish(&trial, Trial::quick(), job).await;
    assert_eq!(
        report["gaps"],
        serde_json::json!(["1 interactions were not evaluated"])
    );
    assert_eq!(events(&trial, "incomplete").await, 1);
    assert_eq!(trial.status("talk_time", 2).await, Status::Candidate);
    let row = trial.read(job).await;
    assert_eq!(row.state, jobs::State::Failed, "the gap stays open");
    assert_eq!(
        row.error.as_deref(),
        Some("the gap is not closed: 1 interactions were not evaluated")
    );
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

#[tokio::test]
async fn a_job_ends_though_it_takes_too_long_to_look_what_is_computed() {
    let trial = Trial::new().await;
    let job = trial.job(Promote::Never).await;
    done(&trial).await;
    let mut outside = trial.db.client().await;
    let tx = outside.transaction().await.unwrap();
    tx.batch_execute("LOCK deferred_evaluations").await.unwrap();
    let settings = Settings {
        look_for: std::time::Duration::from_secs(1),
        ..Trial::quick()
    };
    let process = trial.process(settings);
    let mut outlet = Trial::outlet(&process);
    eventually(LONG, "the job ends", async || {
        trial
            .execute("UPDATE backfill_jobs SET lease_until = now() WHERE lease_owner IS NULL")
            .await;
        let client = trial.store.client().await.unwrap();
        let taken = jobs::to_settle(&client, &process.owner, LONG).await;
        drop(client);
        if let Some(taken) = taken.unwrap() {
            super::settle::step(&process, &mut outlet, &taken)
                .await
                .unwrap();
        }
        trial.read(job).await.state.has_ended()
    })
    .await;
    outlet.close().await;
    tx.rollback().await.unwrap();
    let report: Value = serde_json::from_str(&trial.read(job).await.report_json.unwrap()).unwrap();
    assert_eq!(report["not_looked_at"][0], "computed");
    assert_eq!(report["computed"], Value::Null);
    assert_eq!(
        report["gaps"],
        serde_json::json!(["not all could be looked at"])
    );
    assert_eq!(events(&trial, "incomplete").await, 1);
    // Whoever comes next has the usual patience.
    let client = trial.store.client().await.unwrap();
    store::sweep::now(&client).await.unwrap();
}

#[tokio::test]
async fn a_chunk_that_another_process_reopened_is_waited_for_anew() {
    let trial = Trial::new().await;
    let settings = |quiet| Settings {
        arrival: super::Policy {
            quiet,
            ..Trial::quick().arrival
        },
        ..Trial::quick()
    };
    let (one, other) = (
        trial.process(settings(LONG / 2)),
        trial.process(settings(std::time::Duration::ZERO)),
    );
    trial.job(Promote::Never).await;
    let fetched = trial.fetched(Some(1)).await;
    assert_eq!(trial.check(&one, &fetched).await, Checked::Later);
    // A minute ago, that is.
    for sight in one.moved.lock().unwrap().values_mut() {
        sight.since -= LONG;
    }
    trial
        .execute("UPDATE backfill_chunks SET due_at = now()")
        .await;
    let looked = trial.leased().await;
    assert_eq!(trial.check(&other, &looked).await, Checked::Reopened);
    let again = trial.fetched(Some(1)).await;
    assert_eq!(
        trial.check(&one, &again).await,
        Checked::Later,
        "it saw nothing of this fetch yet"
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
    let (willing, once) = hook(&[200]).await;
    let settings = Settings {
        notify: vec![url, willing],
        notify_secret: Some(runtime::Secret::new("secret")),
        ..Trial::quick()
    };
    // A process without addresses leaves the posting to this one.
    let report = finish(&trial, Trial::quick(), job).await;
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
    assert_eq!(once.lock().unwrap().len(), 1, "who took it has it");
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
async fn a_notice_that_the_broker_refuses_is_given_up_and_holds_up_no_other() {
    let trial = Trial::new().await;
    trial.job(Promote::Never).await;
    trial
        .execute(
            "INSERT INTO backfill_notices (job_id, body) \
             SELECT job_id, jsonb_build_object('x', repeat('x', 17 << 20)) FROM backfill_jobs; \
             INSERT INTO backfill_notices (job_id, body) SELECT job_id, '{}' FROM backfill_jobs",
        )
        .await;
    let settings = Settings {
        notify_attempts: 1,
        ..Trial::quick()
    };
    let process = trial.process(settings);
    let stop = process.stop.clone();
    let running = tokio::spawn(run(process));
    eventually(LONG, "one is queued, the other given up", async || {
        trial
            .number(
                "SELECT count(*) FROM backfill_notices WHERE body = '{}' AND queued_at IS NOT NULL AND posted_at IS NULL \
                   OR body <> '{}' AND queued_at IS NULL AND given_up_at IS NOT NULL",
            )
            .await
            == 2
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(trial.broker.depth(Queue::BackfillNotices).await, 1);
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
async fn a_replay_that_could_not_map_everything_does_not_look_done() {
    let trial = Trial::new().await;
    trial.candidate("talk_time", 2).await;
    let job = trial.job(Promote::Auto).await;
    trial
        .execute(
            r#"UPDATE backfill_jobs SET kind = 'replay', platform = NULL;
               UPDATE backfill_chunks SET cursor = '{"after": null, "read": 7, "facts": 4, "ignored": 1, "unmapped": 2, "erased": 1,
                                                     "examples": ["no mapping of this name"]}'"#,
        )
        .await;
    done(&trial).await;
    let report = finish(&trial, Trial::quick(), job).await;
    assert_eq!(
        (&report["replay"]["read"], &report["replay"]["erased"]),
        (&7.into(), &1.into())
    );
    assert_eq!(report["replay"]["examples"][0], "no mapping of this name");
    assert_eq!(
        report["gaps"],
        serde_json::json!(["2 events could not be mapped"])
    );
    assert_eq!(events(&trial, "incomplete").await, 1);
    assert_eq!(trial.status("talk_time", 2).await, Status::Candidate);
}

/// Takes a job that settles, as the process does, and steps until its report is written.
async fn reported(trial: &Trial, process: &super::Finishing) -> jobs::Job {
    let mut outlet = Trial::outlet(process);
    loop {
        trial
            .execute("UPDATE backfill_jobs SET lease_until = now() WHERE lease_owner IS NULL")
            .await;
        let client = trial.store.client().await.unwrap();
        let taken = jobs::to_settle(&client, &process.owner, LONG).await;
        drop(client);
        let taken = taken.unwrap().unwrap();
        if taken
            .cursor_json
            .as_deref()
            .is_some_and(|cursor| cursor.contains("reported_at"))
        {
            outlet.close().await;
            return taken;
        }
        super::settle::step(process, &mut outlet, &taken)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_job_that_is_cancelled_while_it_is_looked_at_promotes_nothing() {
    let trial = Trial::new().await;
    trial.candidate("talk_time", 2).await;
    let job = trial.job(Promote::Auto).await;
    done(&trial).await;
    let process = trial.process(Trial::quick());
    let taken = reported(&trial, &process).await;
    let client = trial.store.client().await.unwrap();
    assert!(jobs::cancel(&client, job).await.unwrap());
    drop(client);
    let mut outlet = Trial::outlet(&process);
    super::settle::step(&process, &mut outlet, &taken)
        .await
        .unwrap();
    outlet.close().await;
    assert_eq!(trial.status("talk_time", 2).await, Status::Candidate);
    assert_eq!(trial.read(job).await.state, jobs::State::Cancelled);
    assert_eq!(events(&trial, "promoted").await, 0);
}

#[tokio::test]
async fn a_promotion_is_known_and_told_though_the_process_died_right_after_it() {
    let trial = Trial::new().await;
    trial.candidate("talk_time", 2).await;
    let job = trial.job(Promote::Auto).await;
    done(&trial).await;
    let dying = trial.process(Trial::quick());
    let taken = reported(&trial, &dying).await;
    let mut stands = serde_json::from_str(taken.cursor_json.as_deref().unwrap()).unwrap();
    let tried = super::promote::all(&dying, &taken, &mut stands, &serde_json::Map::new()).await;
    assert_eq!(tried.unwrap(), super::promote::Tried::Over);
    // Nothing of it stays but the rows.
    trial
        .execute("UPDATE backfill_jobs SET lease_until = now()")
        .await;
    let report = finish(&trial, Trial::quick(), job).await;
    assert_eq!(
        report["promote"]["outcomes"]["talk_time"],
        serde_json::json!({"outcome": "promoted", "previous": 1})
    );
    assert_eq!(events(&trial, "promoted").await, 1);
}

#[tokio::test]
async fn a_promotion_that_is_refused_is_reported_with_the_reason_and_changes_nothing() {
    let trial = Trial::new().await;
    trial.candidate("talk_time", 2).await;
    let job = trial.job(Promote::Auto).await;
    // The job's own stretch is whole; what is missing lies before it.
    trial.record("a", -10).await;
    trial.record("b", 0).await;
    trial
        .execute(
            "UPDATE interactions SET evaluated_generation = NULL WHERE interaction_id = 'a'; \
             INSERT INTO computed_metrics (tenant, interaction_id, metric_type, metric_version, partition_at, timestamp_utc, metric_value) \
             SELECT tenant, interaction_id, 'talk_time', 1, partition_at, started_at, 60 FROM interactions",
        )
        .await;
    done(&trial).await;
    let report = finish(&trial, Trial::quick(), job).await;
    let outcome = &report["promote"]["outcomes"]["talk_time"];
    assert_eq!(outcome["outcome"], "refused");
    let reason = outcome["reason"].as_str().unwrap();
    assert!(reason.starts_with("1 of 2 rows of version 1 "), "{reason}");
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
    assert_eq!(events(&trial, "incomplete").await, 1);
    // It is not the end: what was given up can be tried once more, and the job settles anew.
    let client = trial.store.client().await.unwrap();
    assert_eq!(store::chunks::retry_failed(&client, job).await.unwrap(), 1);
    drop(client);
    done(&trial).await;
    let report = finish(&trial, Trial::quick(), job).await;
    assert_eq!(trial.read(job).await.state, jobs::State::Done);
    assert_eq!(report["gaps"], serde_json::json!([]));
    assert_eq!(trial.status("talk_time", 2).await, Status::Current);
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
