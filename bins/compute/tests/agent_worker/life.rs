//! Random days of some agents, beside the pure fold of all that was told.

use crate::world::{
    CAP, Contact, DAY, HOUR, MIDNIGHT, MINUTE, SECOND, Told, World, at, of, plan, presence,
    routing, scheduled,
};
use agent::{Interval, Rules};
use compute::agent_worker::Drained;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt as _, SeedableRng};
use schema::{Presence, Routing, SourceRank, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use window::Day;

/// Of few statements, so that much of what holds began days before.
#[tokio::test]
async fn days_that_are_computed_as_they_pass_are_those_of_one_run() {
    let mut random = StdRng::seed_from_u64(5);
    let mut told = Vec::new();
    for agent in AGENTS {
        for _ in 0..14 {
            let ms = random.random_range(0..DAYS * DAY / MINUTE) * MINUTE;
            let fact = match random.random_range(0..8) {
                0 => routing(ms, Routing::Idle),
                1 => routing(ms, Routing::OffQueue),
                2..4 => presence(ms, Presence::Offline),
                4..7 => presence(ms, Presence::Available),
                _ => scheduled(ms, ms + 9 * HOUR, "on_queue"),
            };
            told.extend(of(agent, &[fact]));
        }
    }
    let last = (DAYS + 1) * DAY + 7 * HOUR;
    let passing = World::with(&["logged_in_time", "occupancy"]).await;
    passing.fold(&told).await;
    for quarter in 0..=4 * (DAYS + 1) {
        passing.drain(quarter * 6 * HOUR).await;
    }
    passing.drain(last).await;
    let at_once = World::with(&["logged_in_time", "occupancy"]).await;
    at_once.fold(&told).await;
    at_once.drain(last).await;
    for agent in AGENTS {
        let days = DAYS + 2;
        assert_eq!(
            passing.intervals(agent, days).await,
            at_once.intervals(agent, days).await,
            "{agent}"
        );
    }
    assert_eq!(passing.items().await, at_once.items().await);
}

const AGENTS: [&str; 3] = ["ann", "bob", "cyd"];
const DAYS: i64 = 9;

/// Days of some agents with everything that goes wrong: missing sign-outs, statements at one instant, records that correct events, ends that
/// are stated, plans, contacts that overlap and some that nobody ended.
fn life(random: &mut StdRng) -> Vec<Told> {
    let mut told = Vec::new();
    for agent in AGENTS {
        for _ in 0..60 {
            let ms = random.random_range(0..DAYS * DAY / SECOND) * SECOND
                + i64::from(random.random_bool(0.3)) * random.random_range(0..SECOND);
            let mut fact = match random.random_range(0..12) {
                0..5 => presence(
                    ms,
                    [
                        Presence::OnQueue,
                        Presence::Busy,
                        Presence::Offline,
                        Presence::Offline,
                        Presence::Meal,
                    ][random.random_range(0..5)]
                    .clone(),
                ),
                5..9 => routing(
                    ms,
                    [Routing::Idle, Routing::OffQueue, Routing::Interacting]
                        [random.random_range(0..3)]
                    .clone(),
                ),
                _ => scheduled(ms, ms + random.random_range(0..9 * HOUR), "on_queue"),
            };
            if random.random_bool(0.3) {
                fact.until = Some(at(ms + random.random_range(0..30 * HOUR)));
            }
            if random.random_bool(0.2) {
                let mut record = fact.clone();
                record.rank = SourceRank::SettledRecord;
                record.until = Some(at(ms + random.random_range(0..5 * HOUR)));
                told.push(Told::Of(agent.to_owned(), record));
            }
            told.push(Told::Of(agent.to_owned(), fact));
        }
        for number in 0..40 {
            let from = random.random_range(0..DAYS * DAY);
            let to = from + random.random_range(0..2 * HOUR);
            let to = random.random_bool(0.9).then_some(to);
            let id = format!("{agent}_{number}");
            told.push(Told::Contact(Contact::new(&id, agent, from, to)));
        }
    }
    told
}

/// What the pure fold of everything gives for an agent.
fn folded(told: &[Told], agent: &str, as_of: i64) -> Vec<Interval> {
    let (mut facts, mut busy) = (Vec::new(), Vec::new());
    for one in told {
        match one {
            Told::Of(id, fact) if id == agent => facts.push(fact.clone()),
            Told::Contact(contact) if contact.agent == agent => busy.push(contact.busy()),
            _ => {}
        }
    }
    let rules = Rules { open_cap: CAP };
    agent::intervals(
        &facts,
        &busy,
        at(0),
        at((DAYS + 2) * DAY),
        at(as_of),
        &rules,
    )
}

/// Milliseconds by agent, quarter hour and definition, in the plainest way.
fn summed(intervals: &[(&str, Interval)]) -> BTreeMap<(String, i64, String), (i64, i64)> {
    let mut sums: BTreeMap<(String, i64, String), (i64, i64)> = BTreeMap::new();
    for (agent, interval) in intervals {
        let state = &interval.state;
        let available = state.on_queue()
            && state
                .routing
                .as_ref()
                .is_none_or(|routing| *routing == Routing::Idle);
        let counts = [
            ("logged_in_time", state.logged_in(), false),
            ("occupancy", state.busy(), state.busy() || available),
        ];
        let (from, to) = (
            interval.from.millis() - MIDNIGHT,
            interval.to.millis() - MIDNIGHT,
        );
        for quarter in from / (15 * MINUTE)..=to / (15 * MINUTE) {
            let begin = from.max(quarter * 15 * MINUTE);
            let end = to.min((quarter + 1) * 15 * MINUTE);
            for (name, numerator, denominator) in counts {
                if end > begin && (numerator || denominator) {
                    let key = ((*agent).to_owned(), quarter, name.to_owned());
                    let (sum, weight) = sums.entry(key).or_default();
                    *sum += i64::from(numerator) * (end - begin);
                    *weight += i64::from(denominator) * (end - begin);
                }
            }
        }
    }
    sums
}

impl World {
    /// What is stored is what the pure fold gives, but for days of which nothing is known or that the agents were signed out.
    async fn agrees(&self, told: &[Told], as_of: i64) {
        let mut all: Vec<(&str, Interval)> = Vec::new();
        for agent in AGENTS {
            let stored = self.intervals(agent, DAYS + 2).await;
            let days: BTreeSet<Day> = stored.iter().map(|row| Day::of(row.from)).collect();
            let mut cut: Vec<Interval> = Vec::new();
            for interval in folded(told, agent, as_of) {
                let state = interval.state.clone();
                let plain =
                    !state.logged_in() && state.scheduled.is_none() && state.routing.is_none();
                let mut from = interval.from;
                while from < interval.to {
                    let to = interval.to.min(Day::of(from).end());
                    if days.contains(&Day::of(from)) {
                        let state = state.clone();
                        // A day that is over has nothing open in it.
                        let open = interval.open && to == interval.to && to < Day::of(from).end();
                        cut.push(Interval {
                            from,
                            to,
                            state,
                            open,
                        });
                    } else {
                        assert!(plain, "{agent}: {interval:?} is missing");
                    }
                    from = to;
                }
                all.push((agent, interval));
            }
            let words = |from: UtcMicros, to: UtcMicros, rest: String| {
                format!("{}-{} {rest}", from.0 - at(0).0, to.0 - at(0).0)
            };
            let computed: Vec<String> = cut
                .iter()
                .map(|it| {
                    let state = &it.state;
                    let presence = state.presence.as_ref().map(Presence::name);
                    let routing = state.routing.as_ref().map(Routing::name);
                    let rest = (
                        presence,
                        routing,
                        state.scheduled.as_deref(),
                        state.interacting,
                        state.capped,
                        it.open,
                    );
                    words(it.from, it.to, format!("{rest:?}"))
                })
                .collect();
            let stored: Vec<String> = stored
                .iter()
                .map(|it| {
                    let rest = (
                        it.presence.as_deref(),
                        it.routing.as_deref(),
                        it.scheduled.as_deref(),
                        it.interacting,
                        it.capped,
                        it.open,
                    );
                    words(it.from, it.to, format!("{rest:?}"))
                })
                .collect();
            assert_eq!(stored, computed, "{agent}");
        }
        assert_eq!(self.items().await, summed(&all));
    }
}

async fn life_in_pieces(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let told = life(&mut random);
    let world = World::with(&["logged_in_time", "occupancy"]).await;
    let mut pieces = told.clone();
    pieces.shuffle(&mut random);
    let last = (DAYS + 1) * DAY + 7 * HOUR;
    let mut rest = pieces.as_slice();
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(random.random_range(1..=rest.len().min(40)));
        rest = more;
        world.fold(piece).await;
        // Now and then a worker, at whatever time; some are killed.
        match random.random_range(0..3) {
            0 => {
                world.drain(random.random_range(0..last)).await;
            }
            1 => {
                let worker = world.worker.clone();
                let within = Duration::from_millis(random.random_range(0..40));
                let killed = tokio::time::timeout(within, worker.drain(at(last))).await;
                drop(killed);
            }
            _ => {}
        }
    }
    world.drain(last).await;
    world.agrees(&told, last).await;
    // All over again, in another order: nothing is left to do.
    pieces.shuffle(&mut random);
    world.fold(&pieces).await;
    assert_eq!(world.drain(last).await, Drained::default());
}

#[tokio::test]
async fn whatever_the_order_and_the_crashes_the_intervals_are_those_of_the_pure_fold() {
    for seed in 0..4 {
        life_in_pieces(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_beside_each_other_and_folds_between_them_come_to_the_same() {
    let mut random = StdRng::seed_from_u64(77);
    let told = life(&mut random);
    let world = World::with(&["logged_in_time", "occupancy"]).await;
    let mut pieces = told.clone();
    pieces.shuffle(&mut random);
    let last = (DAYS + 1) * DAY;
    let folds: Vec<_> = pieces
        .chunks(pieces.len() / 2 + 1)
        .map(|half| {
            let (applier, half) = (world.applier.clone(), half.to_vec());
            tokio::spawn(async move {
                for piece in half.chunks(15) {
                    applier.apply(&plan(piece)).await.unwrap();
                }
            })
        })
        .collect();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let worker = world.worker.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    worker.drain(at(last)).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in folds.into_iter().chain(workers) {
        task.await.unwrap();
    }
    world.drain(last).await;
    world.agrees(&told, last).await;
}
