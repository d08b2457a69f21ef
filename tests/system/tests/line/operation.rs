//! What an operator meets: help, checks, probes, metrics, logs, and a stop that loses nothing.

use crate::harness::{Line, PATIENCE, post, send, truth};
use double::workload::Workload;
use testkit::{Proc, eventually, http};

const BINARIES: [&str; 4] = ["ingest", "compute", "backfill", "deliver"];

#[tokio::test]
async fn every_binary_teaches_its_use() {
    for binary in BINARIES {
        let (status, help, _) = Proc::run(binary, &["--help"], &[], PATIENCE).await;
        assert!(status.success());
        for word in [
            "check",
            "migrate",
            "KPILINE_DATABASE_URL",
            "KPILINE_AMQP_URL",
            "--log-format",
        ] {
            let anywhere =
                help.contains(word) || subcommand_help(binary, &help).await.contains(word);
            assert!(anywhere, "{binary} --help does not say {word}:\n{help}");
        }
    }
}

/// The help of all subcommands that the main help lists.
async fn subcommand_help(binary: &str, help: &str) -> String {
    let listed = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "));
    let mut text = String::new();
    for name in listed.filter_map(|line| line.split_whitespace().next()) {
        text.push_str(&Proc::run(binary, &[name, "--help"], &[], PATIENCE).await.1);
    }
    text
}

#[tokio::test]
async fn every_binary_checks_its_configuration_and_lists_all_problems() {
    for binary in BINARIES {
        let env = [
            ("KPILINE_DATABASE_URL", "mysql://nowhere"),
            ("KPILINE_AMQP_URL", "http://nowhere"),
        ];
        let (status, stdout, stderr) = Proc::run(binary, &["check"], &env, PATIENCE).await;
        assert!(!status.success(), "{binary}");
        let text = format!("{stdout}{stderr}");
        assert!(
            text.contains("--database-url") && text.contains("--amqp-url"),
            "{binary}: {text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_metrics_and_the_correlation_id_through_the_broker() {
    let events = Workload::new(5, 2).events;
    let mut line = Line::start(|setup| setup).await;
    for process in [&line.ingest, &line.compute] {
        let ops = process.ready.ops_address();
        assert_eq!(http::get(ops, "/healthz").await.unwrap().0, 200);
        assert_eq!(http::get(ops, "/readyz").await.unwrap().0, 200);
        assert_eq!(http::get(ops, "/nothing").await.unwrap().0, 404);
    }
    let look = line.look().await;
    let count = events.len();
    let answer = post(line.http, "trace-me-42", &events[0]).await;
    assert!(
        answer
            .to_lowercase()
            .contains("x-correlation-id: trace-me-42"),
        "{answer}"
    );
    line.compute
        .process
        .wait_line("the batch with the correlation id", PATIENCE, |line| {
            line["correlation_id"] == "trace-me-42"
        })
        .await;
    let sent = send(&line.sender(), events.clone()).await;
    line.settle(&look, sent.events + 1).await;
    look.wait_for(&truth(&events)).await;
    let logged = http::metric(
        line.ingest.ready.ops_address(),
        "kpiline_ingest_events_total{result=\"logged\"}",
    )
    .await
    .unwrap();
    let duplicates = http::metric(
        line.ingest.ready.ops_address(),
        "kpiline_ingest_events_total{result=\"duplicate\"}",
    )
    .await
    .unwrap();
    assert_eq!((logged + duplicates) as usize, count + 1);
    assert!(
        http::metric(
            line.compute.ready.ops_address(),
            "kpiline_compute_metrics_written_total"
        )
        .await
        .unwrap()
            > 0.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_in_the_middle_loses_nothing() {
    let workload = Workload::new(400, 13);
    let expected = truth(&workload.events);
    let mut line = Line::start(|setup| setup).await;
    let look = line.look().await;
    let options = line.sender();
    let sending = tokio::spawn(async move { send(&options, workload.events).await });
    eventually(PATIENCE, "something has been computed", async || {
        !look.values(1).await.is_empty()
    })
    .await;
    // A rolling restart of compute while events arrive: the old one ends well before the new one is there.
    assert!(
        line.compute.process.term(PATIENCE).await.success(),
        "{}",
        line.compute.process.stderr()
    );
    line.compute = line.setup.start("compute", &["serve"]).await;
    sending.await.unwrap();
    // ingest has answered 2xx to everything: what it has not normalised yet waits in the broker.
    assert!(
        line.ingest.process.term(PATIENCE).await.success(),
        "{}",
        line.ingest.process.stderr()
    );
    line.ingest = line
        .setup
        .start("ingest", &["serve", "--http-listen", "127.0.0.1:0"])
        .await;
    look.wait_for(&expected).await;
}
