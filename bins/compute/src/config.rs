//! This binary's flags, and what they mean once checked.

mod storm;

pub use storm::StormArgs;

use crate::agent_worker::AgentTimeConfig;
use crate::batch::BatchLimits;
use crate::journey_worker::JourneyConfig;
use crate::kpi_command::KpiArgs;
use crate::replay_file::ReplayFileArgs;
use crate::storm::command::StormArgs as StormCommandArgs;
use crate::storm::hysteresis::Thresholds;
use crate::sweep::{MaxAge, SweepConfig};
use crate::windows::WindowConfig;
use broker::BrokerConfig;
use clap::{Parser, Subcommand};
use runtime::Problems;
use runtime::args::{AmqpArgs, AmqpSettings, OpsArgs, PostgresArgs, PostgresSettings, RoleArgs};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use store::StoreConfig;

/// A longer cap makes each day's time be read so far back.
const AGENT_OPEN_CAP_MAX: Duration = Duration::from_secs(7 * 86_400);

/// Folds events into interaction sessions and evaluates the KPI definitions.
///
/// compute takes facts from the queues events.terminal, events.progress (live) and events.history (backfill), folds them into
/// `interactions`, evaluates every switched-on KPI definition once an interaction has reached a terminal state, and again when later
/// facts arrive, and writes the rows of `computed_metrics` that really changed. Any number of replicas may run; order, repetition
/// and crashes do not change the result.
///
/// The definitions are in the database: `compute kpi` shows, tries out and switches them. Running replicas follow at their next batch.
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
    /// KPI definitions: check, try out, explain, switch on, promote.
    Kpi(KpiArgs),
    /// A storm: how it stands, and ordering one or its end
    Storm(StormCommandArgs),
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

/// Flags of `serve` and `check`.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    amqp: AmqpArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
    #[command(flatten)]
    storm: StormArgs,

    /// Gone: what was a file of rules is KPI definitions in the store now
    #[arg(long, env = "KPILINE_RULES", value_name = "FILE", hide = true)]
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

    /// Give an open interaction up when nothing was heard of it for so long: its metrics are then absent as incomplete
    #[arg(long, env = "KPILINE_SWEEP_AFTER", default_value = "24h", value_parser = humantime, value_name = "DURATION")]
    sweep_after: Duration,

    /// The same for single media, which wait longer by nature: chat=2d,email=30d
    #[arg(
        long,
        env = "KPILINE_SWEEP_AFTER_MEDIA",
        default_value = "callback=7d,chat=3d,email=30d,message=7d",
        value_delimiter = ',',
        value_parser = media_age,
        value_name = "MEDIA=DURATION"
    )]
    sweep_after_media: Vec<(String, Duration)>,

    /// How long after its end an interaction's wrap-up may come before its metrics count as settled
    #[arg(long, env = "KPILINE_WRAP_UP_GRACE", default_value = "15m", value_parser = humantime, value_name = "DURATION")]
    wrap_up_grace: Duration,

    /// How long an end that no event states waits for the platform's record, which is asked for after the wrap-up grace, before its metrics
    /// count as settled without
    #[arg(long, env = "KPILINE_CONFIRM_WITHIN", default_value = "1d", value_parser = humantime, value_name = "DURATION")]
    confirm_within: Duration,

    /// How often to look for interactions to give up or to settle; one replica at a time does
    #[arg(long, env = "KPILINE_SWEEP_EVERY", default_value = "5m", value_parser = humantime, value_name = "DURATION")]
    sweep_every: Duration,

    /// Whether this process keeps windows, the time of agents and journeys; several may, none need
    #[arg(
        long,
        env = "KPILINE_COMPUTE_WINDOWS",
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "BOOL"
    )]
    windows: bool,

    /// How long changes gather before the windows they are in are computed
    #[arg(long, env = "KPILINE_WINDOWS_EVERY", default_value = "250ms", value_parser = humantime, value_name = "DURATION")]
    windows_every: Duration,

    /// How long an agent's state is believed that nobody ended; afterwards it is unknown
    #[arg(long, env = "KPILINE_AGENT_OPEN_CAP", default_value = "12h", value_parser = humantime, value_name = "DURATION")]
    agent_open_cap: Duration,

    /// How often the time of agents who are there is computed further
    #[arg(long, env = "KPILINE_AGENT_TICK", default_value = "1m", value_parser = humantime, value_name = "DURATION")]
    agent_tick: Duration,

    /// Contacts of one customer in a row that are still one person; beyond that the number is taken for one that many share
    #[arg(
        long,
        env = "KPILINE_JOURNEY_CONTACTS_MAX",
        default_value_t = 500,
        value_name = "COUNT"
    )]
    journey_contacts_max: usize,
}

/// `email=30d`
fn media_age(text: &str) -> Result<(String, Duration), String> {
    let (media, age) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not of the form email=30d"))?;
    let media = media.trim();
    if media.is_empty()
        || media.chars().any(|letter| {
            !(letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
        })
    {
        return Err(format!(
            "{media:?} is no medium: lower-case letters, digits and _ are needed"
        ));
    }
    Ok((media.to_owned(), humantime(age.trim())?))
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
    /// Workers on the live lane.
    pub workers: usize,
    /// Workers on the history lane.
    pub history_workers: usize,
    /// What bounds a batch.
    pub batch: BatchLimits,
    /// Messages taken ahead, a queue.
    pub prefetch: u16,
    /// When interactions are given up or settled.
    pub sweep: SweepConfig,
    /// What begins and ends a storm.
    pub storm: Thresholds,
    /// What is kept from the marks of the fold; `None`: by other processes.
    pub kept: Option<Kept>,
}

/// How that is kept which the fold only marks.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// Windows.
    pub windows: WindowConfig,
    /// The time of agents.
    pub agents: AgentTimeConfig,
    /// Journeys.
    pub journeys: JourneyConfig,
}

