//! The definitions to choose from: those of the store, or those that ship with this release.

use super::args::ShelfArgs;
use super::database;
use super::subject::{Reference, Subject};
use crate::catalogue::{self, Stored};
use crate::definition_files::{self, Found};
use anyhow::{Context as _, bail};
use kpi::{Definition, Library, Problem};
use runtime::args::PostgresArgs;
use schema::{MetricVersion, UtcMicros};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::definitions::Status;

/// Names that differ from the one asked for by so much are offered instead.
const ALIKE: f64 = 0.8;

/// All definitions of one place, ascending by name and version.
#[derive(Debug)]
pub(super) struct Shelf {
    /// What they refer to.
    pub(super) library: Library,
    pub(super) entries: Vec<Entry>,
}

/// One version of one definition.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) version: MetricVersion,
    pub(super) unit: String,
    pub(super) text: String,
    /// Of its content; `None` where there is neither a stored one nor a text that this release can read.
    pub(super) digest: Option<Vec<u8>>,
    /// `None`: it ships with this release, and nobody asked a database.
    pub(super) status: Option<Status>,
    pub(super) created_at: Option<UtcMicros>,
    pub(super) activated_at: Option<UtcMicros>,
    /// The catalogue's generation in which it was last switched on; 0: since ever.
    pub(super) activated_generation: i64,
    /// What the text says, or why this release cannot read it.
    pub(super) compiled: Result<Arc<Definition>, Vec<Problem>>,
}

impl Entry {
    /// `name@version`.
    pub(super) fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// What the text says, or an error that lists why it cannot be read.
    pub(super) fn definition(&self) -> anyhow::Result<Arc<Definition>> {
        match &self.compiled {
            Ok(definition) => Ok(definition.clone()),
            Err(problems) => bail!(
                "{} cannot be read by this release:\n{}",
                self.label(),
                listed(problems)
            ),
        }
    }

    fn stands(&self) -> String {
        match self.status {
            Some(status) => format!("{} ({status})", self.version),
            None => self.version.to_string(),
        }
    }
}

fn digest(compiled: &Result<Arc<Definition>, Vec<Problem>>) -> Option<Vec<u8>> {
    let definition = compiled.as_ref().ok()?;
    Some(definition.digest().to_vec())
}

