//! Platforms that refuse, in part or whole.

use crate::world::{QUICK, World, faulty, interaction};
use double::config::{Config, Fault, ItemFault, Phase, Place, Script};
use std::time::Duration;
use testkit::eventually;

const SOON: Duration = Duration::from_secs(20);

/// Pitfall 108: one row spoils its request and nobody says which. Halving finds it; only its attempts count, and it is parked with the
/// platform's words until its value changes.
#[tokio::test]
async fn one_poison_row_does_not_hold_its_neighbours_hostage() {
    let config = Config {
        poison: vec![interaction(42)],
        ..Config::default()
    };
    let mut world = World::genesys(config, QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 100, 0.0).await;
    world.drained(SOON).await;

    world.platform_has_everything_but(&[&interaction(42)]);
    assert_eq!(world.counts().await.rejected, 1);
    let requests = world.pushes().len();
    assert!(requests <= 2 * 7 + 2, "about two times log n: {requests}");
    world.every_push_has_a_fate().await;
    let blamed = world
        .query_count(&format!(
            "SELECT count(*) FROM metric_sync_log WHERE interaction_id <> '{}' AND (attempt > 1 OR fate IN ('retry', 'rejected'))",
            interaction(42)
        ))
        .await;
    assert_eq!(blamed, 0, "innocent rows spend no attempt");
    let words = world
        .query_count("SELECT count(*) FROM sync_queue WHERE state = 'rejected' AND last_status = 400 AND last_message LIKE '%could not be understood%'")
        .await;
    assert_eq!(words, 1, "the platform's words are kept");

    // Once mended, a new value of the row goes.
    world.double.set_poison(vec![]);
    world.write_many(42, 1, 5.0).await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    drop(process);
}

/// The same where answers are so slow that a lease is over after two of them: what a lease found out is not forgotten with it. A backlog
/// waits behind; neither does the search end up at its end.
#[tokio::test]
async fn a_search_for_a_poison_row_goes_on_in_the_next_lease() {
    let slow = Fault::Stall {
        millis: 300,
        store: false,
    };
    let config = Config {
        poison: vec![interaction(5)],
        faults: Script::of([Phase::requests(1000, slow)]),
        ..Config::default()
    };
    let mut world = World::genesys(config, QUICK).await.with_lease_margin("1s");
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 100, 0.0).await;
    world.write_many(100, 400, 0.0).await;
    let process = world.deliver().await;
    world.drained(Duration::from_secs(60)).await;

    world.platform_has_everything_but(&[&interaction(5)]);
    assert_eq!(world.counts().await.rejected, 1);
    world.every_push_has_a_fate().await;
    let blamed = world
        .query_count(&format!(
            "SELECT count(*) FROM metric_sync_log WHERE interaction_id <> '{}' AND (attempt > 1 OR fate IN ('retry', 'rejected'))",
            interaction(5)
        ))
        .await;
    assert_eq!(blamed, 0, "innocent rows spend no attempt");
    let requests = world.pushes().len();
    assert!(requests <= 60, "a search of bounded length: {requests}");
    drop(process);
}

/// Pitfall 107: a 200 that refuses items: one asked to come later, one refused, one not mentioned.
#[tokio::test]
async fn failures_inside_a_success_are_seen() {
    let items = vec![
        ItemFault {
            index: 3,
            status: Some(429),
        },
        ItemFault {
            index: 50,
            status: Some(400),
        },
        ItemFault {
            index: 99,
            status: None,
        },
    ];
    let config = faulty([Phase::requests(1, Fault::Partial { items })]);
    let mut world = World::genesys(config, QUICK).await;
    let process = world.deliver().await;
    // One after the other, so that the order of the request is known.
    world.write_many(0, 100, 0.0).await;
    world.drained(SOON).await;

    assert_eq!(world.counts().await.rejected, 1);
    let fates = |fate: &str| format!("SELECT count(*) FROM metric_sync_log WHERE fate = '{fate}'");
    assert_eq!(world.query_count(&fates("rejected")).await, 1);
    assert_eq!(world.query_count(&fates("snoozed")).await, 1);
    assert_eq!(world.query_count(&fates("unknown")).await, 1);
    assert_eq!(world.query_count(&fates("accepted")).await, 99);
    let table = world.double.table();
    assert_eq!(table.len(), 99);
    assert!(table.values().all(|cell| cell.acknowledged == 1));
    world.no_violations();
    drop(process);
}

/// A token that is revoked costs those that are under way a request each; nobody's attempt.
#[tokio::test]
async fn a_revoked_token_is_replaced() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 150, 0.0).await;
    world.drained(SOON).await;
    world.double.revoke_tokens();
    world.write_many(150, 150, 0.0).await;
    world.drained(SOON).await;

    world.platform_has_everything_but(&[]);
    assert_eq!(
        world.double.grants(),
        2,
        "those that were refused share one"
    );
    let refused = world
        .pushes()
        .iter()
        .filter(|push| push.status == 401)
        .count();
    assert!((1..=2).contains(&refused), "each request once: {refused}");
    world.every_push_has_a_fate().await;
    drop(process);
}

/// A wrong secret pauses the target; no row is blamed, nothing is hammered.
#[tokio::test]
async fn a_refused_credential_pauses_the_target() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    world.set_secret("not the secret");
    let mut process = world.deliver().await;
    world.write_many(0, 50, 0.0).await;
    process
        .wait_line("the pause", SOON, |line| {
            line["message"] == "paused: the credential is refused"
        })
        .await;
    eventually(SOON, "the rows are given back", async || {
        world.counts().await.pending == 50
    })
    .await;
    let attempts = world
        .query_count("SELECT sum(attempt) FROM sync_queue")
        .await;
    assert_eq!(attempts, 0, "no row is blamed");
    assert_eq!(world.pushes().len(), 0);
    assert_eq!(world.double.requests().len(), 1, "asked for a token once");
    // Mended by an operator: restarted with the right one.
    world.set_secret("double-secret");
    assert!(process.term(SOON).await.success());
    let process = world.deliver().await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    drop(process);
}

