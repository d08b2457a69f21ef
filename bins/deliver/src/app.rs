//! Each subcommand, from checked settings to its end.

use crate::api;
use crate::api::tokens::generate;
use crate::census::{Census, Watched};
use crate::config::{Config, MigrateArgs, ServeArgs, TokenArgs};
use crate::credential::Credentials;
use crate::definitions::Definitions;
use crate::feeds;
use crate::freshness::{Asker, Watch, Watcher};
use crate::meters::Meters;
use crate::pusher::{Parts, Pusher};
use crate::send::Sender;
use crate::tally::Tally;
use crate::targets::Target;
use crate::uncomputed;
use crate::upkeep::Upkeep;
use crate::wake;
use runtime::metrics::{Counter, Gauge};
use runtime::{Backoff, Service, Tasks, chain, log};
use std::net::SocketAddr;
use std::sync::Arc;
use store::{Class, Store, StoreError, migrate, targets};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where probes are served unless told otherwise.
const OPS_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9104);
/// `deliver serve`.
pub async fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    let mut config = args.resolve()?;
    log::init(&args.ops);
    let service = Service::start(
        "deliver",
        env!("CARGO_PKG_VERSION"),
        &args.ops,
        OPS_LISTEN,
        &["store"],
    )
    .await?;
    let stop = service.shutdown.token();
    let store = Store::connect(config.store.clone()).await?;
    if !prepare(&store, &config.targets, &stop).await? {
        let none = service.tasks();
        return service.run(none).await;
    }
    service.health.set_ready("store", true);
    if let Err(error) = uncomputed::warn(&store, &config.targets, &config.feeds).await {
        tracing::debug!(error = %chain(&error), "it is not known whether all that is wanted is computed");
    }

    let mut tasks = service.tasks();
    let (news, hears) = watch::channel(0);
    let reconnects = service.metrics.counter(Counter::BrokerReconnects, &[]);
    tasks.spawn(
        "wake",
        wake::run(config.broker(), news, reconnects, stop.clone()),
    );
    let mut credentials = Credentials::new(store.clone());
    let tallies: Vec<Arc<Tally>> = config.targets.iter().map(|_| Arc::default()).collect();
    for pusher in pushers(
        &config,
        &mut credentials,
        &tallies,
        &store,
        &service,
        &hears,
    )? {
        tasks.spawn("pusher", pusher.run());
    }
    for worker in feed_workers(&config, &store, &service)? {
        tasks.spawn("feed", worker.run());
    }
    watch(&config, &mut credentials, &store, &service, &mut tasks)?;
    let census = census(&config, &tallies, &store, &service);
    tasks.spawn("census", census.run());
    let upkeep = Upkeep::new(
        store.clone(),
        config.broker(),
        service.metrics.clone(),
        service.shutdown.token(),
    );
    tasks.spawn("upkeep", upkeep.run());
    let api = api::start(&mut config, &service, &mut tasks).await?;
    service.ready(api);
    service.run(tasks).await
}

/// Starts to watch whether the platforms' numbers are to be trusted.
fn watch(
    config: &Config,
    credentials: &mut Credentials,
    store: &Store,
    service: &Service,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let stop = || service.shutdown.token();
    for watched in &config.watch.platforms {
        if let Some(asker) = Asker::new(store, watched, &config.targets, credentials, stop())? {
            tasks.spawn("platform health", asker.run());
        }
    }
    let watcher = Watcher::new(
        store.clone(),
        config.broker(),
        config.watch.clone(),
        service.metrics.clone(),
        stop(),
    );
    tasks.spawn("freshness", watcher.run());
    Ok(())
}

/// `deliver token`. What belongs into the file goes to where it can be appended from; the token itself is only shown.
pub fn token(args: &TokenArgs) {
    let (token, digest) = generate::token();
    eprintln!(
        "The token, for {} and nobody else; it is not shown again:\n{token}",
        args.name
    );
    println!("{}", generate::entry(&args.name, &digest, &args.tenant));
}

