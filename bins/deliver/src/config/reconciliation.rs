//! The flags of `reconciliation`.

use super::store_config;
use clap::{Subcommand, ValueEnum};
use reconcile::Measure;
use runtime::Problems;
use runtime::args::{OpsArgs, PostgresArgs, positive_duration};
use schema::UtcMicros;
use std::time::Duration;
use store::StoreConfig;
use uuid::Uuid;

const DAY_MICROS: i64 = 86_400_000_000;

/// Flags of `reconciliation`.
#[derive(Debug, Clone, clap::Args)]
pub struct ReconciliationArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: ReconciliationCommand,
}

/// What can be done with the platform's own figures.
#[derive(Debug, Clone, Subcommand)]
pub enum ReconciliationCommand {
    /// Compare what was fetched with what kpiline has, keep the findings, and print them.
    Run(Box<RunArgs>),
    /// Print a comparison that was made; without its id the newest.
    Show(ShowArgs),
    /// List the comparisons that were made, the newest first.
    List(ListArgs),
}

/// What all of these have.
#[derive(Debug, Clone, clap::Args)]
pub struct BaseArgs {
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    ops: OpsArgs,
}

impl BaseArgs {
    fn resolve(&self, problems: &mut Problems) -> StoreConfig {
        let postgres = self.postgres.resolve(problems);
        self.ops.resolve(problems);
        store_config(&postgres)
    }
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a ticket or a mail.
    Markdown,
    /// One row a finding.
    Csv,
    /// One object.
    Json,
}

/// Flags of `reconciliation run`.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// The organisation; without it the only one that anything was fetched of
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// The platform, as the platforms file names it; without it the only one
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Option<String>,
    /// Days that begin at this instant or later, with Z or an offset: 2024-03-01T00:00:00Z
    #[arg(long, value_parser = super::operate::instant, requires = "to", value_name = "INSTANT")]
    from: Option<UtcMicros>,
    /// Days that begin before this instant
    #[arg(long, value_parser = super::operate::instant, requires = "from", value_name = "INSTANT")]
    to: Option<UtcMicros>,
    /// Instead of --from and --to: the stretch of this length that ended at the last UTC midnight
    #[arg(long, default_value = "7d", value_parser = positive_duration, conflicts_with_all = ["from", "to"], value_name = "DURATION")]
    last: Duration,
    /// The schedule that has the business hours, as `compute kpi add` stored it; read by each agent's clock. Without it shifts are not compared
    #[arg(long, value_name = "NAME[@VERSION]")]
    pub(crate) hours: Option<String>,
    /// Another KPI than the usual one beside a measure of the platform's: handle=adjusted_aht; several
    #[arg(long = "metric", value_parser = pair, value_name = "MEASURE=NAME")]
    metrics: Vec<(Measure, String)>,
    /// What our number leaves out by its definition, so that it is no gap: handle=dial,contact; several
    #[arg(long = "left-out", value_parser = parts, value_name = "MEASURE=PART,PART")]
    left_out: Vec<(Measure, Vec<Measure>)>,
    /// How the report is written to stdout
    #[arg(long, value_enum, default_value = "markdown", value_name = "FORMAT")]
    pub(crate) format: Format,
    /// End with exit code 1 where there is anything to look at
    #[arg(long)]
    pub(crate) fail_on_findings: bool,
    /// Print the report and keep nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How long figures, plans and comparisons are kept after they were fetched or made
    #[arg(long, env = "KPILINE_RECONCILIATION_RETENTION", default_value = "400d", value_parser = positive_duration, value_name = "DURATION")]
    pub(crate) reconciliation_retention: Duration,
    #[command(flatten)]
    base: BaseArgs,
}

/// What `reconciliation run` is told, checked.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// PostgreSQL.
    pub store: StoreConfig,
    /// Days that begin at this instant or later.
    pub from: UtcMicros,
    /// Days that begin before this instant.
    pub to: UtcMicros,
    /// Other KPIs than the usual ones.
    pub metrics: Vec<(Measure, String)>,
    /// What ours leaves out.
    pub left_out: Vec<(Measure, Vec<Measure>)>,
}

impl RunArgs {
    /// Checks everything and lists every problem at once. `now` is when `--last` is reckoned from.
    pub fn resolve(&self, now: UtcMicros) -> anyhow::Result<RunConfig> {
        let mut problems = Problems::new();
        let store = self.base.resolve(&mut problems);
        let midnight = UtcMicros(now.0.div_euclid(DAY_MICROS) * DAY_MICROS);
        let last = i64::try_from(self.last.as_micros()).unwrap_or(i64::MAX);
        let (from, to) = match (self.from, self.to) {
            (Some(from), Some(to)) => (from, to),
            _ => (UtcMicros(midnight.0.saturating_sub(last)), midnight),
        };
        if from >= to {
            problems.push(format!("--from: {from} is not before --to, {to}"));
        }
        problems.into_result()?;
        Ok(RunConfig {
            store,
            from,
            to,
            metrics: self.metrics.clone(),
            left_out: self.left_out.clone(),
        })
    }
}

/// Flags of `reconciliation show`.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// The comparison's id, as `reconciliation list` has it
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<Uuid>,
    /// How the report is written to stdout
    #[arg(long, value_enum, default_value = "markdown", value_name = "FORMAT")]
    pub(crate) format: Format,
    #[command(flatten)]
    base: BaseArgs,
}

impl ShowArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<StoreConfig> {
        let mut problems = Problems::new();
        let store = self.base.resolve(&mut problems);
        problems.into_result()?;
        Ok(store)
    }
}

/// Flags of `reconciliation list`.
#[derive(Debug, Clone, clap::Args)]
pub struct ListArgs {
    /// How many are listed
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub(crate) limit: u32,
    /// Only of this organisation
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// How results are written to stdout; without it text on a terminal, else JSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<runtime::args::Output>,
    #[command(flatten)]
    base: BaseArgs,
}

impl ListArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<StoreConfig> {
        let mut problems = Problems::new();
        let store = self.base.resolve(&mut problems);
        problems.into_result()?;
        Ok(store)
    }
}

fn measure(name: &str) -> Result<Measure, String> {
    Measure::parse(name).ok_or_else(|| {
        let known: Vec<_> = Measure::ALL.into_iter().map(Measure::name).collect();
        format!("{name:?} is no measure; known are {}", known.join(", "))
    })
}

fn pair(text: &str) -> Result<(Measure, String), String> {
    let (name, metric) = text.split_once('=').ok_or("write MEASURE=NAME")?;
    if metric.is_empty() {
        return Err("write MEASURE=NAME".to_owned());
    }
    Ok((measure(name)?, metric.to_owned()))
}

fn parts(text: &str) -> Result<(Measure, Vec<Measure>), String> {
    let (name, parts) = text.split_once('=').ok_or("write MEASURE=PART,PART")?;
    let parts: Result<Vec<_>, _> = parts.split(',').map(measure).collect();
    Ok((measure(name)?, parts?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_named_and_what_is_none_is_refused() {
        assert_eq!(
            parts("handle=dial,contact").unwrap(),
            (Measure::Handle, vec![Measure::Dial, Measure::Contact])
        );
        assert_eq!(
            pair("handle=adjusted_aht").unwrap(),
            (Measure::Handle, "adjusted_aht".to_owned())
        );
        assert!(parts("handle=ringing").unwrap_err().contains("known are"));
        assert!(pair("handle").is_err());
    }
}
