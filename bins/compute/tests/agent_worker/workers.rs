//! Workers whose clocks differ, that find no end, or that something is refused to.

use crate::world::{DAY, HOUR, MIDNIGHT, MINUTE, World, at, minutes, of, presence};
use compute::agent_worker::{self, AgentMeters, AgentTimeConfig, AgentWorker, Drained};
use compute::apply::Applier;
use runtime::metrics::{Counter, Metrics};
use schema::{Presence, UtcMicros};
use std::time::Duration;
use store::marks::{self, Kind, Mark};
use testkit::eventually;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn one_whose_time_is_refused_does_not_hold_up_the_others() {
    let world = World::with(&["logged_in_time"]).await;
    for agent in ["ann", "bob", "cyd", "dan"] {
        let day = [
            presence(9 * HOUR, Presence::Busy),
            presence(10 * HOUR, Presence::Offline),
        ];
        world.fold(&of(agent, &day)).await;
    }
    // Nothing of cyd's can be written.
    world
        .db
        .client()
        .await
        .batch_execute("ALTER TABLE window_items ADD CONSTRAINT no_cyd CHECK (subject <> 'cyd')")
        .await
        .unwrap();
    let drained = world.worker.drain(at(DAY)).await.unwrap();
    assert_eq!((drained.agents, drained.refused), (3, 1));
    assert_eq!(world.total("logged_in_time").await, (3 * HOUR, 0));
    world
        .db
        .client()
        .await
        .batch_execute("ALTER TABLE window_items DROP CONSTRAINT no_cyd")
        .await
        .unwrap();
    world.drain(DAY).await;
    assert_eq!(world.total("logged_in_time").await, (4 * HOUR, 0));
}

#[tokio::test]
async fn a_worker_whose_clock_is_behind_takes_nothing_back() {
    let world = World::with(&["logged_in_time", "occupancy"]).await;
    world
        .fold(&of("ann", &[presence(20 * HOUR, Presence::OnQueue)]))
        .await;
    let later = DAY + 5 * HOUR;
    world.drain(later).await;
    world.marked().await;
    let intervals = world.intervals("ann", 2).await;
    assert_eq!(
        minutes(&intervals),
        ["0-1200", "1200-1440 on_queue", "1440-1740 on_queue open"]
    );
    let items = world.items().await;
    let stands = "SELECT concat_ws(' ', presence, capped, since, open_until, computed_to, due_at) FROM agents";
    let stood = world.text(stands).await;
    // On the same day, and before its midnight.
    for earlier in [DAY + HOUR, 21 * HOUR] {
        world.mark("ann", 0, 3 * DAY).await;
        let drained = world.drain(earlier).await;
        assert_eq!(drained.agents, 1, "what is marked is computed again");
        assert_eq!(
            (drained.intervals, drained.items, drained.cells),
            (0, 0, 0),
            "as of {earlier}"
        );
        assert_eq!(world.intervals("ann", 2).await, intervals);
        assert_eq!(world.items().await, items);
        assert_eq!(world.text(stands).await, stood);
    }
    // What is told meanwhile counts up to where the time was computed, and what is open goes on from there.
    world
        .fold(&of("ann", &[presence(DAY + 4 * HOUR, Presence::Break)]))
        .await;
    world.drain(21 * HOUR).await;
    assert_eq!(
        minutes(&world.intervals("ann", 2).await),
        [
            "0-1200",
            "1200-1440 on_queue",
            "1440-1680 on_queue",
            "1680-1740 break open"
        ]
    );
    let clock = "SELECT concat_ws(' ', to_char(computed_to AT TIME ZONE 'UTC', 'DD HH24:MI'), \
                        to_char(due_at AT TIME ZONE 'UTC', 'DD HH24:MI')) FROM agents";
    assert_eq!(world.text(clock).await, "06 05:00 06 05:01");
    assert_eq!(
        world.drain(later).await,
        Drained::default(),
        "nobody is due"
    );
}

/// Marks agents of whom nothing was told, more than one batch takes, again and again: a backfill that does not end.
async fn mark_without_end(applier: Applier, from: UtcMicros, stop: CancellationToken) {
    let agents: Vec<String> = (0..150).map(|number| format!("agent_{number}")).collect();
    let marks: Vec<Mark<'_>> = agents
        .iter()
        .map(|agent| Mark {
            kind: Kind::Agent,
            tenant: "acme",
            subject: agent,
            from,
            to: from,
        })
        .collect();
    while !stop.is_cancelled() {
        let mut client = applier.store().client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        marks::append(&tx, &marks).await.unwrap();
        tx.commit().await.unwrap();
        drop(client);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_without_end_stop_neither_the_clock_nor_the_meters_and_who_was_refused_has_a_turn() {
    let within = Duration::from_secs(90);
    let world = World::with(&["logged_in_time"]).await;
    // By the server's clock, as it is when the program runs.
    let now = world
        .text("SELECT (extract(epoch FROM now()) * 1000)::bigint::text")
        .await;
    let now = now.parse::<i64>().unwrap() - MIDNIGHT;
    for agent in ["ann", "cyd"] {
        world
            .fold(&of(agent, &[presence(now - MINUTE, Presence::Busy)]))
            .await;
    }
    let client = world.db.client().await;
    client
        .batch_execute("ALTER TABLE window_items ADD CONSTRAINT no_cyd CHECK (subject <> 'cyd')")
        .await
        .unwrap();
    let config = AgentTimeConfig {
        tick: Duration::from_millis(50),
        ..AgentTimeConfig::default()
    };
    let metrics = Metrics::new("compute", "0");
    let meters = AgentMeters {
        days: metrics.counter(Counter::AgentDays, &[]),
        intervals: metrics.counter(Counter::AgentIntervalsWritten, &[]),
    };
    let stop = CancellationToken::new();
    let backfill = tokio::spawn(mark_without_end(
        world.applier.clone(),
        at(now - HOUR),
        stop.clone(),
    ));
    let marked = "SELECT count(*)::text FROM dirty_marks WHERE subject LIKE 'agent_%'";
    eventually(within, "a backfill marks agents", async || {
        world.text(marked).await != "0"
    })
    .await;
    let worker = AgentWorker::new(&world.applier, config);
    let running = tokio::spawn(agent_worker::run(worker, meters.clone(), stop.clone()));
    // Ann's time goes on while there is always more that is marked.
    let computed = "SELECT max(computed_to)::text FROM agents WHERE agent_id = 'ann'";
    let mut before = String::new();
    for _ in 0..3 {
        eventually(within, "the clock goes on", async || {
            world.text(computed).await != before
        })
        .await;
        before = world.text(computed).await;
    }
    assert!(meters.days.get() > 0 && meters.intervals.get() > 0);
    // Cyd was refused in the first batch, and is looked after again before the backfill ends.
    let cyd = "SELECT count(*)::text FROM window_items WHERE subject = 'cyd'";
    assert_eq!(world.text(cyd).await, "0");
    client
        .batch_execute("ALTER TABLE window_items DROP CONSTRAINT no_cyd")
        .await
        .unwrap();
    eventually(within, "who was refused has another turn", async || {
        world.text(cyd).await != "0"
    })
    .await;
    stop.cancel();
    backfill.await.unwrap();
    running.await.unwrap().unwrap();
}
