//! How many requests are under way, and how much of the budget is used.

use crate::world::{World, limited};
use double::config::{Config, Fault, Limit, Phase, Script};
use std::time::{Duration, Instant};
use testkit::eventually;

const SOON: Duration = Duration::from_secs(30);

/// Every answer takes so long.
fn slow(millis: u64) -> Script {
    Script::of([Phase::lasting(
        Duration::from_secs(3600),
        Fault::Stall {
            millis,
            store: false,
        },
    )])
}

/// A target that takes one row a request and answers slowly: several are under way, and never more than it says.
#[tokio::test]
async fn as_many_requests_are_under_way_as_the_target_allows() {
    let config = Config {
        faults: slow(600),
        ..Config::default()
    };
    let extra = r#"
batch_max = 1
concurrency = 3
rate = { requests = 2000, period = "10s" }
timeouts = { connect = "2s", read = "5s", total = "5s" }
"#;
    let mut world = World::genesys(config, extra).await;
    let process = world.deliver().await;
    world.write_many(0, 24, 0.0).await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    world.no_violations();
    // Each is under way for longer than this.
    let within = Duration::from_millis(550);
    assert_eq!(world.double.max_requests_in_any_window(within), 3);
    drop(process);
}

/// "Must show" 1: while there is work, nearly all of the budget is used, and never more in any rolling window. Two replicas, answers that take
/// longer than the requests are apart: what is written down and what is waited for overlap.
#[tokio::test(flavor = "multi_thread")]
async fn nearly_all_of_the_budget_is_used_while_there_is_work() {
    const REQUESTS: usize = 100;
    const PERIOD: Duration = Duration::from_secs(10);
    let config = Config {
        faults: slow(250),
        limit: Some(Limit::of(REQUESTS, PERIOD)),
        ..limited(REQUESTS, PERIOD)
    };
    let extra = r#"
batch_max = 20
rate = { requests = 100, period = "10s" }
timeouts = { connect = "2s", read = "5s", total = "5s" }
"#;
    let mut world = World::genesys(config, extra).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 6000, 0.0).await;
    let replicas = [world.deliver().await, world.deliver().await];
    eventually(SOON, "both are at work", async || world.pushes().len() > 10).await;
    let begun = Instant::now();
    eventually(SOON, "two periods have passed", async || {
        begun.elapsed() > PERIOD * 2
    })
    .await;
    let ended = Instant::now();
    assert!(world.waiting().await > 0, "there was work all the time");
    let pushes = world.pushes();
    let within = pushes
        .iter()
        .filter(|push| push.at >= begun && push.at < ended);
    let used = share(within.count(), (ended - begun).as_secs_f64() * 10.0);
    println!("{:.1} % of the budget was used", used * 100.0);
    assert!(used >= least(), "{used}");
    assert!(used <= 1.02, "{used}");
    assert!(world.double.max_requests_in_any_window(PERIOD) <= REQUESTS);
    world.no_violations();
    drop(replicas);
}

#[allow(clippy::cast_precision_loss)] // a few hundred
fn share(requests: usize, possible: f64) -> f64 {
    requests as f64 / possible
}

/// How much of the budget must be used: all but a twentieth, measured with nothing else running (`KPILINE_SOAK_BUDGET_SHARE=0.95`); less
/// where the machine may be busy with other tests.
fn least() -> f64 {
    std::env::var("KPILINE_SOAK_BUDGET_SHARE").map_or(0.8, |share| share.parse().unwrap())
}
