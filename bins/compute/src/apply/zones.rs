//! The zones that events state for agents: written when a later day states one, remembered so that most statements cost nothing.

use super::rows::Evaluated;
use crate::plan::PlannedAgent;
use crate::windows;
use rustc_hash::FxHashMap;
use schema::UtcMicros;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use store::agent_zones::{self, StatedZone};
use store::marks::{self, Kind, Mark};
use store::{StoreError, Transaction};
use window::Day;

/// Agents beyond so many are looked up again and again rather than remembered.
const REMEMBERED_MAX: usize = 100_000;

/// 2000-01-01T00:00:00Z: no window of anybody is much older.
const FIRST: UtcMicros = UtcMicros(946_684_800_000_000);

type Key = (String, String);
type Stated = (Day, String);

/// What this process knows to be stored. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct ZoneMemory {
    known: Arc<Mutex<FxHashMap<Key, Stated>>>,
}

/// What a transaction wrote and the process may remember once it has committed.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Noted(Vec<(Key, Stated)>);

impl ZoneMemory {
    /// Writes what is stated on a later day than what is known. An agent whose zone is another now, or known for the first time, has other
    /// windows: a mark says so. Which they are, only who computes them can tell, for a round under way is not seen from here.
    pub(super) async fn note(
        &self,
        tx: &Transaction<'_>,
        interactions: &[Evaluated<'_>],
        planned: &[PlannedAgent],
    ) -> Result<Noted, StoreError> {
        let news = self.news(interactions, planned);
        if news.is_empty() {
            return Ok(Noted::default());
        }
        let stated: Vec<StatedZone> = news
            .iter()
            .map(|((tenant, agent_id), (day, zone))| StatedZone {
                tenant: tenant.clone(),
                agent_id: agent_id.clone(),
                day: day.0,
                zone: zone.clone(),
            })
            .collect();
        let moved = agent_zones::put(tx, &stated).await?;
        let moved: Vec<(String, String)> = moved
            .into_iter()
            .map(|(tenant, agent)| (tenant, windows::moved(&agent)))
            .collect();
        let marks: Vec<Mark<'_>> = moved
            .iter()
            .map(|(tenant, subject)| Mark {
                kind: Kind::Group,
                tenant,
                subject,
                from: FIRST,
                to: FIRST,
            })
            .collect();
        marks::append(tx, &marks).await?;
        Ok(Noted(news.into_iter().collect()))
    }

    /// What is later than what this process knows, the latest of each agent.
    fn news(
        &self,
        interactions: &[Evaluated<'_>],
        planned: &[PlannedAgent],
    ) -> BTreeMap<Key, Stated> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news: BTreeMap<Key, Stated> = BTreeMap::new();
        let mut state = |tenant: &str, agent: &str, day: Day, zone: &str| {
            let key = (tenant.to_owned(), agent.to_owned());
            let later = |than: Option<&Stated>| {
                than.is_none_or(|(known, name)| (day, zone) > (*known, name.as_str()))
            };
            if later(known.get(&key)) && later(news.get(&key)) {
                news.insert(key, (day, zone.to_owned()));
            }
        };
        for evaluated in interactions {
            for (agent, (day, zone)) in &evaluated.beside.zones {
                state(evaluated.planned.tenant.as_str(), agent, *day, zone);
            }
        }
        for event in planned.iter().flat_map(|agent| &agent.events) {
            let zone = event.agent.zone.as_deref().unwrap_or_default();
            if !zone.trim().is_empty() {
                let (tenant, agent) = (event.tenant.as_str(), event.agent.id.as_str());
                state(tenant, agent, Day::of(event.fact.at), zone);
            }
        }
        news
    }

    /// Remembers what was committed.
    pub(super) fn keep(&self, noted: Noted) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + noted.0.len() > REMEMBERED_MAX {
            known.clear();
        }
        for (key, stated) in noted.0 {
            let later = known.get(&key).is_none_or(|before| *before < stated);
            if later {
                known.insert(key, stated);
            }
        }
    }
}
