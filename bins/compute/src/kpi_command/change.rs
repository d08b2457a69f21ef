//! `compute kpi activate`, `promote`, `retire`, `rollback`: which versions are computed, and which one dashboards see.
//!
//! Each is one transaction that keeps evaluations out: replicas see all of it or nothing, from their next batch on.

use super::add;
use super::args::{ActivateArgs, PromoteArgs, RetireArgs, RollbackArgs};
use super::database;
use super::shelf::{Entry, Shelf};
use super::subject::{Exact, Reference, Subject};
use crate::catalogue;
use anyhow::{Context as _, bail};
use kpi::Grain;
use runtime::args::PostgresArgs;
use schema::{MetricVersion, UtcMicros};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use store::definitions::{self, Coverage, Status};
use store::{Client, Transaction, targets};

pub(super) async fn activate(args: &ActivateArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let files: Vec<PathBuf> = args
        .definitions
        .iter()
        .filter_map(|subject| match subject {
            Subject::File(path) => Some(path.clone()),
            Subject::Stored(_) => None,
        })
        .collect();
    let mut wanted = BTreeSet::new();
    for subject in &args.definitions {
        if let Subject::Stored(Reference { name, version }) = subject {
            let version = version.with_context(|| {
                format!("{name} names no version; write {name}@2, or name a file")
            })?;
            let name = name.clone();
            wanted.insert(Exact { name, version });
        }
    }
    let store = database::open(&args.postgres).await?;
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    definitions::change(&tx).await?;
    let mut shelf = Shelf::of(catalogue::load(&tx).await?);
    let mut news = false;
    if !files.is_empty() {
        let (added, read) = add::add(&tx, &files, &shelf).await?;
        news = added.iter().any(|added| added.is_new);
        wanted.extend(read.definitions.iter().map(|definition| Exact {
            name: definition.name().to_owned(),
            version: definition.version(),
        }));
        shelf = Shelf::of(catalogue::load(&tx).await?);
    }
    if wanted.is_empty() {
        bail!(
            "there is no definition in these files; `compute kpi add` stores schedules and places"
        );
    }
    let mut said = Vec::new();
    for exact in &wanted {
        let (sentences, changed) = switch_on(&tx, &shelf, exact).await?;
        news |= changed;
        said.extend(sentences);
    }
    if news {
        tx.commit().await?;
    }
    for sentence in said {
        writeln!(out, "{sentence}")?;
    }
    Ok(())
}

/// What to say about it, and whether anything changed.
async fn switch_on(
    tx: &Transaction<'_>,
    shelf: &Shelf,
    exact: &Exact,
) -> anyhow::Result<(Vec<String>, bool)> {
    let entry = find(shelf, exact)?;
    let definition = entry.definition()?;
    if definition.scope() == Grain::Journey {
        bail!(
            "{exact} is about journeys, all interactions of one customer, which are not stored yet: `compute kpi preview` evaluates it, nothing else can"
        );
    }
    let before = status(entry)?;
    if before.is_switched_on() {
        return Ok((
            vec![format!("{exact} is {before}: it is computed already")],
            false,
        ));
    }
    definitions::set_status(tx, &exact.name, exact.version, Status::Candidate).await?;
    let mut said = vec![
        moved(exact, Some(before), Status::Candidate),
        "  it is computed from the next batch on, for every interaction that has news".to_owned(),
        format!(
            "  the past: backfill replay --from … --to … --metric-version {}",
            exact.version
        ),
    ];
    match shelf.current(&exact.name) {
        Some(current) => said.push(format!(
            "  dashboards go on seeing {}; `compute kpi promote {exact}` changes that",
            current.label()
        )),
        None => said.push(format!(
            "  readers see nothing of {} until a version is promoted: compute kpi promote {exact}",
            exact.name
        )),
    }
    Ok((said, true))
}

