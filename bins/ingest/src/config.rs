//! This binary's flags, and what they mean once checked.

mod privacy;
pub mod replay;
pub mod tls;
mod watchdog;

pub use privacy::{Privacy, PrivacyArgs};

use self::replay::ReplayArgs;
use crate::normalise::reload::Files;
use crate::subscriptions::{self, Secrets, Subscriptions};
use crate::watchdog::Watch;
use crate::{normalise, receive};
use adapter::{Mapping, Mappings};
use broker::BrokerConfig;
use clap::{Parser, Subcommand, ValueEnum};
use runtime::args::{
    AmqpArgs, AmqpSettings, AttributeArgs, CustomerArgs, OpsArgs, PostgresArgs, PostgresSettings,
    RoleArgs,
};
use runtime::{Problems, Secret};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use store::StoreConfig;

/// The platform gives up after this long; the answer must come before.
const ANSWER_TIMEOUT_MAX: Duration = Duration::from_millis(4_800);
const AMQP_URL: &str = "--amqp-url";
const DATABASE_URL: &str = "--database-url";

/// Takes webhook deliveries and turns them into logged, normalised facts.
///
/// Two roles, together (`ingest`, `ingest serve`) or apart: `receive` verifies signed bodies over HTTP, hands them to RabbitMQ and
/// answers 2xx after the broker's confirm; it needs no database. `normalise` splits bodies into events, appends each to the event log
/// once, quarantines what cannot be read, and publishes the facts. Any number of replicas of either may run.
#[derive(Debug, Parser)]
#[command(
    name = "ingest",
    version,
    about,
    long_about,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What to do; without it: serve.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Flags of `serve`, which is also what runs without a subcommand.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive and normalise until told to stop (the default)
    Serve(ServeArgs),
    /// Only receive deliveries over HTTP; needs no PostgreSQL
    Receive(ReceiveRoleArgs),
    /// Only normalise what was received or backfilled
    Normalise(NormaliseRoleArgs),
    /// Check the configuration, list every problem at once with file and line, and exit
    Check(CheckArgs),
    /// Show what each event of a body becomes, or why not; needs no server and no secret
    Try(crate::attempt::TryArgs),
    /// Apply the numbered migrations under a lock, and exit
    Migrate(MigrateArgs),
    /// Set subscriptions up on their platforms, compare them with the file, list them
    Subscription(crate::subscription::SubscriptionArgs),
    /// Declare the queues and exchanges at the broker, as the one user that may
    Queues(crate::queues::QueuesArgs),
    /// Look at items that could not be processed, release them again or discard them
    Quarantine(crate::held::QuarantineArgs),
    /// Make, rotate or list the keys that raw bytes are sealed under
    Keys(crate::keys::KeysArgs),
    /// Erase what is stored of a customer or an interaction, on request, and keep a proof
    Erase(crate::erase::EraseArgs),
    /// Drop whole months that are older than stated, but for what is still needed; repeatable, beside the running line
    Retention(crate::retention::RetentionArgs),
}

/// Flags of both roles in one process.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    subscriptions: SubscriptionsArgs,
    #[command(flatten)]
    receive: ReceiveArgs,
    #[command(flatten)]
    replay: ReplayArgs,
    #[command(flatten)]
    normalise: NormaliseArgs,
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    amqp: AmqpArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// Flags of the role `receive` alone.
#[derive(Debug, Clone, clap::Args)]
pub struct ReceiveRoleArgs {
    #[command(flatten)]
    subscriptions: SubscriptionsArgs,
    #[command(flatten)]
    receive: ReceiveArgs,
    #[command(flatten)]
    replay: ReplayArgs,
    #[command(flatten)]
    amqp: AmqpArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// Flags of the role `normalise` alone.
#[derive(Debug, Clone, clap::Args)]
pub struct NormaliseRoleArgs {
    #[command(flatten)]
    subscriptions: SubscriptionsArgs,
    #[command(flatten)]
    normalise: NormaliseArgs,
    #[command(flatten)]
    replay: ReplayArgs,
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    amqp: AmqpArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// Flags of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Whose configuration to check. Without it that of both, and a URL of RabbitMQ or PostgreSQL that is absent is no problem
    #[arg(long, value_enum, value_name = "ROLE")]
    role: Option<Role>,
    #[command(flatten)]
    serve: ServeArgs,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Receive and normalise.
    Both,
    /// Receive only.
    Receive,
    /// Normalise only.
    Normalise,
}

/// Flags of `migrate`.
#[derive(Debug, clap::Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    pub(crate) postgres: PostgresArgs,
    #[command(flatten)]
    pub(crate) roles: RoleArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SubscriptionsArgs {
    /// The TOML file with the subscriptions: paths, tenants, formats, authentication. Read again on SIGHUP and when it or a secret
    /// file or mapping file changes. The role `normalise` needs it for the mapping files that it names, and to watch over the subscriptions
    #[arg(long, env = "KPILINE_SUBSCRIPTIONS", value_name = "FILE")]
    pub(crate) subscriptions: Option<PathBuf>,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Receiving")]
struct ReceiveArgs {
    /// Where deliveries are taken; port 0 takes a free one and logs it. Put a TLS proxy before it, or
    /// give it --http-tls-certificate
    #[arg(
        long,
        env = "KPILINE_HTTP_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS:PORT"
    )]
    http_listen: SocketAddr,

