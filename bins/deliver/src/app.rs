//! Each subcommand, from checked settings to its end.

use crate::api;
use crate::api::tokens::generate;
use crate::config::{Config, ServeArgs, StoreArgs, TargetArgs, TokenArgs};
use crate::credential::Credential;
use crate::freshness::{self, Asker, Watch, Watcher};
use crate::meters::Meters;
use crate::pusher::{Parts, Pusher};
use crate::send::Sender;
use crate::status::{Breaker, Line, Pause};
use crate::targets::Target;
use crate::wake;
use anyhow::{Context as _, bail};
use runtime::metrics::{Counter, Gauge, GaugeHandle};
use runtime::{Backoff, Service, Tasks, chain, log};
use schema::UtcMicros;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::budgets::pauses;
use store::{Class, Client, Store, StoreError, breakers, migrate, sync, targets};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where probes are served unless told otherwise.
const OPS_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9104);
/// How often the waiting rows are counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// How often old entries of the log are looked for when there were none left.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// So many are removed at once: a fraction of a second's work.
const PRUNE_MAX: u32 = 20_000;

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

    let mut tasks = service.tasks();
    let (news, hears) = watch::channel(0);
    let reconnects = service.metrics.counter(Counter::BrokerReconnects, &[]);
    tasks.spawn(
        "wake",
        wake::run(config.broker(), news, reconnects, stop.clone()),
    );
    let credentials = credentials(&config.targets, &store)?;
    for pusher in pushers(&config, &credentials, &store, &service, &hears)? {
        tasks.spawn("pusher", pusher.run());
    }
    let names = config
        .targets
        .iter()
        .map(|target| target.name.clone())
        .collect();
    let pending = service.metrics.gauge(Gauge::DeliverPending, &[]);
    let keep = config.log_retention;
    watch(&config, &store, &service, &mut tasks)?;
    tasks.spawn("counts", count(store, names, pending, keep, stop));
    let api = api::start(&mut config, &service, &mut tasks).await?;
    service.ready(api);
    service.run(tasks).await
}

/// Starts to watch whether the platforms' numbers are to be trusted.
fn watch(
    config: &Config,
    store: &Store,
    service: &Service,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let stop = || service.shutdown.token();
    for watched in &config.watch.platforms {
        if let Some(asker) = Asker::new(store, watched, &config.targets, stop())? {
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

type Credentials = BTreeMap<String, Arc<Credential>>;

/// One for all targets that have the same.
fn credentials(targets: &[Target], store: &Store) -> anyhow::Result<Credentials> {
    let mut credentials = Credentials::new();
    for target in targets {
        if let Entry::Vacant(free) = credentials.entry(target.credential()) {
            free.insert(Arc::new(Credential::new(target, store.clone())?));
        }
    }
    Ok(credentials)
}

fn pushers(
    config: &Config,
    credentials: &Credentials,
    store: &Store,
    service: &Service,
    news: &watch::Receiver<u64>,
) -> anyhow::Result<Vec<Pusher>> {
    let mut pushers = Vec::with_capacity(config.targets.len());
    for target in &config.targets {
        let Some(credential) = credentials.get(&target.credential()) else {
            bail!("target {} has no credential", target.name);
        };
        pushers.push(Pusher::new(Parts {
            sender: Sender::new(target, service.shutdown.clone())?,
            meters: Meters::new(service.metrics.clone(), target.name.clone()),
            store_retries: service
                .metrics
                .counter(Counter::StoreRetry, &[("class", "deliver")]),
            target: target.clone(),
            credential: credential.clone(),
            store: store.clone(),
            news: news.clone(),
            poll: config.poll,
            lease_margin: config.lease_margin,
            stop: service.shutdown.token(),
        }));
    }
    Ok(pushers)
}

/// Keeps the gauge of waiting rows, and the log of attempts as long as it is to be kept.
async fn count(
    store: Store,
    names: Vec<String>,
    pending: GaugeHandle,
    keep: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut prune_at = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(COUNT_EVERY) => {}
        }
        match waiting(&store, &names).await {
            Ok(waiting) => {
                pending.set(waiting);
            }
            Err(error) => {
                tracing::debug!(error = %chain(&error), "the waiting rows could not be counted");
            }
        }
        if Instant::now() < prune_at {
            continue;
        }
        match prune(&store, keep).await {
            // There is more: the next time round.
            Ok(pruned) if pruned >= u64::from(PRUNE_MAX) => {}
            Ok(_) => prune_at = Instant::now() + PRUNE_EVERY,
            Err(error) => {
                prune_at = Instant::now() + PRUNE_EVERY;
                tracing::warn!(error = %chain(&error), "old entries of metric_sync_log could not be removed");
            }
        }
    }
}

/// Removes entries of the log that are older than this, not all at once.
async fn prune(store: &Store, keep: Duration) -> Result<u64, StoreError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let before = now.saturating_sub(keep).as_micros();
    let before = UtcMicros(i64::try_from(before).unwrap_or(0));
    let client = store.client().await?;
    sync::prune_log(&client, before, PRUNE_MAX).await
}