impl ServeArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<Config> {
        let mut problems = Problems::new();
        let postgres = self.postgres.resolve(&mut problems);
        let amqp = self.amqp.resolve(&mut problems);
        self.ops.resolve(&mut problems);
        let storm = self.storm.resolve(&mut problems);
        if let Some(rules) = &self.rules {
            problems.push(format!(
                "--rules, KPILINE_RULES: {} is a file of rules, which this release does not read; write each of its versions as a KPI \
                 definition (`compute kpi show adjusted_aht` is one to begin with), `compute kpi activate` it, and take the setting away",
                rules.display()
            ));
        }
        if self.workers + self.history_workers == 0 {
            problems.push("--workers and --history-workers: are both 0, at least one must work");
        }
        // One connection a worker, one to make months of partitions with, one for the sweeper, probes and quarantine, and one each for
        // windows, agents and journeys.
        let needed = self.workers + self.history_workers + 2 + if self.windows { 3 } else { 0 };
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
        if self.windows_every > Duration::from_secs(60) {
            problems.push("--windows-every: allowed are up to 1m");
        }
        if self.agent_open_cap > AGENT_OPEN_CAP_MAX {
            problems.push("--agent-open-cap: allowed are up to 7days");
        }
        if self.journey_contacts_max == 0 {
            problems.push("--journey-contacts-max: is 0, at least 1 contact is a journey");
        }
        problems.into_result()?;
        let kept = Kept {
            windows: WindowConfig {
                every: self.windows_every,
            },
            agents: AgentTimeConfig {
                open_cap: self.agent_open_cap,
                tick: self.agent_tick,
                ..AgentTimeConfig::default()
            },
            journeys: JourneyConfig {
                contacts_max: self.journey_contacts_max,
                ..JourneyConfig::default()
            },
        };
        Ok(Config {
            kept: self.windows.then_some(kept),
            storm,
            postgres,
            amqp,
            workers: self.workers,
            history_workers: self.history_workers,
            batch: BatchLimits {
                events_max: self.batch_events,
                linger: self.linger,
            },
            prefetch: self.prefetch,
            sweep: SweepConfig {
                every: self.sweep_every,
                wrap_up_grace: self.wrap_up_grace,
                confirm_within: self.confirm_within,
                max_age: MaxAge {
                    default: self.sweep_after,
                    by_media: self
                        .sweep_after_media
                        .iter()
                        .cloned()
                        .collect::<BTreeMap<_, _>>(),
                },
            },
        })
    }
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

    /// The same for what goes on beside the workers and must not wait for them: a look at the weather, and what is caught up.
    pub fn store_beside(&self) -> StoreConfig {
        StoreConfig {
            pool_max: 2,
            ..self.store()
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
    fn every_flag_has_its_environment_variable() {
        let command = Cli::command();
        // Those of this binary alone are older than the rule and name it.
        let of_storms: Vec<_> = command
            .get_arguments()
            .filter_map(|argument| Some((argument.get_long()?, argument.get_env())))
            .filter(|(long, _)| long.starts_with("storm-"))
            .collect();
        assert_eq!(of_storms.len(), 5);
        for (long, env) in of_storms {
            let expected = runtime::secret::env_name(&format!("--{long}"));
            assert_eq!(env, Some(expected.as_ref()), "--{long}");
        }
    }

    #[test]
    fn a_storm_that_would_begin_where_it_ends_is_refused() {
        let wrong = [
            "--storm-enter",
            "5",
            "--storm-leave",
            "5",
            "--storm-sustain",
            "2h",
        ];
        let cli = Cli::parse_from(["compute"].iter().chain(&wrong));
        let text = cli.serve.resolve().unwrap_err().to_string();
        assert!(
            text.contains("--storm-leave: is 5, which must be less than --storm-enter, 5"),
            "{text}"
        );
        assert!(
            text.contains("--storm-sustain: allowed are up to 1h"),
            "{text}"
        );
    }

    #[test]
    fn rules_of_old_are_refused_and_not_ignored() {
        let cli = Cli::parse_from([
            "compute",
            "--database-url",
            "postgres://h/d",
            "--amqp-url",
            "amqp://h",
            "--rules",
            "rules.toml",
        ]);
        let text = cli.serve.resolve().unwrap_err().to_string();
        assert!(text.contains("KPILINE_RULES"), "{text}");
        assert!(text.contains("kpi activate"), "{text}");
    }

    #[test]
    fn an_age_of_a_medium_names_both() {
        assert_eq!(
            media_age("email=30d"),
            Ok(("email".to_owned(), Duration::from_secs(30 * 86_400)))
        );
        for wrong in ["email", "=30d", "E-mail=30d", "email=soon", "email=0s"] {
            assert!(media_age(wrong).is_err(), "{wrong}");
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
