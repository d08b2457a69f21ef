//! `compute kpi preview`: what a definition would give, beside another one. Reads, and writes nothing.
//!
//! [`evaluate`] brings interactions and definitions together, on all cores; [`compare`] and [`tally`] count what comes of it; [`reasoning`]
//! finds the rule that makes a difference; [`report`] says it all.

mod compare;
mod evaluate;
mod progress;
mod reasoning;
mod report;
mod tally;

use super::args::{Output, PreviewArgs};
use super::database;
use super::shelf::{Entry, Shelf, definition_of_file, with_documents};
use super::subject::Subject;
use anyhow::{Context as _, bail};
use compare::Comparison;
use evaluate::{Carried, Pair};
use kpi::{Definition, Grain, Library};
use report::{Report, Side};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;
use store::interactions::Filter;

/// Whose the interactions of a file are when nobody says.
pub(super) const NOBODYS: &str = "default";

/// A definition and what to call it.
struct Named {
    label: String,
    definition: Arc<Definition>,
}

pub(super) async fn run(
    args: &PreviewArgs,
    out: &mut dyn Write,
    mut remarks: &mut dyn Write,
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
    let (old, library) = other(args, &shelf, &new, library)?;
    if let Some(old) = &old
        && (old.definition.scope() == Grain::Journey) != (new.definition.scope() == Grain::Journey)
    {
        bail!(
            "{} is about each {}, {} about each {}: their rows cannot be compared; name another one with --against",
            new.label,
            new.definition.scope(),
            old.label,
            old.definition.scope()
        );
    }
    let pair = Arc::new(Pair::new(
        new.definition.clone(),
        old.as_ref().map(|old| old.definition.clone()),
        library,
    ));
    let most = usize::try_from(args.show).unwrap_or(usize::MAX);
    let began = Instant::now();
    let seen = if args.events.is_empty() {
        let store = database::open(&args.postgres).await?;
        let filter = Filter {
            tenant: args.tenant.as_deref(),
            from: args.from,
            to: args.to,
        };
        evaluate::stored(&pair, &store, &filter, args.limit, most).await?
    } else {
        let tenant = args.tenant.as_deref().unwrap_or(NOBODYS);
        evaluate::files(&pair, &args.events, tenant, most, &mut remarks)?
    };
    if seen.interactions == 0 {
        writeln!(remarks, "there is no interaction to evaluate")?;
    }
    writeln!(
        remarks,
        "{} interactions in {:.1} s",
        seen.interactions,
        began.elapsed().as_secs_f64()
    )?;
    report(&pair, new, old, seen).write(args.output, out)?;
    if args.output == Output::Csv {
        writeln!(remarks, "csv has the changes only; json has everything")?;
    }
    Ok(())
}

/// The definition that a subject names; without a version the newest.
fn wanted(subject: &Subject, shelf: &Shelf, library: &Library) -> anyhow::Result<(Named, Library)> {
    match subject {
        Subject::Stored(reference) => {
            let entry = match reference.version {
                Some(_) => shelf.find(reference)?,
                None => *shelf
                    .versions(&reference.name)?
                    .last()
                    .context("it has no version")?,
            };
            Ok((named(entry)?, library.clone()))
        }
        Subject::File(path) => {
            let (definition, library) = definition_of_file(path, library)?;
            let label = format!(
                "{}@{} of {}",
                definition.name(),
                definition.version(),
                path.display()
            );
            Ok((Named { label, definition }, library))
        }
    }
}

/// What to compare with: what was asked for, else the current version, else (where definitions have no status) the newest.
fn other(
    args: &PreviewArgs,
    shelf: &Shelf,
    new: &Named,
    library: Library,
) -> anyhow::Result<(Option<Named>, Library)> {
    if let Some(subject) = &args.against {
        let (old, library) = match subject {
            Subject::Stored(reference) => (named(shelf.find(reference)?)?, library),
            file @ Subject::File(_) => wanted(file, shelf, &library)?,
        };
        return Ok((Some(old), library));
    }
    let name = new.definition.name();
    let entry = shelf
        .current(name)
        .or_else(|| shelf.newest(name).filter(|entry| entry.status.is_none()));
    // Beside itself it would show no change: that is a look at one definition.
    let entry = entry.filter(|entry| entry.digest.as_deref() != Some(&new.definition.digest()[..]));
    Ok((entry.map(named).transpose()?, library))
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

fn report(pair: &Pair, new: Named, old: Option<Named>, mut seen: Comparison<Carried>) -> Report {
    let changes = seen
        .heaviest()
        .into_iter()
        .map(|change| pair.explained(change))
        .collect();
    Report {
        new: side(new, seen.new),
        old: old.map(|old| side(old, seen.old)),
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