    /// Connections served at once; those above are answered 503
    #[arg(
        long,
        env = "KPILINE_HTTP_CONNECTIONS_MAX",
        default_value_t = 1024,
        value_name = "COUNT"
    )]
    http_connections_max: usize,

    /// The longest wait for a request's head
    #[arg(long, env = "KPILINE_HTTP_HEADER_TIMEOUT", default_value = "10s",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    http_header_timeout: Duration,

    /// The longest wait for a request's body
    #[arg(long, env = "KPILINE_HTTP_BODY_TIMEOUT", default_value = "10s",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    http_body_timeout: Duration,

    /// The longest wait for the broker's confirm before a delivery is answered 503
    #[arg(long, env = "KPILINE_HTTP_ANSWER_TIMEOUT", default_value = "4s",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    http_answer_timeout: Duration,

    /// Bytes of bodies in memory, from the first byte read to the broker's confirm, decompressors included; above it the answer is
    /// 503. At least 64 MiB: one of several subscriptions has half, and the largest body must fit into that
    #[arg(long, env = "KPILINE_RECEIVE_MEMORY_MAX", default_value_t = 256 << 20, value_name = "BYTES")]
    receive_memory_max: usize,

    /// Deliveries waiting to be published; above it the answer is 503
    #[arg(
        long,
        env = "KPILINE_RECEIVE_INBOX_MAX",
        default_value_t = 16_384,
        value_name = "COUNT"
    )]
    receive_inbox_max: usize,

    /// Deliveries in one broker message
    #[arg(
        long,
        env = "KPILINE_RECEIVE_BATCH_MAX",
        default_value_t = 512,
        value_name = "COUNT"
    )]
    receive_batch_max: usize,

    /// Broker messages on their way at once; fewer make each carry more deliveries
    #[arg(
        long,
        env = "KPILINE_RECEIVE_IN_FLIGHT",
        default_value_t = 4,
        value_name = "COUNT"
    )]
    receive_in_flight: usize,

    #[command(flatten)]
    tls: tls::TlsArgs,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Normalising")]
#[allow(clippy::struct_field_names)] // the fields are the flags
struct NormaliseArgs {
    /// Transactions on the live lane at a time
    #[arg(
        long,
        env = "KPILINE_NORMALISE_WORKERS",
        default_value_t = 1,
        value_name = "COUNT"
    )]
    normalise_workers: usize,

    /// Transactions on backfilled history at a time; 0 leaves history, and bodies that came before (`raw.suspect`), to other
    /// replicas: at least one must have one
    #[arg(
        long,
        env = "KPILINE_NORMALISE_HISTORY_WORKERS",
        default_value_t = 1,
        value_name = "COUNT"
    )]
    normalise_history_workers: usize,

    /// Messages a worker takes ahead from each queue
    #[arg(
        long,
        env = "KPILINE_NORMALISE_PREFETCH",
        default_value_t = 256,
        value_name = "COUNT"
    )]
    normalise_prefetch: u16,

    /// Messages in one transaction
    #[arg(
        long,
        env = "KPILINE_NORMALISE_BATCH_MESSAGES",
        default_value_t = 256,
        value_name = "COUNT"
    )]
    normalise_batch_messages: usize,

    /// Bytes of messages in one transaction
    #[arg(long, env = "KPILINE_NORMALISE_BATCH_BYTES", default_value_t = 3 << 20, value_name = "BYTES")]
    normalise_batch_bytes: usize,

    /// How long a small batch waits for more
    #[arg(long, env = "KPILINE_NORMALISE_LINGER", default_value = "10ms",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    normalise_linger: Duration,

    /// How long a batch is held while PostgreSQL does not answer, or the broker takes no facts, before its messages go back
    #[arg(long, env = "KPILINE_NORMALISE_HOLD_MAX", default_value = "30s",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    normalise_hold_max: Duration,

    #[command(flatten)]
    watchdog: watchdog::WatchdogArgs,

    #[command(flatten)]
    attributes: AttributeArgs,

    #[command(flatten)]
    customers: CustomerArgs,

    #[command(flatten)]
    privacy: PrivacyArgs,
}

