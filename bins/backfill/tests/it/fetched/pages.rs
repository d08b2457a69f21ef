//! Every record of a stretch is published once, whichever source it is of and however its pages come.

use crate::bench::{Bench, FROM, days, ids, of_job, past, told, unlimited};
use crate::world::LONG;
use double::history::{Moment, Platform, truth};
use schema::{JobId, UtcMicros};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use store::chunks::NewChunk;

#[tokio::test(flavor = "multi_thread")]
async fn conversations_come_by_jobs_and_each_page_once() {
    let bench = Bench::new(unlimited(past(3, 900)), "").await;
    let job = bench.conversations(3).await;
    let mut worker = bench.worker(&["--lanes", "2"]);
    let chunks = bench.fetched(job).await;
    assert!(worker.term(LONG).await.success(), "{}", worker.stderr());
    let messages = bench.world.deliveries().await;
    let ids = told(&messages, "conversationId");
    let different: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(different, bench.all());
    let records: i64 = chunks.iter().map(|chunk| chunk.records).sum();
    assert_eq!(
        records,
        i64::try_from(ids.len()).unwrap(),
        "the chunks say what was published"
    );
    let expected: i64 = chunks.iter().filter_map(|chunk| chunk.expected).sum();
    assert_eq!(expected, 900, "the platform's own count of each day");
    let delivery = &messages[0].deliveries[0];
    assert_eq!(delivery.subscription.as_str(), "backfill-g");
    assert_eq!(
        delivery.job.map(|job| (job.id, job.version.0)),
        Some((job, 2))
    );
    let account = bench.account();
    assert_eq!(account.pages.repeated, Vec::new());
    let calls: i64 = chunks.iter().map(|chunk| chunk.calls).sum();
    let client = account.client().unwrap();
    assert!(
        client.calls.abs_diff(u64::try_from(calls).unwrap()) <= 1,
        "{calls} calls written of {}",
        client.calls
    );
    let counts = client.routes["aggregates-query"].calls;
    assert!(
        counts <= 2,
        "one question for all days, if no other lane asks meanwhile: {counts}"
    );
    bench.all_is_well();
}

/// A job of last week counted these days while they still filled.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_too_early_is_counted_again() {
    let bench = Bench::new(unlimited(past(2, 600)), "").await;
    let early = "INSERT INTO platform_counts (tenant, platform, measure, from_at, to_at, scope, value, fetched_at) \
                 SELECT 'acme', 'g', 'conversations', day, day + interval '1 day', '', 7, day + interval '2 days' \
                 FROM generate_series(timestamptz '2025-01-06Z', '2025-01-07Z', interval '1 day') AS day";
    bench
        .world
        .db
        .client()
        .await
        .batch_execute(early)
        .await
        .unwrap();
    let job = bench.conversations(2).await;
    let chunks = bench.fetch(job, &["--lanes", "1"]).await;
    let expected: i64 = chunks.iter().filter_map(|chunk| chunk.expected).sum();
    assert_eq!(expected, 600);
    let account = bench.account();
    let counts = account.client().unwrap().routes["aggregates-query"].calls;
    assert_eq!(counts, 1, "what was counted since then is known");
}

/// What the platform has no data for yet is not asked of a job: a query brings it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_beyond_what_the_platform_has_data_for() {
    let mut history = past(3, 900);
    // It is three days after the end of the past, and jobs are three and a half days late: half of the third day is not there for them.
    history.clock.lag_ms = 84 * 3_600_000;
    let bench = Bench::new(unlimited(history), "").await;
    let job = bench.conversations(3).await;
    bench.fetch(job, &[]).await;
    let ids = ids(&bench.world.deliveries().await);
    let whole = truth(
        &bench.history,
        Platform::Genesys,
        false,
        Some(Moment(i64::MAX / 2)),
    );
    let missing: Vec<_> = whole
        .map(|row| row.id)
        .filter(|id| !ids.contains(id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(bench.account().client().unwrap().routes["details-query"].calls > 0);
    bench.all_is_well();
}

/// A query lists whole days: of a quarter of an hour in the evening only what leads to it from the nearer end is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_stretch_costs_no_whole_day() {
    let bench = Bench::new(unlimited(past(1, 4000)), "").await;
    let from = FROM + 20 * 3_600_000_000;
    let to = from + 900_000_000;
    let chunk = NewChunk {
        from: UtcMicros(from),
        to: UtcMicros(to),
        due_in: Duration::ZERO,
        cursor_json: Some(json!({"way": "query"}).to_string()),
    };
    let job = bench.job("genesys-conversations", &[chunk]).await;
    let chunks = bench.fetch(job, &["--lanes", "1"]).await;
    let messages = bench.world.deliveries().await;
    let starts = told(&messages, "conversationStart");
    let begun = starts
        .iter()
        .map(|start| adapter::instant::parse(start).unwrap().0)
        .filter(|start| (from..to).contains(start))
        .count();
    assert_eq!(
        chunks[0].expected,
        i64::try_from(begun).ok(),
        "all that the platform counts in it"
    );
    assert!(begun > 0);
    let calls = bench.account().client().unwrap().routes["details-query"].calls;
    assert!(calls <= 15, "{calls} of the 40 pages of the day");
    bench.all_is_well();
}

