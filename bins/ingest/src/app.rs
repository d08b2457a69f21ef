//! Wires the roles of one process together.

use crate::columns::counted;
use crate::config::{Cli, Command, Config, MigrateArgs, broker_config, store_config};
use crate::config::{NormaliseConfig, ReceiveConfig};
use crate::normalise::housekeeping;
use crate::normalise::recent::Recent;
use crate::normalise::reload::{self, LiveMappings};
use crate::normalise::worker::{Shared, Worker};
use crate::receive;
use crate::receive::handler::Handler;
use crate::receive::publisher::{self, Publishing};
use crate::receive::route::{LiveRoutes, Routes};
use crate::receive::server::Server;
use crate::receive::tls::{self, Encryption, LiveTls};
use crate::watchdog::{self, round::Round, traffic::Traffic};
use anyhow::{Context as _, anyhow};
use broker::Queue;
use runtime::args::AmqpSettings;
use runtime::toml_file::secret::environment;
use runtime::{Problems, Service, Tasks, log};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use store::Store;
use store::partitions::Partitions;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

const OPS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9101);
/// The readiness component of the HTTP listener.
const HTTP: &str = "receive.http";
const LIVE: &str = "normalise.live";
const HISTORY: &str = "normalise.history";

/// Does what the command line says.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        None => serve(cli.serve.resolve()?).await,
        Some(Command::Serve(args)) => serve(args.resolve()?).await,
        Some(Command::Receive(args)) => serve(args.resolve()?).await,
        Some(Command::Normalise(args)) => serve(args.resolve()?).await,
        Some(Command::Check(args)) => {
            let config = args.resolve()?;
            let subscriptions = config
                .receive
                .map_or(0, |found| found.subscriptions.list.len());
            let subscriptions = counted(i64::try_from(subscriptions)?, "subscription");
            println!("the configuration is good ({subscriptions})");
            let unchecked = args.unchecked();
            if !unchecked.is_empty() {
                println!("not checked, because absent: {}", unchecked.join(", "));
            }
            Ok(())
        }
        Some(Command::Try(args)) => crate::attempt::run(&args),
        Some(Command::Migrate(args)) => migrate(&args).await,
        Some(Command::Subscription(args)) => crate::subscription::run(args).await,
        Some(Command::Queues(args)) => crate::queues::run(args).await,
        Some(Command::Quarantine(args)) => crate::held::run(args).await,
        Some(Command::Keys(args)) => crate::keys::run(args),
        Some(Command::Erase(args)) => crate::erase::run(args).await,
        Some(Command::Retention(args)) => crate::retention::run(args).await,
    }
}

async fn migrate(args: &MigrateArgs) -> anyhow::Result<()> {
    let mut problems = Problems::new();
    let postgres = args.postgres.resolve(&mut problems);
    args.roles.resolve(&mut problems);
    args.ops.resolve(&mut problems);
    problems.into_result()?;
    log::init(&args.ops);
    let roles = store::migrate::Roles {
        prefix: args.roles.role_prefix.clone(),
        create: args.roles.create_roles,
    };
    let report = store::migrate::run_with(&postgres.url, &roles)
        .await
        .context("cannot migrate the database")?;
    println!(
        "{} migrations applied, {} were there, {} months of partitions made",
        report.applied.len(),
        report.already,
        report.months
    );
    println!("{}", report.about_roles());
    Ok(())
}

async fn serve(config: Config) -> anyhow::Result<()> {
    log::init(&config.ops);
    let mut components = Vec::new();
    if config.receive.is_some() {
        components.extend([HTTP, publisher::COMPONENT]);
    }
    if let Some(normalise) = &config.normalise {
        components.extend((normalise.workers > 0).then_some(LIVE));
        components.extend((normalise.history_workers > 0).then_some(HISTORY));
    }
    let version = env!("CARGO_PKG_VERSION");
    let service = Service::start("ingest", version, &config.ops, OPS, &components).await?;
    let mut tasks = service.tasks();
    let mut http = None;
    if let Some(receive) = config.receive {
        http = Some(start_receive(receive, &config.amqp, &service, &mut tasks).await?);
    }
    if let Some(normalise) = config.normalise {
        start_normalise(normalise, &config.amqp, &service, &mut tasks).await?;
    }
    service.ready(http);
    service.run(tasks).await
}