/// Checked settings of the role `receive`.
#[derive(Debug)]
pub struct ReceiveConfig {
    /// The subscriptions file, to be read again when it changes.
    pub file: PathBuf,
    /// What is in it.
    pub subscriptions: Subscriptions,
    /// What the file and those it names held before they were read.
    pub seen: crate::fingerprint::Fingerprint,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Limits.
    pub limits: receive::Limits,
    /// TLS, where it is not left to a proxy.
    pub tls: Option<tls::TlsConfig>,
}

/// Checked settings of the role `normalise`.
#[derive(Debug)]
pub struct NormaliseConfig {
    /// PostgreSQL.
    pub postgres: PostgresSettings,
    /// The mapping files, and the attributes that are kept.
    pub mappings: Mappings,
    /// The subscriptions file and the mapping files, to be read again when they change.
    pub files: Option<Files>,
    /// What customers' identities are hashed under, if they are.
    pub customer_secret: Option<Secret>,
    /// Personal data at rest.
    pub privacy: Privacy,
    /// Workers on the live lane.
    pub workers: usize,
    /// Workers on the history lane.
    pub history_workers: usize,
    /// What the watchdog watches, if anything.
    pub watch: Option<Watch>,
    /// Limits.
    pub limits: normalise::Limits,
}

/// Checked settings of a process: at least one of the roles.
#[derive(Debug)]
pub struct Config {
    /// Logs, probes and the stop.
    pub ops: OpsArgs,
    /// RabbitMQ.
    pub amqp: AmqpSettings,
    /// Present when this process receives.
    pub receive: Option<ReceiveConfig>,
    /// Present when this process normalises.
    pub normalise: Option<NormaliseConfig>,
}

impl ServeArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<Config> {
        self.resolve_role(Role::Both)
    }

    fn resolve_role(&self, role: Role) -> anyhow::Result<Config> {
        let receive = (role != Role::Normalise).then_some(&self.receive);
        let normalise = (role != Role::Receive).then_some((&self.normalise, &self.postgres));
        resolve(
            &self.ops,
            &self.amqp,
            &self.subscriptions,
            &self.replay,
            receive,
            normalise,
        )
    }
}

impl ReceiveRoleArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<Config> {
        resolve(
            &self.ops,
            &self.amqp,
            &self.subscriptions,
            &self.replay,
            Some(&self.receive),
            None,
        )
    }
}

impl NormaliseRoleArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<Config> {
        let normalise = Some((&self.normalise, &self.postgres));
        resolve(
            &self.ops,
            &self.amqp,
            &self.subscriptions,
            &self.replay,
            None,
            normalise,
        )
    }
}

impl CheckArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<Config> {
        let mut serve = self.serve.clone();
        let unchecked = self.unchecked();
        // What stands in their place is good, so that all the rest is checked.
        if unchecked.contains(&AMQP_URL) {
            serve.amqp.amqp_url = Some(Secret::new("amqp://localhost"));
        }
        if unchecked.contains(&DATABASE_URL) {
            serve.postgres.database_url = Some(Secret::new("postgres://localhost/kpiline"));
        }
        serve.resolve_role(self.role.unwrap_or(Role::Both))
    }

    /// The flags that are absent and not asked for.
    pub(crate) fn unchecked(&self) -> Vec<&'static str> {
        let ServeArgs { amqp, postgres, .. } = &self.serve;
        let mut absent = Vec::new();
        if amqp.amqp_url.is_none() && amqp.amqp_url_file.is_none() {
            absent.push(AMQP_URL);
        }
        if postgres.database_url.is_none() && postgres.database_url_file.is_none() {
            absent.push(DATABASE_URL);
        }
        if self.role.is_some() {
            absent.clear();
        }
        absent
    }
}

