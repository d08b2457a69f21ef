//! This binary's flags, and what they mean once checked.

use crate::batch::BatchLimits;
use crate::replay_file::ReplayFileArgs;
use anyhow::Context as _;
use broker::BrokerConfig;
use clap::{Parser, Subcommand};
use kpi::RuleBook;
use runtime::Problems;
use runtime::args::{AmqpArgs, AmqpSettings, OpsArgs, PostgresArgs, PostgresSettings};
use std::path::PathBuf;
use std::time::Duration;
use store::StoreConfig;

/// Folds events into interaction sessions and evaluates the KPI rules.
///
/// compute takes facts from the queues events.terminal, events.progress (live) and events.history (backfill), folds them into
/// `interactions`, evaluates every switched-on metric version once an interaction has reached a terminal state, and again when later
/// facts arrive, and writes the rows of `computed_metrics` that really changed. Any number of replicas may run; order, repetition
/// and crashes do not change the result.
#[derive(Debug, Parser)]
#[command(
    name = "compute",
    version,
    about,
    long_about,
    subcommand_required = false
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
    /// Consume events until told to stop (the default).
    Serve(ServeArgs),
    /// Check the configuration, list every problem at once, and exit.
    Check(ServeArgs),
    /// Apply the numbered migrations under a lock, and exit.
    Migrate(MigrateArgs),
    /// Compute the metrics of event files without any service: events in, metrics out.
    ReplayFile(ReplayFileArgs),
}

/// Flags of `migrate`.
#[derive(Debug, clap::Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    pub(crate) postgres: PostgresArgs,
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
    pub(crate) ops: OpsArgs,

    /// A TOML file with the rules of each metric version; without it version 1 is the guide's rule
    #[arg(long, env = "KPILINE_RULES", value_name = "FILE")]
    rules: Option<PathBuf>,

    /// Transactions that work on the live lane at a time; raise it together with --database-pool-max
    #[arg(
        long,
        env = "KPILINE_COMPUTE_WORKERS",
        default_value_t = 2,
        value_name = "COUNT"
    )]
    workers: usize,

    /// Transactions that work on the history lane at a time; 0 leaves history to other replicas
    #[arg(
        long,
        env = "KPILINE_COMPUTE_HISTORY_WORKERS",
        default_value_t = 1,
        value_name = "COUNT"
    )]
    history_workers: usize,

    /// Commit a batch once it holds this many facts
    #[arg(
        long,
        env = "KPILINE_COMPUTE_BATCH_EVENTS",
        default_value_t = 4000,
        value_name = "COUNT"
    )]
    batch_events: usize,

    /// Commit a batch once its first message has waited this long
    #[arg(long, env = "KPILINE_COMPUTE_LINGER", default_value = "50ms", value_parser = humantime, value_name = "DURATION")]
    linger: Duration,

    /// Messages a worker takes from each queue ahead of what it works on
    #[arg(
        long,
        env = "KPILINE_COMPUTE_PREFETCH",
        default_value_t = 32,
        value_name = "COUNT"
    )]
    prefetch: u16,
}

fn humantime(text: &str) -> Result<Duration, String> {
    runtime::args::positive_duration(text)
}

/// Checked settings.
#[derive(Debug)]
pub struct Config {
    /// PostgreSQL.
    pub postgres: PostgresSettings,
    /// RabbitMQ.
    pub amqp: AmqpSettings,
    /// The rules of every version.
    pub rules: RuleBook,
    /// Workers on the live lane.
    pub workers: usize,
    /// Workers on the history lane.
    pub history_workers: usize,
    /// What bounds a batch.
    pub batch: BatchLimits,
    /// Messages taken ahead, a queue.
    pub prefetch: u16,
}

impl ServeArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<Config> {
        let mut problems = Problems::new();
        let postgres = self.postgres.resolve(&mut problems);
        let amqp = self.amqp.resolve(&mut problems);
        self.ops.resolve(&mut problems);
        let rules = match &self.rules {
            None => Some(RuleBook::builtin()),
            Some(path) => problems.take(
                "--rules",
                rules_from(path).map_err(|error| runtime::chain(error.as_ref())),
            ),
        };
        if self.workers + self.history_workers == 0 {
            problems.push("--workers and --history-workers: are both 0, at least one must work");
        }
        // One connection a worker, one to make months of partitions with, one to spare for probes and quarantine.
        let needed = self.workers + self.history_workers + 1;
        if postgres.pool_max < needed {
            problems.push(format!(
                "--database-pool-max: is {}, but {} workers need at least {needed} connections",
                postgres.pool_max,
                self.workers + self.history_workers
            ));
        }
        if !(1..=50_000).contains(&self.batch_events) {
            problems.push(format!(
                "--batch-events: is {}, allowed are 1 to 50000",
                self.batch_events
            ));
        }
        if self.linger > Duration::from_secs(10) {
            problems.push("--linger: allowed are up to 10s");
        }
        if self.prefetch == 0 {
            problems.push("--prefetch: is 0, which would be unbounded; allowed are 1 to 65535");
        }
        problems.into_result()?;
        Ok(Config {
            postgres,
            amqp,
            rules: rules.unwrap_or_else(RuleBook::builtin),
            workers: self.workers,
            history_workers: self.history_workers,
            batch: BatchLimits {
                events_max: self.batch_events,
                linger: self.linger,
            },
            prefetch: self.prefetch,
        })
    }
}

fn rules_from(path: &std::path::Path) -> anyhow::Result<RuleBook> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    RuleBook::from_toml(&text).with_context(|| path.display().to_string())
}

impl Config {
    /// What the store needs.
    pub fn store(&self) -> StoreConfig {
        StoreConfig {
            pool_max: self.postgres.pool_max,
            acquire_timeout: self.postgres.acquire_timeout,
            statement_timeout: self.postgres.statement_timeout,
            ..StoreConfig::new(&self.postgres.url, "kpiline compute")
        }
    }

    /// What a broker connection needs.
    pub fn broker(&self, name: &str) -> BrokerConfig {
        BrokerConfig {
            url: self.amqp.url.clone(),
            prefix: self.amqp.prefix.clone(),
            name: name.to_owned(),
            connect_timeout: self.amqp.connect_timeout,
            confirm_timeout: self.amqp.confirm_timeout,
            raw_max_bytes: self.amqp.raw_max_bytes,
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
            "compute",
            "--workers",
            "0",
            "--history-workers",
            "0",
            "--prefetch",
            "0",
            "--batch-events",
            "0",
        ]);
        let text = cli.serve.resolve().unwrap_err().to_string();
        for flag in [
            "--database-url",
            "--amqp-url",
            "--workers",
            "--prefetch",
            "--batch-events",
        ] {
            assert!(text.contains(flag), "{flag} in {text}");
        }
    }

    #[test]
    fn workers_without_connections_are_refused() {
        let cli = Cli::parse_from([
            "compute",
            "--database-url",
            "postgres://h/d",
            "--amqp-url",
            "amqp://h",
            "--workers",
            "9",
        ]);
        assert!(
            cli.serve
                .resolve()
                .unwrap_err()
                .to_string()
                .contains("--database-pool-max")
        );
    }
}
