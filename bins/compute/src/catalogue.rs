//! The definitions in the store: read, compiled, and kept fresh in a running process.
//!
//! Every change of definitions, schedules or places raises one number, the generation, under an exclusive lock. Each transaction
//! of compute takes the same lock shared and then asks for the number: as long as it runs nobody can promote, and when the number
//! is not the one this process knows, the transaction reads the catalogue anew before it evaluates anything. So replicas follow a
//! change without a restart, and no batch is evaluated by two states of the catalogue.

use compact_str::CompactString;
use kpi::{Catalogue, Definition, Library, MetricValue, Priority, Problem};
use rustc_hash::FxHashMap;
use schema::MetricVersion;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use store::definitions::{self, Inserted, NewDefinition, Status, StoredDefinition};
use store::documents::{self, NewPlaces, NewSchedule};
use store::{Store, StoreError, Transaction};
use timezone::{Places, Schedule};

/// All that the store holds, compiled as far as it compiles.
#[derive(Debug)]
pub struct Stored {
    /// Which state of the catalogue this is.
    pub generation: i64,
    /// What definitions refer to: the schedules of the store and those that ship with this release, and the newest places.
    pub library: Library,
    /// Ascending by name and version.
    pub definitions: Vec<StoredKpi>,
}

/// One stored definition.
#[derive(Debug)]
pub struct StoredKpi {
    /// The row. A seeded row without a text has the text that ships with this release.
    pub row: StoredDefinition,
    /// What the text says, or why this release cannot read it.
    pub compiled: Result<Arc<Definition>, Vec<Problem>>,
}

/// What [`ship`] did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ShipReport {
    /// Definitions that were not in the store, now drafts (or seeded rows that now have their text).
    pub definitions: u64,
    /// Schedules that were not in the store.
    pub schedules: u64,
    /// `name@version` of what the store holds with another content, which stays.
    pub differing: Vec<String>,
}

/// Reads and compiles everything. Call it in a transaction that holds the catalogue's lock, or where a torn read does no harm.
pub async fn load(conn: &impl store::Connection) -> Result<Stored, StoreError> {
    load_those(conn, |_| true).await
}

/// Like [`load`], for the definitions that are wanted: the others are not even compiled.
async fn load_those(
    conn: &impl store::Connection,
    wanted: impl Fn(&StoredDefinition) -> bool,
) -> Result<Stored, StoreError> {
    let generation = definitions::generation(conn).await?;
    let rows = definitions::list(conn).await?;
    let schedules = documents::list_schedules(conn).await?;
    let places = documents::latest_places(conn).await?;
    let library = library(
        schedules
            .iter()
            .map(|stored| (stored.name.as_str(), stored.text.as_str())),
        places.as_ref().map(|stored| stored.text.as_str()),
    );
    let definitions = rows
        .into_iter()
        .filter(|row| wanted(row))
        .map(|mut row| {
            if row.text.is_empty()
                && let Some(text) = shipped_text(&row.name, row.version)
            {
                text.clone_into(&mut row.text);
            }
            let file = format!("{}@{}", row.name, row.version);
            let compiled = Definition::read(&file, &row.text, &library).map(Arc::new);
            StoredKpi { row, compiled }
        })
        .collect();
    Ok(Stored {
        generation,
        library,
        definitions,
    })
}

/// Texts that were checked when they were stored; one that this release cannot read is reported and left out, and the
/// definitions that refer to it say so by themselves.
fn library<'a>(
    schedules: impl Iterator<Item = (&'a str, &'a str)>,
    places: Option<&str>,
) -> Library {
    let mut by_version: BTreeMap<(String, u16), Schedule> = BTreeMap::new();
    let shipped = kpi::shipped_schedules()
        .iter()
        .map(|shipped| (shipped.file, shipped.text));
    // The store's texts come last and so have the last word.
    for (name, text) in shipped.chain(schedules) {
        match Schedule::read(text) {
            Ok(schedule) => {
                by_version.insert((schedule.name().to_owned(), schedule.version()), schedule);
            }
            Err(problems) => {
                tracing::error!(
                    schedule = name,
                    ?problems,
                    "a stored schedule cannot be read"
                );
            }
        }
    }
    let places = match places.map(Places::read) {
        None => Places::empty(),
        Some(Ok(places)) => places,
        Some(Err(problems)) => {
            tracing::error!(?problems, "the stored places cannot be read");
            Places::empty()
        }
    };
    Library::new(by_version.into_values(), places)
}

