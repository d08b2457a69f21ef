//! This binary's flags, and what they mean once checked.

pub mod feed;
mod operate;
pub mod reconciliation;

pub use feed::FeedArgs;
pub use operate::{
    BreakerArgs, BreakerCommand, OpenArgs, ReconcileArgs, ResyncArgs, RetryArgs, RowsArgs,
    SkipArgs, StatusArgs, TurnArgs, ValuesArgs,
};
pub use reconciliation::ReconciliationArgs;

use crate::api::args::{ApiArgs, ApiConfig};
use crate::census::Alert;
use crate::feeds::{self, Feed};
use crate::freshness::{self, Watch};
use crate::targets::{self, Target};
use broker::BrokerConfig;
use clap::{Parser, Subcommand};
use runtime::Problems;
use runtime::args::{
    AmqpArgs, AmqpSettings, OpsArgs, Output, PostgresArgs, PostgresSettings, RoleArgs, ViewArgs,
    positive_duration,
};
use std::path::PathBuf;
use std::time::Duration;
use store::StoreConfig;

/// Log entries may matter for so long: a shorter retention is refused.
const LOG_RETENTION_MIN: Duration = Duration::from_secs(24 * 3600);

/// Pushes changed metrics back to the platforms, in batches and within their limits.
///
/// compute queues every metric row that really changed for each target that wants it. deliver takes such rows under a lease, sends
/// the newest value of each in batches, reads from the answer what became of every single row, and writes each attempt to
/// metric_sync_log. Rows that a platform refuses are parked with its words; rows of unknown fate are sent again under the same
/// idempotency key; nothing is given up because of elapsed time, except days of agents that a platform no longer takes. A target is slowed down by 429, left alone for a while after
/// repeated trouble, and paused when it refuses the credential. Any number of replicas push: the limit belongs to the credential, and
/// all processes that use it, backfill's too, take from one budget in PostgreSQL, deliver first.
///
/// One of the replicas also watches whether the numbers are to be trusted: how long nothing came that should have, how late events are, what
/// waits in the line, how many interactions the platform counts, and what it says of itself. Each platform is live, syncing, stale or in
/// maintenance, with a reason; `status`, /metrics (kpiline_platform_state, kpiline_alerts_inhibited) and the view platform_freshness say so.
///
/// Given a file of feeds it also sends files of the windows, interval by interval, to planning tools, clients and BI tools: over HTTP, into a
/// folder or into an S3-compatible store; what changes late is sent again as a correction. `deliver feed` shows what was sent and has any
/// interval sent again.
///
/// Given a file of tokens it also shows the figures, at an address of its own: to programs at /api/v1 (described at /api/v1/openapi.json), and
/// to people as a page. `deliver token` makes the tokens.
#[derive(Debug, Parser)]
#[command(name = "deliver", version, about, long_about)]
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
    /// Push until told to stop (the default).
    Serve(ServeArgs),
    /// Check the configuration, list every problem at once, and exit.
    Check(ServeArgs),
    /// Apply the numbered migrations under a lock, and exit.
    Migrate(MigrateArgs),
    /// Show what waits for each target, how it goes, and what holds it back.
    Status(StatusArgs),
    /// Push rows again at once that a platform refused, that nobody knows the fate of, or that wait.
    #[command(alias = "release")]
    Retry(RetryArgs),
    /// Give rows up that a platform refused or that wait, for a reason that the log keeps.
    Skip(SkipArgs),
    /// Queue current values for one target again; the platform ends with what kpiline has now.
    Resync(ResyncArgs),
    /// Compare what a platform has with what kpiline has, and list what differs; exit code 1 where anything does.
    Reconcile(ReconcileArgs),
    /// Compare the figures, plans and zones that a platform reports with ours; backfill fetches them (genesys-figures, cxone-figures …).
    Reconciliation(ReconciliationArgs),
    /// See and turn the breakers of platforms.
    Breaker(BreakerArgs),
    /// See the interval feeds and what they have sent, and have intervals sent again.
    Feed(FeedArgs),
    /// Make a token for the read API and the status page, and exit: print it, and what belongs into the tokens file for it.
    Token(TokenArgs),
}

/// Flags of `token`.
#[derive(Debug, Clone, clap::Args)]
pub struct TokenArgs {
    /// What the token is called in logs and on the page: who or what uses it
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,

