//! A number's content never changes: what of some files would break that.

use super::shelf::Shelf;
use crate::definition_files::Files;
use store::StoreError;
use store::documents::{self, StoredPlaces, StoredSchedule};

/// The stored documents that definitions refer to.
#[derive(Debug, Default)]
pub(super) struct Documents {
    schedules: Vec<StoredSchedule>,
    places: Vec<StoredPlaces>,
}

impl Documents {
    pub(super) async fn load(conn: &impl store::Connection) -> Result<Self, StoreError> {
        Ok(Self {
            schedules: documents::list_schedules(conn).await?,
            places: documents::list_places(conn).await?,
        })
    }
}

/// One sentence for each text that differs from what is stored under its name and number.
pub(super) fn conflicts(files: &Files, shelf: &Shelf, documents: &Documents) -> Vec<String> {
    let mut conflicts = Vec::new();
    for definition in &files.definitions {
        let stored = shelf
            .entries
            .iter()
            .find(|entry| entry.name == definition.name() && entry.version == definition.version());
        if let Some(stored) = stored
            && stored.digest.as_deref() != Some(&definition.digest()[..])
        {
            conflicts.push(refused(
                &stored.label(),
                shelf.next_version(definition.name()),
            ));
        }
    }
    for (schedule, text) in &files.schedules {
        let versions = || {
            documents
                .schedules
                .iter()
                .filter(|stored| stored.name == schedule.name())
        };
        let next = versions().map(|stored| stored.version.0).max().unwrap_or(0) + 1;
        if versions().any(|stored| {
            stored.version.0 == schedule.version() && stored.digest != kpi::content_digest(text)
        }) {
            let label = format!("schedule {}@{}", schedule.name(), schedule.version());
            conflicts.push(refused(&label, next));
        }
    }
    if let Some((places, text)) = &files.places {
        let newest = documents
            .places
            .iter()
            .map(|stored| stored.version.0)
            .max()
            .unwrap_or(0);
        if documents.places.iter().any(|stored| {
            stored.version.0 == places.version() && stored.digest != kpi::content_digest(text)
        }) {
            let label = format!("places {}", places.version());
            conflicts.push(refused(&label, newest + 1));
        } else if places.version() < newest {
            conflicts.push(format!(
                "places {} would not hold, because places {newest} do; the next version is {}",
                places.version(),
                newest + 1
            ));
        }
    }
    conflicts
}

fn refused(label: &str, next: u16) -> String {
    format!(
        "{label} is stored with another text, and the text under a number never changes; call the new one version {next}"
    )
}
