//! What a job published, as far as its traces in the store can be looked for.

use crate::lease::retried;
use crate::line::Line;
use adapter::{Mappings, Outcome, Split};
use anyhow::Context as _;
use schema::{
    BodyFormat, Event, EventsMessage, FactKey, MetricVersion, SubscriptionName, UtcMicros,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use store::interactions::{self, Extent};
use store::{Store, event_log};
use uuid::Uuid;

/// The most interactions that are looked up at the end. Of more, those published last are: the queue is first in, first out.
const LOOKED_UP_MAX: usize = 50_000;
/// Looked up at a time.
const AT_ONCE: usize = 500;

/// No instant outside of 2000 to 2100 is accepted.
const PLAUSIBLE: std::ops::Range<UtcMicros> =
    UtcMicros(946_684_800_000_000)..UtcMicros(4_102_444_800_000_000);

/// Tenant and interaction.
type Key = (String, String);
/// Instant and key of a row of the log.
type LogKey = (UtcMicros, Uuid);
/// Facts of an interaction by a digest of their keys, each with the row of the log that it is in if it was accepted. Of a replay that
/// is certain, and no row is named.
type Facts = HashMap<u64, Option<LogKey>>;

/// Published facts.
#[derive(Default)]
pub(crate) struct Told {
    facts: Vec<ToldFact>,
    /// How many there are about agents. What becomes of them is not looked for.
    of_agents: u64,
}

/// A published fact about an interaction.
struct ToldFact {
    key: Key,
    fact: u64,
    log: Option<LogKey>,
}

impl Told {
    /// Out of the log, where they are for certain.
    pub(crate) fn again(messages: &[EventsMessage]) -> Self {
        let events = messages.iter().flat_map(|message| &message.events);
        let told = |event: &Event| ToldFact {
            key: (
                event.tenant.as_str().to_owned(),
                event.interaction.as_str().to_owned(),
            ),
            fact: digest(&event.fact.key),
            log: None,
        };
        Self {
            facts: events.map(told).collect(),
            of_agents: messages
                .iter()
                .map(|message| message.agents.len() as u64)
                .sum(),
        }
    }
}

/// The facts that normalise will find in a body, as far as it accepts them.
pub(crate) fn told_by(
    body: &[u8],
    (format, mappings): (&BodyFormat, &Mappings),
    tenant: &str,
    subscription: &SubscriptionName,
) -> Told {
    let mut told = Told::default();
    let Split::Items(items) = adapter::split_with(format, body, mappings) else {
        return told;
    };
    for item in items {
        let Ok(Outcome::Mapped(mapped)) = adapter::map(format, &item.raw, mappings) else {
            continue;
        };
        if let Some((_, facts)) = mapped.stated.agent() {
            told.of_agents += facts.len() as u64;
        }
        let Some(interaction) = mapped.stated.interaction() else {
            continue;
        };
        if !PLAUSIBLE.contains(&mapped.at) || interaction.as_str().contains('\0') {
            continue;
        }
        let log = adapter::log_key(subscription, &mapped.event_id, mapped.at, &mapped.digest);
        let key = (tenant.to_owned(), interaction.as_str().to_owned());
        let facts = mapped.stated.facts().iter();
        told.facts.extend(facts.map(|fact| ToldFact {
            key: key.clone(),
            fact: digest(&fact.key),
            log: Some((mapped.at, log)),
        }));
    }
    told
}

fn digest(fact: &FactKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    fact.as_str().hash(&mut hasher);
    hasher.finish()
}

/// The interactions a job published facts of, until the store shows that they were computed.
pub(crate) struct Published {
    version: i16,
    awaited: HashMap<Key, Facts>,
    order: VecDeque<Key>,
    /// Interactions that had the version and as many facts before, of which nothing shows that they are computed again; and facts about
    /// agents, which no version is for.
    untraceable: u64,
    /// Records that may have been counted before the job was gone on with.
    pub(crate) doubtful: u64,
}

impl Published {
    pub(crate) fn new(version: MetricVersion) -> anyhow::Result<Self> {
        Ok(Self {
            version: i16::try_from(version.0).context("the metric version")?,
            awaited: HashMap::new(),
            order: VecDeque::new(),
            untraceable: 0,
            doubtful: 0,
        })
    }

    /// How many interactions are still to be seen computed.
    pub(crate) fn left(&self) -> usize {
        self.order.len()
    }

    /// Of how many interactions, and facts about agents, nothing shows that they were computed.
    pub(crate) const fn untraceable(&self) -> u64 {
        self.untraceable
    }

    /// Notes facts. Call it before they are published: what the store holds then is no trace of them.
    pub(crate) async fn note(&mut self, line: &Line, told: Told) -> anyhow::Result<()> {
        self.untraceable += told.of_agents;
        let mut by_key: BTreeMap<Key, Facts> = BTreeMap::new();
        for told in told.facts {
            by_key
                .entry(told.key)
                .or_default()
                .insert(told.fact, told.log);
        }
        let mut new = Vec::new();
        for (key, facts) in by_key {
            match self.awaited.get_mut(&key) {
                Some(awaited) => awaited.extend(facts),
                None => new.push((key, facts)),
            }
        }
        for part in new.chunks(AT_ONCE) {
            let keys: Vec<Key> = part.iter().map(|(key, _)| key.clone()).collect();
            let extents = extents(line, &keys).await?;
            for (key, facts) in part {
                if self.traced(extents.get(key), facts) {
                    self.untraceable += 1;
                } else {
                    self.awaited.insert(key.clone(), facts.clone());
                    self.order.push_back(key.clone());
                }
            }
        }
        while self.order.len() > LOOKED_UP_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.awaited.remove(&oldest);
        }
        Ok(())
    }

    /// Looks for the oldest ones, and forgets those that are computed. Says whether all that were looked for are.
    ///
    /// `settled`: everything that was accepted is in the log by now, so what is not there was refused and is not waited for.
    pub(crate) async fn look(&mut self, line: &Line, settled: bool) -> anyhow::Result<bool> {
        let keys: Vec<Key> = self.order.iter().take(AT_ONCE).cloned().collect();
        let found = extents(line, &keys).await?;
        let mut missing = Vec::new();
        for key in keys {
            self.order.pop_front();
            let facts = self.awaited.get(&key);
            if facts.is_some_and(|facts| self.traced(found.get(&key), facts)) {
                self.awaited.remove(&key);
            } else {
                missing.push(key);
            }
        }
        if settled && !missing.is_empty() {
            self.forget_refused(line, &mut missing).await?;
        }
        let all = missing.is_empty();
        for key in missing.into_iter().rev() {
            self.order.push_front(key);
        }
        Ok(all)
    }

    async fn forget_refused(&mut self, line: &Line, missing: &mut Vec<Key>) -> anyhow::Result<()> {
        let mut asked: Vec<LogKey> = missing
            .iter()
            .filter_map(|key| self.awaited.get(key))
            .flat_map(|facts| facts.values().flatten().copied())
            .collect();
        if asked.is_empty() {
            return Ok(());
        }
        asked.sort_unstable();
        asked.dedup();
        let logged = retried(&line.stop, "look at what was logged", async || {
            let client = line.store.client().await?;
            event_log::logged(&client, &asked).await
        })
        .await?;
        missing.retain(|key| {
            let Some(facts) = self.awaited.get_mut(key) else {
                return false;
            };
            facts.retain(|_, row| row.is_none_or(|row| logged.contains(&row)));
            let any = !facts.is_empty();
            if !any {
                self.awaited.remove(key);
            }
            any
        });
        Ok(())
    }

    fn traced(&self, extent: Option<&Extent>, facts: &Facts) -> bool {
        extent.is_some_and(|extent| {
            let enough = usize::try_from(extent.facts).is_ok_and(|known| known >= facts.len());
            extent.metric_versions.contains(&self.version) && (extent.overfull || enough)
        })
    }
}

async fn extents(line: &Line, keys: &[Key]) -> anyhow::Result<HashMap<Key, Extent>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let store: &Store = &line.store;
    let found = retried(&line.stop, "look at what was computed", async || {
        let client = store.client().await?;
        interactions::extents(&client, keys).await
    })
    .await?;
    Ok(found
        .into_iter()
        .map(|extent| {
            let key = (extent.tenant.clone(), extent.interaction_id.clone());
            (key, extent)
        })
        .collect())
}
