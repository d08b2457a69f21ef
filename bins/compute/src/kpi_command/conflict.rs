//! A number's content never changes, nor do unit and scope of a name: what of some files would break that.

use super::shelf::{Entry, Shelf};
use crate::definition_files::{self, Files};
use kpi::{Definition, Problem};
use store::StoreError;
use store::definitions::Status;
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

/// What of the files cannot be stored beside what is, each with its place.
pub(super) fn conflicts(files: &Files, shelf: &Shelf, documents: &Documents) -> Vec<Problem> {
    let mut conflicts = Vec::new();
    for found in &files.definitions {
        let definition = &found.what;
        let stored = shelf
            .entries
            .iter()
            .find(|entry| entry.name == definition.name() && entry.version == definition.version());
        if let Some(stored) = stored {
            if stored.digest.as_deref() != Some(&definition.digest()[..]) {
                let next = shelf.next_version(definition.name());
                conflicts.push(found.problem("version", refused(&stored.label(), next)));
            }
            continue;
        }
        if let Some((member, message)) = unlike(definition, shelf) {
            conflicts.push(found.problem(member, message));
        }
    }
    for found in &files.schedules {
        let schedule = &found.what;
        let versions = || {
            documents
                .schedules
                .iter()
                .filter(|stored| stored.name == schedule.name())
        };
        let next = versions().map(|stored| stored.version.0).max().unwrap_or(0) + 1;
        if versions().any(|stored| {
            stored.version.0 == schedule.version()
                && stored.digest != kpi::content_digest(&found.text)
        }) {
            let label = format!("schedule {}@{}", schedule.name(), schedule.version());
            conflicts.push(found.problem("version", refused(&label, next)));
        }
    }
    if let Some(found) = &files.places {
        let version = found.what.version();
        let newest = documents
            .places
            .iter()
            .map(|stored| stored.version.0)
            .max()
            .unwrap_or(0);
        if documents.places.iter().any(|stored| {
            stored.version.0 == version && stored.digest != kpi::content_digest(&found.text)
        }) {
            let label = format!("places {version}");
            conflicts.push(found.problem("places", refused(&label, newest + 1)));
        } else if version < newest {
            let message = format!(
                "places {version} would not hold, because places {newest} do; the next version is {}",
                newest + 1
            );
            conflicts.push(found.problem("places", message));
        }
    }
    conflicts
}

/// Why a definition cannot be a version of what was ever switched on under its name, if it cannot: the member in which it differs, and
/// what to say. Drafts do not count: nothing was ever computed by them.
pub(super) fn unlike(definition: &Definition, shelf: &Shelf) -> Option<(&'static str, String)> {
    let mut others = shelf.entries.iter().filter(|entry| {
        entry.name == definition.name()
            && entry.version != definition.version()
            && entry.status != Some(Status::Draft)
    });
    others.find_map(|entry: &Entry| {
        let status = entry.status.map_or("of this release", Status::as_str);
        definition_files::unlike(definition, entry.compiled.as_ref().ok()?, status)
    })
}

fn refused(label: &str, next: u16) -> String {
    format!(
        "{label} is stored with another text, and the text under a number never changes; call the new one version {next}"
    )
}