/// Problems, one a line.
pub(super) fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl Shelf {
    /// What the flags ask for.
    pub(super) async fn open(args: &ShelfArgs) -> anyhow::Result<Self> {
        if args.shipped {
            return Ok(Self::shipped());
        }
        Self::of_database(&args.postgres).await
    }

    /// What is stored.
    pub(super) async fn of_database(args: &PostgresArgs) -> anyhow::Result<Self> {
        let store = database::open(args).await?;
        let client = store.client().await?;
        Ok(Self::of(catalogue::load(&client).await?))
    }

    /// What ships with this release.
    pub(super) fn shipped() -> Self {
        let library = Library::shipped();
        let mut entries: Vec<Entry> = kpi::shipped_definitions()
            .iter()
            .map(|shipped| {
                let compiled = Definition::read(shipped.file, shipped.text, &library).map(Arc::new);
                Entry {
                    name: shipped.name.to_owned(),
                    version: shipped.version,
                    unit: compiled
                        .as_ref()
                        .map(|definition| definition.unit().name().to_owned())
                        .unwrap_or_default(),
                    text: shipped.text.to_owned(),
                    digest: digest(&compiled),
                    status: None,
                    created_at: None,
                    activated_at: None,
                    activated_generation: 0,
                    compiled,
                }
            })
            .collect();
        entries
            .sort_by(|left, right| (&left.name, left.version).cmp(&(&right.name, right.version)));
        Self { library, entries }
    }

    /// What was loaded from a store.
    pub(super) fn of(stored: Stored) -> Self {
        let entries = stored
            .definitions
            .into_iter()
            .map(|kpi| Entry {
                name: kpi.row.name,
                version: kpi.row.version,
                unit: kpi.row.unit,
                text: kpi.row.text,
                digest: kpi.row.digest.or_else(|| digest(&kpi.compiled)),
                status: Some(kpi.row.status),
                created_at: Some(kpi.row.created_at),
                activated_at: kpi.row.activated_at,
                activated_generation: kpi.row.activated_generation,
                compiled: kpi.compiled,
            })
            .collect();
        Self {
            library: stored.library,
            entries,
        }
    }

    /// All versions of a name, ascending; an error that offers what is alike when there is none.
    pub(super) fn versions(&self, name: &str) -> anyhow::Result<Vec<&Entry>> {
        let found: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|entry| entry.name == name)
            .collect();
        if found.is_empty() {
            bail!("there is no definition {name}{}", self.alike(name));
        }
        Ok(found)
    }

    /// One version. Without a number: the current one, or the newest where the definitions have no status.
    pub(super) fn find(&self, reference: &Reference) -> anyhow::Result<&Entry> {
        let versions = self.versions(&reference.name)?;
        let there_are = || -> String {
            let words: Vec<String> = versions.iter().map(|entry| entry.stands()).collect();
            words.join(", ")
        };
        match reference.version {
            Some(version) => versions
                .iter()
                .find(|entry| entry.version == version)
                .copied()
                .with_context(|| {
                    format!(
                        "there is no {}@{version}; of {} there are {}",
                        reference.name,
                        reference.name,
                        there_are()
                    )
                }),
            None if versions.iter().all(|entry| entry.status.is_none()) => {
                versions.last().copied().context("no version")
            }
            None => self.current(&reference.name).with_context(|| {
                format!(
                    "{} has no current version; name one of {}: {}@{}",
                    reference.name,
                    there_are(),
                    reference.name,
                    versions
                        .last()
                        .map_or(MetricVersion::FIRST, |entry| entry.version)
                )
            }),
        }
    }

    /// The version that dashboards see.
    pub(super) fn current(&self, name: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.name == name && entry.status == Some(Status::Current))
    }

    /// The version with the greatest number.
    pub(super) fn newest(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().rfind(|entry| entry.name == name)
    }

    /// The number that a changed text can have.
    pub(super) fn next_version(&self, name: &str) -> u16 {
        self.newest(name)
            .map_or(1, |entry| entry.version.0.saturating_add(1))
    }

    /// The text that a subject names, and how to call it.
    pub(super) fn text(&self, subject: &Subject) -> anyhow::Result<(String, String)> {
        match subject {
            Subject::Stored(reference) => {
                let entry = self.find(reference)?;
                Ok((entry.label(), entry.text.clone()))
            }
            Subject::File(path) => Ok((path.display().to_string(), read(path)?)),
        }
    }

    fn alike(&self, name: &str) -> String {
        let best = self
            .entries
            .iter()
            .map(|entry| (strsim::jaro_winkler(name, &entry.name), &entry.name))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|left, right| left.0.total_cmp(&right.0));
        match best {
            Some((_, alike)) => format!("; did you mean {alike}?"),
            None => "; `compute kpi list` shows what there is".to_owned(),
        }
    }
}

/// The definitions in a file or folder, of which there is at least one, and the library they were compiled with.
pub(super) fn definitions_of_file(
    path: &Path,
    library: &Library,
) -> anyhow::Result<(Vec<Found<Arc<Definition>>>, Library)> {
    let files = definition_files::read(&[path.to_owned()], library)?;
    if files.definitions.is_empty() {
        bail!("{} holds no definition", path.display());
    }
    Ok((files.definitions, files.library))
}

/// The one definition in a file, and the library it was compiled with.
pub(super) fn definition_of_file(
    path: &Path,
    library: &Library,
) -> anyhow::Result<(Arc<Definition>, Library)> {
    let (definitions, library) = definitions_of_file(path, library)?;
    match <[Found<_>; 1]>::try_from(definitions) {
        Ok([found]) => Ok((found.what, library)),
        Err(more) => bail!(
            "{} holds {} definitions; name one of the files in it",
            path.display(),
            more.len()
        ),
    }
}

/// The library with the schedules and places of these files and folders.
pub(super) fn with_documents(library: &Library, paths: &[PathBuf]) -> anyhow::Result<Library> {
    if paths.is_empty() {
        return Ok(library.clone());
    }
    Ok(definition_files::read(paths, library)?.library)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
