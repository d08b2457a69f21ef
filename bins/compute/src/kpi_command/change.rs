//! `compute kpi activate`, `promote`, `retire`, `rollback`: which versions are computed, and which one dashboards see.
//!
//! Each is one transaction that keeps evaluations out: replicas see all of it or nothing, from their next batch on. Whatever takes long is
//! looked at before, and holds only where the catalogue is still the one that was looked at. [`past`] says what is still to be computed.

mod past;

use super::add;
use super::args::{ActivateArgs, PromoteArgs, RetireArgs, RollbackArgs};
use super::conflict::unlike;
use super::database;
use super::shelf::{Entry, Shelf};
use super::subject::{Exact, Reference, Subject};
use super::windows;
use crate::catalogue;
use anyhow::{Context as _, bail};
use kpi::Grain;
use runtime::args::PostgresArgs;
use schema::MetricVersion;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use store::definitions::{self, Status};
use store::promotion::{self, Refusal, Verdict};
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
    let store = database::open_to_change(&args.postgres).await?;
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    definitions::change(&tx).await?;
    let mut shelf = Shelf::of(catalogue::load(&tx).await?);
    let (mut news, mut moved) = (false, false);
    if !files.is_empty() {
        let (added, read) = add::add(&tx, &files, &shelf).await?;
        news = added.iter().any(|added| added.is_new);
        moved = add::moves_windows(&added);
        wanted.extend(read.definitions.iter().map(|found| Exact {
            name: found.what.name().to_owned(),
            version: found.what.version(),
        }));
        shelf = Shelf::of(catalogue::load(&tx).await?);
    }
    if wanted.is_empty() {
        bail!(
            "there is no definition in these files; `compute kpi add` stores schedules and places"
        );
    }
    let mut switched = Vec::new();
    for exact in wanted {
        let (scope, before) = switch_on(&tx, &shelf, &exact).await?;
        news |= !before.is_switched_on();
        switched.push((exact, scope, before));
    }
    if news {
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    drop(client);
    let mut news = BTreeSet::new();
    for (exact, scope, before) in &switched {
        for sentence in switched_on(&shelf, exact, *scope, *before) {
            writeln!(out, "{sentence}")?;
        }
        if !before.is_switched_on() {
            news.insert(exact.version);
        }
    }
    // What is done is said before a look that can take minutes.
    out.flush()?;
    if moved {
        writeln!(out, "{}", add::move_windows(&args.postgres).await?)?;
    }
    let mut switched = switched.iter();
    let first = switched.find(|(_, _, before)| !before.is_switched_on());
    if let Some((exact, _, _)) = first {
        let past = past::of(&args.postgres, exact).await;
        for version in news {
            writeln!(out, "  the past: {}", past.words(version))?;
        }
    }
    Ok(())
}

/// What it is about, and the status that it had before.
async fn switch_on(
    tx: &Transaction<'_>,
    shelf: &Shelf,
    exact: &Exact,
) -> anyhow::Result<(Grain, Status)> {
    let entry = find(shelf, exact)?;
    let scope = entry.definition()?.scope();
    let before = status(entry)?;
    if !before.is_switched_on() {
        refuse_unlike(entry, shelf)?;
        definitions::set_status(tx, &exact.name, exact.version, Status::Candidate).await?;
    }
    Ok((scope, before))
}

/// A number with another unit, or about something else, would mix with the rows that others have made under the name.
fn refuse_unlike(entry: &Entry, shelf: &Shelf) -> anyhow::Result<()> {
    match unlike(&*entry.definition()?, shelf) {
        Some((_, message)) => bail!("{message}"),
        None => Ok(()),
    }
}

/// What to say about a version that is switched on now.
fn switched_on(shelf: &Shelf, exact: &Exact, scope: Grain, before: Status) -> Vec<String> {
    if before.is_switched_on() {
        return vec![format!("{exact} is {before}: it is computed already")];
    }
    vec![
        moved(exact, Some(before), Status::Candidate),
        format!(
            "  it is computed from the next batch on, for {}",
            of_whom(scope)
        ),
        match shelf.current(&exact.name) {
            Some(current) => format!(
                "  dashboards go on seeing {}; `compute kpi promote {exact}` changes that",
                current.label()
            ),
            None => format!(
                "  readers see nothing of {} until a version is promoted: compute kpi promote {exact}",
                exact.name
            ),
        },
    ]
}

/// Who has to have news so that a definition is computed.
const fn of_whom(scope: Grain) -> &'static str {
    match scope {
        Grain::Interaction | Grain::Leg => "every interaction that has news",
        Grain::Journey => "the contacts of every customer who has news",
        Grain::AgentTime => "the time of every agent who has news",
    }
}

