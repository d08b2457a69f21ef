//! Standing work on a real store: what stands in the rows, whoever acts and however often.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that cannot be set up has failed

use super::{Looked, following, gap, lookups, round, run, settling};
use crate::finish::{Checked, Finishing};
use crate::platforms::Platform;
use crate::trial::{LONG, Trial};
use schema::UtcMicros;
use serde_json::Value;
use store::chunks;
use store::freshness::evidence;
use store::jobs::{self, Job, Lane, Purpose, State};
use testkit::eventually;

const SECOND: i64 = 1_000_000;

fn main(process: &Finishing) -> &Platform {
    process.platforms.get("main").unwrap()
}

async fn follow(process: &Finishing) {
    let platform = main(process);
    let follow = platform.follow.as_ref().unwrap();
    following::one(process, platform, follow, follow.sources[0])
        .await
        .unwrap();
}

async fn of_request(trial: &Trial, request: &str) -> Job {
    let client = trial.store.client().await.unwrap();
    jobs::of_request(&client, request).await.unwrap().unwrap()
}

async fn stretches(trial: &Trial, job: &Job) -> Vec<(UtcMicros, UtcMicros)> {
    let client = trial.store.client().await.unwrap();
    let chunks = chunks::of_job(&client, job.id).await.unwrap();
    let mut all: Vec<_> = chunks.iter().map(|chunk| (chunk.from, chunk.to)).collect();
    // Cut at midnight, then without an overlap.
    all.dedup_by(|next, one| {
        let joins = next.0 == one.1;
        if joins {
            one.1 = next.1;
        }
        joins
    });
    all
}

const FRONT: &str = "follow/main/genesys-conversations";

#[tokio::test]
async fn pitfall_2_following_takes_half_open_stretches_with_an_overlap_and_no_gap_after_a_downtime()
{
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    follow(&process).await;
    // Another process, at the same time: nothing is made twice.
    follow(&trial.process(Trial::quick())).await;
    let front = of_request(&trial, FRONT).await;
    assert_eq!(
        (front.lane, front.purpose, front.standing),
        (Lane::Live, Purpose::Follow, true)
    );
    let first = stretches(&trial, &front).await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].1.0 - first[0].0.0, (600 - 120 + 30) * SECOND);
    // Three hours in which nobody acted.
    trial
        .execute(
            "UPDATE backfill_chunks SET from_at = from_at - interval '3 hours', to_at = to_at - interval '3 hours', state = 'done'; \
             UPDATE backfill_jobs SET cursor = jsonb_set(cursor, '{until}', to_jsonb((cursor ->> 'until')::bigint - 10800000000)), \
                                      from_at = from_at - interval '3 hours' WHERE request_id NOT LIKE '%/again'",
        )
        .await;
    follow(&process).await;
    let all = stretches(&trial, &front).await;
    assert_eq!(all.len(), 2, "the last hour: {all:?}");
    // What is older is no news: it waits for live work, and nothing waits for it.
    let behind = of_request(&trial, &format!("{FRONT}/behind")).await;
    assert_eq!(
        (behind.lane, behind.purpose, behind.standing),
        (Lane::History, Purpose::Follow, true)
    );
    let late = stretches(&trial, &behind).await;
    let all = [&all[..1], &late, &all[1..]].concat();
    assert_eq!(all.len(), 3, "{all:?}");
    for pair in all.windows(2) {
        assert_eq!(
            pair[1].0.0,
            pair[0].1.0 - 30 * SECOND,
            "half-open, with the overlap and no gap"
        );
    }
    // Once: the next look has nothing late.
    follow(&process).await;
    assert_eq!(stretches(&trial, &behind).await, late);
    let lag = process.metrics.encode();
    let lag = lag
        .lines()
        .find_map(|line| line.strip_prefix("kpiline_backfill_follow_lag_seconds{platform=\"main\",source=\"genesys-conversations\"} "))
        .unwrap();
    let lag: i64 = lag.parse().unwrap();
    assert!((3 * 3600..3 * 3600 + 700).contains(&lag), "{lag}");
    let again = of_request(&trial, &format!("{FRONT}/again")).await;
    assert_eq!(again.lane, Lane::Live);
    // What is so old by now is read again; a query each, since no asynchronous job has it yet.
    let query = trial
        .number(
            "SELECT count(*) FROM backfill_chunks c JOIN backfill_jobs j USING (job_id) \
             WHERE j.lane = 'live' AND c.cursor IS DISTINCT FROM '{\"way\": \"query\"}'",
        )
        .await;
    assert_eq!(query, 0);
}

