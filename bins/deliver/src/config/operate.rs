//! The flags of the commands that look at deliveries or change their course.

use crate::targets::{self, Target};
use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use runtime::args::{ViewArgs, positive_duration};
use schema::UtcMicros;
use std::path::PathBuf;
use std::time::Duration;
use store::sync::{Rows, State, Values};

/// Which values of a target are meant.
#[derive(Debug, Clone, clap::Args)]
pub struct ValuesArgs {
    /// The target's name, as in the targets file that serve was started with
    #[arg(long, value_name = "NAME")]
    pub(crate) target: String,
    /// Only this metric; may be repeated
    #[arg(long = "metric", value_name = "NAME")]
    pub(crate) metrics: Vec<String>,
    /// Only this interaction and its legs
    #[arg(long, value_name = "ID")]
    pub(crate) interaction: Option<String>,
    /// Only days of this agent
    #[arg(long, value_name = "ID", conflicts_with = "interaction")]
    pub(crate) agent: Option<String>,
}

impl ValuesArgs {
    /// The values of a stretch, as the store knows them.
    pub(crate) fn of(&self, from: Option<UtcMicros>, to: Option<UtcMicros>) -> Values<'_> {
        let (earliest, latest) = Values::ALWAYS;
        Values {
            target: &self.target,
            metrics: &self.metrics,
            interaction: self.interaction.as_deref(),
            from: from.unwrap_or(earliest),
            to: to.unwrap_or(latest),
        }
    }
}

/// Which waiting rows of a target are meant.
#[derive(Debug, Clone, clap::Args)]
pub struct RowsArgs {
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// Only rows queued at this instant or later, with Z or an offset: 2024-03-01T00:00:00Z
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) from: Option<UtcMicros>,
    /// Only rows queued before this instant
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) to: Option<UtcMicros>,
    /// Only rows in this state; may be repeated
    #[arg(long = "state", value_enum, default_values = ["rejected", "unknown"], value_name = "STATE")]
    states: Vec<Waiting>,
    /// Say how many rows are meant, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// The states an operator may choose; what is being pushed is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Waiting {
    /// The platform refused it.
    Rejected,
    /// Pushed, and nobody knows what became of it.
    Unknown,
    /// Waits for its turn, or to be tried again.
    Pending,
}

impl RowsArgs {
    /// The rows, as the store knows them.
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows {
            target: &self.values.target,
            states: self
                .states
                .iter()
                .map(|state| match state {
                    Waiting::Rejected => State::Rejected,
                    Waiting::Unknown => State::Unknown,
                    Waiting::Pending => State::Pending,
                })
                .collect(),
            metrics: &self.values.metrics,
            interaction: self.values.interaction.as_deref(),
            agent: self.values.agent.as_deref(),
            from: self.from,
            to: self.to,
        }
    }
}

/// Flags of `status`.
#[derive(Debug, Clone, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `retry`.
#[derive(Debug, Clone, clap::Args)]
pub struct RetryArgs {
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
}

/// Flags of `skip`.
#[derive(Debug, Clone, clap::Args)]
pub struct SkipArgs {
    /// Why; kept in metric_sync_log with each row
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
}

/// Flags of `resync`.
#[derive(Debug, Clone, clap::Args)]
pub struct ResyncArgs {
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// Only values that are dated at this instant or later, with Z or an offset: 2024-03-01T00:00:00Z
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) from: Option<UtcMicros>,
    /// Only values that are dated before this instant
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) to: Option<UtcMicros>,
    /// Say how many values there are, and queue nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `reconcile`.
#[derive(Debug, Clone, clap::Args)]
pub struct ReconcileArgs {
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// Only values that are dated at this instant or later, with Z or an offset; without it a week back
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) from: Option<UtcMicros>,
    /// Only values that are dated before this instant; without it now
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) to: Option<UtcMicros>,
    /// The TOML file that serve was started with: what the target's filter wants, and how it rounds, is read there
    #[arg(long, env = "KPILINE_TARGETS", value_name = "FILE")]
    targets: PathBuf,
    /// How many differences are listed; all are counted
    #[arg(long, default_value_t = 1000, value_name = "COUNT")]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

impl ReconcileArgs {
    /// The target as it is configured.
    pub(crate) fn target(&self) -> anyhow::Result<Target> {
        let targets = targets::load(&self.targets);
        let targets = targets.map_err(|problems| anyhow::anyhow!(problems.join("\n")))?;
        let (file, name) = (self.targets.display(), &self.values.target);
        let found = targets.into_iter().find(|target| target.name == *name);
        found.with_context(|| format!("--target: {file} has no target {name:?}"))
    }
}

/// Flags of `breaker`.
#[derive(Debug, Clone, clap::Args)]
pub struct BreakerArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: BreakerCommand,
}

/// What can be done with breakers.
#[derive(Debug, Clone, Subcommand)]
pub enum BreakerCommand {
    /// List the breakers of all platforms, those of history too.
    List(ViewArgs),
    /// Have nothing sent for a while; then one request tries, as after failures.
    Open(OpenArgs),
    /// Have requests sent again now; should they fail, it opens for as long as it would have.
    Close(TurnArgs),
    /// The same, and forget how often it opened.
    Reset(TurnArgs),
}

/// Flags of `breaker open`.
#[derive(Debug, Clone, clap::Args)]
pub struct OpenArgs {
    /// For how long
    #[arg(long = "for", default_value = "1h", value_parser = positive_duration, value_name = "DURATION")]
    pub(crate) length: Duration,
    /// Why, for whoever finds it open
    #[arg(long, default_value = "opened by an operator", value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) turn: TurnArgs,
}

/// Which breaker.
#[derive(Debug, Clone, clap::Args)]
pub struct TurnArgs {
    /// The breaker's name as `breaker list` has it, or a target's
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// An instant that carries its zone; one without would have to be guessed.
pub(super) fn instant(text: &str) -> Result<UtcMicros, String> {
    platform::instant::parse(text).ok_or_else(|| {
        "not an instant with a zone; write 2024-03-01T00:00:00Z or 2024-03-01T00:00:00-05:00"
            .to_owned()
    })
}
