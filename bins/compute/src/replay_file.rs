//! `compute replay-file`: events of files in, metrics out, no services. The engine alone, for a look at an export and as a benchmark.
//!
//! Each thread reads its own stretch of the input and folds it into its own sessions; the threads' sessions are then joined. That
//! the result is the same for any number of threads is what the laws of `session` say, and what the test below looks at.

pub(crate) mod input;
mod output;
mod tally;

use crate::definition_files;
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use input::{BadLine, Counts, Folded};
use kpi::{Catalogue, Definition, Grain, Library};
use schema::BodyFormat;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

/// How many bad lines are described; the rest is only counted.
const BAD_LINES_SHOWN: usize = 20;

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
    /// The KPIs wanted, separated by commas: `adjusted_aht`, or `adjusted_aht@2`; without a version the newest one known. All that one interaction tells when left out.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub metrics: Vec<String>,
    /// A file with a KPI definition, a schedule or places, or a folder of them, besides what ships with this release; may be repeated
    #[arg(
        long = "kpi",
        env = "KPILINE_KPI_FILES",
        value_delimiter = ',',
        value_name = "PATH"
    )]
    pub definitions: Vec<PathBuf>,
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
    let catalogue = catalogue(&args.definitions)?;
    let which = wanted(&args.metrics, &catalogue)?;
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
    refuse_unreadable(&counts)?;

    let measure = output::Measure {
        catalogue: &catalogue,
        which: &which,
    };
    let interactions = match args.output {
        OutputFormat::Summary => {
            let totals = tally::totals(shards, measure);
            totals.print(measure, out)?;
            totals.sessions
        }
        OutputFormat::Csv => output::csv(shards, measure, threads, out)?,
        OutputFormat::Jsonl => output::jsonl(shards, measure, threads, out)?,
    };
    out.flush().context("the output cannot be written")?;
    remark(&counts, interactions, began, remarks)
}

/// What ships with this release, and what the files define besides.
fn catalogue(paths: &[PathBuf]) -> anyhow::Result<Catalogue> {
    let shipped = Catalogue::shipped();
    if paths.is_empty() {
        return Ok(shipped);
    }
    let files = definition_files::read(paths, &Library::shipped())?;
    let key = |definition: &Definition| (definition.name().to_owned(), definition.version());
    let given: Vec<_> = files
        .definitions
        .iter()
        .map(|given| key(&given.what))
        .collect();
    // What is given has the last word, so that a draft of a shipped text can be tried out under its number.
    let definitions = shipped
        .definitions()
        .iter()
        .filter(|definition| !given.contains(&key(definition)))
        .chain(files.definitions.iter().map(|given| &given.what))
        .cloned()
        .collect();
    Ok(Catalogue::new(definitions, files.library))
}

/// Indexes of the definitions asked for, in the order of the catalogue, each once.
fn wanted(names: &[String], catalogue: &Catalogue) -> anyhow::Result<Vec<usize>> {
    let definitions = catalogue.definitions();
    let of_interactions =
        |index: &usize| matches!(definitions[*index].scope(), Grain::Interaction | Grain::Leg);
    if names.is_empty() {
        return Ok((0..definitions.len()).filter(of_interactions).collect());
    }
    let mut which = Vec::new();
    let mut unknown = Vec::new();
    // A blank beside a comma is no part of a name.
    for asked in names.iter().map(|asked| asked.trim()) {
        let (name, version) = match asked.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (asked, None),
        };
        let newest = (0..definitions.len())
            .filter(|index| definitions[*index].name() == name)
            .filter(|index| {
                version.is_none_or(|version| definitions[*index].version().to_string() == version)
            })
            .max_by_key(|index| definitions[*index].version());
        match newest {
            Some(index) => which.push(index),
            None => unknown.push(asked),
        }
    }
    if !unknown.is_empty() {
        let known: Vec<String> = definitions
            .iter()
            .map(|definition| format!("{}@{}", definition.name(), definition.version()))
            .collect();
        bail!(
            "no such metric: {} (there are {})",
            unknown.join(", "),
            known.join(", ")
        );
    }
    if let Some(other) = which.iter().find(|index| !of_interactions(index)) {
        bail!(
            "{}: no interaction alone tells it; of scope {} it is computed from the store only",
            definitions[*other].name(),
            definitions[*other].scope()
        );
    }
    which.sort_unstable();
    which.dedup();
    Ok(which)
}

/// An input of which nothing could be understood is an error: it is not what the format says.
pub(crate) fn refuse_unreadable(counts: &Counts) -> anyhow::Result<()> {
    if counts.bad == 0 || counts.bad + counts.ignored < counts.items {
        return Ok(());
    }
    match counts.items {
        1 => bail!("the only line could not be understood"),
        items => bail!("none of the {items} lines could be understood"),
    }
}

pub(crate) fn describe(bad: &[BadLine], count: u64, remarks: &mut impl Write) -> io::Result<()> {
    for BadLine { file, line, error } in bad.iter().take(BAD_LINES_SHOWN) {
        writeln!(remarks, "{}:{line}: {error}", file.display())?;
    }
    let shown = bad.len().min(BAD_LINES_SHOWN) as u64;
    if count > shown {
        let more = counted(count - shown, "line");
        writeln!(remarks, "... and {more} more that cannot be read")?;
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
        "{} ({}, {}, {stale} outdated, {ignored} ignored, {bad} bad) of {} in {:.3} s, {rate:.0} events/s",
        counted(*items, "event"),
        counted(*duplicates, "duplicate"),
        counted(*revised, "revision"),
        counted(interactions, "interaction"),
        began.elapsed().as_secs_f64()
    )
    .context("the remarks cannot be written")
}

/// `1 problem`, `2 problems`, `2 files of places`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = match what.split_once(' ') {
        _ if count == 1 => what.to_owned(),
        None => format!("{what}s"),
        Some((noun, rest)) => format!("{noun}s {rest}"),
    };
    format!("{count} {plural}")
}

pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests;
