//! Who measures, who follows, and what a person orders.

use crate::world::World;
use broker::{Outgoing, Queue};
use clap::Parser as _;
use compute::config::{Cli, Command};
use compute::storm::hysteresis::Thresholds;
use compute::storm::monitor::{Monitor, StormMeters};
use compute::storm::{Instance, Seen, Storm, command};
use runtime::metrics::Metrics;
use std::time::Duration;
use store::storm::Mode;
use testkit::{TestBroker, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);

/// A replica that does nothing but look at the weather.
struct Looker {
    storm: Storm,
    seen: Seen,
    metrics: Metrics,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Looker {
    async fn start(world: &World, broker: &TestBroker, name: &str) -> Self {
        let (storm, seen, stop) = (Storm::default(), Seen::default(), CancellationToken::new());
        let metrics = Metrics::new("compute", "0");
        let monitor = Monitor {
            store: world.db.store_with(2).await,
            broker: broker.config(name),
            thresholds: Thresholds {
                enter: 500,
                leave: 50,
                age: Duration::from_secs(3600),
                sustain: Duration::from_millis(300),
                leave_sustain: Duration::from_millis(300),
            },
            storm: storm.clone(),
            seen: seen.clone(),
            every: Duration::from_millis(50),
            instance: Instance::named(name),
            meters: StormMeters::new(&metrics),
        };
        let task = tokio::spawn(monitor.run(stop.clone()));
        Self {
            storm,
            seen,
            metrics,
            stop,
            task,
        }
    }

    async fn becomes(&self, mode: Mode, why: &str) {
        eventually(PATIENCE, why, async || {
            (self.storm.mode() == mode).then_some(())
        })
        .await;
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// Messages that nobody takes.
async fn fill(broker: &TestBroker, queue: Queue, messages: usize) {
    let connection = broker.connect("test-fill").await;
    let publisher = connection.publisher().await.unwrap();
    for _ in 0..messages {
        let outgoing = Outgoing {
            queue,
            body: b"-".to_vec().into(),
            message_id: Uuid::now_v7(),
            correlation: String::new(),
        };
        publisher.publish(outgoing).await.unwrap();
    }
    connection.close().await.unwrap();
}

async fn empty(broker: &TestBroker) {
    let connection = broker.connect("test-empty").await;
    for queue in [Queue::EventsTerminal, Queue::EventsProgress] {
        connection.delete_queue(queue).await.unwrap();
    }
    connection.declare().await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_measures_and_all_follow_and_another_one_measures_when_it_dies() {
    let (world, broker) = (World::new().await, TestBroker::declared().await);
    let first = Looker::start(&world, &broker, "first").await;
    let holder = "SELECT coalesce(split_part(holder, ' ', 1), '') FROM storm_state";
    eventually(PATIENCE, "the first has the lease", async || {
        (world.rows(holder).await == ["first"]).then_some(())
    })
    .await;
    let second = Looker::start(&world, &broker, "second").await;
    // Thirty messages in each queue, of ten facts each as the second one's workers see them.
    fill(&broker, Queue::EventsTerminal, 30).await;
    fill(&broker, Queue::EventsProgress, 30).await;
    second.seen.batch(10, 100, Some(Duration::from_secs(7)));
    first.becomes(Mode::Storm, "600 facts are a storm").await;
    second.becomes(Mode::Storm, "it follows").await;
    let waiting = "SELECT waiting_messages, waiting_facts, oldest_seconds, reason FROM storm_state";
    let said = world.rows(waiting).await.remove(0);
    assert!(
        said.starts_with("60 600 7 about 600 facts waited"),
        "{said}"
    );
    assert!(
        second
            .metrics
            .encode()
            .contains(r#"kpiline_storm{state="storm"} 1"#),
        "{}",
        second.metrics.encode()
    );
    let reports = "SELECT instance, status ->> 'mode' FROM pipeline_status WHERE component = 'compute' ORDER BY 1";
    eventually(PATIENCE, "both say so", async || {
        (world.rows(reports).await == ["first storm", "second storm"]).then_some(())
    })
    .await;

    first.task.abort();
    eventually(PATIENCE, "the second takes over", async || {
        (world.rows(holder).await == ["second"]).then_some(())
    })
    .await;
    assert_eq!(second.storm.mode(), Mode::Storm, "nothing has changed");
    empty(&broker).await;
    second.becomes(Mode::Calm, "nothing waits any more").await;
    second.end().await;
    assert_eq!(world.rows(holder).await, [""], "it leaves in good order");
    assert_eq!(world.rows(reports).await, ["first storm"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_cannot_ask_the_broker_leaves_it_to_one_that_can() {
    let (world, broker) = (World::new().await, TestBroker::declared().await);
    let lost = {
        let mut config = broker.config("lost");
        config.url = "amqp://127.0.0.1:1/%2f".to_owned();
        let storm = Storm::default();
        let monitor = Monitor {
            store: world.db.store_with(2).await,
            broker: config,
            thresholds: Thresholds::default(),
            storm,
            seen: Seen::default(),
            every: Duration::from_millis(50),
            instance: Instance::named("lost"),
            meters: StormMeters::new(&Metrics::new("compute", "0")),
        };
        tokio::spawn(monitor.run(CancellationToken::new()))
    };
    let said = "SELECT instance FROM pipeline_status WHERE component = 'compute'";
    eventually(PATIENCE, "it is there", async || {
        (world.rows(said).await == ["lost"]).then_some(())
    })
    .await;
    let other = Looker::start(&world, &broker, "other").await;
    fill(&broker, Queue::EventsTerminal, 500).await;
    other.becomes(Mode::Storm, "the other one measures").await;
    lost.abort();
    other.end().await;
}

async fn storm(world: &World, arguments: &[&str]) -> String {
    let url = world.db.url();
    let all = ["compute", "storm"].iter().chain(arguments);
    let cli = Cli::try_parse_from(all.chain(&["--database-url", url])).unwrap();
    let args = match cli.command {
        Some(Command::Storm(args)) => Some(args),
        _ => None,
    };
    let mut out = Vec::new();
    command::answer(&args.unwrap(), &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_orders_goes_first_until_it_is_taken_back_or_over() {
    let (world, broker) = (World::new().await, TestBroker::declared().await);
    let said = storm(&world, &["status"]).await;
    assert!(
        said.contains("mode       calm\n") && said.contains("looked     never"),
        "{said}"
    );
    let looker = Looker::start(&world, &broker, "only").await;
    let said = storm(&world, &["on"]).await;
    assert!(
        said.contains("mode       storm\n") && said.contains("until `compute storm auto`"),
        "{said}"
    );
    looker.becomes(Mode::Storm, "a storm is ordered").await;
    storm(&world, &["auto"]).await;
    looker.becomes(Mode::Calm, "the order is taken back").await;
    fill(&broker, Queue::EventsTerminal, 500).await;
    looker.becomes(Mode::Storm, "a storm is measured").await;
    let said = storm(&world, &["off", "--for", "2s"]).await;
    assert!(said.contains("mode       calm\n"), "{said}");
    looker.becomes(Mode::Calm, "calm is ordered").await;
    looker.becomes(Mode::Storm, "the order is over").await;
    let json: serde_json::Value =
        serde_json::from_str(&storm(&world, &["status", "--output", "json"]).await).unwrap();
    assert_eq!(json["mode"], "storm");
    assert_eq!(json["measured"]["mode"], "storm");
    assert_eq!(json["ordered"]["mode"], "calm");
    assert_eq!(json["waiting_facts"], 500);
    assert_eq!(json["deferred"], 0);
    assert_eq!(json["replicas"][0]["name"], "only");
    looker.end().await;
}