pub(super) async fn promote(args: &PromoteArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let exact = &args.definition;
    let store = database::open(&args.postgres).await?;
    let client = store.client().await?;
    // Looking whether everything is there can take long and must not keep evaluations out. It stays true as long as nobody changes
    // the catalogue: whatever is computed meanwhile is computed under both versions.
    let stored = catalogue::load(&client).await?;
    let generation = stored.generation;
    let shelf = Shelf::of(stored);
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
    refuse_unlike(entry, &shelf)?;
    let windows = entry.definition()?.windows().is_some();
    match promotion::look(&client, &exact.name, exact.version, windows).await? {
        // It was a candidate of the catalogue that was read; where somebody has changed it since, the switch refuses.
        Verdict::Current | Verdict::Ready { .. } => {}
        Verdict::Refused(Refusal::Incomplete { current, coverage }) => {
            bail!(
                "{}",
                past::refused(&client, exact, current, &coverage).await
            );
        }
        Verdict::Refused(Refusal::WindowsBehind(waiting)) => {
            bail!("{}", windows::behind(&waiting));
        }
        Verdict::Refused(other) => bail!("{exact}: {other}"),
    }
    let after = Some(exact.version);
    let before = switch(&args.postgres, generation, &exact.name, after).await?;
    switch_words(&exact.name, before, after, out)?;
    hint(&client, &exact.name, out).await
}

/// Makes dashboards see a version, or none, if the catalogue is still in the state that was looked at. Returns what they saw before.
async fn switch(
    args: &PostgresArgs,
    generation: i64,
    name: &str,
    after: Option<MetricVersion>,
) -> anyhow::Result<Option<MetricVersion>> {
    const CHANGED: &str =
        "the catalogue was changed by somebody else meanwhile; look at it and try again";
    let store = database::open_to_change(args).await?;
    let mut client = store.client().await?;
    if let Some(version) = after {
        return match promotion::switch(&mut client, generation, name, version).await? {
            Ok(promoted) => Ok(promoted.previous),
            Err(_) => bail!(CHANGED),
        };
    }
    let tx = client.transaction().await?;
    if definitions::change(&tx).await? != generation + 1 {
        bail!(CHANGED);
    }
    let before = definitions::withdraw(&tx, name).await?;
    tx.commit().await?;
    Ok(before)
}

pub(super) async fn retire(args: &RetireArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let exact = &args.definition;
    let store = database::open_to_change(&args.postgres).await?;
    let mut client = store.client().await?;
    let shelf = Shelf::of(catalogue::load(&client).await?);
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
    let Reference { name, version } = &args.definition;
    let store = database::open(&args.postgres).await?;
    let client = store.client().await?;
    let stored = catalogue::load(&client).await?;
    let generation = stored.generation;
    let shelf = Shelf::of(stored);
    shelf.versions(name)?;
    let current = shelf.current(name).map(|entry| entry.version);
    if let Some(version) = version
        && current != Some(*version)
    {
        let seen = current.map_or_else(
            || format!("no version of {name}"),
            |current| format!("{name}@{current}"),
        );
        bail!("dashboards do not see {name}@{version}, they see {seen}: nothing was changed");
    }
    let Some(last) = definitions::last_promotion(&client, name).await? else {
        bail!("{name} was never promoted: there is nothing to go back to");
    };
    if let Some(previous) = last.previous {
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
        // Computed ever since it was seen, it lacks nothing. Switched off and on again, it may.
        if entry.activated_generation > last.generation
            && let Some(refusal) = past::incomplete(&client, &exact, current).await?
        {
            bail!("{exact} was switched off and on again since dashboards saw it. {refusal}");
        }
    }
    let before = switch(&args.postgres, generation, name, last.previous).await?;
    switch_words(name, before, last.previous, out)?;
    hint(&client, name, out).await
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

fn switch_words(
    name: &str,
    before: Option<MetricVersion>,
    after: Option<MetricVersion>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let seen = |version: Option<MetricVersion>| {
        version.map_or_else(
            || "no version".to_owned(),
            |version| format!("version {version}"),
        )
    };
    writeln!(
        out,
        "{name}: dashboards saw {} → they see {}",
        seen(before),
        seen(after)
    )?;
    let way_back = match (before, after) {
        (Some(before), Some(after)) => format!(
            "  version {before} goes on being computed: `compute kpi rollback {name}@{after}` goes back to it, `compute kpi retire {name}@{before}` ends it"
        ),
        (None, Some(after)) => format!(
            "  `compute kpi rollback {name}@{after}` takes it back, so that they see no version again"
        ),
        (Some(before), None) => format!(
            "  version {before} goes on being computed: `compute kpi promote {name}@{before}` shows it again, `compute kpi retire {name}@{before}` ends it"
        ),
        (None, None) => return Ok(()),
    };
    writeln!(out, "{way_back}")?;
    Ok(())
}

/// The platforms have what was current before.
async fn hint(client: &Client, name: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let is_shown = definitions::list(client)
        .await?
        .iter()
        .any(|stored| stored.name == name && stored.status == Status::Current);
    let concerned = targets::list(client).await?.into_iter().filter(|target| {
        target.enabled
            && target.versions.is_empty()
            && target.metrics.iter().any(|metric| metric == name)
    });
    let names: Vec<String> = concerned.map(|target| target.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    if is_shown {
        let commands: Vec<String> = names
            .iter()
            .map(|target| format!("deliver resync --target {target}"))
            .collect();
        writeln!(
            out,
            "  rows that change from now on are pushed as usual; the rest is sent by: {}",
            commands.join(" && ")
        )?;
    } else {
        writeln!(
            out,
            "  what these targets have of it stays there, and nothing more is pushed: {}",
            names.join(", ")
        )?;
    }
    Ok(())
}
