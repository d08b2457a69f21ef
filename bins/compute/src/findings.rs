//! What evaluation learns about zones: names that could not be used, and zones that were.
//!
//! Each is written once an hour and process, in the transaction of the rows that showed it; after a rollback it is written again.

use kpi::MetricValue;
use schema::{InteractionId, TenantId};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::zones::{self, Finding};
use store::{StoreError, Transaction};

/// Findings beyond so many are written again and again rather than remembered: names come from outside.
const REMEMBERED_MAX: usize = 10_000;

/// After so long what was written is written again, so that `last_seen` tells whether it still happens.
const REMEMBERED_FOR: Duration = Duration::from_secs(3600);

/// What this process has written. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    written: Arc<Mutex<Written>>,
}

#[derive(Debug, Default)]
struct Written {
    unknown: BTreeSet<(String, &'static str, String)>,
    used: BTreeSet<&'static str>,
    since: Option<Instant>,
}

/// What a transaction wrote and the process may remember once it has committed.
#[derive(Debug, Default)]
#[must_use]
pub struct Found {
    unknown: BTreeSet<(String, &'static str, String)>,
    used: BTreeSet<&'static str>,
}

impl Findings {
    /// Writes what these rows show for the first time.
    pub async fn record<'a>(
        &self,
        tx: &Transaction<'_>,
        rows: impl Iterator<Item = (&'a TenantId, &'a InteractionId, &'a MetricValue)>,
    ) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let mut findings = Vec::new();
        {
            let mut written = self.lock();
            if written
                .since
                .is_none_or(|since| since.elapsed() > REMEMBERED_FOR)
            {
                *written = Written {
                    since: Some(Instant::now()),
                    ..Written::default()
                };
            }
            for (tenant, interaction, row) in rows {
                let metadata = &row.metadata;
                if let Some(zone) = metadata.zone
                    && !written.used.contains(zone)
                {
                    found.used.insert(zone);
                }
                let Some((source, stated)) = metadata.unknown_zone() else {
                    continue;
                };
                let key = (tenant.as_str().to_owned(), source, stated.to_owned());
                if !written.unknown.contains(&key) && found.unknown.insert(key) {
                    findings.push(Finding {
                        tenant: tenant.as_str(),
                        stated,
                        source,
                        interaction_id: interaction.as_str(),
                    });
                }
            }
        }
        if !findings.is_empty() {
            zones::record(tx, &findings).await?;
        }
        if !found.used.is_empty() {
            let used: Vec<&str> = found.used.iter().copied().collect();
            zones::note_in_use(tx, &used).await?;
        }
        Ok(found)
    }

    /// Remembers what was written; call it after the commit.
    pub fn keep(&self, found: Found) {
        if found.unknown.is_empty() && found.used.is_empty() {
            return;
        }
        for (tenant, source, stated) in &found.unknown {
            tracing::warn!(
                tenant,
                source,
                stated,
                "an unknown time zone was stated; see zone_findings"
            );
        }
        let mut written = self.lock();
        written.used.extend(found.used);
        if written.unknown.len() < REMEMBERED_MAX {
            written.unknown.extend(found.unknown);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
