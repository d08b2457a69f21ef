//! `compute replay-file`: events of files in, metrics out, no services. The engine alone, for a look at an export and as a benchmark.
//!
//! Each thread reads its own stretch of the input and folds it into its own sessions; the threads' sessions are then joined. That
//! the result is the same for any number of threads is what the laws of `session` say, and what the test below looks at.

mod input;
mod output;
mod tally;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use input::{BadLine, Counts, Folded};
use kpi::{METRICS, RuleBook};
use schema::{BodyFormat, MetricVersion};
use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

/// How many bad lines are described; the rest is only counted.
const BAD_LINES_SHOWN: usize = 50;

/// Reads events from files, prints the metrics they give. Needs no database and no broker.
///
/// Input: one event a line, in the form of the platform's webhook (a line may also be an array of events). Order, duplicates and the
/// split into files do not matter. Lines that cannot be read are described on standard error and do not stop the others.
///
/// Example: `compute replay-file events.jsonl --metrics adjusted_aht,handle_time --output csv > metrics.csv`
#[derive(Debug, Clone, Args)]
pub struct ReplayFileArgs {
    /// Files to read; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The form of the events.
    #[arg(long, value_enum, default_value_t = InputFormat::GenesysWebhook)]
    pub format: InputFormat,
    /// What to print: one row a metric and interaction (csv, jsonl; in order of interaction), or totals.
    #[arg(long, value_enum, default_value_t = OutputFormat::Summary)]
    pub output: OutputFormat,
    /// The metrics wanted, separated by commas; all of them when left out.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub metrics: Vec<String>,
    /// A file of metric rules (TOML); the built-in rules when left out
    ///
    /// Each `[[version]]` in it has a `version`, and may have `excluded_dispositions`, `business_hours = { open, close }` in local
    /// time and a `default_zone`.
    #[arg(long, value_name = "FILE", env = "KPILINE_RULES")]
    pub rules: Option<PathBuf>,
    /// The version of the rules to evaluate: a version in --rules is used only when it is named here
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub metric_version: u16,
    /// Threads; as many as there are cores when left out.
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZero<usize>>,
}

/// The form of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// The Genesys webhook envelope, one a line.
    GenesysWebhook,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// One comma-separated row for each metric of each interaction, with a header.
    Csv,
    /// One JSON object for each metric of each interaction.
    Jsonl,
    /// One line for each metric: interactions, sum, and how many have no value.
    Summary,
}

impl InputFormat {
    const fn body(self) -> BodyFormat {
        match self {
            Self::GenesysWebhook => BodyFormat::GenesysWebhook,
        }
    }
}

/// Runs the subcommand: metrics to standard output, remarks to standard error.
///
/// Fails when an argument is wrong, when a file cannot be read, or when no line of the input could be understood.
pub fn run(args: &ReplayFileArgs) -> anyhow::Result<()> {
    let stdout = io::stdout();
    let written = replay(args, &mut stdout.lock(), &mut io::stderr());
    match written {
        // Whoever reads our output (`head`) has enough.
        Err(error) if is_closed_pipe(&error) => Ok(()),
        other => other,
    }
}

/// Like [`run`], to any pair of writers.
pub fn replay(
    args: &ReplayFileArgs,
    out: &mut impl Write,
    remarks: &mut impl Write,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let metrics = wanted(&args.metrics)?;
    let book = match &args.rules {
        None => RuleBook::builtin(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the rules {} cannot be read", path.display()))?;
            RuleBook::from_toml(&text)
                .with_context(|| format!("the rules {} are wrong", path.display()))?
        }
    };
    let version = MetricVersion(args.metric_version);
    let threads = args
        .threads
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZero::get);

    let Folded {
        shards,
        counts,
        bad,
    } = input::fold(&args.files, &args.format.body(), threads)?;
    describe(&bad, counts.bad, remarks)?;
    if counts.bad > 0 && counts.bad == counts.items {
        bail!("none of the {} lines could be understood", counts.items);
    }

    let measure = output::Measure {
        metrics: &metrics,
        rules: book.rules(version),
        version,
    };
    let interactions = match args.output {
        OutputFormat::Summary => {
            let totals = tally::totals(shards, measure);
            totals.print(&metrics, out)?;
            totals.sessions
        }
        OutputFormat::Csv => output::csv(shards, measure, threads, out)?,
        OutputFormat::Jsonl => output::jsonl(shards, measure, threads, out)?,
    };
    out.flush().context("the output cannot be written")?;
    remark(&counts, interactions, began, remarks)
}

fn wanted(names: &[String]) -> anyhow::Result<Vec<&'static str>> {
    if names.is_empty() {
        return Ok(METRICS.to_vec());
    }
    let unknown: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !METRICS.contains(name))
        .collect();
    if !unknown.is_empty() {
        bail!(
            "no such metric: {} (there are {})",
            unknown.join(", "),
            METRICS.join(", ")
        );
    }
    // In the order of evaluation, each once.
    Ok(METRICS
        .into_iter()
        .filter(|metric| names.iter().any(|name| name == metric))
        .collect())
}

fn describe(bad: &[BadLine], count: u64, remarks: &mut impl Write) -> io::Result<()> {
    for BadLine { file, line, error } in bad.iter().take(BAD_LINES_SHOWN) {
        writeln!(remarks, "{}:{line}: {error}", file.display())?;
    }
    let shown = bad.len().min(BAD_LINES_SHOWN) as u64;
    if count > shown {
        writeln!(remarks, "... and {} more bad lines", count - shown)?;
    }
    Ok(())
}

fn remark(
    counts: &Counts,
    interactions: u64,
    began: Instant,
    remarks: &mut impl Write,
) -> anyhow::Result<()> {
    let Counts {
        items,
        duplicates,
        revised,
        stale,
        ignored,
        bad,
    } = counts;
    #[expect(clippy::cast_precision_loss, reason = "a rate for human eyes")]
    let rate = *items as f64 / began.elapsed().as_secs_f64();
    writeln!(
        remarks,
        "{items} events ({duplicates} duplicates, {revised} revisions, {stale} outdated, {ignored} ignored, {bad} bad) of \
         {interactions} interactions in {:.3} s, {rate:.0} events/s",
        began.elapsed().as_secs_f64()
    )
    .context("the remarks cannot be written")
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests;