fn shipped_text(name: &str, version: MetricVersion) -> Option<&'static str> {
    kpi::shipped_definitions()
        .iter()
        .find(|shipped| shipped.name == name && shipped.version == version)
        .map(|shipped| shipped.text)
}

/// Puts what ships with this release into the store: schedules, and definitions as drafts. What is there already stays.
pub async fn ship(store: &Store) -> anyhow::Result<ShipReport> {
    let mut report = ShipReport::default();
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    definitions::change(&tx).await?;
    for shipped in kpi::shipped_schedules() {
        let schedule = Schedule::read(shipped.text)
            .map_err(|problems| anyhow::anyhow!("{}: {problems:?}", shipped.file))?;
        let inserted = documents::insert_schedule(
            &tx,
            &NewSchedule {
                name: schedule.name(),
                version: MetricVersion(schedule.version()),
                text: shipped.text,
                digest: &kpi::content_digest(shipped.text),
            },
        )
        .await?;
        match inserted {
            Inserted::New => report.schedules += 1,
            Inserted::Same => {}
            Inserted::Differs { .. } => report.differing.push(format!(
                "schedule {}@{}",
                schedule.name(),
                schedule.version()
            )),
        }
    }
    for definition in Catalogue::shipped().definitions() {
        match insert(&tx, definition).await? {
            Inserted::New => report.definitions += 1,
            Inserted::Same => {}
            Inserted::Differs { .. } => {
                report
                    .differing
                    .push(format!("{}@{}", definition.name(), definition.version()));
            }
        }
    }
    // Rolled back, the generation stays as it is and no replica reads again for nothing.
    if report.definitions + report.schedules > 0 {
        tx.commit().await?;
    }
    Ok(report)
}

/// Stores a definition as a draft.
pub async fn insert(tx: &Transaction<'_>, definition: &Definition) -> Result<Inserted, StoreError> {
    definitions::insert(
        tx,
        &NewDefinition {
            name: definition.name(),
            version: definition.version(),
            unit: definition.unit().name(),
            text: definition.text(),
            digest: &definition.digest(),
        },
    )
    .await
}

/// Stores a document with the places of agents, queues and organisations.
pub async fn insert_places(
    tx: &Transaction<'_>,
    places: &Places,
    text: &str,
) -> Result<Inserted, StoreError> {
    documents::insert_places(
        tx,
        &NewPlaces {
            version: MetricVersion(places.version()),
            text,
            digest: &kpi::content_digest(text),
        },
    )
    .await
}

/// One state of the catalogue, ready to evaluate.
#[derive(Debug)]
pub struct Active {
    /// Which state this is.
    pub generation: i64,
    /// Every definition that was ever switched on and that this release can read.
    pub catalogue: Catalogue,
    /// Indexes of the current and candidate ones: evaluated for every interaction that has news.
    switched_on: Vec<usize>,
    /// Indexes of those of them that are evaluated in a storm as well: critical ones, and those of which the fold evaluates nothing.
    not_deferred: Vec<usize>,
    /// Indexes of the retired ones: evaluated where a job asks for their version.
    retired: Vec<usize>,
    /// What names the activation of each definition, by index.
    activations: Vec<i64>,
    /// What items and cells of windows name each definition by, by index.
    ids: Vec<i32>,
    /// The same by name and version.
    id_of: FxHashMap<(CompactString, MetricVersion), i32>,
    /// The numbers of those that are switched on and that this release cannot read.
    pub unreadable: Vec<i32>,
}

