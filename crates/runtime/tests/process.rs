//! What an operator sees of a process built on this crate: logs, probes, metrics, signals and exit codes.
//!
//! The test's own executable plays the service: started with the variable `PLAY`, its test `play` becomes one.

use clap::Parser as _;
use runtime::args::OpsArgs;
use runtime::metrics::Counter;
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;
use testkit::{Proc, eventually, http};

const SOON: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Parser)]
struct Args {
    #[command(flatten)]
    ops: OpsArgs,
}

/// Not a test: the service that the others start. Without the variable it does nothing.
#[test]
fn play() {
    let Ok(part) = std::env::var("PLAY") else {
        return;
    };
    let code = runtime::run(async move {
        let args = Args::try_parse_from(["play"])?;
        runtime::log::init(&args.ops);
        runtime::install_crypto();
        let nowhere = ([127, 0, 0, 1], 0).into();
        let service = runtime::Service::start("play", "1.2.3", &args.ops, nowhere, &["part"]);
        let service = service.await?;
        let mut tasks = service.tasks();
        let (shutdown, health) = (service.shutdown.clone(), service.health.clone());
        let items = service.metrics.counter(Counter::BackfillItems, &[]);
        tasks.spawn("part", async move {
            health.set_ready("part", true);
            items.inc_by(5);
            match part.as_str() {
                "fails" => anyhow::bail!("no disk"),
                "panics" => panic!("on purpose"),
                "deaf" => std::future::pending().await,
                "slow" => {
                    shutdown.requested().await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                _ => shutdown.requested().await,
            }
            Ok(())
        });
        service.ready(Some(([127, 0, 0, 1], 7).into()));
        service.run(tasks).await
    });
    std::process::exit(i32::from(code != ExitCode::SUCCESS));
}

fn start(part: &str, env: &[(&str, &str)]) -> Proc {
    let mut variables = vec![("PLAY", part)];
    variables.extend(env);
    #[allow(clippy::unwrap_used, reason = "a helper of tests")]
    let this = std::env::current_exe().unwrap();
    Proc::spawn_path(&this, &["play", "--exact", "--nocapture"], &variables)
}

#[tokio::test]
async fn probes_and_metrics_answer() {
    let mut process = start("serves", &[]);
    let ready = process.wait_ready().await;
    assert_eq!(ready.http_address().port(), 7);
    let ops = ready.ops_address();
    assert_eq!(http::get(ops, "/healthz").await.unwrap().0, 200);
    let body = eventually(SOON, "ready", async || {
        let (status, body) = http::get(ops, "/readyz").await.unwrap();
        (status == 200).then_some(body)
    });
    let body: Value = serde_json::from_str(&body.await).unwrap();
    assert_eq!(body["status"], "ready");
    assert_eq!(body["components"]["part"], true);
    let up = r#"kpiline_up{binary="play",version="1.2.3"}"#;
    assert!((http::metric(ops, up).await.unwrap() - 1.0).abs() < f64::EPSILON);
    let items = http::metric(ops, "kpiline_backfill_items_total")
        .await
        .unwrap();
    assert!((items - 5.0).abs() < f64::EPSILON);
    assert_eq!(http::get(ops, "/other").await.unwrap().0, 404);
    assert!(process.term(SOON).await.success());
}

#[tokio::test]
async fn during_the_grace_period_it_is_alive_and_not_ready() {
    let mut process = start("slow", &[]);
    let ops = process.wait_ready().await.ops_address();
    process.signal("TERM");
    let body = eventually(SOON, "not ready", async || {
        let (status, body) = http::get(ops, "/readyz").await.unwrap();
        (status == 503 && body.contains("stopping")).then_some(body)
    });
    body.await;
    assert_eq!(http::get(ops, "/healthz").await.unwrap().0, 200);
    assert!(process.wait(SOON).await.success());
}

#[tokio::test]
async fn a_part_that_fails_or_panics_ends_the_process_with_a_failure() {
    for (part, reason) in [
        ("fails", "part failed: no disk"),
        ("panics", "part failed: panicked"),
    ] {
        let mut process = start(part, &[]);
        let last = process.wait_line("its end", SOON, |line| {
            line["message"] == "ended with an error"
        });
        assert_eq!(last.await["error"], reason);
        assert_eq!(process.wait(SOON).await.code(), Some(1));
    }
}

#[tokio::test]
async fn what_does_not_stop_is_cut_off_with_a_failure() {
    let mut process = start("deaf", &[("KPILINE_SHUTDOWN_GRACE", "200ms")]);
    process.wait_ready().await;
    assert_eq!(process.term(SOON).await.code(), Some(1));
    assert!(
        process
            .stderr()
            .contains("still running when the grace period ended: part")
    );
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut process = start("deaf", &[]);
    process.wait_ready().await;
    process.signal("INT");
    let stopping = process.wait_line("stopping", SOON, |line| line["message"] == "stopping");
    assert_eq!(stopping.await["signal"], "SIGINT");
    process.signal("INT");
    assert_eq!(process.wait(SOON).await.code(), Some(130));
}

#[tokio::test]
async fn a_taken_port_is_a_clear_failure() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut process = start("serves", &[("KPILINE_OPS_LISTEN", &address)]);
    let last = process.wait_line("its end", SOON, |line| {
        line["message"] == "ended with an error"
    });
    let error = last.await["error"].to_string();
    assert!(
        error.contains("--ops-listen: cannot listen on") && error.contains(&address),
        "{error}"
    );
    assert_eq!(process.wait(SOON).await.code(), Some(1));
}

#[tokio::test]
async fn the_ready_line_comes_at_every_level_and_others_obey_theirs() {
    let mut process = start("serves", &[("KPILINE_LOG_LEVEL", "error")]);
    process.wait_ready().await;
    assert!(process.term(SOON).await.success());
    assert!(
        !process.stderr().contains("stopping"),
        "{}",
        process.stderr()
    );
}
