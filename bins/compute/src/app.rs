//! Builds the parts of a serving process and hands them over.

use crate::agent_worker::{self, AgentMeters, AgentWorker};
use crate::apply::Applier;
use crate::backlog::{self, BacklogMeters};
use crate::catch_up::{self, CatchUpMeters};
use crate::config::{Config, Kept, ServeArgs};
use crate::journey_worker::{self, JourneyMeters, JourneyWorker};
use crate::missed;
use crate::pressure::Pressure;
use crate::shared::{Meters, Shared};
use crate::storm::monitor::{self, Monitor, StormMeters};
use crate::storm::{Instance, Seen};
use crate::sweep::{self, SweepMeters};
use crate::wake::Waker;
use crate::windows::{self, WindowMeters, WindowWorker};
use crate::worker::{self, Lane};
use crate::zone_data;
use runtime::metrics::{Counter, Histogram};
use runtime::{Service, Tasks, chain};
use std::time::Duration;
use store::Store;
use tokio_util::sync::CancellationToken;

/// Where probes and metrics are served unless a flag says otherwise.
const OPS_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 9102);
/// How often the months ahead are looked after.
const MONTHS_EVERY: Duration = Duration::from_secs(6 * 3600);

/// Serves until told to stop.
pub async fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    let config = args.resolve()?;
    runtime::log::init(&args.ops);
    let components: &[&'static str] = match (config.workers, config.history_workers) {
        (0, _) => &["history"],
        (_, 0) => &["live"],
        _ => &["live", "history"],
    };
    let service = Service::start(
        "compute",
        env!("CARGO_PKG_VERSION"),
        &args.ops,
        OPS_LISTEN.into(),
        components,
    )
    .await?;
    let stop = service.shutdown.token();
    let store = Store::connect(config.store()).await?;
    let beside = Store::connect(config.store_beside()).await?;
    let shared = shared(&config, &service, store);
    let mut tasks = service.tasks();
    weather(&mut tasks, &service, &shared, &config, beside);
    for _ in 0..config.workers {
        tasks.spawn(
            "live worker",
            worker::run(shared.clone(), Lane::Live, "live"),
        );
    }
    for _ in 0..config.history_workers {
        tasks.spawn(
            "history worker",
            worker::run(shared.clone(), Lane::History, "history"),
        );
    }
    tasks.spawn(
        "waker",
        shared
            .waker
            .clone()
            .run(config.broker("kpiline compute wake"), stop.clone()),
    );
    tasks.spawn("months", months(shared.applier.clone(), stop.clone()));
    tasks.spawn(
        "sweeper",
        sweep::run(
            shared.applier.clone(),
            config.broker("kpiline compute sweeper"),
            config.sweep.clone(),
            shared.waker.clone(),
            SweepMeters {
                swept: service.metrics.counter(Counter::ComputeSwept, &[]),
                settled: service.metrics.counter(Counter::ComputeSettled, &[]),
            },
            stop.clone(),
        ),
    );
    if let Some(kept) = config.kept {
        keep(&mut tasks, &service, &shared, kept);
    }
    tasks.spawn_finite("zone data", zone_data::compare(shared.clone()));
    service.ready(None);
    service.run(tasks).await
}

/// What tells that there is a storm, and what is left to do after one.
fn weather(tasks: &mut Tasks, service: &Service, shared: &Shared, config: &Config, beside: Store) {
    let (applier, stop) = (&shared.applier, &shared.stop);
    let monitor = Monitor {
        store: beside.clone(),
        broker: config.broker("kpiline compute weather"),
        thresholds: config.storm,
        storm: applier.storm().clone(),
        seen: shared.seen.clone(),
        every: monitor::EVERY,
        instance: Instance::this(),
        meters: StormMeters::new(&service.metrics),
    };
    tasks.spawn("weather", monitor.run(stop.clone()));
    tasks.spawn(
        "what was deferred",
        catch_up::run(
            applier.beside(beside),
            shared.pressure.clone(),
            shared.waker.clone(),
            CatchUpMeters {
                caught_up: service.metrics.counter(Counter::ComputeCaughtUp, &[]),
                written: service.metrics.counter(Counter::ComputeMetricsWritten, &[]),
            },
            stop.clone(),
        ),
    );
}

/// What is computed from the marks that the fold leaves.
fn keep(tasks: &mut Tasks, service: &Service, shared: &Shared, kept: Kept) {
    let (applier, stop) = (&shared.applier, &shared.stop);
    tasks.spawn(
        "windows",
        windows::run(
            WindowWorker::new(applier),
            kept.windows,
            shared.pressure.clone(),
            WindowMeters {
                cells: service.metrics.counter(Counter::WindowCells, &[]),
                written: service.metrics.counter(Counter::WindowMetricsWritten, &[]),
                seconds: service.metrics.histogram(Histogram::WindowRound, &[]),
            },
            stop.clone(),
        ),
    );
    tasks.spawn(
        "agents' time",
        agent_worker::run(
            AgentWorker::new(applier, kept.agents),
            AgentMeters {
                days: service.metrics.counter(Counter::AgentDays, &[]),
                intervals: service.metrics.counter(Counter::AgentIntervalsWritten, &[]),
            },
            stop.clone(),
        ),
    );
    tasks.spawn(
        "journeys",
        journey_worker::run(
            JourneyWorker::new(applier, kept.journeys),
            shared.waker.clone(),
            JourneyMeters {
                customers: service.metrics.counter(Counter::JourneyCustomers, &[]),
                written: service.metrics.counter(Counter::JourneyMetricsWritten, &[]),
            },
            stop.clone(),
        ),
    );
    tasks.spawn(
        "missed marks",
        missed::run(
            applier.store().clone(),
            applier.catalogue().clone(),
            stop.clone(),
        ),
    );
    tasks.spawn(
        "backlog",
        backlog::observe(
            applier.store().clone(),
            BacklogMeters::new(&service.metrics),
            stop.clone(),
        ),
    );
}

fn shared(config: &Config, service: &Service, store: Store) -> Shared {
    Shared {
        applier: Applier::new(store),
        broker: config.broker("kpiline compute"),
        limits: config.batch,
        prefetch: config.prefetch,
        waker: Waker::default(),
        pressure: Pressure::default(),
        seen: Seen::default(),
        health: service.health.clone(),
        meters: Meters::new(&service.metrics),
        stop: service.shutdown.token(),
    }
}

/// Keeps months of partitions ahead of the clock.
async fn months(applier: Applier, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        match applier
            .partitions()
            .ensure_ahead(store::partitions::MONTHS_AHEAD)
            .await
        {
            Ok(0) => {}
            Ok(made) => tracing::info!(made, "made months of partitions ahead"),
            // Batches make the month they need by themselves; this only spares them the wait.
            Err(error) => tracing::warn!(error = %chain(&error), "months ahead could not be made"),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(MONTHS_EVERY) => {}
        }
    }
}