#[tokio::test]
async fn a_paused_follow_job_is_left_alone_and_catches_up_when_it_goes_on() {
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    follow(&process).await;
    let front = of_request(&trial, FRONT).await;
    let client = trial.store.client().await.unwrap();
    jobs::pause(&client, front.id, "an operator").await.unwrap();
    let back = "UPDATE backfill_jobs SET cursor = jsonb_set(cursor, '{until}', to_jsonb((cursor ->> 'until')::bigint - 3600000000)) \
                WHERE request_id NOT LIKE '%/again'";
    trial.execute(back).await;
    follow(&process).await;
    assert_eq!(stretches(&trial, &front).await.len(), 1);
    jobs::resume(&client, front.id).await.unwrap();
    drop(client);
    follow(&process).await;
    assert!(stretches(&trial, &front).await.len() >= 2);
}

#[tokio::test]
async fn a_day_is_settled_once_however_many_processes_look() {
    let trial = Trial::new().await;
    let (one, other) = (trial.process(Trial::quick()), trial.process(Trial::quick()));
    let settle = async |process: &Finishing| {
        let platform = main(process);
        let settlement = platform.settlement.as_ref().unwrap();
        settling::all(process, platform, settlement).await
    };
    let (first, second) = tokio::join!(settle(&one), settle(&other));
    first.unwrap();
    second.unwrap();
    settle(&one).await.unwrap();
    let jobs = trial
        .number("SELECT count(*) FROM backfill_jobs WHERE purpose = 'settlement' AND kind = 'genesys-conversations' AND promote = 'never'")
        .await;
    assert_eq!(jobs, 2, "yesterday and four days ago");
    // Days of the zone, whole: the chunks reach from one end to the other.
    let days = trial
        .number(
            "SELECT count(*) FROM backfill_jobs j \
             WHERE (SELECT min(from_at) FROM backfill_chunks c WHERE c.job_id = j.job_id) = j.from_at \
               AND (SELECT max(to_at) FROM backfill_chunks c WHERE c.job_id = j.job_id) = j.to_at \
               AND extract(hour FROM j.from_at AT TIME ZONE 'Europe/Berlin') = 0 \
               AND (j.to_at AT TIME ZONE 'Europe/Berlin') - (j.from_at AT TIME ZONE 'Europe/Berlin') = interval '1 day'",
        )
        .await;
    assert_eq!(days, 2);
    // A day that nobody saw to is made up for.
    trial
        .execute(
            "DELETE FROM backfill_jobs WHERE request_id NOT LIKE '%+4'; \
             UPDATE backfill_jobs SET request_id = 'settlement/main/genesys-conversations/' || ((now() - interval '7 days')::date) || '+4'",
        )
        .await;
    settle(&other).await.unwrap();
    assert!(trial.number("SELECT count(*) FROM backfill_jobs").await >= 7);
}

async fn look_up(process: &Finishing) {
    let platform = main(process);
    let settlement = platform.settlement.as_ref().unwrap();
    lookups::all(process, platform, settlement).await.unwrap();
}