fn resolve(
    ops: &OpsArgs,
    amqp: &AmqpArgs,
    subscriptions: &SubscriptionsArgs,
    replay: &ReplayArgs,
    receive: Option<&ReceiveArgs>,
    normalise: Option<(&NormaliseArgs, &PostgresArgs)>,
) -> anyhow::Result<Config> {
    let mut problems = Problems::new();
    ops.resolve(&mut problems);
    let amqp = amqp.resolve(&mut problems);
    let secrets = match receive {
        Some(_) => Secrets::Required,
        None => Secrets::NotNeeded,
    };
    let file = subscriptions.subscriptions.as_ref();
    if file.is_none() && receive.is_some() {
        problems.push("--subscriptions (or KPILINE_SUBSCRIPTIONS): is missing");
    }
    // Looked at before they are read: what is written in between is a change.
    let seen = file.map(|file| receive::reload::read(file, secrets, &[]).0);
    let (subscriptions, mappings) = subscriptions_and_mappings(file, secrets, &mut problems);
    let files = file.map(|file| Files {
        subscriptions: file.clone(),
        mappings: subscriptions.mappings.values().cloned().collect(),
        attributes: normalise.map_or_else(BTreeSet::new, |(args, _)| args.attributes.names()),
    });
    let watch =
        normalise.and_then(|(args, _)| args.watchdog.resolve(&subscriptions.list, &mut problems));
    let receive = receive.and_then(|args| {
        let limits = args.resolve(replay, &mut problems);
        for problem in receive::fit::problems(&subscriptions, &limits) {
            problems.push(problem);
        }
        Some(ReceiveConfig {
            file: file.cloned()?,
            subscriptions,
            seen: seen?,
            listen: args.http_listen,
            limits,
            tls: args.tls.resolve(&mut problems),
        })
    });
    let normalise = normalise.map(|(args, postgres)| {
        args.resolve(postgres, (mappings, files), replay, watch, &mut problems)
    });
    problems.into_result()?;
    Ok(Config {
        ops: ops.clone(),
        amqp,
        receive,
        normalise,
    })
}

/// Reads the subscriptions file, if there is one, and the mapping files that it names, be the rest of it right or wrong. Without
/// subscriptions where something is wrong with them.
pub(crate) fn subscriptions_and_mappings(
    file: Option<&PathBuf>,
    secrets: Secrets,
    problems: &mut Problems,
) -> (Subscriptions, Mappings) {
    let (mut found, wrong) = file.map_or_else(Default::default, |file| {
        subscriptions::load_all(file, secrets)
    });
    let is_good = wrong.is_empty();
    for problem in wrong {
        problems.push(problem);
    }
    let mappings = mappings(&found, problems);
    if !is_good {
        found = Subscriptions::default();
    }
    (found, mappings)
}

/// Reads the mapping files; both roles check them, so that `receive` does not take what `normalise` cannot read.
fn mappings(subscriptions: &Subscriptions, problems: &mut Problems) -> Mappings {
    let mut mappings = Mappings::none();
    for (name, path) in &subscriptions.mappings {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Err(error) => {
                let place = subscriptions.mapping_places.get(name);
                let place = place.map_or("", String::as_str);
                problems.push(format!(
                    "{place}: the mapping file {file} cannot be read: {error}"
                ));
            }
            Ok(text) => match Mapping::parse(&file, &text) {
                Ok(mapping) => mappings = mappings.with(name.as_str(), mapping),
                Err(found) => {
                    for problem in found {
                        problems.push(problem);
                    }
                }
            },
        }
    }
    mappings
}