pub(super) async fn promote(args: &PromoteArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let exact = &args.definition;
    let store = database::open(&args.postgres).await?;
    let mut client = store.client().await?;
    // Looking whether everything is there can take long and must not keep evaluations out. It stays true as long as nobody changes
    // the catalogue: whatever is computed meanwhile is computed under both versions.
    let shelf = catalogue::load(&client).await?;
    let generation = shelf.generation;
    let shelf = Shelf::of(shelf);
    let entry = find(&shelf, exact)?;
    match status(entry)? {
        Status::Current => {
            writeln!(out, "{exact} is current: dashboards see it already")?;
            return Ok(());
        }
        Status::Candidate => {}
        other => bail!(
            "{exact} is {} and not computed: `compute kpi activate {exact}` first, then compute the past with `backfill replay`",
            a(other)
        ),
    }
    entry.definition()?;
    let current = shelf.current(&exact.name).map(|entry| entry.version);
    if let Some(current) = current {
        let coverage = definitions::coverage(&client, &exact.name, current, exact.version).await?;
        if coverage.missing > 0 {
            let mut refusal = incomplete(exact, current, &coverage);
            if by_leg_instead(&shelf, exact, current) {
                refusal.push_str(
                    "\nA definition by the leg has no row of an interaction without agents, which one by the interaction has: \
                     as long as there are such, give it a name of its own",
                );
            }
            bail!("{refusal}");
        }
    }
    let tx = client.transaction().await?;
    if definitions::change(&tx).await? != generation + 1 {
        bail!("the catalogue was changed by somebody else meanwhile; look at it and promote again");
    }
    let promoted = definitions::promote(&tx, &exact.name, exact.version).await?;
    tx.commit().await?;
    promoted_words(&exact.name, promoted.previous, exact.version, out)?;
    hint(&client, &exact.name, out).await
}

/// Why a candidate is no replacement yet, and what makes it one.
fn incomplete(exact: &Exact, current: MetricVersion, coverage: &Coverage) -> String {
    let Coverage {
        current_rows,
        missing,
        example,
        span,
    } = coverage;
    let example = example
        .as_ref()
        .map(|(tenant, interaction)| format!(", such as {interaction} of {tenant}"))
        .unwrap_or_default();
    let (from, to) = span.map_or_else(
        || ("…".to_owned(), "…".to_owned()),
        |(first, last)| days_around(first, last),
    );
    format!(
        "{exact} is incomplete: of {current_rows} rows of {}@{current}, {missing} belong to interactions that have none of {exact}{example}. \
         Nothing was changed. Compute them first:\n  backfill replay --from {from} --to {to} --metric-version {} --wait",
        exact.name, exact.version
    )
}

fn by_leg_instead(shelf: &Shelf, exact: &Exact, current: MetricVersion) -> bool {
    let scope = |version: MetricVersion| {
        let entry = shelf
            .entries
            .iter()
            .find(|entry| entry.name == exact.name && entry.version == version)?;
        Some(entry.compiled.as_ref().ok()?.scope())
    };
    scope(exact.version) == Some(Grain::Leg) && scope(current) == Some(Grain::Interaction)
}

/// The whole days in UTC that hold everything an interaction dated in this span was told by, but for rarities: one more on either side.
fn days_around(first: UtcMicros, last: UtcMicros) -> (String, String) {
    const DAY: i64 = 86_400_000_000;
    let day = |micros: i64| {
        let at = UtcMicros(micros.div_euclid(DAY).saturating_mul(DAY)).to_string();
        at.replace(".000Z", "Z")
    };
    (
        day(first.0.saturating_sub(DAY)),
        day(last.0.saturating_add(2 * DAY)),
    )
}

pub(super) async fn retire(args: &RetireArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let exact = &args.definition;
    let (mut client, shelf) = begin(&args.postgres).await?;
    let before = status(find(&shelf, exact)?)?;
    match before {
        Status::Retired => {
            writeln!(out, "{exact} is retired already")?;
            return Ok(());
        }
        Status::Current => bail!(
            "{exact} is what dashboards see; promote another version first: compute kpi promote {}@…",
            exact.name
        ),
        Status::Draft | Status::Candidate => {}
    }
    let tx = client.transaction().await?;
    definitions::change(&tx).await?;
    definitions::set_status(&tx, &exact.name, exact.version, Status::Retired).await?;
    tx.commit().await?;
    writeln!(out, "{}", moved(exact, Some(before), Status::Retired))?;
    writeln!(
        out,
        "  its rows stay; it is computed again only where a `backfill replay --metric-version {}` asks for it",
        exact.version
    )?;
    let previous = definitions::last_promotion(&client, &exact.name)
        .await?
        .and_then(|last| last.previous);
    if previous == Some(exact.version) {
        writeln!(
            out,
            "  `compute kpi rollback {}` would have gone back to it, and is refused from now on",
            exact.name
        )?;
    }
    Ok(())
}