    /// An organisation that it may read; several times for several, '*' for every one
    #[arg(long, required = true, value_name = "TENANT")]
    pub(crate) tenant: Vec<String>,
}

/// Flags of `migrate`.
#[derive(Debug, Clone, clap::Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    pub(crate) roles: RoleArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// Flags of `serve` and `check`.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    amqp: AmqpArgs,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,

    /// The TOML file that says where metrics are pushed to, how fast and as whom
    #[arg(long, env = "KPILINE_TARGETS", value_name = "FILE")]
    targets: Option<PathBuf>,

    /// The TOML file that says which interval feeds there are: who gets which figures of which intervals, in which columns, and where.
    /// Without it there are none
    #[arg(long, env = "KPILINE_FEEDS", value_name = "FILE")]
    feeds: Option<PathBuf>,

    /// The TOML file that says which platforms are watched: by which thresholds their numbers are live, syncing or stale, and where they say
    /// that they are being maintained. Without it each organisation that has a target is watched by the usual thresholds, as platform `all`
    #[arg(long, env = "KPILINE_FRESHNESS", value_name = "FILE")]
    freshness: Option<PathBuf>,

    /// How often to look for due rows when nobody says that there are any
    #[arg(long, env = "KPILINE_DELIVER_POLL", default_value = "1s", value_parser = positive_duration, value_name = "DURATION")]
    deliver_poll: Duration,

    /// How much longer than one request may take rows are held; after a crash they wait that long for another process
    #[arg(long, env = "KPILINE_DELIVER_LEASE_MARGIN", default_value = "30s", value_parser = positive_duration, value_name = "DURATION")]
    deliver_lease_margin: Duration,

    /// How long metric_sync_log is kept. A value that becomes absent is reported as differing from the platform's only while the
    /// log still says that the platform has one
    #[arg(long, env = "KPILINE_DELIVER_LOG_RETENTION", default_value = "400d", value_parser = positive_duration, value_name = "DURATION")]
    deliver_log_retention: Duration,

    /// Which share of the attempts at a target's rows, or of its requests, may fail before it is said that too many do
    #[arg(
        long,
        env = "KPILINE_DELIVER_FAILURE_THRESHOLD",
        default_value_t = 0.1,
        value_name = "SHARE"
    )]
    deliver_failure_threshold: f64,

    /// The stretch of time over which that share is taken
    #[arg(long, env = "KPILINE_DELIVER_FAILURE_WINDOW", default_value = "15m", value_parser = positive_duration, value_name = "DURATION")]
    deliver_failure_window: Duration,
}

/// Checked settings of `serve`.
#[derive(Debug)]
pub struct Config {
    /// PostgreSQL.
    pub store: StoreConfig,
    /// RabbitMQ.
    pub amqp: AmqpSettings,
    /// Where metrics are pushed to.
    pub targets: Vec<Target>,
    /// The interval feeds.
    pub feeds: Vec<Feed>,
    /// Which platforms are watched.
    pub watch: Watch,
    /// How often to look for due rows.
    pub poll: Duration,
    /// How much longer than one request may take rows are held.
    pub lease_margin: Duration,
    /// How long metric_sync_log is kept.
    pub log_retention: Duration,
    /// When deliveries fail too often.
    pub alert: Alert,
    /// The read API; `None`: none is served.
    pub api: Option<ApiConfig>,
}