#[tokio::test]
async fn pitfall_19_look_ups_become_one_job_are_removed_when_answered_and_rest_when_unknown() {
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    trial
        .execute(
            "INSERT INTO history_requests (tenant, interaction_id, reason, requested_at, due_at) VALUES \
             ('acme', 'ended', 'never ended', now() - interval '1 hour', now() - interval '1 hour'), \
             ('acme', 'unknown', 'inferred_end', now() - interval '1 hour', now() - interval '1 hour'), \
             ('acme', 'young', 'inferred_end', now(), now()), \
             ('acme', 'given-up', 'inferred_end', now() - interval '9 days', now() - interval '1 day'), \
             ('nobody', 'x', 'inferred_end', now() - interval '1 hour', now() - interval '1 hour'); \
             UPDATE history_requests SET attempts = 5 WHERE interaction_id = 'given-up'",
        )
        .await;
    look_up(&process).await;
    look_up(&trial.process(Trial::quick())).await;
    assert_eq!(trial.number("SELECT count(*) FROM backfill_jobs").await, 1);
    let (job, chunk) = trial.leased().await;
    assert_eq!(
        (job.kind.as_str(), job.purpose),
        ("genesys-lookup", Purpose::Lookup)
    );
    let cursor: Value = serde_json::from_str(chunk.cursor_json.as_deref().unwrap()).unwrap();
    let mut ids: Vec<&str> = cursor["ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["ended", "unknown"]);
    // The platform has one of them, and its record was folded.
    let client = trial.store.client().await.unwrap();
    let said = chunks::Progress {
        cursor_json: Some(r#"{"ids":["ended","unknown"],"unknown":["unknown"]}"#),
        ..chunks::Progress::default()
    };
    let held = chunks::progress(&client, job.id, chunk.number, "lane", &said, LONG)
        .await
        .unwrap();
    assert!(held.goes_on());
    let fetched = chunks::fetched(
        &client,
        job.id,
        chunk.number,
        "lane",
        None,
        std::time::Duration::ZERO,
    );
    assert!(fetched.await.unwrap());
    drop(client);
    trial.record("ended", 0).await;
    let fetched = trial.leased().await;
    assert_eq!(trial.check(&process, &fetched).await, Checked::Done);
    let left = "SELECT count(*) FROM history_requests WHERE tenant = 'acme' AND interaction_id ";
    assert_eq!(trial.number(&format!("{left} = 'ended'")).await, 0);
    let rests = format!(
        "{left} = 'unknown' AND attempts = 1 AND due_at > now() AND last_error LIKE '%does not know%'"
    );
    assert_eq!(trial.number(&rests).await, 1);
    assert_eq!(
        trial
            .number(&format!("{left} IN ('young', 'given-up')"))
            .await,
        2
    );
}

#[tokio::test]
async fn a_platform_that_is_asked_about_time_is_asked_about_the_hours_its_interactions_began_in() {
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    trial
        .execute(
            "INSERT INTO interactions (tenant, interaction_id, partition_at, started_at, status, state, facts) VALUES \
             ('beta', 'i', '2024-05-15T14:20:00Z', '2024-05-15T14:20:00Z', 'open', '{}', 1); \
             INSERT INTO history_requests (tenant, interaction_id, reason, requested_at, due_at) VALUES \
             ('beta', 'i', 'never ended', now() - interval '1 hour', now() - interval '1 hour')",
        )
        .await;
    let platform = process.platforms.get("other").unwrap();
    let settlement = platform.settlement.as_ref().unwrap();
    lookups::all(&process, platform, settlement).await.unwrap();
    let found = trial
        .number(
            "SELECT count(*) FROM backfill_jobs WHERE kind = 'cxone-contacts' AND purpose = 'lookup' AND params = '{\"ids\": [\"i\"]}' \
               AND from_at = '2024-05-15T14:00:00Z' AND to_at = '2024-05-15T15:00:00Z'",
        )
        .await;
    assert_eq!(found, 1);
    // Its answer says no more than was known: it is asked for once more, later.
    let fetched = trial.fetched(Some(0)).await;
    assert_eq!(trial.check(&process, &fetched).await, Checked::Done);
    let rests = "SELECT count(*) FROM history_requests WHERE attempts = 1 AND last_error LIKE '%states no end%'";
    assert_eq!(trial.number(rests).await, 1);
}

async fn gaps(process: &Finishing, name: &str) {
    let platform = process.platforms.get(name).unwrap();
    let settlement = platform.settlement.as_ref().unwrap();
    gap::all(process, platform, settlement).await.unwrap();
}

/// Two platforms of one organisation, each with the history of a subscription.
fn shared(process: &mut Finishing) {
    let text = Trial::PLATFORMS
        .replace("tenant = \"beta\"", "tenant = \"acme\"")
        .replace(
            "platform = \"genesys\"",
            "platform = \"genesys\"\nstands_in_for = [\"calls\"]",
        )
        .replace(
            "platform = \"cxone\"",
            "platform = \"cxone\"\nstands_in_for = [\"chats\"]",
        );
    process.platforms = std::sync::Arc::new(Trial::parsed(&text));
}

#[tokio::test]
async fn a_gap_is_fetched_from_the_platform_that_stands_in_for_its_subscription() {
    let trial = Trial::new().await;
    let mut process = trial.process(Trial::quick());
    shared(&mut process);
    trial
        .execute(
            "INSERT INTO subscription_gaps (subscription, tenant, from_at, to_at) \
             SELECT name, 'acme', '2024-05-15T14:00:00Z', '2024-05-15T15:00:00Z' FROM unnest(ARRAY['calls', 'chats', 'other']) AS name",
        )
        .await;
    gaps(&process, "main").await;
    gaps(&process, "other").await;
    let jobs = "SELECT count(*) FROM backfill_jobs j JOIN subscription_gaps g ON j.request_id LIKE 'gap/' || g.gap_id || '/%'";
    assert_eq!(trial.number(jobs).await, 2);
    for (subscription, platform) in [("calls", "main"), ("chats", "other")] {
        let of =
            format!("{jobs} WHERE g.subscription = '{subscription}' AND j.platform = '{platform}'");
        assert_eq!(trial.number(&of).await, 1, "{subscription}");
    }
}

#[tokio::test]
async fn gaps_that_stay_open_keep_no_newer_one_from_being_fetched() {
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    trial
        .execute(
            "INSERT INTO subscription_gaps (subscription, tenant, from_at, to_at) \
             SELECT 'hook', 'acme', '2024-05-15T14:00:00Z'::timestamptz + n * interval '1 hour', \
                    '2024-05-15T14:10:00Z'::timestamptz + n * interval '1 hour' FROM generate_series(0, 220) n; \
             INSERT INTO backfill_jobs (job_id, kind, metric_version, state, request_id) \
             SELECT gen_random_uuid(), 'genesys-conversations', 1, 'failed', 'gap/' || gap_id || '/genesys-conversations' \
             FROM subscription_gaps ORDER BY from_at LIMIT 220",
        )
        .await;
    gaps(&process, "main").await;
    let fetched = "SELECT count(*) FROM backfill_jobs WHERE purpose = 'gap' AND state <> 'failed'";
    assert_eq!(trial.number(fetched).await, 1);
}

#[tokio::test]
async fn an_interaction_is_looked_up_where_its_subscription_came_from() {
    let trial = Trial::new().await;
    let mut process = trial.process(Trial::quick());
    shared(&mut process);
    for id in ["call", "chat", "own", "nobody's"] {
        trial.record(id, 0).await;
    }
    trial
        .execute(
            "UPDATE event_log SET subscription = CASE interaction_id WHEN 'call' THEN 'calls' WHEN 'chat' THEN 'chats' \
                                                                     WHEN 'own' THEN 'backfill-main' ELSE 'elsewhere' END; \
             INSERT INTO history_requests (tenant, interaction_id, reason, requested_at, due_at) \
             SELECT 'acme', interaction_id, 'never ended', now() - interval '1 hour', now() - interval '1 hour' FROM interactions",
        )
        .await;
    look_up(&process).await;
    let platform = process.platforms.get("other").unwrap();
    let settlement = platform.settlement.as_ref().unwrap();
    lookups::all(&process, platform, settlement).await.unwrap();
    let client = trial.db.client().await;
    let rows = client
        .query(
            "SELECT platform, params::text FROM backfill_jobs ORDER BY platform",
            &[],
        )
        .await
        .unwrap();
    let asked: Vec<(String, Vec<String>)> = rows
        .iter()
        .map(|row| {
            let params: Value = serde_json::from_str(row.get(1)).unwrap();
            let mut ids: Vec<String> = serde_json::from_value(params["ids"].clone()).unwrap();
            ids.sort_unstable();
            (row.get(0), ids)
        })
        .collect();
    let expected =
        [("main", vec!["call", "own"]), ("other", vec!["chat"])].map(|(platform, ids)| {
            (
                platform.to_owned(),
                ids.into_iter().map(str::to_owned).collect(),
            )
        });
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_gap_is_fetched_once_and_settled_when_its_job_is_done() {
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    trial
        .execute(
            "INSERT INTO subscription_gaps (subscription, tenant, from_at, to_at) VALUES \
             ('hook', 'acme', '2024-05-15T14:00:00Z', '2024-05-15T15:00:00Z'), \
             ('hook', 'nobody', '2024-05-15T14:00:00Z', '2024-05-15T15:00:00Z')",
        )
        .await;
    gaps(&process, "main").await;
    gaps(&trial.process(Trial::quick()), "main").await;
    let jobs = trial
        .number("SELECT count(*) FROM backfill_jobs WHERE purpose = 'gap' AND from_at = '2024-05-15T13:55:00Z' AND to_at = '2024-05-15T15:05:00Z'")
        .await;
    assert_eq!(jobs, 1);
    let settled = "SELECT count(*) FROM subscription_gaps WHERE settled_at IS NOT NULL";
    trial
        .execute("UPDATE backfill_jobs SET state = 'failed'")
        .await;
    gaps(&process, "main").await;
    assert_eq!(trial.number(settled).await, 0, "one that failed stays open");
    trial
        .execute("UPDATE backfill_jobs SET state = 'done'")
        .await;
    gaps(&process, "main").await;
    gaps(&process, "main").await;
    assert_eq!(trial.number(settled).await, 1);
    assert_eq!(trial.number("SELECT count(*) FROM backfill_jobs").await, 1);
}

#[tokio::test]
async fn old_jobs_go_and_standing_ones_stay() {
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    follow(&process).await;
    let kept = trial.number("SELECT count(*) FROM backfill_jobs").await;
    trial
        .execute(
            "INSERT INTO backfill_jobs (job_id, kind, metric_version, state, finished_at) VALUES \
             (gen_random_uuid(), 'replay', 1, 'done', now() - interval '91 days'), \
             (gen_random_uuid(), 'replay', 1, 'done', now() - interval '89 days'); \
             UPDATE backfill_jobs SET created_at = now() - interval '1 year'",
        )
        .await;
    trial
        .execute(
            "INSERT INTO backfill_jobs (job_id, kind, metric_version, purpose, state, updated_at) \
             SELECT gen_random_uuid(), 'genesys-lookup', 1, purpose, state, now() - age FROM ( \
                 VALUES ('lookup', 'paused', interval '8 days'), ('lookup', 'cancelled', interval '8 days'), \
                        ('lookup', 'done', interval '8 days'), ('lookup', 'running', interval '8 days'), \
                        ('lookup', 'paused', interval '6 days'), ('job', 'paused', interval '8 days')) AS old (purpose, state, age); \
             INSERT INTO platform_counts (tenant, platform, measure, from_at, to_at, value, fetched_at) \
             SELECT 'acme', 'main', 'conversations', now() - age, now(), 1, now() - age \
             FROM unnest(ARRAY[interval '91 days', interval '89 days']) AS age",
        )
        .await;
    super::retention(&process).await.unwrap();
    assert_eq!(
        trial.number("SELECT count(*) FROM backfill_jobs").await,
        kept + 1 + 3
    );
    assert_eq!(
        trial.number("SELECT count(*) FROM platform_counts").await,
        1
    );
}

#[tokio::test]
async fn one_process_at_a_time_acts_and_the_next_one_when_it_is_gone() {
    let trial = Trial::new().await;
    let (one, other) = (trial.process(Trial::quick()), trial.process(Trial::quick()));
    let (stop_one, stop_other) = (one.stop.clone(), other.stop.clone());
    let first = tokio::spawn(run(one));
    eventually(LONG, "it follows", async || {
        trial
            .number("SELECT count(*) FROM backfill_jobs WHERE standing")
            .await
            >= 1
    })
    .await;
    let second = tokio::spawn(run(other));
    stop_one.cancel();
    first.await.unwrap().unwrap();
    trial.execute("DELETE FROM backfill_jobs").await;
    eventually(LONG, "the next one follows", async || {
        trial
            .number("SELECT count(*) FROM backfill_jobs WHERE standing")
            .await
            >= 1
    })
    .await;
    stop_other.cancel();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_standing_jobs_are_named_no_request_may_be() {
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    trial
        .execute("INSERT INTO subscription_gaps (subscription, tenant, from_at, to_at) VALUES ('hook', 'acme', '2024-05-15T14:00:00Z', '2024-05-15T15:00:00Z')")
        .await;
    round(&process, &mut Looked::default()).await;
    let client = trial.db.client().await;
    let rows = client
        .query(
            "SELECT request_id FROM backfill_jobs WHERE request_id IS NOT NULL",
            &[],
        )
        .await
        .unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    for reserved in schema::backfill::REQUESTS_RESERVED {
        assert!(
            names.iter().any(|name| name.starts_with(reserved)),
            "{reserved} {names:?}"
        );
    }
    for name in names {
        let reserved = schema::backfill::REQUESTS_RESERVED;
        assert!(
            reserved.iter().any(|prefix| name.starts_with(prefix)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_cancelled_follow_job_is_not_begun_again_by_itself() {
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    round(&process, &mut Looked::default()).await;
    let front = of_request(&trial, FRONT).await;
    let client = trial.store.client().await.unwrap();
    assert!(jobs::cancel(&client, front.id).await.unwrap());
    drop(client);
    let before = trial.number("SELECT count(*) FROM backfill_jobs").await;
    round(&process, &mut Looked::default()).await;
    assert_eq!(
        trial.number("SELECT count(*) FROM backfill_jobs").await,
        before
    );
    assert_eq!(trial.read(front.id).await.state, State::Cancelled);
}

#[tokio::test]
async fn how_far_a_followed_source_is_can_be_read_for_as_long_as_it_is_followed() {
    let trial = Trial::new().await;
    let process = trial.process(Trial::quick());
    follow(&process).await;
    let client = trial.store.client().await.unwrap();
    let read = async || {
        evidence::followed(&client, "acme", Some("main"))
            .await
            .unwrap()
    };
    let followed = read().await;
    assert_eq!(followed.len(), 1);
    assert_eq!(followed[0].source, "genesys-conversations");
    assert_eq!(followed[0].usual.as_secs(), 180);
    // Nothing is fetched yet of the ten minutes with which it begins.
    let now = store::sweep::now(&client).await.unwrap();
    let behind = (now.0 - followed[0].until.0) / SECOND;
    assert!((540..=660).contains(&behind), "{behind}");
    assert!(
        evidence::followed(&client, "beta", Some("main"))
            .await
            .unwrap()
            .is_empty()
    );
    following::tidy(&process).await.unwrap();
    assert_eq!(read().await.len(), 1);
    evidence::forget_followed(&client, "main", &["genesys-users"])
        .await
        .unwrap();
    assert!(read().await.is_empty());
}

#[test]
fn what_is_kept_going_and_what_it_costs_is_said_in_words() {
    let platforms = Trial::platforms();
    let words = super::words(platforms.get("main").unwrap());
    assert_eq!(
        words,
        [
            "main follows genesys-conversations: news are fetched within 180 s, for at least 3552 requests a day; \
             each query lists the UTC day up to now, so that a day of 10000 conversations takes about 90576",
            "main fetches each day again 1, 4 days after it, at 00:00 Europe/Berlin"
        ]
    );
}