/// Waits for the database and its schema, then registers the targets. `false` when told to stop meanwhile.
async fn prepare(
    store: &Store,
    targets: &[Target],
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    let mut backoff = Backoff::for_connections();
    loop {
        match register(store, targets).await {
            Ok(true) => return Ok(true),
            Ok(false) => {
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

async fn register(store: &Store, list: &[Target]) -> Result<bool, StoreError> {
    if !migrate::state(store).await?.ready {
        return Ok(false);
    }
    for target in list {
        let row = targets::Target {
            name: target.name.clone(),
            tenant: target.tenant.as_str().to_owned(),
            platform: target.adapter.name().to_owned(),
            metrics: target.metrics.clone(),
            versions: target.versions.clone(),
            grains: target.grains.clone(),
            not_before: target.not_before,
            enabled: true,
        };
        targets::register(store, &row).await?;
    }
    Ok(true)
}

fn pushers(
    config: &Config,
    credentials: &mut Credentials,
    tallies: &[Arc<Tally>],
    store: &Store,
    service: &Service,
    news: &watch::Receiver<u64>,
) -> anyhow::Result<Vec<Pusher>> {
    let mut pushers = Vec::with_capacity(config.targets.len());
    for (target, tally) in config.targets.iter().zip(tallies) {
        let credential = credentials.of(target)?;
        pushers.push(Pusher::new(Parts {
            sender: Sender::new(target, service.shutdown.clone())?,
            definitions: Definitions::of(target, &credential, store.clone())?,
            meters: Meters::new(
                service.metrics.clone(),
                target.name.clone(),
                Arc::clone(tally),
            ),
            order: target.order,
            store_retries: service
                .metrics
                .counter(Counter::StoreRetry, &[("class", "deliver")]),
            target: target.clone(),
            credential,
            store: store.clone(),
            news: news.clone(),
            poll: config.poll,
            lease_margin: config.lease_margin,
            stop: service.shutdown.token(),
        }));
    }
    Ok(pushers)
}

fn feed_workers(
    config: &Config,
    store: &Store,
    service: &Service,
) -> anyhow::Result<Vec<feeds::worker::Worker>> {
    let mut workers = Vec::with_capacity(config.feeds.len());
    for feed in &config.feeds {
        let parts = feeds::worker::Parts {
            meters: feeds::meters::Meters::new(
                service.metrics.clone(),
                feed.definition.name.clone(),
            ),
            feed: feed.clone(),
            store: store.clone(),
            store_retries: service
                .metrics
                .counter(Counter::StoreRetry, &[("class", "deliver")]),
            poll: config.poll,
            lease_margin: config.lease_margin,
            shutdown: service.shutdown.clone(),
        };
        workers.push(feeds::worker::Worker::new(parts)?);
    }
    Ok(workers)
}

fn census(config: &Config, tallies: &[Arc<Tally>], store: &Store, service: &Service) -> Census {
    let watched = config.targets.iter().zip(tallies).map(|(target, tally)| {
        let labels = [("target", target.name.as_str())];
        Watched {
            target: target.name.clone(),
            breaker: target.breaker_name(),
            tally: Arc::clone(tally),
            failing: service.metrics.gauge(Gauge::DeliverFailing, &labels),
        }
    });
    Census {
        store: store.clone(),
        targets: watched.collect(),
        pending: service.metrics.gauge(Gauge::DeliverPending, &[]),
        alert: config.alert,
        keep: config.log_retention,
        stop: service.shutdown.token(),
    }
}

/// `deliver check`.
pub fn check(args: &ServeArgs) -> anyhow::Result<()> {
    let config = args.resolve()?;
    println!("ok: {} target(s)", config.targets.len());
    for target in &config.targets {
        println!(
            "  {} of {} ({}) {}: {}, {}, {} requests in {:?}, {} at a time",
            target.name,
            target.tenant,
            target.adapter.name(),
            target.url,
            target.metrics.join(", "),
            if target.adapter.capabilities().one_subject {
                "one subject a request".to_owned()
            } else {
                format!("{} rows a request", target.batch_max)
            },
            target.limit.requests,
            target.limit.period,
            target.concurrency,
        );
    }
    for feed in &config.feeds {
        let definition = &feed.definition;
        let (place, base) = feed.place.shared();
        println!(
            "  feed {} of {} to {}: {} of {} ({} columns, layout {}), {place} as {base}{}",
            definition.name,
            definition.tenant,
            definition.client,
            definition.interval.name(),
            definition.zone,
            definition.columns.len(),
            definition.layout.0,
            definition.file_name.text(),
        );
    }
    println!("{}", watched(&config.watch));
    if let Some(api) = &config.api {
        println!(
            "shows the figures at {} to {} token(s)",
            api.listen,
            api.tokens.len()
        );
    }
    Ok(())
}

/// Which platforms are watched, one a line.
fn watched(watch: &Watch) -> String {
    let mut lines = vec![format!(
        "watches {} platform(s), every {:?}",
        watch.platforms.len(),
        watch.every
    )];
    for platform in &watch.platforms {
        let health = platform.health.as_ref().map_or_else(String::new, |source| {
            format!(", asks {} every {:?}", source.url, source.every)
        });
        lines.push(format!(
            "  {} of {}: {}{health}",
            platform.name,
            platform.tenant,
            platform
                .subscriptions
                .as_ref()
                .map_or_else(|| "every subscription".to_owned(), |named| named.join(", ")),
        ));
    }
    lines.join("\n")
}

/// `deliver migrate`.
pub async fn migrate(args: &MigrateArgs) -> anyhow::Result<()> {
    let config = args.resolve()?;
    log::init(&args.ops);
    let roles = migrate::Roles {
        prefix: args.roles.role_prefix.clone(),
        create: args.roles.create_roles,
    };
    let report = migrate::run_with(&config.url, &roles).await?;
    tracing::info!(
        applied = report.applied.len(),
        already = report.already,
        months = report.months,
        roles = ?report.roles,
        "migrated"
    );
    Ok(())
}
