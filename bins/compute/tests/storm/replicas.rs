//! Replicas of compute that come, go and are killed while it storms; and what goes first meanwhile.

use crate::world::{TENANT, World, assert_same, call, ended, event};
use broker::{Outgoing, Queue};
use compute::batch::BatchLimits;
use compute::catch_up::{self, CatchUpMeters};
use compute::plan::{Plan, PlannedSession};
use compute::pressure::Pressure;
use compute::shared::{Meters, Shared};
use compute::storm::hysteresis::Thresholds;
use compute::storm::monitor::{Monitor, StormMeters};
use compute::storm::{Instance, Seen};
use compute::wake::Waker;
use compute::worker::{self, Lane};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use runtime::Health;
use runtime::metrics::{Counter, Metrics};
use schema::{ENVELOPE_VERSION, Event, EventsMessage, Fact, MessageId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::storm::Mode;
use testkit::{TestBroker, eventually};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);

/// A compute in this process.
struct Replica {
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Replica {
    async fn start(world: &World, broker: &TestBroker, name: &str) -> Self {
        // Small batches, so that a kill meets many of them.
        let limits = BatchLimits {
            events_max: 12,
            linger: Duration::from_millis(20),
        };
        Self::with(world, broker, name, limits).await
    }

    /// Every test here begins in a storm that was ordered.
    async fn with(world: &World, broker: &TestBroker, name: &str, limits: BatchLimits) -> Self {
        let stop = CancellationToken::new();
        let metrics = Metrics::new("compute", "0");
        let applier = world.applier().await;
        applier.storm().set(Mode::Storm);
        let shared = Shared {
            applier: applier.clone(),
            broker: broker.config(name),
            limits,
            prefetch: 4,
            waker: Waker::default(),
            pressure: Pressure::default(),
            seen: Seen::default(),
            health: Health::new(stop.clone(), &["live"]),
            meters: Meters::new(&metrics),
            stop: stop.clone(),
        };
        let mut tasks = JoinSet::new();
        for _ in 0..2 {
            tasks.spawn(worker::run(shared.clone(), Lane::Live, "live"));
        }
        let monitor = Monitor {
            store: world.db.store_with(2).await,
            broker: broker.config(name),
            thresholds: Thresholds::default(),
            storm: applier.storm().clone(),
            seen: shared.seen.clone(),
            every: Duration::from_millis(100),
            instance: Instance::named(name),
            meters: StormMeters::new(&metrics),
        };
        tasks.spawn(monitor.run(stop.clone()));
        let meters = CatchUpMeters {
            caught_up: metrics.counter(Counter::ComputeCaughtUp, &[]),
            written: metrics.counter(Counter::ComputeMetricsWritten, &[]),
        };
        tasks.spawn(catch_up::run(
            applier.beside(world.db.store_with(2).await),
            shared.pressure.clone(),
            shared.waker.clone(),
            meters,
            stop.clone(),
        ));
        Self { tasks, stop }
    }

    /// Wherever it is: nothing is finished, nothing acknowledged.
    async fn kill(mut self) {
        self.tasks.shutdown().await;
    }

    /// In good order.
    async fn end(mut self) {
        self.stop.cancel();
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap().unwrap();
        }
    }
}

fn message(events: Vec<Event>) -> EventsMessage {
    EventsMessage {
        v: ENVELOPE_VERSION,
        id: MessageId::generate(),
        correlation: "test".into(),
        job: None,
        events,
        agents: Vec::new(),
    }
}

async fn publish(broker: &TestBroker, queue: Queue, messages: Vec<EventsMessage>) {
    let connection = broker.connect("test-publish").await;
    let publisher = connection.publisher().await.unwrap();
    for message in messages {
        let outgoing = Outgoing {
            queue,
            body: message.encode().unwrap(),
            message_id: message.id.0,
            correlation: String::new(),
        };
        publisher.publish(outgoing).await.unwrap();
    }
    connection.close().await.unwrap();
}

