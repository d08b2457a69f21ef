//! `compute kpi preview`: what a definition would give, beside another one. Reads, and writes nothing.
//!
//! [`evaluate`] brings interactions and definitions together, on all cores; [`compare`] and [`tally`] count what comes of it; [`reasoning`]
//! finds the rule that makes a difference; [`mod@report`] says it all. [`rows`] are what a definition gives by itself.

mod compare;
mod evaluate;
mod progress;
mod reasoning;
mod report;
mod rows;
mod tally;

use super::args::{Output, PreviewArgs};
use super::database;
use super::shelf::{Entry, Shelf, definitions_of_file, with_documents};
use super::subject::Subject;
use crate::clock;
use crate::replay_file::counted;
use anyhow::{Context as _, bail};
use compare::Comparison;
use evaluate::{Carried, Pair};
use kpi::{Definition, Grain, Library};
use report::{Report, Side};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;
use store::definitions::Status;
use store::interactions::Filter;

/// Whose the interactions of a file are when nobody says.
pub(super) const NOBODYS: &str = "default";

/// A definition and what to call it.
struct Named {
    label: String,
    definition: Arc<Definition>,
}

/// A definition to try out, and what to compare it with.
struct Task {
    new: Named,
    old: Option<Named>,
    library: Library,
    /// Why there is nothing to compare it with.
    alone: Option<String>,
}

pub(super) async fn run(
    args: &PreviewArgs,
    out: &mut dyn Write,
    remarks: &mut dyn Write,
) -> anyhow::Result<()> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        bail!("--from: is {from}, which is not before --to {to}");
    }
    let shelf = if args.events.is_empty() || database::is_named(&args.postgres) {
        Shelf::of_database(&args.postgres).await?
    } else {
        Shelf::shipped()
    };
    let library = with_documents(&shelf.library, &args.with)?;
    let (new, library) = wanted(&args.definition, &shelf, &library)?;
    let (times, new): (Vec<_>, Vec<_>) = new
        .into_iter()
        .partition(|new| new.definition.scope() == Grain::AgentTime);
    for time in &times {
        let why = format!(
            "{} is not previewed: it is about the time of agents, which no interaction tells. Switched on as a candidate it fills windows \
             beside the current version, and window_metrics_all shows both",
            time.label
        );
        if new.is_empty() {
            bail!("{why}");
        }
        writeln!(remarks, "{why}")?;
    }
    let tasks: Vec<Task> = new
        .into_iter()
        .map(|new| task(args, &shelf, new, library.clone()))
        .collect::<anyhow::Result<_>>()?;
    if tasks.len() > 1 && args.output == Output::Csv {
        bail!(
            "csv is of one definition, and there are {}: name one of the files, or take another --output",
            tasks.len()
        );
    }
    let several = tasks.len() > 1;
    let mut answers = Vec::new();
    for (nth, task) in tasks.into_iter().enumerate() {
        let report = tried(args, task, out, remarks).await?;
        match args.output {
            Output::Json if several => answers.push(report.json()),
            output => {
                if nth > 0 {
                    writeln!(out)?;
                }
                report.write(output, out)?;
            }
        }
    }
    if several && args.output == Output::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&answers)?)?;
    }
    Ok(())
}

async fn tried(
    args: &PreviewArgs,
    task: Task,
    out: &mut dyn Write,
    mut remarks: &mut dyn Write,
) -> anyhow::Result<Report> {
    let pair = Arc::new(Pair::new(
        task.new.definition.clone(),
        task.old.as_ref().map(|old| old.definition.clone()),
        task.library,
        clock::now(),
    ));
    let most = usize::try_from(args.show).unwrap_or(usize::MAX);
    // With nothing to compare, programs get the rows.
    let lines = args.output == Output::Csv && task.old.is_none();
    if lines {
        out.write_all(&rows::head())?;
    }
    let lines = lines.then_some(out);
    let began = Instant::now();
    let seen = if args.events.is_empty() {
        let store = database::open(&args.postgres).await?;
        let filter = Filter {
            tenant: args.tenant.as_deref(),
            from: args.from,
            to: args.to,
        };
        evaluate::stored(&pair, &store, &filter, args.limit, most, lines).await?
    } else {
        let tenant = args.tenant.as_deref().unwrap_or(NOBODYS);
        evaluate::files(&pair, &args.events, tenant, most, lines, &mut remarks)?
    };
    if seen.interactions == 0 {
        writeln!(remarks, "there is no interaction to evaluate")?;
    }
    writeln!(
        remarks,
        "{} in {:.1} s",
        counted(seen.interactions, "interaction"),
        began.elapsed().as_secs_f64()
    )?;
    if args.output == Output::Csv && task.old.is_some() {
        writeln!(remarks, "csv has the changes only; json has everything")?;
    }
    Ok(report(&pair, task.new, task.old, task.alone, seen))
}

