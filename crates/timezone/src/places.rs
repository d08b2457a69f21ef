//! Which zone somebody works in: the zones of organisations, queues and agents, and the order in which they are asked.

mod read;

use crate::document::DocumentProblem;
use crate::zone::Zone;
use std::collections::HashMap;

/// One version of what is known about zones beside what the events state. Immutable.
///
/// # The document
///
/// ```toml
/// places = 1                      # its version, 1 to 32767; another text needs another version
///
/// [[organisation]]
/// zone = "Europe/Berlin"          # of every tenant that has no entry of its own
/// [[organisation]]
/// tenant = "acme"
/// zone = "America/New_York"
///
/// [[queue]]                       # tenant as above: an entry without one is for all tenants
/// tenant = "acme"
/// id = "support"
/// zone = "America/Chicago"
///
/// [[agent]]
/// id = "anna"
/// zone = "Europe/Madrid"
/// [[agent]]                       # moved: from this instant on (a date is its first instant in UTC)
/// id = "anna"
/// from = 2024-07-01
/// zone = "Atlantic/Canary"
/// ```
///
/// A tenant's own entry goes before the one for all tenants. An agent's zone written here goes before the one that the events state,
/// because somebody wrote it down to correct them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    version: u16,
    /// For those without an entry under their tenant.
    everywhere: Entries,
    tenants: HashMap<String, Entries>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entries {
    organisation: Option<Zone>,
    queues: HashMap<String, Zone>,
    /// Each with the instant (µs UTC) from which it holds, ascending.
    agents: HashMap<String, Vec<(i64, Zone)>>,
}

/// Where a zone came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ZoneSource {
    /// The agent's, at that instant.
    Agent,
    /// The schedule's own.
    Schedule,
    /// The queue's.
    Queue,
    /// The organisation's.
    Organisation,
    /// The definition's last resort.
    Default,
    /// Nobody stated a usable one: UTC, for want of any.
    None,
}

/// For whom, and when, a zone is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The agent's id.
    pub agent: Option<&'a str>,
    /// The zone that the events state for the agent, as they write it. A blank one counts as not stated.
    pub agent_stated: Option<&'a str>,
    /// The queue's id.
    pub queue: Option<&'a str>,
    /// The schedule's own zone.
    pub schedule: Option<Zone>,
    /// The last resort.
    pub default: Option<Zone>,
    /// The instant, µs UTC: agents move.
    pub at_micros: i64,
}

/// The zone to use, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The zone to use.
    pub zone: Zone,
    /// Where it came from.
    pub source: ZoneSource,
    /// A stated name that would have decided but names no zone, and whose it is. The next source was asked instead.
    pub unknown: Option<(ZoneSource, &'a str)>,
}

impl ZoneSource {
    /// The order in which the sources are asked where nobody says otherwise.
    pub const ORDER: [Self; 4] = [Self::Agent, Self::Schedule, Self::Queue, Self::Organisation];

    /// As it is written in definitions and metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Schedule => "schedule",
            Self::Queue => "queue",
            Self::Organisation => "organisation",
            Self::Default => "default",
            Self::None => "none",
        }
    }
}

impl Places {
    /// Reads the document of places. All problems at once, in the order of the text.
    pub fn read(text: &str) -> Result<Self, Vec<DocumentProblem>> {
        read::places(text)
    }

    /// Nothing is known but what the events state. Version 0.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The document's version, 1 to 32767; 0 for none.
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// The first zone that one of the sources in `order` has, else the default, else UTC with [`ZoneSource::None`].
    pub fn resolve<'a>(&self, order: &[ZoneSource], asked: &Asked<'a>) -> Resolved<'a> {
        let mut unknown = None;
        for &source in order {
            let zone = match source {
                ZoneSource::Agent => self.agent(asked).or_else(|| {
                    let text = asked.agent_stated.filter(|text| !text.trim().is_empty())?;
                    let zone = Zone::parse(text).ok();
                    if zone.is_none() {
                        unknown = Some((source, text));
                    }
                    zone
                }),
                ZoneSource::Schedule => asked.schedule,
                ZoneSource::Queue => self.first(asked.tenant, |entries| {
                    entries.queues.get(asked.queue?).copied()
                }),
                ZoneSource::Organisation => {
                    self.first(asked.tenant, |entries| entries.organisation)
                }
                ZoneSource::Default | ZoneSource::None => break,
            };
            if let Some(zone) = zone {
                return Resolved {
                    zone,
                    source,
                    unknown,
                };
            }
        }
        let (zone, source) = match asked.default {
            Some(zone) => (zone, ZoneSource::Default),
            None => (Zone::UTC, ZoneSource::None),
        };
        Resolved {
            zone,
            source,
            unknown,
        }
    }

    fn agent(&self, asked: &Asked<'_>) -> Option<Zone> {
        self.first(asked.tenant, |entries| {
            let stays = entries.agents.get(asked.agent?)?;
            let begun = stays.partition_point(|(from, _)| *from <= asked.at_micros);
            stays.get(begun.checked_sub(1)?).map(|(_, zone)| *zone)
        })
    }

    /// From the tenant's own entries, else from those for all tenants.
    fn first(&self, tenant: &str, find: impl Fn(&Entries) -> Option<Zone>) -> Option<Zone> {
        let own = self.tenants.get(tenant).and_then(&find);
        own.or_else(|| find(&self.everywhere))
    }
}