async fn order(world: &World, mode: Option<Mode>) {
    let store = world.db.store().await;
    let client = store.client().await.unwrap();
    store::storm::order(&client, mode, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_come_and_go_in_a_storm_lose_nothing() {
    let mut rng = StdRng::seed_from_u64(11);
    let calls: BTreeMap<String, Vec<Fact>> = (0..80)
        .map(|number| format!("int_{number:03}"))
        .map(|id| (id.clone(), call(&mut rng, &id)))
        .collect();
    let calm = World::new().await;
    let applier = calm.applier().await;
    let sessions = calls.iter().map(|(id, facts)| PlannedSession {
        tenant: TENANT.into(),
        interaction: id.as_str().into(),
        facts: facts.clone(),
        job_versions: BTreeSet::new(),
    });
    let all = Plan {
        sessions: sessions.collect(),
        ..Plan::default()
    };
    applier.apply(&all).await.unwrap();
    let expected = calm.end_state(&applier).await;

    // Two or three facts a message, in either queue, everything at least once.
    let mut events: Vec<Event> = calls
        .iter()
        .flat_map(|(id, facts)| facts.iter().map(move |fact| event(id, fact.clone())))
        .collect();
    events.shuffle(&mut rng);
    let mut queued: [Vec<EventsMessage>; 2] = Default::default();
    while !events.is_empty() {
        let size = rng.random_range(1..4).min(events.len());
        let message = message(events.drain(..size).collect());
        if rng.random_bool(0.2) {
            queued[1].push(message.clone());
        }
        queued[usize::from(rng.random_bool(0.4))].push(message);
    }
    let (world, broker) = (World::new().await, TestBroker::declared().await);
    order(&world, Some(Mode::Storm)).await;
    let [terminal, progress] = queued;
    let mut first = Replica::start(&world, &broker, "first").await;
    let folded = "SELECT count(*) FROM interactions";
    let sent = async {
        publish(&broker, Queue::EventsProgress, progress).await;
        publish(&broker, Queue::EventsTerminal, terminal).await;
    };
    let scaled = async {
        eventually(PATIENCE, "the first is at work", async || {
            (world.number(folded).await > 5).then_some(())
        })
        .await;
        let mut more = Vec::new();
        for name in ["second", "third", "fourth"] {
            more.push(Replica::start(&world, &broker, name).await);
        }
        let at_work = world.number(folded).await;
        eventually(PATIENCE, "they are at work", async || {
            let now = world.number(folded).await;
            (now > at_work + 10 || now == 80).then_some(())
        })
        .await;
        more
    };
    let (mut more, ()) = tokio::join!(scaled, sent);
    // The first one, which has the lease, and another one.
    std::mem::replace(&mut first, more.remove(0)).kill().await;
    more.remove(0).kill().await;
    eventually(PATIENCE, "all is folded", async || {
        let waiting =
            broker.depth(Queue::EventsTerminal).await + broker.depth(Queue::EventsProgress).await;
        (waiting == 0 && world.number(folded).await == 80).then_some(())
    })
    .await;
    assert!(world.deferred().await > 0, "it was a storm");
    order(&world, None).await;
    eventually(PATIENCE, "it is calm and all is caught up", async || {
        let facts = world.number("SELECT sum(facts) FROM interactions").await;
        let all: usize = expected_facts(&all);
        (facts == i64::try_from(all).unwrap() && world.deferred().await == 0).then_some(())
    })
    .await;
    // Who is left goes in good order.
    first.end().await;
    for replica in more {
        replica.end().await;
    }
    let applier = world.applier().await;
    assert_eq!(
        catch_up::drain(&applier).await.unwrap().taken,
        0,
        "nobody owes anything"
    );
    assert_same(&world.end_state(&applier).await, &expected, "scaled");
}

/// Of each interaction, facts with one key are one.
fn expected_facts(all: &Plan) -> usize {
    let keys = all.sessions.iter().map(|session| {
        let keys: BTreeSet<_> = session.facts.iter().map(|fact| &fact.key).collect();
        keys.len()
    });
    keys.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn terminal_events_go_first_in_a_storm_and_progress_is_not_starved() {
    let (world, broker) = (World::new().await, TestBroker::declared().await);
    order(&world, Some(Mode::Storm)).await;
    let one = |queue: &str, number: usize| {
        let id = format!("{queue}-{number:03}");
        let facts = ended(&id, 1000).into_iter();
        // A batch of their own each.
        message(
            facts
                .cycle()
                .take(12)
                .map(|fact| event(&id, fact))
                .collect(),
        )
    };
    let progress = (0..40).map(|number| one("progress", number));
    publish(&broker, Queue::EventsProgress, progress.collect()).await;
    let terminal = (0..80).map(|number| one("terminal", number));
    publish(&broker, Queue::EventsTerminal, terminal.collect()).await;
    let replica = Replica::start(&world, &broker, "only").await;
    let of = async |what: &str| {
        let sql = format!("SELECT count(*) FROM interactions WHERE interaction_id LIKE '{what}-%'");
        world.number(&sql).await
    };
    let progress = eventually(PATIENCE, "what is terminal is done", async || {
        let progress = of("progress").await;
        (of("terminal").await == 80).then_some(progress)
    })
    .await;
    assert!(
        (1..=24).contains(&progress),
        "one batch in eight, and two workers: {progress}"
    );
    eventually(PATIENCE, "then the rest", async || {
        (of("progress").await == 40).then_some(())
    })
    .await;
    replica.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_does_not_wait_for_what_cannot_come() {
    let (world, broker) = (World::new().await, TestBroker::declared().await);
    order(&world, Some(Mode::Storm)).await;
    // All that two workers may have in hand.
    let messages = (0..8).map(|number| {
        let id = format!("int_{number}");
        let facts = ended(&id, 1000).into_iter();
        message(facts.map(|fact| event(&id, fact)).collect())
    });
    publish(&broker, Queue::EventsTerminal, messages.collect()).await;
    let limits = BatchLimits {
        events_max: 1000,
        linger: PATIENCE * 10,
    };
    let replica = Replica::with(&world, &broker, "only", limits).await;
    eventually(PATIENCE, "they are folded", async || {
        let folded = world.number("SELECT count(*) FROM interactions").await;
        (folded == 8).then_some(())
    })
    .await;
    replica.end().await;
}