/// The definitions that a subject names: one, or all of a folder. Without a version the newest.
fn wanted(
    subject: &Subject,
    shelf: &Shelf,
    library: &Library,
) -> anyhow::Result<(Vec<Named>, Library)> {
    match subject {
        Subject::Stored(reference) => {
            let entry = match reference.version {
                Some(_) => shelf.find(reference)?,
                None => *shelf
                    .versions(&reference.name)?
                    .last()
                    .context("it has no version")?,
            };
            Ok((vec![named(entry)?], library.clone()))
        }
        Subject::File(path) => {
            let (found, library) = definitions_of_file(path, library)?;
            let named = found
                .into_iter()
                .map(|found| Named {
                    label: format!(
                        "{}@{} of {}",
                        found.what.name(),
                        found.what.version(),
                        found.file
                    ),
                    definition: found.what,
                })
                .collect();
            Ok((named, library))
        }
    }
}

/// What to compare a definition with: what was asked for, else the current version, else (where definitions have no status) the newest.
fn task(args: &PreviewArgs, shelf: &Shelf, new: Named, library: Library) -> anyhow::Result<Task> {
    if let Some(subject) = &args.against {
        let (old, library) = match subject {
            Subject::Stored(reference) => (named(shelf.find(reference)?)?, library),
            Subject::File(path) => {
                let (old, library) = wanted(subject, shelf, &library)?;
                let [old] = <[Named; 1]>::try_from(old).map_err(|more| {
                    anyhow::anyhow!(
                        "{} holds {} definitions; name one of the files in it",
                        path.display(),
                        more.len()
                    )
                })?;
                (old, library)
            }
        };
        refuse_unlike(&new, &old)?;
        return Ok(Task {
            new,
            old: Some(old),
            library,
            alone: None,
        });
    }
    let name = new.definition.name();
    // Beside itself it would show no change: that is a look at one definition.
    let is_itself = |entry: &Entry| entry.digest.as_deref() == Some(&new.definition.digest()[..]);
    let standing = shelf
        .current(name)
        .or_else(|| shelf.newest(name).filter(|entry| entry.status.is_none()));
    let (old, alone) = match standing {
        Some(entry) if is_itself(entry) => (
            None,
            Some(format!("it says the same as {}", named(entry)?.label)),
        ),
        Some(entry) => (Some(named(entry)?), None),
        None => {
            let mut entries = shelf.entries.iter();
            let other = entries.rfind(|entry| entry.name == name && !is_itself(entry));
            let alone = other.map(|entry| {
                let status = entry.status.map_or("of this release", Status::as_str);
                format!(
                    "{name} has no current version; --against {} ({status}) compares with another one",
                    entry.label()
                )
            });
            (None, alone)
        }
    };
    if let Some(old) = &old {
        refuse_unlike(&new, old)?;
    }
    Ok(Task {
        new,
        old,
        library,
        alone,
    })
}

/// Rows about different things, or in different units, have no differences.
fn refuse_unlike(new: &Named, old: &Named) -> anyhow::Result<()> {
    let (is, was) = (&new.definition, &old.definition);
    let what = if is.scope() != was.scope() {
        format!(
            "{} is about each {}, {} about each {}",
            new.label,
            is.scope(),
            old.label,
            was.scope()
        )
    } else if is.unit() != was.unit() {
        format!(
            "{} has the unit {}, {} {}",
            new.label,
            is.unit().name(),
            old.label,
            was.unit().name()
        )
    } else {
        return Ok(());
    };
    if is.name() == was.name() {
        bail!(
            "{what}: that is another KPI, give it another name; or name another one to compare with by --against"
        );
    }
    bail!("{what}: their rows cannot be compared; name another one with --against");
}

fn named(entry: &Entry) -> anyhow::Result<Named> {
    let label = match entry.status {
        Some(status) => format!("{} ({status})", entry.label()),
        None => format!("{} (of this release)", entry.label()),
    };
    Ok(Named {
        label,
        definition: entry.definition()?,
    })
}

fn report(
    pair: &Pair,
    new: Named,
    old: Option<Named>,
    alone: Option<String>,
    mut seen: Comparison<Carried>,
) -> Report {
    let changes = seen
        .heaviest()
        .into_iter()
        .map(|change| pair.explained(change))
        .collect();
    Report {
        new: side(new, seen.new),
        old: old.map(|old| side(old, seen.old)),
        alone,
        interactions: seen.interactions,
        passed: seen.passed,
        changed: seen.changed,
        changes,
    }
}

fn side(named: Named, tally: tally::Tally) -> Side {
    Side {
        label: named.label,
        unit: named.definition.unit().name(),
        exclusions: exclusions(named.definition.text()),
        aggregations: named.definition.aggregations().to_vec(),
        totals: tally.totals(),
    }
}

/// The reasons that a definition's exclusions give.
fn exclusions(text: &str) -> BTreeSet<String> {
    let root: serde_json::Value = toml::from_str(text).unwrap_or_default();
    let exclusions = root["exclusions"].as_array();
    exclusions
        .into_iter()
        .flatten()
        .filter_map(|exclusion| exclusion["reason"].as_str())
        .map(str::to_owned)
        .collect()
}
