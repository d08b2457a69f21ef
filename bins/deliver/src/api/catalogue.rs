//! The KPIs and their versions, as they were defined: read from the store once a change of the catalogue.

use kpi::{Aggregation, Definition, Library};
use schema::{MetricVersion, UtcMicros};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::definitions::{Status, StoredDefinition};
use store::{Connection, StoreError, definitions, documents};
use timezone::{Places, Schedule};
use tokio::sync::Mutex;
use window::{GroupBy, Size};

/// One version of a KPI.
#[derive(Debug, Clone)]
pub struct Kpi {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: MetricVersion,
    /// What is done with it.
    pub status: Status,
    /// The unit of its values.
    pub unit: String,
    /// When it was stored.
    pub created_at: UtcMicros,
    /// When it was last switched on.
    pub activated_at: Option<UtcMicros>,
    /// What its text says; absent where this release cannot read it.
    pub text: Option<Text>,
}

/// What a definition says of itself.
#[derive(Debug, Clone)]
pub struct Text {
    /// Its title, else its name.
    pub title: String,
    /// What it is.
    pub description: String,
    /// Where the formula comes from.
    pub source: String,
    /// `interaction`, `leg`, `journey` or `agent_time`.
    pub scope: &'static str,
    /// `critical` or `normal`.
    pub priority: &'static str,
    /// How its values are put together; the first is a window's value.
    pub aggregations: Vec<Aggregation>,
    /// In which windows they add up.
    pub windows: Vec<Windows>,
    /// How long after its end a window may still change, in seconds.
    pub settles_after_seconds: Option<i64>,
}

/// Windows of one kind of group.
#[derive(Debug, Clone)]
pub struct Windows {
    /// What makes a group.
    pub by: GroupBy,
    /// How long they are.
    pub sizes: Vec<Size>,
}

impl Kpi {
    /// The title; the name where its text cannot be read.
    #[must_use]
    pub fn title(&self) -> &str {
        self.text.as_ref().map_or(&self.name, |text| &text.title)
    }

    /// Whether it has windows of such groups and size.
    #[must_use]
    pub fn has_windows(&self, by: &str, size: &str) -> bool {
        self.windows().iter().any(|windows| {
            windows.by.text() == by && windows.sizes.iter().any(|one| one.name() == size)
        })
    }

    /// Its windows; none where its text cannot be read.
    #[must_use]
    pub fn windows(&self) -> &[Windows] {
        self.text.as_ref().map_or(&[], |text| &text.windows)
    }
}

/// All of them at one generation.
#[derive(Debug, Default)]
pub struct Kpis {
    generation: i64,
    /// By name and version.
    all: Vec<Kpi>,
}

impl Kpis {
    /// All of them, by name and version.
    #[must_use]
    pub fn all(&self) -> &[Kpi] {
        &self.all
    }

    /// One version.
    #[must_use]
    pub fn version(&self, name: &str, version: MetricVersion) -> Option<&Kpi> {
        self.all
            .iter()
            .find(|kpi| kpi.name == name && kpi.version == version)
    }

    /// The version that dashboards see.
    #[must_use]
    pub fn current(&self, name: &str) -> Option<&Kpi> {
        self.all
            .iter()
            .find(|kpi| kpi.name == name && kpi.status == Status::Current)
    }
}

/// The last ones read.
#[derive(Debug, Default)]
pub struct Catalogue(Mutex<Option<Arc<Kpis>>>);

impl Catalogue {
    /// As they are now. Whoever comes while they are read waits for them.
    pub async fn get(&self, conn: &impl Connection) -> Result<Arc<Kpis>, StoreError> {
        let generation = definitions::generation(conn).await?;
        let mut held = self.0.lock().await;
        // Another may have read a newer one meanwhile.
        if let Some(kpis) = held.as_ref().filter(|kpis| kpis.generation >= generation) {
            return Ok(Arc::clone(kpis));
        }
        let kpis = Arc::new(read(conn, generation).await?);
        *held = Some(Arc::clone(&kpis));
        Ok(kpis)
    }
}

async fn read(conn: &impl Connection, generation: i64) -> Result<Kpis, StoreError> {
    let rows = definitions::list(conn).await?;
    let schedules = documents::list_schedules(conn).await?;
    let library = library(schedules.iter().map(|stored| stored.text.as_str()));
    let all = rows.into_iter().map(|row| kpi(row, &library)).collect();
    Ok(Kpis { generation, all })
}

/// Of all that reading a definition needs, schedules alone: nothing is evaluated here, so nobody's place matters.
fn library<'a>(stored: impl Iterator<Item = &'a str>) -> Library {
    let mut by_version: BTreeMap<(String, u16), Schedule> = BTreeMap::new();
    let shipped = kpi::shipped_schedules().iter().map(|shipped| shipped.text);
    for schedule in shipped
        .chain(stored)
        .filter_map(|text| Schedule::read(text).ok())
    {
        by_version.insert((schedule.name().to_owned(), schedule.version()), schedule);
    }
    Library::new(by_version.into_values(), Places::empty())
}

fn kpi(row: StoredDefinition, library: &Library) -> Kpi {
    let shipped = || {
        kpi::shipped_definitions()
            .iter()
            .find(|shipped| shipped.name == row.name && shipped.version == row.version)
            .map_or("", |shipped| shipped.text)
    };
    // Early releases stored names without texts.
    let text = if row.text.is_empty() {
        shipped()
    } else {
        &row.text
    };
    let read = Definition::read(&row.name, text, library).ok();
    Kpi {
        text: read.as_ref().map(Text::of),
        name: row.name,
        version: row.version,
        status: row.status,
        unit: row.unit,
        created_at: row.created_at,
        activated_at: row.activated_at,
    }
}

impl Text {
    fn of(definition: &Definition) -> Self {
        let rule = definition.windows();
        Self {
            title: definition.title().to_owned(),
            description: definition.description().trim().to_owned(),
            source: definition.source().trim().to_owned(),
            scope: definition.scope().name(),
            priority: definition.priority().name(),
            aggregations: definition.aggregations().to_vec(),
            windows: rule.map_or_else(Vec::new, |rule| {
                let sets = rule.sets.iter();
                sets.map(|set| Windows {
                    by: set.by.clone(),
                    sizes: set.sizes.clone(),
                })
                .collect()
            }),
            settles_after_seconds: rule.map(|rule| rule.settles_after.0 / 1000),
        }
    }
}