async fn start_receive(
    config: ReceiveConfig,
    amqp: &AmqpSettings,
    service: &Service,
    tasks: &mut Tasks,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("--http-listen: cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let stop = service.shutdown.token();
    let limits = config.limits.clone();
    let routes = LiveRoutes::new(Routes::new(config.subscriptions.clone(), &limits));
    let (inbox, waiting) = mpsc::channel(limits.inbox_max);
    let handler = Handler::new(routes.clone(), inbox, limits.clone(), &service.metrics);
    let mut broker = broker_config(amqp, "ingest receive");
    // A confirm that comes after the answer is of no use; a little earlier, the sender is told why.
    let patience = limits.answer_timeout.mul_f64(0.8);
    broker.confirm_timeout = broker.confirm_timeout.min(patience);
    let publishing = Publishing::new(
        broker,
        limits.clone(),
        waiting,
        service.health.clone(),
        &service.metrics,
    );
    // It ends by itself once the server, the last sender, has ended.
    tasks.spawn("receive publisher", publishing.run());
    tasks.spawn(
        "receive reload",
        receive::reload::run(
            config.file,
            config.subscriptions,
            config.seen,
            routes,
            limits.clone(),
            stop.clone(),
        ),
    );
    let encryption = match config.tls {
        None => None,
        Some(config) => {
            let seen = config.files.fingerprint();
            let live =
                LiveTls::new(&config.files).map_err(|problems| anyhow!(problems.join("; ")))?;
            let reload = tls::reload(config.files, seen, live.clone(), stop.clone());
            tasks.spawn("receive TLS reload", reload);
            Some(Encryption {
                live,
                handshake_timeout: config.handshake_timeout,
            })
        }
    };
    let server = Server::new(Arc::new(handler), encryption, &limits, &service.metrics);
    tasks.spawn("receive server", async move {
        server.serve(listener, stop).await
    });
    service.health.set_ready(HTTP, true);
    Ok(address)
}

async fn start_normalise(
    config: NormaliseConfig,
    amqp: &AmqpSettings,
    service: &Service,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let store = Store::connect(store_config(&config.postgres, "kpiline ingest")).await?;
    if config.customer_secret.is_none() {
        tracing::info!(
            "no --customer-key: no customer is recognised, and KPIs of journeys have no values"
        );
    }
    if config.history_workers == 0 {
        tracing::warn!(
            "--normalise-history-workers is 0: history, and bodies that came before (raw.suspect), wait for another replica that has one"
        );
    }
    let partitions = Partitions::new(store.clone());
    let stop = service.shutdown.token();
    tasks.spawn(
        "normalise housekeeping",
        housekeeping::run(
            store.clone(),
            partitions.clone(),
            config.privacy.raw_retention,
            stop.clone(),
        ),
    );
    let memory = config.limits.recent;
    let recent = Arc::new(Recent::new(memory.entries_max, memory.horizon));
    let traffic = Traffic::default();
    // Without a live lane, too: suspect deliveries are heard there. How far the others are worked off is said by who has one.
    let mut watched = None;
    if let Some(watch) = config.watch {
        let round = Round::new(
            store.clone(),
            &watch,
            traffic.clone(),
            service.metrics.clone(),
            environment,
        );
        let (sender, anew) = watch::channel(watch);
        tasks.spawn(
            "normalise watchdog",
            watchdog::run(round, anew, stop.clone()),
        );
        watched = Some(sender);
    }
    let mappings = LiveMappings::new(config.mappings);
    if let Some(files) = config.files {
        let reload = reload::run(files, mappings.clone(), watched, stop.clone());
        tasks.spawn("normalise reload", reload);
    }
    let shared = Shared {
        broker: broker_config(amqp, "ingest"),
        store,
        traffic,
        partitions,
        mappings,
        customer_secret: config.customer_secret,
        recent,
        raw_keys: config.privacy.raw_keys,
        limits: config.limits,
        health: service.health.clone(),
        metrics: service.metrics.clone(),
        stop,
    };
    for _ in 0..config.workers {
        tasks.spawn(LIVE, Worker::new(shared.clone(), LIVE, &[Queue::Raw]).run());
    }
    for _ in 0..config.history_workers {
        let queues = &[Queue::RawHistory, Queue::RawSuspect];
        tasks.spawn(HISTORY, Worker::new(shared.clone(), HISTORY, queues).run());
    }
    Ok(())
}