pub(super) async fn rollback(args: &RollbackArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let name = &args.name;
    let (mut client, _) = begin(&args.postgres).await?;
    let tx = client.transaction().await?;
    definitions::change(&tx).await?;
    // Under the lock: what is undone is what the answer says.
    let shelf = Shelf::of(catalogue::load(&tx).await?);
    shelf.versions(name)?;
    let Some(last) = definitions::last_promotion(&tx, name).await? else {
        bail!("{name} was never promoted: there is nothing to go back to");
    };
    let Some(previous) = last.previous else {
        bail!(
            "{name}@{} was promoted at {} when there was no current version: there is nothing to go back to",
            last.version,
            last.at
        );
    };
    let exact = Exact {
        name: name.clone(),
        version: previous,
    };
    let entry = find(&shelf, &exact)?;
    match status(entry)? {
        Status::Candidate => {}
        other => bail!(
            "{exact} is {} and not computed any more, so it may lack what came since; \
             `compute kpi activate {exact}`, then `backfill replay` and `compute kpi promote {exact}`",
            a(other)
        ),
    }
    let promoted = definitions::promote(&tx, name, previous).await?;
    tx.commit().await?;
    promoted_words(name, promoted.previous, previous, out)?;
    hint(&client, name, out).await
}

/// A connection and what is stored, for a look before anything is locked.
async fn begin(args: &PostgresArgs) -> anyhow::Result<(Client, Shelf)> {
    let store = database::open(args).await?;
    let client = store.client().await?;
    let shelf = Shelf::of(catalogue::load(&client).await?);
    Ok((client, shelf))
}

fn find<'a>(shelf: &'a Shelf, exact: &Exact) -> anyhow::Result<&'a Entry> {
    shelf.find(&Reference {
        name: exact.name.clone(),
        version: Some(exact.version),
    })
}

fn status(entry: &Entry) -> anyhow::Result<Status> {
    entry.status.context("it is not stored")
}

const fn a(status: Status) -> &'static str {
    match status {
        Status::Draft => "a draft",
        Status::Candidate => "a candidate",
        Status::Current => "current",
        Status::Retired => "retired",
    }
}

/// `adjusted_aht@2: draft → candidate`.
fn moved(exact: &Exact, before: Option<Status>, after: Status) -> String {
    let before = before.map_or("not stored", Status::as_str);
    format!("{exact}: {before} → {after}")
}

fn promoted_words(
    name: &str,
    before: Option<MetricVersion>,
    after: MetricVersion,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match before {
        Some(before) => {
            writeln!(
                out,
                "{name}: dashboards saw version {before} → they see version {after}"
            )?;
            writeln!(
                out,
                "  version {before} goes on being computed: `compute kpi rollback {name}` goes back to it, `compute kpi retire {name}@{before}` ends it"
            )?;
        }
        None => writeln!(
            out,
            "{name}: dashboards saw no version → they see version {after}"
        )?,
    }
    Ok(())
}

/// The platforms have what was current before.
async fn hint(client: &Client, name: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let concerned = targets::list(client).await?.into_iter().filter(|target| {
        target.enabled
            && target.versions.is_empty()
            && target.metrics.iter().any(|metric| metric == name)
    });
    let mut commands = Vec::new();
    for target in concerned {
        commands.push(format!("deliver resync --target {}", target.name));
    }
    if commands.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "  rows that change from now on are pushed as usual; the rest is sent by: {}",
        commands.join(" && ")
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_candidate_is_refused_with_the_command_that_completes_it() {
        let exact: Exact = "talk_time@2".parse().unwrap();
        let coverage = Coverage {
            current_rows: 100,
            missing: 7,
            example: Some(("acme".to_owned(), "int_1".to_owned())),
            // 2024-03-05T10:00:00Z to 2024-03-07T23:59:59.999999Z.
            span: Some((
                UtcMicros(1_709_632_800_000_000),
                UtcMicros(1_709_855_999_999_999),
            )),
        };
        let text = incomplete(&exact, MetricVersion(1), &coverage);
        for part in [
            "of 100 rows of talk_time@1, 7 ",
            "int_1 of acme",
            "backfill replay --from 2024-03-04T00:00:00Z --to 2024-03-09T00:00:00Z --metric-version 2 --wait",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