/// Pitfalls 1 and 5: cursors that come again, pages that overlap, pages that move.
#[tokio::test(flavor = "multi_thread")]
async fn pages_that_repeat_overlap_and_move_lose_nothing() {
    let mut history = past(2, 600);
    history.pages.repeat_cursor = true;
    history.pages.overlap = 7;
    history.pages.moves = 2;
    let bench = Bench::new(unlimited(history), "").await;
    let by_job = bench.conversations(2).await;
    let mut query = days(2);
    for chunk in &mut query {
        chunk.cursor_json = Some(json!({"way": "query"}).to_string());
    }
    let by_query = bench.job("genesys-conversations", &query).await;
    let contacts = bench.job("cxone-contacts", &days(2)).await;
    let worker = bench.worker(&["--lanes", "3"]);
    for job in [by_job, by_query, contacts] {
        bench.fetched(job).await;
    }
    drop(worker);
    let messages = bench.world.deliveries().await;
    for job in [by_job, by_query] {
        assert_eq!(ids(&of_job(&messages, job)), bench.all(), "job {job}");
    }
    // A cursor that came again was not followed a second time.
    let results = bench.account().client().unwrap().routes["details-job-results"].calls;
    assert!(results < 20, "{results} pages");
    bench.all_is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_sources_are_fetched_to_their_end() {
    let bench = Bench::new(unlimited(past(2, 600)), "").await;
    let mut all = Vec::new();
    for (kind, params) in [
        ("genesys-users", json!({})),
        ("cxone-contacts", json!({})),
        ("cxone-contact-states", json!({})),
        ("cxone-agent-states", json!({})),
        ("cxone-report", json!({"report": 524})),
        ("cxone-report", json!({"report": 544})),
    ] {
        let job = bench.job_with(kind, &params, &days(2)).await;
        all.push((kind, job));
    }
    let known: BTreeSet<String> = bench.all().into_iter().take(60).collect();
    let unknown = "00000000-0000-4000-8000-000000000000".to_owned();
    let asked: Vec<&String> = known.iter().chain([&unknown]).collect();
    let mut lookup = days(1);
    lookup[0].cursor_json = Some(json!({"ids": asked}).to_string());
    let lookup = bench.job("genesys-lookup", &lookup).await;
    all.push(("genesys-lookup", lookup));
    let mut named: Vec<String> = bench.calls().into_iter().take(60).collect();
    named.extend(["1".to_owned(), "no-number".to_owned()]);
    let mut one_by_one = days(1);
    one_by_one[0].cursor_json = Some(json!({"ids": named}).to_string());
    let one_by_one = bench.job("cxone-lookup", &one_by_one).await;
    all.push(("cxone-lookup", one_by_one));
    let worker = bench.worker(&["--lanes", "4"]);
    for (kind, job) in &all {
        let chunks = bench.fetched(*job).await;
        let records: i64 = chunks.iter().map(|chunk| chunk.records).sum();
        assert!(records > 0, "{kind}");
        if *kind == "cxone-contacts" {
            let expected: i64 = chunks.iter().filter_map(|chunk| chunk.expected).sum();
            assert!(
                expected > 0 && expected <= records,
                "{expected} of {records}"
            );
        }
    }
    drop(worker);
    for (job, unknown) in [
        (lookup, json!([unknown])),
        (one_by_one, json!(["1", "no-number"])),
    ] {
        let cursor = bench.chunks(job).await[0].cursor_json.clone().unwrap();
        let cursor: Value = serde_json::from_str(&cursor).unwrap();
        assert_eq!(cursor["unknown"], unknown);
    }
    let messages = bench.world.deliveries().await;
    assert_eq!(ids(&of_job(&messages, lookup)), known);
    // Each with the contacts that transfers made of it, as the list of all has them.
    let contacts = |job: JobId| {
        let messages = of_job(&messages, job);
        let masters = told(&messages, "masterContactId").into_iter();
        masters.zip(told(&messages, "contactId"))
    };
    let job_of = |kind: &str| all.iter().find(|(found, _)| *found == kind).unwrap().1;
    let wanted: BTreeSet<_> = contacts(job_of("cxone-contacts"))
        .filter(|(master, _)| named.contains(master))
        .collect();
    let found: Vec<_> = contacts(one_by_one).collect();
    assert!(found.len() > 60, "some were transferred");
    assert_eq!(found.len(), wanted.len(), "each once");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted);
    bench.all_is_well();
}
