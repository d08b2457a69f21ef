//! What only a broker of the test's own may suffer. It is started under `target/`, by the script of `deploy/local`, and removed.

use super::{a_batch_waits, hold_the_log, let_go, raw, until_ready};
use crate::line::{Line, PATIENCE, event};
use broker::{Broker, BrokerConfig, Queue};
use std::net::SocketAddr;
use std::process::{Command, Output};
use testkit::{Proc, Proxy, eventually, http};

/// A private broker, ended with the value.
struct Server;

fn run(arguments: &[&str]) -> Output {
    let root = testkit::workspace_root();
    Command::new(root.join("deploy/local/services.sh"))
        .args(arguments)
        .env("KPILINE_LOCAL_DIR", root.join("target/ingest-broker-test"))
        .output()
        .unwrap()
}

fn services(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let success = output.status.success();
    assert!(success, "services.sh {arguments:?}: {said}{errors}");
    said
}

impl Server {
    fn start() -> (Self, String) {
        services(&["start", "rabbitmq"]);
        let server = Self;
        let env = services(&["env"]);
        let url = env
            .lines()
            .find_map(|line| line.strip_prefix("export KPILINE_TEST_AMQP_URL="));
        (server, url.unwrap().trim_matches('\'').to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A panic here while another one is on its way would hide that one.
        if !run(&["destroy"]).status.success() {
            eprintln!("the broker of this test was not removed");
        }
    }
}

/// A *normalise* that reaches the broker through a proxy, and what the test itself sees of both.
struct Scene {
    line: Line,
    proxy: Proxy,
    broker: BrokerConfig,
    normalise: Proc,
    ops: SocketAddr,
    sent: i64,
}

impl Scene {
    async fn new(url: &str) -> Self {
        let line = Line::new().await;
        let (proxy, through) = Proxy::before(url, 5672).await;
        let through = format!("{through}?heartbeat=1");
        let settings = [
            ("KPILINE_AMQP_URL", through.as_str()),
            ("KPILINE_AMQP_CONNECT_TIMEOUT", "2s"),
            ("KPILINE_NORMALISE_BATCH_MESSAGES", "1"),
        ];
        let mut normalise = line.start(&["normalise"], &settings);
        let ops = normalise.wait_ready().await.ops_address();
        let broker = BrokerConfig::new(url, line.broker.prefix(), "test");
        Self {
            line,
            proxy,
            broker,
            normalise,
            ops,
            sent: 0,
        }
    }

    /// A connection of the test's own, past the proxy.
    async fn connect(&self) -> Broker {
        let connect = async || Broker::connect(&self.broker).await;
        eventually(PATIENCE, "a connection", connect).await
    }

    async fn is_ready(&self) -> bool {
        let answered = http::get(self.ops, "/readyz").await;
        answered.is_ok_and(|(status, _)| status == 200)
    }

    /// How often the worker of the live lane said that it lost the broker.
    fn losses(&self) -> usize {
        let said = self.normalise.stderr();
        let lost = said.lines().filter(|line| {
            line.contains("not consuming; trying again") && line.contains("normalise.live")
        });
        lost.count()
    }

    /// Publishes an event as soon as its queue is there.
    async fn publish(&mut self) {
        self.sent += 1;
        let message = raw(&event(&format!("e{}", self.sent)));
        let connection = self.connect().await;
        let publisher = connection.publisher().await.unwrap();
        eventually(PATIENCE, "the event is taken", async || {
            publisher.publish(message.clone()).await
        })
        .await;
        connection.close().await.unwrap();
    }

    /// A fresh event is logged: the worker consumes, whatever it says of itself.
    async fn consumes(&mut self, after: &str) {
        self.publish().await;
        assert_eq!(self.line.counts_of(self.sent).await.logged, self.sent);
        eventually(PATIENCE, &format!("ready after {after}"), async || {
            self.is_ready().await
        })
        .await;
    }

    /// The worker notices by itself, with nothing to do, and says so.
    async fn notices(&self, before: usize, what: &str) {
        let what = format!("{what} is noticed");
        eventually(PATIENCE, &what, async || self.losses() > before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfalls_47_and_48_whatever_ends_consuming_it_begins_again() {
    let (_server, url) = Server::start();
    let mut scene = Scene::new(&url).await;
    scene.consumes("the start").await;
    idle(&mut scene).await;
    held_too_long(&mut scene).await;
}

/// Four cuts while there is nothing to consume.
async fn idle(scene: &mut Scene) {
    let before = scene.losses();
    scene.proxy.stall();
    scene.notices(before, "silence").await;
    assert!(!scene.is_ready().await);
    scene.proxy.resume();
    scene.consumes("silence").await;

    let before = scene.losses();
    services(&["stop", "rabbitmq"]);
    scene.notices(before, "a broker that is gone").await;
    assert!(!scene.is_ready().await);
    services(&["start", "rabbitmq"]);
    scene.consumes("a restart").await;

    let before = scene.losses();
    let admin = scene.connect().await;
    admin.delete_queue(Queue::Raw).await.unwrap();
    admin.close().await.unwrap();
    scene.notices(before, "a deleted queue").await;
    scene.consumes("a deleted queue").await;

    let before = scene.losses();
    // In force for channels that are opened from now on.
    for setting in ["channel_tick_interval, 500", "consumer_timeout, 1000"] {
        let setting = format!("application:set_env(rabbit, {setting}).");
        services(&["rabbitmqctl", "eval", &setting]);
    }
    services(&["rabbitmqctl", "close_all_connections", "for a test"]);
    scene.notices(before, "a closed connection").await;
    scene.consumes("a closed connection").await;
}

/// A batch that takes longer than the broker waits for an acknowledgement, and a message behind it.
async fn held_too_long(scene: &mut Scene) {
    let connection = scene.connect().await;
    let holding = hold_the_log(&scene.line).await;
    scene.publish().await;
    a_batch_waits(&scene.line).await;
    scene.publish().await;
    // The broker has closed the channel and taken both back.
    until_ready(&connection, 2).await;
    let before = scene.losses();
    let_go(holding).await;
    scene.notices(before, "the closed channel").await;
    let counts = scene.line.counts_of(scene.sent).await;
    assert_eq!((counts.logged, counts.duplicates), (scene.sent, 0));
    scene
        .normalise
        .wait_line("the first one once more", PATIENCE, |found| {
            found["message"] == "normalised a batch" && found["repeated"] == 1
        })
        .await;
    scene.consumes("a batch that was held too long").await;
    let logged = "SELECT count(*) FROM event_log";
    assert_eq!(scene.line.number(logged).await, scene.sent);
    until_ready(&connection, 0).await;
    connection.close().await.unwrap();
}