async fn waiting(store: &Store, names: &[String]) -> Result<i64, StoreError> {
    let client = store.client().await?;
    let mut waiting = 0;
    for name in names {
        let counts = sync::pending_counts(&client, name).await?;
        waiting += counts.pending + counts.leased + counts.unknown;
    }
    Ok(waiting)
}

/// `deliver check`.
pub fn check(args: &ServeArgs) -> anyhow::Result<()> {
    let config = args.resolve()?;
    println!("ok: {} target(s)", config.targets.len());
    for target in &config.targets {
        println!(
            "  {} of {} ({}) {}: {}, {} rows a request, {} requests in {:?}",
            target.name,
            target.tenant,
            target.adapter.name(),
            target.url,
            target.metrics.join(", "),
            target.batch_max,
            target.limit.requests,
            target.limit.period,
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
pub async fn migrate(args: &StoreArgs) -> anyhow::Result<()> {
    let config = args.resolve()?;
    log::init(&args.ops);
    let report = migrate::run(&config.url).await?;
    tracing::info!(
        applied = report.applied.len(),
        already = report.already,
        months = report.months,
        "migrated"
    );
    Ok(())
}

/// `deliver status`.
pub async fn status(args: &StoreArgs) -> anyhow::Result<()> {
    let store = Store::connect(args.resolve()?).await?;
    let client = store.client().await?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
    let mut lines = Vec::new();
    for target in targets::list(&client).await? {
        let counts = sync::pending_counts(&client, &target.name).await?;
        lines.push(Line::new(target, counts, now));
    }
    let pauses: Vec<Pause> = pauses(&client).await?.into_iter().map(Pause::new).collect();
    let breakers = breakers::list(&client).await?;
    let breakers: Vec<Breaker> = breakers.into_iter().map(Breaker::new).collect();
    let platforms = store::freshness::states(&client, None).await?;
    let platforms: Vec<_> = platforms.into_iter().map(freshness::Line::new).collect();
    let answer = serde_json::json!({
        "targets": lines,
        "pauses": pauses,
        "breakers": breakers,
        "platforms": platforms,
    });
    println!(
        "{}",
        serde_json::to_string_pretty(&answer).context("the answer cannot be written")?
    );
    Ok(())
}

/// `deliver resync`.
pub async fn resync(args: &TargetArgs) -> anyhow::Result<()> {
    let client = about(args).await?;
    let queued = sync::requeue(&client, &args.target).await?;
    println!(
        "{}",
        serde_json::json!({ "target": args.target, "queued": queued })
    );
    Ok(())
}

/// `deliver release`.
pub async fn release(args: &TargetArgs) -> anyhow::Result<()> {
    let client = about(args).await?;
    let released = sync::release_rejected(&client, &args.target).await?;
    println!(
        "{}",
        serde_json::json!({ "target": args.target, "released": released })
    );
    Ok(())
}

/// A connection, once it is known that there is such a target.
async fn about(args: &TargetArgs) -> anyhow::Result<Client> {
    let store = Store::connect(args.store.resolve()?).await?;
    let client = store.client().await?;
    let known = targets::list(&client).await?;
    if !known.iter().any(|target| target.name == args.target) {
        let names: Vec<_> = known.iter().map(|target| target.name.as_str()).collect();
        bail!(
            "--target: is {:?}, registered are: {}",
            args.target,
            names.join(", ")
        );
    }
    Ok(client)
}
