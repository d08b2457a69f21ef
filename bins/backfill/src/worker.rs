//! `backfill worker`: any number of these processes fetch the chunks of jobs, each with some lanes.
//!
//! What is shared by the lanes of a process is here: one connection to the broker, one look at the line's state, one token and one budget a
//! credential. What is shared by all processes is in PostgreSQL. Besides the lanes each process takes job requests from their queue, and takes
//! part in what follows from jobs and in what goes on by itself; any of that is done by whichever process is there.

pub(crate) mod gate;
pub(crate) mod meters;
pub(crate) mod outlets;
mod quota;

use crate::config::WorkerConfig;
use crate::finish::{self, Finishing};
use crate::keeper::StoreKeeper;
use crate::lane::{Lane, Reached, Shared};
use crate::platforms::{Platform, Platforms};
use crate::sources::{Breaker, Caller, Memory};
use crate::standing::counting;
use crate::{requests, standing};
use gate::Gate;
use meters::{Calls, Meters};
use outlets::Outlets;
use platform::budget::Budget;
use quota::Timed;
use runtime::args::OpsArgs;
use runtime::{Backoff, Health, Service, chain};
use schema::JobId;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::breakers::{self, State};
use store::{Class, Store, StoreError, migrate};
use tokio_util::sync::CancellationToken;

/// Where probes are served unless told otherwise.
const OPS_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9103);
/// How often it is looked what other processes know about the platforms' breakers, and whether the store and the broker are there.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Works until told to stop.
pub async fn run(config: WorkerConfig, ops: &OpsArgs) -> anyhow::Result<()> {
    let service = Service::start(
        "backfill",
        env!("CARGO_PKG_VERSION"),
        ops,
        OPS_LISTEN,
        &["store", "broker"],
    )
    .await?;
    let stop = service.shutdown.token();
    let store = Store::connect(config.store()).await?;
    if !prepare(&store, &stop).await? {
        let none = service.tasks();
        return service.run(none).await;
    }
    let meters = Meters::new(service.metrics.clone());
    let platforms = Arc::new(config.platforms.clone());
    let outlets = Arc::new(Outlets::new(config.broker()));
    let finishing = Finishing::new(
        store.clone(),
        config.broker(),
        service.metrics.clone(),
        platforms.clone(),
        config.finishing.clone(),
        config.lease,
        stop.clone(),
    );
    let shared = Arc::new(Shared {
        gate: Gate::new(
            store.clone(),
            outlets.clone(),
            config.bounds,
            meters.clone(),
        ),
        platforms: reached(&platforms, &store, &meters)?,
        names: platforms.names(),
        store: store.clone(),
        outlets: outlets.clone(),
        meters: meters.clone(),
        finishing: finishing.clone(),
        reading: Arc::new(config.reading.clone()),
        mappings: Arc::new(config.mappings.clone()),
        lease: config.lease,
        page_bytes: config.page_bytes,
        stop: stop.clone(),
    });

    let mut tasks = service.tasks();
    let process = format!("backfill/{}/{}", std::process::id(), JobId::generate());
    for lane in 0..config.lanes {
        let lane = Lane::new(shared.clone(), format!("{process}/{lane}"));
        tasks.spawn("lane", lane.run());
    }
    tasks.spawn(
        "job requests",
        requests::serve(
            store.clone(),
            config.broker(),
            platforms.clone(),
            stop.clone(),
        ),
    );
    tasks.spawn("finishing", finish::run(finishing.clone()));
    tasks.spawn("standing jobs", standing::run(finishing));
    for counting in counting::all(&shared, &process) {
        tasks.spawn("counts", counting.run());
    }
    tasks.spawn(
        "watch",
        watch(shared.clone(), service.health.clone(), stop.clone()),
    );
    service.ready(None);
    let ended = service.run(tasks).await;
    outlets.close().await;
    ended
}

/// Waits for the database and its schema. `false` when told to stop meanwhile.
async fn prepare(store: &Store, stop: &CancellationToken) -> anyhow::Result<bool> {
    let mut backoff = Backoff::for_connections();
    loop {
        match migrate::state(store).await {
            Ok(state) if state.ready => return Ok(true),
            Ok(_) => {
                tracing::warn!("the schema is older than this release; waiting for `migrate`");
            }
            Err(error) if error.class() == Class::Fatal => return Err(error.into()),
            Err(error) => tracing::warn!(error = %chain(&error), "the database cannot be used yet"),
        }
        if !backoff.pause(stop).await {
            return Ok(false);
        }
    }
}

/// The platforms as the lanes ask them. Those with one credential share its budget.
fn reached(
    platforms: &Platforms,
    store: &Store,
    meters: &Meters,
) -> anyhow::Result<BTreeMap<String, Reached>> {
    let mut budgets: BTreeMap<String, Arc<dyn Budget>> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for platform in platforms {
        let budget = if let Some(budget) = budgets.get(&platform.credential) {
            budget.clone()
        } else {
            let budget = budget(platform, store, meters)?;
            budgets.insert(platform.credential.clone(), budget.clone());
            budget
        };
        let watch = Arc::new(Calls {
            meters: meters.clone(),
            platform: platform.name.clone(),
        });
        let breaker = Breaker::new(store.clone(), platform.credential.clone(), platform.breaker);
        let reached = Reached {
            platform: platform.clone(),
            caller: Caller::new(platform, budget, watch, breaker),
            memory: Memory::default(),
        };
        all.insert(platform.name.clone(), reached);
    }
    Ok(all)
}

fn budget(platform: &Platform, store: &Store, meters: &Meters) -> anyhow::Result<Arc<dyn Budget>> {
    let credential = platform.credential.clone();
    let keeper = StoreKeeper::new(store.clone(), credential.clone());
    let inner = platform::budget::shared::Shared::new(keeper, credential, platform.access.limit)?;
    Ok(Arc::new(Timed {
        inner,
        meters: meters.clone(),
        platform: platform.name.clone(),
    }))
}

/// Keeps an eye on the breakers, which other processes turn too, and on what readiness means.
async fn watch(shared: Arc<Shared>, health: Health, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        match look(&shared).await {
            Ok(()) => health.set_ready("store", true),
            Err(error) => {
                health.set_ready("store", false);
                tracing::debug!(error = %chain(&error), "the platforms' breakers could not be read");
            }
        }
        let closed_for = shared.gate.closed_for().await;
        health.set_ready("broker", closed_for != Some("broker"));
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn look(shared: &Shared) -> Result<(), StoreError> {
    let client = shared.store.client().await?;
    let all = breakers::list(&client).await?;
    drop(client);
    for (name, reached) in &shared.platforms {
        let breaker = reached.caller.breaker();
        let found = all
            .iter()
            .find(|found| found.credential == breaker.credential());
        let state = found.map_or(State::Closed, |found| found.state);
        if found.is_some_and(|found| found.state != State::Closed || found.failures > 0) {
            breaker.is_in_trouble();
        }
        for one in State::ALL {
            shared.meters.breaker(name, one.as_str(), one == state);
        }
    }
    Ok(())
}
