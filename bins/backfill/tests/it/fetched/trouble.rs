//! What goes wrong at the platform or to a worker costs time, and no record.

use crate::bench::{Bench, days, hours, past, unlimited};
use crate::world::LONG;
use double::Config;
use double::config::{Fault, Limit, Phase, Place, Script};
use std::time::Duration;
use store::jobs;
use testkit::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_trouble_is_lived_through() {
    let status = |status, retry_after, as_date| Fault::Status {
        status,
        retry_after,
        as_date,
        store: false,
    };
    let history = |requests, fault| Phase::requests(requests, fault).at(Place::History);
    let phases = [
        history(1, Fault::None),
        history(2, status(500, None, false)),
        history(1, Fault::Reset { store: false }),
        history(2, Fault::None),
        history(1, status(503, Some(1), false)),
        Phase::requests(1, status(429, Some(1), false)).on_routes(&["details-job-results"]),
        history(2, Fault::None),
        Phase::requests(1, status(429, Some(1), true)).on_routes(&["details-job-results"]),
        history(
            1,
            Fault::Stall {
                millis: 3000,
                store: false,
            },
        ),
        Phase::requests(1, status(401, None, false)).on_routes(&["details-job-results"]),
        history(1, Fault::None),
        Phase::requests(1, status(403, None, false)).on_routes(&["details-job-results"]),
        history(1, status(504, None, false)),
    ];
    let mut past = past(3, 900);
    past.jobs.fail_every = 3;
    let config = Config {
        faults: Script::of(phases),
        ..unlimited(past)
    };
    let bench = Bench::new(config, "[platform.genesys]\npage_size = 50\n").await;
    let job = bench.conversations(3).await;
    bench.fetch(job, &[]).await;
    bench.took_all().await;
    let account = bench.account();
    assert_eq!(
        account.pages.repeated,
        Vec::new(),
        "what was confirmed is not fetched again"
    );
    bench.all_is_well();
}

/// Pitfall 10: the token dies in the middle, and is renewed ahead of its end otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_dies_costs_one_request() {
    const LANES: u64 = 2;
    let mut config = unlimited(past(3, 900));
    config.token.honoured_ms = Some(400);
    let bench = Bench::new(config, "[platform.genesys]\npage_size = 10\n").await;
    let job = bench.conversations(3).await;
    bench.fetch(job, &["--lanes", &LANES.to_string()]).await;
    bench.took_all().await;
    let account = bench.account();
    assert!(account.grants > 1, "{} grants", account.grants);
    assert!(
        account.unauthorized <= account.grants * LANES,
        "{} refusals for {} tokens, each shared by {LANES} lanes with one request at a time each",
        account.unauthorized,
        account.grants
    );
    assert_eq!(account.pages.repeated, Vec::new());
}

/// Pitfall 12: a token belongs to the credential, however many entries of the file name it and whoever asks it where the API is.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_12_entries_of_one_credential_share_one_token() {
    let bench = Bench::new(unlimited(past(2, 200)), "").await;
    let jobs = [
        bench.job_at("c", "cxone-contacts", &days(2)).await,
        bench.job_at("t", "cxone-contacts", &days(2)).await,
        bench.job_at("t", "cxone-agent-states", &days(2)).await,
    ];
    let worker = bench.worker(&["--lanes", "4"]);
    for job in jobs {
        bench.fetched(job).await;
    }
    drop(worker);
    assert_eq!(bench.account().grants, 1);
    bench.all_is_well();
}

/// Pitfall 12: while no token is to be had, chunks wait for it and ask nobody.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_12_a_token_endpoint_in_trouble_is_left_alone_by_however_many_chunks() {
    let trouble = Fault::Status {
        status: 503,
        retry_after: None,
        as_date: false,
        store: false,
    };
    let outage = Phase::lasting(Duration::from_secs(3), trouble).at(Place::Token);
    let config = Config {
        faults: Script::of([outage]),
        ..unlimited(past(1, 200))
    };
    let bench = Bench::new(config, "").await;
    let job = bench.job_at("t", "cxone-contacts", &hours(24)).await;
    let worker = bench.worker(&["--lanes", "4"]);
    bench.fetched(job).await;
    drop(worker);
    let asked = bench.double.requests();
    let asked = asked.iter().filter(|one| one.place == Place::Token).count();
    assert!((2..=6).contains(&asked), "{asked} requests for a token");
    bench.all_is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_expire_are_asked_for_again() {
    let mut history = past(2, 600);
    history.jobs.expire_every = 2;
    history.jobs.queued_ms = 100;
    history.jobs.pending_ms = 100;
    history.jobs.at_once = Some(4);
    let bench = Bench::new(unlimited(history), "[platform.genesys]\npage_size = 50\n").await;
    let job = bench.conversations(2).await;
    bench.fetch(job, &[]).await;
    bench.took_all().await;
    let account = bench.account();
    assert!(account.jobs.iter().any(|interval| interval.lost > 0));
    for interval in &account.jobs {
        assert_eq!(interval.submitted, interval.lost + 1, "{interval:?}");
    }
    bench.all_is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_pauses_its_job_and_no_other() {
    let mut config = unlimited(past(1, 200));
    config.admin.permissions = Some(vec!["cxone:reporting".to_owned()]);
    let bench = Bench::new(config, "").await;
    let refused = bench.conversations(1).await;
    let other = bench.job("cxone-contacts", &days(1)).await;
    let worker = bench.worker(&[]);
    bench.fetched(other).await;
    let store = bench.world.db.store().await;
    let client = store.client().await.unwrap();
    let found = eventually(LONG, "the job is paused", async || {
        let found = jobs::get(&client, refused).await.unwrap().unwrap();
        (found.state == jobs::State::Paused).then_some(found)
    })
    .await;
    let why = found.paused_for.unwrap();
    assert!(why.contains("analytics:conversationDetail:view"), "{why}");
    bench.double.administer(|admin| admin.permissions = None);
    assert!(jobs::resume(&client, refused).await.unwrap());
    bench.fetched(refused).await;
    drop(worker);
}

/// `kill -9`: at most one page of each lane is fetched twice, and nothing is missing.
#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_cost_a_page_a_lane_at_most() {
    let config = Config {
        limit: Some(Limit::of(60, Duration::from_secs(2))),
        ..unlimited(past(4, 1600))
    };
    let bench = Bench::new(config, "[platform.genesys]\npage_size = 20\n").await;
    let job = bench.conversations(4).await;
    let pages = async || -> i64 {
        let chunks = bench.chunks(job).await;
        chunks.iter().map(|chunk| chunk.pages).sum()
    };
    let mut killed = 0;
    for round in 0..3 {
        let mut worker = bench.worker(&["--lanes", "2"]);
        let before = pages().await;
        eventually(LONG, "some pages more", async || {
            pages().await >= before + 6 + round
        })
        .await;
        worker.kill9();
        killed += 2;
    }
    bench.fetch(job, &["--lanes", "2"]).await;
    bench.took_all().await;
    let account = bench.account();
    let again: u64 = account
        .pages
        .repeated
        .iter()
        .map(|page| page.delivered - 1)
        .sum();
    assert!(
        again <= killed,
        "{again} pages twice, {killed} lanes killed: {:?}",
        account.pages.repeated
    );
    let client = account.client().unwrap();
    assert!(client.busiest <= 60, "{} in a window of 60", client.busiest);
}