impl ServeArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<Config> {
        let mut problems = Problems::new();
        let postgres = self.postgres.resolve(&mut problems);
        let amqp = self.amqp.resolve(&mut problems);
        let api = self.api.resolve(&mut problems);
        self.ops.resolve(&mut problems);
        let targets = match &self.targets {
            // Who wants files only has no target.
            None if self.feeds.is_some() => Vec::new(),
            None => {
                problems.push(
                    "--targets (or KPILINE_TARGETS): is missing; name the file that lists the targets, or one of feeds (--feeds)",
                );
                Vec::new()
            }
            Some(path) => targets::load(path).unwrap_or_else(|found| {
                for problem in found {
                    problems.push(problem);
                }
                Vec::new()
            }),
        };
        let feeds = self
            .feeds
            .as_deref()
            .map_or(Ok(Vec::new()), feeds::file::load);
        let feeds = feeds.unwrap_or_else(|found| {
            for problem in found {
                problems.push(problem);
            }
            Vec::new()
        });
        let watch = match &self.freshness {
            None => Watch::of_targets(&targets),
            Some(path) => freshness::file::load(path).unwrap_or_else(|found| {
                for problem in found {
                    problems.push(problem);
                }
                Watch::of_targets(&[])
            }),
        };
        for problem in watch.unknown_targets(&targets) {
            problems.push(format!("--freshness: {problem}"));
        }
        // One connection a target or feed while it works, one for the counts, two to watch with.
        let needed = targets.len() + feeds.len() + 3;
        if self.deliver_log_retention < LOG_RETENTION_MIN {
            problems.push(format!(
                "--deliver-log-retention: is {:?}, but an entry may be needed for a day",
                self.deliver_log_retention
            ));
        }
        if !(0.0..=1.0).contains(&self.deliver_failure_threshold) {
            problems.push(format!(
                "--deliver-failure-threshold: is {}; a share is between 0 and 1",
                self.deliver_failure_threshold
            ));
        }
        problems.into_result()?;
        Ok(Config {
            store: StoreConfig {
                pool_max: postgres.pool_max.max(needed),
                ..store_config(&postgres)
            },
            amqp,
            targets,
            feeds,
            watch,
            poll: self.deliver_poll,
            lease_margin: self.deliver_lease_margin,
            log_retention: self.deliver_log_retention,
            alert: Alert {
                threshold: self.deliver_failure_threshold,
                window: self.deliver_failure_window,
            },
            api,
        })
    }
}

impl MigrateArgs {
    /// Checks the flags and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<StoreConfig> {
        let mut problems = Problems::new();
        let postgres = self.postgres.resolve(&mut problems);
        self.roles.resolve(&mut problems);
        self.ops.resolve(&mut problems);
        problems.into_result()?;
        Ok(store_config(&postgres))
    }
}

/// What a command that looks at things needs.
pub(crate) fn viewed(view: &ViewArgs) -> anyhow::Result<(StoreConfig, Output)> {
    let (postgres, output) = view.resolve()?;
    Ok((store_config(&postgres), output))
}

fn store_config(postgres: &PostgresSettings) -> StoreConfig {
    StoreConfig {
        pool_max: postgres.pool_max,
        acquire_timeout: postgres.acquire_timeout,
        statement_timeout: postgres.statement_timeout,
        ..StoreConfig::new(&postgres.url, "kpiline deliver")
    }
}

impl Config {
    /// What the read API's connections need: nothing is written by them.
    #[must_use]
    pub fn api_store(&self, api: &ApiConfig) -> StoreConfig {
        StoreConfig {
            url: self.store.url.clone(),
            pool_max: api.pool_max,
            acquire_timeout: self.store.acquire_timeout,
            statement_timeout: api.statement_timeout,
            lock_timeout: self.store.lock_timeout,
            application_name: "kpiline deliver api".to_owned(),
            whole_tables: false,
            read_only: true,
        }
    }

    /// What the broker connection needs.
    #[must_use]
    pub fn broker(&self) -> BrokerConfig {
        BrokerConfig {
            url: self.amqp.url.clone(),
            prefix: self.amqp.prefix.clone(),
            name: "kpiline deliver".to_owned(),
            connect_timeout: self.amqp.connect_timeout,
            confirm_timeout: self.amqp.confirm_timeout,
            raw_max_bytes: self.amqp.raw_max_bytes,
            declare: self.amqp.declare,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_flags_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_problem_is_listed_at_once() {
        let cli = Cli::parse_from([
            "deliver",
            "--targets",
            "no-such-file.toml",
            "--deliver-log-retention",
            "23h",
            "--deliver-failure-threshold",
            "7",
        ]);
        let text = cli.serve.resolve().unwrap_err().to_string();
        for words in [
            "--database-url",
            "--amqp-url",
            "no-such-file.toml: cannot be read",
            "--deliver-log-retention",
            "--deliver-failure-threshold",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn a_missing_targets_file_is_named() {
        let cli = Cli::parse_from(["deliver"]);
        let text = cli.serve.resolve().unwrap_err().to_string();
        assert!(text.contains("--targets (or KPILINE_TARGETS)"), "{text}");
    }
}