impl Active {
    /// Sorts out what is to be evaluated.
    pub fn of(stored: Stored) -> Self {
        let (mut definitions, mut activations, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        let (mut switched_on, mut retired) = (Vec::new(), Vec::new());
        let mut unreadable = Vec::new();
        for StoredKpi { row, compiled } in stored.definitions {
            // A draft that was retired was never switched on either.
            if row.status == Status::Draft
                || (row.status == Status::Retired && row.activated_at.is_none())
            {
                continue;
            }
            match compiled {
                Ok(definition) => {
                    let index = definitions.len();
                    definitions.push(definition);
                    activations.push(row.activation_id);
                    ids.push(row.definition_id);
                    match row.status {
                        Status::Retired => retired.push(index),
                        Status::Current | Status::Candidate | Status::Draft => {
                            switched_on.push(index);
                        }
                    }
                }
                Err(problems) if row.status != Status::Retired => {
                    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    tracing::error!(
                        kpi = row.name,
                        version = row.version.0,
                        problems = problems.join("; "),
                        "a switched-on definition cannot be read by this release; it is not computed"
                    );
                    unreadable.push(row.definition_id);
                }
                Err(_) => {}
            }
        }
        Self {
            generation: stored.generation,
            id_of: ids_by_name(&definitions, &ids),
            not_deferred: not_deferred(&definitions, &switched_on),
            catalogue: Catalogue::new(definitions, stored.library),
            switched_on,
            retired,
            activations,
            ids,
            unreadable,
        }
    }

    /// The definitions that ship with this release, all switched on: the engine without a store.
    pub fn shipped() -> Self {
        let catalogue = Catalogue::shipped();
        let ids: Vec<i32> = (1..).take(catalogue.definitions().len()).collect();
        let switched_on: Vec<usize> = (0..catalogue.definitions().len()).collect();
        Self {
            generation: 0,
            not_deferred: not_deferred(catalogue.definitions(), &switched_on),
            switched_on,
            activations: (0..).take(catalogue.definitions().len()).collect(),
            id_of: ids_by_name(catalogue.definitions(), &ids),
            ids,
            catalogue,
            retired: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// What to evaluate for an interaction that has news: what is switched on, and retired ones of the versions that jobs ask for.
    pub fn of_news(&self, asked: &BTreeSet<MetricVersion>) -> Vec<usize> {
        let retired = self.asked(&self.retired, asked);
        self.switched_on.iter().copied().chain(retired).collect()
    }

    /// What to evaluate at once for an interaction that has news in a storm: what is not deferred, and the versions that jobs ask for. The other
    /// part of [`Active::of_news`] is owed.
    pub fn of_news_in_storm(&self, asked: &BTreeSet<MetricVersion>) -> Vec<usize> {
        let definitions = self.catalogue.definitions();
        let switched_on = self.switched_on.iter().copied().filter(|index| {
            self.not_deferred.contains(index) || asked.contains(&definitions[*index].version())
        });
        switched_on
            .chain(self.asked(&self.retired, asked))
            .collect()
    }

    /// Whether a storm would defer anything.
    pub const fn can_defer(&self) -> bool {
        self.not_deferred.len() < self.switched_on.len()
    }

    /// The places of the definitions of these numbers that were ever switched on and can be read, in the order of the catalogue, and the numbers of
    /// those that are switched on and cannot.
    pub fn of_ids(&self, ids: &[i32]) -> (Vec<usize>, Vec<i32>) {
        let found = (0..self.ids.len()).filter(|index| ids.contains(&self.ids[*index]));
        let unread = self.unreadable.iter().copied();
        (
            found.collect(),
            unread.filter(|id| ids.contains(id)).collect(),
        )
    }

    /// Whether a switched-on definition about journeys is critical.
    pub fn has_critical_journeys(&self) -> bool {
        self.any(&self.switched_on, |it| {
            it.journey().is_some() && it.priority() == Priority::Critical
        })
    }

    /// Whether a switched-on definition about the time of agents is critical.
    pub fn has_critical_agent_time(&self) -> bool {
        self.any(&self.switched_on, |it| {
            it.agent_time().is_some() && it.priority() == Priority::Critical
        })
    }

    /// What to evaluate for an interaction without news: nothing but the versions that jobs ask for. Recomputing one version from
    /// known facts touches no other, whatever places, zone data or releases have changed since.
    pub fn of_jobs(&self, asked: &BTreeSet<MetricVersion>) -> Vec<usize> {
        let switched_on = self.asked(&self.switched_on, asked);
        switched_on
            .chain(self.asked(&self.retired, asked))
            .collect()
    }

    fn asked<'a>(
        &'a self,
        which: &'a [usize],
        asked: &'a BTreeSet<MetricVersion>,
    ) -> impl Iterator<Item = usize> + 'a {
        let definitions = self.catalogue.definitions();
        which
            .iter()
            .copied()
            .filter(|index| asked.contains(&definitions[*index].version()))
    }

    /// What names the activations of these definitions.
    pub fn activations(&self, which: &[usize]) -> Vec<i64> {
        which.iter().map(|index| self.activations[*index]).collect()
    }

    /// The numbers of the current and candidate ones that this release can read.
    pub fn switched_on_ids(&self) -> Vec<i32> {
        let indexes = self.switched_on.iter();
        indexes
            .filter_map(|index| self.definition_id(*index))
            .collect()
    }

    /// What items and cells of windows name a definition by.
    pub fn definition_id(&self, index: usize) -> Option<i32> {
        self.ids.get(index).copied()
    }

    /// The same of the definition that gave a row.
    pub fn definition_id_of(&self, row: &MetricValue) -> Option<i32> {
        let key = (row.metric.clone(), row.version);
        self.id_of.get(&key).copied()
    }

    /// The numbers of the definitions about agents' time that are switched off and of a version that jobs ask for.
    pub fn retired_agent_time(&self, asked: &BTreeSet<MetricVersion>) -> Vec<i32> {
        let definitions = self.catalogue.definitions();
        self.asked(&self.retired, asked)
            .filter(|index| definitions[*index].agent_time().is_some())
            .filter_map(|index| self.definition_id(index))
            .collect()
    }

    /// Whether one of these definitions is about journeys.
    pub fn has_journeys(&self, which: &[usize]) -> bool {
        self.any(which, |definition| definition.journey().is_some())
    }

    /// Whether one of these definitions is about the time of agents.
    pub fn has_agent_time(&self, which: &[usize]) -> bool {
        self.any(which, |definition| definition.agent_time().is_some())
    }

    fn any(&self, which: &[usize], is: impl Fn(&Definition) -> bool) -> bool {
        let definitions = self.catalogue.definitions();
        which.iter().any(|index| {
            definitions
                .get(*index)
                .is_some_and(|definition| is(definition))
        })
    }

    /// What names the activations of all that is switched on and can be read.
    pub fn all_activations(&self) -> Vec<i64> {
        self.activations(&self.switched_on)
    }
}

/// Of the switched-on ones, those that a storm does not defer. The fold evaluates nothing of journeys and of agents' time: it notes what these
/// are computed from.
fn not_deferred(definitions: &[Arc<Definition>], switched_on: &[usize]) -> Vec<usize> {
    let at_once = |index: &usize| {
        let definition = &definitions[*index];
        definition.priority() == Priority::Critical
            || definition.journey().is_some()
            || definition.agent_time().is_some()
    };
    switched_on.iter().copied().filter(at_once).collect()
}

fn ids_by_name(
    definitions: &[Arc<Definition>],
    ids: &[i32],
) -> FxHashMap<(CompactString, MetricVersion), i32> {
    definitions
        .iter()
        .zip(ids)
        .map(|(definition, id)| ((definition.name().into(), definition.version()), *id))
        .collect()
}

/// The catalogue as this process knows it. Cheap to clone; one per process.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    known: Arc<Mutex<Option<Arc<Active>>>>,
}

