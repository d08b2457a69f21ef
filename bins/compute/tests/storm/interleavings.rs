//! Storms that come and go at random, seen by each replica at another moment, and kills between any two statements.

use crate::world::{TENANT, World, assert_same, call};
use compute::apply::Applier;
use compute::catch_up;
use compute::plan::{Plan, PlannedSession};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use schema::Fact;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::storm::Mode;
use tokio::task::JoinSet;

/// Everything one and a half times, in no order, in batches of any size.
fn batches(rng: &mut StdRng, calls: &BTreeMap<String, Vec<Fact>>) -> Vec<Plan> {
    let all = calls
        .iter()
        .flat_map(|(id, facts)| facts.iter().map(move |fact| (id.clone(), fact.clone())));
    let mut arrivals: Vec<(String, Fact)> = all.collect();
    let again: Vec<_> = arrivals
        .iter()
        .filter(|_| rng.random_bool(0.5))
        .cloned()
        .collect();
    arrivals.extend(again);
    arrivals.shuffle(rng);
    let mut batches = Vec::new();
    while !arrivals.is_empty() {
        let size = rng.random_range(1..=25).min(arrivals.len());
        let mut sessions: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
        for (id, fact) in arrivals.drain(..size) {
            sessions.entry(id).or_default().push(fact);
        }
        let sessions = sessions.into_iter().map(|(id, facts)| PlannedSession {
            tenant: TENANT.into(),
            interaction: id.as_str().into(),
            facts,
            job_versions: BTreeSet::new(),
        });
        batches.push(Plan {
            sessions: sessions.collect(),
            ..Plan::default()
        });
    }
    batches
}

/// Cuts work off after so long, wherever it is.
async fn cut<T>(rng: &mut StdRng, work: impl Future<Output = T>) -> Option<T> {
    let after = Duration::from_micros(rng.random_range(0..20_000));
    tokio::time::timeout(after, work).await.ok()
}

/// Folds them, and tells how often something was deferred.
async fn folds(applier: Applier, batches: Vec<Plan>, seed: u64) -> u64 {
    let mut deferred = 0;
    let mut rng = StdRng::seed_from_u64(seed);
    for batch in batches {
        if rng.random_bool(0.3) {
            let mode = if rng.random_bool(0.6) {
                Mode::Storm
            } else {
                Mode::Calm
            };
            applier.storm().set(mode);
        }
        // A kill anywhere, then the broker's redelivery.
        cut(&mut rng, applier.apply(&batch)).await;
        deferred += applier.apply(&batch).await.unwrap().deferred;
    }
    deferred
}

async fn catches_up(applier: Applier, over: Arc<AtomicBool>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    while !over.load(Ordering::Relaxed) {
        let most = rng.random_range(1..8);
        // Nothing is refused and nobody waits in a circle: else this fails.
        if let Some(done) = cut(&mut rng, applier.catch_up(most)).await {
            done.unwrap();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_weather_was_the_end_is_that_of_a_calm_day() {
    for seed in 0..2 {
        let mut rng = StdRng::seed_from_u64(seed);
        let calls: BTreeMap<String, Vec<Fact>> = (0..16)
            .map(|number| format!("int_{number:03}"))
            .map(|id| (id.clone(), call(&mut rng, &id)))
            .collect();
        let calm = World::new().await;
        let applier = calm.applier().await;
        for batch in batches(&mut rng, &calls) {
            applier.apply(&batch).await.unwrap();
        }
        let expected = calm.end_state(&applier).await;
        assert!(expected["metrics"].len() > 300 && expected["windows"].len() > 300);

        let world = World::new().await;
        let mut queued = batches(&mut rng, &calls).into_iter();
        let share = queued.len().div_ceil(3);
        let (mut workers, mut beside) = (JoinSet::new(), JoinSet::new());
        let over = Arc::new(AtomicBool::new(false));
        for number in 0..3 {
            let work: Vec<_> = queued.by_ref().take(share).collect();
            let applier = world.applier().await;
            applier.storm().set(Mode::Storm);
            workers.spawn(folds(applier, work, seed * 10 + number));
        }
        for number in 3..5 {
            let applier = world.applier().await;
            beside.spawn(catches_up(applier, Arc::clone(&over), seed * 10 + number));
        }
        let mut deferred = 0;
        while let Some(worker) = workers.join_next().await {
            deferred += worker.unwrap();
        }
        assert!(deferred > 0, "seed {seed}: there was a storm");
        over.store(true, Ordering::Relaxed);
        while let Some(worker) = beside.join_next().await {
            worker.unwrap();
        }
        let applier = world.applier().await;
        catch_up::drain(&applier).await.unwrap();
        assert_eq!(world.deferred().await, 0, "seed {seed}");
        assert_same(
            &world.end_state(&applier).await,
            &expected,
            &format!("seed {seed}"),
        );
        for name in ["held", "leg_talk_time", "offered"] {
            assert_eq!(world.missing(name).await, 0, "seed {seed}: {name}");
        }
    }
}