/// A token endpoint that throttles is left alone, and everything goes in the end.
#[tokio::test]
async fn a_throttled_token_endpoint_delays_and_loses_nothing() {
    let throttled = Fault::Status {
        status: 429,
        retry_after: Some(1),
        as_date: false,
        store: false,
    };
    let config = faulty([Phase::requests(2, throttled).at(Place::Token)]);
    let mut world = World::genesys(config, QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 50, 0.0).await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    let asked = world.double.requests().len() - world.pushes().len();
    assert_eq!(asked, 3, "two refusals, one grant");
    drop(process);
}

/// A platform that is down for longer than the breaker's patience: few requests, no row lost, none refused.
#[tokio::test]
async fn an_outage_is_waited_out() {
    let down = Fault::Status {
        status: 503,
        retry_after: None,
        as_date: false,
        store: false,
    };
    let config = faulty([Phase::lasting(Duration::from_secs(4), down)]);
    let mut world = World::genesys(config, QUICK).await;
    let mut process = world.deliver().await;
    let ops = process.wait_ready().await.ops_address();
    let replica = world.deliver().await;
    world.write_many(0, 1000, 0.0).await;
    process
        .wait_line("the breaker opens", SOON, |line| {
            line["message"] == "the breaker is open: the platform is in trouble"
        })
        .await;
    // Seen by all: the tables, the metrics and the command say the same.
    let open = "kpiline_deliver_breaker{target=\"main\",state=\"open\"}";
    let half = "kpiline_deliver_breaker{target=\"main\",state=\"half_open\"}";
    let metric = async |series: &str| testkit::http::metric(ops, series).await.unwrap();
    assert!(metric(open).await + metric(half).await > 0.5);
    let (code, stdout, stderr) = world.run(&["status"]).await;
    assert_eq!(code, Some(0), "{stderr}");
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let breaker = &answer["breakers"][0];
    assert!(
        breaker["state"] != "closed" && breaker["failures"].as_i64() >= Some(5),
        "{answer}"
    );
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    let closed = "SELECT count(*) FROM platform_breakers WHERE state = 'closed' AND failures = 0";
    assert_eq!(world.query_count(closed).await, 1);
    drop(replica);
    let failed = world
        .pushes()
        .iter()
        .filter(|push| push.status == 503)
        .count();
    assert!(failed < 30, "the breaker keeps requests away: {failed}");
    drop(process);
}

/// Pitfall 103: a 429 in answer to the probe says nothing about the platform's health. It neither closes the breaker nor keeps the probe:
/// the next one goes as soon as the pause is over.
#[tokio::test]
async fn pitfall_103_a_throttled_probe_is_given_back() {
    let status = |status, retry_after| Fault::Status {
        status,
        retry_after,
        as_date: false,
        store: false,
    };
    let config = faulty([
        Phase::requests(5, status(503, None)),
        Phase::requests(1, status(429, Some(1))),
    ]);
    let mut world = World::genesys(config, QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 50, 0.0).await;
    eventually(SOON, "the probe is throttled", async || {
        world.pushes().iter().any(|push| push.status == 429)
    })
    .await;
    let closed = "SELECT count(*) FROM platform_breakers WHERE state = 'closed'";
    assert_eq!(world.query_count(closed).await, 0, "nor is it closed by it");
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    let pushes = world.pushes();
    let statuses: Vec<u16> = pushes.iter().map(|push| push.status).collect();
    assert_eq!(statuses, [503, 503, 503, 503, 503, 429, 200]);
    let after = pushes[6].at.duration_since(pushes[5].at);
    assert!(after < Duration::from_secs(4), "{after:?}");
    assert_eq!(world.query_count(closed).await, 1);
    drop(process);
}

/// 413 is answered by halving.
#[tokio::test]
async fn a_request_too_large_is_split() {
    let too_large = Fault::Status {
        status: 413,
        retry_after: None,
        as_date: false,
        store: false,
    };
    let config = faulty([Phase::requests(3, too_large)]);
    // One after the other, so that it is known which three are refused: all of it and both halves.
    let mut world = World::genesys(config, &format!("concurrency = 1\n{QUICK}")).await;
    let process = world.deliver().await;
    world.write_many(0, 80, 0.0).await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    let sizes: Vec<usize> = world.pushes().iter().map(|push| push.rows).collect();
    assert_eq!(sizes, [80, 40, 40, 20, 20, 20, 20]);
    drop(process);
}

/// A path that the platform does not have is nobody's row's fault: the target rests at once, and somebody is told.
#[tokio::test]
async fn a_wrong_path_pauses_the_target() {
    let extra = format!("path = \"/elsewhere\"\n{QUICK}");
    let mut world = World::genesys(Config::default(), &extra).await;
    let mut process = world.deliver().await;
    world.write_many(0, 250, 0.0).await;
    process
        .wait_line("the pause", SOON, |line| {
            line["message"] == "paused: the platform refuses every request"
        })
        .await;
    eventually(SOON, "the rows are given back", async || {
        world.counts().await.pending == 250
    })
    .await;
    for _ in 0..3 {
        world.wake().await;
    }
    let attempts = world
        .query_count("SELECT sum(attempt) FROM sync_queue")
        .await;
    assert_eq!(attempts, 0, "no row is blamed");
    let pushes = world.pushes().len();
    assert!(
        pushes <= 3,
        "those that were under way, and no more: {pushes}"
    );
    world.every_push_has_a_fate().await;
    drop(process);
}