impl ReceiveArgs {
    fn resolve(&self, replay: &ReplayArgs, problems: &mut Problems) -> receive::Limits {
        let mut within = |flag: &str, value: usize, allowed: std::ops::RangeInclusive<usize>| {
            if !allowed.contains(&value) {
                problems.push(format!(
                    "{flag}: is {value}, allowed are {} to {}",
                    allowed.start(),
                    allowed.end()
                ));
            }
        };
        within(
            "--http-connections-max",
            self.http_connections_max,
            1..=100_000,
        );
        within("--receive-inbox-max", self.receive_inbox_max, 1..=1_000_000);
        within("--receive-batch-max", self.receive_batch_max, 1..=10_000);
        within("--receive-in-flight", self.receive_in_flight, 1..=32);
        within(
            "--receive-memory-max",
            self.receive_memory_max,
            receive::MEMORY_MIN..=1 << 40,
        );
        if self.http_answer_timeout > ANSWER_TIMEOUT_MAX {
            problems.push(format!(
                "--http-answer-timeout: is {:?}, allowed are up to {ANSWER_TIMEOUT_MAX:?}: senders wait 5 s",
                self.http_answer_timeout
            ));
        }
        receive::Limits {
            connections_max: self.http_connections_max,
            header_timeout: self.http_header_timeout,
            body_timeout: self.http_body_timeout,
            answer_timeout: self.http_answer_timeout,
            memory_max: self.receive_memory_max,
            seen: replay.bodies(problems),
            inbox_max: self.receive_inbox_max,
            batch_max: self.receive_batch_max,
            batch_bytes_max: 1 << 20,
            in_flight_max: self.receive_in_flight,
        }
    }
}

impl NormaliseArgs {
    fn resolve(
        &self,
        postgres: &PostgresArgs,
        (mappings, files): (Mappings, Option<Files>),
        replay: &ReplayArgs,
        watch: Option<Watch>,
        problems: &mut Problems,
    ) -> NormaliseConfig {
        let postgres = postgres.resolve(problems);
        let workers = self
            .normalise_workers
            .saturating_add(self.normalise_history_workers);
        if workers == 0 {
            problems.push(
                "--normalise-workers and --normalise-history-workers: are both 0, at least one must work",
            );
        }
        // One connection a worker, and one for housekeeping and the watchdog.
        let needed = workers.saturating_add(1);
        if postgres.pool_max < needed {
            problems.push(format!(
                "--database-pool-max: is {}, but {workers} workers need at least {needed} connections",
                postgres.pool_max
            ));
        }
        if self.normalise_prefetch == 0 {
            problems.push(
                "--normalise-prefetch: is 0, which would be unbounded; allowed are 1 to 65535",
            );
        }
        if self.normalise_batch_messages == 0 || self.normalise_batch_bytes == 0 {
            problems
                .push("--normalise-batch-messages and --normalise-batch-bytes: must be at least 1");
        }
        if self.normalise_linger > Duration::from_secs(1) {
            problems.push("--normalise-linger: allowed are up to 1s");
        }
        NormaliseConfig {
            postgres,
            mappings: mappings.keeping(self.attributes.names()),
            files,
            customer_secret: self.customers.resolve(problems),
            privacy: self.privacy.resolve(problems),
            workers: self.normalise_workers,
            history_workers: self.normalise_history_workers,
            watch,
            limits: normalise::Limits {
                prefetch: self.normalise_prefetch,
                messages_max: self.normalise_batch_messages,
                bytes_max: self.normalise_batch_bytes,
                linger: self.normalise_linger,
                recent: replay.events(problems),
                hold_max: self.normalise_hold_max,
            },
        }
    }
}

/// What a broker connection of this name needs.
pub fn broker_config(amqp: &AmqpSettings, name: &str) -> BrokerConfig {
    BrokerConfig {
        url: amqp.url.clone(),
        prefix: amqp.prefix.clone(),
        name: name.to_owned(),
        connect_timeout: amqp.connect_timeout,
        confirm_timeout: amqp.confirm_timeout,
        raw_max_bytes: amqp.raw_max_bytes,
        declare: amqp.declare,
    }
}

/// What the store needs.
pub fn store_config(postgres: &PostgresSettings, name: &str) -> StoreConfig {
    StoreConfig {
        pool_max: postgres.pool_max,
        acquire_timeout: postgres.acquire_timeout,
        statement_timeout: postgres.statement_timeout,
        ..StoreConfig::new(&postgres.url, name)
    }
}

#[cfg(test)]
mod tests;