impl Watch {
    /// The catalogue that holds until this transaction ends: nobody can change it before.
    pub async fn active(&self, tx: &Transaction<'_>) -> Result<Arc<Active>, StoreError> {
        self.to_fold(tx).await.map(|(active, _)| active)
    }

    /// The same, and whether any interaction was erased: an erasure waits for this transaction before it goes on from its marks.
    pub async fn to_fold(&self, tx: &Transaction<'_>) -> Result<(Arc<Active>, bool), StoreError> {
        let shared = definitions::generation_shared(tx).await?;
        let generation = shared.generation;
        if let Some(known) = self.known()
            && known.generation == generation
        {
            return Ok((known, shared.erasures));
        }
        // Most of what is stored are drafts, and a change waits until this transaction ends.
        let stored = load_those(tx, |row| row.status != Status::Draft).await?;
        let active = Arc::new(Active::of(stored));
        tracing::info!(
            generation,
            definitions = active.switched_on.len(),
            unreadable = active.unreadable.len(),
            "the catalogue was read"
        );
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have read a later state meanwhile.
        if known
            .as_ref()
            .is_none_or(|known| known.generation < generation)
        {
            *known = Some(active.clone());
        }
        Ok((active, shared.erasures))
    }

    /// The state read last, if any was.
    pub fn known(&self) -> Option<Arc<Active>> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
