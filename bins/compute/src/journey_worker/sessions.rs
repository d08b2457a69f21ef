//! The facts of contacts, read when they are needed, each once a round.

use schema::UtcMicros;
use session::{Session, Timeline};
use std::collections::{BTreeMap, BTreeSet};
use store::journeys::{self, StoredContact};
use store::{StoreError, Transaction};

/// What has been read in a round.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    read: BTreeMap<(String, String), Read>,
}

/// A contact with its facts.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) stored: StoredContact,
    /// `None`: this release cannot read it.
    pub(super) session: Option<Session>,
}

impl Sessions {
    /// Reads those of these contacts that have not been read yet. One that is gone is none.
    pub(super) async fn fetch(
        &mut self,
        tx: &Transaction<'_>,
        wanted: BTreeSet<(&str, &str)>,
    ) -> Result<(), StoreError> {
        let missing: Vec<(&str, &str)> = wanted
            .into_iter()
            .filter(|(tenant, id)| self.get(tenant, id).is_none())
            .collect();
        for stored in journeys::read(tx, &missing).await? {
            let key = (stored.tenant.clone(), stored.interaction_id.clone());
            let session = match Session::from_json(&stored.state_json) {
                Ok(session) => Some(session),
                Err(error) => {
                    tracing::warn!(
                        tenant = stored.tenant,
                        interaction = stored.interaction_id,
                        error = %runtime::chain(&error),
                        "a stored session cannot be read; its customer's contacts are not evaluated"
                    );
                    None
                }
            };
            self.read.insert(key, Read { stored, session });
        }
        Ok(())
    }

    /// A contact that has been read.
    pub(super) fn get(&self, tenant: &str, id: &str) -> Option<&Read> {
        self.read.get(&(tenant.to_owned(), id.to_owned()))
    }
}

/// When a contact ended for those around it, as definitions of journeys have it: of one whose end nobody stated, the last that was heard of it.
pub(super) fn end_of(timeline: &Timeline<'_>, start: UtcMicros) -> UtcMicros {
    let last_heard = || timeline.facts().next_back().map(|fact| fact.at);
    let end = timeline.contact_ended_at().or_else(last_heard);
    end.map_or(start, |end| end.max(start))
}
